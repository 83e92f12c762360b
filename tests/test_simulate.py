"""The simulator writes what ScanImage writes, byte by byte."""

from __future__ import annotations

import ast
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, VOLUME

from scanreader import read_scan, simulate
from scanreader.simulate import (
    DEMO,
    RELEASES,
    Recording,
    Resolution,
    roi,
    roi_json,
    scanfield,
    write_bigtiff,
    write_classic,
)
from scanreader.simulate.releases import SINCE_2023_1, TABLE, Release

BIGTIFFS = (
    "two_channels_5_7.tif",
    "slow_stack_20220923_noroi.tif",
    *(f"volume_two_channels/vol_two_ch_multi_files_00001_{i:05d}.tif" for i in range(1, 11)),
)


@pytest.mark.parametrize("name", BIGTIFFS)
def test_rewrites_a_real_recording_byte_for_byte(recordings: Path, tmp_path: Path, name: str) -> None:
    original = (recordings / name).read_bytes()
    version, header_size, roi_size = struct.unpack("<3I", original[20:32])
    header, rois = original[32 : 32 + header_size], original[32 + header_size : 32 + header_size + roi_size]
    pages = []
    with tifffile.TiffFile(recordings / name) as tif:
        for page in tif.pages:
            assert isinstance(page, tifffile.TiffPage)
            tag = page.tags[270]
            pages.append((original[tag.valueoffset : tag.valueoffset + tag.count].rstrip(b" \0"), page.asarray()))
        numerator, x = tif.pages.first.tags[282].value
        _, y = tif.pages.first.tags[283].value
    write_bigtiff(tmp_path / "again.tif", header, rois, pages, version=version, resolution=Resolution(x, y, numerator))
    assert (tmp_path / "again.tif").read_bytes() == original


def test_the_worked_example(tmp_path: Path) -> None:
    """The bytes of section 13.1 of the format reference."""
    header = (
        b"SI.LINE_FORMAT_VERSION = 1\nSI.TIFF_FORMAT_VERSION = 4\nSI.VERSION_MAJOR = '2019b'\n"
        b"SI.VERSION_MINOR = '0'\nSI.hChannels.channelSave = 1\nSI.hStackManager.framesPerSlice = 2\n\0"
    )
    rois = b'{"RoiGroups": {"imagingRoiGroup": null}}\n\0'
    assert (len(header), len(rois)) == (170, 42)
    images = [
        np.arange(-2, 14, dtype=np.int16).reshape(2, 8),
        np.arange(98, 114, dtype=np.int16).reshape(2, 8),
    ]
    pages = [(f"frameNumbers = {i + 1}\n".encode(), image) for i, image in enumerate(images)]
    write_bigtiff(tmp_path / "a.tif", header, rois, pages, resolution=Resolution(1207960, 4831838))
    data = (tmp_path / "a.tif").read_bytes()
    assert len(data) == 0x13D8
    assert struct.unpack("<Q", data[8:16]) == (0xF8,)
    assert data[0x178:0x18C] == bytes.fromhex("1101 1000 0100000000000000 480a000000000000")
    assert data[0x1DC:0x1F0] == bytes.fromhex("1a01 0500 0100000000000000 00000040986e1200")
    assert data[0x268:0x270] == (0xA68).to_bytes(8, "little")
    assert data[0xBD8:0xBE0] == bytes(8)
    assert data[0xA48:0xA58] == bytes.fromhex("feffffff000001000200030004000500")
    assert data[0xA40:0xA48] == bytes(8)


def test_pixels_name_their_page_field_and_channel(tmp_path: Path) -> None:
    paths = MESOSCOPE.write(tmp_path)
    scan = read_scan(paths[0])
    for i in range(scan.num_fields):
        pages, fields, channels = scan[i, 0, :3, 0, :]
        assert (fields == i).all()
        assert (channels == 1).all()
        assert (pages == np.arange(5) * 3 + scan.fields[i].slice_id).all()


def test_gaps_and_flyback_are_junk_and_values_can_be_negative(tmp_path: Path) -> None:
    (path,) = MESOSCOPE.write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        assert (tif.asarray(key=0)[40:66] != 0).any()
        assert (tif.asarray(key=2) != 0).any()
        assert (tif.asarray(key=0) < 0).any()


def test_files_are_named_as_scanimage_names_them(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=5, frames_per_file=2, loops=2).write(tmp_path)
    assert [p.name for p in paths] == [f"scan_{a:05d}_{b:05d}.tif" for a in (1, 2) for b in (1, 2, 3)]
    assert [p.name for p in Recording(stem="m").write(tmp_path)] == ["m_00001.tif"]


def test_galvo_descriptions_vary_in_length(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=120, resonant=False).write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        lengths = {page.tags[270].count for page in tif.pages if isinstance(page, tifffile.TiffPage)}
    assert len(lengths) > 2


def test_classic_pages_have_strips_behind_which_their_ifd_stands(tmp_path: Path) -> None:
    """The layout of section 3.1: 64 x 64 pixels in two strips, pixels at byte 8, the IFD at 8200."""
    (path,) = Recording(release="3.8", height=64, width=64, frames_per_slice=3, dtype="uint16").write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        first = tif.pages.first
        assert first.offset == 8200
        assert first.dataoffsets == (8, 8 + 4096)
        assert len(first.tags) == 15
        assert tif.byteorder == "<"
        assert not tif.is_bigtiff


def test_an_unclosed_file_points_behind_its_end(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=2, closed=False).write(tmp_path)
    data = path.read_bytes()
    assert data.count(len(data).to_bytes(8, "little")) == 1


def test_appended_rois_close_a_classic_file(tmp_path: Path) -> None:
    write_classic(tmp_path / "c.tif", [(b"state.x=1\r\0", np.zeros((4, 4), np.int16))], appended=b"{}\n")
    assert (tmp_path / "c.tif").read_bytes().endswith(b"{}\n\x03\0\0\0")


def test_roi_json_is_written_as_jsonlab_does() -> None:
    value = {"a": [1, 2.5], "b": [[1, 0], [0, 1]], "c": None, "d": [{"e": 1}], "f": 1.079628442123e19}
    assert roi_json(value) == (
        '{\n  "a": [1,2.5],\n  "b": [\n    [1,0],\n    [0,1]\n  ],\n  "c": null,\n'
        '  "d": [\n    {\n      "e": 1\n    }\n  ],\n  "f": 1.079628442e+19\n}'
    )


def test_long_descriptions_are_cut_as_the_loggers_cut_them(tmp_path: Path) -> None:
    image = np.zeros((4, 4), np.int16)
    write_bigtiff(tmp_path / "t.tif", b"SI.x = 1\n\0", b"", [(b"frameNumbers = 1\n" + b"z" * 3000, image)])
    with tifffile.TiffFile(tmp_path / "t.tif") as tif:
        text = tif.pages.first.description
    assert len(text) == 2000
    assert text.endswith("z<output truncated>")


@pytest.mark.slow
def test_a_million_tiny_pages(tmp_path: Path) -> None:
    (path,) = Recording(height=4, width=4, frames_per_slice=1_000_000).write(tmp_path)
    scan = read_scan(path)
    assert scan.shape == (1, 4, 4, 1, 1_000_000)
    assert scan[0, 0, 0, 0, -1] == 999_999 % 32768
    np.testing.assert_array_equal(scan[0, 0, 0, 0, ::1000], np.arange(0, 1_000_000, 1000) % 32768)


def test_volumes_of_all_modes_have_the_pages_that_they_should(tmp_path: Path) -> None:
    with tifffile.TiffFile(VOLUME.write(tmp_path)[0]) as tif:
        assert len(tif.pages) == 4 * 5 * 2


# ------------------------------------------------------------------------ the table of releases


def test_a_release_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_names = {"hRoiManager.scanZoomFactor": "hRoiManager.magnification"}
    monkeypatch.setitem(TABLE, "2031.2", Release("2031.2", SINCE_2023_1, renamed=new_names))
    lines = set(Recording(release="2031.2").header_text().splitlines())
    assert lines ^ set(Recording(release="2023.1").header_text().splitlines()) == {
        "SI.VERSION_MAJOR = 2023",
        "SI.VERSION_MAJOR = 2031",
        "SI.VERSION_MINOR = 1",
        "SI.VERSION_MINOR = 2",
        "SI.hRoiManager.scanZoomFactor = 1.5",
        "SI.hRoiManager.magnification = 1.5",
    }
    assert len(Recording(release="2031.2").write(tmp_path)) == 1


def test_a_release_may_move_the_frames_period(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_names = {"hRoiManager.scanFramePeriod": "hRoiManager.period"}
    monkeypatch.setitem(TABLE, "2031.2", Release("2031.2", SINCE_2023_1, renamed=new_names))
    (path,) = Recording(release="2031.2").write(tmp_path)
    assert b"SI.hRoiManager.period = " in path.read_bytes()


@pytest.mark.parametrize(
    "recording", [DEMO, *(Recording(release=release) for release in RELEASES)], ids=["DEMO", *RELEASES]
)
def test_recordings_are_pickled(recording: Recording) -> None:
    assert pickle.loads(pickle.dumps(recording)) == recording


@pytest.mark.parametrize(
    ("bad_roi", "message"),
    [
        (roi(scanfield(), scanfield(), zs=(30, 30), name="V1"), "'V1' has 2 scanfields at z = 30"),
        (roi(*[scanfield()] * 2, scanfield(enabled=False), zs=(40, 60, 0), name="V1"), "'V1' at z = 30 .* disabled"),
        (roi(scanfield(), zs=(1, 2)), "2 depths and 1 scanfields"),
        (roi(scanfield(pixels=(70_000, 4))), "4 x 70000 pixels"),
    ],
)
def test_rois_that_scanimage_could_not_scan(bad_roi: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recording(zs=(30.0,), rois=(bad_roi,)).slots()


def test_nothing_of_the_reading_side_is_imported() -> None:
    for module in Path(simulate.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert all(not n.startswith("scanreader") or n.startswith("scanreader.simulate.") for n in names), module
