"""roiextractors' functions for the metadata of ScanImage files, without the need for roiextractors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tifffile

from scanreader.compat.refusals import NotATiffError
from scanreader.compat.tiffreader import ScanImageTiffReader
from scanreader.errors import FileFormatError, HeaderError
from scanreader.recording.frames import read_timestamps
from scanreader.scanimage.blocks import read_block
from scanreader.scanimage.header import Block, Header
from scanreader.scanimage.jsonlab import listed
from scanreader.scanimage.literals import integers, parse_literal
from scanreader.tiff.index import index_file
from scanreader.tiff.pages import Pages

if TYPE_CHECKING:
    import os

    Pathname = str | os.PathLike[str]

LONG = 1 << 14  # characters, which tifffile parses in 10 ms
SAVED = ("SI.hChannels.channelSave", "SI.hChannels.channelsActive")


def header_of(file_path: Pathname) -> Block:
    """Read the header of a file.

    Raises
    ------
    NotATiffError
        If it is not a TIFF (also a tifffile.TiffFileError).
    HeaderError
        If ScanImage did not write the file (also a ValueError).
    """
    try:
        index = index_file(file_path)
    except FileFormatError as error:
        raise NotATiffError(str(error)) from None
    block = read_block(index)
    if block is None:
        raise HeaderError(f"Invalid metadata: {str(file_path)!r} has no header of ScanImage")
    return block


def saved_channels(settings: Header) -> list[str]:
    """Return the names of the channels saved, by a header.

    Raises
    ------
    HeaderError
        If the header lacks them.
    """
    for key in SAVED:
        if key in settings:
            names = listed(settings.get("SI.hChannels.channelName"))
            numbers = integers(settings[key])
            return [str(names[n - 1]) if 0 < n <= len(names) else f"Channel {n}" for n in numbers]
    raise HeaderError(f"Could not find any of {list(SAVED)} in metadata.")


def extract_extra_metadata(file_path: Pathname) -> dict[str, Any]:
    """Return the settings of the first page's description and of the header, as text, and the ROI groups.

    Parameters
    ----------
    file_path : str or path

    Returns
    -------
    dict
    """
    reader = ScanImageTiffReader(file_path)
    text = reader.metadata()
    header, _, rois = text.partition("\n\n")
    metadata: dict[str, Any] = {}
    if header[:1] == "{":  # a JSON header holds both in one object
        metadata |= json.loads(text)
        header = ""
    for lines in (reader.description(0), header):
        pairs = (line.split("=") for line in re.split(r"[\r\n]", lines) if "=" in line)
        metadata |= {pair[0].strip(): pair[1].strip() for pair in pairs}
    return {**metadata, **(json.loads(rois) if rois else {})}


def parse_matlab_vector(matlab_vector: str) -> list[int]:
    """Return the integers of a MATLAB vector: ``[1 2 3]``, ``[1,2,3]``, ``[1;2;3]`` or ``1``.

    Raises
    ------
    ValueError
        If the text is no such vector.
    """
    words = re.split(r"[;,\s]+", matlab_vector.strip().strip("[]").strip())
    try:
        return [int(word) for word in words]
    except ValueError:
        raise ValueError(f"Could not parse vector from {matlab_vector}.") from None


def read_scanimage_metadata(file_path: Pathname) -> dict[str, Any]:
    """Return the header's settings, the ROI groups, and what roiextractors derives from them.

    Returns
    -------
    dict
        ``scan_image_non_varying_frame_metadata``, ``scan_image_roi_group_metadata`` and
        ``roiextractors_parsed_metadata``: sampling_frequency, num_channels, num_planes, frames_per_slice,
        channel_names and roi_metadata.
    """
    block = header_of(file_path)
    frame_data, rois = general_metadata(block)
    return {
        "scan_image_non_varying_frame_metadata": frame_data,
        "scan_image_roi_group_metadata": rois,
        "roiextractors_parsed_metadata": _parse(Header(block.text), rois["RoiGroups"] if rois else None),
    }


def general_metadata(block: Block) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a header's settings and its ROI groups, as tifffile parses them."""
    settings = {name: _parse_like_tifffile(value) for name, value in Header(block.text).raw.items()}
    return settings, json.loads(block.rois) if block.rois else {}


def _parse_like_tifffile(text: Any) -> Any:
    """Parse a value of the header as tifffile does, because roiextractors returns such values.

    Values with quotes, of which tifffile misreads some, and long ones, for which its time is quadratic, are not given
    to it.
    """
    if not isinstance(text, str):  # a header in JSON
        return text
    if "'" not in text and len(text) < LONG:
        return tifffile.matlabstr2py(text)
    value = parse_literal(text)
    return value[0] if text[:1] == "{" and isinstance(value, list) and len(value) == 1 else value


def _parse(settings: Header, roi_groups: Any) -> dict[str, Any]:
    """What roiextractors derives from a header's settings."""
    names = saved_channels(settings)
    num_actual_slices = settings.get("SI.hStackManager.actualNumSlices")
    is_enabled = settings.get("SI.hStackManager.enable", bool(num_actual_slices and num_actual_slices > 1))
    planes = (num_actual_slices or settings.get("SI.hStackManager.numSlices", 1)) if is_enabled else 1
    frames = settings.get("SI.hStackManager.framesPerSlice", 1) if is_enabled else 1
    return {
        "sampling_frequency": settings[f"SI.hRoiManager.scan{'Frame' if planes == 1 else 'Volume'}Rate"],
        "num_channels": len(names),
        "num_planes": planes,
        "frames_per_slice": frames,
        "channel_names": names,
        "roi_metadata": roi_groups,
    }


def parse_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what roiextractors derives from settings as text, as `extract_extra_metadata` returns them.

    Returns
    -------
    dict
        sampling_frequency, num_channels, num_planes, frames_per_slice, channel_names and roi_metadata.

    Raises
    ------
    HeaderError
        If the settings lack the saved channels (also a ValueError).
    """
    settings = Header("\n".join(f"{name} = {value}" for name, value in metadata.items() if isinstance(value, str)))
    parsed_metadata = _parse(settings, metadata.get("RoiGroups"))
    parsed_metadata |= {name: int(parsed_metadata[name]) for name in ("num_planes", "frames_per_slice")}
    return parsed_metadata | {"sampling_frequency": float(metadata["SI.hRoiManager.scanFrameRate"])}


def parse_metadata_v3_8(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what roiextractors derives from the settings of ScanImage 3.8.

    Returns
    -------
    dict
        sampling_frequency, num_channels and num_planes.
    """
    return {
        "sampling_frequency": float(metadata["state.acq.frameRate"]),
        "num_channels": int(metadata["state.acq.numberOfChannelsSave"]),
        "num_planes": int(metadata["state.acq.numberOfZSlices"]),
    }


def extract_timestamps_from_file(file_path: Pathname) -> npt.NDArray[np.float64]:
    """Return the time of each page of a file, in seconds.

    Raises
    ------
    AssertionError
        If the file lacks times.
    """
    pages = Pages((index_file(file_path),))
    stamps = read_timestamps(pages, np.arange(len(pages)))
    if np.isnan(stamps[0]):
        raise AssertionError("frameTimestamps_sec not found in TIFF file")
    return stamps
