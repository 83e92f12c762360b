"""Pointers that are wrong beside pages that are damaged: what is whole is read, and what is lost is said."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile

from scanreader import DamagedPageError, FileFormatError
from scanreader.simulate import Recording
from scanreader.tiff.index import index_file
from scanreader.tiff.pages import Pages
from scanreader.tiff.runs import FileIndex

COUNT = 20
KINDS: dict[str, Recording] = {
    "even spacing": Recording(frames_per_slice=COUNT, slot=400, height=6, width=7),
    "uneven spacing": Recording(frames_per_slice=COUNT, resonant=False, height=5, width=7),
    "3.8": Recording(release="3.8", frames_per_slice=COUNT, height=6, width=8),
    "5.1": Recording(release="5.1", frames_per_slice=COUNT, height=6, width=8),
}
POINTERS = ["zero", "itself", "the page before", "pixels", "beyond the end"]


class RecordedFile:
    """A recording, where its IFDs are, and its pages as tifffile reads them."""

    def __init__(self, folder: Path, recording: Recording) -> None:
        (self.path,) = recording.write(folder)
        self.data = bytearray(self.path.read_bytes())
        self.right = reference.all_pages([self.path])
        with tifffile.TiffFile(self.path) as tif:
            self.word = 8 if tif.is_bigtiff else 4
            head = (16, 20) if tif.is_bigtiff else (6, 12)
            pages = [page for page in tif.pages if isinstance(page, tifffile.TiffPage)]
        self.ifds = [page.offset for page in pages]
        self.pixels = [page.dataoffsets[0] for page in pages]
        self.sizes = [head[0] + head[1] * len(page.tags) for page in pages]

    def point(self, page: int, pointer: str) -> None:
        """Let the pointer of a page be wrong."""
        target = {
            "zero": 0,
            "itself": self.ifds[page],
            "the page before": self.ifds[max(0, page - 1)],
            "pixels": self.pixels[page] + 20,
            "beyond the end": len(self.data) + 1000,
        }[pointer]
        offset = self.ifds[page] + self.sizes[page] - self.word
        self.data[offset : offset + self.word] = target.to_bytes(self.word, "little")

    def spoil(self, page: int) -> None:
        """Write noise over the IFD of a page."""
        offset, size = self.ifds[page], self.sizes[page]
        self.data[offset : offset + size] = np.random.default_rng(page).bytes(size)

    def index(self) -> FileIndex:
        self.path.write_bytes(self.data)
        return index_file(self.path)


def read_each(index: FileIndex) -> dict[int, npt.NDArray[Any]]:
    """The pages that can be read."""
    images = {}
    for page in range(index.num_pages):
        out = np.empty((1, *index.form[:2]), np.dtype(index.form.dtype))
        try:
            Pages((index,)).read(np.array([page]), range(index.form.height), range(index.form.width), out)
        except DamagedPageError:
            continue
        images[page] = out[0]
    return images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pointer", POINTERS)
@pytest.mark.parametrize("page", [0, 1, 2, 10, 17, 18, 19])
@pytest.mark.parametrize("distance", [None, -1, 1])
def test_a_wrong_pointer_beside_a_damaged_page(
    tmp_path: Path, kind: str, pointer: str, page: int, distance: int | None
) -> None:
    recorded_file = RecordedFile(tmp_path, KINDS[kind])
    lost_pages = set() if distance is None else {page + distance} & set(range(COUNT))
    recorded_file.point(page, pointer)
    for lost_page in lost_pages:
        recorded_file.spoil(lost_page)
    try:
        index = recorded_file.index()
    except (DamagedPageError, FileFormatError) as error:
        assert lost_pages == {0} or "circle" in str(error)  # noqa: PT017 - the others are read as far as they are whole
        return
    images = read_each(index)
    assert index.num_pages == COUNT
    assert all(np.array_equal(image, recorded_file.right[number]) for number, image in images.items())
    refused_pages = set(range(COUNT)) - set(images)
    is_circle = pointer in ("itself", "the page before")
    assert refused_pages - {page} <= lost_pages
    assert is_circle or refused_pages == lost_pages
    damaged_pages = [odd_page for odd_page in Pages((index,)).odd_pages() if odd_page.error or odd_page.damage]
    assert not refused_pages or damaged_pages


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("page", [3, 12])
def test_pages_that_are_lost_at_the_end_are_said(tmp_path: Path, kind: str, page: int) -> None:
    """The chain ends at a page, and all pages after it are noise: nothing is left that could be counted."""
    recorded_file = RecordedFile(tmp_path, KINDS[kind])
    recorded_file.point(page, "zero")
    for lost_page in range(page + 1, COUNT):
        recorded_file.spoil(lost_page)
    index = recorded_file.index()
    assert index.num_pages == page + 1
    assert f"page {page} of" in index.damage
    assert "bytes follow in which no page is found" in index.damage


@pytest.mark.parametrize("size", [50, 300, 700, 5000])
def test_appended_rois_are_no_lost_pages(tmp_path: Path, size: int) -> None:
    """As 5.1 appends them, with their length in the last 4 bytes; however large they are."""
    recorded_file = RecordedFile(tmp_path, KINDS["5.1"])
    rois = b"{" + b" " * size + b"}"
    recorded_file.data += rois + len(rois).to_bytes(4, "little")
    index = recorded_file.index()
    assert (index.num_pages, index.damage, index.ending) == (COUNT, "", "")
    assert len(read_each(index)) == COUNT


def test_a_wrong_size_of_a_strip_harms_no_pixel(tmp_path: Path) -> None:
    recorded_file = RecordedFile(tmp_path, KINDS["even spacing"])
    for page in (0, 5, COUNT - 1):
        recorded_file.data[recorded_file.ifds[page] + 8 + 10 * 20 + 12] ^= 8
    images = read_each(recorded_file.index())
    assert all(np.array_equal(images[page], recorded_file.right[page]) for page in range(COUNT))


@pytest.mark.parametrize("page", [0, 7])
def test_an_odd_tag_harms_no_pixel(tmp_path: Path, page: int) -> None:
    """Tags out of order, and of unknown types, that say nothing about pixels; seen where the page is not like others."""
    recorded_file = RecordedFile(tmp_path, KINDS["even spacing"])
    offset = recorded_file.ifds[page] + 8 + 12 * 20
    recorded_file.data[offset : offset + 2] = (275).to_bytes(2, "little")
    recorded_file.data[offset + 22] = 99
    images = read_each(recorded_file.index())
    assert all(np.array_equal(images[page], recorded_file.right[page]) for page in range(COUNT))


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_after_a_lost_one_may_have_a_wrong_description(tmp_path: Path, kind: str) -> None:
    """Found by mutations: its description overlaps its pixels, which are where those of the other pages are."""
    recorded_file = RecordedFile(tmp_path, KINDS[kind])
    recorded_file.spoil(7)
    offset = recorded_file.ifds[8] + (8 + 5 * 20 + 12 if recorded_file.word == 8 else 2 + 5 * 12 + 8)
    recorded_file.data[offset : offset + recorded_file.word] = (recorded_file.pixels[8] + 5).to_bytes(
        recorded_file.word, "little"
    )
    images = read_each(recorded_file.index())
    assert set(images) >= set(range(COUNT)) - {7, 8}
    assert all(np.array_equal(image, recorded_file.right[page]) for page, image in images.items())


def test_many_damaged_pages_cost_no_warning_each(tmp_path: Path) -> None:
    recorded_file = RecordedFile(tmp_path, KINDS["even spacing"])
    for page in (4, 9, 10, 14):
        recorded_file.spoil(page)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index = recorded_file.index()
        assert sorted(read_each(index)) == [page for page in range(COUNT) if page not in (4, 9, 10, 14)]
