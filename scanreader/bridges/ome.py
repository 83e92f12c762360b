"""Scans as OME-TIFF."""

from __future__ import annotations

import math
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from scanreader.bridges import check_dtype, is_even, notify_moved_pieces, rotated_fields
from scanreader.bridges.groups import group_name, groups_of, read_planes
from scanreader.bridges.kinds import OME_TIFF
from scanreader.bridges.streams import flushed_early, frame_blocks, in_order
from scanreader.bridges.writing import atomic_path
from scanreader.errors import MissingExtraError
from scanreader.notices import notify
from scanreader.texts import in_xml, name_in_xml

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.groups import Group
    from scanreader.bridges.targets import Progress
    from scanreader.recording.fields import Field

MOST_PLANES = 100_000  # whose places and times the XML lists one by one, in 200 bytes each
NARROW_SINCE = (2024, 9, 20)  # the first of these versions of tifffile that was seen to write images one pixel wide
IFD = 256  # bytes of the tags of a page, at most
CLASSIC = 2**32 - 2**25  # bytes of pixels beyond which tifffile also writes BigTIFF
DTYPES = (
    *("int8", "int16", "int32", "uint8", "uint16", "uint32"),
    *("float32", "float64", "complex64", "complex128"),
)
"""The pixel types of OME-XML."""


def to_ome_tiff(
    scan: ScanLike,
    path: str | os.PathLike[str],
    *,
    grouped: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write an OME-TIFF; see `Scan.to_ome_tiff`."""
    groups = groups_of(scan, grouped, "an OME-TIFF", takes_uneven=True)
    check_dtype(scan, DTYPES, "OME-TIFF")
    check_width(scan)
    pixels = sum(field.height * field.width for field in scan.fields)
    planes = scan.num_channels * scan.num_frames
    size = planes * (pixels * scan.dtype.itemsize + IFD * scan.num_fields)
    with atomic_path(path, OME_TIFF, sources=scan.filenames, overwrite=overwrite) as partial_path:
        notify(_losses(scan, groups))
        notify_moved_pieces(scan)
        with tifffile.TiffWriter(partial_path, ome=True, bigtiff=size > CLASSIC) as writer:
            starts = [_write_without_pixels(writer, scan, groups, image) for image in range(len(groups))]
        with partial_path.open("r+b") as file, flushed_early(partial_path) as count_bytes:
            for group, start in zip(groups, starts, strict=True):
                file.seek(start)
                blocks = frame_blocks(scan, group.first_field, scan.num_channels * len(group.fields))
                for block in in_order(_Pages(scan, group), blocks):
                    file.write(block.data)
                    count_bytes(block.nbytes)
                    if progress is not None:
                        progress(block.nbytes)


def _write_without_pixels(writer: tifffile.TiffWriter, scan: ScanLike, groups: Sequence[Group], image: int) -> int:
    """Write the pages of an image but for their pixels; returns where these begin, page after page."""
    group = groups[image]
    field = scan.fields[group.first_field]
    place = writer.write(
        shape=(scan.num_frames, scan.num_channels, len(group.fields), field.height, field.width),
        dtype=scan.dtype.newbyteorder("="),
        photometric="minisblack",
        metadata=_metadata(scan, groups, image),
        contiguous=False,
        returnoffset=True,
    )
    assert place is not None
    return int(place[0])


def check_width(scan: ScanLike) -> None:
    """Refuse images one pixel wide where tifffile cannot write them: before 2024.9.20, it took them for colours.

    Raises
    ------
    MissingExtraError
    """
    is_old = tuple(map(int, re.findall(r"\d+", tifffile.__version__)[:3])) < NARROW_SINCE
    if is_old and any(field.width == 1 for field in scan.fields):
        raise MissingExtraError(
            f"tifffile {tifffile.__version__} cannot write images one pixel wide: pip install -U tifffile"
        )


def planes_of(scan: ScanLike, group: Group) -> int:
    """Number of an image's planes."""
    return scan.num_frames * scan.num_channels * len(group.fields)


def _losses(scan: ScanLike, groups: Sequence[Group]) -> Iterator[str]:
    """Say what of a scan the OME-TIFF does not have."""
    planes = max(planes_of(scan, group) for group in groups)
    if planes > MOST_PLANES:
        yield (
            f"an image has {planes:,} planes, more than {MOST_PLANES:,}: the OME-TIFF does not have their places and "
            "times; see fields and field_timestamps"
        )
    fields_with_rotation = rotated_fields(scan)
    if fields_with_rotation:
        yield f"OME-TIFF has no rotation: that of {fields_with_rotation} is skipped"


@dataclass(frozen=True)
class _Pages:
    """Reads pages of an image: the depths of each channel of a frame, then the next frame."""

    scan: ScanLike
    group: Group

    def __call__(self, frames: slice) -> npt.NDArray[Any]:
        part = read_planes(self.scan, self.group, frames)
        return np.ascontiguousarray(part, part.dtype.newbyteorder("="))


def _metadata(scan: ScanLike, groups: Sequence[Group], image: int) -> dict[str, Any]:
    """OME metadata of an image: sizes and places in µm, times in s, names."""
    group = groups[image]
    field = scan.fields[group.first_field]
    metadata: dict[str, Any] = {
        "axes": "TCZYX",
        "Name": group_name(scan, groups, image),
        "Channel": {"Name": [name_in_xml(name) for name in scan.channel_names]},
    }
    if math.isfinite(field.pixel_width_in_microns) and math.isfinite(field.pixel_height_in_microns):
        metadata |= {
            "PhysicalSizeX": field.pixel_width_in_microns,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": field.pixel_height_in_microns,
            "PhysicalSizeYUnit": "µm",
        }
    if math.isfinite(group.spacing):
        metadata |= {"PhysicalSizeZ": group.spacing, "PhysicalSizeZUnit": "µm"}
    times = scan.field_timestamps(group.first_field)
    if is_even(scan, times):
        metadata |= {"TimeIncrement": 1 / scan.fps, "TimeIncrementUnit": "s"}
    if scan.start_time is not None:
        metadata["AcquisitionDate"] = scan.start_time.isoformat()
    if image == 0:  # once for the file; tifffile's own identifier would reveal this machine's address
        metadata |= {"Creator": "scanreader", "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, scan.token))}
        metadata["Description"] = in_xml(scan.header_block)
    planes = _plane_metadata(scan, group) if planes_of(scan, group) <= MOST_PLANES else []
    return metadata | ({"Plane": planes} if any(planes) else {})


def _plane_metadata(scan: ScanLike, group: Group) -> list[dict[str, Any]]:
    """OME metadata of each page of an image: its place and time, as far as they are known."""
    places = [_place(scan.fields[i]) for i in group.fields]
    times = [scan.field_timestamps(i).tolist() for i in group.fields]

    def page(frame: int, z: int) -> dict[str, Any]:
        time = times[z][frame]
        return places[z] | ({"DeltaT": time, "DeltaTUnit": "s"} if math.isfinite(time) else {})

    depths = range(len(group.fields))
    return [page(frame, z) for frame in range(scan.num_frames) for _ in range(scan.num_channels) for z in depths]


def _place(field: Field) -> dict[str, Any]:
    """OME metadata of the centre of a field, as far as it is known."""
    place: dict[str, Any] = {}
    for name, value in (("X", field.x_in_microns), ("Y", field.y_in_microns), ("Z", field.depth)):
        if math.isfinite(value):
            place |= {f"Position{name}": value, f"Position{name}Unit": "µm"}
    return place
