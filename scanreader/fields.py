"""Where a field lies in the sample and in a page: ROIs, scanfields, fields and their pieces; joining."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.errors import Finding, HeaderError, LayoutError, ScanIndexError
from scanreader.header import listed
from scanreader.timing import line_times, pixel_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FloatArray = npt.NDArray[np.float64]

NO_ROI = -1


def z_tolerance(z: float) -> float:
    """How far two depths may differ and still be one, in µm.

    ScanImage rounds the depths of ROIs to 3 decimals, and its header has 6 significant digits before 2023.1.
    """
    return max(1e-3, 6e-6 * abs(z))


# ------------------------------------------------------------------- ROIs


class Scanfield(NamedTuple):
    """The shape of a ROI at one depth, in degrees of scan angle and pixels."""

    y: float
    x: float
    height_in_degrees: float
    width_in_degrees: float
    rotation: float
    height: int
    width: int
    enabled: bool = True


@dataclass(frozen=True)
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
        Of each beam, in percent, where the ROI has its own; else empty.
    """

    name: str
    zs: tuple[float, ...]
    scanfields: tuple[Scanfield, ...]
    discrete: bool = False
    enabled: bool = True
    powers: tuple[float, ...] = ()

    def at(self, z: float) -> Scanfield | None:
        """Shape of the ROI at a depth; None where it is not scanned.

        The rules are ScanImage's own (section 7.1 of the format reference).

        Raises
        ------
        LayoutError
            If two scanfields are at this depth, or a disabled one would be needed.
        """
        enabled = [(at, field) for at, field in zip(self.zs, self.scanfields, strict=True) if field.enabled]
        if not self.enabled or not enabled:
            return None
        here = [field for at, field in enabled if abs(at - z) < z_tolerance(z)]
        if len(here) > 1:
            raise LayoutError(
                f"ROI {self.name!r} has {len(here)} scanfields at z = {z:g}: which is recorded where is not "
                "known; raw=True reads the pages as they lie"
            )
        if here:
            return here[0]
        if self.discrete:
            return None
        depths = [at for at, _ in enabled]
        if max(depths) - min(depths) < z_tolerance(depths[0]):
            return enabled[0][1]
        if not min(self.zs) < z < max(self.zs):
            return None
        if not min(depths) < z < max(depths):
            raise LayoutError(
                f"ROI {self.name!r} at z = {z:g} would be shaped by a scanfield that is disabled; "
                "raw=True reads the pages as they lie"
            )
        above = min((pair for pair in enabled if pair[0] > z), key=lambda pair: pair[0])
        below = max((pair for pair in enabled if pair[0] < z), key=lambda pair: pair[0])
        return _between(below[1], above[1], (z - below[0]) / (above[0] - below[0]))


def _between(a: Scanfield, b: Scanfield, part: float) -> Scanfield:
    """Shape between two scanfields: linear, the angle the short way round, pixels rounded to even."""

    def line(first: float, second: float) -> float:
        return first + (second - first) * part

    def even(first: int, second: int) -> int:
        return 2 * math.floor(line(first, second) / 2 + 0.5)  # MATLAB rounds halves up

    turn = (b.rotation - a.rotation + 180) % 360 - 180
    return Scanfield(
        y=line(a.y, b.y),
        x=line(a.x, b.x),
        height_in_degrees=line(a.height_in_degrees, b.height_in_degrees),
        width_in_degrees=line(a.width_in_degrees, b.width_in_degrees),
        rotation=a.rotation + turn * part,
        height=even(a.height, b.height),
        width=even(a.width, b.width),
    )


def parse_rois(group: Any) -> tuple[Roi, ...]:
    """Read the ROIs of an `imagingRoiGroup`.

    Parameters
    ----------
    group : dict or None
        As `header.parse_json` gives it; lists of one element may have collapsed.

    Raises
    ------
    HeaderError
        If a ROI is not described as ScanImage does.
    """
    if not isinstance(group, dict):
        return ()
    rois = [roi for roi in listed(group.get("rois")) if isinstance(roi, dict)]
    try:
        return tuple(_parse_roi(roi, number) for number, roi in enumerate(rois))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise HeaderError(f"the ROI group is not described as ScanImage does: {error!r}") from None


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


# ----------------------------------------------------------------- fields


class Trim(NamedTuple):
    """Pixels that are left out at the edges of each ROI."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __add__(self, other: object) -> Trim:  # trimmed twice, not one behind the other
        if not isinstance(other, Trim):
            return NotImplemented
        return Trim(*(mine + its for mine, its in zip(self, other, strict=True)))


UNTRIMMED = Trim()


class Piece(NamedTuple):
    """One rectangle of a page, pasted into a field."""

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
    """Scan lines before the first of its ROI, from the start of the page."""
    trim: Trim = UNTRIMMED
    """What the ROI has lost at its edges."""


class Timing(NamedTuple):
    """How the scanner moves over a field."""

    seconds_per_line: float = math.nan
    bidirectional: bool = False
    resonant: bool = False
    temporal_fill_fraction: float = 1.0
    evenly_sampled: bool = False
    lines_per_row: int = 1


UNTIMED = Timing()


@dataclass(frozen=True)
class Field:
    """The rectangle of pixels recorded for a ROI (or several that were joined) at one slice.

    Attributes
    ----------
    height, width : int
        In pixels.
    depth : float
        In µm.
    y, x : float
        Its centre, in degrees of scan angle.
    height_in_degrees, width_in_degrees : float
    rotation : float
        In degrees, clockwise as displayed with y down. The pixels are stored as scanned, unrotated.
    slice_id : int
        The slice that it was scanned in, from 0.
    pieces : tuple of Piece
        The rectangles of the page that it is made of: one, or several if it was joined.
    microns_per_degree : float
        ``objectiveResolution``; NaN if the header does not say it: degrees are never taken for µm.
    slice_start : float
        Seconds from the start of the volume to that of the field's page; NaN where that is not known.
    timing : Timing
    name : str
        Of its ROI (of several that were joined, with + between them); '' if the scan is not multi-ROI.
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
        """Centre along y, in µm from that of the scan angles; NaN if the header has no ``objectiveResolution``."""
        return self.y * self.microns_per_degree

    @property
    def x_in_microns(self) -> float:
        """Centre along x, in µm from that of the scan angles; NaN if the header has no ``objectiveResolution``."""
        return self.x * self.microns_per_degree

    @property
    def pixel_height_in_microns(self) -> float:
        """Distance of two rows, in µm; NaN if the header has no ``objectiveResolution``."""
        return self.height_in_microns / self.height

    @property
    def pixel_width_in_microns(self) -> float:
        """Distance of two columns, in µm; NaN if the header has no ``objectiveResolution``."""
        return self.width_in_microns / self.width

    @property
    def corners(self) -> FloatArray:
        """Corners of the field's edge as (x, y), in degrees, of shape (4, 2).

        In the order of ScanImage's own corners: from the first pixel along the first row, then round.
        """
        half = np.array([self.width_in_degrees, self.height_in_degrees]) / 2
        around = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        return np.asarray(around @ self._turn.T + np.array([self.x, self.y]))

    @property
    def corners_in_microns(self) -> FloatArray:
        """Corners of the field's edge as (x, y), in µm; NaN if the header has no ``objectiveResolution``."""
        return self.corners * self.microns_per_degree

    @property
    def _turn(self) -> FloatArray:
        angle = math.radians(self.rotation)
        return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    @property
    def yslices(self) -> list[slice]:
        """Rows of the page that each piece is cut from."""
        return [slice(p.page_y, p.page_y + p.height) for p in self.pieces]

    @property
    def xslices(self) -> list[slice]:
        """Columns of the page that each piece is cut from."""
        return [slice(p.page_x, p.page_x + p.width) for p in self.pieces]

    @property
    def output_yslices(self) -> list[slice]:
        """Rows of the field that each piece is pasted to."""
        return [slice(p.output_y, p.output_y + p.height) for p in self.pieces]

    @property
    def output_xslices(self) -> list[slice]:
        """Columns of the field that each piece is pasted to."""
        return [slice(p.output_x, p.output_x + p.width) for p in self.pieces]

    @property
    def roi_ids(self) -> list[int]:
        """The ROI of each piece: its place in the header's list, from 0."""
        return [p.roi for p in self.pieces]

    @property
    def has_contiguous_subfields(self) -> bool:
        """Whether several fields were joined to make this one."""
        return len(self.pieces) > 1

    @property
    def roi_mask(self) -> npt.NDArray[np.int64]:
        """The ROI at each pixel, of shape (height, width); -1 where there is none."""
        mask = np.full((self.height, self.width), NO_ROI, dtype=np.int64)
        for roi, ys, xs in zip(self.roi_ids, self.output_yslices, self.output_xslices, strict=True):
            mask[ys, xs] = roi
        return mask

    @property
    def offsets(self) -> FloatArray:
        """Seconds from the start of the field's page to each pixel, of shape (height, width)."""
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
            whole = pixel_times(
                piece.first_line,
                piece.height + trim.top + trim.bottom,
                line,
                seconds_per_line=t.seconds_per_line,
                bidirectional=t.bidirectional,
                lines_per_row=t.lines_per_row,
            )
            seconds[ys, xs] = whole[trim.top :, trim.left :][: piece.height, : piece.width]
        return seconds

    @property
    def offset_mask(self) -> FloatArray:
        """Seconds from the start of the volume to each pixel, of shape (height, width).

        In a slow stack the stage moves between slices, which takes no known time: there the seconds count from
        the start of the slice.
        """
        return self.offsets + self.slice_start

    @property
    def affine(self) -> FloatArray:
        """3 x 3 matrix from a pixel to the sample: ``affine @ [column, row, 1]`` is ``[x, y, 1]`` in µm.

        Pixels count from 0 and stand for their centres. The origin is that of the scan angles. NaN if the
        header has no ``objectiveResolution``.
        """
        dx, dy = self.width_in_degrees / self.width, self.height_in_degrees / self.height
        linear = self._turn @ np.diag([dx, dy])
        corner = self._turn @ np.array([(dx - self.width_in_degrees) / 2, (dy - self.height_in_degrees) / 2])
        matrix = np.eye(3)
        matrix[:2, :2] = linear * self.microns_per_degree
        matrix[:2, 2] = (corner + np.array([self.x, self.y])) * self.microns_per_degree
        return matrix

    def __repr__(self) -> str:
        return (
            f"Field({self.height} x {self.width} pixels, depth {self.depth:g} µm, slice {self.slice_id}, "
            f"ROI {', '.join(str(roi) for roi in self.roi_ids)}, centre y {self.y:g}, x {self.x:g} degrees)"
        )

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from scanreader.view.html import field_html  # noqa: PLC0415 - it stands on this module

        return field_html(self)


# ------------------------------------------------------- fields on a page


class PageScan(NamedTuple):
    """What the header says of how fields follow each other down a page."""

    height: int
    width: int
    resonant: bool
    bidirectional: bool
    flyto_seconds: float
    scanner_frequency: float
    lines_per_row: int = 1
    evenly_sampled: bool = False

    @property
    def lines_per_period(self) -> int:
        """Lines that are scanned in one period of the mirror."""
        return 2 if self.bidirectional else 1

    @property
    def gap(self) -> int:
        """Lines between two fields, by the rule of ScanImage's engine: whole periods of the mirror.

        Its ``ceil`` has a tolerance, since the header's 6 digits may lift an exact period above itself
        (section 7.2 of the format reference).
        """
        if not self.resonant:
            return 0
        periods = self.flyto_seconds * self.scanner_frequency * (1 - 1e-4)
        if not math.isfinite(periods):
            raise LayoutError(
                "the header does not say how long the scanner flies between fields (flytoTimePerScanfield "
                f"{self.flyto_seconds}, scannerFrequency {self.scanner_frequency}); raw=True reads the pages"
            )
        return math.ceil(periods) * self.lines_per_period


class Slot(NamedTuple):
    """A scanfield that is recorded at a slice, with the ROI that it belongs to."""

    roi: int
    shape: Scanfield


def lay_out(slots_of_slices: Sequence[Sequence[Slot]], page: PageScan) -> tuple[list[list[Piece]], list[Finding]]:
    """Find where the fields of each slice stand in its pages, and check that against the page's height.

    Parameters
    ----------
    slots_of_slices : list of lists of Slot
        For each slice, what is scanned there, in order.
    page : PageScan

    Returns
    -------
    pieces : list of lists of Piece
        One for each slot.
    findings : list of Finding

    Raises
    ------
    LayoutError
        If the fields and the gaps between them do not make up the page.
    """
    findings: list[Finding] = []
    gap = _confirmed_gap(slots_of_slices, page, findings)
    n = page.lines_per_row
    widths = {slot.shape.width for slots in slots_of_slices for slot in slots}
    as_page = page.resonant and (len(widths) == 1 or page.evenly_sampled)
    if not as_page and max(widths) != page.width:
        raise LayoutError(
            f"the pages are {page.width} pixels wide, the widest field {max(widths)}; raw=True reads the pages"
        )
    if as_page and widths != {page.width} and not page.evenly_sampled:
        said = f"fields are {min(widths)} pixels wide by the header; the pages are {page.width} wide"
        findings.append(Finding("header-mismatch", "warning", "", said))
    if page.resonant and not as_page:
        said = (
            f"ROIs are {min(widths)} to {max(widths)} pixels wide on a resonant scanner, "
            "which no known recording has: the narrower are taken from the left edge of the page"
        )
        findings.append(Finding("unusual-rois", "warning", "", said))
    laid_out = []
    for slots in slots_of_slices:
        pieces, line = [], 0
        for roi, shape in slots:
            if line % n or shape.height % n:
                raise LayoutError(
                    f"{n} lines were averaged into a row, which a field of {shape.height} lines that begins at "
                    f"line {line} does not allow; raw=True reads the pages as they lie"
                )
            width = page.width if as_page else shape.width
            pieces.append(Piece(roi, shape.height // n, width, line // n, 0, 0, 0, line))
            line += shape.height + gap
        laid_out.append(pieces)
    return laid_out, findings


def _confirmed_gap(slots_of_slices: Sequence[Sequence[Slot]], page: PageScan, findings: list[Finding]) -> int:
    """Gap by the rule, confirmed by the page's height; where they differ by a mirror period, the height's."""
    rule = page.gap
    sums = [(sum(slot.shape.height for slot in slots), len(slots)) for slots in slots_of_slices]
    total, count = max(sums, key=lambda pair: pair[0] + (pair[1] - 1) * rule)
    lines = page.height * page.lines_per_row
    averaged = f" ({page.lines_per_row} lines averaged into each)" if page.lines_per_row > 1 else ""
    if count > 1:
        seen = (lines - total) / (count - 1)
        near = abs(seen - rule) <= (page.lines_per_period if page.resonant else 0)
        if seen >= 0 and seen == int(seen) and near:
            if seen != rule:
                said = f"the gap between fields is {int(seen)} lines by the page's height and {rule} by the header"
                findings.append(Finding("header-mismatch", "warning", "", said))
            return int(seen)
        measured = f"that leaves {seen:g} lines for each of {count - 1} gaps, where the header says {rule}"
    elif total == lines:
        return rule
    else:
        measured = "and there is no gap"
    raise LayoutError(
        f"the pages have {page.height} rows{averaged}, the {count} fields of the fullest slice {total} lines: "
        f"{measured}. The set of fields or the page's layout is not known; raw=True reads the pages as they lie"
    )


# ---------------------------------------------------------------- trimming, joining


def trimmed(field: Field, trim: Trim) -> Field:
    """Leave out pixels at the edges of a field that is one ROI.

    Raises
    ------
    ScanIndexError
        If nothing is left.
    """
    height, width = field.height - trim.top - trim.bottom, field.width - trim.left - trim.right
    if min(height, width) < 1:
        raise ScanIndexError(
            f"trimming {trim.top} + {trim.bottom} rows and {trim.left} + {trim.right} columns leaves nothing of a "
            f"field of {field.height} x {field.width} pixels"
        )
    (piece,) = field.pieces
    piece = piece._replace(
        height=height,
        width=width,
        page_y=piece.page_y + trim.top,
        page_x=piece.page_x + trim.left,
        trim=piece.trim + trim,
    )
    return _edged(replace(field, pieces=(piece,), height=height, width=width), field, trim)


def _edged(less: Field, field: Field, trim: Trim) -> Field:
    """Give a field that lost its edges its place in the sample; its pixels keep their size."""
    pixel_y, pixel_x = field.height_in_degrees / field.height, field.width_in_degrees / field.width
    inward = np.array([(trim.left - trim.right) / 2 * pixel_x, (trim.top - trim.bottom) / 2 * pixel_y])
    x, y = field._turn @ inward  # noqa: SLF001 - of this module
    return replace(
        less,
        y=field.y + float(y),
        x=field.x + float(x),
        height_in_degrees=less.height * pixel_y,
        width_in_degrees=less.width * pixel_x,
    )


def join_contiguous(fields: Iterable[Field], trim: Trim = UNTRIMMED) -> list[Field]:
    """Join fields of one slice that touch and share that side's size, until none do.

    Sides must be equal in degrees and in pixels, pixels of one size, fields unrotated. With `trim`, each has
    lost its edges before: what touched is still joined, and the lost edges leave no gap.
    """
    joined: list[Field] = []
    for _, group in itertools.groupby(fields, key=lambda field: field.slice_id):
        whole = list(group)
        joined.extend(_join_slice(whole, [trimmed(field, trim) for field in whole] if any(trim) else whole, trim))
    return joined


def _join_slice(fields: list[Field], less: list[Field], trim: Trim) -> list[Field]:
    """Join the fields of `less` as those of `fields` touch, which are the same before they lost their edges."""
    for i, j in itertools.combinations(range(len(fields)), 2):
        side = _touching(fields[i], fields[j])
        if side is None or (less[i].width if side.down else less[i].height) != (
            less[j].width if side.down else less[j].height
        ):
            continue
        both = _pasted(fields[i], fields[j], side)
        lesser = _edged(_pasted(less[i], less[j], side), both, trim) if any(trim) else both
        rest = [[*some[:i], one, *some[i + 1 : j], *some[j + 1 :]] for some, one in ((fields, both), (less, lesser))]
        return _join_slice(rest[0], rest[1], trim)
    return less


class _Side(NamedTuple):
    """How two fields touch."""

    down: bool
    """Whether one is below the other, not beside it."""
    swapped: bool
    """Whether the second comes first."""


def _touching(a: Field, b: Field) -> _Side | None:
    """Tell how two fields touch; None if they do not."""
    if a.rotation or b.rotation:
        return None
    pixel = (a.height_in_degrees / a.height, a.width_in_degrees / a.width)
    if not np.allclose(pixel, (b.height_in_degrees / b.height, b.width_in_degrees / b.width), rtol=1e-4, atol=0):
        return None
    slack_y, slack_x = pixel[0] / 10, pixel[1] / 10  # touching sides agree to a tenth of a pixel
    same_column = a.width == b.width and abs(a.x - b.x) < slack_x
    same_row = a.height == b.height and abs(a.y - b.y) < slack_y
    same_width = math.isclose(a.width_in_degrees, b.width_in_degrees, rel_tol=1e-4)
    same_height = math.isclose(a.height_in_degrees, b.height_in_degrees, rel_tol=1e-4)
    apart_y = (a.height_in_degrees + b.height_in_degrees) / 2
    apart_x = (a.width_in_degrees + b.width_in_degrees) / 2
    if same_column and same_width and abs(abs(a.y - b.y) - apart_y) < slack_y:
        return _Side(down=True, swapped=b.y < a.y)
    if same_row and same_height and abs(abs(a.x - b.x) - apart_x) < slack_x:
        return _Side(down=False, swapped=b.x < a.x)
    return None


def _pasted(a: Field, b: Field, side: _Side) -> Field:
    """Put two fields together: the pieces of the second move down or to the right."""
    first, second = (b, a) if side.swapped else (a, b)
    down, right = (first.height, 0) if side.down else (0, first.width)
    moved = tuple(p._replace(output_y=p.output_y + down, output_x=p.output_x + right) for p in second.pieces)
    pieces = {id(first): first.pieces, id(second): moved}
    name = " + ".join(dict.fromkeys(name for name in (a.name, b.name) if name))
    both = replace(a, pieces=pieces[id(a)] + pieces[id(b)], name=name)
    if side.down:
        tall = a.height_in_degrees + b.height_in_degrees
        y = first.y + second.height_in_degrees / 2
        return replace(both, height=a.height + b.height, height_in_degrees=tall, y=y)
    wide = a.width_in_degrees + b.width_in_degrees
    return replace(both, width=a.width + b.width, width_in_degrees=wide, x=first.x + second.width_in_degrees / 2)
