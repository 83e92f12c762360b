"""Write a recording as NWB, with its places in µm and its times, and look at what others will find in it."""

import tempfile
from pathlib import Path

from pynwb import NWBHDF5IO

from scanreader import read_scan
from scanreader.simulate import Recording

with tempfile.TemporaryDirectory() as folder:
    stack = {"mode": "fast", "zs": (0.0, 40.0), "volumes": 50}
    Recording(**stack, height=64, width=64, channels=(1, 2)).write(folder)
    scan = read_scan(folder)

    path = Path(folder) / "session.nwb"
    facts = {"session_description": "spontaneous", "location": "V1", "indicator": "GCaMP8m"}
    scan.select(channels=[0]).to_nwb(path, timezone="Europe/Zurich", **facts)

    with NWBHDF5IO(path, "r") as file:
        session = file.read()
        print(f"{session.session_start_time}: {session.session_description}")
        for name, series in session.acquisition.items():
            plane = series.imaging_plane
            print(f"{name}: {series.data.shape} {series.data.dtype}, {plane.indicator} in {plane.location}")
            corner = ", ".join(f"{coordinate:.3g}" for coordinate in plane.origin_coords)
            print(f"  a pixel is {plane.grid_spacing[0]:.3g} {plane.grid_spacing_unit}", end=", ")
            print(f"the first is at {corner} {plane.origin_coords_unit}")
