"""Scans and fields as dask arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanreader.chunks import frames_at_a_time
from scanreader.errors import FieldDimensionMismatch
from scanreader.extras import import_extra

if TYPE_CHECKING:
    import numpy as np
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


def to_dask(scan: ScanLike, field: int | None = None, frames: int | None = None) -> Any:
    """Make a dask array; see `Scan.to_dask`."""
    array = import_extra("dask.array", "dask")
    if field is not None:
        number = range(scan.num_fields)[field]
        source = FieldArray(scan, number)
        height, width, channels, _ = source.shape
        step = frames or frames_at_a_time(height * width * channels * scan.dtype.itemsize)
        chunks = (height, width, channels, max(1, min(step, scan.num_frames)))
        return array.from_array(source, chunks, name=f"scanreader-{scan.token}-{number}", asarray=False, fancy=False)
    sizes = {(shape.height, shape.width) for shape in scan.fields}
    if len(sizes) > 1:
        raise FieldDimensionMismatch(f"fields differ in size ({sorted(sizes)}): name one, e.g. scan.to_dask(0)")
    return array.stack([to_dask(scan, i, frames) for i in range(scan.num_fields)])
