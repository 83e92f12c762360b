"""Volumes: which fields are one array, in which order, how far apart, and what is in none."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from common import DUAL_PLANE, LIGHT_BEADS, MESOSCOPE, PLANE_DEPTHS, STACK, VOLUME
from hypothesis import given, settings
from hypothesis import strategies as st

from scanreader import Scan, read_scan
from scanreader.simulate import Recording, roi, scanfield

SHUFFLED_VOLUME = replace(VOLUME, zs=(60.0, 0.0, 90.0, 30.0, 120.0), flyback=1)
# A is everywhere; B is discrete, on the first and last slice; C is interpolated, so its size differs.
DISCRETE_ROIS = replace(
    MESOSCOPE,
    zs=(0.0, 30.0, 75.0),
    rois=(
        roi(scanfield((-3.0, 0.0), (2.4, 4.0), (24, 40)), name="A"),
        roi(*[scanfield((0.0, 0.0), (2.4, 2.4), (24, 24))] * 2, zs=(0, 75), discrete=True, name="B"),
        roi(
            scanfield((3.0, 0.0), (2.4, 4.0), (24, 40)),
            scanfield((3.0, 0.0), (2.4, 2.0), (24, 20)),
            zs=(0, 75),
            name="C",
        ),
    ),
)


def opened(recording: Recording, folder: Path) -> Scan:
    return read_scan(list(recording.write(folder)))


def all_fields(scan: Scan) -> list[int]:
    """Each field that is in a volume or single, sorted."""
    return sorted(
        [i for volume in scan.volumes for i in volume.fields]
        + [single_field.field for single_field in scan.single_fields]
    )


def test_a_volume_is_its_fields_from_the_smallest_depth_to_the_largest(tmp_path: Path) -> None:
    scan = opened(SHUFFLED_VOLUME, tmp_path)
    (volume,) = scan.volumes
    assert volume.depths == (0, 30, 60, 90, 120)
    assert volume.fields == (1, 3, 0, 2, 4)
    assert volume.spacing == 30
    assert volume.shape == (5, 16, 16, 2, 4)
    pages = reference.all_pages(scan.filenames)
    for z, slice_id in enumerate(volume.fields):
        for c in range(2):
            expected = np.stack([pages[(v * 6 + slice_id) * 2 + c] for v in range(4)], axis=-1)
            np.testing.assert_array_equal(volume[z, :, :, c], expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(volume))[2:, 3, ..., -1], volume[2:, 3, ..., -1])
    np.testing.assert_array_equal(np.asarray(volume), scan[list(volume.fields)])
    assert scan.single_fields == ()


def test_a_discrete_roi_is_a_volume_of_its_own_slices(tmp_path: Path) -> None:
    scan = opened(DISCRETE_ROIS, tmp_path)
    a, b = scan.volumes
    assert (a.name, a.depths, math.isnan(a.spacing)) == ("A", (0, 30, 75), True)
    assert (b.name, b.depths, b.spacing) == ("B", (0, 75), 75)
    assert "uneven depths" in repr(a)
    assert all_fields(scan) == list(range(scan.num_fields))


def test_an_interpolated_roi_is_no_volume_and_says_why(tmp_path: Path) -> None:
    scan = opened(DISCRETE_ROIS, tmp_path)
    assert {scan.fields[single_field.field].name for single_field in scan.single_fields} == {"C"}
    assert {single_field.reason for single_field in scan.single_fields} == {
        "the fields of its ROI differ in size: 40 x 24 pixels, 32 x 24 pixels, 20 x 24 pixels"
    }


def moving_roi(pixels_moved: float) -> Recording:
    """A ROI whose centre moves by so many pixels between two slices."""
    shapes = (scanfield((0.0, 0.0), (2.4, 2.4), (24, 24)), scanfield((pixels_moved * 0.1, 0.0), (2.4, 2.4), (24, 24)))
    return replace(MESOSCOPE, zs=(0.0, 50.0), rois=(roi(*shapes, zs=(0, 50), name="tilted"),))


@pytest.mark.parametrize(("pixels", "is_one"), [(0.0, True), (0.09, True), (0.2, False), (3.0, False)])
def test_a_roi_that_moves_is_no_volume(tmp_path: Path, pixels: float, is_one: bool) -> None:
    scan = opened(moving_roi(pixels), tmp_path)
    assert len(scan.volumes) == is_one
    assert [single_field.reason for single_field in scan.single_fields] == (
        [] if is_one else ["the fields of its ROI differ in place, rotation or size in the sample"] * 2
    )


def test_a_depth_that_is_scanned_twice_is_no_axis(tmp_path: Path) -> None:
    scan = opened(replace(VOLUME, zs=(0.0, 30.0, 30.0)), tmp_path)
    assert scan.volumes == ()
    assert {single_field.reason for single_field in scan.single_fields} == {
        "its ROI has several fields at a depth of 30 µm"
    }


def test_one_depth_is_no_volume(tmp_path: Path) -> None:
    scan = opened(Recording(frames_per_slice=3), tmp_path)
    assert (scan.volumes, len(scan.single_fields)) == ((), 1)


@pytest.mark.parametrize(
    ("depths", "spacing"),
    [
        ((0, 10, 20), 10.0),
        ((0, 10, 20.05), 10.025),
        ((0, 10, 20.5), math.nan),
        ((0, 30, 75), math.nan),
        ((-20, 0, 20), 20.0),
        ((5, 1005), 1000.0),
    ],
)
def test_spacing_is_even_to_a_hundredth(tmp_path: Path, depths: tuple[float, ...], spacing: float) -> None:
    (volume,) = opened(replace(VOLUME, zs=depths), tmp_path).volumes
    assert volume.spacing == pytest.approx(spacing, nan_ok=True)


def test_planes_are_depths_of_a_volume(tmp_path: Path) -> None:
    scan = opened(LIGHT_BEADS, tmp_path)
    left, right = scan.channels_as_planes(range(14, 0, -1), dz=-16).volumes
    assert (left.name, right.name) == ("left", "right")
    assert left.depths == tuple(range(-208, 1, 16))
    assert left.spacing == 16
    pages = reference.all_pages(scan.filenames)
    np.testing.assert_array_equal(left[0, :, :, 0, 3], pages[3 * 14][:32, :16])  # channel 1 is the last plane
    (joined,) = scan.join_contiguous().channels_as_planes().volumes
    assert joined.fields == tuple(range(14))  # without depths, in the order of planes
    assert math.isnan(joined.spacing)
    assert "unknown depths" in repr(joined)


def test_a_plane_of_unknown_depth_that_is_selected_twice_is_no_axis(tmp_path: Path) -> None:
    planes = opened(LIGHT_BEADS, tmp_path).channels_as_planes().select(fields=[0, 2, 0])
    assert planes.volumes == ()
    assert {single_field.reason for single_field in planes.single_fields} == {"its ROI has a field several times"}


def test_two_planes_of_one_roi_are_a_volume(tmp_path: Path) -> None:
    planes = opened(DUAL_PLANE, tmp_path).channels_as_planes((1, 2), depths="actuators")
    assert [volume.depths for volume in planes.volumes] == [tuple(sorted(pair)) for pair in PLANE_DEPTHS]
    assert all_fields(planes) == list(range(8))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_each_field_is_in_one_volume_or_single(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from((SHUFFLED_VOLUME, DISCRETE_ROIS, MESOSCOPE, STACK)))
    scan = opened(recording, tmp_path_factory.mktemp("any"))
    chosen_fields = data.draw(st.lists(st.integers(0, scan.num_fields - 1), min_size=1, max_size=5))
    options: dict[str, Any] = {
        "fields": chosen_fields,
        "frames": slice(None, None, data.draw(st.sampled_from((1, -1, 2)))),
    }
    view = scan.select(**options).trimmed(left=1)
    assert all_fields(view) == list(range(view.num_fields))
    for volume in view.volumes:
        assert list(volume.depths) == sorted(volume.depths)
        np.testing.assert_array_equal(volume[:], np.stack([view[i] for i in volume.fields]))
