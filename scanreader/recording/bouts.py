"""Bouts: grabs, and the acquisitions of loops, that are read as one scan; when each began, on one clock.

ScanImage's ``epoch`` is the wall clock of time zero of a grab or loop. Within a loop all acquisitions have the same
epoch, and their timestamps run on; each grab has its own, and its timestamps begin at 0.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from scanreader.errors import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scanreader.recording.numbering import Part

Clock = Literal["frames", "epoch", "given", "unknown"]
MOST_NAMED = 5  # bouts that a finding lists one by one
YEAR_1 = datetime(1, 1, 1)  # noqa: DTZ001 - ScanImage writes no time zone


class BoutStart(NamedTuple):
    """Where a bout begins in the files, and how its timestamps get onto the clock of the scan."""

    part: int
    """The first of its files, counted from 0."""
    origin: int
    """The bout whose clock its timestamps have: itself, or the first acquisition of its loop."""
    milliseconds: int | None
    """`epoch` since the year 1, which takes less of a pickle than a datetime."""
    clock: Clock = "frames"
    first: float = 0.0
    """Timestamp of its first frame, as it is in the file; NaN if there is none."""
    in_loop: bool = False
    """Whether its timestamps run on from another bout, or another's from its."""
    offset: float = 0.0
    """Seconds from time zero of the scan until it began."""
    shift: float = 0.0
    """The time of `zero` on the clock of the scan; NaN if it is unknown."""
    zero: float = 0.0
    """The timestamp that times are counted from, before `shift` is added."""
    raw_rate: float | None = None
    """Raw frames a second by its own header; None if the header of the scan says it."""
    requested: float | None = None
    """Frames of each field that were requested; None if the header of the scan says it."""

    @property
    def epoch(self) -> datetime | None:
        """Clock time of time zero of its timestamps; None if it is missing or impossible."""
        return None if self.milliseconds is None else YEAR_1 + timedelta(milliseconds=self.milliseconds)

    @property
    def start_time(self) -> datetime | None:
        """Clock time when it began; an acquisition of a loop began at its first timestamp."""
        if self.epoch is None or not self.in_loop:
            return self.epoch
        try:
            return self.epoch + timedelta(milliseconds=round(self.first * 1000))
        except (ValueError, OverflowError):  # the timestamp is unknown, or nonsense
            return None

    def __reduce__(self) -> tuple[Any, ...]:  # without the defaults at its end: a scan is pickled in 2 kB
        values, defaults = list(self), list(self._field_defaults.values())
        while defaults and values[-1] == defaults[-1]:
            values.pop()
            defaults.pop()
        return BoutStart, tuple(values)


def find_bouts(
    parts: Sequence[Part],
    begin_of: Callable[[int], tuple[datetime | None, float]],
    end_of: Callable[[int], float],
    bout_starts: Sequence[float] | None,
    findings: list[Finding],
) -> tuple[BoutStart, ...]:
    """Find the bouts of some files, and put them on one clock.

    Parameters
    ----------
    parts : list of Part
        The files, in order.
    begin_of : callable
        Gives, of a file, the clock time of time zero of its timestamps (None if it is missing or impossible), and the
        first timestamp, in s; NaN if there is none.
    end_of : callable
        Gives the last timestamp of a file, in s; NaN if there is none.
    bout_starts : list of float, optional
        For each bout, the time of its first frame, in s. If there are fewer, those of the last bouts are unknown.
    findings : list of Finding
        Bouts whose times are unknown, go back or overlap are appended to it.
    """
    parts_before: list[Part | None] = [None, *parts[:-1]]
    first_files = [
        i
        for i, (part, part_before) in enumerate(zip(parts, parts_before, strict=True))
        if not part.follows(part_before)
    ]
    ends = [end_of(after - 1) for after in [*first_files[1:], len(parts)]]
    bouts: list[BoutStart] = []
    for k, i in enumerate(first_files):
        epoch, first = begin_of(i)
        milliseconds = None if epoch is None else (epoch - YEAR_1) // timedelta(milliseconds=1)
        bout = BoutStart(i, k, milliseconds, first=first)
        if bouts and _runs_on(parts[first_files[k - 1]], bouts[-1], ends[k - 1], parts[i], bout):
            bout = bout._replace(origin=bouts[-1].origin)
        bouts.append(bout)
    counts = Counter(bout.origin for bout in bouts)
    loops = {origin for origin, count in counts.items() if count > 1}
    bouts = [b._replace(in_loop=True, offset=b.first) if b.origin in loops else b for b in bouts]
    if bout_starts is None:
        bouts = _by_epochs(bouts)
    else:
        bouts = [
            _with_given_start(k, bout, end, bout_starts) for k, (bout, end) in enumerate(zip(bouts, ends, strict=True))
        ]
    findings += _findings(bouts, [parts[i].name for i in first_files], ends)
    return tuple(bouts)


def _runs_on(part_before: Part, bout_before: BoutStart, end: float, part: Part, bout: BoutStart) -> bool:
    """Whether the timestamps of a bout run on from those of the bout before, as in a loop."""
    if part.recording != part_before.recording or bout.epoch != bout_before.epoch:  # 3.x has one for each acquisition
        return False
    return part.is_grab is False or not bout.first <= end


def _with_given_start(k: int, bout: BoutStart, last: float, bout_starts: Sequence[float]) -> BoutStart:
    """A bout whose first frame was at a given time."""
    start = bout_starts[k] if k < len(bout_starts) else math.nan
    lacks_first = math.isnan(bout.first) and not math.isnan(last)  # 3.x has no timestamps at all
    clock: Clock = "unknown" if math.isnan(start) or lacks_first else "given"
    return bout._replace(origin=k, clock=clock, offset=start, shift=start, zero=bout.first)


def _by_epochs(bouts: Sequence[BoutStart]) -> list[BoutStart]:
    """Put bouts on the clock of the first one that has an epoch."""
    if all(bout.origin == 0 for bout in bouts):  # they have one clock
        is_alone = len(bouts) == 1 and bouts[0].epoch is not None
        return [bout._replace(clock="epoch") if is_alone else bout for bout in bouts]
    reference = next((bout.epoch for bout in bouts if bout.epoch is not None), None)
    result = []
    for bout in bouts:
        clock: Clock = "epoch"
        if reference is not None and bout.epoch is not None:
            shift = (bout.epoch - reference).total_seconds()
            clock = "frames" if bout.in_loop and bout.epoch == reference else "epoch"
        elif reference is None and bout.origin == 0:  # nothing to relate it to
            shift, clock = 0.0, "frames"
        else:
            shift, clock = math.nan, "unknown"
        result.append(bout._replace(clock=clock, offset=bout.offset + shift, shift=shift))
    return result


def _findings(bouts: Sequence[BoutStart], names: Sequence[str], ends: Sequence[float]) -> list[Finding]:
    """Say which times are unknown, go back or overlap, and how precise they are."""
    findings, epochs = [], []
    for k, (bout, name) in enumerate(zip(bouts, names, strict=True)):
        if bout.clock == "unknown":
            reason = (
                "its start (epoch) is missing or impossible"
                if math.isnan(bout.offset)
                else "its first page has no time"
            )
            sentence = (
                f"when {name} began is unknown, as {reason}: its times are NaN; bout_starts= (seconds at which each "
                "bout's first frame began) gives them"
            )
            findings.append(Finding("unknown-clock", "warning", name, sentence))
        if k and bout.origin == k:
            if bout.clock == "epoch" and any(bout_before.clock != "unknown" for bout_before in bouts[:k]):
                epochs.append(f"{name} {bout.offset:.3f} s")
            findings += _overlap(bouts[k - 1], ends[k - 1], names[k - 1], bout, name)
    if epochs:
        epoch_list = ", ".join(epochs[:MOST_NAMED]) + (", …" if len(epochs) > MOST_NAMED else "")
        sentence = (
            "by the computer's clock (epoch), precise to about a frame, these began after the scan's start: "
            f"{epoch_list}; bout_starts= takes measured times"
        )
        findings.append(Finding("bout-clock", "note", "", sentence))
    return findings


def _overlap(bout_before: BoutStart, last: float, name_before: str, bout: BoutStart, name: str) -> Iterator[Finding]:
    """Finding about a bout that begins before the one before it began or ended."""
    start = time_of(bout, bout.first)
    begin, end = time_of(bout_before, bout_before.first), time_of(bout_before, last)
    verb, instant = ("began", begin) if start < begin or not begin < end else ("ended", end)
    if start <= instant:
        sentence = (
            f"{name} begins {instant - start:.3f} s before {name_before} {verb}, by their clocks: check the order of "
            "the recordings, or give bout_starts="
        )
        yield Finding("bouts-overlap", "warning", name, sentence)


def time_of(bout: BoutStart, stamp: float) -> float:
    """A timestamp on the clock of the scan; where the files have none, when the bout began."""
    return bout.offset if math.isnan(stamp) else (stamp - bout.zero) + bout.shift
