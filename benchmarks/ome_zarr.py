"""Measures to_ome_zarr beside a plain write of as many bytes, both until they are on the disk, uncompressed.

    pip install '.[zarr]'
    python benchmarks/ome_zarr.py --folder /somewhere/with/6/GB

Figures are the best of several runs, taken in turns. "zarr's own writer" is the same shards written by zarr-python from
as many threads, each synced too: what scanreader/bridges/shards.py is instead of. Everything is deleted at the end.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import zarr

from scanreader import Scan, read_scan
from scanreader.simulate import Recording

STEP = 64 << 20
WORKERS = 3


def write_plain(scan: Scan, path: Path) -> None:
    """Write as many bytes as the scan has, from memory."""
    data = np.random.default_rng(0).integers(0, 1000, STEP // 2, dtype=np.int16)
    with path.open("wb") as file:
        num_left = scan.nbytes
        while num_left:
            num_left -= file.write(data.data.cast("B")[:num_left])
        file.flush()
        os.fsync(file.fileno())


def ours(compression: str | None, levels: int = 0) -> Callable[[Scan, Path], None]:
    return lambda scan, path: scan.to_ome_zarr(path, compression=compression, levels=levels, workers=WORKERS)


def theirs(scan: Scan, path: Path) -> None:
    """The same shards by zarr's own writer."""
    field = scan.fields[0]
    step = STEP // (field.height * field.width * scan.num_channels * 2)
    array = zarr.create_array(
        path,
        shape=(scan.num_frames, scan.num_channels, 1, field.height, field.width),
        shards=(step, scan.num_channels, 1, field.height, field.width),
        chunks=(2, 1, 1, field.height, field.width),
        dtype="<i2",
        compressors=None,
        config={"write_empty_chunks": True},
    )

    def write_block(start: int) -> None:
        frames = slice(start, min(scan.num_frames, start + step))
        array[frames] = scan[0, :, :, :, frames].transpose(3, 2, 0, 1)[:, :, None]
        with (path / "c" / str(start // step) / "0" / "0" / "0" / "0").open("r+b") as file:
            os.fsync(file.fileno())

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(write_block, range(0, scan.num_frames, step)))


def measure(job: Callable[[Scan, Path], None], scan: Scan, path: Path) -> tuple[float, float]:
    """Seconds, and seconds of all processors."""
    usage_before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    job(scan, path)
    seconds, usage_after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.sync()  # nobody pays for another's writes
    return seconds, usage_after.ru_utime + usage_after.ru_stime - usage_before.ru_utime - usage_before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        Recording(height=512, width=512, frames_per_slice=arguments.frames, channels=(1, 2)).write(folder / "recording")
        scan = read_scan(folder / "recording")
        jobs = {
            "plain write": write_plain,
            "to_ome_zarr, uncompressed": ours(None),
            "zarr's own writer, uncompressed": theirs,
            "to_ome_zarr, zstd": ours("zstd"),
            "to_ome_zarr, uncompressed, 3 levels": ours(None, 3),
        }
        best_times = dict.fromkeys(jobs, (np.inf, np.inf))
        for _ in range(arguments.times):
            for job_name, job in jobs.items():
                best_times[job_name] = tuple(map(min, best_times[job_name], measure(job, scan, folder / "target")))
        print(f"{scan.nbytes / 1e9:.1f} GB of pixels, {WORKERS} workers, {os.cpu_count()} processors")
        for job_name, (seconds, cpu) in best_times.items():
            speed, ratio = scan.nbytes / seconds / 1e9, best_times["plain write"][0] / seconds
            print(f"{job_name:38} {speed:5.2f} GB/s  {ratio:5.2f} of a plain write  {cpu:5.1f} s of processors")


if __name__ == "__main__":
    main()
