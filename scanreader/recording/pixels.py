"""How the pixels of a field are read from its pages: the request that `scan[...]` becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from scanreader.keys import as_array, box, shift

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from scanreader.keys import IndexArray, Pick
    from scanreader.recording.fields import Field
    from scanreader.recording.layout import Layout
    from scanreader.recording.rectangles import Rectangle
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
        """Read pixels into an array of shape (frames, channels, rows, columns); what is noticed goes to `notes`.

        The array has its values already where nothing was recorded: see `blank` and `fill_gaps`.
        """


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
        if len(field.pieces) == 1 and not field.uncovered:
            piece = field.pieces[0]
            pages.read(numbers, shift(rows.indices, piece.page_y), shift(columns.indices, piece.page_x), out, notes)
            return
        for piece in field.pieces:
            part = overlap(piece.rectangle, rows.indices, columns.indices)
            if part is None:
                continue
            from_y, from_x = shift(part.from_y, piece.page_y), shift(part.from_x, piece.page_x)
            place = box(range(len(out)), part.to_y, part.to_x)
            if isinstance(place[0], slice):  # evenly spaced in the result
                pages.read(numbers, from_y, from_x, out[place], notes)
            else:
                pixels = np.empty((len(numbers), len(part.to_y), len(part.to_x)), out.dtype)
                pages.read(numbers, from_y, from_x, pixels, notes)
                out[place] = pixels


RECORDED = RecordedPixels()


class Overlap(NamedTuple):
    """Which of some rows and columns of a field a rectangle has."""

    to_y: range | IndexArray
    """Places among those rows."""
    to_x: range | IndexArray
    from_y: range | IndexArray
    """Rows of the rectangle, from its first."""
    from_x: range | IndexArray


def overlap(rectangle: Rectangle, rows: range | IndexArray, columns: range | IndexArray) -> Overlap | None:
    """Find which rows and columns of a field a rectangle has; None if it has none."""
    to_y, from_y = _places_within(rows, rectangle.top, rectangle.bottom)
    to_x, from_x = _places_within(columns, rectangle.left, rectangle.right)
    return Overlap(to_y, to_x, from_y, from_x) if len(to_y) and len(to_x) else None


def _places_within(indices: range | IndexArray, start: int, stop: int) -> tuple[range | IndexArray, range | IndexArray]:
    """Places of those indices that are in a range, and how far each is from its start."""
    if isinstance(indices, range) and indices.step == 1:
        first, last = max(start, indices.start), min(stop, indices.stop)
        return range(first - indices.start, last - indices.start), range(first - start, last - start)
    indices = as_array(indices)
    places = np.flatnonzero((indices >= start) & (indices < stop))
    return places, indices[places] - start


def blank(shape: Sequence[int], dtype: np.dtype[Any], fields: Iterable[Field]) -> npt.NDArray[Any]:
    """Array to read fields into; where they leave pixels uncovered, it is 0."""
    return (np.zeros if any(field.uncovered for field in fields) else np.empty)(shape, dtype)


def fill_gaps(field: Field, rows: Pick, columns: Pick, out: npt.NDArray[Any]) -> None:
    """Fill the pixels of a blank array of shape (…, rows, columns) where nothing was recorded of a field."""
    fill = field.placement.fill
    for gap in field.uncovered if fill else ():
        part = overlap(gap, rows.indices, columns.indices)
        if part is not None:
            pages = out.reshape(-1, *out.shape[-2:])
            pages[box(range(len(pages)), part.to_y, part.to_x)] = fill
