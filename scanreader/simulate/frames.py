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
    averaging, is_slow = plan.averaging, plan.mode == "slow"
    number = visits = num_saved = 0
    for loop in range(1, plan.loops + 1):
        in_acquisition = 0
        volume = raw_volume(plan)
        total = len(volume) * plan.volumes
        last_index = total - 1
        if plan.stop is not None and loop == plan.loops:
            last_index = min(last_index, plan.stop * averaging - 1)
        for raw_index in range(total):
            position = raw_index % len(volume)
            slice_id, is_first = volume[position]
            if is_slow and is_first:
                in_acquisition, visits = 0, visits + 1
            number, in_acquisition = number + 1, in_acquisition + 1
            if (raw_index + 1) % averaging or raw_index > last_index:
                continue
            is_end = raw_index + averaging > total - 1 or (is_slow and volume[(raw_index + 1) % len(volume)][1])
            if num_saved not in plan.dropped:
                yield Logged(loop, slice_id, number, in_acquisition, visits if is_slow else loop, bool(is_end))
            num_saved += 1


def frames_of_files(plan: Plan, count: int) -> Iterator[int]:
    """Generate the number of saved frames in each file of an acquisition of `count` saved frames."""
    first_size = plan.first_file_frames or plan.frames_per_file or count
    yield min(first_size, count)
    frames_left = count - first_size
    while frames_left > 0:
        size = min(frames_left, plan.frames_per_file or frames_left)
        yield size
        frames_left -= size
