"""The command that writes a small recording and reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanreader.cli.fields import print_fields
from scanreader.cli.info import facts_in_words
from scanreader.cli.printing import print_facts
from scanreader.reader import read_scan
from scanreader.simulate import DEMO


def demo(
    folder: Annotated[Path, typer.Option(help="The folder to write the recording to.")] = Path("scanreader-demo"),
) -> None:
    """Write a small multi-ROI volume recording, read it and show its contents.

    Example: scanreader demo --folder my-demo
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is a file, not a folder")
    files = DEMO.write(folder)
    pattern = str(folder / "demo_*.tif")
    typer.echo(f"Wrote a recording of {len(files)} files, as ScanImage writes them, to {folder.resolve()}")
    typer.echo("Its pixels are simulated: cells that flicker, vessels, and the noise of photons.")
    scan = read_scan(files)
    typer.echo(f'\n>>> scan = scanreader.read_scan("{pattern}")')
    print_facts(facts_in_words(scan))
    typer.echo()
    print_fields(scan)
    typer.echo("\n>>> scan[0, :, :, 0, :].mean()")
    typer.echo(f"{scan[0, :, :, 0, :].mean():.3f}")
    typer.echo(f"\nLook at it:  scanreader preview {folder}  (needs pip install '.[plot]' in the clone)")
