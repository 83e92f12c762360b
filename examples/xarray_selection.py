"""Pick by name, by µm and by seconds, instead of by index, with xarray."""

import tempfile
from typing import Any

import numpy as np

from scanreader import read_scan
from scanreader.simulate import Logged, Recording


class Cell(Recording):
    """A cell at the second depth, in the second channel."""

    def image(self, page: int, frame: Logged, channel: int, *_: Any) -> Any:
        """Draw noise, and the cell where it is."""
        brightness = np.full(self.page_shape, 20.0)
        brightness[24:29, 40:45] += 100 * (frame.slice == 1 and channel == 2)
        return np.random.default_rng(page).poisson(brightness).astype(self.dtype)


with tempfile.TemporaryDirectory() as folder:
    Cell(mode="fast", zs=(0.0, 40.0, 80.0), volumes=200, height=64, width=64, channels=(1, 2)).write(folder)
    scan = read_scan(folder)
    data = scan.to_xarray()["data"].swap_dims(field="z")
    print(dict(data.sizes))

    part = data.sel(z=40, channel="Channel 2", time=slice(0.5, 1.0), y=slice(-40, 40), x=slice(-40, 40))
    first, last = part["time"].values[[0, -1]]
    print(f"at 40 um, {first:.3f} to {last:.3f} s, the middle 80 um: {dict(part.sizes)}")

    picture = part.mean("time").compute()
    cell = picture.where(picture > 60, drop=True)
    sides = ", ".join(f"{axis} = {float(cell[axis].min()):.1f} to {float(cell[axis].max()):.1f} um" for axis in "yx")
    print(f"the cell is at {sides}, {float(cell.mean()):.0f} bright")
