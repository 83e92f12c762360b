"""ROIs as the user draws them: their JSON, and the number of pixels of each at a depth.

The rules of which scanfield is scanned where are ScanImage's (section 7.1 of the format reference).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def scanfield(
    centre: tuple[float, float] = (0.0, 0.0),
    size: tuple[float, float] = (10.0, 10.0),
    pixels: tuple[int, int] = (16, 16),
    *,
    rotation: float = 0.0,
    enabled: bool = True,
) -> dict[str, Any]:
    """Describe the shape of a ROI at one depth: centre and size (x, y) in degrees, pixels (x, y)."""
    angle = math.radians(rotation)
    cos, sin = math.cos(angle), math.sin(angle)
    (x, y), (w, h), (nx, ny) = centre, size, pixels
    affine: list[list[float]] = [
        [w * cos, -h * sin, x - (w * cos - h * sin) / 2],
        [w * sin, h * cos, y - (w * sin + h * cos) / 2],
        [0, 0, 1],
    ]
    to_ref = [[row[0] / nx, row[1] / ny, row[2] - row[0] / nx / 2 - row[1] / ny / 2] for row in affine[:2]]
    return {
        "ver": 1,
        "classname": "scanimage.mroi.scanfield.fields.RotatedRectangle",
        "name": "",
        "UserData": None,
        "roiUuid": "0000000000000000",
        "roiUuiduint64": 0,
        "centerXY": [x, y],
        "sizeXY": [w, h],
        "rotationDegrees": rotation,
        "enable": int(enabled),
        "pixelResolutionXY": [nx, ny],
        "pixelToRefTransform": [*to_ref, [0, 0, 1]],
        "affine": affine,
    }


def roi(
    *scanfields: dict[str, Any],
    zs: Sequence[float] = (0,),
    name: str = "",
    discrete: bool = False,
    enabled: bool = True,
    uuid: str = "0000000000000000",
) -> dict[str, Any]:
    """Describe a ROI by its scanfields and their depths in µm; as in ScanImage, a list of one is its element."""
    return {
        "ver": 1,
        "classname": "scanimage.mroi.Roi",
        "name": name,
        "UserData": None,
        "roiUuid": uuid,
        "roiUuiduint64": int(uuid, 16),
        "zs": zs[0] if len(zs) == 1 else list(zs),
        "scanfields": scanfields[0] if len(scanfields) == 1 else list(scanfields),
        "discretePlaneMode": int(discrete),
        "powers": None,
        "pzAdjust": None,
        "Lzs": None,
        "interlaceDecimation": None,
        "interlaceOffset": None,
        "enable": int(enabled),
    }


def roi_groups(
    rois: Sequence[dict[str, Any]],
    name: str = "MROI Imaging ROI Group",
    photostim: Sequence[dict[str, Any]] = (),
    integration: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Put ROIs, groups of stimuli and integration ROIs into the JSON document that follows the header."""
    empty_array = {"_ArrayType_": "double", "_ArraySize_": [1, 0], "_ArrayData_": None}
    common_entries = {"UserData": None, "roiUuid": "0000000000000000", "roiUuiduint64": 0}

    def collapse(items: Sequence[dict[str, Any]], empty_value: Any = empty_array) -> Any:
        return empty_value if not items else items[0] if len(items) == 1 else list(items)

    group = {"ver": 1, "classname": "scanimage.mroi.RoiGroup"}
    return {
        "RoiGroups": {
            "imagingRoiGroup": group | {"name": name} | common_entries | {"rois": collapse(rois)},
            "photostimRoiGroups": collapse(photostim, None),
            "integrationRoiGroup": group | {"name": ""} | common_entries | {"rois": collapse(integration)},
        }
    }


class PixelSize(NamedTuple):
    """Number of pixels of a scanfield."""

    width: int
    height: int


class _Scanfield(NamedTuple):
    """What decides whether and how large a scanfield is scanned."""

    z: float
    size: PixelSize
    is_enabled: bool


def pixels_at(roi: dict[str, Any], z: float) -> PixelSize | None:
    """Number of pixels of a ROI at depth `z`, in µm; None if it is not scanned there.

    Raises
    ------
    ValueError
        If two scanfields are at this depth, or a disabled scanfield would be needed.
    """
    scanfields = _scanfields_by_depth(roi)
    enabled_shapes = [shape for shape in scanfields if shape.is_enabled]
    if not roi.get("enable", 1) or not enabled_shapes:
        return None
    shapes_at_depth = [shape for shape in enabled_shapes if _is_same_depth(shape.z, z)]
    if len(shapes_at_depth) > 1:
        raise ValueError(f"ROI {roi.get('name')!r} has {len(shapes_at_depth)} scanfields at z = {z:g}: give one")
    if shapes_at_depth:
        return shapes_at_depth[0].size
    if roi.get("discretePlaneMode", 0):
        return None
    if _is_same_depth(enabled_shapes[-1].z, enabled_shapes[0].z):
        return enabled_shapes[0].size
    if not scanfields[0].z < z < scanfields[-1].z:
        return None
    if not enabled_shapes[0].z < z < enabled_shapes[-1].z:
        raise ValueError(f"ROI {roi.get('name')!r} at z = {z:g} would need a scanfield that is disabled: enable it")
    shape_above = min((shape for shape in enabled_shapes if shape.z > z), key=lambda shape: shape.z)
    shape_below = max((shape for shape in enabled_shapes if shape.z < z), key=lambda shape: shape.z)
    return _interpolate(shape_below, shape_above, z)


def _interpolate(a: _Scanfield, b: _Scanfield, z: float) -> PixelSize:
    """Number of pixels between two scanfields: interpolated linearly, rounded to even numbers, halves up."""
    fraction = (z - a.z) / (b.z - a.z)
    pairs = zip(a.size, b.size, strict=True)
    return PixelSize(*(2 * math.floor((first + (second - first) * fraction) / 2 + 0.5) for first, second in pairs))


def _is_same_depth(scanfield_z: float, z: float) -> bool:
    """Whether two depths are the same: ScanImage writes those of ROIs with 3 decimals, of slices with 6 digits."""
    return abs(scanfield_z - z) < max(1e-3, 6e-6 * abs(z))


def _scanfields_by_depth(roi: dict[str, Any]) -> list[_Scanfield]:
    """The scanfields of a ROI, sorted by depth."""
    depths, scanfields = _elements(roi["zs"]), _elements(roi["scanfields"])
    if len(depths) != len(scanfields):
        raise ValueError(f"a ROI has {len(depths)} depths and {len(scanfields)} scanfields: give as many of each")
    shapes = [
        _Scanfield(float(z), _pixels(shape), bool(shape.get("enable", 1)))
        for z, shape in zip(depths, scanfields, strict=True)
    ]
    return sorted(shapes, key=lambda shape: shape.z)


def _pixels(shape: dict[str, Any]) -> PixelSize:
    size = PixelSize(*(int(n) for n in _elements(shape.get("pixelResolutionXY", shape.get("pixelResolution")))))
    if min(size) < 1 or max(size) > 0xFFFF:
        raise ValueError(f"a scanfield has {size.height} x {size.width} pixels: give 1 to 65535 of each")
    return size


def shallowest(roi: dict[str, Any]) -> tuple[PixelSize, tuple[float, float]]:
    """Number of pixels, and size (x, y) in degrees, of a ROI's shallowest scanfield."""
    pairs = zip(_elements(roi["zs"]), _elements(roi["scanfields"]), strict=True)
    _, shape = min(pairs, key=lambda pair: float(pair[0]))
    width, height = (float(size) for size in _elements(shape["sizeXY"]))
    return _pixels(shape), (width, height)


class Outline(NamedTuple):
    """Where a ROI is at a depth: centre and size in degrees, rotation in radians."""

    x: float
    y: float
    width: float
    height: float
    rotation: float


def outline_at(roi: dict[str, Any], z: float) -> Outline:
    """Place a ROI at depth `z`, in µm: between its scanfields, interpolated linearly."""
    pairs = zip(map(float, _elements(roi["zs"])), _elements(roi["scanfields"]), strict=True)
    sorted_pairs = sorted(pairs, key=lambda pair: pair[0])
    depths = [depth for depth, _ in sorted_pairs]
    numbers = [
        [*_elements(shape["centerXY"]), *_elements(shape["sizeXY"]), math.radians(shape.get("rotationDegrees", 0))]
        for _, shape in sorted_pairs
    ]
    return Outline(*(float(np.interp(z, depths, column)) for column in np.transpose(numbers)))


def _elements(value: Any) -> list[Any]:
    """Elements of a list that ScanImage may have collapsed to its only element, or nested in another list."""
    if not isinstance(value, list):
        return [value]
    return [element for item in value for element in (item if isinstance(item, list) else [item])]
