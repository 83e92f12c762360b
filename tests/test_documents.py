"""Every block of Python in the README, the docs and the seed's page runs, and gives what it says."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import scanreader
from scanreader.cli.commands import app
from scanreader.simulate import DEMO, Recording

ROOT = Path(__file__).resolve().parents[1]
NEEDS = {"nwb.md": "pynwb"}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    DEMO.write(tmp_path / "scanreader-demo")
    return tmp_path


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", [page for page in PAGES if page.name in NEEDS], ids=lambda page: page.name)
def test_blocks_that_need_other_libraries_run(here: Path, page: Path) -> None:
    pytest.importorskip(NEEDS[page.name])
    run_blocks(page)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in NEEDS], ids=lambda page: page.name)
@pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")
def test_blocks_run_one_after_the_other(here: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_blocks(page)


def run_blocks(page: Path) -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        exec(compile(block, page.name, "exec"), names)
        for line in block.splitlines():  # an expression whose comment gives its value
            if match := re.fullmatch(r"([a-z][^=]*?(?:=[^=]+\).*?)?)  +# ([(\[\d'T][^;]*)", line):
                assert eval(match[1], names) == eval(match[2], names), line


def test_readme_has_two_commands_for_everything() -> None:
    commands = re.findall(r"```console\n(.*?)\n```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert commands[:2] == [
        "pip install '.[cli]' && scanreader demo",
        "pip install '.[test]' && python -m pytest",
    ]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(example))
    assert capsys.readouterr().out
    assert len(example.read_text("utf-8").splitlines()) < 40


def test_links_of_the_readme_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), link


def test_demo(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "d")])
    assert done.exit_code == 0, done.output
    assert "7 of 3 ROIs at 3 depths" in done.output
    assert "RSC" in done.output
    assert len(list((tmp_path / "d").glob("demo_00001_*.tif"))) == 4
    again = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "d")])
    assert again.exit_code == 0


def test_demo_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "file")])
    assert done.exit_code == 1
    assert "error:" in done.output


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.strip() == scanreader.__version__


def run(*code: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), *sys.path])
    return subprocess.run(
        [sys.executable, *code], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths}
    )


def test_module_runs_the_command_line() -> None:
    assert run("-m", "scanreader", "--version").stdout.strip() == scanreader.__version__


def test_command_without_its_extra_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom scanreader.cli import main\nmain()"
    done = run("-c", code)
    assert done.returncode == 1
    assert "pip install 'scanreader[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_needs_numpy_and_tifffile_alone() -> None:
    code = (
        "import sys, numpy, tifffile; before = set(sys.modules)\n"
        "import scanreader\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "print(sorted(m for m in new if m not in {*sys.stdlib_module_names, 'scanreader', 'numpy', 'tifffile'}))"
    )
    assert run("-c", code).stdout.strip() == "[]"


# ------------------------------------------------ the page of the older scanreader


def test_the_older_readers_page(tmp_path: Path) -> None:
    """The calls of its documentation, on a recording like its own: non-mROI, several files."""
    Recording(stem="my_scan", frames_per_slice=1200, frames_per_file=500, channels=(1, 2)).write(tmp_path)
    pattern = str(tmp_path / "my_scan_*.tif")
    scan = scanreader.read_scan(pattern)
    scan = scanreader.read_scan(pattern, dtype=np.float32, join_contiguous=True)
    assert scan.version == "2023"
    assert (scan.num_frames, scan.num_channels, scan.num_fields) == (1200, 2, 1)
    count = 0
    for field in scan:
        assert field.shape == (16, 16, 2, 1200)
        count += 1
        del field
    assert count == 1
    x = scan[:]
    assert x.shape == scan.shape
    y = scan[:2, :, :, 0, -1000:]
    assert y.shape == (1, 16, 16, 1000)  # an integer channel drops its axis
    np.testing.assert_array_equal(y, x[:2, :, :, 0, -1000:])


def test_the_older_readers_trimming(tmp_path: Path) -> None:
    """Trim 1 pixel on the left and right edge of each of two strips that were joined."""
    from scanreader.simulate import roi, scanfield

    strips = tuple(roi(scanfield((x, 0.0), (2.0, 8.0), (12, 48))) for x in (-1.0, 1.0))
    (path,) = Recording(stem="my_scan", frames_per_slice=20, channels=(1, 2), rois=strips).write(tmp_path)
    scan = scanreader.read_scan(path, join_contiguous=True)
    z = scan[0]
    assert z.shape == (48, 24, 2, 20)
    new_slice = [slice(s.start + 1, s.stop - 1) for s in scan.fields[0].output_xslices]
    trim_x = [i for s in new_slice for i in range(s.start, s.stop)]
    assert trim_x == [*range(1, 11), *range(13, 23)]
    y = scan[:, :, :, 0, 2:3].squeeze()
    y2 = scan[:, :, trim_x, 0, 2:3].squeeze()
    assert (y.shape, y2.shape) == ((48, 24), (48, 20))
    np.testing.assert_array_equal(y2, y[:, trim_x])


def test_its_error_is_importable_by_its_older_name() -> None:
    assert scanreader.ScanReaderException is scanreader.ScanReaderError


NAMES = (
    "version filenames header num_fields num_rois num_channels num_frames num_scanning_depths scanning_depths "
    "requested_scanning_depths num_requested_frames field_depths field_heights field_widths field_slices field_rois "
    "field_masks field_offsets field_heights_in_microns field_widths_in_microns image_height image_width "
    "image_height_in_microns image_width_in_microns is_multiROI is_slow_stack is_slow_stack_with_fastZ "
    "is_bidirectional scanner_type scanner_frequency seconds_per_line spatial_fill_fraction temporal_fill_fraction "
    "fps zoom motor_position_at_zero initial_secondary_z shape ndim size nbytes dtype dims channel_names metadata "
    "roi_metadata"
)


@pytest.mark.parametrize("release", ["3.8", "5.0", "5.1", "2015.4", "2016b", "5.7", "2023.1"])
def test_every_name_of_the_ancestors_is_there(tmp_path: Path, release: str) -> None:
    (path,) = Recording(release=release, frames_per_slice=2).write(tmp_path)
    with scanreader.read_scan(path) as scan:
        for name in NAMES.split():
            getattr(scan, name)
        for field in scan.fields:
            for name in ["roi_mask", "offset_mask", "affine", "rotation", "roi_ids", "yslices", "output_xslices"]:
                getattr(field, name)
        assert str(path.name) in repr(scan)
        assert "\n" not in repr(scan) + repr(scan.fields[0])
    with pytest.raises(AttributeError):
        scan.dtype = np.dtype("int8")
