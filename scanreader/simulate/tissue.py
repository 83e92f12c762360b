"""Tissue as a two-photon microscope shows it: cells that flicker, background, vessels and photon noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.simulate.frames import raw_volume
from scanreader.simulate.headers import frame_period, header_settings
from scanreader.simulate.layout import field_rows, page_shape, slots
from scanreader.simulate.rois import outline_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.simulate.plan import Logged, Plan
    from scanreader.simulate.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]

REACH = 14.0  # µm from its centre beyond which a cell is invisible
DENSITY = 80_000  # cells in a cubic millimetre of cortex
IN_FOCUS = 7.0  # µm along z over which a cell fades to 1/e
FAINTEST = 0.02  # fraction of its light below which a cell is not drawn
PHOTONS = 9.0  # of a pixel of background, in a frame
CELL = 13.0  # photons of the brightest pixels of an average cell in focus, at rest
GAIN = 8.0  # pixel values of a photon
DARK, DARK_NOISE = -40.0, 10.0  # pixel values without light
DECAY = 0.7  # s, in which a transient fades to 1/e
LATER_CHANNELS = 0.35  # fraction of the cells that the other channels show; they do not flicker


class Place(NamedTuple):
    """A field in its page and in the tissue."""

    slice: int
    row: int
    rows: int
    columns: int
    affine: Floats
    """From a pixel (column, row, 1) to x and y in µm, of shape (2, 3)."""
    depth: float


class Tissue(NamedTuple):
    """Cells at random places in a box, background and vessels; lengths in µm."""

    centres: Floats
    radii: Floats
    brightness: Floats
    """Of each cell in each channel, of shape (cells, channels)."""
    waves: Floats
    vessels: Floats
    """Of each: x, y, angle, half of the width."""


class Sight(NamedTuple):
    """What a field shows in one channel, in photons of a frame."""

    background: Floats
    pixels: npt.NDArray[np.int64]
    """Pixels of cells, by their place in the flattened field."""
    light: Floats
    """Light of each of these pixels while its cell is silent."""
    cells: npt.NDArray[np.int64]


# ------------------------------------------------------------------------------ making


def with_tissue(recording: Recording, seed: int = 1) -> Recording:
    """Return a recording of simulated tissue: cells that flicker (in its first channel), vessels, photon noise.

    The same cells are seen from every depth. It is the same recording each time.

    Parameters
    ----------
    recording : Recording
        Its fields are placed in the tissue with ``objectiveResolution`` of its `settings` (µm per degree; 15 by
        default). Cells are 13 µm wide.
    seed : int
        Another seed is another tissue.
    """
    return replace(recording, pixels=TissuePixels(replace(recording, pixels=None), seed))


def places(plan: Plan) -> list[Place]:
    """Place the fields of a recording."""
    scale = float(plan.settings.get("objectiveResolution", 15))
    all_places = []
    for i, (z, page_fields) in enumerate(zip(plan.zs, field_rows(plan), strict=True)):
        outlines = [outline_at(plan.rois[r], z) for r, _, _ in slots(plan)[i]] if plan.rois else [FULL_FRAME]
        for (row, rows, columns), (x, y, width, height, rotation) in zip(page_fields, outlines, strict=True):
            turn = np.array([[math.cos(rotation), -math.sin(rotation)], [math.sin(rotation), math.cos(rotation)]])
            linear_map = turn @ np.diag([width / columns, height / rows])
            first_pixel = np.array([x, y]) - linear_map @ [(columns - 1) / 2, (rows - 1) / 2]
            all_places.append(Place(i, row, rows, columns, np.column_stack([linear_map, first_pixel]) * scale, z))
    return all_places


FULL_FRAME = (0.0, 0.0, 12.0, 12.0, 0.0)  # centre and size in degrees, and rotation, of a recording without ROIs


def tissue(fields: list[Place], channels: int, random: np.random.Generator) -> Tissue:
    """Fill the box around some fields."""
    corners = np.concatenate([field.affine @ _corners(field) for field in fields], axis=1)
    depths = [field.depth for field in fields]
    low = np.array([*(corners.min(axis=1) - REACH), min(depths) - REACH])
    high = np.array([*(corners.max(axis=1) + REACH), max(depths) + REACH])
    count = int(np.prod(high - low) / 1e9 * DENSITY)
    vessels = 2 + int((high - low)[:2].sum() / 250)
    brightness = random.lognormal(0, 0.5, (count, channels))
    brightness[:, 1:] *= random.random((count, channels - 1)) < LATER_CHANNELS
    return Tissue(
        centres=random.uniform(low, high, (count, 3)),
        radii=random.normal(6.5, 0.8, count),
        brightness=brightness,
        waves=np.column_stack([random.normal(0, 1 / 25, (40, 2)), random.uniform(0, 2 * math.pi, 40)]),
        vessels=np.column_stack(
            [
                random.uniform(low[:2], high[:2], (vessels, 2)),
                random.uniform(0, math.pi, vessels),
                random.uniform(3, 9, vessels),
            ]
        ),
    )


def _corners(field: Place) -> Floats:
    """Columns, rows and 1 of a field's corners, of shape (3, 4)."""
    return np.array([[0, field.columns, 0, field.columns], [0, 0, field.rows, field.rows], [1.0] * 4])


def activity(cells: int, times: int, seconds: float, random: np.random.Generator) -> Floats:
    """Brightness of each cell over time, of shape (times, cells): 1 at rest, with transients of a few times that."""
    rates = random.lognormal(-2, 1.2, cells).clip(0, 2)  # transients a second: most cells have few
    num_before = math.ceil(5 * DECAY / seconds)  # times before the recording, so that it does not begin in the dark
    starts = random.poisson(rates * seconds, (num_before + times, cells)) * random.lognormal(0.4, 0.5, cells)
    traces = np.zeros((num_before + times, cells))
    for i, start in enumerate(starts):
        traces[i] = traces[i - 1] * math.exp(-seconds / DECAY) + start
    traces = traces[num_before:]
    return 0.7 + 1.5 * np.minimum(traces, 4)


# ----------------------------------------------------------------------------- looking


def shade(field: Place, tissue: Tissue, x: Floats, y: Floats) -> Floats:
    """Fraction of the light that vessels above and in a field let through."""
    shadow = np.ones_like(x)
    for x0, y0, angle, half_width in tissue.vessels:
        distance_along = (x - x0) * math.cos(angle) + (y - y0) * math.sin(angle)
        distance_across = (
            (y - y0) * math.cos(angle) - (x - x0) * math.sin(angle) + 12 * np.sin(distance_along / 60) + field.depth / 3
        )
        shadow *= 1 - 0.75 * np.exp(-((distance_across / half_width) ** 4))
    return shadow


def look(field: Place, tissue: Tissue, channel: int) -> Sight:
    """See the tissue from a field in one channel, the number of which counts from 0."""
    rows, columns = np.mgrid[: field.rows, : field.columns].astype(float)
    x, y = np.tensordot(field.affine, np.stack([columns, rows, np.ones_like(rows)]), 1)
    texture = 0.05 * sum(np.cos(a * x + b * y + phase) for a, b, phase in tissue.waves)
    transmission = shade(field, tissue, x, y)
    pixels, light, cells = [np.empty(0, np.int64)], [np.empty(0)], [np.empty(0, np.int64)]
    for i, area, focus in in_sight(field, tissue, channel):
        r = np.hypot(x[area] - tissue.centres[i, 0], y[area] - tissue.centres[i, 1]) / tissue.radii[i]
        shape = _ring(r) if channel == 0 else np.exp(-((r / 0.8) ** 4))
        light.append((CELL * tissue.brightness[i, channel] * focus * shape * transmission[area]).ravel())
        pixels.append((rows[area] * field.columns + columns[area]).astype(np.int64).ravel())
        cells.append(np.full(r.size, i))
    background = PHOTONS * np.maximum(1 + texture, 0.3) * transmission
    return Sight(background, np.concatenate(pixels), np.concatenate(light), np.concatenate(cells))


def in_sight(field: Place, tissue: Tissue, channel: int) -> Iterator[tuple[int, tuple[slice, slice], float]]:
    """Cells that a field shows: their numbers, the pixels around each, and how much of its light is in focus."""
    half_size = math.ceil(REACH / np.abs(field.affine[:, :2]).max())
    to_pixels = np.linalg.inv(np.vstack([field.affine, [0, 0, 1]]))[:2]
    positions = (to_pixels @ np.column_stack([tissue.centres[:, :2], np.ones(len(tissue.centres))]).T).astype(int)
    focus = np.exp(-(((tissue.centres[:, 2] - field.depth) / IN_FOCUS) ** 2))
    is_inside = (
        (positions > -half_size).all(axis=0)
        & (positions[0] < field.columns + half_size)
        & (positions[1] < field.rows + half_size)
    )
    for i in np.flatnonzero(is_inside & (focus > FAINTEST) & (tissue.brightness[:, channel] > 0)).tolist():
        column, row = positions[:, i].tolist()
        area = (slice(max(0, row - half_size), row + half_size), slice(max(0, column - half_size), column + half_size))
        yield i, area, float(focus[i])


def _ring(r: Floats) -> Floats:
    """A cell whose nucleus has no indicator, by the distance from its centre in radii."""
    return np.asarray(np.exp(-(((r - 0.75) / 0.35) ** 2)) + 0.4 * np.exp(-((r / 0.5) ** 2)))


# ----------------------------------------------------------------------------- pixels


@dataclass(frozen=True)
class TissuePixels:
    """Makes the pixels of the pages of a recording, the same for each frame and channel whenever it is asked."""

    plan: Plan
    seed: int

    def __call__(self, frame: Logged, channel: int) -> Floats:
        """Make a page: an array of the pages' shape."""
        random = np.random.default_rng([self.seed, frame.number, channel])
        light = np.zeros(page_shape(self.plan))
        number = self.plan.channels.index(channel)
        fields = [field for field in self._places if field.slice == frame.slice]
        for field in fields or self._places[:1]:  # while z flies back, the first field is in sight
            part = light[field.row : field.row + field.rows, : field.columns]
            part += self._light(field, number, frame)
        noise = random.standard_normal((2, *light.shape), np.float32)
        return np.asarray(DARK + GAIN * (light + np.sqrt(light) * noise[0]) + DARK_NOISE * noise[1])

    def _light(self, field: Place, channel: int, frame: Logged) -> Floats:
        background, pixels, light, cells = self._sights[self._places.index(field), channel]
        if channel == 0:
            light = light * self._activity[self._time(frame) % len(self._activity)][cells]
        cell_light = np.bincount(pixels, light, background.size)
        return np.asarray(background + cell_light.reshape(background.shape))

    def _time(self, frame: Logged) -> int:
        """Number of the volume, or without fast volumes of the frame, from 0."""
        return (frame.number - 1) // self._raw_frames

    @cached_property
    def _raw_frames(self) -> int:
        """Raw frames from one time to the next."""
        return len(raw_volume(self.plan)) if self.plan.mode == "fast" else 1

    @cached_property
    def _places(self) -> list[Place]:
        return places(self.plan)

    @cached_property
    def _tissue(self) -> Tissue:
        return tissue(self._places, len(self.plan.channels), np.random.default_rng(self.seed))

    @cached_property
    def _sights(self) -> dict[tuple[int, int], Sight]:
        channels = range(len(self.plan.channels))
        return {(i, c): look(field, self._tissue, c) for i, field in enumerate(self._places) for c in channels}

    @cached_property
    def _activity(self) -> Floats:
        frames = len(raw_volume(self.plan)) * self.plan.volumes * self.plan.loops
        seconds = float(frame_period(self.plan, header_settings(self.plan))) * self._raw_frames
        random = np.random.default_rng([self.seed, 1])
        return activity(len(self._tissue.radii), min(5000, math.ceil(frames / self._raw_frames)), seconds, random)
