"""A recording on one page: what it is, what it looks like, how good it is, and what that means."""

from __future__ import annotations

import base64
import importlib
import io
import math
import warnings
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import numpy as np
import numpy.typing as npt

from scanreader import __version__
from scanreader.bridges.targets import written
from scanreader.check import GAP, check
from scanreader.errors import HeaderError, ScanReaderWarning
from scanreader.files import is_url
from scanreader.frames import FRAME_TABLE, NUMBERS_END, fill_table, read_events, read_timestamps
from scanreader.view.charts import (
    MINUS,
    UNKNOWN,
    Chart,
    Line,
    Range,
    Tick,
    area,
    extremes,
    hues,
    lines_chart,
    marks,
    path,
    ticks,
)
from scanreader.view.html import counted, facts, recording, size, span
from scanreader.view.plots import evenly

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from scanreader.errors import Finding
    from scanreader.frames import Event
    from scanreader.scans import Scan

    Progress = Callable[[str, float], object]
    Numbers = npt.NDArray[np.float64]
    Table = npt.NDArray[np.void]

MOST_PAGES = 200_000  # whose descriptions are all read: a million take 8 s, and `check` as long again
STRETCHES, FRAMES_EACH = 40, 1000  # of larger recordings
MOST_FRAMES = 500  # of a field and channel whose pixels are read: more than a chart has columns to show
MOST_BYTES = 1 << 29  # of pixels that are read for charts, and again for offsets, unless a frame of each has more
AT_A_TIME = 16 << 20  # bytes of pixels as they are recorded: with what is made of them, 150 MB
MOST_LINES, MOST_ROWS, MOST_OFFSETS = 60, 400, 24
MOST_COMPARED = 600_000  # pixels of pictures whose lines are compared: about 12 s
MOST_PNG = 1_800_000  # bytes of a picture: two of them, settings and charts stay below 5 MB
MOST_TEXT = 20_000  # characters of a setting, or of a list, that are shown
BINS = 400

MEANING: dict[str, str] = {
    "broken-pointer": "A file's chain of pages is broken at one place. The pages behind it were found by their "
    "spacing and are right; other programs may see the part before it alone.",
    "cut-end": "A file ends inside a page, as after a crash, a full disk or a copy that was interrupted. Whole frames "
    "are all there. Compare its size with the original's, and copy it again if that is larger.",
    "damaged-page": "What is on the disk is not the page that should be there. Its frames cannot be read: copy the "
    "file again, or read the others with on_damage='fill'.",
    "dc-overvoltage": "The detector's signal was beyond what the digitizer takes. Bright pixels of these frames may be "
    "clipped: lower the gain or the power next time.",
    "doubled-frames": "Frame numbers go back where they should go on. A file may be here twice, or two recordings "
    "were mixed: look at the files' names and order.",
    "dropped-frames": "Frames were never written, or were lost later. Those that are here are in their places, but "
    "count time by the timestamps, not by the frames.",
    "empty-file": "A file without a page: ScanImage was stopped before it wrote one. Nothing else is missing with it.",
    "fewer-frames": "Someone stopped the recording, or its end is missing. If it should have been longer, look for "
    "files that were not copied.",
    "header-mismatch": "Two things that the header says, or the header and the pages, disagree. The pages were taken "
    "at their word; read the sentence before you rely on that setting.",
    "left-out-file": "A file beside the others does not belong to this recording and was not read. Name the files "
    "yourself if it does.",
    "missing-file": "A file of the series is not here. The frames of the others are right; find the file and open "
    "the recording again.",
    "mixed-acquisitions": "Files of different acquisitions were named together and joined in the order given. Their "
    "clocks and frame numbers begin anew.",
    "mixed-channels": "A page is in the place of another channel, so that one channel's pixels may be taken for "
    "another's from there on. Do not use these frames before you have looked at them.",
    "no-end-flag": "The recording was probably interrupted, or its last file is missing. What is here can be used.",
    "no-frame-numbers": "Without frame numbers, missing or doubled frames cannot be noticed.",
    "no-start-time": "When it was recorded cannot be said from the files; note it down from elsewhere, as for NWB.",
    "not-scanimage": "Another program wrote or saved again these files. The pixels are read as they are; what "
    "ScanImage says beside frames may be lost.",
    "partial-volume": "Frames of a volume that is not whole are left out, so that every field has as many frames.",
    "period-mismatch": "Two ways to tell how long a frame takes differ by a line or so. The times of single pixels "
    "may be off by as much; those of frames are not.",
    "rate-mismatch": "The header's rate is not the one that frames came at. Use the timestamps.",
    "several-acquisitions": "It was recorded in several runs: time passes between them that no frame shows.",
    "time-gap": "No frame is missing by the numbers, but time is: the scanner waited, or a clock jumped. Use the "
    "timestamps, and look at what happened then.",
    "uneven-spacing": "The pages are not where ScanImage puts them at regular distances. All were found and are right; "
    "opening takes a little longer.",
    "unknown-release": "This release of ScanImage was not tried. Compare a few frames with what ScanImage shows.",
    "unknown-rois": "The header does not tell which ROIs were scanned, so fields are whole pages.",
    "unusual-rois": "The ROIs do not fill their page as they usually do. Look at the pictures: fields should begin "
    "and end where your regions did.",
}
"""What each finding means, and what to do."""


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


class Rows(NamedTuple):
    """A table."""

    head: list[str]
    rows: list[list[str]]
    more: str = ""
    """What is not shown of it."""


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
    scan: Scan, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write the page; see `Scan.report`."""
    with written(path, overwrite=overwrite) as partial:
        page = render(gather(scan, progress or _silent))
        partial.write_text(page, "utf-8", errors="replace", newline="\n")


def _silent(*_: Any) -> None:
    """Tell nobody."""


def render(known: Facts) -> str:
    """Make a page of what is known; nothing in it can become a part of the page's own code."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = resources.files("scanreader.view").joinpath("report.html.jinja").read_text("utf-8")
    return environment.from_string(template).render(known=known)


def gather(scan: Scan, progress: Progress = _silent) -> Facts:
    """Find out all that the page shows."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ScanReaderWarning)
        sound = _lenient(scan)
        progress("looking at the pages", 0.0)
        many = len(scan._pages)  # noqa: SLF001 - of one house
        whole = many <= MOST_PAGES
        findings = check(scan).findings if whole else scan.findings
        progress("reading times", 0.25)
        logged = _logged(sound, whole=whole)
        found, _ = read_events(sound._pages, logged.table)  # noqa: SLF001 - of one house
        progress("reading pixels", 0.35)
        seen = _look(sound, progress)
        progress("comparing lines", 0.65)
        offsets, about_offsets = _line_offsets(sound)
        progress("drawing", 0.75)
        pictures = _pictures(sound)
        progress("writing", 0.95)
    heard = list(dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, ScanReaderWarning)))
    interval_facts, intervals, outliers = _intervals(sound, logged)
    event_chart, event_rows = _events(logged, found)
    notes = [*about_offsets, *(f"While frames were read: {said}" for said in heard)]
    return Facts(
        title=recording(scan),
        version=__version__,
        facts=_facts(scan, logged),
        files=[f"{Path(file.path).name}, {size(file.size)}" for file in scan._pages.files[:1000]],  # noqa: SLF001
        findings=_said(findings),
        whole=whole,
        checked=f"The IFD and the description of each of {counted(many, 'page')} were looked at."
        if whole
        else f"These are from opening the recording: of {many:,} pages not every one was looked at. "
        "“scanreader check” does that.",
        pictures=pictures,
        activity=_activity(sound, seen),
        activity_note=_sampled(scan, seen.frames),
        intervals=intervals,
        interval_facts=interval_facts,
        outliers=outliers,
        events=event_chart,
        event_rows=event_rows,
        frames_note=logged.note,
        quality=_quality(scan, seen, offsets),
        quality_notes=[*_quality_notes(scan, seen), *notes],
        histograms=_histograms(scan, seen),
        settings=[(name, _cut(str(value))) for name, value in scan.settings.raw.items()],
        rois=_cut(scan._block.rois or ""),  # noqa: SLF001 - of one house
    )


def _lenient(scan: Scan) -> Scan:
    """Give the same scan, in floats, where pages that cannot be read are NaN."""
    same = object.__new__(type(scan))
    pages = scan._pages  # noqa: SLF001 - of one house
    same.__dict__.update(
        scan.__getstate__(), _pages=replace(pages, fill=math.nan), dtype=np.result_type(pages.dtype, np.float32)
    )
    return same


def _said(findings: Sequence[Finding]) -> list[Said]:
    """Findings with what they mean; what is said of a place and again of the whole is said once."""
    once = {(finding.name, finding.sentence): finding for finding in reversed(findings)}
    return [Said(finding, MEANING.get(finding.name, "")) for finding in reversed(once.values())]


def _cut(text: str) -> str:
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[:MOST_TEXT]} … ({len(text):,} characters in all)"


def _facts(scan: Scan, logged: Logged) -> dict[str, str]:
    known = facts(scan)
    pages = scan._pages  # noqa: SLF001 - of one house
    files = f"{counted(len(pages.files), 'file')}, {size(sum(file.size for file in pages.files))}"
    first = scan.filenames[0]
    folder = first.rpartition("/")[0] if is_url(first) else str(Path(first).parent)
    known = {"Folder": folder, "Files": files, **known}
    stamps = logged.table["timestamp"][np.isfinite(logged.table["timestamp"])]
    if len(stamps) > 1 and stamps[-1] > stamps[0]:
        known["Duration"] = f"{span(float(stamps[-1] - stamps[0]))} from the first frame's time to the last's"
    known.pop("Recording")
    return known


# ---------------------------------------------------------------------------- pictures


def _pictures(scan: Scan) -> list[Drawn]:
    """The pictures of the fields, and the map of them where there are several."""
    drawn = [_png("Fields", scan.plot())]
    if scan.num_fields > 1 or scan.is_multiROI:
        drawn.append(_png("Where they lie", scan.plot_layout()))
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


# ------------------------------------------------------------------------------ pixels


class Seen(NamedTuple):
    """What was seen of the pixels of some frames."""

    frames: npt.NDArray[np.int64]
    means: Numbers
    """Of shape (fields, channels, frames); NaN of pages that cannot be read."""
    stats: Numbers
    """Of shape (fields, channels, 6): `STATS`."""
    histograms: npt.NDArray[np.int64] | None
    """How often each value was seen, of shape (channels, values); None where values are too many."""
    lowest: int
    """The first of those values."""


STATS = ("least", "percentile 1", "median", "percentile 99.9", "largest", "part at the largest")
"""What is told of the values of a field and channel."""


def _look(scan: Scan, progress: Progress) -> Seen:
    """Read evenly spaced frames, some at a time."""
    pixels = scan._pages.dtype  # noqa: SLF001 - of one house
    one = sum(f.height * f.width for f in scan.fields) * scan.num_channels * pixels.itemsize
    frames = evenly(np.arange(scan.num_frames), min(MOST_FRAMES, max(1, MOST_BYTES // max(1, one))))
    means = np.full((scan.num_fields, scan.num_channels, len(frames)), np.nan)
    stats = np.full((*means.shape[:2], len(STATS)), np.nan)
    counted_values = pixels.kind in "iu" and pixels.itemsize <= 2
    lowest = int(np.iinfo(pixels).min) if counted_values else 0
    histograms = np.zeros((scan.num_channels, 1 << 8 * pixels.itemsize), np.int64) if counted_values else None
    for i, field in enumerate(scan.fields):
        step = max(1, AT_A_TIME // (field.height * field.width * pixels.itemsize))
        progress("reading pixels", 0.35 + 0.3 * i / scan.num_fields)
        for c in range(scan.num_channels):
            here = np.zeros(histograms.shape[1], np.int64) if histograms is not None else None
            for start in range(0, len(frames), step):
                part = scan[i, :, :, c, frames[start : start + step]]
                means[i, c, start : start + step] = part.mean(axis=(0, 1), dtype=np.float64)
                values = part[np.isfinite(part)]
                if here is not None:
                    here += np.bincount(values.astype(np.int32) - lowest, minlength=len(here))
                elif values.size:
                    stats[i, c, 0] = np.fmin(stats[i, c, 0], values.min())
                    stats[i, c, 4] = np.fmax(stats[i, c, 4], values.max())
            if here is not None and histograms is not None and here.any():
                stats[i, c] = _stats(here, lowest)
                histograms[c] += here
    return Seen(frames, means, stats, histograms, lowest)


def _stats(histogram: npt.NDArray[np.int64], lowest: int) -> list[float]:
    """`STATS` of a histogram that is not empty."""
    there = np.flatnonzero(histogram)
    below = np.cumsum(histogram)
    middle = [int(np.searchsorted(below, part * below[-1])) for part in (0.01, 0.5, 0.999)]
    places = [int(there[0]), *middle, int(there[-1])]
    return [*(float(place + lowest) for place in places), float(histogram[there[-1]] / below[-1])]


def _sampled(scan: Scan, frames: npt.NDArray[np.int64]) -> str:
    if len(frames) == scan.num_frames:
        return f"From all {counted(scan.num_frames, 'frame')} of each field and channel."
    return f"From {len(frames):,} of {scan.num_frames:,} frames of each field and channel, evenly spaced."


def _labels(scan: Scan) -> list[str]:
    """What each field is called, in a legend or a row."""
    several, deep = scan.num_fields > 1, scan.num_scanning_depths > 1
    labels = []
    for i, field in enumerate(scan.fields):
        depth = f"z {round(field.depth, 1):g} µm".translate(MINUS) if deep and math.isfinite(field.depth) else ""
        parts = [f"{i}" if several else "", " ".join(field.name.split()), depth]
        labels.append(" · ".join(filter(None, parts)) or "0")
    return labels


def _activity(scan: Scan, seen: Seen) -> list[Chart]:
    """Brightness over time, a chart for each channel."""
    fields = evenly(np.arange(scan.num_fields), MOST_LINES).tolist()
    times, label = _times(scan, seen.frames, fields)
    labels = _labels(scan)
    more = f" ({len(fields)} of {scan.num_fields} fields)" if len(fields) < scan.num_fields else ""
    return [
        lines_chart(
            f"{name}{more}" if scan.num_channels > 1 or more else "",
            times,
            [seen.means[i, c] for i in fields],
            [labels[i] for i in fields],
            label,
            "mean pixel value",
        )
        for c, name in enumerate(scan.channel_names)
        if np.isfinite(seen.means[:, c]).any()
    ]


def _times(scan: Scan, frames: npt.NDArray[np.int64], fields: Sequence[int]) -> tuple[list[Numbers], str]:
    """When each field was seen in some frames, and in which unit; the frames' numbers where no times are known."""
    slices = sorted({scan.fields[i].slice_id for i in fields})
    of_slice = {s: read_timestamps(scan._pages, scan.layout.page_numbers(s, 0, frames)) for s in slices}  # noqa: SLF001
    every = np.concatenate(list(of_slice.values()))
    if not np.isfinite(every).any() and math.isfinite(scan.fps) and scan.fps > 0 and scan.stack.mode == "planar":
        of_slice = dict.fromkeys(slices, frames / scan.fps)
        every = frames / scan.fps
    rising = all((np.diff(stamps[np.isfinite(stamps)]) > 0).all() for stamps in of_slice.values())
    if not np.isfinite(every).any() or not rising:
        return [frames.astype(np.float64) for _ in fields], "frame"
    unit, seconds = _clock(float(np.nanmax(every)))
    return [of_slice[scan.fields[i].slice_id] / seconds for i in fields], f"time ({unit})"


def _clock(longest: float) -> tuple[str, float]:
    """Unit of a time axis, and its seconds."""
    return ("s", 1.0) if longest < 600 else ("min", 60.0) if longest < 4 * 3600 else ("h", 3600.0)


def _quality(scan: Scan, seen: Seen, offsets: Numbers | None) -> Rows:
    """A row for each field and channel."""
    head = ["field", "channel", "mean", *STATS[1:4], *STATS[::4], "at the largest"]
    if offsets is not None:
        head.append("line offset")
    rows = []
    for i, label in enumerate(_labels(scan)):
        for c, name in enumerate(scan.channel_names):
            least, low, median, high, largest, at = seen.stats[i, c].tolist()
            known = seen.means[i, c][np.isfinite(seen.means[i, c])]
            mean = float(known.mean()) if known.size else math.nan
            row = [label, name, _value(mean, 1), *(_value(v) for v in (low, median, high, least, largest)), _share(at)]
            rows.append(row if offsets is None else [*row, _offset(*offsets[i, c].tolist())])
    more = f"{len(rows) - MOST_ROWS} more rows are not shown." if len(rows) > MOST_ROWS else ""
    return Rows(head, rows[:MOST_ROWS], more)


def _value(value: float, decimals: int = 0) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:,.{decimals}f}".translate(MINUS)


def _share(part: float) -> str:
    return UNKNOWN if math.isnan(part) else f"{100 * part:.2g} %" if part >= 1e-6 else "< 0.0001 %"


def _offset(offset: float, uncertainty: float) -> str:
    if not math.isfinite(offset):
        return "not told"
    return f"{offset:+.2f} ± {uncertainty:.1g} pixels".translate(MINUS)


def _quality_notes(scan: Scan, seen: Seen) -> list[str]:
    """What the numbers say, in sentences."""
    notes = [f"In counts of the digitizer, as recorded. {_sampled(scan, seen.frames)}"]
    if seen.histograms is None:
        return notes
    for name, histogram in zip(scan.channel_names, seen.histograms, strict=True):
        there = np.flatnonzero(histogram)
        if not there.size:
            continue
        top = int(there[-1])
        part = histogram[top] / histogram.sum()
        below = histogram[max(0, top - 16) : top]
        if part > 1e-5 and len(below) and histogram[top] > 4 * max(1.0, float(below.max())):
            at = f"{top + seen.lowest:,}".translate(MINUS)
            notes.append(
                f"{name} looks clipped: {_share(float(part))} of its pixels have its largest value, {at}, and far "
                "fewer have those just below."
            )
        if top + seen.lowest == np.iinfo(scan._pages.dtype).max:  # noqa: SLF001 - of one house
            notes.append(f"{name} reaches the largest value that {scan._pages.dtype} holds.")  # noqa: SLF001
    if scan.stack.averaging > 1:
        notes.append(f"Each frame is the mean of {scan.stack.averaging}: what was clipped is hard to see in it.")
    return notes


def _histograms(scan: Scan, seen: Seen) -> list[Chart]:
    """How often each value was seen: the channels in one chart, on a logarithmic scale."""
    if seen.histograms is None or not seen.histograms.any():
        return []
    there = np.flatnonzero(seen.histograms.any(axis=0))
    first, last = int(there[0]), int(there[-1]) + 1
    width = max(1, math.ceil((last - first) / BINS))
    starts = np.arange(first, last, width)
    across = Range(float(first + seen.lowest), float(last + seen.lowest))
    counts = np.add.reduceat(seen.histograms[:, first:last], starts - first, axis=1).astype(np.float64)
    with np.errstate(divide="ignore"):
        shares = np.log10(counts / np.maximum(1, seen.histograms.sum(axis=1, keepdims=True)))
    bottom = math.floor(float(shares[np.isfinite(shares)].min()))
    up = Range(bottom, max(bottom + 1.0, math.ceil(float(shares.max()))))
    shares[~np.isfinite(shares)] = bottom
    edges = across.part(np.repeat(np.append(starts, last), 2)[1:-1] + seen.lowest)
    drawn = [
        Line(path(edges, up.part(np.repeat(share, 2))), hue, name)
        for share, name, hue in zip(shares, scan.channel_names, hues(scan.num_channels), strict=True)
    ]
    powers = range(int(up.low), int(up.high) + 1)
    y = [Tick(round(100 - 100 * float(up.part(p)), 2), f"{100 * 10.0**p:.{max(0, -p - 2)}f} %") for p in powers]
    y = y[:: math.ceil(len(y) / 5)]
    values = "pixel value" + (f" (in steps of {width})" if width > 1 else "")
    legend = drawn if len(drawn) > 1 else []
    return [Chart("How often each value is seen", values, "part of the pixels", ticks(across, 8), y, drawn, legend)]


def _line_offsets(scan: Scan) -> tuple[Numbers | None, list[str]]:
    """Offset and uncertainty, in pixels, of shape (fields, channels, 2), and what is to be said of them."""
    try:
        estimate = importlib.import_module("scanreader.phase").estimate_line_offset
    except ModuleNotFoundError:
        return None, []
    largest = max(field.height * field.width for field in scan.fields)
    most = min(MOST_OFFSETS, MOST_COMPARED // largest) // scan.num_channels
    fields = evenly(np.arange(scan.num_fields), max(1, most))
    some = object.__new__(type(scan))
    some.__dict__.update(scan.__getstate__(), fields=tuple(scan.fields[i] for i in fields))
    one = sum(f.height * f.width for f in some.fields) * scan.num_channels * scan.dtype.itemsize
    frames = max(1, min(64, MOST_BYTES // max(1, one)))
    try:
        found = estimate(some, frames=frames)
    except HeaderError as error:
        return None, [f"No offset between scan directions: {error}."]
    offsets = np.full((scan.num_fields, scan.num_channels, 2), np.nan)
    offsets[fields] = np.stack([found.offset, found.uncertainty], axis=-1)
    many = f"{len(fields)} of {scan.num_fields} fields and " if len(fields) < scan.num_fields else ""
    said = (
        "Line offset: how far lines that were scanned backwards are displaced along the line against those scanned "
        f"forwards, with its standard error, from {many}{min(frames, scan.num_frames)} frames. It is shown only: the "
        "pixels that are read are as recorded. scanreader.phase.realigned takes it out."
    )
    return offsets, [said]


# ------------------------------------------------------------------------------- frames


class Logged(NamedTuple):
    """Frames that ScanImage logged, or some stretches of them."""

    table: Table
    """As `Scan.frame_table`."""
    follows: npt.NDArray[np.bool_]
    """Whether each row, but the first, is of the frame after that of the row before, by its place in the files."""
    note: str
    """Which frames these are; '' if all."""


def _logged(scan: Scan, *, whole: bool) -> Logged:
    """Read the frame table; of a large recording, evenly spaced stretches of it."""
    if whole:
        table = scan.frame_table
        return Logged(table, np.ones(max(0, len(table) - 1), np.bool_), "")
    counts, pages = scan.layout.counts, scan._pages  # noqa: SLF001 - of one house
    per = counts.frames_per_volume
    ends = np.cumsum([stretch.volumes * per for stretch in scan.layout.stretches])
    many = int(ends[-1])
    starts = np.linspace(0, max(0, many - FRAMES_EACH), STRETCHES).astype(np.int64)
    rows = np.unique(starts[:, None] + np.arange(min(FRAMES_EACH, many)))
    which = np.searchsorted(ends, rows, side="right")
    within = rows - np.append(0, ends)[which]
    firsts = np.array([stretch.page for stretch in scan.layout.stretches])[which] + within * counts.channels
    table = np.zeros(len(rows), FRAME_TABLE)
    table["file"] = np.searchsorted(pages.starts, firsts, side="right") - 1
    table["page"] = firsts - pages.starts[table["file"]]
    place = within % per
    in_slice = place < counts.slices * counts.repeats
    table["slice"] = np.where(in_slice, place // counts.repeats, -1)
    table["repeat"] = np.where(in_slice, place % counts.repeats, -1)
    table["is_flyback"] = ~in_slice
    fill_table(table, pages.descriptions(firsts, NUMBERS_END))
    note = f"From {STRETCHES} stretches of {FRAMES_EACH:,} frames, evenly spaced over {many:,}."
    return Logged(table, np.diff(rows) == 1, note)


def _intervals(scan: Scan, logged: Logged) -> tuple[dict[str, str], Chart | None, Rows]:
    """How frames follow each other in time: numbers, a chart, and the intervals that stand out."""
    table, head = logged.table, ["time (s)", "file", "frame number", "interval (ms)", "of the median"]
    number, stamp, a = table["frame_number"], table["timestamp"], scan.stack.averaging
    step = np.diff(stamp)
    follows = logged.follows & np.isfinite(step)
    follows &= ((np.diff(number) == a) & (number[:-1] >= 0)) | bool((number < 0).all())
    follows &= np.diff(table["acquisition_number"]) == 0
    if scan.stack.mode == "slow":  # the stage moves between slices
        follows &= (np.diff(table["slice"]) == 0) & (table["slice"][1:] >= 0) & (np.diff(table["repeat"]) == 1)
    rows = np.flatnonzero(follows)
    if not rows.size:
        return {}, None, Rows(head, [])
    inside = step[rows]
    median = float(np.median(inside))
    odd = rows[(inside > GAP * median) | (inside <= 0)]
    known = {
        "Median": f"{_ms(median)} ({1 / median:.6g} Hz)" if median > 0 else _ms(median),
        "Shortest and longest": f"{_ms(float(inside.min()))} and {_ms(float(inside.max()))}",
        "Spread": f"{_spread(inside[inside <= GAP * median])} (standard deviation, without outliers)",
        "Outliers": f"{len(odd):,} of {len(inside):,} intervals: longer than {GAP:g} medians, or not above 0",
    }
    worst = np.sort(odd[np.argsort(-np.abs(step[odd] - median), kind="stable")][:20])
    shown = [
        [
            f"{stamp[i + 1]:.6f}",
            Path(scan.filenames[table["file"][i + 1]]).name,
            f"{number[i + 1]}" if number[i + 1] >= 0 else UNKNOWN,
            f"{1000 * step[i]:.6g}".translate(MINUS),
            f"{step[i] / median:.3g}".translate(MINUS) if median > 0 else UNKNOWN,
        ]
        for i in worst.tolist()
    ]
    more = f"The {len(worst)} that are furthest off, of {len(odd):,}." if len(odd) > len(worst) else ""
    return known, _interval_chart(stamp[1:][rows], inside, median), Rows(head, shown, more)


def _interval_chart(times: Numbers, intervals: Numbers, median: float) -> Chart | None:
    """Intervals over time: the least and the largest of each column; outliers as strokes across."""
    if len(intervals) < 2 or median <= 0:
        return None
    odd = (intervals > GAP * median) | (intervals <= 0)
    unit, seconds = _clock(float(times.max()))
    across = Range.of(times / seconds)
    usual = np.percentile(intervals[~odd], (0.1, 99.9)) if (~odd).any() else np.array([median, median])
    up = Range.of(np.append(usual, median) * 1000, 0.3, least=0.005 * median * 1000)
    x, low, high = extremes(times[~odd] / seconds, 1000 * intervals[~odd], across, min(BINS, len(intervals)))
    bottom, top = (np.clip(up.part(values), 0, 1) for values in (low, high))
    blue, red = hues(1)[0], 0.0
    drawn = [
        Line(area(x, bottom, np.maximum(top, bottom + 0.006)), blue, "least to largest", "area"),
        Line(path(x, (bottom + top) / 2), blue, "middle"),
    ]
    if odd.any():
        drawn.append(Line(marks(across.part(times[odd] / seconds), 0.0, 1.0), red, "outliers", "marks"))
    legend = [drawn[2]] if odd.any() else []
    y = ticks(up, 5, from_top=True)
    return Chart("", f"time ({unit})", "interval (ms)", ticks(across, 8), y, drawn, legend, 10)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.6g} ms".translate(MINUS)


def _spread(intervals: Numbers) -> str:
    spread = float(np.std(intervals)) if intervals.size else math.nan
    return "below 0.001 ms" if spread < 1e-6 else f"{1000 * spread:.3g} ms"


def _events(logged: Logged, found: Sequence[Event]) -> tuple[Chart | None, Rows]:
    """What came in while frames were scanned: a row of strokes for each source, and how many there are."""
    times: dict[str, list[float]] = {}
    for event in found:
        times.setdefault(event.source, []).append(event.time)
    for column, name in (("acquisition_trigger", "acquisition trigger"), ("next_file_marker", "next file marker")):
        known = np.unique(logged.table[column][np.isfinite(logged.table[column])])
        if known.size:
            times[name] = known.tolist()
    head = ["source", "events", "first (s)", "last (s)", "median interval"]
    rows = []
    for name, every in sorted(times.items()):
        between = np.diff(np.sort(every))
        usual = span(float(np.median(between))) if between.size else UNKNOWN
        rows.append(
            [name, f"{len(every):,}", *(f"{at:.6f}".translate(MINUS) for at in (min(every), max(every))), usual]
        )
    if not times:
        return None, Rows(head, [])
    stamps = logged.table["timestamp"]
    every_time = np.concatenate([stamps[np.isfinite(stamps)], *map(np.array, times.values())])
    unit, seconds = _clock(float(every_time.max()))
    across = Range.of(every_time / seconds, 0.005)
    names, high = sorted(times), 1 / len(times)
    places = [across.part(np.array(times[name]) / seconds) for name in names]
    drawn = [
        Line(marks(at, 1 - (n + 0.85) * high, 1 - (n + 0.15) * high), hue, name, "marks")
        for n, (at, name, hue) in enumerate(zip(places, names, hues(len(names)), strict=True))
    ]
    y = [Tick(round(100 * (n + 0.5) * high, 2), name) for n, name in enumerate(names)]
    chart = Chart("", f"time ({unit})", "", ticks(across, 8), y, drawn, [], 2 + 2 * len(names))
    return chart, Rows(head, rows)
