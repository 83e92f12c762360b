"""Four strips that touch, read as one picture, without the pixel at each strip's left and right edge."""

import tempfile

from scanreader import read_scan
from scanreader.simulate import Recording, roi, scanfield

strips = tuple(roi(scanfield((2.0 * i, 0.0), (2.0, 8.0), (32, 128)), name=f"strip {i}") for i in range(4))

with tempfile.TemporaryDirectory() as folder:
    (path,) = Recording(rois=strips, frames_per_slice=20, scanner_frequency=12013.0).write(folder)
    scan = read_scan(path, join_contiguous=True)
    (field,) = scan.fields

    inside = [x for s in field.output_xslices for x in range(s.start + 1, s.stop - 1)]
    mosaic = scan[0, :, inside, 0, :].mean(axis=-1)
    print(f"{len(field.pieces)} strips, {field.height} x {field.width} pixels, trimmed to {mosaic.shape}")
    print(f"{field.height_in_microns:g} x {field.width_in_microns:g} um")
