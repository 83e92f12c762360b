"""Odd recordings and views of them, which every export is tried with: see test_odd.py, and add yours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import MESOSCOPE, VOLUME, read_warned

from scanreader import Scan
from scanreader.phase import realigned
from scanreader.simulate import Recording, roi, scanfield
from scanreader.simulate.literals import Cell

# Four ROIs of 12 x 8 pixels that make one rectangle of 6 x 4 degrees, not in its order, and one ROI elsewhere.
STRIPS = replace(
    MESOSCOPE,
    channels=(1, 2, 3),
    rois=(
        roi(scanfield((3.0, 0.0), (3.0, 2.0), (12, 8)), name="upper right"),
        roi(scanfield((0.0, 0.0), (3.0, 2.0), (12, 8)), name="upper left"),
        roi(scanfield((9.0, 1.0), (3.0, 3.0), (12, 12)), name="elsewhere"),
        roi(scanfield((0.0, 2.0), (3.0, 2.0), (12, 8)), name="lower left"),
        roi(scanfield((3.0, 2.0), (3.0, 2.0), (12, 8)), name="lower right"),
    ),
)
UNEQUAL_PIXELS = replace(
    MESOSCOPE,
    rois=(
        roi(scanfield((0.0, 0.0), (3.0, 2.0), (12, 8)), name="coarse"),
        roi(scanfield((6.0, 1.0), (1.5, 1.0), (12, 8)), name="fine"),
    ),
)
STRANGE_TEXTS = replace(
    MESOSCOPE,
    channels=(1, 2),
    rois=(
        roi(scanfield((0.0, 0.0), (3.0, 2.0), (12, 8)), name="V\0one\x01\ud800"),
        roi(scanfield((6.0, 0.0), (3.0, 2.0), (12, 8)), name="L\x0bM/2: <&> µ"),
    ),
    settings={
        "hUser.note": 'a\0b\x01c\x0bd <&>" {x} ]]>',
        "hChannels.channelName": Cell(["red\x01", "re/d:\0", *(f"Channel {n}" for n in range(3, 65))]),
    },
)
NO_DEPTHS = dict.fromkeys(("hStackManager.zs", "hStackManager.zsAllActuators", "hStackManager.zsRelative"))
TURNED_STRIPS = replace(
    MESOSCOPE, rois=(roi(scanfield((1.0, 2.0), (3.0, 2.0), (12, 8), rotation=30), name="turned"), *STRIPS.rois[:2])
)


def opened(recording: Recording, **options: Any) -> Callable[[Path], Scan]:
    """Function that writes a recording into a folder and opens it."""

    def make(folder: Path) -> Scan:
        return read_warned(recording.write(folder), **options)[0]

    return make


def joined(folder: Path) -> Scan:
    return opened(STRIPS, join_contiguous=True)(folder)


def select_shuffled(scan: Scan) -> Scan:
    """Fields and channels in reverse order, and every second frame from the last."""
    return scan.select(fields=slice(None, None, -1), channels=[2, 1, 0], frames=slice(None, None, -2))


ODD_SCANS: list[tuple[str, Callable[[Path], Scan]]] = [
    ("unequal fields", opened(MESOSCOPE)),
    ("joined", joined),
    ("trimmed", lambda folder: opened(MESOSCOPE)(folder).trimmed(left=1, right=2, top=3)),
    ("joined, trimmed", lambda folder: joined(folder).trimmed(left=2, right=1, top=1, bottom=2)),
    ("realigned", lambda folder: realigned(opened(VOLUME)(folder), 1)),
    ("realigned by a fraction", lambda folder: realigned(opened(MESOSCOPE)(folder), -0.75)),
    ("selected", lambda folder: select_shuffled(opened(STRIPS)(folder))),
    ("stitched", lambda folder: opened(STRIPS)(folder).stitched()),
    ("trimmed, stitched, realigned", lambda folder: realigned(opened(STRIPS)(folder).trimmed(left=1).stitched(), 1)),
    ("shifted", lambda folder: opened(MESOSCOPE)(folder).shifted([[0, 0], [2, -3]])),
    ("shifted, common", lambda folder: opened(MESOSCOPE)(folder).shifted([[0, 0], [2, -3]], keep="common")),
    (
        "stitched, shifted, selected",
        lambda folder: select_shuffled(opened(STRIPS)(folder).stitched().shifted([[1, 0], [0, 2]], fill=-9)),
    ),
    ("one frame, often", lambda folder: opened(VOLUME)(folder).select(frames=[2, 2, 0])),
    ("several stretches", opened(replace(VOLUME, volumes=7, dropped=(7, 21)))),
    ("14 channels", opened(Recording(frames_per_slice=4, channels=tuple(range(1, 15))))),
    ("one frame", opened(Recording())),
    ("one pixel", lambda folder: opened(Recording(frames_per_slice=3))(folder).trimmed(left=15, top=15)),
    ("strange texts", opened(STRANGE_TEXTS)),
    ("pixels of unequal size", opened(UNEQUAL_PIXELS)),
    ("rotated", opened(TURNED_STRIPS)),
    ("int8", opened(Recording(frames_per_slice=4, dtype="int8"))),
    ("uint16", opened(Recording(frames_per_slice=4, dtype="uint16"))),
    ("uint8 as uint16", opened(Recording(frames_per_slice=4, dtype="uint8"), dtype="uint16")),
    ("float32", opened(MESOSCOPE, dtype="float32")),
    ("big-endian float64", opened(VOLUME, dtype=">f8")),
    ("unknown depths", opened(replace(VOLUME, settings=NO_DEPTHS))),
    ("unknown places", opened(Recording(release="3.8", frames_per_slice=4))),
    ("pages", opened(MESOSCOPE, raw=True)),
    (
        "joined, trimmed, selected, realigned",
        lambda folder: realigned(select_shuffled(joined(folder).trimmed(left=2, top=1)), 2),
    ),
    (
        "realigned, selected, joined",
        lambda folder: select_shuffled(realigned(opened(STRIPS)(folder), 0.5)).join_contiguous(),
    ),
]
