"""How far estimated line offsets are from the truth, and from what they say of themselves: the table of docs/line_offset.md.

python benchmarks/line_offset.py
"""

from __future__ import annotations

import argparse

import numpy as np
from scanreader import phase

SIZES = (256, 128, 64, 32, 20)
PHOTONS = (1000.0, 100.0, 10.0, 1.0)  # of a pixel of the background, in all frames together


def scene(rng, size, offset):
    """Cells of 1.5 to 4 pixels (sigma), one in 400 pixels, exact at any offset; every second line is backward."""
    spots = max(2, (size + 20) ** 2 // 400)
    ys, xs = rng.uniform(-10, size + 10, (2, spots))
    sigmas, heights = rng.uniform(1.5, 4, spots), rng.exponential(1.5, spots)
    y, x = np.arange(size)[:, None], np.arange(size)[None, :] - offset * (np.arange(size) % 2)[:, None]
    picture = np.ones((size, size))
    for at_y, at_x, sigma, height in zip(ys, xs, sigmas, heights):
        picture += height * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (2 * sigma**2))
    return picture


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    print(
        "| size | photons a pixel | NaN | error (rms) | uncertainty (median) | within 1 | within 2 | largest error / uncertainty |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        for photons in PHOTONS:
            errors, uncertainties = [], []
            for seed in range(repeats):
                rng = np.random.default_rng(seed)
                offset = rng.uniform(-3, 3) if size > 20 else rng.uniform(-2, 2)
                rate = scene(rng, size, offset) * photons / phase.GROUPS
                pictures = rng.poisson(np.broadcast_to(rate, (phase.GROUPS, size, size))).astype(np.float32)
                lines = phase._Lines.of(pictures, np.arange(1, size - 1, 2))
                estimated_offset, uncertainty = phase._estimate_piece(lines, min(8, size // 4))
                errors.append(estimated_offset - offset)
                uncertainties.append(uncertainty)
            errors, uncertainties = np.array(errors), np.array(uncertainties)
            is_known = np.isfinite(errors)
            print(f"| {size} x {size} | {photons:g} | {(~is_known).mean():.0%} ", end="")
            if is_known.sum() > 4:
                misses = np.abs(errors[is_known])
                ratio = misses / uncertainties[is_known]
                print(f"| {np.sqrt((misses**2).mean()):.3f} | {np.median(uncertainties[is_known]):.3f} ", end="")
                print(f"| {(ratio < 1).mean():.0%} | {(ratio < 2).mean():.0%} | {ratio.max():.1f} |")
            else:
                print("| – | – | – | – | – |")


if __name__ == "__main__":
    main()
