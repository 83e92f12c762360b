"""Bytes of a file behind a URL: the same reads over fsspec, in few and large requests."""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from scanreader.errors import ChangedFileError, DamagedPageError, PathnameError, UnreachableError
from scanreader.files.local import OpenFile
from scanreader.files.servers import failures, file_system, is_http, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    Key = tuple[str, int, int, int]

RETRIES = (0.2, 1.0, 3.0)  # seconds to wait before a request that failed is sent again
FRESH = 5.0  # seconds for which a file is held to be what it was, without another request
BLOCK = 32 << 10  # bytes of a small read: an IFD and its description take a few thousand
AHEAD = 8  # blocks of a file's start that are read at once: the header is there
MOST_BLOCKS = 2048  # that a process keeps: 64 MiB
PIECE = 4 << 20  # bytes of a request of a large read
AT_ONCE = 16  # requests that are under way at once, of each thread
IN_FLIGHT = 32 << 20  # bytes that are
MARKS = frozenset(  # by which a file is known again, however libraries spell them
    {"etag", "md5", "md5hash", "contentmd5", "crc", "crc32c", "sha", "generation", "versionid", "blobid", "ino"}
    | {"created", "modified", "updated", "lastmodified", "lastwritetime", "mtime", "modify", "modificationtime"}
    | {"datetime"}
)
FINAL = (401, 403, 404, 410)  # what servers answer of a file that will not come

_seen: dict[str, tuple[float, dict[str, Any]]] = {}
_blocks: OrderedDict[Key, bytes] = OrderedDict()
_with_ranges: set[str] = set()  # servers that are known to give parts of files
_lock = threading.Lock()


class RemoteFile(OpenFile):
    """A file behind a URL.

    What is read in small pieces is kept for a while, in blocks; large reads go by several requests at once.
    Requests that fail, stall or give too little are sent again, a few times. When the file is closed, the server
    is asked whether it is still the one that was opened: what was read of it is of no other.

    Raises
    ------
    PathnameError
        If it cannot be opened.
    """

    small_gap = 64 << 10  # as all numbers here, chosen by reckoning: requests take tens of ms
    aside = 32 << 20
    gathers = True

    def __init__(self, url: str, *, anew: bool = True) -> None:
        self.path = url
        self._fs, self._name = file_system(url)
        info = self._info(FRESH if not anew else 0.0)
        size = info.get("size")
        if info.get("type") == "directory":
            raise PathnameError(f"{url!r} is a folder, not a file")
        if not isinstance(size, int):
            raise PathnameError(f"{url!r} cannot be opened: the server does not say how large it is")
        self.size, self.mtime_ns = size, _mark(info)
        self.marked = self.mtime_ns != 0
        self.identity = (0, 0, self.size, self.mtime_ns)
        self._own: OrderedDict[int, bytes] = OrderedDict()
        self._fetched = False
        if is_http(url) and size > BLOCK:
            self._see_ranges(info)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fetched and (kind is None or issubclass(kind, (DamagedPageError, ValueError))):
            self._confirm()  # what looks damaged may be of another file

    def _confirm(self) -> None:
        """See that the file is still the one that was opened, and keep what was read in small pieces.

        Raises
        ------
        ChangedFileError
            If it is not.
        """
        info = self._info(0.0)
        size = info.get("size") or 0
        same = (size, _mark(info)) == (self.size, self.mtime_ns)
        grown = size > self.size
        if not (same and self.marked) and not ((same or grown) and self._begins_alike()):
            raise ChangedFileError(f"{self.path!r} changed while it was read: open the recording again")
        if same and self.marked:
            with _lock:
                _blocks.update((self._key(n), block) for n, block in self._own.items())
                while len(_blocks) > MOST_BLOCKS:
                    _blocks.popitem(last=False)

    def _begins_alike(self) -> bool:
        """Whether the first of what was read is still there: the file may have grown."""
        known = {n: block for n in {*self._own, *range(AHEAD)} if (block := self._known(n)) is not None}
        first = sorted(known)[:AHEAD]
        now = self._fetch([(n * BLOCK, n * BLOCK + len(known[n])) for n in first])
        return bool(first) and now == [known[n] for n in first]

    def _info(self, age: float) -> dict[str, Any]:
        """What the server says of the file, not longer than so many seconds ago."""
        when, info = _seen.get(self.path, (0.0, None))
        if info is not None and time.monotonic() - when < age:
            return info
        for pause in (*RETRIES, None):
            try:
                self._fs.invalidate_cache()
                info = dict(self._fs.info(self._name))
            except failures() as error:
                status = getattr(error.__cause__, "status", 404 if isinstance(error, FileNotFoundError) else 0)
                _seen.pop(self.path, None)
                if status in FINAL or isinstance(error, PermissionError):
                    raise PathnameError(f"{self.path!r} cannot be opened: {reason_of(error)}") from error
                if pause is None:
                    tries = f"{len(RETRIES) + 1} tries"
                    raise UnreachableError(f"{self.path!r} cannot be opened: {reason_of(error)} ({tries})") from error
                time.sleep(pause)
            else:
                break
        assert info is not None
        _seen[self.path] = (time.monotonic(), info)
        return info

    def _see_ranges(self, info: dict[str, Any]) -> None:
        """See that the server gives parts of files: one that does not would send them whole, each time.

        Raises
        ------
        PathnameError
            If it does not.
        """
        host = urlsplit(self.path).netloc
        if info.get("partial") is not False and (host in _with_ranges or self._gives_parts()):
            _with_ranges.add(host)
            return
        raise PathnameError(
            f"{self.path!r} cannot be opened: the server gives files as a whole only (it does not answer range "
            "requests); copy the file, or use another server"
        )

    def _gives_parts(self) -> bool:
        why = "nothing came"
        for pause in (*RETRIES, None):
            try:
                with self._fs.open(self._name, size=self.size, cache_type="none") as file:
                    file.seek(1)
                    if file.read(1):
                        return True
            except ValueError:  # fsspec's answer
                return False
            except failures() as error:
                why = reason_of(error)
            if pause is not None:
                time.sleep(pause)
        raise UnreachableError(f"{self.path!r} cannot be opened: {why}")

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`: fewer at the end of the file, none outside of it."""
        size = min(size, self.size - offset)
        if size <= 0 or offset < 0:
            return b""
        (data,) = self.gather([offset], size)
        return data

    def gather(self, offsets: Sequence[int], size: int) -> list[bytes]:
        """Read as many bytes at each of some places; what lies close together is asked for at once."""
        if size >= BLOCK and all(0 <= offset <= self.size - size for offset in offsets):
            ranges = [(offset, offset + size) for offset in offsets]
            return [data for some in _batched(ranges) for data in self._fetch(some)]
        found: list[bytes] = []
        step = max(1, IN_FLIGHT // (size + 2 * BLOCK))
        for a in range(0, len(offsets), step):
            part = offsets[a : a + step]
            sizes = [max(0, min(size, self.size - offset)) if offset >= 0 else 0 for offset in part]
            wanted = {n for offset, length in zip(part, sizes, strict=True) for n in _touched(offset, length)}
            if 0 in wanted and self._known(0) is None:
                wanted.update(_touched(0, min(AHEAD * BLOCK, self.size)))
            blocks = self._take(sorted(wanted))
            found += [_cut(blocks, offset, length) for offset, length in zip(part, sizes, strict=True)]
        return found

    def _key(self, number: int) -> Key:
        return (self.path, self.size, self.mtime_ns, number)

    def _known(self, number: int) -> bytes | None:
        """A block that was read before: of this file as it is now, or by this very reader."""
        if number in self._own:
            return self._own[number]
        key = self._key(number)
        with _lock:
            if self.marked and key in _blocks:
                _blocks.move_to_end(key)
                return _blocks[key]
        return None

    def _take(self, numbers: Sequence[int]) -> dict[int, bytes]:
        found = {n: block for n in numbers if (block := self._known(n)) is not None}
        wanted = set(numbers)
        ranges: list[tuple[int, int]] = []
        for n in numbers:
            if n in found:
                continue
            end = min((n + 1) * BLOCK, self.size)
            if ranges and n * BLOCK - ranges[-1][1] <= BLOCK and end - ranges[-1][0] <= PIECE:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((n * BLOCK, end))
        for some in _batched(ranges):
            for (start, _), data in zip(some, self._fetch(some), strict=True):
                for i in range(0, len(data), BLOCK):
                    number = (start + i) // BLOCK
                    if number in wanted:
                        found[number] = self._own[number] = data[i : i + BLOCK]
        while len(self._own) > MOST_BLOCKS:
            self._own.popitem(last=False)
        return found

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers, one behind the other, with the bytes from `offset` on.

        Raises
        ------
        DamagedPageError
            If the file ends before they are full.
        UnreachableError
            If the server does not give them.
        """
        end = offset + sum(map(len, buffers))
        if end > self.size:
            raise DamagedPageError(f"{self.path!r} ends at byte {self.size}, where more bytes were expected")
        pending = [part for part in buffers if len(part)]
        for some in _batched([(start, min(start + PIECE, end)) for start in range(offset, end, PIECE)]):
            for data in self._fetch(some):
                _scatter(data, pending)

    def _fetch(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Ask for ranges of bytes, all at once; those that fail again, a few times.

        Raises
        ------
        UnreachableError
            If one of them did not come.
        """
        self._fetched = True
        found: dict[int, bytes] = {}
        for pause in (*RETRIES, None):
            todo = [i for i in range(len(ranges)) if i not in found]
            starts, ends = [ranges[i][0] for i in todo], [ranges[i][1] for i in todo]
            answers = self._fs.cat_ranges([self._name] * len(todo), starts, ends, on_error="return")
            why = ""
            for i, answer in zip(todo, answers, strict=True):
                start, end = ranges[i]
                if isinstance(answer, BaseException):
                    why = why or f"at byte {start}: {reason_of(answer)}"
                elif len(answer) != end - start:
                    why = why or f"at byte {start}: {len(answer)} bytes came of {end - start}"
                else:
                    found[i] = bytes(answer)
            if not why:
                return [found[i] for i in range(len(ranges))]
            if pause is None or any(isinstance(answer, FileNotFoundError) for answer in answers):
                break
            time.sleep(pause)
        tries = f" ({len(RETRIES) + 1} tries)" if pause is None else ""
        raise UnreachableError(f"{self.path!r} cannot be read {why}{tries}")

    def announce(self, offset: int, size: int) -> None:
        """Nothing: requests are made when bytes are needed."""

    def map(self) -> None:
        """There are no maps of what is elsewhere."""
        return


def _batched(ranges: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    """Ranges of bytes in groups that are not too large to be asked for at once."""
    first, size = 0, 0
    for i, (start, end) in enumerate(ranges):
        if i > first and (size + end - start > IN_FLIGHT or i - first == AT_ONCE):
            yield ranges[first:i]
            first, size = i, 0
        size += end - start
    if len(ranges) > first:
        yield ranges[first:]


def _mark(info: dict[str, Any]) -> int:
    """A number of what tells a file from what stood there before; 0 if the server says nothing but its size."""
    plain = {re.sub(r"[-_ ]", "", name).lower(): repr(value) for name, value in info.items() if value is not None}
    said = sorted((name, value) for name, value in plain.items() if name in MARKS)
    return zlib.crc32(repr(said).encode()) | 1 if said else 0


def _touched(offset: int, size: int) -> range:
    """Blocks that bytes stand in."""
    return range(offset // BLOCK, -(-(offset + size) // BLOCK)) if size else range(0)


def _cut(blocks: dict[int, bytes], offset: int, size: int) -> bytes:
    joined = b"".join(blocks[n] for n in _touched(offset, size))
    start = offset % BLOCK
    return joined[start : start + size]


def _scatter(data: bytes, pending: list[memoryview]) -> None:
    """Put bytes into buffers, one behind the other; those that are full are dropped from the list."""
    at = 0
    while at < len(data):
        take = min(len(data) - at, len(pending[0]))
        pending[0][:take] = data[at : at + take]
        at += take
        if take == len(pending[0]):
            pending.pop(0)
        else:
            pending[0] = pending[0][take:]
