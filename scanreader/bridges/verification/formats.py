"""What the verification knows of a format: where its pixels are, and what it says of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from scanreader.bridges import rotated_fields
from scanreader.bridges.streams import frame_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from scanreader.bridges import ScanLike

RELATIVE = 1e-12
"""Relative difference of two equal numbers: some are divided and multiplied on their way through a format."""
ABSOLUTE = 1e-9  # µm
EVERYTHING = slice(None)


class Block(NamedTuple):
    """A part of a field that is compared at a time."""

    field: int
    channels: slice
    frames: slice
    rows: slice = EVERYTHING
    columns: slice = EVERYTHING

    @property
    def is_whole(self) -> bool:
        """Whether it has all rows and columns."""
        return self.rows == self.columns == EVERYTHING


class Fact(NamedTuple):
    """A number or text that the target says, beside what the recording says."""

    name: str
    expected: Any
    actual: Any
    unit: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether both are equal; numbers but for rounding."""
        return _are_equal(self.expected, self.actual, 0 if self.unit == "s" else ABSOLUTE)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        name, expected, actual = self.name, self.expected, self.actual
        if isinstance(expected, np.ndarray) and isinstance(actual, np.ndarray) and expected.shape == actual.shape:
            pairs = enumerate(zip(expected.ravel().tolist(), actual.ravel().tolist(), strict=True))
            differences = ((i, pair) for i, pair in pairs if not _are_equal(*pair, 0))
            i, (expected, actual) = next(differences)
            name = f"{name}[{i}]"
        actual_words = "missing in the target" if actual is None else f"{_short_text(actual)}{unit} in the target"
        return f"{name} is {actual_words}, {_short_text(expected)}{unit} in the recording"


def _are_equal(expected: Any, actual: Any, tolerance: float) -> bool:
    if isinstance(expected, (np.ndarray, list, tuple)):
        if isinstance(actual, str) or not hasattr(actual, "__len__") or np.shape(actual) != np.shape(expected):
            return False
        if np.asarray(expected).dtype.kind not in "fiu":
            return list(expected) == list(actual)
        return np.allclose(
            expected, np.asarray(actual, float), rtol=RELATIVE if tolerance else 0, atol=tolerance, equal_nan=True
        )
    if isinstance(expected, float) and isinstance(actual, (int, float)):
        is_nan_in_both = math.isnan(expected) and math.isnan(actual)
        return is_nan_in_both or math.isclose(expected, actual, rel_tol=RELATIVE if tolerance else 0, abs_tol=tolerance)
    return bool(expected == actual)


def _short_text(value: Any) -> str:
    text = f"{value:.10g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Target(Protocol):
    """A target that is read back, by the library that its users read it with."""

    kind: str
    """What it is, e.g. ``an OME-TIFF``."""
    library: str
    """What reads it, with its version."""

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say what is missing, or more than expected, among files, images and their sizes."""

    def has(self, field: int, channel: int) -> bool:
        """Whether there are pixels of the expected shape."""

    def place(self, field: int, channel: int) -> str:
        """Say where the pixels of a channel are."""

    def blocks(self, scan: ScanLike, field: int) -> Iterable[Block]:
        """Parts of a field that together are all of it, in an order in which the target is read quickly."""

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Expected and found pixels of a block, (frames, channels, y, x), for each copy that the target has.

        The first value names the copy; '' for the pixels as they were recorded.
        """

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """Times, places in µm, names and texts."""

    def unsaid(self, scan: ScanLike) -> Iterator[str]:
        """What the scan has, and this format has no place for."""

    def close(self) -> None:
        """Close the target's files."""


def blocks_of_all_channels(scan: ScanLike, field: int, multiple: int = 1) -> Iterator[Block]:
    """Blocks of all channels of some frames, for targets in which these are neighbours."""
    for frames in frame_blocks(scan, field, max(1, scan.num_channels), multiple):
        yield Block(field, slice(0, scan.num_channels), frames)


def blocks_of_each_channel(scan: ScanLike, field: int, multiple: int = 1) -> Iterator[Block]:
    """Blocks of one channel, for targets that have the channels apart."""
    for channel in range(scan.num_channels):
        for frames in frame_blocks(scan, field, multiple=multiple):
            yield Block(field, slice(channel, channel + 1), frames)


def shape_of(scan: ScanLike, i: int) -> tuple[int, int, int, int]:
    """(frames, channels, y, x) of a field."""
    field = scan.fields[i]
    return (scan.num_frames, scan.num_channels, field.height, field.width)


def dtype_of(scan: ScanLike) -> np.dtype[Any]:
    """The pixels' dtype, in this machine's byte order."""
    return scan.dtype.newbyteorder("=")


def rate_of(scan: ScanLike) -> float:
    """Frame rate in Hz; NaN if unknown."""
    return float(scan.fps) if math.isfinite(scan.fps) and scan.fps > 0 else math.nan


def rotation_of(scan: ScanLike) -> list[str]:
    """The rotation of fields, if any is rotated, as something that a format does not say."""
    fields_with_rotation = rotated_fields(scan)
    return [f"the rotation of {fields_with_rotation}"] if fields_with_rotation else []
