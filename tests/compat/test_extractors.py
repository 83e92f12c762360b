"""The faces of roiextractors' extractors give what those give where they are right, and right where they are not."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tifffile
from common import MESOSCOPE, STACK, VOLUME

from scanreader import ScanReaderError, compat, read_scan
from scanreader.simulate import Cell, Column, Recording

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),  # roiextractors' own
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
roiextractors = pytest.importorskip("roiextractors", reason="pip install 'scanreader[neuroconv]'")


@pytest.fixture(autouse=True)
def _no_file_stays_open() -> Iterator[None]:
    """Let roiextractors' own extractors leave their files to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


REAL_FILES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "volume": (
        "volume_two_channels/vol_two_ch_multi_files_00001_00001.tif",
        [
            {"channel_name": "Channel 1"},
            {"channel_name": "Channel 2"},
            {"channel_name": "Channel 1", "plane_index": 3},
            {"channel_name": "Channel 2", "slice_sample": 0},
        ],
    ),
    "stack": (
        "slow_stack_20220923_noroi.tif",
        [
            {"channel_name": "Channel 1", "slice_sample": 0},
            {"channel_name": "Channel 4", "slice_sample": 1},
            {"channel_name": "Channel 4", "interleave_slice_samples": True},
            {"channel_name": "Channel 1", "slice_sample": 1, "plane_index": 0},
            {"channel_name": "Channel 1", "interleave_slice_samples": True, "plane_index": 1},
        ],
    ),
}
CASES = [(kind, options) for kind, (_, options_of_kind) in REAL_FILES.items() for options in options_of_kind]


def both_extractors(path: Path, **options: Any) -> tuple[Any, Any]:
    """Our extractor and roiextractors' own."""
    return (
        compat.ScanImageImagingExtractor(file_path=path, **options),
        roiextractors.ScanImageImagingExtractor(file_path=path, **options),
    )


def assert_same(ours: Any, theirs: Any) -> None:
    """Compare everything that an extractor says."""
    for method in [
        "get_num_samples",
        "get_num_planes",
        "get_sampling_frequency",
        "get_image_shape",
        "get_frame_shape",
        "get_sample_shape",
        "get_volume_shape",
        "get_dtype",
    ]:
        assert getattr(ours, method)() == getattr(theirs, method)(), method
    assert ours.is_volumetric == theirs.is_volumetric
    assert np.array_equal(ours.get_series(), theirs.get_series())
    count = ours.get_num_samples()
    for start, end in ((1, 3), (None, 2), (2, None), (count - 1, count)):
        assert np.array_equal(ours.get_series(start, end), theirs.get_series(start, end))
    for samples in ([0], [1, 2], [0, 2], [count - 1]):
        assert np.array_equal(ours.get_samples(samples), theirs.get_samples(samples))
    assert np.array_equal(ours.get_times(), theirs.get_times())
    assert np.array_equal(ours.get_native_timestamps(1, 3), theirs.get_native_timestamps(1, 3))
    assert np.array_equal(ours.get_timestamps(), theirs.get_timestamps())
    assert np.array_equal(ours.time_to_sample_indices(ours.get_times()), np.arange(count))
    assert np.array_equal(ours.get_original_frame_indices(), theirs.get_original_frame_indices())
    for plane in range(ours.get_num_planes()):
        assert np.array_equal(ours.get_original_frame_indices(plane), theirs.get_original_frame_indices(plane))
    assert np.array_equal(ours.slice_samples(1, 3).get_series(), theirs.slice_samples(1, 3).get_series())
    view = ours.slice_field_of_view(2, 10, 3, 12).slice_field_of_view(row_start=1, column_end=5)
    their_view = theirs.slice_field_of_view(2, 10, 3, 12).slice_field_of_view(row_start=1, column_end=5)
    assert view.get_image_shape() == their_view.get_image_shape() == (7, 5)
    assert np.array_equal(view.get_series(), their_view.get_series())
    if ours.is_volumetric and hasattr(theirs, "select_plane"):
        plane, their_plane = ours.select_plane(1), theirs.select_plane(1)
        assert np.array_equal(plane.get_series(0, 2), their_plane.get_series(0, 2))
        assert np.array_equal(plane.get_timestamps(), their_plane.get_timestamps())
    with tifffile.TiffFile(ours.file_paths[0]) as tif:
        for page in tif.pages[:3]:
            assert ours.extract_timestamp_from_page(page) == theirs.extract_timestamp_from_page(page)
    assert str(ours) == str(theirs)
    assert_same_names(ours, theirs)


def assert_same_names(ours: Any, theirs: Any) -> None:
    """Compare the public attributes of instances, and the names and parameters of methods."""
    for name, value in vars(theirs).items():
        if not name.startswith("_"):
            assert getattr(ours, name) == value, name
    for name in dir(theirs):
        if not name.startswith("_"):
            assert hasattr(ours, name), name
            method = getattr(type(theirs), name, None)
            if callable(method):
                names = list(inspect.signature(method).parameters)
                assert list(inspect.signature(getattr(type(ours), name)).parameters)[: len(names)] == names, name


SIMULATED_RECORDINGS: dict[str, tuple[Recording, dict[str, Any]]] = {
    "flyback": (replace(VOLUME, zs=(0.0, 30.0), flyback=3), {"channel_name": "Channel 2"}),
    "stack": (STACK, {"slice_sample": 1}),
    "interleaved": (STACK, {"interleave_slice_samples": True}),
    "planar": (Recording(frames_per_slice=6), {}),
    "one plane": (replace(VOLUME, flyback=1), {"channel_name": "Channel 1", "plane_index": 1}),
}


@pytest.mark.parametrize("kind", SIMULATED_RECORDINGS)
def test_same_attributes_of_simulated_recordings(tmp_path: Path, kind: str) -> None:
    recording, options = SIMULATED_RECORDINGS[kind]
    (path,) = recording.write(tmp_path)
    ours, theirs = both_extractors(path, **options)
    assert_same_names(ours, theirs)
    assert np.array_equal(ours.get_series(), theirs.get_series())
    assert ours.num_flyback_frames_per_channel == recording.flyback


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_same_of_real_recordings(recordings: Path, kind: str, options: dict[str, Any]) -> None:
    assert_same(*both_extractors(recordings / REAL_FILES[kind][0], **options))


def test_a_real_volume_by_its_files(recordings: Path) -> None:
    files = sorted((recordings / "volume_two_channels").glob("*.tif"))[:4]
    ours, theirs = (
        module.ScanImageImagingExtractor(file_paths=files, channel_name="Channel 1")
        for module in (compat, roiextractors)
    )
    assert_same(ours, theirs)


@pytest.mark.parametrize("kind", REAL_FILES)
def test_same_static_methods(recordings: Path, kind: str) -> None:
    path = recordings / REAL_FILES[kind][0]
    for name in ("get_available_channel_names", "get_available_num_planes", "get_frames_per_slice"):
        ours, theirs = (getattr(module.ScanImageImagingExtractor, name)(path) for module in (compat, roiextractors))
        assert ours == theirs, name


def test_roiextractors_own_checks(recordings: Path) -> None:
    from roiextractors.testing import check_imaging_equal

    for kind, options in CASES:
        ours, theirs = both_extractors(recordings / REAL_FILES[kind][0], **options)
        assert isinstance(ours, roiextractors.ImagingExtractor)
        check_imaging_equal(ours, theirs)


@pytest.mark.parametrize("options", [{}, {"channel_name": "nope"}, {"channel_name": "Channel 1"}])
def test_same_refusals(recordings: Path, options: dict[str, Any]) -> None:
    path = recordings / REAL_FILES["stack"][0]
    for module in (compat, roiextractors):
        with pytest.raises(ValueError, match=r"(?i)channel|slice_sample"):
            module.ScanImageImagingExtractor(file_path=path, **options)


@pytest.mark.parametrize(
    "bad_options", [{"slice_sample": 2}, {"slice_sample": -1}, {"slice_sample": 0, "plane_index": 2}]
)
def test_same_bounds(recordings: Path, bad_options: dict[str, Any]) -> None:
    path = recordings / REAL_FILES["stack"][0]
    for module in (compat, roiextractors):
        with pytest.raises(ValueError, match="must be between 0 and 1"):
            module.ScanImageImagingExtractor(file_path=path, channel_name="Channel 1", **bad_options)


REFUSED_CALLS: dict[str, Callable[[Any, Path], object]] = {
    "nothing": lambda extractor, _: extractor(),
    "a number": lambda extractor, _: extractor(3),
    "no files": lambda extractor, _: extractor(file_paths=[]),
    "no such file": lambda extractor, _: extractor("nope.tif"),
    "no such files": lambda extractor, _: extractor(file_paths=["nope.tif"]),
    "no TIFF": lambda extractor, _: extractor(__file__),
    "another channel": lambda extractor, path: extractor(path, 3),
    "another option": lambda extractor, path: extractor(path, "Channel 1", frames=1),
    "plane 99": lambda extractor, path: extractor(path, "Channel 1", plane_index=99),
    "plane a": lambda extractor, path: extractor(path, "Channel 1", plane_index="a"),
    "backwards": lambda extractor, path: extractor(path, "Channel 1").get_series(5, 2),
    "beyond": lambda extractor, path: extractor(path, "Channel 1").get_series(0, 999),
    "a text": lambda extractor, path: extractor(path, "Channel 1").get_series("a"),
    "sample 999": lambda extractor, path: extractor(path, "Channel 1").get_samples([999]),
    "sample a": lambda extractor, path: extractor(path, "Channel 1").get_samples(["a"]),
    "index of plane 99": lambda extractor, path: extractor(path, "Channel 1").get_original_frame_indices(99),
    "rows 5 to 2": lambda extractor, path: extractor(path, "Channel 1").slice_field_of_view(5, 2),
    "rows to 999": lambda extractor, path: extractor(path, "Channel 1").slice_field_of_view(0, 999),
    "samples 5 to 2": lambda extractor, path: extractor(path, "Channel 1").slice_samples(5, 2),
    "times": lambda extractor, path: extractor(path, "Channel 1").set_times([1, 2]),
    "channels of no file": lambda extractor, _: extractor.get_available_channel_names("nope.tif"),
    "planes of no file": lambda extractor, _: extractor.get_available_num_planes("nope.tif"),
}


@pytest.mark.parametrize("call_name", REFUSED_CALLS)
def test_what_the_original_refuses_is_refused_with_its_type(recordings: Path, call_name: str) -> None:
    types = []
    for extractor in (roiextractors.ScanImageImagingExtractor, compat.ScanImageImagingExtractor):
        with pytest.raises(Exception) as error, warnings.catch_warnings():  # noqa: PT012 - any type may come
            warnings.simplefilter("ignore")
            REFUSED_CALLS[call_name](extractor, recordings / REAL_FILES["volume"][0])
        types.append(error.type)
    assert issubclass(types[1], types[0]), types


def test_one_path_is_no_list() -> None:
    with pytest.raises(FileNotFoundError, match="file_paths is a list of paths"):
        compat.ScanImageImagingExtractor(file_paths="a.tif")


def test_no_file_is_an_assertion() -> None:
    for module in (compat, roiextractors):
        with pytest.raises(AssertionError, match="file_path or file_paths"):
            module.ScanImageImagingExtractor()


def test_a_file_of_no_scanimage(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
    with pytest.raises(ValueError, match="Invalid metadata"):
        compat.ScanImageImagingExtractor(file_path=tmp_path / "plain.tif")


def test_samples_out_of_bounds(recordings: Path) -> None:
    ours, _ = both_extractors(recordings / REAL_FILES["volume"][0], channel_name="Channel 1")
    for start, end in ((-1, 3), (0, 101), (5, 4)):
        with pytest.raises(IndexError):
            ours.get_series(start, end)
    with pytest.raises(AssertionError):
        ours.get_samples([100])
    with pytest.raises(IndexError):
        ours.get_samples([-1])
    with pytest.raises(ValueError, match="row range"):
        ours.slice_field_of_view(5, 5)
    with pytest.raises(ValueError, match="column range"):
        ours.slice_field_of_view(column_end=99)
    with pytest.raises(AssertionError):
        ours.get_original_frame_indices(9)
    assert ours.slice_samples().get_num_samples() == 100


# ------------------------------------------------------- where roiextractors is not right


def pixels(recording: Recording, paths: list[Path], channel: int = 0) -> npt.NDArray[Any]:
    """The frames of a channel by the formula: (samples, rows, columns, planes), all repeats one behind the other."""
    repeats = recording.frames_per_slice // recording.averaging if recording.mode != "planar" else 1
    fields = reference.fields(
        reference.all_pages(paths),
        channels=len(recording.channels),
        slices=len(recording.zs),
        repeats=repeats,
        flyback=recording.flyback // recording.averaging,
    )
    stack = np.stack([field[:, :, channel] for field in fields], axis=-1)  # y, x, frames, planes
    return stack.transpose(2, 0, 1, 3)


RIGHT: dict[str, tuple[Recording, dict[str, Any]]] = {
    "arbitrary stack": (replace(VOLUME, zs=(10.0, -5.0, 7.0), settings={"hStackManager.numSlices": 1}), {}),
    "averaged": (Recording(frames_per_slice=24, averaging=8), {}),
    "averaged stack": (replace(STACK, frames_per_slice=8, averaging=4), {"interleave_slice_samples": True}),
    "no enable": (replace(VOLUME, settings={"hStackManager.enable": None}), {}),
    "column of channels": (replace(VOLUME, settings={"hChannels.channelSave": Column([1, 2])}), {}),
    "brackets in names": (
        replace(VOLUME, settings={"hChannels.channelName": Cell(["red [nm]", "gr{e}en", "x", "y"])}),
        {},
    ),
    "stale slices": (Recording(frames_per_slice=12, settings={"hStackManager.numSlices": 121}), {}),
    "2016b": (replace(VOLUME, release="2016b"), {}),
    "3.8": (Recording(release="3.8", frames_per_slice=9), {}),
    "rolled": (replace(VOLUME, frames_per_file=7), {}),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_right_where_roiextractors_is_not(tmp_path: Path, kind: str) -> None:
    recording, options = RIGHT[kind]
    paths = recording.write(tmp_path)
    names = read_scan(tmp_path).channel_names
    for channel, name in enumerate(names):
        ours = compat.ScanImageImagingExtractor(file_path=paths[0], channel_name=name, **options)
        right = pixels(recording, paths, channel)
        assert ours.channel_names == names
        assert ours.get_num_samples() == len(right)
        assert np.array_equal(ours.get_series(), right if len(recording.zs) > 1 else right[..., 0])
        if kind != "3.8":
            stamps = read_scan(tmp_path).timestamps[-1]
            assert np.array_equal(ours.get_times(), stamps)
    if kind == "averaged":
        assert ours.get_sampling_frequency() == pytest.approx(read_scan(tmp_path).scan_frame_rate / 8)
    if kind != "3.8":
        statics = compat.ScanImageImagingExtractor
        assert statics.get_available_channel_names(paths[0]) == names
        assert statics.get_available_num_planes(paths[0]) == len(recording.zs)


def test_files_of_more_than_65535_pages(tmp_path: Path) -> None:
    (path,) = Recording(height=2, width=2, frames_per_slice=65_600).write(tmp_path)
    ours = compat.ScanImageImagingExtractor(file_path=path)
    assert ours.get_original_frame_indices().tolist() == list(range(65_600))
    assert np.array_equal(ours.get_samples([65_599])[0], read_scan(path)[0, :, :, 0, -1])
    assert np.array_equal(ours.get_times(), read_scan(path).timestamps[0])


def test_3_8_has_times_by_its_rate(tmp_path: Path) -> None:
    (path,) = Recording(release="3.8", frames_per_slice=9).write(tmp_path)
    ours = compat.ScanImageImagingExtractor(file_path=path)
    with pytest.warns(UserWarning, match="calculated"):
        times = ours.get_times()
    assert np.allclose(times, np.arange(9) / ours.get_sampling_frequency())


def test_missing_and_stray_files_are_said(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=40, frames_per_file=10)
    paths = recording.write(tmp_path)
    paths[1].unlink()
    (tmp_path / "scan_00001_copy.tif").write_bytes(paths[0].read_bytes())
    for module in (compat, roiextractors):
        with warnings.catch_warnings(record=True) as warning_records:
            warnings.simplefilter("always")
            extractor = module.ScanImageImagingExtractor(file_path=paths[0])
        messages = " ".join(str(warning.message) for warning in warning_records)
        assert "Missing files detected in the sequence: scan_00001_00002.tif" in messages
        assert "Non-sequence files detected: scan_00001_copy.tif" in messages
        assert extractor.get_num_samples() == 30


def test_loops_are_found_by_their_first_file(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=4, loops=3).write(tmp_path)
    ours, theirs = both_extractors(paths[0])
    assert [Path(p) for p in ours.file_paths] == [Path(p) for p in theirs.file_paths] == paths
    assert np.array_equal(ours.get_series(), theirs.get_series())


def test_an_odd_suffix_is_said(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=4).write(tmp_path)
    path = path.rename(path.with_suffix(".scan"))
    with pytest.warns(UserWarning, match="Suffix"):
        compat.ScanImageImagingExtractor(file_path=path)


def test_planes_are_known_by_the_header_however_little_a_file_holds(tmp_path: Path) -> None:
    fast_paths = Recording(mode="fast", zs=(0, 10, 20), volumes=4, flyback=1, frames_per_file=2).write(
        tmp_path / "fast"
    )
    slow_paths = Recording(mode="slow", zs=(0, 10, 20), frames_per_slice=4, frames_per_file=4).write(tmp_path / "slow")
    for path in (*fast_paths, *slow_paths):
        assert compat.ScanImageImagingExtractor.get_available_num_planes(path) == 3


def test_files_in_another_order_are_put_right_and_said(tmp_path: Path) -> None:
    paths = Recording(frames_per_slice=3, loops=2).write(tmp_path)
    with pytest.warns(UserWarning, match="in the order of their frames"):
        ours = compat.ScanImageImagingExtractor(file_paths=paths[::-1])
    assert ours.file_paths == paths
    assert (np.diff(ours.get_times()) > 0).all()
    assert compat.ScanImageImagingExtractor(file_paths=np.array(paths)).get_num_samples() == 6  # type: ignore[arg-type]


@pytest.mark.parametrize("samples", [[True, False, True, False, False, False], [1.9], ["a"]])
def test_samples_that_are_no_integers(tmp_path: Path, samples: Any) -> None:
    (path,) = Recording(frames_per_slice=6).write(tmp_path)
    with pytest.raises(TypeError, match="integers"):
        compat.ScanImageImagingExtractor(file_path=path).get_samples(samples)


def test_slow_stacks_are_found_without_enable(tmp_path: Path) -> None:
    recording = Recording(mode="slow", zs=(0, 1, 2), settings={"hStackManager.enable": None}, loops=2)
    paths = replace(recording, settings={**recording.settings, "acqState": "other"}).write(tmp_path)
    assert compat.ScanImageImagingExtractor(file_path=paths[0]).file_paths == paths


def test_names_that_are_not_scanimage_s_stay_alone(tmp_path: Path) -> None:
    recording = Recording(frames_per_slice=6, frames_per_file=10)
    for number in (1, 2):
        (path,) = replace(recording, epoch=(2023, 1, 1, 1, number, 0.0)).write(tmp_path / str(number))
        path.rename(tmp_path / f"m_{number}.tif")
    assert compat.ScanImageImagingExtractor(file_path=tmp_path / "m_1.tif").get_num_samples() == 6


# ------------------------------------------------------------------------- multi-ROI


def test_multi_roi_gives_whole_pages_or_one_roi(tmp_path: Path) -> None:
    (path,) = MESOSCOPE.write(tmp_path)
    scan = read_scan(path)
    extractor = compat.ScanImageImagingExtractor(file_path=path)
    assert np.array_equal(extractor.get_series(), pixels(MESOSCOPE, [path]))
    theirs = roiextractors.ScanImageImagingExtractor(file_path=path)
    assert np.array_equal(extractor.get_series(), theirs.get_series())
    for options, fields in (
        ({"roi_index": 0}, [0, 2]),
        ({"roi_name": "LM"}, [1, 3]),
        ({"roi_name": "RSC"}, [4]),
        ({"field_index": 3}, [3]),
    ):
        ours = compat.ScanImageImagingExtractor(file_path=path, **options)
        right = np.stack([scan[i, :, :, 0] for i in fields], axis=-1).transpose(2, 0, 1, 3)
        assert np.array_equal(ours.get_series(), right if len(fields) > 1 else right[..., 0])
        assert ours.is_volumetric == (len(fields) > 1)
        assert ours.get_image_shape() == (scan.fields[fields[0]].height, scan.fields[fields[0]].width)
        assert np.array_equal(ours.get_times(), scan.field_timestamps(fields[-1]))


@pytest.mark.parametrize(
    "bad_options", [{"roi_name": "V2"}, {"roi_index": 3}, {"field_index": 5}, {"roi_index": 0, "field_index": 0}]
)
def test_rois_that_are_not_there(tmp_path: Path, bad_options: dict[str, Any]) -> None:
    (path,) = MESOSCOPE.write(tmp_path)
    with pytest.raises(ValueError, match="ROI|roi|field"):
        compat.ScanImageImagingExtractor(file_path=path, **bad_options)


# ---------------------------------------------------------------------------- legacy


def test_the_legacy_extractor(recordings: Path) -> None:
    for name in ("legacy_3_8_resaved.tiff", "two_channels_5_7.tif"):
        ours, theirs = (
            module.ScanImageLegacyImagingExtractor(recordings / name, sampling_frequency=7.5)
            for module in (compat, roiextractors)
        )
        for method in [
            "get_num_samples",
            "get_sampling_frequency",
            "get_image_shape",
            "get_dtype",
            "get_native_timestamps",
        ]:
            assert getattr(ours, method)() == getattr(theirs, method)()
        assert np.array_equal(ours.get_series(), theirs.get_series())
        assert np.array_equal(ours.get_series(1, 3), theirs.get_series(1, 3))
        assert np.array_equal(ours.get_timestamps(), theirs.get_timestamps())
        assert_same_names(ours, theirs)


# ------------------------------------------------------------------------- utilities


@pytest.mark.parametrize(
    "name", ["two_channels_5_7.tif", REAL_FILES["volume"][0], REAL_FILES["stack"][0], "legacy_3_8_resaved.tiff"]
)
def test_same_utilities(recordings: Path, name: str) -> None:
    from roiextractors.extractors.tiffimagingextractors import scanimagetiff_utils as original

    path = recordings / name
    extra_metadata = compat.extract_extra_metadata(path)
    assert extra_metadata == original.extract_extra_metadata(path)
    if "legacy" in name:
        assert compat.parse_metadata_v3_8(extra_metadata) == original.parse_metadata_v3_8(extra_metadata)
        for module in (compat, original):
            with pytest.raises(AssertionError, match="frameTimestamps_sec"):
                module.extract_timestamps_from_file(path)
            with pytest.raises(ValueError, match="BigTIFF|channel"):
                module.read_scanimage_metadata(path)
        return
    assert compat.parse_metadata(extra_metadata) == original.parse_metadata(extra_metadata)
    assert np.array_equal(compat.extract_timestamps_from_file(path), original.extract_timestamps_from_file(path))
    ours = compat.read_scanimage_metadata(path)
    if name.startswith("two"):  # of this one the original makes nothing: channelSave = [1;2]
        assert ours["roiextractors_parsed_metadata"]["channel_names"] == ["Channel 1", "Channel 2"]
        return
    theirs = original.read_scanimage_metadata(path)
    assert repr(ours) == repr(theirs)  # NaN is not equal to itself


@pytest.mark.parametrize("text", ["[1 2 3]", "[1,2,3]", "[1;2;3]", "[1, 2, 3]", "1", "[1]"])
def test_same_vectors(text: str) -> None:
    from roiextractors.extractors.tiffimagingextractors import scanimagetiff_utils as original

    assert compat.parse_matlab_vector(text) == original.parse_matlab_vector(text)


def test_vectors_of_one_long_number() -> None:
    assert compat.parse_matlab_vector("[12]") == [12]
    with pytest.raises(ValueError, match="Could not parse"):
        compat.parse_matlab_vector("[a b]")


# -------------------------------------------------------------------- what it imports


def test_roiextractors_is_imported_when_it_is_asked_for() -> None:
    code = "import sys, scanreader.compat as c; assert 'roiextractors' not in sys.modules; c.ScanImageImagingExtractor"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    code = (
        "import sys; sys.modules['roiextractors'] = None\n"
        "import scanreader.compat as c\n"
        "try: c.ScanImageImagingExtractor\n"
        "except ImportError as error: assert \"pip install 'scanreader[roiextractors]'\" in str(error), error\n"
        "else: raise SystemExit('no error')"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    with pytest.raises(AttributeError, match="nothing"):
        compat.nothing
    assert "ScanImageImagingExtractor" in dir(compat)


def test_neuroconv_writes_a_real_recording_to_nwb(recordings: Path, tmp_path: Path) -> None:
    pytest.importorskip("neuroconv", reason="pip install 'scanreader[neuroconv]'")
    from datetime import UTC, datetime

    from neuroconv.tools.nwb_helpers import make_nwbfile_from_metadata
    from neuroconv.tools.roiextractors import add_imaging_to_nwbfile
    from pynwb import NWBHDF5IO

    ours, theirs = both_extractors(recordings / REAL_FILES["volume"][0], channel_name="Channel 1")
    arrays = []
    for name, extractor in (("ours", ours), ("theirs", theirs)):
        nwbfile = make_nwbfile_from_metadata(
            {"NWBFile": {"session_start_time": datetime(2025, 4, 24, 16, 41, tzinfo=UTC)}}
        )
        add_imaging_to_nwbfile(imaging=extractor, nwbfile=nwbfile, photon_series_type="TwoPhotonSeries")
        with NWBHDF5IO(tmp_path / f"{name}.nwb", "w") as io:
            io.write(nwbfile)
        with NWBHDF5IO(tmp_path / f"{name}.nwb", "r") as io:
            series = next(iter(io.read().acquisition.values()))
            assert series.data.shape == (100, 20, 20, 9)
            arrays.append(np.asarray(series.data))
    assert np.array_equal(arrays[0], arrays[1])


def test_neuroconv_s_interface_has_its_metadata(recordings: Path) -> None:
    interfaces = pytest.importorskip("neuroconv.datainterfaces", reason="pip install 'scanreader[neuroconv]'")

    class OurInterface(interfaces.ScanImageImagingInterface):  # type: ignore[misc,name-defined]
        @classmethod
        def get_extractor_class(cls) -> Any:
            return compat.ScanImageImagingExtractor

    path = recordings / REAL_FILES["volume"][0]
    ours, theirs = (
        interface(file_path=path, channel_name="Channel 1").get_metadata().to_dict()
        for interface in (OurInterface, interfaces.ScanImageImagingInterface)
    )
    assert ours["Devices"] == theirs["Devices"]
    assert ours["Ophys"] == theirs["Ophys"]
    assert ours["NWBFile"]["session_start_time"] == theirs["NWBFile"]["session_start_time"]


def test_errors_are_ours(tmp_path: Path) -> None:
    with pytest.raises(ScanReaderError):
        compat.ScanImageImagingExtractor(file_path=tmp_path / "nope.tif")
