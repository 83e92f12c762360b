"""Every block of Python in the README, the docs and the seed's page runs, and gives what it says."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import scanreader
import scanreader.compat
from scanreader import exports
from scanreader.cli.commands import app
from scanreader.simulate import DEMO, Recording

ROOT = Path(__file__).resolve().parents[1]
NEEDS = {"nwb.md": "pynwb", "nwb_export.py": "pynwb", "roiextractors.md": "roiextractors"}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
RUN = [page for page in PAGES if "```python" in page.read_text("utf-8")]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FIGURES = sorted((ROOT / "docs" / "figures").glob("*"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    DEMO.write(folder)
    return folder


@pytest.fixture
def docs_folder(tmp_path: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(demo, tmp_path / "scanreader-demo")
    return tmp_path


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", [page for page in RUN if page.name in NEEDS], ids=name_of)
def test_blocks_that_need_other_libraries_run(docs_folder: Path, page: Path) -> None:
    pytest.importorskip(NEEDS[page.name])
    run_blocks(page)


@pytest.mark.parametrize("page", [page for page in RUN if page.name not in NEEDS], ids=name_of)
@pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")
def test_blocks_run_one_after_the_other(docs_folder: Path, page: Path) -> None:
    run_blocks(page)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    for name in re.findall(r"(?:tests|benchmarks|examples)/[\w/]+\.py", page.read_text("utf-8")):
        assert (ROOT / name).is_file(), name


def run_blocks(page: Path) -> None:
    """Run a page's blocks; what stands in a block of text just behind one is what it prints."""
    names: dict[str, object] = {}
    blocks = r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?"
    for block, output in re.findall(blocks, page.read_text("utf-8"), re.DOTALL):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            exec(compile(block, page.name, "exec"), names)
        assert not output or "print(" not in block or stream.getvalue() == output
        for line in block.splitlines():  # an expression whose comment gives its value
            match = re.fullmatch(r"(\S.*?)  +# ((?:[(\[\d']|True|False).*)", line)
            if match and is_expression(match[1]):
                assert eval(match[1], names) == eval(match[2], names), line


def is_expression(code: str) -> bool:
    try:
        ast.parse(code, mode="eval")
    except SyntaxError:
        return False
    return True


def test_readme_has_two_commands_for_everything() -> None:
    commands = re.findall(r"```console\n(.*?)\n```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert commands[:2] == [
        "pip install '.[cli]' && scanreader demo",
        "pip install '.[test]' && python -m pytest",
    ]


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("example", [path for path in EXAMPLES if path.name in NEEDS], ids=name_of)
def test_examples_that_need_other_libraries_run(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(NEEDS[example.name])
    run_example(example, capsys)


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path.name not in NEEDS], ids=name_of)
def test_examples_run(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(example, capsys)


def run_example(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(example))
    assert capsys.readouterr().out
    assert len(example.read_text("utf-8").splitlines()) < 40


def test_links_of_the_readme_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), link


# ------------------------------------------------------------------------ the site


@pytest.mark.parametrize("figure", FIGURES, ids=name_of)
def test_figures_are_shown(figure: Path) -> None:
    assert any(f"figures/{figure.name})" in page.read_text("utf-8") for page in PAGES)


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
def test_figures_of_the_format_are_drawn_by_their_script(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    runpy.run_path(str(ROOT / "docs" / "figures_format.py"))["main"](tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {figure.name for figure in FIGURES if figure.suffix == ".svg"}
    assert max(sizes.values()) < 100_000


def test_every_public_name_is_in_the_api() -> None:
    text = "".join(page.read_text("utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    for name in scanreader.__all__:
        module_name = getattr(getattr(scanreader, name), "__module__", "")
        assert f"::: scanreader.{name}\n" in text or f"::: {module_name}\n" in text or f"`scanreader.{name}`" in text, (
            name
        )
    for name in scanreader.compat.__all__:
        assert re.search(rf"\b{name}\b", text), name


def test_every_public_name_of_a_scan_is_on_its_page_once() -> None:
    page = (ROOT / "docs" / "api" / "scan.md").read_text("utf-8")
    names_listed = [
        name for group in re.findall(r"members: \[(.*?)\]", page, re.DOTALL) for name in re.findall(r"\w+", group)
    ]
    older_names = re.findall(r"\{#scanreader\.Scan\.(\w+)\}", page)
    names_shown = sorted(name for name in [*names_listed, *older_names] if not name.startswith("_"))
    on_another_page = {name for name in vars(exports.Exports) if not name.startswith("_")}
    public_names = {name for name in dir(scanreader.Scan) if not name.startswith("_")} - on_another_page - {"rules"}
    assert names_shown == sorted(public_names)


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
def test_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert result.returncode == 0, result.stderr
    for page in tmp_path.glob("**/*.html"):
        addresses = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*?\s(?:src|href)=\"?([^\"\s>]+)", page.read_text("utf-8")
        )
        assert addresses
        assert not [address for address in addresses if "//" in address], page


def test_demo(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "d")])
    assert result.exit_code == 0, result.output
    assert "7 of 3 ROIs at 3 depths" in result.output
    assert "RSC" in result.output
    assert len(list((tmp_path / "d").glob("demo_00001_*.tif"))) == 4
    second_result = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "d")])
    assert second_result.exit_code == 0


def test_demo_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "file")])
    assert result.exit_code == 1
    assert "error:" in result.output


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
    result = run("-c", code)
    assert result.returncode == 1
    assert "pip install 'scanreader[cli]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_importing_needs_numpy_and_tifffile_alone() -> None:
    code = (
        "import sys, numpy, tifffile; before = set(sys.modules)\n"
        "import scanreader\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "print(sorted(m for m in new if m not in {*sys.stdlib_module_names, 'scanreader', 'numpy', 'tifffile'}))"
    )
    assert run("-c", code).stdout.strip() == "[]"
    light = "import sys, numpy, tifffile; b = set(sys.modules); import scanreader; print(sorted(set(sys.modules) - b))"
    modules = run("-c", light).stdout
    for module in (
        "urllib.request",
        "http.client",
        "ssl",
        "zipfile",
        "scanreader.files.remote",
        "scanreader.bridges",
        "scanreader.view",
    ):
        assert f"'{module}'" not in modules, module


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
        scan.dtype = np.dtype("int8")  # type: ignore[misc]
