"""Files and folders behind URLs, as fsspec lists them."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from scanreader.errors import MissingExtraError, PathnameError, ScanReaderError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, order=True)
class Url:
    """A file or folder behind a URL, with the interface of a `pathlib.Path`."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __fspath__(self) -> str:
        return self.text

    @cached_property
    def _plain(self) -> str:
        """The URL without query and fragment, percent-encoding decoded."""
        if not is_http(self.text):
            return self.text
        return unquote(self.text.partition("#")[0].partition("?")[0])

    @property
    def _chain(self) -> tuple[str, str, str]:
        """What stands before and after the first ``::``, which in an HTTP URL is a part of its host."""
        return (self._plain, "", "") if is_http(self.text) else self._plain.partition("::")

    @property
    def name(self) -> str:
        """Name of the file."""
        first, _, next_urls = self._chain
        return (first if "://" in first else next_urls).rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Name of the file without its suffix."""
        return os.path.splitext(self.name)[0]  # noqa: PTH122 - it is of a URL

    @property
    def suffix(self) -> str:
        """Suffix of the file's name."""
        return os.path.splitext(self.name)[1]  # noqa: PTH122 - it is of a URL

    @property
    def parent(self) -> Url:
        """Folder of the file."""
        first, separator, next_urls = self._chain
        if "://" in first:
            return Url(first.rpartition("/")[0] + separator + next_urls)
        return Url(self._plain.rpartition("/")[0])

    def resolve(self) -> Url:
        """Normalize the URL: all URLs of a file become equal."""
        return Url(self._plain if is_http(self.text) else _url_of(self.text, file_system(self.text)[1]))

    def iterdir(self) -> Iterator[Url]:
        """List the files in a folder, each once.

        Raises
        ------
        OSError
            If it cannot be listed.
        """
        if is_http(self.text):
            import_extra("urllib3", "remote")
            from scanreader.files.listing import list_files  # noqa: PLC0415 - an extra

            urls: Iterable[Url] = map(Url, list_files(self.text))
            yield from {url.resolve(): url for url in reversed(list(urls))}.values()
            return
        fs, path = file_system(self.text)
        try:
            fs.invalidate_cache()
            names = sorted(entry["name"] for entry in fs.ls(path, detail=True) if entry["type"] != "directory")
        except failures() as error:
            raise OSError(reason_of(error)) from error
        urls = (Url(_url_of(self.text, str(name))) for name in names)
        yield from {url.resolve(): url for url in reversed(list(urls))}.values()


def expand(url: str, suffixes: tuple[str, ...]) -> list[Url]:
    """List the files that a URL names: itself, those that match its pattern (``*`` and ``[]``), or those in its folder.

    Raises
    ------
    PathnameError
        If the folder cannot be listed.
    """
    parsed_url = Url(url)
    if is_http(url):
        return _expand_http(parsed_url, suffixes)
    fs, path = file_system(url)
    try:
        if re.search(r"[*\[]", url):
            fs.invalidate_cache()
            matches = fs.glob(path, detail=True)
            return sorted(Url(_url_of(url, str(name))) for name, info in matches.items() if info["type"] != "directory")
        if url.endswith("/") or fs.isdir(path):
            return sorted(file for file in parsed_url.iterdir() if file.suffix.lower() in suffixes)
    except ScanReaderError:
        raise
    except failures() as error:
        raise PathnameError(f"{url!r} cannot be listed: {reason_of(error)}") from error
    return [parsed_url]


def _expand_http(parsed_url: Url, suffixes: tuple[str, ...]) -> list[Url]:
    """As `expand`, of an HTTP URL."""
    if re.search(r"[*\[]", parsed_url.name) and not re.search(r"[*\[]", parsed_url.parent.text):
        # Servers encode names in several ways; they are compared once decoded.
        return sorted(file for file in parsed_url.parent.iterdir() if fnmatch.fnmatchcase(file.name, parsed_url.name))
    if parsed_url.text.endswith("/"):
        return sorted(file for file in parsed_url.iterdir() if file.suffix.lower() in suffixes)
    if parsed_url.suffix.lower() not in suffixes:  # perhaps a folder
        with contextlib.suppress(OSError):
            return sorted(file for file in parsed_url.iterdir() if file.suffix.lower() in suffixes) or [parsed_url]
    return [parsed_url]


def _url_of(sibling: str, path: str) -> str:
    """Make the URL of a path in the file system of another URL."""
    first, separator, next_urls = sibling.partition("::")
    if separator and "://" not in first:  # as simplecache::https://…
        return first + separator + _url_of(next_urls, path)
    if "://" in path:
        return path + separator + next_urls
    return f"{first.partition('://')[0]}://{path}{separator}{next_urls}"


def is_http(url: str) -> bool:
    """Whether a URL is an HTTP one, where names have queries and may be percent-encoded."""
    return url.lower().startswith(("http://", "https://"))


def file_system(url: str) -> tuple[Any, str]:
    """Find the file system of a URL, and the path in it.

    Raises
    ------
    MissingExtraError
        If the library for its protocol is not installed.
    PathnameError
        If the protocol does not exist.
    """
    core = import_extra("fsspec.core", "remote")
    try:
        fs, path = core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtraError(f"{url!r} cannot be opened: {error}") from error
    except failures() as error:
        raise PathnameError(f"{url!r} cannot be opened: {reason_of(error)}") from error
    return fs, str(path)


def failures() -> tuple[type[BaseException], ...]:
    """Exceptions that libraries raise where something is wrong with a server, a network or a name."""
    library_errors = (
        ("zipfile", "BadZipFile"),
        ("tarfile", "TarError"),
        ("aiohttp", "ClientError"),
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("google.auth.exceptions", "GoogleAuthError"),
        ("azure.core.exceptions", "AzureError"),
    )
    loaded_errors = [getattr(sys.modules[module], name) for module, name in library_errors if module in sys.modules]
    wrong_name = (ValueError, TypeError, KeyError, NotImplementedError)
    return (OSError, *wrong_name, *loaded_errors)


def reason_of(error: BaseException) -> str:
    """Describe an error; of a missing file, what the server answered."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ is not None else error
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
