"""What ScanImage wrote beside the frames of a recording says of it: how they follow each other, and the events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.check import GAP
from scanreader.files.urls import file_name
from scanreader.recording.frames import placed_rows
from scanreader.scanimage.descriptions import NUMBERS_END, fill_table
from scanreader.tables import MINUS
from scanreader.view.charts import (
    UNKNOWN,
    Chart,
    Line,
    Range,
    Rows,
    Tick,
    area,
    clock,
    extremes,
    hues,
    marks,
    path,
    ticks,
)
from scanreader.view.words import counted, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.recording.base import BaseScan
    from scanreader.scanimage.descriptions import Event

    Numbers = npt.NDArray[np.float64]
    Table = npt.NDArray[np.void]

STRETCHES, FRAMES_EACH = 40, 1000  # of larger recordings
BINS = 400


class Logged(NamedTuple):
    """Frames that ScanImage logged, or some stretches of them."""

    table: Table
    """As `Scan.frame_table`."""
    follows: npt.NDArray[np.bool_]
    """Whether each row, but the first, is of the frame after that of the row before, by its place in the files."""
    note: str
    """Which frames these are; '' if all."""


def logged_frames(scan: BaseScan, *, whole: bool) -> Logged:
    """Read the frame table; of a large recording, evenly spaced stretches of it."""
    if whole:
        table = scan.frame_table
        return Logged(table, np.ones(max(0, len(table) - 1), np.bool_), "")
    counts, pages = scan.layout.counts, scan.opened.pages
    per = counts.frames_per_volume
    stretches = scan.layout.stretches
    ends = np.cumsum([stretch.volumes * per for stretch in stretches])
    many = int(ends[-1])
    starts = np.linspace(0, max(0, many - FRAMES_EACH), STRETCHES).astype(np.int64)
    rows = np.unique(starts[:, None] + np.arange(min(FRAMES_EACH, many)))
    which = np.searchsorted(ends, rows, side="right")
    within = rows - np.append(0, ends)[which]
    firsts = np.array([stretch.page for stretch in stretches])[which] + within * counts.channels
    volumes = np.array([stretch.volume for stretch in stretches])[which] + within // per
    table = placed_rows(pages, counts, firsts, volumes, within % per)
    fill_table(table, pages.descriptions(firsts, NUMBERS_END))
    note = f"From {STRETCHES} stretches of {FRAMES_EACH:,} frames, evenly spaced over {many:,}."
    return Logged(table, np.diff(rows) == 1, note)


def intervals(scan: BaseScan, logged: Logged) -> tuple[dict[str, str], Chart | None, Rows]:
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
            file_name(scan.filenames[table["file"][i + 1]]),
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
    unit, seconds = clock(float(times.max()))
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


def events(logged: Logged, found: Sequence[Event], cut: int = 0) -> tuple[Chart | None, Rows]:
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
    unit, seconds = clock(float(every_time.max()))
    across = Range.of(every_time / seconds, 0.005)
    names, high = sorted(times), 1 / len(times)
    places = [across.part(np.array(times[name]) / seconds) for name in names]
    drawn = [
        Line(marks(at, 1 - (n + 0.85) * high, 1 - (n + 0.15) * high), hue, name, "marks")
        for n, (at, name, hue) in enumerate(zip(places, names, hues(len(names)), strict=True))
    ]
    y = [Tick(round(100 * (n + 0.5) * high, 2), name) for n, name in enumerate(names)]
    chart = Chart("", f"time ({unit})", "", ticks(across, 8), y, drawn, [], 2 + 2 * len(names))
    lost = f"ScanImage cut the descriptions of {counted(cut, 'frame')} short: some of their events are missing."
    return chart, Rows(head, rows, lost if cut else "")
