"""Pixels of lines that were scanned backwards, moved along the line as they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.chunks import frames_at_a_time
from scanreader.errors import HeaderError, ScanKeyError
from scanreader.keys import as_array, as_range, as_slice, box, fill_for
from scanreader.recording.pixels import overlap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanreader.keys import IndexArray
    from scanreader.recording.fields import Field, Piece
    from scanreader.recording.layout import Layout
    from scanreader.recording.opened import Opened, View
    from scanreader.recording.pixels import Request
    from scanreader.tiff.pages import Pages

FloatArray = npt.NDArray[np.float64]

CACHED = 4 << 20  # bytes of pixels that are moved at once


# ------------------------------------------------------------------------ directions


def backward_rows(field: Field, piece: Piece, rows: IndexArray) -> npt.NDArray[np.bool_]:
    """Whether rows of a piece, counted from its first, were scanned backwards."""
    line = (piece.first_line if field.timing.resonant else 0) + piece.trim.top + rows
    return np.asarray(line % 2 == 1)


def refuse_one_direction(field: Field) -> None:
    """See that a field's lines were scanned in both directions.

    Raises
    ------
    HeaderError
        If they were scanned in one, or several were averaged into a row.
    """
    if not field.timing.bidirectional:
        raise HeaderError(
            "lines were scanned in one direction by the header (hScan2D.bidirectional): there is no offset between two"
        )
    if field.timing.lines_per_row > 1:
        raise HeaderError(
            f"{field.timing.lines_per_row} lines were averaged into each row: no row is of one direction, and an "
            "offset between two cannot be taken out"
        )


# -------------------------------------------------------------------------- the view


def realigning(offsets: npt.ArrayLike, fill_value: float) -> View:
    """View whose backward lines are moved back by offsets; see `phase.realigned`.

    Raises
    ------
    ScanKeyError
        If the offsets are not numbers.
    """
    try:
        numbers = nested(np.array(offsets, np.float64))
    except (TypeError, ValueError):
        raise ScanKeyError(f"offsets are numbers of pixels, not {offsets!r}") from None
    return partial(realign, offsets=numbers, fill_value=fill_value)


def realign(opened: Opened, offsets: Any, fill_value: float) -> Opened:
    """Move the backward lines of every field; see `phase.realigned`.

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    ScanKeyError
        If the offsets do not fit the fields and channels, or pixels are changed already.
    DtypeError
        If the pixels cannot be `fill_value`.
    """
    if opened.pixels.change:
        raise ScanKeyError("this scan was realigned before: realign the scan that it was made of, by both offsets")
    for field in opened.fields:
        refuse_one_direction(field)
    by_field = checked_offsets(opened, offsets)
    fill_value = fill_for(opened.dtype, fill_value)
    shape = (opened.layout.counts.slices, max(1, len(opened.rois)), opened.layout.counts.channels)
    table = np.full(shape, np.nan)
    for i, (field, row) in enumerate(zip(opened.fields, by_field, strict=True)):
        for channel, offset in zip(opened.channels, row.tolist(), strict=True):
            before = table[field.slice_id, field.roi_ids, channel.place]
            if (before[np.isfinite(before)] != offset).any():
                raise ScanKeyError(
                    f"field {i} shows pixels that another field shows, too: their offsets must be equal, not "
                    f"{before[np.isfinite(before)][0]:g} and {offset:g}"
                )
            table[field.slice_id, field.roi_ids, channel.place] = offset
    return replace(opened, pixels=RealignedPixels(nested(np.nan_to_num(table)), fill_value))


def checked_offsets(opened: Opened, offsets: npt.ArrayLike) -> FloatArray:
    """Give offsets as one for each field and channel of a scan."""
    shape = (len(opened.fields), len(opened.channels))
    given = np.array(offsets, np.float64)
    if given.shape not in ((), shape):
        raise ScanKeyError(
            f"offsets are one number, or an array of shape {shape} (fields, channels), not of shape {given.shape}"
        )
    checked = np.broadcast_to(given, shape).copy()
    if not np.isfinite(checked).all():
        field, channel = np.argwhere(~np.isfinite(checked))[0].tolist()
        raise ScanKeyError(
            f"the offset of field {field}, channel {channel} is {checked[field, channel]}: give 0 to leave it as it is"
        )
    for field, row in zip(opened.fields, checked, strict=True):
        narrowest = min(piece.width for piece in field.pieces)
        if np.abs(row).max(initial=0) >= narrowest:
            raise ScanKeyError(f"an offset of {np.abs(row).max():g} pixels in a field that is {narrowest} wide")
    return checked


def nested(values: FloatArray) -> Any:
    """Turn an array into tuples of tuples, which nobody can change."""
    return values.item() if values.ndim == 0 else tuple(map(nested, values))


# ------------------------------------------------------------------------ reading


@dataclass(frozen=True)
class RealignedPixels:
    """Pixels whose backward lines are moved back by an offset."""

    offsets: tuple[tuple[tuple[float, ...], ...], ...]
    """In pixels, of shape (slices, ROIs, channels in the files)."""
    fill: float

    change = "moved when they are read"

    def read(self, pages: Pages, layout: Layout, request: Request, out: npt.NDArray[Any], notes: list[str]) -> None:
        """Read pixels, piece by piece; see `PixelReader`."""
        field, channels, frames, rows, columns = request
        numbers = layout.page_numbers(field.slice_id, channels, frames)
        flat, pixels = numbers.ravel(), out.reshape(numbers.size, *out.shape[2:])
        for piece in field.pieces:
            part = overlap(piece, as_array(rows.indices), as_array(columns.indices))
            if part is None:
                continue
            moved = _Moved.of(field, piece, part.from_y, part.from_x)
            offsets = np.broadcast_to(
                np.array(self.offsets[field.slice_id][piece.roi])[channels], numbers.shape
            ).ravel()
            for offset in np.unique(offsets).tolist():
                to_page = np.flatnonzero(offsets == offset)
                for some in _parts(to_page, len(part.to_y) * len(part.to_x) * out.itemsize):
                    moved_pixels = self._read_moved(pages, flat[some], moved, offset, out.dtype, notes)
                    pixels[box(some, part.to_y, part.to_x)] = moved_pixels

    def _read_moved(
        self,
        pages: Pages,
        numbers: IndexArray,
        moved: _Moved,
        offset: float,
        dtype: np.dtype[Any],
        notes: list[str],
    ) -> npt.NDArray[Any]:
        """Read rows and columns of a piece, backward rows from `offset` further right."""
        whole = math.floor(offset)
        part = offset - whole
        first, last = moved.columns + whole, moved.columns + whole + (part > 0)
        inside = (first >= moved.left) & (last < moved.right)
        back, ahead = np.flatnonzero(moved.backward), np.flatnonzero(~moved.backward)
        wanted = [moved.columns] if len(ahead) else []
        needed = np.unique(np.concatenate([*wanted, *([first[inside], last[inside]] if len(back) else [])]))
        raw = np.empty((len(numbers), len(moved.rows), len(needed)), dtype)
        pages.read(numbers, as_range(moved.rows + moved.page_y), as_range(needed + moved.page_x), raw, notes)
        out = np.full((len(numbers), len(moved.rows), len(moved.columns)), self.fill, dtype)
        every, all_columns = np.arange(len(numbers)), np.arange(len(moved.columns))
        for rows, to_x, from_x in ((ahead, all_columns, moved.columns), (back, np.flatnonzero(inside), first[inside])):
            if not len(rows) or not len(to_x):
                continue
            pixels = _taken(raw, rows, np.searchsorted(needed, from_x))
            if part and rows is back:
                pixels = pixels * (1 - part) + _taken(raw, rows, np.searchsorted(needed, last[inside])) * part
                pixels = pixels if dtype.kind in "fc" else np.rint(pixels)
            out[box(every, rows, to_x)] = pixels
        return out


class _Moved(NamedTuple):
    """Rows and columns of a piece that are asked for, and what its line has."""

    rows: IndexArray
    columns: IndexArray
    backward: npt.NDArray[np.bool_]
    """Which of the rows are."""
    page_y: int
    page_x: int
    left: int
    """The first column that was scanned: below 0 if the ROI was trimmed."""
    right: int
    """The first column behind those that were."""

    @classmethod
    def of(cls, field: Field, piece: Piece, rows: IndexArray, columns: IndexArray) -> _Moved:
        left, right = -piece.trim.left, piece.width + piece.trim.right
        return cls(rows, columns, backward_rows(field, piece, rows), piece.page_y, piece.page_x, left, right)


def _parts(places: IndexArray, size: int) -> Iterator[IndexArray]:
    """Places of pages, as many at a time as stay in the processor's cache."""
    step = frames_at_a_time(size, CACHED)
    return (places[start : start + step] for start in range(0, len(places), step))


def _taken(pixels: npt.NDArray[Any], rows: IndexArray, columns: IndexArray) -> npt.NDArray[Any]:
    """Rows and columns of pages."""
    return pixels[:, as_slice(rows)][:, :, as_slice(columns)]
