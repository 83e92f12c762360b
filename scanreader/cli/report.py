"""The command that writes a report."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanreader.cli.printing import error_console
from scanreader.cli.sources import Join, Raw, Sources, opened
from scanreader.errors import ScanKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def report(
    source: Sources,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page.")] = Path("report.html"),
    join: Join = False,
    raw: Raw = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write what a recording is, and how good, as one HTML page that can be mailed.

    Of a large recording some frames are read, evenly spaced; the page says which.

    Example: scanreader report 'my_scan_*.tif' -o my_scan.html
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise ScanKeyError(f"a report is a page: name it .html, not {str(output)!r}")
    scan = opened(source, join=join, raw=raw, tell=False)  # the page says what was found
    with _bar() as progress:
        scan.report(output, overwrite=overwrite, progress=progress)
    typer.echo(f"wrote {output}")


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[str, float], object]]:
    """Show what is done next, and how far it is."""
    from rich.progress import BarColumn, Progress, TimeElapsedColumn  # noqa: PLC0415

    console = error_console()
    columns = ("{task.description:22}", BarColumn(), "{task.percentage:>3.0f} %", TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, part: bar.update(task, description=what, completed=part)
