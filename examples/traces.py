"""The trace of a cell as dF/F, reading a hundred frames at a time: the recording may be larger than memory."""

import tempfile
from typing import Any

import numpy as np

from scanreader import read_scan
from scanreader.simulate import Recording


class Cell(Recording):
    """Darkness, and a cell that lights up every 200 frames."""

    def image(self, page: int, *_: Any) -> Any:
        """Poisson noise, brighter where the cell is."""
        brightness = np.full(self.page_shape, 20.0)
        brightness[28:36, 40:48] += 60 + 90 * np.exp(-((page + 100) % 200) / 40)
        return np.random.default_rng(page).poisson(brightness).astype(self.dtype)


with tempfile.TemporaryDirectory() as folder:
    Cell(height=64, width=64, frames_per_slice=900, frames_per_file=350).write(folder)
    scan = read_scan(folder)
    print(f"{scan.num_frames} frames in {len(scan.filenames)} files, at {scan.fps:.1f} Hz")

    starts = range(0, scan.num_frames, 100)
    parts = [scan[0, 28:36, 40:48, 0, start : start + 100].mean(axis=(0, 1)) for start in starts]
    trace = np.concatenate(parts)

    rest = np.percentile(trace, 20)
    dff = (trace - rest) / rest
    onsets = np.flatnonzero(np.diff(dff) > 0.5) + 1
    print(f"at rest {rest:.1f}; lights up at:")
    for onset in onsets:
        print(f"  {scan.timestamps[0, onset]:.2f} s, to dF/F = {dff[onset : onset + 100].max():.2f}")
