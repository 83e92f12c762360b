"""Finds the pages of a file: by even spacing, by the chain of IFDs, or by tifffile."""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from scanreader.errors import DamagedPageError
from scanreader.files.opening import open_file
from scanreader.files.urls import is_url
from scanreader.tiff.decoding import index_decoded
from scanreader.tiff.endings import describe_ending, finish_index
from scanreader.tiff.forms import extent, read_page
from scanreader.tiff.ifd import BadIfdError, NoPageError, read_flavour
from scanreader.tiff.repair import walk
from scanreader.tiff.runs import Run
from scanreader.tiff.templates import is_sound

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile
    from scanreader.tiff.forms import Page
    from scanreader.tiff.ifd import Flavour
    from scanreader.tiff.runs import FileIndex


def index_file(path: str | os.PathLike[str]) -> FileIndex:
    """Find the pages of a file, in a time that does not grow with its size if they are evenly spaced.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    FileFormatError
        If it is not a TIFF, has no page, or its pages are not images of one integer per pixel.
    DamagedPageError
        If its chain of IFDs skips pages.
    """
    path = os.fspath(path)
    if not is_url(path):
        path = str(Path(path).absolute())  # stays valid if the working directory changes
    with open_file(path) as file:
        flavour, first = read_flavour(file)
        try:
            page = read_page(file, flavour, first)
        except BadIfdError as error:
            raise NoPageError(
                f"{file.path!r} holds no page: no IFD at byte {first} ({error}); nothing was recorded or it was cut"
            ) from None
        min_size = 0 if page is None else max(page.ifd + extent(page), page.end)
        if min_size > file.size:
            raise NoPageError(
                f"{file.path!r} holds no complete page: the first needs {min_size} bytes, the file has {file.size}"
            )
        index = None if page is None else _index_even(file, flavour, page) or walk(file, flavour, page)
    return index or index_decoded(path)


def _index_even(file: OpenFile, flavour: Flavour, first: Page) -> FileIndex | None:
    """Index the file as one run; None if its pages are not evenly spaced, judging by a few probes."""
    stride = first.next - first.ifd
    record = first.end - first.ifd
    if not len(first.template.data) + first.form.nbytes <= stride < record + extent(first):
        return None  # also if the first page is the last, or another page may be between the first two
    count = max(1, (file.size - first.ifd - extent(first)) // stride + 1)
    end = first.ifd + count * stride
    template, last_pointer = first.template, 0
    for probe in sorted({0, min(1, count - 1), count // 2, max(0, count - 2), count - 1}):
        ifd = first.ifd + probe * stride
        span = file.read(ifd + template.start, len(template.data))
        if not is_sound(template, ifd, span, ifd + stride if probe < count - 1 else -1):
            return None
        last_pointer = struct.unpack_from(flavour.word, span, template.next_at)[0]
    is_closed = last_pointer == 0
    if not is_closed and last_pointer != end % (1 << 8 * flavour.offset_size):
        return None
    if is_closed and file.size - end >= first.form.nbytes:  # room for a page that the chain may lead to
        return None
    if not is_closed and _is_complete_page(file, flavour, end):  # a last page that is shorter than the others
        return None
    ending = "" if is_closed else describe_ending(file, end, count)
    stride = stride if count > 1 else 0  # the pointer of a last page may have any value
    return finish_index(file, first.form, [Run(0, count, first.ifd, stride, first.template)], ending)


def _is_complete_page(file: OpenFile, flavour: Flavour, at: int) -> bool:
    try:
        page = read_page(file, flavour, at)
    except BadIfdError:
        return False
    return page is None or at + extent(page) <= file.size


def index_by_chain(index: FileIndex, page: int, notes: list[str] | None) -> FileIndex:
    """Index a file by its chain of IFDs because page `page` is not where its spacing says.

    A sentence about damage of the chain is appended to `notes`.

    Raises
    ------
    DamagedPageError
        If the chain does not help: it has another number of pages, or the page is in the same place.
    """
    walked = _index_walked(index.path, index.size, index.mtime_ns)
    if walked.num_pages != index.num_pages or walked.runs == index.runs:
        raise DamagedPageError(
            f"page {page} of {index.path!r} is damaged: its IFD differs from those of the other pages "
            f"({index.num_pages} pages by their spacing, {walked.num_pages} by the chain of IFDs)"
        )
    if notes is not None and walked.damage not in ("", index.damage, *notes):
        notes.append(walked.damage)
    return walked


@lru_cache(maxsize=8)
def _index_walked(path: str, _size: int, _mtime_ns: int) -> FileIndex:
    """Index a file by its chain of IFDs alone; cached for the few files whose spacing turned out to be uneven."""
    with open_file(path) as file:
        flavour, at = read_flavour(file)
        try:
            first = read_page(file, flavour, at)
        except BadIfdError as error:
            raise DamagedPageError(f"the first page of {path!r} is damaged: {error}") from None
        index = None if first is None else walk(file, flavour, first, leap=False)
    return index or index_decoded(path)
