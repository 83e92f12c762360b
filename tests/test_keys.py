"""Keys mean what they mean to numpy, each axis by itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from common import MESOSCOPE, VOLUME, expected
from hypothesis import given
from hypothesis import strategies as st

from scanreader import FieldDimensionMismatch, Scan, ScanIndexError, read_scan
from scanreader.errors import DtypeError
from scanreader.keys import AXES, abbreviate, as_array, as_range, fill_for, pick, split_key
from scanreader.phase import realigned
from scanreader.simulate import Recording


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, np.ndarray]:
    paths = VOLUME.write(tmp_path_factory.mktemp("volume"))
    scan = read_scan(paths[0])
    scan[0, 0, 0, 0, 0]  # a thin read keeps a map of the file for as long as there is the scan
    return scan, np.stack(expected(VOLUME, paths))


ENTRIES: list[Any] = [
    0,
    -1,
    np.uint8(1),
    slice(None),
    slice(None, None, -1),
    slice(3, 1),
    slice(-2, None),
    slice(None, None, 2),
    [0],
    [1, 0, 1],
    (0, -1),
    np.array([1, 0], np.uint16),
    range(2),
    [],
    np.array([], bool)[:0].tolist(),
    np.array(1),
]


@pytest.mark.parametrize("axis", range(5))
@pytest.mark.parametrize("entry", ENTRIES, ids=repr)
def test_one_axis(volume: tuple[Scan, np.ndarray], axis: int, entry: Any) -> None:
    scan, array = volume
    key = (*[slice(None)] * axis, entry)
    plain_entry = list(entry) if isinstance(entry, (tuple, range)) else entry
    plain_entry = np.asarray(plain_entry, int) if isinstance(plain_entry, list) else plain_entry
    pixels = scan[key]
    np.testing.assert_array_equal(pixels, reference.index(array, (*[slice(None)] * axis, plain_entry)))


def test_all_pairs_of_axes(volume: tuple[Scan, np.ndarray]) -> None:
    scan, array = volume
    sample = [-1, slice(None, None, -2), [1, 0], slice(0, 0), np.array([True, False] * 8)]
    for (a, x), (b, y) in itertools.product(itertools.product(range(5), sample), repeat=2):
        if a >= b or any(isinstance(e, np.ndarray) and array.shape[i] != 16 for i, e in ((a, x), (b, y))):
            continue
        key: list[Any] = [slice(None)] * 5
        key[a], key[b] = x, y
        np.testing.assert_array_equal(scan[tuple(key)], reference.index(array, tuple(key)))


def test_masks(volume: tuple[Scan, np.ndarray]) -> None:
    scan, array = volume
    mask = np.array([True, False, True])
    np.testing.assert_array_equal(scan[mask], array[mask])
    np.testing.assert_array_equal(scan[[True, False, True]], array[mask])
    assert scan[[False] * 3].shape == (0, 16, 16, 2, 4)
    np.testing.assert_array_equal(scan[..., [*mask.tolist(), True]], array[..., [0, 2, 3]])


@pytest.mark.parametrize(
    "key",
    [..., (), (...,), (0, ...), (..., 0), (0, ..., 0), (slice(2), ..., [0, 1], 1), (0, 1, 2, 1, 3, ...)],
)
def test_dots(volume: tuple[Scan, np.ndarray], key: Any) -> None:
    scan, array = volume
    np.testing.assert_array_equal(scan[key], array[key])


def test_an_integer_for_each_axis_gives_a_value(volume: tuple[Scan, np.ndarray]) -> None:
    scan, array = volume
    assert scan[2, 3, 4, 1, 3] == array[2, 3, 4, 1, 3]
    assert scan[2, 3, 4, 1, 3].shape == ()


def test_iterating_gives_fields(volume: tuple[Scan, np.ndarray]) -> None:
    scan, array = volume
    assert len(scan) == 3
    for field, expected_pixels in zip(scan, array, strict=True):
        np.testing.assert_array_equal(field, expected_pixels)


def test_becomes_an_array(volume: tuple[Scan, np.ndarray]) -> None:
    scan, array = volume
    np.testing.assert_array_equal(np.asarray(scan), array)
    assert np.asarray(scan, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="without a copy"):
        scan.__array__(copy=False)  # what numpy 2 asks for with np.array(scan, copy=False)
    assert (scan.ndim, scan.dims) == (5, ("fields", "y", "x", "channels", "frames"))
    assert (scan.size, scan.nbytes) == (array.size, array.nbytes)


def test_the_result_is_laid_out_as_the_file_is(volume: tuple[Scan, np.ndarray]) -> None:
    scan, _ = volume
    assert scan[:].transpose(0, 4, 3, 1, 2).flags.c_contiguous


def test_results_are_the_users_own(volume: tuple[Scan, np.ndarray]) -> None:
    scan, array = volume
    for key in (slice(None), (0, 0, 0)):
        pixels = scan[key]
        pixels[...] = -5
        np.testing.assert_array_equal(scan[key], array[key])


# ------------------------------------------------------ unequal fields


def test_unequal_fields(tmp_path: Path) -> None:
    paths = MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    fields = expected(MESOSCOPE, paths)
    np.testing.assert_array_equal(scan[:4], np.stack(fields[:4]))
    np.testing.assert_array_equal(scan[:, :24], np.stack([f[:24] for f in fields]))
    np.testing.assert_array_equal(scan[:, -1], np.stack([f[-1] for f in fields]))
    np.testing.assert_array_equal(scan[[4, 0], [3, -1]], np.stack([fields[4][[3, -1]], fields[0][[3, -1]]]))
    for key in (slice(None), [0, 4], (slice(None), slice(30)), (slice(None), slice(None, None, 2))):
        with pytest.raises(FieldDimensionMismatch):
            scan[key]
    with pytest.raises(IndexError, match="row 30 is out of bounds: field 4 has 24 rows"):
        scan[:, 30]
    with pytest.raises(FieldDimensionMismatch, match="40, 40, 40, 40, 24"):
        _ = scan.image_height
    assert scan.image_width == 24
    assert scan.size == (4 * 40 + 24) * 24 * 5
    assert scan[[]].shape == (0, 40, 24, 1, 5)


# --------------------------------------------------------- pure functions

entries = st.one_of(
    st.integers(-30, 30),
    st.slices(12),
    st.lists(st.integers(-14, 14), max_size=6),
    st.lists(st.booleans(), min_size=12, max_size=12).map(np.array),
)


@given(entries)
def test_a_pick_is_numpys(entry: Any) -> None:
    axis = np.arange(12)
    plain_entry = np.array(entry, int) if isinstance(entry, list) else entry
    try:
        expected_indices = axis[plain_entry]
    except IndexError:
        with pytest.raises(ScanIndexError):
            pick(split_key(entry)[0], 12, AXES[0])
        return
    choice = pick(split_key(entry)[0], 12, AXES[0])
    np.testing.assert_array_equal(as_array(choice.indices), np.atleast_1d(expected_indices))
    assert choice.drops == isinstance(entry, int)


def test_large_integers_are_out_of_bounds() -> None:
    for entry in (2**70, -(2**70), [2**63 - 1], np.array([2**64 - 1], np.uint64)):
        with pytest.raises(IndexError):
            pick(split_key(entry)[0], 12, AXES[4])


def test_keys_of_a_scan_of_millions_stay_small() -> None:
    assert len(pick(slice(5, 8), 10**12, "frame").indices) == 3


def test_five_integers_give_a_number(tmp_path: Path) -> None:
    Recording(frames_per_slice=3).write(tmp_path)
    scan = read_scan(tmp_path)
    value = scan[0, 1, 2, 0, 2]
    assert isinstance(value, np.int16)
    assert value == scan[:][0, 1, 2, 0, 2]


@pytest.mark.parametrize("value", ["a", None, [0], 0.5, 1 << 40])
def test_a_fill_value_that_does_not_fit_is_refused_where_it_is_given(tmp_path: Path, value: Any) -> None:
    paths = Recording(frames_per_slice=3).write(tmp_path)
    with pytest.raises(DtypeError, match="int16 pixels cannot be .*: give another fill_value"):
        read_scan(paths, on_damage="fill", fill_value=value)
    with (
        read_scan(paths) as scan,
        pytest.raises(DtypeError, match="int16 pixels cannot be .*: give another fill_value"),
    ):
        realigned(scan, 1, fill_value=value)


@pytest.mark.parametrize("value", [None, "a", [0], 1j, 0.5, -1, 1 << 16, float("nan"), float("inf")])
def test_what_integers_cannot_be_filled_with(value: object) -> None:
    with pytest.raises(DtypeError, match="give another fill_value"):
        fill_for(np.dtype(np.uint16), value)
    assert np.isnan(fill_for(np.dtype(np.float32), value))
    assert fill_for(np.dtype(np.int16), -1) == -1


def test_numbers_in_messages_are_short() -> None:
    assert abbreviate([0.1 + 0.2, 1, "a"]) == "0.3, 1, a"
    assert abbreviate(range(10)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert abbreviate(range(11)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …"


@pytest.mark.parametrize("step", [-3, -1, 1, 2, 5])
def test_evenly_spaced_indices_become_a_range(step: int) -> None:
    expected_range = range(20, 20 + 4 * step, step)
    assert as_range(np.array(expected_range)) == expected_range
    uneven = np.array([*expected_range, 20])
    assert as_range(uneven) is uneven
