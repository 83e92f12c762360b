"""Frame numbers that contradict the header, or each other, are refused or named for what they are."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import VOLUME, read_warned
from hypothesis import given, settings
from hypothesis import strategies as st

from scanreader import Finding, LayoutError, read_scan
from scanreader.recording.layout import saved_counts
from scanreader.recording.numbering import Numbering, Part
from scanreader.recording.stretches import find_layout
from scanreader.scanimage.descriptions import FrameNumbers
from scanreader.scanimage.stacks import Stack
from scanreader.simulate import Recording, roi, scanfield

SLOW_STACK = Recording(mode="slow", zs=(0.0, 30.0), frames_per_slice=3, volumes=4)


def blank_description(path: Path, page: int) -> None:
    """Overwrite the numbers of a page."""
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[page].aspage().tags[270].valueoffset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b" " * 200)


@pytest.mark.parametrize("frames", [2, 4, 6])
def test_another_number_of_frames_a_slice_is_refused(tmp_path: Path, frames: int) -> None:
    names = ("numFramesPerVolume", "numFramesPerVolumeWithFlyback")
    settings = {"hStackManager.framesPerSlice": frames, **{f"hStackManager.{name}": 2 * frames for name in names}}
    for frames_per_file in (None, 2, 4):  # the first file ends inside the first slice, or behind it
        folder = tmp_path / f"{frames_per_file}"
        replace(SLOW_STACK, settings=settings, frames_per_file=frames_per_file).write(folder)
        with pytest.raises(LayoutError, match=r"frames a slice|by frameNumberAcquisition"):
            read_warned(folder)


def test_what_is_missing_inside_a_file_and_between_files_has_its_name(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=30, frames_per_file=10)
    replace(recording, dropped=(14,)).write(tmp_path / "inside")
    recording.write(tmp_path / "between")[1].unlink()
    names = [[finding.name for finding in read_warned(tmp_path / name)[0].findings] for name in ("inside", "between")]
    assert names == [["dropped-frames"], ["missing-file"]]


@pytest.mark.parametrize("num_lost", [0, 3])
def test_a_file_whose_first_page_has_no_number_must_continue_the_file_before(tmp_path: Path, num_lost: int) -> None:
    recording = replace(VOLUME, volumes=6, frames_per_file=7, dropped=tuple(range(7, 7 + num_lost)))
    paths = recording.write(tmp_path)
    blank_description(paths[1], 0)
    if num_lost:
        with pytest.raises(LayoutError, match="do not continue"):
            read_scan(tmp_path)
        return
    scan = read_warned(tmp_path)[0]
    assert scan.num_frames == 6
    assert np.array_equal(scan[:], read_scan(replace(recording).write(tmp_path / "whole"))[:])


def change_number(path: Path, page: int, name: bytes, number: int) -> None:
    """Change a number in the description of a page; it keeps its length."""
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[page].aspage().tags[270].valueoffset
    data = path.read_bytes()
    match = re.compile(name + rb" = (\d+)").search(data, start)
    assert match is not None
    text = str(number).encode()
    assert len(text) == len(match[1])
    path.write_bytes(data[: match.start(1)] + text + data[match.end(1) :])


LOOP = Recording(stem="b", mode="slow", zs=(0.0, 30.0), frames_per_slice=1, volumes=3, loops=2)


@pytest.mark.parametrize("grab_first", [True, False])
def test_a_grab_and_a_loop_in_one_list_keep_their_slices(tmp_path: Path, grab_first: bool) -> None:
    recording = Recording(mode="slow", zs=(0.0, 30.0), frames_per_slice=1, volumes=3)
    grab = replace(recording, stem="a", epoch=(2020, 1, 1, 0, 0, 0)).write(tmp_path)
    pages = list(LOOP.pages())
    moved_pages = [(frame._replace(number=frame.number - 3), channel, image) for frame, channel, image in pages[6:]]
    loop = [tmp_path / "b_00001.tif", tmp_path / "b_00002.tif"]
    LOOP.write_file(loop[0], iter(pages[:3]))  # stopped inside its second volume
    LOOP.write_file(loop[1], iter(moved_pages))
    loop_scan = read_warned(loop)[0]
    pixels = read_warned([*grab, *loop] if grab_first else [*loop, *grab])[0]
    frames = slice(3, None) if grab_first else slice(0, loop_scan.num_frames)
    assert np.array_equal(pixels[..., frames], loop_scan[:])


def test_a_false_number_in_a_slow_loop_moves_no_slice(tmp_path: Path) -> None:
    paths = LOOP.write(tmp_path)
    all_pixels = read_scan(tmp_path)[:]
    change_number(paths[1], 0, b"frameNumberAcquisition", 2)
    try:
        scan = read_warned(tmp_path)[0]
    except LayoutError:
        return
    assert np.array_equal(scan[:], all_pixels)


@pytest.mark.parametrize("loops", [1, 3])
def test_a_false_first_number_moves_no_index(tmp_path: Path, loops: int) -> None:
    paths = Recording(frames_per_slice=6, loops=loops).write(tmp_path)
    change_number(paths[-1], 0, b"frameNumberAcquisition", 5)
    for name, count in ((tmp_path, 6 * loops), (paths[-1], 6)):
        scan, warning = read_warned(name)
        assert warning == ""
        assert scan.frame_indices().tolist() == list(range(count))
        assert scan.raw_frame_numbers().tolist()[-1] == 6 * loops


def test_indices_know_how_many_frames_a_missing_acquisition_had(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=11, averaging=2, loops=3).write(tmp_path)
    paths[1].unlink()
    assert read_warned(tmp_path)[0].frame_indices().tolist() == [*range(5), *range(10, 15)]


@pytest.mark.parametrize("mode", ["planar", "fast"])
@pytest.mark.parametrize("name", [b"frameNumbers", b"frameNumberAcquisition"])
def test_both_channels_of_a_frame_with_a_false_number_are_damage(tmp_path: Path, mode: str, name: bytes) -> None:
    volume: dict[str, Any] = (
        {"mode": "fast", "zs": (0.0, 10.0), "volumes": 16} if mode == "fast" else {"frames_per_slice": 32}
    )
    paths = Recording(channels=(1, 2), frames_per_file=10, **volume).write(tmp_path)
    all_pixels = read_scan(tmp_path)[:]
    for page in (0, 1):
        change_number(paths[1], page, name, 91)
    scan, _ = read_warned(tmp_path)
    assert np.array_equal(scan[:], all_pixels)
    assert not {"dropped-frames", "doubled-frames", "missing-file"} & set(scan.check().names)


def test_two_recordings_whose_first_files_hold_less_than_a_volume_can_be_joined(tmp_path: Path) -> None:
    recording = Recording(mode="fast", zs=(0, 10, 20), volumes=4, frames_per_file=2)
    first = replace(recording, stem="a").write(tmp_path)
    second = replace(recording, stem="b", epoch=(2020, 1, 1, 0, 0, 0)).write(tmp_path)
    assert read_warned([*first, *second])[0].num_frames == 8


def test_many_renamed_parts_refresh(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=24, frames_per_file=2).write(tmp_path)
    for n, path in enumerate(paths, 1):
        path.rename(tmp_path / f"mouse_{n}.tif")
    scan = read_scan(tmp_path / "mouse_*.tif")
    assert scan.num_frames == 24
    assert np.array_equal(scan.refresh()[:], scan[:])


def test_grabs_of_one_frame_without_a_clock_are_no_copies(tmp_path: Path) -> None:
    paths = [Recording(release="5.1", stem=stem, frames_per_slice=1).write(tmp_path)[0] for stem in "xy"]
    assert read_warned(paths)[0].num_frames == 2


def test_one_false_acquisition_number_is_no_acquisition(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=10).write(tmp_path)
    change_number(path, 4, b"acquisitionNumbers", 7)
    assert "several-acquisitions" not in read_scan(path).check().names


def test_gaps_that_were_closed_are_counted_along_a_row(tmp_path: Path) -> None:
    boxes = ((0.0, 0.0, 10), (1.0, 0.0, 10), (-0.25, 1.0, 5), (0.75, 1.0, 15))
    rois = tuple(roi(scanfield((x, y), (w / 10, 1.0), (w, 10)), name=f"{n}") for n, (x, y, w) in enumerate(boxes))
    Recording(rois=rois, frames_per_slice=2, resonant=False).write(tmp_path)
    scan = read_scan(tmp_path, join_contiguous=True)
    (field,) = scan.trimmed(left=1, right=1).fields
    assert field.closed_gaps == (0, 2)


@st.composite
def numbered_pages(draw: st.DrawFn) -> tuple[Stack, list[tuple[FrameNumbers, int, int]]]:
    """A stack and the pages of its frames: the numbers of each, and truly which channel of which frame it is."""
    mode, c = draw(st.sampled_from(["planar", "fast", "slow"])), draw(st.integers(1, 3))
    slices = 1 if mode == "planar" else draw(st.integers(1, 3))
    repeats = draw(st.integers(1, 3)) if mode == "slow" else 1
    flyback = draw(st.integers(slices == 1, 2)) if mode == "fast" else 0
    a = 1 if mode == "fast" else draw(st.integers(1, 3))
    if mode == "slow" and slices * repeats == 1:
        repeats = 2
    per = slices * repeats + flyback
    counts = {"slices": slices, "frames_per_slice": repeats * a, "frames_per_volume": per * a}
    frames = range(draw(st.integers(3, 8)) * per)
    numbers_within = [(frame % repeats + 1 if mode == "slow" else frame + 1) * a for frame in frames]
    pages = [(FrameNumbers((f + 1) * a, numbers_within[f], 1), channel, f) for f in frames for channel in range(c)]
    return Stack(mode, channels=c, averaging=a, **(counts if mode != "planar" else {})), pages


def assert_right(stack: Stack, pages: list[tuple[FrameNumbers, int, int]]) -> int | None:
    """Check that each frame that is kept is one frame, with its channels in order, of its slice; give their number."""
    part = Part("x.tif", 0, len(pages), 0, 1, None, True)
    findings: list[Finding] = []
    try:
        layout = find_layout(
            stack, [part], lambda p: pages[p][0], findings, trusted=True, writes_numbers=True, from_first=True
        )
    except LayoutError:
        return None
    per = stack.frames_per_volume // stack.averaging
    for place in range(layout.counts.slices):
        for numbers in layout.page_numbers(place, np.arange(stack.channels), np.arange(layout.num_frames)):
            assert [pages[page][1] for page in numbers] == list(range(stack.channels))
            (frame,) = {pages[page][2] for page in numbers}
            if stack.mode != "planar":
                assert frame % per // (stack.frames_per_slice // stack.averaging) == place
    assert findings or layout.num_frames * layout.counts.slices == len(pages) // stack.channels or stack.mode == "fast"
    return layout.num_frames


@given(numbered_pages(), st.data())
@settings(max_examples=500)
def test_missing_pages_shift_no_channel(
    stack_and_pages: tuple[Stack, list[tuple[FrameNumbers, int, int]]], data: Any
) -> None:
    stack, pages = stack_and_pages
    near_pages = st.integers(0, 2 * stack.channels).map(lambda page: min(page, len(pages) - 1))
    places = data.draw(
        st.lists(near_pages | near_pages.map(lambda page: -1 - page) | st.integers(0, len(pages) - 1), max_size=3)
    )
    lost_pages = {place % len(pages) for place in places}
    assert_right(stack, [page for i, page in enumerate(pages) if i not in lost_pages] or pages)


@given(numbered_pages(), st.data())
@settings(max_examples=500)
def test_a_false_number_shifts_no_channel(
    stack_and_pages: tuple[Stack, list[tuple[FrameNumbers, int, int]]], data: Any
) -> None:
    stack, pages = stack_and_pages
    num_frames = assert_right(stack, pages)
    near_pages = st.integers(0, 2 * stack.channels).map(lambda page: min(page, len(pages) - 1))
    place = data.draw(near_pages | near_pages.map(lambda page: -1 - page) | st.integers(0, len(pages) - 1)) % len(pages)
    name = data.draw(st.sampled_from(["frame", "in_acquisition"]))
    numbers, channel, frame = pages[place]
    false_number = max(0, getattr(numbers, name) + data.draw(st.integers(-12, 12)))
    pages[place] = (numbers._replace(**{name: false_number}), channel, frame)
    num_kept = assert_right(stack, pages)
    # A slow stack's second count begins again with each slice, and may not tell which of the two is false.
    assert num_kept == num_frames or stack.mode == "slow" or (stack.channels == 1 and place == 0)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1, 2, 3, None, 6, 7], "page 3 of x.tif cannot be read or has no number, and frame numbers jump beside it"),
        ([1, *[None] * 4000, 9], "has no number, and neither have the pages around it"),
    ],
)
def test_a_page_without_a_number_among_others_that_do_not_tell_it_is_refused(
    numbers: list[int | None], message: str
) -> None:
    part = Part("x.tif", 0, len(numbers), 0, 1, None, True)

    def numbers_of(page: int) -> FrameNumbers:
        return FrameNumbers(numbers[page], numbers[page], 1)

    with pytest.raises(LayoutError, match=message):
        find_layout(Stack("planar"), [part], numbers_of, [], trusted=True, writes_numbers=True, from_first=True)


@pytest.mark.parametrize(
    ("numbers", "is_constant"), [([1, 1, *[None] * 8], True), ([1, 1, 2, 2, 3, 3, None, None], False)]
)
def test_the_first_number_alone_is_one_for_all_pages(numbers: list[int | None], is_constant: bool) -> None:
    part = Part("x.tif", 0, len(numbers), 0, 1, None, True)
    stack = Stack("fast", 2, 2, 1, 2)
    numbering = Numbering(
        stack, saved_counts(stack), [part], lambda page: FrameNumbers(numbers[page], numbers[page], 1)
    )
    assert numbering.has_first_alone == is_constant


@pytest.mark.parametrize("averaging", [1, 2])
def test_the_missing_end_of_an_acquisition_is_reported(tmp_path: Path, averaging: int) -> None:
    recording = Recording(frames_per_slice=12, averaging=averaging, loops=2, frames_per_file=3)
    paths = recording.write(tmp_path)
    paths[len(paths) // 2 - 1].unlink()
    scan, _ = read_warned(tmp_path)
    assert [finding.name for finding in scan.findings] == ["dropped-frames"]
    assert f"begins with raw frame {12 + averaging}" in scan.findings[0].sentence


def test_averaging_that_the_numbers_contradict_is_refused() -> None:
    numbers = [3, 3, 6, 6, 9, 9]
    part = Part("x.tif", 0, len(numbers), 0, 1, None, True)
    stack = Stack("planar", channels=2)
    numbering = Numbering(
        stack, saved_counts(stack), [part], lambda page: FrameNumbers(numbers[page], numbers[page], 1)
    )
    with pytest.raises(LayoutError, match="1 frames were averaged"):
        numbering.check()


@pytest.mark.parametrize("name", ["channels", "slices", "frames_per_slice", "frames_per_volume", "averaging"])
def test_counts_of_nothing_are_refused(name: str) -> None:
    counts: dict[str, Any] = {name: 0}
    with pytest.raises(LayoutError, match="counts must be positive"):
        saved_counts(Stack("planar", **counts))


@pytest.mark.parametrize("num_blank", [1, 2, 5, 18])
def test_pages_without_a_number_at_the_end_are_skipped(tmp_path: Path, num_blank: int) -> None:
    (path,) = Recording(frames_per_slice=10, channels=(1, 2)).write(tmp_path)
    pixels = read_scan(path)[:]
    for page in range(20 - num_blank, 20):
        blank_description(path, page)
    scan, warning = read_warned(path)
    num_frames = (20 - num_blank) // 2
    assert scan.num_frames == num_frames
    assert np.array_equal(scan[:], pixels[..., :num_frames])
    assert f"{num_blank} page{'s' * (num_blank > 1)} without a frame number at the end of scan_00001.tif" in str(
        warning
    )


def test_a_false_number_of_all_channels_is_damage_of_their_pages(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=9, channels=(1, 2)).write(tmp_path)
    pixels, data = read_scan(path)[:], path.read_bytes()
    for frame, number in itertools.product((1, 4, 7), (1, 9)):
        for page in (2 * frame, 2 * frame + 1):
            change_number(path, page, b"frameNumbers", number)
        scan, _ = read_warned(path)
        assert np.array_equal(scan[:], pixels), (frame, number)
        assert scan.check().ok == (number == frame + 1)
        path.write_bytes(data)
