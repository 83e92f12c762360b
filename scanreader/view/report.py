"""A recording on one page: what it is, what it looks like, how good it is, and what that means."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import numpy as np

from scanreader.bridges.targets import atomic_path
from scanreader.check import check
from scanreader.errors import Finding
from scanreader.files.urls import file_name, recording_name
from scanreader.notices import listening
from scanreader.recording import views
from scanreader.recording.frames import read_events
from scanreader.version import __version__
from scanreader.view.frame_facts import events, intervals, logged_frames
from scanreader.view.html import facts
from scanreader.view.layout_plot import plot_layout
from scanreader.view.meanings import MEANING
from scanreader.view.pixel_facts import activity, histograms, line_offsets, look, quality, quality_notes, sampled
from scanreader.view.plots import plot
from scanreader.view.words import bytes_on_disk, counted, duration, folder, size, span

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from scanreader.recording.base import BaseScan
    from scanreader.view.charts import Chart, Rows

    Progress = Callable[[str, float], object]

MOST_PAGES = 200_000  # whose descriptions are all read: a million take 8 s, and `check` as long again
MOST_PNG = 1_800_000  # bytes of a picture: two of them, settings and charts stay below 5 MB
MOST_TEXT = 20_000  # characters of a setting, or of a list, that are shown

# ------------------------------------------------------------------------- what is shown


class Said(NamedTuple):
    """A finding, and what it means."""

    finding: Finding
    meaning: str


class Drawn(NamedTuple):
    """A picture."""

    name: str
    data: str
    """A PNG, in base64."""
    width: int
    height: int


@dataclass(frozen=True)
class Facts:
    """All that the page shows."""

    title: str
    version: str
    facts: dict[str, str]
    files: list[str]
    findings: list[Said]
    whole: bool
    """Whether every page was looked at for them."""
    checked: str
    """The same in a sentence."""
    pictures: list[Drawn]
    activity: list[Chart]
    activity_note: str
    intervals: Chart | None
    interval_facts: dict[str, str]
    outliers: Rows
    events: Chart | None
    event_rows: Rows
    frames_note: str
    """Which frames the intervals and events are of."""
    quality: Rows
    quality_notes: list[str]
    histograms: list[Chart]
    settings: list[tuple[str, str]]
    rois: str

    @property
    def verdict(self) -> str:
        """The worst of what was found: ``"sound"``, ``"warning"`` or ``"damage"``."""
        severities = {said.finding.severity for said in self.findings}
        return next((word for word in ("damage", "warning") if word in severities), "sound")


def write(
    scan: BaseScan, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write the page; see `Scan.report`."""
    with atomic_path(path, overwrite=overwrite) as partial:
        page = render(gather(scan, progress or _silent))
        partial.write_text(page, "utf-8", errors="replace", newline="\n")


def _silent(*_: Any) -> None:
    """Tell nobody."""


def render(known: Facts) -> str:
    """Make a page of what is known; nothing in it can become a part of the page's own code."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = resources.files("scanreader.view").joinpath("report.html.jinja").read_text("utf-8")
    return environment.from_string(template).render(known=known)


def gather(scan: BaseScan, progress: Progress = _silent) -> Facts:
    """Find out all that the page shows."""
    noticed: list[str] = []
    with listening(noticed.append):
        sound = scan.view(views.filled)
        progress("looking at the pages", 0.0)
        many = len(scan.opened.pages)
        whole = many <= MOST_PAGES
        findings = check(scan).findings if whole else scan.findings
        progress("reading times", 0.25)
        logged = logged_frames(sound, whole=whole)
        found, cut = read_events(sound.opened.pages, logged.table)
        progress("reading pixels", 0.35)
        seen = look(sound, progress)
        progress("comparing lines", 0.65)
        offsets, about_offsets = line_offsets(sound)
        progress("drawing", 0.75)
        pictures = _pictures(sound)
        progress("writing", 0.95)
    findings = (*_unreadable(noticed, findings), *findings)
    interval_facts, interval_chart, outliers = intervals(sound, logged)
    event_chart, event_rows = events(logged, found, cut)
    return Facts(
        title=recording_name(scan.filenames),
        version=__version__,
        facts=_facts(scan),
        files=[f"{file_name(file.path)}, {size(file.size)}" for file in scan.opened.pages.files[:1000]],
        findings=_said(findings),
        whole=whole,
        checked=f"The IFD and the description of every page were looked at: {many:,}."
        if whole
        else f"These are from opening the recording: of {many:,} pages not every one was looked at. "
        "“scanreader check” does that.",
        pictures=pictures,
        activity=activity(sound, seen),
        activity_note=sampled(scan, seen.frames),
        intervals=interval_chart,
        interval_facts=interval_facts,
        outliers=outliers,
        events=event_chart,
        event_rows=event_rows,
        frames_note=logged.note,
        quality=quality(scan, seen, offsets),
        quality_notes=[*quality_notes(scan, seen), *about_offsets],
        histograms=histograms(scan, seen),
        settings=[(name, _cut(str(value))) for name, value in scan.settings.raw.items()],
        rois=_cut(scan.roi_text or ""),
    )


def _unreadable(noticed: Sequence[str], findings: Sequence[Finding]) -> list[Finding]:
    """What was met while frames were read, if it is not known yet."""
    known = any(finding.name == "damaged-page" for finding in findings)
    return [] if known else [Finding("damaged-page", "damage", "", sentence) for sentence in noticed[:1]]


def _said(findings: Sequence[Finding]) -> list[Said]:
    """Findings with what they mean; what is said of a place and again of the whole is said once."""
    once = {(finding.name, finding.sentence): finding for finding in reversed(findings)}
    return [Said(finding, MEANING.get(finding.name, "")) for finding in reversed(once.values())]


def _cut(text: str) -> str:
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[:MOST_TEXT]} … ({len(text):,} characters in all)"


def _facts(scan: BaseScan) -> dict[str, str]:
    files = f"{counted(len(scan.filenames), 'file')}, {size(bytes_on_disk(scan))}"
    facts_shown = {"Folder": folder(scan), "Files": files, **facts(scan)}
    seconds = duration(scan)
    if np.isfinite(seconds):
        facts_shown["Duration"] = f"{span(seconds)} from the first frame to the end of the last"
    del facts_shown["Recording"]
    return facts_shown


# ---------------------------------------------------------------------------- pictures


def _pictures(scan: BaseScan) -> list[Drawn]:
    """The pictures of the fields, and the map of them where there are several."""
    drawn = [_png("Fields", plot(scan))]
    if scan.num_fields > 1 or scan.is_multiROI:
        drawn.append(_png("Where they lie", plot_layout(scan)))
    return drawn


def _png(name: str, figure: Figure) -> Drawn:
    """A figure as a PNG that is not too large: of less pixels, if it is."""
    dpi = figure.dpi
    while True:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=dpi)
        if file.tell() <= MOST_PNG or dpi < 20:
            width, height = (figure.get_size_inches() * 96).round().astype(int).tolist()
            return Drawn(name, base64.b64encode(file.getvalue()).decode(), width, height)
        dpi *= 0.95 * math.sqrt(MOST_PNG / file.tell())
