"""Closed forms: parsed, typeset, evaluated, fitted. Knows no tasks, files or terminals."""
