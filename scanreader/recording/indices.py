"""Where frames stand among all frames that ScanImage logged or scanned, by their own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.scanimage.descriptions import NUMBERS_END, FrameNumbers, frame_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scanreader.recording.layout import Stretch
    from scanreader.recording.numbering import Part
    from scanreader.recording.opened import Opened

COMPARED = 3  # frames whose numbers are compared, since one may be damaged


class StretchStart(NamedTuple):
    """The first frame of a stretch."""

    place: int
    """Frames that were logged before it since the start of the scan's first acquisition."""
    number: int | None
    """ScanImage's number of the frame, or of the last of its raw frames; None if unknown."""


def stretch_starts(opened: Opened, notes: list[str]) -> list[StretchStart]:
    """Find where the stretches of a recording start among all frames that were logged.

    A frame's number tells how many raw frames were scanned before it, and `frameNumberAcquisition` where its
    acquisition started. Raw frames at the end of an acquisition that were too few to be averaged were not logged.
    Frames without numbers are counted in the files.

    Parameters
    ----------
    notes : list of str
        Sentences about damage are appended to it.
    """
    c = opened.layout.counts.channels
    starts: list[StretchStart] = []
    index = counted_index = at = 0  # of the page `at`: by the numbers, and by counting frames in the files
    base = start = 0  # the index, and the raw frames before, of the acquisition
    recording: int | None = None
    acquisition: int | None = None
    for page, part, stretch, number in _frames_to_read(opened, notes):
        counted_index, at, a = index + (page - at) // c, page, opened.averaging_of(part)
        if opened.is_raw or number.frame is None:
            index = counted_index
        else:
            is_first = part.recording != recording
            acquisition_start = _raw_frames_before(opened, number, part, page, start, is_first=is_first)
            if is_first:  # the page is the recording's first
                base = counted_index
            elif acquisition_start != start:
                base += _count_logged_frames(acquisition_start - start, acquisition, number.acquisition, a)
            start, recording, acquisition = acquisition_start, part.recording, number.acquisition
            index = max(counted_index, base + (number.frame - start) // a - 1)
        if stretch is not None:
            starts.append(StretchStart(index, None if opened.is_raw else number.frame))
    return starts


def _count_logged_frames(
    raw_frames: int, acquisition_before: int | None, acquisition: int | None, averaging: int
) -> int:
    """Frames that were logged of the raw frames between the starts of two acquisitions, with their numbers."""
    count = 1 if acquisition_before is None or acquisition is None else max(1, acquisition - acquisition_before)
    if raw_frames % count:
        count = 1
    return count * (max(0, raw_frames) // count // averaging)


def _frames_to_read(opened: Opened, notes: list[str]) -> Iterator[tuple[int, Part, Stretch | None, FrameNumbers]]:
    """Frames at which a stretch or an acquisition starts, in order: page, part, stretch if one starts, numbers."""
    stretches = {stretch.page: stretch for stretch in opened.layout.stretches}
    parts, c = opened.parts, opened.layout.counts.channels
    acquisition_pages = {
        part.first for part_before, part in zip((None, *parts), parts, strict=False) if not part.follows(part_before)
    }
    pages = sorted({*stretches, *acquisition_pages})
    owners = np.searchsorted([part.first for part in parts], pages, side="right") - 1
    places = np.array(pages)[:, None] + np.arange(COMPARED) * c
    is_inside = places < np.append(pages[1:], len(opened.pages))[:, None]
    texts = iter(opened.pages.descriptions(places[is_inside], NUMBERS_END, notes))
    for page, owner, row in zip(pages, owners.tolist(), is_inside, strict=True):
        numbers = [frame_numbers(next(texts)) for _ in range(int(row.sum()))]
        a = opened.averaging_of(parts[owner])
        yield page, parts[owner], stretches.get(page), _corrected_numbers(opened, numbers, a)


def _corrected_numbers(opened: Opened, numbers: Sequence[FrameNumbers], averaging: int) -> FrameNumbers:
    """Numbers of the first of some frames, of which one may be damaged.

    A frame's two numbers differ by the raw frames before its acquisition, also where frames are missing.
    """
    first = numbers[0]
    starts = [n.frame - n.in_acquisition for n in numbers if n.frame is not None and n.in_acquisition is not None]
    if opened.stack.mode == "slow" or len(starts) < COMPARED or starts[0] == starts[1] or starts[1] != starts[2]:
        return first
    start, frame, next_frame = starts[1], first.frame or 0, numbers[1].frame or 0
    if next_frame - frame == averaging:
        return first._replace(in_acquisition=frame - start)
    return first._replace(frame=start + (first.in_acquisition or 0))


def _raw_frames_before(
    opened: Opened, number: FrameNumbers, part: Part, page: int, start_before: int, *, is_first: bool
) -> int:
    """Raw frames before a frame's acquisition started; `start_before` of the acquisition before."""
    frame = number.frame or 0
    if part.is_grab:
        return 0
    if opened.stack.mode != "slow" and number.in_acquisition is not None:
        return frame - number.in_acquisition
    if part.is_grab is None and not part.leads and is_first:
        return 0
    is_start = page == part.first and part.leads  # a slow stack's frameNumberAcquisition counts from its slice
    return frame - opened.averaging_of(part) if is_start or is_first else start_before
