"""Pages whose pixels are plain bytes of the file, as their IFDs describe them."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.tiff.ifd import (
    ARTIST,
    BITS,
    COMPRESSION,
    FILL_ORDER,
    LENGTH,
    PREDICTOR,
    SAMPLE_FORMAT,
    SAMPLES,
    SIZES,
    SOFTWARE,
    STRIP_COUNTS,
    STRIP_OFFSETS,
    TILES,
    WIDTH,
    BadIfdError,
    read_ifd,
    tag_numbers,
)
from scanreader.tiff.templates import is_near, make_template

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile
    from scanreader.tiff.ifd import Flavour, Ifd, Tag
    from scanreader.tiff.templates import Template


NUMBERS = (WIDTH, LENGTH, BITS, COMPRESSION, FILL_ORDER, STRIP_OFFSETS, SAMPLES, STRIP_COUNTS, PREDICTOR, SAMPLE_FORMAT)
"""Tags whose values are needed to find the pixels of a plain page."""
MOST_STRIPS = 1 << 16  # that are compared page by page: 150 bytes of memory each
GAP = 16  # bytes, less than which programs leave between the values of a page


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


class Page(NamedTuple):
    """A page whose pixels are plain bytes of the file."""

    form: Form
    template: Template
    ifd: int
    next_ifd: int
    head: int
    """Bytes of the IFD and of the values that follow it."""
    end: int
    """Offset after the page's last byte: of its pixels, or of those values."""
    problem: str
    """What is odd about its tags; '' if nothing is."""

    @property
    def first(self) -> int:
        """Offset of the first byte that belongs to the page: of its IFD or its pixels."""
        return self.ifd + min(0, self.template.pixels)

    @property
    def size(self) -> int:
        """Bytes from the first that belongs to the page to the last."""
        return self.end - self.first

    def moved(self, distance: int) -> Page:
        """Return the page that is like this one, so many bytes after."""
        return self._replace(ifd=self.ifd + distance, next_ifd=self.next_ifd + distance, end=self.end + distance)


def read_page(file: OpenFile, flavour: Flavour, at: int, *, trust_size: bool = True) -> Page | None:
    """Parse a page; None if its pixels are not plain bytes in one piece.

    Parameters
    ----------
    trust_size : bool
        Whether the size of its strips must be that of its pixels; otherwise a page of one strip is plain whatever size
        it names.

    Raises
    ------
    BadIfdError
        If there is no IFD, or it names no pixels, or its tags contradict each other.
    """
    ifd = read_ifd(file, flavour, at)
    numbers = (ifd.tags[code] for code in NUMBERS if code in ifd.tags)
    is_inside = all(SIZES.get(tag.kind, 1) * tag.length <= len(tag.value) for tag in numbers)
    try:
        if is_inside:
            return _page_of_ifd(flavour, at, ifd, trust_size=trust_size)
        return _plain_page(file, flavour, at, ifd, trust_size=trust_size)
    except BadIfdError as error:
        raise BadIfdError(str(error), ifd.next_ifd) from None


@lru_cache(maxsize=16)  # the first pages of a recording's files mostly have equal IFDs in equal places
def _page_of_ifd(flavour: Flavour, at: int, ifd: Ifd, *, trust_size: bool) -> Page | None:
    """Parse a page whose numbers are all inside its IFD."""
    return _plain_page(None, flavour, at, ifd, trust_size=trust_size)


def _plain_page(file: OpenFile | None, flavour: Flavour, at: int, ifd: Ifd, *, trust_size: bool) -> Page | None:
    def value(code: int, default: int) -> int:
        return tag_numbers(file, flavour, ifd, code, default)[0]

    if ifd.contradiction:
        raise BadIfdError(ifd.contradiction)
    if STRIP_OFFSETS not in ifd.tags and not any(code in ifd.tags for code in TILES):
        raise BadIfdError("it does not say where its pixels are")
    form = _form(file, flavour, ifd)
    is_encoded = (value(COMPRESSION, 1), value(PREDICTOR, 1), value(FILL_ORDER, 1)) != (1, 1, 1)
    if form is None or is_encoded or any(code in ifd.tags for code in TILES):
        return None
    if STRIP_OFFSETS in ifd.tags and ifd.tags[STRIP_OFFSETS].length > MOST_STRIPS:
        return None
    offsets = tag_numbers(file, flavour, ifd, STRIP_OFFSETS)
    counts = tag_numbers(file, flavour, ifd, STRIP_COUNTS, form.nbytes) if trust_size else (form.nbytes,)
    ends = [a + n for a, n in zip(offsets, counts, strict=False)]
    if len(offsets) != len(counts) or tuple(ends[:-1]) != offsets[1:] or sum(counts) != form.nbytes:
        return None
    if not is_near(flavour, ifd, at):
        return None
    start, end = offsets[0], ends[-1]
    values = {code: piece for code, tag in ifd.tags.items() if (piece := _value_piece(flavour, tag))}
    own_values = [piece for code, piece in values.items() if code not in (SOFTWARE, ARTIST)]  # all pages share these
    if any(a < end and b > start for a, b in [(at, at + len(ifd.data)), *own_values]):
        raise BadIfdError("its pixels overlap its tags")
    end_of_head = at + len(ifd.data)
    for a, b in sorted(values.values()):
        if end_of_head <= a < end_of_head + GAP:
            end_of_head = b
    template = make_template(file, flavour, ifd, at, start)
    return Page(form, template, at, ifd.next_ifd, end_of_head - at, max(end, end_of_head), ifd.problem)


def contradicts_plain(file: OpenFile, flavour: Flavour, at: int, nbytes: int) -> bool:
    """Whether the tags of a page that is not plain contradict plain pages of the same file.

    They do not if the page is tiled or compressed, and its strips have another size than the pixels of the others: a
    flipped bit changes only one of the two.

    Parameters
    ----------
    nbytes : int
        Bytes of the pixels of the plain pages.
    """
    try:
        ifd = read_ifd(file, flavour, at)
        (compression, *_) = tag_numbers(file, flavour, ifd, COMPRESSION, 1)
        sizes = tag_numbers(file, flavour, ifd, STRIP_COUNTS, 0)
    except BadIfdError:
        return True
    return not all(code in ifd.tags for code in TILES) and (compression == 1 or sum(sizes) == nbytes)


def _value_piece(flavour: Flavour, tag: Tag) -> tuple[int, int] | None:
    """Start and end of a tag's value; None if it is inside the IFD."""
    size = SIZES.get(tag.kind, 1) * tag.length
    if size <= len(tag.value):
        return None
    start = struct.unpack(flavour.word, tag.value)[0]
    return start, start + size


def _form(file: OpenFile | None, flavour: Flavour, ifd: Ifd) -> Form | None:
    """Form of a page of one plain integer per pixel; None for any other."""
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


def is_complete(page: Page, size: int) -> bool:
    """Whether a file of so many bytes holds all of a page, judging also by the page after it.

    A flipped bit may make a tag's value end anywhere.
    """
    return page.ifd + extent(page) <= size and (page.end <= size or 0 < page.next_ifd < size)


def extent(page: Page) -> int:
    """Bytes from a page's IFD to the end of what is needed to read it."""
    t = page.template
    return max(t.pixels + page.form.nbytes, t.start + len(t.data))
