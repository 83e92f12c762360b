"""The tree of errors that scanreader raises, the warnings that it gives and the findings they speak of.

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
"""How bad: sound recordings have notes; a warning says what is missing or odd; damage, what cannot be read."""


class Finding(NamedTuple):
    """Something about a recording that its user should know."""

    name: str
    """What kind it is, e.g. ``"dropped-frames"``: the names do not change between releases."""
    severity: Severity
    place: str
    """The file that it is in; '' if it is of the whole recording."""
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class ScanReaderError(Exception):
    """Anything that scanreader refuses to do, with the reason.

    Parameters
    ----------
    raw_helps : bool, optional
        Whether ``raw=True`` reads the recording all the same, which the message then says; each class has its default.
    """

    raw_helps = False

    def __init__(self, *args: object, raw_helps: bool | None = None) -> None:
        super().__init__(*args)
        if raw_helps is not None:
            self.raw_helps = raw_helps

    def __str__(self) -> str:
        return super().__str__() + ("; raw=True reads the pages as they lie" if self.raw_helps else "")


class PathnameError(ScanReaderError, FileNotFoundError):
    """What was named is not one recording: nothing, several, or files that do not belong together."""


class FileFormatError(ScanReaderError, ValueError):
    """A file is not a TIFF, or its pages hold something else than one integer image each."""


class ScanImageVersionError(ScanReaderError, ValueError):
    """The header is of a release whose page order is unknown."""

    raw_helps = True


class HeaderError(ScanReaderError, ValueError):
    """A setting that is needed is missing from the header, or is not what it should be."""


class UnknownSettingError(ScanReaderError, KeyError):
    """The header has no setting of this name."""

    def __str__(self) -> str:  # a KeyError's own would put the sentence in quotes
        return str(self.args[0])


class LayoutError(ScanReaderError, ValueError):
    """The header and the pages contradict each other, and no reading of them is safe."""

    raw_helps = True


class FieldDimensionMismatch(ScanReaderError, ValueError):  # noqa: N818 - its users know this name
    """Fields of unequal height or width were asked for in one array."""


class ScanIndexError(ScanReaderError, IndexError):
    """An index is out of bounds, or a key has too many entries."""


class ScanKeyError(ScanIndexError, TypeError):
    """A key holds something that cannot index an axis."""


class DtypeError(ScanReaderError, TypeError):
    """The dtype that was asked for cannot hold every value of the recording."""


class DamagedPageError(ScanReaderError, OSError):
    """A page that was asked for is not where, or not what, its file says."""


class ChangedFileError(ScanReaderError, OSError):
    """A file is not the one that was opened: it was removed, replaced, cut or written to."""


class UnreachableError(ScanReaderError, OSError):
    """A server did not give what it was asked for, several times; it says nothing of the file."""


class ClosedScanError(ScanReaderError, ValueError):
    """The scan was closed."""


class MissingExtraError(ScanReaderError, ImportError):
    """A library that is needed for this is not installed."""


class TargetExistsError(ScanReaderError, FileExistsError):
    """What was to be written is there already."""


class ScanReaderWarning(UserWarning):
    """Something about a recording that its reader should know; its data are right nevertheless."""
