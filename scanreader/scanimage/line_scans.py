"""Line scans as ScanImage wrote them: the settings, and the path along which the mirrors run in each cycle."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import FileFormatError, HeaderError
from scanreader.scanimage.header import Block, Header
from scanreader.scanimage.photostim import parse_groups
from scanreader.scanimage.rois import roi_group
from scanreader.scanimage.settings import Settings, count, flag, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.scanimage.photostim import Stimulus

TRANSIT = ("pause", "park", "waypoint")
"""Functions of the parts of a path that lead from one to the next."""
MOST_AXES = 3
MOST_SAMPLES = 2**40  # of a cycle, that are believed


class PathRoi(NamedTuple):
    """A part of the path of a line scan."""

    name: str
    stimulus: Stimulus
    """Its shape: function, centre, size, duration, …"""
    samples: slice | None
    """Its samples in each cycle; None if the durations do not add up to a cycle."""

    @property
    def is_transit(self) -> bool:
        """Whether it leads from one part to the next: a pause, a park or a waypoint."""
        return self.stimulus.function in TRANSIT


class Cycle(NamedTuple):
    """How a line scan was sampled."""

    rate: float
    """Samples a second."""
    samples: int
    """Samples of each channel in a cycle."""
    position_rate: float
    """Positions a second; NaN if unknown."""
    positions: int | None
    """Positions in a cycle; None if the settings do not say."""
    axes: int | None
    """2 (x and y) or 3 (with z); None if the settings do not say."""


def parse_meta(text: str, file: str) -> Block:
    """Take the text of ``.meta.txt`` apart into the settings and the JSON of the path.

    The JSON begins with the first line that begins with a brace. If the settings are JSON too, the path comes behind.

    Raises
    ------
    FileFormatError
        If these are no settings of ScanImage.
    """
    text = text.replace("\r\n", "\n").replace("\0", "\n").strip()
    if text.startswith("{"):
        try:
            _, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError) as error:
            raise FileFormatError(f"{file} begins with a brace, but is no JSON: {error}") from None
    else:
        brace = re.search(r"^\s*\{", text, re.MULTILINE)
        end = brace.start() if brace else len(text)
    block = Block(text[:end].strip(), text[end:].strip(), None)
    if "VERSION_MAJOR" not in block.text:
        raise FileFormatError(f"{file} has no settings of ScanImage (VERSION_MAJOR is missing)")
    return block


def path_of(block: Block, header: Header) -> tuple[Stimulus, ...]:
    """The parts of the path, in order; none if the file was cut before them.

    Raises
    ------
    HeaderError
        If they are not described as ScanImage does.
    """
    groups = parse_groups(roi_group(block, header))
    return tuple(part for group in groups for part in group.stimuli if part.is_enabled)


def cycle_of(header: Header, path: Sequence[Stimulus]) -> Cycle:
    """How a line scan was sampled, by its settings, or where these are empty by the durations of its path.

    Raises
    ------
    HeaderError
        If that is not known.
    """
    rate = number(header.get("hScan2D.sampleRate"))
    if not 0 < rate < math.inf:
        raise HeaderError("the settings do not say how many samples there are a second (hScan2D.sampleRate)")
    path_samples = rate * sum(part.total_duration for part in path)
    samples = count(header.get("hScan2D.lineScanSamplesPerFrame"))
    if math.isnan(samples) and path_samples > 0:
        samples = round(path_samples) if math.isfinite(path_samples) else math.nan
    if not (samples == samples // 1 and 0 < samples < MOST_SAMPLES):
        raise HeaderError(
            f"a cycle has {samples} samples by the settings (hScan2D.lineScanSamplesPerFrame), not 1 or more"
        )
    positions = count(header.get("hScan2D.lineScanFdbkSamplesPerFrame"))
    axes = count(header.get("hScan2D.lineScanNumFdbkChannels"))
    return Cycle(
        rate=rate,
        samples=int(samples),
        position_rate=number(header.get("hScan2D.sampleRateFdbk")),
        positions=int(positions) if 0 < positions < MOST_SAMPLES else None,
        axes=int(axes) if axes in (2, MOST_AXES) else None,
    )


def path_rois(path: Sequence[Stimulus], cycle: Cycle) -> tuple[tuple[PathRoi, ...], str]:
    """Parts of the path with their samples in a cycle, and a sentence if their durations do not add up to one.

    Parts follow each other without a break. Where one ends inside a sample is not certain to that sample.
    """
    ends = [0.0]
    for part in path:
        ends.append(ends[-1] + part.total_duration * cycle.rate)
    adds_up = abs(ends[-1] - cycle.samples) <= max(1, len(path)) and all(part.total_duration >= 0 for part in path)
    if not path or not adds_up:
        sentence = (
            f"the path takes {ends[-1] / cycle.rate:g} s by the durations of its {len(path)} parts, a cycle "
            f"{cycle.samples / cycle.rate:g} s: which samples are of which part is unknown"
        )
        return tuple(PathRoi(part.name, part, None) for part in path), sentence
    edges = [min(round(end), cycle.samples) for end in ends[:-1]] + [cycle.samples]
    spans = itertools.starmap(slice, itertools.pairwise(edges))
    return tuple(PathRoi(part.name, part, span) for part, span in zip(path, spans, strict=True)), ""


def is_rolled(header: Header) -> bool:
    """Whether ScanImage was set to begin a new file after some cycles."""
    return math.isfinite(Settings.frames_per_file.of(header))


def is_loop(header: Header) -> bool:
    """Whether the settings are those of a loop, whose later acquisitions have no file of settings."""
    return bool(header.get("acqState") == "loop")


def has_positions(header: Header) -> bool:
    """Whether the positions of the mirrors were to be recorded."""
    return flag(header.get("hScan2D.recordScannerFeedback"))
