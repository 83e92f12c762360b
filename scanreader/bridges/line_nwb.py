"""Line scans as NWB files."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import DynamicTable, VectorData
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.device import Device

from scanreader.bridges.kinds import NWB
from scanreader.bridges.line_scans import blocks
from scanreader.bridges.nwb import start_in_zone
from scanreader.bridges.writing import atomic_path
from scanreader.errors import HeaderError
from scanreader.texts import in_xml

if TYPE_CHECKING:
    import os
    from datetime import datetime, tzinfo

    from scanreader.bridges.line_scans import LineScanLike
    from scanreader.recording.cycles import Cycles

SAMPLES, POSITIONS, PATH = "LineScan", "LineScanPositions", "LineScanPath"


def to_nwb(
    scan: LineScanLike,
    path: str | os.PathLike[str],
    session_start_time: datetime | None,
    timezone: str | tzinfo | None,
    *,
    overwrite: bool,
    **facts: Any,
) -> None:
    """Write an NWB file; see `LineScan.to_nwb`."""
    if session_start_time is None:
        raise HeaderError("ScanImage writes no clock time for line scans: give session_start_time= (--start)")
    start = start_in_zone(session_start_time, timezone)
    defaults = {"session_description": "Line scan recorded with ScanImage", "identifier": str(uuid.uuid4())}
    with atomic_path(path, NWB, sources=scan.filenames, overwrite=overwrite) as partial_path:
        nwb = NWBFile(**{**defaults, **facts, "session_start_time": start})
        nwb.add_device(
            Device(name="Microscope", description=in_xml(f"Microscope controlled by ScanImage {scan.release}"))
        )
        cycles_by_name: dict[str, Cycles] = {SAMPLES: scan.data}
        nwb.add_acquisition(_samples(scan))
        if scan.positions is not None:
            cycles_by_name[POSITIONS] = scan.positions
            nwb.add_acquisition(_positions(scan, scan.positions))
        if scan.rois:
            nwb.add_acquisition(_path(scan))
        header, rois = in_xml(scan.block.text), in_xml(scan.block.rois)
        nwb.add_scratch(header, name="scanimage_header", description="The settings as ScanImage wrote them")
        nwb.add_scratch(rois, name="scanimage_rois", description="The path as ScanImage wrote it, in JSON")
        with NWBHDF5IO(str(partial_path), "w") as io:
            io.write(nwb)
        with h5py.File(partial_path, "r+") as file:
            for name, cycles in cycles_by_name.items():
                _fill(file[f"acquisition/{name}/data"], cycles)


def _fill(data: h5py.Dataset, cycles: Cycles) -> None:
    samples = cycles.shape[1]
    for part in blocks(cycles):
        values = cycles[part]
        data[part.start * samples : part.stop * samples] = values.reshape(-1, values.shape[-1])


def _empty_data(cycles: Cycles) -> H5DataIO:
    """Room for all samples of all cycles, one after the other."""
    shape = (cycles.shape[0] * cycles.shape[1], cycles.shape[2])
    return H5DataIO(shape=shape, dtype=cycles.dtype.newbyteorder("="))


def _samples(scan: LineScanLike) -> TimeSeries:
    names = ", ".join(scan.channel_names)
    description = f"Samples along the path, {scan.data.shape[1]} in each cycle; columns are the channels {names}"
    return TimeSeries(
        name=SAMPLES,
        description=in_xml(description),
        data=_empty_data(scan.data),
        unit="n.a.",
        rate=scan.rate,
        starting_time=0.0,
    )


def _positions(scan: LineScanLike, positions: Cycles) -> TimeSeries:
    axes = "x and y in degrees" + (", z in um" if positions.shape[2] > 2 else "")
    times = (np.arange(len(positions))[:, None] / scan.cycle_rate + scan.position_times).reshape(-1)
    return TimeSeries(
        name=POSITIONS,
        description=f"Measured positions of the mirrors, {positions.shape[1]} in each cycle; columns are {axes}",
        data=_empty_data(positions),
        unit="degrees",
        timestamps=times,
    )


def _path(scan: LineScanLike) -> DynamicTable:
    """The parts of the path."""
    spans = [roi.samples for roi in scan.rois]
    columns = {
        "part": ("Name of the part", [in_xml(roi.name) for roi in scan.rois]),
        "function": ("ScanImage's function of its shape", [in_xml(roi.stimulus.function) for roi in scan.rois]),
        "first_sample": ("First of its samples in each cycle; -1 if unknown", [s.start if s else -1 for s in spans]),
        "end_sample": ("Sample behind its last; -1 if unknown", [s.stop if s else -1 for s in spans]),
        "center": ("x and y, in degrees", [list(roi.stimulus.center) for roi in scan.rois]),
        "size": ("Width and height, in degrees", [list(roi.stimulus.size) for roi in scan.rois]),
    }
    vectors = [VectorData(name=name, description=text, data=values) for name, (text, values) in columns.items()]
    return DynamicTable(name=PATH, description="Parts of the path of each cycle, in order", columns=vectors)
