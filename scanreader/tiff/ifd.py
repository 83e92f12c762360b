"""IFDs of a TIFF, as they are stored in the file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import FileFormatError

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, DESCRIPTION = 256, 257, 258, 259, 262, 266, 270
STRIP_OFFSETS, SAMPLES, STRIP_COUNTS, SOFTWARE, ARTIST = 273, 277, 279, 305, 315
PREDICTOR, TILES, SAMPLE_FORMAT = 317, (322, 323, 324, 325), 339

SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
MAX_ENTRIES = 4096  # no program writes nearly as many; more means that these bytes are not an IFD
MAX_STRIPS = 1 << 20


class Flavour(NamedTuple):
    """Kind of TIFF: its byte order, and whether it is a BigTIFF."""

    order: str
    big: bool

    @property
    def count_size(self) -> int:
        """Bytes of the number of entries, at the start of an IFD."""
        return 8 if self.big else 2

    @property
    def entry_size(self) -> int:
        """Bytes of an entry of an IFD: tag, type, number of values, value field."""
        return 20 if self.big else 12

    @property
    def offset_size(self) -> int:
        """Bytes of an offset, and of the value field of an entry."""
        return 8 if self.big else 4

    @property
    def value_at(self) -> int:
        """Where in an entry its value field begins."""
        return self.entry_size - self.offset_size

    @property
    def word(self) -> str:
        """The struct code of an offset."""
        return self.order + ("Q" if self.big else "I")


class Tag(NamedTuple):
    """One entry of an IFD."""

    kind: int
    length: int
    at: int
    """Where the entry's value field is, in bytes from the IFD's start."""
    value: bytes


class Ifd(NamedTuple):
    """One IFD, parsed; values outside its entries are not read."""

    tags: dict[int, Tag]
    next: int
    next_at: int
    data: bytes


class BadIfdError(ValueError):
    """Bytes are not an IFD."""


class NoPageError(FileFormatError):
    """A TIFF holds no complete page: nothing was recorded yet, or it was truncated."""


def read_flavour(file: OpenFile) -> tuple[Flavour, int]:
    """Read the kind of a TIFF, and the offset of its first IFD.

    Raises
    ------
    FileFormatError
        If it is not a TIFF.
    """
    start = file.read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    kind = struct.unpack(order + "H", start[2:4])[0] if order and len(start) >= 8 else 0
    if order and kind == 42:
        return Flavour(order, big=False), struct.unpack(order + "I", start[4:8])[0]
    if order and kind == 43 and len(start) == 16:
        return Flavour(order, big=True), struct.unpack(order + "Q", start[8:16])[0]
    if file.size == 0 or not any(start):
        content = "is empty" if file.size == 0 else "begins with zeros"
        raise NoPageError(f"{file.path!r} is not a TIFF yet: it {content}")
    if 0 < file.size < 16 and (b"II\x2b\0".startswith(start[:4]) or b"II\x2a\0".startswith(start[:4])):
        raise NoPageError(f"{file.path!r} holds no page yet: it has {file.size} bytes")
    raise FileFormatError(f"{file.path!r} is not a TIFF: it begins with the bytes {start[:8].hex(' ')}")


def read_ifd(file: OpenFile, flavour: Flavour, at: int) -> Ifd:
    """Parse the IFD at byte `at`.

    Raises
    ------
    BadIfdError
        If there is no IFD.
    """
    head, entry = flavour.count_size, flavour.entry_size
    data = file.read(at, 512)
    if len(data) < head:
        raise BadIfdError("the file ends")
    count = struct.unpack_from(flavour.order + ("Q" if flavour.big else "H"), data)[0]
    if not 0 < count <= MAX_ENTRIES:
        raise BadIfdError(f"{count} entries")
    next_at = head + entry * count
    size = next_at + flavour.offset_size
    if len(data) < size:
        data = file.read(at, size)
    if len(data) < size:
        raise BadIfdError("the file ends")
    form = flavour.order + ("HHQ8s" if flavour.big else "HHI4s")
    tags = {}
    for i in range(count):
        code, kind, number, value = struct.unpack_from(form, data, head + entry * i)
        if code == 0:
            raise BadIfdError("zeros among its entries")
        tags[code] = Tag(kind, number, head + entry * (i + 1) - len(value), value)
    return Ifd(tags, struct.unpack_from(flavour.word, data, next_at)[0], next_at, data[:size])


def tag_bytes(file: OpenFile, flavour: Flavour, tag: Tag, limit: int | None = None) -> bytes:
    """Return the bytes of a tag's value, wherever they are in the file; at most `limit` of them."""
    size = SIZES.get(tag.kind, 1) * tag.length
    length = size if limit is None else min(size, limit)
    if size <= len(tag.value):
        return tag.value[:length]
    return file.read(struct.unpack(flavour.word, tag.value)[0], length)


def tag_numbers(file: OpenFile, flavour: Flavour, ifd: Ifd, code: int, default: int = 0) -> tuple[int, ...]:
    """Return the values of an integer tag; the default if it is missing.

    Raises
    ------
    BadIfdError
        If it holds anything else, or more values than a page can have strips.
    """
    tag = ifd.tags.get(code)
    if tag is None:
        return (default,)
    if tag.kind not in CODES or not 0 < tag.length <= MAX_STRIPS:
        raise BadIfdError(f"tag {code} does not hold integers")
    data = tag_bytes(file, flavour, tag)
    if len(data) < SIZES[tag.kind] * tag.length:
        raise BadIfdError(f"the values of tag {code} are outside of the file")
    return struct.unpack(f"{flavour.order}{tag.length}{CODES[tag.kind]}", data)
