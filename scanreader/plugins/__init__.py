"""What other programs find by their entry points: they open recordings with `read_scan`."""
