"""OME-Zarr: its content is that of the scan, also after interrupts."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from common import MESOSCOPE, ROIS, STACK, VOLUME, assert_reads, expected
from hypothesis import given, settings
from hypothesis import strategies as st

from scanreader import DtypeError, MissingExtraError, Scan, ScanIndexError, TargetExistsError, read_scan
from scanreader.bridges.kinds import Kind
from scanreader.bridges.targets import atomic_file, resumable_folder
from scanreader.simulate import Recording, roi, scanfield

zarr = pytest.importorskip("zarr")

from scanreader.bridges import ome_zarr, shards  # noqa: E402 - without zarr there is nothing to test
from scanreader.bridges.streams import in_order  # noqa: E402

PLANAR = Recording(height=13, width=18, frames_per_slice=23, channels=(1, 2))
ONE_FRAME = Recording(height=2, width=2, frames_per_slice=1)
KINDS = {"planar": PLANAR, "volume": VOLUME, "mesoscope": MESOSCOPE, "stack": STACK, "one frame": ONE_FRAME}
SPAN = replace(PLANAR, height=32, width=32, frames_per_slice=50)  # of several shards, where they are small


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Recording, Scan]]:
    recording = KINDS[request.param]
    recording.write(tmp_path / "recording")
    with read_scan(tmp_path / "recording") as scan:
        yield recording, scan


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 4 frames, shards of 12."""
    monkeypatch.setattr(ome_zarr, "CHUNK", 4 * 32 * 32 * 2)
    monkeypatch.setattr(ome_zarr, "SHARD", 3 * 4 * 32 * 32 * 2 * 2)


@pytest.fixture
def span(tmp_path: Path, small_shards: None) -> Iterator[Scan]:
    SPAN.write(tmp_path / "recording")
    with read_scan(tmp_path / "recording") as scan:
        yield scan


def image(path: Path, scan: Scan, field: int) -> Any:
    """The group of a field's image."""
    root = zarr.open_group(path, mode="r")
    return root[str(field)] if scan.num_fields > 1 else root


def level(path: Path, scan: Scan, field: int, number: int = 0) -> npt.NDArray[Any]:
    """Pixels of a level, of shape (y, x, channels, frames)."""
    array: npt.NDArray[Any] = image(path, scan, field)[str(number)][:]
    assert array.shape[2] == 1
    return array[:, :, 0].transpose(2, 3, 1, 0)


def scale_and_start(dataset: dict[str, Any]) -> tuple[list[float], list[float]]:
    """The scale and the translation of a level."""
    scale, translation = dataset["coordinateTransformations"]
    return scale["scale"], translation["translation"]


def assert_written(path: Path, scan: Scan) -> None:
    """Check that an OME-Zarr is the scan, and that no other files remain."""
    for i in range(scan.num_fields):
        np.testing.assert_array_equal(level(path, scan, i), scan[i])
    assert not path.with_name(f"{path.name}.partial").exists()
    names = {"zarr.json", "METADATA.ome.xml"}
    assert {file.name for file in path.rglob("*") if file.is_file() and not file.name.isdigit()} <= names


# --------------------------------------------------------------------------------- content


@pytest.mark.parametrize("compression", ["zstd", None])
def test_images_are_the_scan(kind: tuple[Recording, Scan], tmp_path: Path, compression: str | None) -> None:
    recording, scan = kind
    progress_calls: list[int] = []
    path = tmp_path / "out" / "a.ome.zarr"
    scan.to_ome_zarr(path, compression=compression, progress=progress_calls.append, grouped="field")
    assert sum(progress_calls) == scan.nbytes
    assert_written(path, scan)
    fields = expected(recording, scan.filenames)
    assert_reads(scan, fields)
    for i, field in enumerate(fields):
        np.testing.assert_array_equal(level(path, scan, i), field)
        array = image(path, scan, i)["0"]
        assert [type(codec).__name__ for codec in array.compressors] == (["ZstdCodec"] if compression else [])
        assert array.metadata.dimension_names == ("t", "c", "z", "y", "x")


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_shards_are_whole_frames_of_all_channels(span: Scan, tmp_path: Path, workers: int | None) -> None:
    span.to_ome_zarr(tmp_path / "a.zarr", workers=workers, levels=1, grouped="field")
    assert_written(tmp_path / "a.zarr", span)
    for number, size in enumerate((32, 16)):
        array = image(tmp_path / "a.zarr", span, 0)[str(number)]
        assert array.shards == (12, 2, 1, size, size)
        assert array.chunks == (4, 1, 1, size, size)
        assert len(list((tmp_path / "a.zarr" / str(number) / "c").iterdir())) == 5  # the last holds 2 frames


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32", "float64", ">f4", ">i4"])
def test_any_dtype(tmp_path: Path, dtype: str) -> None:
    replace(PLANAR, frames_per_slice=3).write(tmp_path / "recording")
    native_dtype = np.dtype(dtype)
    if dtype == "uint16":
        replace(PLANAR, frames_per_slice=3, dtype="uint16").write(tmp_path / "recording")
    with read_scan(tmp_path / "recording", dtype=native_dtype) as scan:
        scan.to_ome_zarr(tmp_path / "a.zarr", levels=1, grouped="field")
        assert_written(tmp_path / "a.zarr", scan)
        array = image(tmp_path / "a.zarr", scan, 0)["0"]
        assert array.dtype == native_dtype.newbyteorder("<")
        document = json.loads((tmp_path / "a.zarr" / "0" / "zarr.json").read_text())
        codecs = document["codecs"][0]["configuration"]["codecs"]
        assert codecs[0] == {"name": "bytes", "configuration": {"endian": "little"}}


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    ONE_FRAME.write(tmp_path / "recording")
    with pytest.raises(DtypeError, match="complex"):
        read_scan(tmp_path / "recording", dtype=np.complex64).to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    assert not list(tmp_path.glob("a.zarr*"))


def means(field: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The simplest halving: pixel by pixel."""
    height, width = field.shape[:2]
    out = np.empty((math.ceil(height / 2), math.ceil(width / 2), *field.shape[2:]), field.dtype)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            mean = field[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean(axis=(0, 1), dtype=float)
            out[y, x] = np.floor(mean + 0.5) if field.dtype.kind in "iu" else mean
    return out


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_pyramids_are_means(tmp_path: Path, dtype: str) -> None:
    rois = (*ROIS[:2], roi(scanfield((3.6, -0.5), (2.4, 0.1), (24, 1)), name="line"))
    replace(MESOSCOPE, rois=rois).write(tmp_path / "recording")
    with read_scan(tmp_path / "recording", dtype=np.dtype(dtype)) as scan:
        scan.to_ome_zarr(tmp_path / "a.zarr", levels=4, grouped="field")
        for i, field in enumerate(scan.fields):
            right = scan[i]
            multiscale = image(tmp_path / "a.zarr", scan, i).attrs["ome"]["multiscales"][0]
            assert len(multiscale["datasets"]) == 5
            assert multiscale["type"] == "mean"
            y0, x0 = multiscale["datasets"][0]["coordinateTransformations"][1]["translation"][-2:]
            for number, dataset in enumerate(multiscale["datasets"]):
                np.testing.assert_allclose(level(tmp_path / "a.zarr", scan, i, number), right, rtol=1e-6)
                right = means(right)
                scale, start = scale_and_start(dataset)
                assert scale[-2] == pytest.approx(field.pixel_height_in_microns * 2**number)
                # The first pixel's edge stays where it is.
                assert start[-2] - scale[-2] / 2 == pytest.approx(y0 - field.pixel_height_in_microns / 2)
                assert start[-1] - scale[-1] / 2 == pytest.approx(x0 - field.pixel_width_in_microns / 2)


def test_axes_and_places(kind: tuple[Recording, Scan], tmp_path: Path) -> None:
    _, scan = kind
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    depths = sorted(set(scan.field_depths))
    for i, field in enumerate(scan.fields):
        (multiscale,) = image(tmp_path / "a.zarr", scan, i).attrs["ome"]["multiscales"]
        assert [axis["name"] for axis in multiscale["axes"]] == ["t", "c", "z", "y", "x"]
        units = [None if scan.is_slow_stack else "second", None, *["micrometer"] * 3]
        assert [axis.get("unit") for axis in multiscale["axes"]] == units
        (dataset,) = multiscale["datasets"]
        scale, start = scale_and_start(dataset)
        step = depths[1] - depths[0] if len(depths) > 1 else 1
        sizes = [field.pixel_height_in_microns, field.pixel_width_in_microns]
        period, start_time = (1, 0) if scan.is_slow_stack else (1 / scan.fps, scan.field_timestamps(i)[0])
        assert scale == pytest.approx([period, 1, step, *sizes])
        x, y, _ = field.affine @ [0, 0, 1]
        assert start == pytest.approx([start_time, 0, field.depth, y, x])


def test_rotated_fields_keep_their_centre(tmp_path: Path) -> None:
    turned_roi = roi(scanfield((1.0, 2.0), (2.4, 4.0), (24, 40), rotation=30.0), name="turned")
    replace(MESOSCOPE, rois=(turned_roi, ROIS[1])).write(tmp_path / "recording")
    with read_scan(tmp_path / "recording") as scan:
        scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
        field, group = scan.fields[0], image(tmp_path / "a.zarr", scan, 0)
        assert field.rotation == 30
        (dataset,) = group.attrs["ome"]["multiscales"][0]["datasets"]
        scale, start = scale_and_start(dataset)
        assert start[-2] + scale[-2] * (field.height - 1) / 2 == pytest.approx(field.y_in_microns)
        assert start[-1] + scale[-1] * (field.width - 1) / 2 == pytest.approx(field.x_in_microns)
        assert group.attrs["scanimage"]["rotation_in_degrees"] == 30
        assert np.allclose(group.attrs["scanimage"]["affine"], field.affine)


@pytest.mark.parametrize("raw", [False, True])
def test_unknown_scales_have_no_unit(tmp_path: Path, raw: bool) -> None:
    Recording(release="3.8", frames_per_slice=5).write(tmp_path / "recording")
    with read_scan(tmp_path / "recording", raw=raw) as scan:
        scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
        assert_written(tmp_path / "a.zarr", scan)
        (multiscale,) = image(tmp_path / "a.zarr", scan, 0).attrs["ome"]["multiscales"]
    units = [axis.get("unit") for axis in multiscale["axes"]]
    assert units == ([None] * 5 if raw else ["second", None, "micrometer", None, None])
    scale, start = scale_and_start(multiscale["datasets"][0])
    assert scale[-2:] == [1, 1]
    assert start[-2:] == [0, 0]


@pytest.mark.parametrize("frames", [slice(None), slice(0, 2)])
def test_frames_that_are_not_even_have_no_unit_of_time(tmp_path: Path, frames: slice) -> None:
    """In a slow stack, the other slices come between the frames of two volumes; `times` has when each was."""
    STACK.write(tmp_path / "raw")
    scan = read_scan(tmp_path / "raw").select(frames=frames)  # two frames are of one volume
    path = tmp_path / "a.zarr"
    scan.to_ome_zarr(path)
    (multiscale,) = zarr.open_group(path, mode="r").attrs["ome"]["multiscales"]
    scale, translation = multiscale["datasets"][0]["coordinateTransformations"]
    is_even = frames.stop == 2
    assert multiscale["axes"][0].get("unit") == ("second" if is_even else None)
    assert scale["scale"][0] == (pytest.approx(1 / scan.fps) if is_even else 1)
    assert translation["translation"][0] == 0
    assert scan.verify(path).ok


def test_metadata_of_scanimage_is_complete(kind: tuple[Recording, Scan], tmp_path: Path) -> None:
    _, scan = kind
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")["scanimage"]
    assert group.attrs["header"] == scan.header_block
    assert json.loads(group.attrs["rois"]) == scan.roi_metadata
    assert group.attrs["release"] == scan.release
    assert group.attrs["frame_rate"] == scan.fps
    assert scan.start_time is not None
    assert group.attrs["start_time"] == scan.start_time.isoformat()
    assert group.attrs["files"] == [Path(name).name for name in scan.filenames]
    right = [scan.field_timestamps(i) for i in range(scan.num_fields)]
    np.testing.assert_array_equal(group["times"][:], right)
    for i, field in enumerate(scan.fields):
        attributes = image(tmp_path / "a.zarr", scan, i).attrs["scanimage"]
        assert (attributes["name"], attributes["slice"]) == (field.name, field.slice_id)


def test_channels_have_names_and_are_shown_by_their_values(kind: tuple[Recording, Scan], tmp_path: Path) -> None:
    _, scan = kind
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    for i in range(scan.num_fields):
        channels = image(tmp_path / "a.zarr", scan, i).attrs["ome"]["omero"]["channels"]
        assert [channel["label"] for channel in channels] == scan.channel_names
        for number, channel in enumerate(channels):
            window, values = channel["window"], scan[i, :, :, number]
            assert values.min() <= window["start"] < window["end"] <= max(values.max(), values.min() + 1)
            assert (window["min"], window["max"]) == (-32768, 32767)


def test_json_is_what_every_reader_takes(kind: tuple[Recording, Scan], tmp_path: Path) -> None:
    def refuse_constant(constant: str) -> None:
        raise AssertionError(constant)

    _, scan = kind
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    for file in (tmp_path / "a.zarr").rglob("zarr.json"):
        text = file.read_text("utf-8")
        if '"float64"' not in text:  # whose fill value is NaN by a word of zarr's own
            json.loads(text, parse_constant=refuse_constant)


def test_real_recordings(recordings: Path, tmp_path: Path) -> None:
    for name in ("two_channels_5_7.tif", "volume_two_channels", "slow_stack_20220923_noroi.tif"):
        with read_scan(recordings / name) as scan:
            scan.to_ome_zarr(tmp_path / name, levels=2, grouped="field")
            assert_written(tmp_path / name, scan)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_zarr_reads_any_shard(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    sizes = (9, 3, 3, 4, 4, 4, 3)
    frames, channels, planes, height, width, chunk, chunks = (data.draw(st.integers(1, n)) for n in sizes)
    compress = data.draw(st.booleans())
    values = np.random.default_rng(0).integers(-9, 9, (frames, channels, planes, height, width)).astype("<i2")
    folder = tmp_path_factory.mktemp("shards")
    array = zarr.create_array(
        folder,
        shape=values.shape,
        dtype="<i2",
        chunks=(chunk, 1, 1, height, width),
        shards=(chunk * chunks, channels, planes, height, width),
        compressors=zarr.codecs.ZstdCodec() if compress else None,
        fill_value=7,
    )
    for i, start in enumerate(range(0, frames, chunk * chunks)):
        place = folder / "c" / str(i) / "0" / "0" / "0"
        place.mkdir(parents=True)
        with (place / "0").open("wb") as file:
            block = values[start : start + chunk * chunks]
            shards.write_shard(file, block, chunk, chunks, compress=compress)
    np.testing.assert_array_equal(array[:], values)
    half_images = shards.halve(values[:, :, 0]).transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(half_images, means(values[:, :, 0].transpose(2, 3, 1, 0)))


# ------------------------------------------------------------------ what others say of it


@pytest.mark.ecosystem
def test_external_validators(kind: tuple[Recording, Scan], tmp_path: Path) -> None:
    """Of several fields, ome-zarr-models knows the root by its module bioformats2raw alone."""
    all_models = pytest.importorskip("ome_zarr_models")
    yaozarrs = pytest.importorskip("yaozarrs")
    models = pytest.importorskip("ome_zarr_models.v05")
    collection = pytest.importorskip("ome_zarr_models.v05.bioformats2raw")
    _, scan = kind
    scan.to_ome_zarr(tmp_path / "a.zarr", levels=2, grouped="field")
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))
    root = zarr.open_group(tmp_path / "a.zarr", mode="r")
    if scan.num_fields == 1:
        assert isinstance(all_models.open_ome_zarr(root), models.Image)
    else:
        with pytest.raises(RuntimeError, match="any OME-Zarr group model"):
            all_models.open_ome_zarr(root)
        collection_found = collection.BioFormats2Raw.from_zarr(root)
        assert collection_found.image_paths == [str(i) for i in range(scan.num_fields)]
        assert root["OME"].attrs["ome"]["series"] == collection_found.image_paths
    for i, field in enumerate(scan.fields):
        model = models.Image.from_zarr(image(tmp_path / "a.zarr", scan, i))
        assert len(model.ome_attributes.multiscales[0].datasets) == (3 if field.height > 2 else 2)


@pytest.mark.ecosystem
@pytest.mark.parametrize("kind", ["volume", "mesoscope"], indirect=True)
def test_ome_xml_has_the_images_in_order(kind: tuple[Recording, Scan], tmp_path: Path) -> None:
    ome_types = pytest.importorskip("ome_types")
    _, scan = kind
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    xml = (tmp_path / "a.zarr" / "OME" / "METADATA.ome.xml").read_text("utf-8")
    ome = ome_types.from_xml(xml, validate=True)
    assert [image.id for image in ome.images] == [f"Image:{i}" for i in range(scan.num_fields)]
    for field, image in zip(scan.fields, ome.images, strict=True):
        assert image.pixels.metadata_only
        assert (image.pixels.size_y, image.pixels.size_x) == (field.height, field.width)
        assert (image.pixels.size_t, image.pixels.size_c) == (scan.num_frames, scan.num_channels)
        assert image.pixels.physical_size_x == pytest.approx(field.pixel_width_in_microns)
        assert [channel.name for channel in image.pixels.channels] == scan.channel_names


# ------------------------------------------------------------------ complete, or missing


def shard_times(folder: Path) -> dict[str, int]:
    """When each shard was written, by its path in the store."""
    (data,) = folder.glob("data-*") if folder.name.endswith(".partial") else [folder]
    files = [file for file in data.rglob("*") if file.is_file() and "c" in file.parts and "times" not in file.parts]
    return {str(file.relative_to(data)): file.stat().st_mtime_ns for file in files}


class Stop:
    """A progress that interrupts after some calls."""

    def __init__(self, calls: int) -> None:
        self.calls_left = calls

    def __call__(self, _: int) -> None:
        self.calls_left -= 1
        if not self.calls_left:
            raise KeyboardInterrupt


def test_an_interrupted_export_continues(span: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, partial = tmp_path / "a.zarr", tmp_path / "a.zarr.partial"
    files_begun: list[Any] = []

    def no_further(file: Any, *rest: Any, **options: Any) -> None:
        files_begun.append(file)
        if len(files_begun) > 6:
            raise OSError("the interrupt has come by now")
        shards.write_shard(file, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ome_zarr, "write_shard", no_further)
        with pytest.raises(KeyboardInterrupt):
            span.to_ome_zarr(path, levels=1, workers=1, progress=Stop(2), grouped="field")
    assert not path.exists()
    shards_before = shard_times(partial)
    assert len(shards_before) in (4, 6)  # two shards of two levels, and what was begun
    paths_written: list[Path] = []

    def record(path: Path, partial: Path) -> Any:
        paths_written.append(path)
        return atomic_file(path, partial)

    monkeypatch.setattr(ome_zarr, "atomic_file", record)
    progress_calls: list[int] = []
    span.to_ome_zarr(path, levels=1, progress=progress_calls.append, grouped="field")
    assert sum(progress_calls) == span.nbytes
    assert len(paths_written) == 10 - len(shards_before)
    assert shards_before.items() <= shard_times(path).items()
    assert_written(path, span)


def test_an_export_continues_after_a_crash_in_a_shard(span: Scan, tmp_path: Path) -> None:
    path, partial = tmp_path / "a.zarr", tmp_path / "a.zarr.partial"
    code = f"""
import os, signal
from scanreader import read_scan
from scanreader.bridges import ome_zarr
ome_zarr.CHUNK, ome_zarr.SHARD = {ome_zarr.CHUNK}, {ome_zarr.SHARD}
write, written = ome_zarr.write_shard, []
def half(file, block, chunk, chunks, **options):
    written.append(file)
    if len(written) < 4:
        return write(file, block, chunk, chunks, **options)
    file.write(bytes(1000))
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL) if hasattr(signal, "SIGKILL") else os._exit(9)
ome_zarr.write_shard = half
read_scan({str(tmp_path / "recording")!r}).to_ome_zarr({str(path)!r}, workers=1)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode in (-9, 9), result.stderr
    assert not path.exists()
    shards_before = shard_times(partial)
    assert len(shards_before) == 3
    assert [file.stat().st_size for file in (partial / "unfinished").iterdir()] == [1000]
    span.to_ome_zarr(path, grouped="field")
    assert shards_before.items() <= shard_times(path).items()
    assert_written(path, span)


def test_a_crash_during_preparation_is_ignored(span: Scan, tmp_path: Path) -> None:
    partial = tmp_path / "a.zarr.partial"
    (partial / EARLIER_DATA / "scanimage").mkdir(parents=True)
    (partial / EARLIER_DATA / "zarr.json").write_text("{")
    (partial / "lock").touch()
    span.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    assert_written(tmp_path / "a.zarr", span)


@pytest.mark.parametrize("change", ["levels", "compression", "scan", "layout"])
def test_another_call_does_not_go_on_with_it(
    span: Scan, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    with pytest.raises(KeyboardInterrupt):
        span.to_ome_zarr(path, workers=1, progress=Stop(2), grouped="field")
    times_before = shard_times(tmp_path / "a.zarr.partial")
    options: dict[str, Any] = {}
    other_span = span
    if change == "levels":
        options = {"levels": 1}
    elif change == "compression":
        options = {"compression": None}
    elif change == "scan":
        other_span = span.trimmed(left=1)
    else:
        monkeypatch.setattr(ome_zarr, "SHARD", 1)
    with pytest.raises(TargetExistsError, match=rf"\(.*{change}.* differ.*overwrite=True"):
        other_span.to_ome_zarr(path, **options, grouped="field")
    assert shard_times(tmp_path / "a.zarr.partial") == times_before
    assert not path.exists()
    other_span.to_ome_zarr(path, overwrite=True, **options, grouped="field")
    assert_written(path, other_span)
    assert len(image(path, other_span, 0).attrs["ome"]["multiscales"][0]["datasets"]) == options.get("levels", 0) + 1


def test_an_existing_target_is_replaced_on_request(span: Scan, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    span.select(frames=[0]).to_ome_zarr(path, grouped="field")
    entries_before = sorted(entry.relative_to(path) for entry in path.rglob("*"))
    with pytest.raises(TargetExistsError, match="overwrite=True"):
        span.to_ome_zarr(path, grouped="field")
    with pytest.raises(KeyboardInterrupt):
        span.to_ome_zarr(path, overwrite=True, progress=Stop(1), grouped="field")
    assert sorted(entry.relative_to(path) for entry in path.rglob("*")) == entries_before  # until the new one is whole
    span.to_ome_zarr(path, overwrite=True, grouped="field")
    assert_written(path, span)


@pytest.mark.parametrize("name", ["mine", "0/labels/zarr.json", "0/cells.csv"])
def test_what_others_put_into_a_target_is_never_lost(span: Scan, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zarr"
    span.to_ome_zarr(path, grouped="field")
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text("mine")
    with pytest.raises(TargetExistsError, match=re.escape(name)):
        span.to_ome_zarr(path, overwrite=True, grouped="field")
    assert (path / name).read_text() == "mine"
    (path / name).unlink()
    assert_written(path, span)


def test_a_link_is_not_replaced(span: Scan, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("mine")
    path = tmp_path / "a.zarr"
    try:
        path.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(TargetExistsError, match="is a link"):
        span.to_ome_zarr(path, overwrite=True, grouped="field")
    assert path.is_symlink()
    assert (tmp_path / "elsewhere" / "mine").read_text() == "mine"


def test_two_calls_at_once(span: Scan, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    refusals: list[str] = []

    def call_again(_: int) -> None:
        with pytest.raises(TargetExistsError, match="another call") as error:
            span.to_ome_zarr(path, overwrite=True, grouped="field")
        refusals.append(str(error.value))
        code = f"from scanreader import read_scan; read_scan({span.filenames[0]!r}).to_ome_zarr({str(path)!r})"
        if len(refusals) == 1:
            other_process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            assert "TargetExistsError" in other_process.stderr
            assert "another call" in other_process.stderr

    span.to_ome_zarr(path, progress=call_again, grouped="field")
    assert refusals
    assert_written(path, span)


def test_a_page_that_cannot_be_read_stops_it(span: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    getitem = Scan.__getitem__

    def fail_to_read(self: Scan, key: Any) -> npt.NDArray[Any]:
        if isinstance(key[-1], slice) and key[-1].start == 24:
            raise OSError("the network is gone")
        return getitem(self, key)

    monkeypatch.setattr(Scan, "__getitem__", fail_to_read)
    with pytest.raises(OSError, match="network"):
        span.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    assert not (tmp_path / "a.zarr").exists()
    monkeypatch.setattr(Scan, "__getitem__", getitem)
    span.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    assert_written(tmp_path / "a.zarr", span)


def test_what_cannot_be_prepared_leaves_nothing(span: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_to_read(self: Scan, field: int) -> npt.NDArray[np.float64]:
        raise OSError("the network is gone")

    monkeypatch.setattr(Scan, "field_timestamps", fail_to_read)
    with pytest.raises(OSError, match="network"):
        span.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    assert not list(tmp_path.glob("a.zarr*"))


def test_options_that_make_no_sense(span: Scan, tmp_path: Path) -> None:
    bad_options: list[dict[str, Any]] = [{"compression": "gzip"}, {"levels": -1}, {"workers": 0}]
    for options in bad_options:
        with pytest.raises(ScanIndexError, match=next(iter(options))[:6]):
            span.to_ome_zarr(tmp_path / "a.zarr", **options, grouped="field")
    assert not list(tmp_path.glob("a.zarr*"))


def test_a_missing_library_is_one_sentence(span: Scan, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['zarr'] = None\n"
        "from scanreader import read_scan, MissingExtraError\n"
        f"try: read_scan({span.filenames[0]!r}).to_ome_zarr('nowhere')\n"
        "except MissingExtraError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "this needs zarr: pip install 'scanreader[zarr]'\n"
    assert issubclass(MissingExtraError, ImportError)


# ------------------------------------------------------- what is gone on with, by itself


EARLIER_DATA = f"data-{0:032x}"
ANY_KIND = Kind("a test's folder", lambda _: True, re.compile(".*"))


def write(path: Path, description: dict[str, Any], *names: str, overwrite: bool = False) -> None:
    def prepare(folder: Path) -> None:
        folder.mkdir()
        (folder / "prepared").touch()

    with resumable_folder(path, ANY_KIND, description, prepare, sources=(), overwrite=overwrite) as partial:
        for name in names:
            with atomic_file(partial.data / name, partial.unfinished) as file:
                file.write(name.encode())
            if name == "stop":
                raise KeyboardInterrupt


def test_what_others_put_there_is_left_alone(tmp_path: Path) -> None:
    foreign_file = tmp_path / "a.partial" / "mine"
    foreign_file.parent.mkdir()
    foreign_file.write_text("mine")
    write(tmp_path / "a", {}, "b")
    assert foreign_file.read_text() == "mine"
    assert [path.name for path in foreign_file.parent.iterdir()] == ["mine"]


def test_a_crash_after_the_last_rename_is_no_beginning(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", {"n": 1}, "b", "stop")
    (data,) = (tmp_path / "a.partial").glob("data-*")
    data.rename(tmp_path / "a")
    with pytest.raises(TargetExistsError, match="exists"):
        write(tmp_path / "a", {"n": 1}, "c")
    write(tmp_path / "a", {"n": 1}, "c", overwrite=True)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["c", "prepared"]
    assert not (tmp_path / "a.partial").exists()


def test_a_crash_between_the_last_two_renames_is_gone_on_with(tmp_path: Path) -> None:
    write(tmp_path / "a", {"n": 0}, "old")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", {"n": 1}, "b", "stop", overwrite=True)
    (tmp_path / "a").rename(tmp_path / "a.partial" / f"replaced-{0:032x}")
    write(tmp_path / "a", {"n": 1}, "c")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b", "c", "prepared", "stop"]
    assert not (tmp_path / "a.partial").exists()


def test_a_record_that_cannot_be_read_is_no_beginning(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", {"n": 1}, "b", "stop")
    for text in ("", "[]", "{}", "null"):
        (tmp_path / "a.partial" / "record.json").write_text(text)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "a", {"n": 1}, "stop")
    write(tmp_path / "a", {"n": 1})
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["prepared", "stop"]


@pytest.mark.parametrize("data", ["/elsewhere", "../elsewhere", "..", ".", "", "data-0", 5, None])
def test_a_record_names_nothing_outside(tmp_path: Path, data: Any) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", {"n": 1}, "b", "stop")
    record = {"what": {"n": 1}, "data": str(tmp_path / "elsewhere") if data == "/elsewhere" else data}
    (tmp_path / "a.partial" / "record.json").write_text(json.dumps(record))
    write(tmp_path / "a", {"n": 1}, "c")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["c", "prepared"]
    assert (tmp_path / "elsewhere" / "mine").read_text() == "mine"


def test_a_file_is_put_down_whole_or_not_at_all(tmp_path: Path) -> None:
    def half() -> None:
        with atomic_file(tmp_path / "deep" / "a", tmp_path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# --------------------------------------------------------------------- how it is written


def test_no_more_than_a_shard_for_each_worker_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recording(height=128, width=128, frames_per_slice=1600, channels=(1, 2), holes=True).write(tmp_path / "recording")
    shard = 4 << 20
    monkeypatch.setattr(ome_zarr, "SHARD", shard)
    with read_scan(tmp_path / "recording") as scan:
        assert scan.nbytes > 20 * shard
        scan.to_ome_zarr(tmp_path / "warm.zarr", workers=2, grouped="field")
        for compression, levels, most_shards in ((None, 0, 1.5), ("zstd", 0, 2.5), (None, 2, 3)):
            tracemalloc.start()
            scan.to_ome_zarr(
                tmp_path / "a.zarr", workers=2, compression=compression, levels=levels, overwrite=True, grouped="field"
            )
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 2 * most_shards * shard + (4 << 20), (compression, levels)


def test_workers_get_kilobytes(span: Scan, tmp_path: Path) -> None:
    sizes = []

    original = in_order

    def through_a_pickle(write: Any, *rest: Any) -> Iterator[Any]:
        sizes.append(len(pickle.dumps(write)))
        return original(pickle.loads(pickle.dumps(write)), *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ome_zarr, "in_order", through_a_pickle)
        span.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    assert sizes[0] < 16_000
    assert_written(tmp_path / "a.zarr", span)


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore")
def test_dask_s_workers_write(span: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    progress_calls: list[int] = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            span.to_ome_zarr("a.zarr", levels=1, client=client, progress=Stop(2), grouped="field")
        span.to_ome_zarr("a.zarr", levels=1, client=client, progress=progress_calls.append, grouped="field")
        tasks_of_worker = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert sum(progress_calls) == span.nbytes
    assert len(tasks_of_worker) == 2
    assert min(tasks_of_worker.values()) > 0
    assert os.getpid() not in tasks_of_worker
    assert_written(tmp_path / "a.zarr", span)
