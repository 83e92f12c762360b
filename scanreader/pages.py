"""Pages of TIFF files, numbered from 0 across the files; knows TIFF, not ScanImage.

A file is indexed as runs of evenly spaced pages. ScanImage spaces them evenly, so one run is supposed from
the first two IFDs and the file's size, and a handful of pages is probed: opening does not grow with the file.
Where that fails the chain of IFDs is walked, and pages that are not plain bytes are left to tifffile.
Every page that is read is compared with its own IFD as its bytes pass.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import tifffile

from scanreader.errors import (
    ChangedFileError,
    DamagedPageError,
    FileFormatError,
    PathnameError,
    ScanReaderError,
    ScanReaderWarning,
    UnreachableError,
)
from scanreader.files import Identity, OpenFile, is_url, open_file
from scanreader.keys import shifted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scanreader.keys import IndexArray

    Bytes = npt.NDArray[np.uint8]

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, DESCRIPTION = 256, 257, 258, 259, 262, 266, 270
STRIP_OFFSETS, SAMPLES, STRIP_COUNTS, SOFTWARE, ARTIST = 273, 277, 279, 305, 315
PREDICTOR, TILES, SAMPLE_FORMAT = 317, (322, 323, 324, 325), 339
FIXED = (WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PREDICTOR, SAMPLE_FORMAT)

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
MAX_ENTRIES = 4096  # no writer comes near; more means that these bytes are no IFD
MAX_STRIPS = 1 << 20
BLANK = 16  # bytes of zeros at the end of a page's pixels: disks and networks show files by blocks of 512 at least
HEAD = 16 << 10  # bytes that tell files apart whose pages are packed: of the header or the first pixels
STAMPED = 4096  # bytes of the first page that tell recordings apart: its description, with the clock, and its pixels
MOST_PACKED = 1100  # bytes of pixels in one byte of a file: deflate packs 1032 at most

LEAP_FROM = 8  # evenly spaced pages after which the chain is not walked page by page any more
LEAP_PROBES = 16
FEW_LOST = 64  # damaged pages in a row that are looked behind one by one; of more, by doubling steps
FEW_REMOTE = 512  # pages of which a little is asked for at once from a server
FEW_PAGES = 32  # that are checked one by one: 1.9 us each; numpy takes 68 us for any few

TIFFFILE_ERRORS = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    RuntimeError,
    OSError,
    struct.error,
    zlib.error,
)


# ------------------------------------------------------------------ IFDs of a TIFF


class Flavour(NamedTuple):
    """What kind of TIFF: byte order, and 4 or 8 bytes per offset."""

    order: str
    big: bool

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
    """One IFD, parsed; its values are not fetched."""

    tags: dict[int, Tag]
    next: int
    next_at: int
    data: bytes


class BadIfdError(ValueError):
    """These bytes are no IFD."""


class NoPageError(FileFormatError):
    """A TIFF holds no whole page: nothing was recorded yet, or it was cut."""


def read_flavour(file: OpenFile) -> tuple[Flavour, int]:
    """Tell what TIFF a file is, and where its first IFD is.

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
        what = "is empty" if file.size == 0 else "begins with zeros"
        raise NoPageError(f"{file.path!r} is not a TIFF yet: it {what}")
    if 0 < file.size < 16 and (b"II\x2b\0".startswith(start[:4]) or b"II\x2a\0".startswith(start[:4])):
        raise NoPageError(f"{file.path!r} holds no page yet: it has {file.size} bytes")
    what = "is empty" if file.size == 0 else f"begins with the bytes {start[:8].hex(' ')}"
    raise FileFormatError(f"{file.path!r} is not a TIFF: it {what}")


def read_ifd(file: OpenFile, flavour: Flavour, at: int) -> Ifd:
    """Parse the IFD at byte `at`.

    Raises
    ------
    BadIfdError
        If there is none.
    """
    head, entry = (8, 20) if flavour.big else (2, 12)
    data = file.read(at, 512)
    if len(data) < head:
        raise BadIfdError("the file ends")
    count = struct.unpack_from(flavour.order + ("Q" if flavour.big else "H"), data)[0]
    if not 0 < count <= MAX_ENTRIES:
        raise BadIfdError(f"{count} entries")
    next_at = head + entry * count
    size = next_at + (8 if flavour.big else 4)
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
    """Return the bytes of a tag's value, wherever they stand; at most `limit` of them."""
    size = SIZES.get(tag.kind, 1) * tag.length
    wanted = size if limit is None else min(size, limit)
    if size <= len(tag.value):
        return tag.value[:wanted]
    return file.read(struct.unpack(flavour.word, tag.value)[0], wanted)


def tag_numbers(file: OpenFile, flavour: Flavour, ifd: Ifd, code: int, default: int = 0) -> tuple[int, ...]:
    """Return the values of a tag of whole numbers; the default where it is missing.

    Raises
    ------
    BadIfdError
        If it holds anything else, or more than a page can have strips.
    """
    tag = ifd.tags.get(code)
    if tag is None:
        return (default,)
    if tag.kind not in CODES or not 0 < tag.length <= MAX_STRIPS:
        raise BadIfdError(f"tag {code} is not of whole numbers")
    data = tag_bytes(file, flavour, tag)
    if len(data) < SIZES[tag.kind] * tag.length:
        raise BadIfdError(f"the values of tag {code} are outside of the file")
    return struct.unpack(f"{flavour.order}{tag.length}{CODES[tag.kind]}", data)


# ------------------------------------------------------------------- pages in a file


class Form(NamedTuple):
    """Height, width and dtype of a page."""

    height: int
    width: int
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels of a page."""
        return self.height * self.width * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.height} x {self.width} pixels of {np.dtype(self.dtype).name}"


class Template(NamedTuple):
    """What the IFDs of evenly spaced pages have in common, all places counted from the IFD's first byte."""

    start: int
    """Where the bytes that are checked begin: the IFD, or what it points to if that stands before."""
    data: bytes
    """Those bytes, moving values set to 0."""
    mask: bytes
    """255 where a byte must be as in `data`."""
    moves: tuple[tuple[int, str, int], ...]
    """Values that point into the file: place in `data`, numpy's code, and what they are beyond the IFD."""
    next_at: int
    """Place in `data` of the pointer to the next IFD."""
    word: str
    """numpy's code of an offset."""
    pixels: int
    """Where the pixels begin."""

    @property
    def flavour(self) -> Flavour:
        """What kind of TIFF the pages are of, as the code of an offset says."""
        return Flavour(self.word[0], big=self.word[2] == "8")


class Run(NamedTuple):
    """Evenly spaced pages."""

    page: int
    """The first page's number in its file."""
    length: int
    """Number of pages."""
    ifd: int
    """Where the first page's IFD is, in bytes."""
    stride: int
    """Bytes from one IFD to the next."""
    template: Template


class Page(NamedTuple):
    """A page whose pixels stand plainly in the file."""

    form: Form
    template: Template
    ifd: int
    next: int
    end: int
    """The byte behind all that belongs to the page."""


class BytePlaces(NamedTuple):
    """Where the pixels of a field stand in the files."""

    files: IndexArray
    """Number of the file, of shape (frames, channels)."""
    offsets: IndexArray
    """Byte of the field's first pixel in it, of shape (frames, channels)."""
    row_bytes: int
    """Bytes from one row to the next."""
    whole_rows: bool
    """Whether rows follow each other without a gap."""
    dtype: np.dtype[Any]
    """In the files' byte order."""


@dataclass(frozen=True, slots=True)
class FileIndex:
    """Where the pages of one file are."""

    path: str
    size: int
    mtime_ns: int
    form: Form
    num_pages: int
    runs: tuple[Run, ...]
    """Empty if tifffile has to decode the pages."""
    ending: str = ""
    """What is wrong with the file's end, or ''."""
    damage: str = ""
    """What is wrong before that, or ''."""
    inode: int = 0
    stamp: tuple[int, int] = (0, 0)
    """Length and checksum of what stands beside the first IFD: tells growth from another recording."""


def index_file(path: str | os.PathLike[str]) -> FileIndex:
    """Find the pages of a file, in a time that does not grow with it where they are evenly spaced.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    FileFormatError
        If it is not a TIFF, has no page, or its pages are not images of one integer a pixel.
    DamagedPageError
        If its chain of IFDs skips pages.
    """
    path = os.fspath(path)
    if not is_url(path):
        path = str(Path(path).absolute())  # a scan outlives a change of the working folder
    with open_file(path) as file:
        flavour, first = read_flavour(file)
        try:
            page = _read_page(file, flavour, first)
        except BadIfdError as error:
            raise NoPageError(
                f"{file.path!r} holds no page: no IFD at byte {first} ({error}); nothing was recorded or it was cut"
            ) from None
        needed = 0 if page is None else max(page.ifd + _extent(page), page.end)
        if needed > file.size:
            raise NoPageError(
                f"{file.path!r} holds no whole page: the first needs {needed} bytes, the file has {file.size}"
            )
        if page is not None:
            return _even(file, flavour, page) or _walk(file, flavour, page)
    return _index_decoded(path)


def _read_page(file: OpenFile, flavour: Flavour, at: int) -> Page | None:
    """Parse a page; None if its pixels do not stand plainly in one piece."""
    ifd = read_ifd(file, flavour, at)

    def value(code: int, default: int) -> int:
        return tag_numbers(file, flavour, ifd, code, default)[0]

    if STRIP_OFFSETS not in ifd.tags and not any(code in ifd.tags for code in TILES):
        raise BadIfdError("it says nothing of where its pixels are")
    form = _form(file, flavour, ifd)
    unusual = (value(COMPRESSION, 1), value(PREDICTOR, 1), value(FILL_ORDER, 1)) != (1, 1, 1)
    if form is None or unusual or any(code in ifd.tags for code in TILES):
        return None
    offsets = tag_numbers(file, flavour, ifd, STRIP_OFFSETS)
    counts = tag_numbers(file, flavour, ifd, STRIP_COUNTS, form.nbytes)
    ends = [a + n for a, n in zip(offsets, counts, strict=False)]
    if len(offsets) != len(counts) or tuple(ends[:-1]) != offsets[1:] or sum(counts) != form.nbytes:
        return None
    template = _template(file, flavour, ifd, at, offsets[0])
    tail = max(_value_end(flavour, tag) for tag in ifd.tags.values() if tag.at not in _shared(ifd))
    return Page(form, template, at, ifd.next, max(tail, at + len(ifd.data), ends[-1]))


def _shared(ifd: Ifd) -> set[int]:
    """Value fields of texts that all pages share: they say nothing about where a page ends."""
    return {ifd.tags[code].at for code in (SOFTWARE, ARTIST) if code in ifd.tags}


def _value_end(flavour: Flavour, tag: Tag) -> int:
    size = SIZES.get(tag.kind, 1) * tag.length
    return 0 if size <= len(tag.value) else struct.unpack(flavour.word, tag.value)[0] + size


def _form(file: OpenFile, flavour: Flavour, ifd: Ifd) -> Form | None:
    """Form of a page of plain integers; None where tifffile must say."""
    try:
        height, width, bits, samples, kind = (
            tag_numbers(file, flavour, ifd, code, default)
            for code, default in ((LENGTH, 0), (WIDTH, 0), (BITS, 1), (SAMPLES, 1), (SAMPLE_FORMAT, 1))
        )
    except BadIfdError:
        return None
    if samples != (1,) or kind[0] not in (1, 2) or len(bits) != 1 or bits[0] not in (8, 16, 32, 64):
        return None
    if not height[0] or not width[0]:
        return None
    return Form(height[0], width[0], f"{flavour.order}{' ui'[kind[0]]}{bits[0] // 8}")


@lru_cache(maxsize=64)
def _interned(template: Template) -> Template:
    return template


def _template(file: OpenFile, flavour: Flavour, ifd: Ifd, at: int, pixels: int) -> Template:
    """What pages like this one must look like; the list of strips counts in where it stands outside the IFD."""
    tag = ifd.tags[STRIP_OFFSETS]
    size, code = SIZES[tag.kind], flavour.order + f"u{SIZES[tag.kind]}"
    outside = size * tag.length > len(tag.value)
    array_at = struct.unpack(flavour.word, tag.value)[0] - at if outside else tag.at
    start, end = min(0, array_at), max(len(ifd.data), array_at + size * tag.length)
    data = np.frombuffer(file.read(at + start, end - start), np.uint8).copy()
    mask = np.zeros_like(data)
    mask[-start : -start + (8 if flavour.big else 2)] = 255
    inline = ifd.tags[STRIP_COUNTS].length == 1 if STRIP_COUNTS in ifd.tags else False
    for fixed in (*FIXED, STRIP_COUNTS) if inline else FIXED:
        if fixed in ifd.tags:
            last = ifd.tags[fixed].at - start + len(tag.value)
            mask[last - (20 if flavour.big else 12) : last] = 255
    mask[tag.at - start - (12 if flavour.big else 8) : tag.at - start] = 255
    places = [(array_at + i * size - start, code) for i in range(tag.length)]
    if outside:
        places.append((tag.at - start, flavour.order + f"u{len(tag.value)}"))
    moves = tuple((place, c, int(data[place : place + int(c[2])].view(c)[0]) - at) for place, c in places)
    data[mask == 0] = 0
    word = flavour.order + ("u8" if flavour.big else "u4")
    return _interned(Template(start, data.tobytes(), mask.tobytes(), moves, ifd.next_at - start, word, pixels - at))


def _extent(page: Page) -> int:
    """Bytes from a page's IFD to the end of what must be there to read it."""
    t = page.template
    return max(t.pixels + page.form.nbytes, t.start + len(t.data))


def _sound(template: Template, ifds: IndexArray, spans: Bytes, following: IndexArray) -> npt.NDArray[np.bool_]:
    """Tell which pages are what their template says.

    Parameters
    ----------
    ifds : int array of shape (pages,)
        Where their IFDs are.
    spans : uint8 array of shape (pages, bytes)
        What the file holds there, from the template's start on.
    following : int array of shape (pages,)
        Where each should say that the next IFD is; negative where it may say anything.
    """
    if len(ifds) < FEW_PAGES:
        pages = zip(ifds.tolist(), spans, following.tolist(), strict=True)
        return np.array([_is_sound(template, ifd, span.tobytes(), after) for ifd, span, after in pages])
    wrong = np.zeros(len(ifds), np.uint64)
    for place, data, mask in _words(template):
        wrong |= (_column(spans, place, "<u8") ^ data) & mask
    bad = wrong != 0
    for place, code, beyond in template.moves:
        bad |= _column(spans, place, code) != _wrapped(ifds + beyond, code)
    said = _column(spans, template.next_at, template.word)
    bad |= (said != _wrapped(following, template.word)) & (following >= 0)
    return np.asarray(~bad)


def _is_sound(template: Template, ifd: int, span: bytes | bytearray, following: int) -> bool:
    """Tell the same of one page."""
    data, mask, order = _numbers(template)
    if len(span) < len(template.data) or (int.from_bytes(span, "little") ^ data) & mask:
        return False
    places = template.moves
    if following >= 0:
        places = (*places, (template.next_at, template.word, following - ifd))
    for place, code, beyond in places:
        size = int(code[2])
        if int.from_bytes(span[place : place + size], order) != (ifd + beyond) % (1 << 8 * size):
            return False
    return True


@lru_cache(maxsize=64)
def _words(template: Template) -> list[tuple[int, np.uint64, np.uint64]]:
    """The fewest words of 8 bytes that hold all bytes to compare: place, value and mask of each."""
    words, size = [], len(template.data)
    place = template.mask.find(b"\xff")
    while place >= 0:
        at = min(place, size - 8)
        (data,), (mask,) = (np.frombuffer(part, "<u8", 1, at) for part in (template.data, template.mask))
        words.append((at, data, mask))
        place = template.mask.find(b"\xff", at + 8)
    return words


@lru_cache(maxsize=64)
def _numbers(template: Template) -> tuple[int, int, Literal["little", "big"]]:
    order: Literal["little", "big"] = "little" if template.word[0] == "<" else "big"
    return int.from_bytes(template.data, "little"), int.from_bytes(template.mask, "little"), order


def _column(spans: Bytes, place: int, code: str) -> npt.NDArray[Any]:
    """View the same place of each span as a number; a copy of the spans, or of the bytes, takes twice the time."""
    return spans[:, place : place + int(code[2])].view(code)[:, 0]


def _wrapped(offsets: IndexArray, code: str) -> npt.NDArray[Any]:
    """Offsets as a classic TIFF beyond 4 GiB holds them: their lower 32 bits."""
    return offsets.astype(np.uint64).astype(code)


def _even(file: OpenFile, flavour: Flavour, first: Page) -> FileIndex | None:
    """Index the file as one run; None if its pages are not evenly spaced, as far as a few probes tell."""
    stride = first.next - first.ifd
    record = first.end - first.ifd
    if not len(first.template.data) + first.form.nbytes <= stride < record + _extent(first):
        return None  # also where the first page is the last; there may be another page between the first two
    count = max(1, (file.size - first.ifd - _extent(first)) // stride + 1)
    end = first.ifd + count * stride
    template, last = first.template, 0
    for probe in sorted({0, min(1, count - 1), count // 2, max(0, count - 2), count - 1}):
        ifd = first.ifd + probe * stride
        span = file.read(ifd + template.start, len(template.data))
        if not _is_sound(template, ifd, span, ifd + stride if probe < count - 1 else -1):
            return None
        last = struct.unpack_from(flavour.word, span, template.next_at)[0]
    closed = last == 0
    if not closed and last != end % (1 << 8 * int(template.word[2])):
        return None
    if closed and file.size - end >= first.form.nbytes:  # room for a page that the chain may lead to
        return None
    if not closed and _stands_whole(file, flavour, end):  # a last page that is shorter than the others
        return None
    ending = "" if closed else _unfinished(file, end, count)
    stride = stride if count > 1 else 0  # of a last page, the pointer may say anything
    return _made(file, first.form, [Run(0, count, first.ifd, stride, first.template)], ending)


def _stands_whole(file: OpenFile, flavour: Flavour, at: int) -> bool:
    try:
        page = _read_page(file, flavour, at)
    except BadIfdError:
        return False
    return page is None or at + _extent(page) <= file.size


def _unfinished(file: OpenFile, end: int, count: int) -> str:
    left = file.size - end
    rest = f"{left} bytes of a page that is not whole are left out" if left > 0 else "nothing was lost"
    return f"{Path(file.path).name} was not closed by the program that wrote it: {count} whole pages are read, {rest}"


def _walk(file: OpenFile, flavour: Flavour, first: Page, *, leap: bool = True) -> FileIndex:
    """Index the file by following its chain of IFDs, gathering evenly spaced pages into runs.

    Evenly spaced pages are leapt over, unless every single one is to be looked at.
    """
    runs: list[Run] = []
    page: Page | None = first
    name = Path(file.path).name
    seen, number, ending = {first.ifd}, 0, ""
    damage: list[str] = []
    jumps: list[tuple[Page, int]] = []  # pages, and where another stands that their pointers jump over
    while page is not None:
        if page.ifd + _extent(page) > file.size or page.end > file.size:
            ending = _unfinished(file, page.ifd, number)
            break
        _join_run(runs, number, page)
        number += 1
        back = page.next <= page.ifd and any(
            _holds(run, page.next) for run in runs
        )  # pages leapt over are not in `seen`
        if page.next and (page.next in seen or back):
            raise DamagedPageError(
                f"{file.path!r}: page {number - 1} says that the page at byte {page.next} comes next, but that "
                "was read before: the chain of pages runs in a circle"
            )
        if leap and runs[-1].length >= LEAP_FROM and page.next == page.ifd + runs[-1].stride:
            ahead = _leap(file, runs[-1], page)
            runs[-1] = runs[-1]._replace(length=runs[-1].length + ahead)
            number += ahead
            page = page._replace(next=page.next + ahead * runs[-1].stride)
        seen.add(page.next)
        following: Page | None
        try:
            following = _read_page(file, flavour, page.next) if page.next else None
            if page.next and following is None:
                return _index_decoded(file.path)
            why = "marks itself as the last"
        except BadIfdError as error:
            following, why = None, f"points to byte {page.next}, where no page is ({error})"
        behind = None
        if following is None or page.next - page.end >= _extent(page) or page.next < page.ifd:
            behind = _next_in_line(file, flavour, page, runs[-1].stride)
            if behind is not None and any(_holds(run, behind) for run in runs):
                behind = None
        if following is not None and behind is not None and behind != page.next:
            jumps.append((page, behind))
        if following is None and behind is not None:  # the page's pointer is wrong, all else is where it should be
            following = _read_page(file, flavour, behind)
            damage.append(f"page {number - 1} of {name} {why}; the page behind it is read nevertheless")
            runs.append(Run(number, 0, behind, 0, page.template))  # the page before may point anywhere
            seen.add(behind)
        elif following is None and page.next:
            lost, following = _find_behind(file, flavour, runs, page)
            if following is None:
                ending = _left_out(file, page, first, number, why)
                break
            many = f"{lost} pages" if lost > 1 else "a page"
            damage.append(f"{many} of {name} cannot be read, from page {number} on; the pages behind are")
            number += lost
        if following is not None and following.form != first.form:
            raise FileFormatError(
                f"the pages of {file.path!r} differ: page 0 has {first.form}, page {number} has {following.form}"
            )
        page = following
    if not runs:
        raise NoPageError(f"{file.path!r} holds no whole page")
    for page, behind in jumps:
        if not any(_holds(run, behind) for run in runs):
            raise DamagedPageError(
                f"the chain of pages of {file.path!r} skips a page: the page at byte {page.ifd} points to "
                f"byte {page.next}, but another page stands at byte {behind}"
            )
    return _made(file, first.form, [run for run in runs if run.length], ending, "; ".join(damage))


def _left_out(file: OpenFile, page: Page, first: Page, number: int, why: str) -> str:
    """Say what is lost where no page is found at the end of a chain, and none behind."""
    if file.size - page.next < _extent(first):
        return _unfinished(file, page.next, number)
    return f"page {number - 1} of {Path(file.path).name} {why}: the {number} pages before are read"


def _find_behind(file: OpenFile, flavour: Flavour, runs: list[Run], page: Page) -> tuple[int, Page | None]:
    """Find where evenly spaced pages go on behind some that cannot be read, and let the run hold those.

    Returns
    -------
    lost : int
        How many cannot be read.
    page : Page or None
        The first behind them; None if there is none.
    """
    run = runs[-1]
    last = run.ifd + (run.length - 1) * run.stride
    stride = run.stride or page.next - page.ifd
    if stride < _extent(page) or page.next != last + stride:
        return 0, None

    def sound(steps: int) -> bool:
        ifd = last + steps * stride
        return _is_sound(run.template, ifd, file.read(ifd + run.template.start, len(run.template.data)), -1)

    most = (file.size - last - _extent(page)) // stride
    near = range(2, min(most, FEW_LOST) + 1)
    good = next((steps for steps in near if sound(steps)), 0)
    if not good:
        bad = FEW_LOST
        far = [min(most, FEW_LOST * 2**i) for i in range(1, max(1, most // FEW_LOST).bit_length() + 1)]
        for steps in far if most > FEW_LOST else []:
            if sound(steps):
                good = steps
                break
            bad = steps
        while good - bad > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if sound(middle) else (good, middle)
    if not good:
        return 0, None
    runs[-1] = run._replace(stride=stride, length=run.length + good - 1)
    return good - 1, _read_page(file, flavour, last + good * stride)


def _leap(file: OpenFile, run: Run, page: Page) -> int:
    """Count the pages behind one that go on as evenly as its run, by probing ever further and then between.

    A page stands for those before it: were they spaced otherwise, it would not be where it is. What is between
    is checked when it is read.
    """
    t, stride = run.template, run.stride
    good, bad = 0, (file.size - page.ifd - _extent(page)) // stride + 1
    probes = 2 ** np.arange(0, max(1, bad.bit_length()))
    while bad - good > 1:
        probes = probes[(probes > good) & (probes < bad)]
        ifds = page.ifd + probes * stride
        spans = [file.read(ifd + t.start, len(t.data)) for ifd in ifds.tolist()]
        right = np.array(
            [_is_sound(t, ifd, span, ifd + stride) for ifd, span in zip(ifds.tolist(), spans, strict=True)]
        )
        wrong = int(right.argmin()) if not right.all() else len(right)
        good = int(probes[wrong - 1]) if wrong else good
        bad = int(probes[wrong]) if wrong < len(right) else bad
        probes = np.unique(np.linspace(good + 1, bad - 1, LEAP_PROBES).astype(np.int64))
    return good


def _join_run(runs: list[Run], number: int, page: Page) -> None:
    last = runs[-1] if runs else None
    if last is not None and last.length and last.template == page.template:
        step = page.ifd - (last.ifd + (last.length - 1) * last.stride)
        if last.length == 1 and step > 0:
            last = last._replace(stride=step)
        if step == last.stride:
            runs[-1] = last._replace(length=last.length + 1)
            return
    runs.append(Run(number, 1, page.ifd, 0, page.template))


def _next_in_line(file: OpenFile, flavour: Flavour, page: Page, stride: int) -> int | None:
    """Where a page like this one stands behind it, whatever the chain says; None if there is none."""
    pixels_first = max(0, -page.template.pixels)
    places = {page.ifd + stride, page.end + pixels_first, page.end + (page.ifd - page.end) % 8}
    for at in sorted(places):
        if at > page.ifd:
            try:
                found = _read_page(file, flavour, at)
            except BadIfdError:
                continue
            if found is not None and _alike(found, page) and found.ifd + _extent(found) <= file.size:
                return at
    return None


def _holds(run: Run, ifd: int) -> bool:
    """Whether the IFD of one of the run's pages is at a byte."""
    steps, rest = divmod(ifd - run.ifd, run.stride or 1)
    return rest == 0 and 0 <= steps < run.length


def _alike(a: Page, b: Page) -> bool:
    """Whether two pages have the same form and the same tags: pixels may look like an IFD by chance."""
    same_tags = (a.template.mask, a.template.next_at) == (b.template.mask, b.template.next_at)
    return same_tags and a.form == b.form


def _made(file: OpenFile, form: Form, runs: list[Run], ending: str, damage: str = "") -> FileIndex:
    count = runs[-1].page + runs[-1].length
    inode, t = file.identity[1], runs[0].template
    flavour = t.flavour
    if ending and not _is_written(file, flavour, form, runs[-1]):
        count -= 1
        runs = [*runs[:-1], runs[-1]._replace(length=runs[-1].length - 1)]
        runs = [run for run in runs if run.length]
        ending = f"{ending}; the last page is not whole, or ends in zeros, and is left out"
    if not runs:
        raise NoPageError(f"{file.path!r} holds no whole page: the only one ends in zeros, it may not be written yet")
    first = _read_page(file, flavour, runs[0].ifd)
    stamp = _stamp(file, runs[0], form, STAMPED if first is None else first.end - runs[0].ifd)
    return FileIndex(file.path, file.size, file.mtime_ns, form, count, tuple(runs), ending, damage, inode, stamp)


def _is_written(file: OpenFile, flavour: Flavour, form: Form, run: Run) -> bool:
    """Whether a run's last page is whole and does not end in zeros: it may be unwritten."""
    ifd = run.ifd + (run.length - 1) * run.stride
    try:
        page = _read_page(file, flavour, ifd)
    except BadIfdError:
        return False
    size = min(form.nbytes, BLANK)
    end = ifd + run.template.pixels + form.nbytes
    return page is not None and page.end <= file.size and any(file.read(end - size, size))


def _stamp(file: OpenFile, run: Run, form: Form, length: int) -> tuple[int, int]:
    """Length and checksum of the first page: what stands behind its IFD, with the clock, and its first pixels."""
    t = run.template
    behind = max(0, t.start + t.next_at + int(t.word[2]))
    data = file.read(run.ifd + behind, min(STAMPED, max(0, length - behind)))
    pixels = file.read(run.ifd + t.pixels, min(form.nbytes, STAMPED))
    return length, zlib.crc32(pixels, zlib.crc32(data))


@contextlib.contextmanager
def _decoder(file: OpenFile, wrong: type[ScanReaderError], what: str) -> Iterator[tifffile.TiffFile]:
    """Let tifffile read a file; what it cannot do is an error of ours."""
    stream: Any = file.path
    if is_url(file.path):
        from scanreader.remote import Stream  # noqa: PLC0415 - an extra

        stream = io.BufferedReader(Stream(file), 1 << 18)
    try:
        with tifffile.TiffFile(stream) as tif:
            yield tif
    except UnreachableError:
        raise
    except TIFFFILE_ERRORS as error:
        hint = "; pip install imagecodecs" if "imagecodecs" in str(error) else ""
        raise wrong(f"tifffile cannot {what} {file.path!r}: {error}{hint}") from error


def _head(file: OpenFile) -> tuple[int, int]:
    """Length and checksum of how a file begins."""
    data = file.read(0, HEAD)
    return len(data), zlib.crc32(data)


def _index_decoded(path: str | Path) -> FileIndex:
    """Index a file whose pages tifffile has to decode: compressed, tiled, in scattered strips."""
    name = os.fspath(path)
    with open_file(name) as file:
        size, mtime_ns, stamp = file.size, file.mtime_ns, _head(file)
        with _decoder(file, FileFormatError, "read") as tif:
            found = [(page.shape, page.dtype) for page in tif.pages]
            samples = tif.pages.first.samplesperpixel
    shape, dtype = found[0]
    if len(shape) != 2 or samples != 1 or not all(np.ndim(n) == 0 and n > 0 for n in shape):
        raise FileFormatError(
            f"the pages of {name!r} have shape {shape} with {samples} samples a pixel (RGB?); "
            "a recording has one integer a pixel"
        )
    if dtype is None or dtype.kind not in "iu":
        raise FileFormatError(f"the pixels of {name!r} are {dtype}; a recording has integers")
    for number, other in enumerate(found):
        if other != found[0]:
            raise FileFormatError(
                f"the pages of {name!r} differ: page 0 has {shape} {dtype}, page {number} has {other[0]} {other[1]}"
            )
    if math.prod(shape) * dtype.itemsize > MOST_PACKED * size:
        raise FileFormatError(
            f"the pages of {name!r} claim {shape[0]} x {shape[1]} pixels, more than its {size} bytes can hold"
        )
    form = Form(shape[0], shape[1], dtype.newbyteorder("=").str)
    return FileIndex(name, size, mtime_ns, form, len(found), (), stamp=stamp)


@lru_cache(maxsize=8)
def _index_walked(path: str, _size: int, _mtime_ns: int) -> FileIndex:
    """Index a file by its chain alone; kept for the few files whose even spacing turned out to be wrong."""
    with open_file(path) as file:
        flavour, at = read_flavour(file)
        try:
            first = _read_page(file, flavour, at)
        except BadIfdError as error:
            raise DamagedPageError(f"the first page of {path!r} is damaged: {error}") from None
        return _index_decoded(path) if first is None else _walk(file, flavour, first, leap=False)


# ---------------------------------------------------------------- pages of all files

# Tuned on a 2-core machine, warm cache, 512 x 512 int16 pages; see benchmarks/.
FEW_BYTES = 4 << 20  # that a thread copies at a time at least; less is not worth a thread
MOST_BYTES = 128 << 20  # and at most: a cold disk takes 1.2 times as long with pieces of 32 MiB, 2.3 with 16 MiB
ROOM = 2 << 20  # bytes of a thread's own, where pixels cannot go straight to their place
THIN = 8  # a request for less than 1/8 of each page goes through a map: 0.4 to 0.7 of the time of reading
THREADS = min(os.cpu_count() or 1, 8)
MOST_PAGES = 4096  # whose IFDs a thread checks at a time: 1024 makes a trace slower, 8192 holds more memory
MOST_MAPS = 32  # that all scans keep: a process may have 256 files open
MAX_BUFFERS = 1000  # of a vectored read: IOV_MAX is 1024


@dataclass(frozen=True)
class Pages:
    """The pages of the files of a recording, in order."""

    files: tuple[FileIndex, ...]
    fill: float | None = None
    """What pixels of pages that cannot be read are; None if they are an error."""

    @property
    def form(self) -> Form:
        """Height, width and dtype of every page."""
        return self.files[0].form

    @property
    def dtype(self) -> np.dtype[Any]:
        """The pixels' dtype, in this machine's byte order."""
        return np.dtype(self.form.dtype).newbyteorder("=")

    @cached_property
    def starts(self) -> IndexArray:
        """Number of each file's first page, and at the end the number of all pages."""
        return np.cumsum([0, *(file.num_pages for file in self.files)], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getstate__(self) -> dict[str, Any]:
        return {"files": self.files, "fill": self.fill}

    @cached_property
    def _maps(self) -> dict[Identity, Bytes] | None:
        """Maps of files: the next thin read of them does not pay for the page faults again."""
        return {}

    def release(self) -> None:
        """Let go of the maps, and keep none from now on; a read that goes on drops its own at its end."""
        self.__dict__["_maps"] = None

    def read(
        self,
        numbers: IndexArray,
        rows: range | IndexArray,
        columns: range | IndexArray,
        out: npt.NDArray[Any],
    ) -> None:
        """Copy rows and columns of pages into an array.

        Parameters
        ----------
        numbers : int array of shape (pages,)
            The pages, in any order.
        rows, columns : range or int array
            What to take of each page.
        out : array of shape (pages, rows, columns)
            Where to put it.

        Raises
        ------
        DamagedPageError
            If a page's IFD is not what the file's index says, or its bytes cannot be read.
        ChangedFileError
            If a file is not the one that was opened.
        """
        if not out.size:
            return
        crop = _find_crop(rows, columns, self.form)
        share = min(MOST_BYTES, max(FEW_BYTES, out.nbytes // THREADS))
        jobs = self._jobs(numbers, share * len(numbers) // out.nbytes)
        lost: list[str] = []
        tasks = [(self.fill, lost, self.files[file], pages, crop, out[part], self._maps) for file, pages, part in jobs]
        if len(tasks) == 1 or THREADS == 1:
            for task in tasks:
                _read_or_fill(*task)
        else:
            with ThreadPoolExecutor(min(len(tasks), THREADS)) as pool:
                for done in [pool.submit(_read_or_fill, *task) for task in tasks]:
                    done.result()
        if lost:
            warnings.warn(
                f"{len(lost)} page{'s' if len(lost) > 1 else ''} cannot be read and {'are' if len(lost) > 1 else 'is'} "
                f"filled with {self.fill}: {lost[0]}",
                ScanReaderWarning,
                stacklevel=4,
            )

    def _jobs(self, numbers: IndexArray, most: int) -> Iterator[tuple[int, IndexArray, slice]]:
        """Cut a request into pieces of one file and about so many pages each."""
        step = min(max(1, most), MOST_PAGES)
        for file, a, b in _grouped(numbers, self.starts[:-1]):
            for start in range(a, b, step):
                part = slice(start, min(b, start + step))
                yield file, numbers[part] - self.starts[file], part

    def descriptions(self, numbers: IndexArray, limit: int | None = None) -> list[bytes]:
        """Return the ImageDescriptions of pages, at most `limit` bytes of each; b'' where there is none.

        Raises
        ------
        DamagedPageError
            If a page's IFD is not what the file's index says.
        ChangedFileError
            If a file is not the one that was opened.
        """
        found: list[bytes] = []
        for file, a, b in _grouped(numbers, self.starts[:-1]):
            read = _descriptions if self.fill is None else _descriptions_or_none
            found += read(self.files[file], numbers[a:b] - self.starts[file], limit)
        return found

    def places(self, numbers: IndexArray) -> tuple[IndexArray, IndexArray]:
        """Find the bytes of pages; each page is compared with its IFD.

        Parameters
        ----------
        numbers : int array of shape (pages,)

        Returns
        -------
        files : int array of shape (pages,)
            Which file each is in.
        offsets : int array of shape (pages,)
            At which of its bytes the pixels begin.

        Raises
        ------
        FileFormatError
            If pages do not stand plainly in a file.
        DamagedPageError
            If a page's IFD is not what the file's index says.
        ChangedFileError
            If a file is not the one that was opened.
        """
        files, offsets = np.empty_like(numbers), np.empty_like(numbers)
        for file, pages, part in self._jobs(numbers, MOST_PAGES):
            files[part], offsets[part] = file, _pixels_at(self.files[file], pages)
        return files, offsets

    def odd_pages(self) -> Iterator[tuple[str, list[int], str, str]]:
        """Look at the IFD of every page.

        Yields
        ------
        path : str
            A file with pages that are not as its index says.
        pages : list of int
            Their numbers in the file.
        why : str
            Why they cannot be read; '' if they can, by the chain of IFDs.
        mended : str
            What is wrong with that chain; '' if nothing is.
        """
        for index in self.files:
            odd: list[int] = []
            try:
                with reopen(index) as file:
                    data = _mapped(file, None)
                    for run in index.runs:
                        for start in range(0, run.length, MOST_PAGES):
                            pages = np.arange(start, min(run.length, start + MOST_PAGES))
                            good = _sound_of_run(run, pages, _spans(file, data, run, pages))
                            odd += (run.page + pages[~good]).tolist()
                if odd:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # it is given as `mended`
                        walked = _walked_instead(index, odd[0])
                    yield index.path, odd, "", walked.damage
            except UnreachableError:
                raise
            except ScanReaderError as error:
                yield index.path, odd, str(error), ""


def _pixels_at(index: FileIndex, pages: IndexArray) -> IndexArray:
    """The byte at which the pixels of each page begin."""
    if not index.runs:
        raise FileFormatError(
            f"the pages of {index.path!r} are not plain pixels in it: they are compressed or in scattered strips"
        )
    offsets = np.empty_like(pages)
    with reopen(index) as file:
        data = _mapped(file, None)
        for which, a, b in _grouped(pages, [run.page for run in index.runs]):
            run = index.runs[which]
            here = pages[a:b] - run.page
            try:
                _check(run, here, _spans(file, data, run, here))
            except _StrayPageError as error:
                offsets[a:b] = _pixels_at(_walked_instead(index, run.page + error.page), pages[a:b])
            else:
                offsets[a:b] = run.ifd + here * run.stride + run.template.pixels
    return offsets


def _descriptions_or_none(index: FileIndex, pages: IndexArray, limit: int | None) -> list[bytes]:
    """Read descriptions; of pages that cannot be read, b''."""
    try:
        return _descriptions(index, pages, limit)
    except DamagedPageError:
        if len(pages) == 1:
            return [b""]
    middle = len(pages) // 2
    return [text for part in (pages[:middle], pages[middle:]) for text in _descriptions_or_none(index, part, limit)]


def _descriptions(index: FileIndex, pages: IndexArray, limit: int | None) -> list[bytes]:
    if not index.runs:
        return _tags_decoded(index, pages.tolist(), DESCRIPTION, limit)
    if len(pages) < FEW_PAGES:
        return [read_tag(index, page, DESCRIPTION, limit) for page in pages.tolist()]
    if is_url(index.path) and len(pages) > FEW_REMOTE:
        some = (pages[a : a + FEW_REMOTE] for a in range(0, len(pages), FEW_REMOTE))
        return [text for part in some for text in _descriptions(index, part, limit)]
    found: list[bytes] = []
    with reopen(index) as file:
        data = _mapped(file, None)  # descriptions are read once: their map is not kept
        for which, a, b in _grouped(pages, [run.page for run in index.runs]):
            run = index.runs[which]
            try:
                found += _descriptions_of_run(file, data, run, pages[a:b] - run.page, limit)
            except _StrayPageError as error:
                walked = _walked_instead(index, run.page + error.page)
                found += _descriptions(walked, pages[a:b], limit)
    return found


def _tag_of(file: OpenFile, flavour: Flavour, at: int, code: int) -> Tag | None:
    """Find a tag of the page whose IFD is at a byte."""
    try:
        return read_ifd(file, flavour, at).tags.get(code)
    except BadIfdError as error:
        raise DamagedPageError(f"a page of {file.path!r} is damaged, at byte {at}: {error}") from None


def _spans(file: OpenFile, data: Bytes | None, run: Run, pages: IndexArray) -> Bytes:
    """Bytes to check of pages of a run, of shape (pages, bytes)."""
    t = run.template
    if data is not None:
        return _mapped_spans(data, run, _as_slice(_as_range(pages)))
    return _bytes_at(file, run.ifd + pages * run.stride + t.start, len(t.data))


def _descriptions_of_run(
    file: OpenFile, data: Bytes | None, run: Run, pages: IndexArray, limit: int | None
) -> list[bytes]:
    """Descriptions of pages of a run, found by the same entry of each page's IFD, which is checked."""
    t, ifds, spans = run.template, run.ifd + pages * run.stride, _spans(file, data, run, pages)
    _check(run, pages, spans)
    flavour = t.flavour
    tag = _tag_of(file, flavour, int(ifds[0]), DESCRIPTION)
    if tag is None:
        return [b""] * len(pages)
    place, head = tag.at - t.start, 12 if flavour.big else 8
    kind = _column(spans, place - head, flavour.order + "u4")  # of the entry: tag and type
    if (kind != kind[0]).any():
        tags = (_tag_of(file, flavour, at, DESCRIPTION) for at in ifds.tolist())
        return [b"" if tag is None else tag_bytes(file, flavour, tag, limit) for tag in tags]
    sizes = _column(spans, place - head + 4, t.word).astype(np.int64) * SIZES.get(tag.kind, 1)
    starts = _column(spans, place, t.word).astype(np.int64)
    if not flavour.big and file.size > 0xFFFFFFFF:  # the offset's upper bits are those of the page
        starts = ifds + (starts - ifds).astype(np.int32)
    starts = np.where(sizes <= len(tag.value), ifds + tag.at, starts)
    if limit is not None:
        sizes = np.minimum(sizes, limit)
    places = zip(starts.tolist(), sizes.tolist(), strict=True)
    if data is None and file.gathers and len(sizes):
        texts = file.gather(starts.tolist(), int(sizes.max()))
        return [text[:size] for text, size in zip(texts, sizes.tolist(), strict=True)]
    if data is None:
        return [file.read(start, size) for start, size in places]
    view = data.data
    return [view[start : start + size].tobytes() if start >= 0 else b"" for start, size in places]


def read_tag(index: FileIndex, page: int, code: int, limit: int | None = None) -> bytes:
    """Return the bytes of a tag of one page of a file; b'' where there is none.

    Raises
    ------
    DamagedPageError
        If the page's IFD cannot be read.
    """
    if not index.runs:
        return _tags_decoded(index, [page], code, limit)[0]
    run = next(run for run in reversed(index.runs) if run.page <= page)
    at, t = run.ifd + (page - run.page) * run.stride, run.template
    with reopen(index) as file:
        if _is_sound(t, at, file.read(at + t.start, len(t.data)), -1):
            flavour = t.flavour
            tag = _tag_of(file, flavour, at, code)
            return b"" if tag is None else tag_bytes(file, flavour, tag, limit)
    return read_tag(_walked_instead(index, page), page, code, limit)


def _tags_decoded(index: FileIndex, pages: Sequence[int], code: int, limit: int | None) -> list[bytes]:
    values = []
    with reopen(index) as file, _decoder(file, DamagedPageError, "read the tags of") as tif:
        for page in pages:
            found = tif.pages[page]
            tags = found.tags if isinstance(found, tifffile.TiffPage) else found.aspage().tags
            values.append(tags.valueof(code, ""))
    return [(value if isinstance(value, bytes) else str(value).encode())[:limit] for value in values]


def _grouped(pages: IndexArray, firsts: Sequence[int] | IndexArray) -> Iterator[tuple[int, int, int]]:
    """Group pages by whose they are: which of those that begin at `firsts`, first and end in `pages`."""
    if len(firsts) == 1:
        yield 0, 0, len(pages)
        return
    owners = np.asarray(firsts).searchsorted(pages, side="right") - 1
    if len(pages) == 1:
        yield int(owners[0]), 0, 1
        return
    cuts = np.flatnonzero(owners[1:] != owners[:-1]) + 1
    for a, b in itertools.pairwise([0, *cuts.tolist(), len(pages)]):
        yield int(owners[a]), a, b


class _Crop(NamedTuple):
    """What to take of each page."""

    top: int
    """The first row that is needed."""
    height: int
    """Rows from there to the last that is needed."""
    rows: slice | IndexArray
    """Which of those rows."""
    columns: slice | IndexArray
    whole: bool
    """Whether that is all of those rows."""
    thin: bool
    """Whether it is so little that the rest of the page should not be read for it."""


def _find_crop(rows: range | IndexArray, columns: range | IndexArray, form: Form) -> _Crop:
    rows, columns = _as_range(rows), _as_range(columns)
    first, last = (rows[0], rows[-1]) if isinstance(rows, range) else (int(rows.min()), int(rows.max()))
    top, bottom = min(first, last), max(first, last) + 1
    whole = (
        isinstance(rows, range)
        and isinstance(columns, range)
        and (rows, columns) == (range(top, bottom), range(form.width))
    )
    thin = len(rows) * len(columns) * THIN < form.height * form.width
    return _Crop(top, bottom - top, _as_slice(shifted(rows, -top)), _as_slice(columns), whole, thin)


def _as_range(indices: range | IndexArray) -> range | IndexArray:
    """Return places as a range if they are evenly spaced, and up or down."""
    if isinstance(indices, range):
        return indices
    first, last = int(indices[0]), int(indices[-1])
    step = int(indices[1]) - first if len(indices) > 1 else 1
    if step == 0 or (indices[1:] - indices[:-1] != step).any():
        return indices
    return range(first, last + (1 if step > 0 else -1), step)


def _as_slice(indices: range | IndexArray) -> slice | IndexArray:
    if not isinstance(indices, range):
        return indices
    return slice(indices.start, None if indices.stop < 0 else indices.stop, indices.step)


def _crop(pages: npt.NDArray[Any], crop: _Crop) -> npt.NDArray[Any]:
    """Take rows and columns of pages of shape (pages, rows, columns) whose first row is the crop's."""
    if isinstance(crop.columns, slice):
        pages = pages[:, :, crop.columns]
    # take is twice as quick as an index of arrays
    pages = pages[:, crop.rows] if isinstance(crop.rows, slice) else pages.take(crop.rows, axis=1)
    return pages if isinstance(crop.columns, slice) else pages.take(crop.columns, axis=2)


def _changed(index: FileIndex, file: OpenFile) -> str:
    if file.size != index.size:
        return f"it had {index.size} bytes and has {file.size}"
    if is_url(index.path):
        return "the server says another time or mark of it"
    return f"it was written to {(file.mtime_ns - index.mtime_ns) / 1e9:+.3f} s from when it had been"


def reopen(index: FileIndex) -> OpenFile:
    """Open a file again and see that it is the one that was indexed."""
    try:
        file = open_file(index.path, anew=False)
    except PathnameError as error:
        raise ChangedFileError(f"after the recording was opened, {error}") from error
    # ScanImage appends pages, and marks the last when it closes the file: what was there stays as it was.
    same = (file.size, file.mtime_ns) == (index.size, index.mtime_ns)
    grown = not same and index.ending and file.size >= index.size and file.identity[1] == index.inode
    if same and not file.marked and not index.runs:
        same = _head(file) == index.stamp
    if (grown or (same and not file.marked)) and index.runs:
        same = _stamp(file, index.runs[0], index.form, index.stamp[0]) == index.stamp
    if not same:
        with file:
            raise ChangedFileError(
                f"{index.path!r} changed after it was opened: {_changed(index, file)}; open the recording again"
            )
    return file


def _read_file(
    index: FileIndex, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any], maps: dict[Identity, Bytes] | None
) -> None:
    """Copy a crop of pages of one file, run by run."""
    if not index.runs:
        _read_decoded(index, pages, crop, out)
        return
    with reopen(index) as file:
        data = _mapped(file, maps, keep=not index.ending) if crop.thin else None
        for which, a, b in _grouped(pages, [run.page for run in index.runs]):
            run = index.runs[which]
            try:
                if data is None:
                    _read_run(file, index.form, run, pages[a:b] - run.page, crop, out[a:b])
                else:
                    _read_mapped(data, index.form, run, pages[a:b] - run.page, crop, out[a:b])
            except _StrayPageError as error:
                walked = _walked_instead(index, run.page + error.page)
                _read_file(walked, pages[a:b], crop, out[a:b], maps)


def _read_or_fill(
    fill: float | None,
    lost: list[str],
    index: FileIndex,
    pages: IndexArray,
    crop: _Crop,
    out: npt.NDArray[Any],
    maps: dict[Identity, Bytes] | None,
) -> None:
    """Copy a crop of pages of one file; those that cannot be read are filled, if asked, and put down in `lost`."""
    try:
        _read_file(index, pages, crop, out, maps)
    except DamagedPageError as error:
        if fill is None:
            raise
        if len(pages) == 1:
            out[...] = fill
            lost.append(str(error))
            return
        middle = len(pages) // 2
        for part in (slice(None, middle), slice(middle, None)):
            _read_or_fill(fill, lost, index, pages[part], crop, out[part], maps)


_MAPPED: WeakValueDictionary[Identity, Bytes] = WeakValueDictionary()


def _mapped(file: OpenFile, maps: dict[Identity, Bytes] | None, *, keep: bool = True) -> Bytes | None:
    """The map of a file whose size was checked just before; kept in `maps` if the process does not have many."""
    if maps is None:
        return file.map()
    data = maps.get(file.identity)
    if data is None:
        data = _MAPPED.get(file.identity)
        data = file.map() if data is None else data
        if data is not None and keep and len(_MAPPED) < MOST_MAPS:
            _MAPPED[file.identity] = maps[file.identity] = data
    return data


class _StrayPageError(ValueError):
    """A page of a run is not what its spacing says."""

    def __init__(self, page: int) -> None:
        self.page = page


def _walked_instead(index: FileIndex, page: int) -> FileIndex:
    """Index anew a file of which a page is not where its spacing says; refuse if that changes the pages."""
    walked = _index_walked(index.path, index.size, index.mtime_ns)
    if walked.num_pages != index.num_pages or walked.runs == index.runs:
        raise DamagedPageError(
            f"page {page} of {index.path!r} is damaged: its IFD is not what the other pages' are "
            f"({index.num_pages} pages by their spacing, {walked.num_pages} by their chain)"
        )
    if walked.damage and walked.damage != index.damage:
        warnings.warn(walked.damage, ScanReaderWarning, stacklevel=2)
    return walked


def _read_run(file: OpenFile, form: Form, run: Run, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages of one run.

    Raises
    ------
    _StrayPageError
        If one of them is not what its IFD says.
    """
    dtype = np.dtype(form.dtype)
    row = form.width * dtype.itemsize
    if crop.whole and out.dtype == dtype and out.flags.c_contiguous:
        _read_blocks(file, run, pages, crop.top * row, out.reshape(len(out), -1).view(np.uint8))
        return
    step = max(1, ROOM // (crop.height * row))
    room = np.empty((min(step, len(pages)), crop.height * row), np.uint8)
    for a in range(0, len(pages), step):
        blocks = room[: len(pages[a : a + step])]
        _read_blocks(file, run, pages[a : a + step], crop.top * row, blocks)
        images = blocks.view(dtype).reshape(len(blocks), crop.height, form.width)
        out[a : a + step] = _crop(images, crop)


def _check(run: Run, pages: IndexArray, spans: Bytes) -> None:
    """See that pages are what their spacing says; the last of a run may point anywhere."""
    good = _sound_of_run(run, pages, spans)
    if not good.all():
        raise _StrayPageError(int(pages[good.argmin()]))


def _sound_of_run(run: Run, pages: IndexArray, spans: Bytes) -> npt.NDArray[np.bool_]:
    ifds = run.ifd + pages * run.stride
    following = ifds + run.stride
    following[pages == run.length - 1] = -1
    return _sound(run.template, ifds, spans, following)


def _read_mapped(data: Bytes, form: Form, run: Run, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any]) -> None:
    """Copy a few pixels of many pages; the file's size was checked just before."""
    t, dtype = run.template, np.dtype(form.dtype)
    row = form.width * dtype.itemsize
    which = _as_slice(_as_range(pages))
    _check(run, pages, _mapped_spans(data, run, which))
    shape, strides = (run.length, crop.height, form.width), (run.stride, row, dtype.itemsize)
    images = _strided(data, run.ifd + t.pixels + crop.top * row, shape, strides, dtype)
    picks: tuple[Any, ...] = (which, crop.rows, crop.columns)
    if not all(isinstance(part, slice) for part in picks):
        picks = np.ix_(*(np.arange(size)[part] for size, part in zip(shape, picks, strict=True)))
    out[...] = images[picks]


def _mapped_spans(data: Bytes, run: Run, which: slice | IndexArray) -> Bytes:
    t = run.template
    return _strided(data, run.ifd + t.start, (run.length, len(t.data)), (run.stride, 1), np.dtype(np.uint8))[which]


def _strided(
    data: Bytes, start: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """View bytes as an array; numpy refuses what would reach beyond them."""
    return np.ndarray(shape, dtype, buffer=data.data, offset=start, strides=strides)


def _read_blocks(file: OpenFile, run: Run, pages: IndexArray, skip: int, blocks: Bytes) -> None:
    """Fill each row of `blocks` with bytes of a page, from `skip` bytes behind its first pixel on."""
    if len(pages) > 1:
        evenly = _as_range(pages)
        gap = (evenly.step if isinstance(evenly, range) else 0) * run.stride - blocks.shape[1]
        if 0 <= gap < max(file.small_gap, blocks.shape[1]) and _read_vectored(file, run, pages, skip, blocks):
            return
    if file.gathers:
        _read_gathered(file, run, pages, skip, blocks)
        return
    for page, block in zip(pages.tolist(), blocks, strict=True):
        _read_one(file, run, page, skip, block)


def _read_gathered(file: OpenFile, run: Run, pages: IndexArray, skip: int, blocks: Bytes) -> None:
    """Ask for the bytes to check and the bytes wanted of some pages at once."""
    t, size = run.template, blocks.shape[1]
    first, end = min(t.start, t.pixels + skip), max(t.start + len(t.data), t.pixels + skip + size)
    step = max(1, min(FEW_REMOTE, file.aside // (end - first)))
    for a in range(0, len(pages), step):
        part = pages[a : a + step]
        ifds = run.ifd + part * run.stride
        if end - first <= size + file.small_gap:  # the two stand close together
            found = _bytes_at(file, ifds + first, end - first)
            _check(run, part, found[:, t.start - first :][:, : len(t.data)])
            blocks[a : a + step] = found[:, t.pixels + skip - first :][:, :size]
        else:
            _check(run, part, _spans(file, None, run, part))
            blocks[a : a + step] = _bytes_at(file, ifds + t.pixels + skip, size)


def _bytes_at(file: OpenFile, starts: IndexArray, size: int) -> Bytes:
    """Bytes at some places, of shape (places, size)."""
    return np.frombuffer(b"".join(file.gather(starts.tolist(), size)), np.uint8).reshape(len(starts), size)


def _read_one(file: OpenFile, run: Run, page: int, skip: int, block: Bytes) -> None:
    """Read a page: the bytes to check and the bytes wanted, in one call where they are close."""
    t, ifd = run.template, run.ifd + page * run.stride
    span = bytearray(len(t.data))
    between = t.pixels + skip - (t.start + len(span))
    if 0 <= between <= file.small_gap:
        file.read_into(ifd + t.start, [memoryview(span), memoryview(bytearray(between)), block.data])
    else:
        file.read_into(ifd + t.start, [memoryview(span)])
        file.read_into(ifd + t.pixels + skip, [block.data])
    if not _is_sound(t, ifd, span, ifd + run.stride if page < run.length - 1 else -1):
        raise _StrayPageError(page)


def _read_vectored(file: OpenFile, run: Run, pages: IndexArray, skip: int, blocks: Bytes) -> bool:
    """Read evenly spaced pages in few calls: pixels into place, what lies between them aside, to be checked.

    Returns whether it did: not if the bytes to check do not lie between two pages' pixels.
    """
    t, size = run.template, blocks.shape[1]
    span, pixels, ifds = t.start, t.pixels + skip, run.ifd + pages * run.stride
    gap = int(ifds[1] - ifds[0]) - size
    before, after = max(0, pixels - span), max(0, span + len(t.data) - (pixels + size))
    if before > gap or after > gap or (before and after):
        return False
    file.announce(int(ifds[0]) + pixels, int(ifds[-1] - ifds[0]) + size)
    step = max(1, min(MAX_BUFFERS // 2, file.aside // max(1, gap)))
    aside = np.empty((min(step, len(ifds)) + 1, gap), np.uint8)
    first = gap - (pixels - span) if before else span - (pixels + size)  # where in `aside` the bytes to check are
    for a in range(0, len(ifds), step):
        part = blocks[a : a + step]
        buffers: list[memoryview] = [aside[0, gap - before :].data]
        for i in range(len(part)):
            buffers += [part[i].data, aside[i + 1].data]
        buffers[-1] = buffers[-1][:after]
        file.read_into(int(ifds[a]) + pixels - before, [b for b in buffers if len(b)])
        rows = aside[: len(part)] if before else aside[1 : len(part) + 1]
        _check(run, pages[a : a + step], rows[:, first : first + len(t.data)])
    return True


def _read_decoded(index: FileIndex, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages that tifffile has to decode."""
    with reopen(index) as file, _decoder(file, DamagedPageError, "decode pages of") as tif:
        for i, page in enumerate(pages.tolist()):
            image = tif.pages[page].asarray()
            out[i] = _crop(image[None, crop.top : crop.top + crop.height], crop)[0]
