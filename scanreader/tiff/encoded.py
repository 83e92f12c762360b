"""The chain of pages that are not plain bytes: compressed, tiled, or in scattered strips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import DamagedPageError, FileFormatError
from scanreader.tiff.ifd import (
    BITS,
    LENGTH,
    SAMPLE_FORMAT,
    SAMPLES,
    SIZES,
    STRIP_COUNTS,
    TILES,
    WIDTH,
    BadIfdError,
    read_flavour,
    read_ifd,
    tag_numbers,
)
from scanreader.tiff.tiny import refuse_tiny_pages

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile
    from scanreader.tiff.ifd import Flavour, Ifd

    RawForm = tuple[tuple[int, ...] | None, ...]

FORM = ((LENGTH, 0), (WIDTH, 0), (BITS, 1), (SAMPLES, 1), (SAMPLE_FORMAT, 1))
TILE_COUNTS = TILES[3]


class EncodedChain(NamedTuple):
    """Pages in the order of their IFDs."""

    ifds: tuple[int, ...]
    """Byte of the IFD of each page."""
    ending: str
    """What is wrong with the end of the chain; '' if nothing is."""
    damage: str
    """What is wrong with its pages; '' if nothing is."""


def walk_encoded(file: OpenFile) -> EncodedChain:
    """Follow the chain of IFDs, and compare what the pages claim with the file.

    Raises
    ------
    DamagedPageError
        If the chain runs in a circle.
    FileFormatError
        If pages differ, or claim more than a file can hold.
    """
    flavour, at = read_flavour(file)
    name, ending, nbytes, list_bytes = Path(file.path).name, "", 0, 0
    ifds: dict[int, None] = {}
    first: RawForm | None = None
    while at:
        if at in ifds:
            raise DamagedPageError(
                f"{file.path!r}: page {len(ifds) - 1} points to byte {at} as the next page, but that page came before: "
                "the chain of pages runs in a circle"
            )
        try:
            ifd = read_ifd(file, flavour, at)
        except BadIfdError as error:
            ending = (
                f"page {len(ifds) - 1} of {name} points to byte {at}, where no page is ({error}): only the "
                f"{len(ifds)} pages up to it are read"
            )
            break
        form = _raw_form(file, flavour, ifd)
        first = first or form
        if form != first:
            pages = f"page 0 has {_describe_form(first)}, page {len(ifds)} has {_describe_form(form)}"
            raise FileFormatError(f"the pages of {file.path!r} differ: {pages}")
        list_bytes += _list_size(ifd)
        if list_bytes > file.size:
            raise FileFormatError(
                f"the strips of the first {len(ifds) + 1} pages of {file.path!r} are listed in {list_bytes} bytes, "
                f"more than the {file.size} of the file"
            )
        nbytes += _stored_size(file, flavour, ifd)
        ifds[at] = None
        refuse_tiny_pages(file, len(ifds))
        at = ifd.next_ifd
    damage = describe_shared(file, len(ifds), nbytes)
    return EncodedChain(tuple(ifds), ending, damage)


def describe_shared(file: OpenFile, count: int, nbytes: int) -> str:
    """Say that pages share their pixels, where they claim more bytes than the file has; '' if they do not."""
    if nbytes <= file.size:
        return ""
    return (
        f"the {count} pages of {Path(file.path).name} claim {nbytes} bytes of pixels, the file has {file.size}: "
        "pages share their pixels"
    )


def _raw_form(file: OpenFile, flavour: Flavour, ifd: Ifd) -> RawForm:
    """Height, width, bits, samples and their kind, as the tags say; None for what cannot be read."""
    return tuple(_numbers_or_none(file, flavour, ifd, code, default) for code, default in FORM)


def _numbers_or_none(file: OpenFile, flavour: Flavour, ifd: Ifd, code: int, default: int) -> tuple[int, ...] | None:
    try:
        return tag_numbers(file, flavour, ifd, code, default)
    except BadIfdError:
        return None


def _describe_form(form: RawForm) -> str:
    height, width, bits, samples, _ = (numbers[0] if numbers else "?" for numbers in form)
    return f"{height} x {width} pixels of {bits} bits" + ("" if samples == 1 else f" and {samples} samples")


def _list_size(ifd: Ifd) -> int:
    """Bytes of the list of strips or tiles."""
    tag = ifd.tags.get(STRIP_COUNTS) or ifd.tags.get(TILE_COUNTS)
    return SIZES.get(tag.kind, 1) * tag.length if tag else 0


def _stored_size(file: OpenFile, flavour: Flavour, ifd: Ifd) -> int:
    """Bytes of the strips or tiles."""
    code = STRIP_COUNTS if STRIP_COUNTS in ifd.tags else TILE_COUNTS
    return sum(_numbers_or_none(file, flavour, ifd, code, 0) or (0,))
