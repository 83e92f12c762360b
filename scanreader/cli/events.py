"""The command that shows what came in while frames were scanned."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from scanreader.cli.printing import busy, print_facts, print_rows, print_table
from scanreader.cli.sources import Csv, JsonRows, Raw, Sources, num_pages, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanreader.scanimage.descriptions import Event

COLUMNS = ("time", "source", "data", "row", "frame_number")
ENDS = 5  # events that are shown of the start and of the end


def events(sources: Sources, *, csv: Csv = False, json: JsonRows = False, raw: Raw = False) -> None:
    """Show the events: edges of the auxiliary triggers, packets of I2C.

    Times are in seconds, by the clock of the frames; row is that of the frame table. A packet's bytes are written
    as 0x01ff in text, as a list of numbers in JSON.

    Example: scanreader events 'my_scan_*.tif' --csv > events.csv
    """
    scan = opened(sources, raw=raw)
    with busy("reading the descriptions of", num_pages(scan)):
        found = scan.events
    if csv or json:
        print_rows(COLUMNS, rows(found, as_text=csv), as_csv=csv)
        return
    many = Counter(event.source for event in found)
    print_facts({"events": str(len(found)), **{source: str(many[source]) for source in sorted(many)}})
    shown = list(rows(found, as_text=True))
    if len(shown) > 2 * ENDS:
        shown = [*shown[:ENDS], ("…",) * len(COLUMNS), *shown[-ENDS:]]
    if shown:
        right = {"time": True, "source": False, "data": False, "row": True, "frame_number": True}
        print_table(right, [[_shown(value) for value in row] for row in shown])


def rows(found: tuple[Event, ...], *, as_text: bool) -> Iterator[tuple[Any, ...]]:
    """Events as rows; a packet's bytes as text, or as a list of numbers."""
    for event in found:
        data: Any = event.data
        if isinstance(data, bytes):
            data = f"0x{data.hex()}" if as_text else list(data)
        yield event.time, event.source, data, event.row, event.frame_number


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)
