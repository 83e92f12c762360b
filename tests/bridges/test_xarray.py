"""Xarray's coordinates: µm where they hold for every field, and texts that netCDF takes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from common import MESOSCOPE, VOLUME

from scanreader import read_scan
from scanreader.simulate import Recording, roi, scanfield

xr = pytest.importorskip("xarray")

MICRONS_PER_DEGREE = 15


def side_by_side(*sizes: tuple[float, float], rotation: float = 0.0) -> Recording:
    """Fields of 12 x 8 pixels, of these sizes (x, y) in degrees."""
    rois = tuple(
        roi(scanfield((6.0 * i, 1.0), size, (12, 8), rotation=rotation), name=f"ROI {i}")
        for i, size in enumerate(sizes)
    )
    return replace(MESOSCOPE, mode="planar", zs=(0.0,), flyback=0, frames_per_slice=3, rois=rois)


@pytest.mark.parametrize("sizes", [((3.0, 2.0), (2.0, 2.0)), ((3.0, 2.0), (3.0, 1.0)), ((3.0, 2.0), (3.003, 2.0))])
def test_places_common_to_all_fields_are_in_pixels_where_pixels_differ(
    tmp_path: Path, sizes: tuple[tuple[float, float], ...]
) -> None:
    side_by_side(*sizes).write(tmp_path)
    with read_scan(tmp_path) as scan:
        data = scan.to_xarray(grouped="field")
        assert data["data"].dims == ("field", "y", "x", "channel", "time")
        for name, count in (("y", 8), ("x", 12)):
            assert data[name].attrs["units"] == "pixel"
            np.testing.assert_array_equal(data[name], np.arange(count))
        for i, size in enumerate(sizes):  # which are where ScanImage says
            width, height = (MICRONS_PER_DEGREE * side for side in size)
            x = MICRONS_PER_DEGREE * 6.0 * i + width * (np.arange(12) - 5.5) / 12
            y = MICRONS_PER_DEGREE * 1.0 + height * (np.arange(8) - 3.5) / 8
            np.testing.assert_allclose(data["field_x"][i], x, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(data["field_y"][i], y, rtol=1e-9, atol=1e-9)
        assert data["field_y"].attrs["units"] == data["field_x"].attrs["units"] == "um"


def test_places_common_to_all_fields_are_in_microns_where_pixels_are_equal(tmp_path: Path) -> None:
    side_by_side((3.0, 2.0), (3.0 * (1 + 1e-9), 2.0)).write(tmp_path)
    with read_scan(tmp_path) as scan:
        data = scan.to_xarray(grouped="field")
        assert data["y"].attrs["units"] == data["x"].attrs["units"] == "um"
        np.testing.assert_allclose(data["x"], 45 * (np.arange(12) - 5.5) / 12)
        np.testing.assert_allclose(data["y"], 30 * (np.arange(8) - 3.5) / 8)


def test_places_without_microns_count_pixels(tmp_path: Path) -> None:
    Recording(release="3.8", frames_per_slice=3).write(tmp_path)
    with read_scan(tmp_path) as scan:
        assert math.isnan(scan.microns_per_degree)
        data = scan.to_xarray(grouped="field")
        for name in ("y", "x", "field_y", "field_x"):
            assert data[name].attrs["units"] == "pixel"
            np.testing.assert_array_equal(np.atleast_2d(data[name])[0], np.arange(16))


def test_the_rotation_of_fields_is_told(tmp_path: Path) -> None:
    side_by_side((3.0, 2.0), (3.0, 2.0), rotation=30).write(tmp_path)
    with read_scan(tmp_path) as scan:
        data = scan.to_xarray(grouped="field")
        assert data["rotation"].values.tolist() == [30, 30]
        assert data["rotation"].attrs["units"] == "degree"


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_netcdf_takes_every_text(tmp_path: Path) -> None:
    pytest.importorskip("h5netcdf")
    rois = tuple(
        roi(scanfield((x, 0.0), (3.0, 2.0), pixels), name=f"V\0{i}\x01\ud800")
        for i, (x, pixels) in enumerate([(0.0, (12, 8)), (6.0, (12, 8)), (12.0, (12, 9))])
    )
    settings = {"hUser.note": "a\0b\x0bc"}
    for count in (2, 3):  # of one size, and of several
        folder = tmp_path / str(count)
        replace(MESOSCOPE, rois=rois[:count], settings=settings).write(folder)
        with read_scan(folder) as scan:
            assert "a\0b" in scan.header_block
            dataset = scan.to_xarray(grouped="field")
            dataset.to_netcdf(folder / "a.nc", engine="h5netcdf")
            with xr.open_dataset(folder / "a.nc", engine="h5netcdf") as dataset_read:
                assert dataset_read.attrs == dataset.attrs
                assert "a\ufffdb\ufffdc" in dataset_read.attrs["scanimage_header"]
                names = (
                    dataset_read["name"].values[:2]
                    if count == 2
                    else [dataset_read[f"field_{i}"].attrs["name"] for i in (0, 1)]
                )
                assert list(names) == ["V\ufffd0\ufffd\ufffd", "V\ufffd1\ufffd\ufffd"]


def test_other_texts_stay_as_they_are(tmp_path: Path) -> None:
    replace(VOLUME, settings={"hUser.note": "µ 脳 \U0001f42d \t tab"}).write(tmp_path)
    with read_scan(tmp_path) as scan:
        assert scan.to_xarray(grouped="field").attrs["scanimage_header"] == scan.header_block
