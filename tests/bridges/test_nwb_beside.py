"""NWB files with what ScanImage wrote beside the pixels."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from common import MESOSCOPE

from scanreader import Scan, ScanReaderWarning, read_scan
from scanreader.simulate import Logged, Recording, integration_roi, stimulus, stimulus_group, write_integration

pynwb = pytest.importorskip("pynwb")

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*numpydoc.*"),
]

POINTS = ((-0.5, 0.25, 30.0, 1.0), (0.5, -0.25, -10.0, 0.5))


def displacement(frame: Logged) -> tuple[float, float, float]:
    return 0.5 * frame.number, -0.25, math.nan


FULL_RECORDING = Recording(
    stem="my",
    frames_per_slice=60,
    photostim=(
        stimulus_group(stimulus("pause", duration=0.001), stimulus("point", (1, 2), slm_points=POINTS), name="a"),
        stimulus_group(stimulus("logspiral", (-1, 2)), name="b"),
    ),
    stimulus_sequence=(1, 0, 0),
    integration_rois=(
        integration_roi((-3.0, 1.0), (3.0, 1.5), name="soma, left"),
        integration_roi((3.0, -3.0), (2.0, 2.0), name="b", mask=((1, 0), (0, 0.5))),
    ),
    motion=displacement,
)


def write_nwb(scan: Scan, tmp_path: Path) -> Path:
    scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", subject=subject())
    return tmp_path / "a.nwb"


def subject() -> object:
    return pynwb.file.Subject(subject_id="m1", species="Mus musculus", sex="F", age="P90D")


def test_all_is_there_and_verified(tmp_path: Path) -> None:
    inspector = pytest.importorskip("nwbinspector")
    FULL_RECORDING.write(tmp_path / "raw")
    scan = read_scan(tmp_path / "raw")
    path = write_nwb(scan, tmp_path)
    assert not pynwb.validate(path=str(path))
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        assert sorted(nwb.ogen_sites) == ["StimulationSite0", "StimulationSite1"]
        module = nwb.processing["scanimage"]
        patterns = module["StimulationPatterns"]
        assert patterns["function"][:].tolist() == ["pause", "point", "logspiral"]
        np.testing.assert_array_equal(patterns["slm_points"][1], POINTS)
        assert len(patterns["slm_points"][2]) == 0
        assert list(module["StimulationSequence"]["group"][:]) == [1, 0, 0]
        table, photostim = scan.integration, scan.photostim
        assert table is not None
        assert photostim is not None
        assert photostim.log is not None
        np.testing.assert_array_equal(nwb.stimulus["StimulationMirrors"].data[:, 0], photostim.log.x)
        series = module["Integration"]["IntegrationField0"]
        np.testing.assert_array_equal(series.data[:, 1], table["b"])
        np.testing.assert_array_equal(series.timestamps[:], table["timestamp"])
        regions = module["IntegrationRois"]["IntegrationRoisField0"]
        assert regions["roi_name"][:].tolist() == ["soma, left", "b"]
        mask = np.zeros((16, 16))
        for x, y, weight in regions["pixel_mask"][1].tolist():
            mask[y, x] = weight
        np.testing.assert_array_equal(mask, scan.integration_rois[1].mask(scan.fields[0]))
        np.testing.assert_allclose(module["Motion0"].data[:, 0], 0.5 * np.arange(1, 61))
        assert module["Motion0"].unit == "pixels"
    critical = inspector.Importance.CRITICAL
    messages = list(inspector.inspect_nwbfile(nwbfile_path=str(path)))
    assert [message.message for message in messages if message.importance.value >= critical.value] == []
    assert scan.verify(path).ok
    scan.to_nwb(path, timezone="UTC", overwrite=True)  # it is one of ours


def test_fields_of_a_mesoscope_have_their_rois(tmp_path: Path) -> None:
    rois = (
        integration_roi((-3.2, 1.1), (0.5, 0.5), name="in V1", z=60.0, discrete=True),
        integration_roi((9.0, 9.0), (0.5, 0.5), name="nowhere"),
    )
    replace(MESOSCOPE, integration_rois=rois, motion=displacement).write(tmp_path / "raw")
    scan = read_scan(tmp_path / "raw")
    with pytest.warns(ScanReaderWarning, match="integration ROIs nowhere are in no field"):
        path = write_nwb(scan, tmp_path)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        module = io.read().processing["scanimage"]
        (series,) = module["Integration"].roi_response_series.values()
        field = int(series.name.removeprefix("IntegrationField"))
        assert (scan.fields[field].name, scan.fields[field].depth) == ("V1", 60)
        names = [name for name in module.data_interfaces if name.startswith("Motion")]
        assert len(names) == scan.num_fields


def test_what_is_skipped_is_said(tmp_path: Path) -> None:
    replace(FULL_RECORDING, motion=None).write(tmp_path / "raw")
    with pytest.warns(ScanReaderWarning, match="50 of 60 rows of the integration are of no frame of the scan"):
        path = write_nwb(read_scan(tmp_path / "raw").select(frames=slice(10)), tmp_path)
    assert read_scan(tmp_path / "raw").select(frames=slice(10)).num_frames == 10
    write_integration(tmp_path / "raw" / "my_IntegrationRois_00001.csv", ["x"], [])
    path.unlink()
    scan = read_scan(tmp_path / "raw")
    with pytest.warns(ScanReaderWarning, match=r"integration is skipped: my_Integration.* of another recording"):
        write_nwb(scan, tmp_path)
    report = scan.check()
    assert [finding.name for finding in report.findings] == ["side-file"]
    assert not report.ok
