"""Numbers and small tables as people read them, in text and in notebooks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUS = str.maketrans("-", "\N{MINUS SIGN}")
TIMES = "\N{MULTIPLICATION SIGN}"
CELL = "text-align:left;vertical-align:top;padding:.15em 1em .15em 0"


def size_in_words(height: int, width: int, height_in_microns: float, width_in_microns: float) -> str:
    """Size of a field in pixels, and in µm where that is known."""
    pixels = f"{height} {TIMES} {width} pixels"
    if math.isnan(height_in_microns) or math.isnan(width_in_microns):
        return pixels
    return f"{pixels} ({height_in_microns:.4g} {TIMES} {width_in_microns:.4g} µm)"


def table_html(caption: str, said: Iterable[tuple[str, str]]) -> str:
    """A table of two columns in the colours of the page that it stands in."""
    from html import escape  # noqa: PLC0415 - it takes 1 ms

    rows = "".join(
        f'<tr style="background:none"><th scope="row" style="{CELL};font-weight:normal;opacity:.65">{escape(name)}</th>'
        f'<td style="{CELL}">{escape(told)}</td></tr>'
        for name, told in said
        if told
    )
    return (
        '<table style="border-collapse:collapse;border:none;color:inherit;font-size:inherit">'
        f'<caption style="text-align:left;font-weight:bold;color:inherit">{escape(caption)}</caption>'
        f"<tbody>{rows}</tbody></table>"
    )
