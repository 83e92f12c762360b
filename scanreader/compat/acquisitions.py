"""The files of an acquisition by roiextractors' rules, and what their headers say before they are read."""

from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING

from scanreader.compat.utilities import header_of
from scanreader.errors import ScanReaderError
from scanreader.releases import scan_class
from scanreader.scanimage.header import Header
from scanreader.tiff.index import index_file

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from scanreader.scanimage.stacks import Stack

    Pathname = str | os.PathLike[str]

MOST_NAMED = 100


def settings_of(path: Pathname) -> Header:
    """The settings in a file's header."""
    return Header(header_of(path).text)


def stack_of(path: Pathname) -> Stack:
    """The order of frames by a file's header, even if the file holds only a part of the recording."""
    settings = settings_of(path)
    rules = scan_class(settings)[0].rules()
    return rules.find_stack(settings, len(rules.find_channels(settings, None)), index_file(path).num_pages, [])


def find_files(path: Path) -> list[Path]:
    """Find the files of a file's acquisition by roiextractors' rules: by its name and its header.

    Warns
    -----
    UserWarning
        If files are missing between others, or some files with the same prefix have no number.
    """
    settings = settings_of(path)
    parts = path.stem.split("_")
    state, frames_per_file = settings.get("acqState"), settings.get("hScan2D.logFramesPerFile", math.inf)
    if state == "grab" and frames_per_file != math.inf:
        has_other_files = len(parts) > 2 and _is_number(parts[-2])
    else:
        has_other_files = state == "loop" or _is_slow(path)
    if not has_other_files or not _is_number(parts[-1]):
        return [path]
    prefix = path.stem.removesuffix(parts[-1])
    files_with_prefix = [
        file for file in path.parent.iterdir() if file.suffix == path.suffix and file.stem.startswith(prefix)
    ]
    counters = {file: file.stem.removeprefix(prefix) for file in files_with_prefix}
    numbered_files = sorted((int(counter), file) for file, counter in counters.items() if _is_number(counter))
    numbers = {number for number, _ in numbered_files}
    unnumbered_names = sorted(file.name for file, counter in counters.items() if not _is_number(counter))
    if unnumbered_names:
        warnings.warn(
            f"Non-sequence files detected: {', '.join(unnumbered_names)}. They are skipped; file_paths can name them.",
            UserWarning,
            stacklevel=3,
        )
    missing_numbers = sorted(set(range(min(numbers), max(numbers) + 1)) - numbers)
    if missing_numbers:
        digits = len(parts[-1])
        names = ", ".join(f"{prefix}{number:0{digits}d}{path.suffix}" for number in missing_numbers[:MOST_NAMED])
        remainder = f" and {len(missing_numbers) - MOST_NAMED} more" if len(missing_numbers) > MOST_NAMED else ""
        warnings.warn(f"Missing files detected in the sequence: {names}{remainder}.", UserWarning, stacklevel=3)
    return [file for _, file in numbered_files]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{1,9}", text, re.ASCII) is not None


def _is_slow(path: Path) -> bool:
    """Whether slices were recorded one after the other: ScanImage begins files at slices too."""
    try:
        stack = stack_of(path)
    except ScanReaderError:
        return False
    return stack.mode == "slow" and stack.slices > 1
