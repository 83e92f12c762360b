"""Proof that what was written has every pixel, time and µm of the recording: read back, compared, and certified."""
