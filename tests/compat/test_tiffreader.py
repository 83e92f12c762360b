"""The face of Vidrio's reader gives what Vidrio's gives, byte for byte, and errors where that crashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME
from typer.testing import CliRunner

from scanreader import ScanReaderError, compat
from scanreader.cli.commands import app
from scanreader.compat import ScanImageTiffReader
from scanreader.simulate import RELEASES, Recording, write_bigtiff

original = pytest.importorskip("ScanImageTiffReader", reason="scanimage-tiff-reader has no wheel here")

REAL_FILES = [
    "two_channels_5_7.tif",
    "slow_stack_20220923_noroi.tif",
    "legacy_3_8_resaved.tiff",
    *(f"volume_two_channels/vol_two_ch_multi_files_00001_{n:05d}.tif" for n in range(1, 11)),
]
RECORDINGS = {
    "volume": VOLUME,
    "stack": STACK,
    "mesoscope": MESOSCOPE,
    "galvo": Recording(frames_per_slice=120, resonant=False),
    "json": Recording(frames_per_slice=5, release="2018a", json_headers=True, json_descriptions=True),
    "channels": Recording(frames_per_slice=5, channels=(1, 3)),
    "uint16": Recording(frames_per_slice=5, dtype="uint16"),
    "one page": Recording(frames_per_slice=1),
    "not closed": Recording(frames_per_slice=5, closed=False),
    **{release: Recording(frames_per_slice=4, release=release) for release in RELEASES},
}


def assert_same(path: Path) -> None:
    """Compare everything that both readers give of a file."""
    with original.ScanImageTiffReader(str(path)) as theirs, ScanImageTiffReader(path) as ours:
        assert len(ours) == len(theirs)
        assert ours.shape() == theirs.shape()
        assert type(ours.shape()) is type(theirs.shape())
        assert ours.dtype() == theirs.dtype()
        assert ours.metadata() == theirs.metadata()
        their_data = theirs.data()
        our_data = ours.data()
        assert our_data.dtype == their_data.dtype
        assert np.array_equal(our_data, their_data)
        texts = [theirs.description(i) for i in range(len(theirs))]
        assert [ours.description(i) for i in range(len(ours))] == texts
        assert ours.descriptions() == texts
        for beg, end in ((1, 3), (None, 2), (2, None), (0, len(theirs))) if len(theirs) > 3 else ():
            assert np.array_equal(ours.data(beg, end), theirs.data(beg, end))
        for i in (-1, len(theirs), 10**9):
            with pytest.raises(IndexError) as their_error:
                theirs.description(i)
            with pytest.raises(IndexError) as our_error:
                ours.description(i)
            assert str(our_error.value) == str(their_error.value)


@pytest.mark.parametrize("name", REAL_FILES)
def test_same_of_real_recordings(recordings: Path, name: str) -> None:
    assert_same(recordings / name)


@pytest.mark.parametrize("kind", [kind for kind in RECORDINGS if kind != "not closed"])
def test_same_of_simulated_recordings(tmp_path: Path, kind: str) -> None:
    (path,) = RECORDINGS[kind].write(tmp_path)
    assert_same(path)


def test_same_without_rois_and_without_a_block(tmp_path: Path) -> None:
    pages = [(b"frameNumbers = %d\n" % n, np.full((4, 6), n, np.int16)) for n in range(1, 5)]
    write_bigtiff(tmp_path / "norois.tif", b"SI.a = 1\n\0", b"", pages)
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 6), np.uint8), photometric="minisblack", metadata=None)
    assert_same(tmp_path / "norois.tif")
    with ScanImageTiffReader(tmp_path / "plain.tif") as ours:
        assert (ours.metadata(), ours.shape(), ours.dtype()) == ("", [5, 8, 6], np.dtype("u1"))


def test_a_file_that_was_not_closed_is_read_where_the_original_refuses(tmp_path: Path) -> None:
    (path,) = RECORDINGS["not closed"].write(tmp_path)
    with tifffile.TiffFile(path) as tif, ScanImageTiffReader(path) as reader:
        assert np.array_equal(reader.data()[0], tif.pages[0].asarray())
        assert len(reader) == 5


def test_what_the_original_cannot_open(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (3, 64, 64), np.int16)
    tifffile.imwrite(tmp_path / "packed.tif", pixels, compression="zlib", photometric="minisblack")
    tifffile.imwrite(tmp_path / "tiled.tif", pixels, tile=(16, 16), photometric="minisblack")
    for name in ("packed.tif", "tiled.tif"):
        assert np.array_equal(ScanImageTiffReader(tmp_path / name).data(), pixels)
    (path,) = Recording(frames_per_slice=10).write(tmp_path)
    os.truncate(path, path.stat().st_size - 100)
    assert len(ScanImageTiffReader(path)) == 9


@pytest.mark.parametrize("interval", [(0, 6), (-1, 2), (3, 1), (6, None), (None, -1)])
def test_intervals_out_of_bounds_are_errors(tmp_path: Path, interval: tuple[Any, Any]) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    with pytest.raises(IndexError, match="not inside the file's 5 pages"):
        ScanImageTiffReader(path).data(*interval)


def test_an_empty_interval_is_empty(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    assert ScanImageTiffReader(path).data(2, 2).shape == (0, 16, 16)


@pytest.mark.parametrize("use", ["shape", "dtype", "data", "metadata", "descriptions", "__len__"])
def test_use_after_close_is_an_error(tmp_path: Path, use: str) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    reader = ScanImageTiffReader(path)
    reader.close()
    reader.close()
    with pytest.raises(ScanReaderError, match="closed"):
        getattr(reader, use)()
    reader.open(path)
    assert reader.shape() == [5, 16, 16]


def test_what_is_no_file() -> None:
    with pytest.raises(FileNotFoundError):
        ScanImageTiffReader("nope.tif")


def outcome(call: Callable[[Any], object], reader: Any) -> type[BaseException] | None:
    try:
        call(reader)
    except Exception as error:  # noqa: BLE001 - any type may come
        return type(error)
    return None


REFUSED_CALLS: dict[str, Callable[[Any], object]] = {
    "None": lambda reader: type(reader)(None),
    "a number": lambda reader: type(reader)(3),
    "bytes": lambda reader: type(reader)(b"a.tif"),
    "no file": lambda reader: type(reader)("nope.tif"),
    "a folder": lambda reader: type(reader)("."),
    "nothing": lambda reader: type(reader)(),
    "two": lambda reader: type(reader)("a.tif", "b.tif"),
    "open None": lambda reader: reader.open(None),
    "backwards": lambda reader: reader.data(3, 1),
    "negative end": lambda reader: reader.data(0, -1),
    "a text": lambda reader: reader.data("a"),
    "a float": lambda reader: reader.data(0, 1.5),
    "three": lambda reader: reader.data(0, 1, 2),
    "another name": lambda reader: reader.data(begin=0),
    "page -1": lambda reader: reader.description(-1),
    "page 99": lambda reader: reader.description(99),
    "page 1.5": lambda reader: reader.description(1.5),
    "page a": lambda reader: reader.description("a"),
    "page None": lambda reader: reader.description(None),
    "no page": lambda reader: reader.description(),
    "an argument": lambda reader: reader.metadata(1),
    "items": lambda reader: reader[0],
    "an attribute": lambda reader: reader.frames,
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the original's __del__
@pytest.mark.parametrize("call_name", REFUSED_CALLS)
def test_what_the_original_refuses_is_refused_with_its_type(tmp_path: Path, call_name: str) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    with original.ScanImageTiffReader(str(path)) as theirs, ScanImageTiffReader(path) as ours:
        their_type, our_type = outcome(REFUSED_CALLS[call_name], theirs), outcome(REFUSED_CALLS[call_name], ours)
    assert their_type is not None
    assert our_type is not None
    assert issubclass(our_type, their_type), (their_type, our_type)


def test_public_names_are_the_original_s(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    with original.ScanImageTiffReader(str(path)) as theirs, ScanImageTiffReader(path) as ours:
        assert {name for name in dir(theirs) if not name.startswith("_")} <= set(dir(ours))


def test_the_seed_s_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of the page that Vidrio's reader is documented by, on files of the same kinds."""
    monkeypatch.chdir(tmp_path)
    data = Path("data")
    Recording(stem="TR", height=512, width=512, frames_per_slice=10).write(data)
    (data / "TR_00001.tif").rename(data / "TR_003.tif")
    Recording(stem="res", frames_per_slice=2, epoch=(1601, 1, 1, 0, 0, 25.045)).write(data)
    as_json = Recording(
        frames_per_slice=10, height=512, width=512, release="2018a", json_headers=True, json_descriptions=True
    )
    replace(as_json, stem="resj").write(data)
    replace(as_json, stem="resj_2018a", loops=2).write(data)

    reader = ScanImageTiffReader("data/TR_003.tif")
    reader.close()
    module = compat
    with module.ScanImageTiffReader("data/TR_003.tif") as reader:
        assert reader.shape() == [10, 512, 512]
    assert module.api_version().startswith("Version ")
    assert ScanImageTiffReader.api_version() == module.api_version()
    v = ScanImageTiffReader("data/TR_003.tif").data()
    assert v.shape == (10, 512, 512)
    assert len(v[0][0][0:10]) == 10
    v = ScanImageTiffReader("data/TR_003.tif").data(beg=2, end=5)
    assert v.shape == (3, 512, 512)
    with ScanImageTiffReader("data/res_00001.tif") as reader:
        text = reader.description(0)
        assert text.startswith("frameNumbers = 1\nacquisitionNumbers = 1\nframeNumberAcquisition = 1\n")
        assert "epoch = [1601  1  1  0  0 25.045]\nauxTrigger0 = []\n" in text
    with ScanImageTiffReader("data/resj_2018a_00002.tif") as reader:
        assert json.loads(reader.description(0))["auxTrigger0"] == []
    with ScanImageTiffReader("data/resj_00001.tif") as reader:
        assert str(reader.dtype()) == "int16"
        assert reader.shape() == [10, 512, 512]
        o = json.loads(reader.metadata())
        assert len(o["RoiGroups"]["imagingRoiGroup"]["rois"]["scanfields"]["affine"]) == 3
    reader = ScanImageTiffReader("data/TR_003.tif")
    reader.close()
    reader.open("data/resj_00001.tif")
    assert reader.shape() == [10, 512, 512]
    reader.close()


def test_command_line(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3, channels=(1, 2)).write(tmp_path)
    with ScanImageTiffReader(path) as reader:
        outputs = {
            ("image", "shape", str(path)): "6 16 16\n",
            ("image", "bytes", str(path)): f"{6 * 16 * 16 * 2}\n",
            ("descriptions", "--frame", "2", str(path)): reader.description(2) + "\n",
            ("metadata", str(path)): reader.metadata() + "\n",
        }
        for words, text in outputs.items():
            result = CliRunner().invoke(app, ["tiff", *words])
            assert result.exit_code == 0, result.output
            assert result.stdout == text
        result = CliRunner().invoke(app, ["tiff", "descriptions", str(path)])
        assert result.stdout == "".join(text + "\n" for text in reader.descriptions())
        command = [sys.executable, "-m", "scanreader", "tiff", "image", "data", str(path)]
        out = subprocess.run(command, capture_output=True, check=True).stdout
        assert out == reader.data().tobytes()


@pytest.mark.parametrize("words", [["image", "shape"], ["metadata"], ["descriptions"], ["image", "data"]])
def test_command_line_says_what_is_wrong(tmp_path: Path, words: list[str]) -> None:
    result = CliRunner().invoke(app, ["tiff", *words, str(tmp_path / "nope.tif")])
    assert result.exit_code != 0
    assert "nope.tif" in result.stderr
    assert "Traceback" not in result.output
    result = CliRunner().invoke(app, ["tiff", "descriptions", "--frame", "9", str(tmp_path / "nope.tif")])
    assert result.exit_code != 0
