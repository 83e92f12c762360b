"""Measures opening a recording of many files, on this machine and where each system call takes 2 ms, as on a share.

    python benchmarks/many.py --folder /somewhere

Everything is deleted at the end.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from scanreader import read_scan
from scanreader.simulate import Recording

CALLS = ("stat", "lstat", "open", "fstat", "preadv", "pread", "close", "listdir", "scandir")
DELAY = 0.002


def recording(folder: Path, files: int) -> list[Path]:
    """Write a recording of so many files of five small frames."""
    folder.mkdir()
    return list(Recording(frames_per_slice=5 * files, frames_per_file=5).write(folder))


def slow_down() -> list[str]:
    """Let every system call of a file take a while; the list gets their names."""
    calls: list[str] = []

    def slow_function(name: str) -> Any:
        call = getattr(os, name)

        def slow_call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            time.sleep(DELAY)
            return call(*arguments, **options)

        return slow_call

    for name in CALLS:
        if hasattr(os, name):
            setattr(os, name, slow_function(name))
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    folder = parser.parse_args().folder
    print("| | seconds | goal |\n|---|---|---|")
    with tempfile.TemporaryDirectory(dir=folder) as temporary_folder:
        many_paths = recording(Path(temporary_folder, "many"), 10_000)
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            assert read_scan(many_paths[0].parent).num_frames == 50_000
            seconds.append(time.perf_counter() - start)
        print(f"| 10,000 files on this machine | {min(seconds):.2f} | ≤ 1.5 |")
        few_paths = recording(Path(temporary_folder, "few"), 1_000)
        calls_made = slow_down()
        for name_kind, names in (
            ("a folder", few_paths[0].parent),
            ("a glob", few_paths[0].parent / "*.tif"),
            ("a list", few_paths),
        ):
            calls_made.clear()
            start = time.perf_counter()
            assert read_scan(names).num_frames == 5_000
            seconds = [time.perf_counter() - start]
            calls = f"{len(calls_made) / 1000:.0f} calls a file of {DELAY * 1e3:.0f} ms"
            print(f"| 1,000 files of {name_kind}, {calls} | {seconds[0]:.2f} | ≤ 2 |")


if __name__ == "__main__":
    main()
