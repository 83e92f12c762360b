"""Scans and fields as dask arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges.groups import by_volume, check_grouped
from scanreader.chunks import frames_at_a_time
from scanreader.errors import FieldDimensionMismatch, LayoutError, ScanKeyError
from scanreader.extras import import_extra
from scanreader.keys import nonnegative_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scanreader.bridges import ScanLike


class FieldArray:
    """One field as an array that is read when sliced, of shape (y, x, channels, frames).

    It pickles as its scan does, in kilobytes, so workers open the files themselves.
    """

    ndim = 4

    def __init__(self, scan: ScanLike, field: int) -> None:
        self.scan, self.field = scan, field
        shape = scan.fields[field]
        self.shape = (shape.height, shape.width, scan.num_channels, scan.num_frames)
        self.dtype: np.dtype[Any] = scan.dtype

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        return self.scan[(self.field, *(key if isinstance(key, tuple) else (key,)))]


def to_dask(scan: ScanLike, field: int | None = None, frames: int | None = None, grouped: str | None = None) -> Any:
    """Make a dask array; see `Scan.to_dask`."""
    array = import_extra("dask.array", "dask")
    order = _order(scan, field, grouped)
    step = None if frames is None else _checked_frames(frames, scan.num_frames)
    if field is not None:
        return _field_array(array, scan, nonnegative_index(field, scan.num_fields, "field"), step)
    sizes = {(shape.height, shape.width) for shape in scan.fields}
    if len(sizes) > 1:
        raise FieldDimensionMismatch(f"fields differ in size ({sorted(sizes)}): name one, e.g. scan.to_dask(0)")
    return array.stack([_field_array(array, scan, i, step) for i in order])


def _order(scan: ScanLike, field: int | None, grouped: str | None) -> Sequence[int]:
    """The fields in the order of the first axis.

    Raises
    ------
    ScanKeyError
        If one field is to be grouped.
    LayoutError
        If the fields are not one volume.
    """
    if grouped != "z":
        check_grouped(grouped)
        return range(scan.num_fields)
    if field is not None:
        raise ScanKeyError("grouped='z' is for all fields: give no field, or no grouped")
    groups = by_volume(scan)
    if len(groups) != 1 or not groups[0].is_volume:
        raise LayoutError(
            "the fields are not one volume: scan.volumes[0].scan.to_dask() is that of the first volume, "
            "scan.single_fields says which fields are in none",
            raw_helps=False,
        )
    return groups[0].fields


def _field_array(array: Any, scan: ScanLike, number: int, step: int | None) -> Any:
    """Make the array of a field, with `step` frames in a chunk."""
    source = FieldArray(scan, number)
    height, width, channels, frames = source.shape
    step = step or max(1, min(frames_at_a_time(height * width * channels * scan.dtype.itemsize), frames))
    # The name tells the chunks too: tasks of one name must be equal wherever graphs are merged.
    name = f"scanreader-{scan.token}-{number}-{step}"
    return array.from_array(source, (height, width, channels, step), name=name, asarray=False, fancy=False)


def _checked_frames(frames: Any, num_frames: int) -> int:
    """Give the number of frames in a chunk.

    Raises
    ------
    ScanKeyError
        If it is not a number of frames.
    """
    is_integer = isinstance(frames, (int, np.integer)) and not isinstance(frames, bool)
    if not is_integer or (frames < 1 and frames != -1):
        raise ScanKeyError(f"frames must be an integer: at least 1, or -1 for all frames in one chunk, not {frames!r}")
    return max(1, num_frames if frames == -1 else min(int(frames), num_frames))
