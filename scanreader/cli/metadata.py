"""The command that shows ScanImage's settings."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanreader.cli.messages import is_coloured
from scanreader.cli.printing import as_json, on_terminal, print_json
from scanreader.cli.sources import Json, header_of
from scanreader.errors import ScanKeyError, UnknownSettingError
from scanreader.texts import on_one_line

if TYPE_CHECKING:
    from scanreader.scanimage.header import Header

MOST_SUGGESTED = 3  # settings that are suggested for an unknown name
MOST_COMPARED = 5000  # settings that are compared with it: more take seconds

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
    """Show ScanImage's settings, from the header: all, those of a group, or the value of one.

    The prefix SI. of the names can be omitted. The header can be shown even if the recording's pages cannot be read.

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
    """Separate the files of the recording from the setting: the last word, if it is no glob, file or folder."""
    last_word = words[-1]
    is_key = len(words) > 1 and re.fullmatch(r"[A-Za-z]\w*(\.\w+)*\.?", last_word) and not _names_a_file(last_word)
    return (words[:-1], last_word.rstrip(".")) if is_key else (words, "")


def _names_a_file(word: str) -> bool:
    return Path(word).suffix.lower() in (".tif", ".tiff") or Path(word).exists()


def group(header: Header, key: str) -> list[str]:
    """Names of the settings of a group.

    Raises
    ------
    UnknownSettingError
        If there are none; the message suggests similar names.
    """
    start = header.prefix + key.removeprefix(header.prefix) + "."
    names = [name for name in header if name.startswith(start)]
    if names:
        return names
    similar_names = suggestions(header, key)
    hint = f"; did you mean {' or '.join(similar_names)}?" if similar_names else ""
    raise UnknownSettingError(f"the header has no setting {key!r}{hint}")


def suggestions(header: Header, key: str) -> list[str]:
    """Settings that may be meant: of that name in a group, with it in their names, or spelled similarly."""
    name = key.removeprefix(header.prefix).lower()
    names = {setting.removeprefix(header.prefix).lower(): setting for setting in header}
    ends = {short_name.rpartition(".")[2]: short_name for short_name in reversed(names)}
    end = name.rpartition(".")[2]
    similar_names = [short_name for short_name in names if short_name.rpartition(".")[2] == end]
    similar_names += [short_name for short_name in names if name in short_name]
    if not similar_names:
        similar_names = difflib.get_close_matches(name, list(names)[:MOST_COMPARED], MOST_SUGGESTED)
        similar_names += [
            ends[match] for match in difflib.get_close_matches(end, list(ends)[:MOST_COMPARED], MOST_SUGGESTED)
        ]
    return [names[short_name] for short_name in dict.fromkeys(similar_names)][:MOST_SUGGESTED]


def matching(header: Header, names: list[str], pattern: str) -> list[str]:
    """Names of the settings whose name or value matches a regular expression, whatever the case.

    Raises
    ------
    ScanKeyError
        If `pattern` is not a regular expression.
    UnknownSettingError
        If none matches.
    """
    try:
        regex = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ScanKeyError(f"{pattern!r} is not a regular expression: {error}") from None
    matches = [name for name in names if regex.search(name) or regex.search(text_of(header, name))]
    if not matches:
        raise UnknownSettingError(f"no setting's name or value matches {pattern!r}")
    return matches


def text_of(header: Header, name: str) -> str:
    """A setting's value as it is written in the header."""
    return as_json(header[name]) if header.is_json else str(header.raw[name])


def print_value(value: Any, *, json: bool) -> None:
    """Print the value of one setting: text without quotes, except in JSON."""
    typer.echo(on_one_line(value) if isinstance(value, str) and not json else as_json(value))


def _print_setting(name: str, text: str) -> None:
    if not on_terminal():
        typer.echo(f"{name} = {text}", color=True)  # as it is in the file
        return
    label = typer.style(on_one_line(name), fg=typer.colors.CYAN) if is_coloured(sys.stdout) else on_one_line(name)
    typer.echo(f"{label} = {on_one_line(text)}")
