"""Follows the chain of IFDs, past damaged pages."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scanreader.errors import DamagedPageError, FileFormatError
from scanreader.tiff.encoded import describe_shared
from scanreader.tiff.endings import BLANK, describe_ending, finish_index, is_appended
from scanreader.tiff.forms import contradicts_plain, extent, is_complete, read_page
from scanreader.tiff.ifd import SAMPLE_FORMAT, BadIfdError, NoPageError, read_ifd
from scanreader.tiff.placement import mark_misplaced
from scanreader.tiff.runs import Run
from scanreader.tiff.templates import ifd_matches, matching_none, next_ifd_of
from scanreader.tiff.tiny import refuse_tiny_pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.files.local import OpenFile
    from scanreader.tiff.forms import Page
    from scanreader.tiff.ifd import Flavour
    from scanreader.tiff.runs import FileIndex

SKIP_FROM = 8  # evenly spaced pages after which pages are skipped
PROBES = 16
FEW_ALIKE = 3  # pages of one dtype, after which a page of another dtype is damaged; before, the pages differ
SLACK = 64  # bytes by which the descriptions of a galvo recording may differ in length
MOST_SAID = 5  # damaged places that are described; more are counted
MOST_SPANS = 64 << 20  # bytes to compare of IFDs and lists of strips, beyond which they overlap each other
FEW_EVEN = 4096  # pages that are leapt over and remembered one by one: few numbers, if a page points backwards
MOST_BACKWARD = 10_000  # pages that point to one before them: each is looked at from all sides
MOST_DAMAGED = 10_000  # damaged places, after which a file is refused
FEW_LOST = 64  # damaged pages in a row that are passed one by one; beyond, by doubling steps


def walk(file: OpenFile, flavour: Flavour, first: Page, *, skip_even: bool = True) -> FileIndex | None:
    """Index the file by following its chain of IFDs, gathering evenly spaced pages into runs.

    With `skip_even`, evenly spaced pages are skipped where possible. None if a page has to be decoded: its pixels are
    not plain bytes of the file.

    Raises
    ------
    DamagedPageError
        If the chain runs in a circle or skips a page.
    FileFormatError
        If pages differ in size or dtype, or none is complete.
    """
    chain = _Chain(file, flavour, first)
    page: Page | None = first
    while page is not None:
        if not is_complete(page, file.size):
            chain.end_before(page)
            break
        page = chain.follow(chain.append(page, skip_even=skip_even))
        if chain.is_encoded or chain.spans > MOST_SPANS + 4 * file.size:
            return None
    if chain.is_encoded:
        return None
    if not chain.runs:
        raise NoPageError(f"{file.path!r} holds no complete page")
    chain.check_skipped()
    chain.check_placement()
    shared_damage = describe_shared(file, chain.count, chain.count * first.form.nbytes)
    damage = "; ".join(filter(None, (chain.describe_damage(), shared_damage)))
    return finish_index(file, first, chain.runs, chain.ending, damage)


class _NoPage(NamedTuple):
    """Why there is no page to read where a page points to as the next one."""

    problem: str
    next_ifd: int = 0
    """Where the IFD there says that the page after it is; 0 if it does not say."""
    is_encoded: bool = False
    """Whether it is a page that tifffile can decode."""
    other_form: str = ""
    """Its form, if it is a page of another dtype than the first; '' otherwise."""


class _Chain:
    """The pages of a chain of IFDs, collected while it is followed."""

    def __init__(self, file: OpenFile, flavour: Flavour, first: Page) -> None:
        self.file, self.flavour, self.first, self.last = file, flavour, first, first
        self.name = Path(file.path).name
        self.runs: list[Run] = []
        self.heads: dict[int, int] = {}  # `Page.head` of the first page of each run, by its number
        self.count = 0
        self.pointers = {first.ifd}  # where pages pointed to
        self.ifds: set[int] = set()
        """Where the IFDs of the pages are, without those of `even_runs`."""
        self.even_runs: list[Run] = []
        self.backward = 0  # pages that point to one before them
        self.spans = 0  # bytes of the templates that were made
        self.damage: list[str] = []
        self.ending = ""
        self.end = file.size
        """Where a page after the last would begin."""
        self.is_encoded = False
        self.skips: list[tuple[Page, int]] = []  # pages, and the offset of another page that their pointer skips

    def append(self, page: Page, *, skip_even: bool) -> Page:
        """Add a page, and those that evenly follow it; returns the last of them."""
        self._join_run(page)
        self.count += 1
        self.ifds.add(page.ifd)
        self.spans += len(page.template.data)
        refuse_tiny_pages(self.file, len(self.runs))
        has_come_before = page.next_ifd in self.pointers or self._holds(page.next_ifd)
        self.backward += 0 < page.next_ifd < page.ifd
        if self.backward > MOST_BACKWARD:
            raise DamagedPageError(f"more than {MOST_BACKWARD} pages of {self.file.path!r} point to a page before them")
        if page.next_ifd and has_come_before:
            raise DamagedPageError(
                f"{self.file.path!r}: page {self.count - 1} points to byte {page.next_ifd} as the next page, but that "
                "page came before: the chain of pages runs in a circle"
            )
        run = self.runs[-1]
        if skip_even and run.length >= SKIP_FROM and page.next_ifd == page.ifd + run.stride:
            num_ahead = _count_even_pages(self.file, run, page)
            self.runs[-1] = run._replace(length=run.length + num_ahead)
            self.count += num_ahead
            self._remember(page, run.stride, num_ahead)
            page = page.moved(num_ahead * run.stride)
        self.pointers.add(page.next_ifd)
        self.last = page
        return page

    def follow(self, page: Page) -> Page | None:
        """Find the page after one: where it points to, or past what is damaged; None if it is the last."""
        target = self._target(page.next_ifd) if page.next_ifd else _NoPage("marks itself as the last")
        if not isinstance(target, _NoPage):
            self._note_skipped(page)
            return target
        if target.is_encoded:
            self.is_encoded = True
            return None
        next_page = (
            self._pass_pointer(page, target)
            or self._pass_page(page, target)
            or self._pass_evenly(page)
            or self._pass_record(page)
        )
        if next_page is None:
            self._finish(page, target)
        return next_page

    def end_before(self, page: Page) -> None:
        """End the chain before a page that is not complete."""
        self.ending, self.end = describe_ending(self.file, page.ifd, self.count), page.first

    def check_skipped(self) -> None:
        """Check that each page that a pointer skipped is elsewhere in the chain."""
        for page, skipped_ifd in self.skips:
            if not self._holds(skipped_ifd):
                raise DamagedPageError(
                    f"the chain of pages of {self.file.path!r} skips a page: the page at byte {page.ifd} points to "
                    f"byte {page.next_ifd}, but another page is at byte {skipped_ifd}"
                )

    def check_placement(self) -> None:
        """Mark pages that have their pixels elsewhere than the others: they cannot be read."""
        runs = [run for run in self.runs if run.length]
        for run, next_run in itertools.pairwise(runs):
            if run.template.pixels < 0 and run.length > 1 == next_run.length:  # the next pixels follow its last page
                last = self._read_or_none(run.ifd + (run.length - 1) * run.stride)
                self.heads[run.page + run.length - 1] = last.head if last else self.heads.get(run.page, 0)
        self.runs, misplaced_pages = mark_misplaced(runs, self.heads, self.first.form.nbytes, self.end)
        self.damage += [
            f"page {page} of {self.name} cannot be read: its pixels are not where the other pages have theirs"
            for page in misplaced_pages
        ]

    def describe_damage(self) -> str:
        """Say what is damaged; '' if nothing is."""
        num_more = len(self.damage) - MOST_SAID
        sentences = self.damage[:MOST_SAID] + ([f"and {num_more} more places are damaged"] if num_more > 0 else [])
        return "; ".join(sentences)

    # ------------------------------------------------------------------ what a page points to

    def _target(self, at: int) -> Page | _NoPage:
        """Read the page at byte `at`, where another page points to."""
        page = self._read_like_last(at)
        if page is not None and page.end + page.ifd - self.last.ifd <= self.file.size:  # it is complete for sure
            return page
        target = self._parse(at)
        return page if page is not None and isinstance(target, _NoPage) else target

    def _read_like_last(self, at: int) -> Page | None:
        """Read a page by the template of the last page, if it follows its run evenly; None if it does not."""
        step = at - self.last.ifd
        if step <= 0 or step != (self.runs[-1].stride or step):
            return None
        return self._read_by_template(at)

    def _read_by_template(self, at: int) -> Page | None:
        """Read a page that has its form and pixels where the last page has them; None if there is no such page."""
        last, t = self.last, self.last.template
        if at + extent(last) > self.file.size:
            return None
        span = self.file.read(at + t.start, len(t.data))
        if not ifd_matches(t, at, span, -1):
            return None
        return last.moved(at - last.ifd)._replace(next_ifd=next_ifd_of(t, span))

    def _parse(self, at: int) -> Page | _NoPage:
        try:
            page = self._plain_page(at)
        except BadIfdError as error:
            return _NoPage(f"points to byte {at}, where no page is ({error})", error.next_ifd or 0)
        if page is None:
            return self._not_plain(at)
        if page.form != self.first.form:
            return self._of_other_form(page)
        if page.problem not in ("", self.first.problem):
            return _NoPage(f"points to byte {at}, where a page is damaged ({page.problem})", page.next_ifd)
        if page.ifd + extent(page) > self.file.size > page.next_ifd > page.ifd:
            return _NoPage(
                f"points to byte {at}, where a page is damaged (its pixels are outside the file)", page.next_ifd
            )
        return page

    def _plain_page(self, at: int) -> Page | None:
        """Read a page, also if only the size of its strip is wrong; None if it is not plain."""
        page = read_page(self.file, self.flavour, at)
        if page is None:
            page = read_page(self.file, self.flavour, at, trust_size=False)
            return page if page is not None and page.form == self.first.form else None
        return page

    def _not_plain(self, at: int) -> _NoPage:
        next_ifd = read_ifd(self.file, self.flavour, at).next_ifd
        if not contradicts_plain(self.file, self.flavour, at, self.first.form.nbytes):
            return _NoPage("", next_ifd, is_encoded=True)
        problem = "its tags contradict those of the other pages"
        return _NoPage(f"points to byte {at}, where a page is damaged ({problem})", next_ifd)

    def _of_other_form(self, page: Page) -> _NoPage:
        """Refuse a page of another size or dtype, unless it has lost the tag that names the dtype, or its last tags.

        Raises
        ------
        FileFormatError
            If it has not.
        """
        ifd, first = (read_ifd(self.file, self.flavour, at) for at in (page.ifd, self.first.ifd))
        is_whole = len(ifd.tags) != len(first.tags) and (
            page.next_ifd == 0 or self._read_or_none(page.next_ifd) is not None
        )
        if page.form[:2] != self.first.form[:2] or SAMPLE_FORMAT in ifd.tags or is_whole:
            raise self._different_pages(str(page.form))
        problem = f"points to byte {page.ifd}, where a page has {page.form}, the first has {self.first.form}"
        return _NoPage(problem, page.next_ifd, other_form=str(page.form))

    def _different_pages(self, form: str) -> FileFormatError:
        return FileFormatError(
            f"the pages of {self.file.path!r} differ: page 0 has {self.first.form}, page {self.count} has {form}"
        )

    # ----------------------------------------------------------------------- past what is damaged

    def _pass_pointer(self, page: Page, target: _NoPage) -> Page | None:
        """Find the page right after one of which only the pointer is wrong; None if there is none."""
        adjacent_page = self._find_adjacent(page)
        if adjacent_page is None:
            return None
        if adjacent_page.form != self.first.form:
            raise self._different_pages(str(adjacent_page.form))
        self.damage.append(f"page {self.count - 1} of {self.name} {target.problem}; the page after it is read anyway")
        self.runs.append(Run(self.count, 0, adjacent_page.ifd, 0, page.template))  # the page before may point anywhere
        self.pointers.add(adjacent_page.ifd)
        return adjacent_page

    def _pass_page(self, page: Page, target: _NoPage) -> Page | None:
        """Find the page that a damaged one points to, and count that one; None if it does not lead to a page."""
        is_far = target.next_ifd - page.ifd >= 3 * page.size  # other pages may be between
        has_come_before = target.next_ifd in self.pointers or self._holds(target.next_ifd)
        if target.next_ifd <= page.next_ifd or is_far or has_come_before:
            return None
        next_page = self._target(target.next_ifd)
        if isinstance(next_page, _NoPage) or not is_complete(next_page, self.file.size):
            return None
        self.damage.append(
            f"page {self.count} of {self.name} cannot be read, as page {self.count - 1} {target.problem}; "
            "the pages after are read"
        )
        self._add_lost(page, page.next_ifd - page.ifd, 1)
        self.pointers.add(target.next_ifd)
        return next_page

    def _pass_evenly(self, page: Page) -> Page | None:
        """Find where evenly spaced pages continue after some that cannot be read."""
        strides = [self.runs[-1].stride]
        if not strides[0]:
            guesses = {at - page.ifd for at in (*self._places_after(page), page.next_ifd)}
            strides = sorted(guess for guess in guesses if page.size <= guess < 2 * page.size)
        for stride in strides:

            def is_readable(steps: int, stride: int = stride) -> bool:
                return self._read_by_template(page.ifd + steps * stride) is not None

            steps = _first_readable(is_readable, (self.file.size - page.ifd - extent(page)) // stride)
            at = page.ifd + steps * stride
            if steps and not self._holds(at):
                self._say_lost(steps - 1)
                self._add_lost(page, stride, steps - 1)
                return self._read_or_none(at) or self._read_by_template(at)
        return None

    def _pass_record(self, page: Page) -> Page | None:
        """Find the page after one that cannot be read and is about as large, by the bytes with which IFDs begin."""
        t, step = page.template, self._step_after(page)
        start = page.ifd + step + page.size - SLACK
        prefix = t.data[: t.mask.find(b"\0")]
        place = self.file.read(start, 2 * SLACK + len(prefix)).find(prefix) if t.start == 0 else -1
        next_page = None if place < 0 else self._read_or_none(start + place)
        if next_page is None or not _is_same_kind(next_page, page) or self._holds(next_page.ifd):
            return None
        self._say_lost(1)
        self._add_lost(page, step, 1)
        return next_page

    def _say_lost(self, num_lost: int) -> None:
        lost_pages = f"{num_lost} pages" if num_lost > 1 else "a page"
        self.damage.append(
            f"{lost_pages} of {self.name} cannot be read, from page {self.count} on; the pages after are read"
        )

    def _add_lost(self, page: Page, step: int, num_lost: int) -> None:
        """Count pages that cannot be read, each so many bytes after the one before."""
        run = self.runs[-1]
        if page.next_ifd == page.ifd + step and step == (run.stride or step):
            self.runs[-1] = run._replace(stride=step, length=run.length + num_lost)
        else:  # the page before points elsewhere, so that it must be the last of its run
            self.runs.append(Run(self.count, num_lost, page.ifd + step, step, matching_none(page.template)))
        self.count += num_lost
        self._remember(page, step, num_lost)
        if len(self.damage) > MOST_DAMAGED:
            raise DamagedPageError(f"{self.file.path!r} is damaged in more than {MOST_DAMAGED} places")

    def _finish(self, page: Page, target: _NoPage) -> None:
        """Say what is lost where the chain ends, if anything is."""
        if target.other_form and self.count < FEW_ALIKE:
            raise self._different_pages(target.other_form)
        page = page._replace(end=(self._read_or_none(page.ifd) or page).end)  # that of `_read_like_last` is a guess
        bytes_left = self.file.size - page.end
        has_room = bytes_left >= self.first.form.nbytes + len(self.first.template.data)
        sentence = f"page {self.count - 1} of {self.name} {target.problem}"
        if not page.next_ifd and has_room and is_appended(self.file, page.end):
            return
        step = self.runs[-1].stride or self._step_after(page)
        if has_room and self._is_one_record(page, step):
            self.damage.append(f"page {self.count} of {self.name}, the last, cannot be read: {sentence}")
            self._add_lost(page, step, 1)
        elif not page.next_ifd:
            if has_room:
                self.damage.append(f"{sentence}, but {bytes_left} bytes follow in which no page is found")
        elif page.next_ifd in self._places_after(page) and self.file.size - page.next_ifd < extent(self.first):
            self.ending, self.end = (
                describe_ending(self.file, page.next_ifd, self.count),
                page.next_ifd + page.first - page.ifd,
            )
        elif has_room:
            self.ending = f"{sentence}: only the {self.count} pages up to it are read"
        else:
            self.ending = f"{sentence}; no page is after it"

    def _is_one_record(self, page: Page, step: int) -> bool:
        """Whether the bytes after a page are one page more, which begins so many bytes after it, and is damaged."""
        is_written = any(self.file.read(self.file.size - BLANK, BLANK))
        bytes_missing = page.end + step - self.file.size
        return is_written and page.ifd + step + extent(page) <= self.file.size and -SLACK < bytes_missing < SLACK

    def _note_skipped(self, page: Page) -> None:
        """Note a page right after one that points elsewhere."""
        if page.next_ifd in self._places_after(page):
            return
        if page.next_ifd - page.end >= extent(page) or page.next_ifd < page.ifd:
            adjacent_page = self._find_adjacent(page)
            if adjacent_page is not None and adjacent_page.ifd != page.next_ifd:
                self.skips.append((page, adjacent_page.ifd))

    def _find_adjacent(self, page: Page) -> Page | None:
        """Find a page of the same kind right after one, whatever the chain says; None if there is none."""
        strides = (run.stride for run in self.runs[-2:])
        places = {*(page.ifd + stride for stride in strides), *self._places_after(page)}
        for at in sorted(places):
            if at > page.ifd and not self._holds(at):
                other_page = self._read_or_none(at)
                if (
                    other_page is not None
                    and other_page.ifd + extent(other_page) <= self.file.size
                    and self._is_a_page(other_page, page)
                ):
                    return other_page
        return None

    def _places_after(self, page: Page) -> tuple[int, int]:
        """Where the next IFD may be if it is the next page's first byte, or follows its pixels."""
        pixels_first = max(0, -page.template.pixels)
        return page.end + pixels_first, page.end + (page.ifd - page.end) % 8

    def _step_after(self, page: Page) -> int:
        """Bytes from a page to the next IFD, if the next page is like it."""
        with_pixels_first, after_pixels = self._places_after(page)
        return (after_pixels if page.template.pixels > 0 else with_pixels_first) - page.ifd

    def _is_a_page(self, other_page: Page, page: Page) -> bool:
        """Whether bytes that may look like an IFD by chance are like that of a page, or of the page after."""
        if _is_same_kind(other_page, page):
            return True
        next_page = self._read_or_none(other_page.next_ifd) if other_page.next_ifd > other_page.ifd else None
        return next_page is not None and _is_same_kind(other_page, next_page)

    def _read_or_none(self, at: int) -> Page | None:
        try:
            return read_page(self.file, self.flavour, at)
        except BadIfdError:
            return None

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
        self.heads[self.count] = page.head

    def _remember(self, page: Page, stride: int, count: int) -> None:
        """Remember where pages are that were leapt over, or lost."""
        if count > FEW_EVEN:
            self.even_runs.append(Run(0, count, page.ifd + stride, stride, page.template))
        else:
            self.ifds.update(range(page.ifd + stride, page.ifd + stride * (count + 1), stride))

    def _holds(self, ifd: int) -> bool:
        """Whether an IFD at byte `ifd` is that of a page which came before."""
        return ifd in self.ifds or any(
            (ifd - run.ifd) % run.stride == 0 and 0 <= (ifd - run.ifd) // run.stride < run.length
            for run in self.even_runs
        )


def _first_readable(is_readable: Callable[[int], bool], end: int) -> int:
    """Find the first of steps 2 to `end` that is readable: one by one, then by doubling and bisection; 0 if none."""
    for steps in range(2, min(end, FEW_LOST) + 1):
        if is_readable(steps):
            return steps
    bad_steps = FEW_LOST
    while bad_steps < end:
        good_steps = min(end, 2 * bad_steps)
        if is_readable(good_steps):
            while good_steps - bad_steps > 1:
                middle = (good_steps + bad_steps) // 2
                good_steps, bad_steps = (middle, bad_steps) if is_readable(middle) else (good_steps, middle)
            return good_steps
        bad_steps = good_steps
    return 0


def _count_even_pages(file: OpenFile, run: Run, page: Page) -> int:
    """Count the evenly spaced pages after one, by probes at doubling distances, then between them.

    A page that is where it should be vouches for those before it, which are checked when they are read.
    """
    t, stride = run.template, run.stride
    good_steps, bad_steps = 0, (file.size - page.ifd - extent(page)) // stride + 1
    probes = 2 ** np.arange(0, max(1, bad_steps.bit_length()))
    while bad_steps - good_steps > 1:
        probes = probes[(probes > good_steps) & (probes < bad_steps)]
        ifds = page.ifd + probes * stride
        spans = [file.read(ifd + t.start, len(t.data)) for ifd in ifds.tolist()]
        good_probes = np.array(
            [ifd_matches(t, ifd, span, ifd + stride) for ifd, span in zip(ifds.tolist(), spans, strict=True)]
        )
        first_bad_probe = int(good_probes.argmin()) if not good_probes.all() else len(good_probes)
        good_steps = int(probes[first_bad_probe - 1]) if first_bad_probe else good_steps
        bad_steps = int(probes[first_bad_probe]) if first_bad_probe < len(good_probes) else bad_steps
        probes = np.unique(np.linspace(good_steps + 1, bad_steps - 1, PROBES).astype(np.int64))
    return good_steps


def _is_same_kind(a: Page, b: Page) -> bool:
    """Whether two pages have the same form and tags: pixels may look like an IFD by chance."""
    same_tags = (a.template.mask, a.template.next_at) == (b.template.mask, b.template.next_at)
    return same_tags and a.form == b.form
