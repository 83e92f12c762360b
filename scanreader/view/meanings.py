"""Meaning of each finding about a recording, and advice."""

from __future__ import annotations

MEANING: dict[str, str] = {
    "bout-clock": "When the bouts began is known by the clock of the microscope's computer, to about a frame. If you "
    "measured it, for example with a DAQ, give bout_starts=.",
    "bouts-differ": "Two of the recordings that are read as one scan were made in different ways. The scan shows the "
    "values of the first: compare intensities, sizes and rates across them with care.",
    "bouts-overlap": "By their clocks, a recording began before the one that was named before it had ended: the order "
    "is wrong, or the computer's clock was set in between. Check the order, or give bout_starts=.",
    "broken-pointer": "The chain of pages in a file is broken at one place. The pages after it were found by their "
    "spacing and are right; other programs may read only the pages before it.",
    "cut-end": "A file ends inside a page, as after a crash, a full disk or an interrupted copy. Complete frames "
    "can all be read. Compare the file's size with the original's, and copy it again if that is larger.",
    "damaged-page": "A page on the disk is not the page that should be there. Its frames cannot be read: copy the "
    "file again, or read the other frames with on_damage='fill'.",
    "dc-overvoltage": "The detector's signal exceeded the range of the digitizer. Bright pixels of these frames may "
    "be clipped: lower the gain or the power next time.",
    "doubled-frames": "Frame numbers decrease where they should increase. A file may be there twice, or two "
    "recordings were mixed: check the names and the order of the files.",
    "dropped-frames": "Frames were never written, or were lost later. The other frames are in their places, but "
    "compute times from the timestamps, not from frame numbers.",
    "empty-file": "A file has no page: ScanImage was stopped before it wrote one. Nothing else is missing.",
    "fewer-frames": "The recording was stopped, or a part of it is missing: look for files that were not copied.",
    "header-mismatch": "Two settings of the header, or the header and the pages, contradict each other. The pages "
    "were trusted; read the sentence before you rely on that setting.",
    "left-out-file": "A file in the same folder does not belong to this recording and was skipped. If it does "
    "belong to it, give the files one by one.",
    "missing-file": "A file of the series is missing. The frames of the others are right; find the file and open "
    "the recording again.",
    "mixed-acquisitions": "Files of several recordings were given together and are the bouts of one scan, in that "
    "order. Their times are on one clock; frame numbers restart with each.",
    "mixed-channels": "A page is in the place of another channel, so from there on pixels of one channel may be "
    "read as those of another. Do not use these frames before you have checked them.",
    "no-end-flag": "The recording was probably interrupted, or its last file is missing. The frames that exist can "
    "be used.",
    "no-frame-numbers": "Without frame numbers, missing or doubled frames cannot be detected.",
    "no-start-time": "The files do not tell when the recording started; note it from elsewhere, for example for NWB.",
    "not-scanimage": "Another program wrote these files, or saved them again. The pixels are read as they are; "
    "ScanImage's metadata may be lost.",
    "parts-not-read": "Only the named files are read. Name the folder, or use siblings=True, to read all parts.",
    "partial-volume": "Frames of an incomplete volume are omitted, so that every field has the same number of frames.",
    "period-mismatch": "Two settings that give the duration of a frame differ by about a line. Times of single "
    "pixels may be wrong by as much; those of frames are right.",
    "rate-mismatch": "The header's frame rate differs from the actual one. Use the timestamps.",
    "incomplete-cycle": "A line scan was stopped within a cycle. Complete cycles are read; the samples "
    "after them are in the file, and skipped.",
    "several-acquisitions": "The recording has several acquisitions; the time between them has no frames.",
    "side-file": "A file beside the recording is damaged, or of another recording. Pixels and frame times "
    "are not affected; read the sentence before you use its values.",
    "shifted-fields": "Shifts in µm are rounded to whole pixels, because pixels are not resampled.",
    "stitched-fields": "Fields of a slice were placed in one image. Pixels of no field have the fill value, and are no "
    "signal: `roi_mask` of the field is -1 there.",
    "time-gap": "By the frame numbers no frame is missing, but there is a gap in time: the scanner waited, or a "
    "clock jumped. Use the timestamps, and find out what happened there.",
    "weak-version": "The server gives no version of the file (a strong ETag). If the file is replaced by one of equal "
    "size while it is open, that may not be noticed.",
    "unknown-clock": "The start of one of several recordings is missing or impossible, so its frames cannot be put "
    "on the clock of the others. Note it from elsewhere, and give bout_starts=.",
    "unequal-cycles": "The samples and the positions of a line scan do not have equally many cycles. Both count "
    "from the first cycle; compare those that both have.",
    "uneven-spacing": "The pages are not evenly spaced, as ScanImage usually writes them. All were found and are "
    "right; opening takes slightly longer.",
    "unknown-path": "Which samples of a cycle are of which part of the path is unknown, since the durations of the "
    "parts do not add up to a cycle. The samples are right.",
    "unknown-positions": "The file of the positions of the mirrors is there, but the settings do not say how to read "
    "it. The samples are right.",
    "unknown-release": "This release of ScanImage was not tested. Compare a few frames with what ScanImage shows.",
    "unknown-rois": "The header does not tell which ROIs were scanned, so fields are whole pages.",
    "unusual-rois": "The ROIs do not fill their page as they usually do. Check the mean images: fields should begin "
    "and end where your ROIs did.",
}
"""What each finding means, and what to do."""
