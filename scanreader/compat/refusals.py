"""Errors of the stand-ins that are also of the type that the original raises for the same arguments."""

from __future__ import annotations

from ctypes import ArgumentError

import tifffile

from scanreader.errors import FileFormatError, ScanIndexError, ScanKeyError, ScanReaderError


class FilenameError(ScanReaderError, AttributeError):
    """What was given as the name of a file is not a text, nor a path."""


class NotATiffError(FileFormatError, tifffile.TiffFileError):
    """A file is not a TIFF; roiextractors raises tifffile.TiffFileError."""


class IntervalError(ScanIndexError, ValueError):
    """An interval is not inside the pages or samples; if it runs backwards, the originals raise ValueError."""


class PageNumberError(ScanKeyError, ArgumentError):
    """The number of a page is not an integer; the original raises ctypes.ArgumentError."""


class RoiChoiceError(ScanKeyError, ValueError):
    """A ROI that was asked for is not there, or not the only one of its name; roiextractors raises ValueError."""
