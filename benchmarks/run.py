"""Measures scanreader beside its peers and a plain memory copy, and prints one table.

    pip install . scanimage-tiff-reader roiextractors
    python benchmarks/run.py --folder /somewhere/with/12/GB --markdown docs/benchmarks.md

Every figure is a ratio of the best of several in one run on one machine. Recordings are written by
scanreader.simulate, true to the byte, and are kept in the folder for the next run.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import pickle
import platform
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile
from scanreader import read_scan
from scanreader.files import local
from scanreader.simulate import Recording, roi, scanfield
from scanreader.tiff.index import index_file

warnings.simplefilter("ignore")
Row = tuple[str, str, str, bool]


def best_seconds(job: Callable[[], object], times: int = 5) -> float:
    """Seconds of the quickest of several runs."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        job()
        durations.append(time.perf_counter() - start)
    return min(durations)


def time_alternately(jobs: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Seconds of the quickest run of each of some jobs, taken in turns: the machine's moods meet all of them."""
    durations = dict.fromkeys(jobs, float("inf"))
    for _ in range(times):
        for name, job in jobs.items():
            durations[name] = min(durations[name], best_seconds(job, 1))
    return durations


def peer(name: str):
    """A peer's module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


SITR, ROIEXTRACTORS = peer("ScanImageTiffReader"), peer("roiextractors")


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, []

    def recording(self, name: str, **facts) -> list[Path]:
        folder = self.folder / name
        if not (folder / "done").exists():
            print(f"  writing {name} …", file=sys.stderr)
            Recording(**facts).write(folder)
            (folder / "done").touch()
        return sorted(folder.glob("*.tif"))

    def row(self, job: str, ours: str, ratio: float, goal: float, *, at_most: bool = False, unit: str = "") -> None:
        is_good = ratio <= goal if at_most else ratio >= goal
        sign = "≤" if at_most else "≥"
        self.rows.append((job, ours, f"{ratio:.3g} {unit}".strip(), f"{sign} {goal:g}", is_good))
        print(f"{'ok  ' if is_good else 'MISS'} {job}: {ours}; {ratio:.3g} {unit} ({sign} {goal:g})", flush=True)

    # ------------------------------------------------------------------ opening

    def opening(self) -> None:
        (path,) = self.recording("60k_64", height=64, width=64, frames_per_slice=60_000)
        ours = best_seconds(lambda: read_scan(path).shape, 9)

        def theirs() -> int:
            with tifffile.TiffFile(path) as tif:
                return len(tif.pages)

        self.row(
            "open, 60,000 pages of 64×64", f"{ours * 1e3:.2f} ms", best_seconds(theirs, 3) / ours, 50, unit="× tifffile"
        )
        if SITR:

            def index() -> object:
                with SITR.ScanImageTiffReader(str(path)) as reader:
                    return reader.shape()

            self.row("", "", best_seconds(index, 2) / ours, 300, unit="× ScanImageTiffReader")
        if ROIEXTRACTORS:
            seconds = best_seconds(lambda: ROIEXTRACTORS.ScanImageImagingExtractor(file_path=path), 1)
            self.row("", "", seconds / ours, 1, unit="× roiextractors")
        few_pages = self.recording("1k_4", height=4, width=4, frames_per_slice=1000)
        many_pages = self.recording("1M_4", height=4, width=4, frames_per_slice=1_000_000)
        a, b = (best_seconds(lambda f=f: read_scan(f[0]).shape, 9) for f in (few_pages, many_pages))
        self.row("open, 1,000,000 pages against 1,000", f"{b * 1e3:.2f} ms", b / a, 2, at_most=True, unit="×")
        single_file = self.recording("1_file", frames_per_slice=500, frames_per_file=500)
        files = self.recording("200_files", frames_per_slice=100_000, frames_per_file=500)
        seconds_a_file = (
            best_seconds(lambda: read_scan(files).shape, 5) - best_seconds(lambda: read_scan(single_file[0]).shape, 5)
        ) / 199
        self.row(
            "open, each of 200 files of 500 pages beyond the first",
            "",
            seconds_a_file * 1e3,
            1,
            at_most=True,
            unit="ms",
        )
        scan = read_scan(many_pages[0])
        size = len(pickle.dumps(scan))
        seconds = best_seconds(lambda: pickle.loads(pickle.dumps(scan)))
        self.row("pickle a scan of 1,000,000 pages", f"{size} B", seconds * 1e3, 1, at_most=True, unit="ms")
        growth = (len(pickle.dumps(read_scan(files))) - len(pickle.dumps(read_scan(single_file[0])))) / 199
        self.row("", "", growth, 200, at_most=True, unit="B for each further file")
        code = "import time, {0}; a = time.perf_counter(); import {1}; print(time.perf_counter() - a)"
        run = [sys.executable, "-c", code.format("numpy, tifffile", "scanreader")]
        seconds = min(float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(7))
        self.row("import, beyond numpy and tifffile", "", seconds * 1e3, 30, at_most=True, unit="ms")

    # ------------------------------------------------------------------ reading

    def reading(self) -> None:
        files = self.recording(
            "2x512", height=512, width=512, frames_per_slice=2000, channels=(1, 2), frames_per_file=1000
        )
        scan = read_scan(files)
        source = np.ones(scan.size, np.int16)
        half = scan.size // 2

        def copy() -> None:
            out = np.empty_like(source)
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda s: np.copyto(out[s], source[s]), (slice(half), slice(half, None))))

        def by_tifffile() -> None:
            for file in files:
                with tifffile.TiffFile(file) as tif:
                    tif.asarray(key=slice(None))

        def by_sitr() -> None:
            for file in files:
                with SITR.ScanImageTiffReader(str(file)) as reader:
                    reader.data()

        jobs = {"ours": lambda: scan[:], "copy": copy, "tifffile": by_tifffile}
        if SITR:
            jobs["ScanImageTiffReader"] = by_sitr
        durations = time_alternately(jobs, 7)
        our_seconds = durations["ours"]
        rate = f"{scan.nbytes / our_seconds / 1e9:.1f} GB/s"
        self.row(
            "read all, 4,000 pages of 512×512", rate, durations["copy"] / our_seconds, 0.8, unit="of a memory copy"
        )
        for name, goal in (("tifffile", 2), ("ScanImageTiffReader", 2.5)):
            if name in durations:
                self.row("", "", durations[name] / our_seconds, goal, unit=f"× {name}")
        float_scan = read_scan(files, dtype=np.float32)
        self.row(
            "read all as float32",
            "",
            our_seconds / best_seconds(lambda: float_scan[:], 3),
            0.4,
            unit="of the plain read",
        )
        self._frames(scan, files[0], source.reshape(4000, 512, 512))
        self._fancy(scan)
        self._fields()
        del source
        self._memory(files)

    def _frames(self, scan, file: Path, source: np.ndarray) -> None:
        """Random frames, each dropped before the next is asked for."""
        frames = np.random.default_rng(0).integers(0, 500, 300).tolist()

        def read_frames(read_frame: Callable[[int], object]) -> Callable[[], None]:
            def job() -> None:
                for i in frames:
                    read_frame(i)

            return job

        jobs = {"ours": read_frames(lambda i: scan[0, :, :, 0, i]), "copy": read_frames(lambda i: source[2 * i].copy())}
        with tifffile.TiffFile(file) as tif:
            list(tif.pages)
            jobs["tifffile"] = read_frames(lambda i: tif.asarray(key=2 * i))
            if SITR:
                reader = SITR.ScanImageTiffReader(str(file))
                jobs["ScanImageTiffReader"] = read_frames(lambda i: reader.data(2 * i, 2 * i + 1))
            durations = {name: seconds / 300 for name, seconds in time_alternately(jobs, 25).items()}
        job, overhead = "random single frames of 512×512", (durations["ours"] - durations["copy"]) * 1e6
        self.row(job, f"{durations['ours'] * 1e6:.0f} µs", overhead, 60, at_most=True, unit="µs beyond a copy")
        for name in list(jobs)[2:]:
            self.row("", "", durations[name] / durations["ours"], 1.5, unit=f"× {name}")

    def _fancy(self, scan) -> None:
        rng = np.random.default_rng(1)
        rows, columns, frames = (rng.permutation(n)[:k] for n, k in ((512, 256), (512, 256), (2000, 500)))
        fancy_seconds = best_seconds(lambda: scan[0, rows, columns, [1, 0], frames], 5)
        slice_seconds = best_seconds(lambda: scan[0, :256, :256, :, :500], 5)
        self.row("lists on four axes", "", slice_seconds / fancy_seconds, 0.3, unit="of the slice's rate")

    def _fields(self) -> None:
        rois = tuple(roi(scanfield((3.0 * i, 0.0), (2.0, 2.0), (256, 256))) for i in range(4))
        files = self.recording("4_rois", mode="fast", zs=(0.0, 30.0), flyback=1, volumes=400, rois=rois)
        scan = read_scan(files)
        raw_scan = read_scan(files, raw=True)
        pages_of_slice = np.arange(0, 1200, 3)
        field_seconds = best_seconds(lambda: scan[1], 5)
        page = best_seconds(lambda: raw_scan[0, :, :, 0, pages_of_slice], 5)
        part = scan.fields[1].height / raw_scan.image_height
        self.row(
            "one field of four",
            f"{part:.2f} of the rows",
            field_seconds / page / part,
            1.5,
            at_most=True,
            unit="× its share",
        )

    def _memory(self, files: list[Path]) -> None:
        """Peak of anonymous memory while reading, beyond the result."""
        (trace,) = self.recording("60k_256", height=256, width=256, frames_per_slice=60_000)
        jobs = {
            "read all": (files, {}, "slice(None)"),
            "read as float32": (files, {"dtype": "float32"}, "slice(None)"),
            "one pixel's trace": ([trace], {}, "(0, 30, 30, 0)"),
            "lists": (files, {}, "(0, list(range(0, 512, 3)), [5, 9, 2], 0, list(range(1999, 0, -1)))"),
        }
        for name, (paths, options, key) in jobs.items():
            code = PEAK.format(paths=[str(p) for p in paths], options=options, key=key)
            result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            job = f"peak anonymous memory, {name}"
            self.row(job, "", float(result.stdout), 32, at_most=True, unit="MiB beyond the result")

    def trace(self) -> None:
        (path,) = self.recording("60k_256", height=256, width=256, frames_per_slice=60_000)
        scan = read_scan(path)

        def all_pages() -> None:
            for start in range(0, 60_000, 6000):
                _ = scan[0, :, :, 0, start : start + 6000]

        durations = time_alternately({"pages": all_pages, "first": lambda: read_scan(path)[0, 30, 30, 0]}, 5)
        durations["next"] = best_seconds(lambda: scan[0, 30, 30, 0], 5)
        for name, job in (
            ("first", "one pixel's trace, 60,000 pages of 256×256"),
            ("next", "the next one of the scan"),
        ):
            self.row(
                job,
                f"{durations[name] * 1e3:.1f} ms",
                durations["pages"] / durations[name],
                30,
                unit="× reading the pages",
            )

    def times(self) -> None:
        (path,) = self.recording("60k_64", height=64, width=64, frames_per_slice=60_000)
        jobs = {
            "timestamps": lambda: read_scan(path).timestamps,
            "frame_table": lambda: read_scan(path).frame_table,
        }
        ours = {name: best_seconds(job, 5) for name, job in jobs.items()}
        if ROIEXTRACTORS is None:
            return
        extractor = ROIEXTRACTORS.ScanImageImagingExtractor(file_path=str(path))
        start = time.perf_counter()
        theirs = extractor.get_native_timestamps()
        seconds = time.perf_counter() - start
        assert np.array_equal(np.ravel(theirs), read_scan(path).timestamps[0])
        for name, goal in (("timestamps", 15), ("frame_table", 10)):
            time_text = f"{ours[name] * 1e3:.0f} ms"
            self.row(f"{name} of 60,000 frames", time_text, seconds / ours[name], goal, unit="× roiextractors")

    def uneven(self) -> None:
        (path,) = self.recording("60k_galvo", height=64, width=64, frames_per_slice=60_000, resonant=False)
        index = index_file(path)
        ours = best_seconds(lambda: read_scan(path).shape, 5)

        def theirs() -> int:
            with tifffile.TiffFile(path) as tif:
                return len(tif.pages)

        job = "open, 60,000 uneven pages (galvo)"
        self.row(
            job, f"{ours * 1e3:.1f} ms, {len(index.runs)} runs", best_seconds(theirs, 3) / ours, 5, unit="× tifffile"
        )
        scan = read_scan(path)
        ours = best_seconds(lambda: scan[:], 3)

        def read_all() -> None:
            with tifffile.TiffFile(path) as tif:
                tif.asarray(key=slice(None))

        self.row("read all of them", f"{ours * 1e3:.0f} ms", best_seconds(read_all, 1) / ours, 5, unit="× tifffile")

    # ------------------------------------------------------------------ cold cache

    def cold(self) -> None:
        if not hasattr(os, "posix_fadvise"):
            return
        files = self.recording(
            "2x512", height=512, width=512, frames_per_slice=2000, channels=(1, 2), frames_per_file=1000
        )
        scan = read_scan(files)
        buffer = bytearray(16 << 20)

        def read_plainly() -> None:
            for file in files:
                with file.open("rb", buffering=0) as f:
                    while f.readinto(buffer):
                        pass

        def time_cold(job: Callable[[], object]) -> float:
            evict(files)
            return best_seconds(job, 1)

        plain_seconds, ours = (
            min(times)
            for times in zip(*[(time_cold(read_plainly), time_cold(lambda: scan[:])) for _ in range(9)], strict=True)
        )
        self.row(
            "cold cache, read all",
            f"{scan.nbytes / ours / 1e9:.2f} GB/s",
            plain_seconds / ours,
            0.9,
            unit="of plain reading",
        )
        (path,) = self.recording("60k_64", height=64, width=64, frames_per_slice=60_000)
        blocks: set[int] = set()
        original = local._read_once

        def count_blocks(file, offset: int, buffers: list[memoryview]) -> int:
            num_bytes = original(file, offset, buffers)
            blocks.update(range(offset // 4096, (offset + num_bytes - 1) // 4096 + 1))
            return num_bytes

        local._read_once = count_blocks
        read_scan(path)
        local._read_once = original
        self.row("cold cache, open 60,000 pages", "", len(blocks), 64, at_most=True, unit="blocks of 4 KiB")

    # ------------------------------------------------------------------ growth

    def growth(self) -> list[str]:
        lines = ["| pages | open (ms) | one frame (µs) |", "|---|---|---|"]
        for count in (1_000, 10_000, 100_000, 1_000_000):
            name = {1_000: "1k_4", 1_000_000: "1M_4"}.get(count, f"{count}_4")
            path = self.recording(name, height=4, width=4, frames_per_slice=count)[0]
            opening_seconds = best_seconds(lambda p=path: read_scan(p).shape, 9)
            scan = read_scan(path)
            frame_seconds = (
                best_seconds(lambda s=scan, n=count: [s[0, :, :, 0, i] for i in range(0, n, n // 100)], 5) / 100
            )
            lines.append(f"| {count:,} | {opening_seconds * 1e3:.2f} | {frame_seconds * 1e6:.0f} |")
        lines += ["", "| files | open (ms) | ms a file | one frame (µs) |", "|---|---|---|---|"]
        for count in (1, 10, 100, 1000):
            paths = self.recording(f"{count}_of_20", frames_per_slice=20 * count, frames_per_file=20)
            opening_seconds = best_seconds(lambda p=paths: read_scan(p).shape, 3)
            scan = read_scan(paths)
            frames = range(0, scan.num_frames, max(1, scan.num_frames // 100))
            frame_seconds = best_seconds(lambda s=scan, w=frames: [s[0, :, :, 0, i] for i in w], 5) / len(frames)
            lines.append(
                f"| {count:,} | {opening_seconds * 1e3:.1f} | {opening_seconds * 1e3 / count:.2f} | {frame_seconds * 1e6:.0f} |"
            )
        return lines


PEAK = """
import threading, time, gc
from scanreader import read_scan
def anonymous():
    with open('/proc/self/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('RssAnon')) / 1024
scan = read_scan({paths}, **{options})
scan[0, 0, 0, 0, 0]
gc.collect()
before, peak, on = anonymous(), [0], [True]
def watch():
    while on[0]:
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.001)
thread = threading.Thread(target=watch); thread.start()
out = scan[{key}]
on[0] = False; thread.join()
print(max(peak[0], anonymous()) - before - out.nbytes / 2**20)
"""


def evict(files: list[Path]) -> None:
    """Drop files from the page cache."""
    for file in files:
        fd = os.open(file, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def machine() -> str:
    names = ["scanreader", "numpy", "tifffile", "scanimage-tiff-reader", "roiextractors"]
    versions = []
    for name in names:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} –")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} on {platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Python {platform.python_version()}; {', '.join(versions)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-data"))
    parser.add_argument("--only", nargs="*", default=["opening", "reading", "trace", "times", "uneven", "cold"])
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    bench = Bench(arguments.folder)
    print(machine())
    for part in arguments.only:
        getattr(bench, part)()
    growth = bench.growth() if arguments.growth else []
    print("\n".join(growth))
    if arguments.markdown:
        text = arguments.markdown.read_text("utf-8") if arguments.markdown.exists() else "<!-- table -->\n"
        head = text.split("<!-- table -->")[0]
        table = ["| job | scanreader | measured | must be | |", "|---|---|---|---|---|"]
        table += [f"| {a} | {b} | {c} | {d} | {'✓' if e else '**missed**'} |" for a, b, c, d, e in bench.rows]
        parts = [head + "<!-- table -->", "", machine() + ".", "", *table, "", "## How cost grows", "", *growth]
        arguments.markdown.write_text("\n".join(parts).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
