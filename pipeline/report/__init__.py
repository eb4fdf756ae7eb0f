"""Reports: one law, its rivals, its evidence and its data, as HTML and Markdown."""

from mtl_laws.pipeline.report.page import ReportContext
from mtl_laws.pipeline.report.write import remove_report, write_report

__all__ = ["ReportContext", "remove_report", "write_report"]
