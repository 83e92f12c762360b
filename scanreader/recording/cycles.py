"""Cycles of a line scan: samples in files that are joined, read on demand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.chunks import frames_at_a_time
from scanreader.errors import ChangedFileError
from scanreader.files.opening import open_file
from scanreader.keys import as_array, as_range, pick, split_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from numpy.typing import DTypeLike

MOST = 64 << 20  # bytes that are read at once


class DataFile(NamedTuple):
    """A file of samples, and how it was when it was found."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, eq=False)
class Cycles:
    """An array of shape (cycles, samples, columns), indexed like a numpy array and read on demand.

    Attributes
    ----------
    files : tuple of DataFile
        In order; a cycle may begin in one and end in the next.
    dtype : dtype
    shape : (int, int, int)
        Cycles, samples in each, columns: channels, or axes of the mirrors.
    """

    files: tuple[DataFile, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]

    @property
    def ndim(self) -> int:
        """Number of axes: 3."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in memory, in bytes."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("cycles become an array by reading them, which cannot be done without a copy")
        samples = self[:]
        return samples if dtype is None else samples.astype(dtype)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a part, as `Scan` does: lists and masks select along their own axis only.

        Raises
        ------
        ScanIndexError
            If an index is out of bounds.
        ChangedFileError
            If a file changed after the line scan was opened.
        """
        axes = ("cycle", "sample", "channel")
        entries = split_key(key, axes, "a line scan")
        picks = [
            pick(entry, size, axis, "the line scan")
            for entry, size, axis in zip(entries, self.shape, axes, strict=True)
        ]
        cycles, samples, columns = (as_array(axis_pick.indices) for axis_pick in picks)
        first, last = (int(samples.min()), int(samples.max()) + 1) if samples.size else (0, 0)
        part = self._read(cycles, first, last)[:, samples - first][:, :, columns]
        drop_key = tuple(0 if axis_pick.drops else slice(None) for axis_pick in picks)
        return np.asarray(part[drop_key])[()]

    def __repr__(self) -> str:
        return f"<Cycles of shape {self.shape}, {self.dtype.name}>"

    def _read(self, cycles: npt.NDArray[np.int64], first: int, last: int) -> npt.NDArray[Any]:
        """Read samples from `first` to `last` of some cycles."""
        _, samples, columns = self.shape
        row = columns * self.dtype.itemsize
        result = np.empty((len(cycles), last - first, columns), self.dtype.newbyteorder("="))
        if not result.size:
            return result
        is_whole = last - first == samples
        run = as_range(cycles)
        is_run = is_whole and isinstance(run, range) and run.step == 1
        step = frames_at_a_time(samples * row, MOST) if is_run else 1
        for start in range(0, len(cycles), step):
            part = result[start : start + step]
            at = (int(cycles[start]) * samples + first) * row
            part[:] = np.frombuffer(self._bytes(at, len(part) * (last - first) * row), self.dtype).reshape(part.shape)
        return result

    def _bytes(self, offset: int, size: int) -> bytes:
        """Bytes of the files as if they were one."""
        parts = []
        for file in self.files:
            if offset < file.size and size > 0:
                count = min(size, file.size - offset)
                parts.append(_read_file(file, offset, count))
                offset, size = offset + count, size - count
            offset -= file.size
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_file(file: DataFile, offset: int, size: int) -> bytes:
    """Read a part of a file.

    Raises
    ------
    ChangedFileError
        If it is not as it was when it was found.
    """
    with open_file(file.path) as open_data_file:
        _, _, size_now, mtime_ns = open_data_file.identity
        data = open_data_file.read(offset, size)
    if (size_now, mtime_ns) != (file.size, file.mtime_ns) or len(data) != size:
        raise ChangedFileError(f"{file.path!r} changed after the line scan was opened: open it again")
    return bytes(data)
