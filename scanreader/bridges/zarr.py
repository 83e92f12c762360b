"""Scans as zarr without a copy: a store whose chunks are the pages on disk."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

from scanreader.bridges import REAL_DTYPES, check_dtype, field_attributes, flat_attributes
from scanreader.bridges.references import axis_names
from scanreader.chunks import frames_at_a_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    import numpy.typing as npt
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

    from scanreader.bridges import ScanLike

DOCUMENT = "zarr.json"
CHUNK = 4 << 20  # bytes of a chunk, about: for each, zarr takes as long as for 1 to 2 MB of pixels


class ScanStore(Store):  # type: ignore[misc] # zarr is not type-checked
    """A scan as a read-only store of zarr 3: an array of (time, channel, y, x) for each field.

    A chunk is some pages' part of a field; its bytes are read from the recording, and checked, on demand.

    Raises
    ------
    DtypeError
        If zarr has no such dtype.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, scan: ScanLike) -> None:
        check_dtype(scan, (*REAL_DTYPES, "complex64", "complex128"), "zarr")
        super().__init__(read_only=True)
        self.scan = scan

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScanStore) and other.scan.token == self.scan.token

    def __hash__(self) -> int:
        return hash(self.scan.token)

    def __repr__(self) -> str:
        return f"<ScanStore of {self.scan!r}>"

    def with_read_only(self, read_only: bool = False) -> ScanStore:
        """Give the store again; a writable one is not possible.

        Raises
        ------
        NotImplementedError
            If `read_only` is False.
        """
        if not read_only:
            raise NotImplementedError("a recording cannot be written to: with_read_only takes True")
        return ScanStore(self.scan)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Bytes of a key, or a part of them; None if there is no such key."""
        data = await asyncio.to_thread(self._bytes, key)
        return None if data is None else prototype.buffer.from_array_like(_part(data, byte_range))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Bytes of parts of keys."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    def _bytes(self, key: str) -> npt.NDArray[np.uint8] | None:
        field_name, _, document_name = key.partition("/")
        i = self._number(field_name)
        if key == DOCUMENT:
            root_document = {"zarr_format": 3, "node_type": "group", "attributes": flat_attributes(self.scan)}
            return _text(root_document)
        if i is not None and document_name == DOCUMENT:
            return _text(_array(self.scan, i))
        chunk = self._chunk(key)
        if chunk is None:
            return None
        i, number, channel = chunk
        step = _frames_in_a_chunk(self.scan, i)
        frames = slice(number * step, min(self.scan.num_frames, (number + 1) * step))
        pixels = self.scan[i, :, :, channel, frames].transpose(2, 0, 1)
        if len(pixels) < step:  # zarr's chunks all have one size
            pixels = np.concatenate([pixels, np.zeros((step - len(pixels), *pixels.shape[1:]), pixels.dtype)])
        return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)

    def _chunk(self, key: str) -> tuple[int, int, int] | None:
        """Field, number along time, and channel of a chunk's key; None if there is no such chunk."""
        match = re.fullmatch(r"(\w+)/c/(\d+)/(\d+)/0/0", key)
        i = self._number(match[1]) if match else None
        if match is None or i is None:
            return None
        number, channel = int(match[2]), int(match[3])
        exists = number < _chunks(self.scan, i) and channel < self.scan.num_channels
        return (i, number, channel) if exists else None

    def _number(self, name: str) -> int | None:
        match = re.fullmatch(r"field_(0|[1-9]\d*)", name)
        return int(match[1]) if match and int(match[1]) < self.scan.num_fields else None

    async def exists(self, key: str) -> bool:
        """Whether there is such a key."""
        return self._bytes(key) is not None if key.endswith(DOCUMENT) else self._chunk(key) is not None

    def _keys(self, prefix: str = "") -> Iterator[str]:
        """Keys with a prefix; where the prefix names a field, only keys of that are generated."""
        yield from (key for key in [DOCUMENT] if key.startswith(prefix))
        for i in range(self.scan.num_fields):
            name = f"field_{i}/"
            if not (name.startswith(prefix) or prefix.startswith(name)):
                continue
            chunks = (
                f"{name}c/{number}/{channel}/0/0"
                for number in range(_chunks(self.scan, i))
                for channel in range(self.scan.num_channels)
            )
            yield from (key for key in (name + DOCUMENT, *chunks) if key.startswith(prefix))

    async def list(self) -> AsyncIterator[str]:
        """All keys."""
        for key in self._keys():
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """All keys with a prefix."""
        for key in self._keys(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names in a folder of the store."""
        folder = prefix.strip("/")
        if not folder:
            names = [DOCUMENT, *(f"field_{i}" for i in range(self.scan.num_fields))]
        elif self._number(folder) is not None:
            names = [DOCUMENT, "c"]
        else:
            start = f"{folder}/"
            names = list(dict.fromkeys(key[len(start) :].partition("/")[0] for key in self._keys(start)))
        for name in names:
            yield name

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: a recording cannot be written to."""
        del key, value
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse: a recording cannot be written to."""
        del key
        self._check_writable()


def _frames_in_a_chunk(scan: ScanLike, i: int) -> int:
    """Frames in a chunk."""
    frame = scan.fields[i].height * scan.fields[i].width * scan.dtype.itemsize
    return min(frames_at_a_time(frame, CHUNK), max(1, scan.num_frames))


def _chunks(scan: ScanLike, i: int) -> int:
    return math.ceil(scan.num_frames / _frames_in_a_chunk(scan, i))


def _text(document: dict[str, Any]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(document).encode(), np.uint8)


def _part(data: npt.NDArray[np.uint8], byte_range: ByteRequest | None) -> npt.NDArray[np.uint8]:
    if isinstance(byte_range, RangeByteRequest):
        return data[byte_range.start : byte_range.end]
    if isinstance(byte_range, OffsetByteRequest):
        return data[byte_range.offset :]
    return data[-byte_range.suffix :] if isinstance(byte_range, SuffixByteRequest) else data


def _array(scan: ScanLike, i: int) -> dict[str, Any]:
    """Zarr document of a field."""
    field = scan.fields[i]
    chunk_shape = [_frames_in_a_chunk(scan, i), 1, field.height, field.width]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [scan.num_frames, scan.num_channels, field.height, field.width],
        "data_type": scan.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": [0, 0] if scan.dtype.kind == "c" else 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "dimension_names": axis_names(scan, i),
        "attributes": field_attributes(scan, i),
    }
