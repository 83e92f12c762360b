"""Four strips that touch, read as one picture, without the pixel at each strip's left and right edge."""

import tempfile

from scanreader import read_scan
from scanreader.simulate import Recording, roi, scanfield

shapes = [scanfield((2.0 * i, 0.0), (2.0, 8.0), (32, 128)) for i in range(4)]
strips = tuple(roi(shape, name=f"strip {i}") for i, shape in enumerate(shapes))

with tempfile.TemporaryDirectory() as folder:
    (path,) = Recording(rois=strips, frames_per_slice=20, scanner_frequency=12013.0).write(folder)

    for field in read_scan(path).fields:
        size, rows = f"{field.height} x {field.width}", field.yslices[0]
        print(f"{field.name}: {size} pixels, rows {rows.start} to {rows.stop - 1} of the page")

    scan = read_scan(path, join_contiguous=True).trimmed(left=1, right=1)
    (field,) = scan.fields
    mosaic = scan[0, :, :, 0, :].mean(axis=-1)
    print(f"joined: {mosaic.shape[0]} x {mosaic.shape[1]} pixels", end=", ")
    print(f"{field.height_in_microns:g} x {field.width_in_microns:g} um")
