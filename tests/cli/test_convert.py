"""The command that writes a recording in another format."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, VOLUME
from typer.testing import CliRunner

from scanreader import read_scan
from scanreader.cli.commands import app
from scanreader.simulate import LineScanRecording


def run(*words: object) -> tuple[int, str]:
    """Run the command; returns its exit code and its error output, on one line."""
    result = CliRunner().invoke(app, ["convert", *map(str, words)])
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return result.exit_code, re.sub(r"\s+", " ", result.stderr)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    VOLUME.write(tmp_path / "rec")
    return tmp_path / "rec" / "scan_*.tif"


def test_writes_the_format_that_the_name_says(source: Path, tmp_path: Path) -> None:
    pixels = read_scan(source)[:]
    for name in ("a.npy", "a.ome.tif", "a.suite2p"):
        code, output = run(source, tmp_path / name)
        assert code == 0, output
    assert np.array_equal(np.load(tmp_path / "a.npy"), pixels)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        (series,) = file.series  # the slices are its z
        assert np.array_equal(series.asarray().transpose(2, 3, 4, 1, 0), pixels)
    movie = np.fromfile(tmp_path / "a.suite2p" / "suite2p" / "plane1" / "data.bin", np.int16)
    assert np.array_equal(movie.reshape(-1, 16, 16).transpose(1, 2, 0), pixels[1, :, :, 0])


@pytest.mark.parametrize("how", ["mean", "max", "std"])
def test_reduces_all_frames_to_one(source: Path, tmp_path: Path, how: str) -> None:
    pixels = read_scan(source)[:, 1:, :, 1:, 1:]
    image = getattr(np, how)(pixels, axis=-1, keepdims=True)
    options = ("--reduce", how, "--trim-y", 1, 0, "--channels", 2, "--frames", "1:")
    for name in ("a.npy", "a.ome.tif", "a.zarr"):
        result = CliRunner().invoke(app, ["convert", str(source), str(tmp_path / name), *map(str, options), "--verify"])
        assert result.exit_code == 0, result.output
        output = re.sub(r"\s+", " ", result.output)
        assert f"reduced to the {how} of 3 frames" in output
        assert "frames 3 they are not in this selection" in output, "frame 0, of three slices"
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), image, rtol=1e-14)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        np.testing.assert_allclose(file.series[0].asarray().squeeze(), image.squeeze(), rtol=1e-14)
    code, output = run(source, tmp_path / "b.npy", "--reduce", "median")
    assert (code, "by mean, max, std, not by 'median'" in output) == (1, True)


def test_trims_and_converts(source: Path, tmp_path: Path) -> None:
    code, output = run(source, tmp_path / "a.npy", "--trim-x", 1, 2, "--trim-y", 3, 0, "--dtype", "float32")
    assert code == 0, output
    array = np.load(tmp_path / "a.npy")
    assert array.dtype == np.float32
    assert np.array_equal(array, read_scan(source)[:, 3:, 1:-2])


def test_replaces_only_what_it_may(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.npy"
    target.write_bytes(b"mine")
    code, output = run(source, target)
    assert code == 1
    assert "--overwrite" in output
    code, output = run(source, target, "--overwrite")
    assert code == 1
    assert "is not a NumPy file" in output
    assert target.read_bytes() == b"mine"
    np.save(target, np.zeros(3))
    assert run(source, target, "--overwrite")[0] == 0
    assert np.load(target).shape == (3, 16, 16, 2, 4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nope.tif", "a.npy"), "no file or folder"),
        (("{source}", "a.xyz"), "a.xyz' is unknown; the known endings are .zarr"),
        (("{source}", "a.npy", "--dtype", "int8"), "cannot hold every value"),
        (("{source}", "a.npy", "--trim-x", "20", "0"), "leaves nothing"),
    ],
)
def test_says_what_is_wrong_in_one_line(
    source: Path, tmp_path: Path, words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = run(*(word.format(source=source) for word in words))
    assert code == 1
    assert sentence in output
    assert not (tmp_path / "a.npy").exists()


def test_the_recording_is_never_the_target(tmp_path: Path) -> None:
    (path,) = VOLUME.write(tmp_path / "rec")
    content = path.read_bytes()
    link = tmp_path / "a.npy"
    link.symlink_to(path)
    for words in ((), ("--overwrite",)):
        code, output = run(path, link, *words)
        assert (code, "a file of the recording itself" in output) == (1, True)
    assert path.read_bytes() == content
    assert link.is_symlink()
    code, output = run(path, tmp_path / "b.zarr", "--per-field")
    assert code == 0, output
    (tmp_path / "c-field1.zarr").symlink_to(tmp_path / "rec", target_is_directory=True)
    code, output = run(path, tmp_path / "c.zarr", "--per-field", "--overwrite")
    assert (code, "holds scan_00001.tif" in output) == (1, True)
    assert not (tmp_path / "c-field0.zarr").exists()  # no field is written, also none before the one that is refused
    assert path.read_bytes() == content


def test_a_folder_is_no_file_to_replace(source: Path, tmp_path: Path) -> None:
    (tmp_path / "a.npy").mkdir()
    (tmp_path / "a.npy" / "mine").touch()
    (tmp_path / "a.zarr").touch()
    for name in ("a.npy", "a.zarr"):
        code, output = run(source, tmp_path / name, "--overwrite")
        assert (code, "never replaces it" in output) == (1, True)
    assert (tmp_path / "a.npy" / "mine").exists()
    assert (tmp_path / "a.zarr").is_file()


def test_suite2p_s_channels_that_are_skipped_are_told(tmp_path: Path) -> None:
    replace(VOLUME, channels=(1, 2, 3)).write(tmp_path / "rec")
    code, output = run(tmp_path / "rec", tmp_path / "a.suite2p")
    assert (code, "two channels: Channel 3 is skipped" in output) == (0, True)


def test_fields_of_other_sizes_make_no_array(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    code, output = run(tmp_path, tmp_path / "a.npy")
    assert code == 1
    assert "fields differ" in output
    assert run(tmp_path, tmp_path / "a.ome.tif")[0] == 0


# --------------------------------------------------------------------- a part of it


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("--fields", "2,0"), np.s_[[2, 0]]),
        (("--fields", "1:"), np.s_[1:]),
        (("--channels", "2"), np.s_[:, :, :, [1]]),
        (("--channel", "Channel 2", "--channel", "1"), np.s_[:, :, :, [1, 0]]),
        (("--frames", "1:4:2"), np.s_[..., 1:4:2]),
        (("--frames", "3,0", "--channels", "1", "--trim-x", "2", "1"), np.s_[:, :, 2:-1, [0], [3, 0]]),
    ],
    ids=str,
)
def test_writes_what_is_picked(source: Path, tmp_path: Path, words: tuple[str, ...], key: Any) -> None:
    code, output = run(source, tmp_path / "a.npy", *words)
    assert code == 0, output
    assert np.array_equal(np.load(tmp_path / "a.npy"), read_scan(source)[key])


def test_writes_each_field_by_itself(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path / "rec")
    scan = read_scan(tmp_path / "rec")
    code, output = run(tmp_path / "rec", tmp_path / "a.npy", "--per-field", "--fields", "1:4")
    assert code == 0, output
    for i in (1, 2, 3):
        assert np.array_equal(np.load(tmp_path / f"a-field{i}.npy")[0], scan[i])
    code, output = run(tmp_path / "rec", tmp_path / "a.npy", "--per-field")
    assert (code, "a-field1.npy" in output) == (1, True)
    assert not (tmp_path / "a-field4.npy").exists()


def test_takes_files_that_the_shell_found(tmp_path: Path) -> None:
    files = replace(VOLUME, volumes=30, frames_per_file=33).write(tmp_path / "rec")
    code, output = run(*files, tmp_path / "a.npy")
    assert code == 0, output
    assert np.array_equal(np.load(tmp_path / "a.npy"), read_scan(files)[:])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--fields", "7"), "field 7 is out of bounds"),
        (("--channels", "x"), "there is no channel 'x': the recording has 1 (Channel 1), 2 (Channel 2)"),
        (("--fields", "x"), "neither numbers"),
        (("--frames", "9:"), "no frame is picked"),
        (("--workers", "2"), "--workers is not for .npy"),
        (("--timezone", "UTC"), "--timezone is not for .npy"),
        (("--dask", "tcp://a:1"), "--dask is not for .npy"),
        (("--grouped", "z"), "--grouped is not for .npy, but for .ome.zarr, .zarr, .ome.tif, .ome.tiff, .nwb"),
        (("--grouped", "depth"), "--grouped is z or field, not 'depth'"),
        (("--frames", "0:9:0"), "cannot be 0"),
    ],
)
def test_says_what_cannot_be_picked(source: Path, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    code, output = run(source, tmp_path / "a.npy", *words)
    assert code == 1
    assert sentence in output
    assert list(tmp_path.glob("*.npy")) == []


@pytest.mark.parametrize("word", ["--stitch", "--tiff", "--per-channel", "--imagej"])
def test_options_of_scans_are_refused_for_line_scans(tmp_path: Path, word: str) -> None:
    LineScanRecording(stem="line").write(tmp_path)
    code, output = run(tmp_path / "line_00001.meta.txt", tmp_path / "a.npy", word)
    assert code == 1
    assert f"{word} is not for line scans: leave it out" in output
    assert list(tmp_path.glob("*.npy")) == []


@pytest.mark.parametrize("name", ["a.npy", "a.bin", "a.ome.tif"])
def test_interrupting_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rich.progress.Progress.advance", stop)
    code, output = run(source, tmp_path / name)
    assert (code, "nothing was written" in output) == (130, True)
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


def test_a_part_of_a_scan_is_indexed_as_a_scan(source: Path) -> None:
    scan = read_scan(source)
    part = scan.select(fields=[2, 0], channels=[1], frames=slice(3, None, -1))
    pixels = scan[[2, 0]][:, :, :, [1]][..., ::-1]
    keys: list[Any] = [np.s_[:], np.s_[0], np.s_[1, 2:5, ::2, 0, -1], np.s_[..., [2, 0]], np.s_[-1, 3, 4, :, 1:]]
    for key in keys:
        assert np.array_equal(part[key], pixels[key])
    assert (part.num_fields, part.num_channels, part.num_frames, part.nbytes) == (2, 1, 4, pixels.nbytes)
    assert part.channel_names == [scan.channel_names[1]]
    assert np.array_equal(part.field_timestamps(0), scan.field_timestamps(2)[::-1])
    assert np.isnan(part.fps)
    assert scan.select(frames=slice(0, None, 2)).fps == scan.fps / 2
    assert len({part.token, scan.token, scan.select(fields=[2, 0]).token}) == 3
    assert np.array_equal(part.select(fields=[1], frames=[0])[:], pixels[[1]][..., [0]])
    places, all_places = part.byte_places(1), scan.byte_places(0)
    assert np.array_equal(places.offsets, all_places.offsets[::-1, [1]])
