"""Recordings drawn at random, indexed at random, give what the dumb reader gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import reference
from common import expected, read_warned
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from strategies import assert_keys_pick, recordings

from scanreader import read_scan
from scanreader.simulate import Recording


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(recordings(), st.data())
def test_any_key_of_any_recording(recording: Recording, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = recording.write(folder)
        scan, warning = read_warned(folder)
        assert ("closed" in warning) is (not recording.closed)
        fields = expected(recording, paths)
        assert len(scan) == len(fields)
        assert_keys_pick(data, scan, fields, recording.dtype)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(recordings(), st.data())
@example(Recording(mode="fast", zs=(0.0, 10.0), flyback=1, volumes=3, frames_per_file=2), None)
def test_whatever_is_lost_no_frame_is_wrong(recording: Recording, data: st.DataObject | None) -> None:
    """Files missing, frames dropped, stopped early: each frame that is given names the page that it should be."""
    frames = list(recording.logged())
    dropped_frames: set[int] = set()
    if data is not None:
        dropped_frames = data.draw(st.sets(st.integers(0, len(frames) - 1), max_size=3))
    assume(len(dropped_frames) < len(frames))
    lossy_recording = Recording(**{**vars(recording), "dropped": tuple(sorted(dropped_frames))})
    with tempfile.TemporaryDirectory() as folder:
        paths = lossy_recording.write(folder)
        if data is not None and len(paths) > 2:
            for path in data.draw(st.sets(st.sampled_from(paths), max_size=len(paths) - 1)):
                Path(path).unlink()
        try:
            scan, _ = read_warned(folder)
        except ValueError:
            return  # a typed refusal
        _check_identities(lossy_recording, scan, folder)


def _check_identities(recording: Recording, scan: Any, folder: str) -> None:
    """Every pixel block that the scan gives is that of a page of the right slice and channel."""
    pages = reference.all_pages(scan.filenames)
    truth = {i: (f, c) for i, (f, c, _) in enumerate(recording.pages())}
    a, per_slice = recording.averaging, recording.frames_per_slice
    for i, field in enumerate(scan.fields):
        for c, channel in enumerate(recording.channels):
            for t in range(scan.num_frames):
                page = int(scan[i, 0, 0, c, t]) % 32768
                frame, true_channel = truth[page]
                assert true_channel == channel
                assert frame.slice == field.slice_id or recording.mode == "planar"
                if scan.layout.counts.repeats > 1:
                    assert (
                        t % scan.layout.counts.repeats == (frame.in_acquisition // a - 1) % (per_slice // a)
                        or recording.mode == "fast"
                    )
    assert len(pages)


def test_a_scan_of_nothing_but_what_was_asked(tmp_path: Path) -> None:
    Recording(frames_per_slice=3).write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan[:, :0].shape == (1, 0, 16, 1, 3)
