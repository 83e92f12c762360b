"""Findings about a recording from all its pages, each with a name, a severity, a place and a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import Finding, ScanReaderError
from scanreader.notices import listening
from scanreader.recording.atlab import requested_frames
from scanreader.recording.frames import in_chunks
from scanreader.recording.numbering import damaged_number
from scanreader.scanimage.descriptions import NUMBERS_END, frame_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from scanreader.recording.base import BaseScan

    Table = npt.NDArray[np.void]

GAP = 1.5  # frame periods between two timestamps that count as a gap: real recordings stay below 1.01
RATE = 0.01  # relative difference between the rates of header and timestamps: real recordings have 1e-4
PERIOD = 0.5  # lines between the header's frame period and the page's lines: one real header is 0.5 off
MOST_LISTED = 5  # findings of a kind that are listed one by one; more are counted
MARKS = {"note": "·", "warning": "!", "damage": "✗"}


@dataclass(frozen=True)
class Report:
    """Result of `Scan.check`.

    Attributes
    ----------
    scan : str
        The recording, as `repr` shows it.
    findings : tuple of Finding
        The worst first.
    """

    scan: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no warning and no damage; notes do not count."""
        return all(finding.is_note for finding in self.findings)

    @property
    def names(self) -> list[str]:
        """Names of the findings, each once."""
        return list(dict.fromkeys(finding.name for finding in self.findings))

    def __str__(self) -> str:
        verdict = "ok" if self.ok else "not ok"
        lines = [f"{self.scan}: {verdict}"]
        lines += [f"  {MARKS[f.severity]} {f.name}: {f.sentence}" for f in self.findings]
        return "\n".join(lines)


def check(scan: BaseScan) -> Report:
    """Look at the IFD and the description of every page; see `Scan.check`."""
    messages: list[str] = []
    with listening(messages.append):  # the findings say the same
        findings = _findings(scan)
    repeated_keys = {(finding.name, finding.place) for finding in findings}
    opening_findings = [finding for finding in scan.findings if (finding.name, finding.place) not in repeated_keys]
    distinct_findings = dict.fromkeys([*opening_findings, *findings])
    severities = list(MARKS)[::-1]
    return Report(repr(scan), tuple(sorted(distinct_findings, key=lambda finding: severities.index(finding.severity))))


def _findings(scan: BaseScan) -> list[Finding]:
    findings: list[Finding] = [*_pages(scan), *_header(scan)]
    try:
        table = scan.frame_table
        if not scan.opened.is_raw:
            findings += [*_numbers(scan, table), *_channels(scan, table), *_times(scan, table)]
        findings += _flags(scan, table)
    except ScanReaderError as error:
        findings.append(Finding("damaged-page", "damage", "", str(error)))
    return [*findings, *_side_files(scan)]


def _side_files(scan: BaseScan) -> Iterator[Finding]:
    """Tables of integration ROIs and of motion that are damaged, or of another recording."""
    for name in ("integration", "motion"):
        if not scan.side_files[name]:
            continue
        sentences: list[str] = []
        try:
            with listening(sentences.append):
                getattr(scan, name)
        except ScanReaderError as error:
            sentences.append(str(error))
        for sentence in sentences:
            yield Finding("side-file", "warning", "", sentence)


# --------------------------------------------------------------------------- files


def _pages(scan: BaseScan) -> Iterator[Finding]:
    """Pages that are not at the place that even spacing predicts, or differ from the others."""
    pages = scan.opened.pages
    runs_by_path = {file.path: len(file.runs) for file in pages.files if len(file.runs) > 1}
    for path, odd_pages, damage, repair in pages.odd_pages():
        name = Path(path).name
        if damage:
            count_text = f" ({len(odd_pages)} pages are odd)" if len(odd_pages) > 1 else ""
            yield Finding("damaged-page", "damage", name, f"{damage}{count_text}")
            continue
        if repair:
            yield Finding("broken-pointer", "warning", name, repair)
            continue
        runs_by_path.pop(path, None)
        sentence = f"page {odd_pages[0]} of {name} is not at the place that even spacing predicts; all pages are found"
        yield Finding("uneven-spacing", "note", name, sentence)
    for path, num_runs in runs_by_path.items():
        name = Path(path).name
        sentence = f"the pages of {name} are not evenly spaced ({num_runs} runs); all pages are found"
        yield Finding("uneven-spacing", "note", name, sentence)


# --------------------------------------------------------------------------- frames


def _acquisitions(scan: BaseScan, table: Table) -> npt.NDArray[np.int64]:
    """Acquisition of each row, counted from 0, by the file names and ScanImage's acquisition numbers."""
    parts = [(part.recording, part.acquisition) for part in scan.opened.parts]
    row_acquisitions = np.array([list(dict.fromkeys(parts)).index(part) for part in parts], np.int64)[table["file"]]
    number = table["acquisition_number"].copy()
    # These numbers are damaged: no acquisition begins there.
    odd_rows = 1 + np.flatnonzero((number[2:] == number[:-2]) & (number[1:-1] != number[:-2]))
    number[odd_rows] = number[odd_rows - 1]
    is_start = (np.diff(row_acquisitions) != 0) | ((np.diff(number) != 0) & (number[1:] >= 0) & (number[:-1] >= 0))
    return np.append(0, np.cumsum(is_start))


def _recordings(scan: BaseScan, table: Table) -> npt.NDArray[np.int64]:
    """Recording of each row, where several were joined."""
    file_recordings: npt.NDArray[np.int64] = np.array([part.recording for part in scan.opened.parts])
    return np.asarray(file_recordings[table["file"]])


def _numbers(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """Jumps of frame numbers, frames without a number, and several acquisitions."""
    right_numbers = _right_numbers(scan, table)
    damaged_rows = np.flatnonzero(right_numbers != table["frame_number"]).tolist()
    damage_findings = (
        _damaged_number(scan, table, row, 0, int(table["frame_number"][row]), int(right_numbers[row]))
        for row in damaged_rows
    )
    yield from _first_findings(damage_findings, len(damaged_rows), "damaged frame numbers")
    rows = np.flatnonzero(right_numbers >= 0)
    number, acquisition = right_numbers[rows], _acquisitions(scan, table)
    if len(rows) > 1 and (number != number[0]).any():
        a = _averaging(scan, table)[rows][1:]
        step, expected = np.diff(number), a * np.diff(rows)
        is_new_acquisition = np.diff(acquisition[rows]) != 0
        is_new_recording = np.diff(_recordings(scan, table)[rows]) != 0
        # At the end of an acquisition, raw frames that are too few for an average are not saved.
        is_unsaved_rest = is_new_acquisition & (step > expected) & (step < expected + a)
        jump_rows = np.flatnonzero((step != expected) & ~is_unsaved_rest & ~is_new_recording)
        jumps = (_jump(scan, table, int(rows[i]), int(rows[i + 1])) for i in jump_rows)
        yield from _first_findings(jumps, len(jump_rows), "jumps of frame numbers")
    if 0 < len(rows) < len(table):
        sentence = f"{len(table) - len(rows)} of {len(table)} frames have no frame number"
        yield Finding("no-frame-numbers", "warning", "", sentence)
    if acquisition.any() and scan.stack.mode != "slow":
        sentence = f"{acquisition[-1] + 1} acquisitions in sequence; in a loop, clock and frame numbers continue"
        yield Finding("several-acquisitions", "note", "", sentence)


def _right_numbers(scan: BaseScan, table: Table) -> npt.NDArray[np.int64]:
    """Frame numbers; where one contradicts those before and after, which agree with each other, theirs."""
    numbers: npt.NDArray[np.int64] = table["frame_number"].copy()
    step = np.diff(numbers)
    a = _averaging(scan, table)[1:-1]
    odd_rows = 1 + np.flatnonzero((step[:-1] + step[1:] == 2 * a) & (step[:-1] != a) & (numbers[1:-1] >= 0))
    numbers[odd_rows] = numbers[odd_rows - 1] + a[odd_rows - 1]
    return numbers


def _averaging(scan: BaseScan, table: Table) -> npt.NDArray[np.int64]:
    """Raw frames that were averaged into each frame."""
    file_averaging: npt.NDArray[np.int64] = np.array([scan.opened.averaging_of(part) for part in scan.opened.parts])
    return np.asarray(file_averaging[table["file"]])


def _damaged_number(scan: BaseScan, table: Table, row: int, channel: int, number: int, right_number: int) -> Finding:
    """Finding about a page whose frame number contradicts the pages before and after it."""
    name = Path(scan.filenames[table["file"][row]]).name
    return damaged_number(name, int(table["page"][row]) + channel, number, right_number)


def _channels(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """Pages whose frame number differs from that of the frame's first channel."""
    pages, right_numbers, averaging = scan.opened.pages, _right_numbers(scan, table), _averaging(scan, table)
    rows = np.flatnonzero((table["volume"] >= 0) & (right_numbers >= 0))
    first_pages = pages.starts[table["file"][rows]] + table["page"][rows]
    for channel in range(1, scan.layout.counts.channels):
        for start, texts in in_chunks(pages, first_pages + channel, NUMBERS_END):
            for row, text in zip(rows[start:].tolist(), texts, strict=False):
                number = frame_numbers(text).frame
                if number is None or number == right_numbers[row]:
                    continue
                if abs(number - right_numbers[row]) != averaging[row]:  # it is not of the next frame or the one before
                    yield _damaged_number(scan, table, row, channel, number, int(right_numbers[row]))
                    continue
                name = Path(scan.filenames[table["file"][row]]).name
                sentence = (
                    f"page {table['page'][row] + channel} of {name} belongs to frame {number}, but the page of its "
                    f"first channel to frame {right_numbers[row]}: channels are mixed up"
                )
                yield Finding("mixed-channels", "damage", name, sentence)
                return


def _jump(scan: BaseScan, table: Table, row: int, next_row: int) -> Finding:
    """Finding about a jump of frame numbers, between a row and the next that has a number."""
    number_before, number_after = (int(table["frame_number"][i]) for i in (row, next_row))
    a = scan.opened.averaging_of(scan.opened.parts[table["file"][next_row]])
    files = [int(table["file"][i]) for i in (row, next_row)]
    name, next_name = (Path(scan.filenames[file]).name for file in files)
    place_text = f"between {name} and {next_name}" if files[0] != files[1] else f"in {name}"
    num_missing = (number_after - number_before) // a - (next_row - row)
    if num_missing <= 0:
        return Finding(
            "doubled-frames", "warning", next_name, f"frame {number_after} follows frame {number_before} {place_text}"
        )
    count = f"{num_missing} frame{'s are' if num_missing > 1 else ' is'}"
    sentence = f"{count} missing {place_text}, between frames {number_before} and {number_after}"
    parts = [scan.opened.parts[file] for file in files]
    is_file_missing = files[0] != files[1] and parts[1].number not in (None, parts[1].number_after(parts[0]))
    return Finding("missing-file" if is_file_missing else "dropped-frames", "warning", next_name, sentence)


def is_consecutive(scan: BaseScan, table: Table) -> npt.NDArray[np.bool_]:
    """Whether each frame but the first follows the one before by its number, at the rate of frames."""
    number = table["frame_number"]
    follows = ((np.diff(number) == _averaging(scan, table)[1:]) & (number[:-1] >= 0)) | bool((number < 0).all())
    if scan.stack.mode == "slow":  # the stage moves between slices
        follows &= (np.diff(table["slice"]) == 0) & (table["slice"][1:] >= 0) & (np.diff(table["repeat"]) == 1)
    return np.asarray(follows)


def _times(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """Gaps between timestamps, and a rate that differs from the header's."""
    step = np.diff(table["timestamp"])
    follows = is_consecutive(scan, table) & (np.diff(_acquisitions(scan, table)) == 0)
    periods = step[follows & np.isfinite(step)]
    if not len(periods):
        return
    recordings = _recordings(scan, table)[1:]  # each has a rate of its own
    own_periods = np.zeros(len(step))
    for recording in np.unique(recordings):
        is_of_recording = recordings == recording
        intervals = step[is_of_recording & follows & np.isfinite(step)]
        own_periods[is_of_recording] = np.median(intervals) if len(intervals) else 0
    reversals = np.flatnonzero((step <= 0) & follows)
    gaps = np.flatnonzero((step > GAP * own_periods) & follows & (own_periods > 0))
    yield from _first_findings((_gap(scan, table, int(i)) for i in gaps), len(gaps), "gaps in time")
    yield from _first_findings(
        (_gap(scan, table, int(i)) for i in reversals), len(reversals), "places where time goes back"
    )
    expected = scan.stack.averaging / scan.scan_frame_rate if scan.scan_frame_rate else math.nan
    period = float(own_periods[0])
    if 0 < expected < math.inf and period > 0 and abs(period / expected - 1) > RATE:
        yield Finding(
            "rate-mismatch",
            "note",
            "",
            f"the frame rate is {1 / period:.6g} Hz by the timestamps and {1 / expected:.6g} Hz by the header; the "
            "timestamps are right",
        )


def _gap(scan: BaseScan, table: Table, row: int) -> Finding:
    time_before, time_after = table["timestamp"][row], table["timestamp"][row + 1]
    name = Path(scan.filenames[table["file"][row + 1]]).name
    sentence = (
        f"{time_after - time_before:.6g} s from the frame at {time_before:.6g} s to the next by frame number, in {name}"
    )
    return Finding("time-gap", "warning", name, sentence)


def _flags(scan: BaseScan, table: Table) -> Iterator[Finding]:
    """Flags of single frames, and the end and start of the recording."""
    ends, num_clipped = table["end_of_acquisition"], int((table["dc_overvoltage"] == 1).sum())
    frames, requested = scan.layout.num_frames, requested_frames(scan)
    if num_clipped:
        yield Finding("dc-overvoltage", "note", "", f"the digitizer's input exceeded its range in {num_clipped} frames")
    if len(ends) and ends[-1] == 0:
        yield Finding("no-end-flag", "note", "", "the last frame is not marked as the end of an acquisition")
    if math.isfinite(requested) and frames < requested:
        sentence = f"{frames} of {requested:g} requested frames: {_reason(scan, int(ends[-1]) if len(ends) else -1)}"
        yield Finding("fewer-frames", "note", "", sentence)
    if scan.start_time is None and "epoch" not in scan.settings and np.isfinite(table["timestamp"]).any():
        yield Finding("no-start-time", "note", "", "the recording has no start time, or an impossible one")


def _reason(scan: BaseScan, end: int) -> str:
    """Why a recording has fewer frames than were requested, by the end flag of its last frame; -1 if unknown.

    A recording that was stopped has no end flag (section 2.6 of the format reference); a slow stack has one in each
    slice.
    """
    incomplete_names = [Path(bout.files[0]).name for bout in scan.bouts if not bout.complete]
    if len(scan.opened.bouts) > 1 and incomplete_names:
        name_list = ", ".join(incomplete_names[:MOST_LISTED]) + (", …" if len(incomplete_names) > MOST_LISTED else "")
        return f"incomplete are the acquisitions that begin with {name_list}"
    if end == 1 and scan.stack.mode != "slow":
        return "its end is there, so frames before it are missing"
    return "the recording was stopped, or its end is missing"


# --------------------------------------------------------------------------- header


def _header(scan: BaseScan) -> Iterator[Finding]:
    """Settings that disagree with each other."""
    flyback = scan.settings.get("hScan2D.flybackTimePerFrame")
    numbers = (flyback, scan.scan_frame_period, scan.seconds_per_line, scan.scanner_frequency)
    if not scan.is_resonant or not all(isinstance(n, (int, float)) and 0 <= n < math.inf for n in numbers):
        return
    if not scan.seconds_per_line:
        return
    lines_averaged = 1 if math.isnan(scan.lines_averaged) else scan.lines_averaged
    periods = math.ceil(float(flyback) * scan.scanner_frequency * (1 - 1e-4))
    lines = scan.opened.pages.form.height * lines_averaged + periods * (2 if scan.is_bidirectional else 1)
    lines_by_periods = scan.scan_frame_period / scan.seconds_per_line
    if abs(lines_by_periods - lines) > PERIOD:
        sentence = (
            f"a frame takes {lines_by_periods:.6g} lines by the header's periods, but {lines:g} by page and flyback"
        )
        yield Finding("period-mismatch", "note", "", sentence)


def _first_findings(findings: Iterable[Finding], count: int, noun: str) -> Iterator[Finding]:
    """Give the first few findings, and the number of the others: a recording may have a million."""
    finding: Any = None
    for _, finding in zip(range(MOST_LISTED), findings, strict=False):
        yield finding
    if count > MOST_LISTED:
        yield Finding(finding.name, finding.severity, "", f"{count - MOST_LISTED} more {noun}")
