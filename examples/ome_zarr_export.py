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
    for i in range(scan.num_fields):
        image = root[f"{i}"]
        (scales,) = image.attrs["ome"]["multiscales"]
        names = "".join(axis["name"] for axis in scales["axes"])
        for level in scales["datasets"]:
            pixels = image[level["path"]]
            seconds, _, _, _, microns = level["coordinateTransformations"][0]["scale"]
            z = level["coordinateTransformations"][1]["translation"][names.index("z")]
            print(f"field {i} at {z:g} um, {names} = {pixels.shape}", end=": ")
            print(f"{microns:.2f} um a pixel, {1000 * seconds:.1f} ms a frame")
