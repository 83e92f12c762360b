"""A recording in a few words: facts for people, and the small tables that notebooks show."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from scanreader.errors import ScanReaderError
from scanreader.files.urls import file_name
from scanreader.tables import table_html
from scanreader.view import words

if TYPE_CHECKING:
    from scanreader.recording.base import BaseScan


# ------------------------------------------------------------------------------- facts


def facts(scan: BaseScan) -> dict[str, str]:
    """Facts of a recording in words, with units; those that are not known are left out.

    Nothing is read but the description of the first page, where that can be.
    """
    said = {
        "Recording": recording(scan),
        "ScanImage": scan.release,
        "Began": _began(scan),
        "Mode": words.mode(scan),
        "Scanner": words.scanner(scan),
        "Fields": _fields(scan),
        "Size": "; ".join(words.sizes(scan.fields)),
        "Depth": words.depths(scan),
        "Channels": ", ".join(words.channels(scan)),
        "Frames": words.frames(scan),
        "Rate": _rate(scan),
        "Duration": words.span(scan.num_frames / scan.fps) + " by its rate" if scan.fps > 0 and _passes(scan) else "",
        "Pixels": f"{scan.dtype}, {words.size(scan.nbytes)} in memory",
    }
    return {name: told for name, told in said.items() if told}


def recording(scan: BaseScan) -> str:
    """What to call a recording: its file, or its first and how many more."""
    name, more = file_name(scan.filenames[0]), len(scan.filenames) - 1
    return f"{name} and {more} more" if more else name


def _began(scan: BaseScan) -> str:
    with contextlib.suppress(ScanReaderError, OSError):  # what cannot be read is said elsewhere
        if scan.start_time is not None:
            return scan.start_time.isoformat(" ", "seconds")
    return ""


def _rate(scan: BaseScan) -> str:
    if not (math.isfinite(scan.fps) and scan.fps):
        return ""
    return f"{scan.fps:.6g} Hz" + (" within a slice" if scan.is_slow_stack else "")


def _passes(scan: BaseScan) -> bool:
    """Whether frames follow each other at their rate: in a slow stack, slices come between."""
    return scan.stack.mode != "slow"


def _fields(scan: BaseScan) -> str:
    of = f" of {words.counted(scan.num_rois, 'ROI')}" if scan.is_multiROI else ""
    return f"{scan.num_fields}{of}"


# --------------------------------------------------------------------------- notebooks


def scan_html(scan: BaseScan) -> str:
    """A recording as a small table, with what was found when it was opened."""
    said = facts(scan)
    found = [(finding.severity.capitalize(), finding.sentence) for finding in scan.findings]
    return table_html(said.pop("Recording"), [*said.items(), *found])
