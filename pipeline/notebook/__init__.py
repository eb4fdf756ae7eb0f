"""What a notebook works with: laws and advice that show themselves, and the ways to get them."""

from pipeline.notebook.advice import AdviceSettings, advise
from pipeline.notebook.search import SearchSettings, fit_laws, run

__all__ = ["AdviceSettings", "SearchSettings", "advise", "fit_laws", "run"]
