"""Pixels with the bidirectional phase offset corrected: backward lines are moved along the line when read."""

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
from scanreader.recording.timing import backward_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanreader.keys import IndexArray
    from scanreader.recording.fields import Field, Piece
    from scanreader.recording.layout import Layout
    from scanreader.recording.opened import Opened, View
    from scanreader.recording.pixels import Request
    from scanreader.tiff.pages import Pages

FloatArray = npt.NDArray[np.float64]

CACHED = 4 << 20  # bytes of pixels that are moved at a time


# ------------------------------------------------------------------------ directions


def backward_rows(field: Field, piece: Piece, rows: IndexArray) -> npt.NDArray[np.bool_]:
    """Whether rows of a piece, counted from its first, were scanned backwards."""
    return backward_lines(piece.first_line, piece.trim.top + rows, resonant=field.timing.resonant)


def refuse_one_direction(field: Field) -> None:
    """Check that a field's lines were scanned in both directions.

    Raises
    ------
    HeaderError
        If they were scanned in one direction, or several were averaged into a row.
    """
    if not field.timing.bidirectional:
        raise HeaderError(
            "lines were scanned in one direction by the header (hScan2D.bidirectional), so there is no bidirectional "
            "phase offset"
        )
    if field.timing.lines_per_row > 1:
        raise HeaderError(
            f"{field.timing.lines_per_row} lines were averaged into each row, so no row has one direction: the "
            "bidirectional phase offset cannot be corrected"
        )


# -------------------------------------------------------------------------- the view


def realigning(offsets: npt.ArrayLike, fill_value: float) -> View:
    """View with the bidirectional phase offset corrected; see `phase.realigned`.

    Raises
    ------
    ScanKeyError
        If the offsets are not numbers.
    """
    try:
        numbers = nested(np.array(offsets, np.float64))
    except (TypeError, ValueError):
        raise ScanKeyError(f"offsets must be numbers of pixels, not {offsets!r}") from None
    return partial(realign, offsets=numbers, fill_value=fill_value)


def realign(opened: Opened, offsets: Any, fill_value: float) -> Opened:
    """Move the backward lines of every field; see `phase.realigned`.

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    ScanKeyError
        If the offsets do not fit the fields and channels, or the pixels are changed already.
    DtypeError
        If the dtype cannot hold `fill_value`.
    """
    if isinstance(opened.pixels, RealignedPixels):
        raise ScanKeyError("this scan was realigned before: realign the original scan, by the sum of both offsets")
    if opened.pixels.change:
        raise ScanKeyError(f"the pixels of this scan are {opened.pixels.change}: realign the scan that it was made of")
    for field in opened.fields:
        refuse_one_direction(field)
    field_offsets = checked_offsets(opened, offsets)
    fill_value = fill_for(opened.dtype, fill_value)
    shape = (opened.layout.counts.slices, max(1, len(opened.rois)), opened.layout.counts.channels)
    table = np.full(shape, np.nan)
    for i, (field, row) in enumerate(zip(opened.fields, field_offsets, strict=True)):
        for channel, offset in zip(opened.saved_channels(field), row.tolist(), strict=True):
            earlier_offsets = table[field.slice_id, field.roi_ids, channel.place]
            if (earlier_offsets[np.isfinite(earlier_offsets)] != offset).any():
                raise ScanKeyError(
                    f"field {i} shows pixels that another field shows too, so their offsets must be equal, not "
                    f"{earlier_offsets[np.isfinite(earlier_offsets)][0]:g} and {offset:g}"
                )
            table[field.slice_id, field.roi_ids, channel.place] = offset
    return replace(opened, pixels=RealignedPixels(nested(np.nan_to_num(table)), fill_value))


def checked_offsets(opened: Opened, offsets: npt.ArrayLike) -> FloatArray:
    """Give one offset for each field and channel, of shape (fields, channels), in pixels."""
    shape = (len(opened.fields), len(opened.channels))
    numbers = np.array(offsets, np.float64)
    if numbers.shape not in ((), shape):
        raise ScanKeyError(
            f"offsets must be one number or an array of shape {shape} (fields, channels), not {numbers.shape}"
        )
    result = np.broadcast_to(numbers, shape).copy()
    if not np.isfinite(result).all():
        field, channel = np.argwhere(~np.isfinite(result))[0].tolist()
        raise ScanKeyError(
            f"the offset of field {field}, channel {channel} is {result[field, channel]}: give 0 for no correction"
        )
    for field, row in zip(opened.fields, result, strict=True):
        narrowest_width = min(_scanned_width(piece) for piece in field.pieces)
        largest_offset = np.abs(row).max(initial=0)
        if largest_offset >= narrowest_width:
            raise ScanKeyError(
                f"offsets must be below the width of a field, {narrowest_width} pixels, not {largest_offset:g}"
            )
    return result


def _scanned_width(piece: Piece) -> int:
    """Columns of a piece's ROI, also those that were removed."""
    return piece.width + piece.trim.left + piece.trim.right


def nested(values: FloatArray) -> Any:
    """Turn an array into immutable tuples of tuples."""
    return values.item() if values.ndim == 0 else tuple(map(nested, values))


# ------------------------------------------------------------------------ reading


@dataclass(frozen=True)
class RealignedPixels:
    """Pixel reader that moves backward lines back by the bidirectional phase offset."""

    offsets: tuple[tuple[tuple[float, ...], ...], ...]
    """Of shape (slices, ROIs, channels in the files), in pixels."""
    fill: float

    change = "moved when they are read"

    def read(self, pages: Pages, layout: Layout, request: Request, out: npt.NDArray[Any], notes: list[str]) -> None:
        """Read pixels, piece by piece; see `PixelReader`."""
        field, channels, frames, rows, columns = request
        numbers = layout.page_numbers(field.slice_id, channels, frames)
        page_numbers, pixels = numbers.ravel(), out.reshape(numbers.size, *out.shape[2:])
        for piece in field.pieces:
            part = overlap(piece.rectangle, rows.indices, columns.indices)
            if part is None:
                continue
            selection = _Selection.of(field, piece, as_array(part.from_y), as_array(part.from_x))
            offsets = np.broadcast_to(
                np.array(self.offsets[field.slice_id][piece.roi])[channels], numbers.shape
            ).ravel()
            for offset in np.unique(offsets).tolist():
                positions = np.flatnonzero(offsets == offset)
                for portion in _portions(positions, len(part.to_y) * len(part.to_x) * out.itemsize):
                    moved_pixels = self._read_moved(pages, page_numbers[portion], selection, offset, out.dtype, notes)
                    pixels[box(portion, part.to_y, part.to_x)] = moved_pixels

    def _read_moved(
        self,
        pages: Pages,
        numbers: IndexArray,
        selection: _Selection,
        offset: float,
        dtype: np.dtype[Any],
        notes: list[str],
    ) -> npt.NDArray[Any]:
        """Read rows and columns of a piece, backward rows from `offset` columns further right."""
        shift = math.floor(offset)
        fraction = offset - shift
        first, last = selection.columns + shift, selection.columns + shift + (fraction > 0)
        is_inside = (first >= selection.left) & (last < selection.right)
        backward, forward = np.flatnonzero(selection.backward), np.flatnonzero(~selection.backward)
        forward_columns = [selection.columns] if len(forward) else []
        source_x = np.unique(
            np.concatenate([*forward_columns, *([first[is_inside], last[is_inside]] if len(backward) else [])])
        )
        source_pixels = np.empty((len(numbers), len(selection.rows), len(source_x)), dtype)
        page_rows, page_columns = selection.rows + selection.page_y, source_x + selection.page_x
        pages.read(numbers, as_range(page_rows), as_range(page_columns), source_pixels, notes)
        out = np.full((len(numbers), len(selection.rows), len(selection.columns)), self.fill, dtype)
        all_pages, all_columns = np.arange(len(numbers)), np.arange(len(selection.columns))
        moves = ((forward, all_columns, selection.columns), (backward, np.flatnonzero(is_inside), first[is_inside]))
        for rows, to_x, from_x in moves:
            if not len(rows) or not len(to_x):
                continue
            pixels = _select(source_pixels, rows, np.searchsorted(source_x, from_x))
            if fraction and rows is backward:
                neighbours = _select(source_pixels, rows, np.searchsorted(source_x, last[is_inside]))
                pixels = pixels * (1 - fraction) + neighbours * fraction
                pixels = pixels if dtype.kind in "fc" else np.rint(pixels)
            out[box(all_pages, rows, to_x)] = pixels
        return out


class _Selection(NamedTuple):
    """Requested rows and columns of a piece, and its scanned columns."""

    rows: IndexArray
    columns: IndexArray
    backward: npt.NDArray[np.bool_]
    """Whether each row was scanned backwards."""
    page_y: int
    page_x: int
    left: int
    """First scanned column: below 0 if the ROI was trimmed."""
    right: int
    """First column after the scanned ones."""

    @classmethod
    def of(cls, field: Field, piece: Piece, rows: IndexArray, columns: IndexArray) -> _Selection:
        left, right = -piece.trim.left, piece.width + piece.trim.right
        return cls(rows, columns, backward_rows(field, piece, rows), piece.page_y, piece.page_x, left, right)


def _portions(places: IndexArray, size: int) -> Iterator[IndexArray]:
    """Places of pages in portions that stay in the processor's cache."""
    step = frames_at_a_time(size, CACHED)
    return (places[start : start + step] for start in range(0, len(places), step))


def _select(pixels: npt.NDArray[Any], rows: IndexArray, columns: IndexArray) -> npt.NDArray[Any]:
    """Select rows and columns of pages."""
    return pixels[:, as_slice(rows)][:, :, as_slice(columns)]
