"""Charts for a page as numbers: paths, marks and ticks, in parts of the chart's width and height; and tables."""

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

WIDTH, HEIGHT = 1000, 300  # of the view box: enough that nobody sees the rounding
UNKNOWN = "\N{EN DASH}"
HUES = (211, 28, 145, 330, 262, 48, 180, 0)
"""Of the colours of a few lines: apart from each other, on white and on black, for most eyes."""


class Tick(NamedTuple):
    """A number at an axis."""

    at: float
    """In percent, from the left or the top."""
    text: str


class Line(NamedTuple):
    """Something that is drawn."""

    path: str
    """As the attribute d of an SVG path."""
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
    """The lines that are named; empty where one alone says nothing."""
    tall: int = 12
    """Height, in lines of text."""


class Rows(NamedTuple):
    """A table."""

    head: list[str]
    rows: list[list[str]]
    more: str = ""
    """What is not shown of it."""


class Range(NamedTuple):
    """What an axis shows."""

    low: float
    high: float

    def part(self, values: Any) -> Any:
        """Where values are, from 0 to 1; NaN stays."""
        return (np.asarray(values, np.float64) - self.low) / (self.high - self.low)

    @classmethod
    def of(cls, values: Numbers, around: float = 0.0, least: float = 0.0) -> Range:
        """A range that holds the values that are finite, and a part of it around them; not narrower than `least`."""
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        missing = max(0.0, least - (high - low), 1e-9 * max(abs(low), abs(high), 1e-300))
        pad = (high - low + missing) * around + missing / 2
        return cls(low - pad, high + pad)


def ticks(shown: Range, most: int, *, from_top: bool = False) -> list[Tick]:
    """Round numbers at an axis."""
    values = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(shown.low, shown.high)
    decimals = max(0, -math.floor(math.log10(float(values[1] - values[0])) + 1e-9))
    inside = [float(value) for value in values if shown.low <= value <= shown.high]
    places = [100 * float(shown.part(value)) for value in inside]
    texts = [f"{value + 0.0:,.{decimals}f}".translate(MINUS) for value in inside]
    return [Tick(round(100 - at if from_top else at, 2), text) for at, text in zip(places, texts, strict=True)]


def path(x: Numbers, y: Numbers) -> str:
    """A line through points, given as parts; it breaks where one is NaN."""
    words: list[str] = []
    drawing = False
    for across, down in zip((x * WIDTH).tolist(), ((1 - y) * HEIGHT).tolist(), strict=True):
        if not (math.isfinite(across) and math.isfinite(down)):
            drawing = False
            continue
        words.append(
            f"L{across:.1f} {down:.1f}" if drawing else f"M{across:.1f} {down:.1f}h0"
        )  # a dot, where it is alone
        drawing = True
    return "".join(words)


def area(x: Numbers, low: Numbers, high: Numbers) -> str:
    """What is between two values in each of so many columns of equal width; nothing where they are NaN."""
    half = 0.5 / max(1, len(x))
    known = np.isfinite(low)
    corners = (np.stack([x - half, x + half], 1)[known] * WIDTH, (1 - np.stack([low, high], 1)[known]) * HEIGHT)
    return "".join(
        f"M{left:.1f} {bottom:.1f}H{right:.1f}V{top:.1f}H{left:.1f}Z"
        for (left, right), (bottom, top) in zip(*(part.tolist() for part in corners), strict=True)
    )


def marks(x: Numbers, bottom: float, top: float) -> str:
    """Upright strokes, those that would be one on the screen once."""
    at = np.unique(np.round(x[np.isfinite(x)] * WIDTH, 0))
    return "".join(f"M{across:.0f} {(1 - bottom) * HEIGHT:.0f}V{(1 - top) * HEIGHT:.0f}" for across in at.tolist())


def hues(count: int) -> list[float]:
    """Colours of lines: apart where they are few, else from one to another in their order."""
    if count <= len(HUES):
        return list(HUES[:count])
    return [round(260 - 230 * n / (count - 1), 1) for n in range(count)]


def extremes(x: Numbers, y: Numbers, shown: Range, bins: int) -> tuple[Numbers, Numbers, Numbers]:
    """Middle of each bin of x, and the least and the largest y in it; NaN where it is empty."""
    inside = np.clip((shown.part(x) * bins).astype(np.int64), 0, bins - 1)
    low, high = np.full(bins, np.inf), np.full(bins, -np.inf)
    np.minimum.at(low, inside, y)
    np.maximum.at(high, inside, y)
    empty = ~np.isfinite(low)
    low[empty], high[empty] = np.nan, np.nan
    return (np.arange(bins) + 0.5) / bins, low, high


def lines_chart(
    title: str, x: Sequence[Numbers], y: Sequence[Numbers], labels: Sequence[str], x_label: str, y_label: str
) -> Chart:
    """Lines in one chart, each with its own x."""
    across = Range.of(np.concatenate(list(x)))
    up = Range.of(np.concatenate(list(y)), 0.06, least=1e-6)
    drawn = [
        Line(path(across.part(one), up.part(values)), hue, label)
        for one, values, label, hue in zip(x, y, labels, hues(len(labels)), strict=True)
    ]
    legend = drawn if len(drawn) <= len(HUES) else [drawn[n] for n in np.linspace(0, len(drawn) - 1, 5).astype(int)]
    return Chart(
        title,
        x_label,
        y_label,
        ticks(across, 8),
        ticks(up, 5, from_top=True),
        drawn,
        legend if len(drawn) > 1 else [],
    )


def clock(longest: float) -> tuple[str, float]:
    """Unit of a time axis, and its seconds."""
    return ("s", 1.0) if longest < 600 else ("min", 60.0) if longest < 4 * 3600 else ("h", 3600.0)
