"""Scans as OME-TIFF."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from scanreader.bridges import image_name, is_even
from scanreader.bridges.targets import atomic_path, frame_slices

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress

MOST_PLANES = 100_000  # whose places and times the XML lists one by one, in 200 bytes each
CLASSIC = 2**32 - 2**25  # bytes of pixels beyond which tifffile also writes BigTIFF


def to_ome_tiff(
    scan: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write an OME-TIFF; see `Scan.to_ome_tiff`."""
    pixels = sum(field.height * field.width for field in scan.fields)
    size = pixels * scan.num_channels * scan.num_frames * scan.dtype.itemsize
    with (
        atomic_path(path, overwrite=overwrite) as partial,
        tifffile.TiffWriter(partial, ome=True, bigtiff=size > CLASSIC) as file,
    ):
        for i, field in enumerate(scan.fields):
            file.write(
                _planes(scan, i, progress),
                shape=(scan.num_frames, scan.num_channels, field.height, field.width),
                dtype=scan.dtype,
                photometric="minisblack",
                metadata=_metadata(scan, i),
                contiguous=False,
            )


def _planes(scan: ScanLike, field: int, progress: Progress | None) -> Iterator[npt.NDArray[Any]]:
    """Every page of a field: the channels of a frame, then the next frame."""
    for frames in frame_slices(scan, field):
        part = scan[field, :, :, :, frames].transpose(3, 2, 0, 1)
        yield from part.reshape(-1, *part.shape[2:])
        if progress is not None:
            progress(part.nbytes)


def _metadata(scan: ScanLike, i: int) -> dict[str, Any]:
    """OME metadata of a field: sizes and places in µm, times in s, names."""
    field = scan.fields[i]
    metadata: dict[str, Any] = {
        "axes": "TCYX",
        "Name": image_name(scan, i),
        "Channel": {"Name": scan.channel_names},
    }
    if math.isfinite(field.pixel_width_in_microns) and math.isfinite(field.pixel_height_in_microns):
        metadata |= {
            "PhysicalSizeX": field.pixel_width_in_microns,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": field.pixel_height_in_microns,
            "PhysicalSizeYUnit": "µm",
        }
    times = scan.field_timestamps(i)
    if is_even(scan, times):
        metadata |= {"TimeIncrement": 1 / scan.fps, "TimeIncrementUnit": "s"}
    if scan.start_time is not None:
        metadata["AcquisitionDate"] = scan.start_time.isoformat()
    position = {
        "PositionX": field.x_in_microns,
        "PositionY": field.y_in_microns,
        "PositionZ": field.depth,
    }
    planes = scan.num_frames * scan.num_channels
    plane: dict[str, Any] = {}
    for name, value in position.items():
        if math.isfinite(value):
            plane |= {name: [value] * planes, f"{name}Unit": ["µm"] * planes}
    if np.isfinite(times).all():
        plane |= {"DeltaT": np.repeat(times, scan.num_channels).tolist(), "DeltaTUnit": ["s"] * planes}
    if i == 0:  # once for the file; tifffile's own identifier would reveal this machine's address
        metadata |= {"Creator": "scanreader", "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, scan.token))}
        metadata["Description"] = scan.header
    if plane and planes <= MOST_PLANES:
        metadata["Plane"] = plane
    return metadata
