"""read_scan: what the user named → files → header → Scan."""

from __future__ import annotations

import math
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from scanreader.errors import DtypeError, Finding, LayoutError, ScanImageVersionError, ScanKeyError
from scanreader.files.urls import recording_name
from scanreader.naming import check_forms, find_files, told_apart
from scanreader.notices import notify
from scanreader.paths import absolute
from scanreader.recording.assembly import Source, as_pages, as_recorded, assemble
from scanreader.recording.numbering import Part
from scanreader.recording.opened import NO_BLOCK, HeaderPlace
from scanreader.releases import PlainScan, scan_class
from scanreader.scanimage.blocks import KNOWN_BLOCKS
from scanreader.scans import Scan
from scanreader.tiff.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import DTypeLike

    from scanreader.naming import File
    from scanreader.paths import Pathname
    from scanreader.recording.opened import Opened
    from scanreader.scanimage.descriptions import FrameNumbers
    from scanreader.scanimage.header import Header
    from scanreader.scanimage.stacks import Rules


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
    request = Request(absolute(pathnames), dtype, join_contiguous, siblings, raw, strict, on_damage, fill_value)
    cls, opened = open_recording(request)
    if opened.findings:
        name = recording_name([file.path for file in opened.pages.files])
        message = f"{name}: " + "; ".join(map(str, opened.findings))
        if strict:
            raise LayoutError(message)
        notify([message])
    return cls(opened)


class Request(NamedTuple):
    """What `read_scan` was asked for."""

    pathnames: Any
    """None for a list of the very files that are here."""
    dtype: DTypeLike | None
    join_contiguous: bool
    siblings: bool
    raw: bool
    strict: bool
    on_damage: str
    fill_value: float


class Reopen:
    """Opens a recording again, as it was asked for; what did not change since is not read again.

    Parameters
    ----------
    request : Request
    kins : tuple
        What is equal for all files of each recording that is here.
    files : list of File
        As they were found; not pickled.
    numbers : dict
        Frame numbers that were read; not pickled.
    """

    def __init__(
        self,
        request: Request,
        kins: tuple[Any, ...],
        files: Sequence[File] = (),
        numbers: Mapping[int, FrameNumbers] = MappingProxyType({}),
    ) -> None:
        self.request, self.kins, self.files, self.numbers = request, kins, files, numbers

    def __call__(self, opened: Opened) -> Opened:
        """Open the recording as it is by now."""
        request = self.request
        if request.pathnames is None:
            request = request._replace(pathnames=[file.path for file in opened.pages.files])
        return open_recording(request, self, opened)[1]

    def __reduce__(self) -> tuple[Any, ...]:
        return Reopen, (self.request, self.kins)

    def numbers_still_true(
        self, before: Opened, files: Sequence[File], parts: Sequence[Part]
    ) -> dict[int, FrameNumbers]:
        """Frame numbers that were read before: pages keep their numbers if the same files have only grown."""
        if len(self.files) > len(files):
            return {}
        for old, new, part, old_part in zip(self.files, files, parts, before.parts, strict=False):
            same = (old.path, old.kin, old.tiff.inode, old.first) == (new.path, new.kin, new.tiff.inode, new.first)
            if not same or part.first != old_part.first or new.tiff.num_pages < old.tiff.num_pages:
                return {}
        # The last pages may not have been whole; what could not be read may have been mended.
        sure = sum(part.pages for part in before.parts) - 2 * before.layout.counts.channels
        return {page: n for page, n in self.numbers.items() if n.frame is not None and page < sure}


def open_recording(
    request: Request, again: Reopen | None = None, before: Opened | None = None
) -> tuple[type[Scan], Opened]:
    """Open what was asked for: the class of its release, and what was found.

    Parameters
    ----------
    request : Request
    again, before : Reopen, Opened
        Of a recording that is opened again.
    """
    findings: list[Finding] = []
    known = {} if again is None else {file.path: file for file in again.files}
    kins = () if again is None else again.kins
    files = find_files(request.pathnames, findings, known, kins, siblings=request.siblings)
    check_forms(files)
    findings += [Finding("damaged-page", "damage", f.path.name, f.tiff.damage) for f in files if f.tiff.damage]
    findings += [Finding("cut-end", "warning", f.path.name, f.tiff.ending) for f in files if f.tiff.ending]
    fill = _find_fill(files, request.dtype, request.on_damage, request.fill_value)
    pages = Pages(tuple(file.tiff for file in files), fill)
    kins = tuple(dict.fromkeys(file.kin for file in files))
    parts = tuple(
        _part(file, first, kins.index(file.kin)) for file, first in zip(files, pages.starts.tolist(), strict=False)
    )
    block = files[0].block or NO_BLOCK
    header = HeaderPlace.of(files[0].tiff, block)
    cls = _class_of(files[0], header.settings, findings, raw=request.raw)
    numbers = {} if again is None or before is None else again.numbers_still_true(before, files, parts)
    source = Source(
        pages=pages,
        parts=parts,
        header=header,
        trusted=block.version is not None,
        whole=request.siblings or len(files) > 1,
        own_channel=_own_channel(files[0], raw=request.raw),
        findings=tuple(findings),
        numbers=numbers,  # `assemble` adds those that it reads, for the next time
        look_again=Reopen(_with_own_paths(request, files), kins, tuple(files), numbers),
    )
    rules = cls.rules()
    reading = as_pages(rules) if request.raw else as_recorded(rules)
    opened = assemble(reading, source, dtype=request.dtype, join_contiguous=request.join_contiguous)
    if len(kins) > 1 and not request.raw:
        _check_joinable(files, kins, opened, rules)
    return cls, opened


def _part(file: File, first: int, recording: int) -> Part:
    name = sys.intern(file.path.name)  # the path's own: it is pickled once
    return Part(name, first, file.tiff.num_pages, recording, file.name.acquisition, file.name.part)


def _with_own_paths(request: Request, files: Sequence[File]) -> Request:
    """Give a request that does not repeat the paths that the files have: it is pickled with them."""
    if isinstance(request.pathnames, list) and request.pathnames == [file.tiff.path for file in files]:
        return request._replace(pathnames=None)
    return request


def _class_of(file: File, header: Header, findings: list[Finding], *, raw: bool) -> type[Scan]:
    """Choose the class for a file's header; what the user should know of that is added to `findings`."""
    if file.block is None:
        sentence = "not written by ScanImage: its pages are read as the frames of one field"
        findings.append(Finding("not-scanimage", "warning", "", sentence))
        return PlainScan
    version = file.block.version
    if version is not None and version not in KNOWN_BLOCKS:
        sentence = f"the header's block has version {version}, known are {KNOWN_BLOCKS}"
        findings.append(Finding("unknown-release", "warning", "", sentence))
    try:
        cls, unknown = scan_class(header)
    except ScanImageVersionError:
        if not raw:
            raise
        return Scan
    findings += unknown
    return cls


def _find_fill(files: Sequence[File], dtype: DTypeLike | None, on_damage: str, value: float) -> float | None:
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


def _own_channel(file: File, *, raw: bool) -> int | None:
    """The channel of a file that holds that alone, as its name and the numbers of its first frames say."""
    if file.name.channel is None or file.block is None or raw:
        return None
    numbers = [file.frame_number(page) for page in range(min(2, file.tiff.num_pages))]
    return None if len(numbers) == 2 and numbers[0] == numbers[1] else file.name.channel


def _check_joinable(files: Sequence[File], kins: Sequence[Any], opened: Opened, rules: Rules) -> None:
    """Refuse to join recordings whose pages follow each other in another order."""
    for kin in kins[1:]:
        file = next(file for file in files if file.kin == kin)
        if file.block is None:
            continue
        source = Source(
            Pages((file.tiff,)),
            (_part(file, 0, 0),),
            HeaderPlace.of(file.tiff, file.block),
            trusted=False,
            whole=False,
        )
        other = assemble(as_recorded(rules), source)
        rois = [one.rois if opened.is_multi_roi else () for one in (other, opened)]
        pairs: dict[str, tuple[Any, Any]] = {
            "order of pages": (other.stack[:-1], opened.stack[:-1]),  # but for the volumes asked for
            "channels": ([c.number for c in other.channels], [c.number for c in opened.channels]),
            "ROIs": (rois[0], rois[1]),
            "pieces of the page": ([f.pieces for f in other.fields], [f.pieces for f in opened.fields]),
        }
        if opened.stack.mode != "planar":
            pairs["depths"] = (list(other.depths), list(opened.depths))
        for what, (here, there) in pairs.items():
            if here != there:
                names = " and ".join(told_apart(files, (file, files[0])))
                raise LayoutError(f"{names} differ in their {what}, so they cannot be joined: {here} against {there}")
