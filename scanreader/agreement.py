"""What recordings must agree in to be bouts of one scan, and what they may differ in."""

from __future__ import annotations

import math
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import Finding, LayoutError
from scanreader.naming import distinct_names
from scanreader.recording.assembly import Source, as_recorded, assemble
from scanreader.recording.layout import saved_counts
from scanreader.recording.opened import NO_BLOCK, HeaderPlace
from scanreader.releases import scan_class
from scanreader.scanimage.settings import number_list
from scanreader.tiff.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scanreader.naming import File
    from scanreader.recording.fields import Field
    from scanreader.recording.numbering import Part
    from scanreader.recording.opened import Opened
    from scanreader.scans import Scan

SAME = 0.01  # relative difference of rates and sizes that is none: each grab measures its resonant mirror anew


class SingleRecording(NamedTuple):
    """One of several recordings, as it is by itself."""

    opened: Opened
    cls: type[Scan]
    file: File
    """Its first."""


def checked_bouts(files: Sequence[File], opened: Opened, cls: type[Scan]) -> Opened:
    """Compare the recordings that are the bouts of a scan with the first of them.

    What they may differ in becomes findings; each bout gets the number of frames that its own header requested.

    Raises
    ------
    LayoutError
        If they differ in the order or the content of their pages.
    """
    rules = cls.rules()
    first_recording = SingleRecording(opened, cls, files[0])
    requested = [rules.requested_frames(opened.header.settings, opened.stack)]
    rates = [cls.scan_frame_rate.of(opened.header.settings)]
    findings: list[Finding] = []
    for number in range(1, opened.parts[-1].recording + 1):
        parts = [part for part in opened.parts if part.recording == number]
        own_files = [file for file, part in zip(files, opened.parts, strict=True) if part.recording == number]
        if own_files[0].block is None:
            requested.append(math.nan)
            rates.append(math.nan)
            continue
        recording = _open_alone(own_files, parts, cls)
        _refuse_different(recording, first_recording, files)
        findings += _differences(recording, first_recording, files)
        header = recording.opened.header.settings
        requested.append(recording.cls.rules().requested_frames(header, recording.opened.stack))
        rates.append(recording.cls.scan_frame_rate.of(header))
    numbers = [opened.parts[bout.part].recording for bout in opened.bouts]
    bouts = [b._replace(requested=requested[n], raw_rate=rates[n]) for b, n in zip(opened.bouts, numbers, strict=True)]
    return replace(opened, bouts=tuple(bouts), findings=(*opened.findings, *findings))


def _open_alone(files: Sequence[File], parts: Sequence[Part], cls: type[Scan]) -> SingleRecording:
    """Open a recording by itself, by the rules of its own release."""
    file, pages = files[0], Pages(tuple(file.tiff for file in files))
    header = HeaderPlace.of(file.tiff, file.block or NO_BLOCK)
    first_pages = pages.starts.tolist()
    own_parts = tuple(
        part._replace(first=first, recording=0, averaging=None) for part, first in zip(parts, first_pages, strict=False)
    )
    own_cls = cls if file.block is None else scan_class(header.settings)[0]
    source = Source(pages, own_parts, header, trusted=False, from_first=False)
    return SingleRecording(assemble(as_recorded(own_cls.rules()), source), own_cls, file)


def _refuse_different(recording: SingleRecording, first_recording: SingleRecording, files: Sequence[File]) -> None:
    """Refuse recordings that differ in the order or the content of their pages."""
    for aspect, value in geometry(recording.opened).items():
        value_of_first = geometry(first_recording.opened)[aspect]
        if repr(value) != repr(value_of_first):  # NaN differs from itself
            names = " and ".join(distinct_names((recording.file, first_recording.file), files))
            place, part, part_of_first = _first_difference(value, value_of_first)
            place_text = f" ({place})" if place else ""
            raise LayoutError(
                f"{names} differ in their {aspect}{place_text}, so they cannot be joined: {part} against "
                f"{part_of_first}",
                raw_helps=False,
            )


def _first_difference(value: Any, value_of_first: Any) -> tuple[str, Any, Any]:
    """Where two values differ first, and what they are there: of a list of ROIs, the one number that differs."""
    parts, parts_of_first = _parts(value), _parts(value_of_first)
    if not parts or parts.keys() != parts_of_first.keys():
        return "", value, value_of_first
    name = next(name for name, part in parts.items() if repr(part) != repr(parts_of_first[name]))
    place, part_that_differs, part_of_first = _first_difference(parts[name], parts_of_first[name])
    return f"{name}, {place}" if place else name, part_that_differs, part_of_first


def _parts(value: Any) -> dict[str, Any]:
    """What a value consists of, by name, or by number from 0; empty for numbers, texts and lists of them."""
    if is_dataclass(value) or hasattr(value, "_fields"):
        names = getattr(value, "_fields", None) or [field.name for field in dataclass_fields(value)]
        return {name: getattr(value, name) for name in names}
    if isinstance(value, (list, tuple)) and not all(isinstance(part, (int, float, str)) for part in value):
        return {str(number): part for number, part in enumerate(value)}
    return {}


def geometry(opened: Opened) -> dict[str, Any]:
    """What bouts of one scan must agree in; values are equal if their `repr` is.

    A ROI that was drawn again at its place has another uuid, and is the same region.
    """
    return {
        "order of pages": _order(opened),
        "channels": [channel.number for channel in opened.channels],
        "ROIs": [replace(roi, powers=(), uuid="") for roi in opened.rois] if opened.is_multi_roi else [],
        "pieces of the page": [field.pieces for group in opened.uncut for field in group],
        "depths": list(opened.depths),
    }


def _order(opened: Opened) -> str:
    """Mode and counts, which say which page is which, in words."""
    channels, slices, repeats, flyback = saved_counts(opened.stack)
    return (
        f"{opened.stack.mode} (channels {channels}, slices {slices}, frames of each slice {repeats}, flyback frames "
        f"{flyback})"
    )


def _recorded_fields(recording: SingleRecording) -> list[Field]:
    """Fields as they are recorded, not joined."""
    return [field for group in recording.opened.uncut for field in group]


def _differences(
    recording: SingleRecording, first_recording: SingleRecording, files: Sequence[File]
) -> Iterator[Finding]:
    """Findings about settings that bouts may differ in, with both values."""
    names = distinct_names((recording.file, first_recording.file), files)
    for (setting, unit), value, value_of_first in zip(
        SETTINGS, _values(recording), _values(first_recording), strict=True
    ):
        is_same = len(value) == len(value_of_first) and np.allclose(value, value_of_first, SAME, 0, equal_nan=True)
        if not is_same:
            text, text_of_first = (
                ", ".join(f"{number:.6g}" for number in dict.fromkeys(v)) or "none" for v in (value, value_of_first)
            )
            sentence = (
                f"{names[0]} differs from {names[1]} in its {setting}: {text}{unit} against {text_of_first}{unit}"
            )
            yield Finding("bouts-differ", "warning", recording.file.path.name, sentence)


SETTINGS = (
    ("zoom", ""),
    ("height of a pixel", " µm"),
    ("width of a pixel", " µm"),
    ("frame rate", " Hz"),
    ("power of its beams", " %"),
    ("averaging", " raw frames"),
)


def _values(recording: SingleRecording) -> list[list[float]]:
    """Numbers for each of `SETTINGS`."""
    header, stack, cls = recording.opened.header.settings, recording.opened.stack, recording.cls
    raw_rate = cls.scan_volume_rate.of(header) if stack.mode == "fast" else cls.scan_frame_rate.of(header)
    fields = _recorded_fields(recording)
    return [
        [cls.zoom.of(header)],
        [field.pixel_height_in_microns for field in fields],
        [field.pixel_width_in_microns for field in fields],
        [raw_rate / stack.averaging if stack.mode != "fast" else raw_rate],
        [*number_list(header.get("hBeams.powers")), *(power for roi in recording.opened.rois for power in roi.powers)],
        [stack.averaging],
    ]
