"""Draws the pictures of the docs, from recordings of simulated tissue: ``python docs/figures.py``."""

from __future__ import annotations

import io
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from scanreader import read_scan
from scanreader.simulate import DEMO, Recording, roi, scanfield, with_tissue

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scanreader import Scan

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

STRIPS = Recording(
    stem="strips",
    frames_per_slice=60,
    rois=tuple(
        roi(scanfield((x, y), (1.6, 6.0), (80, 300)), name=name)
        for x, y, name in ((3.0, 0.4, "right"), (0.0, 0.0, "left"), (1.5, -0.3, "middle"))
    ),
    settings={"objectiveResolution": 100},
)

BEADS = Recording(
    stem="beads",
    frames_per_slice=60,
    channels=tuple(range(1, 7)),
    height=128,
    width=128,
    settings={"objectiveResolution": 25},
)
BEAD_SPACING = 20.0  # µm


def with_beads(recording: Recording) -> Recording:
    """Show tissue in a recording each of whose channels is a depth, as light beads do."""
    depths = tuple(60.0 + BEAD_SPACING * i for i in range(len(recording.channels)))
    stack = with_tissue(replace(recording, mode="fast", zs=depths, channels=(1,), frames_per_slice=1, volumes=1))
    look = stack.pixels
    assert look is not None
    return replace(recording, pixels=lambda frame, channel: look(frame._replace(slice=channel - 1), 1))


def save(figure: Figure, path: Path) -> None:
    """Write a small PNG, with few pixels and no more greys than a reader can distinguish."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    image = Image.open(file).convert("RGB")
    pixels = np.asarray(image).reshape(-1, 3)
    colored_pixels = Image.fromarray(pixels[np.ptp(pixels.astype(int), axis=1) > 8][None])  # edges, numbers, slices
    colors = colored_pixels.quantize(12).getpalette()[: 3 * 12]
    greys = np.repeat(np.linspace(0, 255, 28).round().astype(int), 3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette(greys + colors)
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def draw_stitched(scan: Scan) -> Figure:
    """Draw strips in the order in which they are listed, and beside them, the strips stitched."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - as scanreader imports it

    stitched = scan.stitched()
    images = [view[i, :, :, 0].mean(axis=-1) for view in (scan, stitched) for i in range(len(view))]
    mask = stitched.fields[0].roi_mask
    images[-1][mask < 0] = np.nan
    low, high = np.nanpercentile(images[-1], [1, 99.5])
    widths = [image.shape[1] for image in images]
    figure = Figure(figsize=(6.6, 4.2))
    axes = figure.subplots(1, len(images), width_ratios=widths, gridspec_kw={"wspace": 0.12})
    titles = [f"field {i}: {field.name}" for i, field in enumerate(scan.fields)]
    for panel, image, title in zip(axes, images, [*titles, "scan.stitched()[0]"], strict=True):
        panel.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        panel.set_title(title, fontsize=8, color="0.25")
        panel.set_axis_off()
    for roi_id in range(len(scan)):
        axes[-1].contour(mask == roi_id, levels=[0.5], colors=["#e07b39"], linewidths=0.7)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.94)
    return figure


def main(folder: Path) -> None:
    """Draw all pictures and write them to a folder."""
    folder.mkdir(exist_ok=True)

    def scan_of(recording: Recording, scratch: Path) -> Scan:
        with_tissue(recording).write(scratch / recording.stem)
        return read_scan(scratch / recording.stem)

    with tempfile.TemporaryDirectory() as scratch:
        for recording in (CELLS, VOLUME, MESOSCOPE, DEMO):
            with scan_of(recording, Path(scratch)) as scan:
                save(scan.plot(), folder / f"{recording.stem}.png")
                if recording is MESOSCOPE:
                    save(scan.plot_layout(), folder / f"{recording.stem}_layout.png")
        paths = list(with_beads(BEADS).write(Path(scratch) / "beads"))
        with read_scan(paths).channels_as_planes(dz=BEAD_SPACING) as scan:
            save(scan.plot(), folder / "beads.png")
        with scan_of(STRIPS, Path(scratch)) as scan:
            save(draw_stitched(scan), folder / "stitched.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures")
