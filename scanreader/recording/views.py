"""Views of a recording: functions that take an `Opened` and return another, in any order."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import LayoutError, ScanIndexError
from scanreader.keys import AXES, FULL_SLICE, as_array, as_integer, check_entry, pick, split_key
from scanreader.recording import joining
from scanreader.recording.bout_frames import bout_runs
from scanreader.recording.cutting import page_fields
from scanreader.recording.fields import UNTRIMMED, Trim
from scanreader.recording.opened import FrameChoice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanreader.keys import Entry, IndexArray
    from scanreader.recording.fields import Field
    from scanreader.recording.opened import Opened, View
    from scanreader.scanimage.settings import Scanning


def take(view: View, opened: Opened) -> Opened:
    """Apply a view, and add it to `Opened.views`, so that `refresh` can apply it again."""
    result = view(opened)
    pages = replace(result.pages)  # which keeps maps of its own: the view closes by itself
    return replace(result, views=(*opened.views, view), pages=pages)


def take_again(opened: Opened, views: tuple[View, ...]) -> Opened:
    """Apply views, in order, to a recording that was opened again."""
    for view in views:
        opened = take(view, opened)
    return opened


# ------------------------------------------------------------------- edges, joining


def trimming(*, top: Any, bottom: Any, left: Any, right: Any) -> View:
    """View with pixels removed at the edges of every ROI, in addition to earlier trimming.

    Raises
    ------
    ScanIndexError
        If a number is negative, or no integer.
    """
    trim = Trim(*(as_integer(n, "pixels to trim") for n in (top, bottom, left, right)))
    if min(trim) < 0:
        raise ScanIndexError(f"pixels to trim are counted from 0, not {min(trim)}")
    return partial(trimmed, trim=trim)


def trimmed(opened: Opened, trim: Trim) -> Opened:
    """Remove pixels at the edges of every ROI; joined fields are joined again, without a gap.

    Raises
    ------
    ScanIndexError
        If no pixel of a field remains.
    """
    if not any(trim):
        return opened
    refuse_placed(opened, "trimmed")
    trim = opened.trim + trim
    fields: list[Field] = []
    uncut: list[tuple[Field, ...]] = []
    for group in opened.uncut:
        if opened.is_joined:
            trimmed_fields = joining.join_contiguous(group, trim)
        else:
            trimmed_fields = [joining.trimmed(field, trim) for field in group]
        fields += trimmed_fields
        uncut += _sources_of(trimmed_fields, group)
    return replace(opened, fields=tuple(fields), uncut=tuple(uncut), trim=trim)


def joined(opened: Opened) -> Opened:
    """Join fields of one slice that touch and share that side's size."""
    if not opened.is_multi_roi:
        return opened
    refuse_placed(opened, "join_contiguous")
    uncut = [field for group in opened.uncut for field in group]
    fields = joining.join_contiguous(uncut, opened.trim)
    return replace(opened, fields=tuple(fields), uncut=tuple(_sources_of(fields, uncut)), is_joined=True)


def _sources_of(fields: list[Field], uncut: Iterable[Field]) -> list[tuple[Field, ...]]:
    """For each field, those of `uncut` that it is made of: each is a ROI of a slice."""
    fields_by_place = {(field.slice_id, field.plane, field.pieces[0].roi): field for field in uncut}
    return [
        tuple(fields_by_place[field.slice_id, field.plane, piece.roi] for piece in field.pieces) for field in fields
    ]


def refuse_placed(opened: Opened, method: str) -> None:
    """Check that fields are placed as they were recorded, which a view needs that is made by `method`.

    Raises
    ------
    LayoutError
        If they are stitched or shifted.
    """
    for field in opened.fields:
        if view := field.placement.view:
            advice = (
                f"{method} goes before, as scan.{method}(…).{view}(…)"
                if method != view
                else f"ask the scan that was {view}"
            )
            raise LayoutError(f"the fields of this scan are {view} already: {advice}", raw_helps=False)


def pieces_in_sample(opened: Opened, field: int) -> list[Field]:
    """Each piece of a field as a field of its own, at its exact position in the sample; in the order of its pieces."""
    roi_fields, pieces = opened.uncut[field], opened.fields[field].pieces
    return [joining.trimmed(roi_field, piece.trim) for roi_field, piece in zip(roi_fields, pieces, strict=True)]


# ------------------------------------------------------------------------- selecting


def selecting(opened: Opened, *, fields: Any, channels: Any, frames: Any, bouts: Any = FULL_SLICE) -> View:
    """View of some fields, channels and frames.

    Parameters
    ----------
    fields, channels, frames, bouts : slice, list of int or mask
        Frames are counted in the bouts that are picked.

    Raises
    ------
    ScanIndexError
        If nothing is picked, or something that is not there.
    """
    entries = split_key((fields, ..., channels, frames))
    picked_bouts = check_entry(bouts, "bout")
    frames_of_bouts = None if picked_bouts is FULL_SLICE else _frames_of_bouts(opened, picked_bouts)
    num_frames = opened.num_frames if frames_of_bouts is None else len(frames_of_bouts)
    sizes = (len(opened.fields), 0, 0, len(opened.channels), num_frames)
    picks = {axis: pick(entries[axis], sizes[axis], AXES[axis]).indices for axis in (0, 3, 4)}
    for axis, indices in picks.items():
        if not len(indices):
            raise ScanIndexError(f"no {AXES[axis]} is picked of {sizes[axis]}")
    fields, channels = (
        None if entries[axis] is FULL_SLICE else tuple(as_array(picks[axis]).tolist()) for axis in (0, 3)
    )
    if frames_of_bouts is not None:
        frames = FrameChoice.of(opened.frame_places(frames_of_bouts[as_array(picks[4])]))
    else:
        frames = None if entries[4] is FULL_SLICE else FrameChoice.of(opened.frame_places(picks[4]))
    return partial(selected, fields=fields, channels=channels, frames=frames)


def _frames_of_bouts(opened: Opened, bouts: Entry) -> IndexArray:
    """Frames of some of a scan's bouts, in the order given.

    Raises
    ------
    ScanIndexError
        If there is no such bout.
    """
    runs = [run.frames for run in bout_runs(opened)]
    bout_numbers = as_array(pick(bouts, len(runs), "bout").indices).tolist()
    frames = [np.arange(runs[i].start, runs[i].stop) for i in bout_numbers]
    return np.concatenate([np.empty(0, np.int64), *frames])


def selected(
    opened: Opened, fields: tuple[int, ...] | None, channels: tuple[int, ...] | None, frames: FrameChoice | None
) -> Opened:
    """Choose fields and channels by their places in the scan, and frames by those in the recording.

    None is all of them, also those that a recording has when it is opened again.

    Raises
    ------
    ScanIndexError
        If they are not there: of a recording that was opened again, they may have gone.
    """
    for axis, places, count in ((0, fields, len(opened.fields)), (3, channels, len(opened.channels))):
        if places is not None and max(places) >= count:
            name = AXES[axis]
            raise ScanIndexError(f"{name} {max(places)} is out of bounds: the recording has {count} {name}s by now")
    if fields is not None:
        uncut = tuple(opened.uncut[i] for i in fields)
        opened = replace(opened, fields=tuple(opened.fields[i] for i in fields), uncut=uncut)
    if channels is not None:
        opened = replace(opened, channels=tuple(opened.channels[i] for i in channels))
    return opened if frames is None else replace(opened, frames=frames)


# ---------------------------------------------------------------------- other looks


def filled(opened: Opened) -> Opened:
    """Give floats, NaN where pages cannot be read."""
    dtype = np.result_type(opened.pages.dtype, np.float32)
    return replace(opened, pages=replace(opened.pages, fill=math.nan), dtype=dtype)


def whole_pages(opened: Opened, scanning: Scanning) -> Opened:
    """Give each slice's page as one field: what is between ROIs, too.

    Raises
    ------
    LayoutError
        If pixels are changed as they are read: what is between ROIs is not.
    """
    if opened.plane_depths:
        raise LayoutError("pages are given as they were recorded, and this scan's channels are planes", raw_helps=False)
    if opened.pixels.change:
        raise LayoutError(
            f"pages are given as they were recorded, and this scan's pixels are {opened.pixels.change}",
            raw_helps=False,
        )
    fields = page_fields(opened, scanning)
    return replace(opened, fields=fields, uncut=tuple((field,) for field in fields), is_joined=False, trim=UNTRIMMED)
