"""The command that looks for damage and problems in a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from scanreader.cli.each import InputRecording, named_recordings, run_each
from scanreader.cli.messages import errors_as_messages
from scanreader.cli.printing import as_json, print_facts, print_json, print_table, spinner
from scanreader.cli.sources import Json, Raw, Several, Siblings, num_pages

if TYPE_CHECKING:
    from scanreader.check import Report
    from scanreader.scans import Scan

OK, PROBLEMS, DAMAGED = 0, 1, 2
"""The exit codes."""


def check(sources: Several, *, json: Json = False, raw: Raw = False, siblings: Siblings = False) -> None:
    """Check every page for anything that is missing, duplicated, damaged or odd.

    The exit code is 0 if the recording is ok, 1 if there are warnings, and 2 if it is damaged or cannot be
    opened; of several recordings, that of the worst. Notes do not count as warnings. Of several recordings, a line each
    is printed, also with --json.

    Example: scanreader check 'my_scan_*.tif' || echo "look at this one"
    """
    options = {"raw": raw, "siblings": siblings, "warn": False}
    with errors_as_messages(DAMAGED):
        (recording, *other_recordings) = recordings = named_recordings(sources, **options)
        if other_recordings:
            job = _print_line_of_json if json else _print_line
            raise typer.Exit(run_each(recordings, job, error_code=DAMAGED, json=json, **options))
        scan = recording.opened()
        report = _check_with_spinner(scan)
    if json:
        print_json(facts(scan, report))
    else:
        print_facts(_verdict(recording.title, report))
        rows = [[finding.severity, finding.name, finding.sentence] for finding in report.findings]
        if rows:
            print_table({"severity": False, "name": False, "finding": False}, rows)
    raise typer.Exit(exit_code(report))


def _check_with_spinner(scan: Scan) -> Report:
    with spinner("checking", num_pages(scan)):
        return scan.check()


def facts(scan: Scan, report: Report) -> dict[str, Any]:
    """The result for programs."""
    findings = [finding._asdict() for finding in report.findings]
    return {"files": scan.filenames, "ok": report.ok, "exit_code": exit_code(report), "findings": findings}


def _verdict(title: str, report: Report) -> dict[str, str]:
    code = exit_code(report)
    verdict = {OK: "ok", PROBLEMS: "warning", DAMAGED: "damage"}[code]
    description = {OK: "no problems found", PROBLEMS: "readable, with problems", DAMAGED: "damaged"}[code]
    return {verdict: f"{title}: {description}"}


def _print_line(scan: Scan, recording: InputRecording) -> int:
    """Print the verdict, and the names of what was found, in one line."""
    report = _check_with_spinner(scan)
    names = list(dict.fromkeys(finding.name for finding in report.findings if not finding.is_note))
    name_list = f" ({', '.join(names)})" if names else ""
    print_facts({verdict: f"{sentence}{name_list}" for verdict, sentence in _verdict(recording.title, report).items()})
    return exit_code(report)


def _print_line_of_json(scan: Scan, _: InputRecording) -> int:
    report = _check_with_spinner(scan)
    typer.echo(as_json(facts(scan, report)))
    return exit_code(report)


def exit_code(report: Report) -> int:
    """The worst of the findings as an exit code."""
    if any(finding.severity == "damage" for finding in report.findings):
        return DAMAGED
    return OK if report.ok else PROBLEMS
