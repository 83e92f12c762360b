"""Which of the two kinds of open file a name asks for."""

from __future__ import annotations

from pathlib import Path

from scanreader.files.local import Identity, OpenFile
from scanreader.files.urls import is_url


def open_file(path: str | Path, *, anew: bool = True) -> OpenFile:
    """Open a file, or what is behind a URL.

    Parameters
    ----------
    anew : bool
        Whether to ask a server what the file is, though it was asked a moment ago.

    Raises
    ------
    PathnameError
        If it cannot be opened.
    """
    if isinstance(path, str) and is_url(path):
        from scanreader.files.remote import RemoteFile  # noqa: PLC0415 - it stands on an extra

        return RemoteFile(path, anew=anew)
    return OpenFile(path)


def identify(path: str) -> Identity:
    """Tell what a file is by now, without opening it where that is quicker."""
    if is_url(path):
        with open_file(path) as file:
            return file.identity
    status = Path(path).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
