"""The command that shows the events that ScanImage recorded during the frames."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from scanreader.cli.printing import print_facts, print_rows, print_table, spinner
from scanreader.cli.sources import Csv, JsonRows, Raw, Siblings, Sources, num_pages, open_scan
from scanreader.view import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanreader.scanimage.descriptions import Event

COLUMNS = ("time", "source", "data", "row", "frame_number")
ENDS = 5  # events shown of the start and of the end


def events(
    sources: Sources, *, csv: Csv = False, json: JsonRows = False, raw: Raw = False, siblings: Siblings = False
) -> None:
    """Show the recorded events: edges of the auxiliary triggers and I2C packets.

    Times are in seconds, on the clock of the frames; "row" is the row of the frame table. The bytes of a packet are
    written as 0x01ff in text and as a list of numbers in JSON. When stimuli were given is not among the events: the
    files beside the recording that may tell are named.

    Example: scanreader events 'my_scan_*.tif' --csv > events.csv
    """
    scan = open_scan(sources, raw=raw, siblings=siblings)
    with spinner("reading the descriptions of", num_pages(scan)):
        recorded_events = scan.events
    if csv or json:
        print_rows(COLUMNS, rows(recorded_events, as_text=csv), as_csv=csv)
        return
    counts = Counter(event.source for event in recorded_events)
    print_facts({"events": str(len(recorded_events)), **{source: str(counts[source]) for source in sorted(counts)}})
    print_facts({"beside": words.beside(scan)})
    table = list(rows(recorded_events, as_text=True))
    if len(table) > 2 * ENDS:
        table = [*table[:ENDS], ("…",) * len(COLUMNS), *table[-ENDS:]]
    if table:
        is_number = {"time": True, "source": False, "data": False, "row": True, "frame_number": True}
        print_table(is_number, [[_cell(value) for value in row] for row in table])


def rows(recorded_events: tuple[Event, ...], *, as_text: bool) -> Iterator[tuple[Any, ...]]:
    """Events as rows; the bytes of a packet as text or as a list of numbers."""
    for event in recorded_events:
        data: Any = event.data
        if isinstance(data, bytes):
            data = f"0x{data.hex()}" if as_text else list(data)
        yield event.time, event.source, data, event.row, event.frame_number


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)
