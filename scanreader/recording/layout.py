"""Where each frame is among the pages: slices, repeats, volumes, channels, by one formula.

With C channels, S slices, R repeats and B flyback frames a volume, the page of volume v, slice s, repeat r and channel
c is ``(v * (S * R + B) + s * R + r) * C + c``, counted from the first page of an unbroken stretch of volumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import LayoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.keys import IndexArray
    from scanreader.scanimage.stacks import Stack


class Counts(NamedTuple):
    """Channels, slices, repeats and flyback frames of a volume as it was saved, after averaging."""

    channels: int = 1
    slices: int = 1
    repeats: int = 1
    """Frames of each slice in a volume."""
    flyback: int = 0
    """Flyback frames at the end of each volume."""

    @property
    def frames_per_volume(self) -> int:
        """Frames from the start of one volume to that of the next."""
        return self.slices * self.repeats + self.flyback

    @property
    def pages_per_volume(self) -> int:
        """Pages from the start of one volume to that of the next."""
        return self.frames_per_volume * self.channels


class Stretch(NamedTuple):
    """Volumes that follow each other without a break."""

    volume: int
    """The first volume's number in the scan."""
    page: int
    """Its first page, counted from 0 over all files."""
    volumes: int
    """Number of volumes."""


@dataclass(frozen=True)
class Layout:
    """Where each frame of a scan is among the pages."""

    counts: Counts
    stretches: tuple[Stretch, ...]

    def __reduce__(self) -> tuple[Any, ...]:  # without the sums that are kept
        return Layout, (self.counts, self.stretches)

    @cached_property
    def num_volumes(self) -> int:
        """Volumes that are whole."""
        return sum(stretch.volumes for stretch in self.stretches)

    @cached_property
    def num_frames(self) -> int:
        """Time points of a field: volumes times repeats."""
        return self.num_volumes * self.counts.repeats

    def page_numbers(self, slice_id: int, channels: int | IndexArray, frames: int | IndexArray) -> IndexArray:
        """Pages of a slice.

        Parameters
        ----------
        slice_id : int
            From 0, in the order of scanning.
        channels, frames : ints or int arrays
            From 0; frame = volume * repeats + repeat.

        Returns
        -------
        int array of shape (frames, channels); an axis that was given as one int is omitted
        """
        counts = self.counts
        volumes, repeats = (frames, 0) if counts.repeats == 1 else divmod(frames, counts.repeats)
        if len(self.stretches) == 1:
            starts = self.stretches[0].page + volumes * counts.pages_per_volume
        else:
            first_volumes = np.array([stretch.volume for stretch in self.stretches], np.int64)
            pages = np.array([stretch.page for stretch in self.stretches], np.int64)
            stretch_indices = np.searchsorted(first_volumes, volumes, side="right") - 1
            starts = pages[stretch_indices] + (volumes - first_volumes[stretch_indices]) * counts.pages_per_volume
        slice_pages = starts + (slice_id * counts.repeats + repeats) * counts.channels
        return np.add.outer(slice_pages, channels)


def averaged(stack: Stack, averaging: int) -> Stack:
    """The order of the same saved frames, if each is the mean of another number of raw frames."""
    if stack.mode == "planar":
        return stack._replace(averaging=averaging)
    raw_counts = {
        name: getattr(stack, name) // stack.averaging * averaging for name in ("frames_per_slice", "frames_per_volume")
    }
    return stack._replace(averaging=averaging, **raw_counts)


def joined_layouts(layouts: Sequence[tuple[int, Layout]]) -> Layout:
    """Put the volumes of several recordings one after the other, given the first page of each.

    Raises
    ------
    LayoutError
        If one of several has no complete volume, so that its frames are not like those of the others.
    """
    counts = layouts[0][1].counts
    stretches: list[Stretch] = []
    for first, layout in layouts:
        if layout.counts != counts:
            raise LayoutError("recordings that differ in averaging are joined only if each has a complete volume")
        volume = stretches[-1].volume + stretches[-1].volumes if stretches else 0
        stretches += [s._replace(volume=s.volume + volume, page=s.page + first) for s in layout.stretches]
    return Layout(counts, tuple(stretches))


def saved_counts(stack: Stack) -> Counts:
    """Turn raw frames into saved ones: every `averaging` raw frames give one.

    Raises
    ------
    LayoutError
        If averaging mixes slices or volumes, or a volume holds fewer frames than its slices need.
    """
    a, f, s, t = stack.averaging, stack.frames_per_slice, stack.slices, stack.frames_per_volume
    if min(a, f, s, t, stack.channels) < 1:
        raise LayoutError(f"counts must be positive, the header says {stack}")
    if stack.mode == "planar":
        return Counts(stack.channels)
    if t < s * f:
        raise LayoutError(f"a volume of {t} frames cannot hold {s} slices of {f} frames")
    if f % a or t % a:
        raise LayoutError(
            f"averaging over {a} frames (logAverageFactor) mixes slices of {f} frames or volumes of {t}: which "
            "frame is of which slice cannot be known"
        )
    return Counts(stack.channels, s, f // a, (t - s * f) // a)
