"""The report's pictures."""

from mtl_laws.pipeline.report.figures.canvas import Drawing
from mtl_laws.pipeline.report.figures.gallery import Gallery, draw_gallery

__all__ = ["Drawing", "Gallery", "draw_gallery"]
