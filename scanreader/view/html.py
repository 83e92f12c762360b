"""A recording in a few words: facts for people, and the small tables that notebooks show."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from scanreader.errors import ScanReaderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scanreader.fields import Field
    from scanreader.scans import Scan

MINUS = str.maketrans("-", "\N{MINUS SIGN}")
TIMES = "\N{MULTIPLICATION SIGN}"
SHOWN = 6  # depths and sizes that are given one by one
MODES = {"planar": "one plane", "fast": "fast volume", "slow": "slow stack"}
CELL = "text-align:left;vertical-align:top;padding:.15em 1em .15em 0"


# ------------------------------------------------------------------------------- facts


def facts(scan: Scan) -> dict[str, str]:
    """Facts of a recording in words, with units; those that are not known are left out.

    Nothing is read but the description of the first page, where that can be.
    """
    said = {
        "Recording": recording(scan),
        "ScanImage": scan.release,
        "Began": _began(scan),
        "Mode": _mode(scan),
        "Scanner": _scanner(scan),
        "Fields": _fields(scan),
        "Size": "; ".join(_sizes(scan.fields)),
        "Depth": _depths(scan),
        "Channels": ", ".join(_channels(scan)),
        "Frames": _frames(scan),
        "Rate": f"{scan.fps:.6g} Hz" if math.isfinite(scan.fps) and scan.fps else "",
        "Duration": span(scan.num_frames / scan.fps) + " by its rate" if scan.fps > 0 and _passes(scan) else "",
        "Pixels": f"{scan.dtype}, {size(scan.nbytes)} in memory",
    }
    return {name: words for name, words in said.items() if words}


def recording(scan: Scan) -> str:
    """What to call a recording: its file, or its first and how many more."""
    name, more = Path(scan.filenames[0]).name, len(scan.filenames) - 1
    return f"{name} and {more} more" if more else name


def _began(scan: Scan) -> str:
    with contextlib.suppress(ScanReaderError, OSError):  # what cannot be read is said elsewhere
        if scan.start_time is not None:
            return scan.start_time.isoformat(" ", "seconds")
    return ""


def _passes(scan: Scan) -> bool:
    """Whether frames follow each other at their rate: in a slow stack, slices come between."""
    return scan.stack.mode != "slow"


def _mode(scan: Scan) -> str:
    counts, averaging = scan.layout.counts, scan.stack.averaging
    words = [MODES[scan.stack.mode]]
    if scan.stack.mode != "planar":
        words = [f"{words[0]} of {counted(counts.slices, 'slice')}"]
        words += [f"{counts.repeats} frames of each"] if counts.repeats > 1 else []
        words += [f"{counted(counts.flyback, 'flyback frame')} left out"] if counts.flyback else []
    return ", ".join(words + ([f"each frame the mean of {averaging}"] if averaging > 1 else []))


def _scanner(scan: Scan) -> str:
    if not scan.header:
        return ""
    words = ["resonant" if scan.is_resonant else "galvo"]
    if scan.is_resonant and math.isfinite(scan.scanner_frequency):
        words = [f"resonant at {scan.scanner_frequency:g} Hz"]
    words.append(f"lines in {'both directions' if scan.is_bidirectional else 'one direction'}")
    return ", ".join(words + ([f"zoom {scan.zoom:g}"] if math.isfinite(scan.zoom) else []))


def _fields(scan: Scan) -> str:
    of = f" of {counted(scan.num_rois, 'ROI')}" if scan.is_multiROI else ""
    return f"{scan.num_fields}{of}"


def _sizes(fields: Sequence[Field]) -> list[str]:
    """Sizes of fields in pixels and µm, those that are alike once."""
    sizes = Counter((f.height, f.width, f"{f.height_in_microns:.4g}", f"{f.width_in_microns:.4g}") for f in fields)
    said = []
    for (height, width, tall, wide), many in sizes.most_common(SHOWN):
        microns = "" if "nan" in (tall, wide) else f" ({tall} {TIMES} {wide} µm)"
        said.append(f"{f'{many} of ' if len(sizes) > 1 else ''}{height} {TIMES} {width} pixels{microns}")
    return said + [f"{len(sizes) - SHOWN} more sizes"] * (len(sizes) > SHOWN)


def _depths(scan: Scan) -> str:
    depths = scan.scanning_depths
    if all(map(math.isnan, depths)):
        return ""
    texts = [f"{round(z, 2):g}".translate(MINUS) for z in depths]
    return f"{', '.join(texts if len(texts) <= SHOWN else [*texts[:3], '…', texts[-1]])} µm"


def _channels(scan: Scan) -> list[str]:
    pairs = zip(scan.channel_numbers, scan.channel_names, strict=True)
    return [name if str(number) in name else f"{name} (channel {number})" for number, name in pairs]


def _frames(scan: Scan) -> str:
    asked = scan.num_requested_frames
    wanted = f" of {asked:,.0f} that were asked for" if math.isfinite(asked) and asked != scan.num_frames else ""
    return f"{scan.num_frames:,}{wanted}"


def span(seconds: float) -> str:
    """A time span in words."""
    if seconds < 120:
        return f"{seconds:.4g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} h " if hours else "") + f"{minutes} min {rest} s"


def size(many: float) -> str:
    """A number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if many < 1000:
            return f"{many:.4g} {unit}"
        many /= 1000
    return f"{many:.4g} TB"


def counted(count: int, what: str) -> str:
    """A number of things in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# --------------------------------------------------------------------------- notebooks


def scan_html(scan: Scan) -> str:
    """A recording as a small table, with what was found when it was opened."""
    said = facts(scan)
    found = [(finding.severity.capitalize(), finding.sentence) for finding in scan.findings]
    return _table(said.pop("Recording"), [*said.items(), *found])


def field_html(field: Field) -> str:
    """A field as a small table."""
    said = [
        ("Size", _sizes([field])[0]),
        ("Depth", "" if math.isnan(field.depth) else f"{field.depth:g} µm".translate(MINUS)),
        ("Slice", str(field.slice_id)),
        ("ROI", ", ".join(map(str, field.roi_ids))),
        ("Centre", f"y {field.y:g}°, x {field.x:g}°".translate(MINUS)),
        ("Rotation", f"{field.rotation:g}°".translate(MINUS) if field.rotation else ""),
        ("Pieces", str(len(field.pieces)) if field.has_contiguous_subfields else ""),
    ]
    return _table(field.name or "Field", said)


def _table(caption: str, said: Iterable[tuple[str, str]]) -> str:
    """A table of two columns in the colours of the page that it stands in."""
    rows = "".join(
        f'<tr style="background:none"><th scope="row" style="{CELL};font-weight:normal;opacity:.65">{escape(name)}</th>'
        f'<td style="{CELL}">{escape(words)}</td></tr>'
        for name, words in said
        if words
    )
    return (
        '<table style="border-collapse:collapse;border:none;color:inherit;font-size:inherit">'
        f'<caption style="text-align:left;font-weight:bold;color:inherit">{escape(caption)}</caption>'
        f"<tbody>{rows}</tbody></table>"
    )
