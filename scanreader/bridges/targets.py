"""Files that are written whole or not at all, and frames on their way there."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from scanreader.bridges import frames_at_a_time
from scanreader.errors import TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scanreader.bridges import ScanLike

    Progress = Callable[[int], object]
    """Is told how many more bytes were written."""


@contextlib.contextmanager
def written(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a name beside the target to write to; it takes the target's place when all is written, else it is removed.

    Raises
    ------
    TargetExistsError
        If the target is there and is not to be overwritten.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise TargetExistsError(f"{str(target)!r} exists: give overwrite=True (--overwrite) to replace it")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
    try:
        yield partial
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        partial.replace(target)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def steps(scan: ScanLike, field: int) -> Iterator[slice]:
    """Frames of a field, as many at a time as take about 64 MiB."""
    shape = scan.fields[field]
    step = frames_at_a_time(shape.height * shape.width * scan.num_channels * scan.dtype.itemsize)
    for start in range(0, scan.num_frames, step):
        yield slice(start, min(scan.num_frames, start + step))
