"""The settings that a scan shows as attributes: how each is spelled, and what it becomes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar, overload

from scanreader.errors import HeaderError
from scanreader.scanimage.jsonlab import listed
from scanreader.scanimage.literals import integers, numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.scanimage.header import Header

T = TypeVar("T")
MOST_CHANNELS = 1024  # that are believed


class Setting(Generic[T]):
    """A setting of the header as an attribute of a scan.

    ``Scan.zoom`` is the setting itself, ``Scan.zoom.of(header)`` and ``scan.zoom`` are its value.

    Parameters
    ----------
    convert : callable
        Converts the header's value, or None if it is missing, to the attribute's type.
    *names : str
        How releases spell it; the first that is there counts.
    doc : str
    """

    def __init__(self, convert: Callable[[Any], T], *names: str, doc: str) -> None:
        self.convert, self.names = convert, names
        self.__doc__ = doc

    def of(self, header: Header) -> T:
        """Value of the setting in a header."""
        return self.convert(next((header[name] for name in self.names if name in header), None))

    @overload
    def __get__(self, scan: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, scan: Settings, owner: type[Any]) -> T: ...
    def __get__(self, scan: Settings | None, owner: type[Any]) -> Self | T:
        return self if scan is None else self.of(scan.settings)


# ------------------------------------------------------------------ what a value becomes


def number(value: Any) -> float:
    """A number; NaN where it is missing."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def count(value: Any) -> float:
    """A count that may be infinite; NaN where it is missing."""
    return value if isinstance(value, int) and not isinstance(value, bool) else number(value)


def inverse(value: Any) -> float:
    """The inverse of a number; NaN where it is missing or 0."""
    return 1 / number(value) if number(value) else math.nan


def milliseconds(value: Any) -> float:
    """A time in ms, in s; NaN where it is missing."""
    return number(value) / 1000


def flag(value: Any) -> bool:
    """Whether something is on."""
    return value is True or (isinstance(value, (int, float)) and value == 1) or value == "true"


def text(value: Any) -> str:
    """A text; '' where it is missing."""
    return "" if value is None or isinstance(value, list) else str(value)


def number_list(value: Any) -> list[float]:
    """A list of numbers; empty where it is missing."""
    return [] if value is None else numbers(value)


def integer_list(value: Any) -> list[int]:
    """A list of integers; empty where it is missing."""
    return [] if value is None else integers(value)


def position(value: Any) -> list[float] | None:
    """A position, x, y and z; None where it is missing. A second z that follows is another motor's."""
    coordinates = number_list(value)
    return coordinates[:3] if len(coordinates) >= 3 else None


def unchanged(value: Any) -> Any:
    """What the header says; None where it is missing."""
    return value


# ---------------------------------------------------------------------------- settings


class Channel(NamedTuple):
    """A detector channel that was saved."""

    place: int
    """Its place among the channels of a frame in the files, from 0."""
    number: int
    """From 1, as ScanImage counts its channels."""
    name: str
    planes: tuple[Channel, ...] = ()
    """Where channels are planes: the saved channel of each plane. Place and number then count from 0 and 1."""


class Scanning(NamedTuple):
    """What a header says of how the scanner moves over the fields."""

    resonant: bool
    """Whether lines are scanned by a resonant mirror."""
    bidirectional: bool
    seconds_per_line: float
    frame_period: float
    """Seconds per raw frame."""
    temporal_fill_fraction: float
    evenly_sampled: bool
    """Whether pixels are evenly spaced in time."""
    lines_averaged: float
    """Scan lines averaged into each stored row; NaN where the header does not say."""
    scanner_frequency: float
    """In Hz."""
    flyto_seconds: float
    """From one field to the next."""
    microns_per_degree: float
    mroi_enabled: bool
    """Whether ROIs are cut from the pages."""
    fov_corners: tuple[float, ...]
    """Of the field of view, x and y in turn, in degrees."""


class Settings:
    """The settings of all releases since 5.1; a release's class lists those that moved."""

    @property
    def settings(self) -> Header:
        """The header's settings."""
        raise NotImplementedError

    zoom = Setting(number, "hRoiManager.scanZoomFactor", doc="Zoom factor.")
    is_bidirectional = Setting(flag, "hScan2D.bidirectional", doc="Whether lines are scanned in both directions.")
    scanner_type = Setting(text, "hScan2D.scannerType", doc="The scanner as ScanImage names it, e.g. 'RGG'.")
    scanner_frequency = Setting(
        number, "hScan2D.scannerFrequency", doc="Frequency of the resonant mirror, in Hz; NaN for galvos."
    )
    seconds_per_line = Setting(
        number,
        "hRoiManager.linePeriod",
        doc="Seconds per scan line; in multi-ROI recordings with galvos, lines differ in duration.",
    )
    spatial_fill_fraction = Setting(
        number, "hScan2D.fillFractionSpatial", doc="Fraction of each line's width that is imaged."
    )
    temporal_fill_fraction = Setting(
        number, "hScan2D.fillFractionTemporal", doc="Fraction of each line's duration that is imaged."
    )
    microns_per_degree = Setting(
        number, "objectiveResolution", doc="µm in the sample per degree of scan angle; NaN if unknown."
    )
    scan_frame_rate = Setting(number, "hRoiManager.scanFrameRate", doc="Raw frames a second.")
    scan_frame_period = Setting(number, "hRoiManager.scanFramePeriod", doc="Seconds per raw frame.")
    scan_volume_rate = Setting(number, "hRoiManager.scanVolumeRate", doc="Volumes a second.")
    scan_mode = Setting(text, "hScan2D.scanMode", doc="'resonant' or 'linear'; '' before 2019b.")
    has_resonant_mirror = Setting(
        unchanged,
        "hScan2D.hasResonantMirror",
        doc="Whether the scanner has a resonant mirror; None if the header does not say.",
    )
    uniform_sampling = Setting(flag, "hScan2D.uniformSampling", doc="Whether pixels are evenly spaced in time.")
    averaging = Setting(count, "hScan2D.logAverageFactor", doc="Raw frames averaged into each saved one.")
    lines_averaged = Setting(
        count,
        "hScan2D.LineAveragingLineCount",
        "hScan2D.lineAverageFactor",
        "hAcq.lineAverageFactor",
        doc="Scan lines averaged into each stored row, on the few rigs that average lines.",
    )
    frames_per_file = Setting(
        count,
        "hScan2D.logFramesPerFile",
        "loggingFramesPerFile",
        "acq.framesPerFile",
        doc="Number of frames after which ScanImage begins a new file.",
    )
    motor_position_at_zero = Setting(
        position,
        "hMotors.samplePosition",
        "hMotors.motorPosition",
        doc="Position of the stage when the recording began: x, y and z in µm; None if unknown.",
    )
    fast_z_position = Setting(
        number, "hFastZ.position", "hFastZ.positionTarget", doc="Position of the fast z actuator, in µm."
    )
    _channels_saved = Setting(integer_list, "hChannels.channelSave", doc="Numbers of the channels saved.")
    _channel_names = Setting(unchanged, "hChannels.channelName", doc="Names of all channels.")
    _flyto_seconds = Setting(number, "hScan2D.flytoTimePerScanfield", doc="Seconds to fly from field to field.")
    _mroi_enabled = Setting(flag, "hRoiManager.mroiEnable", doc="Whether ROIs are cut from the pages.")
    _fov_degrees = Setting(unchanged, "hRoiManager.imagingFovDeg", doc="Corners of the field of view.")
    _zs = Setting(number_list, "hStackManager.zs", doc="Depths, in µm.")
    _requested_slices = Setting(count, "hStackManager.numSlices", doc="Slices, as the user set them.")
    _frames_per_slice = Setting(count, "hStackManager.framesPerSlice", doc="Raw frames a slice.")
    _requested_volumes = Setting(
        count, "hStackManager.actualNumVolumes", "hStackManager.numVolumes", doc="Number of requested volumes."
    )

    # ------------------------------------------------- what takes more than one setting

    @classmethod
    def _channel_numbers_of(cls, header: Header) -> list[int]:
        """Numbers of the channels saved, from 1.

        Raises
        ------
        HeaderError
            If the header does not say.
        """
        saved = cls._channels_saved.of(header)
        if not saved:
            raise HeaderError(
                "the header does not say which channels were saved (hChannels.channelSave)", raw_helps=True
            )
        return saved

    @classmethod
    def _channels_of(cls, header: Header, own_channel: int | None) -> tuple[Channel, ...]:
        """The channels that were saved, in the order of the pages; the one of files that hold it alone."""
        names = listed(cls._channel_names.of(header))
        saved = cls._channel_numbers_of(header) if own_channel is None else [own_channel]
        if len(saved) > MOST_CHANNELS:
            raise HeaderError(f"the header says that {len(saved)} channels were saved", raw_helps=True)
        return tuple(
            Channel(i, n, str(names[n - 1]) if 0 < n <= len(names) and names[n - 1] else f"Channel {n}")
            for i, n in enumerate(saved)
        )

    @classmethod
    def _is_resonant(cls, header: Header) -> bool:
        mode, scanner = cls.scan_mode.of(header), cls.scanner_type.of(header)
        if mode in ("linear", "resonant"):
            return mode == "resonant"
        if scanner in ("Linear", "GG"):
            return False
        if scanner in ("Resonant", "RG", "RGG"):
            return True
        return math.isfinite(cls.scanner_frequency.of(header)) and cls.has_resonant_mirror.of(header) is not False

    @classmethod
    def _scanning_of(cls, header: Header) -> Scanning:
        return Scanning(
            resonant=cls._is_resonant(header),
            bidirectional=cls.is_bidirectional.of(header),
            seconds_per_line=cls.seconds_per_line.of(header),
            frame_period=cls.scan_frame_period.of(header),
            temporal_fill_fraction=cls.temporal_fill_fraction.of(header),
            evenly_sampled=cls.uniform_sampling.of(header),
            lines_averaged=cls.lines_averaged.of(header),
            scanner_frequency=cls.scanner_frequency.of(header),
            flyto_seconds=cls._flyto_seconds.of(header),
            microns_per_degree=cls.microns_per_degree.of(header),
            mroi_enabled=cls._mroi_enabled.of(header),
            fov_corners=tuple(numbers(cls._fov_degrees.of(header) or [])),
        )
