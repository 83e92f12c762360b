"""A false digit in one page's description is damage of that page: it never moves another frame."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from common import STACK, VOLUME, expected, read_warned

from scanreader.simulate import Recording

CASES = {
    "two channels": Recording(frames_per_slice=12, channels=(1, 2), frames_per_file=5),
    "one channel": Recording(frames_per_slice=12),
    "volume": replace(VOLUME, flyback=1, volumes=3, frames_per_file=7),
    "volume of three channels": replace(VOLUME, channels=(1, 2, 4), flyback=0, volumes=4),
    "slow stack": replace(STACK, channels=(1, 2)),
    "rolled stack of single frames": replace(STACK, frames_per_slice=1, channels=(1, 2), frames_per_file=4),
    "loop of volumes": replace(VOLUME, volumes=2, loops=2),
    "loop of slow stacks": replace(STACK, volumes=2, loops=3, channels=(1, 2)),
    "averaged": Recording(frames_per_slice=24, averaging=2, channels=(1, 2)),
    "older": replace(VOLUME, release="2016b", flyback=1, volumes=3),
    "5.1": Recording(release="5.1", frames_per_slice=12, channels=(1, 2)),
}


def number_at(path: Path, page: int, name: bytes) -> tuple[int, bytes] | None:
    """Where in a file a page's number stands, and its digits."""
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[page].aspage().tags[270]
        start, count = tag.valueoffset, tag.count
    match = re.search(name + rb"\D{1,4}(\d+)", path.read_bytes()[start : start + count])
    return (start + match.start(1), match[1]) if match else None


@pytest.mark.parametrize("extent", ["the ends", pytest.param("everywhere", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [b"frameNumbers", b"frameNumberAcquisition", b"acquisitionNumbers"])
@pytest.mark.parametrize("case", CASES)
def test_a_false_number_moves_and_costs_no_frame(tmp_path: Path, case: str, name: bytes, extent: str) -> None:
    recording = CASES[case]
    paths = recording.write(tmp_path)
    fields = expected(recording, paths)
    num_checked = 0
    for path in paths:
        original = path.read_bytes()
        with tifffile.TiffFile(path) as tif:
            pages = len(tif.pages)
        frame = len(recording.channels)
        for page in range(pages) if extent == "everywhere" else [*range(frame), *range(pages - frame, pages)]:
            place = number_at(path, page, name)
            if place is None:
                continue
            start, digits = place
            for false_number in sorted({(int(digits) + step) % 10 ** len(digits) for step in (1, 3, 5, 9, 10)}):
                if false_number == int(digits):
                    continue
                text = str(false_number).zfill(len(digits)).encode()
                path.write_bytes(original[:start] + text + original[start + len(digits) :])
                num_checked += 1
                scan, warning = read_warned(tmp_path)
                for i, field in enumerate(fields):
                    pixels, num_kept = scan[i], field.shape[-1]
                    is_ambiguous = (
                        int(text) - int(digits)
                    ) % recording.frames_per_slice == 0 and name == b"frameNumbers"
                    if recording.mode == "slow" and path == paths[-1] and page >= pages - frame and is_ambiguous:
                        # The number of another frame that is as far into its slice, and no frame after it: a volume is
                        # left out, and said.
                        assert warning
                        num_kept = pixels.shape[-1]
                        assert num_kept in (field.shape[-1], field.shape[-1] - recording.frames_per_slice)
                    assert np.array_equal(pixels, field[..., :num_kept]), (path.name, page, text)
                if name == b"frameNumbers":
                    assert warning or not scan.check().ok, (path.name, page, text)
        path.write_bytes(original)
    assert num_checked or recording.release == "5.1"


def test_a_false_number_is_damage_of_its_page(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=12, channels=(1, 2)).write(tmp_path)
    place = number_at(path, 13, b"frameNumbers")
    assert place is not None
    data = path.read_bytes()
    path.write_bytes(data[: place[0]] + b"9" + data[place[0] + 1 :])
    scan, _ = read_warned(path)
    assert scan.num_frames == 12
    report = scan.check()
    assert [finding.name for finding in report.findings if finding.severity == "damage"] == ["damaged-page"]
    assert "page 13 of scan_00001.tif has frame number 9 in the place of frame 7" in str(report)
