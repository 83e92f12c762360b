"""Words of other readers' commands are taken, or answered with the command to type, which then works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE
from typer.testing import CliRunner

from scanreader import ScanKeyError, read_scan
from scanreader.cli.commands import app
from scanreader.cli.other_names import answer, with_target_last
from scanreader.simulate import Recording


def run(*words: object) -> tuple[int, str]:
    """Run the program; its exit code and error output, on one line and without the frame of typer's errors."""
    result = CliRunner().invoke(app, list(map(str, words)))
    assert "Traceback" not in result.output
    return result.exit_code, re.sub(r"[\s│]+", " ", result.stderr)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    Recording(frames_per_slice=60, channels=(1, 2, 3)).write(tmp_path / "raw")
    return tmp_path / "raw"


# --------------------------------------------------------------- the Miller Brain Observatory's


def test_their_names_of_options_are_taken(source: Path, tmp_path: Path) -> None:
    words = ("--trim_x", 1, 2, "--trim_y", 3, 0, "--frames", "1:50")
    code, output = run("convert", source, tmp_path / "a.npy", *words)
    assert code == 0, output
    assert np.array_equal(np.load(tmp_path / "a.npy"), read_scan(source)[:, 3:, 1:-2, :, 1:50])


@pytest.mark.parametrize("form", ["{source} --save {out} --tiff", "--save={out} {source} --tiff"])
def test_save_and_tiff(source: Path, tmp_path: Path, form: str) -> None:
    code, output = run("convert", *form.format(source=source, out=tmp_path / "out").split(), "--verify")
    assert code == 0, output
    pixels = read_scan(source)[0]
    for channel in (1, 2, 3):
        movie = tifffile.imread(tmp_path / "out" / f"field0_channel{channel}.tif")
        assert np.array_equal(movie, pixels[:, :, channel - 1].transpose(2, 0, 1))


ANSWERS = [
    ("raw --save out --tiff --zplanes 1:6", "convert raw out --tiff --channels 2:6"),
    ("raw --save out --zplanes 0:10:2", "convert raw out --tiff --channels 1:10:2"),
    ("raw --save out --zplanes 4", "convert raw out --tiff --channels 5"),
    ("raw --save out --zplanes 4:", "convert raw out --tiff --channels 5:"),
    ("raw --save out --zplanes :", "convert raw out --tiff --channels 1:"),
    ("raw --save out --roi", "convert raw out --tiff --per-field"),
    ("raw --save out --roi --assemble --overwrite", "convert raw out --tiff --per-field --stitch --overwrite"),
    ("raw --save out --zarr --frames 10:51", "convert raw out.zarr --frames 10:51"),
    ("raw a.zarr --zarr", "convert raw a.zarr"),
    ("raw --metadata", "metadata raw"),
    ("raw --trim_x 4 4 --trim_y 2 2 --save out --debug", "convert raw out --tiff --trim-x 4 4 --trim-y 2 2"),
    ("'my data' --zarr --save 'b c'", "convert 'my data' 'b c.zarr'"),
    ("raw --roi", "convert raw TARGET --per-field"),
]


def test_assemble_is_an_option_of_convert_and_is_answered_without_a_command() -> None:
    words = ["raw", "--save", "out", "--assemble"]
    assert answer(words) == ""
    assert "type scanreader convert raw out --tiff --stitch;" in answer(words, is_convert=False)


@pytest.mark.parametrize(("words", "command"), ANSWERS)
def test_other_options_are_answered_with_the_command(words: str, command: str) -> None:
    match = re.search(r"type scanreader (.*?)(;|$)", answer(shlex.split(words), is_convert="--assemble" not in words))
    assert match is not None
    expected = command.replace(" TARGET", " TARGET --tiff") if command.startswith("convert raw TARGET") else command
    assert match[1] == expected
    assert answer(shlex.split(words), is_convert=False)


@pytest.mark.parametrize("words", ["raw a.tif", "raw a.npy --frames 1:50 --trim_x 1 1", "raw --save out --tiff"])
def test_our_own_commands_are_left_alone(words: str) -> None:
    assert answer(words.split()) == ""


def test_the_target_goes_last() -> None:
    assert with_target_last(["raw", "--save", "out", "--tiff"]) == ["raw", "--tiff", "out"]
    assert with_target_last(["raw", "out.npy"]) == ["raw", "out.npy"]


@pytest.mark.parametrize("start", [["convert"], []])
def test_the_answer_works(source: Path, tmp_path: Path, start: list[str]) -> None:
    code, output = run(*start, source, "--save", tmp_path / "out", "--zplanes", "0:2", "--debug")
    assert code == 1
    match = re.search(r"type scanreader (.*?);", output)
    assert match is not None
    assert run(*shlex.split(match[1]))[0] == 0
    assert {path.name for path in (tmp_path / "out").glob("*.tif")} == {"field0_channel1.tif", "field0_channel2.tif"}


def test_a_path_without_a_command(source: Path) -> None:
    code, output = run(source, "--metadata")
    assert code == 1
    assert f"type scanreader metadata {source}" in output
    code, output = run(source, "--save", "out")
    assert f"type scanreader convert {source} out --tiff" in output


def test_options_may_come_first(source: Path) -> None:
    code, output = run("--trim_x", 4, 4, "--save", "out", "--zarr", source)
    assert code == 1
    assert f"type scanreader convert {source} out.zarr --trim-x 4 4" in output
    code, output = run("--version")
    assert code == 0


def test_a_misspelt_command_is_no_path(source: Path) -> None:
    code, output = run("convrt", source, "--save", "out")
    assert code == 2
    assert "No such command 'convrt'" in output


def test_folders_of_selected_fields_have_their_numbers(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path / "raw")
    code, output = run("convert", tmp_path / "raw", tmp_path / "out", "--tiff", "--fields", "4,1", "--verify")
    assert code == 0, output
    pixels = read_scan(tmp_path / "raw")
    for i in (4, 1):
        movie = tifffile.imread(tmp_path / "out" / f"field{i}_channel1.tif")
        assert np.array_equal(movie, pixels[i, :, :, 0].transpose(2, 0, 1))


# ------------------------------------------------------------------------ formats and options


def test_formats_by_their_endings(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    for words in (["a.tif"], ["b.tif", "--imagej"], ["c.h5", "--per-channel"]):
        code, output = run("convert", source, tmp_path / words[0], *words[1:], "--verify")
        assert code == 0, output
    assert {path.name for path in tmp_path.glob("*.h5")} == {f"c-channel{n}.h5" for n in (1, 2, 3)}
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.is_imagej


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1:3", [1, 2, 3]), ("2:3", [2, 3]), ("2:", [2, 3]), (":2", [1, 2]), ("3,1", [3, 1]), ("1:3:2", [1, 3])],
)
def test_channels_of_a_range_are_by_their_numbers(source: Path, tmp_path: Path, text: str, numbers: list[int]) -> None:
    code, output = run("convert", source, tmp_path / "a.npy", "--channels", text)
    assert code == 0, output
    assert np.array_equal(np.load(tmp_path / "a.npy"), read_scan(source)[:, :, :, [n - 1 for n in numbers]])


@pytest.mark.parametrize(
    ("text", "sentence"), [("1:4", "no channel '4'"), ("0:2", "no channel '0'"), ("3:1", "is no range of channels")]
)
def test_ranges_that_are_no_channels(source: Path, tmp_path: Path, text: str, sentence: str) -> None:
    code, output = run("convert", source, tmp_path / "a.npy", "--channels", text)
    assert code == 1
    assert sentence in output


@pytest.mark.parametrize(
    ("word", "nearest_name"),
    [("--trimx", "--trim-x"), ("--frame", "--frames"), ("--per_field", "--per-field"), ("--chanels", "--channels")],
)
def test_unknown_options_name_the_nearest(source: Path, tmp_path: Path, word: str, nearest_name: str) -> None:
    code, output = run("convert", source, tmp_path / "a.npy", word, "1")
    assert code == 2
    assert nearest_name in output


@pytest.mark.parametrize(
    "words",
    [("a.npy", "--imagej"), ("a.h5", "--timezone", "UTC"), ("out", "--tiff", "--imagej"), ("a.tif", "--dask", "x")],
)
def test_options_of_other_formats_are_refused(source: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    code, output = run("convert", source, tmp_path / words[0], *words[1:])
    assert code == 1
    assert re.search(r"is not for (\.|--tiff)", output)


# --------------------------------------------------------------------------------- read_scan


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("trim_roi_x", r"scan\.trimmed\(left=…, right=…\)"),
        ("trim_roi_y", r"scan\.trimmed\(top=…, bottom=…\)"),
        ("join_contigous", "did you mean join_contiguous"),
        ("xyz", "it has"),
    ],
)
def test_arguments_of_others_say_what_to_use(source: Path, name: str, sentence: str) -> None:
    arguments: dict[str, object] = {name: (1, 1)}
    with pytest.raises(ScanKeyError, match=sentence) as error:
        read_scan(source, **arguments)  # type: ignore[arg-type]
    assert isinstance(error.value, TypeError)
