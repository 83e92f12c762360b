"""Notes for the user: warnings at the line of their own code, or calls of a listener."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from contextvars import ContextVar
from typing import TYPE_CHECKING

from scanreader.errors import ScanReaderWarning
from scanreader.texts import in_a_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Listener = Callable[[str], object]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)

PACKAGE = "scanreader"


def notify(notes: Iterable[str]) -> None:
    """Pass notes to the user, each once.

    Only public functions do this; the functions below them collect notes in a list. The warnings filters, which belong
    to the process, are not changed: threads that read at the same time do not disturb each other.

    Warns
    -----
    ScanReaderWarning
        At the line that called scanreader, unless there is a listener.
    """
    listener = _listener.get()
    for note in dict.fromkeys(map(in_a_message, notes)):
        if listener is not None:
            listener(note)
        else:
            warnings.warn(note, ScanReaderWarning, stacklevel=_users_level())


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Pass notes of this thread to a function, instead of warnings."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def _users_level() -> int:
    """Stack level, counted from the caller of this function, of the line that first called scanreader.

    Other libraries may be in between: those that are given a scan and read it.
    """
    frame = inspect.currentframe()
    level = outermost_level = 0
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
            outermost_level = level
        frame, level = frame.f_back, level + 1
    return outermost_level + 1
