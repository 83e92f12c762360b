"""File names of line scans: any of them → the settings, the samples and the positions of one acquisition."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scanreader.errors import PathnameError
from scanreader.files.opening import identify, open_file
from scanreader.files.urls import is_url
from scanreader.keys import abbreviate
from scanreader.paths import SUFFIXES as TIFF_SUFFIXES
from scanreader.recording.cycles import DataFile
from scanreader.scanimage.header import Header
from scanreader.scanimage.line_scans import is_loop, is_rolled, parse_meta
from scanreader.scanimage.line_suffixes import DATA, META, POSITIONS, SUFFIXES

if TYPE_CHECKING:
    from scanreader.scanimage.header import Block

MOST_META = 256 << 20  # bytes


class LineFiles(NamedTuple):
    """The files of one acquisition of a line scan."""

    meta: str
    block: Block
    data: tuple[DataFile, ...]
    positions: tuple[DataFile, ...]
    """Empty if the positions were not recorded."""


class _Meta(NamedTuple):
    """A file of settings."""

    path: Path
    block: Block
    is_rolled: bool
    """Whether a new file was begun after some cycles, so that names end with two numbers."""
    is_loop: bool
    stem: str
    number: int | None
    """Of its acquisition; None if its name has none."""

    def suits(self, base: str) -> bool:
        """Whether it has the settings of the acquisition that the start of a name says."""
        number = self.acquisition(base)
        if number is None or self.number is None:
            return number is not None or base == self.stem
        return number == self.number or (self.is_loop and number > self.number)

    def acquisition(self, base: str) -> int | None:
        """Number of the acquisition in a name; None if there is none, or the name begins in another way."""
        part = r"(?:_\d{1,18})?" if self.is_rolled else ""
        match = re.fullmatch(rf"{re.escape(self.stem)}_(\d{{1,18}}){part}", base)
        return int(match[1]) if match else None


def find_line_files(pathname: Any) -> LineFiles:
    """Find the files of the acquisition that a file, or the start of its name, belongs to.

    Raises
    ------
    PathnameError
        If there is none, the acquisition has no settings, one of its files is missing, or several acquisitions fit.
    """
    place = _path_of(pathname)
    _refuse_other_kinds(place)
    base, names = place.name, _line_scan_names(place.parent)
    for suffix in SUFFIXES:
        base = base.removesuffix(suffix)
    meta = _meta_of(base, names, place)
    number = meta.number if meta.acquisition(base) is None else meta.acquisition(base)
    data, positions = (_parts(meta, number, suffix, names) for suffix in (DATA, POSITIONS))
    if not data:
        raise PathnameError(f"there is no file of samples ({DATA}) of {base!r} beside {meta.path.name}")
    return LineFiles(str(meta.path), meta.block, tuple(map(_data_file, data)), tuple(map(_data_file, positions)))


def _path_of(pathname: Any) -> Path:
    if not isinstance(pathname, (str, Path)) or not str(pathname).strip():
        raise PathnameError(f"expected the path of a file of a line scan, or the start of its name, not {pathname!r}")
    if is_url(str(pathname)):
        raise PathnameError(f"{pathname!r} is a URL: line scans are read on this machine, so copy their files first")
    return Path(pathname).expanduser().absolute()


def _refuse_other_kinds(place: Path) -> None:
    """Check that a path is not that of a folder or a TIFF file.

    Raises
    ------
    PathnameError
        If it is.
    """
    if place.suffix.lower() in TIFF_SUFFIXES:
        raise PathnameError(f"{str(place)!r} is a TIFF file: scanreader.read_scan reads it")
    if place.is_dir() and not any(name.startswith(place.name) for name in _line_scan_names(place.parent)):
        names = [name for name in _line_scan_names(place) if name.endswith(META)]
        advice = (
            f"name one of the line scans in it: {abbreviate(names)}" if names else f"it holds no line scan (*{META})"
        )
        raise PathnameError(f"{str(place)!r} is a folder: {advice}")


def _line_scan_names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.name.endswith((META, DATA, POSITIONS)))
    except (OSError, ValueError) as error:
        raise PathnameError(f"the folder {str(folder)!r} cannot be searched for a line scan: {error}") from None


def _meta_of(base: str, names: list[str], place: Path) -> _Meta:
    """The settings of an acquisition: its own, or those of the first acquisition of its loop.

    Raises
    ------
    PathnameError
        If there are none, or several acquisitions fit.
    """
    if f"{base}{META}" in names:
        return _read_meta(place.with_name(f"{base}{META}"))
    stem = _without_numbers(base)
    names_of_stem = [
        name for name in names if name.endswith(META) and _without_numbers(name.removesuffix(META)) == stem
    ]
    fitting_metas = [meta for name in names_of_stem if (meta := _read_meta(place.with_name(name))).suits(base)]
    if not fitting_metas:
        raise PathnameError(
            f"there is no line scan {str(place)!r}: its folder has no {base}{META}"
            + (f", but {abbreviate(names_of_stem)}" if names_of_stem else "")
        )
    numbers = {meta.number for meta in fitting_metas}
    if len(numbers) > 1 and fitting_metas[0].acquisition(base) is None:
        name_list = abbreviate([meta.path.name for meta in fitting_metas])
        raise PathnameError(f"several line scans begin with {str(place)!r}: name one of {name_list}")
    return max(fitting_metas, key=lambda meta: meta.number or 0)


def _without_numbers(base: str) -> str:
    return re.sub(r"(?:_\d{1,18}){1,2}\Z", "", base)


def _read_meta(path: Path) -> _Meta:
    with open_file(path) as file:
        text = bytes(file.read(0, min(file.size, MOST_META))).decode("utf-8", errors="replace")
    block = parse_meta(text, path.name)
    header, base = Header(block.text), path.name.removesuffix(META)
    has_parts = is_rolled(header)
    part = r"_\d{1,18}" if has_parts else ""
    match = re.fullmatch(rf"(.*?)_(\d{{1,18}}){part}", base)
    stem, number = (match[1], int(match[2])) if match else (base, None)
    return _Meta(path, block, has_parts, is_loop(header), stem, number)


def _parts(meta: _Meta, number: int | None, suffix: str, names: list[str]) -> list[Path]:
    """Files of an acquisition, in the order of their own numbers.

    Raises
    ------
    PathnameError
        If one is missing.
    """
    counters = "" if number is None else rf"_0*{number}"
    part = r"_(\d{1,18})" if meta.is_rolled and number is not None else "()"
    pattern = re.compile(rf"{re.escape(meta.stem)}{counters}{part}{re.escape(suffix)}")
    name_by_number = {int(match[1] or 1): name for name in names if (match := pattern.fullmatch(name))}
    missing_numbers = [
        part_number for part_number in range(1, max(name_by_number, default=0) + 1) if part_number not in name_by_number
    ]
    if missing_numbers:
        raise PathnameError(
            f"part {missing_numbers[0]} of {meta.stem}_{number:05d} ({suffix}) is missing in "
            f"{str(meta.path.parent)!r}: put it there, since cycles go on from one part to the next"
        )
    return [meta.path.with_name(name_by_number[part_number]) for part_number in sorted(name_by_number)]


def _data_file(path: Path) -> DataFile:
    _, _, size, mtime_ns = identify(str(path))
    return DataFile(str(path), size, mtime_ns)
