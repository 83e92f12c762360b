"""The fields of a slice in one picture, as they lie in the sample."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scanreader.errors import LayoutError, ScanIndexError, ScanReaderWarning
from scanreader.indexing import AXES, as_array, from_start, pick, split_key

if TYPE_CHECKING:
    from scanreader.fields import Field
    from scanreader.scans import Scan

AT_A_TIME = 64 << 20  # bytes of frames that are held while they are reduced
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


def picture(scan: Scan, field: int, channel: int, frames: Any, how: str = "mean") -> npt.NDArray[np.floating[Any]]:
    """Reduce frames of one field and channel to a picture of shape (y, x), reading some at a time.

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
    step = max(1, AT_A_TIME // (shape.height * shape.width * scan.dtype.itemsize))
    total: npt.NDArray[np.float64] | None = None
    for start in range(0, len(chosen), step):
        part = scan[field, :, :, channel, chosen[start : start + step]]
        reduced = part.sum(axis=-1, dtype=np.float64) if how == "mean" else part.max(axis=-1).astype(np.float64)
        total = reduced if total is None else (total + reduced if how == "mean" else np.maximum(total, reduced))
    assert total is not None
    return np.asarray(total / (len(chosen) if how == "mean" else 1), np.float32)


def canvas(
    scan: Scan, slice_id: int, channel: int, frames: Any, how: str, *, pixel_size: float | None, fill: float
) -> Canvas:
    """Place the fields of a slice; see `Scan.canvas`."""
    place = from_start(slice_id, scan.num_scanning_depths, "slice")
    channel = from_start(channel, scan.num_channels, "channel")
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
        warnings.warn(
            "the header does not say how many um a degree is (objectiveResolution): the canvas is in degrees",
            ScanReaderWarning,
            stacklevel=3,
        )
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
        _paste(image, picture(scan, i, channel, frames, how), field, (left / scale, top / scale), pixel / scale)
    return Canvas(image, float(top), float(left), float(pixel), unit)


def _paste(
    image: npt.NDArray[np.float32],
    part: npt.NDArray[np.floating[Any]],
    field: Field,
    origin: tuple[float, float],
    pixel: float,
) -> None:
    """Give each pixel of the canvas that lies in the field the nearest of its pixels; all in degrees."""
    (x0, y0), (x1, y1) = (field.corners.min(axis=0) - origin) / pixel, (field.corners.max(axis=0) - origin) / pixel
    rows = np.arange(max(0, math.floor(y0)), min(image.shape[0], math.ceil(y1)))
    columns = np.arange(max(0, math.floor(x0)), min(image.shape[1], math.ceil(x1)))
    x = (columns + 0.5) * pixel + origin[0] - field.x
    y = (rows[:, None] + 0.5) * pixel + origin[1] - field.y
    angle = math.radians(field.rotation)
    along = x * math.cos(angle) + y * math.sin(angle)  # turned back into the field's own lines
    down = y * math.cos(angle) - x * math.sin(angle)
    column = np.floor((along / field.width_in_degrees + 0.5) * field.width + 1e-6).astype(np.int64)
    row = np.floor((down / field.height_in_degrees + 0.5) * field.height + 1e-6).astype(np.int64)
    inside = (column >= 0) & (column < field.width) & (row >= 0) & (row < field.height)
    target = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size and columns.size else image[:0]
    if target.size:
        target[inside] = part[row[inside], column[inside]]
