"""Charts and tables of the report as data: SVG paths, ticks and texts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from scanreader.tables import MINUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    Numbers = npt.NDArray[np.floating[Any]]

WIDTH, HEIGHT = 1000, 300  # of the view box: large enough that rounding is invisible
UNKNOWN = "\N{EN DASH}"
HUES = (211, 28, 145, 330, 262, 48, 180, 0)
"""Hues of few lines: distinguishable on white and on black, for most eyes."""


class Tick(NamedTuple):
    """A tick of an axis."""

    position: float
    """Distance from the left or the top, in percent."""
    text: str


class Line(NamedTuple):
    """A line, area or set of strokes of a chart."""

    path: str
    """Attribute d of an SVG path."""
    hue: float
    label: str
    kind: str = "line"
    """``"line"``, ``"area"`` or ``"marks"``."""


class Chart(NamedTuple):
    """A chart."""

    title: str
    x_label: str
    y_label: str
    x: list[Tick]
    y: list[Tick]
    lines: list[Line]
    legend: list[Line]
    """Lines in the legend; empty where there is only one."""
    tall: int = 12
    """Height, in lines of text."""


class Table(NamedTuple):
    """A table."""

    head: list[str]
    rows: list[list[str]]
    more: str = ""
    """What the table omits, in a sentence; '' if nothing."""


class Range(NamedTuple):
    """Range of an axis."""

    low: float
    high: float

    def part(self, values: Any) -> Any:
        """Positions of values along the axis, from 0 to 1; NaN stays."""
        return (np.asarray(values, np.float64) - self.low) / (self.high - self.low)

    @classmethod
    def of(cls, values: Numbers, around: float = 0.0, least_width: float = 0.0) -> Range:
        """Range of the finite values, with a margin `around` as a part of it; at least `least_width` wide."""
        finite_values = values[np.isfinite(values)]
        low, high = (float(finite_values.min()), float(finite_values.max())) if finite_values.size else (0.0, 1.0)
        missing = max(0.0, least_width - (high - low), 1e-9 * max(abs(low), abs(high), 1e-300))
        pad = (high - low + missing) * around + missing / 2
        return cls(low - pad, high + pad)


def ticks(axis: Range, most: int, *, from_top: bool = False) -> list[Tick]:
    """Ticks at round numbers."""
    values = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(axis.low, axis.high)
    decimals = max(0, -math.floor(math.log10(float(values[1] - values[0])) + 1e-9))
    inside = [float(value) for value in values if axis.low <= value <= axis.high]
    places = [100 * float(axis.part(value)) for value in inside]
    texts = [f"{value + 0.0:,.{decimals}f}".translate(MINUS) for value in inside]
    return [Tick(round(100 - p if from_top else p, 2), text) for p, text in zip(places, texts, strict=True)]


def path(x: Numbers, y: Numbers) -> str:
    """Path of a line through points, given from 0 to 1; it breaks at NaN."""
    words: list[str] = []
    drawing = False
    for across, down in zip((x * WIDTH).tolist(), ((1 - y) * HEIGHT).tolist(), strict=True):
        if not (math.isfinite(across) and math.isfinite(down)):
            drawing = False
            continue
        words.append(
            f"L{across:.1f} {down:.1f}" if drawing else f"M{across:.1f} {down:.1f}h0"
        )  # a dot if no neighbour is finite
        drawing = True
    return "".join(words)


def area(x: Numbers, low: Numbers, high: Numbers) -> str:
    """Path of the areas between two values, in columns of equal width; none where they are NaN."""
    half = 0.5 / max(1, len(x))
    is_finite = np.isfinite(low)
    corners = (np.stack([x - half, x + half], 1)[is_finite] * WIDTH, (1 - np.stack([low, high], 1)[is_finite]) * HEIGHT)
    return "".join(
        f"M{left:.1f} {bottom:.1f}H{right:.1f}V{top:.1f}H{left:.1f}Z"
        for (left, right), (bottom, top) in zip(*(part.tolist() for part in corners), strict=True)
    )


def strokes(x: Numbers, bottom: float, top: float) -> str:
    """Path of vertical strokes; those that fall on one pixel of the screen are drawn once."""
    columns = np.unique(np.round(x[np.isfinite(x)] * WIDTH, 0)).tolist()
    return "".join(f"M{column:.0f} {(1 - bottom) * HEIGHT:.0f}V{(1 - top) * HEIGHT:.0f}" for column in columns)


def hues(count: int) -> list[float]:
    """Hues of lines: distinguishable if they are few, else a gradient."""
    if count <= len(HUES):
        return list(HUES[:count])
    return [round(260 - 230 * n / (count - 1), 1) for n in range(count)]


def bin_extremes(x: Numbers, y: Numbers, axis: Range, bins: int) -> tuple[Numbers, Numbers, Numbers]:
    """Middle of each bin of x, and the smallest and largest y in it; NaN in empty bins."""
    inside = np.clip((axis.part(x) * bins).astype(np.int64), 0, bins - 1)
    low, high = np.full(bins, np.inf), np.full(bins, -np.inf)
    np.minimum.at(low, inside, y)
    np.maximum.at(high, inside, y)
    empty = ~np.isfinite(low)
    low[empty], high[empty] = np.nan, np.nan
    return (np.arange(bins) + 0.5) / bins, low, high


def lines_chart(
    title: str, x: Sequence[Numbers], y: Sequence[Numbers], labels: Sequence[str], x_label: str, y_label: str
) -> Chart:
    """Chart of several lines, each with its own x."""
    across = Range.of(np.concatenate(list(x)))
    up = Range.of(np.concatenate(list(y)), 0.06, least_width=1e-6)
    lines = [
        Line(path(across.part(line_x), up.part(values)), hue, label)
        for line_x, values, label, hue in zip(x, y, labels, hues(len(labels)), strict=True)
    ]
    legend = lines if len(lines) <= len(HUES) else [lines[n] for n in np.linspace(0, len(lines) - 1, 5).astype(int)]
    return Chart(
        title,
        x_label,
        y_label,
        ticks(across, 8),
        ticks(up, 5, from_top=True),
        lines,
        legend if len(lines) > 1 else [],
    )


def time_unit(longest: float) -> tuple[str, float]:
    """Unit of a time axis, and its length in s."""
    return ("s", 1.0) if longest < 600 else ("min", 60.0) if longest < 4 * 3600 else ("h", 3600.0)
