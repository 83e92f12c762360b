"""The command that shows a recording at a glance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import typer

from scanreader.cli import line_scans
from scanreader.cli.each import InputRecording, named_recordings, run_each
from scanreader.cli.printing import as_json, print_facts, print_json
from scanreader.cli.sources import Depths, Dz, Json, PlaneOptions, Planes, Raw, Several, Siblings
from scanreader.files.urls import recording_name
from scanreader.notices import listening
from scanreader.recording.atlab import requested_frames
from scanreader.recording.planes import levels
from scanreader.tables import counted
from scanreader.texts import on_one_line
from scanreader.view import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.scans import Scan

CLOCKS_AGREE = 0.01  # a relative difference of timestamps and the header's rate up to this is not shown


def info(
    sources: Several,
    *,
    planes: Planes = None,
    depths: Depths = None,
    dz: Dz = None,
    json: Json = False,
    raw: Raw = False,
    siblings: Siblings = False,
) -> None:
    """Show a recording at a glance; of several, a line each.

    It takes as long for a million frames as for ten. Warnings are listed with it. Of several recordings, --json prints
    a line each.

    Example: scanreader info 'my_scan_*.tif'
    """
    with listening(_ignore_warning):
        line_scan = line_scans.line_scan_of(
            sources, {"--raw": raw, "--siblings": siblings, "--planes": planes is not None}
        )
    if line_scan is not None:
        if json:
            print_json(line_scans.facts_of(line_scan))
        else:
            print_facts(line_scans.facts_in_words(line_scan))
        return
    plane_options = PlaneOptions(planes, depths, dz)
    options: dict[str, Any] = {"raw": raw, "siblings": siblings, "warn": False, "plane_options": plane_options}
    (recording, *other_recordings) = recordings = named_recordings(sources, **options)
    if other_recordings:

        def show(scan: Scan, recording: InputRecording) -> int:
            typer.echo(as_json(facts(scan)) if json else on_one_line(f"{recording.title}: {summary(scan)}"))
            return 0

        raise typer.Exit(run_each(recordings, show, json=json, **options))
    scan = recording.opened()
    if json:
        print_json(facts(scan))
    else:
        print_facts(facts_in_words(scan))


def _ignore_warning(_: str) -> None:
    """Warnings are findings, which are among the facts."""


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
        "depths_um": [level.depth for level in levels(scan.opened)],
        "flyback_frames": scan.layout.counts.flyback,
        "channels": scan.channel_numbers,
        "channel_names": scan.channel_names,
        "channel_inputs": [channel_input._asdict() for channel_input in scan.channel_inputs],
        "frames": scan.num_frames,
        "requested_frames": requested_frames(scan),
        "bouts": [
            {
                "frames": [bout.frames.start, bout.frames.stop],
                "start_time": None if bout.start_time is None else bout.start_time.isoformat(),
                "offset_s": bout.offset,
                "clock": bout.clock,
                "files": bout.files,
                "complete": bout.complete,
            }
            for bout in scan.bouts
        ],
        "rate_hz": scan.fps,
        "duration_s": words.duration(scan),
        "dtype": str(scan.dtype),
        "bytes": scan.nbytes,
        "photostim_groups": words.num_photostim_groups(scan),
        "integration_rois": words.names_of_integration_rois(scan),
        "side_files": scan.side_files,
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
        "fields": f"{words.fields(scan)} at {counted(len(levels(scan.opened)), 'depth')}",
        "depths": words.depths(scan),
        "size": words.sizes(scan.fields),
        "channels": ", ".join(words.channels(scan)),
        "inputs": words.inputs(scan),
        "multiplexing": words.multiplexing(scan),
        "frames": words.frames(scan),
        "bouts": words.bouts(scan),
        "rate": _rate(scan),
        "duration": _duration(scan, numbers["duration_s"]),
        "pixels": words.pixels(scan),
        "beside": words.beside(scan),
        **sentences,
    }


def summary(scan: Scan) -> str:
    """Facts of a recording in one line."""
    warnings = sum(not finding.is_note for finding in scan.findings)
    parts = [
        words.start(scan, "minutes"),
        words.mode(scan),
        f"{counted(scan.num_fields, 'field')}: {'; '.join(words.sizes(scan.fields))}",
        counted(scan.num_channels, "channel"),
        counted(len(scan.bouts), "bout") if len(scan.bouts) > 1 else "",
        f"{words.frames(scan)} frames",
        words.rate(scan),
        words.span(seconds) if (seconds := words.duration(scan)) >= 0 else "",
        counted(warnings, "warning") if warnings else "",
    ]
    return ", ".join(filter(None, parts))


def _rate(scan: Scan) -> str:
    rate = words.rate(scan)
    if not rate:
        return "unknown"
    raw_frame_rate = scan.scan_frame_rate
    raw_text = (
        f", raw frames at {raw_frame_rate:.6g} Hz"
        if math.isfinite(raw_frame_rate) and not math.isclose(raw_frame_rate, scan.fps)
        else ""
    )
    return f"{rate}{raw_text}"


def _duration(scan: Scan, seconds: float) -> str:
    if math.isnan(seconds):
        return ""
    by_rate = words.duration_by_rate(scan)
    if scan.stack.mode == "slow":
        by_rate *= scan.num_scanning_depths
    has_pauses = math.isfinite(by_rate) and seconds > by_rate + max(CLOCKS_AGREE * by_rate, words.period(scan))
    return words.span(seconds) + (f" from first to last, {words.span(by_rate)} of frames" if has_pauses else "")
