"""Every release and every mode gives the right frame, as the dumb reader has it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import STACK, VOLUME, assert_reads, expected, read_warned

from scanreader import VERSIONS, LayoutError, ScanImageVersionError, read_scan
from scanreader.simulate import RELEASES, Cell, Column, Recording, Verbatim

STACKS = [r for r in RELEASES if r not in ("3.8", "4.2", "5.0")]


def assert_right(recording: Recording, folder: Path, **options: Any) -> None:
    paths = recording.write(folder)
    assert_reads(read_scan(folder, **options), expected(recording, paths))


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("channels", [(1,), (2,), (1, 3), (1, 2, 4)])
def test_planar(tmp_path: Path, release: str, channels: tuple[int, ...]) -> None:
    assert_right(Recording(release=release, frames_per_slice=7, channels=channels), tmp_path)


@pytest.mark.parametrize("release", STACKS)
def test_fast_volume(tmp_path: Path, release: str) -> None:
    assert_right(replace(VOLUME, release=release), tmp_path)
    scan = read_scan(tmp_path)
    assert scan.scanning_depths == [0, 30, 60]
    assert scan.fps == pytest.approx(scan.scan_frame_rate / 5, rel=1e-4)
    assert scan.num_requested_frames == 4


@pytest.mark.parametrize("release", STACKS)
def test_slow_stack_of_several_volumes(tmp_path: Path, release: str) -> None:
    assert_right(replace(STACK, release=release, channels=(1, 2)), tmp_path)
    scan = read_scan(tmp_path)
    assert scan.is_slow_stack
    assert scan.num_frames == 6
    assert scan.fps == pytest.approx(scan.scan_frame_rate)


@pytest.mark.parametrize("release", STACKS)
@pytest.mark.parametrize("averaging", [2, 4])
def test_averaged_slow_stack(tmp_path: Path, release: str, averaging: int) -> None:
    recording = replace(STACK, release=release, frames_per_slice=4, averaging=averaging)
    assert_right(recording, tmp_path)
    scan = read_scan(tmp_path)
    assert scan.fps == pytest.approx(scan.scan_frame_rate / averaging)


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("flyback", [0, 3])
def test_repeats_of_a_slice_become_frames(tmp_path: Path, repeats: int, flyback: int) -> None:
    recording = replace(VOLUME, frames_per_slice=repeats, flyback=flyback)
    assert_right(recording, tmp_path)
    scan = read_scan(tmp_path)
    assert scan.num_frames == 4 * repeats
    assert scan.fps == pytest.approx(scan.scan_volume_rate * repeats)


def test_averaged_volume(tmp_path: Path) -> None:
    assert_right(replace(VOLUME, frames_per_slice=4, averaging=2, flyback=2), tmp_path)


def test_averaged_planar_where_averaging_divides_nothing(tmp_path: Path) -> None:
    assert_right(Recording(frames_per_slice=17, averaging=5), tmp_path)
    scan = read_scan(tmp_path)
    assert scan.num_frames == 3
    assert scan.fps == pytest.approx(scan.scan_frame_rate / 5)


@pytest.mark.parametrize("release", ["2016b", "2023.1"])
def test_averaging_that_straddles_volumes_is_refused(tmp_path: Path, release: str) -> None:
    replace(VOLUME, release=release, averaging=2, flyback=1, frames_per_slice=1).write(tmp_path)
    with pytest.raises(LayoutError, match="averaging over 2 frames"):
        read_scan(tmp_path)
    assert read_scan(tmp_path, raw=True).shape == (1, 16, 16, 1, 16)


@pytest.mark.parametrize(
    ("channels_saved", "count"), [(Column([1, 2]), 2), ([1, 2], 2), (2, 1), ([1, 4], 2), (Column([3]), 1)]
)
def test_channels_saved_in_every_spelling(tmp_path: Path, channels_saved: Any, count: int) -> None:
    channels = tuple(channels_saved) if isinstance(channels_saved, list) else (channels_saved,)
    recording = Recording(frames_per_slice=6, channels=channels, settings={"hChannels.channelSave": channels_saved})
    assert_right(recording, tmp_path)
    scan = read_scan(tmp_path)
    assert scan.num_channels == count
    assert scan.channel_names == [f"Channel {n}" for n in channels]


def test_channel_names_are_those_of_the_numbers(tmp_path: Path) -> None:
    names = Cell(["GCaMP", "unused", "tdTomato"])
    Recording(channels=(1, 3), settings={"hChannels.channelName": names}).write(tmp_path)
    assert read_scan(tmp_path).channel_names == ["GCaMP", "tdTomato"]


def test_frames_without_end(tmp_path: Path) -> None:
    endless_counts = {"hStackManager.framesPerSlice": math.inf, "hStackManager.actualNumSlices": 0}
    assert_right(Recording(frames_per_slice=5, settings=endless_counts), tmp_path)
    scan = read_scan(tmp_path)
    assert scan.num_frames == 5
    assert scan.num_requested_frames == 10**9


def test_frames_without_end_with_a_stack_enabled(tmp_path: Path) -> None:
    endless_counts = {
        "hStackManager.framesPerSlice": math.inf,
        "hStackManager.actualNumSlices": 0,
        "hStackManager.enable": True,
    }
    assert_right(Recording(frames_per_slice=5, settings=endless_counts), tmp_path)


# ------------------------------------------------------------ one slice


def test_a_stack_of_one_slice_is_planar(tmp_path: Path) -> None:
    stack_settings = {"hStackManager.enable": True, "hStackManager.zs": [7] * 9, "hStackManager.numFramesPerVolume": 9}
    stack_settings["hStackManager.numFramesPerVolumeWithFlyback"] = 9
    assert_right(Recording(frames_per_slice=9, channels=(1, 2), settings=stack_settings), tmp_path)
    assert read_scan(tmp_path).scanning_depths == [7]


def test_one_slice_with_flyback_drops_it(tmp_path: Path) -> None:
    single_slice = Recording(mode="fast", zs=(5.0,), frames_per_slice=3, flyback=1, volumes=4)
    assert_right(single_slice, tmp_path)
    assert read_scan(tmp_path).shape == (1, 16, 16, 1, 12)


def test_one_averaged_slice_with_flyback_is_refused(tmp_path: Path) -> None:
    Recording(mode="fast", zs=(5.0,), frames_per_slice=3, flyback=1, volumes=3, averaging=3).write(tmp_path)
    with pytest.raises(LayoutError, match="averaging over 3"):
        read_scan(tmp_path)


def test_one_slice_of_the_older_header_with_fast_z_on(tmp_path: Path) -> None:
    stack_settings = {"hFastZ.enable": True, "hFastZ.numFramesPerVolume": 1}
    assert_right(Recording(release="2016b", frames_per_slice=9, settings=stack_settings), tmp_path)


def test_one_slice_of_the_older_header_with_flyback(tmp_path: Path) -> None:
    single_slice = Recording(release="2016b", mode="fast", zs=(5.0,), flyback=2, volumes=4)
    assert_right(single_slice, tmp_path)
    assert read_scan(tmp_path).num_frames == 4


# ---------------------------------------------------- stacks of other kinds


def test_arbitrary_stack_keeps_the_users_order(tmp_path: Path) -> None:
    recording = replace(VOLUME, zs=(60.0, 0.0, 30.0), settings={"hStackManager.numSlices": 1})
    assert_right(recording, tmp_path)
    assert read_scan(tmp_path).field_depths == [60, 0, 30]


def test_dual_actuators_make_no_fields(tmp_path: Path) -> None:
    actuator_settings = {
        "hStackManager.zsAllActuators": Verbatim("[0 100;30 130;60 160]"),
        "hStackManager.numFastZActuators": 2,
    }
    assert_right(replace(VOLUME, settings=actuator_settings), tmp_path)
    assert read_scan(tmp_path).num_fields == 3


def test_requested_slices_of_the_user_interface_are_not_counted(tmp_path: Path) -> None:
    assert_right(Recording(frames_per_slice=4, settings={"hStackManager.numSlices": 121}), tmp_path)


def test_slow_stack_with_fast_z(tmp_path: Path) -> None:
    replace(STACK, settings={"hStackManager.stackActuator": "fastZ"}).write(tmp_path / "new")
    assert read_scan(tmp_path / "new").is_slow_stack_with_fastZ
    replace(STACK, release="2016b", settings={"hStackManager.slowStackWithFastZ": True}).write(tmp_path / "old")
    assert read_scan(tmp_path / "old").is_slow_stack_with_fastZ


def test_older_slices_per_acquisition_come_first(tmp_path: Path) -> None:
    extra_settings = {"hStackManager.slicesPerAcq": 3, "hStackManager.numSlices": 50}
    assert_right(replace(VOLUME, release="5.3", settings=extra_settings), tmp_path)


def test_older_volume_whose_counts_disagree_is_refused(tmp_path: Path) -> None:
    replace(VOLUME, release="2016b", settings={"hFastZ.numFramesPerVolume": 9}).write(tmp_path)
    with pytest.raises(LayoutError, match="9 frames .* 2 flyback"):
        read_scan(tmp_path)


def test_older_stale_slice_count_is_seen_by_the_flyback(tmp_path: Path) -> None:
    assert_right(replace(VOLUME, release="2016b", settings={"hStackManager.numSlices": 7}), tmp_path)


def test_volume_whose_slices_do_not_make_it_up_is_refused(tmp_path: Path) -> None:
    replace(VOLUME, settings={"hStackManager.actualNumSlices": 4}).write(tmp_path)
    with pytest.raises(LayoutError, match="4 slices .* 3 frames"):
        read_scan(tmp_path)


# -------------------------------------------------------------- stopped


@pytest.mark.parametrize(
    ("pages", "slices", "frames"),
    [(7, 1, 7), (10, 1, 10), (23, 2, 10), (50, 5, 10), (73, 5, 10), (100, 5, 20)],
)
@pytest.mark.parametrize("release", ["2016b", "2023.1"])
def test_slow_stack_stopped_early(tmp_path: Path, release: str, pages: int, slices: int, frames: int) -> None:
    """S = 5, F = 10: what design.md and section 6.3 of the format reference give."""
    zs = (0.0, 10.0, 20.0, 30.0, 40.0)
    recording = Recording(release=release, mode="slow", zs=zs, frames_per_slice=10, volumes=4, stop=pages)
    paths = recording.write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert scan.shape == (slices, 16, 16, 1, frames)
    assert scan.requested_scanning_depths == list(zs)
    assert scan.scanning_depths == list(zs[:slices])
    is_complete = pages in (50, 100)
    assert bool(warning) is not is_complete
    if pages < 10:
        assert_reads(scan, [np.moveaxis(reference.all_pages(paths), 0, -1)[:, :, None, :]])
    else:
        repeats = frames if pages < 50 else 10
        assert_reads(
            scan,
            reference.fields(reference.all_pages(paths)[: slices * frames], slices=slices, repeats=repeats),
        )
    if not is_complete:
        with pytest.raises(LayoutError):
            read_scan(tmp_path, strict=True)


def test_fast_volume_stopped_in_a_volume(tmp_path: Path) -> None:
    paths = replace(VOLUME, stop=13).write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert "6 pages of incomplete volumes" in warning
    assert_reads(scan, expected(VOLUME, paths))
    assert scan.num_frames == 2


def test_fast_volume_stopped_in_its_first(tmp_path: Path) -> None:
    paths = replace(VOLUME, stop=2).write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert "end in the first volume: 2 of 3 slices" in warning
    assert_reads(scan, reference.fields(reference.all_pages(paths), channels=2, slices=2))


# --------------------------------------------------------------- releases


def test_every_release_in_the_table_opens(tmp_path: Path) -> None:
    simulated_releases = {"4": "5.0", "5.6": "5.5", "2019a": "2018b", "2020": "2020.0"}
    for row in VERSIONS:
        if row.name.startswith(("3.", "4", "2015.")) or row.name in simulated_releases:
            continue
        (path,) = Recording(release=row.name, frames_per_slice=3).write(tmp_path / row.name)
        scan = read_scan(path)
        assert type(scan) is row.scan
        assert scan.shape == (1, 16, 16, 1, 3)


@pytest.mark.parametrize("minor", [0, 1, 2, 3])
def test_2015_in_classic_tiff(tmp_path: Path, minor: int) -> None:
    version = {"VERSION_MAJOR": 2015, "VERSION_MINOR": str(minor)}
    assert_right(Recording(release="5.1", frames_per_slice=4, settings=version), tmp_path)
    assert read_scan(tmp_path).release == f"2015.{minor}"


@pytest.mark.parametrize("major", [2024, 2031])
def test_a_newer_release_opens_with_one_warning(tmp_path: Path, major: int) -> None:
    paths = replace(VOLUME, settings={"VERSION_MAJOR": major}).write(tmp_path)
    scan, warning = read_warned(tmp_path)
    assert f"ScanImage {major}.1 is not among the known releases" in warning
    assert_reads(scan, expected(VOLUME, paths))
    with pytest.raises(LayoutError, match="known releases"):
        read_scan(tmp_path, strict=True)


def test_a_release_in_the_spelling_of_an_older_one(tmp_path: Path) -> None:
    """2021 exists in two spellings: the settings decide, not the number."""
    older_version = {"VERSION_MAJOR": 2021, "VERSION_MINOR": 0}
    assert_right(replace(VOLUME, release="2016b", settings=older_version), tmp_path)


def test_a_newer_block_opens_with_a_warning(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=3).write(tmp_path)
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"\x05\0\0\0")
    scan, warning = read_warned(path)
    assert "version 5" in warning
    assert scan.num_frames == 3


@pytest.mark.parametrize(
    "settings",
    [{"stackNumSlices": 3}, {"fastZEnable": True}, {"channelsSave": None}, {"stackNumSlices": None}],
)
def test_flat_settings_of_unknown_stacks_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    Recording(release="5.0", frames_per_slice=3, settings=settings).write(tmp_path)
    with pytest.raises(ScanImageVersionError, match="raw=True"):
        read_scan(tmp_path)
    assert read_scan(tmp_path, raw=True).num_frames == 3


def test_header_from_the_tags_where_the_block_is_missing(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    with paths[0].open("r+b") as file:
        file.seek(16)
        file.write(bytes(4))
    assert_reads(read_scan(paths[0]), expected(VOLUME, paths))


@pytest.mark.parametrize("release", ["2015.4", "2018a", "2023.1"])
@pytest.mark.parametrize("descriptions", [False, True])
def test_json_header(tmp_path: Path, release: str, descriptions: bool) -> None:
    recording = replace(VOLUME, release=release, json_headers=True, json_descriptions=descriptions)
    assert_right(recording, tmp_path)
    text_paths = replace(recording, json_headers=False).write(tmp_path / "plain")
    scan, text_scan = read_scan(next(tmp_path.glob("*.tif"))), read_scan(text_paths[0])
    names = ("hChannels.channelSave", "hStackManager.zs", "objectiveResolution", "hChannels.channelName")
    assert [scan.metadata[n] for n in names] == [text_scan.metadata[n] for n in names]


# ------------------------------------------------------------------ 3.x


@pytest.mark.parametrize("averaging", [1, 4])
def test_legacy_stack(tmp_path: Path, averaging: int) -> None:
    recording = Recording(
        release="3.8",
        mode="slow",
        zs=(0.0, 5.0, 10.0),
        frames_per_slice=averaging,
        averaging=averaging,
        channels=(1, 2),
        dtype="uint16",
    )
    assert_right(recording, tmp_path)
    assert read_scan(tmp_path).scanning_depths == [0, 5, 10]


def test_legacy_frames_and_slices_at_once_are_refused(tmp_path: Path) -> None:
    Recording(release="3.8", mode="slow", zs=(0.0, 5.0), frames_per_slice=3).write(tmp_path)
    with pytest.raises(LayoutError, match="3 frames .* 2 slices"):
        read_scan(tmp_path)


def test_legacy_averaging_flag_says_nothing_about_pages(tmp_path: Path) -> None:
    """A real recording has averaging 1, numAvgFramesSave 1, one slice and 10 frames."""
    assert_right(Recording(release="3.8", frames_per_slice=10, settings={"acq.averaging": 1}), tmp_path)


# --------------------------------------------------------------------- dtype


@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8", "int8", "int32", "uint32"])
@pytest.mark.parametrize("resonant", [True, False])
def test_native_dtype(tmp_path: Path, dtype: str, resonant: bool) -> None:
    recording = replace(VOLUME, dtype=dtype, resonant=resonant)
    assert_right(recording, tmp_path)
    assert read_scan(tmp_path).dtype == dtype


def test_asked_dtype(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    scan = read_scan(tmp_path, dtype=np.float32)
    assert scan.dtype == np.float32
    for pixels, field in zip(scan, expected(VOLUME, paths), strict=True):
        assert pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels, field)
    assert scan.nbytes == scan.size * 4


def test_frames_asked_for_are_those_of_every_acquisition(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=4, loops=3).write(tmp_path)
    assert read_scan(tmp_path).num_requested_frames == read_scan(tmp_path).num_frames == 12
    assert read_scan(paths[1]).num_requested_frames == 4


# ------------------------------------------------------- saved again by another program


def save_again(paths: list[Path], target: Path, *, first: int = 0, descriptions: int = 0) -> npt.NDArray[Any]:
    """Save pages again with the header in the Software tag, some with their descriptions; returns the pages."""
    pages = reference.all_pages(paths)[first:]
    with tifffile.TiffFile(paths[0]) as tif:
        header = read_scan(paths[0]).header_block
        texts = [
            page.tags["ImageDescription"].value
            for page in tif.pages[:descriptions]
            if isinstance(page, tifffile.TiffPage)
        ]
    with tifffile.TiffWriter(target, bigtiff=True) as file:
        for n, page in enumerate(pages):
            text = texts[n].strip() if n < len(texts) else None
            file.write(
                page, photometric="minisblack", software=header, description=text, metadata=None, contiguous=False
            )
    return pages


@pytest.mark.parametrize("first", [0, 1, 2, 4])
def test_a_volume_saved_again_without_descriptions_says_that_pages_are_counted(tmp_path: Path, first: int) -> None:
    paths = VOLUME.write(tmp_path / "original")
    target = tmp_path / "again.tif"
    pages = save_again(paths, target, first=first)
    scan, warning = read_warned(target)
    assert "frame numbers are missing: pages are counted from the first one" in warning
    assert "no-frame-numbers" in [finding.name for finding in scan.findings]
    assert_reads(scan, reference.fields(pages, channels=2, slices=3, flyback=2))
    with pytest.raises(LayoutError, match="frame numbers are missing"):
        read_scan(target, strict=True)


def test_one_plane_saved_again_without_descriptions_needs_no_numbers(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=5).write(tmp_path / "original")
    pages = save_again(paths, tmp_path / "again.tif", first=1)
    assert_reads(read_scan(tmp_path / "again.tif"), reference.fields(pages))


def test_a_file_saved_again_with_the_first_description_alone_keeps_all_pages(tmp_path: Path) -> None:
    for recording in (replace(VOLUME, volumes=6), Recording(frames_per_slice=6)):
        paths = recording.write(tmp_path / recording.mode)
        target = tmp_path / f"{recording.mode}.tif"
        pages = save_again(paths, target, descriptions=1)
        scan, warning = read_warned(target)
        assert "pages are counted from the first one" in warning
        volume: dict[str, Any] = {"channels": 2, "slices": 3, "flyback": 2} if recording.mode == "fast" else {}
        assert_reads(scan, reference.fields(pages, **volume))
