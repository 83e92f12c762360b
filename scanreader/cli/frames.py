"""The command that shows what ScanImage wrote beside the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.cli.printing import busy, print_facts, print_rows, print_table
from scanreader.cli.sources import Csv, JsonRows, Raw, Sources, num_pages, opened
from scanreader.scanimage.descriptions import FRAME_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.scans import Scan

    Table = npt.NDArray[np.void]

COLUMNS = ("file", "page", "volume", "slice", "repeat", "frame_number", "timestamp")
ENDS = 3  # rows that are shown of the start and of the end
GAP = 1.5  # median intervals that are a gap, as in `Scan.check`
AT_A_TIME = 65536


def frames(sources: Sources, *, csv: Csv = False, json: JsonRows = False, raw: Raw = False) -> None:
    """Show the frames that ScanImage logged: their numbers, their times, the intervals between them.

    Flyback frames are among them. A number that is not known is -1. A frame's description is read, not its pixels.

    Example: scanreader frames 'my_scan_*.tif' --csv > frames.csv
    """
    scan = opened(sources, raw=raw)
    with busy("reading the descriptions of", num_pages(scan)):
        table = scan.frame_table
    if csv or json:
        print_rows(FRAME_TABLE.names or (), rows(table), as_csv=csv)
        return
    print_facts(summary(scan))
    shown = list(range(len(table)))
    if len(shown) > 2 * ENDS:
        shown = [*shown[:ENDS], -1, *shown[-ENDS:]]
    print_table(dict.fromkeys(("row", *COLUMNS), True), [_row(table, i) for i in shown])


def rows(table: Table) -> Iterator[tuple[Any, ...]]:
    """Rows of the frame table, as Python's numbers."""
    for start in range(0, len(table), AT_A_TIME):
        yield from table[start : start + AT_A_TIME].tolist()


def summary(scan: Scan) -> dict[str, str]:
    """How many frames were logged, and how they follow each other."""
    table = scan.frame_table
    flyback = int(table["is_flyback"].sum())
    outside = int((table["volume"] < 0).sum())
    number = table["frame_number"][table["frame_number"] >= 0]
    jumps = int((np.diff(number) != scan.stack.averaging).sum())
    known = {"logged": f"{len(table)} frames" + (f", {flyback} of them flyback" if flyback else "")}
    known["outside"] = f"{outside} frames are in no volume that is whole" if outside else ""
    known["numbers"] = ""
    if len(number):
        steps = f" in steps of {scan.stack.averaging}" if scan.stack.averaging > 1 else ""
        jumped = f", {jumps} jump{'' if jumps == 1 else 's'}" if jumps else ""
        known["numbers"] = f"{number[0]} to {number[-1]}{steps}{jumped}"
    return known | _times(table["timestamp"])


def _times(stamps: npt.NDArray[np.float64]) -> dict[str, str]:
    stamps = stamps[np.isfinite(stamps)]
    if not len(stamps):
        return {"times": "none were written"}
    known = {"times": f"{stamps[0]:.6f} to {stamps[-1]:.6f} s"}
    if len(stamps) < 2:
        return known
    steps = np.diff(stamps)
    median = float(np.median(steps))
    gaps = int((steps > GAP * median).sum())
    known["interval"] = f"{_ms(median)} (median), {_ms(steps.min())} to {_ms(steps.max())}"
    known["gaps"] = f"{gaps} interval{'' if gaps == 1 else 's'} of more than {GAP} medians" if gaps else ""
    return known


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
