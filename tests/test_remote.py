"""Recordings behind URLs: the same frames, in few requests, and servers that fail."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME
from served import Served, serve

from scanreader import ChangedFileError, DamagedPageError, MissingExtraError, PathnameError, read_scan
from scanreader.simulate import Recording

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

from scanreader import remote  # noqa: E402 - its libraries are an extra


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is known of any server, and nothing is waited for."""
    monkeypatch.setattr(remote, "RETRIES", (0.0, 0.01, 0.01))
    monkeypatch.setattr(remote, "_with_ranges", set())
    remote._seen.clear()
    remote._blocks.clear()
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as served:
        yield served


LARGE = Recording(height=256, width=256, frames_per_slice=150, channels=(1, 2), frames_per_file=100)
KEYS: list[Any] = [
    np.s_[:],
    np.s_[0, :, :, 0, 3:9],
    np.s_[0, 3, 5, -1],
    np.s_[..., ::3],
    np.s_[0, 2:5, ::2, 0, [5, 2, 5]],
    np.s_[0, ::-1, 4, :, -1],
]


@pytest.mark.parametrize("made", [VOLUME, STACK, MESOSCOPE, LARGE, Recording(release="3.8", frames_per_slice=70)])
@pytest.mark.parametrize("scheme", ["http", "memory"])
def test_a_url_gives_what_a_path_gives(server: Served, tmp_path: Path, made: Recording, scheme: str) -> None:
    files = made.write(tmp_path / "here")
    url = f"{server.url}/here"
    if scheme == "memory":
        url = "memory://here"
        for path in files:
            fsspec.filesystem("memory").pipe_file(f"/here/{path.name}", path.read_bytes())
    here = read_scan(tmp_path / "here")
    for name in (f"{url}/scan_*.tif", f"{url}/", f"{url}/{files[0].name}", [f"{url}/{path.name}" for path in files]):
        there = read_scan(name)
        assert [Path(name).name for name in there.filenames] == [path.name for path in files]
        for i in range(here.num_fields):
            np.testing.assert_array_equal(there[i], here[i])
    for key in KEYS if here.num_fields == 1 else []:
        np.testing.assert_array_equal(there[key], here[key])
    np.testing.assert_array_equal(there.timestamps, here.timestamps)
    for column in here.frame_table.dtype.names or ():
        np.testing.assert_array_equal(there.frame_table[column], here.frame_table[column])
    assert (there.header, there.roi_metadata) == (here.header, here.roi_metadata)
    assert there.check().ok == here.check().ok
    again = pickle.loads(pickle.dumps(there))
    np.testing.assert_array_equal(again[0, ..., -1], here[0, ..., -1])


def test_opening_and_reading_take_few_requests(server: Served, tmp_path: Path) -> None:
    replace(LARGE, height=512, width=512, frames_per_slice=2000, frames_per_file=2000, holes=True).write(tmp_path)
    (path,) = sorted(tmp_path.glob("*.tif"))
    url = f"{server.url}/{path.name}"
    scan = read_scan(url)
    assert scan.num_frames == 2000
    assert (server.count("HEAD"), server.count("GET")) <= (1, 12)
    server.asked.clear()
    assert np.array_equal(scan[..., 1000:1100], read_scan(path)[..., 1000:1100])
    sizes = [length for method, _, _, length in server.asked if method == "GET"]
    assert len(sizes) <= 30
    assert sum(sizes) < 1.01 * scan[..., 1000:1100].nbytes
    server.asked.clear()
    assert np.array_equal(scan[0, 7, 8, 0, :1000], read_scan(path)[0, 7, 8, 0, :1000])
    assert server.count("GET") <= 1001
    server.asked.clear()
    assert np.array_equal(scan[0, :, :, 1, :100], read_scan(path)[0, :, :, 1, :100])
    assert server.count("GET") <= 101


def test_files_are_opened_at_once(server: Served, tmp_path: Path) -> None:
    replace(VOLUME, volumes=200, frames_per_file=20).write(tmp_path)
    here = read_scan(tmp_path)
    assert len(here.filenames) == 50
    there = read_scan(f"{server.url}/scan_*.tif")
    np.testing.assert_array_equal(there[:], here[:])


def test_compressed_pages_are_decoded(server: Served, tmp_path: Path) -> None:
    (plain,) = replace(LARGE, frames_per_slice=20, frames_per_file=20).write(tmp_path)
    with tifffile.TiffFile(plain) as tif:
        texts = [page.description for page in tif.pages if isinstance(page, tifffile.TiffPage)]
        software = tif.pages.first.software
        images = tif.asarray()
    packed = tmp_path / "packed" / plain.name
    packed.parent.mkdir()
    with tifffile.TiffWriter(packed, bigtiff=True) as out:
        for image, text in zip(images.reshape(-1, 256, 256), texts, strict=True):
            out.write(image, compression="zlib", description=text, software=software, metadata=None, contiguous=False)
    here = read_scan(packed)
    there = read_scan(f"{server.url}/packed/{packed.name}")
    np.testing.assert_array_equal(there[:], here[:])
    np.testing.assert_array_equal(there[0, 5:9, 7, :, ::2], here[0, 5:9, 7, :, ::2])


# ------------------------------------------------------------------ servers that fail


@pytest.mark.parametrize("fault", ["500", "short", "cut", "stall"])
def test_what_fails_now_and_then_is_asked_again(
    server: Served, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    LARGE.write(tmp_path)
    monkeypatch.setattr(remote, "STALL", 0.3)
    remote._options.cache_clear()
    server.fault = lambda _path, _start, number: fault if number % 5 == 2 else ""
    there, here = read_scan(f"{server.url}/scan_*.tif"), read_scan(tmp_path)
    np.testing.assert_array_equal(there[..., ::40], here[..., ::40])
    np.testing.assert_array_equal(there[..., :100], here[..., :100])


@pytest.mark.parametrize("fault", ["500", "short", "cut", "stall"])
def test_what_fails_always_is_said_with_url_and_offset(
    server: Served, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path, *_) = LARGE.write(tmp_path)
    monkeypatch.setattr(remote, "STALL", 0.2)
    remote._options.cache_clear()
    scan = read_scan(f"{server.url}/{path.name}", siblings=False)
    server.asked.clear()
    server.fault = lambda _path, start, _number: fault if start > 20_000_000 else ""
    right = read_scan(path, siblings=False)
    np.testing.assert_array_equal(scan[..., :50], right[..., :50])
    with pytest.raises(DamagedPageError, match=rf"{server.url}/{path.name}.* at byte \d+: .*4 tries"):
        scan[..., -5:]
    assert sum(start > 20_000_000 for _, _, start, _ in server.asked) <= 4 * 4
    server.fault = lambda *_: ""
    np.testing.assert_array_equal(scan[..., -5:], right[..., -5:])


def test_what_fails_at_opening_is_said(server: Served, tmp_path: Path) -> None:
    (path, *_) = LARGE.write(tmp_path)
    server.fault = lambda *_: "500"
    with pytest.raises((PathnameError, DamagedPageError), match=rf"{server.url}/{path.name}.*500"):
        read_scan(f"{server.url}/{path.name}", siblings=False)
    with pytest.raises(PathnameError, match="nope.tif"):
        read_scan(f"{server.url}/nope.tif")
    with pytest.raises(PathnameError, match=r"nothing is found|cannot be listed"):
        read_scan(f"{server.url}/nope/*.tif")


def test_a_server_without_ranges_is_refused(server: Served, tmp_path: Path) -> None:
    (path, *_) = LARGE.write(tmp_path)
    server.ranges = False
    with pytest.raises(PathnameError, match="range requests"):
        read_scan(f"{server.url}/{path.name}", siblings=False)


def test_a_file_that_changed_is_refused(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path, *_) = LARGE.write(tmp_path)
    scan = read_scan(f"{server.url}/{path.name}", siblings=False)
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr(remote, "FRESH", 0.0)
    with pytest.raises(ChangedFileError, match="open the recording again"):
        scan[..., 0]


def test_what_grows_is_refreshed(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = replace(LARGE, frames_per_file=150).write(tmp_path / "whole")
    data = whole.read_bytes()
    path = tmp_path / whole.name
    path.write_bytes(data[: len(data) // 3])
    monkeypatch.setattr(remote, "FRESH", 0.0)
    with pytest.warns(match="not closed"):
        scan = read_scan(f"{server.url}/{path.name}")
    path.write_bytes(data)
    grown = scan.refresh()
    assert scan.num_frames < grown.num_frames == 150
    np.testing.assert_array_equal(grown[:], read_scan(whole)[:])
    path.write_bytes(replace_first_pixels(data[: len(data) // 2]))
    with pytest.raises(ChangedFileError):
        scan.refresh()


def replace_first_pixels(data: bytes) -> bytes:
    """Another recording's first page, as large."""
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        at = tif.pages.first.dataoffsets[0]
    return data[:at] + bytes(255 - byte for byte in data[at : at + 5000]) + data[at + 5000 :]


def test_damaged_pages_are_found(server: Served, tmp_path: Path) -> None:
    (path, *_) = LARGE.write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        at = tif.pages[100].offset
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\x99" * 200)
    scan = read_scan(f"{server.url}/{path.name}", siblings=False)
    with pytest.raises(DamagedPageError):
        scan[0, :, :, 0]
    with pytest.raises(DamagedPageError):
        scan[0, 3, 3, 0]
    filled = read_scan(f"{server.url}/{path.name}", siblings=False, on_damage="fill", fill_value=-7)
    with pytest.warns(match="filled with -7"):
        assert (filled[0, 3, 3, 0, 50] == -7).all()


# ------------------------------------------------------------------------- what a URL is


def test_names_of_urls() -> None:
    signed = remote.Url("https://h/a/scan_00001.tif?token=x/y.z#p")
    assert (signed.name, signed.stem, signed.suffix) == ("scan_00001.tif", "scan_00001", ".tif")
    assert str(signed.parent) == "https://h/a"
    inside = remote.Url("zip://rec/scan_00001.tif::https://h/all.zip")
    assert (inside.name, str(inside.parent)) == ("scan_00001.tif", "zip://rec::https://h/all.zip")
    assert remote.Url("simplecache::s3://b/k/scan_00002.tif").name == "scan_00002.tif"


def test_chains_of_file_systems(server: Served, tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "rec")
    here = read_scan(tmp_path / "rec")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for path in sorted((tmp_path / "rec").iterdir()):
            packed.write(path, f"rec/{path.name}")
    for url in (
        f"zip://rec/*.tif::{tmp_path / 'all.zip'}",
        f"zip://rec/*.tif::{server.url}/all.zip",
        f"simplecache::{server.url}/rec/scan_*.tif",
    ):
        np.testing.assert_array_equal(read_scan(url)[:], here[:])


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    assert read_scan(path.as_uri()).filenames == [str(path)]


def test_protocols_that_are_not_known() -> None:
    with pytest.raises(PathnameError, match="Protocol not known"):
        read_scan("nope://a/b.tif")
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(MissingExtraError, match="s3fs"):
            read_scan("s3://bucket/a.tif")
