"""Finds the pages of a file: by even spacing, by the chain of IFDs, or by tifffile."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from scanreader.errors import DamagedPageError
from scanreader.files.opening import open_file
from scanreader.files.urls import is_url
from scanreader.tiff.checking import MisplacedPageError
from scanreader.tiff.decoding import index_decoded
from scanreader.tiff.endings import describe_ending, finish_index
from scanreader.tiff.forms import contradicts_plain, extent, is_complete, read_page
from scanreader.tiff.ifd import BadIfdError, NoPageError, read_flavour, read_ifd
from scanreader.tiff.reopening import reopen
from scanreader.tiff.repair import walk
from scanreader.tiff.runs import Run, group_pages
from scanreader.tiff.templates import ifd_matches, is_of_damaged, next_ifd_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.files.local import OpenFile
    from scanreader.keys import IndexArray
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
        page = _read_first(file, flavour, first)
        index = None if page is None else _index_even(file, flavour, page) or walk(file, flavour, page)
    return index or index_decoded(path)


def _read_first(file: OpenFile, flavour: Flavour, at: int) -> Page | None:
    """Read the first page of a file; None if it has to be decoded.

    Raises
    ------
    NoPageError
        If there is none, or it is not complete, or damaged.
    """
    try:
        page = read_page(file, flavour, at) or _read_damaged_first(file, flavour, at)
    except BadIfdError as error:
        if error.next_ifd is None:
            problem = f"holds no page: no IFD at byte {at} ({error}); nothing was recorded or it was cut"
        else:
            problem = f"holds no page that can be read: its first, at byte {at}, is damaged ({error})"
        raise NoPageError(f"{file.path!r} {problem}") from None
    if page is not None and not is_complete(page, file.size):
        size = max(page.ifd + extent(page), page.end)
        raise NoPageError(
            f"{file.path!r} holds no complete page: the first needs {size} bytes, the file has {file.size}"
        )
    return page


def _read_damaged_first(file: OpenFile, flavour: Flavour, at: int) -> Page | None:
    """Read a first page that is not plain although the second is; None if it may have to be decoded.

    Raises
    ------
    BadIfdError
        If more is wrong with it than the size of its strip.
    """
    next_ifd = read_ifd(file, flavour, at).next_ifd
    try:
        second_page = read_page(file, flavour, next_ifd) if next_ifd else None
    except BadIfdError:
        return None
    if not next_ifd and (page := read_page(file, flavour, at, trust_size=False)):
        raise BadIfdError(f"its strip is not of the size of its pixels, which are {page.form}", next_ifd)
    if second_page is None or not contradicts_plain(file, flavour, at, second_page.form.nbytes):
        return None
    page = read_page(file, flavour, at, trust_size=False)
    if page is None or page.form != second_page.form:
        raise BadIfdError("its tags contradict those of the next page", next_ifd)
    return page


def _index_even(file: OpenFile, flavour: Flavour, first: Page) -> FileIndex | None:
    """Index the file as one run; None if its pages are not evenly spaced, judging by a few probes."""
    stride = first.next_ifd - first.ifd
    record = first.end - first.ifd
    if not len(first.template.data) + first.form.nbytes <= stride < record + extent(first):
        return None  # also if the first page is the last, or another page may be between the first two
    count = max(1, (file.size - first.ifd - extent(first)) // stride + 1)
    end = first.ifd + count * stride
    template, last_pointer = first.template, 0
    probes = sorted({0, min(1, count - 1), count // 2, max(0, count - 2), count - 1})
    spans = file.gather([first.ifd + probe * stride + template.start for probe in probes], len(template.data))
    for probe, span in zip(probes, spans, strict=True):
        ifd = first.ifd + probe * stride
        if not ifd_matches(template, ifd, span, ifd + stride if probe < count - 1 else -1):
            return None
        last_pointer = next_ifd_of(template, span)
    is_closed = last_pointer == 0
    if not is_closed and last_pointer != end % (1 << 8 * flavour.offset_size):
        return None
    if is_closed and file.size - end >= first.form.nbytes:  # room for a page that the chain may lead to
        return None
    if not is_closed and _is_complete_page(file, flavour, end):  # a last page that is shorter than the others
        return None
    ending = "" if is_closed else describe_ending(file, end, count)
    stride = stride if count > 1 else 0  # the pointer of a last page may have any value
    return finish_index(file, first, [Run(0, count, first.ifd, stride, first.template)], ending)


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
    with reopen(index) as file:
        chain_index = _index_chain(index.path, (*file.identity, file.ctime_ns, *index.stamp))
    run = next((run for run in reversed(chain_index.runs) if run.page <= page), None)
    is_damaged = run is not None and is_of_damaged(run.template)
    if chain_index.num_pages != index.num_pages or chain_index.runs == index.runs or is_damaged:
        counts = f"{index.num_pages} pages by their spacing, {chain_index.num_pages} by the chain of IFDs"
        raise DamagedPageError(
            f"page {page} of {index.path!r} is damaged: its IFD contradicts those of the other pages ({counts})"
        )
    if notes is not None and chain_index.damage not in ("", index.damage, *notes):
        notes.append(chain_index.damage)
    return chain_index


def read_by_runs(
    index: FileIndex,
    pages: IndexArray,
    notes: list[str] | None,
    read_run: Callable[[Run, IndexArray, slice], None],
    read_by_chain: Callable[[FileIndex, slice], None],
) -> None:
    """Read pages of a file, run by run.

    Parameters
    ----------
    notes : list of str or None
        A sentence about damage of the chain of IFDs is appended to it.
    read_run : callable
        Gets a run, numbers of pages in it, and their places in `pages`.
    read_by_chain : callable
        Gets an index made from the chain of IFDs, and places in `pages`: called where a page is not where its run says.
    """
    for run_number, a, b in group_pages(pages, [run.page for run in index.runs]):
        run, part = index.runs[run_number], slice(a, b)
        try:
            read_run(run, pages[part] - run.page, part)
        except MisplacedPageError as error:
            read_by_chain(index_by_chain(index, run.page + error.page, notes), part)


@lru_cache(maxsize=8)
def _index_chain(path: str, _version: tuple[int, ...]) -> FileIndex:
    """Index a file by its chain of IFDs alone; cached for the few files whose spacing turned out to be uneven."""
    with open_file(path) as file:
        flavour, at = read_flavour(file)
        first = _read_first(file, flavour, at)
        index = None if first is None else walk(file, flavour, first, skip_even=False)
    return index or index_decoded(path)
