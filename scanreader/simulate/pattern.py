"""The test pattern of pages, which encodes where each pixel comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scanreader.simulate.layout import field_rows, page_shape

if TYPE_CHECKING:
    from scanreader.simulate.containers import Image
    from scanreader.simulate.plan import Logged, Plan


def backdrops(plan: Plan) -> list[Image]:
    """Make a background pattern for each slice, and a last one for flyback."""
    height, width = page_shape(plan)
    pattern = np.arange(height * width, dtype=np.int64).reshape(height, width) * 13
    return [pattern + 311 * s for s in range(len(plan.zs))] + [pattern * 17 + 5003]


def patterned_image(plan: Plan, page: int, frame: Logged, channel: int, backdrop: Image) -> Image:
    """Make the pixels of a page; the first three of each field are the numbers of page, field and channel."""
    image: Image = ((backdrop + page * 7919) % 24007 - 4001).astype(plan.dtype)
    if frame.slice >= 0:
        rows = field_rows(plan)
        first_field = sum(len(fields) for fields in rows[: frame.slice])
        for i, (row, _, _) in enumerate(rows[frame.slice]):
            image[row, :3] = np.array([page % 32768, first_field + i, channel]).astype(plan.dtype)[: image.shape[1]]
    return image
