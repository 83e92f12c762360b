"""How a file ends: which of its last pages are whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scanreader.tiff.forms import read_page
from scanreader.tiff.ifd import BadIfdError, NoPageError
from scanreader.tiff.reopening import STAMPED, page_stamp
from scanreader.tiff.runs import FileIndex

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile
    from scanreader.tiff.forms import Form
    from scanreader.tiff.ifd import Flavour
    from scanreader.tiff.runs import Run

BLANK = 16  # bytes of zeros at the end of a page's pixels: disks and networks show files by blocks of 512 at least


def finish_index(file: OpenFile, form: Form, runs: list[Run], ending: str, damage: str = "") -> FileIndex:
    """Put down where the pages of a file are; without the last, if the file was not closed and it is not whole."""
    count = runs[-1].page + runs[-1].length
    inode, t = file.identity[1], runs[0].template
    flavour = t.flavour
    if ending and not _is_written(file, flavour, form, runs[-1]):
        count -= 1
        runs = [*runs[:-1], runs[-1]._replace(length=runs[-1].length - 1)]
        runs = [run for run in runs if run.length]
        ending = f"{ending}; the last page is not whole, or ends in zeros, and is left out"
    if not runs:
        raise NoPageError(f"{file.path!r} holds no whole page: the only one ends in zeros, it may not be written yet")
    first = read_page(file, flavour, runs[0].ifd)
    stamp = page_stamp(file, runs[0], form, STAMPED if first is None else first.end - runs[0].ifd)
    return FileIndex(file.path, file.size, file.mtime_ns, form, count, tuple(runs), ending, damage, inode, stamp)


def _is_written(file: OpenFile, flavour: Flavour, form: Form, run: Run) -> bool:
    """Whether a run's last page is whole and does not end in zeros: it may be unwritten."""
    ifd = run.ifd + (run.length - 1) * run.stride
    try:
        page = read_page(file, flavour, ifd)
    except BadIfdError:
        return False
    size = min(form.nbytes, BLANK)
    end = ifd + run.template.pixels + form.nbytes
    return page is not None and page.end <= file.size and any(file.read(end - size, size))


def describe_ending(file: OpenFile, end: int, count: int) -> str:
    """Say what is lost of a file that was not closed."""
    left = file.size - end
    rest = f"{left} bytes of a page that is not whole are left out" if left > 0 else "nothing was lost"
    return f"{Path(file.path).name} was not closed by the program that wrote it: {count} whole pages are read, {rest}"
