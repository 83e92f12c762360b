"""Places in degrees of scan angle, and the pixels of a field where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from scanreader.errors import LayoutError, ScanKeyError

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = npt.NDArray[np.float64]


class FieldLike(Protocol):
    """What places need of a field."""

    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def depth(self) -> float: ...  # noqa: D102
    @property
    def y(self) -> float: ...  # noqa: D102
    @property
    def x(self) -> float: ...  # noqa: D102
    @property
    def height_in_degrees(self) -> float: ...  # noqa: D102
    @property
    def width_in_degrees(self) -> float: ...  # noqa: D102
    @property
    def turn(self) -> FloatArray: ...  # noqa: D102
    @property
    def closed_gaps(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def uncovered(self) -> Sequence[tuple[int, int, int, int]]: ...  # noqa: D102


def pixels_at(field: FieldLike, degrees: FloatArray) -> FloatArray:
    """Find the pixels of a field at some places.

    Parameters
    ----------
    field : Field
    degrees : array of shape (n, 2)
        x and y, in degrees of scan angle.

    Returns
    -------
    array of shape (n, 2)
        y and x, in pixels: whole numbers are the centres of pixels. Beyond the field where the place is.
    """
    refuse_odd_field(field)
    with np.errstate(all="ignore"):  # numbers of a header may be anything: what cannot be is NaN or infinite
        field_degrees = (degrees - [field.x, field.y]) @ field.turn  # turned back: the transpose of the inverse
        pixels = field_degrees / [field.width_in_degrees, field.height_in_degrees] * [field.width, field.height]
    first = np.array([(field.width - 1) / 2, (field.height - 1) / 2])  # pixels from the first's centre to the field's
    return np.asarray((pixels + first)[:, ::-1])


def places_of_pixels(field: FieldLike) -> FloatArray:
    """Find the centres of all pixels of a field, of shape (y, x, 2): x and y, in degrees of scan angle."""
    refuse_odd_field(field)
    rows = (np.arange(field.height) + 0.5) / field.height - 0.5
    columns = (np.arange(field.width) + 0.5) / field.width - 0.5
    field_degrees = np.stack(np.meshgrid(columns * field.width_in_degrees, rows * field.height_in_degrees), axis=-1)
    return np.asarray(field_degrees @ field.turn.T + [field.x, field.y])


def refuse_odd_field(field: FieldLike) -> None:
    """Refuse what is no field, or one whose pixels are not evenly spaced in the sample.

    Raises
    ------
    ScanKeyError
        If it is no field.
    LayoutError
        If pieces of the field were trimmed and put side by side.
    """
    if not hasattr(field, "closed_gaps"):
        raise ScanKeyError(f"a field was expected, one of scan.fields, not {field!r}")
    if any(field.closed_gaps):
        raise LayoutError(
            "the field was joined and trimmed, so its pixels are not evenly spaced: ask for the field of the scan "
            "before it was trimmed",
            raw_helps=False,
        )
