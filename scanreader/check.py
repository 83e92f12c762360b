"""Findings about a whole recording, each with a name, a severity, a place and a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import ChangedFileError, DamagedPageError, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from scanreader.scans import Scan

    Table = npt.NDArray[np.void]

GAP = 1.5  # frame periods between two stamps that are a gap: the real recordings stay below 1.01
RATE = 0.01  # relative difference between the header's rate and the stamps': real recordings have 1e-4
PERIOD = 0.5  # lines between the header's frame period and the page's lines: one real header is 0.5 off
SHOWN = 5  # findings of a kind that are given one by one; more are counted
MARKS = {"note": "·", "warning": "!", "damage": "✗"}


@dataclass(frozen=True)
class Report:
    """What `Scan.check` found.

    Attributes
    ----------
    scan : str
        The recording.
    findings : tuple of Finding
        The worst first.
    """

    scan: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; notes, which sound recordings have too, are not."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def names(self) -> list[str]:
        """Names of the findings, each once."""
        return list(dict.fromkeys(finding.name for finding in self.findings))

    def __str__(self) -> str:
        verdict = "sound" if self.ok else "not sound"
        lines = [f"{self.scan}: {verdict}"]
        lines += [f"  {MARKS[f.severity]} {f.name}: {f.sentence}" for f in self.findings]
        return "\n".join(lines)


def check(scan: Scan) -> Report:
    """Look at the IFD and the description of every page; see `Scan.check`."""
    measured = {"dropped-frames", "doubled-frames"}  # found again, one by one, from the frame table
    opening = [finding for finding in scan.findings if finding.name not in measured]
    found: list[Finding] = [*_pages(scan), *_header(scan)]
    try:
        table = scan.frame_table
    except (DamagedPageError, ChangedFileError) as error:
        opening = list(scan.findings)
        found.append(Finding("damaged-page", "damage", "", str(error)))
    else:
        found += [*_numbers(scan, table), *_times(scan, table), *_flags(scan, table)]
    again = {(finding.name, finding.place) for finding in found}
    once = [*(finding for finding in opening if (finding.name, finding.place) not in again), *found]
    severities = list(MARKS)[::-1]
    return Report(repr(scan), tuple(sorted(once, key=lambda finding: severities.index(finding.severity))))


# --------------------------------------------------------------------------- files


def _pages(scan: Scan) -> Iterator[Finding]:
    """Pages that are not where their spacing says, or not what the others are."""
    pages = scan._pages  # noqa: SLF001 - check is a part of Scan
    try:
        odd = pages.odd_pages()
    except (DamagedPageError, ChangedFileError) as error:
        yield Finding("damaged-page", "damage", "", str(error))
        return
    for path in dict.fromkeys(path for path, _ in odd):
        here = [page for odd_path, page in odd if odd_path == path]
        start = int(pages.starts[[file.path for file in pages.files].index(path)])
        name = Path(path).name
        try:
            pages.descriptions(start + np.array(here), 1)
        except DamagedPageError as error:
            many = f" ({len(here)} pages are odd)" if len(here) > 1 else ""
            yield Finding("damaged-page", "damage", name, f"{error}{many}")
        else:
            said = f"page {here[0]} of {name} is not where the spacing of its file's pages says; all are found"
            yield Finding("uneven-spacing", "note", name, said)
    for file in pages.files:
        if len(file.runs) > 1 and Path(file.path).name not in {Path(path).name for path, _ in odd}:
            said = f"the pages of {Path(file.path).name} are not evenly spaced ({len(file.runs)} runs); all are found"
            yield Finding("uneven-spacing", "note", Path(file.path).name, said)


# --------------------------------------------------------------------------- frames


def _numbers(scan: Scan, table: Table) -> Iterator[Finding]:
    """Frames whose numbers do not follow each other, and acquisitions that follow each other."""
    number, a = table["frame_number"], scan.stack.averaging
    known = number >= 0
    if known.all() and len(set(number[:2].tolist())) == min(2, len(number)):
        step = np.diff(number)
        begins = np.diff(table["file"]) != 0
        # Between acquisitions raw frames that were too few to be averaged are not saved.
        again = np.diff(table["acquisition_number"]) != 0
        odd = np.flatnonzero((step != a) & ~(again & (step > a) & (step < 2 * a)))
        yield from _capped(
            (_jump(scan, table, int(i), bool(begins[i])) for i in odd), len(odd), "jumps of frame numbers"
        )
    missing = int((~known).sum())
    if missing and known.any():
        said = f"{missing} of {len(table)} frames say no frame number"
        yield Finding("no-frame-numbers", "warning", "", said)
    acquisitions = len(set(table["acquisition_number"].tolist()))
    if acquisitions > 1 and not scan.is_slow_stack:
        said = f"{acquisitions} acquisitions of a loop follow each other; their clock and frame numbers run on"
        yield Finding("several-acquisitions", "note", "", said)


def _jump(scan: Scan, table: Table, row: int, begins: bool) -> Finding:
    """What is between a row and the next."""
    a, before, after = scan.stack.averaging, int(table["frame_number"][row]), int(table["frame_number"][row + 1])
    here, there = (Path(scan.filenames[table["file"][i]]).name for i in (row, row + 1))
    where = f"between {here} and {there}" if begins else f"in {here}"
    if after <= before + a:
        said = f"frame {after} comes behind frame {before} {where}"
        return Finding("doubled-frames", "warning", there, said)
    many = (after - before) // a - 1
    said = f"{many} frame{'s are' if many > 1 else ' is'} missing {where}, between frames {before} and {after}"
    parts = [part.number for part in scan._parts]  # noqa: SLF001 - check is a part of Scan
    pair = [parts[table["file"][i]] for i in (row, row + 1)]
    skipped = begins and None not in pair and pair[1] not in (1, (pair[0] or 0) + 1)
    return Finding("missing-file" if skipped else "dropped-frames", "warning", there, said)


def _times(scan: Scan, table: Table) -> Iterator[Finding]:
    """Stamps that do not follow each other as the frames do, and rates that differ from the header's."""
    stamp, number, a = table["timestamp"], table["frame_number"], scan.stack.averaging
    step = np.diff(stamp)
    follows = np.diff(number) == a if (number >= 0).all() else np.ones(len(step), bool)
    if scan.stack.mode == "slow":  # the stage moves between slices
        follows &= (np.diff(table["slice"]) == 0) & (table["slice"][1:] >= 0)
        follows &= np.diff(table["repeat"]) == 1
    follows &= np.diff(table["acquisition_number"]) == 0
    inside = step[follows & np.isfinite(step)]
    if not len(inside):
        return
    period = float(np.median(inside))
    back = np.flatnonzero((step <= 0) & follows)
    gaps = np.flatnonzero((step > GAP * period) & follows & (period > 0))
    yield from _capped((_gap(scan, table, int(i)) for i in gaps), len(gaps), "gaps in time")
    yield from _capped((_gap(scan, table, int(i)) for i in back), len(back), "places where time goes back")
    said, rate = a / scan.scan_frame_rate, 1 / period if period > 0 else math.nan
    if math.isfinite(said) and math.isfinite(rate) and abs(period / said - 1) > RATE:
        yield Finding(
            "rate-mismatch",
            "note",
            "",
            f"frames follow each other at {rate:.6g} Hz by their times and at {1 / said:.6g} Hz by the header; "
            "timestamps are right",
        )


def _gap(scan: Scan, table: Table, row: int) -> Finding:
    before, after = table["timestamp"][row], table["timestamp"][row + 1]
    name = Path(scan.filenames[table["file"][row + 1]]).name
    said = f"{after - before:.6g} s from the frame at {before:.6g} s to the next, whose number follows, in {name}"
    return Finding("time-gap", "warning", name, said)


def _flags(scan: Scan, table: Table) -> Iterator[Finding]:
    """The flags of single frames, and how the recording ends."""
    ends, over = table["end_of_acquisition"], int((table["dc_overvoltage"] == 1).sum())
    asked = scan.num_requested_frames
    if over:
        yield Finding("dc-overvoltage", "note", "", f"the digitizer's input was over its range in {over} frames")
    if len(ends) and ends[-1] == 0:
        yield Finding("no-end-flag", "note", "", "the last frame is not marked as the end of an acquisition")
    if math.isfinite(asked) and scan.num_frames < asked:
        said = f"{scan.num_frames} frames are here, {asked:g} were asked for: it was stopped, or its end is missing"
        yield Finding("fewer-frames", "note", "", said)
    if scan.start_time is None and "epoch" not in scan.settings and np.isfinite(table["timestamp"]).any():
        yield Finding("no-start-time", "note", "", "when the recording began is not said, or not by a sound clock")


# --------------------------------------------------------------------------- header


def _header(scan: Scan) -> Iterator[Finding]:
    """Settings that disagree with each other."""
    if scan.is_resonant and scan.scan_frame_period > 0 and scan.seconds_per_line > 0:
        page = scan._pages.form.height * (1 if math.isnan(scan.lines_averaged) else scan.lines_averaged)  # noqa: SLF001
        flyback = float(scan.settings.get("hScan2D.flybackTimePerFrame") or math.nan)
        periods = math.ceil(flyback * scan.scanner_frequency * (1 - 1e-4)) if math.isfinite(flyback) else math.nan
        lines = page + periods * (2 if scan.is_bidirectional else 1)
        said = scan.scan_frame_period / scan.seconds_per_line
        if abs(said - lines) > PERIOD:
            sentence = f"a frame takes {said:.6g} lines by the header's periods, and {lines:g} by its page and flyback"
            yield Finding("period-mismatch", "note", "", sentence)


def _capped(found: Iterable[Finding], many: int, what: str) -> Iterator[Finding]:
    """Give the first few, and how many more there are: a recording may have a million."""
    last: Any = None
    for _, last in zip(range(SHOWN), found, strict=False):
        yield last
    if many > SHOWN:
        yield Finding(last.name, last.severity, "", f"{many - SHOWN} more {what}")
