"""Facts of a recording as text, and the table that notebooks show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanreader.files.urls import recording_name
from scanreader.tables import table_html
from scanreader.view import words

if TYPE_CHECKING:
    from scanreader.recording.base import BaseScan


# ------------------------------------------------------------------------------- facts


def facts(scan: BaseScan) -> dict[str, str]:
    """Facts of a recording in words, with units; those that are unknown are omitted.

    Only the description of the first page is read, where that is possible.
    """
    seconds = words.duration_by_rate(scan)
    has_duration = scan.fps > 0 and scan.stack.mode != "slow"  # in a slow stack, slices come between frames
    facts_shown = {
        "Recording": recording_name(scan.filenames),
        "ScanImage": scan.release,
        "Began": words.start(scan, "seconds"),
        "Mode": words.mode(scan),
        "Scanner": words.scanner(scan),
        "Fields": words.fields(scan),
        "Size": "; ".join(words.sizes(scan.fields)),
        "Depth": words.depths(scan),
        "Channels": ", ".join(words.channels(scan)),
        "Frames": words.frames(scan),
        "Bouts": "; ".join(words.bouts(scan)),
        "Rate": words.rate(scan),
        "Duration": f"{words.span(seconds)} by its rate" if has_duration else "",
        "Pixels": words.pixels(scan),
    }
    return {name: text for name, text in facts_shown.items() if text}


# --------------------------------------------------------------------------- notebooks


def scan_html(scan: BaseScan) -> str:
    """A recording as a small table, with the findings of opening it."""
    rows = facts(scan)
    findings = [(finding.severity.capitalize(), finding.sentence) for finding in scan.findings]
    return table_html(rows.pop("Recording"), [*rows.items(), *findings])
