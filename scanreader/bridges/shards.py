"""Shards of zarr's arrays as bytes of a file.

Zarr's own writer copies every pixel twice more, all in one thread (see benchmarks/ome_zarr.py), and does not wait for
the disk. The layout is that of zarr 3's codec "sharding_indexed", with the index after the chunks.
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
    """Write frames as a shard whose chunks hold several frames of one channel and plane.

    Parameters
    ----------
    file : binary file
    block : array of shape (frames, channels, z, y, x)
        In C order and little-endian. At the array's end it may be shorter than the shard.
    chunk : int
        Frames in a chunk.
    chunks : int
        Chunks in the shard along time.
    compress : bool
        Whether to compress, by zstd.
    """
    zstd = numcodecs.Zstd(level=LEVEL)
    index = np.full((chunks, *block.shape[1:3], 2), ABSENT, np.dtype("<u8"))
    place = 0
    for i, channel, z in np.ndindex(math.ceil(len(block) / chunk), *block.shape[1:3]):
        part = np.ascontiguousarray(block[i * chunk : (i + 1) * chunk, channel, z])
        if len(part) < chunk:
            part = np.concatenate([part, np.zeros((chunk - len(part), *part.shape[1:]), part.dtype)])
        data = zstd.encode(part) if compress else part.data.cast("B")
        file.write(data)
        index[i, channel, z] = place, len(data)
        place += len(data)
    file.write(numcodecs.CRC32C(location="end").encode(index))


def halve(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Halve the last two axes: each pixel is the mean of 2 x 2 pixels, or of 1 or 2 at the end of an odd axis.

    Means of integers are rounded, halves up.
    """
    height, width = block.shape[-2:]
    halves = np.empty((*block.shape[:-2], (height + 1) // 2, (width + 1) // 2), block.dtype)
    step = frames_at_a_time(block[:1].nbytes, CACHED)
    for start in range(0, len(block), step):
        halves[start : start + step] = _means(block[start : start + step])
    return halves


def _means(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = part.shape[-2:]
    padding = [(0, 0)] * (part.ndim - 2) + [(0, height % 2), (0, width % 2)]
    even_part = np.pad(part, padding, "edge") if height % 2 or width % 2 else part
    is_integer = part.dtype.kind in "iu"
    sum_dtype = np.float64 if not is_integer else np.int32 if part.dtype.itemsize <= 2 else np.int64
    rows: Any = np.add(even_part[..., ::2, :], even_part[..., 1::2, :], dtype=sum_dtype)
    total: Any = rows[..., ::2] + rows[..., 1::2]
    return np.asarray((total + 2) >> 2 if is_integer else total / 4)
