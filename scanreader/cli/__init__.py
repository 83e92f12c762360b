"""The command line: `main` runs the commands, or names the extra that they need."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the ``scanreader`` command."""
    try:
        _run()
    except KeyboardInterrupt:  # before a command runs
        sys.exit(130)


def _run() -> None:
    try:
        from scanreader.cli.commands import app  # noqa: PLC0415 - typer and rich are an extra
    except ModuleNotFoundError as error:
        sys.exit(f"the command line needs {error.name}: pip install 'scanreader[cli]'")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack "µ"
    app()
