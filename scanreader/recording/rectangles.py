"""Rectangles of whole pixels: what of one others leave uncovered."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


class Rectangle(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right`; `bottom` and `right` are the first outside."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def moved(self, down: int, right: int) -> Rectangle:
        """Move it by rows and columns."""
        return Rectangle(self.top + down, self.bottom + down, self.left + right, self.right + right)

    def common(self, other_rectangle: Rectangle) -> Rectangle | None:
        """The part that both have; None if there is none."""
        top, left = max(self.top, other_rectangle.top), max(self.left, other_rectangle.left)
        bottom, right = min(self.bottom, other_rectangle.bottom), min(self.right, other_rectangle.right)
        return Rectangle(top, bottom, left, right) if top < bottom and left < right else None


def around(rectangles: Sequence[Rectangle]) -> Rectangle:
    """The smallest rectangle that has all of some."""
    tops, bottoms, lefts, rights = zip(*rectangles, strict=True)
    return Rectangle(min(tops), max(bottoms), min(lefts), max(rights))


@lru_cache(256)
def uncovered(rectangle: Rectangle, covers: tuple[Rectangle, ...]) -> tuple[Rectangle, ...]:
    """What of a rectangle others do not cover, as rectangles that do not overlap."""
    parts = sorted((part for cover in covers if (part := cover.common(rectangle))), key=lambda part: part.left)
    edges = sorted({rectangle.top, rectangle.bottom, *(part.top for part in parts), *(part.bottom for part in parts)})
    bounds = np.array(parts, np.int64).reshape(-1, 4)
    gaps: list[Rectangle] = []
    open_gaps: list[Rectangle] = []  # gaps that end where the next rows begin
    for top, bottom in pairwise(edges):
        indices = np.flatnonzero((bounds[:, 0] <= top) & (bounds[:, 1] > top)).tolist()
        columns = _free_columns(rectangle, [parts[i] for i in indices])
        if columns != [(gap.left, gap.right) for gap in open_gaps]:
            gaps += open_gaps
            open_gaps = [Rectangle(top, bottom, left, right) for left, right in columns]
        else:
            open_gaps = [gap._replace(bottom=bottom) for gap in open_gaps]
    return (*gaps, *open_gaps)


def visible(rectangles: Sequence[Rectangle]) -> list[tuple[Rectangle, ...]]:
    """What of each rectangle is seen where those before it lie on top, as rectangles that do not overlap."""
    bounds = np.array(rectangles, np.int64).reshape(-1, 4)
    parts = []
    for i, rectangle in enumerate(rectangles):
        top, bottom, left, right = bounds[:i].T
        is_hiding = (
            (top < rectangle.bottom) & (bottom > rectangle.top) & (left < rectangle.right) & (right > rectangle.left)
        )
        parts.append(uncovered(rectangle, tuple(rectangles[j] for j in np.flatnonzero(is_hiding).tolist())))
    return parts


def _free_columns(rectangle: Rectangle, parts: Sequence[Rectangle]) -> list[tuple[int, int]]:
    """First column, and first one outside, of each gap that rectangles, sorted by their left edges, leave."""
    columns, end = [], rectangle.left
    for part in parts:
        if part.left > end:
            columns.append((end, part.left))
        end = max(end, part.right)
    return [*columns, (end, rectangle.right)] if end < rectangle.right else columns
