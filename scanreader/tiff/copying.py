"""Copies pixels of evenly spaced pages into arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.keys import as_range, box
from scanreader.tiff.checking import (
    FEW_REMOTE,
    check_page,
    check_pages,
    mapped_spans,
    read_at,
    read_spans,
    view_strided,
)
from scanreader.tiff.crops import take_crop

if TYPE_CHECKING:
    import numpy.typing as npt

    from scanreader.files.local import Bytes, OpenFile
    from scanreader.keys import IndexArray
    from scanreader.tiff.crops import Crop
    from scanreader.tiff.forms import Form
    from scanreader.tiff.runs import Run

ROOM = 2 << 20  # bytes of a thread's buffer for pixels that cannot be read straight into place
MAX_BUFFERS = 1000  # per vectored read: IOV_MAX is 1024


def read_run(file: OpenFile, form: Form, run: Run, pages: IndexArray, crop: Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages of one run.

    Raises
    ------
    MisplacedPageError
        If the IFD of one does not agree with the run.
    """
    dtype = np.dtype(form.dtype)
    row = form.width * dtype.itemsize
    if crop.is_contiguous and out.dtype == dtype and out.flags.c_contiguous:
        _read_blocks(file, run, pages, crop.top * row, out.reshape(len(out), -1).view(np.uint8))
        return
    step = max(1, ROOM // (crop.height * row))
    room = np.empty((min(step, len(pages)), crop.height * row), np.uint8)
    for a in range(0, len(pages), step):
        blocks = room[: len(pages[a : a + step])]
        _read_blocks(file, run, pages[a : a + step], crop.top * row, blocks)
        images = blocks.view(dtype).reshape(len(blocks), crop.height, form.width)
        out[a : a + step] = take_crop(images, crop)


def read_mapped(data: Bytes, form: Form, run: Run, pages: IndexArray, crop: Crop, out: npt.NDArray[Any]) -> None:
    """Copy a crop of pages from a memory map; the file's size was checked just before."""
    t, dtype = run.template, np.dtype(form.dtype)
    row = form.width * dtype.itemsize
    page_range = as_range(pages)
    check_pages(run, pages, mapped_spans(data, run, page_range))
    shape, strides = (run.length, crop.height, form.width), (run.stride, row, dtype.itemsize)
    images = view_strided(data, run.ifd + t.pixels + crop.top * row, shape, strides, dtype)
    out[...] = images[box(page_range, crop.rows, crop.columns)]


def _read_blocks(file: OpenFile, run: Run, pages: IndexArray, skip: int, blocks: Bytes) -> None:
    """Fill each row of `blocks` with bytes of a page, from `skip` bytes after its first pixel on."""
    if len(pages) > 1:
        page_range = as_range(pages)
        gap = (page_range.step if isinstance(page_range, range) else 0) * run.stride - blocks.shape[1]
        if 0 <= gap < max(file.small_gap, blocks.shape[1]) and _read_vectored(file, run, pages, skip, blocks):
            return
    if file.gathers:
        _read_gathered(file, run, pages, skip, blocks)
        return
    for page, block in zip(pages.tolist(), blocks, strict=True):
        _read_one(file, run, page, skip, block)


def _read_gathered(file: OpenFile, run: Run, pages: IndexArray, skip: int, blocks: Bytes) -> None:
    """Read the bytes to check and the pixels of several pages at once."""
    t, size = run.template, blocks.shape[1]
    first, end = min(t.start, t.pixels + skip), max(t.start + len(t.data), t.pixels + skip + size)
    step = max(1, min(FEW_REMOTE, file.gap_room // (end - first)))
    for a in range(0, len(pages), step):
        part = pages[a : a + step]
        ifds = run.ifd + part * run.stride
        if end - first <= size + file.small_gap:  # the two are close together
            data = read_at(file, ifds + first, end - first)
            check_pages(run, part, data[:, t.start - first :][:, : len(t.data)])
            blocks[a : a + step] = data[:, t.pixels + skip - first :][:, :size]
        else:
            check_pages(run, part, read_spans(file, None, run, part, is_sparse=True))
            blocks[a : a + step] = read_at(file, ifds + t.pixels + skip, size, is_sparse=True)


def _read_one(file: OpenFile, run: Run, page: int, skip: int, block: Bytes) -> None:
    """Read the bytes to check and the pixels of a page, in one call if they are close together."""
    t, ifd = run.template, run.ifd + page * run.stride
    span = bytearray(len(t.data))
    gap = t.pixels + skip - (t.start + len(span))
    if 0 <= gap <= file.small_gap:
        file.read_into(ifd + t.start, [memoryview(span), memoryview(bytearray(gap)), block.data])
    else:
        file.read_into(ifd + t.start, [memoryview(span)])
        file.read_into(ifd + t.pixels + skip, [block.data])
    check_page(run, page, span)


def _read_vectored(file: OpenFile, run: Run, pages: IndexArray, skip: int, blocks: Bytes) -> bool:
    """Read evenly spaced pages in few calls: pixels into place, the bytes between them into a buffer, to be checked.

    Returns whether that was possible: it is not if the bytes to check are not between the pixels of two pages.
    """
    t, size = run.template, blocks.shape[1]
    span, pixels, ifds = t.start, t.pixels + skip, run.ifd + pages * run.stride
    gap = int(ifds[1] - ifds[0]) - size
    bytes_before, bytes_after = max(0, pixels - span), max(0, span + len(t.data) - (pixels + size))
    if bytes_before > gap or bytes_after > gap or (bytes_before and bytes_after):
        return False
    file.prefetch(int(ifds[0]) + pixels, int(ifds[-1] - ifds[0]) + size)
    step = max(1, min(MAX_BUFFERS // 2, file.gap_room // max(1, gap)))
    gaps = np.empty((min(step, len(ifds)) + 1, gap), np.uint8)
    first = gap - (pixels - span) if bytes_before else span - (pixels + size)  # where in a gap the bytes to check are
    for a in range(0, len(ifds), step):
        part = blocks[a : a + step]
        buffers: list[memoryview] = [gaps[0, gap - bytes_before :].data]
        for i in range(len(part)):
            buffers += [part[i].data, gaps[i + 1].data]
        buffers[-1] = buffers[-1][:bytes_after]
        file.read_into(int(ifds[a]) + pixels - bytes_before, [b for b in buffers if len(b)])
        rows = gaps[: len(part)] if bytes_before else gaps[1 : len(part) + 1]
        check_pages(run, pages[a : a + step], rows[:, first : first + len(t.data)])
    return True
