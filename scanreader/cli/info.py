"""The command that shows a recording at a glance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scanreader.cli.printing import print_facts, print_json
from scanreader.cli.sources import Json, Raw, Sources, open_scan
from scanreader.files.urls import recording_name
from scanreader.view import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.scans import Scan

CLOCKS_AGREE = 0.01  # a relative difference of timestamps and the header's rate up to this is not shown


def info(sources: Sources, *, json: Json = False, raw: Raw = False) -> None:
    """Show a recording at a glance.

    It takes as long for a million frames as for ten. Warnings are listed with it.

    Example: scanreader info 'my_scan_*.tif'
    """
    scan = open_scan(sources, raw=raw, warn=False)
    if json:
        print_json(facts(scan))
    else:
        print_facts(facts_in_words(scan))


# ----------------------------------------------------------------------- for programs


def facts(scan: Scan) -> dict[str, Any]:
    """Facts of a recording as numbers and names, in SI units but for µm."""
    return {
        "files": scan.filenames,
        "file_bytes": words.bytes_on_disk(scan),
        "release": scan.release,
        "start_time": None if scan.start_time is None else scan.start_time.isoformat(),
        "mode": scan.stack.mode,
        "multi_roi": scan.is_multiROI,
        "resonant": scan.is_resonant,
        "bidirectional": scan.is_bidirectional,
        "scanner_frequency_hz": scan.scanner_frequency,
        "zoom": scan.zoom,
        "averaging": scan.stack.averaging,
        "rois": scan.num_rois,
        "fields": scan.num_fields,
        "field_heights": scan.field_heights,
        "field_widths": scan.field_widths,
        "field_heights_um": scan.field_heights_in_microns,
        "field_widths_um": scan.field_widths_in_microns,
        "depths_um": scan.scanning_depths,
        "flyback_frames": scan.layout.counts.flyback,
        "channels": scan.channel_numbers,
        "channel_names": scan.channel_names,
        "frames": scan.num_frames,
        "requested_frames": scan.num_requested_frames,
        "rate_hz": scan.fps,
        "duration_s": words.duration(scan),
        "dtype": str(scan.dtype),
        "bytes": scan.nbytes,
        "findings": [finding._asdict() for finding in scan.findings],
    }


# ------------------------------------------------------------------------ for people


def facts_in_words(scan: Scan) -> dict[str, str | Sequence[str]]:
    """Facts of a recording in words."""
    numbers = facts(scan)
    sentences: dict[str, list[str]] = {}
    for finding in scan.findings:
        sentences.setdefault(finding.severity, []).append(finding.sentence)
    return {
        "recording": recording_name(scan.filenames),
        "folder": words.folder(scan),
        "files": f"{len(scan.filenames)}, {words.size(numbers['file_bytes'])}",
        "release": f"ScanImage {scan.release}" if scan.release else "unknown",
        "began": words.start(scan, "milliseconds"),
        "mode": words.mode(scan),
        "scanner": words.scanner(scan),
        "fields": f"{words.fields(scan)} at {words.counted(scan.num_scanning_depths, 'depth')}",
        "depths": words.depths(scan),
        "size": words.sizes(scan.fields),
        "channels": ", ".join(words.channels(scan)),
        "frames": words.frames(scan),
        "rate": _rate(scan),
        "duration": _duration(scan, numbers["duration_s"]),
        "pixels": words.pixels(scan),
        **sentences,
    }


def _rate(scan: Scan) -> str:
    rate = words.rate(scan)
    if not rate:
        return "unknown"
    raw = scan.scan_frame_rate
    raw_rate = f", raw frames at {raw:.6g} Hz" if math.isfinite(raw) and not math.isclose(raw, scan.fps) else ""
    return f"{rate}{raw_rate}"


def _duration(scan: Scan, seconds: float) -> str:
    if math.isnan(seconds):
        return ""
    by_rate = words.duration_by_rate(scan)
    if scan.stack.mode == "slow":
        by_rate *= scan.num_scanning_depths
    has_pauses = math.isfinite(by_rate) and seconds > by_rate + max(CLOCKS_AGREE * by_rate, words.period(scan))
    return words.span(seconds) + (f" from first to last, {words.span(by_rate)} of frames" if has_pauses else "")
