"""Threads, processes and many open scans give the same pixels, and files stay bounded."""

from __future__ import annotations

import gc
import multiprocessing
import operator
import os
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import VOLUME, expected
from conftest import open_tiffs

from scanreader import ChangedFileError, ClosedScanError, Scan, read_scan
from scanreader.simulate import Recording
from scanreader.tiff import maps, pages

ROLLED_RECORDING = replace(VOLUME, volumes=20, frames_per_file=13)


def some_keys(shape: tuple[int, ...], count: int) -> list[tuple[Any, ...]]:
    """Keys of all kinds: single frames, blocks, thin traces, lists."""
    rng = np.random.default_rng(count)
    keys: list[tuple[Any, ...]] = []
    for i in range(count):
        field, y, x, channel, frame = (int(rng.integers(n)) for n in shape)
        keys += [
            (field, slice(None), slice(None), channel, frame),
            (field, y, x, channel),
            (slice(None), slice(y), slice(None, None, -1), slice(None), slice(frame, None)),
            (field, rng.permutation(shape[1])[:3].tolist(), slice(None), [channel], rng.integers(0, shape[4], 5)),
        ][i % 4 : i % 4 + 1]
    return keys


def index_each(array: np.ndarray, key: tuple[Any, ...]) -> np.ndarray:
    """Index an array with each entry by itself."""
    for axis in reversed(range(len(key))):
        array = array[(slice(None),) * axis + (key[axis],)]
    return array


@pytest.fixture(scope="module")
def rolled_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], np.ndarray]:
    paths = ROLLED_RECORDING.write(tmp_path_factory.mktemp("rolled"))
    return paths, np.stack(expected(ROLLED_RECORDING, paths))


def assert_all_come(futures: list[Future[Any]], all_pixels: np.ndarray, keys: list[tuple[Any, ...]]) -> None:
    for future, key in zip(futures, keys, strict=True):
        np.testing.assert_array_equal(future.result(120), index_each(all_pixels, key), err_msg=f"{key}")


def test_threads_share_a_scan(rolled_files: tuple[list[Path], np.ndarray]) -> None:
    paths, all_pixels = rolled_files
    keys = some_keys(all_pixels.shape, 400)
    with read_scan(paths) as scan, ThreadPoolExecutor(16) as pool:
        assert_all_come([pool.submit(operator.getitem, scan, key) for key in keys], all_pixels, keys)


def test_requests_that_use_threads_themselves(
    rolled_files: tuple[list[Path], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 2000)
    monkeypatch.setattr(pages, "THREADS", 4)
    paths, all_pixels = rolled_files
    keys = some_keys(all_pixels.shape, 60)
    with read_scan(paths) as scan, ThreadPoolExecutor(8) as pool:
        assert_all_come([pool.submit(operator.getitem, scan, key) for key in keys], all_pixels, keys)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes(rolled_files: tuple[list[Path], np.ndarray], method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    paths, all_pixels = rolled_files
    keys = some_keys(all_pixels.shape, 60)
    with read_scan(paths) as scan:
        np.testing.assert_array_equal(scan[0, 3, 4, 0], all_pixels[0, 3, 4, 0])  # maps are held when it is forked
        with ProcessPoolExecutor(3, multiprocessing.get_context(method)) as pool:
            assert_all_come([pool.submit(operator.getitem, scan, key) for key in keys], all_pixels, keys)
        assert_all_come([finished_future(scan[key]) for key in keys], all_pixels, keys)


def finished_future(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def test_many_open_scans_and_few_open_files(rolled_files: tuple[list[Path], np.ndarray]) -> None:
    paths, all_pixels = rolled_files
    tiffs_before = open_tiffs()
    scans = [read_scan(paths) for _ in range(50)]
    for scan in scans:
        np.testing.assert_array_equal(scan[1, 3, 4, 0], all_pixels[1, 3, 4, 0])
        np.testing.assert_array_equal(scan[1, :, :, 0, 7], all_pixels[1, :, :, 0, 7])
        assert len(open_tiffs()) <= len(tiffs_before) + maps.MOST_MAPS
    for scan in scans:
        scan.close()
    gc.collect()
    assert open_tiffs() <= tiffs_before


def test_more_files_than_may_be_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(height=16, width=16, frames_per_slice=80, frames_per_file=2)
    paths = recording.write(tmp_path)
    (all_pixels,) = expected(recording, paths)
    monkeypatch.setattr(maps, "MOST_MAPS", 5)
    tiffs_before = open_tiffs()
    with read_scan(paths) as scan:
        for _ in range(3):
            np.testing.assert_array_equal(scan[0, 3, 4, 0], all_pixels[3, 4, 0])
            assert len(open_tiffs() - tiffs_before) <= 5
        if sys.platform == "linux":
            assert len(open_tiffs() - tiffs_before) > 0


def test_no_map_outlives_its_scan(rolled_files: tuple[list[Path], np.ndarray]) -> None:
    paths, all_pixels = rolled_files
    tiffs_before = open_tiffs()
    scan: Scan | None = read_scan(paths)
    assert scan is not None
    np.testing.assert_array_equal(scan[0, 3, 4], all_pixels[0, 3, 4])
    scan = None
    gc.collect()
    assert open_tiffs() <= tiffs_before


def test_a_kept_map_of_a_file_that_changed_is_not_read(tmp_path: Path) -> None:
    (path,) = replace(VOLUME, volumes=3).write(tmp_path)
    with read_scan(path) as scan:
        scan[0, 3, 4, 0]
        bytes_before = path.read_bytes()
        path.unlink()
        with pytest.raises(ChangedFileError, match="after the recording was opened"):
            scan[0, 3, 4, 0]
        path.write_bytes(bytes_before[:-1000])
        with pytest.raises(ChangedFileError, match="changed after it was opened"):
            scan[0, 3, 4, 0]


def test_a_kept_map_is_not_taken_for_another_file_of_that_name(tmp_path: Path) -> None:
    """Not even if size and time are the same, as some programs that restore files make them."""
    (path,) = replace(VOLUME, volumes=3).write(tmp_path / "a")
    (other_path,) = replace(VOLUME, volumes=3).write(tmp_path / "b")
    data = bytearray(other_path.read_bytes())
    with tifffile.TiffFile(other_path) as tif:
        for page in tif.pages:
            assert isinstance(page, tifffile.TiffPage)
            data[page.dataoffsets[0] : page.dataoffsets[0] + 512] = bytes(512)
    other_path.write_bytes(data)
    with read_scan(path) as scan:
        tiffs_before = scan[0, 3, 4, 0]
        assert tiffs_before.any()
        status = path.stat()
        os.utime(other_path, ns=(status.st_atime_ns, status.st_mtime_ns))
        other_path.replace(path)
        with read_scan(path) as new_scan:
            np.testing.assert_array_equal(new_scan[0, 3, 4, 0], new_scan[0][3, 4, 0])
            assert not new_scan[0, 3, 4, 0].any()
        with pytest.raises(ChangedFileError, match="another file of the same size and time"):
            scan[0, 3, 4, 0]


def test_closing_while_others_read(rolled_files: tuple[list[Path], np.ndarray]) -> None:
    """Each read gives the right pixels, or says that the scan was closed."""
    paths, all_pixels = rolled_files
    keys = some_keys(all_pixels.shape, 200)
    scan = read_scan(paths)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(operator.getitem, scan, key) for key in keys]
        futures[20].result()
        scan.close()
    num_refused = 0
    for future, key in zip(futures, keys, strict=True):
        if isinstance(future.exception(), ClosedScanError):
            num_refused += 1
        else:
            np.testing.assert_array_equal(future.result(), index_each(all_pixels, key))
    assert num_refused > 0
    gc.collect()
    assert not open_tiffs() & {str(path) for path in paths}
