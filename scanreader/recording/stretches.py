"""Which volumes of a recording are complete, from the header's counts and the frames' own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import Finding, LayoutError
from scanreader.recording.layout import Counts, Layout, Stretch, saved_counts
from scanreader.recording.numbering import AROUND, Numbering
from scanreader.tables import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scanreader.recording.numbering import Part
    from scanreader.scanimage.descriptions import FrameNumbers
    from scanreader.scanimage.stacks import Stack


class _Break(NamedTuple):
    """The start of a stretch of frames whose numbers follow each other."""

    page: int
    place: int
    """Frames since the start of its volume."""


def find_layout(
    stack: Stack,
    parts: Sequence[Part],
    numbers_of: Callable[[int], FrameNumbers],
    findings: list[Finding],
    *,
    trusted: bool,
    writes_numbers: bool,
    from_first: bool,
) -> Layout:
    """Find the volumes, from the header's counts and the frames' own numbers.

    Parameters
    ----------
    stack : Stack
        The order of frames according to the header.
    parts : list of Part
        The files, in order.
    numbers_of : callable
        Returns the numbers of the frame that a page belongs to.
    findings : list of Finding
        What is missing or was skipped is appended to it.
    trusted : bool
        Whether frame numbers that never advance are an error. They are none where another program wrote the same
        description on every page.
    writes_numbers : bool
        Whether the release writes frame numbers: where they are missing, another program saved the files again.
    from_first : bool
        Whether the recording's first frames should be among the files; not if a single rolled part was named.

    Returns
    -------
    Layout

    Raises
    ------
    LayoutError
        If the header and the frames' numbers contradict each other.
    """
    counts = saved_counts(stack)
    total = parts[-1].first + parts[-1].pages
    numbering = Numbering(stack, counts, parts, numbers_of)
    if not numbering.is_numbered and trusted and stack.mode != "planar":
        raise LayoutError(
            "none of the first frames has a frame number, though ScanImage has written them since 2015.4: their "
            "descriptions are damaged"
        )
    is_constant = numbering.is_numbered and not trusted and (not numbering.advance or numbering.has_first_alone)
    if not numbering.is_numbered or is_constant:
        if is_constant or (writes_numbers and counts.pages_per_volume > 1):
            reason = "do not advance from page to page" if is_constant else "are missing"
            sentence = f"frame numbers {reason}: pages are counted from the first one, and not checked"
            findings.append(Finding("no-frame-numbers", "warning", "", sentence))
        breaks = _count_breaks(counts, parts, findings, from_first=from_first)
    else:
        parts = _without_blank_end(numbering, parts, findings)
        total = parts[-1].first + parts[-1].pages
        numbering.check()
        numbering.check_first_slice()
        breaks = _find_breaks(numbering, parts, findings, from_first=from_first)
    return _gather(counts, breaks, total, findings)


def _count_breaks(counts: Counts, parts: Sequence[Part], findings: list[Finding], *, from_first: bool) -> list[_Break]:
    """Find where stretches begin in files without frame numbers, from the counters in the files' names.

    Raises
    ------
    LayoutError
        If a file is missing, so that the slices of later frames are unknown.
    """
    breaks: list[_Break] = []
    part_before: Part | None = None
    for part in parts:
        expected_number = part.number_after(part_before)
        if part.number not in (None, expected_number) and (
            from_first or part_before is not None or counts.frames_per_volume > 1
        ):
            problem = f"{part.name} is part {part.number} of its acquisition, part {expected_number} is missing"
            if counts.frames_per_volume > 1:
                raise LayoutError(f"{problem}, and the pages have no frame numbers")
            findings.append(Finding("missing-file", "warning", part.name, problem))
        if not part.follows(part_before):
            breaks.append(_Break(part.first, 0))
        part_before = part
    return breaks


def _without_blank_end(numbering: Numbering, parts: Sequence[Part], findings: list[Finding]) -> Sequence[Part]:
    """Skip pages without any number at the end of the last file: a file system filled them with zeros."""
    last = parts[-1]
    good_page, bad_page = last.first - 1, last.first + last.pages
    if bad_page - good_page < 2 or not numbering.has_no_number(bad_page - 1) or numbering.has_no_number(last.first):
        return parts
    while bad_page - good_page > 1:
        middle = (good_page + bad_page) // 2
        good_page, bad_page = (good_page, middle) if numbering.has_no_number(middle) else (middle, bad_page)
    pages_after = range(bad_page, min(bad_page + AROUND, last.first + last.pages))
    if any(numbering.at(page) is not None for page in pages_after):
        return parts  # the page without a number is not at the end
    num_skipped = last.first + last.pages - bad_page
    sentence = f"{counted(num_skipped, 'page')} without a frame number at the end of {last.name}: skipped"
    findings.append(Finding("cut-end", "warning", last.name, sentence))
    return [*parts[:-1], last._replace(pages=bad_page - last.first)]


def _find_breaks(
    numbering: Numbering, parts: Sequence[Part], findings: list[Finding], *, from_first: bool
) -> list[_Break]:
    """Find the stretches of consecutive frames: two probes for each file, and bisection where these disagree."""
    c, a = numbering.counts.channels, numbering.stack.averaging
    breaks: list[_Break] = []
    start = base = 0  # page and number of the current stretch's first frame
    offset = 0  # numbers counted before the current acquisition

    def expected(page: int) -> int:
        return base + a * ((page - start) // c)

    def begin(page: int, frame: int) -> None:
        """Begin a stretch with a page and the number of its frame."""
        nonlocal start, base
        if (frame - offset) % a:
            raise LayoutError(f"frame {frame} is not the last of a group of {a} averaged frames")
        start, base = page, frame
        breaks.append(_Break(page, numbering.place(frame, offset)))
        numbering.check_slice(page, breaks[-1].place)

    part_before: Part | None = None
    for part in parts:
        first, is_own = numbering.first(part)
        begins = part_before is not None and not part.follows(part_before)
        if begins and first not in (None, a, expected(part.first)):  # frames are missing before it, or it is damaged
            numbering.mend_first_frame(part)
            first, is_own = numbering.first(part)
        if first is None:
            raise LayoutError(f"the first page of {part.name} has no frame number, though other files do")
        is_joined = part_before is not None and part.recording != part_before.recording
        # In a loop numbers continue from earlier acquisitions, in a grab they begin at 1.
        is_loop = part.is_grab is not True
        is_continued = part_before is not None and (
            first == expected(part.first) or numbering.contradicts_both_sides(part.first, expected, part)
        )
        if is_continued and not is_joined:
            first = expected(part.first)  # its own number may be damaged
        if not is_own and not is_continued and first != a:
            raise LayoutError(
                f"the first page of {part.name} cannot be read or has no number, and the next pages do not continue "
                "the file before: the slices of its frames are unknown"
            )
        if not part.follows(part_before):
            # A new acquisition.
            is_continued = is_continued and not is_joined
            offset = _offset(numbering, part, part_before, first, is_continued=is_continued, is_loop=is_loop)
            number_before = None if part_before is None else part_before.acquisition or 0
            is_next = number_before is not None and part.acquisition == number_before + 1 and not is_continued
            is_late = numbering.runs_on and is_loop and is_next and not is_joined
            if is_late:
                # Too few to be averaged.
                num_unsaved = first - numbering.within(part.first) - (expected(part.first) - a)
                is_late = not 0 <= num_unsaved < a
            if is_late or (first - offset != a and (from_first or part_before is not None)):
                findings.append(_begins_late(part, first))
            begin(part.first, first)
        elif not is_continued and not numbering.runs_on and first < expected(part.first):  # the count began again
            if first != a:
                findings.append(_begins_late(part, first))
            begin(part.first, first)
        elif not is_continued:  # frames between the files are missing or doubled
            findings.append(_jump(part, expected(part.first), first, part_before))
            begin(part.first, first)
        page = part.first
        while (jump := _first_wrong_page(numbering, page, part, start, expected)) is not None:
            frame = numbering.at(jump)
            if frame is None:
                raise LayoutError(f"page {jump - part.first} of {part.name} has no frame number")
            findings.append(_jump(part, expected(jump), frame, part))
            begin(jump, frame)
            page = jump
        part_before = part
    findings += numbering.damaged.values()
    return breaks


def _offset(
    numbering: Numbering, part: Part, part_before: Part | None, first: int, *, is_continued: bool, is_loop: bool
) -> int:
    """Count of frame numbers that earlier acquisitions of the loop used.

    Raises
    ------
    LayoutError
        If it is unknown, and the slices of the frames depend on it.
    """
    if not numbering.runs_on or not is_loop:
        return 0
    is_planar = numbering.counts.frames_per_volume == 1
    is_same_recording = part_before is not None and part.recording == part_before.recording
    # An acquisition that continues the numbers of the one before begins with its first frame, whatever that says.
    frames_before = first - (numbering.stack.averaging if is_continued and part.leads else numbering.within(part.first))
    is_first = part_before is None and part.acquisition == 1  # nothing precedes the first acquisition of a loop
    # After another file, a jump may be an end that is missing there or a start that is missing here.
    is_certain = is_first or is_continued or (not is_same_recording and numbering.stack.can_begin_after(frames_before))
    if not is_planar and (not part.leads or not is_certain):
        raise LayoutError(
            f"{part.name} begins with frame {first} of a loop, and the files before it do not tell its position in a "
            "volume: files or frames are missing"
        )
    return frames_before if not is_first and (part.leads or is_same_recording) else 0


def _first_wrong_page(
    numbering: Numbering, first_page: int, part: Part, start: int, expected: Callable[[int], int]
) -> int | None:
    """Find the first page of a file that does not have the expected number; None if the end of the file has it.

    What is probed is where one frame ends and the next begins: after a single missing page of one channel the
    channels are shifted, and the number of every second page would still look right.
    """
    c, last = numbering.counts.channels, part.first + part.pages - 1

    def is_right(frame: int) -> bool:
        page = start + frame * c
        return all(numbering.agrees(p, expected, part) for p in (page, page - 1) if first_page <= p <= last)

    first, end = -((start - first_page) // c), (last - start) // c  # frames that begin in the file
    if (end < first or is_right(end)) and numbering.agrees(last, expected, part):
        return None
    good_frame, bad_frame = first, end + 1
    while bad_frame - good_frame > 1:
        middle = (good_frame + bad_frame) // 2
        good_frame, bad_frame = (middle, bad_frame) if is_right(middle) else (good_frame, middle)
    after = range(max(first_page, start + (good_frame - 1) * c), last + 1)
    return next(page for page in after if not numbering.agrees(page, expected, part))


def _begins_late(part: Part, first: int) -> Finding:
    name = "dropped-frames" if part.leads else "missing-file"
    sentence = f"{part.name} begins with raw frame {first}: frames before it are missing"
    return Finding(name, "warning", f"the start of {part.name}", sentence)


def _jump(part: Part, expected: int, frame: int, part_before: Part | None) -> Finding:
    """Finding about a frame number that is not the expected one, within a part or after the previous one."""
    place_text = f"between {part_before.name} and {part.name}" if part_before else f"before {part.name}"
    place_text = f"in {part.name}" if part_before is part else place_text
    if frame < expected:
        sentence = f"raw frames are doubled {place_text}: frame {frame} comes where frame {expected} was expected"
        return Finding("doubled-frames", "warning", part.name, sentence)
    frames_text = f"frames {expected} to {frame - 1} are" if frame > expected + 1 else f"frame {expected} is"
    has_gap = part_before is not part and part.number is not None and part.number != part.number_after(part_before)
    name = "missing-file" if has_gap else "dropped-frames"
    return Finding(name, "warning", part.name, f"raw {frames_text} missing {place_text}")


def _gather(counts: Counts, breaks: Sequence[_Break], total: int, findings: list[Finding]) -> Layout:
    """Keep the complete volumes of each stretch; a finding counts the pages of incomplete ones."""
    c, frames_per_volume = counts.channels, counts.frames_per_volume
    stretches: list[Stretch] = []
    volume = num_skipped = 0
    ends = [b.page for b in breaks[1:]] + [total]
    for (page, place), end in zip(breaks, ends, strict=True):
        start = page + (-place % frames_per_volume) * c
        volumes = max(0, (end - start) // (frames_per_volume * c))
        num_skipped += (end - page) - volumes * frames_per_volume * c
        if volumes:
            stretches.append(Stretch(volume, start, volumes))
            volume += volumes
    if not stretches:
        return _salvage(counts, breaks, ends, findings)
    if num_skipped:
        unit = "frames" if frames_per_volume == 1 else "volumes"
        pages = f"{num_skipped} page{'s' if num_skipped > 1 else ''} of incomplete {unit}"
        verb = "are" if num_skipped > 1 else "is"
        findings.append(Finding("partial-volume", "warning", "", f"{pages} {verb} skipped"))
    return Layout(counts, tuple(stretches))


def _salvage(counts: Counts, breaks: Sequence[_Break], ends: Sequence[int], findings: list[Finding]) -> Layout:
    """If no volume is complete, keep its complete slices; without even one, the frames of the first slice."""
    c, r = counts.channels, counts.repeats
    for (page, place), end in zip(breaks, ends, strict=True):
        frames = (end - page) // c
        if place or not frames:
            continue
        slices = min(counts.slices, frames // r)
        kept_counts, volumes = (Counts(c, slices, r), 1) if slices else (Counts(c), frames)
        num_skipped = ends[-1] - breaks[0].page - volumes * kept_counts.pages_per_volume
        reason = "the files end in the first" if len(breaks) == 1 else "no volume is complete: of the first"
        part_text = (
            f"volume: {slices} of {counts.slices} slices are" if slices else f"slice: {frames} of {r} frames are"
        )
        sentence = f"{reason} {part_text} complete, {num_skipped} page{' is' if num_skipped == 1 else 's are'} skipped"
        findings.append(Finding("partial-volume", "warning", "", sentence))
        return Layout(kept_counts, (Stretch(0, page, volumes),))
    raise LayoutError(
        f"no volume is complete: a volume is {counts.pages_per_volume} pages ({counts.slices} slices of {r} frames "
        f"and {counts.flyback} flyback frames, of {c} channels)"
    )
