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
    └── TargetExistsError        also FileExistsError

    ScanReaderWarning            also UserWarning
"""

from typing import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["note", "warning", "damage"]
"""How bad a finding is: "note", nothing wrong; "warning", missing or odd; "damage", cannot be read."""


class Finding(NamedTuple):
    """Something that the user of a recording should know."""

    name: str
    """Its kind, e.g. ``"dropped-frames"``: the names do not change between releases of scanreader."""
    severity: Severity
    place: str
    """Name of the file; '' if the finding is on the whole recording."""
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class ScanReaderError(Exception):
    """Base of all errors that scanreader raises."""

    raw_helps = False
    """Whether ``raw=True`` reads the recording all the same, which the message then says."""

    def __init__(self, *args: object, raw_helps: bool | None = None) -> None:
        super().__init__(*args)
        if raw_helps is not None:
            self.raw_helps = raw_helps

    def __str__(self) -> str:
        return super().__str__() + ("; raw=True reads the pages as they lie" if self.raw_helps else "")


class PathnameError(ScanReaderError, FileNotFoundError):
    """The pathnames do not name one recording: no file, several recordings, or files that do not belong together."""


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
    """The header and the pages contradict each other, or the layout does not allow what was asked for."""

    raw_helps = True


class FieldDimensionMismatch(ScanReaderError, ValueError):  # noqa: N818 - its users know this name
    """Fields of unequal height or width were asked for in one array."""


class ScanIndexError(ScanReaderError, IndexError):
    """An index is out of bounds, or there are more indices than axes."""


class ScanKeyError(ScanIndexError, TypeError):
    """A key or an option has a value or type that is not allowed."""


class DtypeError(ScanReaderError, TypeError):
    """A dtype cannot hold every value of the recording."""


class DamagedPageError(ScanReaderError, OSError):
    """A page cannot be read: it is not where its file says, or not what its file says."""


class ChangedFileError(ScanReaderError, OSError):
    """A file was removed, replaced, truncated or overwritten after it was opened."""


class UnreachableError(ScanReaderError, OSError):
    """A server failed several times to send what was requested; the file itself may be sound."""


class ClosedScanError(ScanReaderError, ValueError):
    """The scan was closed."""


class MissingExtraError(ScanReaderError, ImportError):
    """A library that is needed, an extra of scanreader, is not installed."""


class TargetExistsError(ScanReaderError, FileExistsError):
    """The file or folder to be written exists already."""


class ScanReaderWarning(UserWarning):
    """Something that the user of a recording should know; the pixels that are read are right nevertheless."""
