"""Drives opening, checking and reading with mutated files: whatever they hold, nothing but our own errors comes.

    pip install '.[fuzz]'
    python tests/fuzz/fuzz_read.py -runs=200000 -rss_limit_mb=512 -timeout=1 corpus/

Files that fail are written into the working folder as ``crash-…``; those worth keeping go to ``tests/fuzz/found``.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["scanreader"]):
    from exercise import exercise

FOLDER = tempfile.TemporaryDirectory()
PATH = Path(FOLDER.name) / "fuzzed_00001.tif"


def read_input(data: bytes) -> None:
    """Write one input to a file, and use that."""
    PATH.write_bytes(data)
    exercise(PATH)


def main() -> None:
    """Fuzz, beginning with small recordings of every kind if no corpus is given."""
    from exercise import seeds

    warnings.simplefilter("ignore")
    corpus = [word for word in sys.argv[1:] if not word.startswith("-")]
    folder = Path(corpus[0]) if corpus else Path(FOLDER.name) / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for name, data in seeds():
            (folder / name).write_bytes(data)
    arguments = [sys.argv[0], *(word for word in sys.argv[1:] if word.startswith("-")), "-max_len=20000", str(folder)]
    atheris.Setup(arguments, read_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
