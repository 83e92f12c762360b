"""Stitched fields: each pixel is that of the strip which is there by geometry, against the dumb reader."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from common import LIGHT_BEADS, STACK, expected, read_warned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import assert_keys_pick

from scanreader import DtypeError, Field, LayoutError, Scan, ScanKeyError, phase, read_scan
from scanreader.recording.rectangles import Rectangle, uncovered, visible
from scanreader.simulate import Recording, roi, scanfield

Array = npt.NDArray[Any]

PIXEL = 0.125  # degrees
HEIGHT, WIDTH = 16, 12


def strips(places: list[tuple[float, float]], **options: Any) -> Recording:
    """A recording of equal strips at places (y, x) of their first pixels, in pixels."""
    rois = tuple(
        roi(
            scanfield(
                (PIXEL * (x + WIDTH / 2), PIXEL * (y + HEIGHT / 2)), (PIXEL * WIDTH, PIXEL * HEIGHT), (WIDTH, HEIGHT)
            )
        )
        for y, x in places
    )
    return Recording(rois=rois, frames_per_slice=5, channels=(1, 2), **options)


PLACES = [(0.0, 20.0), (0.0, 0.0), (0.0, 10.0)]
"""Right, left, middle: with overlaps of 2 columns."""
OVERLAPPING = strips(PLACES)
SCATTERED_STRIPS = strips([(3.0, 9.0), (0.0, 0.0), (-5.0, 7.0), (14.0, -3.0)])


def by_geometry(
    fields: list[Array], places: list[tuple[float, float]], overlap: str, fill: float
) -> tuple[Array, Array]:
    """What each pixel of a stitched field is, and of which strip, asking every strip for every pixel."""
    tops, lefts = [round(y) for y, _ in places], [round(x) for _, x in places]
    shape = (max(tops) - min(tops) + HEIGHT, max(lefts) - min(lefts) + WIDTH)
    image = np.full((*shape, *fields[0].shape[2:]), fill, fields[0].dtype)
    strip = np.full(shape, -1)
    order = range(len(places)) if overlap == "last" else reversed(range(len(places)))
    for i in order:
        for y in range(HEIGHT):
            for x in range(WIDTH):
                row, column = y + tops[i] - min(tops), x + lefts[i] - min(lefts)
                image[row, column], strip[row, column] = fields[i][y, x], i
    return image, strip


@pytest.fixture
def overlapping_strips(tmp_path: Path) -> tuple[Scan, list[Array]]:
    paths = OVERLAPPING.write(tmp_path)
    return read_scan(tmp_path), expected(OVERLAPPING, paths)


@pytest.mark.parametrize("overlap", ["last", "first"])
def test_strips_listed_right_left_middle_are_placed_by_geometry(
    overlapping_strips: tuple[Scan, list[Array]], overlap: str
) -> None:
    scan, fields = overlapping_strips
    stitched = scan.stitched(overlap=overlap)
    image, strip = by_geometry(fields, PLACES, overlap, 0)
    assert stitched.shape == (1, 16, 32, 2, 5)
    assert stitched.dtype == scan.dtype
    np.testing.assert_array_equal(stitched[0], image)
    np.testing.assert_array_equal(stitched.fields[0].roi_mask, strip)
    np.testing.assert_array_equal(stitched.field_masks[0], strip)


def test_overlap_decides_the_overlap_alone_and_the_mask_counts(overlapping_strips: tuple[Scan, list[Array]]) -> None:
    scan, _ = overlapping_strips
    last, first = scan.stitched(), scan.stitched(overlap="first")
    is_different = (last[0] != first[0]).any(axis=(2, 3))
    is_overlap = np.zeros((16, 32), bool)
    is_overlap[:, 10:12] = is_overlap[:, 20:22] = True
    np.testing.assert_array_equal(is_different, is_overlap)
    columns = [np.bincount(view.fields[0].roi_mask.ravel()).tolist() for view in (last, first)]
    assert columns == [[16 * 10, 16 * 10, 16 * 12], [16 * 12, 16 * 12, 16 * 8]]
    assert last.token != first.token


def test_covered_pixels_are_there_once(tmp_path: Path) -> None:
    """The sum over the mask of a frame is that of the pixels that are covered, each once."""
    paths = SCATTERED_STRIPS.write(tmp_path)
    fields = expected(SCATTERED_STRIPS, paths)
    scan = read_scan(tmp_path).stitched(fill=-7)
    field = scan.fields[0]
    places = [(3.0, 9.0), (0.0, 0.0), (-5.0, 7.0), (14.0, -3.0)]
    image, strip = by_geometry(fields, places, "last", -7)
    np.testing.assert_array_equal(scan[0], image)
    np.testing.assert_array_equal(field.roi_mask, strip)
    frame = scan[0, :, :, 0, 0].astype(np.int64)
    assert frame[field.roi_mask >= 0].sum() == image[..., 0, 0].astype(np.int64)[strip >= 0].sum()
    assert (frame[field.roi_mask < 0] == -7).all()
    assert sum(p.height * p.width for p in field.pieces) == np.count_nonzero(strip >= 0)


def test_an_offset_of_four_tenths_of_a_pixel_is_refused_with_the_number(tmp_path: Path) -> None:
    strips([(0.0, 0.0), (0.4, 12.0)]).write(tmp_path)
    with pytest.raises(LayoutError, match=r"off the pixels of field 0 \(ROI 1\) \(field 1 \(ROI 2\) by 0\.4 pixels"):
        read_scan(tmp_path).stitched()


def test_a_fifth_of_a_pixel_is_rounded_and_reported(tmp_path: Path) -> None:
    strips([(0.0, 0.0), (0.2, 12.0)]).write(tmp_path)
    scan = read_scan(tmp_path).stitched()
    assert scan.shape[1:3] == (16, 24)
    (finding,) = [item for item in scan.findings if item.name == "stitched-fields"]
    assert "up to 0.2 pixels off" in finding.sentence


def test_on_strips_that_touch_it_equals_joining(tmp_path: Path) -> None:
    strips([(0.0, 12.0), (0.0, 0.0), (0.0, 24.0)]).write(tmp_path)
    joined, stitched = read_scan(tmp_path, join_contiguous=True), read_scan(tmp_path).stitched()
    np.testing.assert_array_equal(stitched[:], joined[:])
    stitched_field, joined_field = stitched.fields[0], joined.fields[0]
    np.testing.assert_array_equal(stitched_field.roi_mask, joined_field.roi_mask)
    np.testing.assert_array_equal(stitched_field.offsets, joined_field.offsets)
    np.testing.assert_allclose(stitched_field.affine, joined_field.affine, atol=1e-9)
    assert stitched_field.name == joined_field.name
    assert not [finding for finding in stitched.findings if finding.name == "stitched-fields"]


def test_turned_and_unequal_fields_are_refused_with_the_numbers(tmp_path: Path) -> None:
    plain_roi = OVERLAPPING.rois[0]
    turned_roi = roi(scanfield((4.0, 0.0), (1.5, 2.0), (12, 16), rotation=7), name="turned")
    fine_roi = roi(scanfield((4.0, 0.0), (1.2, 2.0), (12, 16)), name="fine")
    replace(OVERLAPPING, rois=(plain_roi, turned_roi)).write(tmp_path / "turned")
    replace(OVERLAPPING, rois=(plain_roi, fine_roi)).write(tmp_path / "fine")
    with pytest.raises(LayoutError, match=r"they are rotated \(field 1 \(turned\) by 7 degrees\)"):
        read_scan(tmp_path / "turned").stitched()
    with pytest.raises(LayoutError, match=r"\(field 0 .* 0\.125 x 0\.125, field 1 \(fine\) 0\.125 x 0\.1 degrees\)"):
        read_scan(tmp_path / "fine").stitched()
    turned_scan = read_scan(tmp_path / "turned").select(fields=[1])
    np.testing.assert_array_equal(turned_scan.stitched()[:], turned_scan[:])  # there is nothing to place


def test_fields_that_are_far_apart_are_refused(tmp_path: Path) -> None:
    strips([(0.0, 0.0), (0.0, 1e8)]).write(tmp_path)
    with pytest.raises(LayoutError, match="they would make one of 16 x 100,000,012 pixels"):
        read_scan(tmp_path).stitched()


def test_overlaps_and_uncovered_pixels_are_reported(tmp_path: Path) -> None:
    SCATTERED_STRIPS.write(tmp_path)
    stitched = read_scan(tmp_path).stitched()
    (finding,) = [item for item in stitched.findings if item.name == "stitched-fields"]
    assert finding.is_note
    mask = stitched.fields[0].roi_mask
    num_hidden = 4 * HEIGHT * WIDTH - np.count_nonzero(mask >= 0)
    sentence = f"fields overlap by up to 8 pixels ({num_hidden} pixels in all), and the last field is shown there"
    assert sentence in finding.sentence
    assert f"{np.count_nonzero(mask < 0)} of {mask.size:,} pixels" in finding.sentence


def test_a_field_that_others_cover_is_reported(tmp_path: Path) -> None:
    strips([(0.0, 0.0), (0.0, 0.0)]).write(tmp_path)
    scan = read_scan(tmp_path)
    stitched = scan.stitched()
    np.testing.assert_array_equal(stitched[0], scan[1])
    assert any(
        "not shown, because others cover them: field 0 (ROI 1)" in finding.sentence for finding in stitched.findings
    )


def test_bad_options_are_refused(overlapping_strips: tuple[Scan, list[Array]]) -> None:
    with pytest.raises(ScanKeyError, match="'last' or 'first'"):
        overlapping_strips[0].stitched(overlap="mean")
    for fill in (1e6, 0.5, "0", None, True):
        with pytest.raises(DtypeError, match="give another fill"):
            overlapping_strips[0].stitched(fill=fill)  # type: ignore[arg-type]


def test_floats_are_filled_with_what_was_asked(tmp_path: Path) -> None:
    SCATTERED_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path, dtype="float32")
    for fill in (0.5, np.nan):
        stitched = scan.stitched(fill=fill)
        gaps = stitched[0, :, :, 0, 0][stitched.fields[0].roi_mask < 0]
        np.testing.assert_array_equal(gaps, np.full(gaps.shape, fill, np.float32))


def test_each_slice_is_stitched_by_itself(tmp_path: Path) -> None:
    volume = replace(SCATTERED_STRIPS, mode="fast", zs=(0.0, 40.0), flyback=1, volumes=5, frames_per_slice=1)
    fields = expected(volume, volume.write(tmp_path))
    scan = read_scan(tmp_path).stitched()
    assert [(field.slice_id, field.depth) for field in scan.fields] == [(0, 0.0), (1, 40.0)]
    for i in range(2):
        image, _ = by_geometry(fields[4 * i : 4 * i + 4], [(3, 9), (0, 0), (-5, 7), (14, -3)], "last", 0)
        np.testing.assert_array_equal(scan[i], image)
    (finding,) = [item for item in scan.findings if item.name == "stitched-fields"]
    assert "slices 0, 1:" in finding.sentence


def in_sample(field: Field, roi_id: int) -> dict[tuple[float, float], tuple[float, float]]:
    """Position in µm of each pixel of a ROI, with its time as a key to find it again."""
    rows, columns = np.nonzero(field.roi_mask == roi_id)
    x, y, _ = field.affine @ np.stack([columns, rows, np.ones_like(rows)])
    times = field.offsets[rows, columns]
    return {(float(t), roi_id): (float(a), float(b)) for t, a, b in zip(times, x, y, strict=True)}


def test_each_pixel_keeps_its_position_and_its_time(tmp_path: Path) -> None:
    SCATTERED_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path)
    stitched = scan.stitched().fields[0]
    for i, field in enumerate(scan.fields):
        places_in_field, places_in_view = in_sample(field, field.roi_ids[0]), in_sample(stitched, field.roi_ids[0])
        assert len(places_in_view) <= len(places_in_field) == HEIGHT * WIDTH, i
        for key, place in places_in_view.items():
            assert place == pytest.approx(places_in_field[key], abs=1e-6)
    assert np.isnan(stitched.offsets[stitched.roi_mask < 0]).all()


def test_trimming_goes_before_and_leaves_fields_at_their_place(overlapping_strips: tuple[Scan, list[Array]]) -> None:
    scan, fields = overlapping_strips
    stitched = scan.trimmed(left=2, right=1).stitched(fill=-1)
    assert stitched.shape == (1, 16, 29, 2, 5)
    image, _ = by_geometry(fields, PLACES, "last", -1)
    image[:, 11] = -1  # column 11 of the left strip was trimmed, as were columns 0 and 1 of the middle one
    image[:, 10] = fields[1][:, 10]
    image[:, 21] = -1
    image[:, 20] = fields[2][:, 10]
    np.testing.assert_array_equal(stitched[0], image[:, 2:31])
    assert stitched.fields[0].closed_gaps == (0, 0)
    with pytest.raises(LayoutError, match=r"already: trimmed goes before, as scan\.trimmed\(…\)\.stitched\(…\)"):
        scan.stitched().trimmed(left=1)
    with pytest.raises(LayoutError, match="join_contiguous goes before"):
        scan.stitched().join_contiguous()
    with pytest.raises(LayoutError, match="already: ask the scan that was stitched"):
        scan.stitched().stitched()
    assert scan.stitched().trimmed() is not None  # nothing is trimmed


def test_fields_that_were_joined_and_trimmed_go_back_to_their_place(tmp_path: Path) -> None:
    strips([(0.0, 0.0), (0.0, 12.0)]).write(tmp_path)
    scan = read_scan(tmp_path)
    joined = scan.join_contiguous().trimmed(right=2)
    assert joined.shape[2] == 20
    np.testing.assert_array_equal(joined.stitched()[:], scan.trimmed(right=2).stitched()[:])
    assert joined.stitched().shape[2] == 22


def test_realigned_before_and_after(tmp_path: Path) -> None:
    SCATTERED_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path)
    view_first, stitched_first = phase.realigned(scan, 1).stitched(), phase.realigned(scan.stitched(), 1)
    np.testing.assert_array_equal(view_first[:], stitched_first[:])
    realigned = phase.realigned(scan, 1)
    field = view_first.fields[0]
    for i, (part, roi_id) in enumerate(zip(scan.fields, [f.roi_ids[0] for f in scan.fields], strict=True)):
        top = round((part.y - part.height_in_degrees / 2 - field.y + field.height_in_degrees / 2) / PIXEL)
        left = round((part.x - part.width_in_degrees / 2 - field.x + field.width_in_degrees / 2) / PIXEL)
        is_shown = field.roi_mask[top : top + HEIGHT, left : left + WIDTH] == roi_id
        block = view_first[0, top : top + HEIGHT, left : left + WIDTH]
        np.testing.assert_array_equal(block[is_shown], realigned[i][is_shown])


def test_planes_before_and_after(tmp_path: Path) -> None:
    LIGHT_BEADS.write(tmp_path)
    scan = read_scan(tmp_path)
    view_first, stitched_first = scan.channels_as_planes().stitched(), scan.stitched().channels_as_planes()
    assert view_first.num_fields == 14
    np.testing.assert_array_equal(view_first[:], stitched_first[:])
    assert (
        [field.plane for field in view_first.fields]
        == [field.plane for field in stitched_first.fields]
        == list(range(14))
    )


def test_a_scan_without_rois_stays_as_it_is(tmp_path: Path) -> None:
    STACK.write(tmp_path)
    scan = read_scan(tmp_path)
    np.testing.assert_array_equal(scan.stitched()[:], scan[:])
    assert scan.stitched().fields[1].affine.tolist() == scan.fields[1].affine.tolist()


def test_it_pickles_refreshes_and_has_a_token_of_its_own(overlapping_strips: tuple[Scan, list[Array]]) -> None:
    scan, _ = overlapping_strips
    stitched = scan.stitched()
    for view_copy in (pickle.loads(pickle.dumps(stitched)), stitched.refresh()):
        assert (view_copy.token, view_copy.fields) == (stitched.token, stitched.fields)
        np.testing.assert_array_equal(view_copy[:], stitched[:])
    assert len({view.token for view in (scan, stitched, scan.stitched(fill=1))}) == 3


def test_references_say_why_they_cannot(overlapping_strips: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="stand in 3 places of a page: ask the scan that was stitched"):
        overlapping_strips[0].stitched().to_references(tmp_path / "r.json")


def test_the_canvas_of_a_stitched_scan_is_that_of_the_scan(tmp_path: Path) -> None:
    strips([(0.0, 0.0), (0.2, 12.0), (30.0, 3.0)]).write(tmp_path)
    scan = read_scan(tmp_path)
    np.testing.assert_array_equal(scan.stitched().canvas().image, scan.canvas().image)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=5),
    st.sampled_from(["last", "first"]),
    st.data(),
)
def test_any_key_of_any_stitched_scan_is_what_numpy_gives(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]], overlap: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("stitched")
    recording = replace(strips([(float(y), float(x)) for y, x in places]), frames_per_slice=2)
    fields = expected(recording, recording.write(folder))
    scan = read_warned(folder)[0].stitched(overlap=overlap, fill=-3)
    image, strip = by_geometry(fields, [(float(y), float(x)) for y, x in places], overlap, -3)
    np.testing.assert_array_equal(scan[0], image)
    np.testing.assert_array_equal(scan.fields[0].roi_mask, strip)
    assert_keys_pick(data, scan, [image], np.dtype(recording.dtype))


def test_reading_takes_the_memory_of_the_result(tmp_path: Path) -> None:
    wide_rois = tuple(
        roi(scanfield((PIXEL * 60 * i, 0.0), (PIXEL * 64, PIXEL * 256), (64, 256)), name=f"strip {i}") for i in range(4)
    )
    Recording(rois=wide_rois, frames_per_slice=120, channels=(1,)).write(tmp_path)
    scan = read_scan(tmp_path)
    for view in (scan.stitched(), scan.stitched().shifted([[3, -2]]), scan.shifted([[i, -i] for i in range(4)])):
        view[..., :2]
        tracemalloc.start()
        array = view[:]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < array.nbytes + (8 << 20)  # a buffer of 2 MiB in each thread


def test_the_phase_offset_of_a_stitched_scan_is_that_of_its_fields(tmp_path: Path) -> None:
    pattern = np.random.default_rng(0).integers(0, 1000, (400, 64)).cumsum(axis=1) % 3000

    def pixels(frame: Any, channel: int) -> Array:
        image = np.zeros(recording.page_shape)
        image[: len(image)] = np.repeat(pattern[: (len(image) + 3) // 4], 4, axis=0)[: len(image)]
        image[1::2] = np.roll(image[1::2], 2, axis=1)
        return image

    recording = Recording(
        rois=tuple(roi(scanfield((PIXEL * x, 0.0), (PIXEL * 64, PIXEL * 64), (64, 64))) for x in (60, 0)),
        frames_per_slice=4,
    )
    replace(recording, pixels=pixels).write(tmp_path)
    scan = read_scan(tmp_path)
    by_field = phase.estimate_line_offset(scan).offset
    offsets = phase.estimate_line_offset(scan.stitched()).offset
    assert by_field[:, 0] == pytest.approx([2, 2], abs=0.2)
    assert offsets[0, 0] == pytest.approx(2, abs=0.2)


rectangles = st.builds(
    lambda top, height, left, width: Rectangle(top, top + height, left, left + width),
    *(st.integers(-4, 12), st.integers(1, 8)) * 2,
)


@given(rectangles, st.lists(rectangles, max_size=8))
def test_uncovered_and_visible_are_what_painting_gives(area: Rectangle, rectangles: list[Rectangle]) -> None:
    top_rectangle = np.full((40, 40), -1)
    for i, rectangle in reversed(list(enumerate(rectangles))):
        top_rectangle[rectangle.top + 9 : rectangle.bottom + 9, rectangle.left + 9 : rectangle.right + 9] = i
    for i, parts in enumerate(visible(rectangles)):
        count = np.zeros((40, 40), int)
        for part in parts:
            count[part.top + 9 : part.bottom + 9, part.left + 9 : part.right + 9] += 1
        np.testing.assert_array_equal(count, top_rectangle == i)
    count = np.zeros((40, 40), int)
    for part in uncovered(area, tuple(rectangles)):
        count[part.top + 9 : part.bottom + 9, part.left + 9 : part.right + 9] += 1
    is_inside = np.zeros((40, 40), bool)
    is_inside[area.top + 9 : area.bottom + 9, area.left + 9 : area.right + 9] = True
    np.testing.assert_array_equal(count, is_inside & (top_rectangle == -1))


@pytest.mark.parametrize("how", ["mean", "max", "std"])
def test_frames_of_a_stitched_scan_are_reduced_with_its_gaps(tmp_path: Path, how: str) -> None:
    paths = SCATTERED_STRIPS.write(tmp_path)
    places = [(3.0, 9.0), (0.0, 0.0), (-5.0, 7.0), (14.0, -3.0)]
    image, strip = by_geometry(expected(SCATTERED_STRIPS, paths), places, "last", -7)
    stitched = read_warned(tmp_path)[0].stitched(fill=-7)
    image_of_view = getattr(stitched, how)()[0]
    np.testing.assert_allclose(image_of_view, getattr(np, how)(image.astype(float), axis=-1), rtol=1e-12)
    assert (image_of_view[strip < 0] == (0 if how == "std" else -7)).all()
