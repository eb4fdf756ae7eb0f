"""Reports: one law, its rivals, its evidence and its data, as HTML and Markdown."""

from mtl_laws.pipeline.report.page import ReportContext
from mtl_laws.pipeline.report.write import write_report

__all__ = ["ReportContext", "write_report"]
