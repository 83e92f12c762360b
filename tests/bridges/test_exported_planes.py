"""Channels as planes through every export, the pictures and the command line: the plane's own depth, never another."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import DUAL_PLANE, LIGHT_BEADS, PLANE_DEPTHS
from typer.testing import CliRunner

from scanreader import Scan, read_scan

pytest.importorskip("matplotlib")
pytest.importorskip("rich")
from scanreader.cli.commands import app

DEPTHS = [depth for pair in PLANE_DEPTHS for depth in pair]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = DUAL_PLANE.write(tmp_path_factory.mktemp("dual"))
    return Path(path)


@pytest.fixture(scope="module")
def pages(path: Path) -> npt.NDArray[Any]:
    return reference.all_pages([path])


@pytest.fixture
def dual_scan(path: Path) -> Scan:
    """Eight planes: channel 1 at the first actuator's depth, channel 2 at the second's."""
    return read_scan(path).channels_as_planes((1, 2), depths="actuators")


def movie(pages: npt.NDArray[Any], field: int) -> npt.NDArray[Any]:
    """Frames of a plane, of shape (frames, y, x), by the formula."""
    return pages[field::8]


def test_ome_tiff_says_the_depth_of_each_plane(dual_scan: Scan, pages: npt.NDArray[Any], tmp_path: Path) -> None:
    pytest.importorskip("ome_types")
    target = tmp_path / "dual.ome.tif"
    dual_scan.to_ome_tiff(target, grouped="field")
    from ome_types import from_tiff

    images = from_tiff(target).images
    assert [image.pixels.planes[0].position_z for image in images] == DEPTHS
    with tifffile.TiffFile(target) as tif:
        for i, series in enumerate(tif.series):
            np.testing.assert_array_equal(series.asarray(), movie(pages, i))
    assert dual_scan.verify(target, receipt=False).ok


def test_nwb_has_the_depth_of_each_plane_as_its_origin(
    dual_scan: Scan, pages: npt.NDArray[Any], tmp_path: Path
) -> None:
    pynwb = pytest.importorskip("pynwb")
    target = tmp_path / "dual.nwb"
    dual_scan.to_nwb(target, timezone="UTC", grouped="field")
    with pynwb.NWBHDF5IO(target, "r") as io:
        nwb = io.read()
        for i, depth in enumerate(DEPTHS):
            plane = nwb.imaging_planes[f"ImagingPlane{i}"]
            assert plane.origin_coords[2] == depth
            assert f"plane {i % 2} (channel {i % 2 + 1})" in plane.description
        series = sorted(nwb.acquisition.values(), key=lambda image_series: int(image_series.imaging_plane.name[12:]))
        for i, image_series in enumerate(series):
            np.testing.assert_array_equal(image_series.data[:].transpose(0, 2, 1), movie(pages, i))
    assert dual_scan.verify(target, receipt=False).ok


def test_unknown_depths_are_not_written_as_zero(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    planes = read_scan(path).channels_as_planes()
    planes.to_ome_zarr(tmp_path / "dual.ome.zarr", grouped="field")
    group = json.loads((tmp_path / "dual.ome.zarr" / "1" / "zarr.json").read_text())["attributes"]
    (z,) = (axis for axis in group["ome"]["multiscales"][0]["axes"] if axis["name"] == "z")
    assert "unit" not in z
    assert (group["scanimage"]["plane"], group["scanimage"]["scanimage_channels"]) == (1, [2])
    assert planes.verify(tmp_path / "dual.ome.zarr", receipt=False).ok
    planes.to_ome_tiff(tmp_path / "dual.ome.tif", grouped="field")
    with tifffile.TiffFile(tmp_path / "dual.ome.tif") as tif:
        assert "PositionZ" not in str(tif.ome_metadata)
    layers = planes.to_napari_layers()
    assert all(math.isnan(depth) for layer in layers for depth in layer[1]["metadata"]["depths"])


def test_ome_zarr_has_the_depth_of_each_plane(dual_scan: Scan, pages: npt.NDArray[Any], tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    target = tmp_path / "dual.ome.zarr"
    dual_scan.to_ome_zarr(target, grouped="field")
    for i, depth in enumerate(DEPTHS):
        group = json.loads((target / str(i) / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]
        transformations = group["datasets"][0]["coordinateTransformations"]
        assert transformations[1]["translation"][2] == depth
        pixels = zarr.open_array(target / str(i) / "0", mode="r")[:]
        np.testing.assert_array_equal(pixels[:, 0, 0], movie(pages, i))


def test_suite2p_gets_a_folder_for_each_plane(tmp_path: Path) -> None:
    paths = list(LIGHT_BEADS.write(tmp_path / "beads"))
    planes = read_scan(paths).channels_as_planes(dz=16)
    for scan, folders, target in ((planes, 28, "strips.bin"), (planes.join_contiguous(), 14, "joined.bin")):
        scan.to_suite2p(tmp_path / target)
        plane_folders = sorted((tmp_path / target).rglob("plane[0-9]*"), key=lambda folder: int(folder.name[5:]))
        assert len(plane_folders) == folders
        for i, folder in enumerate(plane_folders):
            ops = np.load(folder / "db.npy", allow_pickle=True).item()
            assert (ops["z"], ops["iplane"], ops["nplanes"]) == (16 * (i * 14 // folders), i * 14 // folders, 14)
            assert ops["iroi"] == (i % 2 if folders == 28 else 0)
        assert scan.verify(tmp_path / target, receipt=False).ok


def test_lazy_views_follow_the_channel(dual_scan: Scan, pages: npt.NDArray[Any]) -> None:
    pytest.importorskip("dask")
    xarray = pytest.importorskip("xarray")
    assert xarray is not None
    dataset = dual_scan.to_xarray(grouped="field")
    assert dataset["z"].values.tolist() == DEPTHS
    assert dataset["plane"].values.tolist() == [0, 1] * 4
    assert dataset["scanimage_channel"].values.ravel().tolist() == [1, 2] * 4
    for i in range(8):
        expected = movie(pages, i).transpose(1, 2, 0)
        np.testing.assert_array_equal(dataset["data"][i, :, :, 0].values, expected)
        np.testing.assert_array_equal(dual_scan.to_dask(i)[:, :, 0].compute(), expected)


def test_references_follow_the_channel(dual_scan: Scan, pages: npt.NDArray[Any]) -> None:
    itemsize = 2
    for i in range(8):
        places = dual_scan.byte_places(i)
        for frame in range(6):
            with Path(dual_scan.filenames[places.files[frame, 0]]).open("rb") as file:
                file.seek(places.offsets[frame, 0])
                pixels = np.frombuffer(file.read(256 * itemsize), np.int16).reshape(16, 16)
            np.testing.assert_array_equal(pixels, movie(pages, i)[frame])


def test_napari_places_planes_by_their_depth(tmp_path: Path) -> None:
    scan = read_scan(list(LIGHT_BEADS.write(tmp_path)))
    layers = scan.channels_as_planes(range(14, 0, -1), dz=16).to_napari_layers()
    assert [layer[0].shape for layer in layers] == [(12, 14, 32, 16)] * 2
    pages = reference.all_pages(scan.filenames)
    for _, options, _ in layers:
        assert options["scale"][1] == 16
    np.testing.assert_array_equal(np.asarray(layers[0][0][3, 13]), pages[3 * 14][:32])


def test_pictures_name_planes(dual_scan: Scan, path: Path) -> None:
    texts = {text.get_text() for text in dual_scan.plot().texts}
    assert any("z 105 µm" in text for text in texts)
    unknown_depths = read_scan(path).channels_as_planes()
    assert any("plane 1" in text.get_text() for text in unknown_depths.plot().texts)
    keys = {text.get_text() for text in dual_scan.plot_layout().texts}
    assert {"z 195 µm", "z 105 µm"} <= keys
    np.testing.assert_array_equal(dual_scan.canvas(1, plane=1).image, dual_scan.canvas(1, plane=-1).image)
    assert not np.array_equal(dual_scan.canvas(1, plane=0).image, dual_scan.canvas(1, plane=1).image)


# ------------------------------------------------------------------------ command line


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, words)))
    return result.exit_code, result.output


def test_info_shows_inputs_and_what_they_would_become(path: Path) -> None:
    code, output = run("info", path)
    assert code == 0
    assert "AI0, analog: channels (laser windows) 1 (2 to 10), 2 (18 to 26)" in output
    assert "2 channels share AI0 through separate laser windows" in output
    assert "--planes" in output
    code, output = run("info", path, "--planes", "2,1", "--depths", "actuators", "--json")
    facts = json.loads(output)
    assert (code, facts["fields"], facts["depths_um"], facts["channels"]) == (0, 8, DEPTHS, [1])
    code, output = run("info", path, "--planes", "all")
    assert "Planes (channels 1, 2)" in output
    assert "multiplexing" not in output


def test_fields_lists_planes(path: Path) -> None:
    rows = "195,105;207,116;167,92;183,112"
    code, output = run("fields", path, "--planes", "1,2", "--depths", rows, "--json")
    assert code == 0
    assert [(row["z_um"], row["plane"], row["channels"]) for row in json.loads(output)] == [
        (depth, i % 2, [i % 2 + 1]) for i, depth in enumerate(DEPTHS)
    ]


def test_convert_and_verify_take_planes(path: Path, pages: npt.NDArray[Any], tmp_path: Path) -> None:
    target = tmp_path / "second.ome.tif"
    options = ("--planes", "2,1", "--depths", "actuators", "--fields", "1")
    code, output = run("convert", path, target, *options, "--verify")
    assert code == 0, output
    np.testing.assert_array_equal(tifffile.imread(target), movie(pages, 0))
    assert run("verify", target, path, *options)[0] == 0
    assert run("verify", target, path, "--planes", "1,2", "--depths", "actuators", "--fields", "1")[0] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dz", "16"), "need --planes"),
        (("--planes", "1,x"), "--planes takes numbers"),
        (("--planes", "1,2", "--depths", "a,b"), "--depths takes numbers"),
        (("--planes", "1,3"), "channel 3 was not saved"),
        (("--planes", "all", "--depths", "actuators"), "needs order"),
    ],
)
def test_wrong_plane_options_are_refused(path: Path, options: tuple[str, ...], message: str) -> None:
    code, output = run("info", path, *options)
    assert code == 1
    assert message in " ".join(output.split())
