"""Recordings that several tests draw on, and the comparison of what is read with the dumb reader."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import reference
import tifffile

from scanreader import Scan, ScanReaderWarning, read_scan
from scanreader.simulate import Recording, Verbatim, roi, scanfield

# Four ROIs at two depths: one discrete, one disabled (J3 of the format reference, made smaller).
ROIS = (
    roi(scanfield((-3.2, 1.1), (2.4, 4.0), (24, 40)), name="V1"),
    roi(scanfield((0.4, 1.9), (2.4, 4.0), (24, 40)), name="LM"),
    roi(scanfield((3.6, -0.5), (2.4, 2.4), (24, 24)), zs=(60,), discrete=True, name="RSC"),
    roi(scanfield((5.0, 5.0), (2.4, 1.2), (24, 12)), enabled=False, name="parked"),
)
VOLUME = Recording(mode="fast", zs=(0.0, 30.0, 60.0), flyback=2, volumes=4, channels=(1, 2))
STACK = Recording(mode="slow", zs=(0.0, 30.0, 60.0), frames_per_slice=2, volumes=3)
MESOSCOPE = Recording(mode="fast", zs=(0.0, 60.0), flyback=1, volumes=5, rois=ROIS, scanner_frequency=12013.0)


def expected(recording: Recording, paths: Iterable[str | Path]) -> list[npt.NDArray[Any]]:
    """Each field of whole recordings as the dumb reader sees it."""
    is_planar = recording.mode == "planar"
    return reference.fields(
        reference.all_pages(paths),
        channels=len(recording.channels),
        slices=1 if is_planar else len(recording.zs),
        repeats=1 if is_planar else recording.frames_per_slice // recording.averaging,
        flyback=recording.flyback // recording.averaging,
        boxes=recording.field_rows(),
    )


def assert_reads(scan: Scan, fields: list[npt.NDArray[Any]]) -> None:
    """Every field of a scan is what the dumb reader gave, pixel by pixel."""
    assert len(scan) == len(fields)
    for i, field in enumerate(fields):
        pixels = scan[i]
        assert pixels.shape == field.shape
        assert pixels.dtype == field.dtype.newbyteorder("=")
        np.testing.assert_array_equal(pixels, field)


def read_warned(pathnames: Any, **options: Any) -> tuple[Scan, str]:
    """Open a recording, and return it with the one warning that it gives ('' if none)."""
    with warnings.catch_warnings(record=True) as warning_records:
        warnings.simplefilter("always")
        scan = read_scan(pathnames, **options)
    assert all(issubclass(w.category, ScanReaderWarning) for w in warning_records)
    assert len(warning_records) <= 1
    return scan, str(warning_records[0].message) if warning_records else ""


def write_spoiled_recording(folder: Path) -> Path:
    """A recording of 12 frames of which the page of frame 5 is noise."""
    (path,) = Recording(frames_per_slice=12).write(folder)
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[5].offset, tif.pages[6].offset
    with path.open("r+b") as file:
        file.seek(first)
        file.write(np.random.default_rng(0).bytes(last - first))
    return path


def gates(channels: Iterable[int], source: str = "AI0", first: int = 2, step: int = 16) -> dict[str, Any]:
    """Settings of channels that share an input, each through a laser window of its own."""
    settings: dict[str, Any] = {}
    for place, number in enumerate(channels):
        prefix = f"hScan2D.virtualChannelSettings__{number}"
        window = [first + step * place, first + step * place + 8]
        settings |= {f"{prefix}.source": source, f"{prefix}.mode": "analog", f"{prefix}.laserGate": True}
        settings |= {f"{prefix}.laserFilterWindow": window}
    return settings


# 14 beads, two strips side by side (section 1.3 of the reference on planes), made smaller.
STRIPS = (
    roi(scanfield((-1.0, 0.0), (2.0, 4.0), (16, 32)), name="left"),
    roi(scanfield((1.0, 0.0), (2.0, 4.0), (16, 32)), name="right"),
)
LIGHT_BEADS = Recording(
    channels=tuple(range(1, 15)),
    frames_per_slice=12,
    rois=STRIPS,
    settings=gates(range(1, 15)),
    scanner_frequency=7921.0,
)
# The Allen Institute's dual-plane header (section 2.1): four slices, two actuators, ROIs at one slice each.
PLANE_DEPTHS = ((195.0, 105.0), (207.0, 116.0), (167.0, 92.0), (183.0, 112.0))
_AREAS = ("V1_anterior", "AL", "AM", "PM")
DUAL_PLANE = Recording(
    mode="fast",
    zs=tuple(first for first, _ in PLANE_DEPTHS),
    volumes=6,
    channels=(1, 2),
    rois=tuple(
        roi(*[scanfield((n, -n), (4.0, 4.0), (16, 16))] * 2, zs=depths[::-1], discrete=True, name=name)
        for n, (name, depths) in enumerate(zip(_AREAS, PLANE_DEPTHS, strict=True))
    ),
    settings={
        **gates((1, 2)),
        "hStackManager.zsAllActuators": Verbatim("[195 105;207 116;167 92;183 112]"),
        "hFastZ.numFastZActuators": 2,
    },
)
