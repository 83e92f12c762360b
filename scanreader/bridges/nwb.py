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

from scanreader.bridges.targets import Interruption, written
from scanreader.errors import HeaderError, ScanKeyError
from scanreader.notices import notify

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.targets import Progress

SERIES = {"TwoPhotonSeries": TwoPhotonSeries, "OnePhotonSeries": OnePhotonSeries}


class Frames(GenericDataChunkIterator):  # type: ignore[misc] # hdmf does not say its type
    """One channel of a field as NWB lays it out, (frames, columns, rows), read some at a time."""

    def __init__(
        self, scan: ScanLike, field: int, channel: int, progress: Progress | None, ask: Callable[[], None]
    ) -> None:
        self.scan, self.field, self.channel, self.progress, self.ask = scan, field, channel, progress, ask
        super().__init__(buffer_gb=0.1)

    def _get_data(self, selection: tuple[slice, ...]) -> npt.NDArray[Any]:
        self.ask()
        frames, columns, rows = selection
        part = self.scan[self.field, rows, columns, self.channel, frames].transpose(2, 1, 0)
        if self.progress is not None:
            self.progress(part.nbytes)
        return part

    def _get_maxshape(self) -> tuple[int, ...]:
        shape = self.scan.fields[self.field]
        return (self.scan.num_frames, shape.width, shape.height)

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
        raise ScanKeyError(f"series is one of {', '.join(SERIES)}, not {series!r}")
    start = _start(scan, session_start_time, timezone)
    known = {"session_description": "Imaging recorded with ScanImage", "identifier": str(uuid.uuid4())}
    nwb = NWBFile(**{**known, **facts, "session_start_time": start})
    device = Device(name="Microscope", description=f"Microscope controlled by ScanImage {scan.release}")
    nwb.add_device(device)
    interruption = Interruption()
    for i, field in enumerate(scan.fields):
        channels = [
            OpticalChannel(name=name, description="A detector channel of ScanImage", emission_lambda=emission_lambda)
            for name in _apart(scan.channel_names)
        ]
        plane = _plane(scan, i, device, channels, indicator, location, excitation_lambda)
        nwb.add_imaging_plane(plane)
        times = _times(scan, i)
        for channel, name in enumerate(_apart(scan.channel_names)):
            described = f"{name} of {field.name or 'the field'} at z = {field.depth:g} um, in ScanImage's units"
            nwb.add_acquisition(
                SERIES[series](
                    name=f"{series}Field{i}Channel{channel}",
                    description=described,
                    data=H5DataIO(Frames(scan, i, channel, progress, interruption.ask), compression="gzip"),
                    imaging_plane=plane,
                    unit="n.a.",
                    dimension=[field.width, field.height],
                    **{name: _packed(value) for name, value in times.items()},
                )
            )
    # ScanImage's own words go along whole.
    nwb.add_scratch(scan.header, name="scanimage_header", description="The header that ScanImage wrote, as it stands")
    with written(path, overwrite=overwrite) as partial, interruption, NWBHDF5IO(str(partial), "w") as io:
        io.write(nwb)


def _start(scan: ScanLike, given: datetime | None, timezone: str | tzinfo | None) -> datetime:
    """When the session began, with a time zone.

    Raises
    ------
    HeaderError
        If neither the header nor the caller says.
    """
    start = given or scan.start_time
    if start is None:
        raise HeaderError("the recording does not say when it began: give session_start_time=")
    if start.tzinfo is not None:
        return start
    if timezone is not None:
        return start.replace(tzinfo=ZoneInfo(timezone) if isinstance(timezone, str) else timezone)
    local = start.astimezone()
    notify([f"the microscope's clock says no time zone: this machine's is taken ({local.tzname()}), or give timezone="])
    return local


def _apart(names: list[str]) -> list[str]:
    """Names that are all different, and none empty or with a slash."""
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
    """A field as NWB has it: its pixels' size and its first pixel's place, in um."""
    field = scan.fields[i]
    facts: dict[str, Any] = {}
    if math.isfinite(field.pixel_width_in_microns) and math.isfinite(field.pixel_height_in_microns):
        x, y, _ = field.affine @ [0, 0, 1]
        depth = field.depth if math.isfinite(field.depth) else 0.0
        facts = {
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
        **facts,
    )


def _packed(value: Any) -> Any:
    return H5DataIO(value, compression="gzip") if isinstance(value, np.ndarray) else value


def _times(scan: ScanLike, i: int) -> dict[str, Any]:
    """Timestamps where they are known and go on, else the rate, with a warning."""
    times = np.array(scan.field_timestamps(i))
    if np.isfinite(times).all() and (np.diff(times) > 0).all():
        return {"timestamps": times}
    known = math.isfinite(scan.fps) and scan.fps > 0
    rate = f"the frame rate ({scan.fps:g} Hz)" if known else "1 Hz, which counts frames,"
    why = "do not go on from frame to frame" if np.isfinite(times).all() else "are not all known"
    notify([f"the times of field {i} {why}: the NWB file has {rate} instead of them"])
    return {"rate": float(scan.fps) if known else 1.0, "starting_time": 0.0}
