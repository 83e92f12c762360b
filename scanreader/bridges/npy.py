"""Scans as numpy's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scanreader.bridges.targets import atomic_path
from scanreader.chunks import frames_at_a_time
from scanreader.errors import FieldDimensionMismatch

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress


MOST = 64 << 20  # bytes that are held at a time


def to_npy(
    scan: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write the array of a scan whose fields have one size, a few rows at a time.

    Raises
    ------
    FieldDimensionMismatch
        If fields differ in size.
    TargetExistsError
        If the target exists.
    """
    sizes = {(field.height, field.width) for field in scan.fields}
    if len(sizes) > 1:
        raise FieldDimensionMismatch(f"fields differ in size ({sorted(sizes)}): write them one by one (--per-field)")
    shape = (scan.num_fields, *sizes.pop(), scan.num_channels, scan.num_frames)
    header = {"descr": np.lib.format.dtype_to_descr(scan.dtype), "fortran_order": False, "shape": shape}
    with atomic_path(path, overwrite=overwrite) as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for field, rows, columns in _blocks(shape, scan.dtype.itemsize):
            part = np.ascontiguousarray(scan[field, rows, columns])
            file.write(part.data)
            if progress is not None:
                progress(part.nbytes)


def _blocks(shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[int, slice, slice]]:
    """Parts of fields with all frames, of about 64 MiB, in the order of numpy's files."""
    fields, height, width, channels, frames = shape
    pixel = channels * frames * itemsize
    rows = frames_at_a_time(width * pixel)
    columns = width if rows > 1 or width * pixel <= MOST else frames_at_a_time(pixel)
    for field in range(fields):
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                yield field, slice(y, min(height, y + rows)), slice(x, min(width, x + columns))
