"""Fields trimmed at their edges, and fields that touch joined into one."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.errors import ScanIndexError
from scanreader.recording.fields import UNTRIMMED, Field, Trim

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    return _placed(replace(field, pieces=(piece,), height=height, width=width), field, trim)


def _placed(trimmed_field: Field, field: Field, trim: Trim) -> Field:
    """Set the position and size in the sample of a field that was trimmed; its pixels keep their size."""
    pixel_y, pixel_x = field.height_in_degrees / field.height, field.width_in_degrees / field.width
    inward = np.array([(trim.left - trim.right) / 2 * pixel_x, (trim.top - trim.bottom) / 2 * pixel_y])
    x, y = field.turn @ inward
    return replace(
        trimmed_field,
        y=field.y + float(y),
        x=field.x + float(x),
        height_in_degrees=trimmed_field.height * pixel_y,
        width_in_degrees=trimmed_field.width * pixel_x,
    )


def join_contiguous(fields: Iterable[Field], trim: Trim = UNTRIMMED) -> list[Field]:
    """Join fields of one slice that touch along a whole side, until none do.

    The sides must be equal in degrees and in pixels, the pixels of one size, and the fields not rotated. With `trim`,
    each field is trimmed: fields that touched before are still joined, and the removed edges leave no gap.
    """
    joined: list[Field] = []
    slices: dict[int, list[Field]] = {}
    for field in fields:
        slices.setdefault(field.slice_id, []).append(field)
    for before in slices.values():
        after = [trimmed(field, trim) for field in before] if any(trim) else before
        joined.extend(_join_slice(before, after, trim))
    return joined


def _join_slice(before: list[Field], after: list[Field], trim: Trim) -> list[Field]:
    """Join fields `after` trimming wherever the same fields touch `before` it."""
    for i, j in itertools.combinations(range(len(before)), 2):
        side = _touching(before[i], before[j])
        if side is None or (after[i].width if side.down else after[i].height) != (
            after[j].width if side.down else after[j].height
        ):
            continue
        both = _join_two(before[i], before[j], side)
        both_after = _placed(_join_two(after[i], after[j], side), both, trim) if any(trim) else both
        rest = [
            [*group[:i], joined, *group[i + 1 : j], *group[j + 1 :]]
            for group, joined in ((before, both), (after, both_after))
        ]
        return _join_slice(rest[0], rest[1], trim)
    return after


class _Side(NamedTuple):
    """How two fields touch."""

    down: bool
    """Whether one is below the other, not beside it."""
    swapped: bool
    """Whether the second comes first."""


def _touching(a: Field, b: Field) -> _Side | None:
    """Tell how two fields touch; None if they do not."""
    if a.rotation or b.rotation:
        return None
    pixel = (a.height_in_degrees / a.height, a.width_in_degrees / a.width)
    if not np.allclose(pixel, (b.height_in_degrees / b.height, b.width_in_degrees / b.width), rtol=1e-4, atol=0):
        return None
    slack_y, slack_x = pixel[0] / 10, pixel[1] / 10  # touching sides agree to a tenth of a pixel
    same_column = a.width == b.width and abs(a.x - b.x) < slack_x
    same_row = a.height == b.height and abs(a.y - b.y) < slack_y
    same_width = math.isclose(a.width_in_degrees, b.width_in_degrees, rel_tol=1e-4)
    same_height = math.isclose(a.height_in_degrees, b.height_in_degrees, rel_tol=1e-4)
    apart_y = (a.height_in_degrees + b.height_in_degrees) / 2
    apart_x = (a.width_in_degrees + b.width_in_degrees) / 2
    if same_column and same_width and abs(abs(a.y - b.y) - apart_y) < slack_y:
        return _Side(down=True, swapped=b.y < a.y)
    if same_row and same_height and abs(abs(a.x - b.x) - apart_x) < slack_x:
        return _Side(down=False, swapped=b.x < a.x)
    return None


def _join_two(a: Field, b: Field, side: _Side) -> Field:
    """Join two fields that touch: the pieces of the lower or right one move down or to the right."""
    first, second = (b, a) if side.swapped else (a, b)
    down, right = (first.height, 0) if side.down else (0, first.width)
    moved = tuple(p._replace(output_y=p.output_y + down, output_x=p.output_x + right) for p in second.pieces)
    pieces = {id(first): first.pieces, id(second): moved}
    name = " + ".join(dict.fromkeys(name for name in (a.name, b.name) if name))
    both = replace(a, pieces=pieces[id(a)] + pieces[id(b)], name=name)
    if side.down:
        tall = a.height_in_degrees + b.height_in_degrees
        y = first.y + second.height_in_degrees / 2
        return replace(both, height=a.height + b.height, height_in_degrees=tall, y=y)
    wide = a.width_in_degrees + b.width_in_degrees
    return replace(both, width=a.width + b.width, width_in_degrees=wide, x=first.x + second.width_in_degrees / 2)
