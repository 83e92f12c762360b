"""Bytes of a file behind a URL, read by fsspec in few and large requests."""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Self

from scanreader.errors import ChangedFileError, DamagedPageError, PathnameError, UnreachableError
from scanreader.files import local
from scanreader.files.local import OpenFile
from scanreader.files.servers import failures, file_system, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    Key = tuple[str, int, int, int]

FRESH = 5.0  # seconds for which the size and version of a file are not asked for again
BLOCK = 32 << 10  # bytes read for a small read: an IFD and its description take a few thousand
FEW = 8  # small reads for which whole blocks are read: others nearby often follow
HEAD_BLOCKS = 8  # blocks at the start of a file that are read together: they hold the header
MAX_BLOCKS = 2048  # kept by a process: 64 MiB
REQUEST_BYTES = 4 << 20  # of each request of a large read
PARALLEL_REQUESTS = 16  # of each thread
PARALLEL_BYTES = 32 << 20  # that each thread requests at a time
VERSION_KEYS = frozenset(  # what tells versions of a file apart, under all names that libraries use
    {"etag", "md5", "md5hash", "contentmd5", "crc", "crc32c", "sha", "generation", "versionid", "blobid", "ino"}
    | {"created", "modified", "updated", "lastmodified", "lastwritetime", "mtime", "modify", "modificationtime"}
    | {"datetime"}
)
FINAL = (401, 403, 404, 410)  # HTTP statuses after which no retry helps

_infos: dict[str, tuple[float, dict[str, Any]]] = {}
_block_cache: OrderedDict[Key, bytes] = OrderedDict()
_lock = threading.Lock()


class RemoteFile(OpenFile):
    """A file behind a URL.

    Small reads are cached in blocks; large reads are split into several parallel requests. Requests that fail,
    stall or return too few bytes are retried a few times. On closing, the server is asked whether the file is still
    the one that was opened, so that no read mixes two versions of it.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    """

    small_gap = 64 << 10  # like all numbers here, estimated: requests take tens of ms
    gap_room = 32 << 20
    gathers = True

    def __init__(self, url: str, *, refresh: bool = True) -> None:
        self.path = url
        self._fs, self._name = file_system(url)
        info = self._info(FRESH if not refresh else 0.0)
        size = info.get("size")
        if info.get("type") == "directory":
            raise PathnameError(f"{url!r} is a folder, not a file")
        if not isinstance(size, int):
            raise PathnameError(f"{url!r} cannot be opened: the server does not say how large it is")
        self._set(size, _version_of(info))

    def _set(self, size: int, version: int) -> None:
        """Set size and version, 0 if it is unknown."""
        self.size, self.mtime_ns = size, version
        self.has_version = self.has_strong_version = version != 0
        self.identity = (0, 0, size, version)
        self._own_blocks: OrderedDict[int, bytes] = OrderedDict()
        self._has_fetched = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_fetched and (kind is None or issubclass(kind, (DamagedPageError, ValueError))):
            self._check_unchanged()  # what looks damaged may be another version of the file

    def _check_unchanged(self) -> None:
        """Check that the file is still the one that was opened, and keep its blocks in the cache.

        Raises
        ------
        ChangedFileError
            If the file changed.
        """
        info = self._info(0.0)
        size = info.get("size") or 0
        is_same = (size, _version_of(info)) == (self.size, self.mtime_ns)
        has_grown = size > self.size
        if not (is_same and self.has_version) and not ((is_same or has_grown) and self._has_same_start()):
            raise ChangedFileError(f"{self.path!r} changed while it was read: open the recording again")
        if is_same and self.has_version:
            self._keep_blocks()

    def _keep_blocks(self) -> None:
        """Keep the blocks that were read in the cache."""
        with _lock:
            _block_cache.update((self._key(n), block) for n, block in self._own_blocks.items())
            while len(_block_cache) > MAX_BLOCKS:
                _block_cache.popitem(last=False)

    def _has_same_start(self) -> bool:
        """Whether the first blocks that were read are unchanged: the file may have grown."""
        numbers = {*self._own_blocks, *range(HEAD_BLOCKS)}
        blocks = {n: block for n in numbers if (block := self._cached(n)) is not None}
        first = sorted(blocks)[:HEAD_BLOCKS]
        new_blocks = self._fetch([(n * BLOCK, n * BLOCK + len(blocks[n])) for n in first])
        return bool(first) and new_blocks == [blocks[n] for n in first]

    def _info(self, max_age: float) -> dict[str, Any]:
        """What the server says about the file, at most so many seconds old."""
        fetch_time, info = _infos.get(self.path, (0.0, None))
        if info is not None and time.monotonic() - fetch_time < max_age:
            return info
        for retries_left in local.attempts(local.REMOTE_RETRIES):
            try:
                self._fs.invalidate_cache()
                info = dict(self._fs.info(self._name))
            except failures() as error:
                status = getattr(error.__cause__, "status", 404 if isinstance(error, FileNotFoundError) else 0)
                _infos.pop(self.path, None)
                if status in FINAL or isinstance(error, PermissionError):
                    raise PathnameError(f"{self.path!r} cannot be opened: {reason_of(error)}") from error
                if not retries_left:
                    tries = f"{len(local.REMOTE_RETRIES) + 1} tries"
                    raise UnreachableError(f"{self.path!r} cannot be opened: {reason_of(error)} ({tries})") from error
            else:
                break
        assert info is not None
        _infos[self.path] = (time.monotonic(), info)
        return info

    def read(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes from `offset`: fewer at the end of the file, none outside it."""
        size = min(size, self.size - offset)
        if size <= 0 or offset < 0:
            return b""
        (data,) = self.gather([offset], size)
        return data

    def gather(self, offsets: Sequence[int], size: int, *, is_sparse: bool = False) -> list[bytes]:
        """Read `size` bytes at each offset; neighbouring ones share requests.

        With `is_sparse`, nothing near them will be needed soon: no more is requested.
        """
        is_apart = is_sparse and len(offsets) >= FEW and abs(offsets[-1] - offsets[0]) >= 2 * BLOCK * len(offsets)
        if (size >= BLOCK or is_apart) and all(0 <= offset <= self.size - size for offset in offsets):
            ranges = [(offset, offset + size) for offset in offsets]
            return list(self._streamed(ranges))
        results: list[bytes] = []
        step = max(1, PARALLEL_BYTES // (size + 2 * BLOCK))
        for a in range(0, len(offsets), step):
            part = offsets[a : a + step]
            sizes = [max(0, min(size, self.size - offset)) if offset >= 0 else 0 for offset in part]
            numbers = {n for offset, length in zip(part, sizes, strict=True) for n in _block_numbers(offset, length)}
            if 0 in numbers and self._cached(0) is None:
                numbers.update(_block_numbers(0, min(HEAD_BLOCKS * BLOCK, self.size)))
            blocks = self._read_blocks(sorted(numbers))
            results += [_join(blocks, offset, length) for offset, length in zip(part, sizes, strict=True)]
        return results

    def _key(self, number: int) -> Key:
        return (self.path, self.size, self.mtime_ns, number)

    def _cached(self, number: int) -> bytes | None:
        """A block that this object has read, or that is cached of this version of the file."""
        if number in self._own_blocks:
            return self._own_blocks[number]
        key = self._key(number)
        with _lock:
            if self.has_version and key in _block_cache:
                _block_cache.move_to_end(key)
                return _block_cache[key]
        return None

    def _read_blocks(self, numbers: Sequence[int]) -> dict[int, bytes]:
        blocks = {n: block for n in numbers if (block := self._cached(n)) is not None}
        requested = set(numbers)
        ranges: list[tuple[int, int]] = []
        for n in numbers:
            if n in blocks:
                continue
            end = min((n + 1) * BLOCK, self.size)
            if ranges and n * BLOCK - ranges[-1][1] <= BLOCK and end - ranges[-1][0] <= REQUEST_BYTES:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((n * BLOCK, end))
        for (start, _), data in zip(ranges, self._streamed(ranges), strict=True):
            for i in range(0, len(data), BLOCK):
                number = (start + i) // BLOCK
                if number in requested:
                    blocks[number] = self._own_blocks[number] = data[i : i + BLOCK]
        while len(self._own_blocks) > MAX_BLOCKS:
            self._own_blocks.popitem(last=False)
        return blocks

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers, one after the other, with the bytes from `offset` on.

        Raises
        ------
        DamagedPageError
            If the file ends before they are full.
        UnreachableError
            If the server does not deliver them.
        """
        end = offset + sum(map(len, buffers))
        if end > self.size:
            raise DamagedPageError(f"{self.path!r} ends at byte {self.size}, where more bytes were expected")
        self._fill(offset, end, [part for part in buffers if len(part)])

    def _fill(self, offset: int, end: int, buffers: list[memoryview]) -> None:
        """Fill buffers with bytes `offset` to `end`, in several requests."""
        ranges = [(start, min(start + REQUEST_BYTES, end)) for start in range(offset, end, REQUEST_BYTES)]
        for data in self._streamed(ranges):
            _scatter(data, buffers)

    def _streamed(self, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Request ranges, some at a time, and give them in order."""
        for batch in _batches(ranges):
            yield from self._fetch(batch)

    def _fetch(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Request ranges of bytes, all at once; those that fail, a few times.

        Raises
        ------
        UnreachableError
            If one of them did not arrive.
        """
        self._has_fetched = True
        parts: dict[int, bytes] = {}
        for retries_left in local.attempts(local.REMOTE_RETRIES):
            indices_left = [i for i in range(len(ranges)) if i not in parts]
            starts, ends = [ranges[i][0] for i in indices_left], [ranges[i][1] for i in indices_left]
            answers = self._fs.cat_ranges([self._name] * len(indices_left), starts, ends, on_error="return")
            failure = ""
            for i, answer in zip(indices_left, answers, strict=True):
                start, end = ranges[i]
                if isinstance(answer, BaseException):
                    failure = failure or f"at byte {start}: {reason_of(answer)}"
                elif len(answer) != end - start:
                    failure = failure or f"at byte {start}: received {len(answer)} of {end - start} bytes"
                else:
                    parts[i] = bytes(answer)
            if not failure:
                return [parts[i] for i in range(len(ranges))]
            if not retries_left or any(isinstance(answer, FileNotFoundError) for answer in answers):
                break
        tries = "" if retries_left else f" ({len(local.REMOTE_RETRIES) + 1} tries)"
        raise UnreachableError(f"{self.path!r} cannot be read {failure}{tries}")

    def prefetch(self, offset: int, size: int) -> None:
        """Do nothing: requests are made when bytes are needed."""

    def map(self) -> None:
        """Return None: remote files have no memory maps."""
        return


def _batches(ranges: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    """Group ranges of bytes into batches small enough to be requested in parallel."""
    first, size = 0, 0
    for i, (start, end) in enumerate(ranges):
        if i > first and (size + end - start > PARALLEL_BYTES or i - first == PARALLEL_REQUESTS):
            yield ranges[first:i]
            first, size = i, 0
        size += end - start
    if len(ranges) > first:
        yield ranges[first:]


def _version_of(info: dict[str, Any]) -> int:
    """A number that differs between versions of a file; 0 if the server reports only the size."""
    values = {re.sub(r"[-_ ]", "", name).lower(): repr(value) for name, value in info.items() if value is not None}
    version = sorted((name, value) for name, value in values.items() if name in VERSION_KEYS)
    return zlib.crc32(repr(version).encode()) | 1 if version else 0


def _block_numbers(offset: int, size: int) -> range:
    """Numbers of the blocks that hold a range of bytes."""
    return range(offset // BLOCK, -(-(offset + size) // BLOCK)) if size else range(0)


def _join(blocks: dict[int, bytes], offset: int, size: int) -> bytes:
    data = b"".join(blocks[n] for n in _block_numbers(offset, size))
    start = offset % BLOCK
    return data[start : start + size]


def _scatter(data: bytes, buffers: list[memoryview]) -> None:
    """Copy bytes into buffers, one after the other; full buffers are removed from the list."""
    bytes_copied = 0
    while bytes_copied < len(data):
        count = min(len(data) - bytes_copied, len(buffers[0]))
        buffers[0][:count] = data[bytes_copied : bytes_copied + count]
        bytes_copied += count
        if count == len(buffers[0]):
            buffers.pop(0)
        else:
            buffers[0] = buffers[0][count:]
