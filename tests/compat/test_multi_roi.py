"""The extractor of one ROI gives its rows of the page, by index, name or uuid, and refuses what is not there."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from common import MESOSCOPE

from scanreader import read_scan
from scanreader.simulate import Recording, roi, scanfield

pytest.importorskip("roiextractors", reason="pip install 'scanreader[roiextractors]'")
from scanreader.compat import ScanImageMultiROIImagingExtractor as Extractor

ROIS = (
    roi(scanfield((-3, 1), (2.4, 4), (24, 40)), name="V1", uuid="00000000000000A1"),
    roi(scanfield((0, 0), (2.4, 4), (24, 20)), name="off", enabled=False, uuid="00000000000000A2"),
    roi(scanfield((1, 0.3), (2.4, 4), (24, 32)), name="LM", uuid="00000000000000A3"),
    roi(scanfield((4, 1.2), (2.4, 4), (24, 24)), name="LM", uuid="00000000000000A4"),
)
RECORDING = Recording(frames_per_slice=6, channels=(1, 2), rois=ROIS, scanner_frequency=12013.0)
UUIDS = ["00000000000000A1", "00000000000000A3", "00000000000000A4"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return RECORDING.write(tmp_path)[0]


@pytest.mark.parametrize(
    ("options", "index"),
    [({}, 0), ({"roi_index": 1}, 1), ({"roi_name": "V1"}, 0), ({"roi_uuid": UUIDS[2].lower()}, 2)],
)
def test_one_roi(path: Path, options: dict[str, Any], index: int) -> None:
    extractor = Extractor(path, "Channel 2", **options)
    field = reference.fields(reference.all_pages([path]), channels=2, boxes=RECORDING.field_rows())[index]
    assert np.array_equal(extractor.get_series(), field[:, :, 1].transpose(2, 0, 1))
    scanned_roi = (ROIS[0], ROIS[2], ROIS[3])[index]
    shape = scanned_roi["scanfields"]
    assert (extractor.roi_index, extractor.roi_name, extractor.roi_uuid) == (index, scanned_roi["name"], UUIDS[index])
    assert (extractor.roi_zs, extractor.roi_center_xy, extractor.roi_size_xy) == (
        scanned_roi["zs"],
        shape["centerXY"],
        shape["sizeXY"],
    )
    assert np.allclose(extractor.roi_affine, shape["affine"])
    assert extractor.roi_row_start == RECORDING.field_rows()[0][index][0]
    assert extractor.line_period is not None
    offset = extractor.line_period * extractor.roi_row_start
    assert extractor.get_field_time_offset() == offset
    times = extractor.get_timestamps()
    assert np.array_equal(times, read_scan(path).field_timestamps(index))
    assert np.array_equal(extractor.get_timestamps(1, 3, correct_field_offset=True), times[1:3] + offset)


def test_rois_are_listed(path: Path) -> None:
    assert Extractor.get_num_rois(path) == 3
    assert Extractor.get_roi_names(path) == ["V1", "LM", "LM"]
    assert Extractor.get_roi_uuids(path) == UUIDS
    assert [roi_of_scan.uuid for roi_of_scan in read_scan(path).rois] == [
        scanned_roi["roiUuid"] for scanned_roi in ROIS
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"roi_index": 3}, "roi_index"),
        ({"roi_index": -1}, "roi_index"),
        ({"roi_name": "V9"}, "No ROI named"),
        ({"roi_uuid": "V9"}, "No ROI with roiUuid"),
        ({"roi_name": "LM"}, "ambiguous"),
        ({"roi_index": 0, "roi_name": "V1"}, "at most one"),
        ({"channel_name": "Channel 3"}, "not found"),
        ({"file_path": None}, "file_path or file_paths must be provided"),
    ],
)
def test_what_is_refused_by_the_words_that_their_tests_read(path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Extractor(**{"file_path": path, "channel_name": "Channel 1", **options})


def test_a_recording_without_rois_is_refused(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=4).write(tmp_path)
    with pytest.raises(ValueError, match="not a multi-ROI"):
        Extractor(path)
    with pytest.raises(ValueError, match="not a multi-ROI"):
        Extractor.get_roi_names(path)


def test_an_unknown_line_period_is_said(path: Path) -> None:
    extractor = Extractor(path, "Channel 1", roi_index=1)
    extractor.line_period = None
    assert len(extractor.get_timestamps()) == 6
    with pytest.raises(ValueError, match="line_period"):
        extractor.get_timestamps(correct_field_offset=True)


def test_the_signature_is_that_of_the_pull_request() -> None:
    names = "file_path channel_name file_paths roi_index roi_name roi_uuid gap_inference on_gap_mismatch"
    assert list(inspect.signature(Extractor).parameters) == names.split()


def test_several_depths_and_widths_are_read(tmp_path: Path) -> None:
    (path,) = MESOSCOPE.write(tmp_path / "depths")
    scan = read_scan(path)
    extractor = Extractor(path, roi_name="LM")
    assert np.array_equal(extractor.get_series()[..., 1], scan[3, :, :, 0].transpose(2, 0, 1))
    rois = (ROIS[0], roi(scanfield((1, 0.3), (1.2, 2), (12, 20)), name="narrow"))
    (path,) = replace(RECORDING, rois=rois, channels=(1,), resonant=False).write(tmp_path / "widths")
    assert Extractor(path, roi_index=1).get_series().shape == (6, 20, 12)
