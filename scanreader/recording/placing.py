"""How fields follow each other down a page, by the header and checked against the page's height."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import Finding, LayoutError
from scanreader.recording.fields import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.scanimage.rois import Scanfield


class PageScan(NamedTuple):
    """What the header says of how fields follow each other down a page."""

    height: int
    width: int
    resonant: bool
    bidirectional: bool
    flyto_seconds: float
    scanner_frequency: float
    lines_per_row: int = 1
    evenly_sampled: bool = False

    @property
    def lines_per_period(self) -> int:
        """Lines that are scanned in one period of the mirror."""
        return 2 if self.bidirectional else 1

    @property
    def gap(self) -> int:
        """Lines between two fields, by the rule of ScanImage's engine: whole periods of the mirror.

        Its ``ceil`` has a tolerance, since the header's 6 digits may lift an exact period above itself
        (section 7.2 of the format reference).
        """
        if not self.resonant:
            return 0
        periods = self.flyto_seconds * self.scanner_frequency * (1 - 1e-4)
        if not math.isfinite(periods):
            raise LayoutError(
                "the header does not say how long the scanner flies between fields (flytoTimePerScanfield "
                f"{self.flyto_seconds}, scannerFrequency {self.scanner_frequency})"
            )
        return math.ceil(periods) * self.lines_per_period


class Slot(NamedTuple):
    """A scanfield that is recorded at a slice, with the ROI that it belongs to."""

    roi: int
    shape: Scanfield


def lay_out(slots_of_slices: Sequence[Sequence[Slot]], page: PageScan, findings: list[Finding]) -> list[list[Piece]]:
    """Find where the fields of each slice stand in its pages, and check that against the page's height.

    Parameters
    ----------
    slots_of_slices : list of lists of Slot
        For each slice, what is scanned there, in order.
    page : PageScan
    findings : list of Finding
        What contradicts the header is appended to it.

    Returns
    -------
    list of lists of Piece
        One for each slot.

    Raises
    ------
    LayoutError
        If the fields and the gaps between them do not make up the page.
    """
    gap = _confirmed_gap(slots_of_slices, page, findings)
    n = page.lines_per_row
    widths = {slot.shape.width for slots in slots_of_slices for slot in slots}
    as_page = page.resonant and (len(widths) == 1 or page.evenly_sampled)
    if not as_page and max(widths) != page.width:
        raise LayoutError(f"the pages are {page.width} pixels wide, the widest field {max(widths)}")
    if as_page and widths != {page.width} and not page.evenly_sampled:
        sentence = f"fields are {min(widths)} pixels wide by the header; the pages are {page.width} wide"
        findings.append(Finding("header-mismatch", "warning", "", sentence))
    if page.resonant and not as_page:
        sentence = (
            f"ROIs are {min(widths)} to {max(widths)} pixels wide on a resonant scanner, "
            "which was never seen in a recording: the narrower ones are read from the left edge of the page"
        )
        findings.append(Finding("unusual-rois", "warning", "", sentence))
    pieces_of_slices = []
    for slots in slots_of_slices:
        pieces, line = [], 0
        for roi, shape in slots:
            if line % n or shape.height % n:
                raise LayoutError(
                    f"{n} lines were averaged into a row, which a field of {shape.height} lines that begins at "
                    f"line {line} does not allow"
                )
            width = page.width if as_page else shape.width
            pieces.append(Piece(roi, shape.height // n, width, line // n, 0, 0, 0, line))
            line += shape.height + gap
        pieces_of_slices.append(pieces)
    return pieces_of_slices


def _confirmed_gap(slots_of_slices: Sequence[Sequence[Slot]], page: PageScan, findings: list[Finding]) -> int:
    """Gap by the rule, confirmed by the page's height; where they differ by a mirror period, the height's."""
    rule = page.gap
    sums = [(sum(slot.shape.height for slot in slots), len(slots)) for slots in slots_of_slices]
    total, count = max(sums, key=lambda pair: pair[0] + (pair[1] - 1) * rule)
    lines = page.height * page.lines_per_row
    averaging_text = f" ({page.lines_per_row} lines averaged into each)" if page.lines_per_row > 1 else ""
    if count > 1:
        page_gap = (lines - total) / (count - 1)
        is_near = abs(page_gap - rule) <= (page.lines_per_period if page.resonant else 0)
        if page_gap >= 0 and page_gap == int(page_gap) and is_near:
            if page_gap != rule:
                sentence = (
                    f"the gap between fields is {int(page_gap)} lines by the page's height and {rule} by the header"
                )
                findings.append(Finding("header-mismatch", "warning", "", sentence))
            return int(page_gap)
        gap_text = f"that leaves {page_gap:g} lines for each of {count - 1} gaps, where the header says {rule}"
    elif total == lines:
        return rule
    else:
        gap_text = "and there is no gap"
    raise LayoutError(
        f"the pages have {page.height} rows{averaging_text}, the {count} fields of the fullest slice {total} lines: "
        f"{gap_text}. The set of fields or the page's layout is unknown"
    )
