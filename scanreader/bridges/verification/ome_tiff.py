"""An OME-TIFF, read back by tifffile."""

from __future__ import annotations

import contextlib
import math
import threading
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import tifffile

from scanreader.bridges import fields_in_words, is_even
from scanreader.bridges.groups import group_name, matching_groups, one_by_one, places_of
from scanreader.bridges.ome import MOST_PLANES, planes_of
from scanreader.bridges.verification.formats import Block, Fact, blocks_of_all_channels, dtype_of, rotation_of, shape_of
from scanreader.errors import UnreadableTargetError
from scanreader.texts import in_xml, name_in_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.groups import Group


POSITIONS = ("PositionX", "PositionY", "PositionZ")


class OmeTiff:
    """An OME-TIFF: an image for each volume or field, of planes in the order of depths, channels, then frames."""

    kind = "an OME-TIFF"
    library = f"tifffile {tifffile.__version__}"

    def __init__(self, path: Path) -> None:
        with _typed_errors():
            self._file = tifffile.TiffFile(path)
        if not self._file.is_ome:
            self._file.close()
            raise UnreadableTargetError(f"{str(path)!r} is a TIFF, but not an OME-TIFF")
        try:
            root = ET.fromstring(self._file.ome_metadata or "<OME/>")  # noqa: S314 - expat limits what entities become
        except ET.ParseError as error:
            self._file.close()
            raise UnreadableTargetError(f"{str(path)!r} cannot be read back: its XML is damaged ({error})") from error
        self._description = root
        self._images = [element for element in root if element.tag.endswith("Image")]
        self._shapes = [_shape(_child(image, "Pixels")) for image in self._images]
        self._groups: tuple[Group, ...] = ()
        self._places: dict[int, tuple[int, int]] = {}
        self._expected: list[tuple[int, ...]] = []
        self._lock = threading.Lock()
        self._mapped_images: dict[int, npt.NDArray[Any]] = {}

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say which images are missing or have another shape."""
        with _typed_errors():
            series = self._file.series
        self._groups = matching_groups(scan, len(self._images))
        self._places = places_of(self._groups)
        count = len(self._groups)
        if len(self._images) != count or len(series) != count:
            yield f"{count} images were expected, {min(len(self._images), len(series))} are there"
        shapes = [shape_of(scan, group.first_field) for group in self._groups]
        planes = [len(group.fields) for group in self._groups]
        self._expected = [(*shape[:2], depths, *shape[2:]) for shape, depths in zip(shapes, planes, strict=True)]
        for i in range(min(len(self._images), len(series), count)):
            actual = (self._shapes[i], series[i].dtype.newbyteorder("="))
            if actual != (self._expected[i], dtype_of(scan)) or series[i].size != math.prod(self._expected[i]):
                yield f"image {i} has shape {actual[0]} and dtype {actual[1]}, not {self._expected[i]} and {scan.dtype}"
            elif series[i].dataoffset is not None:
                self._mapped_images[i] = series[i].asarray(out="memmap").reshape(self._expected[i])

    def has(self, field: int, channel: int) -> bool:  # noqa: ARG002 - an image has all channels
        """Whether the image has the expected shape."""
        series, (image, _) = self._file.series, self._places[field]
        if image >= min(len(series), len(self._images)):
            return False
        return self._shapes[image] == self._expected[image] and series[image].size == math.prod(self._expected[image])

    def place(self, field: int, channel: int) -> str:
        """Say which planes of which image."""
        image, z = self._places[field]
        depth = f", z {z}" if self._groups[image].is_volume else ""
        return f"image {image}, channel {channel}{depth}"

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Frames with all channels."""
        return blocks_of_all_channels(scan, field)

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of some frames."""
        image, z = self._places[block.field]
        mapped_image = self._mapped_images.get(image)
        if mapped_image is not None:
            actual = mapped_image[block.frames, block.channels, z]
        else:
            channels, depths = self._expected[image][1:3]
            planes = slice(block.frames.start * channels * depths, block.frames.stop * channels * depths)
            with self._lock, _typed_errors():  # the file has one position
                actual = self._file.asarray(series=image, key=planes)
            actual = actual.reshape(-1, channels, depths, *source.shape[2:])[:, block.channels, z]
        yield "", source, actual

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """Sizes and places in µm, times, names, and the header."""
        for number, (image, group) in enumerate(zip(self._images, self._groups, strict=False)):
            field, pixels = scan.fields[group.first_field], _child(image, "Pixels")
            name = f"{fields_in_words(group.fields)}: "
            yield Fact(f"{name}name", group_name(scan, self._groups, number), image.get("Name"))
            names = [element.get("Name") for element in pixels if element.tag.endswith("Channel")]
            yield Fact(f"{name}channels", [name_in_xml(text) for text in scan.channel_names], names)
            yield Fact(f"{name}order of planes", "XYZCT", pixels.get("DimensionOrder"))
            if scan.start_time is not None:
                dates = [element.text for element in image if element.tag.endswith("AcquisitionDate")]
                yield Fact(f"{name}date", [scan.start_time.isoformat()], dates)
            size = (field.pixel_width_in_microns, field.pixel_height_in_microns)
            if all(map(math.isfinite, size)):
                yield Fact(f"{name}pixel width", size[0], _number(pixels, "PhysicalSizeX"), "µm")
                yield Fact(f"{name}pixel height", size[1], _number(pixels, "PhysicalSizeY"), "µm")
                units = [pixels.get("PhysicalSizeXUnit"), pixels.get("PhysicalSizeYUnit")]
                yield Fact(f"{name}units of the pixel size", ["µm", "µm"], units)
            if math.isfinite(group.spacing):
                yield Fact(f"{name}distance of depths", group.spacing, _number(pixels, "PhysicalSizeZ"), "µm")
                yield Fact(f"{name}unit of the distance of depths", "µm", pixels.get("PhysicalSizeZUnit"))
            times = scan.field_timestamps(group.first_field)
            if is_even(scan, times):
                yield Fact(f"{name}time between frames", float(1 / scan.fps), _number(pixels, "TimeIncrement"), "s")
                yield Fact(f"{name}unit of the time between frames", "s", pixels.get("TimeIncrementUnit"))
            if planes_of(scan, group) <= MOST_PLANES:
                yield from _plane_facts(scan, group, [element for element in pixels if element.tag.endswith("Plane")])
        texts = [element.text or "" for element in self._description.iter() if element.tag.endswith("Description")]
        yield Fact("header", _words(in_xml(scan.header_block)), _words(texts[0]) if texts else None)

    def unsaid(self, scan: ScanLike) -> Iterator[str]:
        """Rotations; times and places of very many planes."""
        yield from rotation_of(scan)
        if max(planes_of(scan, group) for group in self._groups or one_by_one(scan)) > MOST_PLANES:
            yield "the time and place of each plane"

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextlib.contextmanager
def _typed_errors() -> Iterator[None]:
    """Turn tifffile's own error, which older versions have apart, into a ValueError."""
    try:
        yield
    except tifffile.TiffFileError as error:
        raise ValueError(str(error)) from error


def _plane_facts(scan: ScanLike, group: Group, planes: list[ET.Element]) -> Iterator[Fact]:
    """Time and place of every plane."""
    fields, name = [scan.fields[i] for i in group.fields], fields_in_words(group.fields)
    places = [(field.x_in_microns, field.y_in_microns, field.depth) for field in fields]
    if np.isfinite(places).any() or planes:
        yield Fact(f"{name}: planes", planes_of(scan, group), len(planes))
    actual = {tuple(int(plane.get(f"The{axis}", -1)) for axis in "TCZ"): plane for plane in planes}
    units = {plane.get(f"{name}Unit") for plane in planes for name in POSITIONS if plane.get(name) is not None}
    yield Fact(f"{name}: units of positions", ["µm"] if units else [], sorted(units, key=str))
    units = {plane.get("DeltaTUnit") for plane in planes if plane.get("DeltaT") is not None}
    yield Fact(f"{name}: units of times", ["s"] if units else [], sorted(units, key=str))
    ordered_planes = [actual.get(place) for place in np.ndindex(scan.num_frames, scan.num_channels, len(fields))]

    def values(attribute: str) -> npt.NDArray[np.float64]:
        numbers = [None if plane is None else _number(plane, attribute) for plane in ordered_planes]
        return np.array([math.nan if number is None else number for number in numbers], float)

    times = np.stack([scan.field_timestamps(i) for i in group.fields], axis=-1)  # (frames, depths)
    plane_times = np.repeat(np.where(np.isfinite(times), times, math.nan), scan.num_channels, axis=0).ravel()
    yield Fact(f"{name}: time of each plane", plane_times, values("DeltaT"), "s")
    for axis, positions in zip("XYZ", np.array(places, float).T, strict=True):
        expected = np.tile(np.where(np.isfinite(positions), positions, math.nan), scan.num_frames * scan.num_channels)
        yield Fact(f"{name}: {axis.lower()} of each plane", expected, values(f"Position{axis}"), "µm")


def _child(element: ET.Element, name: str) -> ET.Element:
    """The child of a name; an empty element if there is none."""
    return next((child for child in element if child.tag.endswith(name)), ET.Element(name))


def _shape(pixels: ET.Element) -> tuple[int, ...]:
    return tuple(int(pixels.get(f"Size{axis}", 0)) for axis in "TCZYX")


def _number(element: ET.Element, name: str) -> float | None:
    text = element.get(name)
    return None if text is None else float(text)


def _words(text: str) -> str:
    """Text without its line ends, which XML does not keep apart."""
    return " ".join(text.split())
