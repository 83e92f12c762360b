"""Arrangement of images of unequal size on a sheet, in inches; nothing here draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# Inches, chosen by eye: a sheet fills a slide or a screen, and cells are visible from 1.1 on.
SHEET_WIDTH, SHEET_HEIGHT = 12.5, 7.0
LARGEST, LEAST = 5.2, 1.1
TALLEST = 2.4  # times the side of a square image
GAP, APART = 0.13, 0.32  # between images, between sections
LABEL, BAR, HEADING = 0.19, 0.22, 0.27
WIDEST_LABEL = 1.3
FINE = 1.02  # tolerance of the largest size that fits
WEIGHTS = (1.5, 2.5, 4.0, 6.5, 10.0, 16.0)  # areas of overviews relative to other images
SHARES = (1.0, 0.3, 0.4, 0.5, 0.6)  # of the width, for overviews: 1 puts them above the other images, less beside them


class Item(NamedTuple):
    """An image to place."""

    height: float
    width: float
    """In the same unit as height: only their ratio matters."""
    label: float = 0.0
    """Width of the text above and below it, in inches."""


class Place(NamedTuple):
    """Place of an image, in inches from the sheet's upper left corner."""

    left: float
    top: float
    width: float
    height: float
    room: float
    """Width for a label."""
    bar: bool
    """Whether it has a scale bar below."""

    def moved(self, right: float, down: float) -> Place:
        """The place, moved."""
        return self._replace(left=self.left + right, top=self.top + down)


class Block(NamedTuple):
    """Places of items, and the size of all."""

    places: list[Place]
    width: float
    height: float
    is_even: bool = True
    """Whether all rows have the same number of items, if these are equal."""

    @property
    def area(self) -> float:
        """Total area of the images."""
        return sum(place.width * place.height for place in self.places)


class Sheet(NamedTuple):
    """Several sections of equal places."""

    corners: list[tuple[float, float]]
    """Left and top of each section."""
    items: Block
    overviews: Block
    width: float
    height: float

    def visibility(self, filled: float) -> float:
        """Score of visibility, a logarithm of areas; of overviews, which are partly empty, a part."""
        score = math.log(self.items.area) - (0 if self.items.is_even else 0.4)
        if self.overviews.places:
            score += (0.5 + 0.7 * filled) * math.log(self.overviews.area)
        return score - 3 * math.log(max(1.0, self.height / SHEET_HEIGHT))


def arrange(
    items: Sequence[Item], overviews: Sequence[Item], sections: int, *, headings: bool, filled: float = 1.0
) -> Sheet:
    """Place items, equally in each section, as large as fits on a slide.

    Items keep their order, in rows of equal height. If they would become too small, the sheet becomes longer.
    Overviews are above or beside them. Of all arrangements that are tried, the one with the best score is taken.

    Parameters
    ----------
    filled : float
        Part of the overviews that is not empty.
    """
    candidates = [
        _largest_sheet(
            items,
            overviews,
            sections,
            weight,
            share,
            is_side_by_side=is_side_by_side,
            head=HEADING if headings else 0.0,
        )
        for is_side_by_side in ((True, False) if sections > 1 else (False,))
        for weight in (WEIGHTS if overviews else (1.0,))
        for share in (SHARES if overviews else (1.0,))
    ]
    return max(candidates, key=lambda sheet: sheet.visibility(filled))


def _largest_sheet(
    items: Sequence[Item],
    overviews: Sequence[Item],
    sections: int,
    weight: float,
    share: float,
    *,
    is_side_by_side: bool,
    head: float,
) -> Sheet:
    """Sections side by side, or one below the other, with the largest images that fit."""
    max_width = (SHEET_WIDTH - APART * (sections - 1)) / sections if is_side_by_side else SHEET_WIDTH

    def sheet_of(scale: float) -> Sheet:
        overview_block, item_block = _sections(items, overviews, scale, max_width, weight, share)
        width, height = max(overview_block.width, item_block.width), max(overview_block.height, item_block.height)
        step = (width + APART, 0.0) if is_side_by_side else (0.0, head + height + GAP)
        corners = [(n * step[0], n * step[1]) for n in range(sections)]
        return Sheet(corners, item_block, overview_block, corners[-1][0] + width, corners[-1][1] + head + height)

    if sheet_of(LARGEST).height <= SHEET_HEIGHT:
        return sheet_of(LARGEST)
    scale_that_fits, scale_too_large = LEAST, LARGEST  # the least size is used in any case
    while scale_too_large > scale_that_fits * FINE:
        scale = math.sqrt(scale_that_fits * scale_too_large)
        if sheet_of(scale).height <= SHEET_HEIGHT:
            scale_that_fits = scale
        else:
            scale_too_large = scale
    return sheet_of(scale_that_fits)


def _sections(
    items: Sequence[Item], overviews: Sequence[Item], scale: float, max_width: float, weight: float, share: float
) -> tuple[Block, Block]:
    """Overviews and, below or beside them, the other items; sizes include the offset of the latter."""
    if not overviews:
        return Block([], 0.0, 0.0), _block(items, scale, max_width)
    overview_block = _block(overviews, scale * math.sqrt(weight), share * max_width)
    right, down = (0.0, overview_block.height + GAP) if share == 1 else (overview_block.width + 2 * GAP, 0.0)
    item_block = _block(items, scale, max_width - right)
    places = [place.moved(right, down) for place in item_block.places]
    return overview_block, Block(places, right + item_block.width, down + item_block.height, item_block.is_even)


def _block(items: Sequence[Item], scale: float, max_width: float) -> Block:
    """Items in rows."""
    rows = _balanced_rows(items, scale, max_width)
    first_item = items[0]
    are_equal = all(
        math.isclose(i.height, first_item.height) and math.isclose(i.width, first_item.width) for i in items
    )
    places: list[Place] = []
    top = 0.0
    for row in rows:
        height = _height(row, scale, max_width)
        left, is_last = 0.0, row is rows[-1]
        for item in row:
            width, room = height * _ratio(item), _room_of(item, height, max_width)
            bar = not are_equal or (is_last and not left)  # one serves all equal images
            places.append(Place(left, top + LABEL, width, height, room, bar))
            left += room + GAP
        top += LABEL + height + (BAR if is_last or not are_equal else 0.0) + GAP / 2
    is_even = not are_equal or len(rows[-1]) == len(rows[0])
    return Block(places, max(place.left + place.room for place in places), top - GAP / 2, is_even)


def _ratio(item: Item) -> float:
    return min(max(item.width / item.height, 0.01), 100.0)


def _height(row: Sequence[Item], scale: float, max_width: float) -> float:
    """Height of a row: larger for narrow images and smaller for wide ones, so that areas are similar."""
    mean = sum(math.log(_ratio(item)) for item in row) / len(row)
    height = min(scale * math.exp(-0.4 * mean), TALLEST * scale, SHEET_HEIGHT)
    return min(height, max_width / _ratio(row[0])) if len(row) == 1 else height


def _room_of(item: Item, height: float, max_width: float) -> float:
    """Width of an item with its label."""
    return max(height * _ratio(item), min(item.label, WIDEST_LABEL, max_width))


def _width(row: Sequence[Item], scale: float, max_width: float) -> float:
    height = _height(row, scale, max_width)
    return sum(_room_of(item, height, max_width) for item in row) + GAP * (len(row) - 1)


def _balanced_rows(items: Sequence[Item], scale: float, max_width: float) -> list[list[Item]]:
    """Rows of as many items as fit, made as narrow as possible without another row."""
    rows = _rows(items, scale, max_width, max_width)
    while True:
        row_width = max(_width(row, scale, max_width) for row in rows)
        narrower_rows = _rows(items, scale, max_width, row_width - 1e-6)
        if len(narrower_rows) > len(rows) or narrower_rows == rows:
            return rows
        rows = narrower_rows


def _rows(items: Sequence[Item], scale: float, max_width: float, row_limit: float) -> list[list[Item]]:
    rows: list[list[Item]] = [[]]
    for item in items:
        if rows[-1] and _width([*rows[-1], item], scale, max_width) > row_limit:
            rows.append([])
        rows[-1].append(item)
    return rows
