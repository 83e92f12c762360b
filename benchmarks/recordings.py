"""Measures how long it takes to find every recording under a folder, here and on a share that is simulated.

    python benchmarks/recordings.py --folder /somewhere/with/1/GB

1,000 files of 100 recordings are written, in 20 folders, found, and deleted at the end. For the share, each system call
on files and folders takes 2 ms longer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scanreader import find_recordings
from scanreader.simulate import Recording

DELAY = 0.002
CALLS = (
    "open",
    "close",
    "fstat",
    "stat",
    "lstat",
    "scandir",
    "listdir",
    "readlink",
    "preadv",
    "pread",
    "lseek",
    "read",
)
GOALS = {"here": 2.0, "with 2 ms a system call": 5.0}


def write(folder: Path) -> int:
    """Write 100 recordings of 10 files, and return the number of bytes."""
    for i in range(100):
        clock = (2023, 9, 22, 10, i // 60, i % 60 + 0.5)
        recording = Recording(
            stem=f"mouse{i:03d}",
            mode="fast",
            zs=(0.0, 30.0, 60.0),
            flyback=1,
            volumes=40,
            height=96,
            width=96,
            frames_per_file=16,
            epoch=clock,
        )
        recording.write(folder / f"session {i // 5:02d}")
    return sum(path.stat().st_size for path in folder.rglob("*.tif"))


@contextlib.contextmanager
def calls_delayed(seconds: float, calls: Counter[str]) -> Iterator[None]:
    """Let each system call on files take longer, and count them."""
    originals: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CALLS if hasattr(os, name)}

    def slow_function(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            if seconds:
                time.sleep(seconds)
            return originals[name](*arguments, **options)

        return call

    for name in originals:
        setattr(os, name, slow_function(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to write; by default the system's temporary folder")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        folder = Path(name)
        num_bytes = write(folder)
        find_recordings(folder)  # what is imported and compiled when it is first needed
        for goal_name, seconds in zip(GOALS, (0.0, DELAY), strict=True):
            times, calls = [], Counter[str]()
            for _ in range(3):
                calls.clear()
                start = time.perf_counter()
                with calls_delayed(seconds, calls) if seconds else contextlib.nullcontext():
                    recordings = find_recordings(folder)
                times.append(time.perf_counter() - start)
            assert len(recordings) == 100
            assert all(row.status == "complete" and len(row.files) == 10 for row in recordings)
            verdict = "ok" if min(times) < GOALS[goal_name] else "too slow"
            calls_a_file = f", {sum(calls.values()) / 1000:.1f} calls a file" if calls else ""
            print(
                f"1,000 files ({num_bytes / 1e6:.0f} MB) of 100 recordings, {goal_name}: {min(times):.2f} s{calls_a_file} "
                f"({verdict}, the goal is {GOALS[goal_name]:g} s)"
            )


if __name__ == "__main__":
    main()
