"""Pick by name, by µm and by seconds, instead of by index, with xarray."""

import tempfile
from typing import Any

import numpy as np

from scanreader import read_scan
from scanreader.simulate import Logged, Recording

random = np.random.default_rng(1)


def cell(frame: Logged, channel: int) -> Any:
    """Noise, and a cell at the second depth, in the second channel."""
    brightness = np.full((64, 64), 20.0)
    brightness[24:29, 40:45] += 100 * (frame.slice == 1 and channel == 2)
    return random.poisson(brightness)


with tempfile.TemporaryDirectory() as folder:
    stack = {"mode": "fast", "zs": (0.0, 40.0, 80.0), "volumes": 200}
    Recording(**stack, height=64, width=64, channels=(1, 2), pixels=cell).write(folder)
    data = read_scan(folder).to_xarray()["data"]
    print(dict(data.sizes))

    part = data.sel(z=40, channel="Channel 2", time=slice(0.5, 1.0))
    part = part.sel(y=slice(-40, 40), x=slice(-40, 40))
    first, last = part["time"].values[[0, -1]]
    print(f"at 40 um, {first:.3f} to {last:.3f} s, the middle 80 um: {dict(part.sizes)}")

    picture = part.mean("time").compute()
    spot = picture.where(picture > 60, drop=True)
    for axis in "yx":
        print(f"the cell is at {axis} = {spot[axis].values.min():.1f} to {spot[axis].values.max():.1f} um")
