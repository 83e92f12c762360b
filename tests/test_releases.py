"""A release of ScanImage is added in at most ten lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scanreader import VERSIONS, Scan, read_scan, releases
from scanreader.simulate import Recording
from scanreader.simulate import releases as simulated

LINES = '''
class Scan2031(Scan2021):
    """A recording of ScanImage 2031; see Scan. The zoom has another name."""

    zoom = Setting(number, "hRoiManager.magnification", doc="Zoom factor.")


ROW = Release("2031.2", Scan2031, "BigTIFF, version 4", "a test")
SIMULATED = simulated.Release("2031.2", simulated.SINCE_2023_1, renamed=RENAMED)
'''
"""What CONTRIBUTING.md asks for: a class, a row in `VERSIONS`, and a row in simulate's own table."""


def test_a_release_in_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LINES.strip().count("\n") < 10
    new_names = {"hRoiManager.scanZoomFactor": "hRoiManager.magnification"}
    names = {**vars(releases), "simulated": simulated, "RENAMED": new_names}
    exec(LINES, names)
    monkeypatch.setattr(releases, "VERSIONS", (*VERSIONS, names["ROW"]))
    monkeypatch.setitem(simulated.TABLE, "2031.2", names["SIMULATED"])
    recording = Recording(
        release="2031.2", mode="fast", zs=(0.0, 20.0), volumes=3, settings={"hRoiManager.magnification": 2.5}
    )
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert type(scan).__name__ == "Scan2031"
    assert isinstance(scan, Scan)
    assert (scan.release, scan.zoom, scan.findings) == ("2031.2", 2.5, ())
    assert scan.metadata["SI.hRoiManager.magnification"] == 2.5
    assert np.array_equal(scan.scanning_depths, [0.0, 20.0])
    assert scan[:].shape == (2, recording.height, recording.width, 1, 3)
