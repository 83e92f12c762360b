"""Photostimulation as ScanImage wrote it: groups of stimuli, the order in which they were given, and the log."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scanreader.errors import HeaderError
from scanreader.keys import read_only_copy
from scanreader.scanimage.header import release_parts
from scanreader.scanimage.jsonlab import listed
from scanreader.scanimage.literals import integers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanreader.scanimage.header import Header

REST = ("pause", "park")
"""Functions that stimulate nothing: the mirrors move to the next pattern, or are parked."""
COLUMNS = 4  # of an SLM point: x, y, z, weight
TRIGGERS = (
    "autoTriggerPeriod",
    "stimImmediately",
    "stimTriggerTerm",
    "syncTriggerTerm",
    "stimSelectionDevice",
    "stimSelectionTerms",
    "stimSelectionTriggerTerm",
    "stimSelectionAssignment",
    "allowMultipleOutputs",
)
"""Settings of ``SI.hPhotostim`` that say what begins a stimulus."""
RECORD = np.dtype([("x", "<f4"), ("y", "<f4"), ("beam", "<f4")])
LAST_IN_VOLTS, FIRST_IN_FRACTIONS = (2018, 2, 1), (2020, 1, 4)
"""The releases whose loggers were read: 2018b.1 writes volts, 2020.1.4 a fraction. What came between is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Stimulus:
    """A pattern that the mirrors, and the SLM if there is one, draw.

    Attributes
    ----------
    name : str
    function : str
        Last name of ScanImage's function: 'point', 'logspiral', 'pause', …
    named_parameters : tuple of (str, value)
        Parameters of the function, in their order.
    duration : float
        Of one repetition, in s.
    repetitions : float
        May be fractional.
    powers : tuple of float
        Power of each beam of the stimulation scanner, in percent; NaN if not given.
    center : (float, float)
        x and y, in degrees of scan angle, as those of fields.
    size : (float, float)
        Full width and height of the pattern, in degrees.
    rotation : float
        In degrees, clockwise in an image with y pointing down.
    slm_points : array of shape (n, 4)
        Points of the spatial light modulator: x and y in degrees from `center`, z in µm, and relative weight. NaN
        where ScanImage wrote no value. Weight 0 can mean that it was not given.
    is_enabled : bool
    has_slm_image : bool
        Whether the SLM's pattern is an image, which scanreader does not read: `slm_points` is empty then.
    """

    name: str
    function: str
    named_parameters: tuple[tuple[str, Any], ...]
    duration: float
    repetitions: float
    powers: tuple[float, ...]
    center: tuple[float, float]
    size: tuple[float, float]
    rotation: float
    slm_points: npt.NDArray[np.float64]
    is_enabled: bool = True
    has_slm_image: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the function, by name."""
        return {name: list(value) if isinstance(value, list) else value for name, value in self.named_parameters}

    @property
    def is_stimulus(self) -> bool:
        """Whether it stimulates: pauses and parks do not."""
        return self.function not in REST

    @property
    def total_duration(self) -> float:
        """Duration of all repetitions, in s; ScanImage rounds it to samples of its output."""
        return self.duration * self.repetitions

    @property
    def places(self) -> npt.NDArray[np.float64]:
        """Where it stimulates, of shape (n, 2): x and y in degrees of each SLM point, else of the centre.

        NaN if the SLM's pattern is an image.
        """
        center = np.array([self.center])
        if self.has_slm_image:
            return np.full_like(center, math.nan)
        with np.errstate(all="ignore"):
            return center + self.slm_points[:, :2] if len(self.slm_points) else center


@dataclass(frozen=True, slots=True, eq=False)
class StimulusGroup:
    """Stimuli that are given one after the other.

    Attributes
    ----------
    name : str
    stimuli : tuple of Stimulus
        Pauses and parks included.
    """

    name: str
    stimuli: tuple[Stimulus, ...]


# ------------------------------------------------------------------------------ groups


def parse_groups(groups: Any) -> tuple[StimulusGroup, ...]:
    """Read groups of stimuli: one, a list of them, or none.

    Parameters
    ----------
    groups : dict, list or None
        As `jsonlab.parse_json` gives them; lists of one element may have collapsed.

    Raises
    ------
    HeaderError
        If they are not described as ScanImage does.
    """
    entries = [group for group in listed(groups) if isinstance(group, dict)]
    try:
        return tuple(_parse_group(group, number) for number, group in enumerate(entries))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise HeaderError(f"the stimuli are not described as ScanImage does: {error!r}") from None


def _parse_group(group: dict[str, Any], number: int) -> StimulusGroup:
    stimuli = tuple(_parse_stimuli(group))
    return StimulusGroup(str(group.get("name") or f"group {number + 1}"), stimuli)


def _parse_stimuli(group: dict[str, Any]) -> Iterator[Stimulus]:
    rois = [roi for roi in listed(group.get("rois")) if isinstance(roi, dict)]
    for number, roi in enumerate(rois):
        for shape in (shape for shape in listed(roi.get("scanfields")) if isinstance(shape, dict)):
            name = shape.get("name") or roi.get("name") or f"ROI {number + 1}"
            yield _parse_stimulus(shape, str(name), is_enabled=bool(roi.get("enable", 1)))


def _parse_stimulus(shape: dict[str, Any], name: str, *, is_enabled: bool) -> Stimulus:
    function = shape.get("stimulusFunction", shape.get("stimfcnhdl"))
    if not isinstance(function, str) or not function:
        raise ValueError(f"{name!r} has no stimulusFunction")
    points, has_image = _slm_points(shape.get("slmPattern"))
    x, y = _floats(shape["centerXY"])
    return Stimulus(
        name=name,
        function=function.rpartition(".")[2].lstrip("@"),
        named_parameters=_parameters(shape.get("stimparams", shape.get("stimulusFunctionParams"))),
        duration=_float(shape.get("duration")),
        repetitions=_float(shape.get("repetitions", 1)),
        powers=tuple(_floats(shape.get("powers"))),
        center=(x, y),
        size=_size(shape),
        rotation=float(shape.get("rotationDegrees", shape.get("rotation")) or 0),
        slm_points=points,
        is_enabled=is_enabled and bool(shape.get("enable", 1)),
        has_slm_image=has_image,
    )


def _float(value: Any) -> float:
    (number,) = listed(value) or [math.nan]
    return float(number)


def _floats(value: Any) -> list[float]:
    return [float(number) for number in listed(value)]


def _size(shape: dict[str, Any]) -> tuple[float, float]:
    """Full width and height; releases before 2018 wrote half of them."""
    if "sizeXY" not in shape and "scalingXY" in shape:
        width, height = (2 * half for half in _floats(shape["scalingXY"]))
    else:
        width, height = _floats(shape["sizeXY"])
    return width, height


def _parameters(value: Any) -> tuple[tuple[str, Any], ...]:
    """Names and values in turn; a list of one list stands for that list."""
    pairs = value if isinstance(value, list) else [] if value is None else [value]
    if len(pairs) == 1 and isinstance(pairs[0], list):
        pairs = pairs[0]
    if len(pairs) % 2 or not all(isinstance(name, str) for name in pairs[::2]):
        raise ValueError(f"parameters are names and values in turn, not {value!r}")
    return tuple(zip(pairs[::2], pairs[1::2], strict=True))


def _slm_points(value: Any) -> tuple[npt.NDArray[np.float64], bool]:
    """Points of an SLM as rows, and whether the pattern is an image instead: one row lost its outer brackets."""
    rows = value if isinstance(value, list) else []
    if rows and not any(isinstance(row, list) for row in rows):
        rows = [rows]
    rows = [row for row in rows if row != []]
    columns = len(rows[0]) if rows else COLUMNS
    points = np.full((len(rows), COLUMNS), np.nan)
    is_image = not 2 <= columns <= COLUMNS
    if not is_image and rows:
        points[:, :columns] = np.array(rows, np.float64)
    return read_only_copy(points[:0] if is_image else points), is_image


# ------------------------------------------------------------------------- the header


def parse_sequence(header: Header, num_groups: int) -> tuple[int, ...]:
    """Places, from 0, of the groups in the order in which they were to be given.

    Raises
    ------
    HeaderError
        If there is no such group.
    """
    value = header.get("hPhotostim.sequenceSelectedStimuli")
    numbers = [] if value is None else integers(value)
    wrong_numbers = [number for number in numbers if not 1 <= number <= num_groups]
    if wrong_numbers:
        raise HeaderError(
            f"the sequence of stimuli (hPhotostim.sequenceSelectedStimuli) has group {wrong_numbers[0]}, but there are "
            f"{num_groups}: the order of the stimuli is unknown"
        )
    return tuple(number - 1 for number in numbers)


def triggers_of(header: Header) -> dict[str, Any]:
    """Settings that say what began a stimulus, by ScanImage's names; those that the header has."""
    settings = ((name, header.get(f"hPhotostim.{name}")) for name in TRIGGERS)
    return {name: value for name, value in settings if value is not None}


def beam_unit(header: Header) -> str:
    """Unit of the beam in the log: "V", "fraction" (of full power), or "unknown"."""
    release = release_numbers(header)
    if release is None:
        return "unknown"
    return "V" if release <= LAST_IN_VOLTS else "fraction" if release >= FIRST_IN_FRACTIONS else "unknown"


def release_numbers(header: Header) -> tuple[int, int, int] | None:
    """Year, half or minor number, and update of a release; None of those that are not named after a year."""
    major, minor, update = release_parts(header)
    year = re.fullmatch(r"(20\d\d)([ab]?)", major)
    if year is None or not (minor or "0").isdecimal() or not (update or "0").isdecimal():
        return None
    if year[2]:
        return int(year[1]), "ab".index(year[2]) + 1, int(minor or 0)
    return int(year[1]), int(minor or 0), int(update or 0)


# ---------------------------------------------------------------------------- the log


@dataclass(frozen=True, slots=True, eq=False)
class StimulusLog:
    """What ScanImage measured while it stimulated: where the mirrors pointed, and the beam.

    The clock begins with the first frame if ScanImage could synchronise it. Where that failed, ScanImage only printed a
    warning: nothing in the file tells. SLM points are not in it: x and y are where the mirrors pointed.

    Attributes
    ----------
    x, y : float32 array of shape (samples,)
        In degrees of scan angle, as the centres of stimuli and fields.
    beam : float32 array of shape (samples,)
        The first beam, in `beam_unit`.
    beam_unit : str
        "V" (volts of the photodiode), "fraction" (of full power, 0 to 1), or "unknown", by ScanImage's release.
    rate : float
        Samples a second; NaN if the header does not say.
    bout : int array of shape (samples,)
        Index of the acquisition in the scan.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    beam: npt.NDArray[np.float32]
    beam_unit: str
    rate: float
    bout: npt.NDArray[np.int64]

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Time of each sample, of shape (samples,), in s since the log of its acquisition began."""
        first_samples = np.searchsorted(self.bout, self.bout, side="left")
        return np.asarray((np.arange(len(self.x)) - first_samples) / self.rate)

    def __repr__(self) -> str:
        return f"<StimulusLog of {len(self.x)} samples at {self.rate:g} Hz, beam in {self.beam_unit}>"


def parse_log(data: bytes, name: str, notes: list[str]) -> npt.NDArray[np.void]:
    """Read the whole records of a log; sentences about the rest are appended to `notes`."""
    count, bytes_left = divmod(len(data), RECORD.itemsize)
    if bytes_left:
        notes.append(f"{name} ends inside a sample: its last {bytes_left} bytes are skipped")
    if not count:
        notes.append(f"{name} holds no sample")
    return np.frombuffer(data, RECORD, count)
