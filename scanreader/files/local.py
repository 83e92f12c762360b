"""Bytes of a local file."""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import os
import stat
import time
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from scanreader.errors import DamagedPageError, PathnameError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

TEMPORARY = (errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT, errno.ECONNRESET)
REMOTE_RETRIES = (0.2, 1.0, 3.0)  # seconds to wait before each new attempt at a request that failed
RETRIES = (0.01, 0.1, 0.5)  # seconds to wait before each new attempt at a read that failed
READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)  # O_BINARY exists on Windows only
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # else to open a pipe waits for a program that writes to it

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

Bytes: TypeAlias = npt.NDArray[np.uint8]

Identity: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and modification time: differ if another file takes the same name."""


class OpenFile:
    """An open file; local files are opened and read nowhere else.

    Reads that fail as they do on a slow network are tried again a few times, with the file reopened.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    """

    small_gap = 16 << 10  # bytes: smaller gaps are read and discarded, not skipped; 0 to 64 KiB made no difference
    gap_room = 4 << 20  # bytes of memory for what lies between pages
    ctime_ns = 0
    """When the file or its name was last changed, in ns, which no program can set; 0 if unknown."""
    has_version = True
    """Whether a change shows in more than the file's size."""
    has_strong_version = True
    """Whether every change shows: local files have an inode and a time of change that no program can set."""
    parsed_ifds: dict[int, Any] | None = None
    """IFDs that were parsed, by their bytes in the file, while it is kept open; None if it is not."""
    gathers = False
    """Whether many small reads are faster together, by `gather`."""

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        try:
            self._file = _open(self.path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PathnameError(f"{self.path!r} cannot be opened: {reason}") from error
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._file)
            raise _not_a_file(self.path, status.st_mode)
        self.size, self.mtime_ns, self.ctime_ns = status.st_size, status.st_mtime_ns, status.st_ctime_ns
        self.identity: Identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        self._users, self._kept_start = 1, b""

    def share(self) -> Self:
        """Give the open file to another user; it is closed after the last."""
        self._users += 1
        return self

    def keep_start(self, size: int) -> None:
        """Read the start of the file at once, for the many small reads that opening a recording takes."""
        self._kept_start = self.read(0, size)
        self.parsed_ifds = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._users -= 1
        if not self._users:
            os.close(self._file)

    def read(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes from `offset`: fewer at the end of the file, none outside it."""
        size = min(size, self.size - offset)
        if size <= 0 or offset < 0:
            return b""
        if offset + size <= len(self._kept_start):
            return self._kept_start[offset : offset + size]
        data = bytearray(size)
        self.read_into(offset, [memoryview(data)])
        return bytes(data)

    def gather(self, offsets: Sequence[int], size: int, *, is_sparse: bool = False) -> list[bytes]:  # noqa: ARG002 - remote
        """Read `size` bytes at each offset; with `is_sparse`, nothing near them will be needed soon."""
        return [self.read(offset, size) for offset in offsets]

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers, one after the other, with the bytes from `offset` on.

        Raises
        ------
        DamagedPageError
            If the file ends before they are full.
        """
        buffers_left = list(buffers)
        while buffers_left:
            count = self._read_with_retries(offset, buffers_left)
            if count <= 0:
                raise DamagedPageError(f"{self.path!r} ends at byte {offset}, where more bytes were expected")
            offset += count
            while buffers_left and count >= len(buffers_left[0]):
                count -= len(buffers_left.pop(0))
            if buffers_left:
                buffers_left[0] = buffers_left[0][count:]

    def _read_with_retries(self, offset: int, buffers: list[memoryview]) -> int:
        for retries_left in attempts(RETRIES):
            if retries_left < len(RETRIES):
                self._reopen()
            try:
                return _read_once(self._file, offset, buffers)
            except OSError as error:
                if not retries_left or error.errno not in TEMPORARY:
                    tries = f" ({len(RETRIES) + 1} tries)" if error.errno in TEMPORARY else ""
                    reason = error.strerror or error
                    raise DamagedPageError(f"{self.path!r} cannot be read at byte {offset}: {reason}{tries}") from error
        raise AssertionError

    def _reopen(self) -> None:
        """Reopen the file if it is unchanged: a handle on a network drive may be stale."""
        try:
            new_file = _open(self.path)
        except OSError:
            return
        status = os.fstat(new_file)
        if (status.st_ino, status.st_size, status.st_mtime_ns) == self.identity[1:]:  # else perhaps another recording
            self._file, new_file = new_file, self._file
        os.close(new_file)

    def prefetch(self, offset: int, size: int) -> None:
        """Tell the operating system which bytes will be read soon.

        A cold disk then delivers them to several threads in 0.6 of the time; with a warm cache it has no effect.
        """
        with contextlib.suppress(AttributeError, OSError):  # optional, and missing on some systems
            os.posix_fadvise(self._file, offset, size, os.POSIX_FADV_WILLNEED)

    def map(self) -> Bytes | None:
        """Map the whole file into memory; None where the file system has no memory maps.

        Only for a few bytes: an error that a read would raise kills the process if it happens in a map.
        """
        try:
            data = np.frombuffer(mmap.mmap(self._file, 0, access=mmap.ACCESS_READ), np.uint8)
        except (OSError, ValueError):
            return None
        return data if len(data) == self.size else None  # truncated just now: reads will report it


def refuse_other_than_file(path: str | Path) -> None:
    """Check that a path is not that of a folder, a pipe or a device: to open some devices changes their state.

    Raises
    ------
    PathnameError
        If it is.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a Path takes 3 us more
    except (OSError, ValueError):
        return  # to open it will say why
    if not stat.S_ISREG(mode):
        raise _not_a_file(os.fspath(path), mode)


def _open(path: str) -> int:
    """Open a file for reading, without waiting if it is a pipe."""
    try:
        return os.open(path, READ_ONLY | NO_WAIT)
    except BlockingIOError:  # a regular file that a file server has lent to a client
        refuse_other_than_file(path)
        return os.open(path, READ_ONLY)


def _not_a_file(path: str, mode: int) -> PathnameError:
    kind = next((kind for is_kind, kind in KINDS if is_kind(mode)), "something else")
    return PathnameError(f"{path!r} is {kind}, not a file: give the path of a TIFF file")


def attempts(pauses: Sequence[float]) -> Iterator[int]:
    """Pause, in s, before each attempt but the first; yields how many attempts are left after this one."""
    yield len(pauses)
    for i, pause in enumerate(pauses, 1):
        time.sleep(pause)
        yield len(pauses) - i


def _read_once(file: int, offset: int, buffers: list[memoryview]) -> int:
    """Read at `offset` into the first buffers; returns the number of bytes read."""
    if hasattr(os, "preadv"):
        return os.preadv(file, buffers, offset)
    with io.FileIO(file, closefd=False) as stream:  # Windows
        stream.seek(offset)
        return int(stream.readinto(buffers[0]) or 0)
