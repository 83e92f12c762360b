"""Our reader under the name of Vidrio's: other programs import it, and nothing else changes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile

import scanreader
from scanreader import ScanReaderWarning
from scanreader.compat import stand_in
from scanreader.compat.tiffreader import ScanImageTiffReader as OurReader
from scanreader.simulate import Recording

NAME = "ScanImageTiffReader"


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, NAME, ModuleType("placeholder"))  # so that it comes back
    monkeypatch.delitem(sys.modules, NAME)
    yield
    sys.modules.pop(NAME, None)


def test_other_programs_import_ours(tmp_path: Path) -> None:
    (path,) = Recording(frames_per_slice=5).write(tmp_path)
    modules_before = set(sys.modules)
    module = stand_in()
    assert stand_in() is module
    assert set(sys.modules) - modules_before == {NAME}
    import ScanImageTiffReader
    from ScanImageTiffReader import ScanImageTiffReader as Reader
    from ScanImageTiffReader import api_version

    assert ScanImageTiffReader is module
    assert Reader is OurReader
    assert api_version() == ScanImageTiffReader.__version__ == f"Version {scanreader.__version__} by scanreader"
    assert importlib.util.find_spec(NAME) is module.__spec__
    with Reader(str(path)) as reader:
        assert np.array_equal(reader.data(), tifffile.imread(path))


def test_an_earlier_import_is_said() -> None:
    sys.modules[NAME] = ModuleType(NAME)
    with pytest.warns(ScanReaderWarning, match="imported before: modules that took the class from it keep Vidrio's"):
        stand_in()
    assert sys.modules[NAME].ScanImageTiffReader is OurReader
    stand_in()  # without a warning


def test_it_needs_no_import_of_the_original() -> None:
    code = (
        "import sys; sys.modules['ScanImageTiffReader.external'] = None; from scanreader.compat import stand_in\n"
        "stand_in(); from ScanImageTiffReader import ScanImageTiffReader as R; print(R.__module__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "scanreader.compat.tiffreader"
