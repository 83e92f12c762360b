"""Findings about a whole recording, each with a name, a severity, a place and a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import Finding, ScanReaderError
from scanreader.notices import listening
from scanreader.recording.frames import in_chunks
from scanreader.scanimage.descriptions import NUMBERS_END, frame_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from scanreader.recording.base import BaseScan

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


def check(scan: BaseScan) -> Report:
    """Look at the IFD and the description of every page; see `Scan.check`."""
    noticed: list[str] = []
    with listening(noticed.append):  # it is among the findings
        found = _found(scan)
    again = {(finding.name, finding.place) for finding in found}
    once = [*(finding for finding in scan.findings if (finding.name, finding.place) not in again), *found]
    worst = list(MARKS)[::-1]
    return Report(repr(scan), tuple(sorted(dict.fromkeys(once), key=lambda finding: worst.index(finding.severity))))


def _found(scan: BaseScan) -> list[Finding]:
    found: list[Finding] = [*_pages(scan), *_header(scan)]
    try:
        table = scan.frame_table
        if not scan.opened.is_raw:
            found += [*_numbers(scan, table), *_channels(scan, table), *_times(scan, table)]
        found += _flags(scan, table)
    except ScanReaderError as error:
        found.append(Finding("damaged-page", "damage", "", str(error)))
    return found


# --------------------------------------------------------------------------- files


def _pages(scan: BaseScan) -> Iterator[Finding]:
    """Pages that are not where their spacing says, or not what the others are."""
    pages = scan.opened.pages
    uneven = {file.path: len(file.runs) for file in pages.files if len(file.runs) > 1}
    for path, odd, why, mended in pages.odd_pages():
        name = Path(path).name
        if why:
            many = f" ({len(odd)} pages are odd)" if len(odd) > 1 else ""
            yield Finding("damaged-page", "damage", name, f"{why}{many}")
            continue
        if mended:
            yield Finding("broken-pointer", "warning", name, mended)
            continue
        uneven.pop(path, None)
        said = f"page {odd[0]} of {name} is not where the spacing of its file's pages says; all are found"
        yield Finding("uneven-spacing", "note", name, said)
    for path, runs in uneven.items():
        name = Path(path).name
        said = f"the pages of {name} are not evenly spaced ({runs} runs); all are found"
        yield Finding("uneven-spacing", "note", name, said)


# --------------------------------------------------------------------------- frames


def _acquisitions(scan: BaseScan, table: Table) -> npt.NDArray[np.int64]:
    """Which acquisition each row is of, counted: by the names of the files and by ScanImage's numbers."""
    parts = [(part.recording, part.acquisition) for part in scan.opened.parts]
    of_file = np.array([list(dict.fromkeys(parts)).index(part) for part in parts], np.int64)[table["file"]]
    number = table["acquisition_number"]
    begins = (np.diff(of_file) != 0) | ((np.diff(number) != 0) & (number[1:] >= 0) & (number[:-1] >= 0))
    return np.append(0, np.cumsum(begins))


def _recordings(scan: BaseScan, table: Table) -> npt.NDArray[np.int64]:
    """Which recording each row is of, where several were joined."""
    of_file: npt.NDArray[np.int64] = np.array([part.recording for part in scan.opened.parts])
    return np.asarray(of_file[table["file"]])


def _numbers(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """Frames whose numbers do not follow each other, and acquisitions that follow each other."""
    a = scan.stack.averaging
    rows = np.flatnonzero(table["frame_number"] >= 0)
    number, acquisition = table["frame_number"][rows], _acquisitions(scan, table)
    if len(rows) > 1 and (number != number[0]).any():
        step, due = np.diff(number), a * np.diff(rows)
        again, other = np.diff(acquisition[rows]) != 0, np.diff(_recordings(scan, table)[rows]) != 0
        # Between acquisitions raw frames that were too few to be averaged are not saved.
        odd = np.flatnonzero((step != due) & ~(again & (step > due) & (step < due + a)) & ~other)
        jumps = (_jump(scan, table, int(rows[i]), int(rows[i + 1])) for i in odd)
        yield from _capped(jumps, len(odd), "jumps of frame numbers")
    if 0 < len(rows) < len(table):
        said = f"{len(table) - len(rows)} of {len(table)} frames say no frame number"
        yield Finding("no-frame-numbers", "warning", "", said)
    if acquisition.any() and scan.stack.mode != "slow":
        said = f"{acquisition[-1] + 1} acquisitions follow each other; in a loop, their clock and frame numbers run on"
        yield Finding("several-acquisitions", "note", "", said)


def _channels(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """Channels of a frame that say another number than its first."""
    pages = scan.opened.pages
    rows = np.flatnonzero((table["volume"] >= 0) & (table["frame_number"] >= 0))
    firsts = pages.starts[table["file"][rows]] + table["page"][rows]
    for channel in range(1, scan.layout.counts.channels):
        for start, texts in in_chunks(pages, firsts + channel, NUMBERS_END):
            for row, text in zip(rows[start:].tolist(), texts, strict=False):
                said = frame_numbers(text).frame
                if said is not None and said != table["frame_number"][row]:
                    name = Path(scan.filenames[table["file"][row]]).name
                    sentence = (
                        f"page {table['page'][row] + channel} of {name} is of frame {said}, that of its first "
                        f"channel of frame {table['frame_number'][row]}: channels are in each other's places"
                    )
                    yield Finding("mixed-channels", "damage", name, sentence)
                    return


def _jump(scan: BaseScan, table: Table, row: int, following: int) -> Finding:
    """What is between a row and the next one that has a number."""
    a, before, after = scan.stack.averaging, int(table["frame_number"][row]), int(table["frame_number"][following])
    files = [int(table["file"][i]) for i in (row, following)]
    here, there = (Path(scan.filenames[file]).name for file in files)
    where = f"between {here} and {there}" if files[0] != files[1] else f"in {here}"
    many = (after - before) // a - (following - row)
    if many <= 0:
        said = f"frame {after} comes behind frame {before} {where}"
        return Finding("doubled-frames", "warning", there, said)
    said = f"{many} frame{'s are' if many > 1 else ' is'} missing {where}, between frames {before} and {after}"
    parts = [scan.opened.parts[file] for file in files]
    skipped = files[0] != files[1] and parts[1].number not in (None, parts[1].number_after(parts[0]))
    return Finding("missing-file" if skipped else "dropped-frames", "warning", there, said)


def _times(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """Stamps that do not follow each other as the frames do, and rates that differ from the header's."""
    stamp, number, a = table["timestamp"], table["frame_number"], scan.stack.averaging
    step = np.diff(stamp)
    unnumbered = (number < 0).all()
    follows = ((np.diff(number) == a) & (number[:-1] >= 0)) | unnumbered
    if scan.stack.mode == "slow":  # the stage moves between slices
        follows &= (np.diff(table["slice"]) == 0) & (table["slice"][1:] >= 0) & (np.diff(table["repeat"]) == 1)
    follows &= np.diff(_acquisitions(scan, table)) == 0
    inside = step[follows & np.isfinite(step)]
    if not len(inside):
        return
    period = float(np.median(inside))
    back = np.flatnonzero((step <= 0) & follows)
    gaps = np.flatnonzero((step > GAP * period) & follows & (period > 0))
    yield from _capped((_gap(scan, table, int(i)) for i in gaps), len(gaps), "gaps in time")
    yield from _capped((_gap(scan, table, int(i)) for i in back), len(back), "places where time goes back")
    said, rate = a / scan.scan_frame_rate if scan.scan_frame_rate else math.nan, 1 / period if period > 0 else math.nan
    if 0 < said < math.inf and math.isfinite(rate) and abs(period / said - 1) > RATE:
        yield Finding(
            "rate-mismatch",
            "note",
            "",
            f"frames follow each other at {rate:.6g} Hz by their times and at {1 / said:.6g} Hz by the header; "
            "timestamps are right",
        )


def _gap(scan: BaseScan, table: Table, row: int) -> Finding:
    before, after = table["timestamp"][row], table["timestamp"][row + 1]
    name = Path(scan.filenames[table["file"][row + 1]]).name
    said = f"{after - before:.6g} s from the frame at {before:.6g} s to the next, whose number follows, in {name}"
    return Finding("time-gap", "warning", name, said)


def _flags(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """The flags of single frames, and how the recording ends."""
    ends, over = table["end_of_acquisition"], int((table["dc_overvoltage"] == 1).sum())
    asked = scan.num_requested_frames
    if over:
        yield Finding("dc-overvoltage", "note", "", f"the digitizer's input was over its range in {over} frames")
    if len(ends) and ends[-1] == 0:
        yield Finding("no-end-flag", "note", "", "the last frame is not marked as the end of an acquisition")
    here = scan.layout.num_frames
    if math.isfinite(asked) and here < asked:
        said = f"{here} frames are here, {asked:g} were asked for: it was stopped, or its end is missing"
        yield Finding("fewer-frames", "note", "", said)
    if scan.start_time is None and "epoch" not in scan.settings and np.isfinite(table["timestamp"]).any():
        yield Finding("no-start-time", "note", "", "when the recording began is not said, or not by a sound clock")


# --------------------------------------------------------------------------- header


def _header(scan: BaseScan) -> Iterator[Finding]:
    """Settings that disagree with each other."""
    flyback = scan.settings.get("hScan2D.flybackTimePerFrame")
    known = (flyback, scan.scan_frame_period, scan.seconds_per_line, scan.scanner_frequency)
    if not scan.is_resonant or not all(isinstance(n, (int, float)) and 0 <= n < math.inf for n in known):
        return
    if not scan.seconds_per_line:
        return
    averaged = 1 if math.isnan(scan.lines_averaged) else scan.lines_averaged
    periods = math.ceil(float(flyback) * scan.scanner_frequency * (1 - 1e-4))
    lines = scan.opened.pages.form.height * averaged + periods * (2 if scan.is_bidirectional else 1)
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
