"""Writes small, byte-true ScanImage recordings: for tests, demo, docs, and users' own pipelines.

The containers are written byte by byte; `Recording` makes up what goes into them. Nothing here knows how recordings
are read: all is worked out anew, so that the reader can be checked against it.
"""

from scanreader.simulate.containers import SLOT, Image, Resolution, write_bigtiff, write_classic
from scanreader.simulate.demo import DEMO
from scanreader.simulate.literals import Cell, Column, Verbatim, json_header, literal, plain_header, roi_json
from scanreader.simulate.plan import Logged
from scanreader.simulate.recording import Recording
from scanreader.simulate.releases import RELEASES
from scanreader.simulate.rois import roi, roi_groups, scanfield

__all__ = [
    "DEMO",
    "RELEASES",
    "SLOT",
    "Cell",
    "Column",
    "Image",
    "Logged",
    "Recording",
    "Resolution",
    "Verbatim",
    "json_header",
    "literal",
    "plain_header",
    "roi",
    "roi_groups",
    "roi_json",
    "scanfield",
    "write_bigtiff",
    "write_classic",
]
