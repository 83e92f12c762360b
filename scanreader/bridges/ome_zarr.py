"""Scans as OME-Zarr (NGFF 0.5): an image for each volume or field, written shard by shard in threads or by dask."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tifffile
import zarr

from scanreader.bridges import (
    REAL_DTYPES,
    check_dtype,
    is_even,
    notify_moved_pieces,
    plane_attributes,
    recording_attributes,
)
from scanreader.bridges.groups import Group, group_name, groups_of, read_planes, volume_attributes
from scanreader.bridges.kinds import OME_ZARR
from scanreader.bridges.shards import LEVEL, halve, write_shard
from scanreader.bridges.streams import in_order, threads
from scanreader.bridges.targets import atomic_file, resumable_folder
from scanreader.chunks import frames_at_a_time
from scanreader.errors import ScanKeyError
from scanreader.extras import import_extra
from scanreader.keys import as_integer, is_one_of
from scanreader.notices import notify
from scanreader.texts import name_in_xml
from scanreader.version import __version__

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Partial, Progress

AXES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
CHUNK = 1 << 20  # bytes in a chunk of whole frames, about: what a viewer fetches at a time
SHARD = 64 << 20  # bytes of pixels in a shard, about: what a worker holds, and what an interrupt loses
COLORS = ("00FF00", "FF0000", "0000FF", "FFFF00", "FF00FF", "00FFFF")
SAMPLED_FIELDS, SAMPLED_FRAMES = 8, 16  # that tell a rewritten source from the one before
WINDOW_FRAMES = 5  # frames whose values decide the window in which a channel is shown


class Image(NamedTuple):
    """Layout of an image: an array (t, c, z, y, x) for each level, all in chunks of the same frames."""

    path: str
    """Path of its group in the store; '' is the root."""
    group: Group
    """Its fields."""
    sizes: tuple[tuple[int, int], ...]
    """(y, x) of each level."""
    frames: int
    channels: int
    chunk: int
    """Frames in a chunk, of one channel."""
    chunks: int
    """Chunks in a shard along t; a shard has all channels."""

    def array(self, level: int) -> str:
        """Path of a level's array in the store."""
        return f"{self.path}/{level}".lstrip("/")

    @property
    def shard(self) -> int:
        """Frames in a shard."""
        return self.chunk * self.chunks


class Task(NamedTuple):
    """One shard of each level of an image: the unit of reading and writing."""

    image: int
    shard: int


@dataclass(frozen=True)
class Writer:
    """Writes shards. It pickles as its scan does, in kilobytes, so workers open the files themselves."""

    scan: ScanLike
    images: tuple[Image, ...]
    partial: Partial
    compress: bool

    def __call__(self, task: Task) -> int:
        """Write the missing shards of a task, and return the number of bytes of pixels that were read."""
        image = self.images[task.image]
        frames = self._frames(task)
        # The pixels of a field were read in the order of the file, t, c, y, x: then nothing is copied here.
        part = read_planes(self.scan, image.group, frames)
        block = np.ascontiguousarray(part, part.dtype.newbyteorder("<"))
        for level, path in enumerate(self._paths(task)):
            block = halve(block) if level else block
            if path.exists():  # complete already, by a call that was interrupted later
                continue
            with atomic_file(path, self.partial.unfinished) as file:
                write_shard(file, block, image.chunk, image.chunks, compress=self.compress)
        return part.nbytes

    def is_done(self, task: Task) -> bool:
        """Whether all shards of a task exist."""
        return all(path.exists() for path in self._paths(task))

    def nbytes(self, task: Task) -> int:
        """Bytes of pixels of a task."""
        image, frames = self.images[task.image], self._frames(task)
        pixels = (frames.stop - frames.start) * image.channels * len(image.group.fields) * math.prod(image.sizes[0])
        return int(pixels * self.scan.dtype.itemsize)

    def _frames(self, task: Task) -> slice:
        image = self.images[task.image]
        return slice(task.shard * image.shard, min(image.frames, (task.shard + 1) * image.shard))

    def _paths(self, task: Task) -> Iterator[Path]:
        image = self.images[task.image]
        for level in range(len(image.sizes)):
            yield self.partial.data / image.array(level) / "c" / str(task.shard) / "0" / "0" / "0" / "0"


def to_ome_zarr(
    scan: ScanLike,
    path: str | os.PathLike[str],
    *,
    compression: str | None = "zstd",
    levels: int = 0,
    grouped: str | None = None,
    workers: int | None = None,
    client: Any = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write an OME-Zarr; see `Scan.to_ome_zarr`."""
    levels = as_integer(levels, "levels")
    workers = None if workers is None else as_integer(workers, "workers")
    _refuse(scan, compression, levels, workers)
    images = layout_of(scan, groups_of(scan, grouped, "an OME-Zarr"), levels)
    request = {
        "scan": scan.token,
        "pixels": _sample(scan),
        "compression": compression,
        "levels": levels,
        "layout": images,
        "scanreader": __version__,
    }
    prepare = lambda folder: prepare_folder(scan, images, folder, compress=compression is not None)  # noqa: E731
    notify_moved_pieces(scan)
    with resumable_folder(path, OME_ZARR, request, prepare, sources=scan.filenames, overwrite=overwrite) as partial:
        writer = Writer(scan, images, partial, compression is not None)
        tasks = [Task(i, shard) for i, image in enumerate(images) for shard in range(_shards(image))]
        tasks_done = [task for task in tasks if writer.is_done(task)]
        progress = progress or (lambda _: None)
        if tasks_done:
            progress(sum(map(writer.nbytes, tasks_done)))
        tasks_left = sorted({*tasks} - {*tasks_done})
        if client is None:
            for count in in_order(writer, tasks_left, workers or min(4, threads())):  # four shards are about 300 MiB
                progress(count)
        else:
            _write_on_cluster(writer, tasks_left, progress, client)


def _sample(scan: ScanLike) -> str:
    """Digest of some frames: tells a source that was rewritten with equal size and time from the one before."""
    digest = hashlib.blake2b(digest_size=16)
    fields = np.unique(np.linspace(0, scan.num_fields - 1, SAMPLED_FIELDS).astype(int)).tolist()
    frames = np.unique(np.linspace(0, scan.num_frames - 1, SAMPLED_FRAMES).astype(int)).tolist()
    for field in fields:
        for frame in frames:  # one by one, as they may be large
            digest.update(np.ascontiguousarray(scan[field, :, :, 0, frame]).data)
    return digest.hexdigest()


def _refuse(scan: ScanLike, compression: str | None, levels: int, workers: int | None) -> None:
    """Refuse options and pixels that cannot be written, before anything is written.

    Raises
    ------
    ScanKeyError, DtypeError
    """
    if not is_one_of(compression, ("zstd", None)):
        raise ScanKeyError(f"compression must be 'zstd' or None, not {compression!r}")
    if levels < 0:
        raise ScanKeyError(f"levels must be at least 0 (no pyramid), not {levels}")
    if workers is not None and workers < 1:
        raise ScanKeyError(f"workers must be at least 1, not {workers}")
    check_dtype(scan, REAL_DTYPES, "OME-Zarr")


def layout_of(scan: ScanLike, groups: Sequence[Group], levels: int) -> tuple[Image, ...]:
    """Lay out the arrays of all images, with a number of levels beyond the first."""
    paths = [str(i) for i in range(len(groups))] if len(groups) > 1 else [""]
    return tuple(_layout(scan, group, path, levels) for group, path in zip(groups, paths, strict=True))


def _layout(scan: ScanLike, group: Group, path: str, levels: int) -> Image:
    field = scan.fields[group.first_field]
    sizes = [(field.height, field.width)]
    while len(sizes) <= levels and sizes[-1] != (1, 1):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    frame = field.height * field.width * scan.dtype.itemsize
    chunk = min(frames_at_a_time(frame, CHUNK), max(1, scan.num_frames))
    most_chunks = frames_at_a_time(frame * chunk * scan.num_channels * len(group.fields), SHARD)
    return Image(
        path=path,
        group=group,
        sizes=tuple(sizes),
        frames=scan.num_frames,
        channels=scan.num_channels,
        chunk=chunk,
        chunks=min(most_chunks, max(1, math.ceil(scan.num_frames / chunk))),
    )


def _shards(image: Image) -> int:
    return math.ceil(image.frames / image.shard) if math.prod(image.sizes[0]) * image.channels else 0


def _write_on_cluster(writer: Callable[[Task], int], tasks: Sequence[Task], progress: Progress, client: Any) -> None:
    """Let dask's workers write; a disconnected one completes its shard, which is the same whoever writes it."""
    distributed = import_extra("distributed", "dask")
    futures = client.map(writer, tasks, key="to-ome-zarr", pure=False)
    try:
        for future in distributed.as_completed(futures):
            progress(future.result())
    finally:
        client.cancel(futures)


# ---------------------------------------------------------------------------- metadata


def prepare_folder(scan: ScanLike, images: Sequence[Image], folder: Path, *, compress: bool) -> None:
    """Write all metadata, and arrays without pixels."""
    root = zarr.create_group(folder, zarr_format=3)
    scanimage = root.create_group("scanimage", attributes=recording_attributes(scan))
    times = scanimage.create_array(
        "times",
        shape=(scan.num_fields, scan.num_frames),
        chunks=(1, max(1, min(scan.num_frames, 1 << 17))),
        dtype="float64",
        dimension_names=("field", "t"),
        attributes={"unit": "second", "long_name": "when each field was begun in each frame, since start_time"},
    )
    for i in range(scan.num_fields):
        times[i] = scan.field_timestamps(i)
    for number, image in enumerate(images):
        zarr_group = root.create_group(image.path) if image.path else root
        zarr_group.update_attributes(_image(scan, images, number))
        planes = len(image.group.fields)
        for level, (height, width) in enumerate(image.sizes):
            zarr_group.create_array(
                str(level),
                shape=(image.frames, image.channels, planes, height, width),
                chunks=(image.chunk, 1, 1, max(1, height), max(1, width)),
                shards=(image.shard, max(1, image.channels), planes, max(1, height), max(1, width)),
                dtype=scan.dtype.newbyteorder("<"),
                fill_value=0,
                filters=None,
                serializer=zarr.codecs.BytesCodec(endian="little"),
                compressors=zarr.codecs.ZstdCodec(level=LEVEL) if compress else None,
                dimension_names=tuple(AXES),
            )
    if images[0].path:
        root.update_attributes({"ome": {"version": "0.5", "bioformats2raw.layout": 3}})
        series = [image.path for image in images]
        root.create_group("OME", attributes={"ome": {"version": "0.5", "series": series}})
        xml = _ome_xml(scan, [image.group for image in images])
        if xml is None:
            notify([f"OME-XML has no {scan.dtype.name} pixels: OME/METADATA.ome.xml is skipped"])
        else:
            (folder / "OME" / "METADATA.ome.xml").write_bytes(xml)


class Place(NamedTuple):
    """Scale and origin of an axis."""

    scale: float
    start: float
    unit: str | None


UNKNOWN = Place(1.0, 0.0, None)


def _places(scan: ScanLike, group: Group) -> dict[str, Place]:
    """Scale and origin of each axis; of a rotated field, as if it was not rotated."""
    field = scan.fields[group.first_field]
    places = dict.fromkeys(AXES, UNKNOWN)
    if is_even(scan, scan.field_timestamps(group.first_field)):
        places["t"] = Place(1 / scan.fps, start_of(scan, group), "second")
    if group.is_volume:
        places["z"] = Place(group.spacing, field.depth, "micrometer")
    elif math.isfinite(field.depth):
        depths = sorted({other_field.depth for other_field in scan.fields if math.isfinite(other_field.depth)})
        steps = [b - a for a, b in itertools.pairwise(depths)]
        places["z"] = Place(float(np.median(steps)) if steps else 1.0, field.depth, "micrometer")
    height, width = field.pixel_height_in_microns, field.pixel_width_in_microns
    if 0 < height < math.inf and 0 < width < math.inf:
        places["y"] = Place(height, field.y_in_microns - (field.height - 1) / 2 * height, "micrometer")
        places["x"] = Place(width, field.x_in_microns - (field.width - 1) / 2 * width, "micrometer")
    return places


def start_of(scan: ScanLike, group: Group) -> float:
    """When the first frame of an image is begun, in s since the start of the scan; 0 if unknown."""
    first_times = [time for i in group.fields for time in scan.field_timestamps(i)[:1].tolist() if math.isfinite(time)]
    return min(first_times, default=0.0)


def _image(scan: ScanLike, images: Sequence[Image], number: int) -> dict[str, Any]:
    """Attributes of an image's group."""
    image = images[number]
    group = image.group
    field = scan.fields[group.first_field]
    places = _places(scan, group)
    axes: list[dict[str, Any]] = [{"name": name, "type": kind} for name, kind in AXES.items()]
    for axis in axes:
        unit = places[axis["name"]].unit
        axis.update({"unit": unit} if unit else {})
    multiscale: dict[str, Any] = {
        "name": group_name(scan, [other_image.group for other_image in images], number),
        "axes": axes,
        "datasets": [
            {"path": str(level), "coordinateTransformations": _transformations(places, level)}
            for level in range(len(image.sizes))
        ],
    }
    if len(image.sizes) > 1:
        multiscale |= {"type": "mean", "metadata": {"description": "mean of 2 x 2 pixels of the level before"}}
    scanimage = {"name": field.name, "rotation_in_degrees": field.rotation}
    if group.is_volume:
        scanimage |= volume_attributes(scan, group)
    else:
        scanimage |= {"field": group.first_field, "slice": field.slice_id, **plane_attributes(scan, group.first_field)}
    if np.isfinite(field.affine).all():
        scanimage["affine"] = field.affine.tolist()
    return {
        "ome": {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": _channels(scan, group)}},
        "scanimage": scanimage,
    }


def _transformations(places: dict[str, Place], level: int) -> list[dict[str, Any]]:
    """Transformations from indices of a level to s and µm; an index stands for the middle of its pixel."""
    scale, start = [], []
    for name, place in places.items():
        times = 2**level if name in "yx" else 1
        scale.append(place.scale * times)
        start.append(place.start + place.scale * (times - 1) / 2)
    return [{"type": "scale", "scale": scale}, {"type": "translation", "translation": start}]


def _channels(scan: ScanLike, group: Group) -> list[dict[str, Any]]:
    """Names of channels, and the window in which to show them, from the values of a few frames."""
    places = np.linspace(0, scan.num_frames - 1, WINDOW_FRAMES if scan.num_frames else 0).tolist()
    frames = sorted({round(place) for place in places})
    pixels = read_planes(scan, group, frames)
    colors = itertools.cycle(COLORS if scan.num_channels > 1 else ("FFFFFF",))
    return [
        {"label": name, "color": color, "active": True, "window": _window(pixels[:, channel])}
        for channel, (name, color) in enumerate(zip(scan.channel_names, colors, strict=False))
    ]


def _window(values: npt.NDArray[Any]) -> dict[str, float]:
    finite_values = values[np.isfinite(values)]
    black, white = (
        (float(np.percentile(finite_values, part)) for part in (0.1, 99.9)) if finite_values.size else (0.0, 1.0)
    )
    start, end = black, white if white > black else black + 1
    if values.dtype.kind == "f":
        return {"min": start, "max": end, "start": start, "end": end}
    info = np.iinfo(values.dtype)
    return {"min": int(info.min), "max": int(info.max), "start": start, "end": end}


def _ome_xml(scan: ScanLike, groups: Sequence[Group]) -> bytes | None:
    """OME-XML of all images, without pixels: napari and Bio-Formats find the images by it.

    None if OME-XML does not have the dtype.
    """
    xml = tifffile.OmeXml(Creator="scanreader", UUID=str(uuid.uuid5(uuid.NAMESPACE_OID, scan.token)))
    for number, group in enumerate(groups):
        field = scan.fields[group.first_field]
        channels = {"Name": [name_in_xml(name) for name in scan.channel_names]}
        metadata: dict[str, Any] = {"Name": group_name(scan, groups, number), "Channel": channels}
        places, planes = _places(scan, group), len(group.fields)
        keys = {"x": "PhysicalSizeX", "y": "PhysicalSizeY", "t": "TimeIncrement"}
        for name, key in (keys | ({"z": "PhysicalSizeZ"} if group.is_volume else {})).items():
            if places[name].unit:
                metadata |= {key: places[name].scale, f"{key}Unit": "s" if name == "t" else "µm"}
        if scan.start_time is not None:
            metadata["AcquisitionDate"] = scan.start_time.isoformat()
        shape = (scan.num_frames, scan.num_channels, planes, field.height, field.width)
        stored_shape = (scan.num_frames * scan.num_channels * planes, 1, 1, field.height, field.width, 1)
        try:
            xml.addimage(scan.dtype, shape, stored_shape, axes="TCZYX", **metadata)
        except tifffile.OmeXmlError:
            return None
    return re.sub("<TiffData[^>]*>", "<MetadataOnly/>", xml.tostring(declaration=True)).encode()
