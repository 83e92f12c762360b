"""Every recording under a folder, a row each, from the headers and the first and last pages of their files."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from scanreader.agreement import geometry
from scanreader.errors import PathnameError, ScanReaderError
from scanreader.files.opening import open_file
from scanreader.naming import File, in_order, open_each
from scanreader.paths import SUFFIXES
from scanreader.reader import read_scan, scan_of
from scanreader.recording.atlab import requested_frames
from scanreader.scanimage.blocks import may_be_scanimage
from scanreader.tables import counted
from scanreader.tiff.ifd import NoPageError, read_flavour
from scanreader.view.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from scanreader.scans import Scan

    Progress = Callable[[int, int], object]

Status = Literal["complete", "stopped", "unfinished", "parts missing", "unreadable"]
WORKERS = 16  # recordings that are opened at once: on a share, each waits for a few pages
START = 1 << 16  # bytes of a file in which ScanImage's header begins
SKIPPED_ENDINGS = (".zarr", ".partial")  # ends of names of folders that hold no recording, and may hold a million files


@dataclass(frozen=True)
class FoundRecording:
    """A recording under a folder: what its files say without reading pixels.

    Numbers that are unknown are NaN. A file that cannot be read is a row with the status ``"unreadable"``.
    """

    folder: str
    name: str
    """The names' common start, as the user chose it in ScanImage."""
    files: tuple[str, ...]
    """Paths, in order."""
    missing: tuple[str, ...] = ()
    """Names of the files that are missing between the first and the last of an acquisition or loop."""
    num_bytes: int = 0
    """Size of all files."""
    start_time: datetime | None = None
    """When it began, on the microscope computer's clock; None if unknown."""
    release: str = ""
    mode: str = ""
    """'planar', 'fast' or 'slow'; '' if unreadable."""
    num_fields: int = 0
    heights: tuple[int, ...] = ()
    """Of each field, in pixels."""
    widths: tuple[int, ...] = ()
    """Of each field, in pixels."""
    channels: tuple[int, ...] = ()
    """ScanImage's numbers, from 1."""
    channel_names: tuple[str, ...] = ()
    depths: tuple[float, ...] = ()
    """Of each slice, in µm."""
    num_frames: int = 0
    """Of each field."""
    num_bouts: int = 0
    """Grabs, or acquisitions of a loop."""
    rate: float = math.nan
    """Frames of a field a second."""
    duration: float = math.nan
    """From the start of the first frame to the end of the last, in s."""
    status: Status = "complete"
    sentence: str = ""
    """Why the status is not complete, and what else was noticed; '' if nothing was."""
    joinable: int = 0
    """Equal in recordings that can be bouts of one scan, as their geometry is equal; 0 if no other has the same."""

    def open(self, **options: Any) -> Scan:
        """Open the recording.

        Parameters
        ----------
        **options
            Other parameters of `read_scan`.
        """
        return read_scan(list(self.files), **options)


class _Row(NamedTuple):
    """A row, and the geometry of its recording; '' if it is unreadable."""

    recording: FoundRecording
    geometry: str


@dataclass(frozen=True)
class FoundRecordings(Sequence[FoundRecording]):
    """The recordings under a folder, sorted by folder and start; a sequence of them."""

    root: str
    recordings: tuple[FoundRecording, ...]
    exports: tuple[str, ...]
    """Paths of OME-TIFF files that scanreader wrote."""
    others: tuple[str, ...]
    """Paths of TIFF files that neither ScanImage nor scanreader wrote."""

    def __len__(self) -> int:
        return len(self.recordings)

    @overload
    def __getitem__(self, index: int) -> FoundRecording: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[FoundRecording, ...]: ...
    def __getitem__(self, index: int | slice) -> FoundRecording | tuple[FoundRecording, ...]:
        return self.recordings[index]

    def __str__(self) -> str:
        lines = [f"{counted(len(self), 'recording')} under {self.root}"]
        lines += [f"  {row.folder}: {row.name}, {counted(len(row.files), 'file')}, {row.status}" for row in self]
        return "\n".join(lines)


def find_recordings(root: str | os.PathLike[str], *, progress: Progress | None = None) -> FoundRecordings:
    """Find every recording under a folder, also in the folders in it.

    Of each file, the header, the first description and the last pages are read. Hidden files and folders are skipped,
    and links to folders are followed, each folder once.

    Parameters
    ----------
    root : path
        A folder of this machine.
    progress : callable, optional
        Called as ``progress(opened, total)`` after each file.

    Returns
    -------
    FoundRecordings
        A sequence of `FoundRecording`, sorted by folder and start. Files of one recording are in one folder and agree
        in stem, header and start, as for `read_scan`.

    Raises
    ------
    PathnameError
        If there is no such folder.
    """
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise PathnameError(f"there is no folder {str(root)!r}")
    return recordings_of(_tiffs_under(folder), str(folder), progress=progress)


def recordings_of(paths: Iterable[Path], root: str = "", *, progress: Progress | None = None) -> FoundRecordings:
    """Sort files into recordings; see `find_recordings`."""
    files: dict[tuple[Any, ...], list[File]] = {}
    rows: list[_Row] = []
    empty_files: list[tuple[Path, NoPageError]] = []
    exports: list[str] = []
    other_paths: list[str] = []
    all_paths = list(paths)
    for number, (path, result) in enumerate(zip(all_paths, open_each(all_paths), strict=True), 1):
        if isinstance(result, File) and result.block is not None:
            files.setdefault((path.parent, *result.recording_key), []).append(result)
        elif isinstance(result, NoPageError):
            empty_files.append((path, result))
        elif _is_own(path):
            exports.append(str(path))
        elif isinstance(result, File) or _is_foreign(path):
            other_paths.append(str(path))
        else:
            rows.append(_unreadable_row([path], result))
        if progress is not None:
            progress(number, len(all_paths))
    groups = list(files.values())
    for path, error in empty_files:
        if not any(_is_beside(path, group) for group in groups):
            rows.append(_unreadable_row([path], error))
    with ThreadPoolExecutor(WORKERS) as pool:
        rows += pool.map(_row, groups)
    rows.sort(key=lambda row: _order(row.recording))
    return FoundRecordings(root, _number_geometries(rows), tuple(exports), tuple(other_paths))


def _order(row: FoundRecording) -> tuple[Any, ...]:
    return row.folder, row.start_time is None, row.start_time or 0, row.name, row.files


# ------------------------------------------------------------------------------------ files


def _tiffs_under(root: Path) -> Iterator[Path]:
    """TIFF files of a folder and of the folders in it, sorted; a folder is searched once, whatever links lead to it."""
    identities: set[tuple[int, int]] = set()
    linked_folders: list[Path] = []
    folders = [root]
    while folders or linked_folders:
        folder = (
            folders.pop() if folders else linked_folders.pop(0)
        )  # links last: a folder is listed under its own name
        try:
            status = folder.stat()
            identity = (status.st_dev, status.st_ino)
            entries = [] if identity in identities else sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # it may not be read, or has gone
            continue
        identities.add(identity)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                if not entry.name.lower().endswith(SKIPPED_ENDINGS):
                    (linked_folders if entry.is_symlink() else folders).append(folder / entry.name)
            elif entry.name.lower().endswith(SUFFIXES):
                yield folder / entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _is_own(path: Path) -> bool:
    """Whether a file is an OME-TIFF that scanreader wrote."""
    from scanreader.bridges.kinds import is_own_ome_tiff  # noqa: PLC0415 - rarely needed

    try:
        return is_own_ome_tiff(path)
    except (OSError, ScanReaderError):
        return False


def _is_foreign(path: Path) -> bool:
    """Whether a file that cannot be opened is a TIFF of another program, for example of floats."""
    try:
        with open_file(path) as file:
            read_flavour(file)
            return not may_be_scanimage(file.read(0, START))
    except (OSError, ScanReaderError):
        return False


def _is_beside(path: Path, files: Sequence[File]) -> bool:
    """Whether a file without a page is the last of a recording, which ScanImage began when it was stopped."""
    return path.parent == files[0].path.parent and path.stem.startswith(files[0].name.stem + "_")


# ------------------------------------------------------------------------------------- rows


def _unreadable_row(paths: Sequence[Path], error: object) -> _Row:
    name, folder = paths[0].stem, str(paths[0].parent)
    files = tuple(str(path) for path in paths)
    sizes = sum(map(_size, paths))
    return _Row(FoundRecording(folder, name, files, num_bytes=sizes, status="unreadable", sentence=str(error)), "")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _row(files: list[File]) -> _Row:
    """Open a recording, of which nothing may be readable."""
    paths = [Path(str(file.path)) for file in sorted(files, key=lambda file: str(file.path))]
    try:
        ordered_files = in_order(files)
        scan = scan_of(ordered_files)
        return _Row(_describe(scan, ordered_files), repr(geometry(scan.opened)))
    except (ScanReaderError, OSError) as error:
        return _unreadable_row(paths, error)


def _describe(scan: Scan, files: Sequence[File]) -> FoundRecording:
    missing_names = _missing_names(files, is_loop=scan.opened.parts[0].is_grab is False)
    status, sentence = _status(scan, missing_names)
    bouts = scan.opened.bouts
    return FoundRecording(
        folder=str(files[0].path.parent),
        name=files[0].name.stem or files[0].path.stem,
        files=tuple(scan.filenames),
        missing=missing_names,
        num_bytes=sum(file.tiff.size for file in files),
        start_time=bouts[0].epoch,
        release=scan.release,
        mode=scan.stack.mode,
        num_fields=scan.num_fields,
        heights=tuple(scan.field_heights),
        widths=tuple(scan.field_widths),
        channels=tuple(scan.channel_numbers),
        channel_names=tuple(scan.channel_names),
        depths=tuple(scan.scanning_depths),
        num_frames=scan.num_frames,
        num_bouts=len(bouts),
        rate=scan.fps,
        duration=duration(scan),
        status=status,
        sentence=sentence,
    )


def _missing_names(files: Sequence[File], *, is_loop: bool) -> tuple[str, ...]:
    """Names of the parts, and of a loop's acquisitions, that are missing between the first and the last."""
    by_acquisition: dict[int | None, list[File]] = {}
    for file in files:
        by_acquisition.setdefault(file.name.acquisition, []).append(file)
    names = []
    for files_of_acquisition in by_acquisition.values():
        numbers = {file.name.part for file in files_of_acquisition if file.name.part is not None}
        names += [
            _name_with_number(files_of_acquisition[0], -1, number)
            for number in range(1, max(numbers, default=0))
            if number not in numbers
        ]
    counters = {number for number in by_acquisition if number is not None}
    if is_loop and counters:
        place = -1 if files[0].name.part is None else -2
        gaps = [number for number in range(min(counters), max(counters)) if number not in counters]
        names += [_name_with_number(files[0], place, number) for number in gaps]
    return tuple(names)


def _name_with_number(file: File, place: int, number: int) -> str:
    """Name of a file with another number in one place, counted from the end; of an acquisition, its first part."""
    pieces = file.path.stem.split("_")
    pieces[place] = f"{number:0{len(pieces[place])}d}"
    if place == -2:
        pieces[-1] = f"{1:0{len(pieces[-1])}d}"
    return "_".join(pieces) + file.path.suffix


def _status(scan: Scan, missing_names: Sequence[str]) -> tuple[Status, str]:
    """Whether a recording is complete, and why not."""
    names = {finding.name for finding in scan.findings}
    sentences = [finding.sentence for finding in scan.findings if not finding.is_note]
    requested = requested_frames(scan)
    if missing_names:
        name_list = f"{missing_names[0]} … {missing_names[-1]}" if len(missing_names) > 2 else ", ".join(missing_names)
        sentences.insert(
            0, f"{len(missing_names)} file{' is' if len(missing_names) == 1 else 's are'} missing: {name_list}"
        )
    if math.isfinite(requested) and scan.num_frames < requested:
        sentences.append(f"{scan.num_frames:,} of {requested:,.0f} requested frames")
    if missing_names or names & {"missing-file", "dropped-frames"}:
        return "parts missing", "; ".join(sentences)
    if "cut-end" in names:
        return "unfinished", "; ".join(sentences)
    is_stopped = "partial-volume" in names or (math.isfinite(requested) and scan.num_frames < requested)
    return "stopped" if is_stopped else "complete", "; ".join(sentences)


def _number_geometries(rows: Sequence[_Row]) -> tuple[FoundRecording, ...]:
    """Number geometries that more than one recording has, from 1."""
    counts = Counter(row.geometry for row in rows if row.geometry)
    numbers: dict[str, int] = {}
    for row in rows:
        if counts[row.geometry] > 1:
            numbers.setdefault(row.geometry, len(numbers) + 1)
    return tuple(replace(row.recording, joinable=numbers.get(row.geometry, 0)) for row in rows)
