"""Scans as zarr without a copy: what other libraries read there is what is read here."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, ROIS, STACK, VOLUME
from served import serve

from scanreader import (
    ChangedFileError,
    DamagedPageError,
    DtypeError,
    FileFormatError,
    LayoutError,
    Scan,
    TargetExistsError,
    read_scan,
)
from scanreader.simulate import Recording, roi, scanfield

RECORDINGS = {
    "planar": Recording(frames_per_slice=40, channels=(1, 3), frames_per_file=15),
    "volume": replace(VOLUME, volumes=30, frames_per_file=33),
    "stack": STACK,
    "mesoscope": MESOSCOPE,
    "3.8": Recording(release="3.8", frames_per_slice=5),
}
# One ROI that is narrower than the page.
NARROW_ROI = replace(MESOSCOPE, rois=(*ROIS[:2], roi(scanfield((3.6, -0.5), (1.2, 2.4), (12, 24)), name="thin")))


@pytest.fixture(params=RECORDINGS)
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scan]:
    RECORDINGS[request.param].write(tmp_path / "files")
    with read_scan(tmp_path / "files") as opened:
        yield opened


def in_order(array: Any) -> Any:
    """(time, channel, y, x) as a scan has them: (y, x, channel, time)."""
    return np.asarray(array).transpose(2, 3, 1, 0)


# ---------------------------------------------------------------------------- the store


@pytest.mark.parametrize("frames", [1, 2, 3, 100])
def test_the_store_is_the_scan(scan: Scan, frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    zarr = pytest.importorskip("zarr")
    from scanreader.bridges import zarr as bridge

    monkeypatch.setattr(bridge, "CHUNK", frames * max(field.height * field.width for field in scan.fields) * 2)
    group = zarr.open_group(scan.to_zarr_store(), mode="r")
    assert sorted(group.array_keys()) == sorted(f"field_{i}" for i in range(scan.num_fields))
    assert group.attrs["scanimage_header"] == scan.header_block
    for i, field in enumerate(scan.fields):
        array = group[f"field_{i}"]
        assert array.dtype == scan.dtype
        assert array.chunks[1:] == (1, field.height, field.width)
        assert min(frames, scan.num_frames) <= array.chunks[0] <= scan.num_frames
        assert np.array_equal(in_order(array[:]), scan[i])
        assert np.array_equal(array[-1, 0, 2:9, ::3], scan[i, 2:9, ::3, 0, -1])
        assert array.attrs["slice"] == field.slice_id


def test_the_store_is_read_only_and_lists_itself(scan: Scan) -> None:
    zarr = pytest.importorskip("zarr")
    store = scan.to_zarr_store()
    assert store.read_only
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(store, mode="r")["field_0"][0] = 1
    store_copy = pickle.loads(pickle.dumps(store))
    assert store_copy == store
    assert np.array_equal(in_order(zarr.open_group(store_copy, mode="r")["field_0"][:]), scan[0])

    async def keys() -> tuple[list[str], list[str], bool, bool]:
        every_key = [key async for key in store.list()]
        folder = [name async for name in store.list_dir("field_0/c/0")]
        return every_key, folder, await store.exists("field_0/c/0/0/0/0"), await store.exists("field_0/c/1/0/0/0")

    every_key, folder, has_chunk, has_next_chunk = asyncio.run(keys())
    assert len(every_key) == 1 + scan.num_fields * (
        1 + scan.num_channels
    )  # all frames are in one chunk, as they are small
    assert folder == [str(channel) for channel in range(scan.num_channels)]
    assert (has_chunk, has_next_chunk) == (True, False)


def test_xarray_reads_the_store(scan: Scan) -> None:
    pytest.importorskip("zarr")
    xr = pytest.importorskip("xarray")
    dataset = xr.open_zarr(scan.to_zarr_store(), consolidated=False)
    for i in range(scan.num_fields):
        assert np.array_equal(in_order(dataset[f"field_{i}"].values), scan[i])


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_page_is_an_error_not_zeros(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    scan = read_scan(path)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[20].offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x99" * 100)
    scan = read_scan(path)
    array = zarr.open_group(scan.to_zarr_store(), mode="r")["field_0"]
    with pytest.raises(DamagedPageError):
        array[20]


# ----------------------------------------------------------------------- the references


def follow(path: Path, i: int) -> np.ndarray:
    """Read a field as its references say, byte by byte: the dumb reader of kerchunk's format."""
    refs = json.loads(path.read_text("utf-8"))["refs"]
    document = json.loads(refs[f"field_{i}/.zarray"])
    out = np.empty(document["shape"], np.dtype(document["dtype"]).newbyteorder("="))
    keys = [key for key in refs if key.startswith(f"field_{i}/") and not key.partition("/")[2].startswith(".")]
    for key in keys:
        place = tuple(map(int, key.partition("/")[2].split(".")))
        name, start, size = refs[key]
        with Path(name.removeprefix("file://")).open("rb") as file:
            file.seek(start)
            chunk = np.frombuffer(file.read(size), document["dtype"]).reshape(document["chunks"])
        out[tuple(slice(n * c, (n + 1) * c) for n, c in zip(place, document["chunks"], strict=True))] = chunk
    assert len(keys) == np.prod([-(-n // c) for n, c in zip(document["shape"], document["chunks"], strict=True)])
    return out


def test_references_lead_to_the_pixels(scan: Scan, tmp_path: Path) -> None:
    path = tmp_path / "references.json"
    scan.to_references(path)
    for i in range(scan.num_fields):
        assert np.array_equal(in_order(follow(path, i)), scan[i])
    with pytest.raises(TargetExistsError):
        scan.to_references(path)
    scan.to_references(path, overwrite=True)


def test_a_field_narrower_than_the_page_is_referred_to_by_rows(tmp_path: Path) -> None:
    NARROW_ROI.write(tmp_path / "files")
    with pytest.warns(match="left edge of the page"):
        scan = read_scan(tmp_path / "files")
    path = tmp_path / "references.json"
    scan.to_references(path)
    assert {scan.byte_places(i).whole_rows for i in range(scan.num_fields)} == {True, False}
    for i in range(scan.num_fields):
        assert np.array_equal(in_order(follow(path, i)), scan[i])


def test_trimmed_fields_are_referred_to_by_rows(tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "files")
    scan = read_scan(tmp_path / "files").trimmed(left=2, right=1, top=3)
    scan.to_references(tmp_path / "r.json")
    for i in range(scan.num_fields):
        assert np.array_equal(in_order(follow(tmp_path / "r.json", i)), scan[i])


def test_big_endian_files(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "be.tif", np.arange(5 * 8 * 8, dtype=">i2").reshape(5, 8, 8), byteorder=">", metadata=None
    )
    with pytest.warns(match="not written by ScanImage"):
        scan = read_scan(tmp_path / "be.tif")
    scan.to_references(tmp_path / "r.json")
    assert scan.byte_places(0).dtype == np.dtype(">i2")
    assert np.array_equal(in_order(follow(tmp_path / "r.json", 0)), scan[0])


def test_files_of_two_byte_orders_are_not_referred_to_together(tmp_path: Path) -> None:
    paths = [tmp_path / "le.tif", tmp_path / "be.tif"]
    data = np.arange(5 * 8 * 8, dtype=np.int16).reshape(5, 8, 8)
    tifffile.imwrite(paths[0], data, byteorder="<", metadata=None)
    tifffile.imwrite(paths[1], data, byteorder=">", metadata=None)
    with pytest.warns(match="joined"):
        scan = read_scan(paths)
    with pytest.raises(LayoutError, match="byte order"):
        scan.to_references(tmp_path / "r.json")


def test_what_cannot_be_referred_to_is_refused(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    with pytest.raises(DtypeError, match="without dtype"):
        read_scan(path, np.float32).to_references(tmp_path / "r.json")
    packed_path = tmp_path / "packed.tif"
    tifffile.imwrite(packed_path, np.zeros((5, 8, 8), np.int16), compression="zlib", metadata=None)
    with pytest.warns(match="not written by ScanImage"):
        scan = read_scan(packed_path)
    with pytest.raises(FileFormatError, match="compressed"):
        scan.to_references(tmp_path / "r.json")
    strips = tuple(roi(scanfield((x, 0.0), (2.0, 8.0), (12, 48))) for x in (-1.0, 1.0))
    (joined,) = Recording(stem="joined", frames_per_slice=2, rois=strips).write(tmp_path)
    with pytest.raises(LayoutError, match="join_contiguous"):
        read_scan(joined, join_contiguous=True).to_references(tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists()


def test_damaged_pages_and_changed_files_are_not_referred_to(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=200).write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[111].offset
    scan = read_scan(path)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x99" * 100)
    with pytest.raises(ChangedFileError):
        scan.to_references(tmp_path / "r.json")
    with pytest.raises(DamagedPageError):
        read_scan(path).to_references(tmp_path / "r.json")
    assert list(tmp_path.glob("*.json")) == []


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
def test_kerchunk_and_virtualizarr_read_the_references(scan: Scan, tmp_path: Path) -> None:
    pytest.importorskip("kerchunk")
    xr = pytest.importorskip("xarray")
    zarr = pytest.importorskip("zarr")
    parsers = pytest.importorskip("virtualizarr.parsers")
    registry = pytest.importorskip("obspec_utils.registry")
    stores = pytest.importorskip("obstore.store")
    path = tmp_path / "references.json"
    scan.to_references(path)
    with xr.open_dataset(str(path), engine="kerchunk") as dataset:
        for i in range(scan.num_fields):
            assert np.array_equal(in_order(dataset[f"field_{i}"].values), scan[i])
        assert dataset.attrs["scanimage_header"] == scan.header_block
    stores_by_url = registry.ObjectStoreRegistry({"file://": stores.LocalStore()})
    group = zarr.open_group(parsers.KerchunkJSONParser()(path.as_uri(), stores_by_url), mode="r")
    for i in range(scan.num_fields):
        assert np.array_equal(in_order(group[f"field_{i}"][:]), scan[i])


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
def test_references_to_a_server(tmp_path: Path) -> None:
    pytest.importorskip("kerchunk")
    pytest.importorskip("aiohttp")
    xr = pytest.importorskip("xarray")
    VOLUME.write(tmp_path / "files")
    with serve(tmp_path) as server:
        scan = read_scan(f"{server.url}/files/*.tif")
        scan.to_references(tmp_path / "r.json")
        with xr.open_dataset(str(tmp_path / "r.json"), engine="kerchunk") as dataset:
            assert np.array_equal(in_order(dataset["field_2"].values), scan[2])


@pytest.mark.slow
def test_a_million_pages_are_referred_to(tmp_path: Path) -> None:
    Recording(height=4, width=4, frames_per_slice=1_000_000, frames_per_file=10**6, slot=400).write(tmp_path)
    scan = read_scan(tmp_path)
    scan.to_references(tmp_path / "r.json")
    with (tmp_path / "r.json").open(encoding="utf-8") as file:
        assert sum(line.startswith('"field_0/') for line in file) == 1_000_002
    refs = json.loads((tmp_path / "r.json").read_text("utf-8"))["refs"]
    for frame in (0, 1, 499_999, 999_999):
        name, start, size = refs[f"field_0/{frame}.0.0.0"]
        with Path(name.removeprefix("file://")).open("rb") as file:
            file.seek(start)
            assert file.read(size) == scan[0, :, :, 0, frame].tobytes()
