"""Plain TIFF files and ImageJ's hyperstacks, read back by tifffile."""

from __future__ import annotations

import json
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from scanreader.bridges import is_even
from scanreader.bridges.kinds import WRITTEN_TIFFS
from scanreader.bridges.tiff import CENTIMETRE, depths_without_place, file_name, hyperstack_of
from scanreader.bridges.verification.formats import (
    Block,
    Fact,
    blocks_of_all_channels,
    blocks_of_each_channel,
    dtype_of,
    rotation_of,
    shape_of,
)
from scanreader.errors import UnreadableTargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike

RATIONAL = 1e-6  # relative: resolutions are fractions of 32-bit integers
UNSAID = "the time of each frame, places in µm, names"


class _Images:
    """The images of a TIFF file, mapped, of shape (…, y, x)."""

    def __init__(self, path: Path) -> None:
        with tifffile.TiffFile(path) as file:
            first_page = file.pages.first
            self.imagej = dict(file.imagej_metadata or {}) if file.is_imagej else None
            self.resolution = (first_page.get_resolution(), int(first_page.resolutionunit))
            shape = file.series[0].shape if self.imagej is not None else (len(file.pages), *first_page.shape)
            self.axes = file.series[0].axes
            order, dtype = file.byteorder, first_page.dtype
            offset, length = first_page.dataoffsets[0], file.filehandle.size
        if dtype is None or offset + math.prod(shape) * dtype.itemsize > length or first_page.compression != 1:
            raise UnreadableTargetError(
                f"{str(path)!r} is not as it was written: its pages do not lie one after another"
            )
        self.dtype = dtype
        self.pixels: npt.NDArray[Any] = np.memmap(path, dtype.newbyteorder(order), "r", offset, shape)

    def pixel_size(self) -> tuple[float, float]:
        """Width and height of a pixel, in µm."""
        (x, y), unit = self.resolution
        scale = CENTIMETRE if unit == 3 else 1.0
        return (scale / x, scale / y) if x and y else (math.nan, math.nan)


def _size_facts(scan: ScanLike, i: int, images: _Images, *, unit: bool) -> Iterator[Fact]:
    """Sizes of pixels, as fractions."""
    field = scan.fields[i]
    expected = (field.pixel_width_in_microns, field.pixel_height_in_microns)
    if not all(math.isfinite(size) and size > 0 for size in expected) or not unit:
        return
    for name, size, actual in zip(("width", "height"), expected, images.pixel_size(), strict=True):
        rounded_size = size if math.isclose(size, actual, rel_tol=RATIONAL) else actual
        yield Fact(f"field {i}: the {name} of a pixel", size, rounded_size, "µm")


class PlainTiff:
    """A BigTIFF of the pages of one field, or a hyperstack of ImageJ."""

    library = f"tifffile {tifffile.__version__}"

    def __init__(self, path: Path) -> None:
        self._images = _Images(path)
        self.kind = "a plain TIFF" if self._images.imagej is None else "a hyperstack of ImageJ"
        self._pixels: npt.NDArray[Any] | None = None
        self._fields: tuple[int, ...] = (0,)
        """The fields, in the order of z."""

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say if there are more or fewer pages, or of another size."""
        frames, channels, height, width = shape_of(scan, 0)
        if self._images.imagej is None and scan.num_fields != 1:
            yield f"the target has the pages of one field, the scan has {scan.num_fields} fields"
            return
        if self._images.imagej is None:
            expected: tuple[int, ...] = (frames * channels, height, width)
        else:
            stack = hyperstack_of(scan)
            expected, self._fields = stack.shape, stack.group.fields
        actual = self._images.pixels.shape
        is_same_shape = actual == expected if self._images.imagej is None else math.prod(actual) == math.prod(expected)
        if not is_same_shape or actual[-2:] != expected[-2:] or self._images.dtype.newbyteorder("=") != dtype_of(scan):
            yield f"the images have shape {actual} and dtype {self._images.dtype}, not {expected} and {dtype_of(scan)}"
            return
        self._pixels = self._images.pixels.reshape(frames, scan.num_fields, channels, height, width)

    def has(self, field: int, channel: int) -> bool:  # noqa: ARG002 - they are together
        """Whether the images have the expected shape."""
        return self._pixels is not None

    def place(self, field: int, channel: int) -> str:
        """Where the channel's page of a frame is."""
        return f"image [frame, {self._fields.index(field)}, {channel}] of (frames, z, channels)"

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Frames of all channels."""
        return blocks_of_all_channels(scan, field)

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of some frames."""
        assert self._pixels is not None
        yield "", source, self._pixels[block.frames, self._fields.index(block.field), block.channels]

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """Sizes of pixels; of a hyperstack, also what ImageJ reads of axes, depth and time."""
        imagej = self._images.imagej
        yield from _size_facts(scan, 0, self._images, unit=imagej is None or imagej.get("unit") == "um")
        if imagej is None:
            return
        stack, field = hyperstack_of(scan), scan.fields[0]
        if math.isfinite(field.pixel_width_in_microns) and math.isfinite(field.pixel_height_in_microns):
            yield Fact("ImageJ's unit", "um", imagej.get("unit"))
        for name, count in zip(("frames", "slices", "channels"), stack.shape, strict=False):
            yield Fact(f"ImageJ's {name}", count, imagej.get(name, 1))
        if math.isfinite(stack.group.spacing):
            yield Fact("ImageJ's spacing", stack.group.spacing, imagej.get("spacing"), "µm")
        if is_even(scan, scan.field_timestamps(0)):
            yield Fact("ImageJ's finterval", 1 / scan.fps, imagej.get("finterval"))

    def unsaid(self, scan: ScanLike) -> Iterator[str]:
        """Times, places, names."""
        yield UNSAID if self._images.imagej is not None else f"{UNSAID}, and the header"
        if self._images.imagej is not None and self._pixels is not None:
            yield from depths_without_place(scan, hyperstack_of(scan).group)
        yield from rotation_of(scan)

    def close(self) -> None:
        """Nothing: the memory map goes with the array."""


class TiffFolder:
    """A folder of TIFF files, one for each field and channel."""

    kind = "a folder of TIFF files"
    library = f"tifffile {tifffile.__version__}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            record = json.loads((folder / WRITTEN_TIFFS).read_text("utf-8"))
            self._fields = [operator.index(number) for number in record["fields"]]
            self._channels = [operator.index(number) for number in record["channels"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnreadableTargetError(
                f"{str(folder)!r} cannot be verified: its file {WRITTEN_TIFFS}, which names the fields and channels, "
                f"is missing or damaged ({type(error).__name__})"
            ) from error
        self._images: dict[tuple[int, int], _Images] = {}

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say which files are missing, or have other pages."""
        if len(self._fields) != scan.num_fields or self._channels != list(scan.channel_numbers):
            yield (
                f"the target has {len(self._fields)} fields and the channels {self._channels}, the scan has "
                f"{scan.num_fields} and {list(scan.channel_numbers)}"
            )
            return
        names = {self.place(i, c) for i in range(len(self._fields)) for c in range(len(self._channels))}
        for path in sorted(self._folder.iterdir()):
            if path.name not in {*names, WRITTEN_TIFFS}:
                yield f"the file {path.name} is there, which was not written"
        for i in range(scan.num_fields):
            frames, _, height, width = shape_of(scan, i)
            for c in range(scan.num_channels):
                path = self._folder / self.place(i, c)
                if not path.is_file():
                    yield f"the file {path.name} is missing"
                    continue
                images = _Images(path)
                shape, dtype = images.pixels.shape, images.dtype.newbyteorder("=")
                if (shape, dtype) == ((frames, height, width), dtype_of(scan)):
                    self._images[i, c] = images
                else:
                    yield f"{path.name} has shape {shape} and dtype {dtype}, not {(frames, height, width)}"

    def has(self, field: int, channel: int) -> bool:
        """Whether the file has the expected pages."""
        return (field, channel) in self._images

    def place(self, field: int, channel: int) -> str:
        """Name of the file."""
        return file_name(self._fields[field], self._channels[channel])

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Frames of one channel."""
        return (block for block in blocks_of_each_channel(scan, field) if self.has(field, block.channels.start))

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of some frames of a file."""
        yield "", source, self._images[block.field, block.channels.start].pixels[block.frames][:, None]

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """Sizes of pixels."""
        for (i, _), images in sorted(self._images.items()):
            yield from _size_facts(scan, i, images, unit=True)

    def unsaid(self, scan: ScanLike) -> Iterator[str]:
        """Times, places, names."""
        yield f"{UNSAID}, and the header"
        yield from rotation_of(scan)

    def close(self) -> None:
        """Forget the files, which are mapped."""
        self._images.clear()
