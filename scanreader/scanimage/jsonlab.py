"""JSON as ScanImage's JSONLab writes it, to plain Python values."""

from __future__ import annotations

import json
import math
from typing import Any

from scanreader.errors import HeaderError

_JSON_NUMBERS = {"_NaN_": math.nan, "_Inf_": math.inf, "-_Inf_": -math.inf}
MAX_DEPTH = 100
MAX_INTEGER = 10**300  # larger ones are no floats


def parse_json(text: str) -> Any:
    """JSON as ScanImage's JSONLab writes it, to plain Python.

    NaN and infinities stand as strings, empty arrays as null or as ``_ArrayType_`` objects.

    Raises
    ------
    HeaderError
        If the text is not JSON.
    """
    try:
        return _plain_value(json.loads(text), 0)
    except (ValueError, RecursionError) as error:
        raise HeaderError(f"not the JSON that ScanImage writes: {error}") from None


def _plain_value(value: Any, depth: int) -> Any:
    """Replace what JSONLab writes for other values, in place: a copy would double the memory."""
    if depth > MAX_DEPTH:
        raise HeaderError(f"JSON nested more than {MAX_DEPTH} deep")
    if isinstance(value, str):
        return _JSON_NUMBERS.get(value, value)
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return math.inf if value > 0 else -math.inf
    if isinstance(value, list):
        for i, item in enumerate(value):
            if not isinstance(item, float):
                value[i] = _plain_value(item, depth + 1)
    if isinstance(value, dict):
        for mark in ("_ArrayData_", "x_ArrayData_"):
            if mark in value:
                return listed(_plain_value(value[mark], depth + 1))
        for name, item in value.items():
            value[name] = _plain_value(item, depth + 1)
    return value


def listed(value: Any) -> list[Any]:
    """A JSON value as the flat list that it stands for: one-element lists collapse in ScanImage's JSON."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [value]
    items: list[Any] = []
    for item in value:
        items.extend(item if isinstance(item, list) else [item])
    return items
