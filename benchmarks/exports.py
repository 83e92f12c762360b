"""Measures the exports beside a plain write of as many bytes, and beside what users take instead.

    pip install '.[zarr,nwb,dask]'                # and in an environment of its own: pip install '.[nwb,neuroconv]'
    python benchmarks/exports.py --folder /somewhere/with/10/GB

One recording of noise, and every job until its files are on the disk. Figures are the best of several runs, taken in
turns. What is not installed is left out. Everything is deleted at the end.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile

from scanreader import Scan, read_scan
from scanreader.bridges.npy import to_npy
from scanreader.simulate import Recording

warnings.simplefilter("ignore")
STEP = 64 << 20
Job = Callable[[Path], object]


def peer(name: str):
    """A peer's module, or None where it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        print(f"{name} is left out: {error}", file=sys.stderr)
        return None


def sync(path: Path) -> None:
    for place in [path, *path.rglob("*")] if path.is_dir() else [path]:
        if place.is_file():
            with place.open("r+b") as file:
                os.fsync(file.fileno())


def with_sync(job: Job) -> Job:
    """The job of a peer, which does not wait for the disk by itself."""

    def job_and_sync(path: Path) -> None:
        job(path)
        sync(path)

    return job_and_sync


class Exports:
    def __init__(self, folder: Path, frames: int, times: int) -> None:
        self.folder, self.times = folder, times
        rng = np.random.default_rng(0)
        noise = rng.integers(-2000, 6000, (64, 512, 512), dtype=np.int16)
        pixels = lambda frame, channel: np.roll(noise[frame.number % 64], frame.number * 7 + channel, axis=0)  # noqa: E731
        source = folder / "recording"
        Recording(height=512, width=512, frames_per_slice=frames, channels=(1, 2), pixels=pixels).write(source)
        (self.file,) = source.glob("*.tif")
        self.scan: Scan = read_scan(self.file)
        self.memory = np.concatenate([noise, noise])

    def measure(self, jobs: dict[str, Job]) -> dict[str, float]:
        """Seconds of the quickest of several runs of each job."""
        durations = dict.fromkeys(jobs, np.inf)
        for _ in range(self.times):
            for name, job in jobs.items():
                start = time.perf_counter()
                job(self.folder / "target")
                durations[name] = min(durations[name], time.perf_counter() - start)
                for place in self.folder.glob("target*"):
                    shutil.rmtree(place) if place.is_dir() else place.unlink()
                os.sync()  # nobody pays for another's writes
        return durations

    def table(self, title: str, reference_name: str, jobs: dict[str, Job], nbytes: int) -> None:
        durations = self.measure(jobs)
        print(f"\n{title}: {nbytes / 1e9:.2f} GB of pixels")
        for name, seconds in durations.items():
            speed = nbytes / seconds / 1e9
            print(
                f"{name:42} {speed:6.3f} GB/s  {durations[reference_name] / seconds:6.2f} of {reference_name}",
                flush=True,
            )

    def write_plain(self, path: Path) -> None:
        """Write as many bytes as the scan has, from memory."""
        data, num_left = self.memory.data.cast("B"), self.scan.nbytes
        with path.open("wb") as file:
            while num_left:
                num_left -= file.write(data[:num_left])
            file.flush()
            os.fsync(file.fileno())

    def uncompressed(self) -> None:
        scan = self.scan
        start = datetime(2026, 1, 1, tzinfo=UTC)
        jobs: dict[str, Job] = {
            "a plain write": self.write_plain,
            "to_nwb(compression=None)": lambda p: scan.to_nwb(p, session_start_time=start, compression=None),
            "to_suite2p": lambda p: scan.to_suite2p(p),
            "to_ome_zarr(compression=None)": lambda p: scan.to_ome_zarr(p, compression=None),
            "to_ome_tiff": lambda p: scan.to_ome_tiff(p),
            "tifffile, imread and imwrite": with_sync(self.tifffile),
        }
        if peer("zarr"):
            jobs["zarr, the same shards"] = with_sync(self.zarr)
        if peer("suite2p.io"):
            jobs["suite2p's converter"] = with_sync(self.suite2p)
        self.table("Uncompressed", "a plain write", jobs, scan.nbytes)

    def tifffile(self, path: Path) -> None:
        data = tifffile.imread(self.file).reshape(-1, 2, 512, 512)
        tifffile.imwrite(path, data, ome=True, metadata={"axes": "TCYX"}, photometric="minisblack")

    def zarr(self, path: Path) -> None:
        zarr = peer("zarr")
        data = tifffile.imread(self.file).reshape(-1, 2, 1, 512, 512)
        zarr.create_array(path, data=data, shards=(64, 2, 1, 512, 512), chunks=(2, 1, 1, 512, 512), compressors=None)

    def suite2p(self, path: Path) -> None:
        """Its binary files from the same TIFF, as its run_s2p writes them."""
        suite2p, io = peer("suite2p"), peer("suite2p.io")
        our_settings = {
            "data_path": [str(self.file.parent)],
            "save_path0": str(path),
            "input_format": "tif",
            "nplanes": 1,
            "nchannels": 2,
            "keep_movie_raw": False,
        }
        db = {**suite2p.default_db(), **our_settings}
        db["fast_disk"] = db.get("fast_disk") or str(path)
        files, first_files = io.utils.get_file_list(db)
        db |= {"file_list": files, "first_files": first_files}
        dbs = io.utils.init_dbs(db)
        with ExitStack() as stack:
            opened = [
                [stack.enter_context(open(plane_db[key], "wb")) for plane_db in dbs]
                for key in ("reg_file", "reg_file_chan2")
            ]
            io.tiff_to_binary(dbs, suite2p.default_settings(), *opened)

    def compressed(self) -> None:
        if not peer("neuroconv"):
            return
        source = self.folder / "part"
        source.mkdir()
        Recording(height=512, width=512, frames_per_slice=200, pixels=self._noise).write(source)
        (file,) = source.glob("*.tif")
        part = read_scan(file)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        jobs: dict[str, Job] = {
            "neuroconv": with_sync(lambda p: self.neuroconv(file, p)),
            "to_nwb": lambda p: part.to_nwb(p, session_start_time=start),
        }
        self.table("NWB, compressed, same filter and chunks", "neuroconv", jobs, part.nbytes)

    @staticmethod
    def _noise(frame, channel: int) -> np.ndarray:
        return np.random.default_rng(frame.number).integers(-2000, 6000, (512, 512), dtype=np.int16)

    def neuroconv(self, file: Path, path: Path) -> None:
        from neuroconv.datainterfaces import ScanImageImagingInterface
        from neuroconv.tools.nwb_helpers import get_default_backend_configuration, make_nwbfile_from_metadata
        from neuroconv.tools.nwb_helpers import configure_and_write_nwbfile

        interface = ScanImageImagingInterface(file_path=str(file), channel_name="Channel 1")
        metadata = interface.get_metadata()
        metadata["NWBFile"]["session_start_time"] = datetime(2026, 1, 1, tzinfo=UTC)
        nwbfile = make_nwbfile_from_metadata(metadata)
        interface.add_to_nwbfile(nwbfile, metadata)
        configuration = get_default_backend_configuration(nwbfile, backend="hdf5")
        for dataset_settings in configuration.dataset_configurations.values():
            if len(dataset_settings.full_shape) == 3:
                dataset_settings.chunk_shape = (2, 512, 512)
                dataset_settings.buffer_shape = (200, 512, 512)
                dataset_settings.compression_method, dataset_settings.compression_options = "gzip", {"shuffle": True}
        configure_and_write_nwbfile(nwbfile, nwbfile_path=str(path), backend_configuration=configuration)

    def views(self) -> None:
        """The zarr view, and dask's processes, beside our own read in one process."""
        import dask
        import distributed
        import zarr

        scan = self.scan
        field = zarr.open_group(scan.to_zarr_store(), mode="r")["field_0"]
        durations = time_alternately({"scan[:]": lambda: scan[:], "view": lambda: field[:]}, 3 * self.times)
        print(f"\nzarr's view, chunks {field.chunks}: {durations['view'] / durations['scan[:]']:.2f} × scan[:]")
        corners = scan.to_dask(0).map_blocks(lambda b: b[:1, :1, :1, :1], dtype=scan.dtype, chunks=(1, 1, 1, 1))

        def on_threads() -> None:
            dask.compute(corners, scheduler="threads")

        with (
            distributed.LocalCluster(n_workers=os.cpu_count(), threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            jobs = {"threads": on_threads, "processes": lambda: client.compute(corners).result()}
            durations = time_alternately(jobs, 2 * self.times)
        print(f"dask's processes read at {durations['threads'] / durations['processes']:.2f} of threads")

    def verify(self) -> None:
        """`Scan.verify` beside reading the recording, and the target by its own library, one after the other."""
        import h5py
        import zarr

        scan, start = self.scan, datetime(2026, 1, 1, tzinfo=UTC)
        formats: dict[str, tuple[Job, Job]] = {
            "NWB, uncompressed": (
                lambda p: scan.to_nwb(p, session_start_time=start, compression=None),
                lambda p: [h5py.File(p)[f"acquisition/TwoPhotonSeriesField0Channel{c}/data"][:] for c in (0, 1)],
            ),
            "NWB": (
                lambda p: scan.to_nwb(p, session_start_time=start),
                lambda p: [h5py.File(p)[f"acquisition/TwoPhotonSeriesField0Channel{c}/data"][:] for c in (0, 1)],
            ),
            "suite2p": (
                lambda p: scan.to_suite2p(p),
                lambda p: [np.fromfile(f, "<i2") for f in sorted(p.rglob("*.bin"))],
            ),
            "OME-Zarr, uncompressed": (
                lambda p: scan.to_ome_zarr(p, compression=None),
                lambda p: zarr.open_array(p / "0", mode="r")[:],
            ),
            "OME-Zarr": (lambda p: scan.to_ome_zarr(p), lambda p: zarr.open_array(p / "0", mode="r")[:]),
            "OME-TIFF": (lambda p: scan.to_ome_tiff(p), lambda p: tifffile.imread(p)),
            "NumPy": (lambda p: to_npy(scan, p), lambda p: np.load(p)),
        }
        for name, (write, read_export) in formats.items():
            path = self.folder / "target"
            write(path)
            jobs: dict[str, Callable[[], object]] = {
                "both": lambda load=read_export, path=path: (scan[:], load(path)),
                "verify": lambda path=path: scan.verify(path),
            }
            warm_durations = time_alternately(jobs, self.times)
            cold_durations = time_alternately(jobs, self.times, prepare=lambda path=path: evict([self.file, path]))
            ratios = [
                f"{durations['both'] / durations['verify']:5.2f} ({durations['verify']:.2f} s)"
                for durations in (warm_durations, cold_durations)
            ]
            print(f"verify, {name:24} {ratios[0]} of reading both from memory, {ratios[1]} from the disk", flush=True)
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def graph(self) -> None:
        """As many chunks as 10^7 frames of 512 x 512 pixels have, of 10,000 files."""
        source = self.folder / "many"
        Recording(height=4, width=4, frames_per_slice=200_000, frames_per_file=20).write(source)
        scan = read_scan(source)
        for is_traced in (False, True):
            if is_traced:
                tracemalloc.start()
            start = time.perf_counter()
            array = scan.to_dask(0, frames=3)
            seconds = time.perf_counter() - start
            if not is_traced:
                print(f"\ngraph of {array.numblocks[3]:,} chunks of 10,000 files: {seconds:.2f} s", end=", ")
        print(f"{tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB")
        tracemalloc.stop()


def evict(paths: list[Path]) -> None:
    """Drop files from the page cache, where the system can do that."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in paths:
        for place in [path, *path.rglob("*")] if path.is_dir() else [path]:
            if place.is_file():
                with place.open("r+b") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def time_alternately(
    jobs: dict[str, Callable[[], object]], times: int, prepare: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Seconds of the quickest of several runs of each job, taken in turns."""
    durations = dict.fromkeys(jobs, np.inf)
    for _ in range(times):
        for name, job in jobs.items():
            prepare()
            start = time.perf_counter()
            job()
            durations[name] = min(durations[name], time.perf_counter() - start)
    return durations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=["uncompressed", "compressed", "views", "verify", "graph"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        exports = Exports(Path(name), arguments.frames, arguments.times)
        for part in arguments.only:
            getattr(exports, part)()


if __name__ == "__main__":
    main()
