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
from scanreader.cli.messages import INTERRUPTED, print_message
from scanreader.cli.printing import error_console
from scanreader.cli.sources import CHANNELS, Join, Overwrite, Sources, channel_indices, open_scan
from scanreader.errors import ScanKeyError, TargetExistsError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from scanreader.scans import Scan

FORMATS = ".zarr, .ome.tif, .nwb, .npy, or .bin (a folder for suite2p)"
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
        Path, typer.Argument(help=f"What to write; its ending is the format: {FORMATS}.", show_default=False)
    ],
    fields: Annotated[
        str | None,
        typer.Option("--fields", "--field", metavar="0,2|0:4", help="Which fields, from 0.", show_default=False),
    ] = None,
    channels: Annotated[
        list[str] | None, typer.Option("--channels", "--channel", help=CHANNELS, show_default=False)
    ] = None,
    frames: Annotated[
        str | None, typer.Option(metavar="START:STOP:STEP", help="Which frames, from 0.", show_default=False)
    ] = None,
    trim_x: Annotated[tuple[int, int], typer.Option(metavar="LEFT RIGHT", help="Trim columns of each ROI.")] = (0, 0),
    trim_y: Annotated[tuple[int, int], typer.Option(metavar="TOP BOTTOM", help="Trim rows of each ROI.")] = (0, 0),
    join: Join = False,
    per_field: Annotated[bool, typer.Option("--per-field", help="Write a file for each field: NAME-field0…")] = False,
    dtype: Annotated[str | None, typer.Option(help="The pixels' dtype, e.g. float32.", show_default=False)] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Time zone of the microscope, e.g. Europe/Zurich (.nwb).", show_default=False)
    ] = None,
    start: Annotated[datetime | None, typer.Option(help="Start of the session, if the header lacks it (.nwb).")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that write (.zarr).", show_default=False)] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Write with the workers of this dask scheduler (.zarr).")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a recording in another format.

    Example: scanreader convert 'my_scan_*.tif' my_scan.ome.tif --channels 1 --frames 0:1000
    """
    suffix = _suffix(target)
    scan = open_scan(source, join=join, dtype=dtype)
    scan = scan.trimmed(left=trim_x[0], right=trim_x[1], top=trim_y[0], bottom=trim_y[1])
    picked_fields, picked_frames = _parse_indices(fields), _parse_indices(frames)
    selection = scan.select(fields=picked_fields, channels=channel_indices(scan, channels), frames=picked_frames)
    field_numbers = np.arange(scan.num_fields)[picked_fields].tolist()
    try:
        with _options(suffix, timezone, start, workers, dask) as options:
            _write(selection, target, suffix, field_numbers, per_field=per_field, overwrite=overwrite, options=options)
    except KeyboardInterrupt:
        is_resumable = SUFFIXES[suffix] == "to_ome_zarr"
        print_message("interrupted", "the same command resumes it" if is_resumable else "nothing was written")
        raise typer.Exit(INTERRUPTED) from None


def _suffix(target: Path) -> str:
    """The ending of a name that stands for a format.

    Raises
    ------
    ScanKeyError
        If the format is unknown.
    """
    for suffix in SUFFIXES:
        if target.name.lower().endswith(suffix):
            return suffix
    raise ScanKeyError(f"the format of {str(target)!r} is unknown; the known endings are {FORMATS}")


def _parse_indices(text: str | None) -> slice | list[int]:
    """The indices that an option gives, as ``0,2`` or ``0:10:2``; all by default.

    Raises
    ------
    ScanKeyError
        If the text has neither form.
    """
    if text is None:
        return slice(None)
    try:
        if ":" in text:
            return slice(*(int(part) if part.strip() else None for part in text.split(":")))
        return [int(part) for part in text.split(",")]
    except (ValueError, TypeError):
        raise ScanKeyError(f"{text!r} is neither numbers, as 0,2, nor a range, as 0:10 or 0:10:2") from None


@contextlib.contextmanager
def _options(
    suffix: str, timezone: str | None, start: datetime | None, workers: int | None, dask: str | None
) -> Iterator[dict[str, Any]]:
    """Options that only some formats have; the connection to dask's workers is closed at the end.

    Raises
    ------
    ScanKeyError
        If the format does not have a given option.
    """
    given = {
        "--timezone": (timezone, "to_nwb"),
        "--start": (start, "to_nwb"),
        "--workers": (workers, "to_ome_zarr"),
        "--dask": (dask, "to_ome_zarr"),
    }
    for name, (value, method) in given.items():
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
    selection: Scan,
    target: Path,
    suffix: str,
    field_numbers: list[int],
    *,
    per_field: bool,
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    targets = [target]
    if per_field:
        stem = target.name[: -len(suffix)]
        targets = [target.with_name(f"{stem}-field{i}{suffix}") for i in field_numbers]
    for path in targets if not overwrite else ():
        if path.exists():
            raise TargetExistsError(f"{str(path)!r} exists: give --overwrite to replace it")
    with _progress_bar() as bar:
        task = bar.add_task(target.name, total=selection.nbytes)
        for i, path in enumerate(targets):
            scan = selection.select(fields=[i]) if per_field else selection
            write = partial(to_npy, scan) if SUFFIXES[suffix] == "to_npy" else getattr(scan, SUFFIXES[suffix])
            write(path, overwrite=overwrite, progress=partial(bar.advance, task), **options)


def _progress_bar() -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=error_console())
