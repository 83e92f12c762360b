"""How pictures of unequal size are put onto a sheet: arithmetic in inches, and nothing that draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# Inches. Chosen by eye: a sheet fills a slide or a screen, and 1.1 is the least at which cells are still seen.
ACROSS, DOWN = 12.5, 7.0
LARGEST, LEAST = 5.2, 1.1
TALLEST = 2.4  # times the side of a square picture
GAP, APART = 0.13, 0.32  # between pictures, between sections
LABEL, BAR, HEADING = 0.19, 0.22, 0.27
WIDEST_LABEL = 1.3
FINE = 1.02  # how near to the largest pictures that fit
WEIGHTS = (1.5, 2.5, 4.0, 6.5, 10.0, 16.0)  # areas of overviews beside that of other pictures
SHARES = (1.0, 0.3, 0.4, 0.5, 0.6)  # of the width, for overviews; 1 is above the others, less is beside them


class Item(NamedTuple):
    """Something that wants a place."""

    height: float
    width: float
    """In whatever unit: only their ratio counts here."""
    label: float = 0.0
    """Width of what is written above and below it, in inches."""


class Place(NamedTuple):
    """Where something goes, in inches from the sheet's upper left corner."""

    left: float
    top: float
    width: float
    height: float
    room: float
    """Width that it has for a label."""
    bar: bool
    """Whether there is room for a scale bar below it."""

    def moved(self, right: float, down: float) -> Place:
        """The same place elsewhere."""
        return self._replace(left=self.left + right, top=self.top + down)


class Block(NamedTuple):
    """Places of items, and how much room they take together."""

    places: list[Place]
    width: float
    height: float
    even: bool = True
    """Whether all its rows have as many items, if these are alike."""

    @property
    def area(self) -> float:
        """Of the pictures."""
        return sum(place.width * place.height for place in self.places)


class Sheet(NamedTuple):
    """Several sections of equal places."""

    corners: list[tuple[float, float]]
    """Left and top of each section."""
    items: Block
    overviews: Block
    width: float
    height: float

    def shows(self, filled: float) -> float:
        """How well items and overviews, which are partly empty, are seen; a logarithm."""
        shown = math.log(self.items.area) - (0 if self.items.even else 0.4)
        if self.overviews.places:
            shown += (0.5 + 0.7 * filled) * math.log(self.overviews.area)
        return shown - 3 * math.log(max(1.0, self.height / DOWN))


def arrange(
    items: Sequence[Item], overviews: Sequence[Item], sections: int, *, headings: bool, filled: float = 1.0
) -> Sheet:
    """Find places for items, the same in each of so many sections, as large as a slide holds.

    Items keep their order, in rows of equal height. Where they are so many that they would become too small, the sheet
    becomes longer. Overviews stand above or beside them. Of all ways that are tried, the one is taken that shows most.

    Parameters
    ----------
    filled : float
        How much of the overviews is not empty.
    """
    tried = [
        _largest(items, overviews, sections, weight, share, beside=beside, head=HEADING if headings else 0.0)
        for beside in ((True, False) if sections > 1 else (False,))
        for weight in (WEIGHTS if overviews else (1.0,))
        for share in (SHARES if overviews else (1.0,))
    ]
    return max(tried, key=lambda sheet: sheet.shows(filled))


def _largest(
    items: Sequence[Item],
    overviews: Sequence[Item],
    sections: int,
    weight: float,
    share: float,
    *,
    beside: bool,
    head: float,
) -> Sheet:
    """Sections beside each other, or one below the other, of the largest pictures that fit."""
    across = (ACROSS - APART * (sections - 1)) / sections if beside else ACROSS

    def sized(scale: float) -> Sheet:
        above, below = _parted(items, overviews, scale, across, weight, share)
        wide, tall = max(above.width, below.width), max(above.height, below.height)
        step = (wide + APART, 0.0) if beside else (0.0, head + tall + GAP)
        corners = [(n * step[0], n * step[1]) for n in range(sections)]
        return Sheet(corners, below, above, corners[-1][0] + wide, corners[-1][1] + head + tall)

    if sized(LARGEST).height <= DOWN:
        return sized(LARGEST)
    fits, too_large = LEAST, LARGEST  # the least is taken in any case
    while too_large > fits * FINE:
        scale = math.sqrt(fits * too_large)
        if sized(scale).height <= DOWN:
            fits = scale
        else:
            too_large = scale
    return sized(fits)


def _parted(
    items: Sequence[Item], overviews: Sequence[Item], scale: float, across: float, weight: float, share: float
) -> tuple[Block, Block]:
    """Overviews and, below or beside them, the other items; their sizes are counted from the corner of both."""
    if not overviews:
        return Block([], 0.0, 0.0), _block(items, scale, across)
    first = _block(overviews, scale * math.sqrt(weight), share * across)
    right, down = (0.0, first.height + GAP) if share == 1 else (first.width + 2 * GAP, 0.0)
    second = _block(items, scale, across - right)
    moved = [place.moved(right, down) for place in second.places]
    return first, Block(moved, right + second.width, down + second.height, second.even)


def _block(items: Sequence[Item], scale: float, across: float) -> Block:
    """Items in rows."""
    rows = _balanced(items, scale, across)
    first = items[0]
    alike = all(math.isclose(i.height, first.height) and math.isclose(i.width, first.width) for i in items)
    places: list[Place] = []
    top = 0.0
    for row in rows:
        tall = _height(row, scale, across)
        left, last = 0.0, row is rows[-1]
        for item in row:
            width, room = tall * _ratio(item), _room(item, tall, across)
            bar = not alike or (last and not left)  # one serves all that are alike
            places.append(Place(left, top + LABEL, width, tall, room, bar))
            left += room + GAP
        top += LABEL + tall + (BAR if last or not alike else 0.0) + GAP / 2
    even = not alike or len(rows[-1]) == len(rows[0])
    return Block(places, max(place.left + place.room for place in places), top - GAP / 2, even)


def _ratio(item: Item) -> float:
    return min(max(item.width / item.height, 0.01), 100.0)


def _height(row: Sequence[Item], scale: float, across: float) -> float:
    """Height of a row: more where its pictures are narrow, less where they are wide, so that areas are alike."""
    mean = sum(math.log(_ratio(item)) for item in row) / len(row)
    tall = min(scale * math.exp(-0.4 * mean), TALLEST * scale, DOWN)
    return min(tall, across / _ratio(row[0])) if len(row) == 1 else tall


def _room(item: Item, tall: float, across: float) -> float:
    """Width that an item has, with its label."""
    return max(tall * _ratio(item), min(item.label, WIDEST_LABEL, across))


def _width(row: Sequence[Item], scale: float, across: float) -> float:
    tall = _height(row, scale, across)
    return sum(_room(item, tall, across) for item in row) + GAP * (len(row) - 1)


def _balanced(items: Sequence[Item], scale: float, across: float) -> list[list[Item]]:
    """Rows of as many items as fit across; then as narrow as they can be without another row."""
    rows = _rows(items, scale, across, across)
    while True:
        widest = max(_width(row, scale, across) for row in rows)
        narrower = _rows(items, scale, across, widest - 1e-6)
        if len(narrower) > len(rows) or narrower == rows:
            return rows
        rows = narrower


def _rows(items: Sequence[Item], scale: float, across: float, most: float) -> list[list[Item]]:
    rows: list[list[Item]] = [[]]
    for item in items:
        if rows[-1] and _width([*rows[-1], item], scale, across) > most:
            rows.append([])
        rows[-1].append(item)
    return rows
