"""Layers for napari: their pixels, places and laziness; the plug-in; and what a viewer shows of them."""

from __future__ import annotations

import copy
import importlib.metadata
import itertools
import math
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME, expected

from scanreader import PathnameError, Scan, ScanReaderWarning, read_scan
from scanreader.bridges import napari as bridge
from scanreader.bridges.napari import to_napari_layers
from scanreader.plugins import napari as plugin
from scanreader.plugins.napari import get_reader
from scanreader.simulate import DEMO, Recording, roi, scanfield
from scanreader.tiff.pages import Pages

PLANAR = Recording(frames_per_slice=7, channels=(1, 2), frames_per_file=3)
# Unequal sizes, and two that were drawn aslant, as galvos scan them.
SLANTED_ROIS = Recording(
    resonant=False,
    frames_per_slice=5,
    rois=(
        roi(scanfield((-3, 1), (2, 4), (20, 40), rotation=30), name="A"),
        roi(scanfield((1, 1), (4, 3), (40, 24), rotation=-60), name="B"),
        roi(scanfield((5, -1), (2, 4), (20, 40)), name="C"),
    ),
)
napari_s_own = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "napari.yaml"))


def world(options: dict[str, Any], *place: float) -> npt.NDArray[np.float64]:
    """Where a pixel lies along y and x, by what napari is told: scaled, turned, moved."""
    angle = math.radians(options["rotate"])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(turn @ (np.array(options["scale"][-2:]) * place) + options["translate"][-2:])


# ------------------------------------------------------------------------- pixels


def assert_layers(scan: Scan, fields: list[npt.NDArray[Any]]) -> None:
    """Every field and channel is in one layer, at its place along z, as the dumb reader has it."""
    displayed_images = set()
    for data, options, kind in scan.to_napari_layers():
        assert kind == "image"
        channel, fields_of_layer = options["metadata"]["channel"], options["metadata"]["fields"]
        right = np.stack([fields[i][:, :, channel].transpose(2, 0, 1) for i in fields_of_layer], axis=1)
        right = right if data.ndim == 4 else right[:, 0]
        assert (data.shape, data.ndim, data.size, data.dtype) == (right.shape, right.ndim, right.size, right.dtype)
        np.testing.assert_array_equal(np.asarray(data), right)
        for key in (np.s_[2], np.s_[-1:, ..., 1:3], np.s_[1:2, 0:1], np.s_[..., 3], np.s_[0, 0, ::3]):
            np.testing.assert_array_equal(data[key], right[key])
        assert len(options["units"]) == len(options["axis_labels"]) == len(options["scale"]) == data.ndim
        for z, i in enumerate(fields_of_layer):
            if data.ndim == 4 and options["units"][1] == "um":
                assert options["translate"][1] + z * options["scale"][1] == pytest.approx(scan.fields[i].depth)
        displayed_images |= {(i, channel) for i in fields_of_layer}
    assert displayed_images == {(i, c) for i in range(scan.num_fields) for c in range(scan.num_channels)}


@pytest.mark.parametrize(
    "recording",
    [PLANAR, VOLUME, STACK, MESOSCOPE, SLANTED_ROIS, DEMO, replace(VOLUME, zs=(60.0, 0.0, 30.0), volumes=3)],
    ids=["planar", "volume", "stack", "mesoscope", "aslant", "demo", "disordered"],
)
def test_layers_are_the_recording(recording: Recording, tmp_path: Path) -> None:
    paths = recording.write(tmp_path)
    with read_scan(tmp_path) as scan:
        assert_layers(scan, expected(recording, paths))


def test_layers_of_real_recordings(recordings: Path) -> None:
    for name in ("two_channels_5_7.tif", "volume_two_channels", "slow_stack_20220923_noroi.tif"):
        with read_scan(recordings / name) as scan:
            for data, options, _ in scan.to_napari_layers():
                fields, channel = options["metadata"]["fields"], options["metadata"]["channel"]
                pixels = np.asarray(data).reshape(data.shape[0], -1, *data.shape[-2:])
                for z, i in enumerate(fields):
                    np.testing.assert_array_equal(pixels[:, z], scan[i, :, :, channel].transpose(2, 0, 1))
            assert len(scan.to_napari_layers()) == 2


def test_fields_of_a_roi_are_one_layer_of_four_axes(tmp_path: Path) -> None:
    MESOSCOPE.write(tmp_path)
    with read_scan(tmp_path) as scan:
        (v1, on_v1, _), (_, on_lm, _), (rsc, on_rsc, _) = scan.to_napari_layers()
        assert [layer_options["name"] for layer_options in (on_v1, on_lm, on_rsc)] == [
            "V1, Channel 1",
            "LM, Channel 1",
            "RSC, Channel 1",
        ]
        assert (v1.shape, rsc.shape) == ((5, 2, 40, 24), (5, 1, 24, 24))
        assert on_v1["axis_labels"] == ("t", "z", "y", "x")
        assert on_v1["units"] == ("s", "um", "um", "um")
        assert on_v1["scale"] == pytest.approx((1 / scan.fps, 60, 1.5, 1.5))
        assert (on_v1["translate"][1], on_rsc["translate"][1]) == (0, 60)


def test_planar_recordings_have_no_z(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    with read_scan(tmp_path) as scan:
        (data, options, _), (_, second, _) = scan.to_napari_layers()
    assert data.shape == (7, 16, 16)
    assert (options["name"], second["name"]) == ("scan_00001_00001, Channel 1", "scan_00001_00001, Channel 2")
    assert (options["colormap"], second["colormap"], options["blending"]) == ("green", "magenta", "additive")
    assert options["units"] == ("s", "um", "um")


@pytest.mark.parametrize(
    "recording", [SLANTED_ROIS, MESOSCOPE, DEMO, PLANAR], ids=["aslant", "mesoscope", "demo", "planar"]
)
def test_pixels_lie_where_the_field_says(recording: Recording, tmp_path: Path) -> None:
    recording.write(tmp_path)
    with read_scan(tmp_path) as scan:
        for _, options, _ in scan.to_napari_layers():
            for i in options["metadata"]["fields"]:
                field = scan.fields[i]
                for row, column in ((0, 0), (3, 7), (field.height - 1, 0)):
                    x, y, _ = field.affine @ [column, row, 1]
                    assert world(options, row, column) == pytest.approx([y, x])
                centre = world(options, (field.height - 1) / 2, (field.width - 1) / 2)
                assert centre == pytest.approx([field.y_in_microns, field.x_in_microns])


def test_where_microns_are_not_known_places_are_in_degrees_or_pixels(tmp_path: Path, recordings: Path) -> None:
    replace(SLANTED_ROIS, settings={"objectiveResolution": None}).write(tmp_path)
    with read_scan(tmp_path) as scan:
        for _, options, _ in scan.to_napari_layers():
            (field,) = (scan.fields[i] for i in options["metadata"]["fields"])
            assert options["units"] == ("s", "degree", "degree")
            centre = world(options, (field.height - 1) / 2, (field.width - 1) / 2)
            assert centre == pytest.approx([field.y, field.x])
    with read_scan(recordings / "legacy_3_8_resaved.tiff") as scan, warnings.catch_warnings():
        ((_, options, _),) = scan.to_napari_layers()
        assert options["units"] == ("s", "pixel", "pixel")
        assert (options["scale"][1:], options["translate"], options["rotate"]) == ((1, 1), (0, 0, 0), 0)


def test_raw_pages_have_no_seconds(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    with read_scan(path, raw=True) as scan:
        ((data, options, _),) = scan.to_napari_layers()
        assert data.shape == (5, 16, 16)
        assert (options["units"], options["scale"]) == (("pixel",) * 3, (1, 1, 1))


def test_uneven_depths_are_counted(tmp_path: Path) -> None:
    replace(VOLUME, zs=(0.0, 10.0, 50.0), channels=(1,)).write(tmp_path)
    with read_scan(tmp_path) as scan:
        ((data, options, _),) = scan.to_napari_layers()
    assert data.shape == (4, 3, 16, 16)
    assert (options["units"][1], options["scale"][1], options["translate"][1]) == ("pixel", 1, 0)
    assert options["metadata"]["depths"] == [0, 10, 50]


def test_unknown_depths_come_after_those_that_are_known(tmp_path: Path) -> None:
    Recording(channels=(1, 2, 3, 4), frames_per_slice=2).write(tmp_path)
    planes = read_scan(tmp_path).channels_as_planes(depths=[30, math.nan, 0, 10])
    ((movie, options, _),) = planes.to_napari_layers()
    assert options["metadata"]["fields"] == [2, 3, 0, 1]
    np.testing.assert_array_equal(movie[1, 0], planes[2, ..., 0, 1])


def test_a_roi_that_changes_with_depth_has_a_layer_for_each_of_its_shapes(tmp_path: Path) -> None:
    moving_roi = roi(
        scanfield((-3, 0), (2, 2), (16, 16)), scanfield((-3, 2), (2, 2), (16, 16)), zs=(0, 60), name="moving"
    )
    split = roi(*[scanfield((3, 0), (2, 2), (16, 16))] * 3, zs=(0, 30, 90), discrete=True, name="split")
    recording = replace(VOLUME, zs=(0.0, 30.0, 60.0, 90.0), rois=(moving_roi, split), channels=(1,))
    paths = recording.write(tmp_path)
    with read_scan(tmp_path) as scan:
        names = [options["name"] for _, options, _ in scan.to_napari_layers()]
        assert_layers(scan, expected(recording, paths))
    assert names == [
        *("moving at 0 µm, Channel 1", "split at 0 µm, Channel 1", "split at 90 µm, Channel 1"),
        *("moving at 30 µm, Channel 1", "moving at 60 µm, Channel 1"),
    ]


def test_arrays_are_copied_and_pickled_as_their_scan_is(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    with read_scan(tmp_path) as scan:
        data, _, _ = scan.to_napari_layers()[0]
        for data_copy in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
            np.testing.assert_array_equal(np.asarray(data_copy), np.asarray(data))
        assert np.asarray(data, np.float32).dtype == np.float32
        with pytest.raises(ValueError, match="copy=False is not possible"):
            data.__array__(copy=False)
        scan_copy = pickle.loads(pickle.dumps(scan))
        assert [len(options["metadata"]["fields"]) for _, options, _ in scan_copy.to_napari_layers()] == [3, 3]


# ----------------------------------------------------------------------- laziness


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each read of pages."""
    sizes: list[int] = []
    original = Pages.read

    def record(self: Pages, pages: Any, ys: Any, xs: Any, out: Any, *rest: Any) -> None:
        sizes.append(out.nbytes)
        original(self, pages, ys, xs, out, *rest)

    monkeypatch.setattr(Pages, "read", record)
    return sizes


def test_a_frame_is_read_when_it_is_shown(tmp_path: Path, reads: list[int]) -> None:
    recording = Recording(height=256, width=256, mode="fast", zs=(0.0, 30.0), volumes=500, channels=(1, 2), holes=True)
    recording.write(tmp_path)
    with read_scan(tmp_path) as scan:
        page = 256 * 256 * 2
        (data, _, _), _ = scan.to_napari_layers()
        assert reads == [page] * 2 * bridge.CONTRAST_FRAMES  # for the contrast of two channels
        reads.clear()
        data[250:251, 1:2, :, :]
        assert reads == [page]
        reads.clear()
        data[250, :, :, :]
        assert reads == [page] * 2


def damage(path: Path, number: int) -> None:
    """Overwrite the IFD of a page."""
    with tifffile.TiffFile(path) as file:
        offset = file.pages[number].offset
    with path.open("r+b") as pages:
        pages.seek(offset)
        pages.write(b"\xff" * 100)


def test_contrast_is_that_of_all_fields_of_a_channel(tmp_path: Path) -> None:
    DEMO.write(tmp_path)
    with read_scan(tmp_path) as scan:
        layers = scan.to_napari_layers()
        limits = {options["metadata"]["channel"]: options["contrast_limits"] for _, options, _ in layers}
        for _, options, _ in layers:
            assert options["contrast_limits"] == limits[options["metadata"]["channel"]]
        pixels = np.concatenate([scan[i, :, :, 0].ravel() for i in range(scan.num_fields)])
        black, white = limits[0]
        assert pixels.min() <= black < np.median(pixels) < white <= pixels.max()


def test_contrast_of_damaged_and_of_dark_recordings(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=50, height=64, width=64).write(tmp_path)
    damage(path, 14)
    with read_scan(path) as scan:
        ((_, options, _),) = scan.to_napari_layers()
        right = np.percentile(scan[0, :, :, 0, [0, 7, 21, 28, 35, 42, 49]], (1, 99.8))
        assert options["contrast_limits"] == pytest.approx(right)

    class DarkRecording(Recording):
        def image(self, *_: Any) -> npt.NDArray[Any]:
            return np.zeros(self.page_shape, np.int16)

    (dark_path,) = DarkRecording(frames_per_slice=3).write(tmp_path / "dark")
    with read_scan(dark_path) as scan:
        assert scan.to_napari_layers()[0][1]["contrast_limits"] == (0, 1)


# ------------------------------------------------------------------------ plug-in


def test_what_scanimage_did_not_write_is_left_to_others(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
    (tmp_path / "text.tif").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    for name in ("plain.tif", "text.tif", "empty", "absent.tif", ""):
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader("https://example.org/scan.tif") is None
    assert get_reader([str(tmp_path / "plain.tif")] * 2) is None


def test_a_file_of_a_set_a_list_and_a_folder_are_one_recording(tmp_path: Path) -> None:
    paths = [str(path) for path in PLANAR.write(tmp_path)]
    with read_scan(tmp_path) as scan:
        pixels = scan[0, :, :, 1].transpose(2, 0, 1)
    for path in (paths[1], paths, paths[::-1], str(tmp_path)):
        read_layers = get_reader(path)
        assert read_layers is not None
        first, (data, _, _) = read_layers(path)
        np.testing.assert_array_equal(np.asarray(data), pixels)
        del first


def test_refusals_are_those_of_read_scan(tmp_path: Path) -> None:
    (a,) = Recording(stem="a").write(tmp_path)
    Recording(stem="b", zs=(5.0,)).write(tmp_path)
    read_layers = get_reader(str(tmp_path))
    assert read_layers is not None
    with pytest.raises(PathnameError, match="2 recordings were named"):
        read_layers(str(tmp_path))
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
    mixed_paths = [str(a), str(tmp_path / "plain.tif")]
    assert get_reader(mixed_paths) is read_layers
    with pytest.raises(PathnameError, match="plain.tif"):
        read_layers(mixed_paths)


def test_damaged_pages_are_shown_as_zero(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=50, height=64, width=64).write(tmp_path)
    damage(path, 13)
    read_layers = get_reader(str(path))
    assert read_layers is not None
    ((data, _, _),) = read_layers(str(path))
    with pytest.warns(ScanReaderWarning, match="filled"):
        assert not data[13:14].any()
    assert data[14].any()


def test_sample() -> None:
    layers = plugin.sample()
    assert [options["name"] for _, options, _ in layers][::3] == ["V1, Channel 1", "V1, Channel 2"]
    data, options, _ = layers[0]
    assert data.shape == (25, 3, 200, 120)
    black, white = options["contrast_limits"]
    assert -100 <= black < white < 800
    assert not np.array_equal(data[0], data[20])


def test_manifest_is_found_by_its_entry_point() -> None:
    (entry,) = (
        e for e in importlib.metadata.entry_points(group="napari.manifest") if e.value.startswith("scanreader:")
    )
    assert (Path(plugin.__file__).parents[1] / entry.value.partition(":")[2]).is_file()


class TestNpe2:
    pytestmark = napari_s_own

    def test_validates_the_manifest(self) -> None:
        pytest.importorskip("npe2")
        result = subprocess.run(
            [sys.executable, "-m", "npe2", "validate", "--imports", "scanreader"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        assert "valid" in result.stdout

    def test_finds_the_reader(self, tmp_path: Path) -> None:
        npe2 = pytest.importorskip("npe2")
        manager = npe2.PluginManager()
        manager.discover()
        for name in ("a.tif", "a.TIFF", "a.b_00001.tif"):
            assert "scanreader" in {reader.plugin_name for reader in manager.iter_compatible_readers(name)}
        assert "scanreader" in {reader.plugin_name for reader in manager.iter_compatible_readers([str(tmp_path)])}
        assert not {reader.plugin_name for reader in manager.iter_compatible_readers("a.czi")} & {"scanreader"}
        ((_, samples),) = (pair for pair in manager.iter_sample_data() if pair[0] == "scanreader")
        assert [sample.key for sample in samples] == ["demo"]

    def test_reads(self, tmp_path: Path) -> None:
        npe2 = pytest.importorskip("npe2")
        npe2.PluginManager.instance().discover()
        paths = [str(path) for path in PLANAR.write(tmp_path)]
        for names, stack in ((paths[:1], False), (paths, True), ([str(tmp_path)], False)):
            layers = npe2.read(names, stack=stack, plugin_name="scanreader")
            assert [data.shape for data, _, _ in layers] == [(7, 16, 16)] * 2
        tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
        with pytest.raises(ValueError, match="refused"):
            npe2.read([str(tmp_path / "plain.tif")], stack=False, plugin_name="scanreader")


class TestModel:
    """What a viewer asks of its layers, without a window."""

    pytestmark = napari_s_own

    @pytest.mark.parametrize(
        "recording", [PLANAR, VOLUME, SLANTED_ROIS, DEMO], ids=["planar", "volume", "aslant", "demo"]
    )
    def test_shows_each_frame_and_reads_no_other(self, recording: Recording, tmp_path: Path, reads: list[int]) -> None:
        components = pytest.importorskip("napari.components")
        recording.write(tmp_path)
        with read_scan(tmp_path) as scan:
            viewer = components.ViewerModel()
            for data, options, _ in to_napari_layers(scan):
                viewer.add_image(data, **options)
            frames = np.random.default_rng(0).integers(0, scan.num_frames, 5)
            slices = sorted({field.depth for field in scan.fields})
            for frame in (0, scan.num_frames - 1, *frames.tolist()):
                for z in range(len(slices)):
                    reads.clear()
                    viewer.dims.current_step = (frame, *((z,) if len(slices) > 1 else ()), 0, 0)
                    fields = [i for i, field in enumerate(scan.fields) if field.depth == slices[z]]
                    num_pixels = sum(scan.fields[i].height * scan.fields[i].width for i in fields)
                    assert sum(reads) <= num_pixels * scan.num_channels * scan.dtype.itemsize
                    for layer in viewer.layers:
                        (shown_field,) = {*layer.metadata["fields"]} & {*fields} or {None}
                        if shown_field is not None:
                            right = scan[shown_field, :, :, layer.metadata["channel"], frame]
                            np.testing.assert_array_equal(layer._slice.image.raw, right)
                        else:
                            assert layer._slice.empty

    def test_places_pixels_as_the_field_does(self, tmp_path: Path) -> None:
        layers = pytest.importorskip("napari.layers")
        SLANTED_ROIS.write(tmp_path)
        with read_scan(tmp_path) as scan:
            for data in to_napari_layers(scan):
                layer = layers.Layer.create(*data)
                (field,) = (scan.fields[i] for i in layer.metadata["fields"])
                x, y, _ = field.affine @ [7, 3, 1]
                assert layer.data_to_world((2, 3, 7)) == pytest.approx((2 / scan.fps, y, x))
                assert [str(unit) for unit in layer.units] == ["second", "micrometer", "micrometer"]

    def test_a_recording_that_is_shown_is_not_opened_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        viewer = pytest.importorskip("napari.components").ViewerModel()
        monkeypatch.setattr(plugin, "_current_viewer", lambda: viewer)
        paths = [str(path) for path in PLANAR.write(tmp_path)]
        read_layers = get_reader(paths[0])
        assert read_layers is not None
        for data, options, _ in read_layers(paths[2]):
            viewer.add_image(data, **options)
        for names in (paths[0], paths):
            with pytest.warns(ScanReaderWarning, match=r"^scan_00001_00001.tif: the viewer already shows this"):
                assert read_layers(names) == [(None,)]
        assert len(read_layers(str(tmp_path))) == 2  # a folder is opened as it is now
        replace(PLANAR, epoch=(2024, 1, 1, 0, 0, 0.0)).write(tmp_path)
        assert len(read_layers(paths[0])) == 2  # written anew since

    def test_four_columns_are_no_colours(self, tmp_path: Path) -> None:
        layers = pytest.importorskip("napari.layers")
        Recording(frames_per_slice=40, height=64, width=4).write(tmp_path)
        with read_scan(tmp_path) as scan:
            assert layers.Layer.create(*to_napari_layers(scan)[0]).ndim == 3


# -------------------------------------------------------------------- in a window

Job = tuple[list[tuple[int, ...]], list[Path]]
"""Where the sliders are to go, and files."""


def look(folder: str) -> None:
    """Drop each recording's files on a window, and keep what that shows at each step of its sliders.

    Run by a process of its own, which Qt may end.
    """
    import napari

    jobs: dict[str, Job] = pickle.loads((Path(folder) / "jobs").read_bytes())
    viewer = napari.Viewer(show=True)
    print("the window is open", flush=True)  # noqa: T201 - to the test
    for name, (steps, paths) in jobs.items():
        viewer.layers.clear()
        results: dict[str, Any] = {"added": [len(viewer.open(path, plugin="scanreader")) for path in paths]}
        results["layers"] = [layer.name for layer in viewer.layers]
        for i, step in enumerate(steps):
            viewer.dims.current_step = (*step, 0, 0)
            results[f"picture{i}"] = viewer.screenshot(canvas_only=True, flash=False)
        np.savez(Path(folder) / name, zoom=viewer.camera.zoom, centre=viewer.camera.center[-2:], **results)
    viewer.close()


def run_look(folder: Path, jobs: dict[str, Job]) -> None:
    """Open a window on this desktop, or on a virtual one; skip the test if there is neither."""
    (folder / "jobs").write_bytes(pickle.dumps(jobs))
    command, environment = [], {**os.environ}
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & {*os.environ}:
        if shutil.which("xvfb-run") is None:
            pytest.skip("there is no display, and no xvfb-run to make one")
        command, environment["QT_QPA_PLATFORM"] = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24"], "xcb"
    folder_of_tests = Path(__file__).parent  # with the modules that it imports above it
    result = subprocess.run(
        [*command, sys.executable, "-c", f"import test_napari; test_napari.look({str(folder)!r})"],
        capture_output=True,
        text=True,
        check=False,
        env=environment
        | {
            "PYTHONPATH": os.pathsep.join(
                [*map(str, (folder_of_tests.parents[1], folder_of_tests.parent, folder_of_tests)), *sys.path]
            )
        },
    )
    if "the window is open" not in result.stdout:
        pytest.skip(f"Qt opens no window here: {' '.join(result.stderr.split())[:500]}")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr, result.stderr


@pytest.mark.ecosystem
def test_a_window_shows_the_pixels_of_each_step(tmp_path: Path) -> None:
    pytest.importorskip("napari")
    scans, jobs = {}, {}
    for name, recording in {"planar": PLANAR, "aslant": SLANTED_ROIS, "demo": DEMO}.items():
        paths = recording.write(tmp_path / f"{name}-files")
        scan = scans[name] = read_scan(paths)
        depths: list[tuple[int, ...]] = [(0,), (2,)] if scan.num_scanning_depths > 1 else [()]
        jobs[name] = [(frame, *z) for frame in (0, scan.num_frames - 1) for z in depths], paths
    run_look(tmp_path, jobs)
    for name, scan in scans.items():
        with np.load(tmp_path / f"{name}.npz") as archive:
            window = dict(archive)
        steps, paths = jobs[name]
        layers = scan.to_napari_layers()
        assert window["added"].tolist() == [len(layers)] + [0] * (len(paths) - 1)  # the first file brings all
        assert window["layers"].tolist() == [options["name"] for _, options, _ in layers]
        pictures = [window[f"picture{i}"] for i in range(len(steps))]
        assert not any(np.array_equal(a, b) for a, b in itertools.pairwise(pictures))
        for step, picture in zip(steps, pictures, strict=True):
            for i, field in enumerate(scan.fields):
                if len(step) == 1 or field.slice_id == step[1]:
                    assert_seen(picture, window, scan, i, step[0])
        scan.close()


def assert_seen(picture: npt.NDArray[Any], window: dict[str, Any], scan: Scan, i: int, frame: int) -> None:
    """A field's pixels are on the canvas, where it lies in the sample, as bright as they should be."""
    field = scan.fields[i]
    rows, columns = np.mgrid[: field.height, : field.width]
    x, y, _ = field.affine @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
    centre = np.array(picture.shape[:2])[:, None] / 2
    window_rows, right = np.floor((np.stack([y, x]) - window["centre"][:, None]) * window["zoom"] + centre).astype(int)
    colours = ([0, 1, 2],) if scan.num_channels == 1 else ([1], [0, 2])  # gray; green and magenta
    for channel, channel_colours in enumerate(colours):
        black, white = next(
            options["contrast_limits"]
            for _, options, _ in scan.to_napari_layers()
            if options["metadata"]["channel"] == channel
        )
        level = (scan[i, :, :, channel, frame].ravel() - black) / (white - black)
        for colour in channel_colours:
            assert np.abs(picture[window_rows, right, colour] - 255 * level.clip(0, 1)).max() < 3
