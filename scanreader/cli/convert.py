"""The command that writes a recording in another format."""

from __future__ import annotations

import warnings
from pathlib import Path  # noqa: TC003 - typer looks at it
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from scanreader import Scan, read_scan
from scanreader.bridges.targets import steps, written
from scanreader.errors import ScanKeyError, ScanReaderError

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ".ome.tif, .nwb, .npy, or a folder named ….suite2p"


def convert(
    source: Annotated[str, typer.Argument(help="A file, a folder or a glob.", show_default=False)],
    target: Annotated[
        Path, typer.Argument(help=f"What to write, its format by its name: {KINDS}.", show_default=False)
    ],
    trim_x: Annotated[tuple[int, int], typer.Option(metavar="LEFT RIGHT", help="Columns to leave out of each ROI.")] = (
        0,
        0,
    ),
    trim_y: Annotated[tuple[int, int], typer.Option(metavar="TOP BOTTOM", help="Rows to leave out of each ROI.")] = (
        0,
        0,
    ),
    join: Annotated[bool, typer.Option("--join", help="Join fields that touch.")] = False,
    dtype: Annotated[str | None, typer.Option(help="The pixels' type, e.g. float32.", show_default=False)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a recording in another format.

    Example: scanreader convert 'my_scan_*.tif' my_scan.ome.tif
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            scan = read_scan(source, dtype, join)
            scan = scan.trimmed(left=trim_x[0], right=trim_x[1], top=trim_y[0], bottom=trim_y[1])
            write = _writer(target)
            with _bar() as bar:
                task = bar.add_task(target.name, total=scan.nbytes)
                write(scan, target, overwrite=overwrite, progress=lambda more: bar.advance(task, more))
        except KeyboardInterrupt:
            typer.echo("interrupted: nothing was written", err=True)
            raise typer.Exit(130) from None
        except (ScanReaderError, OSError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None
    for warning in caught:
        typer.echo(f"warning: {warning.message}", err=True)


def _bar() -> Progress:
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _writer(target: Path) -> Callable[..., None]:
    name = target.name.lower()
    if name.endswith((".ome.tif", ".ome.tiff")):
        return Scan.to_ome_tiff
    if name.endswith(".nwb"):
        return Scan.to_nwb
    if name.endswith(".suite2p"):
        return Scan.to_suite2p
    if name.endswith(".npy"):
        return to_npy
    raise ScanKeyError(f"the name of {str(target)!r} says no format that is known: {KINDS}")


def to_npy(scan: Scan, path: Path, *, overwrite: bool, progress: Callable[[int], Any]) -> None:
    """Write the array of a scan whose fields are of one size, some frames at a time."""
    shape = scan.shape
    with written(path, overwrite=overwrite) as partial:
        out = np.lib.format.open_memmap(partial, "w+", scan.dtype, shape)
        for field in range(scan.num_fields):
            for frames in steps(scan, field):
                part = scan[field, :, :, :, frames]
                out[field, :, :, :, frames] = part
                progress(part.nbytes)
        out.flush()
        del out
