"""Draws the pictures of the docs, from recordings of simulated cells: ``python docs/figures.py``."""

from __future__ import annotations

import io
import math
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from scanreader import read_scan
from scanreader.simulate import Recording, roi, scanfield

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from scanreader import Field, Scan
    from scanreader.simulate import Logged

    Array = np.ndarray[Any, np.dtype[Any]]

REACH = 14.0  # µm from its centre beyond which a cell is invisible

CELLS = Recording(
    stem="cells",
    height=256,
    width=256,
    frames_per_slice=100,
    channels=(1, 2),
    settings={"objectiveResolution": 25, "hStackManager.zs": 180},
)
VOLUME = Recording(
    stem="volume",
    mode="fast",
    zs=tuple(100.0 + 25 * i for i in range(12)),
    flyback=2,
    volumes=60,
    height=128,
    width=128,
    settings={"objectiveResolution": 25},
)
MESOSCOPE = Recording(
    stem="mesoscope",
    mode="fast",
    zs=(150.0, 210.0),
    flyback=1,
    volumes=60,
    scanner_frequency=12013.0,
    rois=(
        roi(scanfield((-5.0, 1.0), (4.0, 6.0), (160, 240)), name="V1"),
        roi(scanfield((0.6, 2.4), (4.0, 4.0), (160, 160), rotation=20), name="LM"),
        roi(scanfield((4.6, -0.4), (2.4, 2.4), (160, 160)), zs=(210,), discrete=True, name="A1"),
        roi(scanfield((0.4, -2.6), (5.0, 2.0), (160, 64)), zs=(150,), discrete=True, name="RSC"),
    ),
    settings={"objectiveResolution": 100},
)


class Tissue(NamedTuple):
    """Cells at random places in a box, with background fluorescence and blood vessels; lengths in µm."""

    centres: Array
    radii: Array
    brightness: Array
    """Brightness of each cell in two channels, of shape (cells, 2)."""
    waves: Array
    vessels: Array


def tissue(fields: Sequence[Field], random: np.random.Generator) -> Tissue:
    """Simulate the tissue that fields show, with 80,000 cells in a cubic millimetre."""
    corners = np.concatenate([field.corners_in_microns for field in fields])
    depths = [field.depth for field in fields]
    low = np.array([*(corners.min(axis=0) - REACH), min(depths) - REACH])
    high = np.array([*(corners.max(axis=0) + REACH), max(depths) + REACH])
    count = int(np.prod(high - low) / 1e9 * 80_000)
    return Tissue(
        centres=random.uniform(low, high, (count, 3)),
        radii=random.normal(6.5, 0.8, count),
        brightness=random.lognormal(0, 0.5, (count, 2)),
        waves=np.column_stack([random.normal(0, 1 / 25, (40, 2)), random.uniform(0, 2 * math.pi, 40)]),
        vessels=np.column_stack([random.uniform(low[:2], high[:2], (3, 2)), random.uniform(0, math.pi, 3)]),
    )


def mean_photons(field: Field, simulated: Tissue, channel: int) -> Array:
    """Compute the mean image of a field, of shape (y, x), in photons."""
    rows, columns = np.mgrid[: field.height, : field.width]
    x, y, _ = np.tensordot(field.affine, np.stack([columns, rows, np.ones_like(rows)]), 1)
    image = 2.0 + 0.06 * sum(np.cos(a * x + b * y + phase) for a, b, phase in simulated.waves)
    to_pixels = np.linalg.inv(field.affine)
    half = math.ceil(REACH / min(field.pixel_width_in_microns, field.pixel_height_in_microns))
    for centre, radius, brightness in zip(simulated.centres, simulated.radii, simulated.brightness, strict=True):
        column, row, _ = (to_pixels @ [centre[0], centre[1], 1]).astype(int)
        apart = (centre[2] - field.depth) / 7
        if abs(apart) > 2 or not -half < row < field.height + half or not -half < column < field.width + half:
            continue
        near = np.s_[max(0, row - half) : row + half, max(0, column - half) : column + half]
        r = np.hypot(x[near] - centre[0], y[near] - centre[1]) / radius
        ring = np.exp(-(((r - 0.75) / 0.35) ** 2)) + 0.4 * np.exp(-((r / 0.5) ** 2))
        image[near] += 4 * brightness[channel] * ring * math.exp(-(apart**2))
    for x0, y0, angle in simulated.vessels:
        along = (x - x0) * math.cos(angle) + (y - y0) * math.sin(angle)
        across = (y - y0) * math.cos(angle) - (x - x0) * math.sin(angle) + 12 * np.sin(along / 60) + field.depth / 3
        image *= 1 - 0.7 * np.exp(-((across / 7) ** 4))
    return np.maximum(image, 0.05)


def with_cells(recording: Recording, folder: Path, seed: int = 1) -> Recording:
    """Return the recording with simulated cells and photon noise."""
    random = np.random.default_rng(seed)
    short = replace(recording, volumes=1, frames_per_slice=1)
    fields = read_scan(short.write(folder)[0]).fields
    simulated = tissue(fields, random)
    means = {
        (i, number): mean_photons(field, simulated, channel)
        for i, field in enumerate(fields)
        for channel, number in enumerate(recording.channels)
    }

    def pixels(frame: Logged, channel: int) -> Array:
        image = random.normal(0, 10, recording.page_shape)
        for i, field in enumerate(fields):
            if field.slice_id == frame.slice:
                image[field.yslices[0], field.xslices[0]] += 8 * random.poisson(8 * means[i, channel]) - 40
        return image

    return replace(recording, pixels=pixels)


def save(figure: Figure, path: Path) -> None:
    """Write a small PNG, with few pixels and no more greys than a reader can distinguish."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    image = Image.open(file).convert("RGB")
    pixels = np.asarray(image).reshape(-1, 3)
    colored = Image.fromarray(pixels[np.ptp(pixels.astype(int), axis=1) > 8][None])  # edges, numbers, slices
    colors = colored.quantize(12).getpalette()[: 3 * 12]
    greys = np.repeat(np.linspace(0, 255, 28).round().astype(int), 3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette(greys + colors)
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def main(folder: Path) -> None:
    """Draw all pictures and write them to a folder."""
    folder.mkdir(exist_ok=True)

    def scan_of(recording: Recording, scratch: Path) -> Scan:
        with_cells(recording, scratch / "short").write(scratch / recording.stem)
        return read_scan(scratch / recording.stem)

    with tempfile.TemporaryDirectory() as scratch:
        for recording in (CELLS, VOLUME, MESOSCOPE):
            with scan_of(recording, Path(scratch)) as scan:
                save(scan.plot(), folder / f"{recording.stem}.png")
                if scan.is_multiROI:
                    save(scan.plot_layout(), folder / f"{recording.stem}_layout.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures")
