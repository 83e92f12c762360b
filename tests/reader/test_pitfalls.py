"""The pitfalls of section 12 of the format reference, one by one and by name."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
import tifffile
from common import MESOSCOPE, ROIS, STACK, VOLUME, assert_reads, expected, read_warned

from scanreader import DamagedPageError, LayoutError, PathnameError, read_scan
from scanreader.files import local
from scanreader.scanimage.descriptions import epoch, frame_numbers
from scanreader.simulate import Cell, Column, Recording, roi, scanfield, write_bigtiff

PLANAR = Recording(frames_per_slice=6)


def right(recording: Recording, folder: Path, **options: Any) -> None:
    paths = recording.write(folder)
    assert_reads(read_scan(folder, **options), expected(recording, paths))


def test_01_channels_are_those_saved_not_those_active(tmp_path: Path) -> None:
    right(replace(PLANAR, channels=(2,), settings={"hChannels.channelsActive": Column([1, 2, 3])}), tmp_path)


def test_02_a_channel_has_a_number_and_its_name(tmp_path: Path) -> None:
    right(replace(PLANAR, channels=(1, 3), settings={"hChannels.channelName": Cell(["a", "b", "c"])}), tmp_path)
    scan = read_scan(tmp_path)
    assert (scan.channel_numbers, scan.channel_names) == ([1, 3], ["a", "c"])


def test_03_depths_are_repeated_for_each_frame_of_a_slice(tmp_path: Path) -> None:
    right(replace(VOLUME, frames_per_slice=3), tmp_path)
    assert read_scan(tmp_path).scanning_depths == [0, 30, 60]


@pytest.mark.parametrize("release", ["2016b", "2023.1"])
def test_04_frames_per_volume_mean_two_things(tmp_path: Path, release: str) -> None:
    right(replace(VOLUME, release=release, flyback=4), tmp_path)


def test_05_slices_are_the_actual_ones_and_only_if_enabled(tmp_path: Path) -> None:
    stale_counts = {"hStackManager.numSlices": 25, "hStackManager.actualNumSlices": 5}
    right(replace(PLANAR, settings=stale_counts), tmp_path)


def test_06_flyback_frames_are_the_last_of_each_volume(tmp_path: Path) -> None:
    right(replace(VOLUME, settings={"hFastZ.discardFlybackFrames": False}), tmp_path)


def test_07_averaging_changes_pages_rates_and_numbers(tmp_path: Path) -> None:
    right(replace(STACK, frames_per_slice=6, averaging=3), tmp_path)


def test_08_infinite_counts(tmp_path: Path) -> None:
    endless_counts = {"hStackManager.framesPerSlice": math.inf, "hStackManager.actualNumSlices": 0}
    right(replace(PLANAR, settings=endless_counts), tmp_path)


def test_09_volumes_are_counted_in_the_pages(tmp_path: Path) -> None:
    right(replace(VOLUME, settings={"hStackManager.actualNumVolumes": 1000}), tmp_path)
    assert read_scan(tmp_path).num_requested_frames == 1000


def test_10_volumes_straddle_files(tmp_path: Path) -> None:
    right(replace(VOLUME, frames_per_file=3, volumes=5), tmp_path)


def test_11_an_acquisition_is_not_a_file(tmp_path: Path) -> None:
    right(STACK, tmp_path / "stack")
    right(replace(PLANAR, loops=3), tmp_path / "loop")


def test_12_files_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    recording = replace(PLANAR, frames_per_slice=12, frames_per_file=1)
    paths = [p.rename(p.with_name(f"scan_00001_{i}.tif")) for i, p in enumerate(recording.write(tmp_path), 1)]
    assert_reads(read_scan(tmp_path), expected(recording, paths))


@pytest.mark.parametrize("frames", [9, 12, 99, 101, 130])
def test_13_galvo_files_change_their_spacing(tmp_path: Path, frames: int) -> None:
    right(replace(PLANAR, frames_per_slice=frames, resonant=False), tmp_path)


@pytest.mark.parametrize("num_characters", range(8))
def test_14_the_first_page_is_not_aligned(tmp_path: Path, num_characters: int) -> None:
    right(replace(PLANAR, settings={"hLab.note": "x" * num_characters}), tmp_path)


def test_15_an_unfinished_file_gives_its_whole_pages(tmp_path: Path) -> None:
    paths = replace(PLANAR, closed=False).write(tmp_path)
    os.truncate(paths[0], paths[0].stat().st_size - 100)
    scan, warning = read_warned(tmp_path)
    assert "5 complete pages" in warning
    pages = reference.all_pages(replace(PLANAR, frames_per_slice=5).write(tmp_path / "whole"))
    assert_reads(scan, reference.fields(pages))


@pytest.mark.parametrize("zeros_from", [0.1, 0.131, 0.15, 0.3, 0.9])
def test_15_a_tail_of_zeros(tmp_path: Path, zeros_from: float) -> None:
    """A file system fills in zeros after a power cut: here from some place in page 4 on."""
    (path,) = replace(PLANAR, closed=False).write(tmp_path)
    complete_pages = reference.all_pages([path])[:4]
    with tifffile.TiffFile(path) as tif:
        start, stride = tif.pages[4].offset, tif.pages[4].offset - tif.pages[3].offset
    size = path.stat().st_size
    os.truncate(path, start + int(zeros_from * stride))
    os.truncate(path, size)
    scan, warning = read_warned(path)
    assert warning
    assert scan.num_frames == 4
    np.testing.assert_array_equal(scan[0, :, :, 0], np.moveaxis(complete_pages, 0, -1))


def test_16_17_a_long_header_is_read_once_and_quickly(tmp_path: Path) -> None:
    right(replace(PLANAR, settings={f"hLab.line{i}": "x" * 50 for i in range(20_000)}), tmp_path)


def test_18_descriptions_may_be_cut(tmp_path: Path) -> None:
    pages = [
        (f"frameNumbers = {i + 1}\nframeNumberAcquisition = {i + 1}\nauxTrigger0 = [{'0.5 ' * 800}]\n".encode(), image)
        for i, (_, _, image) in enumerate(PLANAR.pages())
    ]
    write_bigtiff(tmp_path / "a.tif", PLANAR.header_text().encode() + b"\0", b"", pages)
    assert read_scan(tmp_path / "a.tif").num_frames == 6


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (b"frameNumbers = 7\nacquisitionNumbers = 2\nframeNumberAcquisition = 3\n", (7, 3, 2)),
        (b'{\n  "frameNumbers": 7,\n  "acquisitionNumbers": 2,\n  "frameNumberAcquisition": 3,\n', (7, 3, 2)),
        (b'{"FrameHeader": {\n\t"frameNumbers": 7,\n\t"FrameNumberAcquisition": 3', (7, 3, None)),
        (b"Frame Tag = 00000007\nscanimage.SI4.x = 1\n", (7, None, None)),
        (b"Frame Number =                7\nFrame Timestamp(s) = 0.3\n", (7, None, None)),
        (b"state.acq.numberOfFrames=3\r", (None, None, None)),
        (b"frameNumbers = \n", (None, None, None)),
    ],
)
def test_18_numbers_of_every_style(text: bytes, numbers: tuple[int | None, ...]) -> None:
    assert frame_numbers(text) == numbers


def test_19_six_digits_do_not_lift_a_period(tmp_path: Path) -> None:
    frequency = 7931.1
    right(replace(PLANAR, release="2021.0", rois=ROIS[:2], scanner_frequency=frequency, flyto=1 / frequency), tmp_path)


@pytest.mark.parametrize("version", ["2016b", 2020, 2031, "2031a", "9.9"])
def test_20_releases_of_any_spelling(tmp_path: Path, version: Any) -> None:
    paths = replace(VOLUME, settings={"VERSION_MAJOR": version}).write(tmp_path)
    scan, _ = read_warned(tmp_path)
    assert_reads(scan, expected(VOLUME, paths))


@pytest.mark.parametrize("true_value", [1, True])
def test_21_truth_is_1_or_true(tmp_path: Path, true_value: Any) -> None:
    switches = {
        "hStackManager.enable": true_value,
        "hRoiManager.mroiEnable": true_value,
        "hScan2D.bidirectional": true_value,
    }
    right(replace(MESOSCOPE, settings=switches), tmp_path)


@pytest.mark.parametrize("frequency", [math.nan, []])
def test_22_a_galvo_has_no_frequency(tmp_path: Path, frequency: Any) -> None:
    right(replace(MESOSCOPE, resonant=False, settings={"hScan2D.scannerFrequency": frequency}), tmp_path)


def test_23_the_header_does_not_know_the_size_of_a_page(tmp_path: Path) -> None:
    right(replace(MESOSCOPE, settings={"hRoiManager.linesPerFrame": 7, "hRoiManager.pixelsPerLine": 9}), tmp_path)


def test_24_the_gap_is_not_rounded(tmp_path: Path) -> None:
    right(replace(PLANAR, rois=ROIS[:2], scanner_frequency=12013.0), tmp_path)
    assert read_scan(tmp_path).fields[1].yslices == [slice(66, 106)]


def test_25_rois_are_in_the_order_of_the_list(tmp_path: Path) -> None:
    right(replace(PLANAR, rois=(ROIS[1], ROIS[3], ROIS[0])), tmp_path)
    assert read_scan(tmp_path).field_rois == [[0], [2]]


def test_26_rois_on_some_planes(tmp_path: Path) -> None:
    right(MESOSCOPE, tmp_path)


def test_27_slices_are_in_the_order_of_scanning(tmp_path: Path) -> None:
    right(replace(VOLUME, zs=(30.0, 60.0, 0.0)), tmp_path)
    assert read_scan(tmp_path).field_depths == [30, 60, 0]


def test_28_json_collapses(tmp_path: Path) -> None:
    shape: dict[str, Any] = scanfield(pixels=(24, 20))
    nested_roi = {**roi(shape), "zs": [[0]], "scanfields": [[shape]]}
    right(replace(PLANAR, rois=(nested_roi, ROIS[0])), tmp_path)


def test_30_affines_are_in_micrometres_from_pixels_that_count_from_0(tmp_path: Path) -> None:
    PLANAR.write(tmp_path)
    field = read_scan(tmp_path).fields[0]
    np.testing.assert_allclose(field.affine @ [-0.5, -0.5, 1], [-90, -90, 1])
    np.testing.assert_allclose(field.affine @ [15.5, 15.5, 1], [90, 90, 1])


def test_31_negative_values_stay_negative(tmp_path: Path) -> None:
    right(PLANAR, tmp_path)
    assert read_scan(tmp_path)[:].min() < 0


def test_33_a_clock_with_blanks_or_nonsense() -> None:
    assert epoch(b"epoch = [2022  8  8 16 39 49.190]") == (2022, 8, 8, 16, 39, 49.19)
    assert epoch(b'"epoch": [2018,10, 9,11,58,49.866],') == (2018, 10, 9, 11, 58, 49.866)
    assert epoch(b"epoch = [a b]") is None
    assert epoch(b"nothing") is None


def test_35_legacy_files(tmp_path: Path) -> None:
    right(Recording(release="3.8", height=64, width=64, frames_per_slice=4, dtype="uint16"), tmp_path)


def test_36_more_pages_than_matlab_counts(tmp_path: Path) -> None:
    Recording(height=2, width=4, frames_per_slice=70_000).write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.num_frames == 70_000
    np.testing.assert_array_equal(scan[0, 0, 0, 0, 65_000:66_000], np.arange(65_000, 66_000) % 32768)


def test_38_a_page_that_was_replaced_at_the_end_of_the_file(tmp_path: Path) -> None:
    """Another program appended a page and pointed the chain to it: the old one must not be read."""
    (path,) = replace(PLANAR, frames_per_slice=12).write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        offsets = [page.offset for page in tif.pages]
    data = path.read_bytes()
    stride = offsets[1] - offsets[0]
    record = bytearray(data[offsets[7] : offsets[7] + stride])
    end = len(data)
    struct.pack_into("<Q", record, 8 + 6 * 20 + 12, end + 376)
    pixels = np.full((16, 16), -77, np.int16).tobytes()
    path.write_bytes(data + bytes(record[:376]) + pixels)
    with path.open("r+b") as file:
        file.seek(offsets[6] + 368)
        file.write(struct.pack("<Q", end))
    expected_pixels = reference.all_pages([path])
    assert (expected_pixels[7] == -77).all()
    assert len(expected_pixels) == 12
    with pytest.raises(DamagedPageError, match="skips a page"):
        read_scan(path)


def test_38_pages_in_another_order_than_their_bytes(tmp_path: Path) -> None:
    (path,) = PLANAR.write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        ifd_starts = [page.offset for page in tif.pages]
    order = [0, 3, 2, 1, 4, 5]
    with path.open("r+b") as file:
        for page_before, page_after in zip(order, [*order[1:], None], strict=True):
            file.seek(ifd_starts[page_before] + 368)
            file.write(struct.pack("<Q", 0 if page_after is None else ifd_starts[page_after]))
    expected_pixels = reference.all_pages([path])
    assert len(expected_pixels) == 6
    scan = read_scan(path, raw=True)
    np.testing.assert_array_equal(scan[0, :, :, 0], np.moveaxis(expected_pixels, 0, -1))


# ------------------------------------------------- what a reviewer once got wrong


def write_legacy(folder: Path, name: str, **facts: Any) -> Path:
    (path,) = Recording(release="3.8", **facts).write(folder / name)
    return path.rename(folder / f"{name}.tif")


def test_legacy_files_of_other_settings_are_other_recordings(tmp_path: Path) -> None:
    write_legacy(tmp_path, "S001", channels=(1,), frames_per_slice=4)
    write_legacy(tmp_path, "S002", channels=(1, 2), frames_per_slice=4)
    with pytest.raises(PathnameError, match="2 recordings"):
        read_scan(str(tmp_path / "S00*.tif"))


def test_legacy_stacks_do_not_straddle_acquisitions(tmp_path: Path) -> None:
    zs = (0.0, 10.0, 20.0)
    write_legacy(tmp_path, "S001", mode="slow", zs=zs, stop=2)
    second = write_legacy(tmp_path, "S002", mode="slow", zs=zs)
    scan, warning = read_warned(str(tmp_path / "S00*.tif"))
    assert "2 pages" in warning
    assert_reads(scan, reference.fields(reference.all_pages([second]), slices=3))


@pytest.mark.parametrize("missing_part", [0, 1])
def test_a_missing_part_of_a_legacy_stack_is_refused(tmp_path: Path, missing_part: int) -> None:
    zs = tuple(10.0 * i for i in range(6))
    paths = Recording(release="3.8", mode="slow", zs=zs, frames_per_file=2).write(tmp_path)
    paths[missing_part].unlink()
    with pytest.raises(LayoutError, match=rf"part {missing_part + 1} is missing"):
        read_scan(tmp_path)


def test_a_missing_part_of_a_legacy_recording_is_said(tmp_path: Path) -> None:
    paths = Recording(release="3.8", frames_per_slice=6, frames_per_file=2).write(tmp_path)
    paths[1].unlink()
    scan, warning = read_warned(tmp_path)
    assert "part 2 is missing" in warning
    assert_reads(scan, reference.fields(reference.all_pages([paths[0], paths[2]])))


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": (1, 3)},
        {"zs": (0.0, 40.0, 60.0)},
        {"zs": (60.0, 30.0, 0.0)},
        {"flyback": 1},
        {"mode": "slow", "flyback": 0},
    ],
)
def test_lists_of_recordings_that_differ_are_not_joined(tmp_path: Path, changes: dict[str, Any]) -> None:
    (a,) = replace(VOLUME, stem="a").write(tmp_path)
    (b,) = replace(VOLUME, stem="b", **changes).write(tmp_path)
    with pytest.raises(LayoutError, match=r"b_00001\.tif and a_00001\.tif differ"):
        read_scan([a, b])


@pytest.mark.parametrize(
    ("release", "missing_setting"),
    [
        ("2023.1", "hStackManager.numFramesPerVolumeWithFlyback"),
        ("2016b", "hFastZ.numFramesPerVolume"),
        ("2016b", "hFastZ.enable"),
    ],
)
def test_a_missing_count_is_not_guessed(tmp_path: Path, release: str, missing_setting: str) -> None:
    replace(VOLUME, release=release, settings={missing_setting: None}).write(tmp_path)
    with pytest.raises(LayoutError, match="raw=True"):
        read_scan(tmp_path)


def test_a_stack_is_on_where_its_volume_has_frames(tmp_path: Path) -> None:
    right(replace(VOLUME, settings={"hStackManager.enable": None}), tmp_path)


def test_the_older_flyback_switch(tmp_path: Path) -> None:
    flyback_settings = {"hFastZ.discardFlybackFrames": False, "hFastZ.numDiscardFlybackFrames": 2}
    right(replace(VOLUME, release="5.1", flyback=0, settings=flyback_settings), tmp_path)


def test_a_slow_stack_of_one_slice_is_planar(tmp_path: Path) -> None:
    (path,) = Recording(mode="slow", zs=(0.0,), frames_per_slice=3, volumes=5).write(tmp_path)
    assert_reads(read_scan(path), reference.fields(reference.all_pages([path])))


def test_a_part_of_a_loop_of_slow_stacks_that_cannot_be_placed_is_refused(tmp_path: Path) -> None:
    recording = replace(STACK, loops=2, frames_per_slice=1, frames_per_file=2)
    paths = recording.write(tmp_path)
    with pytest.raises(LayoutError, match="loop"):
        read_scan(paths[-1])
    for dropped_frame in (0, 9):
        (tmp_path / f"{dropped_frame}").mkdir()
        replace(STACK, loops=2, frames_per_slice=1, dropped=(dropped_frame,)).write(tmp_path / f"{dropped_frame}")
    scan, warning = read_warned(tmp_path / "0")
    assert "frames before it are missing" in warning
    assert scan.num_frames == 5
    with pytest.raises(LayoutError, match="loop"):
        read_scan(tmp_path / "9")


def test_what_is_checked_may_stand_on_both_sides_of_the_pixels(tmp_path: Path) -> None:
    """Strip arrays before the pixels, the IFD behind: a layout of another program."""
    expected_pixels = (np.arange(5 * 8 * 6) - 100).astype(np.int16).reshape(5, 8, 6)
    data = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    at_next = 4
    for image in expected_pixels:
        arrays = len(data)
        pixels = arrays + 32
        ifd = pixels + image.nbytes
        strips = [pixels + 24 * i for i in range(4)]
        data += struct.pack("<8I", *strips, *[24] * 4) + image.tobytes()
        tags = [(256, 3, 1, 6), (257, 3, 1, 8), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
        tags += [(273, 4, 4, arrays), (277, 3, 1, 1), (278, 3, 1, 2), (279, 4, 4, arrays + 16), (339, 3, 1, 2)]
        data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags) + bytes(4)
        struct.pack_into("<I", data, at_next, ifd)
        at_next = len(data) - 4
    (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(reference.all_pages([tmp_path / "a.tif"]), expected_pixels)
    scan, _ = read_warned(tmp_path / "a.tif")
    assert_reads(scan, reference.fields(expected_pixels))


@pytest.mark.parametrize("pointer", [1 << 63, (1 << 64) - 8, 1 << 40, 3])
def test_pointers_to_nowhere(tmp_path: Path, pointer: int) -> None:
    (path,) = PLANAR.write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages.first.offset
    with path.open("r+b") as file:
        file.seek(offset + 368)
        file.write(struct.pack("<Q", pointer))
    scan, warning = read_warned(path)
    assert "page 0 of scan_00001.tif points to byte" in warning
    assert_reads(scan, [np.stack([image for *_, image in PLANAR.pages()], axis=-1)[:, :, None]])


@pytest.mark.parametrize("value", [1e30, -3, 2.5, math.nan])
def test_absurd_counts_are_our_own_errors(tmp_path: Path, value: float) -> None:
    replace(STACK, release="2016b", settings={"hStackManager.numSlices": value}).write(tmp_path)
    try:
        read_warned(tmp_path)
    except LayoutError as error:
        assert "raw=True" in str(error)  # noqa: PT017 - planar, or refused


def test_rates_of_zero(tmp_path: Path) -> None:
    Recording(release="3.8", settings={"acq.frameRate": 0}).write(tmp_path / "3")
    Recording(release="5.0", settings={"scanFramePeriod": 0}).write(tmp_path / "5")
    Recording(settings={"hScan2D.fillFractionTemporal": 0}).write(tmp_path / "23")
    for folder in tmp_path.iterdir():
        scan = read_scan(folder)
        assert scan.fps >= 0 or math.isnan(scan.fps)
        assert scan.field_offsets[0].shape == (16, 16)


def test_a_page_with_a_corrupt_byte_count_is_what_tifffile_says(tmp_path: Path) -> None:
    (path,) = replace(PLANAR, frames_per_slice=20).write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[13].offset
    with path.open("r+b") as file:
        file.seek(offset + 8 + 10 * 20 + 12)
        file.write(struct.pack("<Q", 4))
    expected_pixels = reference.all_pages([path])
    np.testing.assert_array_equal(read_scan(path)[0, :, :, 0, 13], expected_pixels[13])


def test_a_seam_of_two_acquisitions_that_counts_on_by_chance_is_one(tmp_path: Path) -> None:
    """5.1 writes no acquisition number: frames 1 and 2 of the first, then frame 3 of the second, are no volume."""
    recording = Recording(release="5.1", mode="fast", zs=(0.0, 10.0, 20.0), loops=2, dropped=(2, 3, 4))
    recording.write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert "no volume is complete" in warning
    assert scan.num_fields == 2
    assert scan.num_frames == 1


def test_a_loop_that_stopped_and_began_late_is_refused(tmp_path: Path) -> None:
    recording = Recording(mode="slow", zs=(0.0, 1.0, 2.0), volumes=2, loops=2, dropped=(4, 5, 6, 7))
    recording.write(tmp_path)
    with pytest.raises(LayoutError, match="of a loop"):
        read_scan(tmp_path)


@pytest.mark.parametrize("odd_page", [1, 2, 4, 6, 10, 15])
def test_odd_galvo_pages_that_cancel_out_do_not_hide_their_numbers(tmp_path: Path, odd_page: int) -> None:
    recording = Recording(frames_per_slice=9, channels=(1, 2), resonant=False)
    texts = recording.header_text().encode() + b"\0", recording.roi_text().encode() + b"\0"
    pages = [
        (
            recording.description(frame, 0.01).encode().ljust(300)
            + b" " * (8 * (i == odd_page) - 8 * (i == odd_page + 1)),
            image,
        )
        for i, (frame, _, image) in enumerate(recording.pages())
    ]
    shorter_pages = [(text[:292] if i == odd_page + 1 else text, image) for i, (text, image) in enumerate(pages)]
    write_bigtiff(tmp_path / "a.tif", *texts, shorter_pages, slot=None)
    expected_pixels = reference.all_pages([tmp_path / "a.tif"])
    assert_reads(read_scan(tmp_path / "a.tif"), reference.fields(expected_pixels, channels=2))


def test_a_failing_disk_is_our_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = PLANAR.write(tmp_path)
    scan = read_scan(path)

    def fail(*_: Any) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(local, "_read_once", fail)
    for job in (lambda: scan[0], lambda: read_scan(path)):
        with pytest.raises(DamagedPageError, match=r"scan_00001\.tif.*cannot be read at byte \d+: Input"):
            job()


def test_a_file_system_without_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = PLANAR.write(tmp_path)
    scan = read_scan(paths[0])

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr("mmap.mmap", fail)
    np.testing.assert_array_equal(scan[0, 3, 4, 0], reference.all_pages(paths)[:, 3, 4])
