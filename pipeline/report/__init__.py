"""Reports: one law, its rivals, its evidence and its data, as HTML and Markdown."""

from pipeline.report.context import ReportContext
from pipeline.report.writer import write_report

__all__ = ["ReportContext", "write_report"]
