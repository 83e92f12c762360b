"""Recordings that are still being written: what has come since a scan was opened."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from scanreader.chunks import frames_at_a_time
from scanreader.errors import ChangedFileError, LayoutError, ScanKeyError, ScanReaderError, UnreachableError
from scanreader.keys import from_start
from scanreader.notices import notify
from scanreader.recording import views
from scanreader.recording.base import BaseScan
from scanreader.recording.layout import saved_counts
from scanreader.scanimage.descriptions import FRAME_TABLE, NUMBERS_END, fill_table
from scanreader.scanimage.jsonlab import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from scanreader.recording.opened import LookAgain, Opened

S = TypeVar("S", bound=BaseScan)

TRIES = 5
EXPECTED = ("cut-end", "partial-volume", "empty-file", "left-out-file")  # findings while a recording goes on


def refreshed(scan: S) -> S:
    """Open a recording again; see `Scan.refresh`.

    Raises
    ------
    LayoutError
        If the scan shows chosen frames: what has come since is not among them.
    """
    opened = scan.opened
    look_again = _how_to_look_again(opened)
    new = views.take_again(_patiently(lambda: look_again(opened)), opened.views)
    names = {finding.name for finding in opened.findings} | set(EXPECTED)
    sentences = [finding.sentence for finding in new.findings if finding.name not in names]
    notify(["; ".join(sentences)] if sentences else [])
    return type(scan)(new)


def _how_to_look_again(opened: Opened) -> LookAgain:
    if opened.frames is not None:
        raise LayoutError(
            "a choice of frames does not grow with its recording: refresh or follow the scan that they were chosen of",
            raw_helps=False,
        )
    if opened.look_again is None:
        raise LayoutError("this scan was not opened by read_scan, which alone can open it again", raw_helps=False)
    return opened.look_again


def follow(scan: BaseScan, timeout: float, *, field: int | None, interval: float) -> Iterator[npt.NDArray[Any]]:
    """Read frames as they come; see `Scan.follow`."""
    _how_to_look_again(scan.opened)
    # What cannot be is an error now, not at the first frame.
    _ = scan.shape if field is None else from_start(field, scan.num_fields, "field")
    for name, seconds in (("timeout", timeout), ("interval", interval)):
        if not isinstance(seconds, (int, float)):
            raise ScanKeyError(f"{name} is a number of seconds, not {seconds!r}")
    return _follow(scan, timeout, field=field, interval=interval)


def _follow(scan: BaseScan, timeout: float, *, field: int | None, interval: float) -> Iterator[npt.NDArray[Any]]:
    key = slice(None) if field is None else field
    holes = _count_holes(scan)
    done = scan.num_frames if _is_whole(scan) else 0
    given, last = scan, time.monotonic()
    trouble: ScanReaderError | None = None
    while True:
        ready = trouble is None and _is_whole(scan) and _count_holes(scan) == holes  # a part that is missing may come
        if ready and scan.num_frames > done:
            step = frames_at_a_time(scan.nbytes // max(1, scan.num_frames))
            end = min(scan.num_frames, done + step)
            try:
                frames = scan[key, ..., done:end]
            except (
                ChangedFileError,
                UnreachableError,
            ) as error:  # it was closed this moment, or is not what it was: then opening says so
                trouble = error
            else:
                done, given, last = end, scan, time.monotonic()
                yield frames
                continue
        if ready and _has_ended(scan, done):
            return
        if time.monotonic() - last > timeout:
            if trouble is not None:
                raise trouble
            notify(
                [f"no frame came for {timeout:g} s, and the acquisition did not say that it ended, after {done} frames"]
            )
            return
        time.sleep(interval)
        try:
            new = refreshed(scan)
            _see_that_it_goes_on(given, new, done)
            scan, trouble = new, None
        except ScanReaderError as error:  # a file may be in the middle of being made: it is said if it stays so
            trouble = error


def _count_holes(scan: BaseScan) -> int:
    return sum(finding.name == "missing-file" for finding in scan.findings)


def _see_that_it_goes_on(before: BaseScan, after: BaseScan, done: int) -> None:
    """See that what was given of a recording is still where it was.

    Raises
    ------
    ChangedFileError
        If files came in between, or frames that were given are gone.
    """
    files = after.filenames[: len(before.filenames)]
    if done and _is_whole(after) and (files != before.filenames or after.num_frames < done):
        raise ChangedFileError(
            f"files came between those that were read, or some are gone: {done} frames were given, and now there are "
            f"{after.num_frames} of {len(after.filenames)} files"
        )


def _patiently(job: Callable[[], Opened]) -> Opened:
    """Do something again if a file changed meanwhile, as files do while they are written."""
    for _ in range(TRIES - 1):
        try:
            return job()
        except ChangedFileError:
            time.sleep(0.01)
    return job()


def _is_whole(scan: BaseScan) -> bool:
    """Whether all slices of a volume are there: the first may still be incomplete."""
    return scan.opened.is_raw or scan.layout.counts == saved_counts(scan.stack)


def _has_ended(scan: BaseScan, done: int) -> bool:
    """Whether as many frames are there as were asked for, or ScanImage marked the last of all as such."""
    asked = scan.num_requested_frames
    if math.isfinite(asked) and asked > 0 and done >= asked and scan.settings.get("acqState") != "loop":
        return True
    saved = listed(scan.settings.get("hChannels.channelSave"))
    c = max(1, len(saved)) if scan.opened.is_raw else scan.layout.counts.channels
    pages = scan.opened.pages
    if len(pages) < c:
        return False
    texts = pages.descriptions(np.arange(len(pages) - c, len(pages)), NUMBERS_END)
    rows = np.zeros(c, FRAME_TABLE)
    fill_table(rows, texts)
    if (rows["frame_number"] != rows["frame_number"][0]).any():
        return False  # the last frame's channels are not all there
    if (rows["end_of_acquisition_mode"] == 1).all():
        return True
    alone = scan.stack.mode != "slow" and scan.settings.get("acqState") != "loop"
    return alone and bool((rows["end_of_acquisition"] == 1).all())
