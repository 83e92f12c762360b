"""Dtypes: each format has the pixels exactly, or says before it writes that it does not have the dtype."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import VOLUME, expected

from scanreader import DtypeError, Scan, ScanReaderWarning, read_scan
from scanreader.bridges.npy import to_npy
from scanreader.simulate import Recording

Reader = Callable[[Scan, Path], Any]

RECORDING = Recording(frames_per_slice=5, channels=(1, 2), height=9, width=7, dtype="int8")
INTEGERS, LONG_INTEGERS = {"int8", "int16", "int32"}, {"int64"}
FLOATS, COMPLEX = {"float32", "float64", ">f4"}, {"complex64", "complex128"}
OTHER_TYPES = {"float16", "longdouble", "clongdouble"}
ALL_TYPES = sorted(INTEGERS | LONG_INTEGERS | FLOATS | COMPLEX | OTHER_TYPES)


def ome_tiff(scan: Scan, path: Path) -> Any:
    scan.to_ome_tiff(path, grouped="field")
    return tifffile.imread(path).transpose(2, 3, 1, 0)


def ome_zarr(scan: Scan, path: Path) -> Any:
    zarr = pytest.importorskip("zarr")
    scan.to_ome_zarr(path, levels=1, grouped="field")
    return zarr.open_group(path, mode="r")["0"][:, :, 0].transpose(2, 3, 1, 0)


def zarr_store(scan: Scan, path: Path) -> Any:
    zarr = pytest.importorskip("zarr")
    array = zarr.open_group(scan.to_zarr_store(), mode="r")["field_0"]
    assert array.fill_value == 0
    return array[:].transpose(2, 3, 1, 0)


def npy(scan: Scan, path: Path) -> Any:
    to_npy(scan, path)
    return np.load(path)[0]


def suite2p(scan: Scan, path: Path) -> Any:
    scan.to_suite2p(path)
    movies = [np.fromfile(path / "suite2p" / "plane0" / name, "<i2") for name in ("data.bin", "data_chan2.bin")]
    return np.stack(movies, axis=-1).reshape(5, 9, 7, 2).transpose(1, 2, 3, 0).astype(scan.dtype)


def napari(scan: Scan, path: Path) -> Any:
    return np.stack([np.asarray(data) for data, _, _ in scan.to_napari_layers()], axis=-1).transpose(1, 2, 3, 0)


def dask(scan: Scan, path: Path) -> Any:
    pytest.importorskip("dask.array")
    return scan.to_dask(0).compute(scheduler="synchronous")


def xarray(scan: Scan, path: Path) -> Any:
    pytest.importorskip("xarray")
    return scan.to_xarray()["data"].values[0]


def nwb(scan: Scan, path: Path) -> Any:
    pynwb = pytest.importorskip("pynwb")
    scan.to_nwb(path, timezone="UTC")
    assert not pynwb.validate(path=str(path))
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        series = [io.read().acquisition[f"TwoPhotonSeriesField0Channel{i}"] for i in (0, 1)]
        return np.stack([image_series.data[:] for image_series in series], axis=-1).transpose(2, 1, 3, 0)


REAL_TYPES = INTEGERS | LONG_INTEGERS | FLOATS | {"float16"}
FORMATS: list[Any] = [
    (ome_tiff, INTEGERS | FLOATS | COMPLEX),
    (ome_zarr, REAL_TYPES),
    (zarr_store, REAL_TYPES | COMPLEX),
    (npy, set(ALL_TYPES)),
    (suite2p, INTEGERS | LONG_INTEGERS),
    (napari, REAL_TYPES),
    (dask, set(ALL_TYPES)),
    (xarray, set(ALL_TYPES)),
]
CASES = [
    *(pytest.param(*case, id=case[0].__name__) for case in FORMATS),
    pytest.param(
        nwb,
        REAL_TYPES - {"float16"},
        id="nwb",
        marks=[
            pytest.mark.ecosystem,
            pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
        ],
    ),
]


@pytest.mark.parametrize("dtype", ALL_TYPES)
@pytest.mark.parametrize(("read_back", "dtypes"), CASES)
def test_pixels_are_exact_or_refused(tmp_path: Path, read_back: Reader, dtypes: set[str], dtype: str) -> None:
    if np.dtype(dtype).name == "float64" and dtype == "longdouble":
        pytest.skip("on this machine a long double is a double")
    paths = RECORDING.write(tmp_path / "raw")
    (pixels,) = expected(RECORDING, paths)
    with read_scan(paths, dtype=dtype) as scan:
        if dtype in dtypes:
            pixels_read = read_back(scan, tmp_path / "a.nwb")
            np.testing.assert_array_equal(pixels_read, pixels)
            assert pixels_read.dtype.newbyteorder("=") == np.dtype(dtype).newbyteorder("=")
            return
        with pytest.raises(DtypeError, match=rf"not (of )?{np.dtype(dtype).name}: open the recording without dtype"):
            read_back(scan, tmp_path / "a.nwb")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("read_back", [pytest.param(case.values[0], id=case.id, marks=case.marks) for case in CASES])
def test_integers_without_sign(tmp_path: Path, read_back: Reader, dtype: str) -> None:
    recording = replace(
        RECORDING, dtype=dtype if dtype != "uint64" else "uint32", pixels=lambda *_: np.full((9, 7), 200)
    )
    paths = recording.write(tmp_path / "raw")
    with read_scan(paths, dtype=dtype) as scan:
        if read_back is ome_tiff and dtype == "uint64":
            with pytest.raises(DtypeError, match="OME-TIFF holds pixels of int8, int16, int32, uint8"):
                read_back(scan, tmp_path / "a.nwb")
            return
        np.testing.assert_array_equal(read_back(scan, tmp_path / "a.nwb"), expected(recording, paths)[0])


def test_an_ome_zarr_without_ome_xml_says_so(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    VOLUME.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw", dtype="int64") as scan:
        with pytest.warns(ScanReaderWarning, match=r"OME-XML has no int64 pixels: OME/METADATA.ome.xml is skipped"):
            scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
        assert not (tmp_path / "a.zarr" / "OME" / "METADATA.ome.xml").exists()
        scan.select(fields=[0]).to_ome_zarr(tmp_path / "one.zarr", grouped="field")  # which never has it
