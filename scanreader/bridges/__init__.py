"""Exports: one module for each library or format, imported when it is needed."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scanreader.files.urls import file_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy.typing as npt

    from scanreader.recording.fields import Field
    from scanreader.tiff.pages import BytePlaces


UNEVEN = 0.1  # relative difference of an interval from the frame period
MOST_EVEN = 0.9  # part of the intervals that must be even: some frames may be missing


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
    def start_time(self) -> datetime | None: ...  # noqa: D102
    @property
    def token(self) -> str: ...  # noqa: D102
    @property
    def header(self) -> str: ...  # noqa: D102
    @property
    def release(self) -> str: ...  # noqa: D102
    @property
    def microns_per_degree(self) -> float: ...  # noqa: D102
    @property
    def roi_metadata(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def filenames(self) -> list[str]: ...  # noqa: D102
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
        "header": scan.header,
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


def is_even(scan: ScanLike, times: npt.NDArray[np.float64]) -> bool:
    """Whether frames are evenly spaced at the scan's rate: a slow stack's and those of repeats are not."""
    if not (math.isfinite(scan.fps) and scan.fps > 0):
        return False
    intervals = np.diff(times)
    intervals = intervals[np.isfinite(intervals)]
    return not intervals.size or bool(np.mean(np.abs(intervals * scan.fps - 1) < UNEVEN) > MOST_EVEN)


def image_name(scan: ScanLike, i: int) -> str:
    """Name of a field's image in OME."""
    return f"{scan.fields[i].name or 'field'} {i}"


def field_attributes(scan: ScanLike, i: int) -> dict[str, Any]:
    """Attributes of a field: name, slice, depth, centre and pixel size, in µm."""
    field = scan.fields[i]
    return without_nan(
        {
            "name": field.name,
            "slice": field.slice_id,
            "z": field.depth,
            "y": field.y_in_microns,
            "x": field.x_in_microns,
            "pixel_height": field.pixel_height_in_microns,
            "pixel_width": field.pixel_width_in_microns,
            "rotation": field.rotation,
            "units": "um",
        }
    )


def without_nan(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes whose value is not NaN, which JSON cannot express."""
    return {name: value for name, value in attributes.items() if value == value}  # noqa: PLR0124 - NaN is not
