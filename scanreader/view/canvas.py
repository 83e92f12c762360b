"""The fields of a slice in one picture, as they lie in the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scanreader.chunks import frames_at_a_time
from scanreader.errors import LayoutError, ScanIndexError
from scanreader.keys import AXES, as_array, nonnegative_index, pick, split_key
from scanreader.notices import notify

if TYPE_CHECKING:
    from scanreader.recording.base import BaseScan
    from scanreader.recording.fields import Field

MOST_PIXELS = 1 << 28  # of a canvas: 1 GiB; more is a pixel size in the wrong unit


@dataclass(frozen=True)
class Canvas:
    """A picture of a slice, placed in the sample.

    Attributes
    ----------
    image : float array of shape (y, x)
    top, left : float
        Where its upper left corner lies, in `unit`.
    pixel_size : float
        In `unit`.
    unit : str
        ``"um"``; ``"degrees"`` if the header does not say how many µm a degree is, and ``"pixels"`` if it does
        not say where the field lies at all.
    """

    image: npt.NDArray[np.floating[Any]]
    top: float
    left: float
    pixel_size: float
    unit: str = "um"

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge, as matplotlib's ``imshow(image, extent=…)`` takes them."""
        height, width = self.image.shape
        return (
            self.left,
            self.left + width * self.pixel_size,
            self.top + height * self.pixel_size,
            self.top,
        )


def picture(scan: BaseScan, field: int, channel: int, frames: Any, how: str = "mean") -> npt.NDArray[np.floating[Any]]:
    """Reduce frames of one field and channel to a picture of shape (y, x), reading some at a time.

    Pixels that are NaN, of pages that were filled, do not count; where all of a pixel's are, it is NaN.

    Parameters
    ----------
    frames : int, slice or list of int
    how : {"mean", "max"}
    """
    if how not in ("mean", "max"):
        raise ScanIndexError(f"frames become a picture by their 'mean' or 'max', not {how!r}")
    chosen = as_array(pick(split_key((*[slice(None)] * 4, frames))[4], scan.num_frames, AXES[4]).indices)
    if not chosen.size:
        raise ScanIndexError(f"no frame is picked of {scan.num_frames}")
    shape = scan.fields[field]
    step = frames_at_a_time(shape.height * shape.width * scan.dtype.itemsize)
    total = np.full((shape.height, shape.width), 0.0 if how == "mean" else -np.inf)
    counts = np.zeros(total.shape, np.int64)
    for start in range(0, len(chosen), step):
        part = scan[field, :, :, channel, chosen[start : start + step]]
        known = ~np.isnan(part) if part.dtype.kind == "f" else np.True_
        counts += known.sum(axis=-1) if known.ndim else part.shape[-1]
        if how == "mean":
            total += part.sum(axis=-1, dtype=np.float64, where=known)
        else:
            np.maximum(total, part.max(axis=-1, where=known, initial=_least(part.dtype)), out=total)
    seen = np.where(counts > 0, total, np.nan)
    return np.asarray(seen / np.maximum(counts, 1) if how == "mean" else seen, np.float32)


def _least(dtype: np.dtype[Any]) -> float:
    """The least value of a dtype."""
    return int(np.iinfo(dtype).min) if dtype.kind in "iu" else -math.inf


def shrunk(image: npt.NDArray[np.floating[Any]], height: int, width: int) -> npt.NDArray[np.float32]:
    """Means of so many blocks of about equal size, in rows and columns; NaN do not count. Never larger than it was."""
    known = np.isfinite(image)
    total, counts = np.where(known, image, 0).astype(np.float64), known.astype(np.int64)
    for axis, size in enumerate((height, width)):
        if size < image.shape[axis]:
            starts = np.arange(max(1, size)) * image.shape[axis] // max(1, size)
            total, counts = np.add.reduceat(total, starts, axis), np.add.reduceat(counts, starts, axis)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan).astype(np.float32)


def canvas(
    scan: BaseScan, slice_id: int, channel: int, frames: Any, how: str, *, pixel_size: float | None, fill: float
) -> Canvas:
    """Place the fields of a slice; see `Scan.canvas`."""
    place = nonnegative_index(slice_id, scan.num_scanning_depths, "slice")
    channel = nonnegative_index(channel, scan.num_channels, "channel")
    here = [i for i, field in enumerate(scan.fields) if field.slice_id == place]
    if not here:
        raise LayoutError(f"no field lies in slice {slice_id}")
    if any(math.isnan(scan.fields[i].height_in_degrees) for i in here):
        if len(here) > 1:
            raise LayoutError("the header does not say where the fields lie")
        return Canvas(picture(scan, here[0], channel, frames, how), 0.0, 0.0, 1.0, "pixels")
    unit, scale = "um", scan.microns_per_degree
    if math.isnan(scale):
        unit, scale = "degrees", 1.0
        notify(["the header does not say how many um a degree is (objectiveResolution): the canvas is in degrees"])
    fields = [scan.fields[i] for i in here]
    corners = np.concatenate([field.corners for field in fields]) * scale
    sizes = [(f.height_in_degrees / f.height, f.width_in_degrees / f.width) for f in fields]
    pixel = min(min(size) for size in sizes) * scale if pixel_size is None else pixel_size
    if not 0 < pixel < math.inf:
        raise ScanIndexError(f"a pixel has a size above 0, not {pixel}")
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    if max(bottom - top, right - left) > pixel * MOST_PIXELS:
        raise ScanIndexError(f"a canvas of pixels of {pixel:g} {unit} is too large: give a larger pixel_size")
    shape = (max(1, round((bottom - top) / pixel)), max(1, round((right - left) / pixel)))
    if math.prod(shape) > MOST_PIXELS:
        raise ScanIndexError(
            f"a canvas of {shape[0]} x {shape[1]} pixels is too large: give a larger pixel_size than {pixel:g} {unit}"
        )
    image = np.full(shape, fill, np.float32)
    for i, field in zip(here, fields, strict=True):
        paste(image, picture(scan, i, channel, frames, how), field, (left / scale, top / scale), pixel / scale)
    return Canvas(image, float(top), float(left), float(pixel), unit)


def paste(
    image: npt.NDArray[np.float32],
    part: npt.NDArray[np.floating[Any]],
    field: Field,
    origin: tuple[float, float],
    pixel: float,
) -> None:
    """Give each pixel of the canvas that lies in the field the nearest of a picture of it; all in degrees."""
    (x0, y0), (x1, y1) = (field.corners.min(axis=0) - origin) / pixel, (field.corners.max(axis=0) - origin) / pixel
    rows = np.arange(max(0, math.floor(y0)), min(image.shape[0], math.ceil(y1)))
    columns = np.arange(max(0, math.floor(x0)), min(image.shape[1], math.ceil(x1)))
    x = (columns + 0.5) * pixel + origin[0] - field.x
    y = (rows[:, None] + 0.5) * pixel + origin[1] - field.y
    angle = math.radians(field.rotation)
    along = x * math.cos(angle) + y * math.sin(angle)  # turned back into the field's own lines
    down = y * math.cos(angle) - x * math.sin(angle)
    column = np.floor((along / field.width_in_degrees + 0.5) * part.shape[1] + 1e-6).astype(np.int64)
    row = np.floor((down / field.height_in_degrees + 0.5) * part.shape[0] + 1e-6).astype(np.int64)
    inside = (column >= 0) & (column < part.shape[1]) & (row >= 0) & (row < part.shape[0])
    target = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size and columns.size else image[:0]
    if target.size:
        target[inside] = part[row[inside], column[inside]]
