"""Writes small ScanImage recordings, exact to the byte: for tests, the demo, the docs, and users' own pipelines.

The TIFF files are written byte by byte; `Recording` makes up their content. Nothing here uses the code that reads
recordings: everything is computed independently, so that the reader can be checked against it.
"""

from scanreader.simulate.beside import Motion, write_integration, write_motion, write_stim
from scanreader.simulate.containers import SLOT, Image, Resolution, write_bigtiff, write_classic
from scanreader.simulate.demo import DEMO
from scanreader.simulate.line_scans import LineScanRecording
from scanreader.simulate.literals import Cell, Column, Verbatim, json_header, literal, plain_header, roi_json
from scanreader.simulate.plan import Logged
from scanreader.simulate.recording import Recording
from scanreader.simulate.releases import RELEASES
from scanreader.simulate.rois import roi, roi_groups, scanfield
from scanreader.simulate.stimuli import integration_roi, stimulus, stimulus_group
from scanreader.simulate.tissue import with_tissue

__all__ = [
    "DEMO",
    "RELEASES",
    "SLOT",
    "Cell",
    "Column",
    "Image",
    "LineScanRecording",
    "Logged",
    "Motion",
    "Recording",
    "Resolution",
    "Verbatim",
    "integration_roi",
    "json_header",
    "literal",
    "plain_header",
    "roi",
    "roi_groups",
    "roi_json",
    "scanfield",
    "stimulus",
    "stimulus_group",
    "with_tissue",
    "write_bigtiff",
    "write_classic",
    "write_integration",
    "write_motion",
    "write_stim",
]
