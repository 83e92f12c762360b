"""The commands; thin: they call the library and print."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from scanreader import __version__, read_scan
from scanreader.cli import convert, tiff
from scanreader.errors import ScanReaderError
from scanreader.simulate import DEMO

if TYPE_CHECKING:
    from scanreader import Scan

app = typer.Typer(
    name="scanreader",
    help="Read ScanImage recordings.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(tiff.app, name="tiff")
app.command()(convert.convert)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read ScanImage recordings."""


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where to write the recording.")] = Path("scanreader-demo"),
) -> None:
    """Write a small multi-ROI volume recording, read it, and show what is in it.

    Example: scanreader demo --folder my-demo
    """
    console = Console()
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"{str(folder)!r} is a file, not a folder")
        files = DEMO.write(folder)
        pattern = str(folder / "demo_*.tif")
        console.print(f"Wrote {len(files)} files, a recording as ScanImage writes them, to {folder.resolve()}")
        console.print(
            "Its pixels are a test pattern, not cells: the first three of a field name page, field and channel."
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scan = read_scan(files)
        console.print(f'[bold]>>> scan = scanreader.read_scan("{pattern}")', highlight=False)
        console.print(_facts(scan))
        console.print(_fields(scan))
        mean = scan[0, :, :, 0, :].mean()
    except (ScanReaderError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    console.print("[bold]>>> scan[0, :, :, 0, :].mean()", highlight=False)
    console.print(f"{mean:.3f}")


def _facts(scan: Scan) -> Table:
    """What a recording is, at a glance."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows = {
        "release": f"ScanImage {scan.release}",
        "files": f"{len(scan.filenames)}",
        "fields": f"{scan.num_fields} of {scan.num_rois} ROIs at {scan.num_scanning_depths} depths",
        "channels": ", ".join(scan.channel_names),
        "frames": f"{scan.num_frames} at {scan.fps:.4g} Hz: {scan.num_frames / scan.fps:.4g} s",
        "pixels": f"{scan.dtype}, {scan.nbytes / 1e6:.1f} MB",
    }
    for name, value in rows.items():
        table.add_row(f"[dim]{name}", value)
    return table


def _fields(scan: Scan) -> Table:
    """The fields, one a row."""
    table = Table(header_style="bold")
    for name in ("field", "ROI", "z (µm)", "height x width", "size (µm)", "rows of the page"):
        table.add_column(name, justify="left" if name == "ROI" else "right")
    for i, field in enumerate(scan.fields):
        names = ", ".join(scan.rois[r].name if scan.rois else "" for r in field.roi_ids)
        rows = ", ".join(f"{s.start} to {s.stop - 1}" for s in field.yslices)
        size = f"{field.height_in_microns:.4g} x {field.width_in_microns:.4g}"
        table.add_row(f"{i}", names, f"{field.depth:g}", f"{field.height} x {field.width}", size, rows)
    return table
