"""The command that lists every recording under a folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanreader.cli.printing import counting_bar, on_terminal, print_rows, print_table
from scanreader.cli.sources import Csv  # noqa: TC001 - typer looks at it
from scanreader.recordings import FoundRecording, find_recordings
from scanreader.tables import counted
from scanreader.texts import on_one_line
from scanreader.view.words import size, span

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = {
    "recording": False,
    "files": True,
    "size": True,
    "began": False,
    "mode": False,
    "fields (h x w)": False,
    "channels": False,
    "depths µm": False,
    "frames": True,
    "Hz": True,
    "duration": True,
    "joinable": True,
    "status": False,
}
NARROW_WIDTH, FEW_COLUMNS = 130, ("recording", "began", "fields (h x w)", "frames", "duration", "status")
"""Letters of a terminal in which all columns fit, and the columns that a narrower one shows."""
UNBROKEN_COLUMNS = ("began", "duration", "status")
MOST_LISTED = 4  # sizes and depths that are shown one by one


def list(  # noqa: A001 - the command's name
    root: Annotated[str, typer.Argument(metavar="ROOT", help="A folder; the folders in it are searched, too.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print every recording, as a JSON list: NaN is null.")] = False,
    csv: Csv = False,
) -> None:
    """List every recording under a folder, a row each.

    Headers and a few pages are read, no pixels. Recordings with the same number in the column joinable have equal
    geometry: read_scan can read them as the bouts of one scan. Files that cannot be read are rows, too.

    Example: scanreader list /data/mouse17
    """
    with counting_bar("opening files") as progress:
        recordings = find_recordings(root, progress=progress)
    if json or csv:
        names = tuple(facts(FoundRecording("", "", ()), as_text=csv))
        print_rows(names, (tuple(facts(row, as_text=csv).values()) for row in recordings), as_csv=csv)
        return
    is_narrow = on_terminal() and shutil.get_terminal_size().columns < NARROW_WIDTH
    columns_shown = {name: is_number for name, is_number in COLUMNS.items() if not is_narrow or name in FEW_COLUMNS}
    print_table(
        columns_shown,
        [[cells[name] for name in columns_shown] for cells in (_cells(row, recordings.root) for row in recordings)],
        UNBROKEN_COLUMNS,
    )
    for row in recordings:
        if row.sentence:
            typer.echo(f"{_place(row, recordings.root)}: {row.status}: {on_one_line(row.sentence)}")
    counts = [counted(len(recordings), "recording")]
    counts += [counted(len(recordings.others), "other TIFF file")] if recordings.others else []
    counts += (
        [f"{counted(len(recordings.exports), 'OME-TIFF file')} that scanreader wrote"] if recordings.exports else []
    )
    typer.echo(", ".join(counts))


def facts(row: FoundRecording, *, as_text: bool) -> dict[str, Any]:
    """Facts of a recording by name; lists as text, for tables."""

    def as_cell(values: tuple[Any, ...]) -> Any:
        return " ".join(map(str, values)) if as_text else [*values]

    return {
        "folder": row.folder,
        "name": row.name,
        "files": "|".join(row.files) if as_text else [*row.files],
        "missing": "|".join(row.missing) if as_text else [*row.missing],
        "bytes": row.num_bytes,
        "start_time": None if row.start_time is None else row.start_time.isoformat(),
        "release": row.release,
        "mode": row.mode,
        "fields": row.num_fields,
        "field_heights": as_cell(row.heights),
        "field_widths": as_cell(row.widths),
        "channels": as_cell(row.channels),
        "channel_names": "|".join(row.channel_names) if as_text else [*row.channel_names],
        "depths_um": as_cell(row.depths),
        "frames": row.num_frames,
        "bouts": row.num_bouts,
        "rate_hz": row.rate,
        "duration_s": row.duration,
        "status": row.status,
        "sentence": row.sentence,
        "joinable": row.joinable or None,
    }


def _place(row: FoundRecording, root: str) -> str:
    """Folder and name of a recording, as seen from where the search began."""
    return str(Path(os.path.relpath(row.folder, root)) / row.name)


def _cells(row: FoundRecording, root: str) -> dict[str, str]:
    sizes = [f"{height} x {width}" for height, width in dict.fromkeys(zip(row.heights, row.widths, strict=True))]
    depths = [f"{depth:g}" for depth in row.depths if depth == depth]  # noqa: PLR0124 - NaN is not
    values = (
        _place(row, root),
        str(len(row.files)) + (f" of {len(row.files) + len(row.missing)}" if row.missing else ""),
        size(row.num_bytes),
        "" if row.start_time is None else row.start_time.isoformat(" ", "minutes"),
        row.mode,
        f"{row.num_fields} ({_join_few(sizes)})" if row.num_fields else "",
        ", ".join(map(str, row.channels)),
        _join_few(depths),
        f"{row.num_frames:,}" if row.mode else "",
        f"{row.rate:.4g}" if row.rate > 0 else "",
        span(row.duration) if row.duration >= 0 else "",
        str(row.joinable or ""),
        row.status,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _join_few(texts: Sequence[str]) -> str:
    return ", ".join(texts if len(texts) <= MOST_LISTED else [*texts[:2], "…", texts[-1]])
