"""What the findings about a recording mean, and what to do."""

from __future__ import annotations

MEANING: dict[str, str] = {
    "broken-pointer": "A file's chain of pages is broken at one place. The pages behind it were found by their "
    "spacing and are right; other programs may see the part before it alone.",
    "cut-end": "A file ends inside a page, as after a crash, a full disk or a copy that was interrupted. Whole frames "
    "are all there. Compare its size with the original's, and copy it again if that is larger.",
    "damaged-page": "What is on the disk is not the page that should be there. Its frames cannot be read: copy the "
    "file again, or read the others with on_damage='fill'.",
    "dc-overvoltage": "The detector's signal was beyond what the digitizer takes. Bright pixels of these frames may be "
    "clipped: lower the gain or the power next time.",
    "doubled-frames": "Frame numbers go back where they should go on. A file may be here twice, or two recordings "
    "were mixed: look at the files' names and order.",
    "dropped-frames": "Frames were never written, or were lost later. Those that are here are in their places, but "
    "count time by the timestamps, not by the frames.",
    "empty-file": "A file without a page: ScanImage was stopped before it wrote one. Nothing else is missing with it.",
    "fewer-frames": "Someone stopped the recording, or its end is missing. If it should have been longer, look for "
    "files that were not copied.",
    "header-mismatch": "Two things that the header says, or the header and the pages, disagree. The pages were taken "
    "at their word; read the sentence before you rely on that setting.",
    "left-out-file": "A file beside the others does not belong to this recording and was not read. Name the files "
    "yourself if it does.",
    "missing-file": "A file of the series is not here. The frames of the others are right; find the file and open "
    "the recording again.",
    "mixed-acquisitions": "Files of different acquisitions were named together and joined in the order given. Their "
    "clocks and frame numbers begin anew.",
    "mixed-channels": "A page is in the place of another channel, so that one channel's pixels may be taken for "
    "another's from there on. Do not use these frames before you have looked at them.",
    "no-end-flag": "The recording was probably interrupted, or its last file is missing. What is here can be used.",
    "no-frame-numbers": "Without frame numbers, missing or doubled frames cannot be noticed.",
    "no-start-time": "When it was recorded cannot be said from the files; note it down from elsewhere, as for NWB.",
    "not-scanimage": "Another program wrote or saved again these files. The pixels are read as they are; what "
    "ScanImage says beside frames may be lost.",
    "partial-volume": "Frames of a volume that is not whole are left out, so that every field has as many frames.",
    "period-mismatch": "Two ways to tell how long a frame takes differ by a line or so. The times of single pixels "
    "may be off by as much; those of frames are not.",
    "rate-mismatch": "The header's rate is not the one that frames came at. Use the timestamps.",
    "several-acquisitions": "It was recorded in several runs: time passes between them that no frame shows.",
    "time-gap": "No frame is missing by the numbers, but time is: the scanner waited, or a clock jumped. Use the "
    "timestamps, and look at what happened then.",
    "uneven-spacing": "The pages are not where ScanImage puts them at regular distances. All were found and are right; "
    "opening takes a little longer.",
    "unknown-release": "This release of ScanImage was not tried. Compare a few frames with what ScanImage shows.",
    "unknown-rois": "The header does not tell which ROIs were scanned, so fields are whole pages.",
    "unusual-rois": "The ROIs do not fill their page as they usually do. Look at the pictures: fields should begin "
    "and end where your regions did.",
}
"""What each finding means, and what to do."""
