"""The command that draws a picture of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanreader.bridges.kinds import PICTURE
from scanreader.bridges.writing import atomic_path
from scanreader.cli.each import named_recordings, write_each
from scanreader.cli.sources import (
    CHANNELS,
    Depths,
    Dz,
    Join,
    Overwrite,
    PlaneOptions,
    Planes,
    Several,
    Siblings,
    Stitch,
    channel_indices,
)
from scanreader.errors import ScanKeyError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scanreader.scans import Scan

FORMATS = (".png", ".pdf", ".svg")


def preview(
    source: Several,
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
    planes: Planes = None,
    depths: Depths = None,
    dz: Dz = None,
    join: Join = False,
    stitch: Stitch = False,
    siblings: Siblings = False,
    overwrite: Overwrite = False,
) -> None:
    """Draw a recording: the mean image of each field and channel.

    Of several recordings, each has a picture of its own, with its name behind that of --output.

    Example: scanreader preview 'my_scan_*.tif' -o my_scan.png
    """
    import_extra("matplotlib", "plot")
    kind = _format(output)
    # A recording with damaged pages can be drawn too.
    options: dict[str, Any] = {
        "join": join,
        "stitch": stitch,
        "siblings": siblings,
        "dtype": "float64",
        "on_damage": "fill",
    }
    options |= {"dtype": "float64", "on_damage": "fill", "plane_options": PlaneOptions(planes, depths, dz)}
    recordings = named_recordings(source, **options)

    def draw(scan: Scan, path: Path) -> None:
        with atomic_path(path, PICTURE, sources=scan.filenames, overwrite=overwrite) as partial_path:
            figure: Figure = (
                scan.plot_layout()
                if layout
                else scan.plot(fields=field or None, channels=channel_indices(scan, channel), max_frames=frames)
            )
            figure.savefig(partial_path, format=kind)

    write_each(recordings, draw, output, **options)


def _format(output: Path) -> str:
    if output.suffix.lower() not in FORMATS:
        raise ScanKeyError(f"the format of {str(output)!r} is unknown; the known endings are {', '.join(FORMATS)}")
    return output.suffix.lower()[1:]
