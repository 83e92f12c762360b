"""ScanImage's file names: which files are one recording, and in which order."""

from __future__ import annotations

import contextlib
import math
import os
import re
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from scanreader.errors import (
    ChangedFileError,
    DamagedPageError,
    Finding,
    LayoutError,
    PathnameError,
    ScanReaderError,
    UnreachableError,
)
from scanreader.files.ahead import calls_in_order
from scanreader.files.opening import identify, kept_open
from scanreader.paths import SUFFIXES, is_dangling, real_path, refuse_duplicates, resolve
from scanreader.scanimage.blocks import read_block, recording_digest
from scanreader.scanimage.descriptions import EPOCH_END, NUMBERS_END, FrameNumbers, epoch, frame_numbers, timestamps
from scanreader.scanimage.header import Block, Header
from scanreader.scanimage.settings import Settings
from scanreader.tiff.descriptions import read_tag
from scanreader.tiff.ifd import DESCRIPTION, NoPageError
from scanreader.tiff.index import index_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scanreader.paths import Place
    from scanreader.tiff.runs import FileIndex

MOST_NAMED = 5  # files that a finding lists by name
LAST = 3  # pages of a file's end that are read with it: where frames end is compared, of one or two channels
SLOW_OPENING = 0.005  # seconds to open a file, from which on many are opened at once
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
    last_descriptions: tuple[bytes, ...] = ()
    """The start of the descriptions of the last pages, in their order; none if they cannot be read."""

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for a file and the same file after it has grown."""
        return self.path, self.recording_key, self.tiff.inode, self.first_description

    def numbers(self, page: int) -> FrameNumbers:
        """Numbers of the frame that a page belongs to; page -1 is the last."""
        if page == 0 and self.first_description:
            return frame_numbers(self.first_description)
        if page in (-1, self.tiff.num_pages - 1) and self.last_descriptions:
            return frame_numbers(self.last_descriptions[-1])
        return frame_numbers(read_tag(self.tiff, page % self.tiff.num_pages, DESCRIPTION, EPOCH_END))

    def timestamp(self, page: int) -> float:
        """Time of the first page (0) or of the last (-1), in s, if it was read when the file was opened; else NaN."""
        descriptions = self.last_descriptions[-1:] if page else ()
        return float(timestamps(descriptions or (self.first_description,))[0])

    def frame_number(self, page: int) -> int | None:
        """Number of the frame that a page belongs to, None if unknown; page -1 is the last."""
        return self.numbers(page).frame

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
        Whether a single file brings the other parts of its acquisition.

    Raises
    ------
    PathnameError
        If no file is named, one is named twice, or the files are not of one recording.
    ChangedFileError
        If a file was replaced since it was opened before, or no file of the expected recordings is left.
    """
    entries = resolve(pathnames)
    paths = [path for entry in entries for path in entry]
    refuse_duplicates(paths)
    files = _open_all(paths, findings, opened_before)
    is_list = len(entries) > 1
    single_paths = {entry[0] for entry in entries if len(entry) == 1} if is_list else set()
    if expected_keys:
        files = [file for file in files if file.path in single_paths or file.recording_key in expected_keys]
        if not files:
            raise ChangedFileError("the files are not those of the recording that was opened: open it again")
    if siblings and len(files) == 1 and len(single_paths) < len(entries):
        return in_order(_with_siblings(files[0], findings, opened_before))
    if not is_list:
        return in_order(files)
    by_path = {file.path: file for file in files}
    files_of_entries = [[by_path[path] for path in entry if path in by_path] for entry in entries]
    listed_files = [
        file
        for files_of_entry in files_of_entries
        for file in (files_of_entry if len(files_of_entry) < 2 else in_order(files_of_entry))
    ]
    return _bouts(_renamed_parts_together(listed_files), findings)


def in_order(files: Sequence[File]) -> list[File]:
    """Put the files of one recording in order.

    Raises
    ------
    PathnameError
        If they are of several, or one file is a copy of another.
    """
    keys = list(dict.fromkeys(file.recording_key for file in files))
    if len(keys) > 1:
        _refuse_foreign(files)
        raise PathnameError(_list_recordings(files, keys))
    ordered_files = sorted(files, key=lambda f: (f.name.acquisition or 0, f.name.part or 0, f.name.stem))
    _confirm_order(ordered_files)
    return _renamed_parts_together(ordered_files)


def _bouts(files: Sequence[File], findings: list[Finding]) -> list[File]:
    """Put the files of one or several recordings in order: the recordings as they were first mentioned."""
    by_key: dict[Any, list[File]] = {}
    for file in files:
        by_key.setdefault(file.recording_key, []).append(file)
    if len(by_key) > 1:
        _refuse_foreign(files)
        sentence = f"{len(by_key)} recordings are joined as bouts, in the order of their first mention"
        findings.append(Finding("mixed-acquisitions", "warning", "", sentence))
    return [file for files_of_key in by_key.values() for file in in_order(files_of_key)]


def _open_all(paths: Sequence[Place], findings: list[Finding], opened_before: Mapping[Place, File]) -> list[File]:
    files: list[File] = []
    empty_names, dangling_names = [], []
    for path, open_ in zip(paths, _openings(paths, opened_before), strict=True):
        try:
            file = open_()
            files.append(_share_header(file, files[0]) if files else file)
        except NoPageError as error:
            if len(paths) == 1:
                raise
            empty_names.append(path.name)
            last_error: ScanReaderError = error
        except PathnameError:
            if not is_dangling(path):
                raise
            dangling_names.append(path.name)
            last_error = PathnameError(
                f"{str(path)!r} is a link to a file that is not on this machine: get it first (datalad get)"
            )
    if not files:
        raise last_error
    if dangling_names:
        names = ", ".join(dangling_names[:MOST_NAMED]) + ("" if len(dangling_names) <= MOST_NAMED else ", …")
        sentence = (
            f"{len(dangling_names)} of {len(paths)} files are links to files that are not on this machine: {names}"
        )
        findings.append(Finding("missing-file", "warning", dangling_names[0], sentence))
    if empty_names:
        verbs = "holds no page and is" if len(empty_names) == 1 else "hold no page and are"
        sentence = f"{', '.join(empty_names)} {verbs} skipped"
        findings.append(Finding("empty-file", "warning", empty_names[0], sentence))
    return files


def _renamed_parts_together(files: Sequence[File]) -> list[File]:
    """Put files into the acquisition of the file before if their clock and frame numbers continue it."""
    result: list[File] = []
    for file in files:
        previous_file = result[-1] if result else None
        if previous_file is not None and file.name[:2] != previous_file.name[:2] and _continues(previous_file, file):
            part = None if previous_file.name.part is None else previous_file.name.part + 1
            file = file._replace(name=previous_file.name._replace(part=part), recording_key=previous_file.recording_key)  # noqa: PLW2901
        result.append(file)
    return result


def _continues(previous_file: File, file: File) -> bool:
    """Whether a file's header, clock and first frame numbers continue another file."""
    if file.block is None or previous_file.block is None or file.recording_key[1:] != previous_file.recording_key[1:]:
        return False
    header, first_numbers = Header(file.block.text), file.numbers(0)
    is_grab, averaging = header.get("acqState") == "grab", Settings.averaging.of(header)
    averaging = 1 if math.isnan(averaging) else averaging
    if (
        not is_grab
        and first_numbers.acquisition != previous_file.numbers(0).acquisition
        and first_numbers.in_acquisition == averaging
    ):
        return False  # perhaps another acquisition of the loop
    numbers = zip(previous_file.numbers(-1), first_numbers, strict=True)
    frames, in_acquisition, acquisitions = (None if a is None or b is None else b - a for a, b in numbers)
    # A grab is one acquisition, and no frame is between two channels of one.
    is_next = frames == averaging or (frames == 0 and _ends_inside_frame(previous_file, header))
    return is_next and (is_grab or (acquisitions == 0 and frames == in_acquisition))


def _ends_inside_frame(file: File, header: Header) -> bool:
    """Whether a file ends with some of the channels of a frame."""
    saved = header.get("hChannels.channelSave")
    channels = len(saved) if isinstance(saved, list) else 1
    pages = file.tiff.num_pages
    return channels > 1 and (pages < channels or file.frame_number(pages - channels) != file.frame_number(-1))


def open_each(paths: Sequence[Place]) -> Iterator[File | ScanReaderError]:
    """Open each of some files, in order, or give the error that it raises."""
    headers: dict[Block | None, Block | None] = {}
    for open_ in _openings(paths, NO_FILES):
        try:
            file = open_()
        except ScanReaderError as error:
            yield error
        else:
            yield file._replace(block=headers.setdefault(file.block, file.block))  # files of a recording share it


def _openings(paths: Sequence[Place], opened_before: Mapping[Place, File]) -> Iterator[Callable[[], File]]:
    """What opens each of the files, in order; those behind URLs, and on a slow share, are opened side by side."""
    is_remote = any(not isinstance(path, Path) for path in paths)
    return calls_in_order(
        lambda path: _open_file(path, opened_before.get(path)), paths, SLOW_OPENING, is_remote=is_remote
    )


def _share_header(file: File, other_file: File) -> File:
    """Let a file hold the header of another if it is equal: headers can have megabytes, and files be many."""
    return file._replace(block=other_file.block) if file.block == other_file.block else file


def _open_file(path: Place, earlier_file: File | None) -> File:
    """Open a file; one that was opened before is read again only as far as it has grown."""
    if earlier_file is not None and earlier_file.tiff.runs:
        _, inode, size, mtime_ns = identify(str(path))
        if (size, mtime_ns) == (earlier_file.tiff.size, earlier_file.tiff.mtime_ns):
            return _under_own_name(earlier_file)
        if earlier_file.tiff.ending and size >= earlier_file.tiff.size and inode == earlier_file.tiff.inode:
            index = index_file(path)
            is_same_file = index.inode == inode and index.runs and index.runs[0].ifd == earlier_file.tiff.runs[0].ifd
            if is_same_file and index.stamp == earlier_file.tiff.stamp:
                return _under_own_name(earlier_file._replace(tiff=index, last_descriptions=()))
            if is_same_file:
                raise ChangedFileError(f"{str(path)!r} was overwritten after it was opened: open the recording again")
    with kept_open(str(path)):
        return _read_file(path)


def _read_file(path: Place) -> File:
    index = index_file(path)
    block = read_block(index)
    name = _parse_name(path, block)
    if block is None:
        return File(path, index, None, name, (name.stem, None))
    first_description = read_tag(index, 0, DESCRIPTION, EPOCH_END)
    last_descriptions: tuple[bytes, ...] = ()
    pages = range(max(1, index.num_pages - LAST), index.num_pages) if index.runs else ()
    with contextlib.suppress(DamagedPageError):
        last_descriptions = tuple(read_tag(index, page, DESCRIPTION, NUMBERS_END) for page in pages)
    return File(
        path,
        index,
        block,
        name,
        (name.stem, name.channel, recording_digest(block), epoch(first_description)),
        first_description,
        last_descriptions,
    )


def _under_own_name(file: File) -> File:
    """A file as it is before `_renamed_parts_together`."""
    name = _parse_name(file.path, file.block)
    key_end = (None,) if file.block is None else (name.channel, *file.recording_key[2:])
    return file._replace(name=name, recording_key=(name.stem, *key_end))


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
    if real_path(file.path) not in {real_path(path) for path in folder}:
        sentence = f"the folder of {file.path.name} is listed without it: other files of the recording may be missing"
        findings.append(Finding("missing-file", "warning", file.path.name, sentence))
    for path, open_ in zip(siblings, _openings(siblings, opened_before), strict=True):
        reason: object = "its header is that of another recording"
        if is_dangling(path):
            sentence = f"{path.name} is a link to a file that is not on this machine"
            findings.append(Finding("missing-file", "warning", path.name, sentence))
            continue
        try:
            sibling = open_()
            if sibling.recording_key == file.recording_key:
                files.append(_share_header(sibling, file))
                continue
        except UnreachableError:
            raise
        except ScanReaderError as error:
            reason = error
        findings.append(Finding("left-out-file", "warning", path.name, f"{path.name} is skipped: {reason}"))
    return files


def parts_beside(files: Sequence[File]) -> dict[int, str]:
    """Other parts of the first file's acquisition in its folder: their names by their numbers, in order."""
    file = files[0]
    if file.name.part is None or not isinstance(file.path, Path):
        return {}
    names_read = {file.path.name for file in files}
    try:
        folder = os.listdir(file.path.parent)  # noqa: PTH208 - a quarter of the time of Path.iterdir
    except OSError:
        return {}
    paths = [file.path.with_name(name) for name in folder if name.startswith(file.name.stem) and name not in names_read]
    names = {p: _parse_name(p, file.block) for p in paths if p.suffix.lower() in SUFFIXES and not is_dangling(p)}
    name_by_part = {name.part: path.name for path, name in names.items() if name.part and _is_sibling(name, file)}
    return dict(sorted(name_by_part.items()))


def _is_sibling(name: Name, file: File) -> bool:
    """Whether a name is that of another file of the same acquisition."""
    return name.part is not None and name._replace(part=None) == file.name._replace(part=None)


def _refuse_foreign(files: Sequence[File]) -> None:
    foreign_names = [file.path.name for file in files if file.block is None]
    if foreign_names and len(foreign_names) < len(files):
        raise PathnameError(f"not written by ScanImage, unlike the other files: {', '.join(foreign_names)}")


def _list_recordings(files: Sequence[File], keys: Sequence[Any]) -> str:
    recordings = []
    for key in keys:
        names = distinct_names([file for file in files if file.recording_key == key], files)
        recordings.append(names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)")
    return (
        f"{len(keys)} recordings were named, not one: {'; '.join(recordings)}. Name one, by its files or a narrower "
        "glob; a list whose entries are recordings joins them as bouts"
    )


def distinct_names(files: Sequence[File], all_files: Sequence[File]) -> list[str]:
    """Names of some files; with their folders if all files are not in one folder."""
    in_one_folder = len({file.path.parent for file in all_files}) == 1
    return [file.path.name if in_one_folder else str(file.path) for file in files]


def _confirm_order(files: Sequence[File]) -> None:
    """Check that the counters in the names give the same order as the frame numbers."""
    previous_pair: tuple[int, File] | None = None
    if len(files) == 1:
        return
    for file in files:
        number = file.frame_number(0)
        if number is None:
            continue
        previous_number, previous_file = previous_pair or (number - 1, file)
        is_before = number < previous_number or (number == previous_number and not previous_file.ends_inside(number))
        if is_before and not _ends_before(previous_file, file):  # else the number of a first page is damaged
            raise PathnameError(
                f"{file.path.name} begins with frame {number}, {previous_file.path.name} before it with frame "
                f"{previous_number}: their names and the numbers of their frames disagree, or one is a copy"
            )
        previous_pair = number, file


def _ends_before(file: File, other_file: File) -> bool:
    """Whether the last frame of a file has a smaller number than that of another."""
    last_number, other_last_number = file.frame_number(-1), other_file.frame_number(-1)
    return last_number is not None and other_last_number is not None and last_number < other_last_number


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
