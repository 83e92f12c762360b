"""Line scans as files of NumPy and HDF5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scanreader.bridges.kinds import LINE_SCAN, NPY
from scanreader.bridges.writing import atomic_path
from scanreader.chunks import frames_at_a_time
from scanreader.notices import notify
from scanreader.texts import in_xml

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from scanreader.recording.cycles import Cycles
    from scanreader.scanimage.header import Block
    from scanreader.scanimage.line_scans import PathRoi


class LineScanLike(Protocol):
    """What a bridge uses of a line scan."""

    @property
    def data(self) -> Cycles: ...  # noqa: D102
    @property
    def positions(self) -> Cycles | None: ...  # noqa: D102
    @property
    def rois(self) -> tuple[PathRoi, ...]: ...  # noqa: D102
    @property
    def block(self) -> Block: ...  # noqa: D102
    @property
    def filenames(self) -> list[str]: ...  # noqa: D102
    @property
    def channel_names(self) -> list[str]: ...  # noqa: D102
    @property
    def release(self) -> str: ...  # noqa: D102
    @property
    def rate(self) -> float: ...  # noqa: D102
    @property
    def cycle_rate(self) -> float: ...  # noqa: D102
    @property
    def position_rate(self) -> float: ...  # noqa: D102
    @property
    def times(self) -> npt.NDArray[np.float64]: ...  # noqa: D102
    @property
    def sample_times(self) -> npt.NDArray[np.float64]: ...  # noqa: D102
    @property
    def position_times(self) -> npt.NDArray[np.float64]: ...  # noqa: D102


def blocks(cycles: Cycles) -> Iterator[slice]:
    """Slices of cycles, each of about 64 MiB."""
    step = frames_at_a_time(cycles.nbytes // max(1, len(cycles)))
    for start in range(0, len(cycles), step):
        yield slice(start, min(len(cycles), start + step))


def parts_of_samples(scan: LineScanLike) -> npt.NDArray[np.int64]:
    """Index of the part of the path that each sample of a cycle is of; -1 if unknown."""
    parts = np.full(scan.data.shape[1], -1)
    for i, roi in enumerate(scan.rois):
        if roi.samples is not None:
            parts[roi.samples] = i
    return parts


def to_npy(scan: LineScanLike, path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Write the samples; see `LineScan.to_npy`."""
    descr = np.lib.format.dtype_to_descr(scan.data.dtype)
    header = {"descr": descr, "fortran_order": False, "shape": scan.data.shape}
    with atomic_path(path, NPY, sources=scan.filenames, overwrite=overwrite) as partial_path:
        if scan.positions is not None:
            notify(["the NumPy file has the samples alone: the positions of the mirrors are skipped"])
        with partial_path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for part in blocks(scan.data):
                file.write(np.ascontiguousarray(scan.data[part], scan.data.dtype).data)


def to_h5(scan: LineScanLike, path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Write an HDF5 file; see `LineScan.to_h5`."""
    import h5py  # noqa: PLC0415 - an extra

    with (
        atomic_path(path, LINE_SCAN, sources=scan.filenames, overwrite=overwrite) as partial_path,
        h5py.File(partial_path, "w") as file,
    ):
        file.attrs["scanreader_line_scan"] = 1
        file.attrs["release"] = in_xml(scan.release)
        file.create_dataset("scanimage_header", data=in_xml(scan.block.text))
        file.create_dataset("scanimage_rois", data=in_xml(scan.block.rois))
        data = _write(file, "data", scan.data, scan.rate)
        data.attrs["channels"] = texts(scan.channel_names)
        file.create_dataset("time", data=scan.times).attrs["units"] = "s"
        file.create_dataset("sample_time", data=scan.sample_times).attrs["units"] = "s"
        file.create_dataset("part", data=parts_of_samples(scan))
        file.create_dataset("part_names", data=texts([roi.name for roi in scan.rois]), dtype=h5py.string_dtype())
        if scan.positions is not None:
            _write(file, "positions", scan.positions, scan.position_rate).attrs["units"] = "degrees (z: um)"
            file.create_dataset("position_time", data=scan.position_times).attrs["units"] = "s"


def texts(names: Sequence[str]) -> list[str]:
    """Names that HDF5 takes."""
    return [in_xml(name) for name in names]


def _write(file: Any, name: str, cycles: Cycles, rate: float) -> Any:
    """Write cycles as a dataset, some at a time."""
    dataset = file.create_dataset(name, cycles.shape, cycles.dtype)
    dataset.attrs["rate"] = rate
    for part in blocks(cycles):
        dataset[part] = cycles[part]
    return dataset
