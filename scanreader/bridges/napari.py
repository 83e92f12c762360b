"""Scans as napari's image layers, and the plug-in that opens them there; napari itself is not needed."""

from __future__ import annotations

import atexit
import itertools
import math
import os
import shutil
import sys
import tempfile
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.blocks import is_scanimage
from scanreader.errors import DamagedPageError, ScanReaderWarning
from scanreader.keys import AXES, split_key
from scanreader.reader import SUFFIXES, read_scan
from scanreader.simulate import DEMO
from scanreader.tiff.index import index_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt
    from numpy.typing import DTypeLike

    from scanreader.bridges import ScanLike
    from scanreader.fields import Field
    from scanreader.simulate import Image, Logged

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


# ------------------------------------------------------------------------ plug-in


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[Any]] | None:
    """Tell napari what reads a file, a folder or a list of files; None if ScanImage wrote none of it."""
    return read_layers if any(map(_is_scanimage, _listed(path))) else None


def read_layers(path: str | list[str]) -> list[Any]:
    """Open a recording as layers.

    Files that are dropped together come one by one, and the first brings the others: of a recording that the
    viewer shows by then, there is nothing to add.
    """
    viewer = _current_viewer()
    shown = [_shown(viewer, name) for name in _listed(path)]
    if all(shown):
        said = f"{Path(shown[0].filenames[0]).name}: the recording is shown already, all its files together"
        warnings.warn(said, ScanReaderWarning, stacklevel=2)
        return [(None,)]  # npe2's word for: read, and nothing to show
    return _opened(read_scan(path, on_damage="fill"))


def _listed(path: str | Iterable[str]) -> list[str]:
    return [path] if isinstance(path, (str, os.PathLike)) else list(path)


def _is_scanimage(name: str) -> bool:
    """Whether ScanImage wrote a file, or one of those in a folder."""
    path = Path(name)
    if path.is_dir():
        return any(is_scanimage(p) for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES)
    return is_scanimage(path)


def _current_viewer() -> Any:
    napari = sys.modules.get("napari")
    return napari.current_viewer() if napari else None


def _shown(viewer: Any, name: str) -> Any:
    """Find the recording that a file is of, and still as it was, among those that a viewer shows; None if it is not."""
    if viewer is None or not Path(name).is_file():
        return None
    scans: list[Any] = [layer.data.scan for layer in viewer.layers if isinstance(layer.data, Movie)]
    index = index_file(name) if scans else None
    return next((scan for scan in scans if index in scan._pages.files), None)  # noqa: SLF001 - of one house


def _opened(scan: ScanLike) -> list[Any]:
    """Layers of a scan; a viewer that is empty turns to all of them when they are there, not to the first alone."""
    layers: list[Any] = list(to_napari_layers(scan))
    viewer = _current_viewer()

    def turn(_: Any) -> None:
        if len(viewer.layers) == len(layers):
            viewer.layers.events.inserted.disconnect(turn)
            viewer.reset_view()

    if viewer is not None and not viewer.layers:
        viewer.layers.events.inserted.connect(turn, position="last")
    return layers


# ------------------------------------------------------------------------- sample


def _cells(frame: Logged, channel: int) -> Image:
    """Pixels of a page of cells that light up: round, others in each slice and channel, with noise."""
    rows, columns = DEMO.page_shape
    cells = np.random.default_rng([frame.slice + 1, channel])
    y, x, phase, period = cells.uniform((0, 0, 0, 9), (rows, columns, 2 * np.pi, 60), (60, 4)).T
    bright = 20 + 200 * np.clip(np.sin(phase + 2 * np.pi * frame.number / period), 0, None) ** 3
    down = np.exp(-((np.arange(rows)[:, None] - y) ** 2) / 30)
    along = np.exp(-((np.arange(columns) - x[:, None]) ** 2) / 30)
    light = 15 + np.einsum("yc,cx->yx", down * bright, along)
    noise = np.random.default_rng([frame.number, channel]).standard_normal(light.shape, np.float32)
    return np.asarray(light + noise * np.sqrt(light))


@cache
def _sample_folder() -> Path:
    """Where the sample is, until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="scanreader-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    replace(DEMO, volumes=25, pixels=_cells).write(folder)
    return folder


def sample() -> list[Any]:
    """Three ROIs at three depths, in two channels."""
    return _opened(read_scan(_sample_folder()))
