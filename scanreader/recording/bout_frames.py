"""The frames of each bout of a scan, and their times on its one clock."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.keys import as_array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scanreader.keys import IndexArray
    from scanreader.recording.bouts import Clock
    from scanreader.recording.layout import Layout
    from scanreader.recording.opened import Opened


@dataclass(frozen=True, slots=True)
class Bout:
    """One of the grabs, or of the acquisitions of a loop, that are read as one scan."""

    frames: slice
    """Its frames in the scan, from 0."""
    start_time: datetime | None
    """When it began, on the microscope computer's clock, without a time zone; None if unknown."""
    offset: float
    """When it began, in s on the clock of `Scan.timestamps`; NaN if unknown."""
    clock: Clock
    """How its times are known: ``"frames"``, by the timestamps, which run on from bout to bout (in a loop);
    ``"epoch"``, by the computer's clock, accurate to about one frame period; ``"given"``, by `bout_starts`;
    ``"unknown"``: they are NaN.
    """
    files: tuple[str, ...]
    """Its files, in order."""
    complete: bool
    """Whether it has every requested frame, and no incomplete volume."""


def bout_of_pages(opened: Opened, pages: IndexArray) -> IndexArray:
    """Bout of each page, counted from 0."""
    first_pages = np.array([opened.parts[bout.part].first for bout in opened.bouts], np.int64)
    return np.asarray(np.searchsorted(first_pages, pages, side="right") - 1)


def on_one_clock(opened: Opened, pages: IndexArray, stamps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Timestamps of pages on the clock of the scan."""
    bouts = opened.bouts
    if not any(bout.shift or bout.zero for bout in bouts):  # NaN counts as a shift
        return stamps
    bout_indices = bout_of_pages(opened, pages)
    zeros, shifts = np.array([bout.zero for bout in bouts]), np.array([bout.shift for bout in bouts])
    return np.asarray((stamps - zeros[bout_indices]) + shifts[bout_indices])


def first_frames(opened: Opened) -> list[int]:
    """First frame of each bout in the recording, and the number of all frames."""
    layout = opened.layout
    first_pages = np.array([opened.parts[bout.part].first for bout in opened.bouts], np.int64)
    return [*_frames_before(layout, first_pages).tolist(), layout.num_frames]


def _frames_before(layout: Layout, pages: IndexArray) -> IndexArray:
    """Frames of the recording whose volumes begin before pages."""
    starts, volumes, lengths = (np.array([stretch[i] for stretch in layout.stretches], np.int64) for i in (1, 0, 2))
    stretch_indices = np.searchsorted(starts, pages) - 1  # the last stretch that begins before
    pages_per_volume = layout.counts.pages_per_volume
    volumes_inside = np.clip(-((starts[stretch_indices] - pages) // pages_per_volume), 0, lengths[stretch_indices])
    return np.asarray(
        np.where(stretch_indices < 0, 0, volumes[stretch_indices] + volumes_inside) * layout.counts.repeats
    )


def bout_of_frames(opened: Opened) -> IndexArray:
    """Bout of each frame of a scan, counted from 0 in the recording that was opened."""
    places = as_array(opened.frame_places(np.arange(opened.num_frames)))
    return np.asarray(np.searchsorted(first_frames(opened)[:-1], places, side="right") - 1)


class BoutRun(NamedTuple):
    """Frames of a scan that follow each other and are of one bout."""

    bout: int
    frames: slice


def bout_runs(opened: Opened) -> list[BoutRun]:
    """Split the frames of a scan by their bouts; in a selection of frames, bouts without any have no run."""
    starts = first_frames(opened)
    if opened.frames is None:
        return [BoutRun(k, slice(start, end)) for k, (start, end) in enumerate(itertools.pairwise(starts))]
    bout_indices = bout_of_frames(opened)
    edges = [0, *(np.flatnonzero(np.diff(bout_indices)) + 1).tolist(), len(bout_indices)]
    return [BoutRun(int(bout_indices[a]), slice(a, b)) for a, b in itertools.pairwise(edges)]


def bouts_of(opened: Opened, requested: float) -> tuple[Bout, ...]:
    """Describe the bouts of a scan.

    Parameters
    ----------
    opened : Opened
    requested : float
        Frames of each field that the header requested of each acquisition; NaN if unknown.
    """
    pages = [stretch.page for stretch in opened.layout.stretches]
    files = [file.path for file in opened.pages.files]
    result = []
    for k, frames in bout_runs(opened):
        bout, (first, after) = opened.bouts[k], parts_of_bout(opened, k)
        frames_requested = requested if bout.requested is None else bout.requested
        is_complete = _is_complete(opened, pages, first, after, frames_requested)
        bout_files = tuple(files[first:after])
        result.append(Bout(frames, bout.start_time, bout.offset, bout.clock, bout_files, is_complete))
    return tuple(result)


def parts_of_bout(opened: Opened, k: int) -> tuple[int, int]:
    """The first file of a bout, and the first after it."""
    after = opened.bouts[k + 1].part if k + 1 < len(opened.bouts) else len(opened.parts)
    return opened.bouts[k].part, after


def _is_complete(opened: Opened, pages: Sequence[int], first: int, after: int, requested: float) -> bool:
    """Whether all pages of some files are of one stretch of complete volumes, and no requested frame is missing."""
    if opened.is_raw:
        return True
    counts, last = opened.layout.counts, opened.parts[after - 1]
    begin, end = opened.parts[first].first, last.first + last.pages
    at = bisect_left(pages, begin)
    if at == len(pages) or pages[at] != begin:
        return False
    volumes = opened.layout.stretches[at].volumes
    is_whole = begin + volumes * counts.pages_per_volume == end
    return is_whole and not volumes * counts.repeats < requested  # NaN: unknown
