"""What a recording looks like: pictures of it, and how they are placed."""
