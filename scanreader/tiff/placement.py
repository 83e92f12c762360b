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
    marked: list[Run] = []
    pages: list[int] = []
    for run, is_misplaced in zip(runs, _find_misplaced(runs, heads, nbytes, end), strict=True):
        last = run.length - 1
        if not is_misplaced:
            marked.append(run)
            continue
        if last:
            marked.append(run._replace(length=last))
        marked.append(Run(run.page + last, 1, run.ifd + last * run.stride, 0, matching_none(run.template)))
        pages.append(run.page + last)
    return marked, pages


def _find_misplaced(runs: Sequence[Run], heads: Mapping[int, int], nbytes: int, end: int) -> Flags:
    """Tell of which runs the last page has its pixels elsewhere than it says."""
    rows = [(run.length, run.stride, run.ifd, run.template.ifd_size, run.template.pixels) for run in runs]
    lengths, strides, ifds, ifd_sizes, pixels = np.array(rows, np.int64).T
    first_heads = [heads.get(run.page, 0) for run in runs]
    head_sizes = np.array(
        [heads.get(run.page + run.length - 1, head) for run, head in zip(runs, first_heads, strict=True)]
    )
    judged = np.array([not is_of_damaged(run.template) for run in runs])
    firsts, lasts = (
        _Ends(lengths, strides, at, at + ifd_sizes, at + head_sizes, at + pixels, at + pixels + nbytes)
        for at in (ifds, ifds + (lengths - 1) * strides)
    )
    header = 2 * int(runs[0].template.word[2])  # bytes
    starts = np.sort(np.concatenate((ifds, firsts.pixels[judged], [end])))
    stops = np.sort(np.concatenate((lasts.heads[judged], lasts.ends[judged], [header])))
    wrong = _differs_from_neighbours(firsts, lasts, judged, end) | _is_not_round(lasts) | _is_in_an_ifd(firsts, lasts)
    if nbytes >= PADDING:
        expected = _in_line(np.array([run.page + run.length - 1 for run in runs]), lasts, nbytes)
        is_outside = ~_is_in_its_room(lasts, starts, stops, nbytes)
        if expected is None:
            wrong |= is_outside
        else:
            wrong |= _leaves_line(expected, firsts, lasts) | (is_outside & (lasts.pixels != expected))
    return np.asarray(wrong & judged)


def _is_in_its_room(lasts: _Ends, starts: IndexArray, stops: IndexArray, nbytes: int) -> Flags:
    """Tell which pixels are in the room beside their IFD, or have no room there for just them.

    Parameters
    ----------
    starts, stops : int arrays
        Where IFDs and pixels begin, and where they end; sorted.
    """
    places = starts.searchsorted(lasts.heads)
    places += starts[np.minimum(places, len(starts) - 1)] == lasts.pixels  # the page's own
    after = starts[np.minimum(places, len(starts) - 1)]
    places = stops.searchsorted(lasts.ifds, side="right") - 1
    places -= (stops[places] == lasts.ends) & (places > 0)
    before = stops[places]
    has_room_after = _is_for_pixels(after - lasts.heads, nbytes)
    has_room_before = _is_for_pixels(lasts.ifds - before, nbytes)
    is_after = has_room_after & (lasts.pixels >= lasts.heads) & (lasts.ends <= after)
    is_before = has_room_before & (lasts.pixels >= before) & (lasts.ends <= lasts.ifds)
    is_like_others = (lasts.lengths > 1) & (lasts.pixels < lasts.ifds)  # one page before in its run has it as well
    return np.asarray(is_after | is_before | is_like_others | ~(has_room_after | has_room_before))


def _is_for_pixels(room: IndexArray, nbytes: int) -> Flags:
    """Tell which numbers of unused bytes are room for the pixels of one page, and for nothing else."""
    return np.asarray((nbytes <= room) & (room < nbytes + PADDING))


def _in_line(pages: IndexArray, lasts: _Ends, nbytes: int) -> IndexArray | None:
    """Find where the pixels of pages would begin if they followed each other, as nearly all do; None if they do not."""
    single = lasts.lengths == 1
    lines, votes = np.unique((lasts.pixels - pages * nbytes)[single], return_counts=True)
    if not len(lines) or votes.max() < max(FEW, MOST * (lasts.lengths.sum() - 1)):
        return None
    return np.asarray(lines[votes.argmax()] + pages * nbytes)


def _leaves_line(expected: IndexArray, firsts: _Ends, lasts: _Ends) -> Flags:
    """Tell which pixels are not where they are expected, although nothing else is there."""
    single, nbytes = lasts.lengths == 1, lasts.ends - lasts.pixels
    first = np.where(single, lasts.ifds, np.minimum(firsts.ifds, firsts.pixels))  # with all that is between pages
    stop = np.where(single, lasts.heads, np.maximum(lasts.heads, lasts.ends))
    starts, stops = np.sort(np.append(first, lasts.pixels)), np.sort(np.append(stop, lasts.ends))
    expected_ends = expected + nbytes
    there = starts.searchsorted(expected_ends) - stops.searchsorted(expected, side="right")  # begun and not ended
    own = (lasts.pixels < expected_ends) & (lasts.ends > expected)  # the page's own pixels
    return np.asarray(single & (expected != lasts.pixels) & (there - own == 0))


def _differs_from_neighbours(firsts: _Ends, lasts: _Ends, judged: Flags, end: int) -> Flags:
    """Tell which pages are evenly spaced between two that agree on where pixels are after the IFD.

    The last page is compared with two that agree before it, if there is room in the file.
    """
    wrong = np.zeros(len(judged), bool)
    is_single = (lasts.lengths == 1) & judged
    distances, next_distances = lasts.pixels - lasts.ifds, firsts.pixels - firsts.ifds
    steps = firsts.ifds[1:] - lasts.ifds[:-1]
    is_even = (steps[1:] == steps[:-1]) & (distances[:-2] == next_distances[2:]) & judged[:-2] & judged[2:]
    wrong[1:-1] = is_even & is_single[1:-1]
    if len(wrong) > 1 and lasts.lengths[-2] > 1:
        expected = lasts.ifds[-1] + distances[-2]
        has_room = lasts.heads[-1] <= expected and expected + lasts.ends[-1] - lasts.pixels[-1] <= end
        wrong[-1] = is_single[-1] and judged[-2] and steps[-1] == lasts.strides[-2] and has_room
    before = np.append(0, distances[:-1])
    return np.asarray(wrong & (before > 0) & (distances != before))


def _is_not_round(lasts: _Ends) -> Flags:
    """Tell which pixels after their IFD begin a few bytes beside where they are expected.

    Programs round up the distance from the IFD, or the offset in the file; then nearly all pages agree on it. Pages
    with IFDs of different sizes are of different programs.
    """
    sizes = lasts.ifd_ends - lasts.ifds
    wrong = np.zeros(len(sizes), bool)
    for size in np.unique(sizes):
        equal = sizes == size
        wrong[equal] = _differs_in_remainder(_Ends(*(column[equal] for column in lasts)))
    return wrong


def _differs_in_remainder(lasts: _Ends) -> Flags:
    """Tell which pages differ from nearly all others in both remainders that these agree on, or in the one."""
    is_after = lasts.pixels > lasts.ifds
    wrong, total, has_rule = is_after & (lasts.lengths == 1), int(lasts.lengths[is_after].sum()), False
    remainders = (lasts.pixels - lasts.ifds) % ROUND, lasts.pixels % ROUND
    for values in remainders:
        votes = np.bincount(values[is_after], lasts.lengths[is_after], ROUND)
        votes[0] += 0.5  # of two pages, the round one is right
        if votes.max() >= MOST * (total - 1) and votes.max() > total / 2:
            has_rule = True
            wrong &= values != votes.argmax()
    both = remainders[0] * ROUND + remainders[1]
    is_alone = np.bincount(both, lasts.lengths)[both] == 1  # else a second program has written to the file
    return np.asarray(wrong & is_alone & has_rule)


def _is_in_an_ifd(firsts: _Ends, lasts: _Ends) -> Flags:
    """Tell which pixels overlap the IFD of another page."""
    order = firsts.ifds.argsort()
    runs = order[np.maximum(firsts.ifds[order].searchsorted(lasts.ends) - 1, 0)]  # that begin before the pixels end
    ifds, strides, lengths = firsts.ifds[runs], firsts.strides[runs], firsts.lengths[runs]
    pages = np.clip((lasts.ends - 1 - ifds) // np.maximum(strides, 1), 0, lengths - 1)
    moved = pages * strides
    overlaps = (ifds + moved < lasts.ends) & (firsts.ifd_ends[runs] + moved > lasts.pixels)
    return np.asarray(overlaps & (lasts.lengths == 1))
