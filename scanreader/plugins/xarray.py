"""The backend with which xarray opens recordings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from xarray.backends import BackendEntrypoint

from scanreader.bridges.xarray import to_xarray
from scanreader.paths import SUFFIXES
from scanreader.reader import read_scan
from scanreader.scanimage.blocks import is_scanimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr


class ScanReaderBackend(BackendEntrypoint):  # type: ignore[misc] # where xarray is not installed
    """``xr.open_dataset("scan_*.tif", engine="scanreader")``."""

    description = "Open ScanImage recordings"
    url = "https://pypi.org/project/scanreader"
    open_dataset_parameters: ClassVar = (
        "filename_or_obj",
        "drop_variables",
        "join_contiguous",
        "siblings",
        "dtype",
        "grouped",
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Sequence[str] | None = None,
        dtype: Any = None,
        join_contiguous: bool = False,
        siblings: bool = False,
        grouped: str | None = None,
    ) -> xr.Dataset:
        """Open a recording as `Scan.to_xarray` does; pixels are read on demand.

        Exactly the named files are opened; ``siblings=True`` adds the other parts of a rolled file.
        """
        scan = read_scan(filename_or_obj, dtype, join_contiguous, siblings=siblings)
        dataset = to_xarray(scan, grouped)
        names_to_drop = [drop_variables] if isinstance(drop_variables, str) else drop_variables or []
        dataset = dataset.drop_vars([name for name in names_to_drop if name in dataset.variables])
        dataset.set_close(scan.close)
        return dataset

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a file is a TIFF that ScanImage wrote."""
        if not isinstance(filename_or_obj, (str, os.PathLike)):
            return False
        name = os.fspath(filename_or_obj)
        return name.lower().endswith(SUFFIXES) and is_scanimage(name)
