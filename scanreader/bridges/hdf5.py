"""Scans as HDF5: the frames of one field or volume and channel as one dataset, as CaImAn and suite2p read them."""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges import REAL_DTYPES, check_dtype, field_attributes, flat_attributes, notify_moved_pieces
from scanreader.bridges.groups import by_volume, volume_attributes, volume_times
from scanreader.bridges.kinds import HDF5
from scanreader.bridges.streams import flushed_early, frame_blocks, in_c_order, in_order
from scanreader.bridges.writing import atomic_path
from scanreader.errors import FieldDimensionMismatch
from scanreader.extras import import_extra
from scanreader.texts import in_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.groups import Group
    from scanreader.bridges.targets import Progress

ROOM = 16 << 20  # bytes that HDF5 gets to close a file where the disk is full
DATASET = "mov"
"""The name that CaImAn, and others after it, look for."""
VERSIONS = ("v108", "v110")
"""Of HDF5's format: before 1.8, attributes end at 64 KiB, which headers and times can exceed."""


def to_hdf5(
    scan: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
) -> None:
    """Write the dataset ``mov`` of shape (frames, y, x), with facts of the recording as its attributes.

    Of a volume, it has shape (frames, y, x, z), as CaImAn takes three dimensions.

    Raises
    ------
    FieldDimensionMismatch
        If there are several channels, or fields that are not one volume.
    DtypeError
        If its pixels are no real numbers.
    PathnameError, TargetExistsError, DiskFullError
        As for `Scan.to_ome_tiff`.
    MissingExtraError
        If h5py is not installed.
    """
    h5py = import_extra("h5py", "hdf5")
    check_dtype(scan, REAL_DTYPES, "HDF5")
    groups = by_volume(scan)
    if len(groups) != 1 or scan.num_channels != 1:
        raise FieldDimensionMismatch(
            f"an .h5 file holds one channel of one field or volume, and the scan has {len(groups)} of them with "
            f"{scan.num_channels} channel{'' if scan.num_channels == 1 else 's'}: choose (--fields 0 --channels 1) or "
            "write a file for each (--per-field --per-channel)"
        )
    (group,) = groups
    shape = shape_of(scan, group)
    with atomic_path(path, HDF5, sources=scan.filenames, overwrite=overwrite) as partial_path:
        notify_moved_pieces(scan)
        with room_to_close(partial_path):
            with h5py.File(partial_path, "w", libver=VERSIONS) as file:
                data = file.create_dataset(DATASET, shape, scan.dtype.newbyteorder("="))
                data.attrs.update(attributes_of(scan))
            with h5py.File(partial_path, "r+", libver=VERSIONS) as file, flushed_early(partial_path) as count_bytes:
                start = 0
                for block in in_order(_Frames(scan, group), frame_blocks(scan, group.first_field, len(group.fields))):
                    if block.size:
                        file[DATASET].write_direct(block, dest_sel=np.s_[start : start + len(block)])
                    start += len(block)
                    count_bytes(block.nbytes)
                    if progress is not None:
                        progress(block.nbytes)


@dataclass(frozen=True)
class _Frames:
    """Reads frames, of shape (frames, y, x) or (frames, y, x, z)."""

    scan: ScanLike
    group: Group

    def __call__(self, frames: slice) -> npt.NDArray[Any]:
        if self.group.is_volume:
            part = self.scan[list(self.group.fields), :, :, 0, frames].transpose(3, 1, 2, 0)
        else:
            part = self.scan[self.group.first_field, :, :, 0, frames].transpose(2, 0, 1)
        return in_c_order(part, part.dtype.newbyteorder("="))


def shape_of(scan: ScanLike, group: Group) -> tuple[int, ...]:
    """Shape of the dataset."""
    field = scan.fields[group.first_field]
    return (scan.num_frames, field.height, field.width, *([len(group.fields)] if group.is_volume else []))


def attributes_of(scan: ScanLike) -> dict[str, Any]:
    """Attributes of the dataset: the recording's, the field's (with ``field_``), and the time of each frame, in s.

    Of a volume, the field is that at the smallest depth, and the time is that at which its first plane is begun.
    """
    (group,) = by_volume(scan)
    image_attributes = {f"field_{name}": value for name, value in field_attributes(scan, group.first_field).items()}
    if group.is_volume:
        image_attributes |= {f"volume_{name}": value for name, value in volume_attributes(scan, group).items()}
        if math.isfinite(group.spacing):
            image_attributes["volume_spacing"] = group.spacing
    attributes: dict[str, Any] = {**flat_attributes(scan), **image_attributes, "channel": scan.channel_names[0]}
    times = volume_times(scan, group)
    if np.isfinite(times).any():
        attributes["timestamps"] = times
    attributes["dimensions"] = "frames, y, x, z" if group.is_volume else "frames, y, x"
    return {
        name: in_xml(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if not (isinstance(value, float) and math.isnan(value))
    }


@contextlib.contextmanager
def room_to_close(partial_path: Path) -> Iterator[None]:
    """Hold some room on the disk, which is released after an error, until HDF5 has closed the file.

    Where the disk is full, HDF5 needs room to close the file: without, it ends the process.

    Raises
    ------
    OSError
        As the system raised it, also where HDF5 raises another error as it cleans up.
    """
    room = partial_path.with_name(f"{partial_path.name}-room")
    try:
        with room.open("xb") as file:
            for _ in range(ROOM >> 20):
                file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        yield
    except RuntimeError as error:  # of HDF5's clean-up after an error of the system, e.g. a quota
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise
    finally:
        room.unlink(missing_ok=True)
