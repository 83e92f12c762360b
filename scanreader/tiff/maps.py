"""Memory maps of files, of which a process keeps a few."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from scanreader.files.local import Bytes, Identity, OpenFile

MOST_MAPS = 32  # that all scans together keep: a process may have 256 files open

_MAPPED: WeakValueDictionary[Identity, Bytes] = WeakValueDictionary()


class KeptMaps:
    """Memory maps that a scan keeps: the next thin read of the same file is spared the page faults."""

    def __init__(self) -> None:
        self._maps: dict[Identity, Bytes] | None = {}

    def map(self, file: OpenFile, *, keep: bool) -> Bytes | None:
        """Map a file whose size was checked just before; kept, if asked, unless the process has many maps."""
        maps = self._maps
        if maps is None:
            return file.map()
        data = maps.get(file.identity)
        if data is None:
            data = _MAPPED.get(file.identity)
            data = file.map() if data is None else data
            if data is not None and keep and len(_MAPPED) < MOST_MAPS:
                _MAPPED[file.identity] = maps[file.identity] = data
        return data

    def release(self) -> None:
        """Release the maps, and keep none from now on; a read in progress releases its own when done."""
        self._maps = None
