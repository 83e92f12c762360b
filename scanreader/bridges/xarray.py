"""Scans as lazy xarray datasets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from scanreader.bridges import ScanLike, flat_attributes
from scanreader.chunks import frames_at_a_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scanreader.recording.fields import Field


class Lazy(BackendArray):  # type: ignore[misc] # xarray does not type it
    """An array that xarray reads on demand, with an index for each axis."""

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        raise NotImplementedError


class FieldBackend(Lazy):
    """Fields of one size as xarray reads them: with an index for each axis, as a scan is indexed.

    Of one field, (y, x, channel, time); of several, (field, y, x, channel, time).
    """

    def __init__(self, scan: ScanLike, fields: Sequence[int], *, is_single: bool) -> None:
        self.scan, self.fields, self.is_single = scan, list(fields), is_single
        shape = scan.fields[self.fields[0]]
        sizes = (shape.height, shape.width, scan.num_channels, scan.num_frames)
        self.shape = sizes if is_single else (len(self.fields), *sizes)
        self.dtype = scan.dtype

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        if self.is_single:
            return self.scan[(self.fields[0], *key)]
        places = np.arange(len(self.fields))[key[0]]
        numbers = np.asarray(self.fields)[places]
        return self.scan[(int(numbers) if numbers.ndim == 0 else numbers, *key[1:])]


class TimesBackend(Lazy):
    """When each field was scanned in each frame, of shape (field, time), read on demand."""

    def __init__(self, scan: ScanLike) -> None:
        self.scan = scan
        self.shape, self.dtype = (scan.num_fields, scan.num_frames), np.dtype(np.float64)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        fields = np.arange(self.shape[0])[key[0]]
        if np.ndim(fields) == 0:
            return np.asarray(self.scan.field_timestamps(int(fields))[key[1]])
        times = [self.scan.field_timestamps(i)[key[1]] for i in fields.tolist()]
        return np.stack(times) if times else np.empty((0, *np.arange(self.shape[1])[key[1]].shape))


def to_xarray(scan: ScanLike) -> xr.Dataset:
    """Make a dataset; see `Scan.to_xarray`."""
    sizes = {(field.height, field.width) for field in scan.fields}
    names = {"channel": ("channel", scan.channel_names)}
    if len(sizes) == 1:
        fields = range(scan.num_fields)
        data: dict[str, Any] = {"data": _lazy(scan, fields, ("field", "y", "x", "channel", "time"), is_single=False)}
        places = [_places(field) for field in scan.fields]
        coordinates: dict[str, Any] = {
            "field": ("field", list(fields)),
            "name": ("field", [field.name for field in scan.fields]),
            "z": ("field", [field.depth for field in scan.fields], {"units": "um"}),
            "slice": ("field", [field.slice_id for field in scan.fields]),
            "time": ("time", scan.field_timestamps(0), _seconds(scan)),
            "field_time": (("field", "time"), indexing.LazilyIndexedArray(TimesBackend(scan)), {"units": "s"}),
            "y": ("y", places[0][0] - np.mean(places[0][0]), {"units": places[0][2]}),
            "x": ("x", places[0][1] - np.mean(places[0][1]), {"units": places[0][2]}),
            "field_y": (("field", "y"), np.stack([place[0] for place in places]), {"units": places[0][2]}),
            "field_x": (("field", "x"), np.stack([place[1] for place in places]), {"units": places[0][2]}),
        }
        return xr.Dataset(data, {**names, **coordinates}, flat_attributes(scan))
    data, coordinates = {}, {}
    for i, field in enumerate(scan.fields):
        ys, xs, unit = _places(field)
        dims, values, _, encoding = _lazy(scan, [i], (f"y_{i}", f"x_{i}", "channel", f"time_{i}"), is_single=True)
        attributes = {"name": field.name, "z": field.depth, "slice": field.slice_id, "rotation": field.rotation}
        data[f"field_{i}"] = (dims, values, attributes, encoding)
        coordinates[f"y_{i}"] = (f"y_{i}", ys, {"units": unit})
        coordinates[f"x_{i}"] = (f"x_{i}", xs, {"units": unit})
        coordinates[f"time_{i}"] = (f"time_{i}", scan.field_timestamps(i), _seconds(scan))
    return xr.Dataset(data, {**names, **coordinates}, flat_attributes(scan))


def _lazy(scan: ScanLike, fields: Sequence[int], dims: tuple[str, ...], *, is_single: bool) -> tuple[Any, ...]:
    """Make a variable for xarray: dimensions, values, attributes, encoding."""
    backend = FieldBackend(scan, fields, is_single=is_single)
    sizes = backend.shape[-4:]
    step = min(frames_at_a_time(math.prod(sizes[:3]) * scan.dtype.itemsize), max(1, sizes[3]))
    chunks = dict(zip(dims, (*(() if is_single else (1,)), *sizes[:3], step), strict=True))
    return dims, indexing.LazilyIndexedArray(backend), {}, {"preferred_chunks": chunks}


def _places(field: Field) -> tuple[npt.NDArray[Any], npt.NDArray[Any], str]:
    """Positions of rows and columns along the field's own lines: in µm, or in pixels if the header has no µm."""
    height, width = field.pixel_height_in_microns, field.pixel_width_in_microns
    if not (math.isfinite(height) and math.isfinite(width)):
        return np.arange(field.height, dtype=float), np.arange(field.width, dtype=float), "pixel"
    rows = (np.arange(field.height) - (field.height - 1) / 2) * height + field.y_in_microns
    columns = (np.arange(field.width) - (field.width - 1) / 2) * width + field.x_in_microns
    return rows, columns, "um"


def _seconds(scan: ScanLike) -> dict[str, Any]:
    return {"units": "s", "long_name": "time since the recording began"} | (
        {"start": scan.start_time.isoformat()} if scan.start_time else {}
    )
