"""Texts in the tags of pages, above all ImageDescriptions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from scanreader.errors import DamagedPageError
from scanreader.files.urls import is_url
from scanreader.tiff.checking import FEW_REMOTE, check_pages, read_around_damage, read_spans
from scanreader.tiff.decoding import decode_tags
from scanreader.tiff.ifd import DESCRIPTION, SIZES, BadIfdError, read_ifd, read_text, tag_bytes
from scanreader.tiff.index import index_by_chain, read_by_runs
from scanreader.tiff.reopening import reopen
from scanreader.tiff.templates import FEW_PAGES, column, ifd_matches

if TYPE_CHECKING:
    from typing import Any

    from scanreader.files.local import Bytes, OpenFile
    from scanreader.keys import IndexArray
    from scanreader.tiff.ifd import Flavour, Tag
    from scanreader.tiff.runs import FileIndex, Run

WRAP = 1 << 32
FAR = 1 << 62  # bytes: more than any file has


def read_tag(index: FileIndex, page: int, code: int, limit: int | None = None, notes: list[str] | None = None) -> bytes:
    """Return the bytes of a tag of one page of a file; b'' if it has none. Notes are appended to `notes`.

    Raises
    ------
    DamagedPageError
        If the page's IFD cannot be read.
    """
    if not index.runs:
        return decode_tags(index, [page], code, limit)[0]
    run = next(run for run in reversed(index.runs) if run.page <= page)
    at, t = run.ifd + (page - run.page) * run.stride, run.template
    with reopen(index) as file:
        if ifd_matches(t, at, file.read(at + t.start, len(t.data)), -1):
            if code == DESCRIPTION:
                return _description(file, index, run, at, limit)
            tag = _find_tag(file, t.flavour, at, code)
            return b"" if tag is None else tag_bytes(file, t.flavour, tag, limit)
    return read_tag(index_by_chain(index, page, notes), page, code, limit, notes)


def read_descriptions_or_none(
    index: FileIndex, pages: IndexArray, limit: int | None, notes: list[str] | None
) -> list[bytes]:
    """Read the descriptions of pages of a file; b'' also for pages that cannot be read."""
    texts = [b""] * len(pages)

    def read(part: slice) -> None:
        texts[part] = read_descriptions(index, pages[part], limit, notes)

    for _ in read_around_damage(read, 0, len(pages)):
        pass  # the text stays empty
    return texts


def read_descriptions(index: FileIndex, pages: IndexArray, limit: int | None, notes: list[str] | None) -> list[bytes]:
    """Read the descriptions of pages of a file, at most `limit` bytes of each; b'' if a page has none."""
    if not index.runs:
        return decode_tags(index, pages.tolist(), DESCRIPTION, limit)
    is_remote = is_url(index.path)
    if len(pages) < (2 if is_remote else FEW_PAGES):
        return [read_tag(index, page, DESCRIPTION, limit, notes) for page in pages.tolist()]
    if is_remote and len(pages) > FEW_REMOTE:
        parts = (pages[a : a + FEW_REMOTE] for a in range(0, len(pages), FEW_REMOTE))
        return [text for part in parts for text in read_descriptions(index, part, limit, notes)]
    texts: list[bytes] = []
    with reopen(index) as file:
        data = file.map()  # descriptions are read once: their memory map is not kept

        def read_run(run: Run, pages_in_run: IndexArray, _: slice) -> None:
            texts.extend(_descriptions_of_run(file, data, index, run, pages_in_run, limit))

        def read_by_chain(chain_index: FileIndex, part: slice) -> None:
            texts.extend(read_descriptions(chain_index, pages[part], limit, notes))

        read_by_runs(index, pages, notes, read_run, read_by_chain)
    return texts


def _descriptions_of_run(
    file: OpenFile, data: Bytes | None, index: FileIndex, run: Run, pages: IndexArray, limit: int | None
) -> list[bytes]:
    """Read descriptions of pages of a run, by the same entry of each page's IFD, which is checked."""
    t, ifds, spans = run.template, run.ifd + pages * run.stride, read_spans(file, data, run, pages)
    check_pages(run, pages, spans)
    flavour = t.flavour
    sampled_tags = (_find_tag(file, flavour, at, DESCRIPTION) for at in ifds[[0, len(ifds) // 2, -1]].tolist())
    tag = next(filter(None, sampled_tags), None)
    if tag is None:
        return [b""] * len(pages)
    value_at = tag.at - t.start
    tags_and_types = column(spans, value_at - flavour.value_at, flavour.order + "u4")
    if (tags_and_types != tags_and_types[0]).any():
        return [_description(file, index, run, at, limit) for at in ifds.tolist()]
    sizes = column(spans, value_at - flavour.offset_size, t.word).astype(np.int64) * SIZES.get(tag.kind, 1)
    starts = _unwrap(file, flavour, ifds, column(spans, value_at, t.word).astype(np.int64))
    starts = np.where(sizes <= len(tag.value), ifds + tag.at, starts)
    first, end = _record(run, ifds)
    is_own = (starts >= first) & (sizes >= 0) & (starts + sizes <= end)
    if 2 * is_own.sum() > len(is_own):
        sizes[~is_own] = 0  # a flipped bit makes it the text of another page
    if limit is not None:
        sizes = np.minimum(sizes, limit)
    places = zip(starts.tolist(), sizes.tolist(), strict=True)
    if data is None and file.gathers and len(sizes):
        texts = file.gather(starts.tolist(), int(sizes.max()))
        return [text[:size] for text, size in zip(texts, sizes.tolist(), strict=True)]
    if data is None:
        return [file.read(start, size) for start, size in places]
    view = data.data
    return [view[start : start + size].tobytes() if start >= 0 else b"" for start, size in places]


def _description(file: OpenFile, index: FileIndex, run: Run, at: int, limit: int | None) -> bytes:
    """Read the description of the page whose IFD is at byte `at`; b'' if it has none, or points to another page's."""
    flavour = run.template.flavour
    tag = _find_tag(file, flavour, at, DESCRIPTION)
    if tag is None:
        return b""
    start, size = _place(file, flavour, at, tag)
    if not _is_own(run, at, start, size):
        first, last = index.runs[0], index.runs[-1]
        other_run, other_at = (
            (first, first.ifd) if at != first.ifd else (last, last.ifd + (last.length - 1) * last.stride)
        )
        other_tag = _find_tag(file, flavour, other_at, DESCRIPTION)
        if other_tag is not None and _is_own(other_run, other_at, *_place(file, flavour, other_at, other_tag)):
            return b""
    return read_text(file, start, size if limit is None else min(size, limit))


def _place(file: OpenFile, flavour: Flavour, at: int, tag: Tag) -> tuple[int, int]:
    """Where the value of a tag is in the file, and its size in bytes."""
    size = SIZES.get(tag.kind, 1) * tag.length
    if size <= len(tag.value):
        return at + tag.at, size
    return int(_unwrap(file, flavour, at, struct.unpack(flavour.word, tag.value)[0])), size


def _unwrap(file: OpenFile, flavour: Flavour, ifds: Any, starts: Any) -> Any:
    """Offsets of values near their IFDs, of which a classic TIFF of more than 4 GiB holds only the lower bits."""
    if flavour.is_big or file.size <= WRAP:
        return starts
    return ifds + (starts - ifds + WRAP // 2) % WRAP - WRAP // 2


def _is_own(run: Run, at: int, start: int, size: int) -> bool:
    """Whether bytes belong to the page whose IFD is at byte `at`."""
    first, end = _record(run, at)
    return bool(first <= start and start + size <= end)


def _record(run: Run, ifds: Any) -> tuple[Any, Any]:
    """Where the bytes of pages that follow their IFDs begin and end: at their pixels, or at those of the next page."""
    pixels = run.template.pixels
    if pixels > 0:
        return ifds, ifds + pixels
    return ifds, ifds + (run.stride + pixels if run.stride else FAR)


def _find_tag(file: OpenFile, flavour: Flavour, at: int, code: int) -> Tag | None:
    """Find a tag of the page whose IFD is at byte `at`; None if it has none."""
    try:
        return read_ifd(file, flavour, at).tags.get(code)
    except BadIfdError as error:
        raise DamagedPageError(f"a page of {file.path!r} is damaged, at byte {at}: {error}") from None
