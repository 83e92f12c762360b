"""Everything that is done with a file that may hold anything, and small recordings to begin with."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from scanreader import HeaderError, LayoutError, Scan, ScanReaderError, read_scan
from scanreader.compat import ScanImageTiffReader
from scanreader.simulate import Recording, roi, scanfield

SMALL_RECORDING = Recording(height=4, width=4, frames_per_slice=4, slot=300)
KINDS: dict[str, Recording] = {
    "planar": SMALL_RECORDING,
    "channels": replace(SMALL_RECORDING, channels=(1, 3)),
    "volume": replace(SMALL_RECORDING, mode="fast", zs=(0, 10), flyback=1, volumes=2, frames_per_slice=1),
    "stack": replace(SMALL_RECORDING, mode="slow", zs=(0, 10), frames_per_slice=2),
    "rois": replace(
        SMALL_RECORDING,
        rois=(roi(scanfield((-1, 0), (2, 2), (4, 4))), roi(scanfield((1, 0), (2, 2), (4, 4)))),
        scanner_frequency=12013.0,
    ),
    "galvo": replace(SMALL_RECORDING, resonant=False, slot=None),
    "json": replace(SMALL_RECORDING, release="2018a", json_headers=True, json_descriptions=True),
    "2015": replace(SMALL_RECORDING, release="2015.4"),
    "5.1": replace(SMALL_RECORDING, release="5.1"),
    "5.0": replace(SMALL_RECORDING, release="5.0"),
    "3.8": replace(SMALL_RECORDING, release="3.8"),
    "averaged": replace(SMALL_RECORDING, averaging=2),
    "events": replace(
        SMALL_RECORDING, triggers=((0, 0.0001), (3, 0.0002)), packets=((0.0003, b"\x01\x02"), (0.0004, "go"))
    ),
}

PIXELS = np.arange(3 * 20 * 16, dtype=np.uint16).reshape(3, 20, 16)
TIFF_OPTIONS: dict[str, dict[str, Any]] = {
    "zlib": {"compression": "zlib", "rowsperstrip": 7},
    "predictor": {"compression": "zlib", "predictor": True},
    "lzma": {"compression": "lzma"},
    "tiles": {"compression": "zlib", "tile": (16, 16), "bigtiff": True},
    "strips": {"rowsperstrip": 3},
}


def seeds() -> Iterator[tuple[str, bytes]]:
    """Small recordings of every kind, each one file, and TIFFs that other programs compressed."""
    with tempfile.TemporaryDirectory() as folder:
        for name, recording in KINDS.items():
            (path,) = recording.write(Path(folder) / name)
            yield name, path.read_bytes()
        for name, options in TIFF_OPTIONS.items():
            path = Path(folder) / "saved.tif"
            tifffile.imwrite(path, PIXELS, photometric="minisblack", metadata=None, **options)
            yield name, path.read_bytes()


def exercise(path: Path) -> None:
    """Open, check and read a file in every way; our own errors are what is expected of most."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for options in ({}, {"raw": True}, {"on_damage": "fill", "join_contiguous": True}):
            _use(path, options)
        try:
            with ScanImageTiffReader(path) as reader:
                reader.metadata()
                reader.descriptions()
        except ScanReaderError:
            pass


def _use(path: Path, options: dict[str, Any]) -> None:
    try:
        scan = read_scan(path, **options)
    except ScanReaderError:
        return
    str(scan.check())
    for use in (_read, _facts, _times):
        try:
            use(scan)
        except ScanReaderError:
            continue


def _read(scan: Scan) -> None:
    for i in range(min(scan.num_fields, 3)):
        scan[i, :, :, :, :5]
        scan[i, 0, 0, 0, :100]


def _times(scan: Scan) -> None:
    assert len(scan.frame_table) <= len(scan.opened.pages)
    assert scan.timestamps.shape[1] == scan.num_frames
    assert len(scan.frame_indices()) == scan.num_frames
    assert scan.events is not None


def _facts(scan: Scan) -> None:
    str(scan), scan.start_time, scan.bouts, scan.fps, scan.num_requested_frames, scan.release, scan.header
    scan.channel_names, scan.channel_offsets, scan.channel_luts, scan.beam_powers, scan.actuator_positions
    scan.motor_position_at_zero, scan.is_slow_stack_with_fastZ, scan.initial_secondary_z
    for field in scan.fields[:3]:
        assert field.roi_mask.shape == field.offsets.shape == (field.height, field.width)
        str(field), field.affine, field.corners
    dict(scan.metadata)
    scan.roi_metadata
    with contextlib.suppress(HeaderError):
        assert scan.integration_rois is not None
    with contextlib.suppress(HeaderError, LayoutError):
        assert scan.photostim is None or scan.photostim.targets(0, range(len(scan.photostim.groups))).shape[1] == 2
