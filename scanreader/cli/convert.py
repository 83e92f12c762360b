"""The command that writes a recording in another format."""

from __future__ import annotations

import contextlib
from datetime import datetime  # noqa: TC003 - typer looks at it
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from scanreader.bridges.safety import checked_target, local_target
from scanreader.cli.formats import ENDINGS, FORMATS, TIFF_FOLDER, Format, check_options, suffix_of
from scanreader.cli.line_scans import line_scan_of
from scanreader.cli.messages import INTERRUPTED, print_message
from scanreader.cli.other_names import answer, with_target_last
from scanreader.cli.per_plane import PlaneRecord, plane_parts, suffix_for
from scanreader.cli.printing import progress_bar
from scanreader.cli.selection import Channels, Dtype, Fields, Frames, Reduce, TrimX, TrimY, open_selection
from scanreader.cli.sources import Depths, Dz, Join, Overwrite, PlaneOptions, Planes, Siblings, Sources, Stitch
from scanreader.cli.verify import print_verifications
from scanreader.errors import ScanKeyError, ScanReaderError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scanreader.line_scans import LineScan
    from scanreader.scans import Scan


class Command(TyperCommand):
    """Answers options of the Miller Brain Observatory's scanreader with the command to type."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command."""
        message = answer(args)
        if message:
            raise ScanKeyError(message)
        return super().parse_args(ctx, with_target_last(args))


SEVERAL_FILES, SOME_FORMATS = "Options for several files", "Options of some formats"
LINE_SCAN_FORMATS = {".npy": "to_npy", ".h5": "to_h5", ".hdf5": "to_h5", ".nwb": "to_nwb"}


def convert(
    source: Sources,
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help=f"What to write; its ending is the format: {ENDINGS}.", show_default=False
        ),
    ],
    fields: Fields = None,
    channels: Channels = None,
    frames: Frames = None,
    trim_x: TrimX = (0, 0),
    trim_y: TrimY = (0, 0),
    planes: Planes = None,
    depths: Depths = None,
    dz: Dz = None,
    join: Join = False,
    stitch: Stitch = False,
    dtype: Dtype = None,
    reduce: Reduce = None,
    siblings: Siblings = False,
    overwrite: Overwrite = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read the target back, compare every pixel, and write a receipt.")
    ] = False,
    per_field: Annotated[
        bool,
        typer.Option("--per-field", help="Write a file for each field: NAME-field0…", rich_help_panel=SEVERAL_FILES),
    ] = False,
    per_channel: Annotated[
        bool,
        typer.Option(
            "--per-channel",
            help="Write a file for each channel, by its number: NAME-channel1…",
            rich_help_panel=SEVERAL_FILES,
        ),
    ] = False,
    per_plane: Annotated[
        bool,
        typer.Option(
            "--per-plane",
            help="Write a file for each plane, in the folder TARGET: zplane01.tif…",
            rich_help_panel=SEVERAL_FILES,
        ),
    ] = False,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="tif|h5|zarr|npy|nwb",
            help="With --per-plane: the format; by default tif.",
            rich_help_panel=SEVERAL_FILES,
        ),
    ] = None,
    tiff: Annotated[
        bool,
        typer.Option(
            "--tiff",
            help="Write a plain TIFF file for each field and channel, in the folder TARGET.",
            rich_help_panel=SEVERAL_FILES,
        ),
    ] = False,
    grouped: Annotated[
        str | None,
        typer.Option(
            metavar="z|field",
            help="z: the depths of a ROI are the z axis of one image; field: an image for each field. By default z, if "
            "depths are evenly spaced (.zarr, .ome.tif, .nwb).",
            rich_help_panel=SOME_FORMATS,
        ),
    ] = None,
    imagej: Annotated[
        bool, typer.Option("--imagej", help="Write a hyperstack for ImageJ (.tif).", rich_help_panel=SOME_FORMATS)
    ] = False,
    timezone: Annotated[
        str | None,
        typer.Option(
            help="Time zone of the microscope, e.g. Europe/Zurich (.nwb).",
            show_default=False,
            rich_help_panel=SOME_FORMATS,
        ),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(help="Start of the session, if the header lacks it (.nwb).", rich_help_panel=SOME_FORMATS),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads that write (.zarr).", show_default=False, rich_help_panel=SOME_FORMATS),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Write with the workers of this dask scheduler (.zarr).",
            rich_help_panel=SOME_FORMATS,
        ),
    ] = None,
) -> None:
    """Write a recording in another format.

    With --verify, the exit code is 1 if the target differs from the recording.

    A line scan (its .meta.txt, or the start of its name) is written as .npy, .h5 or .nwb.

    Example: scanreader convert 'my_scan_*.tif' my_scan.ome.tif --channels 1 --frames 0:1000
    """
    scan_options = {
        "--fields": fields is not None,
        "--channels": channels is not None,
        "--frames": frames is not None,
        "--trim-x": tuple(trim_x) != (0, 0),
        "--trim-y": tuple(trim_y) != (0, 0),
        "--planes": planes is not None,
        "--depths": depths is not None,
        "--dz": dz is not None,
        "--join": join,
        "--stitch": stitch,
        "--dtype": dtype is not None,
        "--reduce": reduce is not None,
        "--per-field": per_field,
        "--per-channel": per_channel,
        "--per-plane": per_plane,
        "--format": format_name is not None,
        "--tiff": tiff,
        "--grouped": grouped is not None,
        "--imagej": imagej,
        "--workers": workers is not None,
        "--dask": dask is not None,
        "--siblings": siblings,
        "--verify": verify,
    }
    line_scan = line_scan_of(source, scan_options)
    if line_scan is not None:
        _convert_line_scan(line_scan, target, timezone, start, overwrite=overwrite)
        return
    path = local_target(target)
    if format_name is not None and not per_plane:
        raise ScanKeyError("--format is for --per-plane; otherwise the ending of the target is the format")
    if per_plane and (per_field or tiff):
        raise ScanKeyError(f"--per-plane does not go with {'--per-field' if per_field else '--tiff'}: choose one")
    suffix = suffix_for(format_name or "tif") if per_plane else "" if tiff else suffix_of(path)
    file_format = TIFF_FOLDER if tiff else FORMATS[suffix]
    format_options = {
        "--timezone": timezone,
        "--start": start,
        "--workers": workers,
        "--dask": dask,
        "--imagej": imagej,
        "--grouped": grouped,
    }
    check_options(suffix, format_options)
    if verify and not file_format.can_be_verified:
        raise ScanKeyError(f"--verify is not for {suffix}, which has no pixels")
    selection, field_numbers = open_selection(
        source,
        fields=fields,
        channels=channels,
        frames=frames,
        trim_x=trim_x,
        trim_y=trim_y,
        join=join,
        stitch=stitch,
        siblings=siblings,
        dtype=dtype,
        plane_options=PlaneOptions(planes, depths, dz),
        reduce=reduce,
    )
    split = Split(field_numbers if per_field else None, selection.channel_numbers if per_channel else None, per_plane)
    targets = _targets(selection, path, suffix, split)
    plane_record = PlaneRecord(path, format_options) if per_plane else None
    try:
        with _options(format_options) as options:
            if tiff and not per_field:
                options["field_numbers"] = field_numbers
            _write(targets, file_format, overwrite=overwrite, options=options, plane_record=plane_record)
    except KeyboardInterrupt:
        print_message(
            "interrupted",
            "the same command resumes it" if file_format.is_resumable or per_plane else "nothing was written",
        )
        raise typer.Exit(INTERRUPTED) from None
    if verify:
        raise typer.Exit(print_verifications(targets))


@contextlib.contextmanager
def _options(format_options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Options that only some formats have, by their names in Python; the connection to dask is closed at the end."""
    names = {
        "--timezone": "timezone",
        "--start": "session_start_time",
        "--workers": "workers",
        "--imagej": "imagej",
        "--grouped": "grouped",
    }
    options = {
        name: format_options[option] for option, name in names.items() if format_options[option] not in (None, False)
    }
    if format_options["--dask"] is None:
        yield options
        return
    with import_extra("distributed", "dask").Client(format_options["--dask"]) as client:
        yield {**options, "client": client}


class Split(NamedTuple):
    """Of what there is a target each; None for one target of all."""

    fields: list[int] | None
    """Numbers in the recording."""
    channels: list[int] | None
    """Numbers in ScanImage."""
    has_planes: bool
    """Whether each plane has a file in a folder."""


def _targets(selection: Scan, target: Path, suffix: str, split: Split) -> dict[Path, Scan]:
    """The targets, with the part of the selection that each gets."""
    stem = target.name[: -len(suffix)] if suffix else target.name
    parts = plane_parts(selection) if split.has_planes else {stem: selection}
    if split.fields is not None:
        parts = {f"{stem}-field{n}": selection.select(fields=[i]) for i, n in enumerate(split.fields)}
    if split.channels is not None:
        parts = {
            f"{name}-channel{n}": part.select(channels=[i])
            for name, part in parts.items()
            for i, n in enumerate(split.channels)
        }
    if split.has_planes:
        return {target / f"{name}{suffix}": part for name, part in parts.items()}
    return {target.with_name(f"{name}{suffix}") if name != stem else target: part for name, part in parts.items()}


def _write(
    targets: dict[Path, Scan],
    file_format: Format,
    *,
    overwrite: bool,
    options: dict[str, Any],
    plane_record: PlaneRecord | None,
) -> None:
    if plane_record is not None and not overwrite:
        targets = {path: scan for path, scan in targets.items() if not plane_record.has(path, scan)}
        if not targets:
            print_message("note", "the files of all planes are already written; --overwrite writes them again")
            return
    for path, scan in targets.items():  # before the first is written
        written_path = path / file_format.folder if file_format.folder else path
        checked_target(written_path, sources=scan.filenames, overwrite=overwrite, is_folder=file_format.is_folder)
    with progress_bar() as bar:
        task = bar.add_task("writing", total=sum(scan.nbytes for scan in targets.values()))
        try:
            for path, scan in targets.items():
                if plane_record is not None:
                    plane_record.forget(path)
                file_format.write(scan, path, overwrite=overwrite, progress=partial(bar.advance, task), **options)
                if plane_record is not None:
                    plane_record.add(path, scan)
        except ScanReaderError:
            bar.update(task, visible=bool(bar.tasks[task].completed))  # a refusal is no progress
            raise


def _convert_line_scan(
    scan: LineScan, target: str, timezone: str | None, start: datetime | None, *, overwrite: bool
) -> None:
    """Write a line scan in the format of a target's ending.

    Raises
    ------
    ScanKeyError
        If there is none, or an option is not for it.
    """
    path = local_target(target)
    method = LINE_SCAN_FORMATS.get(path.suffix.lower())
    if method is None:
        raise ScanKeyError(f"a line scan is written as .npy, .h5 or .nwb, not as {path.name!r}")
    options: dict[str, Any] = {"session_start_time": start, "timezone": timezone}
    if method != "to_nwb":
        nwb_options = [name for name, value in options.items() if value is not None]
        if nwb_options:
            raise ScanKeyError(f"the start and the time zone are for .nwb, not for {path.suffix}: leave them out")
        options = {}
    getattr(scan, method)(path, overwrite=overwrite, **options)
