"""Scans in other libraries: their pixels are those of the scan."""

from __future__ import annotations

import importlib.util
import math
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME

from scanreader import FieldDimensionMismatch, LayoutError, MissingExtraError, Scan, ScanReaderWarning, read_scan
from scanreader.simulate import Recording, roi, scanfield

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Zarr.*"),
]


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Scan]:
    replace(VOLUME, volumes=30, frames_per_file=33).write(tmp_path / "volume")
    with read_scan(tmp_path / "volume") as scan:
        yield scan


@pytest.fixture
def mesoscope(tmp_path: Path) -> Iterator[Scan]:
    MESOSCOPE.write(tmp_path / "mesoscope")
    with read_scan(tmp_path / "mesoscope") as scan:
        yield scan


def test_a_missing_library_is_one_sentence(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=2).write(tmp_path)
    for module, method, extra in (("dask", "to_dask", "dask"), ("xarray", "to_xarray", "xarray")):
        code = (
            f"import sys; sys.modules['{module}'] = None\n"
            "from scanreader import read_scan, MissingExtraError\n"
            f"try: read_scan(sys.argv[1]).{method}()\n"
            "except MissingExtraError as error: print(error)"
        )
        result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert result.stdout == f"this needs {module}: pip install 'scanreader[{extra}]'\n"
    assert issubclass(MissingExtraError, ImportError)


# ----------------------------------------------------------------------------- dask


def test_dask_array_is_the_scan(volume: Scan) -> None:
    pytest.importorskip("dask.array")
    array = volume.to_dask()
    assert array.shape == volume.shape
    assert array.dtype == volume.dtype
    pixels = volume[:]
    assert np.array_equal(array.compute(), pixels)
    for key in (np.s_[1], np.s_[:, 3:7, ::2, 0], np.s_[0, :, :, 1, -5:], np.s_[2, 5, 5, 0, [3, 1, 7]]):
        assert np.array_equal(array[key].compute(), pixels[key])
    assert np.array_equal(volume.to_dask(1)[..., 4].compute(), pixels[1, ..., 4])
    assert np.allclose(array.mean(axis=-1).compute(), pixels.mean(axis=-1))


def test_dask_chunks_are_whole_frames(tmp_path: Path) -> None:
    pytest.importorskip("dask.array")
    Recording(height=512, width=512, frames_per_slice=2000, channels=(1, 2), holes=True).write(tmp_path)
    scan = read_scan(tmp_path)
    array = scan.to_dask()
    assert array.chunksize == (1, 512, 512, 2, 64)
    assert array.chunksize[1:4] == scan.shape[1:4]
    assert len(array.__dask_graph__()) < 100
    assert scan.to_dask(frames=10).chunksize[-1] == 10


def test_dask_names_are_stable_and_small(volume: Scan) -> None:
    base = pytest.importorskip("dask.base")
    volume_copy = pickle.loads(pickle.dumps(volume))
    assert volume.to_dask().name == volume_copy.to_dask().name
    assert volume.to_dask(0).name != volume.to_dask(1).name
    assert volume.to_dask().name != volume.trimmed(left=1).to_dask().name
    assert base.tokenize(volume) == base.tokenize(volume_copy)
    assert len(pickle.dumps(volume.to_dask())) < 64_000


def test_dask_of_fields_of_other_sizes(mesoscope: Scan) -> None:
    pytest.importorskip("dask.array")
    with pytest.raises(FieldDimensionMismatch, match=r"to_dask\(0\)"):
        mesoscope.to_dask()
    for i in range(mesoscope.num_fields):
        assert np.array_equal(mesoscope.to_dask(i).compute(), mesoscope[i])


def _process(_: Any) -> Any:
    return np.full((1, 1, 1, 1), os.getpid())


@pytest.mark.filterwarnings("ignore")
def test_two_processes_of_dask_share_what_one_cannot_hold(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    Recording(height=512, width=512, frames_per_slice=2400, holes=True).write(tmp_path)
    scan = read_scan(tmp_path)
    limit = 900 << 20
    assert scan.nbytes > limit
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, memory_limit=limit, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        array = scan.to_dask(0)
        mean = array.mean(axis=-1).compute()
        processes = array.map_blocks(_process, dtype=int).compute()
    right = sum(scan[0, :, :, :, start : start + 200].sum(axis=-1, dtype=float) for start in range(0, 2400, 200)) / 2400
    assert np.allclose(mean, right)
    assert len(np.unique(processes)) == 2


@pytest.mark.parametrize("kind", ["volume", "mesoscope"])
def test_a_part_goes_where_a_scan_goes(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    scan: Scan = request.getfixturevalue(kind)
    part = scan.select(fields=[2, 0], channels=[-1], frames=slice(1, None, 2))
    right = [scan[i][:, :, [-1], 1::2] for i in (2, 0)]
    xarray, dask = pytest.importorskip("xarray"), pytest.importorskip("dask.array")
    assert isinstance(part.to_dask(0), dask.Array)
    assert isinstance(part.to_xarray(grouped="field"), xarray.Dataset)
    part.to_suite2p(tmp_path / "s2p")
    part.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field")
    part.to_references(tmp_path / "a.json")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        for i, field in enumerate(right):
            assert np.array_equal(part[i], field)
            assert np.array_equal(part.to_dask(i).compute(), field)
            image = file.series[i].asarray().reshape(field.shape[3], 1, *field.shape[:2])
            assert np.array_equal(image.transpose(2, 3, 1, 0), field)
            movie = np.fromfile(tmp_path / "s2p" / "suite2p" / f"plane{i}" / "data.bin", np.int16)
            assert np.array_equal(movie.reshape(-1, *field.shape[:2]).transpose(1, 2, 0), field[:, :, 0])


# --------------------------------------------------------------------------- xarray


def assert_dataset(dataset: Any, scan: Scan) -> None:
    """See that a dataset of fields of one size is the scan."""
    assert dataset["data"].dims == ("field", "y", "x", "channel", "time")
    assert np.array_equal(dataset["data"].values, scan[:])
    assert dataset["channel"].values.tolist() == scan.channel_names
    assert np.allclose(dataset["field_time"].values, [scan.field_timestamps(i) for i in range(scan.num_fields)])
    assert dataset["z"].values.tolist() == scan.field_depths
    assert dataset.attrs["release"] == scan.release
    assert dataset.attrs["scanimage_header"] == scan.header_block
    for i, field in enumerate(scan.fields):
        rows, columns = dataset["field_y"].values[i], dataset["field_x"].values[i]
        for pixel in ((0, 0), (3, 5)):
            x, y, _ = field.affine @ [pixel[1], pixel[0], 1]
            assert (columns[pixel[1]], rows[pixel[0]]) == pytest.approx((x, y))


def test_xarray_dataset_is_the_scan(volume: Scan) -> None:
    pytest.importorskip("xarray")
    assert_dataset(volume.to_xarray(grouped="field"), volume)


def test_xarray_opens_scanimage_s_files(volume: Scan, tmp_path: Path) -> None:
    xr = pytest.importorskip("xarray")
    pattern = str(tmp_path / "volume" / "scan_*.tif")
    with xr.open_dataset(pattern, engine="scanreader") as dataset:
        np.testing.assert_array_equal(dataset["data"].values, volume.volumes[0][:])
    with xr.open_dataset(pattern, engine="scanreader", backend_kwargs={"grouped": "field"}) as dataset:
        assert_dataset(dataset, volume)
    with xr.open_dataset(volume.filenames[0], backend_kwargs={"siblings": True}, engine="scanreader") as siblings:
        assert siblings["data"].shape == volume.shape
    with pytest.warns(match="6 pages of incomplete volumes are skipped"):  # the file ends inside a volume
        guessed_dataset = xr.open_dataset(volume.filenames[0])
    with guessed_dataset:
        assert guessed_dataset["data"].shape == (*volume.shape[:4], 6)
    with xr.open_dataset(pattern, engine="scanreader", chunks={}) as chunked_dataset:
        assert chunked_dataset["data"].chunks[0] == (1, 1, 1)
        assert np.array_equal(chunked_dataset["data"].values, volume[:])


def test_xarray_guesses_scanimage_s_files_alone(volume: Scan, tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    from scanreader.plugins.xarray import ScanReaderBackend

    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.int16))
    (tmp_path / "no.tif").write_bytes(b"nothing")
    guess = ScanReaderBackend().guess_can_open
    assert guess(volume.filenames[0])
    assert not any(guess(name) for name in (str(tmp_path / "plain.tif"), tmp_path / "no.tif", "nope.tif", "a.nc", 3))


@pytest.mark.parametrize(
    "key",
    [
        {"field": 1},
        {"time": slice(2, 20, 3), "y": [3, 1, 7]},
        {"field": [2, 0], "x": slice(None, None, -1), "channel": 1},
        {"time": [5, 5, 1], "field": -1},
        {"y": 3, "x": 4, "channel": 0},
    ],
    ids=str,
)
def test_xarray_reads_what_it_indexes(volume: Scan, key: dict[str, Any]) -> None:
    xr = pytest.importorskip("xarray")
    pixels = xr.DataArray(volume[:], dims=("field", "y", "x", "channel", "time"))
    assert np.array_equal(volume.to_xarray(grouped="field")["data"].isel(key).values, pixels.isel(key).values)
    indexers = {"time": xr.DataArray([1, 2, 3], dims="p"), "y": xr.DataArray([4, 5, 6], dims="p")}
    assert np.array_equal(volume.to_xarray(grouped="field")["data"].isel(indexers).values, pixels.isel(indexers).values)


def test_xarray_is_lazy(volume: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xarray")
    dataset = volume.to_xarray(grouped="field")
    keys: list[Any] = []
    original = Scan.__getitem__

    def record_key(self: Scan, key: Any) -> Any:
        keys.append(key)
        return original(self, key)

    monkeypatch.setattr(Scan, "__getitem__", record_key)
    frame = dataset["data"].isel(field=0, channel=0, time=3)
    assert keys == []
    assert frame.values.shape == (16, 16)
    assert len(keys) == 1


@pytest.mark.parametrize("file_format", ["netcdf", "zarr"])
def test_xarray_datasets_are_written_and_read_again(
    volume: Scan, mesoscope: Scan, tmp_path: Path, file_format: str
) -> None:
    xr = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf" if file_format == "netcdf" else "zarr")
    for name, scan in (("volume", volume), ("mesoscope", mesoscope)):
        dataset, path = scan.to_xarray(grouped="field"), tmp_path / f"{name}.{file_format}"
        if file_format == "netcdf":
            dataset.to_netcdf(path, engine="h5netcdf")
        else:
            dataset.to_zarr(path)
        with xr.open_dataset(path, engine="h5netcdf" if file_format == "netcdf" else "zarr") as dataset_read:
            assert dataset_read.attrs == dataset.attrs
            for variable in dataset.data_vars:
                assert np.array_equal(dataset_read[variable].values, dataset[variable].values)
                assert dataset_read[variable].attrs == dataset[variable].attrs


def test_xarray_of_fields_of_other_sizes(mesoscope: Scan) -> None:
    pytest.importorskip("xarray")
    dataset = mesoscope.to_xarray(grouped="field")
    for i, field in enumerate(mesoscope.fields):
        variable = dataset[f"field_{i}"]
        assert np.array_equal(variable.values, mesoscope[i])
        assert (variable.attrs["name"], variable.attrs["z"]) == (field.name, field.depth)
        assert np.allclose(dataset[f"time_{i}"].values, mesoscope.field_timestamps(i))


@pytest.mark.parametrize("recording", [STACK, Recording(release="3.8", frames_per_slice=5)], ids=["stack", "3.8"])
def test_xarray_without_positions_or_times(tmp_path: Path, recording: Recording) -> None:
    pytest.importorskip("xarray")
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    dataset = scan.to_xarray(grouped="field")
    assert np.array_equal(dataset["data"].values, scan[:])
    assert dataset["y"].attrs["units"] == ("um" if math.isfinite(scan.microns_per_degree) else "pixel")


# ------------------------------------------------------------------------- OME-TIFF


def series(file: tifffile.TiffFile, scan: Scan) -> list[np.ndarray]:
    """Images of a TIFF file, with all four axes."""
    return [
        image.asarray().reshape(scan.num_frames, scan.num_channels, field.height, field.width)
        for image, field in zip(file.series, scan.fields, strict=True)
    ]


@pytest.mark.parametrize("kind", ["volume", "mesoscope"])
def test_ome_tiff_is_the_scan(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    ome_types = pytest.importorskip("ome_types")
    scan: Scan = request.getfixturevalue(kind)
    progress_calls: list[int] = []
    path = tmp_path / "out.ome.tif"
    scan.to_ome_tiff(path, progress=progress_calls.append, grouped="field")
    assert sum(progress_calls) == scan.nbytes
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        images = series(file, scan)
        xml = file.ome_metadata
    for i, image in enumerate(images):
        assert np.array_equal(image.transpose(2, 3, 1, 0), scan[i])
    assert xml is not None
    ome = ome_types.from_xml(xml, validate=True)
    assert ome.creator == "scanreader"
    scan.to_ome_tiff(tmp_path / "again.ome.tif", grouped="field")
    with tifffile.TiffFile(tmp_path / "again.ome.tif") as file:
        assert file.ome_metadata == xml
    assert len(ome.images) == scan.num_fields
    assert ome.images[0].description == scan.header_block
    for i, (field, image) in enumerate(zip(scan.fields, ome.images, strict=True)):
        pixels = image.pixels
        assert (pixels.physical_size_x, pixels.physical_size_y) == pytest.approx(
            (field.pixel_width_in_microns, field.pixel_height_in_microns)
        )
        assert [channel.name for channel in pixels.channels] == scan.channel_names
        assert (pixels.size_t, pixels.size_c) == (scan.num_frames, scan.num_channels)
        plane = pixels.planes[-1]
        assert (plane.position_x, plane.position_z) == pytest.approx((field.x_in_microns, field.depth))
        assert plane.delta_t == pytest.approx(scan.field_timestamps(i)[-1])


def test_ome_tiff_of_more_than_4_gib_is_a_bigtiff(tmp_path: Path) -> None:
    recording = Recording(height=1024, width=1024, frames_per_slice=2200, holes=True, slot=400)
    recording.write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.nbytes > 2**32
    path = tmp_path / "out" / "big.ome.tif"
    scan.to_ome_tiff(path, grouped="field")
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
        assert file.series[0].shape == (2200, 1024, 1024)
        assert np.array_equal(file.pages[2199].asarray(), scan[0, :, :, 0, 2199])
    path.unlink()


def test_targets_are_complete_or_missing(volume: Scan, tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    pytest.importorskip("pynwb")
    writers: list[tuple[Any, str]] = [
        (volume.to_ome_tiff, "a.ome.tif"),
        (volume.to_suite2p, "s2p"),
        (volume.to_nwb, "a.nwb"),
    ]
    for write, name in writers:
        folder = tmp_path / name.replace(".", "_")
        with pytest.raises(KeyboardInterrupt), np.errstate(all="ignore"):
            write(folder / name, progress=stop, **({"timezone": "UTC"} if name.endswith("nwb") else {}))
        assert [path for path in folder.rglob("*") if path.is_file()] == []
    volume.to_ome_tiff(tmp_path / "b.ome.tif", grouped="field")
    content_before = (tmp_path / "b.ome.tif").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        volume.to_ome_tiff(tmp_path / "b.ome.tif", grouped="field")
    assert (tmp_path / "b.ome.tif").read_bytes() == content_before
    volume.trimmed(left=2).to_ome_tiff(tmp_path / "b.ome.tif", overwrite=True, grouped="field")
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as file:
        assert file.series[0].shape[-1] == 14


def test_targets_are_on_this_machine(volume: Scan) -> None:
    for write in (volume.to_ome_tiff, volume.to_suite2p, volume.to_references, volume.to_ome_zarr):
        with pytest.raises((FileNotFoundError, ImportError), match="is a URL"):
            write("s3://bucket/a")


# -------------------------------------------------------------------------- suite2p


@pytest.mark.parametrize("kind", ["volume", "mesoscope"])
def test_suite2p_s_files_are_the_scan(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    scan: Scan = request.getfixturevalue(kind)
    scan.to_suite2p(tmp_path / "out")
    for i, field in enumerate(scan.fields):
        plane = tmp_path / "out" / "suite2p" / f"plane{i}"
        db = np.load(plane / "db.npy", allow_pickle=True).item()
        ops = np.load(plane / "ops.npy", allow_pickle=True).item()
        assert (db["Ly"], db["Lx"], db["nframes"]) == (field.height, field.width, scan.num_frames)
        assert Path(db["reg_file"]) == plane / "data.bin"
        assert np.load(plane / "settings.npy", allow_pickle=True).item() == {"fs": scan.fps}
        assert ops["fs"] == scan.fps
        for channel, name in enumerate(["data.bin", "data_chan2.bin"][: scan.num_channels]):
            movie = np.fromfile(plane / name, np.int16).reshape(scan.num_frames, field.height, field.width)
            assert np.array_equal(movie.transpose(1, 2, 0), scan[i, :, :, channel])
        assert np.allclose(db["meanImg"], scan[i, :, :, 0].mean(axis=-1))
        assert db["iplane"] == field.slice_id
        if kind == "mesoscope":
            assert db["nrois"] == 3
            assert db["lines"].tolist() == list(range(field.yslices[0].start, field.yslices[0].stop))
            assert db["dx"] == round((field.x - field.width_in_degrees / 2 + 4.4) / 0.1)


def test_suite2p_reads_its_files_itself(volume: Scan, tmp_path: Path) -> None:
    spec_of_suite2p = importlib.util.find_spec("suite2p")
    if spec_of_suite2p is None or not spec_of_suite2p.submodule_search_locations:
        pytest.skip("pip install --no-deps suite2p")
    # The module alone: the package imports torch.
    place = Path(spec_of_suite2p.submodule_search_locations[0]) / "io" / "binary.py"
    spec = importlib.util.spec_from_file_location("suite2p_binary", place)
    assert spec is not None
    assert spec.loader is not None
    binary = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(binary)
    volume.to_suite2p(tmp_path)
    for i in range(volume.num_fields):
        with binary.BinaryFile(16, 16, str(tmp_path / "suite2p" / f"plane{i}" / "data.bin")) as file:
            assert np.array_equal(np.asarray(file.file).transpose(1, 2, 0), volume[i, :, :, 0])


def test_suite2p_values_are_never_wrapped(tmp_path: Path) -> None:
    recording = Recording(dtype="uint16", frames_per_slice=5)
    (path,) = recording.write(tmp_path)
    pages = list(recording.pages())
    for page in pages:
        page[2][:] &= 0x7FFF
    recording.write_file(path, iter(pages))
    read_scan(path).to_suite2p(tmp_path / "fits")
    pages[3][2][5, 5] = 40_000
    recording.write_file(path, iter(pages))
    with pytest.raises(TypeError, match="40000"):
        read_scan(path).to_suite2p(tmp_path / "wraps")
    assert not (tmp_path / "wraps" / "suite2p").exists()


@pytest.mark.parametrize("channels", [(), (0, 1, 0), (2,), (-1,)])
def test_suite2p_takes_one_or_two_channels(volume: Scan, tmp_path: Path, channels: tuple[int, ...]) -> None:
    with pytest.raises(IndexError, match="one or two channels"):
        volume.to_suite2p(tmp_path, channels=channels)
    volume.to_suite2p(tmp_path / "second", channels=(1,))
    movie = np.fromfile(tmp_path / "second" / "suite2p" / "plane0" / "data.bin", np.int16)
    assert np.array_equal(movie.reshape(-1, 16, 16).transpose(1, 2, 0), volume[0, :, :, 1])


# ------------------------------------------------------------------------------ NWB

FACTS: dict[str, Any] = {
    "session_description": "a mouse looks at gratings",
    "experimenter": ["Doe, J."],
    "institution": "an institute",
    "experiment_description": "gratings",
    "keywords": ["two-photon"],
}


@pytest.mark.parametrize("kind", ["volume", "mesoscope"])
def test_nwb_is_the_scan(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    scan: Scan = request.getfixturevalue(kind)
    path = tmp_path / "out.nwb"
    scan.to_nwb(path, timezone="Europe/Zurich", **FACTS, grouped="field")
    assert not pynwb.validate(path=str(path))
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        assert nwb.session_start_time.isoformat() == "2023-09-22T12:46:09.383000+02:00"
        assert nwb.scratch["scanimage_header"].data == scan.header_block
        for i, field in enumerate(scan.fields):
            for channel in range(scan.num_channels):
                series = nwb.acquisition[f"TwoPhotonSeriesField{i}Channel{channel}"]
                assert np.array_equal(series.data[:].transpose(2, 1, 0), scan[i, :, :, channel])
                assert np.allclose(series.timestamps[:], scan.field_timestamps(i))
                assert series.data.compression == "gzip"
                plane = series.imaging_plane
                assert np.allclose(plane.grid_spacing[:], [field.pixel_width_in_microns, field.pixel_height_in_microns])
                assert np.allclose(plane.origin_coords[:], [*(field.affine @ [0, 0, 1])[:2], field.depth])
                assert [c.name for c in plane.optical_channel] == scan.channel_names


@pytest.mark.filterwarnings("ignore")
def test_nwb_has_no_critical_finding(tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    inspector = pytest.importorskip("nwbinspector")
    Recording(height=16, width=16, frames_per_slice=100, channels=(1, 2)).write(tmp_path)
    subject = pynwb.file.Subject(subject_id="mouse1", species="Mus musculus", sex="F", age="P90D")
    read_scan(tmp_path).to_nwb(tmp_path / "out.nwb", timezone="UTC", subject=subject, **FACTS, grouped="field")
    messages = list(inspector.inspect_nwbfile(nwbfile_path=str(tmp_path / "out.nwb")))
    assert [message.message for message in messages if message.importance.name in ("CRITICAL", "ERROR")] == []


def test_nwb_takes_the_machines_time_zone_with_a_warning(volume: Scan, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    with pytest.warns(UserWarning, match="time zone"):
        volume.to_nwb(tmp_path / "out.nwb", series="OnePhotonSeries", grouped="field")


def test_nwb_needs_a_start(tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    Recording(frames_per_slice=3, epoch=(1601, 1, 1, 0, 0, 0.0)).write(tmp_path)
    scan = read_scan(tmp_path)
    with pytest.raises(ValueError, match="session_start_time"):
        scan.to_nwb(tmp_path / "out.nwb", grouped="field")
    with pytest.raises(TypeError, match="OnePhotonSeries"):
        scan.to_nwb(tmp_path / "out.nwb", series="Movie", grouped="field")
    scan.to_nwb(tmp_path / "out.nwb", session_start_time=datetime(2024, 1, 1, tzinfo=UTC), grouped="field")


def test_nwb_warns_of_unknown_times(tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    first, second = (Recording(stem=stem, frames_per_slice=4).write(tmp_path)[0] for stem in ("first", "second"))
    with pytest.warns(match="joined"):
        scan = read_scan([first, second])
    with pytest.raises(LayoutError, match="do not rise from bout to bout"):  # both began at once
        scan.to_nwb(tmp_path / "out.nwb", timezone="UTC")
    back = read_scan(first).select(frames=[2, 1, 3])
    with pytest.warns(match="timestamps of field 0 do not increase from frame to frame") as warnings:
        back.to_nwb(tmp_path / "out.nwb", timezone="UTC")
    assert len(warnings) == 1
    with pynwb.NWBHDF5IO(str(tmp_path / "out.nwb"), "r") as io:
        series = io.read().acquisition["TwoPhotonSeriesField0Channel0"]
        assert (series.timestamps, series.rate) == (None, 1.0)  # unevenly selected frames have no rate


def test_ctrl_c_interrupts_writing_nwb(volume: Scan, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            volume.to_nwb(
                tmp_path / "out.nwb",
                timezone="UTC",
                progress=lambda _: signal.raise_signal(signal.SIGINT),
                grouped="field",
            )
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, handler)
    assert list(tmp_path.glob("*.nwb")) == []


def test_exports_of_trimmed_strips_say_that_positions_are_not_exact(tmp_path: Path) -> None:
    strips = tuple(roi(scanfield((2.0 * i, 0.0), (2.0, 4.0), (12, 24)), name=f"{i}") for i in range(3))
    Recording(rois=strips, frames_per_slice=3).write(tmp_path / "rec")
    scan = read_scan(tmp_path / "rec", join_contiguous=True)
    scan.to_ome_tiff(tmp_path / "whole.ome.tif", grouped="field")  # no warning
    trimmed = scan.trimmed(left=1, right=2)
    for export in (
        trimmed.to_xarray,
        trimmed.to_napari_layers,
        lambda: trimmed.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field"),
        lambda: trimmed.to_suite2p(tmp_path / "s2p"),
    ):
        with pytest.warns(ScanReaderWarning, match="up to 6 pixels off in the others"):
            export()
