"""Pages of TIFF files, numbered from 0 across the files; knows TIFF, not ScanImage.

A file is indexed as runs of evenly spaced pages. ScanImage spaces them evenly, so one run is supposed from
the first two IFDs and the file's size, and a handful of pages is probed: opening does not grow with the file.
Where that fails the chain of IFDs is walked, and pages that are not plain bytes are left to tifffile.
Every page that is read is compared with its own IFD as its bytes pass.

What is noticed while pages are read is appended to a list that the caller gives; nothing here warns.
"""
