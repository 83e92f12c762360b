"""The dumb reader: tifffile's array of every page, and the formula. It knows nothing of scanreader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile


def all_pages(paths: Iterable[str | Path]) -> npt.NDArray[Any]:
    """Every page of every file, of shape (pages, height, width)."""
    arrays = []
    for path in paths:
        with tifffile.TiffFile(path) as tif:
            arrays += [page.asarray() for page in tif.pages]
    return np.stack(arrays)


def fields(
    pages: npt.NDArray[Any],
    *,
    channels: int = 1,
    slices: int = 1,
    repeats: int = 1,
    flyback: int = 0,
    boxes: Sequence[Sequence[tuple[int, int, int]]] | None = None,
) -> list[npt.NDArray[Any]]:
    """Each field as an array of shape (y, x, channels, frames).

    Boxes are, for each slice, (first row, rows, columns) of its fields.
    """
    per = slices * repeats + flyback
    volumes = len(pages) // (per * channels)
    field_list = []
    for s in range(slices):
        for top, rows, columns in boxes[s] if boxes is not None else [(0, *pages.shape[1:])]:
            field = np.empty((rows, columns, channels, volumes * repeats), pages.dtype)
            for v in range(volumes):
                for r in range(repeats):
                    for c in range(channels):
                        page = pages[(v * per + s * repeats + r) * channels + c]
                        field[:, :, c, v * repeats + r] = page[top : top + rows, :columns]
            field_list.append(field)
    return field_list


def index(array: npt.NDArray[Any], key: tuple[Any, ...]) -> npt.NDArray[Any]:
    """Index an array with one entry for each axis, each axis by itself; integers drop theirs."""
    for axis, entry in reversed(list(enumerate(key))):
        array = array[(slice(None),) * axis + (entry,)]
    return array
