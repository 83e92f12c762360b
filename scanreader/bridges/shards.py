"""Shards of zarr's arrays, as their bytes lie in a file.

Zarr's own writer copies every pixel twice more, all in one thread (see benchmarks/ome_zarr.py), and does not wait for
the disk. The layout is that of zarr 3's codec "sharding_indexed", with the index behind the chunks: zarr reads it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, BinaryIO

import numcodecs
import numpy as np

from scanreader.chunks import frames_at_a_time

if TYPE_CHECKING:
    import numpy.typing as npt

ABSENT = 2**64 - 1  # place and length of a chunk that lies beyond the array
CACHED = 1 << 20  # bytes of frames that are halved at a time: twice as fast as all at once
LEVEL = 1  # of zstd: 1.2 to 6 times as fast as its default, for 2 to 4 % more bytes (of noise, of a real slow stack)


def write_shard(file: BinaryIO, block: npt.NDArray[Any], chunk: int, chunks: int, *, compress: bool) -> None:
    """Write frames as a shard whose chunks are some frames of one channel each.

    Parameters
    ----------
    file : binary file
    block : array of shape (frames, channels, y, x)
        In C order and little-endian. At the array's end it may be shorter than the shard.
    chunk : int
        Frames in a chunk.
    chunks : int
        Chunks in the shard along time.
    compress : bool
        Whether by zstd.
    """
    zstd = numcodecs.Zstd(level=LEVEL)
    index = np.full((chunks, block.shape[1], 2), ABSENT, np.dtype("<u8"))
    place = 0
    for i in range(math.ceil(len(block) / chunk)):
        for channel in range(block.shape[1]):
            part = np.ascontiguousarray(block[i * chunk : (i + 1) * chunk, channel])
            if len(part) < chunk:
                part = np.concatenate([part, np.zeros((chunk - len(part), *part.shape[1:]), part.dtype)])
            data = zstd.encode(part) if compress else part.data.cast("B")
            file.write(data)
            index[i, channel] = place, len(data)
            place += len(data)
    file.write(numcodecs.CRC32C(location="end").encode(index))


def halved(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Halve the last two axes: each pixel is the mean of 2 x 2, at odd edges of those that are there.

    Means of integers are rounded, halves up.
    """
    tall, wide = block.shape[-2:]
    halves = np.empty((*block.shape[:-2], (tall + 1) // 2, (wide + 1) // 2), block.dtype)
    step = frames_at_a_time(block[:1].nbytes, CACHED)
    for start in range(0, len(block), step):
        halves[start : start + step] = _means(block[start : start + step])
    return halves


def _means(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
    tall, wide = part.shape[-2:]
    beyond = [(0, 0)] * (part.ndim - 2) + [(0, tall % 2), (0, wide % 2)]
    even = np.pad(part, beyond, "edge") if tall % 2 or wide % 2 else part
    whole = part.dtype.kind in "iu"
    holds = np.float64 if not whole else np.int32 if part.dtype.itemsize <= 2 else np.int64
    rows: Any = np.add(even[..., ::2, :], even[..., 1::2, :], dtype=holds)
    total: Any = rows[..., ::2] + rows[..., 1::2]
    return np.asarray((total + 2) >> 2 if whole else total / 4)
