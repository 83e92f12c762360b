"""Optional libraries."""

from __future__ import annotations

import importlib
from typing import Any

from scanreader.errors import MissingExtraError


def import_extra(module: str, extra: str) -> Any:
    """Import a library that an extra of the package installs.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message names the command that installs it (also an ImportError).
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name.split(".")[0]):
            raise
        raise MissingExtraError(
            f"this needs {module.split('.', maxsplit=1)[0]}: pip install 'scanreader[{extra}]'"
        ) from error
