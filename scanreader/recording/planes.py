"""Channels as planes: where each saved channel is a depth, as with light beads or two focal planes at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import LayoutError, ScanKeyError
from scanreader.keys import abbreviate, as_integer, is_number
from scanreader.notices import notify
from scanreader.scanimage.settings import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from scanreader.recording.fields import Field
    from scanreader.recording.opened import Opened, View
    from scanreader.scanimage.rois import Roi

    Depths = tuple[tuple[float, ...], ...]
    Colours = tuple[tuple[str, tuple[int, ...]], ...]

ACTUATORS = "actuators"
UNNAMED = "Planes"  # name of the channel that a scan has whose channels became planes


class Level(NamedTuple):
    """A depth at which fields are: a slice, or a plane of a slice."""

    slice_id: int
    plane: int | None
    depth: float
    """In µm; NaN if unknown."""


def levels(opened: Opened) -> list[Level]:
    """The recorded slices, or the planes of each where channels are planes; in the order of fields."""
    slices = opened.layout.counts.slices
    if not opened.plane_depths:
        return [Level(i, None, depth) for i, depth in enumerate(opened.depths[:slices])]
    return [Level(i, j, depth) for i, row in enumerate(opened.plane_depths) for j, depth in enumerate(row)]


def is_at(field: Field, level: Level) -> bool:
    """Whether a field is at a level."""
    return (field.slice_id, field.plane) == level[:2]


# ------------------------------------------------------------------------- the view


def planes(
    opened: Opened,
    actuators: Callable[[], npt.NDArray[np.float64]],
    *,
    order: Any = None,
    depths: Any = None,
    dz: Any = None,
    colours: Any = None,
) -> View:
    """View whose planes are channels; see `BaseScan.channels_as_planes`.

    Parameters
    ----------
    actuators : callable
        Gives the position of each z actuator in each slice, in µm, of shape (slices, actuators).

    Raises
    ------
    ScanKeyError
        If the arguments do not fit the scan.
    LayoutError
        If its channels are planes already.
    """
    if opened.plane_depths:
        raise LayoutError(
            "the channels of this scan are planes already: ask the scan that it was made of", raw_helps=False
        )
    if colours is not None and order is not None:
        raise ScanKeyError("give order or colours, not both: colours has an order for each of its channels")
    orders = _orders_of_colours(opened, colours) if colours is not None else ((UNNAMED, _order(opened, order)),)
    count = len(orders[0][1])
    if depths is not None and dz is not None:
        raise ScanKeyError("give depths or dz, not both")
    slices = opened.layout.counts.slices
    if isinstance(depths, str):
        is_ordered = order is not None or colours is not None
        plane_depths = _actuator_depths(depths, actuators, orders, slices, is_ordered=is_ordered)
        _notify_differing_rois(opened, plane_depths)
    elif dz is not None:
        plane_depths = _spaced_depths(dz, count, slices)
    else:
        plane_depths = _given_depths(depths, count, slices)
    return partial(as_planes, orders=orders, depths=plane_depths)


def as_planes(opened: Opened, orders: Colours, depths: Depths) -> Opened:
    """Make each channel a plane of its own, with fields of its own.

    Parameters
    ----------
    orders : tuple of (str, tuple of int)
        Name of each channel that the scan will have, and ScanImage's channel numbers of its planes.
    depths : tuple of tuples, of shape (slices, planes)
        In µm.

    Raises
    ------
    LayoutError
        If the recording has other slices by now.
    """
    slices = opened.layout.counts.slices
    if slices != len(depths):
        sentence = f"depths of {len(depths)} slices were given, the recording has {slices} by now"
        raise LayoutError(sentence, raw_helps=False)
    channels_by_number = {channel.number: channel for channel in opened.channels}
    channels = tuple(
        Channel(i, i + 1, name, tuple(channels_by_number[number] for number in numbers))
        for i, (name, numbers) in enumerate(orders)
    )
    groups: dict[int, list[int]] = {}
    for i, field in enumerate(opened.fields):
        groups.setdefault(field.slice_id, []).append(i)
    places = [(i, plane) for group in groups.values() for plane in range(len(depths[0])) for i in group]

    def at_plane(field: Field, plane: int) -> Field:
        return replace(field, plane=plane, depth=depths[field.slice_id][plane])

    return replace(
        opened,
        channels=channels,
        fields=tuple(at_plane(opened.fields[i], plane) for i, plane in places),
        uncut=tuple(tuple(at_plane(field, plane) for field in opened.uncut[i]) for i, plane in places),
        plane_depths=depths,
    )


# ------------------------------------------------------------------- order of channels


def _order(opened: Opened, order: Any) -> tuple[int, ...]:
    """ScanImage's channel numbers of the planes.

    Raises
    ------
    ScanKeyError
        If they are not distinct numbers of channels of the scan.
    """
    saved = [channel.number for channel in opened.channels]
    if order is None:
        return tuple(saved)
    saved_text = f"the saved channels are {', '.join(map(str, saved))}"
    has_order = not isinstance(order, (str, bytes, AbstractSet, Mapping)) and not (
        isinstance(order, np.ndarray) and order.ndim != 1
    )
    if not has_order or not isinstance(order, Iterable):
        raise ScanKeyError(f"order lists ScanImage's channel numbers, one a plane, not {order!r}; {saved_text}")
    try:
        numbers = tuple(as_integer(number, "a channel number of a plane") for number in order)
    except ScanKeyError as error:
        raise ScanKeyError(f"{error}; {saved_text}") from None
    if not numbers:
        raise ScanKeyError(f"order is empty: list ScanImage's channel numbers, one a plane; {saved_text}")
    for number in numbers:
        if number not in saved:
            hint = "; ScanImage counts channels from 1" if number == 0 else ""
            raise ScanKeyError(f"channel {number} was not saved, or is not in this scan: {saved_text}{hint}")
        if numbers.count(number) > 1:
            raise ScanKeyError(f"channel {number} is listed twice: each is one plane; {saved_text}")
    return numbers


def _orders_of_colours(opened: Opened, colours: Any) -> Colours:
    """Name of each colour and the channel numbers of its planes.

    Raises
    ------
    ScanKeyError
        If colours differ in their number of planes, or a channel is in two of them.
    """
    if not isinstance(colours, Mapping) or not colours or not all(isinstance(c, str) and c.strip() for c in colours):
        raise ScanKeyError(
            f"colours gives the channel numbers of each colour's planes by its name, as {{'green': (1, 2)}}, not "
            f"{colours!r}"
        )
    orders = tuple((name, _order(opened, () if order is None else order)) for name, order in colours.items())
    counts = {name: len(order) for name, order in orders}
    if len(set(counts.values())) > 1:
        planes = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise ScanKeyError(
            f"colours have different numbers of planes ({planes}), so their planes are not the same: call "
            "channels_as_planes once for each, with its order"
        )
    numbers = [number for _, order in orders for number in order]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ScanKeyError(f"channel {number} is listed in two colours: each belongs to one")
    return orders


# ------------------------------------------------------------------------------ depths


def _given_depths(depths: Any, count: int, slices: int) -> Depths:
    """Depths as given: one for each plane, or for each slice and plane; NaN where they are not given.

    Raises
    ------
    ScanKeyError
        If they are not numbers of that shape.
    """
    if depths is None:
        return ((math.nan,) * count,) * slices
    try:
        values = np.array(depths, np.float64)
    except (TypeError, ValueError):
        raise ScanKeyError(f"depths are numbers in µm or 'actuators', not {depths!r}") from None
    shapes = ((slices, count), (count,)) if slices == 1 else ((slices, count),)
    if values.shape not in shapes or np.isinf(values).any():
        expected = f"one for each of {count} planes" if slices == 1 else f"of shape {slices, count} (slices, planes)"
        hint = " (dz gives a spacing)" if values.ndim == 0 else ""
        raise ScanKeyError(f"depths are {expected}, in µm, not of shape {values.shape}{hint}: {depths!r}")
    return tuple(map(tuple, values.reshape(slices, count).tolist()))


def _spaced_depths(dz: Any, count: int, slices: int) -> Depths:
    """Depths from 0, with a spacing.

    Raises
    ------
    ScanKeyError
        If the spacing is no number other than 0, or there are several slices.
    """
    if not is_number(dz):
        raise ScanKeyError(f"dz is a spacing in µm, not {dz!r}")
    if not math.isfinite(dz) or dz == 0:
        raise ScanKeyError(f"dz is a spacing in µm other than 0, not {dz!r}")
    if slices > 1:
        raise ScanKeyError(
            f"dz is for recordings of one slice, this one has {slices}: give depths of shape {slices, count} "
            "(slices, planes)"
        )
    return (tuple(float(dz) * i for i in range(count)),)


def _actuator_depths(
    text: str, actuators: Callable[[], npt.NDArray[np.float64]], orders: Colours, slices: int, *, is_ordered: bool
) -> Depths:
    """Depths from the positions of the z actuators: that of actuator j for the j-th channel listed.

    Raises
    ------
    ScanKeyError
        If the order is not given, or there are not as many actuators as planes.
    """
    if text != ACTUATORS:
        raise ScanKeyError(f"depths are numbers in µm or 'actuators', not {text!r}")
    count = len(orders[0][1])
    if not is_ordered:
        raise ScanKeyError(
            "depths='actuators' needs order: laboratories use the same header in opposite ways. The Allen Institute's "
            "recordings have the first actuator's depth in channel 1, order=(1, 2); those of the International Brain "
            "Laboratory in channel 2, order=(2, 1)"
        )
    positions = actuators()
    if positions.shape != (slices, count):
        raise ScanKeyError(
            f"the header has positions of {positions.shape[1]} z actuator{'s' * (positions.shape[1] != 1)} "
            f"(hStackManager.zsAllActuators), but {count} plane{'s are' if count != 1 else ' is'} listed: give depths "
            "as numbers"
        )
    return tuple(map(tuple, positions.tolist()))


def _notify_differing_rois(opened: Opened, depths: Depths) -> None:
    """Warn about ROIs that the user drew differently at the depths of one slice: their planes share the pixels."""
    names = [roi.name for roi in opened.rois if any(_has_several_shapes(roi, row) for row in depths)]
    if names:
        sentence = (
            f"ROIs have another place or size at another plane ({abbreviate(names)}): the planes of a slice are "
            "scanned at once, so all have the place and size of the first"
        )
        notify([sentence])


def _has_several_shapes(roi: Roi, depths: Sequence[float]) -> bool:
    try:
        return len({shape[:5] for depth in depths if (shape := roi.at(depth)) is not None}) > 1
    except LayoutError:
        return False  # it has no shape at one of them
