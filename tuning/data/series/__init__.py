"""Series: read on a regular time grid, split by time, cut into windows with features."""
