"""The report: a recording on one HTML page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import numpy as np

from scanreader.bridges.kinds import REPORT
from scanreader.bridges.writing import atomic_path
from scanreader.check import check
from scanreader.errors import Finding
from scanreader.files.urls import file_name, recording_name
from scanreader.notices import listening
from scanreader.recording import views
from scanreader.recording.frames import read_events
from scanreader.tables import counted
from scanreader.texts import in_lines
from scanreader.version import __version__
from scanreader.view.frame_facts import events, intervals, logged_frames
from scanreader.view.html import facts
from scanreader.view.layout_plot import plot_layout
from scanreader.view.meanings import MEANING
from scanreader.view.pixel_facts import activity, histograms, line_offsets, quality, quality_notes, read_pixels, sampled
from scanreader.view.plots import plot
from scanreader.view.words import beside, bytes_on_disk, duration, folder, size, span

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from scanreader.recording.base import BaseScan
    from scanreader.view.charts import Chart, Table

    Progress = Callable[[str, float], object]

MOST_PAGES = 200_000  # up to which all descriptions are read: a million take 8 s, and as long again in `check`
MOST_PNG = 1_800_000  # bytes of a picture: two of them, settings and charts stay below 5 MB
MOST_TEXT = 20_000  # characters that are shown of a setting, or of the ROIs

# ------------------------------------------------------------------------- what is shown


class ExplainedFinding(NamedTuple):
    """A finding and its meaning."""

    finding: Finding
    meaning: str


class Picture(NamedTuple):
    """A picture."""

    name: str
    data: str
    """A PNG, in base64."""
    width: int
    height: int


@dataclass(frozen=True)
class PageContent:
    """Content of the page."""

    title: str
    version: str
    facts: dict[str, str]
    files: list[str]
    findings: list[ExplainedFinding]
    all_pages: bool
    """Whether every page was checked for findings."""
    check_note: str
    """The same as a sentence."""
    pictures: list[Picture]
    activity: list[Chart]
    activity_note: str
    intervals: Chart | None
    interval_facts: dict[str, str]
    outliers: Table
    events: Chart | None
    event_rows: Table
    frames_note: str
    """Frames whose intervals and events are shown, in a sentence; '' if all."""
    quality: Table
    quality_notes: list[str]
    histograms: list[Chart]
    settings: list[tuple[str, str]]
    rois: str

    @property
    def verdict(self) -> str:
        """Worst severity: ``"ok"`` (notes at most), ``"warning"`` or ``"damage"``."""
        severities = {entry.finding.severity for entry in self.findings}
        return next((word for word in ("damage", "warning") if word in severities), "ok")


def write(
    scan: BaseScan, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write the page; see `Scan.report`."""
    with atomic_path(path, REPORT, sources=scan.filenames, overwrite=overwrite) as partial_path:
        page = render(gather(scan, progress or _no_progress))
        partial_path.write_text(page, "utf-8", errors="replace", newline="\n")


def _no_progress(*_: Any) -> None:
    """Report no progress."""


def render(page: PageContent) -> str:
    """Render the page; texts are escaped, so nothing in them becomes code."""
    finalize = lambda value: in_lines(value) if type(value) is str else value  # noqa: E731 - not of markup
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=finalize
    )
    template = resources.files("scanreader.view").joinpath("report.html.jinja").read_text("utf-8")
    return environment.from_string(template).render(page=page)


def gather(scan: BaseScan, progress: Progress = _no_progress) -> PageContent:
    """Gather the content of the page."""
    messages: list[str] = []
    with listening(messages.append):
        filled_scan = scan.view(views.filled)
        progress("checking the pages", 0.0)
        num_pages = len(scan.opened.pages)
        all_pages = num_pages <= MOST_PAGES
        findings = check(scan).findings if all_pages else scan.findings
        progress("reading times", 0.25)
        frame_log = logged_frames(filled_scan, all_pages=all_pages)
        recorded_events, num_cut = read_events(filled_scan.opened, frame_log.table)
        progress("reading pixels", 0.35)
        statistics = read_pixels(filled_scan, progress)
        progress("estimating phase offsets", 0.65)
        offsets, offset_notes = line_offsets(filled_scan)
        progress("drawing", 0.75)
        pictures = _pictures(filled_scan)
        progress("writing", 0.95)
    findings = (*_damage_findings(messages, findings), *findings)
    interval_facts, interval_chart, outliers = intervals(filled_scan, frame_log)
    event_chart, event_rows = events(frame_log, recorded_events, num_cut)
    return PageContent(
        title=recording_name(scan.filenames),
        version=__version__,
        facts=_facts(scan),
        files=[f"{file_name(file.path)}, {size(file.size)}" for file in scan.opened.pages.files[:1000]],
        findings=_explain(findings),
        all_pages=all_pages,
        check_note=f"The IFD and the description of every page were checked: {num_pages:,}."
        if all_pages
        else f"These findings are from opening the recording, which does not check all of its {num_pages:,} pages. "
        "“scanreader check” does.",
        pictures=pictures,
        activity=activity(filled_scan, statistics),
        activity_note=sampled(scan, statistics.frames),
        intervals=interval_chart,
        interval_facts=interval_facts,
        outliers=outliers,
        events=event_chart,
        event_rows=event_rows,
        frames_note=frame_log.note,
        quality=quality(scan, statistics, offsets),
        quality_notes=[*quality_notes(scan, statistics), *offset_notes],
        histograms=histograms(scan, statistics),
        settings=[(name, _beginning(str(value))) for name, value in scan.settings.raw.items()],
        rois=_beginning(scan.roi_text or ""),
    )


def _damage_findings(messages: Sequence[str], findings: Sequence[Finding]) -> list[Finding]:
    """Finding about damage that reading frames met, if no finding reports it yet."""
    is_reported = any(finding.name == "damaged-page" for finding in findings)
    return [] if is_reported else [Finding("damaged-page", "damage", "", sentence) for sentence in messages[:1]]


def _explain(findings: Sequence[Finding]) -> list[ExplainedFinding]:
    """Findings with their meaning; those that differ only in their place are listed once."""
    distinct_findings = {(finding.name, finding.sentence): finding for finding in reversed(findings)}
    return [
        ExplainedFinding(finding, MEANING.get(finding.name, "")) for finding in reversed(distinct_findings.values())
    ]


def _beginning(text: str) -> str:
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[:MOST_TEXT]} … ({len(text):,} characters in all)"


def _facts(scan: BaseScan) -> dict[str, str]:
    files = f"{counted(len(scan.filenames), 'file')}, {size(bytes_on_disk(scan))}"
    facts_shown = {"Folder": folder(scan), "Files": files, **facts(scan)}
    if text := beside(scan):
        facts_shown["Beside the pixels"] = text
    seconds = duration(scan)
    if np.isfinite(seconds):
        facts_shown["Duration"] = f"{span(seconds)} from the first frame to the end of the last"
    del facts_shown["Recording"]
    return facts_shown


# ---------------------------------------------------------------------------- pictures


def _pictures(scan: BaseScan) -> list[Picture]:
    """Mean images of the fields, and their layout where there are several."""
    pictures = [_png("Fields", plot(scan))]
    if scan.num_fields > 1 or scan.is_multiROI:
        pictures.append(_png("Layout", plot_layout(scan)))
    return pictures


def _png(name: str, figure: Figure) -> Picture:
    """A figure as a PNG, with a lower resolution if it would be too large."""
    dpi = figure.dpi
    while True:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=dpi)
        if file.tell() <= MOST_PNG or dpi < 20:
            width, height = (figure.get_size_inches() * 96).round().astype(int).tolist()
            return Picture(name, base64.b64encode(file.getvalue()).decode(), width, height)
        dpi *= 0.95 * math.sqrt(MOST_PNG / file.tell())
