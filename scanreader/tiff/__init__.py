"""Pages of TIFF files, numbered from 0 across the files; knows TIFF, not ScanImage.

A file is indexed as runs of evenly spaced pages. ScanImage spaces pages evenly, so one run is inferred from the
first two IFDs and the file's size, and a few pages are probed: the time to open a file does not grow with its size.
Where that fails, the chain of IFDs is followed; pages that are not plain bytes are decoded by tifffile.
Every page that is read is compared with its own IFD.

Notes about what was read are appended to a list that the caller passes; nothing here warns.
"""
