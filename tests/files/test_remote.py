"""Recordings behind URLs: the same frames, in few requests, and servers that fail."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import threading
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME
from matplotlib.text import Text
from served import Site, serve

from scanreader import (
    ChangedFileError,
    DamagedPageError,
    LayoutError,
    MissingExtraError,
    PathnameError,
    Scan,
    ScanReaderError,
    UnreachableError,
    read_scan,
)
from scanreader.simulate import Recording

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

from scanreader.files import http, local, ranges, remote  # noqa: E402 - their libraries are an extra
from scanreader.files.servers import Url  # noqa: E402


@pytest.fixture(autouse=True)
def _empty_caches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start without cached data of servers, and do not wait between retries."""
    monkeypatch.setattr(local, "REMOTE_RETRIES", (0.0, 0.01, 0.01))
    remote._infos.clear()
    http._identities.clear()
    ranges._manager.cache_clear()
    remote._block_cache.clear()
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Site]:
    with serve(tmp_path) as site:
        yield site


LARGE_RECORDING = Recording(height=256, width=256, frames_per_slice=150, channels=(1, 2), frames_per_file=100)
KEYS: list[Any] = [
    np.s_[:],
    np.s_[0, :, :, 0, 3:9],
    np.s_[0, 3, 5, -1],
    np.s_[..., ::3],
    np.s_[0, 2:5, ::2, 0, [5, 2, 5]],
    np.s_[0, ::-1, 4, :, -1],
]


@pytest.mark.parametrize(
    "recording", [VOLUME, STACK, MESOSCOPE, LARGE_RECORDING, Recording(release="3.8", frames_per_slice=70)]
)
@pytest.mark.parametrize("scheme", ["http", "memory"])
def test_a_url_gives_what_a_path_gives(server: Site, tmp_path: Path, recording: Recording, scheme: str) -> None:
    files = recording.write(tmp_path / "here")
    url = f"{server.url}/here"
    if scheme == "memory":
        url = "memory://here"
        for path in files:
            fsspec.filesystem("memory").pipe_file(f"/here/{path.name}", path.read_bytes())
    local_scan = read_scan(tmp_path / "here", siblings=True)
    for name in (f"{url}/scan_*.tif", f"{url}/", f"{url}/{files[0].name}", [f"{url}/{path.name}" for path in files]):
        remote_scan = read_scan(name, siblings=True)
        assert [Path(name).name for name in remote_scan.filenames] == [path.name for path in files]
        for i in range(local_scan.num_fields):
            np.testing.assert_array_equal(remote_scan[i], local_scan[i])
    for key in KEYS if local_scan.num_fields == 1 else []:
        np.testing.assert_array_equal(remote_scan[key], local_scan[key])
    np.testing.assert_array_equal(remote_scan.timestamps, local_scan.timestamps)
    for column in local_scan.frame_table.dtype.names or ():
        np.testing.assert_array_equal(remote_scan.frame_table[column], local_scan.frame_table[column])
    assert (remote_scan.header, remote_scan.roi_metadata) == (local_scan.header, local_scan.roi_metadata)
    assert remote_scan.check().ok == local_scan.check().ok
    scan_copy = pickle.loads(pickle.dumps(remote_scan))
    np.testing.assert_array_equal(scan_copy[0, ..., -1], local_scan[0, ..., -1])


def test_opening_and_reading_take_few_requests(server: Site, tmp_path: Path) -> None:
    replace(LARGE_RECORDING, height=512, width=512, frames_per_slice=2000, frames_per_file=2000, holes=True).write(
        tmp_path
    )
    (path,) = sorted(tmp_path.glob("*.tif"))
    url = f"{server.url}/{path.name}"
    scan = read_scan(url)
    assert scan.num_frames == 2000
    assert server.count("HEAD") <= 8
    assert server.count("GET") <= 12
    server.requests.clear()
    assert np.array_equal(scan[..., 1000:1100], read_scan(path)[..., 1000:1100])
    sizes = [length for method, _, _, length in server.requests if method == "GET"]
    assert len(sizes) <= 30
    assert sum(sizes) < 1.01 * scan[..., 1000:1100].nbytes
    server.requests.clear()
    assert np.array_equal(scan[0, 7, 8, 0, :1000], read_scan(path)[0, 7, 8, 0, :1000])
    assert server.count("GET") <= 1001
    assert sum(length for _, _, _, length in server.requests if length < 1 << 24) <= 1001 * 2 * remote.BLOCK
    server.requests.clear()
    assert np.array_equal(scan[0, :, :, 1, :100], read_scan(path)[0, :, :, 1, :100])
    assert server.count("GET") <= 101


def test_files_are_opened_at_once(server: Site, tmp_path: Path) -> None:
    replace(VOLUME, volumes=200, frames_per_file=20).write(tmp_path)
    local_scan = read_scan(tmp_path)
    assert len(local_scan.filenames) == 50
    remote_scan = read_scan(f"{server.url}/scan_*.tif")
    np.testing.assert_array_equal(remote_scan[:], local_scan[:])


def test_compressed_pages_are_decoded(server: Site, tmp_path: Path) -> None:
    (plain_path,) = replace(LARGE_RECORDING, frames_per_slice=20, frames_per_file=20).write(tmp_path)
    with tifffile.TiffFile(plain_path) as tif:
        texts = [page.description for page in tif.pages if isinstance(page, tifffile.TiffPage)]
        software = tif.pages.first.software
        images = tif.asarray()
    packed_path = tmp_path / "packed" / plain_path.name
    packed_path.parent.mkdir()
    with tifffile.TiffWriter(packed_path, bigtiff=True) as out:
        for image, text in zip(images.reshape(-1, 256, 256), texts, strict=True):
            out.write(image, compression="zlib", description=text, software=software, metadata=None, contiguous=False)
    local_scan = read_scan(packed_path)
    remote_scan = read_scan(f"{server.url}/packed/{packed_path.name}")
    np.testing.assert_array_equal(remote_scan[:], local_scan[:])
    np.testing.assert_array_equal(remote_scan[0, 5:9, 7, :, ::2], local_scan[0, 5:9, 7, :, ::2])


# ------------------------------------------------------------------ servers that fail


@pytest.mark.parametrize("fault", ["500", "short", "cut", "stall"])
def test_what_fails_now_and_then_is_asked_again(
    server: Site, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    LARGE_RECORDING.write(tmp_path)
    monkeypatch.setattr(ranges, "STALL", 0.3)
    server.fault = lambda _path, _start, number: fault if number % 5 == 2 else ""
    remote_scan, local_scan = read_scan(f"{server.url}/scan_*.tif"), read_scan(tmp_path)
    np.testing.assert_array_equal(remote_scan[..., ::40], local_scan[..., ::40])
    np.testing.assert_array_equal(remote_scan[..., :100], local_scan[..., :100])


@pytest.mark.parametrize("fault", ["500", "short", "cut", "stall"])
def test_what_fails_always_is_said_with_url_and_offset(
    server: Site, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path, *_) = LARGE_RECORDING.write(tmp_path)
    monkeypatch.setattr(ranges, "STALL", 0.2)
    scan = read_scan(f"{server.url}/{path.name}")
    server.requests.clear()
    server.fault = lambda _path, start, _number: fault if start > 20_000_000 else ""
    expected = read_scan(path)
    np.testing.assert_array_equal(scan[..., :50], expected[..., :50])
    with pytest.raises(UnreachableError, match=rf"{server.url}/{path.name}.* at byte \d+: .*4 tries"):
        scan[..., -5:]
    assert sum(start > 20_000_000 for _, _, start, _ in server.requests) <= 4 * 4
    server.fault = lambda *_: ""
    np.testing.assert_array_equal(scan[..., -5:], expected[..., -5:])


def test_what_fails_at_opening_is_said(server: Site, tmp_path: Path) -> None:
    (path, *_) = LARGE_RECORDING.write(tmp_path)
    server.fault = lambda *_: "500"
    with pytest.raises((PathnameError, UnreachableError), match=rf"{server.url}/{path.name}.*500"):
        read_scan(f"{server.url}/{path.name}")
    with pytest.raises(PathnameError, match="nope.tif"):
        read_scan(f"{server.url}/nope.tif")
    with pytest.raises(PathnameError, match=r"nothing is found|cannot be listed"):
        read_scan(f"{server.url}/nope/*.tif")


def test_a_server_without_ranges_is_refused(server: Site, tmp_path: Path) -> None:
    (path, *_) = LARGE_RECORDING.write(tmp_path)
    server.ranges = False
    with pytest.raises(PathnameError, match="range requests"):
        read_scan(f"{server.url}/{path.name}")


def test_a_file_that_changed_is_refused(server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path, *_) = LARGE_RECORDING.write(tmp_path)
    scan = read_scan(f"{server.url}/{path.name}")
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr(remote, "FRESH", 0.0)
    with pytest.raises(ChangedFileError, match="open the recording again"):
        scan[..., 0]


def test_what_grows_is_refreshed(server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (complete_path,) = replace(LARGE_RECORDING, frames_per_file=150).write(tmp_path / "whole")
    data = complete_path.read_bytes()
    path = tmp_path / complete_path.name
    path.write_bytes(data[: len(data) // 3])
    monkeypatch.setattr(remote, "FRESH", 0.0)
    with pytest.warns(match="not closed"):
        scan = read_scan(f"{server.url}/{path.name}")
    path.write_bytes(data)
    grown_scan = scan.refresh()
    assert scan.num_frames < grown_scan.num_frames == 150
    np.testing.assert_array_equal(grown_scan[:], read_scan(complete_path)[:])
    path.write_bytes(replace_first_pixels(data[: len(data) // 2]))
    with pytest.raises(ChangedFileError):
        scan.refresh()


def replace_first_pixels(data: bytes) -> bytes:
    """Another recording's first page, as large."""
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        offset = tif.pages.first.dataoffsets[0]
    return data[:offset] + bytes(255 - byte for byte in data[offset : offset + 5000]) + data[offset + 5000 :]


def test_damaged_pages_are_found(server: Site, tmp_path: Path) -> None:
    (path, *_) = LARGE_RECORDING.write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[100].offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x99" * 200)
    scan = read_scan(f"{server.url}/{path.name}")
    with pytest.raises(DamagedPageError):
        scan[0, :, :, 0]
    with pytest.raises(DamagedPageError):
        scan[0, 3, 3, 0]
    filled_scan = read_scan(f"{server.url}/{path.name}", on_damage="fill", fill_value=-7)
    with pytest.warns(match="filled with -7"):
        assert (filled_scan[0, 3, 3, 0, 50] == -7).all()


# ----------------------------------------------------------------- files that are replaced

OTHER_RECORDING = replace(
    LARGE_RECORDING, epoch=(2024, 5, 6, 7, 8, 9.5), pixels=lambda _, channel: np.full((256, 256), 7000 + channel)
)


def put(recording: Recording, path: Path) -> None:
    """Put a recording in a file's place, in one step."""
    (first, *_) = replace(recording, frames_per_slice=100, frames_per_file=100).write(path.parent / "aside")
    first.replace(path)


@pytest.mark.parametrize("marks", [True, False])
def test_another_file_of_the_name_is_opened_as_it_is(server: Site, tmp_path: Path, marks: bool) -> None:
    server.marks = marks
    path = tmp_path / "scan_00001_00001.tif"
    put(LARGE_RECORDING, path)
    url = f"{server.url}/{path.name}"
    first = read_scan(url)
    start_time = first.start_time
    np.testing.assert_array_equal(first[0, 3, 3, 0], read_scan(path)[0, 3, 3, 0])
    put(OTHER_RECORDING, path)
    second, expected = read_scan(url), read_scan(path)
    assert second.start_time == expected.start_time != start_time
    np.testing.assert_array_equal(second[0, 3, 3, 0], expected[0, 3, 3, 0])
    np.testing.assert_array_equal(second[..., :20], expected[..., :20])
    for key in (np.s_[..., 50:60], np.s_[0, 3, 3, 0]):
        with pytest.raises(ChangedFileError):
            first[key]


def test_a_file_that_is_replaced_while_it_is_read_is_refused(server: Site, tmp_path: Path) -> None:
    path = tmp_path / "scan_00001_00001.tif"
    put(LARGE_RECORDING, path)
    put(OTHER_RECORDING, tmp_path / "other.tif")
    scan = read_scan(f"{server.url}/{path.name}")
    server.swap(3, tmp_path / "other.tif", path)
    with pytest.raises(ChangedFileError):
        scan[:]
    with pytest.raises(ChangedFileError):
        scan[..., 90:]


def test_what_the_network_loses_is_not_damage(server: Site, tmp_path: Path) -> None:
    recording = replace(LARGE_RECORDING, frames_per_slice=100, frames_per_file=100)
    recording.write(tmp_path)
    scan = read_scan(f"{server.url}/scan_00001_00001.tif", on_damage="fill", fill_value=-1)
    server.fault = lambda _path, start, _number: "500" if start > 10_000_000 else ""
    server.requests.clear()
    with pytest.raises(UnreachableError):
        scan[:]
    with pytest.raises(UnreachableError):
        _ = scan.timestamps
    with pytest.raises(UnreachableError):
        scan.check()
    assert len(server.requests) < 1000  # about 350; were each failed place tried to the end, 4,000


def test_a_part_that_goes_is_not_left_out(server: Site, tmp_path: Path) -> None:
    replace(VOLUME, volumes=30, frames_per_file=50).write(tmp_path)
    scan = read_scan(f"{server.url}/scan_00001_00001.tif", siblings=True)
    remote._block_cache.clear()
    server.fault = lambda path, _start, _number: "500" if path.endswith("_00003.tif") else ""
    server.fails = lambda path: path.endswith("_00003.tif")
    with pytest.raises(UnreachableError):
        scan.refresh()
    with pytest.raises(UnreachableError):
        read_scan(f"{server.url}/scan_00001_00001.tif", siblings=True)


def test_what_is_still_being_written_is_opened_and_read(server: Site, tmp_path: Path) -> None:
    (complete_path,) = replace(LARGE_RECORDING, frames_per_file=150).write(tmp_path / "whole")
    data, expected = complete_path.read_bytes(), read_scan(complete_path)[:]
    path = tmp_path / complete_path.name
    page = len(data) // 300
    path.write_bytes(data[: 40 * page])

    lock = threading.Lock()

    def grow(_path: str, _start: int, _number: int) -> str:
        with lock, path.open("ab") as file:
            offset = file.tell()
            file.write(data[offset : offset + page])
        return ""

    server.fault = grow
    with pytest.warns(match="not closed"):
        scan = read_scan(f"{server.url}/{path.name}")
    np.testing.assert_array_equal(scan[..., :10], expected[..., :10])
    np.testing.assert_array_equal(scan[0, 5, 5, 1], expected[0, 5, 5, 1, : scan.num_frames])
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scan = scan.refresh()
        np.testing.assert_array_equal(scan[..., -5:], expected[..., scan.num_frames - 5 : scan.num_frames])


@pytest.mark.parametrize("marks", [True, False])
def test_a_server_without_etags_is_noted(server: Site, tmp_path: Path, marks: bool) -> None:
    server.marks = marks
    replace(VOLUME, volumes=30, frames_per_file=50).write(tmp_path)
    for names, subject in ((f"{server.url}/scan_00001_00001.tif", "this file"), (f"{server.url}/", "3 files")):
        notes = [finding for finding in read_scan(names).findings if finding.name == "weak-version"]
        assert [(note.is_note, subject in note.sentence) for note in notes] == ([] if marks else [(True, True)])


def test_a_long_header_stands_before_the_first_page(server: Site, tmp_path: Path) -> None:
    server.marks = False
    (path, *_) = replace(LARGE_RECORDING, settings={"hPad.text": "x" * 300_000}).write(tmp_path)
    scan = read_scan(f"{server.url}/{path.name}")
    np.testing.assert_array_equal(scan[..., ::7], read_scan(path)[..., ::7])
    np.testing.assert_array_equal(scan[0, 4, 4], read_scan(path)[0, 4, 4])
    assert len(scan.metadata["SI.hPad.text"]) == 300_000


@pytest.mark.parametrize("is_packed", [True, False])
def test_servers_without_marks_mix_no_files(server: Site, tmp_path: Path, is_packed: bool) -> None:
    server.marks = False
    path = tmp_path / "scan_00001_00001.tif"
    for recording, name in ((LARGE_RECORDING, path), (OTHER_RECORDING, tmp_path / "other.tif")):
        put(recording, name)
        if is_packed:
            image = tifffile.imread(name)
            image = image if recording is LARGE_RECORDING else image[:, ::-1].copy()
            tifffile.imwrite(name, image.reshape(-1, 256, 256), tile=(64, 64), metadata=None, photometric="minisblack")
    first = read_scan_quietly(f"{server.url}/{path.name}")
    token = first.token
    server.swap(4, tmp_path / "other.tif", path)
    with pytest.raises(ChangedFileError):
        first[:]
    with pytest.raises(ChangedFileError):
        first[..., 90:]
    assert read_scan_quietly(f"{server.url}/{path.name}").token != token


def read_scan_quietly(url: str) -> Scan:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_scan(url)


def test_a_part_that_does_not_come_is_not_left_out(server: Site, tmp_path: Path) -> None:
    LARGE_RECORDING.write(tmp_path)
    server.fault = lambda path, _start, _number: "500" if path.endswith("_00002.tif") else ""
    with pytest.raises(UnreachableError):
        read_scan(f"{server.url}/scan_00001_00001.tif", siblings=True)


def test_frames_without_numbers_where_scanimage_writes_them_are_refused(tmp_path: Path) -> None:
    (path,) = replace(VOLUME, volumes=20).write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        places = [page.tags[270].valueoffset for page in tif.pages[:8] if isinstance(page, tifffile.TiffPage)]
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            file.write(b" " * 400)
    with pytest.raises(LayoutError, match="none of the first frames has a frame number"):
        read_scan(path)


# ---------------------------------------------------------------------- names on servers


@pytest.mark.parametrize("escapes", [True, False])
@pytest.mark.parametrize("stem", ["my scan", "my%20scan"])
def test_names_with_blanks_bring_their_other_files(server: Site, tmp_path: Path, escapes: bool, stem: str) -> None:
    server.escapes = escapes
    replace(VOLUME, stem="my scan", volumes=30, frames_per_file=33).write(tmp_path)
    local_scan = read_scan(tmp_path, siblings=True)
    for name in (f"{stem}_00001_00001.tif", f"{stem}_*.tif", "", f"{stem}_00001_00001.tif?download=1"):
        remote_scan = read_scan(f"{server.url}/{name}", siblings=True)
        assert remote_scan.num_frames == local_scan.num_frames
        np.testing.assert_array_equal(remote_scan[:], local_scan[:])


def test_a_listing_without_the_file_itself_is_said(server: Site, tmp_path: Path) -> None:
    files = replace(VOLUME, volumes=30, frames_per_file=33).write(tmp_path)
    listing = tmp_path / "alone"
    listing.mkdir()
    files[0].rename(listing / files[0].name)
    with pytest.warns(match="listed without it"):
        read_scan(f"{server.url}/alone/../alone/{files[0].name}".replace("/alone/../alone/", "/alone//"), siblings=True)


def test_a_file_named_in_two_ways_is_one(server: Site, tmp_path: Path) -> None:
    (path,) = Recording(release="3.8", stem="x", frames_per_slice=10).write(tmp_path)
    fsspec.filesystem("memory").pipe_file("/d/x.tif", path.read_bytes())
    for names in (["memory://d/x.tif", "memory:///d/x.tif"], [f"{server.url}/{path.name}"] * 2):
        with pytest.raises(PathnameError, match="named twice"):
            read_scan(names)


def test_files_that_came_since_are_found(tmp_path: Path) -> None:
    files = replace(VOLUME, volumes=30, frames_per_file=30).write(tmp_path)
    memory = fsspec.filesystem("memory")
    for path in files[:2]:
        memory.pipe_file(f"/roll/{path.name}", path.read_bytes())
    scan = read_scan("memory://roll/")
    for path in files[2:]:
        memory.pipe_file(f"/roll/{path.name}", path.read_bytes())
    assert scan.refresh().num_frames == read_scan(tmp_path).num_frames


# ------------------------------------------------------------------------- what a URL is


def test_names_of_urls() -> None:
    signed_url = Url("https://h/a/scan_00001.tif?token=x/y.z#p")
    assert (signed_url.name, signed_url.stem, signed_url.suffix) == ("scan_00001.tif", "scan_00001", ".tif")
    assert str(signed_url.parent) == "https://h/a"
    url_in_archive = Url("zip://rec/scan_00001.tif::https://h/all.zip")
    assert (url_in_archive.name, str(url_in_archive.parent)) == ("scan_00001.tif", "zip://rec::https://h/all.zip")
    assert Url("simplecache::s3://b/k/scan_00002.tif").name == "scan_00002.tif"


def test_colons_alone_make_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(stem="my::scan", frames_per_slice=3).write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read_scan(path.name).num_frames == 3


def test_names_in_exports_have_no_signature(server: Site, tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    scan = read_scan(f"{server.url}/{path.name}?signature=secret")
    scan.to_ome_zarr(tmp_path / "a.zarr")
    scan.report(tmp_path / "a.html")
    for export in (tmp_path / "a.zarr" / "scanimage" / "zarr.json", tmp_path / "a.html"):
        text = export.read_text("utf-8")
        assert path.name in text
        assert "secret" not in text
    assert "secret" not in repr(scan) + scan._repr_html_()


def test_titles_of_pictures_have_no_signature(server: Site, tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    scan = read_scan(f"{server.url}/{path.name}?signature=secret/key")
    texts = [text.get_text() for figure in (scan.plot(), scan.plot_layout()) for text in figure.findobj(Text)]
    assert path.name in texts
    assert not [text for text in texts if "secret" in text or "key" in text]


def test_chains_of_file_systems(server: Site, tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "rec")
    local_scan = read_scan(tmp_path / "rec")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted((tmp_path / "rec").iterdir()):
            archive.write(path, f"rec/{path.name}")
    for url in (
        f"zip://rec/*.tif::{tmp_path / 'all.zip'}",
        f"zip://rec/*.tif::{server.url}/all.zip",
        f"simplecache::{server.url}/rec/scan_*.tif",
    ):
        np.testing.assert_array_equal(read_scan(url)[:], local_scan[:])


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path / "a#b?c")
    assert read_scan(path.as_uri()).filenames == [str(path)]
    assert read_scan(f"file://{path.as_posix()}").filenames == [str(path)]
    with pytest.raises(PathnameError, match="another machine"):
        read_scan("file://fileserver/data/a.tif")


def test_what_is_no_archive_or_server_is_our_own_error(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"nothing")
    for url in (f"zip://a.tif::{tmp_path / 'no.zip'}", "http://[::1]:1/a.tif", "reference://a.tif", "generic://a.tif"):
        with pytest.raises(ScanReaderError):
            read_scan(url)


def test_protocols_that_are_not_known() -> None:
    with pytest.raises(PathnameError, match="Protocol not known"):
        read_scan("nope://a/b.tif")
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(MissingExtraError, match="s3fs"):
            read_scan("s3://bucket/a.tif")
