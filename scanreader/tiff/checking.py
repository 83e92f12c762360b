"""Whether the IFDs of a run's pages agree with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import DamagedPageError
from scanreader.keys import as_slice
from scanreader.tiff.templates import ifd_matches, ifds_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from scanreader.files.local import Bytes, OpenFile
    from scanreader.keys import IndexArray
    from scanreader.tiff.runs import Run

FEW_REMOTE = 512  # pages of which a little is requested from a server at a time


class MisplacedPageError(ValueError):
    """The IFD of a page does not agree with its run."""

    def __init__(self, page: int) -> None:
        self.page = page


def check_pages(run: Run, pages: IndexArray, spans: Bytes) -> None:
    """Check that pages agree with their run; the last of a run may point anywhere.

    Raises
    ------
    MisplacedPageError
        If one of them does not.
    """
    if len(pages) == 1:
        check_page(run, int(pages[0]), spans[0].tobytes())
        return
    is_matching = find_matching(run, pages, spans)
    if not is_matching.all():
        raise MisplacedPageError(int(pages[is_matching.argmin()]))


def check_page(run: Run, page: int, span: bytes | bytearray) -> None:
    """Check that one page agrees with its run, as `check_pages` does.

    Raises
    ------
    MisplacedPageError
        If it does not.
    """
    ifd = run.ifd + page * run.stride
    if not ifd_matches(run.template, ifd, span, ifd + run.stride if page < run.length - 1 else -1):
        raise MisplacedPageError(page)


def find_matching(run: Run, pages: IndexArray, spans: Bytes) -> npt.NDArray[np.bool_]:
    """Tell which pages agree with their run."""
    ifds = run.ifd + pages * run.stride
    next_ifds = ifds + run.stride
    next_ifds[pages == run.length - 1] = -1
    return ifds_match(run.template, ifds, spans, next_ifds)


def read_around_damage(
    read_part: Callable[[slice], None], first: int, end: int
) -> Iterator[tuple[int, DamagedPageError]]:
    """Read pages `first` to `end` of a request, in halves where some are damaged; yields those, and why."""
    try:
        read_part(slice(first, end))
    except DamagedPageError as error:
        if end - first == 1:
            yield first, error
            return
    else:
        return
    middle = (first + end) // 2
    yield from read_around_damage(read_part, first, middle)
    yield from read_around_damage(read_part, middle, end)


def read_spans(file: OpenFile, data: Bytes | None, run: Run, pages: IndexArray, *, is_sparse: bool = False) -> Bytes:
    """Read the bytes to check of pages of a run, of shape (pages, bytes); `is_sparse` is as of `gather`."""
    t = run.template
    if data is not None:
        return mapped_spans(data, run, pages)
    return read_at(file, run.ifd + pages * run.stride + t.start, len(t.data), is_sparse=is_sparse)


def mapped_spans(data: Bytes, run: Run, pages: range | IndexArray) -> Bytes:
    """View the same bytes in a memory map of the file."""
    t = run.template
    shape, strides = (run.length, len(t.data)), (run.stride, 1)
    return view_strided(data, run.ifd + t.start, shape, strides, np.dtype(np.uint8))[as_slice(pages)]


def view_strided(
    data: Bytes, start: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """View bytes as an array.

    Raises
    ------
    DamagedPageError
        If it would reach beyond them.
    """
    try:
        return np.ndarray(shape, dtype, buffer=data.data, offset=start, strides=strides)
    except ValueError:
        raise DamagedPageError(
            f"pages would reach beyond the {len(data)} bytes of their file: it is damaged, or changed while it was read"
        ) from None


def read_at(file: OpenFile, starts: IndexArray, size: int, *, is_sparse: bool = False) -> Bytes:
    """Read bytes at several offsets, of shape (offsets, size); `is_sparse` is as of `gather`."""
    data = b"".join(file.gather(starts.tolist(), size, is_sparse=is_sparse))
    return np.frombuffer(data, np.uint8).reshape(len(starts), size)
