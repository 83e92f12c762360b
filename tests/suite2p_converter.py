"""Runs suite2p's own converter of TIFF files on its settings, without the rest of suite2p, which needs torch.

python suite2p_converter.py SETTINGS.json FOLDER original|stand-in|tifffile
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType


def main(settings: Path, folder: Path, reader: str) -> None:
    """Write suite2p's binary files to a folder."""
    if reader == "stand-in":
        from scanreader.compat import stand_in

        stand_in()
    spec = importlib.util.find_spec("suite2p")
    assert spec is not None
    assert spec.origin is not None
    for name, place in (("suite2p", Path(spec.origin).parent), ("suite2p.io", Path(spec.origin).parent / "io")):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(place)]
    tiff = importlib.import_module("suite2p.io.tiff")
    utils = importlib.import_module("suite2p.io.utils")
    assert tiff.HAS_SCANIMAGE
    defaults = {
        "keep_movie_raw": False,
        "save_folder": "suite2p",
        "batch_size": 7,
        "force_sktiff": reader == "tifffile",
    }
    db = {**defaults, **json.loads(settings.read_text("utf-8")), "save_path0": str(folder)}
    db["file_list"], db["first_files"] = utils.get_file_list(db)
    dbs = utils.init_dbs(db)
    with ExitStack() as stack:
        first = [stack.enter_context(Path(plane_db["reg_file"]).open("wb")) for plane_db in dbs]
        second = [
            stack.enter_context(Path(plane_db["reg_file_chan2"]).open("wb")) for plane_db in dbs if db["nchannels"] > 1
        ]
        tiff.tiff_to_binary(dbs, {}, first, second)
    sys.stdout.write(tiff.ScanImageTiffReader.__module__)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
