"""Recordings that are still being written: what has come since a scan was opened."""

from __future__ import annotations

import math
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import ChangedFileError, ScanReaderWarning
from scanreader.frames import FRAME_TABLE, NUMBERS_END, fill_table
from scanreader.layout import saved_counts
from scanreader.reader import open_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from scanreader.scans import Scan

AT_A_TIME = 64 << 20  # bytes of new frames that are given at once
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
    shape = scan.shape[1:3] if field is None else scan.fields[field]
    del shape  # fields that differ are an error now, not at the first frame
    return _follow(scan, timeout, field=field, interval=interval)


def _follow(scan: Scan, timeout: float, *, field: int | None, interval: float) -> Iterator[npt.NDArray[Any]]:
    done = scan.num_frames if _is_whole(scan) else 0
    last = time.monotonic()
    while True:
        if _is_whole(scan) and scan.num_frames > done:
            key = slice(None) if field is None else field
            step = max(1, AT_A_TIME // max(1, scan.nbytes // max(1, scan.num_frames)))
            end = min(scan.num_frames, done + step)
            try:
                frames = scan[key, ..., done:end]
            except ChangedFileError:  # it was closed this moment, or is not what it was: then opening says so
                scan = refreshed(scan)
                continue
            done, last = end, time.monotonic()
            yield frames
            continue
        if _has_ended(scan, done):
            return
        if time.monotonic() - last > timeout:
            warnings.warn(
                f"no frame came for {timeout:g} s, and the acquisition did not say that it ended, after {done} frames",
                ScanReaderWarning,
                stacklevel=2,
            )
            return
        time.sleep(interval)
        scan = refreshed(scan)


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
    pages = scan._pages  # noqa: SLF001 - of one house
    row = np.zeros(1, FRAME_TABLE)
    fill_table(row, pages.descriptions(np.array([len(pages) - 1]), NUMBERS_END))
    if row["end_of_acquisition_mode"][0] == 1:
        return True
    alone = scan.stack.mode != "slow" and scan.settings.get("acqState") != "loop"
    return alone and bool(row["end_of_acquisition"][0] == 1)
