"""Reads ScanImage recordings, of any release and any mode, as lazy five-dimensional arrays.

>>> import scanreader
>>> scan = scanreader.read_scan("/data/my_scan_*.tif")  # doctest: +SKIP
>>> scan[0, :, :, 0, -1000:]  # doctest: +SKIP
"""

from scanreader.errors import (
    ChangedFileError,
    ClosedScanError,
    DamagedPageError,
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
)
from scanreader.reader import read_scan
from scanreader.recording.fields import Field, Piece, Timing, Trim
from scanreader.recording.layout import Counts, Layout, Stretch
from scanreader.releases import VERSIONS, Release
from scanreader.scanimage.descriptions import Event
from scanreader.scanimage.rois import Roi, Scanfield
from scanreader.scanimage.stacks import Stack
from scanreader.scans import Scan
from scanreader.tiff.pages import BytePlaces
from scanreader.version import __version__

ScanReaderException = ScanReaderError
"""The older name of `ScanReaderError`."""

__all__ = [
    "VERSIONS",
    "BytePlaces",
    "ChangedFileError",
    "ClosedScanError",
    "Counts",
    "DamagedPageError",
    "DtypeError",
    "Event",
    "Field",
    "FieldDimensionMismatch",
    "FileFormatError",
    "Finding",
    "HeaderError",
    "Layout",
    "LayoutError",
    "MissingExtraError",
    "PathnameError",
    "Piece",
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
    "Stack",
    "Stretch",
    "TargetExistsError",
    "Timing",
    "Trim",
    "UnknownSettingError",
    "UnreachableError",
    "__version__",
    "read_scan",
]
