"""From a header and pages to what a scan holds: `assemble`, by the rules of a release or of raw pages."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import DamagedPageError, DtypeError, Finding, HeaderError
from scanreader.files.urls import is_url
from scanreader.recording import views
from scanreader.recording.cutting import find_fields
from scanreader.recording.layout import Counts, Layout, Stretch, averaged, joined_layouts
from scanreader.recording.numbering import FEW
from scanreader.recording.opened import Opened
from scanreader.recording.stretches import find_layout
from scanreader.scanimage.descriptions import NUMBERS_END, UNREADABLE, FrameNumbers, frame_numbers
from scanreader.scanimage.rois import parse_rois, roi_group
from scanreader.scanimage.settings import Channel
from scanreader.scanimage.stacks import Rules, Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike

    from scanreader.recording.bouts import BoutStart
    from scanreader.recording.numbering import Part
    from scanreader.recording.opened import HeaderPlace, LookAgain
    from scanreader.scanimage.rois import Roi
    from scanreader.scanimage.settings import Scanning
    from scanreader.tiff.pages import Pages

    Findings = list[Finding]


class Source(NamedTuple):
    """The files of a recording, in order, and what the reader found out about them."""

    pages: Pages
    parts: tuple[Part, ...]
    header: HeaderPlace
    trusted: bool
    """Whether ScanImage itself wrote the files, so that frame numbers must advance."""
    from_first: bool
    """Whether the recording's first frames should be among the files."""
    own_channel: int | None = None
    """The channel of these files, where each was logged to files of its own."""
    findings: tuple[Finding, ...] = ()
    bouts: tuple[BoutStart, ...] = ()
    numbers: dict[int, FrameNumbers] | None = None
    """Frame numbers of pages that were read before; those that are read now are added."""
    look_again: LookAgain | None = None


class Reading(NamedTuple):
    """How pages, ROIs and a header become a recording: the rules of the header's release, or those of raw pages."""

    rules: Rules
    find_rois: Callable[[HeaderPlace, Scanning, Findings], tuple[Roi, ...]]
    find_layout: Callable[[Source, Stack, Findings], Layout]
    is_raw: bool = False


def as_recorded(rules: Rules) -> Reading:
    """Read fields, slices and channels, by the rules of a release."""
    return Reading(rules, _parsed_rois, _numbered_layout)


def as_pages(rules: Rules) -> Reading:
    """Read the pages as they are stored: one channel, one field of whole pages, every page a frame."""
    raw_rules = Rules(
        find_channels=lambda *_: (Channel(0, 1, "pages"),),
        find_stack=lambda *_: Stack("planar"),
        find_depths=lambda *_: [math.nan],
        scanning=lambda header: rules.scanning(header)._replace(mroi_enabled=False, fov_corners=()),
        requested_frames=lambda *_: math.nan,
    )
    return Reading(
        raw_rules,
        find_rois=lambda *_: (),
        find_layout=lambda source, *_: Layout(Counts(), (Stretch(0, 0, len(source.pages)),)),
        is_raw=True,
    )


def _parsed_rois(header: HeaderPlace, scanning: Scanning, findings: Findings) -> tuple[Roi, ...]:
    try:
        return parse_rois(roi_group(header.block, header.settings))
    except HeaderError as error:
        if scanning.mroi_enabled:
            findings.append(Finding("unknown-rois", "warning", "", f"{error}; the whole pages are the fields"))
        return ()


def _numbered_layout(source: Source, stack: Stack, findings: Findings) -> Layout:
    """Where the volumes are, by the header's counts and the frames' own numbers."""
    pages, numbers = replace(source.pages, fill=None), {} if source.numbers is None else source.numbers

    def numbers_of(page: int) -> FrameNumbers:
        """Read what a page says itself; nothing, if it cannot be read."""
        if page not in numbers:
            try:
                (text,) = pages.descriptions(np.array([page]), NUMBERS_END)
                numbers[page] = frame_numbers(text)
            except DamagedPageError:
                numbers[page] = UNREADABLE
        return numbers[page]

    if is_url(pages.files[0].path):  # those that are looked at in any case, all at once
        early_pages = np.arange(0, min(source.parts[0].pages, FEW * stack.channels), stack.channels)
        with contextlib.suppress(DamagedPageError):
            texts = pages.descriptions(early_pages, NUMBERS_END)
            numbers.update(zip(early_pages.tolist(), map(frame_numbers, texts), strict=True))
    layouts = []
    for averaging, group in groupby(source.parts, key=lambda part: part.averaging):
        parts = tuple(group)
        first = parts[0].first
        layout = find_layout(
            stack if averaging is None else averaged(stack, averaging),
            tuple(part._replace(first=part.first - first) for part in parts),
            partial(_numbers_after, numbers_of, first) if first else numbers_of,
            findings,
            trusted=source.trusted,
            writes_numbers=source.header.settings.prefix != "state.",
            from_first=source.from_first or first > 0,
        )
        layouts.append((first, layout))
    return layouts[0][1] if len(layouts) == 1 else joined_layouts(layouts)


def _numbers_after(numbers_of: Callable[[int], FrameNumbers], first: int, page: int) -> FrameNumbers:
    """Numbers of a page that is counted from the first of its recording."""
    return numbers_of(first + page)


# ------------------------------------------------------------------------------ assembling


def assemble(
    reading: Reading, source: Source, *, dtype: DTypeLike | None = None, join_contiguous: bool = False
) -> Opened:
    """Make of files and their header what a scan holds.

    Parameters
    ----------
    reading : Reading
        `as_recorded` by a release's rules, or `as_pages`.
    source : Source
    dtype : dtype, optional
        Of the pixels in memory; by default the recording's own.
    join_contiguous : bool
        Whether to join fields that touch.

    Raises
    ------
    HeaderError, LayoutError, ScanImageVersionError
        If the header does not say, or contradicts, how the pages are to be read.
    DtypeError
        If `dtype` cannot hold every value.
    """
    header, findings = source.header.settings, list(source.findings)
    output_dtype = _output_dtype(source.pages.dtype, dtype)
    rules = reading.rules
    scanning = rules.scanning(header)
    channels = rules.find_channels(header, source.own_channel)
    stack = rules.find_stack(header, len(channels), len(source.pages), findings)
    depths = rules.find_depths(header, stack, findings)
    layout = reading.find_layout(source, stack, findings)
    rois = reading.find_rois(source.header, scanning, findings)
    opened = Opened(
        pages=source.pages,
        parts=source.parts,
        header=source.header,
        stack=stack,
        depths=tuple(depths),
        layout=layout,
        channels=channels,
        rois=rois,
        is_multi_roi=(scanning.mroi_enabled or len(rois) > 1) and len(rois) > 0,
        fields=(),
        uncut=(),
        dtype=output_dtype,
        bouts=source.bouts,
        is_raw=reading.is_raw,
        look_again=source.look_again,
    )
    fields = find_fields(opened, scanning, findings)
    opened = replace(opened, fields=fields, uncut=tuple((field,) for field in fields), findings=tuple(findings))
    return views.joined(opened) if join_contiguous else opened


def _output_dtype(stored_dtype: np.dtype[Any], requested: DTypeLike | None) -> np.dtype[Any]:
    if requested is None:
        return stored_dtype
    try:
        dtype = np.dtype(requested)
    except TypeError as error:
        raise DtypeError(f"{requested!r} is not a dtype: {error}") from None
    if dtype.kind not in "iufc" or dtype.shape or not np.can_cast(stored_dtype, dtype, "safe"):
        raise DtypeError(
            f"{dtype} cannot hold every value of a recording of {stored_dtype}; leave dtype out, or ask for one that "
            "can (float32 holds 16-bit integers)"
        )
    return dtype
