"""What ScanImage wrote beside each frame: its numbers, and the clock time that they count from."""

from __future__ import annotations

import re
from typing import NamedTuple

NUMBERS_END = 800  # bytes of a description within which every release writes the frame's numbers

_FRAME = re.compile(rb'"?(?:frameNumbers|FrameNumbers|Frame Number|Frame Tag)"?\s*[=:]\s*"?(\d{1,18})')
_IN_ACQUISITION = re.compile(rb'"?[fF]rameNumberAcquisition"?\s*[=:]\s*"?(\d{1,18})')
_ACQUISITION = re.compile(rb'"?[aA]cquisitionNumbers?"?\s*[=:]\s*"?(\d{1,18})')
_EPOCH = re.compile(rb'"?epoch"?\s*[=:]\s*"?\[([^\]\n]{0,80})\]')


class FrameNumbers(NamedTuple):
    """How ScanImage counts a frame; None for what it did not write."""

    frame: int | None
    """``frameNumbers``: raw frames since the start of the grab or loop, from 1."""

    in_acquisition: int | None
    """``frameNumberAcquisition``: raw frames since the start of the acquisition, from 1."""

    acquisition: int | None
    """``acquisitionNumbers``."""


def frame_numbers(description: bytes) -> FrameNumbers:
    """Find the numbers of a frame in the ImageDescription of one of its pages, of any style.

    The styles are those of section 8 of the format reference: plain, JSON, `FrameHeader`, 4.x and 5.0.
    """
    found = (pattern.search(description) for pattern in (_FRAME, _IN_ACQUISITION, _ACQUISITION))
    return FrameNumbers(*(int(match[1]) if match else None for match in found))


def epoch(description: bytes) -> tuple[float, ...] | None:
    """Find the clock time of time zero in a description: year, month, day, hours, minutes, seconds."""
    match = _EPOCH.search(description)
    if not match:
        return None
    parts = match[1].replace(b",", b" ").split()
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        return None
