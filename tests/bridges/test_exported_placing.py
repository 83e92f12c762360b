"""Stitched and shifted scans in exports and on the command line: true positions, and no shift that is to be applied."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scanreader import Scan, read_scan
from scanreader.bridges.npy import to_npy
from scanreader.simulate import Recording, roi, scanfield

pytest.importorskip("rich")
from scanreader.cli.commands import app

SHIFTS = [[0, 0], [2, -1]]
# Listed right, left; they overlap by 2 columns, and the right one is 3 rows lower.
STRIPS = Recording(
    mode="fast",
    zs=(0.0, 30.0),
    flyback=1,
    volumes=4,
    rois=(
        roi(scanfield((1.25, 0.375), (1.5, 2.0), (12, 16)), name="right"),
        roi(scanfield((0.0, 0.0), (1.5, 2.0), (12, 16)), name="left"),
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    STRIPS.write(tmp_path / "raw")
    return tmp_path / "raw"


@pytest.fixture
def scan(folder: Path) -> Scan:
    return read_scan(folder)


def test_an_export_has_true_positions_and_no_pending_shift(scan: Scan, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    shifted = scan.stitched().shifted(SHIFTS)
    shifted.to_ome_zarr(tmp_path / "a.ome.zarr")
    for i, field in enumerate(shifted.fields):
        text = (tmp_path / "a.ome.zarr" / str(i) / "zarr.json").read_text()
        assert "shift" not in text
        attributes = json.loads(text)["attributes"]["ome"]["multiscales"][0]
        scale, start = (transformation for transformation in attributes["datasets"][0]["coordinateTransformations"])
        pixels = zarr.open_array(tmp_path / "a.ome.zarr" / str(i) / "0", mode="r")[:]
        np.testing.assert_array_equal(pixels[:, 0, 0], shifted[i, :, :, 0].transpose(2, 0, 1))
        right = scan.fields[2 * i]  # its first pixel
        piece = next(piece for piece in field.pieces if piece.roi == right.roi_ids[0])
        place = np.array([piece.output_y + 0, piece.output_x - piece.trim.left]) * scale["scale"][3:]
        expected = right.affine @ [0, 0, 1]
        np.testing.assert_allclose(place + start["translation"][3:], expected[1::-1], atol=1e-6)
    assert shifted.verify(tmp_path / "a.ome.zarr", receipt=False).ok


def test_nwb_and_netcdf_carry_no_pending_shift(scan: Scan, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    xarray = pytest.importorskip("xarray")
    h5py = pytest.importorskip("h5py")
    shifted = scan.shifted(SHIFTS, keep="common")
    shifted.to_nwb(tmp_path / "a.nwb", timezone="UTC")
    names: list[str] = []
    with h5py.File(tmp_path / "a.nwb") as file:
        file.visit(names.append)
    data = shifted.to_xarray()
    assert isinstance(data, (xarray.Dataset, xarray.DataTree))
    assert not [name for name in [*names, *data.attrs, *data.coords] if "shift" in str(name).lower()]
    assert shifted.verify(tmp_path / "a.nwb", receipt=False).ok


def test_pixels_that_are_not_shown_are_left_out_by_their_number(scan: Scan, tmp_path: Path) -> None:
    views = {
        "another field lies over them": (scan.stitched(), 2 * 13 * 2),
        "not all shifted fields have them": (scan.shifted(SHIFTS, keep="common"), 4 * (16 * 12 - 14 * 11)),
        "another field lies over them or not all shifted fields have them": (
            scan.stitched().shifted(SHIFTS, keep="common"),
            sum(p.hidden for p in (f.placement for f in scan.stitched().shifted(SHIFTS, keep="common").fields)),
        ),
    }
    for i, (reason, (view, num_hidden)) in enumerate(views.items()):
        to_npy(view, tmp_path / f"{i}.npy")
        result = view.verify(tmp_path / f"{i}.npy", receipt=False)
        assert result.ok
        assert f"{num_hidden} pixels of each frame and channel: {reason}" in [
            str(omission) for omission in result.left_out
        ]


def test_suite2p_and_pictures_take_stitched_planes(scan: Scan, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    stitched = scan.stitched()
    stitched.to_suite2p(tmp_path / "a.bin")
    movie = np.fromfile(tmp_path / "a.bin" / "suite2p" / "plane1" / "data.bin", np.int16).reshape(4, 19, 22)
    np.testing.assert_array_equal(movie, stitched[1, :, :, 0].transpose(2, 0, 1))
    for view in (stitched, stitched.shifted(SHIFTS), scan.shifted(SHIFTS)):
        assert view.plot().axes
        assert view.plot_layout().axes


# ---------------------------------------------------------------------- command line


def run(*words: object) -> tuple[int, str, str]:
    """Run a command: its exit code, its output, and what it says to errors, each on one line."""
    result = CliRunner().invoke(app, list(map(str, words)))
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, re.sub(r"\s+", " ", result.stderr)


@pytest.mark.parametrize("option", ["--stitch", "--assemble"])
def test_convert_stitches_after_trimming(folder: Path, scan: Scan, tmp_path: Path, option: str) -> None:
    target = tmp_path / "a.npy"
    code, _, message = run("convert", folder, target, option, "--trim-x", 1, 0, "--verify")
    assert code == 0, message
    assert "fields overlap by up to 1 pixel (13 pixels in all), and the last field is shown there" in message
    np.testing.assert_array_equal(np.load(target), scan.trimmed(left=1).stitched()[:])
    assert run("verify", target, folder, option, "--trim-x", 1, 0)[0] == 0


def test_fields_lists_stitched_fields(folder: Path) -> None:
    code, output, _ = run("fields", folder, "--stitch")
    assert code == 0
    rows = [line.split("\t") for line in output.splitlines()]
    assert [row[3] for row in rows[1:]] == ["19 x 22"] * 2
    code, output, _ = run("fields", folder, "--stitch", "--json")
    assert [field["roi"] for field in json.loads(output)] == ["right + left"] * 2


def test_join_and_stitch_exclude_each_other(folder: Path, tmp_path: Path) -> None:
    code, _, message = run("convert", folder, tmp_path / "a.npy", "--stitch", "--join")
    assert code == 1
    assert "give --join or --stitch, not both" in message


def test_preview_and_report_take_stitch(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    assert run("preview", folder, "-o", tmp_path / "a.png", "--stitch")[0] == 0
    assert run("report", folder, "-o", tmp_path / "a.html", "--stitch")[0] == 0
    assert "stitched-fields" in (tmp_path / "a.html").read_text("utf-8")


def test_turned_fields_are_refused_in_one_line(tmp_path: Path) -> None:
    turned_roi = roi(scanfield((3.0, 0.0), (1.5, 2.0), (12, 16), rotation=9), name="turned")
    replace(STRIPS, rois=(*STRIPS.rois, turned_roi)).write(tmp_path / "raw")
    code, _, message = run("fields", tmp_path / "raw", "--stitch")
    assert code == 1
    assert "they are rotated (field 2 (turned) by 9 degrees)" in message
