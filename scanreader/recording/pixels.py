"""How the pixels of a field are read from its pages: the request that `scan[...]` becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from scanreader.keys import as_array, shift

if TYPE_CHECKING:
    import numpy.typing as npt

    from scanreader.keys import IndexArray, Pick
    from scanreader.recording.fields import Field, Piece
    from scanreader.recording.layout import Layout
    from scanreader.tiff.pages import Pages


class Request(NamedTuple):
    """Some pixels of a field."""

    field: Field
    channels: int | IndexArray
    """Places among the channels of a frame in the files."""
    frames: int | IndexArray
    """Frames of the recording."""
    rows: Pick
    """Of the field."""
    columns: Pick


class PixelReader(Protocol):
    """What reads the pixels of a scan; a view that changes pixels has one of its own.

    It pickles, and its `repr` tells all that it depends on: the names of dask's arrays are made of that. Pages that
    cannot be read come filled, as `Pages.fill` says, and what it gives is of `out`'s dtype. A view that makes one
    refuses scans whose pixels are changed already, or reads through the reader that is there.
    """

    @property
    def change(self) -> str:
        """What is done to the pixels that stand in the files; '' if nothing is."""

    def read(self, pages: Pages, layout: Layout, request: Request, out: npt.NDArray[Any], notes: list[str]) -> None:
        """Read pixels into an array of shape (frames, channels, rows, columns); what is noticed goes to `notes`."""


class RecordedPixels:
    """The pixels as they stand in the files."""

    change = ""

    def __repr__(self) -> str:
        return "RECORDED"

    def __reduce__(self) -> str:
        return "RECORDED"  # there is one

    def read(self, pages: Pages, layout: Layout, request: Request, out: npt.NDArray[Any], notes: list[str]) -> None:
        """Read pixels, piece by piece; see `PixelReader`."""
        field, channels, frames, rows, columns = request
        numbers = layout.page_numbers(field.slice_id, channels, frames).ravel()
        out = out.reshape(len(numbers), *out.shape[2:])
        if len(field.pieces) == 1:
            piece = field.pieces[0]
            pages.read(numbers, shift(rows.indices, piece.page_y), shift(columns.indices, piece.page_x), out, notes)
            return
        for piece in field.pieces:
            part = overlap(piece, as_array(rows.indices), as_array(columns.indices))
            if part is None:
                continue
            to_y, to_x, from_y, from_x = part
            from_y, from_x = from_y + piece.page_y, from_x + piece.page_x
            if np.ptp(to_y) == len(to_y) - 1 and np.ptp(to_x) == len(to_x) - 1:  # side by side in the result
                place = out[:, to_y[0] : to_y[-1] + 1, to_x[0] : to_x[-1] + 1]
                pages.read(numbers, from_y, from_x, place, notes)
            else:
                pixels = np.empty((len(numbers), len(to_y), len(to_x)), out.dtype)
                pages.read(numbers, from_y, from_x, pixels, notes)
                out[:, to_y[:, None], to_x] = pixels


RECORDED = RecordedPixels()


class Overlap(NamedTuple):
    """Which of some rows and columns of a field a piece has."""

    to_y: IndexArray
    """Places among those rows."""
    to_x: IndexArray
    from_y: IndexArray
    """Rows of the piece."""
    from_x: IndexArray


def overlap(piece: Piece, rows: IndexArray, columns: IndexArray) -> Overlap | None:
    """Find which rows and columns of a field a piece has; None if it has none."""
    down, right = rows - piece.output_y, columns - piece.output_x
    to_y = np.flatnonzero((down >= 0) & (down < piece.height))
    to_x = np.flatnonzero((right >= 0) & (right < piece.width))
    return Overlap(to_y, to_x, down[to_y], right[to_x]) if len(to_y) and len(to_x) else None
