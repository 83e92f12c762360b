"""Pages and a header become fields, frames and times."""
