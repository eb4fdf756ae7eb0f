"""A law as people read it: LaTeX, MathML and one line of text, from one parsed formula."""

from pipeline.symbolic.typeset.latex import formula_latex
from pipeline.symbolic.typeset.mathml import formula_markup
from pipeline.symbolic.typeset.plain import formula_text

__all__ = ["formula_latex", "formula_markup", "formula_text"]
