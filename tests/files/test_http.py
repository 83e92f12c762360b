"""Every reply of a server is checked: no other bytes than those that were asked for are ever taken for pixels."""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from served import Site, serve

from scanreader import ChangedFileError, PathnameError, UnreachableError, read_scan
from scanreader.simulate import Recording, integration_roi

pytest.importorskip("urllib3")
pytest.importorskip("aiohttp")

from scanreader.files import http, local, ranges, remote
from scanreader.files.servers import Url

RECORDING = Recording(height=256, width=256, frames_per_slice=40)
Reply = tuple[int, dict[str, str], bytes]


@pytest.fixture(autouse=True)
def _empty_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "REMOTE_RETRIES", (0.0, 0.01, 0.01))
    remote._block_cache.clear()
    http._identities.clear()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Site]:
    RECORDING.write(tmp_path)
    with serve(tmp_path) as site:
        yield site


NAME = "scan_00001.tif"


def reply_to_another_range(status: int, headers: dict[str, str], data: bytes) -> Reply:
    """An honest reply to another range."""
    content = re.sub(r"bytes (\d+)-(\d+)", lambda m: f"bytes {int(m[1]) + 1}-{int(m[2]) + 1}", headers["Content-Range"])
    return status, {**headers, "Content-Range": content}, data


def other_version(status: int, headers: dict[str, str], data: bytes) -> Reply:
    return status, {**headers, "ETag": '"another"'}, data


def other_size(status: int, headers: dict[str, str], data: bytes) -> Reply:
    content = re.sub(r"/(\d+)", lambda m: f"/{int(m[1]) - 1}", headers["Content-Range"])
    return status, {**headers, "Content-Range": content}, data


def without_range(status: int, headers: dict[str, str], data: bytes) -> Reply:
    return status, {name: value for name, value in headers.items() if name != "Content-Range"}, data


def reply_with_more(status: int, headers: dict[str, str], data: bytes) -> Reply:
    return status, headers, data + bytes(1_000_000)


def reply_with_the_whole_file(_status: int, headers: dict[str, str], data: bytes) -> Reply:
    return 200, headers, data * 3


def compressed_reply(status: int, headers: dict[str, str], data: bytes) -> Reply:
    return status, {**headers, "Content-Encoding": "gzip"}, gzip.compress(bytes(10_000_000))


def reply_with_nonsense(status: int, headers: dict[str, str], data: bytes) -> Reply:
    return status, {**headers, "Content-Range": "bytes 1-2-3/" + "9" * 5000}, data


@pytest.mark.parametrize(
    ("twist", "error"),
    [
        (reply_to_another_range, UnreachableError),
        (other_version, ChangedFileError),
        (other_size, ChangedFileError),
        (without_range, UnreachableError),
        (reply_with_more, UnreachableError),
        (reply_with_the_whole_file, UnreachableError),
        (compressed_reply, PathnameError),
        (reply_with_nonsense, UnreachableError),
    ],
)
def test_a_reply_to_something_else_is_refused(server: Site, tmp_path: Path, twist: object, error: type) -> None:
    scan = read_scan(f"{server.url}/{NAME}")
    expected = read_scan(tmp_path / NAME)[:]
    server.twist = twist  # type: ignore[assignment] # one of those above
    server.requests.clear()
    for key in (np.s_[:], np.s_[0, :, :, 0, 7], np.s_[0, 100, 5]):
        with pytest.raises(error):
            scan[key]
    if error is not ChangedFileError:  # another version that is always the same is one
        with pytest.raises((UnreachableError, PathnameError)):
            read_scan(f"{server.url}/{NAME}")
    server.twist = lambda *reply: reply
    np.testing.assert_array_equal(scan[:], expected)


def test_every_second_reply_to_something_else_is_asked_again(server: Site, tmp_path: Path) -> None:
    scan = read_scan(f"{server.url}/{NAME}")
    numbers: list[int] = []

    def twist_some(*reply: object) -> Reply:
        numbers.append(0)
        return reply_to_another_range(*reply) if len(numbers) % 2 else reply  # type: ignore[arg-type, return-value]

    server.twist = twist_some
    np.testing.assert_array_equal(scan[..., :10], read_scan(tmp_path / NAME)[..., :10])


def test_requests_ask_for_the_version_that_was_opened(server: Site, tmp_path: Path) -> None:
    scan = read_scan(f"{server.url}/{NAME}")
    server.request_headers.clear()
    scan[:]
    assert all(headers["If-Match"].startswith('"') for headers in server.request_headers)
    assert all(headers["Accept-Encoding"] == "identity" for headers in server.request_headers)
    os.utime(tmp_path / NAME, ns=(1, 1))
    for obeys in (True, False):
        server.conditions = obeys
        with pytest.raises(ChangedFileError, match="open the recording again"):
            scan[:]


def test_a_server_that_drips_is_given_up(server: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PATIENCE", 0.2)
    scan = read_scan(f"{server.url}/{NAME}")
    server.drip = 0.05
    start = time.monotonic()
    with pytest.raises(UnreachableError, match="only .* of .* bytes came"):
        scan[0, :, :, 0, 5]
    assert time.monotonic() - start < 10


def test_nothing_is_read_beyond_what_was_asked_for(server: Site, tmp_path: Path) -> None:
    server.ranges = False
    with pytest.raises(PathnameError, match="only complete files"):
        read_scan(f"{server.url}/{NAME}")
    (small_path,) = Recording(height=4, width=4, frames_per_slice=3, slot=300).write(tmp_path / "small")
    scan = read_scan(f"{server.url}/small/{small_path.name}")  # which one reply brings whole
    np.testing.assert_array_equal(scan[:], read_scan(small_path)[:])


# ---------------------------------------------------------------------------- redirects


def test_an_archive_may_redirect_to_its_bucket(server: Site, tmp_path: Path) -> None:
    with serve(tmp_path) as bucket:
        server.redirects["/api/asset"] = f"{bucket.url}/{NAME}?signature=1"
        scan = read_scan(f"{server.url}/api/asset")
        np.testing.assert_array_equal(scan[:], read_scan(tmp_path / NAME)[:])
        num_requests = len(server.request_headers)
        scan[0, :, :, 0, 3]
        assert len(server.request_headers) - num_requests <= 1  # where it leads to is asked once a read


def test_a_signature_that_expired_is_asked_for_again(server: Site, tmp_path: Path) -> None:
    server.redirects["/asset"] = f"/{NAME}"
    scan = read_scan(f"{server.url}/asset")
    (tmp_path / NAME).rename(tmp_path / "moved.tif")
    server.redirects["/asset"] = "/moved.tif"
    np.testing.assert_array_equal(scan[0, :, :, 0, 3], read_scan(tmp_path / "moved.tif")[0, :, :, 0, 3])


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://example.org/a.tif", "data:,a", "/asset"])
def test_other_redirects_are_refused(server: Site, location: str) -> None:
    server.redirects["/asset"] = location
    with pytest.raises(PathnameError, match="redirects"):
        read_scan(f"{server.url}/asset")


def test_a_login_stays_with_its_server(server: Site, tmp_path: Path) -> None:
    with serve(tmp_path) as bucket:
        server.redirects["/asset"] = f"{bucket.url}/{NAME}"
        read_scan(server.url.replace("http://", "http://me:secret@") + "/asset")
        ranges = [headers for headers in server.request_headers if "Range" in headers]
        assert ranges
        assert all(headers["authorization"].startswith("Basic ") for headers in ranges)
        assert not any("authorization" in headers for headers in bucket.request_headers)


# ------------------------------------------------------------------------------ requests


def test_few_requests_are_made(server: Site, tmp_path: Path) -> None:
    scan = read_scan(f"{server.url}/{NAME}")
    assert len(server.requests) <= 8
    assert server.count("HEAD") == 0
    server.requests.clear()
    scan[0, :, :, 0, 30]
    assert len(server.requests) == 1
    server.requests.clear()
    scan[0, 200, 5, 0]
    assert len(server.requests) <= 2 * 40
    assert sum(length for *_, length in server.requests) < 40 * 4000


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files cannot be counted")
def test_connections_are_used_again(server: Site) -> None:
    counts = []
    for _ in range(4):
        read_scan(f"{server.url}/{NAME}")[:]
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[-1] <= counts[0] + 2 * ranges.CONNECTIONS  # both ends are in this process


# ------------------------------------------------------------------------------ listings


def page_of(links: list[str]) -> bytes:
    return "".join(f'<a href="{link}">{link}</a>\n' for link in links).encode()


def test_a_listing_of_very_many_files_is_refused(server: Site, tmp_path: Path) -> None:
    with serve(tmp_path) as site:
        site.pages["/many/"] = page_of([f"scan_{i:06}.tif" for i in range(100_000)])
        start = time.monotonic()
        with pytest.raises(PathnameError, match="more than 50,000 files"):
            read_scan(f"{site.url}/many/scan_*.tif")
        assert time.monotonic() - start < 10
        assert len(site.request_headers) <= 4


@pytest.mark.parametrize(
    "page",
    [b"<a " * 300_000, b'<a href="' * 300_000, b"<a href=" + b"x" * 3_000_000, b"<" * 3_000_000, bytes(3_000_000)],
    ids=["tags", "open quotes", "a long link", "brackets", "zeros"],
)
def test_a_strange_page_is_read_in_linear_time(server: Site, page: bytes) -> None:
    server.pages["/folder/"] = page
    start = time.monotonic()
    with pytest.raises(PathnameError, match="nothing is found"):
        read_scan(f"{server.url}/folder/*.tif")
    assert time.monotonic() - start < 5


def test_only_files_of_the_folder_are_listed(server: Site, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / NAME).rename(tmp_path / "folder" / NAME)
    links = [
        NAME,
        f"/folder/{NAME}#top",
        "../other.tif",
        "deeper/a.tif",
        "http://elsewhere.example/folder/b.tif",
        "?C=N",
    ]
    server.pages["/folder/"] = page_of([*links, "http://[", "javascript:x.tif", "file:///folder/c.tif"])
    scan = read_scan(f"{server.url}/folder/*.tif")
    assert [name.rpartition("/")[2] for name in scan.filenames] == [NAME]


def test_a_file_is_not_read_in_search_of_links(server: Site, tmp_path: Path) -> None:
    (tmp_path / NAME).rename(tmp_path / "asset")
    server.twist = lambda status, headers, data: (status, {**headers, "Content-Type": "image/tiff"}, data)
    scan = read_scan(f"{server.url}/asset")
    assert scan.num_frames == 40
    whole_requests = [headers for headers in server.request_headers if "Range" not in headers]
    assert len(whole_requests) <= 2


def test_an_address_with_colons_is_no_chain() -> None:
    url = Url("http://[::1]:8000/folder/a.tif")
    assert (url.name, url.suffix, url.parent.text) == ("a.tif", ".tif", "http://[::1]:8000/folder")


def test_files_beside_a_recording_are_read_by_their_names(tmp_path: Path) -> None:
    rois = (integration_roi(name="soma"),)
    Recording(stem="my", frames_per_slice=5, integration_rois=rois).write(tmp_path / "here")
    with serve(tmp_path) as site:
        scan = read_scan(f"{site.url}/here/my_00001.tif")
        num_requests = len(site.request_headers)
        assert scan.side_files == {"stimulus log": [], "integration": [], "motion": []}
        assert len(site.request_headers) == num_requests
        assert scan.motion is None
        table = scan.integration
    assert table is not None
    np.testing.assert_array_equal(table["soma"], 100_000 + np.arange(1, 6))
