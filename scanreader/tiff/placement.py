"""Whether the pixels of a page are where its own IFD and the rest of the file leave room for them.

A page whose pixels are said to be elsewhere is damaged if the bytes beside its IFD are as many as its pixels and
belong to nothing else, or if the pixels of its neighbours, or their distance from the IFD, leave no doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.tiff.runs import Run
from scanreader.tiff.templates import is_of_damaged, matching_none

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scanreader.keys import IndexArray

    Flags = npt.NDArray[np.bool_]

PADDING = 24  # bytes, less than which programs leave unused before and after the pixels of a page
ROUND = 8  # bytes, to a multiple of which ScanImage and others round up where pixels begin
FEW = 3  # pages, fewer of which make no rule
MOST = 0.75  # of the pages, which must agree on where pixels begin within 8 bytes, before another page is damaged


class _Ends(NamedTuple):
    """One page of each run, its first or its last; all of shape (runs,), offsets in bytes."""

    lengths: IndexArray
    """Number of pages of the run."""
    strides: IndexArray
    ifds: IndexArray
    ifd_ends: IndexArray
    heads: IndexArray
    """Where the values after the IFD end."""
    pixels: IndexArray
    ends: IndexArray
    """Where the pixels end."""


def mark_misplaced(runs: Sequence[Run], heads: Mapping[int, int], nbytes: int, end: int) -> tuple[list[Run], list[int]]:
    """Mark pages whose pixels cannot be where their IFDs say: no IFD matches their template then.

    Parameters
    ----------
    heads : dict
        For numbers of pages, the bytes of the IFD and of the values that follow it; at least for the first of each run.
    nbytes : int
        Bytes of the pixels of a page.
    end : int
        Where a page after the last would begin.

    Returns
    -------
    runs : list of Run
    pages : list of int
        Numbers of the pages that were marked.
    """
    marked_runs: list[Run] = []
    pages: list[int] = []
    for run, is_misplaced in zip(runs, _find_misplaced(runs, heads, nbytes, end), strict=True):
        last = run.length - 1
        if not is_misplaced:
            marked_runs.append(run)
            continue
        if last:
            marked_runs.append(run._replace(length=last))
        marked_runs.append(Run(run.page + last, 1, run.ifd + last * run.stride, 0, matching_none(run.template)))
        pages.append(run.page + last)
    return marked_runs, pages


def _find_misplaced(runs: Sequence[Run], heads: Mapping[int, int], nbytes: int, end: int) -> Flags:
    """Tell of which runs the last page has its pixels elsewhere than it says."""
    rows = [(run.length, run.stride, run.ifd, run.template.ifd_size, run.template.pixels) for run in runs]
    lengths, strides, ifds, ifd_sizes, pixels = np.array(rows, np.int64).T
    first_heads = [heads.get(run.page, 0) for run in runs]
    head_sizes = np.array(
        [heads.get(run.page + run.length - 1, head) for run, head in zip(runs, first_heads, strict=True)]
    )
    is_intact = np.array([not is_of_damaged(run.template) for run in runs])
    first_pages, last_pages = (
        _Ends(lengths, strides, at, at + ifd_sizes, at + head_sizes, at + pixels, at + pixels + nbytes)
        for at in (ifds, ifds + (lengths - 1) * strides)
    )
    header = 2 * int(runs[0].template.word[2])  # bytes
    starts = np.sort(np.concatenate((ifds, first_pages.pixels[is_intact], [end])))
    stops = np.sort(np.concatenate((last_pages.heads[is_intact], last_pages.ends[is_intact], [header])))
    is_misplaced = (
        _differs_from_neighbours(first_pages, last_pages, is_intact, end)
        | _is_not_round(last_pages)
        | _is_in_an_ifd(first_pages, last_pages)
    )
    if nbytes >= PADDING:
        expected = _places_in_line(np.array([run.page + run.length - 1 for run in runs]), last_pages, nbytes)
        is_outside = ~_is_in_its_room(last_pages, starts, stops, nbytes)
        if expected is None:
            is_misplaced |= is_outside
        else:
            is_misplaced |= _leaves_line(expected, first_pages, last_pages) | (
                is_outside & (last_pages.pixels != expected)
            )
    return np.asarray(is_misplaced & is_intact)


def _is_in_its_room(last_pages: _Ends, starts: IndexArray, stops: IndexArray, nbytes: int) -> Flags:
    """Tell which pixels are in the room beside their IFD, or have no room there for just them.

    Parameters
    ----------
    starts, stops : int arrays
        Where IFDs and pixels begin, and where they end; sorted.
    """
    places = starts.searchsorted(last_pages.heads)
    places += starts[np.minimum(places, len(starts) - 1)] == last_pages.pixels  # the page's own
    start_after = starts[np.minimum(places, len(starts) - 1)]
    places = stops.searchsorted(last_pages.ifds, side="right") - 1
    places -= (stops[places] == last_pages.ends) & (places > 0)
    end_before = stops[places]
    has_room_after = _is_for_pixels(start_after - last_pages.heads, nbytes)
    has_room_before = _is_for_pixels(last_pages.ifds - end_before, nbytes)
    is_after = has_room_after & (last_pages.pixels >= last_pages.heads) & (last_pages.ends <= start_after)
    is_before = has_room_before & (last_pages.pixels >= end_before) & (last_pages.ends <= last_pages.ifds)
    is_like_others = (last_pages.lengths > 1) & (
        last_pages.pixels < last_pages.ifds
    )  # one page before in its run has it as well
    return np.asarray(is_after | is_before | is_like_others | ~(has_room_after | has_room_before))


def _is_for_pixels(room: IndexArray, nbytes: int) -> Flags:
    """Tell which numbers of unused bytes are room for the pixels of one page, and for nothing else."""
    return np.asarray((nbytes <= room) & (room < nbytes + PADDING))


def _places_in_line(pages: IndexArray, last_pages: _Ends, nbytes: int) -> IndexArray | None:
    """Find where the pixels of pages would begin if they followed each other, as nearly all do; None if they do not."""
    is_single = last_pages.lengths == 1
    lines, votes = np.unique((last_pages.pixels - pages * nbytes)[is_single], return_counts=True)
    if not len(lines) or votes.max() < max(FEW, MOST * (last_pages.lengths.sum() - 1)):
        return None
    return np.asarray(lines[votes.argmax()] + pages * nbytes)


def _leaves_line(expected: IndexArray, first_pages: _Ends, last_pages: _Ends) -> Flags:
    """Tell which pixels are not where they are expected, although nothing else is there."""
    is_single, nbytes = last_pages.lengths == 1, last_pages.ends - last_pages.pixels
    first = np.where(
        is_single, last_pages.ifds, np.minimum(first_pages.ifds, first_pages.pixels)
    )  # with all that is between pages
    stop = np.where(is_single, last_pages.heads, np.maximum(last_pages.heads, last_pages.ends))
    starts, stops = np.sort(np.append(first, last_pages.pixels)), np.sort(np.append(stop, last_pages.ends))
    expected_ends = expected + nbytes
    num_overlaps = starts.searchsorted(expected_ends) - stops.searchsorted(expected, side="right")  # not yet ended
    is_own = (last_pages.pixels < expected_ends) & (last_pages.ends > expected)  # the page's own pixels
    return np.asarray(is_single & (expected != last_pages.pixels) & (num_overlaps - is_own == 0))


def _differs_from_neighbours(first_pages: _Ends, last_pages: _Ends, is_intact: Flags, end: int) -> Flags:
    """Tell which pages are evenly spaced between two that agree on where pixels are after the IFD.

    The last page is compared with two that agree before it, if there is room in the file.
    """
    is_misplaced = np.zeros(len(is_intact), bool)
    is_single = (last_pages.lengths == 1) & is_intact
    distances, next_distances = last_pages.pixels - last_pages.ifds, first_pages.pixels - first_pages.ifds
    steps = first_pages.ifds[1:] - last_pages.ifds[:-1]
    is_even = (steps[1:] == steps[:-1]) & (distances[:-2] == next_distances[2:]) & is_intact[:-2] & is_intact[2:]
    is_misplaced[1:-1] = is_even & is_single[1:-1]
    if len(is_misplaced) > 1 and last_pages.lengths[-2] > 1:
        expected = last_pages.ifds[-1] + distances[-2]
        has_room = last_pages.heads[-1] <= expected and expected + last_pages.ends[-1] - last_pages.pixels[-1] <= end
        is_misplaced[-1] = is_single[-1] and is_intact[-2] and steps[-1] == last_pages.strides[-2] and has_room
    distances_before = np.append(0, distances[:-1])
    return np.asarray(is_misplaced & (distances_before > 0) & (distances != distances_before))


def _is_not_round(last_pages: _Ends) -> Flags:
    """Tell which pixels after their IFD begin a few bytes beside where they are expected.

    Programs round up the distance from the IFD, or the offset in the file; then nearly all pages agree on it. Pages
    with IFDs of different sizes are of different programs.
    """
    sizes = last_pages.ifd_ends - last_pages.ifds
    is_misplaced = np.zeros(len(sizes), bool)
    for size in np.unique(sizes):
        has_size = sizes == size
        is_misplaced[has_size] = _differs_in_remainder(_Ends(*(column[has_size] for column in last_pages)))
    return is_misplaced


def _differs_in_remainder(last_pages: _Ends) -> Flags:
    """Tell which pages differ from nearly all others in both remainders that these agree on, or in the one."""
    is_after = last_pages.pixels > last_pages.ifds
    is_misplaced, total, has_rule = is_after & (last_pages.lengths == 1), int(last_pages.lengths[is_after].sum()), False
    remainders = (last_pages.pixels - last_pages.ifds) % ROUND, last_pages.pixels % ROUND
    for values in remainders:
        votes = np.bincount(values[is_after], last_pages.lengths[is_after], ROUND)
        votes[0] += 0.5  # of two pages, the round one is right
        if votes.max() >= MOST * (total - 1) and votes.max() > total / 2:
            has_rule = True
            is_misplaced &= values != votes.argmax()
    remainder_pairs = remainders[0] * ROUND + remainders[1]
    is_alone = (
        np.bincount(remainder_pairs, last_pages.lengths)[remainder_pairs] == 1
    )  # else a second program has written to the file
    return np.asarray(is_misplaced & is_alone & has_rule)


def _is_in_an_ifd(first_pages: _Ends, last_pages: _Ends) -> Flags:
    """Tell which pixels overlap the IFD of another page."""
    order = first_pages.ifds.argsort()
    runs = order[
        np.maximum(first_pages.ifds[order].searchsorted(last_pages.ends) - 1, 0)
    ]  # that begin before the pixels end
    ifds, strides, lengths = first_pages.ifds[runs], first_pages.strides[runs], first_pages.lengths[runs]
    pages = np.clip((last_pages.ends - 1 - ifds) // np.maximum(strides, 1), 0, lengths - 1)
    distances = pages * strides
    overlaps = (ifds + distances < last_pages.ends) & (first_pages.ifd_ends[runs] + distances > last_pages.pixels)
    return np.asarray(overlaps & (last_pages.lengths == 1))
