"""Motion estimates as ScanImage wrote them: a CSV file in one of two layouts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scanreader.scanimage.integration import MOST_NUMBER, whole_lines

if TYPE_CHECKING:
    from collections.abc import Callable

NAN = float("nan")
Vector = tuple[float, float, float]
UNKNOWN: Vector = (NAN, NAN, NAN)
MOST_LINE = 10_000  # characters of a line that is read: the longest that ScanImage writes have a few hundred
_NUMBER = r"[^,\[\]]*+"
_VECTOR = r"\[[^\[\]]*+\]"
_FLOAT = r"\s*+(?:[-+]?[\d.]++(?:[eE][-+]?\d++)?|NaN|-?Inf)\s*+"
OLDER_HEAD = "timestamp,frameNumber,success,quality,xyMotion,roiUuid,motionMatrix,z,channel"
NEWER_HEAD = "timestamp,frameNumber,roiName,z,drPixel,drRef,confidence,userData"
_OLDER_ROW = re.compile(
    rf"({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER}),({_VECTOR}),(.*),{_VECTOR},({_FLOAT}),({_FLOAT})"
)
_NEWER_ROW = re.compile(
    rf"({_NUMBER}),({_NUMBER}),\s?(.*?),({_FLOAT}),\s*+({_VECTOR}),\s*+({_VECTOR}),\s*+({_VECTOR}|{_FLOAT})(?:,.*)?"
)


class MotionRow(NamedTuple):
    """One estimate."""

    timestamp: float
    """In s."""
    frame_number: int
    roi: str
    z: float
    """In µm."""
    pixels: Vector
    """dx and dy in pixels, dz in µm."""
    degrees: Vector
    """dx and dy in degrees, dz in µm."""
    confidence: Vector
    success: bool


def parse_motion(text: str, file: str, notes: list[str]) -> list[MotionRow]:
    """Read a CSV file of ScanImage's motion estimates, in the layout that its first line names.

    Parameters
    ----------
    text : str
    file : str
        Its name, for messages.
    notes : list of str
        Sentences about rows that are skipped are appended.

    Raises
    ------
    FileFormatError
        If its first line is that of neither layout.
    """
    layouts: dict[str, Callable[[str], MotionRow | None]] = {OLDER_HEAD: _older_row, NEWER_HEAD: _newer_row}
    lines = whole_lines(text, file, tuple(layouts), notes)
    if not lines:
        return []
    head = lines[0].replace(" ", "")
    parse = next(parse for layout, parse in layouts.items() if head.startswith(layout))
    rows = [row for line in lines[1:] if (row := parse(line)) is not None]
    if len(rows) < len(lines) - 1:
        notes.append(f"{file}: {len(lines) - 1 - len(rows)} of {len(lines) - 1} rows are damaged and skipped")
    return rows


def _older_row(line: str) -> MotionRow | None:
    """A row of 2016 to 2018a. On failure, ScanImage repeated the last successful offset."""
    match = _OLDER_ROW.fullmatch(line.strip()) if len(line) <= MOST_LINE else None
    if match is None:
        return None
    timestamp, number, success, quality, offset, roi, z, _ = match.groups()
    try:
        x, y = _vector(offset, 2)
        place = float(timestamp), _count(number), roi, float(z)
        return MotionRow(*place, (x, y, NAN), UNKNOWN, (float(quality), NAN, NAN), success=float(success) == 1)
    except ValueError:
        return None


def _newer_row(line: str) -> MotionRow | None:
    """A row since 2018b; NaN where an axis has no estimate."""
    match = _NEWER_ROW.fullmatch(line.strip()) if len(line) <= MOST_LINE else None
    if match is None:
        return None
    timestamp, number, roi, z, pixels, degrees, confidence = match.groups()
    try:
        shift_in_pixels, shift_in_degrees = _parse_three(pixels), _parse_three(degrees)
        place = float(timestamp), _count(number), roi, float(z)
        success = any(value == value for value in shift_in_pixels)  # noqa: PLR0124 - NaN is not
        return MotionRow(*place, shift_in_pixels, shift_in_degrees, _parse_three(confidence), success=success)
    except ValueError:
        return None


def _count(text: str) -> int:
    number = float(text)
    if not 1 <= number < MOST_NUMBER or number != int(number):
        raise ValueError(f"{text!r} is no frame number")
    return int(number)


def _parse_three(text: str) -> Vector:
    """A vector of three; one that is empty is unknown, and a lone number is its first."""
    values = _vector(text)
    if len(values) not in (0, 1, 3):
        raise ValueError(f"{text!r} is no vector of three")
    x, y, z = (*values, *UNKNOWN)[:3]
    return x, y, z


def _vector(text: str, size: int | None = None) -> list[float]:
    values = [float(word) for word in text.strip("[] ").replace(";", " ").split()]
    if size is not None and len(values) != size:
        raise ValueError(f"{text!r} has not {size} values")
    return values
