"""The command that shows ScanImage's settings."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanreader.cli.printing import as_json, on_terminal, print_json
from scanreader.cli.sources import Json, header_of
from scanreader.cli.telling import is_coloured, printable
from scanreader.errors import ScanKeyError, UnknownSettingError

if TYPE_CHECKING:
    from scanreader.scanimage.header import Header

SUGGESTED = 3  # settings that are named where none has the name that was asked for
LOOKED_AT = 5000  # settings that are compared with it: more take seconds

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE... [KEY]",
        help="The recording (a file, a folder, a glob, or all its files), and a setting or a group of them.",
        show_default=False,
    ),
]
Grep = Annotated[
    str,
    typer.Option(metavar="PATTERN", help="Only settings whose name or value matches this regular expression."),
]


def metadata(words: Words, *, json: Json = False, grep: Grep = "") -> None:
    """Show the settings of ScanImage's header: all of them, those of a group, or the value of one.

    Names may lack what ScanImage puts before them (SI.). The header is read even where the recording's pages
    are refused.

    Example: scanreader metadata my_scan_00001.tif hRoiManager.scanFrameRate

    Example: scanreader metadata my_scan_00001.tif --grep 'zoom|power'
    """
    sources, key = split(words)
    header = header_of(sources)
    names = list(header)
    if key:
        if key in header:
            print_value(header[key], json=json)
            return
        names = group(header, key)
    if grep:
        names = matching(header, names, grep)
    if json:
        print_json({name: header[name] for name in names})
        return
    for name in names:
        _print_setting(name, text_of(header, name))


def split(words: list[str]) -> tuple[list[str], str]:
    """Tell the recording from the setting, which comes last: it is no glob and not the name of a file or folder."""
    last = words[-1]
    is_key = len(words) > 1 and re.fullmatch(r"[A-Za-z]\w*(\.\w+)*\.?", last) and not _names_a_file(last)
    return (words[:-1], last.rstrip(".")) if is_key else (words, "")


def _names_a_file(word: str) -> bool:
    return Path(word).suffix.lower() in (".tif", ".tiff") or Path(word).exists()


def group(header: Header, key: str) -> list[str]:
    """Names of the settings of a group.

    Raises
    ------
    UnknownSettingError
        If there are none; it names those that come near.
    """
    start = header.prefix + key.removeprefix(header.prefix) + "."
    names = [name for name in header if name.startswith(start)]
    if names:
        return names
    near = suggestions(header, key)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownSettingError(f"the header has no setting {key!r}{hint}")


def suggestions(header: Header, key: str) -> list[str]:
    """Settings that may have been meant: of that name in some group, with that in their names, or spelled alike."""
    asked = key.removeprefix(header.prefix).lower()
    names = {name.removeprefix(header.prefix).lower(): name for name in header}
    ends = {short.rpartition(".")[2]: short for short in reversed(names)}
    end = asked.rpartition(".")[2]
    near = [short for short in names if short.rpartition(".")[2] == end] + [short for short in names if asked in short]
    if not near:
        near = difflib.get_close_matches(asked, list(names)[:LOOKED_AT], SUGGESTED)
        near += [ends[match] for match in difflib.get_close_matches(end, list(ends)[:LOOKED_AT], SUGGESTED)]
    return [names[short] for short in dict.fromkeys(near)][:SUGGESTED]


def matching(header: Header, names: list[str], pattern: str) -> list[str]:
    """Names of the settings whose name or value matches a regular expression, whatever the case.

    Raises
    ------
    ScanKeyError
        If it is no regular expression.
    UnknownSettingError
        If none matches.
    """
    try:
        wanted = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ScanKeyError(f"{pattern!r} is not a regular expression: {error}") from None
    found = [name for name in names if wanted.search(name) or wanted.search(text_of(header, name))]
    if not found:
        raise UnknownSettingError(f"no setting's name or value matches {pattern!r}")
    return found


def text_of(header: Header, name: str) -> str:
    """A setting's value as it stands in the header."""
    return as_json(header[name]) if header.is_json else str(header.raw[name])


def print_value(value: Any, *, json: bool) -> None:
    """Print the value of one setting: text bare, unless JSON was asked for."""
    typer.echo(printable(value) if isinstance(value, str) and not json else as_json(value))


def _print_setting(name: str, text: str) -> None:
    if not on_terminal():
        typer.echo(f"{name} = {text}")
        return
    shown = typer.style(printable(name), fg=typer.colors.CYAN) if is_coloured(sys.stdout) else printable(name)
    typer.echo(f"{shown} = {printable(text)}")
