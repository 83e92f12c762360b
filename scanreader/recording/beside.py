"""Files that ScanImage wrote beside those of a recording: which they are, and which frames their rows are about."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.errors import PathnameError
from scanreader.files.opening import open_file
from scanreader.files.urls import is_url
from scanreader.recording.bout_frames import bout_of_pages
from scanreader.recording.frames import times_at
from scanreader.scanimage.descriptions import NUMBERS_END, frame_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scanreader.keys import IndexArray
    from scanreader.recording.numbering import Part
    from scanreader.recording.opened import Opened
    from scanreader.recording.times import Times

MISSING = -1
COMPARED = 16  # rows whose times are compared with those of their frames
FRAMES_APART = 2  # frames (volumes) that the time of a row and of its frame may differ by


class Acquisition(NamedTuple):
    """The files of one acquisition, by ScanImage's names."""

    number: int
    """In the scan, from 0: the column ``bout`` of tables."""
    recording: int
    is_grab: bool
    path: str
    """Of its first file."""
    stem: str
    counter: str
    """As it is in the names; '' if they have none."""

    def beside(self, pattern: str) -> str:
        """Path of a file beside it, by a pattern with the stem and the counter."""
        name = pattern.format(stem=self.stem, counter=self.counter)
        if is_url(self.path):
            return f"{self.path.rpartition('/')[0]}/{name}"
        return str(Path(self.path).with_name(name))


class SideFile(NamedTuple):
    """A file beside an acquisition, and the acquisitions that it is about."""

    name: str
    data: bytes
    bouts: tuple[int, ...]
    """A loop has one file, which has the counter of its first acquisition."""
    has_header: bool
    """Whether the scan's header is that of its recording: where several were joined, it is that of the first."""

    @property
    def text(self) -> str:
        """Its text."""
        return self.data.decode("utf-8", errors="replace").removeprefix("\ufeff")


class FramesByNumber(NamedTuple):
    """Frames of a scan by ScanImage's numbers of them, sorted by these."""

    numbers: IndexArray
    frames: IndexArray
    slices: IndexArray
    bouts: IndexArray
    averaging: IndexArray
    """Raw frames that were averaged into each, which bouts may differ in."""

    def find(self, numbers: IndexArray, bouts: Sequence[int]) -> IndexArray:
        """Places in these lists of the frames with some raw frame numbers, in some acquisitions; -1 if there is none.

        An averaged frame has the number of the last of its raw frames, and is found by that of each.
        """
        rows = np.flatnonzero(np.isin(self.bouts, bouts))
        if not rows.size:
            return np.full(len(numbers), MISSING)
        at = np.minimum(np.searchsorted(self.numbers[rows], numbers), rows.size - 1)
        distance = self.numbers[rows][at] - numbers
        return np.where((distance >= 0) & (distance < self.averaging[rows][at]), rows[at], MISSING)


def acquisitions_of(opened: Opened) -> list[Acquisition]:
    """The acquisitions of a scan, in order: its bouts."""
    acquisitions: list[Acquisition] = []
    part_before: Part | None = None
    for part, file in zip(opened.parts, opened.pages.files, strict=True):
        if not part.follows(part_before):
            stem, counter = _stem_and_counter(part)
            is_grab = part.is_grab is not False
            acquisitions.append(Acquisition(len(acquisitions), part.recording, is_grab, file.path, stem, counter))
        part_before = part
    return acquisitions


def _stem_and_counter(part: Part) -> tuple[str, str]:
    """The stem of a file's name and the acquisition's counter, as `naming` takes them apart."""
    name = re.sub(r"_chn\d+\Z", "", Path(part.name).stem)
    pattern = r"(.*?)_?(\d{1,18})" + ("" if part.number is None else r"_\d{1,18}")
    match = re.fullmatch(pattern, name) if part.acquisition is not None else None
    return (match[1], match[2]) if match else (name, "")


def side_files(opened: Opened, pattern: str) -> list[SideFile]:
    """Read the files beside a recording with the names of its acquisitions.

    Parameters
    ----------
    opened : Opened
    pattern : str
        Of the names, with ``{stem}`` and ``{counter}``.

    Raises
    ------
    PathnameError
        If a file is there and cannot be read.
    """
    acquisitions = acquisitions_of(opened)
    contents = [_content(acquisition, pattern) for acquisition in acquisitions]
    files = []
    for acquisition, content in zip(acquisitions, contents, strict=True):
        if content is not None:
            name = pattern.format(stem=acquisition.stem, counter=acquisition.counter)
            bouts = [acquisition.number]
            for next_acquisition in acquisitions[acquisition.number + 1 :]:
                is_of_loop = next_acquisition.recording == acquisition.recording and not next_acquisition.is_grab
                if not is_of_loop or contents[next_acquisition.number] is not None:
                    break
                bouts.append(next_acquisition.number)
            files.append(SideFile(name, content, tuple(bouts), acquisition.recording == 0))
    return files


def names_beside(opened: Opened, patterns: Sequence[str]) -> list[list[str]]:
    """Names of the files beside a local recording, for each of some patterns; they are not opened."""
    acquisitions = [
        acquisition for acquisition in acquisitions_of(opened) if acquisition.counter and not is_url(acquisition.path)
    ]
    folders = {Path(acquisition.path).parent for acquisition in acquisitions}
    names_in_folder = {folder: _names_in(folder) for folder in folders}
    expected = [[Path(acquisition.beside(pattern)) for acquisition in acquisitions] for pattern in patterns]
    return [[path.name for path in paths if path.name in names_in_folder[path.parent]] for paths in expected]


def _names_in(folder: Path) -> set[str]:
    """Names in a folder; none if it cannot be searched."""
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


def _content(acquisition: Acquisition, pattern: str) -> bytes | None:
    """Bytes of a file beside an acquisition; None if there is none."""
    path = acquisition.beside(pattern)
    if not acquisition.counter or not (is_url(path) or Path(path).exists()):
        return None
    try:
        with open_file(path) as file:
            return bytes(file.read(0, file.size))
    except PathnameError:
        if is_url(path):  # where nothing can tell beforehand whether it is there
            return None
        raise


def frames_by_number(scan: Times) -> FramesByNumber:
    """Find ScanImage's number of each frame of each slice of a scan; few descriptions are read."""
    slices = range(0 if scan.opened.is_raw else scan.num_scanning_depths)  # pages have no numbers of their own
    numbers = [scan.raw_frame_numbers(i) for i in slices]
    pages = [scan.frame_indices(i, pages=True) for i in slices]
    empty_array = np.empty(0, np.int64)
    all_numbers, all_pages = np.concatenate([empty_array, *numbers]), np.concatenate([empty_array, *pages])
    frames = np.concatenate([empty_array, *(np.arange(len(slice_numbers)) for slice_numbers in numbers)])
    slice_ids = np.repeat(np.arange(len(numbers)), [len(slice_numbers) for slice_numbers in numbers])
    order = np.argsort(all_numbers, kind="stable")
    bouts = bout_of_pages(scan.opened, all_pages)
    averaging = averaging_of_bouts(scan.opened)[bouts]
    return FramesByNumber(all_numbers[order], frames[order], slice_ids[order], bouts[order], averaging[order])


def averaging_of_bouts(opened: Opened) -> IndexArray:
    """Raw frames that were averaged into each frame of each bout."""
    return np.array([opened.averaging_of(opened.parts[bout.part]) for bout in opened.bouts], np.int64)


def bouts_of_numbers(opened: Opened, numbers: IndexArray, bouts: Sequence[int]) -> IndexArray:
    """Acquisition of each raw frame number, among those of a loop, in which the numbers run on."""
    if len(bouts) == 1:
        return np.full(len(numbers), bouts[0])
    pages = np.array([opened.parts[opened.bouts[k].part].first for k in bouts[1:]], np.int64)
    texts = opened.pages.descriptions(pages, NUMBERS_END)
    first_numbers = np.array([frame_numbers(text).frame or 0 for text in texts], np.int64)  # without a number, unknown
    start_numbers = np.maximum.accumulate(first_numbers - averaging_of_bouts(opened)[list(bouts[1:])] + 1)
    return np.asarray(np.array(bouts)[np.searchsorted(start_numbers, numbers, side="right")])


def refuse_foreign_times(
    scan: Times, numbered_frames: FramesByNumber, file: str, places: IndexArray, times: npt.NDArray[np.float64]
) -> None:
    """Compare the times of some rows with those of their frames.

    Parameters
    ----------
    places : int array of shape (rows,)
        Of the rows' frames, by `FramesByNumber.find`.
    times : array of shape (rows,)
        In s, on the clock of the scan.

    Raises
    ------
    PathnameError
        If they differ by more than two frames (volumes): the file is of another recording.
    """
    rows = np.flatnonzero((places != MISSING) & np.isfinite(times))
    if not rows.size or scan.timestamps_source != "file":
        return
    tolerances = _tolerances(scan)
    for row in np.unique(rows[np.linspace(0, rows.size - 1, COMPARED).astype(int)]).tolist():
        place = places[row]
        frame = numbered_frames.frames[place : place + 1]
        (expected,) = times_at(scan.opened, int(numbered_frames.slices[place]), frame).tolist()
        if abs(expected - times[row]) > tolerances[numbered_frames.bouts[place]]:
            raise PathnameError(
                f"{file} is of another recording: it has frame {numbered_frames.numbers[place]} at {times[row]:g} s, "
                f"which was scanned at {expected:g} s; move it away, or rename it"
            )


def _tolerances(scan: Times) -> list[float]:
    """How far apart the times of a row and of its frame may be, in s, in each bout."""
    own_rate, averaging = scan.scan_frame_rate, averaging_of_bouts(scan.opened).tolist()
    rate = scan.scan_volume_rate if scan.stack.mode == "fast" else own_rate
    first_tolerance = FRAMES_APART * averaging[0] / rate if 0 < rate < math.inf else 1.0
    rates = [own_rate if bout.raw_rate is None else bout.raw_rate for bout in scan.opened.bouts]
    slowness = [a / averaging[0] * (own_rate / r if r > 0 else 1.0) for a, r in zip(averaging, rates, strict=True)]
    return [first_tolerance * (factor if 0 < factor < math.inf else 1.0) for factor in slowness]
