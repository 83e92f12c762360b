"""Mean and noise of every field in one pass with dask, some frames at a time: how much one photon is worth."""

import tempfile
from typing import Any

import dask
import numpy as np

from scanreader import read_scan
from scanreader.simulate import Logged, Recording

random = np.random.default_rng(1)


def photons(frame: Logged, channel: int) -> Any:
    """Fewer of them with depth and in the second channel; each is worth 20 counts."""
    return 20 * random.poisson(10 * 0.7**frame.slice / channel, (64, 64))


with tempfile.TemporaryDirectory() as folder:
    stack = {"mode": "fast", "zs": (0.0, 40.0), "volumes": 300}
    Recording(**stack, height=64, width=64, channels=(1, 2), pixels=photons).write(folder)
    scan = read_scan(folder)

    movie = scan.to_dask(frames=50)
    megabytes = movie.nbytes / 1e6
    print(f"{movie.shape}: {megabytes:.1f} MB in {movie.npartitions} chunks of {movie.chunksize}")

    mean, variance = dask.compute(movie.mean(axis=-1), movie.var(axis=-1))
    for i, field in enumerate(scan.fields):
        for channel, name in enumerate(scan.channel_names):
            average, noise = mean[i, ..., channel].mean(), variance[i, ..., channel].mean()
            print(f"{field.depth:2g} um, {name}: mean {average:.1f}, sd {noise**0.5:.1f}", end=", ")
            print(f"a photon is {noise / average:.1f} counts")
