"""Scans as napari's image layers, and the plug-in that opens them there; napari itself is not needed."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import DamagedPageError
from scanreader.keys import AXES, split_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from numpy.typing import DTypeLike

    from scanreader.bridges import ScanLike
    from scanreader.recording.fields import Field

    LayerData = tuple[Any, dict[str, Any], str]
    """An array, what `napari.layers.Image` is to be told of it, and ``"image"``."""

COLOURS = ("green", "magenta", "cyan", "yellow")  # of channels that are shown on top of each other
LOOKS = 8  # frames of a channel that its contrast is taken from
DARK, BRIGHT = 1.0, 99.8  # percent of their pixels that are darker than black, and than white
UNEVEN = 0.01  # of a step: depths that are even to this have one scale


class Movie:
    """One channel of a field as napari slices it, read when it is sliced: of shape (frames, y, x).

    Of fields that lie above each other, (frames, z, y, x). A key has integers, slices and ``...``.

    Parameters
    ----------
    scan : Scan
    fields : int or list of int
        One field of a planar recording; or those above each other, by their depth.
    channel : int
    """

    def __init__(self, scan: ScanLike, fields: int | Sequence[int], channel: int) -> None:
        self.scan, self.fields, self.channel = scan, np.array(fields), channel
        field = scan.fields[self.fields.flat[0]]
        self.shape = (scan.num_frames, *self.fields.shape, field.height, field.width)
        self.ndim, self.size, self.dtype = len(self.shape), math.prod(self.shape), scan.dtype

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        missing = len(AXES) - self.ndim  # in front of the key, so that "..." and what is left out fall on this array's
        entries = (0,) * missing + (key if isinstance(key, tuple) else (key,))
        frames, *z, rows, columns = split_key(entries)[missing:]
        which = self.fields[tuple(z)]
        part = self.scan[which if which.size else self.fields.flat[:1], rows, columns, self.channel, frames]
        part = part if which.size else part[:0]
        return part if isinstance(frames, int) else np.moveaxis(part, -1, 0)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a recording becomes an array by reading it, which cannot be done without a copy")
        return np.asarray(self[...], dtype)


# ------------------------------------------------------------------------- layers


class Depths(NamedTuple):
    """Where slices lie along napari's z."""

    places: dict[int, int]
    """Of each slice, counted from the smallest depth."""
    step: float
    first: float
    unit: str


def to_napari_layers(scan: ScanLike) -> list[LayerData]:
    """Make napari's layers; see `Scan.to_napari_layers`."""
    depths = _depths(scan)
    stacks = _stacks(scan, depths)
    names = _names(scan, stacks)
    planar = len(depths.places) == 1
    layers: list[LayerData] = []
    for channel, channel_name in enumerate(scan.channel_names):
        shown = {
            "contrast_limits": _contrast(scan, channel),
            "colormap": COLOURS[channel % len(COLOURS)] if scan.num_channels > 1 else "gray",
            "blending": "additive" if scan.num_channels > 1 else "translucent",
        }
        for name, stack in zip(names, stacks, strict=True):
            facts = {
                "name": f"{name}, {channel_name}",
                **shown,
                **_place(scan, stack[0], depths, planar=planar),
                "rgb": False,
                "multiscale": False,
                "metadata": {
                    "filenames": scan.filenames,
                    "fields": stack,
                    "depths": [scan.fields[i].depth for i in stack],
                    "channel": channel,
                },
            }
            layers.append((Movie(scan, stack[0] if planar else stack, channel), facts, "image"))
    return layers


def _depths(scan: ScanLike) -> Depths:
    """Place slices along z: in um where their depths are even, else they are counted."""
    known = {field.slice_id: field.depth for field in scan.fields}
    order = sorted(known, key=lambda slice_id: known[slice_id])
    places = {slice_id: place for place, slice_id in enumerate(order)}
    steps = np.diff([known[slice_id] for slice_id in order])
    if steps.size and steps.min() > 0 and np.allclose(steps, steps.mean(), rtol=UNEVEN, atol=0):
        return Depths(places, float(steps.mean()), known[order[0]], "um")
    return Depths(places, 1.0, 0.0, "pixel")


def _stacks(scan: ScanLike, depths: Depths) -> list[list[int]]:
    """Fields that make up a layer: those of a ROI that are alike, at depths that follow each other."""
    alike: dict[str, list[int]] = {}
    for i, field in enumerate(scan.fields):
        size = (field.height, field.width, field.height_in_degrees, field.width_in_degrees)
        key = str((field.roi_ids, size, field.y, field.x, field.rotation))  # a text, since NaN is not NaN
        alike.setdefault(key, []).append(i)
    stacks = []
    for fields in alike.values():
        placed = sorted((depths.places[scan.fields[i].slice_id], i) for i in fields)
        runs = itertools.groupby(enumerate(placed), key=lambda pair: pair[1][0] - pair[0])
        stacks += [[i for _, (_, i) in run] for _, run in runs]
    return stacks


def _names(scan: ScanLike, stacks: Sequence[Sequence[int]]) -> list[str]:
    """Name each stack by its ROI, or else the file; with its depth where that is needed to tell it from others."""
    firsts = [scan.fields[stack[0]] for stack in stacks]
    names = [field.name or Path(scan.filenames[0]).stem for field in firsts]
    return [
        name if names.count(name) == 1 else f"{name} at {field.depth:g} µm"
        for name, field in zip(names, firsts, strict=True)
    ]


def _place(scan: ScanLike, i: int, depths: Depths, *, planar: bool) -> dict[str, Any]:
    """Where the first field of a layer lies and when its frames come, as napari has it."""
    field = scan.fields[i]
    unit, affine = _affine(field)
    timed = math.isfinite(scan.fps) and scan.fps > 0
    axes = [
        ("t", "s" if timed else "pixel", 1 / scan.fps if timed else 1.0, 0.0),
        ("z", depths.unit, depths.step, depths.first + depths.places[field.slice_id] * depths.step),
        ("y", unit, float(np.linalg.norm(affine[:2, 1])), float(affine[1, 2])),
        ("x", unit, float(np.linalg.norm(affine[:2, 0])), float(affine[0, 2])),
    ]
    if planar:
        del axes[1]
    labels, units, scale, translate = zip(*axes, strict=True)
    turn = -field.rotation  # napari turns y towards x
    return {"axis_labels": labels, "units": units, "scale": scale, "translate": translate, "rotate": turn}


def _affine(field: Field) -> tuple[str, npt.NDArray[np.float64]]:
    """From a pixel to the sample: in um, else in degrees, else in pixels, whatever the header says."""
    if math.isfinite(field.height_in_microns):
        return "um", field.affine
    if math.isfinite(field.height_in_degrees):
        return "degree", replace(field, microns_per_degree=1.0).affine
    return "pixel", np.eye(3)


def _contrast(scan: ScanLike, channel: int) -> tuple[float, float]:
    """Black and white for all fields of a channel, from a few frames of them."""
    fields, frames = (np.linspace(0, n - 1, LOOKS).astype(int) for n in (scan.num_fields, scan.num_frames))
    values: list[npt.NDArray[Any]] = []
    for field, frame in dict.fromkeys(zip(fields.tolist(), frames.tolist(), strict=True)):
        try:
            part = scan[field, :, :, channel, frame]
        except DamagedPageError:
            continue
        values.append(part[np.isfinite(part)])
    if not sum(part.size for part in values):
        return 0.0, 1.0
    black, white = np.percentile(np.concatenate(values), (DARK, BRIGHT)).tolist()
    return black, max(white, black + 1)
