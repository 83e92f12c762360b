"""Scans in other libraries: what comes out there is what is read here."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME

from scanreader import FieldDimensionMismatch, MissingExtraError, Scan, read_scan
from scanreader.simulate import Recording

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Zarr.*"),
]


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Scan]:
    replace(VOLUME, volumes=30, frames_per_file=33).write(tmp_path / "volume")
    with read_scan(tmp_path / "volume") as scan:
        yield scan


@pytest.fixture
def mesoscope(tmp_path: Path) -> Iterator[Scan]:
    MESOSCOPE.write(tmp_path / "mesoscope")
    with read_scan(tmp_path / "mesoscope") as scan:
        yield scan


def test_a_missing_library_is_one_sentence(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=2).write(tmp_path)
    for module, method, extra in (("dask", "to_dask", "dask"), ("xarray", "to_xarray", "xarray")):
        code = (
            f"import sys; sys.modules['{module}'] = None\n"
            "from scanreader import read_scan, MissingExtraError\n"
            f"try: read_scan(sys.argv[1]).{method}()\n"
            "except MissingExtraError as error: print(error)"
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout == f"this needs {module}: pip install 'scanreader[{extra}]'\n"
    assert issubclass(MissingExtraError, ImportError)


# ----------------------------------------------------------------------------- dask


def test_dask_array_is_the_scan(volume: Scan) -> None:
    pytest.importorskip("dask.array")
    array = volume.to_dask()
    assert array.shape == volume.shape
    assert array.dtype == volume.dtype
    whole = volume[:]
    assert np.array_equal(array.compute(), whole)
    for key in (np.s_[1], np.s_[:, 3:7, ::2, 0], np.s_[0, :, :, 1, -5:], np.s_[2, 5, 5, 0, [3, 1, 7]]):
        assert np.array_equal(array[key].compute(), whole[key])
    assert np.array_equal(volume.to_dask(1)[..., 4].compute(), whole[1, ..., 4])
    assert np.allclose(array.mean(axis=-1).compute(), whole.mean(axis=-1))


def test_dask_chunks_are_whole_frames(tmp_path: Path) -> None:
    pytest.importorskip("dask.array")
    Recording(height=512, width=512, frames_per_slice=2000, channels=(1, 2), holes=True).write(tmp_path)
    scan = read_scan(tmp_path)
    array = scan.to_dask()
    assert array.chunksize == (1, 512, 512, 2, 64)
    assert array.chunksize[1:4] == scan.shape[1:4]
    assert len(array.__dask_graph__()) < 100
    assert scan.to_dask(frames=10).chunksize[-1] == 10


def test_dask_names_are_stable_and_small(volume: Scan) -> None:
    base = pytest.importorskip("dask.base")
    again = pickle.loads(pickle.dumps(volume))
    assert volume.to_dask().name == again.to_dask().name
    assert volume.to_dask(0).name != volume.to_dask(1).name
    assert volume.to_dask().name != volume.trimmed(left=1).to_dask().name
    assert base.tokenize(volume) == base.tokenize(again)
    assert len(pickle.dumps(volume.to_dask())) < 64_000


def test_dask_of_fields_of_other_sizes(mesoscope: Scan) -> None:
    pytest.importorskip("dask.array")
    with pytest.raises(FieldDimensionMismatch, match=r"to_dask\(0\)"):
        mesoscope.to_dask()
    for i in range(mesoscope.num_fields):
        assert np.array_equal(mesoscope.to_dask(i).compute(), mesoscope[i])


def _process(_: Any) -> Any:
    return np.full((1, 1, 1, 1), os.getpid())


@pytest.mark.filterwarnings("ignore")
def test_two_processes_of_dask_share_what_one_cannot_hold(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    Recording(height=512, width=512, frames_per_slice=2400, holes=True).write(tmp_path)
    scan = read_scan(tmp_path)
    limit = 900 << 20
    assert scan.nbytes > limit
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, memory_limit=limit, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        array = scan.to_dask(0)
        mean = array.mean(axis=-1).compute()
        processes = array.map_blocks(_process, dtype=int).compute()
    right = sum(scan[0, :, :, :, start : start + 200].sum(axis=-1, dtype=float) for start in range(0, 2400, 200)) / 2400
    assert np.allclose(mean, right)
    assert len(np.unique(processes)) == 2


# --------------------------------------------------------------------------- xarray


def assert_dataset(dataset: Any, scan: Scan) -> None:
    """See that a dataset of fields of one size is the scan."""
    assert dataset["data"].dims == ("field", "y", "x", "channel", "time")
    assert np.array_equal(dataset["data"].values, scan[:])
    assert dataset["channel"].values.tolist() == scan.channel_names
    assert np.allclose(dataset["field_time"].values, [scan.field_timestamps(i) for i in range(scan.num_fields)])
    assert dataset["z"].values.tolist() == scan.field_depths
    assert dataset.attrs["release"] == scan.release
    assert dataset.attrs["scanimage_header"] == scan.header
    for i, field in enumerate(scan.fields):
        rows, columns = dataset["field_y"].values[i], dataset["field_x"].values[i]
        for pixel in ((0, 0), (3, 5)):
            x, y, _ = field.affine @ [pixel[1], pixel[0], 1]
            assert (columns[pixel[1]], rows[pixel[0]]) == pytest.approx((x, y))


def test_xarray_dataset_is_the_scan(volume: Scan) -> None:
    pytest.importorskip("xarray")
    assert_dataset(volume.to_xarray(), volume)


def test_xarray_opens_scanimage_s_files(volume: Scan, tmp_path: Path) -> None:
    xr = pytest.importorskip("xarray")
    pattern = str(tmp_path / "volume" / "scan_*.tif")
    with xr.open_dataset(pattern, engine="scanreader") as dataset:
        assert_dataset(dataset, volume)
    with xr.open_dataset(volume.filenames[0]) as guessed:
        assert guessed["data"].shape == volume.shape
    with xr.open_dataset(pattern, engine="scanreader", chunks={}) as chunked:
        assert chunked["data"].chunks[0] == (1, 1, 1)
        assert np.array_equal(chunked["data"].values, volume[:])


def test_xarray_guesses_scanimage_s_files_alone(volume: Scan, tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    from scanreader.bridges.xarray import ScanReaderBackend

    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
    (tmp_path / "no.tif").write_bytes(b"nothing")
    guess = ScanReaderBackend().guess_can_open
    assert guess(volume.filenames[0])
    assert not any(guess(name) for name in (str(tmp_path / "plain.tif"), tmp_path / "no.tif", "nope.tif", "a.nc", 3))


@pytest.mark.parametrize(
    "key",
    [
        {"field": 1},
        {"time": slice(2, 20, 3), "y": [3, 1, 7]},
        {"field": [2, 0], "x": slice(None, None, -1), "channel": 1},
        {"time": [5, 5, 1], "field": -1},
        {"y": 3, "x": 4, "channel": 0},
    ],
    ids=str,
)
def test_xarray_reads_what_it_indexes(volume: Scan, key: dict[str, Any]) -> None:
    xr = pytest.importorskip("xarray")
    whole = xr.DataArray(volume[:], dims=("field", "y", "x", "channel", "time"))
    assert np.array_equal(volume.to_xarray()["data"].isel(key).values, whole.isel(key).values)
    vectorised = {"time": xr.DataArray([1, 2, 3], dims="p"), "y": xr.DataArray([4, 5, 6], dims="p")}
    assert np.array_equal(volume.to_xarray()["data"].isel(vectorised).values, whole.isel(vectorised).values)


def test_xarray_is_lazy(volume: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xarray")
    dataset = volume.to_xarray()
    read: list[Any] = []
    original = Scan.__getitem__

    def noted(self: Scan, key: Any) -> Any:
        read.append(key)
        return original(self, key)

    monkeypatch.setattr(Scan, "__getitem__", noted)
    frame = dataset["data"].isel(field=0, channel=0, time=3)
    assert read == []
    assert frame.values.shape == (16, 16)
    assert len(read) == 1


@pytest.mark.parametrize("to", ["netcdf", "zarr"])
def test_xarray_datasets_are_written_and_read_again(volume: Scan, mesoscope: Scan, tmp_path: Path, to: str) -> None:
    xr = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf" if to == "netcdf" else "zarr")
    for name, scan in (("volume", volume), ("mesoscope", mesoscope)):
        dataset, path = scan.to_xarray(), tmp_path / f"{name}.{to}"
        if to == "netcdf":
            dataset.to_netcdf(path, engine="h5netcdf")
        else:
            dataset.to_zarr(path)
        with xr.open_dataset(path, engine="h5netcdf" if to == "netcdf" else "zarr") as again:
            assert again.attrs == dataset.attrs
            for variable in dataset.data_vars:
                assert np.array_equal(again[variable].values, dataset[variable].values)
                assert again[variable].attrs == dataset[variable].attrs


def test_xarray_of_fields_of_other_sizes(mesoscope: Scan) -> None:
    pytest.importorskip("xarray")
    dataset = mesoscope.to_xarray()
    for i, field in enumerate(mesoscope.fields):
        variable = dataset[f"field_{i}"]
        assert np.array_equal(variable.values, mesoscope[i])
        assert (variable.attrs["name"], variable.attrs["z"]) == (field.name, field.depth)
        assert np.allclose(dataset[f"time_{i}"].values, mesoscope.field_timestamps(i))


@pytest.mark.parametrize("made", [STACK, Recording(release="3.8", frames_per_slice=5)], ids=["stack", "3.8"])
def test_xarray_of_what_lies_nowhere_or_stands_still(tmp_path: Path, made: Recording) -> None:
    pytest.importorskip("xarray")
    made.write(tmp_path)
    scan = read_scan(tmp_path)
    dataset = scan.to_xarray()
    assert np.array_equal(dataset["data"].values, scan[:])
    assert dataset["y"].attrs["units"] == ("um" if math.isfinite(scan.microns_per_degree) else "pixel")
