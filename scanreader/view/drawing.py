"""Parts of figures, placed in inches: title, caption, text, axes, units and scale bars."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from scanreader.files.urls import file_name, recording_name
from scanreader.tables import MINUS
from scanreader.texts import in_a_picture, on_one_line
from scanreader.view.sheet import GAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from scanreader.recording.base import BaseScan
    from scanreader.recording.fields import Field

DPI = 150
MARGIN, TITLE, LINE = 0.25, 0.27, 0.165  # inches
LEAST_WIDTH = 5.0  # inches, so that the caption has room
NAME, HEAD, CAPTION, LABEL, SCALE = 11.0, 9.5, 8.0, 7.5, 7.0  # points
INK, GREY, NOTHING = "#222222", "#777777", "#e9e9e9"


class Picture(Figure):
    """A figure that notebooks show without setup, unlike matplotlib's own."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


class Unit(NamedTuple):
    """Unit of lengths."""

    name: str
    per_degree: float
    """NaN if the fields have no positions."""
    note: str
    """Why it is not µm, for the caption; '' if it is."""


def unit_of(scan: BaseScan) -> Unit:
    """Unit of a recording's lengths: µm, else degrees, else pixels."""
    sizes = [size for field in scan.fields for size in (field.height_in_degrees, field.width_in_degrees)]
    if not all(0 < size < math.inf for size in sizes):
        return Unit("pixels", math.nan, "scale in pixels: the header has no field positions")
    if not 0 < scan.microns_per_degree < math.inf:
        return Unit("degrees", 1.0, "scale in degrees: the header has no objectiveResolution")
    return Unit("µm", scan.microns_per_degree, "")


def depth_text(z: float) -> str:
    """Label of a depth; '' if it is unknown."""
    return f"z {round(z, 1):g} µm".translate(MINUS) if math.isfinite(z) else ""


def level_text(field: Field) -> str:
    """Label of a field's depth, or of its plane if that is unknown; '' if it has none."""
    return depth_text(field.depth) or ("" if field.plane is None else f"plane {field.plane}")


def field_label(scan: BaseScan, i: int) -> str:
    """Name of a field on one line; '' if it has none."""
    return in_a_picture(scan.fields[i].name)


# ------------------------------------------------------------------------ the figure


def new_figure(scan: BaseScan, caption: Sequence[str], width: float, height: float) -> tuple[Picture, float]:
    """A figure with the recording's name, its caption, and room of `width` x `height` inches below.

    Returns
    -------
    figure : Picture
    top : float
        Top of that room, in inches; its left is at `MARGIN`.
    """
    room = max(width, LEAST_WIDTH)
    lines = _caption_lines([f"ScanImage {scan.release}" if scan.release else "", *caption], room)
    top = MARGIN + TITLE + LINE * len(lines) + GAP
    figure = Picture(figsize=(room + 2 * MARGIN, top + height + MARGIN), dpi=DPI, facecolor="white")
    figure.set_layout_engine("none")
    first_file = file_name(scan.filenames[0])
    ending = recording_name(scan.filenames).removeprefix(first_file)
    name = _name_that_fits(on_one_line(first_file), ending, room)
    write_text(figure, MARGIN, MARGIN, name, size=NAME, weight="bold")
    for n, line in enumerate(lines):
        write_text(figure, MARGIN, MARGIN + TITLE + LINE * n, line, size=CAPTION, color=GREY)
    return figure, top


def _name_that_fits(name: str, ending: str, room: float) -> str:
    """A name without its middle, if it is too long."""
    short_name = name
    while text_width(short_name + ending, NAME, "bold") > room and len(name) > 8:
        name = name[: len(name) // 2 - 1] + name[len(name) // 2 + 1 :]
        short_name = f"{name[: len(name) // 2]}…{name[len(name) // 2 :]}"
    return short_name + ending


def _caption_lines(caption: Sequence[str], room: float) -> list[str]:
    lines: list[str] = []
    for part in filter(None, caption):
        line = f"{lines[-1]} · {part}" if lines else part
        if lines and text_width(line, CAPTION) > room:
            lines.append(part)
        else:
            lines[-1:] = [line]
    return lines


# ------------------------------------------------------------------------------- parts


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the upper left corner."""
    figure_width, figure_height = figure.get_size_inches()
    return figure.add_axes(
        (left / figure_width, 1 - (top + height) / figure_height, width / figure_width, height / figure_height)
    )


def write_text(figure: Figure, left: float, top: float, text: str, **style: Any) -> Text:
    """Text at a place in inches from the upper left corner, never read as a formula."""
    figure_width, figure_height = figure.get_size_inches()
    style = {"color": INK, "va": "top", "ha": "left", **style}
    return figure.text(
        left / figure_width, 1 - top / figure_height, on_one_line(text), parse_math=False, usetex=False, **style
    )


def annotate(axes: Axes, x: float, y: float, text: str, **style: Any) -> Text:
    """Text at a place in axes, in their unit, never read as a formula."""
    style = {"size": LABEL, "color": INK, "ha": "center", "va": "center", "usetex": False, "parse_math": False, **style}
    return axes.text(float(x), float(y), text, **style)


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text, in inches."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size, weight=weight), False)
    return float(width) / 72


def scale_bar(figure: Figure, axes: Axes, unit: Unit) -> None:
    """A scale bar below the lower left corner of axes, and its length."""
    left, right = axes.get_xlim()
    length, text = scale_of(right - left, unit)
    below_axes = ScaledTranslation(0, -0.1, figure.dpi_scale_trans)
    place = blended_transform_factory(axes.transData, axes.transAxes + below_axes)
    bar = Line2D([left, left + length], [0, 0], color=INK, linewidth=2, solid_capstyle="butt", transform=place)
    bar.set(clip_on=False, gid="scale-bar")
    axes.add_artist(bar)
    right_of_bar = place + ScaledTranslation(0.05, 0, figure.dpi_scale_trans)
    style: dict[str, Any] = {
        "size": SCALE,
        "ha": "left",
        "va": "center_baseline",
        "transform": right_of_bar,
        "clip_on": False,
    }
    annotate(axes, left + length, 0, text, gid="scale", **style)


def scale_of(width: float, unit: Unit) -> tuple[float, str]:
    """Length of the scale bar of an image of that width, and its label."""
    length = round_length(width / 3)
    return length, f"{length:g} {unit.name}"


def round_length(max_length: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, … that is at most a length."""
    power = 10.0 ** math.floor(math.log10(max_length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= max_length * (1 + 1e-9)))


def number_ranges(values: Sequence[int]) -> str:
    """Sorted numbers as text, consecutive ones as a range: 0 to 3, 5."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(f"{r[0]} to {r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs)
