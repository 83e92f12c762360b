"""Fields of multi-ROI recordings: which, where in the page, of what shape; joining; times and geometry."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from common import MESOSCOPE, ROIS, assert_reads, expected, read_warned

from scanreader import FieldDimensionMismatch, LayoutError, read_scan
from scanreader.recording.joining import join_contiguous
from scanreader.recording.timing import line_times, pixel_times
from scanreader.scanimage.rois import Roi, Scanfield
from scanreader.simulate import Recording, Verbatim, roi, roi_groups, roi_json, scanfield, write_bigtiff

PLANAR = Recording(frames_per_slice=4, rois=ROIS[:2])


def box(x: float, y: float, width: float = 2.0, height: float = 2.0, pixels: tuple[int, int] = (20, 20)) -> Any:
    return scanfield((x, y), (width, height), pixels)


# ----------------------------------------------------------------- the gap


@pytest.mark.parametrize(
    ("frequency", "flyto", "bidirectional", "gap"),
    [
        (7921.0, 0.001, True, 16),  # 8 kHz
        (7921.0, 0.001, False, 8),
        (12013.0, 0.001, True, 26),  # 12 kHz: MATLAB's tools say 24
        (12013.0, 0.001, False, 13),
        (12013.0, 0.002, True, 50),
        (12013.0, 0.004, True, 98),
    ],
)
def test_gap_is_whole_mirror_periods(
    tmp_path: Path, frequency: float, flyto: float, bidirectional: bool, gap: int
) -> None:
    recording = replace(PLANAR, scanner_frequency=frequency, flyto=flyto, bidirectional=bidirectional)
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert [f.yslices[0] for f in scan.fields] == [slice(0, 40), slice(40 + gap, 80 + gap)]
    assert_reads(scan, reference.fields(reference.all_pages(paths), boxes=[[(0, 40, 24), (40 + gap, 40, 24)]]))


def test_one_period_with_six_digits_is_one_period(tmp_path: Path) -> None:
    """1/7931.1 prints as 0.000126086, which times 7931.1 is 1.0000007: not two periods."""
    frequency = 7931.1
    recording = replace(PLANAR, release="2021.0", scanner_frequency=frequency, flyto=1 / frequency)
    assert float(f"{1 / frequency:.6g}") * frequency > 1
    paths = recording.write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert warning == ""
    assert_reads(scan, reference.fields(reference.all_pages(paths), boxes=[[(0, 40, 24), (42, 40, 24)]]))


def test_gap_of_the_page_wins_within_a_period_with_a_warning(tmp_path: Path) -> None:
    paths = replace(PLANAR, settings={"hScan2D.flytoTimePerScanfield": 0.00108}).write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert "16 lines by the page's height and 18 by the header" in warning
    assert_reads(scan, expected(PLANAR, paths))


@pytest.mark.parametrize("flyto", [0.002, 0.0001])
def test_gap_further_from_the_rule_is_refused(tmp_path: Path, flyto: float) -> None:
    replace(PLANAR, settings={"hScan2D.flytoTimePerScanfield": flyto}).write(tmp_path)
    with pytest.raises(LayoutError, match=r"96 rows.*2 fields.*80 lines.*16 lines"):
        read_scan(tmp_path)
    assert read_scan(tmp_path, raw=True).shape == (1, 96, 24, 1, 4)


@pytest.mark.parametrize("release", ["2016b", "2023.1"])
def test_galvo_pages_have_no_gap_and_fields_of_any_width(tmp_path: Path, release: str) -> None:
    rois = (roi(box(-3, 0, pixels=(10, 20))), roi(box(3, 0, pixels=(30, 8))), roi(box(0, 3, pixels=(16, 12))))
    recording = replace(PLANAR, release=release, rois=rois, resonant=False)
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.field_heights == [20, 8, 12]
    assert scan.field_widths == [10, 30, 16]
    boxes = [[(0, 20, 10), (20, 8, 30), (28, 12, 16)]]
    assert_reads(scan, reference.fields(reference.all_pages(paths), boxes=boxes))


def test_galvo_page_that_is_too_high_is_refused(tmp_path: Path) -> None:
    replace(PLANAR, settings={"hScan2D.scanMode": "linear"}).write(tmp_path)
    with pytest.raises(LayoutError, match="the header says 0"):
        read_scan(tmp_path)


@pytest.mark.parametrize(
    ("settings", "resonant"),
    [
        ({"hScan2D.scanMode": "resonant", "hScan2D.scannerType": "GG"}, True),
        ({"hScan2D.scanMode": "linear", "hScan2D.scannerType": "RGG"}, False),
        ({"hScan2D.scanMode": None, "hScan2D.scannerType": "RG"}, True),
        ({"hScan2D.scanMode": None, "hScan2D.scannerType": "Linear"}, False),
        ({"hScan2D.scanMode": None, "hScan2D.scannerType": None}, True),
        ({"hScan2D.scanMode": None, "hScan2D.scannerType": None, "hScan2D.scannerFrequency": []}, False),
        (
            {"hScan2D.scanMode": None, "hScan2D.scannerType": None, "hScan2D.scannerFrequency": math.nan},
            False,
        ),
        ({"hScan2D.scanMode": None, "hScan2D.scannerType": None, "hScan2D.hasResonantMirror": False}, False),
    ],
)
def test_which_scanner_it_is(tmp_path: Path, settings: dict[str, Any], resonant: bool) -> None:
    Recording(settings=settings).write(tmp_path)
    assert read_scan(tmp_path).is_resonant is resonant


# -------------------------------------------------------- which fields


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("resonant", [True, False])
def test_disabled_and_discrete_rois(tmp_path: Path, bidirectional: bool, resonant: bool) -> None:
    recording = replace(MESOSCOPE, bidirectional=bidirectional, resonant=resonant)
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.field_rois == [[0], [1], [0], [1], [2]]
    assert scan.field_slices == [0, 0, 1, 1, 1]
    assert scan.field_depths == [0, 0, 60, 60, 60]
    assert scan.field_heights == [40, 40, 40, 40, 24]
    assert scan.num_rois == 4
    gap = (26 if bidirectional else 13) if resonant else 0
    top = [(0, 40, 24), (40 + gap, 40, 24)]
    boxes = [top, [*top, (80 + 2 * gap, 24, 24)]]
    assert_reads(scan, reference.fields(reference.all_pages(paths), slices=2, flyback=1, boxes=boxes))
    with pytest.raises(FieldDimensionMismatch, match=r"40, 40, 40, 40, 24"):
        _ = scan.shape


def test_roi_enable_may_be_missing(tmp_path: Path) -> None:
    rois = tuple({k: v for k, v in r.items() if k != "enable"} for r in ROIS[:2])
    paths = replace(PLANAR, rois=rois).write(tmp_path)
    assert_reads(read_scan(tmp_path), expected(PLANAR, paths))


def test_disabled_scanfield(tmp_path: Path) -> None:
    disabled_roi = roi(
        scanfield((0, 0), (2, 2), (24, 20)),
        scanfield((0, 0), (2, 2), (24, 60), enabled=False),
        zs=(0, 60),
    )
    recording = replace(MESOSCOPE, rois=(disabled_roi, ROIS[0]))
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.field_heights == [20, 40, 20, 40]
    boxes = [[(0, 20, 24), (46, 40, 24)]] * 2
    assert_reads(scan, reference.fields(reference.all_pages(paths), slices=2, flyback=1, boxes=boxes))


def test_interpolated_fields(tmp_path: Path) -> None:
    """Between z = 0 (20 rows) and z = 90 (50 rows): 30 and 40 rows, and centres on the line."""
    leaning_roi = roi(scanfield((0, 0), (2, 2), (24, 20)), scanfield((3, 6), (2, 5), (24, 50), rotation=30), zs=(0, 90))
    recording = replace(MESOSCOPE, zs=(0.0, 30.0, 60.0, 90.0, 120.0), rois=(leaning_roi, ROIS[0]))
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert [f.height for f in scan.fields] == [20, 40, 30, 40, 40, 40, 50, 40, 40]
    assert scan.fields[2].x == pytest.approx(1)
    assert scan.fields[2].y == pytest.approx(2)
    assert scan.fields[2].rotation == pytest.approx(10)
    assert scan.fields[4].height_in_degrees == pytest.approx(4)
    boxes = [[(0, h, 24), (h + 26, 40, 24)] for h in (20, 30, 40, 50)] + [[(0, 40, 24)]]
    assert_reads(scan, reference.fields(reference.all_pages(paths), slices=5, flyback=1, boxes=boxes))


def test_interpolated_pixels_are_even_halves_up() -> None:
    a, b = Scanfield(0, 0, 1, 1, 350, 10, 10), Scanfield(0, 0, 1, 1, 10, 16, 13)
    shape = Roi("r", (0, 2), (a, b)).at(1)
    assert shape is not None
    assert (shape.height, shape.width) == (14, 12)  # 13 -> 2 * round(6.5), 11.5 -> 2 * round(5.75)
    assert shape.rotation % 360 == 0


def test_rois_are_in_the_order_of_the_list(tmp_path: Path) -> None:
    recording = replace(PLANAR, rois=(ROIS[1], ROIS[0]))
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert [f.x for f in scan.fields] == [0.4, -3.2]
    assert_reads(scan, expected(recording, paths))


def test_depths_are_compared_with_a_tolerance(tmp_path: Path) -> None:
    """Six digits of the header: -11179.53 µm prints as -11179.5."""
    deep_roi = roi(scanfield(pixels=(24, 20)), zs=(-11179.53,), discrete=True)
    recording = replace(MESOSCOPE, release="2021.0", zs=(-11179.53, -11100.0), rois=(deep_roi, ROIS[0]))
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.scanning_depths[0] == -11179.5
    assert scan.field_rois == [[0], [1 - 0], [1]]


def test_one_roi_that_fills_the_page(tmp_path: Path) -> None:
    paths = replace(PLANAR, rois=ROIS[:1]).write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.is_multiROI
    assert_reads(scan, reference.fields(reference.all_pages(paths)))


def test_one_roi_that_does_not_fill_the_page_is_refused(tmp_path: Path) -> None:
    image = np.zeros((44, 24), np.int16)
    recording = replace(PLANAR, rois=ROIS[:1])
    write_bigtiff(
        tmp_path / "a.tif",
        recording.header_text().encode() + b"\0",
        recording.roi_text().encode() + b"\0",
        [(b"", image)],
    )
    with pytest.raises(LayoutError, match=r"44 rows.*1 fields.*40 lines"):
        read_scan(tmp_path / "a.tif")


@pytest.mark.parametrize("mroi_enable", [1, True, 0, False])
def test_more_than_one_roi_or_mroi_on_cuts_the_page(tmp_path: Path, mroi_enable: Any) -> None:
    paths = replace(PLANAR, settings={"hRoiManager.mroiEnable": mroi_enable}).write(tmp_path)
    assert_reads(read_scan(tmp_path), expected(PLANAR, paths))


@pytest.mark.parametrize("rois", [b"", b"\0", b"{broken\0", b'{"RoiGroups": {"imagingRoiGroup": {"rois": null}}}\n\0'])
def test_mroi_without_rois_gives_whole_pages_with_a_warning(tmp_path: Path, rois: bytes) -> None:
    pages = [(b"", np.arange(64, dtype=np.int16).reshape(8, 8))]
    write_bigtiff(tmp_path / "a.tif", PLANAR.header_text().encode() + b"\0", rois, pages)
    scan, warning = read_warned(tmp_path / "a.tif")
    assert "the whole pages are the fields" in warning
    assert scan.shape == (1, 8, 8, 1, 1)


def test_uniform_sampling_takes_the_width_of_the_page(tmp_path: Path) -> None:
    recording = replace(PLANAR, settings={"hScan2D.uniformSampling": True})
    header, rois = recording.header_text().encode() + b"\0", recording.roi_text().encode() + b"\0"
    images = [np.arange(96 * 25, dtype=np.int16).reshape(96, 25) + i for i in range(3)]
    write_bigtiff(tmp_path / "a.tif", header, rois, [(b"", image) for image in images])
    scan = read_scan(tmp_path / "a.tif")
    boxes = [[(0, 40, 25), (56, 40, 25)]]
    assert_reads(scan, reference.fields(np.stack(images), boxes=boxes))


# --------------------------------------------------- line averaging


@pytest.mark.parametrize(
    "key", ["hScan2D.LineAveragingLineCount", "hScan2D.lineAverageFactor", "hAcq.lineAverageFactor"]
)
def test_line_averaging(tmp_path: Path, key: str) -> None:
    """2 fields of 40 lines, gap 16, 2 lines a row: 48 rows, the fields at rows 0 and 28."""
    recording = replace(PLANAR, lines_averaged=2, settings={"hScan2D.LineAveragingLineCount": None, key: 2})
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    pages = reference.all_pages(paths)
    assert pages.shape[1] == 48
    assert scan.field_heights == [20, 20]
    assert_reads(scan, reference.fields(pages, boxes=[[(0, 20, 24), (28, 20, 24)]]))
    assert scan.fields[0].height_in_microns / 20 == pytest.approx(2 * 60 / 40)


def test_line_averaging_that_does_not_divide_is_refused(tmp_path: Path) -> None:
    rois = (roi(scanfield(pixels=(24, 21))), roi(scanfield(pixels=(24, 21))))
    replace(PLANAR, rois=rois, lines_averaged=2).write(tmp_path)
    with pytest.raises(LayoutError, match="2 lines were averaged"):
        read_scan(tmp_path)


def test_line_averaging_of_a_plain_page(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=3, lines_averaged=2)
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert_reads(scan, expected(recording, paths))
    assert scan.fields[0].offsets[1, 0] == pytest.approx((2 + 0.5 + 0.5) * scan.seconds_per_line)


# ------------------------------------------------------------- joining


def test_joins_fields_side_by_side_and_on_top(tmp_path: Path) -> None:
    """Four squares of a 2 x 2 mosaic, scanned in no order, are one field of 40 x 40."""
    rois = (roi(box(1, 1)), roi(box(-1, -1)), roi(box(1, -1)), roi(box(-1, 1)))
    recording = replace(PLANAR, rois=rois)
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    assert scan.num_fields == 1
    a, b, c, d = expected(recording, paths)
    joined_field = np.concatenate([np.concatenate([b, c], 1), np.concatenate([d, a], 1)], 0)
    assert_reads(scan, [joined_field])
    field = scan.fields[0]
    assert (field.y, field.x, field.height_in_degrees, field.width_in_degrees) == (0, 0, 4, 4)
    assert sorted(field.roi_ids) == [0, 1, 2, 3]
    assert field.roi_mask[0, 0] == 1
    assert field.roi_mask[39, 39] == 0
    assert field.has_contiguous_subfields
    for key in (
        (0, slice(None, None, -3), [1, 39, 20, 1]),
        (0, [5, 25, 5], slice(30, 10, -1)),
        (0, 7, 30),
        (0, 25, slice(3)),
    ):
        whole_key = (*key, *[slice(None)] * (5 - len(key)))
        np.testing.assert_array_equal(scan[key], reference.index(joined_field[None], whole_key))


@pytest.mark.parametrize(
    "second",
    [
        box(0, 2.5),  # a gap between them
        box(0.5, 2),  # shifted along the side
        box(0, 2, pixels=(22, 20)),  # other pixels on the shared side
        box(0, 2.5, height=3),  # pixels of another height
        box(2, 2),  # only a corner
        scanfield((0, 2), (2, 2), (20, 20), rotation=10),
    ],
)
def test_does_not_join(tmp_path: Path, second: Any) -> None:
    recording = replace(PLANAR, rois=(roi(box(0, 0)), roi(second)), resonant=False)
    recording.write(tmp_path)
    assert read_scan(tmp_path, join_contiguous=True).num_fields == 2


def test_does_not_join_across_slices(tmp_path: Path) -> None:
    rois = (roi(box(0, 0), zs=(0,), discrete=True), roi(box(0, 2), zs=(60,), discrete=True))
    replace(MESOSCOPE, rois=rois).write(tmp_path)
    assert read_scan(tmp_path, join_contiguous=True).num_fields == 2


def test_joining_is_of_neighbours_in_a_row(tmp_path: Path) -> None:
    rois = tuple(roi(box(x, 0, pixels=(20, 10), height=1)) for x in (4, 0, 2, -2))
    recording = replace(PLANAR, rois=rois)
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    a, b, c, d = expected(recording, paths)
    assert_reads(scan, [np.concatenate([d, b, c, a], 1)])
    assert join_contiguous(scan.fields) == list(scan.fields)


# --------------------------------------------------------- geometry and time


def test_affine_is_scanimages_own(tmp_path: Path) -> None:
    """pixelToRefTransform counts pixels from 1 and gives degrees."""
    rotated_scanfield = scanfield((3, -2), (4, 6), (24, 36), rotation=25)
    replace(PLANAR, rois=(roi(rotated_scanfield), ROIS[0])).write(tmp_path)
    scan = read_scan(tmp_path)
    angle = math.radians(25)
    for column, row in ((0, 0), (23, 35), (7, 20)):
        u, v = ((column + 0.5) / 24 - 0.5) * 4, ((row + 0.5) / 36 - 0.5) * 6
        x = 3 + u * math.cos(angle) - v * math.sin(angle)
        y = -2 + u * math.sin(angle) + v * math.cos(angle)
        np.testing.assert_allclose(scan.fields[0].affine @ [column, row, 1], [x * 15, y * 15, 1])
        to_ref = np.array(rotated_scanfield["pixelToRefTransform"])
        np.testing.assert_allclose((to_ref @ [column + 1, row + 1, 1])[:2], [x, y])


def test_degrees_are_never_called_micrometres(tmp_path: Path) -> None:
    replace(PLANAR, settings={"objectiveResolution": None}).write(tmp_path)
    field = read_scan(tmp_path).fields[0]
    assert math.isnan(field.height_in_microns)
    assert np.isnan(field.affine[:2]).any()
    assert field.height_in_degrees == 4


def test_fields_are_frozen(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    field = read_scan(tmp_path).fields[0]
    with pytest.raises(FrozenInstanceError):
        field.height = 3  # type: ignore[misc]
    assert hash(field) == hash(read_scan(tmp_path).fields[0])
    assert field == read_scan(tmp_path).fields[0]


def test_masks_and_slices(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    scan = read_scan(tmp_path)
    second = scan.fields[1]
    assert second.yslices == [slice(56, 96)]
    assert second.xslices == [slice(0, 24)]
    assert second.output_yslices == [slice(0, 40)]
    assert second.output_xslices == [slice(0, 24)]
    assert [mask.shape for mask in scan.field_masks] == [(40, 24)] * 2
    assert (scan.field_masks[1] == 1).all()
    assert second.roi_ids == [1]


def test_offsets_follow_the_lines(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    line, frame = scan.seconds_per_line, scan.scan_frame_period
    first, second, third = scan.fields[0], scan.fields[1], scan.fields[2]
    middle = (first.offsets[:, 11] + first.offsets[:, 12]) / 2
    np.testing.assert_allclose(middle, (np.arange(40) + 0.5) * line)
    np.testing.assert_allclose(second.offsets - first.offsets, np.full((40, 24), 66 * line))
    np.testing.assert_allclose(third.offset_mask - first.offset_mask, np.full((40, 24), frame))
    assert first.offsets[0, 0] < first.offsets[0, 23]  # forward
    assert first.offsets[1, 0] > first.offsets[1, 23]  # back
    assert len(scan.field_offsets) == 5


def test_resonant_pixels_are_crowded_in_the_middle_of_a_line() -> None:
    times = line_times(100, resonant=True, temporal_fill_fraction=0.7)
    steps = np.diff(times)
    assert steps[0] > steps[50]
    np.testing.assert_allclose(times + times[::-1], 1)
    assert times[0] == pytest.approx(0.15, abs=0.01)
    pixel_times = np.diff(line_times(100, resonant=False, temporal_fill_fraction=0.7))
    np.testing.assert_allclose(pixel_times, pixel_times[0])


def test_unidirectional_lines_are_all_alike() -> None:
    line = line_times(10, resonant=False, temporal_fill_fraction=1)
    times = pixel_times(3, 4, line, seconds_per_line=2, bidirectional=False, resonant=True)
    np.testing.assert_allclose(times, (3 + np.arange(4)[:, None] + line) * 2)


def test_slow_stack_offsets_count_from_the_slice(tmp_path: Path) -> None:
    Recording(mode="slow", zs=(0.0, 5.0), frames_per_slice=2).write(tmp_path)
    a, b = read_scan(tmp_path).field_offsets
    np.testing.assert_array_equal(a, b)


def test_depths_that_do_not_fit_are_said(tmp_path: Path) -> None:
    wrong_settings = {"hStackManager.zs": Verbatim("[0 1 2 3 4]")}
    replace(MESOSCOPE, settings=wrong_settings, rois=()).write(tmp_path / "plain")
    scan, warning = read_warned(tmp_path / "plain")
    assert "5 depths" in warning
    assert all(math.isnan(z) for z in scan.field_depths)
    replace(MESOSCOPE, settings=wrong_settings).write(tmp_path / "mroi")
    with pytest.raises(LayoutError, match="depths of the slices are unknown"):
        read_scan(tmp_path / "mroi")


@pytest.mark.parametrize(
    "change",
    [
        {"zs": [0, 10]},
        {"scanfields": {"pixelResolutionXY": [24, 0], "centerXY": [0, 0], "sizeXY": [1, 1]}},
        {"scanfields": {"pixelResolutionXY": "x", "centerXY": [0, 0], "sizeXY": [1, 1]}},
        {"scanfields": {"centerXY": [0, 0], "sizeXY": [1, 1]}},
        {"scanfields": None},
        {"zs": "deep"},
    ],
)
def test_rois_that_scanimage_would_not_write_give_whole_pages_with_a_warning(tmp_path: Path, change: Any) -> None:
    tree = roi_groups([{**ROIS[0], **change}, ROIS[1]])
    pages = [(b"", np.arange(64, dtype=np.int16).reshape(8, 8))]
    text = roi_json(tree).encode() + b"\0"
    write_bigtiff(tmp_path / "a.tif", PLANAR.header_text().encode() + b"\0", text, pages)
    scan, warning = read_warned(tmp_path / "a.tif")
    assert "the whole pages are the fields" in warning
    assert scan.shape == (1, 8, 8, 1, 1)


def test_a_gap_that_the_header_does_not_say_is_refused(tmp_path: Path) -> None:
    replace(PLANAR, settings={"hScan2D.flytoTimePerScanfield": None}).write(tmp_path)
    with pytest.raises(LayoutError, match="flytoTimePerScanfield"):
        read_scan(tmp_path)


def test_a_shape_that_needs_a_disabled_scanfield_is_refused() -> None:
    a = Scanfield(0, 0, 1, 1, 0, 10, 10)
    roi_with_gap = Roi("R", (0, 50, 100), (a, a._replace(height=20), a._replace(height=30, enabled=False)))
    assert roi_with_gap.at(25) is not None
    with pytest.raises(LayoutError, match="disabled"):
        roi_with_gap.at(75)
    assert roi_with_gap.at(101) is None


def test_resonant_rois_of_unequal_width_are_said(tmp_path: Path) -> None:
    rois = (roi(box(-3, 0, pixels=(10, 20))), roi(box(3, 0, pixels=(30, 8))))
    recording = replace(PLANAR, rois=rois)
    paths = recording.write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert "10 to 30 pixels wide" in warning
    assert_reads(scan, expected(recording, paths))


def test_fields_wider_than_the_page_are_refused(tmp_path: Path) -> None:
    recording = replace(PLANAR, resonant=False)
    image = np.zeros((80, 20), np.int16)
    texts = recording.header_text().encode() + b"\0", recording.roi_text().encode() + b"\0"
    write_bigtiff(tmp_path / "a.tif", *texts, [(b"", image)])
    with pytest.raises(LayoutError, match="20 pixels wide, the widest field 24"):
        read_scan(tmp_path / "a.tif")


def test_geometry_without_rois_is_that_of_the_corners(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=2)
    pages = [(b"", np.zeros((16, 16), np.int16))]
    write_bigtiff(tmp_path / "a.tif", recording.header_text().encode() + b"\0", b"", pages)
    field = read_scan(tmp_path / "a.tif").fields[0]
    assert (field.y, field.x, field.height_in_degrees, field.width_in_microns) == (0, 0, 12, 180)
