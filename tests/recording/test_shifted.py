"""Shifted fields: each pixel moved by whole rows and columns, and its position in µm unchanged."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from common import LIGHT_BEADS, MESOSCOPE, expected
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import assert_keys_pick

from scanreader import DtypeError, LayoutError, Scan, ScanKeyError, phase, read_scan
from scanreader.simulate import Recording, roi, scanfield

Array = npt.NDArray[Any]

SHIFTS = [[0, 0], [2, -1], [3, -2]]
PLANES = Recording(
    mode="fast",
    zs=(0.0, 30.0, 60.0),
    flyback=1,
    volumes=4,
    channels=(1, 2),
    rois=(roi(scanfield((1.0, 2.0), (2.4, 2.0), (12, 10)), name="A"),),
)
TWO_ROIS = replace(
    PLANES, rois=(*PLANES.rois, roi(scanfield((5.0, 2.0), (2.4, 3.2), (12, 16), rotation=30), name="turned"))
)


def move_field(field: Array, shift: list[int], padding: tuple[int, int, int, int], fill: float) -> Array:
    """A field with each pixel moved, one by one, on a canvas with rows and columns added around it."""
    top, bottom, left, right = padding
    height, width = field.shape[:2]
    image = np.full((height + top + bottom, width + left + right, *field.shape[2:]), fill, field.dtype)
    for y in range(height):
        for x in range(width):
            image[y + shift[0] + top, x + shift[1] + left] = field[y, x]
    return image


@pytest.fixture
def planes(tmp_path: Path) -> tuple[Scan, list[Array]]:
    paths = PLANES.write(tmp_path / "planes")
    return read_scan(tmp_path / "planes"), expected(PLANES, paths)


def test_the_canvas_holds_every_pixel_at_its_shifted_place(planes: tuple[Scan, list[Array]]) -> None:
    scan, fields = planes
    shifted = scan.shifted(SHIFTS, fill=-5)
    assert scan.shape[1:3] == (10, 12)
    assert shifted.shape == (3, 10 + 3, 12 + 2, 2, 4)
    assert shifted.dtype == scan.dtype
    for y, x in ((0, 0), (9, 11), (4, 7)):
        np.testing.assert_array_equal(shifted[1, y + 2, x - 1 + 2], fields[1][y, x])
    for i, shift in enumerate(SHIFTS):
        np.testing.assert_array_equal(shifted[i], move_field(fields[i], shift, (0, 3, 2, 0), -5))


def test_the_round_trip_is_exact(planes: tuple[Scan, list[Array]]) -> None:
    scan, fields = planes
    shifted = scan.shifted(SHIFTS)
    for i, field in enumerate(shifted.fields):
        (piece,) = field.pieces
        back = shifted[i, piece.output_y : piece.output_y + 10, piece.output_x : piece.output_x + 12]
        np.testing.assert_array_equal(back, fields[i])


def test_common_is_what_all_planes_have(planes: tuple[Scan, list[Array]]) -> None:
    scan, fields = planes
    common_view = scan.shifted(SHIFTS, keep="common")
    assert common_view.shape == (3, 10 - 3, 12 - 2, 2, 4)
    for i, (down_by, right) in enumerate(SHIFTS):
        np.testing.assert_array_equal(common_view[i], fields[i][3 - down_by : 10 - down_by, -right : 10 - right])
    assert all(field.placement.hidden == 120 - 70 for field in common_view.fields)


@pytest.mark.parametrize("keep", ["canvas", "common"])
def test_positions_in_microns_stay_those_of_the_recorded_pixels(tmp_path: Path, keep: str) -> None:
    TWO_ROIS.write(tmp_path)
    scan = read_scan(tmp_path)
    shifts = [[0, 0], [1, -4], [2, -1], [0, 3], [3, -2], [-2, 0]]
    shifted = scan.shifted(shifts, keep=keep)
    for i, (recorded_field, shifted_field) in enumerate(zip(scan.fields, shifted.fields, strict=True)):
        (piece,) = shifted_field.pieces
        assert piece.page_y - recorded_field.pieces[0].page_y == piece.trim.top
        for row, column in ((0, 0), (piece.height - 1, piece.width - 1), (2, 1)):
            recorded_place = recorded_field.affine @ [column + piece.trim.left, row + piece.trim.top, 1]
            shifted_place = shifted_field.affine @ [column + piece.output_x, row + piece.output_y, 1]
            np.testing.assert_allclose(shifted_place, recorded_place, atol=1e-9)
            value = scan[i, row + piece.trim.top, column + piece.trim.left, 0, 1]
            assert shifted[i, row + piece.output_y, column + piece.output_x, 0, 1] == value
        edge = np.array([[-0.5, -0.5, 1], [shifted_field.width - 0.5, -0.5, 1]])
        np.testing.assert_allclose(
            (shifted_field.affine @ edge.T)[:2].T, shifted_field.corners_in_microns[:2], atol=1e-9
        )
        times = recorded_field.offsets[piece.trim.top :, piece.trim.left :][: piece.height, : piece.width]
        np.testing.assert_array_equal(shifted_field.offsets[shifted_field.roi_mask >= 0].reshape(times.shape), times)


def test_one_row_a_plane_moves_all_its_fields(tmp_path: Path) -> None:
    TWO_ROIS.write(tmp_path)
    scan = read_scan(tmp_path)
    by_plane, by_field = scan.shifted(SHIFTS), scan.shifted(np.repeat(SHIFTS, 2, axis=0))
    assert by_plane.token == by_field.token
    assert by_plane.shifts.tolist() == np.repeat(SHIFTS, 2, axis=0).tolist()
    LIGHT_BEADS.write(tmp_path / "beads")
    beads = read_scan(tmp_path / "beads").channels_as_planes()
    shifts = [[i, -i] for i in range(14)]
    assert beads.shifted(shifts).shifts.tolist() == [[field.plane, -(field.plane or 0)] for field in beads.fields]


def test_microns_are_rounded_and_the_rest_is_reported(planes: tuple[Scan, list[Array]]) -> None:
    scan, _ = planes
    size = scan.fields[0].pixel_height_in_microns
    assert size == pytest.approx(3.0)
    shifted = scan.shifted([[0, 0], [7, -3], [8.9, -6]], unit="um")
    assert shifted.shifts.tolist() == [[0, 0], [2, -1], [3, -2]]
    (finding,) = [finding_of_view for finding_of_view in shifted.findings if finding_of_view.name == "shifted-fields"]
    assert finding.is_note
    assert "up to 1 µm remain (field 1: dy 1, dx 0)" in finding.sentence
    exact_view = scan.shifted([[0, 0], [6, -3], [9, -6]], unit="um")
    assert exact_view.findings == scan.findings
    assert exact_view.token == shifted.token


def test_the_shift_is_an_attribute(planes: tuple[Scan, list[Array]]) -> None:
    scan, _ = planes
    assert scan.shifts.tolist() == [[0, 0]] * 3
    shifted = scan.shifted(SHIFTS)
    assert shifted.shifts.tolist() == SHIFTS
    assert shifted.select(fields=[2, 0]).shifts.tolist() == [[3, -2], [0, 0]]
    for view_copy in (pickle.loads(pickle.dumps(shifted)), shifted.refresh()):
        assert (view_copy.token, view_copy.fields, view_copy.shifts.tolist()) == (shifted.token, shifted.fields, SHIFTS)


@pytest.mark.parametrize(
    ("shifts", "options", "sentence"),
    [
        ([[0, 0], [1, 1]], {}, "shifts have 2 rows: give one .* for each of 3 fields"),
        ([[0, 0], [1.5, 1], [2, 2]], {}, r"whole pixels, and row 1 is \(1\.5, 1\)"),
        ([0, 1, 2], {}, "of shape"),
        ([[0, 0, 0]] * 3, {}, "of shape"),
        ([[0, 0], [0, np.nan], [0, 0]], {}, "finite"),
        ([[0, 0], [1e300, 0], [0, 0]], {}, "larger than any image"),
        ("no", {}, "one .* a field or a plane"),
        (SHIFTS, {"unit": "mm"}, "'px' or 'um'"),
        (SHIFTS, {"keep": "all"}, "'canvas' or 'common'"),
        ([[0, 0], [10, 0], [0, 0]], {"keep": "common"}, "leave 0 rows and 12 columns in common of field 0"),
    ],
)
def test_what_cannot_be_shifted_is_refused(
    planes: tuple[Scan, list[Array]], shifts: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ScanKeyError, match=sentence):
        planes[0].shifted(shifts, **options)


def test_a_fill_that_the_dtype_cannot_hold_is_refused(planes: tuple[Scan, list[Array]]) -> None:
    with pytest.raises(DtypeError, match="give another fill"):
        planes[0].shifted(SHIFTS, fill=0.5)


def test_microns_need_the_size_of_a_pixel(tmp_path: Path) -> None:
    replace(PLANES, settings={"objectiveResolution": None}).write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.raises(LayoutError, match="give shifts in pixels"):
        scan.shifted(SHIFTS, unit="um")
    assert scan.shifted(SHIFTS).shape[1:3] == (13, 14)


def test_shifting_and_trimming_twice_are_refused(planes: tuple[Scan, list[Array]]) -> None:
    scan, fields = planes
    for shifted in (scan.shifted(SHIFTS), scan.shifted(SHIFTS).select(fields=[0])):  # field 0 is shifted by 0
        with pytest.raises(LayoutError, match="shifted already: shift the scan that this was made of, by the sum"):
            shifted.shifted([[0, 0]] * len(shifted))
        with pytest.raises(LayoutError, match="trimmed goes before"):
            shifted.trimmed(left=1)
        with pytest.raises(LayoutError, match="stitched goes before"):
            shifted.stitched()
    trimmed_first = scan.trimmed(left=2).shifted(SHIFTS)
    for i, shift in enumerate(SHIFTS):
        np.testing.assert_array_equal(trimmed_first[i], move_field(fields[i][:, 2:], shift, (0, 3, 2, 0), 0))


def test_references_serve_common_pixels_and_refuse_a_canvas(planes: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    scan, fields = planes
    with pytest.raises(LayoutError, match="were not recorded, so they are in no file: shift with keep='common'"):
        scan.shifted(SHIFTS).to_references(tmp_path / "canvas.json")
    scan.shifted(SHIFTS, keep="common").to_references(tmp_path / "common.json")
    references = json.loads((tmp_path / "common.json").read_text("utf-8"))["refs"]
    row = fields[2][0, 2:12, 1, 3]
    url, start, size = references["field_2/3.1.0.0"]
    file_bytes = Path(url.removeprefix("file://")).read_bytes()[start : start + size]
    np.testing.assert_array_equal(np.frombuffer(file_bytes, row.dtype), row)


def test_realigned_before_and_after(planes: tuple[Scan, list[Array]]) -> None:
    scan, _ = planes
    for keep in ("canvas", "common"):
        realigned_first = phase.realigned(scan, 1.5).shifted(SHIFTS, keep=keep, fill=-2)
        shifted_first = phase.realigned(scan.shifted(SHIFTS, keep=keep, fill=-2), 1.5)
        np.testing.assert_array_equal(realigned_first[:], shifted_first[:])
        realigned = phase.realigned(scan, 1.5)
        (piece,) = realigned_first.fields[2].pieces
        rows = np.s_[piece.trim.top : piece.trim.top + piece.height]
        columns = np.s_[piece.trim.left : piece.trim.left + piece.width]
        piece_pixels = realigned_first[2, piece.output_y :, piece.output_x :][: piece.height, : piece.width]
        np.testing.assert_array_equal(piece_pixels, realigned[2, rows, columns])


def test_joined_and_stitched_fields_move_as_a_whole(tmp_path: Path) -> None:
    strips = tuple(roi(scanfield((2.0 * i, 0.0), (2.0, 2.0), (12, 10)), name=f"strip {i}") for i in range(2))
    separate_rois = (strips[0], roi(scanfield((3.0, 1.0), (2.0, 2.0), (12, 10)), name="apart"))
    replace(PLANES, rois=strips).write(tmp_path / "touching")
    replace(PLANES, rois=separate_rois).write(tmp_path / "apart")
    joined = read_scan(tmp_path / "touching").trimmed(right=1).join_contiguous()
    stitched = read_scan(tmp_path / "apart").stitched(fill=-3)
    for scan, fill in ((joined, 0), (stitched, -3)):
        fields = [scan[i] for i in range(3)]
        canvas, common_view = scan.shifted(SHIFTS), scan.shifted(SHIFTS, keep="common")
        height, width = fields[0].shape[:2]
        for i, (down_by, right) in enumerate(SHIFTS):
            np.testing.assert_array_equal(canvas[i], move_field(fields[i], [down_by, right], (0, 3, 2, 0), fill))
            part = np.s_[3 - down_by : height - down_by, -right : width - 2 - right]
            np.testing.assert_array_equal(common_view[i], fields[i][part])
            np.testing.assert_array_equal(common_view.fields[i].roi_mask, scan.fields[i].roi_mask[part])
        assert {field.closed_gaps for field in (*canvas.fields, *common_view.fields)} == {scan.fields[0].closed_gaps}
    assert joined.fields[0].closed_gaps == (0, 1)


def test_the_canvas_draws_pixels_where_they_were_recorded(planes: tuple[Scan, list[Array]]) -> None:
    scan, _ = planes
    assert np.array_equal(scan.shifted(SHIFTS).canvas(1).image, scan.canvas(1).image)
    common_canvas = scan.shifted(SHIFTS, keep="common").canvas(1)
    top, left = SHIFTS[2][0] - SHIFTS[1][0], -SHIFTS[1][1]
    np.testing.assert_array_equal(common_canvas.image, scan.canvas(1).image[top : top + 7, left : left + 10])
    assert common_canvas.top == pytest.approx(scan.canvas(1).top + 3.0 * top)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=5, max_size=5),
    st.sampled_from(["canvas", "common"]),
    st.sampled_from([0, -4]),
    st.data(),
)
def test_any_key_of_any_shifted_scan_is_what_numpy_gives(
    tmp_path_factory: pytest.TempPathFactory, shifts: list[tuple[int, int]], keep: str, fill: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("shifted")
    fields = expected(MESOSCOPE, MESOSCOPE.write(folder))
    scan = read_scan(folder).shifted(shifts, keep=keep, fill=fill)
    rows_down, columns_right = np.transpose(shifts)
    padding = (max(0, -min(rows_down)), max(0, *rows_down), max(0, -min(columns_right)), max(0, *columns_right))
    arrays = [move_field(field, list(shift), padding, fill) for field, shift in zip(fields, shifts, strict=True)]
    if keep == "common":
        arrays = [
            array[padding[0] + max(rows_down) :, padding[2] + max(columns_right) :][
                : field.shape[0] - np.ptp(rows_down), : field.shape[1] - np.ptp(columns_right)
            ]
            for array, field in zip(arrays, fields, strict=True)
        ]
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(scan[i], array)
    assert_keys_pick(data, scan, arrays, np.dtype(MESOSCOPE.dtype))
