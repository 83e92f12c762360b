"""The command that shows the numbers and times that ScanImage wrote with the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.cli.printing import print_facts, print_rows, print_table, spinner
from scanreader.cli.sources import Csv, JsonRows, Raw, Siblings, Sources, num_pages, open_scan
from scanreader.scanimage.descriptions import FRAME_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.scans import Scan

    Table = npt.NDArray[np.void]

COLUMNS = ("file", "page", "volume", "slice", "repeat", "frame_number", "timestamp")
ENDS = 3  # rows shown of the start and of the end
GAP = 1.5  # an interval of more than so many medians is a gap, as in `Scan.check`
AT_A_TIME = 65536


def frames(
    sources: Sources, *, csv: Csv = False, json: JsonRows = False, raw: Raw = False, siblings: Siblings = False
) -> None:
    """Show the frames that ScanImage logged: their numbers, times and intervals.

    Flyback frames are included. Unknown numbers are -1. Only the descriptions of the frames are read, no pixels.

    Example: scanreader frames 'my_scan_*.tif' --csv > frames.csv
    """
    scan = open_scan(sources, raw=raw, siblings=siblings)
    with spinner("reading the descriptions of", num_pages(scan)):
        table = scan.frame_table
    if csv or json:
        print_rows(FRAME_TABLE.names or (), rows(table), as_csv=csv)
        return
    print_facts(summary(scan))
    indices = list(range(len(table)))
    if len(indices) > 2 * ENDS:
        indices = [*indices[:ENDS], -1, *indices[-ENDS:]]
    print_table(dict.fromkeys(("row", *COLUMNS), True), [_row(table, i) for i in indices])


def rows(table: Table) -> Iterator[tuple[Any, ...]]:
    """Rows of the frame table, as Python numbers."""
    for start in range(0, len(table), AT_A_TIME):
        yield from table[start : start + AT_A_TIME].tolist()


def summary(scan: Scan) -> dict[str, str]:
    """The number of frames, and their numbers, times and intervals."""
    table = scan.frame_table
    num_flyback = int(table["is_flyback"].sum())
    num_outside = int((table["volume"] < 0).sum())
    number = table["frame_number"][table["frame_number"] >= 0]
    num_jumps = int((np.diff(number) != scan.stack.averaging).sum())
    facts = {"logged": f"{len(table)} frames" + (f", {num_flyback} of them flyback" if num_flyback else "")}
    facts["outside"] = f"{num_outside} frames are in no complete volume" if num_outside else ""
    facts["numbers"] = ""
    if len(number):
        steps = f" in steps of {scan.stack.averaging}" if scan.stack.averaging > 1 else ""
        jump_text = f", {num_jumps} jump{'' if num_jumps == 1 else 's'}" if num_jumps else ""
        facts["numbers"] = f"{number[0]} to {number[-1]}{steps}{jump_text}"
    return facts | _times(table["timestamp"])


def _times(stamps: npt.NDArray[np.float64]) -> dict[str, str]:
    stamps = stamps[np.isfinite(stamps)]
    if not len(stamps):
        return {"times": "none"}
    facts = {"times": f"{stamps[0]:.6f} to {stamps[-1]:.6f} s"}
    if len(stamps) < 2:
        return facts
    steps = np.diff(stamps)
    median = float(np.median(steps))
    gaps = int((steps > GAP * median).sum())
    facts["interval"] = f"{_ms(median)} (median), {_ms(steps.min())} to {_ms(steps.max())}"
    facts["gaps"] = f"{gaps} interval{'' if gaps == 1 else 's'} of more than {GAP} medians" if gaps else ""
    return facts


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.6g} ms"


def _row(table: Table, i: int) -> list[str]:
    if i < 0:
        return ["…"] * (len(COLUMNS) + 1)
    return [str(i), *(_cell(table[i][name]) for name in COLUMNS)]


def _cell(value: Any) -> str:
    if isinstance(value, np.integer):
        return str(value)
    return "-" if np.isnan(value) else f"{value:.6f}"
