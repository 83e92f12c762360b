"""Pages of TIFF files of every kind; the fast way and the general way give the same."""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
import tifffile
from common import VOLUME, assert_reads, expected, read_warned
from hypothesis import given, settings
from hypothesis import strategies as st

from scanreader import DamagedPageError, FileFormatError, read_scan
from scanreader.simulate import SLOT, Recording, write_bigtiff, write_classic
from scanreader.tiff import maps, pages, templates
from scanreader.tiff.decoding import index_decoded
from scanreader.tiff.index import _index_chain, index_file
from scanreader.tiff.runs import FileIndex

SHAPE = (7, 12, 10)


def images(shape: tuple[int, int, int] = SHAPE, dtype: str = "int16") -> np.ndarray:
    count = int(np.prod(shape))
    return (np.arange(count) * 7919 % 24007 - 4001).astype(dtype).reshape(shape)


def read_pages(index: FileIndex, key: tuple[Any, ...] = (slice(None),) * 3, dtype: Any = None) -> np.ndarray:
    shape = (index.num_pages, index.form.height, index.form.width)
    picks = [np.arange(n)[k] for n, k in zip(shape, key, strict=True)]
    index_pages = pages.Pages((index,))
    out = np.empty([len(p) for p in picks], dtype or index_pages.dtype)
    index_pages.read(picks[0], picks[1], picks[2], out)
    return out


KEYS: list[tuple[Any, ...]] = [
    (slice(None),) * 3,
    (slice(None), slice(3, 9), slice(None)),
    (slice(None, None, 2), slice(None), slice(None)),
    (slice(None, None, -1), slice(None), slice(None)),
    ([3, 1, 1, 6], slice(None), slice(None)),
    ([3, 1, 1], slice(0, 3), [2, 2, 5]),
    (slice(None), slice(None, None, -1), slice(4, 10)),
    (slice(None), slice(8, 1, -3), slice(None, None, -2)),
    (slice(None), [5], [7]),
    ([0, 5, 2], [5, 0, 5], [7]),
    ([2], [3], slice(4)),
    (slice(1, 2), slice(None), slice(None)),
]


def assert_same(path: Path, expected_pixels: np.ndarray) -> FileIndex:
    index = index_file(path)
    assert index.num_pages == len(expected_pixels)
    for key in KEYS:
        picks = [np.arange(n)[k] for n, k in zip(expected_pixels.shape, key, strict=True)]
        np.testing.assert_array_equal(read_pages(index, key), expected_pixels[np.ix_(*picks)])
        np.testing.assert_array_equal(read_pages(index, key, "float64"), expected_pixels[np.ix_(*picks)])
    return index


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bigtiff": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "big-endian bigtiff": {"byteorder": ">", "bigtiff": True},
    "several strips": {"rowsperstrip": 5},
    "one row a strip": {"rowsperstrip": 1},
    "zlib": {"compression": "zlib"},
    "zlib with predictor": {"compression": "zlib", "predictor": True},
    "tiled": {"tile": (16, 16)},
    "tiled zlib": {"tile": (16, 16), "compression": "zlib"},
    "software": {"software": "another program", "description": "words", "metadata": None},
    "resolution": {"resolution": (300, 300), "metadata": None},
    "ImageJ": {"imagej": True},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8", "int32"])
def test_files_of_other_programs(tmp_path: Path, name: str, dtype: str) -> None:
    if name == "ImageJ" and dtype in ("int16", "int32"):
        pytest.skip("ImageJ has no such files")
    expected_pixels = images(dtype=dtype)
    with tifffile.TiffWriter(
        tmp_path / "a.tif",
        **{k: v for k, v in OPTIONS[name].items() if k in ("bigtiff", "byteorder", "imagej")},
    ) as tif:
        page_options = {k: v for k, v in OPTIONS[name].items() if k not in ("bigtiff", "byteorder", "imagej")}
        for image in expected_pixels if name != "ImageJ" else [expected_pixels]:
            tif.write(image, photometric="minisblack", **page_options)
    np.testing.assert_array_equal(reference.all_pages([tmp_path / "a.tif"]), expected_pixels)
    index = assert_same(tmp_path / "a.tif", expected_pixels)
    is_decoded = "zlib" in name or "tiled" in name
    assert bool(index.runs) is not is_decoded


def with_descriptions(images: np.ndarray, lengths: list[int] | None = None) -> list[tuple[bytes, np.ndarray]]:
    return [(b"x" * (lengths[i] if lengths else 300), image) for i, image in enumerate(images)]


@pytest.mark.parametrize("num_blanks", range(8))
def test_first_page_anywhere(tmp_path: Path, num_blanks: int) -> None:
    """The first IFD stands 0 to 7 bytes behind the header, not always at a multiple of 8."""
    write_bigtiff(tmp_path / "a.tif", b"SI.x = 1\n" + b" " * num_blanks + b"\0", b"", with_descriptions(images()))
    index = assert_same(tmp_path / "a.tif", images())
    assert len(index.runs) == 1


@pytest.mark.parametrize("first_longer", [1, 3, 6])
@pytest.mark.parametrize("num_more", [8, 80])
def test_uneven_from_some_page_on(tmp_path: Path, first_longer: int, num_more: int) -> None:
    lengths = [300] * first_longer + [300 + num_more] * (7 - first_longer)
    write_bigtiff(tmp_path / "a.tif", b"SI.x = 1\n\0", b"", with_descriptions(images(), lengths), slot=None)
    index = assert_same(tmp_path / "a.tif", images())
    assert len(index.runs) > 1


@pytest.mark.parametrize("count", [9, 10, 11, 17, 40, 100])
@pytest.mark.parametrize("run_length", [1, 7, 8, 9, 10, 33])
def test_runs_are_leapt_over(tmp_path: Path, count: int, run_length: int) -> None:
    expected_pixels = images((count, 6, 5))
    lengths = [300 if i < run_length else 340 if i < 2 * run_length else 380 for i in range(count)]
    write_bigtiff(tmp_path / "a.tif", b"SI.x = 1\n\0", b"", with_descriptions(expected_pixels, lengths), slot=None)
    index = index_file(tmp_path / "a.tif")
    walked_index = _index_chain(index.path, (index.size, index.mtime_ns))
    assert index.runs == walked_index.runs
    assert len(index.runs) <= 3
    np.testing.assert_array_equal(read_pages(index), expected_pixels)


def test_every_page_of_another_length(tmp_path: Path) -> None:
    write_bigtiff(
        tmp_path / "a.tif",
        b"SI.x = 1\n\0",
        b"",
        with_descriptions(images(), [300, 16, 900, 40, 301, 5, 77]),
        slot=None,
    )
    assert_same(tmp_path / "a.tif", images())


def ifds(path: Path) -> list[int]:
    with tifffile.TiffFile(path) as tif:
        return [page.offset for page in tif.pages]


def patch(path: Path, offset: int, value: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(struct.pack("<Q", value))


@pytest.mark.parametrize("page", [1, 3, 30, 59, 60])
def test_pixels_that_are_elsewhere_are_refused(tmp_path: Path, page: int) -> None:
    """One IFD points to bytes behind the last page, although there is room for its pixels after it, as in all pages."""
    expected_pixels = images((61, 12, 10))
    path = tmp_path / "a.tif"
    write_bigtiff(path, b"SI.x = 1\n\0", b"", with_descriptions(expected_pixels))
    end = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(expected_pixels[0].nbytes))
    patch(path, ifds(path)[page] + 8 + 6 * 20 + 12, end)
    index = index_file(path)
    for key in ((slice(None),) * 3, (slice(None), [3], [4]), ([page], slice(None), slice(None))):
        with pytest.raises(DamagedPageError, match=f"page {page} of"):
            read_pages(index, key)
    other_pages = [i for i in range(61) if i != page]
    np.testing.assert_array_equal(
        read_pages(index, (other_pages, slice(None), slice(None))), expected_pixels[other_pages]
    )
    (odd_pages,) = pages.Pages((index,)).odd_pages()
    assert f"page {page} of" in odd_pages.error


@pytest.mark.parametrize("page", [2, 13, 40])
def test_an_overwritten_page_is_refused_and_its_neighbours_are_read(tmp_path: Path, page: int) -> None:
    expected_pixels = images((61, 12, 10))
    path = tmp_path / "a.tif"
    write_bigtiff(path, b"SI.x = 1\n\0", b"", with_descriptions(expected_pixels))
    offset = ifds(path)[page]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(os.urandom(376))
    index = index_file(path)
    assert index.num_pages == 61
    for key in ((slice(None),) * 3, ([page], slice(None), slice(None)), (slice(None), [0], [0])):
        with pytest.raises(DamagedPageError, match=f"page {page} of"):
            read_pages(index, key)
    other_pages = [i for i in range(61) if i != page]
    np.testing.assert_array_equal(
        read_pages(index, (other_pages, slice(None), slice(None))), expected_pixels[other_pages]
    )


def test_the_first_page_alone(tmp_path: Path) -> None:
    write_bigtiff(tmp_path / "a.tif", b"SI.x = 1\n\0", b"", with_descriptions(images((1, 12, 10))))
    index = index_file(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_pages(index), images((1, 12, 10)))


def test_an_unclosed_file_says_so(tmp_path: Path) -> None:
    write_bigtiff(tmp_path / "a.tif", b"SI.x = 1\n\0", b"", with_descriptions(images()), closed=False)
    index = assert_same(tmp_path / "a.tif", images())
    assert "was not closed" in index.ending


def test_a_shorter_last_page_of_an_unclosed_file_is_not_lost(tmp_path: Path) -> None:
    lengths = [80] * 6 + [0]
    write_bigtiff(
        tmp_path / "a.tif", b"SI.x = 1\n\0", b"", with_descriptions(images(), lengths), slot=None, closed=False
    )
    assert_same(tmp_path / "a.tif", images())


def test_appended_rois_cost_no_walk(tmp_path: Path) -> None:
    write_classic(tmp_path / "a.tif", with_descriptions(images((40, 12, 10))), appended=b"{" + b" " * 100 + b"}")
    index = index_file(tmp_path / "a.tif")
    assert index.num_pages == 40
    assert index.ending == ""
    np.testing.assert_array_equal(read_pages(index), images((40, 12, 10)))


@pytest.mark.parametrize("num_missing", [1, 100, 250, 400, 700])
def test_a_cut_file_keeps_its_whole_pages(tmp_path: Path, num_missing: int) -> None:
    path = tmp_path / "a.tif"
    write_bigtiff(path, b"SI.x = 1\n\0", b"", with_descriptions(images()))
    os.truncate(path, path.stat().st_size - num_missing)
    index = index_file(path)
    assert index.num_pages == 6
    assert "6 complete pages" in index.ending
    np.testing.assert_array_equal(read_pages(index), images()[:6])


def test_a_zero_filled_tail(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_bigtiff(path, b"SI.x = 1\n\0", b"", with_descriptions(images()), closed=False)
    with path.open("ab") as file:
        file.write(bytes(5 * (SLOT + 700)))
    index = index_file(path)
    np.testing.assert_array_equal(read_pages(index), images())
    assert "7" in index.ending


def test_pixels_that_look_like_a_page_are_none(tmp_path: Path) -> None:
    """Found by a long draw: from some byte of the pixels on, entries of the IFD behind them can be read."""
    recording = Recording(
        release="5.1", height=11, width=15, channels=(1, 3, 4), frames_per_slice=10, frames_per_file=1, loops=2
    )
    paths = replace(recording, closed=False, resonant=False, bidirectional=False, flyto=0.0001).write(tmp_path)
    assert index_file(paths[14]).num_pages == 3


def test_a_circle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_bigtiff(path, b"SI.x = 1\n\0", b"", with_descriptions(images()))
    offsets = ifds(path)
    patch(path, offsets[-1] + 368, offsets[2])
    with pytest.raises(DamagedPageError, match="circle"):
        index_file(path)


@pytest.mark.parametrize("rows", [64, 200, 2048])
@pytest.mark.parametrize("is_signed", [True, False])
def test_classic_strips(tmp_path: Path, rows: int, is_signed: bool) -> None:
    expected_pixels = images(dtype="int16" if is_signed else "uint16")
    write_classic(tmp_path / "a.tif", with_descriptions(expected_pixels), signed=is_signed, nominal_strip=rows)
    index = assert_same(tmp_path / "a.tif", expected_pixels)
    assert len(index.runs) == 1


def test_classic_offsets_beyond_4_gib_wrap() -> None:
    """Section 3.2: files of this era beyond 4 GiB hold the lower 32 bits of each offset."""
    offset = np.array([2**32 + 8])
    np.testing.assert_array_equal(templates._wrap(offset, "<u4"), [8])


def test_without_vectored_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no preadv."""
    monkeypatch.delattr(os, "preadv", raising=False)
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    write_bigtiff(tmp_path / "a.tif", b"SI.x = 1\n\0", b"", with_descriptions(images()))
    assert_same(tmp_path / "a.tif", images())
    paths = VOLUME.write(tmp_path / "v")
    assert_reads(read_scan(paths[0]), expected(VOLUME, paths))


def test_short_reads_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network share may return fewer bytes than requested."""
    if not hasattr(os, "preadv"):
        pytest.skip("this system has no preadv")
    preadv = os.preadv

    def stingy(fd: int, buffers: list[memoryview], offset: int) -> int:
        return preadv(fd, [buffers[0][:37]], offset)

    monkeypatch.setattr(os, "preadv", stingy)
    write_bigtiff(tmp_path / "a.tif", b"SI.x = 1\n\0", b"", with_descriptions(images()))
    assert_same(tmp_path / "a.tif", images())


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (256, 256), (300, 301)])
def test_pages_of_all_sizes_by_all_ways(tmp_path: Path, height: int, width: int) -> None:
    recording = replace(VOLUME, height=height, width=width, volumes=6)
    paths = recording.write(tmp_path)
    scan = read_scan(paths[0])
    array = np.stack(expected(recording, paths))
    rng = np.random.default_rng(0)
    keys: list[tuple[Any, ...]] = [
        (slice(None),) * 5,
        (1, slice(None), slice(None), 0, slice(None)),
        (slice(None), slice(5, 11), slice(None), slice(None), slice(None, None, 2)),
        (slice(None), 3, 4),
        (2, slice(None), 7, 1, [5, 0, 3]),
        (slice(None), slice(None, None, -1), slice(None, None, 3), [1, 0], [4, 4, 1]),
        ([0, 2], rng.permutation(height), rng.permutation(width), 0, -1),
    ]
    for key in keys:
        np.testing.assert_array_equal(scan[key], reference.index(array, (*key, *[slice(None)] * (5 - len(key)))))


def test_large_reads_are_shared_between_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 20_000)
    recording = replace(VOLUME, height=60, width=50, volumes=40, frames_per_file=33)
    paths = recording.write(tmp_path)
    for dtype in (None, np.float64):
        scan = read_scan(tmp_path, dtype=dtype)
        np.testing.assert_array_equal(scan[:], np.stack(expected(recording, paths)))


def test_an_index_is_small_when_pickled(tmp_path: Path) -> None:
    (path,) = Recording(height=4, width=4, frames_per_slice=20_000).write(tmp_path)
    assert len(pickle.dumps(read_scan(path))) < 4096


def test_a_compressed_recording_reads_the_same(tmp_path: Path) -> None:
    """Saved again by another program: the block is gone, its texts are in the tags."""
    paths = VOLUME.write(tmp_path / "a")
    with (
        tifffile.TiffFile(paths[0]) as tif,
        tifffile.TiffWriter(tmp_path / "b_00001.tif", bigtiff=True) as out,
    ):
        for page in tif.pages:
            assert isinstance(page, tifffile.TiffPage)
            texts = [(n, "s", 0, page.tags[n].value, True) for n in (315,)]
            out.write(
                page.asarray(),
                compression="zlib",
                description=page.description,
                software=page.software,
                extratags=texts,
                metadata=None,
                photometric="minisblack",
            )
    assert_reads(read_scan(tmp_path / "b_00001.tif"), expected(VOLUME, paths))


def test_a_plain_tiff_is_planar_with_a_warning(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", images(), photometric="minisblack")
    scan, warning = read_warned(tmp_path / "a.tif")
    assert "not written by ScanImage" in warning
    assert scan.shape == (1, 12, 10, 1, 7)
    assert_reads(scan, reference.fields(images()))
    assert (scan.version, scan.header, scan.header_block, dict(scan.metadata)) == ("", "", "", {})


def test_a_codec_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, images(), photometric="minisblack", tile=(16, 16))
    index = index_file(path)

    def refuse_codec(*_: Any, **__: Any) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", refuse_codec)
    with pytest.raises(DamagedPageError, match="pip install imagecodecs"):
        read_pages(index)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[np.ndarray, list[int], int | None, bool]:
    count = draw(st.integers(1, 40))
    shape = (count, draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    base = draw(st.integers(0, 40))
    steps = draw(st.lists(st.sampled_from([0, 0, 0, 1, 8, -8]), min_size=count, max_size=count))
    lengths = [max(0, base + sum(steps[:i])) for i in range(count)]
    return images(shape), lengths, draw(st.sampled_from([None, 100])), draw(st.booleans())


@settings(max_examples=60, deadline=None)
@given(layouts(), st.data())
def test_the_fast_way_is_the_general_way(
    tmp_path_factory: pytest.TempPathFactory, layout: Any, data: st.DataObject
) -> None:
    expected_pixels, lengths, slot, closed = layout
    path = tmp_path_factory.mktemp("p") / "a.tif"
    write_bigtiff(path, b"SI.x = 1\n\0", b"", with_descriptions(expected_pixels, lengths), slot=slot, closed=closed)
    index = index_file(path)
    walked_index = _index_chain(index.path, (index.size, index.mtime_ns))
    decoded_index = index_decoded(path)

    def pick(size: int) -> Any:
        slices: st.SearchStrategy[Any] = st.slices(size).filter(lambda part: len(range(*part.indices(size))) > 0)
        return data.draw(slices | st.lists(st.integers(0, size - 1), min_size=1, max_size=5))

    picks = tuple(pick(size) for size in expected_pixels.shape)
    truth = expected_pixels[np.ix_(*[np.arange(n)[k] for n, k in zip(expected_pixels.shape, picks, strict=True)])]
    for file_index in (index, walked_index, decoded_index):
        assert file_index.num_pages == len(expected_pixels)
        np.testing.assert_array_equal(read_pages(file_index, picks), truth)


def test_not_every_run_of_bytes_is_an_ifd(tmp_path: Path) -> None:
    for junk in (
        b"II\x2a\0\x08\0\0\0",
        b"II\x2a\0\x08\0\0\0\xff\xff" + bytes(40),
        b"II\x2b\0\x08\0\0\0" + bytes(100),
    ):
        (tmp_path / "a.tif").write_bytes(junk)
        with pytest.raises(FileFormatError):
            index_file(tmp_path / "a.tif")


# --------------------------------------------------------------------- what holds pages


def test_pages_are_pickled_without_what_they_keep(tmp_path: Path) -> None:
    Recording(frames_per_slice=20, height=64, width=64).write(tmp_path)
    tiff_pages = pages.Pages((index_file(next(tmp_path.glob("*.tif"))),), -1)
    size = len(pickle.dumps(tiff_pages))
    tiff_pages.read(np.arange(20), range(1), range(1), np.empty((20, 1, 1), tiff_pages.dtype))
    copy = pickle.loads(pickle.dumps(tiff_pages))
    assert copy == tiff_pages
    assert (copy.files, copy.fill) == (tiff_pages.files, tiff_pages.fill)
    assert len(pickle.dumps(tiff_pages)) == size


def test_nobody_can_write_to_the_starts(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    tiff_pages = pages.Pages((index_file(path),))
    with pytest.raises(ValueError, match="read-only"):
        tiff_pages.starts[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        tiff_pages.starts.flags.writeable = True


def test_maps_are_of_one_object_and_are_let_go(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=20, height=64, width=64).write(tmp_path)
    tiff_pages = pages.Pages((index_file(path),))

    def corner(some_pages: pages.Pages) -> None:
        some_pages.read(np.arange(20), range(1), range(1), np.empty((20, 1, 1), some_pages.dtype))

    other_pages = replace(tiff_pages)
    corner(other_pages)
    assert len(maps._MAPPED) == 1
    tiff_pages.release()
    corner(tiff_pages)
    assert len(maps._MAPPED) == 1
    other_pages.release()
    assert not maps._MAPPED
    corner(replace(tiff_pages))  # the copy keeps maps, but is gone
    assert not maps._MAPPED


def test_what_is_noticed_is_put_down_once(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=60).write(tmp_path)
    index = index_file(path)
    run = index.runs[0]
    data = bytearray(path.read_bytes())
    offset = (
        run.ifd + 20 * run.stride + run.template.start + run.template.next_at
    )  # page 20 does not say what comes next
    data[offset : offset + 8] = (1 << 40).to_bytes(8, "little")
    path.write_bytes(data)
    tiff_pages, notes = pages.Pages((index_file(path),)), list[str]()
    assert len(tiff_pages.files[0].runs) == 1
    tiff_pages.descriptions(np.arange(60), None, notes)
    tiff_pages.places(np.arange(60), notes)
    tiff_pages.read(np.arange(60), range(2), range(2), np.empty((60, 2, 2), tiff_pages.dtype), notes)
    assert len(notes) == 1
    assert "page 20 of " in notes[0]
    for number in (None, 3):
        tiff_pages.descriptions(np.arange(60)[:number])  # nobody wants to know
    (odd_pages,) = tiff_pages.odd_pages()
    assert (odd_pages[1], odd_pages[2], odd_pages[3]) == ([20], "", notes[0])


def test_filled_pages_are_put_down(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=60).write(tmp_path)
    index = index_file(path)
    run = index.runs[0]
    data = bytearray(path.read_bytes())
    offset = run.ifd + 20 * run.stride
    data[offset : offset + 16] = b"\xff" * 16
    path.write_bytes(data)
    tiff_pages, notes = pages.Pages((index_file(path),), -7), list[str]()
    out = np.empty((60, *tiff_pages.form[:2]), tiff_pages.dtype)
    tiff_pages.read(np.arange(60), range(tiff_pages.form.height), range(tiff_pages.form.width), out, notes)
    assert (out[20] == -7).all()
    assert [note.partition(":")[0] for note in notes] == ["1 page cannot be read and is filled with -7"]
