"""File names, some of which are URLs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.files.servers import Url

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[A-Za-z0-9+.-]+)*://")


def is_url(path: object) -> bool:
    """Whether a path is a URL: ``s3://…``, ``https://…``, ``simplecache::https://…``."""
    return isinstance(path, str) and URL.match(path) is not None


def file_name(path: str) -> str:
    """Name of a file; without the signature of a signed URL."""
    return _path_object(path).name


def recording_name(paths: Sequence[str]) -> str:
    """What to call a recording: its only file, or its first file and the number of the others."""
    name, num_others = file_name(paths[0]), len(paths) - 1
    return f"{name} and {num_others} more" if num_others else name


def folder_name(path: str) -> str:
    """Folder of a file."""
    return str(_path_object(path).parent)


def _path_object(path: str) -> Path | Url:
    if not is_url(path):
        return Path(path)
    from scanreader.files.servers import Url  # noqa: PLC0415 - local paths do not need it

    return Url(path)
