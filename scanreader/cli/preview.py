"""The command that draws what a recording looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanreader.bridges.targets import written
from scanreader.cli.sources import CHANNELS, Join, Sources, channel_indices, opened
from scanreader.errors import ScanKeyError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FORMATS = (".png", ".pdf", ".svg")


def preview(
    source: Sources,
    output: Annotated[
        Path, typer.Option("--output", "-o", help=f"The picture, its format by its name: {', '.join(FORMATS)}.")
    ] = Path("preview.png"),
    layout: Annotated[bool, typer.Option("--layout", help="Draw where the fields lie instead.")] = False,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Take the mean of so many frames, evenly spaced.", show_default=False)
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", "--channels", help=CHANNELS, show_default=False)
    ] = None,
    field: Annotated[
        list[int] | None,
        typer.Option("--field", "--fields", help="A field, from 0; can be repeated.", show_default=False),
    ] = None,
    join: Join = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Draw what a recording looks like: its fields and channels, each the mean of some frames.

    Example: scanreader preview 'my_scan_*.tif' -o my_scan.png
    """
    import_extra("matplotlib", "plot")
    kind = _format(output)
    # Damaged pages do not keep a recording from being seen.
    with (
        written(output, overwrite=overwrite) as partial,
        opened(source, join=join, dtype="float64", on_damage="fill") as scan,
    ):
        figure: Figure = (
            scan.plot_layout()
            if layout
            else scan.plot(fields=field or None, channels=channel_indices(scan, channel), max_frames=frames)
        )
        figure.savefig(partial, format=kind)
    typer.echo(f"wrote {output}")


def _format(output: Path) -> str:
    if output.suffix.lower() not in FORMATS:
        raise ScanKeyError(f"the name of {str(output)!r} says no format that is known: {', '.join(FORMATS)}")
    return output.suffix.lower()[1:]
