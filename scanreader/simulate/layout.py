"""Where each field is in a page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scanreader.simulate.rois import pixels_at

if TYPE_CHECKING:
    from scanreader.simulate.plan import Plan


def slots(plan: Plan) -> list[list[tuple[int, int, int]]]:
    """For each slice, its fields: index of the ROI, height in lines, width in pixels."""
    rows = []
    for z in plan.zs:
        sizes = [(i, pixels_at(roi, z)) for i, roi in enumerate(plan.rois)]
        rows.append([(i, size.height, size.width) for i, size in sizes if size is not None])
    return rows


def gap(plan: Plan) -> int:
    """Lines between two fields: whole periods of a resonant mirror; none for galvos."""
    if not plan.resonant:
        return 0
    return math.ceil(plan.flyto * plan.scanner_frequency - 1e-9) * (2 if plan.bidirectional else 1)


def page_shape(plan: Plan) -> tuple[int, int]:
    """Rows and columns of a page."""
    if not plan.rois:
        return plan.height, plan.width
    fields = slots(plan)
    lines = max(sum(h for _, h, _ in s) + (len(s) - 1) * gap(plan) for s in fields)
    return lines // plan.lines_averaged, max(w for s in fields for *_, w in s)


def field_rows(plan: Plan) -> list[list[tuple[int, int, int]]]:
    """For each slice, where its fields are in the page: first row, number of rows, number of columns."""
    if not plan.rois:
        return [[(0, plan.height, plan.width)] for _ in plan.zs]
    lines_averaged, slices = plan.lines_averaged, []
    for fields in slots(plan):
        line, rows = 0, []
        for _, height, width in fields:
            rows.append((line // lines_averaged, height // lines_averaged, width))
            line += height + gap(plan)
        slices.append(rows)
    return slices
