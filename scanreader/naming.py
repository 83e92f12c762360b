"""ScanImage's file names: which files are one recording, and in which order."""

from __future__ import annotations

import math
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from scanreader.errors import ChangedFileError, Finding, LayoutError, PathnameError, ScanReaderError, UnreachableError
from scanreader.files.opening import identify
from scanreader.paths import SUFFIXES, refuse_duplicates, resolve
from scanreader.scanimage.blocks import read_block, recording_digest
from scanreader.scanimage.descriptions import EPOCH_END, epoch, frame_numbers
from scanreader.scanimage.header import Block, Header
from scanreader.scanimage.settings import Settings
from scanreader.tiff.descriptions import read_tag
from scanreader.tiff.ifd import DESCRIPTION, NoPageError
from scanreader.tiff.index import index_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from scanreader.paths import Place
    from scanreader.tiff.runs import FileIndex

OPENERS = 16  # files behind URLs that are opened at once
NO_FILES: Mapping[Place, File] = MappingProxyType({})


class File(NamedTuple):
    """A file, and which recording it belongs to by its name and header."""

    path: Place
    tiff: FileIndex
    block: Block | None
    name: Name
    recording_key: tuple[Any, ...]
    """Equal for the files of one recording."""
    first_description: bytes = b""
    """The start of the first page's description."""

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for a file and the same file after it has grown."""
        return self.path, self.recording_key, self.tiff.inode, self.first_description

    def frame_number(self, page: int) -> int | None:
        """Number of the frame that a page belongs to, None if unknown; page -1 is the last."""
        if page == 0 and self.first_description:
            return frame_numbers(self.first_description).frame
        return frame_numbers(read_tag(self.tiff, page % self.tiff.num_pages, DESCRIPTION, EPOCH_END)).frame

    def ends_inside(self, number: int) -> bool:
        """Whether the file holds only some of the channels of one frame, which has this number."""
        saved = Header(self.block.text).get("hChannels.channelSave") if self.block else None
        return self.frame_number(-1) == number and isinstance(saved, list) and self.tiff.num_pages < len(saved)


class Name(NamedTuple):
    """The parts of a file name that ScanImage chose."""

    stem: str
    acquisition: int | None = None
    part: int | None = None
    channel: int | None = None


def find_files(
    pathnames: Any,
    findings: list[Finding],
    opened_before: Mapping[Place, File] = NO_FILES,
    expected_keys: Sequence[Any] = (),
    *,
    siblings: bool,
) -> list[File]:
    """Open the files of a recording, in the order of their frames.

    Parameters
    ----------
    pathnames
        As `read_scan` takes them.
    findings : list of Finding
        Findings are added to it: files that are skipped, recordings that are joined.
    opened_before : dict
        Files of the same recording by path, when it is opened again: what has not changed is not read again.
    expected_keys : sequence
        `File.recording_key` of the recordings that are opened again; files of others, new in the folder, are ignored.
    siblings : bool
        Whether a single file brings the others of its acquisition.

    Raises
    ------
    PathnameError
        If no file is named, one is named twice, or the files are not of one recording.
    ChangedFileError
        If a file was replaced since it was opened before, or no file of the expected recordings is left.
    """
    paths, listed_singly = resolve(pathnames)
    refuse_duplicates(paths)
    files = _open_all(paths, findings, opened_before)
    if expected_keys and not listed_singly:
        files = [file for file in files if file.recording_key in expected_keys]
        if not files:
            raise ChangedFileError("the files are not those of the recording that was opened: open it again")
    if len(files) == 1 and not listed_singly and siblings:
        files = _with_siblings(files[0], findings, opened_before)
    keys = list(dict.fromkeys(file.recording_key for file in files))
    if len(keys) > 1:
        _refuse_foreign(files)
        if not listed_singly:
            raise PathnameError(_list_recordings(files, keys))
        sentence = f"{len(keys)} recordings are joined in the order in which they were listed"
        findings.append(Finding("mixed-acquisitions", "warning", "", sentence))
        return files
    ordered = sorted(files, key=lambda f: (f.name.acquisition or 0, f.name.part or 0, f.name.stem))
    _confirm_order(ordered)
    return ordered


def _open_all(paths: Sequence[Place], findings: list[Finding], opened_before: Mapping[Place, File]) -> list[File]:
    files: list[File] = []
    empty = []
    open_ = _opener(paths, opened_before)
    for path in paths:
        try:
            file = open_(path)
            files.append(_share_header(file, files[0]) if files else file)
        except NoPageError as error:
            if len(paths) == 1:
                raise
            empty.append(path.name)
            last = error
    if not files:
        raise last
    if empty:
        sentence = f"{', '.join(empty)} {'holds no page and is' if len(empty) == 1 else 'hold no page and are'} skipped"
        findings.append(Finding("empty-file", "warning", empty[0], sentence))
    return files


def _opener(paths: Sequence[Place], opened_before: Mapping[Place, File]) -> Callable[[Place], File]:
    """What opens each of the files; those behind URLs it has opened many at once, as each takes several requests."""
    urls = [path for path in paths if not isinstance(path, Path)]
    futures: dict[Place, Future[File]] = {}
    if len(urls) > 1:
        with ThreadPoolExecutor(OPENERS) as pool:
            futures = {path: pool.submit(_open_file, path, opened_before.get(path)) for path in urls}
    return lambda path: futures[path].result() if path in futures else _open_file(path, opened_before.get(path))


def _share_header(file: File, other: File) -> File:
    """Let a file hold the header of another if it is equal: headers can have megabytes, and files be many."""
    return file._replace(block=other.block) if file.block == other.block else file


def _open_file(path: Place, before: File | None) -> File:
    """Open a file; one that was opened before is read again only as far as it has grown."""
    if before is not None and before.tiff.runs:
        _, inode, size, mtime_ns = identify(str(path))
        if (size, mtime_ns) == (before.tiff.size, before.tiff.mtime_ns):
            return before
        if before.tiff.ending and size >= before.tiff.size and inode == before.tiff.inode:
            index = index_file(path)
            same = index.inode == inode and index.runs and index.runs[0].ifd == before.tiff.runs[0].ifd
            if same and index.stamp == before.tiff.stamp:
                return before._replace(tiff=index)
            if same:
                raise ChangedFileError(f"{str(path)!r} was overwritten after it was opened: open the recording again")
    index = index_file(path)
    block = read_block(index)
    name = _parse_name(path, block)
    if block is None:
        return File(path, index, None, name, (name.stem, None))
    first = read_tag(index, 0, DESCRIPTION, EPOCH_END)
    return File(path, index, block, name, (name.stem, name.channel, recording_digest(block), epoch(first)), first)


def _parse_name(path: Place, block: Block | None) -> Name:
    """Stem, acquisition and part: ``S_00001_00002.tif`` where files were rolled, ``S_00001.tif`` where not."""
    stem, channel = path.stem, None
    if match := re.fullmatch(r"(.*)_chn(\d+)", stem):
        stem, channel = match[1], int(match[2])
    if _is_rolled(block) and (match := re.fullmatch(r"(.*?)_?(\d{1,18})_(\d{1,18})", stem)):
        return Name(match[1], int(match[2]), int(match[3]), channel)
    if match := re.fullmatch(r"(.*?)_?(\d{1,18})", stem):
        return Name(match[1], int(match[2]), None, channel)
    return Name(stem, None, None, channel)


@lru_cache(maxsize=1)  # files of a recording share their header, which can have megabytes
def _is_rolled(block: Block | None) -> bool:
    """Whether ScanImage was set to begin a new file after some frames."""
    if block is None:
        return False
    return math.isfinite(Settings.frames_per_file.of(Header(block.text)))


def _with_siblings(file: File, findings: list[Finding], opened_before: Mapping[Place, File]) -> list[File]:
    """A file and the others of its rolled acquisition, which have fitting names and an equal header."""
    if file.name.part is None:
        return [file]
    files = [file]
    try:
        folder = sorted(p for p in file.path.parent.iterdir() if p.suffix.lower() in SUFFIXES)
    except OSError as error:
        sentence = f"the folder of {file.path.name} cannot be searched for its other files: {error}"
        findings.append(Finding("missing-file", "warning", file.path.name, sentence))
        return files
    siblings = [p for p in folder if p.name != file.path.name and _is_sibling(_parse_name(p, file.block), file)]
    if file.path.resolve() not in {path.resolve() for path in folder}:
        sentence = f"the folder of {file.path.name} is listed without it: other files of the recording may be missing"
        findings.append(Finding("missing-file", "warning", file.path.name, sentence))
    open_ = _opener(siblings, opened_before)
    for path in siblings:
        reason: object = "its header is that of another recording"
        try:
            sibling = open_(path)
            if sibling.recording_key == file.recording_key:
                files.append(_share_header(sibling, file))
                continue
        except UnreachableError:
            raise
        except ScanReaderError as error:
            reason = error
        findings.append(Finding("left-out-file", "warning", path.name, f"{path.name} is skipped: {reason}"))
    return files


def _is_sibling(name: Name, file: File) -> bool:
    """Whether a name is that of another file of the same acquisition."""
    return name.part is not None and name._replace(part=None) == file.name._replace(part=None)


def _refuse_foreign(files: Sequence[File]) -> None:
    foreign = [file.path.name for file in files if file.block is None]
    if foreign and len(foreign) < len(files):
        raise PathnameError(f"not written by ScanImage, unlike the other files: {', '.join(foreign)}")


def _list_recordings(files: Sequence[File], keys: Sequence[Any]) -> str:
    recordings = []
    for key in keys:
        names = distinct_names([file for file in files if file.recording_key == key], files)
        recordings.append(names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)")
    return (
        f"{len(keys)} recordings were named, not one: {'; '.join(recordings)}. Name one, by its files or a narrower "
        "glob; a list of files, one by one, joins recordings"
    )


def distinct_names(files: Sequence[File], all_files: Sequence[File]) -> list[str]:
    """Names of some files; with their folders if all files are not in one folder."""
    in_one_folder = len({file.path.parent for file in all_files}) == 1
    return [file.path.name if in_one_folder else str(file.path) for file in files]


def _confirm_order(files: Sequence[File]) -> None:
    """Check that the counters in the names give the same order as the frame numbers."""
    previous: tuple[int, File] | None = None
    if len(files) == 1:
        return
    for file in files:
        number = file.frame_number(0)
        if number is None:
            continue
        first, other = previous or (number - 1, file)
        if number < first or (number == first and not other.ends_inside(number)):
            raise PathnameError(
                f"{file.path.name} begins with frame {number}, {other.path.name} before it with frame {first}: "
                "their names and the numbers of their frames disagree, or one is a copy"
            )
        previous = number, file


def check_forms(files: Sequence[File]) -> None:
    """Check that the pages of all files have one size and dtype.

    Raises
    ------
    LayoutError
        If they differ.
    """
    form = files[0].tiff.form
    for file in files:
        if file.tiff.form[:2] != form[:2] or file.tiff.form.dtype[1:] != form.dtype[1:]:
            raise LayoutError(
                f"the pages of {file.path.name} have {file.tiff.form}, those of {files[0].path.name} {form}: they "
                "are not of one recording",
                raw_helps=False,
            )
