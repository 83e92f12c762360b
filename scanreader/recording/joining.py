"""Fields trimmed at their edges, and fields that touch joined into one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.errors import LayoutError, ScanIndexError
from scanreader.recording.fields import UNTRIMMED, Field, Trim

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

MOST_PIECES = 2000  # of a field: each that is joined may move all others


def trimmed(field: Field, trim: Trim) -> Field:
    """Remove pixels at the edges of a field that is one ROI.

    Raises
    ------
    ScanIndexError
        If no pixel remains.
    """
    height, width = field.height - trim.top - trim.bottom, field.width - trim.left - trim.right
    if min(height, width) < 1:
        raise ScanIndexError(
            f"trimming {trim.top} + {trim.bottom} rows and {trim.left} + {trim.right} columns leaves nothing of a "
            f"field of {field.height} x {field.width} pixels"
        )
    (piece,) = field.pieces
    piece = piece._replace(
        height=height,
        width=width,
        page_y=piece.page_y + trim.top,
        page_x=piece.page_x + trim.left,
        trim=piece.trim + trim,
    )
    pixel_y, pixel_x = field.height_in_degrees / field.height, field.width_in_degrees / field.width
    shift = np.array([(trim.left - trim.right) / 2 * pixel_x, (trim.top - trim.bottom) / 2 * pixel_y])
    x, y = field.turn @ shift
    return replace(
        field,
        pieces=(piece,),
        height=height,
        width=width,
        y=field.y + float(y),
        x=field.x + float(x),
        height_in_degrees=height * pixel_y,
        width_in_degrees=width * pixel_x,
    )


def join_contiguous(fields: Iterable[Field], trim: Trim = UNTRIMMED) -> list[Field]:
    """Join fields of one slice and plane that touch along a whole side, until none do.

    The sides must be equal in degrees and in pixels, the pixels of one size, and the fields not rotated. With `trim`,
    each field is trimmed: fields that touched before are still joined, and the removed edges leave no gap. The first
    piece stays at its position in the sample; see `Field.closed_gaps`.
    """
    joined_fields: list[Field] = []
    planes: dict[tuple[int, int | None], list[Field]] = {}
    for field in fields:
        planes.setdefault((field.slice_id, field.plane), []).append(field)
    for before in planes.values():
        after = [trimmed(field, trim) for field in before] if any(trim) else before
        joined_fields.extend(_join_plane(before, after, trim))
    return joined_fields


def _join_plane(before: list[Field], after: list[Field], trim: Trim) -> list[Field]:
    """Join fields `after` trimming wherever the same fields touch `before` it: always the first two that do.

    Raises
    ------
    LayoutError
        If more than `MOST_PIECES` fields would become one.
    """
    before, after = list(before), list(after)
    boxes = np.array([_box(field) for field in before]).T.copy()
    i, start = 0, 1  # field `i` touches none before `start`, and no two fields before it touch
    while i < len(before):
        pair = _first_touching(before, after, boxes, i, start)
        if pair is None:
            i += 1
            start = i + 1
            continue
        i, j, side = pair
        joined_field = _join_two(before[i], before[j], side)
        if len(joined_field.pieces) > MOST_PIECES:
            raise LayoutError(f"more than {MOST_PIECES} fields touch: they are not joined", raw_helps=False)
        after[i] = _join_two(after[i], after[j], side) if any(trim) else joined_field
        before[i], boxes[:, i], start = joined_field, _box(joined_field), 0
        del before[j], after[j]
        boxes = np.delete(boxes, j, axis=1)
    return after


def _first_touching(
    before: list[Field], after: list[Field], boxes: npt.NDArray[np.float64], i: int, start: int
) -> tuple[int, int, _Side] | None:
    """Find the first field from `start` on that touches field `i`."""
    other_boxes, own_box = boxes[:, start:], boxes[:, i : i + 1]
    distances = np.abs(other_boxes[:2] - own_box[:2])
    slack = np.maximum(other_boxes[4:], own_box[4:]) / 9  # a little more than `_touching` allows
    is_same, is_next = distances < slack, np.abs(distances - (other_boxes[2:4] + own_box[2:4]) / 2) < slack
    for other_index in (start + np.flatnonzero((is_same & is_next[::-1]).any(axis=0))).tolist():
        a, b = min(i, other_index), max(i, other_index)
        side = None if a == b else _touching(before[a], before[b])
        if side is None:
            continue
        sizes = [(field.width if side.is_below else field.height) for field in (after[a], after[b])]
        if sizes[0] == sizes[1]:
            return a, b, side
    return None


def _box(field: Field) -> tuple[float, ...]:
    """Centre, size and size of a pixel, each as y and x in degrees."""
    height, width = field.height_in_degrees, field.width_in_degrees
    return field.y, field.x, height, width, height / field.height, width / field.width


class _Side(NamedTuple):
    """How two fields touch."""

    is_below: bool
    """Whether one is below the other, not beside it."""
    is_swapped: bool
    """Whether the second comes first."""


def _touching(a: Field, b: Field) -> _Side | None:
    """Tell how two fields touch; None if they do not."""
    if a.rotation or b.rotation:
        return None
    pixel = (a.height_in_degrees / a.height, a.width_in_degrees / a.width)
    other_pixel = (b.height_in_degrees / b.height, b.width_in_degrees / b.width)
    if not all(
        abs(size - other_size) <= 1e-4 * abs(other_size) for size, other_size in zip(pixel, other_pixel, strict=True)
    ):
        return None
    slack_y, slack_x = pixel[0] / 10, pixel[1] / 10  # touching sides agree to a tenth of a pixel
    is_same_column = a.width == b.width and abs(a.x - b.x) < slack_x
    is_same_row = a.height == b.height and abs(a.y - b.y) < slack_y
    is_same_width = math.isclose(a.width_in_degrees, b.width_in_degrees, rel_tol=1e-4)
    is_same_height = math.isclose(a.height_in_degrees, b.height_in_degrees, rel_tol=1e-4)
    apart_y = (a.height_in_degrees + b.height_in_degrees) / 2
    apart_x = (a.width_in_degrees + b.width_in_degrees) / 2
    if is_same_column and is_same_width and abs(abs(a.y - b.y) - apart_y) < slack_y:
        return _Side(is_below=True, is_swapped=b.y < a.y)
    if is_same_row and is_same_height and abs(abs(a.x - b.x) - apart_x) < slack_x:
        return _Side(is_below=False, is_swapped=b.x < a.x)
    return None


def _join_two(a: Field, b: Field, side: _Side) -> Field:
    """Join two fields that touch: the pieces of the lower or right one move down or to the right."""
    first_field, second_field = (b, a) if side.is_swapped else (a, b)
    down, right = (first_field.height, 0) if side.is_below else (0, first_field.width)
    moved_pieces = tuple(
        p._replace(output_y=p.output_y + down, output_x=p.output_x + right) for p in second_field.pieces
    )
    pieces = {id(first_field): first_field.pieces, id(second_field): moved_pieces}
    name = " + ".join(dict.fromkeys(name for name in (a.name, b.name) if name))
    joined_field = replace(a, pieces=pieces[id(a)] + pieces[id(b)], name=name)
    if side.is_below:
        height_in_degrees = a.height_in_degrees + b.height_in_degrees
        y = first_field.y + second_field.height_in_degrees / 2
        return replace(joined_field, height=a.height + b.height, height_in_degrees=height_in_degrees, y=y)
    width_in_degrees = a.width_in_degrees + b.width_in_degrees
    return replace(
        joined_field,
        width=a.width + b.width,
        width_in_degrees=width_in_degrees,
        x=first_field.x + second_field.width_in_degrees / 2,
    )
