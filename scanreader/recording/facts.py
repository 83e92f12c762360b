"""Facts of a recording: what it holds, what was asked for, its channels, beams and rates."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import ClosedScanError
from scanreader.scanimage.header import release_of, release_parts
from scanreader.scanimage.rois import roi_tree
from scanreader.scanimage.settings import flag, number, number_list, text
from scanreader.scanimage.stacks import Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from scanreader.errors import Finding
    from scanreader.recording.fields import Field
    from scanreader.recording.layout import Layout
    from scanreader.recording.opened import HeaderPlace, Opened
    from scanreader.scanimage.header import Header
    from scanreader.scanimage.rois import Roi
    from scanreader.scanimage.stacks import Stack


class Facts(Order):
    """What opening found, fact by fact.

    Parameters
    ----------
    opened : Opened
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._closed = False

    def __setattr__(self, name: str, value: object) -> None:
        if name not in ("_opened", "_closed"):
            raise AttributeError(f"a scan does not change: {name} cannot be set")
        super().__setattr__(name, value)

    @property
    def opened(self) -> Opened:
        """Everything that opening found, as one value that does not change."""
        return self._opened

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedScanError("the scan was closed; read_scan opens it again")

    # ----------------------------------------------------------------------- metadata

    @property
    def _header_texts(self) -> HeaderPlace:
        """The header, whose texts may be read: not after the scan was closed."""
        if not self._opened.header.is_read:
            self._refuse_closed()
        return self._opened.header

    @property
    def settings(self) -> Header:
        """The header's settings, found by name with or without ``SI.``."""
        return self._header_texts.settings

    @property
    def header(self) -> str:
        """The header's text, as ScanImage wrote it."""
        return self.settings.text

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Every setting, by its name in the header; values are parsed when asked for."""
        return self.settings

    @property
    def roi_text(self) -> str:
        """The JSON of the ROI groups, as ScanImage wrote it; '' if there is none."""
        return self._header_texts.block.rois

    @property
    def roi_metadata(self) -> dict[str, Any]:
        """The JSON of the ROI groups; empty if there is none or it is broken."""
        return roi_tree(self._header_texts.block)

    @property
    def version(self) -> str:
        """ScanImage's release as the header spells it, e.g. '2016b' or '2023'; '' if it does not."""
        return release_parts(self.settings)[0]

    @property
    def release(self) -> str:
        """ScanImage's release in full, e.g. '2023.1'."""
        return release_of(self.settings)

    # ------------------------------------------------------------------ what was opened

    @property
    def fields(self) -> tuple[Field, ...]:
        """What was recorded, in the order of slices and, within one, down the page.

        ``scan.fields[0]`` says where it lies; ``scan[0]`` are its pixels.
        """
        return self._opened.fields

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the arrays that reads give."""
        return self._opened.dtype

    @property
    def rois(self) -> tuple[Roi, ...]:
        """The regions that the user drew; one for a recording that is not multi-ROI."""
        return self._opened.rois

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was warned of when the recording was opened."""
        return self._opened.findings

    @property
    def stack(self) -> Stack:
        """The order of frames, as the header says it."""
        return self._opened.stack

    @property
    def layout(self) -> Layout:
        """Where each frame of the recording is among the pages, and which volumes are whole."""
        return self._opened.layout

    @property
    def filenames(self) -> list[str]:
        """The files, in order."""
        return [file.path for file in self._opened.pages.files]

    # ------------------------------------------------------------------------- counts

    @property
    def num_fields(self) -> int:
        """Number of fields."""
        return len(self._opened.fields)

    @property
    def num_rois(self) -> int:
        """Number of ROIs that the user drew, disabled ones too; 1 for a scan that is not multi-ROI."""
        return len(self.rois) if self.is_multiROI else 1

    @property
    def num_channels(self) -> int:
        """Number of channels saved."""
        return len(self._opened.channels)

    @property
    def num_frames(self) -> int:
        """Time points of each field: volumes times repeats."""
        return self._opened.num_frames

    @property
    def num_scanning_depths(self) -> int:
        """Number of slices that were recorded."""
        return self._opened.layout.counts.slices

    @property
    def scanning_depths(self) -> list[float]:
        """Depth of each slice that was recorded, in µm, in the order of scanning."""
        return list(self._opened.depths[: self.num_scanning_depths])

    @property
    def requested_scanning_depths(self) -> list[float]:
        """Depth of each slice that was asked for, in µm: more than were recorded if a stack was stopped."""
        return list(self._opened.depths)

    @property
    def num_requested_frames(self) -> float:
        """Frames that were asked for, of the acquisitions that are here.

        Infinite where recording went on until it was stopped, NaN if unknown.
        """
        if self._opened.is_raw:
            return math.nan
        asked = self._requested_frames_of(self.settings, self.stack)
        asked *= len({(part.recording, part.acquisition) for part in self._opened.parts})
        return int(asked) if math.isfinite(asked) else asked

    # ------------------------------------------------------------------------ how it was scanned

    @property
    def is_multiROI(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether fields are ROIs that the user drew."""
        return self._opened.is_multi_roi

    @property
    def is_slow_stack(self) -> bool:
        """Whether the recording is a stack of several slices, each recorded by itself."""
        return self.stack.mode == "slow" and self.stack.slices > 1

    @property
    def is_slow_stack_with_fastZ(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether the fast z actuator moved between the slices of a slow stack."""
        return self.is_slow_stack and text(self.settings.get("hStackManager.stackActuator")) == "fastZ"

    @property
    def is_resonant(self) -> bool:
        """Whether lines are scanned by a resonant mirror, so that pages of several ROIs have gaps."""
        return self._is_resonant(self.settings)

    @property
    def fps(self) -> float:
        """Frames a second of each field.

        In a slow stack, within a slice; with averaging, of the averaged frames. Where a slice of a fast volume
        has several repeats, the mean over a volume: they follow each other, then the other slices come
        (`timestamps` have each frame's own time). By the header: the frames' own times differ from it by about
        1 in 10000. NaN with ``raw=True``, where a frame is a page, and where chosen frames are not evenly spaced.
        """
        step = 1 if self._opened.frames is None else self._opened.frames.step
        if self._opened.is_raw or step < 1:
            return math.nan
        if self.stack.mode == "fast":
            return self.scan_volume_rate * self.layout.counts.repeats / step
        return self.scan_frame_rate / self.stack.averaging / step

    @property
    def initial_secondary_z(self) -> float | None:
        """Position of the second z motor when the recording began, in µm; None if there is none."""
        position = number_list(self.settings.get("hMotors.motorPosition"))
        return position[3] if len(position) > 3 else None

    @property
    def beam_powers(self) -> list[float]:
        """Power of each beam when the recording began, in percent; empty if not recorded.

        ROIs may have their own: see `Roi.powers`.
        """
        return number_list(self.settings.get("hBeams.powers"))

    @property
    def actuator_positions(self) -> npt.NDArray[np.float64]:
        """Where each z actuator stood in each slice: µm, of shape (slices, actuators).

        Recorded since 2020; before, and where it does not fit the slices, the column of `scanning_depths`.
        """
        rows = len(self._zs) if self.stack.mode != "planar" else 1
        values = np.array(number_list(self.settings.get("hStackManager.zsAllActuators")))
        slices = len(self._opened.depths)
        if self._opened.is_raw or not values.size or not rows or values.size % rows or rows % slices:
            return np.array(self.scanning_depths)[:, None]
        return values.reshape(rows, -1)[:: rows // slices][: self.num_scanning_depths]

    # ----------------------------------------------------------------------- channels

    @property
    def channel_numbers(self) -> list[int]:
        """Number of each channel saved, from 1, as ScanImage counts them."""
        return [channel.number for channel in self._opened.channels]

    @property
    def channel_names(self) -> list[str]:
        """Name of each channel saved."""
        return [channel.name for channel in self._opened.channels]

    @property
    def channel_offsets(self) -> list[float]:
        """Offset of each channel saved, as ScanImage measured it last, in values of a pixel; NaN if not known."""
        return [number(value) for value in self._of_inputs("hChannels.channelOffset", "hScan2D.channelOffsets")]

    @property
    def channel_offsets_subtracted(self) -> list[bool]:
        """Whether ScanImage subtracted each channel's offset before it saved; False if not known."""
        names = ("hChannels.channelSubtractOffset", "hScan2D.channelsSubtractOffsets")
        return [flag(value) for value in self._of_inputs(*names)]

    def _of_inputs(self, *names: str) -> list[Any]:
        """Take those of the saved channels from a list for all inputs of the digitizer; None where there is none.

        A virtual channel says which input it is taken from (section 10 of the format reference).
        """
        values: Any = next((self.settings[name] for name in names if name in self.settings), [])
        every = values if isinstance(values, list) else [values]
        inputs = []
        for n in self.channel_numbers:
            source = text(self.settings.get(f"hScan2D.virtualChannelSettings__{n}.source"))
            last_number = re.search(r"(\d+)$", source)
            inputs.append(int(last_number[1]) if last_number else n - 1)
        return [every[i] if 0 <= i < len(every) else None for i in inputs]

    @property
    def channel_luts(self) -> list[tuple[float, float]]:
        """Values that each channel was shown from black to white with; NaN if not known."""
        values = _pairs(self.settings.get("hChannels.channelLUT"))
        unknown = (math.nan, math.nan)
        return [values[n - 1] if 0 < n <= len(values) else unknown for n in self.channel_numbers]


def _pairs(value: Any) -> list[tuple[float, float]]:
    """Turn a cell of pairs into tuples; NaN where one is no pair."""
    pairs = [number_list(pair) for pair in value] if isinstance(value, list) else []
    return [(pair[0], pair[1]) if len(pair) == 2 else (math.nan, math.nan) for pair in pairs]
