"""Bytes of files, here and behind URLs; knows nothing of what they say."""
