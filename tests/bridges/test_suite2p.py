"""Suite2p's files: what they leave out is told, and their lines are those of the field."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, VOLUME, expected

from scanreader import Scan, ScanIndexError, ScanKeyError, ScanReaderWarning, read_scan
from scanreader.simulate import Recording, roi, scanfield

FOUR = Recording(frames_per_slice=5, channels=(1, 2, 3, 4))


def planes(folder: Path) -> list[dict[str, Any]]:
    """What db.npy says of each plane."""
    paths = sorted((folder / "suite2p").glob("plane*"), key=lambda path: int(path.name.removeprefix("plane")))
    return [np.load(path / "db.npy", allow_pickle=True).item() for path in paths]


def movie(folder: Path, name: str, height: int, width: int) -> np.ndarray:
    """A file of the first plane, of shape (y, x, frames)."""
    file = folder / "suite2p" / "plane0" / name
    return np.fromfile(file, "<i2").reshape(-1, height, width).transpose(1, 2, 0)


# ------------------------------------------------------------------------------- channels


@pytest.fixture
def four_channels(tmp_path: Path) -> Iterator[Scan]:
    FOUR.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as scan:
        yield scan


def test_skipped_channels_are_named(four_channels: Scan, tmp_path: Path) -> None:
    sentence = r"suite2p takes two channels: Channel 3, Channel 4 are skipped; choose others.* as channels=\(2, 0\)"
    with pytest.warns(ScanReaderWarning, match=sentence) as warning_records:
        four_channels.to_suite2p(tmp_path)
    assert len(warning_records) == 1
    with pytest.warns(ScanReaderWarning, match="two channels: Channel 3 is skipped"):
        four_channels.select(channels=slice(3)).to_suite2p(tmp_path / "three")


@pytest.mark.parametrize("channels", [(2, 0), [2, 0], np.array([2, 0])], ids=repr)
def test_channels_that_were_chosen_warn_of_nothing(four_channels: Scan, tmp_path: Path, channels: Any) -> None:
    four_channels.to_suite2p(tmp_path, channels=channels)  # warnings are errors
    (pixels,) = expected(FOUR, four_channels.filenames)
    for name, channel in (("data.bin", 2), ("data_chan2.bin", 0)):
        np.testing.assert_array_equal(movie(tmp_path, name, 16, 16), pixels[:, :, channel])


@pytest.mark.parametrize("channels", [1, np.int64(1), (1,)], ids=repr)
def test_a_number_is_one_channel(four_channels: Scan, tmp_path: Path, channels: Any) -> None:
    four_channels.to_suite2p(tmp_path, channels=channels)
    (pixels,) = expected(FOUR, four_channels.filenames)
    np.testing.assert_array_equal(movie(tmp_path, "data.bin", 16, 16), pixels[:, :, 1])
    assert not (tmp_path / "suite2p" / "plane0" / "data_chan2.bin").exists()
    assert planes(tmp_path)[0]["nchannels"] == 1


@pytest.mark.parametrize("channels", ["a", "01", b"\0", 1.0, (0.5,), (True,), True, (None,), {0: 1}, ...], ids=repr)
def test_channels_are_integers(four_channels: Scan, tmp_path: Path, channels: Any) -> None:
    with pytest.raises(ScanKeyError, match=r"channels must be one or two integers, as channels=\(1, 0\), not"):
        four_channels.to_suite2p(tmp_path, channels=channels)
    assert not (tmp_path / "suite2p").exists()


@pytest.mark.parametrize("channels", [4, -1, (0, 4), (), (0, 1, 2)], ids=repr)
def test_channels_are_one_or_two_that_are_there(four_channels: Scan, tmp_path: Path, channels: Any) -> None:
    with pytest.raises(ScanIndexError, match="one or two channels of 4"):
        four_channels.to_suite2p(tmp_path, channels=channels)
    assert not (tmp_path / "suite2p").exists()


# ------------------------------------------------------------------ what else is not there


def test_an_unknown_rate_is_told(tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "raw")
    with read_scan(tmp_path / "raw", raw=True) as scan:
        with pytest.warns(ScanReaderWarning, match="the frame rate is unknown, so suite2p's fs is NaN"):
            scan.to_suite2p(tmp_path)
        settings = np.load(tmp_path / "suite2p" / "plane0" / "settings.npy", allow_pickle=True).item()
        assert np.isnan(settings["fs"])


def test_a_rotation_that_is_skipped_is_told(tmp_path: Path) -> None:
    rois = tuple(roi(scanfield((8.0 * i, 0.0), (3.0, 2.0), (12, 8), rotation=15 * i)) for i in range(3))
    replace(MESOSCOPE, mode="planar", zs=(0.0,), flyback=0, rois=rois).write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as scan:
        assert [field.rotation for field in scan.fields] == [0, 15, 30]
        with pytest.warns(ScanReaderWarning, match="suite2p has no rotation: that of fields 1, 2 is skipped"):
            scan.to_suite2p(tmp_path)


# ---------------------------------------------------------------------------------- lines


def tiles(*boxes: tuple[float, float, float, float]) -> Recording:
    """ROIs by the edges (left, right, top, bottom) in degrees, with pixels of a quarter degree."""
    rois = tuple(
        roi(
            scanfield(
                ((left + right) / 2, (top + bottom) / 2),
                (right - left, bottom - top),
                (round(4 * (right - left)), round(4 * (bottom - top))),
            ),
            name=f"tile {i}",
        )
        for i, (left, right, top, bottom) in enumerate(boxes)
    )
    planar_recording = replace(MESOSCOPE, mode="planar", zs=(0.0,), flyback=0, frames_per_slice=3, rois=rois)
    return replace(planar_recording, resonant=False)  # whose ROIs may differ in width


TILINGS = {
    "side by side": (tiles((0, 3, 0, 2), (3, 5, 0, 2)), [0]),
    "the right one first": (tiles((3, 5, 0, 2), (0, 3, 0, 2)), [1]),
    "one below the other": (tiles((0, 3, 0, 2), (0, 3, 2, 5)), [0, 1]),
    "the lower one first": (tiles((0, 3, 2, 5), (0, 3, 0, 2)), [1, 0]),
    "four": (tiles((3, 5, 2, 4), (0, 3, 2, 4), (0, 3, 0, 2), (3, 5, 0, 2)), [2, 1]),
}


@pytest.mark.parametrize("kind", TILINGS)
@pytest.mark.parametrize("top", [0, 1])
def test_lines_are_the_page_s_rows_of_the_leftmost_piece(tmp_path: Path, kind: str, top: int) -> None:
    recording, left_rois = TILINGS[kind]  # ROIs at the left edge, from above
    recording.write(tmp_path / "raw")
    (boxes,) = recording.field_rows()
    expected_lines = np.concatenate([np.arange(boxes[i][0] + top, boxes[i][0] + boxes[i][1]) for i in left_rois])
    with read_scan(tmp_path / "raw", join_contiguous=True) as joined:
        scan = joined.trimmed(top=top)
        assert scan.num_fields == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", ".*pieces were trimmed")
            scan.to_suite2p(tmp_path)
        (plane,) = planes(tmp_path)
        assert plane["lines"].tolist() == expected_lines.tolist()
        assert len(plane["lines"]) == plane["Ly"] == scan.fields[0].height
        # The rows of the page are in the field, at its left edge.
        pages = read_scan(tmp_path / "raw", raw=True)[0, :, :, 0, :]
        width = min(box[2] for box in boxes)
        np.testing.assert_array_equal(
            movie(tmp_path, "data.bin", *scan[0].shape[:2])[:, :width], pages[expected_lines, :width]
        )
