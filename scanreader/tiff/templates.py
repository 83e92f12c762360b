"""What the IFDs of evenly spaced pages have in common."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.tiff.ifd import (
    BITS,
    COMPRESSION,
    FILL_ORDER,
    LENGTH,
    PHOTOMETRIC,
    PREDICTOR,
    SAMPLE_FORMAT,
    SAMPLES,
    SIZES,
    STRIP_COUNTS,
    STRIP_OFFSETS,
    WIDTH,
    Flavour,
)

if TYPE_CHECKING:
    from scanreader.files.local import Bytes, OpenFile
    from scanreader.keys import IndexArray
    from scanreader.tiff.ifd import Ifd

FIXED = (WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PREDICTOR, SAMPLE_FORMAT)
FEW_PAGES = 32  # that are checked one by one: 1.9 us each; numpy takes 68 us for any few


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Packed, since a scan is pickled for every task of a cluster, and most of these bytes are 0 or 255."""
        return unpack_template, (self.start, zlib.compress(self.data + self.mask, 1), *self[3:])


def unpack_template(start: int, packed: bytes, *rest: Any) -> Template:
    """Make a template of what is pickled of one."""
    both = zlib.decompress(packed)
    return _interned(Template(start, both[: len(both) // 2], both[len(both) // 2 :], *rest))


def make_template(file: OpenFile, flavour: Flavour, ifd: Ifd, at: int, pixels: int) -> Template:
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


@lru_cache(maxsize=64)
def _interned(template: Template) -> Template:
    return template


def sound_pages(template: Template, ifds: IndexArray, spans: Bytes, following: IndexArray) -> npt.NDArray[np.bool_]:
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
        return np.array([is_sound(template, ifd, span.tobytes(), after) for ifd, span, after in pages])
    wrong = np.zeros(len(ifds), np.uint64)
    for place, data, mask in _words(template):
        wrong |= (column(spans, place, "<u8") ^ data) & mask
    bad = wrong != 0
    for place, code, beyond in template.moves:
        bad |= column(spans, place, code) != _wrapped(ifds + beyond, code)
    said = column(spans, template.next_at, template.word)
    bad |= (said != _wrapped(following, template.word)) & (following >= 0)
    return np.asarray(~bad)


def is_sound(template: Template, ifd: int, span: bytes | bytearray, following: int) -> bool:
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


def column(spans: Bytes, place: int, code: str) -> npt.NDArray[Any]:
    """View the same place of each span as a number; a copy of the spans, or of the bytes, takes twice the time."""
    return spans[:, place : place + int(code[2])].view(code)[:, 0]


def _wrapped(offsets: IndexArray, code: str) -> npt.NDArray[Any]:
    """Offsets as a classic TIFF beyond 4 GiB holds them: their lower 32 bits."""
    return offsets.astype(np.uint64).astype(code)
