"""How much is held in memory at a time."""

from __future__ import annotations


def frames_at_a_time(frame_bytes: int, most: int = 64 << 20) -> int:
    """How many whole frames of so many bytes fit into a chunk of about 64 MiB."""
    return max(1, most // max(1, frame_bytes))
