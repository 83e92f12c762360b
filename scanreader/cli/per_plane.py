"""A file for each plane, in a folder: an interrupted command goes on with the planes that are missing."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from scanreader.bridges.targets import atomic_file
from scanreader.errors import ScanKeyError
from scanreader.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scanreader.scans import Scan

RECORD = "scanreader.json"
"""Name of the file that says of what the files of a folder are."""
FORMATS = ("tif", "h5", "zarr", "npy", "nwb")


def suffix_for(format_name: str) -> str:
    """Ending of the files of a format.

    Raises
    ------
    ScanKeyError
        If planes are not written in it.
    """
    name = format_name.lower().lstrip(".")
    if name not in FORMATS:
        raise ScanKeyError(f"--format is one of {', '.join(FORMATS)}, not {format_name!r}")
    return f".{name}"


def plane_parts(scan: Scan) -> dict[str, Scan]:
    """The part of a scan for each file, by its name without an ending: ``zplane01`` is at the smallest depth.

    Where several fields are at a depth, each has a file, ``zplane01-field0``. Unknown depths stay in the scan's order.
    """
    places: dict[tuple[int, int | None], list[int]] = {}
    for i, field in enumerate(scan.fields):
        places.setdefault((field.slice_id, field.plane), []).append(i)
    depths = [scan.fields[numbers[0]].depth for numbers in places.values()]
    groups = list(places.values())
    if all(map(math.isfinite, depths)):
        groups = [groups[i] for i in sorted(range(len(groups)), key=depths.__getitem__)]
    parts: dict[str, Scan] = {}
    for number, fields in enumerate(groups, 1):
        for i in fields:
            name = f"zplane{number:02d}" if len(fields) == 1 else f"zplane{number:02d}-field{i}"
            parts[name] = scan.select(fields=[i])
    return parts


class PlaneRecord:
    """Which files of a folder were written of which scans, by a record in the folder.

    Parameters
    ----------
    folder : path
    options : dict
        What else makes a difference.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self._path = folder / RECORD
        self._options = {name: str(value) for name, value in options.items()} | {"scanreader": __version__}
        self._entries: dict[str, Any] = {}
        try:
            entries = json.loads(self._path.read_text("utf-8"))["files"]
            self._entries = dict(entries)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # nothing was written yet, or by another program

    def has(self, path: Path, scan: Scan) -> bool:
        """Whether a file is there, written of this scan."""
        return path.exists() and self._entries.get(path.name) == self._entry(scan)

    def forget(self, path: Path) -> None:
        """Note that a file is going to be written."""
        if self._entries.pop(path.name, None) is not None:
            self._save()

    def add(self, path: Path, scan: Scan) -> None:
        """Note that a file was written."""
        self._entries[path.name] = self._entry(scan)
        self._save()

    def _entry(self, scan: Scan) -> dict[str, str]:
        return {"scan": scan.token, **self._options}

    def _save(self) -> None:
        with atomic_file(self._path, self._path.parent) as file:
            file.write(json.dumps({"files": self._entries}, indent=1).encode())
