"""What is behind URLs, as the file systems of fsspec list it."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import sys
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from scanreader.errors import MissingExtraError, PathnameError
from scanreader.extras import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

STALL = 30.0  # seconds without a byte after which a request has failed


@dataclass(frozen=True, order=True)
class Url:
    """A file or folder behind a URL; speaks as a `pathlib.Path` does."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __fspath__(self) -> str:
        return self.text

    @cached_property
    def _plain(self) -> str:
        """Without what is not of the name: queries, and characters that are written as numbers."""
        if not is_http(self.text):
            return self.text
        return unquote(self.text.partition("#")[0].partition("?")[0])

    @property
    def name(self) -> str:
        """The file's name."""
        first, _, rest = self._plain.partition("::")
        return (first if "://" in first else rest).rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return os.path.splitext(self.name)[0]  # noqa: PTH122 - it is of a URL

    @property
    def suffix(self) -> str:
        """The suffix of the file's name."""
        return os.path.splitext(self.name)[1]  # noqa: PTH122 - it is of a URL

    @property
    def parent(self) -> Url:
        """The folder it is in."""
        first, chained, rest = self._plain.partition("::")
        if "://" in first:
            return Url(first.rpartition("/")[0] + chained + rest)
        return Url(self._plain.rpartition("/")[0])

    def resolve(self) -> Url:
        """The same file, spelled as all its URLs are."""
        return Url(self._plain if is_http(self.text) else _named(self.text, file_system(self.text)[1]))

    def iterdir(self) -> Iterator[Url]:
        """Files in a folder, each once.

        Raises
        ------
        OSError
            If it cannot be listed.
        """
        fs, path = file_system(self.text)
        try:
            fs.invalidate_cache()
            found = sorted(one["name"] for one in fs.ls(path, detail=True) if one["type"] != "directory")
        except failures() as error:
            raise OSError(reason_of(error)) from error
        urls = (Url(_named(self.text, str(name))) for name in found)
        yield from {url.resolve(): url for url in reversed(list(urls))}.values()


def expand(url: str, suffixes: tuple[str, ...]) -> list[Url]:
    """Files that a URL names: itself, what matches its pattern (of ``*`` and ``[]``), or those in its folder.

    Raises
    ------
    PathnameError
        If the folder cannot be listed.
    """
    fs, path = file_system(url)
    here = Url(url)
    try:
        if is_http(url) and re.search(r"[*\[]", here.name) and not re.search(r"[*\[]", here.parent.text):
            # Servers spell names in several ways; they are compared as they read.
            return sorted(one for one in here.parent.iterdir() if fnmatch.fnmatchcase(one.name, here.name))
        if not is_http(url) and re.search(r"[*\[]", url):
            fs.invalidate_cache()
            found = fs.glob(path, detail=True)
            return sorted(Url(_named(url, str(name))) for name, one in found.items() if one["type"] != "directory")
        if url.endswith("/") or (not is_http(url) and fs.isdir(path)):
            return sorted(one for one in here.iterdir() if one.suffix.lower() in suffixes)
    except failures() as error:
        raise PathnameError(f"{url!r} cannot be listed: {reason_of(error)}") from error
    if is_http(url) and here.suffix.lower() not in suffixes:  # a folder's, perhaps
        with contextlib.suppress(OSError):
            return sorted(one for one in here.iterdir() if one.suffix.lower() in suffixes) or [here]
    return [here]


def _named(like: str, path: str) -> str:
    """Make the URL of a path in the file system that another URL is in."""
    first, chained, rest = like.partition("::")
    if chained and "://" not in first:  # as simplecache::https://…
        return first + chained + _named(rest, path)
    if "://" in path:
        return path + chained + rest
    return f"{first.partition('://')[0]}://{path}{chained}{rest}"


def is_http(url: str) -> bool:
    """Whether a URL is of the web, where names have queries and are spelled in several ways."""
    return url.lower().startswith(("http://", "https://"))


@lru_cache(maxsize=256)
def options(url: str) -> dict[str, Any]:
    """What a file system is made with: requests over HTTP end when no byte comes, however long they take."""
    if not is_http(url):
        return {}
    aiohttp = needed("aiohttp", "remote")
    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=STALL, sock_read=STALL)}}


def file_system(url: str) -> tuple[Any, str]:
    """Find the file system of a URL and the path in it.

    Raises
    ------
    MissingExtraError
        If a library that speaks its protocol is not installed.
    PathnameError
        If there is no such protocol.
    """
    core = needed("fsspec.core", "remote")
    try:
        fs, path = core.url_to_fs(url, **options(url))
    except ImportError as error:
        raise MissingExtraError(f"{url!r} cannot be opened: {error}") from error
    except failures() as error:
        raise PathnameError(f"{url!r} cannot be opened: {reason_of(error)}") from error
    return fs, str(path)


def failures() -> tuple[type[BaseException], ...]:
    """What libraries raise where something is wrong with a server, a network or a name."""
    known = (
        ("zipfile", "BadZipFile"),
        ("tarfile", "TarError"),
        ("aiohttp", "ClientError"),
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("google.auth.exceptions", "GoogleAuthError"),
        ("azure.core.exceptions", "AzureError"),
    )
    loaded = [getattr(sys.modules[module], name) for module, name in known if module in sys.modules]
    wrong_name = (ValueError, TypeError, KeyError, NotImplementedError)
    return (OSError, *wrong_name, *loaded)


def reason_of(error: BaseException) -> str:
    """Say what went wrong: where it reads as a missing file, what the server answered."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ is not None else error
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
