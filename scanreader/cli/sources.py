"""The recording that is given to a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from scanreader.errors import HeaderError, PathnameError, ScanIndexError, ScanKeyError
from scanreader.naming import find_files
from scanreader.notices import listening, notify
from scanreader.paths import absolute
from scanreader.reader import read_scan
from scanreader.recording.fields import UNTRIMMED, Trim
from scanreader.scanimage.header import Header

if TYPE_CHECKING:
    from scanreader.scans import Scan

N = TypeVar("N", int, float)

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE", help="A file, a folder, a glob, or all files of one recording.", show_default=False
    ),
]
Several = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE", help="Files, folders or globs, of one recording or of several.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: NaN is null, infinities are 'Inf' and '-Inf'.")]
JsonRows = Annotated[bool, typer.Option("--json", help="Print every row, as a JSON list: NaN is null.")]
Join = Annotated[bool, typer.Option("--join", help="Join fields that touch.")]
Stitch = Annotated[
    bool, typer.Option("--stitch", "--assemble", help="Place all fields of a slice in one image, where they were.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print every row, as comma-separated values.")]
Siblings = Annotated[
    bool, typer.Option("--siblings", help="If one file is given, also open the other files of its acquisition.")
]
Raw = Annotated[bool, typer.Option("--raw", help="Read every page as a frame of one field; ignore the header.")]

Planes = Annotated[
    str | None,
    typer.Option(
        metavar="1,5,2|all",
        help="Make planes of channels: ScanImage's channel number of each plane, or all.",
        show_default=False,
    ),
]
Depths = Annotated[
    str | None,
    typer.Option(
        metavar="0,16,35|actuators",
        help="With --planes: depth of each plane, in µm; a ; between slices.",
        show_default=False,
    ),
]
Dz = Annotated[
    float | None, typer.Option(help="With --planes: distance from plane to plane, in µm.", show_default=False)
]


class PlaneOptions(NamedTuple):
    """The options that make planes of channels."""

    planes: str | None = None
    depths: str | None = None
    dz: float | None = None


NO_PLANES = PlaneOptions()


def open_scan(
    sources: list[str],
    *,
    join: bool = False,
    stitch: bool = False,
    trim: Trim = UNTRIMMED,
    warn: bool = True,
    plane_options: PlaneOptions = NO_PLANES,
    **options: Any,
) -> Scan:
    """Open a recording; files from a glob that the shell expanded are one recording, not several to join.

    Parameters
    ----------
    join, stitch : bool
        Whether to join the fields of a slice that touch, or to stitch all.
    trim : Trim
        Pixels to remove at the edges of each ROI.
    warn : bool
        Whether to print the findings as warnings; some commands show them in another way.
    plane_options : PlaneOptions
        Which channels become planes.
    **options
        Other parameters of `read_scan`.

    Raises
    ------
    PathnameError
        If it is not one recording.
    ScanKeyError
        If options exclude each other.
    """
    if join and stitch:
        raise ScanKeyError("give --join or --stitch, not both: --stitch also joins the fields that touch")
    findings: list[str] = []
    with listening(findings.append):  # it gives one message of all findings; each is printed below
        scan = read_scan(sources[0] if len(sources) == 1 else sources, join_contiguous=join, **options)
    _refuse_several({part.recording: part.name for part in reversed(scan.opened.parts)})
    if warn:
        notify([finding.sentence for finding in scan.findings if not finding.is_note])
    scan = _with_planes(scan, plane_options).trimmed(**trim._asdict())
    if stitch:
        findings_before, scan = scan.findings, scan.stitched()
        if warn:
            notify([finding.sentence for finding in scan.findings[len(findings_before) :]])
    return scan


def _with_planes(scan: Scan, options: PlaneOptions) -> Scan:
    """Make planes of channels, as the options say.

    Raises
    ------
    ScanKeyError
        If depths are given without planes, or the texts hold no numbers.
    """
    planes, depths, dz = options
    if planes is None:
        if depths is not None or dz is not None:
            raise ScanKeyError("--depths and --dz need --planes: ScanImage's channel number of each plane, or all")
        return scan
    order = None if planes.strip() == "all" else [_parse_number(int, text, "--planes") for text in planes.split(",")]
    if depths is None or depths.strip() == "actuators":
        return scan.channels_as_planes(order, depths=depths and depths.strip(), dz=dz)
    rows = [[_parse_number(float, text, "--depths") for text in row.split(",")] for row in depths.split(";")]
    return scan.channels_as_planes(order, depths=rows[0] if len(rows) == 1 else rows, dz=dz)


def _parse_number(kind: type[N], text: str, option: str) -> N:
    try:
        return kind(text)
    except ValueError:
        word = "all" if option == "--planes" else "actuators"
        raise ScanKeyError(f"{option} takes numbers with commas between them, or {word}, not {text!r}") from None


def _refuse_several(first_files: dict[Any, str]) -> None:
    """Check that one recording was named, given the name of the first file of each, in reverse order."""
    if len(first_files) > 1:
        names = ", ".join(reversed(first_files.values()))
        raise PathnameError(
            f"{len(first_files)} recordings were named, not one: those that begin with {names}. Name one of them; in "
            "Python, read_scan joins a list of recordings as the bouts of one scan"
        )


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


MOST_CHANNELS = 1000
CHANNELS = "A channel, by its number in ScanImage or its name; can be repeated, or a list: 1,3, or a range: 1:3."


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
        words = [option] if option in names else option.split(",")
        for text in (text for word in words for text in _expand_range(word.strip(), scan.channel_numbers, names)):
            labels = numbers if text in numbers else names
            if text not in labels:
                channels = ", ".join(f"{n} ({name})" for n, name in zip(numbers, names, strict=True))
                raise ScanIndexError(f"there is no channel {text!r}: the recording has {channels}")
            indices.append(labels.index(text))
    return indices


RANGE = re.compile(r"(\d*):(\d*)(?::(\d+))?", re.ASCII)


def _expand_range(text: str, numbers: list[int], names: list[str]) -> list[str]:
    """The channels that a text names: ``1:3`` is 1, 2 and 3, by their numbers in ScanImage; ``2:`` is up to the last.

    Raises
    ------
    ScanIndexError
        If the range is empty.
    """
    match = RANGE.fullmatch(text)
    if match is None or text in names:
        return [text]
    first, last, step = (int(part) if part else None for part in match.groups())
    choice = range(min(numbers) if first is None else first, (max(numbers) if last is None else last) + 1, step or 1)
    is_open = first is None or last is None
    channels = [str(n) for n in choice if n in numbers or not is_open]
    if not channels or step == 0 or len(choice) > MOST_CHANNELS:
        raise ScanIndexError(f"{text!r} is no range of channels: as 1:3, which is 1, 2 and 3")
    return channels
