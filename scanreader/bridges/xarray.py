"""Scans as lazy xarray datasets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from scanreader.bridges import ScanLike, flat_attributes, notify_moved_pieces, plane_attributes
from scanreader.bridges.groups import groups_of
from scanreader.chunks import frames_at_a_time
from scanreader.recording.bout_frames import bout_of_frames
from scanreader.texts import in_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scanreader.bridges.groups import Group
    from scanreader.recording.fields import Field


SAME_SIZE = 1e-6  # relative difference of pixel sizes in µm that is rounding


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
    """When each of some fields was scanned in each frame, of shape (field, time), read on demand."""

    def __init__(self, scan: ScanLike, fields: Sequence[int]) -> None:
        self.scan, self.fields = scan, np.asarray(fields)
        self.shape, self.dtype = (len(self.fields), scan.num_frames), np.dtype(np.float64)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        fields = self.fields[key[0]]
        if np.ndim(fields) == 0:
            return np.asarray(self.scan.field_timestamps(int(fields))[key[1]])
        times = [self.scan.field_timestamps(i)[key[1]] for i in fields.tolist()]
        return np.stack(times) if times else np.empty((0, *np.arange(self.shape[1])[key[1]].shape))


def to_xarray(scan: ScanLike, grouped: str | None = None) -> xr.Dataset:
    """Make a dataset; see `Scan.to_xarray`."""
    groups = groups_of(scan, grouped, "a dataset")
    sizes = {(field.height, field.width) for field in scan.fields}
    notify_moved_pieces(scan)
    if len(groups) == 1 and groups[0].is_volume:
        data, coordinates = _as_volume(scan, groups[0], "data", "")
    elif len(sizes) == 1 and not any(group.is_volume for group in groups):
        data, coordinates = _as_one_variable(scan)
    else:
        data, coordinates = _as_several_variables(scan, groups)
    names = {"channel": ("channel", [in_xml(name) for name in scan.channel_names])}
    attributes = {
        name: in_xml(value) if isinstance(value, str) else value for name, value in flat_attributes(scan).items()
    }
    return xr.Dataset(data, {**names, **coordinates}, attributes)


def _as_one_variable(scan: ScanLike) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the variable of fields of one size in pixels, and its coordinates."""
    fields = range(scan.num_fields)
    data = {"data": _lazy_variable(scan, fields, ("field", "y", "x", "channel", "time"), is_single=False)}
    places = [_places(field) for field in scan.fields]
    unit = {"units": "um" if {place.unit for place in places} == {"um"} else "pixel"}
    if unit["units"] == "pixel":
        places = [_places_in_pixels(field) for field in scan.fields]
    rows, columns, common_unit = _common_places(scan.fields)
    coordinates = {
        "field": ("field", list(fields)),
        "name": ("field", [in_xml(field.name) for field in scan.fields]),
        "z": ("field", [field.depth for field in scan.fields], {"units": "um"}),
        "slice": ("field", [field.slice_id for field in scan.fields]),
        **_planes(scan, fields, "field"),
        "rotation": ("field", [field.rotation for field in scan.fields], {"units": "degree"}),
        "time": ("time", scan.field_timestamps(0), _seconds(scan)),
        **_bouts(scan, "time"),
        "field_time": (("field", "time"), indexing.LazilyIndexedArray(TimesBackend(scan, fields)), {"units": "s"}),
        "y": ("y", rows, {"units": common_unit}),
        "x": ("x", columns, {"units": common_unit}),
        "field_y": (("field", "y"), np.stack([place.rows for place in places]), unit),
        "field_x": (("field", "x"), np.stack([place.columns for place in places]), unit),
    }
    return data, coordinates


def _planes(scan: ScanLike, fields: Sequence[int], dimension: str) -> dict[str, Any]:
    """Coordinate of the plane of each field, and of ScanImage's channel numbers, where channels are planes."""
    chosen_fields = [scan.fields[i] for i in fields]
    if any(field.plane is None for field in chosen_fields):
        return {}
    numbers = [[group.number for group in scan.opened.saved_channels(field)] for field in chosen_fields]
    return {
        "plane": (dimension, [field.plane for field in chosen_fields]),
        "scanimage_channel": ((dimension, "channel"), numbers),
    }


def _as_volume(scan: ScanLike, group: Group, name: str, ending: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the variable of a volume, and its coordinates, whose names have an ending where there are several."""
    z, y, x, time = (f"{axis}{ending}" for axis in ("z", "y", "x", "time"))
    fields = [scan.fields[i] for i in group.fields]
    rows, columns, unit = _places(fields[0])
    dims, values, _, encoding = _lazy_variable(scan, group.fields, (z, y, x, "channel", time), is_single=False)
    attributes = {"name": in_xml(fields[0].name), "rotation": fields[0].rotation}
    first_scanned = min(group.fields, key=lambda i: scan.fields[i].slice_id)
    plane_time = indexing.LazilyIndexedArray(TimesBackend(scan, group.fields))
    coordinates = {
        z: (z, [field.depth for field in fields], {"units": "um"}),
        y: (y, rows, {"units": unit}),
        x: (x, columns, {"units": unit}),
        f"field{ending}": (z, list(group.fields)),
        f"slice{ending}": (z, [field.slice_id for field in fields]),
        **{f"{key}{ending}": value for key, value in _planes(scan, group.fields, z).items()},
        time: (time, scan.field_timestamps(first_scanned), _seconds(scan)),
        f"plane_time{ending}": ((z, time), plane_time, {"units": "s"}),
        **{f"bout{ending}": value for value in _bouts(scan, time).values()},
    }
    return {name: (dims, values, attributes, encoding)}, coordinates


def _as_several_variables(scan: ScanLike, groups: Sequence[Group]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a variable for each volume and each field that is in none, and its coordinates."""
    data: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for number, group in enumerate(group for group in groups if group.is_volume):
        variable, places = _as_volume(scan, group, f"volume_{number}", f"_v{number}")
        data, coordinates = data | variable, coordinates | places
    for i in (group.first_field for group in groups if not group.is_volume):
        field = scan.fields[i]
        rows, columns, unit = _places(field)
        dims, values, _, encoding = _lazy_variable(
            scan, [i], (f"y_{i}", f"x_{i}", "channel", f"time_{i}"), is_single=True
        )
        attributes = {
            "name": in_xml(field.name),
            "z": field.depth,
            "slice": field.slice_id,
            **plane_attributes(scan, i),
            "rotation": field.rotation,
        }
        data[f"field_{i}"] = (dims, values, attributes, encoding)
        coordinates[f"y_{i}"] = (f"y_{i}", rows, {"units": unit})
        coordinates[f"x_{i}"] = (f"x_{i}", columns, {"units": unit})
        coordinates[f"time_{i}"] = (f"time_{i}", scan.field_timestamps(i), _seconds(scan))
        coordinates |= {f"bout_{i}": values for values in _bouts(scan, f"time_{i}").values()}
    return data, coordinates


def _bouts(scan: ScanLike, dimension: str) -> dict[str, Any]:
    """Number of the bout of each frame, from 0, where there are several."""
    if len(scan.opened.bouts) < 2:
        return {}
    numbers = bout_of_frames(scan.opened)
    return {"bout": (dimension, numbers, {"long_name": "number of the grab or acquisition, from 0"})}


def _lazy_variable(scan: ScanLike, fields: Sequence[int], dims: tuple[str, ...], *, is_single: bool) -> tuple[Any, ...]:
    """Make a variable for xarray: dimensions, values, attributes, encoding."""
    backend = FieldBackend(scan, fields, is_single=is_single)
    sizes = backend.shape[-4:]
    step = min(frames_at_a_time(math.prod(sizes[:3]) * scan.dtype.itemsize), max(1, sizes[3]))
    chunks = dict(zip(dims, (*(() if is_single else (1,)), *sizes[:3], step), strict=True))
    return dims, indexing.LazilyIndexedArray(backend), {}, {"preferred_chunks": chunks}


class Places(NamedTuple):
    """Positions of rows and columns."""

    rows: npt.NDArray[Any]
    columns: npt.NDArray[Any]
    unit: str
    """"um" or "pixel"."""


def _places(field: Field) -> Places:
    """Positions of rows and columns along the field's own lines: in µm, or in pixels if the header has no µm."""
    height, width = field.pixel_height_in_microns, field.pixel_width_in_microns
    if not (math.isfinite(height) and math.isfinite(width)):
        return _places_in_pixels(field)
    rows = (np.arange(field.height) - (field.height - 1) / 2) * height + field.y_in_microns
    columns = (np.arange(field.width) - (field.width - 1) / 2) * width + field.x_in_microns
    return Places(rows, columns, "um")


def _places_in_pixels(field: Field) -> Places:
    return Places(np.arange(field.height, dtype=float), np.arange(field.width, dtype=float), "pixel")


def _common_places(fields: Sequence[Field]) -> Places:
    """Positions from each field's centre, in µm; in pixels from its first, if pixels differ in µm, or have none."""
    sizes = np.array([(field.pixel_height_in_microns, field.pixel_width_in_microns) for field in fields])
    if not np.allclose(sizes, sizes[0], rtol=SAME_SIZE, atol=0):  # NaN is close to nothing
        return _places_in_pixels(fields[0])
    rows, columns, unit = _places(fields[0])
    return Places(rows - np.mean(rows), columns - np.mean(columns), unit)


def _seconds(scan: ScanLike) -> dict[str, Any]:
    return {"units": "s", "long_name": "time since the recording began"} | (
        {"start": scan.start_time.isoformat()} if scan.start_time else {}
    )
