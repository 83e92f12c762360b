"""Texts of headers, which may hold anything, in every picture, report, message and command."""

from __future__ import annotations

import csv
import io
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from common import MESOSCOPE
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scanreader import Scan, ScanReaderWarning, read_scan
from scanreader.cli.commands import app
from scanreader.notices import notify
from scanreader.simulate import Recording, roi, scanfield
from scanreader.simulate.literals import Cell
from scanreader.texts import in_a_cell, in_a_message, in_a_picture, in_lines, on_one_line

COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that a terminal or a browser may take for something else than text."""
TEXTS = {
    "nul": "a\0b",
    "surrogate": "a\ud800b",
    "escape": "a\x1b[31mb\x1b]0;title\x07c",
    "c1": "a\x9b31mb",
    "right to left": "a\u202eb",
    "long": "x" * 200_000,
    "dot": ".",
    "dots": "..",
    "colon": ":",
    "slash": "a/b",
    "formula": "=1+1",
    "mathematics": "$a$ $\\frac{",
    "markup": "[red]x[/red][bold",
    "html": "<script>alert(1)</script>\"'&",
    "lines": "a\u2028b\tc",
    "emoji": "\N{BRAIN}" * 50,
    "marks": "a" + "\u0301" * 2000,
    "percent": "%s{0}{x}",
}


def scan_with_text(text: str, folder: Path) -> Scan:
    rois = tuple(roi(scanfield((6.0 * i - 6, 0.0), (3.0, 2.0), (12, 8)), name=text) for i in range(2))
    quoted_text = (
        text.replace("'", "''").encode("utf-8", "replace").decode()
    )  # a header is UTF-8; JSON may hold surrogates
    settings = {
        "hChannels.channelName": Cell([quoted_text, f"{quoted_text}2", *(f"Channel {n}" for n in range(3, 65))]),
        "hUser.note": quoted_text,
    }
    recording = replace(MESOSCOPE, channels=(1, 2), rois=rois, settings=settings)
    return read_scan(recording.write(folder))


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", TEXTS)
def test_pictures_and_reports_take_any_text(tmp_path: Path, name: str) -> None:
    with scan_with_text(TEXTS[name], tmp_path / "raw") as scan:
        scan.plot().savefig(tmp_path / "a.png")
        scan.plot_layout().savefig(tmp_path / "b.svg")
        scan.report(tmp_path / "c.html")
        for text in (
            (tmp_path / "c.html").read_text("utf-8"),
            scan._repr_html_(),
            repr(scan),
            str(scan.fields),
            str(scan.check()),
        ):
            assert not COMMANDS.search(text)
            assert "<script>alert" not in text
        assert (tmp_path / "c.html").stat().st_size < 4_000_000


@pytest.mark.parametrize("name", TEXTS)
def test_commands_take_any_text(tmp_path: Path, name: str) -> None:
    scan_with_text(TEXTS[name], tmp_path / "raw").close()
    for command in ("info", "fields", "check", "frames", "events"):
        result = CliRunner().invoke(app, [command, str(tmp_path / "raw")])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert not COMMANDS.search(result.output)


@pytest.mark.parametrize("name", TEXTS)
def test_a_terminal_gets_no_commands(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from scanreader.cli import metadata, printing, tiff

    for module in (metadata, printing, tiff):
        monkeypatch.setattr(module, "on_terminal", lambda: True)
    scan_with_text(TEXTS[name], tmp_path / "raw").close()
    (path,) = (tmp_path / "raw").glob("*.tif")
    for words in (["metadata"], ["tiff", "metadata"], ["tiff", "descriptions"], ["fields"], ["info"]):
        result = CliRunner().invoke(app, [*words, str(path)])
        assert result.exit_code == 0
        assert not COMMANDS.search(re.sub(r"\x1b\[[\d;]*m", "", result.output))


@pytest.mark.parametrize("name", ["escape", "c1", "right to left", "nul"])
def test_elsewhere_the_header_is_as_it_was_written(tmp_path: Path, name: str) -> None:
    scan_with_text(TEXTS[name], tmp_path / "raw").close()
    result = CliRunner().invoke(app, ["metadata", str(tmp_path / "raw")])
    assert f"SI.hUser.note = '{TEXTS[name]}'" in result.stdout


def test_warnings_are_one_line_without_commands() -> None:
    with pytest.warns(ScanReaderWarning) as warning_records:
        notify(["a\x1b[31mb\nc" + "d" * 100_000])
    message = str(warning_records[0].message)
    assert message.startswith("a\ufffd[31mb cddd")
    assert len(message) == 2000


def test_cells_of_spreadsheets_are_no_formulas(tmp_path: Path) -> None:
    texts = ("=1+1", "+1", "-x", "@a", "plain")
    packets = tuple((0.0001 * i, text) for i, text in enumerate(texts, 1))
    Recording(frames_per_slice=4, packets=packets).write(tmp_path)
    result = CliRunner().invoke(app, ["events", "--csv", str(tmp_path)])
    cells = [row["data"] for row in csv.DictReader(io.StringIO(result.stdout))]
    assert cells == ["'=1+1", "'+1", "'-x", "'@a", "plain"]
    result = CliRunner().invoke(app, ["frames", "--csv", str(tmp_path)])
    assert {row["end_of_acquisition"] for row in csv.DictReader(io.StringIO(result.stdout))} <= {"-1", "0", "1"}


@given(st.text())
def test_places_take_any_text(text: str) -> None:
    assert on_one_line(text).isprintable()
    assert len(on_one_line(text)) == len(text)
    assert all(line.isprintable() for part in in_lines(text).split("\n") for line in part.split("\t"))
    assert not in_a_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert in_a_message(text).isprintable()
    assert in_a_picture(text).isprintable()
    assert len(in_a_picture(text)) <= 200


def test_ordinary_texts_stay() -> None:
    for text in ("GCaMP8m", "V1, 250 µm", "日本語", "naïve café", ""):
        functions: list[Any] = [on_one_line, in_lines, in_a_message, in_a_picture, in_a_cell]
        assert {function(text) for function in functions} == {text}
    assert in_lines("a\r\nb\tc\n") == "a\nb\tc\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert in_a_picture("  two\nlines ") == "two lines"
