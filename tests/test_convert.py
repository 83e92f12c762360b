"""The command that writes a recording in another format."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, VOLUME
from typer.testing import CliRunner

from scanreader import read_scan
from scanreader.cli.commands import app


def run(*words: object) -> tuple[int, str]:
    """Run the command; returns its exit code and what it said of errors, on one line."""
    result = CliRunner().invoke(app, ["convert", *map(str, words)])
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return result.exit_code, re.sub(r"\s+", " ", result.stderr)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    VOLUME.write(tmp_path / "rec")
    return tmp_path / "rec" / "scan_*.tif"


def test_writes_the_format_that_the_name_says(source: Path, tmp_path: Path) -> None:
    whole = read_scan(source)[:]
    for name in ("a.npy", "a.ome.tif", "a.suite2p"):
        code, said = run(source, tmp_path / name)
        assert code == 0, said
    assert np.array_equal(np.load(tmp_path / "a.npy"), whole)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert np.array_equal(file.series[2].asarray().transpose(2, 3, 1, 0), whole[2])
    movie = np.fromfile(tmp_path / "a.suite2p" / "suite2p" / "plane1" / "data.bin", np.int16)
    assert np.array_equal(movie.reshape(-1, 16, 16).transpose(1, 2, 0), whole[1, :, :, 0])


def test_trims_and_converts(source: Path, tmp_path: Path) -> None:
    code, said = run(source, tmp_path / "a.npy", "--trim-x", 1, 2, "--trim-y", 3, 0, "--dtype", "float32")
    assert code == 0, said
    array = np.load(tmp_path / "a.npy")
    assert array.dtype == np.float32
    assert np.array_equal(array, read_scan(source)[:, 3:, 1:-2])


def test_replaces_only_what_it_may(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.npy"
    target.write_bytes(b"mine")
    code, said = run(source, target)
    assert code == 1
    assert "--overwrite" in said
    assert target.read_bytes() == b"mine"
    assert run(source, target, "--overwrite")[0] == 0
    assert np.load(target).shape == (3, 16, 16, 2, 4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nope.tif", "a.npy"), "no file or folder"),
        (("{source}", "a.xyz"), "says no format"),
        (("{source}", "a.npy", "--dtype", "int8"), "cannot hold every value"),
        (("{source}", "a.npy", "--trim-x", "20", "0"), "leaves nothing"),
    ],
)
def test_says_what_is_wrong_in_one_line(
    source: Path, tmp_path: Path, words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = run(*(word.format(source=source) for word in words))
    assert code == 1
    assert sentence in said
    assert not (tmp_path / "a.npy").exists()


def test_fields_of_other_sizes_make_no_array(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    code, said = run(tmp_path, tmp_path / "a.npy")
    assert code == 1
    assert "fields differ" in said
    assert run(tmp_path, tmp_path / "a.ome.tif")[0] == 0
