"""Where each channel's signal comes from: the digitizer's input, and the window of the laser period."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from scanreader.scanimage.settings import flag, number_list, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.scanimage.header import Header
    from scanreader.scanimage.settings import Channel


class ChannelInput(NamedTuple):
    """What the header says of a channel's input; texts are empty and the window is None where it says nothing.

    ScanImage writes it since release 2020 for scanners that have virtual channels
    (``hScan2D.virtualChannelSettings__N``).
    """

    number: int
    """ScanImage's number of the channel, from 1."""
    name: str
    source: str
    """The digitizer's input, for example ``AI0``."""
    mode: str
    """``analog`` or ``photon counting``."""
    laser_window: tuple[float, float] | None
    """First and last sample of the laser period that is used; None if all are."""


def channel_input(header: Header, channel: Channel) -> ChannelInput:
    """Read what the header says of a channel's input."""
    prefix = f"hScan2D.virtualChannelSettings__{channel.number}"
    window = number_list(header.get(f"{prefix}.laserFilterWindow"))
    is_gated = flag(header.get(f"{prefix}.laserGate")) and len(window) == 2
    return ChannelInput(
        channel.number,
        channel.name,
        text(header.get(f"{prefix}.source")),
        text(header.get(f"{prefix}.mode")),
        (window[0], window[1]) if is_gated else None,
    )


def multiplexed(inputs: Sequence[ChannelInput]) -> list[list[ChannelInput]]:
    """Group channels that share one input through laser windows that do not overlap: each may be a depth.

    Returns
    -------
    list of lists of ChannelInput
        Groups of at least two channels.
    """
    groups: dict[str, list[ChannelInput]] = {}
    for channel in inputs:
        if channel.source and channel.laser_window is not None:
            groups.setdefault(channel.source, []).append(channel)
    return [group for group in groups.values() if len(group) > 1 and _are_disjoint(group)]


def _are_disjoint(group: Sequence[ChannelInput]) -> bool:
    windows = sorted(channel.laser_window for channel in group if channel.laser_window is not None)
    return all(window[1] < next_window[0] for window, next_window in itertools.pairwise(windows))
