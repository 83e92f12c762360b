"""Pixels reduced over frames: each is the mean, the largest or the standard deviation of its values in all frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.chunks import frames_at_a_time
from scanreader.errors import ScanIndexError, ScanKeyError
from scanreader.keys import as_array
from scanreader.recording.opened import FrameChoice
from scanreader.recording.pixels import blank, fill_gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt

    from scanreader.recording.layout import Layout
    from scanreader.recording.opened import Opened, View
    from scanreader.recording.pixels import PixelReader, Request
    from scanreader.tiff.pages import Pages

    Blocks = Iterable[npt.NDArray[Any]]
    Image = npt.NDArray[Any]

BLOCK = 16 << 20  # bytes of frames that are read at a time
EXACT_SQUARES = 2  # bytes of integers whose squares add up exactly, in 64 bits, for up to 2^31 frames


# -------------------------------------------------------------------------- the view


def reducing(how: str) -> View:
    """View of one frame, the mean ("mean"), the maximum ("max") or the standard deviation ("std") of all frames.

    Its time is that of the first frame, and it has no frame rate. Means and standard deviations are of float64.

    Raises
    ------
    ScanKeyError
        If `how` is none of these.
    """
    if how not in REDUCTIONS:
        raise ScanKeyError(f"frames are reduced by {', '.join(REDUCTIONS)}, not by {how!r}")
    return partial(reduced, how=how)


def reduced(opened: Opened, how: str) -> Opened:
    """Reduce all frames of a scan to one; see `reducing`.

    Raises
    ------
    ScanIndexError
        If there is no frame.
    """
    if not opened.num_frames:
        raise ScanIndexError("the scan has no frame that could be reduced")
    all_frames = opened.frames or FrameChoice(range(opened.num_frames))
    first = as_array(all_frames.take(np.array([0])))
    return replace(
        opened,
        frames=FrameChoice(first.astype("<i8").tobytes()),  # not a range: one frame of many has no rate
        dtype=opened.dtype if how == "max" else np.dtype(np.float64),
        pixels=ReducedPixels(how, all_frames, opened.dtype.str, opened.pixels),
    )


@dataclass(frozen=True)
class ReducedPixels:
    """Pixel reader that reads all frames, some at a time, and gives one."""

    how: str
    frames: FrameChoice
    dtype: str
    before: PixelReader
    """Reads what is reduced."""

    @property
    def change(self) -> str:
        """What is done to the pixels that stand in the files."""
        return f"reduced to the {self.how} of {len(self.frames)} frames"

    def read(self, pages: Pages, layout: Layout, request: Request, out: Image, notes: list[str]) -> None:
        """Read pixels of all frames, and reduce them; see `PixelReader`."""
        out[:] = REDUCTIONS[self.how](self._blocks(pages, layout, request, out.shape[1:], notes), np.dtype(self.dtype))

    def _blocks(
        self, pages: Pages, layout: Layout, request: Request, shape: tuple[int, ...], notes: list[str]
    ) -> Iterator[Image]:
        """Read frames, some at a time, as arrays of shape (frames, channels, rows, columns)."""
        dtype = np.dtype(self.dtype)
        step = min(len(self.frames), frames_at_a_time(int(np.prod(shape)) * dtype.itemsize, BLOCK))
        block = blank((step, *shape), dtype, [request.field])
        fill_gaps(request.field, request.rows, request.columns, block)  # which no read changes
        for start in range(0, len(self.frames), step):
            places = as_array(self.frames.take(np.arange(start, min(start + step, len(self.frames)))))
            part = block[: len(places)]
            self.before.read(pages, layout, request._replace(frames=places), part, notes)
            yield part


# ------------------------------------------------------------------------ arithmetic


def mean(blocks: Blocks, dtype: np.dtype[Any]) -> Image:
    """Mean of all frames: sums of integers are exact; NaN, of filled pages, are ignored."""
    if dtype.kind in "iu":
        total, count = 0, 0
        for block in blocks:
            total, count = total + block.sum(axis=0, dtype=np.int64), count + len(block)
        return np.asarray(total / count)
    return _moments(blocks)[1]


def largest(blocks: Blocks, dtype: np.dtype[Any]) -> Image:
    """Largest value of all frames; NaN, of filled pages, are ignored."""
    maximum = np.maximum if dtype.kind in "iu" else np.fmax
    result = None
    for block in blocks:
        image = maximum.reduce(block, axis=0)
        result = image if result is None else maximum(result, image)
    return np.asarray(result)


def deviation(blocks: Blocks, dtype: np.dtype[Any]) -> Image:
    """Standard deviation of all frames, divided by their number; NaN, of filled pages, are ignored."""
    if dtype.kind in "iu" and dtype.itemsize <= EXACT_SQUARES:
        return _deviation_of_integers(blocks)
    count, _, squares = _moments(_from_first(blocks) if dtype.kind in "iu" else blocks)
    return np.sqrt(np.where(count > 0, squares / np.maximum(count, 1), np.nan))


def _deviation_of_integers(blocks: Blocks) -> Image:
    """Standard deviation from exact sums: about the whole number next to the mean, so that nothing cancels."""
    total: Any = 0
    squares: Any = 0
    count = 0
    for block in blocks:
        total = total + block.sum(axis=0, dtype=np.int64)
        squares = squares + np.einsum("tcyx,tcyx->cyx", block, block, dtype=np.int64, casting="unsafe")
        count += len(block)
    whole_mean = (2 * total + count) // (2 * count)
    remainder = total - whole_mean * count
    about_whole_mean = squares - whole_mean * total - whole_mean * remainder
    return np.asarray(np.sqrt((about_whole_mean - remainder * remainder / count) / count))


def _from_first(blocks: Blocks) -> Iterator[Image]:
    """Differences of integers from the first frame, which floats hold exactly."""
    first = None
    for block in blocks:
        integers = block.astype(np.int64)
        first = integers[0].copy() if first is None else first
        yield integers - first


def _moments(blocks: Blocks) -> tuple[Image, Image, Image]:
    """Number of values that are not NaN, their mean, and the sum of squares about it, block by block.

    Blocks are merged by the formula of Chan, Golub and LeVeque (1979), which does not cancel.
    """
    count: Any = 0
    center: Any = 0.0
    squares: Any = 0.0
    for block in blocks:
        values = block.real.astype(np.float64)
        is_valid = ~np.isnan(values)
        block_count = is_valid.sum(axis=0)
        block_center = values.sum(axis=0, where=is_valid) / np.maximum(block_count, 1)
        deviations = np.where(is_valid, values - block_center, 0)
        total_count = np.maximum(count + block_count, 1)
        step = block_center - center
        squares = squares + (deviations * deviations).sum(axis=0) + step * step * count * block_count / total_count
        center = center + step * block_count / total_count
        count = count + block_count
    return count, np.where(count > 0, center, np.nan), squares


REDUCTIONS: dict[str, Callable[[Blocks, np.dtype[Any]], Image]] = {"mean": mean, "max": largest, "std": deviation}
