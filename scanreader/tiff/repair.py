"""Follows the chain of IFDs, past damaged pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scanreader.errors import DamagedPageError, FileFormatError
from scanreader.tiff.endings import describe_ending, finish_index
from scanreader.tiff.forms import extent, read_page
from scanreader.tiff.ifd import BadIfdError, NoPageError
from scanreader.tiff.runs import Run
from scanreader.tiff.templates import is_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.files.local import OpenFile
    from scanreader.tiff.forms import Page
    from scanreader.tiff.ifd import Flavour
    from scanreader.tiff.runs import FileIndex

LEAP_FROM = 8  # evenly spaced pages after which pages are leapt over
LEAP_PROBES = 16
FEW_LOST = 64  # damaged pages in a row that are passed one by one; beyond, by doubling steps


def walk(file: OpenFile, flavour: Flavour, first: Page, *, leap: bool = True) -> FileIndex | None:
    """Index the file by following its chain of IFDs, gathering evenly spaced pages into runs.

    With `leap`, evenly spaced pages are not all looked at. None if a page has to be decoded: its pixels are not plain
    bytes of the file.

    Raises
    ------
    DamagedPageError
        If the chain runs in a circle or skips a page.
    FileFormatError
        If pages differ in size or dtype, or none is complete.
    """
    chain = _Chain(file, flavour, first)
    page: Page | None = first
    ending = ""
    while page is not None:
        if max(page.ifd + extent(page), page.end) > file.size:
            ending = describe_ending(file, page.ifd, chain.count)
            break
        page = chain.append(page, leap=leap)
        following, problem = None, "marks itself as the last"
        try:
            following = read_page(file, flavour, page.next) if page.next else None
        except BadIfdError as error:
            problem = f"points to byte {page.next}, where no page is ({error})"
        else:
            if page.next and following is None:
                return None
        following = chain.repair(page, following, problem)
        if following is None and page.next:
            ending = chain.describe_end(page, problem)
        page = following
    if not chain.runs:
        raise NoPageError(f"{file.path!r} holds no complete page")
    chain.check_skipped()
    runs = [run for run in chain.runs if run.length]
    return finish_index(file, first.form, runs, ending, "; ".join(chain.damage))


class _Chain:
    """The pages of a chain of IFDs, collected while it is followed."""

    def __init__(self, file: OpenFile, flavour: Flavour, first: Page) -> None:
        self.file, self.flavour, self.first = file, flavour, first
        self.name = Path(file.path).name
        self.runs: list[Run] = []
        self.count = 0
        self.visited = {first.ifd}  # without the pages that were leapt over
        self.damage: list[str] = []
        self.skips: list[tuple[Page, int]] = []  # pages, and the offset of another page that their pointer skips

    def append(self, page: Page, *, leap: bool) -> Page:
        """Add a page, and those that evenly follow it; returns the last of them."""
        self._join_run(page)
        self.count += 1
        came_before = page.next in self.visited or (page.next <= page.ifd and self._holds(page.next))
        if page.next and came_before:
            raise DamagedPageError(
                f"{self.file.path!r}: page {self.count - 1} points to byte {page.next} as the next page, but that page "
                "came before: the chain of pages runs in a circle"
            )
        run = self.runs[-1]
        if leap and run.length >= LEAP_FROM and page.next == page.ifd + run.stride:
            ahead = _leap(self.file, run, page)
            self.runs[-1] = run._replace(length=run.length + ahead)
            self.count += ahead
            page = page._replace(next=page.next + ahead * run.stride)
        self.visited.add(page.next)
        return page

    def repair(self, page: Page, following: Page | None, problem: str) -> Page | None:
        """Find the page that comes next in the file, if the pointer of one is wrong; else the one it points to."""
        adjacent = None
        if following is None or page.next - page.end >= extent(page) or page.next < page.ifd:
            adjacent = _find_adjacent(self.file, self.flavour, page, self.runs[-1].stride)
            if adjacent is not None and self._holds(adjacent):
                adjacent = None
        if following is not None:
            if adjacent is not None and adjacent != page.next:
                self.skips.append((page, adjacent))
        elif adjacent is not None:  # only the pointer is wrong
            following = read_page(self.file, self.flavour, adjacent)
            self.damage.append(f"page {self.count - 1} of {self.name} {problem}; the page after it is read anyway")
            self.runs.append(Run(self.count, 0, adjacent, 0, page.template))  # the page before may point anywhere
            self.visited.add(adjacent)
        elif page.next:
            following = self._find_beyond(page)
        if following is not None and following.form != self.first.form:
            raise FileFormatError(
                f"the pages of {self.file.path!r} differ: page 0 has {self.first.form}, page {self.count} has "
                f"{following.form}"
            )
        return following

    def describe_end(self, page: Page, problem: str) -> str:
        """Say what is lost where the chain ends in a wrong pointer, with no page after it."""
        if self.file.size - page.next < extent(self.first):
            return describe_ending(self.file, page.next, self.count)
        return f"page {self.count - 1} of {self.name} {problem}: only the {self.count} pages up to it are read"

    def check_skipped(self) -> None:
        """Check that each page that a pointer skipped is elsewhere in the chain."""
        for page, skipped in self.skips:
            if not self._holds(skipped):
                raise DamagedPageError(
                    f"the chain of pages of {self.file.path!r} skips a page: the page at byte {page.ifd} points to "
                    f"byte {page.next}, but another page is at byte {skipped}"
                )

    def _find_beyond(self, page: Page) -> Page | None:
        """Find where evenly spaced pages continue after some that cannot be read, which the run then includes."""
        run = self.runs[-1]
        last = run.ifd + (run.length - 1) * run.stride
        stride = run.stride or page.next - page.ifd
        if stride < extent(page) or page.next != last + stride:
            return None
        start, size = run.template.start, len(run.template.data)

        def is_readable(steps: int) -> bool:
            ifd = last + steps * stride
            return is_sound(run.template, ifd, self.file.read(ifd + start, size), -1)

        steps = _first_readable(is_readable, (self.file.size - last - extent(page)) // stride)
        if not steps:
            return None
        lost = steps - 1
        self.runs[-1] = run._replace(stride=stride, length=run.length + lost)
        lost_pages = f"{lost} pages" if lost > 1 else "a page"
        self.damage.append(
            f"{lost_pages} of {self.name} cannot be read, from page {self.count} on; the pages after are read"
        )
        self.count += lost
        return read_page(self.file, self.flavour, last + steps * stride)

    def _join_run(self, page: Page) -> None:
        """Add a page to the last run if it is evenly spaced, else to a new one."""
        last = self.runs[-1] if self.runs else None
        if last is not None and last.length and last.template == page.template:
            step = page.ifd - (last.ifd + (last.length - 1) * last.stride)
            if last.length == 1 and step > 0:
                last = last._replace(stride=step)
            if step == last.stride:
                self.runs[-1] = last._replace(length=last.length + 1)
                return
        self.runs.append(Run(self.count, 1, page.ifd, 0, page.template))

    def _holds(self, ifd: int) -> bool:
        """Whether an IFD at byte `ifd` is that of a page in the runs."""
        places = ((*divmod(ifd - run.ifd, run.stride or 1), run.length) for run in self.runs)
        return any(rest == 0 and 0 <= steps < length for steps, rest, length in places)


def _first_readable(is_readable: Callable[[int], bool], end: int) -> int:
    """Find the first of steps 2 to `end` that is readable: one by one, then by doubling and bisection; 0 if none."""
    for steps in range(2, min(end, FEW_LOST) + 1):
        if is_readable(steps):
            return steps
    bad = FEW_LOST
    while bad < end:
        good = min(end, 2 * bad)
        if is_readable(good):
            while good - bad > 1:
                middle = (good + bad) // 2
                good, bad = (middle, bad) if is_readable(middle) else (good, middle)
            return good
        bad = good
    return 0


def _leap(file: OpenFile, run: Run, page: Page) -> int:
    """Count the evenly spaced pages after one, by probes at doubling distances, then between them.

    A page that is where it should be vouches for those before it, which are checked when they are read.
    """
    t, stride = run.template, run.stride
    good, bad = 0, (file.size - page.ifd - extent(page)) // stride + 1
    probes = 2 ** np.arange(0, max(1, bad.bit_length()))
    while bad - good > 1:
        probes = probes[(probes > good) & (probes < bad)]
        ifds = page.ifd + probes * stride
        spans = [file.read(ifd + t.start, len(t.data)) for ifd in ifds.tolist()]
        sound = np.array([is_sound(t, ifd, span, ifd + stride) for ifd, span in zip(ifds.tolist(), spans, strict=True)])
        first_bad = int(sound.argmin()) if not sound.all() else len(sound)
        good = int(probes[first_bad - 1]) if first_bad else good
        bad = int(probes[first_bad]) if first_bad < len(sound) else bad
        probes = np.unique(np.linspace(good + 1, bad - 1, LEAP_PROBES).astype(np.int64))
    return good


def _find_adjacent(file: OpenFile, flavour: Flavour, page: Page, stride: int) -> int | None:
    """Find the IFD of a page of the same kind right after one, whatever the chain says; None if there is none."""
    pixels_first = max(0, -page.template.pixels)
    places = {page.ifd + stride, page.end + pixels_first, page.end + (page.ifd - page.end) % 8}
    for at in sorted(places):
        if at > page.ifd:
            try:
                other = read_page(file, flavour, at)
            except BadIfdError:
                continue
            if other is not None and _is_same_kind(other, page) and other.ifd + extent(other) <= file.size:
                return at
    return None


def _is_same_kind(a: Page, b: Page) -> bool:
    """Whether two pages have the same form and tags: pixels may look like an IFD by chance."""
    same_tags = (a.template.mask, a.template.next_at) == (b.template.mask, b.template.next_at)
    return same_tags and a.form == b.form
