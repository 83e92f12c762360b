"""Recordings that are still being written: frames since a scan was opened."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from scanreader.chunks import frames_at_a_time
from scanreader.errors import ChangedFileError, LayoutError, ScanKeyError, ScanReaderError, UnreachableError
from scanreader.keys import nonnegative_index
from scanreader.notices import notify
from scanreader.recording import views
from scanreader.recording.atlab import requested_frames
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
EXPECTED = ("cut-end", "partial-volume", "empty-file", "left-out-file")  # findings while a recording continues


def refreshed(scan: S) -> S:
    """Open a recording again; see `Scan.refresh`.

    Raises
    ------
    LayoutError
        If the scan shows a selection of frames, to which new ones do not belong.
    """
    opened = scan.opened
    look_again = _look_again_function(opened)
    opened_again = views.take_again(_retry(lambda: look_again(opened)), opened.views)
    names = {finding.name for finding in opened.findings} | set(EXPECTED)
    sentences = [f.sentence for f in opened_again.findings if f.name not in names and not f.is_note]
    notify(["; ".join(sentences)] if sentences else [])
    return type(scan)(opened_again)


def _look_again_function(opened: Opened) -> LookAgain:
    if opened.frames is not None:
        raise LayoutError(
            "a selection of frames does not grow with its recording: refresh or follow the scan before select(frames=)",
            raw_helps=False,
        )
    if opened.look_again is None:
        raise LayoutError("this scan was not opened by read_scan, so it cannot be opened again", raw_helps=False)
    return opened.look_again


def follow(scan: BaseScan, timeout: float, *, field: int | None, interval: float) -> Iterator[npt.NDArray[Any]]:
    """Yield frames as they are written; see `Scan.follow`."""
    _look_again_function(scan.opened)
    # Impossible requests raise now, not at the first frame.
    _ = scan.shape if field is None else nonnegative_index(field, scan.num_fields, "field")
    for name, seconds in (("timeout", timeout), ("interval", interval)):
        if not isinstance(seconds, (int, float)):
            raise ScanKeyError(f"{name} is a number of seconds, not {seconds!r}")
    return _follow(scan, timeout, field=field, interval=interval)


def _follow(scan: BaseScan, timeout: float, *, field: int | None, interval: float) -> Iterator[npt.NDArray[Any]]:
    key = slice(None) if field is None else field
    holes = _count_holes(scan)
    num_given = scan.num_frames if _has_complete_volume(scan) else 0
    last_scan, last_time = scan, time.monotonic()
    error_so_far: ScanReaderError | None = None
    while True:
        is_gapless = _count_holes(scan) == holes  # a missing part may still appear
        is_readable = error_so_far is None and _has_complete_volume(scan) and is_gapless
        if is_readable and scan.num_frames > num_given:
            step = frames_at_a_time(scan.nbytes // max(1, scan.num_frames))
            end = min(scan.num_frames, num_given + step)
            try:
                frames = scan[key, ..., num_given:end]
            except (ChangedFileError, UnreachableError) as error:  # opening it again tells whether it was closed
                error_so_far = error
            else:
                num_given, last_scan, last_time = end, scan, time.monotonic()
                yield frames
                continue
        if is_readable and _has_ended(scan, num_given):
            return
        if time.monotonic() - last_time > timeout:
            if error_so_far is not None:
                raise error_so_far
            notify([f"no new frame for {timeout:g} s after {num_given} frames, and no mark of the acquisition's end"])
            return
        time.sleep(interval)
        try:
            new_scan = refreshed(scan)
            _check_unchanged(last_scan, new_scan, num_given)
            scan, error_so_far = new_scan, None
        except ScanReaderError as error:  # a file may be incomplete for a moment: raised only at the timeout
            error_so_far = error


def _count_holes(scan: BaseScan) -> int:
    return sum(finding.name == "missing-file" for finding in scan.findings)


def _check_unchanged(scan_before: BaseScan, scan_after: BaseScan, num_given: int) -> None:
    """Check that the frames that were given are still the first of the recording.

    Raises
    ------
    ChangedFileError
        If files were inserted before the last one, or frames that were given are gone.
    """
    files = scan_after.filenames[: len(scan_before.filenames)]
    if (
        num_given
        and _has_complete_volume(scan_after)
        and (files != scan_before.filenames or scan_after.num_frames < num_given)
    ):
        raise ChangedFileError(
            f"files were inserted or removed: {num_given} frames were given, and now there are "
            f"{scan_after.num_frames} in {len(scan_after.filenames)} files; open the recording again"
        )


def _retry(job: Callable[[], Opened]) -> Opened:
    """Repeat a job if a file changed meanwhile, as files do while they are written."""
    for _ in range(TRIES - 1):
        try:
            return job()
        except ChangedFileError:
            time.sleep(0.01)
    return job()


def _has_complete_volume(scan: BaseScan) -> bool:
    """Whether there is a complete volume: the first may still be incomplete."""
    return scan.opened.is_raw or scan.layout.counts == saved_counts(scan.stack)


def _has_ended(scan: BaseScan, num_given: int) -> bool:
    """Whether all requested frames are there, or ScanImage marked the last frame as the end."""
    requested = requested_frames(scan)
    is_loop = scan.settings.get("acqState") == "loop"
    if 0 < requested < math.inf and num_given >= requested and not is_loop:
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
        return False  # channels of the last frame are missing
    if (rows["end_of_acquisition_mode"] == 1).all():
        return True
    is_single_grab = scan.stack.mode != "slow" and not is_loop
    return is_single_grab and bool((rows["end_of_acquisition"] == 1).all())
