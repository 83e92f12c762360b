"""Draws the figures of what ScanImage writes beside the pixels: ``python docs/figures_beside.py``."""

from __future__ import annotations

import math
import sys
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from figures import CELLS, save
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from scanreader import read_line_scan, read_scan
from scanreader.simulate import LineScanRecording, integration_roi, stimulus, stimulus_group, with_tissue
from scanreader.simulate.tissue import places, tissue

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scanreader import Scan
    from scanreader.simulate import Logged, Recording

    Array = np.ndarray[Any, np.dtype[Any]]

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
}
COLORS = ("#e8811a", "#2f7fc1", "#2a9d78", "#c43b6b")
REST_COLOR = "#9aa3ad"
PER_DEGREE = 25  # µm


def cells_near(count: int) -> Array:
    """Centres (x, y), in degrees, of bright cells that are in focus and apart from each other."""
    cell_places = places(replace(CELLS, channels=(1,)))
    simulated_tissue = tissue(cell_places, 1, np.random.default_rng(1))  # as `with_tissue` fills it
    by_brightness = np.argsort(-simulated_tissue.brightness[:, 0])
    centres = simulated_tissue.centres[by_brightness]
    in_focus = centres[np.abs(centres[:, 2] - cell_places[0].depth) < 5, :2] / PER_DEGREE
    chosen_centres: list[Array] = []
    for centre in in_focus[np.abs(in_focus).max(axis=1) < 5]:
        if all(np.hypot(*(centre - chosen_centre)) > 1.6 for chosen_centre in chosen_centres):
            chosen_centres.append(centre)
    return np.array(chosen_centres[:count])


def opened(recording: Recording, scratch: Path) -> Scan:
    """Read a recording with simulated cells."""
    with_tissue(recording).write(scratch / recording.stem)
    return read_scan(scratch / recording.stem)


def draw_mean(axes: Axes, scan: Scan, title: str) -> None:
    """Draw the mean image of the only field."""
    mean = scan[0, :, :, 0].mean(axis=-1)
    axes.imshow(mean, cmap="gray", vmin=np.percentile(mean, 1), vmax=np.percentile(mean, 99.7))
    axes.set_title(title)
    axes.set_axis_off()


def sheet(*widths: float, rows: int = 1, height: float = 4.0) -> tuple[Figure, Any]:
    """Begin a figure."""
    figure = Figure(figsize=(11, height), layout="constrained", facecolor="white")
    return figure, figure.subplots(
        rows, len(widths), squeeze=False, width_ratios=widths, sharex="col" if rows > 1 else False
    )


def photostim(scratch: Path) -> Figure:
    """Targets of two groups on the mean image, and the log of stimuli."""
    nearest_cells = cells_near(7)
    groups = []
    for name, members in (("ensemble A", nearest_cells[:4]), ("ensemble B", nearest_cells[4:])):
        centre = members.mean(axis=0)
        points = [(*(place - centre), 0.0, 1.0) for place in members]
        groups.append(
            stimulus_group(
                stimulus("pause", tuple(centre), duration=0.002, powers=0),
                stimulus("logspiral", tuple(centre), (0.6, 0.6), duration=0.01, repetitions=6, slm_points=points),
                stimulus("park", (-6.0, 0.0), duration=0.002, powers=0),
                name=name,
            )
        )
    recording = replace(CELLS, stem="photostim", channels=(1,), photostim=tuple(groups), stimulus_sequence=(0, 1))
    scan = opened(replace(recording, stimulus_period=0.25), scratch)
    stimuli = scan.photostim
    assert stimuli is not None
    log = stimuli.log
    assert log is not None
    figure, axes = sheet(1, 1.9, rows=3, height=4.2)
    for panel in axes[:, 0]:
        panel.remove()
    image = figure.add_subplot(axes[0, 0].get_gridspec()[:, 0])
    draw_mean(image, scan, "scan.photostim.targets(scan.fields[0])")
    for i, group in enumerate(stimuli.groups):
        y, x = stimuli.targets(scan.fields[0], [i]).T
        image.scatter(x, y, s=170, facecolors="none", edgecolors=COLORS[i], linewidths=1.8, label=group.name)
    image.legend(loc="lower center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
    traces = ((log.x, "x (degrees)"), (log.y, "y (degrees)"), (100 * log.beam, "power (%)"))
    for panel, (trace, label) in zip(axes[:, 1], traces, strict=True):
        panel.plot(log.times, trace, color="#24292f", linewidth=0.8)
        panel.set_ylabel(label)
        for turn in range(math.ceil(log.times[-1] / 0.25)):
            color = COLORS[stimuli.sequence[turn % 2]]
            panel.axvspan(0.25 * turn, 0.25 * turn + 0.064, color=color, alpha=0.25, linewidth=0)
    axes[0, 1].set_title("scan.photostim.log: where the mirrors pointed, and the first beam")
    axes[2, 1].set(xlabel="time (s)", xlim=(0, 1.5))
    return figure


def integration(scratch: Path) -> Figure:
    """Integration ROIs on the mean image, and their values."""
    places = cells_near(4)
    random = np.random.default_rng(3)
    starts = np.sort(random.uniform(0.1, 4, (len(places), 4)), axis=1)
    disc = [[float(math.hypot(x - 4, y - 4) < 4.5) for x in range(9)] for y in range(9)]
    rois = tuple(
        integration_roi(tuple(place), (0.75, 0.75), name=f"cell {i}", mask=disc) for i, place in enumerate(places)
    )

    def value(roi: int, number: int) -> float:
        seconds = number / 58.3 - starts[roi]
        calcium = np.where(seconds > 0, np.exp(-seconds / 0.35) - np.exp(-seconds / 0.04), 0).sum()
        return float(90 + 40 * roi + 160 * calcium + random.normal(0, 5))

    scan = opened(
        replace(
            CELLS,
            stem="integration",
            frames_per_slice=240,
            channels=(1,),
            integration_rois=rois,
            integration_value=value,
        ),
        scratch,
    )
    table = scan.integration
    assert table is not None
    figure, axes = sheet(1, 1.9, height=3.9)
    draw_mean(axes[0, 0], scan, "roi.mask(scan.fields[0])")
    for i, roi in enumerate(scan.integration_rois):
        axes[0, 0].contour(roi.mask(scan.fields[0]), levels=[0.5], colors=[COLORS[i]], linewidths=1.8)
        trace = table[roi.name]
        axes[0, 1].plot(table["timestamp"], (trace - np.median(trace)) / 150 - i, color=COLORS[i], linewidth=1)
    axes[0, 1].set_title("scan.integration, a column for each ROI")
    axes[0, 1].set_yticks([-i for i in range(4)], [roi.name for roi in scan.integration_rois])
    axes[0, 1].set_xlabel("time (s)")
    return figure


def motion(scratch: Path) -> Figure:
    """Estimates of motion."""
    random = np.random.default_rng(5)
    walk = np.cumsum(random.normal(0, 0.12, (400, 2)), axis=0)
    walk[210:235] += [4.5, -2.5]
    walk[300:312] = math.nan

    def displacement(frame: Logged) -> tuple[float, float, float]:
        x, y = walk[frame.number - 1].tolist()
        return x, y, math.nan

    recording = replace(CELLS, stem="motion", height=16, width=16, frames_per_slice=400, motion=displacement)
    recording.write(scratch / "motion")
    table = read_scan(scratch / "motion").motion
    assert table is not None
    figure, axes = sheet(1, height=2.8)
    panel = axes[0, 0]
    for column, label in enumerate(("dx", "dy")):
        panel.plot(table["timestamp"], table["pixels"][:, column], color=COLORS[column], linewidth=1.2, label=label)
    failed_times = table["timestamp"][~table["success"]]
    panel.axvspan(
        failed_times.min(), failed_times.max(), color=REST_COLOR, alpha=0.3, linewidth=0, label="no estimate (NaN)"
    )
    panel.axhline(0, color=REST_COLOR, linewidth=0.6)
    panel.set(xlabel="time (s)", ylabel="pixels", xlim=(0, table["timestamp"].max()))
    panel.set_title('scan.motion["pixels"]: how far the image is from its reference')
    panel.legend(ncols=3, frameon=False, loc="upper left")
    return figure


def line_scan(scratch: Path) -> Figure:
    """The path of a line scan, and its samples."""
    path = (
        stimulus("pause", (-1.2, 0.8), (0, 0), duration=0.0003, name="start"),
        stimulus("line", (-0.2, 0.9), (2.0, 0.5), duration=0.0008, name="dendrite", rotation=180),
        stimulus("pause", (1.0, 0.5), (0, 0), duration=0.0002, name="move"),
        stimulus("circle", (0.9, -0.6), (0.6, 0.6), duration=0.0006, name="soma"),
        stimulus("pause", (0.0, 0.0), (0, 0), duration=0.0003, name="return"),
    )

    def samples(cycles: int) -> Array:
        random = np.random.default_rng(2)
        time, sample = np.arange(cycles)[:, None] / 455, np.arange(2200)[None, :]
        events = sum(np.where(time > t, np.exp(-(time - t) / 0.15), 0) for t in (0.2, 0.55))
        spines = sum(np.exp(-(((sample - s) / 30) ** 2)) for s in (420, 610, 900))
        soma = ((sample > 1300) & (sample < 1900)) * (1.2 + 0.4 * np.sin((sample - 1300) / 40))
        late_events = sum(np.where(time > t + 0.03, np.exp(-(time - t - 0.03) / 0.3), 0) for t in (0.2, 0.55))
        signal = 0.3 + spines * (0.4 + 2 * events) + soma * (0.3 + late_events)
        return np.asarray(random.poisson(6 * signal)[..., None] * 12)

    recording = LineScanRecording(stem="path", path=path, cycles=450, channels=(1,), samples=samples)
    recording.write(scratch / "line")
    scan = read_line_scan(scratch / "line" / "path_00001.meta.txt")
    assert scan.positions is not None
    figure, axes = sheet(1, 2.3, height=3.9)
    left, right = axes[0]
    xy = scan.positions[0].astype(float)
    part_of = np.searchsorted(
        [roi.samples.stop for roi in scan.rois if roi.samples], scan.position_times * scan.rate, "right"
    )
    colors = [REST_COLOR, COLORS[0], REST_COLOR, COLORS[1], REST_COLOR]
    segments = np.stack([xy[:-1], xy[1:]], axis=1)
    left.add_collection(
        LineCollection(
            segments.tolist(),
            colors=[colors[i] if i == j else REST_COLOR for i, j in pairwise(part_of.tolist())],
            linewidths=2,
        )
    )
    left.set(xlim=(-1.7, 1.7), ylim=(1.4, -1.4), xlabel="x (degrees)", ylabel="y (degrees)", aspect="equal")
    left.set_title("scan.positions: the path of a cycle")
    data = scan.data[:, :, 0].reshape(450, 550, 4).mean(axis=-1)
    right.imshow(
        data, cmap="gray", aspect="auto", vmax=np.percentile(data, 99.5), extent=(0, 2.2, float(scan.times[-1]), 0)
    )
    for roi, color in zip(scan.rois, colors, strict=True):
        assert roi.samples is not None
        start, stop = roi.samples.start / scan.rate * 1000, roi.samples.stop / scan.rate * 1000
        right.plot([start + 0.01, stop - 0.01], [-0.02, -0.02], color=color, linewidth=4, clip_on=False)
        if not roi.is_transit:
            right.text((start + stop) / 2, -0.06, roi.name, color=color, ha="center", va="bottom")
    right.set(xlabel="time in the cycle (ms)", ylabel="cycles (s)", xlim=(0, 2.2), ylim=(float(scan.times[-1]), -0.03))
    right.set_title("scan.data: a row for each cycle", pad=26)
    return figure


def main(folder: Path) -> None:
    """Draw all pictures and write them to a folder."""
    folder.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        for picture in (photostim, integration, motion, line_scan):
            with tempfile.TemporaryDirectory() as scratch:
                save(picture(Path(scratch)), folder / f"{picture.__name__}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures")
