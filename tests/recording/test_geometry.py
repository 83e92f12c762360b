"""Where fields lie in µm, what is known of channels and actuators, the canvas, and trimmed scans."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, STACK, VOLUME, assert_reads, expected, read_warned
from hypothesis import given, settings
from hypothesis import strategies as st

from scanreader import FieldDimensionMismatch, Scan, ScanIndexError, ScanReaderWarning, phase, read_scan
from scanreader.simulate import Cell, Column, Recording, Verbatim, roi, scanfield

STRIPS = tuple(roi(scanfield((2.0 * i, 0.5), (2.0, 8.0), (12, 48)), name=f"strip {i}") for i in range(3))
JOINED_STRIPS = Recording(rois=STRIPS, frames_per_slice=4, channels=(1, 2))
TURNED_FIELD = Recording(rois=(roi(scanfield((1.0, 2.0), (4.0, 3.0), (32, 24), rotation=30)),), frames_per_slice=3)

# ------------------------------------------------------------------------- fields


def test_micrometres_are_degrees_times_the_objective(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    field = scan.fields[0]
    assert (field.x, field.y) == (-3.2, 1.1)
    assert (field.x_in_microns, field.y_in_microns) == (-3.2 * 15, 1.1 * 15)
    assert field.pixel_height_in_microns == pytest.approx(4.0 * 15 / field.height)
    assert field.pixel_width_in_microns == pytest.approx(2.4 * 15 / field.width)
    assert [f.name for f in scan.fields] == ["V1", "LM", "V1", "LM", "RSC"]
    assert np.allclose(field.corners, [[-4.4, -0.9], [-2.0, -0.9], [-2.0, 3.1], [-4.4, 3.1]])
    assert np.allclose(field.corners_in_microns, field.corners * 15)


def test_corners_are_half_a_pixel_around_the_affine(tmp_path: Path) -> None:
    TURNED_FIELD.write(tmp_path)
    (field,) = read_scan(tmp_path).fields
    height, width = field.height, field.width
    edge = np.array([[-0.5, -0.5, 1], [width - 0.5, -0.5, 1], [width - 0.5, height - 0.5, 1], [-0.5, height - 0.5, 1]])
    assert np.allclose((field.affine @ edge.T)[:2].T, field.corners_in_microns)


def test_without_an_objective_there_are_no_micrometres(tmp_path: Path) -> None:
    replace(MESOSCOPE, settings={"objectiveResolution": None}).write(tmp_path)
    field = read_scan(tmp_path).fields[0]
    lengths = (field.x_in_microns, field.y_in_microns, field.pixel_height_in_microns, field.pixel_width_in_microns)
    assert all(map(math.isnan, lengths))
    assert np.isnan(field.corners_in_microns).all()
    assert np.isfinite(field.corners).all()


# ---------------------------------------------------------------- channels, actuators


def test_channels_have_their_own_offsets_and_luts(tmp_path: Path) -> None:
    Recording(frames_per_slice=2, channels=(2, 4)).write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.channel_offsets == [-37.0, 0.0]
    assert scan.channel_offsets_subtracted == [True, True]
    assert scan.channel_luts == [(0.0, 1500.0)] * 2


def test_virtual_channels_have_the_offsets_of_their_inputs(tmp_path: Path) -> None:
    channel_sources = {f"hScan2D.virtualChannelSettings__{n}.source": f"AI{(n - 1) % 2}" for n in range(1, 9)}
    Recording(
        frames_per_slice=2, channels=(1, 4, 5), settings={**channel_sources, "hChannels.channelOffset": [412, -37]}
    ).write(tmp_path)
    assert read_scan(tmp_path).channel_offsets == [412, -37, 412]


@pytest.mark.parametrize("values", [None, Verbatim("<unencodeable value>"), [1], Cell([])])
def test_channels_of_which_less_is_known(tmp_path: Path, values: Any) -> None:
    channel_settings = dict.fromkeys(
        ["hChannels.channelOffset", "hChannels.channelSubtractOffset", "hChannels.channelLUT"], values
    )
    Recording(frames_per_slice=2, channels=(2, 3), settings=channel_settings).write(tmp_path)
    scan = read_scan(tmp_path)
    assert all(map(math.isnan, scan.channel_offsets))
    assert scan.channel_offsets_subtracted == [False, False]
    assert all(math.isnan(low) and math.isnan(high) for low, high in scan.channel_luts)


@pytest.mark.parametrize(
    ("positions_text", "positions"),
    [
        (Column([0, 30, 60]), [[0], [30], [60]]),
        (Verbatim("[0 5;30 6;60 7]"), [[0, 5], [30, 6], [60, 7]]),
        (None, [[0], [30], [60]]),
        (Column([1, 2]), [[0], [30], [60]]),
    ],
)
def test_actuators_of_a_volume(tmp_path: Path, positions_text: Any, positions: list[list[float]]) -> None:
    replace(VOLUME, settings={"hStackManager.zsAllActuators": positions_text}).write(tmp_path)
    assert read_scan(tmp_path).actuator_positions.tolist() == positions


def test_actuators_of_a_stack_of_repeats(tmp_path: Path) -> None:
    positions_text = Verbatim("[0 1;0 1;30 2;30 2;60 3;60 3]")
    replace(STACK, settings={"hStackManager.zsAllActuators": positions_text}).write(tmp_path)
    assert read_scan(tmp_path).actuator_positions.tolist() == [[0, 1], [30, 2], [60, 3]]


def test_actuators_of_one_plane(tmp_path: Path) -> None:
    Recording(frames_per_slice=2, settings={"hStackManager.zsAllActuators": [245, 246]}).write(tmp_path)
    assert read_scan(tmp_path).actuator_positions.tolist() == [[245, 246]]


def test_powers_of_beams_and_rois(tmp_path: Path) -> None:
    strip = roi(scanfield((0.0, 0.0), (2.0, 2.0), (16, 16)))
    rois = ({**strip, "powers": [10, 20]}, {**strip, "powers": None})
    moved_scanfield = scanfield((4.0, 0.0), (2.0, 2.0), (16, 16))
    recording = Recording(
        rois=(rois[0], {**rois[1], "scanfields": moved_scanfield}), settings={"hBeams.powers": [21, 3]}
    )
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.beam_powers == [21, 3]
    assert [r.powers for r in scan.rois] == [(10.0, 20.0), ()]


def test_real_recordings_say_their_channels(recordings: Path) -> None:
    scan = read_scan(recordings / "slow_stack_20220923_noroi.tif")
    assert len(scan.channel_offsets) == len(scan.channel_luts) == 2
    assert scan.actuator_positions.shape == (2, 1)
    assert scan.actuator_positions[:, 0].tolist() == pytest.approx(scan.scanning_depths)


# -------------------------------------------------------------------------- canvas


def test_a_plain_canvas_is_the_picture(tmp_path: Path) -> None:
    Recording(frames_per_slice=5, height=20, width=20, channels=(1, 3)).write(tmp_path)
    scan = read_scan(tmp_path)
    canvas = scan.canvas(channel=1)
    assert np.allclose(canvas.image, scan[0, :, :, 1].mean(axis=-1))
    assert canvas.unit == "um"
    assert canvas.extent == pytest.approx((-90, 90, 90, -90))
    assert np.array_equal(scan.canvas(frames=2).image, scan[0, :, :, 0, 2])
    assert np.array_equal(scan.canvas(how="max", frames=slice(1, 4)).image, scan[0, :, :, 0, 1:4].max(axis=-1))


@pytest.mark.parametrize("slice_id", [0, 1])
def test_fields_lie_where_their_centres_are(tmp_path: Path, slice_id: int) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    canvas = scan.canvas(slice_id)
    is_covered = np.zeros(canvas.image.shape, bool)
    for i, field in enumerate(scan.fields):
        if field.slice_id != slice_id:
            continue
        picture = scan[i, :, :, 0].mean(axis=-1)
        for row, column in np.ndindex(picture.shape):
            x, y, _ = field.affine @ [column, row, 1]
            pixel = (int((y - canvas.top) / canvas.pixel_size), int((x - canvas.left) / canvas.pixel_size))
            assert canvas.image[pixel] == pytest.approx(picture[row, column])
            is_covered[pixel] = True
    assert np.array_equal(np.isnan(canvas.image), ~is_covered)


def test_a_turned_field_is_turned_about_its_centre(tmp_path: Path) -> None:
    TURNED_FIELD.write(tmp_path)
    scan = read_scan(tmp_path)
    canvas, field = scan.canvas(frames=0, pixel_size=0.2), scan.fields[0]
    picture = scan[0, :, :, 0, 0]
    for row, column in [(0, 0), (0, 31), (23, 0), (23, 31), (5, 20), (12, 16)]:
        x, y, _ = field.affine @ [column, row, 1]
        pixel = (int((y - canvas.top) / canvas.pixel_size), int((x - canvas.left) / canvas.pixel_size))
        assert canvas.image[pixel] == picture[row, column]
    assert np.isnan(canvas.image[0, 0])


def test_a_canvas_of_other_pixels_and_fill(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    canvas = scan.canvas(pixel_size=3.0, fill=-1)
    assert canvas.pixel_size == 3.0
    assert (canvas.image == -1).any()
    assert not np.isnan(canvas.image).any()


def test_a_canvas_without_an_objective_is_in_degrees_and_says_so(tmp_path: Path) -> None:
    replace(MESOSCOPE, settings={"objectiveResolution": None}).write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.warns(ScanReaderWarning, match="in degrees"):
        canvas = scan.canvas()
    assert canvas.unit == "degrees"
    assert canvas.extent[0] == pytest.approx(-4.4)


def test_a_canvas_of_what_lies_nowhere_is_in_pixels(tmp_path: Path) -> None:
    Recording(release="3.8", frames_per_slice=5).write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.canvas().unit == "pixels"
    assert scan.canvas().image.shape == (16, 16)


@pytest.mark.parametrize(
    "bad_options",
    [
        {"slice_id": 2},
        {"how": "median"},
        {"pixel_size": 0},
        {"pixel_size": 1e-6},
        {"frames": slice(3, 3)},
        {"channel": 7},
        {"frames": 50},
        {"frames": "a"},
        {"frames": (0, 1.5)},
        {"channel": slice(None)},
        {"slice_id": "a"},
        {"pixel_size": 1e-320},
    ],
)
def test_a_canvas_that_cannot_be(tmp_path: Path, bad_options: dict[str, Any]) -> None:
    MESOSCOPE.write(tmp_path)
    with pytest.raises(ScanIndexError):
        read_scan(tmp_path).canvas(**bad_options)


# ------------------------------------------------------------------------- trimming


def kept_columns(scan: Scan, left: int, right: int) -> list[int]:
    """Columns of a joined field that are left, as the seed's documentation finds them."""
    return [x for s in scan.fields[0].output_xslices for x in range(s.start + left, s.stop - right)]


@pytest.mark.parametrize(("left", "right", "top", "bottom"), [(1, 1, 0, 0), (0, 3, 0, 0), (2, 1, 3, 4), (0, 0, 0, 0)])
def test_joined_fields_lose_the_edges_of_each_piece(
    tmp_path: Path, left: int, right: int, top: int, bottom: int
) -> None:
    JOINED_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    trimmed = scan.trimmed(left=left, right=right, top=top, bottom=bottom)
    rows = slice(top, scan.image_height - bottom)
    assert np.array_equal(trimmed[:], scan[:, rows, kept_columns(scan, left, right)])
    (whole_field,), (field,) = scan.fields, trimmed.fields
    assert (field.height, field.width) == trimmed[0].shape[:2]
    assert np.allclose(field.offsets, whole_field.offsets[rows][:, kept_columns(scan, left, right)])
    assert np.array_equal(field.roi_mask, whole_field.roi_mask[rows][:, kept_columns(scan, left, right)])
    assert field.pixel_width_in_microns == pytest.approx(whole_field.pixel_width_in_microns)


@pytest.mark.parametrize(
    "recording", [MESOSCOPE, VOLUME, STACK, TURNED_FIELD], ids=["mesoscope", "volume", "stack", "turned"]
)
def test_fields_by_themselves_lose_their_edges(tmp_path: Path, recording: Recording) -> None:
    paths = recording.write(tmp_path)
    scan = read_scan(tmp_path).trimmed(left=1, right=2, top=3, bottom=4)
    assert_reads(scan, [field[3:-4, 1:-2] for field in expected(recording, paths)])
    for field, whole_field in zip(scan.fields, read_scan(tmp_path).fields, strict=True):
        assert np.allclose(field.offsets, whole_field.offsets[3:-4, 1:-2])
        for pixel in ((0, 0), (5, 7)):
            position = whole_field.affine @ [pixel[1] + 1, pixel[0] + 3, 1]
            assert np.allclose(field.affine @ [pixel[1], pixel[0], 1], position)


def test_trimming_twice_is_trimming_once(tmp_path: Path) -> None:
    JOINED_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    trimmed_twice, trimmed_once = (
        scan.trimmed(left=1, top=2).trimmed(left=2, bottom=1),
        scan.trimmed(left=3, top=2, bottom=1),
    )
    assert trimmed_twice.fields == trimmed_once.fields
    assert np.array_equal(pickle.loads(pickle.dumps(trimmed_twice))[:], trimmed_once[:])


def test_the_trimmed_scan_leaves_the_other_alone(tmp_path: Path) -> None:
    JOINED_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    pixels = scan[:]
    trimmed = scan.trimmed(left=1)
    scan.close()
    assert trimmed[:].shape[2] == pixels.shape[2] - 3
    assert np.array_equal(read_scan(tmp_path, join_contiguous=True)[:], pixels)


def test_what_no_longer_fits_is_not_joined(tmp_path: Path) -> None:
    wide_roi = roi(scanfield((1.0, 0.0), (4.0, 2.0), (24, 12)), name="wide")
    narrow_rois = [roi(scanfield((2.0 * i, 2.0), (2.0, 2.0), (12, 12)), name=f"narrow {i}") for i in range(2)]
    recording = Recording(rois=(wide_roi, *narrow_rois), frames_per_slice=2, resonant=False)
    recording.write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    assert scan.num_fields == 1
    trimmed = scan.trimmed(left=1)
    assert [field.name for field in trimmed.fields] == ["wide", "narrow 0 + narrow 1"]
    assert [field.width for field in trimmed.fields] == [23, 22]
    with pytest.raises(FieldDimensionMismatch):
        trimmed[:]
    top = scan.trimmed(top=1)
    assert np.array_equal(top[0], scan[0, [*range(1, 12), *range(13, 24)]])


@pytest.mark.parametrize("bad_options", [{"left": -1}, {"left": 12}, {"top": 24, "bottom": 24}, {"left": 1.5}])
def test_trimming_that_cannot_be(tmp_path: Path, bad_options: dict[str, Any]) -> None:
    JOINED_STRIPS.write(tmp_path)
    with pytest.raises(ScanIndexError):
        read_scan(tmp_path).trimmed(**bad_options)


def test_trimmed_line_averaged_fields(tmp_path: Path) -> None:
    recording = Recording(rois=STRIPS, frames_per_slice=3, lines_averaged=2, flyto=0.0012)
    paths = recording.write(tmp_path)
    scan, _ = read_warned(tmp_path)
    trimmed = scan.trimmed(top=2, left=1)
    assert_reads(trimmed, [field[2:, 1:] for field in expected(recording, paths)])
    for field, whole_field in zip(trimmed.fields, scan.fields, strict=True):
        assert np.allclose(field.offsets, whole_field.offsets[2:, 1:])


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(0, 4)] * 4), st.booleans())
def test_any_trim_of_any_strips(
    tmp_path_factory: pytest.TempPathFactory, trim: tuple[int, ...], resonant: bool
) -> None:
    folder = tmp_path_factory.mktemp("trim")
    replace(JOINED_STRIPS, resonant=resonant).write(folder)
    top, bottom, left, right = trim
    scan = read_scan(folder, join_contiguous=True)
    trimmed = scan.trimmed(top=top, bottom=bottom, left=left, right=right)
    assert np.array_equal(trimmed[:], scan[:, top : scan.image_height - bottom, kept_columns(scan, left, right)])


@pytest.mark.parametrize(("left", "right", "top", "bottom"), [(3, 3, 0, 0), (0, 2, 1, 5), (4, 1, 2, 0), (0, 0, 3, 3)])
def test_a_field_joined_and_trimmed_keeps_its_position(
    tmp_path: Path, left: int, right: int, top: int, bottom: int
) -> None:
    JOINED_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    (whole_field,) = scan.fields
    for trimmed in (
        scan.trimmed(left=left, right=right, top=top, bottom=bottom),
        read_scan(tmp_path).trimmed(left=left, right=right, top=top, bottom=bottom).join_contiguous(),
    ):
        (field,) = trimmed.fields
        assert field.closed_gaps == (0, 2 * (left + right))
        for piece, xs in enumerate(field.output_xslices):
            num_moved = piece * (left + right)
            for column in (xs.start, xs.stop - 1):
                recorded_position = whole_field.affine @ [kept_columns(scan, left, right)[column], top, 1]
                shown_position = field.affine @ [column, 0, 1]
                assert np.allclose(
                    shown_position + np.array([num_moved * whole_field.pixel_width_in_microns, 0, 0]), recorded_position
                )
        canvas, whole_canvas = trimmed.canvas(), scan.canvas()
        down_by = round((canvas.top - whole_canvas.top) / canvas.pixel_size)
        right_by = round((canvas.left - whole_canvas.left) / canvas.pixel_size)
        rows, columns = canvas.image.shape
        recorded_image = whole_canvas.image[down_by : down_by + rows, right_by : right_by + columns]
        is_kept = np.isfinite(canvas.image)
        assert is_kept.sum() == field.height * field.width
        assert np.array_equal(canvas.image[is_kept], recorded_image[is_kept])


def test_a_joined_field_that_is_not_trimmed_has_no_closed_gaps(tmp_path: Path) -> None:
    JOINED_STRIPS.write(tmp_path)
    assert read_scan(tmp_path, join_contiguous=True).fields[0].closed_gaps == (0, 0)
    assert read_scan(tmp_path).trimmed(left=3).fields[0].closed_gaps == (0, 0)


def test_a_realigned_joined_field_stays_joined_when_trimmed(tmp_path: Path) -> None:
    rois = (*STRIPS, roi(scanfield((20.0, 0.5), (2.0, 8.0), (12, 48)), name="apart"))
    Recording(rois=rois, frames_per_slice=3).write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    realigned = phase.realigned(scan, [[2], [5]])
    trimmed = realigned.trimmed(top=1)
    assert [field.name for field in trimmed.fields] == ["strip 0 + strip 1 + strip 2", "apart"]
    for i in range(2):
        assert np.array_equal(trimmed[i], realigned[i, 1:])


@pytest.mark.parametrize("resonant", [True, False])
def test_pixels_scanned_backwards_are_later_on_the_left(tmp_path: Path, resonant: bool) -> None:
    heights = (15, 24, 13, 24)  # odd heights shift the lines of the fields behind them
    rois = tuple(roi(scanfield((3.0 * i, 0), (2, 2), (12, h)), name=f"{i}") for i, h in enumerate(heights))
    Recording(rois=rois, frames_per_slice=2, resonant=resonant).write(tmp_path)
    scan = read_scan(tmp_path).trimmed(top=1)
    for field in scan.fields:
        backward_pixels = phase.is_backward(field)
        assert np.array_equal(np.diff(field.offsets, axis=1) < 0, backward_pixels[:, 1:])
        first = 1 + field.yslices[0].start - 1 if resonant else 1  # trimmed by one row
        assert backward_pixels[0, 0] == (first % 2 == 1)


def test_no_fields_of_a_selection(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    selection = scan.select(fields=[1])
    assert selection[[]].shape == (0, *selection[0].shape)
    assert scan[[], :3, :3].shape == (0, 3, 3, 1, 5)
