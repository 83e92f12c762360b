"""How ScanImage writes values: as MATLAB literals, and as JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Column(list[Any]):
    """A MATLAB column vector."""


class Cell(list[Any]):
    """A MATLAB cell array."""


class Verbatim(str):
    """A value that is written as this very text."""

    __slots__ = ()


def literal(value: Any, digits: int = 6) -> str:
    """Write a value as a MATLAB literal: 6 significant digits up to 2023.0, 16 from 2023.1 on."""
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        text = f"{value:.{digits}g}"
        return {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}.get(text, text)
    items = [literal(item, digits) for item in value]
    if isinstance(value, Cell):
        return "{" + " ".join(items) + "}"
    if value and isinstance(value[0], list):
        return "[" + ";".join(item[1:-1] for item in items) + "]"
    if len(items) == 1:
        return items[0]
    return "[" + (";" if isinstance(value, Column) else " ").join(items) + "]"


def plain_header(settings: Mapping[str, Any], digits: int = 6) -> str:
    """Write settings one per line, sorted as ScanImage does, each name after ``SI.``."""
    return "".join(f"SI.{name} = {literal(settings[name], digits)}\n" for name in sorted(settings))


def json_header(settings: Mapping[str, Any]) -> str:
    """Write settings as the JSON of ``useJsonHeaderFormat``."""
    tree: dict[str, Any] = {}
    for name in sorted(settings):
        *path, leaf = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = _json_value(settings[name])
    return json.dumps({"SI": tree}, indent=2) + "\n"


def _json_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "_NaN_" if math.isnan(value) else f"{'-' if value < 0 else ''}_Inf_"
    if isinstance(value, Column):
        return [[_json_value(item)] for item in value] if len(value) > 1 else _json_value(value[0])
    if isinstance(value, list):
        values = [_json_value(item) for item in value]
        return None if not values else values[0] if len(values) == 1 else values
    return value


def roi_json(value: Any, indent: int = 0) -> str:
    """Write JSON as ScanImage's JSONLab does: rows of numbers on one line, 10 digits."""
    pad, inner_pad = "  " * indent, "  " * (indent + 1)
    if isinstance(value, dict):
        items = [f"{inner_pad}{json.dumps(name)}: {roi_json(item, indent + 1)}" for name, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{pad}}}"
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        items = [inner_pad + roi_json(item, indent + 1) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{pad}]"
    if isinstance(value, list):
        return "[" + ",".join(roi_json(item) for item in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(_json_value(value))
    if isinstance(value, float):
        return f"{value:.10g}"
    return json.dumps(value)
