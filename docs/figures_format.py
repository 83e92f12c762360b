"""Draws the figures about ScanImage's files: ``python docs/figures_format.py``.

The figures show simulated recordings, read with scanreader or tifffile.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import tifffile
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from scanreader import read_scan
from scanreader.simulate import Recording, roi, scanfield

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scanreader import Scan

STYLE = {"svg.hashsalt": "scanreader", "font.family": "DejaVu Sans", "hatch.linewidth": 0.6}
INK, FAINT_INK, LINE, PAPER = "#24292f", "#636c76", "#b6bdc5", "#f6f8fa"
SLICES = ("#2f7fc1", "#d9860d", "#2a9d78")
TONE = {0: "white", 1: "white", 2: "white", -1: INK}
CODE = {"family": "DejaVu Sans Mono"}
LEFT = {"ha": "left"}


# ------------------------------------------------------------------------- drawing


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Begin a figure whose units are 1/72 inch, y down."""
    figure = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def box(axes: Axes, x: float, y: float, width: float, height: float, **style: Any) -> None:
    """Draw a rectangle."""
    style = {"facecolor": "white", "edgecolor": "white", "linewidth": 1.0} | style
    axes.add_patch(Rectangle((x, y), width, height, **style))


def say(axes: Axes, x: float, y: float, text: str, size: float = 10, **style: Any) -> None:
    """Write a text."""
    style = {"color": INK, "linespacing": 1.4, "ha": "center", "va": "center"} | style
    axes.text(x, y, text, fontsize=size, **style)


def line(axes: Axes, *points: tuple[float, float], **style: Any) -> None:
    """Draw a line through points."""
    axes.plot(*zip(*points, strict=True), **({"color": FAINT_INK, "linewidth": 0.9, "zorder": 0} | style))


def brace(axes: Axes, start: float, end: float, y: float, text: str, *, is_up: bool = False) -> None:
    """Draw a bracket with a label under (or over) a stretch."""
    tip = -4 if is_up else 4
    line(axes, (start, y), (start, y + tip), (end, y + tip), (end, y))
    say(axes, (start + end) / 2, y + 3 * tip, text, 9.5, color=FAINT_INK)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    """Draw an arrow."""
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "color": FAINT_INK, "linewidth": 1.0} | style
    axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **style))


def lighter_color(color: str, part: float) -> tuple[float, ...]:
    """Mix a colour with white."""
    return tuple(1 - (1 - value) * (1 - part) for value in to_rgb(color))


def draw_hatched(axes: Axes, x: float, y: float, width: float, height: float, color: str = LINE) -> None:
    """Draw a part of the file that is not in the data."""
    box(axes, x, y, width, height, facecolor="#eef0f2", edgecolor=color, hatch="/////", linewidth=0)
    box(axes, x, y, width, height, facecolor="none")


def page(axes: Axes, x: float, y: float, width: float, height: float, slice_id: int, channel: int = 0) -> None:
    """Draw a page in the colour of its slice, paler for the second channel; hatched if it is a flyback page."""
    if slice_id < 0:
        draw_hatched(axes, x, y, width, height)
    else:
        box(axes, x, y, width, height, facecolor=lighter_color(SLICES[slice_id], 0.5 * channel))


def opened(recording: Recording, folder: Path) -> Scan:
    """Write a recording to a folder of its own, and open it."""
    recording.write(folder / recording.stem)
    return read_scan(folder / recording.stem)


# ------------------------------------------------------------------------ pictures


def array(folder: Path) -> Figure:
    """From files of pages to fields of frames."""
    volumes = Recording(
        stem="array", mode="fast", zs=(0, 30, 60), flyback=1, volumes=3, channels=(1, 2), frames_per_file=4
    )
    scan = opened(volumes, folder)
    figure, axes = sheet(720, 236)
    say(axes, 14, 16, "files of pages", 12, weight="bold", **LEFT)
    for i in range(len(scan.filenames)):
        box(axes, 14, 34 + i * 66, 208, 58, facecolor=PAPER, edgecolor=LINE)
        say(axes, 22, 45 + i * 66, f"my_scan_00001_{i + 1:05}.tif", 9.2, color=FAINT_INK, **LEFT)
    for row in scan.frame_table:
        for channel in range(scan.num_channels):
            x = 22 + (row["page"] + channel) * 24
            page(axes, x, 56 + row["file"] * 66, 22, 26, row["slice"], channel)
    say(axes, 281, 108, "read_scan", 11, **CODE)
    arrow(axes, (238, 126), (326, 126), linewidth=2, mutation_scale=18)
    say(axes, 281, 140, "drops flyback,\nseparates slices\nand channels", 9.2, color=FAINT_INK, va="top")

    say(axes, 346, 16, "scan[field, y, x, channel, frame]", 12, weight="bold", **LEFT, **CODE)
    for i, field in enumerate(scan.fields):
        x = 346 + i * 128
        for channel in range(scan.num_channels):
            for frame in reversed(range(scan.num_frames)):
                page(axes, x + 22 + frame * 9, 62 + channel * 74 - frame * 7, 50, 50, i, channel)
            say(axes, x + 47, 87 + channel * 74, f"channel {channel}", 8.6, color="white" if channel == 0 else INK)
        say(axes, x + 56, 205, f"scan[{i}]", 10.5, **CODE)
        say(axes, x + 56, 221, f"field {i}, at {field.depth:g} µm", 9.5, color=FAINT_INK)
    say(axes, 376, 121, "x", color=FAINT_INK)
    say(axes, 359, 89, "y", color=FAINT_INK)
    arrow(axes, (422, 118), (444, 101))
    say(axes, 441, 116, "frame", 9.5, color=FAINT_INK, **LEFT)
    return figure


def modes(folder: Path) -> Figure:
    """Depth over time, in three modes: one depth, volumes, a slow stack."""
    kinds = (
        (Recording(stem="planar", frames_per_slice=12), "one depth"),
        (
            Recording(stem="fast volume", mode="fast", zs=(0, 30, 60), flyback=1, volumes=3),
            "every slice once, flyback,\nthen the next volume",
        ),
        (
            Recording(stem="slow stack", mode="slow", zs=(0, 30, 60), frames_per_slice=3),
            "several frames of a slice,\nthen the stage moves",
        ),
    )
    figure, axes = sheet(720, 212)
    for i, (recording, note) in enumerate(kinds):
        left, x, last = 36.0 + i * 236, 40.0 + i * 236, None
        say(axes, left - 6, 14, recording.stem, 12, weight="bold", **LEFT)
        say(axes, left - 6, 27, note, 9.5, color=FAINT_INK, va="top", **LEFT)
        arrow(axes, (left - 6, 66), (left - 6, 166))
        arrow(axes, (left - 6, 166), (left + 206, 166))
        say(axes, left + 206, 176, "time", 9.5, color=FAINT_INK, ha="right")
        for row in opened(recording, folder).frame_table:
            y = 82.0 + 32 * row["slice"]
            if recording.mode == "slow" and last and last[1] != y:
                x += 14
            if row["slice"] < 0:
                line(axes, last, (x + 14, 82), linestyle=(0, (2, 2)))
                last, x = None, x + 16
                continue
            if last:
                line(axes, last, (x, y), color=LINE)
            page(axes, x, y - 5, 14, 10, row["slice"])
            last, x = (x + 14, y), x + 16
    say(axes, 18, 116, "depth", 9.5, color=FAINT_INK, rotation=90)
    say(axes, 346, 66, "flyback", 9.2, color=FAINT_INK)
    for volume in range(3):
        brace(axes, 276 + volume * 64, 338 + volume * 64, 184, f"volume {volume}")
    return figure


def page_order(folder: Path) -> Figure:
    """The slice, channel and frame of each page, in three modes."""
    kinds = (
        ("planar, 2 channels", Recording(stem="planar2", frames_per_slice=8, channels=(1, 2))),
        (
            "fast volume, 2 channels, 3 slices, 1 flyback frame",
            Recording(stem="fast2", mode="fast", zs=(0, 30, 60), flyback=1, volumes=2, channels=(1, 2)),
        ),
        (
            "slow stack, 1 channel, 2 slices of 4 frames",
            Recording(stem="slow1", mode="slow", zs=(0, 30), frames_per_slice=4, volumes=2),
        ),
    )
    figure, axes = sheet(720, 290)
    for i, (title, recording) in enumerate(kinds):
        scan, top, left = opened(recording, folder), 30 + i * 96, 16
        counts = scan.layout.counts
        say(axes, left, top - 14, title, 11, weight="bold", **LEFT)
        for row in scan.frame_table:
            x, slice_id = left + row["page"] * 43, row["slice"]
            for channel in range(counts.channels):
                page(axes, x + channel * 43, top, 42, 32, slice_id, channel)
                if counts.channels > 1 and slice_id >= 0:
                    color = INK if channel else "white"
                    say(axes, x + channel * 43 + 21, top + 22, f"ch. {channel}", 9, color=color)
            frame = row["volume"] * counts.repeats + row["repeat"]
            kind = f"frame {frame}" if recording.mode == "planar" else f"slice {slice_id}"
            say(axes, x + 21, top + 10, kind if slice_id >= 0 else "flyback", 9, color=TONE[slice_id])
            if recording.mode == "slow":
                say(axes, x + 21, top + 22, f"frame {frame}", 9, color="white")
        pages = counts.frames_per_volume * counts.channels * 43
        for volume in range(recording.volumes if recording.mode != "planar" else 0):
            brace(axes, left + volume * pages + 1, left + (volume + 1) * pages - 2, top + 36, f"volume {volume}")
    for number in range(16):
        say(axes, 37 + number * 43, 71, str(number), 9, color=FAINT_INK)
    return figure


def anatomy(folder: Path) -> Figure:
    """The bytes of a file: ScanImage's block, and the evenly spaced pages."""
    (path,) = Recording(stem="anatomy", frames_per_slice=4, height=256, width=256).write(folder)
    with tifffile.TiffFile(path) as file:
        ifds = [tiff_page.offset for tiff_page in file.pages]
        pixels, size = file.pages[0].dataoffsets[0] - ifds[0], file.pages[0].databytecounts[0]
        slot = file.pages[0].tags["ImageDescription"].count
        entries = 8 + len(file.pages[0].tags) * 20 + 8
    (spacing,) = set(np.diff(ifds))
    figure, axes = sheet(720, 262)
    say(axes, 14, 14, "a file", 12, weight="bold", **LEFT)
    parts = [("TIFF\nheader", 46, PAPER), ("block\nheader", 46, PAPER), ("settings\n(text)", 92, "#fdf0d9")]
    parts += [("ROIs\n(JSON)", 60, "#fdf0d9"), *((f"page {i}", 108, lighter_color(SLICES[0], 0.75)) for i in range(4))]
    x = 14.0
    for name, width, color in parts:
        box(axes, x, 28, width, 40, facecolor=color, edgecolor=FAINT_INK)
        say(axes, x + width / 2, 48, name, 9.5)
        x += width
    for position, offset in ((14, "0"), (60, "16"), (106, "32")):
        say(axes, position, 76, offset, 9, color=FAINT_INK)
    for i in range(3):
        start = 258 + i * 108
        arrow(axes, (start + 10, 28), (start + 116, 27), connectionstyle="arc3,rad=-0.22")
    say(axes, 420, 8, "each IFD points to the next IFD", 9.2, color=FAINT_INK)
    brace(axes, 474, 582, 72, f"equal spacing: {spacing:,} bytes")

    left, width = 14.0, 692.0
    line(axes, (258, 69), (left, 140), color=LINE, linestyle=(0, (3, 3)))
    line(axes, (366, 69), (left + width, 140), color=LINE, linestyle=(0, (3, 3)))
    say(axes, 14, 128, "a page", 12, weight="bold", **LEFT)
    ifd = "width, height and type; where\nthe pixels and the next IFD are"
    text = "frameNumbers = 1\nframeTimestamps_sec = 0.000000000\nepoch = [2023  9 22 12 46  9.383]  …"
    image = "256 rows of 256 int16,\nuncompressed, in one piece"
    shares = (
        ("IFD", f"{entries} bytes", ifd, 176, PAPER),
        ("description", f"{slot:,} bytes, padded with spaces", text, 230, "#fdf0d9"),
        ("pixels", f"{size:,} bytes", image, 286, lighter_color(SLICES[0], 0.6)),
    )
    x = left
    for name, bytes_, content, share, color in shares:
        box(axes, x, 140, share, 72, facecolor=color, edgecolor=FAINT_INK)
        say(axes, x + 9, 153, name, 10.5, weight="bold", **LEFT)
        say(axes, x + 9, 184, content, 8.8, **LEFT, **(CODE if name == "description" else {}))
        say(axes, x, 221, "0" if x == left else f"{entries if x < 250 else pixels:,}", 9, color=FAINT_INK)
        say(axes, x + share / 2, 221, bytes_, 9.2, color=FAINT_INK)
        x += share
    summary = "Settings and ROIs are in the file once, for all pages. Each page has its own numbers and times."
    say(axes, 14, 248, summary, 9.5, color=FAINT_INK, **LEFT)
    return figure


ROIS = (
    roi(scanfield((-3.4, -0.6), (2.6, 4.4), (128, 220)), name="V1"),
    roi(scanfield((0.6, 1.5), (2.6, 2.6), (128, 130)), name="LM"),
    roi(scanfield((3.8, -1.0), (2.6, 1.8), (128, 90), rotation=25), name="RSC"),
)


def multi_roi(folder: Path) -> Figure:
    """Three regions in the sample, and their fields in the page."""
    scan = opened(Recording(stem="rois", rois=ROIS, frames_per_slice=2, scanner_frequency=12013.0), folder)
    with read_scan(scan.filenames, raw=True) as raw_scan:
        height = raw_scan.image_height
    figure, axes = sheet(720, 336)
    say(axes, 16, 16, "in the sample", 12, weight="bold", **LEFT)
    say(axes, 380, 16, "in the page", 12, weight="bold", **LEFT)
    scale, top, row = 29.0, 34.0, 280 / height
    box(axes, 16, 32, 322, 284, facecolor=PAPER, edgecolor=LINE)
    ends: list[tuple[float, float]] = []
    for i, field in enumerate(scan.fields):
        corners = field.corners * scale + (177, 174)
        axes.fill(*corners.T, color=SLICES[i])
        x, y = field.x * scale + 177, field.y * scale + 174
        say(axes, x, y, f"{field.name}\nfield {i}", 10.5, color="white", rotation=-field.rotation)
        rows = field.yslices[0]
        start_y, height_y = top + rows.start * row, (rows.stop - rows.start) * row
        box(axes, 380, start_y, 92, height_y, facecolor=SLICES[i])
        say(axes, 426, start_y + height_y / 2, f"field {i}", 10.5, color="white")
        say(axes, 482, start_y + height_y / 2, f"rows {rows.start} to {rows.stop - 1}", 10, **LEFT)
        ends += [(start_y, 0), (start_y + height_y, 0)]
    gap = scan.fields[1].yslices[0].start - scan.fields[0].yslices[0].stop
    for (start, _), (end, _) in zip(ends[1::2], ends[2::2], strict=False):
        draw_hatched(axes, 380, start, 92, end - start)
        say(axes, 482, (start + end) / 2, f"{gap} rows scanned while flying to the next", 9.5, color=FAINT_INK, **LEFT)
    box(axes, 380, top, 92, ends[-1][0] - top, facecolor="none", edgecolor=FAINT_INK)
    say(axes, 380, ends[-1][0] + 10, "a rotated field is stored without its rotation", 9.2, color=FAINT_INK, **LEFT)
    return figure


def many_files(folder: Path) -> Figure:
    """Volumes that begin in one file and end in the next, and the volumes that a missing file damages."""
    recording = Recording(stem="rolled", mode="fast", zs=(0, 30, 60), volumes=7, frames_per_file=7)
    scan = opened(recording, folder)
    rows = scan.frame_table
    Path(scan.filenames[1]).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning is about the missing file
        incomplete_scan = read_scan(folder / recording.stem)
    slice_of_frame = {int(row["frame_number"]): int(row["slice"]) for row in incomplete_scan.frame_table}
    figure, axes = sheet(720, 214)
    say(axes, 14, 14, "3 files of 7 frames: a file may end within a volume", 11, weight="bold", **LEFT)
    say(
        axes,
        14,
        118,
        "without the second file: only complete volumes are read, planes stay in place",
        11,
        weight="bold",
        **LEFT,
    )
    for row in rows[: 3 * recording.volumes]:
        k, number = int(row["frame_number"]) - 1, int(row["frame_number"])
        x = 22 + k * 32 + row["file"] * 4
        page(axes, x, 42, 31, 26, row["slice"])
        if number in slice_of_frame:
            page(axes, x, 146, 31, 26, slice_of_frame[number])
        for y in (55, 159)[: 1 + (number in slice_of_frame)]:
            is_white = y < 100 or slice_of_frame[number] >= 0
            say(axes, x + 15.5, y, str(number), 9.2, color="white" if is_white else FAINT_INK)
    for i in range(3):
        style = {"facecolor": "none", "edgecolor": LINE}
        box(axes, 18 + i * 228, 28, 231 - 4, 46, **style)
        say(axes, 22 + i * 228, 35, f"…_{i + 1:05}.tif", 9, color=FAINT_INK, **LEFT)
        dashes = {"linestyle": (0, (3, 3))} if i == 1 else {}
        box(axes, 18 + i * 228, 132, 231 - 4, 46, **style, **dashes)
        say(
            axes, 22 + i * 228, 139, f"…_{i + 1:05}.tif" + (" is missing" if i == 1 else ""), 9, color=FAINT_INK, **LEFT
        )
    starts = [22 + k * 32 + (k // 7) * 4 for k in range(0, 21, 3)]
    for volume, start in enumerate(starts):
        end = 22 + (3 * volume + 2) * 32 + ((3 * volume + 2) // 7) * 4 + 31
        brace(axes, start, end, 78, f"volume {volume}")
        if all(slice_of_frame.get(3 * volume + n, -1) >= 0 for n in (1, 2, 3)):
            brace(axes, start, end, 182, "read")
    return figure


def averaging(folder: Path) -> Figure:
    """Raw frames, the averaged frames that are saved, and their times."""
    recording = Recording(stem="averaged", frames_per_slice=12, averaging=4, height=512)
    scan = opened(recording, folder)
    figure, axes = sheet(720, 152)
    say(axes, 14, 58, "scanned", 11, weight="bold", **LEFT)
    say(axes, 14, 124, "saved", 11, weight="bold", **LEFT)
    say(axes, 14, 14, "frameTimestamps_sec: the time at which the last raw frame began", 9.5, color=FAINT_INK, **LEFT)
    for raw_frame in range(12):
        box(axes, 84 + raw_frame * 50, 44, 49, 28, facecolor=lighter_color(SLICES[0], 0.6))
        say(axes, 108 + raw_frame * 50, 58, str(raw_frame + 1), 10)
    for i, row in enumerate(scan.frame_table):
        left, number = 84 + i * 200, int(row["frame_number"])
        axes.fill([left, left + 199, left + 199, left], [74, 74, 108, 108], color=lighter_color(SLICES[0], 0.9))
        box(axes, left, 110, 199, 28, facecolor=SLICES[0])
        say(axes, left + 99, 124, f"frame {i}, frameNumbers = {number}", 10, color="white")
        say(axes, left + 99, 91, f"mean of {number - 3} to {number}", 9.5, color=FAINT_INK)
        stamp = 84 + (number - 1) * 50
        arrow(axes, (stamp, 22), (stamp, 43), color=INK)
        say(axes, stamp + 5, 30, f"{row['timestamp']:.4f} s", 9.5, **LEFT)
    return figure


def pulses(folder: Path) -> Figure:
    """A DAQ's frame clock, and the pulses of one slice."""
    scan = opened(Recording(stem="clock", mode="fast", zs=(0, 30, 60), flyback=1, volumes=5), folder)
    indices = scan.frame_indices(1).tolist()
    figure, axes = sheet(720, 148)
    say(axes, 14, 16, "the frame clock on the DAQ, one pulse for each frame", 11, weight="bold", **LEFT)
    for row, number in zip(scan.frame_table, range(20), strict=True):
        x, color = 18 + number * 34.5, SLICES[row["slice"]] if row["slice"] >= 0 else LINE
        line(axes, (x, 66), (x, 36), (x + 12, 36), (x + 12, 66), (x + 34.5, 66), color=color, linewidth=1.8)
        say(axes, x + 6, 76, str(number), 9.2, color=FAINT_INK)
        if number in indices:
            arrow(axes, (x + 6, 106), (x + 6, 84), color=SLICES[1])
            say(axes, x + 6, 113, f"frame {indices.index(number)}", 9.2, color=SLICES[1])
    say(axes, 14, 136, f"scan.frame_indices(1)  # {indices}", 10, **LEFT, **CODE)
    return figure


PICTURES = (array, modes, page_order, anatomy, multi_roi, many_files, averaging, pulses)


def main(folder: Path) -> None:
    """Draw the pictures, one file each."""
    folder.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE), tempfile.TemporaryDirectory() as scratch:
        for picture in PICTURES:
            figure = picture(Path(scratch))
            figure.savefig(folder / f"{picture.__name__}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures")
