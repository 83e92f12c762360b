"""Volumes: the fields of one ROI at several depths, which are one array of (z, y, x, channels, frames)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from scanreader.keys import abbreviate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scanreader.recording.fields import Field

EVEN = 0.01  # a relative difference of the steps between depths up to which they are even
CLOSE = 0.1  # pixels between the centres of fields that are in one place


class Selectable(Protocol):
    """A scan, as far as a volume needs one."""

    @property
    def fields(self) -> Sequence[Field]: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    def __getitem__(self, key: Any) -> npt.NDArray[Any]: ...
    def select(self, *, fields: Any) -> Any: ...  # noqa: D102


S = TypeVar("S", bound=Selectable)


@dataclass(frozen=True)
class Volume(Generic[S]):
    """The fields of one ROI at several depths, from the smallest depth to the largest.

    Index it as ``volume[z, y, x, channel, frame]``: only what is indexed is read.

    Attributes
    ----------
    name : str
        Name of the ROI; '' if the scan is not multi-ROI.
    fields : tuple of int
        Indices of its fields in the scan whose `volumes` has it.
    depths : tuple of float
        In µm; NaN where unknown.
    spacing : float
        From one depth to the next, in µm; NaN if depths are unknown or uneven (by more than 1 %).
    scan : Scan
        The scan with these fields only.
    """

    name: str
    fields: tuple[int, ...]
    depths: tuple[float, ...]
    spacing: float
    scan: S

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of depths, height and width in pixels, channels and frames."""
        return self.scan.shape

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a part of the volume, indexed in the same way as a `Scan`."""
        return self.scan[key]

    def __len__(self) -> int:
        return len(self.fields)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a volume is read into an array, which is a copy: copy=False is not possible")
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        spacing = "uneven depths" if math.isnan(self.spacing) else f"{self.spacing:g} µm apart"
        if math.isnan(self.depths[0]):
            spacing = "unknown depths"
        name = f" {self.name!r}" if self.name else ""
        return f"<Volume{name}: {len(self)} depths, {spacing}, shape {self.shape}>"


class SingleField(NamedTuple):
    """A field that is in no volume."""

    field: int
    """Number of the field."""
    reason: str


class Grouped(NamedTuple):
    """How the fields of a scan are grouped: each is in one volume, or single."""

    volumes: tuple[tuple[int, ...], ...]
    """Numbers of the fields of each volume, from the smallest depth to the largest."""
    single: tuple[SingleField, ...]


def group(fields: Sequence[Field]) -> Grouped:
    """Group the fields of each ROI that are one array: of equal size, place and rotation, at different depths."""
    numbers_by_roi: dict[tuple[int, ...], list[int]] = {}
    for i, field in enumerate(fields):
        numbers_by_roi.setdefault(tuple(field.roi_ids), []).append(i)
    volumes: list[tuple[int, ...]] = []
    single_fields: list[SingleField] = []
    for numbers in numbers_by_roi.values():
        reason = _reason_against([fields[i] for i in numbers])
        if reason:
            single_fields += [SingleField(i, reason) for i in numbers]
        else:
            volumes.append(tuple(sorted(numbers, key=lambda i: _sorting_key(fields[i]))))
    return Grouped(tuple(volumes), tuple(sorted(single_fields)))


def volumes_of(scan: S) -> tuple[Volume[S], ...]:
    """Make the volumes of a scan."""
    volumes = []
    for numbers in group(scan.fields).volumes:
        depths = tuple(scan.fields[i].depth for i in numbers)
        volume_scan: S = scan.select(fields=list(numbers))
        volumes.append(Volume(scan.fields[numbers[0]].name, numbers, depths, spacing_of(depths), volume_scan))
    return tuple(volumes)


def spacing_of(depths: Sequence[float]) -> float:
    """Distance from one depth to the next, in µm; NaN if there is one depth, or they are uneven or unknown."""
    steps = np.diff(depths)
    is_even = len(steps) and np.isfinite(steps).all() and np.allclose(steps, steps.mean(), rtol=EVEN, atol=0)
    return float(steps.mean()) if is_even else math.nan


def _sorting_key(field: Field) -> float:
    return 0.0 if math.isnan(field.depth) else field.depth  # unknown depths stay in the order of planes


def _reason_against(fields: Sequence[Field]) -> str:
    """Why fields of a ROI are not one array; '' if they are."""
    first = fields[0]
    if len(fields) == 1:
        return "its ROI has one field"
    sizes = list(dict.fromkeys((field.height, field.width) for field in fields))
    if len(sizes) > 1:
        return f"the fields of its ROI differ in size: {abbreviate([f'{h} x {w} pixels' for h, w in sizes])}"
    if any(not _is_same_place(first, field) for field in fields):
        return "the fields of its ROI differ in place, rotation or size in the sample"
    depths = [field.depth for field in fields]
    is_unknown = [math.isnan(depth) for depth in depths]
    if any(is_unknown) and not all(is_unknown):
        return "the depths of some fields of its ROI are unknown"
    repeated_depths = [depth for depth in dict.fromkeys(depths) if depths.count(depth) > 1 and not math.isnan(depth)]
    if repeated_depths:
        return f"its ROI has several fields at a depth of {abbreviate(repeated_depths)} µm"
    if all(is_unknown) and len({(field.slice_id, field.plane) for field in fields}) < len(fields):
        return "its ROI has a field several times"  # of unknown depth, but the same
    return ""


def _is_same_place(a: Field, b: Field) -> bool:
    """Whether fields of equal size in pixels cover the same pixels of the sample, to a tenth of a pixel."""
    slack = CLOSE * np.array([a.height_in_degrees / a.height, a.width_in_degrees / a.width])
    distance = np.abs(np.array([a.y - b.y, a.x - b.x]))
    difference = np.abs(np.array([a.height_in_degrees - b.height_in_degrees, a.width_in_degrees - b.width_in_degrees]))
    is_unknown = bool(np.isnan(slack).any())
    return a.rotation == b.rotation and (is_unknown or bool((distance <= slack).all() and (difference <= slack).all()))
