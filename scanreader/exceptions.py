"""The errors under the names of atlab's scanreader: programs written for it import them from here."""

from scanreader.errors import FieldDimensionMismatch, PathnameError, ScanImageVersionError
from scanreader.errors import ScanReaderError as ScanReaderException

__all__ = ["FieldDimensionMismatch", "PathnameError", "ScanImageVersionError", "ScanReaderException"]
