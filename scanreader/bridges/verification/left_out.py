"""What of a recording a scan, and so its copy, does not have: counted page by page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.keys import abbreviate, as_array
from scanreader.recording.reduced import ReducedPixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.keys import IndexArray
    from scanreader.recording.opened import Opened


class LeftOut(NamedTuple):
    """Something that the target does not have."""

    what: str
    why: str
    pages: int | None = None
    """Number of whole pages; None if what is left out is not whole pages."""

    def __str__(self) -> str:
        pages = "" if self.pages is None else f" ({self.pages:,} page{'' if self.pages == 1 else 's'})"
        return f"{self.what}{pages}: {self.why}"


def pages_of(scan: ScanLike, i: int) -> IndexArray:
    """Page of each frame and channel of a field, counted over all files, of shape (frames, channels)."""
    return _pages(scan.opened, i)


def _pages(opened: Opened, i: int) -> IndexArray:
    channels = np.array([channel.place for channel in opened.saved_channels(opened.fields[i])], np.int64)
    frames = as_array(opened.frame_places(range(opened.num_frames)))
    return opened.layout.page_numbers(opened.fields[i].slice_id, channels, frames)


USED, OUTSIDE, FLYBACK, CHANNEL, SLICE, FRAME = range(6)
REASONS = {
    OUTSIDE: ("pages of incomplete volumes or frames", "they are no part of the scan; see its findings"),
    FLYBACK: ("flyback frames", "they were scanned while z returned to the first slice"),
    CHANNEL: ("channels", "they are not in this selection"),
    SLICE: ("slices", "they have no field, or it is not in this selection"),
    FRAME: ("frames", "they are not in this selection"),
}


def pages_left_out(scan: ScanLike) -> Iterator[LeftOut]:
    """Count the pages of the files that are not in the scan, by the reason."""
    reasons, opened = _reasons(scan), scan.opened
    if isinstance(opened.pixels, ReducedPixels):  # every frame is in the one that is left
        opened = replace(opened, frames=opened.pixels.frames)
    for i in range(scan.num_fields):
        reasons[_pages(opened, i).ravel()] = USED
    counts = np.bincount(reasons, minlength=len(REASONS) + 1)
    for reason, (pages_in_words, explanation) in REASONS.items():
        if counts[reason]:
            yield LeftOut(pages_in_words, explanation, int(counts[reason]))


def _reasons(scan: ScanLike) -> npt.NDArray[np.int8]:
    """Why each page would not be in the scan."""
    opened = scan.opened
    counts = opened.layout.counts
    reasons = np.full(len(opened.pages), OUTSIDE, np.int8)
    slices = {field.slice_id for field in opened.fields}
    channels = {channel.place for field in opened.fields for channel in opened.saved_channels(field)}
    volume = np.full((counts.frames_per_volume, counts.channels), FLYBACK, np.int8)
    for i in range(counts.slices):
        volume[i * counts.repeats : (i + 1) * counts.repeats] = FRAME if i in slices else SLICE
    for i in {*range(counts.channels)} - channels:
        volume[: counts.slices * counts.repeats, i] = CHANNEL
    for stretch in opened.layout.stretches:
        reasons[stretch.page : stretch.page + stretch.volumes * counts.pages_per_volume] = np.tile(
            volume.ravel(), stretch.volumes
        )
    return reasons


def pixels_left_out(scan: ScanLike) -> Iterator[LeftOut]:
    """Say which pixels of the pages that are used are in no field."""
    opened = scan.opened
    trim = opened.trim
    if any(trim):
        yield LeftOut(
            "pixels at the edges of each ROI",
            "pixels were trimmed: " + ", ".join(f"{n} at the {side}" for side, n in trim._asdict().items() if n),
        )
    yield from _hidden_pixels(scan)
    if opened.pixels.change:
        yield LeftOut("the pixels as they were recorded", f"they are {opened.pixels.change}")
    form = opened.pages.form
    slices_by_rows: dict[int, list[int]] = {}
    for slice_id in sorted({field.slice_id for field in opened.fields}):
        rows = np.zeros(form.height, bool)
        for field in opened.fields:
            if field.slice_id == slice_id:
                for piece in field.pieces:
                    first_row = piece.page_y - piece.trim.top
                    rows[first_row : piece.page_y + piece.height + piece.trim.bottom] = True
        slices_by_rows.setdefault(int(np.count_nonzero(~rows)), []).append(slice_id)
    slices_by_rows.pop(0, None)
    for count, slices in slices_by_rows.items():
        yield LeftOut(
            f"{count} of {form.height} rows of each page of slice{'s' * (len(slices) > 1)} {abbreviate(slices)}",
            "they were scanned between the ROIs, or belong to fields that are not in this selection",
        )


def _hidden_pixels(scan: ScanLike) -> Iterator[LeftOut]:
    """Say how many pixels of each frame stitched and shifted fields do not show."""
    placements = [field.placement for field in scan.fields if field.placement.hidden]
    if placements:
        reasons = {"stitched": "another field lies over them", "shifted": "not all shifted fields have them"}
        is_used = {"stitched": any(p.is_stitched for p in placements), "shifted": any(p.shift for p in placements)}
        yield LeftOut(
            f"{sum(p.hidden for p in placements):,} pixels of each frame and channel",
            " or ".join(reason for view, reason in reasons.items() if is_used[view]),
        )
