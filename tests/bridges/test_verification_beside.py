"""What an NWB file has beside the pixels is verified, too: each number that is changed is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from scanreader import Scan, read_scan
from scanreader.simulate import Recording, integration_roi, stimulus, stimulus_group

h5py = pytest.importorskip("h5py")
pytest.importorskip("pynwb")
pytestmark = [pytest.mark.ecosystem, pytest.mark.filterwarnings("ignore")]

RECORDING = Recording(
    mode="fast",
    zs=(30.0, 0.0, 60.0),
    volumes=4,
    motion=lambda frame: (frame.number, 1.0, 2.0),
    integration_rois=(
        integration_roi((0, 0), (3, 3), name="a", discrete=True),
        integration_roi((1, 0), (3, 3), name="b", z=30.0, discrete=True),
    ),
    photostim=(stimulus_group(stimulus("logspiral"), name="g"), stimulus_group(stimulus("point"), name="h")),
    stimulus_sequence=(1, 0, 1),
)
MODULE = "processing/scanimage"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, Path]:
    folder = tmp_path_factory.mktemp("beside")
    RECORDING.write(folder)
    scan = read_scan(folder)
    path = folder / "a.nwb"
    scan.to_nwb(path, timezone="UTC")
    return scan, path


def test_as_written(export: tuple[Scan, Path]) -> None:
    scan, path = export
    verification = scan.verify(path, receipt=False)
    assert verification.ok, verification


@pytest.mark.parametrize(
    "place",
    [
        "general/optophysiology/ImagingPlane2/grid_spacing",
        "general/optophysiology/ImagingPlane2/origin_coords",
        f"{MODULE}/Integration/IntegrationField1/rois",
        f"{MODULE}/Integration/IntegrationField1/data",
        f"{MODULE}/IntegrationRois/IntegrationRoisField1/roi_name",
        f"{MODULE}/IntegrationRois/IntegrationRoisField1/pixel_mask",
        f"{MODULE}/Motion0/data",
        f"{MODULE}/StimulationPatterns/center",
        f"{MODULE}/StimulationPatterns/duration",
        f"{MODULE}/StimulationPatterns/powers",
        f"{MODULE}/StimulationPatterns/function",
        f"{MODULE}/StimulationSequence/group",
    ],
)
def test_a_change_is_noticed(export: tuple[Scan, Path], tmp_path: Path, place: str) -> None:
    scan, path = export
    changed_path = tmp_path / "b.nwb"
    shutil.copy(path, changed_path)
    with h5py.File(changed_path, "r+") as file:
        values = file[place][:]
        if values.dtype.names:
            values["weight"][-1] += 0.25
        elif values.dtype.kind == "O":
            values[-1] += b"x"
        else:
            values.flat[-1] = 1 - values.flat[-1]
        file[place][:] = values
    assert not scan.verify(changed_path, receipt=False).ok


@pytest.mark.parametrize(
    ("place", "attribute"), [("Motion0/data", "unit"), ("Motion0/data", "conversion"), ("Motion0", "description")]
)
def test_a_change_of_units_is_noticed(export: tuple[Scan, Path], tmp_path: Path, place: str, attribute: str) -> None:
    scan, path = export
    changed_path = tmp_path / "b.nwb"
    shutil.copy(path, changed_path)
    with h5py.File(changed_path, "r+") as file:
        attributes = file[f"{MODULE}/{place}"].attrs
        attributes[attribute] = "x" if isinstance(attributes[attribute], str) else np.float64(2)
    assert not scan.verify(changed_path, receipt=False).ok
