"""Channels as planes: light beads and dual-plane recordings, against tifffile's pages and the formula."""

from __future__ import annotations

import math
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
from common import DUAL_PLANE, LIGHT_BEADS, PLANE_DEPTHS, STACK, VOLUME, gates
from hypothesis import given, settings
from hypothesis import strategies as st

from scanreader import LayoutError, Scan, ScanKeyError, ScanReaderWarning, read_scan
from scanreader.phase import realigned
from scanreader.simulate import Recording, Verbatim, roi, scanfield

ORDER = (1, 5, 6, 7, 8, 9, 2, 10, 11, 12, 13, 14, 3, 4)
RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"


@pytest.fixture(scope="module")
def beads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, npt.NDArray[Any]]:
    """A light-beads recording, and all its pages."""
    paths = list(LIGHT_BEADS.write(tmp_path_factory.mktemp("beads")))
    return read_scan(paths), reference.all_pages(paths)


@pytest.fixture(scope="module")
def dual_plane(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, npt.NDArray[Any]]:
    """A dual-plane recording, and all its pages."""
    paths = list(DUAL_PLANE.write(tmp_path_factory.mktemp("dual")))
    return read_scan(paths), reference.all_pages(paths)


def strip(pages: npt.NDArray[Any], channel: int, roi_id: int) -> npt.NDArray[Any]:
    """Frames of a strip in a channel of the light-beads recording, of shape (y, x, frames), by the formula."""
    ((first, second),) = LIGHT_BEADS.field_rows()
    top, rows, columns = (first, second)[roi_id]
    return pages[channel - 1 :: 14, top : top + rows, :columns].transpose(1, 2, 0)


# ----------------------------------------------------------- 1.6: light beads


def test_each_plane_is_the_channel_in_its_place_for_every_strip_and_frame(
    beads: tuple[Scan, npt.NDArray[Any]],
) -> None:
    scan, pages = beads
    planes = scan.channels_as_planes(ORDER, dz=16)
    assert planes.shape == (28, 32, 16, 1, 12)
    for k, number in enumerate(ORDER):
        for s in range(2):
            expected = strip(pages, number, s)
            np.testing.assert_array_equal(planes[2 * k + s, :, :, 0], expected)
            assert planes.fields[2 * k + s].plane == k
            assert planes.fields[2 * k + s].depth == 16 * k
            assert planes.fields[2 * k + s].roi_ids == [s]
            np.testing.assert_array_equal(planes.frame_indices(pages=True, plane=k), np.arange(12) * 14 + number - 1)
    assert planes.fps == scan.fps
    for i in range(28):
        np.testing.assert_array_equal(planes.field_timestamps(i), scan.field_timestamps(0))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_index_of_a_plane_view_gives_what_numpy_gives(
    beads: tuple[Scan, npt.NDArray[Any]], data: st.DataObject
) -> None:
    scan, pages = beads
    order = data.draw(st.permutations(range(1, 15)).flatmap(lambda p: st.integers(1, 14).map(lambda n: p[:n])))
    planes = scan.channels_as_planes(order, dz=data.draw(st.sampled_from((16, -15.5))))
    all_planes = np.stack([strip(pages, number, s)[:, :, None] for number in order for s in range(2)])

    def entry(size: int) -> st.SearchStrategy[Any]:
        number = st.integers(-size, size - 1)
        part = st.builds(slice, st.none() | number, st.none() | number, st.sampled_from((None, 1, 2, -1, -3)))
        return number | part | st.lists(number, max_size=4)

    key = tuple(data.draw(entry(size)) for size in all_planes.shape)
    expected = reference.index(all_planes, key)
    np.testing.assert_array_equal(planes[key], expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(planes))[key], expected)


def test_permuting_the_order_permutes_planes_and_depths_alike(beads: tuple[Scan, npt.NDArray[Any]]) -> None:
    scan, _ = beads
    depths = [float(7 * n) for n in ORDER]  # not evenly spaced in the view: each channel keeps its depth
    planes = scan.channels_as_planes(ORDER, depths=depths)
    back = scan.channels_as_planes(ORDER[::-1], depths=depths[::-1])
    for k in range(14):
        assert planes.fields[2 * k].depth == back.fields[2 * (13 - k)].depth == 7 * ORDER[k]
        np.testing.assert_array_equal(planes[2 * k + 1], back[2 * (13 - k) + 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": (1, 1, 2)}, "channel 1 is listed twice"),
        ({"order": (1, 15)}, "channel 15 was not saved"),
        ({"order": range(14)}, "channel 0 was not saved.*from 1"),
        ({"order": (1.5, 2)}, "integer was expected, not 1.5"),
        ({"order": (True, 2)}, "integer was expected, not True"),
        ({"order": ()}, "order is empty"),
        ({"order": "12"}, "one a plane, not '12'"),
        ({"order": 5}, "one a plane, not 5"),
    ],
)
def test_a_wrong_order_names_the_saved_channels(
    beads: tuple[Scan, npt.NDArray[Any]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScanKeyError, match=message) as error:
        beads[0].channels_as_planes(**options)
    assert "saved channels are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14" in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": [0.0, 16.0]}, "one for each of 14 planes"),
        ({"depths": 16}, "dz gives a spacing"),
        ({"depths": [[0.0] * 14] * 2}, "one for each of 14 planes"),
        ({"depths": ["deep"] * 14}, "numbers in µm or 'actuators'"),
        ({"depths": [math.inf] * 14}, "one for each of 14 planes"),
        ({"depths": "header"}, "numbers in µm or 'actuators', not 'header'"),
        ({"dz": 0}, "other than 0"),
        ({"dz": math.nan}, "other than 0"),
        ({"dz": "16"}, "a spacing in µm"),
        ({"dz": 16, "depths": [0.0] * 14}, "depths or dz, not both"),
        ({"order": (1,), "colours": {"green": (1,)}}, "order or colours, not both"),
        ({"colours": {"green": (1, 2), "red": (2, 3)}}, "listed in two colours"),
        ({"colours": {}}, "channel numbers of each colour"),
        ({"colours": {"": (1,)}}, "channel numbers of each colour"),
        ({"colours": (1, 2)}, "channel numbers of each colour"),
        ({"colours": {"green": None}}, "order is empty"),
    ],
)
def test_what_does_not_fit_is_refused(
    beads: tuple[Scan, npt.NDArray[Any]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScanKeyError, match=message):
        beads[0].channels_as_planes(**options)


def test_unknown_depths_are_nan_whatever_the_idle_stack_manager_says(tmp_path: Path) -> None:
    settings = {**LIGHT_BEADS.settings, "hStackManager.stackZStepSize": 16, "hStackManager.actualStackZStepSize": 16}
    scan = read_scan(replace(LIGHT_BEADS, settings=settings).write(tmp_path))
    planes = scan.channels_as_planes()
    assert all(math.isnan(field.depth) for field in planes.fields)
    assert planes.num_planes == 14
    assert [field.plane for field in planes.fields] == [k for k in range(14) for _ in range(2)]
    assert planes.channel_names == ["Planes"]


def test_colours_of_different_numbers_of_planes_are_refused(tmp_path: Path) -> None:
    gate_settings = {**gates(range(1, 15)), **gates((15, 16, 17), "AI1", 49, 51)}
    scan = read_scan(
        Recording(channels=tuple(range(1, 18)), frames_per_slice=5, settings=gate_settings).write(tmp_path)
    )
    with pytest.raises(ScanKeyError, match="green 14, red 3.*once for each"):
        scan.channels_as_planes(colours={"green": range(1, 15), "red": (15, 16, 17)})
    red_planes = scan.channels_as_planes((15, 16, 17), dz=16)
    np.testing.assert_array_equal(red_planes[:, :, :, 0], scan[0].transpose(2, 0, 1, 3)[14:])


def test_colours_are_channels_of_the_planes(tmp_path: Path) -> None:
    paths = list(Recording(channels=(1, 2, 3, 4), frames_per_slice=5).write(tmp_path))
    pages = reference.all_pages(paths)
    planes = read_scan(paths).channels_as_planes(colours={"green": (2, 1), "red": (4, 3)}, depths=(50, 80))
    assert planes.shape == (2, 16, 16, 2, 5)
    assert planes.channel_names == ["green", "red"]
    for plane, numbers in enumerate(((2, 4), (1, 3))):
        for colour, number in enumerate(numbers):
            np.testing.assert_array_equal(planes[plane, :, :, colour], pages[number - 1 :: 4].transpose(1, 2, 0))
            np.testing.assert_array_equal(
                planes.frame_indices(pages=True, channel=colour, plane=plane), np.arange(5) * 4 + number - 1
            )
    np.testing.assert_array_equal(planes.select(channels=[1])[1, :, :, 0], pages[2::4].transpose(1, 2, 0))


def test_channels_are_planes_once(beads: tuple[Scan, npt.NDArray[Any]]) -> None:
    planes = beads[0].channels_as_planes(dz=16)
    with pytest.raises(LayoutError, match="planes already"):
        planes.channels_as_planes()


# ------------------------------------------------------------------ 2.2: dual-plane


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_actuators_give_the_depth_of_the_channel_in_their_place(
    dual_plane: tuple[Scan, npt.NDArray[Any]], order: tuple[int, int]
) -> None:
    scan, pages = dual_plane
    planes = scan.channels_as_planes(order, depths="actuators")
    assert planes.num_fields == 8
    assert [field.depth for field in planes.fields] == [195, 105, 207, 116, 167, 92, 183, 112]
    assert [field.slice_id for field in planes.fields] == [0, 0, 1, 1, 2, 2, 3, 3]
    for i, field in enumerate(planes.fields):
        assert field.plane == i % 2
        page = field.slice_id * 2 + order[i % 2] - 1
        np.testing.assert_array_equal(planes[i, :, :, 0], pages[page::8].transpose(1, 2, 0))
        np.testing.assert_array_equal(planes.field_timestamps(i), scan.field_timestamps(field.slice_id))
        np.testing.assert_array_equal(
            planes.frame_indices(field.slice_id, pages=True, plane=i % 2), page + 8 * np.arange(6)
        )
    np.testing.assert_array_equal(planes.timestamps, scan.timestamps)


def test_actuators_without_an_order_are_refused_with_both_conventions(
    dual_plane: tuple[Scan, npt.NDArray[Any]],
) -> None:
    with pytest.raises(ScanKeyError, match=r"order=\(1, 2\).*order=\(2, 1\)"):
        dual_plane[0].channels_as_planes(depths="actuators")
    with pytest.raises(ScanKeyError, match="2 z actuators.*1 plane is listed"):
        dual_plane[0].channels_as_planes((1,), depths="actuators")


def test_depths_of_a_stack_are_one_for_each_slice_and_plane(dual_plane: tuple[Scan, npt.NDArray[Any]]) -> None:
    scan, _ = dual_plane
    planes = scan.channels_as_planes((2, 1), depths=np.array(PLANE_DEPTHS)[:, ::-1])
    assert [field.depth for field in planes.fields] == [105, 195, 116, 207, 92, 167, 112, 183]
    for bad_options in ({"depths": (195, 105)}, {"dz": 90}):
        with pytest.raises(ScanKeyError, match=r"\(4, 2\)"):
            scan.channels_as_planes(**bad_options)


def test_one_channel_with_two_actuator_positions_is_refused(tmp_path: Path) -> None:
    actuator_settings = {"hStackManager.zsAllActuators": Verbatim("[245 245]")}
    scan = read_scan(Recording(mode="fast", zs=(245.0,), volumes=3, settings=actuator_settings).write(tmp_path))
    with pytest.raises(ScanKeyError, match="actuators"):
        scan.channels_as_planes((1,), depths="actuators")


def test_rois_that_differ_between_the_planes_are_warned_about(tmp_path: Path) -> None:
    shapes = (scanfield((0, 0), (4.0, 4.0), (16, 16)), scanfield((0.5, 0), (4.0, 4.0), (16, 16)))
    rois = (roi(*shapes, zs=(105, 195), discrete=True, name="moved"),)
    actuator_settings = {"hStackManager.zsAllActuators": Verbatim("[195 105]")}
    recording = replace(DUAL_PLANE, zs=(195.0,), rois=rois, settings=actuator_settings)
    scan = read_scan(recording.write(tmp_path))
    with pytest.warns(ScanReaderWarning, match=r"another place or size at another plane \(moved\)"):
        scan.channels_as_planes((1, 2), depths="actuators")
    scan.channels_as_planes((1, 2), depths=[(195, 105)])  # depths of the user's own are not compared with ROIs


# --------------------------------------------------------------- with other views


def views(scan: Scan, names: tuple[str, ...]) -> Scan:
    """A chain of views of the light-beads recording, by name."""
    for name in names:
        if name == "planes":
            scan = scan.channels_as_planes(ORDER if scan.num_channels == 14 else None, dz=16)
        elif name == "joined":
            scan = scan.join_contiguous()
        elif name == "trimmed":
            scan = scan.trimmed(left=2, right=1, top=3)
        elif name == "realigned":
            scan = realigned(scan, 2)
        else:
            scan = scan.select(frames=slice(1, None, 3))
    return scan


CHAIN = ("planes", "joined", "trimmed", "realigned", "frames")


@settings(max_examples=40, deadline=None)
@given(names=st.lists(st.sampled_from(CHAIN), unique=True, max_size=5).map(tuple))
def test_views_in_any_order_are_equal(beads: tuple[Scan, npt.NDArray[Any]], names: tuple[str, ...]) -> None:
    scan = beads[0]
    in_one_order = views(scan, tuple(name for name in CHAIN if name in names))
    view = views(scan, names)
    np.testing.assert_array_equal(view[:], in_one_order[:])
    assert [field.depth for field in view.fields] == [field.depth for field in in_one_order.fields]
    assert [field.plane for field in view.fields] == [field.plane for field in in_one_order.fields]
    assert [field.affine.tolist() for field in view.fields] == [f.affine.tolist() for f in in_one_order.fields]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view))[:], view[:])


def test_some_channels_of_a_selection_become_planes(beads: tuple[Scan, npt.NDArray[Any]]) -> None:
    scan, pages = beads
    planes = scan.select(channels=[4, 2], fields=[1]).channels_as_planes(dz=10)
    np.testing.assert_array_equal(planes[0, :, :, 0], strip(pages, 5, 1))
    np.testing.assert_array_equal(planes[1, :, :, 0], strip(pages, 3, 1))
    with pytest.raises(ScanKeyError, match="saved channels are 5, 3"):
        scan.select(channels=[4, 2]).channels_as_planes((5, 4))


def test_a_growing_recording_keeps_its_planes(tmp_path: Path) -> None:
    recording = Recording(channels=(1, 2), frames_per_slice=10, frames_per_file=5)
    paths = list(recording.write(tmp_path))
    content = paths[1].read_bytes()
    paths[1].unlink()
    planes = read_scan(str(tmp_path / "*.tif")).channels_as_planes((2, 1), dz=5)
    assert planes.num_frames == 5
    paths[1].write_bytes(content)
    grown_planes = planes.refresh()
    assert grown_planes.num_frames == 10
    np.testing.assert_array_equal(grown_planes[0, :, :, 0], reference.all_pages(paths)[1::2].transpose(1, 2, 0))
    assert [field.depth for field in grown_planes.fields] == [0, 5]


@pytest.mark.parametrize("recording", [STACK, VOLUME])
def test_slices_have_planes_of_their_own(recording: Recording, tmp_path: Path) -> None:
    recording = replace(recording, channels=(1, 2))
    paths = list(recording.write(tmp_path))
    scan = read_scan(paths)
    depths = [(10.0 * s, 10.0 * s + 5) for s in range(3)]
    planes = scan.channels_as_planes(depths=depths)
    assert [(f.slice_id, f.plane, f.depth) for f in planes.fields] == [
        (s, p, depths[s][p]) for s in range(3) for p in range(2)
    ]
    for i, field in enumerate(planes.fields):
        np.testing.assert_array_equal(planes[i, :, :, 0], scan[field.slice_id, :, :, field.plane or 0])


def test_a_token_tells_orders_and_depths_apart(beads: tuple[Scan, npt.NDArray[Any]]) -> None:
    scan = beads[0]
    options: tuple[dict[str, Any], ...] = (
        {"dz": 16},
        {"dz": 15},
        {"order": ORDER, "dz": 16},
        {"order": ORDER[::-1], "dz": 16},
        {},
    )
    tokens = [scan.channels_as_planes(**plane_options).token for plane_options in options]
    assert len({scan.token, *tokens}) == len(options) + 1


# ------------------------------------------------------------------ what the header says


def test_inputs_and_laser_windows_are_as_the_header_has_them(beads: tuple[Scan, npt.NDArray[Any]]) -> None:
    inputs = beads[0].channel_inputs
    assert [channel_input.number for channel_input in inputs] == list(range(1, 15))
    assert {channel_input.source for channel_input in inputs} == {"AI0"}
    assert {channel_input.mode for channel_input in inputs} == {"analog"}
    assert inputs[1].laser_window == (18, 26)


def test_settings_of_planes_are_given_where_they_are_equal(tmp_path: Path) -> None:
    luts = Verbatim("{[0 100] [0 100] [5 50]}")
    scan = read_scan(
        Recording(channels=(1, 2, 3), frames_per_slice=3, settings={"hChannels.channelLUT": luts}).write(tmp_path)
    )
    assert scan.channels_as_planes((1, 2)).channel_luts == [(0, 100)]
    assert np.isnan(scan.channels_as_planes().channel_luts).all()


def test_single_channel_real_recordings_become_one_plane() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip("the real recordings are not here")
    for path in sorted(RECORDINGS.rglob("*.tif"))[:20]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scan = read_scan(path)
        slices, channels = scan.num_scanning_depths, scan.num_channels
        depths = np.arange(slices * channels).reshape(slices, channels)
        planes = scan.channels_as_planes(depths=depths)
        frame = slice(0, 2)
        for i, field in enumerate(planes.fields):
            field_indices = [
                j
                for j, field_of_scan in enumerate(scan.fields)
                if (field_of_scan.slice_id, field_of_scan.pieces) == (field.slice_id, field.pieces)
            ]
            np.testing.assert_array_equal(planes[i, ..., 0, frame], scan[field_indices[0], ..., field.plane, frame])
            assert field.depth == depths[field.slice_id, field.plane]
