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

    def common(self, other: Rectangle) -> Rectangle | None:
        """The part that both have; None if there is none."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Rectangle(top, bottom, left, right) if top < bottom and left < right else None


def around(rectangles: Sequence[Rectangle]) -> Rectangle:
    """The smallest rectangle that has all of some."""
    tops, bottoms, lefts, rights = zip(*rectangles, strict=True)
    return Rectangle(min(tops), max(bottoms), min(lefts), max(rights))


@lru_cache(256)
def uncovered(whole: Rectangle, covers: tuple[Rectangle, ...]) -> tuple[Rectangle, ...]:
    """What of a rectangle others do not cover, as rectangles that do not overlap."""
    within = sorted((part for cover in covers if (part := cover.common(whole))), key=lambda part: part.left)
    edges = sorted({whole.top, whole.bottom, *(part.top for part in within), *(part.bottom for part in within)})
    bounds = np.array(within, np.int64).reshape(-1, 4)
    gaps: list[Rectangle] = []
    above: list[Rectangle] = []  # gaps that end where the next rows begin
    for top, bottom in pairwise(edges):
        covering = np.flatnonzero((bounds[:, 0] <= top) & (bounds[:, 1] > top)).tolist()
        columns = _between(whole, [within[i] for i in covering])
        if columns != [(gap.left, gap.right) for gap in above]:
            gaps += above
            above = [Rectangle(top, bottom, left, right) for left, right in columns]
        else:
            above = [gap._replace(bottom=bottom) for gap in above]
    return (*gaps, *above)


def visible(rectangles: Sequence[Rectangle]) -> list[tuple[Rectangle, ...]]:
    """What of each rectangle is seen where those before it lie on top, as rectangles that do not overlap."""
    bounds = np.array(rectangles, np.int64).reshape(-1, 4)
    parts = []
    for i, one in enumerate(rectangles):
        top, bottom, left, right = bounds[:i].T
        hides = (top < one.bottom) & (bottom > one.top) & (left < one.right) & (right > one.left)
        parts.append(uncovered(one, tuple(rectangles[j] for j in np.flatnonzero(hides).tolist())))
    return parts


def _between(whole: Rectangle, covering: Sequence[Rectangle]) -> list[tuple[int, int]]:
    """First column, and first one outside, of each gap that rectangles, sorted by their left edges, leave."""
    columns, end = [], whole.left
    for one in covering:
        if one.left > end:
            columns.append((end, one.left))
        end = max(end, one.right)
    return [*columns, (end, whole.right)] if end < whole.right else columns
