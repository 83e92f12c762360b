"""Pixel statistics of the report: brightness, values, saturation, bidirectional phase offset."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter

from scanreader.chunks import frames_at_a_time
from scanreader.errors import HeaderError
from scanreader.phase import estimate_line_offset
from scanreader.recording.frames import times_at
from scanreader.recording.planes import levels
from scanreader.tables import MINUS, counted
from scanreader.texts import in_a_picture
from scanreader.view.charts import UNKNOWN, Chart, Table, add_legend, lines_chart, new_chart, time_unit
from scanreader.view.drawing import field_label, level_text
from scanreader.view.plots import evenly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scanreader.recording.base import BaseScan

    Progress = Callable[[str, float], object]
    Numbers = npt.NDArray[np.float64]

MOST_FRAMES = 500  # of a field and channel that are read: more than a chart has columns
MOST_BYTES = 1 << 29  # of pixels that are read for charts, and again for phase offsets; at least one frame of each
AT_A_TIME = 8 << 20  # bytes of recorded pixels that are held; with temporary arrays 100 MB
MOST_COMPARED = 600_000  # pixels of mean images for the phase offset: about 12 s
MOST_LINES, MOST_ROWS, MOST_OFFSETS = 60, 400, 24
BINS = 400


class Statistics(NamedTuple):
    """Pixel statistics of some frames."""

    frames: npt.NDArray[np.int64]
    means: Numbers
    """Of shape (fields, channels, frames); NaN of pages that cannot be read."""
    stats: Numbers
    """Of shape (fields, channels, 6): `STATS`."""
    histograms: npt.NDArray[np.int64] | None
    """Counts of each value, of shape (channels, values); None if there are too many values."""
    lowest: int
    """The first of these values."""


STATS = ("least", "percentile 1", "median", "percentile 99.9", "largest", "part at the largest")
"""Statistics of the values of a field and channel."""


def read_pixels(scan: BaseScan, progress: Progress) -> Statistics:
    """Read evenly spaced frames, in portions."""
    pixels = scan.opened.pages.dtype
    frame_bytes = sum(f.height * f.width for f in scan.fields) * scan.num_channels * pixels.itemsize
    frames = evenly(np.arange(scan.num_frames), min(MOST_FRAMES, max(1, MOST_BYTES // max(1, frame_bytes))))
    means = np.full((scan.num_fields, scan.num_channels, len(frames)), np.nan)
    stats = np.full((*means.shape[:2], len(STATS)), np.nan)
    has_histograms = pixels.kind in "iu" and pixels.itemsize <= 2
    lowest = int(np.iinfo(pixels).min) if has_histograms else 0
    histograms = np.zeros((scan.num_channels, 1 << 8 * pixels.itemsize), np.int64) if has_histograms else None
    for i, field in enumerate(scan.fields):
        step = frames_at_a_time(field.height * field.width * pixels.itemsize, AT_A_TIME)
        progress("reading pixels", 0.35 + 0.3 * i / scan.num_fields)
        for c in range(scan.num_channels):
            histogram = np.zeros(histograms.shape[1], np.int64) if histograms is not None else None
            for start in range(0, len(frames), step):
                part = scan[i, :, :, c, frames[start : start + step]]
                means[i, c, start : start + step] = part.mean(axis=(0, 1), dtype=np.float64)
                values = part[np.isfinite(part)]
                if histogram is not None:
                    histogram += np.bincount(values.astype(np.int32) - lowest, minlength=len(histogram))
                elif values.size:
                    stats[i, c, 0] = np.fmin(stats[i, c, 0], values.min())
                    stats[i, c, 4] = np.fmax(stats[i, c, 4], values.max())
            if histogram is not None and histograms is not None and histogram.any():
                stats[i, c] = _stats(histogram, lowest)
                histograms[c] += histogram
    return Statistics(frames, means, stats, histograms, lowest)


def _stats(histogram: npt.NDArray[np.int64], lowest: int) -> list[float]:
    """`STATS` of a histogram that is not empty."""
    indices = np.flatnonzero(histogram)
    cumulative = np.cumsum(histogram)
    ranks = [int(np.searchsorted(cumulative, part * cumulative[-1])) for part in (0.01, 0.5, 0.999)]
    places = [int(indices[0]), *ranks, int(indices[-1])]
    return [*(float(place + lowest) for place in places), float(histogram[indices[-1]] / cumulative[-1])]


def sampled(scan: BaseScan, frames: npt.NDArray[np.int64]) -> str:
    """Which frames were read, in a sentence."""
    if len(frames) == scan.num_frames:
        return f"From all {counted(scan.num_frames, 'frame')} of each field and channel."
    return f"From {len(frames):,} of {scan.num_frames:,} frames of each field and channel, evenly spaced."


def _labels(scan: BaseScan) -> list[str]:
    """Label of each field, for legends and rows."""
    has_fields, has_depths = scan.num_fields > 1, len(levels(scan.opened)) > 1
    labels = []
    for i, field in enumerate(scan.fields):
        parts = [f"{i}" if has_fields else "", field_label(scan, i), level_text(field) if has_depths else ""]
        labels.append(" · ".join(filter(None, parts)) or "0")
    return labels


def _channel_labels(scan: BaseScan) -> list[str]:
    """Short names of the channels."""
    return [in_a_picture(name) for name in scan.channel_names]


def activity(scan: BaseScan, statistics: Statistics) -> list[Chart]:
    """Brightness over time, a chart for each channel."""
    fields = evenly(np.arange(scan.num_fields), MOST_LINES).tolist()
    times, label = _times(scan, statistics.frames, fields)
    labels = _labels(scan)
    omission = f" ({len(fields)} of {scan.num_fields} fields)" if len(fields) < scan.num_fields else ""
    return [
        lines_chart(
            f"{name}{omission}" if scan.num_channels > 1 or omission else "",
            times,
            [statistics.means[i, c] for i in fields],
            [labels[i] for i in fields],
            label,
            "mean pixel value",
        )
        for c, name in enumerate(_channel_labels(scan))
        if np.isfinite(statistics.means[:, c]).any()
    ]


def _times(scan: BaseScan, frames: npt.NDArray[np.int64], fields: Sequence[int]) -> tuple[list[Numbers], str]:
    """Times of some frames of each field, and the label of their axis; frame numbers if times are unknown."""
    slices = sorted({scan.fields[i].slice_id for i in fields})
    slice_times = {s: times_at(scan.opened, s, frames) for s in slices}
    all_times = np.concatenate(list(slice_times.values()))
    if not np.isfinite(all_times).any() and math.isfinite(scan.fps) and scan.fps > 0 and scan.stack.mode == "planar":
        slice_times = dict.fromkeys(slices, frames / scan.fps)
        all_times = frames / scan.fps
    are_rising = all((np.diff(stamps[np.isfinite(stamps)]) > 0).all() for stamps in slice_times.values())
    if not np.isfinite(all_times).any() or not are_rising:
        return [frames.astype(np.float64) for _ in fields], "frame"
    unit, seconds = time_unit(float(np.nanmax(all_times)))
    return [slice_times[scan.fields[i].slice_id] / seconds for i in fields], f"time ({unit})"


def quality(scan: BaseScan, statistics: Statistics, offsets: Numbers | None) -> Table:
    """A row for each field and channel."""
    columns = ["field", "channel", "mean", *STATS[1:4], *STATS[::4], "at the largest"]
    if offsets is not None:
        columns.append("phase offset")
    rows = []
    for i, label in enumerate(_labels(scan)):
        for c, name in enumerate(_channel_labels(scan)):
            least, low, median, high, largest, share = statistics.stats[i, c].tolist()
            finite_means = statistics.means[i, c][np.isfinite(statistics.means[i, c])]
            mean = float(finite_means.mean()) if finite_means.size else math.nan
            values = [_value(mean, 1), *map(_value, (low, median, high, least, largest))]
            row = [label, name, *values, _share(share)]
            rows.append(row if offsets is None else [*row, _offset(*offsets[i, c].tolist())])
    omission = f"{len(rows) - MOST_ROWS} more rows are not shown." if len(rows) > MOST_ROWS else ""
    return Table(columns, rows[:MOST_ROWS], omission)


def _value(value: float, decimals: int = 0) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:,.{decimals}f}".translate(MINUS)


def _share(part: float) -> str:
    return UNKNOWN if math.isnan(part) else f"{100 * part:.2g} %" if part >= 1e-6 else "< 0.0001 %"


def _offset(offset: float, uncertainty: float) -> str:
    if not math.isfinite(offset):
        return "unknown"
    return f"{offset:+z.2f} ± {uncertainty:.1g} pixels".translate(MINUS)


def quality_notes(scan: BaseScan, statistics: Statistics) -> list[str]:
    """Notes about the table, in sentences."""
    notes = [f"In counts of the digitizer, as recorded. {sampled(scan, statistics.frames)}"]
    if statistics.histograms is None:
        return notes
    for name, histogram in zip(_channel_labels(scan), statistics.histograms, strict=True):
        indices = np.flatnonzero(histogram)
        if not indices.size:
            continue
        last_index = int(indices[-1])
        part = histogram[last_index] / histogram.sum()
        counts_below = histogram[max(0, last_index - 16) : last_index]
        if part > 1e-5 and len(counts_below) and histogram[last_index] > 4 * max(1.0, float(counts_below.max())):
            value = f"{last_index + statistics.lowest:,}".translate(MINUS)
            notes.append(
                f"{name} looks clipped: {_share(float(part))} of its pixels have its largest value, {value}, and far "
                "fewer have those just below."
            )
        if last_index + statistics.lowest == np.iinfo(scan.opened.pages.dtype).max:
            notes.append(f"{name} reaches the largest value that {scan.opened.pages.dtype} holds.")
    if scan.stack.averaging > 1:
        notes.append(f"Each frame is the mean of {scan.stack.averaging} raw frames, which hides clipped values.")
    return notes


def histograms(scan: BaseScan, statistics: Statistics) -> list[Chart]:
    """Histograms of all channels in one chart, on a logarithmic scale."""
    if statistics.histograms is None or not statistics.histograms.any():
        return []
    indices = np.flatnonzero(statistics.histograms.any(axis=0))
    first, last = int(indices[0]), int(indices[-1]) + 1
    width = max(1, math.ceil((last - first) / BINS))
    starts = np.arange(first, last, width)
    counts = np.add.reduceat(statistics.histograms[:, first:last], starts - first, axis=1)
    shares = counts / np.maximum(1, statistics.histograms.sum(axis=1, keepdims=True))
    label = "pixel value" + (f" (in steps of {width})" if width > 1 else "")
    chart = new_chart("How often each value occurs", label, "part of the pixels", height=2.4)
    axes = chart.axes
    for share, name in zip(shares, _channel_labels(scan), strict=True):
        axes.stairs(share, np.append(starts, last) + statistics.lowest, baseline=None, label=name, linewidth=1.2)
    exponents = np.log10(shares[shares > 0])
    bottom, top = math.floor(exponents.min()), math.ceil(exponents.max())
    axes.set_yscale("log")
    axes.set_ylim(10.0**bottom, 10.0 ** max(top, bottom + 1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.10g} %"))
    if scan.num_channels > 1:
        add_legend(axes)
    return [chart]


def line_offsets(scan: BaseScan) -> tuple[Numbers | None, list[str]]:
    """Phase offsets and uncertainties, of shape (fields, channels, 2), in pixels, and notes about them."""
    most_pixels = max(field.height * field.width for field in scan.fields)
    max_fields = min(MOST_OFFSETS, MOST_COMPARED // most_pixels) // scan.num_channels
    fields = evenly(np.arange(scan.num_fields), max(1, max_fields))
    subset = scan.select(fields=fields.tolist())
    frame_bytes = sum(f.height * f.width for f in subset.fields) * scan.num_channels * scan.dtype.itemsize
    frames = max(1, min(64, MOST_BYTES // max(1, frame_bytes)))
    try:
        estimates = estimate_line_offset(subset, frames=frames)
    except HeaderError as error:
        return None, [f"No bidirectional phase offset: {error}."]
    offsets = np.full((scan.num_fields, scan.num_channels, 2), np.nan)
    offsets[fields] = np.stack([estimates.offset, estimates.uncertainty], axis=-1)
    fields_used = f"{len(fields)} of {scan.num_fields} fields and " if len(fields) < scan.num_fields else ""
    note = (
        "Phase offset: the bidirectional phase offset, by which lines that were scanned backwards are shifted along "
        f"the line, with its standard error, from {fields_used}{min(frames, scan.num_frames)} frames. It is shown "
        "only: the pixels are as recorded. scanreader.phase.realigned corrects it."
    )
    return offsets, [note]
