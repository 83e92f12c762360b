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
    clean = [re.sub("[/:]", "_", in_xml(name)) if name.strip(".") else "channel" for name in names]
    unique: list[str] = []
    for i, name in enumerate(clean):
        numbered = name if clean.count(name) == 1 else f"{name} {i}"
        while numbered in unique:
            numbered += "_"
        unique.append(numbered)
    return unique


def _numbered(groups: Sequence[Group], image: int) -> str:
    """Kind and number of an image: a field's number in the scan, or a volume's among the volumes."""
    one = groups[image]
    if not one.is_volume:
        return f"Field{one.first}"
    return f"Volume{sum(other.is_volume for other in groups[:image])}"


def series_name(kind: str, groups: Sequence[Group], image: int, channel: int) -> str:
    """Name of the series of an image and channel."""
    return f"{kind}{_numbered(groups, image)}Channel{channel}"


def plane_name(groups: Sequence[Group], image: int) -> str:
    """Name of the imaging plane of an image."""
    return f"Imaging{_numbered(groups, image).replace('Field', 'Plane')}"


def description_of(scan: ScanLike, one: Group, channel: int) -> str:
    """Description of the series of an image and channel."""
    field, name = scan.fields[one.first], unique_names(scan.channel_names)[channel]
    if one.is_volume:
        what = field.name or fields_in_words(one.fields)
        return in_xml(f"{name} of {what} at {len(one.fields)} depths, in ScanImage's units")
    return in_xml(f"{name} of {field.name or 'the field'} {_depth_in_words(field)}, in ScanImage's units")


# ------------------------------------------------------------------------------ planes


def imaging_plane(scan: ScanLike, one: Group, name: str, optics: Optics) -> ImagingPlane:
    """Imaging plane of an image, with the size of its pixels and the place of the first, in µm."""
    field = scan.fields[one.first]
    geometry: dict[str, Any] = {}
    channels = [
        OpticalChannel(name=name, description="A detector channel of ScanImage", emission_lambda=optics.emission_lambda)
        for name in unique_names(scan.channel_names)
    ]
    if has_place(field):
        geometry = {
            "grid_spacing": grid_spacing(scan, one),
            "grid_spacing_unit": "micrometers",
            "origin_coords": origin(scan, one),
            "origin_coords_unit": "micrometers",
        }
    rate = scan.fps
    return ImagingPlane(
        name=name,
        description=_plane_description(scan, one),
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
    of_fields = {one.first: plane for one, plane in planes.items() if not one.is_volume}
    for i in range(scan.num_fields):
        if i not in of_fields:
            of_fields[i] = imaging_plane(scan, Group((i,)), FIELD_PLANE.format(i), optics)
            nwb.add_imaging_plane(of_fields[i])
    return [of_fields[i] for i in range(scan.num_fields)]


def grid_spacing(scan: ScanLike, one: Group) -> list[float]:
    """Width and height of a pixel, and of a volume the distance of its depths, in µm."""
    field = scan.fields[one.first]
    depth = [one.spacing] if one.is_volume else []
    return [field.pixel_width_in_microns, field.pixel_height_in_microns, *depth]


def origin(scan: ScanLike, one: Group) -> list[float]:
    """Place of the first pixel, in µm: x, y and, if it is known, the depth."""
    field = scan.fields[one.first]
    x, y, _ = field.affine @ [0, 0, 1]
    return [float(x), float(y), *([field.depth] if math.isfinite(field.depth) else [])]  # NWB takes two, too


def add_plane_table(nwb: NWBFile, scan: ScanLike, groups: Sequence[Group]) -> None:
    """Add a table of the planes of all volumes: they are scanned one after the other, at times of their own."""
    if not any(one.is_volume for one in groups):
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
    for image, one in enumerate(groups):
        for z, (i, offset) in enumerate(zip(one.fields, plane_offsets(scan, one).tolist(), strict=True)):
            if one.is_volume:
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


def _plane_description(scan: ScanLike, one: Group) -> str:
    field = scan.fields[one.first]
    if one.is_volume:
        depths = abbreviate([scan.fields[i].depth for i in one.fields])
        return in_xml(f"{field.name or 'Field'} at z = {depths} um")
    return in_xml(f"{field.name or 'Field'} in {_level_in_words(scan, one.first)}, {_depth_in_words(field)}")
