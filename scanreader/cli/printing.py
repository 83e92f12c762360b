"""Facts and tables as they are printed: to be looked at on a terminal, to be read by programs elsewhere."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from scanreader.cli.telling import is_coloured, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

STYLES = {"warning": "yellow", "damage": "bold red", "note": "dim", "sound": "green"}
"""Colours of the words that say how bad something is."""


MANY = 50_000  # pages that take longer to look at than one waits in silence: a million take 8 s


def on_terminal() -> bool:
    """Whether somebody looks at the output."""
    return sys.stdout.isatty()


@contextlib.contextmanager
def busy(what: str, many: int) -> Iterator[None]:
    """Say what is being done, beside a spinner, while it is done: where somebody waits and there is much to do."""
    if many < MANY or not sys.stderr.isatty():
        yield
        return
    with error_console().status(f"{what} {many} pages"):
        yield


def error_console() -> Console:
    """What bars and spinners are drawn on: the error output, in colours where those are wanted."""
    from rich.console import Console  # noqa: PLC0415 - it takes long to import

    return Console(stderr=True, no_color=not is_coloured(sys.stderr))


def print_facts(facts: Mapping[str, str | Sequence[str]]) -> None:
    """Print facts: in two columns on a terminal, elsewhere as ``name: value``, one a line however long.

    Parameters
    ----------
    facts : dict
        A list has a line for each of its items; a fact that is empty is left out.
    """
    lines = [
        (name, printable(value))
        for name, values in facts.items()
        for value in ([values] if isinstance(values, str) else values)
        if value
    ]
    if not on_terminal():
        for name, value in lines:
            typer.echo(f"{name}: {value}")
        return
    from rich.table import Table  # noqa: PLC0415 - it takes long to import
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2, 0, 0))
    last = ""
    for name, value in lines:
        grid.add_row(Text(name if name != last else "", STYLES.get(name, "dim")), Text(value))
        last = name
    _console().print(grid)


def print_table(columns: Mapping[str, bool], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: fitted to the terminal's width, elsewhere with tabs between the columns and nothing cut.

    Parameters
    ----------
    columns : dict
        Their names, and whether each holds numbers, which stand to the right.
    rows : list of lists of str
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if not on_terminal():
        for row in [list(columns), *cells]:
            typer.echo("\t".join(row))
        return
    from rich.table import Table  # noqa: PLC0415 - it takes long to import
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for name, number in columns.items():
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in cells:
        table.add_row(Text(row[0], STYLES.get(row[0], "")), *map(Text, row[1:]))
    _console().print(table)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(as_json(value, indent=2))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_csv: bool) -> None:
    """Print rows as they come, as comma-separated values or as a JSON list with an object for each."""
    out = sys.stdout
    if as_csv:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in rows)
        return
    before = "["
    for row in rows:
        out.write(f"{before}\n{as_json(dict(zip(columns, row, strict=True)))}")
        before = ","
    out.write("[]\n" if before == "[" else "\n]\n")


def as_json(value: Any, indent: int | None = None) -> str:
    """Write JSON that every reader takes: NaN is null, infinities are the strings "Inf" and "-Inf"."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Inf" if value > 0 else "-Inf"
    return value


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - it takes long to import

    return Console(highlight=False, no_color=not is_coloured(sys.stdout))
