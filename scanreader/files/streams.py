"""An open file as a Python stream."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile


class Stream(io.RawIOBase):
    """An open file as a stream, for libraries that can read only streams."""

    def __init__(self, file: OpenFile) -> None:
        self._file, self._position = file, 0
        self.name = file.path

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position of the next read."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read at the position and advance it."""
        view = memoryview(buffer).cast("B")
        size = max(0, min(len(view), self._file.size - self._position))
        if size:
            self._file.read_into(self._position, [view[:size]])
            self._position += size
        return size
