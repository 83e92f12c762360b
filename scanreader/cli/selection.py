"""The part of a recording that a command writes or compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from scanreader.cli.sources import CHANNELS, NO_PLANES, PlaneOptions, channel_indices, open_scan
from scanreader.errors import ScanKeyError
from scanreader.recording.fields import Trim
from scanreader.recording.reduced import reducing

if TYPE_CHECKING:
    from scanreader.scans import Scan

Fields = Annotated[
    str | None,
    typer.Option("--fields", "--field", metavar="0,2|0:4", help="Which fields, from 0.", show_default=False),
]
Channels = Annotated[list[str] | None, typer.Option("--channels", "--channel", help=CHANNELS, show_default=False)]
Frames = Annotated[
    str | None, typer.Option(metavar="START:STOP:STEP", help="Which frames, from 0.", show_default=False)
]
TrimX = Annotated[
    tuple[int, int], typer.Option("--trim-x", "--trim_x", metavar="LEFT RIGHT", help="Trim columns of each ROI.")
]
TrimY = Annotated[
    tuple[int, int], typer.Option("--trim-y", "--trim_y", metavar="TOP BOTTOM", help="Trim rows of each ROI.")
]
Dtype = Annotated[str | None, typer.Option(help="Data type of the pixels, e.g. float32.", show_default=False)]
Reduce = Annotated[
    str | None,
    typer.Option("--reduce", metavar="mean|max|std", help="Reduce all frames to one image.", show_default=False),
]


class Selection(NamedTuple):
    """A selection, and which fields of the recording it has."""

    scan: Scan
    field_numbers: list[int]


def open_selection(
    sources: list[str],
    *,
    fields: str | None,
    channels: list[str] | None,
    frames: str | None,
    trim_x: tuple[int, int],
    trim_y: tuple[int, int],
    join: bool,
    stitch: bool,
    siblings: bool,
    dtype: str | None,
    reduce: str | None,
    plane_options: PlaneOptions = NO_PLANES,
) -> Selection:
    """Open a recording, and select what the options say.

    Raises
    ------
    ScanKeyError
        If the text of an option is neither numbers nor a range, or frames cannot be reduced in this way.
    """
    trim = Trim(*trim_y, *trim_x)
    scan = open_scan(
        sources, join=join, stitch=stitch, trim=trim, siblings=siblings, dtype=dtype, plane_options=plane_options
    )
    picked_fields, picked_frames = _parse_indices(fields), _parse_indices(frames)
    part = scan.select(fields=picked_fields, channels=channel_indices(scan, channels), frames=picked_frames)
    if reduce is not None:
        part = part.view(reducing(reduce))
    return Selection(part, np.arange(scan.num_fields)[picked_fields].tolist())


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
