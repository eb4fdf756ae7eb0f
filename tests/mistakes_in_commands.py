"""Mistakes in the other commands, in `laws.json`, and in how a command line is put together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mistakes import OUT, ROWS, Mistake, fit, simulate

LAW: dict[str, Any] = {"expression": "0.5 + 0.001*n", "complexity": 5, "valid": True}
LAWS: dict[str, Any] = {
    "schema": 1,
    "target": "f1",
    "factors": ["n", "T", "ami"],
    "selected": LAW,
    "front": [LAW],
}
CELLS = [f"{row},{'fit' if k < 8 else 'hold-out'},{k}" for k, row in enumerate(ROWS)]
ANALYSED = "\n".join(["n,T,ami,f1,same,word,role,cell", *CELLS]) + "\n"
"""What is read as ``table.parquet``; the reader goes by what a file holds."""


def report(content: str, *names: str, rows: str = ANALYSED) -> Mistake:
    """`mtl-laws report` on a folder with this ``laws.json``."""
    files = {"mine/laws.json": content, "mine/table.parquet": rows}
    return Mistake(("report", "mine"), names, files)


def changed(change: Mapping[str, Any], *names: str, rows: str = ANALYSED) -> Mistake:
    """`mtl-laws report` on sound laws but for these keys."""
    return report(json.dumps({**LAWS, **change}), *names, rows=rows)


def law(expression: str, *names: str) -> Mistake:
    """`mtl-laws report` with this expression on the front."""
    return changed({"front": [{**LAW, "expression": expression}]}, "laws.json, front[0]", *names)


REPORTS: dict[str, Mistake] = {
    "no folder": Mistake(("report", "none"), ("FOLDER", "'none'", "a folder with laws.json")),
    "a file": Mistake(("report", "table.csv"), ("FOLDER", "'table.csv'", "a folder with")),
    "empty folder": Mistake(
        ("report", "mine"), ("mine/laws.json", "no such file"), {"mine/other": ""}
    ),
    "empty file": report("", "mine/laws.json", "line 1", "a laws.json as run or fit"),
    "cut short": report(json.dumps(LAWS)[:99], "mine/laws.json", "line 1", "a laws.json"),
    "not UTF-8": Mistake(
        ("report", "mine"), ("mine/laws.json", "0xff"), {"mine/laws.json": b"\xff"}
    ),
    "a list": report("[]", "mine/laws.json", "[]", "a laws.json"),
    "very deep": report("[" * 9999, "mine/laws.json", "nested", "a laws.json"),
    "not a number": report('{"schema": NaN}', "mine/laws.json", "NaN is no number"),
    "no schema": report("{}", "laws.json, schema", "None", "1 as its schema"),
    "later schema": changed({"schema": 2}, "laws.json, schema", "2", "1 as its schema"),
    "no target": changed({"target": None}, "laws.json, target", "None", "valid string"),
    "no factor": changed({"factors": []}, "laws.json, factors", "[]", "at least 1 item"),
    "factor that is a path": changed({"factors": ["../../n"]}, "factors", "'../../n'", "formula"),
    "factor that is a tag": changed({"factors": ["<script>"]}, "factors", "'<script>'", "formula"),
    "law that is none": changed({"selected": 3}, "laws.json, selected", "3", "dictionary"),
    "front of numbers": changed({"front": [1]}, "laws.json, front[0]", "1", "dictionary"),
    "no expression": changed({"selected": {}}, "laws.json, selected.expression", "a value there"),
    "no complexity": changed({"front": [{**LAW, "complexity": "x"}]}, "front[0].complexity", "'x'"),
    "score of text": changed({"theory": [{**LAW, "scores": {"r2": "x"}}]}, "theory[0].scores.r2"),
    "domain of text": changed({"data": {"domain": {"n": "x"}}}, "data.domain.n", "'x'", "tuple"),
    "domain reversed": changed({"data": {"domain": {"n": [2, 1]}}}, "data.domain.n", "[2.0, 1.0]"),
    "hostile law": law("__import__('os').system('touch marker')", "__import__", "the factors n"),
    "attribute": law("n.__class__", "n.__class__", "the factors n"),
    "lambda": law("(lambda: n)()", "lambda", "the factors n"),
    "unknown name": law("0.5 + m", "'m'", "the factors n, T, ami"),
    "unknown function": law("eval(n)", "'eval(n)'", "sqrt, log, exp, tanh"),
    "constant without value": law("c0 + n", "'c0'", "numbers only"),
    "unfinished": law("0.5 +", "'0.5 +'", "the factors n"),
    "very long": law("n" + " + n" * 2000, "characters", "the factors n"),
    "no table": Mistake(
        ("report", "mine"), ("table.parquet", "no such file"), {"mine/laws.json": json.dumps(LAWS)}
    ),
    "no such column": changed({"target": "f2"}, "table.parquet", "'f2'", "'f1'"),
    "text in the table": changed({"target": "word"}, "column word", "'w10'", "a finite number"),
    "no roles": changed({}, "table.parquet", "'role'", rows=ANALYSED.replace("role", "part")),
    "nothing fitted": changed({}, "column role", "'fit'", rows=ANALYSED.replace("fit", "hold-out")),
}

OTHERS: dict[str, Mistake] = {
    "AMI above 1": simulate("--ami", "1.5", "0 to 1", ami="1.5"),
    "AMI below 0": simulate("--ami", "-0.1", "0 to 1", ami="-0.1"),
    "AMI not a number": simulate("--ami", "nan", "0 to 1", ami="nan"),
    "AMI as text": simulate("--ami", "'high'", "number", ami="high"),
    "no AMI": simulate("--ami", "None", "for 2 tasks"),
    "AMI of one task": simulate("--ami", "0.5", "single task", tasks="1", ami="0.5"),
    "no task": simulate("--tasks", "0", "at least 1", tasks="0", ami="0.5"),
    "half a task": simulate("--tasks", "'2.5'", "integer", tasks="2.5", ami="0.5"),
    "negative tokens": simulate("--tokens", "-5", "at least 1", tokens="-5", ami="0.5"),
    "negative seed": simulate("--seed", "-1", "at least 0", seed="-1", ami="0.5"),
    "unknown family": simulate("--family", "'techer'", "teacher", family="techer", ami="0.5"),
    "no corpus": simulate("--option corpus", "None", "path of a corpus", family="layers"),
    "broken corpus": simulate(
        *("table.csv", "'.csv'", ".conll"), family="layers", option="corpus=table.csv"
    ),
    "option without a value": simulate(
        "--option", "'zipf'", "NAME=VALUE", option="zipf", ami="0.5"
    ),
    "option of no family": simulate("--option zipff", "'zipf'", option="zipff=1", ami="0.5"),
    "all noise": simulate("--label-noise", "1.0", "below 1", ami="0.5", **{"label-noise": "1"}),
    "unknown format": simulate("--format", "'csv'", "conll, hf", format="csv", ami="0.5"),
    "format as a path": simulate("--format", "'../conll'", "conll", format="../conll", ami="0.5"),
    "out not empty": Mistake(
        ("simulate", "--ami", "0.5", "--out", "mine"),
        ("--out", "'mine'", "a new or empty folder"),
        {"mine/other": ""},
    ),
    "out is a file": simulate("--out", "'table.csv'", "a new or", out="table.csv", ami="0.5"),
    "out in a file": simulate("--out", "'table.csv/x'", "folder", out="table.csv/x", ami="0.5"),
    "nothing to install": Mistake(("engines", "--install", "nonsense"), ("'nonsense'", "pysr")),
    "nothing to install for": Mistake(("engines", "--install", "operon"), ("'operon'", "pysr")),
    "init on a file": Mistake(("init", "study.yaml"), ("PATH", "'study.yaml'", "a new file")),
    "init in no folder": Mistake(("init", "none/my.yaml"), ("'none/my.yaml'", "a new file")),
    "init on a folder": Mistake(("init", "."), ("PATH", "'.'", "a new file")),
    "status of nothing": Mistake(("status", "none"), ("none/results.sqlite", "a run folder")),
    "status of an empty folder": Mistake(
        ("status", "mine"), ("mine/results.sqlite", "no such file", "a run folder"), {"mine/x": ""}
    ),
    "status of garbage": Mistake(
        ("status", "mine"),
        ("mine/results.sqlite", "damaged", "Move the file away"),
        {"mine/results.sqlite": b"garbage" * 99},
    ),
    "unknown command": Mistake(("fti",), ("'fti'", "'fit'", "report, simulate")),
    "no command but a file": Mistake(("study.yaml",), ("'study.yaml'", "Commands: run, fit")),
    "no study": Mistake(("run",), ("STUDY", "nothing", "required", "mtl-laws init")),
    "no out": Mistake(("run", "study.yaml"), ("--out", "required", "Folder", "Example: mtl-laws")),
    "no target": Mistake(("fit", "table.csv", "--out", OUT), ("--target", "required", "Example:")),
    "no factors": Mistake(
        ("fit", "table.csv", "--target", "f1", "--out", OUT), ("--factors", "required", "NAME=")
    ),
    "nothing after an option": Mistake(("fit", "table.csv", "--out"), ("'--out'", "argument")),
    "unknown option": fit("option of fit", "'--hold'", "'--hold-out'", more=("--hold", "n > 20")),
    "option of another": fit("option of fit", "'--backend'", "valid:", more=("--backend", "dask")),
    "option too early": Mistake(
        ("--out", OUT, "run", "study.yaml"), ("'--out'", "options after it")
    ),
    "option too late": fit(
        *("option of fit", "'--debug'", "before the command: mtl-laws --debug fit"),
        more=("--debug",),
    ),
    "two tables": fit("(more.csv)", "in quotes", "Example: mtl-laws fit", more=("more.csv",)),
}
