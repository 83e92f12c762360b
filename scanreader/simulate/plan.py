"""The parameters of a simulated recording, checked against each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.simulate.releases import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scanreader.simulate.containers import Image


class Logged(NamedTuple):
    """A frame that is saved."""

    acquisition: int
    """The file counter, from 1."""
    slice: int
    """-1 during flyback."""
    number: int
    in_acquisition: int
    acquisition_number: int
    ends_acquisition: bool


@dataclass(frozen=True)
class Plan:
    """What to record; `Recording` documents each parameter."""

    stem: str = "scan"
    release: str = "2023.1"
    mode: str = "planar"
    height: int = 16
    width: int = 16
    channels: tuple[int, ...] = (1,)
    zs: tuple[float, ...] = (0.0,)
    frames_per_slice: int = 1
    volumes: int = 1
    flyback: int = 0
    averaging: int = 1
    loops: int = 1
    stop: int | None = None
    dropped: tuple[int, ...] = ()
    rois: tuple[dict[str, Any], ...] = ()
    resonant: bool = True
    bidirectional: bool = True
    scanner_frequency: float = 7930.0
    flyto: float = 0.001
    flyback_time: float = 0.001
    lines_averaged: int = 1
    frames_per_file: int | None = None
    first_file_frames: int | None = None
    json_headers: bool = False
    json_descriptions: bool = False
    slot: int | None = -1
    closed: bool = True
    holes: bool = False
    dtype: str = "int16"
    epoch: tuple[float, ...] = (2023, 9, 22, 12, 46, 9.383)
    triggers: tuple[tuple[int, float], ...] = ()
    packets: tuple[tuple[float, bytes | str], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    pixels: Callable[[Logged, int], Image] | None = None
    photostim: tuple[dict[str, Any], ...] = ()
    stimulus_sequence: tuple[int, ...] = ()
    stimulus_period: float = 0.1
    integration_rois: tuple[dict[str, Any], ...] = ()
    integration_value: Callable[[int, int], float] | None = None
    motion: Callable[[Logged], tuple[float, float, float]] | None = None

    def __post_init__(self) -> None:
        for name in ("channels", "zs", "rois", "photostim", "stimulus_sequence", "integration_rois"):
            if not isinstance(getattr(self, name), (tuple, list)):
                raise TypeError(f"{name} must be a tuple, not {getattr(self, name)!r}")
        if self.release not in TABLE:
            raise ValueError(f"{self.release!r} is not one of the releases: give one of {', '.join(TABLE)}")
        if self.mode not in ("planar", "fast", "slow"):
            raise ValueError(f"mode must be 'planar', 'fast' or 'slow', not {self.mode!r}")
        if np.dtype(self.dtype).kind not in "iu" or np.dtype(self.dtype).itemsize > 4:
            raise ValueError(f"dtype must be of integers of up to 32 bits, not {self.dtype}")
        if self.rois and TABLE[self.release].style.header != "nested":
            raise ValueError(f"ScanImage {self.release} had no ROIs: give a release from 5.1 on")
        if not all(0 <= group < len(self.photostim) for group in self.stimulus_sequence):
            raise ValueError(f"stimulus_sequence has places in photostim, from 0, not {self.stimulus_sequence}")
        if self.mode == "planar" and len(self.zs) != 1:
            raise ValueError(f"a planar recording has one depth, not {len(self.zs)}: use mode='fast' or 'slow'")
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels must be numbers from 1 on, not {self.channels}")
        counts = (self.height, self.width, self.frames_per_slice, self.volumes, self.averaging, self.loops)
        if min(counts) < 1 or self.flyback < 0:
            raise ValueError(
                "height, width, frames_per_slice, volumes, averaging and loops must be at least 1, flyback 0"
            )
