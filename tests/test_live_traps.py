"""What a reviewer made of growing and damaged files: never a frame that is not the one asked for."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference
from common import read_warned

from scanreader import (
    ChangedFileError,
    DamagedPageError,
    LayoutError,
    Scan,
    ScanReaderError,
    ScanReaderWarning,
    read_scan,
)
from scanreader.simulate import Recording
from scanreader.tiff.index import index_file
from scanreader.tiff.runs import Run

FAST_VOLUME = Recording(mode="fast", zs=(0.0, 10.0, 20.0), flyback=1, volumes=8)
pytestmark = pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")


def run_of(path: Path) -> Run:
    return index_file(path).runs[0]


def ifd(path: Path, page: int) -> int:
    run = run_of(path)
    return run.ifd + page * run.stride


def numbers(scan: Scan, field: int) -> list[int]:
    """Page numbers of a field's frames, as simulate writes them into the first pixel."""
    return [int(n) for n in scan[field, 0, 0, 0]]


def test_a_file_that_was_replaced_keeps_no_numbers(tmp_path: Path) -> None:
    recording = replace(FAST_VOLUME, stop=24)
    (path,) = recording.write(tmp_path / "a")
    scan = read_scan(path)
    (other_path,) = replace(recording, dropped=(0, 1), stop=26, epoch=(2024, 1, 1, 1, 1, 1.0)).write(tmp_path / "b")
    other_path.replace(path)
    with pytest.raises(ChangedFileError):
        scan.refresh()


@pytest.mark.parametrize("closed", [True, False])
def test_a_file_that_was_rewritten_is_not_growth(tmp_path: Path, closed: bool) -> None:
    recording = replace(FAST_VOLUME, volumes=6, closed=closed)
    (path,) = recording.write(tmp_path / "a")
    scan = read_scan(path)
    for other_recording in (
        replace(recording, volumes=9, dropped=(0, 1)),
        replace(recording, volumes=9, epoch=(2024, 1, 1, 1, 1, 1.0)),
    ):
        (new_path,) = other_recording.write(tmp_path / f"b{other_recording.dropped}")
        path.write_bytes(new_path.read_bytes())
        with pytest.raises(ChangedFileError):
            scan[:]
        with pytest.raises(ChangedFileError):
            scan[0, 1, 1, 0]


@pytest.mark.parametrize(
    "recording",
    [Recording(frames_per_slice=20, channels=(1, 2)), replace(FAST_VOLUME, channels=(1, 2))],
    ids=["planar", "fast"],
)
@pytest.mark.parametrize("raw", [False, True])
def test_the_last_frame_is_waited_for_in_all_its_channels(tmp_path: Path, recording: Recording, raw: bool) -> None:
    (path,) = replace(recording, closed=False).write(tmp_path)
    data = path.read_bytes()
    pages = index_file(path).num_pages
    ends = [ifd(path, page) for page in range(pages)] + [len(data)]
    path.write_bytes(data[: ends[pages - 6]])
    scan = read_scan(path, raw=raw)

    def write() -> None:
        for end in ends[pages - 5 :]:
            time.sleep(0.03)
            with path.open("ab") as file:
                file.write(data[path.stat().st_size : end])

    writer = threading.Thread(target=write)
    writer.start()
    blocks = list(scan.follow(timeout=5, interval=0.005))
    writer.join()
    complete_scan = read_scan(path, raw=raw)
    assert np.array_equal(np.concatenate(blocks, axis=-1), complete_scan[..., scan.num_frames :])


def test_a_pointer_back_to_a_page_that_was_leapt_over(tmp_path: Path) -> None:
    for recording in (
        Recording(release="3.8", frames_per_slice=30, height=8, width=8, channels=(1, 2)),
        Recording(frames_per_slice=60, resonant=False, height=8, width=8),
    ):
        (path,) = recording.write(tmp_path / recording.release)
        run = run_of(path)
        data = bytearray(path.read_bytes())
        last = ifd(path, 59) + run.template.pixels
        data[last:] = random.Random(2).randbytes(len(data) - last)
        offset, size = ifd(path, 23) + run.template.start + run.template.next_at, int(run.template.word[2])
        data[offset : offset + size] = ifd(path, 9).to_bytes(size, "little")
        path.write_bytes(data)
        try:
            scan = read_scan(path)
            pixels = scan[0, 0, 0, 0]
        except ScanReaderError:
            continue
        assert np.array_equal(pixels, np.arange(len(pixels)) * scan.num_channels)


@pytest.mark.parametrize("page", range(2, 14))
@pytest.mark.parametrize("dropped", [(4,), (5,), (4, 5)])
def test_a_page_of_noise_beside_a_dropped_frame(tmp_path: Path, page: int, dropped: tuple[int, ...]) -> None:
    recording = replace(FAST_VOLUME, channels=(1, 2), dropped=dropped)
    (path,) = recording.write(tmp_path)
    true_facts = [frame.number for frame in recording.logged() for _ in range(2)]
    first = {image.tobytes(): number for (*_, image), number in zip(recording.pages(), true_facts, strict=True)}
    data = bytearray(path.read_bytes())
    data[ifd(path, page) : ifd(path, page + 1)] = random.Random(page).randbytes(ifd(path, page + 1) - ifd(path, page))
    path.write_bytes(data)
    try:
        scan = read_warned(path)[0]
    except LayoutError as error:
        assert "frames are unknown" in str(error)  # noqa: PT017 - either is right
        return
    num_checked = 0
    for frame in range(scan.num_frames):
        volumes = set()
        for field in range(3):
            for channel in range(2):
                try:
                    number = first[scan[field, :, :, channel, frame].tobytes()]
                except DamagedPageError:
                    continue
                volumes.add((number - 1) // 4)
                assert (number - 1) % 4 == field
                num_checked += 1
        assert len(volumes) <= 1
    assert num_checked > 24


def test_files_that_appear_out_of_order(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=25, frames_per_file=5).write(tmp_path / "all")
    live_folder = tmp_path / "live"
    live_folder.mkdir()

    def appear(number: int) -> None:
        (live_folder / paths[number].name).write_bytes(paths[number].read_bytes())

    appear(0)
    scan = read_scan(live_folder)

    def write() -> None:
        for number in (2, 1, 3, 4):
            time.sleep(0.2)
            appear(number)

    writer = threading.Thread(target=write)
    writer.start()
    frames = np.concatenate(list(scan.follow(timeout=5, interval=0.02)), axis=-1)
    writer.join()
    assert frames[0, 0, 0, 0].tolist() == list(range(5, 25))


@pytest.mark.parametrize("release", ["5.1", "2023.1"])
def test_numbers_that_were_not_written_yet_are_read_again(tmp_path: Path, release: str) -> None:
    (path,) = Recording(release=release, frames_per_slice=20, height=8, width=8, closed=False).write(tmp_path)
    data = path.read_bytes()
    starts = [ifd(path, page) for page in range(20)]
    path.write_bytes(data[: starts[3] + 206])
    scan = read_scan(path)
    for page in range(4, 15):
        with path.open("ab") as file:
            file.write(data[path.stat().st_size : starts[page] + 206])
        scan = scan.refresh()
        assert scan.num_frames == read_scan(path).num_frames
        assert numbers(scan, 0) == list(range(scan.num_frames))


def test_fill_refuses_what_raise_refuses(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=60, dropped=(50,)).write(tmp_path)
    data = bytearray(path.read_bytes())
    data[ifd(path, 45) : ifd(path, 52)] = random.Random(0).randbytes(ifd(path, 52) - ifd(path, 45))
    path.write_bytes(data)
    refusals = []
    for mode in ("raise", "fill"):
        with pytest.raises(LayoutError, match="frames are unknown") as error:
            read_scan(path, on_damage=mode)
        refusals.append(str(error.value))
        assert read_scan(path, on_damage=mode, raw=True).num_frames == 59
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize("state", [b"", bytes(100), bytes(5000), b"II\x2b\0"])
def test_a_folder_with_a_file_that_is_being_made(tmp_path: Path, state: bytes) -> None:
    paths = Recording(frames_per_slice=20, frames_per_file=10).write(tmp_path)
    second = paths[1].read_bytes()
    paths[1].write_bytes(state)
    scan = read_scan(tmp_path)
    assert scan.num_frames == 10
    assert scan.refresh().num_frames == 10
    paths[1].write_bytes(second)
    assert scan.refresh().num_frames == 20


def test_another_acquisition_s_file_does_not_disturb(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=20, frames_per_file=10)
    paths = recording.write(tmp_path)
    second = paths[1].read_bytes()
    paths[1].unlink()
    scan = read_scan(tmp_path)
    replace(recording, stem="other", epoch=(2024, 1, 1, 1, 1, 1.0)).write(tmp_path)
    paths[1].write_bytes(second)
    assert np.concatenate(list(scan.follow(timeout=2)), axis=-1)[0, 0, 0, 0].tolist() == list(range(10, 20))


def test_a_file_that_is_extended_before_it_is_filled(tmp_path: Path) -> None:
    """Networks may show a file's size before its bytes."""
    (path,) = Recording(frames_per_slice=12, closed=False).write(tmp_path)
    data = path.read_bytes()
    right = reference.all_pages([path])
    path.write_bytes(data[: ifd(path, 4)])
    starts = [*(index_file_start(data, page) for page in range(4, 12)), len(data)]
    scan = read_scan(path)
    for page in range(4, 12):
        start, end = starts[page - 4], starts[page - 3]
        steps = [0, 100, 376, 400, 2377, 2400, 2600, end - start - 16, end - start]
        for num_filled in steps:
            content = data[: start + num_filled] + bytes(max(0, end - start - num_filled))
            with path.open("r+b") as file:
                file.seek(start)
                file.write(content[start:])
            grown_scan = scan.refresh()
            assert grown_scan.num_frames >= scan.num_frames
            assert np.array_equal(grown_scan[0, :, :, 0].transpose(2, 0, 1), right[: grown_scan.num_frames])
            scan = grown_scan
    assert scan.num_frames == 12


def index_file_start(data: bytes, page: int) -> int:
    """Where a page's IFD is, by the spacing of the first two."""
    first = int.from_bytes(data[8:16], "little")
    next_ifd = int.from_bytes(data[first + 368 : first + 376], "little")
    return first + page * (next_ifd - first)


def test_a_recording_that_began_anew_is_not_followed(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=40, closed=False)
    (path,) = recording.write(tmp_path / "a")
    (other_path,) = replace(recording, epoch=(2024, 1, 1, 1, 1, 1.0)).write(tmp_path / "b")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    scan = read_scan(path)
    path.write_bytes(other_path.read_bytes())
    with pytest.raises(ScanReaderError):
        list(scan.follow(timeout=0.3, interval=0.01))
    with pytest.raises(ChangedFileError):
        scan[:]


def test_what_is_given_up_is_said(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=40, closed=False)
    (path,) = recording.write(tmp_path)
    path.write_bytes(path.read_bytes()[: ifd(path, 20)])
    with pytest.warns(ScanReaderWarning, match="no mark of the acquisition's end"):
        assert list(read_scan(path).follow(timeout=0.1)) == []


def damage(path: Path, pages: list[int], size: int = 300, offset: int = 0, fill: int | None = None) -> None:
    """Write noise, or one byte, over the beginning of some pages."""
    starts = [ifd(path, page) for page in pages]
    with path.open("r+b") as file:
        for page, start in zip(pages, starts, strict=True):
            file.seek(start + offset)
            file.write(random.Random(page).randbytes(size) if fill is None else bytes([fill]) * size)


def assert_true_frames(recording: Recording, scan: Scan) -> int:
    """See that every frame that is given is of its place, by the whole image; returns how many are."""
    slices = len(recording.zs)
    true_facts = [(frame.number, channel) for frame in recording.logged() for channel in range(len(recording.channels))]
    truth_of_image = {image.tobytes(): facts for (*_, image), facts in zip(recording.pages(), true_facts, strict=True)}
    per = recording.flyback + slices * (1 if recording.mode == "fast" else recording.frames_per_slice)
    num_frames_given = 0
    for frame in range(scan.num_frames):
        numbers = set()
        for field in range(scan.num_fields):
            for channel in range(scan.num_channels):
                try:
                    number, right = truth_of_image[scan[field, :, :, channel, frame].tobytes()]
                except DamagedPageError:
                    continue
                assert right == channel
                if recording.mode == "planar":
                    numbers.add(number)
                else:
                    assert (number - 1) % per == field
                    numbers.add((number - 1) // per)
                num_frames_given += 1
        assert len(numbers) <= 1
    return num_frames_given


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("dropped", [(), (1,), (2,), (4,)])
@pytest.mark.parametrize("lost_pages", [(4, 8), (3, 6), (4, 6), (1, 3), (2, 4), (5,), (8, 9, 10)])
@pytest.mark.parametrize("way", ["noise", "description"])
def test_damaged_pages_beside_dropped_frames(
    tmp_path: Path, channels: int, dropped: tuple[int, ...], lost_pages: tuple[int, ...], way: str
) -> None:
    for recording in (
        Recording(channels=tuple(range(1, channels + 1)), frames_per_slice=26, dropped=dropped),
        replace(FAST_VOLUME, channels=tuple(range(1, channels + 1)), dropped=dropped),
    ):
        (path,) = recording.write(tmp_path / recording.mode)
        damage(path, list(lost_pages)) if way == "noise" else damage(path, list(lost_pages), 512, 376, 0)
        try:
            scan = read_warned(path)[0]
        except LayoutError:
            assert dropped  # where nothing is dropped, all is known
            continue
        num_frames_given = assert_true_frames(recording, scan)
        if not dropped:
            assert (
                num_frames_given >= 26 * channels - len(lost_pages)
                if recording.mode == "planar"
                else num_frames_given > 0
            )


def test_a_description_that_was_mended_is_read_again(tmp_path: Path) -> None:
    recording = replace(FAST_VOLUME, flyback=0, volumes=6, dropped=(5,))
    (path,) = recording.write(tmp_path)
    content_before = path.read_bytes()
    damage(path, [9], 512, 376, 0)
    try:
        scan = read_scan(path)
    except LayoutError:
        return
    path.write_bytes(content_before)
    with pytest.raises(ChangedFileError):
        scan[:]
    assert scan.refresh().layout == read_scan(path).layout


@pytest.mark.parametrize("release", ["3.8", "5.0", "5.1", "2023.1"])
def test_a_recording_of_any_release_that_was_written_anew(tmp_path: Path, release: str) -> None:
    recording = Recording(release=release, frames_per_slice=10, closed=False, height=32, width=32)
    (path,) = recording.write(tmp_path)
    scan = read_scan(path)
    other_pages = [(frame, channel, image ^ 0x55) for frame, channel, image in recording.pages()]
    recording.write_file(path, iter(other_pages))
    with path.open("ab") as file:
        file.write(bytes(50))
    with pytest.raises(ChangedFileError):
        scan[0, :, :, 0, 0]
    with pytest.raises(ChangedFileError):
        scan.refresh()


@pytest.mark.parametrize("end", [b"frameNumbers = 15\n", b"frameNumberAcquisition = 1", b"frameNumbers = 1"])
def test_half_a_description_is_not_remembered(tmp_path: Path, end: bytes) -> None:
    recording = Recording(
        release="5.1", mode="fast", zs=(0.0, 1.0), volumes=8, height=8, width=8, closed=False, channels=(1, 2)
    )
    (path,) = recording.write(tmp_path)
    data = path.read_bytes()
    start = ifd(path, 29)
    end_of_text = data.index(end, start) + len(end)
    path.write_bytes(data[:end_of_text])
    scan = read_scan(path)
    with path.open("ab") as file:
        file.write(data[end_of_text:])
    grown_scan = scan.refresh()
    assert grown_scan.num_frames == read_scan(path).num_frames == 8
    assert np.array_equal(grown_scan[:], read_scan(path)[:])


def test_a_listed_file_is_not_dropped_when_it_is_filled(tmp_path: Path) -> None:
    a = Recording(stem="a", frames_per_slice=5).write(tmp_path)
    b = Recording(stem="b", frames_per_slice=7, epoch=(2024, 1, 1, 1, 1, 1.0)).write(tmp_path)
    content = b[0].read_bytes()
    b[0].write_bytes(b"")
    scan = read_scan([*a, *b])
    b[0].write_bytes(content)
    assert scan.refresh().num_frames == 12
