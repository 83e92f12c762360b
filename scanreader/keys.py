"""Array keys: split as numpy does, checked against bounds here and nowhere else, each axis by itself."""

from __future__ import annotations

import contextlib
import math
import operator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from scanreader.errors import DtypeError, ScanIndexError, ScanKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

IndexArray: TypeAlias = npt.NDArray[np.int64]
Entry: TypeAlias = "int | slice | IndexArray | npt.NDArray[np.bool_]"

FULL_SLICE = slice(None)
AXES = ("field", "row", "column", "channel", "frame")


class Pick(NamedTuple):
    """What one entry of a key selects along its axis."""

    indices: range | IndexArray
    """Indices along the axis, from 0, in the order requested; a range where they are evenly spaced."""

    drops: bool
    """Whether the axis is dropped from the result: true for an integer."""


def split_key(key: Any, axes: Sequence[str] = AXES, owner: str = "a scan") -> tuple[Entry, ...]:
    """Split a key into one entry for each of the axes of a scan, or of another array; bounds are not checked yet.

    Raises
    ------
    ScanIndexError
        If there are more entries than axes, or two ``...``.
    ScanKeyError
        If an entry is not an integer, a slice, ``...``, or a flat sequence of integers or booleans.
    """
    entries = key if isinstance(key, tuple) else (key,)
    dots = [i for i, entry in enumerate(entries) if entry is ...]
    if len(dots) > 1:
        raise ScanIndexError(f"a key can have one '...', this one has {len(dots)}: keep one of them")
    count = len(entries) - len(dots)
    if count > len(axes):
        raise ScanIndexError(f"too many indices: {owner} has {len(axes)} axes, {count} entries were given")
    num_before = dots[0] if dots else count
    all_entries = entries[:num_before] + (FULL_SLICE,) * (len(axes) - count) + entries[num_before + len(dots) :]
    return tuple(map(check_entry, all_entries, axes))


def pick(entry: Entry, size: int, axis: str, owner: str = "the scan") -> Pick:
    """Find the indices that an entry selects along an axis of `size`.

    Raises
    ------
    ScanIndexError
        If an index is out of bounds, or a mask is not as long as the axis.
    """
    if entry is FULL_SLICE:
        return Pick(range(size), drops=False)
    if isinstance(entry, slice):
        return Pick(range(*entry.indices(size)), drops=False)
    if isinstance(entry, int):
        if not -size <= entry < size:
            _check_bounds(entry, entry, size, axis, owner)
        index = entry % size
        return Pick(range(index, index + 1), drops=True)
    if entry.dtype == np.bool_:
        if len(entry) != size:
            raise ScanIndexError(f"a mask of {len(entry)} does not fit the {axis} axis: {owner} has {size} {axis}s")
        return Pick(np.flatnonzero(entry), drops=False)
    if entry.size:
        _check_bounds(int(entry.min()), int(entry.max()), size, axis, owner)
    return Pick(np.where(entry < 0, entry + size, entry).astype(np.int64, copy=False), drops=False)


def as_array(indices: range | IndexArray) -> IndexArray:
    """Indices as an array."""
    if isinstance(indices, range):
        return np.arange(indices.start, indices.stop, indices.step, dtype=np.int64)
    return indices


def as_range(indices: range | IndexArray) -> range | IndexArray:
    """Return indices as a range if they are evenly spaced, up or down."""
    if isinstance(indices, range) or not len(indices):
        return indices
    first, last = int(indices[0]), int(indices[-1])
    step = int(indices[1]) - first if len(indices) > 1 else 1
    if step == 0 or (indices[1:] - indices[:-1] != step).any():
        return indices
    return range(first, last + (1 if step > 0 else -1), step)


def shift(indices: range | IndexArray, distance: int) -> range | IndexArray:
    """Indices moved by `distance` along the axis."""
    if isinstance(indices, range):
        return range(indices.start + distance, indices.stop + distance, indices.step)
    return indices + distance


def as_slice(indices: range | IndexArray) -> slice | IndexArray:
    """Return indices as a slice if they are evenly spaced: then numpy makes a view, not a copy."""
    if not isinstance(indices, range):
        indices = as_range(indices)
        if not isinstance(indices, range):
            return indices
    return slice(indices.start, None if indices.stop < 0 else indices.stop, indices.step)


def box(*axes: range | IndexArray) -> tuple[Any, ...]:
    """Key of a box of an array, by indices along each axis: slices, if all are evenly spaced."""
    key = tuple(map(as_slice, axes))
    return key if set(map(type, key)) == {slice} else np.ix_(*map(as_array, axes))


def _check_bounds(lowest: int, highest: int, size: int, axis: str, owner: str) -> None:
    for index in (lowest, highest):
        if not -size <= index < size:
            raise ScanIndexError(
                f"{axis} {index} is out of bounds: {owner} has {size} {axis}{'' if size == 1 else 's'}"
            )


def check_entry(entry: Any, axis: str) -> Entry:
    """Check that an entry of a key is of a kind that can index an axis; bounds are not checked yet.

    Raises
    ------
    ScanKeyError
        If it is not an integer, a slice, or a flat sequence of integers or booleans.
    """
    if type(entry) is int:
        return entry
    if isinstance(entry, slice):
        is_full = entry.start is None and entry.stop is None and entry.step is None
        return FULL_SLICE if is_full else _check_slice(entry, axis)
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
        raise ScanKeyError(f"the step of a slice of the {axis} axis cannot be 0: give another integer")
    return slice(_slice_part(entry.start, axis), _slice_part(entry.stop, axis), _slice_part(entry.step, axis))


def _slice_part(part: Any, axis: str) -> int | None:
    if part is None or type(part) is int:
        return part
    try:
        return operator.index(part)
    except TypeError:
        raise ScanKeyError(f"{part!r} cannot be part of a slice of the {axis} axis: give integers") from None


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
    has_booleans = not isinstance(entry, np.ndarray) and any(isinstance(i, (bool, np.bool_)) for i in entry)
    if array.dtype.kind not in "iu" or has_booleans:
        raise ScanKeyError(f"the {axis} axis takes integers or booleans, not {entry!r}")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise ScanIndexError(f"{axis} {array.max()} is out of bounds")
    return array.astype(np.int64)


def nonnegative_index(index: Any, size: int, noun: str) -> int:
    """Return an index of a scan's slices, channels or the like as counted from the first, where it may be negative.

    Raises
    ------
    ScanIndexError
        If it is out of bounds.
    ScanKeyError
        If it is not an integer.
    """
    if not -size <= as_integer(index, noun) < size:
        raise ScanIndexError(f"{noun} {index} is out of bounds: the scan has {size} {noun}{'' if size == 1 else 's'}")
    return as_integer(index, noun) % size


def as_integer(value: Any, name: str) -> int:
    """Check that a value is an integer, and return it.

    Raises
    ------
    ScanKeyError
        If it is not (also a TypeError).
    """
    if not isinstance(value, (bool, np.bool_)):  # a boolean would be taken as 0 or 1
        with contextlib.suppress(TypeError):
            return operator.index(value)
    raise ScanKeyError(f"{name}: an integer was expected, not {value!r}")


def is_number(value: Any) -> bool:
    """Whether a value is a real number, of Python's or NumPy's; a boolean is none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_one_of(value: Any, choices: Iterable[str | None]) -> bool:
    """Whether the value of an option is one of some words, or None; an array, which compares with each, is none."""
    return (value is None or isinstance(value, str)) and value in choices


def fill_for(dtype: np.dtype[Any], value: Any) -> float:
    """Give what pixels of a dtype are filled with: NaN for floats, else a value that the dtype can hold.

    Raises
    ------
    DtypeError
        If it cannot.
    """
    return math.nan if dtype.kind in "fc" else held_by(dtype, value, "fill_value")


def held_by(dtype: np.dtype[Any], value: Any, option: str) -> float:
    """Check that a dtype can hold the value of an option, and return it.

    Raises
    ------
    DtypeError
        If it cannot.
    """
    if is_number(value) and dtype.kind in "fc":
        return float(value)
    limits = None if dtype.kind in "fc" else np.iinfo(dtype)
    if not is_number(value) or limits is None or not limits.min <= value <= limits.max or value != int(value):
        raise DtypeError(f"{dtype.name} pixels cannot be {value!r}: give another {option}")
    return int(value)


def read_only_copy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy of an array that stays read-only, whatever is done to its flags."""
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def abbreviate(values: Sequence[Any]) -> str:
    """Join values by commas; of more than ten, the first ten and an ellipsis."""
    text = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values[:10])
    return f"{text}, …" if len(values) > 10 else text
