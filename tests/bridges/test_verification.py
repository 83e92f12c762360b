"""What was written is read back and compared: whatever is changed is named, and the receipt is true."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from bridges.odd import ODD_SCANS
from bridges.test_odd import nwb as nwb_pixels
from bridges.test_odd import refusal
from bridges.test_odd import suite2p as suite2p_pixels
from typer.testing import CliRunner

from scanreader import DamagedPageError, MissingExtraError, Scan, UnreadableTargetError, read_scan
from scanreader.bridges import streams
from scanreader.bridges.npy import to_npy
from scanreader.bridges.verification import verify as module
from scanreader.cli.commands import app
from scanreader.simulate import Recording, roi, scanfield

pytestmark = pytest.mark.filterwarnings("ignore::scanreader.ScanReaderWarning")

Array = npt.NDArray[Any]
RECORDING = Recording(height=24, width=20, frames_per_slice=40, channels=(1, 2))
WRITERS: dict[str, Callable[[Scan, Path], Any]] = {
    "a.ome.tif": lambda scan, path: scan.to_ome_tiff(path),
    "a.nwb": lambda scan, path: scan.to_nwb(path, timezone="UTC"),
    "a.zarr": lambda scan, path: scan.to_ome_zarr(path, levels=1),
    "a.npy": to_npy,
    "a.bin": lambda scan, path: scan.to_suite2p(path),
}
NEEDS = {"a.nwb": "pynwb", "a.zarr": "zarr"}
FORMATS = [
    pytest.param(name, id=name[2:], marks=[pytest.mark.ecosystem] if name == "a.nwb" else []) for name in WRITERS
]


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scan]:
    """A scan of several blocks."""
    monkeypatch.setattr(streams, "BLOCK", 24 * 20 * 2 * 6)
    RECORDING.write(tmp_path / "recording")
    with read_scan(tmp_path / "recording") as opened:
        yield opened


def write(scan: Scan, folder: Path, name: str) -> Path:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    WRITERS[name](scan, folder / name)
    return folder / name


def sentences(scan: Scan, target: Path) -> list[str]:
    result = scan.verify(target)
    assert not result.ok
    assert [difference.sentence for difference in result.differences if difference.sentence not in str(result)] == []
    assert json.loads((target.parent / f"{target.name}.receipt.json").read_text("utf-8"))["equal"] is False
    return [difference.sentence for difference in result.differences]


# ------------------------------------------------------- the pixels of a target, to change them by hand


def change_pixels(name: str, target: Path, change: Callable[[Array], None]) -> None:
    """Change the pixels (frames, channels, y, x) of a target, with its own library."""
    if name == "a.ome.tif":
        with tifffile.TiffFile(target) as tif:
            start = int(tif.series[0].dataoffset or 0)
        pixels = np.memmap(target, "<i2", "r+", start, (40, 2, 24, 20))
        change(pixels)
        pixels.flush()
    elif name == "a.npy":
        array = np.load(target, mmap_mode="r+")
        change(array[0].transpose(3, 2, 0, 1))
        array.flush()
    elif name == "a.bin":
        files = [target / "suite2p" / "plane0" / file for file in ("data.bin", "data_chan2.bin")]
        movies = np.stack([np.fromfile(file, "<i2").reshape(40, 24, 20) for file in files], axis=1)
        change(movies)
        for i, file in enumerate(files):
            movies[:, i].tofile(file)
    elif name == "a.zarr":
        import zarr

        array = zarr.open_array(target / "0", mode="r+")
        values = array[:, :, 0]
        change(values)
        array[:, :, 0] = values
    else:
        import h5py

        with h5py.File(target, "r+") as file:
            series = [file[f"acquisition/TwoPhotonSeriesField0Channel{c}/data"] for c in range(2)]
            values = np.stack([image_series[:].transpose(0, 2, 1) for image_series in series], axis=1)
            change(values)
            for c, image_series in enumerate(series):
                image_series[:] = values[:, c].transpose(0, 2, 1)


@pytest.mark.parametrize("name", FORMATS)
def test_a_target_is_equal(scan: Scan, tmp_path: Path, name: str) -> None:
    progress: list[int] = []
    target = write(scan, tmp_path, name)
    result = scan.verify(target, progress=progress.append)
    assert result.ok
    assert result.differences == ()
    assert ": equal, " in str(result)
    assert sum(progress) == scan.nbytes
    assert result.num_pixels >= scan.size
    assert result.receipt == tmp_path / f"{name}.receipt.json"


@pytest.mark.parametrize("name", FORMATS)
def test_two_swapped_frames_are_named(scan: Scan, tmp_path: Path, name: str) -> None:
    target = write(scan, tmp_path, name)

    def swap(pixels: Array) -> None:
        pixels[[7, 31], 1] = pixels[[31, 7], 1]

    change_pixels(name, target, swap)
    messages = sentences(scan, target)
    assert messages[:2] == [
        "field 0, channel 1, frame 7 is frame 31 of the recording",
        "field 0, channel 1, frame 31 is frame 7 of the recording",
    ]
    assert all("level 1" in sentence for sentence in messages[2:])


@pytest.mark.parametrize("name", FORMATS)
def test_a_flipped_bit_is_named(scan: Scan, tmp_path: Path, name: str) -> None:
    target = write(scan, tmp_path, name)
    expected = int(scan[0, 5, 6, 0, 12])

    def flip(pixels: Array) -> None:
        pixels[12, 0, 5, 6] ^= 1 << 9

    change_pixels(name, target, flip)
    place = "field 0, channel 0, frame 12: 1 pixel differs, first"
    assert sentences(scan, target) == [f"{place} {expected ^ (1 << 9)} instead of {expected} in row 5, column 6"]


def test_a_pixel_of_the_pyramid_is_named(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.zarr")
    import zarr

    array = zarr.open_array(target / "1", mode="r+")
    array[3, 1, 0, 2, 4] = 99
    (sentence,) = sentences(scan, target)
    assert re.fullmatch(
        r"field 0, channel 1, frame 3, level 1: 1 pixel differs, first 99 instead of .* row 2, column 4", sentence
    )


@pytest.mark.parametrize("name", ["c/0/0/0/0/0", "plane0/data.bin", "plane0/data_chan2.bin", "plane0/db.npy"])
def test_a_missing_file_is_named(scan: Scan, tmp_path: Path, name: str) -> None:
    target = write(scan, tmp_path, "a.bin" if name.startswith("plane") else "a.zarr")
    place = target / "suite2p" / name if name.startswith("plane") else target / "0" / name
    place.unlink()
    messages = sentences(scan, target)
    assert any(f"{name} is missing" in sentence for sentence in messages), messages


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_target_cannot_be_read(scan: Scan, tmp_path: Path, name: str) -> None:
    target = write(scan, tmp_path, name)
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(UnreadableTargetError, match="does not exist"):
        scan.verify(target)
    assert not (tmp_path / f"{name}.receipt.json").exists()


def test_a_folder_of_files_for_each_plane_is_refused_with_what_to_do(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "planes").mkdir()
    with pytest.raises(UnreadableTargetError, match=r"without zarr\.json.*--per-plane.*one by one"):
        scan.verify(tmp_path / "planes")


@pytest.mark.parametrize("size", [0, 1, 100, 2000, 20_000, -1000, -3])
@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_target_is_not_equal(scan: Scan, tmp_path: Path, name: str, size: int) -> None:
    target = write(scan, tmp_path, name)
    files = [place for place in target.rglob("*") if place.is_file()] if target.is_dir() else [target]
    for file in sorted(files):
        content = file.read_bytes()
        if abs(size) >= len(content):
            continue
        file.write_bytes(content[:size])
        try:
            result = scan.verify(target)
        except UnreadableTargetError:
            pass
        else:
            assert not result.ok, file
        file.write_bytes(content)
    assert scan.verify(target).ok


# -------------------------------------------------------------------------- times and µm


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ("PhysicalSizeX", "pixel width"),
        ("PhysicalSizeY", "pixel height"),
        ("TimeIncrement", "time between frames"),
        ("DeltaT", "time of each plane"),
        ("SizeT", "shape"),
    ],
)
def test_a_changed_number_of_an_ome_tiff_is_named(scan: Scan, tmp_path: Path, attribute: str, words: str) -> None:
    recording = replace(RECORDING, frames_per_slice=41 if attribute == "SizeT" else 40)
    with read_scan(recording.write(tmp_path / "other")) as other_scan:
        target = write(other_scan, tmp_path, "a.ome.tif")
        text = target.read_bytes()
        if attribute == "SizeT":
            target.write_bytes(text.replace(b' SizeT="41"', b' SizeT="40"'))
        else:
            match = list(re.finditer(rf' {attribute}="([0-9])'.encode(), text))[-1]
            digit = b"%d" % ((int(match[1]) + 1) % 10)
            target.write_bytes(text[: match.end() - 1] + digit + text[match.end() :])
        assert target.read_bytes() != text
        assert any(words in sentence for sentence in sentences(other_scan, target))


@pytest.mark.ecosystem
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("general/optophysiology/ImagingPlane0/origin_coords", "place of the first pixel"),
        ("general/optophysiology/ImagingPlane0/grid_spacing", "distances of pixels"),
        ("acquisition/TwoPhotonSeriesField0Channel1/timestamps", "field 0, channel 1: times"),
    ],
)
def test_a_changed_number_of_an_nwb_file_is_named(scan: Scan, tmp_path: Path, place: str, words: str) -> None:
    h5py = pytest.importorskip("h5py")
    target = write(scan, tmp_path, "a.nwb")
    with h5py.File(target, "r+") as file:
        file[place][-1] += 0.001
    messages = sentences(scan, target)
    assert messages
    assert all(words in sentence for sentence in messages)


@pytest.mark.parametrize(
    ("kind", "axis", "words"),
    [
        ("scale", 3, "pixel height"),
        ("scale", 4, "pixel width"),
        ("scale", 0, "time between frames"),
        ("translation", 2, "depth"),
        ("translation", 3, "y of the first pixel"),
        ("translation", 4, "x of the first pixel"),
    ],
)
def test_a_changed_number_of_an_ome_zarr_is_named(scan: Scan, tmp_path: Path, kind: str, axis: int, words: str) -> None:
    target = write(scan, tmp_path, "a.zarr")
    document = json.loads((target / "zarr.json").read_text("utf-8"))
    transformations = document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    (transformation,) = [item for item in transformations if item["type"] == kind]
    transformation[kind][axis] += 0.001
    (target / "zarr.json").write_text(json.dumps(document), "utf-8")
    assert any(words in sentence for sentence in sentences(scan, target))


def test_a_changed_time_of_an_ome_zarr_is_named(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.zarr")
    import zarr

    times = zarr.open_array(target / "scanimage" / "times", mode="r+")
    time = float(times[0, 17])
    times[0, 17] += 1
    (sentence,) = sentences(scan, target)
    expected = f"times of all fields[17] is {time + 1:.10g} s in the target, {time:.10g} s in the recording"
    assert sentence == expected


@pytest.mark.parametrize(("key", "value"), [("z", 1234.5), ("fs", 1.0), ("Ly", 23), ("nplanes", 9)])
def test_a_changed_number_of_suite2p_is_named(scan: Scan, tmp_path: Path, key: str, value: float) -> None:
    target = write(scan, tmp_path, "a.bin")
    path = target / "suite2p" / "plane0" / ("settings.npy" if key == "fs" else "db.npy")
    content = np.load(path, allow_pickle=True).item()
    content[key] = value
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    messages = sentences(scan, target)
    assert any(f"suite2p's {key} is " in sentence for sentence in messages)
    assert any(f"{path.name} is not as it was written" in sentence for sentence in messages)


class MaliciousObject:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a file of the target ran code",))


def test_a_file_of_suite2p_runs_no_code(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.bin")
    np.save(target / "suite2p/plane0/db.npy", np.array({"Ly": MaliciousObject()}, dtype=object), allow_pickle=True)
    assert any("cannot be read" in sentence and "asks for" in sentence for sentence in sentences(scan, target))


# -------------------------------------------------------------- what a hunt found to be overlooked


@pytest.mark.parametrize(
    ("old_text", "new_text"),
    [
        (b'DimensionOrder="XYZCT"', b'DimensionOrder="XYZTC"'),
        (b'PhysicalSizeXUnit="\xc2\xb5m"', b'PhysicalSizeXUnit="mm" '),
        (b'PositionYUnit="\xc2\xb5m"', b'PositionYUnit="mm" '),
        (b'DeltaTUnit="s"', b'DeltaTUnit="h"'),
        (b'TimeIncrementUnit="s"', b'TimeIncrementUnit="h"'),
        (b'TheZ="0"', b'TheZ="5"'),
        (b"<AcquisitionDate>2", b"<AcquisitionDate>1"),
        (b'Name="Channel 1"', b'Name="Channel 7"'),
    ],
)
def test_units_orders_and_dates_of_an_ome_tiff_are_compared(
    scan: Scan, tmp_path: Path, old_text: bytes, new_text: bytes
) -> None:
    target = write(scan, tmp_path, "a.ome.tif")
    content = target.read_bytes()
    assert old_text in content
    target.write_bytes(content.replace(old_text, new_text.ljust(len(old_text)), 1))
    assert sentences(scan, target)


@pytest.mark.parametrize(
    "change",
    [
        lambda ome: ome["multiscales"][0]["axes"][3].update(unit="millimeter"),
        lambda ome: ome["multiscales"][0]["datasets"].reverse(),
        lambda ome: ome["multiscales"][0]["datasets"].clear(),
        lambda ome: ome["multiscales"].append({}),
        lambda ome: ome["multiscales"][0].update(coordinateTransformations=[{"type": "scale", "scale": [2] * 5}]),
        lambda ome: ome.pop("omero"),
    ],
)
def test_all_attributes_of_an_ome_zarr_are_compared(scan: Scan, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    target = write(scan, tmp_path, "a.zarr")
    document = json.loads((target / "zarr.json").read_text("utf-8"))
    change(document["attributes"]["ome"])
    (target / "zarr.json").write_text(json.dumps(document), "utf-8")
    assert any("zarr.json is not as it was written" in sentence for sentence in sentences(scan, target))


def test_files_beside_those_of_an_ome_zarr_are_named(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.zarr")
    shutil.copytree(target / "1", target / "2")
    assert any("2" in sentence for sentence in sentences(scan, target))
    shutil.rmtree(target / "2")
    shutil.rmtree(target / "1")
    assert any("is not as it was written" in sentence for sentence in sentences(scan, target))


@pytest.mark.ecosystem
@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("acquisition/TwoPhotonSeriesField0Channel0/data", "conversion", 2.0),
        ("acquisition/TwoPhotonSeriesField0Channel0/data", "unit", "V"),
        ("acquisition/TwoPhotonSeriesField0Channel0/timestamps", "unit", "minutes"),
        ("general/optophysiology/ImagingPlane0/origin_coords", "unit", "meters"),
        ("general/optophysiology/ImagingPlane0/grid_spacing", "unit", "meters"),
        ("acquisition/TwoPhotonSeriesField0Channel0", "description", "Channel 2"),
    ],
)
def test_units_and_names_of_an_nwb_file_are_compared(
    scan: Scan, tmp_path: Path, place: str, name: str, value: object
) -> None:
    h5py = pytest.importorskip("h5py")
    target = write(scan, tmp_path, "a.nwb")
    with h5py.File(target, "r+") as file:
        assert name in file[place].attrs
        file[place].attrs[name] = value
    assert sentences(scan, target)


def test_values_that_suite2p_would_wrap_differ(tmp_path: Path) -> None:
    def recording(value: int) -> Recording:
        return Recording(frames_per_slice=4, dtype="uint16", pixels=lambda *_: np.full((16, 16), value, np.uint16))

    with read_scan(recording(30_000).write(tmp_path / "small")) as scan:
        scan.to_suite2p(tmp_path / "a")
        assert scan.verify(tmp_path / "a").ok
    np.full((4, 16, 16), 40_000, np.uint16).tofile(tmp_path / "a" / "suite2p" / "plane0" / "data.bin")
    with read_scan(recording(40_000).write(tmp_path / "large")) as scan:
        assert any("instead of 40000" in sentence for sentence in sentences(scan, tmp_path / "a"))


def test_the_channels_of_suite2p_are_those_of_the_scan(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.bin")
    assert any("the target has channels 0, 1" in sentence for sentence in sentences(scan.select(channels=[0]), target))
    shutil.copytree(target / "suite2p" / "plane0", target / "suite2p" / "plane1")
    assert any("plane1" in sentence for sentence in sentences(scan, target))
    scan.to_suite2p(tmp_path / "one", channels=1)
    result = scan.verify(tmp_path / "one")
    assert result.ok
    assert any("Channel 1" in str(omission) for omission in result.left_out)


def test_pages_that_were_filled_are_said(tmp_path: Path) -> None:
    (path,) = RECORDING.write(tmp_path / "raw")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[20].offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x99" * 100)
    with read_scan(path, on_damage="fill") as scan:
        to_npy(scan, tmp_path / "a.npy")
        result = scan.verify(tmp_path / "a.npy")
        assert result.ok
        assert any("filled" in str(omission) for omission in result.left_out)
        assert "filled" in (tmp_path / "a.npy.receipt.json").read_text("utf-8")


@pytest.mark.parametrize("name", ["a.zarr", "a.npy", "a.ome.tif"])
def test_a_damaged_recording_is_not_taken_for_a_damaged_target(tmp_path: Path, name: str) -> None:
    (path,) = RECORDING.write(tmp_path / "raw")
    with read_scan(path) as scan:
        target = write(scan, tmp_path, name)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[20].offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x99" * 100)
    with read_scan(path) as scan, pytest.raises(DamagedPageError):
        scan.verify(target)


def test_selections_and_targets_that_do_not_fit_are_named(tmp_path: Path) -> None:
    rois = tuple(roi(scanfield((3.0 * i, 0.0), (2.0, 2.0), (16, 16))) for i in range(2))
    with read_scan(Recording(frames_per_slice=4, rois=rois).write(tmp_path / "raw")) as scan:
        selection = scan.select(fields=[0])
        for name in ("a.ome.tif", "a.zarr", "a.bin"):
            (tmp_path / "both").mkdir(exist_ok=True)
            whole_target = write(scan, tmp_path / "both", name)
            assert sentences(selection, whole_target)
            assert sentences(scan, write(selection, tmp_path, name))


def test_pages_that_are_not_neighbours_are_compared_in_threads(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.ome.tif")
    with tifffile.TiffFile(target) as tif:
        pixels = tif.asarray()
    tifffile.imwrite(target, pixels, ome=True, compression="zlib", metadata={"axes": "TCYX"}, photometric="minisblack")
    for _ in range(10):
        assert [difference for difference in scan.verify(target).differences if difference.what == "pixels"] == []


def test_a_foreign_receipt_is_refused_before_anything_is_read(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.npy")
    (tmp_path / "a.npy.receipt.json").mkdir()
    progress: list[int] = []
    with pytest.raises(FileExistsError, match="not a file"):
        scan.verify(target, progress=progress.append)
    assert progress == []


def test_own_ome_tiffs_of_any_dtype_are_replaced(tmp_path: Path) -> None:
    RECORDING.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw", dtype="float32") as scan:
        for _ in range(2):
            scan.to_ome_tiff(tmp_path / "a.ome.tif", overwrite=True)
        assert scan.verify(tmp_path / "a.ome.tif").ok


# ------------------------------------------------------------------------- what is compared


@pytest.mark.parametrize("name", FORMATS)
def test_another_recording_differs(scan: Scan, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 50)
    target = write(scan, tmp_path, name)
    other_recording = replace(
        RECORDING, pixels=lambda frame, channel: np.full((24, 20), frame.number + channel, np.int16)
    )
    with read_scan(other_recording.write(tmp_path / "other")) as opened:
        messages = sentences(opened, target)
        assert any(re.fullmatch(r"… and \d+ further differences in pixels", sentence) for sentence in messages[50:60])
    with read_scan(replace(RECORDING, frames_per_slice=39).write(tmp_path / "shorter")) as opened:
        assert any("39" in sentence for sentence in sentences(opened, target))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("odd_name", "make"), ODD_SCANS, ids=[odd_name for odd_name, _ in ODD_SCANS])
def test_odd_scans_are_equal_to_their_exports(
    tmp_path: Path, odd_name: str, make: Callable[[Path], Scan], name: str
) -> None:
    export: Any = {"a.npy": WRITERS["a.npy"], "a.bin": suite2p_pixels, "a.nwb": nwb_pixels}.get(name)
    with make(tmp_path / "raw") as scan:
        if name == "a.npy" and len({(field.height, field.width) for field in scan.fields}) > 1:
            return
        if name == "a.bin" and refusal(export, scan) is not None:
            return
        try:
            target = write(scan, tmp_path, name)
        except MissingExtraError:  # images one pixel wide, by an old tifffile
            assert odd_name == "one pixel"
            return
        result = scan.verify(target)
        assert result.differences == ()
        check_receipt(scan, tmp_path / f"{name}.receipt.json", tmp_path / "raw")


def test_a_file_that_is_none_of_them_is_refused(scan: Scan, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("some text", "utf-8")
    with pytest.raises(UnreadableTargetError, match="none of the formats"):
        scan.verify(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableTargetError):
        scan.verify(tmp_path / "empty")
    with pytest.raises(UnreadableTargetError):  # a recording is no OME-TIFF
        scan.verify(scan.filenames[0])


# ------------------------------------------------------------------------------ the receipt


def check_receipt(scan: Scan, path: Path, folder: Path) -> None:
    """Compare a receipt with the pages as tifffile reads them."""
    receipt = json.loads(path.read_text("utf-8"))
    assert receipt["equal"] is True
    names = [file["name"] for file in receipt["source"]["files"]]
    assert [file["size"] for file in receipt["source"]["files"]] == [(folder / name).stat().st_size for name in names]
    pages = [tifffile.imread(folder / name, key=slice(None)) for name in names]
    pages = [page if page.ndim == 3 else page[None] for page in pages]
    for i, field_receipt in enumerate(receipt["fields"]):
        assert len(field_receipt["channels"]) == scan.num_channels
        for c, channel in enumerate(field_receipt["channels"]):
            digests = [int(text, 16) for text in channel["digests"].split()]
            assert len(digests) == scan.num_frames == sum(run["count"] for run in channel["pages"])
            places = [
                (run["file"], run["first"] + k * run["step"]) for run in channel["pages"] for k in range(run["count"])
            ]
            for t, (file, page) in enumerate(places):
                pixels = np.ascontiguousarray(scan[i, :, :, c, t])
                assert zlib.crc32(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()) == digests[t]
                if not scan.opened.pixels.change:
                    field = scan.fields[i]
                    for ys, xs, oys, oxs in zip(
                        field.yslices, field.xslices, field.output_yslices, field.output_xslices, strict=True
                    ):
                        np.testing.assert_array_equal(pages[file][page][ys, xs], pixels[oys, oxs])


def test_what_was_left_out_is_counted(tmp_path: Path) -> None:
    rois = tuple(roi(scanfield((3.0 * i, 0.0), (2.0, 2.0), (16, 16))) for i in range(2))
    recording = Recording(
        mode="fast", zs=(0.0, 30.0, 60.0), flyback=2, volumes=9, stop=43, rois=rois, channels=(1, 2, 4)
    )
    with read_scan(recording.write(tmp_path / "raw")) as scan:
        assert scan.num_frames == 8
        part = scan.select(fields=[0], channels=[0, 2], frames=slice(3, 6))
        part.to_ome_tiff(tmp_path / "a.ome.tif")
        result = part.verify(tmp_path / "a.ome.tif")
        assert result.ok
        counts = {omission.what: omission.pages for omission in result.left_out}
        rows = counts.popitem()
        assert re.fullmatch(r"\d+ of \d+ rows of each page of slice 0", rows[0])
        assert counts == {
            "pages of incomplete volumes or frames": 3 * 3,
            "flyback frames": 8 * 2 * 3,
            "channels": 8 * 3,
            "slices": 8 * 2 * 2,
            "frames": 5 * 2,
        }
        assert sum(filter(None, counts.values())) + 3 * 2 == 43 * 3


def test_no_receipt_is_written_unasked(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.npy")
    assert scan.verify(target, receipt=False).receipt is None
    assert not list(tmp_path.glob("*.receipt.json"))
    scan.verify(target)
    scan.verify(target)  # replaces its own
    (tmp_path / "a.npy.receipt.json").write_text("something else", "utf-8")
    with pytest.raises(FileExistsError, match="not a receipt"):
        scan.verify(target)


def test_an_unreadable_part_of_a_target_is_named(scan: Scan, tmp_path: Path) -> None:
    target = write(scan, tmp_path, "a.zarr")
    (shard,) = [place for place in (target / "0" / "c").rglob("*") if place.is_file()]
    content = bytearray(shard.read_bytes())
    content[:200] = bytes(200)
    shard.write_bytes(content)
    assert any("cannot be read from the target" in sentence for sentence in sentences(scan, target))


# ------------------------------------------------------------------------- the command line


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", FORMATS)
def test_the_commands_verify(scan: Scan, tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    source, target = tmp_path / "recording", tmp_path / name
    options = ["--timezone", "UTC"] if name == "a.nwb" else []
    result = run("convert", source, target, "--frames", "0:20", "--verify", *options)
    assert result.exit_code == 0, result.output
    assert "equal" in result.output
    assert (tmp_path / f"{name}.receipt.json").is_file()
    assert run("verify", target, source, "--frames", "0:20").exit_code == 0
    assert run("verify", target, source).exit_code == 1
    answer = run("verify", target, source, "--frames", "0:20", "--no-receipt", "--json")
    assert json.loads(answer.stdout)["ok"] is True
    assert run("verify", tmp_path / "nothing", source).exit_code == 2
    assert run("verify", target, tmp_path / "nothing").exit_code == 2


def test_convert_says_if_what_it_wrote_differs(scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = module.verify

    def damage_target(scan: Scan, target: Path, **options: Any) -> Any:
        array = np.load(target, mmap_mode="r+")
        array[0, 0, 0, 0, 0] += 1
        array.flush()
        return original(scan, target, **options)

    monkeypatch.setattr(module, "verify", damage_target)
    result = run("convert", tmp_path / "recording", tmp_path / "a.npy", "--verify")
    assert result.exit_code == 1
    assert "1 pixel differs" in result.output


def test_each_field_s_file_is_verified(tmp_path: Path) -> None:
    rois = tuple(roi(scanfield((3.0 * i, 0.0), (2.0, 2.0), (16, 16))) for i in range(2))
    Recording(frames_per_slice=4, rois=rois).write(tmp_path / "raw")
    result = run("convert", tmp_path / "raw", tmp_path / "a.ome.tif", "--per-field", "--verify")
    assert result.exit_code == 0, result.output
    assert len(list(tmp_path.glob("*.receipt.json"))) == 2
