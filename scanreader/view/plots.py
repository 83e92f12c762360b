"""Mean images of each field and channel, and of fields as they lie in the sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.patches import Polygon
from matplotlib.patheffects import withStroke

from scanreader.errors import ScanIndexError
from scanreader.keys import AXES, as_array, as_integer, pick, split_key
from scanreader.recording.planes import is_at, levels
from scanreader.tables import MINUS
from scanreader.texts import in_a_picture
from scanreader.view.canvas import block_means, paste, project
from scanreader.view.drawing import (
    DPI,
    GREY,
    HEAD,
    LABEL,
    MARGIN,
    NOTHING,
    SCALE,
    Unit,
    annotate,
    axes_at,
    depth_text,
    field_label,
    level_text,
    new_figure,
    scale_bar,
    scale_of,
    text_width,
    unit_of,
    write_text,
)
from scanreader.view.sheet import HEADING, Item, Sheet, arrange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scanreader.recording.base import BaseScan
    from scanreader.recording.fields import Field
    from scanreader.recording.planes import Level
    from scanreader.view.drawing import Picture
    from scanreader.view.sheet import Place

    Image = npt.NDArray[np.floating[Any]]
    Points = npt.NDArray[np.float64]

MOST_FRAMES = 60  # the mean of so many is smooth to the eye
MOST_PIXELS = 1 << 29  # that are read by default: 1 GiB of 16-bit integers
MOST_FIELDS, MOST_PANELS = 100, 240  # that are shown by default
TOO_MANY = 1000
FINENESS = 2 * DPI  # most values an inch of an image: enough for a slide that is zoomed into
SHARP_BELOW = 25  # values an inch below which each is drawn as a square
VALUES, INSIDE = 6.5, 7.0  # points
EDGE = "#ffb000"


# -------------------------------------------------------------------------- selection


class Selection(NamedTuple):
    """Fields, channels and frames that are shown."""

    fields: list[int]
    channels: list[int]
    frames: npt.NDArray[np.int64]
    omission: str
    """What is omitted, for the caption; '' if nothing."""


def select(scan: BaseScan, fields: Any, channels: Any, frames: Any, max_frames: int | None) -> Selection:
    """Select what is shown; see `Scan.plot`.

    Raises
    ------
    ScanIndexError
        If nothing is selected, or more than one figure can show.
    """
    full_slice = slice(None)
    entries = split_key((full_slice if fields is None else fields, full_slice, full_slice, channels, frames))
    sizes = {0: scan.num_fields, 3: scan.num_channels, 4: scan.num_frames}
    indices = {n: as_array(pick(entries[n], size, AXES[n]).indices) for n, size in sizes.items()}
    for n, size in sizes.items():
        if not indices[n].size:
            raise ScanIndexError(f"no {AXES[n]} is selected of {size}")
    count = len(indices[3])
    fields_shown, omission = _spaced_slices(scan, count) if fields is None else (indices[0].tolist(), "")
    if len(fields_shown) * count > TOO_MANY:
        raise ScanIndexError(f"{len(fields_shown)} fields of {count} channels are too many for one figure: give fewer")
    pixels = sum(scan.fields[i].height * scan.fields[i].width for i in fields_shown) * count
    max_count = min(MOST_FRAMES, max(1, MOST_PIXELS // pixels))
    if max_frames is not None and (max_count := as_integer(max_frames, "max_frames")) < 1:
        raise ScanIndexError(f"max_frames must be at least 1, not {max_count}")
    return Selection(fields_shown, indices[3].tolist(), evenly(indices[4], max_count), omission)


def evenly(indices: npt.NDArray[np.int64], max_count: int) -> npt.NDArray[np.int64]:
    """At most `max_count` indices, evenly spaced, each from the middle of its share."""
    if len(indices) <= max_count:
        return indices
    return indices[((np.arange(max_count) + 0.5) * len(indices) / max_count).astype(np.int64)]


def _spaced_slices(scan: BaseScan, channels: int) -> tuple[list[int], str]:
    """Fields of all slices, or of evenly spaced ones if they would be too many, and a note for the caption."""
    slices = sorted(set(scan.field_slices))
    fields_per_slice = max(scan.field_slices.count(s) for s in slices)
    max_slices = max(1, min(MOST_FIELDS, MOST_PANELS // channels) // fields_per_slice)
    slices_shown = evenly(np.array(slices), max_slices).tolist()
    omission = f"{len(slices_shown)} of {len(slices)} slices shown" if len(slices_shown) < len(slices) else ""
    return [i for i, s in enumerate(scan.field_slices) if s in slices_shown], omission


def _checked_percentiles(percentiles: Any) -> tuple[float, float]:
    try:
        low, high = (float(p) for p in percentiles)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not 0 <= low < high <= 100:
        raise ScanIndexError(f"percentiles must be two numbers from 0 to 100, the lower first, not {percentiles!r}")
    return low, high


# ----------------------------------------------------------------------------- figure


def plot(
    scan: BaseScan,
    fields: Any = None,
    channels: Any = slice(None),
    frames: Any = slice(None),
    max_frames: int | None = None,
    percentiles: tuple[float, float] = (1, 99.5),
) -> Picture:
    """Draw the fields; see `Scan.plot`."""
    contrast = _checked_percentiles(percentiles)
    selection, unit = select(scan, fields, channels, frames, max_frames), unit_of(scan)
    slices = _levels_to_place(scan, selection.fields, unit)
    is_single = len(selection.fields) == 1 and not slices  # one image a channel, labelled by the channel
    headings = len(selection.channels) > 1 and not is_single
    sheet = _arrange_images(scan, selection, unit, slices, headings=headings)
    caption = [
        "" if is_single or headings else in_a_picture(scan.channel_names[selection.channels[0]]),
        depth_text(scan.fields[0].depth) if len(levels(scan.opened)) == 1 else "",
        _frames_text(scan, selection.frames),
        f"{scan.fps:.4g} frames/s" if math.isfinite(scan.fps) else "",
        f"black to white: percentiles {contrast[0]:g} to {contrast[1]:g} of each image",
        selection.omission,
        unit.note,
    ]
    figure, top = new_figure(scan, caption, sheet.width, sheet.height)
    for channel, (section_left, section_top) in zip(selection.channels, sheet.corners, strict=True):
        name = in_a_picture(scan.channel_names[channel])
        if headings:
            write_text(figure, MARGIN + section_left, top + section_top, name, size=HEAD, weight="bold")
        corner = (MARGIN + section_left, top + section_top + (HEADING if headings else 0.0))
        overviews = [place.moved(*corner) for place in sheet.overviews.places]
        grid = _grid(scan, selection.fields, overviews[0]) if overviews else None
        small_images: dict[int, Image] = {}
        for i, place in zip(selection.fields, sheet.items.places, strict=True):
            mean = project(scan, i, channel, selection.frames)
            axes = _panel(figure, place.moved(*corner), mean, _extent(scan.fields[i], unit), unit, contrast)
            axes.set_gid(f"field-{i}-channel-{channel}")
            _headline(figure, place.moved(*corner), [name, ""] if is_single else _labels(scan, i), _values(axes))
            if grid is not None:
                small_images[i] = grid.reduced(scan.fields[i], mean)
        for level, place in zip(slices, overviews, strict=True):
            assert grid is not None
            images = {i: image for i, image in small_images.items() if is_at(scan.fields[i], level)}
            axes = _draw_canvas(figure, scan, place, images, grid, unit, contrast)
            at_plane = "" if level.plane is None else f"plane-{level.plane}-"
            axes.set_gid(f"slice-{level.slice_id}-{at_plane}channel-{channel}")
            plane = "as they lie" if level.plane is None else f"plane {level.plane}"
            _headline(figure, place, [depth_text(level.depth) or plane, ""])
    return figure


def _frames_text(scan: BaseScan, frames: npt.NDArray[np.int64]) -> str:
    if scan.num_frames == 1:
        return "1 frame"
    if len(frames) == 1:
        return f"frame {frames[0]:,} of {scan.num_frames:,}"
    if len(frames) == scan.num_frames:
        return f"mean of all {scan.num_frames:,} frames"
    return f"mean of {len(frames)} of {scan.num_frames:,} frames ({frames[0]:,} to {frames[-1]:,})"


def _arrange_images(
    scan: BaseScan, selection: Selection, unit: Unit, slices: Sequence[Level], *, headings: bool
) -> Sheet:
    """Arrange all images on a sheet."""
    fields = [scan.fields[i] for i in selection.fields]
    sizes = [_extent(field, unit) for field in fields]
    name_widths = [text_width(_labels(scan, i)[0], LABEL) + 0.05 for i in selection.fields]
    scale_widths = [0.25 + text_width(scale_of(width, unit)[1], SCALE) for _, width in sizes]
    items = [
        Item(*size, max(label_widths)) for size, *label_widths in zip(sizes, name_widths, scale_widths, strict=True)
    ]
    if not slices:
        return arrange(items, [], len(selection.channels), headings=headings)
    (left, top), (right, bottom) = _box(scan, selection.fields)
    covered_area = sum(field.height_in_degrees * field.width_in_degrees for field in fields)
    filled_part = min(1.0, covered_area / (len(slices) * (bottom - top) * (right - left)))
    overviews = [Item(bottom - top, right - left)] * len(slices)
    return arrange(items, overviews, len(selection.channels), headings=headings, filled=filled_part)


def _extent(field: Field, unit: Unit) -> tuple[float, float]:
    """Height and width of a field."""
    if unit.name == "pixels":
        return field.height, field.width
    return field.height_in_degrees * unit.per_degree, field.width_in_degrees * unit.per_degree


def _panel(
    figure: Figure,
    place: Place,
    image: Image,
    size: tuple[float, float],
    unit: Unit,
    contrast: tuple[float, float],
    corner: tuple[float, float] = (0.0, 0.0),
) -> Axes:
    """Draw an image in its place, reduced to the resolution of the figure; axes are in the unit of `size`."""
    axes = axes_at(figure, place.left, place.top, place.width, place.height)
    axes.set_axis_off()
    (height, width), (left, top) = size, corner
    finite_values = image[np.isfinite(image)]
    black, white = np.percentile(finite_values, contrast).tolist() if finite_values.size else (math.nan, math.nan)
    axes.imshow(
        block_means(image, math.ceil(FINENESS * place.height), math.ceil(FINENESS * place.width)),
        cmap=mpl.colormaps["gray"].with_extremes(bad=NOTHING),
        vmin=black if finite_values.size else 0.0,
        vmax=white if finite_values.size else 1.0,
        extent=(left, left + width, top + height, top),
        aspect="auto",
        origin="upper",
        interpolation="nearest" if image.shape[1] < SHARP_BELOW * place.width else "hanning",
    )
    if place.bar:
        scale_bar(figure, axes, unit)
    return axes


def _values(axes: Axes) -> str:
    """Values that are shown black and white."""
    (image,) = axes.images
    values = image.get_array()
    if values is None or not np.ma.count(values):
        return "no values"
    limits = [float(value or 0) for value in image.get_clim()]
    return " … ".join(f"{v:.3g}" if abs(v) < 1000 else f"{v:.0f}" for v in limits).translate(MINUS)


def _headline(figure: Figure, place: Place, texts: Sequence[str], values: str = "") -> None:
    """Write above an image the first of the texts that fits, and its values if there is room."""
    headline = next((text for text in texts if text_width(text, LABEL) <= place.room), "")
    left, baseline = place.left, place.top - 0.055
    write_text(figure, left, baseline, headline, size=LABEL, va="baseline")
    if values and text_width(headline, LABEL) + text_width(values, VALUES) + 0.12 <= place.width:
        write_text(figure, left + place.width, baseline, values, size=VALUES, color=GREY, ha="right", va="baseline")


def _labels(scan: BaseScan, i: int) -> list[str]:
    """Labels of a field, the longest first."""
    number = f"{i}" if scan.num_fields > 1 else ""
    name, rotation = field_label(scan, i), scan.fields[i].rotation
    depth = level_text(scan.fields[i]) if len(levels(scan.opened)) > 1 else ""
    rotation_text = f"rotated {rotation:g}°".translate(MINUS) if rotation else ""
    names = [name, *(f"{name[:n].rstrip()}…" for n in (32, 24, 16, 12, 9, 6, 3) if n < len(name) - 1)]
    parts = [*((number, n, depth, rotation_text) for n in names), (number, depth), (number,)]
    return [" · ".join(filter(None, part)) for part in parts]


# ------------------------------------------------------------------- overview of a slice


def _levels_to_place(scan: BaseScan, fields: Sequence[int], unit: Unit) -> list[Level]:
    """Slices, or planes, that get an overview: none if each has one field without rotation."""
    fields_shown = [scan.fields[i] for i in fields]
    levels_with_fields = [level for level in levels(scan.opened) if any(is_at(field, level) for field in fields_shown)]
    has_layout = len(levels_with_fields) < len(set(fields)) or any(field.rotation for field in fields_shown)
    return levels_with_fields if scan.is_multiROI and unit.name != "pixels" and has_layout else []


def _box(scan: BaseScan, fields: Sequence[int]) -> Points:
    """Upper left and lower right corner of the fields' bounding box, as (x, y), in degrees."""
    corners = np.concatenate([scan.fields[i].corners for i in fields])
    return np.array([corners.min(axis=0), corners.max(axis=0)])


class Grid(NamedTuple):
    """Pixel grid on which fields are placed."""

    box: Points
    pixel: float
    """Size of a pixel, in degrees."""

    def reduced(self, field: Field, image: Image) -> Image:
        """Reduce an image of a field to the resolution of the grid."""
        rows, columns = field.height_in_degrees / self.pixel, field.width_in_degrees / self.pixel
        return block_means(image, math.ceil(rows), math.ceil(columns))

    def placed(self, pictures: Sequence[tuple[Field, Image]]) -> Image:
        """Place images of fields; NaN elsewhere."""
        width, height = np.ceil((self.box[1] - self.box[0]) / self.pixel - 1e-6).astype(int)
        image = np.full((height, width), np.nan, np.float32)
        for field, picture in pictures:
            paste(image, picture, field, (float(self.box[0][0]), float(self.box[0][1])), self.pixel)
        return image


def _grid(scan: BaseScan, fields: Sequence[int], place: Place) -> Grid:
    """Grid with the pixels of the finest field, or of the figure's resolution."""
    box = _box(scan, fields)
    fields_shown = [scan.fields[i] for i in fields]
    finest_pixel = min(min(f.height_in_degrees / f.height, f.width_in_degrees / f.width) for f in fields_shown)
    return Grid(box, max(finest_pixel, float(box[1][0] - box[0][0]) / (FINENESS * place.width)))


def _draw_canvas(
    figure: Figure,
    scan: BaseScan,
    place: Place,
    pictures: Mapping[int, Image],
    grid: Grid,
    unit: Unit,
    contrast: tuple[float, float],
) -> Axes:
    """Draw the fields of a slice as they lie, with edges, numbers and names."""
    image = grid.placed([(scan.fields[i], picture) for i, picture in pictures.items()])
    (left, top), (right, bottom) = grid.box * unit.per_degree
    height, width = (pixels * grid.pixel * unit.per_degree for pixels in image.shape)
    axes = _panel(figure, place, image, (height, width), unit, contrast, (left, top))
    axes.set(xlim=(left, right), ylim=(bottom, top))  # the last pixels may extend beyond the edge
    per_inch = (right - left) / place.width
    label_boxes: list[Points] = []
    for i in pictures:
        corners = scan.fields[i].corners * unit.per_degree
        edge = Polygon(corners, closed=True, fill=False, edgecolor=EDGE, linewidth=0.7, gid=f"edge-{i}")
        axes.add_patch(edge).set_clip_on(False)
        full_label = f"{i} {field_label(scan, i)}".rstrip()
        room = float(np.linalg.norm(corners[1] - corners[0])) / per_inch
        has_room = text_width(full_label, INSIDE) + 0.1 <= room and not scan.fields[i].rotation
        for text in (full_label, f"{i}") if has_room else (f"{i}",):
            centre = _free_corner(
                corners, np.array([text_width(text, INSIDE) / 2 + 0.02, 0.07]) * per_inch, label_boxes
            )
            if centre is not None:
                label = annotate(axes, centre[0], centre[1], text, size=INSIDE, color=EDGE, gid=f"number-{i}")
                label.set_path_effects([withStroke(linewidth=1.6, foreground="black")])
                break
    return axes


def _free_corner(corners: Points, half_size: Points, label_boxes: list[Points]) -> Points | None:
    """Place in a corner of a field where a text of that half size is free; None if there is none."""
    is_turned = not np.isclose(corners[0], corners[1]).any()
    for k in (0, 1, 3, 2):
        sides = corners[[(k + 1) % 4, (k - 1) % 4]] - corners[k]
        lengths = np.linalg.norm(sides, axis=1, keepdims=True)
        distances = (
            np.full((2, 1), 1.3 * half_size.max()) if is_turned else np.abs(sides / lengths) @ half_size[:, None] * 1.15
        )
        centre = corners[k] + (sides / lengths * np.minimum(lengths / 2, distances)).sum(axis=0)
        box = np.array([centre - half_size, centre + half_size])
        if not any((box[0] < label_box[1]).all() and (label_box[0] < box[1]).all() for label_box in label_boxes):
            label_boxes.append(box)
            return np.asarray(centre)
    return None
