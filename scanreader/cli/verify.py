"""The command that compares what was written with the recording."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanreader.cli.messages import errors_as_messages
from scanreader.cli.printing import print_facts, print_json, print_table, progress_bar
from scanreader.cli.selection import Channels, Dtype, Fields, Frames, Reduce, TrimX, TrimY, open_selection
from scanreader.cli.sources import Depths, Dz, Join, Json, PlaneOptions, Planes, Siblings, Sources, Stitch

if TYPE_CHECKING:
    from scanreader.bridges.verification.results import Verification
    from scanreader.scans import Scan

EQUAL, DIFFERS, UNREADABLE = 0, 1, 2
"""The exit codes."""


def verify(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="What convert wrote.", show_default=False)],
    source: Sources,
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
    json: Json = False,
    receipt: Annotated[bool, typer.Option(help="Write a receipt beside the target: a digest of each page.")] = True,
    siblings: Siblings = False,
) -> None:
    """Compare what convert wrote with the recording: every pixel, time and µm.

    Give the options that convert was given. The exit code is 0 if all is equal, 1 if something differs, and 2 if
    the target or the recording cannot be read.

    Example: scanreader verify my_scan.ome.tif 'my_scan_*.tif' && echo "equal"
    """
    with errors_as_messages(UNREADABLE):
        selection = open_selection(
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
        code = print_verifications({Path(target): selection.scan}, json=json, receipt=receipt)
    raise typer.Exit(code)


def print_verifications(targets: dict[Path, Scan], *, json: bool = False, receipt: bool = True) -> int:
    """Compare targets with their scans, print what was found, and give the exit code."""
    results = []
    with progress_bar() as bar:
        task = bar.add_task("comparing", total=sum(scan.nbytes for scan in targets.values()))
        for target, scan in targets.items():
            results.append(scan.verify(target, receipt=receipt, progress=partial(bar.advance, task)))
    for result in results:
        if json:
            print_json(_as_json(result))
        else:
            _print(result)
    return EQUAL if all(result.ok for result in results) else DIFFERS


def _as_json(result: Verification) -> dict[str, Any]:
    return {
        "target": str(result.target),
        "format": result.kind,
        "read_with": result.library,
        "ok": result.ok,
        "pixels": result.num_pixels,
        "differences": [entry._asdict() for entry in result.differences],
        "left_out": [entry._asdict() for entry in result.left_out],
        "receipt": None if result.receipt is None else str(result.receipt),
    }


def _print(result: Verification) -> None:
    differences = len(result.differences)
    verdict = "equal" if result.ok else f"{differences:,} difference{'' if differences == 1 else 's'}"
    facts = {
        "target": f"{result.target.name}, {result.kind}: {verdict}",
        "compared": f"{result.num_pixels:,} pixels, read back with {result.library}",
    }
    if result.receipt is not None:
        facts["receipt"] = str(result.receipt)
    print_facts(facts)
    if result.differences:
        print_table(
            {"differs": False, "difference": False}, [[entry.what, entry.sentence] for entry in result.differences]
        )
    if result.left_out:
        rows = [[entry.what, "" if entry.pages is None else f"{entry.pages:,}", entry.why] for entry in result.left_out]
        print_table({"left out": False, "pages": True, "reason": False}, rows)
