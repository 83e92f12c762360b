"""Watch a recording while the microscope still writes it: every frame once, none that is torn."""

import tempfile
import threading
import time
import warnings
from pathlib import Path

from scanreader import read_scan
from scanreader.simulate import Recording


def microscope(source: Path, target: Path) -> None:
    """Write a file bit by bit, as ScanImage does."""
    data = source.read_bytes()
    with target.open("wb", buffering=0) as file:
        for start in range(0, len(data), 30_000):
            file.write(data[start : start + 30_000])
            time.sleep(0.02)


with tempfile.TemporaryDirectory() as folder:
    recording = Recording(frames_per_slice=150, height=64, width=64)
    (source,), target = recording.write(Path(folder) / "made"), Path(folder) / "live_00001.tif"
    thread = threading.Thread(target=microscope, args=(source, target))
    thread.start()
    while not target.exists() or target.stat().st_size < 100_000:
        time.sleep(0.01)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file is not finished, which is no news
        scan = read_scan(target)
    print(f"opened with {scan.num_frames} frames")
    num_seen = scan.num_frames
    for frames in scan.follow(timeout=10, interval=0.25):
        num_seen += frames.shape[-1]
        print(f"{frames.shape[-1]:3} new, {num_seen:3} in all", end=", ")
        print(f"the last of mean {frames[..., -1].mean():.0f}")
    thread.join()
