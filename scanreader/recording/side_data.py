"""What ScanImage wrote beside the pixels, read when it is asked for: stimuli, integration ROIs, motion."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.keys import nonnegative_index, read_only_copy
from scanreader.notices import notify
from scanreader.recording.beside import names_beside, side_files
from scanreader.recording.times import Times
from scanreader.scanimage.jsonlab import listed
from scanreader.scanimage.settings import number, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from scanreader.recording.fields import Field
    from scanreader.recording.opened import Opened
    from scanreader.scanimage.header import Header
    from scanreader.scanimage.integration import IntegrationRoi
    from scanreader.scanimage.photostim import StimulusGroup, StimulusLog

LOG = "{stem}_{counter}.stim"


class Photostim:
    """Photostimulation: the groups of stimuli, the order in which they were to be given, and the log.

    ScanImage writes all groups that were defined, also if nothing was stimulated. When each stimulus began is in no
    file but, where it was recorded, the log.

    Parameters
    ----------
    opened : Opened
    header : Header
    groups : tuple of StimulusGroup
    refuse_closed : callable
        Called before files are read: raises an error if the scan was closed.
    """

    def __init__(
        self, opened: Opened, header: Header, groups: tuple[StimulusGroup, ...], refuse_closed: Callable[[], None]
    ) -> None:
        self._opened, self._header, self._groups, self._refuse_closed = opened, header, groups, refuse_closed

    @property
    def groups(self) -> tuple[StimulusGroup, ...]:
        """All groups that were defined, in ScanImage's order."""
        return self._groups

    @property
    def mode(self) -> str:
        """'sequence' (the groups of `sequence` in turn) or 'onDemand' (as chosen); '' if the header does not say."""
        return text(self._header.get("hPhotostim.stimulusMode"))

    @property
    def sequence(self) -> tuple[int, ...]:
        """Places in `groups`, from 0, in the order in which the groups were to be given; repeats are allowed.

        Raises
        ------
        HeaderError
            If the header has a group that is not there.
        """
        from scanreader.scanimage.photostim import parse_sequence  # noqa: PLC0415 - rarely needed

        return parse_sequence(self._header, len(self._groups))

    @property
    def num_sequences(self) -> float:
        """How often the whole sequence was to be given, usually infinite; NaN if unknown."""
        return number(self._header.get("hPhotostim.numSequences"))

    @property
    def triggers(self) -> dict[str, Any]:
        """Settings that say what began a stimulus, by ScanImage's names, e.g. ``stimTriggerTerm``."""
        from scanreader.scanimage.photostim import triggers_of  # noqa: PLC0415 - rarely needed

        return triggers_of(self._header)

    def targets(self, field: Field | int, groups: Sequence[int] | None = None) -> npt.NDArray[np.float64]:
        """Find the pixels of a field that were stimulated: SLM points, or where there are none, centres of patterns.

        Parameters
        ----------
        field : Field or int
            One of ``scan.fields``, or its number.
        groups : sequence of int, optional
            Places in `groups`; by default, the groups in `sequence`, each once, as they come first.

        Returns
        -------
        array of shape (n, 2)
            y and x, in pixels: whole numbers are the centres of pixels. Targets outside the field are beyond its
            pixels; pauses, parks and disabled stimuli have none. NaN where the SLM's pattern is an image, or the
            place of the field is unknown.

        Raises
        ------
        HeaderError
            If the sequence has a group that is not there.
        ScanKeyError, LayoutError
            If it is no field, or was joined and trimmed.
        ScanIndexError
            If there is no such field or group.
        """
        from scanreader.scanimage.places import pixels_at, refuse_odd_field  # noqa: PLC0415 - rarely needed

        if isinstance(field, int):
            field = self._opened.fields[nonnegative_index(field, len(self._opened.fields), "field")]
        refuse_odd_field(field)
        places_given = list(dict.fromkeys(self.sequence)) if groups is None else groups
        group_indices = [nonnegative_index(place, len(self._groups), "group") for place in places_given]
        stimuli = [
            stimulus
            for i in group_indices
            for stimulus in self._groups[i].stimuli
            if stimulus.is_stimulus and stimulus.is_enabled
        ]
        places = np.concatenate([np.empty((0, 2)), *(stimulus.places for stimulus in stimuli)])
        if any(stimulus.has_slm_image for stimulus in stimuli):
            notify(["the SLM's pattern of some stimuli is an image, which is not read: their targets are NaN"])
        return pixels_at(field, places)

    @property
    def log(self) -> StimulusLog | None:
        """What was measured while it stimulated, from the ``.stim`` files; None if there is none.

        If the synchronisation with the frames failed, ScanImage only printed a warning: nothing in the file tells.

        Warns
        -----
        ScanReaderWarning
            If a file ends inside a sample, or is empty.
        """
        self._refuse_closed()
        return self._log

    @cached_property
    def _log(self) -> StimulusLog | None:
        from scanreader.scanimage.photostim import StimulusLog, beam_unit, parse_log  # noqa: PLC0415 - rarely needed

        notes: list[str] = []
        files = side_files(self._opened, LOG)
        if not files:
            return None
        records = [parse_log(file.data, file.name, notes) for file in files]
        notify(notes)
        all_records = np.concatenate(records)
        bouts = np.repeat([file.bouts[0] for file in files], [len(file_records) for file_records in records])
        x, y, beam = (read_only_copy(all_records[name].astype(np.float32)) for name in ("x", "y", "beam"))
        rate = number(self._header.get("hPhotostim.monitoringSampleRate"))
        rate = rate if rate > 0 else math.nan
        return StimulusLog(x, y, beam, beam_unit(self._header), rate, read_only_copy(bouts))

    def __repr__(self) -> str:
        return f"<Photostim of {len(self._groups)} groups, mode {self.mode or 'unknown'!r}>"


class SideData(Times):
    """What ScanImage wrote beside the pixels."""

    @cached_property
    def _roi_groups(self) -> dict[str, Any]:
        tree = self.roi_metadata
        groups = tree.get("RoiGroups", tree)
        return groups if isinstance(groups, dict) else {}

    @property
    def photostim(self) -> Photostim | None:
        """Photostimulation; None if no group of stimuli was defined.

        Raises
        ------
        HeaderError
            If the groups are not described as ScanImage does.
        """
        return self._photostim

    @cached_property
    def _photostim(self) -> Photostim | None:
        from scanreader.scanimage.photostim import parse_groups  # noqa: PLC0415 - rarely needed

        groups = parse_groups(self._roi_groups.get("photostimRoiGroups"))
        return Photostim(self.opened, self.settings, groups, self._refuse_closed) if groups else None

    @property
    def integration_rois(self) -> tuple[IntegrationRoi, ...]:
        """The ROIs whose mean ScanImage computed while it recorded, disabled ones included.

        Raises
        ------
        HeaderError
            If they are not described as ScanImage does.
        """
        from scanreader.scanimage.integration import parse_integration_rois  # noqa: PLC0415 - rarely needed

        return parse_integration_rois(self._roi_groups.get("integrationRoiGroup"))

    @property
    def integration(self) -> npt.NDArray[np.void] | None:
        """Values of the integration ROIs, from ``STEM_IntegrationRois_00001.csv``; None if there is no such file.

        A structured array with a row for each volume that ScanImage evaluated (it skips some), and a column for each
        ROI. The values are ScanImage's: corrected for motion, and passed through the function that the user set in
        ScanImage.

        ============  ================================================================================
        bout          Index of the acquisition in the scan, from 0.
        frame         Index on the scan's frame axis; -1 if the frame is not in the scan.
        frame_number  ScanImage's number of the frame, the last of the volume, from 1.
        timestamp     In s, on the clock of `timestamps`.
        *ROI name*    Weighted mean of the ROI's pixels; NaN if the ROI moved out of the image, or was not evaluated.
        ============  ================================================================================

        If a ROI's name is already that of a column, a number is added. Where a file names more ROIs than its rows have
        values, the columns are
        ``column 1``, ``column 2``, …

        Raises
        ------
        FileFormatError
            If the file does not begin as ScanImage's do.
        PathnameError
            If its ROIs or times are those of another recording.

        Warns
        -----
        ScanReaderWarning
            If rows are damaged, or the columns are numbered.
        """
        self._refuse_closed()
        return self._integration

    @cached_property
    def _integration(self) -> npt.NDArray[np.void] | None:
        from scanreader.recording.side_tables import read_integration  # noqa: PLC0415 - rarely needed

        notes: list[str] = []
        table = read_integration(self, self.integration_rois, notes)
        notify(notes)
        return None if table is None else read_only_copy(table)

    @property
    def motion(self) -> npt.NDArray[np.void] | None:
        """Motion that ScanImage estimated, from ``STEM_Motion_00001.csv``; None if there is no such file.

        A structured array with a row for each estimate: a frame can have several, or none.

        ============  ================================================================================
        bout          Index of the acquisition in the scan, from 0.
        frame         Index on the scan's frame axis; -1 if the frame is not in the scan.
        frame_number  ScanImage's number of the frame, from 1.
        timestamp     In s, on the clock of `timestamps`.
        roi           Name of the ROI that was compared with its reference.
        z             Depth, in µm.
        pixels        dx and dy in pixels, dz in µm, as written: the image is displaced by this much from its
                      reference, and ScanImage corrects by the negative. NaN if not estimated.
        degrees       dx and dy in degrees of scan angle, dz in µm; NaN in files up to about 2018a.
        confidence    For x, y and z, in arbitrary units; files up to about 2018a have one value, their quality, in x.
        success       Whether there is an estimate. In files up to about 2018a, where an estimate failed, `pixels`
                      repeats the last offset that was estimated.
        ============  ================================================================================

        Raises
        ------
        FileFormatError
            If the file has neither of ScanImage's layouts.
        PathnameError
            If its ROIs or times are those of another recording.

        Warns
        -----
        ScanReaderWarning
            If rows are damaged.
        """
        self._refuse_closed()
        return self._motion

    @cached_property
    def _motion(self) -> npt.NDArray[np.void] | None:
        from scanreader.recording.side_tables import read_motion  # noqa: PLC0415 - rarely needed

        notes: list[str] = []
        table = read_motion(self, _shown_names(self._roi_groups.get("imagingRoiGroup")), notes)
        notify(notes)
        return None if table is None else read_only_copy(table)

    @property
    def side_files(self) -> dict[str, list[str]]:
        """Names of the files in the recording's folder that have its name and acquisition number, by what they contain.

        The keys are "stimulus log", "integration" and "motion"; the files are not opened. For recordings at a URL, the
        lists are empty.
        """
        from scanreader.recording.side_tables import INTEGRATION, MOTION  # noqa: PLC0415 - rarely needed

        patterns = {"stimulus log": LOG, "integration": INTEGRATION, "motion": MOTION}
        return dict(zip(patterns, names_beside(self.opened, list(patterns.values())), strict=True))


def _shown_names(group: Any) -> set[str]:
    """Names of imaged ROIs as ScanImage may show them; none if one has neither a name nor an identifier."""
    from scanreader.scanimage.integration import UUID_SHOWN  # noqa: PLC0415 - rarely needed

    rois = [roi for roi in listed(group.get("rois")) if isinstance(roi, dict)] if isinstance(group, dict) else []
    names = [str(roi.get("name") or str(roi.get("roiUuid") or "")[:UUID_SHOWN]) for roi in rois]
    return set(names) if all(names) else set()
