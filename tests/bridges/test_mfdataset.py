"""xarray's open_mfdataset has every frame of files that are named one by one exactly once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from common import expected

from scanreader.simulate import Recording

xr = pytest.importorskip("xarray")
pytest.importorskip("dask")

ROLLED_RECORDING = Recording(frames_per_slice=11, channels=(1, 2), frames_per_file=4)


def test_files_one_by_one_give_each_frame_once(tmp_path: Path) -> None:
    paths = ROLLED_RECORDING.write(tmp_path)
    fields = expected(ROLLED_RECORDING, paths)
    with xr.open_mfdataset(paths, engine="scanreader", combine="nested", concat_dim="time") as dataset:
        assert dataset.sizes["time"] == 11
        np.testing.assert_array_equal(dataset["data"].values[0], fields[0])
        assert np.all(np.diff(dataset["time"].values) > 0)


def test_siblings_are_brought_when_asked_for(tmp_path: Path) -> None:
    paths = ROLLED_RECORDING.write(tmp_path)
    with xr.open_dataset(paths[0], engine="scanreader") as dataset:
        assert dataset.sizes["time"] == 4
    with xr.open_dataset(paths[0], engine="scanreader", backend_kwargs={"siblings": True}) as dataset:
        assert dataset.sizes["time"] == 11
