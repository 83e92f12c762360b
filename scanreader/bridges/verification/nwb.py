"""An NWB file, read back by pynwb."""

from __future__ import annotations

import contextlib
import json
import math
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pynwb
from hdmf.build.errors import BuildError, ConstructError

from scanreader.bridges import fields_in_words
from scanreader.bridges.groups import matching_groups, places_of, volume_times
from scanreader.bridges.nwb import (
    SERIES,
    epochs_of,
    has_timestamps,
    rate_instead_of_times,
    scan_line_rate,
)
from scanreader.bridges.nwb_planes import (
    PLANE_COLUMNS,
    PLANES,
    description_of,
    plane_rows,
    series_name,
)
from scanreader.bridges.verification.formats import (
    Block,
    Fact,
    blocks_of_each_channel,
    dtype_of,
    rate_of,
    rotation_of,
    shape_of,
)
from scanreader.bridges.verification.nwb_beside import facts_beside, plane_facts
from scanreader.texts import in_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.groups import Group
    from scanreader.recording.fields import Field


MOST_BYTES = 64 << 20


class Nwb:
    """An NWB file: a series for each volume or field and channel, of shape (frames, x, y) or (frames, x, y, z)."""

    kind = "an NWB file"
    library = f"pynwb {pynwb.__version__}, h5py {h5py.__version__}"

    def __init__(self, path: Path) -> None:
        with contextlib.ExitStack() as stack:
            self._io = pynwb.NWBHDF5IO(str(path), "r")
            stack.callback(self._io.close)
            try:
                self._file = self._io.read()
            except (BuildError, ConstructError) as error:
                raise ValueError(str(error)) from error
            stack.pop_all()
        names = list(self._file.acquisition)
        self._kind = next((kind for kind in SERIES if any(name.startswith(kind) for name in names)), "")
        self._groups: tuple[Group, ...] = ()
        self._places: dict[int, tuple[int, int]] = {}
        self._matching_series: set[tuple[int, int]] = set()
        """Images and channels."""

    def _series(self, image: int, channel: int) -> Any:
        return self._file.acquisition.get(series_name(self._kind, self._groups, image, channel))

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say which series are missing or have another shape."""
        self._groups = matching_groups(scan, len(self._file.acquisition) // max(1, scan.num_channels))
        self._places = places_of(self._groups)
        for image, channel in np.ndindex(len(self._groups), scan.num_channels):
            group = self._groups[image]
            series, (frames, _, height, width) = self._series(image, channel), shape_of(scan, group.first_field)
            if series is None:
                yield f"the series of {fields_in_words(group.fields)}, channel {channel} is missing"
                continue
            actual = (series.data.shape, series.data.dtype.newbyteorder("="))
            depths = (len(group.fields),) if group.is_volume else ()
            expected = ((frames, width, height, *depths), dtype_of(scan))
            if actual == expected:
                self._matching_series.add((image, channel))
            else:
                yield f"{series.name} has shape {actual[0]} and dtype {actual[1]}, not {expected[0]} and {expected[1]}"
        count = len(self._groups) * scan.num_channels
        if len(self._file.acquisition) > count:
            yield f"{count} series were expected, {len(self._file.acquisition)} are there"

    def has(self, field: int, channel: int) -> bool:
        """Whether there is a series of the expected shape."""
        return (self._places[field][0], channel) in self._matching_series

    def place(self, field: int, channel: int) -> str:
        """Name of the dataset in the file."""
        image, z = self._places[field]
        depth = f"[…, {z}]" if self._groups[image].is_volume else ""
        return f"acquisition/{series_name(self._kind, self._groups, image, channel)}/data{depth}"

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Whole chunks of one channel."""
        image, _ = self._places[field]
        chunks = {self._series(image, c).data.chunks for c in range(scan.num_channels) if self.has(field, c)} - {None}
        frame = scan.fields[field].height * scan.fields[field].width * scan.dtype.itemsize
        most_frames = max(1, MOST_BYTES // max(1, frame))  # of a file that was written anew, with other chunks
        return blocks_of_each_channel(scan, field, min(most_frames, max([1, *(chunk[0] for chunk in chunks)])))

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of some frames of a series."""
        image, z = self._places[block.field]
        data = self._series(image, block.channels.start).data
        actual = data[block.frames, :, :, z] if self._groups[image].is_volume else data[block.frames]
        yield "", source, actual.transpose(0, 2, 1)[:, None]

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """Sizes and places in µm, times, and the header."""
        for image, channel in np.ndindex(len(self._groups), scan.num_channels):
            series, group = self._series(image, channel), self._groups[image]
            if series is None:
                continue
            field = scan.fields[group.first_field]
            name = f"{fields_in_words(group.fields)}, channel {channel}: "
            times = volume_times(scan, group)
            calculated_rate = rate_instead_of_times(scan, times)
            if calculated_rate is not None:
                yield Fact(f"{name}frame rate", calculated_rate.rate, series.rate, "Hz")
                yield Fact(f"{name}time of the first frame", calculated_rate.starting_time, series.starting_time)
            elif has_timestamps(times):
                timestamps = series.timestamps
                is_right = timestamps is not None and timestamps.shape == times.shape and timestamps.dtype.kind == "f"
                yield Fact(f"{name}times", times, timestamps[:] if is_right else None, "s")
                yield Fact(f"{name}unit of times", "seconds", getattr(timestamps, "attrs", {}).get("unit"))
            else:
                rate = rate_of(scan)
                yield Fact(f"{name}frame rate", 1.0 if math.isnan(rate) else rate, series.rate, "Hz")
            yield Fact(f"{name}conversion, offset and unit", [1.0, 0.0], [series.conversion, series.offset])
            yield Fact(f"{name}unit", "n.a.", series.unit)
            if self._kind == "TwoPhotonSeries":
                yield _line_rate(field, name, series.scan_line_rate)
            yield Fact(f"{name}description", description_of(scan, group, channel), series.description)
            depths = [len(group.fields)] if group.is_volume else []
            yield Fact(f"{name}dimension", [field.width, field.height, *depths], list(series.dimension[:]))
            yield from plane_facts(scan, group, name, series.imaging_plane)
        yield from _table_facts(plane_rows(scan, self._groups), self._file.scratch.get(PLANES))
        yield from _epoch_facts(scan, self._file.epochs)
        yield Fact("time that times count from", self._file.session_start_time, self._file.timestamps_reference_time)
        yield from facts_beside(scan, self._file)
        for key, expected in (
            ("scanimage_header", in_xml(scan.header_block)),
            ("scanimage_rois", json.dumps(scan.roi_metadata)),
        ):
            text = self._file.scratch.get(key)
            yield Fact(key, expected, None if text is None else str(text.data))

    def unsaid(self, scan: ScanLike) -> Iterator[str]:
        """Rotations."""
        yield from rotation_of(scan)

    def close(self) -> None:
        """Close the file."""
        self._io.close()


def _line_rate(field: Field, name: str, actual: Any) -> Fact:
    """Lines a second, which NWB may keep in 32 bits."""
    expected = scan_line_rate(field)
    is_near = None not in (expected, actual) and math.isclose(float(actual), expected or 0.0, rel_tol=1e-6)
    return Fact(f"{name}scan line rate", expected, expected if is_near else actual, "Hz")


def _epoch_facts(scan: ScanLike, table: Any) -> Iterator[Fact]:
    """Rows of the table of epochs, where a scan has several bouts."""
    if len(scan.bouts) < 2:
        return
    expected = epochs_of(scan, [scan.field_timestamps(i) for i in range(scan.num_fields)])
    for name, column in (("starts", "start_time"), ("ends", "stop_time")):
        values = np.array([epoch.start if column == "start_time" else epoch.stop for epoch in expected])
        yield Fact(f"{name} of epochs", values, None if table is None else np.asarray(table[column][:], float), "s")
    tags = [in_xml(epoch.tag) for epoch in expected]
    yield Fact("tags of epochs", tags, None if table is None else [str(*row) for row in table["tags"][:]])


def _table_facts(rows: list[dict[str, Any]], table: Any) -> Iterator[Fact]:
    """Rows of the table of planes, where there are volumes."""
    if not rows and table is None:
        return
    units = {"depth": "µm", "time_offset": "s"}
    for column in PLANE_COLUMNS:
        expected = [row[column] for row in rows]
        actual = None if table is None else np.asarray(table[column][:]).tolist()
        yield Fact(
            f"{column} of planes", np.array(expected) if column in units else expected, actual, units.get(column, "")
        )
