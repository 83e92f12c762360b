"""The command that draws a picture of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanreader.bridges.targets import atomic_path
from scanreader.cli.sources import CHANNELS, Join, Overwrite, Sources, channel_indices, open_scan
from scanreader.errors import ScanKeyError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FORMATS = (".png", ".pdf", ".svg")


def preview(
    source: Sources,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help=f"The picture to write; its ending is the format: {', '.join(FORMATS)}."),
    ] = Path("preview.png"),
    layout: Annotated[bool, typer.Option("--layout", help="Draw the positions of the fields instead.")] = False,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Average this many frames, evenly spaced.", show_default=False)
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", "--channels", help=CHANNELS, show_default=False)
    ] = None,
    field: Annotated[
        list[int] | None,
        typer.Option("--field", "--fields", help="A field to draw, from 0; can be repeated.", show_default=False),
    ] = None,
    join: Join = False,
    overwrite: Overwrite = False,
) -> None:
    """Draw a recording: the mean image of each field and channel.

    Example: scanreader preview 'my_scan_*.tif' -o my_scan.png
    """
    import_extra("matplotlib", "plot")
    kind = _format(output)
    # A recording with damaged pages can be drawn too.
    with (
        atomic_path(output, overwrite=overwrite) as partial,
        open_scan(source, join=join, dtype="float64", on_damage="fill") as scan,
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
        raise ScanKeyError(f"the format of {str(output)!r} is unknown; the known endings are {', '.join(FORMATS)}")
    return output.suffix.lower()[1:]
