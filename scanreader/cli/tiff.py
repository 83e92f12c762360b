"""The commands of Vidrio's ScanImageTiffReader: the contents of one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from scanreader.chunks import frames_at_a_time
from scanreader.cli.printing import on_terminal
from scanreader.compat import ScanImageTiffReader
from scanreader.texts import in_lines

app = typer.Typer(help="Show the contents of one file, with the commands of ScanImageTiffReader.", no_args_is_help=True)
image = typer.Typer(help="Show or write the pages of a file.", no_args_is_help=True)
app.add_typer(image, name="image")

File = Annotated[Path, typer.Argument(help="A TIFF file.", show_default=False)]


@image.command()
def shape(file: File) -> None:
    """Print the numbers of pages, rows and columns.

    Example: scanreader tiff image shape my_scan_00001.tif
    """
    with ScanImageTiffReader(file) as reader:
        typer.echo(" ".join(map(str, reader.shape())))


@image.command(name="bytes")
def size(file: File) -> None:
    """Print the size of the pixels of all pages, in bytes.

    Example: scanreader tiff image bytes my_scan_00001.tif
    """
    with ScanImageTiffReader(file) as reader:
        typer.echo(len(reader) * _page_bytes(reader))


@image.command()
def data(file: File) -> None:
    """Write the pixels of all pages to the output, as raw bytes.

    Example: scanreader tiff image data my_scan_00001.tif > my_scan.raw
    """
    with ScanImageTiffReader(file) as reader:
        step = frames_at_a_time(_page_bytes(reader))
        for start in range(0, len(reader), step):
            sys.stdout.buffer.write(reader.data(start, min(len(reader), start + step)).data)
        sys.stdout.flush()


def _page_bytes(reader: ScanImageTiffReader) -> int:
    height, width = reader.shape()[-2:]
    return height * width * reader.dtype().itemsize


@app.command()
def descriptions(
    file: File,
    frame: Annotated[int | None, typer.Option(help="Only of this page, from 0.", show_default=False)] = None,
) -> None:
    """Print the descriptions of all pages: frame numbers, times and triggers.

    Example: scanreader tiff descriptions --frame 0 my_scan_00001.tif
    """
    with ScanImageTiffReader(file) as reader:
        for text in reader.descriptions() if frame is None else [reader.description(frame)]:
            _print(text)


@app.command()
def metadata(file: File) -> None:
    """Print the header and the ROIs.

    Example: scanreader tiff metadata my_scan_00001.tif
    """
    with ScanImageTiffReader(file) as reader:
        _print(reader.metadata())


def _print(text: str) -> None:
    """Print a text of the file: as it is, but for what a terminal would take for commands."""
    typer.echo(in_lines(text) if on_terminal() else text, color=True)
