"""Scans as numpy's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scanreader.bridges.targets import steps, written
from scanreader.errors import FieldDimensionMismatch

if TYPE_CHECKING:
    import os

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress


def to_npy(
    scan: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write the array of a scan whose fields are of one size, some frames at a time.

    Raises
    ------
    FieldDimensionMismatch
        If fields differ in size.
    TargetExistsError
        If there is something of that name.
    """
    sizes = {(field.height, field.width) for field in scan.fields}
    if len(sizes) > 1:
        raise FieldDimensionMismatch(f"fields differ in size ({sorted(sizes)}): write them one by one (--per-field)")
    shape = (scan.num_fields, *sizes.pop(), scan.num_channels, scan.num_frames)
    with written(path, overwrite=overwrite) as partial:
        out = np.lib.format.open_memmap(partial, "w+", scan.dtype, shape)
        for field in range(scan.num_fields):
            for frames in steps(scan, field):
                part = scan[field, :, :, :, frames]
                out[field, :, :, :, frames] = part
                if progress is not None:
                    progress(part.nbytes)
        out.flush()
        del out
