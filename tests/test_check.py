"""Findings of `Scan.check` in undamaged recordings and in damaged ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME, read_warned

from scanreader import ScanReaderWarning, read_scan
from scanreader.check import Report
from scanreader.errors import Finding
from scanreader.simulate import RELEASES, Recording

PLANAR = Recording(frames_per_slice=40, channels=(1, 2))
ROLLED_RECORDING = replace(PLANAR, frames_per_file=10)


@pytest.mark.parametrize(
    "name",
    ["two_channels_5_7.tif", "volume_two_channels", "slow_stack_20220923_noroi.tif", "legacy_3_8_resaved.tiff"],
)
def test_real_recordings_are_sound(recordings: Path, name: str) -> None:
    report = read_scan(recordings / name).check()
    assert report.ok
    assert set(report.names) <= {"uneven-spacing", "fewer-frames"}


@pytest.mark.parametrize("release", RELEASES)
def test_planar_recordings_of_every_release_are_sound(tmp_path: Path, release: str) -> None:
    replace(PLANAR, release=release).write(tmp_path)
    report = read_scan(tmp_path).check()
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "recording",
    [
        ROLLED_RECORDING,
        VOLUME,
        replace(VOLUME, frames_per_file=7),
        STACK,
        MESOSCOPE,
        Recording(frames_per_slice=40, averaging=4),
        Recording(frames_per_slice=5, loops=3),
        replace(STACK, loops=2),
        Recording(frames_per_slice=10, averaging=4, loops=3, frames_per_file=1),
        Recording(frames_per_slice=120, resonant=False),
        replace(PLANAR, json_descriptions=True, release="2018a"),
    ],
    ids=str,
)
def test_sound_recordings_of_every_mode_are_sound(tmp_path: Path, recording: Recording) -> None:
    recording.write(tmp_path)
    report = read_scan(tmp_path).check()
    assert report.ok, str(report)


def cut(paths: list[Path]) -> None:
    os.truncate(paths[-1], paths[-1].stat().st_size - 100)


def remove(number: int) -> Callable[[list[Path]], None]:
    return lambda paths: paths[number].unlink()


def rewrite(recording: Recording, change: Callable[[list[Any]], list[Any]]) -> Callable[[list[Path]], None]:
    return lambda paths: recording.write_file(paths[0], change(list(recording.pages())))


def shift_times(from_page: int, seconds: float) -> Callable[[list[Path]], None]:
    """Move the timestamps of frames, but not their numbers."""

    def change(paths: list[Path]) -> None:
        data = bytearray(paths[0].read_bytes())
        offset = data.find(b"frameTimestamps_sec = ")
        page = 0
        while offset >= 0:
            if page >= from_page:
                value = float(data[offset + 22 : offset + 33])
                data[offset + 22 : offset + 33] = f"{value + seconds:.9f}".encode()
            offset, page = data.find(b"frameTimestamps_sec = ", offset + 1), page + 1
        paths[0].write_bytes(data)

    return change


def noise(page: int) -> Callable[[list[Path]], None]:
    def change(paths: list[Path]) -> None:
        with tifffile.TiffFile(paths[0]) as tif:
            offset = tif.pages[page].offset
        with paths[0].open("r+b") as file:
            file.seek(offset)
            file.write(np.random.default_rng(0).bytes(300))

    return change


WRONG_RECORDINGS: dict[str, tuple[Recording, Callable[[list[Path]], None], str, str]] = {
    "middle file missing": (ROLLED_RECORDING, remove(1), "missing-file", "warning"),
    "first file missing": (ROLLED_RECORDING, remove(0), "missing-file", "warning"),
    "dropped": (replace(PLANAR, dropped=(7,)), lambda _: None, "dropped-frames", "warning"),
    "doubled": (
        PLANAR,
        rewrite(PLANAR, lambda pages: pages[:10] + pages[8:]),
        "doubled-frames",
        "warning",
    ),
    "cut": (PLANAR, cut, "cut-end", "warning"),
    "partial": (replace(VOLUME, stop=12), lambda _: None, "partial-volume", "warning"),
    "noise in the middle": (PLANAR, noise(20), "damaged-page", "damage"),
    "time gap": (PLANAR, shift_times(20, 0.5), "time-gap", "warning"),
    "time goes back": (PLANAR, shift_times(20, -0.003), "time-gap", "warning"),
}


@pytest.mark.parametrize("case", WRONG_RECORDINGS)
def test_each_defect_is_found(tmp_path: Path, case: str) -> None:
    recording, change, name, severity = WRONG_RECORDINGS[case]
    paths = recording.write(tmp_path)
    change(paths)
    report = read_warned(tmp_path)[0].check()
    findings = [finding for finding in report.findings if finding.name == name]
    assert findings, str(report)
    assert findings[0].severity == severity
    assert not report.ok
    assert findings[0].sentence in str(report)


def test_each_jump_is_found_once(tmp_path: Path) -> None:
    replace(PLANAR, dropped=(7, 20, 21)).write(tmp_path)
    report = read_warned(tmp_path)[0].check()
    sentences = [finding.sentence for finding in report.findings if finding.name == "dropped-frames"]
    assert [sentence.split(" missing")[0] for sentence in sentences] == ["1 frame is", "2 frames are"]


def test_a_missing_file_is_named_once(tmp_path: Path) -> None:
    ROLLED_RECORDING.write(tmp_path)[1].unlink()
    report = read_warned(tmp_path)[0].check()
    assert [f.place for f in report.findings if f.name == "missing-file"] == ["scan_00001_00003.tif"]


def test_a_drop_and_a_double_that_cancel_out_are_found(tmp_path: Path) -> None:
    def change(pages: list[Any]) -> list[Any]:
        return pages[:10] + pages[12:30] + pages[28:]

    (path,) = PLANAR.write(tmp_path)
    PLANAR.write_file(path, change(list(PLANAR.pages())))
    names = read_warned(tmp_path)[0].check().names
    assert {"dropped-frames", "doubled-frames"} <= set(names)


def test_joined_recordings_are_reported(tmp_path: Path) -> None:
    first = Recording(frames_per_slice=5).write(tmp_path / "a")
    second = Recording(frames_per_slice=4, epoch=(2024, 1, 1, 1, 1, 1.0)).write(tmp_path / "b")
    report = read_warned([*first, *second])[0].check()
    assert "mixed-acquisitions" in report.names
    assert not report.ok


def poke(paths: list[Path], page: int, offset: int, data: bytes) -> None:
    """Write over bytes of a page, counted from its IFD."""
    with tifffile.TiffFile(paths[0]) as tif:
        start = tif.pages[page].offset
    with paths[0].open("r+b") as file:
        file.seek(start + offset)
        file.write(data)


@pytest.mark.parametrize("recording", [PLANAR, replace(VOLUME, volumes=8)], ids=["planar", "volume"])
def test_missing_first_frames_are_found(tmp_path: Path, recording: Recording) -> None:
    replace(recording, dropped=(0, 1, 2)).write(tmp_path)
    report = read_warned(tmp_path)[0].check()
    assert "dropped-frames" in report.names
    assert not report.ok


def test_jumps_are_found_beside_frames_without_a_number(tmp_path: Path) -> None:
    paths = replace(PLANAR, dropped=(20, 21)).write(tmp_path)
    poke(paths, 8, 376, b"\1" * 2000)
    report = read_warned(tmp_path)[0].check()
    assert {"dropped-frames", "no-frame-numbers"} <= set(report.names)
    assert not {"time-gap", "several-acquisitions"} & set(report.names), str(report)


@pytest.mark.parametrize("frames", [20, 100])
def test_a_pointer_that_points_nowhere_is_found(tmp_path: Path, frames: int) -> None:
    paths = Recording(frames_per_slice=frames).write(tmp_path)
    right = read_scan(paths[0])[:]
    poke(paths, 5, 368, bytes(8))
    scan = read_scan(paths[0])
    report = scan.check()
    assert report.names == ["broken-pointer"]
    assert not report.ok
    with pytest.warns(ScanReaderWarning, match="page 5 of scan_00001.tif marks itself as the last"):
        assert np.array_equal(scan[:], right)


def test_a_page_of_another_width_is_damage(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=20).write(tmp_path)
    poke(paths, 5, 20, (99).to_bytes(8, "little"))
    assert "damaged-page" in read_scan(paths[0]).check().names


def test_channels_in_each_others_places_are_found(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=20, channels=(1, 2))
    (path,) = recording.write(tmp_path)
    pages = list(recording.pages())
    pages.insert(17, pages[17])
    del pages[9]
    recording.write_file(path, iter(pages))
    report = read_warned(path)[0].check()
    assert report.names[0] == "mixed-channels"


@pytest.mark.parametrize("release", ["4.2", "5.0", "5.1"])
def test_loops_of_older_releases_are_sound(tmp_path: Path, release: str) -> None:
    Recording(release=release, frames_per_slice=13, averaging=3, loops=2).write(tmp_path)
    report = read_scan(tmp_path).check()
    assert report.ok, str(report)


def test_sound_recordings_that_were_joined_have_no_jump(tmp_path: Path) -> None:
    a = Recording(stem="a", frames_per_slice=10).write(tmp_path)
    b = Recording(stem="b", frames_per_slice=10, epoch=(2023, 9, 22, 13, 1, 1.0)).write(tmp_path)
    report = read_warned([*a, *b])[0].check()
    assert [f.name for f in report.findings if f.severity != "note"] == ["mixed-acquisitions"]


def test_raw_pages_are_not_frames(tmp_path: Path) -> None:
    Recording(frames_per_slice=40, averaging=4, channels=(1, 2)).write(tmp_path)
    report = read_scan(tmp_path, raw=True).check()
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "settings",
    [
        {"hScan2D.scannerFrequency": None},
        {"hScan2D.flybackTimePerFrame": [0.001, 0.002]},
        {"hScan2D.flybackTimePerFrame": None},
        {"hRoiManager.linePeriod": 0},
        {"hRoiManager.scanFrameRate": 0},
    ],
    ids=str,
)
def test_odd_settings_are_survived(tmp_path: Path, settings: dict[str, Any]) -> None:
    replace(PLANAR, settings=settings).write(tmp_path)
    assert read_scan(tmp_path).check().ok


NOTES: dict[str, tuple[Recording, str]] = {
    "stopped early": (replace(PLANAR, stop=20, settings={"hStackManager.framesPerSlice": 40}), "fewer-frames"),
    "another rate": (replace(PLANAR, settings={"hRoiManager.scanFrameRate": 400}), "rate-mismatch"),
    "another flyback": (replace(PLANAR, settings={"hScan2D.flybackTimePerFrame": 0.01}), "period-mismatch"),
    "galvo": (Recording(frames_per_slice=1200, resonant=False), "uneven-spacing"),
    "loop": (Recording(frames_per_slice=5, loops=3), "several-acquisitions"),
    "clock": (replace(PLANAR, epoch=(1601, 1, 1, 0, 0, 0.0)), "no-start-time"),
}


@pytest.mark.parametrize("case", NOTES)
def test_notes_leave_a_recording_sound(tmp_path: Path, case: str) -> None:
    recording, name = NOTES[case]
    recording.write(tmp_path)
    report = read_scan(tmp_path).check()
    assert name in report.names, str(report)
    assert report.ok, str(report)


def test_no_end_flag(tmp_path: Path) -> None:
    ROLLED_RECORDING.write(tmp_path)[-1].unlink()
    report = read_scan(tmp_path).check()
    assert report.ok
    assert {"no-end-flag", "fewer-frames"} <= set(report.names)


def test_what_is_missing_before_the_end_is_not_the_end(tmp_path: Path) -> None:
    paths = ROLLED_RECORDING.write(tmp_path)
    paths[1].unlink()
    report = read_warned(tmp_path)[0].check()
    (sentence,) = [finding.sentence for finding in report.findings if finding.name == "fewer-frames"]
    assert "its end is there, so frames before it are missing" in sentence
    assert "stopped" not in sentence
    paths[-1].unlink()
    (sentence,) = [f.sentence for f in read_warned(tmp_path)[0].check().findings if f.name == "fewer-frames"]
    assert "the recording was stopped, or its end is missing" in sentence


def test_many_findings_of_a_kind_are_counted(tmp_path: Path) -> None:
    Recording(frames_per_slice=100, dropped=tuple(range(1, 100, 3))).write(tmp_path)
    report = read_warned(tmp_path)[0].check()
    sentences = [finding.sentence for finding in report.findings if finding.name == "dropped-frames"]
    assert len(sentences) == 6
    assert sentences[-1] == "28 more jumps of frame numbers"


def test_a_file_of_no_scanimage(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
    report = read_warned(tmp_path)[0].check()
    assert report.names[0] == "not-scanimage"


def test_a_report_prints_the_worst_first() -> None:
    findings = (Finding("b", "warning", "", "second"), Finding("a", "note", "", "third"))
    assert str(Report("a scan", findings)) == "a scan: not ok\n  ! b: second\n  · a: third"
    assert str(Report("a scan", ())) == "a scan: ok"
