"""The files that ScanImage writes beside a recording: the log of stimuli, values of integration ROIs, motion."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.simulate.frames import logged_frames, raw_volume
from scanreader.simulate.headers import frame_period, header_settings
from scanreader.simulate.layout import field_rows, slots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from scanreader.simulate.plan import Logged, Plan

    Row = tuple[float, int, Sequence[float]]

LOG_RATE = 9000  # samples a second
PORTION = 300  # samples that ScanImage writes at a time
BEFORE_2018B = ("5.1", "5.2", "5.3", "5.4", "2015.4", "2016a", "2016b", "2017a", "2017b", "2018a")
"""Releases that wrote motion in the older layout, without those before, which wrote none."""
IN_VOLTS = (*BEFORE_2018B, "5.5", "2018b")
MOTION_HEAD = "timestamp, frameNumber, roiName, z, drPixel, drRef, confidence, userData"
OLDER_MOTION_HEAD = "timestamp,frameNumber,success,quality,xyMotion,roiUuid,motionMatrix,z,channel"
REST = ("pause", "park")


def write_beside(plan: Plan, folder: Path) -> list[Path]:
    """Write what a recording has beside its TIFF files, named as ScanImage does; a loop has one file of each kind."""
    paths = []
    period = float(frame_period(plan, header_settings(plan)))
    frames = list(logged_frames(plan))
    if plan.photostim:
        seconds = frames[-1].number * period if frames else 0.0
        paths.append(folder / f"{plan.stem}_00001.stim")
        write_stim(paths[-1], stimulus_samples(plan, seconds))
    if plan.integration_rois:
        names = [str(roi["name"] or roi["roiUuid"][:8]) for roi in plan.integration_rois]
        paths.append(folder / f"{plan.stem}_IntegrationRois_00001.csv")
        write_integration(paths[-1], names, _integration_rows(plan, frames, period))
    if plan.motion is not None:
        paths.append(folder / f"{plan.stem}_Motion_00001.csv")
        write_motion(paths[-1], _motion_rows(plan, frames, period), older=plan.release in BEFORE_2018B)
    return paths


# ------------------------------------------------------------------------------ stimuli


def write_stim(path: str | Path, samples: npt.ArrayLike) -> None:
    """Write a log of stimuli: samples of shape (n, 3), x and y in degrees, and the beam."""
    Path(path).write_bytes(np.ascontiguousarray(samples, "<f4").tobytes())


def stimulus_samples(plan: Plan, seconds: float) -> npt.NDArray[np.float64]:
    """Make the log of a recording: its groups in sequence, one every `stimulus_period`, as long as portions are full.

    Patterns are a small circle for spirals and circles, and the centre for all else.
    """
    count = int(seconds * LOG_RATE) // PORTION * PORTION
    samples = np.zeros((count, 3))
    scale = 2.0 / 100 if plan.release in IN_VOLTS else 1 / 100
    for turn in range(math.ceil(seconds / plan.stimulus_period) if plan.stimulus_sequence and count else 0):
        group = plan.photostim[plan.stimulus_sequence[turn % len(plan.stimulus_sequence)]]
        begin = turn * plan.stimulus_period
        for shape in _shapes(group):
            end = begin + shape["duration"] * shape["repetitions"]
            part = samples[round(begin * LOG_RATE) : round(end * LOG_RATE)]
            part[:] = _pattern(shape, len(part), scale)
            begin = end
        samples[round(begin * LOG_RATE) :, :2] = samples[max(0, min(count, round(begin * LOG_RATE)) - 1), :2]
    return samples


def _shapes(group: dict[str, Any]) -> list[dict[str, Any]]:
    rois = group["rois"] if isinstance(group["rois"], list) else [group["rois"]]
    return [roi["scanfields"] for roi in rois if "scanfields" in roi]


def _pattern(shape: dict[str, Any], count: int, scale: float) -> npt.NDArray[np.float64]:
    """Samples of one pattern: x, y and the beam."""
    function = shape["stimulusFunction"].rpartition(".")[2]
    power = 0.0 if function in REST else np.ravel(shape["powers"])[0] * scale
    turns = np.arange(count) / max(1, count) * 2 * np.pi * shape["repetitions"]
    is_round = function in ("logspiral", "circle")
    x, y = shape["centerXY"]
    width, height = shape["sizeXY"] if is_round else (0, 0)
    return np.stack([x + width / 2 * np.cos(turns), y + height / 2 * np.sin(turns), np.full(count, power)], axis=1)


# -------------------------------------------------------------------- integration ROIs


def write_integration(path: str | Path, names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write the values of integration ROIs.

    Parameters
    ----------
    path : path
    names : sequence of str
        Written as they are: a comma in one breaks the row, as in ScanImage.
    rows : iterable of (timestamp, frame number, values)
    """
    lines = [",".join(["timestamp", "frameNumber", *names])]
    for time, number, values in rows:
        lines.append(",".join([f"{time:f}", f"{number}", *map(_decimal, values)]))
    _write_lines(path, lines)


def rising_value(roi: int, frame_number: int) -> float:
    """Value of an integration ROI that tells which ROI and frame it is of."""
    return 100_000.0 * (roi + 1) + frame_number


def _integration_rows(plan: Plan, frames: Sequence[Logged], period: float) -> Iterator[Row]:
    """A row for each frame of a planar recording, and for the last of each volume, without flyback."""
    last_of_volume = len(raw_volume(plan)) - plan.flyback if plan.mode == "fast" else 1
    value = plan.integration_value or rising_value
    enabled_rois = [i for i, roi in enumerate(plan.integration_rois) if roi["enable"]]
    for frame in frames:
        raw_numbers = range(frame.number - plan.averaging + 1, frame.number + 1)
        for number in raw_numbers if plan.mode != "fast" else (frame.number,):
            if plan.mode != "fast" or (frame.in_acquisition - 1) % len(raw_volume(plan)) + 1 == last_of_volume:
                yield (number - 1) * period, number, [value(i, number) for i in enabled_rois]


# ------------------------------------------------------------------------------- motion


class Motion(NamedTuple):
    """One estimate of motion."""

    timestamp: float
    frame_number: int
    roi: str
    z: float
    pixels: tuple[float, float, float]
    """dx and dy in pixels, dz in µm; NaN where there is no estimate."""
    degrees: tuple[float, float, float]
    confidence: float = 0.31


def write_motion(path: str | Path, rows: Iterable[Motion], *, older: bool = False) -> None:
    """Write estimates of motion, in the layout since 2018b or the one before."""
    lines = [OLDER_MOTION_HEAD if older else MOTION_HEAD]
    last_pixels = (0.0, 0.0)
    for row in rows:
        has_failed = math.isnan(row.pixels[0])
        last_pixels = last_pixels if has_failed else row.pixels[:2]
        matrix = f"[1 0 0 {last_pixels[0]:.15g};0 1 0 {last_pixels[1]:.15g};0 0 1 0;0 0 0 1]"
        if older:
            numbers = f"{row.timestamp:f},{row.frame_number},{int(not has_failed)},{_decimal(row.confidence)}"
            lines.append(f"{numbers},{_vector(last_pixels)},{row.roi},{matrix},{row.z:f},1")
        else:
            vectors = [_vector(row.pixels), _vector(row.degrees), _vector([row.confidence] * 3)]
            lines.append(", ".join([f"{row.timestamp:f}", f"{row.frame_number}", row.roi, f"{row.z:f}", *vectors, ""]))
    _write_lines(path, lines)


def _motion_rows(plan: Plan, frames: Sequence[Logged], period: float) -> Iterator[Motion]:
    """A row for each ROI of each frame that is no flyback."""
    for frame in frames:
        if frame.slice < 0 or plan.motion is None:
            continue
        rois = [roi for roi, *_ in slots(plan)[frame.slice]] if plan.rois else [None]
        for roi, (_, height, width) in zip(rois, field_rows(plan)[frame.slice], strict=True):
            name = "Default Imaging Roi" if roi is None else str(plan.rois[roi]["name"])
            roi_width, roi_height = (12.0, 12.0) if roi is None else _size_of(plan.rois[roi])
            dx, dy, dz = plan.motion(frame)
            degrees = (dx * roi_width / width, dy * roi_height / height, dz)
            yield Motion((frame.number - 1) * period, frame.number, name, plan.zs[frame.slice], (dx, dy, dz), degrees)


def _size_of(roi: dict[str, Any]) -> tuple[float, float]:
    shape = roi["scanfields"][0] if isinstance(roi["scanfields"], list) else roi["scanfields"]
    width, height = shape["sizeXY"]
    return width, height


def _decimal(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:f}"


def _vector(values: Iterable[float]) -> str:
    return "[" + " ".join("NaN" if math.isnan(value) else f"{value:.15g}" for value in values) + "]"


def _write_lines(path: str | Path, lines: Iterable[str]) -> None:
    Path(path).write_bytes("".join(f"{line}\r\n" for line in lines).encode())
