"""The settings of a header, found by ScanImage's names; values are parsed when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from scanreader.errors import HeaderError, UnknownSettingError
from scanreader.scanimage.jsonlab import parse_json
from scanreader.scanimage.literals import parse_literal

MAGIC = 117637889  # the bytes 01 03 03 07 at byte 16 of a BigTIFF that ScanImage wrote since late 2015
BLOCK_START = 16
MOST_OF_RELEASE = 100  # characters
MAX_NAMES = 10  # times the length of a JSON header, to which the full names of its settings may add up
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


@dataclass(frozen=True, eq=False, repr=False)
class Header(Mapping[str, Any]):
    """Every setting of a header: spelled as in the file, its value parsed when it is asked for.

    A name is found with or without what ScanImage puts before it (``SI.``, ``scanimage.SI.``, ``state.``).
    If a name stands more than once, the first counts: text that users append comes last.

    Parameters
    ----------
    text : str
        The header's text, one assignment a line, or a JSON object.
    """

    text: str

    @cached_property
    def _values(self) -> dict[str, Any]:
        return _flatten_json(self.text) if self.is_json else _lines(self.text)

    @property
    def raw(self) -> Mapping[str, Any]:
        """Settings by their full names, to be read only; texts are not parsed yet."""
        return MappingProxyType(_copy_json(self._values) if self.is_json else self._values)

    @property
    def is_json(self) -> bool:
        """Whether the header was written as JSON."""
        return self.text.lstrip()[:1] == "{"

    @cached_property
    def prefix(self) -> str:
        """What stands before each setting's name, or ''."""
        for prefix in PREFIXES:
            if any(name.startswith(prefix) for name in self._values):
                return prefix
        return ""

    def __getitem__(self, name: str) -> Any:
        full_name = self._full_name(name)
        if full_name not in self._values:
            raise UnknownSettingError(self._unknown(name))
        value = self._values[full_name]
        return _copy_json(value) if self.is_json else parse_literal(value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._full_name(name) in self._values

    def get(self, name: str, default: Any = None) -> Any:
        """Value of a setting, or the default where it is missing."""
        return self[name] if name in self else default  # noqa: SIM401 - this is `get`

    def _unknown(self, name: str) -> str:
        names = [full_name.removeprefix(self.prefix) for full_name in self._values]
        group = name.removeprefix(self.prefix) + "."
        if any(setting.startswith(group) for setting in names):
            return f"{name!r} is a group: its settings begin with {name + '.'!r}"
        import difflib  # noqa: PLC0415 - for names that are wrong alone

        close_names = difflib.get_close_matches(name.removeprefix(self.prefix), names[:5000], 1)
        hint = f"; did you mean {self.prefix + close_names[0]!r}?" if close_names else ""
        return f"the header has no setting {name!r}{hint}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Header of {len(self)} settings>"

    def _full_name(self, name: str) -> str:
        if name in self._values:
            return name
        full_name = self.prefix + name
        if full_name in self._values or ".hScan2D." not in f".{name}":
            return full_name
        return full_name.replace("hScan2D.", self._scanner + ".", 1)

    @cached_property
    def _scanner(self) -> str:
        """The name of the scanner's settings: hScan2D, or in some 2015 builds the system that was imaging."""
        system = self._values.get(self.prefix + "imagingSystem")
        system = parse_literal(system) if isinstance(system, str) and not self.is_json else system
        for scanner in ("hResScan", "hLinScan"):
            name = self._values.get(f"{self.prefix}{scanner}.name")
            name = parse_literal(name) if isinstance(name, str) and not self.is_json else name
            if name is not None and name == system:
                return scanner
        return "hScan2D"


ROI_GROUPS = ("imagingRoiGroup", "photostimRoiGroups", "integrationRoiGroup", "RoiGroups")


def _lines(text: str) -> dict[str, str]:
    """Settings of a plain header, one assignment a line."""
    lines: dict[str, str] = {}
    for line in re.finditer(r"[^\r\n]+", text):
        name, equals_sign, value = line[0].partition("=")
        if equals_sign:
            lines.setdefault(name.strip(), value.strip())
    return lines


def _flatten_json(text: str) -> dict[str, Any]:
    """Settings of a JSON header, by the names of all the objects that they are in.

    Raises
    ------
    HeaderError
        If it is not JSON, or no object, or its names are as long as no program writes them.
    """
    tree = parse_json(text)
    if not isinstance(tree, dict):
        raise HeaderError("the header begins as JSON but is not an object")
    if "SI" not in tree:
        tree = {"SI": tree}
    settings: dict[str, Any] = {}
    room = MAX_NAMES * len(text)

    def walk(branch: dict[str, Any], path: str) -> None:
        nonlocal room
        for name, value in branch.items():
            room -= len(path)
            if room < 0:
                raise HeaderError(
                    f"the names in the JSON header are too long: they add up to {MAX_NAMES} times its length"
                )
            if isinstance(value, dict) and name not in ROI_GROUPS:
                walk(value, f"{path}{name}.")
            else:
                settings.setdefault(path + name, _collapse(value))

    walk(tree, "")
    return settings


def _copy_json(value: Any) -> Any:
    """A copy of a JSON value: in a tenth of the time of `copy.deepcopy`."""
    if isinstance(value, list):
        return [_copy_json(item) if isinstance(item, (list, dict)) else item for item in value]
    if isinstance(value, dict):
        return {name: _copy_json(item) for name, item in value.items()}
    return value


def _collapse(value: Any) -> Any:
    """Columns and nulls in JSON, as the same values of a plain header come out."""
    if value is None:
        return []
    if isinstance(value, list) and value and all(isinstance(row, list) and len(row) == 1 for row in value):
        return [row[0] for row in value]
    return value


def release_of(header: Header) -> str:
    """ScanImage's release in full, e.g. '2023.1'."""
    return ".".join(part for part in release_parts(header) if part)


def release_parts(header: Header) -> tuple[str, str, str]:
    """Major, minor and update of the release that wrote a header, '' where it does not say."""
    version_parts = (header.get("VERSION_MAJOR"), header.get("VERSION_MINOR"), header.get("VERSION_UPDATE"))
    if version_parts[0] is None:
        version = header.get("software.version")
        return ("" if version is None else f"{version}"[:MOST_OF_RELEASE], "", "")
    major, minor, update = ("" if part is None or part == [] else f"{part}"[:MOST_OF_RELEASE] for part in version_parts)
    return major, minor, "" if update == "0" else update
