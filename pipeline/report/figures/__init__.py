"""The report's figures: a canvas, and one module for each kind."""
