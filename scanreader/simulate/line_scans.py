"""A simulated line scan: the mirrors run along a path again and again, and there is no image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.simulate.headers import header_settings
from scanreader.simulate.literals import Cell, Column, json_header, plain_header, roi_json
from scanreader.simulate.plan import Plan
from scanreader.simulate.rois import roi_groups
from scanreader.simulate.stimuli import stimulus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

LOST = 5  # samples of the feedback that are missing at the end of each cycle
PATH = (
    stimulus("pause", (-1.0, 0.0), (0.0, 0.0), duration=0.0002, name="start"),
    stimulus("line", (0.0, 0.5), (2.0, 0.0), duration=0.0008, name="dendrite"),
    stimulus("pause", (0.5, 0.0), (0.0, 0.0), duration=0.0002, name="move"),
    stimulus("circle", (1.0, -0.5), (0.4, 0.4), duration=0.0006, name="soma"),
    stimulus("park", (-1.0, 0.0), (0.0, 0.0), duration=0.0002, name="return"),
)
"""A line along a dendrite, and a circle on a soma."""


@dataclass(frozen=True)
class LineScanRecording:
    """What to record along a path; all settings of the header follow from it.

    Attributes
    ----------
    stem : str
        Start of the file names.
    release : str
        A release since 2015.4.
    path : tuple of dict
        Parts of the path, made by `stimulus`; pauses and parks lead from one to the next.
    cycles : int
        How often the path is run.
    channels : tuple of int
        Numbers of the saved channels.
    sample_rate, feedback_rate : float
        Samples a second, of the pixels and of the mirrors' positions.
    feedback : bool
        Whether the positions are recorded.
    lost : int
        Samples of the positions that are missing at the end of each cycle.
    axes : int
        2 for x and y, 3 with z.
    cycles_per_file : int or None
        Cycles after which a new file begins. As in ScanImage, an empty file may be the last.
    partial : int
        Samples of a last cycle that was stopped.
    loops : int
        Number of acquisitions; only the first has a file of its settings.
    json_headers : bool
        Whether the settings are JSON.
    settings : dict
        Settings of the header to add or replace; None removes one.
    samples : callable, optional
        Function that makes the samples, instead of a pattern: it is called with the number of cycles, and returns an
        array of shape (cycles, samples, channels).
    """

    stem: str = "line"
    release: str = "2023.1"
    path: tuple[dict[str, Any], ...] = PATH
    cycles: int = 20
    channels: tuple[int, ...] = (1, 2)
    sample_rate: float = 1e6
    feedback_rate: float = 2e5
    feedback: bool = True
    lost: int = LOST
    axes: int = 2
    cycles_per_file: int | None = None
    partial: int = 0
    loops: int = 1
    json_headers: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    samples: Callable[[int], npt.NDArray[Any]] | None = None

    @property
    def duration(self) -> float:
        """Duration of a cycle, in s."""
        shapes = [part["scanfields"] for part in self.path if part["enable"]]
        return math.fsum(shape["duration"] * shape["repetitions"] for shape in shapes)

    @property
    def samples_per_cycle(self) -> int:
        """Samples of a channel in a cycle."""
        return round(self.duration * self.sample_rate)

    @property
    def positions_per_cycle(self) -> int:
        """Positions that are recorded in a cycle."""
        return round(self.duration * self.feedback_rate) - self.lost

    def header_settings(self) -> dict[str, Any]:
        """All settings of the header; names without ``SI.``."""
        plan = Plan(release=self.release, channels=self.channels, resonant=False)
        settings = header_settings(plan) | {
            "acqState": "loop" if self.loops > 1 else "grab",
            "acqsPerLoop": self.loops,
            "hChannels.channelName": Cell([f"Channel {n}" for n in range(1, 5)]),
            "hChannels.channelSave": Column(self.channels),
            "hRoiManager.scanFrameRate": 1 / self.duration,
            "hRoiManager.scanFramePeriod": self.duration,
            "hRoiManager.scanType": "line",
            "hScan2D.lineScanFdbkSamplesPerFrame": self.positions_per_cycle if self.feedback else [],
            "hScan2D.lineScanNumFdbkChannels": self.axes,
            "hScan2D.lineScanSamplesPerFrame": self.samples_per_cycle,
            "hScan2D.logFramesPerFile": self.cycles_per_file or math.inf,
            "hScan2D.recordScannerFeedback": self.feedback,
            "hScan2D.sampleRate": self.sample_rate,
            "hScan2D.sampleRateFdbk": self.feedback_rate,
            "hStackManager.framesPerSlice": self.cycles,
        }
        return {name: value for name, value in {**settings, **self.settings}.items() if value is not None}

    def meta_text(self) -> str:
        """Write the text of ``.meta.txt``: the settings, and the path in JSON."""
        settings = self.header_settings()
        header = json_header(settings) if self.json_headers else plain_header(settings)
        return f"{header}{roi_json(roi_groups(self.path, 'Line Scanning ROI Group'))}\n"

    def data(self) -> npt.NDArray[np.int16]:
        """Make the samples, of shape (cycles, samples, channels), without those of a partial cycle."""
        if self.samples is not None:
            return np.asarray(self.samples(self.cycles)).astype(np.int16)
        shape = (self.cycles, self.samples_per_cycle, len(self.channels))
        return (np.arange(math.prod(shape)) * 7 % 20011 - 4001).astype(np.int16).reshape(shape)

    def positions(self) -> npt.NDArray[np.float32]:
        """Make the positions, of shape (cycles, samples, axes): x and y in degrees, z in µm."""
        times = np.arange(self.positions_per_cycle) / self.feedback_rate
        cycle = np.zeros((len(times), self.axes))
        begin = 0.0
        for part in (part["scanfields"] for part in self.path if part["enable"]):
            end = begin + part["duration"] * part["repetitions"]
            is_inside = (times >= begin - 1e-12) & (times < end)
            cycle[is_inside, :2] = _positions_along(part, (times[is_inside] - begin) / max(end - begin, 1e-12))
            begin = end
        jitter = 1e-3 * np.sin(np.arange(self.cycles))[:, None, None]
        return (cycle + jitter).astype(np.float32)

    def write(self, folder: str | Path) -> list[Path]:
        """Write the files into a folder, named as ScanImage does; returns their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for loop in range(1, self.loops + 1):
            first_path = folder / (f"{self.stem}_{loop:05d}" + ("_00001" if self.cycles_per_file else ""))
            if loop == 1:
                paths.append(first_path.with_name(f"{first_path.name}.meta.txt"))
                paths[-1].write_bytes(self.meta_text().replace("\n", "\r\n").encode())
            partial_cycle = np.zeros((self.partial, len(self.channels)), np.int16)
            paths += self._write_parts(folder, loop, ".pmt.dat", self.data(), partial_cycle)
            if self.feedback:
                paths += self._write_parts(folder, loop, ".scnnr.dat", self.positions(), partial_cycle[:0])
        return paths

    def _write_parts(
        self, folder: Path, loop: int, suffix: str, cycles: npt.NDArray[Any], partial_cycle: npt.NDArray[Any]
    ) -> Sequence[Path]:
        """Write the cycles of an acquisition into its files."""
        content = cycles.astype(cycles.dtype.newbyteorder("<"))
        if not self.cycles_per_file:
            path = folder / f"{self.stem}_{loop:05d}{suffix}"
            path.write_bytes(content.tobytes() + partial_cycle.astype("<i2").tobytes())
            return [path]
        paths = []
        for number, start in enumerate(range(0, self.cycles + 1, self.cycles_per_file), 1):
            path = folder / f"{self.stem}_{loop:05d}_{number:05d}{suffix}"
            path.write_bytes(content[start : start + self.cycles_per_file].tobytes())
            paths.append(path)
        with paths[-1].open("ab") as file:
            file.write(partial_cycle.astype("<i2").tobytes())
        return paths


def _positions_along(part: dict[str, Any], fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Positions in a part of the path, x and y: a line runs from (+1, -1) to (-1, +1), a circle starts at +x."""
    function = part["stimulusFunction"].rpartition(".")[2]
    if function == "line":
        unit = np.stack([1 - 2 * fraction, 2 * fraction - 1], axis=1)
    elif function == "circle":
        unit = np.stack([np.cos(2 * np.pi * fraction), np.sin(2 * np.pi * fraction)], axis=1)
    else:
        unit = np.zeros((len(fraction), 2))
    cos, sin = (f(math.radians(part["rotationDegrees"])) for f in (math.cos, math.sin))
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.asarray(unit * np.array(part["sizeXY"]) / 2 @ turn.T + part["centerXY"])
