"""The command that checks whether a recording is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from scanreader.cli.messages import errors_as_messages
from scanreader.cli.printing import print_facts, print_json, print_table, spinner
from scanreader.cli.sources import Json, Raw, Sources, num_pages, open_scan
from scanreader.files.urls import recording_name

if TYPE_CHECKING:
    from scanreader.check import Report

SOUND, ODD, DAMAGED = 0, 1, 2
"""The exit codes."""


def check(sources: Sources, *, json: Json = False, raw: Raw = False) -> None:
    """Check every page for anything that is missing, duplicated, damaged or odd.

    The exit code is 0 if the recording is sound, 1 if there are warnings, and 2 if it is damaged or cannot be
    opened. Notes do not count as warnings: sound recordings have them too.

    Example: scanreader check 'my_scan_*.tif' || echo "look at this one"
    """
    with errors_as_messages(DAMAGED):
        scan = open_scan(sources, raw=raw, warn=False)
        with spinner("checking", num_pages(scan)):
            report = scan.check()
    code = exit_code(report)
    if json:
        findings = [finding._asdict() for finding in report.findings]
        print_json({"files": scan.filenames, "ok": report.ok, "exit_code": code, "findings": findings})
    else:
        verdict = {SOUND: "sound", ODD: "warning", DAMAGED: "damage"}[code]
        description = {SOUND: "sound", ODD: "readable, but not sound", DAMAGED: "damaged"}[code]
        print_facts({verdict: f"{recording_name(scan.filenames)} is {description}"})
        rows = [[finding.severity, finding.name, finding.sentence] for finding in report.findings]
        if rows:
            print_table({"severity": False, "name": False, "finding": False}, rows)
    raise typer.Exit(code)


def exit_code(report: Report) -> int:
    """The worst of the findings as an exit code."""
    if any(finding.severity == "damage" for finding in report.findings):
        return DAMAGED
    return SOUND if report.ok else ODD
