"""The frame numbers, which tell a frame's position in its volume, and checks of the header against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import Finding, LayoutError
from scanreader.scanimage.descriptions import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scanreader.recording.layout import Counts
    from scanreader.scanimage.descriptions import FrameNumbers
    from scanreader.scanimage.stacks import Stack

FEW = 4  # frames at a recording's start of which one must say its number, if any does
AROUND = 1024  # pages that are searched for a number, before and after one that has none


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
    is_grab: bool | None = None
    """Whether its header says that it is of a grab, in which numbers begin at 1; None if it does not say."""

    averaging: int | None = None
    """Raw frames averaged into each of its saved ones, if that differs from the first recording."""

    @property
    def recording_and_acquisition(self) -> tuple[int, int | None]:
        """What parts of one acquisition have in common."""
        return self.recording, self.acquisition

    @property
    def leads(self) -> bool:
        """Whether its name says that the acquisition begins with it."""
        return self.number in (None, 1)

    def follows(self, part_before: Part | None) -> bool:
        """Whether it is of the same acquisition as the part before."""
        return part_before is not None and self.recording_and_acquisition == part_before.recording_and_acquisition

    def number_after(self, previous: Part | None) -> int:
        """Its own counter if no part is missing between the previous one and it."""
        return (previous.number or 0) + 1 if previous is not None and self.follows(previous) else 1


def damaged_number(name: str, page: int, number: int, expected: int) -> Finding:
    """Make a finding about a page whose frame number contradicts those of the pages before and after it."""
    sentence = f"page {page} of {name} has frame number {number} in the place of frame {expected}: it is damaged"
    return Finding("damaged-page", "damage", name, sentence)


class Numbering:
    """The frame numbers that tell a frame's position in its volume."""

    def __init__(
        self, stack: Stack, counts: Counts, parts: Sequence[Part], numbers_of: Callable[[int], FrameNumbers]
    ) -> None:
        self.stack, self.counts, self.parts, self._numbers_of = stack, counts, parts, numbers_of
        self.damaged: dict[int, Finding] = {}
        """Of the pages that were looked at, those whose number is damaged."""
        self._true: dict[int, int] = {}
        """The numbers that pages of an acquisition's first frame should have, where theirs is damaged."""
        # One of the first frames may be unreadable.
        early = [numbers_of(page) for page in range(0, min(parts[0].pages, FEW * counts.channels), counts.channels)]
        first = next((numbers for numbers in early if numbers.frame is not None), early[0])
        self.is_numbered = first.frame is not None
        """Whether one of the first frames has a number."""
        # A slow stack restarts frameNumberAcquisition at each slice; its frameNumbers continue.
        self.runs_on = stack.mode != "fast" or first.in_acquisition is None
        """Whether frameNumbers are used, which continue across acquisitions, and not frameNumberAcquisition."""
        self._extents: dict[object, tuple[int, int]] = {}
        """First page, and page after the last, of all files that are counted together, by `_count_of` each."""
        for part in parts:
            first_page, _ = self._extents.get(self._count_of(part), (part.first, 0))
            self._extents[self._count_of(part)] = first_page, part.first + part.pages
        self.mend_first_frame(parts[0])

    def _count_of(self, part: Part) -> object:
        """What files have in common whose frames are counted together: the recording, or the acquisition."""
        return part.recording if self.runs_on else part.recording_and_acquisition

    def at(self, page: int) -> int | None:
        """Number of the frame that a page belongs to; None if the page has none."""
        if page in self._true:
            return self._true[page]
        numbers = self._numbers_of(page)
        return numbers.frame if self.runs_on else numbers.in_acquisition

    def mend_first_frame(self, part: Part) -> None:
        """Find pages of an acquisition's first frame whose number is damaged, by the two frames after it.

        Those two tell the first frame's number. Another number may also be that of a page before which pages are
        missing. It is damage if the page's other count has the true frame; where there is no other count, if it is
        higher than a number after it, or if no frame is before the true one.
        """
        c, a, start = self.counts.channels, self.stack.averaging, part.first
        second = self.at(start + c) if part.pages >= 3 * c else None
        if second is None or self.at(start) == self.at(start + c - 1) == second - a:
            return
        true = second - a
        if any(self.at(start + i) != second + a * (i // c - 1) for i in range(c, 3 * c)):
            return
        numbers = [self.at(start + i) for i in range(c)]
        if true not in numbers and true != a:
            return
        wrong = {i: number for i, number in enumerate(numbers) if number not in (None, true)}
        for i, number in wrong.items():
            agrees = self._second_count_agrees(start + i, number or 0, true, start + c, second)
            if agrees is False or (agrees is None and (number or 0) < true != a and true not in numbers[:i]):
                return
        for i, number in wrong.items():
            self._true[start + i] = true
            self.damaged[start + i] = damaged_number(part.name, i, number or 0, true)

    def _second_count_agrees(self, page: int, number: int, true: int, near: int, near_number: int) -> bool | None:
        """Whether a page's other count has the true frame and not the one of its number; None if it cannot tell.

        It is compared with that of a near page, whose number is right.
        """
        numbers = map(self._numbers_of, (page, near))
        count, near_count = (n.in_acquisition if self.runs_on else n.frame for n in numbers)
        slice_frames = self.counts.repeats * self.stack.averaging  # after which the count of a slow stack begins again
        restarts = self.stack.mode == "slow" and self.runs_on
        if count is None or near_count is None or (restarts and (number - true) % slice_frames == 0):
            return None
        error = count - near_count - (true - near_number)
        return error % slice_frames == 0 if restarts else error == 0

    def _in_acquisition(self, page: int) -> int | None:
        """Number in its acquisition (in a slow stack, slice) of the frame that begins with a page.

        None where its channels have unequal ones, so that one of them is damaged.
        """
        end = self.parts[-1].first + self.parts[-1].pages
        pages = range(page, min(page + self.counts.channels, end))
        numbers = {self._numbers_of(p).in_acquisition for p in pages} - {None}
        return numbers.pop() if len(numbers) == 1 else None

    @property
    def advance(self) -> bool:
        """Whether the last frame of the first file has another number than the first frame."""
        part = self.parts[0]
        numbers = (self.at(0), self.at(part.pages - 1))
        return part.pages <= self.counts.channels or None in numbers or numbers[0] != numbers[1]

    @property
    def has_first_alone(self) -> bool:
        """Whether the first frame has a number and no other of the first ones, nor the last, has one."""
        part, c = self.parts[0], self.counts.channels
        pages = [*range(c, min(part.pages, FEW * c), c), part.pages - 1]
        return part.pages > c and self.at(0) is not None and all(self.has_no_number(page) for page in pages)

    def has_no_number(self, page: int) -> bool:
        """Whether a page can be read, and has no number."""
        return self.at(page) is None and self._numbers_of(page) is not UNREADABLE

    def first(self, part: Part) -> tuple[int | None, bool]:
        """Number of a file's first frame, and whether its own page has it.

        If not, the number is worked out from the first page after it that has one.
        """
        frame = self.at(part.first)
        if frame is not None:
            return frame, True
        page = self._nearest(part.first, 1, part)
        if page is None:
            return None, False
        frames = (page - part.first) // self.counts.channels
        return (self.at(page) or 0) - frames * self.stack.averaging, False

    def _nearest(self, page: int, step: int, part: Part) -> int | None:
        """The nearest page of a file that has a number, before or after a page."""
        last = part.first + part.pages
        return next(
            (p for p in range(page, page + step * AROUND, step) if part.first <= p < last and self.at(p) is not None),
            None,
        )

    def agrees(self, page: int, expected: Callable[[int], int], part: Part) -> bool:
        """Whether a page has the expected number; if it has none, whether the pages around it have theirs.

        Raises
        ------
        LayoutError
            If the pages before have the expected numbers and those after do not: it is unknown where they jump.
        """
        frame = self.at(page)
        if frame is not None:
            return frame == expected(page) or self.contradicts_both_sides(page, expected, part)
        around = [self._nearest(page, step, part) for step in (-1, 1)]
        votes = {self.at(p) == expected(p) for p in around if p is not None}
        if len(votes) == 1:
            return votes.pop()
        what = "frame numbers jump beside it" if votes else "neither have the pages around it"
        raise LayoutError(
            f"page {page - part.first} of {part.name} cannot be read or has no number, and {what}: the slices of its "
            "frames are unknown"
        )

    def contradicts_both_sides(self, page: int, expected: Callable[[int], int], part: Part) -> bool:
        """Whether the pages of a frame before and after have the expected numbers: this page's number is damaged.

        One page after it is not enough: where a page is missing, every second page has the expected number. All
        channels of the frame may have the same false number. At the end of the count the page's other number, of
        its frame in the acquisition or overall, takes the place of the pages after it; where there is none, a number
        that is higher than the next page's is damaged.
        """
        c, number = self.counts.channels, self.at(page)
        if number is None:
            return False
        begin, end = self._extents[self._count_of(part)]
        if page == begin:
            begin = 0  # the file before may be of the same acquisition, under another name
        first, last = page, page
        while first > begin and page - first < c and self.at(first - 1) == number:
            first -= 1
        while last + 1 < end and last - page < c and self.at(last + 1) == number:
            last += 1

        def is_between_right(first: int, last: int) -> bool:
            around = (*range(max(begin, first - c), first), *range(last + 1, min(end, last + c + 1)))
            if first == begin or not all(self.at(p) == expected(p) for p in around):
                return False
            if last + c < end:
                return True
            agrees = self._second_count_agrees(page, number, expected(page), first - 1, expected(first - 1))
            return bool(agrees) or (agrees is None and last + 1 < end and number > (self.at(last + 1) or number))

        if not is_between_right(page, page) and not (last - first < c and is_between_right(first, last)):
            return False
        self.damaged[page] = damaged_number(part.name, page - part.first, number, expected(page))
        return True

    def check(self) -> None:
        """Refuse numbers of channels or of averaged frames that the first frame numbers contradict."""
        c, a, pages = self.counts.channels, self.stack.averaging, self.parts[0].pages
        name = self.parts[0].name
        first = self.at(0)
        if first is None or pages < 2:
            return
        if c > 1 and pages >= c and self.at(c - 1) not in (None, first):
            raise LayoutError(
                f"the header says that {c} channels were saved, but pages 0 and {c - 1} of {name} belong to "
                f"frames {first} and {self.at(c - 1)}"
            )
        # If it has fewer pages a frame than there are channels, the third frame would be too early, too.
        if pages > c and self.at(c) == first and (pages <= 2 * c or self.at(2 * c) != first + 2 * a):
            raise LayoutError(
                f"the header says that {c} channel{'s were' if c > 1 else ' was'} saved, but pages 0 and {c} of "
                f"{name} both belong to frame {first}"
            )
        second, third = (self.at(page) if pages > page else None for page in (c, 2 * c))
        step = a if second is None else second - first
        again = step if second is None or third is None else third - second
        counted = self._in_acquisition(0)
        if (first if counted is None else counted) % a or (
            step != a and step == again and (pages > 2 * c or first == step)
        ):
            raise LayoutError(
                f"the header says that {a} frames were averaged (logAverageFactor), but the frames of {name} "
                f"are numbered {first}, {first + step}, …"
            )

    def check_first_slice(self) -> None:
        """Refuse a number of frames per slice where frameNumberAcquisition of a slow stack restarts elsewhere.

        One frame may have a false number: two are asked where there are two.
        """
        a, r, c = self.stack.averaging, self.counts.repeats, self.counts.channels
        if self.stack.mode != "slow" or self._in_acquisition(0) != a:
            return
        frames = (self.parts[-1].first + self.parts[-1].pages) // c

        def contradicts(frame: int) -> bool:
            within = self._in_acquisition(frame * c)
            is_next = self.at(frame * c) == (self.at(0) or 0) + frame * a
            return within is not None and within != (frame % r + 1) * a and is_next

        for frame in (r - 1, r):
            other_frames = [f for f in (r - 2, r - 1, r, r + 1, r + 2) if 0 < f < frames and f != frame]
            if frame < frames and contradicts(frame) and (not other_frames or any(map(contradicts, other_frames))):
                raise LayoutError(
                    f"the header says {r * a} frames a slice (framesPerSlice), but frame {self.at(frame * c)} is frame "
                    f"{self._in_acquisition(frame * c)} of its slice by frameNumberAcquisition"
                )

    def within(self, page: int) -> int:
        """Number of a frame in its acquisition (in a slow stack, slice); if it has none, that of a first frame."""
        c, end = self.counts.channels, self.parts[-1].first + self.parts[-1].pages
        numbers = self._numbers_of(page)
        value = numbers.in_acquisition or self.stack.averaging
        if self.stack.mode == "slow" or page + 2 * c >= end or numbers.frame is None:
            return value
        # The two numbers of a frame differ by the raw frames before its acquisition; one of them may be damaged.
        later = [self._numbers_of(page + n * c) for n in (1, 2)]
        starts = [n.frame - n.in_acquisition for n in later if n.frame is not None and n.in_acquisition is not None]
        frame = self._true.get(page, numbers.frame) if self.runs_on else numbers.frame
        return frame - starts[0] if len(starts) == 2 and starts[0] == starts[1] else value

    def check_slice(self, page: int, place: int) -> None:
        """Refuse a position in a slow stack that frameNumberAcquisition of this frame and the next contradicts."""
        a, r, c = self.stack.averaging, self.counts.repeats, self.counts.channels
        end = self.parts[-1].first + self.parts[-1].pages
        within, after = (self._in_acquisition(p) if p < end else None for p in (page, page + c))
        if self.stack.mode != "slow" or within is None or not (within // a - 1 - place) % r:
            return
        if after is None or (after // a - 2 - place) % r:
            raise LayoutError(
                f"page {page} is frame {within} of its slice by frameNumberAcquisition, and by frameNumbers "
                f"frame {(place % r + 1) * a}: the slice is unknown"
            )

    def place(self, number: int, start: int) -> int:
        """Position of a frame in its volume, by its number; `start` numbers were used by earlier acquisitions."""
        return ((number - start) // self.stack.averaging - 1) % self.counts.frames_per_volume
