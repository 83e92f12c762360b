"""Scans as plain TIFF files, for programs that read stacks of pages, and as ImageJ's hyperstacks."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import tifffile

from scanreader.bridges import check_dtype, is_even, notify_moved_pieces, rotated_fields
from scanreader.bridges.groups import by_volume
from scanreader.bridges.kinds import TIFF, TIFF_FOLDER, WRITTEN_TIFFS
from scanreader.bridges.ome import check_width
from scanreader.bridges.streams import flushed_early, frame_blocks, in_c_order, in_order
from scanreader.bridges.writing import atomic_path
from scanreader.errors import FieldDimensionMismatch, LayoutError
from scanreader.files.opening import open_file
from scanreader.keys import abbreviate
from scanreader.notices import notify
from scanreader.recording.volumes import group as group_fields
from scanreader.texts import in_xml
from scanreader.tiff.ifd import STRIP_OFFSETS, read_flavour, read_ifd, tag_numbers

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.groups import Group
    from scanreader.bridges.targets import Progress

DTYPES = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")
IMAGEJ_DTYPES = ("uint8", "int16", "uint16", "float32")
MOST_BYTES = 2**32 - 2**25
"""Of pixels in an ImageJ hyperstack, which is a classic TIFF."""
CENTIMETRE = 1e4  # µm


class Hyperstack(NamedTuple):
    """The axes of a hyperstack: the fields of a volume, or one field."""

    shape: tuple[int, int, int, int, int]
    """(frames, z, channels, y, x)."""
    group: Group
    """The fields, in the order of z, and their spacing."""


def to_tiff(
    scan: ScanLike,
    path: str | os.PathLike[str],
    *,
    imagej: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write one field as a BigTIFF of plain pages: the channels of a frame, then the next frame.

    Parameters
    ----------
    scan : Scan
    path : path
    imagej : bool
        Write a hyperstack for ImageJ, of axes TZCYX, instead: the depths of a volume are its z.
    overwrite, progress
        As for `Scan.to_ome_tiff`.

    Raises
    ------
    FieldDimensionMismatch
        If there are several fields (of a hyperstack: several that are not one volume).
    LayoutError
        If a hyperstack would be larger than ImageJ's format, of 4 GB.
    DtypeError
        If the format does not have the scan's dtype.
    MissingExtraError, PathnameError, TargetExistsError, DiskFullError
        As for `Scan.to_ome_tiff`.
    """
    check_width(scan)
    check_dtype(scan, IMAGEJ_DTYPES if imagej else DTYPES, "ImageJ's hyperstack" if imagej else "TIFF")
    if imagej:
        stack = hyperstack_of(scan)
    elif scan.num_fields != 1:
        raise FieldDimensionMismatch(
            f"a plain TIFF holds the pages of one field, not {scan.num_fields}: choose one (--fields 0), write a file "
            "for each (--per-field), a folder of files (--tiff) or an OME-TIFF (.ome.tif)"
        )
    with atomic_path(path, TIFF, sources=scan.filenames, overwrite=overwrite) as partial_path:
        notify([*_losses(scan), *(depths_without_place(scan, stack.group) if imagej else ())])
        notify_moved_pieces(scan)
        if imagej:
            _write_hyperstack(scan, stack, partial_path, progress)
        else:
            _write_pages(scan, 0, slice(0, scan.num_channels), partial_path, progress)


def to_tiff_folder(
    scan: ScanLike,
    path: str | os.PathLike[str],
    *,
    field_numbers: Sequence[int] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a folder of plain BigTIFF files, ``field0_channel1.tif`` …, each with the frames of a field and channel.

    Parameters
    ----------
    scan : Scan
    path : path
        The folder; it appears once complete.
    field_numbers : sequence of int, optional
        Numbers of the fields in the names; by default from 0. Channels have their numbers in ScanImage.
    overwrite, progress
        As for `Scan.to_ome_tiff`.

    Raises
    ------
    DtypeError, MissingExtraError, PathnameError, TargetExistsError, DiskFullError
        As for `to_tiff`.
    """
    check_width(scan)
    check_dtype(scan, DTYPES, "TIFF")
    numbers = list(range(scan.num_fields)) if field_numbers is None else list(field_numbers)
    record = {"format": "tiff", "fields": numbers, "channels": list(scan.channel_numbers)}
    with atomic_path(path, TIFF_FOLDER, sources=scan.filenames, overwrite=overwrite) as partial_path:
        notify(_losses(scan))
        notify_moved_pieces(scan)
        partial_path.mkdir()
        for i, number in enumerate(numbers):
            for c, channel in enumerate(scan.channel_numbers):
                _write_pages(scan, i, slice(c, c + 1), partial_path / file_name(number, channel), progress)
        (partial_path / WRITTEN_TIFFS).write_text(json.dumps(record), "utf-8")


def file_name(field: int, channel: int) -> str:
    """Name of a file in a folder of TIFF files."""
    return f"field{field}_channel{channel}.tif"


def _losses(scan: ScanLike) -> Iterator[str]:
    """Say what of a scan the files do not have."""
    fields_with_rotation = rotated_fields(scan)
    if fields_with_rotation:
        yield f"TIFF has no rotation: that of {fields_with_rotation} is skipped"


def depths_without_place(scan: ScanLike, group: Group) -> Iterator[str]:
    """Say which depths a hyperstack does not have, since ImageJ has one distance between them."""
    if group.is_volume and math.isnan(group.spacing):
        depths = [scan.fields[i].depth for i in group.fields]
        depths_in_words = f" ({abbreviate(depths)} µm) are uneven" if math.isfinite(depths[0]) else " are unknown"
        yield f"ImageJ's hyperstack has one distance of depths, and the depths{depths_in_words}: they are skipped"


@dataclass(frozen=True)
class _Pages:
    """Reads pages of a field: the chosen channels of a frame, then the next frame."""

    scan: ScanLike
    field: int
    channels: slice
    dtype: np.dtype[Any]

    def __call__(self, frames: slice) -> npt.NDArray[Any]:
        return in_c_order(self.scan[self.field, :, :, self.channels, frames].transpose(3, 2, 0, 1), self.dtype)


def _write_pages(scan: ScanLike, i: int, channels: slice, path: Path, progress: Progress | None) -> None:
    """Write a BigTIFF: a page for each frame and channel, with the size of its pixels."""
    field = scan.fields[i]
    count = (channels.stop - channels.start) * scan.num_frames
    sizes = (field.pixel_width_in_microns, field.pixel_height_in_microns)
    options: dict[str, Any] = {}
    if all(math.isfinite(size) and size > 0 for size in sizes):
        options = {"resolution": tuple(CENTIMETRE / size for size in sizes), "resolutionunit": "CENTIMETER"}
    dtype = scan.dtype.newbyteorder("<")
    with tifffile.TiffWriter(path, bigtiff=True, byteorder="<") as writer:
        place = writer.write(
            shape=(count, field.height, field.width),
            dtype=dtype,
            photometric="minisblack",
            metadata=None,
            software="scanreader",
            returnoffset=True,
            **options,
        )
    pages = _Pages(scan, i, channels, dtype)
    with path.open("r+b") as file, flushed_early(path) as count_bytes:
        file.seek(_start(place))
        for block in in_order(pages, frame_blocks(scan, i, channels.stop - channels.start)):
            file.write(block.data)
            count_bytes(block.nbytes)
            if progress is not None:
                progress(block.nbytes)


def _start(place: tuple[int, int] | None) -> int:
    """Where the pixels begin."""
    assert place is not None
    return int(place[0])


# --------------------------------------------------------------------- ImageJ's hyperstack


def hyperstack_of(scan: ScanLike) -> Hyperstack:
    """Give the axes of a hyperstack.

    Raises
    ------
    FieldDimensionMismatch
        If there are several fields that are not one volume.
    LayoutError
        If it would be larger than 4 GB.
    """
    groups = by_volume(scan)
    if len(groups) > 1:
        reasons = dict.fromkeys(single_field.reason for single_field in group_fields(scan.fields).single)
        reasons_in_words = f" ({'; '.join(reasons)})" if reasons else ""
        raise FieldDimensionMismatch(
            f"a hyperstack has one field, or one ROI at several depths{reasons_in_words}: choose the fields of one ROI "
            "(--fields 0,2), write a file for each field (--per-field) or an OME-TIFF (.ome.tif)"
        )
    field = scan.fields[groups[0].first_field]
    shape = (scan.num_frames, scan.num_fields, scan.num_channels, field.height, field.width)
    nbytes = math.prod(shape) * scan.dtype.itemsize
    if nbytes > MOST_BYTES:
        raise LayoutError(
            f"ImageJ's hyperstack ends at 4 GB, this would be {nbytes / 1e9:.1f} GB: write .ome.tif, which Bio-Formats "
            "opens in Fiji, .tif without --imagej, or fewer frames (--frames)",
            raw_helps=False,
        )
    return Hyperstack(shape, groups[0])


def _write_hyperstack(scan: ScanLike, stack: Hyperstack, path: Path, progress: Progress | None) -> None:
    """Write a hyperstack; its pixels are of the byte order of ImageJ's own files."""
    dtype = scan.dtype.newbyteorder(">")
    _, planes, channels, height, width = stack.shape
    with tifffile.TiffWriter(path, imagej=True, byteorder=">") as writer:
        writer.write(
            shape=stack.shape,
            dtype=dtype,
            photometric="minisblack",
            software="scanreader",
            **_imagej_options(scan, stack),
        )
    volume = planes * channels * height * width * dtype.itemsize
    plane = channels * height * width * dtype.itemsize
    start = _first_pixel(path)
    with path.open("r+b") as file, flushed_early(path) as count_bytes:
        for z, i in enumerate(stack.group.fields):
            pages, blocks = _Pages(scan, i, slice(0, channels), dtype), list(frame_blocks(scan, i, channels))
            for frames, block in zip(blocks, in_order(pages, blocks), strict=True):
                for t, image in enumerate(block, frames.start):
                    file.seek(start + t * volume + z * plane)
                    file.write(image.data)
                count_bytes(block.nbytes)
                if progress is not None:
                    progress(block.nbytes)


def _first_pixel(path: Path) -> int:
    """Where the pixels of a TIFF begin; older versions of tifffile do not say it of a hyperstack."""
    with open_file(path) as file:
        flavour, offset = read_flavour(file)
        return tag_numbers(file, flavour, read_ifd(file, flavour, offset), STRIP_OFFSETS)[0]


def _imagej_options(scan: ScanLike, stack: Hyperstack) -> dict[str, Any]:
    """What ImageJ reads of sizes in µm and s."""
    field = scan.fields[0]
    metadata: dict[str, Any] = {"axes": "TZCYX", "mode": "grayscale", "Info": in_xml(scan.header_block)}
    options: dict[str, Any] = {"metadata": metadata}
    if math.isfinite(field.pixel_width_in_microns) and math.isfinite(field.pixel_height_in_microns):
        options["resolution"] = (1 / field.pixel_width_in_microns, 1 / field.pixel_height_in_microns)
        metadata["unit"] = "um"
    if math.isfinite(stack.group.spacing):
        metadata["spacing"] = stack.group.spacing
    if is_even(scan, scan.field_timestamps(0)):
        metadata["finterval"] = 1 / scan.fps
    return options
