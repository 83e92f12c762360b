"""Texts in the tags of pages, above all ImageDescriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scanreader.errors import DamagedPageError
from scanreader.files.urls import is_url
from scanreader.tiff.checking import FEW_REMOTE, StrayPageError, check_pages, read_around_damage, read_spans
from scanreader.tiff.decoding import decode_tags
from scanreader.tiff.ifd import DESCRIPTION, SIZES, BadIfdError, read_ifd, tag_bytes
from scanreader.tiff.index import index_by_chain
from scanreader.tiff.reopening import reopen
from scanreader.tiff.runs import group_pages
from scanreader.tiff.templates import FEW_PAGES, column, is_sound

if TYPE_CHECKING:
    from scanreader.files.local import Bytes, OpenFile
    from scanreader.keys import IndexArray
    from scanreader.tiff.ifd import Flavour, Tag
    from scanreader.tiff.runs import FileIndex, Run


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
        if is_sound(t, at, file.read(at + t.start, len(t.data)), -1):
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
    if len(pages) < FEW_PAGES:
        return [read_tag(index, page, DESCRIPTION, limit, notes) for page in pages.tolist()]
    if is_url(index.path) and len(pages) > FEW_REMOTE:
        parts = (pages[a : a + FEW_REMOTE] for a in range(0, len(pages), FEW_REMOTE))
        return [text for part in parts for text in read_descriptions(index, part, limit, notes)]
    texts: list[bytes] = []
    with reopen(index) as file:
        data = file.map()  # descriptions are read once: their memory map is not kept
        for which, a, b in group_pages(pages, [run.page for run in index.runs]):
            run = index.runs[which]
            try:
                texts += _descriptions_of_run(file, data, run, pages[a:b] - run.page, limit)
            except StrayPageError as error:
                walked = index_by_chain(index, run.page + error.page, notes)
                texts += read_descriptions(walked, pages[a:b], limit, notes)
    return texts


def _descriptions_of_run(
    file: OpenFile, data: Bytes | None, run: Run, pages: IndexArray, limit: int | None
) -> list[bytes]:
    """Read descriptions of pages of a run, by the same entry of each page's IFD, which is checked."""
    t, ifds, spans = run.template, run.ifd + pages * run.stride, read_spans(file, data, run, pages)
    check_pages(run, pages, spans)
    flavour = t.flavour
    tag = _find_tag(file, flavour, int(ifds[0]), DESCRIPTION)
    if tag is None:
        return [b""] * len(pages)
    value_at = tag.at - t.start
    entry_at = value_at - flavour.value_at
    tags_and_types = column(spans, entry_at, flavour.order + "u4")
    if (tags_and_types != tags_and_types[0]).any():
        tags = (_find_tag(file, flavour, at, DESCRIPTION) for at in ifds.tolist())
        return [b"" if tag is None else tag_bytes(file, flavour, tag, limit) for tag in tags]
    sizes = column(spans, entry_at + 4, t.word).astype(np.int64) * SIZES.get(tag.kind, 1)
    starts = column(spans, value_at, t.word).astype(np.int64)
    if not flavour.big and file.size > 0xFFFFFFFF:  # the upper bits of the offset are those of its page
        starts = ifds + (starts - ifds).astype(np.int32)
    starts = np.where(sizes <= len(tag.value), ifds + tag.at, starts)
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


def _find_tag(file: OpenFile, flavour: Flavour, at: int, code: int) -> Tag | None:
    """Find a tag of the page whose IFD is at byte `at`; None if it has none."""
    try:
        return read_ifd(file, flavour, at).tags.get(code)
    except BadIfdError as error:
        raise DamagedPageError(f"a page of {file.path!r} is damaged, at byte {at}: {error}") from None
