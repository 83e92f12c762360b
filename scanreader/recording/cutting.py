"""The fields of a recording: ROIs as they are cut from the pages of each slice, or whole pages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scanreader.errors import Finding, LayoutError
from scanreader.recording.fields import Field, Piece, Timing
from scanreader.recording.placing import PageScan, Slot, lay_out
from scanreader.scanimage.rois import Scanfield
from scanreader.scanimage.stacks import whole_number

MOST_SCANFIELDS = 2_000_000  # times the slices: each takes 2 µs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.recording.opened import Opened
    from scanreader.scanimage.settings import Scanning
    from scanreader.scanimage.stacks import Stack
    from scanreader.tiff.forms import Form


def find_fields(opened: Opened, scanning: Scanning, findings: list[Finding]) -> tuple[Field, ...]:
    """Find the fields of a recording: its ROIs as they are cut from the pages of each slice, else whole pages.

    Raises
    ------
    LayoutError
        If the set of fields is unknown, or does not fit the page.
    """
    rois, slices = opened.rois, opened.layout.counts.slices
    slots: list[list[Slot]] = []
    if opened.is_multi_roi and any(roi.enabled for roi in rois):
        _refuse_too_many(opened)
        slots = [
            [Slot(i, shape) for i, roi in enumerate(rois) if (shape := roi.at(z)) is not None] for z in opened.depths
        ]
        if any(math.isnan(z) for z in opened.depths) and any(roi.discrete or len(roi.scanfields) > 1 for roi in rois):
            raise LayoutError("the depths of the slices are unknown, but which ROIs are scanned depends on them")
    if not any(slots):
        if scanning.mroi_enabled:
            sentence = "mROI was on, but the header has no enabled ROI: the whole pages are the fields"
            findings.append(Finding("unknown-rois", "warning", "", sentence))
        return page_fields(opened, scanning)
    pieces, lines_per_row = _lay_out(slots, opened.pages.form, scanning, findings)
    timing = _timing(scanning, lines_per_row)
    fields = tuple(
        _field(opened, scanning, timing, slot.shape, piece, slice_id, rois[slot.roi].name)
        for slice_id in range(slices)
        for slot, piece in zip(slots[slice_id], pieces[slice_id], strict=True)
    )
    if not fields:
        raise LayoutError("no ROI is scanned in the slices that are whole")
    return fields


def _refuse_too_many(opened: Opened) -> None:
    """Check that the ROIs can be followed through the slices.

    Raises
    ------
    LayoutError
        If they are too many.
    """
    slices = len(opened.depths)
    scanfields = sum(len(roi.scanfields) for roi in opened.rois)
    if scanfields * slices > MOST_SCANFIELDS:
        raise LayoutError(f"{scanfields} scanfields in {slices} slices are more than any recording has")


def _lay_out(
    slots: Sequence[Sequence[Slot]], form: Form, scanning: Scanning, findings: list[Finding]
) -> tuple[list[list[Piece]], int]:
    """Pieces of the page, and how many lines were averaged into a row."""
    n = 1 if math.isnan(scanning.lines_averaged) else whole_number(scanning.lines_averaged, "line averaging")
    first_error: LayoutError | None = None
    for lines in [n, 1] if n > 1 else [1]:
        page = PageScan(
            height=form.height,
            width=form.width,
            resonant=scanning.resonant,
            bidirectional=scanning.bidirectional,
            flyto_seconds=scanning.flyto_seconds,
            scanner_frequency=scanning.scanner_frequency,
            lines_per_row=lines,
            evenly_sampled=scanning.evenly_sampled,
        )
        page_findings: list[Finding] = []
        try:
            pieces = lay_out(slots, page, page_findings)
        except LayoutError as error:
            first_error = first_error or error
            continue
        findings += page_findings
        if lines != n:
            sentence = f"the header says that {n} lines were averaged into a row, the page that they were not"
            findings.append(Finding("header-mismatch", "warning", "", sentence))
        return pieces, lines
    assert first_error is not None
    raise first_error


def page_fields(opened: Opened, scanning: Scanning) -> tuple[Field, ...]:
    """Give the whole page of each slice as a field."""
    shape = _whole_page(opened, scanning)
    n = 1 if math.isnan(scanning.lines_averaged) else max(1, int(scanning.lines_averaged))
    piece = Piece(0, shape.height, shape.width, 0, 0, 0, 0, 0)
    timing = _timing(scanning, n)
    return tuple(_field(opened, scanning, timing, shape, piece, i, "") for i in range(opened.layout.counts.slices))


def _whole_page(opened: Opened, scanning: Scanning) -> Scanfield:
    """The shape of a page that is not cut: in degrees from the default ROI, or the corners."""
    form = opened.pages.form
    enabled_rois = [roi for roi in opened.rois if roi.scanfields]
    if len(enabled_rois) == 1:
        return enabled_rois[0].scanfields[0]._replace(height=form.height, width=form.width)
    y, x, height, width = 0.0, 0.0, math.nan, math.nan
    corners = scanning.fov_corners
    if len(corners) == 8:
        xs, ys = corners[::2], corners[1::2]
        y, x = (max(ys) + min(ys)) / 2, (max(xs) + min(xs)) / 2
        height, width = max(ys) - min(ys), max(xs) - min(xs)
    return Scanfield(y, x, height, width, 0.0, form.height, form.width)


def _timing(scanning: Scanning, lines_per_row: int) -> Timing:
    return Timing(
        seconds_per_line=scanning.seconds_per_line,
        bidirectional=scanning.bidirectional,
        resonant=scanning.resonant,
        temporal_fill_fraction=scanning.temporal_fill_fraction,
        evenly_sampled=scanning.evenly_sampled,
        lines_per_row=lines_per_row,
    )


def _field(
    opened: Opened, scanning: Scanning, timing: Timing, shape: Scanfield, piece: Piece, slice_id: int, name: str
) -> Field:
    return Field(
        height=piece.height,
        width=piece.width,
        depth=opened.depths[slice_id],
        y=shape.y,
        x=shape.x,
        height_in_degrees=shape.height_in_degrees,
        width_in_degrees=shape.width_in_degrees,
        slice_id=slice_id,
        pieces=(piece,),
        rotation=shape.rotation,
        microns_per_degree=scanning.microns_per_degree,
        slice_start=_slice_start(opened.stack, slice_id, scanning.frame_period),
        timing=timing,
        name=name,
    )


def _slice_start(stack: Stack, slice_id: int, frame_period: float) -> float:
    if stack.mode != "fast" or slice_id == 0:
        return 0.0
    return slice_id * stack.frames_per_slice * frame_period
