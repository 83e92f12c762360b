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
UNRELATED = frozenset((254, 269, 270, 271, 272, 274, 278, 280, 281, 282, 283, 284, 285, 296, 297, 305, 306, 315, 316))
"""Tags that say nothing about pixels."""
IMPOSSIBLE = (0, 1)  # what one value of a damaged page's template must be beyond its IFD: no number is both
FLAVOURS = {
    f"{order}u{8 if is_big else 4}": Flavour(order, is_big=is_big) for order in "<>" for is_big in (False, True)
}
MAX_SPAN = 1 << 20  # bytes from an IFD to the end of its list of strips; descriptions may be between
FEW_PAGES = 32  # fewer are checked one by one: 1.9 us each; numpy takes 68 us for any small number


class Template(NamedTuple):
    """What the IFDs of evenly spaced pages have in common; places are counted from the IFD's first byte."""

    start: int
    """Where the checked bytes begin: at the IFD, or before it, at what it points to."""
    data: bytes
    """The checked bytes, with values that differ between pages set to 0."""
    mask: bytes
    """255 where a byte must equal that of `data`."""
    moves: tuple[tuple[int, str, int], ...]
    """Values that point into the file: place in `data`, numpy's code, and offset minus that of the IFD."""
    next_at: int
    """Place in `data` of the pointer to the next IFD."""
    word: str
    """numpy's code of an offset."""
    pixels: int
    """Where the pixels begin."""

    @property
    def flavour(self) -> Flavour:
        """Kind of TIFF, by the code of an offset."""
        return FLAVOURS[self.word]

    @property
    def ifd_size(self) -> int:
        """Bytes of the IFD."""
        return self.start + self.next_at + self.flavour.offset_size

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle compressed: a scan is pickled for every task of a cluster, and most of these bytes are 0 or 255."""
        return unpickle_template, (self.start, zlib.compress(self.data + self.mask, 1), *self[3:])


def unpickle_template(start: int, packed_bytes: bytes, *other_values: Any) -> Template:
    """Make a template from its pickled parts."""
    data_and_mask = zlib.decompress(packed_bytes)
    size = len(data_and_mask) // 2
    return _shared_template(Template(start, data_and_mask[:size], data_and_mask[size:], *other_values))


def is_near(flavour: Flavour, ifd: Ifd, at: int) -> bool:
    """Whether the list of strips is so near to its IFD that both can be read and compared together."""
    tag = ifd.tags[STRIP_OFFSETS]
    size = SIZES[tag.kind] * tag.length
    if size <= len(tag.value):
        return True
    start = int(struct.unpack(flavour.word, tag.value)[0])
    return max(at + len(ifd.data), start + size) - min(at, start) <= MAX_SPAN


def make_template(file: OpenFile | None, flavour: Flavour, ifd: Ifd, at: int, pixels: int) -> Template:
    """Make the template of pages like this one, including the list of strips, even if that is outside the IFD.

    No file is needed if the list is inside.
    """
    tag = ifd.tags[STRIP_OFFSETS]
    size = SIZES[tag.kind]
    is_outside = size * tag.length > len(tag.value)
    array_at = struct.unpack(flavour.word, tag.value)[0] - at if is_outside else tag.at
    start, end = min(0, array_at), max(len(ifd.data), array_at + size * tag.length)
    span = ifd.data if file is None else file.read(at + start, end - start)
    data = np.frombuffer(span, np.uint8).copy()
    mask = np.zeros_like(data)
    mask[-start : -start + flavour.count_size] = 255
    is_inline = ifd.tags[STRIP_COUNTS].length == 1 if STRIP_COUNTS in ifd.tags else False
    for code in (*FIXED, STRIP_COUNTS) if is_inline else FIXED:
        if code in ifd.tags:
            end_of_entry = ifd.tags[code].at - start + flavour.offset_size
            mask[end_of_entry - flavour.entry_size : end_of_entry] = 255
    mask[tag.at - start - flavour.value_at : tag.at - start] = 255
    for code in ifd.tags.keys() - UNRELATED:  # perhaps the code of a tag that is needed, changed by a flipped bit
        entry_at = ifd.tags[code].at - start - flavour.value_at
        mask[entry_at : entry_at + 2] = 255
    word = f"{flavour.order}u{flavour.offset_size}"
    places = [(array_at + i * size - start, f"{flavour.order}u{size}") for i in range(tag.length)]
    if is_outside:
        places.append((tag.at - start, word))
    moves = tuple((place, c, int(data[place : place + int(c[2])].view(c)[0]) - at) for place, c in places)
    data[mask == 0] = 0
    return _shared_template(
        Template(start, data.tobytes(), mask.tobytes(), moves, ifd.next_at - start, word, pixels - at)
    )


def matching_none(template: Template) -> Template:
    """Make a template that no page matches: that of a page which is damaged, whatever its IFD says."""
    place = -template.start
    return _shared_template(template._replace(moves=tuple((place, template.word, distance) for distance in IMPOSSIBLE)))


def is_of_damaged(template: Template) -> bool:
    """Whether a template was made to match no page."""
    return tuple(distance for *_, distance in template.moves) == IMPOSSIBLE


@lru_cache(maxsize=64)
def _shared_template(template: Template) -> Template:
    """Return the one object for equal templates."""
    return template


def ifds_match(template: Template, ifds: IndexArray, spans: Bytes, next_ifds: IndexArray) -> npt.NDArray[np.bool_]:
    """Tell which pages agree with their template.

    Parameters
    ----------
    ifds : int array of shape (pages,)
        Where their IFDs are.
    spans : uint8 array of shape (pages, bytes)
        What the file holds there, from the template's `start` on.
    next_ifds : int array of shape (pages,)
        Where each should point to as the next IFD; negative if any pointer will do.
    """
    if len(ifds) < FEW_PAGES:
        pages = zip(ifds.tolist(), spans, next_ifds.tolist(), strict=True)
        return np.array([ifd_matches(template, ifd, span.tobytes(), next_ifd) for ifd, span, next_ifd in pages])
    differences = np.zeros(len(ifds), np.uint64)
    for place, data, mask in _words(template):
        differences |= (column(spans, place, "<u8") ^ data) & mask
    is_different = differences != 0
    for place, code, distance in template.moves:
        is_different |= column(spans, place, code) != _wrap(ifds + distance, code)
    pointers = column(spans, template.next_at, template.word)
    is_different |= (pointers != _wrap(next_ifds, template.word)) & (next_ifds >= 0)
    return np.asarray(~is_different)


def ifd_matches(template: Template, ifd: int, span: bytes | bytearray, next_ifd: int) -> bool:
    """Tell whether one page agrees with its template; parameters as in `ifds_match`."""
    data, mask, order = _numbers(template)
    if len(span) < len(template.data) or (int.from_bytes(span, "little") ^ data) & mask:
        return False
    places = template.moves
    if next_ifd >= 0:
        places = (*places, (template.next_at, template.word, next_ifd - ifd))
    for place, code, distance in places:
        size = int(code[2])
        if int.from_bytes(span[place : place + size], order) != (ifd + distance) % (1 << 8 * size):
            return False
    return True


def next_ifd_of(template: Template, span: bytes | bytearray) -> int:
    """Where the bytes to check of a page say that the next IFD is."""
    return int(struct.unpack_from(template.flavour.word, span, template.next_at)[0])


@lru_cache(maxsize=64)
def _words(template: Template) -> list[tuple[int, np.uint64, np.uint64]]:
    """The fewest 8-byte words that hold all bytes to compare: place, value and mask of each."""
    words, size = [], len(template.data)
    place = template.mask.find(b"\xff")
    while place >= 0:
        place = min(place, size - 8)
        (data,), (mask,) = (np.frombuffer(part, "<u8", 1, place) for part in (template.data, template.mask))
        words.append((place, data, mask))
        place = template.mask.find(b"\xff", place + 8)
    return words


@lru_cache(maxsize=64)
def _numbers(template: Template) -> tuple[int, int, Literal["little", "big"]]:
    order: Literal["little", "big"] = "little" if template.word[0] == "<" else "big"
    return int.from_bytes(template.data, "little"), int.from_bytes(template.mask, "little"), order


def column(spans: Bytes, place: int, code: str) -> npt.NDArray[Any]:
    """View the same place of each span as a number: copying the spans or the bytes takes twice as long."""
    return spans[:, place : place + int(code[2])].view(code)[:, 0]


def _wrap(offsets: IndexArray, code: str) -> npt.NDArray[Any]:
    """Offsets as a classic TIFF of more than 4 GiB stores them: their lower 32 bits."""
    return offsets.astype(np.uint64).astype(code)
