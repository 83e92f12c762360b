"""What is cut, damaged, garbled, locked or failing is read as far as it is sound, and never wrong."""

from __future__ import annotations

import errno
import os
import random
import struct
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import MESOSCOPE, ROIS, STACK, VOLUME, read_warned
from conftest import open_tiffs

from scanreader import (
    ChangedFileError,
    DamagedPageError,
    DtypeError,
    FileFormatError,
    LayoutError,
    PathnameError,
    Scan,
    ScanReaderError,
    ScanReaderWarning,
    read_scan,
)
from scanreader.files import local
from scanreader.simulate import Recording

SMALL_SLOT: dict[str, Any] = {"slot": 400}  # characters of a description: ScanImage's 2000 would be most of a page
KINDS: dict[str, Recording] = {
    "planar": Recording(frames_per_slice=12, **SMALL_SLOT),
    "two channels": Recording(frames_per_slice=8, channels=(1, 2), **SMALL_SLOT),
    "volume": replace(VOLUME, slot=400),
    "stack": replace(STACK, slot=400),
    "multi-ROI": replace(MESOSCOPE, volumes=4, slot=400),
    "last file of a set": replace(VOLUME, slot=400, frames_per_file=6),
    "varying spacing": Recording(frames_per_slice=105, resonant=False, height=4, width=4),
    "classic": Recording(release="5.1", frames_per_slice=8),
    "legacy": Recording(release="3.8", frames_per_slice=8),
    "classic of many strips": Recording(release="5.1", frames_per_slice=8, height=64, width=64),
}


def page_ends(path: Path) -> list[int]:
    """The byte behind all that belongs to each page, by tifffile."""
    ends = []
    with tifffile.TiffFile(path) as tif:
        is_bigtiff = tif.is_bigtiff
        for page in tif.pages:
            assert isinstance(page, tifffile.TiffPage)
            tail = page.offset + (8 + 20 * len(page.tags) + 8 if is_bigtiff else 2 + 12 * len(page.tags) + 4)
            tail = max(tail, *(a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True)))
            for tag in page.tags.values():
                if tag.code not in (305, 315):
                    tail = max(tail, tag.valueoffset + tag.valuebytecount)
            ends.append(tail)
    return ends


def whole_frames(recording: Recording, count: int) -> int:
    """Frames of each field that so many pages hold, by the formula: whole volumes alone."""
    c = len(recording.channels)
    if recording.mode == "planar":
        return count // c
    repeats = recording.frames_per_slice
    return count // c // (len(recording.zs) * repeats + recording.flyback) * repeats


class ShrinkingRecording:
    """A recording whose last file is made shorter and shorter."""

    def __init__(self, recording: Recording, folder: Path) -> None:
        self.recording = recording
        self.paths = recording.write(folder)
        self.right = [np.asarray(field) for field in read_scan(folder)]
        self.ends = page_ends(self.paths[-1])
        self.pages_before = sum(len(page_ends(path)) for path in self.paths[:-1])
        self.size = self.paths[-1].stat().st_size

    def check(self, size: int) -> None:
        path = self.paths[-1]
        os.truncate(path, size)
        num_pages = sum(end <= size for end in self.ends)
        with warnings.catch_warnings(record=True) as warning_records:
            warnings.simplefilter("always")
            try:
                scan = read_scan(self.paths)
            except (FileFormatError, LayoutError):
                assert whole_frames(self.recording, self.pages_before + num_pages) == 0
                return
        frames = whole_frames(self.recording, self.pages_before + num_pages)
        if frames == 0:  # less than a volume: its whole slices
            for field, right in zip(scan, self.right, strict=False):
                assert np.array_equal(field, right[..., : field.shape[-1]])
            return
        assert scan.num_frames == frames, size
        for field, right in zip(scan, self.right, strict=True):
            assert np.array_equal(field, right[..., :frames]), size
        if num_pages < len(self.ends):
            assert len(warning_records) == 1, size
            message = str(warning_records[0].message)
            assert "not closed" in message or "skipped" in message or "no page" in message
            with pytest.raises(ScanReaderError):
                read_scan(self.paths, strict=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 23])
def test_cut_at_every_byte_of_the_last_two_pages(tmp_path: Path, kind: str, step: int) -> None:
    shrinking = ShrinkingRecording(KINDS[kind], tmp_path)
    step *= 5 if "strips" in kind else 1  # its pages are 30 times as large
    for size in range(shrinking.size - 1, shrinking.ends[-3], -step):
        shrinking.check(size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [pytest.param(400, marks=pytest.mark.slow), 25])
def test_cut_at_random_places(tmp_path: Path, kind: str, count: int) -> None:
    shrinking = ShrinkingRecording(KINDS[kind], tmp_path)
    draw = random.Random(count)
    for size in sorted((draw.randrange(shrinking.size) for _ in range(count)), reverse=True):
        shrinking.check(size)


def test_an_end_that_was_never_marked(tmp_path: Path) -> None:
    for kind, recording in KINDS.items():
        paths = replace(recording, closed=False).write(tmp_path / kind)
        scan, warning = read_warned(tmp_path / kind)
        assert "was not closed" in warning
        closed_paths = recording.write(tmp_path / f"{kind} closed")
        assert len(paths) == len(closed_paths)
        right = read_scan(tmp_path / f"{kind} closed")
        assert all(np.array_equal(a, b) for a, b in zip(scan, right, strict=True))


# --------------------------------------------------------------------- in the middle


def noise(path: Path, lost_pages: set[int]) -> None:
    """Write noise over all that belongs to some pages."""
    ends = page_ends(path)
    with tifffile.TiffFile(path) as tif:
        starts = [page.offset for page in tif.pages]
    with path.open("r+b") as file:
        for page in lost_pages:
            file.seek(starts[page])
            file.write(np.random.default_rng(page).bytes(ends[page] - starts[page]))


def each_page(path: Path, lost_pages: set[int]) -> npt.NDArray[Any]:
    """The pages of a file that was whole, those lost filled with 0."""
    images = reference.all_pages([path]).copy()
    images[list(lost_pages)] = 0
    return images


@pytest.mark.parametrize("lost_pages", [{1}, {2}, {5}, {6}, {5, 6}, {3, 4, 5, 6, 7}, {2, 6, 9}, {10}, {1, 2, 3}])
@pytest.mark.parametrize("reach", ["open", "read"])
def test_pages_of_noise_are_lost_alone(
    tmp_path: Path, lost_pages: set[int], reach: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both where opening sees them and where they are found when they are read."""
    recording = Recording(frames_per_slice=12 if reach == "open" else 200, triggers=((0, 0.001),))
    (path,) = recording.write(tmp_path)
    right = each_page(path, lost_pages)
    noise(path, lost_pages)
    scan = read_warned(path)[0]
    assert scan.num_frames == len(right)
    intact_pages = [i for i in range(len(right)) if i not in lost_pages]
    assert np.array_equal(scan[0, :, :, 0, intact_pages].transpose(2, 0, 1), right[intact_pages])
    assert np.array_equal(scan[0, 3, 5, 0, intact_pages], right[intact_pages, 3, 5])
    for page in lost_pages:
        with pytest.raises(DamagedPageError, match=path.name):
            scan[0, :, :, 0, page]
    with pytest.raises(DamagedPageError):
        scan[:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filled_scan = read_scan(path, on_damage="fill", fill_value=-5)
        floats = read_scan(path, on_damage="fill", dtype=np.float32)
    with pytest.warns(ScanReaderWarning, match=rf"{len(lost_pages)} pages? cannot be read"):
        array = filled_scan[0, :, :, 0].transpose(2, 0, 1)
    assert (array[list(lost_pages)] == -5).all()
    assert np.array_equal(array[intact_pages], right[intact_pages])
    with pytest.warns(ScanReaderWarning):
        assert np.isnan(floats[0, :, :, 0, list(lost_pages)]).all()
    with pytest.warns(ScanReaderWarning):
        trace = filled_scan[0, 3, 5, 0]
    assert np.array_equal(trace, np.where(np.isin(np.arange(len(right)), list(lost_pages)), -5, right[:, 3, 5]))
    table = filled_scan.frame_table
    assert np.array_equal(np.flatnonzero(np.isnan(table["timestamp"])), sorted(lost_pages))
    assert np.isnan(filled_scan.timestamps[0, list(lost_pages)]).all()
    assert len(filled_scan.events) == 1 or 0 in lost_pages
    report = scan.check()
    assert "damaged-page" in report.names
    assert not report.ok


def test_many_pages_of_noise_in_a_row(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=1000, height=4, width=4, slot=400).write(tmp_path)
    right = reference.all_pages([path])
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[300].offset, tif.pages[700].offset
    with path.open("r+b") as file:
        file.seek(first)
        file.write(np.random.default_rng(0).bytes(last - first))
    scan, warning = read_warned(path)
    assert "400 pages" in warning
    intact_pages = [*range(300), *range(700, 1000)]
    assert np.array_equal(scan[0, :, :, 0, intact_pages].transpose(2, 0, 1), right[intact_pages])
    with pytest.raises(DamagedPageError):
        scan[0, :, :, 0, 500]


@pytest.mark.parametrize("page", [0, 1, 5, 6, 10])
@pytest.mark.parametrize("pointer", [0, 3, 1 << 40, (1 << 64) - 8])
@pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")
def test_a_broken_pointer_loses_nothing(tmp_path: Path, page: int, pointer: int) -> None:
    (path,) = Recording(frames_per_slice=12).write(tmp_path)
    right = reference.all_pages([path])
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[page].offset
    with path.open("r+b") as file:
        file.seek(offset + 368)
        file.write(struct.pack("<Q", pointer))
    scan = read_scan(path)
    assert np.array_equal(scan[0, :, :, 0].transpose(2, 0, 1), right)
    assert scan.frame_table["frame_number"].tolist() == list(range(1, 13))


@pytest.mark.parametrize("option", ["on_damage", "fill_value"])
def test_fills_that_cannot_be(tmp_path: Path, option: str) -> None:
    (path,) = Recording(frames_per_slice=2).write(tmp_path)
    with pytest.raises((DtypeError, TypeError)):
        read_scan(path, **{"on_damage": "fill", option: {"on_damage": "mend", "fill_value": 1 << 20}[option]})  # type: ignore[arg-type]


@pytest.mark.parametrize("part", ["magic", "lengths", "version"])
@pytest.mark.parametrize("recording", [MESOSCOPE, VOLUME], ids=["mesoscope", "volume"])
def test_a_garbled_block_is_recovered_from_the_tags(tmp_path: Path, part: str, recording: Recording) -> None:
    (path,) = recording.write(tmp_path)
    right = [np.asarray(field) for field in read_scan(path)]
    offset, data = {"magic": (16, b"\0\0\0\0"), "lengths": (24, b"\xff" * 8), "version": (20, b"\x07")}[part]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    scan = read_warned(path)[0]
    assert scan.release == "2023.1"
    assert all(np.array_equal(a, b) for a, b in zip(scan, right, strict=True))


def test_a_header_of_noise_is_refused_but_for_its_pages(tmp_path: Path) -> None:
    (path,) = VOLUME.write(tmp_path)
    right = reference.all_pages([path])
    with path.open("r+b") as file:
        file.seek(16)
        file.write(np.random.default_rng(0).bytes(3000))
    scan = read_warned(path, raw=True)[0]
    assert np.array_equal(scan[0, :, :, 0].transpose(2, 0, 1), right)


# --------------------------------------------------------------------------- opening


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=4).write(tmp_path)
    odd_path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sc\xffan_00001.tif"))
    path.rename(odd_path)
    scan = read_scan(odd_path)
    assert scan.num_frames == 4
    assert np.array_equal(scan[:], read_scan(str(tmp_path))[:])
    os.truncate(odd_path, 3)
    with pytest.raises(ScanReaderError) as error:
        read_scan(odd_path)
    str(error.value).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EMFILE, "Too many open files")]
)
def test_a_file_that_cannot_be_opened(tmp_path: Path, error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=4).write(tmp_path)
    scan = read_scan(path)

    def refuse_to_open(*_: Any) -> int:
        raise error

    monkeypatch.setattr("scanreader.files.local.os.open", refuse_to_open)
    with pytest.raises(PathnameError, match=str(error.strerror)):
        read_scan(path)
    with pytest.raises(ChangedFileError, match=str(error.strerror)):
        scan[:]


# ------------------------------------------------------------------------ failing disks


class FailingReads:
    """Reads that fail some times, at the one function that reads."""

    def __init__(self, times: int, error: int, monkeypatch: pytest.MonkeyPatch, first_byte: int = 0) -> None:
        self.failures_left, self.error, self.first_byte, self.calls = times, error, first_byte, 0
        self.original = local._read_once
        monkeypatch.setattr(local, "_read_once", self.read)
        monkeypatch.setattr(local, "RETRIES", (0.0, 0.001, 0.001))

    def read(self, file: int, offset: int, buffers: list[memoryview]) -> int:
        self.calls += 1
        if self.failures_left and offset + sum(map(len, buffers)) > self.first_byte:
            self.failures_left -= 1
            raise OSError(self.error, os.strerror(self.error))
        return self.original(file, offset, buffers)


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_reads_that_fail_for_a_moment_are_tried_again(
    tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    right = read_scan(path)[:]
    for times in (1, 3):
        FailingReads(times, error, monkeypatch)
        scan = read_scan(path)
        FailingReads(times, error, monkeypatch, first_byte=20_000)
        assert np.array_equal(scan[:], right)
        assert not open_tiffs()
        monkeypatch.undo()


def test_reads_that_go_on_failing_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    scan = read_scan(path)
    failing_reads = FailingReads(10**6, errno.EIO, monkeypatch, first_byte=30_000)
    start = time.monotonic()
    with pytest.raises(DamagedPageError, match=rf"{path.name}.* cannot be read at byte \d+: .*\(4 tries\)"):
        scan[:]
    assert time.monotonic() - start < 5
    assert failing_reads.calls < 50
    assert np.array_equal(scan[0, :, :, 0, 0], scan[0, :, :, 0, :1][..., 0])


def test_other_failures_are_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    scan = read_scan(path)
    failing_reads = FailingReads(10**6, errno.EISDIR, monkeypatch, first_byte=30_000)
    with pytest.raises(DamagedPageError, match="cannot be read at byte"):
        scan[0, :, :, 0, -1]
    assert failing_reads.calls <= 2


def test_pages_that_cannot_be_read_are_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    right = read_scan(path)[:]
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[25].offset
    scan = read_scan(path, on_damage="fill", fill_value=-1)
    FailingReads(10**6, errno.EIO, monkeypatch, first_byte=offset)
    with pytest.warns(ScanReaderWarning, match="15 pages cannot be read"):
        array = scan[:]
    assert np.array_equal(array[..., :25], right[..., :25])
    assert (array[..., 25:] == -1).all()


def test_short_reads_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    right = read_scan(path)[:]
    original = local._read_once

    def read_less(file: int, offset: int, buffers: list[memoryview]) -> int:
        return original(file, offset, [buffers[0][: max(1, len(buffers[0]) // 3)]])

    monkeypatch.setattr(local, "_read_once", read_less)
    assert np.array_equal(read_scan(path)[:], right)


# ----------------------------------------------------------------------- under our feet

CHANGES = """
import os, sys, threading, time
import numpy as np
from scanreader import read_scan, ScanReaderError
path, how = sys.argv[1:]
scan = read_scan(path)
right = scan[:]
if how == "before":
    os.truncate(path, os.path.getsize(path) // 3)
    for key in (np.s_[:], np.s_[0, 3, 3, 0], np.s_[0, :, :, 0, -1]):
        try:
            scan[key]
        except ScanReaderError:
            continue
        raise SystemExit(f"{key} was read from a file that was cut")
else:
    size = os.path.getsize(path)
    data = open(path, "rb").read()
    stop = threading.Event()
    def change():
        while not stop.is_set():
            os.truncate(path, size // 3)
            time.sleep(0.0005)
            with open(path, "r+b") as file:
                file.write(data)
            time.sleep(0.0005)
    thread = threading.Thread(target=change, daemon=True)  # an error ends the process
    thread.start()
    for _ in range(200):
        try:
            assert np.array_equal(scan[:], right), "other pixels"
        except ScanReaderError:
            pass
        try:
            scan = read_scan(path)
            if scan.num_frames != right.shape[-1]:
                scan = None
        except (ScanReaderError, Warning):
            scan = None
        while scan is None:
            try:
                scan = read_scan(path)
                scan = scan if scan.num_frames == right.shape[-1] else None
            except ScanReaderError:
                scan = None
    stop.set()
    thread.join()
print("survived")
"""


@pytest.mark.parametrize("way", ["before", "while"])
def test_a_file_that_is_cut_never_ends_the_process(tmp_path: Path, way: str) -> None:
    (path,) = Recording(frames_per_slice=300, height=32, width=32).write(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", CHANGES, str(path), way]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (result.returncode, result.stdout) == (0, "survived\n"), result.stderr


# --------------------------------------------------------------------------- crowded


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_two_thousand_files_with_few_descriptors(tmp_path: Path) -> None:
    Recording(frames_per_slice=2000, frames_per_file=1, height=4, width=4).write(tmp_path)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from scanreader import read_scan\n"
        "scan = read_scan(sys.argv[1]); print(scan.num_frames, scan[:].shape, scan[0, 1, 1, 0].shape, len(scan.frame_table))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.stdout == "2000 (1, 4, 4, 1, 2000) (2000,) 2000\n", result.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell")
def test_ten_thousand_rounds_leak_nothing(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=40, frames_per_file=20, rois=ROIS[:2], scanner_frequency=12013.0).write(tmp_path)

    def use(scan: Scan) -> None:
        scan[0, 1, 1, 0]
        scan[0, :, :, 0, 3]

    def resources_held() -> tuple[int, int, int]:
        maps = sum(1 for line in Path("/proc/self/maps").read_text().splitlines() if ".tif" in line)
        return len(list(Path("/proc/self/fd").iterdir())), maps, int(Path("/proc/self/statm").read_text().split()[1])

    for round_ in range(10_000):
        scan = read_scan(paths)
        if round_ % 10 == 0:
            use(scan)
        scan.close()
        if round_ == 1000:
            held_before = resources_held()
    del scan
    held_after = resources_held()
    assert held_after[0] <= held_before[0]
    assert held_after[1] == 0
    assert (held_after[2] - held_before[2]) * 4096 < 8 << 20, "memory grows"


def test_nothing_is_allocated_that_a_file_does_not_justify(tmp_path: Path) -> None:
    """A page that claims pixels by the milliard, compressed or not."""
    for compression in (None, "zlib"):
        path = tmp_path / f"{compression}.tif"
        pixels = np.zeros((4, 32, 32), np.int16)
        tifffile.imwrite(path, pixels, photometric="minisblack", compression=compression, metadata=None)
        with tifffile.TiffFile(path) as tif:
            places = [page.tags[256].offset for page in tif.pages if isinstance(page, tifffile.TiffPage)]
        with path.open("r+b") as file:
            for offset in places:
                file.seek(offset)
                file.write(struct.pack("<HHII", 256, 4, 1, 1_500_000_000))
        with pytest.raises(ScanReaderError):
            read_warned(path)[0][:]
