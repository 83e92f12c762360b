"""The calls that programs written for atlab's scanreader make, with the values that it gives them.

Expected values are those of tifffile and of formulas of the calling programs, never of scanreader.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import MESOSCOPE, STACK, VOLUME, expected, read_warned
from typer.testing import CliRunner

import scanreader
from scanreader import ChangedFileError, ClosedScanError, read_scan
from scanreader.cli.commands import app
from scanreader.simulate import Recording

PLANAR = Recording(release="2018b", frames_per_slice=6, channels=(1, 2))
RELEASES = ("3.8", "4.2", "5.0", "5.1", "2015.4", "2016b", "5.7", "2020", "2023.1")


def header_by_tifffile(path: str | Path) -> str:
    """The header as atlab's scanreader puts it together: description and Software tag of the first page."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        return f"{page.description}\n{page.software}"


def epoch_of(header: str) -> datetime:
    """The start of the acquisition, as element-interface parses it out of a header."""
    settings = dict(line.split(" = ") for line in header.split("\n") if line.count(" = ") == 1)
    return datetime.strptime(settings["epoch"][1:-1].replace(",", " "), "%Y %m %d %H %M %S.%f")  # noqa: DTZ007 - as they do


# ------------------------------------------------------------------------------- header


@pytest.mark.parametrize(
    ("release", "json_headers"), [*((release, False) for release in RELEASES), ("2015.4", True), ("2023.1", True)]
)
def test_the_header_is_the_first_description_and_the_block(release: str, json_headers: bool, tmp_path: Path) -> None:
    path, *_ = Recording(release=release, frames_per_slice=2, json_headers=json_headers).write(tmp_path)
    with read_scan(path) as scan:
        assert scan.header == header_by_tifffile(path)
        assert scan.header.endswith("\n" + scan.header_block) or scan.header == scan.header_block + "\n"


@pytest.mark.parametrize("release", ["3.8", "4.2", "5.0", "5.1"])
def test_settings_in_descriptions_stand_once(release: str, tmp_path: Path) -> None:
    (path,) = Recording(release=release, settings={"userNote": "'once'"}).write(tmp_path)
    assert read_scan(path).header.count("once") == 1


def test_headers_of_real_recordings(recordings: Path) -> None:
    for path in sorted(recordings.rglob("*.tif*"))[:4]:
        scan = read_scan(path)
        assert scan.header == header_by_tifffile(path)
        with tifffile.TiffFile(path) as tif:
            block = tif.pages[0].software if isinstance(tif.pages[0], tifffile.TiffPage) else ""
        assert scan.header_block == (block or scan.header[:-1])


def test_the_time_of_the_acquisition_is_in_the_header(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    scan = read_scan(tmp_path)
    assert epoch_of(scan.header) == datetime(2023, 9, 22, 12, 46, 9, 383000)  # noqa: DTZ001 - it has no zone
    assert "epoch" not in scan.header_block


def test_the_header_is_that_of_the_recording_in_each_view(tmp_path: Path) -> None:
    path, *_ = MESOSCOPE.write(tmp_path)
    header = header_by_tifffile(path)
    scan = read_scan(tmp_path)
    for view in (scan, scan.trimmed(left=1), scan.select(frames=[3], channels=[0]), pickle.loads(pickle.dumps(scan))):
        assert view.header == header
    assert read_scan(tmp_path, raw=True).header == header


def test_the_header_needs_the_first_page(tmp_path: Path) -> None:
    (path,) = PLANAR.write(tmp_path)
    scan = read_scan(path)
    path.rename(tmp_path / "away")
    with pytest.raises(ChangedFileError):
        _ = scan.header
    scan.close()
    assert scan.header_block
    with pytest.raises(ClosedScanError):
        _ = scan.header


# -------------------------------------------------------------------------------- names


def test_degrees_become_microns(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan: Any = read_scan(tmp_path)
    assert scan._degrees_to_microns(scan.fields[0].x) == pytest.approx(-3.2 * 15)
    np.testing.assert_allclose(scan._degrees_to_microns(np.array([1.0, -2.0])), [15, -30])


def test_degrees_are_unknown_in_microns_without_a_resolution(tmp_path: Path) -> None:
    dataclasses.replace(PLANAR, settings={"objectiveResolution": None}).write(tmp_path)
    scan: Any = read_scan(tmp_path)
    assert math.isnan(scan._degrees_to_microns(1.0))


def test_all_pages_of_all_files_count(tmp_path: Path) -> None:
    paths = dataclasses.replace(VOLUME, frames_per_file=7, stop=18).write(tmp_path)
    scan: Any = read_warned(tmp_path)[0]
    assert len(paths) > 1
    assert scan._num_pages == len(reference.all_pages(paths)) == 36
    assert scan.select(frames=[0])._num_pages == 36


def test_the_width_of_a_page_is_not_that_of_a_field(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan: Any = read_scan(tmp_path)
    assert scan._page_width == scan.trimmed(left=2)._page_width == MESOSCOPE.page_shape[1]


@pytest.mark.parametrize("release", ["5.1", "2016b", "2023.1"])
def test_scan_angle_multipliers(release: str, tmp_path: Path) -> None:
    settings = {"hRoiManager.scanAngleMultiplierFast": 0.5, "hRoiManager.scanAngleMultiplierSlow": 0.25}
    Recording(release=release, settings=settings).write(tmp_path / "shrunk")
    Recording(release=release).write(tmp_path / "default")
    Recording(release=release, settings=dict.fromkeys(settings)).write(tmp_path / "none")
    shrunk_scan, default_scan, scan_without = (read_scan(tmp_path / name) for name in ("shrunk", "default", "none"))
    assert (shrunk_scan._x_angle_scale_factor, shrunk_scan._y_angle_scale_factor) == (0.5, 0.25)
    assert (default_scan._x_angle_scale_factor, default_scan._y_angle_scale_factor) == (1, 1)
    assert math.isnan(scan_without._x_angle_scale_factor)
    assert math.isnan(scan_without._y_angle_scale_factor)


def test_errors_have_their_older_names(tmp_path: Path) -> None:
    from scanreader.exceptions import ScanImageVersionError

    assert ScanImageVersionError is scanreader.ScanImageVersionError
    for name in ("PathnameError", "FieldDimensionMismatch", "ScanImageVersionError", "ScanReaderException"):
        assert getattr(scanreader.exceptions, name) is getattr(scanreader, name)
        assert issubclass(getattr(scanreader, name), scanreader.exceptions.ScanReaderException)
    with pytest.raises(scanreader.exceptions.PathnameError):
        read_scan(str(tmp_path / "*.tif"))


def test_patterns_are_expanded_to_files_sorted_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    paths = [tmp_path / name for name in ("a/scan_2.tif", "scan_1.tif", "scan_10.tif")]
    for path in paths:
        path.touch()
    monkeypatch.chdir(tmp_path)
    files = scanreader.core.expand_wildcard(["*.tif", "a/*.tif"])
    assert files == [str(paths[1]), str(paths[2]), str(paths[0])]
    assert scanreader.core.expand_wildcard("*_1.tif") == [str(paths[1])]
    assert scanreader.core.expand_wildcard("nothing*") == []
    assert scanreader.core.read_scan is scanreader.read_scan


# ------------------------------------------------------------------------------ numbers


def requested_frames(recording: Recording, folder: Path) -> int | None:
    recording.write(folder)
    return read_scan(folder).num_requested_frames


def test_requested_frames_are_a_whole_number(tmp_path: Path) -> None:
    inf, volumes = {"hStackManager.framesPerSlice": math.inf}, {"hFastZ.numVolumes": math.inf}
    fast_volume = dataclasses.replace(VOLUME, release="2018b")
    for i, (recording, count) in enumerate(
        [
            (PLANAR, 6),
            (fast_volume, 4),
            (dataclasses.replace(PLANAR, frames_per_slice=7, averaging=2), 3),
            (dataclasses.replace(PLANAR, settings=inf), 10**9),
            (dataclasses.replace(PLANAR, settings=inf, loops=2), 10**9),
            (dataclasses.replace(fast_volume, settings=volumes), 10**9),
            (dataclasses.replace(PLANAR, settings={"hStackManager.framesPerSlice": None}), None),
        ]
    ):
        number = requested_frames(recording, tmp_path / str(i))
        assert number == count
        assert type(number) is (int if count is not None else type(None))


def test_what_ran_until_stopped_is_said_as_inf(tmp_path: Path) -> None:
    dataclasses.replace(PLANAR, settings={"hStackManager.framesPerSlice": math.inf}).write(tmp_path)
    scan = read_scan(tmp_path)
    result = CliRunner().invoke(app, ["info", "--json", str(tmp_path)])
    assert json.loads(result.output)["requested_frames"] == "Inf"
    assert "requested" not in CliRunner().invoke(app, ["info", str(tmp_path)]).output
    assert "requested" not in str(scan.check())
    assert read_scan(tmp_path, raw=True).num_requested_frames is None


@pytest.mark.parametrize(
    ("release", "name"),
    [("2018b", "hMotors.motorPosition"), ("5.0", "motorPosition"), ("2023.1", "hMotors.samplePosition")],
)
def test_the_stage_has_three_coordinates(release: str, name: str, tmp_path: Path) -> None:
    for value, position in (
        ([1.5, -2, 30], [1.5, -2, 30]),
        ([1.5, -2, 30, 40], [1.5, -2, 30]),
        ([], None),
        (None, None),
    ):
        folder = tmp_path / f"{value}"
        Recording(release=release, settings={name: value}).write(folder)
        scan = read_scan(folder)
        assert scan.motor_position_at_zero == position
        has_two_z = value is not None and len(value) > 3 and release != "2023.1"
        assert scan.initial_secondary_z == (40 if has_two_z else None)


def test_the_stage_of_3_8(tmp_path: Path) -> None:
    Recording(release="3.8").write(tmp_path / "a")
    Recording(release="3.8", settings={"motor.absZPosition": []}).write(tmp_path / "b")
    assert read_scan(tmp_path / "a").motor_position_at_zero == [659.6, -10386.6, -8068.4]
    assert read_scan(tmp_path / "b").motor_position_at_zero is None


@pytest.mark.parametrize(
    ("release", "name"),
    [("5.1", "hMotors.motorSecondMotorZEnable"), ("2018b", "hStackManager.slowStackWithFastZ")],
)
def test_the_actuator_of_slow_stacks(release: str, name: str, tmp_path: Path) -> None:
    for is_fast_z in (True, False):
        dataclasses.replace(STACK, release=release, volumes=1, settings={name: is_fast_z}).write(
            tmp_path / f"{is_fast_z}"
        )
        assert read_scan(tmp_path / f"{is_fast_z}").is_slow_stack_with_fastZ is is_fast_z


# ---------------------------------------------------------------------- whole functions


@pytest.mark.parametrize("recording", [PLANAR, dataclasses.replace(VOLUME, release="2018b", flyback=0)])
def test_splitting_pages_into_channels_for_caiman(recording: Recording, tmp_path: Path) -> None:
    """element-interface takes pages for slices and channels by arithmetic, up to `_num_pages`."""
    (path,) = recording.write(tmp_path)
    pages = reference.all_pages([path])
    scan: Any = read_scan(str(path))
    shape = (scan.num_scanning_depths, scan.image_height, scan.image_width, scan.num_channels, scan.num_frames)
    split = np.zeros(shape, scan.dtype)
    for depth in range(scan.num_scanning_depths):
        for channel in range(scan.num_channels):
            step = scan.num_scanning_depths * scan.num_channels
            numbers = np.arange(depth * scan.num_channels + channel, scan._num_pages, step)
            split[depth, :, :, channel, :] = pages[numbers].transpose(1, 2, 0)
    np.testing.assert_array_equal(split, scan[:])


def row_of_recording(scan: Any) -> dict[str, Any]:
    """What element-calcium-imaging stores of a recording."""
    x, y, z = scan.motor_position_at_zero or (None, None, None)
    return {
        "counts": (scan.num_fields, scan.num_channels, scan.num_frames, scan.num_scanning_depths),
        "nrois": scan.num_rois if scan.is_multiROI else 0,
        "position": (x, y, z),
        "fps": scan.fps,
        "bidirectional": scan.is_bidirectional,
        "usecs_per_line": scan.seconds_per_line * 1e6,
        "fill_fraction": scan.temporal_fill_fraction,
        "scan_duration": scan.num_frames / scan.fps,
    }


def row_of_header(header: str, **facts: Any) -> dict[str, Any]:
    """The same by the header's text."""

    def number(name: str) -> float:
        match = re.search(rf"{re.escape(name)} = (\S+)", header)
        assert match
        return float(match[1])

    fps = number("hRoiManager.scanVolumeRate")
    return {
        "position": (-12.5, -1840, -655),
        "fps": pytest.approx(fps),
        "bidirectional": True,
        "usecs_per_line": pytest.approx(0.5e6 / number("hScan2D.scannerFrequency"), rel=1e-5),
        "fill_fraction": number("hScan2D.fillFractionTemporal"),
        "scan_duration": pytest.approx(facts["counts"][2] / fps),
        **facts,
    }


@pytest.mark.parametrize("release", ["2018b", "2021.0"])
def test_ingestion_of_planar_fast_and_multi_roi_recordings(release: str, tmp_path: Path) -> None:
    for recording, counts, nrois in (
        (PLANAR, (1, 2, 6, 1), 0),
        (VOLUME, (3, 2, 4, 3), 0),
        (MESOSCOPE, (5, 1, 5, 2), 4),
    ):
        folder = tmp_path / f"{counts}"
        path, *_ = dataclasses.replace(recording, release=release).write(folder)
        assert row_of_recording(read_scan(folder)) == row_of_header(
            header_by_tifffile(path), counts=counts, nrois=nrois
        )


def test_ingestion_of_fields_of_a_multi_roi_recording(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan: Any = read_scan(tmp_path)
    x0, y0, z0 = scan.motor_position_at_zero
    rows = [
        (
            scan.field_heights[i],
            scan.field_widths[i],
            scan.field_heights_in_microns[i],
            scan.field_widths_in_microns[i],
            x0 + scan._degrees_to_microns(scan.fields[i].x),
            y0 + scan._degrees_to_microns(scan.fields[i].y),
            z0 + scan.fields[i].depth,
            scan.field_rois[i][0],
        )
        for i in range(scan.num_fields)
    ]
    v1, lm = ((40, 24, 60, 36, -12.5 + 15 * x, -1840 + 15 * y) for x, y in ((-3.2, 1.1), (0.4, 1.9)))
    rsc = (24, 24, 36, 36, -12.5 + 15 * 3.6, -1840 - 15 * 0.5)
    np.testing.assert_allclose(rows, [(*v1, -655, 0), (*lm, -655, 1), (*v1, -595, 0), (*lm, -595, 1), (*rsc, -595, 2)])
    assert [mask.shape for mask in scan.field_offsets] == [(40, 24)] * 4 + [(24, 24)]


def test_ingestion_of_a_resonant_volume_by_measured_fields_of_view(tmp_path: Path) -> None:
    """cajal/pipeline scales a field of view measured at one zoom by the multipliers, and stores depths from motors."""
    settings = {"hRoiManager.scanAngleMultiplierSlow": 0.5}
    dataclasses.replace(VOLUME, release="2018b", settings=settings).write(tmp_path)
    scan: Any = read_scan(f"{tmp_path}/*.tif")
    um_height, um_width = [um * (2 / scan.zoom) for um in (500, 600)]
    assert um_height * scan._y_angle_scale_factor == pytest.approx(500 * 2 / 1.5 / 2)
    assert um_width * scan._x_angle_scale_factor == pytest.approx(600 * 2 / 1.5)
    motor_zero = 100 - scan.motor_position_at_zero[2]
    assert not (scan.is_slow_stack and not scan.is_slow_stack_with_fastZ)
    np.testing.assert_allclose(motor_zero + np.array(scan.field_depths), [755, 785, 815])
    assert isinstance(scan.num_requested_frames, int)


def test_quality_of_a_field(tmp_path: Path) -> None:
    """element-calcium-imaging takes a field as time, channel, y, x; cajal/pipeline a part of its frames."""
    recording = dataclasses.replace(VOLUME, release="2018b")
    paths = recording.write(tmp_path)
    field = expected(recording, paths)[1]
    scan = read_scan(sorted(map(str, tmp_path.glob("*.tif"))))
    frames: npt.NDArray[Any] = scan[1].transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(frames[:, 1].mean(axis=(1, 2)), field[:, :, 1].mean(axis=(0, 1)))
    part = scan[1, :, :, 0, max(2 - 2000, 0) : 2 + 2000].astype(np.float32)
    np.testing.assert_array_equal(part, field[:, :, 0])
