"""Options of views and exports that are of another kind: errors of our own, before anything is read or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanreader import Scan, ScanReaderError, read_scan
from scanreader.simulate import Recording

ODD_VALUES: list[Any] = [
    np.array([7, 8]),
    np.array([[1, 2]]),
    {1, 2},
    np.array(1),
    np.array(None),
    [],
    {},
    {1},
    1j,
    "",
    b"x",
    object(),
    np.nan,
]
NAMES = [f"{type(odd_value).__name__}{i}" for i, odd_value in enumerate(ODD_VALUES)]  # the same in every process


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    folder = tmp_path_factory.mktemp("options")
    Recording(mode="fast", zs=(0.0, 10.0), volumes=2, channels=(1, 2)).write(folder)
    return read_scan(folder)


@pytest.mark.parametrize("odd_value", ODD_VALUES, ids=NAMES)
@pytest.mark.parametrize("option", ["order", "depths", "dz", "colours"])
def test_channels_as_planes(scan: Scan, option: str, odd_value: Any) -> None:
    with pytest.raises(ScanReaderError):
        scan.channels_as_planes(**{option: odd_value})


@pytest.mark.parametrize("odd_value", ODD_VALUES, ids=NAMES)
def test_views(scan: Scan, odd_value: Any) -> None:
    with pytest.raises(ScanReaderError, match="overlap is"):
        scan.stitched(overlap=odd_value)
    for option in ("unit", "keep"):
        with pytest.raises(ScanReaderError, match=f"{option} is"):
            scan.shifted([[0, 0], [1, 1]], **{option: odd_value})


@pytest.mark.parametrize("odd_value", ODD_VALUES, ids=NAMES)
def test_canvas(scan: Scan, odd_value: Any) -> None:
    for option in ("how", "pixel_size"):
        with pytest.raises(ScanReaderError, match=f"{option} "):
            scan.canvas(**{option: odd_value})
    if not isinstance(odd_value, float):
        with pytest.raises(ScanReaderError, match="another fill"):
            scan.canvas(fill=odd_value)


@pytest.mark.parametrize("odd_value", ODD_VALUES, ids=NAMES)
def test_on_damage(scan: Scan, odd_value: Any) -> None:
    with pytest.raises(ScanReaderError, match="on_damage is"):
        read_scan(scan.filenames, on_damage=odd_value)


@pytest.mark.parametrize("odd_value", ODD_VALUES, ids=NAMES)
@pytest.mark.parametrize("option", ["grouped", "levels", "workers", "compression"])
def test_ome_zarr(scan: Scan, option: str, odd_value: Any, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    if (
        option in ("levels", "workers")
        and isinstance(odd_value, np.ndarray)
        and odd_value.shape == ()
        and odd_value.dtype.kind == "i"
    ):
        pytest.skip("an integer")
    with pytest.raises(ScanReaderError, match=option):
        scan.to_ome_zarr(tmp_path / "a.zarr", **{option: odd_value})
    assert not list(tmp_path.iterdir())


def test_levels_of_numpys_integers(scan: Scan, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    options: dict[str, Any] = {"levels": np.int8(1), "workers": np.int8(2)}
    scan.to_ome_zarr(tmp_path / "a.zarr", **options)
    assert scan.verify(tmp_path / "a.zarr", receipt=False).ok


@pytest.mark.parametrize("odd_value", ODD_VALUES, ids=NAMES)
def test_ome_tiff_and_suite2p(scan: Scan, odd_value: Any, tmp_path: Path) -> None:
    with pytest.raises(ScanReaderError, match="grouped is"):
        scan.to_ome_tiff(tmp_path / "a.ome.tif", grouped=odd_value)
    with pytest.raises(ScanReaderError, match=r"channels|two"):
        scan.to_suite2p(tmp_path / "s", channels=odd_value)
    assert not list(tmp_path.iterdir())


@pytest.mark.ecosystem
@pytest.mark.parametrize("odd_value", ODD_VALUES, ids=NAMES)
@pytest.mark.parametrize("option", ["grouped", "series", "compression"])
def test_nwb(scan: Scan, option: str, odd_value: Any, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    with pytest.raises(ScanReaderError, match=option):
        scan.to_nwb(tmp_path / "a.nwb", timezone="UTC", **{option: odd_value})
    assert not list(tmp_path.iterdir())
