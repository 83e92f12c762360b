"""Scans as NWB files."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.data_utils import GenericDataChunkIterator
from pynwb import NWBHDF5IO, NWBFile
from pynwb.device import Device
from pynwb.ophys import ImagingPlane, OnePhotonSeries, OpticalChannel, TwoPhotonSeries

from scanreader.bridges.targets import Interruption, atomic_path
from scanreader.errors import HeaderError, ScanKeyError
from scanreader.notices import notify

if TYPE_CHECKING:
    import os
    from datetime import datetime, tzinfo

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress

SERIES = {"TwoPhotonSeries": TwoPhotonSeries, "OnePhotonSeries": OnePhotonSeries}


class Frames(GenericDataChunkIterator):  # type: ignore[misc] # hdmf does not type it
    """One channel of a field in the order of NWB, (frames, columns, rows), read in portions."""

    def __init__(
        self, scan: ScanLike, field: int, channel: int, progress: Progress | None, interruption: Interruption
    ) -> None:
        self.scan, self.field, self.channel = scan, field, channel
        self.progress, self.interruption = progress, interruption
        super().__init__(buffer_gb=0.1)

    def _get_data(self, selection: tuple[slice, ...]) -> npt.NDArray[Any]:
        self.interruption.raise_if_pressed()
        frames, columns, rows = selection
        part = self.scan[self.field, rows, columns, self.channel, frames].transpose(2, 1, 0)
        if self.progress is not None:
            self.progress(part.nbytes)
        return part

    def _get_maxshape(self) -> tuple[int, ...]:
        geometry = self.scan.fields[self.field]
        return (self.scan.num_frames, geometry.width, geometry.height)

    def _get_dtype(self) -> np.dtype[Any]:
        return self.scan.dtype


def to_nwb(
    scan: ScanLike,
    path: str | os.PathLike[str],
    *,
    session_start_time: datetime | None = None,
    timezone: str | tzinfo | None = None,
    series: str = "TwoPhotonSeries",
    indicator: str = "unknown",
    location: str = "unknown",
    excitation_lambda: float = math.nan,
    emission_lambda: float = math.nan,
    overwrite: bool = False,
    progress: Progress | None = None,
    **facts: Any,
) -> None:
    """Write an NWB file; see `Scan.to_nwb`."""
    if series not in SERIES:
        raise ScanKeyError(f"series must be one of {', '.join(SERIES)}, not {series!r}")
    start = _start(scan, session_start_time, timezone)
    defaults = {"session_description": "Imaging recorded with ScanImage", "identifier": str(uuid.uuid4())}
    nwb = NWBFile(**{**defaults, **facts, "session_start_time": start})
    device = Device(name="Microscope", description=f"Microscope controlled by ScanImage {scan.release}")
    nwb.add_device(device)
    interruption = Interruption()
    for i, field in enumerate(scan.fields):
        channels = [
            OpticalChannel(name=name, description="A detector channel of ScanImage", emission_lambda=emission_lambda)
            for name in _unique_names(scan.channel_names)
        ]
        plane = _plane(scan, i, device, channels, indicator, location, excitation_lambda)
        nwb.add_imaging_plane(plane)
        times = _times(scan, i)
        for channel, name in enumerate(_unique_names(scan.channel_names)):
            description = f"{name} of {field.name or 'the field'} at z = {field.depth:g} um, in ScanImage's units"
            nwb.add_acquisition(
                SERIES[series](
                    name=f"{series}Field{i}Channel{channel}",
                    description=description,
                    data=H5DataIO(Frames(scan, i, channel, progress, interruption), compression="gzip"),
                    imaging_plane=plane,
                    unit="n.a.",
                    dimension=[field.width, field.height],
                    **{name: _compressed(value) for name, value in times.items()},
                )
            )
    nwb.add_scratch(scan.header, name="scanimage_header", description="The header as ScanImage wrote it")
    with atomic_path(path, overwrite=overwrite) as partial, interruption, NWBHDF5IO(str(partial), "w") as io:
        io.write(nwb)


def _start(scan: ScanLike, session_start: datetime | None, timezone: str | tzinfo | None) -> datetime:
    """Start of the session, with a time zone.

    Raises
    ------
    HeaderError
        If neither the header nor the caller gives it.
    """
    start = session_start or scan.start_time
    if start is None:
        raise HeaderError("the header has no start time: give session_start_time=")
    if start.tzinfo is not None:
        return start
    if timezone is not None:
        return start.replace(tzinfo=ZoneInfo(timezone) if isinstance(timezone, str) else timezone)
    local = start.astimezone()
    notify([f"the recording has no time zone: this machine's ({local.tzname()}) is used; give timezone= for another"])
    return local


def _unique_names(names: list[str]) -> list[str]:
    """Names made unique, without slashes, and never empty."""
    clean = [name.replace("/", "_") or "channel" for name in names]
    return [name if clean.count(name) == 1 else f"{name} {i}" for i, name in enumerate(clean)]


def _plane(
    scan: ScanLike,
    i: int,
    device: Device,
    channels: list[OpticalChannel],
    indicator: str,
    location: str,
    excitation_lambda: float,
) -> ImagingPlane:
    """Imaging plane of a field, with the size of its pixels and the place of the first, in µm."""
    field = scan.fields[i]
    geometry: dict[str, Any] = {}
    if math.isfinite(field.pixel_width_in_microns) and math.isfinite(field.pixel_height_in_microns):
        x, y, _ = field.affine @ [0, 0, 1]
        depth = field.depth if math.isfinite(field.depth) else 0.0
        geometry = {
            "grid_spacing": [field.pixel_width_in_microns, field.pixel_height_in_microns],
            "grid_spacing_unit": "micrometers",
            "origin_coords": [float(x), float(y), depth],
            "origin_coords_unit": "micrometers",
        }
    rate = scan.fps
    return ImagingPlane(
        name=f"ImagingPlane{i}",
        description=f"{field.name or 'Field'} in slice {field.slice_id}, at z = {field.depth:g} um",
        optical_channel=channels,
        device=device,
        excitation_lambda=excitation_lambda,
        imaging_rate=float(rate) if math.isfinite(rate) else None,
        indicator=indicator,
        location=location,
        **geometry,
    )


def _compressed(value: Any) -> Any:
    return H5DataIO(value, compression="gzip") if isinstance(value, np.ndarray) else value


def _times(scan: ScanLike, i: int) -> dict[str, Any]:
    """Timestamps if all are finite and rising, else the rate, with a warning."""
    times = np.array(scan.field_timestamps(i))
    if np.isfinite(times).all() and (np.diff(times) > 0).all():
        return {"timestamps": times}
    has_rate = math.isfinite(scan.fps) and scan.fps > 0
    rate = f"the frame rate ({scan.fps:g} Hz)" if has_rate else "1 Hz, which counts frames,"
    reason = "do not increase from frame to frame" if np.isfinite(times).all() else "are partly unknown"
    notify([f"the timestamps of field {i} {reason}: the NWB file has {rate} instead"])
    return {"rate": float(scan.fps) if has_rate else 1.0, "starting_time": 0.0}
