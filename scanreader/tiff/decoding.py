"""Pages that tifffile has to decode: compressed, tiled or in scattered strips."""

from __future__ import annotations

import contextlib
import io
import math
import os
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from scanreader.errors import DamagedPageError, FileFormatError, ScanReaderError
from scanreader.files.opening import open_file
from scanreader.files.urls import is_url
from scanreader.tiff.crops import take_crop
from scanreader.tiff.encoded import walk_encoded
from scanreader.tiff.forms import Form
from scanreader.tiff.ifd import SIZES, BadIfdError, read_flavour, read_ifd, tag_bytes
from scanreader.tiff.inflating import INFLATE, TooLargeError, inflate, jpeg_shape
from scanreader.tiff.reopening import file_stamp, reopen
from scanreader.tiff.runs import FileIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.files.local import OpenFile
    from scanreader.keys import IndexArray
    from scanreader.tiff.crops import Crop

MAX_EXPANSION = 1100  # bytes of pixels from one byte of a file
EXPANSIONS = {1: 1, 5: 2731, 8: 1032, 32946: 1032, 50013: 1032, 32773: 64}
"""The most bytes of pixels from one byte of a strip, by the tag of its compression; others have no limit."""
MOST_OF_TAGS = 256 << 20  # bytes
JPEGS = (6, 7, 33007, 34892)
IMAGES = (22610, 33003, 33004, 33005, 34712, 34887, 34933, 34934, 50001, 50002, 52546)
"""Compressions whose strips name their size themselves: JPEG XR, JPEG 2000, LERC, PNG, WebP, JPEG XL."""
MOST_PADDING = 1024  # rows or columns by which a tile may be larger than the page
SLACK = 64 << 10  # bytes by which a strip may be larger than its pixels
TIFFFILE_ERRORS = (
    tifffile.TiffFileError,  # no ValueError in older versions
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    RuntimeError,
    OSError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
)


@contextlib.contextmanager
def _decoder(file: OpenFile, error_type: type[ScanReaderError], action: str) -> Iterator[tifffile.TiffFile]:
    """Open a file with tifffile, and turn its errors into one of scanreader's."""
    stream: Any = file.path
    if is_url(file.path):
        from scanreader.files.streams import Stream  # noqa: PLC0415 - local paths do not need it

        stream = io.BufferedReader(Stream(file), 1 << 18)
    try:
        # These kinds would make it walk the chain of IFDs.
        with tifffile.TiffFile(stream, is_scanimage=False, is_lsm=False, is_ome=False) as tif:
            yield tif
    except ScanReaderError:
        raise
    except MemoryError:
        raise error_type(f"tifffile cannot {action} {file.path!r}: they need more memory than there is") from None
    except TIFFFILE_ERRORS as error:
        hint = "; pip install imagecodecs" if "imagecodecs" in str(error) else ""
        raise error_type(f"tifffile cannot {action} {file.path!r}: {error}{hint}") from error


def index_decoded(path: str | Path) -> FileIndex:
    """Index a file whose pages tifffile has to decode: compressed, tiled, in scattered strips."""
    name = os.fspath(path)
    with open_file(name) as file:
        size, mtime_ns, inode, ctime_ns = file.size, file.mtime_ns, file.identity[1], file.ctime_ns
        stamp = file_stamp(file)
        chain = walk_encoded(file)
        _check_tags(file, chain.ifds, 0)
        with _decoder(file, FileFormatError, "read") as tif:
            page = _page(file, tif, chain.ifds, 0)
            shape: tuple[Any, ...] = page.shape  # a tag may hold several numbers
            dtype, samples, expansion = page.dtype, page.samplesperpixel, _expansion(page)
            stored_size = sum(page.databytecounts)
    if len(shape) != 2 or samples != 1 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise FileFormatError(
            f"the pages of {name!r} have shape {shape} with {samples} samples per pixel (RGB?); "
            "a recording has one integer per pixel"
        )
    if dtype is None or dtype.kind not in "iu":
        raise FileFormatError(f"the pixels of {name!r} are {dtype}; those of a recording are integers")
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > min(MAX_EXPANSION * size, expansion * stored_size + SLACK):
        raise FileFormatError(
            f"the pages of {name!r} claim {shape[0]} x {shape[1]} pixels, more than its {size} bytes can hold"
        )
    form = Form(shape[0], shape[1], dtype.newbyteorder("=").str)
    count, ending, damage = len(chain.ifds), chain.ending, chain.damage
    return FileIndex(name, size, mtime_ns, form, count, (), ending, damage, inode, stamp, ctime_ns=ctime_ns)


@lru_cache(maxsize=8)
def _ifds(path: str, _version: tuple[int, ...]) -> tuple[int, ...]:
    """Bytes of the IFDs of a file; cached for a few files."""
    with open_file(path, refresh=False) as file:
        return walk_encoded(file).ifds


def _ifds_of(index: FileIndex, file: OpenFile) -> tuple[int, ...]:
    return _ifds(index.path, (*file.identity, file.ctime_ns, *index.stamp))


def _page(file: OpenFile, tif: tifffile.TiffFile, ifds: Sequence[int], number: int) -> tifffile.TiffPage:
    """Parse a page with tifffile."""
    _check_tags(file, ifds, number)
    tif.filehandle.seek(ifds[number])
    return tifffile.TiffPage(tif, number)


def _check_tags(file: OpenFile, ifds: Sequence[int], number: int) -> None:
    """Check that the tags of a page are not too large to be read: tifffile reads them all."""
    flavour, _ = read_flavour(file)
    try:
        size = sum(SIZES.get(tag.kind, 1) * tag.length for tag in read_ifd(file, flavour, ifds[number]).tags.values())
    except (BadIfdError, IndexError) as error:
        raise DamagedPageError(f"page {number} of {file.path!r} is damaged: {error}") from None
    if size > min(2 * file.size, MOST_OF_TAGS):
        raise DamagedPageError(f"the tags of page {number} of {file.path!r} claim {size} bytes")


def decode_tags(index: FileIndex, pages: Sequence[int], code: int, limit: int | None) -> list[bytes]:
    """Return the bytes of a tag of pages; b'' where it is missing."""
    values = []
    with reopen(index) as file:
        ifds, (flavour, _) = _ifds_of(index, file), read_flavour(file)
        for page in pages:
            try:
                tag = read_ifd(file, flavour, ifds[page]).tags.get(code)
            except (BadIfdError, IndexError) as error:
                raise DamagedPageError(f"page {page} of {file.path!r} is damaged: {error}") from None
            values.append(b"" if tag is None else tag_bytes(file, flavour, tag, limit).rstrip(b"\0"))
    return values


def decode_pages(index: FileIndex, pages: IndexArray, crop: Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages that tifffile has to decode."""
    with reopen(index) as file:
        ifds = _ifds_of(index, file)
        _check_tags(file, ifds, 0)
        with _decoder(file, DamagedPageError, "decode pages of") as tif:
            for i, page in enumerate(pages.tolist()):
                image = decode_within_size(file, _page(file, tif, ifds, page))
                out[i] = take_crop(image[None, crop.top : crop.top + crop.height], crop)[0]


# ------------------------------------------------------------------------- within their size


def decode_within_size(file: OpenFile, page: tifffile.TiffPage) -> npt.NDArray[Any]:
    """Decode a page whose strips or tiles may claim anything: a few bytes may inflate to any size.

    Raises
    ------
    DamagedPageError
        If a strip or tile is larger than the pixels that belong to it.
    """
    shapes = _segment_shapes(file, page)
    kind = int(page.compression)
    if kind in JPEGS or kind in IMAGES:
        for number, shape in enumerate(shapes):
            _check_image(page, kind, _segment(file, page, number), shape, file.path)
    elif kind in INFLATE and tifffile.TIFF.DECOMPRESSORS[kind].__module__.startswith("tifffile"):
        return _inflate_page(file, page, kind, shapes)  # tifffile's own decoders know no limit, those of imagecodecs do
    return np.asarray(page.asarray())


def _inflate_page(
    file: OpenFile, page: tifffile.TiffPage, kind: int, shapes: list[tuple[int, int]]
) -> npt.NDArray[Any]:
    """Decode a page whose strips or tiles are inflated here, and the rest by tifffile."""
    height, width = page.shape
    image = np.zeros((height, width), _dtype(page))
    is_reversed = page.fillorder == 2  # its bits are to be turned before they are inflated
    for number, (rows, columns) in enumerate(shapes):
        data = _segment(file, page, number)
        if not data:
            continue  # tifffile leaves such a strip at 0
        if not is_reversed:
            try:
                data = inflate(kind, data, 2 * rows * columns * image.itemsize + SLACK)
            except TooLargeError as error:
                raise DamagedPageError(
                    f"page {page.index} of {file.path!r} is damaged: in a strip of {rows} x {columns} pixels, {error}"
                ) from None
            page.compression = 1
        part, (*_, y, x, _), _ = page.decode(data, number)
        if part is None:
            continue
        image[y : y + rows, x : x + columns] = part[0, : height - y, : width - x, 0]
    return image


def _expansion(page: tifffile.TiffPage) -> float:
    return EXPANSIONS.get(int(page.compression), math.inf)


def _segment_shapes(file: OpenFile, page: tifffile.TiffPage) -> list[tuple[int, int]]:
    """Rows and columns of each strip or tile.

    Raises
    ------
    DamagedPageError
        If their number or their bytes in the file are not those of such a page.
    """
    itemsize = _dtype(page).itemsize
    height, width = page.shape
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
        if not 0 < rows <= height + MOST_PADDING or not 0 < columns <= width + MOST_PADDING:
            raise DamagedPageError(
                f"page {page.index} of {file.path!r} has {height} x {width} pixels, in tiles of {rows} x {columns}"
            )
        number = math.ceil(height / rows) * math.ceil(width / columns)
    else:
        rows = min(max(1, page.rowsperstrip), height)
        number = math.ceil(height / rows)
    if len(page.dataoffsets) != number or len(page.databytecounts) != number:
        raise DamagedPageError(
            f"page {page.index} of {file.path!r} has {len(page.dataoffsets)} strips; its size asks for {number}"
        )
    if page.is_tiled:
        shapes = [(rows, columns)] * number
    else:
        shapes = [(min(rows, height - row), width) for row in range(0, height, rows)]
    for count, (rows, columns) in zip(page.databytecounts, shapes, strict=True):
        if count > 2 * rows * columns * itemsize + SLACK:
            raise DamagedPageError(
                f"page {page.index} of {file.path!r} has {count} bytes for {rows} x {columns} pixels of {page.dtype}"
            )
    return shapes


def _dtype(page: tifffile.TiffPage) -> np.dtype[Any]:
    """The pixels' dtype, of a page of one integer per pixel.

    Raises
    ------
    DamagedPageError
        If it is another.
    """
    shape: tuple[Any, ...] = page.shape
    if page.dtype is None or len(shape) != 2 or not all(isinstance(n, int) for n in shape):
        raise DamagedPageError(f"page {page.index} has shape {page.shape}, and pixels of {page.dtype}")
    return page.dtype


def _segment(file: OpenFile, page: tifffile.TiffPage, number: int) -> bytes:
    return file.read(page.dataoffsets[number], page.databytecounts[number])


def _check_image(page: tifffile.TiffPage, kind: int, data: bytes, shape: tuple[int, int], path: str) -> None:
    """Check that an image file in a strip, such as a JPEG, has the size of the strip."""
    if not data:
        return
    if kind in JPEGS:
        image_shape = jpeg_shape(data)
        is_fitting = image_shape is not None and image_shape[0] <= shape[0] and image_shape[1] <= shape[1]
    else:
        image_shape = None
        try:
            tifffile.TIFF.DECOMPRESSORS[kind](data, out=np.empty(shape, _dtype(page)))
            is_fitting = True
        except TIFFFILE_ERRORS:
            is_fitting = False
    if not is_fitting:
        size = "" if image_shape is None else f" of {image_shape[0]} x {image_shape[1]} pixels"
        raise DamagedPageError(
            f"page {page.index} of {path!r} holds an image{size} that is not one of {shape[0]} x {shape[1]} pixels"
        )
