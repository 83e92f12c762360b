"""Bytes of a file of this machine: the one place that opens and reads."""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import os
import stat
import time
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from scanreader.errors import DamagedPageError, PathnameError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

PASSING = (errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT, errno.ECONNRESET)
RETRIES = (0.01, 0.1, 0.5)  # seconds to wait before a read that failed is tried again
READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)  # the latter is Windows'

Bytes: TypeAlias = npt.NDArray[np.uint8]

Identity: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and time of change of a file: another file of its name has another."""


class OpenFile:
    """An open file: the one place that opens and reads.

    Reads that fail as a slow network's do are tried again, a few times, with the file opened anew.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    """

    small_gap = 16 << 10  # bytes that are read and thrown away sooner than left out; 0 to 64 KiB made no difference
    aside = 4 << 20  # bytes that are held of what lies between pages
    marked = True
    """Whether a change is known by more than the file's size."""
    gathers = False
    """Whether many small reads are better asked for at once, by `gather`."""

    def __init__(self, path: str | Path) -> None:
        try:
            self._file = os.open(path, READ_ONLY)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PathnameError(f"{os.fspath(path)!r} cannot be opened: {reason}") from error
        self.path = os.fspath(path)
        status = os.fstat(self._file)
        if stat.S_ISDIR(status.st_mode):
            os.close(self._file)
            raise PathnameError(f"{self.path!r} is a folder, not a file")
        self.size, self.mtime_ns = status.st_size, status.st_mtime_ns
        self.identity: Identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`: fewer at the end of the file, none outside of it."""
        size = min(size, self.size - offset)
        if size <= 0 or offset < 0:
            return b""
        data = bytearray(size)
        self.read_into(offset, [memoryview(data)])
        return bytes(data)

    def gather(self, offsets: Sequence[int], size: int) -> list[bytes]:
        """Read as many bytes at each of some places."""
        return [self.read(offset, size) for offset in offsets]

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers, one behind the other, with the bytes from `offset` on.

        Raises
        ------
        DamagedPageError
            If the file ends before they are full.
        """
        pending = list(buffers)
        while pending:
            got = self._read_patiently(offset, pending)
            if got <= 0:
                raise DamagedPageError(f"{self.path!r} ends at byte {offset}, where more bytes were expected")
            offset += got
            while pending and got >= len(pending[0]):
                got -= len(pending.pop(0))
            if pending:
                pending[0] = pending[0][got:]

    def _read_patiently(self, offset: int, buffers: list[memoryview]) -> int:
        for pause in (*RETRIES, None):
            try:
                return _read_some(self._file, offset, buffers)
            except OSError as error:
                if pause is None or error.errno not in PASSING:
                    tries = f" ({len(RETRIES) + 1} tries)" if error.errno in PASSING else ""
                    reason = error.strerror or error
                    raise DamagedPageError(f"{self.path!r} cannot be read at byte {offset}: {reason}{tries}") from error
                time.sleep(pause)
                self._open_again()
        raise AssertionError

    def _open_again(self) -> None:
        """Open the file anew, if it is there and the same: a network's handle may have gone stale."""
        try:
            again = os.open(self.path, READ_ONLY)
        except OSError:
            return
        status = os.fstat(again)
        if (status.st_size, status.st_mtime_ns) == self.identity[2:]:
            self._file, again = again, self._file
        os.close(again)

    def announce(self, offset: int, size: int) -> None:
        """Say that bytes will be read soon, where the system cares.

        A cold disk then delivers them to several threads in 0.6 of the time; a warm cache takes no notice.
        """
        with contextlib.suppress(AttributeError, OSError):  # it is not on every system, and never needed
            os.posix_fadvise(self._file, offset, size, os.POSIX_FADV_WILLNEED)

    def map(self) -> Bytes | None:
        """The whole file as bytes, read as they are touched; None where the file system has no maps.

        Only for few bytes: where a read fails with an error, a map kills the process.
        """
        try:
            data = np.frombuffer(mmap.mmap(self._file, 0, access=mmap.ACCESS_READ), np.uint8)
        except (OSError, ValueError):
            return None
        return data if len(data) == self.size else None  # it was cut this moment: bulk reads say so


def _read_some(file: int, offset: int, buffers: list[memoryview]) -> int:
    """Read at `offset` into the first of some buffers; returns how many bytes came."""
    if hasattr(os, "preadv"):
        return os.preadv(file, buffers, offset)
    with io.FileIO(file, closefd=False) as stream:  # Windows
        stream.seek(offset)
        return int(stream.readinto(buffers[0]) or 0)
