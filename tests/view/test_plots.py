"""Figures of recordings: images and places agree with the recording, and texts are legible."""

from __future__ import annotations

import itertools
import math
import os
import re
import runpy
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pytest
from common import MESOSCOPE, STACK, VOLUME, read_warned, write_spoiled_recording
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.text import Text
from typer.testing import CliRunner

from scanreader import Scan, ScanIndexError, ScanReaderWarning, read_scan
from scanreader.cli.commands import app
from scanreader.simulate import Recording, roi, scanfield
from scanreader.tiff.pages import Pages
from scanreader.view.canvas import block_means
from scanreader.view.drawing import number_ranges, round_length
from scanreader.view.sheet import SHEET_WIDTH, Item, Sheet, arrange

ROOT = Path(__file__).resolve().parents[2]
PLANAR = Recording(frames_per_slice=9, height=20, width=30, channels=(1, 3))
TURNED_ROIS = Recording(
    frames_per_slice=3,
    rois=(
        roi(scanfield((1.0, 2.0), (4.0, 3.0), (32, 24), rotation=30), name="turned"),
        roi(scanfield((5.5, 2.0), (4.0, 3.0), (32, 24)), name="straight"),
    ),
)


def scan_of(recording: Recording, folder: Path, **options: Any) -> Scan:
    recording.write(folder)
    return read_warned(folder, **options)[0]


def panels(figure: Figure) -> dict[str, Axes]:
    return {str(axes.get_gid()): axes for axes in figure.axes}


def image(axes: Axes) -> npt.NDArray[Any]:
    (axes_image,) = axes.images
    array = axes_image.get_array()
    assert array is not None
    return np.ma.filled(np.ma.asarray(array, np.float32), np.nan)


def render(figure: Figure) -> None:
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()


def texts(figure: Figure) -> list[Text]:
    """All visible texts of a figure."""
    texts_drawn: list[Text] = []
    draw = Text.draw

    def record(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            texts_drawn.append(text)
        draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        render(figure)
    return texts_drawn


def text_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


def assert_legible(figure: Figure) -> None:
    """No text overlaps another or leaves the figure."""
    width, height = figure.get_size_inches() * figure.dpi
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
    for (first, a), (second, b) in itertools.combinations(boxes, 2):
        is_apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert is_apart, f"{first!r} is over {second!r}"


# ------------------------------------------------------------------------------ pixels


@pytest.mark.parametrize("recording", [PLANAR, VOLUME, STACK, MESOSCOPE, TURNED_ROIS])
def test_pictures_are_the_mean_of_the_frames(recording: Recording, tmp_path: Path) -> None:
    scan = scan_of(recording, tmp_path)
    figure = scan.plot()
    panels_of_figure, size = panels(figure), figure.get_size_inches()
    for i, field in enumerate(scan.fields):
        for channel in range(scan.num_channels):
            axes = panels_of_figure[f"field-{i}-channel-{channel}"]
            mean = scan[i, :, :, channel].mean(axis=-1)
            assert np.allclose(image(axes), mean)
            low, high = np.percentile(np.float32(mean), [1, 99.5])
            assert axes.images[0].get_clim() == pytest.approx((low, high), rel=1e-5)
            width, height = np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())
            assert (width, height) == pytest.approx((field.width_in_microns, field.height_in_microns))
            box = axes.get_position()
            assert box.width * size[0] / (box.height * size[1]) == pytest.approx(width / height)


def test_frames_are_evenly_spaced_and_stated(tmp_path: Path) -> None:
    scan = scan_of(replace(PLANAR, frames_per_slice=1000, channels=(1,)), tmp_path)
    figure = scan.plot(max_frames=4)
    (axes,) = panels(figure).values()
    assert np.allclose(image(axes), scan[0, :, :, 0, [125, 375, 625, 875]].mean(axis=-1))
    assert any("mean of 4 of 1,000 frames (125 to 875)" in text for text in text_of(figure))
    (axes,) = panels(scan.plot(frames=slice(100, 110))).values()
    assert np.allclose(image(axes), scan[0, :, :, 0, 100:110].mean(axis=-1))
    figure = scan.plot(frames=-1)
    assert np.array_equal(image(figure.axes[0]), scan[0, :, :, 0, -1])
    assert any("frame 999 of 1,000" in text for text in text_of(figure))


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the pages that are read from now on."""
    counts: list[int] = []
    read_pages = Pages.read

    def count_read(self: Pages, pages: npt.NDArray[np.int64], *rest: Any) -> None:
        counts.append(len(pages))
        read_pages(self, pages, *rest)

    monkeypatch.setattr(Pages, "read", count_read)
    return counts


def test_reads_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = scan_of(replace(MESOSCOPE, volumes=100, channels=(1, 2)), tmp_path)
    counts = count_reads(monkeypatch)
    scan.plot()
    assert sum(counts) == scan.num_fields * 2 * 60
    counts.clear()
    scan.plot(fields=[1, 3], channels=0, max_frames=7)
    assert sum(counts) == 2 * 7
    counts.clear()
    scan.plot_layout()
    assert counts == []


def test_many_pixels_are_few_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanreader.view.plots.MOST_PIXELS", 20 * 30 * 2 * 5)
    scan = scan_of(PLANAR, tmp_path)
    assert any("mean of 5 of 9 frames" in text for text in text_of(scan.plot()))
    assert any("mean of all 9 frames" in text for text in text_of(scan.plot(max_frames=9)))
    monkeypatch.setattr("scanreader.view.plots.MOST_PIXELS", 1)
    assert any("frame 4 of 9" in text for text in text_of(scan.plot()))


@pytest.mark.slow
def test_large_fields_take_little_memory(tmp_path: Path) -> None:
    Recording(height=2000, width=2000, frames_per_slice=60, holes=True).write(tmp_path)
    scan = read_scan(tmp_path)
    scan.plot(max_frames=1)
    tracemalloc.start()
    figure = scan.plot()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert scan.nbytes > 400e6
    assert peak < 300e6
    assert max(image(figure.axes[0]).shape) <= 1600


def test_shrinking_is_the_mean_of_blocks() -> None:
    image_given = np.arange(35.0).reshape(5, 7)
    assert np.allclose(block_means(image_given, 5, 7), image_given)
    assert np.allclose(block_means(image_given, 9, 9), image_given)
    means = block_means(image_given, 2, 3)
    assert means.shape == (2, 3)
    assert means[0, 0] == image_given[:2, :2].mean()
    assert means[1, 2] == image_given[2:, 4:].mean()
    image_given[:2, :2] = np.nan
    image_given[3, 6] = np.nan
    means = block_means(image_given, 2, 3)
    assert np.isnan(means[0, 0])
    assert means[1, 2] == pytest.approx(np.nanmean(image_given[2:, 4:]))


@pytest.mark.parametrize(
    ("pixels", "limits", "words"),
    [(0.0, (0, 0), "0 … 0"), (-3000.0, (-3000, -3000), "\N{MINUS SIGN}3000 … \N{MINUS SIGN}3000")],
)
def test_pictures_of_one_value(tmp_path: Path, pixels: float, limits: tuple[float, float], words: str) -> None:
    flat_recording = Recording(frames_per_slice=3, pixels=lambda *_: np.full((16, 16), pixels))
    figure = scan_of(flat_recording, tmp_path).plot()
    assert figure.axes[0].images[0].get_clim() == limits
    assert words in text_of(figure)


def test_pages_that_were_filled_do_not_count(tmp_path: Path) -> None:
    scan, _ = read_warned(write_spoiled_recording(tmp_path), on_damage="fill", dtype="float32")
    intact_frames = [3, 4, 6, 7]
    with pytest.warns(ScanReaderWarning, match="1 page cannot be read"):
        figure = scan.plot(frames=slice(3, 8))
    assert np.allclose(image(figure.axes[0]), scan[0, :, :, 0, intact_frames].mean(axis=-1))
    with pytest.warns(ScanReaderWarning, match="1 page cannot be read"):
        figure = scan.plot(frames=5)
    assert "no values" in text_of(figure)
    assert np.isnan(image(figure.axes[0])).all()
    with pytest.warns(ScanReaderWarning, match="1 page cannot be read"):
        largest_values = scan.canvas(frames=slice(3, 8), how="max").image
    assert np.allclose(largest_values, scan[0, :, :, 0, intact_frames].max(axis=-1))


def test_simulated_pages_show_the_pixels_that_they_are_given(tmp_path: Path) -> None:
    recording = replace(VOLUME, pixels=lambda frame, channel: np.full((16, 16), 10 * frame.slice + channel))
    scan = scan_of(recording, tmp_path)
    assert (scan[:] == (10 * np.arange(3)[:, None] + [1, 2])[:, None, None, :, None]).all()
    with pytest.raises(ValueError, match="shape"):
        replace(recording, pixels=lambda *_: np.zeros((3, 3))).write(tmp_path / "wrong")


@pytest.mark.parametrize(
    "bad_options",
    [
        {"fields": 5},
        {"fields": []},
        {"fields": "V1"},
        {"channels": 1},
        {"frames": slice(3, 3)},
        {"frames": 50},
        {"max_frames": 0},
        {"max_frames": 2.5},
        {"percentiles": (50, 50)},
        {"percentiles": (-1, 50)},
        {"percentiles": 3},
        {"fields": [0] * 2000},
    ],
)
def test_what_cannot_be_drawn(tmp_path: Path, bad_options: dict[str, Any]) -> None:
    with pytest.raises(ScanIndexError):
        scan_of(MESOSCOPE, tmp_path).plot(**bad_options)


# -------------------------------------------------------------------------- geometry


def bars(figure: Figure) -> dict[str, tuple[Line2D, str]]:
    """The scale bars of the axes that have one, and what is said of their lengths."""
    bars_by_panel = {}
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_gid() == "scale-bar"]
        words = [text.get_text() for text in axes.texts if text.get_gid() == "scale"]
        assert len(lines) == len(words) <= 1
        if lines:
            bars_by_panel[str(axes.get_gid())] = (lines[0], words[0])
    return bars_by_panel


@pytest.mark.parametrize("recording", [PLANAR, VOLUME, MESOSCOPE, TURNED_ROIS])
def test_scale_bars_are_as_long_as_they_say(recording: Recording, tmp_path: Path) -> None:
    scan = scan_of(recording, tmp_path)
    figure = scan.plot()
    render(figure)
    bars_shown = bars(figure)
    assert bars_shown
    for name, (line, words) in bars_shown.items():
        length = float(re.fullmatch(r"([\d.]+) µm", words)[1])  # type: ignore[index]
        left, right = np.asarray(line.get_xdata(), float)
        assert right - left == length
        axes = panels(figure)[name]
        kind, i = name.split("-")[:2]
        if kind == "field":
            pixels = line.get_window_extent().width / axes.get_window_extent().width * scan.fields[int(i)].width
            assert pixels * scan.fields[int(i)].pixel_width_in_microns == pytest.approx(length, rel=0.05)
        assert 0.1 < length / np.ptp(axes.get_xlim()) < 0.35
    panes = {name for name in panels(figure) if name.startswith("field")}
    sizes = {(field.height, field.width) for field in scan.fields}
    assert len(bars_shown.keys() & panes) == (len(panes) if len(sizes) > 1 else scan.num_channels)


@given(st.floats(1e-6, 1e9))
def test_lengths_are_round(most_length: float) -> None:
    length = round_length(most_length)
    assert most_length / 2.5 < length <= most_length * (1 + 1e-6)
    assert f"{length:e}"[0] in "125"


def test_fields_lie_as_on_the_canvas(tmp_path: Path) -> None:
    scan = scan_of(TURNED_ROIS, tmp_path)
    axes = panels(scan.plot())["slice-0-channel-0"]
    canvas = scan.canvas()
    rows, columns = canvas.image.shape
    assert np.array_equal(image(axes)[:rows, :columns], canvas.image, equal_nan=True)
    left, right, bottom, top = axes.images[0].get_extent()
    assert (left, top) == pytest.approx((canvas.left, canvas.top))
    assert (right - left) / image(axes).shape[1] == pytest.approx(canvas.pixel_size)
    assert (bottom - top) / image(axes).shape[0] == pytest.approx(canvas.pixel_size)
    edges = {patch.get_gid(): patch for patch in axes.patches if isinstance(patch, Polygon)}
    for i, field in enumerate(scan.fields):
        assert np.allclose(edges[f"edge-{i}"].get_xy()[:4], field.corners_in_microns)


def test_what_lies_alone_is_not_drawn_twice(tmp_path: Path) -> None:
    single_roi = replace(TURNED_ROIS, rois=(TURNED_ROIS.rois[1],))
    assert list(panels(scan_of(single_roi, tmp_path).plot())) == ["field-0-channel-0"]
    turned_roi = replace(TURNED_ROIS, rois=(TURNED_ROIS.rois[0],))
    assert set(panels(scan_of(turned_roi, tmp_path / "t").plot())) == {"field-0-channel-0", "slice-0-channel-0"}


@pytest.mark.parametrize("recording", [VOLUME, MESOSCOPE, TURNED_ROIS])
def test_the_layout_is_where_the_fields_are(recording: Recording, tmp_path: Path) -> None:
    scan = scan_of(recording, tmp_path)
    sample, *pages = scan.plot_layout().axes
    corners_drawn: dict[int, npt.NDArray[Any]] = {}
    for patch in sample.patches:
        if str(patch.get_gid()).startswith("fields") and isinstance(patch, Polygon):
            corners_drawn |= {int(i): patch.get_xy()[:4] for i in str(patch.get_gid()).split("-")[1:]}
    assert sorted(corners_drawn) == list(range(scan.num_fields))
    for i, field in enumerate(scan.fields):
        assert np.allclose(corners_drawn[i], field.corners_in_microns, atol=0.01)
    assert sample.get_ylim()[0] > sample.get_ylim()[1]
    stand = {p.get_gid(): p.get_xy() for page in pages for p in page.patches if isinstance(p, Polygon) and p.get_gid()}
    for gid, corners in stand.items():
        field = scan.fields[int(str(gid).split("-")[1])]
        assert [corners[0, 1], corners[2, 1]] == [field.yslices[0].start, field.yslices[0].stop]
        assert [corners[0, 0], corners[2, 0]] == [field.xslices[0].start, field.xslices[0].stop]
    assert len(stand) == (1 if recording is VOLUME else scan.num_fields)


def test_joined_fields_show_their_pieces(tmp_path: Path) -> None:
    strips = tuple(roi(scanfield((2.0 * i, 0.5), (2.0, 8.0), (12, 48)), name=f"strip {i}") for i in range(3))
    scan = scan_of(Recording(rois=strips, frames_per_slice=2), tmp_path, join_contiguous=True)
    sample, page = scan.plot_layout().axes
    assert len(sample.patches) == 1 + 3
    assert len([p for p in page.patches if p.get_gid() == "page-0"]) == 3
    assert_legible(scan.plot_layout())
    assert np.allclose(image(scan.plot().axes[0]), scan[0, :, :, 0].mean(axis=-1))


def test_without_an_objective_lengths_are_degrees_and_it_is_said(tmp_path: Path) -> None:
    scan = scan_of(replace(MESOSCOPE, settings={"objectiveResolution": None}), tmp_path)
    for figure in (scan.plot(), scan.plot_layout()):
        assert any("scale in degrees" in text for text in text_of(figure))
        assert_legible(figure)
    words = {word for _, word in bars(scan.plot()).values()}
    assert words
    assert all(word.endswith(" degrees") for word in words)


@pytest.mark.parametrize(
    "recording",
    [
        Recording(release="3.8", frames_per_slice=5, channels=(1, 2)),
        Recording(release="3.8", mode="slow", zs=(0.0, 2.0, 4.0)),
        Recording(release="5.0", frames_per_slice=5),
    ],
)
def test_older_releases_have_pixels(tmp_path: Path, recording: Recording) -> None:
    scan = scan_of(recording, tmp_path)
    for figure in (scan.plot(), scan.plot_layout()):
        assert any("scale in pixels" in text for text in text_of(figure))
        assert_legible(figure)
    assert all(word.endswith(" pixels") for _, word in bars(scan.plot()).values())


def test_raw_pages_and_foreign_files(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    raw_scan = read_scan(tmp_path, raw=True)
    assert np.allclose(image(raw_scan.plot().axes[0]), raw_scan[0, :, :, 0].mean(axis=-1))
    assert_legible(raw_scan.plot_layout())


# ------------------------------------------------------------------------------ legible


def grid(count: int, names: list[str], size: float, spacing: float) -> tuple[dict[str, Any], ...]:
    places = [((i % 5) * spacing, (i // 5) * spacing) for i in range(count)]
    return tuple(
        roi(scanfield(place, (size, size), (16, 16)), name=names[i % len(names)]) for i, place in enumerate(places)
    )


LONG_NAME = "a very long name of a $ROI_1^2$ that somebody typed and did not stop"
HARD_RECORDINGS = {
    "small": Recording(frames_per_slice=2, rois=grid(24, ["n", "name"], 0.3, 0.4)),
    "near and far": Recording(
        frames_per_slice=2,
        rois=(*grid(12, ["n"], 0.3, 0.4), roi(scanfield((20, 20), (0.3, 0.3), (16, 16)), name="far")),
    ),
    "long names": Recording(frames_per_slice=2, rois=grid(20, [LONG_NAME, "V1"], 3, 4)),
    "overlapping": Recording(frames_per_slice=2, rois=grid(9, ["V1"], 4, 0.5)),
    "extremes": Recording(
        frames_per_slice=2,
        resonant=False,
        rois=(
            roi(scanfield((0, 0), (20, 0.5), (128, 4)), name="line"),
            roi(scanfield((0, 9), (0.5, 16), (4, 128)), name="tall"),
            roi(scanfield((5, 9), (4, 4), (32, 32)), name="square"),
        ),
    ),
    "slices": Recording(
        mode="fast",
        zs=tuple(float(z) for z in range(0, 60, 10)),
        volumes=2,
        rois=tuple(
            roi(scanfield((6.0 * i, 0), (5, 3 + i), (20, 12 + 4 * i)), zs=(10.0 * i,), discrete=i > 1, name=f"R{i}")
            for i in range(6)
        ),
        channels=(1, 2),
    ),
    "sixty": Recording(mode="fast", zs=tuple(5.0 * i for i in range(60)), volumes=2, channels=(1, 2)),
    "one": Recording(
        frames_per_slice=2, stem="a name that is as long as the names of files sometimes are, and longer " * 2
    ),
    "wide": Recording(frames_per_slice=2, rois=(roi(scanfield((0, 0), (20, 0.2), (200, 2)), name="line"),)),
    "tall": Recording(frames_per_slice=2, rois=(roi(scanfield((0, 0), (0.2, 20), (2, 200)), name=LONG_NAME),)),
    "strips": Recording(
        frames_per_slice=2,
        rois=tuple(roi(scanfield((0.1 * i, 0), (0.1, 5 + i), (4, 40 + 2 * i)), name="n") for i in range(9)),
    ),
    "turned": TURNED_ROIS,
    "mesoscope": replace(MESOSCOPE, channels=(1, 2)),
}


SLOW_NAMES = {"sixty"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW_NAMES)) for name in HARD_RECORDINGS]
)
def test_nothing_is_written_over_anything_else(tmp_path: Path, name: str) -> None:
    scan = scan_of(HARD_RECORDINGS[name], tmp_path)
    assert_legible(scan.plot())
    assert_legible(scan.plot_layout())


@pytest.mark.slow
def test_many_slices_are_some_of_them(tmp_path: Path) -> None:
    scan = scan_of(Recording(mode="slow", zs=tuple(2.0 * i for i in range(250)), height=8, width=8), tmp_path)
    figure = scan.plot()
    assert len(figure.axes) == 100
    assert any("100 of 250 slices shown" in text for text in text_of(figure))
    assert list(panels(scan.plot(fields=[3, 249]))) == ["field-3-channel-0", "field-249-channel-0"]
    assert max(figure.get_size_inches()) < 25
    assert len(scan.plot_layout().axes) == 2


def test_fields_have_their_names_and_depths(tmp_path: Path) -> None:
    scan = scan_of(MESOSCOPE, tmp_path)
    words = text_of(scan.plot())
    for i, field in enumerate(scan.fields):
        assert f"{i} · {field.name} · z {field.depth:g} µm" in words
    assert "scan_00001.tif" in words
    caption = " · ".join(words)
    for part in (
        "ScanImage 2023.1",
        "Channel 1",
        "mean of all 5 frames",
        f"{scan.fps:.4g} frames/s",
        "percentiles 1 to 99.5",
    ):
        assert part in caption
    assert "rotated 30°" in " ".join(text_of(scan_of(TURNED_ROIS, tmp_path / "turned").plot()))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 2)), min_size=1, max_size=40),
    st.integers(1, 4),
    st.integers(0, 4),
    st.floats(0.05, 1),
)
def test_sheets_hold_everything_once(
    shapes: list[tuple[float, float]], sections: int, overviews: int, part_filled: float
) -> None:
    items = [Item(1.0, ratio, label) for ratio, label in shapes]
    sheet = arrange(items, [Item(2, 3)] * overviews, sections, headings=sections > 1, filled=part_filled)
    assert len(sheet.items.places) == len(items)
    assert len(sheet.overviews.places) == overviews
    boxes = [
        (left + p.left, top + p.top, left + p.left + p.room, top + p.top + p.height)
        for left, top in sheet.corners
        for p in (*sheet.overviews.places, *sheet.items.places)
    ]
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert max(box[2] for box in boxes) <= sheet.width + 1e-9
    assert sheet.width <= SHEET_WIDTH + 1e-6
    for item, place in zip(items, sheet.items.places, strict=True):
        assert place.width / place.height == pytest.approx(item.width / item.height)
    order = [(round(p.top, 6), p.left) for p in sheet.items.places]
    assert order == sorted(order)


def test_three_slices_of_two_channels_are_two_rows() -> None:
    sheet: Sheet = arrange([Item(1, 1)] * 3, [], 2, headings=True)
    assert {place.top for place in sheet.items.places} == {sheet.items.places[0].top}
    assert sheet.corners[0][1] < sheet.corners[1][1]
    assert arrange([Item(1, 1)], [], 2, headings=False).corners[1][1] == 0


def test_numbers_that_follow_each_other_are_ranges() -> None:
    assert number_ranges([0, 1, 2, 3, 5, 8, 9]) == "0 to 3, 5, 8, 9"
    assert number_ranges([4]) == "4"


# ----------------------------------------------------------------------- where it is shown


def test_a_figure_is_shown_in_notebooks_and_touches_no_pyplot(tmp_path: Path) -> None:
    (path,) = PLANAR.write(tmp_path)
    code = (
        "import sys\nfrom scanreader import read_scan\nassert 'matplotlib' not in sys.modules\n"
        "scan = read_scan(sys.argv[1])\n"
        "for figure in (scan.plot(), scan.plot_layout()):\n    assert figure._repr_png_()[:4] == b'\\x89PNG'\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], check=True, env=environment)


def test_a_users_own_style_does_not_move_anything(tmp_path: Path) -> None:
    scan = scan_of(MESOSCOPE, tmp_path)
    plain_figure = scan.plot()
    values: dict[Any, Any] = {
        "figure.constrained_layout.use": True,
        "axes.grid": True,
        "image.origin": "lower",
        "figure.facecolor": "k",
    }
    with mpl.rc_context(values | {"image.cmap": "jet", "text.color": "white", "figure.dpi": 40, "savefig.dpi": 150}):
        styled_figure = scan.plot()
        assert_legible(styled_figure)
        assert_legible(scan.plot_layout())
    assert styled_figure._repr_png_() == plain_figure._repr_png_()  # type: ignore[attr-defined]


def test_a_missing_matplotlib_is_one_sentence(tmp_path: Path) -> None:
    (path,) = PLANAR.write(tmp_path)
    for call in ("read_scan(sys.argv[1]).plot()", "read_scan(sys.argv[1]).plot_layout()"):
        code = (
            "import sys; sys.modules['matplotlib'] = None\n"
            "from scanreader import read_scan, MissingExtraError\n"
            f"try: {call}\nexcept MissingExtraError as error: print(error)"
        )
        result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert result.stdout == "this needs matplotlib: pip install 'scanreader[plot]'\n"
    code = "import sys; sys.modules['matplotlib'] = None\nfrom scanreader.cli import main\nmain()"
    result = subprocess.run(
        [sys.executable, "-c", code, "preview", str(path), "-o", str(tmp_path / "a.png")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (1, "error: this needs matplotlib: pip install 'scanreader[plot]'\n")
    assert not (tmp_path / "a.png").exists()


def test_real_recordings_are_drawn(recordings: Path) -> None:
    for name in (
        "two_channels_5_7.tif",
        "volume_two_channels",
        "slow_stack_20220923_noroi.tif",
        "legacy_3_8_resaved.tiff",
    ):
        scan, _ = read_warned(recordings / name)
        figure = scan.plot()
        assert_legible(figure)
        assert_legible(scan.plot_layout())
        frames = np.arange(scan.num_frames) if scan.num_frames <= 60 else None
        for i, channel in itertools.product(range(scan.num_fields), range(scan.num_channels)):
            picture = image(panels(figure)[f"field-{i}-channel-{channel}"])
            if frames is not None:
                assert np.allclose(picture, scan[i, :, :, channel].mean(axis=-1), rtol=1e-5)


# ------------------------------------------------------------------------------ the command


def preview(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["preview", *map(str, words)])
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, re.sub(r"\s+", " ", result.stderr)


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("deep/er/a.svg", b"<?xml")])
def test_the_command_writes_by_the_name(tmp_path: Path, name: str, start: bytes) -> None:
    MESOSCOPE.write(tmp_path / "rec")
    for option in ((), ("--layout",)):
        code, out, err = preview(tmp_path / "rec", "-o", tmp_path / name, "--overwrite", *option)
        assert (code, err) == (0, "")
        assert out == f"wrote {tmp_path / name}\n"
        assert (tmp_path / name).read_bytes().startswith(start)


def test_globs_that_the_shell_did_or_did_not_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = replace(VOLUME, volumes=30, frames_per_file=33).write(tmp_path)
    scans: list[Scan] = []
    plot = Scan.plot

    def record(scan: Scan, **options: Any) -> Figure:
        scans.append(scan)
        return plot(scan, **options)

    monkeypatch.setattr(Scan, "plot", record)
    for source in ([tmp_path / "scan_*.tif"], files[::-1], [*files[:1], "--siblings"]):
        code, _, err = preview(*source, "-o", tmp_path / "a.png", "--overwrite")
        assert (code, err) == (0, "")
    assert len({scan.num_frames for scan in scans}) == 1
    assert len(scans) == 3


def test_several_recordings_are_not_one_picture(tmp_path: Path) -> None:
    first = PLANAR.write(tmp_path)
    second = replace(PLANAR, stem="other").write(tmp_path)
    for source in ([*first, *second], [tmp_path / "*.tif"]):
        code, _, _ = preview(*source, "-o", tmp_path / "a.png", "--overwrite")
        assert code == 0
        assert sorted(path.name for path in tmp_path.glob("*.png")) == ["a-other_00001.png", "a-scan_00001.png"]


def test_the_command_replaces_only_what_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = PLANAR.write(tmp_path)
    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    counts = count_reads(monkeypatch)
    code, _, err = preview(path, "-o", target)
    assert code == 1
    assert "--overwrite" in err
    assert target.read_bytes() == b"mine"
    assert counts == []


def test_the_command_draws_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MESOSCOPE.write(tmp_path)
    replace(MESOSCOPE, stem="two", channels=(1, 3), volumes=30).write(tmp_path / "two")
    calls: list[dict[str, Any]] = []
    plot = Scan.plot

    def record(scan: Scan, **options: Any) -> Figure:
        calls.append(options)
        return plot(scan, **options)

    monkeypatch.setattr(Scan, "plot", record)
    words = ("--channel", "3", "--channel", "Channel 1", "--frames", "4", "--field", "2", "--join")
    code, _, err = preview(tmp_path / "two", "-o", tmp_path / "a.png", *words)
    assert (code, err) == (0, "")
    assert calls == [{"fields": [2], "channels": [1, 0], "max_frames": 4}]
    code, _, err = preview(tmp_path / "two", "-o", tmp_path / "b.png", "--channel", "2")
    assert code == 1
    assert "no channel '2': the recording has 1 (Channel 1), 3 (Channel 3)" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nope.tif",), "no file or folder"),
        (("{here}", "-o", "a.xyz"), "a.xyz' is unknown; the known endings are .png"),
        (("{here}", "--field", "9"), "field 9 is out of bounds"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    PLANAR.write(tmp_path / "rec")
    monkeypatch.chdir(tmp_path)
    code, out, err = preview(*(word.format(here=tmp_path / "rec") for word in words))
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert sentence in err
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


def test_the_command_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Scan, **options: Any) -> Figure:
        raise KeyboardInterrupt

    PLANAR.write(tmp_path / "rec")
    monkeypatch.setattr(Scan, "plot", stop)
    code, out, err = preview(tmp_path / "rec", "-o", tmp_path / "a.png")
    assert (code, out, err) == (130, "", "interrupted: the command did not finish ")
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


def test_the_command_shows_what_is_damaged_and_says_so(tmp_path: Path) -> None:
    code, out, err = preview(write_spoiled_recording(tmp_path), "-o", tmp_path / "a.png")
    assert code == 0
    assert out
    assert err.startswith("warning: ")
    assert "1 page cannot be read" in err


# ------------------------------------------------------------------------------- the docs


def test_pictures_of_the_docs_are_small() -> None:
    pages = " ".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    names_shown = set(re.findall(r"\(figures/([a-z_]+\.png)\)", pages))
    paths_drawn = list((ROOT / "docs" / "figures").glob("*.png"))
    assert {path.name for path in paths_drawn} <= names_shown  # that each shown is there, test_documents.py looks at
    assert all(path.stat().st_size < 150_000 for path in paths_drawn)


@pytest.mark.slow
def test_pictures_of_the_docs_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    for script in ("figures.py", "figures_beside.py"):
        monkeypatch.setattr(sys, "argv", [script, str(tmp_path / "drawn")])
        runpy.run_path(str(ROOT / "docs" / script), run_name="__main__")
    names = sorted(path.name for path in (ROOT / "docs" / "figures").glob("*.png"))
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == names


def test_infinite_and_missing_facts_are_left_out(tmp_path: Path) -> None:
    assert math.isnan(read_scan(PLANAR.write(tmp_path), raw=True).fps)
    assert not any("frames/s" in text for text in text_of(read_scan(tmp_path, raw=True).plot()))
