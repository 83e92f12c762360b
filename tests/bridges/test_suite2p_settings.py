"""suite2p's own converter, with our settings, writes the frames of every field, by any of three readers."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, ROIS, STACK, VOLUME, expected
from typer.testing import CliRunner

from scanreader import LayoutError, ScanReaderWarning, phase, read_scan
from scanreader.bridges.suite2p_settings import write_suite2p_settings
from scanreader.cli.commands import app
from scanreader.simulate import Recording

EVEN_ROIS = replace(MESOSCOPE, rois=ROIS[:2], channels=(1, 2))
RECORDINGS = {
    "mesoscope": EVEN_ROIS,
    "three parts": replace(EVEN_ROIS, frames_per_file=4),
    "volume": VOLUME,
    "planar": Recording(frames_per_slice=20),
    "planar ROIs": Recording(frames_per_slice=9, rois=ROIS[:2]),
}


def convert(settings: Path, folder: Path, reader: str) -> str:
    """Run suite2p's converter, and return the module of the reader that it used."""
    script = Path(__file__).parents[1] / "suite2p_converter.py"
    command = [sys.executable, script, settings, folder, reader]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def movies(folder: Path) -> dict[str, bytes]:
    """The binary files that suite2p made, by plane and name."""
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in folder.rglob("*.bin")}


@pytest.mark.ecosystem
@pytest.mark.parametrize("kind", RECORDINGS)
def test_suite2p_s_own_converter_writes_every_field(tmp_path: Path, kind: str) -> None:
    if importlib.util.find_spec("suite2p") is None:
        pytest.skip("suite2p is not installed")
    recording = RECORDINGS[kind]
    paths = recording.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as scan:
        write_suite2p_settings(scan, tmp_path / "settings.json")
        settings = scan.suite2p_settings()
    assert convert(tmp_path / "settings.json", tmp_path / "original", "original") == "ScanImageTiffReader"
    converter_movies = movies(tmp_path / "original")
    ignored_planes = {f"plane{i}" for i in settings["ignore_flyback"]}
    fields = expected(recording, paths)
    assert len(converter_movies) == settings["nrois"] * settings["nplanes"] * settings["nchannels"]
    assert len(ignored_planes) + len(fields) == settings["nrois"] * settings["nplanes"]
    for i, field in enumerate(fields):
        assert f"plane{i}" not in ignored_planes
        for channel, name in zip(range(field.shape[2]), ("data.bin", "data_chan2.bin"), strict=False):
            movie = np.frombuffer(converter_movies[f"plane{i}/{name}"], "<i2").reshape(-1, *field.shape[:2])
            np.testing.assert_array_equal(movie.transpose(1, 2, 0), field[:, :, channel])
    module = convert(tmp_path / "settings.json", tmp_path / "ours", "stand-in")
    assert module == "scanreader.compat.tiffreader"
    assert movies(tmp_path / "ours") == converter_movies
    convert(tmp_path / "settings.json", tmp_path / "tifffile", "tifffile")
    assert movies(tmp_path / "tifffile") == converter_movies


def test_settings_of_a_mesoscope(tmp_path: Path) -> None:
    EVEN_ROIS.write(tmp_path)
    with read_scan(tmp_path) as scan:
        settings = scan.suite2p_settings()
        assert settings == {
            "nrois": 2,
            "nplanes": 3,
            "nchannels": 2,
            "functional_chan": 1,
            "fs": scan.fps,
            "mesoscan": True,
            "ignore_flyback": [4, 5],
            "data_path": [str(tmp_path)],
            "file_list": ["scan_00001.tif"],
            "lines": [list(range(40)), list(range(66, 106))],
            "dy": [0, 8],
            "dx": [0, 36],
        }
        assert scan.select(channels=[1]).suite2p_settings()["functional_chan"] == 2
        assert scan.select(fields=[0, 1]).suite2p_settings()["ignore_flyback"] == [2, 3, 4, 5]


def test_what_suite2p_s_reader_cannot_read(tmp_path: Path) -> None:
    EVEN_ROIS.write(tmp_path / "even")
    STACK.write(tmp_path / "stack")
    MESOSCOPE.write(tmp_path / "uneven")
    scan = read_scan(tmp_path / "even")
    refusals: list[tuple[Any, str]] = [
        (read_scan(tmp_path / "stack"), "each slice has 2 frames before the next"),
        (read_scan(tmp_path / "uneven"), "slices differ in their ROIs"),
        (scan.trimmed(left=1), "narrower than the page, or were trimmed"),
        (scan.select(fields=[0, 2]), "one ROI of several is selected"),
        (scan.select(frames=slice(2)), "selection of frames"),
        (phase.realigned(scan, 1), "its pixels are"),
    ]
    for source, sentence in refusals:
        with pytest.raises(LayoutError, match=f"{sentence}.*use to_suite2p"):
            source.suite2p_settings()


def test_what_suite2p_changes_is_said(tmp_path: Path) -> None:
    Recording(frames_per_slice=5, dtype="uint16", channels=(1, 2, 3)).write(tmp_path)
    with read_scan(tmp_path) as scan, pytest.warns(ScanReaderWarning) as warning_records:
        scan.suite2p_settings()
    sentences = " ".join(str(record.message) for record in warning_records)
    assert re.search(r"3 channels were saved.*divides pixels of uint16 by 2", sentences)


def test_an_incomplete_volume_is_said(tmp_path: Path) -> None:
    replace(VOLUME, stop=17).write(tmp_path)
    with pytest.warns(ScanReaderWarning):
        scan = read_scan(tmp_path)
    with pytest.warns(ScanReaderWarning, match="the last volume is incomplete"):
        scan.suite2p_settings()


def test_missing_frames_are_refused(tmp_path: Path) -> None:
    paths = replace(VOLUME, volumes=12, frames_per_file=7).write(tmp_path)
    paths[2].unlink()
    with pytest.warns(ScanReaderWarning):
        scan = read_scan(tmp_path)
    with pytest.raises(LayoutError, match="mix up planes"):
        scan.suite2p_settings()


def test_the_command(tmp_path: Path) -> None:
    EVEN_ROIS.write(tmp_path / "raw")
    words = ["convert", str(tmp_path / "raw"), str(tmp_path / "settings.json")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    with read_scan(tmp_path / "raw") as scan:
        assert json.loads((tmp_path / "settings.json").read_text("utf-8")) == scan.suite2p_settings()
    assert CliRunner().invoke(app, [*words, "--overwrite"]).exit_code == 0
    result = CliRunner().invoke(app, [*words, "--overwrite", "--verify"])
    assert result.exit_code == 1
    assert "--verify is not for .json" in result.stderr
