"""A class for each change that ScanImage made to its header, and the choice of the class for a header."""

from __future__ import annotations

import math
from typing import NamedTuple

from scanreader.errors import Finding, ScanImageVersionError
from scanreader.scanimage.header import Header, release_parts
from scanreader.scanimage.settings import (
    Setting,
    count,
    flag,
    inverse,
    milliseconds,
    number,
    position,
)
from scanreader.scanimage.stacks import FastZOrder, LegacyOrder, PageOrder, PlanarOrder
from scanreader.scans import Scan


class PlainScan(PageOrder, Scan):
    """A TIFF that ScanImage did not write; see Scan. Every page is a frame of one field."""


class Scan2016(FastZOrder, Scan):
    """A recording of ScanImage 5.3 to 5.6 or 2016a to 2019a; see Scan. The fast z settings tell the order of frames."""

    @property
    def is_slow_stack_with_fastZ(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether the fast z actuator moved between the slices of a slow stack."""
        return self.is_slow_stack and flag(self.settings.get("hStackManager.slowStackWithFastZ"))


class Scan2015(Scan2016):
    """A recording of ScanImage 5.2 or 2015.4, the first to write BigTIFF; see Scan."""

    @property
    def is_slow_stack_with_fastZ(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether the secondary z motor moved between the slices of a slow stack."""
        return self.is_slow_stack and flag(self.settings.get("hMotors.motorSecondMotorZEnable"))


class Scan5Point1(Scan2015):
    """A recording of ScanImage 5.1 or 2015.0 to 2015.3, in classic TIFF; see Scan."""


class Scan5Point0(PlanarOrder, Scan):
    """A recording of ScanImage 4.x or 5.0, without a stack; see Scan."""

    zoom = Setting(number, "zoomFactor", "scanZoomFactor", doc="Zoom factor.")
    is_bidirectional = Setting(flag, "bidirectionalAcq", doc="Whether lines are scanned in both directions.")
    averaging = Setting(count, "acqNumAveragedFrames", doc="Raw frames averaged into each saved one.")
    scan_frame_period = Setting(number, "scanFramePeriod", doc="Seconds per raw frame.")
    seconds_per_line = Setting(number, "scanLinePeriod", doc="Seconds per scan line.")
    spatial_fill_fraction = Setting(number, "fillFraction", doc="Part of each line's width that is imaged.")
    temporal_fill_fraction = Setting(number, "fillFractionTime", doc="Part of each line's time that is imaged.")
    motor_position_at_zero = Setting(
        position, "motorPosition", doc="Position of the stage, x, y and z, in µm; None if unknown."
    )
    scan_frame_rate = Setting(inverse, "scanFramePeriod", doc="Raw frames a second.")


class Scan3(LegacyOrder, Scan):
    """A recording of ScanImage 3.x, which wrote no frame numbers and no times; see Scan."""

    zoom = Setting(number, "acq.zoomFactor", doc="Zoom factor.")
    is_bidirectional = Setting(flag, "acq.bidirectionalScan", doc="Whether lines are scanned in both directions.")
    averaging = Setting(count, "acq.numAvgFramesSave", doc="Raw frames averaged into each saved one.")
    scan_frame_rate = Setting(number, "acq.frameRate", doc="Raw frames a second.")
    temporal_fill_fraction = Setting(number, "acq.fillFraction", doc="Part of each line's time that is imaged.")
    scan_frame_period = Setting(inverse, "acq.frameRate", doc="Seconds per raw frame.")
    seconds_per_line = Setting(milliseconds, "acq.msPerLine", doc="Seconds per scan line.")

    @property
    def motor_position_at_zero(self) -> list[float] | None:  # type: ignore[override] # it is derived here
        """Position of the stage: x, y and z in µm; None if unknown."""
        axes = [number(self.settings.get(f"motor.abs{axis}Position")) for axis in "XYZ"]
        return None if any(map(math.isnan, axes)) else axes


class Scan2019(Scan):
    """A recording of ScanImage 5.7 or 2019b; see Scan. The stack manager says how volumes were scanned."""


class Scan2020(Scan2019):
    """A recording of ScanImage 2020; see Scan. The fast z actuator has one position."""

    fast_z_position = Setting(number, "hFastZ.position", doc="Position of the fast z actuator, in µm.")


class Scan2021(Scan2020):
    """A recording of ScanImage 2021 or later; see Scan. Only the stage's sample coordinates are known."""

    motor_position_at_zero = Setting(
        position,
        "hMotors.samplePosition",
        "hMotors.motorPosition",
        doc="Position of the stage when the recording began: x, y and z in µm; None if unknown.",
    )


class Release(NamedTuple):
    """A known release of ScanImage."""

    name: str
    scan: type[Scan]
    container: str
    """The kind of TIFF, and the version of the metadata block at its start."""
    evidence: str
    """The evidence that recordings of this release are read correctly."""


_SOURCE, _HEADERS, _TABLE = "ScanImage's sources", "real headers", "the format reference"

VERSIONS: tuple[Release, ...] = (
    Release("3.5", Scan3, "classic TIFF", _TABLE),
    Release("3.6", Scan3, "classic TIFF", _TABLE),
    Release("3.7", Scan3, "classic TIFF", _TABLE),
    Release("3.8", Scan3, "classic TIFF", "a real recording"),
    Release("4", Scan5Point0, "classic TIFF", _TABLE),
    Release("4.0", Scan5Point0, "classic TIFF", _TABLE),
    Release("4.1", Scan5Point0, "classic TIFF", _TABLE),
    Release("4.2", Scan5Point0, "classic TIFF", _TABLE),
    Release("5.0", Scan5Point0, "classic TIFF", _HEADERS),
    Release("5.1", Scan5Point1, "classic TIFF, version 1", _SOURCE),
    Release("2015.0", Scan5Point1, "classic TIFF, version 1", _HEADERS),
    Release("2015.1", Scan5Point1, "classic TIFF, version 1", _TABLE),
    Release("2015.2", Scan5Point1, "classic TIFF, version 2", _TABLE),
    Release("2015.3", Scan5Point1, "classic TIFF, version 2", _TABLE),
    Release("5.2", Scan2015, "BigTIFF, version 3", _HEADERS),
    Release("2015.4", Scan2015, "BigTIFF, version 3", _HEADERS),
    Release("5.3", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("2016a", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("2016b", Scan2016, "BigTIFF, version 3", _HEADERS),
    Release("2017a", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("2017b", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("5.4", Scan2016, "BigTIFF, version 3", _SOURCE),
    Release("2018a", Scan2016, "BigTIFF, version 3", _HEADERS),
    Release("5.5", Scan2016, "BigTIFF, version 3", _SOURCE),
    Release("2018b", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("5.6", Scan2016, "BigTIFF, version 3 or 4", _TABLE),
    Release("2019a", Scan2016, "BigTIFF, version 3 or 4", _TABLE),
    Release("5.7", Scan2019, "BigTIFF, version 4", "a real recording"),
    Release("2019b", Scan2019, "BigTIFF, version 4", _HEADERS),
    Release("2020", Scan2020, "BigTIFF, version 4", _HEADERS),
    Release("2020.0", Scan2020, "BigTIFF, version 4", _TABLE),
    Release("2020.1", Scan2020, "BigTIFF, version 4", _HEADERS),
    Release("2021.0", Scan2021, "BigTIFF, version 4", "a real recording"),
    Release("2021.1", Scan2021, "BigTIFF, version 4", _TABLE),
    Release("2022.0", Scan2021, "BigTIFF, version 4", _HEADERS),
    Release("2022.1", Scan2021, "BigTIFF, version 4", _TABLE),
    Release("2023.0", Scan2021, "BigTIFF, version 4", "a real recording"),
    Release("2023.1", Scan2021, "BigTIFF, version 4", _HEADERS),
)


def scan_class(settings: Header) -> tuple[type[Scan], list[Finding]]:
    """Choose the class for a header, by its release and by the settings that it has.

    Returns
    -------
    type of Scan
    findings : list of Finding
        What the user should know: an unknown release.

    Raises
    ------
    ScanImageVersionError
        If nothing in the header says how to read it.
    """
    major, minor, update = release_parts(settings)
    rows = {row.name: row.scan for row in VERSIONS}
    cls = rows.get(f"{major}.{minor}" if minor else major) or rows.get(major)
    findings: list[Finding] = []
    if cls is None:
        newest_release = VERSIONS[-1]
        cls = _class_by_keys(settings)
        if cls is None:
            raise ScanImageVersionError(
                f"the header is of ScanImage {major or 'of no known release'}, and no setting in it tells the "
                "order of pages"
            )
        name = ".".join(part for part in (major, minor, update) if part) or "of no known release"
        sentence = (
            f"ScanImage {name} is not among the known releases (up to {newest_release.name}); read as {cls.__name__}"
        )
        findings.append(Finding("unknown-release", "warning", "", sentence))
    return _class_by_stack_manager(cls, settings), findings


def _class_by_keys(settings: Header) -> type[Scan] | None:
    if settings.prefix in ("scanimage.SI4.", "scanimage.SI5."):
        return Scan5Point0
    if settings.prefix == "state.":
        return Scan3
    if "hStackManager.enable" in settings or "hStackManager.actualNumSlices" in settings:
        return VERSIONS[-1].scan
    if "hFastZ.enable" in settings:
        return Scan2016
    return VERSIONS[-1].scan if "hChannels.channelSave" in settings else None


def _class_by_stack_manager(cls: type[Scan], settings: Header) -> type[Scan]:
    """Correct the class by the settings: some releases wrote two kinds of header."""
    has_manager = "hStackManager.enable" in settings or "hStackManager.actualNumSlices" in settings
    if issubclass(cls, Scan2016) and has_manager:
        return Scan2019
    if issubclass(cls, Scan2019) and not has_manager and "hFastZ.numFramesPerVolume" in settings:
        return Scan2016
    return cls
