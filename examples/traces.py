"""The trace of a cell as dF/F, reading a hundred frames at a time: the recording may be larger than memory."""

import tempfile
from typing import Any

import numpy as np

from scanreader import read_scan
from scanreader.simulate import Logged, Recording

random = np.random.default_rng(1)


def cell(frame: Logged, _channel: int) -> Any:
    """Darkness, and a cell that lights up every 200 frames."""
    brightness = np.full((64, 64), 20.0)
    brightness[28:36, 40:48] += 60 + 90 * np.exp(-((frame.number + 100) % 200) / 40)
    return random.poisson(brightness)


with tempfile.TemporaryDirectory() as folder:
    recording = Recording(height=64, width=64, frames_per_slice=900, frames_per_file=350, pixels=cell)
    recording.write(folder)
    with read_scan(folder) as scan:
        print(f"{scan.num_frames} frames in {len(scan.filenames)} files, at {scan.fps:.1f} Hz")
        seconds = scan.timestamps[0]
        starts = range(0, scan.num_frames, 100)
        patches = (scan[0, 28:36, 40:48, 0, start : start + 100] for start in starts)
        trace = np.concatenate([patch.mean(axis=(0, 1)) for patch in patches])

resting_level = np.percentile(trace, 20)
dff = (trace - resting_level) / resting_level
onsets = np.flatnonzero(np.diff(dff) > 0.5) + 1
print(f"at rest {resting_level:.1f}; lights up at:")
for onset in onsets:
    print(f"  {seconds[onset]:.2f} s, to dF/F = {dff[onset : onset + 100].max():.2f}")
