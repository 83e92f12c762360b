"""Every recording under a folder: which files are one, what they hold, and what is wrong with them."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import VOLUME, read_warned
from typer.testing import CliRunner

from scanreader import PathnameError, find_recordings, read_scan
from scanreader.cli.commands import app
from scanreader.files import local
from scanreader.notices import listening
from scanreader.recordings import FoundRecordings
from scanreader.simulate import Recording

ROLLED_RECORDING = replace(VOLUME, frames_per_file=5)  # 4 volumes of 5 frames, of 2 channels, in 4 files
LATER_EPOCH = (2023, 9, 22, 13, 0, 0.0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree as labs have it."""
    root = tmp_path / "data"
    replace(ROLLED_RECORDING, stem="second", epoch=LATER_EPOCH).write(root / "day 1")
    replace(ROLLED_RECORDING, stem="first").write(root / "day 1")
    Recording(stem="loop", frames_per_slice=3, loops=3).write(root / "day 2")
    paths = replace(ROLLED_RECORDING, stem="hole").write(root / "day 2" / "wöchentlich [x*]")
    paths[1].unlink()
    (cut_path,) = Recording(stem="cut", frames_per_slice=10).write(root / "day 3")
    cut_path.write_bytes(cut_path.read_bytes()[:-700])
    Recording(stem="stopped", frames_per_slice=10, stop=7).write(root / "day 3")
    (root / "day 3" / "text.tif").write_text("no image at all")
    read_scan(root / "day 3" / "stopped_00001.tif").to_ome_tiff(root / "day 3" / "export.ome.tif")
    tifffile.imwrite(root / "day 3" / "camera.tif", np.zeros((3, 5, 6), np.uint8), photometric="minisblack")
    tifffile.imwrite(root / "day 3" / "floats.tiff", np.zeros((3, 5, 6), np.float32), photometric="minisblack")
    (root / "notes.txt").write_text("nothing")
    replace(ROLLED_RECORDING, stem="hidden").write(root / ".trash")
    (root / "day 1" / "._first_00001_00001.tif").write_bytes(b"\0\5\x16\7 of a Mac")
    Recording(stem="chunk", frames_per_slice=2).write(root / "day 1" / "export.zarr")
    return root


def table(recordings: FoundRecordings, root: Path) -> list[tuple[Any, ...]]:
    return [
        (os.path.relpath(row.folder, root), row.name, len(row.files), row.num_frames, row.num_bouts, row.status)
        for row in recordings
    ]


def test_a_tree_gives_its_exact_table(tree: Path) -> None:
    recordings = find_recordings(tree)
    assert table(recordings, tree) == [
        ("day 1", "first", 4, 4, 1, "complete"),
        ("day 1", "second", 4, 4, 1, "complete"),
        ("day 2", "loop", 3, 9, 3, "complete"),
        (os.path.join("day 2", "wöchentlich [x*]"), "hole", 3, 3, 1, "parts missing"),  # noqa: PTH118 - a name
        ("day 3", "cut", 1, 9, 1, "unfinished"),
        ("day 3", "stopped", 1, 7, 1, "stopped"),
        ("day 3", "text", 1, 0, 0, "unreadable"),
    ]
    assert recordings.others == tuple(str(tree / "day 3" / name) for name in ("camera.tif", "floats.tiff"))
    assert recordings.exports == (str(tree / "day 3" / "export.ome.tif"),)
    first, second, loop, hole, cut_row, stopped_row, text = recordings
    assert first.start_time == datetime(2023, 9, 22, 12, 46, 9, 383000)  # noqa: DTZ001 - ScanImage writes no zone
    assert second.start_time == datetime(2023, 9, 22, 13, 0)  # noqa: DTZ001
    assert first.sentence == second.sentence == loop.sentence == ""
    assert hole.missing == ("hole_00001_00002.tif",)
    assert "hole_00001_00002.tif" in hole.sentence
    assert "cut_00001.tif" in cut_row.sentence
    assert "7 of 10 requested frames" in stopped_row.sentence
    assert "not a TIFF" in text.sentence
    assert text.num_bytes == 15


def test_a_row_says_what_the_scan_says(tree: Path) -> None:
    for row in find_recordings(tree)[:-1]:
        scan = read_warned(list(row.files))[0]
        assert (row.mode, row.release, row.rate) == (scan.stack.mode, scan.release, scan.fps)
        assert (row.num_fields, row.num_frames, row.num_bouts) == (scan.num_fields, scan.num_frames, len(scan.bouts))
        assert (list(row.heights), list(row.widths)) == (scan.field_heights, scan.field_widths)
        assert (list(row.channels), list(row.channel_names)) == (scan.channel_numbers, scan.channel_names)
        assert list(row.depths) == scan.scanning_depths
        assert row.start_time == scan.start_time
        assert row.num_bytes == sum(Path(name).stat().st_size for name in row.files)
        times = scan.timestamps
        assert math.isclose(row.duration, times[-1, -1] - times[0, 0] + 1 / scan.scan_frame_rate, abs_tol=1e-6)


def test_open_gives_the_scan_of_the_same_files(tree: Path) -> None:
    for row in find_recordings(tree)[:-1]:
        expected = read_warned(list(row.files))[0]
        with listening(lambda _: None):
            scan = row.open()
        assert scan.filenames == expected.filenames == list(row.files)
        assert scan.token == expected.token
        np.testing.assert_array_equal(scan[0], expected[0])
    assert find_recordings(tree)[0].open(dtype="float32").dtype == np.float32


def test_rows_of_equal_geometry_are_joinable(tree: Path) -> None:
    recordings = find_recordings(tree)
    by_number: dict[int, list[str]] = {}
    for row in recordings:
        by_number.setdefault(row.joinable, []).append(row.name)
    assert sorted(by_number.pop(0)) == ["text"]
    assert sorted(by_number.values()) == [["first", "second", "hole"], ["loop", "cut", "stopped"]]
    joinable_files = [row.files for row in recordings if row.joinable == recordings[0].joinable][:2]
    scan, warning = read_warned([name for files in joinable_files for name in files])
    assert scan.num_frames == 8
    assert "bouts" in warning


def test_a_missing_acquisition_of_a_loop(tmp_path: Path) -> None:
    Recording(stem="l", frames_per_slice=4, loops=4, frames_per_file=2).write(tmp_path)
    for name in ("l_00002_00001.tif", "l_00002_00002.tif", "l_00003_00001.tif"):
        (tmp_path / name).unlink()
    (row,) = find_recordings(tmp_path)
    assert row.status == "parts missing"
    assert row.missing == ("l_00003_00001.tif", "l_00002_00001.tif")


def test_an_empty_last_file_belongs_to_its_recording(tmp_path: Path) -> None:
    ROLLED_RECORDING.write(tmp_path)
    ROLLED_RECORDING.write_file(tmp_path / "scan_00001_00005.tif", [])
    (tmp_path / "alone.tif").write_bytes(b"")
    row, empty_row = find_recordings(tmp_path)
    assert row.status == "complete"
    assert empty_row.status == "unreadable"
    assert "empty" in empty_row.sentence


def test_a_recording_that_contradicts_itself_is_a_row(tmp_path: Path) -> None:
    files = ROLLED_RECORDING.write(tmp_path)
    shutil.copy(files[0], tmp_path / "scan_00001_00009.tif")  # a copy under a later number
    (row,) = find_recordings(tmp_path)
    assert row.status == "unreadable"
    assert "scan_00001_00009.tif" in row.sentence
    assert len(row.files) == 5


def test_a_damaged_scanimage_file_is_a_row_and_not_another_tiff(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    data = bytearray(path.read_bytes())
    data[8:16] = (len(data) + 1000).to_bytes(8, "little")  # the first IFD is behind the file's end
    path.write_bytes(data)
    (row,) = find_recordings(tmp_path)
    assert row.status == "unreadable"
    assert row.sentence


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_do_not_loop(tmp_path: Path) -> None:
    root = tmp_path / "root"
    files = Recording(stem="a", frames_per_slice=3).write(root / "real")
    (root / "a link").symlink_to(root / "real", target_is_directory=True)
    (root / "real" / "up").symlink_to(root, target_is_directory=True)
    Recording(stem="b", frames_per_slice=3).write(tmp_path / "elsewhere")
    (root / "outside").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "circle").symlink_to(root / "circle")
    (root / "gone.tif").symlink_to(tmp_path / "not here")
    recordings = find_recordings(root)
    assert [(row.name, row.status) for row in recordings] == [
        ("gone", "unreadable"),
        ("b", "complete"),
        ("a", "complete"),
    ]
    assert recordings[2].files == (str(files[0]),)
    assert recordings[1].folder == str(root / "outside")


def test_a_folder_without_recordings_and_no_folder(tmp_path: Path) -> None:
    assert len(find_recordings(tmp_path)) == 0
    with pytest.raises(PathnameError, match="no folder"):
        find_recordings(tmp_path / "nowhere")


def test_little_is_read_of_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Recording(frames_per_slice=400, height=64, width=64, frames_per_file=100).write(tmp_path)
    assert files[0].stat().st_size > 700_000
    counts: Counter[str] = Counter()
    original = local._read_once

    def count_read(*arguments: Any) -> int:
        count = original(*arguments)
        counts["bytes"] += count
        counts["calls"] += 1
        return count

    monkeypatch.setattr(local, "_read_once", count_read)
    find_recordings(tmp_path)
    assert counts["bytes"] < len(files) * ((64 << 10) + 32_000)
    assert counts["calls"] <= 16 * len(files) + 3, "of a start, three probes, and three last pages; the last frame"


def test_progress_is_told(tmp_path: Path) -> None:
    ROLLED_RECORDING.write(tmp_path)
    calls: list[tuple[int, int]] = []
    find_recordings(tmp_path, progress=lambda num_done, total: calls.append((num_done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_slow_files_are_opened_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(10):
        replace(ROLLED_RECORDING, stem=f"r{i}", slot=300).write(tmp_path / f"day {i % 3}")
    expected = find_recordings(tmp_path)
    original = local._read_once

    def read_slowly(*arguments: Any) -> int:
        time.sleep(0.01)
        return original(*arguments)

    monkeypatch.setattr(local, "_read_once", read_slowly)
    start = time.perf_counter()
    assert find_recordings(tmp_path) == expected
    assert time.perf_counter() - start < 40 * 3 * 0.01, "one after the other would take longer"


# -------------------------------------------------------------------------- the command


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_list_as_json_and_csv(tree: Path) -> None:
    recordings = find_recordings(tree)
    rows = json.loads(run("list", tree, "--json").stdout)
    assert [row["name"] for row in rows] == [row.name for row in recordings]
    for row, recording in zip(rows, recordings, strict=True):
        assert row["files"] == list(recording.files)
        assert row["missing"] == list(recording.missing)
        assert row["status"] == recording.status
        assert row["frames"] == recording.num_frames
        assert row["rate_hz"] == (None if math.isnan(recording.rate) else recording.rate)
        assert row["depths_um"] == list(recording.depths)
    cells = list(csv.DictReader(io.StringIO(run("list", tree, "--csv").stdout)))
    assert [row["name"] for row in cells] == [row.name for row in recordings]
    assert cells[3]["missing"] == "hole_00001_00002.tif"
    assert json.loads(run("list", tree / "day 1" / "export.zarr" / "..", "--json").stdout)


def test_the_list_as_text(tree: Path) -> None:
    result = run("list", tree)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    cells = [line.split("\t") for line in lines]
    assert (cells[0][0], cells[0][-1]) == ("recording", "status")
    assert (cells[1][0], cells[1][-1]) == (os.path.join("day 1", "first"), "complete")  # noqa: PTH118 - a name
    assert cells[4][1] == "3 of 4"
    assert "hole: parts missing: 1 file is missing: hole_00001_00002.tif" in result.stdout
    assert lines[-1] == "7 recordings, 2 other TIFF files, 1 OME-TIFF file that scanreader wrote"
    assert run("list", tree / "nowhere").exit_code == 1


def test_a_list_of_nothing(tmp_path: Path) -> None:
    assert json.loads(run("list", tmp_path, "--json").stdout) == []
    assert run("list", tmp_path).stdout.splitlines()[-1].startswith("0 recordings")
