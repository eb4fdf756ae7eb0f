"""A law as people read it: LaTeX, MathML and one line of text, from one parsed formula."""

from pipeline.laws.typeset.latex import formula_latex
from pipeline.laws.typeset.mathml import formula_markup
from pipeline.laws.typeset.plain import formula_text

__all__ = ["formula_latex", "formula_markup", "formula_text"]
