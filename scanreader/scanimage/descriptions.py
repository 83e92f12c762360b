"""What ScanImage wrote beside a page, in its ImageDescription: numbers, times, triggers."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NUMBERS_END = 800  # bytes of a description within which every release writes the frame's numbers
EPOCH_END = 4000  # bytes of a description that hold the epoch in every release that writes one
EVENTS_END = 1 << 16  # bytes of a description that may hold events: ScanImage's slots have 2000
TRUNCATED = b"<output truncated>"  # what ScanImage writes at the end of a description that it had to cut
MISSING = -1
"""A number, flag or position that is unknown, or that the frame does not have."""
FRAME_TABLE = np.dtype(
    [
        ("file", np.int32),
        ("page", np.int64),
        ("volume", np.int64),
        ("slice", np.int32),
        ("repeat", np.int32),
        ("is_flyback", np.bool_),
        ("frame_number", np.int64),
        ("acquisition_number", np.int64),
        ("frame_number_acquisition", np.int64),
        ("timestamp", np.float64),
        ("acquisition_trigger", np.float64),
        ("next_file_marker", np.float64),
        ("end_of_acquisition", np.int8),
        ("end_of_acquisition_mode", np.int8),
        ("dc_overvoltage", np.int8),
        ("bout", np.int32),
    ]
)
"""The columns of `Scan.frame_table`."""
# ScanImage's words for each column, of all releases (section 8 of the format reference), in the order of writing.
_WORDS: dict[str, bytes] = {
    "frame_number": rb"frameNumbers|FrameNumbers|Frame Number|Frame Tag",
    "acquisition_number": rb"[aA]cquisitionNumbers?",
    "frame_number_acquisition": rb"[fF]rameNumberAcquisition",
    "timestamp": rb"frameTimestamps_sec|frameTimestamps|[fF]rameTimestamp_s|Frame Timestamp\(s\)",
    "acquisition_trigger": rb"acqTriggerTimestamps_sec|acqTriggerTimestamps|Acq Trigger Timestamp\(s\)",
    "next_file_marker": rb"nextFileMarkerTimestamps_sec|nextFileMarkerTimestamps|Next File Marker Timestamp\(s\)",
    "end_of_acquisition": rb"endOfAcquisition",
    "end_of_acquisition_mode": rb"endOfAcquisitionMode",
    "dc_overvoltage": rb"dcOver[vV]oltage",
}
_TIMES = ("timestamp", "acquisition_trigger", "next_file_marker")
_INTEGER, _REAL = rb"-?\d{1,18}", rb"-?\d{1,18}(?:\.\d{0,18})?(?:[eE][-+]?\d{1,3})?"


def _value(column: str) -> bytes:
    return _REAL if column in _TIMES else _INTEGER


@cache
def _compiled_pattern(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


def _setting(column: str, value: bytes) -> bytes:
    return rb'"?(?:' + _WORDS[column] + rb')"?[ \t]*+[=:][ \t]*+"?(' + value + rb")"


# Patterns are compiled when they are first needed: all of them take 3 ms, a tenth of the import.
@cache
def _column_pattern(column: str) -> re.Pattern[bytes]:
    """Pattern of a column, wherever it stands."""
    return re.compile(rb"(?<![\w\"])" + _setting(column, _value(column)))


@cache
def _all_columns() -> re.Pattern[bytes]:
    """Pattern of all columns at once, as the newer releases write them: 4 times as quick as one by one."""
    return re.compile(
        rb"[\s{]*+" + rb",?\s*+".join(_setting(name, _value(name) + rb"|") for name in _WORDS) + rb"[,\s]"
    )


_EPOCH = rb'"?epoch"?\s*[=:]\s*"?\[([^\]\n]{0,80})\]'


class FrameNumbers(NamedTuple):
    """How ScanImage counts a frame; None for what it did not write."""

    frame: int | None
    """``frameNumbers``: raw frames since the start of the grab or loop, from 1."""

    in_acquisition: int | None
    """``frameNumberAcquisition``: raw frames since the start of the acquisition, from 1."""

    acquisition: int | None
    """``acquisitionNumbers``."""


UNREADABLE = FrameNumbers(None, None, None)
"""Of a page that cannot be read: it is this very object."""


def frame_numbers(description: bytes) -> FrameNumbers:
    """Find the numbers of a frame in the ImageDescription of one of its pages, of any style.

    The styles are those of section 8 of the format reference: plain, JSON, `FrameHeader`, 4.x and 5.0.
    """
    columns = ("frame_number", "frame_number_acquisition", "acquisition_number")
    matches = (_column_pattern(column).search(description) for column in columns)
    return FrameNumbers(*(int(match[1]) if match and match[1][:1] != b"-" else None for match in matches))


def timestamps(descriptions: Sequence[bytes]) -> npt.NDArray[np.float64]:
    """Find the time of each frame, in seconds since the recording's start; NaN where there is none."""
    matches = map(_column_pattern("timestamp").search, descriptions)
    return np.array([float(match[1]) if match else math.nan for match in matches], np.float64)


def fill_table(table: npt.NDArray[Any], descriptions: Sequence[bytes]) -> None:
    """Write what the descriptions of frames say into the rows of a frame table."""
    match_all = _all_columns().match
    rows = [match.groups() if (match := match_all(text)) else _find_each_column(text) for text in descriptions]
    for column, values in zip(_WORDS, zip(*rows, strict=True), strict=True):
        if column in _TIMES:
            table[column] = [float(value or b"nan") for value in values]
        else:
            flag = table.dtype[column] == np.int8
            table[column] = [int(value or b"-1") if not flag or len(value) < 3 else MISSING for value in values]
    for column in ("acquisition_trigger", "next_file_marker"):
        table[column][table[column] == -1] = np.nan  # ScanImage's way to say that there was none


def _find_each_column(description: bytes) -> tuple[bytes, ...]:
    matches = (pattern.search(description) for pattern in map(_column_pattern, _WORDS))
    return tuple(match[1] if match else b"" for match in matches)


def epoch(description: bytes) -> tuple[float, ...] | None:
    """Find the clock time of time zero in a description: year, month, day, hours, minutes, seconds."""
    match = _compiled_pattern(_EPOCH).search(description)
    if not match:
        return None
    parts = match[1].replace(b",", b" ").split()
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        return None


def as_datetime(clock: Sequence[float] | None) -> datetime | None:
    """Turn a clock time as MATLAB writes it into a datetime without time zone; None where it is nonsense.

    Simulated hardware and broken clocks give years like 1601 and months like 0.
    """
    if clock is None or len(clock) != 6 or not all(math.isfinite(part) for part in clock):
        return None
    year, month, day, hours, minutes, seconds = clock
    if not (1990 <= year < 2200 and 0 <= seconds <= 60):
        return None
    try:
        start = datetime(int(year), int(month), int(day), int(hours), int(minutes))  # noqa: DTZ001 - it has no zone
    except (ValueError, OverflowError):
        return None
    return start + timedelta(milliseconds=round(seconds * 1000))


class Event(NamedTuple):
    """An external signal during a frame: an edge of an auxiliary trigger, or an I2C packet."""

    time: float
    """In seconds, on the clock of `Scan.timestamps`."""
    source: str
    """``"auxTrigger0"`` to ``"auxTrigger3"``, or ``"I2C"``."""
    data: bytes | str | None
    """Content of the I2C packet: bytes, or text if ScanImage was set to store text; None for a trigger."""
    row: int
    """Row in `Scan.frame_table` of the frame in which it was recorded."""
    frame_number: int
    """ScanImage's number of that frame; -1 if it has none."""


_TRIGGER = rb'"?[aA]ux ?Trigger ?(\d)"?\s*[=:]\s*\[([-+.\deE,\s]*)(\]?)'
_NUMBER = rb"(-?\d{1,18}(?:\.\d{0,18})?)"
_DATA = rb"""(?:\[([\d,\s]*)\]|'((?:[^']|''){0,2000}+)'|"([^"]{0,2000}+)")\s*\}"""
_PACKET = rb'\{\s*(?:"timestamp"\s*:\s*)?' + _NUMBER + rb'\s*,\s*(?:"data"\s*:\s*)?' + _DATA
# Tells in passing whether a description may hold events: most hold empty lists alone.
_FILLED = rb'Trigger ?\d"?\s*[=:]\s*\[\s*[-+\d.]|I2CData"?\s*[=:]\s*[\[{]\s*\{|' + re.escape(TRUNCATED)


def may_hold_events(description: bytes) -> bool:
    """Whether a description holds events, or was cut where some may have been: most hold empty lists alone."""
    return _compiled_pattern(_FILLED).search(description) is not None


def was_cut(description: bytes) -> bool:
    """Whether ScanImage, or the limit of reading, cut a description short."""
    return TRUNCATED in description or len(description) == EVENTS_END


def find_events(description: bytes, row: int, frame_number: int) -> Iterator[Event]:
    """Find the events in a frame's description, in either style; of a list that was cut, what is whole."""
    description = description.split(TRUNCATED)[0]
    at = description.find(b"I2CData")
    packets = list(_compiled_pattern(_PACKET).finditer(description, at)) if at >= 0 else []
    # A packet's text may look like a trigger. ScanImage writes the packets last, so after them is nothing to find.
    for match in _compiled_pattern(_TRIGGER).finditer(description, 0, at if at >= 0 else len(description)):
        times = match[2].replace(b",", b" ")
        whole_times = times.split() if match[3] or times[-1:].isspace() else times.split()[:-1]
        for time in whole_times:
            if re.fullmatch(_NUMBER, time):
                yield Event(float(time), f"auxTrigger{match[1].decode()}", None, row, frame_number)
    for match in packets:
        if (data := _packet(match)) is not None:
            yield Event(float(match[1]), "I2C", data, row, frame_number)


def _packet(match: re.Match[bytes]) -> bytes | str | None:
    if match[2] is None:
        text = match[3].replace(b"''", b"'") if match[3] is not None else match[4]
        return text.decode("utf-8", errors="replace")
    numbers = [int(number) for number in match[2].replace(b",", b" ").split() if len(number) < 4]
    return bytes(numbers) if all(number < 256 for number in numbers) else None
