"""Line scans as lazy xarray datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.core import indexing

from scanreader.bridges.line_scans import parts_of_samples
from scanreader.bridges.xarray import Lazy
from scanreader.chunks import frames_at_a_time
from scanreader.files.urls import file_name
from scanreader.texts import in_xml

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from scanreader.bridges.line_scans import LineScanLike
    from scanreader.recording.cycles import Cycles


class CyclesBackend(Lazy):
    """Cycles as xarray reads them."""

    def __init__(self, cycles: Cycles) -> None:
        self.cycles, self.shape = cycles, cycles.shape
        self.dtype: np.dtype[Any] = cycles.dtype.newbyteorder("=")

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        return self.cycles[key]


def to_xarray(scan: LineScanLike) -> xr.Dataset:
    """Make a dataset; see `LineScan.to_xarray`."""
    seconds = {"units": "s"}
    variables = {"data": _lazy_variable(scan.data, ("cycle", "sample", "channel"), {})}
    coordinates: dict[str, Any] = {
        "time": ("cycle", scan.times, seconds | {"long_name": "time since the start trigger"}),
        "sample_time": ("sample", scan.sample_times, seconds | {"long_name": "time since the cycle began"}),
        "roi": ("sample", parts_of_samples(scan), {"long_name": "part of the path"}),
        "channel": ("channel", [in_xml(name) for name in scan.channel_names]),
        "roi_name": ("part", [in_xml(roi.name) for roi in scan.rois]),
        "roi_function": ("part", [in_xml(roi.stimulus.function) for roi in scan.rois]),
    }
    if scan.positions is not None:
        variables["positions"] = _lazy_variable(
            scan.positions, ("cycle", "position", "axis"), {"units": "degrees (z: um)"}
        )
        coordinates["position_time"] = ("position", scan.position_times, seconds)
        coordinates["axis"] = ("axis", ["x", "y", "z"][: scan.positions.shape[2]])
    attributes = {
        "release": in_xml(scan.release),
        "rate": scan.rate,
        "cycle_rate": scan.cycle_rate,
        "scanimage_header": in_xml(scan.block.text),
        "scanimage_rois": in_xml(scan.block.rois),
        "filenames": ", ".join(in_xml(file_name(path)) for path in scan.filenames),
    }
    return xr.Dataset(variables, coordinates, attributes)


def _lazy_variable(cycles: Cycles, dims: tuple[str, ...], attributes: dict[str, Any]) -> tuple[Any, ...]:
    step = min(max(1, len(cycles)), frames_at_a_time(cycles.nbytes // max(1, len(cycles))))
    chunks = dict(zip(dims, (step, *cycles.shape[1:]), strict=True))
    return dims, indexing.LazilyIndexedArray(CyclesBackend(cycles)), attributes, {"preferred_chunks": chunks}
