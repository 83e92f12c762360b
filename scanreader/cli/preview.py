"""The command that draws what a recording looks like."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanreader import Scan, read_scan
from scanreader.bridges import needed
from scanreader.bridges.targets import written
from scanreader.errors import PathnameError, ScanIndexError, ScanKeyError, ScanReaderError, ScanReaderWarning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")


def preview(
    source: Annotated[list[str], typer.Argument(help="A file, a folder, a glob, or the files.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help=f"The picture, its format by its name: {', '.join(FORMATS)}.")
    ] = Path("preview.png"),
    layout: Annotated[bool, typer.Option("--layout", help="Draw where the fields lie instead.")] = False,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Take the mean of so many frames, evenly spaced.", show_default=False)
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="A channel, by its number or name; can be repeated.", show_default=False)
    ] = None,
    field: Annotated[
        list[int] | None, typer.Option(help="A field, from 0; can be repeated.", show_default=False)
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="Join fields that touch.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Draw what a recording looks like: its fields and channels, each the mean of some frames.

    Example: scanreader preview my_scan_*.tif -o my_scan.png
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            needed("matplotlib", "plot")
            kind = _format(output)
            with written(output, overwrite=overwrite) as partial, _opened(source, join=join) as scan:
                figure: Figure = (
                    scan.plot_layout()
                    if layout
                    else scan.plot(fields=field or None, channels=_channels(scan, channel), max_frames=frames)
                )
                figure.savefig(partial, format=kind)
        except KeyboardInterrupt:
            typer.echo("interrupted: nothing was written", err=True)
            raise typer.Exit(130) from None
        except (ScanReaderError, OSError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None
    for said in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, ScanReaderWarning)):
        typer.echo(f"warning: {said}", err=True)
    typer.echo(f"wrote {output}")


def _format(output: Path) -> str:
    if output.suffix.lower() not in FORMATS:
        raise ScanKeyError(f"the name of {str(output)!r} says no format that is known: {', '.join(FORMATS)}")
    return output.suffix.lower()[1:]


def _opened(source: list[str], *, join: bool) -> Scan:
    """Open a recording, whose glob a shell may have expanded; damaged pages do not keep it from being seen."""
    scan = read_scan(source, "float64", join, on_damage="fill")
    if any(finding.name == "mixed-acquisitions" for finding in scan.findings):
        names = ", ".join(Path(name).name for name in scan.filenames[:10])
        raise PathnameError(f"a picture is of one recording, these files are of several: {names}")
    return scan


def _channels(scan: Scan, wanted: list[str] | None) -> list[int]:
    """Channels that were asked for by ScanImage's number or by their name.

    Raises
    ------
    ScanIndexError
        If there is no such channel.
    """
    known = [f"{number}" for number in scan.channel_numbers]
    chosen = []
    for text in wanted or known:
        names = known if text in known else scan.channel_names
        if text not in names:
            both = ", ".join(f"{n} ({name})" for n, name in zip(known, scan.channel_names, strict=True))
            raise ScanIndexError(f"there is no channel {text!r}: the recording has {both}")
        chosen.append(names.index(text))
    return chosen
