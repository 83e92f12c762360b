"""Where the pages of a file are: runs of evenly spaced pages."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scanreader.keys import IndexArray
    from scanreader.tiff.forms import Form
    from scanreader.tiff.templates import Template


class Run(NamedTuple):
    """Evenly spaced pages."""

    page: int
    """The first page's number in its file."""
    length: int
    """Number of pages."""
    ifd: int
    """Offset of the first page's IFD, in bytes."""
    stride: int
    """From one IFD to the next, in bytes."""
    template: Template


@dataclass(frozen=True, slots=True)
class FileIndex:
    """Where the pages of one file are."""

    path: str
    size: int
    mtime_ns: int
    form: Form
    num_pages: int
    runs: tuple[Run, ...]
    """Empty if tifffile has to decode the pages."""
    ending: str = ""
    """What is wrong with the end of the file; '' if nothing is."""
    damage: str = ""
    """What is wrong before the end; '' if nothing is."""
    inode: int = 0
    stamp: tuple[int, int] = (0, 0)
    """Length and checksum of the bytes after the first IFD: tells a grown file from another recording."""
    ctime_ns: int = field(default=0, compare=False)
    """When the file or its name was last changed, in ns; 0 if unknown."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle folder and name separately: files of a recording share their folder, which is then pickled once."""
        end = max(self.path.rfind("/"), self.path.rfind("\\")) + 1
        folder, name = sys.intern(self.path[:end]), sys.intern(self.path[end:])
        other_values = (self.ending, self.damage, self.inode, self.stamp, self.ctime_ns)
        values = (self.size, self.mtime_ns, self.form, self.num_pages, self.runs)
        return unpickle_index, (folder, name, *values, *other_values)


def unpickle_index(folder: str, name: str, *other_values: Any) -> FileIndex:
    """Make an index from its pickled parts."""
    return FileIndex(folder + name, *other_values)


def group_pages(pages: IndexArray, starts: Sequence[int] | IndexArray) -> Iterator[tuple[int, int, int]]:
    """Group pages by their runs or files, which begin at `starts`: yields number, first and end in `pages`."""
    if len(starts) == 1:
        yield 0, 0, len(pages)
        return
    owners = np.asarray(starts).searchsorted(pages, side="right") - 1
    if len(pages) == 1:
        yield int(owners[0]), 0, 1
        return
    cuts = np.flatnonzero(owners[1:] != owners[:-1]) + 1
    for a, b in itertools.pairwise([0, *cuts.tolist(), len(pages)]):
        yield int(owners[a]), a, b
