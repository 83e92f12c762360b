"""read_scan: what the user named → files → release → Scan."""

from __future__ import annotations

import glob
import itertools
import math
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from scanreader.blocks import KNOWN_BLOCKS, read_block, same_recording
from scanreader.errors import (
    ChangedFileError,
    DtypeError,
    Finding,
    LayoutError,
    PathnameError,
    ScanImageVersionError,
    ScanKeyError,
    ScanReaderError,
    ScanReaderWarning,
    UnreachableError,
)
from scanreader.files.opening import identify
from scanreader.files.urls import is_url
from scanreader.frames import EPOCH_END, FrameNumbers, epoch, frame_numbers, warn_of
from scanreader.header import Block, Header
from scanreader.layout import Part
from scanreader.scans import PlainScan, Scan, Source, scan_class
from scanreader.tiff.descriptions import read_tag
from scanreader.tiff.ifd import DESCRIPTION, NoPageError
from scanreader.tiff.index import index_file
from scanreader.tiff.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from numpy.typing import DTypeLike

    from scanreader.files.servers import Url
    from scanreader.tiff.runs import FileIndex

    Pathname = str | os.PathLike[str]
    Place = Path | Url

SUFFIXES = (".tif", ".tiff")
MOST_NAMES = 5000  # in a folder that are compared with one that is not there
OPENERS = 16  # files behind URLs that are opened at once
NOTHING: Mapping[Any, Any] = MappingProxyType({})


def read_scan(
    pathnames: Pathname | Iterable[Pathname],
    dtype: DTypeLike | None = None,
    join_contiguous: bool = False,
    *,
    siblings: bool = True,
    raw: bool = False,
    strict: bool = False,
    on_damage: Literal["raise", "fill"] = "raise",
    fill_value: float = 0,
) -> Scan:
    """Open a ScanImage recording, of any release and any mode.

    Only headers are read; pixels are when the scan is indexed.

    Parameters
    ----------
    pathnames : str, path, or list of them
        A file, a glob (``"/data/my_scan_*.tif"``), a directory, or a list; each may also be a URL that fsspec
        knows (``"s3://…"``, ``"https://…"``; ``*`` and ``[]`` make a glob of it). A single file that ScanImage rolled
        brings the other files of its acquisition. Files that belong to several recordings are refused, but for
        a list that names them one by one: they are joined in its order, with a warning.
    dtype : dtype, optional
        The pixels' dtype in memory; the recording's own by default. It must hold every value of that.
    join_contiguous : bool
        Join fields of one slice that touch and share that side's size.
    siblings : bool
        Whether a single file brings the others of its acquisition.
    raw : bool
        Give the pages as they lie: one field of whole pages, one channel, every page a frame. The way out of
        a refusal.
    strict : bool
        Refuse (LayoutError) what is warned of otherwise: missing frames, unfinished files, unknown releases.
    on_damage : {"raise", "fill"}
        What is done with pages that cannot be read: an error (DamagedPageError) when they are asked for, or
        pixels that are NaN in floats and `fill_value` in integers, with a warning at each read.
    fill_value : number
        What integers are filled with.

    Returns
    -------
    Scan
        Indexed ``scan[field, y, x, channel, frame]``.

    Raises
    ------
    PathnameError
        If what is named is not one recording.
    FileFormatError
        If a file is not a TIFF of integer images.
    ScanImageVersionError
        If the order of pages is not known for the release.
    HeaderError, LayoutError
        If the header does not say, or contradicts, how the pages are to be read.
    DtypeError
        If `dtype` cannot hold every value.

    Warns
    -----
    ScanReaderWarning
        Once, if there is anything that the user should know: what is missing, damaged or left out.
    """
    asked = Asked(_absolute(pathnames), dtype, join_contiguous, siblings, raw, strict, on_damage, fill_value)
    scan = open_scan(asked)
    if scan.findings:
        name = _named(scan)
        message = f"{name}: " + "; ".join(map(str, scan.findings))
        if strict:
            raise LayoutError(message)
        warnings.warn(message, ScanReaderWarning, stacklevel=2)
    return scan


class Asked(NamedTuple):
    """What `read_scan` was asked for."""

    pathnames: Any
    dtype: DTypeLike | None
    join_contiguous: bool
    siblings: bool
    raw: bool
    strict: bool
    on_damage: str
    fill_value: float


def open_scan(asked: Asked, before: Scan | None = None) -> Scan:
    """Open what was asked for; what is known of files from a scan `before` and is still so is not read again."""
    findings: list[Finding] = []
    known: dict[Place, _File] = {} if before is None else {file.path: file for file in before._opened}  # noqa: SLF001
    kins = () if before is None else before._kins  # noqa: SLF001 - of one house
    files = _find_files(asked.pathnames, findings, known, kins, siblings=asked.siblings)
    _check_forms(files)
    fill = _find_fill(files, asked.dtype, asked.on_damage, asked.fill_value)
    scan = _make(files, findings, asked, fill, before)
    if isinstance(asked.pathnames, list):  # the very strings that the files have: they are pickled once
        paths = {file.tiff.path: file.tiff.path for file in files}
        asked = asked._replace(pathnames=[paths.get(name, name) for name in asked.pathnames])
    scan.__dict__.update(_asked=asked, _opened=tuple(files), _kins=tuple(dict.fromkeys(file.kin for file in files)))
    return scan


def _named(scan: Scan) -> str:
    """What to call a recording in a warning: its file's name, or what its files' names have in common."""
    first = Path(scan.filenames[0])
    return first.name if len(scan.filenames) == 1 else f"{scan._opened[0].name.stem} …"  # noqa: SLF001


def _absolute(pathnames: Any) -> Any:
    """Paths as they are from here, so that they can be looked up again from another folder."""
    if isinstance(pathnames, (str, os.PathLike)) and os.fspath(pathnames).strip():
        return pathnames if is_url(pathnames) else str(Path(pathnames).expanduser().absolute())
    if isinstance(pathnames, Iterable) and not isinstance(pathnames, (str, bytes)) and not hasattr(pathnames, "read"):
        return [_absolute(name) for name in pathnames]
    return pathnames


def _find_fill(files: Sequence[_File], dtype: DTypeLike | None, on_damage: str, value: float) -> float | None:
    """What to fill pages with that cannot be read; None if they are an error.

    Raises
    ------
    DtypeError
        If the pixels' dtype cannot hold it.
    """
    if on_damage not in ("raise", "fill"):
        raise ScanKeyError(f"on_damage is 'raise' or 'fill', not {on_damage!r}")
    if on_damage == "raise":
        return None
    pixels = np.dtype(files[0].tiff.form.dtype if dtype is None else dtype)
    if pixels.kind in "fc":
        return math.nan
    if not np.iinfo(pixels).min <= value <= np.iinfo(pixels).max or value != int(value):
        raise DtypeError(f"{pixels.name} pixels cannot be {value!r}: give another fill_value")
    return int(value)


# ---------------------------------------------------------------------- what was named


class _File(NamedTuple):
    """A file with what its name and header say of where it belongs."""

    path: Place
    tiff: FileIndex
    block: Block | None
    name: _Name
    kin: tuple[Any, ...]
    """Equal for files of one recording."""
    first: bytes = b""
    """How the description of the first page begins."""

    def frame_number(self, page: int) -> int | None:
        """Number of the frame that a page belongs to; -1 is the last page."""
        if page == 0 and self.first:
            return frame_numbers(self.first).frame
        notes: list[str] = []
        text = read_tag(self.tiff, page % self.tiff.num_pages, DESCRIPTION, EPOCH_END, notes)
        warn_of(notes)
        return frame_numbers(text).frame

    def ends_inside(self, number: int) -> bool:
        """Whether the file holds some of the channels of one frame, and nothing else."""
        saved = Header(self.block.text).get("hChannels.channelSave") if self.block else None
        return self.frame_number(-1) == number and isinstance(saved, list) and self.tiff.num_pages < len(saved)


class _Name(NamedTuple):
    """A file's name, taken apart as ScanImage puts it together."""

    stem: str
    acquisition: int | None = None
    part: int | None = None
    channel: int | None = None


def _find_files(
    pathnames: Any,
    findings: list[Finding],
    known: Mapping[Place, _File] = NOTHING,
    kins: Sequence[Any] = (),
    *,
    siblings: bool,
) -> list[_File]:
    """Open what was named and put it in order."""
    paths, one_by_one = _resolve(pathnames)
    _refuse_twice(paths)
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


def _resolve(pathnames: Any) -> tuple[list[Place], bool]:
    """Turn what was named into files, and tell whether each was named by itself in a list."""
    if isinstance(pathnames, (str, bytes, os.PathLike)):
        return _resolve_one(pathnames), False
    if hasattr(pathnames, "read") or not isinstance(pathnames, Iterable):
        raise PathnameError(f"expected a path, a glob, a directory or a list of them, not {pathnames!r}")
    named = list(pathnames)
    if not named:
        raise PathnameError("the list of files is empty")
    if len(named) == 1:
        return _resolve_one(named[0]), False
    found = [_resolve_one(name) for name in named]
    return [path for paths in found for path in paths], all(len(paths) == 1 for paths in found)


def _resolve_one(name: Any) -> list[Place]:
    if not isinstance(name, (str, bytes, os.PathLike)):
        raise PathnameError(f"expected a path, a glob or a directory, not {name!r}")
    text = os.fsdecode(name)
    if not text.strip():
        raise PathnameError("the path is empty")
    if is_url(text):
        return _resolve_url(text)
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            matches: list[Place] = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        else:
            matches = [path] if path.exists() else [*_glob(str(path))]
    except (OSError, ValueError) as error:  # names that no file system takes
        raise PathnameError(f"{text!r} cannot be looked up: {error}") from None
    if not matches and path.is_dir():
        raise PathnameError(f"the folder {str(path)!r} holds no TIFF file (folders in it are not searched)")
    if not matches:
        what = "no file matches" if glob.has_magic(text) else "there is no file or folder"
        raise PathnameError(f"{what} {text!r} (looked in {str(path.absolute().parent)!r}{_suggestion(path)})")
    return matches


def _suggestion(path: Path) -> str:
    """The name in its folder that a path may have meant."""
    import difflib  # noqa: PLC0415 - for names that are wrong alone

    try:
        names = [p.name for p in itertools.islice(path.absolute().parent.iterdir(), MOST_NAMES)]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, names, 1, 0.8)
    return f"; did you mean {near[0]!r}?" if near else ""


def _resolve_url(url: str) -> list[Place]:
    """Files behind a URL; those of this machine by their paths, which is quicker."""
    if url.lower().startswith("file://"):
        from urllib.request import url2pathname  # noqa: PLC0415 - it brings all of http

        host, slash, path = url[len("file://") :].partition("/")
        if host not in ("", "localhost"):
            raise PathnameError(f"{url!r} names a file of another machine ({host}): give its path")
        return _resolve_one(url2pathname(slash + path))
    from scanreader.files.servers import expand  # noqa: PLC0415 - paths do not need it

    matches = expand(url, SUFFIXES)
    if not matches:
        raise PathnameError(f"nothing is found at {url!r}")
    return list(matches)


def _glob(pattern: str) -> list[Path]:
    """Files that match a pattern; brackets in it may be a part of the name as well."""
    escaped = pattern.replace("[", "[[]")
    names = {name for p in (pattern, escaped) for name in glob.glob(p, recursive=True)}  # noqa: PTH207 - takes absolute patterns
    return sorted(path for path in map(Path, names) if path.is_file())


def _refuse_twice(paths: Sequence[Place]) -> None:
    seen: dict[Place, Place] = {}
    for path in paths:
        real = path.resolve()
        if real in seen:
            also = "" if path == seen[real] else f" (also as {str(seen[real])!r})"
            raise PathnameError(f"{str(path)!r} is named twice{also}")
        seen[real] = path


# -------------------------------------------------------------- what belongs together


def _open_all(paths: Sequence[Place], findings: list[Finding], known: Mapping[Place, _File]) -> list[_File]:
    files: list[_File] = []
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


def _open_ahead(paths: Sequence[Place], known: Mapping[Place, _File]) -> dict[Place, Future[_File]]:
    """Open files behind URLs, some at a time: each takes a few requests, one after the other."""
    urls = [path for path in paths if not isinstance(path, Path)]
    if len(urls) < 2:
        return {}
    with ThreadPoolExecutor(OPENERS) as pool:
        return {path: pool.submit(_open, path, known.get(path)) for path in urls}


def _alike(file: _File, other: _File) -> _File:
    """The file, holding the other's header if it has the same: it may have megabytes, and the files be many."""
    return file._replace(block=other.block) if file.block == other.block else file


def _open(path: Place, known: _File | None = None) -> _File:
    """Open a file; what is known of it from before is still so if it did not change, or has only grown."""
    if known is not None and known.tiff.runs:
        _, inode, size, mtime_ns = identify(str(path))
        if (size, mtime_ns) == (known.tiff.size, known.tiff.mtime_ns):
            return known
        if known.tiff.ending and (size, inode) >= (known.tiff.size, known.tiff.inode):
            index = index_file(path)
            same = index.inode == known.tiff.inode and index.runs and index.runs[0].ifd == known.tiff.runs[0].ifd
            if same and index.stamp == known.tiff.stamp:
                return known._replace(tiff=index)
            if same:
                raise ChangedFileError(f"{str(path)!r} was written anew after it was opened: open the recording again")
    index = index_file(path)
    block = read_block(index)
    name = _parse_name(path, block)
    if block is None:
        return _File(path, index, None, name, (name.stem, None))
    first = read_tag(index, 0, DESCRIPTION, EPOCH_END)
    return _File(path, index, block, name, (name.stem, name.channel, same_recording(block), epoch(first)), first)


def _parse_name(path: Place, block: Block | None) -> _Name:
    """Stem, acquisition and part: ``S_00001_00002.tif`` where files were rolled, ``S_00001.tif`` where not."""
    stem, channel = path.stem, None
    if match := re.fullmatch(r"(.*)_chn(\d+)", stem):
        stem, channel = match[1], int(match[2])
    if _is_rolled(block) and (match := re.fullmatch(r"(.*?)_?(\d{1,18})_(\d{1,18})", stem)):
        return _Name(match[1], int(match[2]), int(match[3]), channel)
    if match := re.fullmatch(r"(.*?)_?(\d{1,18})", stem):
        return _Name(match[1], int(match[2]), None, channel)
    return _Name(stem, None, None, channel)


@lru_cache(maxsize=1)  # files of a recording share their header, which can have megabytes
def _is_rolled(block: Block | None) -> bool:
    """Whether ScanImage was set to begin a new file after some frames."""
    if block is None:
        return False
    settings = Header(block.text)
    for name in ("hScan2D.logFramesPerFile", "loggingFramesPerFile", "acq.framesPerFile"):
        if name in settings:
            frames = settings[name]
            return isinstance(frames, (int, float)) and math.isfinite(frames)
    return False


def _with_siblings(file: _File, findings: list[Finding], known: Mapping[Place, _File]) -> list[_File]:
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


def _is_sibling(name: _Name, file: _File) -> bool:
    """Whether a name is that of another part of the file's acquisition."""
    return name.part is not None and name._replace(part=None) == file.name._replace(part=None)


def _refuse_foreign(files: Sequence[_File]) -> None:
    foreign = [file.path.name for file in files if file.block is None]
    if foreign and len(foreign) < len(files):
        raise PathnameError(f"not written by ScanImage, unlike the other files: {', '.join(foreign)}")


def _list_recordings(files: Sequence[_File], kins: Sequence[Any]) -> str:
    lines = []
    for kin in kins:
        names = _told_apart(files, [file for file in files if file.kin == kin])
        lines.append(names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)")
    return (
        f"{len(kins)} recordings were named, not one: {'; '.join(lines)}. Name one, by its files or a narrower "
        "glob; a list of files, one by one, joins recordings"
    )


def _told_apart(files: Sequence[_File], some: Sequence[_File]) -> list[str]:
    """Names of files; with their folders where they are in several."""
    several = len({file.path.parent for file in files}) > 1
    return [str(file.path) if several else file.path.name for file in some]


def _confirm_order(files: Sequence[_File]) -> None:
    """See that the order of the counters in the names is that of the frame numbers."""
    before: tuple[int, _File] | None = None
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


def _check_forms(files: Sequence[_File]) -> None:
    form = files[0].tiff.form
    for file in files:
        if file.tiff.form[:2] != form[:2] or file.tiff.form.dtype[1:] != form.dtype[1:]:
            raise LayoutError(
                f"the pages of {file.path.name} have {file.tiff.form}, those of {files[0].path.name} {form}: they "
                "are not of one recording"
            )


# --------------------------------------------------------------------------- the scan


def _make(
    files: Sequence[_File], findings: list[Finding], asked: Asked, fill: float | None, before: Scan | None
) -> Scan:
    findings += [Finding("damaged-page", "damage", f.path.name, f.tiff.damage) for f in files if f.tiff.damage]
    findings += [Finding("cut-end", "warning", f.path.name, f.tiff.ending) for f in files if f.tiff.ending]
    pages = Pages(tuple(file.tiff for file in files), fill)
    block = files[0].block
    cls: type[Scan] = PlainScan
    if block is None:
        said = "not written by ScanImage: its pages are read as the frames of one field"
        findings.append(Finding("not-scanimage", "warning", "", said))
        block = Block("", "", None)
    else:
        if block.version is not None and block.version not in KNOWN_BLOCKS:
            said = f"the header's block has version {block.version}, known are {KNOWN_BLOCKS}"
            findings.append(Finding("unknown-release", "warning", "", said))
        try:
            cls, unknown = scan_class(Header(block.text))
            findings += unknown
        except ScanImageVersionError:
            if not asked.raw:
                raise
            cls = Scan
    kins = list(dict.fromkeys(file.kin for file in files))
    parts = tuple(
        Part(
            file.path.name,
            int(first),
            file.tiff.num_pages,
            kins.index(file.kin),
            file.name.acquisition,
            file.name.part,
        )
        for file, first in zip(files, pages.starts.tolist(), strict=False)
    )
    source = Source(
        pages=pages,
        parts=parts,
        block=block,
        trusted=block.version is not None,
        whole=asked.siblings or len(files) > 1,
        channel=_own_channel(files[0], raw=asked.raw),
        findings=tuple(findings),
        numbers=_still_known(before, files, parts),
    )
    scan = cls(source, dtype=asked.dtype, join_contiguous=asked.join_contiguous, raw=asked.raw)
    if len(kins) > 1 and not asked.raw:
        _check_joinable(files, kins, scan, cls)
    return scan


def _still_known(before: Scan | None, files: Sequence[_File], parts: Sequence[Part]) -> dict[int, FrameNumbers]:
    """Frame numbers that were read before: pages keep their numbers if the same files have only grown."""
    if before is None or len(before._opened) > len(files):  # noqa: SLF001 - of one house
        return {}
    for old, new, part, old_part in zip(before._opened, files, parts, before._parts, strict=False):  # noqa: SLF001
        same = (old.path, old.kin, old.tiff.inode, old.first) == (new.path, new.kin, new.tiff.inode, new.first)
        if not same or part.first != old_part.first or new.tiff.num_pages < old.tiff.num_pages:
            return {}
    # The last pages may not have been whole; what could not be read may have been mended.
    sure = sum(part.pages for part in before._parts) - 2 * before.layout.counts.channels  # noqa: SLF001
    return {page: n for page, n in before._numbers.items() if n.frame is not None and page < sure}  # noqa: SLF001


def _own_channel(file: _File, *, raw: bool) -> int | None:
    """The channel of a file that holds that alone, as its name and the numbers of its first frames say."""
    if file.name.channel is None or file.block is None or raw:
        return None
    numbers = [file.frame_number(page) for page in range(min(2, file.tiff.num_pages))]
    return None if len(numbers) == 2 and numbers[0] == numbers[1] else file.name.channel


def _check_joinable(files: Sequence[_File], kins: Sequence[Any], scan: Scan, cls: type[Scan]) -> None:
    """Refuse to join recordings whose pages follow each other in another order."""
    for kin in kins[1:]:
        file = next(file for file in files if file.kin == kin)
        if file.block is None:
            continue
        source = Source(
            Pages((file.tiff,)),
            (Part(file.path.name, 0, file.tiff.num_pages, 0, file.name.acquisition, file.name.part),),
            file.block,
            trusted=False,
            whole=False,
        )
        other = cls(source)
        pairs: dict[str, tuple[Any, Any]] = {
            "order of pages": (other.stack[:-1], scan.stack[:-1]),  # but for the volumes asked for
            "channels": (other.channel_numbers, scan.channel_numbers),
            "ROIs": (other.rois if scan.is_multiROI else (), scan.rois if scan.is_multiROI else ()),
            "pieces of the page": ([f.pieces for f in other.fields], [f.pieces for f in scan.fields]),
        }
        if scan.stack.mode != "planar":
            pairs["depths"] = (other.requested_scanning_depths, scan.requested_scanning_depths)
        for what, (here, there) in pairs.items():
            if here != there:
                names = " and ".join(_told_apart(files, (file, files[0])))
                raise LayoutError(f"{names} differ in their {what}, so they cannot be joined: {here} against {there}")
