"""Recordings that are still being written: what has come since a scan was opened."""

from __future__ import annotations

import math
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.chunks import frames_at_a_time
from scanreader.errors import ChangedFileError, ScanReaderError, ScanReaderWarning, UnreachableError
from scanreader.frames import FRAME_TABLE, NUMBERS_END, fill_table, warn_of
from scanreader.header import listed
from scanreader.layout import saved_counts
from scanreader.reader import open_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from scanreader.scans import Scan

TRIES = 5
EXPECTED = ("cut-end", "partial-volume", "empty-file", "left-out-file")  # findings while a recording goes on


def refreshed(scan: Scan) -> Scan:
    """Open a recording again; see `Scan.refresh`."""
    scan._refuse_closed()  # noqa: SLF001 - of one house
    new = _patiently(lambda: open_scan(scan._asked, scan))  # noqa: SLF001
    said = {finding.name for finding in scan.findings} | set(EXPECTED)
    findings = [finding for finding in new.findings if finding.name not in said]
    if findings:
        warnings.warn("; ".join(map(str, findings)), ScanReaderWarning, stacklevel=3)
    top, bottom, left, right = scan._trim  # noqa: SLF001
    return new.trimmed(top=top, bottom=bottom, left=left, right=right) if any(scan._trim) else new  # noqa: SLF001


def follow(scan: Scan, timeout: float, *, field: int | None, interval: float) -> Iterator[npt.NDArray[Any]]:
    """Read frames as they come; see `Scan.follow`."""
    _ = scan.shape if field is None else scan.fields[field]  # what cannot be is an error now, not at the first frame
    return _follow(scan, timeout, field=field, interval=interval)


def _follow(scan: Scan, timeout: float, *, field: int | None, interval: float) -> Iterator[npt.NDArray[Any]]:
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
            warnings.warn(
                f"no frame came for {timeout:g} s, and the acquisition did not say that it ended, after {done} frames",
                ScanReaderWarning,
                stacklevel=2,
            )
            return
        time.sleep(interval)
        try:
            new = refreshed(scan)
            _see_that_it_goes_on(given, new, done)
            scan, trouble = new, None
        except ScanReaderError as error:  # a file may be in the middle of being made: it is said if it stays so
            trouble = error


def _count_holes(scan: Scan) -> int:
    return sum(finding.name == "missing-file" for finding in scan.findings)


def _see_that_it_goes_on(before: Scan, after: Scan, done: int) -> None:
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


def _patiently(job: Callable[[], Scan]) -> Scan:
    """Do something again if a file changed meanwhile, as files do while they are written."""
    for _ in range(TRIES - 1):
        try:
            return job()
        except ChangedFileError:
            time.sleep(0.01)
    return job()


def _is_whole(scan: Scan) -> bool:
    """Whether all slices of a volume are there: the first may still be incomplete."""
    return scan._raw or scan.layout.counts == saved_counts(scan.stack)  # noqa: SLF001 - of one house


def _has_ended(scan: Scan, done: int) -> bool:
    """Whether as many frames are there as were asked for, or ScanImage marked the last of all as such."""
    asked = scan.num_requested_frames
    if math.isfinite(asked) and asked > 0 and done >= asked and scan.settings.get("acqState") != "loop":
        return True
    saved = listed(scan.settings.get("hChannels.channelSave"))
    c = max(1, len(saved)) if scan._raw else scan.num_channels  # noqa: SLF001 - of one house
    pages = scan._pages  # noqa: SLF001
    if len(pages) < c:
        return False
    notes: list[str] = []
    texts = pages.descriptions(np.arange(len(pages) - c, len(pages)), NUMBERS_END, notes)
    warn_of(notes)
    rows = np.zeros(c, FRAME_TABLE)
    fill_table(rows, texts)
    if (rows["frame_number"] != rows["frame_number"][0]).any():
        return False  # the last frame's channels are not all there
    if (rows["end_of_acquisition_mode"] == 1).all():
        return True
    alone = scan.stack.mode != "slow" and scan.settings.get("acqState") != "loop"
    return alone and bool((rows["end_of_acquisition"] == 1).all())
