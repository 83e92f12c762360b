"""Measures reading over HTTP beside plain requests, with and without a delay before each reply.

    pip install '.[remote]' urllib3 httpx obstore
    python benchmarks/remote.py --folder /somewhere/with/2/GB

A server in a process of its own answers range requests on this machine. Times with a delay are given in round trips: one
is the delay. Everything is deleted at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from scanreader import read_scan
from scanreader.simulate import Recording

DELAY = 0.03
SIZE = 4 << 20


class Handler(BaseHTTPRequestHandler):
    """Sends files, and parts of them, after a delay."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    folder = Path()
    delay: Any = None
    requests: Any = None
    sent_bytes: Any = None

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        time.sleep(self.delay.value)
        path = self.folder / self.path.lstrip("/").partition("?")[0]
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        byte_range = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        start, end = 0, size
        if byte_range:
            start = int(byte_range[1]) if byte_range[1] else max(0, size - int(byte_range[2]))
            end = min(size, int(byte_range[2]) + 1) if byte_range[1] and byte_range[2] else size
        self.send_response(206 if byte_range else 200)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}-{size}"')
        if byte_range:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        with self.requests.get_lock():
            self.requests.value += 1
            self.sent_bytes.value += (end - start) if body else 0
        if body:
            self.wfile.flush()
            with path.open("rb") as file:
                while start < end:
                    start += os.sendfile(self.connection.fileno(), file.fileno(), start, end - start)


class Server:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("fork")
        self.delay, self.requests, self.sent_bytes = (
            context.Value("d", 0.0),
            context.Value("q", 0),
            context.Value("q", 0),
        )
        facts = {"folder": folder, "delay": self.delay, "requests": self.requests, "sent_bytes": self.sent_bytes}
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), facts))
        server.request_queue_size = 256
        server.socket.listen(256)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.process = context.Process(target=server.serve_forever, daemon=True)
        self.process.start()

    @contextlib.contextmanager
    def delay_of(self, seconds: float) -> Iterator[None]:
        self.delay.value = seconds
        yield
        self.delay.value = 0.0

    def measure(self, job: Callable[[], object]) -> tuple[float, int, int]:
        """Seconds, requests and bytes of a job."""
        counts_before, start = (self.requests.value, self.sent_bytes.value), time.perf_counter()
        job()
        return (
            time.perf_counter() - start,
            self.requests.value - counts_before[0],
            self.sent_bytes.value - counts_before[1],
        )


# ------------------------------------------------------------------------------ clients


def by_urllib3(connections: int) -> Callable[[str, list[tuple[int, int]]], object]:
    import urllib3

    pool = urllib3.PoolManager(maxsize=connections)
    executor = ThreadPoolExecutor(connections)

    def read_range(url: str, start: int, end: int) -> int:
        reply = pool.request("GET", url, headers={"Range": f"bytes={start}-{end - 1}"})
        return len(reply.data)

    return lambda url, ranges: list(executor.map(lambda r: read_range(url, *r), ranges))


def by_http_client(connections: int) -> Callable[[str, list[tuple[int, int]]], object]:
    import http.client
    import threading
    from urllib.parse import urlsplit

    executor, thread_data = ThreadPoolExecutor(connections), threading.local()

    def read_range(url: str, start: int, end: int) -> int:
        parts = urlsplit(url)
        if not hasattr(thread_data, "connection"):
            thread_data.connection = http.client.HTTPConnection(parts.netloc)
        thread_data.connection.request("GET", parts.path, headers={"Range": f"bytes={start}-{end - 1}"})
        return thread_data.connection.getresponse().readinto(bytearray(end - start))

    return lambda url, ranges: list(executor.map(lambda r: read_range(url, *r), ranges))


def by_httpx(connections: int) -> Callable[[str, list[tuple[int, int]]], object]:
    import httpx

    client = httpx.Client(limits=httpx.Limits(max_connections=connections))
    executor = ThreadPoolExecutor(connections)

    def read_range(url: str, start: int, end: int) -> int:
        return len(client.get(url, headers={"Range": f"bytes={start}-{end - 1}"}).content)

    return lambda url, ranges: list(executor.map(lambda r: read_range(url, *r), ranges))


def by_obstore(connections: int) -> Callable[[str, list[tuple[int, int]]], object]:
    import obstore
    from obstore.store import HTTPStore

    stores: dict[str, Any] = {}

    def job(url: str, ranges: list[tuple[int, int]]) -> object:
        base, _, name = url.rpartition("/")
        store = stores.setdefault(base, HTTPStore(base, client_options={"allow_http": True}))
        starts, ends = zip(*ranges, strict=True)
        return obstore.get_ranges(store, name, starts=starts, ends=ends, coalesce=0)

    return job


def by_fsspec(connections: int) -> Callable[[str, list[tuple[int, int]]], object]:
    import fsspec

    fs = fsspec.filesystem("http")
    return lambda url, ranges: fs.cat_ranges([url] * len(ranges), *map(list, zip(*ranges, strict=True)))


CLIENTS = {
    "urllib3": by_urllib3,
    "http.client": by_http_client,
    "httpx": by_httpx,
    "obstore": by_obstore,
    "fsspec": by_fsspec,
}


class Remote:
    def __init__(self, folder: Path, times: int) -> None:
        self.times, self.folder = times, folder
        Recording(height=512, width=512, frames_per_slice=2000).write(folder / "one")
        Recording(height=512, width=512, frames_per_slice=500).write(folder / "500")
        Recording(height=512, width=1024, frames_per_slice=200).write(folder / "1MB")
        Recording(height=64, width=64, frames_per_slice=5000, frames_per_file=100).write(folder / "50")
        self.server = Server(folder)

    def urls(self, name: str) -> list[str]:
        return [f"{self.server.url}/{name}/{path.name}" for path in sorted((self.folder / name).glob("*.tif"))]

    def clients(self) -> None:
        (url,) = self.urls("one")
        size = (self.folder / "one").joinpath(url.rpartition("/")[2]).stat().st_size
        ranges = [(start, min(size, start + SIZE)) for start in range(0, size, SIZE)]
        print(f"{size / 1e9:.2f} GB in requests of {SIZE >> 20} MiB")
        for name, make in CLIENTS.items():
            for connections in (1, 8) if name not in ("obstore", "fsspec") else (8,):
                with contextlib.suppress(ImportError):
                    job = make(connections)
                    seconds = min(self.server.measure(lambda job=job: job(url, ranges))[0] for _ in range(self.times))
                    print(f"  {name:12} {connections} connections: {size / seconds / 1e6:6.0f} MB/s", flush=True)

    def bulk(self) -> None:
        (url,) = self.urls("one")
        scan = read_scan(url)
        size = scan.nbytes
        ranges = [(start, min(size, start + SIZE)) for start in range(0, size, SIZE)]
        read_plain = by_urllib3(8)
        durations = {"plain": np.inf, "ours": np.inf}
        for _ in range(self.times):
            for name, job in (("plain", lambda: read_plain(url, ranges)), ("ours", lambda: scan[:])):
                durations[name] = min(durations[name], self.server.measure(job)[0])
        ours = durations["plain"] / durations["ours"]
        print(f"bulk: {size / durations['ours'] / 1e6:.0f} MB/s, {ours:.2f} of plain requests on 8 connections (≥ 0.6)")

    def trips(self) -> None:
        """Round trips of usual jobs, in a process that has asked this server nothing before."""
        jobs = {
            "open one file": ("one", "scan = read_scan(urls)", "", 6),
            "open 50 files": ("50", "scan = read_scan(urls)", "", 15),
            "a frame": ("one", "scan[0, :, :, 0, 700]", "scan = read_scan(urls)", 1),
            "100 frames of 1 MB": ("1MB", "scan[0, :, :, 0, 50:150]", "scan = read_scan(urls)", 4),
            "a trace over 500 pages": ("500", "scan[0, 200, 5, 0]", "scan = read_scan(urls)", 45),
        }
        for name, (folder, code, preparation, goal) in jobs.items():
            urls = self.urls(folder)
            results = []
            for _ in range(self.times):
                context = multiprocessing.get_context("spawn")
                with context.Pool(1) as pool:
                    pool.apply(open_connection, (self.server.url,))
                    if preparation:
                        with self.server.delay_of(0):
                            pool.apply(run, (preparation, urls))
                        time.sleep(0.2)
                    with self.server.delay_of(DELAY):
                        counts = self.server.requests.value, self.server.sent_bytes.value
                        seconds = pool.apply(run, (code, urls))
                        results.append(
                            (seconds, self.server.requests.value - counts[0], self.server.sent_bytes.value - counts[1])
                        )
            seconds, requests, num_bytes = min(results)
            print(
                f"{name:24} {seconds / DELAY:5.1f} round trips (≤ {goal}), {requests} requests, {num_bytes / 1e6:.2f} MB",
                flush=True,
            )


SPACE: dict[str, Any] = {"read_scan": read_scan}


def open_connection(url: str) -> None:
    """Import what is needed."""
    with contextlib.suppress(Exception):
        read_scan(f"{url}/nothing.tif")


def run(code: str, urls: list[str]) -> float:
    """Run code in the process of the pool; seconds."""
    SPACE["urls"] = urls if len(urls) > 1 else urls[0]
    start = time.perf_counter()
    exec(code, SPACE)  # noqa: S102 - it is above
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["clients", "bulk", "trips"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        remote = Remote(Path(name), arguments.times)
        for part in arguments.only:
            getattr(remote, part)()
        remote.server.process.terminate()


if __name__ == "__main__":
    main()
