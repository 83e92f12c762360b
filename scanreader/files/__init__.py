"""Bytes of local files and of files behind URLs; knows nothing of their contents."""
