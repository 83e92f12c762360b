"""What the pixels of a recording say of it: brightness over time, values, saturation, the offset of lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.chunks import frames_at_a_time
from scanreader.errors import HeaderError
from scanreader.phase import estimate_line_offset
from scanreader.recording.frames import times_at
from scanreader.tables import MINUS
from scanreader.view.charts import UNKNOWN, Chart, Line, Range, Rows, Tick, clock, hues, lines_chart, path, ticks
from scanreader.view.drawing import depth_of, named
from scanreader.view.plots import evenly
from scanreader.view.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scanreader.recording.base import BaseScan

    Progress = Callable[[str, float], object]
    Numbers = npt.NDArray[np.float64]

MOST_FRAMES = 500  # of a field and channel whose pixels are read: more than a chart has columns to show
MOST_BYTES = 1 << 29  # of pixels that are read for charts, and again for offsets, unless a frame of each has more
AT_A_TIME = 8 << 20  # bytes of pixels as they are recorded: with what is made of them, 100 MB
MOST_COMPARED = 600_000  # pixels of pictures whose lines are compared: about 12 s
MOST_LINES, MOST_ROWS, MOST_OFFSETS = 60, 400, 24
BINS = 400


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


def look(scan: BaseScan, progress: Progress) -> Seen:
    """Read evenly spaced frames, some at a time."""
    pixels = scan.opened.pages.dtype
    one = sum(f.height * f.width for f in scan.fields) * scan.num_channels * pixels.itemsize
    frames = evenly(np.arange(scan.num_frames), min(MOST_FRAMES, max(1, MOST_BYTES // max(1, one))))
    means = np.full((scan.num_fields, scan.num_channels, len(frames)), np.nan)
    stats = np.full((*means.shape[:2], len(STATS)), np.nan)
    counted_values = pixels.kind in "iu" and pixels.itemsize <= 2
    lowest = int(np.iinfo(pixels).min) if counted_values else 0
    histograms = np.zeros((scan.num_channels, 1 << 8 * pixels.itemsize), np.int64) if counted_values else None
    for i, field in enumerate(scan.fields):
        step = frames_at_a_time(field.height * field.width * pixels.itemsize, AT_A_TIME)
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


def sampled(scan: BaseScan, frames: npt.NDArray[np.int64]) -> str:
    """Which frames were read, in a sentence."""
    if len(frames) == scan.num_frames:
        return f"From all {counted(scan.num_frames, 'frame')} of each field and channel."
    return f"From {len(frames):,} of {scan.num_frames:,} frames of each field and channel, evenly spaced."


def _labels(scan: BaseScan) -> list[str]:
    """What each field is called, in a legend or a row."""
    several, deep = scan.num_fields > 1, scan.num_scanning_depths > 1
    labels = []
    for i, field in enumerate(scan.fields):
        parts = [f"{i}" if several else "", named(scan, i), depth_of(field.depth) if deep else ""]
        labels.append(" · ".join(filter(None, parts)) or "0")
    return labels


def activity(scan: BaseScan, seen: Seen) -> list[Chart]:
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


def _times(scan: BaseScan, frames: npt.NDArray[np.int64], fields: Sequence[int]) -> tuple[list[Numbers], str]:
    """When each field was seen in some frames, and in which unit; the frames' numbers where no times are known."""
    slices = sorted({scan.fields[i].slice_id for i in fields})
    of_slice = {s: times_at(scan.opened, s, frames) for s in slices}
    every = np.concatenate(list(of_slice.values()))
    if not np.isfinite(every).any() and math.isfinite(scan.fps) and scan.fps > 0 and scan.stack.mode == "planar":
        of_slice = dict.fromkeys(slices, frames / scan.fps)
        every = frames / scan.fps
    rising = all((np.diff(stamps[np.isfinite(stamps)]) > 0).all() for stamps in of_slice.values())
    if not np.isfinite(every).any() or not rising:
        return [frames.astype(np.float64) for _ in fields], "frame"
    unit, seconds = clock(float(np.nanmax(every)))
    return [of_slice[scan.fields[i].slice_id] / seconds for i in fields], f"time ({unit})"


def quality(scan: BaseScan, seen: Seen, offsets: Numbers | None) -> Rows:
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


def quality_notes(scan: BaseScan, seen: Seen) -> list[str]:
    """What the numbers say, in sentences."""
    notes = [f"In counts of the digitizer, as recorded. {sampled(scan, seen.frames)}"]
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
        if top + seen.lowest == np.iinfo(scan.opened.pages.dtype).max:
            notes.append(f"{name} reaches the largest value that {scan.opened.pages.dtype} holds.")
    if scan.stack.averaging > 1:
        notes.append(f"Each frame is the mean of {scan.stack.averaging}: what was clipped is hard to see in it.")
    return notes


def histograms(scan: BaseScan, seen: Seen) -> list[Chart]:
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


def line_offsets(scan: BaseScan) -> tuple[Numbers | None, list[str]]:
    """Offset and uncertainty, in pixels, of shape (fields, channels, 2), and what is to be said of them."""
    largest = max(field.height * field.width for field in scan.fields)
    most = min(MOST_OFFSETS, MOST_COMPARED // largest) // scan.num_channels
    fields = evenly(np.arange(scan.num_fields), max(1, most))
    some = scan.select(fields=fields.tolist())
    one = sum(f.height * f.width for f in some.fields) * scan.num_channels * scan.dtype.itemsize
    frames = max(1, min(64, MOST_BYTES // max(1, one)))
    try:
        found = estimate_line_offset(some, frames=frames)
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
