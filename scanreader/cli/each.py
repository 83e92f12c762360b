"""Several recordings for one command, one after the other: one that fails stops nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from scanreader.cli.messages import print_message
from scanreader.cli.printing import as_json
from scanreader.cli.sources import open_scan
from scanreader.errors import ScanReaderError, UnreachableError
from scanreader.files.urls import file_name, recording_name
from scanreader.notices import notify
from scanreader.paths import absolute, resolve
from scanreader.recordings import recordings_of
from scanreader.tables import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.scans import Scan


class Named(NamedTuple):
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


def named_recordings(sources: list[str], **options: Any) -> list[Named]:
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
        several = _split(sources)
        if not several:
            raise
        if len(several) > 1:
            rows = zip(several, _labels(several), _titles(several), strict=True)
            return [Named(files, label, title) for files, label, title in rows]
        scan = open_scan(several[0], **options)
    return [Named(scan.filenames, _stem(scan.filenames[0]), recording_name(scan.filenames), scan)]


def _split(sources: list[str]) -> list[list[str]]:
    """Files of each recording, in the order in which they were named; none if there is nothing to split."""
    entries = resolve(absolute(sources))
    paths = [path for entry in entries for path in entry]
    by_name = {str(path) for entry in entries if len(entry) == 1 for path in entry}
    hidden = [path for path in paths if path.name.startswith(".") and str(path) not in by_name]
    paths = [path for path in paths if path not in hidden]
    local = [path for path in paths if isinstance(path, Path)]
    if len(local) < len(paths) or len(paths) < 2:
        return []
    found = recordings_of(local)
    foreign = [*found.exports, *found.others]
    skipped = len([name for name in foreign if name not in by_name])
    if skipped and len(found):
        notify([f"{counted(skipped, 'TIFF file')} that ScanImage did not write: skipped"])
    recordings = [[*row.files] for row in found] + [[name] for name in foreign if name in by_name]
    if len(recordings) == 1 and len(recordings[0]) == len(local) + len(hidden):
        return []
    order = {str(path): i for i, path in enumerate(local)}
    return sorted(recordings, key=lambda files: min(order[name] for name in files))


def _labels(recordings: list[list[str]]) -> list[str]:
    """Stem of each recording's first file; with its folder, or a number, where several have the same."""
    stems = [_stem(files[0]) for files in recordings]
    labels: list[str] = []
    for files, stem in zip(recordings, stems, strict=True):
        label = stem if stems.count(stem) == 1 else f"{Path(files[0]).parent.name}-{stem}"
        number = 2
        while label in labels:
            label, number = f"{label.removesuffix(f'-{number - 1}')}-{number}", number + 1
        labels.append(label)
    return labels


def _titles(recordings: list[list[str]]) -> list[str]:
    folders = [Path(files[0]).parent for files in recordings]
    names = [recording_name(files) for files in recordings]
    if len(set(folders)) == 1:
        return names
    return [f"{folder.name}/{name}" for folder, name in zip(folders, names, strict=True)]


def _stem(path: str) -> str:
    return Path(file_name(path)).stem


def run_each(
    recordings: list[Named],
    job: Callable[[Scan, Named], int],
    *,
    error_code: int = 1,
    json: bool = False,
    **options: Any,
) -> int:
    """Do a job with each recording, and return the worst exit code.

    Parameters
    ----------
    job : callable
        Is given the scan and how it was named, and returns an exit code.
    error_code : int
        The exit code of a recording that cannot be opened.
    json : bool
        Whether to print a JSON object for such a recording, so that each has a line.
    **options
        As for `open_scan`.
    """
    worst = 0
    for named in recordings:
        try:
            with named.opened(**options) as scan:
                code = job(scan, named)
        except (ScanReaderError, OSError) as error:
            print_message("error", f"{named.title}: {error}")
            code = error_code
            if json:
                typer.echo(as_json({"files": named.files, "error": str(error)}))
        worst = max(worst, code)
    return worst


def write_each(recordings: list[Named], write: Callable[[Scan, Path], object], output: Path, **options: Any) -> None:
    """Write a file about each recording; those about several are named after them.

    Parameters
    ----------
    write : callable
        Is given the scan and the path.
    **options
        As for `open_scan`.
    """

    def job(scan: Scan, named: Named) -> int:
        name = output.name if len(recordings) == 1 else f"{output.stem}-{named.label}{output.suffix}"
        write(scan, output.with_name(name))
        typer.echo(f"wrote {output.with_name(name)}")
        return 0

    if len(recordings) > 1:
        raise typer.Exit(run_each(recordings, job, **options))
    with recordings[0].opened() as scan:
        job(scan, recordings[0])
