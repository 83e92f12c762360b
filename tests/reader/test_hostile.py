"""Files that claim or hold anything: refused by our own errors, or read, in little time and memory."""

from __future__ import annotations

import json
import lzma
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import scanreader
from scanreader import Scan, ScanReaderError, read_scan
from scanreader.errors import DamagedPageError, FileFormatError, HeaderError, LayoutError, PathnameError
from scanreader.recording.fields import Field, Piece
from scanreader.recording.joining import join_contiguous
from scanreader.scanimage.descriptions import FRAME_TABLE, fill_table
from scanreader.scanimage.header import Header
from scanreader.scanimage.literals import integers, parse_literal
from scanreader.scanimage.settings import number_list
from scanreader.simulate import Recording
from scanreader.tiff.inflating import INFLATE, inflate, jpeg_shape

pytestmark = pytest.mark.filterwarnings("ignore::scanreader.errors.ScanReaderWarning")

Tag = tuple[int, int, int, int]
BYTE_PAGE: list[Tag] = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8)]  # one pixel of 8 bits
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
MEASURING_SCRIPT = """
import resource, sys, warnings
warnings.simplefilter("ignore")
from scanreader import ScanReaderError, read_scan
path = sys.argv[1]
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), -1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
{}
except ScanReaderError as error:
    print(type(error).__name__, len(str(error)), end=" ")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def resources_used(path: Path, code: str = "read_scan(path)", seconds: int = 30) -> tuple[str, int]:
    """Run code on a file in a process of its own: the error that came, and MB of memory that it took.

    It fails if the process needs more seconds of the processor: how busy the machine is does not count.
    """
    pytest.importorskip("resource")
    script = MEASURING_SCRIPT.format(textwrap.indent(textwrap.dedent(code), "    "))
    environment = {**os.environ, "PYTHONPATH": str(Path(scanreader.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", script, str(path), str(seconds)],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    *error, memory = result.stdout.split()
    assert not error or int(error[1]) < 11_000
    return error[0] if error else "", int(memory) if sys.platform == "linux" else 0


def is_within(result: tuple[str, int], error: str, most_megabytes: int) -> bool:
    """Whether the expected error came, and no more than so many MB were taken."""
    return result[0] == error and result[1] < most_megabytes


def ifd(tags: Iterable[Tag], next_ifd: int, *, is_bigtiff: bool = False) -> bytes:
    """An IFD of tags, each a code, a type, a number of values, and a value or its place."""
    tags = sorted(tags)
    head, entry, word = ("<Q", "<HHQQ", "<Q") if is_bigtiff else ("<H", "<HHII", "<I")
    entries = b"".join(struct.pack(entry, *tag) for tag in tags)
    return struct.pack(head, len(tags)) + entries + struct.pack(word, next_ifd)


def page_tags(side: int, strip: int, size: int, compression: int = 1) -> list[Tag]:
    """Tags of a page of 8-bit pixels, in one strip."""
    page = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1)]
    return [*page, (273, 4, 1, strip), (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, size)]


def tiff_of(path: Path, strip: bytes, chain: Callable[[int, int], Iterable[tuple[list[Tag], int]]]) -> Path:
    """Write a TIFF of a strip at byte 8 and IFDs: their tags, and the place of the next, by where the first is."""
    start = 8 + len(strip)
    pages = list(chain(start, len(strip)))
    data = b"II*\0" + struct.pack("<I", start) + strip + b"".join(ifd(tags, next_ifd) for tags, next_ifd in pages)
    path.write_bytes(data)
    return path


def chain_of_pages(
    side: int, count: int, compression: int, back_to: int | None = None
) -> Callable[..., list[tuple[list[Tag], int]]]:
    """Pages that share one strip; the last points to another, or to none."""

    def chain(start: int, size: int) -> list[tuple[list[Tag], int]]:
        tags = page_tags(side, 8, size, compression)
        step = len(ifd(tags, 0))
        last = 0 if back_to is None else start + back_to * step
        return [(tags, start + (i + 1) * step if i < count - 1 else last) for i in range(count)]

    return chain


# ------------------------------------------------------------------------------------ headers


@pytest.mark.parametrize(
    "text",
    [
        "zeros(" + " " * 600 + "x",
        "9" * 200_000 + "x",
        "[" * 200_000 + "]" * 200_000,
        "[" + ";" * 5_000_000 + "]",
        "['" + "a" * 5_000_000,
        "{" + "'" * 1_000_001,
        "[" + "'a" * 300_001,
    ],
    ids=["blanks", "digits", "brackets", "rows", "quote", "quotes", "odd quotes"],
)
def test_values_that_are_none_stay_text_soon(tmp_path: Path, text: str) -> None:
    assert parse_literal(text) == text
    path = tmp_path / "value.txt"
    path.write_text(text)
    code = "from scanreader.scanimage.literals import parse_literal; parse_literal(open(path).read())"
    assert resources_used(path, code, 10)[1] < 200


def test_an_empty_array_of_any_size() -> None:
    assert parse_literal("[100000000 0]&[]") == []
    assert parse_literal("[0 3]&[]") == []
    assert parse_literal("['it''s' 'me']") == ["it's", "me"]
    assert parse_literal("{'' 'a'}") == ["", "a"]


def test_long_names_in_json_are_refused(tmp_path: Path) -> None:
    leaves = ",".join(f'"a{i}":1' for i in range(20_000))
    text = '{"SI":{"VERSION_MAJOR":"2020","%s":{%s}}}' % ("k" * 100_000, leaves)  # noqa: UP031 - braces
    with pytest.raises(HeaderError, match="names in the JSON header are too long"):
        len(Header(text))
    path = tmp_path / "header.json"
    path.write_text(text)
    code = "from scanreader.scanimage.header import Header; len(Header(open(path).read()))"
    assert is_within(resources_used(path, code, 10), "HeaderError", 100)


def test_large_integers_in_json_are_infinite() -> None:
    header = Header('{"SI":{"VERSION_MAJOR":"2020","a":%s,"b":-%s,"c":[%s]}}' % ("9" * 4000, "9" * 400, "9" * 310))  # noqa: UP031
    assert header["a"] == np.inf
    assert header["b"] == -np.inf
    assert number_list(header["c"]) == [np.inf]
    with pytest.raises(HeaderError, match="expected integers"):
        integers(header["a"])


def test_messages_are_short() -> None:
    with pytest.raises(HeaderError) as warning_records:
        integers("x" * 10_000_000)
    assert len(str(warning_records.value)) <= 10_000
    assert str(warning_records.value).endswith("characters)")
    error_copy = type(warning_records.value)(*warning_records.value.args)
    assert str(error_copy) == str(warning_records.value)


def test_blanks_in_a_description_take_no_time() -> None:
    names = ["frameNumbers", "acquisitionNumbers", "frameNumberAcquisition", "frameTimestamps_sec"]
    names += ("acqTriggerTimestamps_sec", "nextFileMarkerTimestamps_sec", "endOfAcquisition", "endOfAcquisitionMode")
    text = "".join(f"{name} = {' ' * 100}\n" for name in names) + "x"
    table = np.zeros(1, FRAME_TABLE)
    fill_table(table, [text.encode()])
    assert table["frame_number"][0] == -1


def scanimage_file(path: Path, header: str, rois: str = "", rows: int = 4) -> Path:
    """A recording of one frame, with a header."""
    texts = header.encode() + b"\0", rois.encode()
    sizes = [len(text) for text in texts]
    ifd_start = 32 + sum(sizes)
    description = b"frameNumbers = 1\nframeNumberAcquisition = 1\n".ljust(100)
    end = ifd_start + 8 + 8 * 20 + 8
    tags = [(256, 4, 1, 4), (257, 4, 1, rows), (258, 3, 1, 16), (259, 3, 1, 1), (270, 2, 100, end)]
    tags += [(273, 16, 1, end + 100), (277, 3, 1, 1), (279, 4, 1, 8 * rows)]
    start = struct.pack("<2sHHHQ4I", b"II", 43, 8, 0, ifd_start, 117637889, 3, *sizes) + b"".join(texts)
    path.write_bytes(start + ifd(tags, 0, is_bigtiff=True) + description + b"\1" * (8 * rows))
    return path


SETTINGS = {
    "VERSION_MAJOR": "2020",
    "VERSION_MINOR": "0",
    "hChannels.channelSave": "1",
    "hStackManager.enable": "false",
    "hScan2D.scanMode": "'linear'",
}


def header_text(**changes: str) -> str:
    """A header of settings; dots in their names are written __."""
    settings = SETTINGS | {name.replace("__", "."): value for name, value in changes.items()}
    return "\n".join(f"SI.{name} = {value}" for name, value in settings.items())


@pytest.mark.parametrize("name", [*SETTINGS, "hScan2D.logAverageFactor", "hStackManager.zs", "hScan2D.scannerType"])
def test_findings_and_errors_about_long_values_are_short(tmp_path: Path, name: str) -> None:
    for value in ("x" * 1_000_000, "'" + "x" * 1_000_000 + "'", "[" + "1.5 " * 100_000 + "]"):
        path = scanimage_file(tmp_path / "a_00001.tif", header_text(**{name: value}))
        try:
            sentences = [finding.sentence for finding in read_scan(path).findings]
        except ScanReaderError as error:
            sentences = [str(error)]
        assert all(len(sentence) < 11_000 for sentence in sentences)


def test_slices_and_channels_that_no_recording_has(tmp_path: Path) -> None:
    stack = dict.fromkeys(("actualNumSlices", "numFramesPerVolume", "numFramesPerVolumeWithFlyback"), "2000000000")
    stack |= {"enable": "true", "stackMode": "'fast'", "framesPerSlice": "1"}
    path = scanimage_file(tmp_path / "a_00001.tif", header_text(**{f"hStackManager.{k}": v for k, v in stack.items()}))
    with pytest.raises(LayoutError, match="a stack of 2000000000 slices"):
        read_scan(path)
    path = scanimage_file(tmp_path / "b_00001.tif", header_text(hChannels__channelSave="[" + "1 " * 100_000 + "]"))
    with pytest.raises(HeaderError, match="100000 channels were saved"):
        read_scan(path)


@pytest.mark.slow
def test_a_header_of_160_megabytes_is_read(tmp_path: Path) -> None:
    path = scanimage_file(
        tmp_path / "a_00001.tif", header_text() + "\n" + "SI.note = 'a note of a lab'\n" * (160 * 37_500)
    )
    assert path.stat().st_size > 160 << 20
    error, memory = resources_used(path, "scan = read_scan(path); assert scan.settings['note']", 60)
    assert error == ""
    assert memory < 8 * 160


# --------------------------------------------------------------------------------------- ROIs


def test_twenty_thousand_rois(tmp_path: Path) -> None:
    shape = {"centerXY": [0, 0], "sizeXY": [1, 1], "pixelResolutionXY": [4, 1]}
    rois = [{"name": f"ROI {i}", "zs": 0, "scanfields": shape} for i in range(20_000)]
    text = json.dumps({"RoiGroups": {"imagingRoiGroup": {"rois": rois}}})
    path = scanimage_file(tmp_path / "a_00001.tif", header_text(hRoiManager__mroiEnable="1"), text, rows=20_000)
    code = "scan = read_scan(path); assert len(scan.fields) == 20000; str(scan.check())"
    assert is_within(resources_used(path, code), "", 300)
    assert is_within(resources_used(path, "read_scan(path, join_contiguous=True)"), "", 300)


def test_scanfields_in_more_slices_than_can_be_followed(tmp_path: Path) -> None:
    stack = dict.fromkeys(("actualNumSlices", "numFramesPerVolume", "numFramesPerVolumeWithFlyback"), "1000")
    stack |= {"enable": "true", "stackMode": "'slow'", "framesPerSlice": "1"}
    stack["zs"] = f"[{' '.join(map(str, range(1000)))}]"
    settings = {f"hStackManager.{name}": value for name, value in stack.items()}
    shape = {"centerXY": [0, 0], "sizeXY": [1, 1], "pixelResolutionXY": [4, 4]}
    rois = [{"name": "", "zs": list(range(1000)), "scanfields": [shape] * 1000}] * 20
    text = json.dumps({"RoiGroups": {"imagingRoiGroup": {"rois": rois}}})
    path = scanimage_file(tmp_path / "a_00001.tif", header_text(**settings, **{"hRoiManager.mroiEnable": "1"}), text)
    with pytest.raises(LayoutError, match="20000 scanfields in 1000 slices"):
        read_scan(path)


def fields_below_each_other(count: int, order: int) -> list[Field]:
    pieces = [Piece(i, 4, 4, 4 * i, 0, 0, 0, 4 * i) for i in range(count)]
    fields = [Field(4, 4, 0.0, float(i), 0.0, 1.0, 1.0, 0, (piece,)) for i, piece in enumerate(pieces)]
    return fields[::order]


@pytest.mark.parametrize("order", [1, -1], ids=["down", "up"])
def test_hundreds_of_fields_are_joined_into_one(order: int) -> None:
    (joined,) = join_contiguous(fields_below_each_other(1200, order))
    assert joined.height == 4 * 1200
    assert sorted(piece.output_y for piece in joined.pieces) == list(range(0, 4800, 4))


def test_thousands_of_fields_are_not_joined_into_one() -> None:
    with pytest.raises(LayoutError, match="more than 2000 fields touch"):
        join_contiguous(fields_below_each_other(2001, 1))


# -------------------------------------------------------------------------------- chains of IFDs


@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "zlib"])
def test_pages_that_share_a_strip_are_said(tmp_path: Path, compression: int) -> None:
    strip = bytes(range(256)) if compression == 1 else zlib.compress(os.urandom(256))
    path = tiff_of(tmp_path / "a.tif", strip, chain_of_pages(16, 2000, compression))
    scan = read_scan(path)
    assert scan.num_frames == 2000
    assert any("pages share their pixels" in finding.sentence for finding in scan.findings)
    with pytest.raises(LayoutError, match="pages share their pixels"):
        read_scan(path, strict=True)


@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "zlib"])
def test_more_pages_than_a_file_can_hold(tmp_path: Path, compression: int) -> None:
    strip = b"a" * 8 if compression == 1 else zlib.compress(b"a")

    def chain(start: int, size: int) -> list[tuple[list[Tag], int]]:
        tags = [*BYTE_PAGE, (259, 3, 1, compression), (273, 4, 1, 8)]
        step = len(ifd(tags, 0))
        return [(tags, start + (i + 1) * step) for i in range(150_000)]

    path = tiff_of(tmp_path / "a.tif", strip, chain)
    assert is_within(resources_used(path), "FileFormatError", 300)


@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "zlib"])
@pytest.mark.parametrize(("count", "back_to"), [(1, 0), (3, 1), (300, 200), (300, 0)])
def test_circles_of_ifds(tmp_path: Path, compression: int, count: int, back_to: int) -> None:
    strip = bytes(256) if compression == 1 else zlib.compress(bytes(256))
    path = tiff_of(tmp_path / "a.tif", strip, chain_of_pages(16, count, compression, back_to))
    with pytest.raises(DamagedPageError, match="runs in a circle"):
        read_scan(path)


def test_a_chain_that_runs_backwards(tmp_path: Path) -> None:
    def chain(start: int, size: int) -> list[tuple[list[Tag], int]]:
        step = len(ifd([*BYTE_PAGE, (273, 4, 1, 8)], 0))
        return [([*BYTE_PAGE, (273, 4, 1, 8)], start + (i - 1) * step if i else 0) for i in range(count)]

    count = 9000
    path = tiff_of(tmp_path / "a.tif", b"a" * 8, chain)
    data = bytearray(path.read_bytes())
    step = (len(data) - 16) // count
    struct.pack_into("<I", data, 4, 16 + (count - 1) * step)
    path.write_bytes(data)
    assert resources_used(path, "assert read_scan(path).num_frames == 9000", 20)[0] == ""
    count = 30_000
    path = tiff_of(path, b"a" * 8, chain)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 4, 16 + (count - 1) * step)
    path.write_bytes(data)
    assert resources_used(path, seconds=20)[0] == "DamagedPageError"


def test_groups_of_pages_that_are_leapt_over_in_a_chain_that_runs_backwards(tmp_path: Path) -> None:
    """Even steps forwards within each group, and from each group to the one before: a circle is still found."""
    size, last_start = len(ifd([*BYTE_PAGE, (273, 4, 1, 0)], 0)) + 2, 0
    starts = [8 + 64 * 1024 * i for i in range(4)]
    data = bytearray(b"\1" * (starts[-1] + 64 * 1024))
    for i, start in reversed(list(enumerate(starts))):
        step = size + 2 * i
        for j in range(20):
            offset, is_last = start + j * step, j == 19
            next_ifd = offset + step if not is_last else (starts[i - 1] if i else starts[2] + 15 * (size + 4))
            entries = ifd([*BYTE_PAGE, (273, 4, 1, offset + size - 2)], next_ifd)
            data[offset : offset + len(entries)] = entries
            last_start = max(last_start, offset)
    data[:8] = b"II*\0" + struct.pack("<I", starts[-1])
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with pytest.raises(DamagedPageError, match="runs in a circle"):
        read_scan(path)


def test_lists_of_strips_that_pages_share(tmp_path: Path) -> None:
    """300 pages that name the same list of 200,000 strips."""
    rows = 200_000
    lists = struct.pack(f"<{rows}I", *range(8, 8 + rows)) + struct.pack(f"<{rows}H", *[1] * rows)

    def chain(start: int, size: int) -> list[tuple[list[Tag], int]]:
        tags = [(256, 4, 1, 1), (257, 4, 1, rows), (258, 3, 1, 8), (278, 4, 1, 1)]
        tags += [(273, 4, rows, 8 + rows), (279, 3, rows, 8 + 5 * rows)]
        step = len(ifd(tags, 0))
        return [(tags, start + (i + 1) * step if i < 299 else 0) for i in range(300)]

    path = tiff_of(tmp_path / "a.tif", b"a" * rows + lists, chain)
    assert is_within(resources_used(path), "FileFormatError", 200)


def test_a_list_of_strips_far_from_its_ifd(tmp_path: Path) -> None:
    def chain(start: int, size: int) -> list[tuple[list[Tag], int]]:
        tags = [(256, 4, 1, 1), (257, 4, 1, 2), (258, 3, 1, 8), (278, 4, 1, 1), (279, 3, 2, 1 | 1 << 16)]
        tags.append((273, 4, 2, 9_000_000))
        step = len(ifd(tags, 0))
        return [(tags, start + (i + 1) * step if i < 999 else 0) for i in range(1000)]

    path = tiff_of(tmp_path / "a.tif", b"\1" * 8, chain)
    data = path.read_bytes().ljust(9_000_000, b"\0") + struct.pack("<II", 8, 9)
    path.write_bytes(data)
    assert is_within(resources_used(path, "assert read_scan(path)[0].max() == 1"), "", 200)


def test_pixels_in_line_of_which_a_quarter_is_elsewhere(tmp_path: Path) -> None:
    count, pixels, base = 9000, 32, 16
    tags = [(256, 4, 1, 8), (257, 4, 1, 4), (258, 3, 1, 8)]
    step, start = len(ifd([*tags, (273, 4, 1, 0)], 0)), base + pixels * count
    data = bytearray(b"II*\0" + struct.pack("<I", start) + b"a" * 8 + b"\1" * pixels * count)
    for i in range(count):
        offset = base + pixels * i if i % 5 != 3 else start + step * count + 7 * i % 1000
        data += ifd([*tags, (273, 4, 1, offset)], start + (i + 1) * step if i < count - 1 else 0)
    path = tmp_path / "a.tif"
    path.write_bytes(data + b"\1" * 5000)
    assert resources_used(path, seconds=15)[1] < 200


# -------------------------------------------------------------------------- what pages inflate to


def one_page(path: Path, strip: bytes, compression: int, *, side: int = 16, tile: int = 0) -> Path:
    def chain(start: int, size: int) -> list[tuple[list[Tag], int]]:
        tags = page_tags(side, 8, size, compression)
        if tile:
            tags = [tag for tag in tags if tag[0] not in (273, 278, 279)]
            tags += [(322, 4, 1, tile), (323, 4, 1, tile), (324, 4, 1, 8), (325, 4, 1, size)]
        return [(tags, 0)]

    return tiff_of(path, strip, chain)


@cache
def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


@pytest.mark.parametrize("side", [16, 2048])
@pytest.mark.parametrize("tile", [0, 16, 512, 1 << 16, 1 << 30])
def test_a_megabyte_that_inflates_to_a_gigabyte(tmp_path: Path, side: int, tile: int) -> None:
    path = one_page(tmp_path / "a.tif", bomb(1000), 8, side=side, tile=tile)
    error, memory = resources_used(path, "read_scan(path)[0, :, :, 0, 0]")
    assert error in ("DamagedPageError", "FileFormatError")
    assert memory < 100


def test_lzma_and_packbits_that_inflate_to_more(tmp_path: Path) -> None:
    for kind, strip in ((34925, lzma.compress(bytes(200 << 20))), (32773, b"\x81\0" * 30_000)):
        path = one_page(tmp_path / f"{kind}.tif", strip, kind)
        with pytest.raises(DamagedPageError):
            read_scan(path)[0, :, :, 0, 0]


def test_strips_are_inflated_up_to_a_size() -> None:
    for kind, strip in ((8, zlib.compress(bytes(100))), (34925, lzma.compress(bytes(100))), (32773, b"\x9d\0")):
        assert inflate(kind, strip, 100) == bytes(100)
        with pytest.raises(ValueError, match="inflate to more than 99"):
            inflate(kind, strip, 99)
    assert inflate(32773, b"\x02123\xff\x00\x80", 5) == b"123\0\0"
    for kind in (8, 34925):
        with pytest.raises(ValueError):
            inflate(kind, b"nothing that was compressed", 100)
    assert set(INFLATE) >= {8, 32946, 34925, 32773}


@pytest.mark.parametrize("options", [{}, {"predictor": True}, {"rowsperstrip": 7}, {"tile": (16, 32)}], ids=str)
@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_compressed_pages_are_right(tmp_path: Path, compression: str, options: dict[str, Any]) -> None:
    images = np.random.default_rng(1).integers(-500, 500, (5, 50, 40), np.int16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, images, photometric="minisblack", compression=compression, metadata=None, **options)
    assert np.array_equal(read_scan(path)[0, :, :, 0, :], images.transpose(1, 2, 0))


def test_the_size_of_a_jpeg_is_read_from_it() -> None:
    start = b"\xff\xd8\xff\xe0\0\x04ab\xff"
    frame = b"\xff\xc0\0\x0b\x08" + struct.pack(">HH", 300, 200) + b"\x01\x01\x11\0"
    assert jpeg_shape(start + frame) == (300, 200)
    assert jpeg_shape(start) is None
    assert jpeg_shape(b"\xff\xd8" + b"x" * 100) is None
    assert jpeg_shape(b"\xff\xd8" + b"\xff\xe0\0\0" * 10_000) is None


def test_a_jpeg_of_another_size_than_its_strip(tmp_path: Path) -> None:
    frame = b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", 65535, 65535) + b"\x01\x01\x11\0"
    path = one_page(tmp_path / "a.tif", frame + bytes(100), 7)
    with pytest.raises(DamagedPageError, match="65535 x 65535 pixels"):
        read_scan(path)[0, :, :, 0, 0]


def test_pixels_that_a_strip_cannot_hold(tmp_path: Path) -> None:
    path = one_page(tmp_path / "a.tif", zlib.compress(bytes(100)) + bytes(1 << 20), 32773, side=60_000)
    with pytest.raises(FileFormatError, match="claim 60000 x 60000 pixels"):
        read_scan(path)


# ------------------------------------------------------------------------------- files with holes

TERABYTE = 1 << 40


def with_holes(path: Path, start: bytes, end: bytes = b"") -> Path:
    """Write a file of a terabyte that is nearly all a hole."""
    with path.open("wb") as file:
        file.write(start)
        try:
            file.seek(TERABYTE - len(end))
            file.write(end)
            file.truncate(TERABYTE)
        except OSError:
            pytest.skip("the file system has no files of a terabyte")
    if not hasattr(path.stat(), "st_blocks") or path.stat().st_blocks > 1 << 20:
        pytest.skip("the file system has no holes")
    return path


@pytest.mark.parametrize("place", [24, 28], ids=["header", "ROIs"])
def test_a_header_that_is_a_hole(tmp_path: Path, place: int) -> None:
    (path_made,) = Recording(height=4, width=4, frames_per_slice=4).write(tmp_path / "made")
    data = bytearray(path_made.read_bytes())
    struct.pack_into("<I", data, place, 0xFFFFFF00)
    path = with_holes(tmp_path / "a_00001.tif", bytes(data))
    assert resources_used(path)[1] < 200


@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "zlib"])
@pytest.mark.parametrize("code", [270, 305, 315, 700, 50839])
def test_a_text_that_is_a_hole(tmp_path: Path, compression: int, code: int) -> None:
    tags = [*page_tags(4, 16, 16, compression), (code, 2, TERABYTE // 2, 4096)]
    start = b"II+\0\x08\0\0\0" + struct.pack("<Q", 64) + bytes(range(1, 49)) + ifd(tags, 0, is_bigtiff=True)
    path = with_holes(tmp_path / "a.tif", start)
    assert resources_used(path, "str(read_scan(path).check())")[1] < 200


def test_rois_at_the_end_that_are_a_hole(tmp_path: Path) -> None:
    tags = [*page_tags(4, 16, 16), (270, 2, 200, 1000)]
    start = (b"II*\0" + struct.pack("<I", 64) + bytes(range(1, 57)) + ifd(tags, 0)).ljust(1000)
    path = with_holes(tmp_path / "a.tif", start + b"scanimage.SI.a = 1\n".ljust(200), b"\xf0\xff\xff\xff")
    assert resources_used(path)[1] < 200


@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "zlib"])
def test_strips_that_are_holes(tmp_path: Path, compression: int) -> None:
    tags = [tag for tag in page_tags(16, 16, 16, compression) if tag[0] not in (273, 279)]
    tags += [(273, 16, 2, TERABYTE // 2), (279, 16, 2, TERABYTE // 2), (278, 4, 1, 8)]
    start = b"II+\0\x08\0\0\0" + struct.pack("<Q", 64) + bytes(range(1, 49)) + ifd(tags, 0, is_bigtiff=True)
    path = with_holes(tmp_path / "a.tif", start)
    assert resources_used(path, "read_scan(path)[0, 0, 0, 0, 0]")[1] < 100


# ------------------------------------------------------------------------------- pipes and links


@needs_pipes
def test_pipes_are_refused_wherever_they_are(tmp_path: Path) -> None:
    first, *_ = Recording(height=4, width=4, frames_per_slice=20, frames_per_file=10).write(tmp_path)
    pipe = tmp_path / "scan_00001_00003.tif"
    os.mkfifo(pipe)
    for name in (
        pipe,
        str(tmp_path / "*_00003.tif"),
        str(tmp_path / "scan_*.tif"),
        str(tmp_path / "**" / "*.tif"),
        [first, pipe],
    ):
        with pytest.raises(PathnameError, match="is a pipe, not a file"):
            read_scan(name)
    scan = read_scan(first, siblings=True)
    assert scan.num_frames == 20
    assert any("00003.tif is skipped" in finding.sentence for finding in scan.findings)


@needs_pipes
def test_a_pipe_in_the_place_of_an_open_file(tmp_path: Path) -> None:
    (path,) = Recording(height=4, width=4, frames_per_slice=4).write(tmp_path)
    scan: Scan = read_scan(path)
    path.unlink()
    os.mkfifo(path)
    for use in (lambda: scan[0], scan.refresh, lambda: scan.frame_table):
        with pytest.raises(ScanReaderError, match="is a pipe"):
            use()


def link(path: Path, target: str) -> None:
    try:
        path.symlink_to(target)
    except (OSError, NotImplementedError):
        pytest.skip("the system has no symbolic links")


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    link(tmp_path / "a.tif", "b.tif")
    link(tmp_path / "b.tif", "a.tif")
    for name in (tmp_path / "a.tif", [tmp_path / "a.tif", tmp_path / "b.tif"], tmp_path, str(tmp_path / "*.tif")):
        with pytest.raises(PathnameError, match=r"a\.tif.*cannot be opened"):
            read_scan(name)


def test_a_glob_through_folders_in_a_circle_of_links(tmp_path: Path) -> None:
    (path,) = Recording(height=4, width=4, frames_per_slice=4).write(tmp_path / "folder")
    for name in ("a", "b", "c"):
        link(tmp_path / "folder" / name, ".")
    for pattern in ("**/*.tif", "folder/**/*.tif", "**/folder/**", "**/**/*.tif"):
        files = read_scan(str(tmp_path / pattern)).opened.pages.files
        assert [Path(file.path).name for file in files] == [path.name]
