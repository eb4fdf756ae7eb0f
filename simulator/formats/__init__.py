"""Export formats: how a TaskSet's splits are written to files and read back."""
