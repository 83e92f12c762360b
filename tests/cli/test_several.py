"""Commands that are given several recordings: one after the other, and one that fails stops nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from common import VOLUME
from typer.testing import CliRunner

from scanreader import read_scan
from scanreader.cli.commands import app
from scanreader.simulate import Recording

A = replace(VOLUME, stem="a", frames_per_file=10)
B = Recording(stem="b", frames_per_slice=6, epoch=(2023, 9, 22, 13, 0, 0.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sound recordings, one in two files, one that was dropped frames, and a text file."""
    A.write(tmp_path)
    B.write(tmp_path)
    replace(B, stem="c", dropped=(2,)).write(tmp_path)
    (tmp_path / "text.tif").write_text("no image")
    return tmp_path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_info_has_a_line_for_each(folder: Path) -> None:
    result = run("info", folder)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["a_00001_00001.tif and 1 more", "b_00001.tif", "c_00001.tif"]
    assert "fast volume of 3 slices" in lines[0]
    assert "1 warning" in lines[2]
    assert result.stderr.count("error: text.tif: ") == 1
    assert "not a TIFF" in result.stderr


def test_info_of_several_is_json_lines_and_of_one_an_object(folder: Path) -> None:
    result = run("info", folder, "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [len(row["files"]) for row in rows] == [2, 1, 1, 1]
    assert [row.get("frames") for row in rows] == [4, 6, 5, None]
    assert "not a TIFF" in rows[3]["error"]
    single_row = json.loads(run("info", folder / "a_*.tif", "--json").stdout)
    assert single_row == rows[0]
    assert single_row["bouts"] == [
        {
            "frames": [0, 4],
            "start_time": read_scan(folder / "a_*.tif").start_time.isoformat(),  # type: ignore[union-attr]
            "offset_s": 0.0,
            "clock": "epoch",
            "files": single_row["files"],
            "complete": True,
        }
    ]


def test_recordings_come_in_the_order_in_which_they_are_named(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other_folder = tmp_path_factory.mktemp("x")
    replace(B, stem="d").write(other_folder)
    result = run("info", other_folder, folder / "b_00001.tif", folder / "a_*.tif")
    assert result.exit_code == 0
    names = [line.partition(":")[0] for line in result.stdout.splitlines()]
    assert names == [
        f"{other_folder.name}/d_00001.tif",
        f"{folder.name}/b_00001.tif",
        f"{folder.name}/a_00001_00001.tif and 1 more",
    ]


def test_check_has_the_exit_code_of_the_worst(folder: Path) -> None:
    result = run("check", folder / "a_*.tif", folder / "b_*.tif")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "ok: a_00001_00001.tif and 1 more: no problems found",
        "ok: b_00001.tif: no problems found",
    ]
    result = run("check", folder / "a_*.tif", folder / "c_*.tif")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == "warning: c_00001.tif: readable, with problems (dropped-frames)"
    result = run("check", folder, "--json")
    assert result.exit_code == 2
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.get("exit_code") for row in rows] == [0, 0, 1, None]
    assert "files" in json.loads(run("check", folder / "a_*.tif", "--json").stdout)


@pytest.mark.parametrize(("command", "ending"), [("preview", ".png"), ("report", ".html")])
def test_pictures_and_reports_are_named_after_each_recording(command: str, ending: str, folder: Path) -> None:
    pytest.importorskip("matplotlib")
    out = folder / "out"
    out.mkdir()
    result = run(command, folder, "-o", out / f"page{ending}")
    assert result.exit_code == 1
    names = [f"page-{stem}{ending}" for stem in ("a_00001_00001", "b_00001", "c_00001")]
    assert sorted(path.name for path in out.iterdir()) == names
    assert result.stdout.splitlines() == [f"wrote {out / name}" for name in names]
    assert "text" in result.stderr
    second_result = run(command, folder / "b_*.tif", folder / "c_*.tif", "-o", out / f"page{ending}")
    assert second_result.exit_code == 1
    assert second_result.stderr.count("exists") == 2
    assert run(command, folder / "b_*.tif", "-o", out / f"one{ending}").exit_code == 0
    assert (out / f"one{ending}").exists()


def test_names_that_are_equal_are_told_apart(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for day in ("one", "two"):
        B.write(tmp_path / day)
    result = run("preview", tmp_path / "one", tmp_path / "two", "-o", tmp_path / "p.png", "--layout")
    assert result.exit_code == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["p-one-b_00001.png", "p-two-b_00001.png"]


def test_other_tiffs_in_a_folder_are_skipped_and_said(folder: Path) -> None:
    import numpy as np
    import tifffile

    (folder / "text.tif").unlink()
    (folder / "._b_00001.tif").write_bytes(b"of a Mac")
    camera = folder / "camera.tif"
    tifffile.imwrite(camera, np.zeros((3, 5, 6), np.uint8), photometric="minisblack")
    result = run("info", folder)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    assert "1 TIFF file that ScanImage did not write: skipped" in result.stderr
    for name in ("b_00001.tif", "c_00001.tif"):
        (folder / name).unlink()
    folder_result = run("info", folder)
    assert folder_result.exit_code == 0
    assert "recording: a_00001_00001.tif and 1 more" in folder_result.stdout
    B.write(folder)
    files_result = run("info", folder / "b_00001.tif", camera)
    assert [line.partition(":")[0] for line in files_result.stdout.splitlines()] == ["b_00001.tif", "camera.tif"]


@pytest.mark.parametrize("command", ["fields", "frames", "events", "metadata"])
def test_other_commands_take_one_recording(command: str, folder: Path) -> None:
    result = run(command, folder / "c_00001.tif", folder / "b_00001.tif")
    assert result.exit_code == 1
    assert "2 recordings were named, not one" in result.stderr


def test_one_recording_that_fails_is_an_error(folder: Path) -> None:
    result = run("check", folder / "text.tif")
    assert result.exit_code == 2
    assert "not a TIFF" in result.stderr
    assert run("info", folder / "nothing*.tif").exit_code == 1
