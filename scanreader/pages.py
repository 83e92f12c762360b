"""Pages of TIFF files, numbered from 0 across the files; knows TIFF, not ScanImage.

A file is indexed as runs of evenly spaced pages. ScanImage spaces them evenly, so one run is supposed from
the first two IFDs and the file's size, and a handful of pages is probed: opening does not grow with the file.
Where that fails the chain of IFDs is walked, and pages that are not plain bytes are left to tifffile.
Every page that is read is compared with its own IFD as its bytes pass.
"""

from __future__ import annotations

import io
import itertools
import mmap
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import tifffile

from scanreader.errors import ChangedFileError, DamagedPageError, FileFormatError, PathnameError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from scanreader.indexing import IndexArray

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

LEAP_FROM = 8  # evenly spaced pages after which the chain is not walked page by page any more
LEAP_PROBES = 16

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


# ----------------------------------------------------------------- bytes of a file


class OpenFile:
    """An open file: the one place that opens and reads.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            self._file = io.FileIO(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PathnameError(f"{os.fspath(path)!r} cannot be opened: {reason}") from error
        self.path = os.fspath(path)
        stat = os.fstat(self._file.fileno())
        self.size, self.mtime_ns = stat.st_size, stat.st_mtime_ns

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`: fewer at the end of the file, none outside of it."""
        size = min(size, self.size - offset)
        if size <= 0 or offset < 0:
            return b""
        data = bytearray(size)
        self.read_into(offset, [memoryview(data)])
        return bytes(data)

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers, one behind the other, with the bytes from `offset` on.

        Raises
        ------
        DamagedPageError
            If the file ends before they are full.
        """
        pending = list(buffers)
        while pending:
            try:
                got = _read_some(self._file, offset, pending)
            except OSError as error:
                raise DamagedPageError(f"{self.path!r} cannot be read at byte {offset}: {error.strerror}") from error
            if got <= 0:
                raise DamagedPageError(f"{self.path!r} ends at byte {offset}, where more bytes were expected")
            offset += got
            while pending and got >= len(pending[0]):
                got -= len(pending.pop(0))
            if pending:
                pending[0] = pending[0][got:]

    def map(self) -> Bytes | None:
        """The whole file as bytes, read as they are touched; None where the file system has no maps.

        Only for few bytes: where a read fails with an error, a map kills the process.
        """
        try:
            data = np.frombuffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        except (OSError, ValueError):
            return None
        return data if len(data) == self.size else None  # it was cut this moment: bulk reads say so


def _read_some(file: Any, offset: int, buffers: list[memoryview]) -> int:
    """Read at `offset` into the first of some buffers; returns how many bytes came."""
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), buffers, offset)
    file.seek(offset)
    return int(file.readinto(buffers[0]) or 0)


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


def index_file(path: str | Path) -> FileIndex:
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
    with OpenFile(path) as file:
        flavour, first = read_flavour(file)
        try:
            page = _read_page(file, flavour, first)
        except BadIfdError as error:
            raise NoPageError(
                f"{file.path!r} holds no page: no IFD at byte {first} ({error}); nothing was recorded or it was cut"
            ) from None
        if page is not None and page.ifd + _extent(page) > file.size:
            raise NoPageError(
                f"{file.path!r} holds no whole page: the first needs {page.ifd + _extent(page)} bytes, "
                f"the file has {file.size}"
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
    data, mask = _arrays(template)
    bad = ((spans ^ data) & mask).any(axis=1)
    for place, code, beyond in template.moves:
        bad |= _column(spans, place, code) != _wrapped(ifds + beyond, code)
    said = _column(spans, template.next_at, template.word)
    bad |= (said != _wrapped(following, template.word)) & (following >= 0)
    return np.asarray(~bad)


def _spans(file: OpenFile, template: Template, ifds: IndexArray) -> Bytes:
    """Read the bytes that are checked of pages whose IFDs are well inside of the file."""
    size = len(template.data)
    read = b"".join(file.read(ifd + template.start, size) for ifd in ifds.tolist())
    return np.frombuffer(read, np.uint8).reshape(-1, size)


@lru_cache(maxsize=64)
def _arrays(template: Template) -> tuple[Bytes, Bytes]:
    return np.frombuffer(template.data, np.uint8), np.frombuffer(template.mask, np.uint8)


def _column(spans: Bytes, place: int, code: str) -> npt.NDArray[Any]:
    return spans[:, place : place + int(code[2])].copy().view(code)[:, 0]


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
    probes = np.array([k for k in sorted({0, 1, count // 2, count - 2, count - 1}) if 0 <= k < count])
    ifds = first.ifd + probes * stride
    spans = _spans(file, first.template, ifds)
    if not _sound(first.template, ifds, spans, np.where(probes < count - 1, ifds + stride, -1)).all():
        return None
    last = _column(spans[-1:], first.template.next_at, first.template.word)[0]
    closed = last == 0
    if not closed and last != _wrapped(np.array([end]), first.template.word)[0]:
        return None
    if closed and file.size - end >= first.form.nbytes:  # room for a page that the chain may lead to
        return None
    if not closed and _stands_whole(file, flavour, end):  # a last page that is shorter than the others
        return None
    ending = "" if closed else _unfinished(file, end, count)
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
    seen, number, ending = {first.ifd}, 0, ""
    jumps: list[tuple[Page, int]] = []  # pages, and where another stands that their pointers jump over
    while page is not None:
        if page.ifd + _extent(page) > file.size or page.end > file.size:
            ending = _unfinished(file, page.ifd, number)
            break
        _join_run(runs, number, page)
        number += 1
        if page.next == 0:
            behind = _next_in_line(file, flavour, page, runs[-1].stride)
            if behind is not None and not any(_holds(run, behind) for run in runs):
                ending = f"{Path(file.path).name} marks a page as its last, but another stands at byte {behind}"
            break
        if page.next in seen:
            raise DamagedPageError(
                f"{file.path!r}: page {number - 1} says that the page at byte {page.next} comes next, but that "
                "was read before: the chain of pages runs in a circle"
            )
        if page.next - page.end >= _extent(page) or page.next < page.ifd:
            behind = _next_in_line(file, flavour, page, runs[-1].stride)
            if behind is not None and behind != page.next:
                jumps.append((page, behind))
        if leap and runs[-1].length >= LEAP_FROM and page.next == page.ifd + runs[-1].stride:
            ahead = _leap(file, runs[-1], page)
            runs[-1] = runs[-1]._replace(length=runs[-1].length + ahead)
            number += ahead
            page = page._replace(next=page.next + ahead * runs[-1].stride)
        seen.add(page.next)
        try:
            following = _read_page(file, flavour, page.next)
        except BadIfdError as error:
            if file.size - page.next >= _extent(first):
                ending = (
                    f"{Path(file.path).name} holds no page at byte {page.next} ({error}), where page {number} "
                    f"should be: the {number} pages before are read"
                )
            else:
                ending = _unfinished(file, page.next, number)
            break
        if following is None:
            return _index_decoded(file.path)
        if following.form != first.form:
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
    return _made(file, first.form, runs, ending)


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
        right = _sound(t, ifds, _spans(file, t, ifds), ifds + stride)
        wrong = int(right.argmin()) if not right.all() else len(right)
        good = int(probes[wrong - 1]) if wrong else good
        bad = int(probes[wrong]) if wrong < len(right) else bad
        probes = np.unique(np.linspace(good + 1, bad - 1, LEAP_PROBES).astype(np.int64))
    return good


def _join_run(runs: list[Run], number: int, page: Page) -> None:
    last = runs[-1] if runs else None
    if last is not None and last.template == page.template:
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


def _made(file: OpenFile, form: Form, runs: list[Run], ending: str) -> FileIndex:
    count = runs[-1].page + runs[-1].length
    return FileIndex(file.path, file.size, file.mtime_ns, form, count, tuple(runs), ending)


def _index_decoded(path: str | Path) -> FileIndex:
    """Index a file whose pages tifffile has to decode: compressed, tiled, in scattered strips."""
    name = os.fspath(path)
    try:
        with tifffile.TiffFile(path) as tif:
            found = [(page.shape, page.dtype) for page in tif.pages]
            samples = tif.pages.first.samplesperpixel
    except TIFFFILE_ERRORS as error:
        raise FileFormatError(f"tifffile cannot read {name!r}: {error}") from error
    shape, dtype = found[0]
    if len(shape) != 2 or samples != 1:
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
    stat = Path(path).stat()
    form = Form(shape[0], shape[1], dtype.newbyteorder("=").str)
    return FileIndex(name, stat.st_size, stat.st_mtime_ns, form, len(found), ())


@lru_cache(maxsize=8)
def _index_walked(path: str, _size: int, _mtime_ns: int) -> FileIndex:
    """Index a file by its chain alone; kept for the few files whose even spacing turned out to be wrong."""
    with OpenFile(path) as file:
        flavour, at = read_flavour(file)
        try:
            first = _read_page(file, flavour, at)
        except BadIfdError as error:
            raise DamagedPageError(f"the first page of {path!r} is damaged: {error}") from None
        return _index_decoded(path) if first is None else _walk(file, flavour, first, leap=False)


# ---------------------------------------------------------------- pages of all files

# Tuned on a 2-core machine, warm cache, 512 x 512 int16 pages; see benchmarks/.
CHUNK = 32 << 20  # bytes a thread copies at a time; less makes a cold disk seek between the threads
ROOM = 2 << 20  # bytes of a thread's own, where pixels cannot go straight to their place
THIN = 8  # a request for less than 1/8 of each page's bytes goes through a map
THREADS = min(os.cpu_count() or 1, 8)
SMALL_GAP = 16 << 10  # bytes that are read and thrown away sooner than asked for around
MOST_PAGES = 8192  # whose IFDs a thread checks at a time: keeps the memory for that at a few MB
MAX_BUFFERS = 1000  # of a vectored read: IOV_MAX is 1024


@dataclass(frozen=True)
class Pages:
    """The pages of the files of a recording, in order."""

    files: tuple[FileIndex, ...]

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
        return {"files": self.files}

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
        crop = _Crop(_as_slice(rows), _as_slice(columns))
        jobs = list(self._jobs(numbers, out.nbytes // len(numbers)))
        threads = min(len(jobs), THREADS)
        tasks = [(self.files[file], pages, crop, out[part]) for file, pages, part in jobs]
        if threads < 2:
            for task in tasks:
                _read_file(*task)
            return
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(_read_file, *task) for task in tasks]:
                done.result()

    def _jobs(self, numbers: IndexArray, page_bytes: int) -> Iterator[tuple[int, IndexArray, slice]]:
        """Cut a request into pieces of one file and about a chunk each."""
        file_of = self._file_of(numbers)
        cuts = _cuts(file_of)
        step = min(max(1, CHUNK // max(1, page_bytes)), MOST_PAGES)
        for a, b in itertools.pairwise(cuts):
            file = int(file_of[a])
            for start in range(a, b, step):
                part = slice(start, min(b, start + step))
                yield file, numbers[part] - self.starts[file], part

    def _file_of(self, numbers: IndexArray) -> IndexArray:
        if len(self.files) == 1:
            return np.zeros(len(numbers), np.int64)
        return self.starts.searchsorted(numbers, side="right") - 1

    def descriptions(self, numbers: Sequence[int], limit: int | None = None) -> list[bytes]:
        """Return the ImageDescriptions of pages, at most `limit` bytes of each; b'' where there is none."""
        return [self._tag(number, DESCRIPTION, limit) for number in numbers]

    def _tag(self, number: int, code: int, limit: int | None) -> bytes:
        at = int(np.searchsorted(self.starts, number, side="right")) - 1
        return read_tag(self.files[at], number - int(self.starts[at]), code, limit)


def read_tag(index: FileIndex, page: int, code: int, limit: int | None = None) -> bytes:
    """Return the bytes of a tag of one page of a file; b'' where there is none.

    Raises
    ------
    DamagedPageError
        If the page's IFD cannot be read.
    """
    if not index.runs:
        return _read_tag_decoded(index, page, code, limit)
    run = index.runs[_run_of(index, np.array([page]))[0]]
    at, t = run.ifd + (page - run.page) * run.stride, run.template
    with reopen(index) as file:
        span = np.frombuffer(file.read(at + t.start, len(t.data)), np.uint8)
        sound = len(span) == len(t.data) and _sound(t, np.array([at]), span[None], np.array([-1])).all()
        if sound:
            flavour = read_flavour(file)[0]
            tag = read_ifd(file, flavour, at).tags.get(code)
            return b"" if tag is None else tag_bytes(file, flavour, tag, limit)
    return read_tag(_walked_instead(index, page), page, code, limit)


def _read_tag_decoded(index: FileIndex, page: int, code: int, limit: int | None) -> bytes:
    try:
        with tifffile.TiffFile(index.path) as tif:
            found = tif.pages[page]
            tags = found.tags if isinstance(found, tifffile.TiffPage) else found.aspage().tags
            value = tags.valueof(code, "")
    except TIFFFILE_ERRORS as error:
        raise DamagedPageError(f"tifffile cannot read the tags of page {page} of {index.path!r}: {error}") from error
    data = value if isinstance(value, bytes) else str(value).encode()
    return data[:limit]


def _cuts(owners: IndexArray) -> list[int]:
    """Where the owner of one page is not that of the page before; with both ends."""
    if len(owners) == 1:
        return [0, 1]
    return [0, *(np.flatnonzero(owners[1:] != owners[:-1]) + 1).tolist(), len(owners)]


class _Crop(NamedTuple):
    """Rows and columns of a page."""

    rows: slice | IndexArray
    columns: slice | IndexArray


def _as_slice(indices: range | IndexArray) -> slice | IndexArray:
    """Evenly stepped indices as a slice."""
    if isinstance(indices, range):
        return slice(indices.start, None if indices.stop < 0 else indices.stop, indices.step)
    if len(indices) == 1:
        return slice(int(indices[0]), int(indices[0]) + 1, 1)
    step = int(indices[1] - indices[0])
    if step == 0 or (indices[1:] - indices[:-1] != step).any():
        return indices
    stop = int(indices[-1]) + (1 if step > 0 else -1)
    return slice(int(indices[0]), stop if stop >= 0 else None, step)


def _bounds(part: slice | IndexArray) -> tuple[int, int]:
    """Return the first place and the one behind the last."""
    if isinstance(part, slice):
        step = part.step
        count = len(range(part.start, -1 if part.stop is None else part.stop, step))
        ends = (part.start, part.start + (count - 1) * step)
        return min(ends), max(ends) + 1
    return int(part.min()), int(part.max()) + 1


def _crop(pages: npt.NDArray[Any], crop: _Crop, first_row: int = 0) -> npt.NDArray[Any]:
    """Rows and columns of pages of shape (pages, rows, columns) that begin at `first_row`."""
    rows, columns = crop
    if isinstance(columns, slice):
        pages = pages[:, :, columns]
    if isinstance(rows, slice):
        stop = None if rows.stop is None or rows.stop - first_row < 0 else rows.stop - first_row
        pages = pages[:, slice(rows.start - first_row, stop, rows.step)]
    else:
        pages = pages.take(rows - first_row, axis=1)  # twice as quick as indexing
    return pages if isinstance(columns, slice) else pages.take(columns, axis=2)


def reopen(index: FileIndex) -> OpenFile:
    """Open a file again and see that it is the one that was indexed."""
    try:
        file = OpenFile(index.path)
    except PathnameError as error:
        raise ChangedFileError(f"after the recording was opened, {error}") from error
    if (file.size, file.mtime_ns) != (index.size, index.mtime_ns):
        with file:
            raise ChangedFileError(
                f"{index.path!r} changed after it was opened: it had {index.size} bytes and has {file.size}; "
                "open the recording again"
            )
    return file


def _read_file(index: FileIndex, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages of one file, run by run."""
    if not index.runs:
        _read_decoded(index, pages, crop, out)
        return
    run_of = _run_of(index, pages)
    cuts = _cuts(run_of)
    with reopen(index) as file:
        for a, b in itertools.pairwise(cuts):
            run = index.runs[run_of[a]]
            bad = _read_run(file, index, run, pages[a:b] - run.page, crop, out[a:b])
            if bad.any():
                page = int(pages[a:b][bad][0])
                _read_file(_walked_instead(index, page), pages[a:b], crop, out[a:b])


def _walked_instead(index: FileIndex, page: int) -> FileIndex:
    """Index anew a file of which a page is not where its spacing says; refuse if that changes the pages."""
    walked = _index_walked(index.path, index.size, index.mtime_ns)
    if walked.num_pages != index.num_pages or walked.runs == index.runs:
        raise DamagedPageError(
            f"page {page} of {index.path!r} is damaged: its IFD is not what the other pages' are "
            f"({index.num_pages} pages by their spacing, {walked.num_pages} by their chain)"
        )
    return walked


def _run_of(index: FileIndex, pages: IndexArray) -> IndexArray:
    if len(index.runs) == 1:
        return np.zeros(len(pages), np.int64)
    return np.searchsorted([run.page for run in index.runs], pages, side="right") - 1


def _read_run(
    file: OpenFile, index: FileIndex, run: Run, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Copy a crop of pages of one run, and tell which of them are not what their IFDs say."""
    page_bytes = index.form.nbytes
    dtype = np.dtype(index.form.dtype)
    wanted = out[0].size * dtype.itemsize
    data = file.map() if wanted * THIN < page_bytes else None
    if data is not None:
        return _read_mapped(data, index, run, pages, crop, out)
    top, bottom = _bounds(crop.rows)
    row = index.form.width * dtype.itemsize
    block = (bottom - top) * row
    whole_rows = out.shape[1:] == (bottom - top, index.form.width) and _whole(crop, index.form.width)
    if whole_rows and out.dtype == dtype and out.flags.c_contiguous:
        return _read_blocks(file, run, pages, top * row, out.reshape(len(out), -1).view(np.uint8))
    bad = np.zeros(len(pages), bool)
    step = max(1, ROOM // block)
    room = np.empty((min(step, len(pages)), block), np.uint8)
    for a in range(0, len(pages), step):
        blocks = room[: len(pages[a : a + step])]
        bad[a : a + step] = _read_blocks(file, run, pages[a : a + step], top * row, blocks)
        images = blocks.view(dtype).reshape(len(blocks), bottom - top, index.form.width)
        out[a : a + step] = _crop(images, crop, top)
    return bad


def _whole(crop: _Crop, width: int) -> bool:
    rows, columns = crop
    both = isinstance(rows, slice) and isinstance(columns, slice)
    return both and rows.step == 1 and columns == slice(0, width, 1)  # type: ignore[union-attr]


def _following(run: Run, pages: IndexArray, ifds: IndexArray) -> IndexArray:
    """Where each page should say that the next one is; the last of a run may say anything."""
    following = ifds + run.stride
    following[pages == run.length - 1] = -1
    return following


def _read_mapped(
    data: Bytes, index: FileIndex, run: Run, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Copy a few pixels of many pages; the file's size was checked just before."""
    t, form = run.template, index.form
    dtype = np.dtype(form.dtype)
    row = form.width * dtype.itemsize
    which = _as_slice(pages)
    spans = _strided(data, run.ifd + t.start, (run.length, len(t.data)), (run.stride, 1), np.dtype(np.uint8))
    ifds = run.ifd + pages * run.stride
    bad = ~_sound(t, ifds, spans[which], _following(run, pages, ifds))
    shape, strides = (run.length, form.height, form.width), (run.stride, row, dtype.itemsize)
    images = _strided(data, run.ifd + t.pixels, shape, strides, dtype)
    if isinstance(which, slice) and isinstance(crop.rows, slice) and isinstance(crop.columns, slice):
        out[...] = images[(which, *crop)]
        return bad
    picks = (np.arange(size)[part] for size, part in zip(shape, (which, *crop), strict=True))
    out[...] = images[np.ix_(*picks)]
    return bad


def _strided(
    data: Bytes, start: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """View bytes as an array; numpy refuses what would reach beyond them."""
    return np.ndarray(shape, dtype, buffer=data.data, offset=start, strides=strides)


def _read_blocks(file: OpenFile, run: Run, pages: IndexArray, skip: int, blocks: Bytes) -> npt.NDArray[np.bool_]:
    """Fill each row of `blocks` with bytes of a page, from `skip` bytes behind its first pixel on."""
    ifds = run.ifd + pages * run.stride
    spans = np.empty((len(pages), len(run.template.data)), np.uint8)
    even = _as_slice(pages)
    gap = (even.step if isinstance(even, slice) else 0) * run.stride - blocks.shape[1]
    if len(pages) > 1 and 0 <= gap < max(SMALL_GAP, blocks.shape[1]):
        _read_vectored(file, run, ifds, skip, blocks, spans)
    else:
        _read_single(file, run, ifds, skip, blocks, spans)
    return ~_sound(run.template, ifds, spans, _following(run, pages, ifds))


def _read_single(file: OpenFile, run: Run, ifds: IndexArray, skip: int, blocks: Bytes, spans: Bytes) -> None:
    """Read pages one by one: the bytes to check and the bytes wanted, together where they are close."""
    span, pixels, size = run.template.start, run.template.pixels + skip, blocks.shape[1]
    between = pixels - (span + spans.shape[1])
    filler = memoryview(bytearray(max(0, min(between, SMALL_GAP))))
    together = 0 <= between <= SMALL_GAP
    to_spans, to_blocks = spans.reshape(-1).data, blocks.reshape(-1).data
    for i, ifd in enumerate(ifds.tolist()):
        to_span = to_spans[i * spans.shape[1] : (i + 1) * spans.shape[1]]
        to_block = to_blocks[i * size : (i + 1) * size]
        if together:
            file.read_into(ifd + span, [to_span, filler[:between], to_block])
        else:
            file.read_into(ifd + span, [to_span])
            file.read_into(ifd + pixels, [to_block])


def _read_vectored(file: OpenFile, run: Run, ifds: IndexArray, skip: int, blocks: Bytes, spans: Bytes) -> None:
    """Read evenly spaced pages in few calls: pixels into place, what lies between them aside, to be checked."""
    span, size = run.template.start, blocks.shape[1]
    pixels = run.template.pixels + skip
    pitch = int(ifds[1] - ifds[0])
    gap = pitch - size
    before, after = max(0, pixels - span), max(0, span + spans.shape[1] - (pixels + size))
    if before > gap or after > gap or (before and after):  # what is checked is not between two pages' pixels
        _read_single(file, run, ifds, skip, blocks, spans)
        return
    step = max(1, min(MAX_BUFFERS // 2, 2 * ROOM // max(1, gap)))
    aside = np.empty((min(step, len(ifds)) + 1, gap), np.uint8)
    for a in range(0, len(ifds), step):
        part = blocks[a : a + step]
        n = len(part)
        buffers: list[memoryview] = [aside[0, gap - before :].data]
        for i in range(n):
            buffers += [part[i].data, aside[i + 1].data]
        buffers[-1] = buffers[-1][:after]
        file.read_into(int(ifds[a]) + pixels - before, [b for b in buffers if len(b)])
        if before:
            first = gap - (pixels - span)
            spans[a : a + step] = aside[:n, first : first + spans.shape[1]]
        else:
            first = span - (pixels + size)
            spans[a : a + step] = aside[1 : n + 1, first : first + spans.shape[1]]


def _read_decoded(index: FileIndex, pages: IndexArray, crop: _Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages that tifffile has to decode."""
    reopen(index).__exit__(None, None, None)
    try:
        with tifffile.TiffFile(index.path) as tif:
            for i, page in enumerate(pages.tolist()):
                out[i] = _crop(tif.pages[page].asarray()[None], crop)[0]
    except TIFFFILE_ERRORS as error:
        hint = "; pip install imagecodecs" if "imagecodecs" in str(error) else ""
        raise DamagedPageError(f"tifffile cannot decode pages of {index.path!r}: {error}{hint}") from error
