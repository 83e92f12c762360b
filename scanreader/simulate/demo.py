"""The recording that `scanreader demo` writes."""

from scanreader.simulate.recording import Recording
from scanreader.simulate.rois import roi, scanfield
from scanreader.simulate.tissue import with_tissue

PLAN = Recording(
    stem="demo",
    mode="fast",
    zs=(0.0, 40.0, 80.0),
    flyback=1,
    volumes=50,
    channels=(1, 2),
    frames_per_file=64,
    scanner_frequency=12013.0,
    rois=(
        roi(scanfield((-3.0, 1.0), (2.4, 4.0), (120, 200)), name="V1"),
        roi(scanfield((0.5, 1.5), (2.4, 4.0), (120, 200)), name="LM"),
        roi(scanfield((3.5, -0.5), (2.4, 2.4), (120, 120)), zs=(80,), discrete=True, name="RSC"),
    ),
    settings={"objectiveResolution": 100},
)
DEMO = with_tissue(PLAN)
"""Three ROIs at three depths, one of them only at the deepest, in tissue with cells that flicker."""
