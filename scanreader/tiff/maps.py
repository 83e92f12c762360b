"""Maps of files, of which a process keeps a few."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from scanreader.files.local import Bytes, Identity, OpenFile

MOST_MAPS = 32  # that all scans keep: a process may have 256 files open

_MAPPED: WeakValueDictionary[Identity, Bytes] = WeakValueDictionary()


class KeptMaps:
    """Maps of files that are kept: the next thin read of them does not pay for the page faults again."""

    def __init__(self) -> None:
        self._maps: dict[Identity, Bytes] | None = {}

    def map(self, file: OpenFile, *, keep: bool) -> Bytes | None:
        """The map of a file whose size was checked just before; kept if the process does not have many."""
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
        """Let go of them, and keep none from now on; a read that goes on drops its own at its end."""
        self._maps = None
