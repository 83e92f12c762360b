"""Keys of an array, taken apart as numpy would, each axis by itself; pure, and the only place that checks bounds."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from scanreader.errors import DtypeError, ScanIndexError, ScanKeyError

if TYPE_CHECKING:
    from collections.abc import Sequence

IndexArray: TypeAlias = npt.NDArray[np.int64]
Entry: TypeAlias = "int | slice | IndexArray | npt.NDArray[np.bool_]"

WHOLE = slice(None)
AXES = ("field", "row", "column", "channel", "frame")


class Pick(NamedTuple):
    """What one entry of a key picks of its axis."""

    indices: range | IndexArray
    """Places along the axis, from 0, in the order asked for; a range where they are evenly spaced."""

    drops: bool
    """Whether the axis disappears from the result: true for an integer."""


def split_key(key: Any) -> tuple[Entry, ...]:
    """Take a key apart into one entry for each of the five axes, checked but not yet bound to sizes.

    Raises
    ------
    ScanIndexError
        If there are more than five entries, or two ``...``.
    ScanKeyError
        If an entry is not an integer, a slice, ``...``, or a flat sequence of integers or booleans.
    """
    entries = key if isinstance(key, tuple) else (key,)
    dots = [i for i, entry in enumerate(entries) if entry is ...]
    if len(dots) > 1:
        raise ScanIndexError("a key can have one '...', this one has more")
    given = len(entries) - len(dots)
    if given > len(AXES):
        raise ScanIndexError(f"too many indices: a scan has {len(AXES)} axes, {given} entries were given")
    at = dots[0] if dots else given
    filled = entries[:at] + (WHOLE,) * (len(AXES) - given) + entries[at + len(dots) :]
    return tuple(map(_check, filled, AXES))


def pick(entry: Entry, size: int, axis: str, owner: str = "the scan") -> Pick:
    """Bind an entry to an axis of `size`.

    Raises
    ------
    ScanIndexError
        If an index is out of bounds, or a mask is not as long as the axis.
    """
    if entry is WHOLE:
        return Pick(range(size), drops=False)
    if isinstance(entry, slice):
        return Pick(range(*entry.indices(size)), drops=False)
    if isinstance(entry, int):
        if not -size <= entry < size:
            _check_bounds(entry, entry, size, axis, owner)
        at = entry % size
        return Pick(range(at, at + 1), drops=True)
    if entry.dtype == np.bool_:
        if len(entry) != size:
            raise ScanIndexError(f"a mask of {len(entry)} does not fit the {axis} axis: {owner} has {size} {axis}s")
        return Pick(np.flatnonzero(entry), drops=False)
    if entry.size:
        _check_bounds(int(entry.min()), int(entry.max()), size, axis, owner)
    return Pick(np.where(entry < 0, entry + size, entry).astype(np.int64, copy=False), drops=False)


def as_array(indices: range | IndexArray) -> IndexArray:
    """Places as an array."""
    if isinstance(indices, range):
        return np.arange(indices.start, indices.stop, indices.step, dtype=np.int64)
    return indices


def as_range(indices: range | IndexArray) -> range | IndexArray:
    """Return places as a range if they are evenly spaced, and up or down."""
    if isinstance(indices, range) or not len(indices):
        return indices
    first, last = int(indices[0]), int(indices[-1])
    step = int(indices[1]) - first if len(indices) > 1 else 1
    if step == 0 or (indices[1:] - indices[:-1] != step).any():
        return indices
    return range(first, last + (1 if step > 0 else -1), step)


def shifted(indices: range | IndexArray, by: int) -> range | IndexArray:
    """Places moved along the axis."""
    if isinstance(indices, range):
        return range(indices.start + by, indices.stop + by, indices.step)
    return indices + by


def _check_bounds(lowest: int, highest: int, size: int, axis: str, owner: str) -> None:
    for index in (lowest, highest):
        if not -size <= index < size:
            raise ScanIndexError(f"{axis} {index} is out of bounds: {owner} has {size} {axis}s")


def _check(entry: Any, axis: str) -> Entry:
    if type(entry) is int:
        return entry
    if isinstance(entry, slice):
        plain = entry.start is None and entry.stop is None and entry.step is None
        return WHOLE if plain else _check_slice(entry, axis)
    if isinstance(entry, (list, tuple, range)) or (isinstance(entry, np.ndarray) and entry.ndim):
        return _check_sequence(entry, axis)
    if isinstance(entry, np.ndarray):
        entry = entry[()]
    if not isinstance(entry, (bool, np.bool_)) and entry is not None:
        try:
            return operator.index(entry)
        except TypeError:
            pass
    raise ScanKeyError(
        f"{entry!r} cannot index the {axis} axis: give an integer, a slice, '...', "
        "or a flat list or array of integers or booleans"
    )


def _check_slice(entry: slice, axis: str) -> slice:
    if entry.step is not None and _slice_part(entry.step, axis) == 0:
        raise ScanKeyError(f"the step of a slice of the {axis} axis cannot be 0")
    return slice(*(_slice_part(part, axis) for part in (entry.start, entry.stop, entry.step)))


def _slice_part(part: Any, axis: str) -> int | None:
    if part is None:
        return None
    try:
        return operator.index(part)
    except TypeError:
        raise ScanKeyError(f"{part!r} cannot bound a slice of the {axis} axis: give integers") from None


def _check_sequence(entry: Any, axis: str) -> Entry:
    try:
        array = np.asarray(entry)
    except ValueError:  # ragged
        raise ScanKeyError(f"the {axis} axis takes a flat list or array, not {entry!r}") from None
    if array.ndim != 1:
        raise ScanKeyError(f"the {axis} axis takes a flat list or array, not one of {array.ndim} dimensions")
    if array.dtype == np.bool_:
        return array
    if array.size == 0:
        return np.empty(0, np.int64)
    mixed = not isinstance(entry, np.ndarray) and any(isinstance(i, (bool, np.bool_)) for i in entry)
    if array.dtype.kind not in "iu" or mixed:
        raise ScanKeyError(f"the {axis} axis takes integers or booleans, not {entry!r}")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise ScanIndexError(f"{axis} {array.max()} is out of bounds")
    return array.astype(np.int64)


def from_start(place: Any, size: int, what: str) -> int:
    """Count a place among all of a scan's slices, channels or the like from the first of them.

    Raises
    ------
    ScanIndexError
        If it is out of bounds, or no integer.
    """
    if not -size <= integer(place, what) < size:
        raise ScanIndexError(f"{what} {place} is out of bounds: the scan has {size} {what}{'' if size == 1 else 's'}")
    return integer(place, what) % size


def integer(value: Any, what: str) -> int:
    """See that something is an integer.

    Raises
    ------
    ScanKeyError
        If it is not (also a TypeError).
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ScanKeyError(f"{what}: an integer was expected, not {value!r}") from None


def fill_for(dtype: np.dtype[Any], value: Any) -> float:
    """Give what pixels of a dtype are filled with: NaN for floats, else a value that the dtype can hold.

    Raises
    ------
    DtypeError
        If it cannot.
    """
    if dtype.kind in "fc":
        return math.nan
    limits = np.iinfo(dtype)
    if not isinstance(value, (int, float, np.integer, np.floating)) or not limits.min <= value <= limits.max:
        raise DtypeError(f"{dtype.name} pixels cannot be {value!r}: give another fill_value")
    if value != int(value):
        raise DtypeError(f"{dtype.name} pixels cannot be {value!r}: give another fill_value")
    return int(value)


def fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copy an array to bytes that nobody can change, whatever is done to its flags."""
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def shortened(values: Sequence[Any]) -> str:
    """The first few of some values, in words."""
    shown = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values[:10])
    return f"{shown}, …" if len(values) > 10 else shown
