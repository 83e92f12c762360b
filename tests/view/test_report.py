"""The report: its content agrees with the recording, and a browser shows it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from common import MESOSCOPE, STACK, VOLUME, read_warned, write_spoiled_recording
from matplotlib.collections import EventCollection
from typer.testing import CliRunner

import scanreader
from scanreader import DamagedPageError, Scan, ScanReaderWarning, TargetExistsError
from scanreader.cli.commands import app
from scanreader.recording import views
from scanreader.simulate import Recording, roi, scanfield
from scanreader.tiff.pages import Pages
from scanreader.view import frame_facts, pixel_facts, report
from scanreader.view.charts import Chart, bin_extremes, lines_chart, new_chart
from scanreader.view.meanings import MEANING
from scanreader.view.report import PageContent, gather, render

PLANAR = Recording(frames_per_slice=40, height=20, width=30, channels=(1, 3))
NASTY_TEXT = "</script><script>document.title='bad'</script><img src=x onerror=alert(1)>'\"&"
SECTIONS = ("facts", "findings", "pictures", "activity", "times", "events", "quality", "settings")


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def scan_of(recording: Recording, folder: Path, **options: Any) -> Scan:
    recording.write(folder)
    return read_warned(folder, **options)[0]


def content_of(recording: Recording, folder: Path, **options: Any) -> PageContent:
    return gather(scan_of(recording, folder, **options))


def line_points(chart: Chart) -> list[npt.NDArray[np.float64]]:
    """Of each line of a chart its points, of shape (points, 2)."""
    return [np.array(line.get_xydata(), np.float64) for line in chart.axes.lines]


def legend_of(chart: Chart) -> list[str]:
    legend = chart.axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


# ----------------------------------------------------------------------------- the page


@pytest.mark.parametrize("recording", [PLANAR, VOLUME, STACK, MESOSCOPE, Recording(release="3.8", frames_per_slice=5)])
@pytest.mark.parametrize("raw", [False, True])
def test_any_recording_has_a_page_of_its_own(recording: Recording, raw: bool, tmp_path: Path) -> None:
    scan = scan_of(recording, tmp_path / "rec", raw=raw)
    target = tmp_path / "deep" / "report.html"
    scan.report(target)
    text = target.read_text("utf-8")
    page = Page(text)
    assert [attrs["id"] for tag, attrs in page.tags if tag == "section"] == list(SECTIONS)
    assert [attrs["href"] for tag, attrs in page.tags if tag == "a"][: len(SECTIONS)] == [
        f"#{name}" for name in SECTIONS
    ]
    assert not re.search(r"\bnan\b|\binf\b|None", page.text.split("Settings")[-2], re.IGNORECASE)
    for _, attrs in page.tags:  # nothing is fetched
        for name in ("src", "href"):
            value = attrs.get(name) or "#"
            assert value.startswith(("data:", "#")), value
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert len(text) < 5e6
    with pytest.raises(TargetExistsError):
        scan.report(target)
    scan.report(target, overwrite=True)
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


def test_what_the_header_says_does_not_become_code(tmp_path: Path) -> None:
    rois = (
        roi(scanfield((0.0, 0.0), (2.0, 2.0), (8, 16)), name=NASTY_TEXT),
        roi(scanfield((3.0, 0.0), (2.0, 2.0), (8, 16))),
    )
    nasty_recording = Recording(
        rois=rois, settings={"hChannels.channelName": [NASTY_TEXT], "hUser.note": NASTY_TEXT}, frames_per_slice=3
    )
    scan = scan_of(nasty_recording, tmp_path)
    assert scan.channel_names == [NASTY_TEXT]
    page = Page(render(gather(scan)))
    plain_page = Page(
        render(content_of(replace(nasty_recording, settings={}, rois=(rois[1], rois[1])), tmp_path / "plain"))
    )
    assert page.count("script") == plain_page.count("script") == 1
    assert page.count("img") == plain_page.count("img") == 2
    assert NASTY_TEXT in page.text


def test_all_settings_are_there(tmp_path: Path) -> None:
    scan = scan_of(replace(MESOSCOPE, settings={"hUser.long": "x" * 50_000}), tmp_path)
    content = gather(scan)
    assert [name for name, _ in content.settings] == list(scan.settings.raw)
    assert ("SI.hRoiManager.scanZoomFactor", scan.settings.raw["SI.hRoiManager.scanZoomFactor"]) in content.settings
    assert dict(content.settings)["SI.hUser.long"].endswith("(50,002 characters in all)")
    assert json.loads(content.rois) == json.loads(scan.roi_text or "")


def test_the_template_is_in_the_package() -> None:
    assert resources.files("scanreader.view").joinpath("report.html.jinja").is_file()


def test_a_missing_jinja2_is_one_sentence(tmp_path: Path) -> None:
    (path,) = PLANAR.write(tmp_path)
    for missing_module in ("jinja2", "matplotlib"):
        code = (
            f"import sys; sys.modules[{missing_module!r}] = None\nfrom scanreader import read_scan, MissingExtraError\n"
            "try: read_scan(sys.argv[1]).report('no.html')\nexcept MissingExtraError as error: print(error)"
        )
        result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert result.stdout == f"this needs {missing_module}: pip install 'scanreader[report]'\n"


# ------------------------------------------------------------------------------ findings


def names_of_findings() -> set[str]:
    """Names of all findings in the package."""
    names: set[str] = set()
    for source in Path(scanreader.__file__).parent.rglob("*.py"):
        tree = ast.parse(source.read_text("utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            assigned_values = {
                target.id: node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                    first = node.args[0]
                    value = assigned_values[first.id] if isinstance(first, ast.Name) else first
                    names |= {
                        node.value
                        for node in _results(value)
                        if isinstance(node, ast.Constant) and isinstance(node.value, str)
                    }
    return names


def _results(value: ast.expr) -> list[ast.expr]:
    """Possible results of an expression: both sides of a condition."""
    return [*_results(value.body), *_results(value.orelse)] if isinstance(value, ast.IfExp) else [value]


def test_every_finding_has_a_meaning() -> None:
    names = names_of_findings()
    assert len(names) > 20
    assert {"dropped-frames", "rate-mismatch", "missing-file", "partial-volume"} <= names
    assert set(MEANING) == names
    assert all(len(meaning) > 40 and meaning.endswith(".") for meaning in MEANING.values())


def test_findings_are_those_of_check(tmp_path: Path) -> None:
    scan = scan_of(replace(PLANAR, dropped=(5, 6)), tmp_path)
    content = gather(scan)
    assert tuple(entry.finding for entry in content.findings) == scan.check().findings
    assert content.verdict == "warning"
    page = Page(render(content)).text
    for entry in content.findings:
        assert entry.finding.sentence in page
        assert MEANING[entry.finding.name] in page
    assert content_of(PLANAR, tmp_path / "ok").verdict == "ok"


def test_damaged_pages_do_not_stop_it(tmp_path: Path) -> None:
    scan, _ = read_warned(write_spoiled_recording(tmp_path))
    with pytest.raises(DamagedPageError):
        scan[:]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScanReaderWarning)
        content = gather(scan)
    assert content.verdict == "damage"
    assert len([entry for entry in content.findings if entry.finding.name == "damaged-page"]) == 1
    ((line,),) = [line_points(chart) for chart in content.activity]
    assert np.isnan(line[:, 1]).nonzero()[0].tolist() == [5]
    intact_pixels = scan[0, :, :, 0, [*range(5), *range(6, 12)]]
    assert content.quality.rows[0][2] == f"{intact_pixels.mean():,.1f}"


def test_damage_in_frames_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_PAGES", 10)  # of more, not all are checked
    scan, _ = read_warned(write_spoiled_recording(tmp_path))
    content = gather(scan)
    assert not content.all_pages
    assert content.verdict == "damage"
    assert "1 page cannot be read" in content.findings[0].finding.sentence


def test_cut_events_are_reported(tmp_path: Path) -> None:
    packets = tuple((0.01 + 0.00001 * k, b"0123456789") for k in range(100))
    scan = scan_of(replace(PLANAR, packets=packets), tmp_path)
    with pytest.warns(ScanReaderWarning, match="cut the descriptions"):
        assert scan.events
    assert "cut the descriptions of" in gather(scan).event_rows.omission


# ------------------------------------------------------------------------------- pixels


@pytest.mark.parametrize("recording", [PLANAR, VOLUME, MESOSCOPE, STACK])
def test_values_are_those_of_the_pixels(recording: Recording, tmp_path: Path) -> None:
    scan = scan_of(recording, tmp_path)
    statistics = pixel_facts.read_pixels(scan.view(views.filled), lambda *_: None)
    assert np.array_equal(statistics.frames, np.arange(scan.num_frames))
    for i in range(scan.num_fields):
        for c in range(scan.num_channels):
            pixels = scan[i, :, :, c]
            assert np.allclose(statistics.means[i, c], pixels.mean(axis=(0, 1)))
            smallest_value, low, median, high, largest_value, part = statistics.stats[i, c]
            assert (smallest_value, largest_value) == (pixels.min(), pixels.max())
            assert part == pytest.approx((pixels == pixels.max()).mean())
            assert low == np.percentile(pixels, 1, method="inverted_cdf")
            assert median == np.percentile(pixels, 50, method="inverted_cdf")
            assert high == pytest.approx(np.percentile(pixels, 99.9, method="inverted_cdf"), abs=1)
    assert statistics.histograms is not None
    assert statistics.histograms.sum() == scan.size


def test_lines_go_through_the_means(tmp_path: Path) -> None:
    scan = scan_of(MESOSCOPE, tmp_path)
    (chart,) = gather(scan).activity
    assert [label.split(" · ")[1] for label in legend_of(chart)] == [field.name for field in scan.fields]
    for i, line in enumerate(line_points(chart)):
        assert np.allclose(line[:, 0], scan.field_timestamps(i))
        assert np.allclose(line[:, 1], scan[i, :, :, 0].mean(axis=(0, 1)))
    assert chart.axes.get_xlabel() == "time (s)"


def test_a_large_recording_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_PAGES", 500)
    monkeypatch.setattr(frame_facts, "STRETCHES", 4)
    monkeypatch.setattr(frame_facts, "FRAMES_EACH", 20)
    monkeypatch.setattr(pixel_facts, "MOST_BYTES", 16 * 16 * 2 * 2 * 3 * 10)
    scan = scan_of(replace(VOLUME, volumes=100), tmp_path)
    counts: list[int] = []
    texts: list[int] = []
    read_pages, descriptions = Pages.read, Pages.descriptions

    def count_read(self: Pages, pages: Any, *rest: Any) -> None:
        counts.append(len(pages))
        read_pages(self, pages, *rest)

    def count_descriptions(self: Pages, numbers: Any, *rest: Any) -> list[bytes]:
        texts.append(len(numbers))
        return descriptions(self, numbers, *rest)

    monkeypatch.setattr(Pages, "read", count_read)
    monkeypatch.setattr(Pages, "descriptions", count_descriptions)
    monkeypatch.setattr(report, "_pictures", lambda _: [])
    content = gather(scan)
    assert sum(counts) <= 2 * 10 * 3 * 2  # for values, and where lines can be compared, again for these
    assert sum(texts) < 300
    page = Page(render(content)).text
    assert not content.all_pages
    assert "does not check all of its 1,000 pages" in page
    assert "From 10 of 100 frames of each field and channel" in page
    assert "From 4 stretches of 20 frames, evenly spaced over 500." in page
    assert "No problem found" in page
    assert content.interval_facts["Outliers"].startswith("0 of 76 ")


def test_stretches_are_rows_of_the_frame_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_facts, "STRETCHES", 5)
    monkeypatch.setattr(frame_facts, "FRAMES_EACH", 7)
    for recording in (replace(VOLUME, volumes=30, dropped=(31,)), replace(PLANAR, frames_per_file=15), STACK):
        scan = scan_of(recording, tmp_path / recording.mode)
        stretches = frame_facts.logged_frames(scan, all_pages=False)
        row_of_page = {(row["file"], row["page"]): row for row in scan.frame_table}
        assert len(stretches.table) <= 35
        for row in stretches.table:
            expected = row_of_page[row["file"], row["page"]]
            for name in row.dtype.names:
                if name != "volume":
                    assert np.array_equal(row[name], expected[name], equal_nan=row[name].dtype.kind == "f"), name


def test_clipping_is_reported(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def clipped_pixels(*_: Any) -> Any:
        return np.clip(rng.normal(1000, 300, (64, 64)), 0, 1600)

    bright_recording = Recording(height=64, width=64, frames_per_slice=10, pixels=clipped_pixels)
    notes = " ".join(content_of(bright_recording, tmp_path / "a").quality_notes)
    assert "Channel 1 looks clipped" in notes
    assert "1,600" in notes
    dark_recording = replace(bright_recording, pixels=lambda *_: rng.normal(1000, 300, (64, 64)))
    assert "clipped" not in " ".join(content_of(dark_recording, tmp_path / "b").quality_notes)
    full_recording = replace(bright_recording, pixels=lambda *_: np.full((64, 64), 32767))
    assert "reaches the largest value that int16 holds" in " ".join(
        content_of(full_recording, tmp_path / "c").quality_notes
    )


def test_phase_offsets_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans: list[Scan] = []

    def fake_estimate(scan: Scan, *, frames: int) -> Any:
        scans.append(scan)
        assert frames <= 64
        offsets = [[1.25 + i, np.nan] for i in range(scan.num_fields)]
        return type("Found", (), {"offset": np.array(offsets), "uncertainty": np.array(offsets) / 100})

    monkeypatch.setattr(pixel_facts, "estimate_line_offset", fake_estimate)
    monkeypatch.setattr(pixel_facts, "MOST_OFFSETS", 4)
    content = content_of(VOLUME, tmp_path)
    assert content.quality.head[-1] == "phase offset"
    assert [row[-1] for row in content.quality.rows] == [
        "+1.25 ± 0.01 pixels", "unknown", "unknown", "unknown", "+2.25 ± 0.02 pixels", "unknown"
    ]  # fmt: skip
    assert any("2 of 3 fields" in note and "shown only" in note for note in content.quality_notes)


# -------------------------------------------------------------------------------- times


def test_outlying_intervals_are_listed(tmp_path: Path) -> None:
    scan = scan_of(replace(PLANAR, channels=(1,)), tmp_path)
    table = scan.frame_table.copy()
    period = np.median(np.diff(table["timestamp"]))
    table["timestamp"][20:] += 3 * period
    interval_facts, chart, outliers = frame_facts.intervals(
        scan, frame_facts.FrameLog(table, np.ones(39, np.bool_), "")
    )
    assert interval_facts["Outliers"].startswith("1 of 39 intervals")
    assert interval_facts["Median"].startswith(f"{1000 * period:.6g} ms")
    ((position, name, number, milliseconds, medians),) = outliers.rows
    assert float(position) == pytest.approx(table["timestamp"][20], abs=1e-6)
    assert (name, number) == (Path(scan.filenames[0]).name, "21")
    assert float(milliseconds) == pytest.approx(4000 * period, rel=1e-4)
    assert float(medians) == pytest.approx(4, rel=1e-2)
    assert chart is not None
    assert legend_of(chart) == ["outliers"]
    table["timestamp"] = np.nan
    assert frame_facts.intervals(scan, frame_facts.FrameLog(table, np.ones(39, np.bool_), ""))[1] is None


def test_missing_frames_and_moving_stages_are_no_outliers(tmp_path: Path) -> None:
    for recording in (replace(PLANAR, dropped=(7, 8, 9)), replace(STACK, frames_per_slice=5), replace(PLANAR, loops=3)):
        content = content_of(recording, tmp_path / f"{recording.mode}{recording.loops}")
        assert content.outliers.rows == []
        assert content.interval_facts["Outliers"].startswith("0 of ")


def test_events_have_a_row_each(tmp_path: Path) -> None:
    triggers = tuple((k % 2, 0.02 + 0.01 * k) for k in range(10))
    scan = scan_of(replace(PLANAR, triggers=triggers, packets=((0.05, b"a"),)), tmp_path)
    content = gather(scan)
    assert content.events is not None
    counts = {row[0]: int(row[1]) for row in content.event_rows.rows}
    for source in ("auxTrigger0", "auxTrigger1", "I2C"):
        assert counts[source] == sum(event.source == source for event in scan.events) > 0
    assert [label.get_text() for label in content.events.axes.get_yticklabels()] == sorted(counts, reverse=True)
    for row, name in zip(content.events.axes.collections, sorted(counts, reverse=True), strict=True):
        assert isinstance(row, EventCollection)
        assert len(row.get_positions()) == counts[name]


# ------------------------------------------------------------------------------- charts


def test_numbers_have_thousands_and_a_minus() -> None:
    _, figure, axes = new_chart("", "")
    axes.plot([0, 20000], [-1.2, 1.1])
    figure.draw_without_rendering()
    assert "20,000" in [label.get_text() for label in axes.get_xticklabels()]
    assert "\N{MINUS SIGN}1" in [label.get_text() for label in axes.get_yticklabels()]


def test_a_value_between_missing_ones_is_a_dot() -> None:
    values = np.array([np.nan, 1.0, np.nan, 2.0, 3.0])
    (line,) = lines_chart("", [np.arange(5.0)], [values], [""], "", "").axes.lines
    assert line.get_markevery() == [1]


@pytest.mark.parametrize("values", [[], [np.nan], [5.0], [0.0, 0.0], [-1e9, -1e9]])
def test_charts_of_few_or_equal_values_are_drawn(values: list[float]) -> None:
    y = np.array(values)
    chart = lines_chart("", [np.arange(len(y)) * 1.0] * 12, [y] * 12, ["a$b$"] * 12, "time (s)", "value")
    assert chart.svg.startswith("<svg")


def test_charts_are_small_and_follow_the_page(tmp_path: Path) -> None:
    content = content_of(MESOSCOPE, tmp_path)
    svg = content.activity[0].svg
    assert "var(--soft)" in svg
    assert "#626b78" not in svg
    assert not re.search(r"\.\d\d", "".join(re.findall(r' d="[^"]*"', svg)))
    assert "clip-path" in svg  # what is referred to keeps its name
    for name in re.findall(r"url\(#([^)]+)\)", svg):
        assert f'id="{name}"' in svg


def test_bins_keep_the_extremes() -> None:
    rng = np.random.default_rng(1)
    x, y = np.sort(rng.uniform(0, 1, 1000)), rng.normal(size=1000)
    middle, low, high = bin_extremes(x, y, 10)
    edges = np.linspace(x[0], x[-1], 11)
    for n in range(10):
        values = y[(x >= edges[n]) & ((x < edges[n + 1]) | (n == 9))]
        assert (low[n], high[n]) == (values.min(), values.max())
    assert np.allclose(middle, (edges[1:] + edges[:-1]) / 2)


# ------------------------------------------------------------------------------ the command


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["report", *map(str, words)])
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, re.sub(r"\s+", " ", result.stderr)


def test_the_command_writes_what_the_method_writes(tmp_path: Path) -> None:
    scan = scan_of(replace(PLANAR, dropped=(4,)), tmp_path / "rec")
    code, out, err = run(tmp_path / "rec", "-o", tmp_path / "a.html")
    assert (code, err) == (0, "")  # the page says what was found
    assert out == f"wrote {tmp_path / 'a.html'}\n"
    scan.report(tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    code, _, err = run(tmp_path / "rec", "-o", tmp_path / "a.html")
    assert code == 1
    assert "--overwrite" in err
    assert run(tmp_path / "rec", "-o", tmp_path / "a.html", "--overwrite", "--raw")[0] == 0
    code, _, err = run(tmp_path / "nope.tif")
    assert code == 1
    assert err.startswith("error: there is no file or folder")


def test_progress_goes_on_to_the_end(tmp_path: Path) -> None:
    calls: list[tuple[str, float]] = []
    scan = scan_of(VOLUME, tmp_path / "rec")
    scan.report(tmp_path / "a.html", progress=lambda *call: calls.append(call))
    parts = [part for _, part in calls]
    assert parts == sorted(parts)
    assert parts[0] == 0
    assert 0.9 < parts[-1] <= 1


def test_an_interrupted_report_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    PLANAR.write(tmp_path / "rec")
    monkeypatch.setattr(report, "render", stop)
    code, out, err = run(tmp_path / "rec", "-o", tmp_path / "a.html")
    assert (code, out, err) == (130, "", "interrupted: the command did not finish ")
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


def test_real_recordings_have_reports(recordings: Path, tmp_path: Path) -> None:
    for name in (
        "two_channels_5_7.tif",
        "volume_two_channels",
        "slow_stack_20220923_noroi.tif",
        "legacy_3_8_resaved.tiff",
    ):
        scan, _ = read_warned(recordings / name)
        content = gather(scan)
        assert (content.interval_facts != {}) == (name != "legacy_3_8_resaved.tiff")
        assert 10_000 < len(render(content)) < 5_000_000


# ---------------------------------------------------------------------------- in a browser


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not here")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "disable-dev-shm-usage",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield chrome
    chrome.quit()


def resize(browser: Any, width: int, height: int, scheme: str = "light") -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def brightness(browser: Any, element: str, style_name: str) -> float:
    colour = browser.execute_script(f"return getComputedStyle(document.querySelector({element!r})).{style_name}")
    return float(np.mean([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]))


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
def test_a_browser_shows_it(browser: Any, tmp_path: Path) -> None:
    nasty_recording = replace(
        MESOSCOPE, volumes=20, channels=(1, 2), settings={"hUser.note": NASTY_TEXT}, triggers=((0, 0.1), (1, 0.3))
    )
    scan = scan_of(nasty_recording, tmp_path / "rec")
    scan.report(tmp_path / "report.html")
    for width, height, scheme in ((1440, 900, "light"), (390, 844, "dark")):
        resize(browser, width, height, scheme)
        browser.get((tmp_path / "report.html").as_uri())
        assert browser.get_log("browser") == []
        assert browser.title == "scan_00001.tif"
        page_width, window_width = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert page_width <= window_width == width
        contents = browser.execute_script("return getComputedStyle(document.querySelector('nav')).display")
        assert contents == ("block" if width > 1000 else "none")
        page, ink = brightness(browser, "body", "backgroundColor"), brightness(browser, "body", "color")
        assert (page > ink) == (scheme == "light")
        images = browser.execute_script("return Array.from(document.images, one => [one.complete, one.naturalWidth])")
        assert len(images) == 2
        assert all(is_complete and pixels > 300 for is_complete, pixels in images)
        script = "return Array.from(document.querySelectorAll('svg')).filter(one => one.getBBox().width < 10).length"
        assert browser.execute_script(script) == 0
    field = browser.find_element("id", "filter")
    num_settings = len(scan.settings.raw)
    for words, expected in (
        ("ZOOM", [name for name, value in scan.settings.raw.items() if "zoom" in f"{name}{value}".lower()]),
        ("hscan2d bidirectional", ["SI.hScan2D.bidirectional"]),
        ("document.title", ["SI.hUser.note"]),
        ("nothing of this kind", []),
        ("", list(scan.settings.raw)),
    ):
        field.clear()
        field.send_keys(words or " ")
        names_shown = browser.execute_script(
            "return Array.from(document.getElementById('rows').rows).filter(r => !r.hidden).map(r => r.cells[0].textContent)"
        )
        assert names_shown == expected
        count = browser.find_element("id", "count").text
        assert count == (f"{len(expected)} of {num_settings} settings" if words else f"{num_settings} settings")
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [entry["params"]["request"]["url"] for entry in requests if entry["method"] == "Network.requestWillBeSent"]
    assert urls
    assert [url for url in urls if not url.startswith(("file:", "data:", "chrome:", "chrome-untrusted:"))] == []


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
def test_a_notebooks_table_is_legible_in_light_and_dark(browser: Any, tmp_path: Path) -> None:
    table = scan_of(MESOSCOPE, tmp_path / "rec")._repr_html_()
    for scheme, colours in (("light", "background:#fff;color:#111"), ("dark", "background:#111;color:#eee")):
        (tmp_path / "cell.html").write_text(f'<!doctype html><meta charset="utf-8"><body style="{colours}">{table}')
        resize(browser, 800, 600, scheme)
        browser.get((tmp_path / "cell.html").as_uri())
        for element in ("caption", "td", "th"):
            contrast = brightness(browser, "body", "backgroundColor") - brightness(browser, element, "color")
            assert abs(contrast) > 150
        height = browser.execute_script("return document.querySelector('table').offsetHeight")
        assert height < 420


@pytest.mark.parametrize(("offset", "text"), [(-0.001, "+0.00"), (-0.3, "\N{MINUS SIGN}0.30"), (0.25, "+0.25")])
def test_no_phase_offset_is_minus_zero(offset: float, text: str) -> None:
    assert pixel_facts._offset(offset, 0.02) == f"{text} ± 0.02 pixels"
