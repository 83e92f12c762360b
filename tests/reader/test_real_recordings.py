"""Real recordings give the arrays that their README says, every pixel as the dumb reader has it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import reference
from common import assert_reads

from scanreader import Scan, read_scan

# name: shape, then channels, slices, repeats and flyback frames of a volume
CASES = {
    "two_channels_5_7.tif": ((1, 64, 64, 2, 2), (2, 1, 1, 0)),
    "volume_two_channels/vol_two_ch_multi_files_00001_*.tif": ((9, 20, 20, 2, 100), (2, 9, 1, 7)),
    "slow_stack_20220923_noroi.tif": ((2, 256, 256, 2, 6), (2, 2, 2, 0)),
    "legacy_3_8_resaved.tiff": ((1, 256, 256, 1, 10), (1, 1, 1, 0)),
}


def fields_by_reference(scan: Scan, counts: tuple[int, int, int, int]) -> list[np.ndarray]:
    pages = reference.all_pages(scan.filenames)
    channels, slices, repeats, flyback = counts
    return reference.fields(pages, channels=channels, slices=slices, repeats=repeats, flyback=flyback)


@pytest.mark.parametrize("name", CASES)
def test_reads_every_pixel(recordings: Path, name: str) -> None:
    shape, counts = CASES[name]
    scan = read_scan(str(recordings / name))
    assert scan.shape == shape
    assert_reads(scan, fields_by_reference(scan, counts))
    np.testing.assert_array_equal(np.asarray(scan), np.stack(fields_by_reference(scan, counts)))
    assert scan.findings == ()


@pytest.mark.parametrize("name", CASES)
def test_reads_any_key(recordings: Path, name: str) -> None:
    shape, counts = CASES[name]
    scan = read_scan(str(recordings / name))
    all_pixels = np.stack(fields_by_reference(scan, counts))
    rng = np.random.default_rng(1)
    for _ in range(20):
        key = tuple(rng.integers(-n, n, size=rng.integers(1, 4)) for n in shape)
        np.testing.assert_array_equal(scan[key], reference.index(all_pixels, key))


@pytest.mark.parametrize("name", CASES)
def test_survives_pickling(recordings: Path, name: str) -> None:
    scan = read_scan(str(recordings / name))
    scan_copy = pickle.loads(pickle.dumps(scan))
    np.testing.assert_array_equal(scan_copy[..., -1], scan[..., -1])
    assert scan_copy.header == scan.header
    assert scan_copy.zoom == scan.zoom


def test_any_file_of_a_set_brings_the_others(recordings: Path) -> None:
    folder = recordings / "volume_two_channels"
    whole_scan = read_scan(folder)
    scan_by_file = read_scan(folder / "vol_two_ch_multi_files_00001_00004.tif", siblings=True)
    assert scan_by_file.filenames == whole_scan.filenames
    single_file = read_scan(folder / "vol_two_ch_multi_files_00001_00004.tif")
    assert single_file.findings[0].name == "parts-not-read"
    np.testing.assert_array_equal(single_file[:], whole_scan[..., 30:40])


def test_facts_of_the_volume(recordings: Path) -> None:
    scan = read_scan(recordings / "volume_two_channels")
    assert scan.scanning_depths == [92, 94, 96, 98, 100, 102, 104, 106, 108]
    assert scan.fps == 32.7454
    assert scan.scan_frame_rate == pytest.approx(scan.fps * 16, rel=1e-5)
    assert (scan.version, scan.release) == ("2021", "2021.0")
    assert scan.channel_names == ["Channel 1", "Channel 2"]
    assert scan.num_requested_frames == 100
    assert not scan.is_slow_stack
    assert scan.scanner_type == "RGG"
    assert scan.is_bidirectional
    assert scan.field_slices == list(range(9))
    assert scan.image_height_in_microns == pytest.approx(16.875)


def test_facts_of_the_slow_stack(recordings: Path) -> None:
    scan = read_scan(recordings / "slow_stack_20220923_noroi.tif")
    assert scan.scanning_depths == [-11179.5, -11178.5]
    assert scan.channel_names == ["Channel 1", "Channel 4"]
    assert scan.is_slow_stack
    assert not scan.is_slow_stack_with_fastZ
    assert scan.fps == 58.2068
    assert scan.motor_position_at_zero == [58705.8, 17302.6, -11179.5]
    assert scan.num_requested_frames == 6


def test_facts_of_the_legacy_recording(recordings: Path) -> None:
    scan = read_scan(recordings / "legacy_3_8_resaved.tiff")
    assert scan.version == "3.8"
    assert scan.fps == 3.90625
    assert scan.zoom == 2
    assert scan.num_requested_frames == 1220
    assert scan.dtype == np.uint16
    assert scan.seconds_per_line == 0.001
    assert scan.motor_position_at_zero == [659.6, -10386.6, -8068.4]
    assert scan.metadata["state.internal.figureColormap1"] == "scim_colorMap('gray',8,5)"


def test_facts_of_the_smallest(recordings: Path) -> None:
    scan = read_scan(recordings / "two_channels_5_7.tif")
    assert scan.version == "5.7"
    assert not scan.is_multiROI
    assert scan.num_requested_frames == 2
    field = scan.fields[0]
    # by the header's own pixelToRefTransform, whose pixels count from 1
    to_ref = scan.roi_metadata["RoiGroups"]["imagingRoiGroup"]["rois"]["scanfields"]["pixelToRefTransform"]
    for column, row in ((0, 0), (63, 10)):
        x, y, _ = field.affine @ [column, row, 1]
        expected = np.array(to_ref) @ [column + 1, row + 1, 1] * scan.microns_per_degree
        assert (x, y) == pytest.approx(tuple(expected[:2]))
