"""Our reader under the name ScanImageTiffReader, for programs that import that."""

from __future__ import annotations

import importlib.machinery
import sys
from types import ModuleType

from scanreader.compat.tiffreader import ScanImageTiffReader, api_version
from scanreader.notices import notify

NAME = "ScanImageTiffReader"


def stand_in() -> ModuleType:
    """Put our reader under the name ``ScanImageTiffReader``, so that other programs import it instead of Vidrio's.

    Nothing else is changed: no file is written, and no other module is touched. Call it before the first import of
    what is to use it; calling it again has no effect. ``del sys.modules["ScanImageTiffReader"]`` ends it.

    Returns
    -------
    module
        What ``import ScanImageTiffReader`` gives from now on, with the class `ScanImageTiffReader` and `api_version`.

    Warns
    -----
    ScanReaderWarning
        If Vidrio's reader was imported before: a module that took the class from it keeps that.
    """
    present_module = sys.modules.get(NAME)
    if present_module is not None and getattr(present_module, NAME, None) is ScanImageTiffReader:
        return present_module
    if present_module is not None:
        sentence = f"{NAME} was imported before: modules that took the class from it keep Vidrio's"
        notify([f"{sentence}; call scanreader.compat.stand_in() before they are imported"])
    sys.modules[NAME] = _module()
    return sys.modules[NAME]


def _module() -> ModuleType:
    """A module with what programs take from Vidrio's."""
    module = ModuleType(NAME, "Pages of ScanImage's TIFF files, read by scanreader; see scanreader.compat.stand_in.")
    module.__spec__ = importlib.machinery.ModuleSpec(NAME, None)  # find_spec asks for it
    names = {
        NAME: ScanImageTiffReader,
        "api_version": api_version,
        "__version__": api_version(),
        "__all__": [NAME, "api_version"],
    }
    for name, value in names.items():
        setattr(module, name, value)
    return module
