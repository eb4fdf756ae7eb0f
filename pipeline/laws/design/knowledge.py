"""Knowledge: what laws or a table of results say before the next trials are chosen.

Notation
--------
N : rows with a target.    C : candidates.    F : factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.io.tablefile import numbers
from mtl_laws.pipeline.laws.bands import bound_ends
from mtl_laws.pipeline.laws.catalogue import theory
from mtl_laws.pipeline.laws.design.belief import RULES, DesignRules
from mtl_laws.pipeline.laws.design.plan import Missing
from mtl_laws.pipeline.laws.design.pool import factor_columns
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.record import SEPARATOR
from mtl_laws.pipeline.laws.rows import Indices, Rows, number_cells
from mtl_laws.pipeline.laws.rules import DataRules
from mtl_laws.pipeline.laws.score import seed_of
from mtl_laws.pipeline.symbolic.fit import fit_constants
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats, Tree

CANDIDATES = "candidates"


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What is known before the next trials.

    Attributes
    ----------
    factors : factor name -> column.
    groups : columns whose levels have constants of their own.
    rows : trials that were run; None without any.
    forms : templates of the laws that fit them about equally well; empty where none is known.
    domain : factor -> (low, high) in which the laws are valid; empty where nothing is known.
    open_rows : rows of the table without a target; None without any.
    needed : how many rows a law needs, in all and in each group.
    """

    factors: Mapping[str, str]
    groups: tuple[str, ...] = ()
    rows: Rows | None = None
    forms: tuple[Tree, ...] = ()
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    open_rows: pd.DataFrame | None = None
    needed: DataRules = field(default_factory=DataRules)

    @property
    def columns(self) -> Mapping[str, Floats]:
        """The factors (N,) of the rows; empty where there are too few for laws."""
        return self.rows.columns if self.forms and self.rows is not None else {}

    def missing(self, levels: Sequence[str]) -> Missing:
        """Trials that are missing until there are enough rows for laws.

        It is at least 1 where a factor or the target does not vary yet.

        Parameters
        ----------
        levels : names of the groups, those of the rows first; one name without groups.
        """
        least = self.needed.min_group_rows if self.groups else 0
        rows, alike = np.zeros(len(levels), np.int64), True
        if self.rows is not None:
            table = (*self.rows.columns.values(), self.rows.target)
            alike = any(len(np.unique(column[~np.isnan(column)])) < 2 for column in table)
            rows = np.bincount(self.rows.group_index, minlength=len(levels))
        in_groups = tuple(int(n) for n in np.maximum(least - rows, 0))
        in_all = max(self.needed.min_rows - int(rows.sum()), sum(in_groups), int(alike))
        return Missing(in_all=in_all, in_groups=in_groups)

    @staticmethod
    def of_laws(laws: LawSet, rules: DesignRules = RULES) -> Knowledge:
        """The laws of a search, with the rows that they were fitted to.

        Raises
        ------
        UserError
            if the rows are not there, or no law has constants.
        """
        table = laws.rows[laws.rows["role"] == "fit"].reset_index(drop=True)
        columns = {name: table[name].to_numpy(float) for name in laws.factors}
        levels = () if laws.groups is None else laws.groups.levels
        rows = Rows(
            columns,
            table[laws.target].to_numpy(float),
            table["cell"].to_numpy(np.int64),
            laws.target,
            bound_ends(laws.data.bounds or (None, None)),
            domains=dict(laws.data.domain),
            group=_codes(levels, table["group"]) if levels else None,
            levels=tuple(levels),
        )
        forms = equal_forms(laws, rules)
        if not forms:
            raise UserError("laws", "laws with constants that can be fitted again", laws.target)
        return Knowledge(
            factors={name: laws.data.columns.get(name, name) for name in laws.factors},
            groups=() if laws.groups is None else laws.groups.columns,
            rows=rows,
            forms=forms,
            domain=dict(laws.data.domain),
        )

    @staticmethod
    def of_table(
        table: pd.DataFrame, question: Question, source: str, rules: DesignRules = RULES
    ) -> Knowledge:
        """A table of results, which may still be empty.

        Where there are too few rows for a law, in all or in some group, no form is known.
        Otherwise the forms are the user's own; without any, those of the catalogue that fit best.

        Raises
        ------
        UserError
            if the question does not fit the table; the path is an attribute of `Question`.
        """
        if question.target not in table.columns:
            expected = nearest(question.target, map(str, table.columns), "a column of the table")
            raise UserError("target", expected, question.target)
        target = np.asarray(numbers(table, question.target, source), dtype=float)
        open_rows = table[np.isnan(target)]
        knowledge = Knowledge(
            factors=dict(question.factors),
            groups=tuple(question.groups),
            open_rows=open_rows if len(open_rows) else None,
            needed=question.rules.data,
        )
        run = table[~np.isnan(target)].reset_index(drop=True)
        columns = factor_columns(run, question.factors, source)
        group, levels = groups_of(run, knowledge.groups)
        rows = Rows(columns, target[~np.isnan(target)], number_cells(columns), question.target)
        if knowledge.groups:
            rows = replace(rows, group=group, levels=levels)
        knowledge = replace(knowledge, rows=rows if len(run) else None)
        if knowledge.missing(rows.levels or ("",)).in_all:
            return knowledge
        problem = pose(table, question, source)
        rows = problem.data
        forms = question.own_forms() or catalogue_forms(rows, question.seed, rules)
        return replace(knowledge, rows=rows, forms=forms)


def equal_forms(laws: LawSet, rules: DesignRules = RULES) -> tuple[Tree, ...]:
    """Templates of the selected law and of the valid laws that score about as well, best first."""
    pool = [law for law in (*laws.front, *laws.forms, *laws.theory) if law.valid and law.fitted]
    first = [laws.law]
    limit = rules.equal_error * _error(laws.law)
    ranked = sorted((law for law in pool if _error(law) <= limit), key=_error)
    trees = [Tree.parse(law.template, laws.factors).renumber() for law in (*first, *ranked)]
    return tuple(dict.fromkeys(tree for tree in trees if tree.constants))[: rules.forms]


def _error(law: Law) -> float:
    """Error of a law: on extrapolation folds, else on random folds, else on its rows."""
    for name in ("rmse_extrapolation", "rmse_cv", "rmse_train"):
        value = law.scores.get(name)
        if value is not None:
            return value
    return float("inf")


def catalogue_forms(rows: Rows, seed: int, rules: DesignRules = RULES) -> tuple[Tree, ...]:
    """The published forms that fit the rows best, by the Bayesian information criterion."""
    scores: dict[Tree, float] = {}
    count = len(rows)
    for form in theory(rows):
        expression = compiled(form.tree)
        constants = len(expression.constants) * max(len(rows.levels), 1)
        if constants < count:
            starts = propose_starts(
                expression, rows.sample, rules.starts, seed_of(expression.text, seed)
            )
            fit = fit_constants(expression, rows.sample, starts, rules.steps)
            if fit is not None:
                deviance = count * np.log(max(fit.error, 1e-300))
                scores[form.tree] = float(deviance + constants * np.log(count))
    ranked = sorted(scores, key=lambda tree: (scores[tree], tree.text))
    return tuple(ranked[: rules.forms])


def groups_of(
    table: pd.DataFrame,
    columns: Sequence[str],
    levels: tuple[str, ...] = (),
    path: str = CANDIDATES,
) -> tuple[Indices, tuple[str, ...]]:
    """Group (C,) of every row and the levels' names; zeros without groups.

    Raises
    ------
    UserError
        at `path`, if a column is missing, or a row is of a group that `levels` does not have.
    """
    if not columns:
        return np.zeros(len(table), np.int64), ()
    for column in columns:
        if column not in table.columns:
            expected = nearest(column, map(str, table.columns), "the column of the groups")
            raise UserError(path, expected, column)
    joined = table[columns[0]].astype(str)
    for column in columns[1:]:
        joined = joined + SEPARATOR + table[column].astype(str)
    names = levels or tuple(dict.fromkeys(joined))
    codes = _codes(names, joined)
    if (codes < 0).any():
        level = joined[codes < 0].iloc[0]
        raise UserError(path, nearest(level, names, "a group of the rows or the candidates"), level)
    return codes.astype(np.int64), names


def _codes(names: Sequence[str], values: pd.Series[str]) -> Indices:
    """The place of every value among the names; −1 for one that is not there."""
    return pd.Index(names).get_indexer(pd.Index(values.astype(str))).astype(np.int64)
