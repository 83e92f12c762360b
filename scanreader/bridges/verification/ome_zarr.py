"""An OME-Zarr, read back by zarr."""

from __future__ import annotations

import itertools
import json
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from scanreader.bridges import fields_in_words, is_even, recording_attributes
from scanreader.bridges.groups import group_name, matching_groups, places_of
from scanreader.bridges.ome_zarr import layout_of, prepare_folder
from scanreader.bridges.shards import halve
from scanreader.bridges.verification.formats import Block, Fact, blocks_of_all_channels, dtype_of, shape_of
from scanreader.notices import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.groups import Group


class OmeZarr:
    """An OME-Zarr: an image for each volume or field, with arrays (t, c, z, y, x) of each level."""

    kind = "an OME-Zarr"
    library = f"zarr {zarr.__version__}"

    def __init__(self, path: Path) -> None:
        self._folder = path
        self._root = zarr.open_group(str(path), mode="r")
        self._groups: tuple[Group, ...] = ()
        self._places: dict[int, tuple[int, int]] = {}
        self._levels: dict[int, list[Any]] = {}
        """Arrays of each image."""

    def _image(self, number: int) -> Any:
        image = self._root.get(str(number)) if len(self._groups) > 1 else self._root
        return image if isinstance(image, zarr.Group) else None

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say which arrays, files and documents are missing, more than expected, or not as they were written."""
        shards: set[str] = set()
        numbers = [key for key in self._root.group_keys() if key.isdigit()]
        self._groups = matching_groups(scan, len(numbers) or 1)
        self._places = places_of(self._groups)
        for i, group in enumerate(self._groups):
            image = self._image(i)
            keys = sorted((key for key in image.array_keys() if key.isdigit()), key=int) if image is not None else []
            if "0" not in keys:
                yield f"the image of {fields_in_words(group.fields)} is missing"
                continue
            levels = [image[key] for key in keys]
            frames, channels, height, width = shape_of(scan, group.first_field)
            for k, level in enumerate(levels):
                expected = (frames, channels, len(group.fields), math.ceil(height / 2**k), math.ceil(width / 2**k))
                if (level.shape, level.dtype.newbyteorder("=")) != (expected, dtype_of(scan)):
                    actual = f"shape {level.shape} and dtype {level.dtype}"
                    yield f"{level.path or '/'} has {actual}, not {expected} and {scan.dtype}"
                    break
                yield from self._missing_files(level)
                shards |= {name for name, _ in self._shards(level)}
            else:
                self._levels[i] = levels
        if len(self._levels) == len(self._groups):
            yield from self._wrong_documents(scan, shards)

    def _wrong_documents(self, scan: ScanLike, shards: set[str]) -> Iterator[str]:
        """Compare all documents with those that an export writes, and the names of all files."""
        counts = [len(levels) - 1 for levels in self._levels.values()]
        images = [layout_of(scan, self._groups, count)[i] for i, count in enumerate(counts)]
        with tempfile.TemporaryDirectory() as name, listening(lambda _: None):
            expected_folder = Path(name) / "expected"
            prepare_folder(scan, images, expected_folder, compress=True)
            expected = {path.relative_to(expected_folder).as_posix(): path for path in _files(expected_folder)}
            actual = {path.relative_to(self._folder).as_posix(): path for path in _files(self._folder)}
            for path in sorted({*expected} - {*actual} - shards):
                yield f"the file {path} is missing"
            for path in sorted({*actual} - {*expected} - shards):
                yield f"the file {path} is there, which was not written"
            for path in sorted({*actual} & {*expected}):
                if path.endswith("zarr.json"):
                    place = _difference(_document(expected[path]), _document(actual[path]), "")
                    if place:
                        yield f"{path} is not as it was written: {place.lstrip('.')} differs"
                elif path.endswith(".xml") and expected[path].read_bytes() != actual[path].read_bytes():
                    yield f"{path} is not as it was written"

    def _shards(self, level: Any) -> Iterator[tuple[str, int]]:
        """Names of the files of an array, and the first frame of each."""
        shape, step = level.shape, level.shards or level.chunks
        if math.prod(shape):
            for place in itertools.product(*(range(math.ceil(n / s)) for n, s in zip(shape, step, strict=True))):
                yield "/".join([level.path, "c", *map(str, place)]).lstrip("/"), place[0] * step[0]

    def _missing_files(self, level: Any) -> Iterator[str]:
        """Files that are missing: zarr reads zeros in their place."""
        step = (level.shards or level.chunks)[0]
        for name, first_frame in self._shards(level):
            if not (self._folder / name).is_file():
                last_frame = min(level.shape[0], first_frame + step) - 1
                yield f"the file {name} is missing, which has frames {first_frame} to {last_frame}"

    def has(self, field: int, channel: int) -> bool:  # noqa: ARG002 - an image has all channels
        """Whether the image has the expected shape."""
        return self._places[field][0] in self._levels

    def place(self, field: int, channel: int) -> str:
        """Path of the array, and the indices of channel and plane."""
        image, z = self._places[field]
        return f"{self._levels[image][0].path or '0'}[:, {channel}, {z}]"

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Whole chunks, of all channels."""
        return blocks_of_all_channels(scan, field, self._levels[self._places[field][0]][0].chunks[0])

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of some frames, on every level."""
        expected = source
        image, z = self._places[block.field]
        for k, level in enumerate(self._levels[image]):
            expected = halve(expected) if k else expected
            yield f"level {k}" if k else "", expected, level[block.frames, block.channels, z]

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """Scales and places in s and µm, times, names, and the header."""
        for number in self._levels:
            group = self._groups[number]
            group_in_words, field = fields_in_words(group.fields), scan.fields[group.first_field]
            attributes = dict(self._image(number).attrs)
            (image,) = attributes.get("ome", {}).get("multiscales", [{}])[:1] or [{}]
            scanimage: dict[str, Any] = attributes.get("scanimage", {})
            yield Fact(f"{group_in_words}: name", group_name(scan, self._groups, number), image.get("name"))
            labels = [
                channel.get("label") for channel in attributes.get("ome", {}).get("omero", {}).get("channels", [])
            ]
            yield Fact(f"{group_in_words}: channels", scan.channel_names, labels)
            yield from _place_facts(scan, group, group_in_words, image)
            if np.isfinite(field.affine).all():
                affine = scanimage.get("affine")
                yield Fact(
                    f"{group_in_words}: affine", field.affine, None if affine is None else np.array(affine), "µm"
                )
            yield Fact(
                f"{group_in_words}: rotation",
                float(field.rotation),
                scanimage.get("rotation_in_degrees"),
                "degrees",
            )
            if group.is_volume:
                yield Fact(
                    f"{group_in_words}: depths",
                    [scan.fields[i].depth for i in group.fields],
                    scanimage.get("depths"),
                    "µm",
                )
                starts = [float(scan.field_timestamps(i)[0]) if scan.num_frames else math.nan for i in group.fields]
                if np.isfinite(starts).all():
                    offsets = [start - min(starts) for start in starts]
                    yield Fact(
                        f"{group_in_words}: time offset of each plane",
                        offsets,
                        scanimage.get("plane_time_offsets"),
                        "s",
                    )
        recording = self._root.get("scanimage")
        shape = (scan.num_fields, scan.num_frames)
        times_array = None if not isinstance(recording, zarr.Group) else recording.get("times")
        is_right = isinstance(times_array, zarr.Array) and times_array.shape == shape
        times: Any = (
            None if times_array is None or not is_right else times_array[:]
        )  # of another shape, it may have any size
        expected = np.array([scan.field_timestamps(i) for i in range(scan.num_fields)])
        yield Fact("times of all fields", expected, times, "s")
        actual = dict(recording.attrs) if isinstance(recording, zarr.Group) else {}
        for key, value in recording_attributes(scan).items():
            yield Fact(key.replace("_", " "), value, actual.get(key))

    def unsaid(self, scan: ScanLike) -> Iterator[str]:  # noqa: ARG002 - a protocol
        """Nothing."""
        yield from ()

    def close(self) -> None:
        """Nothing is open."""


def _place_facts(scan: ScanLike, group: Group, group_in_words: str, image: dict[str, Any]) -> Iterator[Fact]:
    """Scale and place of the first pixel of an image, of every level."""
    field = scan.fields[group.first_field]
    size = (field.pixel_height_in_microns, field.pixel_width_in_microns)
    depths = np.array([scan.fields[i].depth for i in group.fields])
    first_times = [time for i in group.fields for time in scan.field_timestamps(i)[:1].tolist() if math.isfinite(time)]
    axes = "".join(axis.get("name", "?") for axis in image.get("axes", []))
    for k, dataset in enumerate(image.get("datasets", [])):
        name = f"{group_in_words}: level {k}: " if k else f"{group_in_words}: "
        actual = {step.get("type"): step.get(step.get("type")) for step in dataset.get("coordinateTransformations", [])}
        scale, start = (dict(zip(axes, actual.get(key) or [], strict=False)) for key in ("scale", "translation"))
        if all(map(math.isfinite, size)):
            yield Fact(f"{name}pixel height", size[0] * 2**k, scale.get("y"), "µm")
            yield Fact(f"{name}pixel width", size[1] * 2**k, scale.get("x"), "µm")
            top = field.y_in_microns - (field.height - 2**k) / 2 * size[0]
            left = field.x_in_microns - (field.width - 2**k) / 2 * size[1]
            yield Fact(f"{name}y of the first pixel", top, start.get("y"), "µm")
            yield Fact(f"{name}x of the first pixel", left, start.get("x"), "µm")
        if np.isfinite(depths).all():
            yield Fact(f"{name}depth", float(depths[0]), start.get("z"), "µm")
        if group.is_volume:
            yield Fact(f"{name}distance of depths", float(np.diff(depths).mean()), scale.get("z"), "µm")
        if is_even(scan, scan.field_timestamps(group.first_field)):
            yield Fact(f"{name}time between frames", float(1 / scan.fps), scale.get("t"), "s")
            yield Fact(f"{name}time of the first frame", min(first_times, default=0.0), start.get("t"), "s")


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder and in those in it."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _document(path: Path) -> dict[str, Any]:
    """What readers make of a document of zarr's; codecs may be spelled in several ways."""
    document = json.loads(path.read_text("utf-8"))
    return {key: value for key, value in document.items() if key not in ("codecs", "storage_transformers")}


def _difference(expected: Any, actual: Any, place: str) -> str:
    """Place of the first difference of two documents; '' if they are equal."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            if key not in expected or key not in actual:
                return f"{place}.{key}"
            if inner_place := _difference(expected[key], actual[key], f"{place}.{key}"):
                return inner_place
        return ""
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return next((inner_place for i, pair in pairs if (inner_place := _difference(*pair, f"{place}[{i}]"))), "")
    return "" if expected == actual else place or "it"
