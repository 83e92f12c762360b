"""Ends of the names of a line scan's files."""

from __future__ import annotations

META, DATA, POSITIONS, REFERENCE = ".meta.txt", ".pmt.dat", ".scnnr.dat", ".ref.dat"
SUFFIXES = (META, DATA, POSITIONS, REFERENCE)
