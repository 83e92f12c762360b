"""Blocks that threads read ahead."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanreader import Scan, ScanReaderWarning, read_scan
from scanreader.bridges import streams
from scanreader.bridges.streams import flushed_early, frame_blocks, in_order
from scanreader.notices import notify
from scanreader.simulate import Recording


def test_results_have_the_order_of_the_items() -> None:
    def work(item: int) -> int:
        time.sleep(0.01 if item % 3 == 0 else 0)
        return item

    assert list(in_order(work, range(50), 3)) == list(range(50))
    assert list(in_order(work, [])) == []


def test_few_items_are_worked_on_ahead() -> None:
    items: list[int] = []
    results = in_order(items.append, range(1000), 2)
    next(results)
    time.sleep(0.05)
    assert len(items) <= 2 * streams.WAITING + 1


def test_an_error_is_raised_in_its_place_and_the_threads_end() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    num_before = threading.active_count()
    results = in_order(work, range(1000), 2)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert threading.active_count() == num_before


def test_notes_of_the_threads_are_passed_on_once() -> None:
    with pytest.warns(ScanReaderWarning, match="a note") as warning_records:
        list(in_order(lambda _: notify(["a note"]), range(5)))
    assert len(warning_records) == 1


@pytest.mark.parametrize("is_portable", [False, True])
def test_errors_of_the_disk_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_portable: bool) -> None:
    def fail(number: int) -> None:
        raise OSError(28, "the disk is full")

    if is_portable:
        monkeypatch.delattr(os, "fdatasync", raising=False)
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(os, "fdatasync", fail, raising=False)
    path = tmp_path / "a"
    path.touch()
    with pytest.raises(OSError, match="full"), flushed_early(path) as written_bytes:
        written_bytes(streams.FLUSHED)


@pytest.mark.parametrize("multiple", [1, 3, 7])
def test_blocks_hold_each_frame_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, multiple: int) -> None:
    Recording(height=8, width=8, frames_per_slice=50).write(tmp_path)
    monkeypatch.setattr(streams, "BLOCK", 8 * 8 * 2 * 5)
    with read_scan(tmp_path) as scan:
        blocks = list(frame_blocks(scan, 0, multiple=multiple))
    assert np.concatenate([np.arange(block.start, block.stop) for block in blocks]).tolist() == list(range(50))
    assert all((block.stop - block.start) % multiple == 0 for block in blocks[:-1])


def nwb(scan: Scan, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan.to_nwb(path, timezone="UTC", overwrite=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.ome.tif", lambda scan, path: scan.to_ome_tiff(path, overwrite=True)),
        ("a", lambda scan, path: scan.to_suite2p(path, overwrite=True)),
        ("a.nwb", nwb),
    ],
    ids=["ome-tiff", "suite2p", "nwb"],
)
def test_an_export_holds_a_few_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, write: Callable[[Scan, Path], Any]
) -> None:
    if name.endswith("nwb"):
        pytest.importorskip("pynwb")
    Recording(height=128, width=128, frames_per_slice=1600, channels=(1, 2), holes=True).write(tmp_path / "recording")
    block = 1 << 20
    monkeypatch.setattr(streams, "BLOCK", block)
    monkeypatch.setattr(streams, "threads", lambda: 2)
    with read_scan(tmp_path / "recording") as scan:
        assert scan.nbytes > 50 * block
        write(scan, tmp_path / name)
        tracemalloc.start()
        write(scan, tmp_path / name)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * block
