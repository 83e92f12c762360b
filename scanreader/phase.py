"""The bidirectional phase offset: estimated, and corrected, only on request.

>>> import scanreader, scanreader.phase
>>> scan = scanreader.read_scan("/data/my_scan_*.tif")  # doctest: +SKIP
>>> estimate = scanreader.phase.estimate_line_offset(scan)  # doctest: +SKIP
>>> scanreader.phase.realigned(scan, estimate.offset)[0]  # doctest: +SKIP

Where lines are scanned in both directions and the microscope's timing is slightly off, lines that were scanned
backwards are shifted along the line against those that were scanned forwards. That shift is the bidirectional phase
offset, in pixels: **what a forward line shows at column x, a backward line shows at column x + offset**. Line 0 of a
page is forward. `read_scan` never corrects it.
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
GROUPS = 16  # parts of the frames, whose mean images are compared with each other
BANDS = 32  # bands of lines, which are compared with each other
LINES = 4  # least number of backward lines between forward ones: fewer do not give an uncertainty
COLUMNS = 8  # least width of a field
# The rest was chosen by the errors of simulated images: benchmarks/line_offset.py.
FINE = 1.0  # pixels (sigma) of the blur that lines are compared under: what varies more quickly is mostly noise
COARSE = 1.5  # periods in a line's width: what varies more slowly is illumination
STEP = 0.5  # pixels between the offsets that are tried first
LEAST_SIGNIFICANCE = 5.0  # similarity of lines, in standard deviations of noise: by chance, 1 in 10000 is above
MOST_AMBIGUOUS = 0.8  # correlation at another offset, as a part of the best: nearly all images have below 0.6


class LineOffset(NamedTuple):
    """Bidirectional phase offset of each field and channel."""

    offset: FloatArray
    """Array of shape (fields, channels), in pixels; NaN where it cannot be estimated."""

    uncertainty: FloatArray
    """Standard error of the offset, of shape (fields, channels), in pixels; infinite where the offset is NaN."""


# ------------------------------------------------------------------------ directions


def is_backward(field: Field) -> npt.NDArray[np.bool_]:
    """Mark the pixels of a field that were scanned backwards.

    With a resonant mirror, the direction of a line depends on its number in the page. This number includes the lines
    in the gaps between fields, where the mirror keeps oscillating. Galvos begin each field with a forward line.

    Returns
    -------
    bool array of shape (height, width)

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    """
    refuse_one_direction(field)
    is_backward_pixel = np.zeros((field.height, field.width), np.bool_)
    for piece, ys, xs in zip(field.pieces, field.output_yslices, field.output_xslices, strict=True):
        is_backward_pixel[ys, xs] = backward_rows(field, piece, np.arange(piece.height))[:, None]
    return is_backward_pixel


# ------------------------------------------------------------------------ estimating


def estimate_line_offset(scan: BaseScan, *, frames: int = 256, largest: int = 8) -> LineOffset:
    """Estimate the bidirectional phase offset of each field and channel.

    Each backward line of the mean image is compared with the mean of the forward lines above and below it; the
    offset is where they are most similar, with subpixel precision. It is NaN where it would be a guess: in fields that
    are blank, too noisy, or smaller than 9 rows or 8 columns, or where two offsets fit. The same scan always gives the
    same numbers.

    Parameters
    ----------
    scan : Scan
    frames : int
        Number of frames to read, evenly spaced over the recording; fewer if it has fewer.
    largest : int
        Limit of the search, in pixels: only smaller offsets are considered, in both directions; in narrow fields, only
        those smaller than a quarter of the width.

    Returns
    -------
    LineOffset
        The uncertainty is a standard error, from the spread between groups of frames and bands of lines. In
        simulations, the error was below this value in 7 of 10 cases, and below twice this value in 19 of 20.

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    ScanKeyError
        If `frames` or `largest` is less than 1.
    """
    if min(as_integer(frames, "frames"), as_integer(largest, "largest")) < 1:
        raise ScanKeyError(f"frames and largest must be at least 1, not {frames} and {largest}")
    for field in scan.fields:
        refuse_one_direction(field)
    numbers = np.unique(np.linspace(0, scan.num_frames - 1, min(frames, scan.num_frames)).round().astype(np.int64))
    estimates = np.array(
        [
            [_estimate(field, _mean_images(scan, i, channel, numbers), largest) for channel in range(scan.num_channels)]
            for i, field in enumerate(scan.fields)
        ]
    ).reshape(scan.num_fields, scan.num_channels, 2)
    return LineOffset(estimates[..., 0], estimates[..., 1])


UNKNOWN = (math.nan, math.inf)


def _mean_images(scan: BaseScan, field: int, channel: int, frames: IndexArray) -> npt.NDArray[np.float32]:
    """Mean images of consecutive parts of the frames, of shape (parts, y, x)."""
    shape = scan.fields[field]
    step = frames_at_a_time(shape.height * shape.width * scan.dtype.itemsize, AT_A_TIME)
    images = []
    for part in np.array_split(frames, min(GROUPS, len(frames))):
        total = np.zeros((shape.height, shape.width))
        for start in range(0, len(part), step):
            total += scan[field, :, :, channel, part[start : start + step]].sum(axis=-1, dtype=np.float64)
        if np.isfinite(total).all():  # damaged pages may be filled with NaN
            images.append((total / len(part)).astype(np.float32))
    return np.array(images, np.float32).reshape(-1, shape.height, shape.width)


def _estimate(field: Field, images: npt.NDArray[np.float32], largest: int) -> tuple[float, float]:
    """Offset and uncertainty from mean images of one channel; joined pieces are weighted by their uncertainty."""
    piece_estimates = []
    for piece, ys, xs in zip(field.pieces, field.output_yslices, field.output_xslices, strict=True):
        rows = np.flatnonzero(backward_rows(field, piece, np.arange(piece.height)))
        rows_between = rows[(rows > 0) & (rows < piece.height - 1)]
        piece_estimates.append(
            _estimate_piece(_Lines.of(images[:, ys, xs], rows_between), min(largest, piece.width // 4))
        )
    estimates = np.array([pair for pair in piece_estimates if math.isfinite(pair[1])])
    if not estimates.size:
        return UNKNOWN
    weight = estimates[:, 1] ** -2.0
    return float((estimates[:, 0] * weight).sum() / weight.sum()), float(weight.sum() ** -0.5)


class _Lines(NamedTuple):
    """Backward lines, and the mean of the forward lines above and below each, in the same columns."""

    forward: FloatArray
    """Of shape (parts of the frames, lines, columns)."""
    backward: FloatArray

    @classmethod
    def of(cls, images: npt.NDArray[np.float32], rows: IndexArray) -> _Lines:
        values = images.astype(np.float64)
        return cls((values[:, rows - 1] + values[:, rows + 1]) / 2, values[:, rows])

    def part(self, i: int) -> _Lines:
        return _Lines(self.forward[i], self.backward[i])

    def without(self, i: int) -> _Lines:
        """Mean over all parts of the frames but one."""
        return _Lines(*(np.delete(lines, i, axis=0).mean(axis=0) for lines in self))

    def mean(self) -> _Lines:
        return _Lines(*(lines.mean(axis=0) for lines in self))


def _estimate_piece(parts: _Lines, largest: int) -> tuple[float, float]:
    """Offset and uncertainty of the lines of one piece."""
    num_parts, num_lines, width = parts.forward.shape
    if not num_parts or num_lines < LINES or width < COLUMNS:
        return UNKNOWN
    lines, length = parts.mean(), width - largest - 1
    start = _best_offset(lines, largest, length)
    offset = None if start is None else _refine_offset(lines, start, length)
    if offset is None:
        return UNKNOWN
    derivatives = [_similarity(lines, offset + side, length)[1] for side in (-0.1, 0.1)]
    slopes = (derivatives[1] - derivatives[0]) / 0.2
    similarities = np.concatenate([_similarity(parts.part(i), offset, length)[0] for i in range(num_parts)])
    if slopes.sum() >= 0 or not similarities.sum() > LEAST_SIGNIFICANCE * math.sqrt((similarities**2).sum()):
        return UNKNOWN
    line_spread = _spread_of_lines(_similarity(lines, offset, length)[1], slopes)
    frame_spread = 0.0
    if num_parts > 1:
        scores = np.array([_similarity(parts.without(i), offset, length)[1].sum() for i in range(num_parts)])
        shifts = scores / slopes.sum()
        frame_spread = math.sqrt((num_parts - 1) / num_parts * ((shifts - shifts.mean()) ** 2).sum())
    return offset, max(line_spread, frame_spread)


def _spread_of_lines(scores: FloatArray, slopes: FloatArray) -> float:
    """Standard error from the spread between bands of lines (a jackknife)."""
    bands = min(BANDS, len(scores))
    band = np.arange(len(scores)) * bands // len(scores)
    share = np.minimum(np.bincount(band, slopes, bands) / slopes.sum(), 0.9)
    pulls = np.bincount(band, scores, bands) / slopes.sum() / (1 - share)
    return math.sqrt((bands - 1) / bands * (pulls**2).sum())


def _best_offset(lines: _Lines, largest: int, length: int) -> float | None:
    """Offset of the highest correlation, to half a pixel; None if it is at the limit or ambiguous."""
    offsets = np.arange(-largest, largest + STEP / 2, STEP)
    scores = np.array([_correlation(lines, offset, length) for offset in offsets])
    best_index = int(scores.argmax())
    if best_index in (0, len(offsets) - 1):
        return None
    is_far = np.abs(offsets - offsets[best_index]) > 3 * STEP
    peaks = is_far & (scores >= np.append(scores[1:], -np.inf)) & (scores >= np.append(-np.inf, scores[:-1]))
    return None if (scores[peaks] > MOST_AMBIGUOUS * scores[best_index]).any() else float(offsets[best_index])


def _refine_offset(lines: _Lines, start: float, length: int) -> float | None:
    """Offset near a start where the similarity is largest: its derivative is 0. None if there is none."""
    low, high = start - 1.5 * STEP, start + 1.5 * STEP
    if not _similarity(lines, low, length)[1].sum() > 0 > _similarity(lines, high, length)[1].sum():
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _similarity(lines, middle, length)[1].sum() > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _correlation(lines: _Lines, offset: float, length: int) -> float:
    """Correlation of forward and backward lines at an offset: at most 1, at any brightness."""
    omega, forward, backward = _spectra(lines, offset, length)
    power = math.sqrt((np.abs(forward) ** 2).sum() * (np.abs(backward) ** 2).sum())
    return float(((forward.conj() * backward) @ np.exp(1j * omega * offset)).real.sum() / power) if power else 0.0


def _similarity(lines: _Lines, offset: float, length: int) -> tuple[FloatArray, FloatArray]:
    """Similarity of each pair of lines at an offset, and its derivative."""
    omega, forward, backward = _spectra(lines, offset, length)
    cross_spectra, turn = forward.conj() * backward, np.exp(1j * omega * offset)
    return (cross_spectra @ turn).real, (cross_spectra @ (1j * omega * turn)).real


def _spectra(lines: _Lines, offset: float, length: int) -> tuple[Any, Any, Any]:
    """Frequencies, and spectra of the lines under windows that are `offset` apart.

    The windows move with the lines, so they do not bias the offset towards 0.
    """
    width = lines.forward.shape[-1]
    size = 1 << (2 * width - 1).bit_length()
    omega = 2 * np.pi * np.fft.rfftfreq(size)
    is_in_band = omega >= 2 * np.pi * COARSE / length
    blur = np.exp(-((omega[is_in_band] * FINE) ** 2) / 2)
    spectra = []
    for line, side in ((lines.forward, -0.5), (lines.backward, 0.5)):
        distances = (np.arange(width) - (width - 1) / 2 - side * offset) / length
        window = np.where(np.abs(distances) < 0.5, np.cos(np.pi * distances) ** 2, 0.0)
        level = line @ window / window.sum()
        spectra.append(np.fft.rfft((line - level[..., None]) * window, size)[..., is_in_band] * blur)
    return omega[is_in_band], spectra[0], spectra[1]


# -------------------------------------------------------------------------- correcting


def realigned(scan: S, offsets: npt.ArrayLike | LineOffset, *, fill_value: float = 0) -> S:
    """Make a scan whose bidirectional phase offset is corrected while it reads: backward lines are moved back.

    The pixel at column x of a backward line is what was recorded at column x + offset; forward lines stay. Integer
    offsets move pixels and change no value. Otherwise pixels are interpolated linearly between their two neighbours,
    and rounded to the nearest integer (halves to even) where the scan has integers; a scan that was opened with
    ``dtype=np.float32`` keeps the fractions. At one end of each backward line, pixels that were not recorded are
    filled. In a joined field this also happens at the edge of each piece, since each was scanned separately.

    Parameters
    ----------
    scan : Scan
    offsets : float, array of shape (fields, channels), or LineOffset
        Bidirectional phase offsets, as `estimate_line_offset` gives them, in pixels.
    fill_value : number
        Fill value of integers; floats are filled with NaN.

    Returns
    -------
    Scan
        A scan of the same shape, dtype and fields: indexing and exports give corrected lines. `report`,
        `byte_places` and `to_references` need the pixels as recorded, and raise a LayoutError. In a trimmed scan,
        lines are moved before they are trimmed: pixels are filled only at the edge of the ROI itself.

    Raises
    ------
    HeaderError
        If lines were scanned in one direction, or several were averaged into a row.
    ScanKeyError
        If `offsets` is neither one number nor of shape (fields, channels), if an offset is not finite or exceeds the
        width of its field, or if the scan is realigned already.
    DtypeError
        If the dtype cannot hold `fill_value`.
    """
    return scan.view(realigning(offsets.offset if isinstance(offsets, LineOffset) else offsets, fill_value))
