"""The results and the laws of a run or a fit as a dataset to publish, and the dataset read back."""

from mtl_laws.pipeline.export.dataset import export_results, read_export
from mtl_laws.pipeline.export.formats import (
    TableFormat,
    export_format,
    export_names,
    register_export,
)
from mtl_laws.pipeline.export.publication import Publication
from mtl_laws.pipeline.export.tables import PublishedTable

__all__ = [
    "Publication",
    "PublishedTable",
    "TableFormat",
    "export_format",
    "export_names",
    "export_results",
    "read_export",
    "register_export",
]
