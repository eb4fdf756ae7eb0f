"""A law as people read it: LaTeX, MathML and one line of text, from one parsed formula."""

from mtl_laws.pipeline.symbolic.typeset.latex import formula_latex
from mtl_laws.pipeline.symbolic.typeset.mathml import formula_markup
from mtl_laws.pipeline.symbolic.typeset.plain import formula_text

__all__ = ["formula_latex", "formula_markup", "formula_text"]
