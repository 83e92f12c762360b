"""Charts of the report, drawn by matplotlib, and its tables."""

from __future__ import annotations

import io
import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from scanreader.tables import MINUS
from scanreader.texts import width_in_letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    Numbers = npt.NDArray[np.floating[Any]]

UNKNOWN = "\N{EN DASH}"
INK, GREY, FAINT = "#1d2229", "#626b78", "#e4e7eb"
PAGE_COLORS = {INK: "var(--ink)", GREY: "var(--soft)", FAINT: "var(--faint)"}  # the page has them light and dark
WIDTH = 9.6  # inches
TEXT = 8.5  # points
MOST_IN_LEGEND = 10
LETTERS = 100  # of labels that fit beside each other


class Chart(NamedTuple):
    """A chart."""

    title: str
    figure: Figure
    axes: Axes

    @property
    def svg(self) -> str:
        """The chart as an element of the page, in the page's colours."""
        file = io.StringIO()
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        self.figure.savefig(file, format="svg", transparent=True, metadata=metadata)
        svg = file.getvalue()
        svg = svg[svg.index("<svg") :]
        svg = _with_own_ids(re.sub(r' id="[a-z_0-9]+_\d+"', "", svg))
        svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)  # the page decides
        svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), svg)
        for color, name in PAGE_COLORS.items():
            svg = svg.replace(color, name)
        return svg


def _with_own_ids(svg: str) -> str:
    """Rename ids, which are random or occur in every chart, so that a page can have several and is always the same."""
    prefix = f"c{zlib.crc32(re.sub(r'[mp][0-9a-f]{10}', '', svg).encode()):x}-"
    for n, name in enumerate(dict.fromkeys(re.findall(r' id="([^"]+)"', svg))):
        svg = re.sub(rf'(["#]){re.escape(name)}(?=[")])', rf"\g<1>{prefix}{n}", svg)
    return svg


class Table(NamedTuple):
    """A table."""

    head: list[str]
    rows: list[list[str]]
    omission: str = ""
    """What the table omits, in a sentence; '' if nothing."""


def new_chart(title: str, x_label: str, y_label: str = "", *, height: float = 2.1) -> Chart:
    """Make an empty chart, of a height in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.margins(x=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(which="both", length=0, colors=GREY, labelsize=TEXT)
    axes.set_xlabel(x_label, color=GREY, size=TEXT, loc="right")
    axes.set_ylabel(y_label, color=GREY, size=TEXT)
    axes.xaxis.set_major_formatter(FuncFormatter(_number))
    axes.yaxis.set_major_formatter(FuncFormatter(_number))
    return Chart(title, figure, axes)


def _number(value: float, _: int | None = None) -> str:
    return f"{value:,.10g}".translate(MINUS)


def add_legend(axes: Axes) -> None:
    """Put the labels of the axes' lines above it; if there are many, some of them."""
    lines, labels = axes.get_legend_handles_labels()
    indices = np.unique(np.linspace(0, len(lines) - 1, MOST_IN_LEGEND).astype(int)).tolist()
    label_width = max(map(width_in_letters, labels), default=0)
    axes.legend(
        [lines[n] for n in indices],
        [labels[n].replace("$", r"\$") for n in indices],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=max(1, min(5, LETTERS // (label_width + 6))),
        frameon=False,
        labelcolor=GREY,
        fontsize=TEXT,
    )


def lines_chart(
    title: str, x: Sequence[Numbers], y: Sequence[Numbers], labels: Sequence[str], x_label: str, y_label: str
) -> Chart:
    """Chart of several lines, each with its own x; they break at NaN, and a value without neighbours is a dot."""
    chart = new_chart(title, x_label, y_label)
    axes = chart.axes
    style: dict[str, Any] = {"linewidth": 1.2, "alpha": 1 if len(labels) <= MOST_IN_LEGEND else 0.6}
    for line_x, values, label in zip(x, y, labels, strict=True):
        is_finite = np.isfinite(values)
        has_neighbour = np.append(is_finite[1:], False) | np.append(False, is_finite[:-1])
        dots = np.flatnonzero(is_finite & ~has_neighbour).tolist()
        axes.plot(line_x, values, label=label, marker="." if dots else "", markevery=dots, **style)
    if len(labels) > 1:
        add_legend(axes)
    return chart


def bin_extremes(x: Numbers, y: Numbers, bins: int) -> tuple[Numbers, Numbers, Numbers]:
    """Middle of each of `bins` bins of x, and the smallest and largest y in it; NaN in empty bins."""
    edges = np.linspace(x.min(), x.max(), bins + 1)
    bin_of = np.clip(edges.searchsorted(x, side="right") - 1, 0, bins - 1)
    low, high = np.full(bins, np.inf), np.full(bins, -np.inf)
    np.minimum.at(low, bin_of, y)
    np.maximum.at(high, bin_of, y)
    is_empty = ~np.isfinite(low)
    low[is_empty], high[is_empty] = np.nan, np.nan
    return (edges[1:] + edges[:-1]) / 2, low, high


def time_unit(longest: float) -> tuple[str, float]:
    """Unit of a time axis, and its length in s."""
    return ("s", 1.0) if longest < 600 else ("min", 60.0) if longest < 4 * 3600 else ("h", 3600.0)
