"""Exports: one module for each library or format, imported when it is needed."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scanreader.errors import DtypeError
from scanreader.files.urls import file_name
from scanreader.keys import abbreviate
from scanreader.notices import notify
from scanreader.texts import name_in_xml

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from scanreader.recording.bout_frames import Bout
    from scanreader.recording.fields import Field
    from scanreader.recording.opened import Opened
    from scanreader.recording.side_data import Photostim
    from scanreader.scanimage.integration import IntegrationRoi
    from scanreader.tiff.pages import BytePlaces


UNEVEN = 0.1  # relative difference of an interval from the frame period
MOST_EVEN = 0.9  # part of the intervals that must be even: some frames may be missing
REAL_DTYPES = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
"""Names of the dtypes of real numbers that zarr and napari take."""


class ScanLike(Protocol):
    """What a bridge uses of a scan."""

    @property
    def fields(self) -> Sequence[Field]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    @property
    def num_fields(self) -> int: ...  # noqa: D102
    @property
    def num_channels(self) -> int: ...  # noqa: D102
    @property
    def num_frames(self) -> int: ...  # noqa: D102
    @property
    def channel_names(self) -> list[str]: ...  # noqa: D102
    @property
    def fps(self) -> float: ...  # noqa: D102
    @property
    def timestamps_source(self) -> str: ...  # noqa: D102
    @property
    def start_time(self) -> datetime | None: ...  # noqa: D102
    @property
    def token(self) -> str: ...  # noqa: D102
    @property
    def header_block(self) -> str: ...  # noqa: D102
    @property
    def release(self) -> str: ...  # noqa: D102
    @property
    def microns_per_degree(self) -> float: ...  # noqa: D102
    @property
    def roi_metadata(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def filenames(self) -> list[str]: ...  # noqa: D102
    @property
    def opened(self) -> Opened: ...  # noqa: D102
    @property
    def bouts(self) -> Sequence[Bout]: ...  # noqa: D102
    @property
    def channel_numbers(self) -> list[int]: ...  # noqa: D102
    @property
    def photostim(self) -> Photostim | None: ...  # noqa: D102
    @property
    def integration_rois(self) -> tuple[IntegrationRoi, ...]: ...  # noqa: D102
    @property
    def integration(self) -> npt.NDArray[np.void] | None: ...  # noqa: D102
    @property
    def motion(self) -> npt.NDArray[np.void] | None: ...  # noqa: D102
    def byte_places(self, field: int) -> BytePlaces: ...  # noqa: D102
    def field_timestamps(self, field: int) -> npt.NDArray[np.float64]: ...  # noqa: D102
    def __getitem__(self, key: Any) -> npt.NDArray[Any]: ...


def recording_attributes(scan: ScanLike) -> dict[str, Any]:
    """Attributes of a recording for JSON."""
    attributes: dict[str, Any] = {
        "release": scan.release,
        "frame_rate": scan.fps,
        "microns_per_degree": scan.microns_per_degree,
        "channels": scan.channel_names,
        "files": [file_name(path) for path in scan.filenames],
        "header": scan.header_block,
        "rois": json.dumps(scan.roi_metadata),
    }
    if scan.start_time is not None:
        attributes["start_time"] = scan.start_time.isoformat()
    return without_nan(attributes)


def flat_attributes(scan: ScanLike) -> dict[str, Any]:
    """Attributes of a recording for netCDF and zarr: texts and numbers only, so lists become JSON."""
    names = {"channels": "channel_names", "files": "filenames", "header": "scanimage_header", "rois": "scanimage_rois"}
    attributes = recording_attributes(scan).items()
    return {names.get(key, key): json.dumps(value) if isinstance(value, list) else value for key, value in attributes}


def check_dtype(scan: ScanLike, dtypes: Collection[str], format_name: str) -> None:
    """Check that a format has the dtype of a scan, before anything is written.

    Raises
    ------
    DtypeError
        If it is not one of `dtypes`.
    """
    if scan.dtype.name not in dtypes:
        raise DtypeError(
            f"{format_name} holds pixels of {', '.join(dtypes)}, not of {scan.dtype.name}: open the recording without "
            "dtype, or with one of these"
        )


def is_even(scan: ScanLike, times: npt.NDArray[np.float64]) -> bool:
    """Whether frames are evenly spaced at the scan's rate: a slow stack's and those of repeats are not."""
    if not (math.isfinite(scan.fps) and scan.fps > 0):
        return False
    intervals = np.diff(times)
    intervals = intervals[np.isfinite(intervals)]
    return not intervals.size or bool(np.mean(np.abs(intervals * scan.fps - 1) < UNEVEN) > MOST_EVEN)


def fields_in_words(numbers: Sequence[int]) -> str:
    """Fields in a sentence: ``field 3``, ``fields 0, 1, 2``."""
    return f"field{'' if len(numbers) == 1 else 's'} {abbreviate(numbers)}"


def rotated_fields(scan: ScanLike) -> str:
    """Fields that are rotated, in words; '' if none is."""
    numbers = [i for i, field in enumerate(scan.fields) if field.rotation]
    return fields_in_words(numbers) if numbers else ""


def notify_moved_pieces(scan: ScanLike) -> None:
    """Say which fields were joined and trimmed, so that one position in µm cannot be exact for all their pixels."""
    numbers = [i for i, field in enumerate(scan.fields) if any(field.closed_gaps)]
    if numbers:
        pixels = max(max(scan.fields[i].closed_gaps) for i in numbers)
        sentence = f"{fields_in_words(numbers)}: pieces were trimmed and put side by side, so positions in µm are exact"
        notify([f"{sentence} for the upper-left piece, and up to {pixels} pixels off in the others"])


def image_name(scan: ScanLike, i: int) -> str:
    """Name of a field's image in OME."""
    return name_in_xml(f"{scan.fields[i].name or 'field'} {i}")


def field_attributes(scan: ScanLike, i: int) -> dict[str, Any]:
    """Attributes of a field: name, slice, depth, centre and pixel size, in µm."""
    field = scan.fields[i]
    return without_nan(
        {
            "name": field.name,
            "slice": field.slice_id,
            **plane_attributes(scan, i),
            "z": field.depth,
            "y": field.y_in_microns,
            "x": field.x_in_microns,
            "pixel_height": field.pixel_height_in_microns,
            "pixel_width": field.pixel_width_in_microns,
            "rotation": field.rotation,
            "units": "um",
        }
    )


def plane_attributes(scan: ScanLike, i: int) -> dict[str, Any]:
    """A field's plane, and ScanImage's numbers of its channels, where channels are planes; else nothing."""
    field = scan.fields[i]
    if field.plane is None:
        return {}
    return {
        "plane": field.plane,
        "scanimage_channels": [channel.number for channel in scan.opened.saved_channels(field)],
    }


def without_nan(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes whose value is not NaN, which JSON cannot express."""
    return {name: value for name, value in attributes.items() if value == value}  # noqa: PLR0124 - NaN is not
