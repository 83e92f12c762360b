"""The table of ScanImage's releases: how the files of each differ from those of the newest.

A new release is one row of `TABLE`: ``Release("2024.0", SINCE_2023_1)`` if only its number differs, with
``renamed={"hRoiManager.scanZoomFactor": "hRoiManager.magnification"}`` if a setting was renamed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERED = (
    "frameNumbers = {frame.number}\nframeNumberAcquisition = {frame.in_acquisition}\nframeTimestamps = {seconds:.9f}\n"
)
NUMBERED_5_0 = "Frame Number = {frame.number}\nFrame Timestamp(s) = {seconds:.9f}\n"


@dataclass(frozen=True)
class Style:
    """What several releases have in common; defaults are those of the newest.

    Attributes
    ----------
    is_classic : bool
        Whether files are classic TIFF, with the header in each page's description.
    format_version : int
        Version of the block that holds the header of a BigTIFF.
    header : str
        'nested' settings, 'flat' ones, or the 'state' of 3.x.
    prefix : str
        Prefix of each setting's name, instead of ``SI.``.
    frame_text : str
        Text before the header in the description of a page of a classic TIFF.
    has_sample_format : bool
        Whether each page has the tag that says that its pixels are signed.
    digits : int
        Significant digits of numbers.
    has_quoted_version : bool
        Whether the release is quoted text in the header.
    has_stack_manager : bool
        Whether ``hStackManager``, not ``hFastZ``, says how volumes were scanned.
    has_sample_position : bool
        Whether the stage's position is in sample coordinates; stands for all else that is new in 2021.
    """

    is_classic: bool = False
    format_version: int = 4
    header: Literal["nested", "flat", "state"] = "nested"
    prefix: str = "SI."
    frame_text: str = ""
    has_sample_format: bool = True
    digits: int = 16
    has_quoted_version: bool = False
    has_stack_manager: bool = True
    has_sample_position: bool = True


SINCE_2023_1 = Style()
SINCE_2021 = replace(SINCE_2023_1, digits=6)
SINCE_2020 = replace(SINCE_2021, has_sample_position=False)
SINCE_2019B = replace(SINCE_2020, has_quoted_version=True)
SINCE_2015_4 = replace(SINCE_2019B, format_version=3, has_stack_manager=False)
SINCE_5_1 = replace(SINCE_2015_4, is_classic=True, prefix="scanimage.SI.", frame_text=NUMBERED)
SINCE_5_0 = replace(SINCE_5_1, header="flat", prefix="scanimage.SI5.", frame_text=NUMBERED_5_0)
SINCE_4_0 = replace(SINCE_5_0, prefix="scanimage.SI4.", frame_text=NUMBERED)
SINCE_3_0 = replace(SINCE_4_0, header="state", prefix="state.", frame_text="", has_sample_format=False)


@dataclass(frozen=True)
class Release:
    """A release of ScanImage.

    Attributes
    ----------
    name : str
    style : Style
    spelling : tuple of str, optional
        VERSION_MAJOR and VERSION_MINOR, if they do not follow from the name.
    renamed : dict
        Settings with another name in this release: name in `header_settings` → name in the release.
    """

    name: str
    style: Style
    spelling: tuple[str, str] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> tuple[int | str, int | str]:
        """The values of VERSION_MAJOR and VERSION_MINOR."""
        if self.spelling is not None:
            return self.spelling
        if self.style.has_quoted_version:
            return self.name, "0"
        major, _, minor = self.name.partition(".")
        return int(major), int(minor or 0)

    def name_of(self, setting: str) -> str:
        """Name of a setting in this release."""
        return self.renamed.get(setting, setting)


TABLE = {
    row.name: row
    for row in (
        Release("3.8", SINCE_3_0, spelling=("3", "0")),
        Release("4.2", SINCE_4_0, spelling=("4", "2")),
        Release("5.0", SINCE_5_0),
        Release("5.1", SINCE_5_1),
        Release("5.2", SINCE_2015_4, spelling=("5.2", "4")),
        Release("5.3", SINCE_2015_4),
        Release("5.4", SINCE_2015_4),
        Release("5.5", SINCE_2015_4),
        Release("5.7", SINCE_2019B),
        Release("2015.4", SINCE_2015_4, spelling=("2015", "4")),
        Release("2016a", SINCE_2015_4),
        Release("2016b", SINCE_2015_4),
        Release("2017a", SINCE_2015_4),
        Release("2017b", SINCE_2015_4),
        Release("2018a", SINCE_2015_4),
        Release("2018b", SINCE_2015_4),
        Release("2019b", SINCE_2019B),
        Release("2020", SINCE_2020),
        Release("2020.0", SINCE_2020),
        Release("2020.1", SINCE_2020),
        Release("2021.0", SINCE_2021),
        Release("2021.1", SINCE_2021),
        Release("2022.0", SINCE_2021),
        Release("2022.1", SINCE_2021),
        Release("2023.0", SINCE_2021),
        Release("2023.1", SINCE_2023_1),
    )
}
RELEASES = tuple(TABLE)
