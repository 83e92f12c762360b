"""Scans as suite2p's binary files, a folder for each field, in the layout of suite2p 1.x; older ones read ops.npy."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.bridges import is_even, notify_moved_pieces, rotated_fields
from scanreader.bridges.kinds import SUITE2P, WRITTEN, digests_of
from scanreader.bridges.safety import local_target
from scanreader.bridges.streams import flushed_early, frame_blocks, in_order
from scanreader.bridges.writing import atomic_path
from scanreader.errors import DtypeError, ScanIndexError, ScanKeyError
from scanreader.keys import abbreviate, as_array
from scanreader.notices import notify

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress
    from scanreader.recording.fields import Field

MOST = 2**15 - 1  # the largest of suite2p's 16-bit integers
FEW = 8  # frames, of which a sum has half the bytes or more
NAMES = ("data.bin", "data_chan2.bin")


def to_suite2p(
    scan: ScanLike,
    folder: str | os.PathLike[str],
    *,
    channels: int | tuple[int, ...] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write the binary files; see `Scan.to_suite2p`."""
    channel_numbers = _first_two_channels(scan) if channels is None else _checked_channels(scan, channels)
    if scan.dtype.kind not in "iu":
        raise DtypeError(
            f"suite2p's files hold 16-bit integers, not {scan.dtype.name}: open the recording without dtype"
        )
    target = local_target(folder).absolute() / "suite2p"
    with atomic_path(target, SUITE2P, sources=scan.filenames, overwrite=overwrite) as partial_path:
        notify(_losses(scan, channels_were_chosen=channels is not None))
        notify_moved_pieces(scan)
        for i in range(scan.num_fields):
            plane = partial_path / f"plane{i}"
            plane.mkdir(parents=True)
            files = zip(channel_numbers, NAMES, strict=False)
            means = [_write(scan, i, channel, plane / name, progress) for channel, name in files]
            db = _db(scan, i, target, means)
            settings = {"fs": float(scan.fps)}
            np.save(plane / "db.npy", np.array(db, dtype=object), allow_pickle=True)
            np.save(plane / "settings.npy", np.array(settings, dtype=object), allow_pickle=True)
            ops = {**db, **settings, "ops_path": str(target / f"plane{i}" / "ops.npy")}
            np.save(plane / "ops.npy", np.array(ops, dtype=object), allow_pickle=True)
        record = {"channels": channel_numbers, "digests": digests_of(partial_path)}
        (partial_path / WRITTEN).write_text(json.dumps(record), "utf-8")


def _first_two_channels(scan: ScanLike) -> tuple[int, ...]:
    return tuple(range(scan.num_channels))[:2]


def _checked_channels(scan: ScanLike, channels: Any) -> tuple[int, ...]:
    """Give the channels that the user chose; a number is one channel.

    Raises
    ------
    ScanKeyError
        If they are not integers.
    ScanIndexError
        If they are not one or two, or there is no such channel.
    """
    choice: Any = (channels,) if isinstance(channels, (int, np.integer)) else channels
    is_sequence = (
        isinstance(choice, (Sequence, np.ndarray)) and not isinstance(choice, (str, bytes)) and np.ndim(choice)
    )
    if not is_sequence or not all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in choice):
        raise ScanKeyError(f"channels must be one or two integers, as channels=(1, 0), not {channels!r}")
    numbers = tuple(map(int, choice))
    if not 1 <= len(numbers) <= 2 or any(not 0 <= number < scan.num_channels for number in numbers):
        raise ScanIndexError(
            f"suite2p takes one or two channels of {scan.num_channels}, from 0, the functional one first, not {numbers}"
        )
    return numbers


def _losses(scan: ScanLike, *, channels_were_chosen: bool) -> Iterator[str]:
    """Say what of a scan suite2p's files do not have."""
    skipped_channels = [] if channels_were_chosen else scan.channel_names[len(_first_two_channels(scan)) :]
    if skipped_channels:
        yield (
            f"suite2p takes two channels: {abbreviate(skipped_channels)} "
            f"{'is' if len(skipped_channels) == 1 else 'are'} skipped; choose others by their index, the functional "
            "one first, as channels=(2, 0)"
        )
    if math.isnan(scan.fps):
        yield "the frame rate is unknown, so suite2p's fs is NaN: see field_timestamps"
    elif not all(is_even(scan, scan.field_timestamps(i)) for i in range(scan.num_fields)):
        yield f"frames are not evenly spaced at {scan.fps:.4g} Hz, which is suite2p's fs: see field_timestamps"
    fields_with_rotation = rotated_fields(scan)
    if fields_with_rotation:
        yield f"suite2p has no rotation: that of {fields_with_rotation} is skipped"


def _write(scan: ScanLike, field: int, channel: int, path: Path, progress: Progress | None) -> npt.NDArray[np.float64]:
    """Write frames of one channel, and return the mean image.

    Raises
    ------
    DtypeError
        If a value is beyond suite2p's 16-bit integers.
    """
    shape = scan.fields[field]
    total = np.zeros((shape.height, shape.width))
    with path.open("wb") as file, flushed_early(path) as count_bytes:
        for block, block_sum in in_order(_Movie(scan, field, channel), frame_blocks(scan, field)):
            file.write(block.data)
            count_bytes(block.nbytes)
            total += block.sum(axis=0, dtype=np.float64) if block_sum is None else block_sum
            if progress is not None:
                progress(block.nbytes)
    return total / max(1, scan.num_frames)


@dataclass(frozen=True)
class _Movie:
    """Reads frames of one channel of a field, of shape (frames, y, x), and sums them up.

    Raises
    ------
    DtypeError
        If a value is beyond suite2p's 16-bit integers.
    """

    scan: ScanLike
    field: int
    channel: int

    def __call__(self, frames: slice) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float64] | None]:
        part = self.scan[self.field, :, :, self.channel, frames].transpose(2, 0, 1)
        if not np.can_cast(part.dtype, np.int16) and (part.max() > MOST or part.min() < -MOST - 1):
            raise DtypeError(
                f"field {self.field} holds values from {part.min()} to {part.max()}, which suite2p's 16-bit integers "
                f"(up to {MOST}) would wrap"
            )
        block_sum = part.sum(axis=0, dtype=np.float64) if len(part) >= FEW else None  # else it is as large as they
        return np.ascontiguousarray(part, np.dtype("<i2")), block_sum


def _db(scan: ScanLike, i: int, target: Path, means: list[npt.NDArray[np.float64]]) -> dict[str, Any]:
    """What suite2p stores about a plane, under its own names."""
    folder = target / f"plane{i}"
    plane = facts_of_plane(scan, i, len(means))
    shares = file_shares(scan, i)
    files = [share.file for share in shares]
    db: dict[str, Any] = {name: value for name, value in plane.items() if name != "fs"} | {
        "meanImg": means[0].astype(np.float32),
        "data_path": sorted({str(Path(name).parent) for name in files}),
        "file_list": files,
        "first_files": np.array([share.begins_bout for share in shares]),
        "input_format": "tif",
        "keep_movie_raw": False,
        "save_path0": str(target.parent),
        "save_folder": "suite2p",
        "save_path": str(folder),
        "fast_disk": str(folder),
        "db_path": str(folder / "db.npy"),
        "settings_path": str(folder / "settings.npy"),
        "reg_file": str(folder / NAMES[0]),
    }
    if len(means) > 1:
        db |= {"meanImg_chan2": means[1].astype(np.float32), "reg_file_chan2": str(folder / NAMES[1])}
    return db


def facts_of_plane(scan: ScanLike, i: int, channels: int) -> dict[str, Any]:
    """Facts of a field under suite2p's names: sizes, rate, place."""
    field = scan.fields[i]
    levels = [(other_field.slice_id, other_field.plane or 0) for other_field in scan.fields]
    own_level = levels[i]
    shares = file_shares(scan, i)
    frames, first_shares = np.array([share.frames for share in shares]), np.flatnonzero([s.begins_bout for s in shares])
    entries: dict[str, Any] = {
        "Ly": field.height,
        "Lx": field.width,
        "fs": float(scan.fps),
        "nframes": scan.num_frames,
        "frames_per_file": frames,
        "frames_per_folder": np.add.reduceat(frames, first_shares),
        "nplanes": len(set(levels)),
        "nrois": max(map(levels.count, set(levels))),
        "nchannels": channels,
        "functional_chan": 1,
        "iplane": sorted(set(levels)).index(own_level),
        "iroi": levels[:i].count(own_level),
        "lines": _lines(field),
        "z": field.depth,
    }
    corner = corner_in_pixels(scan, i)
    if entries["nrois"] > 1 and corner is not None:
        entries |= {"dy": corner[0], "dx": corner[1]}
    return entries


class FileShare(NamedTuple):
    """A file's share of the frames of a field."""

    file: str
    frames: int
    begins_bout: bool
    """Whether a bout begins with it, as a folder does for suite2p."""


def file_shares(scan: ScanLike, i: int) -> list[FileShare]:
    """Split the frames of a field, in order, by the files of their pages.

    By suite2p's rules, each file has a number of frames, and the first file of each folder is marked: a bout is a
    folder. Of a bout whose frames are in the order of its files, files without any are listed, too.
    """
    opened = scan.opened
    places = as_array(opened.frame_places(np.arange(scan.num_frames)))
    pages = opened.layout.page_numbers(scan.fields[i].slice_id, 0, places)
    file_numbers = np.searchsorted(opened.pages.starts, pages, side="right") - 1
    numbers = {name: number for number, name in enumerate(scan.filenames)}
    shares = []
    for bout in scan.bouts:
        bout_file_numbers = file_numbers[bout.frames]
        counts = [(name, int((bout_file_numbers == numbers[name]).sum())) for name in bout.files]
        if (np.diff(bout_file_numbers) < 0).any():
            edges = [0, *(np.flatnonzero(np.diff(bout_file_numbers)) + 1).tolist(), len(bout_file_numbers)]
            counts = [(scan.filenames[bout_file_numbers[a]], b - a) for a, b in itertools.pairwise(edges)]
        shares += [FileShare(name, count, n == 0) for n, (name, count) in enumerate(counts)]
    return shares


def _lines(field: Field) -> npt.NDArray[np.int64]:
    """Row of the page for each row of a field; where pieces are side by side, that of the leftmost."""
    lines = np.full(field.height, -1)
    for piece in sorted(field.pieces, key=lambda piece: piece.output_x, reverse=True):
        lines[piece.output_y : piece.output_y + piece.height] = np.arange(piece.page_y, piece.page_y + piece.height)
    return lines


def corner_in_pixels(scan: ScanLike, i: int) -> tuple[int, int] | None:
    """Offset (y, x) of a field from the first of all, in its own pixels; None if positions are unknown."""
    tops = [field.y - field.height_in_degrees / 2 for field in scan.fields]
    lefts = [field.x - field.width_in_degrees / 2 for field in scan.fields]
    if not all(map(math.isfinite, [*tops, *lefts])):
        return None
    field = scan.fields[i]
    y_offset = (tops[i] - min(tops)) / (field.height_in_degrees / field.height)
    x_offset = (lefts[i] - min(lefts)) / (field.width_in_degrees / field.width)
    return round(y_offset), round(x_offset)
