"""A page whose pixels stand plainly in the file, as its IFD describes it."""

from __future__ import annotations

import struct
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
from scanreader.tiff.templates import make_template

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile
    from scanreader.tiff.ifd import Flavour, Ifd, Tag
    from scanreader.tiff.templates import Template


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
    """A page whose pixels stand plainly in the file."""

    form: Form
    template: Template
    ifd: int
    next: int
    end: int
    """The byte behind all that belongs to the page."""


def read_page(file: OpenFile, flavour: Flavour, at: int) -> Page | None:
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
    template = make_template(file, flavour, ifd, at, offsets[0])
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


def extent(page: Page) -> int:
    """Bytes from a page's IFD to the end of what must be there to read it."""
    t = page.template
    return max(t.pixels + page.form.nbytes, t.start + len(t.data))
