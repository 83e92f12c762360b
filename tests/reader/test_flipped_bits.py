"""One flipped bit in the IFD of a page: its frame is the recorded one or a typed refusal, and nothing is lost in silence."""

from __future__ import annotations

import logging
import os
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile

from scanreader import DamagedPageError, Scan, ScanReaderError, ScanReaderWarning, read_scan
from scanreader.simulate import Recording

KINDS: dict[str, Recording] = {
    "even spacing": Recording(frames_per_slice=12, slot=400, height=6, width=7),
    "as large as ScanImage's": Recording(frames_per_slice=10),
    "uneven spacing": Recording(frames_per_slice=24, resonant=False, height=5, width=7),
    "never closed": Recording(frames_per_slice=12, resonant=False, height=5, width=7, closed=False),
    "3.8": Recording(release="3.8", frames_per_slice=12, height=6, width=8),
    "5.1": Recording(release="5.1", frames_per_slice=12, height=6, width=8),
    "5.1 in strips": Recording(release="5.1", frames_per_slice=8, height=64, width=64),
}
FILL = 12345
STRIP_OFFSETS_AT = 8 + 6 * 20  # of the entry, in the IFD of a BigTIFF


class WrittenFile(NamedTuple):
    """An undamaged recording, as tifffile reads it."""

    path: Path
    data: bytes
    ifds: list[tuple[int, int]]
    """Where each page's IFD is, and how many bytes it has with the pointer to the next."""
    frames: npt.NDArray[Any]

    def flip(self, offset: int, bit: int) -> None:
        """Write the file with one bit changed, as no other version of it was written before."""
        data = bytearray(self.data)
        data[offset] ^= 1 << bit
        self.path.write_bytes(data)
        moment = (1 << 60) + (offset * 8 + bit) * 1_000_000
        os.utime(self.path, ns=(moment, moment))


def write(folder: Path, recording: Recording) -> WrittenFile:
    (path,) = recording.write(folder)
    with tifffile.TiffFile(path) as tif:
        sizes = (8 + 8, 20) if tif.is_bigtiff else (2 + 4, 12)
        ifds = []
        for page in tif.pages:
            assert isinstance(page, tifffile.TiffPage)
            ifds.append((page.offset, sizes[0] + sizes[1] * len(page.tags)))
    return WrittenFile(path, path.read_bytes(), ifds, reference.all_pages([path]))


def open_quietly(path: Path, **options: Any) -> tuple[Scan, list[str]]:
    with warnings.catch_warnings(record=True) as warning_records:
        warnings.simplefilter("always")
        scan = read_scan(path, **options)
    return scan, [str(warning.message) for warning in warning_records]


def check_frames(scan: Scan, file: WrittenFile) -> set[int]:
    """Check every frame that can be read; returns those that are refused."""
    refused_frames = set()
    for frame in range(scan.num_frames):
        try:
            image, corner = scan[0, :, :, 0, frame], scan[0, 2, 3, 0, frame]
        except ScanReaderError:
            refused_frames.add(frame)
            with pytest.raises(ScanReaderError):  # nor by its memory map
                scan[0, 2, 3, 0, frame]
            continue
        assert image.dtype == file.frames.dtype.newbyteorder("=")
        assert np.array_equal(image, file.frames[frame])
        assert corner == file.frames[frame, 2, 3]
    return refused_frames


def check_flipped(file: WrittenFile, page: int) -> None:
    """Check what is read of a file of which a page's IFD may be damaged."""
    try:
        scan, messages = open_quietly(file.path)
    except ScanReaderError:
        return
    assert scan.num_frames == len(file.frames) or messages
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused_frames = check_frames(scan, file)
        assert refused_frames <= {page}
        check_numbers(scan)
        if not refused_frames:
            assert np.array_equal(scan[0, :, :, 0], np.moveaxis(file.frames[: scan.num_frames], 0, -1))
            return
        with pytest.raises(ScanReaderError):
            scan[:]
        assert not scan.check().ok
        filled_pixels = read_scan(file.path, on_damage="fill", fill_value=FILL)[0, :, :, 0]
    right = file.frames[: scan.num_frames].copy()
    right[page] = FILL
    assert np.array_equal(filled_pixels, np.moveaxis(right, 0, -1))


def check_numbers(scan: Scan) -> None:
    """Check that no frame has the number of another: a page's description may be unknown."""
    try:
        numbers = scan.frame_table["frame_number"]
    except ScanReaderError:
        return
    assert (np.isin(numbers - np.arange(len(numbers)), (1,)) | (numbers < 0)).all()


@pytest.fixture(autouse=True)
def _tifffile_is_quiet() -> Iterator[None]:
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("tifffile").setLevel(logging.NOTSET)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["first", "second", "middle", "last"])
@pytest.mark.parametrize("step", [pytest.param(7, marks=pytest.mark.slow), 53])  # 1 is each bit
def test_every_bit_of_an_ifd(tmp_path: Path, kind: str, place: str, step: int) -> None:
    file = write(tmp_path, KINDS[kind])
    count = len(file.frames)
    page = {"first": 0, "second": 1, "middle": count // 2, "last": count - 1}[place]
    offset, size = file.ifds[page]
    for bit in range(0, size * 8, step):
        file.flip(offset + bit // 8, bit % 8)
        try:
            check_flipped(file, page)
        except AssertionError as error:
            raise AssertionError(f"bit {bit % 8} of byte {bit // 8} of the IFD of page {page}") from error


@pytest.mark.parametrize("kind", ["even spacing", "uneven spacing"])
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_no_bit_of_an_offset_makes_padding_pixels(tmp_path: Path, kind: str, place: float) -> None:
    """All 64 bits: the page is refused, filled if asked, and `check` says so."""
    file = write(tmp_path, KINDS[kind])
    page = int(place * (len(file.frames) - 1))
    for bit in range(64):
        file.flip(file.ifds[page][0] + STRIP_OFFSETS_AT + 12 + bit // 8, bit % 8)
        check_flipped(file, page)
        if 0 < place < 1:
            scan, _ = open_quietly(file.path)
            with pytest.raises(DamagedPageError, match=f"page {page} of"):
                scan[0, :, :, 0, page]
            assert "damaged-page" in scan.check().names


@pytest.mark.parametrize("frames", [12, 200])
@pytest.mark.parametrize("code", [273, 279])
def test_a_tag_that_appears_twice(tmp_path: Path, frames: int, code: int) -> None:
    """One bit makes 277, of the samples, the code of a second StripOffsets; seen when it is opened, or read."""
    file = write(tmp_path, Recording(frames_per_slice=frames))
    page = frames // 2 if frames == 12 else 37
    offset = file.ifds[page][0] + 8 + 8 * 20
    assert struct.unpack_from("<H", file.data, offset) == (277,)
    file.flip(offset, (277 ^ code).bit_length() - 1)
    check_flipped(file, page)
    scan, _ = open_quietly(file.path)
    with pytest.raises(DamagedPageError, match=f"page {page} of"):
        scan[0, :, :, 0, page]
    other_frames = [frame for frame in range(frames) if frame != page]
    assert np.array_equal(scan[0, :, :, 0, other_frames], np.moveaxis(file.frames[other_frames], 0, -1))


@pytest.mark.parametrize("frames", [12, 200])
def test_a_description_that_is_another_page_s_is_unknown(tmp_path: Path, frames: int) -> None:
    """The pointer of one description is made that of the page before."""
    file = write(tmp_path, Recording(frames_per_slice=frames))
    page = 7
    data = bytearray(file.data)
    description_start = file.ifds[page - 1][0] + 376
    struct.pack_into("<Q", data, file.ifds[page][0] + 8 + 5 * 20 + 12, description_start)
    file.path.write_bytes(data)
    scan, _ = open_quietly(file.path)
    numbers = scan.frame_table["frame_number"].tolist()
    assert numbers == [-1 if frame == page else frame + 1 for frame in range(frames)]
    assert np.array_equal(scan[0, :, :, 0], np.moveaxis(file.frames, 0, -1))
    assert "no-frame-numbers" in scan.check().names


def test_a_damaged_page_is_found_when_it_is_read_or_checked(tmp_path: Path) -> None:
    file = write(tmp_path, Recording(frames_per_slice=200))
    file.flip(file.ifds[77][0] + STRIP_OFFSETS_AT + 12, 3)
    scan, messages = open_quietly(file.path)
    assert messages == []  # opening looks at a few pages alone
    with pytest.raises(DamagedPageError, match="page 77 of"):
        scan[:]
    report = scan.check()
    assert {finding.name for finding in report.findings if not finding.is_note} == {"damaged-page"}
    assert all("page 77 of" in finding.sentence for finding in report.findings if not finding.is_note)
    filled_pixels = read_scan(file.path, on_damage="fill", fill_value=FILL)
    with pytest.warns(ScanReaderWarning, match="1 page cannot be read and is filled"):
        assert (filled_pixels[0, :, :, 0, 77] == FILL).all()
