"""The rows and columns that a request needs of each page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scanreader.keys import IndexArray, as_range, as_slice, shift

if TYPE_CHECKING:
    import numpy.typing as npt

    from scanreader.tiff.forms import Form

THIN = 8  # a request for less than 1/8 of each page uses a memory map: 0.4 to 0.7 of the time of reading


class Crop(NamedTuple):
    """The rows and columns to take of each page."""

    top: int
    """The first row needed."""
    height: int
    """Number of rows from there to the last row needed."""
    rows: range | IndexArray
    """Which of those rows, counted from `top`."""
    columns: range | IndexArray
    is_contiguous: bool
    """Whether these are all columns, and all rows from `top` on, in order."""
    is_thin: bool
    """Whether they are so few pixels that the rest of the page should not be read."""


def find_crop(rows: range | IndexArray, columns: range | IndexArray, form: Form) -> Crop:
    """Make the crop of some rows and columns of pages of a form."""
    rows, columns = as_range(rows), as_range(columns)
    first, last = (rows[0], rows[-1]) if isinstance(rows, range) else (int(rows.min()), int(rows.max()))
    top, bottom = min(first, last), max(first, last) + 1
    is_contiguous = (
        isinstance(rows, range)
        and isinstance(columns, range)
        and (rows, columns) == (range(top, bottom), range(form.width))
    )
    is_thin = len(rows) * len(columns) * THIN < form.height * form.width
    return Crop(top, bottom - top, shift(rows, -top), columns, is_contiguous, is_thin)


def take_crop(pages: npt.NDArray[Any], crop: Crop) -> npt.NDArray[Any]:
    """Take a crop of pages of shape (pages, rows, columns) that begin at its top row."""
    if isinstance(crop.columns, range):
        pages = pages[:, :, as_slice(crop.columns)]
    # take is twice as fast as indexing with arrays
    pages = pages[:, as_slice(crop.rows)] if isinstance(crop.rows, range) else pages.take(crop.rows, axis=1)
    return pages if isinstance(crop.columns, range) else pages.take(crop.columns, axis=2)
