"""Plug-ins for napari and xarray, found by their entry points; they open recordings with `read_scan`."""
