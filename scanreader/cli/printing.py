"""How facts and tables are printed: formatted on a terminal, plain for programs elsewhere."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from scanreader.cli.messages import is_coloured
from scanreader.texts import in_a_cell, on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.progress import Progress

STYLES = {"warning": "yellow", "damage": "bold red", "note": "dim", "ok": "green"}
"""Colours of severities."""

SPINNER_FROM = 50_000  # pages; so many take long enough to show a spinner: a million take 8 s


def on_terminal() -> bool:
    """Whether the output is a terminal."""
    return sys.stdout.isatty()


@contextlib.contextmanager
def spinner(activity: str, pages: int) -> Iterator[None]:
    """Show an activity with a spinner while it goes on, if the error output is a terminal and there are many pages."""
    if pages < SPINNER_FROM or not sys.stderr.isatty():
        yield
        return
    with error_console().status(f"{activity} {pages} pages"):
        yield


def error_console() -> Console:
    """The error output, for progress bars and spinners; in colours unless the user wants none."""
    from rich.console import Console  # noqa: PLC0415 - it takes long to import

    return Console(stderr=True, no_color=not is_coloured(sys.stderr))


def print_facts(facts: Mapping[str, str | Sequence[str]]) -> None:
    """Print facts: in two columns on a terminal, elsewhere as ``name: value`` on one line each.

    Parameters
    ----------
    facts : dict
        Values by name. A list is printed as a line for each item; empty values are omitted.
    """
    lines = [
        (name, on_one_line(value))
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
    last_name = ""
    for name, value in lines:
        grid.add_row(Text(name if name != last_name else "", STYLES.get(name, "dim")), Text(value))
        last_name = name
    _console().print(grid)


def print_table(columns: Mapping[str, bool], rows: Sequence[Sequence[str]], unbroken: Sequence[str] = ()) -> None:
    """Print a table: fitted to the width of a terminal, elsewhere complete, with tabs between the columns.

    Parameters
    ----------
    columns : dict
        Their names, and whether each holds numbers, which are aligned to the right.
    rows : list of lists of str
    unbroken : sequence of str
        Columns whose texts are never broken into several lines.
    """
    cells = [[on_one_line(cell) for cell in row] for row in rows]
    if not on_terminal():
        for row in [list(columns), *cells]:
            typer.echo("\t".join(row))
        return
    from rich.table import Table  # noqa: PLC0415 - it takes long to import
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for name, is_number in columns.items():
        table.add_column(name, justify="right" if is_number else "left", overflow="fold", no_wrap=name in unbroken)
    for row in cells:
        table.add_row(Text(row[0], STYLES.get(row[0], "")), *map(Text, row[1:]))
    _console().print(table)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(as_json(value, indent=2))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_csv: bool) -> None:
    """Print rows one by one, as comma-separated values or as a JSON list of objects."""
    output = sys.stdout
    if as_csv:
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in rows)
        return
    separator = "["
    for row in rows:
        output.write(f"{separator}\n{as_json(dict(zip(columns, row, strict=True)))}")
        separator = ","
    output.write("[]\n" if separator == "[" else "\n]\n")


def as_json(value: Any, indent: int | None = None) -> str:
    """Write strict JSON: NaN is null, infinities are the strings "Inf" and "-Inf"."""
    return json.dumps(_json_value(value), indent=indent, allow_nan=False)


def _json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Inf" if value > 0 else "-Inf"
    return value


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return in_a_cell(value)
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - it takes long to import

    return Console(highlight=False, no_color=not is_coloured(sys.stdout))


@contextlib.contextmanager
def counting_bar(activity: str) -> Iterator[Callable[[int, int], object]]:
    """A bar on the error output, if that is a terminal, that counts: give it what is done, and the total."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    console = error_console()
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(activity, total=None)
        yield lambda num_done, total: bar.update(task, completed=num_done, total=total)


def progress_bar() -> Progress:
    """A bar on the error output that shows bytes, speed and the time that is left."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=error_console())
