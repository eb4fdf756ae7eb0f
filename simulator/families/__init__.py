"""Families: recipes for T tasks at a requested relatedness."""
