"""The settings with which suite2p reads the TIFF files of a recording itself, instead of our binary files.

suite2p's own converter (``suite2p.io.tiff``, 0.14 to 1.1) deals the frames of all files to ``nplanes`` planes, one
after the other, and cuts each into ``nrois`` bands of whole rows. So flyback frames are planes, which are ignored.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanreader.bridges import rotated_fields
from scanreader.bridges.kinds import SUITE2P_SETTINGS
from scanreader.bridges.suite2p import corner_in_pixels
from scanreader.bridges.writing import atomic_path
from scanreader.errors import LayoutError
from scanreader.files.urls import is_url
from scanreader.notices import notify

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from scanreader.bridges import ScanLike
    from scanreader.recording.fields import Field

ADVICE = "use to_suite2p, which writes suite2p's binary files"
HALVED = ("uint16", "int32")
"""Pixels that suite2p divides by 2 as it reads TIFF files."""


def suite2p_settings(scan: ScanLike) -> dict[str, Any]:
    """Give the settings; see `Scan.suite2p_settings`."""
    reasons = list(_reasons(scan))
    if reasons:
        raise LayoutError(
            f"suite2p's own TIFF reader cannot read this: {'; '.join(reasons)}: {ADVICE}", raw_helps=False
        )
    notify(_losses(scan))
    counts = scan.opened.layout.counts
    slices = sorted({field.slice_id for field in scan.fields})
    fields = [i for i, field in enumerate(scan.fields) if field.slice_id == slices[0]]
    corners = [corner_in_pixels(scan, i) or (0, 0) for i in fields]
    planes = counts.slices + counts.flyback
    settings: dict[str, Any] = {
        "nrois": len(fields),
        "nplanes": planes,
        "nchannels": counts.channels,
        "functional_chan": scan.opened.channels[0].place + 1,
        "fs": float(scan.fps) if math.isfinite(scan.fps) else None,
        "mesoscan": len(fields) > 1,
        "ignore_flyback": [p * len(fields) + k for p in range(planes) if p not in slices for k in range(len(fields))],
        **_files(scan),
    }
    if len(fields) > 1:
        settings |= {
            "lines": [list(_rows(scan.fields[i])) for i in fields],
            "dy": [corner[0] for corner in corners],
            "dx": [corner[1] for corner in corners],
        }
    return settings


def write_suite2p_settings(scan: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write the settings as JSON."""
    settings = suite2p_settings(scan)
    with atomic_path(path, SUITE2P_SETTINGS, sources=scan.filenames, overwrite=overwrite) as partial_path:
        partial_path.write_text(json.dumps(settings, indent=1) + "\n", "utf-8")


def _files(scan: ScanLike) -> dict[str, Any]:
    """The folder of the files, and their names in it; of several folders, the paths."""
    paths = [Path(name).absolute() for name in scan.filenames]
    folders = {path.parent for path in paths}
    names = [path.name for path in paths] if len(folders) == 1 else [str(path) for path in paths]
    return {"data_path": [str(paths[0].parent)], "file_list": names}


def _rows(field: Field) -> range:
    """Rows of the page that a field of one piece has."""
    (piece,) = field.pieces
    return range(piece.page_y, piece.page_y + piece.height)


def _reasons(scan: ScanLike) -> Iterator[str]:
    """Say why suite2p would read other pixels than those of the scan."""
    opened, form = scan.opened, scan.opened.pages.form
    counts, stretches = opened.layout.counts, opened.layout.stretches
    places = [channel.place for channel in opened.channels]
    if any(is_url(name) for name in scan.filenames):
        yield "its files are not on this machine"
    if opened.frames is not None:
        yield "it is a selection of frames, and suite2p reads all"
    if opened.pixels.change:
        yield f"its pixels are {opened.pixels.change}"
    if counts.slices > 1 and counts.repeats > 1:
        yield f"each slice has {counts.repeats} frames before the next, and suite2p takes one"
    if len(stretches) != 1 or stretches[0].page != 0:
        yield "frames are missing or incomplete volumes were skipped, so suite2p would mix up planes"
    if any(part.pages % counts.channels for part in opened.parts):
        yield "a file ends between the channels of a frame, and suite2p begins each file with the first channel"
    if places[0] > 1 or (len(places) > 1 and set(places[:2]) != {0, 1}):
        yield "its first channels are not the first two that were saved, and suite2p takes these alone"
    if any(len(field.pieces) != 1 for field in scan.fields):
        yield "fields were joined, and suite2p cuts each ROI out of whole rows"
    elif not all(field.width == form.width for field in scan.fields):
        yield "some ROIs are narrower than the page, or were trimmed, and suite2p takes whole rows"
    else:
        yield from _uneven_rois(scan)


def _uneven_rois(scan: ScanLike) -> Iterator[str]:
    """Say if slices differ in their ROIs, or the only ROI is not the page."""
    bands_by_slice: dict[int, list[range]] = {}
    for field in scan.fields:
        bands_by_slice.setdefault(field.slice_id, []).append(_rows(field))
    bands = next(iter(bands_by_slice.values()))
    if any(other_bands != bands for other_bands in bands_by_slice.values()):
        yield "slices differ in their ROIs, and suite2p takes the same rows of each"
    elif len(bands) == 1 and len(bands[0]) != scan.opened.pages.form.height:
        yield "one ROI of several is selected, and suite2p cuts the page only if there are several"
    elif len(bands) > 1 and corner_in_pixels(scan, 0) is None:
        yield "the positions of its ROIs are unknown"


def _losses(scan: ScanLike) -> Iterator[str]:
    """Say what suite2p will not have of the recording, or changes."""
    channels_in_file = scan.opened.layout.counts.channels
    if channels_in_file > 2:
        yield (
            f"{channels_in_file} channels were saved: suite2p reads two, those numbered 1 and 2 in the order of the "
            "file"
        )
    if scan.dtype.name in HALVED:
        yield f"suite2p divides pixels of {scan.dtype.name} by 2 when it reads TIFF files: {ADVICE} as they are"
    (stretch,) = scan.opened.layout.stretches
    if len(scan.opened.pages) > stretch.volumes * scan.opened.layout.counts.pages_per_volume:
        yield "the last volume is incomplete: suite2p also reads what there is of it, so some planes get a frame more"
    fields_with_rotation = rotated_fields(scan)
    if fields_with_rotation:
        yield f"suite2p has no rotation: that of {fields_with_rotation} is skipped"
    if not math.isfinite(scan.fps):
        yield "the frame rate is unknown, so fs is null: give suite2p your own"
