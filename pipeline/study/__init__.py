"""Running: groups of trials to workers and their results back, one run at a time in a folder."""
