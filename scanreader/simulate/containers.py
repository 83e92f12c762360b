"""The TIFF files that ScanImage writes, byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

Image = npt.NDArray[Any]

SLOT = 2000  # characters that FPGA loggers reserve for each description; galvo loggers reserve none
TRUNCATED = "<output truncated>"
TRUNCATED_AT = 1982
FLUSH = 4 << 20  # bytes gathered before they are written
FILE_HEAD = 16  # bytes of the BigTIFF header, after which ScanImage's block begins
BLOCK_HEAD = 16  # four numbers: magic number, version, lengths of header and ROIs
BLOCK_MARK = 0x07030301  # the bytes 01 03 03 07


def _round_up(size: int) -> int:
    """Round up to a multiple of 8."""
    return size + -size % 8


class Resolution(NamedTuple):
    """Pixels per cm as ScanImage writes them: numerator over x and over y."""

    x: int = 1 << 20
    y: int = 1 << 20
    numerator: int = 1 << 30


DEFAULT_RESOLUTION = Resolution()


def write_bigtiff(
    path: str | Path,
    header: bytes,
    rois: bytes,
    pages: Iterable[tuple[bytes, Image]],
    *,
    version: int = 4,
    resolution: Resolution = DEFAULT_RESOLUTION,
    slot: int | None = SLOT,
    closed: bool = True,
    holes: bool = False,
) -> None:
    """Write a BigTIFF as ScanImage has since late 2015 (section 2 of the format reference).

    Parameters
    ----------
    path : path
    header, rois : bytes
        The texts of ScanImage's block, each with a NUL at its end; `rois` may be empty.
    pages : iterable of (description, image)
        Descriptions without padding; images of shape (height, width), all of the same shape and dtype.
    version : int
        Version of ScanImage's block: 3 or 4.
    slot : int or None
        Length to which each description is padded with spaces; None for the varying lengths of a galvo logger.
    closed : bool
        Whether the last page is marked as the last; it is not if ScanImage crashed.
    holes : bool
        Write only the first row of each image and leave the rest as a hole (a sparse file), for files larger than a
        disk.
    """
    start = FILE_HEAD + BLOCK_HEAD + len(header) + len(rois)
    ifd = start + start % 8  # ScanImage adds the remainder instead of rounding up to 8
    with Path(path).open("wb") as file:
        file.write(struct.pack("<2s3HQ", b"II", 43, 8, 0, ifd))
        file.write(struct.pack("<4I", BLOCK_MARK, version, len(header), len(rois)))
        file.write(header + rois + bytes(ifd - start))
        last_pointer = _write_records(file, ifd, pages, _BigRecord(header, rois, resolution, slot), holes=holes)
        if closed and last_pointer is not None:
            file.seek(last_pointer)
            file.write(bytes(8))


class _BigRecord:
    """The bytes of a page: IFD, description, pixels."""

    entries, size = 18, 8 + 18 * 20 + 8

    def __init__(self, header: bytes, rois: bytes, resolution: Resolution, slot: int | None) -> None:
        self.header, self.rois, self.resolution, self.slot = header, rois, resolution, slot
        self._ifds: dict[tuple[int, int, int, str], bytes] = {}

    def head(self, position: int, description: bytes, image: Image) -> tuple[bytes, int, int]:
        """Make the bytes before the pixels; returns them, the record's size, and where the next IFD's pointer is."""
        if self.slot is not None:
            if len(description) > self.slot:
                description = description[:TRUNCATED_AT] + TRUNCATED.encode()
            description = description.ljust(self.slot)
        pixels = _round_up(self.size + len(description) + 1)
        stride = _round_up(pixels + image.nbytes)
        kind = (len(description) + 1, *image.shape, image.dtype.str)
        if kind not in self._ifds:
            self._ifds[kind] = self._ifd(len(description) + 1, image)
        head = bytearray(pixels)
        head[: self.size] = self._ifds[kind]
        struct.pack_into("<Q", head, 8 + 5 * 20 + 12, position + self.size)
        struct.pack_into("<Q", head, 8 + 6 * 20 + 12, position + pixels)
        struct.pack_into("<Q", head, self.size - 8, position + stride)
        head[self.size : self.size + len(description)] = description
        return bytes(head), stride, position + self.size - 8

    def _ifd(self, length: int, image: Image) -> bytes:
        height, width = image.shape
        bits, kind = image.dtype.itemsize * 8, 2 if image.dtype.kind == "i" else 1
        x, y, numerator = self.resolution
        artist = 32 + len(self.header) if self.rois else 0
        tags = (
            (256, 3, 1, width),
            (257, 3, 1, height),
            (258, 3, 1, bits),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, length, 0),
            (273, 16, 1, 0),
            (274, 3, 1, 1),
            (277, 3, 1, 1),
            (278, 3, 1, height),
            (279, 16, 1, image.nbytes),
            (282, 5, 1, numerator | x << 32),
            (283, 5, 1, numerator | y << 32),
            (284, 3, 1, 1),
            (296, 3, 1, 3),
            (305, 2, len(self.header), 32),
            (315, 2, max(1, len(self.rois)), artist),
            (339, 3, 1, kind),
        )
        return struct.pack("<Q", len(tags)) + b"".join(struct.pack("<HHQQ", *tag) for tag in tags) + bytes(8)


def write_classic(
    path: str | Path,
    pages: Iterable[tuple[bytes, Image]],
    *,
    appended: bytes = b"",
    signed: bool = True,
    nominal_strip: int = 2048,
    closed: bool = True,
) -> None:
    r"""Write a classic TIFF as ScanImage did before 2015.4 (section 3 of the format reference).

    Parameters
    ----------
    path : path
    pages : iterable of (description, image)
        Descriptions include the header, with a NUL at the end; images of shape (height, width).
    appended : bytes
        ROIs after the last page, as in 5.1 and 2015.0 to 2015.3; their length is written after them.
    signed : bool
        Whether SampleFormat is written; 3.x did not write it.
    nominal_strip : int
        Approximate number of pixels per strip: it differed between builds.
    """
    records = _ClassicRecord(signed, nominal_strip)
    with Path(path).open("wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, 0))
        end, last_pointer = 8, None
        for description, image in pages:
            if last_pointer is None:
                file.seek(4)
                file.write(struct.pack("<I", 8 + image.nbytes))
            record, last_pointer = records.record(end, description, image)
            end += len(record)
            file.write(record)
        if closed and last_pointer is not None:
            file.seek(last_pointer)
            file.write(bytes(4))
            file.seek(end)
        if appended:
            file.write(appended + struct.pack("<I", len(appended)))


class _ClassicRecord:
    """The bytes of a page: pixels, IFD, and the values that do not fit into the IFD."""

    def __init__(self, signed: bool, nominal_strip: int) -> None:
        self.signed, self.nominal_strip = signed, nominal_strip

    def record(self, position: int, description: bytes, image: Image) -> tuple[bytes, int]:
        """Make the bytes; returns them, and where in the file the next IFD's pointer is."""
        height, width = image.shape
        rows = max(1, min(height, round(self.nominal_strip / width)))
        row = width * image.dtype.itemsize
        starts = [position + y * row for y in range(0, height, rows)]
        counts = [(min(y + rows, height) - y) * row for y in range(0, height, rows)]
        entries = 16 if self.signed else 15
        ifd = position + image.nbytes
        text = ifd + 2 + entries * 12 + 4
        arrays = text + len(description), text + len(description) + 4 * len(starts)
        resolutions = arrays[1] + 4 * len(starts)
        if len(starts) == 1:
            arrays, resolutions = (starts[0], counts[0]), text + len(description)
        tags = [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, image.dtype.itemsize * 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, len(description), text),
            (273, 4, len(starts), arrays[0]),
            (274, 3, 1, 1),
            (277, 3, 1, 1),
            (278, 4, 1, rows),
            (279, 4, len(starts), arrays[1]),
            (282, 5, 1, resolutions),
            (283, 5, 1, resolutions + 8),
            (284, 3, 1, 1),
            (296, 3, 1, 2),
        ]
        if self.signed:
            tags.append((339, 3, 1, 2 if image.dtype.kind == "i" else 1))
        resolution = struct.pack("<2I", 72 << 24, 1 << 24)
        strips = struct.pack(f"<{2 * len(starts)}I", *starts, *counts) if len(starts) > 1 else b""
        stride = resolutions + 16 - position
        data = b"".join(
            (
                np.ascontiguousarray(image).tobytes(),
                struct.pack("<H", len(tags)),
                *(struct.pack("<HHII", *tag) for tag in tags),
                struct.pack("<I", (ifd + stride) & 0xFFFFFFFF),
                description,
                strips,
                resolution * 2,
            )
        )
        return data, text - 4


def _write_records(
    file: BinaryIO, position: int, pages: Iterable[tuple[bytes, Image]], records: _BigRecord, *, holes: bool
) -> int | None:
    """Write pages one after the other; returns where the last one's pointer to a next IFD is."""
    last_pointer: int | None = None
    pending_parts: list[bytes] = []
    size = 0
    for description, image in pages:
        head, stride, last_pointer = records.head(position, description, image)
        if holes:
            file.seek(position)
            file.write(head + image[0].tobytes())
        else:
            body = image.tobytes()
            pending_parts += (head, body, bytes(stride - len(head) - len(body)))
            size += stride
            if size > FLUSH:
                file.write(b"".join(pending_parts))
                pending_parts, size = [], 0
        position += stride
    file.write(b"".join(pending_parts))
    if holes:
        file.truncate(position)
    return last_pointer
