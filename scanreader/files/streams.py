"""A file as Python's streams are read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile


class Stream(io.RawIOBase):
    """An open file, as libraries read one that the system does not know."""

    def __init__(self, file: OpenFile) -> None:
        self._file, self._at = file, 0
        self.name = file.path

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Return the place of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the place of the next read."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read at the place and move it on."""
        view = memoryview(buffer).cast("B")
        size = max(0, min(len(view), self._file.size - self._at))
        if size:
            self._file.read_into(self._at, [view[:size]])
            self._at += size
        return size
