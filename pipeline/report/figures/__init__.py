"""The report's pictures."""

from pipeline.report.figures.canvas import Drawing
from pipeline.report.figures.gallery import Gallery, draw_gallery

__all__ = ["Drawing", "Gallery", "draw_gallery"]
