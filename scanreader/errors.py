"""The tree of errors that scanreader raises, its warning, and the findings that the warning lists.

::

    ScanReaderError
    ├── PathnameError            also FileNotFoundError
    ├── FileFormatError          also ValueError
    ├── ScanImageVersionError    also ValueError
    ├── HeaderError              also ValueError
    ├── UnknownSettingError      also KeyError
    ├── LayoutError              also ValueError
    ├── FieldDimensionMismatch   also ValueError
    ├── ScanIndexError           also IndexError
    │   └── ScanKeyError         also TypeError
    ├── DtypeError               also TypeError
    ├── DamagedPageError         also OSError
    ├── ChangedFileError         also OSError
    ├── UnreachableError         also OSError
    ├── ClosedScanError          also ValueError
    ├── MissingExtraError        also ImportError
    ├── TargetExistsError        also FileExistsError
    ├── UnreadableTargetError    also OSError
    └── DiskFullError            also OSError

    ScanReaderWarning            also UserWarning
"""

from typing import Literal, NamedTuple, TypeAlias

MOST_CHARACTERS = 10_000  # of a message: it may quote what a file holds
Severity: TypeAlias = Literal["note", "warning", "damage"]
"""How bad a finding is: "note", nothing wrong; "warning", missing or odd; "damage", cannot be read."""


class Finding(NamedTuple):
    """A problem or a peculiarity of a recording that its user should know."""

    name: str
    """Its kind, e.g. ``"dropped-frames"``: the names do not change between releases of scanreader."""
    severity: Severity
    place: str
    """Name of the file; '' if the finding concerns the whole recording."""
    sentence: str

    @property
    def is_note(self) -> bool:
        """Whether nothing is wrong. Notes do not warn, and ``strict=True`` does not refuse them."""
        return self.severity == "note"

    def __str__(self) -> str:
        return self.sentence


def shortened(text: str) -> str:
    """The text, or its beginning if it is longer than messages may be."""
    if len(text) <= MOST_CHARACTERS:
        return text
    ending = f"… ({len(text)} characters)"
    return text[: MOST_CHARACTERS - len(ending)] + ending


class ScanReaderError(Exception):
    """Base of all errors that scanreader raises."""

    raw_helps = False
    """Whether ``raw=True`` can still read the recording; if so, the message says this."""

    def __init__(self, *args: object, raw_helps: bool | None = None) -> None:
        super().__init__(*(shortened(arg) if isinstance(arg, str) else arg for arg in args))
        if raw_helps is not None:
            self.raw_helps = raw_helps

    def __str__(self) -> str:
        return super().__str__() + ("; raw=True reads the pages as they are stored" if self.raw_helps else "")


class PathnameError(ScanReaderError, FileNotFoundError):
    """The paths match no file, several recordings, or files that do not belong together."""


class FileFormatError(ScanReaderError, ValueError):
    """A file is not a TIFF, or its pages are not integer images."""


class ScanImageVersionError(ScanReaderError, ValueError):
    """The header is of a release of ScanImage whose page order is unknown."""

    raw_helps = True


class HeaderError(ScanReaderError, ValueError):
    """A setting that is needed is missing from the header or has an unexpected value."""


class UnknownSettingError(ScanReaderError, KeyError):
    """The header has no setting of this name."""

    def __str__(self) -> str:  # KeyError would put quotes around the message
        return str(self.args[0])


class LayoutError(ScanReaderError, ValueError):
    """The header and the pages contradict each other, or the request is impossible for this scan's fields or frames."""

    raw_helps = True


class FieldDimensionMismatch(ScanReaderError, ValueError):  # noqa: N818 - its users know this name
    """Fields of different sizes were requested in one array: read them one by one."""


class ScanIndexError(ScanReaderError, IndexError):
    """An index is out of bounds, or there are more indices than axes."""


class ScanKeyError(ScanIndexError, TypeError):
    """A key or an option has a value or type that is not allowed."""


class DtypeError(ScanReaderError, TypeError):
    """The requested dtype cannot hold every value of the recording, or the fill value does not fit the dtype."""


class DamagedPageError(ScanReaderError, OSError):
    """A page is damaged: it is not where the rest of the file says it is, or its tags make no sense."""


class ChangedFileError(ScanReaderError, OSError):
    """A file was removed, replaced, truncated or overwritten after it was opened."""


class UnreachableError(ScanReaderError, OSError):
    """A server failed several times to send what was requested; the file itself may be undamaged."""


class ClosedScanError(ScanReaderError, ValueError):
    """The scan was closed."""


class MissingExtraError(ScanReaderError, ImportError):
    """An optional library is needed but not installed: install the extra that the message names."""


class TargetExistsError(ScanReaderError, FileExistsError):
    """The file or folder to be written exists already."""


class UnreadableTargetError(ScanReaderError, OSError):
    """A file or folder that was written cannot be read back, or its format is unknown."""


class DiskFullError(ScanReaderError, OSError):
    """There is no room for the file or folder to be written."""


class ScanReaderWarning(UserWarning):
    """Problems or peculiarities of a recording. Pixels are as recorded, except filled ones (``on_damage="fill"``)."""
