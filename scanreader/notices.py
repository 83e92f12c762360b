"""How the user is told what was noticed: by a warning at the line of their own code, or by whoever listens."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from contextvars import ContextVar
from typing import TYPE_CHECKING

from scanreader.errors import ScanReaderWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Listener = Callable[[str], object]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)

PACKAGE = "scanreader"


def notify(notes: Iterable[str]) -> None:
    """Tell the user what was noticed, each sentence once.

    Only what a user calls does this; what lies below collects its notes in a list. The process's warnings filters are
    not touched: threads that read at the same time do not disturb each other.

    Warns
    -----
    ScanReaderWarning
        At the line that called scanreader, unless somebody listens.
    """
    listener = _listener.get()
    for note in dict.fromkeys(notes):
        if listener is not None:
            listener(note)
        else:
            warnings.warn(note, ScanReaderWarning, stacklevel=_users_level())


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a function be told what is noticed in this thread, instead of warnings."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def _users_level() -> int:
    """How far up the stack, from the caller of this function, stands the line that called scanreader first.

    Other libraries may stand between: they are given what reads when they ask for it.
    """
    frame = inspect.currentframe()
    level = here = 0
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
            here = level
        frame, level = frame.f_back, level + 1
    return here + 1
