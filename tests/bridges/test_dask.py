"""Dask arrays: one name has one content, and what names a field or a chunk is checked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import MESOSCOPE, VOLUME, expected

from scanreader import Scan, ScanIndexError, ScanKeyError, read_scan
from scanreader.recording.views import whole_pages

array = pytest.importorskip("dask.array")
base = pytest.importorskip("dask.base")


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[Scan]:
    VOLUME.write(tmp_path)
    with read_scan(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("field", [0, None])
def test_arrays_of_other_chunks_live_in_one_graph(scan: Scan, tmp_path: Path, field: int | None) -> None:
    """Tasks of one name in two graphs are one task: computed together, one array had the other's chunks."""
    fields = expected(VOLUME, scan.filenames)
    pixels = fields[0] if field is not None else np.stack(fields)
    arrays = [scan.to_dask(field, frames=frames) for frames in (None, 1, 2, 3, -1)]
    for result in base.compute(*arrays, scheduler="synchronous"):
        np.testing.assert_array_equal(result, pixels)
    joined_array = array.concatenate(arrays, axis=-1).compute(scheduler="synchronous")
    np.testing.assert_array_equal(joined_array, np.concatenate([pixels] * len(arrays), axis=-1))


def test_a_name_tells_the_pixels_and_the_chunks(scan: Scan) -> None:
    names = [scan.to_dask(i, frames=frames).name for i in (0, 1) for frames in (1, 2, 3)]
    assert len(set(names)) == 6
    assert scan.to_dask(0).name == scan.to_dask(0, frames=4).name == scan.to_dask(-3, frames=-1).name
    assert scan.to_dask(frames=1).name != scan.to_dask(frames=2).name


def test_whole_pages_have_a_name_of_their_own(tmp_path: Path) -> None:
    """Those of a mesoscope also show what is between its ROIs; those of a plain recording are its fields."""
    MESOSCOPE.write(tmp_path / "mesoscope")
    with read_scan(tmp_path / "mesoscope") as scan:
        scanning_settings = type(scan).rules().scanning(scan.settings)
        pages = scan.view(partial(whole_pages, scanning=scanning_settings))
        assert pages.fields[0].height > scan.fields[0].height
        assert pages.token != scan.token
        assert pages.to_dask(0).name != scan.to_dask(0).name


@pytest.mark.ecosystem
def test_an_extractor_s_scan_has_a_name_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("roiextractors")
    from scanreader.compat import ScanImageImagingExtractor

    (path,) = MESOSCOPE.write(tmp_path)
    extractor = ScanImageImagingExtractor(path)
    with read_scan(path) as scan, extractor.scan as pages:
        assert pages.token != scan.token
        results = base.compute(pages.to_dask(0), scan.to_dask(0), scheduler="synchronous")
        for pixels, source in zip(results, (pages, scan), strict=True):
            np.testing.assert_array_equal(pixels, source[0])


def test_minus_one_is_all_frames(scan: Scan) -> None:
    assert scan.to_dask(0, frames=-1).chunks[-1] == (4,)
    chunk_size: Any = np.int64(3)
    assert scan.to_dask(frames=chunk_size).chunks[-1] == (3, 1)
    assert scan.to_dask(frames=99).chunks[-1] == (4,)


@pytest.mark.parametrize("frames", [0, -2, 1.5, "a", True, [1], np.True_], ids=repr)
@pytest.mark.parametrize("field", [0, None])
def test_frames_of_a_chunk_are_a_number(scan: Scan, field: int | None, frames: Any) -> None:
    with pytest.raises(ScanKeyError, match="frames must be an integer: at least 1, or -1 for all frames in one chunk"):
        scan.to_dask(field, frames=frames)


def test_a_field_is_one_of_the_scan(scan: Scan, tmp_path: Path) -> None:
    for field in (3, 9, -4):
        with pytest.raises(ScanIndexError, match=f"field {field} is out of bounds: the scan has 3 fields"):
            scan.to_dask(field)
    with pytest.raises(ScanIndexError, match="field 1 is out of bounds: the scan has 1 field$"):
        scan.select(fields=[0]).to_dask(1)
    np.testing.assert_array_equal(scan.to_dask(-1).compute(), expected(VOLUME, scan.filenames)[2])


@pytest.mark.parametrize("field", [1.5, "a", True, [0], np.True_, (0, 1)], ids=repr)
def test_a_field_is_a_number(scan: Scan, field: Any) -> None:
    with pytest.raises(ScanKeyError, match="field: an integer was expected"):
        scan.to_dask(field)
