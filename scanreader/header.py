"""Settings as ScanImage spells them: MATLAB literals and JSON, from the text of a header to Python values."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from scanreader.errors import HeaderError, UnknownSettingError

MAGIC = 117637889  # the bytes 01 03 03 07 at byte 16 of a BigTIFF that ScanImage wrote since late 2015
BLOCK_START = 16

PREFIXES = ("SI.", "scanimage.SI.", "scanimage.SI5.", "scanimage.SI4.", "state.")


class Block(NamedTuple):
    """What ScanImage wrote once for a whole file."""

    text: str
    """The settings."""

    rois: str
    """The JSON of the ROI groups, or ''."""

    version: int | None
    """TIFF_FORMAT_VERSION as the file's block says it; None for files without a block."""


def decode(data: bytes) -> str:
    """Bytes as ScanImage writes them, to text: ASCII in practice, names that users gave in any encoding."""
    return data.rstrip(b"\0 \n\r").decode("utf-8", errors="replace")


class Header(Mapping[str, Any]):
    """Every setting of a header: spelled as in the file, its value parsed when it is asked for.

    A name is found with or without what ScanImage puts before it (``SI.``, ``scanimage.SI.``, ``state.``).
    If a name stands more than once, the first counts: text that users append comes last.

    Parameters
    ----------
    text : str
        The header's text, one assignment a line, or a JSON object.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def raw(self) -> dict[str, Any]:
        """Settings by their full names; texts are not parsed yet."""
        if self.is_json:
            return _flatten_json(self.text)
        if not self.text:
            return {}
        lines: dict[str, Any] = {}
        for line in re.split(r"[\r\n]+", self.text):
            name, equals, value = line.partition("=")
            if equals:
                lines.setdefault(name.strip(), value.strip())
        return lines

    @property
    def is_json(self) -> bool:
        """Whether the header was written as JSON."""
        return self.text.lstrip()[:1] == "{"

    @cached_property
    def prefix(self) -> str:
        """What stands before each setting's name, or ''."""
        for prefix in PREFIXES:
            if any(name.startswith(prefix) for name in self.raw):
                return prefix
        return ""

    def __getitem__(self, name: str) -> Any:
        full = self._full(name)
        if full not in self.raw:
            raise UnknownSettingError(self._unknown(name))
        value = self.raw[full]
        return value if self.is_json else parse_literal(value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._full(name) in self.raw

    def get(self, name: str, default: Any = None) -> Any:
        """Value of a setting, or the default where it is missing."""
        return self[name] if name in self else default  # noqa: SIM401 - this is `get`

    def _unknown(self, name: str) -> str:
        names = [full.removeprefix(self.prefix) for full in self.raw]
        group = name.removeprefix(self.prefix) + "."
        if any(known.startswith(group) for known in names):
            return f"{name!r} is a group: its settings begin with {name + '.'!r}"
        near = difflib.get_close_matches(name.removeprefix(self.prefix), names[:5000], 1)
        return f"the header has no setting {name!r}" + (f"; did you mean {self.prefix + near[0]!r}?" if near else "")

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"<Header of {len(self)} settings>"

    def _full(self, name: str) -> str:
        if name in self.raw:
            return name
        full = self.prefix + name
        if full in self.raw or ".hScan2D." not in f".{name}":
            return full
        return full.replace("hScan2D.", self._scanner + ".", 1)

    @cached_property
    def _scanner(self) -> str:
        """The name of the scanner's settings: hScan2D, or in some 2015 builds the system that was imaging."""
        system = self.raw.get(self.prefix + "imagingSystem")
        system = parse_literal(system) if isinstance(system, str) and not self.is_json else system
        for scanner in ("hResScan", "hLinScan"):
            name = self.raw.get(f"{self.prefix}{scanner}.name")
            name = parse_literal(name) if isinstance(name, str) and not self.is_json else name
            if name is not None and name == system:
                return scanner
        return "hScan2D"


# ---------------------------------------------------------------------- JSON


_JSON_NUMBERS = {"_NaN_": math.nan, "_Inf_": math.inf, "-_Inf_": -math.inf}
MAX_DEPTH = 100
MAX_AXES = 32


def parse_json(text: str) -> Any:
    """JSON as ScanImage's JSONLab writes it, to plain Python.

    NaN and infinities stand as strings, empty arrays as null or as ``_ArrayType_`` objects.

    Raises
    ------
    HeaderError
        If the text is not JSON.
    """
    try:
        return _plain(json.loads(text), 0)
    except (ValueError, RecursionError) as error:
        raise HeaderError(f"not the JSON that ScanImage writes: {error}") from None


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise HeaderError(f"JSON nested more than {MAX_DEPTH} deep")
    if isinstance(value, str):
        return _JSON_NUMBERS.get(value, value)
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        for mark in ("_ArrayData_", "x_ArrayData_"):
            if mark in value:
                return listed(_plain(value[mark], depth + 1))
        return {name: _plain(item, depth + 1) for name, item in value.items()}
    return value


def listed(value: Any) -> list[Any]:
    """A JSON value as the flat list that it stands for: one-element lists collapse in ScanImage's JSON."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [value]
    flat: list[Any] = []
    for item in value:
        flat.extend(item if isinstance(item, list) else [item])
    return flat


def _flatten_json(text: str) -> dict[str, Any]:
    tree = parse_json(text)
    if not isinstance(tree, dict):
        raise HeaderError("the header begins as JSON but is not an object")
    if "SI" not in tree:
        tree = {"SI": tree}
    flat: dict[str, Any] = {}

    def walk(branch: dict[str, Any], path: str) -> None:
        for name, value in branch.items():
            if isinstance(value, dict) and name not in ROI_GROUPS:
                walk(value, f"{path}{name}.")
            else:
                flat.setdefault(path + name, _collapse(value))

    walk(tree, "")
    return flat


ROI_GROUPS = ("imagingRoiGroup", "photostimRoiGroups", "integrationRoiGroup", "RoiGroups")


def _collapse(value: Any) -> Any:
    """Columns and nulls in JSON, as the same values of a plain header come out."""
    if value is None:
        return []
    if isinstance(value, list) and value and all(isinstance(row, list) and len(row) == 1 for row in value):
        return [row[0] for row in value]
    return value


# ------------------------------------------------------------------- MATLAB


_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|Inf|NaN)\Z", re.IGNORECASE)
_TOKEN = re.compile(r"""'(?:[^']|'')*'|[\[\]{};]|[^\s,;\[\]{}']+""")
_WORDS: dict[str, Any] = {"true": True, "false": False}


def parse_literal(text: str) -> Any:
    """Turn the text of a MATLAB value into Python's, in linear time; what is no value stays text.

    Vectors of either orientation give a flat list, matrices a list of rows, cells a list, N-d arrays nested
    lists in MATLAB's order of axes, empty ones ``[]``.

    Parameters
    ----------
    text : str
        As it stands behind the equals sign.
    """
    text = text.strip()
    scalar = _scalar(text)
    if scalar is not None:
        return scalar
    if text[:1] == "[" and "]&[" in text:
        return _array(text)
    if text[:1] in ("[", "{"):
        value = _bracketed(text)
        return text if value is None else value
    if text[:1] == "'" and text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'").removeprefix("$")
    if re.match(r"(?:zeros|ones|cell)\(\s*\d*\s*,?\s*\d*\s*\)\Z", text):
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


def _bracketed(text: str) -> Any:
    """``[1 2;3 4]`` and ``{'a' [1 2]}`` to lists, without recursion; None where brackets do not match."""
    stack: list[tuple[str, list[list[Any]]]] = []
    closed: Any = None
    for word in _TOKEN.findall(text):
        if word in "[{":
            stack.append((word, [[]]))
            continue
        if not stack:
            return None
        opened, rows = stack[-1]
        if word == ";":
            rows.append([])
        elif word in "]}":
            if (opened, word) not in (("[", "]"), ("{", "}")):
                return None
            stack.pop()
            closed = _rows(rows)
            if stack:
                stack[-1][1][-1].append(closed)
        else:
            rows[-1].append(_item(word))
    return closed if not stack else None


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
    sizes, _, flat = text.partition("&")
    shape, values = _bracketed(sizes), _bracketed(flat)
    whole = isinstance(shape, list) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not whole or not isinstance(values, list) or math.prod(shape) != len(values) or len(shape) > MAX_AXES:
        return text
    return np.reshape(np.array(values, dtype=object), shape, order="F").tolist()


# ------------------------------------------------------------- one setting


def integers(value: Any) -> list[int]:
    """A setting that is one integer or many, as a list."""
    values = value if isinstance(value, list) else [value]
    flat = [x for row in values for x in (row if isinstance(row, list) else [row])]
    if not all(isinstance(x, (int, float)) and float(x).is_integer() for x in flat):
        raise HeaderError(f"expected integers, found {value!r}")
    return [int(x) for x in flat]


def numbers(value: Any) -> list[float]:
    """A setting that is one number or many, as a flat list of floats; what is no number is NaN."""
    values = value if isinstance(value, list) else [value]
    flat = [x for row in values for x in (row if isinstance(row, list) else [row])]
    return [float(x) if isinstance(x, (int, float)) else math.nan for x in flat]
