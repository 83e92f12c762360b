"""read_scan: pathnames → files → header → Scan."""

from __future__ import annotations

import inspect
import math
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Never

import numpy as np

from scanreader.agreement import checked_bouts
from scanreader.errors import Finding, LayoutError, ScanImageVersionError, ScanKeyError, shortened
from scanreader.files.opening import open_file
from scanreader.files.urls import is_url, recording_name
from scanreader.keys import abbreviate, fill_for, is_one_of
from scanreader.naming import check_forms, find_files, parts_beside
from scanreader.notices import notify
from scanreader.paths import absolute
from scanreader.recording.assembly import Source, as_pages, as_recorded, assemble
from scanreader.recording.bouts import find_bouts
from scanreader.recording.numbering import Part
from scanreader.recording.opened import NO_BLOCK, HeaderPlace
from scanreader.releases import PlainScan, scan_class
from scanreader.scanimage.blocks import KNOWN_BLOCKS
from scanreader.scanimage.clocks import start_of
from scanreader.scanimage.descriptions import FrameNumbers, frame_numbers
from scanreader.scanimage.header import Header
from scanreader.scanimage.stacks import MAX_COUNT
from scanreader.scans import Scan
from scanreader.tiff.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import DTypeLike

    from scanreader.naming import File
    from scanreader.paths import Pathname
    from scanreader.recording.bouts import BoutStart
    from scanreader.recording.opened import Opened
    from scanreader.scanimage.descriptions import FrameNumbers


def read_scan(
    pathnames: Pathname | Iterable[Pathname],
    dtype: DTypeLike | None = None,
    join_contiguous: bool = False,
    *,
    siblings: bool = False,
    raw: bool = False,
    strict: bool = False,
    on_damage: Literal["raise", "fill"] = "raise",
    fill_value: float = 0,
    bout_starts: Sequence[float] | None = None,
    **other: Never,
) -> Scan:
    """Open a ScanImage recording, of any release and any mode that has images.

    Only headers are read here; pixels are read when the scan is indexed. Line scans have no images: see
    `read_line_scan`.

    Parameters
    ----------
    pathnames : str, path, or list of them
        A file, a glob (``"/data/my_scan_*.tif"``), a folder, or a list of these; each may also be a URL that fsspec
        can open (``"s3://…"``, ``"https://…"``, with ``*`` and ``[]`` as in a glob). Exactly these files are read.
        A file, glob or folder of several recordings is refused. A list whose entries (files, globs, folders) are of
        several recordings makes them the bouts of one scan, in the order of their first mention, with a warning; see
        `Scan.bouts`.
    dtype : dtype, optional
        Data type of the arrays that are returned; by default the recording's own. Another must be able to hold every
        value of that.
    join_contiguous : bool
        Join fields of one slice that touch, if the sides where they touch have the same length and number of pixels.
    siblings : bool
        Whether a single file also opens the other files of its acquisition, where ScanImage split it into several.
        If False, exactly the named file is read, and a note in `Scan.findings` names the others.
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
    bout_starts : list of float, optional
        For each bout (each grab, and each acquisition of a loop), the time of its first recorded frame, in s, as
        another clock measured it. By default, `Scan.bouts` are put on one clock by ScanImage's own times.
    **other
        None: a name that is not above is refused, with what to use instead.

    Returns
    -------
    Scan
        Indexed ``scan[field, y, x, channel, frame]``.

    Raises
    ------
    PathnameError
        If `pathnames` matches no file, or one of its entries files of several recordings.
    FileFormatError
        If a file is not a TIFF of integer images.
    ScanImageVersionError
        If the release is unknown and its header does not give the order of pages.
    HeaderError, LayoutError
        If the header lacks a setting that is needed to read the pages, or contradicts the pages; if recordings that
        are to be bouts of one scan differ in channels, ROIs, depths or the order of pages.
    ScanKeyError
        If `bout_starts` has not one number for each bout, or if there is no such argument (also a TypeError).
    DtypeError
        If `dtype` cannot hold every value, or the filled pixels cannot hold `fill_value`.

    Warns
    -----
    ScanReaderWarning
        One warning that lists what is missing, damaged, skipped or unusual. `Scan.findings` has the same list, and
        notes, which do not warn.
    """
    if other:
        raise ScanKeyError(_refusal(next(iter(other))))
    request = Request(
        absolute(pathnames), dtype, join_contiguous, siblings, raw, strict, on_damage, fill_value, bout_starts
    )
    cls, opened = open_recording(request)
    sentences = [finding.sentence for finding in opened.findings if not finding.is_note]
    if sentences:
        name = recording_name([file.path for file in opened.pages.files])
        message = f"{name}: " + "; ".join(sentences)
        if strict:
            raise LayoutError(message, raw_helps=False)
        notify([shortened(message)])
    return cls(opened)


ELSEWHERE = {
    "trim_roi_x": "open the recording, then scan.trimmed(left=…, right=…)",
    "trim_roi_y": "open the recording, then scan.trimmed(top=…, bottom=…)",
    "fix_scan_offset": "scanreader.phase.estimate_line_offset, then scanreader.phase.realigned",
    "debug": "scan.findings, and scan.check()",
}
"""Arguments of other readers' `read_scan`, and what to use here."""


def _refusal(name: str) -> str:
    """What to say of an argument that does not exist."""
    if name in ELSEWHERE:
        return f"read_scan has no argument {name}: {ELSEWHERE[name]}"
    names = [parameter for parameter in inspect.signature(read_scan).parameters if parameter != "other"]
    import difflib  # noqa: PLC0415 - for names that are wrong alone

    nearest_names = difflib.get_close_matches(name, names, 1, 0.5)
    advice = f"did you mean {nearest_names[0]}?" if nearest_names else f"it has {names}"
    return f"read_scan has no argument {name}: {advice}"


class Request(NamedTuple):
    """The arguments of `read_scan`."""

    pathnames: Any
    """None if they are the paths of the files that were opened."""
    dtype: DTypeLike | None = None
    join_contiguous: bool = False
    siblings: bool = False
    raw: bool = False
    strict: bool = False
    on_damage: str = "raise"
    fill_value: float = 0
    bout_starts: Any = None


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
        self, earlier_opened: Opened, files: Sequence[File], parts: Sequence[Part]
    ) -> dict[int, FrameNumbers]:
        """Frame numbers by page that need not be read again: none, unless the same files have only grown."""
        if len(self.files) > len(files):
            return {}
        for old_file, new_file, part, old_part in zip(self.files, files, parts, earlier_opened.parts, strict=False):
            if (
                old_file.identity != new_file.identity
                or part.first != old_part.first
                or new_file.tiff.num_pages < old_file.tiff.num_pages
            ):
                return {}
        # The last pages may have been incomplete; pages that could not be read may have been repaired.
        last_page = sum(part.pages for part in earlier_opened.parts) - 2 * earlier_opened.layout.counts.channels
        return {page: n for page, n in self.numbers.items() if n.frame is not None and page < last_page}


def open_recording(request: Request, earlier_opening: tuple[Reopen, Opened] | None = None) -> tuple[type[Scan], Opened]:
    """Open a recording: the class of its release, and the recording.

    Parameters
    ----------
    request : Request
    earlier_opening : (Reopen, Opened), optional
        The same recording as it was opened before; what has not changed is not read again.
    """
    findings: list[Finding] = []
    reopen = Reopen(request) if earlier_opening is None else earlier_opening[0]
    opened_before = {file.path: file for file in reopen.files}
    files = find_files(request.pathnames, findings, opened_before, reopen.recording_keys, siblings=request.siblings)
    other_parts = {} if request.siblings else parts_beside(files)
    findings += _parts_not_read(files[0], other_parts)
    return _open_files(request, files, findings, other_parts, earlier_opening)


def scan_of(files: Sequence[File]) -> Scan:
    """Open a recording of files that were opened, all that its folder has; without a warning."""
    request = Request([str(file.path) for file in files])
    cls, opened = _open_files(request, files, [], {}, None)
    return cls(opened)


def _open_files(
    request: Request,
    files: Sequence[File],
    findings: list[Finding],
    other_parts: Mapping[int, str],
    earlier_opening: tuple[Reopen, Opened] | None,
) -> tuple[type[Scan], Opened]:
    """Make a recording of its files; `other_parts` are those beside them that are not read."""
    reopen, earlier_opened = earlier_opening or (Reopen(request), None)
    check_forms(files)
    findings += [Finding("damaged-page", "damage", f.path.name, f.tiff.damage) for f in files if f.tiff.damage]
    findings += _weak_versions(files)
    findings += [Finding("cut-end", "warning", f.path.name, f.tiff.ending) for f in files if f.tiff.ending]
    fill = _find_fill(files, request.dtype, request.on_damage, request.fill_value)
    pages = Pages(tuple(file.tiff for file in files), fill)
    keys = tuple(dict.fromkeys(file.recording_key for file in files))
    block = files[0].block or NO_BLOCK
    header = HeaderPlace.of(files[0].tiff, block)
    cls = _class_of(files[0], header.settings, findings, raw=request.raw)
    parts = _parts(files, pages, keys, header, cls)
    numbers = _numbers_of_ends(files, parts)
    numbers |= {} if earlier_opened is None else reopen.numbers_still_valid(earlier_opened, files, parts)
    bouts = find_bouts(
        parts, partial(_begin, files), lambda i: files[i].timestamp(-1), _starts_of_bouts(request), findings
    )
    if earlier_opening is None:
        _check_starts(request, bouts, parts)
    source = Source(
        pages=pages,
        parts=parts,
        header=header,
        trusted=block.version is not None,
        from_first=parts[0].leads
        or not (_is_one_file(request, files) or min(other_parts, default=math.inf) < (parts[0].number or 1)),
        own_channel=_own_channel(files[0], raw=request.raw),
        findings=tuple(findings),
        bouts=bouts,
        numbers=numbers,  # `assemble` adds those that it reads, for `Reopen`
        look_again=Reopen(_without_paths(request, files), keys, tuple(files), numbers),
    )
    rules = cls.rules()
    reading = as_pages(rules) if request.raw else as_recorded(rules)
    opened = assemble(reading, source, dtype=request.dtype, join_contiguous=request.join_contiguous)
    if len(keys) > 1 and not request.raw:
        opened = checked_bouts(files, opened, cls)
    return cls, opened


def _begin(files: Sequence[File], i: int) -> tuple[datetime | None, float]:
    """Clock time of time zero of a file's timestamps, and the first of them, in s."""
    file = files[i]
    start = start_of(file.first_description, lambda: Header((file.block or NO_BLOCK).text))
    return start, file.timestamp(0)


def _starts_of_bouts(request: Request) -> list[float] | None:
    """Make numbers of the `bout_starts` of a request.

    Raises
    ------
    ScanKeyError
        If they are none.
    """
    bout_starts = request.bout_starts
    if bout_starts is None:
        return None
    try:
        numbers = np.asarray(bout_starts)
    except ValueError:  # lists of unequal lengths
        numbers = np.empty(0, object)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iuf" or not np.isfinite(numbers).all():
        raise ScanKeyError(f"bout_starts must be finite numbers of seconds, one for each bout, not {bout_starts!r}")
    return [float(number) for number in numbers]


def _check_starts(request: Request, bouts: Sequence[BoutStart], parts: Sequence[Part]) -> None:
    """Check that there is a start for each bout.

    Raises
    ------
    ScanKeyError
        If there is not.
    """
    if request.bout_starts is not None and len(request.bout_starts) != len(bouts):
        raise ScanKeyError(
            f"bout_starts has to have a time for each of the {len(bouts)} bouts, not {len(request.bout_starts)}: "
            f"they begin with {abbreviate([parts[bout.part].name for bout in bouts])}"
        )


def _numbers_of_ends(files: Sequence[File], parts: Sequence[Part]) -> dict[int, FrameNumbers]:
    """Numbers of the first and last pages of each file, which were read when it was opened; only those that say one."""
    numbers: dict[int, FrameNumbers] = {}
    for file, part in zip(files, parts, strict=True):
        texts = {part.first: file.first_description}
        texts |= dict(enumerate(file.last_descriptions, part.first + part.pages - len(file.last_descriptions)))
        page_numbers = {page: frame_numbers(text) for page, text in texts.items()}
        numbers |= {page: n for page, n in page_numbers.items() if n.frame is not None}
    return numbers


def _parts(
    files: Sequence[File], pages: Pages, keys: Sequence[Any], header: HeaderPlace, cls: type[Scan]
) -> tuple[Part, ...]:
    first_files = [next(file for file in files if file.recording_key == key) for key in keys[1:]]
    headers = [Header((file.block or NO_BLOCK).text) for file in first_files]
    states = [header.settings.get("acqState"), *(settings.get("acqState") for settings in headers)]
    averaging = [None, *(_other_averaging(settings, header.settings, cls) for settings in headers)]
    parts = []
    for file, first in zip(files, pages.starts.tolist(), strict=False):
        name, recording = sys.intern(file.path.name), keys.index(file.recording_key)  # the path's string: pickled once
        is_grab = None if states[recording] is None else states[recording] == "grab"
        counters = (file.name.acquisition, file.name.part)
        parts.append(Part(name, first, file.tiff.num_pages, recording, *counters, is_grab, averaging[recording]))
    return tuple(parts)


def _other_averaging(settings: Header, of_first: Header, cls: type[Scan]) -> int | None:
    """Raw frames averaged into each frame of a recording, if that differs from the first recording."""
    numbers = [cls.averaging.of(header) for header in (settings, of_first)]
    own_number, first_number = (int(number) if 1 <= number < MAX_COUNT else 1 for number in numbers)
    return None if own_number == first_number else own_number


def _parts_not_read(file: File, other_parts: Mapping[int, str]) -> list[Finding]:
    """A note about the other parts of a file's acquisition, by their numbers."""
    if not other_parts:
        return []
    names, is_plural = list(other_parts.values()), len(other_parts) > 1
    name_list = f"{names[0]} … {names[-1]}" if is_plural else names[0]
    sentence = (
        f"{len(other_parts)} other part{'s' if is_plural else ''} of this acquisition, in the same folder, "
        f"{'are' if is_plural else 'is'} not read: {name_list}; siblings=True (--siblings) reads all parts"
    )
    return [Finding("parts-not-read", "note", file.path.name, sentence)]


def _weak_versions(files: Sequence[File]) -> list[Finding]:
    """A note about files of which a server does not tell versions apart for certain."""
    weak_files = [file for file in files if is_url(str(file.path)) and not _has_strong_version(file)]
    if not weak_files:
        return []
    subject = f"{len(weak_files)} files" if len(weak_files) > 1 else "this file"
    sentence = (
        f"the server gives no strong ETag of {subject}: that {'they' if len(weak_files) > 1 else 'it'} changed while "
        "open is noticed only by size, time of change and first bytes"
    )
    return [Finding("weak-version", "note", weak_files[0].path.name, sentence)]


def _has_strong_version(file: File) -> bool:
    with open_file(str(file.path), refresh=False) as server_file:
        return server_file.has_strong_version


def _is_one_file(request: Request, files: Sequence[File]) -> bool:
    """Whether one file was named and nothing else: it may be any part of its recording."""
    names = request.pathnames
    name = names[0] if isinstance(names, list) and len(names) == 1 else names
    return len(files) == 1 and not request.siblings and (name is None or str(name).endswith(files[0].path.name))


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
        cls, unknown_findings = scan_class(header)
    except ScanImageVersionError:
        if not raw:
            raise
        return Scan
    findings += unknown_findings
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
    if not is_one_of(on_damage, ("raise", "fill")):
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
