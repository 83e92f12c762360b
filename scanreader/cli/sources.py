"""The recording that is given to a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanreader.errors import HeaderError, PathnameError, ScanIndexError
from scanreader.naming import find_files
from scanreader.notices import listening, notify
from scanreader.paths import absolute
from scanreader.reader import read_scan
from scanreader.scanimage.header import Header

if TYPE_CHECKING:
    from scanreader.scans import Scan

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...", help="A file, a folder, a glob, or all files of one recording.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: NaN is null, infinities are 'Inf' and '-Inf'.")]
JsonRows = Annotated[bool, typer.Option("--json", help="Print every row, as a JSON list: NaN is null.")]
Join = Annotated[bool, typer.Option("--join", help="Join fields that touch.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print every row, as comma-separated values.")]
Raw = Annotated[bool, typer.Option("--raw", help="Read every page as a frame of one field; ignore the header.")]


def open_scan(sources: list[str], *, join: bool = False, warn: bool = True, **options: Any) -> Scan:
    """Open a recording; files from a glob that the shell expanded are one recording, not several to join.

    Parameters
    ----------
    warn : bool
        Whether to print the findings as warnings; some commands show them in another way.
    **options
        Other parameters of `read_scan`.

    Raises
    ------
    PathnameError
        If it is not one recording.
    """
    findings: list[str] = []
    with listening(findings.append):  # it gives one message of all findings; each is printed below
        scan = read_scan(sources[0] if len(sources) == 1 else sources, join_contiguous=join, **options)
    _refuse_several({part.recording: part.name for part in reversed(scan.opened.parts)})
    if warn:
        notify([finding.sentence for finding in scan.findings])
    return scan


def _refuse_several(first_files: dict[Any, str]) -> None:
    """Check that one recording was named, given the name of the first file of each, in reverse order."""
    if len(first_files) > 1:
        names = ", ".join(reversed(first_files.values()))
        raise PathnameError(f"{len(first_files)} recordings were named, not one: those that begin with {names}")


def header_of(sources: list[str]) -> Header:
    """Read a recording's header, also if its pages cannot be read.

    Raises
    ------
    PathnameError
        If it is not one recording.
    HeaderError
        If ScanImage did not write it.
    """
    files = find_files(absolute(sources[0] if len(sources) == 1 else sources), [], siblings=False)
    _refuse_several({file.recording_key: file.path.name for file in reversed(files)})
    if files[0].block is None:
        raise HeaderError(f"{files[0].path.name} has no ScanImage header: another program wrote it")
    return Header(files[0].block.text)


def num_pages(scan: Scan) -> int:
    """Number of pages of all files."""
    return sum(part.pages for part in scan.opened.parts)


CHANNELS = "A channel, by its number in ScanImage or its name; can be repeated, or a list: 1,3."


def channel_indices(scan: Scan, options: list[str] | None) -> list[int]:
    """Indices of the channels given by their names or numbers in ScanImage; all by default.

    Raises
    ------
    ScanIndexError
        If there is no such channel.
    """
    numbers, names = [str(number) for number in scan.channel_numbers], scan.channel_names
    indices = []
    for option in options or numbers:
        for text in map(str.strip, [option] if option in names else option.split(",")):
            labels = numbers if text in numbers else names
            if text not in labels:
                channels = ", ".join(f"{n} ({name})" for n, name in zip(numbers, names, strict=True))
                raise ScanIndexError(f"there is no channel {text!r}: the recording has {channels}")
            indices.append(labels.index(text))
    return indices
