"""Pages that tifffile has to decode: compressed, tiled or in scattered strips."""

from __future__ import annotations

import contextlib
import io
import math
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from scanreader.errors import DamagedPageError, FileFormatError, ScanReaderError, UnreachableError
from scanreader.files.opening import open_file
from scanreader.files.urls import is_url
from scanreader.tiff.crops import take_crop
from scanreader.tiff.forms import Form
from scanreader.tiff.reopening import file_stamp, reopen
from scanreader.tiff.runs import FileIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.files.local import OpenFile
    from scanreader.keys import IndexArray
    from scanreader.tiff.crops import Crop

MAX_EXPANSION = 1100  # bytes of pixels from one byte of a file: deflate yields at most 1032
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


@contextlib.contextmanager
def _decoder(file: OpenFile, error_type: type[ScanReaderError], action: str) -> Iterator[tifffile.TiffFile]:
    """Open a file with tifffile, and turn its errors into one of scanreader's."""
    stream: Any = file.path
    if is_url(file.path):
        from scanreader.files.streams import Stream  # noqa: PLC0415 - local paths do not need it

        stream = io.BufferedReader(Stream(file), 1 << 18)
    try:
        with tifffile.TiffFile(stream) as tif:
            yield tif
    except UnreachableError:
        raise
    except TIFFFILE_ERRORS as error:
        hint = "; pip install imagecodecs" if "imagecodecs" in str(error) else ""
        raise error_type(f"tifffile cannot {action} {file.path!r}: {error}{hint}") from error


def index_decoded(path: str | Path) -> FileIndex:
    """Index a file whose pages tifffile has to decode: compressed, tiled, in scattered strips."""
    name = os.fspath(path)
    with open_file(name) as file:
        size, mtime_ns, stamp = file.size, file.mtime_ns, file_stamp(file)
        with _decoder(file, FileFormatError, "read") as tif:
            shapes = [(page.shape, page.dtype) for page in tif.pages]
            samples = tif.pages.first.samplesperpixel
    shape, dtype = shapes[0]
    if len(shape) != 2 or samples != 1 or not all(np.ndim(n) == 0 and n > 0 for n in shape):
        raise FileFormatError(
            f"the pages of {name!r} have shape {shape} with {samples} samples per pixel (RGB?); "
            "a recording has one integer per pixel"
        )
    if dtype is None or dtype.kind not in "iu":
        raise FileFormatError(f"the pixels of {name!r} are {dtype}; those of a recording are integers")
    for number, other in enumerate(shapes):
        if other != shapes[0]:
            raise FileFormatError(
                f"the pages of {name!r} differ: page 0 has {shape} {dtype}, page {number} has {other[0]} {other[1]}"
            )
    if math.prod(shape) * dtype.itemsize > MAX_EXPANSION * size:
        raise FileFormatError(
            f"the pages of {name!r} claim {shape[0]} x {shape[1]} pixels, more than its {size} bytes can hold"
        )
    form = Form(shape[0], shape[1], dtype.newbyteorder("=").str)
    return FileIndex(name, size, mtime_ns, form, len(shapes), (), stamp=stamp)


def decode_tags(index: FileIndex, pages: Sequence[int], code: int, limit: int | None) -> list[bytes]:
    """Return the bytes of a tag of pages; b'' where it is missing."""
    values = []
    with reopen(index) as file, _decoder(file, DamagedPageError, "read the tags of") as tif:
        for page in pages:
            ifd = tif.pages[page]
            tags = ifd.tags if isinstance(ifd, tifffile.TiffPage) else ifd.aspage().tags
            values.append(tags.valueof(code, ""))
    return [(value if isinstance(value, bytes) else str(value).encode())[:limit] for value in values]


def decode_pages(index: FileIndex, pages: IndexArray, crop: Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages that tifffile has to decode."""
    with reopen(index) as file, _decoder(file, DamagedPageError, "decode pages of") as tif:
        for i, page in enumerate(pages.tolist()):
            image = tif.pages[page].asarray()
            out[i] = take_crop(image[None, crop.top : crop.top + crop.height], crop)[0]
