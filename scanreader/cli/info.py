"""The command that shows a recording at a glance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scanreader.cli.printing import print_facts, print_json
from scanreader.cli.sources import Json, Raw, Sources, open_scan
from scanreader.files.urls import file_name
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


def recording_name(scan: Scan) -> str:
    """Name of a recording: that of its file, or of its first and last."""
    names = [file_name(path) for path in scan.filenames]
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


# ----------------------------------------------------------------------- for programs


def facts(scan: Scan) -> dict[str, Any]:
    """Facts of a recording as numbers and names, in SI units but for µm."""
    return {
        "files": scan.filenames,
        "file_bytes": _bytes(scan),
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


def _bytes(scan: Scan) -> int:
    return sum(file.size for file in scan.opened.pages.files)


# ------------------------------------------------------------------------ for people


def facts_in_words(scan: Scan) -> dict[str, str | Sequence[str]]:
    """Facts of a recording in words."""
    numbers = facts(scan)
    sentences: dict[str, list[str]] = {}
    for finding in scan.findings:
        sentences.setdefault(finding.severity, []).append(finding.sentence)
    return {
        "recording": recording_name(scan),
        "folder": words.folder(scan),
        "files": f"{len(scan.filenames)}, {words.size(numbers['file_bytes'])}",
        "release": f"ScanImage {scan.release}" if scan.release else "unknown",
        "began": "" if scan.start_time is None else scan.start_time.isoformat(" ", "milliseconds"),
        "mode": words.mode(scan),
        "scanner": words.scanner(scan),
        "fields": _fields(scan),
        "depths": words.depths(scan),
        "size": words.sizes(scan.fields),
        "channels": ", ".join(words.channels(scan)),
        "frames": words.frames(scan),
        "rate": _rate(scan),
        "duration": _duration(scan, numbers["duration_s"]),
        "pixels": f"{scan.dtype}, {words.size(scan.nbytes)} in memory",
        **sentences,
    }


def _fields(scan: Scan) -> str:
    depths = words.counted(scan.num_scanning_depths, "depth")
    rois = f" of {words.counted(scan.num_rois, 'ROI')}" if scan.is_multiROI else ""
    return f"{scan.num_fields}{rois} at {depths}"


def _rate(scan: Scan) -> str:
    if not math.isfinite(scan.fps) or not scan.fps:
        return "unknown"
    raw = scan.scan_frame_rate
    raw_rate = f", raw frames at {raw:.6g} Hz" if math.isfinite(raw) and not math.isclose(raw, scan.fps) else ""
    within_slice = " within a slice" if scan.is_slow_stack else ""
    return f"{scan.fps:.6g} Hz{within_slice}{raw_rate}"


def _duration(scan: Scan, seconds: float) -> str:
    if math.isnan(seconds):
        return ""
    by_rate = scan.num_frames / scan.fps if scan.fps else math.nan
    if scan.stack.mode == "slow":
        by_rate *= scan.num_scanning_depths
    has_pauses = math.isfinite(by_rate) and seconds > by_rate + max(CLOCKS_AGREE * by_rate, words.period(scan))
    return words.span(seconds) + (f" from first to last, {words.span(by_rate)} of frames" if has_pauses else "")
