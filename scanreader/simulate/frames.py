"""The frames that a recording saves, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanreader.simulate.plan import Logged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanreader.simulate.plan import Plan


def raw_volume(plan: Plan) -> list[tuple[int, bool]]:
    """Slice of each raw frame of a volume, and whether the frame is the first of its slice."""
    if plan.mode == "planar":
        return [(0, i == 0) for i in range(plan.frames_per_slice)]
    frames = [(s, i == 0) for s in range(len(plan.zs)) for i in range(plan.frames_per_slice)]
    return frames + [(-1, False)] * plan.flyback


def logged_frames(plan: Plan) -> Iterator[Logged]:
    """Generate the frames that are saved, in order."""
    averaging, slow = plan.averaging, plan.mode == "slow"
    number = visits = saved = 0
    for loop in range(1, plan.loops + 1):
        in_acquisition = 0
        in_volume = raw_volume(plan)
        total = len(in_volume) * plan.volumes
        last = total - 1
        if plan.stop is not None and loop == plan.loops:
            last = min(last, plan.stop * averaging - 1)
        for raw in range(total):
            position = raw % len(in_volume)
            slice_id, first = in_volume[position]
            if slow and first:
                in_acquisition, visits = 0, visits + 1
            number, in_acquisition = number + 1, in_acquisition + 1
            if (raw + 1) % averaging or raw > last:
                continue
            ends = raw + averaging > total - 1 or (slow and in_volume[(raw + 1) % len(in_volume)][1])
            if saved not in plan.dropped:
                yield Logged(loop, slice_id, number, in_acquisition, visits if slow else loop, bool(ends))
            saved += 1


def frames_of_files(plan: Plan, count: int) -> Iterator[int]:
    """Generate the number of saved frames in each file of an acquisition of `count` saved frames."""
    first = plan.first_file_frames or plan.frames_per_file or count
    yield min(first, count)
    rest = count - first
    while rest > 0:
        size = min(rest, plan.frames_per_file or rest)
        yield size
        rest -= size
