"""What an NWB file has beside the pixels, read back: places of imaging planes, stimuli, motion, integration ROIs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges.groups import Group
from scanreader.bridges.nwb_beside import (
    INTEGRATION,
    MODULE,
    REGIONS,
    RESPONSE,
    SEGMENTATION,
    SEQUENCE,
    STIMULI,
    log_series,
    motion_series,
    pattern_rows,
    pixel_mask,
    responses_of,
    sequence_of,
)
from scanreader.bridges.nwb_planes import FIELD_PLANE, grid_spacing, has_place, origin, unique_names
from scanreader.bridges.verification.formats import Fact, rate_of
from scanreader.texts import in_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanreader.bridges import ScanLike
    from scanreader.bridges.nwb_beside import Responses


def plane_facts(scan: ScanLike, group: Group, name: str, plane: Any) -> Iterator[Fact]:
    """Frame rate, and the place in µm of the first pixel."""
    if has_place(scan.fields[group.first_field]):
        spacing = None if plane.grid_spacing is None else np.asarray(plane.grid_spacing[:], float)
        yield Fact(f"{name}distances of pixels", np.array(grid_spacing(scan, group)), spacing, "µm")
        corner = np.array(origin(scan, group))
        actual = None if plane.origin_coords is None else np.asarray(plane.origin_coords[:], float)
        yield Fact(f"{name}place of the first pixel", corner, actual, "µm")
        units = [plane.grid_spacing_unit, plane.origin_coords_unit]
        yield Fact(f"{name}units of place", ["micrometers", "micrometers"], units)
    names = [channel.name for channel in plane.optical_channel]
    yield Fact(f"{name}channels", sorted(unique_names(scan.channel_names)), sorted(names))
    if not math.isnan(rate_of(scan)):
        yield Fact(f"{name}imaging rate", rate_of(scan), plane.imaging_rate, "Hz")


def facts_beside(scan: ScanLike, file: Any) -> Iterator[Fact]:
    """The log of stimuli and their patterns, motion, and values and masks of integration ROIs."""
    log, motion = list(log_series(scan, [])), list(motion_series(scan, []))
    yield Fact("series of stimuli", len(log), len(file.stimulus))
    module = file.processing.get(MODULE)
    interfaces = {} if module is None else module.data_interfaces
    for expected, places in ((log, file.stimulus), (motion, interfaces)):
        for series in expected:
            yield from _series_facts(series.name, series.data, series.times, series.unit, places.get(series.name))
            actual = places.get(series.name)
            yield Fact(
                f"{series.name}: description", series.description, None if actual is None else actual.description
            )
    yield from _stimulus_facts(scan, interfaces)
    responses = responses_of(scan, [])
    for i, masks in enumerate([] if responses is None else responses.masks):
        plane = file.imaging_planes.get(FIELD_PLANE.format(i))
        if plane is not None:
            yield from plane_facts(scan, Group((i,)), f"{plane.name}: ", plane)
        if responses is not None and masks:
            yield from _response_facts(i, responses, interfaces)


def _series_facts(name: str, data: Any, times: Any, unit: str, actual: Any) -> Iterator[Fact]:
    """Values and times of a series, and how they are to be taken."""
    yield Fact(f"{name}: values", data, None if actual is None else actual.data[:])
    yield Fact(f"{name}: times", times, None if actual is None else actual.timestamps[:], "s")
    if actual is not None:
        yield Fact(f"{name}: unit", unit, actual.unit)
        yield Fact(f"{name}: conversion and offset", [1.0, 0.0], [actual.conversion, actual.offset])


def _stimulus_facts(scan: ScanLike, interfaces: Any) -> Iterator[Fact]:
    """Patterns of stimuli, and their sequence."""
    rows = [] if scan.photostim is None else pattern_rows(scan.photostim)
    table = interfaces.get(STIMULI)
    for column in rows[0] if rows else ():
        actual = None if table is None else [_plain_value(value) for value in table[column][:]]
        yield Fact(f"number of {column} of stimuli", len(rows), None if actual is None else len(actual))
        for n, (row, value) in enumerate(zip(rows, actual or [], strict=False)):
            yield Fact(f"{column} of stimulus {n}", _plain_value(row[column]), value)
    sequence = () if scan.photostim is None else sequence_of(scan.photostim)
    if sequence:
        table = interfaces.get(SEQUENCE)
        yield Fact("sequence of stimuli", list(sequence), None if table is None else table["group"][:].tolist())


def _response_facts(i: int, responses: Responses, interfaces: Any) -> Iterator[Fact]:
    """Values of the integration ROIs of a field, their masks, and their imaging plane."""
    name, masks = RESPONSE.format(i), responses.masks[i]
    fluorescence = interfaces.get(INTEGRATION)
    actual = None if fluorescence is None else fluorescence.roi_response_series.get(name)
    yield from _series_facts(name, responses.values(i), responses.table["timestamp"], "n.a.", actual)
    if actual is not None:
        yield Fact(f"{name}: rows of its ROIs", list(range(len(masks))), np.asarray(actual.rois.data[:]).tolist())
    segmentation = interfaces.get(SEGMENTATION)
    regions = None if segmentation is None else segmentation.plane_segmentations.get(REGIONS.format(i))
    names = None if regions is None else [str(name) for name in regions["roi_name"][:]]
    yield Fact(f"{name}: names of its ROIs", [in_xml(roi) for roi in masks], names)
    if regions is not None and names is not None and len(names) == len(masks):
        for k, (roi, mask) in enumerate(masks.items()):
            pixels = [tuple(pixel) for pixel in np.asarray(regions["pixel_mask"][k]).tolist()]
            yield Fact(f"{name}: mask of {roi}", np.array(pixel_mask(mask)), np.array(pixels))
        yield Fact(f"{name}: imaging plane of its ROIs", FIELD_PLANE.format(i), regions.imaging_plane.name)


def _plain_value(value: Any) -> Any:
    """A value of a table as Python's own."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
