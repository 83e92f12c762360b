"""Tables of scans and fields in notebooks."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from common import MESOSCOPE, STACK, VOLUME, read_warned

from scanreader import read_scan
from scanreader.simulate import Recording, roi, scanfield
from scanreader.view.html import facts

NASTY_NAME = "</td><script>alert('1')</script> & \"µm\""


class Cells(HTMLParser):
    """The texts of a table's cells, and the tags that are there; every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - its parent says so
        self.tags.append(tag)
        self.open.append(tag)
        if tag in ("th", "td", "caption"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data

    @property
    def rows(self) -> dict[str, str]:
        return dict(zip(self.cells[1::2], self.cells[2::2], strict=True))


def test_a_scan_is_a_small_table(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    table = Cells(scan._repr_html_())
    assert table.cells[0] == "scan_00001.tif"
    assert table.rows["ScanImage"] == "2023.1"
    assert table.rows["Fields"] == "5 of 4 ROIs"
    assert table.rows["Mode"] == "fast volume of 2 slices, 1 flyback frame omitted"
    assert table.rows["Depth"] == "0, 60 µm"
    assert table.rows["Frames"] == "5"
    assert table.rows["Rate"].endswith(" Hz")
    assert len(scan._repr_html_()) < 5000
    assert "\n" not in repr(scan)
    assert len(repr(scan)) < 120


def test_a_field_is_a_small_table(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    scan = read_scan(tmp_path)
    for i, field in enumerate(scan.fields):
        table = Cells(field._repr_html_())
        assert table.cells[0] == field.name
        assert table.rows["Size"].startswith(f"{field.height} \N{MULTIPLICATION SIGN} {field.width} pixels")
        assert table.rows["Slice"] == str(scan.field_slices[i])
    (path,) = Recording(stem="plain").write(tmp_path / "plain")
    assert Cells(read_scan(path).fields[0]._repr_html_()).cells[0] == "Field"


@pytest.mark.parametrize(
    "recording", [VOLUME, STACK, Recording(release="3.8"), Recording(averaging=2, frames_per_slice=4)]
)
def test_facts_of_any_recording(recording: Recording, tmp_path: Path) -> None:
    recording.write(tmp_path)
    for is_raw in (False, True):
        scan, _ = read_warned(tmp_path, raw=is_raw)
        texts = facts(scan)
        assert all(texts.values())
        assert not any(re.search(r"\bnan\b|\binf\b", text) for text in texts.values())
        Cells(scan._repr_html_())


def test_findings_are_shown(tmp_path: Path) -> None:
    Recording(frames_per_slice=12, dropped=(5, 6)).write(tmp_path)
    scan, _ = read_warned(tmp_path)
    assert Cells(scan._repr_html_()).rows["Warning"] == scan.findings[0].sentence


def test_names_do_not_become_tags(tmp_path: Path) -> None:
    rois = (
        roi(scanfield((0.0, 0.0), (2.0, 2.0), (8, 16)), name=NASTY_NAME),
        roi(scanfield((3.0, 0.0), (2.0, 2.0), (8, 16))),
    )
    Recording(rois=rois, settings={"hChannels.channelName": [NASTY_NAME]}).write(tmp_path)
    scan = read_scan(tmp_path)
    assert Cells(scan.fields[0]._repr_html_()).cells[0] == NASTY_NAME
    for source in (scan, scan.fields[0]):
        assert set(Cells(source._repr_html_()).tags) == {"table", "caption", "tbody", "tr", "th", "td", "bdi"}


def test_it_needs_no_extra_and_reads_no_pixels(tmp_path: Path) -> None:
    (path,) = replace(VOLUME, stem="plain").write(tmp_path)
    code = (
        "import sys\nfor name in ('jinja2', 'matplotlib', 'rich', 'typer'): sys.modules[name] = None\n"
        "from scanreader import read_scan\nfrom scanreader.tiff.pages import Pages\nPages.read = None\n"
        "scan = read_scan(sys.argv[1])\nassert '<table' in scan._repr_html_() and '<table' in scan.fields[0]._repr_html_()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], check=True)


def test_a_recording_that_is_gone_is_still_shown(tmp_path: Path) -> None:
    (path,) = VOLUME.write(tmp_path)
    scan = read_scan(path)
    path.unlink()
    assert "Began" not in Cells(scan._repr_html_()).rows
