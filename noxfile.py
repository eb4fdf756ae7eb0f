"""Sessions of nox."""
