"""The command that writes a recording in another format."""

from __future__ import annotations

import contextlib
from datetime import datetime  # noqa: TC003 - typer looks at it
from functools import partial
from pathlib import Path  # noqa: TC003 - typer looks at it
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from scanreader.bridges.npy import to_npy
from scanreader.cli.printing import error_console
from scanreader.cli.sources import CHANNELS, Join, Sources, channel_indices, opened
from scanreader.cli.telling import INTERRUPTED, say
from scanreader.errors import ScanKeyError, TargetExistsError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from scanreader.scans import Scan

KINDS = ".zarr, .ome.tif, .nwb, .npy, or a folder named ….bin (suite2p's)"
SUFFIXES = {
    ".ome.zarr": "to_ome_zarr",
    ".zarr": "to_ome_zarr",
    ".ome.tif": "to_ome_tiff",
    ".ome.tiff": "to_ome_tiff",
    ".nwb": "to_nwb",
    ".npy": "to_npy",
    ".bin": "to_suite2p",
    ".suite2p": "to_suite2p",
}


def convert(
    source: Sources,
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help=f"What to write, its format by its name: {KINDS}.", show_default=False),
    ],
    fields: Annotated[
        str | None, typer.Option("--fields", "--field", metavar="0,2|0:4", help="Which fields.", show_default=False)
    ] = None,
    channels: Annotated[
        list[str] | None, typer.Option("--channels", "--channel", help=CHANNELS, show_default=False)
    ] = None,
    frames: Annotated[
        str | None, typer.Option(metavar="START:STOP:STEP", help="Which frames.", show_default=False)
    ] = None,
    trim_x: Annotated[tuple[int, int], typer.Option(metavar="LEFT RIGHT", help="Columns to leave out of each ROI.")] = (
        0,
        0,
    ),
    trim_y: Annotated[tuple[int, int], typer.Option(metavar="TOP BOTTOM", help="Rows to leave out of each ROI.")] = (
        0,
        0,
    ),
    join: Join = False,
    per_field: Annotated[bool, typer.Option("--per-field", help="Write each field by itself, as NAME-field0…")] = False,
    dtype: Annotated[str | None, typer.Option(help="The pixels' type, e.g. float32.", show_default=False)] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of the microscope's clock, e.g. Europe/Zurich (.nwb).", show_default=False)
    ] = None,
    start: Annotated[
        datetime | None, typer.Option(help="When the session began, where the header does not say (.nwb).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that write (.zarr).", show_default=False)] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Write from this dask scheduler's workers (.zarr).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a recording in another format.

    Example: scanreader convert 'my_scan_*.tif' my_scan.ome.tif --channels 1 --frames 0:1000
    """
    suffix = _suffix(target)
    scan = opened(source, join=join, dtype=dtype)
    scan = scan.trimmed(left=trim_x[0], right=trim_x[1], top=trim_y[0], bottom=trim_y[1])
    chosen = scan.select(fields=_some(fields), channels=channel_indices(scan, channels), frames=_some(frames))
    numbers = np.arange(scan.num_fields)[_some(fields)].tolist()
    try:
        with _options(suffix, timezone, start, workers, dask) as options:
            _write(chosen, target, suffix, numbers, per_field=per_field, overwrite=overwrite, options=options)
    except KeyboardInterrupt:
        rest = "the same command goes on from here" if SUFFIXES[suffix] == "to_ome_zarr" else "nothing was written"
        say("interrupted", rest)
        raise typer.Exit(INTERRUPTED) from None


def _suffix(target: Path) -> str:
    """The end of a name that says a format.

    Raises
    ------
    ScanKeyError
        If it says none.
    """
    for suffix in SUFFIXES:
        if target.name.lower().endswith(suffix):
            return suffix
    raise ScanKeyError(f"the name of {str(target)!r} says no format that is known: {KINDS}")


def _some(said: str | None) -> slice | list[int]:
    """What ``0,2`` or ``0:10:2`` picks; all, if nothing is said.

    Raises
    ------
    ScanKeyError
        If it is neither.
    """
    if said is None:
        return slice(None)
    try:
        if ":" in said:
            return slice(*(int(part) if part.strip() else None for part in said.split(":")))
        return [int(part) for part in said.split(",")]
    except (ValueError, TypeError):
        raise ScanKeyError(f"{said!r} is neither numbers, as 0,2, nor a range, as 0:10 or 0:10:2") from None


@contextlib.contextmanager
def _options(
    suffix: str, timezone: str | None, start: datetime | None, workers: int | None, dask: str | None
) -> Iterator[dict[str, Any]]:
    """What only some formats take; the connection to dask's workers is closed at the end.

    Raises
    ------
    ScanKeyError
        If the format does not take it.
    """
    wanted = {
        "--timezone": (timezone, "to_nwb"),
        "--start": (start, "to_nwb"),
        "--workers": (workers, "to_ome_zarr"),
        "--dask": (dask, "to_ome_zarr"),
    }
    for name, (value, method) in wanted.items():
        if value is not None and SUFFIXES[suffix] != method:
            raise ScanKeyError(f"{name} is not for {suffix}: see scanreader convert --help")
    options: dict[str, Any] = {} if timezone is None else {"timezone": timezone}
    if start is not None:
        options["session_start_time"] = start
    if workers is not None:
        options["workers"] = workers
    if dask is None:
        yield options
        return
    with import_extra("distributed", "dask").Client(dask) as client:
        yield {**options, "client": client}


def _write(
    chosen: Scan,
    target: Path,
    suffix: str,
    numbers: list[int],
    *,
    per_field: bool,
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    targets = [target]
    if per_field:
        stem = target.name[: -len(suffix)]
        targets = [target.with_name(f"{stem}-field{i}{suffix}") for i in numbers]
    for one in targets if not overwrite else ():
        if one.exists():
            raise TargetExistsError(f"{str(one)!r} exists: give --overwrite to replace it")
    with _bar() as bar:
        task = bar.add_task(target.name, total=chosen.nbytes)
        for i, one in enumerate(targets):
            part = chosen.select(fields=[i]) if per_field else chosen
            write = partial(to_npy, part) if SUFFIXES[suffix] == "to_npy" else getattr(part, SUFFIXES[suffix])
            write(one, overwrite=overwrite, progress=partial(bar.advance, task), **options)


def _bar() -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=error_console())
