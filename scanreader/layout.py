"""How pages become slices, repeats, volumes and channels, and all checks of it.

One formula serves every mode. With C channels, S slices, R repeats and B flyback frames a volume, the page of
volume v, slice s, repeat r and channel c is ``(v * (S * R + B) + s * R + r) * C + c``, counted from the first
page of an unbroken stretch of volumes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.errors import Finding, LayoutError
from scanreader.frames import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scanreader.frames import FrameNumbers
    from scanreader.keys import IndexArray


FEW = 4  # frames at a recording's start of which one must say its number, if any does
AROUND = 1024  # pages around one that says no number, that are asked instead
MAX_COUNT = 2**31  # frames, slices: more is no count


class Stack(NamedTuple):
    """What the header says of the order of frames, in raw frames: as they were before averaging."""

    mode: str
    """'planar', 'fast' (a volume in one sweep) or 'slow' (each slice by itself)."""

    channels: int = 1
    slices: int = 1
    frames_per_slice: int = 1
    frames_per_volume: int = 1
    """With flyback frames."""

    averaging: int = 1
    volumes: float = math.nan
    """Volumes asked for in each acquisition; infinite or NaN if they are not known."""

    def can_begin_after(self, frames: int) -> bool:
        """Whether so many raw frames can be whole acquisitions, as those before another of a loop are."""
        planned = self.frames_per_volume * (self.volumes if 1 <= self.volumes < math.inf else 1)
        return frames % int(planned) == 0


class Counts(NamedTuple):
    """How a volume lies in the pages, in saved frames."""

    channels: int = 1
    slices: int = 1
    repeats: int = 1
    flyback: int = 0

    @property
    def frames_per_volume(self) -> int:
        """Frames from the start of one volume to that of the next."""
        return self.slices * self.repeats + self.flyback

    @property
    def pages_per_volume(self) -> int:
        """Pages from the start of one volume to that of the next."""
        return self.frames_per_volume * self.channels


class Stretch(NamedTuple):
    """Volumes that follow each other without a break."""

    volume: int
    """The first volume's number in the scan."""
    page: int
    """The page that it begins with."""
    volumes: int


@dataclass(frozen=True)
class Layout:
    """Where each frame of a scan is among the pages."""

    counts: Counts
    stretches: tuple[Stretch, ...]

    @cached_property
    def num_volumes(self) -> int:
        """Volumes that are whole."""
        return sum(stretch.volumes for stretch in self.stretches)

    @cached_property
    def num_frames(self) -> int:
        """Time points of a field: volumes times repeats."""
        return self.num_volumes * self.counts.repeats

    def page_numbers(self, slice_id: int, channels: int | IndexArray, frames: int | IndexArray) -> IndexArray:
        """Pages of a slice.

        Parameters
        ----------
        slice_id : int
            From 0, in the order of scanning.
        channels, frames : ints or int arrays
            From 0; frame = volume * repeats + repeat.

        Returns
        -------
        int array of shape (frames, channels), less the axes that were given as one int
        """
        counts = self.counts
        volumes, repeats = (frames, 0) if counts.repeats == 1 else divmod(frames, counts.repeats)
        if len(self.stretches) == 1:
            starts = self.stretches[0].page + volumes * counts.pages_per_volume
        else:
            firsts = np.array([stretch.volume for stretch in self.stretches], np.int64)
            pages = np.array([stretch.page for stretch in self.stretches], np.int64)
            which = np.searchsorted(firsts, volumes, side="right") - 1
            starts = pages[which] + (volumes - firsts[which]) * counts.pages_per_volume
        in_volume = starts + (slice_id * counts.repeats + repeats) * counts.channels
        return np.add.outer(in_volume, channels)


def saved_counts(stack: Stack) -> Counts:
    """Turn raw frames into saved ones: every `averaging` raw frames give one.

    Raises
    ------
    LayoutError
        If averaging mixes slices or volumes, or a volume holds fewer frames than its slices need.
    """
    a, f, s, t = stack.averaging, stack.frames_per_slice, stack.slices, stack.frames_per_volume
    if min(a, f, s, t, stack.channels) < 1:
        raise LayoutError(f"counts must be positive, the header says {stack}")
    if stack.mode == "planar":
        return Counts(stack.channels)
    if t < s * f:
        raise LayoutError(
            f"a volume of {t} frames cannot hold {s} slices of {f} frames; raw=True reads the pages as they lie"
        )
    if f % a or t % a:
        raise LayoutError(
            f"averaging over {a} frames (logAverageFactor) mixes slices of {f} frames or volumes of {t}: which "
            "frame is of which slice cannot be known; raw=True reads the pages as they lie"
        )
    return Counts(stack.channels, s, f // a, (t - s * f) // a)


class Part(NamedTuple):
    """One file's share of the pages."""

    name: str
    first: int
    """The number of its first page."""
    pages: int
    recording: int
    """Which recording it is of, where several were joined."""
    acquisition: int | None
    """The acquisition's counter in its name."""
    number: int | None
    """Its own counter within the acquisition, from 1."""

    @property
    def leads(self) -> bool:
        """Whether its name says that the acquisition begins with it."""
        return self.number in (None, 1)

    def follows(self, other: Part | None) -> bool:
        """Whether it is of the same acquisition as the part before."""
        return other is not None and (self.recording, self.acquisition) == (other.recording, other.acquisition)

    def number_after(self, previous: Part | None) -> int:
        """Its own counter if no part is missing between the previous one and it."""
        return (previous.number or 0) + 1 if previous is not None and self.follows(previous) else 1


class _Break(NamedTuple):
    """Where a stretch of frames begins whose numbers follow each other."""

    page: int
    place: int
    """Frames since the start of its volume."""


def find_layout(
    stack: Stack,
    parts: Sequence[Part],
    numbers_of: Callable[[int], FrameNumbers],
    *,
    trusted: bool,
    whole: bool,
    loop: bool = False,
) -> tuple[Layout, list[Finding]]:
    """Find where the volumes are, by the header's counts and by what each file says of its place.

    Parameters
    ----------
    stack : Stack
        What the header says.
    parts : list of Part
        The files, in order.
    numbers_of : callable
        Gives the numbers of the frame that a page belongs to.
    trusted : bool
        Whether frame numbers that never advance are a contradiction; they are not where another program
        wrote one description on every page.
    whole : bool
        Whether the recording's first frames should be there: a single rolled part that was asked for is not.
    loop : bool
        Whether numbers may run on from acquisitions before: in a loop they do, in a grab they begin at 1.

    Returns
    -------
    layout : Layout
    findings : list of Finding
        What the user should know: what is missing or was left out.

    Raises
    ------
    LayoutError
        If the header and the frames' numbers contradict each other.
    """
    counts = saved_counts(stack)
    findings: list[Finding] = []
    total = parts[-1].first + parts[-1].pages
    number = _Numbering(stack, counts, parts, numbers_of)
    if not number.known and trusted and stack.mode != "planar":
        raise LayoutError(
            "none of the first frames says its number, as all that ScanImage wrote since 2015.4 do: their descriptions "
            "are damaged; raw=True reads the pages as they lie"
        )
    if not number.known or (not trusted and not number.advance):
        if number.known:
            said = "frame numbers do not advance from page to page: places are counted, not checked"
            findings.append(Finding("no-frame-numbers", "warning", "", said))
        breaks = _count_breaks(counts, parts, findings, whole=whole)
    else:
        parts = _without_blank_end(number, parts, findings)
        total = parts[-1].first + parts[-1].pages
        number.check()
        number.check_first_slice()
        breaks = _find_breaks(number, parts, findings, whole=whole, loop=loop)
    layout = _gather(counts, breaks, total, findings)
    return layout, findings


class _Numbering:
    """The one running number of the frames that tells a frame's place in its volume."""

    def __init__(
        self, stack: Stack, counts: Counts, parts: Sequence[Part], numbers_of: Callable[[int], FrameNumbers]
    ) -> None:
        self.stack, self.counts, self.parts, self._numbers_of = stack, counts, parts, numbers_of
        # One of the first frames may be unreadable.
        early = [numbers_of(page) for page in range(0, min(parts[0].pages, FEW * counts.channels), counts.channels)]
        first = next((numbers for numbers in early if numbers.frame is not None), early[0])
        self._first_known = first.frame is not None
        # A slow stack restarts the count in the acquisition at each slice; its running count goes on.
        self.runs_on = stack.mode != "fast" or first.in_acquisition is None

    @property
    def known(self) -> bool:
        return self._first_known

    def at(self, page: int) -> int | None:
        numbers = self._numbers_of(page)
        return numbers.frame if self.runs_on else numbers.in_acquisition

    @property
    def advance(self) -> bool:
        """Whether the first file's last frame has another number than its first."""
        part = self.parts[0]
        numbers = (self.at(0), self.at(part.pages - 1))
        return part.pages <= self.counts.channels or None in numbers or numbers[0] != numbers[1]

    def says_nothing(self, page: int) -> bool:
        """Whether a page can be read and has no number."""
        return self.at(page) is None and self._numbers_of(page) is not UNREADABLE

    def first(self, part: Part) -> tuple[int | None, bool]:
        """Number of a file's first frame, and whether its page says it, not the first that can be read behind it."""
        said = self.at(part.first)
        if said is not None:
            return said, True
        found = self._nearest(part.first, 1, part)
        if found is None:
            return None, False
        frames = (found - part.first) // self.counts.channels
        return (self.at(found) or 0) - frames * self.stack.averaging, False

    def _nearest(self, page: int, step: int, part: Part) -> int | None:
        """The nearest page of a file that says its number, before or behind one."""
        last = part.first + part.pages
        return next(
            (p for p in range(page, page + step * AROUND, step) if part.first <= p < last and self.at(p) is not None),
            None,
        )

    def agrees(self, page: int, expected: Callable[[int], int], part: Part) -> bool:
        """Whether a page has the number that is expected; of one that does not say, whether those around it have.

        Raises
        ------
        LayoutError
            If those before have it and those behind have not: where between them the numbers jump is not known.
        """
        said = self.at(page)
        if said is not None:
            return said == expected(page)
        around = [self._nearest(page, step, part) for step in (-1, 1)]
        votes = {self.at(p) == expected(p) for p in around if p is not None}
        if len(votes) == 1:
            return votes.pop()
        what = "frame numbers jump beside it" if votes else "nor do those around it"
        raise LayoutError(
            f"page {page - part.first} of {part.name} cannot be read or says no number, and {what}: places cannot be "
            "known; raw=True reads the pages as they lie"
        )

    def check(self) -> None:
        """Refuse counts of channels or averaging that the first frames' numbers contradict."""
        c, a, pages = self.counts.channels, self.stack.averaging, self.parts[0].pages
        name = self.parts[0].name
        first = self.at(0)
        if first is None or pages < 2:
            return
        if c > 1 and pages >= c and self.at(c - 1) not in (None, first):
            raise LayoutError(
                f"the header says that {c} channels were saved, but pages 0 and {c - 1} of {name} belong to "
                f"frames {first} and {self.at(c - 1)}; raw=True reads the pages as they lie"
            )
        if pages > c and self.at(c) == first:
            raise LayoutError(
                f"the header says that {c} channel{'s were' if c > 1 else ' was'} saved, but pages 0 and {c} of "
                f"{name} both belong to frame {first}; raw=True reads the pages as they lie"
            )
        second, third = (self.at(page) if pages > page else None for page in (c, 2 * c))
        step = a if second is None else second - first
        again = step if second is None or third is None else third - second
        counted = self._numbers_of(0).in_acquisition
        if (first if counted is None else counted) % a or (
            step != a and step == again and (pages > 2 * c or first == step)
        ):
            raise LayoutError(
                f"the header says that {a} frames were averaged (logAverageFactor), but the frames of {name} "
                f"are numbered {first}, {first + step}, …; raw=True reads the pages as they lie"
            )

    def check_first_slice(self) -> None:
        """Refuse a count of frames a slice that is not where a slow stack begins to count anew."""
        a, r, c = self.stack.averaging, self.counts.repeats, self.counts.channels
        if self.stack.mode != "slow" or self._numbers_of(0).in_acquisition != a:
            return
        for frame, said in ((r - 1, r * a), (r, a)):
            page = frame * c
            within = self._numbers_of(page).in_acquisition if page < self.parts[0].pages else said
            running = self.at(page) if page < self.parts[0].pages else None
            if within is not None and within != said and running == (self.at(0) or 0) + frame * a:
                raise LayoutError(
                    f"the header says {r * a} frames a slice (framesPerSlice), but frame {running} is frame {within} "
                    "of its slice by frameNumberAcquisition; raw=True reads the pages as they lie"
                )

    def same_acquisition(self, page: int) -> bool:
        """Whether a page is of the acquisition of the page before it, whatever the files' names say."""
        here, before = self._numbers_of(page), self._numbers_of(page - 1)
        moved = [None if None in pair else pair[0] - pair[1] for pair in zip(here, before, strict=True)]  # type: ignore[operator]
        running, within, acquisition = moved
        return self.stack.mode != "slow" and acquisition == 0 and running == within == self.stack.averaging

    def within(self, page: int) -> int:
        """Number of a frame in its acquisition (in a slow stack, slice); of a first one where it does not say."""
        return self._numbers_of(page).in_acquisition or self.stack.averaging

    def check_slice(self, page: int, place: int) -> None:
        """Refuse a place in a slow stack that the count within the slice contradicts."""
        a, r = self.stack.averaging, self.counts.repeats
        within = self._numbers_of(page).in_acquisition
        if self.stack.mode == "slow" and within is not None and (within // a - 1 - place) % r:
            raise LayoutError(
                f"page {page} is frame {within} of its slice by frameNumberAcquisition, and by frameNumbers "
                f"frame {(place % r + 1) * a}: the slices' places cannot be known; raw=True reads the pages"
            )

    def place(self, number: int, start: int) -> int:
        """Frames since the start of its volume of the frame with a number, if `start` numbers began before."""
        return ((number - start) // self.stack.averaging - 1) % self.counts.frames_per_volume


def _count_breaks(counts: Counts, parts: Sequence[Part], findings: list[Finding], *, whole: bool) -> list[_Break]:
    """Find where volumes begin anew in files that have no frame numbers, by the counters in their names.

    Raises
    ------
    LayoutError
        If a file is missing, so that the places of the frames behind it cannot be known.
    """
    breaks: list[_Break] = []
    previous: Part | None = None
    for part in parts:
        due = part.number_after(previous)
        if part.number not in (None, due) and (whole or previous is not None or counts.frames_per_volume > 1):
            missing = f"{part.name} is part {part.number} of its acquisition, part {due} is missing"
            if counts.frames_per_volume > 1:
                raise LayoutError(
                    f"{missing}, and the pages say no frame numbers; raw=True reads the pages as they lie"
                )
            findings.append(Finding("missing-file", "warning", part.name, missing))
        if not part.follows(previous):
            breaks.append(_Break(part.first, 0))
        previous = part
    return breaks


def _without_blank_end(number: _Numbering, parts: Sequence[Part], findings: list[Finding]) -> Sequence[Part]:
    """Leave out pages at the end of the last file that say nothing: zeros that a file system filled in."""
    last = parts[-1]
    good, bad = last.first - 1, last.first + last.pages
    if bad - good < 2 or not number.says_nothing(bad - 1) or number.says_nothing(last.first):
        return parts
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if number.says_nothing(middle) else (middle, bad)
    if any(number.at(page) is not None for page in range(bad, min(bad + AROUND, last.first + last.pages))):
        return parts  # it was a page in the middle that says nothing
    said = f"{last.first + last.pages - bad} pages at the end of {last.name} say no frame number and are left out"
    findings.append(Finding("cut-end", "warning", last.name, said))
    return [*parts[:-1], last._replace(pages=bad - last.first)]


def _find_breaks(
    number: _Numbering, parts: Sequence[Part], findings: list[Finding], *, whole: bool, loop: bool
) -> list[_Break]:
    """Find where frames follow each other without a gap, two probes a file and bisection where they disagree."""
    c, a = number.counts.channels, number.stack.averaging
    breaks: list[_Break] = []
    start = base = 0  # page and number of the current stretch's first frame
    offset = 0  # numbers counted before the current acquisition

    def expected(page: int) -> int:
        return base + a * ((page - start) // c)

    def begin(page: int, said: int) -> None:
        nonlocal start, base
        if (said - offset) % a:
            raise LayoutError(
                f"frame {said} does not end a group of {a} averaged frames; raw=True reads the pages as they lie"
            )
        start, base = page, said
        breaks.append(_Break(page, number.place(said, offset)))
        number.check_slice(page, breaks[-1].place)

    previous: Part | None = None
    for part in parts:
        first, own = number.first(part)
        if first is None:
            raise LayoutError(f"the first page of {part.name} says no frame number, other files do")
        goes_on = previous is not None and first == expected(part.first)
        if not own and not goes_on and first != a:
            raise LayoutError(
                f"the first page of {part.name} cannot be read or says no number, and those behind it do not go "
                "on from the file before: places cannot be known; raw=True reads the pages as they lie"
            )
        joined = previous is not None and part.recording != previous.recording
        if not part.follows(previous) and (joined or not goes_on or not number.same_acquisition(part.first)):
            offset = _offset(number, part, previous, first, goes_on=goes_on, loop=loop)
            next_one = previous is not None and part.acquisition == (previous.acquisition or 0) + 1
            unsaved = first - number.within(part.first) - (expected(part.first) - a)  # too few to be averaged
            lost = number.runs_on and loop and next_one and not joined and not 0 <= unsaved < a
            if lost or (first - offset != a and (whole or previous is not None)):
                findings.append(_begins_late(part, first))
            begin(part.first, first)
        elif not number.runs_on and first < expected(part.first):
            if first != a:
                findings.append(_begins_late(part, first))
            begin(part.first, first)
        elif not goes_on:
            findings.append(_jump(part, expected(part.first), first, previous))
            begin(part.first, first)
        page = part.first
        while (found := _first_wrong(number, page, part, start, expected)) is not None:
            said = number.at(found)
            if said is None:
                raise LayoutError(f"page {found - part.first} of {part.name} says no frame number")
            findings.append(_jump(part, expected(found), said, part))
            begin(found, said)
            page = found
        previous = part
    return breaks


def _offset(number: _Numbering, part: Part, previous: Part | None, first: int, *, goes_on: bool, loop: bool) -> int:
    """Numbers that were counted before the acquisition that a file is of.

    Raises
    ------
    LayoutError
        If that cannot be known and places in a volume depend on it.
    """
    if not number.runs_on or not loop:
        return 0
    planar = number.counts.frames_per_volume == 1
    same = previous is not None and part.recording == previous.recording
    before = first - number.within(part.first)
    begins = previous is None and part.acquisition == 1  # nothing can have been before the first of a loop
    # Behind another file a jump may be an end that is missing there or a start that is missing here.
    known = begins or goes_on or (not same and number.stack.can_begin_after(before))
    if not planar and (not part.leads or not known):
        raise LayoutError(
            f"{part.name} begins with frame {first} of a loop, and the files before it do not say where in a "
            "volume that is: files or frames are missing; raw=True reads the pages as they lie"
        )
    return before if not begins and (part.leads or same) else 0


def _first_wrong(number: _Numbering, low: int, part: Part, start: int, expected: Callable[[int], int]) -> int | None:
    """Find the first page of a file that has not the number that is expected of it; None if its end is right.

    Right is a place between two frames where the number changes as expected: a single missing page of one
    channel shifts the channels, and every second page by itself would look right.
    """
    c, last = number.counts.channels, part.first + part.pages - 1

    def right(frame: int) -> bool:
        page = start + frame * c
        return all(number.agrees(p, expected, part) for p in (page, page - 1) if low <= p <= last)

    first, end = -((start - low) // c), (last - start) // c  # frames that begin in the file
    if (end < first or right(end)) and number.agrees(last, expected, part):
        return None
    good, bad = first, end + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if right(middle) else (good, middle)
    after = range(max(low, start + (good - 1) * c), last + 1)
    return next(page for page in after if not number.agrees(page, expected, part))


def _begins_late(part: Part, first: int) -> Finding:
    name = "dropped-frames" if part.leads else "missing-file"
    said = f"{part.name} begins with raw frame {first}: frames before it are missing"
    return Finding(name, "warning", f"the start of {part.name}", said)


def _jump(part: Part, expected: int, found: int, previous: Part | None) -> Finding:
    """What a frame's number says that is not the one expected, within a part or behind the previous."""
    where = f"between {previous.name} and {part.name}" if previous else f"before {part.name}"
    where = f"in {part.name}" if previous is part else where
    if found < expected:
        said = f"raw frames are doubled {where}: frame {found} comes where {expected} was due"
        return Finding("doubled-frames", "warning", part.name, said)
    many = f"frames {expected} to {found - 1} are" if found > expected + 1 else f"frame {expected} is"
    part_missing = previous is not part and part.number is not None and part.number != part.number_after(previous)
    name = "missing-file" if part_missing else "dropped-frames"
    return Finding(name, "warning", part.name, f"raw {many} missing {where}")


def _gather(counts: Counts, breaks: Sequence[_Break], total: int, findings: list[Finding]) -> Layout:
    """Keep the whole volumes of each stretch of frames; what is left of a broken one is said."""
    c, per = counts.channels, counts.frames_per_volume
    stretches: list[Stretch] = []
    volume = left_out = 0
    ends = [b.page for b in breaks[1:]] + [total]
    for (page, place), end in zip(breaks, ends, strict=True):
        start = page + (-place % per) * c
        volumes = max(0, (end - start) // (per * c))
        left_out += (end - page) - volumes * per * c
        if volumes:
            stretches.append(Stretch(volume, start, volumes))
            volume += volumes
    if not stretches:
        return _salvage(counts, breaks, ends, findings)
    if left_out:
        of = "frames that are not whole" if per == 1 else "volumes that are not whole"
        said = f"{left_out} page{'s' if left_out > 1 else ''} of {of} are left out"
        findings.append(Finding("partial-volume", "warning", "", said))
    return Layout(counts, tuple(stretches))


def _salvage(counts: Counts, breaks: Sequence[_Break], ends: Sequence[int], findings: list[Finding]) -> Layout:
    """Where not one volume is whole: the whole slices, or, with not even one, the frames of the first."""
    c, r = counts.channels, counts.repeats
    for (page, place), end in zip(breaks, ends, strict=True):
        frames = (end - page) // c
        if place or not frames:
            continue
        slices = min(counts.slices, frames // r)
        kept, volumes = (Counts(c, slices, r), 1) if slices else (Counts(c), frames)
        left = ends[-1] - breaks[0].page - volumes * kept.pages_per_volume
        why = "the recording stopped in its first" if len(breaks) == 1 else "no volume is whole: of the first"
        said = f"volume: {slices} of {counts.slices} slices are" if slices else f"slice: {frames} of {r} frames are"
        sentence = f"{why} {said} whole, {left} page{'' if left == 1 else 's'} are left out"
        findings.append(Finding("partial-volume", "warning", "", sentence))
        return Layout(kept, (Stretch(0, page, volumes),))
    raise LayoutError(
        f"no volume is whole: a volume is {counts.pages_per_volume} pages ({counts.slices} slices of {r} frames "
        f"and {counts.flyback} flyback frames, of {c} channels); raw=True reads the pages as they lie"
    )


def whole_number(value: float, what: str) -> int:
    """Turn a count of the header into an integer.

    Raises
    ------
    LayoutError
        If it is not a whole number, infinite or missing.
    """
    if math.isfinite(value) and value == int(value) and abs(value) <= MAX_COUNT:
        return int(value)
    raise LayoutError(f"{what} should be a whole number, the header says {value!r}; raw=True reads the pages")
