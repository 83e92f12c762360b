"""What ScanImage wrote beside the pixels, as NWB's types: stimulation sites, responses of ROIs, motion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import DynamicTable
from pynwb import TimeSeries
from pynwb.ogen import OptogeneticStimulusSite
from pynwb.ophys import Fluorescence, ImageSegmentation, PlaneSegmentation, RoiResponseSeries

from scanreader.errors import ScanReaderError
from scanreader.keys import abbreviate
from scanreader.texts import in_xml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    from pynwb import NWBFile
    from pynwb.device import Device
    from pynwb.ophys import ImagingPlane

    from scanreader.bridges import ScanLike
    from scanreader.recording.side_data import Photostim
    from scanreader.scanimage.integration import IntegrationRoi

MODULE = "scanimage"
"""Name of the processing module: what ScanImage computed while it recorded."""
INTEGRATION, RESPONSE = "Integration", "IntegrationField{}"
SEGMENTATION, REGIONS = "IntegrationRois", "IntegrationRoisField{}"
STIMULI, SEQUENCE = "StimulationPatterns", "StimulationSequence"
MIRRORS, BEAM = "StimulationMirrors", "StimulationBeam"
RESPONSES = "Weighted means of pixels, corrected for motion by ScanImage, and passed through the user's function"
PLACES = 4  # columns of the tables that say which frame a row is of


PATTERNS = {
    "group": "Number of the group, from 0: that of its StimulationSite",
    "group_name": "Name of the group",
    "function": "ScanImage's function",
    "is_stimulus": "Whether it stimulates: pauses and parks do not",
    "duration": "Of one repetition, in s",
    "repetitions": "Number of repetitions",
    "center": "x and y, in degrees of scan angle",
    "size": "Width and height, in degrees",
    "rotation": "In degrees, clockwise with y pointing down",
    "powers": "Power of each beam, in percent",
    "slm_points": "Points of the SLM: x and y in degrees from the center, z in um, weight",
}
"""Columns of the table of stimuli."""


class Series(NamedTuple):
    """A series of numbers, as it is written."""

    name: str
    data: npt.NDArray[Any]
    times: npt.NDArray[np.float64]
    """In s."""
    description: str
    unit: str


def add_beside(
    nwb: NWBFile, scan: ScanLike, planes: Callable[[], Sequence[ImagingPlane]], device: Device, location: str
) -> list[str]:
    """Add what there is beside the pixels; gives sentences about what is skipped.

    `planes` gives the imaging plane of each field, and is called if they are needed.
    """
    notes: list[str] = []
    photostim: Photostim | None = _optional_attribute(scan, "photostim", notes)
    if photostim is not None:
        _add_photostim(nwb, photostim, device, location)
    for series in (*log_series(scan, notes), *motion_series(scan, notes)):
        add = nwb.add_stimulus if series.name in (MIRRORS, BEAM) else _module(nwb).add
        add(_time_series(series))
    responses = responses_of(scan, notes)
    if responses is not None:
        _add_integration(nwb, planes(), responses)
    return notes


def _module(nwb: NWBFile) -> Any:
    if MODULE not in nwb.processing:
        nwb.create_processing_module(MODULE, "What ScanImage computed while it recorded")
    return nwb.processing[MODULE]


def _optional_attribute(scan: ScanLike, name: str, notes: list[str]) -> Any:
    """An attribute of a scan; None if it cannot be read."""
    try:
        return getattr(scan, name)
    except ScanReaderError as error:
        notes.append(f"{name} is skipped: {error}")
        return None


def _table(scan: ScanLike, name: str, notes: list[str]) -> npt.NDArray[np.void] | None:
    """Rows about frames of the scan, in the order of their times; None if there are none, or they are refused."""
    table: npt.NDArray[np.void] | None = _optional_attribute(scan, name, notes)
    if table is None or not len(table):
        return None
    rows = table[table["frame"] >= 0]
    if len(rows) < len(table):
        notes.append(
            f"{len(table) - len(rows)} of {len(table)} rows of the {name} are of no frame of the scan: skipped"
        )
    if not np.isfinite(rows["timestamp"]).all() or (np.diff(rows["timestamp"]) < 0).any():
        notes.append(f"the times of the {name} are unknown, or do not increase: it is skipped")
        return None
    return rows if len(rows) else None


def _time_series(series: Series) -> TimeSeries:
    times = H5DataIO(series.times, compression="gzip")
    data = H5DataIO(series.data, compression="gzip")
    return TimeSeries(name=series.name, description=series.description, data=data, unit=series.unit, timestamps=times)


# ---------------------------------------------------------------------- photostimulation


def _add_photostim(nwb: NWBFile, photostim: Photostim, device: Device, location: str) -> None:
    """Add a site for each group, the table of all stimuli, and the sequence."""
    for i, stimulus_group in enumerate(photostim.groups):
        names = ", ".join(stimulus.function for stimulus in stimulus_group.stimuli if stimulus.is_stimulus)
        nwb.add_ogen_site(
            OptogeneticStimulusSite(
                name=f"StimulationSite{i}",
                device=device,
                description=in_xml(
                    f"Group {stimulus_group.name} of ScanImage's photostimulation: {names or 'no stimulus'}"
                ),
                excitation_lambda=float("nan"),
                location=location,
            )
        )
    _module(nwb).add(_patterns(photostim))
    sequence = sequence_of(photostim)
    if sequence:
        table = DynamicTable(name=SEQUENCE, description="Groups in the order in which they were to be given")
        table.add_column("group", "Number of the group, from 0")
        for place in sequence:
            table.add_row(group=place)
        _module(nwb).add(table)


def sequence_of(photostim: Photostim) -> tuple[int, ...]:
    """Places of the groups in the order in which they were to be given; none where the header has others."""
    try:
        return photostim.sequence
    except ScanReaderError:
        return ()  # the header has the numbers as they are


def _patterns(photostim: Photostim) -> DynamicTable:
    """Table of all stimuli."""
    table = DynamicTable(name=STIMULI, description="Patterns that ScanImage's photostimulation drew")
    rows = pattern_rows(photostim)
    for name, description in PATTERNS.items():
        if not rows or name in rows[0]:
            table.add_column(name, description, index=name in ("powers", "slm_points"))
    for row in rows:
        table.add_row(row)
    return table


def pattern_rows(photostim: Photostim) -> list[dict[str, Any]]:
    """Rows of that table, pauses and parks included; with points of the SLM if any has some."""
    has_points = any(
        len(stimulus.slm_points) for stimulus_group in photostim.groups for stimulus in stimulus_group.stimuli
    )
    names = [name for name in PATTERNS if has_points or name != "slm_points"]
    rows = []
    for i, stimulus_group in enumerate(photostim.groups):
        for stimulus in stimulus_group.stimuli:
            row: dict[str, Any] = {name: getattr(stimulus, name, None) for name in PATTERNS}
            row |= {"group": i, "group_name": in_xml(stimulus_group.name), "function": in_xml(stimulus.function)}
            row |= {"center": list(stimulus.center), "size": list(stimulus.size), "powers": list(stimulus.powers)}
            row["slm_points"] = stimulus.slm_points.tolist()
            rows.append({name: row[name] for name in names})
    return rows


def log_series(scan: ScanLike, notes: list[str]) -> Iterator[Series]:
    """The log of stimuli: positions of the mirrors, and the beam."""
    photostim: Photostim | None = _optional_attribute(scan, "photostim", notes)
    log = None if photostim is None else photostim.log
    if log is None or not log.x.size:
        return
    times = log.times
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        notes.append("the times of the log of stimuli are unknown, or start again with each recording: it is skipped")
        return
    clock = "Time 0 is the first frame, if ScanImage could synchronise it: nothing in its file tells"
    yield Series(MIRRORS, np.stack([log.x, log.y], axis=1), times, f"x and y of the mirrors. {clock}", "degrees")
    unit = {"V": "volts", "fraction": "n.a."}.get(log.beam_unit, "unknown")
    yield Series(BEAM, log.beam.copy(), times, f"The first beam ({log.beam_unit}). {clock}", unit)


# ------------------------------------------------------------------------------- motion


def motion_series(scan: ScanLike, notes: list[str]) -> Iterator[Series]:
    """Estimates of motion: a series for each ROI and depth."""
    table = _table(scan, "motion", notes)
    if table is None:
        return
    columns_in_words = (
        "dx and dy in pixels and dz in um by which the image is displaced from its reference; NaN if not estimated"
    )
    for i, (roi, z) in enumerate(dict.fromkeys(zip(table["roi"].tolist(), table["z"].tolist(), strict=True))):
        rows = table[(table["roi"] == roi) & ((table["z"] == z) | (np.isnan(table["z"]) & (z != z)))]  # noqa: PLR0124
        pixels = np.where(rows["success"][:, None], rows["pixels"], np.nan)
        yield Series(
            f"Motion{i}",
            pixels,
            rows["timestamp"].copy(),
            in_xml(f"{roi} at z = {z:g} um: {columns_in_words}"),
            "pixels",
        )


# -------------------------------------------------------------------- integration ROIs


class Responses(NamedTuple):
    """Values of integration ROIs, and where these are."""

    table: npt.NDArray[np.void]
    masks: list[dict[str, npt.NDArray[np.float64]]]
    """For each field, the masks of the ROIs in it, by name."""

    def values(self, field: int) -> npt.NDArray[np.float64]:
        """Values of the ROIs in a field, of shape (rows, ROIs)."""
        return np.stack([self.table[name] for name in self.masks[field]], axis=1)


def responses_of(scan: ScanLike, notes: list[str]) -> Responses | None:
    """Values of the integration ROIs that are in fields of the scan; None if there are none."""
    table = _table(scan, "integration", notes)
    if table is None:
        return None
    rois = scan.integration_rois
    if (table.dtype.names or ())[PLACES:] != tuple(roi.name for roi in rois):
        notes.append("the columns of the integration are not exactly the ROIs of the header: it is skipped")
        return None
    masks = [
        {roi.name: mask for roi in rois if (mask := _mask(roi, scan, i, notes)) is not None}
        for i in range(scan.num_fields)
    ]
    rois_without_field = [roi.name for roi in rois if not any(roi.name in field_masks for field_masks in masks)]
    if rois_without_field:
        notes.append(
            f"integration ROIs {abbreviate(rois_without_field)} are in no field of the scan: their values are skipped"
        )
    return Responses(table, masks) if any(masks) else None


def _add_integration(nwb: NWBFile, planes: Sequence[ImagingPlane], responses: Responses) -> None:
    """Add the masks of each field, and a response series of the ROIs in it."""
    segmentation, fluorescence = ImageSegmentation(name=SEGMENTATION), Fluorescence(name=INTEGRATION)
    _module(nwb).add(segmentation)  # at once: what refers to another must be in the same file
    _module(nwb).add(fluorescence)
    times = responses.table["timestamp"].copy()
    for i, (plane, masks) in enumerate(zip(planes, responses.masks, strict=True)):
        if not masks:
            continue
        regions = _regions(REGIONS.format(i), plane, masks)
        segmentation.add_plane_segmentation(regions)
        fluorescence.add_roi_response_series(
            RoiResponseSeries(
                name=RESPONSE.format(i),
                description=RESPONSES,
                data=H5DataIO(responses.values(i), compression="gzip"),
                rois=regions.create_roi_table_region(description="All of them", region=list(range(len(masks)))),
                unit="n.a.",
                timestamps=H5DataIO(times, compression="gzip"),
            )
        )


def _regions(name: str, plane: ImagingPlane, masks: dict[str, npt.NDArray[np.float64]]) -> PlaneSegmentation:
    """The pixels of ROIs in a field, with their weights."""
    regions = PlaneSegmentation(name=name, description="ScanImage's integration ROIs", imaging_plane=plane)
    regions.add_column("roi_name", "Name in ScanImage")
    for roi, mask in masks.items():
        regions.add_roi(pixel_mask=pixel_mask(mask), roi_name=in_xml(roi))
    return regions


def pixel_mask(mask: npt.NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """Column, row and weight of each pixel that has a weight."""
    rows, columns = np.nonzero(mask)
    return list(zip(columns.tolist(), rows.tolist(), mask[rows, columns].tolist(), strict=True))


def _mask(roi: IntegrationRoi, scan: ScanLike, i: int, notes: list[str]) -> npt.NDArray[np.float64] | None:
    """Weights of a field's pixels; None if the ROI is not in the field, or that is unknown."""
    try:
        mask = roi.mask(scan.fields[i])
    except ScanReaderError as error:
        notes.append(re.sub(r"\s+", " ", str(error)))
        return None
    return mask if mask.any() else None
