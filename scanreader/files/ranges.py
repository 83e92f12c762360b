"""Requests for ranges of a file behind an HTTP URL, by urllib3; every reply is checked."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import urllib3

from scanreader.errors import ChangedFileError, PathnameError, ScanReaderError, UnreachableError
from scanreader.files import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HEAD = 256 << 10  # bytes at the start of a file that are requested first: they hold the header
CONNECTIONS = 32  # to a server
CONNECT, STALL = 10.0, 30.0  # seconds to wait for a connection, and for the next bytes
PATIENCE, LEAST_RATE = 20.0, 10_000  # a request that takes longer must bring so many bytes a second
CHUNK = 1 << 20  # bytes read from a connection at a time
REDIRECTS = 5
REDIRECTED = (301, 302, 303, 307, 308)
GONE = (401, 403, 404, 410)
AGAIN = (408, 425, 429)
CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")


@dataclass(frozen=True)
class Version:
    """What tells a version of a file from others."""

    size: int
    etag: str
    """A strong ETag; '' if the server gives none."""
    last_modified: str
    """The reply's Last-Modified; '' if there is none."""

    @property
    def number(self) -> int:
        """A number that differs between versions; 0 if the server reports only the size."""
        return zlib.crc32(repr((self.etag, self.last_modified)).encode()) | 1 if self.etag or self.last_modified else 0


class _RequestError(Exception):
    """A request failed, which another attempt may mend."""


@lru_cache(maxsize=2)
def _manager(_: int) -> urllib3.PoolManager:
    """Connections of this process."""
    return urllib3.PoolManager(
        num_pools=8, maxsize=CONNECTIONS, retries=False, timeout=urllib3.Timeout(connect=CONNECT, read=STALL)
    )


class Target:
    """Where a URL leads to: a server may redirect it, e.g. an archive to its bucket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._original_url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        self._redirect_url = ""
        self.has_grown = False
        """Whether the file is longer than it was: ScanImage still writes to it."""
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "scanreader"}
        self._own_headers: dict[str, str] = {}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._own_headers = urllib3.make_headers(basic_auth=login)

    def first(self) -> tuple[Version, bytes]:
        """Request the start of the file: its version, and up to `HEAD` bytes.

        Raises
        ------
        PathnameError
            If there is no such file, or the server does not answer range requests.
        UnreachableError
            If the server does not answer.
        """
        version_and_head: tuple[Version, bytes] = self._tried("cannot be opened", self._first, threading.Event())
        return version_and_head

    def fill(self, start: int, buffers: Sequence[memoryview], version: Version, has_failed: threading.Event) -> None:
        """Fill buffers with the bytes from `start` on of a version of the file.

        `has_failed` is of several requests: after one failed for good, the others are not tried again.

        Raises
        ------
        ChangedFileError
            If the server has another version now, or none.
        UnreachableError
            If they do not arrive.
        """
        self._tried(f"cannot be read at byte {start}", lambda: self._fill(start, buffers, version), has_failed)

    def page(self, max_size: int) -> tuple[bytes, str]:
        """Request a whole page of at most so many bytes, and give it, and its URL after redirects.

        Raises
        ------
        PathnameError
            If there is none, or it is longer.
        UnreachableError
            If the server does not answer.
        """
        page_and_url: tuple[bytes, str] = self._tried(
            "cannot be listed", lambda: self._page(max_size), threading.Event()
        )
        return page_and_url

    def _page(self, max_size: int) -> tuple[bytes, str]:
        with self._reply({}) as reply:
            if reply.status != 200:
                if reply.status >= 500 or reply.status in AGAIN:
                    raise _RequestError(f"the server answers {reply.status} {reply.reason}")
                raise PathnameError(f"{self.url!r} cannot be listed: the server answers {reply.status} {reply.reason}")
            kind = reply.headers.get("Content-Type", "text/html")
            if not kind.startswith("text/"):  # a file, which may be large
                raise PathnameError(f"{self.url!r} cannot be listed: it is no page, but {kind[:40]}")
            data, start = bytearray(), time.monotonic()
            while part := reply.read1(CHUNK):
                data += part
                seconds = time.monotonic() - start
                if len(data) > max_size or (seconds > PATIENCE and len(data) < LEAST_RATE * seconds):
                    raise PathnameError(f"{self.url!r} cannot be listed: the page is too long, or comes too slowly")
            return bytes(data), self._redirect_url or self._original_url

    def _tried(self, problem: str, request: Callable[[], Any], has_failed: threading.Event) -> Any:
        for retries_left in local.attempts(local.REMOTE_RETRIES):
            try:
                return request()
            except _RequestError as error:
                reason = str(error)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if isinstance(error, ScanReaderError):
                    raise
                reason = f"{type(error).__name__}: {error}"
            if not retries_left or has_failed.is_set():
                has_failed.set()
                raise UnreachableError(f"{self.url!r} {problem}: {reason} ({len(local.REMOTE_RETRIES) + 1} tries)")
        raise AssertionError

    def _first(self) -> tuple[Version, bytes]:
        with self._reply({"Range": f"bytes=0-{HEAD - 1}"}) as reply:
            status, headers = reply.status, reply.headers
            if status == 416 and headers.get("Content-Range") == "bytes */0":
                return _version(0, headers), b""
            if status in GONE:
                raise PathnameError(f"{self.url!r} cannot be opened: the server answers {status} {reply.reason}")
            if status == 200:
                size = _length(headers)
                if size is None or size > HEAD:
                    raise PathnameError(
                        f"{self.url!r} cannot be opened: the server sends only complete files (it does not answer "
                        "range requests); copy the file, or use another server"
                    )
                return _version(size, headers), self._head(reply, size)
            self._refuse_status(reply)
            start, end, size = _content_range(headers)
            if size is None:
                raise PathnameError(f"{self.url!r} cannot be opened: the server does not say how large it is")
            if (start, end) != (0, min(HEAD, size)):
                raise _RequestError(f"the server sent bytes {start} to {end} instead of 0 to {min(HEAD, size)}")
            return _version(size, headers), self._head(reply, end)

    def _fill(self, start: int, buffers: Sequence[memoryview], version: Version) -> None:
        end = start + sum(map(len, buffers))
        condition = {"If-Match": version.etag} if version.etag and not self.has_grown else {}
        with self._reply({"Range": f"bytes={start}-{end - 1}", **condition}) as reply:
            if reply.status == 412 and condition:  # another version: perhaps this one, with more at its end
                reply.close()
                self.has_grown = True
                self._fill(start, buffers, version)
                return
            if reply.status in (404, 410, 412, 416):
                answer = f"the server answers {reply.status} {reply.reason}"
                raise ChangedFileError(f"{self.url!r} changed after it was opened ({answer}): open the recording again")
            if reply.status == 200 and _length(reply.headers) == version.size <= HEAD:  # a small file, whole
                self._check_version(version, _version(version.size, reply.headers))
                head = memoryview(self._head(reply, version.size))
                for buffer in buffers:
                    buffer[:] = head[start : start + len(buffer)]
                    start += len(buffer)
                return
            self._refuse_status(reply)
            first, last, size = _content_range(reply.headers)
            self._check_version(version, _version(version.size if size is None else size, reply.headers))
            if (first, last) != (start, end):
                raise _RequestError(f"the server sent bytes {first} to {last} instead of {start} to {end}")
            self._body(reply, buffers)

    def _check_version(self, expected: Version, version: Version) -> None:
        """Compare versions: by their ETags if both are strong, else by size and time; the file may have grown.

        Raises
        ------
        ChangedFileError
            If they differ.
        """
        if version.size > expected.size:
            self.has_grown = True
            return
        has_etags = bool(expected.etag and version.etag)
        times = (expected.last_modified, version.last_modified)
        is_same = expected.etag == version.etag if has_etags else times[0] == times[1] or not all(times)
        if expected.size != version.size or not is_same:
            raise ChangedFileError(
                f"{self.url!r} changed after it was opened: the server reports another version of it; open the "
                "recording again"
            )

    def _refuse_status(self, reply: Any) -> None:
        """Accept parts of a file only."""
        status = reply.status
        if status == 206:
            encoding = reply.headers.get("Content-Encoding", "identity")
            if encoding != "identity":
                raise PathnameError(f"{self.url!r} cannot be read: the server compresses it ({encoding[:40]})")
            return
        if status >= 500 or status in AGAIN or status in GONE or status == 200:
            raise _RequestError(f"the server answers {status} {reply.reason}")
        raise PathnameError(f"{self.url!r} cannot be read: the server answers {status} {reply.reason}")

    @contextlib.contextmanager
    def _reply(self, headers: dict[str, str]) -> Iterator[Any]:
        """Send a request, follow redirects, and close the connection unless the body was read to its end."""
        reply = self._send(headers)
        try:
            yield reply
        finally:
            reply.close() if not getattr(reply, "is_read", False) else reply.release_conn()

    def _send(self, headers: dict[str, str]) -> Any:
        """Send a request, and follow redirects: to HTTP alone, from HTTPS never to plain HTTP.

        Raises
        ------
        PathnameError
            If the server redirects to something else, or too often.
        """
        url = self._redirect_url or self._original_url
        for _ in range(REDIRECTS + 1):
            own_headers = self._own_headers if urlsplit(url).netloc == urlsplit(self._original_url).netloc else {}
            reply = _manager(os.getpid()).request(
                "GET",
                url,
                headers={**self._headers, **own_headers, **headers},
                preload_content=False,
                decode_content=False,
                redirect=False,
            )
            if reply.status in GONE and url == self._redirect_url:  # e.g. a signature that has expired
                reply.close()
                self._redirect_url, url = "", self._original_url
                continue
            location = reply.headers.get("Location")
            if reply.status not in REDIRECTED or not location:
                self._redirect_url = url if url != self._original_url else ""
                return reply
            reply.close()
            next_url = urljoin(url, location)
            schemes = urlsplit(url).scheme.lower(), urlsplit(next_url).scheme.lower()
            if schemes[1] not in ("http", "https") or schemes == ("https", "http"):
                raise PathnameError(f"{self.url!r} cannot be opened: the server redirects to {next_url[:200]!r}")
            url = next_url
        raise PathnameError(f"{self.url!r} cannot be opened: the server redirects more than {REDIRECTS} times")

    def _head(self, reply: Any, size: int) -> bytes:
        data = bytearray(size)
        self._body(reply, [memoryview(data)])
        return bytes(data)

    def _body(self, reply: Any, buffers: Sequence[memoryview]) -> None:
        """Fill buffers with the body, which must be as long as they are; no more is read.

        Raises
        ------
        _RequestError
            If the body is shorter or longer, or comes too slowly.
        """
        count = sum(map(len, buffers))
        length = _length(reply.headers)
        if length is not None and length != count:
            raise _RequestError(f"received {length} of {count} bytes")
        bytes_received, start = 0, time.monotonic()
        for buffer in buffers:
            bytes_filled = 0
            while bytes_filled < len(buffer):
                part = reply.read1(min(CHUNK, len(buffer) - bytes_filled))
                if not part:
                    raise _RequestError(f"received {bytes_received} of {count} bytes")
                buffer[bytes_filled : bytes_filled + len(part)] = part
                bytes_filled += len(part)
                bytes_received += len(part)
                seconds = time.monotonic() - start
                if seconds > PATIENCE and bytes_received < min(count, LEAST_RATE * seconds):
                    raise _RequestError(f"only {bytes_received} of {count} bytes came in {seconds:.0f} s")
        reply.is_read = length is not None


def _version(size: int, headers: Any) -> Version:
    etag = headers.get("ETag", "").strip()
    return Version(size, etag if etag.startswith('"') else "", headers.get("Last-Modified", "").strip())


def _length(headers: Any) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _content_range(headers: Any) -> tuple[int, int, int | None]:
    """First byte, the byte after the last, and the size of the file, which may be unknown."""
    match = CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None or match[1] is None:
        raise _RequestError("the server does not say which bytes it sent (Content-Range)")
    return int(match[1]), int(match[2]) + 1, None if match[3] == "*" else int(match[3])
