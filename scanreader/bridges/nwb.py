"""Scans as NWB files."""

from __future__ import annotations

import contextlib
import json
import math
import uuid
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import h5py
import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from pynwb import NWBHDF5IO, NWBFile
from pynwb.device import Device
from pynwb.ophys import ImagingPlane, OnePhotonSeries, TwoPhotonSeries

from scanreader.bridges import (
    REAL_DTYPES,
    check_dtype,
    fields_in_words,
    notify_moved_pieces,
    rotated_fields,
)
from scanreader.bridges.groups import groups_of, volume_times
from scanreader.bridges.hdf5 import room_to_close
from scanreader.bridges.kinds import NWB
from scanreader.bridges.nwb_beside import add_beside
from scanreader.bridges.nwb_planes import (
    Optics,
    add_plane_table,
    description_of,
    has_place,
    imaging_plane,
    partial_planes,
    plane_name,
    series_name,
)
from scanreader.bridges.streams import flushed_early, frame_blocks, in_c_order, in_order
from scanreader.bridges.writing import atomic_path
from scanreader.chunks import frames_at_a_time
from scanreader.errors import HeaderError, LayoutError, ScanKeyError
from scanreader.files.urls import file_name
from scanreader.keys import abbreviate, is_one_of
from scanreader.notices import notify
from scanreader.texts import in_xml

try:
    from isal.isal_zlib import compress as deflate  # 10 times as fast as zlib's level 4, for equally many bytes
except ImportError:  # it has no wheels for some platforms
    from zlib import compress as deflate

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.groups import Group
    from scanreader.bridges.targets import Progress
    from scanreader.recording.bout_frames import Bout
    from scanreader.recording.fields import Field

DTYPES = tuple(name for name in REAL_DTYPES if name != "float16")  # which its schema does not have
CHUNK = 1 << 20  # bytes in a compressed chunk of whole frames, at most: HDF5 keeps one of this size in memory
EVENLY = 1e-6
"""Relative difference of intervals that a rate gives: times are calculated by it, so only rounding remains."""
SERIES = {"TwoPhotonSeries": TwoPhotonSeries, "OnePhotonSeries": OnePhotonSeries}


class _Block(NamedTuple):
    """Frames of one channel of a field as HDF5 stores them: pixels, or chunks that are compressed."""

    start: int
    nbytes: int
    content: npt.NDArray[Any] | list[bytes]


@dataclass(frozen=True)
class _Frames:
    """Reads frames of one channel in the order of NWB, (frames, columns, rows[, depths]), and compresses them."""

    scan: ScanLike
    group: Group
    channel: int
    chunk: int
    """Frames in a chunk; 0 if nothing is compressed."""

    def __call__(self, frames: slice) -> _Block:
        fields = list(self.group.fields) if self.group.is_volume else self.group.first_field
        part = self.scan[fields, :, :, self.channel, frames].T
        block = in_c_order(part, part.dtype.newbyteorder("="))
        content: Any = block
        if self.chunk:
            content = [
                _compressed_chunk(block[i : i + self.chunk], self.chunk) for i in range(0, len(block), self.chunk)
            ]
        return _Block(frames.start, block.nbytes, content)


def _compressed_chunk(frames: npt.NDArray[Any], chunk: int) -> bytes:
    """Compress a chunk as HDF5's filters shuffle and deflate do; the last one is filled up with zeros."""
    if len(frames) < chunk:
        frames = np.concatenate([frames, np.zeros((chunk - len(frames), *frames.shape[1:]), frames.dtype)])
    by_byte = frames.reshape(-1).view(np.uint8).reshape(-1, frames.itemsize)
    return deflate(np.ascontiguousarray(by_byte.T))


def to_nwb(
    scan: ScanLike,
    path: str | os.PathLike[str],
    *,
    session_start_time: datetime | None = None,
    timezone: str | tzinfo | None = None,
    series: str = "TwoPhotonSeries",
    compression: str | None = "gzip",
    grouped: str | None = None,
    indicator: str = "unknown",
    location: str = "unknown",
    excitation_lambda: float = math.nan,
    emission_lambda: float = math.nan,
    overwrite: bool = False,
    progress: Progress | None = None,
    **facts: Any,
) -> None:
    """Write an NWB file; see `Scan.to_nwb`."""
    if not is_one_of(series, SERIES):
        raise ScanKeyError(f"series must be one of {', '.join(SERIES)}, not {series!r}")
    if not is_one_of(compression, ("gzip", None)):
        raise ScanKeyError(f"compression must be 'gzip' or None, not {compression!r}")
    check_dtype(scan, DTYPES, "NWB")
    start = _start(scan, session_start_time, timezone)
    groups = groups_of(scan, grouped, "an NWB file")
    defaults = {"session_description": "Imaging recorded with ScanImage", "identifier": str(uuid.uuid4())}
    with atomic_path(path, NWB, sources=scan.filenames, overwrite=overwrite) as partial_path:
        notify(_losses(scan))
        notify_moved_pieces(scan)
        nwb = NWBFile(**{**defaults, **facts, "session_start_time": start})
        description = in_xml(f"Microscope controlled by ScanImage {scan.release}")
        device = Device(name="Microscope", description=description)
        nwb.add_device(device)
        optics = Optics(device, indicator, location, excitation_lambda, emission_lambda)
        images = list(enumerate(groups))
        planes = {group: imaging_plane(scan, group, plane_name(groups, image), optics) for image, group in images}
        for image, group in images:
            nwb.add_imaging_plane(planes[group])
            for channel_series in _series(scan, groups, image, planes[group], SERIES[series], compression):
                nwb.add_acquisition(channel_series)
        add_plane_table(nwb, scan, groups)
        _add_epochs(nwb, scan)
        notify(add_beside(nwb, scan, lambda: partial_planes(nwb, scan, planes, optics), device, location))
        header, rois = in_xml(scan.header_block), json.dumps(scan.roi_metadata)
        nwb.add_scratch(header, name="scanimage_header", description="The header as ScanImage wrote it")
        nwb.add_scratch(rois, name="scanimage_rois", description="The ROIs as ScanImage wrote them, in JSON")
        with room_to_close(partial_path):
            with NWBHDF5IO(str(partial_path), "w") as io:
                io.write(nwb)
            with h5py.File(partial_path, "r+") as file, flushed_early(partial_path) as count_bytes:
                for image, channel in np.ndindex(len(groups), scan.num_channels):
                    data = file[f"acquisition/{series_name(series, groups, image, channel)}/data"]
                    for count in _write_pixels(data, scan, groups[image], channel):
                        count_bytes(count)
                        if progress is not None:
                            progress(count)


def _write_pixels(data: h5py.Dataset, scan: ScanLike, group: Group, channel: int) -> Iterator[int]:
    """Write all frames of a series, and give the number of bytes read for each block."""
    chunk = data.chunks[0] if data.chunks else 0
    blocks = frame_blocks(scan, group.first_field, len(group.fields), multiple=max(1, chunk))
    for block in in_order(_Frames(scan, group, channel, chunk), blocks):
        if isinstance(block.content, np.ndarray):
            if block.nbytes:
                data.write_direct(block.content, dest_sel=np.s_[block.start : block.start + len(block.content)])
        else:
            for k, content in enumerate(block.content):
                data.id.write_direct_chunk((block.start + k * chunk, *(0,) * (data.ndim - 1)), content)
        yield block.nbytes


def _series(
    scan: ScanLike,
    groups: Sequence[Group],
    image: int,
    plane: ImagingPlane,
    kind: type[Any],
    compression: str | None,
) -> Iterator[Any]:
    """Series of an image: one for each channel, without pixels."""
    group = groups[image]
    field, times = scan.fields[group.first_field], _times(scan, group)
    size = [field.width, field.height, *([len(group.fields)] if group.is_volume else [])]
    shape = (scan.num_frames, *size)
    options: dict[str, Any] = {}
    if compression and math.prod(shape):
        chunk = min(scan.num_frames, frames_at_a_time(math.prod(size) * scan.dtype.itemsize, CHUNK))
        options = {"compression": compression, "shuffle": True, "chunks": (chunk, *size)}
    for channel in range(scan.num_channels):
        yield kind(
            name=series_name(kind.__name__, groups, image, channel),
            description=description_of(scan, group, channel),
            data=H5DataIO(shape=shape, dtype=scan.dtype.newbyteorder("="), **options),
            imaging_plane=plane,
            unit="n.a.",
            dimension=size,
            **{name: _compressed_value(value) for name, value in times.items()},
            **({"scan_line_rate": scan_line_rate(field)} if kind is TwoPhotonSeries else {}),
        )


def _losses(scan: ScanLike) -> Iterator[str]:
    """Say what of a scan the NWB file does not have."""
    fields_without_depth = [
        i for i, field in enumerate(scan.fields) if has_place(field) and not math.isfinite(field.depth)
    ]
    if fields_without_depth:
        yield (
            f"the depth of {fields_in_words(fields_without_depth)} is unknown: the NWB file's origin_coords have x "
            "and y alone"
        )
    fields_with_rotation = rotated_fields(scan)
    if fields_with_rotation:
        yield f"NWB's imaging planes have no rotation: that of {fields_with_rotation} is skipped"


def _start(scan: ScanLike, session_start: datetime | None, timezone: str | tzinfo | None) -> datetime:
    """Start of the session, with a time zone.

    Raises
    ------
    HeaderError
        If neither the header nor the caller gives it.
    ScanKeyError
        If it is no datetime, or the time zone is unknown.
    """
    start = scan.start_time if session_start is None else session_start
    if start is None:
        raise HeaderError("the header has no start time: give session_start_time=")
    return start_in_zone(start, timezone)


def start_in_zone(start: datetime, timezone: str | tzinfo | None) -> datetime:
    """Start of a session, with a time zone: its own, the one given, or this machine's, which is said.

    Raises
    ------
    ScanKeyError
        If it is no datetime, or the time zone is unknown.
    """
    zone = None if timezone is None else _zone(timezone)
    if not isinstance(start, datetime):
        raise ScanKeyError(f"session_start_time must be a datetime, not {start!r}")
    if start.tzinfo is not None:
        return start
    if zone is not None:
        return start.replace(tzinfo=zone)
    local_start = start.astimezone()
    zone_in_words = f"this machine's ({local_start.tzname()}) is used; give timezone= (--timezone) for another"
    notify([f"the recording has no time zone: {zone_in_words}"])
    return local_start


def _zone(timezone: Any) -> tzinfo:
    """Find a time zone.

    Raises
    ------
    ScanKeyError
        If there is none of this name.
    """
    if isinstance(timezone, tzinfo):
        return timezone
    if isinstance(timezone, str):
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):  # OSError: it is a folder of zones
            return ZoneInfo(timezone)
    hint = "" if available_timezones() else "; this machine has no list of time zones: pip install tzdata"
    raise ScanKeyError(f"the time zone {timezone!r} is unknown: give one like 'Europe/Zurich'{hint}")


def _compressed_value(value: Any) -> Any:
    return H5DataIO(value, compression="gzip") if isinstance(value, np.ndarray) else value


def has_timestamps(times: npt.NDArray[np.float64]) -> bool:
    """Whether times can be a series' timestamps: all are finite and rising."""
    return bool(np.isfinite(times).all() and (np.diff(times) > 0).all())


def scan_line_rate(field: Field) -> float | None:
    """Lines a second; None if unknown."""
    period = field.timing.seconds_per_line
    return 1 / period if math.isfinite(period) and period > 0 else None


class Rate(NamedTuple):
    """Times that a rate says."""

    rate: float
    """In Hz."""
    starting_time: float
    """In s."""


def rate_instead_of_times(scan: ScanLike, times: npt.NDArray[np.float64]) -> Rate | None:
    """Give the rate of times that were calculated, because the files have none (3.x); None if the files have times.

    Also None if they are unevenly spaced, as those of selected frames or of a slow stack.
    """
    if scan.timestamps_source == "file" or not has_timestamps(times) or len(times) < 2:
        return None
    intervals = np.diff(times)
    if not np.allclose(intervals, intervals[0], rtol=EVENLY, atol=0):
        return None
    return Rate((len(times) - 1) / float(times[-1] - times[0]), float(times[0]))


def _no_clock(scan: ScanLike, times: npt.NDArray[np.float64]) -> str:
    """Say why the bouts of a scan have no times that NWB can hold; a rate would count the pauses as frames."""
    bouts_without_times = [k for k, bout in enumerate(scan.bouts) if not np.isfinite(times[bout.frames]).all()]
    reason = (
        f"times of bout {abbreviate(bouts_without_times)} are unknown"
        if bouts_without_times
        else "times do not rise from bout to bout"
    )
    return (
        f"NWB needs a rising time for each frame of {len(scan.bouts)} bouts, and the {reason}: give "
        "read_scan(…, bout_starts=), or export them one by one, with select(bouts=)"
    )


def _add_epochs(nwb: NWBFile, scan: ScanLike) -> None:
    """Add a row of the table of epochs for each of several bouts that have frames."""
    if len(scan.bouts) < 2:
        return
    series = list(nwb.acquisition.values())
    field_times = [scan.field_timestamps(i) for i in range(scan.num_fields)]
    for bout in epochs_of(scan, field_times):
        nwb.add_epoch(bout.start, bout.stop, tags=[in_xml(bout.tag)], timeseries=series)


class Epoch(NamedTuple):
    """A row of the table of epochs."""

    start: float
    """When the first frame of a bout began, in s."""
    stop: float
    """When the next one would have begun after its last frame, in s."""
    tag: str
    """Name of the bout's first file, without its ending."""


def epochs_of(scan: ScanLike, field_times: Sequence[npt.NDArray[np.float64]]) -> list[Epoch]:
    """The bouts of a scan that have frames, given the times of each field."""
    epochs = []
    period = 1 / scan.fps if math.isfinite(scan.fps) and scan.fps > 0 else 0.0
    starts = [min(times[bout.frames.start] for times in field_times) for bout in scan.bouts if _has_frames(bout)]
    bouts = [bout for bout in scan.bouts if _has_frames(bout)]
    for bout, start, next_start in zip(bouts, starts, [*starts[1:], math.inf], strict=True):
        last_time = max(times[bout.frames.stop - 1] for times in field_times)
        stem = file_name(bout.files[0]).rpartition(".")[0]
        epochs.append(Epoch(float(start), float(min(last_time + period, max(next_start, last_time))), stem))
    return epochs


def _has_frames(bout: Bout) -> bool:
    return len(range(bout.frames.start, bout.frames.stop)) > 0


def _times(scan: ScanLike, group: Group) -> dict[str, Any]:
    """Timestamps if all are finite and rising, else the rate, with a warning; of calculated times, the rate alone.

    Raises
    ------
    LayoutError
        If there are several bouts: a rate would count the pauses between them as frames.
    """
    times = volume_times(scan, group)
    calculated_rate = rate_instead_of_times(scan, times)
    if calculated_rate is not None:
        return calculated_rate._asdict()
    if has_timestamps(times):
        return {"timestamps": times}
    if len(scan.bouts) > 1:
        raise LayoutError(_no_clock(scan, times), raw_helps=False)
    has_rate = math.isfinite(scan.fps) and scan.fps > 0
    rate_in_words = f"the frame rate ({scan.fps:g} Hz)" if has_rate else "1 Hz, which counts frames,"
    reason = "do not increase from frame to frame" if np.isfinite(times).all() else "are partly unknown"
    notify([f"the timestamps of {fields_in_words(group.fields)} {reason}: the NWB file has {rate_in_words} instead"])
    return {"rate": float(scan.fps) if has_rate else 1.0, "starting_time": 0.0}
