"""What every test shares: the real recordings, and that no file stays open."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# CI draws the same examples each time, so that it says of a change what a rerun would; people draw new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

SHARED_FOLDER = Path(__file__).resolve().parents[2] / "shared"


def open_tiffs() -> set[str]:
    """Paths of the TIFF files that this process holds open, where the system tells."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        return set()
    paths = set()
    for fd in descriptors.iterdir():
        try:
            target = str(fd.readlink())
        except OSError:
            continue
        if target.lower().endswith((".tif", ".tiff")):
            paths.add(target)
    return paths


@pytest.fixture(autouse=True)
def _no_file_stays_open() -> Iterator[None]:
    open_before = open_tiffs()
    yield
    if open_tiffs() - open_before:
        gc.collect()
    assert open_tiffs() <= open_before


@pytest.fixture
def recordings() -> Path:
    """The folder of real recordings; they stay where they are."""
    folder = SHARED_FOLDER / "recordings"
    if not folder.is_dir():
        pytest.skip("the real recordings (../shared/recordings) are not here")
    return folder


@pytest.fixture
def headers() -> Path:
    """The folder of real headers; they stay where they are."""
    folder = SHARED_FOLDER / "headers"
    if not folder.is_dir():
        pytest.skip("the real headers (../shared/headers) are not here")
    return folder
