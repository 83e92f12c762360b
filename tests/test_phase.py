"""The bidirectional phase offset: estimated where that is possible, corrected for any key, never guessed."""

from __future__ import annotations

import math
import pickle
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from common import MESOSCOPE, VOLUME, expected, read_warned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import assert_keys_pick
from strategies import recordings as any_recordings

from scanreader import (
    DtypeError,
    HeaderError,
    LayoutError,
    Scan,
    ScanKeyError,
    phase,
    read_scan,
)
from scanreader.phase import estimate_line_offset, is_backward, realigned
from scanreader.simulate import Logged, Recording, roi, scanfield
from scanreader.tiff.pages import Pages

STRIPS = tuple(roi(scanfield((x, 0.0), (2.0, 8.0), (12, 47))) for x in (-1.0, 1.0))  # an odd number of lines
WIDE_ROIS = (roi(scanfield((0.0, 0.0), (4.0, 3.0), (40, 30))), roi(scanfield((3.0, 0.0), (2.0, 3.1), (20, 31))))


def backward_rows(recording: Recording) -> list[npt.NDArray[np.bool_]]:
    """Whether rows of each field are backward, from their place in the page alone."""
    rows = [box[:2] for boxes in recording.field_rows() for box in boxes]
    return [(np.arange(n) + (first if recording.resonant else 0)) % 2 == 1 for first, n in rows]


def with_moved_rows(
    fields: list[npt.NDArray[Any]], backward_masks: list[npt.NDArray[np.bool_]], offsets: npt.NDArray[Any], fill: float
) -> list[npt.NDArray[Any]]:
    """Move backward rows pixel by pixel; pixels from beyond the edge are filled."""
    moved_fields = []
    for field, rows, row_offsets in zip(fields, backward_masks, offsets, strict=True):
        new_field = field.copy()
        width = field.shape[1]
        for channel, offset in enumerate(row_offsets.tolist()):
            for y in np.flatnonzero(rows):
                for x in range(width):
                    low, high = math.floor(x + offset), math.ceil(x + offset)
                    if low < 0 or high >= width:
                        new_field[y, x, channel] = fill
                        continue
                    left, right = field[y, low, channel].astype(float), field[y, high, channel].astype(float)
                    pixels = left + (right - left) * (x + offset - low)
                    new_field[y, x, channel] = np.rint(pixels) if field.dtype.kind in "iu" else pixels
        moved_fields.append(new_field)
    return moved_fields


def quarters(scan: Scan, seed: int = 0, most_quarters: int = 8) -> npt.NDArray[np.float64]:
    """Offsets in steps of a quarter of a pixel, which are exact in binary."""
    return (
        np.random.default_rng(seed).integers(-most_quarters, most_quarters + 1, (scan.num_fields, scan.num_channels))
        / 4
    )


# -------------------------------------------------------------------- backward lines


def test_odd_lines_of_a_page_are_backward(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    for field in read_scan(tmp_path).fields:
        assert np.array_equal(is_backward(field), np.tile([[False], [True]], (8, 16)))


@pytest.mark.parametrize("resonant", [True, False])
@pytest.mark.parametrize("frequency", [7930.0, 12013.0])
def test_a_resonant_mirror_goes_on_between_fields_and_galvos_begin_anew(
    tmp_path: Path, resonant: bool, frequency: float
) -> None:
    recording = Recording(rois=STRIPS, resonant=resonant, scanner_frequency=frequency)
    recording.write(tmp_path)
    first, second = (is_backward(field) for field in read_scan(tmp_path).fields)
    assert not first[0].any()
    assert first[1].all()
    assert second[0].all() == resonant
    for field, rows in zip((first, second), backward_rows(recording), strict=True):
        assert np.array_equal(field, np.broadcast_to(rows[:, None], field.shape))


def test_joined_pieces_have_each_its_own_lines(tmp_path: Path) -> None:
    Recording(rois=STRIPS).write(tmp_path)
    (field,) = read_scan(tmp_path, join_contiguous=True).fields
    backward_mask = is_backward(field)
    assert np.array_equal(backward_mask[:, 0], ~backward_mask[:, -1])
    trimmed = read_scan(tmp_path, join_contiguous=True).trimmed(top=1, left=2).fields[0]
    assert np.array_equal(is_backward(trimmed)[:, 0], backward_mask[1:, 0])


def test_lines_of_one_direction_and_averaged_lines_are_refused(tmp_path: Path) -> None:
    replace(VOLUME, bidirectional=False).write(tmp_path / "one")
    averaging_settings = {"hScan2D.LineAveragingLineCount": 2}
    Recording(lines_averaged=2, settings=averaging_settings).write(tmp_path / "averaged")
    for name, sentence in (("one", "in one direction"), ("averaged", "averaged into each row")):
        scan = read_scan(tmp_path / name)
        with pytest.raises(HeaderError, match=sentence):
            is_backward(scan.fields[0])
        with pytest.raises(HeaderError, match=sentence):
            estimate_line_offset(scan)
        with pytest.raises(HeaderError, match=sentence):
            realigned(scan, 0.5)


# ------------------------------------------------------------------------ taking it out


def test_half_a_pixel_is_the_mean_of_a_pixel_and_the_next(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path, dtype=np.float32)
    view = realigned(scan, 0.5)
    assert np.array_equal(view[:, ::2], scan[:, ::2])
    backward_lines = scan[:, 1::2]
    assert np.array_equal(view[:, 1::2, :-1], (backward_lines[:, :, :-1] + backward_lines[:, :, 1:]) / 2)
    assert np.isnan(view[:, 1::2, -1]).all()


@pytest.mark.parametrize("offset", [1, -1, 5, -15])
def test_whole_pixels_are_moved_and_not_changed(tmp_path: Path, offset: int) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    view = realigned(scan, offset, fill_value=-9)
    x = np.arange(16)
    is_inside = (x + offset >= 0) & (x + offset < 16)
    assert np.array_equal(view[:, 1::2, is_inside], scan[:, 1::2, (x + offset)[is_inside]])
    assert (view[:, 1::2, ~is_inside] == -9).all()
    assert np.array_equal(view[:, ::2], scan[:, ::2])


@pytest.mark.parametrize(
    "recording",
    [
        VOLUME,
        replace(VOLUME, dtype="uint16", frames_per_file=5),
        MESOSCOPE,
        Recording(rois=STRIPS, frames_per_slice=3, channels=(1, 2)),
        Recording(rois=WIDE_ROIS, frames_per_slice=3, resonant=False),
    ],
    ids=["volume", "uint16", "mesoscope", "odd heights", "galvo"],
)
@pytest.mark.parametrize("dtype", [None, "float32", "int32"])
def test_each_field_and_channel_by_its_offset(tmp_path: Path, recording: Recording, dtype: str | None) -> None:
    paths = recording.write(tmp_path)
    scan = read_scan(paths, dtype)
    offsets = quarters(scan)
    view = realigned(scan, offsets, fill_value=77)
    fields = [field.astype(scan.dtype) for field in expected(recording, paths)]
    fill = math.nan if dtype == "float32" else 77
    for i, expected_pixels in enumerate(with_moved_rows(fields, backward_rows(recording), offsets, fill)):
        assert view[i].dtype == scan.dtype
        np.testing.assert_array_equal(view[i], expected_pixels)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_recordings(), st.data())
def test_any_key_gives_what_the_whole_has_there(recording: Recording, data: st.DataObject) -> None:
    recording = replace(recording, bidirectional=True)
    with tempfile.TemporaryDirectory() as folder:
        paths = recording.write(folder)
        scan, _ = read_warned(folder)
        offsets = quarters(scan, data.draw(st.integers(0, 9)))
        view = realigned(scan, offsets, fill_value=3)
        fields = with_moved_rows(expected(recording, paths), backward_rows(recording), offsets, 3)
        assert_keys_pick(data, view, fields, scan.dtype)


@pytest.mark.parametrize("join", [False, True])
@pytest.mark.parametrize("offset", [0.75, -2.0, 3.5])
def test_trimming_before_and_after_is_the_same_and_brings_what_lies_beyond(
    tmp_path: Path, join: bool, offset: float
) -> None:
    Recording(rois=STRIPS, frames_per_slice=2).write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=join)
    edges = {"left": 4, "right": 4, "top": 1, "bottom": 2}
    trimmed_first, realigned_first = realigned(scan.trimmed(**edges), offset), realigned(scan, offset).trimmed(**edges)
    assert trimmed_first.fields == realigned_first.fields == scan.trimmed(**edges).fields
    np.testing.assert_array_equal(trimmed_first[:], realigned_first[:])
    pixels_read = realigned(scan, offset, fill_value=-9)
    columns = [x for xs in scan.fields[0].output_xslices for x in range(xs.start + 4, xs.stop - 4)]
    np.testing.assert_array_equal(trimmed_first[:], pixels_read[:, 1:-2, columns])
    assert not (trimmed_first[:] == -9).any()


def test_joined_pieces_are_moved_each_by_itself(tmp_path: Path) -> None:
    Recording(rois=STRIPS, frames_per_slice=2).write(tmp_path)
    realigned_fields = realigned(read_scan(tmp_path), 1.25, fill_value=-9)
    joined = realigned(read_scan(tmp_path, join_contiguous=True), 1.25, fill_value=-9)
    np.testing.assert_array_equal(joined[0], np.concatenate([realigned_fields[0], realigned_fields[1]], axis=1))
    np.testing.assert_array_equal(joined[0, ::-3, [20, 1, 1, 13, 12]], joined[0][::-3, [20, 1, 1, 13, 12]])


def test_only_what_is_asked_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    view = realigned(scan, 0.5)
    sizes: list[int] = []
    original = Pages.read

    def count_read(self: Pages, numbers: Any, rows: Any, columns: Any, *rest: Any) -> None:
        sizes.append(len(numbers) * len(rows) * len(columns))
        original(self, numbers, rows, columns, *rest)

    monkeypatch.setattr(Pages, "read", count_read)
    realigned(scan, 1.5)
    assert sizes == []
    cases: list[tuple[Any, int]] = [
        ((0, 3, 5, 0, 2), 2),  # a backward pixel lies between two
        ((0, 2, 5, 0, 2), 1),
        ((0, slice(None, None, 2), slice(0, 4), 0, 2), 8 * 4),
        ((0, slice(1, None, 2), slice(0, 4), 0, 2), 8 * 5),
        ((slice(None), slice(1, 4), [3, 9], 1, slice(0, 2)), 3 * 2 * 3 * 4),
    ]
    for key, pixels in cases:
        sizes.clear()
        view[key]
        assert sum(sizes) == pixels, key


def test_what_a_scan_can_do_is_done_with_the_lines_in_place(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    view = realigned(scan, 0.75)
    assert (view.shape, view.dtype, view.fields, view.num_frames) == (
        scan.shape,
        scan.dtype,
        scan.fields,
        scan.num_frames,
    )
    pixels_read = view[:]
    assert not np.array_equal(pixels_read, scan[:])
    assert np.array_equal(np.stack(list(view)), pixels_read)
    assert np.array_equal(np.asarray(view), pixels_read)
    view_copy = pickle.loads(pickle.dumps(view))
    assert type(view_copy) is type(view)
    assert len(pickle.dumps(view)) < 5000
    assert np.array_equal(view_copy[:], pixels_read)
    assert np.array_equal(view.refresh()[:], pixels_read)
    assert np.array_equal(view.timestamps, scan.timestamps)
    assert view.check().ok
    assert np.array_equal(view.canvas(frames=1, channel=1).image, pixels_read[0, :, :, 1, 1].astype(np.float32))
    assert view.token == realigned(scan, 0.75).token == view_copy.token
    assert len({scan.token, view.token, realigned(scan, 0.5).token, realigned(scan, 0.75, fill_value=1).token}) == 4


def test_bridges_carry_the_realigned_pixels(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    view = realigned(read_scan(tmp_path), 0.75)
    assert np.array_equal(view.to_dask(1).compute(), view[1])
    assert np.array_equal(view.to_xarray()["data"].values, view[:])


def test_frames_that_come_later_are_realigned_too(tmp_path: Path) -> None:
    first, *later_paths = replace(VOLUME, volumes=12, frames_per_file=16).write(tmp_path / "all")
    live_folder = tmp_path / "live"
    live_folder.mkdir()
    shutil.copy(first, live_folder)
    view = realigned(read_warned(live_folder)[0], 0.75)
    for path in later_paths:
        shutil.copy(path, live_folder)
    frames = np.concatenate(list(view.follow(timeout=30, field=1)), axis=-1)
    pixels_read = realigned(read_scan(live_folder), 0.75)
    assert len(later_paths) > 1
    assert np.array_equal(frames, pixels_read[1, ..., view.num_frames :])
    assert np.array_equal(view.refresh()[:], pixels_read[:])


def test_it_is_realigned_once(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    view = realigned(read_scan(tmp_path), 1)
    with pytest.raises(ScanKeyError, match="realigned before"):
        realigned(view, 1)
    with pytest.raises(AttributeError):
        view.dtype = np.dtype("int8")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("offsets", "sentence"),
    [
        ([0.5, 0.5], r"of shape \(3, 2\)"),
        ([0.5, 0.5, 0.5], r"of shape \(3, 2\)"),
        (np.zeros((2, 3)), r"not \(2, 3\)"),
        ("much", "numbers of pixels"),
        (math.nan, "field 0, channel 0 is nan: give 0"),
        ([[0, 0], [0, math.inf], [0, 0]], "field 1, channel 1 is inf"),
        (16, "below the width of a field, 16 pixels, not 16"),
    ],
)
def test_invalid_offsets_are_refused(tmp_path: Path, offsets: Any, sentence: str) -> None:
    VOLUME.write(tmp_path)
    with pytest.raises(ScanKeyError, match=sentence):
        realigned(read_scan(tmp_path), offsets)


@pytest.mark.parametrize("fill", [40000, -32769, 0.5])
def test_fill_values_must_fit_the_dtype(tmp_path: Path, fill: float) -> None:
    VOLUME.write(tmp_path)
    with pytest.raises(DtypeError, match="cannot be"):
        realigned(read_scan(tmp_path), 1, fill_value=fill)


# ------------------------------------------------------------------------ estimating

Picture = Callable[[int, int], npt.NDArray[np.float64]]


def cells(
    rng: np.random.Generator, rows: int, columns: int, displacements: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Blobs on a background, exact at any displacement of each row."""
    y, x = np.arange(rows)[:, None], np.arange(columns)[None, :] - displacements[:, None]
    picture = np.full((rows, columns), 100.0)
    for _ in range(max(4, rows * columns // 150)):
        at_y, at_x = rng.uniform(-5, rows + 5), rng.uniform(-5, columns + 5)
        sigma, height = rng.uniform(1.5, 4), rng.exponential(300)
        picture += height * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (2 * sigma**2))
    return picture


def write_cells(
    folder: Path, recording: Recording, offsets: npt.NDArray[Any], noise: float, seed: int = 0
) -> npt.NDArray[Any]:
    """Write a recording of cells whose backward lines are displaced, by field and channel; returns the offsets."""
    rng = np.random.default_rng(seed)
    backward_masks = backward_rows(recording)
    height, width = recording.page_shape
    first = np.cumsum([0, *(len(boxes) for boxes in recording.field_rows())])
    scenes: dict[tuple[int, int], npt.NDArray[Any]] = {}
    for slice_id, boxes in enumerate(recording.field_rows()):
        for c, channel in enumerate(recording.channels):
            page = np.full((height, width), 100.0)
            for i, (top, rows, columns) in enumerate(boxes, first[slice_id]):
                page[top : top + rows, :columns] = cells(
                    rng, rows, columns, np.where(backward_masks[i], offsets[i, c], 0)
                )
            scenes[slice_id, channel] = page

    def pages(frame: Logged, channel: int) -> npt.NDArray[Any]:
        scene = scenes[max(frame.slice, 0), channel]
        return np.clip(scene + rng.normal(0, noise, scene.shape), -32768, 32767).round().astype(recording.dtype)

    folder.mkdir(exist_ok=True)
    recording.write_file(folder / "cells_00001.tif", ((f, c, pages(f, c)) for f, c, _ in recording.pages()))
    return offsets


def assert_estimate(estimate: phase.LineOffset, offsets: npt.NDArray[Any], most_uncertainty: float) -> None:
    """Check that the error is below three uncertainties, and the uncertainty below `most`."""
    assert estimate.offset.shape == estimate.uncertainty.shape == offsets.shape
    assert (estimate.uncertainty < most_uncertainty).all(), estimate.uncertainty
    assert (np.abs(estimate.offset - offsets) < 3 * estimate.uncertainty + 1e-3).all(), (estimate, offsets)


PLANAR = Recording(height=128, width=128, frames_per_slice=6)


@pytest.mark.parametrize("offset", [0.0, 0.3, -0.5, 1.0, -1.7, 4.6])
@pytest.mark.parametrize(("noise", "most_uncertainty"), [(0.0, 0.03), (30.0, 0.05), (300.0, 0.4)])
def test_a_true_offset_is_estimated_within_its_uncertainty(
    tmp_path: Path, offset: float, noise: float, most_uncertainty: float
) -> None:
    offsets = write_cells(tmp_path, PLANAR, np.array([[offset]]), noise)
    assert_estimate(estimate_line_offset(read_scan(tmp_path)), offsets, most_uncertainty)


@pytest.mark.parametrize("seed", range(5))
def test_fields_and_channels_have_each_their_own(tmp_path: Path, seed: int) -> None:
    rois = (
        roi(scanfield((-3.2, 1.1), (2.4, 4.0), (96, 120)), name="V1"),
        roi(scanfield((0.4, 1.9), (2.4, 4.0), (96, 121)), name="LM"),
        roi(scanfield((3.6, -0.5), (2.4, 2.4), (96, 96)), zs=(60,), discrete=True, name="RSC"),
    )
    recording = replace(MESOSCOPE, rois=rois, channels=(1, 3), volumes=6)
    truth = np.random.default_rng(seed).uniform(-3, 3, (5, 2))
    offsets = write_cells(tmp_path, recording, truth, 40.0, seed)
    scan = read_scan(tmp_path)
    estimate = estimate_line_offset(scan)
    assert_estimate(estimate, offsets, 0.2)
    second_estimate = estimate_line_offset(realigned(scan, estimate.offset))
    assert realigned(scan, estimate).token == realigned(scan, estimate.offset).token
    assert (np.abs(second_estimate.offset) < 0.2).all()


def test_joined_fields_have_one(tmp_path: Path) -> None:
    strips = tuple(roi(scanfield((x, 0.0), (2.0, 8.0), (48, 193))) for x in (-1.0, 1.0))
    recording = Recording(rois=strips, frames_per_slice=4)
    write_cells(tmp_path, recording, np.array([[0.8], [0.8]]), 20.0)
    scan = read_scan(tmp_path, join_contiguous=True)
    assert scan.num_fields == 1
    assert_estimate(estimate_line_offset(scan), np.array([[0.8]]), 0.1)


@pytest.mark.parametrize("size", [32, 20, 16, 12])
def test_small_fields_are_found_or_not_but_not_wrong(tmp_path: Path, size: int) -> None:
    recording = Recording(height=size, width=size, frames_per_slice=20)
    num_estimates = 0
    for seed in range(12):
        offsets = write_cells(tmp_path / f"{seed}", recording, np.array([[0.6]]), 10.0, seed)
        estimate = estimate_line_offset(read_scan(tmp_path / f"{seed}"))
        if np.isfinite(estimate.offset).all():
            num_estimates += 1
            assert_estimate(estimate, offsets, 1.0)
        else:
            assert np.isinf(estimate.uncertainty).all()
    assert num_estimates > (6 if size > 20 else 0) or size < 16


@pytest.mark.parametrize("size", [64, 16, 8, 3, 1])
@pytest.mark.parametrize("noise", [0.0, 1.0, 50.0])
def test_blank_fields_have_no_estimate(tmp_path: Path, size: int, noise: float) -> None:
    rng = np.random.default_rng(size)
    recording = Recording(height=size, width=size, frames_per_slice=7, channels=(1, 2))
    blank_pages = ((f, c, (100 + rng.normal(0, noise, (size, size))).astype(np.int16)) for f, c, _ in recording.pages())
    recording.write_file(tmp_path / "blank_00001.tif", blank_pages)
    estimate = estimate_line_offset(read_scan(tmp_path))
    assert np.isnan(estimate.offset).all()
    assert np.isinf(estimate.uncertainty).all()
    with pytest.raises(ScanKeyError, match="give 0"):
        realigned(read_scan(tmp_path), estimate.offset)


def test_a_pattern_that_repeats_says_nothing(tmp_path: Path) -> None:
    """Where stripes stand 6 pixels apart, an offset of 1 is one of -5."""
    recording = Recording(height=64, width=64, frames_per_slice=3)
    stripes = np.tile((100 + 50 * np.sin(np.arange(64) * np.pi / 3)).astype(np.int16), (64, 1))
    recording.write_file(tmp_path / "stripes_00001.tif", ((f, c, stripes) for f, c, _ in recording.pages()))
    assert np.isnan(estimate_line_offset(read_scan(tmp_path)).offset).all()


def test_frames_are_bounded_and_spread_and_the_answer_is_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cells(tmp_path, replace(PLANAR, frames_per_slice=50), np.array([[0.4]]), 30.0)
    scan = read_scan(tmp_path)
    pages_read: set[int] = set()
    original = Pages.read

    def count_read(self: Pages, numbers: Any, *rest: Any) -> None:
        pages_read.update(np.asarray(numbers).tolist())
        original(self, numbers, *rest)

    monkeypatch.setattr(Pages, "read", count_read)
    estimate = estimate_line_offset(scan, frames=8)
    assert pages_read == {0, 7, 14, 21, 28, 35, 42, 49}
    assert_estimate(estimate, np.array([[0.4]]), 0.1)
    second_estimate = estimate_line_offset(pickle.loads(pickle.dumps(scan)), frames=8)
    assert np.array_equal(estimate.offset, second_estimate.offset)
    assert np.array_equal(estimate.uncertainty, second_estimate.uncertainty)
    monkeypatch.setattr(phase, "AT_A_TIME", 1)  # a frame at a time
    assert np.array_equal(estimate_line_offset(scan, frames=8).offset, estimate.offset)


def test_an_offset_beyond_what_is_looked_for_is_not_found(tmp_path: Path) -> None:
    write_cells(tmp_path, PLANAR, np.array([[4.6]]), 10.0)
    scan = read_scan(tmp_path)
    assert np.isnan(estimate_line_offset(scan, largest=3).offset).all()
    assert_estimate(estimate_line_offset(scan, largest=6), np.array([[4.6]]), 0.1)


def test_counts_below_1_are_refused(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.raises(ScanKeyError, match="at least 1"):
        estimate_line_offset(scan, frames=0)
    with pytest.raises(ScanKeyError, match="at least 1"):
        estimate_line_offset(scan, largest=0)
    with pytest.raises(ScanKeyError, match="an integer was expected"):
        estimate_line_offset(scan, largest=2.5)  # type: ignore[arg-type]


def test_pages_that_are_filled_are_left_out(tmp_path: Path) -> None:
    recording = replace(PLANAR, frames_per_slice=40)
    write_cells(tmp_path, recording, np.array([[0.7]]), 20.0)
    (path,) = tmp_path.glob("*.tif")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40000] = b"\xff" * 40000
    path.write_bytes(data)
    scan, _ = read_warned(path, on_damage="fill", dtype=np.float32)
    with pytest.warns(UserWarning, match="filled"):
        estimate = estimate_line_offset(scan)
    assert_estimate(estimate, np.array([[0.7]]), 0.1)


def test_real_recordings_say_something_small_or_nothing(recordings: Path) -> None:
    """Two volumes of a microscope whose line phase was set, and pictures of little."""
    for name in ("two_channels_5_7.tif", "volume_two_channels", "slow_stack_20220923_noroi.tif"):
        scan = read_scan(recordings / name)
        estimate = estimate_line_offset(scan)
        is_finite = np.isfinite(estimate.offset)
        assert (np.abs(estimate.offset[is_finite]) < 3 * estimate.uncertainty[is_finite] + 2).all()
        view = realigned(scan, np.where(is_finite, estimate.offset, 0))
        assert view.shape == scan.shape
        assert np.array_equal(view[:, ::2], scan[:, ::2])


def test_bytes_of_files_are_not_given_as_realigned(tmp_path: Path) -> None:
    Recording(frames_per_slice=4).write(tmp_path / "rec")
    scan = realigned(read_scan(tmp_path / "rec"), 1.0)
    for request in (scan, scan.select(frames=[0])):
        with pytest.raises(LayoutError, match="moved when they are read"):
            request.byte_places(0)
        with pytest.raises(LayoutError, match="moved when they are read"):
            request.to_references(tmp_path / "r.json")
    with pytest.raises(LayoutError, match="as they were recorded"):
        scan.report(tmp_path / "r.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rec"]
