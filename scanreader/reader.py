"""read_scan: pathnames → files → header → Scan."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from scanreader.errors import Finding, LayoutError, ScanImageVersionError, ScanKeyError
from scanreader.files.urls import recording_name
from scanreader.keys import fill_for
from scanreader.naming import check_forms, distinct_names, find_files
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

    Only headers are read here; pixels are read when the scan is indexed.

    Parameters
    ----------
    pathnames : str, path, or list of them
        A file, a glob (``"/data/my_scan_*.tif"``), a folder, or a list of these; each may also be a URL that fsspec
        can open (``"s3://…"``, ``"https://…"``, with ``*`` and ``[]`` as in a glob). If ScanImage saved an
        acquisition as several files, any one of them opens all (see `siblings`). Files of several recordings are
        refused, unless a list names every file: they are then joined in the order of the list, with a warning.
    dtype : dtype, optional
        Data type of the arrays that are returned. It must be able to hold every value of the recording's data type,
        which is the default.
    join_contiguous : bool
        Join fields of one slice that touch, if the sides where they touch have the same length and number of pixels.
    siblings : bool
        Whether a single file opens all files of its acquisition.
    raw : bool
        Give the pages as they are stored, whatever the header says: one field of whole pages, one channel,
        every page a frame. This also reads recordings that are otherwise refused.
    strict : bool
        Raise a LayoutError instead of a warning, for example for missing frames, unfinished files or unknown releases.
    on_damage : {"raise", "fill"}
        What to do when you index a frame whose page cannot be read: raise a DamagedPageError, or warn and fill its
        pixels (with NaN in floats, with `fill_value` in integers).
    fill_value : number
        Value of filled pixels if the data type is an integer.

    Returns
    -------
    Scan
        Indexed ``scan[field, y, x, channel, frame]``.

    Raises
    ------
    PathnameError
        If `pathnames` matches no file, or files of several recordings.
    FileFormatError
        If a file is not a TIFF of integer images.
    ScanImageVersionError
        If the release is unknown and its header does not give the order of pages.
    HeaderError, LayoutError
        If the header lacks a setting that is needed to read the pages, or contradicts the pages.
    DtypeError
        If `dtype` cannot hold every value, or the filled pixels cannot hold `fill_value`.

    Warns
    -----
    ScanReaderWarning
        One warning that lists what is missing, damaged, skipped or unusual. The same list is in `Scan.findings`.
    """
    request = Request(absolute(pathnames), dtype, join_contiguous, siblings, raw, strict, on_damage, fill_value)
    cls, opened = open_recording(request)
    if opened.findings:
        name = recording_name([file.path for file in opened.pages.files])
        message = f"{name}: " + "; ".join(map(str, opened.findings))
        if strict:
            raise LayoutError(message, raw_helps=False)
        notify([message])
    return cls(opened)


class Request(NamedTuple):
    """The arguments of `read_scan`."""

    pathnames: Any
    """None if they are the paths of the files that were opened."""
    dtype: DTypeLike | None
    join_contiguous: bool
    siblings: bool
    raw: bool
    strict: bool
    on_damage: str
    fill_value: float


@dataclass(eq=False, repr=False)
class Reopen:
    """Opens a recording again with the same arguments; what has not changed is not read again."""

    request: Request
    recording_keys: tuple[Any, ...] = ()
    """`File.recording_key` of each recording."""
    files: Sequence[File] = ()
    """The files as they were opened; not pickled."""
    numbers: Mapping[int, FrameNumbers] = field(default_factory=dict)
    """Frame numbers by page that were read; not pickled."""

    def __call__(self, opened: Opened) -> Opened:
        """Open the recording as it is now."""
        request = self.request
        if request.pathnames is None:
            request = request._replace(pathnames=[file.path for file in opened.pages.files])
        return open_recording(request, (self, opened))[1]

    def __reduce__(self) -> tuple[Any, ...]:
        return Reopen, (self.request, self.recording_keys)

    def numbers_still_valid(
        self, before: Opened, files: Sequence[File], parts: Sequence[Part]
    ) -> dict[int, FrameNumbers]:
        """Frame numbers by page that need not be read again: none, unless the same files have only grown."""
        if len(self.files) > len(files):
            return {}
        for old, new, part, old_part in zip(self.files, files, parts, before.parts, strict=False):
            if old.identity != new.identity or part.first != old_part.first or new.tiff.num_pages < old.tiff.num_pages:
                return {}
        # The last pages may have been incomplete; pages that could not be read may have been repaired.
        last = sum(part.pages for part in before.parts) - 2 * before.layout.counts.channels
        return {page: n for page, n in self.numbers.items() if n.frame is not None and page < last}


def open_recording(request: Request, earlier: tuple[Reopen, Opened] | None = None) -> tuple[type[Scan], Opened]:
    """Open a recording: the class of its release, and the recording.

    Parameters
    ----------
    request : Request
    earlier : (Reopen, Opened), optional
        The same recording as it was opened before; what has not changed is not read again.
    """
    findings: list[Finding] = []
    reopen, before = earlier or (Reopen(request), None)
    opened_before = {file.path: file for file in reopen.files}
    files = find_files(request.pathnames, findings, opened_before, reopen.recording_keys, siblings=request.siblings)
    check_forms(files)
    findings += [Finding("damaged-page", "damage", f.path.name, f.tiff.damage) for f in files if f.tiff.damage]
    findings += [Finding("cut-end", "warning", f.path.name, f.tiff.ending) for f in files if f.tiff.ending]
    fill = _find_fill(files, request.dtype, request.on_damage, request.fill_value)
    pages = Pages(tuple(file.tiff for file in files), fill)
    keys = tuple(dict.fromkeys(file.recording_key for file in files))
    parts = tuple(
        _part(file, first, keys.index(file.recording_key))
        for file, first in zip(files, pages.starts.tolist(), strict=False)
    )
    block = files[0].block or NO_BLOCK
    header = HeaderPlace.of(files[0].tiff, block)
    cls = _class_of(files[0], header.settings, findings, raw=request.raw)
    numbers = {} if before is None else reopen.numbers_still_valid(before, files, parts)
    source = Source(
        pages=pages,
        parts=parts,
        header=header,
        trusted=block.version is not None,
        from_first=request.siblings or len(files) > 1,
        own_channel=_own_channel(files[0], raw=request.raw),
        findings=tuple(findings),
        numbers=numbers,  # `assemble` adds those that it reads, for `Reopen`
        look_again=Reopen(_without_paths(request, files), keys, tuple(files), numbers),
    )
    rules = cls.rules()
    reading = as_pages(rules) if request.raw else as_recorded(rules)
    opened = assemble(reading, source, dtype=request.dtype, join_contiguous=request.join_contiguous)
    if len(keys) > 1 and not request.raw:
        _check_joinable(files, keys, opened, rules)
    return cls, opened


def _part(file: File, first: int, recording: int) -> Part:
    name = sys.intern(file.path.name)  # the string of the path, so that it is pickled once
    return Part(name, first, file.tiff.num_pages, recording, file.name.acquisition, file.name.part)


def _without_paths(request: Request, files: Sequence[File]) -> Request:
    """The request without its pathnames if they are the files' paths, with which it is pickled."""
    if isinstance(request.pathnames, list) and request.pathnames == [file.tiff.path for file in files]:
        return request._replace(pathnames=None)
    return request


def _class_of(file: File, header: Header, findings: list[Finding], *, raw: bool) -> type[Scan]:
    """Choose the class for a file's header; what the user should know is added to `findings`."""
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
    """The value for pixels of pages that cannot be read; None if those raise an error.

    Raises
    ------
    DtypeError
        If the pixels' dtype cannot hold it.
    ScanKeyError
        If `on_damage` is unknown.
    """
    if on_damage not in ("raise", "fill"):
        raise ScanKeyError(f"on_damage is 'raise' or 'fill', not {on_damage!r}")
    if on_damage == "raise":
        return None
    return fill_for(np.dtype(files[0].tiff.form.dtype if dtype is None else dtype), value)


def _own_channel(file: File, *, raw: bool) -> int | None:
    """The channel of a file that holds only one, by its name and the numbers of its first frames; else None."""
    if file.name.channel is None or file.block is None or raw:
        return None
    numbers = [file.frame_number(page) for page in range(min(2, file.tiff.num_pages))]
    return None if len(numbers) == 2 and numbers[0] == numbers[1] else file.name.channel


def _check_joinable(files: Sequence[File], keys: Sequence[Any], opened: Opened, rules: Rules) -> None:
    """Refuse to join recordings that differ in the order or the content of their pages."""
    for key in keys[1:]:
        file = next(file for file in files if file.recording_key == key)
        if file.block is None:
            continue
        source = Source(
            Pages((file.tiff,)),
            (_part(file, 0, 0),),
            HeaderPlace.of(file.tiff, file.block),
            trusted=False,
            from_first=False,
        )
        other = assemble(as_recorded(rules), source)
        rois = [recording.rois if opened.is_multi_roi else () for recording in (other, opened)]
        pairs: dict[str, tuple[Any, Any]] = {
            "order of pages": (other.stack[:-1], opened.stack[:-1]),  # without the number of volumes planned
            "channels": ([c.number for c in other.channels], [c.number for c in opened.channels]),
            "ROIs": (rois[0], rois[1]),
            "pieces of the page": ([f.pieces for f in other.fields], [f.pieces for f in opened.fields]),
        }
        if opened.stack.mode != "planar":
            pairs["depths"] = (list(other.depths), list(opened.depths))
        for what, (value, value_of_first) in pairs.items():
            if value != value_of_first:
                names = " and ".join(distinct_names((file, files[0]), files))
                raise LayoutError(
                    f"{names} differ in their {what}, so they cannot be joined: {value} against {value_of_first}",
                    raw_helps=False,
                )
