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
from scanreader.paths import SUFFIXES, refuse_twice, resolve
from scanreader.scanimage.blocks import read_block, recording_digest
from scanreader.scanimage.descriptions import EPOCH_END, epoch, frame_numbers
from scanreader.scanimage.header import Block, Header
from scanreader.scanimage.settings import Settings
from scanreader.tiff.descriptions import read_tag
from scanreader.tiff.ifd import DESCRIPTION, NoPageError
from scanreader.tiff.index import index_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from scanreader.paths import Place
    from scanreader.tiff.runs import FileIndex

OPENERS = 16  # files behind URLs that are opened at once
NOTHING: Mapping[Any, Any] = MappingProxyType({})


class File(NamedTuple):
    """A file with what its name and header say of where it belongs."""

    path: Place
    tiff: FileIndex
    block: Block | None
    name: Name
    kin: tuple[Any, ...]
    """Equal for files of one recording."""
    first: bytes = b""
    """How the description of the first page begins."""

    def frame_number(self, page: int) -> int | None:
        """Number of the frame that a page belongs to; -1 is the last page."""
        if page == 0 and self.first:
            return frame_numbers(self.first).frame
        return frame_numbers(read_tag(self.tiff, page % self.tiff.num_pages, DESCRIPTION, EPOCH_END)).frame

    def ends_inside(self, number: int) -> bool:
        """Whether the file holds some of the channels of one frame, and nothing else."""
        saved = Header(self.block.text).get("hChannels.channelSave") if self.block else None
        return self.frame_number(-1) == number and isinstance(saved, list) and self.tiff.num_pages < len(saved)


class Name(NamedTuple):
    """A file's name, taken apart as ScanImage puts it together."""

    stem: str
    acquisition: int | None = None
    part: int | None = None
    channel: int | None = None


def find_files(
    pathnames: Any,
    findings: list[Finding],
    known: Mapping[Place, File] = NOTHING,
    kins: Sequence[Any] = (),
    *,
    siblings: bool,
) -> list[File]:
    """Open what was named and put it in order."""
    paths, one_by_one = resolve(pathnames)
    refuse_twice(paths)
    files = _open_all(paths, findings, known)
    if kins and not one_by_one:  # files of another recording, that came since, are not of this one
        files = [file for file in files if file.kin in kins]
        if not files:
            raise ChangedFileError("the files are not those of the recording that was opened: open it again")
    if len(files) == 1 and not one_by_one and siblings:
        files = _with_siblings(files[0], findings, known)
    kins = list(dict.fromkeys(file.kin for file in files))
    if len(kins) > 1:
        _refuse_foreign(files)
        if not one_by_one:
            raise PathnameError(_list_recordings(files, kins))
        said = f"{len(kins)} recordings are joined in the order in which they were listed"
        findings.append(Finding("mixed-acquisitions", "warning", "", said))
        return files
    ordered = sorted(files, key=lambda f: (f.name.acquisition or 0, f.name.part or 0, f.name.stem))
    _confirm_order(ordered)
    return ordered


def _open_all(paths: Sequence[Place], findings: list[Finding], known: Mapping[Place, File]) -> list[File]:
    files: list[File] = []
    empty = []
    ahead = _open_ahead(paths, known)
    for path in paths:
        try:
            opened = ahead[path].result() if path in ahead else _open(path, known.get(path))
            files.append(_alike(opened, files[0]) if files else opened)
        except NoPageError as error:
            if len(paths) == 1:
                raise
            empty.append(path.name)
            last = error
    if not files:
        raise last
    if empty:
        said = f"{', '.join(empty)} {'holds no page and is' if len(empty) == 1 else 'hold no page and are'} left out"
        findings.append(Finding("empty-file", "warning", empty[0], said))
    return files


def _open_ahead(paths: Sequence[Place], known: Mapping[Place, File]) -> dict[Place, Future[File]]:
    """Open files behind URLs, some at a time: each takes a few requests, one after the other."""
    urls = [path for path in paths if not isinstance(path, Path)]
    if len(urls) < 2:
        return {}
    with ThreadPoolExecutor(OPENERS) as pool:
        return {path: pool.submit(_open, path, known.get(path)) for path in urls}


def _alike(file: File, other: File) -> File:
    """The file, holding the other's header if it has the same: it may have megabytes, and the files be many."""
    return file._replace(block=other.block) if file.block == other.block else file


def _open(path: Place, known: File | None = None) -> File:
    """Open a file; what is known of it from before is still so if it did not change, or has only grown."""
    if known is not None and known.tiff.runs:
        _, inode, size, mtime_ns = identify(str(path))
        if (size, mtime_ns) == (known.tiff.size, known.tiff.mtime_ns):
            return known
        if known.tiff.ending and size >= known.tiff.size and inode == known.tiff.inode:
            index = index_file(path)
            same = index.inode == inode and index.runs and index.runs[0].ifd == known.tiff.runs[0].ifd
            if same and index.stamp == known.tiff.stamp:
                return known._replace(tiff=index)
            if same:
                raise ChangedFileError(f"{str(path)!r} was written anew after it was opened: open the recording again")
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


def _with_siblings(file: File, findings: list[Finding], known: Mapping[Place, File]) -> list[File]:
    """The other files of a rolled acquisition, found by name and equal header."""
    if file.name.part is None:
        return [file]
    files = [file]
    try:
        beside = sorted(p for p in file.path.parent.iterdir() if p.suffix.lower() in SUFFIXES)
    except OSError as error:
        said = f"the folder of {file.path.name} cannot be listed for its other files: {error}"
        findings.append(Finding("missing-file", "warning", file.path.name, said))
        return files
    kin = [path for path in beside if path.name != file.path.name and _is_sibling(_parse_name(path, file.block), file)]
    ahead = _open_ahead(kin, known)
    if file.path.resolve() not in {path.resolve() for path in beside}:
        said = f"the folder of {file.path.name} is listed without it: other files of the recording may be missing"
        findings.append(Finding("missing-file", "warning", file.path.name, said))
    for path in kin:
        try:
            other = _alike(ahead[path].result() if path in ahead else _open(path, known.get(path)), file)
        except UnreachableError:
            raise
        except ScanReaderError as error:
            findings.append(Finding("left-out-file", "warning", path.name, f"{path.name} is left out: {error}"))
            continue
        if other.kin == file.kin:
            files.append(other)
        else:
            said = f"{path.name} is left out: its header is that of another recording"
            findings.append(Finding("left-out-file", "warning", path.name, said))
    return files


def _is_sibling(name: Name, file: File) -> bool:
    """Whether a name is that of another part of the file's acquisition."""
    return name.part is not None and name._replace(part=None) == file.name._replace(part=None)


def _refuse_foreign(files: Sequence[File]) -> None:
    foreign = [file.path.name for file in files if file.block is None]
    if foreign and len(foreign) < len(files):
        raise PathnameError(f"not written by ScanImage, unlike the other files: {', '.join(foreign)}")


def _list_recordings(files: Sequence[File], kins: Sequence[Any]) -> str:
    lines = []
    for kin in kins:
        names = told_apart(files, [file for file in files if file.kin == kin])
        lines.append(names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)")
    return (
        f"{len(kins)} recordings were named, not one: {'; '.join(lines)}. Name one, by its files or a narrower "
        "glob; a list of files, one by one, joins recordings"
    )


def told_apart(files: Sequence[File], some: Sequence[File]) -> list[str]:
    """Names of files; with their folders where they are in several."""
    several = len({file.path.parent for file in files}) > 1
    return [str(file.path) if several else file.path.name for file in some]


def _confirm_order(files: Sequence[File]) -> None:
    """See that the order of the counters in the names is that of the frame numbers."""
    before: tuple[int, File] | None = None
    if len(files) == 1:
        return
    for file in files:
        number = file.frame_number(0)
        if number is None:
            continue
        if before is not None and (number < before[0] or (number == before[0] and not before[1].ends_inside(number))):
            raise PathnameError(
                f"{file.path.name} begins with frame {number}, {before[1].path.name} before it with frame "
                f"{before[0]}: their names and the numbers of their frames disagree, or one is a copy"
            )
        before = number, file


def check_forms(files: Sequence[File]) -> None:
    """See that the pages of all files have one size and dtype.

    Raises
    ------
    LayoutError
        If they have not.
    """
    form = files[0].tiff.form
    for file in files:
        if file.tiff.form[:2] != form[:2] or file.tiff.form.dtype[1:] != form.dtype[1:]:
            raise LayoutError(
                f"the pages of {file.path.name} have {file.tiff.form}, those of {files[0].path.name} {form}: they "
                "are not of one recording",
                raw_helps=False,
            )
