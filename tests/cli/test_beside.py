"""What the commands, the report and check say of what is beside the pixels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scanreader import read_scan
from scanreader.cli.commands import app
from scanreader.simulate import Recording, integration_roi, stimulus, stimulus_group

FULL_RECORDING = Recording(
    stem="my",
    frames_per_slice=20,
    photostim=(stimulus_group(stimulus("point"), name="a"),),
    stimulus_sequence=(0,),
    integration_rois=(integration_roi(name="soma"),),
    motion=lambda _: (0.0, 0.0, 0.0),
)
SIDE_FILES = "1 group of stimuli, 1 integration ROI, my_00001.stim, my_IntegrationRois_00001.csv, my_Motion_00001.csv"


def output(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_info_and_events_name_it(tmp_path: Path) -> None:
    (path,) = FULL_RECORDING.write(tmp_path)
    assert f"beside: {SIDE_FILES}" in output("info", str(path))
    assert f"beside: {SIDE_FILES}" in output("events", str(path))
    facts = json.loads(output("info", "--json", str(path)))
    assert (facts["photostim_groups"], facts["integration_rois"]) == (1, ["soma"])
    assert facts["side_files"]["motion"] == ["my_Motion_00001.csv"]
    assert output("events", "--csv", str(path)).startswith("time,source")


def test_nothing_is_said_where_there_is_nothing(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    assert "beside" not in output("info", str(path)) + output("events", str(path))


def test_stimuli_that_cannot_be_read_do_not_hide_the_rest(tmp_path: Path) -> None:
    (path,) = Recording(photostim=({"name": "no stimuli", "rois": {"scanfields": {}}},)).write(tmp_path)
    assert json.loads(output("info", "--json", str(path)))["photostim_groups"] == 0
    assert read_scan(path).check().ok


def test_the_report_names_it(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    FULL_RECORDING.write(tmp_path)
    (tmp_path / "my_Motion_00001.csv").write_bytes(b"nonsense\r\n")
    scan = read_scan(tmp_path)
    scan.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Beside the pixels" in page
    assert "my_IntegrationRois_00001.csv" in page
    assert "my_Motion_00001.csv begins with" in page
    assert "side-file" in page
