"""How a file ends: whether its last page is complete."""

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

BLANK = 16  # zero bytes that end an unwritten page: disks and networks deliver files in blocks of 512 bytes or more


def finish_index(file: OpenFile, form: Form, runs: list[Run], ending: str, damage: str = "") -> FileIndex:
    """Make the index of a file, without its last page if the file was not closed and that page is not complete."""
    count = runs[-1].page + runs[-1].length
    inode, t = file.identity[1], runs[0].template
    flavour = t.flavour
    if ending and not _is_written(file, flavour, form, runs[-1]):
        count -= 1
        runs = [*runs[:-1], runs[-1]._replace(length=runs[-1].length - 1)]
        runs = [run for run in runs if run.length]
        ending = f"{ending}; the last page is not complete, or ends in zeros, and is skipped"
    if not runs:
        raise NoPageError(f"{file.path!r} holds no complete page: the only one ends in zeros, perhaps not written yet")
    first = read_page(file, flavour, runs[0].ifd)
    stamp = page_stamp(file, runs[0], form, STAMPED if first is None else first.end - runs[0].ifd)
    return FileIndex(file.path, file.size, file.mtime_ns, form, count, tuple(runs), ending, damage, inode, stamp)


def _is_written(file: OpenFile, flavour: Flavour, form: Form, run: Run) -> bool:
    """Whether a run's last page is complete and does not end in zeros, as an unwritten one does."""
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
    rest = file.size - end
    loss = f"{rest} bytes of an incomplete page are skipped" if rest > 0 else "nothing was lost"
    name = Path(file.path).name
    return f"{name} was not closed by the program that wrote it: {count} complete pages are read, {loss}"
