"""The dataset ``mov`` of an HDF5 file, read back by h5py."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges.groups import Group, by_volume
from scanreader.bridges.hdf5 import DATASET, attributes_of, shape_of
from scanreader.bridges.verification.formats import Block, Fact, blocks_of_each_channel, dtype_of
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike

PLACES = ("field_z", "field_y", "field_x", "volume_spacing")
UNITS = {"timestamps": "s", "frame_rate": "Hz"} | dict.fromkeys(PLACES, "µm")


class Hdf5:
    """The frames of one field or volume and channel, of shape (frames, y, x) or (frames, y, x, z)."""

    kind = "an HDF5 file"

    def __init__(self, path: Path) -> None:
        h5py = import_extra("h5py", "hdf5")
        self.library = f"h5py {h5py.__version__}"
        self._file = h5py.File(path, "r")
        self._lock = threading.Lock()
        self._is_expected = False
        self._group = Group((0,))

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say if the dataset has another shape or dtype, or there are others."""
        groups = by_volume(scan)
        yield from (f"the dataset {name} is there, which was not written" for name in self._file if name != DATASET)
        if len(groups) != 1 or scan.num_channels != 1:
            yield f"the target has one field or volume and channel, the scan has {len(groups)} and {scan.num_channels}"
            return
        data, (self._group,) = self._file[DATASET], groups
        expected, actual = (shape_of(scan, self._group), dtype_of(scan)), (data.shape, data.dtype.newbyteorder("="))
        self._is_expected = actual == expected
        if not self._is_expected:
            yield f"{DATASET} has shape {actual[0]} and dtype {actual[1]}, not {expected[0]} and {expected[1]}"

    def has(self, field: int, channel: int) -> bool:
        """Whether the dataset has the expected shape."""
        return self._is_expected and field in self._group.fields and channel == 0

    def place(self, field: int, channel: int) -> str:  # noqa: ARG002 - there is one
        """Name of the dataset, and the index of the depth."""
        return f"{DATASET}[…, {self._group.fields.index(field)}]" if self._group.is_volume else DATASET

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Some frames at a time."""
        return blocks_of_each_channel(scan, field)

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of some frames."""
        depth = (self._group.fields.index(block.field),) if self._group.is_volume else ()
        with self._lock:
            actual = self._file[DATASET][(block.frames, *[slice(None)] * len(depth) * 2, *depth)]
        yield "", source, actual[:, None]

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """All attributes."""
        if len(by_volume(scan)) != 1 or scan.num_channels != 1:
            return
        attributes = self._file[DATASET].attrs
        for name, expected in attributes_of(scan).items():
            actual = attributes.get(name)
            actual = actual.item() if isinstance(actual, np.generic) else actual
            yield Fact(f"the attribute {name}", expected, actual, UNITS.get(name, ""))

    def unsaid(self, scan: ScanLike) -> Iterator[str]:  # noqa: ARG002 - a protocol
        """Nothing."""
        yield from ()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
