"""A scan is one value: small when pickled, unchanged by whatever is done to what it hands out, and closed when closed."""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, STACK, VOLUME

from scanreader import ChangedFileError, ClosedScanError, Scan, read_scan
from scanreader.simulate import Recording, integration_roi, stimulus, stimulus_group

PACKETS = ((0.001, "a"), (0.002, b"\x01"))
RECORDING_WITH_EVENTS = Recording(frames_per_slice=4, channels=(1, 2), triggers=((0, 0.0001),), packets=PACKETS)


# ------------------------------------------------------------------------------ pickles


@pytest.mark.parametrize(
    "recording", [Recording(frames_per_slice=3), Recording(release="3.8"), RECORDING_WITH_EVENTS, STACK]
)
def test_a_file_is_pickled_in_2_kb(recording: Recording, tmp_path: Path) -> None:
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.settings, "the texts are here, and are not pickled"
    assert len(scan.frame_table), "nor are tables"
    data = pickle.dumps(scan)
    assert len(data) - len(str(tmp_path)) <= 2000
    kind, (opened,) = scan.__reduce__()
    assert (kind, opened) == (type(scan), scan.opened)
    scan_copy = pickle.loads(data)
    assert (scan_copy.zoom, scan_copy.header, scan_copy.roi_metadata) == (scan.zoom, scan.header, scan.roi_metadata)
    assert np.array_equal(scan_copy[:], scan[:])


def test_a_further_file_is_pickled_in_200_bytes(tmp_path: Path) -> None:
    Recording(frames_per_slice=200, frames_per_file=2).write(tmp_path)
    size_of_one = len(pickle.dumps(read_scan(min(tmp_path.glob("*.tif")))))
    for names in (tmp_path, sorted(tmp_path.glob("*.tif"))):
        scan = read_scan(names)
        assert len(scan.filenames) == 100
        assert len(pickle.dumps(scan)) <= size_of_one + 99 * 200


def test_texts_are_those_of_the_file_that_was_opened(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    scan_copy = pickle.loads(pickle.dumps(read_scan(path)))
    status = path.stat()
    data = path.read_bytes()
    place = data.index(b"scanZoomFactor = ") + len(b"scanZoomFactor = ")
    path.write_bytes(data[:place] + b"7" + data[place + 1 :])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ChangedFileError, match="the header of .* changed after"):
        _ = scan_copy.zoom


def test_a_closed_scan_stays_closed_in_a_pickle_and_a_copy(tmp_path: Path) -> None:
    Recording(frames_per_slice=3).write(tmp_path)
    scan = read_scan(tmp_path)
    scan.close()
    for scan_copy in (pickle.loads(pickle.dumps(scan)), copy.copy(scan), copy.deepcopy(scan)):
        with pytest.raises(ClosedScanError):
            scan_copy[0]


def test_tokens_tell_raw_pages_from_a_recording(tmp_path: Path) -> None:
    Recording(frames_per_slice=3).write(tmp_path)
    scan, raw_scan = read_scan(tmp_path), read_scan(tmp_path, raw=True)
    assert len({scan.token, raw_scan.token, scan.select(frames=[0]).token}) == 3
    assert scan.select(frames=[0]).token == scan.select(frames=slice(0, 1, 7)).token
    assert scan.select(frames=[0]).fps == scan.select(frames=slice(0, 1, 7)).fps == scan.fps


# ----------------------------------------------------------------------- immutability


def spoil(value: Any) -> None:
    """Do to a value whatever can be done to it."""
    if isinstance(value, np.ndarray):
        for array in (value, value.base):
            if isinstance(array, np.ndarray):
                with pytest.raises(ValueError, match="WRITEABLE"):
                    array.flags.writeable = True
    elif isinstance(value, dict):
        for item in [*value.values()]:
            spoil(item)
        value.clear()
    elif isinstance(value, list):
        for item in value:
            spoil(item)
        value.clear()
    elif isinstance(value, tuple):
        for item in value:
            spoil(item)
    elif dataclasses.is_dataclass(value):
        for member in dataclasses.fields(value):
            with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
                setattr(value, member.name, None)


HANDED_OUT_VALUES: dict[str, Callable[[Scan], Any]] = {
    "fields": lambda scan: scan.fields,
    "rois": lambda scan: scan.rois,
    "findings": lambda scan: scan.findings,
    "stack": lambda scan: scan.stack,
    "layout": lambda scan: scan.layout,
    "opened": lambda scan: scan.opened,
    "places of pages": lambda scan: scan.opened.pages.starts,
    "frame_table": lambda scan: scan.frame_table,
    "timestamps": lambda scan: scan.timestamps,
    "events": lambda scan: scan.events,
    "roi_metadata": lambda scan: scan.roi_metadata,
    "filenames": lambda scan: scan.filenames,
    "scanning_depths": lambda scan: scan.scanning_depths,
    "requested_scanning_depths": lambda scan: scan.requested_scanning_depths,
    "channel_names": lambda scan: scan.channel_names,
    "channel_numbers": lambda scan: scan.channel_numbers,
    "motor position": lambda scan: scan.motor_position_at_zero,
    "a list of the settings": lambda scan: scan.settings["hChannels.channelName"],
    "photostim": lambda scan: scan.photostim.groups if scan.photostim else None,
    "parameters": lambda scan: scan.photostim.groups[0].stimuli[0].parameters if scan.photostim else None,
    "log": lambda scan: scan.photostim.log if scan.photostim else None,
    "integration_rois": lambda scan: scan.integration_rois,
    "integration": lambda scan: scan.integration,
    "motion": lambda scan: scan.motion,
    "side_files": lambda scan: scan.side_files,
    "all settings": lambda scan: [scan.settings.raw[name] for name in scan.settings.raw],
}


@pytest.mark.parametrize("json_headers", [False, True])
@pytest.mark.parametrize("name", HANDED_OUT_VALUES)
def test_what_is_handed_out_changes_nothing(name: str, json_headers: bool, tmp_path: Path) -> None:
    side_files: dict[str, Any] = {
        "photostim": (stimulus_group(stimulus(parameters={"a": [1, 2]}, slm_points=((1, 2, 3, 4), (5, 6, 7, 8)))),),
        "stimulus_sequence": (0,),
        "integration_rois": (integration_roi(name="r"),),
        "motion": lambda _: (1.0, 2.0, 3.0),
    }
    recording = dataclasses.replace(MESOSCOPE, channels=(1, 2), volumes=20, json_headers=json_headers, **side_files)
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    hand_out = HANDED_OUT_VALUES[name]
    pickle_before = pickle.dumps(hand_out(read_scan(tmp_path)))
    pixels = scan[:, :1]
    spoil(hand_out(scan))
    if name != "opened":  # what it has read by now is not pickled in the same order
        assert pickle.dumps(hand_out(scan)) == pickle_before
    assert np.array_equal(scan[:, :1], pixels)


def test_settings_cannot_be_written_to(tmp_path: Path) -> None:
    Recording(frames_per_slice=2).write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.raises(TypeError):
        scan.settings.raw["SI.hRoiManager.scanZoomFactor"] = "9"  # type: ignore[index]
    for name in ("text", "raw", "prefix"):
        with pytest.raises(AttributeError):
            setattr(scan.settings, name, "SI.hRoiManager.scanZoomFactor = 9")
    for name in ("opened", "fields", "dtype", "zoom", "_times", "anything"):
        with pytest.raises(AttributeError):
            setattr(scan, name, None)
    assert scan.zoom == read_scan(tmp_path).zoom


def test_times_of_a_field_are_the_users_own(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    scan = read_scan(tmp_path)
    times = scan.field_timestamps(1)
    times -= times[0]
    assert np.array_equal(scan.field_timestamps(1), scan.timestamps[1])


# ------------------------------------------------------------------------------- closed

READS: dict[str, Callable[[Scan], Any]] = {
    "integration": lambda scan: scan.integration,
    "motion": lambda scan: scan.motion,
    "pixels": lambda scan: scan[0, 0, 0, 0, 0],
    "numpy": np.asarray,
    "iteration": list,
    "frame_table": lambda scan: scan.frame_table,
    "timestamps": lambda scan: scan.timestamps,
    "timestamps_source": lambda scan: scan.timestamps_source,
    "field_timestamps": lambda scan: scan.field_timestamps(0),
    "frame_indices": lambda scan: scan.frame_indices(),
    "pages of frames": lambda scan: scan.frame_indices(pages=True),
    "start_time": lambda scan: scan.start_time,
    "events": lambda scan: scan.events,
    "byte_places": lambda scan: scan.byte_places(0),
    "check": lambda scan: scan.check(),
    "canvas": lambda scan: scan.canvas(),
    "refresh": lambda scan: scan.refresh(),
    "follow": lambda scan: scan.follow(),
    "trimmed": lambda scan: scan.trimmed(left=1),
    "select": lambda scan: scan.select(fields=[0]),
    "join_contiguous": lambda scan: scan.join_contiguous(),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("read_before", [False, True])
def test_every_read_refuses_after_close(name: str, read_before: bool, tmp_path: Path) -> None:
    RECORDING_WITH_EVENTS.write(tmp_path)
    scan = pickle.loads(pickle.dumps(read_scan(tmp_path)))  # nothing was read of it yet
    if read_before and name != "follow":
        READS[name](scan)
    scan.close()
    with pytest.raises(ClosedScanError, match="the scan was closed"):
        READS[name](scan)


TEXTS: dict[str, Callable[[Scan], Any]] = {
    "settings": lambda scan: scan.settings,
    "header_block": lambda scan: scan.header_block,
    "zoom": lambda scan: scan.zoom,
    "release": lambda scan: scan.release,
    "roi_metadata": lambda scan: scan.roi_metadata,
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_were_not_read_are_refused_after_close(name: str, tmp_path: Path) -> None:
    RECORDING_WITH_EVENTS.write(tmp_path)
    scan = read_scan(tmp_path)
    unread_scan = pickle.loads(pickle.dumps(scan))
    unread_scan.close()
    with pytest.raises(ClosedScanError):
        TEXTS[name](unread_scan)
    scan.close()
    assert TEXTS[name](scan) is not None, "opening read them"
    assert "1 field" in repr(unread_scan)
