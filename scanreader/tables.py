"""Counts, sizes and small tables for people to read, in text and in notebooks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scanreader.texts import in_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUS = str.maketrans("-", "\N{MINUS SIGN}")
TIMES = "\N{MULTIPLICATION SIGN}"
CELL = "text-align:left;vertical-align:top;padding:.15em 1em .15em 0;overflow-wrap:anywhere"


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the plural where needed."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size_in_words(height: int, width: int, height_in_microns: float, width_in_microns: float) -> str:
    """Size of a field in pixels, and in µm unless that is NaN (unknown)."""
    pixels = f"{height} {TIMES} {width} pixels"
    if math.isnan(height_in_microns) or math.isnan(width_in_microns):
        return pixels
    return f"{pixels} ({height_in_microns:.4g} {TIMES} {width_in_microns:.4g} µm)"


def table_html(caption: str, rows: Iterable[tuple[str, str]]) -> str:
    """Make an HTML table of two columns in the colours of the page around it; rows without a value are omitted."""
    from html import escape  # noqa: PLC0415 - it takes 1 ms

    cells = "".join(
        f'<tr style="background:none"><th scope="row" style="{CELL};font-weight:normal;opacity:.65">'
        f"{escape(in_lines(name))}</th>"
        f'<td style="{CELL}"><bdi>{escape(in_lines(value))}</bdi></td></tr>'
        for name, value in rows
        if value
    )
    title = escape(in_lines(caption))
    return (
        '<table style="border-collapse:collapse;border:none;color:inherit;font-size:inherit">'
        f'<caption style="text-align:left;font-weight:bold;color:inherit"><bdi>{title}</bdi></caption>'
        f"<tbody>{cells}</tbody></table>"
    )
