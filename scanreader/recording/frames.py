"""The frames of a recording with what is written beside them: the frame table, times, events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scanreader.keys import as_array
from scanreader.recording.bout_frames import bout_of_pages, on_one_clock
from scanreader.recording.bouts import time_of
from scanreader.scanimage.descriptions import (
    EVENTS_END,
    FRAME_TABLE,
    MISSING,
    NUMBERS_END,
    fill_table,
    find_events,
    frame_numbers,
    may_hold_events,
    timestamps,
    was_cut,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.keys import IndexArray
    from scanreader.recording.layout import Counts, Layout
    from scanreader.recording.opened import Opened
    from scanreader.scanimage.descriptions import Event
    from scanreader.tiff.pages import Pages

AT_A_TIME = 8192  # descriptions that are held at once: 6 MB


def in_chunks(
    pages: Pages, numbers: IndexArray, limit: int, notes: list[str] | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """Read descriptions of pages, some at a time: the first one's place in `numbers`, and the texts."""
    for start in range(0, len(numbers), AT_A_TIME):
        yield start, pages.descriptions(numbers[start : start + AT_A_TIME], limit, notes)


def read_timestamps(pages: Pages, numbers: IndexArray, notes: list[str] | None = None) -> npt.NDArray[np.float64]:
    """Read the times beside pages, in seconds, of the shape of `numbers`."""
    texts = in_chunks(pages, numbers, NUMBERS_END, notes)
    return np.concatenate([np.empty(0), *(timestamps(part) for _, part in texts)])


def times_at(
    opened: Opened, slice_id: int, frames: IndexArray, notes: list[str] | None = None
) -> npt.NDArray[np.float64]:
    """Read the times of some of a scan's frames in a slice, in seconds."""
    places = as_array(opened.frame_places(frames))
    pages = opened.layout.page_numbers(slice_id, 0, places)
    return on_one_clock(opened, pages, read_timestamps(opened.pages, pages, notes))


def read_table(opened: Opened, notes: list[str] | None = None) -> npt.NDArray[np.void]:
    """Read what is known of each frame that was logged, in the order of the files; see `Scan.frame_table`."""
    table = _frame_rows(opened.pages, opened.layout, notes)
    fill_rows(opened, table, notes)
    return table


def fill_rows(opened: Opened, table: npt.NDArray[np.void], notes: list[str] | None = None) -> None:
    """Read what the descriptions say of rows of the frame table whose places are known, times on the scan's clock."""
    first_pages = opened.pages.starts[table["file"]] + table["page"]
    for start, texts in in_chunks(opened.pages, first_pages, NUMBERS_END, notes):
        fill_table(table[start : start + len(texts)], texts)
    table["bout"] = bout_of_pages(opened, first_pages)
    for column in ("timestamp", "acquisition_trigger", "next_file_marker"):
        table[column] = on_one_clock(opened, first_pages, table[column])


def read_events(opened: Opened, table: npt.NDArray[np.void], notes: list[str] | None = None) -> tuple[list[Event], int]:
    """Read the events of all frames, each frame's once; and how many descriptions ScanImage cut."""
    events: list[Event] = []
    num_cut, pages = 0, opened.pages
    first_pages = pages.starts[table["file"]] + table["page"]
    number = table["frame_number"]
    is_repeat = np.append(False, (number[1:] == number[:-1]) & (number[1:] >= 0))  # another page of the same frame
    for start, texts in in_chunks(pages, first_pages, EVENTS_END, notes):
        for row, text in enumerate(texts, start):
            if may_hold_events(text) and not is_repeat[row]:
                num_cut += was_cut(text)
                bout = opened.bouts[table["bout"][row]]
                page_events = find_events(text, row, int(table["frame_number"][row]))
                events += (event._replace(time=time_of(bout, event.time)) for event in page_events)
    return events, num_cut


def _frame_rows(pages: Pages, layout: Layout, notes: list[str] | None) -> npt.NDArray[np.void]:
    """Rows for all frames, with their places; frames that are in no whole volume have none."""
    counts = layout.counts
    frames_per_volume = counts.frames_per_volume
    first_pages, volumes, places, at = [], [], [], 0
    for first_volume, page, num_volumes in [*layout.stretches, (MISSING, len(pages), 0)]:
        incomplete_pages = _first_pages_of_frames(pages, np.arange(at, page), counts.channels, notes)
        frames = np.arange(num_volumes * frames_per_volume)
        at = page + num_volumes * counts.pages_per_volume
        first_pages += [incomplete_pages, page + frames * counts.channels]
        volumes += [np.full(len(incomplete_pages), MISSING), first_volume + frames // frames_per_volume]
        places += [np.full(len(incomplete_pages), MISSING), frames % frames_per_volume]
    return placed_rows(pages, counts, np.concatenate(first_pages), np.concatenate(volumes), np.concatenate(places))


def placed_rows(
    pages: Pages, counts: Counts, first_pages: IndexArray, volumes: IndexArray, places: IndexArray
) -> npt.NDArray[np.void]:
    """Rows of the frame table that say where frames are, and nothing else yet.

    Parameters
    ----------
    first_pages : int array of shape (rows,)
        Page of each frame's first channel.
    volumes : int array of shape (rows,)
    places : int array of shape (rows,)
        Frames since the start of the volume; `MISSING` of frames that are in none.
    """
    table = np.zeros(len(first_pages), FRAME_TABLE)
    is_in_slice = (places >= 0) & (places < counts.slices * counts.repeats)
    table["file"] = np.searchsorted(pages.starts, first_pages, side="right") - 1
    table["page"] = first_pages - pages.starts[table["file"]]
    table["volume"] = volumes
    table["slice"] = np.where(is_in_slice, places // counts.repeats, MISSING)
    table["repeat"] = np.where(is_in_slice, places % counts.repeats, MISSING)
    table["is_flyback"] = ~is_in_slice & (places >= 0)
    return table


def _first_pages_of_frames(pages: Pages, numbers: IndexArray, channels: int, notes: list[str] | None) -> IndexArray:
    """First pages of frames among pages that are out of order: where the frame's number changes.

    Pages that say no number are taken `channels` by `channels`.
    """
    first_pages: list[int] = []
    last: int | None = None
    num_pages = 0
    for start, texts in in_chunks(pages, numbers, NUMBERS_END, notes):
        for page, text in zip(numbers[start:].tolist(), texts, strict=False):
            number = frame_numbers(text).frame
            if not first_pages or number != last or num_pages == channels:
                first_pages.append(page)
                num_pages = 0
            last, num_pages = number, num_pages + 1
    return np.array(first_pages, np.int64)
