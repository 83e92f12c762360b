"""What ScanImage wrote beside the frames: the table, times, indices and events, against each description read alone."""

from __future__ import annotations

import itertools
import math
import os
import pickle
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME, read_warned
from hypothesis import given, settings
from hypothesis import strategies as st

from scanreader import LayoutError, Scan, ScanIndexError, ScanReaderWarning, read_scan
from scanreader.files.local import OpenFile
from scanreader.recording.frames import _first_pages_of_frames
from scanreader.scanimage.descriptions import Event, as_datetime, find_events, frame_numbers, timestamps
from scanreader.simulate import RELEASES, Recording, write_bigtiff
from scanreader.tiff import descriptions, templates

PLANAR = Recording(frames_per_slice=40, channels=(1, 2))
RECORDINGS = {
    "planar": PLANAR,
    "volume": replace(VOLUME, frames_per_file=7),
    "stack": STACK,
    "averaged": Recording(frames_per_slice=40, averaging=4),
    "loop": Recording(frames_per_slice=5, loops=3),
    "galvo": Recording(frames_per_slice=120, resonant=False),
    "json": replace(PLANAR, json_descriptions=True, release="2018a"),
    "mesoscope": MESOSCOPE,
}


def plain_table(scan: Scan) -> list[dict[str, str]]:
    """Settings of the description of each page of one channel, as tifffile and a split of lines have them."""
    rows = []
    for name in scan.filenames:
        with tifffile.TiffFile(name) as tif:
            texts = [page.tags[270].value for page in tif.pages]  # type: ignore[union-attr] # whole pages
        for text in texts[:: scan.num_channels]:
            pairs = re.findall(r'"?(\w+)"?\s*[=:]\s*(.*?),?\s*(?:\n|$)', text)
            rows.append(dict(pairs))
    return rows


@pytest.mark.parametrize("kind", RECORDINGS)
def test_table_is_what_each_description_says(tmp_path: Path, kind: str) -> None:
    RECORDINGS[kind].write(tmp_path)
    scan = read_scan(tmp_path)
    table, rows_of_texts = scan.frame_table, plain_table(scan)
    assert len(table) == len(rows_of_texts)
    for column, key in {
        "frame_number": "frameNumbers",
        "acquisition_number": "acquisitionNumbers",
        "frame_number_acquisition": "frameNumberAcquisition",
        "timestamp": "frameTimestamps_sec",
        "end_of_acquisition": "endOfAcquisition",
        "end_of_acquisition_mode": "endOfAcquisitionMode",
        "dc_overvoltage": "dcOverVoltage",
    }.items():
        assert table[column].tolist() == [float(settings[key]) for settings in rows_of_texts], column
    triggers = [float(settings["acqTriggerTimestamps_sec"]) for settings in rows_of_texts]
    assert np.array_equal(table["acquisition_trigger"], [math.nan if t == -1 else t for t in triggers], equal_nan=True)
    assert np.isnan(table["next_file_marker"]).all()


@pytest.mark.parametrize("kind", RECORDINGS)
def test_rows_have_the_places_that_the_formula_gives(tmp_path: Path, kind: str) -> None:
    recording = RECORDINGS[kind]
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    table, sizes = scan.frame_table, []
    for name in scan.filenames:
        with tifffile.TiffFile(name) as tif:
            sizes.append(len(tif.pages))
    starts = np.cumsum([0, *sizes])
    s, r, c = scan.num_scanning_depths, recording.frames_per_slice // recording.averaging, scan.num_channels
    if recording.mode == "planar":
        r = 1
    per = s * r + recording.flyback // recording.averaging
    for i, row in enumerate(table):
        v, q = divmod(i, per)
        assert starts[row["file"]] + row["page"] == i * c
        assert row["volume"] == v
        assert row["is_flyback"] == (q >= s * r)
        assert (row["slice"], row["repeat"]) == ((-1, -1) if q >= s * r else divmod(q, r))
    for slice_id in range(s):
        rows_of_slice = table[table["slice"] == slice_id]
        assert np.array_equal(rows_of_slice["timestamp"], scan.timestamps[slice_id])
        assert np.array_equal(np.flatnonzero(table["slice"] == slice_id), scan.frame_indices(slice_id))
        for channel in range(c):
            numbers = starts[rows_of_slice["file"]] + rows_of_slice["page"] + channel
            assert np.array_equal(numbers, scan.frame_indices(slice_id, pages=True, channel=channel))
    for i, field in enumerate(scan.fields):
        assert np.array_equal(scan.field_timestamps(i), scan.timestamps[field.slice_id])


def test_indices_are_of_the_last_slice_by_default(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    assert np.array_equal(scan.frame_indices(), scan.frame_indices(scan.num_scanning_depths - 1))


@pytest.mark.parametrize("release", RELEASES)
def test_times_of_every_release(tmp_path: Path, release: str) -> None:
    recording = Recording(release=release, frames_per_slice=6, channels=(1, 2))
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    period = scan.scan_frame_period
    assert scan.timestamps_source == ("frame rate" if release == "3.8" else "file")
    assert np.allclose(scan.timestamps, [np.arange(6) * period], rtol=1e-5, atol=1e-8)
    if release == "3.8":
        assert scan.start_time == datetime(2017, 10, 9, 16, 57, 7, 967000)  # noqa: DTZ001 - it has no zone
    elif release not in ("4.2", "5.0", "5.1"):
        assert scan.start_time == datetime(2023, 9, 22, 12, 46, 9, 383000)  # noqa: DTZ001 - it has no zone


def test_averaged_frames_are_stamped_with_their_last_raw_frame(tmp_path: Path) -> None:
    Recording(frames_per_slice=24, averaging=8).write(tmp_path)
    scan = read_scan(tmp_path)
    assert np.allclose(scan.timestamps[0], np.array([7, 15, 23]) * scan.scan_frame_period, atol=1e-8)
    assert scan.frame_indices().tolist() == [0, 1, 2]
    assert scan.frame_table["frame_number"].tolist() == [8, 16, 24]


def test_averaged_frames_of_3_8(tmp_path: Path) -> None:
    Recording(release="3.8", frames_per_slice=24, averaging=8).write(tmp_path)
    scan = read_scan(tmp_path)
    assert np.allclose(scan.timestamps[0] * scan.scan_frame_rate, [7, 15, 23])


def test_indices_count_frames_that_are_missing(tmp_path: Path) -> None:
    paths = replace(PLANAR, frames_per_file=10).write(tmp_path)
    paths[1].unlink()
    scan = read_warned(tmp_path)[0]
    assert scan.frame_indices().tolist() == [*range(10), *range(20, 40)]
    assert scan.frame_indices(pages=True).tolist() == list(range(0, 60, 2))
    assert np.allclose(scan.timestamps[0], scan.frame_indices() * scan.scan_frame_period, rtol=1e-5)


def test_indices_count_frames_that_were_dropped_inside_a_file(tmp_path: Path) -> None:
    replace(VOLUME, volumes=6, dropped=(9,)).write(tmp_path)
    scan = read_warned(tmp_path)[0]
    table = scan.frame_table
    for slice_id in range(scan.num_scanning_depths):
        rows_of_slice = table[table["slice"] == slice_id]
        assert np.array_equal(scan.frame_indices(slice_id), rows_of_slice["frame_number"] - 1)
    rows_left_out = table[table["volume"] == -1]
    assert len(rows_left_out) > 0
    assert (rows_left_out["slice"] == -1).all()
    assert len(table) == sum(1 for _ in replace(VOLUME, volumes=6, dropped=(9,)).logged())


def test_one_acquisition_of_a_loop_counts_from_its_own_start(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=5, loops=3).write(tmp_path)
    assert read_scan(paths[2]).frame_indices().tolist() == list(range(5))
    assert read_scan(tmp_path).frame_indices().tolist() == list(range(15))


def test_joined_recordings_count_on(tmp_path: Path) -> None:
    first = Recording(frames_per_slice=5).write(tmp_path / "a")
    second = Recording(frames_per_slice=4, epoch=(2024, 1, 1, 1, 1, 1.0)).write(tmp_path / "b")
    scan = read_warned([*first, *second])[0]
    assert scan.frame_indices().tolist() == list(range(9))


def test_page_of_one_channel_lost_keeps_rows_whole(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=8, channels=(1, 2))
    (path,) = recording.write(tmp_path)
    all_pages = list(recording.pages())
    recording.write_file(path, (page for i, page in enumerate(all_pages) if i != 5))
    scan = read_warned(path)[0]
    assert scan.frame_table["frame_number"].tolist() == list(range(1, 9))


def test_table_of_raw_pages_has_a_row_for_each_page(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    scan = read_scan(tmp_path, raw=True)
    assert scan.frame_table["frame_number"].tolist() == [n for n in range(1, 41) for _ in range(2)]
    assert scan.timestamps.shape == (1, 80)


def test_what_no_description_says_is_missing(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
    scan = read_warned(tmp_path)[0]
    table = scan.frame_table
    assert len(table) == 5
    for column in ("frame_number", "acquisition_number", "end_of_acquisition", "dc_overvoltage"):
        assert (table[column] == -1).all()
    assert np.isnan(table["timestamp"]).all()
    assert np.isnan(scan.timestamps).all()
    assert scan.start_time is None
    assert scan.events == ()


def test_tables_cannot_be_changed_by_who_asks(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    scan = read_scan(tmp_path)
    for array in (scan.frame_table, scan.timestamps):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_tables_are_read_again_by_a_copy_elsewhere(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    scan = read_scan(tmp_path)
    size_before = len(pickle.dumps(scan))
    table = scan.frame_table
    assert len(pickle.dumps(scan)) == size_before
    assert np.array_equal(
        pickle.loads(pickle.dumps(scan)).frame_table[["page", "timestamp"]], table[["page", "timestamp"]]
    )


@pytest.mark.parametrize("index", [3, -4])
def test_slices_out_of_bounds(tmp_path: Path, index: int) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.raises(ScanIndexError, match="3 slice"):
        scan.frame_indices(index)
    with pytest.raises(ScanIndexError, match="field"):
        scan.field_timestamps(100)
    with pytest.raises(ScanIndexError, match="an integer was expected"):
        scan.frame_indices(0.5)  # type: ignore[arg-type] # that is the point
    with pytest.raises(ScanIndexError, match="channel"):
        scan.frame_indices(0, pages=True, channel=100)


def spoil_description(path: Path, page: int) -> None:
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[page].offset
    with path.open("r+b") as file:
        file.seek(offset + 376)
        file.write(b"\1" * 2000)


def test_one_description_that_is_unreadable_costs_its_own_time_alone(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=20).write(tmp_path)
    right = read_scan(path).timestamps
    spoil_description(path, 0)
    scan = read_scan(path)
    assert scan.timestamps_source == "file"
    assert np.isnan(scan.timestamps[0, 0])
    assert np.array_equal(scan.timestamps[0, 1:], right[0, 1:])


def test_raw_frame_numbers_are_scanimages(tmp_path: Path) -> None:
    recording = replace(VOLUME, volumes=6, dropped=(9,))
    recording.write(tmp_path / "dropped")
    scan = read_warned(tmp_path / "dropped")[0]
    for slice_id in range(scan.num_scanning_depths):
        in_slice = scan.frame_table["slice"] == slice_id
        assert np.array_equal(scan.raw_frame_numbers(slice_id), scan.frame_table["frame_number"][in_slice])
    Recording(release="3.8", frames_per_slice=24, averaging=8).write(tmp_path / "old")
    assert read_scan(tmp_path / "old").raw_frame_numbers().tolist() == [8, 16, 24]
    with pytest.raises(ScanIndexError, match="slice"):
        scan.raw_frame_numbers(3)


def test_indices_count_what_the_first_acquisition_of_a_loop_has_lost(tmp_path: Path) -> None:
    recording = replace(VOLUME, flyback=1, volumes=2, loops=3, dropped=(2, 3, 6))  # no whole volume in the first
    recording.write(tmp_path)
    scan = read_warned(tmp_path)[0]
    per = len(recording.zs) + 1
    assert scan.frame_indices(0).tolist() == [2 * per, 3 * per, 4 * per, 5 * per]
    assert scan.raw_frame_numbers(0).tolist() == [2 * per + 1, 3 * per + 1, 4 * per + 1, 5 * per + 1]


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["planar", "fast", "slow"]),
    averaging=st.integers(1, 4),
    loops=st.integers(1, 4),
    volumes=st.integers(1, 3),
    num_rest=st.integers(0, 3),
    data=st.data(),
)
def test_indices_of_any_loop(
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
    averaging: int,
    loops: int,
    volumes: int,
    num_rest: int,
    data: st.DataObject,
) -> None:
    recording = (
        Recording(frames_per_slice=2 * averaging * volumes + num_rest, averaging=averaging, loops=loops)
        if mode == "planar"
        else Recording(
            mode=mode,
            zs=(0, 20),
            frames_per_slice=averaging,
            flyback=averaging if mode == "fast" else 0,
            averaging=averaging,
            volumes=volumes,
            loops=loops,
        )
    )
    logged_frames = list(recording.logged())
    lost_frames = data.draw(st.sets(st.integers(1, len(logged_frames) - 1), max_size=3)) if mode != "slow" else set()
    folder = tmp_path_factory.mktemp("loop")
    replace(recording, dropped=tuple(sorted(lost_frames))).write(folder)
    try:
        scan = read_warned(folder)[0]
    except LayoutError:  # no volume is whole, or the slices of what is left are unknown
        return
    place_of = {frame.number: place for place, frame in enumerate(logged_frames)}
    for slice_id in range(scan.num_scanning_depths):
        in_slice = scan.frame_table["slice"] == slice_id
        numbers = scan.frame_table["frame_number"][in_slice].tolist()
        assert scan.raw_frame_numbers(slice_id).tolist() == numbers
        assert scan.frame_indices(slice_id).tolist() == [place_of[number] for number in numbers]


@pytest.mark.parametrize("loops", [2, 5])
def test_indices_of_loops_that_averaging_does_not_divide(tmp_path: Path, loops: int) -> None:
    Recording(frames_per_slice=10, averaging=4, loops=loops).write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.frame_indices().tolist() == list(range(2 * loops))
    assert scan.num_requested_frames == 2 * loops


def test_indices_of_joined_recordings_count_what_each_has_lost(tmp_path: Path) -> None:
    a = Recording(stem="a", frames_per_slice=10).write(tmp_path)
    b = Recording(stem="b", frames_per_slice=10, dropped=(4, 5), epoch=(2023, 9, 22, 13, 1, 1.0)).write(tmp_path)
    c = Recording(stem="c", frames_per_slice=50, loops=2, epoch=(2023, 9, 22, 14, 1, 1.0)).write(tmp_path)
    assert read_warned([*a, *b])[0].frame_indices().tolist() == [*range(14), *range(16, 20)]
    assert read_warned([*a, c[1]])[0].frame_indices().tolist() == list(range(60))


@pytest.mark.parametrize("release", ["4.2", "5.0", "5.1", "2023.1"])
def test_indices_where_the_first_file_is_missing(tmp_path: Path, release: str) -> None:
    Recording(release=release, frames_per_slice=30, frames_per_file=10).write(tmp_path)[0].unlink()
    assert read_warned(tmp_path)[0].frame_indices().tolist() == list(range(10, 30))


def test_raw_pages_have_no_made_up_times_and_events_once(tmp_path: Path) -> None:
    Recording(frames_per_slice=10, channels=(1, 2), triggers=((0, 0.002),)).write(tmp_path / "a")
    assert len(read_scan(tmp_path / "a", raw=True).events) == 1
    Recording(release="3.8", frames_per_slice=10, channels=(1, 2)).write(tmp_path / "b")
    assert np.isnan(read_scan(tmp_path / "b", raw=True).timestamps).all()
    Recording(frames_per_slice=10, dropped=(3, 4)).write(tmp_path / "c")
    assert read_scan(tmp_path / "c", raw=True).frame_indices().tolist() == list(range(8))


def test_events_of_a_rig_with_longer_descriptions(tmp_path: Path) -> None:
    triggers = tuple((0, i * 1e-6) for i in range(400))
    Recording(frames_per_slice=3, slot=8000, triggers=triggers).write(tmp_path)
    assert len(read_scan(tmp_path).events) == 400


@pytest.mark.parametrize(
    "text", [b"{1,''" * 13000, b"{1,'" * 16000, b'{1,"' * 16000, b"{1,[1" * 13000, b"{1,'" + b"''" * 32000]
)
def test_no_text_takes_long(text: bytes) -> None:
    assert list(find_events(b"I2CData = {" + text, 0, 1)) is not None


# ------------------------------------------------------------------ many descriptions at once


@pytest.mark.parametrize("kind", RECORDINGS)
def test_many_descriptions_are_those_of_each_alone(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    RECORDINGS[kind].write(tmp_path)
    pages = read_scan(tmp_path).opened.pages
    numbers = np.random.default_rng(1).permutation(len(pages))
    for limit in (None, 1, 17, 800):
        for module in (descriptions, templates):
            monkeypatch.setattr(module, "FEW_PAGES", 10**9)
        descriptions_alone = pages.descriptions(numbers, limit)
        for module in (descriptions, templates):
            monkeypatch.setattr(module, "FEW_PAGES", 0)
        assert pages.descriptions(numbers, limit) == descriptions_alone
        with monkeypatch.context() as patch:  # a file system without maps
            patch.setattr(OpenFile, "map", lambda _: None)
            assert pages.descriptions(numbers, limit) == descriptions_alone


def test_descriptions_of_classic_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recording(release="5.1", frames_per_slice=50).write(tmp_path)
    pages = read_scan(tmp_path).opened.pages
    numbers = np.arange(50)
    descriptions_together = pages.descriptions(numbers)
    for module in (descriptions, templates):
        monkeypatch.setattr(module, "FEW_PAGES", 10**9)
    assert pages.descriptions(numbers) == descriptions_together
    assert all(b"frameNumbers = %d" % (n + 1) in text for n, text in enumerate(descriptions_together))


# --------------------------------------------------------------------------- styles

STYLES = {
    "plain": b"frameNumbers = 7\nacquisitionNumbers = 1\nframeNumberAcquisition = 7\nframeTimestamps_sec = 0.25\n",
    "json": b'{\n  "frameNumbers": 7,\n  "frameNumberAcquisition": 7,\n  "frameTimestamps_sec": 0.250000000,\n',
    "FrameHeader": b'{\n\t"FrameHeader": {\n\t\t"frameNumbers": 7,\n\t\t"frameTimestamps": 0.25,\n',
    "5.0": b"Frame Number = 7\nFrame Timestamp(s) = 0.25\nAcq Trigger Timestamp(s) = -1\n",
    "4.x": b"Frame Tag = 00000007\nFrame Timestamp(s) = 0.25\n",
    "5.1": b"frameNumbers = 7\nframeTimestamps = 0.25\n",
    "capitals": b"frameNumbers = 7\nFrameNumberAcquisition = 7\nFrameTimestamp_s = 0.25\n",
    "2015.4": b"frameNumbers = 7\nframeTimestamps_sec = 0.25\nacqTriggerTimestamps_sec = \nendOfAcquisition =  0\n",
    "truncated": b"frameNumbers = 7\nframeTimestamps_sec = 0.25\nauxTrigger0 = [0.1 0.2<output truncated>",
    "exponent": b"frameNumbers = 7\nframeTimestamps_sec = 2.5e-1\n",
}


@pytest.mark.parametrize("style", STYLES)
def test_styles_of_description(style: str) -> None:
    assert frame_numbers(STYLES[style]).frame == 7
    assert timestamps([STYLES[style]]).tolist() == [0.25]


@pytest.mark.parametrize("style", STYLES)
def test_table_of_each_style(tmp_path: Path, style: str) -> None:
    text = Recording().header_text().encode() + b"\0"
    image = np.zeros((4, 4), np.int16)
    texts = [STYLES[style], STYLES[style].replace(b"7", b"8").replace(b"0.25", b"0.50").replace(b"2.5e-1", b"0.50")]
    write_bigtiff(tmp_path / "a.tif", text, b"", [(t, image) for t in texts])
    row = read_warned(tmp_path)[0].frame_table
    assert row["frame_number"].tolist() == [7, 8]
    assert row["timestamp"].tolist() == [0.25, 0.5]
    if style == "2015.4":
        assert row["end_of_acquisition"].tolist() == [0, 0]
        assert np.isnan(row["acquisition_trigger"]).all()


@given(st.binary(max_size=300))
def test_no_description_is_too_strange(text: bytes) -> None:
    frame_numbers(text)
    assert timestamps([text]).shape == (1,)
    list(find_events(b"auxTrigger0 = [" + text, 0, 1))
    list(find_events(b"I2CData = {" + text, 0, 1))


@pytest.mark.parametrize(
    "clock",
    [
        (1601, 1, 1, 0, 0, 0),
        (2023, 99999999999, 1, 1, 1, 1.0),
        (12, 0, 18514, 60545, 32, 47.176),
        (2020, 2, 30, 1, 1, 1),
        (2020,),
        None,
        (math.nan,) * 6,
    ],
)
def test_clocks_that_are_nonsense(clock: Any) -> None:
    assert as_datetime(clock) is None


def test_seconds_that_were_rounded_up() -> None:
    assert as_datetime((2020, 12, 31, 23, 59, 60.0)) == datetime(2021, 1, 1)  # noqa: DTZ001 - it has no zone


# --------------------------------------------------------------------------- events

EVENTS = {
    "triggers": ((0, 0.001), (1, 0.01), (1, 0.05), (3, 0.051)),
    "packets": ((0.02, b"\x01\x00\xff"), (0.06, "go")),
}


@pytest.mark.parametrize("style", [{}, {"json_descriptions": True, "release": "2018a"}, {"averaging": 4}])
def test_each_event_comes_once(tmp_path: Path, style: dict[str, Any]) -> None:
    Recording(frames_per_slice=40, channels=(1, 2, 3), **EVENTS, **style).write(tmp_path)  # type: ignore[arg-type]
    scan = read_scan(tmp_path)
    table, events = scan.frame_table, scan.events
    assert {(e.source, e.time, e.data) for e in events} == {
        ("auxTrigger0", 0.001, None),
        ("auxTrigger1", 0.01, None),
        ("auxTrigger1", 0.05, None),
        ("auxTrigger3", 0.051, None),
        ("I2C", 0.02, b"\x01\x00\xff"),
        ("I2C", 0.06, "go"),
    }
    assert len(events) == 6
    for event in events:
        assert event.frame_number == table["frame_number"][event.row]
        first = table["timestamp"][event.row] - (scan.averaging - 1) * scan.scan_frame_period
        assert first <= event.time < table["timestamp"][event.row] + scan.scan_frame_period
    assert [e.row for e in events] == sorted(e.row for e in events)


def test_events_of_flyback_frames_count(tmp_path: Path) -> None:
    replace(VOLUME, triggers=tuple((0, i * 0.001) for i in range(40))).write(tmp_path)
    scan = read_scan(tmp_path)
    flyback = scan.frame_table["is_flyback"]
    assert len(scan.events) == 40
    assert any(flyback[event.row] for event in scan.events)


def test_events_that_were_cut_are_said(tmp_path: Path) -> None:
    triggers = tuple((1, i * 1e-6) for i in range(1000))
    Recording(frames_per_slice=3, triggers=triggers).write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.warns(ScanReaderWarning, match="1 frame short"):
        events = scan.events
    assert 100 < len(events) < 200
    assert [event.time for event in events] == [round(i * 1e-6, 9) for i in range(len(events))]


SAMPLES = {
    b"auxTrigger1 = [0.313856210 0.331578125 ]": [("auxTrigger1", 0.31385621), ("auxTrigger1", 0.331578125)],
    b'"auxTrigger1": [0.313856210 ,0.331578125 ],': [("auxTrigger1", 0.31385621), ("auxTrigger1", 0.331578125)],
    b"Aux Trigger 1 = [0.313856210 0.331578125];": [("auxTrigger1", 0.31385621), ("auxTrigger1", 0.331578125)],
    b"auxTrigger0 = []": [],
    b"auxTrigger2 = [0.1 0.2 0.34<output truncated>": [("auxTrigger2", 0.1), ("auxTrigger2", 0.2)],
    b"auxTrigger2 = [0.1 0.2 <output truncated>": [("auxTrigger2", 0.1), ("auxTrigger2", 0.2)],
    b"I2CData = {{12.807774195, [1,0,1,0,83,2]} }": [("I2C", 12.807774195)],
    b"I2CData = {{1.5, [1,2]} {2.5, [3<output truncated>": [("I2C", 1.5)],
    b'"I2CData": [\n {"timestamp": 1.5, "data": [1,2]},\n {"timestamp": 2.5, "data": [3]}]': [
        ("I2C", 1.5),
        ("I2C", 2.5),
    ],
    b"I2CData = {}": [],
    b"I2CData = {{1.5, [1,256]} }": [],
}


@pytest.mark.parametrize("text", SAMPLES)
def test_forms_of_events(text: bytes) -> None:
    assert [(e.source, e.time) for e in find_events(text, 0, 1)] == SAMPLES[text]


def test_text_of_a_packet() -> None:
    (event,) = find_events(b"I2CData = {{1.5, 'it''s'} }", 4, 9)
    assert event == Event(1.5, "I2C", "it's", 4, 9)


# ------------------------------------------------------------------------- real ones


def test_times_of_the_real_volume_set_go_on_over_its_files(recordings: Path) -> None:
    scan = read_scan(recordings / "volume_two_channels")
    table = scan.frame_table
    assert np.array_equal(table["frame_number"], np.arange(1, 1601))
    assert table["file"].tolist() == [f for f in range(10) for _ in range(160)]
    steps = np.diff(table["timestamp"])
    assert (abs(steps / np.median(steps) - 1) < 0.01).all()
    volumes = np.diff(scan.timestamps, axis=1)
    assert np.allclose(volumes, 16 * np.median(steps), rtol=0.005)
    assert np.array_equal(scan.frame_indices(0), np.arange(100) * 16)
    assert (table["is_flyback"] == (np.arange(1600) % 16 >= 9)).all()
    assert table["end_of_acquisition"].tolist() == [0] * 1599 + [1]
    assert scan.start_time == datetime(2025, 4, 24, 16, 41, 20, 802000)  # noqa: DTZ001 - it has no zone


def test_pairs_of_the_real_slow_stack_are_17_ms_apart(recordings: Path) -> None:
    scan = read_scan(recordings / "slow_stack_20220923_noroi.tif")
    pairs = scan.timestamps.reshape(2, 3, 2)
    assert np.allclose(pairs[:, :, 1] - pairs[:, :, 0], 0.0172, atol=2e-4)
    assert np.diff(scan.timestamps.T.reshape(3, 2, 2).transpose(0, 2, 1).ravel()).min() > 0
    assert scan.frame_table["acquisition_number"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]


def test_times_of_the_real_legacy_recording_come_from_its_rate(recordings: Path) -> None:
    scan = read_scan(recordings / "legacy_3_8_resaved.tiff")
    assert scan.timestamps_source == "frame rate"
    assert np.allclose(scan.timestamps, [np.arange(10) / 3.90625])
    assert scan.start_time == datetime(2017, 10, 9, 16, 57, 7, 967000)  # noqa: DTZ001 - it has no zone


def test_real_descriptions_read_alone_say_the_same(recordings: Path) -> None:
    scan = read_scan(recordings / "volume_two_channels")
    for row, texts in itertools.islice(zip(scan.frame_table, plain_table(scan), strict=True), 0, None, 37):
        assert row["timestamp"] == float(texts["frameTimestamps_sec"])


def test_a_table_of_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    (path,) = PLANAR.write(tmp_path)
    scan = read_scan(path)
    os.truncate(path, path.stat().st_size - 5000)
    with pytest.raises(OSError, match="changed after it was opened"):
        scan.frame_table


@pytest.mark.parametrize("style", ["plain", "json"])
def test_text_of_a_packet_that_looks_like_a_trigger_is_no_event(style: str) -> None:
    text = "auxTrigger0 = [5] auxTrigger1 = [6 7] I2CData = {{1, [2]}}"
    if style == "plain":
        description = f"auxTrigger0 = [0.5 ]\nauxTrigger1 = []\nI2CData = {{{{0.25, '{text}'}} }}\n".encode()
    else:
        description = f'{{"auxTrigger0": [0.5], "I2CData": [{{"timestamp": 0.25, "data": "{text}"}}]}}'.encode()
    events = [event[:3] for event in find_events(description, 0, 1)]
    assert events == [(0.5, "auxTrigger0", None), (0.25, "I2C", text)]


def test_a_frame_without_one_of_its_channels_ends_where_the_number_changes(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3, channels=(1, 2)).write(tmp_path)
    pages = read_scan(path).opened.pages
    first_pages = _first_pages_of_frames(pages, np.array([0, 2, 3, 4, 5]), 2, [])
    assert first_pages.tolist() == [0, 2, 4]
