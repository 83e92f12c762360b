"""Recordings that are still being written: nothing is lost, doubled or torn."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, STACK, VOLUME, read_warned

from scanreader import ChangedFileError, FieldDimensionMismatch, ScanIndexError, ScanReaderWarning, read_scan
from scanreader.files.local import OpenFile
from scanreader.simulate import Recording

# A process that appends the bytes of whole recordings piece by piece, as ScanImage's loggers do: the last page of a
# file is marked as such when the file is closed.
WRITER = """
import random, sys, time
from pathlib import Path
source, target, seed, pause = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
draw = random.Random(seed)
for path in sorted((source / "open").iterdir()):
    data, closed = path.read_bytes(), (source / "closed" / path.name).read_bytes()
    with (target / path.name).open("wb", buffering=0) as file:
        at = 0
        while at < len(data):
            size = draw.choice([1, 7, 100, 376, 2377, 5000, 20000])
            at += file.write(data[at : at + size])
            if draw.random() < 0.02:
                time.sleep(pause)
        differ = [i for i in range(0, len(data), 8) if data[i : i + 8] != closed[i : i + 8]]
        for i in differ:
            file.seek(i)
            file.write(closed[i : i + 8])
    print(path.name, flush=True)
"""


def stage(recording: Recording, folder: Path) -> None:
    """Write a recording's files as they are before and after they are closed."""
    recording.write(folder / "closed")
    replace(recording, closed=False).write(folder / "open")


KINDS = {
    "planar": Recording(frames_per_slice=3000, channels=(1, 2), frames_per_file=800),
    "volume": replace(VOLUME, volumes=400, frames_per_file=333),
    "stack": replace(STACK, volumes=300),
    "one file": Recording(frames_per_slice=3000, height=24, width=20),
    "galvo": Recording(frames_per_slice=1500, resonant=False, frames_per_file=700),
    "averaged": Recording(frames_per_slice=4000, averaging=4),
}


@pytest.mark.parametrize("kind", KINDS)
def test_follows_a_real_writer(tmp_path: Path, kind: str) -> None:
    recording = KINDS[kind]
    stage(recording, tmp_path / "staged")
    target = tmp_path / "live"
    target.mkdir()
    command = [sys.executable, "-c", WRITER, str(tmp_path / "staged"), str(target), "1", "0.005"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as writer:
        scan = None
        while scan is None:
            try:
                scan, _ = read_warned(target)
            except (OSError, ValueError):  # nothing is there yet
                assert writer.poll() is None
                time.sleep(0.01)
        num_before = scan.num_frames if scan.num_scanning_depths == len(recording.zs) else 0
        blocks = list(scan.follow(timeout=30, interval=0.01))
        assert writer.wait(30) == 0
    complete_scan = read_scan(target)
    assert len(blocks) > 1
    assert np.array_equal(np.concatenate(blocks, axis=-1), complete_scan[..., num_before:])
    assert complete_scan.num_frames == (
        recording.frames_per_slice // recording.averaging
        if recording.mode == "planar"
        else recording.volumes * recording.frames_per_slice
    )


def test_a_scan_stays_readable_while_its_file_grows(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=60)
    stage(recording, tmp_path)
    data = (tmp_path / "open" / "scan_00001.tif").read_bytes()
    path = tmp_path / "live.tif"
    path.write_bytes(data[: len(data) // 3])
    scan, _ = read_warned(path)
    first = scan[:]
    trace = scan[0, 3, 3, 0]
    with path.open("ab") as file:
        file.write(data[len(data) // 3 : -1000])
    assert np.array_equal(scan[:], first)
    assert np.array_equal(scan[0, 3, 3, 0], trace)
    assert np.array_equal(pickle.loads(pickle.dumps(scan))[:], first)
    grown_scan = scan.refresh()
    assert grown_scan.num_frames > scan.num_frames
    assert np.array_equal(grown_scan[..., : scan.num_frames], first)
    path.write_bytes((tmp_path / "closed" / "scan_00001.tif").read_bytes())
    assert np.array_equal(grown_scan.refresh()[:], read_scan(path)[:])


@pytest.mark.parametrize("seed", range(3))
def test_every_moment_gives_whole_frames(tmp_path: Path, seed: int) -> None:
    """Cut at hundreds of places, a growing file never gives a torn frame, and never fewer than before."""
    recording = replace(VOLUME, volumes=6)
    stage(recording, tmp_path)
    data = (tmp_path / "open" / "scan_00001.tif").read_bytes()
    right = read_scan(tmp_path / "closed")[:]
    path = tmp_path / "live.tif"
    draw = random.Random(seed)
    ends = sorted(draw.randrange(len(data) // 4, len(data)) for _ in range(150))
    path.write_bytes(data[: ends[0]])
    scan, _ = read_warned(path)
    written_size = ends[0]
    for end in ends[1:]:
        with path.open("ab") as file:
            file.write(data[written_size:end])
        written_size = end
        grown_scan = scan.refresh()
        assert grown_scan.num_frames >= (scan.num_frames if scan.num_scanning_depths == 3 else 0)
        if grown_scan.num_scanning_depths == 3:
            assert np.array_equal(grown_scan[:], right[..., : grown_scan.num_frames])
        scan = grown_scan


def test_refresh_reads_nothing_again_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(frames_per_slice=400, frames_per_file=10)
    paths = recording.write(tmp_path / "all")
    live_folder = tmp_path / "live"
    live_folder.mkdir()
    for path in paths[:30]:
        (live_folder / path.name).write_bytes(path.read_bytes())
    scan, _ = read_warned(live_folder)
    paths_opened: list[str] = []
    original = OpenFile.__init__

    def count_opening(self: Any, path: Any) -> None:
        paths_opened.append(os.fspath(path))
        original(self, path)

    monkeypatch.setattr(OpenFile, "__init__", count_opening)
    (live_folder / paths[30].name).write_bytes(paths[30].read_bytes())
    grown_scan = scan.refresh()
    assert grown_scan.num_frames == 310
    assert {Path(name).name for name in paths_opened} <= {paths[29].name, paths[30].name}
    monkeypatch.undo()
    assert np.array_equal(grown_scan[:], read_warned(live_folder)[0][:])


def test_refresh_is_of_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MESOSCOPE.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    scan = read_scan("scan_00001.tif", dtype=np.float32, join_contiguous=True).trimmed(left=1)
    monkeypatch.chdir(tmp_path.parent)
    grown_scan = pickle.loads(pickle.dumps(scan)).refresh()
    assert grown_scan.fields == scan.fields
    assert grown_scan.dtype == np.float32
    assert np.array_equal(grown_scan[0], scan[0])


def test_a_file_that_took_the_place_of_another_is_no_growth(tmp_path: Path) -> None:
    stage(Recording(frames_per_slice=60), tmp_path)
    path = tmp_path / "live.tif"
    data = (tmp_path / "open" / "scan_00001.tif").read_bytes()
    path.write_bytes(data[:50_000])
    scan, _ = read_warned(path)
    other_path = tmp_path / "other.tif"
    other_path.write_bytes(data)
    other_path.replace(path)
    with pytest.raises(ChangedFileError):
        scan[:]


def test_following_ends_with_a_warning_where_nothing_comes(tmp_path: Path) -> None:
    stage(Recording(frames_per_slice=60), tmp_path)
    data = (tmp_path / "open" / "scan_00001.tif").read_bytes()
    (tmp_path / "live.tif").write_bytes(data[: len(data) // 2])
    scan, _ = read_warned(tmp_path / "live.tif")
    with pytest.warns(ScanReaderWarning, match="no new frame for 0.2 s"):
        assert list(scan.follow(timeout=0.2, interval=0.05)) == []


def test_following_what_has_ended_gives_nothing(tmp_path: Path) -> None:
    Recording(frames_per_slice=6).write(tmp_path)
    assert list(read_scan(tmp_path).follow(timeout=5)) == []


def test_fields_of_other_sizes_are_followed_one_by_one(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.raises(FieldDimensionMismatch):
        scan.follow()
    assert list(scan.follow(field=4)) == []


@pytest.mark.parametrize("options", [{"field": 99}, {"field": "a"}, {"timeout": "a"}, {"interval": None}])
def test_odd_arguments_are_refused_at_once(tmp_path: Path, options: dict[str, Any]) -> None:
    Recording(frames_per_slice=6).write(tmp_path)
    with pytest.raises(ScanIndexError):
        read_scan(tmp_path).follow(**options)


def test_a_closed_scan_is_not_refreshed(tmp_path: Path) -> None:
    Recording(frames_per_slice=6).write(tmp_path)
    scan = read_scan(tmp_path)
    scan.close()
    with pytest.raises(ValueError, match="closed"):
        scan.refresh()
