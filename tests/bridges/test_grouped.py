"""Volumes as one image in every export: z is the depth, from the smallest to the largest."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import LIGHT_BEADS, MESOSCOPE, VOLUME
from typer.testing import CliRunner

from scanreader import LayoutError, Scan, ScanKeyError, ScanReaderWarning, read_scan
from scanreader.bridges.hdf5 import to_hdf5
from scanreader.bridges.tiff import to_tiff
from scanreader.simulate import roi, scanfield

DEPTHS = (60.0, 0.0, 90.0, 30.0, 120.0)
SHUFFLED_VOLUME = replace(VOLUME, zs=DEPTHS, flyback=1, volumes=6, height=12, width=10)
UNEVEN_VOLUME = replace(SHUFFLED_VOLUME, zs=(0.0, 30.0, 75.0))
BY_DEPTH = tuple(int(i) for i in np.argsort(DEPTHS))
# A is in both slices, B in one: a volume and a single field.
WITH_SINGLE = replace(
    MESOSCOPE,
    rois=(
        roi(scanfield((-3.0, 0.0), (2.4, 4.0), (24, 40)), name="A"),
        roi(scanfield((0.0, 0.0), (2.4, 2.4), (24, 24)), zs=(60,), discrete=True, name="B"),
    ),
)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return read_scan(list(SHUFFLED_VOLUME.write(tmp_path_factory.mktemp("shuffled"))))


@pytest.fixture(scope="module")
def expected(scan: Scan) -> npt.NDArray[Any]:
    """(frames, channels, z, y, x), by tifffile's pages and the formula."""
    pages = reference.all_pages(scan.filenames)
    return np.array([[[pages[(v * 6 + s) * 2 + c] for s in BY_DEPTH] for c in range(2)] for v in range(6)])


@pytest.fixture(scope="module")
def uneven_scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return read_scan(list(UNEVEN_VOLUME.write(tmp_path_factory.mktemp("uneven"))))


def test_ome_zarr_has_one_image_at_the_root(scan: Scan, expected: npt.NDArray[Any], tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    scan.to_ome_zarr(tmp_path / "a.zarr", levels=1)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], expected)
    multiscale = dict(group.attrs)["ome"]["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == ["t", "c", "z", "y", "x"]
    assert multiscale["axes"][2]["unit"] == "micrometer"
    scale, translation = multiscale["datasets"][0]["coordinateTransformations"]
    assert scale["scale"][2] == 30
    assert translation["translation"][2] == 0
    assert multiscale["datasets"][1]["coordinateTransformations"][0]["scale"][2] == 30  # z is not halved
    attributes = dict(group.attrs)["scanimage"]
    assert (attributes["fields"], attributes["depths"]) == (list(BY_DEPTH), sorted(DEPTHS))
    np.testing.assert_allclose(
        attributes["plane_time_offsets"], scan.timestamps[list(BY_DEPTH), 0] - scan.timestamps[0, 0]
    )
    assert scan.verify(tmp_path / "a.zarr", receipt=False).ok


def test_ome_tiff_has_the_depth_and_time_of_each_plane(scan: Scan, expected: npt.NDArray[Any], tmp_path: Path) -> None:
    ome_types = pytest.importorskip("ome_types")
    scan.to_ome_tiff(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.ome.tif"), expected)
    (image,) = ome_types.from_tiff(tmp_path / "a.ome.tif").images
    assert image.pixels.physical_size_z == 30
    for plane in image.pixels.planes:
        assert plane.position_z == sorted(DEPTHS)[plane.the_z]
        assert plane.delta_t == pytest.approx(scan.timestamps[BY_DEPTH[plane.the_z], plane.the_t], abs=1e-12)
    assert scan.verify(tmp_path / "a.ome.tif", receipt=False).ok


def test_nwb_has_a_series_of_four_dimensions(scan: Scan, expected: npt.NDArray[Any], tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    for compression in ("gzip", None):
        path = tmp_path / f"{compression}.nwb"
        scan.to_nwb(path, timezone="UTC", compression=compression)
        with pynwb.NWBHDF5IO(path, "r") as io:
            nwb = io.read()
            assert len(nwb.acquisition) == 2
            for channel in range(2):
                series = nwb.acquisition[f"TwoPhotonSeriesVolume0Channel{channel}"]
                np.testing.assert_array_equal(series.data[:].transpose(0, 3, 2, 1), expected[:, channel])
                np.testing.assert_array_equal(series.timestamps[:], scan.timestamps[0])
                assert series.dimension[:].tolist() == [10, 12, 5]
                assert series.imaging_plane.grid_spacing[2] == 30
                assert series.imaging_plane.origin_coords[2] == 0
            table = nwb.scratch["scanimage_planes"].to_dataframe()
            assert table["depth"].tolist() == sorted(DEPTHS)
            assert table["slice"].tolist() == list(BY_DEPTH)
            np.testing.assert_allclose(
                table["time_offset"], scan.timestamps[list(BY_DEPTH), 0] - scan.timestamps[0, 0], atol=1e-12
            )
        assert scan.verify(path, receipt=False).ok


@pytest.mark.ecosystem
def test_validators_know_a_volume_at_the_root(scan: Scan, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    all_models, yaozarrs = pytest.importorskip("ome_zarr_models"), pytest.importorskip("yaozarrs")
    models = pytest.importorskip("ome_zarr_models.v05")
    scan.to_ome_zarr(tmp_path / "a.zarr", levels=1)
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))
    image = all_models.open_ome_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))
    assert isinstance(image, models.Image)
    scales = [dataset.coordinateTransformations[0].scale for dataset in image.ome_attributes.multiscales[0].datasets]
    assert [scale[2] for scale in scales] == [30, 30]


@pytest.mark.ecosystem
def test_nwbinspector_finds_nothing_critical(tmp_path: Path) -> None:
    inspector = pytest.importorskip("nwbinspector")
    pynwb = pytest.importorskip("pynwb")
    long_scan = read_scan(list(replace(SHUFFLED_VOLUME, volumes=20).write(tmp_path)))
    subject = pynwb.file.Subject(subject_id="m1", species="Mus musculus", age="P90D", sex="F")
    long_scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", subject=subject)
    messages = list(inspector.inspect_nwbfile(nwbfile_path=str(tmp_path / "a.nwb")))
    assert [message.message for message in messages if "CRITICAL" in str(message.importance)] == []


def test_xarray_has_a_dimension_z(scan: Scan, expected: npt.NDArray[Any]) -> None:
    pytest.importorskip("xarray")
    dataset = scan.to_xarray()
    assert dataset["data"].dims == ("z", "y", "x", "channel", "time")
    assert dataset["z"].values.tolist() == sorted(DEPTHS)
    assert dataset["slice"].values.tolist() == list(BY_DEPTH)
    np.testing.assert_array_equal(dataset["data"].values, expected.transpose(2, 3, 4, 1, 0))
    np.testing.assert_array_equal(dataset["data"].sel(z=90.0, method="nearest")[:, :, 1, 2].values, expected[2, 1, 3])
    np.testing.assert_array_equal(dataset["plane_time"].values, scan.timestamps[list(BY_DEPTH)])
    np.testing.assert_array_equal(dataset["time"].values, scan.timestamps[0])
    assert scan.to_xarray(grouped="field")["data"].dims[0] == "field"


def test_dask_and_napari_take_a_volume(scan: Scan, expected: npt.NDArray[Any]) -> None:
    pytest.importorskip("dask")
    (volume,) = scan.volumes
    np.testing.assert_array_equal(volume.scan.to_dask().compute(), expected.transpose(2, 3, 4, 1, 0))
    np.testing.assert_array_equal(scan.to_dask(grouped="z").compute(), expected.transpose(2, 3, 4, 1, 0))
    np.testing.assert_array_equal(scan.to_dask().compute(), scan[:])  # the fields, in their order
    with pytest.raises(ScanKeyError, match="for all fields"):
        scan.to_dask(0, grouped="z")
    with pytest.raises(LayoutError, match=r"scan\.volumes\[0\]\.scan\.to_dask"):
        scan.select(fields=[0]).to_dask(grouped="z")
    assert [movie.shape for movie, *_ in scan.to_napari_layers(grouped="field")] == [(6, 1, 12, 10)] * 10
    for channel, (movie, options, _) in enumerate(scan.to_napari_layers()):
        np.testing.assert_array_equal(np.asarray(movie), expected[:, channel])
        assert options["scale"][1] == 30


def test_hdf5_and_imagej_take_a_volume(scan: Scan, expected: npt.NDArray[Any], tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    selection = scan.select(channels=[1])
    to_hdf5(selection, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["mov"][:], expected[:, 1].transpose(0, 2, 3, 1))
        assert file["mov"].attrs["dimensions"] == "frames, y, x, z"
        assert file["mov"].attrs["volume_depths"].tolist() == sorted(DEPTHS)
        assert file["mov"].attrs["volume_spacing"] == 30
    assert selection.verify(tmp_path / "a.h5", receipt=False).ok
    to_tiff(scan, tmp_path / "a.tif", imagej=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        np.testing.assert_array_equal(tif.asarray(), expected.transpose(0, 2, 1, 3, 4))
        assert (tif.imagej_metadata or {})["spacing"] == 30
    assert scan.verify(tmp_path / "a.tif", receipt=False).ok


# --------------------------------------------------------------------------- uneven depths


@pytest.mark.parametrize("name", ["ome_zarr", "nwb", "xarray"])
def test_uneven_depths_are_no_axis(uneven_scan: Scan, tmp_path: Path, name: str) -> None:
    pytest.importorskip({"ome_zarr": "zarr", "nwb": "pynwb", "xarray": "xarray"}[name])
    own_options = {"timezone": "UTC"} if name == "nwb" else {}
    arguments = () if name == "xarray" else (tmp_path / {"nwb": "a.nwb"}.get(name, "a.zarr"),)
    export = getattr(uneven_scan, f"to_{name}")
    with pytest.raises(LayoutError, match=r"uneven \(0, 30, 75 µm\).*grouped='field'"):
        export(*arguments, grouped="z", **own_options)
    with pytest.warns(ScanReaderWarning, match=r"uneven \(0, 30, 75 µm\).*an image for each field"):
        export(*arguments, **own_options)
    if arguments:
        assert uneven_scan.verify(*arguments, receipt=False).ok


def test_ome_tiff_takes_uneven_depths_if_asked(uneven_scan: Scan, tmp_path: Path) -> None:
    ome_types = pytest.importorskip("ome_types")
    uneven_scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped="z")
    (image,) = ome_types.from_tiff(tmp_path / "a.ome.tif").images
    assert image.pixels.physical_size_z is None
    assert {plane.the_z: plane.position_z for plane in image.pixels.planes} == {0: 0, 1: 30, 2: 75}
    assert uneven_scan.verify(tmp_path / "a.ome.tif", receipt=False).ok
    with pytest.warns(ScanReaderWarning, match="uneven"):
        uneven_scan.to_ome_tiff(tmp_path / "b.ome.tif")
    assert len(ome_types.from_tiff(tmp_path / "b.ome.tif").images) == 3


def test_unknown_depths_are_no_axis(tmp_path: Path) -> None:
    planes = read_scan(list(LIGHT_BEADS.write(tmp_path / "beads"))).join_contiguous().channels_as_planes()
    with pytest.raises(LayoutError, match="are unknown"):
        planes.to_ome_zarr(tmp_path / "a.zarr", grouped="z")
    plane_channels = planes.opened.channels
    assert len(plane_channels[0].planes) == 14


def test_light_beads_are_a_volume(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    scan = read_scan(list(LIGHT_BEADS.write(tmp_path / "beads"))).join_contiguous()
    planes = scan.channels_as_planes(range(14, 0, -1), dz=16)
    planes.to_ome_zarr(tmp_path / "a.zarr")
    attributes = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]
    assert attributes["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][2] == 16
    assert attributes["scanimage"]["scanimage_channels"] == [[n] for n in range(14, 0, -1)]
    assert planes.verify(tmp_path / "a.zarr", receipt=False).ok


# ------------------------------------------------------------------------ beside volumes


def test_a_field_without_neighbours_stays_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    pynwb, xarray = pytest.importorskip("pynwb"), pytest.importorskip("xarray")
    scan = read_scan(list(WITH_SINGLE.write(tmp_path / "rec")))
    pages = reference.all_pages(scan.filenames)
    names = [field.name for field in scan.fields]
    a, b = [i for i, name in enumerate(names) if name == "A"], names.index("B")
    scan.to_ome_zarr(tmp_path / "a.zarr")
    scan.to_nwb(tmp_path / "a.nwb", timezone="UTC")
    scan.to_ome_tiff(tmp_path / "a.ome.tif")
    dataset: Any = scan.to_xarray()
    assert xarray is not None
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        assert [series.shape for series in tif.series] == [(5, 2, 40, 24), (5, 24, 24)]
    assert dataset["volume_0"].dims == ("z_v0", "y_v0", "x_v0", "channel", "time_v0")
    np.testing.assert_array_equal(dataset["volume_0"].values, scan[a])
    np.testing.assert_array_equal(dataset[f"field_{b}"].values, scan[b])
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "r") as io:
        nwb = io.read()
        assert set(nwb.acquisition) == {"TwoPhotonSeriesVolume0Channel0", f"TwoPhotonSeriesField{b}Channel0"}
        volume = nwb.acquisition["TwoPhotonSeriesVolume0Channel0"].data[:]
    rows = WITH_SINGLE.field_rows()
    top, height, width = rows[1][0]
    np.testing.assert_array_equal(volume[2, :, :, 1].T, pages[2 * 3 + 1][top : top + height, :width])
    for target in ("a.zarr", "a.nwb", "a.ome.tif"):
        assert scan.verify(tmp_path / target, receipt=False).ok


@pytest.mark.parametrize("grouped", [None, "z", "field"])
def test_verify_notices_a_changed_pixel_of_a_plane(scan: Scan, tmp_path: Path, grouped: Any) -> None:
    zarr = pytest.importorskip("zarr")
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped=grouped, compression=None)
    image = "" if grouped != "field" else "1/"
    array = zarr.open_array(tmp_path / "a.zarr" / f"{image}0", mode="r+")
    place = (4, 1, 0, 3, 2)
    array[place] = array[place] + 1
    result = scan.verify(tmp_path / "a.zarr", receipt=False)
    assert not result.ok
    assert "field 1, channel 1, frame 4" in str(result)


def test_wrong_options_are_refused(scan: Scan, tmp_path: Path) -> None:
    for export in (scan.to_ome_tiff, scan.to_ome_zarr):
        with pytest.raises(ScanKeyError, match="grouped is None, 'z' or 'field'"):
            export(tmp_path / "a", grouped="depth")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_takes_a_layout(scan: Scan, expected: npt.NDArray[Any], tmp_path: Path) -> None:
    pytest.importorskip("rich")
    from scanreader.cli.commands import app

    source = scan.filenames[0]
    for layout, shape in (("z", expected.shape), ("field", None)):
        target = tmp_path / f"{layout}.ome.tif"
        result = CliRunner().invoke(app, ["convert", source, str(target), "--grouped", layout, "--verify"])
        assert result.exit_code == 0, result.output
        with tifffile.TiffFile(target) as tif:
            assert len(tif.series) == (1 if shape else 5)
    result = CliRunner().invoke(app, ["convert", source, str(tmp_path / "a.npy"), "--grouped", "z"])
    assert result.exit_code == 1
    assert "--grouped is not for .npy" in " ".join(result.output.split())
    assert math.prod(expected.shape) == scan.size
