"""What programs written for atlab's scanreader (github.com/atlab/scanreader) call, with the meaning that it has there.

Each name has a published caller, which stands behind it. The older names of the errors are in `scanreader.exceptions`,
and `expand_wildcard` is in `scanreader.core`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scanreader.notices import notify
from scanreader.recording.facts import Facts
from scanreader.scanimage.header import decode
from scanreader.scanimage.settings import number

UNTIL_STOPPED = 10**9
"""`num_requested_frames` of an acquisition that was to run until stopped: databases hold integers, not Inf."""


class AtlabNames(Facts):
    """Names of atlab's scans that are not facts of a recording for their own sake."""

    @property
    def header(self) -> str:
        """The description of the first page, a newline, and the header block; '' if ScanImage did not write the file.

        Releases that have no block (before 2015.4) write the settings into the description; this text has them only
        once.
        The block alone is `header_block`. The description is read on each access.

        Raises
        ------
        DamagedPageError, ChangedFileError
            If the first page is damaged, or the file changed after the scan was opened.
        """
        # called by element-interface, scanimage_utils.parse_scanimage_header, which needs `epoch`
        if not self.header_block:
            return ""
        self._refuse_closed()
        notes: list[str] = []
        (description,) = self._opened.pages.descriptions(np.array([0]), None, notes)
        notify(notes)
        text = decode(description)
        return f"{text}\n{'' if text == self.header_block else self.header_block}"

    @property
    def num_requested_frames(self) -> int | None:
        """Number of frames of each field that the user requested, summed over the acquisitions of this scan.

        1,000,000,000 if an acquisition was to run until stopped; None if unknown.
        """
        # called by cajal/pipeline, reso.ScanInfo and meso.ScanInfo, and stored as an integer
        frames = self._requested_frames()
        if math.isnan(frames):
            return None
        return int(frames) if math.isfinite(frames) else UNTIL_STOPPED

    def _degrees_to_microns(self, degrees: Any) -> Any:
        """Convert scan angles to µm in the sample; NaN if the header has no µm per degree."""
        # called by element-calcium-imaging, scan.ScanInfo, and cajal/pipeline, meso.ScanInfo.Field
        return degrees * self.microns_per_degree

    @property
    def _num_pages(self) -> int:
        """Number of pages of all files, with those of flyback and of incomplete volumes."""
        # called by element-interface, caiman_loader
        return len(self._opened.pages)

    @property
    def _page_width(self) -> int:
        """Width of a page, in pixels."""
        # called by cajal/pipeline, legacy/preprocess.Prepare.Galvo
        return self._opened.pages.form.width

    @property
    def _x_angle_scale_factor(self) -> float:
        """Factor by which the user shrank the scan along lines; NaN if unknown."""
        # called by cajal/pipeline, reso.ScanInfo
        return number(self.settings.get("hRoiManager.scanAngleMultiplierFast"))

    @property
    def _y_angle_scale_factor(self) -> float:
        """Factor by which the user shrank the scan across lines; NaN if unknown."""
        # called by cajal/pipeline, reso.ScanInfo
        return number(self.settings.get("hRoiManager.scanAngleMultiplierSlow"))


def requested_frames(scan: AtlabNames) -> float:
    """Number of requested frames of each field; infinite until stopped, NaN if unknown."""
    count = scan.num_requested_frames
    return math.nan if count is None else math.inf if count == UNTIL_STOPPED else count
