"""A NumPy file, read back by NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges.npy import blocks
from scanreader.bridges.verification.formats import EVERYTHING, Block, Fact, dtype_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike


class Npy:
    """The array of a scan, of shape (fields, y, x, channels, frames)."""

    kind = "a NumPy file"
    library = f"numpy {np.__version__}"

    def __init__(self, path: Path) -> None:
        self._array = np.load(path, mmap_mode="r")
        self._is_expected = False

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say if the array has another shape or dtype."""
        frames, channels, height, width = shape_of(scan, 0)
        expected = ((scan.num_fields, height, width, channels, frames), dtype_of(scan))
        actual = (self._array.shape, self._array.dtype.newbyteorder("="))
        self._is_expected = actual == expected
        if not self._is_expected:
            yield f"the array has shape {actual[0]} and dtype {actual[1]}, not {expected[0]} and {expected[1]}"

    def has(self, field: int, channel: int) -> bool:  # noqa: ARG002 - it is one array
        """Whether the array has the expected shape."""
        return self._is_expected

    def place(self, field: int, channel: int) -> str:
        """Index of the channel."""
        return f"[{field}, :, :, {channel}]"

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Parts of the image with all frames: their pixels are neighbours in the file."""
        _, height, width, channels, frames = self._array.shape
        for key in blocks((1, height, width, channels, frames), scan.dtype.itemsize):
            is_whole = key[1:] == (slice(0, height), slice(0, width))
            rows, columns = (EVERYTHING, EVERYTHING) if is_whole else key[1:]
            yield Block(field, slice(0, channels), slice(0, frames), rows, columns)

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of a part of the image, in all frames."""
        actual = self._array[block.field, block.rows, block.columns, block.channels, block.frames]
        yield "", source, actual.transpose(3, 2, 0, 1)

    def facts(self, scan: ScanLike) -> Iterator[Fact]:  # noqa: ARG002 - a protocol
        """None: it is an array."""
        yield from ()

    def unsaid(self, scan: ScanLike) -> Iterator[str]:  # noqa: ARG002 - a protocol
        """All but pixels."""
        yield "times, places and sizes in µm, names, and the header"

    def close(self) -> None:
        """Nothing: the memory map goes with the array."""
