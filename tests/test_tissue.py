"""Simulated tissue: where it lies, that it is the same each time, and what it shows."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference

from scanreader import read_scan
from scanreader.simulate import DEMO, Recording, roi, scanfield, with_tissue
from scanreader.simulate.tissue import places

TURNED_ROIS = Recording(
    mode="fast",
    zs=(100.0, 130.0),
    flyback=1,
    volumes=40,
    channels=(1, 3),
    rois=(
        roi(scanfield((-1.0, 0.5), (2.0, 1.5), (60, 48), rotation=30), name="turned"),
        roi(scanfield((1.5, 0), (1.0, 2.0), (60, 40)), scanfield((2.5, 1), (2.0, 1.0), (60, 20)), zs=(90, 140)),
    ),
    settings={"objectiveResolution": 80},
)


@pytest.mark.parametrize(
    "recording", [TURNED_ROIS, Recording(height=20, width=30), replace(TURNED_ROIS, rois=TURNED_ROIS.rois[1:])]
)
def test_tissue_lies_where_the_fields_are(recording: Recording, tmp_path: Path) -> None:
    recording.write(tmp_path)
    with read_scan(tmp_path) as scan:
        fields = places(recording)
        assert [(f.slice, f.rows, f.columns, f.depth) for f in fields] == [
            (f.slice_id, f.height, f.width, f.depth) for f in scan.fields
        ]
        assert [slice(f.row, f.row + f.rows) for f in fields] == [f.yslices[0] for f in scan.fields]
        for place, field in zip(fields, scan.fields, strict=True):
            np.testing.assert_allclose(place.affine, field.affine[:2], rtol=1e-4, atol=0.2)


def test_tissue_is_the_same_each_time() -> None:
    recording, recording_copy = with_tissue(TURNED_ROIS), pickle.loads(pickle.dumps(with_tissue(TURNED_ROIS)))
    frames = list(recording.logged())
    image = recording.image(0, frames[4], 3)
    _ = recording_copy.image(0, frames[7], 1)  # the order in which pages are made does not matter
    np.testing.assert_array_equal(recording_copy.image(0, frames[4], 3), image)
    assert image.dtype == np.int16
    assert image.shape == TURNED_ROIS.page_shape
    assert (with_tissue(TURNED_ROIS, seed=2).image(0, frames[4], 3) != image).any()
    assert all(recording.image(0, frame, 1).std() > 10 for frame in frames[:4]), "while z flies back, too"


def test_cells_of_the_first_channel_flicker(tmp_path: Path) -> None:
    with_tissue(TURNED_ROIS).write(tmp_path)
    with read_scan(tmp_path) as scan:
        movie = scan[0, :, :, :, :].astype(float)
    noise = movie[..., 1:] - movie[..., :-1]
    for channel, flickers in ((0, True), (1, False)):
        slow_change = movie[:, :, channel].reshape(48, 60, 4, 10).mean(axis=-1).std(axis=-1).max()
        shot = noise[:, :, channel].std() / np.sqrt(2 * 10)
        assert (slow_change > 8 * shot) == flickers
    first, last = movie[:, :, 1, :20].mean(axis=-1), movie[:, :, 1, 20:].mean(axis=-1)
    assert np.corrcoef(first.ravel(), last.ravel())[0, 1] > 0.9, "structure stays"


@pytest.mark.parametrize("mode", ["planar", "slow"])
def test_tissue_of_other_recordings(mode: str, tmp_path: Path) -> None:
    zs = (0.0,) if mode == "planar" else (0.0, 50.0)
    recording = Recording(mode=mode, zs=zs, height=64, width=64, frames_per_slice=6, loops=2, averaging=2)
    paths = with_tissue(recording).write(tmp_path)
    assert len(reference.all_pages(paths)) == 3 * len(zs) * 2
    assert read_scan(paths[0])[0].std() > 10


def test_the_demo_shows_cells_and_vessels() -> None:
    frame = next(DEMO.logged())
    row, rows, columns = DEMO.field_rows()[0][0]
    images = [DEMO.image(0, frame._replace(number=frame.number + 4 * i), 1) for i in range(20)]
    image = np.mean([page[row : row + rows, :columns] for page in images], axis=0)
    dark_level, typical_level, bright_level = np.percentile(image, (1, 50, 99.5))
    assert bright_level - typical_level > 3 * (typical_level - dark_level) > 0
    assert DEMO.page_shape == (572, 120)
