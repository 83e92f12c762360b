"""Regions of interest as the user drew them: ROIs and their scanfields, from ScanImage's JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scanreader.errors import HeaderError, LayoutError
from scanreader.scanimage.jsonlab import listed, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.scanimage.header import Block, Header

Parsed = TypeVar("Parsed")


def z_tolerance(z: float) -> float:
    """How far two depths may differ and still be one, in µm.

    ScanImage rounds the depths of ROIs to 3 decimals, and its header has 6 significant digits before 2023.1.
    """
    return max(1e-3, 6e-6 * abs(z))


class Scanfield(NamedTuple):
    """The shape of a ROI at one depth."""

    y: float
    """Centre, in degrees of scan angle."""
    x: float
    """Centre, in degrees of scan angle."""
    height_in_degrees: float
    width_in_degrees: float
    rotation: float
    """In degrees, clockwise in an image with y pointing down."""
    height: int
    """In pixels."""
    width: int
    """In pixels."""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Roi:
    """A region that the user drew: scanfields at one or more depths.

    Attributes
    ----------
    name : str
    zs : tuple of float
        Depth of each scanfield, in µm.
    scanfields : tuple of Scanfield
    discrete : bool
        Whether it is scanned only at the depths of its scanfields.
    enabled : bool
    powers : tuple of float
        Power of each beam, in percent, if the ROI has its own powers; else empty.
    uuid : str
        ScanImage's identifier of the ROI (``roiUuid``); '' in releases of ScanImage that did not write one.
    """

    name: str
    zs: tuple[float, ...]
    scanfields: tuple[Scanfield, ...]
    discrete: bool = False
    enabled: bool = True
    powers: tuple[float, ...] = ()
    uuid: str = ""

    def at(self, z: float) -> Scanfield | None:
        """Shape of the ROI at a depth; None where it is not scanned.

        The rules are ScanImage's own (section 7.1 of the format reference).

        Raises
        ------
        LayoutError
            If two scanfields are at this depth, or a disabled one would be needed.
        """
        enabled_scanfields = [(at, field) for at, field in zip(self.zs, self.scanfields, strict=True) if field.enabled]
        if not self.enabled or not enabled_scanfields:
            return None
        scanfields_here = [field for at, field in enabled_scanfields if abs(at - z) < z_tolerance(z)]
        if len(scanfields_here) > 1:
            raise LayoutError(
                f"ROI {self.name!r} has {len(scanfields_here)} scanfields at z = {z:g}: which was recorded is unknown"
            )
        if scanfields_here:
            return scanfields_here[0]
        if self.discrete:
            return None
        depths = [at for at, _ in enabled_scanfields]
        if max(depths) - min(depths) < z_tolerance(depths[0]):
            return enabled_scanfields[0][1]
        if not min(self.zs) < z < max(self.zs):
            return None
        if not min(depths) < z < max(depths):
            raise LayoutError(f"ROI {self.name!r} at z = {z:g} would be shaped by a scanfield that is disabled")
        pair_above = min((pair for pair in enabled_scanfields if pair[0] > z), key=lambda pair: pair[0])
        pair_below = max((pair for pair in enabled_scanfields if pair[0] < z), key=lambda pair: pair[0])
        return _interpolate(pair_below[1], pair_above[1], (z - pair_below[0]) / (pair_above[0] - pair_below[0]))


def _interpolate(a: Scanfield, b: Scanfield, part: float) -> Scanfield:
    """Shape between two scanfields: linear, the angle the short way round, pixels rounded to even."""

    def between(start: float, end: float) -> float:
        return start + (end - start) * part

    def even_number(start: int, end: int) -> int:
        return 2 * math.floor(between(start, end) / 2 + 0.5)  # MATLAB rounds halves up

    turn = (b.rotation - a.rotation + 180) % 360 - 180
    return Scanfield(
        y=between(a.y, b.y),
        x=between(a.x, b.x),
        height_in_degrees=between(a.height_in_degrees, b.height_in_degrees),
        width_in_degrees=between(a.width_in_degrees, b.width_in_degrees),
        rotation=a.rotation + turn * part,
        height=even_number(a.height, b.height),
        width=even_number(a.width, b.width),
    )


def roi_tree(block: Block) -> dict[str, Any]:
    """The JSON of the ROI groups; empty if there is none or it is broken."""
    try:
        tree = parse_json(block.rois) if block.rois else {}
    except HeaderError:
        return {}
    return tree if isinstance(tree, dict) else {}


def roi_group(block: Block, header: Header) -> Any:
    """The group of ROIs that were imaged, wherever the release put it."""
    tree = roi_tree(block) or {"RoiGroups": {"imagingRoiGroup": None}}
    groups = tree.get("RoiGroups", tree)
    group = groups.get("imagingRoiGroup") if isinstance(groups, dict) else None
    return group or header.get("imagingRoiGroup")


def parse_rois(group: Any) -> tuple[Roi, ...]:
    """Read the ROIs of an `imagingRoiGroup`.

    Parameters
    ----------
    group : dict or None
        As `jsonlab.parse_json` gives it; lists of one element may have collapsed.

    Raises
    ------
    HeaderError
        If a ROI is not described as ScanImage does.
    """
    return parse_each_roi(group, _parse_roi, "the ROI group is")


def parse_each_roi(group: Any, parse: Callable[[dict[str, Any], int], Parsed], subject: str) -> tuple[Parsed, ...]:
    """Parse the ROIs of a group, each with its number; none if there is no group.

    Raises
    ------
    HeaderError
        If a ROI is not described as ScanImage does.
    """
    if not isinstance(group, dict):
        return ()
    rois = [roi for roi in listed(group.get("rois")) if isinstance(roi, dict)]
    try:
        return tuple(parse(roi, number) for number, roi in enumerate(rois))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise HeaderError(f"{subject} not described as ScanImage does: {error!r}") from None


def _parse_roi(roi: dict[str, Any], number: int) -> Roi:
    scanfields = tuple(_parse_scanfield(field) for field in listed(roi["scanfields"]))
    zs = tuple(float(z) for z in listed(roi["zs"]))
    if len(zs) != len(scanfields):
        raise ValueError(f"ROI {number} has {len(zs)} depths and {len(scanfields)} scanfields")
    order = sorted(range(len(zs)), key=lambda i: zs[i])
    return Roi(
        name=str(roi.get("name") or f"ROI {number + 1}"),
        zs=tuple(zs[i] for i in order),
        scanfields=tuple(scanfields[i] for i in order),
        discrete=bool(roi.get("discretePlaneMode", 0)),
        enabled=bool(roi.get("enable", 1)),
        powers=tuple(float(power) for power in listed(roi.get("powers"))),
        uuid=str(roi.get("roiUuid") or ""),
    )


def _parse_scanfield(field: dict[str, Any]) -> Scanfield:
    width, height = (int(n) for n in listed(field.get("pixelResolutionXY", field.get("pixelResolution"))))
    x, y = (float(n) for n in listed(field["centerXY"]))
    width_in_degrees, height_in_degrees = (float(n) for n in listed(field["sizeXY"]))
    if not (0 < width <= 0xFFFF and 0 < height <= 0xFFFF):
        raise ValueError(f"a scanfield of {height} x {width} pixels")
    return Scanfield(
        y=y,
        x=x,
        height_in_degrees=height_in_degrees,
        width_in_degrees=width_in_degrees,
        rotation=float(field.get("rotationDegrees", field.get("degrees")) or 0),
        height=height,
        width=width,
        enabled=bool(field.get("enable", 1)),
    )
