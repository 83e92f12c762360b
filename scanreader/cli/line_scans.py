"""Line scans in the commands: which sources are one, and its facts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanreader.errors import ScanKeyError
from scanreader.files.urls import file_name, folder_name
from scanreader.line_scans import read_line_scan
from scanreader.scanimage.line_suffixes import META, SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scanreader.line_scans import LineScan

MOST_NAMED = 4  # files


def line_scan_of(sources: Sequence[str], options: Mapping[str, Any]) -> LineScan | None:
    """Open the line scan that was named, by its files or the start of their names; None if it is none.

    Parameters
    ----------
    sources : sequence of str
    options : dict
        Options that line scans do not have, by name, with whether each was given.

    Raises
    ------
    ScanKeyError
        If one was given.
    """
    bases = set()
    for source in sources:
        suffix = next((suffix for suffix in SUFFIXES if source.endswith(suffix)), "")
        if not suffix and not Path(f"{source}{META}").is_file():
            return None
        bases.add(source.removesuffix(suffix))
    if len(bases) != 1:
        return None
    for name, is_given in options.items():
        if is_given:
            raise ScanKeyError(f"{name} is not for line scans: leave it out")
    return read_line_scan(sources[0])


def facts_of(scan: LineScan) -> dict[str, Any]:
    """Facts of a line scan as numbers and names, in SI units."""
    cycles, samples, _ = scan.data.shape
    return {
        "files": scan.filenames,
        "release": scan.release,
        "mode": "line scan",
        "cycles": cycles,
        "samples": samples,
        "channels": scan.channel_numbers,
        "channel_names": scan.channel_names,
        "rate_hz": scan.rate,
        "cycle_rate_hz": scan.cycle_rate,
        "duration_s": cycles / scan.cycle_rate,
        "positions": None if scan.positions is None else list(scan.positions.shape),
        "position_rate_hz": scan.position_rate,
        "path": [
            {
                "name": roi.name,
                "function": roi.stimulus.function,
                "samples": None if roi.samples is None else [roi.samples.start, roi.samples.stop],
            }
            for roi in scan.rois
        ],
        "findings": [finding._asdict() for finding in scan.findings],
    }


def facts_in_words(scan: LineScan) -> dict[str, str | Sequence[str]]:
    """Facts of a line scan in words."""
    sentences: dict[str, list[str]] = {}
    for finding in scan.findings:
        sentences.setdefault(finding.severity, []).append(finding.sentence)
    facts = {name.lower(): value for name, value in scan.facts().items()}
    recording, release = facts.pop("recording"), facts.pop("scanimage")
    folder, names = folder_name(scan.filenames[0]), ", ".join(map(file_name, scan.filenames))
    return {
        "recording": recording,
        "folder": folder,
        "files": names if len(scan.filenames) <= MOST_NAMED else str(len(scan.filenames)),
        "release": f"ScanImage {release}",
        **facts,
        **sentences,
    }
