"""What the user may name, and which files belong together."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import ROIS, assert_reads, expected, read_warned

from scanreader import (
    FileFormatError,
    LayoutError,
    PathnameError,
    ScanReaderWarning,
    naming,
    read_scan,
)
from scanreader.simulate import Image, Logged, Recording

PLANAR = Recording(frames_per_slice=11, channels=(1, 2), frames_per_file=4)
# 28 frames in files of 5, 5, 5, 5, 5 and 3: no file but the first begins with a volume.
VOLUME = Recording(mode="fast", zs=(0.0, 30.0, 60.0), flyback=1, volumes=7, channels=(1, 2), frames_per_file=5)
SLOW_STACK = Recording(mode="slow", zs=(0.0, 20.0), frames_per_slice=2, volumes=6, frames_per_file=5)
AVERAGED_STACK = Recording(
    mode="fast", zs=(0.0, 20.0), frames_per_slice=4, flyback=2, averaging=2, volumes=6, frames_per_file=7
)
MESOSCOPE = Recording(
    mode="fast", zs=(0.0, 60.0), flyback=1, volumes=6, rois=ROIS, scanner_frequency=12013.0, frames_per_file=4
)
OLDER_RELEASE = replace(VOLUME, release="2016b")
JSON = replace(VOLUME, json_headers=True, json_descriptions=True)
GALVO = replace(VOLUME, resonant=False)
STACKS = {
    "fast": VOLUME,
    "slow": SLOW_STACK,
    "averaged": AVERAGED_STACK,
    "mesoscope": MESOSCOPE,
    "2016b": OLDER_RELEASE,
    "json": JSON,
    "galvo": GALVO,
}
LOOPS = Recording(frames_per_slice=5, loops=3)

each_stack = pytest.mark.parametrize("recording", STACKS.values(), ids=STACKS.keys())


def whole_volumes(
    recording: Recording, paths: Sequence[Path], is_present: npt.NDArray[np.bool_]
) -> list[npt.NDArray[Any]]:
    """Fields of the volumes that are whole, where `present` says which pages of all that were scanned are there."""
    pages = reference.all_pages(paths)
    all_images = np.zeros((is_present.size, *pages.shape[1:]), pages.dtype)
    all_images[is_present] = pages
    is_planar = recording.mode == "planar"
    slices = 1 if is_planar else len(recording.zs)
    repeats = 1 if is_planar else recording.frames_per_slice // recording.averaging
    flyback = recording.flyback // recording.averaging
    fields = reference.fields(
        all_images,
        channels=len(recording.channels),
        slices=slices,
        repeats=repeats,
        flyback=flyback,
        boxes=recording.field_rows(),
    )
    per = (slices * repeats + flyback) * len(recording.channels)
    volumes = [v for v in range(is_present.size // per) if is_present[v * per : (v + 1) * per].all()]
    frames = [v * repeats + r for v in volumes for r in range(repeats)]
    return [field[..., frames] for field in fields]


def without_files(recording: Recording, paths: Sequence[Path], missing_files: Sequence[int]) -> list[npt.NDArray[Any]]:
    """Remove files; fields of the volumes that they do not touch."""
    sizes = [len(reference.all_pages([path])) for path in paths]
    is_present = np.repeat([i not in missing_files for i in range(len(paths))], sizes)
    for i in missing_files:
        paths[i].unlink()
    return whole_volumes(recording, [path for path in paths if path.exists()], is_present)


def without_frames(
    recording: Recording, paths: Sequence[Path], missing_frames: Sequence[int]
) -> list[npt.NDArray[Any]]:
    """Fields of the volumes that missing frames do not touch."""
    count = len(list(replace(recording, dropped=()).logged()))
    is_present = ~np.isin(np.arange(count), missing_frames)
    return whole_volumes(recording, paths, np.repeat(is_present, len(recording.channels)))


def write_cut(recording: Recording, folder: Path, cuts: Sequence[int]) -> list[Path]:
    """Write a recording into files of so many pages, as a program that knows nothing of frames would."""
    pages = recording.pages()
    paths = []
    for part, size in enumerate(cuts, 1):
        path = folder / f"{recording.stem}_00001_{part:05d}.tif"
        recording.write_file(path, islice(pages, size))
        paths.append(path)
    assert next(pages, None) is None
    return paths


def write_acquisition(recording: Recording, path: Path, acquisition: int, frames: int) -> Path:
    """Write the first frames of one acquisition of a loop."""
    pages = (page for page in recording.pages() if page[0].acquisition == acquisition)
    recording.write_file(path, islice(pages, frames * len(recording.channels)))
    return path


def write_plain(path: Path, shape: tuple[int, int] = (16, 16)) -> Path:
    """Write a TIFF that ScanImage knows nothing of."""
    tifffile.imwrite(
        path, np.arange(3 * shape[0] * shape[1], dtype=np.int16).reshape(3, *shape), photometric="minisblack"
    )
    return path


def by_glob(folder: Path) -> Any:
    return folder / "*.tif"


def by_text(folder: Path) -> Any:
    return str(folder / "*.tif")


def by_list(folder: Path) -> Any:
    return sorted(folder.glob("*.tif"))


def by_directory(folder: Path) -> Any:
    return folder


by_set = pytest.mark.parametrize("name_in", [by_glob, by_list, by_directory])
NameIn = Callable[[Path], Any]

# ------------------------------------------------------------------ what may be named


@pytest.mark.parametrize("name_in", [by_glob, by_text, by_list, by_directory])
@pytest.mark.parametrize("recording", [PLANAR, *STACKS.values()], ids=["planar", *STACKS])
def test_all_files_of_a_set(tmp_path: Path, recording: Recording, name_in: NameIn) -> None:
    paths = recording.write(tmp_path)
    scan = read_scan(name_in(tmp_path))
    assert scan.filenames == [str(path) for path in paths]
    assert_reads(scan, expected(recording, paths))


def test_a_file_as_text_or_path(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=3)
    (path,) = paths = recording.write(tmp_path)
    for name in (path, str(path), [path], (str(path),)):
        assert_reads(read_scan(name), expected(recording, paths))


def test_anything_that_lists_files(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    for names in (tuple(paths), iter(paths), (str(path) for path in paths), dict.fromkeys(paths)):
        assert_reads(read_scan(names), expected(PLANAR, paths))


def test_a_list_of_globs_or_directories(tmp_path: Path) -> None:
    early_folder, late_folder = tmp_path / "early", tmp_path / "late"
    late_folder.mkdir()
    paths = PLANAR.write(early_folder)
    moved_paths = [paths[0], *(path.rename(late_folder / path.name) for path in paths[1:])]
    assert_reads(read_scan([early_folder, late_folder]), expected(PLANAR, moved_paths))
    assert_reads(read_scan([early_folder / "*.tif", late_folder / "*.tif"]), expected(PLANAR, moved_paths))


def test_a_glob_through_folders(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path / "mouse" / "day")
    assert_reads(read_scan(tmp_path / "**" / "scan_*.tif"), expected(PLANAR, paths))


def test_a_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = PLANAR.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in (paths[1].name, "scan_*.tif", "."):
        assert_reads(read_scan(name, siblings=True), expected(PLANAR, paths))


@pytest.mark.parametrize("suffix", [".TIF", ".tiff", ".Tiff"])
def test_a_directory_of_another_suffix(tmp_path: Path, suffix: str) -> None:
    paths = [path.rename(path.with_suffix(suffix)) for path in PLANAR.write(tmp_path)]
    assert_reads(read_scan(tmp_path, siblings=True), expected(PLANAR, paths))
    assert_reads(read_scan(paths[1], siblings=True), expected(PLANAR, paths))


def test_a_directory_takes_no_notice_of_other_files(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    for name in ("scan_00001.csv", "scan.meta.txt", "scan.cfg", "tif"):
        (tmp_path / name).write_text("not an image")
    (tmp_path / "more.tif").mkdir()
    assert_reads(read_scan(tmp_path), expected(PLANAR, paths))
    assert_reads(read_scan(tmp_path / "*.tif"), expected(PLANAR, paths))


def test_exactly_the_named_files_are_read(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    frames = []
    for path in paths:
        for names in (path, [path], str(path), tmp_path / f"*_{path.stem[-5:]}.tif"):
            scan = read_scan(names)
            assert scan.filenames == [str(path)]
        frames.append(scan[0])
    np.testing.assert_array_equal(np.concatenate(frames, axis=-1), expected(PLANAR, paths)[0])
    assert_reads(read_scan(paths[:2]), expected(PLANAR, paths[:2]))


def test_a_note_names_the_parts_that_are_not_read(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    replace(PLANAR, stem="scan_b", epoch=(2020, 1, 1, 0, 0, 0)).write(tmp_path)
    for given_names, names in ((paths[0], paths[1:]), (paths[1:], paths[:1]), ([paths[2]], paths[:2])):
        scan = read_scan(given_names, strict=True)  # a note is not refused
        (note,) = scan.findings
        assert (note.name, note.severity, note.is_note) == ("parts-not-read", "note", True)
        assert f"{len(names)} other part" in note.sentence
        assert names[0].name in note.sentence
        assert names[-1].name in note.sentence
        assert "siblings=True" in note.sentence
        assert scan.check().ok
        assert [finding.name for finding in scan.refresh().findings] == ["parts-not-read"]
    for given_names in (tmp_path / "scan_0*.tif", paths):
        assert read_scan(given_names).findings == ()
    assert read_scan(paths[0], siblings=True).findings == ()
    (other_path,) = replace(PLANAR, frames_per_file=None).write(tmp_path / "other")
    assert read_scan(other_path).findings == ()


def test_a_folder_that_cannot_be_listed_gives_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = PLANAR.write(tmp_path)

    def refuse_to_list(_: object) -> list[str]:
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse_to_list)
    assert read_scan(paths[0]).findings == ()


def test_a_folder_with_a_later_part_alone_misses_the_earlier_ones(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    for path in paths[:2]:
        path.unlink()
    for names in (tmp_path, tmp_path / "*.tif"):
        _, warning = read_warned(names)
        assert "begins with raw frame 9" in warning
    assert read_scan(paths[2]).findings == ()  # one file was named: nothing is missing of it


@each_stack
def test_one_file_of_a_set_brings_its_siblings(tmp_path: Path, recording: Recording) -> None:
    paths = recording.write(tmp_path)
    for path in (paths[0], paths[1], paths[-1]):
        scan = read_scan(path, siblings=True)
        assert scan.filenames == [str(p) for p in paths]
        assert_reads(scan, expected(recording, paths))


@pytest.mark.parametrize("release", ["3.8", "5.0", "5.1", "2015.4", "2018b", "2020.1"])
def test_siblings_in_other_releases(tmp_path: Path, release: str) -> None:
    recording = Recording(release=release, frames_per_slice=10, channels=(1, 2), frames_per_file=4)
    paths = recording.write(tmp_path)
    assert_reads(read_scan(paths[1], siblings=True), expected(recording, paths))


def test_first_file_without_its_siblings(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    scan = read_scan(paths[0])
    assert scan.filenames == [str(paths[0])]
    assert_reads(scan, expected(PLANAR, paths[:1]))


def test_planar_file_without_its_siblings_has_its_frames(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    assert_reads(read_scan(paths[1]), expected(PLANAR, paths[1:2]))


@pytest.mark.parametrize("recording", [VOLUME, SLOW_STACK, MESOSCOPE, OLDER_RELEASE])
def test_file_inside_a_volume_without_its_siblings_keeps_planes_in_place(tmp_path: Path, recording: Recording) -> None:
    recording = replace(recording, frames_per_file=10)
    paths = recording.write(tmp_path)
    expected_fields = without_files(recording, paths, [i for i in range(len(paths)) if i != 1])
    scan, warning = read_warned(paths[1])
    assert scan.num_frames >= 1
    assert_reads(scan, expected_fields)
    assert paths[1].name in warning
    with pytest.raises(LayoutError, match=paths[1].name):
        read_scan(paths[1], strict=True)


# ------------------------------------------------------------------------ names


@pytest.mark.parametrize("stem", ["mouse[3]", "[day 1] a", "x]y[", "a*b", "was?", "50% µ"])
def test_names_with_the_characters_of_a_glob(tmp_path: Path, stem: str) -> None:
    if sys.platform == "win32" and set(stem) & set("*?"):
        pytest.skip("Windows has no such names")
    recording = replace(PLANAR, stem=stem)
    paths = recording.write(tmp_path)
    assert_reads(read_scan(paths[0], siblings=True), expected(recording, paths))
    assert_reads(read_scan(str(paths[1]), siblings=True), expected(recording, paths))
    assert_reads(read_scan(paths, siblings=True), expected(recording, paths))


def test_a_literal_name_goes_before_what_it_would_match_as_a_glob(tmp_path: Path) -> None:
    literal = Recording(stem="s[12]", frames_per_slice=2)
    paths = literal.write(tmp_path)
    Recording(stem="s1", frames_per_slice=5).write(tmp_path)
    assert_reads(read_scan(paths[0]), expected(literal, paths))


def test_a_glob_in_a_folder_with_brackets(tmp_path: Path) -> None:
    folder = tmp_path / "[2023] mouse[1]"
    paths = PLANAR.write(folder)
    assert_reads(read_scan(folder / "scan_*.tif"), expected(PLANAR, paths))
    assert_reads(read_scan(str(folder / "*.tif")), expected(PLANAR, paths))
    assert_reads(read_scan(folder), expected(PLANAR, paths))


def test_a_glob_over_names_with_brackets(tmp_path: Path) -> None:
    recording = replace(PLANAR, stem="mouse[3]")
    paths = recording.write(tmp_path)
    assert_reads(read_scan(tmp_path / "mouse[3]_*.tif"), expected(recording, paths))


def test_brackets_of_a_glob_choose_files(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    scan = read_scan(tmp_path / "scan_00001_0000[12].tif")
    assert scan.filenames == [str(path) for path in paths[:2]]
    assert_reads(scan, expected(PLANAR, paths[:2]))


def test_counters_are_numbers_not_text(tmp_path: Path) -> None:
    recording = replace(VOLUME, volumes=8, frames_per_file=3)
    paths = recording.write(tmp_path)
    assert len(paths) == 11
    new_paths = [path.rename(tmp_path / f"scan_1_{part}.tif") for part, path in enumerate(paths, 1)]
    expected_fields = expected(recording, new_paths)
    shuffled_paths = random.Random(5).sample(new_paths, len(new_paths))
    for names in (tmp_path, tmp_path / "scan_*.tif", new_paths[9], new_paths[1], shuffled_paths, sorted(new_paths)):
        scan = read_scan(names, siblings=True)
        assert scan.filenames == [str(path) for path in new_paths]
        assert_reads(scan, expected_fields)


def test_acquisition_counters_are_numbers_not_text(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=2, loops=11)
    paths = recording.write(tmp_path)
    new_paths = [path.rename(tmp_path / f"scan_{loop}.tif") for loop, path in enumerate(paths, 1)]
    assert_reads(read_scan(tmp_path / "scan_*.tif"), expected(recording, new_paths))
    assert_reads(read_scan(new_paths[::-1]), expected(recording, new_paths))


def test_names_of_which_the_numbers_of_frames_say_otherwise_are_refused(tmp_path: Path) -> None:
    first, second, _ = PLANAR.write(tmp_path)
    spare_path = first.rename(tmp_path / "spare")
    second.rename(first)
    spare_path.rename(second)
    with pytest.raises(PathnameError, match=second.name):
        read_scan(tmp_path)


def test_files_of_one_channel_each(tmp_path: Path) -> None:
    both_channels = Recording(frames_per_slice=8, channels=(1, 2), resonant=False)
    pages = list(both_channels.pages())
    paths = [tmp_path / f"scan_00001_chn{n}.tif" for n in (1, 2)]
    for number, path in enumerate(paths, 1):
        both_channels.write_file(path, [page for page in pages if page[1] == number])
    for number, path in enumerate(paths, 1):
        scan = read_scan(path)
        assert scan.channel_names == [f"Channel {number}"]
        assert_reads(scan, expected(replace(both_channels, channels=(number,)), [path]))
    with pytest.raises(PathnameError, match=r"chn1.*chn2"):
        read_scan(tmp_path)


# ----------------------------------------------------------------- where files end


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 6, 7, 27, 28])
def test_files_that_end_anywhere_in_a_volume(tmp_path: Path, frames: int) -> None:
    recording = replace(VOLUME, frames_per_file=frames)
    paths = recording.write(tmp_path)
    assert_reads(read_scan(paths[-1], siblings=True), expected(recording, paths))


def test_a_first_file_of_another_length(tmp_path: Path) -> None:
    recording = replace(VOLUME, first_file_frames=2)
    paths = recording.write(tmp_path)
    assert_reads(read_scan(tmp_path), expected(recording, paths))


@pytest.mark.parametrize("cuts", [(1, 55), (9, 47), (9, 1, 1, 45), (55, 1), (11, 12, 33), (8, 48)])
@pytest.mark.parametrize("recording", [VOLUME, OLDER_RELEASE, JSON, GALVO], ids=["fast", "2016b", "json", "galvo"])
def test_files_that_end_between_the_channels_of_a_frame(
    tmp_path: Path, recording: Recording, cuts: tuple[int, ...]
) -> None:
    paths = write_cut(recording, tmp_path, cuts)
    assert_reads(read_scan(tmp_path), expected(recording, paths))


def test_planar_files_that_end_between_the_channels_of_a_frame(tmp_path: Path) -> None:
    recording = replace(PLANAR, channels=(1, 3, 4))
    paths = write_cut(recording, tmp_path, (7, 5, 10, 11))
    assert_reads(read_scan(paths[2], siblings=True), expected(recording, paths))


# ------------------------------------------------------------------- missing files


@each_stack
@pytest.mark.parametrize("missing_files", [(0,), (1,), (2,), (1, 2), (0, 2)])
def test_missing_files_take_the_volumes_that_they_touch(
    tmp_path: Path, recording: Recording, missing_files: tuple[int, ...]
) -> None:
    paths = recording.write(tmp_path)
    expected_fields = without_files(recording, paths, missing_files)
    paths_left = [path for path in paths if path.exists()]
    for names in (tmp_path, paths_left[-1], paths_left):
        scan, warning = read_warned(names, siblings=True)
        assert scan.filenames == [str(path) for path in paths_left]
        assert_reads(scan, expected_fields)
        assert paths[missing_files[-1] + 1].name in warning
    with pytest.raises(LayoutError, match=paths[missing_files[-1] + 1].name):
        read_scan(tmp_path, strict=True, siblings=True)


def test_missing_first_file_is_named_with_its_numbers(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    paths[0].unlink()
    with pytest.warns(ScanReaderWarning, match=r"scan_00001_00002\.tif begins with raw frame 6\b"):
        read_scan(tmp_path)


def test_missing_middle_file_is_named_with_its_numbers(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    paths[2].unlink()
    with pytest.warns(
        ScanReaderWarning, match=r"raw frames 11 to 15 .* between scan_00001_00002\.tif and scan_00001_00004\.tif"
    ):
        read_scan(tmp_path)


def test_missing_last_file_leaves_whole_volumes(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    expected_fields = without_files(VOLUME, paths, [5])
    scan, warning = read_warned(tmp_path)
    assert scan.num_frames == 6
    assert_reads(scan, expected_fields)
    assert "2 pages" in warning
    with pytest.raises(LayoutError, match="2 pages"):
        read_scan(tmp_path, strict=True)


@pytest.mark.parametrize("missing_file", [0, 1])
def test_missing_planar_files_leave_the_other_frames(tmp_path: Path, missing_file: int) -> None:
    paths = PLANAR.write(tmp_path)
    expected_fields = without_files(PLANAR, paths, [missing_file])
    scan, warning = read_warned(tmp_path)
    assert scan.num_frames == 7
    assert_reads(scan, expected_fields)
    assert paths[missing_file + 1].name in warning
    assert ("raw frame 5", "raw frames 5 to 8")[missing_file] in warning
    with pytest.raises(LayoutError):
        read_scan(tmp_path, strict=True)


def test_a_missing_file_that_held_whole_volumes_is_missed(tmp_path: Path) -> None:
    recording = replace(VOLUME, frames_per_file=4)
    paths = recording.write(tmp_path)
    expected_fields = without_files(recording, paths, [3])
    scan, warning = read_warned(tmp_path)
    assert_reads(scan, expected_fields)
    assert paths[4].name in warning


def test_missing_file_where_files_end_between_channels(tmp_path: Path) -> None:
    paths = write_cut(VOLUME, tmp_path, (17, 10, 29))
    expected_fields = without_files(VOLUME, paths, [1])
    scan, warning = read_warned(tmp_path)
    assert_reads(scan, expected_fields)
    assert paths[2].name in warning


def test_missing_file_of_which_nothing_else_is_whole_is_refused(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    with pytest.raises(LayoutError, match=r"no volume is complete.*raw=True"):
        read_scan(paths[1])


def make_dangling(path: Path) -> None:
    """Replace a file by a link to a file that is not there, as git-annex and datalad do."""
    path.unlink()
    try:
        path.symlink_to(path.parent / ".git" / "annex" / "objects" / path.name)
    except OSError as error:
        pytest.skip(f"this system has no links: {error}")


@by_set
@pytest.mark.parametrize("gone_file", [0, 1, 2])
def test_links_to_files_that_are_not_here_are_said(tmp_path: Path, name_in: NameIn, gone_file: int) -> None:
    paths = PLANAR.write(tmp_path)
    make_dangling(paths[gone_file])
    scan, warning = read_warned(name_in(tmp_path))
    assert scan.filenames == [str(path) for i, path in enumerate(paths) if i != gone_file]
    assert f"1 of 3 files are links to files that are not on this machine: {paths[gone_file].name}" in warning
    with pytest.raises(LayoutError, match="links to files"):
        read_scan(name_in(tmp_path), strict=True)
    for path in paths:
        path.unlink()
        path.write_bytes(b"")
        make_dangling(path)
    for pathnames in (name_in(tmp_path), paths[1], str(paths[1]), [paths[1]]):
        with pytest.raises(PathnameError, match="datalad get"):
            read_scan(pathnames)


# ------------------------------------------------------------------- renamed files


@pytest.mark.parametrize("names", ["ab", "unrolled", "stems"])
@pytest.mark.parametrize("cuts", [(20, 36), (17, 39), (9, 1, 46), (1, 55), (33, 23)])
@pytest.mark.parametrize(
    "recording", [VOLUME, OLDER_RELEASE, GALVO, PLANAR, SLOW_STACK], ids=["fast", "2016b", "galvo", "planar", "slow"]
)
@pytest.mark.parametrize("is_rolled", [True, False])
def test_renamed_parts_of_one_grab_are_one_acquisition(
    tmp_path: Path, recording: Recording, cuts: tuple[int, ...], names: str, is_rolled: bool
) -> None:
    recording = recording if is_rolled else replace(recording, frames_per_file=None)
    pages = sum(1 for _ in recording.pages())
    cuts = tuple(max(1, size * pages // sum(cuts)) for size in cuts[:-1])
    paths = write_cut(recording, tmp_path, (*cuts, pages - sum(cuts)))
    new_name = {"ab": "part {}.tif", "unrolled": "scan_{:05d}.tif", "stems": "{}_day_00001_00001.tif"}[names]
    paths = [path.rename(tmp_path / new_name.format(n)) for n, path in enumerate(paths, 1)]
    scan = read_scan(paths)  # no warning
    assert_reads(scan, expected(recording, paths))
    assert scan.check().names == read_scan(recording.write(tmp_path / "named")).check().names


def test_renamed_parts_out_of_order_are_not_one_acquisition(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    a, b, c = (path.rename(tmp_path / f"{name}.tif") for path, name in zip(paths, "abc", strict=True))
    scan, warning = read_warned([b, a, c])
    assert "recordings are joined" in warning
    assert_reads(scan, expected(PLANAR, [b, a, c]))


# ------------------------------------------------------------------ dropped frames


@pytest.mark.parametrize("dropped_frames", [(0,), (7,), (3, 4), (2, 9), (19,), (18, 19), (1, 4, 5, 12)])
@pytest.mark.parametrize("style", ["plain", "json", "galvo"])
def test_dropped_frames_of_a_planar_recording(tmp_path: Path, dropped_frames: tuple[int, ...], style: str) -> None:
    recording = Recording(
        frames_per_slice=20,
        channels=(1, 2),
        dropped=dropped_frames,
        json_descriptions=style == "json",
        resonant=style != "galvo",
    )
    (path,) = paths = recording.write(tmp_path)
    scan, warning = read_warned(path)
    assert scan.num_frames == 20 - len(dropped_frames)
    assert_reads(scan, expected(recording, paths))
    if max(dropped_frames) < 20 - len(dropped_frames):  # frames that are missing at the end leave no trace
        assert path.name in warning
        with pytest.raises(LayoutError, match=path.name):
            read_scan(path, strict=True)


def test_dropped_frames_are_counted_and_placed(tmp_path: Path) -> None:
    Recording(frames_per_slice=20, dropped=(6, 7, 12)).write(tmp_path)
    _, warning = read_warned(tmp_path)
    assert "raw frames 7 to 8 are missing in scan_00001.tif" in warning
    assert "raw frame 13 is missing in scan_00001.tif" in warning


@each_stack
@pytest.mark.parametrize("dropped_frames", [(0,), (5,), (6, 7), (3, 4), (1, 9), (10, 11, 12)])
def test_dropped_frames_take_the_volumes_that_they_touch(
    tmp_path: Path, recording: Recording, dropped_frames: tuple[int, ...]
) -> None:
    recording = replace(recording, frames_per_file=None, dropped=dropped_frames)
    (path,) = paths = recording.write(tmp_path)
    scan, warning = read_warned(path)
    assert_reads(scan, without_frames(recording, paths, dropped_frames))
    assert path.name in warning
    with pytest.raises(LayoutError, match=path.name):
        read_scan(path, strict=True)


@each_stack
def test_dropped_frames_in_rolled_files(tmp_path: Path, recording: Recording) -> None:
    recording = replace(recording, dropped=(2, 8))
    paths = recording.write(tmp_path)
    scan, warning = read_warned(paths[1], siblings=True)
    assert_reads(scan, without_frames(recording, paths, (2, 8)))
    assert paths[0].name in warning
    assert paths[1].name in warning


@pytest.mark.parametrize("lost_page", [6, 7, 13, 22])
@pytest.mark.parametrize("recording", [replace(PLANAR, frames_per_slice=20), VOLUME], ids=["planar", "fast"])
def test_a_lost_page_of_one_channel_shifts_no_other(tmp_path: Path, recording: Recording, lost_page: int) -> None:
    recording = replace(recording, frames_per_file=None)
    pages = list(recording.pages())
    path = tmp_path / "scan_00001.tif"
    recording.write_file(path, [page for i, page in enumerate(pages) if i != lost_page])
    scan, warning = read_warned(path)
    assert_reads(scan, whole_volumes(recording, [path], np.arange(len(pages)) != lost_page))
    assert path.name in warning


# ------------------------------------------------------------------- doubled files


def test_one_file_named_twice(tmp_path: Path) -> None:
    first, second, third = PLANAR.write(tmp_path)
    for names in (
        [first, second, third, first],
        [second, second],
        [first, tmp_path / "." / "scan_00001_0000*.tif"],
        [first, tmp_path / ".." / tmp_path.name / first.name],
        [tmp_path, second],
    ):
        with pytest.raises(PathnameError, match=r"scan_00001_0000\d\.tif.*twice"):
            read_scan(names)


def test_a_link_to_a_file_of_the_set(tmp_path: Path) -> None:
    paths = PLANAR.write(tmp_path)
    link = tmp_path / "scan_00001_00004.tif"
    try:
        link.symlink_to(paths[1])
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(PathnameError, match=r"scan_00001_0000[24]\.tif"):
        read_scan(tmp_path)


@by_set
@pytest.mark.parametrize("recording", [PLANAR, VOLUME, SLOW_STACK], ids=["planar", "fast", "slow"])
@pytest.mark.parametrize("counter", ["00001_00009", "00001_00000", "00002_00001"])
def test_a_copy_under_another_counter(tmp_path: Path, recording: Recording, counter: str, name_in: NameIn) -> None:
    paths = recording.write(tmp_path)
    copy = Path(shutil.copy(paths[1], tmp_path / f"scan_{counter}.tif"))
    with pytest.raises(PathnameError, match=rf"{copy.name}|{paths[0].name}"):
        read_scan(name_in(tmp_path))


def test_a_copy_under_another_counter_beside_a_single_file(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    copy = Path(shutil.copy(paths[1], tmp_path / "scan_00001_00009.tif"))
    with pytest.raises(PathnameError, match=copy.name):
        read_scan(paths[0], siblings=True)


@pytest.mark.parametrize("channels", [(1,), (1, 2)])
@by_set
def test_a_copy_of_a_file_of_one_frame(tmp_path: Path, channels: tuple[int, ...], name_in: NameIn) -> None:
    paths = Recording(frames_per_slice=4, channels=channels, frames_per_file=1).write(tmp_path)
    copy = Path(shutil.copy(paths[3], tmp_path / "scan_00001_00005.tif"))
    with pytest.raises(PathnameError, match=copy.name):
        read_scan(name_in(tmp_path))


def test_a_copy_of_an_acquisition(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=6).write(tmp_path)
    copy = Path(shutil.copy(path, tmp_path / "scan_00002.tif"))
    with pytest.raises(PathnameError, match=copy.name):
        read_scan(tmp_path / "scan_*.tif")


def test_a_copy_in_another_folder(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=6).write(tmp_path / "disk")
    copy = Path(shutil.copytree(tmp_path / "disk", tmp_path / "backup")) / path.name
    with pytest.raises(PathnameError, match=path.name):
        read_scan([path, copy])
    with pytest.raises(PathnameError, match=path.name):
        read_scan(tmp_path / "**" / "*.tif")


def test_a_copy_under_another_name_is_another_recording(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    copy = Path(shutil.copy(paths[1], tmp_path / "scan_00001_00002 (copy).tif"))
    with pytest.raises(PathnameError, match=r"\(copy\)"):
        read_scan(tmp_path, siblings=True)
    scan = read_scan(paths[0], siblings=True)
    assert str(copy) not in scan.filenames
    assert_reads(scan, expected(VOLUME, paths))


# ------------------------------------------------------------------- foreign files


@by_set
@pytest.mark.parametrize("name", ["average.tif", "scan_00001_00009.tif", "aaa_00001.tif"])
def test_a_plain_tiff_among_the_files_is_refused_by_name(tmp_path: Path, name: str, name_in: NameIn) -> None:
    VOLUME.write(tmp_path)
    write_plain(tmp_path / name)
    with pytest.raises(PathnameError, match=name):
        read_scan(name_in(tmp_path))


@by_set
def test_a_plain_tiff_of_another_shape_is_refused_by_name(tmp_path: Path, name_in: NameIn) -> None:
    VOLUME.write(tmp_path)
    write_plain(tmp_path / "mask.tif", (40, 30))
    with pytest.raises(PathnameError, match=r"mask\.tif"):
        read_scan(name_in(tmp_path))


@by_set
@pytest.mark.parametrize("content", [b"", bytes(100)])
def test_a_file_that_nothing_was_written_to_is_left_out_by_name(
    tmp_path: Path, content: bytes, name_in: NameIn
) -> None:
    paths = VOLUME.write(tmp_path)
    (tmp_path / "notes.tif").write_bytes(content)
    scan, warning = read_warned(name_in(tmp_path))
    assert "notes.tif" in warning
    assert_reads(scan, expected(VOLUME, paths))


@by_set
@pytest.mark.parametrize("content", [b"not a TIFF at all", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_what_is_no_tiff_among_the_files_is_refused_by_name(tmp_path: Path, content: bytes, name_in: NameIn) -> None:
    VOLUME.write(tmp_path)
    (tmp_path / "notes.tif").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"notes\.tif"):
        read_scan(name_in(tmp_path))


def test_foreign_files_are_not_brought_by_a_single_file(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    write_plain(tmp_path / "average.tif")
    (tmp_path / "notes.tif").write_text("not a TIFF at all")
    replace(VOLUME, stem="other", epoch=(2020, 1, 1, 0, 0, 0)).write(tmp_path)
    scan = read_scan(paths[1], siblings=True)
    assert scan.filenames == [str(path) for path in paths]
    assert_reads(scan, expected(VOLUME, paths))


def test_a_foreign_file_with_a_siblings_name_is_left_out_by_name(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    for write_foreign in (write_plain, lambda path: path.write_text("no TIFF")):
        write_foreign(tmp_path / "scan_00001_00009.tif")
        scan, warning = read_warned(paths[0], siblings=True)
        assert scan.filenames == [str(path) for path in paths]
        assert_reads(scan, expected(VOLUME, paths))
        assert "scan_00001_00009.tif" in warning


def test_a_file_of_another_recording_with_a_siblings_name_is_left_out_by_name(tmp_path: Path) -> None:
    paths = VOLUME.write(tmp_path)
    later_paths = replace(VOLUME, epoch=(2023, 9, 23, 9, 0, 0.5)).write(tmp_path / "later")
    shutil.copy(later_paths[0], tmp_path / "scan_00001_00009.tif")
    scan, warning = read_warned(paths[0], siblings=True)
    assert_reads(scan, expected(VOLUME, paths))
    assert "scan_00001_00009.tif" in warning
    with pytest.raises(PathnameError, match=r"scan_00001_00009\.tif"):
        read_scan(tmp_path / "scan_*.tif", siblings=True)


# ------------------------------------------------------------------- acquisitions


@by_set
def test_loop_repeats_that_are_named_together_are_one_recording(tmp_path: Path, name_in: NameIn) -> None:
    paths = LOOPS.write(tmp_path)
    scan = read_scan(name_in(tmp_path))
    assert scan.num_frames == 15
    assert_reads(scan, expected(LOOPS, paths))


@each_stack
@by_set
def test_rolled_loop_repeats_of_stacks(tmp_path: Path, recording: Recording, name_in: NameIn) -> None:
    recording = replace(recording, loops=2, volumes=3)
    paths = recording.write(tmp_path)
    assert_reads(read_scan(name_in(tmp_path)), expected(recording, paths))


def test_a_single_file_brings_its_own_acquisition_alone(tmp_path: Path) -> None:
    paths = LOOPS.write(tmp_path)
    for path in paths:
        scan = read_scan(path)
        assert scan.filenames == [str(path)]
        assert_reads(scan, expected(LOOPS, [path]))


@each_stack
def test_a_single_rolled_file_brings_its_own_acquisition_alone(tmp_path: Path, recording: Recording) -> None:
    recording = replace(recording, loops=3, volumes=3)
    paths = recording.write(tmp_path)
    for counter in ("00001", "00002", "00003"):
        own_paths = [path for path in paths if f"scan_{counter}_" in path.name]
        scan = read_scan(own_paths[-1], siblings=True)
        assert scan.filenames == [str(path) for path in own_paths]
        assert_reads(scan, expected(recording, own_paths))


@pytest.mark.parametrize("mode", ["fast", "slow"])
def test_no_volume_straddles_two_acquisitions(tmp_path: Path, mode: str) -> None:
    # Volumes of 6 frames; 9 frames of each acquisition would make 3 volumes for who only counts.
    recording = Recording(
        mode=mode,
        zs=(0.0, 30.0),
        frames_per_slice=2 if mode == "fast" else 3,
        flyback=2 if mode == "fast" else 0,
        volumes=3,
        loops=2,
        channels=(1, 2),
    )
    paths = [write_acquisition(recording, tmp_path / f"scan_0000{a}.tif", a, 9) for a in (1, 2)]
    is_present = np.repeat(np.tile(np.arange(18) < 9, 2), 2)
    if mode == "slow":  # frame 19 after frame 9: what is missing is an end there or a start here
        with pytest.raises(LayoutError, match="begins with frame 19 of a loop"):
            read_scan(tmp_path / "scan_*.tif")
        return
    scan, warning = read_warned(tmp_path / "scan_*.tif")
    assert scan.num_frames == 2 * recording.frames_per_slice
    assert_reads(scan, whole_volumes(recording, paths, is_present))
    assert "12 pages" in warning


def test_missing_last_file_of_an_acquisition_in_a_loop(tmp_path: Path) -> None:
    recording = replace(VOLUME, loops=2, volumes=3)
    paths = recording.write(tmp_path)
    expected_fields = without_files(recording, paths, [2])
    scan, warning = read_warned(tmp_path)
    assert scan.num_frames == 5
    assert_reads(scan, expected_fields)
    assert "pages" in warning


def test_missing_first_file_of_an_acquisition_in_a_loop(tmp_path: Path) -> None:
    recording = replace(VOLUME, loops=2, volumes=3)
    paths = recording.write(tmp_path)
    expected_fields = without_files(recording, paths, [3])
    scan, warning = read_warned(tmp_path)
    assert_reads(scan, expected_fields)
    assert paths[4].name in warning


def test_a_missing_acquisition_is_a_choice(tmp_path: Path) -> None:
    paths = LOOPS.write(tmp_path)
    assert_reads(read_scan([paths[0], paths[2]]), expected(LOOPS, [paths[0], paths[2]]))


# ------------------------------------------------------------- several recordings


@pytest.mark.parametrize("name_in", [by_glob, by_text, by_directory])
def test_several_recordings_are_refused_with_a_list_of_them(tmp_path: Path, name_in: NameIn) -> None:
    PLANAR.write(tmp_path)
    Recording(stem="other", frames_per_slice=3, epoch=(2020, 1, 1, 0, 0, 0)).write(tmp_path)
    Recording(stem="third", mode="slow", zs=(0.0, 1.0), volumes=2).write(tmp_path)
    with pytest.raises(PathnameError) as warning_records:
        read_scan(name_in(tmp_path))
    for name in ("scan_00001_00001.tif", "other_00001.tif", "third_00001.tif"):
        assert name in str(warning_records.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": (2023, 9, 22, 13, 0, 1.0)},
        {"settings": {"hRoiManager.scanZoomFactor": 2}},
        {"stem": "scan_b"},
    ],
    ids=["epoch", "header", "stem"],
)
def test_stem_header_and_epoch_tell_recordings_apart(tmp_path: Path, changes: dict[str, Any]) -> None:
    first = Recording(frames_per_slice=4)
    first.write(tmp_path)
    (path,) = replace(first, **changes).write(tmp_path / "x")
    other_path = path.rename(tmp_path / path.name.replace("_00001", "_00002"))
    with pytest.raises(PathnameError, match=rf"scan_00001\.tif.*{other_path.name}|{other_path.name}.*scan_00001\.tif"):
        read_scan(tmp_path)


def test_a_list_of_several_recordings_joins_in_its_order_with_a_warning(tmp_path: Path) -> None:
    first = Recording(stem="z", frames_per_slice=4, channels=(1, 2))
    second = Recording(stem="a", frames_per_slice=3, channels=(1, 2), epoch=(2024, 1, 1, 0, 0, 0))
    paths = first.write(tmp_path) + second.write(tmp_path)
    for names in (paths, paths[::-1]):
        scan, warning = read_warned(names)
        assert scan.filenames == [str(path) for path in names]
        assert_reads(scan, expected(first, names))
        assert "2 recordings" in warning
        with pytest.raises(LayoutError, match="2 recordings"):
            read_scan(names, strict=True)


@pytest.mark.parametrize("mode", ["fast", "slow"])
def test_joined_recordings_share_no_volume(tmp_path: Path, mode: str) -> None:
    first = Recording(stem="a", mode=mode, zs=(0.0, 30.0, 60.0), volumes=3, stop=7)
    second = replace(first, stem="b", epoch=(2024, 1, 1, 0, 0, 0), stop=8)
    paths = first.write(tmp_path) + second.write(tmp_path)
    is_present = np.concatenate([np.arange(9) < 7, np.arange(9) < 8])
    scan, warning = read_warned(paths)
    assert scan.num_frames == 4
    assert_reads(scan, whole_volumes(first, paths, is_present))
    assert "2 recordings" in warning
    assert "3 pages" in warning


def test_a_list_of_rolled_recordings(tmp_path: Path) -> None:
    second = replace(VOLUME, stem="b", epoch=(2024, 1, 1, 0, 0, 0))
    paths = VOLUME.write(tmp_path) + second.write(tmp_path)
    scan, warning = read_warned(paths)
    assert_reads(scan, expected(VOLUME, paths))
    assert "2 recordings" in warning


@pytest.mark.parametrize(
    "other_recording",
    [
        replace(VOLUME, stem="b", channels=(1,)),
        replace(VOLUME, stem="b", flyback=0),
        replace(VOLUME, stem="b", height=20),
        replace(VOLUME, stem="b", dtype="uint16"),
        replace(PLANAR, stem="b"),
    ],
    ids=["channels", "flyback", "height", "dtype", "planar"],
)
def test_recordings_that_were_made_in_other_ways_are_not_joined(tmp_path: Path, other_recording: Recording) -> None:
    paths = VOLUME.write(tmp_path) + other_recording.write(tmp_path)
    with pytest.raises(LayoutError, match=r"b_00001_00001\.tif"):
        read_scan(paths)


# ------------------------------------------------------------------------- extremes


@pytest.mark.parametrize("name_in", [by_glob, by_list, by_directory, lambda folder: by_list(folder)[0]])
def test_a_rolled_last_file_without_any_page(tmp_path: Path, name_in: NameIn) -> None:
    paths = VOLUME.write(tmp_path)
    last = tmp_path / "scan_00001_00007.tif"
    VOLUME.write_file(last, [])
    scan, warning = read_warned(name_in(tmp_path), siblings=True)
    assert scan.filenames == [str(path) for path in paths]
    assert_reads(scan, expected(VOLUME, paths))
    assert last.name in warning
    with pytest.raises(LayoutError, match=last.name):
        read_scan(name_in(tmp_path), strict=True, siblings=True)


def test_a_file_without_any_page_alone(tmp_path: Path) -> None:
    path = tmp_path / "scan_00001.tif"
    PLANAR.write_file(path, [])
    with pytest.raises(FileFormatError, match=r"scan_00001\.tif.*no page"):
        read_scan(path)


def test_more_files_than_a_process_may_hold_open(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=1200, height=2, width=4, frames_per_file=1)
    paths = recording.write(tmp_path)
    assert len(paths) == 1200
    assert_reads(read_scan(paths[-1], siblings=True), expected(recording, paths))


def test_more_pages_than_16_bits_count(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=66_000, height=1, width=4)
    (path,) = recording.write(tmp_path)
    scan = read_scan(path)
    assert scan.shape == (1, 1, 4, 1, 66_000)
    frames = [0, 1, 32_768, 65_534, 65_535, 65_536, 65_999]
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 66_000
        expected_fields = reference.fields(np.stack([tif.pages[i].asarray() for i in frames]))
    np.testing.assert_array_equal(scan[0, :, :, :, frames], expected_fields[0])
    np.testing.assert_array_equal(scan[0][..., frames], expected_fields[0])


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes there unless asked for: 4 GiB")
def test_a_file_beyond_4_gib(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=140, height=4096, width=4096, holes=True)
    path = tmp_path / "scan_00001.tif"

    def pages() -> Iterator[tuple[Logged, int, Image]]:
        for frame in recording.logged():
            row = np.arange(frame.number, frame.number + 4096, dtype=np.int16)
            yield frame, 1, np.broadcast_to(row, (4096, 4096))

    recording.write_file(path, pages())
    assert path.stat().st_size > 1 << 32
    scan = read_scan(path)
    assert scan.num_frames == 140
    frames = [0, 1, 127, 128, 138, 139]
    with tifffile.TiffFile(path) as tif:
        expected_fields = np.stack([tif.pages[i].asarray()[:2] for i in frames])
    assert (expected_fields[:, 0] != expected_fields[:, 1]).any()
    np.testing.assert_array_equal(scan[0, :2, :, :, frames], reference.fields(expected_fields)[0])
    np.testing.assert_array_equal(scan[0, 0, :, 0, -1], expected_fields[-1, 0])
    np.testing.assert_array_equal(scan[0, :2, 4000:, 0, 128], expected_fields[3, :, 4000:])


def test_frames_that_averaging_left_over_are_not_missing(tmp_path: Path) -> None:
    # 17 raw frames give 3 of 5 each: the next acquisition's first saved frame is number 22.
    recording = Recording(frames_per_slice=17, averaging=5, loops=3)
    paths = recording.write(tmp_path)
    assert_reads(read_scan(tmp_path), expected(recording, paths))
    for path in paths:
        assert_reads(read_scan(path), expected(recording, [path]))


def test_files_of_one_recording_hold_its_header_once(tmp_path: Path) -> None:
    # Some labs append megabytes to it; a thousand files must not hold a thousand copies.
    Recording(frames_per_slice=6, frames_per_file=2).write(tmp_path)
    for names in (tmp_path, tmp_path / "scan_00001_00002.tif"):
        files = naming.find_files(names, [], siblings=True)
        assert len({id(file.block) for file in files}) == 1
        assert len(files) == 3


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("opto_00001.stim", "scan.photostim.log"),
        ("loop_IntegrationRois_00001.csv", "scan.integration"),
        ("moving_Motion_00001.csv", "scan.motion"),
    ],
)
def test_a_file_beside_a_recording_is_refused_by_name(tmp_path: Path, name: str, attribute: str) -> None:
    (tmp_path / name).write_bytes(b"\0" * 9)
    with pytest.raises(PathnameError, match=f"beside a recording, without pages: .* {attribute} has what is in it"):
        read_scan(tmp_path / name)


def test_folders_of_recordings_are_told_what_lists_them(tmp_path: Path) -> None:
    PLANAR.write(tmp_path / "session" / "a")
    with pytest.raises(PathnameError, match=r"holds no TIFF file.* scanreader\.find_recordings"):
        read_scan(tmp_path / "session")
    with pytest.raises(PathnameError, match=r"but folders do: name one of them, or give a list"):
        read_scan(tmp_path / "session" / "*")
