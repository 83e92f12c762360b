"""What is noticed is told at the user's own line, and threads do not disturb each other's warnings."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import VOLUME, write_spoiled_recording

from scanreader import Scan, ScanReaderWarning, read_scan
from scanreader.notices import listening, notify
from scanreader.simulate import Recording

CALLS: dict[str, Callable[[Path], object]] = {
    "read_scan": lambda path: read_scan(path, strict=False),
    "scan[...]": lambda path: quiet_scan(path)[0],
    "iteration": lambda path: list(quiet_scan(path)),
    "numpy": lambda path: np.asarray(quiet_scan(path)),
    "a view": lambda path: quiet_scan(path).trimmed(left=1)[:],
    "canvas": lambda path: quiet_scan(path).canvas(),
    "an export by threads": lambda path: quiet_scan(path).to_ome_zarr(path.with_suffix(".zarr")),
    "an export": lambda path: quiet_scan(path).to_ome_tiff(path.with_suffix(".ome.tif")),
}


def quiet_scan(path: Path) -> Scan:
    """A recording with a page that cannot be read, and is filled with zeros."""
    with listening(lambda _: None):
        return read_scan(path, on_damage="fill")


@pytest.mark.parametrize("name", CALLS)
def test_warnings_are_at_the_users_line(tmp_path: Path, name: str) -> None:
    path = write_spoiled_recording(tmp_path)
    if name == "read_scan":
        path.write_bytes(path.read_bytes()[:-500])
    with pytest.warns(ScanReaderWarning) as warning_records:
        CALLS[name](path)
    assert {warning.filename for warning in warning_records} == {__file__}


def test_events_and_times_are_at_the_users_line(tmp_path: Path) -> None:
    packets = tuple((0.001 + 0.00001 * i, b"0123456789") for i in range(100))
    Recording(frames_per_slice=3, packets=packets).write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.warns(ScanReaderWarning, match="cut the descriptions") as warning_records:
        assert scan.events
    assert warning_records[0].filename == __file__


def test_whoever_listens_is_told_instead(tmp_path: Path) -> None:
    sentences: list[str] = []
    with listening(sentences.append):
        quiet_scan(write_spoiled_recording(tmp_path))[:]
        notify(["once", "once", "twice"])
    assert len(sentences) == 3
    assert "cannot be read" in sentences[0]
    assert sentences[1:] == ["once", "twice"]
    with pytest.warns(ScanReaderWarning, match="afterwards"):
        notify(["afterwards"])


def test_threads_leave_each_others_filters_alone(tmp_path: Path) -> None:
    """`warnings.catch_warnings` is process-wide: what one thread restored would undo what another had set."""
    VOLUME.write(tmp_path / "whole")
    broken_path = write_spoiled_recording(tmp_path)
    filters_before = [*warnings.filters]
    start = threading.Barrier(4)

    def check(folder: Path) -> None:
        start.wait()
        for _ in range(5):
            assert read_scan(folder).check().ok

    def read_damaged(path: Path) -> list[str]:
        sentences: list[str] = []
        start.wait()
        with listening(sentences.append):
            for _ in range(5):
                scan = read_scan(path, on_damage="fill")
                scan[:]
                scan.check()
        return sentences

    jobs: list[Callable[[], object]] = [lambda: check(tmp_path / "whole"), lambda: read_damaged(broken_path)] * 2
    with ThreadPoolExecutor(4) as pool:
        results: list[Any] = [job.result() for job in [pool.submit(job) for job in jobs]]
    assert warnings.filters == filters_before
    assert [sentences and len(sentences) for sentences in results] == [None, 5, None, 5]
