"""Every export of every odd scan (odd.py) has its pixels, or says by a typed error why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from bridges.odd import ODD_SCANS

from scanreader import DtypeError, FieldDimensionMismatch, LayoutError, MissingExtraError, Scan, ScanReaderError
from scanreader.bridges.npy import to_npy

Array = npt.NDArray[Any]

pytestmark = [
    pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning"),  # what an export leaves out
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

# ------------------------------------------------------- pixels of each field, (y, x, channels, frames)


def dask(scan: Scan, folder: Path) -> Iterator[Array]:
    pytest.importorskip("dask.array")
    for i in range(scan.num_fields):
        yield scan.to_dask(i, frames=2).compute(scheduler="synchronous")


def dask_of_all(scan: Scan, folder: Path) -> Iterator[Array]:
    pytest.importorskip("dask.array")
    yield from scan.to_dask().compute(scheduler="synchronous")


def xarray(scan: Scan, folder: Path) -> Iterator[Array]:
    pytest.importorskip("xarray")
    dataset = scan.to_xarray(grouped="field")
    is_one = "data" in dataset
    for i in range(scan.num_fields):
        yield dataset["data"].values[i] if is_one else dataset[f"field_{i}"].values


def zarr_store(scan: Scan, folder: Path) -> Iterator[Array]:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(scan.to_zarr_store(), mode="r")
    for i in range(scan.num_fields):
        yield group[f"field_{i}"][:].transpose(2, 3, 1, 0)


def references(scan: Scan, folder: Path) -> Iterator[Array]:
    scan.to_references(folder / "a.json")
    entries = json.loads((folder / "a.json").read_text("utf-8"))["refs"]
    for i in range(scan.num_fields):
        document = json.loads(entries[f"field_{i}/.zarray"])
        frames, channels, height, width = document["shape"]
        out = np.empty((height, width, channels, frames), document["dtype"])
        rows = document["chunks"][2]
        for t, c, row in np.ndindex(frames, channels, height // rows):
            url, start, size = entries[f"field_{i}/{t}.{c}.{row}.0"]
            content = Path(url.removeprefix("file://")).read_bytes()[start : start + size]
            out[row * rows : (row + 1) * rows, :, c, t] = np.frombuffer(content, out.dtype).reshape(rows, width)
        yield out


def npy(scan: Scan, folder: Path) -> Iterator[Array]:
    to_npy(scan, folder / "a.npy")
    yield from np.load(folder / "a.npy")


def ome_tiff(scan: Scan, folder: Path) -> Iterator[Array]:
    scan.to_ome_tiff(folder / "a.ome.tif", grouped="field")
    with tifffile.TiffFile(folder / "a.ome.tif") as file:
        assert len(file.series) == scan.num_fields
        for i, image in enumerate(file.series):
            shape = (scan.num_frames, scan.num_channels, scan.fields[i].height, scan.fields[i].width)
            yield image.asarray().reshape(shape).transpose(2, 3, 1, 0)


def ome_zarr(scan: Scan, folder: Path) -> Iterator[Array]:
    zarr = pytest.importorskip("zarr")
    scan.to_ome_zarr(folder / "a.zarr", levels=1, grouped="field")
    root = zarr.open_group(folder / "a.zarr", mode="r")
    for i in range(scan.num_fields):
        image = root[str(i)] if scan.num_fields > 1 else root
        yield image["0"][:, :, 0].transpose(2, 3, 1, 0)


def suite2p(scan: Scan, folder: Path) -> Iterator[Array]:
    """A channel at a time: suite2p takes two."""
    for channel in range(scan.num_channels):
        scan.to_suite2p(folder / str(channel), channels=channel)
    for i, field in enumerate(scan.fields):
        planes = [folder / str(channel) / "suite2p" / f"plane{i}" for channel in range(scan.num_channels)]
        db = np.load(planes[0] / "db.npy", allow_pickle=True).item()
        assert len(db["lines"]) == db["Ly"] == field.height
        movies = [np.fromfile(plane / "data.bin", "<i2").reshape(-1, db["Ly"], db["Lx"]) for plane in planes]
        yield np.stack(movies).transpose(2, 3, 0, 1)


def napari(scan: Scan, folder: Path) -> Iterator[Array]:
    """Layers of several depths are taken apart, by the fields that they name."""
    out = [np.empty((f.height, f.width, scan.num_channels, scan.num_frames), scan.dtype) for f in scan.fields]
    missing_images = {(i, c) for i in range(scan.num_fields) for c in range(scan.num_channels)}
    for data, options, kind in scan.to_napari_layers():
        assert kind == "image"
        fields, channel = options["metadata"]["fields"], options["metadata"]["channel"]
        pixels = np.asarray(data)
        assert pixels.ndim == len(options["axis_labels"])
        for place, i in enumerate(fields):
            out[i][:, :, channel] = (pixels[:, place] if pixels.ndim == 4 else pixels).transpose(1, 2, 0)
            missing_images.remove((i, channel))
    assert missing_images == set()
    yield from out


def nwb(scan: Scan, folder: Path) -> Iterator[Array]:
    pynwb = pytest.importorskip("pynwb")
    scan.to_nwb(folder / "a.nwb", timezone="UTC", grouped="field")
    with pynwb.NWBHDF5IO(str(folder / "a.nwb"), "r") as io:
        acquisition = io.read().acquisition
        for i in range(scan.num_fields):
            series = [acquisition[f"TwoPhotonSeriesField{i}Channel{c}"].data[:] for c in range(scan.num_channels)]
            yield np.stack(series).transpose(3, 2, 0, 1)


# ---------------------------------------------------------------------------- what is refused


class Refusal(NamedTuple):
    """A documented error."""

    error: type[ScanReaderError]
    match: str


def refusal(export: Any, scan: Scan) -> Refusal | None:
    """The error that is documented for an export of a scan; None if it has to work."""
    if export is suite2p and scan.dtype.kind not in "iu":
        return Refusal(DtypeError, "suite2p's files hold 16-bit integers")
    if export is suite2p and max(scan[i].max() for i in range(scan.num_fields)) > np.iinfo(np.int16).max:
        return Refusal(DtypeError, "would wrap")
    if export in (npy, dask_of_all) and len({(field.height, field.width) for field in scan.fields}) > 1:
        return Refusal(FieldDimensionMismatch, "fields differ in size")
    is_old = tuple(map(int, tifffile.__version__.split(".")[:3])) < (2024, 9, 20)
    if export is ome_tiff and is_old and any(field.width == 1 for field in scan.fields):
        return Refusal(MissingExtraError, "one pixel wide")
    if export is references:
        return _refused_references(scan)
    return None


def _refused_references(scan: Scan) -> Refusal | None:
    if scan.opened.pixels.change:
        return Refusal(LayoutError, "the pixels of field 0 are moved when they are read")
    if any(len(field.pieces) > 1 for field in scan.fields):
        return Refusal(LayoutError, "places of a page")
    if any(field.uncovered for field in scan.fields):
        return Refusal(LayoutError, "were not recorded, so they are in no file")
    if scan.opened.dtype != scan.opened.pages.dtype:
        return Refusal(DtypeError, "the files hold")
    return None


PLAIN_EXPORTS = (dask, dask_of_all, xarray, zarr_store, references, npy, ome_tiff, ome_zarr, suite2p, napari)
EXPORTS = [
    *(pytest.param(export, id=export.__name__) for export in PLAIN_EXPORTS),
    pytest.param(nwb, id="nwb", marks=pytest.mark.ecosystem),
]


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize(("name", "make"), ODD_SCANS, ids=[name for name, _ in ODD_SCANS])
def test_an_export_has_the_scan_s_pixels(
    tmp_path: Path, name: str, make: Callable[[Path], Scan], export: Callable[[Scan, Path], Iterator[Array]]
) -> None:
    with make(tmp_path / "raw") as scan:
        (tmp_path / "out").mkdir()
        expected = refusal(export, scan)
        if expected is not None:
            with pytest.raises(expected.error, match=expected.match):
                list(export(scan, tmp_path / "out"))
            assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
            return
        exported_fields = list(export(scan, tmp_path / "out"))
        assert len(exported_fields) == scan.num_fields
        for i, pixels in enumerate(exported_fields):
            np.testing.assert_array_equal(pixels, scan[i])


def test_odd_scans_are_odd(tmp_path: Path) -> None:
    """A recording that became ordinary would test nothing."""
    names = [name for name, _ in ODD_SCANS]
    assert len({*names}) == len(names)
    scans = {name: make(tmp_path / name) for name, make in ODD_SCANS}

    def sizes(name: str) -> set[tuple[int, int]]:
        return {(field.height, field.width) for field in scans[name].fields}

    assert len(sizes("unequal fields")) > 1
    for name in names:
        joined = any(len(field.pieces) == 4 for field in scans[name].fields)
        assert joined == ("joined" in name), name
    assert scans["joined, trimmed, selected, realigned"].opened.pixels.change
    assert len(scans["several stretches"].layout.stretches) == 3
    assert scans["14 channels"].num_channels == 14
    assert scans["one frame"].num_frames == 1
    assert sizes("one pixel") == {(1, 1)}
    assert "\0" in scans["strange texts"].header_block
    assert len({field.pixel_width_in_microns for field in scans["pixels of unequal size"].fields}) == 2
    assert len(sizes("pixels of unequal size")) == 1
    assert scans["rotated"].fields[0].rotation == 30
    assert scans["big-endian float64"].dtype == np.dtype(">f8")
    assert np.isnan(scans["unknown depths"].field_depths).all()
    assert np.isnan(scans["unknown places"].microns_per_degree)
    assert scans["pages"].num_fields == 1
    for scan in scans.values():
        scan.close()
