"""Line scans: what is read is what was simulated, and the bytes of the files as numpy reads them."""

from __future__ import annotations

import contextlib
import math
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scanreader import (
    ChangedFileError,
    FileFormatError,
    HeaderError,
    LayoutError,
    LineScan,
    PathnameError,
    ScanIndexError,
    ScanReaderWarning,
    read_line_scan,
    read_scan,
)
from scanreader.cli.commands import app
from scanreader.scanimage.line_scans import parse_meta
from scanreader.simulate import LineScanRecording, stimulus

LINE = LineScanRecording()
ROLLED_LINE = replace(LINE, cycles_per_file=6, axes=3)


def opened(recording: LineScanRecording, folder: Path, name: str = "line_00001") -> LineScan:
    recording.write(folder)
    return read_line_scan(folder / name)


@pytest.mark.parametrize(
    "recording", [LINE, ROLLED_LINE, replace(LINE, json_headers=True), replace(LINE, cycles_per_file=5)]
)
def test_samples_and_positions(tmp_path: Path, recording: LineScanRecording) -> None:
    scan = opened(recording, tmp_path)
    assert scan.data.shape == (20, 2000, 2)
    np.testing.assert_array_equal(scan.data[:], recording.data())
    content = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("*.pmt.dat")))
    np.testing.assert_array_equal(scan.data[:], np.frombuffer(content, "<i2").reshape(20, 2000, 2))
    assert scan.positions is not None
    assert scan.positions.shape == (20, 395, recording.axes)
    np.testing.assert_array_equal(scan.positions[:], recording.positions())
    assert (scan.rate, scan.cycle_rate, scan.position_rate) == (1e6, 500, 2e5)
    np.testing.assert_allclose(scan.times, np.arange(20) * 0.002)
    np.testing.assert_allclose(scan.sample_times[-1], 1999e-6)
    np.testing.assert_allclose(scan.position_times[-1], 394 / 2e5)  # not spread over the cycle
    assert scan.channel_names == ["Channel 1", "Channel 2"]
    assert scan.findings == ()
    assert scan.release == "2023.1"
    assert scan.microns_per_degree == 15


def test_the_example_of_the_format(tmp_path: Path) -> None:
    """Two channels (10,-3),(11,-4),(12,-5),(13,-6), two samples a cycle."""
    path = (stimulus("line", duration=2e-6),)
    replace(LINE, path=path, feedback=False).write(tmp_path)
    (tmp_path / "line_00001.pmt.dat").write_bytes(bytes.fromhex("0a00fdff0b00fcff0c00fbff0d00faff"))
    scan = read_line_scan(tmp_path / "line_00001")
    np.testing.assert_array_equal(scan.data[:], [[[10, -3], [11, -4]], [[12, -5], [13, -6]]])


@pytest.mark.parametrize(
    "name",
    ["line_00001.meta.txt", "line_00001.pmt.dat", "line_00001.scnnr.dat", "line_00001.ref.dat", "line_00001", "line"],
)
def test_any_of_its_files_opens_it(tmp_path: Path, name: str) -> None:
    scan = opened(LINE, tmp_path, name)
    names = [Path(path).name for path in scan.filenames]
    assert names == ["line_00001.meta.txt", "line_00001.pmt.dat", "line_00001.scnnr.dat"]


@pytest.mark.parametrize("name", ["line_00001_00003.pmt.dat", "line_00001_00001.meta.txt", "line_00001", "line"])
def test_any_part_of_a_rolled_one_opens_it(tmp_path: Path, name: str) -> None:
    assert opened(ROLLED_LINE, tmp_path, name).num_cycles == 20


def test_acquisitions_of_a_loop_share_their_settings(tmp_path: Path) -> None:
    for recording in (replace(LINE, loops=3), replace(ROLLED_LINE, loops=3, stem="rolled")):
        recording.write(tmp_path)
        for name in (f"{recording.stem}_00003", f"{recording.stem}_00001"):
            scan = read_line_scan(tmp_path / name)
            assert all(f"{name}" in path for path in scan.filenames[1:])
            assert "_00001" in scan.filenames[0]
            np.testing.assert_array_equal(scan.data[:], recording.data())


def test_several_are_not_mixed(tmp_path: Path) -> None:
    LINE.write(tmp_path)
    for suffix in (".meta.txt", ".pmt.dat", ".scnnr.dat"):
        (tmp_path / f"line_00007{suffix}").write_bytes((tmp_path / f"line_00001{suffix}").read_bytes())
    with pytest.raises(PathnameError, match=r"several line scans .* line_00001.meta.txt, line_00007.meta.txt"):
        read_line_scan(tmp_path / "line")
    assert "line_00007.pmt.dat" in read_line_scan(tmp_path / "line_00007").filenames[1]
    (tmp_path / "line_00009.pmt.dat").write_bytes(b"")
    with pytest.raises(PathnameError, match=r"no line_00009.meta.txt, but line_00001"):  # it is not of a loop
        read_line_scan(tmp_path / "line_00009")


@pytest.mark.parametrize("name", ["", "nothing", "line_00002", "s3://bucket/line_00001.meta.txt", 5, "a\0b"])
def test_what_is_not_there_is_refused(tmp_path: Path, name: Any) -> None:
    LINE.write(tmp_path)
    pathname = tmp_path / name if isinstance(name, str) and name and "//" not in name else name
    with pytest.raises(PathnameError):
        read_line_scan(pathname)


def test_a_missing_part_is_refused(tmp_path: Path) -> None:
    ROLLED_LINE.write(tmp_path)
    (tmp_path / "line_00001_00002.pmt.dat").unlink()
    with pytest.raises(PathnameError, match=r"part 2 of line_00001 \(.pmt.dat\) is missing"):
        read_line_scan(tmp_path / "line_00001")


def test_a_partial_cycle_is_said(tmp_path: Path) -> None:
    with pytest.warns(ScanReaderWarning, match="the samples end inside a cycle: the last 700, of 2000 in a cycle"):
        scan = opened(replace(LINE, partial=700), tmp_path)
    assert scan.num_cycles == 20
    with pytest.raises(LayoutError, match="the last 700"):
        read_line_scan(tmp_path / "line_00001", strict=True)


def test_the_last_file_may_be_empty(tmp_path: Path) -> None:
    scan = opened(replace(LINE, cycles_per_file=10), tmp_path)
    assert (tmp_path / "line_00001_00003.pmt.dat").stat().st_size == 0
    assert scan.num_cycles == 20
    assert scan.findings == ()


def test_nothing_recorded_is_no_cycle(tmp_path: Path) -> None:
    LINE.write(tmp_path)
    (tmp_path / "line_00001.pmt.dat").write_bytes(b"")
    with pytest.warns(ScanReaderWarning, match="0 cycles of samples, but 20 of positions"):
        scan = read_line_scan(tmp_path / "line_00001")
    assert scan.data[:].shape == (0, 2000, 2)
    assert scan.times.shape == (0,)


# ---------------------------------------------------------------------------- the path


def test_parts_of_the_path_have_their_samples(tmp_path: Path) -> None:
    rois = opened(LINE, tmp_path).rois
    assert [roi.name for roi in rois] == ["start", "dendrite", "move", "soma", "return"]
    assert [roi.is_transit for roi in rois] == [True, False, True, False, True]
    ranges = [(roi.samples.start, roi.samples.stop) for roi in rois if roi.samples]
    assert ranges == [(0, 200), (200, 1000), (1000, 1200), (1200, 1800), (1800, 2000)]


def test_repetitions_count(tmp_path: Path) -> None:
    path = (stimulus("circle", duration=0.0005, repetitions=3, name="c"), stimulus("line", duration=0.0005, name="l"))
    rois = opened(replace(LINE, path=path), tmp_path).rois
    assert [roi.samples for roi in rois] == [slice(0, 1500), slice(1500, 2000)]


def test_durations_that_do_not_add_up_are_said(tmp_path: Path) -> None:
    with pytest.warns(ScanReaderWarning, match=r"the path takes 0.002 s .* a cycle 0.0025 s: .* unknown"):
        scan = opened(replace(LINE, settings={"hScan2D.lineScanSamplesPerFrame": 2500}), tmp_path)
    assert [roi.samples for roi in scan.rois] == [None] * 5
    assert "unknown-path" in [finding.name for finding in scan.findings]


def test_settings_that_are_empty_follow_from_the_path_and_the_file(tmp_path: Path) -> None:
    empty_settings: dict[str, Any] = {"hScan2D.lineScanSamplesPerFrame": [], "hScan2D.lineScanFdbkSamplesPerFrame": []}
    scan = opened(replace(LINE, settings=empty_settings), tmp_path)
    assert scan.positions is not None
    assert (scan.data.shape, scan.positions.shape) == ((20, 2000, 2), (20, 395, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hScan2D.sampleRate": None}, "sampleRate"),
        ({"hScan2D.lineScanSamplesPerFrame": 0}, "0 samples"),
        ({"hScan2D.lineScanSamplesPerFrame": math.inf}, "inf samples"),
        ({"hChannels.channelSave": None}, "channels"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    replace(LINE, settings=settings).write(tmp_path)
    with pytest.raises(HeaderError, match=message):
        read_line_scan(tmp_path / "line_00001")


@pytest.mark.parametrize("name", ["hScan2D.lineScanNumFdbkChannels", "hScan2D.sampleRateFdbk"])
def test_positions_that_are_not_described_are_not_read(tmp_path: Path, name: str) -> None:
    with pytest.warns(ScanReaderWarning, match="is not read: the settings do not say"):
        assert opened(replace(LINE, settings={name: []}), tmp_path).positions is None


def test_positions_of_another_recording_are_not_read(tmp_path: Path) -> None:
    with pytest.warns(ScanReaderWarning, match="take longer than a cycle"):
        scan = opened(replace(LINE, settings={"hScan2D.lineScanFdbkSamplesPerFrame": 790}), tmp_path)
    assert scan.positions is None


def test_positions_that_are_missing_are_said(tmp_path: Path) -> None:
    LINE.write(tmp_path)
    (tmp_path / "line_00001.scnnr.dat").unlink()
    with pytest.warns(ScanReaderWarning, match="were to be recorded"):
        assert read_line_scan(tmp_path / "line_00001").positions is None


# --------------------------------------------------------------------------- reading


keys = st.tuples(
    *(
        st.integers(-size, size - 1)
        | st.slices(size)
        | st.lists(st.integers(-size, size - 1), max_size=4)
        | st.lists(st.booleans(), min_size=size, max_size=size)
        for size in (7, 20, 2)
    )
)
SMALL_LINE = replace(
    LINE, path=(stimulus("line", duration=2e-5, name="l"),), cycles=7, cycles_per_file=3, feedback=False
)


@pytest.fixture(scope="module")
def small_scan(tmp_path_factory: pytest.TempPathFactory) -> LineScan:
    return opened(SMALL_LINE, tmp_path_factory.mktemp("small"))


@given(key=keys)
def test_any_key_reads_what_numpy_reads(small_scan: LineScan, key: tuple[Any, ...]) -> None:
    expected = SMALL_LINE.data()
    for axis, entry in enumerate(key):
        place = [entry] if isinstance(entry, int) else entry
        expected = expected[
            (slice(None),) * axis
            + (
                place
                if isinstance(place, slice)
                else np.asarray(place, int if not any(isinstance(i, bool) for i in place) else bool),
            )
        ]
    expected = expected[tuple(0 if isinstance(entry, int) else slice(None) for entry in key)]
    samples = small_scan.data[key]
    np.testing.assert_array_equal(samples, expected)
    assert np.asarray(samples).dtype == np.int16


def test_cycles_are_an_array(small_scan: LineScan) -> None:
    assert (small_scan.data.ndim, small_scan.data.size, small_scan.data.nbytes, len(small_scan.data)) == (
        3,
        280,
        560,
        7,
    )
    np.testing.assert_array_equal(np.asarray(small_scan.data, float), SMALL_LINE.data())
    np.testing.assert_array_equal(np.stack(list(small_scan.data)), SMALL_LINE.data())
    for key in (7, (0, 20), (0, 0, 2), (0, 0, 0, 0)):
        with pytest.raises(ScanIndexError):
            small_scan.data[key]


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = opened(LINE, tmp_path)
    from scanreader.files.local import OpenFile

    sizes: list[int] = []
    original = OpenFile.read

    def count_read(self: OpenFile, offset: int, size: int) -> bytes:
        sizes.append(size)
        return original(self, offset, size)

    monkeypatch.setattr(OpenFile, "read", count_read)
    scan.data[5, 100:110]
    assert sizes == [10 * 2 * 2]


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    scan = opened(LINE, tmp_path)
    (tmp_path / "line_00001.pmt.dat").write_bytes(b"\0" * 400)
    with pytest.raises(ChangedFileError, match=r"line_00001.pmt.dat"):
        scan.data[0]


def test_it_is_pickled(tmp_path: Path) -> None:
    scan = pickle.loads(pickle.dumps(opened(LINE, tmp_path)))
    np.testing.assert_array_equal(scan.data[3], LINE.data()[3])
    assert repr(scan) == "<LineScan line_00001.pmt.dat: 20 cycles of 2000 samples, 2 channels>"
    assert "dendrite (line), soma (circle)" in scan._repr_html_()


@pytest.mark.parametrize("name", ["line_00001.meta.txt", "line_00001.pmt.dat", ".", "*.dat"])
def test_read_scan_names_the_reader_of_line_scans(tmp_path: Path, name: str) -> None:
    LINE.write(tmp_path)
    with pytest.raises(PathnameError, match=r"give it to scanreader\.read_line_scan, or .* scanreader info"):
        read_scan(str(tmp_path / name))


def test_a_folder_and_a_tiff_are_no_line_scans(tmp_path: Path) -> None:
    LINE.write(tmp_path / "line")
    with pytest.raises(PathnameError, match=r"is a folder: name one of the line scans in it: line_00001\.meta\.txt"):
        read_line_scan(tmp_path / "line")
    with pytest.raises(PathnameError, match=r"is a folder: it holds no line scan"):
        read_line_scan(tmp_path)
    with pytest.raises(PathnameError, match=r"is a TIFF file: scanreader\.read_scan reads it"):
        read_line_scan(tmp_path / "a.tif")


@given(st.text(max_size=200) | st.text(alphabet='{}"SI.=VERSION_MAJOR\n\0 ', max_size=100))
def test_any_settings_are_read_or_refused(text: str) -> None:
    for start in ("", "SI.VERSION_MAJOR = 2023\n", '{"SI": {"VERSION_MAJOR": 2023}}\n'):
        with contextlib.suppress(FileFormatError):
            parse_meta(start + text, "line_00001.meta.txt")


# -------------------------------------------------------------------------- exports


def test_xarray(tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    data = opened(ROLLED_LINE, tmp_path).to_xarray()
    assert dict(data.sizes) == {"cycle": 20, "sample": 2000, "channel": 2, "part": 5, "position": 395, "axis": 3}
    np.testing.assert_array_equal(data["data"][3, 5:9, 1], ROLLED_LINE.data()[3, 5:9, 1])
    np.testing.assert_array_equal(data["positions"].sel(axis="y"), ROLLED_LINE.positions()[..., 1])
    assert data["roi"].values[250] == 1


def test_npy_says_what_it_skips(tmp_path: Path) -> None:
    scan = opened(LINE, tmp_path / "raw")
    with pytest.warns(ScanReaderWarning, match="positions of the mirrors are skipped"):
        scan.to_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), LINE.data())
    with pytest.raises(PathnameError, match="a file of the recording itself"):
        scan.to_npy(tmp_path / "raw" / "line_00001.pmt.dat", overwrite=True)


@pytest.mark.ecosystem
def test_h5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    scan = opened(LINE, tmp_path / "raw")
    scan.to_h5(tmp_path / "a.h5")
    scan.to_h5(tmp_path / "a.h5", overwrite=True)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["data"][:], LINE.data())
        np.testing.assert_array_equal(file["positions"][:], LINE.positions())
        assert file["part_names"].asstr()[:].tolist()[1] == "dendrite"
        np.testing.assert_array_equal(np.unique(file["part"]), np.arange(5))


@pytest.mark.ecosystem
@pytest.mark.filterwarnings("ignore:.*numpydoc.*", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_nwb(tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    inspector = pytest.importorskip("nwbinspector")
    scan = opened(LINE, tmp_path / "raw")
    subject = pynwb.file.Subject(subject_id="m1", species="Mus musculus", sex="F", age="P90D")
    with pytest.raises(HeaderError, match="session_start_time"):
        scan.to_nwb(tmp_path / "a.nwb")
    scan.to_nwb(tmp_path / "a.nwb", session_start_time=datetime(2023, 5, 1, 12, tzinfo=UTC), subject=subject)
    assert not pynwb.validate(path=str(tmp_path / "a.nwb"))
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        nwb = io.read()
        np.testing.assert_array_equal(nwb.acquisition["LineScan"].data[:], LINE.data().reshape(-1, 2))
        np.testing.assert_array_equal(nwb.acquisition["LineScanPositions"].data[:], LINE.positions().reshape(-1, 2))
        np.testing.assert_allclose(nwb.acquisition["LineScanPositions"].timestamps[395], 0.002)
        assert nwb.acquisition["LineScanPath"]["part"][1] == "dendrite"
    critical = inspector.Importance.CRITICAL
    messages = list(inspector.inspect_nwbfile(nwbfile_path=str(tmp_path / "a.nwb")))
    assert [message.message for message in messages if message.importance.value >= critical.value] == []


# --------------------------------------------------------------------------- commands


def test_info_shows_it(tmp_path: Path) -> None:
    LINE.write(tmp_path)
    result = CliRunner().invoke(app, ["info", str(tmp_path / "line_00001.meta.txt")])
    assert result.exit_code == 0, result.output
    assert "path: dendrite (line), soma (circle)" in result.output
    assert "cycles: 20 of 2,000 samples" in result.output
    result = CliRunner().invoke(app, ["info", "--json", str(tmp_path / "line_00001.pmt.dat")])
    assert '"cycles": 20' in result.output


def test_convert_writes_it(tmp_path: Path) -> None:
    LINE.write(tmp_path)
    source = str(tmp_path / "line_00001.meta.txt")
    result = CliRunner().invoke(app, ["convert", source, str(tmp_path / "a.npy")])
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), LINE.data())
    result = CliRunner().invoke(app, ["convert", source, str(tmp_path / "a.ome.tif")])
    assert result.exit_code == 1
    assert ".npy, .h5 or .nwb" in result.output
    result = CliRunner().invoke(app, ["convert", source, str(tmp_path / "b.npy"), "--frames", "0:3"])
    assert "--frames is not for line scans" in result.output
