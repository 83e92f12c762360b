"""Scans as numpy's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scanreader.bridges.kinds import NPY
from scanreader.bridges.streams import flushed_early, in_c_order, in_order
from scanreader.bridges.writing import atomic_path
from scanreader.chunks import frames_at_a_time
from scanreader.errors import FieldDimensionMismatch

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress


MOST = 64 << 20  # bytes of a block: every page is read for each
READERS = 1  # a read of all frames uses several threads itself


def to_npy(
    scan: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write the array of a scan whose fields have one size, a few rows at a time.

    Raises
    ------
    FieldDimensionMismatch
        If fields differ in size.
    PathnameError
        If the target is no path on this machine, or a file of the recording.
    TargetExistsError
        If the target exists.
    """
    sizes = {(field.height, field.width) for field in scan.fields}
    if len(sizes) > 1:
        sizes_in_words = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise FieldDimensionMismatch(
            f"fields differ in size ({sizes_in_words} pixels): write them one by one (--per-field)"
        )
    shape = (scan.num_fields, *sizes.pop(), scan.num_channels, scan.num_frames)
    header = {"descr": np.lib.format.dtype_to_descr(scan.dtype), "fortran_order": False, "shape": shape}
    read_block = lambda key: in_c_order(scan[key])  # noqa: E731
    with atomic_path(path, NPY, sources=scan.filenames, overwrite=overwrite) as partial_path:
        with partial_path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
        with partial_path.open("ab") as file, flushed_early(partial_path) as count_bytes:
            for block in in_order(read_block, blocks(shape, scan.dtype.itemsize), READERS):
                file.write(block.data)
                count_bytes(block.nbytes)
                if progress is not None:
                    progress(block.nbytes)


def blocks(shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[int, slice, slice]]:
    """Parts of fields with all frames, of about 64 MiB, in the order of numpy's files."""
    fields, height, width, channels, frames = shape
    pixel = channels * frames * itemsize
    rows = frames_at_a_time(width * pixel)
    columns = width if rows > 1 or width * pixel <= MOST else frames_at_a_time(pixel)
    for field in range(fields):
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                yield field, slice(y, min(height, y + rows)), slice(x, min(width, x + columns))
