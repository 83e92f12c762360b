"""Which fields an export writes as one image: those of a volume, over z, or each field by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.bridges import plane_attributes
from scanreader.errors import LayoutError, ScanKeyError
from scanreader.keys import abbreviate, is_one_of
from scanreader.notices import notify
from scanreader.recording.volumes import group as group_fields
from scanreader.recording.volumes import spacing_of
from scanreader.texts import name_in_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scanreader.bridges import ScanLike

GROUPED = (None, "z", "field")


class Group(NamedTuple):
    """The fields of one image, from the smallest depth to the largest."""

    fields: tuple[int, ...]
    spacing: float = math.nan
    """From one depth to the next, in µm; NaN for a single field, and where depths are uneven or unknown."""

    @property
    def first_field(self) -> int:
        """The field at the smallest depth."""
        return self.fields[0]

    @property
    def is_volume(self) -> bool:
        """Whether it has several depths."""
        return len(self.fields) > 1


def one_by_one(scan: ScanLike) -> tuple[Group, ...]:
    """An image for each field."""
    return tuple(Group((i,)) for i in range(len(scan.fields)))


def by_volume(scan: ScanLike) -> tuple[Group, ...]:
    """An image for each volume, and for each field that is in none; in the order of their first fields."""
    layout = group_fields(scan.fields)
    volumes = [Group(numbers, spacing_of([scan.fields[i].depth for i in numbers])) for numbers in layout.volumes]
    single_fields = [Group((single_field.field,)) for single_field in layout.single]
    return tuple(sorted([*volumes, *single_fields], key=lambda group: min(group.fields)))


def check_grouped(grouped: Any) -> None:
    """Check the option of an export.

    Raises
    ------
    ScanKeyError
        If it is none of the layouts.
    """
    if not is_one_of(grouped, GROUPED):
        raise ScanKeyError(f"grouped is None, 'z' or 'field', not {grouped!r}")


def groups_of(
    scan: ScanLike, grouped: str | None, format_name: str, *, takes_uneven: bool = False
) -> tuple[Group, ...]:
    """The images of an export.

    Parameters
    ----------
    grouped : {None, "z", "field"}
        Whether depths become an axis; None: where all volumes are evenly spaced, with a warning where they are not.
    format_name : str
        The format, in words.
    takes_uneven : bool
        Whether the format has a place for the depth of each plane, and so takes uneven depths if asked for "z".

    Raises
    ------
    LayoutError
        If "z" is asked for, and the depths of a volume are uneven or unknown.
    ScanKeyError
        If `grouped` is none of these.
    """
    check_grouped(grouped)
    groups = by_volume(scan)
    uneven_groups = [group for group in groups if group.is_volume and math.isnan(group.spacing)]
    if grouped == "field" or len(groups) == len(scan.fields):
        return one_by_one(scan)
    if not uneven_groups or (grouped == "z" and takes_uneven):
        return groups
    depths = [scan.fields[i].depth for i in uneven_groups[0].fields]
    name = scan.fields[uneven_groups[0].first_field].name
    roi_in_words = f" of ROI {name!r}" if name else ""
    spacing = "unknown" if math.isnan(depths[0]) else f"uneven ({abbreviate(depths)} µm)"
    depths_in_words = f"the depths{roi_in_words} are {spacing}"
    if grouped == "z":
        raise LayoutError(
            f"{depths_in_words}, so they cannot be the z axis of {format_name}, which has one spacing: write an image "
            "for each field (grouped='field'; on the command line, --grouped field)",
            raw_helps=False,
        )
    hint = " (grouped='z' writes one for each volume)" if takes_uneven else ""
    notify([f"{depths_in_words}: {format_name} has an image for each field, not one for each volume{hint}"])
    return one_by_one(scan)


def matching_groups(scan: ScanLike, images: int) -> tuple[Group, ...]:
    """The images of a target that has so many: volumes, or fields."""
    volumes = by_volume(scan)
    return volumes if images == len(volumes) else one_by_one(scan)


def places_of(groups: Sequence[Group]) -> dict[int, tuple[int, int]]:
    """Image and place along z of each field."""
    return {i: (image, z) for image, group in enumerate(groups) for z, i in enumerate(group.fields)}


def group_name(scan: ScanLike, groups: Sequence[Group], image: int) -> str:
    """Name of an image in OME: that of its ROI, and its number."""
    group = groups[image]
    return name_in_xml(f"{scan.fields[group.first_field].name or ('volume' if group.is_volume else 'field')} {image}")


def read_planes(scan: ScanLike, group: Group, frames: slice | list[int]) -> npt.NDArray[Any]:
    """Read all planes of an image: an array of shape (frames, channels, z, y, x)."""
    if group.is_volume:
        return scan[list(group.fields), :, :, :, frames].transpose(4, 3, 0, 1, 2)
    return scan[group.first_field, :, :, :, frames].transpose(3, 2, 0, 1)[:, :, None]


def volume_attributes(scan: ScanLike, group: Group) -> dict[str, Any]:
    """What a volume's fields are, in the order of z, for JSON; unknown values are left out."""
    fields = [scan.fields[i] for i in group.fields]
    attributes: dict[str, Any] = {"fields": list(group.fields), "slices": [field.slice_id for field in fields]}
    if all(math.isfinite(field.depth) for field in fields):
        attributes["depths"] = [field.depth for field in fields]
    offsets = plane_offsets(scan, group)
    if np.isfinite(offsets).all():
        attributes["plane_time_offsets"] = offsets.tolist()
    planes = [plane_attributes(scan, i) for i in group.fields]
    if all(planes):
        attributes |= {name: [plane[name] for plane in planes] for name in planes[0]}
    return attributes


def volume_times(scan: ScanLike, group: Group) -> npt.NDArray[np.float64]:
    """When each frame of an image is begun, in s: of a volume, when the first of its planes is."""
    times = np.array([scan.field_timestamps(i) for i in group.fields])
    return np.asarray(times.min(axis=0))  # NaN if one is


def plane_offsets(scan: ScanLike, group: Group) -> npt.NDArray[np.float64]:
    """When each plane of an image is begun, in s after the first that is scanned; NaN where times are unknown."""
    first_times = np.array([scan.field_timestamps(i)[:1] for i in group.fields])
    if first_times.size == 0 or not np.isfinite(first_times).any():
        return np.full(len(group.fields), math.nan)
    return np.asarray(first_times[:, 0] - np.nanmin(first_times))
