"""The fields of a slice in one image, as they lie in the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scanreader.chunks import frames_at_a_time
from scanreader.errors import LayoutError, ScanIndexError, ScanKeyError
from scanreader.keys import AXES, as_array, held_by, is_number, is_one_of, nonnegative_index, pick, split_key
from scanreader.notices import notify
from scanreader.recording.views import pieces_in_sample

if TYPE_CHECKING:
    from scanreader.recording.base import BaseScan
    from scanreader.recording.fields import Field

MOST_PIXELS = 1 << 28  # of a canvas: 1 GiB; more means a pixel size in the wrong unit


@dataclass(frozen=True)
class Canvas:
    """An image of a slice, placed in the sample.

    Attributes
    ----------
    image : float array of shape (y, x)
    top, left : float
        y and x position of the upper left corner of the image, in `unit`; 0 is scan angle 0.
    pixel_size : float
        Size of a pixel, in `unit`.
    unit : str
        ``"um"``; ``"degrees"`` if the header has no µm per degree, and ``"pixels"`` if it has no field positions.
    """

    image: npt.NDArray[np.floating[Any]]
    top: float
    left: float
    pixel_size: float
    unit: str = "um"

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge, as in matplotlib's ``imshow(image, extent=…)``."""
        height, width = self.image.shape
        return (
            self.left,
            self.left + width * self.pixel_size,
            self.top + height * self.pixel_size,
            self.top,
        )


def project(scan: BaseScan, field: int, channel: int, frames: Any, how: str = "mean") -> npt.NDArray[np.floating[Any]]:
    """Project frames of one field and channel to an image of shape (y, x), reading them in portions.

    NaN, of filled pages, is ignored; a pixel that is NaN in all frames stays NaN.

    Parameters
    ----------
    frames : int, slice or list of int
    how : {"mean", "max"}
    """
    if not is_one_of(how, ("mean", "max")):
        raise ScanIndexError(f"how must be 'mean' or 'max', not {how!r}")
    frame_numbers = as_array(pick(split_key((*[slice(None)] * 4, frames))[4], scan.num_frames, AXES[4]).indices)
    if not frame_numbers.size:
        raise ScanIndexError(f"no frame is selected of {scan.num_frames}: give other frames")
    shape = scan.fields[field]
    step = frames_at_a_time(shape.height * shape.width * scan.dtype.itemsize)
    total = np.full((shape.height, shape.width), 0.0 if how == "mean" else -np.inf)
    counts = np.zeros(total.shape, np.int64)
    for start in range(0, len(frame_numbers), step):
        part = scan[field, :, :, channel, frame_numbers[start : start + step]]
        is_valid = ~np.isnan(part) if part.dtype.kind == "f" else np.True_
        counts += is_valid.sum(axis=-1) if is_valid.ndim else part.shape[-1]
        if how == "mean":
            total += part.sum(axis=-1, dtype=np.float64, where=is_valid)
        else:
            np.maximum(total, part.max(axis=-1, where=is_valid, initial=_smallest(part.dtype)), out=total)
    values = np.where(counts > 0, total, np.nan)
    return np.asarray(values / np.maximum(counts, 1) if how == "mean" else values, np.float32)


def _smallest(dtype: np.dtype[Any]) -> float:
    """Smallest value of a dtype."""
    return int(np.iinfo(dtype).min) if dtype.kind in "iu" else -math.inf


def block_means(image: npt.NDArray[np.floating[Any]], height: int, width: int) -> npt.NDArray[np.float32]:
    """Reduce an image to at most `height` x `width` means of blocks of about equal size; NaN are ignored."""
    is_valid = np.isfinite(image)
    total, counts = np.where(is_valid, image, 0).astype(np.float64), is_valid.astype(np.int64)
    for axis, size in enumerate((height, width)):
        if size < image.shape[axis]:
            starts = np.arange(max(1, size)) * image.shape[axis] // max(1, size)
            total, counts = np.add.reduceat(total, starts, axis), np.add.reduceat(counts, starts, axis)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan).astype(np.float32)


def canvas(
    scan: BaseScan,
    slice_id: int,
    channel: int,
    frames: Any,
    how: str,
    *,
    plane: int,
    pixel_size: float | None,
    fill: float,
) -> Canvas:
    """Place the fields of a slice; see `Scan.canvas`."""
    slice_place = nonnegative_index(slice_id, scan.num_scanning_depths, "slice")
    channel = nonnegative_index(channel, scan.num_channels, "channel")
    plane = nonnegative_index(plane, scan.num_planes, "plane")
    is_shown = [(field.slice_id, field.plane or 0) == (slice_place, plane) for field in scan.fields]
    field_numbers = np.flatnonzero(is_shown).tolist()
    if not field_numbers:
        raise LayoutError(f"slice {slice_id} has no field", raw_helps=False)
    if any(math.isnan(scan.fields[i].height_in_degrees) for i in field_numbers):
        if len(field_numbers) > 1:
            raise LayoutError("the header has no field positions, so the fields cannot be placed", raw_helps=False)
        return Canvas(project(scan, field_numbers[0], channel, frames, how), 0.0, 0.0, 1.0, "pixels")
    if pixel_size is not None and not is_number(pixel_size):
        raise ScanKeyError(f"pixel_size is a number of µm, not {pixel_size!r}")
    fill = held_by(np.dtype(np.float32), fill, "fill")
    unit, scale = "um", scan.microns_per_degree
    if math.isnan(scale):
        unit, scale = "degrees", 1.0
        notify(["the header has no um per degree (objectiveResolution): the canvas is in degrees"])
    fields = [scan.fields[i] for i in field_numbers]
    pieces = [pieces_in_sample(scan.opened, i) for i in field_numbers]
    corners = np.concatenate([piece.corners for of_field in pieces for piece in of_field]) * scale
    sizes = [(f.height_in_degrees / f.height, f.width_in_degrees / f.width) for f in fields]
    pixel = min(min(size) for size in sizes) * scale if pixel_size is None else pixel_size
    if not 0 < pixel < math.inf:
        raise ScanIndexError(f"pixel_size must be above 0, not {pixel}")
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    if max(bottom - top, right - left) > pixel * MOST_PIXELS:
        raise ScanIndexError(f"a canvas of pixels of {pixel:g} {unit} is too large: give a larger pixel_size")
    shape = (max(1, round((bottom - top) / pixel)), max(1, round((right - left) / pixel)))
    if math.prod(shape) > MOST_PIXELS:
        raise ScanIndexError(
            f"a canvas of {shape[0]} x {shape[1]} pixels is too large: give a larger pixel_size than {pixel:g} {unit}"
        )
    image = np.full(shape, fill, np.float32)
    for i, field, of_field in zip(field_numbers, fields, pieces, strict=True):
        projection = project(scan, i, channel, frames, how)
        for piece, ys, xs in zip(of_field, field.output_yslices, field.output_xslices, strict=True):
            paste(image, projection[ys, xs], piece, (left / scale, top / scale), pixel / scale)
    return Canvas(image, float(top), float(left), float(pixel), unit)


def paste(
    image: npt.NDArray[np.float32],
    part: npt.NDArray[np.floating[Any]],
    field: Field,
    origin: tuple[float, float],
    pixel: float,
) -> None:
    """Paste an image of a field into a canvas: each pixel is the nearest of the image. All in degrees."""
    (x0, y0), (x1, y1) = (field.corners.min(axis=0) - origin) / pixel, (field.corners.max(axis=0) - origin) / pixel
    rows = np.arange(max(0, math.floor(y0)), min(image.shape[0], math.ceil(y1)))
    columns = np.arange(max(0, math.floor(x0)), min(image.shape[1], math.ceil(x1)))
    x = (columns + 0.5) * pixel + origin[0] - field.x
    y = (rows[:, None] + 0.5) * pixel + origin[1] - field.y
    angle = math.radians(field.rotation)
    field_x = x * math.cos(angle) + y * math.sin(angle)  # rotated back into the field's own axes
    field_y = y * math.cos(angle) - x * math.sin(angle)
    column = np.floor((field_x / field.width_in_degrees + 0.5) * part.shape[1] + 1e-6).astype(np.int64)
    row = np.floor((field_y / field.height_in_degrees + 0.5) * part.shape[0] + 1e-6).astype(np.int64)
    is_inside = (column >= 0) & (column < part.shape[1]) & (row >= 0) & (row < part.shape[0])
    target = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size and columns.size else image[:0]
    if target.size:
        target[is_inside] = part[row[is_inside], column[is_inside]]
