"""What ScanImage wrote beside the pixels: stimuli, integration ROIs, motion; each compared with what was simulated."""

from __future__ import annotations

import contextlib
import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, VOLUME, read_warned
from hypothesis import given
from hypothesis import strategies as st

from scanreader import (
    ClosedScanError,
    Field,
    FileFormatError,
    HeaderError,
    LayoutError,
    PathnameError,
    Piece,
    Scan,
    ScanIndexError,
    ScanKeyError,
    ScanReaderWarning,
    read_scan,
)
from scanreader.scanimage.header import Header
from scanreader.scanimage.integration import IntegrationRoi, parse_integration, parse_integration_rois
from scanreader.scanimage.jsonlab import parse_json
from scanreader.scanimage.motion import parse_motion
from scanreader.scanimage.photostim import beam_unit, parse_groups, parse_log
from scanreader.scanimage.places import pixels_at
from scanreader.simulate import (
    Logged,
    Motion,
    Recording,
    integration_roi,
    roi_json,
    stimulus,
    stimulus_group,
    write_integration,
    write_motion,
    write_stim,
)

SLM = ((-0.5, 0.25, 30.0, 1.0), (0.5, -0.25, -10.0, 0.5))
GROUPS = (
    stimulus_group(
        stimulus("pause", duration=0.001, powers=0),
        stimulus("logspiral", (1.0, -2.0), (0.4, 0.2), repetitions=3, parameters={"revolutions": 3}, slm_points=SLM),
        stimulus("park", duration=0.001, powers=0),
        name="two cells",
    ),
    stimulus_group(stimulus("point", (0.0, 3.0), duration=0.02, powers=(5, math.nan), slm_points=((1, 1, 0, 1),))),
    stimulus_group(stimulus("circle", (-4.0, 0.0)), name="no SLM"),
)
INTEGRATED_ROIS = (
    integration_roi((-3.0, 1.0), (3.0, 1.5), name="a, left"),
    integration_roi((3.0, -3.0), (2.0, 2.0), name="", mask=((1, 0), (0, 0.5)), channel=2),
)


def displacement(frame: Logged) -> tuple[float, float, float]:
    return (0.5 * frame.number, -0.25, math.nan) if frame.number % 3 else (math.nan,) * 3


FULL_RECORDING = Recording(
    stem="my",
    frames_per_slice=40,
    photostim=GROUPS,
    stimulus_sequence=(0, 1, 0),
    integration_rois=INTEGRATED_ROIS,
    motion=displacement,
)


def opened(recording: Recording, folder: Path) -> Scan:
    recording.write(folder)
    return read_scan(folder)


# ---------------------------------------------------------------------------- photostim


def test_groups_are_those_that_were_drawn(tmp_path: Path) -> None:
    photostim = opened(FULL_RECORDING, tmp_path).photostim
    assert photostim is not None
    assert [group.name for group in photostim.groups] == ["two cells", "group 2", "no SLM"]
    pause_stimulus, spiral_stimulus, park_stimulus = photostim.groups[0].stimuli
    assert [
        stimulus_of_group.is_stimulus for stimulus_of_group in (pause_stimulus, spiral_stimulus, park_stimulus)
    ] == [False, True, False]
    assert (spiral_stimulus.function, spiral_stimulus.parameters) == ("logspiral", {"revolutions": 3})
    assert (spiral_stimulus.duration, spiral_stimulus.repetitions, spiral_stimulus.powers) == (0.01, 3, (20,))
    assert (spiral_stimulus.center, spiral_stimulus.size, spiral_stimulus.rotation) == ((1, -2), (0.4, 0.2), 0)
    np.testing.assert_array_equal(spiral_stimulus.slm_points, SLM)
    (point,) = photostim.groups[1].stimuli
    np.testing.assert_array_equal(point.slm_points, [[1, 1, 0, 1]])  # one row, whose brackets JSON lost
    np.testing.assert_array_equal(point.powers, [5, math.nan])
    assert photostim.groups[2].stimuli[0].slm_points.shape == (0, 4)
    assert (photostim.mode, photostim.sequence, photostim.num_sequences) == ("sequence", (0, 1, 0), math.inf)
    assert photostim.triggers["syncTriggerTerm"] == 9
    assert photostim.triggers["autoTriggerPeriod"] == 0.1


def test_targets_are_pixels_of_the_field(tmp_path: Path) -> None:
    """A field of 16 x 16 pixels of 0.75 degrees, whose centre is between pixels 7 and 8."""
    scan = opened(FULL_RECORDING, tmp_path)
    assert scan.photostim is not None
    degrees = np.array([[0.5, -1.75], [1.5, -2.25], [1.0, 4.0]])
    np.testing.assert_allclose(scan.photostim.targets(scan.fields[0]), degrees[:, ::-1] / 0.75 + 7.5)
    np.testing.assert_allclose(scan.photostim.targets(scan.fields[0], [2]), [[7.5, -4 / 0.75 + 7.5]])
    assert scan.photostim.targets(scan.fields[0], []).shape == (0, 2)
    with pytest.raises(ScanIndexError, match="group 3 is out of bounds"):
        scan.photostim.targets(scan.fields[0], [3])
    np.testing.assert_array_equal(scan.photostim.targets(0), scan.photostim.targets(scan.fields[0]))
    with pytest.raises(ScanIndexError, match="field 1 is out of bounds"):
        scan.photostim.targets(1)
    for not_a_field in ("V1", None, True):
        with pytest.raises(ScanKeyError):
            scan.photostim.targets(not_a_field)  # type: ignore[arg-type]
    with pytest.raises(ScanKeyError, match="one of scan.fields"):
        scan.integration_rois[0].mask(0)  # type: ignore[arg-type]


def test_targets_of_rotated_and_trimmed_fields_go_through_the_affine(tmp_path: Path) -> None:
    from scanreader.simulate import roi, scanfield

    rois = (roi(scanfield((1.0, -1.0), (4.0, 2.0), (20, 16), rotation=30), name="turned"),)
    scan = opened(replace(FULL_RECORDING, rois=rois), tmp_path)
    for view in (scan, scan.trimmed(left=3, top=2)):
        (field,) = view.fields
        assert view.photostim is not None
        targets = view.photostim.targets(field)
        back = np.column_stack([targets[:, ::-1], np.ones(len(targets))]) @ field.affine.T / 15
        np.testing.assert_allclose(back[:, :2], [[0.5, -1.75], [1.5, -2.25], [1.0, 4.0]], atol=1e-9)


def test_there_is_none_without_groups(tmp_path: Path) -> None:
    scan = opened(VOLUME, tmp_path)
    assert scan.photostim is None
    assert scan.integration_rois == ()
    assert scan.integration is None
    assert scan.motion is None
    assert scan.side_files == {"stimulus log": [], "integration": [], "motion": []}


def test_one_group_is_an_object(tmp_path: Path) -> None:
    photostim = opened(replace(FULL_RECORDING, photostim=GROUPS[:1], stimulus_sequence=(0,)), tmp_path).photostim
    assert photostim is not None
    assert [group.name for group in photostim.groups] == ["two cells"]


@pytest.mark.parametrize("sequence", [[1, 4], [0], [1.5], "x"])
def test_a_sequence_that_cannot_be_is_refused(tmp_path: Path, sequence: Any) -> None:
    scan = opened(replace(FULL_RECORDING, settings={"hPhotostim.sequenceSelectedStimuli": sequence}), tmp_path)
    assert scan.photostim is not None
    assert len(scan.photostim.groups) == 3
    with pytest.raises(HeaderError, match=r"group|integers"):
        _ = scan.photostim.sequence


def test_older_spellings() -> None:
    shape = {
        "centerXY": [1, 2],
        "scalingXY": [0.5, 0.25],
        "stimfcnhdl": "@scanimage.mroi.stimulusfunctions.circle",
        "stimulusFunctionParams": [["a", [1, 2]]],
        "duration": 0.1,
        "slmPattern": [[1, 2, 3], [4, 5, 6]],
    }
    (group,) = parse_groups([{"rois": {"scanfields": shape}}])
    (stimulus_of_group,) = group.stimuli
    assert (
        stimulus_of_group.function,
        stimulus_of_group.parameters,
        stimulus_of_group.size,
        stimulus_of_group.repetitions,
    ) == ("circle", {"a": [1, 2]}, (1, 0.5), 1)
    np.testing.assert_array_equal(stimulus_of_group.slm_points, [[1, 2, 3, math.nan], [4, 5, 6, math.nan]])


def test_a_group_of_a_real_recording() -> None:
    """Of ScanImage 2021.1, shortened: a pause without points, and a spiral on two cells."""
    text = """{"name": "default1", "rois": [
        {"name": "ROI 1", "zs": 0, "scanfields": {"centerXY": [0, 0], "sizeXY": [0, 0], "rotationDegrees": 0, "enable": 1,
         "stimulusFunction": "scanimage.mroi.stimulusfunctions.pause", "stimparams": [], "duration": 0.001,
         "repetitions": 1, "powers": 0,
         "slmPattern": {"_ArrayType_": "double", "_ArraySize_": [0, 4], "_ArrayData_": null}}},
        {"name": "ROI 2", "zs": 0, "scanfields": {"centerXY": [1.161313386, -1.313514243],
         "sizeXY": [0.1523031554, 0.1524833958], "rotationDegrees": 0, "enable": 1,
         "stimulusFunction": "scanimage.mroi.stimulusfunctions.logspiral", "stimparams": ["revolutions", 3],
         "duration": 0.01, "repetitions": 10, "powers": 20, "zSpan": 0,
         "slmPattern": [[-0.1974509986, 0.4931291721, 0, 1], [-0.04916991149, 0.06637069324, 0, 1]]}}]}"""
    (group,) = parse_groups(parse_json(text))
    pause_stimulus, spiral_stimulus = group.stimuli
    assert pause_stimulus.slm_points.shape == (0, 4)
    assert (spiral_stimulus.total_duration, spiral_stimulus.parameters) == (0.1, {"revolutions": 3})
    np.testing.assert_allclose(spiral_stimulus.places[0], [1.161313386 - 0.1974509986, -1.313514243 + 0.4931291721])


def test_an_image_of_an_slm_has_no_points() -> None:
    shape = {"centerXY": [1, 2], "sizeXY": [1, 1], "stimulusFunction": "point", "slmPattern": [[1, 0, 1, 1, 0]] * 3}
    ((stimulus_of_group,),) = (group.stimuli for group in parse_groups({"rois": {"scanfields": shape}}))
    assert stimulus_of_group.has_slm_image
    assert np.isnan(stimulus_of_group.places).all()


@pytest.mark.parametrize(
    "change", [{"stimulusFunction": 3}, {"centerXY": [1]}, {"stimparams": ["a"]}, {"duration": "x"}]
)
def test_stimuli_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    shape = {"centerXY": [1, 2], "sizeXY": [1, 1], "stimulusFunction": "point"} | change
    with pytest.raises(HeaderError, match="not described as ScanImage does"):
        parse_groups({"rois": {"scanfields": shape}})


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["rois", "scanfields", "zs", "centerXY", "sizeXY", "stimulusFunction", "slmPattern", "mask", "channel"]
            ),
            values,
            max_size=6,
        )
    ),
    max_leaves=30,
)


odd_numbers = st.sampled_from([0.0, -1.0, 1e308, math.inf, -math.inf, math.nan, 3.0])


@given(st.lists(odd_numbers, min_size=7, max_size=7))
def test_any_numbers_give_targets_and_masks(numbers: list[float]) -> None:
    x, y, width, height, rotation, *point = numbers
    shape = {"centerXY": [x, y], "sizeXY": [width, height], "rotationDegrees": rotation, "mask": [[1, 0.5]]}
    pattern = shape | {"stimulusFunction": "point", "slmPattern": [[*point, 0, 1], [*point, 1, 1]]}
    field = Field(4, 6, 0.0, 0.0, 0.0, 3.0, 3.0, 0, (Piece(0, 4, 6, 0, 0, 0, 0, 0),))
    (group,) = parse_groups({"rois": {"zs": 0, "scanfields": pattern}})
    assert pixels_at(field, group.stimuli[0].places).shape == (2, 2)
    (roi,) = parse_integration_rois({"rois": {"zs": 0, "scanfields": shape}})
    with contextlib.suppress(LayoutError):
        assert set(roi.mask(field).ravel().tolist()) <= {0, 0.5, 1}


@given(json_values)
def test_any_json_is_read_or_refused_by_a_typed_error(value: Any) -> None:
    for parse in (parse_groups, parse_integration_rois):
        with contextlib.suppress(HeaderError):
            parse(value)


# ------------------------------------------------------------------------------ the log


def test_the_log_has_degrees_and_the_beam(tmp_path: Path) -> None:
    photostim = opened(FULL_RECORDING, tmp_path).photostim
    assert photostim is not None
    log = photostim.log
    assert log is not None
    assert (log.beam_unit, log.rate) == ("fraction", 9000)
    assert len(log.x) % 300 == 0
    is_on = log.beam > 0
    assert log.beam[is_on].max() == np.float32(0.2)
    assert abs(log.x[: 9 + 270][is_on[: 9 + 270]] - 1).max() <= 0.2 + 1e-6
    np.testing.assert_allclose(log.times[:3], [0, 1 / 9000, 2 / 9000])
    np.testing.assert_array_equal(log.bout, 0)
    with pytest.raises(ValueError, match="read-only"):
        log.x[0] = 1


def test_the_example_of_the_format() -> None:
    data = bytes.fromhex("0000003f0000a0bfcdcc4c3e 0000403f0000a0bfcdcc4c3e")
    notes: list[str] = []
    records = parse_log(data + b"\0" * 5, "my_00001.stim", notes)
    assert records.tolist() == [(0.5, -1.25, np.float32(0.2)), (0.75, -1.25, np.float32(0.2))]
    assert notes == ["my_00001.stim ends inside a sample: its last 5 bytes are skipped"]


@pytest.mark.parametrize(
    ("version", "unit"),
    [
        (("'2016b'", "'0'", ""), "V"),
        (("'2018b'", "'1'", ""), "V"),
        (("'2018b'", "'2'", ""), "unknown"),
        (("'2019b'", "'0'", ""), "unknown"),
        (("2020", "1", "2"), "unknown"),
        (("2020", "1", "4"), "fraction"),
        (("2023", "1", "1"), "fraction"),
        (("'5.7'", "'1'", ""), "unknown"),
        (("'x'", "[]", "[]"), "unknown"),
    ],
)
def test_the_unit_of_the_beam_is_decided_by_the_release(version: tuple[str, str, str], unit: str) -> None:
    names = ("VERSION_MAJOR", "VERSION_MINOR", "VERSION_UPDATE")
    text = "".join(f"SI.{name} = {value}\n" for name, value in zip(names, version, strict=True) if value)
    assert beam_unit(Header(text)) == unit


def test_an_empty_log_is_empty(tmp_path: Path) -> None:
    scan = opened(FULL_RECORDING, tmp_path)
    write_stim(tmp_path / "my_00001.stim", np.empty((0, 3)))
    assert scan.photostim is not None
    with pytest.warns(ScanReaderWarning, match="holds no sample"):
        log = scan.photostim.log
    assert log is not None
    assert log.x.shape == log.times.shape == (0,)


# --------------------------------------------------------------------- integration ROIs


def test_integration_rois_are_those_that_were_drawn(tmp_path: Path) -> None:
    first, second = opened(FULL_RECORDING, tmp_path).integration_rois
    assert (first.name, first.channel, first.planes, first.is_enabled) == ("a, left", 1, (0,), True)
    assert (second.name, second.channel) == ("7CC89341", 2)
    assert second.shapes[0].threshold == 100


def reference_mask(field: Any, centre: tuple[float, float], size: tuple[float, float], mask: Any) -> Any:
    """Pixel by pixel: the cell of the grid around the ROI in which the pixel's centre is."""
    weights = np.zeros((field.height, field.width))
    for row in range(field.height):
        for column in range(field.width):
            x, y, _ = field.affine @ [column, row, 1] / field.microns_per_degree
            u, v = (x - centre[0]) / size[0] + 0.5, (y - centre[1]) / size[1] + 0.5
            if 0 <= u < 1 and 0 <= v < 1:
                weights[row, column] = mask[int(v * len(mask))][int(u * len(mask[0]))]
    return weights


def test_masks_are_resampled_on_the_pixels(tmp_path: Path) -> None:
    scan = opened(FULL_RECORDING, tmp_path)
    first, second = scan.integration_rois
    (field,) = scan.fields
    np.testing.assert_array_equal(first.mask(field), reference_mask(field, (-3.0, 1.0), (3.0, 1.5), [[1]]))
    expected = reference_mask(field, (3.0, -3.0), (2.0, 2.0), [[1, 0], [0, 0.5]])
    assert set(np.unique(expected)) == {0, 0.5, 1}
    np.testing.assert_array_equal(second.mask(field), expected)


def test_a_mask_is_where_its_centre_is(tmp_path: Path) -> None:
    rois = (integration_roi((-3.2, 1.1), (9.0, 9.0), name="V1", z=60.0, discrete=True),)
    scan = opened(replace(MESOSCOPE, integration_rois=rois), tmp_path)
    (roi_of_scan,) = scan.integration_rois
    sums = [roi_of_scan.mask(field).sum() for field in scan.fields]
    is_inside = [field.name == "V1" and field.depth == 60 for field in scan.fields]
    assert [total > 0 for total in sums] == is_inside
    assert sum(is_inside) == 1


@pytest.mark.parametrize("rotation", [0, 25, -140])
def test_a_mask_is_inside_of_the_affine_that_scanimage_writes(tmp_path: Path, rotation: float) -> None:
    """It takes the square from -0.5 to 0.5 to degrees (section 2.1 of the reference of side files)."""
    rois = (integration_roi((1.0, -1.5), (4.0, 2.0), name="r", rotation=rotation),)
    scan = opened(replace(FULL_RECORDING, integration_rois=rois), tmp_path)
    affine = np.array(rois[0]["scanfields"]["affine"])
    (field,) = scan.fields
    columns, rows = np.meshgrid(np.arange(field.width), np.arange(field.height))
    microns = field.affine @ np.stack([columns.ravel(), rows.ravel(), np.ones(field.width * field.height)])
    unit = np.linalg.inv(affine) @ (microns / [[15], [15], [1]])
    is_inside = (np.abs(unit[:2]) < 0.5).all(axis=0).reshape(field.height, field.width)
    assert is_inside.any()
    np.testing.assert_array_equal(scan.integration_rois[0].mask(field) > 0, is_inside)


def test_pixels_of_no_field_have_no_weight(tmp_path: Path) -> None:
    rois = (integration_roi((6.5, 0.0), (2.0, 2.0), name="beyond"), integration_roi((5.5, 0.0), (3.0, 2.0), name="in"))
    scan = opened(Recording(integration_rois=rois), tmp_path)
    shifted = scan.shifted([[0, -4]], keep="canvas")
    roi_beyond, roi_within = shifted.integration_rois
    assert not roi_beyond.mask(scan.fields[0]).any()
    assert not roi_beyond.mask(shifted.fields[0]).any()
    mask = roi_within.mask(scan.fields[0])
    assert mask.any()
    np.testing.assert_array_equal(roi_within.mask(shifted.fields[0]), np.pad(mask, [(0, 0), (0, 4)]))


def test_masks_that_json_collapsed() -> None:
    for mask, shape in (([1, 0, 1], (1, 3)), ([[1], [0]], (2, 1)), (1, (1, 1)), ([[]], (0,))):
        roi = {"name": "r", "zs": 0, "scanfields": {"centerXY": [0, 0], "sizeXY": [1, 1], "channel": 1, "mask": mask}}
        (roi_read,) = parse_integration_rois({"rois": roi})
        assert np.shape(roi_read.shapes[0].weights) == shape


def test_values_are_aligned_by_frame_number(tmp_path: Path) -> None:
    scan = opened(FULL_RECORDING, tmp_path)
    table = scan.integration
    assert table is not None
    assert table.dtype.names == ("bout", "frame", "frame_number", "timestamp", "a, left", "7CC89341")
    np.testing.assert_array_equal(table["frame"], np.arange(40))
    np.testing.assert_array_equal(table["7CC89341"], 200_000 + table["frame_number"])
    np.testing.assert_allclose(table["timestamp"], scan.timestamps[0], atol=1e-6)
    part = scan.select(frames=slice(10, 20, 3)).integration
    assert part is not None
    assert part["frame"][[9, 10, 11, 13, 16, 19]].tolist() == [-1, 0, -1, 1, 2, 3]


@pytest.mark.parametrize(
    "recording",
    [
        VOLUME,
        replace(VOLUME, frames_per_slice=3),
        replace(VOLUME, frames_per_slice=4, averaging=2),
        Recording(frames_per_slice=24, averaging=3),
        replace(VOLUME, dropped=(7, 8), frames_per_file=6),
    ],
)
def test_values_of_volumes_and_averages(tmp_path: Path, recording: Recording) -> None:
    paths = replace(recording, integration_rois=INTEGRATED_ROIS, motion=displacement).write(tmp_path)
    scan, _ = read_warned(paths[0].parent)
    table, motion, frames = scan.integration, scan.motion, scan.frame_table
    assert table is not None
    assert motion is not None
    repeats, last = scan.layout.counts.repeats, scan.num_scanning_depths - 1
    for rows in (table, motion):
        for row in rows[:: max(1, len(rows) // 30)]:
            number = row["frame_number"]
            frames_behind = frames[
                (frames["frame_number"] >= number) & (frames["frame_number"] < number + recording.averaging)
            ]
            frames_behind = frames_behind[
                (frames_behind["slice"] >= 0) & ((frames_behind["slice"] == last) | (rows is motion))
            ]
            expected = [
                int(frame_behind["volume"]) * repeats + int(frame_behind["repeat"]) for frame_behind in frames_behind
            ] or [-1]
            assert [row["frame"]] == expected


def test_a_loop_has_one_file_for_all_its_acquisitions(tmp_path: Path) -> None:
    scan = opened(replace(FULL_RECORDING, loops=3), tmp_path)
    table = scan.integration
    assert table is not None
    np.testing.assert_array_equal(table["bout"], np.repeat([0, 1, 2], 40))
    np.testing.assert_array_equal(table["frame"], np.arange(120))


def test_rows_of_frames_that_are_not_selected_stay_in_their_acquisition(tmp_path: Path) -> None:
    Recording(frames_per_slice=4, loops=2, motion=lambda frame: (frame.number, 0.0, 0.0)).write(tmp_path)
    starts = (10.0, 500.0)
    whole_scan = read_scan(tmp_path, bout_starts=starts)
    motion = whole_scan.select(frames=[0, 6]).motion
    assert motion is not None
    assert motion["frame"].tolist() == [0, -1, -1, -1, -1, -1, 1, -1]
    assert motion["bout"].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(motion["timestamp"], whole_scan.timestamps[0], atol=1e-5)


def test_bouts_that_differ_in_averaging_have_rows_by_their_own(tmp_path: Path) -> None:
    averaged_recording = Recording(frames_per_slice=16, averaging=8, integration_rois=(integration_roi(name="a"),))
    plain_recording = replace(averaged_recording, averaging=1, epoch=(2023, 9, 22, 13, 0, 0.0))
    for pair, frames_of_bouts in (
        (
            (averaged_recording, plain_recording),
            [[0] * 8 + [-1] * 8, [1 + i // 2 if i % 2 == 1 else -1 for i in range(16)]],
        ),
        (
            (plain_recording, averaged_recording),
            [[i // 2 if i % 2 == 0 else -1 for i in range(16)], [8] * 8 + [-1] * 8],
        ),
    ):
        folders = [tmp_path / f"{pair[0].averaging}{recording.averaging}" for recording in pair]
        for folder, recording in zip(folders, pair, strict=True):
            recording.write(folder)
        scan, _ = read_warned([*map(str, folders)])
        table = scan.select(
            frames=slice(0, None, 2) if pair[0] is plain_recording else [0, *range(3, 18, 2)]
        ).integration
        assert table is not None
        for bout, frames in enumerate(frames_of_bouts):
            assert table["frame"][table["bout"] == bout].tolist() == frames


def test_joined_recordings_have_each_its_own(tmp_path: Path) -> None:
    first = FULL_RECORDING.write(tmp_path / "a")
    rois = (integration_roi(name="only here"),)
    other_recording = replace(FULL_RECORDING, stem="other", integration_rois=rois, epoch=(2023, 9, 22, 13, 0, 0.0))
    second = other_recording.write(tmp_path / "b")
    with pytest.warns(ScanReaderWarning, match="2 recordings are joined"):
        scan = read_scan([*first, *second])
    for table in (scan.integration, scan.motion):
        assert table is not None
        assert np.unique(table["bout"]).tolist() == [0, 1]
        np.testing.assert_array_equal(table["frame"][table["bout"] == 1], np.arange(40, 80))
        np.testing.assert_allclose(table["timestamp"], scan.timestamps[0, table["frame"]], atol=1e-6)  # on one clock
    assert scan.integration is not None
    np.testing.assert_array_equal(np.isnan(scan.integration["only here"]), scan.integration["bout"] == 0)
    assert scan.photostim is not None
    assert scan.photostim.log is not None
    assert np.unique(scan.photostim.log.bout).tolist() == [0, 1]
    assert scan.side_files["motion"] == ["my_Motion_00001.csv", "other_Motion_00001.csv"]


def test_acquisitions_with_one_name_have_each_its_own_by_the_counter(tmp_path: Path) -> None:
    first = FULL_RECORDING.write(tmp_path)
    later_recording = replace(
        FULL_RECORDING, epoch=(2023, 9, 22, 13, 0, 0.0), integration_value=lambda _, number: -number
    )
    second = later_recording.write(tmp_path / "later")
    names = {"my_00001.tif": "my_00002.tif", "my_IntegrationRois_00001.csv": "my_IntegrationRois_00002.csv"}
    for old_name, new_name in names.items():
        (tmp_path / "later" / old_name).rename(tmp_path / new_name)
    table = read_scan(tmp_path / "my_00002.tif").integration
    assert table is not None
    assert table["a, left"][0] == -1
    assert read_scan(tmp_path / "my_00002.tif").motion is None
    with pytest.warns(ScanReaderWarning, match="2 recordings are joined"):
        scan = read_scan([*first, tmp_path / second[0].name.replace("1", "2")])
    table, motion = scan.integration, scan.motion
    assert table is not None
    assert motion is not None
    np.testing.assert_array_equal(table["bout"], np.repeat([0, 1], 40))
    np.testing.assert_array_equal(table["a, left"][table["bout"] == 1], -np.arange(1, 41))
    assert set(motion["bout"].tolist()) == {0}


def test_more_values_than_names_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="3 values in a row, but its first line names 1 ROIs"):
        rows_of("timestamp,frameNumber,a\r\n0.1,1,2,3,4\r\n")


def rows_of(text: str, *rois: IntegrationRoi) -> tuple[Any, list[str]]:
    notes: list[str] = []
    return parse_integration(text, "my_IntegrationRois_00001.csv", rois, notes), notes


def test_the_example_of_the_integration_file() -> None:
    text = "timestamp,frameNumber,ROI 1,ROI 2\r\n0.033300,1,112.250000,98.000000\r\n0.066600,2,NaN,97.500000\r\n"
    rows, notes = rows_of(text)
    assert (rows.names, notes) == (("ROI 1", "ROI 2"), [])
    np.testing.assert_array_equal(rows.values, [[112.25, 98], [math.nan, 97.5]])
    rows, _ = rows_of(text.replace(",", ", "))
    assert rows.names == ("ROI 1", "ROI 2")


def test_rows_cut_by_a_crash_are_said(tmp_path: Path) -> None:
    scan = opened(FULL_RECORDING, tmp_path)
    path = tmp_path / "my_IntegrationRois_00001.csv"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.warns(ScanReaderWarning, match="ends inside a line: that line is skipped"):
        table = scan.integration
    assert table is not None
    assert len(table) == 39
    write_integration(path, ["a, left", "7CC89341"], [(0.0, 2, (1,)), (0.0, 1, (1, 2)), (0.0, 3, (1, 2))])
    path.write_bytes(path.read_bytes().replace(b",3,", b",x,"))
    with pytest.warns(ScanReaderWarning, match="2 of 3 rows are damaged and skipped"):
        table = read_scan(tmp_path).integration
    assert table is not None
    assert table["frame_number"].tolist() == [1]


def test_counts_that_differ_number_the_columns(tmp_path: Path) -> None:
    rois = (*INTEGRATED_ROIS, integration_roi(name="off", enabled=False))
    scan = opened(replace(FULL_RECORDING, integration_rois=rois), tmp_path)
    with pytest.warns(
        ScanReaderWarning, match="names 3 ROIs, but its rows have 2 values: .* disabled .*enabled are a, left"
    ):
        table = scan.integration
    assert table is not None
    assert (table.dtype.names or ())[-2:] == ("column 1", "column 2")
    rows, notes = rows_of("timestamp,frameNumber,a, b\r\n0.1,1,2.5\r\n")
    assert rows.names == ("column 1",)
    assert "names may contain commas" in notes[0]


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    rois = tuple(integration_roi(name=name) for name in ("frame", "a", "a"))
    table = opened(replace(FULL_RECORDING, integration_rois=rois), tmp_path).integration
    assert table is not None
    assert (table.dtype.names or ())[-3:] == ("frame (2)", "a", "a (2)")


def test_a_file_of_another_recording_is_refused_by_name(tmp_path: Path) -> None:
    scan = opened(FULL_RECORDING, tmp_path)
    name = "my_IntegrationRois_00001.csv"
    write_integration(tmp_path / name, ["x", "y"], [(0.0, 1, (1, 2))])
    with pytest.raises(PathnameError, match=rf"{name} is of another recording: its ROIs are x, y"):
        _ = scan.integration
    names = [roi.name for roi in scan.integration_rois]
    write_integration(tmp_path / name, names, [(5.0, 1, (1, 2))])
    with pytest.raises(PathnameError, match=rf"{name} is of another recording: it has frame 1 at 5 s, .* at 0 s"):
        _ = read_scan(tmp_path).integration
    (tmp_path / name).write_text("a,b\n1,2\n")
    with pytest.raises(FileFormatError, match=f"{name} begins with 'a,b'"):
        _ = read_scan(tmp_path).integration
    write_motion(tmp_path / "my_Motion_00001.csv", [Motion(0.0, 1, "A1", 0, (1, 1, 1), (1, 1, 1))])
    with pytest.raises(PathnameError, match="its ROIs are A1, those in the header are Default Imaging Roi"):
        _ = read_scan(tmp_path).motion


@given(st.text(alphabet="0123456789.,-naNif eE\r\n\0[];", max_size=200), st.booleans())
def test_any_table_is_read_or_refused_by_a_typed_error(text: str, is_older: bool) -> None:
    from scanreader.simulate.beside import MOTION_HEAD, OLDER_MOTION_HEAD

    rows, _ = rows_of("timestamp,frameNumber,a,b\r\n" + text)
    assert rows.values.shape == (len(rows.timestamps), len(rows.names))
    for row in parse_motion(f"{OLDER_MOTION_HEAD if is_older else MOTION_HEAD}\r\n{text}", "m", []):
        assert len(row.pixels) == len(row.degrees) == len(row.confidence) == 3


names_of_rois = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), min_size=1, max_size=6)
names_of_rois = names_of_rois.filter(lambda name: name.strip("-_") not in ("NaN", "Inf"))  # numbers in JSONLab's JSON
values = st.floats(-1e6, 1e6).map(lambda value: round(value, 6)) | st.just(math.nan)


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.lists(values, min_size=2, max_size=2)), max_size=5),
    st.lists(names_of_rois, min_size=2, max_size=2),
)
def test_what_is_written_is_read(rows: Any, names: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        write_integration(path, names, [(0.5 * number, number, pair) for number, pair in rows])
        text = path.read_bytes().decode()
    description = parse_json(roi_json({"rois": [integration_roi(name=name) for name in names]}))
    rois = parse_integration_rois(description)
    integration, notes = rows_of(text, *rois)
    assert notes == []
    assert integration.frame_numbers.tolist() == [number for number, _ in rows]
    np.testing.assert_array_equal(integration.values, np.array([pair for _, pair in rows]).reshape(-1, 2))
    assert integration.names == tuple(names)


# -------------------------------------------------------------------------------- motion


@pytest.mark.parametrize("release", ["2023.1", "2018a"])
def test_motion_is_as_written(tmp_path: Path, release: str) -> None:
    scan = opened(replace(FULL_RECORDING, release=release), tmp_path)
    motion = scan.motion
    assert motion is not None
    assert motion["frame"].tolist() == list(range(40))
    assert (motion["roi"] == "Default Imaging Roi").all()
    numbers = motion["frame_number"]
    has_succeeded = numbers % 3 > 0
    np.testing.assert_array_equal(motion["success"], has_succeeded)
    np.testing.assert_allclose(motion["pixels"][has_succeeded, 0], 0.5 * numbers[has_succeeded])
    np.testing.assert_allclose(motion["pixels"][has_succeeded, 1], -0.25)
    assert np.isnan(motion["pixels"][:, 2]).all()
    if release == "2018a":
        assert motion["pixels"][2, 0] == motion["pixels"][1, 0]  # a failure repeats the last offset
        assert np.isnan(motion["degrees"]).all()
        np.testing.assert_allclose(motion["confidence"][:, 0], 0.31)
    else:
        np.testing.assert_allclose(motion["degrees"][has_succeeded, 0], 0.5 * numbers[has_succeeded] * 0.75)


def test_the_example_of_the_motion_file() -> None:
    head = "timestamp, frameNumber, roiName, z, drPixel, drRef, confidence, userData\r\n"
    vectors = "[1.5 -0.25 NaN], [0.0074 -0.0012 NaN], [0.31 0.31 0.31]"
    for name in ("V1", "V1, left", "3, [1 2 3]", "", "a,b"):
        notes: list[str] = []
        (row,) = parse_motion(f"{head}12.345678, 371, {name}, 30.000000, {vectors}, \r\n", "m", notes)
        assert (row.timestamp, row.frame_number, row.roi, row.z, row.success) == (12.345678, 371, name, 30, True)
        np.testing.assert_array_equal(row.pixels, [1.5, -0.25, math.nan])
        assert notes == []
    (row,) = parse_motion(f"{head}1.0, 3, V1, 30.0, [NaN NaN NaN], [NaN NaN NaN], [], a, b\r\n", "m", notes)
    assert not row.success
    assert np.isnan(row.confidence).all()
    notes = []
    assert parse_motion(head + "1.0, 3, V1, 30.0, [1 2], [1 2], []\r\n1, 2\r\n", "m", notes) == []
    assert notes == ["m: 2 of 2 rows are damaged and skipped"]
    with pytest.raises(FileFormatError, match="not with .* or"):
        parse_motion("time,frame\r\n1,2\r\n", "m", [])


# ---------------------------------------------------------------------------- when it is read


def test_nothing_is_opened_before_it_is_asked_for(tmp_path: Path) -> None:
    FULL_RECORDING.write(tmp_path)
    for path in tmp_path.iterdir():
        if path.suffix != ".tif":
            path.write_bytes(b"nonsense")
    scan = read_scan(tmp_path)
    assert scan[0, 0, 0, 0].shape == (40,)
    assert scan.photostim is not None
    assert scan.side_files["integration"] == ["my_IntegrationRois_00001.csv"]
    scan_copy = pickle.loads(pickle.dumps(scan))
    with pytest.raises(FileFormatError):
        _ = scan_copy.motion
    photostim = scan.photostim
    scan.close()
    with pytest.raises(ClosedScanError):
        _ = scan.integration
    with pytest.raises(ClosedScanError):
        _ = photostim.log


def test_raw_pages_have_rows_without_frames(tmp_path: Path) -> None:
    FULL_RECORDING.write(tmp_path)
    table = read_scan(tmp_path, raw=True).integration
    assert table is not None
    assert (table["frame"] == -1).all()
