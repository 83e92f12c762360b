"""Pages whose pixels are plain bytes of the file, as their IFDs describe them."""

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
    """A page whose pixels are plain bytes of the file."""

    form: Form
    template: Template
    ifd: int
    next: int
    end: int
    """Offset after the last byte of the page."""


def read_page(file: OpenFile, flavour: Flavour, at: int) -> Page | None:
    """Parse a page; None if its pixels are not plain bytes in one piece.

    Raises
    ------
    BadIfdError
        If there is no IFD, or it names no pixels.
    """
    ifd = read_ifd(file, flavour, at)

    def value(code: int, default: int) -> int:
        return tag_numbers(file, flavour, ifd, code, default)[0]

    if STRIP_OFFSETS not in ifd.tags and not any(code in ifd.tags for code in TILES):
        raise BadIfdError("it does not say where its pixels are")
    form = _form(file, flavour, ifd)
    is_encoded = (value(COMPRESSION, 1), value(PREDICTOR, 1), value(FILL_ORDER, 1)) != (1, 1, 1)
    if form is None or is_encoded or any(code in ifd.tags for code in TILES):
        return None
    offsets = tag_numbers(file, flavour, ifd, STRIP_OFFSETS)
    counts = tag_numbers(file, flavour, ifd, STRIP_COUNTS, form.nbytes)
    ends = [a + n for a, n in zip(offsets, counts, strict=False)]
    if len(offsets) != len(counts) or tuple(ends[:-1]) != offsets[1:] or sum(counts) != form.nbytes:
        return None
    template = make_template(file, flavour, ifd, at, offsets[0])
    own_tags = (tag for code, tag in ifd.tags.items() if code not in (SOFTWARE, ARTIST))  # all pages share these texts
    end_of_values = max(_value_end(flavour, tag) for tag in own_tags)
    return Page(form, template, at, ifd.next, max(end_of_values, at + len(ifd.data), ends[-1]))


def _value_end(flavour: Flavour, tag: Tag) -> int:
    size = SIZES.get(tag.kind, 1) * tag.length
    return 0 if size <= len(tag.value) else struct.unpack(flavour.word, tag.value)[0] + size


def _form(file: OpenFile, flavour: Flavour, ifd: Ifd) -> Form | None:
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


def extent(page: Page) -> int:
    """Bytes from a page's IFD to the end of what is needed to read it."""
    t = page.template
    return max(t.pixels + page.form.nbytes, t.start + len(t.data))
