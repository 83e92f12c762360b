"""Errors and warnings of a command: one line each on the error output, and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import typer

from scanreader.errors import ScanReaderError
from scanreader.notices import listening
from scanreader.texts import in_a_message

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
"""The exit code after Ctrl-C, as of shells."""

COLOURS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW}


@contextlib.contextmanager
def errors_as_messages(code: int = 1) -> Iterator[None]:
    """Print warnings, once each, and the error or interruption that ends the command.

    Parameters
    ----------
    code : int
        The exit code after an error.
    """
    printed_messages: set[str] = set()

    def show(message: str) -> None:
        if message not in printed_messages:
            printed_messages.add(message)
            print_message("warning", message)

    with listening(show):
        try:
            yield
            sys.stdout.flush()  # a closed pipe raises here, not when Python exits
        except BrokenPipeError:  # typer ends the command without a message
            raise
        except KeyboardInterrupt:
            print_message("interrupted", "the command did not finish")
            raise typer.Exit(INTERRUPTED) from None
        except (ScanReaderError, OSError) as error:
            print_message("error", error)
            raise typer.Exit(code) from None


def print_message(kind: str, message: object) -> None:
    """Write a line to the error output, its first word coloured on a terminal."""
    word = f"{kind}:"
    if kind in COLOURS and is_coloured(sys.stderr):
        word = typer.style(word, fg=COLOURS[kind], bold=True)
    typer.echo(f"{word} {in_a_message(str(message))}", err=True)


def is_coloured(stream: Any) -> bool:
    """Whether a stream is a terminal, and its user has not turned colours off (see no-color.org)."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
