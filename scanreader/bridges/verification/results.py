"""What comparing a target with its recording found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from scanreader.bridges.verification.left_out import LeftOut


class Difference(NamedTuple):
    """Something that differs between a target and the recording."""

    what: str
    """``"pixels"``, ``"facts"`` (times, positions in µm, names, texts) or ``"files"`` (files, images or arrays that are
    missing, or that should not be there)."""
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Verification:
    """What comparing a target with its recording found."""

    target: Path
    kind: str
    """The target's format, in words."""
    library: str
    """The library that read the target."""
    num_pixels: int
    """Values that were compared."""
    differences: tuple[Difference, ...]
    left_out: tuple[LeftOut, ...]
    """What the target does not have of the recording, and why."""
    receipt: Path | None
    """The file with the digests of all pages."""

    @property
    def ok(self) -> bool:
        """Whether the target has every pixel, every time, and every position and size in µm of the scan."""
        return not self.differences

    def __str__(self) -> str:
        verdict = "equal" if self.ok else f"{len(self.differences):,} differences"
        lines = [f"{self.target.name}, {self.kind}: {verdict}, {self.num_pixels:,} pixels compared ({self.library})"]
        lines += [f"  differs: {difference}" for difference in self.differences]
        lines += [f"  left out: {omission}" for omission in self.left_out]
        return "\n".join(lines)
