"""Shifted fields: the pixels of each moved by whole rows and columns, for planes that do not lie above each other."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.errors import Finding, LayoutError, ScanKeyError
from scanreader.keys import held_by, is_one_of
from scanreader.recording.rectangles import Rectangle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanreader.recording.fields import Field
    from scanreader.recording.opened import Opened, View

    FloatArray = npt.NDArray[np.float64]

PIXELS, MICRONS = "px", "um"
CANVAS, COMMON = "canvas", "common"
MOST_PIXELS = 1 << 28  # of a shifted field: more means a shift in the wrong unit


class Window(NamedTuple):
    """Rows and columns that are added around every field before it is shifted; negative, that are cut off."""

    top: int
    bottom: int
    left: int
    right: int


def shifting(opened: Opened, shifts: Any, unit: Any, keep: Any, fill: Any) -> View:
    """View with the pixels of each field moved; see `BaseScan.shifted`.

    Raises
    ------
    ScanKeyError
        If shifts are no numbers, or an option has another value.
    DtypeError
        If the dtype cannot hold `fill`.
    """
    if not is_one_of(unit, (PIXELS, MICRONS)):
        raise ScanKeyError(f"unit is 'px' or 'um', not {unit!r}")
    if not is_one_of(keep, (CANVAS, COMMON)):
        raise ScanKeyError(f"keep is 'canvas' or 'common', not {keep!r}")
    try:
        rows = np.array(shifts, np.float64)
    except (TypeError, ValueError):
        raise ScanKeyError(f"shifts are one (dy, dx) a field or a plane, not {shifts!r}") from None
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows) or not np.isfinite(rows).all():
        raise ScanKeyError(f"shifts are finite numbers of shape (fields or planes, 2), not of {rows.shape}: {shifts!r}")
    if unit == PIXELS and (rows != np.rint(rows)).any():
        at = int(np.flatnonzero((rows != np.rint(rows)).any(axis=1))[0])
        raise ScanKeyError(
            f"shifts are whole pixels, and row {at} is ({rows[at, 0]:g}, {rows[at, 1]:g}): round them, pixels are not "
            "resampled"
        )
    fill = None if fill is None else held_by(opened.dtype, fill, "fill")
    return partial(shift, rows=tuple(map(tuple, rows.tolist())), in_microns=unit == MICRONS, keep=keep, fill=fill)


def shift(
    opened: Opened, rows: tuple[tuple[float, float], ...], *, in_microns: bool, keep: str, fill: float | None
) -> Opened:
    """Move the pixels of each field by rows and columns.

    Raises
    ------
    LayoutError
        If fields are shifted already, or µm are unknown.
    ScanKeyError
        If there are not as many rows as fields or planes, or nothing remains.
    """
    if any(field.placement.shift is not None for field in opened.fields):
        raise LayoutError(
            "the fields of this scan are shifted already: shift the scan that this was made of, by the sum of both",
            raw_helps=False,
        )
    numbers = _shifts_of_fields(opened, rows)
    findings = opened.findings
    if in_microns:
        numbers, findings = _rounded_shifts(opened, numbers, findings)
    if np.abs(numbers).max() > MOST_PIXELS:
        raise ScanKeyError(f"a shift of {np.abs(numbers).max():g} pixels is larger than any image")
    pairs = [(int(down), int(right)) for down, right in numbers.tolist()]
    window = _window(pairs, keep)
    fields: list[Field] = []
    uncut: list[tuple[Field, ...]] = []
    for i, (field, pair) in enumerate(zip(opened.fields, pairs, strict=True)):
        moved_field, origins = _move_field(field, pair, window, fill, f"field {i}")
        fields.append(moved_field)
        uncut.append(tuple(opened.uncut[i][j] for j in origins))
    return replace(opened, fields=tuple(fields), uncut=tuple(uncut), findings=findings)


def _shifts_of_fields(opened: Opened, rows: tuple[tuple[float, float], ...]) -> FloatArray:
    """One (dy, dx) for each field.

    Raises
    ------
    ScanKeyError
        If there are not as many rows as fields or planes.
    """
    fields = opened.fields
    levels = list(dict.fromkeys((field.slice_id, field.plane) for field in fields))
    if len(rows) == len(fields):
        return np.array(rows, np.float64)
    if len(rows) == len(levels):
        return np.array([rows[levels.index((field.slice_id, field.plane))] for field in fields], np.float64)
    raise ScanKeyError(
        f"shifts have {len(rows)} row{'s' if len(rows) != 1 else ''}: give one (dy, dx) for each of {len(fields)} "
        "fields" + (f", or of {len(levels)} planes" if len(levels) != len(fields) else "")
    )


def _rounded_shifts(
    opened: Opened, microns: FloatArray, findings: tuple[Finding, ...]
) -> tuple[FloatArray, tuple[Finding, ...]]:
    """Shifts in whole pixels, and a note of what rounding leaves.

    Raises
    ------
    LayoutError
        If the header does not say how large pixels are.
    """
    sizes = np.array([(field.pixel_height_in_microns, field.pixel_width_in_microns) for field in opened.fields])
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise LayoutError("the header does not say how many µm a pixel has: give shifts in pixels", raw_helps=False)
    pixels = np.rint(microns / sizes)
    remainders = microns - pixels * sizes
    largest_remainder = float(np.abs(remainders).max())
    if round(largest_remainder, 6):
        i = int(np.abs(remainders).max(axis=1).argmax())
        sentence = (
            f"shifts in µm were rounded to whole pixels: up to {largest_remainder:.3g} µm remain "
            f"(field {i}: dy {remainders[i, 0]:.3g}, dx {remainders[i, 1]:.3g})"
        )
        findings = (*findings, Finding("shifted-fields", "note", "", sentence))
    return pixels, findings


def _window(pairs: Iterable[tuple[int, int]], keep: str) -> Window:
    """What is added around fields so that all their pixels remain, or cut off so that all have pixels everywhere."""
    downs, rights = zip(*pairs, strict=True)
    if keep == COMMON:
        return Window(-max(downs), min(downs), -max(rights), min(rights))
    return Window(-min(0, *downs), max(0, *downs), -min(0, *rights), max(0, *rights))


def _move_field(
    field: Field, pair: tuple[int, int], window: Window, fill: float | None, label: str
) -> tuple[Field, list[int]]:
    """Move the pieces of a field; and tell which of its pieces each is a part of.

    Raises
    ------
    ScanKeyError
        If no pixel remains, or too many would be added.
    """
    height, width = field.height + window.top + window.bottom, field.width + window.left + window.right
    if min(height, width) < 1:
        raise ScanKeyError(
            f"shifts leave {max(0, height)} rows and {max(0, width)} columns in common of {label}, of {field.height} x "
            f"{field.width} pixels: use keep='canvas'"
        )
    if height * width > MOST_PIXELS:
        raise ScanKeyError(f"shifts would make {label} {height:,} x {width:,} pixels: give smaller ones")
    down, right = pair[0] + window.top, pair[1] + window.left  # where the field's first pixel comes to be
    canvas = Rectangle(0, height, 0, width)
    pieces, origins, cut_off = [], [], 0
    for i, piece in enumerate(field.pieces):
        moved_piece = piece._replace(output_y=piece.output_y + down, output_x=piece.output_x + right)
        visible_part = moved_piece.rectangle.common(canvas)
        cut_off += moved_piece.rectangle.pixels - (visible_part.pixels if visible_part else 0)
        if visible_part is not None:
            pieces.append(moved_piece.part(visible_part))
            origins.append(i)
    if not pieces:
        raise ScanKeyError(f"shifts leave no recorded pixel of {label}: use keep='canvas'")
    placement = field.placement
    new_placement = placement._replace(
        shift=pair, fill=placement.fill if fill is None else fill, hidden=placement.hidden + cut_off
    )
    pixel_y, pixel_x = field.height_in_degrees / field.height, field.width_in_degrees / field.width
    centre_shift = np.array(
        [((width - field.width) / 2 - right) * pixel_x, ((height - field.height) / 2 - down) * pixel_y]
    )
    x, y = (field.turn @ centre_shift).tolist() if any((*pair, *window)) else (0.0, 0.0)
    moved_field = replace(
        field,
        height=height,
        width=width,
        y=field.y + y,
        x=field.x + x,
        height_in_degrees=height * pixel_y,
        width_in_degrees=width * pixel_x,
        pieces=tuple(pieces),
        placement=new_placement,
    )
    return moved_field, origins


def shifts(fields: Iterable[Field]) -> npt.NDArray[np.int64]:
    """Rows and columns by which fields are moved, of shape (fields, 2)."""
    return np.array([field.placement.shift or (0, 0) for field in fields], np.int64).reshape(-1, 2)
