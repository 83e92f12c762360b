"""Where the pages of a file are: runs of evenly spaced pages."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
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
    """Where the first page's IFD is, in bytes."""
    stride: int
    """Bytes from one IFD to the next."""
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
    """What is wrong with the file's end, or ''."""
    damage: str = ""
    """What is wrong before that, or ''."""
    inode: int = 0
    stamp: tuple[int, int] = (0, 0)
    """Length and checksum of what stands beside the first IFD: tells growth from another recording."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Folder and name apart: the files of a recording share their folder, and it is pickled once."""
        end = max(self.path.rfind("/"), self.path.rfind("\\")) + 1
        folder, name = sys.intern(self.path[:end]), sys.intern(self.path[end:])
        rest = (self.ending, self.damage, self.inode, self.stamp)
        return file_index, (folder, name, self.size, self.mtime_ns, self.form, self.num_pages, self.runs, *rest)


def file_index(folder: str, name: str, *facts: Any) -> FileIndex:
    """Make an index of what is pickled of one."""
    return FileIndex(folder + name, *facts)


def group_pages(pages: IndexArray, firsts: Sequence[int] | IndexArray) -> Iterator[tuple[int, int, int]]:
    """Group pages by whose they are: which of those that begin at `firsts`, first and end in `pages`."""
    if len(firsts) == 1:
        yield 0, 0, len(pages)
        return
    owners = np.asarray(firsts).searchsorted(pages, side="right") - 1
    if len(pages) == 1:
        yield int(owners[0]), 0, 1
        return
    cuts = np.flatnonzero(owners[1:] != owners[:-1]) + 1
    for a, b in itertools.pairwise([0, *cuts.tolist(), len(pages)]):
        yield int(owners[a]), a, b
