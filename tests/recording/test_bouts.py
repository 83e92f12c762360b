"""Several grabs and loops as one scan: which frames are of which bout, and their times on one clock."""

from __future__ import annotations

import json
import math
import pickle
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from common import ROIS, VOLUME, assert_reads, expected, read_warned

from scanreader import LayoutError, PathnameError, Scan, ScanIndexError, ScanKeyError, phase, read_scan
from scanreader.simulate import Recording

# 10 of 12 frames: stopped inside its fourth volume.
A = Recording(stem="a", mode="fast", zs=(0.0, 30.0, 60.0), volumes=4, stop=10)
B = replace(A, stem="b", stop=None, epoch=(2023, 9, 22, 12, 50, 9.383))
CLOCK = datetime(2023, 9, 22, 12, 46, 9, 383000)  # noqa: DTZ001 - ScanImage writes no time zone


def stamps(path: Path) -> npt.NDArray[np.float64]:
    """The oracle: the timestamp of each page, parsed from what tifffile gives of its description."""
    with tifffile.TiffFile(path) as tif:
        texts = [page.aspage().tags["ImageDescription"].value for page in tif.pages]
    return np.array([float(re.search(r"frameTimestamps_sec[^\d-]*([-\d.e]+)", text)[1]) for text in texts])  # type: ignore[index]


def clock_of(path: Path) -> datetime:
    """The oracle: the epoch of the first page, in any of its spellings."""
    with tifffile.TiffFile(path) as tif:
        text = tif.pages.first.tags["ImageDescription"].value
    numbers = re.search(r"epoch[^\[]*\[([^\]]*)\]", text)[1].replace(",", " ").split()  # type: ignore[index]
    *date, seconds = map(float, numbers)
    return datetime(*map(int, date)) + timedelta(milliseconds=round(seconds * 1000))  # type: ignore[arg-type] # noqa: DTZ001


def expected_times(paths: Sequence[Path], slices: int = 1) -> npt.NDArray[np.float64]:
    """The oracle: epoch and timestamp of every page of complete volumes of one channel, of shape (slices, frames)."""
    times = []
    for path in paths:
        times_of_bout = stamps(path)
        times_of_bout = times_of_bout[: len(times_of_bout) // slices * slices]
        times.append((clock_of(path) - clock_of(paths[0])).total_seconds() + times_of_bout.reshape(-1, slices).T)
    return np.concatenate(times, axis=1)


@pytest.fixture
def two_bouts(tmp_path: Path) -> tuple[Path, Path]:
    return A.write(tmp_path)[0], B.write(tmp_path)[0]


def joined(paths: Any, **options: Any) -> Scan:
    return read_warned(paths, **options)[0]


# ------------------------------------------------------------------ acceptance of section 4.4


def test_bouts_a_aborted_mid_volume_and_b_have_7_volumes_on_one_clock(two_bouts: tuple[Path, Path]) -> None:
    scan, warning = read_warned(list(two_bouts))
    assert scan.num_frames == 7
    assert [bout.frames for bout in scan.bouts] == [slice(0, 3), slice(3, 7)]
    assert [bout.offset for bout in scan.bouts] == [0.0, 240.0]
    assert [bout.start_time for bout in scan.bouts] == [CLOCK, CLOCK + timedelta(seconds=240)]
    assert [bout.clock for bout in scan.bouts] == ["epoch", "epoch"]
    assert [bout.files for bout in scan.bouts] == [(str(two_bouts[0]),), (str(two_bouts[1]),)]
    assert [bout.complete for bout in scan.bouts] == [False, True]
    assert scan.start_time == CLOCK
    assert scan.timestamps[0, 3] == 240.0 + stamps(two_bouts[1])[0]
    np.testing.assert_array_equal(scan.timestamps, expected_times(two_bouts, 3))
    assert (np.diff(scan.timestamps) > 0).all()
    assert "2 recordings are joined as bouts" in warning


def test_a_loop_of_3_has_3_bouts_with_offsets_from_its_stamps(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=4, loops=3).write(tmp_path)
    scan = read_scan(tmp_path)
    assert [bout.frames for bout in scan.bouts] == [slice(0, 4), slice(4, 8), slice(8, 12)]
    assert [bout.clock for bout in scan.bouts] == ["frames"] * 3
    assert [bout.offset for bout in scan.bouts] == [stamps(path)[0] for path in paths]
    np.testing.assert_array_equal(scan.timestamps[0], np.concatenate([stamps(path) for path in paths]))
    assert all(bout.complete for bout in scan.bouts)
    assert scan.bouts[1].start_time == CLOCK + timedelta(milliseconds=round(1000 * stamps(paths[1])[0]))


@pytest.mark.parametrize("spelling", ["2023  9 22 12 50 9.383", "2023,9,22,12,50,9.383", "json"])
def test_text_comma_and_json_epochs_give_the_same_time(
    spelling: str, two_bouts: tuple[Path, Path], tmp_path: Path
) -> None:
    if spelling == "json":
        (path,) = replace(B, json_descriptions=True).write(tmp_path)
    else:
        path = two_bouts[1]
        data = path.read_bytes()
        (epoch_text,) = set(re.findall(rb"epoch = \[([^\]]*)\]", data))
        path.write_bytes(data.replace(epoch_text, spelling.encode().ljust(len(epoch_text))))
        assert path.stat().st_size == len(data)
    scan = joined([two_bouts[0], path])
    assert scan.bouts[1].offset == 240.0
    assert scan.bouts[1].start_time == CLOCK + timedelta(seconds=240) == clock_of(path)
    np.testing.assert_array_equal(scan.timestamps, expected_times([two_bouts[0], path], 3))


def test_an_epoch_of_the_year_1601_makes_the_times_of_its_bout_unknown_until_given(tmp_path: Path) -> None:
    (a,) = A.write(tmp_path)
    (b,) = replace(B, epoch=(1601, 1, 1, 0, 0, 0.0)).write(tmp_path)
    scan, warning = read_warned([a, b])
    assert "bout_starts=" in warning
    assert b.name in warning
    assert [bout.clock for bout in scan.bouts] == ["epoch", "unknown"]
    assert math.isnan(scan.bouts[1].offset)
    assert scan.bouts[1].start_time is None
    np.testing.assert_array_equal(scan.timestamps[:, :3], expected_times([a], 3))
    assert np.isnan(scan.timestamps[:, 3:]).all()
    scan_with_starts = joined([a, b], bout_starts=[0.0, 240.013])
    assert [bout.clock for bout in scan_with_starts.bouts] == ["given", "given"]
    np.testing.assert_allclose(scan_with_starts.timestamps[:, 3:], 240.013 + expected_times([b], 3), atol=1e-12)
    assert scan_with_starts.timestamps[0, 3] == 240.013


def test_where_the_first_epoch_is_nonsense_the_scan_starts_with_the_next(tmp_path: Path) -> None:
    (a,) = replace(A, epoch=(1601, 1, 1, 0, 0, 0.0)).write(tmp_path)
    (b,) = B.write(tmp_path)
    scan = joined([a, b])
    assert [bout.clock for bout in scan.bouts] == ["unknown", "epoch"]
    assert scan.start_time == clock_of(b)
    assert np.isnan(scan.timestamps[:, :3]).all()
    np.testing.assert_array_equal(scan.timestamps[:, 3:], expected_times([b], 3))


def test_without_any_epoch_the_first_bout_has_its_own_times(tmp_path: Path) -> None:
    nonsense = (1601, 1, 1, 0, 0, 0.0)
    (a,), (b,) = replace(A, epoch=nonsense).write(tmp_path), replace(B, epoch=nonsense).write(tmp_path)
    scan = joined([a, b])
    assert scan.start_time is None
    assert [bout.clock for bout in scan.bouts] == ["frames", "unknown"]
    np.testing.assert_array_equal(scan.timestamps[:, :3], expected_times([a], 3))
    assert np.isnan(scan.timestamps[:, 3:]).all()


# ----------------------------------------------------------------------------------- the clock


def test_a_bout_whose_first_stamp_is_not_0(tmp_path: Path) -> None:
    (a,) = A.write(tmp_path)
    rolled_paths = replace(B, frames_per_file=3).write(tmp_path)
    paths = [a, *rolled_paths[1:]]  # its first part was lost
    scan, warning = read_warned(paths)
    assert "missing" in warning
    first = stamps(rolled_paths[1])[0]
    assert first > 0
    assert scan.bouts[1].offset == 240.0
    assert scan.timestamps[0, 3] == 240.0 + first
    assert not scan.bouts[1].complete
    scan_with_starts = joined(paths, bout_starts=[0, 100])
    assert scan_with_starts.timestamps[0, 3] == 100.0, "the first recorded frame"
    assert scan_with_starts.bouts[1].offset == 100.0
    times_of_bout = np.concatenate([stamps(path) for path in rolled_paths[1:]])
    np.testing.assert_allclose(scan_with_starts.field_timestamps(1)[3:], 100 + times_of_bout[1::3] - first, atol=1e-12)


def test_given_starts_count_from_the_first_recorded_frame_also_if_it_is_in_no_volume(tmp_path: Path) -> None:
    rolled_paths = replace(A, frames_per_file=5, stop=None).write(tmp_path)
    scan = joined(rolled_paths[1], bout_starts=[50.0])  # it begins with the last slice of a volume
    times_of_file = stamps(rolled_paths[1])
    assert scan.timestamps[0, 0] > 50.0
    np.testing.assert_allclose(scan.frame_table["timestamp"], 50.0 + times_of_file - times_of_file[0], atol=1e-12)


def test_tables_and_events_are_on_the_clock(tmp_path: Path) -> None:
    edges, packets = ((0, 0.003),), ((0.001, b"\x01"),)
    (a,) = replace(A, triggers=edges, packets=packets).write(tmp_path)
    (b,) = replace(B, triggers=edges, packets=packets).write(tmp_path)
    scan = joined([a, b])
    table = scan.frame_table
    assert table["bout"].tolist() == [0] * 10 + [1] * 12
    np.testing.assert_array_equal(table["timestamp"][:10], stamps(a))
    np.testing.assert_array_equal(table["timestamp"][10:], 240.0 + stamps(b))
    assert [(event.source, event.time) for event in scan.events] == [
        ("I2C", 0.001),
        ("auxTrigger0", 0.003),
        ("I2C", 240.001),
        ("auxTrigger0", 240.003),
    ]
    of_a, of_b = (joined(path).frame_table["acquisition_trigger"] for path in (a, b))
    np.testing.assert_array_equal(table["acquisition_trigger"], np.append(of_a, 240.0 + of_b))


@pytest.mark.parametrize("epoch", [(2023, 9, 22, 12, 46, 0.0), (2023, 9, 22, 12, 46, 9.390)])
def test_epochs_that_go_back_or_overlap_are_a_warning(epoch: Any, tmp_path: Path) -> None:
    (a,), (b,) = A.write(tmp_path), replace(B, epoch=epoch).write(tmp_path)
    scan, warning = read_warned([a, b])
    assert "bouts-overlap" in [finding.name for finding in scan.findings]
    assert "b_00001.tif begins" in warning
    np.testing.assert_array_equal(scan.timestamps, expected_times([a, b], 3))
    assert "bouts-overlap" not in [finding.name for finding in joined([a, b], bout_starts=[0, 60]).findings]
    assert "bouts-overlap" in [finding.name for finding in joined([a, b], bout_starts=[60, 0]).findings]


def test_the_precision_of_the_clock_is_a_note(two_bouts: tuple[Path, Path]) -> None:
    (note,) = [finding for finding in joined(list(two_bouts)).findings if finding.name == "bout-clock"]
    assert note.is_note
    assert "about a frame" in note.sentence
    assert "b_00001.tif 240.000 s" in note.sentence


def test_a_nonsense_timestamp_in_a_loop_gives_no_start(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=4, loops=2).write(tmp_path)
    data = paths[1].read_bytes()
    match = re.search(rb"frameTimestamps_sec = ([\d.]+)", data)
    assert match is not None
    paths[1].write_bytes(data.replace(match[1], b"9e99".ljust(len(match[1]))))
    scan = joined(tmp_path)
    assert scan.bouts[1].start_time is None
    assert scan.bouts[1].clock == "frames"


def test_a_loop_and_a_grab(tmp_path: Path) -> None:
    loop = Recording(stem="l", frames_per_slice=4, loops=2).write(tmp_path)
    grab = Recording(stem="g", frames_per_slice=4, epoch=(2023, 9, 22, 13, 46, 9.383)).write(tmp_path)
    grab_after_loop = joined([*loop, *grab])
    assert [bout.clock for bout in grab_after_loop.bouts] == ["frames", "frames", "epoch"]
    assert grab_after_loop.bouts[2].offset == 3600
    grab_before_loop = joined([*grab, *loop])
    assert [bout.clock for bout in grab_before_loop.bouts] == ["epoch"] * 3
    times_of_loop = np.concatenate([stamps(path) for path in loop])
    np.testing.assert_array_equal(grab_before_loop.timestamps[0, 4:], -3600 + times_of_loop)
    assert grab_before_loop.bouts[2].offset == -3600 + stamps(loop[1])[0]


def test_recordings_of_3x_are_on_one_clock_by_their_triggers(tmp_path: Path) -> None:
    recording = Recording(release="3.8", frames_per_slice=5)
    (a,) = recording.write(tmp_path / "a")
    (b,) = replace(recording, stem="b").write(tmp_path / "b")
    b.write_bytes(b.read_bytes().replace(b"16:57:07.967", b"16:59:07.967"))
    first_scan = read_scan(a)
    assert first_scan.start_time == datetime(2017, 10, 9, 16, 57, 7, 967000)  # noqa: DTZ001 - it has none
    scan = joined([a, b])
    assert scan.timestamps_source == "frame rate"
    assert scan.bouts[1].offset == 120.0
    np.testing.assert_array_equal(scan.timestamps[0, :5], first_scan.timestamps[0])
    np.testing.assert_array_equal(scan.timestamps[0, 5:], 120.0 + first_scan.timestamps[0])
    scan_with_starts = joined([a, b], bout_starts=[0, 33.5])
    np.testing.assert_allclose(
        scan_with_starts.timestamps[0, 5:], 33.5 + first_scan.timestamps[0] - first_scan.timestamps[0, 0], atol=1e-12
    )


@pytest.mark.parametrize(
    "bad_starts",
    [[0.0], [0.0, 1.0, 2.0], [0.0, math.nan], "ab", [0, "1"], 3.0, [True, False], [[0], [1]], [[0], [1, 2]]],
)
def test_starts_that_are_no_numbers_for_each_bout_are_refused(bad_starts: Any, two_bouts: tuple[Path, Path]) -> None:
    with pytest.raises(ScanKeyError, match="bout_starts"):
        read_scan(list(two_bouts), bout_starts=bad_starts)


# ------------------------------------------------------------------------- what is grouped


def test_entries_are_grouped_in_the_order_of_their_first_mention(tmp_path: Path) -> None:
    a = replace(A, frames_per_file=3, stop=None).write(tmp_path)
    b = replace(B, frames_per_file=3).write(tmp_path)
    for names in ([b[1], a[0], b[0], *a[:0:-1], *b[2:]], [tmp_path / "b_*.tif", tmp_path / "a_*.tif"]):
        scan = joined(names)
        assert scan.filenames == [str(path) for path in [*b, *a]]
        assert [bout.files[0] for bout in scan.bouts] == [str(b[0]), str(a[0])]
        assert_reads(scan, expected(replace(A, stop=None), [*b, *a]))


def test_folders_globs_and_files_can_be_bouts(tmp_path: Path) -> None:
    a = A.write(tmp_path / "first")
    b = replace(B, frames_per_file=6).write(tmp_path / "[2] wöchentlich")
    c = replace(B, stem="c", epoch=(2023, 9, 22, 12, 55, 0.0)).write(tmp_path)
    scan = joined([tmp_path / "first", str(tmp_path / "[[]2] *" / "b_*.tif"), c[0]])
    assert scan.filenames == [str(path) for path in [*a, *b, *c]]
    assert len(scan.bouts) == 3


@pytest.mark.parametrize("name_in", [lambda t: t, lambda t: t / "*.tif", lambda t: [t], lambda t: [t, t / "x" / "c_*"]])
def test_a_glob_or_folder_of_several_is_refused_with_the_list(name_in: Any, tmp_path: Path) -> None:
    A.write(tmp_path)
    B.write(tmp_path)
    replace(B, stem="c").write(tmp_path / "x")
    with pytest.raises(PathnameError, match=r"2 recordings.*a_00001\.tif.*b_00001\.tif"):
        read_scan(name_in(tmp_path))


# ------------------------------------------------------------------------------------- views


def test_views_keep_the_bout_and_the_time_of_each_frame(two_bouts: tuple[Path, Path]) -> None:
    scan = joined(list(two_bouts))
    times = scan.timestamps
    view = scan.select(frames=[5, 0, 1, 4])
    assert [(bout.frames, bout.offset) for bout in view.bouts] == [
        (slice(0, 1), 240.0),
        (slice(1, 3), 0.0),
        (slice(3, 4), 240.0),
    ]
    np.testing.assert_array_equal(view.timestamps, times[:, [5, 0, 1, 4]])
    second_bout = scan.select(bouts=1)
    assert second_bout.num_frames == 4
    assert [bout.frames for bout in second_bout.bouts] == [slice(0, 4)]
    assert second_bout.start_time == CLOCK
    np.testing.assert_array_equal(second_bout.timestamps, times[:, 3:])
    np.testing.assert_array_equal(second_bout[1], scan[1][..., 3:])
    swapped_bouts = scan.select(bouts=[1, 0], frames=slice(3, 6), fields=[2])
    np.testing.assert_array_equal(swapped_bouts.field_timestamps(0), times[2][[6, 0, 1]])
    np.testing.assert_array_equal(swapped_bouts[0], scan[2][..., [6, 0, 1]])
    scan_copy = pickle.loads(pickle.dumps(swapped_bouts.trimmed(left=1).select(bouts=[True, False])))
    np.testing.assert_array_equal(scan_copy.field_timestamps(0), times[2][[6]])
    realigned = phase.realigned(scan, 1.5)
    assert realigned.bouts == scan.bouts
    for bad_bouts in (2, [-3], "a", [True]):
        with pytest.raises(ScanIndexError, match="bout"):
            scan.select(bouts=bad_bouts)


def test_one_grab_is_one_bout(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    (bout,) = scan.bouts
    assert bout.frames == slice(0, 4)
    assert bout.clock == "epoch"
    assert bout.offset == 0.0
    assert bout.files == tuple(map(str, paths))
    assert bout.complete
    assert bout.start_time == scan.start_time
    assert scan.select(bouts=[0]).num_frames == 4
    raw_scan = read_scan(tmp_path, raw=True)
    assert raw_scan.bouts[0].frames == slice(0, raw_scan.num_frames)


def test_raw_pages_of_bouts(two_bouts: tuple[Path, Path]) -> None:
    scan = joined(list(two_bouts), raw=True)
    assert [bout.frames for bout in scan.bouts] == [slice(0, 10), slice(10, 22)]
    np.testing.assert_array_equal(
        scan.timestamps[0], np.concatenate([stamps(two_bouts[0]), 240 + stamps(two_bouts[1])])
    )


def test_a_bout_without_a_complete_volume_has_no_frames(tmp_path: Path) -> None:
    (a,), (b,) = replace(A, stop=2).write(tmp_path), B.write(tmp_path)
    scan = joined([a, b])
    assert [bout.frames for bout in scan.bouts] == [slice(0, 0), slice(0, 4)]
    np.testing.assert_array_equal(scan.timestamps, expected_times([a, b], 3))


def test_bouts_of_a_scan_that_is_opened_again(two_bouts: tuple[Path, Path]) -> None:
    scan = joined(list(two_bouts), bout_starts=[0.0, 99.0])
    refreshed_scan = scan.refresh()
    assert refreshed_scan.bouts == scan.bouts
    assert refreshed_scan.token == scan.token
    np.testing.assert_array_equal(refreshed_scan.timestamps, scan.timestamps)
    assert scan.token != joined(list(two_bouts)).token


# ------------------------------------------------------------------ what agrees and differs


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("hRoiManager.scanZoomFactor", 4, "zoom: 4 against 1"),
        ("objectiveResolution", 30, "width of a pixel"),
        ("hRoiManager.scanVolumeRate", 100, "frame rate: 100 Hz against"),
        ("hBeams.powers", 33, "power of its beams: 33 % against"),
    ],
)
def test_what_may_differ_is_a_finding_with_both_values(
    name: str, value: float, words: str, two_bouts: tuple[Path, Path], tmp_path: Path
) -> None:
    (c,) = replace(B, stem="c", settings={name: value}).write(tmp_path)
    scan, warning = read_warned([two_bouts[0], c])
    findings = [finding for finding in scan.findings if finding.name == "bouts-differ"]
    assert findings
    assert all(finding.place == c.name for finding in findings)
    assert f"c_00001.tif differs from a_00001.tif in its {words}" in warning


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Recording(frames_per_slice=12, averaging=3, channels=(1, 2)), {"frames_per_slice": 20, "averaging": 5}),
        (
            Recording(mode="fast", zs=(0.0, 30.0), flyback=1, volumes=4),
            {"frames_per_slice": 2, "flyback": 2, "averaging": 2},
        ),
        (
            Recording(mode="fast", zs=(0.0, 30.0), frames_per_slice=6, flyback=6, volumes=3, averaging=3, stop=10),
            {"frames_per_slice": 4, "flyback": 4, "averaging": 2, "stop": None},
        ),
    ],
    ids=["planar", "fast", "repeats, stopped"],
)
def test_averaging_may_differ(first: Recording, second: dict[str, Any], tmp_path: Path) -> None:
    a = replace(first, stem="a", frames_per_file=3)
    b = replace(a, stem="b", epoch=(2023, 9, 22, 12, 50, 9.383), **second)
    paths = [a.write(tmp_path), b.write(tmp_path)]
    scan, warning = read_warned([*paths[0], *paths[1]])
    assert f"averaging: {b.averaging} raw frames against {a.averaging} raw frames" in warning
    single_scans = [joined(bout_paths) for bout_paths in paths]
    assert scan.num_frames == sum(single_scan.num_frames for single_scan in single_scans)
    for field in range(scan.num_fields):
        all_frames = np.concatenate([single_scan[field] for single_scan in single_scans], axis=-1)
        np.testing.assert_array_equal(scan[field], all_frames)
    np.testing.assert_array_equal(
        scan[0], np.concatenate([expected(a, paths[0])[0], expected(b, paths[1])[0]], axis=-1)
    )
    for name in ("raw_frame_numbers",):
        numbers = [getattr(single_scan, name)(0) for single_scan in single_scans]
        np.testing.assert_array_equal(getattr(scan, name)(0), np.concatenate(numbers))
    np.testing.assert_array_equal(
        scan.timestamps, np.concatenate([single_scans[0].timestamps, 240.0 + single_scans[1].timestamps], axis=1)
    )
    assert scan.frame_table["frame_number"].tolist() == [
        *single_scans[0].frame_table["frame_number"],
        *single_scans[1].frame_table["frame_number"],
    ]
    names = {finding.name for finding in scan.check().findings if not finding.is_note}
    assert names <= {"mixed-acquisitions", "bouts-differ", "partial-volume"}


def test_bouts_of_other_rates_have_no_gaps(two_bouts: tuple[Path, Path], tmp_path: Path) -> None:
    slow_bout = replace(B, stem="c", settings={"hRoiManager.scanFramePeriod": 0.05, "hRoiManager.scanFrameRate": 20})
    (c,) = slow_bout.write(tmp_path)
    scan = joined([two_bouts[0], c])
    assert np.diff(scan.timestamps[0, 3:]).min() > 0.1
    assert "time-gap" not in scan.check().names


def test_equal_settings_are_no_finding(two_bouts: tuple[Path, Path]) -> None:
    assert [finding.name for finding in joined(list(two_bouts)).findings if not finding.is_note] == [
        "mixed-acquisitions",
        "partial-volume",
    ]


@pytest.mark.parametrize(
    ("change", "noun"),
    [
        ({"channels": (1, 2)}, "order of pages"),
        ({"zs": (0.0, 30.0, 61.0)}, "depths"),
        ({"flyback": 1}, "order of pages"),
    ],
)
def test_what_must_agree_is_refused(
    change: dict[str, Any], noun: str, two_bouts: tuple[Path, Path], tmp_path: Path
) -> None:
    (c,) = replace(B, stem="c", **change).write(tmp_path)
    with pytest.raises(LayoutError, match=rf"c_00001\.tif and a_00001\.tif differ in their {noun}"):
        read_scan([two_bouts[0], c])


def test_rois_must_agree(tmp_path: Path) -> None:
    a = Recording(stem="a", frames_per_slice=4, rois=ROIS[:2], scanner_frequency=12013.0)
    b = replace(a, stem="b", rois=ROIS[1::-1], epoch=(2023, 9, 22, 12, 50, 9.383))
    paths = [*a.write(tmp_path), *b.write(tmp_path)]
    with pytest.raises(LayoutError, match=r"differ in their ROIs \(0, name\), so they cannot be joined: LM against V1"):
        read_scan(paths)
    equal_paths = [*a.write(tmp_path), *replace(b, stem="c", rois=a.rois).write(tmp_path)]
    assert joined(equal_paths).num_frames == joined(equal_paths, join_contiguous=True).num_frames == 8


def test_the_depth_of_one_plane_must_agree(tmp_path: Path) -> None:
    a = Recording(stem="a", frames_per_slice=4, zs=(10.0,))
    b = replace(a, stem="b", zs=(20.0,), epoch=(2023, 9, 22, 12, 50, 9.383))
    paths = [*a.write(tmp_path), *b.write(tmp_path)]
    depths = [read_scan(path).scanning_depths for path in paths]
    if depths[0] == depths[1]:
        pytest.skip("the simulated header gives a plane no depth")
    with pytest.raises(LayoutError, match="depths"):
        read_scan(paths)


def test_no_warning_but_one(two_bouts: tuple[Path, Path]) -> None:
    with warnings.catch_warnings(record=True) as warning_records:
        warnings.simplefilter("always")
        read_scan(list(two_bouts))
    assert len(warning_records) == 1
    json.dumps([finding._asdict() for finding in joined(list(two_bouts)).findings])
