"""Drop-in replacements of two other readers: change the import, and the code keeps working.

>>> from scanreader.compat import ScanImageTiffReader  # instead of: from ScanImageTiffReader import …
>>> from scanreader.compat import ScanImageImagingExtractor  # doctest: +SKIP
... # instead of: from roiextractors import …

The extractors need roiextractors, as they are subclasses of its `ImagingExtractor`; they are imported when used, so
that the rest can be imported without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scanreader.compat.standing_in import stand_in
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
    from scanreader.compat.multi_roi import ScanImageMultiROIImagingExtractor

_EXTRACTORS = {
    "ScanImageImagingExtractor": "extractors",
    "ScanImageLegacyImagingExtractor": "extractors",
    "ScanImageMultiROIImagingExtractor": "multi_roi",
}
"""The modules of the classes that need roiextractors."""

__all__ = [
    "ScanImageImagingExtractor",
    "ScanImageLegacyImagingExtractor",
    "ScanImageMultiROIImagingExtractor",
    "ScanImageTiffReader",
    "api_version",
    "extract_extra_metadata",
    "extract_timestamps_from_file",
    "parse_matlab_vector",
    "parse_metadata",
    "parse_metadata_v3_8",
    "read_scanimage_metadata",
    "stand_in",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return api_version()
    if name not in _EXTRACTORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"scanreader.compat.{_EXTRACTORS[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("roiextractors"):
            raise
        raise ImportError(f"{name} needs roiextractors: pip install 'scanreader[roiextractors]'") from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
