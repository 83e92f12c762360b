"""Tables of what ScanImage computed while it recorded: values of integration ROIs, and motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import PathnameError
from scanreader.keys import abbreviate
from scanreader.recording.beside import MISSING, bouts_of_numbers, frames_by_number, refuse_foreign_times, side_files
from scanreader.scanimage.integration import IntegrationRoi, parse_integration
from scanreader.scanimage.motion import parse_motion

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scanreader.keys import IndexArray
    from scanreader.recording.beside import FramesByNumber, SideFile
    from scanreader.recording.times import Times

INTEGRATION, MOTION = "{stem}_IntegrationRois_{counter}.csv", "{stem}_Motion_{counter}.csv"
PLACE: list[tuple[Any, ...]] = [("bout", "<i8"), ("frame", "<i8"), ("frame_number", "<i8"), ("timestamp", "<f8")]
"""Columns that say which frame a row is about."""
MOTION_TABLE: list[tuple[Any, ...]] = [
    ("z", "<f8"),
    ("pixels", "<f8", (3,)),
    ("degrees", "<f8", (3,)),
    ("confidence", "<f8", (3,)),
    ("success", "?"),
]


def read_integration(scan: Times, rois: Sequence[IntegrationRoi], notes: list[str]) -> npt.NDArray[np.void] | None:
    """Read the values of integration ROIs; None if ScanImage wrote none."""
    files = side_files(scan.opened, INTEGRATION)
    if not files:
        return None
    rows_of_files = [parse_integration(file.text, file.name, rois, notes, has_header=file.has_header) for file in files]
    names_of_files = [_unique_names(rows.names) for rows in rows_of_files]
    names = list(dict.fromkeys(name for own_names in names_of_files for name in own_names))
    table = np.zeros(sum(len(rows.timestamps) for rows in rows_of_files), [*PLACE, *((name, "<f8") for name in names)])
    for name in names:
        table[name] = np.nan
    numbered_frames, start = frames_by_number(scan), 0
    for file, rows, own_names in zip(files, rows_of_files, names_of_files, strict=True):
        part = table[start : start + len(rows.timestamps)]
        _place(scan, numbered_frames, file, rows.frame_numbers, rows.timestamps, part)
        for column, name in enumerate(own_names):
            part[name] = rows.values[:, column]
        start += len(part)
    return table


def read_motion(scan: Times, roi_names: set[str], notes: list[str]) -> npt.NDArray[np.void] | None:
    """Read the estimates of motion; None if ScanImage wrote none.

    Parameters
    ----------
    roi_names : set of str
        Of the ROIs that were imaged; empty if unknown.
    """
    files = side_files(scan.opened, MOTION)
    if not files:
        return None
    rows_of_files = [parse_motion(file.text, file.name, notes) for file in files]
    longest_name = max((len(row.roi) for rows in rows_of_files for row in rows), default=1)
    table = np.zeros(sum(map(len, rows_of_files)), [*PLACE, ("roi", f"<U{max(1, longest_name)}"), *MOTION_TABLE])
    numbered_frames, start = frames_by_number(scan), 0
    for file, rows in zip(files, rows_of_files, strict=True):
        _refuse_foreign_rois(file.name, {row.roi for row in rows}, roi_names if file.has_header else set())
        part = table[start : start + len(rows)]
        numbers = np.array([row.frame_number for row in rows], np.int64)
        _place(scan, numbered_frames, file, numbers, np.array([row.timestamp for row in rows], float), part)
        for name in ("roi", *(column[0] for column in MOTION_TABLE)):
            if rows:
                part[name] = [getattr(row, name) for row in rows]
        start += len(part)
    return table


def _refuse_foreign_rois(file: str, names: set[str], roi_names: set[str]) -> None:
    if names and roi_names and not names & roi_names:
        raise PathnameError(
            f"{file} is of another recording: its ROIs are {abbreviate(sorted(names))}, those in the header are "
            f"{abbreviate(sorted(roi_names))}; move it away, or rename it"
        )


def _place(
    scan: Times,
    numbered_frames: FramesByNumber,
    file: SideFile,
    numbers: IndexArray,
    times: npt.NDArray[np.float64],
    part: npt.NDArray[np.void],
) -> None:
    """Fill in which frames the rows of a file are about.

    Raises
    ------
    PathnameError
        If their times cannot be those of these frames.
    """
    places = numbered_frames.find(numbers, file.bouts)
    is_there = places != MISSING
    part["bout"], part["frame"] = bouts_of_numbers(scan.opened, numbers, file.bouts), MISSING
    part["bout"][is_there] = numbered_frames.bouts[places[is_there]]
    zeros, shifts = np.array([(bout.zero, bout.shift) for bout in scan.opened.bouts]).T
    scan_times = (times - zeros[part["bout"]]) + shifts[part["bout"]]
    refuse_foreign_times(scan, numbered_frames, file.name, places, scan_times)
    part["frame_number"], part["timestamp"] = numbers, scan_times
    part["frame"][is_there] = numbered_frames.frames[places[is_there]]


def _unique_names(names: Sequence[str]) -> list[str]:
    """Names of columns: those that are empty or taken get a number."""
    taken_names = {column[0] for column in PLACE}
    unique_names = []
    for place, name in enumerate(names, 1):
        column, number = name or f"column {place}", 2
        while column in taken_names:
            column, number = f"{name} ({number})", number + 1
        taken_names.add(column)
        unique_names.append(column)
    return unique_names
