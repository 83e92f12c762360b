"""How many frames fit into memory at a time."""

from __future__ import annotations


def frames_at_a_time(frame_bytes: int, max_bytes: int = 64 << 20) -> int:
    """How many frames of `frame_bytes` fit into a chunk of `max_bytes`; at least 1."""
    return max(1, max_bytes // max(1, frame_bytes))
