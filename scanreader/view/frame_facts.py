"""Frame intervals and events of the report, from what ScanImage wrote beside the frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.check import GAP, is_consecutive
from scanreader.files.urls import file_name
from scanreader.recording.frames import fill_rows, placed_rows
from scanreader.tables import MINUS, counted
from scanreader.view.charts import UNKNOWN, Chart, Table, add_legend, bin_extremes, new_chart, time_unit
from scanreader.view.words import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.recording.base import BaseScan
    from scanreader.scanimage.descriptions import Event

    Numbers = npt.NDArray[np.float64]
    FrameTable = npt.NDArray[np.void]

STRETCHES, FRAMES_EACH = 40, 1000  # that are read of larger recordings
BINS = 400


class FrameLog(NamedTuple):
    """Frame table of a recording, or of stretches of it."""

    table: FrameTable
    """As `Scan.frame_table`."""
    follows: npt.NDArray[np.bool_]
    """Whether each row but the first directly follows the row before in the files."""
    note: str
    """Which frames these are, in a sentence; '' if all."""


def logged_frames(scan: BaseScan, *, all_pages: bool) -> FrameLog:
    """Read the frame table, or evenly spaced stretches of it."""
    if all_pages:
        table = scan.frame_table
        return FrameLog(table, np.ones(max(0, len(table) - 1), np.bool_), "")
    counts, pages = scan.layout.counts, scan.opened.pages
    frames_per_volume = counts.frames_per_volume
    stretches = scan.layout.stretches
    ends = np.cumsum([stretch.volumes * frames_per_volume for stretch in stretches])
    num_frames = int(ends[-1])
    starts = np.linspace(0, max(0, num_frames - FRAMES_EACH), STRETCHES).astype(np.int64)
    rows = np.unique(starts[:, None] + np.arange(min(FRAMES_EACH, num_frames)))
    stretch_of_row = np.searchsorted(ends, rows, side="right")
    row_in_stretch = rows - np.append(0, ends)[stretch_of_row]
    first_pages = np.array([stretch.page for stretch in stretches])[stretch_of_row] + row_in_stretch * counts.channels
    volumes = np.array([stretch.volume for stretch in stretches])[stretch_of_row] + row_in_stretch // frames_per_volume
    table = placed_rows(pages, counts, first_pages, volumes, row_in_stretch % frames_per_volume)
    fill_rows(scan.opened, table)
    note = f"From {STRETCHES} stretches of {FRAMES_EACH:,} frames, evenly spaced over {num_frames:,}."
    return FrameLog(table, np.diff(rows) == 1, note)


def intervals(scan: BaseScan, frame_log: FrameLog) -> tuple[dict[str, str], Chart | None, Table]:
    """Intervals between frames: facts, a chart, and a table of outliers."""
    table, columns = frame_log.table, ["time (s)", "file", "frame number", "interval (ms)", "of the median"]
    number, stamp = table["frame_number"], table["timestamp"]
    step = np.diff(stamp)
    follows = frame_log.follows & np.isfinite(step) & is_consecutive(scan, table)
    rows = np.flatnonzero(follows & (np.diff(table["acquisition_number"]) == 0) & (np.diff(table["bout"]) == 0))
    if not rows.size:
        return {}, None, Table(columns, [])
    durations = step[rows]
    median = float(np.median(durations))
    outliers = rows[(durations > GAP * median) | (durations <= 0)]
    interval_facts = {
        "Median": f"{_ms(median)} ({1 / median:.6g} Hz)" if median > 0 else _ms(median),
        "Shortest and longest": f"{_ms(float(durations.min()))} and {_ms(float(durations.max()))}",
        "Spread": f"{_standard_deviation(durations[durations <= GAP * median])} (standard deviation, without outliers)",
        "Outliers": f"{len(outliers):,} of {len(durations):,} intervals: longer than {GAP:g} medians, or not above 0",
    }
    worst_rows = np.sort(outliers[np.argsort(-np.abs(step[outliers] - median), kind="stable")][:20])
    cells = [
        [
            f"{stamp[i + 1]:.6f}",
            file_name(scan.filenames[table["file"][i + 1]]),
            f"{number[i + 1]}" if number[i + 1] >= 0 else UNKNOWN,
            f"{1000 * step[i]:.6g}".translate(MINUS),
            f"{step[i] / median:.3g}".translate(MINUS) if median > 0 else UNKNOWN,
        ]
        for i in worst_rows.tolist()
    ]
    omission = (
        f"The {len(worst_rows)} furthest from the median, of {len(outliers):,}."
        if len(outliers) > len(worst_rows)
        else ""
    )
    return interval_facts, _interval_chart(stamp[1:][rows], durations, median), Table(columns, cells, omission)


def _interval_chart(times: Numbers, intervals: Numbers, median: float) -> Chart | None:
    """Chart of intervals over time: smallest and largest of each bin, and outliers as vertical lines."""
    if len(intervals) < 2 or median <= 0:
        return None
    is_outlier = (intervals > GAP * median) | (intervals <= 0)
    unit, seconds = time_unit(float(times.max()))
    chart = new_chart("", f"time ({unit})", "interval (ms)", height=1.8)
    axes = chart.axes
    regular_intervals = 1000 * intervals[~is_outlier]
    if regular_intervals.size:
        x, low, high = bin_extremes(times[~is_outlier] / seconds, regular_intervals, min(BINS, len(regular_intervals)))
        axes.fill_between(x, low, high, step="mid", alpha=0.3, linewidth=0)
        axes.plot(x, (low + high) / 2, linewidth=1.2)
    limits = np.percentile([*regular_intervals, 1000 * median], (0.1, 99.9))
    margin = max(0.3 * float(np.ptp(limits)), 0.0025 * 1000 * median)
    axes.set_ylim(limits[0] - margin, limits[1] + margin)
    if is_outlier.any():
        outliers = times[is_outlier] / seconds
        axes.vlines(outliers, 0, 1, "C3", label="outliers", linewidth=1, transform=axes.get_xaxis_transform())
        add_legend(axes)
    return chart


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.6g} ms".translate(MINUS)


def _standard_deviation(intervals: Numbers) -> str:
    spread = float(np.std(intervals)) if intervals.size else math.nan
    return "below 0.001 ms" if spread < 1e-6 else f"{1000 * spread:.3g} ms"


def events(frame_log: FrameLog, recorded_events: Sequence[Event], num_cut: int = 0) -> tuple[Chart | None, Table]:
    """Events: a chart with a row for each source, and a table."""
    times: dict[str, list[float]] = {}
    for event in recorded_events:
        times.setdefault(event.source, []).append(event.time)
    for column, name in (("acquisition_trigger", "acquisition trigger"), ("next_file_marker", "next file marker")):
        stamps_of_trigger = np.unique(frame_log.table[column][np.isfinite(frame_log.table[column])])
        if stamps_of_trigger.size:
            times[name] = stamps_of_trigger.tolist()
    columns = ["source", "events", "first (s)", "last (s)", "median interval"]
    rows = []
    for name, source_times in sorted(times.items()):
        finite_times = [time for time in source_times if math.isfinite(time)]  # of bouts whose clock is known
        intervals = np.diff(np.sort(finite_times))
        interval = span(float(np.median(intervals))) if intervals.size else UNKNOWN
        ends = (
            [f"{time:.6f}".translate(MINUS) for time in (min(finite_times), max(finite_times))]
            if finite_times
            else [UNKNOWN] * 2
        )
        rows.append([name, f"{len(source_times):,}", *ends, interval])
        times[name] = finite_times
    if not any(times.values()):
        return None, Table(columns, rows)
    stamps = frame_log.table["timestamp"]
    all_times = np.concatenate([stamps[np.isfinite(stamps)], *map(np.array, times.values())])
    unit, seconds = time_unit(float(all_times.max()))
    names = sorted(times, reverse=True)  # the first is above
    chart = new_chart("", f"time ({unit})", height=0.6 + 0.35 * len(names))
    axes = chart.axes
    axes.eventplot(
        [np.array(times[name]) / seconds for name in names],
        colors=[f"C{n}" for n in range(len(names))],
        linelengths=0.7,
    )
    axes.set_yticks(range(len(names)), names)
    left, right = float(all_times.min()) / seconds, float(all_times.max()) / seconds
    margin = 0.005 * max(right - left, 1e-3)  # events at the ends are visible
    axes.set_xlim(left - margin, right + margin)
    omission = f"ScanImage cut the descriptions of {counted(num_cut, 'frame')}: some of their events are missing."
    return chart, Table(columns, rows, omission if num_cut else "")
