"""roiextractors' proposed extractor of one ROI of a multi-ROI recording, with the same signature, read by ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanreader.compat.extractors import ScanImageImagingExtractor
from scanreader.compat.refusals import RoiChoiceError
from scanreader.compat.utilities import general_metadata, header_of
from scanreader.errors import HeaderError
from scanreader.scanimage.jsonlab import listed

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Pathname = str | os.PathLike[str]

LINE_PERIOD = "SI.hRoiManager.linePeriod"


class ScanImageMultiROIImagingExtractor(ScanImageImagingExtractor):
    """One ROI of a multi-ROI recording, with the signature of roiextractors' pull request 605.

    That class is in no release of roiextractors yet; it was compared at commit 13f5f1e. This one also reads ROIs of
    several depths and of different widths.

    Parameters
    ----------
    file_path : path, optional
        A file; the others of its acquisition are found by roiextractors' rules. It or `file_paths` must be given.
    channel_name : str, optional
        The channel; required if there are several.
    file_paths : list of path, optional
        All files, in order.
    roi_index : int, optional
        The ROI, from 0, among those that are enabled; by default the first.
    roi_name : str, optional
        Its name, if no other ROI has it.
    roi_uuid : str, optional
        Its ``roiUuid``, in upper or lower case.
    gap_inference, on_gap_mismatch : str
        Without effect: the rows of each ROI follow from ScanImage's own rule, and are checked against the page.

    Attributes
    ----------
    roi_index, roi_name, roi_uuid
        The ROI.
    roi_center_xy, roi_size_xy, roi_affine, roi_zs
        Its (first) scanfield and depths, as they stand in the file.
    roi_row_start : int
        Its first row in the page.
    line_period : float or None
        Duration of a line, in s.

    Raises
    ------
    RoiChoiceError
        If there is no such ROI, or several, or more than one of the three parameters is given (also a ValueError).
    HeaderError
        If the recording has no ROIs (also a ValueError).
    """

    extractor_name = "ScanImageMultiROIImagingExtractor"

    def __init__(
        self,
        file_path: Pathname | None = None,
        channel_name: str | None = None,
        file_paths: Sequence[Pathname] | None = None,
        roi_index: int | None = None,
        roi_name: str | None = None,
        roi_uuid: str | None = None,
        gap_inference: str = "geometric",  # noqa: ARG002 - the original's signature
        on_gap_mismatch: str = "raise",  # noqa: ARG002
    ) -> None:
        first_path = file_paths[0] if file_paths else file_path
        if first_path is None:
            raise RoiChoiceError("file_path or file_paths must be provided")
        rois = _enabled_rois(first_path)
        enabled_index = chosen_roi(rois, roi_index, roi_name, roi_uuid)
        number, roi = rois[enabled_index]
        super().__init__(file_path, channel_name, file_paths, roi_index=number)
        scanfield = listed(roi["scanfields"])[0]
        self.roi_index = enabled_index
        self.roi_name, self.roi_uuid, self.roi_zs = (roi.get(key) for key in ("name", "roiUuid", "zs"))
        self.roi_center_xy, self.roi_size_xy, self.roi_affine = (
            scanfield.get(key) for key in ("centerXY", "sizeXY", "affine")
        )
        self.roi_row_start = self.scan.fields[self._fields[0]].pieces[0].page_y
        self.line_period = self._metadata.get(LINE_PERIOD)

    def get_field_time_offset(self) -> float:
        """Return the time from the start of a frame to the ROI's first line, in seconds.

        Raises
        ------
        HeaderError
            If the header lacks the duration of a line (also a ValueError).
        """
        if self.line_period is None:
            raise HeaderError(f"the header has no line_period ({LINE_PERIOD}): the offset of the ROI is unknown")
        return float(self.line_period * self.roi_row_start)

    def get_timestamps(
        self, start_sample: int | None = None, end_sample: int | None = None, correct_field_offset: bool = False
    ) -> npt.NDArray[np.float64]:
        """Return the times of samples, in seconds: of the start of their frame, or of the ROI.

        Parameters
        ----------
        start_sample, end_sample : int, optional
        correct_field_offset : bool
            Whether to add `get_field_time_offset`.
        """
        times = super().get_timestamps(start_sample=start_sample, end_sample=end_sample)
        return times + self.get_field_time_offset() if correct_field_offset else times  # type: ignore[no-any-return]

    @staticmethod
    def get_num_rois(file_path: Pathname) -> int:
        """Return the number of enabled ROIs."""
        return len(_enabled_rois(file_path))

    @staticmethod
    def get_roi_names(file_path: Pathname) -> list[str | None]:
        """Return the names of the enabled ROIs, in the order of `roi_index`."""
        return [roi.get("name") for _, roi in _enabled_rois(file_path)]

    @staticmethod
    def get_roi_uuids(file_path: Pathname) -> list[str | None]:
        """Return the ``roiUuid`` of the enabled ROIs, in the order of `roi_index`."""
        return [roi.get("roiUuid") for _, roi in _enabled_rois(file_path)]


def _enabled_rois(path: Pathname) -> list[tuple[int, dict[str, Any]]]:
    """The enabled ROIs of a file, with their numbers among all.

    Raises
    ------
    HeaderError
        If the recording has no ROIs.
    """
    settings, rois = general_metadata(header_of(Path(path)))
    if not settings.get("SI.hRoiManager.mroiEnable"):
        raise HeaderError(
            f"{str(path)!r} is not a multi-ROI recording (mroiEnable): use ScanImageImagingExtractor", raw_helps=False
        )
    roi_groups = rois.get("RoiGroups", rois)
    imaging_rois = [
        roi for roi in listed((roi_groups.get("imagingRoiGroup") or {}).get("rois")) if isinstance(roi, dict)
    ]
    return [(number, roi) for number, roi in enumerate(imaging_rois) if roi.get("enable", True)]


def chosen_roi(rois: list[tuple[int, dict[str, Any]]], index: int | None, name: str | None, uuid: str | None) -> int:
    """Give the index of a ROI among the enabled ones.

    Raises
    ------
    RoiChoiceError
        If none is chosen by these parameters, or several.
    """
    if sum(choice is not None for choice in (index, name, uuid)) > 1:
        raise RoiChoiceError("give at most one of roi_index, roi_name and roi_uuid")
    if name is None and uuid is None:
        number = 0 if index is None else index
        if not 0 <= number < len(rois):
            raise RoiChoiceError(f"roi_index ({number}) must be between 0 and {len(rois) - 1}")
        return int(number)
    key, wanted_label = ("name", name) if uuid is None else ("roiUuid", uuid.upper())
    labels = [roi.get(key) for _, roi in rois]
    comparable_labels = [str(label).upper() if label and uuid is not None else label for label in labels]
    indices = [i for i, label in enumerate(comparable_labels) if label == wanted_label]
    refusal = "No ROI named" if uuid is None else "No ROI with roiUuid"
    if not indices:
        raise RoiChoiceError(f"{refusal} {name if uuid is None else uuid!r}: the recording has {labels}")
    if len(indices) > 1:
        raise RoiChoiceError(
            f"the ROI is ambiguous: {wanted_label!r} is the {key} of the ROIs {indices}; give roi_index"
        )
    return indices[0]
