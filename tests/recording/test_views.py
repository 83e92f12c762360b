"""Views compose in any order: each chain of them gives what numpy gives, pickles, and goes through every export."""

from __future__ import annotations

import contextlib
import json
import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from common import expected, read_warned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import assert_keys_pick

from scanreader import LayoutError, Scan, ScanIndexError, ScanKeyError, ScanReaderError, phase, read_scan
from scanreader.bridges.npy import to_npy
from scanreader.simulate import Recording, roi, scanfield

pytestmark = pytest.mark.filterwarnings("ignore:.*pieces were trimmed and put side by side")  # true of chains here

Array = npt.NDArray[Any]

# Two ROIs that touch, one below the other, and one that is elsewhere, at two depths.
TOUCHING_STRIPS = Recording(
    mode="fast",
    zs=(0.0, 40.0),
    flyback=1,
    volumes=6,
    channels=(1, 3),
    rois=(
        roi(scanfield((0.0, -1.0), (3.0, 2.0), (12, 8)), name="above"),
        roi(scanfield((0.0, 1.0), (3.0, 2.0), (12, 8)), name="below"),
        roi(scanfield((6.0, 0.0), (3.0, 3.0), (12, 12)), name="elsewhere"),
    ),
)
ROIS = 3
CORNERS = ((0, 0), (8, 0), (2, 24))
"""First pixel of each ROI (y, x), in pixels."""


@dataclass(frozen=True)
class Model:
    """What a chain of views should give, worked out with numpy: ROIs, which fields they make, and what is picked."""

    roi_pixels: tuple[Array, ...]
    """Each ROI of each slice, as the dumb reader sees it."""
    fields: tuple[tuple[int, ...], ...]
    """The ROIs of each field, from above to below; their numbers are places in `whole`."""
    channels: tuple[int, ...]
    frames: tuple[int, ...]
    trim: tuple[int, int, int, int] = (0, 0, 0, 0)
    joined: bool = False
    offsets: dict[tuple[int, int], float] = field(default_factory=dict)
    """Of a ROI and channel."""
    is_stitched: bool = False
    moves: tuple[tuple[int, int], ...] = ()
    """By which each field is shifted."""
    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Rows and columns added at the top, bottom, left and right when shifting; below 0, cut off."""

    def array(self, i: int) -> Array:
        """Pixels of a field, of shape (y, x, channels, frames)."""
        image = self._stitched(i) if self.is_stitched else np.concatenate([*map(self._roi, self.fields[i])])
        if not self.moves:
            return image
        (down_by, right), (top, bottom, left, _) = self.moves[i], self.window
        room = 20  # more than any shift
        padded_image = np.pad(image, [(room, room), (room, room), (0, 0), (0, 0)])
        height, width = image.shape[0] + top + bottom, image.shape[1] + left + self.window[3]
        return padded_image[room - top - down_by :, room - left - right :][:height, :width]

    def _stitched(self, i: int) -> Array:
        images = [self._roi(roi_index) for roi_index in self.fields[i]]
        corners = np.array([CORNERS[roi_index % ROIS] for roi_index in self.fields[i]])
        corners -= corners.min(axis=0)
        shape = np.max([corner + image.shape[:2] for corner, image in zip(corners, images, strict=True)], axis=0)
        canvas = np.zeros((*shape, *images[0].shape[2:]), images[0].dtype)
        for (y, x), image in zip(corners, images, strict=True):
            canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
        return canvas

    @property
    def view(self) -> str:
        """Which view placed the fields last."""
        return "shifted" if self.moves else "stitched" if self.is_stitched else ""

    def _roi(self, roi_index: int) -> Array:
        image = self.roi_pixels[roi_index].copy()
        for channel in range(image.shape[2]):
            image[1::2, :, channel] = shifted(image[1::2, :, channel], self.offsets.get((roi_index, channel), 0.0))
        top, bottom, left, right = self.trim
        height, width = image.shape[:2]
        chosen_pixels: Array = image[top : height - bottom, left : width - right][:, :, list(self.channels)]
        return chosen_pixels[..., list(self.frames)]

    @property
    def arrays(self) -> list[Array]:
        return [self.array(i) for i in range(len(self.fields))]


def shifted(lines: Array, offset: float) -> Array:
    """Lines of shape (rows, columns, frames) whose column x is that at x + offset; 0 beyond the ends."""
    positions = np.arange(lines.shape[1]) + offset
    low, part = np.floor(positions).astype(int), offset % 1
    high = low + (part > 0)
    is_inside = (low >= 0) & (high < lines.shape[1])
    moved_lines = np.zeros_like(lines)
    moved_lines[:, is_inside] = np.rint(lines[:, low[is_inside]] * (1 - part) + lines[:, high[is_inside]] * part)
    return moved_lines


def join(fields: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Join the ROI above with the one below it, the first pair first, slice by slice."""
    slices: dict[int, list[tuple[int, ...]]] = {}
    for rois_of_field in fields:
        slices.setdefault(rois_of_field[0] // ROIS, []).append(rois_of_field)
    for slice_id, fields_of_slice in slices.items():
        upper_rois, lower_rois = (slice_id * ROIS,), (slice_id * ROIS + 1,)
        while upper_rois in fields_of_slice and lower_rois in fields_of_slice:
            first = min(fields_of_slice.index(upper_rois), fields_of_slice.index(lower_rois))
            fields_of_slice.remove(upper_rois)
            fields_of_slice.remove(lower_rois)
            fields_of_slice.insert(first, upper_rois + lower_rois)
    return tuple(rois_of_field for fields_of_slice in slices.values() for rois_of_field in fields_of_slice)


Step = Callable[[Scan, Model], tuple[Scan, Model]]


def trim(top: int, bottom: int, left: int, right: int) -> Step:
    def step(scan: Scan, model: Model) -> tuple[Scan, Model]:
        whole_trim = tuple(np.add(model.trim, (top, bottom, left, right)).tolist())
        if model.view and any((top, bottom, left, right)):
            with pytest.raises(LayoutError, match=f"are {model.view} already: trimmed goes before"):
                scan.trimmed(top=top, bottom=bottom, left=left, right=right)
            return scan, model
        view = scan.trimmed(top=top, bottom=bottom, left=left, right=right)
        return view, replace(model, trim=whole_trim)

    return step


def join_touching(scan: Scan, model: Model) -> tuple[Scan, Model]:
    if model.view:
        with pytest.raises(LayoutError, match=f"are {model.view} already: join_contiguous goes before"):
            scan.join_contiguous()
        return scan, model
    separate_fields = tuple((roi_index,) for rois_of_field in model.fields for roi_index in rois_of_field)
    return scan.join_contiguous(), replace(model, joined=True, fields=join(separate_fields))


def select(fields: Any, channels: Any, frames: Any) -> Step:
    def step(scan: Scan, model: Model) -> tuple[Scan, Model]:
        view = scan.select(fields=fields, channels=channels, frames=frames)
        chosen_indices = [
            np.arange(len(places))[key]
            for places, key in zip(
                (model.fields, model.channels, model.frames), (fields, channels, frames), strict=True
            )
        ]
        chosen_model = replace(
            model,
            fields=tuple(model.fields[i] for i in chosen_indices[0]),
            moves=tuple(model.moves[i] for i in chosen_indices[0]) if model.moves else (),
            channels=tuple(model.channels[i] for i in chosen_indices[1]),
            frames=tuple(model.frames[i] for i in chosen_indices[2]),
        )
        return view, chosen_model

    return step


def realign(seed: int, is_whole: bool) -> Step:
    def step(scan: Scan, model: Model) -> tuple[Scan, Model]:
        draw = np.random.default_rng(seed)
        by_roi = draw.integers(-3, 4, (len(model.roi_pixels), 2)) / (1 if is_whole else 4)
        by_roi[1::ROIS] = by_roi[::ROIS]  # what may be joined has one offset
        offsets_of_fields = np.array(
            [[by_roi[rois_of_field[0], channel] for channel in model.channels] for rois_of_field in model.fields]
        )
        view = phase.realigned(scan, offsets_of_fields)
        offsets = {
            (roi_index, channel): float(by_roi[rois_of_field[0], channel])
            for rois_of_field in model.fields
            for roi_index in rois_of_field
            for channel in model.channels
        }
        return view, replace(model, offsets=offsets)

    return step


def stitch(overlap: str) -> Step:
    def step(scan: Scan, model: Model) -> tuple[Scan, Model]:
        if model.view:
            with pytest.raises(LayoutError, match=f"are {model.view} already"):
                scan.stitched(overlap=overlap)
            return scan, model
        slices: dict[int, tuple[int, ...]] = {}
        for rois_of_field in model.fields:
            slices[rois_of_field[0] // ROIS] = slices.get(rois_of_field[0] // ROIS, ()) + rois_of_field
        return scan.stitched(overlap=overlap), replace(model, is_stitched=True, fields=tuple(slices.values()))

    return step


def shift(seed: int, keep: str) -> Step:
    def step(scan: Scan, model: Model) -> tuple[Scan, Model]:
        moves = np.random.default_rng(seed).integers(-1, 3, (len(model.fields), 2))
        if model.moves:
            with pytest.raises(LayoutError, match="by the sum of both"):
                scan.shifted(moves, keep=keep)
            return scan, model
        view = scan.shifted(moves, keep=keep)
        (top_move, left_move), (bottom_move, right_move) = moves.min(axis=0).tolist(), moves.max(axis=0).tolist()
        window = (-bottom_move, top_move, -right_move, left_move)
        if keep == "canvas":
            window = (max(0, -top_move), max(0, bottom_move), max(0, -left_move), max(0, right_move))
        return view, replace(model, moves=tuple(map(tuple, moves.tolist())), window=window)

    return step


@st.composite
def steps(draw: st.DrawFn) -> Step:
    kind = draw(st.sampled_from(["trim", "join", "select", "realign", "stitch", "shift"]))
    if kind == "stitch":
        return stitch(draw(st.sampled_from(["first", "last"])))
    if kind == "shift":
        return shift(draw(st.integers(0, 99)), draw(st.sampled_from(["canvas", "common"])))
    if kind == "trim":
        return trim(*(draw(st.integers(0, 2)) for _ in range(4)))
    if kind == "join":
        return join_touching
    if kind == "select":
        keys = [
            draw(
                st.just(slice(None)) | st.slices(size) | st.lists(st.integers(-size, size - 1), min_size=1, max_size=4)
            )
            for size in (2, 1, 3)  # what is there in any chain but the longest
        ]
        return select(*keys)
    return realign(draw(st.integers(0, 99)), draw(st.booleans()))


def start(folder: str | Path) -> tuple[Scan, Model]:
    paths = TOUCHING_STRIPS.write(folder)
    roi_pixels = tuple(expected(TOUCHING_STRIPS, paths))
    fields = tuple((i,) for i in range(len(roi_pixels)))
    return read_scan(folder), Model(roi_pixels, fields, (0, 1), tuple(range(TOUCHING_STRIPS.volumes)))


def chains(folder: str | Path, chain: list[Step]) -> tuple[Scan, Model]:
    """Take views one after the other; those that are refused are left out, and the scan is as it was."""
    scan, model = start(folder)
    for step in chain:
        with contextlib.suppress(ScanIndexError, ScanKeyError):  # no other error is expected
            scan, model = step(scan, model)
    return scan, model


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps(), max_size=6), st.data())
def test_any_chain_of_views_is_what_numpy_gives(chain: list[Step], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scan, model = chains(folder, chain)
        arrays = model.arrays
        assert (scan.num_channels, scan.num_frames) == arrays[0].shape[2:]
        assert len(scan) == len(arrays)
        for i, array in enumerate(arrays):
            np.testing.assert_array_equal(scan[i], array)
            assert (scan.fields[i].height, scan.fields[i].width) == array.shape[:2]
        assert_keys_pick(data, scan, arrays, np.dtype(TOUCHING_STRIPS.dtype))
        scan_copy = pickle.loads(pickle.dumps(scan))
        assert (type(scan_copy), scan_copy.token, scan_copy.fields) == (type(scan), scan.token, scan.fields)
        np.testing.assert_array_equal(scan_copy[-1], arrays[-1])
        times = read_scan(folder).timestamps
        for i, field_of_scan in enumerate(scan.fields):
            np.testing.assert_array_equal(scan.field_timestamps(i), times[field_of_scan.slice_id][list(model.frames)])


CHAINS: dict[str, list[Step]] = {
    "as it is": [],
    "trimmed": [trim(1, 0, 2, 1)],
    "selected": [select([3, 0], [1], slice(4, 0, -1))],
    "joined": [join_touching],
    "realigned": [realign(1, is_whole=True)],
    "realigned by fractions": [realign(2, is_whole=False)],
    "trimmed, joined, selected": [trim(0, 1, 1, 0), join_touching, select([2, 0], slice(None), [0, 3, 1])],
    "selected, realigned, trimmed": [
        select([0, 1, 5], [1, 0], slice(1, None)),
        realign(3, is_whole=True),
        trim(1, 1, 1, 1),
    ],
    "joined, realigned, trimmed, selected": [
        join_touching,
        realign(4, is_whole=False),
        trim(0, 0, 2, 0),
        select([0], [0], [5]),
    ],
    "realigned, selected, joined": [
        realign(5, is_whole=True),
        select([1, 0], [0], slice(None, None, 2)),
        join_touching,
    ],
    "stitched": [stitch("last")],
    "trimmed, realigned, stitched, selected": [
        trim(1, 0, 1, 1),
        realign(6, is_whole=True),
        stitch("first"),
        select([1, 0], [1], slice(None, None, -1)),
    ],
    "shifted": [shift(1, "canvas")],
    "shifted, common": [select([0, 1, 3], [0], slice(None)), shift(2, "common")],
    "joined, shifted, realigned": [join_touching, shift(3, "common"), realign(7, is_whole=False)],
    "stitched, shifted": [stitch("last"), shift(4, "canvas")],
    "one frame, often": [select(slice(None), slice(None), [2, 2, 2])],
}


@pytest.fixture(params=CHAINS)
def view(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Scan, list[Array]]]:
    scan, model = chains(tmp_path / "rec", CHAINS[request.param])
    with scan:
        yield scan, model.arrays


def selections(view: tuple[Scan, list[Array]], tmp_path: Path) -> Iterator[tuple[Scan, Array, Path]]:
    """Each field by itself, so that every format takes it, with where to write it."""
    scan, arrays = view
    for i, array in enumerate(arrays):
        yield scan.select(fields=[i]), array, tmp_path / f"field{i}"


def test_numpy(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    for selection, array, path in selections(view, tmp_path):
        to_npy(selection, path.with_suffix(".npy"))
        np.testing.assert_array_equal(np.load(path.with_suffix(".npy"))[0], array)


def test_dask(view: tuple[Scan, list[Array]]) -> None:
    pytest.importorskip("dask.array")
    for i, array in enumerate(view[1]):
        np.testing.assert_array_equal(view[0].to_dask(i).compute(scheduler="synchronous"), array)


def test_xarray(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    for selection, array, _ in selections(view, tmp_path):
        data = selection.to_xarray()
        np.testing.assert_array_equal(data["data"].values[0], array)
        np.testing.assert_array_equal(data["time"], selection.field_timestamps(0))
        assert data["channel"].values.tolist() == selection.channel_names


def test_zarr_without_a_copy(view: tuple[Scan, list[Array]]) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(view[0].to_zarr_store(), mode="r")
    for i, array in enumerate(view[1]):
        np.testing.assert_array_equal(group[f"field_{i}"][:], array.transpose(3, 2, 0, 1))


def test_references(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    """They serve what stands in the files, or say why they cannot."""
    for selection, array, path in selections(view, tmp_path):
        change, pieces = selection.opened.pixels.change, len(selection.fields[0].pieces)
        if change or pieces > 1 or selection.fields[0].uncovered:
            reason = "moved" if change else f"stand in {pieces} places" if pieces > 1 else "were not recorded"
            with pytest.raises(LayoutError, match=reason):
                selection.to_references(path)
            continue
        selection.to_references(path)
        references = json.loads(path.read_text("utf-8"))["refs"]
        rows = json.loads(references["field_0/.zarray"])["chunks"][2]
        for t in range(array.shape[3]):
            for c in range(array.shape[2]):
                for row in range(0, array.shape[0], rows):
                    url, start_byte, size = references[f"field_0/{t}.{c}.{row // rows}.0"]
                    bytes_there = Path(url.removeprefix("file://")).read_bytes()[start_byte : start_byte + size]
                    pixels = np.frombuffer(bytes_there, array.dtype).reshape(rows, -1)
                    np.testing.assert_array_equal(pixels, array[row : row + rows, :, c, t])


def test_ome_tiff(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    for selection, array, path in selections(view, tmp_path):
        selection.to_ome_tiff(path.with_suffix(".ome.tif"))
        with tifffile.TiffFile(path.with_suffix(".ome.tif")) as tif:
            pages = np.stack([page.asarray() for page in tif.pages])
        pages = pages.reshape(array.shape[3], array.shape[2], *array.shape[:2])
        np.testing.assert_array_equal(pages, array.transpose(3, 2, 0, 1))


def test_ome_zarr(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    for selection, array, path in selections(view, tmp_path):
        selection.to_ome_zarr(path.with_suffix(".zarr"))
        image = zarr.open_group(path.with_suffix(".zarr"), mode="r")["0"][:]
        np.testing.assert_array_equal(image[:, :, 0], array.transpose(3, 2, 0, 1))


MAY_WARN = pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")
"""Frames that were chosen may not be even, of which some exports warn."""


@MAY_WARN
def test_suite2p(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    for selection, array, path in selections(view, tmp_path):
        selection.to_suite2p(path)
        plane = path / "suite2p" / "plane0"
        for c, name in enumerate(["data.bin", "data_chan2.bin"][: array.shape[2]]):
            movie = np.fromfile(plane / name, np.int16).reshape(array.shape[3], *array.shape[:2])
            np.testing.assert_array_equal(movie, array[:, :, c].transpose(2, 0, 1))


def test_napari(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    for selection, array, _ in selections(view, tmp_path):
        for c, (movie, _, _) in enumerate(selection.to_napari_layers()):
            np.testing.assert_array_equal(
                np.asarray(movie).reshape(array.shape[3], *array.shape[:2]), array[:, :, c].transpose(2, 0, 1)
            )


@MAY_WARN
@pytest.mark.ecosystem
def test_nwb(view: tuple[Scan, list[Array]], tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for selection, array, path in selections(view, tmp_path):
        selection.to_nwb(path.with_suffix(".nwb"), timezone="UTC")
        with h5py.File(path.with_suffix(".nwb")) as file:
            for c in range(array.shape[2]):
                series = file[f"acquisition/TwoPhotonSeriesField0Channel{c}/data"][:]
                np.testing.assert_array_equal(series, array[:, :, c].transpose(2, 1, 0))


def test_a_choice_of_frames_does_not_grow(tmp_path: Path) -> None:
    TOUCHING_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path)
    for selection in (scan.select(frames=[0, 1]), scan.select(frames=slice(0, 2)).trimmed(left=1)):
        for grow in (selection.refresh, selection.follow):
            with pytest.raises(LayoutError, match="a selection of frames does not grow"):
                grow()
    fields = scan.select(fields=[4, 0], channels=[1]).trimmed(top=1)
    assert np.array_equal(fields.refresh()[0], scan[4, 1:, :, [1]])


def test_slices_that_come_later_are_in_the_view_too(tmp_path: Path) -> None:
    """A recording that was opened in its first volume: what was not chosen is all of it, however much it is by then."""
    (whole_path,) = replace(TOUCHING_STRIPS, rois=(), zs=(0.0, 10.0, 20.0), flyback=0).write(tmp_path / "whole")
    growing_path = tmp_path / whole_path.name
    with tifffile.TiffFile(whole_path) as tif:
        growing_path.write_bytes(whole_path.read_bytes()[: tif.pages[3].offset])  # one slice of two channels
    scan, _ = read_warned(growing_path)
    views = [scan.select(channels=[0]), scan.select(), scan.trimmed(left=1), phase.realigned(scan, 1)]
    assert [len(view) for view in views] == [1] * 4
    growing_path.write_bytes(whole_path.read_bytes())
    new_scan = read_scan(growing_path)
    expected_views = [new_scan.select(channels=[0]), new_scan, new_scan.trimmed(left=1), phase.realigned(new_scan, 1)]
    for view, expected_view in zip(views, expected_views, strict=True):
        assert np.array_equal(view.refresh()[:], expected_view[:])
    with pytest.raises(ScanKeyError, match=r"of shape \(3, 2\)"):
        phase.realigned(scan, [[1, 1]]).refresh()


def test_pixels_that_two_fields_show_have_one_offset(tmp_path: Path) -> None:
    TOUCHING_STRIPS.write(tmp_path)
    doubled_field = read_scan(tmp_path).select(fields=[0, 0], channels=[0])
    assert np.array_equal(phase.realigned(doubled_field, [[1], [1]])[0], phase.realigned(doubled_field, 1)[1])
    with pytest.raises(ScanKeyError, match="another field shows"):
        phase.realigned(doubled_field, [[1], [2]])


def test_each_view_closes_by_itself(tmp_path: Path) -> None:
    TOUCHING_STRIPS.write(tmp_path)
    scan = read_scan(tmp_path)
    view = scan.trimmed(left=1)
    view.close()
    assert scan[0, 0, 0, 0, :].shape == (6,)
    scan.select(fields=[0])
    scan.close()
    assert isinstance(scan.opened, type(view.opened))
    with pytest.raises(ScanReaderError, match="closed"):
        scan.trimmed(left=1)
