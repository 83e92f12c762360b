"""Values as MATLAB spells them, to plain Python values."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from scanreader.errors import HeaderError

MAX_AXES = 32
MAX_DEPTH = 100  # brackets in each other
MAX_SIZE = 1 << 20  # characters in brackets; more stay text: a byte of empty rows takes 80 bytes of memory
# Possessive quantifiers keep patterns linear in the length of text that does not match.
_NUMBER = re.compile(r"[-+]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?|Inf|NaN)\Z", re.IGNORECASE)
_TOKEN = re.compile(r"""'(?:[^']++|'')*+'|[\[\]{};]|[^\s,;\[\]{}']++""")
_EMPTY = re.compile(r"(?:zeros|ones|cell)\(\s*+\d*+\s*+,?\s*+\d*+\s*+\)\Z")
_WORDS: dict[str, Any] = {"true": True, "false": False}


def parse_literal(text: str) -> Any:
    """Turn the text of a MATLAB value into Python's, in linear time; what is no value stays text.

    Vectors of either orientation give a flat list, matrices a list of rows, cells a list, N-d arrays nested
    lists in MATLAB's order of axes, empty ones ``[]``. Brackets stay text beyond `MAX_DEPTH` and `MAX_SIZE`.

    Parameters
    ----------
    text : str
        As it stands behind the equals sign.
    """
    text = text.strip()
    scalar = _scalar(text)
    if scalar is not None:
        return scalar
    if text[:1] in ("[", "{"):
        if len(text) > MAX_SIZE:
            return text
        if text[0] == "[" and "]&[" in text:
            return _array(text)
        value = _parse_brackets(text)
        return text if value is None else value
    if text[:1] == "'" and text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'").removeprefix("$")
    if _EMPTY.match(text):
        return []
    return text


def _scalar(text: str) -> bool | int | float | None:
    if text in _WORDS:
        return bool(_WORDS[text])
    if not _NUMBER.match(text):
        return None
    if text.lstrip("+-").isdigit() and len(text) < 300:  # int() is quadratic in the digits
        return int(text)
    return float(text)


def _parse_brackets(text: str) -> Any:
    """``[1 2;3 4]`` and ``{'a' [1 2]}`` to lists, without recursion; None where brackets do not match, or are deep."""
    stack: list[tuple[str, list[list[Any]]]] = []
    rows_of_bracket: Any = None
    for match in _TOKEN.finditer(text):
        word = match[0]
        if word in "[{":
            if len(stack) == MAX_DEPTH:
                return None
            stack.append((word, [[]]))
            continue
        if not stack:
            return None
        bracket, rows = stack[-1]
        if word == ";":
            rows.append([])
        elif word in "]}":
            if (bracket, word) not in (("[", "]"), ("{", "}")):
                return None
            stack.pop()
            rows_of_bracket = _rows(rows)
            if stack:
                stack[-1][1][-1].append(rows_of_bracket)
        else:
            rows[-1].append(_item(word))
    return rows_of_bracket if not stack else None


def _rows(rows: list[list[Any]]) -> list[Any]:
    if len(rows) == 1:
        return rows[0]
    if all(len(row) <= 1 for row in rows):
        return [row[0] for row in rows if row]
    return rows


def _item(word: str) -> Any:
    if word[0] == "'":
        return word[1:-1].replace("''", "'")
    value = _scalar(word)
    return word if value is None else value


def _array(text: str) -> Any:
    """``[2 1 2]&[1 2 3 4]``: sizes, then values with the first axis fastest."""
    sizes, _, values_text = text.partition("&")
    shape, values = _parse_brackets(sizes), _parse_brackets(values_text)
    is_shape = isinstance(shape, list) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not is_shape or not isinstance(values, list) or math.prod(shape) != len(values) or len(shape) > MAX_AXES:
        return text
    if not values:
        return []  # the other sizes may be anything
    return np.reshape(np.array(values, dtype=object), shape, order="F").tolist()


def integers(value: Any) -> list[int]:
    """A setting that is one integer or many, as a list."""
    values = value if isinstance(value, list) else [value]
    items = [x for row in values for x in (row if isinstance(row, list) else [row])]
    if not all(isinstance(x, (int, float)) and float(x).is_integer() for x in items):
        raise HeaderError(f"expected integers, found {value!r}")
    return [int(x) for x in items]


def numbers(value: Any) -> list[float]:
    """A setting that is one number or many, as a flat list of floats; what is no number is NaN."""
    values = value if isinstance(value, list) else [value]
    items = [x for row in values for x in (row if isinstance(row, list) else [row])]
    return [float(x) if isinstance(x, (int, float)) else math.nan for x in items]
