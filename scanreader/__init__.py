"""Reads ScanImage recordings of any release as lazy five-dimensional arrays, and line scans as arrays of cycles.

>>> import scanreader
>>> scan = scanreader.read_scan("/data/my_scan_*.tif")  # doctest: +SKIP
>>> scan[0, :, :, 0, -1000:]  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scanreader import core as core
from scanreader import exceptions as exceptions
from scanreader.errors import (
    ChangedFileError,
    ClosedScanError,
    DamagedPageError,
    DiskFullError,
    DtypeError,
    FieldDimensionMismatch,
    FileFormatError,
    Finding,
    HeaderError,
    LayoutError,
    MissingExtraError,
    PathnameError,
    ScanImageVersionError,
    ScanIndexError,
    ScanKeyError,
    ScanReaderError,
    ScanReaderWarning,
    TargetExistsError,
    UnknownSettingError,
    UnreachableError,
    UnreadableTargetError,
)
from scanreader.reader import read_scan
from scanreader.recording.bout_frames import Bout
from scanreader.recording.fields import Field, Piece, Placement, Timing, Trim
from scanreader.recording.layout import Counts, Layout, Stretch
from scanreader.recording.rectangles import Rectangle
from scanreader.recording.side_data import Photostim
from scanreader.recording.volumes import SingleField, Volume
from scanreader.releases import VERSIONS, Release
from scanreader.scanimage.descriptions import Event
from scanreader.scanimage.inputs import ChannelInput
from scanreader.scanimage.rois import Roi, Scanfield
from scanreader.scanimage.stacks import Stack
from scanreader.scans import Scan
from scanreader.tiff.pages import BytePlaces
from scanreader.version import __version__

if TYPE_CHECKING:
    from scanreader.line_scans import LineScan, read_line_scan
    from scanreader.recording.cycles import Cycles
    from scanreader.recordings import FoundRecording, FoundRecordings, find_recordings
    from scanreader.scanimage.integration import IntegrationRoi, IntegrationShape
    from scanreader.scanimage.line_scans import Cycle, PathRoi
    from scanreader.scanimage.photostim import Stimulus, StimulusGroup, StimulusLog

_LAZY_NAMES = {
    "line_scans": ("LineScan", "read_line_scan"),
    "recording.cycles": ("Cycles",),
    "recordings": ("FoundRecording", "FoundRecordings", "find_recordings"),
    "scanimage.integration": ("IntegrationRoi", "IntegrationShape"),
    "scanimage.line_scans": ("Cycle", "PathRoi"),
    "scanimage.photostim": ("Stimulus", "StimulusGroup", "StimulusLog"),
}
"""Modules that are imported when one of these names is asked for: few programs need them, and they take time."""

ScanReaderException = ScanReaderError
"""The older name of `ScanReaderError`."""

__all__ = [
    "VERSIONS",
    "Bout",
    "BytePlaces",
    "ChangedFileError",
    "ChannelInput",
    "ClosedScanError",
    "Counts",
    "Cycle",
    "Cycles",
    "DamagedPageError",
    "DiskFullError",
    "DtypeError",
    "Event",
    "Field",
    "FieldDimensionMismatch",
    "FileFormatError",
    "Finding",
    "FoundRecording",
    "FoundRecordings",
    "HeaderError",
    "IntegrationRoi",
    "IntegrationShape",
    "Layout",
    "LayoutError",
    "LineScan",
    "MissingExtraError",
    "PathRoi",
    "PathnameError",
    "Photostim",
    "Piece",
    "Placement",
    "Rectangle",
    "Release",
    "Roi",
    "Scan",
    "ScanImageVersionError",
    "ScanIndexError",
    "ScanKeyError",
    "ScanReaderError",
    "ScanReaderException",
    "ScanReaderWarning",
    "Scanfield",
    "SingleField",
    "Stack",
    "Stimulus",
    "StimulusGroup",
    "StimulusLog",
    "Stretch",
    "TargetExistsError",
    "Timing",
    "Trim",
    "UnknownSettingError",
    "UnreachableError",
    "UnreadableTargetError",
    "Volume",
    "__version__",
    "find_recordings",
    "read_line_scan",
    "read_scan",
]


def __getattr__(name: str) -> Any:
    """Import what is imported later."""
    for module, names in _LAZY_NAMES.items():
        if name in names:
            value = getattr(import_module(f"scanreader.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'scanreader' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
