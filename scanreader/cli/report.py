"""The command that writes a report."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanreader.cli.printing import error_console
from scanreader.cli.sources import Join, Overwrite, Raw, Sources, open_scan
from scanreader.errors import ScanKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def report(
    source: Sources,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML page to write.")] = Path("report.html"),
    join: Join = False,
    raw: Raw = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a report on a recording and its quality, as one HTML page.

    Of a large recording only some frames are read, evenly spaced; the page names them.

    Example: scanreader report 'my_scan_*.tif' -o my_scan.html
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise ScanKeyError(f"a report is an HTML page: give it the ending .html, not {str(output)!r}")
    scan = open_scan(source, join=join, raw=raw, warn=False)  # the page lists the findings
    with _progress_bar() as progress:
        scan.report(output, overwrite=overwrite, progress=progress)
    typer.echo(f"wrote {output}")


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable[[str, float], object]]:
    """Show the current activity and how much is done."""
    from rich.progress import BarColumn, Progress, TimeElapsedColumn  # noqa: PLC0415

    console = error_console()
    columns = ("{task.description:22}", BarColumn(), "{task.percentage:>3.0f} %", TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda activity, share: bar.update(task, description=activity, completed=share)
