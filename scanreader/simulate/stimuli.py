"""Stimuli and integration ROIs as the user draws them: their JSON, as ScanImage's JSONLab writes it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scanreader.simulate.rois import roi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FUNCTIONS = "scanimage.mroi.stimulusfunctions."
COMMON: dict[str, Any] = {"name": "", "UserData": None, "roiUuid": "7CC893419FD022E", "roiUuiduint64": 0}


def stimulus(
    function: str = "logspiral",
    centre: tuple[float, float] = (0.0, 0.0),
    size: tuple[float, float] = (0.5, 0.5),
    *,
    duration: float = 0.01,
    repetitions: float = 1,
    powers: float | Sequence[float] = 20.0,
    slm_points: Sequence[Sequence[float]] = (),
    parameters: Mapping[str, Any] | None = None,
    rotation: float = 0.0,
    name: str = "",
    enabled: bool = True,
) -> dict[str, Any]:
    """Describe a stimulus, or a part of the path of a line scan.

    Parameters
    ----------
    function : str
        'point', 'line', 'circle', 'logspiral', 'pause', 'park', …
    centre, size : (float, float)
        x and y, in degrees.
    duration : float
        Of one repetition, in s.
    powers : float or sequence of float
        Of each beam, in percent.
    slm_points : sequence of (x, y, z, weight)
        x and y in degrees from the centre, z in µm. As in ScanImage's JSON, one point loses its outer brackets.
    parameters : dict, optional
        Of the function.
    """
    points = [list(point) for point in slm_points]
    empty_array = {"_ArrayType_": "double", "_ArraySize_": [0, 4], "_ArrayData_": None}
    shape = {
        "ver": 1,
        "classname": "scanimage.mroi.scanfield.fields.StimulusField",
        **COMMON,
        "centerXY": list(centre),
        "sizeXY": list(size),
        "rotationDegrees": rotation,
        "enable": int(enabled),
        "stimulusFunction": FUNCTIONS + function,
        "stimparams": [item for pair in (parameters or {}).items() for item in pair],
        "duration": duration,
        "repetitions": repetitions,
        "powers": list(powers) if not isinstance(powers, (int, float)) else powers,
        "zSpan": 0,
        "beamsFunction": "scanimage.mroi.stimulusbeamfunctions.beamPowers",
        "slmPattern": empty_array if not points else points[0] if len(points) == 1 else points,
    }
    return roi(shape, name=name, enabled=enabled)


def stimulus_group(*stimuli: dict[str, Any], name: str = "") -> dict[str, Any]:
    """Describe a group of stimuli, made by `stimulus`."""
    group = {"ver": 1, "classname": "scanimage.mroi.RoiGroup"} | COMMON | {"name": name}
    return group | {"rois": collapsed(stimuli)}


def integration_roi(
    centre: tuple[float, float] = (0.0, 0.0),
    size: tuple[float, float] = (1.0, 1.0),
    *,
    name: str = "",
    channel: int = 1,
    z: float = 0.0,
    mask: float | Sequence[Sequence[float]] = 1,
    rotation: float = 0.0,
    discrete: bool = False,
    enabled: bool = True,
) -> dict[str, Any]:
    """Describe an integration ROI: centre and size (x, y) in degrees, depth in µm, and weights, rows along y."""
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    (x, y), (w, h) = centre, size
    rows = mask if isinstance(mask, (int, float)) else [list(row) for row in mask]
    shape = {
        "ver": 1,
        "classname": "scanimage.mroi.scanfield.fields.IntegrationField",
        **COMMON,
        "centerXY": [x, y],
        "sizeXY": [w, h],
        "rotationDegrees": rotation,
        "enable": int(enabled),
        "threshold": 100,
        "channel": channel,
        "processor": "cpu",
        "mask": rows if not isinstance(rows, list) else rows[0] if len(rows) == 1 else rows,
        "affine": [[w * cos, -h * sin, x], [w * sin, h * cos, y], [0, 0, 1]],
    }
    return roi(shape, zs=(z,), name=name, discrete=discrete, enabled=enabled) | {"roiUuid": COMMON["roiUuid"]}


def collapsed(items: Sequence[dict[str, Any]]) -> Any:
    """A list as JSONLab writes it: one item stands for itself, an empty one is described."""
    if not items:
        return {"_ArrayType_": "double", "_ArraySize_": [1, 0], "_ArrayData_": None}
    return items[0] if len(items) == 1 else list(items)
