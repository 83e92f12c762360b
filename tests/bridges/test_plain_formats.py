"""Plain TIFF files, ImageJ's hyperstacks and HDF5: pixels by tifffile and h5py, facts, refusals, verification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from bridges.odd import ODD_SCANS
from common import MESOSCOPE, VOLUME, expected

from scanreader import (
    DtypeError,
    FieldDimensionMismatch,
    LayoutError,
    MissingExtraError,
    Scan,
    ScanReaderWarning,
    TargetExistsError,
    read_scan,
)
from scanreader.bridges import hdf5, streams, tiff
from scanreader.bridges.hdf5 import to_hdf5
from scanreader.bridges.tiff import to_tiff, to_tiff_folder
from scanreader.simulate import Recording

TWO = Recording(height=24, width=20, frames_per_slice=13, channels=(1, 3))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BLOCK", 24 * 20 * 2 * 5)


def opened(recording: Recording, folder: Path) -> tuple[Scan, list[Any]]:
    """A scan, and its fields as the dumb reader gives them."""
    paths = recording.write(folder / "raw")
    return read_scan(folder / "raw"), expected(recording, paths)


# ----------------------------------------------------------------------------- plain TIFF


def test_a_plain_tiff_has_the_channels_of_a_frame_then_the_next(tmp_path: Path) -> None:
    scan, (field,) = opened(TWO, tmp_path)
    num_bytes: list[int] = []
    to_tiff(scan, tmp_path / "a.tif", progress=num_bytes.append)
    assert sum(num_bytes) == field.nbytes
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        assert len(file.pages) == 26
        assert np.array_equal(file.asarray(), field.transpose(3, 2, 0, 1).reshape(26, 24, 20))
        for t, c in ((0, 1), (12, 0)):
            assert np.array_equal(file.pages[2 * t + c].asarray(), field[:, :, c, t])
        page = file.pages.first
        assert (page.tags["ResolutionUnit"].value, page.description) == (3, "")
        width, height = (1e4 / resolution for resolution in page.get_resolution())
        assert width == pytest.approx(scan.fields[0].pixel_width_in_microns)
        assert height == pytest.approx(scan.fields[0].pixel_height_in_microns)
    result = scan.verify(tmp_path / "a.tif")
    assert result.ok, result
    assert result.num_pixels == field.size
    assert "a plain TIFF: equal" in str(result)
    with pytest.raises(TargetExistsError):
        to_tiff(scan, tmp_path / "a.tif")
    to_tiff(scan.select(channels=[1]), tmp_path / "a.tif", overwrite=True)
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), field[:, :, 1].transpose(2, 0, 1))


def test_a_file_of_scanimage_or_another_program_is_never_replaced(tmp_path: Path) -> None:
    scan, _ = opened(TWO, tmp_path)
    (other_path,) = TWO.write(tmp_path / "other")
    tifffile.imwrite(tmp_path / "mine.tif", np.zeros((3, 4), np.int16))
    for target in (other_path, tmp_path / "mine.tif"):
        with pytest.raises(TargetExistsError, match="is not a plain TIFF of scanreader"):
            to_tiff(scan, target, overwrite=True)


def test_several_fields_are_refused_with_what_to_do(tmp_path: Path) -> None:
    scan, _ = opened(VOLUME, tmp_path)
    with pytest.raises(FieldDimensionMismatch, match=r"one field, not 3.*--per-field.*--tiff.*\.ome\.tif"):
        to_tiff(scan, tmp_path / "a.tif")
    assert not (tmp_path / "a.tif").exists()


def test_a_changed_plain_tiff_is_seen(tmp_path: Path) -> None:
    scan, _ = opened(TWO, tmp_path)
    to_tiff(scan, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        start = file.pages[2 * 7 + 1].dataoffsets[0]
    with (tmp_path / "a.tif").open("r+b") as stream:
        stream.seek(start + 2)
        stream.write(b"\x12\x34")
    assert "field 0, channel 1, frame 7: 1 pixel differs" in str(scan.verify(tmp_path / "a.tif"))
    assert "shape (26, 24, 20)" in str(scan.select(frames=slice(3)).verify(tmp_path / "a.tif"))
    (tmp_path / "b.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:-9000])
    assert not scan.verify(tmp_path / "b.tif").ok
    (tmp_path / "c.tif").write_bytes((tmp_path / "a.tif").read_bytes()[: start - 200])
    assert not scan.verify(tmp_path / "c.tif").ok


def test_a_folder_has_a_file_for_each_field_and_channel(tmp_path: Path) -> None:
    scan, fields = opened(replace(MESOSCOPE, channels=(1, 2)), tmp_path)
    to_tiff_folder(scan, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {".scanreader.json", *(f"field{i}_channel{c}.tif" for i in range(5) for c in (1, 2))}
    for i, field in enumerate(fields):
        for c in range(2):
            pixels = tifffile.imread(tmp_path / "out" / f"field{i}_channel{c + 1}.tif")
            assert np.array_equal(pixels, field[:, :, c].transpose(2, 0, 1))
    result = scan.verify(tmp_path / "out")
    assert result.ok, result
    assert result.num_pixels == sum(field.size for field in fields)
    to_tiff_folder(scan, tmp_path / "out", overwrite=True)
    (tmp_path / "out" / "field0_channel1.tif").rename(tmp_path / "out" / "notes.tif")
    assert {str(difference) for difference in scan.verify(tmp_path / "out").differences} == {
        "the file notes.tif is there, which was not written",
        "the file field0_channel1.tif is missing",
    }
    with pytest.raises(TargetExistsError, match="would be lost"):
        to_tiff_folder(scan, tmp_path / "out", overwrite=True)


# ------------------------------------------------------------------------------ hyperstack


def test_a_hyperstack(tmp_path: Path) -> None:
    scan, fields = opened(VOLUME, tmp_path)
    to_tiff(scan, tmp_path / "a.tif", imagej=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_imagej
        assert not file.is_bigtiff
        (series,) = file.series
        assert series.axes == "TZCYX"
        assert np.array_equal(series.asarray(), np.stack(fields).transpose(4, 0, 3, 1, 2))
        facts = file.imagej_metadata or {}
        assert (facts["spacing"], facts["unit"], facts["slices"], facts["channels"]) == (30.0, "um", 3, 2)
        assert facts["finterval"] == pytest.approx(1 / scan.fps)
        assert facts["Info"].startswith("SI.")
    result = scan.verify(tmp_path / "a.tif")
    assert result.ok, result
    selection = scan.select(fields=[1], channels=[1])
    to_tiff(selection, tmp_path / "b.tif", imagej=True)
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), fields[1][:, :, 1].transpose(2, 0, 1))
    assert selection.verify(tmp_path / "b.tif").ok


def test_uneven_depths_of_a_hyperstack_are_said_to_be_skipped(tmp_path: Path) -> None:
    scan, fields = opened(replace(VOLUME, zs=(30.0, 0.0, 75.0)), tmp_path)
    with pytest.warns(ScanReaderWarning, match="0, 30, 75 µm. are uneven: they are skipped"):
        to_tiff(scan, tmp_path / "a.tif", imagej=True)
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif")[:, 2], fields[2].transpose(3, 2, 0, 1))
    result = scan.verify(tmp_path / "a.tif")
    assert result.ok
    assert any("are uneven" in omission.what for omission in result.left_out)


def test_another_unit_of_a_hyperstack_is_noticed(tmp_path: Path) -> None:
    scan, _ = opened(VOLUME, tmp_path)
    to_tiff(scan, tmp_path / "a.tif", imagej=True)
    pixels = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(pixels.replace(b"unit=um", b"unit=mm", 1))
    assert "ImageJ's unit" in str(scan.verify(tmp_path / "a.tif"))


def test_hyperstacks_that_imagej_cannot_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, _ = opened(MESOSCOPE, tmp_path / "rois")
    with pytest.raises(FieldDimensionMismatch, match="one field, or one ROI at several depths"):
        to_tiff(scan, tmp_path / "a.tif", imagej=True)
    scan, _ = opened(VOLUME, tmp_path / "volume")
    monkeypatch.setattr(tiff, "MOST_BYTES", 1000)
    with pytest.raises(LayoutError, match=r"ends at 4 GB.*\.ome\.tif.*--frames"):
        to_tiff(scan, tmp_path / "a.tif", imagej=True)
    scan = read_scan(tmp_path / "volume" / "raw", dtype="float64")
    with pytest.raises(DtypeError, match="float64"):
        to_tiff(scan, tmp_path / "a.tif", imagej=True)
    assert not (tmp_path / "a.tif").exists()


# ------------------------------------------------------------------------------------ HDF5


def test_hdf5_has_one_dataset_frames_first(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    scan, (field,) = opened(TWO, tmp_path)
    selection = scan.select(channels=[1])
    to_hdf5(selection, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert list(file) == ["mov"]
        data = file["mov"]
        assert np.array_equal(data[:], field[:, :, 1].transpose(2, 0, 1))
        assert data.attrs["frame_rate"] == scan.fps
        assert data.attrs["channel"] == "Channel 3"
        assert data.attrs["dimensions"] == "frames, y, x"
        assert data.attrs["field_pixel_width"] == scan.fields[0].pixel_width_in_microns
        assert np.array_equal(data.attrs["timestamps"], scan.timestamps[0])
        assert data.attrs["scanimage_header"] == scan.header_block
    result = selection.verify(tmp_path / "a.h5")
    assert result.ok, result
    assert result.num_pixels == field[:, :, 1].size
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["mov"][4, 2, 3] += 1
        file["mov"].attrs["frame_rate"] = 1.0
    sentences = str(selection.verify(tmp_path / "a.h5"))
    assert "field 0, channel 0, frame 4: 1 pixel differs" in sentences
    assert "the attribute frame_rate is 1 Hz in the target" in sentences
    assert "the scan has 1 and 2" in str(scan.verify(tmp_path / "a.h5"))
    to_hdf5(selection, tmp_path / "a.h5", overwrite=True)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["mov"] = np.zeros(3)
    with pytest.raises(TargetExistsError, match="is not an HDF5 file of scanreader"):
        to_hdf5(selection, tmp_path / "other.h5", overwrite=True)


def test_headers_and_times_beyond_the_64_kib_of_old_attributes(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    recording = Recording(height=2, width=2, frames_per_slice=10_000, settings={"SI.long": "1 " * 50_000})
    scan, _ = opened(recording, tmp_path)
    to_hdf5(scan, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert file["mov"].attrs["scanimage_header"] == scan.header_block
        assert len(file["mov"].attrs["timestamps"]) == 10_000
    assert scan.verify(tmp_path / "a.h5").ok


@pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")
@pytest.mark.parametrize("make", [make for _, make in ODD_SCANS], ids=[name for name, _ in ODD_SCANS])
def test_odd_recordings_are_equal_in_every_format(tmp_path: Path, make: Callable[[Path], Scan]) -> None:
    h5py = pytest.importorskip("h5py")
    scan = make(tmp_path)
    first = scan.select(fields=[0], channels=[0])
    expected_frames = first[0, :, :, 0].transpose(2, 0, 1)
    try:
        to_tiff(first, tmp_path / "out" / "a.tif")
    except MissingExtraError as error:  # older versions of tifffile
        pytest.skip(str(error))
    to_hdf5(first, tmp_path / "out" / "a.h5")
    to_tiff_folder(scan, tmp_path / "out" / "folder")
    with h5py.File(tmp_path / "out" / "a.h5", "r") as file:
        assert np.array_equal(file["mov"][:], expected_frames)
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "a.tif").reshape(expected_frames.shape), expected_frames)
    for source, name in ((first, "a.tif"), (first, "a.h5"), (scan, "folder")):
        result = source.verify(tmp_path / "out" / name)
        assert result.ok, result
    first.close()
    scan.close()


def test_hdf5_is_of_one_field_and_channel(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    scan, _ = opened(VOLUME, tmp_path)
    with pytest.raises(FieldDimensionMismatch, match="1 of them with 2 channels: .*--per-field --per-channel"):
        to_hdf5(scan, tmp_path / "a.h5")


def test_a_missing_h5py_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, _ = opened(TWO, tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"scanreader\[hdf5\]"):
        hdf5.to_hdf5(scan, tmp_path / "a.h5")
