"""Mean, maximum and standard deviation over frames: as NumPy computes them from the pages, exactly, in little memory."""

from __future__ import annotations

import math
import pickle
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from common import MESOSCOPE, STACK, VOLUME, expected, read_warned

from scanreader import LayoutError, Scan, ScanIndexError, ScanKeyError, ScanReaderWarning, phase, read_scan
from scanreader.recording import reduced
from scanreader.recording.opened import FrameChoice
from scanreader.recording.reduced import reducing
from scanreader.simulate import Recording

REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": np.mean, "max": np.max, "std": np.std}
NOISE = np.random.default_rng(3)


def exact_std(values: npt.NDArray[Any]) -> float:
    """Standard deviation by rational numbers."""
    numbers = [Fraction(int(value)) for value in values]
    mean = sum(numbers) / len(numbers)
    return math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))


def images(scan: Scan, how: str) -> Any:
    return getattr(scan, how)()


@pytest.mark.parametrize("how", REDUCTIONS)
@pytest.mark.parametrize("recording", [VOLUME, STACK, replace(VOLUME, frames_per_file=7)])
def test_fields_of_one_size_give_an_array(how: str, recording: Recording, tmp_path: Path) -> None:
    fields = expected(recording, recording.write(tmp_path))
    result = images(read_scan(tmp_path), how)
    assert result.shape == (3, 16, 16, len(recording.channels))
    assert result.dtype == (fields[0].dtype if how == "max" else np.float64)
    np.testing.assert_allclose(result, [REDUCTIONS[how](field, axis=-1) for field in fields], rtol=1e-14)


@pytest.mark.parametrize("how", REDUCTIONS)
def test_fields_of_several_sizes_give_a_list(how: str, tmp_path: Path) -> None:
    fields = expected(MESOSCOPE, MESOSCOPE.write(tmp_path))
    result = images(read_scan(tmp_path), how)
    assert isinstance(result, list)
    for image, field in zip(result, fields, strict=True):
        np.testing.assert_allclose(image, REDUCTIONS[how](field, axis=-1), rtol=1e-14)


@pytest.mark.parametrize("how", REDUCTIONS)
def test_numpys_functions_give_the_same(how: str, tmp_path: Path) -> None:
    fields = np.stack(expected(VOLUME, VOLUME.write(tmp_path)))
    scan = read_scan(tmp_path)
    function = REDUCTIONS[how]
    options_kept: dict[str, Any] = {"axis": -1, "keepdims": True}
    for options in ({"axis": -1}, {"axis": 4}, {"axis": None}, {"axis": 0}, {"axis": (1, 2)}, options_kept):
        image, expected_image = function(scan, **options), function(fields, **options)
        assert np.shape(image) == np.shape(expected_image)
        np.testing.assert_allclose(image, expected_image, rtol=1e-13)
    np.testing.assert_allclose(np.std(scan, axis=-1, ddof=1), np.std(fields, axis=-1, ddof=1))
    np.testing.assert_allclose(scan.mean(axis=2), fields.mean(axis=2))
    out = np.empty(fields.shape[:-1])
    np.mean(scan, axis=-1, out=out)
    np.testing.assert_allclose(out, fields.mean(axis=-1))


@pytest.mark.parametrize("block", [1, 700, 1 << 24])
@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8", "int32"])
def test_integers_are_exact(dtype: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values far from 0 that hardly differ, and the largest of the dtype: sums in floats would round."""
    monkeypatch.setattr(reduced, "BLOCK", block)
    info = np.iinfo(dtype)
    kinds = [info.min, info.max, int(info.max) - 1, int(info.max) - 1, int(info.max) - 1, 0]
    stack = np.array([NOISE.choice(kinds[i % 3 :], (16, 16)) for i in range(40)]).astype(dtype)
    stack[:, 0] = info.max  # some that do not vary at all
    stack[7, 0, 0] -= 1
    Recording(frames_per_slice=40, dtype=dtype, pixels=lambda frame, _: stack[frame.number - 1]).write(tmp_path)
    scan: Any = read_scan(tmp_path)
    mean, std = scan.mean()[0, :, :, 0], scan.std()[0, :, :, 0]
    for y, x in np.ndindex(16, 16):
        values = stack[:, y, x]
        assert mean[y, x] == float(Fraction(sum(map(int, values)), 40))
        assert std[y, x] == pytest.approx(exact_std(values), rel=1e-15, abs=0)
    np.testing.assert_array_equal(scan.max()[0, :, :, 0], stack.max(axis=0))


def test_pages_that_cannot_be_read_are_ignored(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    with tifffile.TiffFile(path) as tif:
        pages = tif.asarray()
        entries = tif.pages[2].offset + 8  # of the page itself
    with path.open("r+b") as file:
        file.seek(entries)
        file.write(b"\xff" * 20)
    scan: Any = read_warned(path, dtype=np.float32, on_damage="fill")[0]
    intact_pages = np.delete(pages, 2, axis=0).astype(float)
    with pytest.warns(ScanReaderWarning):
        np.testing.assert_allclose(scan.mean()[0, ..., 0], intact_pages.mean(axis=0))
    with pytest.warns(ScanReaderWarning):
        np.testing.assert_allclose(scan.std()[0, ..., 0], intact_pages.std(axis=0), rtol=1e-12)
    with pytest.warns(ScanReaderWarning):
        np.testing.assert_allclose(scan.max()[0, ..., 0], intact_pages.max(axis=0))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int64", "uint64"])
def test_other_dtypes(dtype: str, tmp_path: Path) -> None:
    recording = replace(VOLUME, dtype="uint16")
    fields = np.stack(expected(recording, recording.write(tmp_path)))
    scan: Any = read_scan(tmp_path, dtype=dtype)
    np.testing.assert_allclose(scan.mean(), fields.mean(axis=-1))
    np.testing.assert_allclose(scan.std(), fields.std(axis=-1), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(scan.max(), fields.max(axis=-1).astype(dtype))


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduced, "BLOCK", 1 << 20)
    Recording(height=64, width=64, frames_per_slice=4000).write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.nbytes > 32e6
    _ = scan.mean()
    tracemalloc.start()
    _ = scan.mean(), scan.max(), scan.std()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6e6


# ----------------------------------------------------------------------------- the view


def test_a_reduced_scan_is_a_scan(tmp_path: Path) -> None:
    fields = expected(MESOSCOPE, MESOSCOPE.write(tmp_path))
    scan = read_scan(tmp_path)
    view = scan.view(reducing("mean"))
    assert view.num_frames == 1
    assert math.isnan(view.fps)
    assert "mean of 5 frames" in repr(view)
    for scan_copy in (view, pickle.loads(pickle.dumps(view))):
        for i, field in enumerate(fields):
            np.testing.assert_array_equal(scan_copy[i], field.mean(axis=-1, keepdims=True))
    assert view.field_timestamps(1).tolist() == scan.field_timestamps(1)[:1].tolist()
    assert view.token != scan.view(reducing("std")).token
    trimmed = view.trimmed(left=2, top=1)
    np.testing.assert_array_equal(trimmed[4], fields[4][1:, 2:].mean(axis=-1, keepdims=True))
    np.testing.assert_array_equal(
        scan.trimmed(left=2).select(fields=[4], frames=[1, 3]).view(reducing("max"))[0],
        fields[4][:, 2:][..., [1, 3]].max(axis=-1, keepdims=True),
    )
    np.testing.assert_array_equal(view[1, 3, ::2, 0, 0], fields[1][3, ::2, 0].mean(axis=-1))
    assert view[0, 3, 4, 0, 0] == fields[0][3, 4, 0].mean()


def test_lines_are_realigned_before_they_are_reduced(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    scan = phase.realigned(read_scan(tmp_path), 1)
    np.testing.assert_allclose(scan.mean(), np.mean(scan[:], axis=-1))


def test_what_needs_recorded_pixels_refuses(tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "rec")
    view = read_scan(tmp_path / "rec").view(reducing("mean"))
    with pytest.raises(LayoutError, match="reduced to the mean of 4 frames"):
        view.to_references(tmp_path / "r.json")
    with pytest.raises(LayoutError):
        view.refresh()
    with pytest.raises(ScanKeyError, match="reduced to the mean of 4 frames: realign the scan"):
        phase.realigned(view, 1)
    with pytest.raises(ScanKeyError, match="mean, max, std"):
        reducing("median")


def test_there_must_be_a_frame(tmp_path: Path) -> None:
    VOLUME.write(tmp_path)
    opened = read_scan(tmp_path).opened
    with pytest.raises(ScanIndexError, match="no frame"):
        reducing("max")(replace(opened, frames=FrameChoice(range(0))))
