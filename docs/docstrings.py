"""Tells mkdocstrings what it cannot see for itself: what settings say, and tables in docstrings."""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

TYPES = {
    "number": "float",
    "count": "float",
    "flag": "bool",
    "text": "str",
    "number_list": "list[float]",
    "integer_list": "list[int]",
    "unchanged": "Any",
    "inverse": "float",
    "milliseconds": "float",
}


class Docstrings(griffe.Extension):
    """Makes docstrings, written to be read in a terminal, Markdown."""

    def on_attribute(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Give a setting of a scan its sentence and its type: they are what `Setting` is called with."""
        call = attr.value
        if not isinstance(call, griffe.ExprCall) or str(call.function) != "Setting":
            return
        convert, *_names = call.arguments
        doc = next(given.value for given in call.arguments if isinstance(given, griffe.ExprKeyword))
        attr.annotation = TYPES[str(convert)]
        attr.docstring = griffe.Docstring(ast.literal_eval(str(doc)), lineno=attr.lineno, parent=attr)
        attr.value = None

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Turn tables, literal blocks and what is typed at a prompt into Markdown's."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """Rewrite what Markdown spells otherwise."""
    text = re.sub(r"^(=+)  (=+)\n(.*?)\n\1  \2$", as_table, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(?:(?:>>>|\.\.\.) .*\n?)+", as_code, text, flags=re.MULTILINE)
    return re.sub(r"^::\n", "", text, flags=re.MULTILINE)


def as_code(found: re.Match[str]) -> str:
    """Turn what would be typed at a prompt into a block of code."""
    typed = re.sub(r"^(?:>>>|\.\.\.) | *# doctest:.*", "", found[0], flags=re.MULTILINE)
    return f"```python\n{typed.strip()}\n```\n"


def as_table(found: re.Match[str]) -> str:
    """Turn a table of two columns; a row goes on where the first is empty, or ended in a comma."""
    rows: list[list[str]] = []
    for line in found[3].splitlines():
        cells = [line[: len(found[1])].strip(), line[len(found[1]) :].strip()]
        if rows and (not cells[0] or rows[-1][0].endswith(",")):
            rows[-1] = [" ".join(pair).strip() for pair in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return "\n".join(["| name | meaning |", "|---|---|", *(f"| {name} | {meaning} |" for name, meaning in rows)])
