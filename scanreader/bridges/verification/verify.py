"""The comparison of a target with the recording that it was written from."""

from __future__ import annotations

import contextlib
import struct
import tokenize
import zipfile
import zlib
from collections import defaultdict
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.bridges.kinds import HDF5, TIFF, WRITTEN_TIFFS
from scanreader.bridges.safety import local_target
from scanreader.bridges.streams import in_c_order, in_order
from scanreader.bridges.verification.formats import Block, blocks_of_each_channel
from scanreader.bridges.verification.left_out import LeftOut, pages_left_out, pixels_left_out
from scanreader.bridges.verification.receipt import receipt_beside, write_receipt
from scanreader.bridges.verification.results import Difference, Verification
from scanreader.errors import ScanReaderError, UnreadableTargetError
from scanreader.extras import import_extra
from scanreader.notices import listening, notify

try:
    from isal.isal_zlib import crc32  # 8 times as fast as zlib's
except ImportError:  # it comes with the extra nwb
    from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress
    from scanreader.bridges.verification.formats import Target

ZARR = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
"""Files of which each folder of zarr's, of version 3 or 2, has at least one."""
UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError, EOFError, struct.error),
    *(ArithmeticError, AssertionError, ImportError, MemoryError, SystemError, SyntaxError, tokenize.TokenError),
    *(zipfile.BadZipFile, UnpicklingError, zlib.error),
)
"""What libraries raise when a file is damaged; hdmf's own error is turned into one of them."""
MOST = 100
"""Differences of a kind that are listed one by one."""
MOST_SPOTS = 5000
"""Frames that differ, of which more is kept than their number."""


def verify(scan: ScanLike, target: Any, *, receipt: bool = True, progress: Progress | None = None) -> Verification:
    """Compare a target with a scan; see `Scan.verify`."""
    path = local_target(target).absolute()
    place = receipt_beside(path) if receipt else None
    notes: list[str] = []
    with listening(notes.append), contextlib.closing(_open(path)) as opened_target:
        with _typed_errors(path):
            problems = [Difference("files", sentence) for sentence in opened_target.problems(scan)]
        pixels = _Comparison(scan, opened_target)
        for i in range(scan.num_fields):
            pixels.compare(i, progress)
        try:
            fact_differences = [
                Difference("facts", str(fact)) for fact in opened_target.facts(scan) if not fact.is_equal
            ]
        except ScanReaderError:
            raise
        except UNREADABLE as error:
            fact_differences = [
                Difference("facts", f"the times and places cannot be read from the target: {_reason(error)}")
            ]
        differences = (
            *_first_differences(problems),
            *_first_differences([*pixels.differences()], pixels.num_further),
            *_first_differences(fact_differences),
        )
        left_out = (
            *pages_left_out(scan),
            *pixels_left_out(scan),
            *(
                LeftOut(loss, f"there is no place for it in {opened_target.kind}")
                for loss in opened_target.unsaid(scan)
            ),
            *(LeftOut("what could not be read", note) for note in dict.fromkeys(notes)),
        )
        result = Verification(
            path, opened_target.kind, opened_target.library, pixels.num_pixels, differences, left_out, place
        )
        if place is not None:
            write_receipt(place, scan, result, opened_target, pixels.digests)
    notify(notes)
    return result


def _first_differences(differences: list[Difference], num_further: int = 0) -> list[Difference]:
    num_further += max(0, len(differences) - MOST)
    if not num_further:
        return differences
    subject = differences[0].what
    return [*differences[:MOST], Difference(subject, f"… and {num_further:,} further differences in {subject}")]


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


@contextlib.contextmanager
def _typed_errors(path: Path) -> Iterator[None]:
    """Say that a target cannot be read; errors of our own, e.g. of a damaged recording, stay as they are."""
    try:
        yield
    except ScanReaderError:
        raise
    except UNREADABLE as error:
        raise UnreadableTargetError(f"{str(path)!r} cannot be read back: {_reason(error)}") from error


def _open(path: Path) -> Target:
    """Open a target by what it is.

    Raises
    ------
    UnreadableTargetError
        If it cannot be opened, or is of no format that is written.
    MissingExtraError
        If the library that reads it is not installed.
    """
    with _typed_errors(path):
        return _target(path)


def _target(path: Path) -> Target:
    if not path.exists():
        raise UnreadableTargetError(f"{str(path)!r} does not exist")
    if path.is_dir():
        if (path / "suite2p").is_dir() or (path / "plane0").is_dir():
            from scanreader.bridges.verification.suite2p import Suite2p  # noqa: PLC0415 - rarely needed

            return Suite2p(path / "suite2p" if (path / "suite2p").is_dir() else path)
        if (path / WRITTEN_TIFFS).is_file():
            from scanreader.bridges.verification.tiff import TiffFolder  # noqa: PLC0415 - rarely needed

            return TiffFolder(path)
        if not any((path / name).is_file() for name in ZARR):
            raise UnreadableTargetError(
                f"{str(path)!r} is a folder without zarr.json, so it is no OME-Zarr, and none of the other folders "
                "that can be verified: suite2p's, and a file for each field and channel (--tiff). Files for each "
                "plane (--per-plane) or field (--per-field) are verified one by one, each with its part of the scan"
            )
        import_extra("zarr", "zarr")
        from scanreader.bridges.verification.ome_zarr import OmeZarr  # noqa: PLC0415 - an extra

        return OmeZarr(path)
    if not path.is_file():
        raise UnreadableTargetError(f"{str(path)!r} is neither a file nor a folder")
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"\x89HDF") and HDF5.is_own(path):
        from scanreader.bridges.verification.hdf5 import Hdf5  # noqa: PLC0415 - an extra

        return Hdf5(path)
    if start.startswith(b"\x89HDF"):
        import_extra("pynwb", "nwb")
        from scanreader.bridges.verification.nwb import Nwb  # noqa: PLC0415 - an extra

        return Nwb(path)
    if start.startswith(b"\x93NUMPY"):
        from scanreader.bridges.verification.npy import Npy  # noqa: PLC0415 - rarely needed

        return Npy(path)
    if start.startswith((b"II", b"MM")) and TIFF.is_own(path):
        from scanreader.bridges.verification.tiff import PlainTiff  # noqa: PLC0415 - rarely needed

        return PlainTiff(path)
    if start.startswith((b"II", b"MM")):
        from scanreader.bridges.verification.ome_tiff import OmeTiff  # noqa: PLC0415 - rarely needed

        return OmeTiff(path)
    raise UnreadableTargetError(
        f"{str(path)!r} begins with {start!r}, so it is none of the formats that can be verified: OME-TIFF, TIFF, "
        "OME-Zarr, NWB, HDF5, NumPy, and suite2p's folders"
    )


# ------------------------------------------------------------------------------- pixels


class Spot(NamedTuple):
    """A frame that differs, and the first pixel that does."""

    copy: str
    field: int
    channel: int
    frame: int
    pixels: int
    """How many pixels differ."""
    first_pixel: tuple[int, int]
    """Row and column."""
    expected: Any
    actual: Any


class Task(NamedTuple):
    """A block, and what to do with it."""

    block: Block
    is_compared: bool
    is_digested: bool


class Outcome(NamedTuple):
    """What a task found."""

    block: Block
    digests: npt.NDArray[np.uint32] | None
    """Of shape (frames, channels)."""
    spots: list[Spot]
    error: str
    """Why the target could not be read; '' if it could."""
    num_pixels: int
    """Number of pixels."""
    nbytes: int


class _Comparison:
    """Compares the pixels of all fields, and keeps the digests of the source."""

    def __init__(self, scan: ScanLike, target: Target) -> None:
        self._scan, self._target = scan, target
        self.digests = [np.zeros((scan.num_frames, scan.num_channels), np.uint32) for _ in scan.fields]
        """CRC-32 of what each page has of a field: its pixels in little-endian order, row after row."""
        self.num_pixels = 0
        self.num_further = 0
        """Frames that differ beyond those that are kept."""
        self._spots: list[Spot] = []
        self._errors: list[str] = []

    def compare(self, i: int, progress: Progress | None) -> None:
        """Compare a field."""
        for outcome in in_order(self._outcome, self._tasks(i)):
            if outcome.digests is not None:
                self.digests[i][outcome.block.frames, outcome.block.channels] = outcome.digests
            room = max(0, MOST_SPOTS - len(self._spots))
            self._spots += outcome.spots[:room]
            self.num_further += len(outcome.spots[room:])
            self._errors += [outcome.error] if outcome.error else []
            self.num_pixels += outcome.num_pixels
            if progress is not None and outcome.nbytes:
                progress(outcome.nbytes)

    def _tasks(self, i: int) -> Iterator[Task]:
        """Blocks to compare, and those of channels that the target does not have, or not frame by frame."""
        channels = [c for c in range(self._scan.num_channels) if self._target.has(i, c)]
        digested_channels: set[int] = set()
        for block in self._target.blocks(self._scan, i) if channels else ():
            own_channels = range(block.channels.start, block.channels.stop)
            if set(own_channels) <= set(channels):
                yield Task(block, is_compared=True, is_digested=block.is_whole)
                digested_channels |= set(own_channels) if block.is_whole else set()
        for block in blocks_of_each_channel(self._scan, i):
            if block.channels.start not in digested_channels:
                yield Task(block, is_compared=False, is_digested=True)

    def _outcome(self, task: Task) -> Outcome:
        """Compare a block, in a thread."""
        block = task.block
        key = (block.field, block.rows, block.columns, block.channels, block.frames)
        source = in_c_order(self._scan[key].transpose(3, 2, 0, 1))
        digests = _digests(source) if task.is_digested else None
        spots: list[Spot] = []
        error, count = "", 0
        if task.is_compared:
            try:
                for copy, expected, actual in self._target.pairs(block, source):
                    spots += _spots(block, copy, expected, actual)
                    count += expected.size
            except UNREADABLE as reason:
                frames_in_words = f"frames {block.frames.start} to {block.frames.stop - 1} of field {block.field}"
                error = f"{frames_in_words} cannot be read from the target: {_reason(reason)}"
        return Outcome(block, digests, spots, error, count, source.nbytes if task.is_compared else 0)

    def differences(self) -> Iterator[Difference]:
        """Say which frames differ, in what, and whether they are another frame of the recording."""
        yield from (Difference("pixels", error) for error in self._errors)
        for number, spot in enumerate(_joined_spots(self._spots)):
            copy = f", {spot.copy}" if spot.copy else ""
            place_in_words = f"field {spot.field}, channel {spot.channel}, frame {spot.frame}{copy}"
            other_frame = self._other_frame(spot) if number < MOST and not spot.copy else None
            if other_frame is not None:
                yield Difference("pixels", f"{place_in_words} is frame {other_frame} of the recording")
                continue
            pixels = f"{spot.pixels:,} pixel{' differs' if spot.pixels == 1 else 's differ'}"
            pixel_in_words = (
                f"{spot.actual} instead of {spot.expected} in row {spot.first_pixel[0]}, column {spot.first_pixel[1]}"
            )
            yield Difference("pixels", f"{place_in_words}: {pixels}, first {pixel_in_words}")

    def _other_frame(self, spot: Spot) -> int | None:
        """The frame of the recording that the target has in the place of another; None if it is none."""
        frame_slice, channel = slice(spot.frame, spot.frame + 1), slice(spot.channel, spot.channel + 1)
        block = Block(spot.field, channel, frame_slice)
        source = np.ascontiguousarray(self._scan[spot.field, :, :, channel, frame_slice].transpose(3, 2, 0, 1))
        try:
            _, expected, actual = next(self._target.pairs(block, source))
        except UNREADABLE:
            return None
        digest = _digests(np.ascontiguousarray(actual, expected.dtype))[0, 0]
        frames = np.flatnonzero(self.digests[spot.field][:, spot.channel] == digest)
        return int(frames[0]) if len(frames) else None


def _digests(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """CRC-32 of each image of an array (frames, channels, y, x)."""
    little_endian = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    numbers = [[crc32(image.reshape(-1).view(np.uint8)) for image in frame] for frame in little_endian]
    return np.array(numbers, np.uint32).reshape(little_endian.shape[:2])


def _spots(block: Block, copy: str, expected: npt.NDArray[Any], actual: npt.NDArray[Any]) -> list[Spot]:
    """Frames of a block that differ in any bit."""
    expected_bits, actual_bits = _bits(expected), _bits(actual.astype(expected.dtype, copy=False))
    if expected_bits.shape == actual_bits.shape and np.array_equal(expected_bits, actual_bits):
        return []
    if expected_bits.shape != actual_bits.shape:
        raise ValueError(f"{actual.shape} pixels were found, {expected.shape} were expected")
    is_different = (expected_bits != actual_bits).reshape(*expected.shape, -1).any(axis=-1)
    spots = []
    for t, c in np.argwhere(is_different.any(axis=(2, 3))).tolist():
        y, x = map(int, np.unravel_index(int(is_different[t, c].argmax()), is_different.shape[2:]))
        spots.append(
            Spot(
                copy,
                block.field,
                (block.channels.start or 0) + c,
                (block.frames.start or 0) + t,
                int(np.count_nonzero(is_different[t, c])),
                ((block.rows.start or 0) + y, (block.columns.start or 0) + x),
                expected[t, c, y, x],
                actual[t, c, y, x],
            )
        )
    return spots


def _bits(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pixels as unsigned integers, so that NaN is equal to itself, and 0 is not -0; complex ones are two each."""
    if pixels.dtype == np.longdouble and pixels.dtype.itemsize > 8:  # which has bytes without meaning
        return np.asarray(np.nan_to_num(pixels, nan=0.0))
    return in_c_order(pixels).view(f"u{min(8, pixels.dtype.itemsize)}")


def _joined_spots(spots: list[Spot]) -> list[Spot]:
    """One spot for each frame, whose parts may have been compared one by one; in the order of the recording."""
    by_frame: dict[tuple[Any, ...], list[Spot]] = defaultdict(list)
    for spot in spots:
        by_frame[spot.field, spot.channel, spot.frame, spot.copy].append(spot)
    return [
        min(parts, key=lambda part: part.first_pixel)._replace(pixels=sum(part.pixels for part in parts))
        for _, parts in sorted(by_frame.items())
    ]
