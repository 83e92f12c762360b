"""The functions of atlab's `scanreader.core` that published programs call."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from scanreader.reader import read_scan

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["expand_wildcard", "read_scan"]


def expand_wildcard(wildcard: str | Sequence[str]) -> list[str]:
    """List the files that patterns match, with absolute paths, sorted by the files' names.

    `read_scan` orders the files of a recording by the numbers in their names instead.

    Parameters
    ----------
    wildcard : str or sequence of str
    """
    # called by forks of cajal/pipeline before they open the first file themselves
    patterns = [wildcard] if isinstance(wildcard, str) else wildcard
    paths = [path for pattern in patterns for path in glob.glob(pattern)]  # noqa: PTH207 - takes absolute patterns
    return sorted(map(os.path.abspath, paths), key=os.path.basename)
