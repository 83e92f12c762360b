"""Recordings and keys drawn at random, and what numpy picks with such keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import assume
from hypothesis import strategies as st

from scanreader import FieldDimensionMismatch
from scanreader.simulate import Recording, roi, scanfield

RELEASES = ["5.1", "2015.4", "2016b", "2018a", "5.7", "2020.1", "2021.0", "2023.1"]


@st.composite
def rois(draw: st.DrawFn, zs: tuple[float, ...], resonant: bool) -> tuple[dict[str, Any], ...]:
    width = draw(st.integers(3, 12))
    roi_list = []
    for i in range(draw(st.integers(1, 4))):
        discrete = draw(st.booleans())
        depths = sorted(draw(st.sets(st.sampled_from([*zs, -7.0, 17.0]), min_size=1, max_size=3)))
        fields = [
            scanfield(
                (i * 3.0, 0.0),
                (2.0, 2.0),
                (width if resonant else draw(st.integers(3, 12)), 2 * draw(st.integers(1, 9))),
                enabled=draw(st.sampled_from([True, True, True, False])) or k == 0,
            )
            for k in range(len(depths))
        ]
        if not all(f["enable"] for f in fields) and not discrete:
            fields = [f | {"enable": 1} for f in fields]
        enabled = draw(st.sampled_from([True, True, True, False]))
        roi_list.append(roi(*fields, zs=depths, discrete=discrete, enabled=enabled, name=f"R{i}"))
    return tuple(roi_list)


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    mode = draw(st.sampled_from(["planar", "fast", "slow"]))
    release = draw(st.sampled_from(RELEASES))
    is_older = release in ("5.1", "2015.4", "2016b", "2018a")
    averaging = draw(st.sampled_from([1, 1, 2, 3]))
    repeats = draw(st.integers(1, 3))
    per_slice = repeats * averaging
    slices = draw(st.integers(2, 4)) if mode != "planar" else 1
    if mode == "fast" and is_older:
        per_slice = averaging = 1
    zs = tuple(float(z) for z in draw(st.permutations([0, 10, 25, 40]))[:slices])
    resonant = draw(st.booleans())
    rois_of_recording = draw(rois(zs, resonant)) if release != "5.1" and draw(st.booleans()) else ()
    recording = Recording(
        release=release,
        mode=mode,
        height=draw(st.integers(3, 20)),
        width=draw(st.integers(3, 20)),
        channels=draw(st.sampled_from([(1,), (2,), (1, 2), (1, 3, 4)])),
        zs=zs,
        frames_per_slice=draw(st.integers(1, 14)) if mode == "planar" else per_slice,
        averaging=averaging if mode != "planar" else 1,
        volumes=draw(st.integers(1, 4)) if mode != "planar" else 1,
        flyback=draw(st.integers(0, 2)) * averaging if mode == "fast" else 0,
        loops=draw(st.sampled_from([1, 1, 2])),
        frames_per_file=draw(st.sampled_from([None, 1, 2, 3, 5])),
        rois=rois_of_recording,
        resonant=resonant,
        bidirectional=draw(st.booleans()),
        scanner_frequency=draw(st.sampled_from([7921.0, 12013.0])),
        flyto=draw(st.sampled_from([0.0001, 0.001])),
        dtype=draw(st.sampled_from(["int16", "uint16"])),
        json_headers=draw(st.booleans()) and release != "5.1",
        closed=draw(st.booleans()),
    )
    if rois_of_recording:
        assume(any(recording.slots()))
        assume(any(r["enable"] for r in rois_of_recording))
        widths = {w for s in recording.slots() for *_, w in s}
        assume(not resonant or len(widths) == 1)
    return recording


def a_key(draw: st.DataObject, fields: list[np.ndarray]) -> tuple[Any, ...]:
    sizes = (len(fields), *np.min([f.shape for f in fields], axis=0))
    parts = [
        st.integers(-n, n - 1)
        | st.slices(n)
        | st.lists(st.integers(-n, n - 1), max_size=4)
        | st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)
        for n in map(int, sizes)
    ]
    count = draw.draw(st.integers(1, 5))
    return tuple(draw.draw(part) for part in parts[:count])


def index_fields(fields: list[np.ndarray], key: tuple[Any, ...]) -> np.ndarray:
    """Index fields one by one, then put them together."""
    field_numbers = np.arange(len(fields))[key[0]]
    other_entries = tuple(np.array(k, int) if isinstance(k, list) else k for k in key[1:])
    if isinstance(key[0], int):
        return reference.index(fields[int(field_numbers)], other_entries)
    parts = [reference.index(fields[i], other_entries) for i in field_numbers] or [
        reference.index(fields[0], other_entries)
    ]
    if len({part.shape for part in parts}) > 1:
        raise FieldDimensionMismatch
    return np.stack(parts)[: len(field_numbers)]


def assert_keys_pick(data: st.DataObject, scan: Any, fields: list[np.ndarray], dtype: Any) -> None:
    """A scan gives at some keys what is picked of its fields there."""
    for _ in range(4):
        key = a_key(data, fields)
        if any(isinstance(k, np.ndarray) for k in key[1:3]) and len({f.shape for f in fields}) > 1:
            continue
        try:
            expected_pixels = index_fields(fields, key)
        except FieldDimensionMismatch:
            with pytest.raises(FieldDimensionMismatch):
                scan[key]
            continue
        pixels = scan[key]
        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels, expected_pixels)
