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
from common import VOLUME, spoiled

from scanreader import Scan, ScanReaderWarning, read_scan
from scanreader.notices import listening, notify
from scanreader.simulate import Recording

CALLS: dict[str, Callable[[Path], object]] = {
    "read_scan": lambda path: read_scan(path, strict=False),
    "scan[...]": lambda path: quiet(path)[0],
    "iteration": lambda path: list(quiet(path)),
    "numpy": lambda path: np.asarray(quiet(path)),
    "a view": lambda path: quiet(path).trimmed(left=1)[:],
    "canvas": lambda path: quiet(path).canvas(),
    "an export by threads": lambda path: quiet(path).to_ome_zarr(path.with_suffix(".zarr")),
    "an export": lambda path: quiet(path).to_ome_tiff(path.with_suffix(".ome.tif")),
}


def quiet(path: Path) -> Scan:
    """A recording with a page that cannot be read, and is filled with zeros."""
    with listening(lambda _: None):
        return read_scan(path, on_damage="fill")


@pytest.mark.parametrize("name", CALLS)
def test_warnings_are_at_the_users_line(tmp_path: Path, name: str) -> None:
    path = spoiled(tmp_path)
    if name == "read_scan":
        path.write_bytes(path.read_bytes()[:-500])
    with pytest.warns(ScanReaderWarning) as caught:
        CALLS[name](path)
    assert {warning.filename for warning in caught} == {__file__}


def test_events_and_times_are_at_the_users_line(tmp_path: Path) -> None:
    many = tuple((0.001 + 0.00001 * i, b"0123456789") for i in range(100))
    Recording(frames_per_slice=3, packets=many).write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.warns(ScanReaderWarning, match="cut the descriptions") as caught:
        assert scan.events
    assert caught[0].filename == __file__


def test_whoever_listens_is_told_instead(tmp_path: Path) -> None:
    heard: list[str] = []
    with listening(heard.append):
        quiet(spoiled(tmp_path))[:]
        notify(["once", "once", "twice"])
    assert len(heard) == 3
    assert "cannot be read" in heard[0]
    assert heard[1:] == ["once", "twice"]
    with pytest.warns(ScanReaderWarning, match="afterwards"):
        notify(["afterwards"])


def test_threads_leave_each_others_filters_alone(tmp_path: Path) -> None:
    """`warnings.catch_warnings` is process-wide: what one thread restored would undo what another had set."""
    VOLUME.write(tmp_path / "whole")
    broken = spoiled(tmp_path)
    before = [*warnings.filters]
    start = threading.Barrier(4)

    def check(folder: Path) -> None:
        start.wait()
        for _ in range(5):
            assert read_scan(folder).check().ok

    def read(path: Path) -> list[str]:
        heard: list[str] = []
        start.wait()
        with listening(heard.append):
            for _ in range(5):
                scan = read_scan(path, on_damage="fill")
                scan[:]
                scan.check()
        return heard

    jobs: list[Callable[[], object]] = [lambda: check(tmp_path / "whole"), lambda: read(broken)] * 2
    with ThreadPoolExecutor(4) as pool:
        results: list[Any] = [job.result() for job in [pool.submit(job) for job in jobs]]
    assert warnings.filters == before
    assert [heard and len(heard) for heard in results] == [None, 5, None, 5]
