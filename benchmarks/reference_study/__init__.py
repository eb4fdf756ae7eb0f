"""Findings: the questions put to the reference tables, answered by a script."""
