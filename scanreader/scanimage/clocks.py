"""When a recording began, by the microscope computer's clock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanreader.scanimage.descriptions import as_datetime, epoch
from scanreader.scanimage.settings import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from scanreader.scanimage.header import Header

_TRIGGER = re.compile(r"(\d+)/(\d+)/(\d{4}) +(\d+):(\d+):(\d{1,9}(?:\.\d{0,8})?)")  # month/day/year h:m:s


def start_of(description: bytes, header: Callable[[], Header]) -> datetime | None:
    """Find when a grab or loop began; None if it is missing or impossible.

    Parameters
    ----------
    description : bytes
        Of the first page: since 4.x it has the ``epoch``, in one of three spellings.
    header : callable
        Gives the header, where 3.x wrote ``internal.triggerTimeString``; it is asked only without an epoch.
    """
    clock = epoch(description)
    if clock is None:
        match = _TRIGGER.fullmatch(text(header().get("internal.triggerTimeString")))
        if match is not None:
            month, day, year, *time_of_day = map(float, match.groups())
            clock = (year, month, day, *time_of_day)
    return as_datetime(clock)
