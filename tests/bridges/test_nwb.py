"""NWB files: what is unknown is not written as a number, and time zones are those that there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, VOLUME
from typer.testing import CliRunner

from scanreader import Scan, ScanKeyError, ScanReaderWarning, read_scan
from scanreader.cli.commands import app
from scanreader.simulate import Recording, roi, scanfield

pynwb = pytest.importorskip("pynwb")

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

NO_DEPTHS = dict.fromkeys(("hStackManager.zs", "hStackManager.zsAllActuators", "hStackManager.zsRelative"))


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[Scan]:
    VOLUME.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as opened:
        yield opened


@pytest.mark.filterwarnings("ignore:.*numpydoc.*")
def test_an_unknown_depth_is_no_number(tmp_path: Path) -> None:
    inspector = pytest.importorskip("nwbinspector")
    replace(VOLUME, settings=NO_DEPTHS).write(tmp_path / "raw")
    with pytest.warns(ScanReaderWarning, match="depths are unknown"):
        scan = read_scan(tmp_path / "raw")
    with (
        scan,
        pytest.warns(
            ScanReaderWarning, match="the depth of fields 0, 1, 2 is unknown: .* x and y alone"
        ) as warning_records,
    ):
        scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", grouped="field")
    assert len(warning_records) == 1
    assert not pynwb.validate(path=str(tmp_path / "a.nwb"))
    messages = inspector.inspect_nwbfile(nwbfile_path=str(tmp_path / "a.nwb"))
    assert not any("origin_coords" in message.message for message in messages)
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        for plane in io.read().imaging_planes.values():
            np.testing.assert_allclose(plane.origin_coords[:], [-90 + 180 / 32] * 2)  # 12 degrees of 15 um, 16 pixels
            assert "at an unknown depth" in plane.description
            assert "nan" not in plane.description


def test_a_known_depth_is_written(scan: Scan, tmp_path: Path) -> None:
    scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", grouped="field")
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        planes = io.read().imaging_planes
        assert [float(planes[f"ImagingPlane{i}"].origin_coords[2]) for i in range(3)] == list(VOLUME.zs)


def test_a_rotation_that_is_skipped_is_told(tmp_path: Path) -> None:
    replace(MESOSCOPE, rois=(roi(scanfield((0.0, 0.0), (3.0, 2.0), (12, 8), rotation=15)),)).write(tmp_path / "raw")
    with (
        read_scan(tmp_path / "raw") as scan,
        pytest.warns(ScanReaderWarning, match="planes have no rotation: that of fields 0, 1 is skipped"),
    ):
        scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", grouped="field")


# ------------------------------------------------------------------------------ time zones


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "Europe", "/etc/localtime", "../x", "a\0b", 5, b"UTC", [], True], ids=repr
)
def test_a_time_zone_is_one_that_there_is(scan: Scan, tmp_path: Path, zone: Any) -> None:
    for start in (None, datetime(2024, 1, 1, tzinfo=UTC)):  # also where it would not be used
        with pytest.raises(ScanKeyError, match="the time zone .* is unknown: give one like 'Europe/Zurich'"):
            scan.to_nwb(tmp_path / "a.nwb", timezone=zone, session_start_time=start, grouped="field")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_time_zone_that_is_there(scan: Scan, tmp_path: Path) -> None:
    zones = {"Europe/Zurich": 2, timezone(timedelta(hours=-7)): -7, UTC: 0}
    for i, (zone, hours) in enumerate(zones.items()):
        scan.to_nwb(tmp_path / f"{i}.nwb", timezone=zone, grouped="field")
        with pynwb.NWBHDF5IO(str(tmp_path / f"{i}.nwb"), "r") as io:
            assert io.read().session_start_time.utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize("start", ["2024-01-01", 5, (2024, 1, 1)], ids=repr)
def test_a_start_is_a_datetime(scan: Scan, tmp_path: Path, start: Any) -> None:
    with pytest.raises(ScanKeyError, match="session_start_time must be a datetime, not"):
        scan.to_nwb(tmp_path / "a.nwb", session_start_time=start, timezone="UTC", grouped="field")


def test_convert_names_an_unknown_time_zone(scan: Scan, tmp_path: Path) -> None:
    words = ["convert", *scan.filenames, str(tmp_path / "a.nwb"), "--timezone", "Mars/Olympus"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "the time zone 'Mars/Olympus' is unknown: give one like 'Europe/Zurich'" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def only_series(path: Path) -> Any:
    """The facts of the one series of a file."""
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        (series,) = io.read().acquisition.values()
        times = None if series.timestamps is None else series.timestamps[:]
        return series.rate, series.starting_time, times, series.scan_line_rate


def test_lines_a_second_are_written(scan: Scan, tmp_path: Path) -> None:
    selection = scan.select(fields=[1], channels=[0])
    selection.to_nwb(tmp_path / "a.nwb", timezone="UTC", grouped="field")
    rate, _, times, line_rate = only_series(tmp_path / "a.nwb")
    assert rate is None
    assert np.array_equal(times, scan.field_timestamps(1))
    assert line_rate == pytest.approx(1 / scan.metadata["SI.hRoiManager.linePeriod"])
    assert selection.verify(tmp_path / "a.nwb").ok


def test_calculated_times_are_a_rate(tmp_path: Path) -> None:
    Recording(release="3.8", frames_per_slice=6).write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as scan:
        scan.to_nwb(tmp_path / "a.nwb", session_start_time=datetime(2020, 1, 1, tzinfo=UTC), grouped="field")
        rate, start, times, _ = only_series(tmp_path / "a.nwb")
        assert (start, times) == (0.0, None)
        assert rate == pytest.approx(scan.fps)
        assert scan.verify(tmp_path / "a.nwb").ok
        part = scan.select(frames=slice(1, None, 2))
        part.to_nwb(tmp_path / "b.nwb", session_start_time=datetime(2020, 1, 1, tzinfo=UTC), grouped="field")
        rate, start, times, _ = only_series(tmp_path / "b.nwb")
        assert times is None
        assert (rate, start) == pytest.approx((scan.fps / 2, 1 / scan.fps))
        assert part.verify(tmp_path / "b.nwb").ok
        uneven_scan = scan.select(frames=[0, 1, 4])
        uneven_scan.to_nwb(tmp_path / "c.nwb", session_start_time=datetime(2020, 1, 1, tzinfo=UTC), grouped="field")
        assert np.allclose(only_series(tmp_path / "c.nwb")[2], np.array([0, 1, 4]) / scan.fps)
