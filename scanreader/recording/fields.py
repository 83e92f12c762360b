"""Fields: the rectangle of pixels recorded for a ROI at one slice, where it lies in the page and in the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.recording.rectangles import Rectangle, uncovered
from scanreader.recording.timing import line_times, pixel_times
from scanreader.tables import MINUS, size_in_words, table_html

FloatArray = npt.NDArray[np.float64]
NO_ROI = -1


class Trim(NamedTuple):
    """Numbers of pixels removed at the edges of each ROI."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __add__(self, other: object) -> Trim:  # trimmed twice, not one behind the other
        if not isinstance(other, Trim):
            return NotImplemented
        return Trim(*(a + b for a, b in zip(self, other, strict=True)))


UNTRIMMED = Trim()


class Piece(NamedTuple):
    """One rectangle of a page that is copied into a field."""

    roi: int
    height: int
    width: int
    page_y: int
    """Its first row in the page."""
    page_x: int
    output_y: int
    """Its first row in the field."""
    output_x: int
    first_line: int
    """Number of scan lines between the start of the page and the first line of the ROI."""
    trim: Trim = UNTRIMMED
    """Pixels removed at the edges of the ROI."""

    @property
    def rectangle(self) -> Rectangle:
        """Where it is in the field."""
        bottom, right = self.output_y + self.height, self.output_x + self.width
        return Rectangle(self.output_y, bottom, self.output_x, right)

    def part(self, rectangle: Rectangle) -> Piece:
        """The part of it that is in a rectangle of the field, which must be within the piece."""
        top, bottom, left, right = rectangle
        row_offset, column_offset = top - self.output_y, left - self.output_x
        height, width = bottom - top, right - left
        bottom_edge, right_edge = self.height - height - row_offset, self.width - width - column_offset
        removed_edges = Trim(row_offset, bottom_edge, column_offset, right_edge)
        return self._replace(
            height=height,
            width=width,
            page_y=self.page_y + row_offset,
            page_x=self.page_x + column_offset,
            output_y=top,
            output_x=left,
            trim=self.trim + removed_edges,
        )


class Placement(NamedTuple):
    """How the views `stitched` and `shifted` placed a field's pixels."""

    is_stitched: bool = False
    """Whether the field was made by `stitched`, of all fields of its slice (and plane)."""
    shift: tuple[int, int] | None = None
    """Rows and columns by which its pixels are moved down and to the right; None if the scan was not shifted."""
    fill: float = 0
    """Value of the pixels where nothing was recorded."""
    hidden: int = 0
    """Number of its ROIs' pixels that it does not show: others lie over them, or they were cut off."""

    @property
    def view(self) -> str:
        """Which of the two views was applied last: ``'shifted'`` or ``'stitched'``; '' if neither was."""
        if self.shift is not None:
            return "shifted"
        return "stitched" if self.is_stitched else ""


AS_RECORDED = Placement()


class Timing(NamedTuple):
    """How the scanner moves over a field."""

    seconds_per_line: float = math.nan
    bidirectional: bool = False
    resonant: bool = False
    temporal_fill_fraction: float = 1.0
    """Fraction of a line's duration during which pixels are sampled."""
    evenly_sampled: bool = False
    """Whether the pixels of a line are evenly spaced in time, even if the mirror is resonant."""
    lines_per_row: int = 1
    """Scan lines that were averaged into one row."""


UNTIMED = Timing()


class _Span(NamedTuple):
    """Where a piece is along an axis and across it, and what was trimmed at its ends."""

    start: int
    size: int
    offset_across: int
    width: int
    trim_before: int
    trim_after: int


def _most_trimmed(spans: list[_Span]) -> int:
    """Most pixels that were trimmed between pieces that follow each other along an axis."""
    most_trimmed: dict[_Span, int] = {}
    for span in sorted(spans):
        trims_before = [
            trimmed + other_span.trim_after + span.trim_before
            for other_span, trimmed in most_trimmed.items()
            if other_span.start + other_span.size == span.start
            and other_span.offset_across < span.offset_across + span.width
            and span.offset_across < other_span.offset_across + other_span.width
        ]
        most_trimmed[span] = max(trims_before, default=0)
    return max(most_trimmed.values())


@dataclass(frozen=True, slots=True)
class Field:
    """The rectangle of pixels recorded for a ROI, or for several joined ROIs, at one slice.

    Attributes
    ----------
    height, width : int
        In pixels.
    depth : float
        In µm; NaN if unknown.
    y, x : float
        Centre, in degrees of scan angle.
    height_in_degrees, width_in_degrees : float
        From edge to edge, in degrees of scan angle.
    rotation : float
        In degrees, clockwise in an image with y pointing down. The pixels are not rotated: rows are scan lines.
    slice_id : int
        Slice, from 0.
    pieces : tuple of Piece
        Rectangles of the page that make up the field: one, or several if fields were joined.
    microns_per_degree : float
        ``objectiveResolution``; NaN if it is not in the header.
    slice_start : float
        Start of the field's page, in s since the start of the volume; NaN if unknown.
    timing : Timing
        How its lines were scanned.
    name : str
        Name of the ROI; for joined ROIs, their names joined by +; '' if the scan is not multi-ROI.
    plane : int or None
        Plane within the slice, from 0, where channels are planes (`channels_as_planes`); else None.
    placement : Placement
        How the views `stitched` and `shifted` placed its pixels.
    """

    height: int
    width: int
    depth: float
    y: float
    x: float
    height_in_degrees: float
    width_in_degrees: float
    slice_id: int
    pieces: tuple[Piece, ...]
    rotation: float = 0.0
    microns_per_degree: float = math.nan
    slice_start: float = 0.0
    timing: Timing = UNTIMED
    name: str = ""
    plane: int | None = None
    placement: Placement = AS_RECORDED

    @property
    def height_in_microns(self) -> float:
        """Height, in µm; NaN if the header has no ``objectiveResolution``."""
        return self.height_in_degrees * self.microns_per_degree

    @property
    def width_in_microns(self) -> float:
        """Width, in µm; NaN if the header has no ``objectiveResolution``."""
        return self.width_in_degrees * self.microns_per_degree

    @property
    def y_in_microns(self) -> float:
        """Centre along y, in µm from scan angle 0; NaN if the header has no ``objectiveResolution``."""
        return self.y * self.microns_per_degree

    @property
    def x_in_microns(self) -> float:
        """Centre along x, in µm from scan angle 0; NaN if the header has no ``objectiveResolution``."""
        return self.x * self.microns_per_degree

    @property
    def pixel_height_in_microns(self) -> float:
        """Distance between two rows, in µm; NaN if the header has no ``objectiveResolution``."""
        return self.height_in_microns / self.height

    @property
    def pixel_width_in_microns(self) -> float:
        """Distance between two columns, in µm; NaN if the header has no ``objectiveResolution``."""
        return self.width_in_microns / self.width

    @property
    def corners(self) -> FloatArray:
        """Outer corners of the field as (x, y), in degrees, of shape (4, 2).

        In ScanImage's order: start and end of the first row, end and start of the last row.
        """
        half = np.array([self.width_in_degrees, self.height_in_degrees]) / 2
        outline = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        return np.asarray(outline @ self.turn.T + np.array([self.x, self.y]))

    @property
    def corners_in_microns(self) -> FloatArray:
        """Outer corners of the field as (x, y), in µm; NaN if the header has no ``objectiveResolution``."""
        return self.corners * self.microns_per_degree

    @property
    def turn(self) -> FloatArray:
        """2 x 2 matrix that rotates (x, y) by the field's rotation."""
        angle = math.radians(self.rotation)
        return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    @property
    def yslices(self) -> list[slice]:
        """For each piece, its rows in the page."""
        return [slice(p.page_y, p.page_y + p.height) for p in self.pieces]

    @property
    def xslices(self) -> list[slice]:
        """For each piece, its columns in the page."""
        return [slice(p.page_x, p.page_x + p.width) for p in self.pieces]

    @property
    def output_yslices(self) -> list[slice]:
        """For each piece, its rows in the field."""
        return [slice(p.output_y, p.output_y + p.height) for p in self.pieces]

    @property
    def output_xslices(self) -> list[slice]:
        """For each piece, its columns in the field."""
        return [slice(p.output_x, p.output_x + p.width) for p in self.pieces]

    @property
    def roi_ids(self) -> list[int]:
        """For each piece, the index of its ROI in the header's list, from 0."""
        return [p.roi for p in self.pieces]

    @property
    def has_contiguous_subfields(self) -> bool:
        """Whether this field was made by joining several."""
        return len(self.pieces) > 1

    @property
    def closed_gaps(self) -> tuple[int, int]:
        """Rows and columns that were removed between the pieces: (0, 0) unless the field was joined and trimmed.

        If it was, `affine` is exact for the upper-left piece only: the lower-right piece was recorded this many pixels
        further down and to the right. ``scan.canvas()`` places each piece exactly.
        """
        if self.placement.is_stitched:
            return 0, 0
        down = [_Span(p.output_y, p.height, p.output_x, p.width, p.trim.top, p.trim.bottom) for p in self.pieces]
        right = [_Span(p.output_x, p.width, p.output_y, p.height, p.trim.left, p.trim.right) for p in self.pieces]
        return _most_trimmed(down), _most_trimmed(right)

    @property
    def uncovered(self) -> tuple[Rectangle, ...]:
        """Where nothing was recorded, as rectangles without overlap; only in stitched and shifted fields."""
        if sum(p.height * p.width for p in self.pieces) == self.height * self.width:
            return ()  # pieces do not overlap
        return uncovered(Rectangle(0, self.height, 0, self.width), tuple(p.rectangle for p in self.pieces))

    @property
    def roi_mask(self) -> npt.NDArray[np.int64]:
        """Index of the ROI at each pixel, as in `roi_ids`, of shape (height, width); -1 where there is none."""
        mask = np.full((self.height, self.width), NO_ROI, dtype=np.int64)
        for roi, ys, xs in zip(self.roi_ids, self.output_yslices, self.output_xslices, strict=True):
            mask[ys, xs] = roi
        return mask

    @property
    def offsets(self) -> FloatArray:
        """Time of each pixel, of shape (height, width), in s since the start of the field's page."""
        seconds = np.full((self.height, self.width), np.nan)
        t = self.timing
        for piece, ys, xs in zip(self.pieces, self.output_yslices, self.output_xslices, strict=True):
            trim = piece.trim
            line = line_times(
                piece.width + trim.left + trim.right,
                resonant=t.resonant,
                temporal_fill_fraction=t.temporal_fill_fraction,
                evenly_sampled=t.evenly_sampled,
            )
            piece_times = pixel_times(
                piece.first_line,
                piece.height + trim.top + trim.bottom,
                line,
                seconds_per_line=t.seconds_per_line,
                bidirectional=t.bidirectional,
                resonant=t.resonant,
                lines_per_row=t.lines_per_row,
            )
            seconds[ys, xs] = piece_times[trim.top :, trim.left :][: piece.height, : piece.width]
        return seconds

    @property
    def offset_mask(self) -> FloatArray:
        """Time of each pixel, of shape (height, width), in s since the start of the volume.

        With several frames of each slice, that of the first one. In a slow stack the same as `offsets`, because the
        time to move between slices is unknown.
        """
        return self.offsets + self.slice_start

    @property
    def affine(self) -> FloatArray:
        """3 x 3 matrix from a pixel to the sample: ``affine @ [column, row, 1]`` is ``[x, y, 1]`` in µm.

        Pixel indices count from 0 and refer to the centres of pixels. The origin is where both scan angles are 0. NaN
        if the header has no ``objectiveResolution``. For a field that was joined and trimmed, it is exact only for the
        upper-left piece; see `closed_gaps`.
        """
        dx, dy = self.width_in_degrees / self.width, self.height_in_degrees / self.height
        linear = self.turn @ np.diag([dx, dy])
        corner = self.turn @ np.array([(dx - self.width_in_degrees) / 2, (dy - self.height_in_degrees) / 2])
        matrix = np.eye(3)
        matrix[:2, :2] = linear * self.microns_per_degree
        matrix[:2, 2] = (corner + np.array([self.x, self.y])) * self.microns_per_degree
        return matrix

    def __reduce__(self) -> tuple[Any, ...]:  # without the defaults at its end: a scan is pickled in 2 kB
        values, defaults = [getattr(self, name) for name in self.__slots__], ["", None, AS_RECORDED]
        while defaults and values[-1] == defaults[-1]:
            values.pop()
            defaults.pop()
        return Field, tuple(values)

    def __repr__(self) -> str:
        plane = "" if self.plane is None else f"plane {self.plane}, "
        return (
            f"Field({self.height} x {self.width} pixels, depth {self.depth:g} µm, slice {self.slice_id}, {plane}"
            f"ROI {', '.join(map(str, dict.fromkeys(self.roi_ids)))}, centre y {self.y:g}, x {self.x:g} degrees)"
        )

    def _repr_html_(self) -> str:
        """Table that notebooks show."""
        rows = [
            ("Size", size_in_words(self.height, self.width, self.height_in_microns, self.width_in_microns)),
            ("Depth", "" if math.isnan(self.depth) else f"{self.depth:g} µm".translate(MINUS)),
            ("Slice", str(self.slice_id)),
            ("Plane", "" if self.plane is None else str(self.plane)),
            ("ROI", ", ".join(map(str, dict.fromkeys(self.roi_ids)))),
            ("Centre", f"y {self.y:g}°, x {self.x:g}°".translate(MINUS)),
            ("Rotation", f"{self.rotation:g}°".translate(MINUS) if self.rotation else ""),
            ("Pieces", str(len(self.pieces)) if self.has_contiguous_subfields else ""),
        ]
        return table_html(self.name or "Field", rows)
