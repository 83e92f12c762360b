"""When each line and pixel was scanned, in seconds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def line_times(
    width: int, *, resonant: bool, temporal_fill_fraction: float, evenly_sampled: bool = False
) -> npt.NDArray[np.float64]:
    """When each pixel of a line scanned in the forward direction is seen, as a part of the line's period.

    A galvo sweeps the line at constant speed. A resonant mirror follows a sine, and pixels are evenly spaced in
    the sample, so they are crowded in time in the middle of the line (`evenly_sampled` ones are not).

    Parameters
    ----------
    width : int
        Pixels of a line.
    temporal_fill_fraction : float
        The part of the line's period in which pixels are taken.

    Returns
    -------
    float array of shape (width,)
        Between 0 and 1.
    """
    fill = temporal_fill_fraction if 0 < temporal_fill_fraction <= 1 else 1.0
    line_places = (np.arange(width) + 0.5) / max(width, 1) * 2 - 1  # -1 ... 1
    if resonant and not evenly_sampled:
        line_places = np.arcsin(line_places * math.sin(math.pi / 2 * fill)) / (math.pi / 2 * fill)
    return line_places * fill / 2 + 0.5


def backward_lines(first_line: float, rows: npt.NDArray[np.int64], *, resonant: bool) -> npt.NDArray[np.bool_]:
    """Whether rows of a field are scanned backwards, where lines are scanned in both directions.

    A resonant mirror swings on between fields, so the lines of the whole page count. Galvos begin each field with a
    forward line.

    Parameters
    ----------
    first_line : float
        Scan lines of the page before the field's first.
    rows : int array of shape (rows,)
        Rows of the field, from 0.
    """
    return np.asarray(((first_line if resonant else 0) + rows) % 2 == 1)


def pixel_times(
    first_line: float,
    height: int,
    line: npt.NDArray[np.float64],
    *,
    seconds_per_line: float,
    bidirectional: bool,
    resonant: bool,
    lines_per_row: int = 1,
) -> npt.NDArray[np.float64]:
    """When each pixel of a field is seen, in seconds since line 0 began.

    Parameters
    ----------
    first_line : float
        Scan lines before the field's first.
    height : int
        Rows of the field.
    line : float array of shape (width,)
        Times within a forward line; see `line_times`.
    lines_per_row : int
        Scan lines that were averaged into one stored row: the row's time is the middle of theirs.

    Returns
    -------
    float array of shape (height, width)
    """
    rows = first_line + np.arange(height)[:, None] * lines_per_row
    if lines_per_row > 1:
        line_parts = np.broadcast_to(line if not bidirectional else 0.5, (height, line.size))
        return np.asarray((rows + (lines_per_row - 1) / 2 + line_parts) * seconds_per_line)
    line_parts = np.broadcast_to(line, (height, line.size)).copy()
    if bidirectional:
        line_parts[backward_lines(first_line, np.arange(height), resonant=resonant)] = 1 - line
    return np.asarray((rows + line_parts) * seconds_per_line)
