"""How the chain of IFDs is followed, past what is damaged in it."""

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
    from scanreader.files.local import OpenFile
    from scanreader.tiff.forms import Page
    from scanreader.tiff.ifd import Flavour
    from scanreader.tiff.runs import FileIndex

LEAP_FROM = 8  # evenly spaced pages after which the chain is not walked page by page any more
LEAP_PROBES = 16
FEW_LOST = 64  # damaged pages in a row that are looked behind one by one; of more, by doubling steps


def walk(file: OpenFile, flavour: Flavour, first: Page, *, leap: bool = True) -> FileIndex | None:
    """Index the file by following its chain of IFDs, gathering evenly spaced pages into runs.

    Evenly spaced pages are leapt over, unless every single one is to be looked at. None if the pixels of a page
    do not stand plainly in the file: its pages have to be decoded.
    """
    runs: list[Run] = []
    page: Page | None = first
    name = Path(file.path).name
    seen, number, ending = {first.ifd}, 0, ""
    damage: list[str] = []
    jumps: list[tuple[Page, int]] = []  # pages, and where another stands that their pointers jump over
    while page is not None:
        if page.ifd + extent(page) > file.size or page.end > file.size:
            ending = describe_ending(file, page.ifd, number)
            break
        _join_run(runs, number, page)
        number += 1
        back = page.next <= page.ifd and any(
            _holds(run, page.next) for run in runs
        )  # pages leapt over are not in `seen`
        if page.next and (page.next in seen or back):
            raise DamagedPageError(
                f"{file.path!r}: page {number - 1} says that the page at byte {page.next} comes next, but that "
                "was read before: the chain of pages runs in a circle"
            )
        if leap and runs[-1].length >= LEAP_FROM and page.next == page.ifd + runs[-1].stride:
            ahead = _leap(file, runs[-1], page)
            runs[-1] = runs[-1]._replace(length=runs[-1].length + ahead)
            number += ahead
            page = page._replace(next=page.next + ahead * runs[-1].stride)
        seen.add(page.next)
        following: Page | None
        try:
            following = read_page(file, flavour, page.next) if page.next else None
            if page.next and following is None:
                return None
            why = "marks itself as the last"
        except BadIfdError as error:
            following, why = None, f"points to byte {page.next}, where no page is ({error})"
        behind = None
        if following is None or page.next - page.end >= extent(page) or page.next < page.ifd:
            behind = _next_in_line(file, flavour, page, runs[-1].stride)
            if behind is not None and any(_holds(run, behind) for run in runs):
                behind = None
        if following is not None and behind is not None and behind != page.next:
            jumps.append((page, behind))
        if following is None and behind is not None:  # the page's pointer is wrong, all else is where it should be
            following = read_page(file, flavour, behind)
            damage.append(f"page {number - 1} of {name} {why}; the page behind it is read nevertheless")
            runs.append(Run(number, 0, behind, 0, page.template))  # the page before may point anywhere
            seen.add(behind)
        elif following is None and page.next:
            lost, following = _find_behind(file, flavour, runs, page)
            if following is None:
                ending = _left_out(file, page, first, number, why)
                break
            many = f"{lost} pages" if lost > 1 else "a page"
            damage.append(f"{many} of {name} cannot be read, from page {number} on; the pages behind are")
            number += lost
        if following is not None and following.form != first.form:
            raise FileFormatError(
                f"the pages of {file.path!r} differ: page 0 has {first.form}, page {number} has {following.form}"
            )
        page = following
    if not runs:
        raise NoPageError(f"{file.path!r} holds no whole page")
    for page, behind in jumps:
        if not any(_holds(run, behind) for run in runs):
            raise DamagedPageError(
                f"the chain of pages of {file.path!r} skips a page: the page at byte {page.ifd} points to "
                f"byte {page.next}, but another page stands at byte {behind}"
            )
    return finish_index(file, first.form, [run for run in runs if run.length], ending, "; ".join(damage))


def _left_out(file: OpenFile, page: Page, first: Page, number: int, why: str) -> str:
    """Say what is lost where no page is found at the end of a chain, and none behind."""
    if file.size - page.next < extent(first):
        return describe_ending(file, page.next, number)
    return f"page {number - 1} of {Path(file.path).name} {why}: the {number} pages before are read"


def _find_behind(file: OpenFile, flavour: Flavour, runs: list[Run], page: Page) -> tuple[int, Page | None]:
    """Find where evenly spaced pages go on behind some that cannot be read, and let the run hold those.

    Returns
    -------
    lost : int
        How many cannot be read.
    page : Page or None
        The first behind them; None if there is none.
    """
    run = runs[-1]
    last = run.ifd + (run.length - 1) * run.stride
    stride = run.stride or page.next - page.ifd
    if stride < extent(page) or page.next != last + stride:
        return 0, None

    def sound(steps: int) -> bool:
        ifd = last + steps * stride
        return is_sound(run.template, ifd, file.read(ifd + run.template.start, len(run.template.data)), -1)

    most = (file.size - last - extent(page)) // stride
    near = range(2, min(most, FEW_LOST) + 1)
    good = next((steps for steps in near if sound(steps)), 0)
    if not good:
        bad = FEW_LOST
        far = [min(most, FEW_LOST * 2**i) for i in range(1, max(1, most // FEW_LOST).bit_length() + 1)]
        for steps in far if most > FEW_LOST else []:
            if sound(steps):
                good = steps
                break
            bad = steps
        while good - bad > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if sound(middle) else (good, middle)
    if not good:
        return 0, None
    runs[-1] = run._replace(stride=stride, length=run.length + good - 1)
    return good - 1, read_page(file, flavour, last + good * stride)


def _leap(file: OpenFile, run: Run, page: Page) -> int:
    """Count the pages behind one that go on as evenly as its run, by probing ever further and then between.

    A page stands for those before it: were they spaced otherwise, it would not be where it is. What is between
    is checked when it is read.
    """
    t, stride = run.template, run.stride
    good, bad = 0, (file.size - page.ifd - extent(page)) // stride + 1
    probes = 2 ** np.arange(0, max(1, bad.bit_length()))
    while bad - good > 1:
        probes = probes[(probes > good) & (probes < bad)]
        ifds = page.ifd + probes * stride
        spans = [file.read(ifd + t.start, len(t.data)) for ifd in ifds.tolist()]
        right = np.array([is_sound(t, ifd, span, ifd + stride) for ifd, span in zip(ifds.tolist(), spans, strict=True)])
        wrong = int(right.argmin()) if not right.all() else len(right)
        good = int(probes[wrong - 1]) if wrong else good
        bad = int(probes[wrong]) if wrong < len(right) else bad
        probes = np.unique(np.linspace(good + 1, bad - 1, LEAP_PROBES).astype(np.int64))
    return good


def _join_run(runs: list[Run], number: int, page: Page) -> None:
    last = runs[-1] if runs else None
    if last is not None and last.length and last.template == page.template:
        step = page.ifd - (last.ifd + (last.length - 1) * last.stride)
        if last.length == 1 and step > 0:
            last = last._replace(stride=step)
        if step == last.stride:
            runs[-1] = last._replace(length=last.length + 1)
            return
    runs.append(Run(number, 1, page.ifd, 0, page.template))


def _next_in_line(file: OpenFile, flavour: Flavour, page: Page, stride: int) -> int | None:
    """Where a page like this one stands behind it, whatever the chain says; None if there is none."""
    pixels_first = max(0, -page.template.pixels)
    places = {page.ifd + stride, page.end + pixels_first, page.end + (page.ifd - page.end) % 8}
    for at in sorted(places):
        if at > page.ifd:
            try:
                found = read_page(file, flavour, at)
            except BadIfdError:
                continue
            if found is not None and _is_same_kind(found, page) and found.ifd + extent(found) <= file.size:
                return at
    return None


def _holds(run: Run, ifd: int) -> bool:
    """Whether the IFD of one of the run's pages is at a byte."""
    steps, rest = divmod(ifd - run.ifd, run.stride or 1)
    return rest == 0 and 0 <= steps < run.length


def _is_same_kind(a: Page, b: Page) -> bool:
    """Whether two pages have the same form and the same tags: pixels may look like an IFD by chance."""
    same_tags = (a.template.mask, a.template.next_at) == (b.template.mask, b.template.next_at)
    return same_tags and a.form == b.form
