"""Running: groups of cells to workers and their results back, one run at a time in a folder."""
