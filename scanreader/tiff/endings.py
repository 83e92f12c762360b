"""How a file ends: whether its last page is complete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scanreader.tiff.forms import read_page
from scanreader.tiff.ifd import BadIfdError, NoPageError
from scanreader.tiff.reopening import page_stamp
from scanreader.tiff.runs import FileIndex

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile
    from scanreader.tiff.forms import Form, Page
    from scanreader.tiff.runs import Run

LENGTH_SIZE = 4  # bytes of the length of text that was appended
PADDING = 16  # bytes that may be before it
BLANK = 16  # zero bytes that end an unwritten page: disks and networks deliver files in blocks of 512 bytes or more


def finish_index(file: OpenFile, first: Page, runs: list[Run], ending: str, damage: str = "") -> FileIndex:
    """Make the index of a file, without its last page if the file was not closed and that page is not complete."""
    count = runs[-1].page + runs[-1].length
    inode, form = file.identity[1], first.form
    if ending and not _is_written(file, form, runs[-1]):
        count -= 1
        runs = [*runs[:-1], runs[-1]._replace(length=runs[-1].length - 1)]
        runs = [run for run in runs if run.length]
        ending = f"{ending}; the last page is not complete, or ends in zeros, and is skipped"
    if not runs:
        raise NoPageError(f"{file.path!r} holds no complete page: the only one ends in zeros, perhaps not written yet")
    stamp = page_stamp(file, runs[0], form, first.end - first.ifd)
    size, mtime_ns = file.size, file.mtime_ns
    return FileIndex(
        file.path, size, mtime_ns, form, count, tuple(runs), ending, damage, inode, stamp, ctime_ns=file.ctime_ns
    )


def _is_written(file: OpenFile, form: Form, run: Run) -> bool:
    """Whether a run's last page is complete and does not end in zeros, as an unwritten one does."""
    ifd = run.ifd + (run.length - 1) * run.stride
    try:
        page = read_page(file, run.template.flavour, ifd)
    except BadIfdError:
        return False
    size = min(form.nbytes, BLANK)
    end = ifd + run.template.pixels + form.nbytes
    return page is not None and page.end <= file.size and any(file.read(end - size, size))


def describe_ending(file: OpenFile, end: int, count: int) -> str:
    """Say what is lost of a file that was not closed."""
    bytes_left = file.size - end
    loss = f"{bytes_left} bytes of an incomplete page are skipped" if bytes_left > 0 else "nothing was lost"
    name = Path(file.path).name
    return f"{name} was not closed by the program that wrote it: {count} complete pages are read, {loss}"


def is_appended(file: OpenFile, end: int) -> bool:
    """Whether what follows the last page is text that was appended with its length, as ScanImage 5.1 does with ROIs."""
    length = int.from_bytes(file.read(file.size - LENGTH_SIZE, LENGTH_SIZE), "little")
    return 0 <= file.size - LENGTH_SIZE - length - end < PADDING
