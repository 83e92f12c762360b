"""Write a recording as OME-Zarr, with smaller copies of every picture, and look at what others will find in it."""

import tempfile
from pathlib import Path

import zarr

from scanreader import read_scan
from scanreader.simulate import Recording

with tempfile.TemporaryDirectory() as folder:
    stack = {"mode": "fast", "zs": (0.0, 40.0), "volumes": 60}
    Recording(**stack, height=128, width=128, channels=(1, 2)).write(folder)
    scan = read_scan(folder)

    path = Path(folder) / "scan.ome.zarr"
    scan.to_ome_zarr(path, levels=2)

    root = zarr.open_group(path, mode="r")
    (scales,) = root.attrs["ome"]["multiscales"]
    names = "".join(axis["name"] for axis in scales["axes"])
    for level in scales["datasets"]:
        seconds, _, z_step, _, microns = level["coordinateTransformations"][0]["scale"]
        print(f"{names} = {root[level['path']].shape}", end=": ")
        print(f"{microns:.2f} um a pixel, {z_step:g} um from depth to depth, {1000 * seconds:.1f} ms a frame")
