"""What an OME-TIFF does not have of a scan is told, and what is known of a part of the planes is written for those."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, VOLUME, expected

from scanreader import ScanReaderWarning, read_scan
from scanreader.bridges import ome
from scanreader.simulate import Recording, roi, scanfield


def images(path: Path) -> list[ET.Element]:
    """The images of an OME-TIFF's XML."""
    with tifffile.TiffFile(path) as file:
        assert file.ome_metadata is not None
        return ET.fromstring(file.ome_metadata).findall("{*}Image")


def planes(image: ET.Element) -> list[dict[str, str]]:
    """Attributes of each plane, in the order of the file."""
    return [dict(plane.attrib) for plane in image.iterfind(".//{*}Plane")]


def test_places_and_times_of_each_plane(tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as scan:
        scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field")
        for i, image in enumerate(images(tmp_path / "a.ome.tif")):
            plane_attributes = planes(image)
            assert [(plane["TheT"], plane["TheC"]) for plane in plane_attributes] == [
                (str(t), str(c)) for t in range(4) for c in range(2)
            ]
            assert {float(plane["PositionZ"]) for plane in plane_attributes} == {VOLUME.zs[i]}
            seconds = [float(plane["DeltaT"]) for plane in plane_attributes]
            np.testing.assert_allclose(seconds, np.repeat(scan.field_timestamps(i), 2))


def test_too_many_planes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    VOLUME.write(tmp_path / "raw")
    monkeypatch.setattr(ome, "MOST_PLANES", 7)
    with read_scan(tmp_path / "raw") as scan:
        sentence = "an image has 8 planes, more than 7: the OME-TIFF does not have their places and times"
        with pytest.warns(ScanReaderWarning, match=sentence) as warning_records:
            scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field")
        assert len(warning_records) == 1
        scan.select(channels=[0]).to_ome_tiff(tmp_path / "few.ome.tif", grouped="field")
    assert planes(images(tmp_path / "a.ome.tif")[0]) == []
    assert len(planes(images(tmp_path / "few.ome.tif")[0])) == 4


def test_times_that_are_known_are_written(tmp_path: Path) -> None:
    """A description without a time leaves the others theirs."""
    (path,) = Recording(frames_per_slice=6).write(tmp_path / "raw")
    content = path.read_bytes()
    start = content.index(b"frameTimestamps_sec = ", content.index(b"frameNumbers = 3"))
    path.write_bytes(content[:start] + b"frameTimestamps_XXX = " + content[start + 22 :])
    with read_scan(path) as scan:
        times = scan.field_timestamps(0)
        assert np.flatnonzero(np.isnan(times)).tolist() == [2]
        scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field")
    plane_attributes = planes(images(tmp_path / "a.ome.tif")[0])
    assert ["DeltaT" in plane for plane in plane_attributes] == [True, True, False, True, True, True]
    assert all("PositionX" in plane for plane in plane_attributes)
    np.testing.assert_allclose([float(plane.get("DeltaT", "nan")) for plane in plane_attributes], times)


def test_a_place_that_is_unknown_is_not_written(tmp_path: Path) -> None:
    Recording(frames_per_slice=3, settings={"hStackManager.zs": float("nan")}).write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as scan:
        assert np.isnan(scan.fields[0].depth)
        scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field")
    assert all(
        {"PositionX", "PositionZ"} & {*plane} == {"PositionX"} for plane in planes(images(tmp_path / "a.ome.tif")[0])
    )


def test_a_rotation_that_is_skipped_is_told(tmp_path: Path) -> None:
    rois = (roi(scanfield((0.0, 0.0), (3.0, 2.0), (12, 8), rotation=15)),)
    recording = replace(MESOSCOPE, rois=rois)
    paths = recording.write(tmp_path / "raw")
    with (
        read_scan(tmp_path / "raw") as scan,
        pytest.warns(ScanReaderWarning, match="OME-TIFF has no rotation: that of fields 0, 1 is skipped"),
    ):
        scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        np.testing.assert_array_equal(
            file.series[1].asarray().transpose(1, 2, 0), expected(recording, paths)[1][:, :, 0]
        )
