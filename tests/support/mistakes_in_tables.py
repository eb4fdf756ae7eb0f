"""Mistakes in the words and the table of `mtl-laws fit`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from support.mistakes import ROWS, TABLE, Mistake, fit, grouped, held, table

HEAD = TABLE.splitlines()[0]
LONG = "n > 20" + " or n > 20" * 500
NOT_ONE = "comparisons"
MANY = range(20)


def named(path: str, *, factors: str) -> Mistake:
    """A factor of a name that no formula can hold."""
    return fit(path, factors=factors)


WORDS: dict[str, Mistake] = {
    "missing file": fit("none.csv", table="none.csv"),
    "a folder": fit(".", table="."),
    "unknown reference": fit(
        "reference:teacher-relatednes",
        table="reference:teacher-relatednes",
    ),
    "reference without a name": fit("reference:", table="reference:"),
    "unknown target": fit("table.csv", target="f2"),
    "empty target": fit("table.csv", target=""),
    "target of text": fit("table.csv, line 2, column word", target="word"),
    "constant target": fit("--target", target="same"),
    "target called cell": fit("--target", target="cell"),
    "missing column": fit("table.csv", factors="a=amy"),
    "text as a factor": fit("table.csv, line 2, column word", factors="n,w=word"),
    "one level": fit("--factors s", factors="n,s=same"),
    "no factor": fit("--factors", factors=""),
    "no column": fit("--factors", factors="n="),
    "no name": fit("--factors", factors="=n"),
    "a gap": fit("--factors", factors="n,,T"),
    "a colon for a sign": fit("--factors", factors="n:T"),
    "a column that is no name": fit("--factors", factors="my n,T"),
    "a factor twice": fit("--factors", factors="n=n,n=T"),
    "a column twice": fit("--factors m", factors="n,m=n"),
    "target as factor": fit("--factors x", factors="n,x=f1"),
    "factor called as target": fit("--factors f1", factors="f1=n"),
    "keyword": named("--factors lambda", factors="lambda=n"),
    "function": named("--factors sqrt", factors="sqrt=n"),
    "constant": named("--factors c0", factors="c0=n"),
    "role": named("--factors role", factors="role=n"),
    "cell": named("--factors cell", factors="cell=n"),
    "digit first": named("--factors 1n", factors="1n=n"),
    "a space": named("--factors my n", factors="my n=n"),
    "hostile name": named("--factors __import__(1)", factors="__import__(1)=n"),
    "path as name": named("--factors ../n", factors="../n=n"),
    "ligature": fit("--factors ﬁ", factors="ﬁ=n"),
    "bounds reversed": fit("--bounds", bounds="1,0"),
    "bounds equal": fit("--bounds", bounds="1,1"),
    "bounds of text": fit("--bounds", bounds="low,high"),
    "one bound": fit("--bounds", bounds="1"),
    "three bounds": fit("--bounds", bounds="0,1,2"),
    "bounds not finite": fit("--bounds", bounds="nan,1"),
    "bounds too narrow": fit("--bounds", bounds="0,0.55"),
    "domain of no factor": fit("--domain amy", domain="amy=0:1"),
    "domain reversed": fit("--domain ami", domain="ami=1:0"),
    "domain infinite": fit("--domain", domain="ami=0:inf"),
    "domain half open": fit("--domain", domain="ami=0:"),
    "domain of text": fit("--domain", domain="ami=a:b"),
    "domain twice": fit(
        "--domain",
        more=("--domain", "ami=0:1", "--domain", "ami=0:2"),
    ),
    "no row held out": held("n > 99"),
    "every row held out": held("n > 0"),
    "too few rows left": fit("table.csv", ("--hold-out", "n > 10")),
    "unfinished condition": held("n >"),
    "no condition": held(""),
    "one equals sign": held("n = 5"),
    "unknown name": held("amy > 0.5"),
    "a number": held("1"),
    "a truth value": held("n > True"),
    "text compared": held("n > '5'"),
    "a call": held("max(n) > 5"),
    "an attribute": held("n.size > 5"),
    "an item": held("n[0] > 5"),
    "a lambda": held("(lambda: n > 5)()"),
    "a loop": held("[n > 5 for n in T]"),
    "a walrus": held("(n := 5) > 4"),
    "no decimal": held("5and n>3"),
    "two lines": held("n>5\nT>2"),
    "very long": held(LONG),
    "very deep": held("(" * 900 + "n"),
    "huge number": held("n > " + "9" * 1500),
    "unknown engine": fit("--engine", engine="pyser"),
    "engine not ready": fit("--engine", engine="pysr"),
    "unknown budget": fit("--budget", budget="huge"),
    "no time": fit("--time-limit", more=("--time-limit", "0")),
    "negative time": fit("--time-limit", more=("--time-limit", "-5")),
    "time not a number": fit("--time-limit", more=("--time-limit", "nan")),
    "time as text": fit("--time-limit", more=("--time-limit", "soon")),
    "negative seed": fit("--seed", seed="-1"),
    "endless seed": fit("--seed", seed="9" * 30),
    "seed as text": fit("--seed", seed="x"),
    "no jobs": fit("--jobs", jobs="0"),
    "negative jobs": fit("--jobs", jobs="-3"),
    "out is a file": fit("--out", out="table.csv"),
    "out in a file": fit("--out", out="table.csv/new"),
    "out that cannot be": fit("--out", out="/dev/null/new"),
    "out of no name": fit("--out", out="a\0b"),
}


def with_column(values: list[str], name: str = "n") -> str:
    """A table of 20 rows, one column with these values, the others sound."""
    columns = {
        "n": [str(10 * (k + 1)) for k in MANY],
        "T": [str(1 + k % 3) for k in MANY],
        "ami": [str(k / 20) for k in MANY],
        "f1": [str(0.5 + k / 50) for k in MANY],
    }
    columns[name] = values
    lines = [",".join(cells) for cells in zip(*columns.values(), strict=True)]
    return "\n".join([",".join(columns), *lines]) + "\n"


def parquet(**changed: Any) -> bytes:
    """A table of 20 rows as Parquet, sound but for these columns."""
    columns = {"n": range(1, 21), "T": [1, 2] * 10, "ami": [k / 20 for k in MANY]}
    whole = pd.DataFrame({**columns, "f1": [0.5 + k / 50 for k in MANY], **changed})
    return whole.to_parquet()


TABLES: dict[str, Mistake] = {
    "empty file": table("", "mine.csv"),
    "blank lines": table("\n \n\n", "mine.csv"),
    "header only": table(HEAD + "\n", "mine.csv"),
    "too few rows": table("\n".join([HEAD, *ROWS[:7]]), "mine.csv"),
    "no target at all": table(with_column([""] * 20, "f1"), "mine.csv"),
    "text in a cell": table(TABLE.replace("0.53", "abc"), "mine.csv, line 3, column f1"),
    "infinite cell": table(TABLE.replace("0.53", "inf"), "mine.csv, line 3, column f1"),
    "overflowing cell": table(TABLE.replace("0.53", "1e999"), "mine.csv, line 3, column f1"),
    "huge cell": table(TABLE.replace("0.53", "1e300"), "mine.csv, column f1"),
    "decimal comma": table(TABLE.replace("0.53", "0,53"), "mine.csv, line 3"),
    "short row": table(TABLE.replace("0.53,", ""), "mine.csv, line 3"),
    "column twice": table(TABLE.replace("n,T", "n,n", 1), "mine.csv, line 1"),
    "column without a name": table(TABLE.replace("n,T", "n,", 1), "mine.csv, line 1"),
    "spaces between": table(TABLE.replace(",", " "), "mine.csv"),
    "colons between": table(TABLE.replace(",", ":"), "mine.csv"),
    "open quote": table('"' + TABLE, "mine.csv, line 1"),
    "binary": table(b"\x89PNG\r\n\x1a\n" + b"\0\1" * 99, "mine.csv, line 1"),
    "null bytes": table(b"\0" * 300, "mine.csv"),
    "Latin-1": table(TABLE.encode() + b"10,1,,0.5,3,\xe9\n", "mine.csv, line 14"),
    "half of UTF-16": table(TABLE.encode("utf-16")[:-1], "mine.csv, line 13"),
    "damaged Parquet": table(b"PAR1" + b"?" * 99 + b"PAR1", "mine.csv"),
    "JSON": table('{"n": [1, 2]}', "mine.csv, line 1, key n"),
    "dates": table(with_column(["2020-01-01"] * 20), "mine.csv, line 2, column n"),
    "truth values": table(with_column(["yes"] * 20), "mine.csv, line 2, column n"),
    "nothing in a factor": table(with_column([""] * 20, "ami"), "--factors ami"),
    "one value in a factor": table(with_column(["40"] * 20), "--factors n"),
    "rounding as target": table(
        with_column(["0.3", "0.30000000000000004"] * 10, "f1"),
        "--target",
    ),
    "terminal codes": table("\x1b[31mn\n" + "1\n" * 9, "mine.csv"),
    "Parquet of dates": table(
        parquet(n=pd.date_range("2020-01-01", periods=20)),
        "mine.parquet, row 1, column n",
        name="mine.parquet",
    ),
    "Parquet of times": table(
        parquet(n=pd.to_timedelta(range(20), unit="s")),
        "mine.parquet, row 1, column n",
        name="mine.parquet",
    ),
    "Parquet of lists": table(
        parquet(n=[[1]] * 20), "mine.parquet, row 1, column n", name="mine.parquet"
    ),
    "Parquet of bytes": table(
        parquet(n=[b"1"] * 20), "mine.parquet, row 1, column n", name="mine.parquet"
    ),
    "infinite in Parquet": table(
        parquet(f1=[0.5, np.inf] * 10), "mine.parquet, row 2, column f1", name="mine.parquet"
    ),
}


def with_more(name: str, values: Iterable[object]) -> str:
    """A sound table of n and f1 in 20 rows, with one more column of these values."""
    lines = [
        f"{10 * (k + 1)},{0.5 + k / 50},{value}" for k, value in zip(MANY, values, strict=True)
    ]
    return "\n".join([f"n,f1,{name}", *lines]) + "\n"


def sd(path: str, *, column: Iterable[object]) -> Mistake:
    """`mtl-laws fit --sd s` on a table whose column s holds these values."""
    return grouped(with_more("s", column), path, more=("--sd", "s"))


def weights(path: str, *, column: Iterable[object]) -> Mistake:
    """`mtl-laws fit --weights w` on a table whose column w holds these values."""
    return grouped(with_more("w", column), path, more=("--weights", "w"))


def where(condition: str) -> Mistake:
    """`mtl-laws fit` on the sound table with this condition on its rows."""
    return fit("--where", more=("--where", condition))


NO_CONDITION = "expected comparisons (< <= > >= == !=) of columns and numbers"
TEN_THOUSAND = "\n".join(["n,f1,g", *(f"{k},{k / 1e5},g{k}" for k in range(10_000))]) + "\n"
LEVELS = ["a"] * 10 + ["b"] * 10
GROUPS: dict[str, Mistake] = {
    "10,000 levels": grouped(TEN_THOUSAND, "--groups"),
    "one row": grouped(with_more("g", ["a"] * 19 + ["b"]), "--groups"),
    "no group of four rows": grouped(with_more("g", [f"g{k // 2}" for k in MANY]), "--groups"),
    "missing column": fit("--groups", more=("--groups", "wrd")),
    "empty cells": grouped(with_more("g", ["a", ""] * 10), "--groups"),
    "a factor": fit("--groups", more=("--groups", "T")),
    "the target": fit("--groups", more=("--groups", "f1")),
    "a column twice": fit("--groups", more=("--groups", "word,word")),
    "a gap": fit("--groups", more=("--groups", "word,")),
    "nothing": fit("--groups", more=("--groups", "")),
    "held out whole": grouped(
        with_more("g", LEVELS),
        "--groups",
        more=("--groups", "g", "--hold-out", "n > 100"),
    ),
    "sd of zeros": sd("--sd", column=[0] * 20),
    "negative sd": sd("--sd", column=[1, -1] * 10),
    "missing sd": sd("--sd", column=[1, ""] * 10),
    "sd of text": sd("mine.csv, line 2, column s", column=["x"] * 20),
    "infinite sd": sd("mine.csv, line 3, column s", column=[1, "inf"] * 10),
    "no such sd": fit("--sd", more=("--sd", "f2")),
    "sd that is a factor": fit("--sd", more=("--sd", "n")),
    "weights of zeros": weights("--weights", column=[0] * 20),
    "negative weights": weights("--weights", column=[1, -2] * 10),
    "missing weights": weights("--weights", column=[1, ""] * 10),
    "weights of text": weights("mine.csv, line 2, column w", column=["x"] * 20),
    "sd and weights": fit(
        "--weights",
        more=("--sd", "same", "--weights", "same"),
    ),
    "unknown loss": fit("--loss", more=("--loss", "foo")),
    "no row met": where("n > 99"),
    "every row met": where("n > 0"),
    "no such text": where('word == "x"'),
    "unknown column": where("amy > 0"),
    "unfinished": where("n >"),
    "empty": where(""),
    "a number": where("1"),
    "text of no column": where("'a' < 'b'"),
    "text above text": where("word > 'w10'"),
    "text beside a number": where("word == 3"),
    "number beside a text": where("n == '3'"),
    "a chain of texts": where("'w10' == word == word"),
    "sum of texts": where("word + 1 > 2"),
    "hostile": where("__import__('os').system('touch marker')"),
    "an attribute": where("word.size > 5"),
    "very long": where(LONG),
    "too few rows left": fit("table.csv", more=("--where", "n == 10")),
}
