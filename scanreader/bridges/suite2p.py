"""Scans as suite2p's binary files, a folder for each field, in the layout of suite2p 1.x; older ones read ops.npy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges import is_even
from scanreader.bridges.targets import atomic_path, frame_slices, local_target
from scanreader.errors import DtypeError, ScanIndexError
from scanreader.notices import notify

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress

MOST = 2**15 - 1  # the largest of suite2p's 16-bit integers
NAMES = ("data.bin", "data_chan2.bin")


def to_suite2p(
    scan: ScanLike,
    folder: str | os.PathLike[str],
    *,
    channels: tuple[int, ...] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write the binary files; see `Scan.to_suite2p`."""
    channel_numbers = tuple(range(scan.num_channels))[:2] if channels is None else tuple(channels)
    if not 1 <= len(channel_numbers) <= 2 or any(not 0 <= channel < scan.num_channels for channel in channel_numbers):
        raise ScanIndexError(
            f"suite2p takes one or two channels of {scan.num_channels}, the functional one first, not {channel_numbers}"
        )
    if scan.dtype.kind not in "iu":
        raise DtypeError(f"suite2p's files hold 16-bit integers, not {scan.dtype}: open the recording without dtype")
    if not all(is_even(scan, scan.field_timestamps(i)) for i in range(scan.num_fields)):
        notify([f"frames are not evenly spaced at {scan.fps:.4g} Hz, which is suite2p's fs: see field_timestamps"])
    target = local_target(folder).absolute() / "suite2p"
    with atomic_path(target, overwrite=overwrite) as partial:
        for i in range(scan.num_fields):
            plane = partial / f"plane{i}"
            plane.mkdir(parents=True)
            files = zip(channel_numbers, NAMES, strict=False)
            means = [_write(scan, i, channel, plane / name, progress) for channel, name in files]
            db = _db(scan, i, target, means)
            settings = {"fs": float(scan.fps)}
            np.save(plane / "db.npy", np.array(db, dtype=object), allow_pickle=True)
            np.save(plane / "settings.npy", np.array(settings, dtype=object), allow_pickle=True)
            ops = {**db, **settings, "ops_path": str(target / f"plane{i}" / "ops.npy")}
            np.save(plane / "ops.npy", np.array(ops, dtype=object), allow_pickle=True)


def _write(scan: ScanLike, field: int, channel: int, path: Path, progress: Progress | None) -> npt.NDArray[np.float64]:
    """Write frames of one channel, and return the mean image.

    Raises
    ------
    DtypeError
        If a value is beyond suite2p's 16-bit integers.
    """
    shape = scan.fields[field]
    total = np.zeros((shape.height, shape.width))
    with path.open("wb") as file:
        for frames in frame_slices(scan, field):
            part = scan[field, :, :, channel, frames].transpose(2, 0, 1)
            if not np.can_cast(part.dtype, np.int16) and (part.max() > MOST or part.min() < -MOST - 1):
                raise DtypeError(
                    f"field {field} holds values from {part.min()} to {part.max()}, which suite2p's 16-bit integers "
                    f"(up to {MOST}) would wrap"
                )
            file.write(np.ascontiguousarray(part, np.dtype("<i2")).data)
            total += part.sum(axis=0, dtype=np.float64)
            if progress is not None:
                progress(part.nbytes)
    return total / max(1, scan.num_frames)


def _db(scan: ScanLike, i: int, target: Path, means: list[npt.NDArray[np.float64]]) -> dict[str, Any]:
    """What suite2p stores about a plane, under its own names."""
    field, folder = scan.fields[i], target / f"plane{i}"
    slices = [other.slice_id for other in scan.fields]
    files = [str(name) for name in scan.filenames]
    db: dict[str, Any] = {
        "Ly": field.height,
        "Lx": field.width,
        "nframes": scan.num_frames,
        "frames_per_file": np.array([scan.num_frames]),
        "frames_per_folder": np.array([scan.num_frames]),
        "nplanes": len(set(slices)),
        "nrois": max(slices.count(s) for s in set(slices)),
        "nchannels": len(means),
        "functional_chan": 1,
        "iplane": sorted(set(slices)).index(field.slice_id),
        "iroi": slices[:i].count(field.slice_id),
        "lines": np.concatenate([np.arange(rows.start, rows.stop) for rows in field.yslices]),
        "meanImg": means[0].astype(np.float32),
        "data_path": sorted({str(Path(name).parent) for name in files}),
        "file_list": files,
        "first_files": np.array([True] + [False] * (len(files) - 1)),
        "input_format": "tif",
        "keep_movie_raw": False,
        "save_path0": str(target.parent),
        "save_folder": "suite2p",
        "save_path": str(folder),
        "fast_disk": str(folder),
        "db_path": str(folder / "db.npy"),
        "settings_path": str(folder / "settings.npy"),
        "reg_file": str(folder / NAMES[0]),
        "z": field.depth,
    }
    if len(means) > 1:
        db |= {"meanImg_chan2": means[1].astype(np.float32), "reg_file_chan2": str(folder / NAMES[1])}
    corner = _corner(scan, i)
    if db["nrois"] > 1 and corner is not None:
        db |= {"dy": corner[0], "dx": corner[1]}
    return db


def _corner(scan: ScanLike, i: int) -> tuple[int, int] | None:
    """Offset (y, x) of a field from the first of all, in its own pixels; None if positions are unknown."""
    tops = [field.y - field.height_in_degrees / 2 for field in scan.fields]
    lefts = [field.x - field.width_in_degrees / 2 for field in scan.fields]
    if not all(map(math.isfinite, [*tops, *lefts])):
        return None
    field = scan.fields[i]
    down = (tops[i] - min(tops)) / (field.height_in_degrees / field.height)
    right = (lefts[i] - min(lefts)) / (field.width_in_degrees / field.width)
    return round(down), round(right)
