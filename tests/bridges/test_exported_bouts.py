"""Several bouts in each export: where each begins, and its times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import read_warned

from scanreader import LayoutError, Scan, read_scan
from scanreader.cli.info import facts, facts_in_words
from scanreader.notices import listening
from scanreader.simulate import Recording
from scanreader.view.words import bouts

# 10 of 12 frames: stopped inside its fourth volume. Files end inside volumes.
A = Recording(stem="a", mode="fast", zs=(0.0, 30.0, 60.0), volumes=4, stop=10, frames_per_file=4)
B = replace(A, stem="b", stop=None, epoch=(2023, 9, 22, 12, 50, 9.383), frames_per_file=5)
START = datetime(2023, 9, 22, 12, 46, 9, 383000, UTC)


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    return read_warned([*A.write(tmp_path / "in"), *B.write(tmp_path / "in")])[0]


def read_nwb(path: Path) -> Any:
    """Open an NWB file; the test is skipped where pynwb is not installed."""
    return pytest.importorskip("pynwb").NWBHDF5IO(str(path), "r")


def of_suite2p(scan: Scan, folder: Path) -> list[dict[str, Any]]:
    with listening(lambda _: None):
        scan.to_suite2p(folder)
    return [np.load(folder / f"suite2p/plane{i}/ops.npy", allow_pickle=True).item() for i in range(scan.num_fields)]


def test_suite2p_splits_frames_by_file_and_bout_by_its_own_rules(scan: Scan, tmp_path: Path) -> None:
    for ops, frames in zip(of_suite2p(scan, tmp_path), by_pages(scan), strict=True):
        assert ops["frames_per_file"].tolist() == frames
        assert ops["frames_per_file"].sum() == ops["nframes"] == 7
        assert ops["first_files"].sum() == len(ops["frames_per_folder"]) == 2
        assert len(ops["file_list"]) == len(ops["frames_per_file"]) == len(ops["first_files"])
        assert ops["file_list"] == scan.filenames
        assert ops["frames_per_folder"].tolist() == [3, 4]
        assert ops["first_files"].tolist() == [True, False, False, True, False, False]
        assert ops["frames_per_folder"].sum() == ops["nframes"]


def by_pages(scan: Scan) -> list[list[int]]:
    """For each plane, its frames in each file, by ScanImage's page numbers alone."""
    sizes = [part.pages for part in scan.opened.parts]
    ends = np.cumsum(sizes)
    counts = []
    for plane in range(3):
        pages = [*range(plane, 9, 3), *range(10 + plane, 22, 3)]
        files = np.searchsorted(ends, pages, side="right")
        counts.append(np.bincount(files, minlength=len(sizes)).tolist())
    return counts


def test_suite2p_of_one_grab_in_several_files(tmp_path: Path) -> None:
    files = replace(B, stem="c").write(tmp_path / "in")
    (ops, *_) = of_suite2p(read_scan(tmp_path / "in"), tmp_path)
    assert ops["file_list"] == [str(path) for path in files]
    assert ops["first_files"].tolist() == [True, False, False]
    assert ops["frames_per_file"].sum() == 4
    assert ops["frames_per_folder"].tolist() == [4]


def test_suite2p_of_a_selection(scan: Scan, tmp_path: Path) -> None:
    (ops, *_) = of_suite2p(scan.select(bouts=1), tmp_path / "b")
    assert ops["file_list"] == scan.filenames[3:]
    assert ops["frames_per_folder"].tolist() == [4]
    (ops, *_) = of_suite2p(scan.select(frames=[6, 3, 0]), tmp_path / "mixed")
    assert ops["file_list"] == [scan.filenames[i] for i in (4, 3, 0, 1, 2)]
    assert ops["frames_per_file"].tolist() == [1, 1, 1, 0, 0]
    assert ops["first_files"].tolist() == [True, False, True, False, False]
    assert ops["frames_per_folder"].tolist() == [2, 1]


def test_nwb_has_the_times_of_all_bouts_and_a_row_of_epochs_for_each(scan: Scan, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    path = tmp_path / "out.nwb"
    scan.to_nwb(path, session_start_time=START, grouped="field")
    with read_nwb(path) as io:
        nwb = io.read()
        for i in range(3):
            times = nwb.acquisition[f"TwoPhotonSeriesField{i}Channel0"].timestamps[:]
            np.testing.assert_array_equal(times, scan.timestamps[i])
            assert (np.diff(times) > 0).all()
        epochs = nwb.epochs.to_dataframe()
        assert len(epochs) == 2
        assert epochs["start_time"].tolist() == [0.0, 240.0]
        assert [list(tags) for tags in epochs["tags"]] == [["a_00001_00001"], ["b_00001_00001"]]
        stops = epochs["stop_time"].to_numpy()
        assert scan.timestamps[2, 2] < stops[0] < 1
        assert scan.timestamps[2, 6] < stops[1] < 241
        for series in epochs["timeseries"]:
            assert len(series) == 3
        assert [(reference.idx_start, reference.count) for reference in epochs["timeseries"].iloc[1]] == [(3, 4)] * 3
        assert [(reference.idx_start, reference.count) for reference in epochs["timeseries"].iloc[0]] == [(0, 3)] * 3


def test_nwb_of_one_grab_has_no_epochs(tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    B.write(tmp_path)
    read_scan(tmp_path).to_nwb(tmp_path / "out.nwb", session_start_time=START)
    with read_nwb(tmp_path / "out.nwb") as io:
        assert io.read().epochs is None


def test_nwb_refuses_times_that_are_unknown_or_go_back(tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    files = [*A.write(tmp_path), *replace(B, epoch=(1601, 1, 1, 0, 0, 0.0)).write(tmp_path)]
    scan = read_warned(files)[0]
    with pytest.raises(LayoutError, match=r"bout 1 are unknown.*bout_starts="):
        scan.to_nwb(tmp_path / "out.nwb", session_start_time=START)
    reversed_scan = read_warned(files, bout_starts=[10, 0])[0]
    with pytest.raises(LayoutError, match="do not rise"):
        reversed_scan.to_nwb(tmp_path / "out.nwb", session_start_time=START)
    assert not (tmp_path / "out.nwb").exists()
    read_warned(files, bout_starts=[0, 10])[0].to_nwb(tmp_path / "out.nwb", session_start_time=START)
    with read_nwb(tmp_path / "out.nwb") as io:
        assert io.read().epochs["start_time"][:].tolist() == [0.0, 10.0]


@pytest.mark.parametrize("name", ["out.nwb", "out"])
def test_targets_of_several_bouts_are_verified(name: str, scan: Scan, tmp_path: Path) -> None:
    if name == "out":
        of_suite2p(scan, tmp_path / name)
        target = tmp_path / "out" / "suite2p"
    else:
        pytest.importorskip("pynwb")
        target = tmp_path / name
        scan.to_nwb(target, session_start_time=scan.start_time, timezone="UTC")
    verification = scan.verify(target)
    assert verification.ok, str(verification)


def test_xarray_has_the_bout_of_each_frame(scan: Scan, tmp_path: Path) -> None:
    dataset = scan.to_xarray()
    assert dataset["bout"].dims == ("time",)
    assert dataset["bout"].to_numpy().tolist() == [0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_array_equal(dataset["time"], scan.timestamps[0])
    assert dataset.groupby("bout").mean()["data"].sizes["bout"] == 2
    B.write(tmp_path)
    assert "bout" not in read_scan(tmp_path).to_xarray().coords
    assert scan.select(frames=[6, 0]).to_xarray()["bout"].to_numpy().tolist() == [1, 0]


def test_bouts_in_words(scan: Scan, tmp_path: Path) -> None:
    assert bouts(scan) == [
        "a_00001_00001.tif at 0 s: 3 frames, incomplete",
        "b_00001_00001.tif at 4 min 0 s by the computer's clock: 4 frames",
    ]
    Recording(frames_per_slice=2, loops=20).write(tmp_path / "loop")
    lines = bouts(read_scan(tmp_path / "loop"))
    assert len(lines) == 7
    assert lines[-1] == "14 more bouts"
    assert bouts(read_scan(tmp_path / "loop" / "scan_00001.tif")) == []


def test_info_the_report_and_notebooks_show_bouts(scan: Scan, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    lines = bouts(scan)
    assert facts_in_words(scan)["bouts"] == lines
    assert facts_in_words(scan)["duration"].startswith("4 min 0 s from first to last")  # type: ignore[union-attr]
    assert [bout["offset_s"] for bout in facts(scan)["bouts"]] == [0.0, 240.0]
    assert "b_00001_00001.tif at 4 min 0 s" in scan._repr_html_()
    scan.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "b_00001_00001.tif at 4 min 0 s" in page
    B.write(tmp_path / "one")
    scan_of_one = read_scan(tmp_path / "one")
    assert facts_in_words(scan_of_one)["bouts"] == []
    assert "Bouts" not in scan_of_one._repr_html_()


def test_a_report_of_bouts_whose_times_are_unknown(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    a = replace(A, triggers=((0, 0.003),), frames_per_file=None)
    clockless_recording = replace(a, stem="u", stop=None, epoch=(1601, 1, 1, 0, 0, 0.0))
    for paths in (
        [*a.write(tmp_path), *clockless_recording.write(tmp_path)],
        [*clockless_recording.write(tmp_path), *a.write(tmp_path)],
    ):
        scan = read_warned(paths)[0]
        scan.report(tmp_path / "report.html", overwrite=True)
        assert "at an unknown time" in (tmp_path / "report.html").read_text("utf-8")
        assert "unknown-clock" in scan.check().names
        assert sum(np.isnan(event.time) for event in scan.events) == 1
