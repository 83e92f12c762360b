"""Maps of the fields in the sample and in the page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import MaxNLocator

from scanreader.recording.planes import is_at, levels
from scanreader.tables import MINUS, counted
from scanreader.texts import in_a_picture
from scanreader.view.drawing import (
    GREY,
    HEAD,
    INK,
    LABEL,
    MARGIN,
    NOTHING,
    Picture,
    Unit,
    annotate,
    axes_at,
    depth_text,
    field_label,
    new_figure,
    number_ranges,
    text_width,
    unit_of,
    write_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scanreader.recording.base import BaseScan
    from scanreader.recording.fields import Field
    from scanreader.recording.planes import Level

    Points = npt.NDArray[np.float64]
    Color = tuple[float, float, float, float]
    Colors = dict[tuple[int, int | None], Color]
    """Colour of each slice, or of each plane of a slice."""

MAP_WIDTH, MAP_HEIGHT, LEAST_HEIGHT = 6.4, 5.6, 3.0  # inches, as are those below
TICKS, COLUMN, BETWEEN, TITLE, KEY = 0.62, 1.5, 0.5, 0.26, 0.24
MOST_KEYS, MOST_COLUMNS, MOST_NAMES = 12, 6, 150
STRIP, ABOVE = 0.09, 0.25
FILL = "#e6ecf5"


class Shape(NamedTuple):
    """Fields at the same place in several slices."""

    fields: list[int]
    corners: Points


def plot_layout(scan: BaseScan) -> Picture:
    """Draw the maps; see `Scan.plot_layout`."""
    unit = unit_of(scan)
    shapes = _shapes([_corners(field, unit) for field in scan.fields])
    kinds = _page_kinds(scan)
    kinds_shown = kinds[:MOST_COLUMNS]
    every_level = levels(scan.opened)
    colors = {level[:2]: color for level, color in zip(every_level, _colors(len(every_level)), strict=True)}
    box = _bounds(shapes)
    per_inch = float(max((box[1] - box[0]) / (MAP_WIDTH, MAP_HEIGHT)))
    map_width, map_height = ((box[1] - box[0]) / per_inch).tolist()
    height = max(map_height, LEAST_HEIGHT)
    page_left = TICKS + max(map_width, 1.6) + 0.4
    width = page_left + TICKS + len(kinds_shown) * (COLUMN + BETWEEN) - BETWEEN
    keys = _keys(scan, colors, width)
    keys_height = keys[-1].top + KEY + 0.1 if keys else 0.0
    caption = [
        counted(scan.num_fields, "field"),
        depth_text(scan.fields[0].depth) if len(every_level) == 1 else counted(len(every_level), _noun(scan)),
        counted(scan.num_channels, "channel"),
        f"{len(kinds_shown)} of {len(kinds)} kinds of pages shown" if len(kinds_shown) < len(kinds) else "",
        "grey: in no field" if any(_has_empty_pixels(scan, kind[0]) for kind in kinds_shown) else "",
        unit.note,
    ]
    figure, top = new_figure(scan, caption, width, keys_height + TITLE + height + 0.45)
    for key in keys:
        _draw_key(figure, key._replace(left=MARGIN + key.left, top=top + key.top))
    top += keys_height
    write_text(figure, MARGIN, top, "In the sample", size=HEAD, weight="bold")
    write_text(figure, MARGIN + page_left, top, "In the page", size=HEAD, weight="bold")
    top += TITLE
    _draw_map(axes_at(figure, MARGIN + TICKS, top, map_width, map_height), scan, shapes, box, unit, colors, per_inch)
    for n, kind in enumerate(kinds_shown):
        left = MARGIN + page_left + TICKS + n * (COLUMN + BETWEEN)
        label = next((text for text in _level_labels(scan, kind) if text_width(text, LABEL) <= COLUMN), "")
        write_text(figure, left, top + 0.11, label, size=LABEL, va="baseline")
        axes = axes_at(figure, left, top + ABOVE, COLUMN, height - ABOVE)
        _draw_page(axes, scan, kind, colors, height - ABOVE, is_first=n == 0)
    return figure


# ------------------------------------------------------------------------ the sample


def _corners(field: Field, unit: Unit) -> Points:
    """Corners of a field, in the order of `Field.corners`."""
    if unit.name == "pixels":
        return _rectangle(0, 0, field.width, field.height)
    return field.corners * unit.per_degree


def _shapes(corners: Sequence[Points]) -> list[Shape]:
    """Group fields with equal corners."""
    slack = 1e-4 * np.ptp(np.concatenate(corners), axis=0).max()
    groups: dict[bytes, list[int]] = {}
    for i, points in enumerate(corners):
        groups.setdefault(np.round(points / slack).astype(np.int64).tobytes(), []).append(i)
    return [Shape(fields, corners[fields[0]]) for fields in groups.values()]


def _bounds(shapes: Sequence[Shape]) -> Points:
    """Bounds of the map: all fields, with a margin."""
    points = np.concatenate([shape.corners for shape in shapes])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.04 * (high - low).max()
    return np.array([low - margin, high + margin])


def _part_corners(corners: Points, left: float, top: float, right: float, bottom: float) -> Points:
    """Corners of a part of a field, given by its edges as parts of width and height."""
    row_vector, column_vector = corners[1] - corners[0], corners[3] - corners[0]
    parts = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return np.array([corners[0] + u * row_vector + v * column_vector for u, v in parts])


def _draw_map(
    axes: Axes,
    scan: BaseScan,
    shapes: Sequence[Shape],
    box: Points,
    unit: Unit,
    colors: Colors,
    per_inch: float,
) -> None:
    """Draw the fields, each with the colours of its slices along its first row."""
    axes.set(xlim=box[:, 0], ylim=box[::-1, 1])
    _style_axes(axes, f"x ({unit.name})", f"y ({unit.name})")
    map_width, map_height = ((box[1] - box[0]) / per_inch).tolist()
    axes.xaxis.set_major_locator(MaxNLocator(max(1, round(map_width / 0.8)), steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(max(1, round(map_height / 0.5)), steps=[1, 2, 5, 10]))
    for shape in shapes:
        _outline(axes, shape.corners, facecolor=(FILL, 0.6), gid="-".join(map(str, ["fields", *shape.fields])))
        if len(colors) > 1:
            thickness = min(0.25, STRIP * per_inch / float(np.linalg.norm(shape.corners[3] - shape.corners[0])))
            strip_colors = [colors[scan.fields[i].slice_id, scan.fields[i].plane] for i in shape.fields]
            _strip(axes, _part_corners(shape.corners, 0, 0, 1, thickness), strip_colors)
        field = scan.fields[shape.fields[0]]
        for p in field.pieces if field.has_contiguous_subfields else ():
            left, right = p.output_x / field.width, (p.output_x + p.width) / field.width
            top, bottom = p.output_y / field.height, (p.output_y + p.height) / field.height
            part = _part_corners(shape.corners, left, top, right, bottom)
            _outline(axes, part, fill=False, linewidth=0.4, linestyle=(0, (4, 3)))
    label_boxes: list[Points] = []
    boxes = [np.array([shape.corners.min(axis=0), shape.corners.max(axis=0)]) for shape in shapes]
    for shape, field_box in zip(shapes[:MOST_NAMES], boxes, strict=False):
        other_boxes = [other_box for other_box in boxes if other_box is not field_box]
        text, centre = _place_label(_labels(scan, shape), field_box, box, other_boxes, label_boxes, per_inch)
        if text:
            annotate(axes, centre[0], centre[1], text, gid=f"name-{shape.fields[0]}")


def _labels(scan: BaseScan, shape: Shape) -> list[str]:
    """Labels of fields at one place, the longest first."""
    name = field_label(scan, shape.fields[0])
    number = number_ranges(shape.fields)
    number_labels = [f"{'fields' if len(shape.fields) > 1 else 'field'} {number}", number]
    if not name:
        return [*number_labels, f"{shape.fields[0]}"]
    names = [name, *(f"{name[:n].rstrip()}…" for n in (16, 8) if n < len(name) - 1)]
    return [*(f"{n}\n{line}" for n in names for line in number_labels), *names, f"{shape.fields[0]}"]


def _place_label(
    texts: Sequence[str],
    area: Points,
    box: Points,
    other_boxes: Sequence[Points],
    label_boxes: list[Points],
    per_inch: float,
) -> tuple[str, Points]:
    """Choose the longest label that fits into a field, or else beside it, and its place; '' if none fits."""
    middle, size = area.mean(axis=0), area[1] - area[0]
    halves = [_half_size(text) * per_inch for text in texts]
    places_inside = [
        (text, middle, half_size)
        for text, half_size in zip(texts, halves, strict=True)
        if (2 * half_size <= size).all()
    ]
    places_beside = [
        (text, middle + (half_size + size / 2) * direction, half_size)
        for text, half_size in zip(texts, halves, strict=True)
        for direction in np.array([[1, 0], [0, 1], [0, -1], [-1, 0]])
    ]
    for text, centre, half_size in (*places_inside, *places_beside):
        text_box = np.array([centre - half_size, centre + half_size])
        on_map = (text_box[0] >= box[0]).all() and (text_box[1] <= box[1]).all()
        if (
            on_map
            and not _overlaps(text_box, label_boxes)
            and (centre is middle or not _overlaps(text_box, other_boxes))
        ):
            label_boxes.append(text_box)
            return text, centre
    return "", middle


def _half_size(text: str) -> Points:
    """Half the width and height of a text, in inches."""
    lines = text.split("\n")
    return np.array([max(text_width(line, LABEL) for line in lines) + 0.06, 0.135 * len(lines) + 0.06]) / 2


def _overlaps(box: Points, other_boxes: Iterable[Points]) -> bool:
    return any((box[0] < other_box[1]).all() and (other_box[0] < box[1]).all() for other_box in other_boxes)


# -------------------------------------------------------------------------- the page


def _page_kinds(scan: BaseScan) -> list[list[Level]]:
    """Group slices, or planes, whose fields have the same rows of the page."""
    kinds: dict[Any, list[Level]] = {}
    for level in levels(scan.opened):
        fields = [field for field in scan.fields if is_at(field, level)]
        if fields:
            kinds.setdefault(tuple(tuple(p[:5] for p in field.pieces) for field in fields), []).append(level)
    return list(kinds.values())


def _has_empty_pixels(scan: BaseScan, level: Level) -> bool:
    """Whether pages of a slice or plane have pixels that belong to no field."""
    form = scan.opened.pages.form
    pieces = [piece for field in scan.fields if is_at(field, level) for piece in field.pieces]
    return sum(piece.height * piece.width for piece in pieces) < form.height * form.width


def _noun(scan: BaseScan) -> str:
    """What the levels of a scan are."""
    return "plane" if scan.opened.plane_depths else "slice"


def _level_labels(scan: BaseScan, kind: Sequence[Level]) -> list[str]:
    """Labels of slices or planes, the longest first."""
    every_level = levels(scan.opened)
    if len(every_level) == 1:
        return [""]
    noun = f"{_noun(scan)}{'s' if len(kind) > 1 else ''}"
    labels = [f"{noun} {number_ranges([every_level.index(level) for level in kind])}", f"{len(kind)} {noun}"]
    if all(math.isfinite(level.depth) for level in kind):
        labels.insert(0, f"z {', '.join(f'{round(level.depth, 1):g}' for level in kind)} µm".translate(MINUS))
    return labels


def _draw_page(
    axes: Axes, scan: BaseScan, kind: Sequence[Level], colors: Colors, height: float, *, is_first: bool
) -> None:
    """Draw the fields of slices or planes in their page; grey lines are scanned while flying between fields."""
    form = scan.opened.pages.form
    axes.set(xlim=(0, form.width), ylim=(form.height, 0), facecolor=NOTHING)
    _style_axes(axes, "column", "row" if is_first else "")
    if len(colors) > 1:
        strip_corners = _rectangle(0, -STRIP * form.height / height, form.width, 0)
        _strip(axes, strip_corners, [colors[level[:2]] for level in kind])
    starts = {0, form.height}
    for i, field in enumerate(scan.fields):
        for p in field.pieces if is_at(field, kind[0]) else ():
            corners = _rectangle(p.page_x, p.page_y, p.page_x + p.width, p.page_y + p.height)
            _outline(axes, corners, facecolor=FILL, gid=f"page-{i}")
            starts.add(p.page_y)
            name = in_a_picture(scan.rois[p.roi].name) if scan.is_multiROI else ""
            rows = f"rows {p.page_y} to {p.page_y + p.height - 1}"
            room = np.array([COLUMN * p.width / form.width, height * p.height / form.height])
            labels = (f"{name}\n{rows}" if name else rows, name or rows, f"{i}")
            text = next((text for text in labels if (2 * _half_size(text) - 0.02 <= room).all()), "")
            middle = corners.mean(axis=0)
            annotate(axes, middle[0], middle[1], text, gid=f"rows-{i}")
    axes.set_xticks([0, form.width])
    axes.set_yticks(_spaced_ticks(sorted(starts), 0.15 * form.height / height))


def _spaced_ticks(values: Sequence[int], least_distance: float) -> list[int]:
    """Omit values that are too close to the previous one; the last always stays."""
    values_kept = [values[0]]
    for value in values[1:-1]:
        if value - values_kept[-1] >= least_distance and values[-1] - value >= least_distance:
            values_kept.append(value)
    return [*values_kept, values[-1]]


# ------------------------------------------------------------------------------- parts


def _colors(count: int) -> list[Color]:
    """A colour for each slice, from the first to the last."""
    chart = mpl.colormaps["viridis"]
    return [chart(0.15 + 0.8 * n / max(1, count - 1)) for n in range(count)]


def _rectangle(left: float, top: float, right: float, bottom: float) -> Points:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def _outline(axes: Axes, corners: Points, **style: Any) -> None:
    axes.add_patch(Polygon(corners, closed=True, **{"edgecolor": INK, "linewidth": 0.7, **style}))


def _strip(axes: Axes, corners: Points, colors: Sequence[Color]) -> None:
    """Draw the colours of slices side by side."""
    for n, color in enumerate(colors):
        part = _part_corners(corners, n / len(colors), 0, (n + 1) / len(colors), 1)
        axes.add_patch(Polygon(part, closed=True, facecolor=color, edgecolor="none", linewidth=0)).set_clip_on(False)


def _style_axes(axes: Axes, x: str, y: str) -> None:
    """Axes with thin grey edges and small numbers."""
    axes.set_xlabel(x, size=LABEL, color=INK)
    axes.set_ylabel(y, size=LABEL, color=INK)
    axes.tick_params(labelsize=7, colors=GREY, width=0.6, length=3)
    for spine in axes.spines.values():
        spine.set(color=GREY, linewidth=0.6)
    axes.grid(visible=False)


class Key(NamedTuple):
    """Legend entry of a slice, and its place in inches."""

    left: float
    top: float
    text: str
    color: Color


def _keys(scan: BaseScan, colors: Colors, width: float) -> list[Key]:
    """Legend of the slices or planes, or of a few of many; empty if there is only one."""
    every_level = levels(scan.opened)
    count = len(every_level)
    places = range(count) if count <= MOST_KEYS else np.linspace(0, count - 1, 7).round().astype(int).tolist()
    keys: list[Key] = []
    left, top = 0.0, 0.0
    for n in places if count > 1 else ():
        text = depth_text(every_level[n].depth) or f"{_noun(scan)} {n}"
        width_used = 0.17 + text_width(text, LABEL) + 0.22
        if left and left + width_used > width:
            left, top = 0.0, top + KEY
        keys.append(Key(left, top, text, colors[every_level[n][:2]]))
        left += width_used
    return keys


def _draw_key(figure: Figure, key: Key) -> None:
    figure_width, figure_height = figure.get_size_inches()
    corner = (key.left / figure_width, 1 - (key.top + 0.12) / figure_height)
    figure.add_artist(
        Rectangle(corner, 0.12 / figure_width, 0.12 / figure_height, facecolor=key.color, edgecolor="none")
    )
    write_text(figure, key.left + 0.17, key.top + 0.055, key.text, size=LABEL, va="center_baseline")
