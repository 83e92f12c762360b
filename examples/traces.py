"""The mean brightness of each field over time, reading a hundred frames at a time."""

import tempfile

import numpy as np

from scanreader import read_scan
from scanreader.simulate import Recording

with tempfile.TemporaryDirectory() as folder:
    Recording(mode="fast", zs=(0.0, 30.0, 60.0), flyback=1, volumes=250, frames_per_file=300).write(folder)
    scan = read_scan(folder)

    for i, field in enumerate(scan.fields):
        parts = [scan[i, :, :, 0, start : start + 100] for start in range(0, scan.num_frames, 100)]
        trace = np.concatenate([part.mean(axis=(0, 1)) for part in parts])
        print(f"field {i} at {field.depth:g} um: {trace.size} frames at {scan.fps:.3g} Hz, mean {trace.mean():.1f}")
