"""The command that writes a report."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanreader.cli.each import named_recordings, write_each
from scanreader.cli.printing import error_console
from scanreader.cli.sources import (
    Depths,
    Dz,
    Join,
    Overwrite,
    PlaneOptions,
    Planes,
    Raw,
    Several,
    Siblings,
    Stitch,
)
from scanreader.errors import ScanKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scanreader.scans import Scan


def report(
    source: Several,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML page to write.")] = Path("report.html"),
    planes: Planes = None,
    depths: Depths = None,
    dz: Dz = None,
    join: Join = False,
    stitch: Stitch = False,
    raw: Raw = False,
    siblings: Siblings = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a report on a recording and its quality, as one HTML page.

    Of a large recording only some frames are read, evenly spaced; the page names them. Of several recordings, each
    has a page of its own, with its name behind that of --output.

    Example: scanreader report 'my_scan_*.tif' -o my_scan.html
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise ScanKeyError(f"a report is an HTML page: give it the ending .html, not {str(output)!r}")
    options: dict[str, Any] = {"join": join, "stitch": stitch, "raw": raw, "siblings": siblings}
    options |= {"warn": False, "plane_options": PlaneOptions(planes, depths, dz)}  # the page lists the findings
    recordings = named_recordings(source, **options)

    def write(scan: Scan, path: Path) -> None:
        with _progress_bar() as progress:
            scan.report(path, overwrite=overwrite, progress=progress)

    write_each(recordings, write, output, **options)


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable[[str, float], object]]:
    """Show the current activity and how much is done."""
    from rich.progress import BarColumn, Progress, TimeElapsedColumn  # noqa: PLC0415

    console = error_console()
    columns = ("{task.description:22}", BarColumn(), "{task.percentage:>3.0f} %", TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda activity, share: bar.update(task, description=activity, completed=share)
