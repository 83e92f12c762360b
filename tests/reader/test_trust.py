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

SMALL: dict[str, Any] = {"slot": 400}  # characters of a description: ScanImage's 2000 would be most of a page
KINDS: dict[str, Recording] = {
    "planar": Recording(frames_per_slice=12, **SMALL),
    "two channels": Recording(frames_per_slice=8, channels=(1, 2), **SMALL),
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
        big = tif.is_bigtiff
        for page in tif.pages:
            assert isinstance(page, tifffile.TiffPage)
            tail = page.offset + (8 + 20 * len(page.tags) + 8 if big else 2 + 12 * len(page.tags) + 4)
            tail = max(tail, *(a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True)))
            for tag in page.tags.values():
                if tag.code not in (305, 315):
                    tail = max(tail, tag.valueoffset + tag.valuebytecount)
            ends.append(tail)
    return ends


def whole_frames(made: Recording, count: int) -> int:
    """Frames of each field that so many pages hold, by the formula: whole volumes alone."""
    c = len(made.channels)
    if made.mode == "planar":
        return count // c
    repeats = made.frames_per_slice
    return count // c // (len(made.zs) * repeats + made.flyback) * repeats


class Cut:
    """A recording whose last file is made shorter and shorter."""

    def __init__(self, made: Recording, folder: Path) -> None:
        self.made = made
        self.paths = made.write(folder)
        self.right = [np.asarray(field) for field in read_scan(folder)]
        self.ends = page_ends(self.paths[-1])
        self.before = sum(len(page_ends(path)) for path in self.paths[:-1])
        self.size = self.paths[-1].stat().st_size

    def check(self, size: int) -> None:
        path = self.paths[-1]
        os.truncate(path, size)
        whole = sum(end <= size for end in self.ends)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                scan = read_scan(self.paths)
            except (FileFormatError, LayoutError):
                assert whole_frames(self.made, self.before + whole) == 0
                return
        frames = whole_frames(self.made, self.before + whole)
        if frames == 0:  # less than a volume: its whole slices
            for field, right in zip(scan, self.right, strict=False):
                assert np.array_equal(field, right[..., : field.shape[-1]])
            return
        assert scan.num_frames == frames, size
        for field, right in zip(scan, self.right, strict=True):
            assert np.array_equal(field, right[..., :frames]), size
        if whole < len(self.ends):
            assert len(caught) == 1, size
            said = str(caught[0].message)
            assert "not closed" in said or "skipped" in said or "no page" in said
            with pytest.raises(ScanReaderError):
                read_scan(self.paths, strict=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 23])
def test_cut_at_every_byte_of_the_last_two_pages(tmp_path: Path, kind: str, step: int) -> None:
    cut = Cut(KINDS[kind], tmp_path)
    step *= 5 if "strips" in kind else 1  # its pages are 30 times as large
    for size in range(cut.size - 1, cut.ends[-3], -step):
        cut.check(size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("many", [pytest.param(400, marks=pytest.mark.slow), 25])
def test_cut_at_random_places(tmp_path: Path, kind: str, many: int) -> None:
    cut = Cut(KINDS[kind], tmp_path)
    draw = random.Random(many)
    for size in sorted((draw.randrange(cut.size) for _ in range(many)), reverse=True):
        cut.check(size)


def test_an_end_that_was_never_marked(tmp_path: Path) -> None:
    for kind, made in KINDS.items():
        paths = replace(made, closed=False).write(tmp_path / kind)
        scan, said = read_warned(tmp_path / kind)
        assert "was not closed" in said
        whole = made.write(tmp_path / f"{kind} closed")
        assert len(paths) == len(whole)
        right = read_scan(tmp_path / f"{kind} closed")
        assert all(np.array_equal(a, b) for a, b in zip(scan, right, strict=True))


# --------------------------------------------------------------------- in the middle


def noise(path: Path, lost: set[int]) -> None:
    """Write noise over all that belongs to some pages."""
    ends = page_ends(path)
    with tifffile.TiffFile(path) as tif:
        starts = [page.offset for page in tif.pages]
    with path.open("r+b") as file:
        for page in lost:
            file.seek(starts[page])
            file.write(np.random.default_rng(page).bytes(ends[page] - starts[page]))


def each_page(path: Path, lost: set[int]) -> npt.NDArray[Any]:
    """The pages of a file that was whole, those lost filled with 0."""
    images = reference.all_pages([path]).copy()
    images[list(lost)] = 0
    return images


@pytest.mark.parametrize("lost", [{1}, {2}, {5}, {6}, {5, 6}, {3, 4, 5, 6, 7}, {2, 6, 9}, {10}, {1, 2, 3}])
@pytest.mark.parametrize("reach", ["open", "read"])
def test_pages_of_noise_are_lost_alone(
    tmp_path: Path, lost: set[int], reach: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both where opening sees them and where they are found when they are read."""
    made = Recording(frames_per_slice=12 if reach == "open" else 200, triggers=((0, 0.001),))
    (path,) = made.write(tmp_path)
    right = each_page(path, lost)
    noise(path, lost)
    scan = read_warned(path)[0]
    assert scan.num_frames == len(right)
    sound = [i for i in range(len(right)) if i not in lost]
    assert np.array_equal(scan[0, :, :, 0, sound].transpose(2, 0, 1), right[sound])
    assert np.array_equal(scan[0, 3, 5, 0, sound], right[sound, 3, 5])
    for page in lost:
        with pytest.raises(DamagedPageError, match=path.name):
            scan[0, :, :, 0, page]
    with pytest.raises(DamagedPageError):
        scan[:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filled = read_scan(path, on_damage="fill", fill_value=-5)
        floats = read_scan(path, on_damage="fill", dtype=np.float32)
    with pytest.warns(ScanReaderWarning, match=rf"{len(lost)} pages? cannot be read"):
        array = filled[0, :, :, 0].transpose(2, 0, 1)
    assert (array[list(lost)] == -5).all()
    assert np.array_equal(array[sound], right[sound])
    with pytest.warns(ScanReaderWarning):
        assert np.isnan(floats[0, :, :, 0, list(lost)]).all()
    with pytest.warns(ScanReaderWarning):
        trace = filled[0, 3, 5, 0]
    assert np.array_equal(trace, np.where(np.isin(np.arange(len(right)), list(lost)), -5, right[:, 3, 5]))
    table = filled.frame_table
    assert np.array_equal(np.flatnonzero(np.isnan(table["timestamp"])), sorted(lost))
    assert np.isnan(filled.timestamps[0, list(lost)]).all()
    assert len(filled.events) == 1 or 0 in lost
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
    scan, said = read_warned(path)
    assert "400 pages" in said
    sound = [*range(300), *range(700, 1000)]
    assert np.array_equal(scan[0, :, :, 0, sound].transpose(2, 0, 1), right[sound])
    with pytest.raises(DamagedPageError):
        scan[0, :, :, 0, 500]


@pytest.mark.parametrize("page", [0, 1, 5, 6, 10])
@pytest.mark.parametrize("pointer", [0, 3, 1 << 40, (1 << 64) - 8])
@pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")
def test_a_broken_pointer_loses_nothing(tmp_path: Path, page: int, pointer: int) -> None:
    (path,) = Recording(frames_per_slice=12).write(tmp_path)
    right = reference.all_pages([path])
    with tifffile.TiffFile(path) as tif:
        at = tif.pages[page].offset
    with path.open("r+b") as file:
        file.seek(at + 368)
        file.write(struct.pack("<Q", pointer))
    scan = read_scan(path)
    assert np.array_equal(scan[0, :, :, 0].transpose(2, 0, 1), right)
    assert scan.frame_table["frame_number"].tolist() == list(range(1, 13))


@pytest.mark.parametrize("what", ["on_damage", "fill_value"])
def test_fills_that_cannot_be(tmp_path: Path, what: str) -> None:
    (path,) = Recording(frames_per_slice=2).write(tmp_path)
    with pytest.raises((DtypeError, TypeError)):
        read_scan(path, **{"on_damage": "fill", what: {"on_damage": "mend", "fill_value": 1 << 20}[what]})  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["magic", "lengths", "version"])
@pytest.mark.parametrize("made", [MESOSCOPE, VOLUME], ids=["mesoscope", "volume"])
def test_a_garbled_block_is_recovered_from_the_tags(tmp_path: Path, how: str, made: Recording) -> None:
    (path,) = made.write(tmp_path)
    right = [np.asarray(field) for field in read_scan(path)]
    at, data = {"magic": (16, b"\0\0\0\0"), "lengths": (24, b"\xff" * 8), "version": (20, b"\x07")}[how]
    with path.open("r+b") as file:
        file.seek(at)
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
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sc\xffan_00001.tif"))
    path.rename(odd)
    scan = read_scan(odd)
    assert scan.num_frames == 4
    assert np.array_equal(scan[:], read_scan(str(tmp_path))[:])
    os.truncate(odd, 3)
    with pytest.raises(ScanReaderError) as refused:
        read_scan(odd)
    str(refused.value).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EMFILE, "Too many open files")]
)
def test_a_file_that_cannot_be_opened(tmp_path: Path, error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=4).write(tmp_path)
    scan = read_scan(path)

    def refuse(*_: Any) -> int:
        raise error

    monkeypatch.setattr("scanreader.files.local.os.open", refuse)
    with pytest.raises(PathnameError, match=str(error.strerror)):
        read_scan(path)
    with pytest.raises(ChangedFileError, match=str(error.strerror)):
        scan[:]


# ------------------------------------------------------------------------ failing disks


class Failing:
    """Reads that fail some times, at the one function that reads."""

    def __init__(self, times: int, error: int, monkeypatch: pytest.MonkeyPatch, at: int = 0) -> None:
        self.left, self.error, self.at, self.calls = times, error, at, 0
        self.original = local._read_once
        monkeypatch.setattr(local, "_read_once", self.read)
        monkeypatch.setattr(local, "RETRIES", (0.0, 0.001, 0.001))

    def read(self, file: int, offset: int, buffers: list[memoryview]) -> int:
        self.calls += 1
        if self.left and offset + sum(map(len, buffers)) > self.at:
            self.left -= 1
            raise OSError(self.error, os.strerror(self.error))
        return self.original(file, offset, buffers)


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_reads_that_fail_for_a_moment_are_tried_again(
    tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    right = read_scan(path)[:]
    for times in (1, 3):
        Failing(times, error, monkeypatch)
        scan = read_scan(path)
        Failing(times, error, monkeypatch, at=20_000)
        assert np.array_equal(scan[:], right)
        assert not open_tiffs()
        monkeypatch.undo()


def test_reads_that_go_on_failing_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    scan = read_scan(path)
    failing = Failing(10**6, errno.EIO, monkeypatch, at=30_000)
    started = time.monotonic()
    with pytest.raises(DamagedPageError, match=rf"{path.name}.* cannot be read at byte \d+: .*\(4 tries\)"):
        scan[:]
    assert time.monotonic() - started < 5
    assert failing.calls < 50
    assert np.array_equal(scan[0, :, :, 0, 0], scan[0, :, :, 0, :1][..., 0])


def test_other_failures_are_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    scan = read_scan(path)
    failing = Failing(10**6, errno.EISDIR, monkeypatch, at=30_000)
    with pytest.raises(DamagedPageError, match="cannot be read at byte"):
        scan[0, :, :, 0, -1]
    assert failing.calls <= 2


def test_pages_that_cannot_be_read_are_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    right = read_scan(path)[:]
    with tifffile.TiffFile(path) as tif:
        at = tif.pages[25].offset
    scan = read_scan(path, on_damage="fill", fill_value=-1)
    Failing(10**6, errno.EIO, monkeypatch, at=at)
    with pytest.warns(ScanReaderWarning, match="15 pages cannot be read"):
        array = scan[:]
    assert np.array_equal(array[..., :25], right[..., :25])
    assert (array[..., 25:] == -1).all()


def test_short_reads_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    right = read_scan(path)[:]
    original = local._read_once

    def short(file: int, offset: int, buffers: list[memoryview]) -> int:
        return original(file, offset, [buffers[0][: max(1, len(buffers[0]) // 3)]])

    monkeypatch.setattr(local, "_read_once", short)
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


@pytest.mark.parametrize("how", ["before", "while"])
def test_a_file_that_is_cut_never_ends_the_process(tmp_path: Path, how: str) -> None:
    (path,) = Recording(frames_per_slice=300, height=32, width=32).write(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", CHANGES, str(path), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr


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
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "2000 (1, 4, 4, 1, 2000) (2000,) 2000\n", done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell")
def test_ten_thousand_rounds_leak_nothing(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=40, frames_per_file=20, rois=ROIS[:2], scanner_frequency=12013.0).write(tmp_path)

    def use(scan: Scan) -> None:
        scan[0, 1, 1, 0]
        scan[0, :, :, 0, 3]

    def held() -> tuple[int, int, int]:
        maps = sum(1 for line in Path("/proc/self/maps").read_text().splitlines() if ".tif" in line)
        return len(list(Path("/proc/self/fd").iterdir())), maps, int(Path("/proc/self/statm").read_text().split()[1])

    for round_ in range(10_000):
        scan = read_scan(paths)
        if round_ % 10 == 0:
            use(scan)
        scan.close()
        if round_ == 1000:
            before = held()
    del scan
    after = held()
    assert after[0] <= before[0]
    assert after[1] == 0
    assert (after[2] - before[2]) * 4096 < 8 << 20, "memory grows"


def test_nothing_is_allocated_that_a_file_does_not_justify(tmp_path: Path) -> None:
    """A page that claims pixels by the milliard, compressed or not."""
    for compression in (None, "zlib"):
        path = tmp_path / f"{compression}.tif"
        pixels = np.zeros((4, 32, 32), np.int16)
        tifffile.imwrite(path, pixels, photometric="minisblack", compression=compression, metadata=None)
        with tifffile.TiffFile(path) as tif:
            places = [page.tags[256].offset for page in tif.pages if isinstance(page, tifffile.TiffPage)]
        with path.open("r+b") as file:
            for at in places:
                file.seek(at)
                file.write(struct.pack("<HHII", 256, 4, 1, 1_500_000_000))
        with pytest.raises(ScanReaderError):
            read_warned(path)[0][:]
