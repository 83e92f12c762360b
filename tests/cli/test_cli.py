"""The commands that say what a recording is: what they print, to whom, and how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from common import MESOSCOPE, STACK, VOLUME, read_warned
from typer.testing import CliRunner

from scanreader import Scan, ScanReaderWarning, read_scan
from scanreader.cli.commands import COMMANDS, app
from scanreader.simulate import DEMO, RELEASES, Recording, roi, scanfield
from scanreader.tiff.pages import Pages

ROOT = Path(__file__).resolve().parents[2]
SAY_FACTS = ("info", "fields", "metadata", "frames", "events", "check")
NUM_FRAMES = 300
LONG_RECORDING = Recording(stem="long", frames_per_slice=NUM_FRAMES, channels=(1, 2))
EVENTS = Recording(
    stem="events",
    frames_per_slice=40,
    triggers=tuple((i % 2, 0.003 * i) for i in range(20)),
    packets=((0.01, b"\x01\xff"), (0.02, "lick")),
)


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, str]:
        return dict(line.split(": ", 1) for line in self.out.splitlines())

    @property
    def json(self) -> Any:
        def refuse_constant(name: str) -> None:
            raise ValueError(f"{name} is no JSON")

        return json.loads(self.out, parse_constant=refuse_constant)


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, list(map(str, words)))
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return Result(result.exit_code, result.stdout, result.stderr)


def run_alone(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    paths = os.pathsep.join([str(ROOT), *sys.path])
    command = [sys.executable, "-m", "scanreader", *map(str, words)]
    env = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, encoding="utf-8", **options)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    replace(VOLUME, frames_per_file=7).write(tmp_path / "rec")
    return tmp_path / "rec"


@pytest.fixture
def broken_folder(tmp_path: Path) -> Path:
    """A recording of which frames are missing."""
    replace(LONG_RECORDING, dropped=(7, 8)).write(tmp_path / "broken")
    return tmp_path / "broken"


# ------------------------------------------------------------------------------ alike for all


@pytest.mark.parametrize("command", COMMANDS)
def test_each_has_help_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.code == 0
    assert command == "tiff" or "Example: scanreader" in re.sub(r"\s+", " ", result.out)


def test_the_help_lists_the_commands_in_their_order() -> None:
    commands = [line.split()[1] for line in run("--help").out.splitlines() if re.match(r"│ [a-z]+  ", line)]
    assert commands == list(COMMANDS)


def test_a_command_that_does_not_exist_is_refused() -> None:
    result = run("inf", "x.tif")
    assert result.code == 2
    assert result.out == ""
    assert "No such command 'inf'" in result.err


@pytest.mark.parametrize("command", SAY_FACTS)
def test_a_glob_is_the_same_expanded_or_not(volume: Path, command: str) -> None:
    files = sorted(volume.glob("*.tif"))
    assert len(files) > 1
    expected = run(command, volume)
    assert expected.code == 0
    other_options = [] if command == "metadata" else ["--siblings"]  # all files have the same header
    for sources in ([volume / "*.tif"], files, files[::-1], [*files[:1], *other_options]):
        assert run(command, *sources) == expected


@pytest.mark.parametrize("command", [name for name in SAY_FACTS if name not in ("info", "check")])
def test_several_recordings_are_refused_expanded_or_not(tmp_path: Path, command: str) -> None:
    for stem in ("a", "b"):
        replace(VOLUME, stem=stem).write(tmp_path)
    for sources in ([tmp_path / "*.tif"], sorted(tmp_path.glob("*.tif"))):
        result = run(command, *sources)
        assert result.code == 1
        assert result.out == ""
        assert result.err.startswith("error: 2 recordings were named, not one: ")
        assert "a_00001.tif" in result.err
        assert "b_00001.tif" in result.err


@pytest.mark.parametrize("command", SAY_FACTS)
def test_an_error_is_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "text.tif").write_text("not a TIFF")
    for name in ("nope.tif", "text.tif"):
        result = run(command, tmp_path / name)
        assert result.code == (2 if command == "check" else 1)
        assert result.out == ""
        assert re.fullmatch(r"error: [^\n]+\n", result.err)


@pytest.mark.parametrize("command", ["fields", "frames", "events"])
def test_warnings_are_lines_each_once(broken_folder: Path, command: str) -> None:
    result = run(command, broken_folder)
    assert result.code == 0
    with pytest.warns(ScanReaderWarning):
        scan = read_scan(broken_folder)
    assert result.err.splitlines() == [f"warning: {finding}" for finding in scan.findings]


def test_a_warning_while_reading_is_a_line_once(tmp_path: Path) -> None:
    """ScanImage cuts descriptions that hold too many events."""
    edges = tuple((0, i * 1e-5) for i in range(150))
    Recording(frames_per_slice=2, triggers=edges).write(tmp_path)
    result = run("events", tmp_path)
    assert result.code == 0
    assert re.fullmatch(r"warning: ScanImage cut [^\n]+\n", result.err)


@pytest.mark.parametrize("command", SAY_FACTS)
def test_ctrl_c_ends_with_130(volume: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for opens in ("read_scan", "find_files"):
        monkeypatch.setattr(f"scanreader.cli.sources.{opens}", interrupt)
    result = run(command, volume)
    assert result.code == 130
    assert result.err.startswith("interrupted")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells of a closed pipe otherwise")
@pytest.mark.parametrize("words", [("frames", "--csv"), ("metadata",), ("info",), ("tiff", "descriptions")])
def test_a_reader_that_has_enough_is_left_in_peace(tmp_path: Path, words: tuple[str, ...]) -> None:
    (path,) = replace(LONG_RECORDING, frames_per_slice=3000).write(tmp_path)
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-m", "scanreader", *words, str(path)]
    try:
        result = subprocess.run(command, stdout=writing_end, stderr=subprocess.PIPE, text=True, check=False, env=env)
    finally:
        os.close(writing_end)
    assert result.returncode != 0
    assert result.stderr == ""


def test_output_that_is_no_terminal_is_plain_and_never_cut(tmp_path: Path) -> None:
    name = "a name of a ROI " + "that is long " * 20
    rois = tuple(roi(scanfield((x, 0.0), (2.0, 8.0), (12, 48)), name=f"{x} {name}") for x in (-1.0, 1.0))
    Recording(rois=rois).write(tmp_path)
    result = run("fields", tmp_path)
    header, *rows = (line.split("\t") for line in result.out.splitlines())
    assert header[:3] == ["field", "ROI", "z µm"]
    assert [row[1] for row in rows] == [field.name for field in read_scan(tmp_path).fields]
    assert "\x1b" not in result.out


def test_names_cannot_steer_a_terminal(tmp_path: Path) -> None:
    rois = (roi(scanfield(), name="evil\x1b[2J\tname\n"), roi(scanfield((12.0, 0.0)), name="plain"))
    Recording(rois=rois).write(tmp_path)
    result = run("fields", tmp_path)
    assert "\x1b" not in result.out
    assert len(result.out.splitlines()) == 3
    assert {line.count("\t") for line in result.out.splitlines()} == {7}


def test_a_command_imports_no_other_and_nothing_to_draw_with(volume: Path) -> None:
    code = (
        "import sys; from scanreader.cli import main\n"
        f"sys.argv = ['scanreader', 'info', {str(volume)!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('scanreader.')), 'rich.table' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    modules = result.stdout.splitlines()[-1]
    assert "scanreader.cli.info" in modules
    for name in ("cli.convert", "cli.check", "cli.demo", "simulate", "bridges", "view.html", "view.plots", "compat"):
        assert f"scanreader.{name}" not in modules, name


def test_completion_knows_commands_and_options() -> None:
    env = {"_SCANREADER_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "scanreader me"}
    assert CliRunner().invoke(app, [], env=env, prog_name="scanreader").output.split() == ["metadata"]
    env |= {"COMP_CWORD": "2", "COMP_WORDS": "scanreader metadata --gr"}
    assert CliRunner().invoke(app, [], env=env, prog_name="scanreader").output.split() == ["--grep"]


def test_the_commands_of_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "command_line.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    assert len(lines) > 8
    for line in lines:
        words = shlex.split(re.split(r" [|>]", line)[0])
        assert words[0] == "scanreader"
        result = run(*words[1:])
        assert result.code == 0, result.err
        assert result.out


# ------------------------------------------------------------------------------------ terminal


@pytest.fixture
def terminal() -> Callable[..., tuple[int, str]]:
    """Run the command on a terminal of some columns; skipped where there is no pseudo-terminal."""
    fcntl = pytest.importorskip("fcntl")
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")

    def on_terminal(columns: int, *words: object, **variables: str) -> tuple[int, str]:
        paths = os.pathsep.join([str(ROOT), *sys.path])
        our_end, its_end = pty.openpty()
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, np.array([40, columns, 0, 0], np.uint16).tobytes())
        env = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": paths, "TERM": "xterm-256color", **variables}
        env["PYTHONIOENCODING"] = "utf-8"
        command = [sys.executable, "-m", "scanreader", *map(str, words)]
        with subprocess.Popen(command, stdout=its_end, stderr=its_end, env=env) as process:
            os.close(its_end)
            out = b""
            while True:
                try:
                    chunk = os.read(our_end, 65536)
                except OSError:  # the other end was closed
                    break
                if not chunk:
                    break
                out += chunk
        os.close(our_end)
        return process.returncode, out.decode()

    return on_terminal


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_terminal_gets_colours_and_lines_that_fit(
    broken_folder: Path, terminal: Callable[..., tuple[int, str]], columns: int
) -> None:
    code, out = terminal(columns, "check", broken_folder)
    assert code == 1
    assert "\x1b[33mwarning" in out
    lines = re.sub(r"\x1b\[[\d;]*m", "", out).splitlines()
    assert max(map(len, lines)) <= columns
    assert "dropped-frames" in re.sub(r"\s+", "", "".join(lines)) or columns == 40


def test_no_color_is_respected(broken_folder: Path, terminal: Callable[..., tuple[int, str]]) -> None:
    for words in (
        ["check", broken_folder],
        ["fields", broken_folder],
        ["metadata", broken_folder, "acqState"],
        ["info", "nope.tif"],
    ):
        _, out = terminal(80, *words, NO_COLOR="1")
        assert out
        assert not re.search(r"\x1b\[(\d+;)*[349]\d", out)


# ---------------------------------------------------------------------------------------- info


def test_info_says_what_a_recording_is(tmp_path: Path) -> None:
    DEMO.write(tmp_path)
    facts = run("info", tmp_path).facts
    assert facts["recording"] == "demo_00001_00001.tif and 3 more"
    assert facts["folder"] == str(tmp_path)
    assert facts["release"] == "ScanImage 2023.1"
    assert facts["mode"] == "fast volume of 3 slices, 1 flyback frame omitted"
    assert facts["fields"] == "7 of 3 ROIs at 3 depths"
    assert facts["depths"] == "0, 40, 80 µm"
    assert facts["channels"] == "Channel 1, Channel 2"
    assert facts["frames"] == "50"
    assert "warning" not in facts


def test_info_in_json_has_the_scans_own_numbers(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan, facts = read_scan(tmp_path), run("info", tmp_path, "--json").json
    assert facts["files"] == scan.filenames
    assert facts["rate_hz"] == scan.fps
    assert facts["frames"] == facts["requested_frames"] == scan.num_frames
    assert facts["field_heights"] == scan.field_heights
    assert facts["field_widths_um"] == scan.field_widths_in_microns
    assert facts["bytes"] == scan.nbytes
    assert facts["file_bytes"] == sum(Path(name).stat().st_size for name in scan.filenames)
    assert facts["start_time"] == "2023-09-22T12:46:09.383000"
    assert facts["findings"] == []


@pytest.mark.parametrize(
    "recording",
    [
        VOLUME,
        MESOSCOPE,
        STACK,
        LONG_RECORDING,
        Recording(frames_per_slice=40, averaging=4),
        Recording(frames_per_slice=40, release="3.8"),
        Recording(frames_per_slice=40, release="5.0"),
    ],
    ids=str,
)
def test_the_duration_is_that_of_all_timestamps(tmp_path: Path, recording: Recording) -> None:
    recording.write(tmp_path)
    scan = read_warned(tmp_path)[0]
    length = (scan.timestamps.max() - scan.timestamps.min()) + scan.stack.averaging / scan.scan_frame_rate
    assert run("info", tmp_path, "--json").json["duration_s"] == pytest.approx(length, rel=1e-6)


def test_info_reads_a_handful_of_pages_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LONG_RECORDING.write(tmp_path)
    pages: list[int] = []
    original = Pages.descriptions

    def count_pages(self: Pages, numbers: Any, *rest: Any) -> Any:
        pages.extend(numbers.tolist())
        return original(self, numbers, *rest)

    monkeypatch.setattr(Pages, "descriptions", count_pages)
    for name in ("frame_table", "timestamps"):
        monkeypatch.setattr(Scan, name, property(lambda _: pytest.fail("info reads every page")))
    assert run("info", tmp_path).facts["frames"] == str(NUM_FRAMES)
    assert 0 < len(set(pages)) < 20


def test_info_lists_what_is_odd_and_does_not_warn_of_it_too(broken_folder: Path) -> None:
    result = run("info", broken_folder)
    assert result.code == 0
    assert result.err == ""
    assert "missing in long_00001.tif" in result.out
    assert run("info", broken_folder, "--json").json["findings"][0]["severity"] == "warning"


def test_info_of_what_is_not_known(tmp_path: Path) -> None:
    Recording(frames_per_slice=3, epoch=(1601, 0, 0, 0, 0, 0), settings={"objectiveResolution": None}).write(tmp_path)
    facts = run("info", tmp_path).facts
    assert "began" not in facts
    assert "µm" not in facts["size"]
    facts = run("info", tmp_path, "--json").json
    assert facts["start_time"] is None
    assert facts["field_heights_um"] == [None]


@pytest.mark.parametrize(
    "recording", [LONG_RECORDING, VOLUME, STACK, MESOSCOPE], ids=["planar", "volume", "stack", "mesoscope"]
)
@pytest.mark.parametrize(
    "odd_settings",
    [
        {"hRoiManager.scanFrameRate": 0.0, "hRoiManager.scanVolumeRate": 0.0},
        {"hRoiManager.scanFrameRate": float("nan")},
        {"hRoiManager.scanFrameRate": None, "hRoiManager.scanVolumeRate": None},
        {"hRoiManager.scanFrameRate": -5.0, "hRoiManager.scanZoomFactor": None},
        {"objectiveResolution": float("inf"), "hChannels.channelName": None},
        {"VERSION_MAJOR": None, "VERSION_MINOR": None},
    ],
    ids=str,
)
def test_odd_headers_are_shown(tmp_path: Path, recording: Recording, odd_settings: dict[str, Any]) -> None:
    replace(recording, settings=odd_settings).write(tmp_path)
    for words in (["info"], ["fields"], ["frames"], ["metadata"]):
        assert run(*words, tmp_path).code == 0
    for command in ("info", "fields", "metadata"):
        assert run(command, tmp_path, "--json").json


@pytest.mark.parametrize("release", RELEASES)
def test_recordings_of_every_release_are_shown(tmp_path: Path, release: str) -> None:
    Recording(release=release, frames_per_slice=4, channels=(1, 2)).write(tmp_path)
    for command in ("info", "fields", "metadata"):
        assert run(command, tmp_path).code == 0
        assert run(command, tmp_path, "--json").json
    assert run("info", tmp_path).facts["frames"] == "4"


def test_infinite_counts_are_said_so(tmp_path: Path) -> None:
    Recording(frames_per_slice=3, settings={"hStackManager.framesPerSlice": float("inf")}).write(tmp_path)
    assert run("info", tmp_path, "--json").json["requested_frames"] == "Inf"
    assert run("info", tmp_path).facts["frames"] == "3"


def test_raw_shows_pages_that_are_refused_otherwise(tmp_path: Path) -> None:
    replace(VOLUME, settings={"hStackManager.numFramesPerVolume": 17}).write(tmp_path)
    assert run("info", tmp_path).code == 1
    pages = len(list(VOLUME.logged())) * 2
    assert run("info", tmp_path, "--raw").facts["frames"] == str(pages)
    assert run("frames", tmp_path, "--raw", "--csv").out.count("\n") == pages + 1
    assert run("metadata", tmp_path, "hStackManager.numFramesPerVolume").out == "17\n"


# -------------------------------------------------------------------------------------- fields


def test_fields_have_a_row_each(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    rows = [line.split("\t") for line in run("fields", tmp_path).out.splitlines()][1:]
    facts = run("fields", tmp_path, "--json").json
    assert len(rows) == len(facts) == scan.num_fields
    for i, (field, row, fact) in enumerate(zip(scan.fields, rows, facts, strict=True)):
        assert row[0] == str(i) == str(fact["field"])
        assert row[1] == field.name == fact["roi"]
        assert row[3] == f"{field.height} x {field.width}"
        assert fact["page_rows"] == [[field.yslices[0].start, field.yslices[0].stop]]
        assert row[6] == f"{field.yslices[0].start}-{field.yslices[0].stop - 1}"
        assert (fact["y_um"], fact["x_um"]) == (field.y_in_microns, field.x_in_microns)


def test_fields_without_microns_are_in_degrees(tmp_path: Path) -> None:
    replace(MESOSCOPE, settings={"objectiveResolution": None}).write(tmp_path)
    row = run("fields", tmp_path).out.splitlines()[1].split("\t")
    assert row[4] == "-"
    assert row[5] == "1.1°, -3.2°"
    assert run("fields", tmp_path, "--json").json[0]["y_um"] is None


def test_joined_fields_name_the_rows_of_each_piece(tmp_path: Path) -> None:
    strips = tuple(roi(scanfield((x, 0.0), (2.0, 8.0), (12, 48))) for x in (-1.0, 1.0))
    Recording(rois=strips).write(tmp_path)
    assert len(run("fields", tmp_path).out.splitlines()) == 3
    (_, row) = (line.split("\t") for line in run("fields", tmp_path, "--join").out.splitlines())
    assert row[3] == "48 x 24"
    assert row[6] == "0-47, 64-111"


# ------------------------------------------------------------------------------------ metadata


@pytest.mark.parametrize(
    "recording",
    [
        LONG_RECORDING,
        replace(LONG_RECORDING, json_headers=True, release="2018a"),
        replace(LONG_RECORDING, release="3.8"),
    ],
)
def test_metadata_gives_every_setting(tmp_path: Path, recording: Recording) -> None:
    recording.write(tmp_path)
    settings = read_warned(tmp_path)[0].metadata
    result = run("metadata", tmp_path)
    assert [line.partition(" = ")[0] for line in result.out.splitlines()] == list(settings)
    json_values = run("metadata", tmp_path, "--json").json
    for name, value in settings.items():
        if isinstance(value, float) and np.isnan(value):
            assert json_values[name] is None
        elif isinstance(value, float) and np.isinf(value):
            assert json_values[name] == ("Inf" if value > 0 else "-Inf")
        else:
            assert json_values[name] == json.loads(json.dumps(value).replace("Infinity", '"Inf"')), name


def test_the_text_of_a_setting_is_the_headers_own(volume: Path) -> None:
    header = read_scan(volume).header_block
    assert run("metadata", volume).out.splitlines() == header.rstrip().splitlines()


@pytest.mark.parametrize("key", ["hRoiManager.scanFrameRate", "SI.hRoiManager.scanFrameRate"])
def test_metadata_of_one_setting_is_its_value_alone(volume: Path, key: str) -> None:
    value = read_scan(volume).metadata[key]
    for sources in ([volume], [volume / "*.tif"], sorted(volume.glob("*.tif"))):
        assert float(run("metadata", *sources, key).out) == value
        assert run("metadata", *sources, key, "--json").json == value


def test_text_is_bare_unless_json_is_asked_for(volume: Path) -> None:
    assert run("metadata", volume, "acqState").out == "grab\n"
    assert run("metadata", volume, "acqState", "--json").json == "grab"
    assert run("metadata", volume, "hChannels.channelSave").out == "[1, 2]\n"
    assert run("metadata", volume, "hScan2D.logFramesPerFile").out == "7\n"


def test_metadata_of_a_group_is_its_settings(volume: Path) -> None:
    for key in ("hRoiManager", "SI.hRoiManager", "hRoiManager."):
        lines = run("metadata", volume, key).out.splitlines()
        assert len(lines) > 5
        assert all(line.startswith("SI.hRoiManager.") for line in lines)


@pytest.mark.parametrize(
    ("key", "near_key"),
    [
        ("scanFrameRate", "SI.hRoiManager.scanFrameRate"),
        ("SI.hRoiManager.scanFrameRat", "SI.hRoiManager.scanFrameRate"),
        ("hRoiManger.scanFrameRate", "SI.hRoiManager.scanFrameRate"),
        ("hscan2d.BIDIRECTIONAL", "SI.hScan2D.bidirectional"),
        ("volumerate", "SI.hRoiManager.scanVolumeRate"),
    ],
)
def test_a_setting_that_is_not_there_is_near_to_some_that_are(volume: Path, key: str, near_key: str) -> None:
    result = run("metadata", volume, key)
    assert result.code == 1
    assert result.out == ""
    assert re.fullmatch(rf"error: the header has no setting '{key}'; did you mean .*{near_key}.*\n", result.err)
    assert "did you mean" not in run("metadata", volume, "xyzzy").err


def test_grep_looks_at_names_and_values_whatever_the_case(volume: Path) -> None:
    lines = run("metadata", volume, "--grep", "SCANNERFREQ|'grab'").out.splitlines()
    assert [line.split(" = ")[0] for line in lines] == ["SI.acqState", "SI.hScan2D.scannerFrequency"]
    assert list(run("metadata", volume, "hScan2D", "--grep", "frequency$", "--json").json) == [
        "SI.hScan2D.scannerFrequency"
    ]
    for pattern, sentence in (("(", "is not a regular expression"), ("xyzzy", "no setting's name or value matches")):
        result = run("metadata", volume, "--grep", pattern)
        assert result.code == 1
        assert sentence in result.err


# ------------------------------------------------------------------------------ frames, events


@pytest.mark.parametrize("recording", [VOLUME, STACK, replace(LONG_RECORDING, release="3.8"), EVENTS], ids=str)
def test_every_row_of_the_frame_table_in_either_format(tmp_path: Path, recording: Recording) -> None:
    recording.write(tmp_path)
    table = read_warned(tmp_path)[0].frame_table
    rows = list(csv.DictReader(io.StringIO(run("frames", tmp_path, "--csv").out)))
    objects = run("frames", tmp_path, "--json").json
    assert len(rows) == len(objects) == len(table)
    assert tuple(rows[0]) == tuple(objects[0]) == table.dtype.names
    for row, facts, expected in zip(rows, objects, table, strict=True):
        for name in table.dtype.names:
            value = expected[name].item()
            if np.isnan(value):
                assert (row[name], facts[name]) == ("", None)
            elif name == "is_flyback":
                assert row[name] == str(value).lower()
                assert facts[name] is value
            else:
                assert float(row[name]) == facts[name] == value


def test_frames_say_how_they_follow_each_other(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    out = run("frames", tmp_path).out.splitlines()
    assert out[0] == "logged: 20 frames, 8 of them flyback"
    assert out[1] == "numbers: 1 to 20"
    assert out[3].startswith("interval: ")
    assert sum(line.startswith("…") for line in out) == 1
    assert out[-1].split("\t")[0] == "19"


def test_jumps_of_frame_numbers_are_counted(broken_folder: Path) -> None:
    out = run("frames", broken_folder).out
    assert "numbers: 1 to 300, 1 jump\n" in out
    assert "gaps: 1 interval of more than 1.5 medians\n" in out


def test_events_are_listed_and_counted(tmp_path: Path) -> None:
    EVENTS.write(tmp_path)
    events = read_scan(tmp_path).events
    result = run("events", tmp_path)
    assert result.out.splitlines()[:4] == [f"events: {len(events)}", "I2C: 2", "auxTrigger0: 10", "auxTrigger1: 10"]
    rows = list(csv.DictReader(io.StringIO(run("events", tmp_path, "--csv").out)))
    objects = run("events", tmp_path, "--json").json
    assert [float(row["time"]) for row in rows] == [e["time"] for e in objects] == [e.time for e in events]
    assert [(row["source"], row["data"]) for row in rows if row["data"]] == [("I2C", "0x01ff"), ("I2C", "lick")]
    assert [e["data"] for e in objects if e["data"] is not None] == [[1, 255], "lick"]


def test_no_events_are_an_empty_list(volume: Path) -> None:
    assert run("events", volume).out == "events: 0\n"
    assert run("events", volume, "--json").json == []
    assert run("events", volume, "--csv").out == "time,source,data,row,frame_number\n"


# --------------------------------------------------------------------------------------- check


def test_check_of_a_sound_recording(volume: Path) -> None:
    result = run("check", volume)
    assert result.code == 0
    assert result.out.startswith("ok: ")
    assert run("check", volume, "--json").json["ok"] is True


def test_check_of_notes_is_sound(tmp_path: Path) -> None:
    replace(LONG_RECORDING, stop=20).write(tmp_path)
    result = run("check", tmp_path)
    assert result.code == 0
    assert "note\tfewer-frames\t" in result.out


def test_check_of_a_recording_with_warnings(broken_folder: Path) -> None:
    result = run("check", broken_folder)
    assert result.code == 1
    assert result.err == ""
    assert "warning\tdropped-frames\t2 frames are missing" in result.out
    as_json = run("check", broken_folder, "--json")
    assert as_json.code == as_json.json["exit_code"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScanReaderWarning)
        report = read_scan(broken_folder).check()
    assert as_json.json["findings"] == [finding._asdict() for finding in report.findings]


def test_check_of_a_damaged_recording(tmp_path: Path) -> None:
    (path,) = LONG_RECORDING.write(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = b"\xff" * 4000
    path.write_bytes(data)
    result = run("check", path)
    assert result.code == 2
    assert "damage\tdamaged-page\t" in result.out
    frames_result = run("frames", path)
    assert frames_result.code == 1
    assert "error: " in frames_result.err
