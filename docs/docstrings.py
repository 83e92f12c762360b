"""A mkdocstrings extension for the settings of a scan, and for tables and code in docstrings."""

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
    "position": "list[float] | None",
    "unchanged": "Any",
    "inverse": "float",
    "milliseconds": "float",
}


class Docstrings(griffe.Extension):
    """Converts docstrings, which are written for a terminal, to Markdown."""

    def on_attribute(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Give a setting of a scan its docstring and its type, from the arguments of its call of `Setting`."""
        call = attr.value
        if not isinstance(call, griffe.ExprCall) or str(call.function) != "Setting":
            return
        convert, *_names = call.arguments
        doc = next(argument.value for argument in call.arguments if isinstance(argument, griffe.ExprKeyword))
        attr.annotation = TYPES[str(convert)]
        attr.docstring = griffe.Docstring(ast.literal_eval(str(doc)), lineno=attr.lineno, parent=attr)
        attr.value = None

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Convert tables, literal blocks and examples at a Python prompt to Markdown."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """Convert the parts of a docstring that Markdown writes differently."""
    text = re.sub(r"^(=+)  (=+)\n(.*?)\n\1  \2$", as_table, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(?:(?:>>>|\.\.\.) .*\n?)+", as_code, text, flags=re.MULTILINE)
    return re.sub(r"^::\n", "", text, flags=re.MULTILINE)


def as_code(match: re.Match[str]) -> str:
    """Convert an example at a Python prompt to a block of code."""
    code = re.sub(r"^(?:>>>|\.\.\.) | *# doctest:.*", "", match[0], flags=re.MULTILINE)
    return f"```python\n{code.strip()}\n```\n"


def as_table(match: re.Match[str]) -> str:
    """Convert a table of two columns; a row continues if its first cell is empty, or ended in a comma."""
    rows: list[list[str]] = []
    for line in match[3].splitlines():
        cells = [line[: len(match[1])].strip(), line[len(match[1]) :].strip()]
        if rows and (not cells[0] or rows[-1][0].endswith(",")):
            rows[-1] = [" ".join(pair).strip() for pair in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return "\n".join(["| name | meaning |", "|---|---|", *(f"| {name} | {meaning} |" for name, meaning in rows)])
