"""Stitched fields: all fields of a slice on one grid of pixels, where they were recorded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import Finding, LayoutError, ScanKeyError
from scanreader.keys import abbreviate, held_by, is_one_of
from scanreader.recording.fields import Placement
from scanreader.recording.rectangles import Rectangle, around, visible
from scanreader.recording.views import pieces_in_sample, refuse_placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.recording.fields import Field
    from scanreader.recording.opened import Opened, View

FIRST, LAST = "first", "last"
MOST_PIXELS = 1 << 28  # of a stitched field: more means fields that are far apart, or a position in the wrong unit
MOST_UNEQUAL = 1e-3  # relative difference between sizes of pixels
MOST_OFF = 0.25  # pixels between a field's edge and the grid
RESAMPLE = "scan.canvas places and resamples their mean images"


class Facts(NamedTuple):
    """What is to be said of a stitched field."""

    overlapping: int
    """Pixels that fields recorded more than once."""
    overlap: int
    """Width of the widest overlap of two fields, in pixels."""
    hidden: tuple[str, ...]
    """Fields that others cover."""
    uncovered: int
    """Pixels of no field."""
    pixels: int
    off: float
    """Largest distance of a field's edge from the grid, in pixels, to two decimals."""

    def sentence(self, overlap: str, fill: float) -> str:
        """Say it; '' if there is nothing to say."""
        parts = []
        if self.overlapping:
            width = f"{self.overlap} pixel{'s' * (self.overlap != 1)}"
            overlapping = f"fields overlap by up to {width} ({self.overlapping:,} pixels in all)"
            parts.append(f"{overlapping}, and the {overlap} field is shown there")
        if self.hidden:
            parts.append(f"not shown, because others cover them: {abbreviate(self.hidden)}")
        if self.uncovered:
            share = 100 * self.uncovered / self.pixels
            parts.append(
                f"no field covers {self.uncovered:,} of {self.pixels:,} pixels ({share:.2g} %), which are {fill:g}"
            )
        if self.off:
            parts.append(f"positions in µm are up to {self.off:g} pixels off, for fields that are between the pixels")
        return "; ".join(parts)


def stitching(opened: Opened, overlap: Any, fill: Any) -> View:
    """View with all fields of a slice as one; see `BaseScan.stitched`.

    Raises
    ------
    ScanKeyError
        If `overlap` is neither "last" nor "first".
    DtypeError
        If the dtype cannot hold `fill`.
    """
    if not is_one_of(overlap, (FIRST, LAST)):
        raise ScanKeyError(
            f"overlap is 'last' or 'first', the field that is shown where fields overlap, not {overlap!r}"
        )
    return partial(stitch, overlap=overlap, fill=held_by(opened.dtype, fill, "fill"))


def stitch(opened: Opened, overlap: str, fill: float) -> Opened:
    """Place the fields of each slice, and plane, on one grid of pixels.

    Raises
    ------
    LayoutError
        If fields are placed already, or cannot be placed without resampling.
    """
    refuse_placed(opened, "stitched")
    groups: dict[tuple[int, int | None], list[int]] = {}
    for i, field in enumerate(opened.fields):
        groups.setdefault((field.slice_id, field.plane), []).append(i)
    fields: list[Field] = []
    uncut: list[tuple[Field, ...]] = []
    slices: dict[str, list[int]] = {}
    for (slice_id, _), numbers in groups.items():
        roi_fields = [roi_field for i in numbers for roi_field in opened.uncut[i]]
        parts = [piece for i in numbers for piece in pieces_in_sample(opened, i)]
        labels = [
            f"field {i}{f' ({roi_field.name})' * bool(roi_field.name)}"
            for i in numbers
            for roi_field in opened.uncut[i]
        ]
        if len(numbers) == len(parts) == 1:  # its position need not be known
            field, origins = opened.fields[numbers[0]], [0]
            field = replace(field, placement=Placement(is_stitched=True, fill=fill))
        else:
            field, origins, facts = _stitch_group(parts, labels, overlap, fill)
            slices.setdefault(facts.sentence(overlap, fill), []).append(slice_id)
        fields.append(field)
        uncut.append(tuple(roi_fields[i] for i in origins))
    findings = [_finding(sentence, ids) for sentence, ids in slices.items() if sentence]
    return replace(
        opened,
        fields=tuple(fields),
        uncut=tuple(uncut),
        is_joined=False,
        findings=(*opened.findings, *findings),
    )


def _finding(sentence: str, slices: Sequence[int]) -> Finding:
    numbers = list(dict.fromkeys(slices))
    slice_text = f"slice{'s' * (len(numbers) > 1)} {abbreviate(numbers)}"
    return Finding("stitched-fields", "note", "", f"stitched fields of {slice_text}: {sentence}")


def _stitch_group(
    parts: Sequence[Field], labels: Sequence[str], overlap: str, fill: float
) -> tuple[Field, list[int], Facts]:
    """Make one field of fields of one piece each; and tell of which of them each piece is."""
    first = parts[0]
    places, distance = _places(parts, labels)
    canvas = around(places)
    height, width = canvas.bottom - canvas.top, canvas.right - canvas.left
    places = [place.moved(-canvas.top, -canvas.left) for place in places]
    order = range(len(parts)) if overlap == FIRST else range(len(parts) - 1, -1, -1)
    visible_parts = dict(zip(order, visible([places[i] for i in order]), strict=True))
    pieces, origins = [], []
    for i, (part, place) in enumerate(zip(parts, places, strict=True)):
        piece = part.pieces[0]._replace(output_y=place.top, output_x=place.left)
        pieces += [piece.part(rectangle) for rectangle in visible_parts[i]]
        origins += [i] * len(visible_parts[i])
    num_visible = sum(piece.height * piece.width for piece in pieces)
    num_hidden = sum(place.pixels for place in places) - num_visible
    pixel_y, pixel_x = _pixel(first)
    field = replace(
        first,
        height=height,
        width=width,
        y=first.y - first.height_in_degrees / 2 + (canvas.top + height / 2) * pixel_y,
        x=first.x - first.width_in_degrees / 2 + (canvas.left + width / 2) * pixel_x,
        height_in_degrees=height * pixel_y,
        width_in_degrees=width * pixel_x,
        pieces=tuple(pieces),
        name=" + ".join(dict.fromkeys(part.name for part in parts if part.name)),
        placement=Placement(is_stitched=True, fill=fill, hidden=num_hidden),
    )
    hidden_labels = [labels[i] for i in range(len(parts)) if not visible_parts[i]]
    facts = Facts(
        num_hidden,
        _widest_overlap(places),
        tuple(hidden_labels),
        height * width - num_visible,
        height * width,
        round(distance, 2),
    )
    return field, origins, facts


def _pixel(field: Field) -> tuple[float, float]:
    """Height and width of a pixel, in degrees."""
    return field.height_in_degrees / field.height, field.width_in_degrees / field.width


def _places(parts: Sequence[Field], labels: Sequence[str]) -> tuple[list[Rectangle], float]:
    """Find where fields are on the grid of the first one's pixels, and how far off it at most, in pixels.

    Raises
    ------
    LayoutError
        If their positions are unknown, they are rotated, or their pixels are of other sizes or between those of the
        first.
    """
    refusal = f"the fields of slice {parts[0].slice_id} cannot be stitched"
    centres = np.array([(part.y, part.x) for part in parts])
    sizes = np.array([(part.height_in_degrees, part.width_in_degrees) for part in parts])
    shapes = np.array([(part.height, part.width) for part in parts])
    if not (np.isfinite(centres).all() and np.isfinite(sizes).all() and (sizes > 0).all()):
        raise LayoutError(f"{refusal}: the header has no field positions", raw_helps=False)
    angles = [f"{label} by {part.rotation:g}" for part, label in zip(parts, labels, strict=True) if part.rotation]
    if angles:
        raise LayoutError(f"{refusal}: they are rotated ({abbreviate(angles)} degrees); {RESAMPLE}", raw_helps=False)
    pixels = sizes / shapes
    unequal_fields = np.flatnonzero((np.abs(pixels / pixels[0] - 1) > MOST_UNEQUAL).any(axis=1)).tolist()
    if unequal_fields:
        details = [f"{labels[i]} {pixels[i][0]:.6g} x {pixels[i][1]:.6g}" for i in [0, *unequal_fields]]
        raise LayoutError(
            f"{refusal}: pixels differ in size ({abbreviate(details)} degrees); {RESAMPLE}",
            raw_helps=False,
        )
    corners = np.stack([centres - sizes / 2, centres + sizes / 2])  # first and last
    corners = (corners - corners[0, 0]) / pixels[0]
    starts = np.rint(corners[0])
    distances = np.abs(corners - np.stack([starts, starts + shapes])).max(axis=(0, 2))
    fields_between = np.flatnonzero(distances > MOST_OFF * (1 + 1e-9)).tolist()
    if fields_between:
        details = [f"{labels[i]} by {distances[i]:.3g}" for i in fields_between]
        raise LayoutError(
            f"{refusal}: they are off the pixels of {labels[0]} ({abbreviate(details)} pixels, of which up to "
            f"{MOST_OFF} is rounded); {RESAMPLE}",
            raw_helps=False,
        )
    height, width = ((starts + shapes).max(axis=0) - starts.min(axis=0)).tolist()
    if height * width > MOST_PIXELS:
        raise LayoutError(
            f"{refusal}: they would make one of {height:,.0f} x {width:,.0f} pixels; select fields that are close "
            "to each other",
            raw_helps=False,
        )
    edges = np.stack([starts, starts + shapes]).transpose(1, 2, 0).reshape(-1, 4).astype(np.int64)
    return [Rectangle(*row) for row in edges.tolist()], float(distances.max())


def _widest_overlap(places: Sequence[Rectangle]) -> int:
    """Width of the widest overlap of two rectangles, across its longer side."""
    widest_overlap = 0
    edges = np.array(places, np.int64)
    for i in range(1, len(places)):
        height = np.minimum(edges[:i, 1], edges[i, 1]) - np.maximum(edges[:i, 0], edges[i, 0])
        width = np.minimum(edges[:i, 3], edges[i, 3]) - np.maximum(edges[:i, 2], edges[i, 2])
        widest_overlap = max(widest_overlap, int(np.minimum(height, width).max()))
    return widest_overlap
