"""Scans as napari's image layers; napari itself is not needed."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.bridges import REAL_DTYPES, check_dtype, notify_moved_pieces
from scanreader.bridges.groups import check_grouped
from scanreader.errors import DamagedPageError
from scanreader.keys import AXES, split_key
from scanreader.texts import in_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from numpy.typing import DTypeLike

    from scanreader.bridges import ScanLike
    from scanreader.recording.fields import Field

    LayerData = tuple[Any, dict[str, Any], str]
    """An array, the options of `napari.layers.Image`, and ``"image"``."""

COLOURS = ("green", "magenta", "cyan", "yellow")  # of channels shown on top of each other
CONTRAST_FRAMES = 8  # frames of a channel that decide its contrast
DARK, BRIGHT = 1.0, 99.8  # percent of their pixels that are below black, and below white
UNEVEN = 0.01  # relative difference between steps of depth that still count as even


class Movie:
    """One channel of a field as an array for napari, of shape (frames, y, x), read when sliced.

    Of fields above each other, (frames, z, y, x). A key has integers, slices and ``...``.

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
        num_missing_axes = (
            len(AXES) - self.ndim
        )  # before the key, so that "..." and omitted entries refer to this array's axes
        entries = (0,) * num_missing_axes + (key if isinstance(key, tuple) else (key,))
        frames, *z, rows, columns = split_key(entries)[num_missing_axes:]
        stack = self.fields[tuple(z)]
        part = self.scan[stack if stack.size else self.fields.flat[:1], rows, columns, self.channel, frames]
        part = part if stack.size else part[:0]
        return part if isinstance(frames, int) else np.moveaxis(part, -1, 0)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a recording is read into an array, which is a copy: copy=False is not possible")
        return np.asarray(self[...], dtype)


# ------------------------------------------------------------------------- layers


class Depths(NamedTuple):
    """Positions of slices and planes along napari's z."""

    places: dict[tuple[int, int | None], int]
    """Place of each slice and plane, counted from the smallest depth; unknown depths come last, in the scan's order."""
    step: float
    first_depth: float
    unit: str


def to_napari_layers(scan: ScanLike, grouped: str | None = None) -> list[LayerData]:
    """Make napari's layers; see `Scan.to_napari_layers`."""
    check_grouped(grouped)
    check_dtype(scan, REAL_DTYPES, "napari")
    notify_moved_pieces(scan)
    depths = _depths(scan)
    stacks = [[i] for i in range(scan.num_fields)] if grouped == "field" else _stacks(scan, depths)
    names = _names(scan, stacks)
    is_planar = len(depths.places) == 1
    layers: list[LayerData] = []
    for channel, channel_name in enumerate(scan.channel_names):
        channel_options = {
            "contrast_limits": _contrast(scan, channel),
            "colormap": COLOURS[channel % len(COLOURS)] if scan.num_channels > 1 else "gray",
            "blending": "additive" if scan.num_channels > 1 else "translucent",
        }
        for name, stack in zip(names, stacks, strict=True):
            options = {
                "name": in_xml(f"{name}, {channel_name}"),
                **channel_options,
                **_place(scan, stack[0], depths, is_planar=is_planar),
                "rgb": False,
                "multiscale": False,
                "metadata": {
                    "filenames": scan.filenames,
                    "fields": stack,
                    "depths": [scan.fields[i].depth for i in stack],
                    "channel": channel,
                },
            }
            layers.append((Movie(scan, stack[0] if is_planar else stack, channel), options, "image"))
    return layers


def _depths(scan: ScanLike) -> Depths:
    """Place slices and planes along z: in µm if their depths are even, else by their number."""
    depths = {(field.slice_id, field.plane): field.depth for field in scan.fields}
    order = sorted(depths, key=lambda level: (math.isnan(depths[level]), np.nan_to_num(depths[level])))
    places = {level: place for place, level in enumerate(order)}
    steps = np.diff([depths[level] for level in order])
    if steps.size and steps.min() > 0 and np.allclose(steps, steps.mean(), rtol=UNEVEN, atol=0):
        return Depths(places, float(steps.mean()), depths[order[0]], "um")
    return Depths(places, 1.0, 0.0, "pixel")


def _stacks(scan: ScanLike, depths: Depths) -> list[list[int]]:
    """Fields of each layer: those of one ROI with equal size and place, at consecutive depths."""
    groups: dict[str, list[int]] = {}
    for i, field in enumerate(scan.fields):
        size = (field.height, field.width, field.height_in_degrees, field.width_in_degrees)
        key = str((field.roi_ids, size, field.y, field.x, field.rotation))  # a text, since NaN is not NaN
        groups.setdefault(key, []).append(i)
    stacks = []
    for fields in groups.values():
        placed_fields = sorted((depths.places[scan.fields[i].slice_id, scan.fields[i].plane], i) for i in fields)
        runs = itertools.groupby(enumerate(placed_fields), key=lambda pair: pair[1][0] - pair[0])
        stacks += [[i for _, (_, i) in run] for _, run in runs]
    return stacks


def _names(scan: ScanLike, stacks: Sequence[Sequence[int]]) -> list[str]:
    """Name each stack by its ROI, else by the file; with its depth where names would be equal."""
    first_fields = [scan.fields[stack[0]] for stack in stacks]
    names = [field.name or Path(scan.filenames[0]).stem for field in first_fields]
    return [
        name if names.count(name) == 1 else f"{name} {_depth_in_words(field)}"
        for name, field in zip(names, first_fields, strict=True)
    ]


def _depth_in_words(field: Field) -> str:
    return f"at {field.depth:g} µm" if math.isfinite(field.depth) else "at an unknown depth"


def _place(scan: ScanLike, i: int, depths: Depths, *, is_planar: bool) -> dict[str, Any]:
    """Place, scale and frame period of a layer's first field, as options of napari."""
    field = scan.fields[i]
    unit, affine = _affine(field)
    has_rate = math.isfinite(scan.fps) and scan.fps > 0
    axes = [
        ("t", "s" if has_rate else "pixel", 1 / scan.fps if has_rate else 1.0, 0.0),
        ("z", depths.unit, depths.step, depths.first_depth + depths.places[field.slice_id, field.plane] * depths.step),
        ("y", unit, float(np.linalg.norm(affine[:2, 1])), float(affine[1, 2])),
        ("x", unit, float(np.linalg.norm(affine[:2, 0])), float(affine[0, 2])),
    ]
    if is_planar:
        del axes[1]
    labels, units, scale, translate = zip(*axes, strict=True)
    turn = -field.rotation  # napari turns y towards x
    return {"axis_labels": labels, "units": units, "scale": scale, "translate": translate, "rotate": turn}


def _affine(field: Field) -> tuple[str, npt.NDArray[np.float64]]:
    """Affine from pixels to the sample, and its unit: µm, else degrees, else pixels, as the header allows."""
    if math.isfinite(field.height_in_microns):
        return "um", field.affine
    if math.isfinite(field.height_in_degrees):
        return "degree", replace(field, microns_per_degree=1.0).affine
    return "pixel", np.eye(3)


def _contrast(scan: ScanLike, channel: int) -> tuple[float, float]:
    """Contrast limits of a channel, from a few frames of its fields."""
    fields, frames = (np.linspace(0, n - 1, CONTRAST_FRAMES).astype(int) for n in (scan.num_fields, scan.num_frames))
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
