"""Texts of a recording may hold any character: what XML and HDF5 refuse is replaced, and the rest stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
from common import MESOSCOPE, expected

from scanreader import Scan, read_scan
from scanreader.simulate import roi, scanfield
from scanreader.simulate.literals import Cell
from scanreader.texts import in_xml

NOTE, CLEAN_NOTE = 'a\0b\x01c\x0bd\x1fe\x7ff\ufffeg <&>" {x}', 'a\ufffdb\ufffdc\ufffdd\ufffde\x7ff\ufffdg <&>" {x}'
ROI_NAMES = ("V\0one\ud800", "L\x0bM/2:", "plain")
CLEAN_ROI_NAMES = ("V\ufffdone\ufffd", "L\ufffdM/2:", "plain")
CHANNELS, CLEAN_CHANNELS = ("red\x01", "gre\0en/:"), ("red\ufffd", "gre\ufffden/:")

RECORDING = replace(
    MESOSCOPE,
    channels=(1, 2),
    rois=tuple(roi(scanfield((5.0 * i, 0.0), (2.4, 4.0), (24, 40)), name=name) for i, name in enumerate(ROI_NAMES)),
    settings={
        "hUser.note": NOTE,
        "hChannels.channelName": Cell([*CHANNELS, *(f"Channel {n}" for n in range(3, 65))]),
    },
)


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[Scan]:
    RECORDING.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as opened:
        assert NOTE in opened.header_block
        assert tuple(opened.channel_names) == CHANNELS
        assert tuple(field.name for field in opened.fields[:3]) == ROI_NAMES
        yield opened


@pytest.mark.parametrize(
    "character", [chr(i) for i in (*range(32), 0x7F, 0x85, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF)], ids=ascii
)
def test_characters_are_those_of_xml(character: str) -> None:
    """Expat, which knows XML 1.0 by itself, takes what is kept and refuses what is replaced."""
    text = in_xml(f"a{character}b")
    assert ET.fromstring(f"<a>{text}</a>".encode()).text == text.replace("\r", "\n")
    if text != f"a{character}b":
        assert text == "a\ufffdb"
        data = f"<a>{character}</a>".encode("utf-8", "surrogatepass")
        if character not in "\ufffe\uffff":  # which the standard excludes and expat lets pass
            with pytest.raises(ET.ParseError):
                ET.fromstring(data)


def test_words_in_any_script_stay() -> None:
    for text in ("", "µm\t\r\n", "脳 мозг מוח \U0001f42d", '<&>"'):
        assert in_xml(text) == text


def test_ome_tiff(scan: Scan, tmp_path: Path) -> None:
    scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped="field")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert len(file.series) == scan.num_fields
        for image, pixels in zip(file.series, expected(RECORDING, scan.filenames), strict=True):
            np.testing.assert_array_equal(image.asarray().transpose(2, 3, 1, 0), pixels)
        assert file.ome_metadata is not None
        ome = ET.fromstring(file.ome_metadata)
    images = ome.findall("{*}Image")
    assert [image.get("Name") for image in images[:3]] == [f"{name} {i}" for i, name in enumerate(CLEAN_ROI_NAMES)]
    assert [channel.get("Name") for channel in images[0].iterfind(".//{*}Channel")] == list(CLEAN_CHANNELS)
    description = images[0].findtext("{*}Description")
    assert description is not None
    assert CLEAN_NOTE in description


def test_ome_zarr(scan: Scan, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    ome = ET.parse(tmp_path / "a.zarr" / "OME" / "METADATA.ome.xml").getroot()
    images = ome.findall("{*}Image")
    assert [image.get("Name") for image in images[:3]] == [f"{name} {i}" for i, name in enumerate(CLEAN_ROI_NAMES)]
    assert [channel.get("Name") for channel in images[0].iterfind(".//{*}Channel")] == list(CLEAN_CHANNELS)
    root = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert root["scanimage"].attrs["header"] == scan.header_block  # JSON has every character
    assert json.loads(root["scanimage"].attrs["rois"]) == scan.roi_metadata
    np.testing.assert_array_equal(root["1/0"][:, :, 0].transpose(2, 3, 1, 0), expected(RECORDING, scan.filenames)[1])


def test_zarr_and_references(scan: Scan, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(scan.to_zarr_store(), mode="r")
    assert group.attrs["scanimage_header"] == scan.header_block
    assert group["field_1"].attrs["name"] == ROI_NAMES[1]
    scan.to_references(tmp_path / "a.json")
    references = json.loads((tmp_path / "a.json").read_text("utf-8"))["refs"]
    assert json.loads(references[".zattrs"])["scanimage_header"] == scan.header_block
    assert json.loads(references["field_0/.zattrs"])["name"] == ROI_NAMES[0]


def test_napari(scan: Scan) -> None:
    names = [options["name"] for _, options, _ in scan.to_napari_layers()]
    assert names[:3] == [f"{name}, {CLEAN_CHANNELS[0]}" for name in CLEAN_ROI_NAMES]


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_nwb(scan: Scan, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", grouped="field")
    assert not pynwb.validate(path=str(tmp_path / "a.nwb"))
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        nwb = io.read()
        assert CLEAN_NOTE in nwb.scratch["scanimage_header"].data
        assert json.loads(nwb.scratch["scanimage_rois"].data) == scan.roi_metadata
        series = nwb.acquisition["TwoPhotonSeriesField0Channel1"]
        assert CLEAN_ROI_NAMES[0] in series.description
        assert CLEAN_ROI_NAMES[0] in series.imaging_plane.description
        names = [channel.name for channel in series.imaging_plane.optical_channel]
        assert sorted(names) == ["gre\ufffden__", "red\ufffd"]
        np.testing.assert_array_equal(
            series.data[:].transpose(2, 1, 0), expected(RECORDING, scan.filenames)[0][:, :, 1]
        )


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "names", [("a", "a", "a 0"), ("a/", "a:", "a_"), (".", "..", "channel"), ("a 1", "a", "a")], ids=repr
)
def test_channels_of_nwb_have_names_of_their_own(tmp_path: Path, names: tuple[str, ...]) -> None:
    pynwb = pytest.importorskip("pynwb")
    channels = {"hChannels.channelName": Cell([*names, *(f"Channel {n}" for n in range(4, 65))])}
    replace(RECORDING, channels=(1, 2, 3), rois=RECORDING.rois[2:], settings=channels).write(tmp_path)
    with read_scan(tmp_path) as scan:
        assert tuple(scan.channel_names) == names
        scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", grouped="field")
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        plane = io.read().imaging_planes["ImagingPlane0"]
        assert len({channel.name for channel in plane.optical_channel}) == 3
