"""The offset between the two directions of scanning: estimated when asked for, taken out when it is given.

>>> import scanreader, scanreader.phase
>>> scan = scanreader.read_scan("/data/my_scan_*.tif")  # doctest: +SKIP
>>> found = scanreader.phase.estimate_line_offset(scan)  # doctest: +SKIP
>>> scanreader.phase.realigned(scan, found.offset)[0]  # doctest: +SKIP

Where lines are scanned in both directions and the microscope's timing is a little off, lines that were scanned
backwards show everything displaced along the line, against those that were scanned forwards. That displacement is the
offset, in pixels: **what a forward line shows at column x, a backward line shows at column x + offset**. Line 0 of a
page is forward. Nothing of this is done to what `read_scan` gives.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from scanreader.chunks import frames_at_a_time
from scanreader.errors import ScanKeyError
from scanreader.keys import as_integer
from scanreader.recording.base import BaseScan
from scanreader.recording.realigned import backward_rows, realigning, refuse_one_direction

if TYPE_CHECKING:
    from scanreader.keys import IndexArray
    from scanreader.recording.fields import Field

S = TypeVar("S", bound=BaseScan)
FloatArray = npt.NDArray[np.float64]

AT_A_TIME = 64 << 20  # bytes of pixels that are held at once
GROUPS = 16  # parts of the frames whose pictures are compared with each other
BANDS = 32  # parts of the lines that are compared with each other
LINES = 4  # backward lines between two forward ones, at least: fewer tell nothing of the uncertainty
COLUMNS = 8  # of a field, at least
# The rest was chosen by the errors of simulated pictures: benchmarks/line_offset.py.
FINE = 1.0  # pixels (sigma) of the blur that lines are compared under: what varies more quickly is mostly noise
COARSE = 1.5  # periods in a line's width: what varies more slowly is illumination
STEP = 0.5  # pixels between the offsets that are tried first
SURE = 5.0  # standard deviations that the likeness of lines stands above that of noise: by chance, 1 in 10000 does
RIVAL = 0.8  # how alike another offset may make the lines, as a part of the best: nearly all pictures have below 0.6


class LineOffset(NamedTuple):
    """An offset between scan directions, for each field and channel."""

    offset: FloatArray
    """In pixels, of shape (fields, channels): NaN where the pictures do not tell."""

    uncertainty: FloatArray
    """Standard error of the offset, in pixels; infinite where that is NaN."""


# ------------------------------------------------------------------------ directions


def is_backward(field: Field) -> npt.NDArray[np.bool_]:
    """Tell which pixels of a field were scanned backwards, of shape (height, width).

    A resonant mirror goes on swinging while the scanner flies from field to field, so a line's direction is that of
    its number in the page, the lines between fields counted. Galvos begin each field with a forward line.

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    """
    refuse_one_direction(field)
    backward = np.zeros((field.height, field.width), np.bool_)
    for piece, ys, xs in zip(field.pieces, field.output_yslices, field.output_xslices, strict=True):
        backward[ys, xs] = backward_rows(field, piece, np.arange(piece.height))[:, None]
    return backward


# ------------------------------------------------------------------------ estimating


def estimate_line_offset(scan: BaseScan, *, frames: int = 256, largest: int = 8) -> LineOffset:
    """Estimate the offset between scan directions, for each field and channel.

    Each backward line of the mean picture is compared with the mean of the forward lines above and below it; the
    offset is where they are most alike, to a small part of a pixel. It is NaN rather than guessed: of fields that are
    blank or too noisy, of less than 9 rows or 8 columns, or where two offsets would do. The same scan gives the same
    numbers each time.

    Parameters
    ----------
    scan : Scan
    frames : int
        How many frames are read, spread evenly over the recording; fewer if it has fewer.
    largest : int
        In pixels: offsets of that size and beyond are not looked for. Never beyond a quarter of a field's width.

    Returns
    -------
    LineOffset
        The uncertainty is a standard error, from how much parts of the frames and parts of the lines disagree. In
        simulations 7 of 10 errors are smaller than it, and 19 of 20 smaller than twice that.

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    ScanKeyError
        If `frames` or `largest` is less than 1.
    """
    if min(as_integer(frames, "frames"), as_integer(largest, "largest")) < 1:
        raise ScanKeyError(f"frames and largest are at least 1, not {frames} and {largest}")
    for field in scan.fields:
        refuse_one_direction(field)
    chosen = np.unique(np.linspace(0, scan.num_frames - 1, min(frames, scan.num_frames)).round().astype(np.int64))
    found = np.array(
        [
            [_of_field(field, _pictures(scan, i, channel, chosen), largest) for channel in range(scan.num_channels)]
            for i, field in enumerate(scan.fields)
        ]
    ).reshape(scan.num_fields, scan.num_channels, 2)
    return LineOffset(found[..., 0], found[..., 1])


UNKNOWN = (math.nan, math.inf)


def _pictures(scan: BaseScan, field: int, channel: int, frames: IndexArray) -> npt.NDArray[np.float32]:
    """Mean pictures of parts of the frames, one after the other, of shape (parts, y, x)."""
    shape = scan.fields[field]
    step = frames_at_a_time(shape.height * shape.width * scan.dtype.itemsize, AT_A_TIME)
    pictures = []
    for part in np.array_split(frames, min(GROUPS, len(frames))):
        total = np.zeros((shape.height, shape.width))
        for start in range(0, len(part), step):
            total += scan[field, :, :, channel, part[start : start + step]].sum(axis=-1, dtype=np.float64)
        if np.isfinite(total).all():  # damaged pages may be filled with NaN
            pictures.append((total / len(part)).astype(np.float32))
    return np.array(pictures, np.float32).reshape(-1, shape.height, shape.width)


def _of_field(field: Field, pictures: npt.NDArray[np.float32], largest: int) -> tuple[float, float]:
    """Offset and uncertainty from pictures of one channel; pieces that were joined count by what they know."""
    each = []
    for piece, ys, xs in zip(field.pieces, field.output_yslices, field.output_xslices, strict=True):
        rows = np.flatnonzero(backward_rows(field, piece, np.arange(piece.height)))
        between = rows[(rows > 0) & (rows < piece.height - 1)]
        each.append(_of_lines(_Lines.of(pictures[:, ys, xs], between), min(largest, piece.width // 4)))
    known = np.array([pair for pair in each if math.isfinite(pair[1])])
    if not known.size:
        return UNKNOWN
    weight = known[:, 1] ** -2.0
    return float((known[:, 0] * weight).sum() / weight.sum()), float(weight.sum() ** -0.5)


class _Lines(NamedTuple):
    """Backward lines, and the mean of the forward lines above and below each, in the same columns."""

    forward: FloatArray
    """Of shape (parts of the frames, lines, columns)."""
    backward: FloatArray

    @classmethod
    def of(cls, pictures: npt.NDArray[np.float32], rows: IndexArray) -> _Lines:
        whole = pictures.astype(np.float64)
        return cls((whole[:, rows - 1] + whole[:, rows + 1]) / 2, whole[:, rows])

    def part(self, i: int) -> _Lines:
        return _Lines(self.forward[i], self.backward[i])

    def without(self, i: int) -> _Lines:
        """Mean over the frames but for a part of them."""
        return _Lines(*(np.delete(lines, i, axis=0).mean(axis=0) for lines in self))

    def mean(self) -> _Lines:
        return _Lines(*(lines.mean(axis=0) for lines in self))


def _of_lines(parts: _Lines, largest: int) -> tuple[float, float]:
    """Offset and uncertainty of the lines of one rectangle."""
    many, number, width = parts.forward.shape
    if not many or number < LINES or width < COLUMNS:
        return UNKNOWN
    lines, length = parts.mean(), width - largest - 1
    start = _most_alike(lines, largest, length)
    offset = None if start is None else _crossing(lines, start, length)
    if offset is None:
        return UNKNOWN
    around = [_compare(lines, offset + side, length)[1] for side in (-0.1, 0.1)]
    slopes = (around[1] - around[0]) / 0.2
    alike = np.concatenate([_compare(parts.part(i), offset, length)[0] for i in range(many)])
    if slopes.sum() >= 0 or not alike.sum() > SURE * math.sqrt((alike**2).sum()):
        return UNKNOWN
    by_lines = _spread_of_lines(_compare(lines, offset, length)[1], slopes)
    by_frames = 0.0
    if many > 1:
        left = np.array([_compare(parts.without(i), offset, length)[1].sum() for i in range(many)]) / slopes.sum()
        by_frames = math.sqrt((many - 1) / many * ((left - left.mean()) ** 2).sum())
    return offset, max(by_lines, by_frames)


def _spread_of_lines(scores: FloatArray, slopes: FloatArray) -> float:
    """Standard error by how much bands of lines disagree, each with what it alone decides taken off."""
    bands = min(BANDS, len(scores))
    band = np.arange(len(scores)) * bands // len(scores)
    share = np.minimum(np.bincount(band, slopes, bands) / slopes.sum(), 0.9)
    pulls = np.bincount(band, scores, bands) / slopes.sum() / (1 - share)
    return math.sqrt((bands - 1) / bands * (pulls**2).sum())


def _most_alike(lines: _Lines, largest: int, length: int) -> float | None:
    """Offset at which lines are most alike, to half a pixel; None if it is at the end, or another does as well."""
    tried = np.arange(-largest, largest + STEP / 2, STEP)
    alike = np.array([_likeness(lines, offset, length) for offset in tried])
    best = int(alike.argmax())
    if best in (0, len(tried) - 1):
        return None
    far = np.abs(tried - tried[best]) > 3 * STEP
    peaks = far & (alike >= np.append(alike[1:], -np.inf)) & (alike >= np.append(-np.inf, alike[:-1]))
    rivals = alike[peaks]
    return None if (rivals > RIVAL * alike[best]).any() else float(tried[best])


def _crossing(lines: _Lines, start: float, length: int) -> float | None:
    """Where the likeness does not change any more, near a start; None if it is not there."""
    low, high = start - 1.5 * STEP, start + 1.5 * STEP
    if not _compare(lines, low, length)[1].sum() > 0 > _compare(lines, high, length)[1].sum():
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _compare(lines, middle, length)[1].sum() > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _likeness(lines: _Lines, offset: float, length: int) -> float:
    """Correlation of the lines that are the same at an offset: at most 1, at any brightness."""
    omega, forward, backward = _spectra(lines, offset, length)
    power = math.sqrt((np.abs(forward) ** 2).sum() * (np.abs(backward) ** 2).sum())
    return float(((forward.conj() * backward) @ np.exp(1j * omega * offset)).real.sum() / power) if power else 0.0


def _compare(lines: _Lines, offset: float, length: int) -> tuple[FloatArray, FloatArray]:
    """Tell how alike each pair of lines is at an offset, and how that changes with it."""
    omega, forward, backward = _spectra(lines, offset, length)
    cross, turn = forward.conj() * backward, np.exp(1j * omega * offset)
    return (cross @ turn).real, (cross @ (1j * omega * turn)).real


def _spectra(lines: _Lines, offset: float, length: int) -> tuple[Any, Any, Any]:
    """Frequencies, and spectra of the lines under windows that are `offset` apart.

    Since the windows go with what they look at, they do not pull the offset towards 0.
    """
    width = lines.forward.shape[-1]
    size = 1 << (2 * width - 1).bit_length()
    omega = 2 * np.pi * np.fft.rfftfreq(size)
    kept = omega >= 2 * np.pi * COARSE / length
    blur = np.exp(-((omega[kept] * FINE) ** 2) / 2)
    spectra = []
    for line, side in ((lines.forward, -0.5), (lines.backward, 0.5)):
        across = (np.arange(width) - (width - 1) / 2 - side * offset) / length
        window = np.where(np.abs(across) < 0.5, np.cos(np.pi * across) ** 2, 0.0)
        level = line @ window / window.sum()
        spectra.append(np.fft.rfft((line - level[..., None]) * window, size)[..., kept] * blur)
    return omega[kept], spectra[0], spectra[1]


# ------------------------------------------------------------------------ taking it out


def realigned(scan: S, offsets: npt.ArrayLike, *, fill_value: float = 0) -> S:
    """Make a scan whose backward lines are moved back by an offset that is given; it reads as lazily as the first.

    The pixel at column x of a backward line is what was recorded at column x + offset; forward lines are as they
    were. Whole offsets move pixels and change no value. Otherwise the pixel is interpolated, linearly between its two
    neighbours, and rounded to the nearest integer (halves to even) where the scan has integers; one that was opened
    with ``dtype=np.float32`` has the fractions. What was not recorded, at one end of each backward line, is filled.
    Fields that were joined keep such a seam between their pieces, since each was scanned by itself.

    Parameters
    ----------
    scan : Scan
    offsets : float, or array of shape (fields, channels)
        In pixels, as `estimate_line_offset` gives them.
    fill_value : number
        What integers are filled with; floats with NaN.

    Returns
    -------
    Scan
        Of the same shape, dtype and fields; all that a scan can do it does with the lines in
        place, but for what is of the pixels as they were recorded: `report`, `byte_places` and `to_references`. If
        it is trimmed, or the scan was, pixels come in from beyond the new edges: only where the ROI itself ended is
        something to fill.

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    ScanKeyError
        If the offsets are not numbers, one for all or one for each field and channel, or larger than a field is wide;
        or if the scan was realigned before.
    DtypeError
        If the pixels cannot be `fill_value`.
    """
    return scan.view(realigning(offsets, fill_value))
