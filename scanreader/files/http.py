"""Bytes of a file behind an HTTP URL, requested side by side."""

from __future__ import annotations

import os
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import ChangedFileError
from scanreader.files import remote
from scanreader.files.ranges import CONNECTIONS, Target, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGE, LARGE_CONNECTIONS = 1 << 18, 16  # bytes of requests that fewer connections deliver as fast
MOST_BYTES = 64 << 20  # that a thread requests at a time


class _Identity(NamedTuple):
    """What is known of a file that was opened."""

    version: Version
    start: tuple[int, int]
    """Length and checksum of the start of the file."""


_identities: dict[str, _Identity] = {}


class HttpFile(remote.RemoteFile):
    """A file behind an HTTP URL.

    The first request brings the start of the file, its size and version. Every later one asks for that version, and its
    reply is compared with it: no read mixes two versions.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    UnreachableError
        If the server does not answer.
    """

    def __init__(self, url: str, *, refresh: bool = True) -> None:
        self.path = url
        self._target = Target(url)
        identity, head = _identities.get(url), b""
        if refresh or identity is None:
            version, head = self._target.first()
            identity = _identities[url] = _Identity(version, (len(head), zlib.crc32(head)))
        self._version, self._start = identity
        self._set(self._version.size, self._version.number)
        self.has_strong_version = bool(self._version.etag)
        self._has_fetched = bool(head)
        for i in range(0, len(head), remote.BLOCK):
            self._own_blocks[i // remote.BLOCK] = head[i : i + remote.BLOCK]

    def _check_unchanged(self) -> None:
        """Keep the blocks in the cache; if the file grew, or has no version, check that it begins as before."""
        if self.has_version and not self._target.has_grown:
            self._keep_blocks()
        elif not self._has_same_start():
            raise ChangedFileError(f"{self.path!r} changed while it was read: open the recording again")

    def _has_same_start(self) -> bool:
        """Whether the file begins as it did when it was opened: it may have grown."""
        length, checksum = self._start
        (head,) = self._fetch([(0, length)]) if length else (b"",)
        return zlib.crc32(head) == checksum

    def _fetch(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return list(self._streamed(ranges))

    def _streamed(self, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Request ranges, many at a time, and give them in order."""
        for start, part in _split([end - start for start, end in ranges]):
            buffers = [bytearray(end - begin) for begin, end in ranges[start : start + part]]
            self._request(
                [(begin, [memoryview(data)]) for (begin, _), data in zip(ranges[start:], buffers, strict=False)]
            )
            yield from map(bytes, buffers)

    def _fill(self, offset: int, end: int, buffers: list[memoryview]) -> None:
        """Fill buffers with bytes `offset` to `end`, in several requests."""
        requests = []
        while offset < end:
            size = min(remote.REQUEST_BYTES, end - offset)
            requests.append((offset, _cut_off(buffers, size)))
            offset += size
        self._request(requests)

    def _request(self, requests: Sequence[tuple[int, list[memoryview]]]) -> None:
        """Fill the buffers of each request with the bytes from its offset on, side by side.

        Raises
        ------
        ChangedFileError, UnreachableError
            As `Target.fill`.
        """
        self._has_fetched = True
        has_failed = threading.Event()
        if len(requests) == 1:
            self._target.fill(*requests[0], self._version, has_failed)
            return
        is_large = max(len(buffer) for _, buffers in requests for buffer in buffers) >= LARGE
        pool = _threads(os.getpid(), LARGE_CONNECTIONS if is_large else CONNECTIONS)
        futures = [pool.submit(self._target.fill, *request, self._version, has_failed) for request in requests]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)  # none writes into the buffers any more


@lru_cache(maxsize=4)
def _threads(_: int, count: int) -> ThreadPoolExecutor:
    """Threads of this process."""
    return ThreadPoolExecutor(count, "scanreader-http")


def _split(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and number of the requests that are made at a time: as many as memory is for."""
    first, total = 0, 0
    for i, size in enumerate(sizes):
        if i > first and total + size > MOST_BYTES:
            yield first, i - first
            first, total = i, 0
        total += size
    if len(sizes) > first:
        yield first, len(sizes) - first


def _cut_off(buffers: list[memoryview], size: int) -> list[memoryview]:
    """Take buffers of so many bytes from the start of a list."""
    first_buffers = []
    while size:
        part = buffers[0][:size]
        first_buffers.append(part)
        size -= len(part)
        if len(part) == len(buffers[0]):
            buffers.pop(0)
        else:
            buffers[0] = buffers[0][len(part) :]
    return first_buffers
