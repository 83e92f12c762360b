"""Imaging planes and names of an NWB file: of fields, and of volumes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hdmf.common import DynamicTable
from pynwb.ophys import ImagingPlane, OpticalChannel

from scanreader.bridges import fields_in_words, plane_attributes
from scanreader.bridges.groups import Group, plane_offsets
from scanreader.keys import abbreviate
from scanreader.texts import in_xml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pynwb import NWBFile
    from pynwb.device import Device

    from scanreader.bridges import ScanLike
    from scanreader.recording.fields import Field

PLANES = "scanimage_planes"
"""Name of the table of the planes of volumes."""


class Optics(NamedTuple):
    """What all imaging planes have in common."""

    device: Device
    indicator: str
    location: str
    excitation_lambda: float
    """In nm."""
    emission_lambda: float
    """In nm."""


# ------------------------------------------------------------------------------- names


def unique_names(names: list[str]) -> list[str]:
    """Names made unique, without the characters that separate names in NWB, and never empty."""
    clean_names = [re.sub("[/:]", "_", in_xml(name)) if name.strip(".") else "channel" for name in names]
    chosen_names: list[str] = []
    for i, name in enumerate(clean_names):
        candidate = name if clean_names.count(name) == 1 else f"{name} {i}"
        while candidate in chosen_names:
            candidate += "_"
        chosen_names.append(candidate)
    return chosen_names


def _kind_and_number(groups: Sequence[Group], image: int) -> str:
    """Kind and number of an image: a field's number in the scan, or a volume's among the volumes."""
    group = groups[image]
    if not group.is_volume:
        return f"Field{group.first_field}"
    return f"Volume{sum(earlier_group.is_volume for earlier_group in groups[:image])}"


def series_name(kind: str, groups: Sequence[Group], image: int, channel: int) -> str:
    """Name of the series of an image and channel."""
    return f"{kind}{_kind_and_number(groups, image)}Channel{channel}"


def plane_name(groups: Sequence[Group], image: int) -> str:
    """Name of the imaging plane of an image."""
    return f"Imaging{_kind_and_number(groups, image).replace('Field', 'Plane')}"


def description_of(scan: ScanLike, group: Group, channel: int) -> str:
    """Description of the series of an image and channel."""
    field, name = scan.fields[group.first_field], unique_names(scan.channel_names)[channel]
    if group.is_volume:
        volume_in_words = field.name or fields_in_words(group.fields)
        return in_xml(f"{name} of {volume_in_words} at {len(group.fields)} depths, in ScanImage's units")
    return in_xml(f"{name} of {field.name or 'the field'} {_depth_in_words(field)}, in ScanImage's units")


# ------------------------------------------------------------------------------ planes


def imaging_plane(scan: ScanLike, group: Group, name: str, optics: Optics) -> ImagingPlane:
    """Imaging plane of an image, with the size of its pixels and the place of the first, in µm."""
    field = scan.fields[group.first_field]
    geometry: dict[str, Any] = {}
    channels = [
        OpticalChannel(name=name, description="A detector channel of ScanImage", emission_lambda=optics.emission_lambda)
        for name in unique_names(scan.channel_names)
    ]
    if has_place(field):
        geometry = {
            "grid_spacing": grid_spacing(scan, group),
            "grid_spacing_unit": "micrometers",
            "origin_coords": origin(scan, group),
            "origin_coords_unit": "micrometers",
        }
    rate = scan.fps
    return ImagingPlane(
        name=name,
        description=_plane_description(scan, group),
        optical_channel=channels,
        device=optics.device,
        excitation_lambda=optics.excitation_lambda,
        imaging_rate=float(rate) if math.isfinite(rate) else None,
        indicator=optics.indicator,
        location=optics.location,
        **geometry,
    )


def partial_planes(
    nwb: NWBFile, scan: ScanLike, planes: Mapping[Group, ImagingPlane], optics: Optics
) -> list[ImagingPlane]:
    """Imaging plane of each field, for what is about one depth; of a volume's fields, they are added."""
    field_planes = {group.first_field: plane for group, plane in planes.items() if not group.is_volume}
    for i in range(scan.num_fields):
        if i not in field_planes:
            field_planes[i] = imaging_plane(scan, Group((i,)), FIELD_PLANE.format(i), optics)
            nwb.add_imaging_plane(field_planes[i])
    return [field_planes[i] for i in range(scan.num_fields)]


def grid_spacing(scan: ScanLike, group: Group) -> list[float]:
    """Width and height of a pixel, and of a volume the distance of its depths, in µm."""
    field = scan.fields[group.first_field]
    depth = [group.spacing] if group.is_volume else []
    return [field.pixel_width_in_microns, field.pixel_height_in_microns, *depth]


def origin(scan: ScanLike, group: Group) -> list[float]:
    """Place of the first pixel, in µm: x, y and, if it is known, the depth."""
    field = scan.fields[group.first_field]
    x, y, _ = field.affine @ [0, 0, 1]
    return [float(x), float(y), *([field.depth] if math.isfinite(field.depth) else [])]  # NWB takes two, too


def add_plane_table(nwb: NWBFile, scan: ScanLike, groups: Sequence[Group]) -> None:
    """Add a table of the planes of all volumes: they are scanned one after the other, at times of their own."""
    if not any(group.is_volume for group in groups):
        return
    table = DynamicTable(name=PLANES, description="The planes of each volume, one after the other in z")
    for name, text in PLANE_COLUMNS.items():
        table.add_column(name=name, description=text)
    for row in plane_rows(scan, groups):
        table.add_row(**row)
    nwb.add_scratch(table)


FIELD_PLANE = "ImagingPlane{}"
"""Name of the imaging plane of a field that is in no volume, or of what is about one field of a volume."""
PLANE_COLUMNS = {
    "imaging_plane": "Name of the volume's imaging plane",
    "z": "Index along z, from 0",
    "field": "Number of the field in the scan, from 0",
    "slice": "Slice, from 0, in the order of scanning",
    "depth": "In um",
    "time_offset": "When the plane is begun, in s after the times of the series",
}


def plane_rows(scan: ScanLike, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Rows of that table."""
    rows = []
    for image, group in enumerate(groups):
        for z, (i, offset) in enumerate(zip(group.fields, plane_offsets(scan, group).tolist(), strict=True)):
            if group.is_volume:
                field = scan.fields[i]
                values = (plane_name(groups, image), z, i, field.slice_id, float(field.depth), float(offset))
                rows.append(dict(zip(PLANE_COLUMNS, values, strict=True)))
    return rows


def has_place(field: Field) -> bool:
    """Whether the place of a field is known, in µm."""
    return math.isfinite(field.pixel_width_in_microns) and math.isfinite(field.pixel_height_in_microns)


def _level_in_words(scan: ScanLike, i: int) -> str:
    """Slice of a field, and its plane and channels where channels are planes."""
    field, planes = scan.fields[i], plane_attributes(scan, i)
    if not planes:
        return f"slice {field.slice_id}"
    channels = planes["scanimage_channels"]
    return f"slice {field.slice_id}, plane {field.plane} (channel{'s' * (len(channels) > 1)} {abbreviate(channels)})"


def _depth_in_words(field: Field) -> str:
    return f"at z = {field.depth:g} um" if math.isfinite(field.depth) else "at an unknown depth"


def _plane_description(scan: ScanLike, group: Group) -> str:
    field = scan.fields[group.first_field]
    if group.is_volume:
        depths = abbreviate([scan.fields[i].depth for i in group.fields])
        return in_xml(f"{field.name or 'Field'} at z = {depths} um")
    return in_xml(f"{field.name or 'Field'} in {_level_in_words(scan, group.first_field)}, {_depth_in_words(field)}")
