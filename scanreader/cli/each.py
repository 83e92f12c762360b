"""Several recordings for one command, one after the other: one that fails stops nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from scanreader.cli.messages import print_message
from scanreader.cli.printing import as_json
from scanreader.cli.sources import open_scan
from scanreader.errors import ScanReaderError, UnreachableError
from scanreader.files.urls import file_name, folder_name, recording_name
from scanreader.notices import notify
from scanreader.paths import absolute, resolve
from scanreader.recordings import recordings_of
from scanreader.tables import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.scans import Scan


class InputRecording(NamedTuple):
    """A recording that a command was given."""

    files: list[str]
    label: str
    """The name of its first file without its ending, made unique: pictures and reports are named after it."""
    title: str
    """What a line about it begins with: its first file, with its folder where there are several."""
    open_already: Scan | None = None

    def opened(self, **options: Any) -> Scan:
        """The scan; `options` are those of `open_scan`."""
        return self.open_already or open_scan(self.files, **options)


def named_recordings(sources: list[str], **options: Any) -> list[InputRecording]:
    """Split what was named into recordings; a single one is opened.

    Parameters
    ----------
    **options
        As for `open_scan`.

    Raises
    ------
    ScanReaderError
        If it is one recording, and it cannot be opened.
    """
    try:
        scan = open_scan(sources, **options)
    except UnreachableError:
        raise
    except ScanReaderError:
        file_lists = _split(sources)
        if not file_lists:
            raise
        if len(file_lists) > 1:
            rows = zip(file_lists, _labels(file_lists), _titles(file_lists), strict=True)
            return [InputRecording(files, label, title) for files, label, title in rows]
        scan = open_scan(file_lists[0], **options)
    return [InputRecording(scan.filenames, _stem(scan.filenames[0]), recording_name(scan.filenames), scan)]


def _split(sources: list[str]) -> list[list[str]]:
    """Files of each recording, in the order in which they were named; none if there is nothing to split."""
    entries = resolve(absolute(sources))
    paths = [path for entry in entries for path in entry]
    single_names = {str(path) for entry in entries if len(entry) == 1 for path in entry}
    hidden_paths = [path for path in paths if path.name.startswith(".") and str(path) not in single_names]
    paths = [path for path in paths if path not in hidden_paths]
    local_paths = [path for path in paths if isinstance(path, Path)]
    if len(local_paths) < len(paths) or len(paths) < 2:
        return []
    recordings_found = recordings_of(local_paths)
    foreign_names = [*recordings_found.exports, *recordings_found.others]
    num_skipped = len([name for name in foreign_names if name not in single_names])
    if num_skipped and len(recordings_found):
        notify([f"{counted(num_skipped, 'TIFF file')} that ScanImage did not write: skipped"])
    recordings = [[*row.files] for row in recordings_found] + [[name] for name in foreign_names if name in single_names]
    if len(recordings) == 1 and len(recordings[0]) == len(local_paths) + len(hidden_paths):
        return []
    order = {str(path): i for i, path in enumerate(local_paths)}
    return sorted(recordings, key=lambda files: min(order[name] for name in files))


def _labels(recordings: list[list[str]]) -> list[str]:
    """Stem of each recording's first file; with its folder, or a number, where several have the same."""
    stems = [_stem(files[0]) for files in recordings]
    labels: list[str] = []
    for files, stem in zip(recordings, stems, strict=True):
        label = stem if stems.count(stem) == 1 else f"{Path(folder_name(files[0])).name}-{stem}"
        number = 2
        while label in labels:
            label, number = f"{label.removesuffix(f'-{number - 1}')}-{number}", number + 1
        labels.append(label)
    return labels


def _titles(recordings: list[list[str]]) -> list[str]:
    folders = [Path(folder_name(files[0])) for files in recordings]
    names = [recording_name(files) for files in recordings]
    if len(set(folders)) == 1:
        return names
    return [f"{folder.name}/{name}" for folder, name in zip(folders, names, strict=True)]


def _stem(path: str) -> str:
    return Path(file_name(path)).stem


def run_each(
    recordings: list[InputRecording],
    job: Callable[[Scan, InputRecording], int],
    *,
    error_code: int = 1,
    json: bool = False,
    **options: Any,
) -> int:
    """Do a job with each recording, and return the worst exit code.

    Parameters
    ----------
    job : callable
        Is given the scan and the recording as it was named, and returns an exit code.
    error_code : int
        The exit code of a recording that cannot be opened.
    json : bool
        Whether to print a JSON object for such a recording, so that each has a line.
    **options
        As for `open_scan`.
    """
    worst_code = 0
    for recording in recordings:
        try:
            with recording.opened(**options) as scan:
                code = job(scan, recording)
        except (ScanReaderError, OSError) as error:
            print_message("error", f"{recording.title}: {error}")
            code = error_code
            if json:
                typer.echo(as_json({"files": recording.files, "error": str(error)}))
        worst_code = max(worst_code, code)
    return worst_code


def write_each(
    recordings: list[InputRecording], write: Callable[[Scan, Path], object], output: Path, **options: Any
) -> None:
    """Write a file about each recording; those about several are named after them.

    Parameters
    ----------
    write : callable
        Is given the scan and the path.
    **options
        As for `open_scan`.
    """

    def job(scan: Scan, recording: InputRecording) -> int:
        name = output.name if len(recordings) == 1 else f"{output.stem}-{recording.label}{output.suffix}"
        write(scan, output.with_name(name))
        typer.echo(f"wrote {output.with_name(name)}")
        return 0

    if len(recordings) > 1:
        raise typer.Exit(run_each(recordings, job, **options))
    with recordings[0].opened() as scan:
        job(scan, recordings[0])
