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
from scanreader.recording.fields import Field
from scanreader.releases import VERSIONS
from scanreader.scans import Scan
from scanreader.version import __version__

ScanReaderException = ScanReaderError
"""The older name of `ScanReaderError`."""

__all__ = [
    "VERSIONS",
    "ChangedFileError",
    "ClosedScanError",
    "DamagedPageError",
    "DtypeError",
    "Field",
    "FieldDimensionMismatch",
    "FileFormatError",
    "HeaderError",
    "LayoutError",
    "MissingExtraError",
    "PathnameError",
    "Scan",
    "ScanImageVersionError",
    "ScanIndexError",
    "ScanKeyError",
    "ScanReaderError",
    "ScanReaderException",
    "ScanReaderWarning",
    "TargetExistsError",
    "UnknownSettingError",
    "UnreachableError",
    "__version__",
    "read_scan",
]
