"""Mistakes in the words and the table of `mtl-laws fit`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mistakes import ROWS, TABLE, Mistake, fit, grouped, held, table

HEAD = TABLE.splitlines()[0]
LONG = "n > 20" + " or n > 20" * 500
NOT_ONE = "comparisons"
MANY = range(20)


def named(*names: str, factors: str) -> Mistake:
    """A factor of a name that no formula can hold."""
    return fit("--factors", "letters, digits and _", *names, factors=factors)


WORDS: dict[str, Mistake] = {
    "missing file": fit(
        "none.csv: no such file or directory; expected the path of a CSV or", table="none.csv"
    ),
    "a folder": fit("is a directory", "CSV or Parquet", table="."),
    "unknown reference": fit(
        *("reference:teacher-relatednes", "nearest is 'teacher-relatedness'", "sharing"),
        table="reference:teacher-relatednes",
    ),
    "reference without a name": fit("reference:", "a reference table", table="reference:"),
    "unknown target": fit("table.csv", "'f2'", "nearest is 'f1'", target="f2"),
    "empty target": fit("table.csv", "''", "a column of the table", target=""),
    "target of text": fit("column word", "'w10'", "a finite number", target="word"),
    "constant target": fit("--target", "3.0", "at least two values", target="same"),
    "target called cell": fit("--target", "'cell'", "rename it", target="cell"),
    "missing column": fit("table.csv", "'amy'", "nearest is 'ami'", factors="a=amy"),
    "text as a factor": fit("line 2, column word", "'w10'", "finite number", factors="n,w=word"),
    "one level": fit("--factors s", "3.0", "at least two levels", factors="n,s=same"),
    "no factor": fit("--factors", "''", "NAME=COLUMN", factors=""),
    "no column": fit("--factors", "'n='", "NAME=COLUMN", factors="n="),
    "no name": fit("--factors", "'=n'", "NAME=COLUMN", factors="=n"),
    "a gap": fit("--factors", "'n,,T'", "NAME=COLUMN", factors="n,,T"),
    "a colon for a sign": fit(
        "--factors: ", "'n:T'", "NAME=COLUMN", "did you mean n=T?", factors="n:T"
    ),
    "a column that is no name": fit("--factors: ", "'my n'", "needs a NAME", factors="my n,T"),
    "a factor twice": fit("--factors", "'n=n,n=T'", "every factor once", factors="n=n,n=T"),
    "a column twice": fit("--factors m", "'n'", "n does not stand for", factors="n,m=n"),
    "target as factor": fit("--factors x", "'f1'", "other than the target's", factors="n,x=f1"),
    "factor called as target": fit("--factors", "'f1'", "other than the", factors="f1=n"),
    "keyword": named("'lambda'", factors="lambda=n"),
    "function": named("'sqrt'", factors="sqrt=n"),
    "constant": named("'c0'", factors="c0=n"),
    "role": named("'role'", factors="role=n"),
    "cell": named("'cell'", factors="cell=n"),
    "digit first": named("'1n'", "another name", factors="1n=n"),
    "a space": named("'my n'", factors="my n=n"),
    "hostile name": named("'__import__(1)'", factors="__import__(1)=n"),
    "path as name": named("'../n'", factors="../n=n"),
    "ligature": fit("--factors", "'ﬁ'", "as Python reads it, 'fi'", factors="ﬁ=n"),
    "bounds reversed": fit("--bounds", "(1.0, 0.0)", "lowest value below", bounds="1,0"),
    "bounds equal": fit("--bounds", "(1.0, 1.0)", "lowest value below", bounds="1,1"),
    "bounds of text": fit("--bounds", "'low,high'", "LOW,HIGH", bounds="low,high"),
    "one bound": fit("--bounds", "'1'", "LOW,HIGH", bounds="1"),
    "three bounds": fit("--bounds", "'0,1,2'", "LOW,HIGH", bounds="0,1,2"),
    "bounds not finite": fit("--bounds", "'nan,1'", "LOW,HIGH", bounds="nan,1"),
    "bounds too narrow": fit("--bounds", "(0.0, 0.55)", "0.56 too", bounds="0,0.55"),
    "domain of no factor": fit("--domain", "'amy'", "valid: n", domain="amy=0:1"),
    "domain reversed": fit("--domain ami", "(1.0, 0.0)", "low end below", domain="ami=1:0"),
    "domain infinite": fit("--domain", "'ami=0:inf'", "FACTOR=LOW:HIGH", domain="ami=0:inf"),
    "domain half open": fit("--domain", "'ami=0:'", "FACTOR=LOW:HIGH", domain="ami=0:"),
    "domain of text": fit("--domain", "'ami=a:b'", "FACTOR=LOW:HIGH", domain="ami=a:b"),
    "domain twice": fit(
        *("--domain", "'ami=0:2'", "one domain per factor"),
        more=("--domain", "ami=0:1", "--domain", "ami=0:2"),
    ),
    "no row held out": held("n > 99", "no row meets it", "from 10 to 80"),
    "every row held out": held("n > 0", "every row meets it"),
    "too few rows left": fit("table.csv", "'3 rows to fit'", "8 rows", **{"hold-out": "n > 10"}),
    "unfinished condition": held("n >", "'n >'", NOT_ONE),
    "no condition": held("", "''", NOT_ONE),
    "one equals sign": held("n = 5", "'n = 5'", "==", NOT_ONE),
    "unknown name": held("amy > 0.5", "'amy'", "'ami'"),
    "a number": held("1", "'1'", NOT_ONE),
    "a truth value": held("n > True", "True", NOT_ONE),
    "text compared": held("n > '5'", "n > '5'", NOT_ONE),
    "a call": held("max(n) > 5", "max(n)", NOT_ONE),
    "an attribute": held("n.size > 5", "n.size", NOT_ONE),
    "an item": held("n[0] > 5", "n[0]", NOT_ONE),
    "a lambda": held("(lambda: n > 5)()", "lambda", NOT_ONE),
    "a loop": held("[n > 5 for n in T]", "for n in", NOT_ONE),
    "a walrus": held("(n := 5) > 4", ":=", NOT_ONE),
    "no decimal": held("5and n>3", "'5and n>3'", NOT_ONE),
    "two lines": held("n>5\nT>2", "'n>5\\nT>2'", NOT_ONE),
    "very long": held(LONG, "'n > 20 or", NOT_ONE),
    "very deep": held("(" * 900 + "n", "'((((", NOT_ONE),
    "huge number": held("n > " + "9" * 1500, "9999", NOT_ONE),
    "unknown engine": fit("--engine", "'pyser'", "pysr, operon", engine="pyser"),
    "engine not ready": fit("--engine", "'pysr'", "engines --install pysr", engine="pysr"),
    "unknown budget": fit("--budget", "'huge'", "quick, standard, thorough", budget="huge"),
    "no time": fit("--time-limit", "0.0", "more than 0", more=("--time-limit", "0")),
    "negative time": fit("--time-limit", "-5.0", "more than 0", more=("--time-limit", "-5")),
    "time not a number": fit("--time-limit", "nan", "more than 0", more=("--time-limit", "nan")),
    "time as text": fit("--time-limit", "'soon'", "number", more=("--time-limit", "soon")),
    "negative seed": fit("--seed", "-1", "from 0 to 4294967295", seed="-1"),
    "endless seed": fit("--seed", "9" * 30, "from 0 to 4294967295", seed="9" * 30),
    "seed as text": fit("--seed", "'x'", "a whole number, got", seed="x"),
    "no jobs": fit("--jobs", "0", "-1 for one per core", jobs="0"),
    "negative jobs": fit("--jobs", "-3", "-1 for one per core", jobs="-3"),
    "out is a file": fit("--out", "'table.csv'", "a folder", out="table.csv"),
    "out in a file": fit("--out", "'table.csv/new'", "a folder", out="table.csv/new"),
    "out that cannot be": fit("--out", "'/dev/null/new'", "a folder", out="/dev/null/new"),
    "out of no name": fit("--out", "'a\\x00b'", "null byte", out="a\0b"),
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
    "empty file": table("", "mine.csv: an empty file; expected", "Parquet"),
    "blank lines": table("\n \n\n", "mine.csv: an empty file; expected", "Parquet"),
    "header only": table(HEAD + "\n", "mine.csv", "no rows", "one row or more"),
    "too few rows": table("\n".join([HEAD, *ROWS[:7]]), "mine.csv", "'7 rows to fit'", "8 rows"),
    "no target at all": table(with_column([""] * 20, "f1"), "'0 rows to fit'", "value of f1"),
    "text in a cell": table(TABLE.replace("0.53", "abc"), "line 3, column f1", "'abc'", "number"),
    "infinite cell": table(TABLE.replace("0.53", "inf"), "line 3, column f1", "inf", "finite"),
    "overflowing cell": table(TABLE.replace("0.53", "1e999"), "line 3, column f1", "inf", "finite"),
    "huge cell": table(TABLE.replace("0.53", "1e300"), "column f1", "1e+300", "at most 1e+100"),
    "decimal comma": table(TABLE.replace("0.53", "0,53"), "line 3", "'7 values'", "6 values"),
    "short row": table(TABLE.replace("0.53,", ""), "line 3", "'5 values'", "as in the header"),
    "column twice": table(TABLE.replace("n,T", "n,n", 1), "line 1", "'n'", "name once"),
    "column without a name": table(TABLE.replace("n,T", "n,", 1), "'column 2'", "a name for every"),
    "spaces between": table(TABLE.replace(",", " "), "mine.csv", "'f1'", "n T ami f1"),
    "colons between": table(TABLE.replace(",", ":"), "mine.csv", "'f1'", "n:T:ami:f1"),
    "open quote": table('"' + TABLE, "mine.csv, line 1", "end of data", "comma-separated"),
    "binary": table(b"\x89PNG\r\n\x1a\n" + b"\0\1" * 99, "mine.csv, line 1", "0x89", "UTF-8"),
    "null bytes": table(b"\0" * 300, "mine.csv", "no rows", "one row or more"),
    "Latin-1": table(TABLE.encode() + b"10,1,,0.5,3,\xe9\n", "line 14", "0xe9", "UTF-8"),
    "half of UTF-16": table(TABLE.encode("utf-16")[:-1], "mine.csv, line", "UTF-16"),
    "damaged Parquet": table(b"PAR1" + b"?" * 99 + b"PAR1", "mine.csv", "damaged", "whole Parquet"),
    "JSON": table('{"n": [1, 2]}', "mine.csv, line 1", "'[1, 2]'", "a number or a text"),
    "dates": table(with_column(["2020-01-01"] * 20), "line 2, column n", "'2020-01-01'", "number"),
    "truth values": table(
        with_column(["yes"] * 20), "line 2, column n", "'yes'", "a finite number"
    ),
    "nothing in a factor": table(
        with_column([""] * 20, "ami"), "--factors ami", "'no value'", "two"
    ),
    "one value in a factor": table(with_column(["40"] * 20), "--factors n", "40.0", "two levels"),
    "rounding as target": table(
        with_column(["0.3", "0.30000000000000004"] * 10, "f1"),
        *("--target: ", "0.3", "at least two values"),
    ),
    "terminal codes": table("\x1b[31mn\n" + "1\n" * 9, "mine.csv", "'f1'", "valid: \\x1b[31mn"),
    "Parquet of dates": table(
        parquet(n=pd.date_range("2020-01-01", periods=20)),
        *("row 1, column n", "'2020-01-01 00:00:00'", "a finite number"),
        name="mine.parquet",
    ),
    "Parquet of times": table(
        parquet(n=pd.to_timedelta(range(20), unit="s")),
        *("row 1, column n", "'0 days 00:00:00'", "a finite number"),
        name="mine.parquet",
    ),
    "Parquet of lists": table(
        parquet(n=[[1]] * 20), "row 1, column n", "'[1]'", "a finite number", name="mine.parquet"
    ),
    "Parquet of bytes": table(
        parquet(n=[b"1"] * 20), "row 1, column n", "b'1'", "a finite number", name="mine.parquet"
    ),
    "infinite in Parquet": table(
        parquet(f1=[0.5, np.inf] * 10), "row 2, column f1: ", "got inf", name="mine.parquet"
    ),
}


def with_more(name: str, values: Iterable[object]) -> str:
    """A sound table of n and f1 in 20 rows, with one more column of these values."""
    lines = [
        f"{10 * (k + 1)},{0.5 + k / 50},{value}" for k, value in zip(MANY, values, strict=True)
    ]
    return "\n".join([f"n,f1,{name}", *lines]) + "\n"


def sd(*names: str, column: Iterable[object]) -> Mistake:
    """`mtl-laws fit --sd s` on a table whose column s holds these values."""
    return grouped(with_more("s", column), *names, more=("--sd", "s"))


def weights(*names: str, column: Iterable[object]) -> Mistake:
    """`mtl-laws fit --weights w` on a table whose column w holds these values."""
    return grouped(with_more("w", column), *names, more=("--weights", "w"))


def where(condition: str, *names: str) -> Mistake:
    """`mtl-laws fit` on the sound table with this condition on its rows."""
    return fit("--where: ", *names, more=("--where", condition))


NO_CONDITION = "expected comparisons (< <= > >= == !=) of columns and numbers"
TEN_THOUSAND = "\n".join(["n,f1,g", *(f"{k},{k / 1e5},g{k}" for k in range(10_000))]) + "\n"
LEVELS = ["a"] * 10 + ["b"] * 10
GROUPS: dict[str, Mistake] = {
    "10,000 levels": grouped(
        TEN_THOUSAND, "--groups: ", "'g'", "at most 500 levels", "there are 10000"
    ),
    "one row": grouped(
        with_more("g", ["a"] * 19 + ["b"]), "--groups: ", "'g'", "at least 2 rows", "'b' has 1"
    ),
    "no group of four rows": grouped(
        with_more("g", [f"g{k // 2}" for k in MANY]), "--groups: ", "'g'", "group of 4 rows or more"
    ),
    "missing column": fit("--groups: ", "'wrd'", "nearest is 'word'", more=("--groups", "wrd")),
    "empty cells": grouped(
        with_more("g", ["a", ""] * 10), "--groups: ", "'g'", "a level in every row", "are empty"
    ),
    "a factor": fit("--groups: ", "'T'", "neither the target nor a", more=("--groups", "T")),
    "the target": fit("--groups: ", "'f1'", "neither the target nor a", more=("--groups", "f1")),
    "a column twice": fit(
        "--groups: ", "'word'", "every column once", more=("--groups", "word,word")
    ),
    "a gap": fit("--groups: ", "'word,'", "COLUMN,COLUMN", more=("--groups", "word,")),
    "nothing": fit("--groups: ", "''", "COLUMN,COLUMN", more=("--groups", "")),
    "held out whole": grouped(
        with_more("g", LEVELS),
        *("--groups: ", "'g'", "at least 2 rows to fit in every group", "'b' has 0"),
        more=("--groups", "g", "--hold-out", "n > 100"),
    ),
    "sd of zeros": sd("--sd: ", "'s'", "more than 0, in every row", "it has 0", column=[0] * 20),
    "negative sd": sd("--sd: ", "'s'", "more than 0", "it has -1", column=[1, -1] * 10),
    "missing sd": sd("--sd: ", "'s'", "in every row", "an empty cell", column=[1, ""] * 10),
    "sd of text": sd("line 2, column s", "'x'", "a finite number", column=["x"] * 20),
    "infinite sd": sd("line 3, column s", "inf", "a finite number", column=[1, "inf"] * 10),
    "no such sd": fit("--sd: ", "'f2'", "nearest is 'f1'", more=("--sd", "f2")),
    "sd that is a factor": fit("--sd: ", "'n'", "neither the target nor", more=("--sd", "n")),
    "weights of zeros": weights(
        "--weights: ", "'w'", "at least 0, some more than 0", "it has 0", column=[0] * 20
    ),
    "negative weights": weights("--weights: ", "'w'", "it has -2", column=[1, -2] * 10),
    "missing weights": weights("--weights: ", "'w'", "an empty cell", column=[1, ""] * 10),
    "weights of text": weights("line 2, column w", "'x'", "a finite number", column=["x"] * 20),
    "sd and weights": fit(
        *("--weights: ", "'same'", "no weights beside standard deviations"),
        more=("--sd", "same", "--weights", "same"),
    ),
    "unknown loss": fit("--loss: ", "'foo'", "auto, squares, huber", more=("--loss", "foo")),
    "no row met": where("n > 99", "'n > 99'", "some rows meet", "no row meets it"),
    "every row met": where("n > 0", "'n > 0'", "every row meets it"),
    "no such text": where('word == "x"', "word == ", "no row meets it"),
    "unknown column": where("amy > 0", "'amy'", "a column of the table", "nearest is 'ami'"),
    "unfinished": where("n >", "'n >'", NO_CONDITION),
    "empty": where("", "''", NO_CONDITION),
    "a number": where("1", "'1'", NO_CONDITION),
    "text of no column": where("'a' < 'b'", "'a' < 'b'", NO_CONDITION.replace("expected ", "")),
    "text above text": where("word > 'w10'", "word > ", "a text in quotes (== !=)"),
    "text beside a number": where("word == 3", "word == 3", NO_CONDITION),
    "number beside a text": where("n == '3'", "n == ", NO_CONDITION),
    "a chain of texts": where("'w10' == word == word", "word == word", NO_CONDITION),
    "sum of texts": where("word + 1 > 2", "'word'", "a column of numbers"),
    "hostile": where("__import__('os').system('touch marker')", "__import__", NO_CONDITION),
    "an attribute": where("word.size > 5", "word.size", NO_CONDITION),
    "very long": where(LONG, "'n > 20 or", NO_CONDITION),
    "too few rows left": fit(
        "table.csv: ", "'3 rows to fit'", "8 rows or more", more=("--where", "n == 10")
    ),
}
