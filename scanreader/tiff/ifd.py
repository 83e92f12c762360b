"""IFDs of a TIFF, as they are stored in the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
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
END_OF_CODES = 348  # tags that say something about pixels are below
MAX_STRIPS = 1 << 20
TEXT_STEP = 16 << 20  # bytes of text that are read at a time


class Flavour(NamedTuple):
    """Kind of TIFF: its byte order, and whether it is a BigTIFF."""

    order: str
    is_big: bool

    @property
    def count_size(self) -> int:
        """Bytes of the number of entries, at the start of an IFD."""
        return 8 if self.is_big else 2

    @property
    def entry_size(self) -> int:
        """Bytes of an entry of an IFD: tag, type, number of values, value field."""
        return 20 if self.is_big else 12

    @property
    def offset_size(self) -> int:
        """Bytes of an offset, and of the value field of an entry."""
        return 8 if self.is_big else 4

    @property
    def value_at(self) -> int:
        """Where in an entry its value field begins."""
        return self.entry_size - self.offset_size

    @property
    def word(self) -> str:
        """The struct code of an offset."""
        return self.order + ("Q" if self.is_big else "I")


class Tag(NamedTuple):
    """One entry of an IFD."""

    kind: int
    length: int
    at: int
    """Where the entry's value field is, in bytes from the IFD's start."""
    value: bytes


@dataclass(frozen=True, eq=False)
class Ifd:
    """One IFD, parsed; values outside its entries are not read. Equal bytes give the same object, mostly."""

    tags: dict[int, Tag]
    next_ifd: int
    next_at: int
    data: bytes
    problem: str
    """What is odd about its tags, though some programs write them so; '' if nothing is."""
    contradiction: str
    """Why it cannot be that of a page, although its description may be read; '' if nothing is wrong."""


class BadIfdError(ValueError):
    """Bytes are not an IFD, or not one of a page.

    Attributes
    ----------
    following : int or None
        Where the IFD says that the next one is; None if these bytes are not an IFD.
    """

    def __init__(self, problem: str, next_ifd: int | None = None) -> None:
        super().__init__(problem)
        self.next_ifd = next_ifd


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
        return Flavour(order, is_big=False), struct.unpack(order + "I", start[4:8])[0]
    if order and kind == 43 and len(start) == 16:
        return Flavour(order, is_big=True), struct.unpack(order + "Q", start[8:16])[0]
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
    if file.parsed_ifds is not None:
        ifd: Ifd | None = file.parsed_ifds.get(at)
        if ifd is None:
            ifd = file.parsed_ifds[at] = _parse_ifd(file, flavour, at)
        return ifd
    return _parse_ifd(file, flavour, at)


def _parse_ifd(file: OpenFile, flavour: Flavour, at: int) -> Ifd:
    head = flavour.count_size
    data = file.read(at, 512)
    if len(data) < head:
        raise BadIfdError("the file ends")
    count = struct.unpack_from(flavour.order + ("Q" if flavour.is_big else "H"), data)[0]
    if not 0 < count <= MAX_ENTRIES:
        raise BadIfdError(f"{count} entries")
    next_at = head + flavour.entry_size * count
    size = next_at + flavour.offset_size
    if len(data) < size:
        data = file.read(at, size)
    if len(data) < size:
        raise BadIfdError("the file ends")
    points_beyond = struct.unpack_from(flavour.word, data, next_at)[0] >= file.size
    return _parse_entries(data[:size], flavour, count, points_beyond=points_beyond)


@lru_cache(maxsize=16)  # the first and last pages of a recording's files mostly have equal IFDs: benchmarks/many.py
def _parse_entries(data: bytes, flavour: Flavour, count: int, *, points_beyond: bool) -> Ifd:
    """Parse the bytes of an IFD.

    Raises
    ------
    BadIfdError
        If there are zeros among its entries.
    """
    head, entry = flavour.count_size, flavour.entry_size
    next_at = head + entry * count
    form = flavour.order + ("HHQ8s" if flavour.is_big else "HHI4s")
    tags: dict[int, Tag] = {}
    problem, contradiction, last_code = "", "", 0
    value_at = head + flavour.value_at
    for code, kind, number, value in struct.iter_unpack(form, data[head:next_at]):
        if code == 0:
            raise BadIfdError("zeros among its entries")
        if code < last_code or kind not in SIZES:
            problem = problem or _entry_problem(code, kind, last_code)
        if code in tags:
            contradiction = f"tag {code} appears twice"
        else:
            tags[code] = Tag(kind, number, value_at, value)
        value_at += entry
        last_code = code
    next_ifd = struct.unpack_from(flavour.word, data, next_at)[0]
    code, kind = struct.unpack_from(flavour.order + "HH", data, next_at)
    if points_beyond and last_code < code < END_OF_CODES and kind in SIZES:
        contradiction = "it has more entries than it says"  # what should be a pointer is tag and type of an entry
    return Ifd(tags, next_ifd, next_at, data, problem, contradiction)


def _entry_problem(code: int, kind: int, last_code: int) -> str:
    """What is odd about an entry, by itself or after the one before; '' if nothing is."""
    if code < last_code:  # the TIFF specification asks for ascending order
        return f"tag {code} comes after tag {last_code}"
    return "" if kind in SIZES else f"tag {code} is of the unknown type {kind}"


def tag_bytes(file: OpenFile | None, flavour: Flavour, tag: Tag, limit: int | None = None) -> bytes:
    """Return the bytes of a tag's value, at most `limit` of them; a file is needed if they are outside the IFD."""
    size = SIZES.get(tag.kind, 1) * tag.length
    length = size if limit is None else min(size, limit)
    if size <= len(tag.value):
        return tag.value[:length]
    assert file is not None
    return read_text(file, struct.unpack(flavour.word, tag.value)[0], length)


def read_text(file: OpenFile, start: int, size: int) -> bytes:
    """Read up to `size` bytes of text, up to a step of zeros: a file with holes holds less than it claims."""
    text = bytearray()
    while len(text) < size:
        step = file.read(start + len(text), min(size - len(text), TEXT_STEP))
        if not step or (len(step) == TEXT_STEP and not step.strip(b"\0")):
            break
        if len(step) == size:
            return step
        text += step
    return bytes(text)


def tag_numbers(file: OpenFile | None, flavour: Flavour, ifd: Ifd, code: int, default: int = 0) -> tuple[int, ...]:
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
