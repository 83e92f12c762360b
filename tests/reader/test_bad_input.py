"""Bad input, each refused with a typed error that names the thing."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import MESOSCOPE, STACK, VOLUME, assert_reads, expected, read_warned

import scanreader
from scanreader import (
    DtypeError,
    FileFormatError,
    LayoutError,
    PathnameError,
    Scan,
    ScanImageVersionError,
    ScanReaderError,
    ScanReaderWarning,
    read_scan,
)
from scanreader.errors import (
    ChangedFileError,
    ClosedScanError,
    DamagedPageError,
    HeaderError,
    ScanIndexError,
    ScanKeyError,
)
from scanreader.simulate import Column, Recording, roi, scanfield
from scanreader.tiff.index import index_file

PLANAR = Recording(frames_per_slice=40, channels=(1, 2))


def assert_raw(paths: Sequence[Path]) -> None:
    """With raw=True, every page of the files is a frame of one field."""
    pages = reference.all_pages(paths)
    scan = read_scan(paths if len(paths) > 1 else paths[0], raw=True)
    assert scan.shape == (1, *pages.shape[1:], 1, len(pages))
    assert_reads(scan, [np.moveaxis(pages, 0, -1)[:, :, None, :]])


def chain(data: bytes) -> list[tuple[int, int]]:
    """Where the IFD of each page of a BigTIFF is, and where the next one is pointed to."""
    pointers, pointer = [], 8
    while ifd := struct.unpack_from("<Q", data, pointer)[0]:
        pointer = ifd + 8 + 20 * struct.unpack_from("<Q", data, ifd)[0]
        pointers.append((ifd, pointer))
    return pointers


def point(path: Path, nexts: dict[int, int]) -> None:
    """Let pages of a BigTIFF point to other ones as the next."""
    data = bytearray(path.read_bytes())
    pages = chain(bytes(data))
    for page, target in nexts.items():
        struct.pack_into("<Q", data, pages[page][1], pages[target][0])
    path.write_bytes(data)


def end_chain(path: Path, page: int) -> None:
    """Let a page say that it is the last."""
    with tifffile.TiffFile(path) as tif:
        is_bigtiff, ifd = tif.is_bigtiff, tif.pages[page].offset
    data = bytearray(path.read_bytes())
    (entries,) = struct.unpack_from("<Q" if is_bigtiff else "<H", data, ifd)
    struct.pack_into(
        "<Q" if is_bigtiff else "<I", data, ifd + (8 + 20 * entries if is_bigtiff else 2 + 12 * entries), 0
    )
    path.write_bytes(data)


def write_pages(path: Path, pages: Sequence[npt.NDArray[Any]], **options: Any) -> Path:
    """Write a plain TIFF."""
    options = {"photometric": "minisblack", "contiguous": False, **options}
    with tifffile.TiffWriter(path) as tif:
        for page in pages:
            tif.write(page, **options)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """One of two channels and 1500 frames."""
    Recording(frames_per_slice=1500, height=4, width=6, channels=(1, 2)).write(tmp_path)
    return read_scan(tmp_path)


# ------------------------------------------------------------------------ names


@pytest.mark.parametrize("name", ["", " ", [""], [" "]])
def test_empty_string(name: Any) -> None:
    with pytest.raises(PathnameError, match="empty"):
        read_scan(name)


@pytest.mark.parametrize("names", [[], (), iter(()), {}])
def test_empty_list(names: Any) -> None:
    with pytest.raises(PathnameError, match="empty"):
        read_scan(names)


@pytest.mark.parametrize("content", [None, "notes.txt", "scan.csv"])
def test_directory_without_a_tiff(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "monday"
    folder.mkdir()
    if content:
        (folder / content).write_text("x")
    for name in (folder, str(folder), [folder]):
        with pytest.raises(PathnameError, match="monday"):
            read_scan(name)


def test_glob_without_a_match(tmp_path: Path) -> None:
    Recording().write(tmp_path)
    for pattern in ("mouse_*.tif", "scan_0000[23].tif", "**/mouse*.tif"):
        with pytest.raises(PathnameError) as warning_records:
            read_scan(str(tmp_path / pattern))
        assert Path(pattern).name in str(warning_records.value)


def test_missing_file(tmp_path: Path) -> None:
    (path,) = Recording().write(tmp_path)
    for name in (tmp_path / "nothing.tif", [path, tmp_path / "nothing.tif"], tmp_path / "nothing.tif" / "a"):
        with pytest.raises(PathnameError, match=r"nothing\.tif"):
            read_scan(name)


def test_missing_file_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.tif"):
        read_scan(tmp_path / "nothing.tif")


@pytest.mark.parametrize("name", [5, 2.5, None, True, [3], ["a.tif", None], [["a.tif"]], object()])
def test_what_is_no_path(name: Any) -> None:
    with pytest.raises(PathnameError, match=r"not|no file"):
        read_scan(name)


@pytest.mark.parametrize("name", [5, None, 2.5])
def test_what_is_no_path_is_shown(name: Any) -> None:
    with pytest.raises(PathnameError, match=repr(name)):
        read_scan(name)
    with pytest.raises(PathnameError, match=repr(name)):
        read_scan([name])


def test_names_that_no_file_can_have() -> None:
    for name in ("a\0b.tif", "x" * 5000 + ".tif"):
        with pytest.raises(PathnameError, match=r"a.{1,4}b\.tif|xxx"):
            read_scan(name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="no file is unreadable for this user")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (path,) = Recording().write(tmp_path)
    path.chmod(0)
    with pytest.raises(PathnameError, match=r"scan_00001\.tif"):
        read_scan(path)


# ------------------------------------------------------------------------ files


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"I",
        b"II*\0",
        b"this is no TIFF at all",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        bytes(5000),
        b"II+\0\x08\0\0\0",
    ],
    ids=["empty", "one byte", "four bytes", "text", "png", "zeros", "half a BigTIFF"],
)
def test_not_a_tiff(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"broken\.tif"):
        read_scan(path)
    with pytest.raises(FileFormatError, match=r"broken\.tif"):
        read_scan(path, raw=True)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "broken.tif"
    path.touch()
    with pytest.raises(FileFormatError, match=r"broken\.tif.*empty"):
        read_scan(path)


@pytest.mark.parametrize("size", [16, 40, 1000, 6000, 6500, 8500])
def test_a_file_cut_before_its_first_page_ends(tmp_path: Path, size: int) -> None:
    (path,) = Recording(height=64, width=64).write(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FileFormatError, match=r"scan_00001\.tif"):
        read_scan(path)


def test_a_tiff_that_points_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "broken.tif"
    for head in (b"II*\0\0\0\0\0", b"II*\0\xff\xff\xff\xff", struct.pack("<2s3HQ", b"II", 43, 8, 0, 1 << 63)):
        path.write_bytes(head + bytes(100))
        with pytest.raises(FileFormatError, match=r"broken\.tif"):
            read_scan(path)


def test_rgb_pages(tmp_path: Path) -> None:
    for planes in ("contig", "separate"):
        shape = (16, 12, 3) if planes == "contig" else (3, 16, 12)
        image = np.zeros(shape, np.uint8)
        path = write_pages(tmp_path / "colour.tif", [image, image], photometric="rgb", planarconfig=planes)
        with pytest.raises(FileFormatError, match=r"colour\.tif.*RGB"):
            read_scan(path)
        with pytest.raises(FileFormatError, match=r"colour\.tif.*RGB"):
            read_scan(path, raw=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "bool"])
def test_pages_of_other_than_integers(tmp_path: Path, dtype: str) -> None:
    image = np.zeros((16, 12), dtype)
    path = write_pages(tmp_path / "trace.tif", [image, image])
    with pytest.raises(FileFormatError, match=rf"trace\.tif.*{dtype}"):
        read_scan(path)
    with pytest.raises(FileFormatError, match=rf"trace\.tif.*{dtype}"):
        read_scan(path, raw=True)


@pytest.mark.parametrize("odd_page", [1, 7, 39])
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 16), np.int16),
        np.zeros((8, 32), np.int16),
        np.zeros((16, 16), np.uint16),
        np.zeros((16, 32), np.uint8),
    ],
    ids=["smaller", "as large", "unsigned", "bytes"],
)
def test_pages_that_differ_inside_a_file(tmp_path: Path, odd_page: int, image: npt.NDArray[Any]) -> None:
    pages = [np.full((16, 16), i, np.int16) for i in range(40)]
    pages[odd_page] = image
    path = write_pages(tmp_path / "mixed.tif", pages, metadata=None)
    with pytest.raises(ScanReaderError, match=rf"mixed\.tif.*page {odd_page}\b"):
        read_warned(path)[0][:]


@pytest.mark.parametrize("odd_page", [1, 7, 30])
def test_pages_that_differ_inside_a_recording(tmp_path: Path, odd_page: int) -> None:
    pages = list(PLANAR.pages())
    frame, channel, image = pages[odd_page]
    pages[odd_page] = frame, channel, np.ascontiguousarray(image.reshape(8, 32))
    path = tmp_path / "scan_00001.tif"
    PLANAR.write_file(path, pages)
    with pytest.raises(ScanReaderError, match=rf"scan_00001\.tif.*page {odd_page}\b"):
        read_scan(path)[:]


@pytest.mark.parametrize("changes", [{"height": 20}, {"width": 12}, {"dtype": "uint16"}, {"dtype": "int32"}], ids=str)
def test_files_of_a_set_that_differ(tmp_path: Path, changes: dict[str, Any]) -> None:
    recording = replace(VOLUME, frames_per_file=5)
    paths = recording.write(tmp_path)
    pages = list(replace(recording, **changes).pages())
    recording.write_file(paths[2], pages[20:30])  # the header and the frames' texts stay
    for names in (paths[0], paths, tmp_path):
        with pytest.raises(LayoutError, match=r"scan_00001_00003\.tif.*scan_00001_00001\.tif"):
            read_scan(names, siblings=True)


def test_files_of_a_set_that_differ_with_their_forms(tmp_path: Path) -> None:
    first = replace(VOLUME, frames_per_file=5)
    paths = first.write(tmp_path)
    first.write_file(paths[2], list(replace(first, dtype="uint16").pages())[20:30])
    with pytest.raises(LayoutError, match=r"uint16.*int16"):
        read_scan(tmp_path)


# ------------------------------------------------------------------------- keys

NO_INDEX: list[Any] = [
    None,
    1.0,
    np.float64(2),
    True,
    False,
    np.True_,
    np.array(True),
    "0",
    b"0",
    {0},
    {0: 1},
    1j,
    [0.0, 1.0],
    np.array([0.5]),
    np.array(1.5),
    [None],
    ["a"],
    [True, 0],
    [0, False],
    [[0, 1]],
    [[0], [1]],
    [[0, 1], [1]],
    [[]],
    np.zeros((1, 1), int),
    np.ones((1, 2), bool),
    [slice(None)],
    [...],
    pytest.param(object(), id="object"),  # its repr is its address, which workers that share the tests differ in
    slice(0.0, 2),
    slice(None, 1.5),
    slice(None, None, 0.5),
    slice("a", None),
]


@pytest.mark.parametrize("axis", range(5))
@pytest.mark.parametrize("entry", NO_INDEX, ids=repr)
def test_what_cannot_index_an_axis(scan: Scan, entry: Any, axis: int) -> None:
    name = ("field", "row", "column", "channel", "frame")[axis]
    with pytest.raises(ScanKeyError, match=name):
        scan[(0,) * axis + (entry,)]
    with pytest.raises(ScanKeyError, match=name):
        scan[(slice(None),) * axis + (entry,) + (slice(None),) * (4 - axis)]


@pytest.mark.parametrize("axis", range(5))
def test_slice_of_step_0(scan: Scan, axis: int) -> None:
    for step in (0, np.int64(0)):
        with pytest.raises(ScanKeyError, match=r"step.*\b0\b"):
            scan[(slice(None),) * axis + (slice(None, None, step),)]


def test_two_ellipses(scan: Scan) -> None:
    for key in ((..., ...), (0, ..., 0, ...), (..., 0, ..., 1, ...)):
        with pytest.raises(ScanIndexError, match=r"\.\.\."):
            scan[key]


def test_six_entries(scan: Scan) -> None:
    for key in ((0,) * 6, (slice(None),) * 6, (0, 0, 0, ..., 0, 0, 0)):
        with pytest.raises(ScanIndexError, match=r"5 axes.*6"):
            scan[key]


@pytest.mark.parametrize(
    ("axis", "size", "words"),
    [(0, 1, "1 field"), (1, 4, "4 rows"), (2, 6, "6 columns"), (3, 2, "2 channels"), (4, 1500, "1500 frames")],
)
@pytest.mark.parametrize("difference", [-1, 1])
def test_mask_of_the_wrong_length(scan: Scan, axis: int, size: int, words: str, difference: int) -> None:
    for mask in (np.ones(size + difference, bool), [True] * (size + difference)):
        if len(mask):
            with pytest.raises(ScanIndexError, match=rf"mask of {size + difference}\b.*{words}"):
                scan[(slice(None),) * axis + (mask,)]


@pytest.mark.parametrize(
    ("axis", "name", "size"), [(0, "field", 1), (1, "row", 4), (2, "column", 6), (3, "channel", 2), (4, "frame", 1500)]
)
def test_out_of_bounds_on_each_axis(scan: Scan, axis: int, name: str, size: int) -> None:
    bad_entries: list[Any] = [10**30, -(10**30), np.uint64(2**64 - 1)]
    for index in (size, -size - 1, size + 500):
        bad_entries += [index, np.int64(index), [0, index], np.array([index, 0], np.int16)]
    for entry in bad_entries:
        number = next(i for i in np.ravel(entry).tolist() if i)
        with pytest.raises(IndexError, match=rf"{name} {number} is out of bounds.* {size} {name}"):
            scan[(0,) * axis + (entry,)]
    with pytest.raises(ScanIndexError):
        scan[(0,) * axis + (size,)]


def test_out_of_bounds_says_what_there_is(scan: Scan) -> None:
    with pytest.raises(ScanIndexError, match=r"^frame 2000 is out of bounds: the scan has 1500 frames$"):
        scan[0, 0, 0, 0, 2000]
    with pytest.raises(ScanIndexError, match=r"^channel 2 is out of bounds: the scan has 2 channels$"):
        scan[0, :, :, 2]


def test_out_of_bounds_of_a_field_names_the_field(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    small_field = scan.field_heights.index(24)
    with pytest.raises(IndexError, match=rf"row 30 .*field {small_field} has 24 rows"):
        scan[small_field, 30]


def test_bounds_are_checked_where_nothing_is_picked(scan: Scan) -> None:
    keys: list[tuple[Any, ...]] = [(0, 4, 0, 0, []), ([], 99), (0, [], 0, 2), (0, slice(0, 0), 0, 0, 1500)]
    for key in keys:
        with pytest.raises(IndexError, match="out of bounds"):
            scan[key]


def test_a_wrong_key_reads_nothing_and_harms_nothing(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.raises(IndexError):
        scan[0, 0, 0, 0, 40]
    assert_reads(scan, expected(PLANAR, paths))


# ------------------------------------------------------------------------- dtype


@pytest.mark.parametrize(
    ("native_dtype", "dtype_name"),
    [
        ("int16", "uint16"),
        ("int16", "uint64"),
        ("int16", "int8"),
        ("int16", "float16"),
        ("uint16", "int16"),
        ("uint16", "uint8"),
        ("int32", "float32"),
        ("int16", "bool"),
    ],
)
def test_dtype_that_cannot_hold_every_value(tmp_path: Path, native_dtype: str, dtype_name: str) -> None:
    Recording(dtype=native_dtype).write(tmp_path)
    for dtype in (dtype_name, np.dtype(dtype_name), np.dtype(dtype_name).type):
        with pytest.raises(DtypeError, match=rf"^{dtype_name}\b.*\b{native_dtype}\b"):
            read_scan(tmp_path, dtype)


@pytest.mark.parametrize("dtype_name", ["nonsense", "int17", 5, object(), [1, 2]])
def test_what_is_no_dtype(tmp_path: Path, dtype_name: Any) -> None:
    Recording().write(tmp_path)
    with pytest.raises(DtypeError, match=r"is not a dtype|cannot hold"):
        read_scan(tmp_path, dtype=dtype_name)


# ------------------------------------------------------- after the file was opened


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(PathnameError, match="is a folder"):
        index_file(tmp_path / "a.tif")


def test_a_slice_that_an_array_bounds(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    with pytest.raises(ScanKeyError, match="cannot be part of a slice of the row axis"):
        read_scan(tmp_path)[:, slice(np.array([1, 2]), 5)]


def test_read_after_close(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    scan = read_scan(tmp_path)
    scan.close()
    scan.close()
    for key in (0, (0, 0, 0, 0, 0), slice(0, 0), (0, 0, 0, 0, 4000)):
        with pytest.raises(ClosedScanError, match="closed"):
            scan[key]
    with pytest.raises(ClosedScanError, match="closed"):
        list(scan)
    with pytest.raises(ClosedScanError, match="closed"):
        np.asarray(scan)


def test_read_after_with(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    with read_scan(tmp_path) as scan:
        assert_reads(scan, expected(PLANAR, paths))
    with pytest.raises(ClosedScanError, match="closed"):
        scan[0]


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(100))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def rewrite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[::-1])
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000_000))


def record_anew(path: Path) -> None:
    other_recording = Recording(frames_per_slice=3, height=8, settings={"hRoiManager.scanZoomFactor": 9})
    other_recording.write(path.parent / "new")[0].replace(path)


def remove(path: Path) -> None:
    path.unlink()


Change = Callable[[Path], None]
each_change = pytest.mark.parametrize("change", [grow, cut, rewrite, record_anew, remove])


@each_change
def test_a_file_that_changed_since_it_was_opened(tmp_path: Path, change: Change) -> None:
    (path,) = PLANAR.write(tmp_path)
    scan = read_scan(path)
    change(path)
    for key in (0, (0, 3, 3, 0), (0, slice(None), slice(None), 1, -1)):
        with pytest.raises(ChangedFileError, match=r"scan_00001\.tif"):
            scan[key]


@each_change
def test_a_file_of_a_set_that_changed(tmp_path: Path, change: Change) -> None:
    recording = replace(VOLUME, frames_per_file=4)
    paths = recording.write(tmp_path)
    scan = read_scan(paths[0], siblings=True)
    expected_fields = expected(recording, paths)
    change(paths[-1])
    np.testing.assert_array_equal(scan[2, ..., :3], expected_fields[2][..., :3])
    with pytest.raises(ChangedFileError, match=paths[-1].name):
        scan[2]


@each_change
def test_a_header_that_is_read_again_from_a_file_that_changed(tmp_path: Path, change: Change) -> None:
    (path,) = PLANAR.write(tmp_path)
    opened = pickle.dumps(read_scan(path))
    change(path)
    for name in ("header", "zoom", "roi_metadata", "metadata", "version"):
        scan = pickle.loads(opened)
        with pytest.raises(ChangedFileError, match=r"scan_00001\.tif"):
            getattr(scan, name)


def test_a_compressed_file_that_changed(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "zipped.tif", [np.zeros((16, 16), np.int16)] * 3, compression="zlib")
    with pytest.warns(UserWarning, match="not written by ScanImage"):
        scan = read_scan(path)
    path.unlink()
    with pytest.raises(ChangedFileError, match=r"zipped\.tif"):
        scan[0]


# ------------------------------------------------------------------ chains of pages


@pytest.mark.parametrize("comment", ["", "1", "22", "333", "4444", "55555", "666666", "7777777"])
@pytest.mark.parametrize("channels", [(1,), (1, 2)])
def test_a_chain_that_skips_pages_behind_the_first(tmp_path: Path, channels: tuple[int, ...], comment: str) -> None:
    # The length of the header decides whether pages begin at multiples of 8 bytes.
    recording = Recording(frames_per_slice=20, channels=channels, settings={"comment": comment})
    for target in (2, 3, len(channels) * 20 - 1):
        (path,) = recording.write(tmp_path)
        point(path, {0: target})
        with pytest.raises(DamagedPageError, match=r"scan_00001\.tif"):
            read_scan(path)


@pytest.mark.parametrize("page", [1, 2, 5, 20, 24, 34])
@pytest.mark.parametrize("num_skipped", [1, 4])
@pytest.mark.parametrize("recording", [Recording(frames_per_slice=40), PLANAR, VOLUME])
def test_a_chain_that_skips_pages(tmp_path: Path, recording: Recording, page: int, num_skipped: int) -> None:
    (path,) = recording.write(tmp_path)
    point(path, {page: page + 1 + num_skipped})
    with pytest.raises(DamagedPageError, match=r"scan_00001\.tif"):
        read_scan(path)[:]


@pytest.mark.parametrize("page", [7, 8, 9, 19, 36, 37])
def test_a_chain_that_skips_pages_in_flyback_harms_no_pixel(tmp_path: Path, page: int) -> None:
    (path,) = paths = VOLUME.write(tmp_path)
    expected_fields = expected(VOLUME, paths)
    point(path, {page: page + 2})
    try:
        scan = read_scan(path)
    except DamagedPageError as error:
        assert path.name in str(error)  # noqa: PT017 - either is right
    else:
        assert_reads(scan, expected_fields)


def test_a_chain_that_skips_every_second_page(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    point(path, {page: page + 2 for page in range(0, 38, 2)})
    assert len(reference.all_pages([path])) == 21
    with pytest.raises(ScanReaderError, match=r"scan_00001\.tif"):
        read_scan(path)[:]


@pytest.mark.parametrize("page", [0, 1, 5, 37, 38])
@pytest.mark.parametrize("recording", [Recording(frames_per_slice=40), Recording(release="5.1", frames_per_slice=40)])
def test_a_chain_that_ends_before_its_last_page_is_not_passed_over_in_silence(
    tmp_path: Path, recording: Recording, page: int
) -> None:
    (path,) = recording.write(tmp_path)
    end_chain(path, page)
    assert len(reference.all_pages([path])) == page + 1
    try:
        with warnings.catch_warnings(record=True) as warning_records:
            warnings.simplefilter("always")
            scan = read_scan(path)
            pixels = scan[:]
    except ScanReaderError as error:
        assert path.name in str(error)  # noqa: PT017 - either is right
    else:
        assert path.name in str(warning_records[0].message)
        assert pixels.shape[-1] == 40


@pytest.mark.parametrize(("page", "target"), [(39, 0), (39, 20), (20, 0), (20, 20), (1, 0), (0, 0)])
def test_a_chain_that_runs_in_a_circle(tmp_path: Path, page: int, target: int) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    point(path, {page: target})
    with pytest.raises(ScanReaderError, match=r"scan_00001\.tif"):
        read_scan(path)[:]


def test_a_page_of_which_the_pixels_are_elsewhere(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=40).write(tmp_path)
    data = bytearray(path.read_bytes())
    ifd = chain(bytes(data))[7][0]
    (pixels,) = struct.unpack_from("<Q", data, ifd + 8 + 6 * 20 + 12)
    struct.pack_into("<Q", data, ifd + 8 + 6 * 20 + 12, pixels + 16)
    path.write_bytes(data)
    images = reference.all_pages([path])
    scan = read_scan(path)
    try:
        result = scan[0, :, :, 0, 7]
    except DamagedPageError as error:
        assert "page 7" in str(error)  # noqa: PT017
    else:
        np.testing.assert_array_equal(result, images[7])


# ----------------------------------------------------------- headers and their pages


def test_two_scanfields_of_one_roi_at_one_z(tmp_path: Path) -> None:
    doubled_roi = roi(
        scanfield((-3.2, 1.1), (2.4, 4.0), (24, 40)),
        scanfield((3.2, 1.1), (2.4, 2.0), (24, 20)),
        zs=(30, 30),
        name="V1",
    )
    other_roi = roi(scanfield((0.4, 1.9), (2.4, 4.0), (24, 40)), name="LM")
    single_slice = replace(MESOSCOPE, zs=(30.0,), mode="planar", flyback=0, frames_per_slice=5, rois=(other_roi,))
    path = tmp_path / "scan_00001.tif"
    whole_pages = replace(single_slice, height=80, width=24, rois=())
    text = replace(single_slice, settings={"hStackManager.zs": 30}).header_text()

    class DoubledRoi(Recording):
        def header_text(self) -> str:
            return text

        def roi_text(self) -> str:
            return replace(single_slice, rois=(doubled_roi, other_roi)).roi_text()

    DoubledRoi(height=80, width=24, frames_per_slice=5).write_file(path, whole_pages.pages())
    with pytest.raises(LayoutError, match=r"V1.*2 scanfields.*30.*raw=True"):
        read_scan(path)
    assert_raw([path])


CONTRADICTIONS: dict[str, tuple[Recording, dict[str, Any], str]] = {
    "two channels, pages of one": (
        Recording(frames_per_slice=10),
        {"hChannels.channelSave": Column([1, 2])},
        r"2 channels.*frames 1 and 2",
    ),
    "one channel, pages of two": (
        Recording(frames_per_slice=10, channels=(1, 2)),
        {"hChannels.channelSave": Column([1])},
        r"1 channel .*frame 1",
    ),
    "two channels, pages of three": (
        Recording(frames_per_slice=10, channels=(1, 2, 3)),
        {"hChannels.channelSave": Column([1, 2])},
        r"2 channels.*frame 1",
    ),
    "four channels, a volume of one": (
        replace(VOLUME, channels=(1,)),
        {"hChannels.channelSave": Column([1, 2, 3, 4])},
        r"4 channels.*frames 1 and 4",
    ),
    "averaging that was not done": (
        Recording(frames_per_slice=12),
        {"hScan2D.logAverageFactor": 4},
        r"4 frames were averaged.*1, 2",
    ),
    "averaging that is not told": (
        Recording(frames_per_slice=12, averaging=3),
        {"hScan2D.logAverageFactor": 1},
        r"1 frames? (was|were) averaged.*3, 6",
    ),
    "another averaging": (
        Recording(frames_per_slice=12, averaging=2),
        {"hScan2D.logAverageFactor": 3},
        r"3 frames were averaged.*2, 4",
    ),
    "averaging of half of that": (
        Recording(frames_per_slice=16, averaging=4),
        {"hScan2D.logAverageFactor": 2},
        r"2 frames were averaged.*4, 8",
    ),
    "averaging of a stack": (
        replace(STACK, frames_per_slice=4, averaging=2),
        {"hScan2D.logAverageFactor": 4},
        r"4 frames were averaged.*2, 4",
    ),
    "averaging that straddles slices": (
        replace(VOLUME, flyback=1),
        {"hScan2D.logAverageFactor": 2},
        r"2 frames.*slices of 1",
    ),
    "averaging that straddles volumes": (
        Recording(mode="fast", zs=(0.0, 30.0), frames_per_slice=2, flyback=1, volumes=6, averaging=2),
        {},
        r"2 frames.*volumes of 5",
    ),
    "averaging that straddles volumes in 2016b": (
        Recording(release="2016b", mode="fast", zs=(0.0, 30.0), volumes=9, flyback=1, averaging=2),
        {},
        r"2 frames.*volumes of 3",
    ),
    "averaging of a fraction": (
        Recording(frames_per_slice=12),
        {"hScan2D.logAverageFactor": 1.5},
        r"logAverageFactor.*1\.5",
    ),
    "a volume that cannot hold its slices": (
        VOLUME,
        {"hStackManager.numFramesPerVolumeWithFlyback": 2},
        r"volume of 2 .*3 slices",
    ),
    "slices that do not make up the volume": (
        VOLUME,
        {"hStackManager.actualNumSlices": 4},
        r"4 slices.*3",
    ),
    "slices that do not make up the volume in 2016b": (
        replace(VOLUME, release="2016b"),
        {"hFastZ.numFramesPerVolume": 9},
        r"9 frames.*2 flyback.*3 slices",
    ),
    "half a slice": (VOLUME, {"hStackManager.actualNumSlices": 2.5}, r"actualNumSlices.*2\.5"),
    "a stack of no known mode": (VOLUME, {"hStackManager.stackMode": "helix"}, r"stackMode.*helix"),
    "a slow stack with flyback": (
        replace(STACK, frames_per_slice=1),
        {"hStackManager.numFramesPerVolumeWithFlyback": 5},
        r"slow stack.*5.*3",
    ),
    "no channels": (Recording(frames_per_slice=4), {"hChannels.channelSave": None}, r"channelSave"),
    "frames of a slow stack that count otherwise": (
        STACK,
        {
            "hStackManager.framesPerSlice": 3,
            "hStackManager.numFramesPerVolume": 9,
            "hStackManager.numFramesPerVolumeWithFlyback": 9,
            "hStackManager.zs": [0, 0, 0, 30, 30, 30, 60, 60, 60],
        },
        r"frameNumberAcquisition",
    ),
}


@pytest.mark.parametrize(("recording", "settings", "words"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_header_that_contradicts_itself_or_the_pages(
    tmp_path: Path, recording: Recording, settings: dict[str, Any], words: str
) -> None:
    paths = replace(recording, settings=settings).write(tmp_path)
    with pytest.raises((LayoutError, HeaderError), match=words) as warning_records:
        read_scan(tmp_path)
    assert "raw=True" in str(warning_records.value)
    assert_raw(paths)


@pytest.mark.parametrize("shape", [(60, 24), (100, 24), (40, 24), (105, 24), (104, 30), (104, 12)])
def test_fields_that_do_not_make_up_the_page(tmp_path: Path, shape: tuple[int, int]) -> None:
    galvo = replace(MESOSCOPE, resonant=False)
    height, width = galvo.page_shape
    assert (height, width) == (104, 24)
    path = tmp_path / "scan_00001.tif"
    frames = replace(galvo, rois=(), height=shape[0], width=shape[1]).pages()
    galvo.write_file(path, frames)
    with pytest.raises(LayoutError, match=r"pages.*(rows|wide).*raw=True") as warning_records:
        read_scan(path)
    assert any(f" {size} " in str(warning_records.value) for size in shape)
    assert_raw([path])


def test_fields_that_do_not_make_up_the_page_of_a_resonant_scanner(tmp_path: Path) -> None:
    height, width = MESOSCOPE.page_shape
    path = tmp_path / "scan_00001.tif"
    MESOSCOPE.write_file(path, replace(MESOSCOPE, rois=(), height=height - 7, width=width).pages())
    with pytest.raises(LayoutError, match=rf"{height - 7} rows.*raw=True"):
        read_scan(path)
    assert_raw([path])


@pytest.mark.parametrize(
    "settings",
    [
        {"stackNumSlices": 5},
        {"stackNumSlices": None},
        {"fastZEnable": True},
        {"fastZEnable": None},
        {"channelsSave": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("release", ["4.2", "5.0"])
def test_older_headers_with_unknown_stack_settings(tmp_path: Path, settings: dict[str, Any], release: str) -> None:
    paths = Recording(release=release, frames_per_slice=6, settings=settings).write(tmp_path)
    with pytest.raises(ScanImageVersionError, match=r"(?s)stackNumSlices.*raw=True"):
        read_scan(tmp_path)
    assert_raw(paths)


def test_a_header_of_no_known_kind(tmp_path: Path) -> None:
    class UnknownRecording(Recording):
        def header_text(self) -> str:
            return "SI.VERSION_MAJOR = 'Next'\nSI.hOrder.pages = 'any'\n"

    paths = UnknownRecording(frames_per_slice=6).write(tmp_path)
    with pytest.raises(ScanImageVersionError, match=r"Next.*raw=True"):
        read_scan(tmp_path)
    assert_raw(paths)


def test_frames_and_slices_of_3_8_that_contradict_the_pages(tmp_path: Path) -> None:
    settings = {"acq.numberOfZSlices": 3, "acq.numberOfFrames": 4}
    paths = Recording(release="3.8", frames_per_slice=10, settings=settings).write(tmp_path)
    with pytest.raises(LayoutError, match=r"4 frames.*3 slices.*10 pages"):
        read_scan(tmp_path)
    assert_raw(paths)


def test_raw_reads_the_pages_of_the_same_files(tmp_path: Path) -> None:
    paths = replace(VOLUME, frames_per_file=5).write(tmp_path)
    pages = reference.all_pages(paths)
    assert read_scan(paths[1], raw=True, siblings=True).num_frames == len(pages)
    one_file = read_scan(paths[1], raw=True)
    assert_reads(one_file, [np.moveaxis(reference.all_pages([paths[1]]), 0, -1)[:, :, None, :]])
    assert_raw([paths[1].rename(tmp_path / "recording_a.tif")])


# ------------------------------------------------------------------- kinds of errors


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("PathnameError", FileNotFoundError),
        ("FileFormatError", ValueError),
        ("ScanImageVersionError", ValueError),
        ("HeaderError", ValueError),
        ("LayoutError", ValueError),
        ("FieldDimensionMismatch", ValueError),
        ("ScanIndexError", IndexError),
        ("ScanKeyError", TypeError),
        ("ScanKeyError", IndexError),
        ("DtypeError", TypeError),
        ("DamagedPageError", OSError),
        ("ChangedFileError", OSError),
        ("ClosedScanError", ValueError),
        ("ScanReaderWarning", UserWarning),
    ],
)
def test_errors_are_the_builtins_that_a_caller_expects(name: str, builtin: type[Exception]) -> None:
    kind = getattr(scanreader.errors, name)
    assert issubclass(kind, builtin)
    assert name in (scanreader.errors.__doc__ or "")
    if builtin is not UserWarning:
        assert issubclass(kind, ScanReaderError)


def test_every_error_is_in_the_tree() -> None:
    kinds = [k for k in vars(scanreader.errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    for kind in kinds:
        assert kind.__name__ in (scanreader.errors.__doc__ or "")
        assert getattr(scanreader, kind.__name__) is kind


def test_errors_say_where_raw_helps_also_when_pickled() -> None:
    hint = "refused; raw=True reads the pages as they are stored"
    errors = [LayoutError("refused"), LayoutError("refused", raw_helps=False), HeaderError("refused", raw_helps=True)]
    for errors_read in (errors, pickle.loads(pickle.dumps(errors))):
        assert [str(error) for error in errors_read] == [hint, "refused", hint]


def test_the_older_name_of_the_error() -> None:
    assert scanreader.ScanReaderException is ScanReaderError


def test_unequal_fields_at_once_are_refused_with_their_sizes(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    for read_all in (lambda: scan[:], lambda: scan.shape, lambda: scan.image_height, lambda: np.asarray(scan)):
        with pytest.raises(scanreader.FieldDimensionMismatch, match=r"40.*24"):
            read_all()


def test_a_scan_outlives_a_change_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recording(frames_per_slice=3).write(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    scan = read_scan("here")
    pixels = scan[:]
    monkeypatch.chdir("here")
    assert np.array_equal(scan[:], pixels)
    assert np.array_equal(pickle.loads(pickle.dumps(scan))[:], pixels)


def test_a_file_that_was_touched_says_so(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    scan = read_scan(path)
    os.utime(path, (1, 1))
    with pytest.raises(ChangedFileError, match="written to"):
        scan[:]


def test_an_open_file_is_no_path(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    with path.open("rb") as file, pytest.raises(PathnameError, match="expected a path"):
        read_scan(file)  # type: ignore[arg-type] # that is the point


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder, width in (("a", 16), ("b", 20)):
        Recording(frames_per_slice=3, width=width, epoch=(2020, 1, 1, 1, 1, width)).write(tmp_path / folder)
    with pytest.raises(PathnameError, match=r"[/\\]a[/\\].*[/\\]b[/\\]"):
        read_scan(tmp_path / "*" / "*.tif")


def test_every_warning_is_kept_as_a_finding(tmp_path: Path) -> None:
    (path,) = replace(VOLUME, volumes=3).write(tmp_path)
    os.truncate(path, path.stat().st_size - 100)
    with pytest.warns(ScanReaderWarning) as warning_records:
        scan = read_scan(path)
    assert [finding.name for finding in scan.findings] == ["cut-end", "partial-volume"]
    assert all(finding.sentence in str(warning_records[0].message) for finding in scan.findings)
    assert str(scan.findings[0]) == scan.findings[0].sentence
