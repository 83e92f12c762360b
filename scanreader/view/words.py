"""Facts of a recording in words, with units."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from scanreader.errors import ScanReaderError
from scanreader.files.urls import folder_name
from scanreader.recording.frames import times_at
from scanreader.tables import MINUS, size_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.recording.base import BaseScan
    from scanreader.recording.fields import Field

MOST_LISTED = 6  # depths and sizes that are listed one by one
MODES = {"planar": "one plane", "fast": "fast volume", "slow": "slow stack"}


def mode(scan: BaseScan) -> str:
    """Acquisition mode, with slices, repeats, flyback frames and averaging."""
    counts, averaging = scan.layout.counts, scan.stack.averaging
    parts = [MODES[scan.stack.mode]]
    if scan.stack.mode != "planar":
        parts = [f"{parts[0]} of {counted(counts.slices, 'slice')}"]
        parts += [f"{counts.repeats} frames of each"] if counts.repeats > 1 else []
        parts += [f"{counted(counts.flyback, 'flyback frame')} omitted"] if counts.flyback else []
    return ", ".join(parts + ([f"each frame the mean of {averaging}"] if averaging > 1 else []))


def scanner(scan: BaseScan) -> str:
    """Scanner, direction of lines, and zoom."""
    if not scan.header:
        return ""
    parts = ["resonant" if scan.is_resonant else "galvo"]
    if scan.is_resonant and math.isfinite(scan.scanner_frequency):
        parts = [f"resonant at {scan.scanner_frequency:g} Hz"]
    parts.append(f"lines in {'both directions' if scan.is_bidirectional else 'one direction'}")
    return ", ".join(parts + ([f"zoom {scan.zoom:g}"] if math.isfinite(scan.zoom) else []))


def sizes(fields: Sequence[Field]) -> list[str]:
    """Sizes of fields in pixels and µm, equal ones once with their number."""
    texts = Counter(size_in_words(f.height, f.width, f.height_in_microns, f.width_in_microns) for f in fields)
    lines = [f"{f'{number} of ' if len(texts) > 1 else ''}{text}" for text, number in texts.most_common(MOST_LISTED)]
    return lines + [f"{len(texts) - MOST_LISTED} more sizes"] * (len(texts) > MOST_LISTED)


def depths(scan: BaseScan) -> str:
    """Depths of the slices, in µm; '' if they are unknown."""
    zs = scan.scanning_depths
    if all(map(math.isnan, zs)):
        return ""
    texts = [f"{round(z, 2):g}".translate(MINUS) for z in zs]
    return f"{', '.join(texts if len(texts) <= MOST_LISTED else [*texts[:3], '…', texts[-1]])} µm"


def channels(scan: BaseScan) -> list[str]:
    """Names of the channels, with their numbers."""
    pairs = zip(scan.channel_numbers, scan.channel_names, strict=True)
    return [name if str(number) in name else f"{name} (channel {number})" for number, name in pairs]


def frames(scan: BaseScan) -> str:
    """Number of frames, and the number that was requested where that differs."""
    requested = scan.num_requested_frames
    differs = math.isfinite(requested) and requested != scan.num_frames
    return f"{scan.num_frames:,}" + (f" of {requested:,.0f} requested" if differs else "")


def fields(scan: BaseScan) -> str:
    """Number of fields, and of the ROIs that they belong to."""
    return f"{scan.num_fields}" + (f" of {counted(scan.num_rois, 'ROI')}" if scan.is_multiROI else "")


def rate(scan: BaseScan) -> str:
    """Frame rate of a field; '' if it is unknown."""
    if not (math.isfinite(scan.fps) and scan.fps):
        return ""
    return f"{scan.fps:.6g} Hz" + (" within a slice" if scan.is_slow_stack else "")


def start(scan: BaseScan, precision: str) -> str:
    """Date and time of the start; '' if they are unknown or cannot be read, which a finding reports."""
    with contextlib.suppress(ScanReaderError, OSError):
        return scan.start_time.isoformat(" ", precision) if scan.start_time else ""
    return ""


def pixels(scan: BaseScan) -> str:
    """Data type, and size in memory."""
    return f"{scan.dtype}, {size(scan.nbytes)} in memory"


def bytes_on_disk(scan: BaseScan) -> int:
    """Size of all files, in bytes."""
    return sum(file.size for file in scan.opened.pages.files)


def span(seconds: float) -> str:
    """A time span with its units."""
    if seconds < 120:
        return f"{seconds:.4g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} h " if hours else "") + f"{minutes} min {rest} s"


def size(num_bytes: float) -> str:
    """A number of bytes with its unit."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.4g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.4g} TB"


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the plural where needed."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def folder(scan: BaseScan) -> str:
    """Folder of the files."""
    return folder_name(scan.filenames[0])


def duration(scan: BaseScan) -> float:
    """Time from the start of the first frame to the end of the last by their timestamps, else by the rate, in s.

    Only two descriptions are read, however long the recording is.
    """
    if not scan.num_frames:
        return 0.0
    (first,) = times_at(scan.opened, 0, np.array([0])).tolist()
    (last,) = times_at(scan.opened, scan.num_scanning_depths - 1, np.array([scan.num_frames - 1])).tolist()
    seconds = float(last - first + scan.stack.averaging * period(scan))  # averaged frames have the last timestamp
    return seconds if seconds > 0 else duration_by_rate(scan)


def duration_by_rate(scan: BaseScan) -> float:
    """Frames divided by the frame rate, in s; NaN if the rate is unknown."""
    return scan.num_frames / scan.fps if scan.fps else math.nan


def period(scan: BaseScan) -> float:
    """Period of a raw frame, in s; 0 if it is unknown."""
    return 1 / scan.scan_frame_rate if scan.scan_frame_rate > 0 else 0.0
