"""Mean and noise of every field in one pass with dask, some frames at a time; and what they say of the detector."""

import tempfile
from typing import Any

import dask
import numpy as np

from scanreader import read_scan
from scanreader.simulate import Logged, Recording


class Photons(Recording):
    """Fewer of them with depth, and half as many in the second channel; each is worth 20 counts."""

    def image(self, page: int, frame: Logged, channel: int, *_: Any) -> Any:
        """Draw the photons of a page."""
        photons = np.random.default_rng(page).poisson(10 * 0.7**frame.slice / channel, self.page_shape)
        return (20 * photons).astype(self.dtype)


with tempfile.TemporaryDirectory() as folder:
    Photons(mode="fast", zs=(0.0, 40.0), volumes=300, height=64, width=64, channels=(1, 2)).write(folder)
    scan = read_scan(folder)

    movie = scan.to_dask(frames=50)
    print(f"{movie.shape}, in {movie.npartitions} chunks of {movie.chunksize}: {movie.nbytes / 1e6:.1f} MB")

    mean, variance = dask.compute(movie.mean(axis=-1), movie.var(axis=-1))
    for i, field in enumerate(scan.fields):
        for channel, name in enumerate(scan.channel_names):
            average, noise = mean[i, ..., channel].mean(), variance[i, ..., channel].mean()
            print(
                f"{field.depth:2g} um, {name}: mean {average:.1f}, standard deviation {noise**0.5:.1f}:"
                f" {noise / average:.1f} counts a photon"
            )
