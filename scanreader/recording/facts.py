"""Facts of a recording: what it holds, what was asked for, its channels, beams and rates."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from scanreader.errors import ClosedScanError
from scanreader.scanimage.header import release_of, release_parts
from scanreader.scanimage.inputs import channel_input
from scanreader.scanimage.rois import roi_tree
from scanreader.scanimage.settings import flag, number, number_list, text
from scanreader.scanimage.stacks import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from scanreader.errors import Finding
    from scanreader.recording.fields import Field
    from scanreader.recording.layout import Layout
    from scanreader.recording.opened import HeaderPlace, Opened
    from scanreader.scanimage.header import Header
    from scanreader.scanimage.inputs import ChannelInput
    from scanreader.scanimage.rois import Roi
    from scanreader.scanimage.stacks import Stack

V = TypeVar("V")


STAGE_WITH_TWO_Z = ("hMotors.motorPosition", "motorPosition")  # the latter before 5.1


class Facts(Order):
    """Metadata of the recording that was opened.

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
        """All that was read when the recording was opened, as one immutable object."""
        return self._opened

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedScanError("the scan was closed; read_scan opens it again")

    # ----------------------------------------------------------------------- metadata

    @property
    def _header_texts(self) -> HeaderPlace:
        """The header; refused if it would have to be read from a closed scan."""
        if not self._opened.header.is_read:
            self._refuse_closed()
        return self._opened.header

    @property
    def settings(self) -> Header:
        """The settings in the header, by name, with or without ``SI.``; `metadata` is the same object."""
        return self._header_texts.settings

    @property
    def header_block(self) -> str:
        """Text of all settings, as ScanImage wrote it; `header` has the description of the first page before it."""
        return self.settings.text

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Every setting, by its name in the header; values are parsed on access."""
        return self.settings

    @property
    def roi_text(self) -> str:
        """JSON text of the ROI groups, as ScanImage wrote it; '' if there is none."""
        return self._header_texts.block.rois

    @property
    def roi_metadata(self) -> dict[str, Any]:
        """Parsed JSON of the ROI groups; empty if there is none or it is invalid."""
        return roi_tree(self._header_texts.block)

    @property
    def version(self) -> str:
        """ScanImage's major release, for example '2016b' or '2023'; '' if unknown."""
        return release_parts(self.settings)[0]

    @property
    def release(self) -> str:
        """ScanImage's full release, for example '2023.1'."""
        return release_of(self.settings)

    # ------------------------------------------------------------------ what was opened

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields, ordered by slice and, within a slice, from the top of the page to its bottom.

        ``scan.fields[0]`` describes the field; ``scan[0]`` reads its pixels.
        """
        return self._opened.fields

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the arrays that reading returns."""
        return self._opened.dtype

    @property
    def rois(self) -> tuple[Roi, ...]:
        """The ROIs that the user drew, including disabled ones; if there is none, the one that ScanImage made."""
        return self._opened.rois

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is missing, damaged or unusual, and notes; `read_scan` warned of all but the notes."""
        return self._opened.findings

    @property
    def stack(self) -> Stack:
        """The order of frames according to the header; `layout` is their order in the files."""
        return self._opened.stack

    @property
    def layout(self) -> Layout:
        """The page of each frame of the recording, and which volumes are complete."""
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
        """Number of ROIs that the user drew, disabled ones included; 1 if the scan is not multi-ROI."""
        return len(self.rois) if self.is_multiROI else 1

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return len(self._opened.channels)

    @property
    def num_frames(self) -> int:
        """Number of frames (time points) of each field: volumes times repeats (frames of each slice in a volume)."""
        return self._opened.num_frames

    @property
    def num_scanning_depths(self) -> int:
        """Number of slices that were recorded."""
        return self._opened.layout.counts.slices

    @property
    def num_planes(self) -> int:
        """Number of planes of each slice: 1, unless channels are planes (`channels_as_planes`)."""
        return len(self._opened.plane_depths[0]) if self._opened.plane_depths else 1

    @property
    def scanning_depths(self) -> list[float]:
        """Depth of each slice that was recorded, in µm, in the order of scanning."""
        return list(self._opened.depths[: self.num_scanning_depths])

    @property
    def requested_scanning_depths(self) -> list[float]:
        """Depth of each requested slice, in µm; if a stack was stopped, not all were recorded."""
        return list(self._opened.depths)

    def _requested_frames(self) -> float:
        """Number of frames of each field that the user requested, summed over the acquisitions of this scan.

        Infinite if the acquisition was to run until stopped; NaN if unknown.
        """
        if self._opened.is_raw:
            return math.nan
        header_frames = self._requested_frames_of(self.settings, self.stack)
        return sum(header_frames if bout.requested is None else bout.requested for bout in self._opened.bouts)

    # ------------------------------------------------------------------------ how it was scanned

    @property
    def is_multiROI(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether the recording is multi-ROI: each field is a ROI that the user drew, at one slice."""
        return self._opened.is_multi_roi

    @property
    def is_slow_stack(self) -> bool:
        """Whether there are several slices, and all frames of one were recorded before those of the next."""
        return self.stack.mode == "slow" and self.stack.slices > 1

    @property
    def is_slow_stack_with_fastZ(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether the fast z actuator moved between the slices of a slow stack."""
        return self.is_slow_stack and text(self.settings.get("hStackManager.stackActuator")) == "fastZ"

    @property
    def is_resonant(self) -> bool:
        """Whether a resonant mirror scans the lines."""
        return self._is_resonant(self.settings)

    @property
    def fps(self) -> float:
        """Frame rate of each field, in Hz.

        In a slow stack, this is the rate within a slice; with averaging, the rate of averaged frames; in a fast
        volume with repeats, the volume rate times the repeats. It is computed from the header; the rate measured by
        the `timestamps` typically differs by 1 in 10,000. NaN if the scan was opened with ``raw=True``, or if the
        selected frames are not evenly spaced.
        """
        step = 1 if self._opened.frames is None else self._opened.frames.step
        if self._opened.is_raw or step < 1:
            return math.nan
        if self.stack.mode == "fast":
            return self.scan_volume_rate * self.layout.counts.repeats / step
        return self.scan_frame_rate / self.stack.averaging / step

    @property
    def initial_secondary_z(self) -> float | None:
        """Position of the secondary z motor at the start of the recording, in µm; None if there is none."""
        position = next((self.settings[name] for name in STAGE_WITH_TWO_Z if name in self.settings), None)
        numbers = number_list(position)
        return numbers[3] if len(numbers) > 3 else None

    @property
    def beam_powers(self) -> list[float]:
        """Power of each beam at the start of the recording, in percent; empty if unknown.

        ROIs may have powers of their own: see `Roi.powers`.
        """
        return number_list(self.settings.get("hBeams.powers"))

    @property
    def actuator_positions(self) -> npt.NDArray[np.float64]:
        """Position of each z actuator in each slice, of shape (slices, actuators), in µm.

        ScanImage has written them since release 2020. For older releases, or if the number of values does not match
        the number of slices, the only column is `scanning_depths`.
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
        """ScanImage's number of each channel, from 1; after `channels_as_planes`, counted from 1."""
        return [channel.number for channel in self._opened.channels]

    @property
    def channel_names(self) -> list[str]:
        """Name of each channel."""
        return [channel.name for channel in self._opened.channels]

    @property
    def channel_offsets(self) -> list[float]:
        """Offset of each channel as last measured by ScanImage, in pixel values; NaN if unknown."""
        return [number(value) for value in self._of_inputs("hChannels.channelOffset", "hScan2D.channelOffsets")]

    @property
    def channel_offsets_subtracted(self) -> list[bool]:
        """Whether ScanImage subtracted the offset of each channel before saving; False if unknown."""
        names = ("hChannels.channelSubtractOffset", "hScan2D.channelsSubtractOffsets")
        return [flag(value) for value in self._of_inputs(*names)]

    def _of_inputs(self, *names: str) -> list[Any]:
        """Select the values of the saved channels from a list for all digitizer inputs; None where there is none.

        A virtual channel says which input it is taken from (section 10 of the format reference).
        """
        values: Any = next((self.settings[name] for name in names if name in self.settings), [])
        input_values = values if isinstance(values, list) else [values]

        def value_of(n: int) -> Any:
            source = text(self.settings.get(f"hScan2D.virtualChannelSettings__{n}.source"))
            last_number = re.search(r"(\d+)$", source)
            i = int(last_number[1]) if last_number else n - 1
            return input_values[i] if 0 <= i < len(input_values) else None

        return self._of_saved_channels(value_of, None)

    def _of_saved_channels(self, value_of: Callable[[int], V], unknown_value: V) -> list[V]:
        """Value for each channel, by ScanImage's number; unknown where channels are planes with different values."""
        values = []
        for channel in self._opened.channels:
            plane_values = [value_of(plane.number) for plane in channel.planes or (channel,)]
            values.append(plane_values[0] if all(value == plane_values[0] for value in plane_values) else unknown_value)
        return values

    @property
    def channel_inputs(self) -> list[ChannelInput]:
        """Input, mode and laser window of each saved channel of the scan, as the header has them since release 2020."""
        saved = (plane for channel in self._opened.channels for plane in channel.planes or (channel,))
        return [channel_input(self.settings, channel) for channel in saved]

    @property
    def channel_luts(self) -> list[tuple[float, float]]:
        """For each channel, the pixel values that ScanImage displayed as black and as white; NaN if unknown."""
        values = _pairs(self.settings.get("hChannels.channelLUT"))
        unknown_lut = (math.nan, math.nan)
        return self._of_saved_channels(lambda n: values[n - 1] if 0 < n <= len(values) else unknown_lut, unknown_lut)


def _pairs(value: Any) -> list[tuple[float, float]]:
    """Turn a cell of pairs into tuples; NaN where one is no pair."""
    pairs = [number_list(pair) for pair in value] if isinstance(value, list) else []
    return [(pair[0], pair[1]) if len(pair) == 2 else (math.nan, math.nan) for pair in pairs]
