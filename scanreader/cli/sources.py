"""The recording that a command is given."""

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
Csv = Annotated[bool, typer.Option("--csv", help="Print every row, as comma-separated values.")]
Raw = Annotated[bool, typer.Option("--raw", help="Take the pages as they lie, where the recording is refused.")]


def opened(sources: list[str], *, join: bool = False, tell: bool = True, **options: Any) -> Scan:
    """Open a recording; a glob that the shell expanded is what it would be if the shell had not.

    Parameters
    ----------
    tell : bool
        Whether to warn of what was found when it was opened; else the command says it itself.
    **options
        What else `read_scan` takes.

    Raises
    ------
    PathnameError
        If it is not one recording.
    """
    findings: list[str] = []
    with listening(findings.append):  # they are told one by one
        scan = read_scan(sources[0] if len(sources) == 1 else sources, join_contiguous=join, **options)
    _refuse_several({part.recording: part.name for part in reversed(scan.opened.parts)})
    if tell:
        notify([finding.sentence for finding in scan.findings])
    return scan


def _refuse_several(firsts: dict[Any, str]) -> None:
    """See that one recording was named, by the first file of each."""
    if len(firsts) > 1:
        names = ", ".join(reversed(firsts.values()))
        raise PathnameError(f"{len(firsts)} recordings were named, not one: those that begin with {names}")


def header_of(sources: list[str]) -> Header:
    """Read a recording's header, also where its pages are refused.

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
        raise HeaderError(f"{files[0].path.name} has no header of ScanImage's: another program wrote it")
    return Header(files[0].block.text)


def num_pages(scan: Scan) -> int:
    """Pages of all files."""
    return sum(part.pages for part in scan.opened.parts)


CHANNELS = "A channel, by ScanImage's number or its name; can be repeated, or 1,3."


def channel_indices(scan: Scan, wanted: list[str] | None) -> list[int]:
    """Places of the channels that were asked for by ScanImage's numbers or by their names; all, if none was.

    Raises
    ------
    ScanIndexError
        If there is no such channel.
    """
    numbers, names = [str(number) for number in scan.channel_numbers], scan.channel_names
    chosen = []
    for said in wanted or numbers:
        for text in [said] if said in names else said.split(","):
            known = numbers if text.strip() in numbers else names
            if text.strip() not in known:
                both = ", ".join(f"{n} ({name})" for n, name in zip(numbers, names, strict=True))
                raise ScanIndexError(f"there is no channel {text.strip()!r}: the recording has {both}")
            chosen.append(known.index(text.strip()))
    return chosen
