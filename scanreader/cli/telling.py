"""What a command says when something goes wrong: one line on the error output, and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import typer

from scanreader.errors import ScanReaderError
from scanreader.notices import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells give it."""

COLOURS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW}


@contextlib.contextmanager
def telling(code: int = 1) -> Iterator[None]:
    """Say warnings, errors and an interruption in a line each; what goes wrong ends the command.

    Parameters
    ----------
    code : int
        The exit code after an error. Whoever reads the output may stop reading: typer ends that in silence.
    """
    said: set[str] = set()

    def show(message: str) -> None:
        if message not in said:
            said.add(message)
            say("warning", message)

    with listening(show):
        try:
            yield
            sys.stdout.flush()  # a reader that has gone is found out here, not when Python ends
        except BrokenPipeError:
            raise
        except KeyboardInterrupt:
            say("interrupted", "it is not done")
            raise typer.Exit(INTERRUPTED) from None
        except (ScanReaderError, OSError) as error:
            say("error", error)
            raise typer.Exit(code) from None


def say(kind: str, what: object) -> None:
    """Write a line to the error output, its first word coloured on a terminal."""
    word = f"{kind}:"
    if kind in COLOURS and is_coloured(sys.stderr):
        word = typer.style(word, fg=COLOURS[kind], bold=True)
    typer.echo(f"{word} {printable(str(what))}", err=True)


def is_coloured(stream: Any) -> bool:
    """Whether a stream is a terminal whose user did not ask for no colours (see no-color.org)."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """Text on one line, without what a terminal would act upon: names and headers may hold anything."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
