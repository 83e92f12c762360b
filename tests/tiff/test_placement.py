"""Legal files of all kinds are read whole: no page of them is taken for one whose pixels are misplaced."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from scanreader import DamagedPageError, FileFormatError
from scanreader.simulate import write_bigtiff, write_classic
from scanreader.tiff.index import index_file
from scanreader.tiff.pages import Pages
from scanreader.tiff.runs import FileIndex

Images = npt.NDArray[Any]
HEADER = b"SI.x = 1\n"


def with_descriptions(images: Images, lengths: list[int], draw: random.Random) -> list[tuple[bytes, Images]]:
    return [(b"x" * length + b"\0" * draw.choice([0, 1]), image) for length, image in zip(lengths, images, strict=True)]


def by_tifffile(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    options: dict[str, Any] = {"bigtiff": draw.random() < 0.4, "byteorder": draw.choice("<>")}
    with tifffile.TiffWriter(path, **options) as tif:
        for image, length in zip(images, lengths, strict=True):
            description = "x" * length if length else None
            tif.write(image, photometric="minisblack", description=description, metadata=None)


def in_strips(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    with tifffile.TiffWriter(path) as tif:
        for image in images:
            tif.write(image, photometric="minisblack", metadata=None, rowsperstrip=draw.randint(1, 9))


def as_stack(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    """The pixels of all pages follow each other, after the first IFD and before the others."""
    with tifffile.TiffWriter(path, bigtiff=draw.random() < 0.5) as tif:
        tif.write(images, photometric="minisblack", metadata=draw.choice([None, {}]))


def as_hyperstack(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    with tifffile.TiffWriter(path, imagej=True) as tif:
        tif.write(images.astype(np.uint16), photometric="minisblack")


def in_two_parts(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    """Some pages are appended by a second program, as a stack or one by one; the first part may be ScanImage's."""
    first = draw.randint(1, len(images))
    if draw.random() < 0.5:
        write_bigtiff(path, HEADER + b"\0", b"", with_descriptions(images[:first], lengths[:first], draw), slot=None)
    else:
        by_tifffile(path, images[:first], lengths[:first], draw)
    if first == len(images):
        return
    with tifffile.TiffWriter(path, append=True) as tif:
        for part in [images[first:]] if draw.random() < 0.5 else images[first:]:
            tif.write(part, photometric="minisblack", metadata=None)


def pixels_first(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    """Pixels, IFD at a word boundary, description: as libtiff writes, and real files of 3.8 saved again have it."""
    word, boundary, pointer = draw.choice([1, 2, 4, 8]), draw.choice([1, 2, 4]), 4
    data = bytearray(b"II\x2a\0\0\0\0\0")
    for image, length in zip(images, lengths, strict=True):
        data += bytes(-len(data) % boundary)
        start = len(data)
        data += image.tobytes()
        data += bytes(-len(data) % word)
        struct.pack_into("<I", data, pointer, len(data))
        text = b"x" * (length + 5)
        kind = 2 if image.dtype.kind == "i" else 1
        height, width = image.shape
        tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, image.dtype.itemsize * 8), (259, 3, 1, 1)]
        tags += [(270, 2, len(text), len(data) + 2 + 9 * 12 + 4), (273, 4, 1, start), (277, 3, 1, 1)]
        tags += [(279, 4, 1, image.nbytes), (339, 3, 1, kind)]
        data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        pointer = len(data)
        data += bytes(4) + text
    path.write_bytes(data)


def as_scanimage(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    slot, closed = draw.choice([None, 100]), draw.random() < 0.7
    header = HEADER + b" " * draw.randint(0, 8) + b"\0"
    write_bigtiff(path, header, b"", with_descriptions(images, lengths, draw), slot=slot, closed=closed)


def as_old_scanimage(path: Path, images: Images, lengths: list[int], draw: random.Random) -> None:
    rois = draw.choice([b"", b"{" + b" " * draw.randint(1, 3000) + b"}"])
    pages = [(b"x" * (length + 4) + b"\0", image) for length, image in zip(lengths, images, strict=True)]
    write_classic(path, pages, nominal_strip=draw.choice([3, 64, 2048]), appended=rois)


Writer = Callable[[Path, Images, list[int], random.Random], None]
WRITERS: list[Writer] = [
    by_tifffile,
    in_strips,
    as_stack,
    as_hyperstack,
    in_two_parts,
    pixels_first,
    as_scanimage,
    as_old_scanimage,
]


def draw_images(draw: random.Random) -> tuple[Images, list[int]]:
    """Draw images, and the lengths of their descriptions."""
    count, height, width = draw.choice([2, 3, 4, 5, 8, 11, 20, 40]), draw.randint(2, 9), draw.randint(2, 9)
    dtype = draw.choice(["int16", "uint16", "uint8", "int32"])
    change = draw.randint(0, count)
    lengths = draw.choice(
        [
            [draw.choice([0, 20])] * count,
            [draw.randint(0, 60) for _ in range(count)],
            [30 + (i > change) for i in range(count)],
            [30 + len(str(i + 1)) for i in range(count)],
        ]
    )
    return np.arange(count * height * width).reshape(count, height, width).astype(dtype), lengths


def read_pages(index: FileIndex) -> Images:
    out = np.empty((index.num_pages, *index.form[:2]), np.dtype(index.form.dtype).newbyteorder("="))
    Pages((index,)).read(np.arange(index.num_pages), range(index.form.height), range(index.form.width), out)
    return out


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_legal_files_are_read_whole(tmp_path: Path, write: Writer, count: int) -> None:
    path = tmp_path / "a.tif"
    for seed in range(count):
        path.unlink(missing_ok=True)
        draw = random.Random(f"{write.__name__} {count} {seed}")
        images, lengths = draw_images(draw)
        write(path, images, lengths, draw)
        index = index_file(path)
        assert (index.num_pages, index.damage) == (len(images), ""), seed
        assert np.array_equal(read_pages(index), images), seed


@pytest.mark.parametrize("write", [as_stack, as_hyperstack, by_tifffile])
@pytest.mark.parametrize("page", [0, 4, 8])
@pytest.mark.parametrize("bit", [0, 2, 5, 7, 9])
def test_a_moved_strip_of_a_file_saved_again_is_refused(tmp_path: Path, write: Writer, page: int, bit: int) -> None:
    """The pixels of a stack of another program overlap those of the next page, or the padding."""
    path = tmp_path / "a.tif"
    images = np.arange(9 * 8 * 10, dtype=np.uint16).reshape(9, 8, 10)
    write(path, images, [0] * 9, random.Random(1))
    with tifffile.TiffFile(path) as tif:
        pages = [page if isinstance(page, tifffile.TiffPage) else page.aspage() for page in tif.pages]
        offset, code = (pages[page].tags[273].offset, tif.byteorder + ("Q" if tif.is_bigtiff else "I"))
        offset += 12 if tif.is_bigtiff else 8
    data = bytearray(path.read_bytes())
    struct.pack_into(code, data, offset, struct.unpack_from(code, data, offset)[0] ^ 1 << bit)
    path.write_bytes(data)
    try:
        index = index_file(path)
    except FileFormatError as error:
        assert page == 0  # its pixels overlap its own tags
        assert "is damaged" in str(error)  # noqa: PT017
        return
    assert index.num_pages == 9 or (page == 8 and index.ending)
    for number in range(index.num_pages):
        out = np.empty((1, 8, 10), np.uint16)
        if number == page:
            with pytest.raises(DamagedPageError, match=f"page {page} of"):
                Pages((index,)).read(np.array([number]), range(8), range(10), out)
        else:
            Pages((index,)).read(np.array([number]), range(8), range(10), out)
            assert np.array_equal(out[0], images[number])
