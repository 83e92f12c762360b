"""Which volumes of a recording are whole: by the header's counts, and by what each file says of its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import Finding, LayoutError
from scanreader.recording.layout import Counts, Layout, Stretch, saved_counts
from scanreader.recording.numbering import AROUND, Numbering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scanreader.recording.numbering import Part
    from scanreader.scanimage.descriptions import FrameNumbers
    from scanreader.scanimage.stacks import Stack


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
    number = Numbering(stack, counts, parts, numbers_of)
    if not number.known and trusted and stack.mode != "planar":
        raise LayoutError(
            "none of the first frames says its number, as all that ScanImage wrote since 2015.4 do: their descriptions "
            "are damaged"
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
                raise LayoutError(f"{missing}, and the pages say no frame numbers")
            findings.append(Finding("missing-file", "warning", part.name, missing))
        if not part.follows(previous):
            breaks.append(_Break(part.first, 0))
        previous = part
    return breaks


def _without_blank_end(number: Numbering, parts: Sequence[Part], findings: list[Finding]) -> Sequence[Part]:
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
    number: Numbering, parts: Sequence[Part], findings: list[Finding], *, whole: bool, loop: bool
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
            raise LayoutError(f"frame {said} does not end a group of {a} averaged frames")
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
                "on from the file before: places cannot be known"
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


def _offset(number: Numbering, part: Part, previous: Part | None, first: int, *, goes_on: bool, loop: bool) -> int:
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
            "volume that is: files or frames are missing"
        )
    return before if not begins and (part.leads or same) else 0


def _first_wrong(number: Numbering, low: int, part: Part, start: int, expected: Callable[[int], int]) -> int | None:
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
        f"and {counts.flyback} flyback frames, of {c} channels)"
    )
