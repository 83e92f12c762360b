"""Files on a share whose every call takes a while are opened side by side."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanreader import PathnameError, ScanReaderError, naming, read_scan
from scanreader.files import local
from scanreader.simulate import Recording


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Recording(height=4, width=4, frames_per_slice=600, frames_per_file=6, slot=300).write(tmp_path)
    return tmp_path


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[int]:
    """Let every read of a file take a while; the list gets the thread of each."""
    calls: list[int] = []
    original = local._read_once

    def read_slowly(*arguments: Any) -> int:
        calls.append(threading.get_ident())
        time.sleep(seconds)
        return original(*arguments)

    monkeypatch.setattr(local, "_read_once", read_slowly)
    return calls


def test_many_files_are_opened_side_by_side(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_scan(folder)
    calls = slow_down(monkeypatch, 0.008)
    scan = read_scan(folder)
    assert scan.filenames == expected.filenames
    assert scan.num_frames == expected.num_frames == 600
    assert len(set(calls)) > 8
    assert len(calls) <= 3 * 100
    monkeypatch.undo()
    np.testing.assert_array_equal(scan[:], expected[:])


@pytest.mark.parametrize("number", [0, 1, 50, 99])
def test_a_bad_file_is_named_whether_opened_ahead_or_not(
    folder: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_path = sorted(folder.glob("*.tif"))[number]
    bad_path.write_bytes(b"no tiff")
    with pytest.raises(ScanReaderError, match=bad_path.name):
        read_scan(folder)
    monkeypatch.setattr(naming, "SLOW_OPENING", -1.0)
    with pytest.raises(ScanReaderError, match=bad_path.name):
        read_scan(folder)
    if os.name == "posix":
        bad_path.unlink()
        os.mkfifo(bad_path)
        with pytest.raises(PathnameError, match=bad_path.name):
            read_scan(sorted(folder.glob("*.tif")))


def test_few_calls_are_made_for_each_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("stat", "lstat", "open", "fstat", "close"):
        original = getattr(os, name)

        def count_call(*arguments: Any, name: str = name, original: Any = original, **options: Any) -> Any:
            calls.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(os, name, count_call)
    for names in (folder, str(folder / "*.tif"), sorted(folder.glob("*.tif"))):
        calls.clear()
        read_scan(names)
        assert len(calls) <= 7 * 100 + 20
    monkeypatch.undo()


def test_names_are_looked_up_side_by_side(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    original = Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        threads.add(threading.get_ident())
        time.sleep(0.002)
        return original(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    names = sorted(folder.glob("*.tif"))
    scan = read_scan(names)
    assert len(threads) > 8
    assert scan.filenames == [str(name) for name in names]
    with pytest.raises(PathnameError, match="named twice"):
        read_scan([*names, names[50]])
    with pytest.raises(PathnameError, match="no file or folder"):
        read_scan([*names, folder / "gone.tif"])
