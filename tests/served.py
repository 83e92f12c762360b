"""A server of files on this machine that answers range requests, counts them, and can be made to fail."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit


@dataclass
class Site:
    """What a server serves, and what it was asked."""

    url: str
    folder: Path
    requests: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Method, path, first byte and number of bytes of each request."""
    fault: Callable[[str, int, int], str] = lambda _path, _start, _number: ""
    """'500', 'stall', 'short', 'cut' or '', for path, first byte and the request's number."""
    fails: Callable[[str], bool] = lambda _path: False
    """Whether even what a file is cannot be asked."""
    ranges: bool = True
    marks: bool = True
    twist: Callable[[int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]] = lambda *reply: reply
    """Changes the status, headers and body of each reply to a range."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Where a path leads to."""
    pages: dict[str, bytes] = field(default_factory=dict)
    """Contents of pages that are no files."""
    drip: float = 0.0
    """Seconds between two bytes."""
    conditions: bool = True
    """Whether If-Match is obeyed."""
    request_headers: list[dict[str, str]] = field(default_factory=list)
    """Headers of each request."""
    escapes: bool = False
    """Whether links of listings are written as URLs are."""

    def swap(self, ahead: int, other_path: Path, path: Path) -> None:
        """Put another file in a file's place at a request that is to come."""
        number = len(self.requests) + ahead

        def swap_at_request(_path: str, _start: int, request_number: int) -> str:
            if request_number == number:
                other_path.replace(path)
            return ""

        self.fault = swap_at_request

    def count(self, method: str = "GET") -> int:
        """How many requests of a kind came."""
        return sum(request[0] == method for request in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        name = unquote(urlsplit(self.path).path)
        path = self.site.folder / name.lstrip("/")
        self.site.request_headers.append(dict(self.headers))
        if name in self.site.redirects:
            self._send(302, b"", {"Location": self.site.redirects[name]}, body=body)
            return
        if name in self.site.pages:
            self._send(200, self.site.pages[name], {"Content-Type": "text/html"}, body=body)
            return
        if path.is_dir():
            spell = quote if self.site.escapes else str
            links = "".join(f'<a href="{spell(entry.name)}">{entry.name}</a>' for entry in sorted(path.iterdir()))
            self._send(200, links.encode(), {"Content-Type": "text/html"}, body=body)
            return
        if not path.is_file():
            self._send(404, b"", {}, body=body)
            return
        size, start = path.stat().st_size, 0
        length, status = size, 200
        headers = {"ETag": f'"{path.stat().st_mtime_ns}-{size}"'} if self.site.marks else {}
        byte_range = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if byte_range and self.site.ranges:
            start, end = int(byte_range[1]), min(int(byte_range[2]) + 1, size)
            length, status = end - start, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        condition = self.headers.get("If-Match")
        if condition and self.site.conditions and condition != headers.get("ETag"):
            self._send(412, b"", {}, body=body)
            return
        self.site.requests.append((self.command, name, start, length))
        fault = self.site.fault(name, start, len(self.site.requests)) if body else ""
        if fault == "500" or self.site.fails(name):
            self._send(500, b"no", {}, body=body)
            return
        if fault == "stall":
            time.sleep(1.0)
            self.close_connection = True
            return
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(length if body else 0)
        if fault == "cut":  # fewer bytes than it says
            data = data[: len(data) // 2]
        if fault == "short":  # fewer bytes than it was asked for
            data = data[: len(data) // 2]
            length = len(data)
        new_reply = self.site.twist(status, headers, data)
        if new_reply != (status, headers, data):
            status, headers, data = new_reply
            length = len(data)
        with contextlib.suppress(ConnectionError):
            self._send(status, data, headers, length=length, body=body)
        if fault == "cut":
            self.close_connection = True

    def _send(
        self, status: int, data: bytes, headers: dict[str, str], *, body: bool, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data) if length is None else length)}.items():
            self.send_header(name, value)
        self.end_headers()
        if body and self.site.drip:
            for i in range(len(data)):
                self.wfile.write(data[i : i + 1])
                time.sleep(self.site.drip)
        elif body:
            self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Site]:
    """Serve a folder, on a free port."""
    site = Site("", folder)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
