"""Facts of a recording in words, with units."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from scanreader.errors import ScanReaderError
from scanreader.files.urls import file_name, folder_name
from scanreader.recording.atlab import requested_frames
from scanreader.recording.frames import times_at
from scanreader.recording.planes import levels
from scanreader.scanimage.inputs import multiplexed
from scanreader.tables import MINUS, counted, size_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.recording.base import BaseScan
    from scanreader.recording.bout_frames import Bout
    from scanreader.recording.fields import Field

MOST_LISTED = 6  # depths and sizes that are listed one by one
MODES = {"planar": "planar", "fast": "fast volume", "slow": "slow stack"}


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
    if not scan.header_block:
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
    """Depths of the slices or planes, in µm; '' if they are unknown."""
    zs = [level.depth for level in levels(scan.opened)]
    if all(map(math.isnan, zs)):
        return ""
    texts = [f"{round(z, 2):g}".translate(MINUS) for z in zs]
    return f"{', '.join(texts if len(texts) <= MOST_LISTED else [*texts[:3], '…', texts[-1]])} µm"


def channels(scan: BaseScan) -> list[str]:
    """Names of the channels, with their numbers; where channels are planes, with those of the planes."""
    names = []
    for channel in scan.opened.channels:
        numbers = [plane.number for plane in channel.planes] or [channel.number]
        is_named = not channel.planes and str(channel.number) in channel.name
        ending = "s" * (len(numbers) > 1)
        names.append(channel.name if is_named else f"{channel.name} (channel{ending} {', '.join(map(str, numbers))})")
    return names


def inputs(scan: BaseScan) -> list[str]:
    """Inputs of the channels, their modes and laser windows, as the header has them."""
    groups: dict[str, list[str]] = {}
    for channel_input in scan.channel_inputs:
        is_gated = channel_input.laser_window is not None
        window = (
            f" ({channel_input.laser_window[0]:g} to {channel_input.laser_window[1]:g})"
            if channel_input.laser_window is not None
            else ""
        )
        if channel_input.source:
            heading = ", ".join(filter(None, (channel_input.source, channel_input.mode)))
            groups.setdefault(
                f"{heading}: channels (laser windows)" if is_gated else f"{heading}: channels", []
            ).append(f"{channel_input.number}{window}")
    return [f"{heading} {', '.join(channels)}" for heading, channels in groups.items()]


def multiplexing(scan: BaseScan) -> str:
    """What `channels_as_planes` would make of channels that share an input; '' if none do, or they are planes."""
    if scan.opened.plane_depths:
        return ""
    groups = multiplexed(scan.channel_inputs)
    if not groups:
        return ""
    parts = [f"{len(group)} channels share {group[0].source} through separate laser windows" for group in groups]
    return f"{'; '.join(parts)}: if each is a depth, channels_as_planes (--planes) makes planes of them"


def frames(scan: BaseScan) -> str:
    """Number of frames, and the number that was requested where that differs."""
    requested = requested_frames(scan)
    is_different = math.isfinite(requested) and requested != scan.num_frames
    return f"{scan.num_frames:,}" + (f" of {requested:,.0f} requested" if is_different else "")


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


def bouts(scan: BaseScan) -> list[str]:
    """Bouts where there are several: a line each, the first few, with file, start, frames and how its time is known."""
    if len(scan.opened.bouts) < 2:
        return []
    all_bouts = scan.bouts
    lines = [
        f"{file_name(bout.files[0])}{_bout_time(bout)}: {counted(bout.frames.stop - bout.frames.start, 'frame')}"
        f"{'' if bout.complete else ', incomplete'}"
        for bout in all_bouts[: MOST_LISTED if len(all_bouts) > MOST_LISTED + 1 else None]
    ]
    return lines + [f"{len(all_bouts) - MOST_LISTED:,} more bouts"] * (len(all_bouts) > len(lines))


CLOCKS = {"frames": "", "epoch": " by the computer's clock", "given": " as given", "unknown": ""}


def _bout_time(bout: Bout) -> str:
    if math.isnan(bout.offset):
        return " at an unknown time"
    return f" at {span(bout.offset)}{CLOCKS[bout.clock] if bout.offset else ''}"


def pixels(scan: BaseScan) -> str:
    """Data type, and size in memory."""
    return f"{scan.dtype}, {size(scan.nbytes)} in memory"


def beside(scan: BaseScan) -> str:
    """What ScanImage wrote beside the pixels: stimuli, integration ROIs, and the names of files; '' if nothing."""
    groups, rois = num_photostim_groups(scan), names_of_integration_rois(scan)
    parts = [f"{counted(groups, 'group')} of stimuli"] if groups else []
    parts += [counted(len(rois), "integration ROI")] if rois else []
    names = [name for files in scan.side_files.values() for name in files]
    names_shown = names if len(names) <= MOST_LISTED else [*names[:3], "…", names[-1]]
    return ", ".join([*parts, *names_shown])


def num_photostim_groups(scan: BaseScan) -> int:
    """Number of groups of stimuli; 0 if they cannot be read."""
    with contextlib.suppress(ScanReaderError):
        return 0 if scan.photostim is None else len(scan.photostim.groups)
    return 0


def names_of_integration_rois(scan: BaseScan) -> list[str]:
    """Names of the integration ROIs; none if they cannot be read."""
    with contextlib.suppress(ScanReaderError):
        return [roi.name for roi in scan.integration_rois]
    return []


def bytes_on_disk(scan: BaseScan) -> int:
    """Size of all files, in bytes."""
    return sum(file.size for file in scan.opened.pages.files)


def span(seconds: float) -> str:
    """A time span with its units."""
    if seconds < 120:
        return f"{seconds:.4g} s"
    minutes, seconds_left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} h " if hours else "") + f"{minutes} min {seconds_left} s"


def size(num_bytes: float) -> str:
    """A number of bytes with its unit."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.4g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.4g} TB"


def folder(scan: BaseScan) -> str:
    """Folder of the files."""
    return folder_name(scan.filenames[0])


def duration(scan: BaseScan) -> float:
    """Time from the start of the first frame to the end of the last by their timestamps, else by the rate, in s.

    Only two descriptions are read, however long the recording is.
    """
    if not scan.num_frames:
        return 0.0
    (first_time,) = times_at(scan.opened, 0, np.array([0])).tolist()
    (last_time,) = times_at(scan.opened, scan.num_scanning_depths - 1, np.array([scan.num_frames - 1])).tolist()
    seconds = float(
        last_time - first_time + scan.stack.averaging * period(scan)
    )  # averaged frames have the last timestamp
    return seconds if seconds > 0 else duration_by_rate(scan)


def duration_by_rate(scan: BaseScan) -> float:
    """Frames divided by the frame rate, in s; NaN if the rate is unknown."""
    return scan.num_frames / scan.fps if scan.fps else math.nan


def period(scan: BaseScan) -> float:
    """Period of a raw frame, in s; 0 if it is unknown."""
    return 1 / scan.scan_frame_rate if scan.scan_frame_rate > 0 else 0.0
