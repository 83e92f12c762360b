"""convert --per-plane: a file for each plane, by depth, and going on where it was interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference
import tifffile
from common import LIGHT_BEADS, MESOSCOPE, VOLUME
from typer.testing import CliRunner

pytest.importorskip("rich")

from scanreader.cli.commands import app

SHUFFLED_VOLUME = replace(VOLUME, zs=(60.0, 0.0, 90.0), channels=(1,))


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["convert", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (path,) = SHUFFLED_VOLUME.write(tmp_path / "rec")
    return Path(path)


def test_planes_are_files_by_depth(source: Path, tmp_path: Path) -> None:
    pages = reference.all_pages([source])
    code, output = run(source, tmp_path / "out", "--per-plane", "--verify")
    assert code == 0, output
    names = sorted(path.name for path in (tmp_path / "out").glob("*.tif"))
    assert names == ["zplane01.tif", "zplane02.tif", "zplane03.tif"]
    for name, slice_id in zip(names, (1, 0, 2), strict=True):
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / name), pages[slice_id::5])


def test_light_beads_become_a_file_a_bead(tmp_path: Path) -> None:
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    (path,) = LIGHT_BEADS.write(tmp_path / "rec")
    pages = reference.all_pages([path])
    planes = ("--planes", "3,1,2", "--dz", "16", "--join", "--per-plane")
    for format_name in ("h5", "zarr"):
        code, output = run(path, tmp_path / format_name, *planes, "--format", format_name)
        assert code == 0, output
        for number, channel in enumerate((3, 1, 2), 1):
            target = tmp_path / format_name / f"zplane{number:02d}.{format_name}"
            if format_name == "h5":
                with h5py.File(target) as file:
                    pixels = file["mov"][:]
                    assert file["mov"].attrs["field_z"] == 16 * (number - 1)
            else:
                pixels = zarr.open_group(target, mode="r")["0"][:, 0, 0]
            np.testing.assert_array_equal(pixels[:, :, :16], pages[channel - 1 :: 14, :32])


def test_the_same_command_goes_on(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, out, "--per-plane")[0] == 0
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tif")}
    (out / "zplane02.tif").unlink()  # as if it had been interrupted
    code, output = run(source, out, "--per-plane")
    assert code == 0, output
    new_times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tif")}
    assert {name for name in times if new_times[name] == times[name]} == {"zplane01.tif", "zplane03.tif"}
    assert run(source, out, "--per-plane")[0] == 0
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.tif")} == new_times


def test_files_of_other_options_are_not_taken_for_finished(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, out, "--per-plane")[0] == 0
    code, output = run(source, out, "--per-plane", "--frames", "0:2")
    assert code == 1
    assert "exists" in output
    assert tifffile.imread(out / "zplane01.tif").shape[0] == 4
    code, output = run(source, out, "--per-plane", "--frames", "0:2", "--overwrite")
    assert code == 0, output
    assert tifffile.imread(out / "zplane01.tif").shape[0] == 2
    (out / "zplane02.tif").write_bytes((out / "zplane01.tif").read_bytes())
    (out / "scanreader.json").write_text("{")
    assert run(source, out, "--per-plane", "--frames", "0:2")[0] == 1  # without a record nothing is believed


def test_several_fields_and_channels_of_a_plane_have_names_of_their_own(tmp_path: Path) -> None:
    (path,) = replace(MESOSCOPE, channels=(1, 3)).write(tmp_path / "rec")
    code, output = run(path, tmp_path / "out", "--per-plane", "--per-channel")
    assert code == 0, output
    names = {file.name for file in (tmp_path / "out").glob("*.tif")}
    assert {"zplane01-field0-channel1.tif", "zplane01-field0-channel3.tif", "zplane02-field4-channel3.tif"} <= names
    assert len(names) == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "tif"), "--format is for --per-plane"),
        (("--per-plane", "--format", "mat"), "--format is one of tif"),
        (("--per-plane", "--per-field"), "does not go with --per-field"),
        (("--per-plane", "--tiff"), "does not go with --tiff"),
    ],
)
def test_what_does_not_fit_is_refused(source: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    code, output = run(source, tmp_path / "out.tif", *words)
    assert code == 1
    assert message in output
