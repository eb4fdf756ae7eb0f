"""Mistakes in the other commands, in `laws.json`, and in how a command line is put together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mistakes import OUT, ROWS, Mistake, fit, form, simulate

LAW: dict[str, Any] = {"expression": "0.5 + 0.001*n", "complexity": 5, "valid": True}
LAWS: dict[str, Any] = {
    "schema": 2,
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


def bands(known: Mapping[str, Any], *names: str) -> Mistake:
    """`mtl-laws report` on a law with one constant and this for its uncertainty."""
    constant = {"template": "0.5 + c0*n", "constants": {"c0": {"value": 0.001}}}
    selected = {**LAW, **constant, "uncertainty": known}
    return changed({"selected": selected}, "laws.json, selected.uncertainty", *names)


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
    "no schema": report("{}", "laws.json, schema", "expected 2, got None"),
    "earlier schema": changed(
        {"schema": 1}, "laws.json, schema: expected 2, got 1: run `mtl-laws fit` again"
    ),
    "later schema": changed({"schema": 3}, "laws.json, schema", "expected 2, got 3"),
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
    "draws that do not match": bands({"draws": {"c0": [1], "c1": [1, 2]}}, "as many draws"),
    "draws of text": bands({"draws": {"c0": ["x"]}}, "draws.c0[0]", "'x'", "valid number"),
    "draws of no constant": bands({"draws": {"c7": [1]}}, "draws", "c7", "constants of the law"),
    "noise below nothing": bands({"replicate_sd": -1}, "replicate_sd", "-1", "equal to 0"),
    "fitted range reversed": bands({"ranges": {"n": [2, 1]}}, "ranges.n", "[2.0, 1.0]"),
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
    "half a task": simulate("--tasks", "'2.5'", "a whole number,", tasks="2.5", ami="0.5"),
    "negative tokens": simulate("--tokens", "-5", "at least 1", tokens="-5", ami="0.5"),
    "too many tokens": simulate("--tokens", "at most 1,000,000,000", tokens="99999999999"),
    "more than memory": simulate(
        "--tokens", "GB are needed", tokens="900000000", tasks="100", ami="0.5"
    ),
    "too many tasks": simulate("--tasks", "200", "at most 100", tasks="200", ami="0.5"),
    "endless seed": simulate("--seed", "9999", "at most 9223372036854775807", seed="9" * 30),
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
    "status of an empty file": Mistake(
        ("status", "mine"),
        ("mine/results.sqlite", "an empty file", "the store of a started run"),
        {"mine/results.sqlite": b""},
    ),
    "status of a name that none can have": Mistake(
        ("status", "a" * 300), ("/results.sqlite", "no such file", "a run folder")
    ),
    "run to a name that none can have": Mistake(
        ("run", "study.yaml", "--out", "a" * 300), ("--out", "a folder that can be made here")
    ),
    "unknown command": Mistake(("fti",), ("'fti'", "'fit'", "report, simulate")),
    "no command but a file": Mistake(("study.yaml",), ("'study.yaml'", "Commands: run, fit")),
    "no study": Mistake(("run",), ("STUDY is missing", "required", "mtl-laws init")),
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
    "unfinished form": form("c0 + c1*n**", "a value here", f"\n    c0 + c1*n**\n    {' ' * 11}^"),
    "empty form": form("", "a value here", "\n    \n    ^"),
    "unknown function in a form": form("c0*sin(n)", "sqrt, log, exp, tanh", f"\n    {' ' * 3}^"),
    "attribute in a form": form("c0*n.real", "an operator here", f"\n    {' ' * 4}^"),
    "index in a form": form("c0*n[0]", "an operator here", f"\n    {' ' * 4}^"),
    "text in a form": form("c0*'n'", "a value here", f"\n    {' ' * 3}^"),
    "caret in a form": form("c0*n^2", "** for a power", f"\n    {' ' * 4}^"),
    "open bracket in a form": form("c0*(n + 1", ") here", f"\n    {' ' * 9}^"),
    "target in a form": form("c0*n + f1", "the target", f"\n    {' ' * 7}^"),
    "form without a factor": form("c0 + c1*N", "'c0 + c1*N'", "n, T, ami", "did you mean n?"),
    "form that is too long": form("n" + " + n" * 99, "at most 75", "it has 199"),
    "form that is endless": form("n" + " + n" * 9999, "at most 75"),
    "second of two forms": fit(
        *("--form", "a value here"), more=("--form", "c0*n", "--form", "c0 + c1*n**")
    ),
    "form of a law without constants": changed(
        {"forms": [{**LAW, "expression": "c0*n"}]}, "laws.json, forms[0]", "'c0'", "numbers only"
    ),
    "form that is not fitted but valid": changed(
        {"forms": [{**LAW, "expression": "c0*n", "defects": [{"kind": "not_fitted"}]}]},
        *("laws.json, forms[0]", "True", "could not be fitted"),
    ),
    "two tables": fit("(more.csv)", "in quotes", "Example: mtl-laws fit", more=("more.csv",)),
}


def export(*names: str, folder: str = "mine", **changed: str) -> Mistake:
    """`mtl-laws export` of a folder with sound laws, with these options."""
    options = {"out": OUT, **changed}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    files = {"mine/laws.json": json.dumps(LAWS), "mine/table.parquet": ANALYSED}
    return Mistake(("export", folder, *words), names, files)


def plugin(text: str, *names: str, name: str = "mine.py") -> Mistake:
    """`mtl-laws engines` with a plug-in of this text."""
    return Mistake(("--plugin", name, "engines"), names, {name: text})


TAKEN = (
    "from mtl_laws.pipeline.symbolic.engines import ENGINES, register_engine\n"
    "register_engine(ENGINES"
)
PATH_COLUMN = {
    "mine/laws.json": json.dumps({**LAWS, "target": "../f1"}),
    "mine/table.parquet": ANALYSED.replace("f1", "../f1"),
}
OTHERS |= {
    "nothing to export": export("FOLDER", "'none'", "results.sqlite", "laws.json", folder="none"),
    "export of a file": export("FOLDER", "'table.csv'", "laws.json", folder="table.csv"),
    "export as nothing": export("--format", "'xlsx'", "csv, hf, jsonl, parquet", format="xlsx"),
    "export as a path": export("--format", "'../csv'", "csv, hf", format="../csv"),
    "export nowhere": export("--out", "'mine'", "a new or empty folder", out="mine"),
    "export into a file": export("--out", "'table.csv'", "a new or empty", out="table.csv"),
    "export below a file": export("--out", "'table.csv/x'", "folder", out="table.csv/x"),
    "export to no name": export("--out", "'a\\x00b'", "Folder", out="a\0b"),
    "export here": export("--out", "'.'", "a new", out="."),
    "licence of two lines": export("--licence", "'a\\nb'", "one line", licence="a\nb"),
    "endless licence": export("--licence", "xxx", "200 characters", licence="x" * 999),
    "column that is a path": Mistake(
        ("export", "mine", "--out", OUT), ("column", "'../f1'", "no path"), PATH_COLUMN
    ),
    "export of garbage": Mistake(
        ("export", "mine", "--out", OUT),
        ("mine/results.sqlite", "damaged"),
        {"mine/results.sqlite": b"garbage" * 99},
    ),
    "no such plug-in": Mistake(
        ("--plugin", "none.py", "engines"), ("--plugin", "'none.py'", ".py")
    ),
    "no such module": Mistake(
        ("--plugin", "no_such_module", "engines"), ("--plugin", "'no_such_module'", "importable")
    ),
    "plug-in of a taken name": plugin("", "--plugin", "'json.py'", "another name", name="json.py"),
    "plug-in with a taken entry": plugin(
        TAKEN + "['grammar'])\n", "name", "'grammar'", "not taken"
    ),
    "plug-in too late": fit(
        *("option of fit", "'--plugin'", "mtl-laws --plugin mine.py fit table.csv"),
        more=("--plugin", "mine.py"),
    ),
}


def advise(
    *names: str, corpus: str = "corpus.conll", files: Mapping[str, str] | None = None, **given: str
) -> Mistake:
    """`mtl-laws advise` on a sound corpus with these options."""
    options = {"main": "layer_1", "out": OUT, **given}
    words = [
        word
        for name, value in options.items()
        for word in (f"--{name.replace('_', '-')}", value)
        if word
    ]
    return Mistake(("advise", corpus, *words), names, files or {})


def advised_by(change: Mapping[str, Any], *names: str) -> Mistake:
    """`mtl-laws advise` by a law that is sound but for these keys."""
    files = {"laws.json": json.dumps({**LAWS, **change})}
    return advise(*names, files=files, laws="laws.json")


OVERLAP = {
    "factors": ["n", "phi"],
    "selected": {**LAW, "expression": "0.5 + phi"},
    "front": [],
    "data": {"columns": {"n": "n", "phi": "feature_overlap"}},
}
ONE_LAYER = "".join(f"w{i} A{i % 3}\n" for i in range(200))
FEW = "".join(f"w{i} A{i % 3} B{i % 2}\n" for i in range(50))
SAME = "".join(f"w{i} A{i % 3} B\n" for i in range(200))
OTHERS |= {
    "no corpus to advise on": advise("CORPUS", "'none.conll'", "corpus file", corpus="none.conll"),
    "advice on a table": advise("table.csv", "'.csv'", ".conllu", corpus="table.csv"),
    "advice on nothing": advise(
        "mine.conll", "empty", "one sentence", corpus="mine.conll", files={"mine.conll": ""}
    ),
    "no main layer": Mistake(("advise", "corpus.conll"), ("--main", "required", "Example:")),
    "no such main layer": advise("--main", "'layr_1'", "'layer_1'", main="layr_1"),
    "no such auxiliary": advise("--aux", "'layer_3'", "valid: layer_2", aux="layer_3"),
    "the main layer twice": advise("--aux", "'layer_1'", "other than the main", aux="layer_1"),
    "only one layer": advise(
        "CORPUS", "the only one", corpus="mine.conll", files={"mine.conll": ONE_LAYER}
    ),
    "hardly any tokens": advise(
        "--main", "labels 50 tokens", corpus="mine.conll", files={"mine.conll": FEW}
    ),
    "auxiliary of one label": advise(
        *("--aux", "only one label"), corpus="mine.conll", aux="layer_2", files={"mine.conll": SAME}
    ),
    "no tokens to advise on": advise("--tokens", "0", "at least 1", tokens="0"),
    "no auxiliary tokens": advise("--aux-tokens", "-1", "at least 1", aux_tokens="-1"),
    "two columns of one name": advise("--columns", "'tag'", "differ", columns="word,tag,tag"),
    "a table's laws into a study's folder": Mistake(
        fit(out="mine").words, ("--out", "'mine'", "another folder"), {"mine/results.sqlite": ""}
    ),
    "columns that do not fit": advise("corpus.conll, line 1", "2 columns", columns="word,tag"),
    "advice by no law": advise("none.json", "no such file", "a laws.json", laws="none.json"),
    "advice by nothing selected": advised_by(
        {"selected": None}, "--laws", "'laws.json'", "a selected law"
    ),
    "a factor that no corpus has": advised_by(
        OVERLAP, "laws.json, factors", "phi (column feature_overlap)", "n_aux, ami"
    ),
    "a law without a value": advised_by(
        {"selected": {**LAW, "expression": "log(0 - n)"}}, "--laws", "laws.json", "has a value"
    ),
    "tokens of advice as text": advise("--tokens: ", "'ten'", "a whole number", tokens="ten"),
    "advice into a file": advise("--out", "'table.csv'", out="table.csv"),
    "a check of one training": Mistake(
        ("advise", "corpus.conll", "--main", "layer_1", "--check", "--seeds", "1", "--out", OUT),
        ("--seeds", "1", "at least 2"),
    ),
    "a check of nothing": Mistake(
        ("advise", "corpus.conll", "--main", "layer_1", "--check", "--top", "0", "--out", OUT),
        ("--top", "0", "at least 1"),
    ),
    "a check of hardly anything": Mistake(
        ("advise", "mine.conll", "--main", "layer_1", "--check", "--laws", "laws.json"),
        ("--check", "150 labelled tokens", "large enough"),
        {
            "mine.conll": "".join(f"w{i} A{i % 3} B{i % 2}\n\n" for i in range(150)),
            "laws.json": json.dumps({**LAWS, "selected": {**LAW, "expression": "0.5 + 0.01*T"}}),
        },
    ),
}
