"""The command that shows the fields of a recording."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scanreader.cli.printing import print_json, print_table
from scanreader.cli.sources import Depths, Dz, Join, Json, PlaneOptions, Planes, Siblings, Sources, Stitch, open_scan

if TYPE_CHECKING:
    from scanreader.recording.fields import Field
    from scanreader.scans import Scan

COLUMNS = {
    "field": True,
    "ROI": False,
    "z µm": True,
    "px (h x w)": True,
    "µm (h x w)": True,
    "centre y, x": True,
    "page rows": True,
    "rotation": True,
}


def fields(
    sources: Sources,
    *,
    planes: Planes = None,
    depths: Depths = None,
    dz: Dz = None,
    json: Json = False,
    join: Join = False,
    stitch: Stitch = False,
    siblings: Siblings = False,
) -> None:
    """Show the fields: ROI, depth, size, and position in the sample and in the page.

    Sizes are height x width. Centres are in µm from the centre of the scan angles, or in degrees (°) if the header
    does not say how many µm a degree is. Rows of the page count from 0 and include the last.

    Example: scanreader fields 'my_scan_*.tif'
    """
    scan = open_scan(
        sources, join=join, stitch=stitch, siblings=siblings, plane_options=PlaneOptions(planes, depths, dz)
    )
    if json:
        print_json([fact(scan, i) for i in range(scan.num_fields)])
    else:
        print_fields(scan)


def print_fields(scan: Scan) -> None:
    """Print a row for each field."""
    print_table(COLUMNS, [_row(i, field) for i, field in enumerate(scan.fields)])


def fact(scan: Scan, i: int) -> dict[str, Any]:
    """Facts of a field, as numbers and names."""
    field = scan.fields[i]
    return {
        "field": i,
        "slice": field.slice_id,
        "plane": field.plane,
        "channels": [channel.number for channel in scan.opened.saved_channels(field)],
        "roi": field.name,
        "roi_ids": field.roi_ids,
        "z_um": field.depth,
        "height": field.height,
        "width": field.width,
        "height_um": field.height_in_microns,
        "width_um": field.width_in_microns,
        "y_um": field.y_in_microns,
        "x_um": field.x_in_microns,
        "y_degrees": field.y,
        "x_degrees": field.x,
        "height_degrees": field.height_in_degrees,
        "width_degrees": field.width_in_degrees,
        "rotation_degrees": field.rotation,
        "page_rows": [[rows.start, rows.stop] for rows in field.yslices],
        "page_columns": [[columns.start, columns.stop] for columns in field.xslices],
    }


def _row(i: int, field: Field) -> list[str]:
    has_microns = math.isfinite(field.microns_per_degree)
    has_angles = not math.isnan(field.height_in_degrees)
    centre = f"{field.y_in_microns:.4g}, {field.x_in_microns:.4g}" if has_microns else f"{field.y:.4g}°, {field.x:.4g}°"
    return [
        str(i),
        field.name or "-",
        _number(field.depth),
        f"{field.height} x {field.width}",
        f"{field.height_in_microns:.4g} x {field.width_in_microns:.4g}" if has_angles and has_microns else "-",
        centre if has_angles else "-",
        ", ".join(f"{rows.start}-{rows.stop - 1}" for rows in field.yslices),
        f"{field.rotation:g}°",
    ]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:g}"
