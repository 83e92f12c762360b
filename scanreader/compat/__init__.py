"""Drop-in replacements of two other readers: change the import, and the code keeps working.

>>> from scanreader.compat import ScanImageTiffReader  # instead of: from ScanImageTiffReader import …
>>> from scanreader.compat import ScanImageImagingExtractor  # doctest: +SKIP
... # instead of: from roiextractors import …

The extractors need roiextractors, as they are subclasses of its `ImagingExtractor`; they are imported when used, so
that the rest can be imported without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanreader.compat.tiffreader import ScanImageTiffReader, api_version
from scanreader.compat.utilities import (
    extract_extra_metadata,
    extract_timestamps_from_file,
    parse_matlab_vector,
    parse_metadata,
    parse_metadata_v3_8,
    read_scanimage_metadata,
)

if TYPE_CHECKING:
    from scanreader.compat.extractors import ScanImageImagingExtractor, ScanImageLegacyImagingExtractor

_EXTRACTORS = ("ScanImageImagingExtractor", "ScanImageLegacyImagingExtractor")

__all__ = [
    "ScanImageImagingExtractor",
    "ScanImageLegacyImagingExtractor",
    "ScanImageTiffReader",
    "api_version",
    "extract_extra_metadata",
    "extract_timestamps_from_file",
    "parse_matlab_vector",
    "parse_metadata",
    "parse_metadata_v3_8",
    "read_scanimage_metadata",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return api_version()
    if name not in _EXTRACTORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from scanreader.compat import extractors  # noqa: PLC0415 - it needs roiextractors
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("roiextractors"):
            raise
        raise ImportError(f"{name} needs roiextractors: pip install 'scanreader[roiextractors]'") from error
    return getattr(extractors, name)


def __dir__() -> list[str]:
    return sorted(__all__)
