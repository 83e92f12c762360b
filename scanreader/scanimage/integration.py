"""Integration ROIs as ScanImage wrote them: their shapes in the JSON, their values in a CSV file."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.errors import FileFormatError, LayoutError, PathnameError
from scanreader.keys import abbreviate
from scanreader.scanimage.jsonlab import listed
from scanreader.scanimage.places import FieldLike, FloatArray, pixels_at, places_of_pixels, refuse_odd_field
from scanreader.scanimage.rois import parse_each_roi, z_tolerance

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = "timestamp,frameNumber"
UUID_SHOWN = 8  # characters, where a ROI has no name
MOST_COLUMNS = 20_000  # of a table: more take minutes
MOST_NUMBER = 2**53  # that a float holds


class IntegrationShape(NamedTuple):
    """The shape of an integration ROI at one depth."""

    y: float
    """Centre, in degrees of scan angle."""
    x: float
    height_in_degrees: float
    width_in_degrees: float
    rotation: float
    """In degrees, clockwise in an image with y pointing down."""
    weights: tuple[tuple[float, ...], ...]
    """Weight of each cell of its grid, rows along y; one cell for a whole rectangle, none if unknown."""
    threshold: float


@dataclass(frozen=True, slots=True)
class IntegrationRoi:
    """A ROI whose mean ScanImage computed while it recorded.

    Attributes
    ----------
    name : str
        As ScanImage shows it: the first 8 characters of its identifier if the user gave no name.
    channel : int
        ScanImage's number of the channel, from 1; 0 if the header does not say.
    planes : tuple of float
        Depths of its shapes, in µm.
    shapes : tuple of IntegrationShape
        One for each of `planes`.
    is_discrete : bool
        Whether it is only at its planes; if not, and it has one plane, it is at every depth.
    is_enabled : bool
    """

    name: str
    channel: int
    planes: tuple[float, ...]
    shapes: tuple[IntegrationShape, ...]
    is_discrete: bool
    is_enabled: bool

    def mask(self, field: FieldLike) -> npt.NDArray[np.float64]:
        """Weight of each pixel of a field, of shape (height, width); 0 outside, and where nothing was recorded.

        As in ScanImage, a pixel has the weight of the grid's nearest cell, and the ROI is in a field if the ROI's
        centre is (and the field is at one of its planes). Pixels on the very edge may differ from ScanImage's.

        Parameters
        ----------
        field : Field
            One of ``scan.fields``.

        Raises
        ------
        LayoutError
            If its weights are unknown, the field's depth is unknown, the ROI is shaped by those above and below,
            or the field was joined and trimmed.
        ScanKeyError
            If it is no field.
        """
        refuse_odd_field(field)
        shape = self._at(field.depth)
        if shape is None or not _holds(field, shape):
            return np.zeros((field.height, field.width))
        if not shape.weights:
            raise LayoutError(f"the weights of integration ROI {self.name!r} are not in the header", raw_helps=False)
        weights = np.array(shape.weights)
        with np.errstate(all="ignore"):  # numbers of a header may be anything
            unit = (places_of_pixels(field) - [shape.x, shape.y]) @ _turn(shape.rotation)
            unit = unit / [shape.width_in_degrees, shape.height_in_degrees] + 0.5
            columns, rows = (np.floor(unit[..., axis] * weights.shape[1 - axis]) for axis in (0, 1))
        is_inside = (rows >= 0) & (rows < weights.shape[0]) & (columns >= 0) & (columns < weights.shape[1])
        cells = np.where(is_inside, [rows, columns], 0).astype(np.int64)
        mask = np.where(is_inside, weights[cells[0], cells[1]], 0.0)
        for top, bottom, left, right in field.uncovered:  # stitched and shifted fields have pixels of no field
            mask[top:bottom, left:right] = 0.0
        return mask

    def _at(self, depth: float) -> IntegrationShape | None:
        """Shape at a depth; None where the ROI is not.

        Raises
        ------
        LayoutError
            If it is unknown.
        """
        if not self.is_discrete and len(self.planes) == 1:
            return self.shapes[0]
        if math.isnan(depth):
            raise LayoutError(
                f"the field's depth is unknown: whether integration ROI {self.name!r} is in it, too", raw_helps=False
            )
        for plane, shape in zip(self.planes, self.shapes, strict=True):
            if abs(plane - depth) < z_tolerance(depth):
                return shape
        if not self.is_discrete and self.planes and min(self.planes) < depth < max(self.planes):
            raise LayoutError(
                f"integration ROI {self.name!r} at z = {depth:g} is shaped by those above and below, in a way that is "
                "unknown",
                raw_helps=False,
            )
        return None


def _turn(rotation: float) -> FloatArray:
    angle = np.radians(rotation)  # NaN and infinite ones give NaN
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _holds(field: FieldLike, shape: IntegrationShape) -> bool:
    """Whether the centre of a shape is in a field, where something was recorded."""
    with np.errstate(all="ignore"):
        x, y = (np.array([shape.x - field.x, shape.y - field.y]) @ field.turn).tolist()
    if not (2 * abs(x) <= field.width_in_degrees and 2 * abs(y) <= field.height_in_degrees):
        return False
    gaps = field.uncovered  # of stitched and shifted fields
    row, column = pixels_at(field, np.array([[shape.x, shape.y]]))[0] if gaps else (0.0, 0.0)
    return not any(top <= row + 0.5 < bottom and left <= column + 0.5 < right for top, bottom, left, right in gaps)


# ------------------------------------------------------------------------------- JSON


def parse_integration_rois(group: Any) -> tuple[IntegrationRoi, ...]:
    """Read the ROIs of an ``integrationRoiGroup``, which is one group or none.

    Raises
    ------
    HeaderError
        If a ROI is not described as ScanImage does.
    """
    return parse_each_roi(group, lambda roi, _: _parse_roi(roi), "the integration ROIs are")


def _parse_roi(roi: dict[str, Any]) -> IntegrationRoi:
    shapes = [shape for shape in listed(roi["scanfields"]) if isinstance(shape, dict)]
    planes = tuple(float(z) for z in listed(roi["zs"]))
    if len(planes) != len(shapes) or not shapes:
        raise ValueError(f"a ROI has {len(planes)} depths and {len(shapes)} scanfields")
    identifier = str(roi.get("roiUuid") or "")
    return IntegrationRoi(
        name=str(roi.get("name") or identifier[:UUID_SHOWN]),
        channel=int((listed(shapes[0].get("channel")) or [0])[0]),
        planes=planes,
        shapes=tuple(map(_parse_shape, shapes)),
        is_discrete=bool(roi.get("discretePlaneMode", 0)),
        is_enabled=bool(roi.get("enable", 1)) and all(shape.get("enable", 1) for shape in shapes),
    )


def _parse_shape(shape: dict[str, Any]) -> IntegrationShape:
    x, y = (float(n) for n in listed(shape["centerXY"]))
    width, height = (float(n) for n in listed(shape["sizeXY"]))
    (threshold,) = listed(shape.get("threshold")) or [math.nan]
    rotation = float(shape.get("rotationDegrees") or 0)
    return IntegrationShape(y, x, height, width, rotation, _weights(shape.get("mask", 1)), float(threshold))


def _weights(value: Any) -> tuple[tuple[float, ...], ...]:
    """Rows of a mask; one row lost its outer brackets, and one number stands for the whole rectangle."""
    rows = value if isinstance(value, list) else [] if value is None else [value]
    if not any(isinstance(row, list) for row in rows):
        rows = [rows]
    weights = tuple(tuple(float(weight) for weight in row) for row in rows if row != [])
    if len({len(row) for row in weights}) > 1:
        raise ValueError("the rows of a mask differ in length")
    return weights


# -------------------------------------------------------------------------------- CSV


class IntegrationRows(NamedTuple):
    """Values of integration ROIs, a row for each volume that ScanImage evaluated."""

    names: tuple[str, ...]
    frame_numbers: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.float64]
    """In s."""
    values: npt.NDArray[np.float64]
    """Of shape (rows, names)."""


def parse_integration(
    text: str, file: str, rois: Sequence[IntegrationRoi], notes: list[str], *, has_header: bool = True
) -> IntegrationRows:
    """Read a CSV file of ScanImage's integration ROIs.

    Parameters
    ----------
    text : str
    file : str
        Its name, for messages.
    rois : sequence of IntegrationRoi
        Those in the header: names may contain commas. If there is none, the file's own names count.
    notes : list of str
        Sentences about rows that are skipped, and columns that are numbered, are appended.
    has_header : bool
        Whether `rois` are of the header of the same recording; if not, those of the file may be others.

    Raises
    ------
    FileFormatError
        If it does not begin as ScanImage's files do.
    PathnameError
        If its ROIs are not those of the recording.
    """
    lines = whole_lines(text, file, (HEAD,), notes)
    if not lines:
        return _as_rows((), np.empty((0, 2)))
    head = [token.strip() for token in lines[0].split(",")]
    names = _names(head[2:], file, rois, has_header=has_header)
    rows = parse_numbers(lines[1:], file, notes)
    values = rows.shape[1] - 2
    if values > len(head) - 2:
        raise FileFormatError(f"{file} has {values} values in a row, but its first line names {len(head) - 2} ROIs")
    if max(values, len(names)) > MOST_COLUMNS:
        raise FileFormatError(f"{file} has {max(values, len(names))} columns: at most {MOST_COLUMNS} are read")
    if values != len(names) and len(rows):
        notes.append(_why_numbered(file, len(names), values, rois))
        names = tuple(f"column {i + 1}" for i in range(values))
    return _as_rows(names, rows if len(rows) else np.empty((0, 2 + len(names))))


def whole_lines(text: str, file: str, heads: Sequence[str], notes: list[str]) -> list[str]:
    """Lines that are complete; ScanImage ends each, so that a last one without an end was cut.

    Raises
    ------
    FileFormatError
        If the first line does not begin with one of `heads`, blanks apart.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    first = lines[0].replace(" ", "")
    if not any(first.startswith(head) or (len(lines) == 1 and head.startswith(first)) for head in heads):
        raise FileFormatError(
            f"{file} begins with {lines[0][:60]!r}, not with {' or '.join(map(repr, heads))}: ScanImage did not write "
            "it; move it away, or rename it"
        )
    if not text:
        notes.append(f"{file} is empty")
    elif lines[-1].strip("\0 \t\r"):
        notes.append(f"{file} ends inside a line: that line is skipped")
    return [line for line in lines[:-1] if line.strip("\0 \t\r")]


def _names(tokens: list[str], file: str, rois: Sequence[IntegrationRoi], *, has_header: bool) -> tuple[str, ...]:
    """Names of the columns, those of the header where they are the same.

    Raises
    ------
    PathnameError
        If they are not.
    """
    if not rois:
        return tuple(tokens)
    names = tuple(roi.name for roi in rois)
    is_same = tokens == [token.strip() for token in ",".join(names).split(",")]
    if not is_same and not has_header:
        return tuple(tokens)
    if not is_same:
        raise PathnameError(
            f"{file} is of another recording: its ROIs are {abbreviate(tokens)}, those in the header are "
            f"{abbreviate(names)}; move it away, or rename it"
        )
    return names


def _why_numbered(file: str, num_names: int, num_values: int, rois: Sequence[IntegrationRoi]) -> str:
    enabled_names = [roi.name for roi in rois if roi.is_enabled]
    reason = "ScanImage names disabled ROIs, but writes no value for them" if rois else "names may contain commas"
    enabled_text = f" (enabled are {abbreviate(enabled_names)})" if rois else ""
    plural_end = "" if num_values == 1 else "s"
    return (
        f"{file} names {num_names} ROIs, but its rows have {num_values} value{plural_end}: {reason}{enabled_text}; "
        "which column is which is not certain, so they are numbered"
    )


def parse_numbers(lines: list[str], file: str, notes: list[str]) -> FloatArray:
    """Numbers of the lines that have as many as most, and a frame number; the others are said in `notes`."""
    commas = [line.count(",") for line in lines]
    usual_count = max(1, Counter(commas).most_common(1)[0][0]) if lines else 1
    kept_lines = [line for line, count in zip(lines, commas, strict=True) if count == usual_count]
    try:
        rows = (
            np.loadtxt(kept_lines, delimiter=",", comments=None, ndmin=2)
            if kept_lines
            else np.empty((0, usual_count + 1))
        )
    except ValueError:
        parsed_rows = [numbers for line in kept_lines if (numbers := _numbers(line)) is not None]
        rows = np.array(parsed_rows) if parsed_rows else np.empty((0, usual_count + 1))
    number = rows[:, 1]
    rows = np.asarray(rows[(number >= 1) & (number < MOST_NUMBER) & (number == np.floor(number))])
    if len(rows) < len(lines):
        num_skipped = len(lines) - len(rows)
        notes.append(f"{file}: {num_skipped} of {len(lines)} rows are damaged and skipped")
    return rows


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(token) for token in line.split(",")]
    except ValueError:
        return None


def _as_rows(names: tuple[str, ...], rows: FloatArray) -> IntegrationRows:
    return IntegrationRows(names, rows[:, 1].astype(np.int64), rows[:, 0].copy(), rows[:, 2:].copy())
