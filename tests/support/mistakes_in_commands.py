"""Mistakes in the other commands, in `laws.json`, and in how a command line is put together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from support.mistakes import OUT, ROWS, Mistake, fit, form, simulate

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


def report(content: str, path: str = "", rows: str = ANALYSED) -> Mistake:
    """`mtl-laws report` on a folder with this ``laws.json``."""
    files = {"mine/laws.json": content, "mine/table.parquet": rows}
    return Mistake(("report", "mine"), path, files)


def changed(change: Mapping[str, Any], path: str = "", rows: str = ANALYSED) -> Mistake:
    """`mtl-laws report` on sound laws but for these keys."""
    return report(json.dumps({**LAWS, **change}), path, rows=rows)


def law(expression: str) -> Mistake:
    """`mtl-laws report` with this expression on the front."""
    return changed({"front": [{**LAW, "expression": expression}]}, "mine/laws.json, front[0]")


def bands(known: Mapping[str, Any], path: str = "") -> Mistake:
    """`mtl-laws report` on a law with one constant and this for its uncertainty."""
    constant = {"template": "0.5 + c0*n", "constants": {"c0": {"value": 0.001}}}
    selected = {**LAW, **constant, "uncertainty": known}
    return changed({"selected": selected}, path)


REPORTS: dict[str, Mistake] = {
    "no folder": Mistake(("report", "none"), "FOLDER"),
    "a file": Mistake(("report", "table.csv"), "FOLDER"),
    "empty folder": Mistake(("report", "mine"), "mine/laws.json", {"mine/other": ""}),
    "empty file": report("", "mine/laws.json"),
    "cut short": report(json.dumps(LAWS)[:99], "mine/laws.json"),
    "not UTF-8": Mistake(("report", "mine"), "mine/laws.json", {"mine/laws.json": b"\xff"}),
    "a list": report("[]", "mine/laws.json"),
    "very deep": report("[" * 9999, "mine/laws.json"),
    "not a number": report('{"schema": NaN}', "mine/laws.json"),
    "no schema": report("{}", "mine/laws.json, schema"),
    "earlier schema": changed({"schema": 1}, "mine/laws.json, schema"),
    "later schema": changed({"schema": 3}, "mine/laws.json, schema"),
    "no target": changed({"target": None}, "mine/laws.json, target"),
    "no factor": changed({"factors": []}, "mine/laws.json, factors"),
    "factor that is a path": changed({"factors": ["../../n"]}, "mine/laws.json, factors"),
    "factor that is a tag": changed({"factors": ["<script>"]}, "mine/laws.json, factors"),
    "law that is none": changed({"selected": 3}, "mine/laws.json, selected"),
    "front of numbers": changed({"front": [1]}, "mine/laws.json, front[0]"),
    "no expression": changed({"selected": {}}, "mine/laws.json, selected.expression"),
    "no complexity": changed(
        {"front": [{**LAW, "complexity": "x"}]}, "mine/laws.json, front[0].complexity"
    ),
    "score of text": changed(
        {"theory": [{**LAW, "scores": {"r2": "x"}}]}, "mine/laws.json, theory[0].scores.r2"
    ),
    "domain of text": changed({"data": {"domain": {"n": "x"}}}, "mine/laws.json, data.domain.n"),
    "draws that do not match": bands(
        {"draws": {"c0": [1], "c1": [1, 2]}}, "mine/laws.json, selected.uncertainty.draws"
    ),
    "draws of text": bands(
        {"draws": {"c0": ["x"]}}, "mine/laws.json, selected.uncertainty.draws.c0[0]"
    ),
    "draws of no constant": bands(
        {"draws": {"c7": [1]}}, "mine/laws.json, selected.uncertainty.draws"
    ),
    "noise below nothing": bands(
        {"replicate_sd": -1}, "mine/laws.json, selected.uncertainty.replicate_sd"
    ),
    "fitted range reversed": bands(
        {"ranges": {"n": [2, 1]}}, "mine/laws.json, selected.uncertainty.ranges.n"
    ),
    "domain reversed": changed(
        {"data": {"domain": {"n": [2, 1]}}}, "mine/laws.json, data.domain.n"
    ),
    "hostile law": law("__import__('os').system('touch marker')"),
    "attribute": law("n.__class__"),
    "lambda": law("(lambda: n)()"),
    "unknown name": law("0.5 + m"),
    "unknown function": law("eval(n)"),
    "constant without value": law("c0 + n"),
    "unfinished": law("0.5 +"),
    "very long": law("n" + " + n" * 2000),
    "no table": Mistake(
        ("report", "mine"), "mine/table.parquet", {"mine/laws.json": json.dumps(LAWS)}
    ),
    "no such column": changed({"target": "f2"}, "mine/table.parquet"),
    "text in the table": changed({"target": "word"}, "mine/table.parquet, line 2, column word"),
    "no roles": changed(
        {}, "mine/table.parquet, column role", rows=ANALYSED.replace("role", "part")
    ),
    "nothing fitted": changed(
        {}, "mine/table.parquet, column role", rows=ANALYSED.replace("fit", "hold-out")
    ),
}

DATA: dict[str, Any] = {"bounds": [0, 1], "domain": {"n": [10, 400]}, "columns": {"n": "tokens"}}
SIZED: dict[str, Any] = {**DATA, "ranges": {"n": [10, 200]}, "roles": {"size": "n"}}
GROUPED: dict[str, Any] = {
    "selected": {**LAW, "template": "c0 + 0.001*n", "group_constants": {"a": {"c0": 0.5}}},
    "groups": {"columns": ["g"], "column": "g", "levels": ["a", "b"]},
}


def ask(path: str, *words: str, rows: str = "", **change: Any) -> Mistake:
    """`mtl-laws predict` with these words on sound laws but for these keys."""
    laws = json.dumps({**LAWS, "data": DATA, **change})
    files = {"mine/laws.json": laws, **({"rows.csv": rows} if rows else {})}
    return Mistake(("predict", "mine", *words), path, files)


REACH = ("--solve", "n", "--for", "f1=0.8")
ANSWERS: dict[str, Mistake] = {
    "no folder": Mistake(("predict", "none", "--at", "n=10"), "none"),
    "no law": ask("mine, selected", "--at", "n=10", selected=None),
    "nothing asked": ask("--at"),
    "a bare number": ask("--at", "--at", "500"),
    "an empty point": ask("--at", "--at", ""),
    "a name without a value": ask("--at", "--at", "n"),
    "a name twice": ask("--at", "--at", "n=1, n=2"),
    "two names of one factor": ask("--at", "--at", "n=1, tokens=2"),
    "unknown factor": ask("--at", "--at", "n=1, m=2"),
    "text for a factor": ask("--at n", "--at", "n=many"),
    "endless factor": ask("--at n", "--at", "n=inf"),
    "code for a factor": ask("--at n", "--at", "n=__import__('os').mkdir('marker')"),
    "impossible size": ask("--at n", "--at", "n=0", data=SIZED),
    "impossible size in a table": ask(
        "rows.csv, line 3, column n", "--table", "rows.csv", rows="n\n1\n-1\n", data=SIZED
    ),
    "a factor forgotten": ask("--at n", "--at", "T=2"),
    "a factor left blank": ask("--at n", "--at", "n=10", "--at", "n="),
    "group of a law without": ask("--at", "--at", "n=10, group=a"),
    "group forgotten": ask("--at g", "--at", "n=10", **GROUPED),
    "unknown group": ask("--at g", "--at", "n=10, group=c", **GROUPED),
    "points and a table": ask("--table", "--at", "n=1", "--table", "table.csv"),
    "no table": ask("none.csv", "--table", "none.csv"),
    "table without the factor": ask(
        "rows.csv, column tokens", "--table", "rows.csv", rows="T\n1\n"
    ),
    "text in a table": ask("rows.csv, line 3, column n", "--table", "rows.csv", rows="n\n1\nx\n"),
    "blank in a table": ask(
        "rows.csv, line 3, column n", "--table", "rows.csv", rows="n,T\n1,1\n,2\n"
    ),
    "predictions in a table": ask("rows.csv", "--table", "rows.csv", rows="n,predicted\n1,1\n"),
    "table without the group": ask(
        "rows.csv, column g", "--table", "rows.csv", rows="n\n1\n", **GROUPED
    ),
    "unknown group in a table": ask(
        "rows.csv, column g", "--table", "rows.csv", rows="n,g\n1,c\n", **GROUPED
    ),
    "nothing to reach": ask("--for", "--solve", "n"),
    "nothing to solve for": ask("--solve", "--for", "f1=0.8"),
    "solving in a table": ask("--table", *REACH, "--table", "table.csv"),
    "another target": ask("--for", "--solve", "n", "--for", "accuracy=0.8"),
    "target of text": ask("--for", "--solve", "n", "--for", "f1=high"),
    "target out of bounds": ask("--for", "--solve", "n", "--for", "f1=1.2"),
    "solving for a factor not used": ask("--solve", "--solve", "T", "--for", "f1=0.8"),
    "solving for a factor that is given": ask("--at n", *REACH, "--at", "n=10"),
    "solving without a domain": ask("--solve", *REACH, data={}),
    "out of another kind": ask("--out", "--at", "n=1", "--out", "answers.txt"),
    "out is a folder": ask("--out", "--at", "n=1", "--out", "mine"),
    "out is the table": ask("--out", "--table", "table.csv", "--out", "table.csv"),
    "out in a file": ask("--out", "--at", "n=1", "--out", "table.csv/answers.csv"),
}


def embed(path: str, corpus: str = "corpus.conll", **changed: str) -> Mistake:
    """`mtl-laws embed` of a sound corpus, but for what is `changed`."""
    given = {"model": "mine", "out": "v.npy", **changed}
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return Mistake(("embed", corpus, *words), path)


OTHERS: dict[str, Mistake] = {
    "transformers not installed": embed("--model"),
    "vectors as text": embed("--out", out="v.txt"),
    "vectors of no corpus": embed("none.conll", corpus="none.conll"),
    "vectors of no sentence": embed("--batch", batch="0"),
    "vectors on no device": embed("--device", device="tpu"),
    "AMI above 1": simulate("--ami", ami="1.5"),
    "AMI below 0": simulate("--ami", ami="-0.1"),
    "AMI not a number": simulate("--ami", ami="nan"),
    "AMI as text": simulate("--ami", ami="high"),
    "no AMI": simulate("--ami"),
    "AMI of one task": simulate("--ami", tasks="1", ami="0.5"),
    "no task": simulate("--tasks", tasks="0", ami="0.5"),
    "half a task": simulate("--tasks", tasks="2.5", ami="0.5"),
    "negative tokens": simulate("--tokens", tokens="-5", ami="0.5"),
    "too many tokens": simulate("--tokens", tokens="99999999999"),
    "more than memory": simulate("--tokens", tokens="900000000", tasks="100", ami="0.5"),
    "too many tasks": simulate("--tasks", tasks="200", ami="0.5"),
    "endless seed": simulate("--seed", seed="9" * 30),
    "negative seed": simulate("--seed", seed="-1", ami="0.5"),
    "unknown family": simulate("--family", family="techer", ami="0.5"),
    "no corpus": simulate("--option corpus", family="layers"),
    "broken corpus": simulate("table.csv, line 1", family="layers", option="corpus=table.csv"),
    "option without a value": simulate("--option", option="zipf", ami="0.5"),
    "option of no family": simulate("--option zipff", option="zipff=1", ami="0.5"),
    "all noise": simulate("--label-noise", ("--label-noise", "1"), ami="0.5"),
    "unknown format": simulate("--format", format="csv", ami="0.5"),
    "format as a path": simulate("--format", format="../conll", ami="0.5"),
    "out not empty": Mistake(
        ("simulate", "--ami", "0.5", "--out", "mine"),
        "--out",
        {"mine/other": ""},
    ),
    "out is a file": simulate("--out", out="table.csv", ami="0.5"),
    "out in a file": simulate("--out", out="table.csv/x", ami="0.5"),
    "nothing to install": Mistake(("engines", "--install", "nonsense"), "--install"),
    "nothing to install for": Mistake(("engines", "--install", "operon"), "--install"),
    "example over another file": Mistake(
        ("example", "mine"), "FOLDER", {"mine/results.csv": "tokens\n1\n"}
    ),
    "example in a file": Mistake(("example", "table.csv"), "FOLDER"),
    "init on a file": Mistake(("init", "study.yaml"), "PATH"),
    "init in no folder": Mistake(("init", "none/my.yaml"), "PATH"),
    "init on a folder": Mistake(("init", "."), "PATH"),
    "status of nothing": Mistake(("status", "none"), "none/results.sqlite"),
    "status of an empty folder": Mistake(("status", "mine"), "mine/results.sqlite", {"mine/x": ""}),
    "status of garbage": Mistake(
        ("status", "mine"),
        "mine/results.sqlite",
        {"mine/results.sqlite": b"garbage" * 99},
    ),
    "status of an empty file": Mistake(
        ("status", "mine"),
        "mine/results.sqlite",
        {"mine/results.sqlite": b""},
    ),
    "status of a name that none can have": Mistake(
        ("status", "a" * 300),
        f"{60 * 'a'}…{125 * 'a'}/results.sqlite",
    ),
    "run to a name that none can have": Mistake(("run", "study.yaml", "--out", "a" * 300), "--out"),
    "unknown command": Mistake(("fti",), "COMMAND"),
    "no command but a file": Mistake(("study.yaml",), "COMMAND"),
    "no study": Mistake(("run",), "STUDY"),
    "no out": Mistake(("run", "study.yaml"), "--out"),
    "no target": Mistake(("fit", "table.csv", "--out", OUT), "--target"),
    "no factors": Mistake(("fit", "table.csv", "--target", "f1", "--out", OUT), "--factors"),
    "nothing after an option": Mistake(("fit", "table.csv", "--out"), "--out"),
    "unknown option": fit("mtl-laws fit", more=("--hold", "n > 20")),
    "option of another": fit("mtl-laws fit", more=("--backend", "dask")),
    "option too early": Mistake(("--out", OUT, "run", "study.yaml"), "mtl-laws"),
    "option too late": fit(
        "--debug",
        more=("--debug",),
    ),
    "unfinished form": form("c0 + c1*n**"),
    "empty form": form(""),
    "unknown function in a form": form("c0*sin(n)"),
    "attribute in a form": form("c0*n.real"),
    "index in a form": form("c0*n[0]"),
    "text in a form": form("c0*'n'"),
    "caret in a form": form("c0*n^2"),
    "open bracket in a form": form("c0*(n + 1"),
    "target in a form": form("c0*n + f1"),
    "form without a factor": form("c0 + c1*N"),
    "form that is too long": form("n" + " + n" * 99),
    "form that is endless": form("n" + " + n" * 9999),
    "second of two forms": fit("--form", more=("--form", "c0*n", "--form", "c0 + c1*n**")),
    "form of a law without constants": changed(
        {"forms": [{**LAW, "expression": "c0*n"}]}, "mine/laws.json, forms[0]"
    ),
    "form that is not fitted but valid": changed(
        {"forms": [{**LAW, "expression": "c0*n", "defects": [{"kind": "not_fitted"}]}]},
        "mine/laws.json, forms[0].valid",
    ),
    "two tables": fit("mtl-laws fit", more=("more.csv",)),
}


def export(path: str = "", folder: str = "mine", **changed: str) -> Mistake:
    """`mtl-laws export` of a folder with sound laws, with these options."""
    options = {"out": OUT, **changed}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    files = {"mine/laws.json": json.dumps(LAWS), "mine/table.parquet": ANALYSED}
    return Mistake(("export", folder, *words), path, files)


def plugin(text: str, path: str = "", name: str = "mine.py") -> Mistake:
    """`mtl-laws engines` with a plug-in of this text."""
    return Mistake(("--plugin", name, "engines"), path, {name: text})


TAKEN = (
    "from mtl_laws.pipeline.symbolic.engines import ENGINES, register_engine\n"
    "register_engine(ENGINES"
)
PATH_COLUMN = {
    "mine/laws.json": json.dumps({**LAWS, "target": "../f1"}),
    "mine/table.parquet": ANALYSED.replace("f1", "../f1"),
}
OTHERS |= {
    "nothing to export": export("FOLDER", folder="none"),
    "export of a file": export("FOLDER", folder="table.csv"),
    "export as nothing": export("--format", format="xlsx"),
    "export as a path": export("--format", format="../csv"),
    "export nowhere": export("--out", out="mine"),
    "export into a file": export("--out", out="table.csv"),
    "export below a file": export("--out", out="table.csv/x"),
    "export to no name": export("--out", out="a\0b"),
    "export here": export("--out", out="."),
    "licence of two lines": export("--licence", licence="a\nb"),
    "endless licence": export("--licence", licence="x" * 999),
    "column that is a path": Mistake(("export", "mine", "--out", OUT), "column", PATH_COLUMN),
    "export of garbage": Mistake(
        ("export", "mine", "--out", OUT),
        "mine/results.sqlite",
        {"mine/results.sqlite": b"garbage" * 99},
    ),
    "no such plug-in": Mistake(("--plugin", "none.py", "engines"), "--plugin"),
    "no such module": Mistake(("--plugin", "no_such_module", "engines"), "--plugin"),
    "plug-in of a taken name": plugin("", "--plugin", name="json.py"),
    "plug-in with a taken entry": plugin(TAKEN + "['grammar'])\n", "name"),
    "plug-in too late": fit(
        "--plugin",
        more=("--plugin", "mine.py"),
    ),
}


def advise(
    path: str = "",
    corpus: str = "corpus.conll",
    files: Mapping[str, str] | None = None,
    **given: str,
) -> Mistake:
    """`mtl-laws advise` on a sound corpus with these options."""
    options = {"main": "layer_1", "out": OUT, **given}
    words = [
        word
        for name, value in options.items()
        for word in (f"--{name.replace('_', '-')}", value)
        if word
    ]
    return Mistake(("advise", corpus, *words), path, files or {})


def advised_by(change: Mapping[str, Any], path: str = "") -> Mistake:
    """`mtl-laws advise` by a law that is sound but for these keys."""
    files = {"laws.json": json.dumps({**LAWS, **change})}
    return advise(path, files=files, laws="laws.json")


OFFERS = {
    "offer.csv": "n,T,g,price\n160,2,a,1\n320,4,c,0\n",
    "hole.csv": "n,T\n160,2\n,4\n",
    "goal.csv": "n,m\n1,2\n",
    "mine.json": json.dumps(LAWS),
    "grouped.csv": "g,n,T,f1\n"
    + "".join(f"{g},{n},{t},{n / 999}\n" for g in "ab" for n in (10, 20, 40) for t in (1, 2)),
}


def following(path: str, *more: str, **changed: str) -> Mistake:
    """`mtl-laws next` on a sound table, but for what is `changed` and `more`."""
    given = {"target": "f1", "factors": "n,T", "levels": "n=10,160 T=1,2", "count": "2", **changed}
    words = ["next", given.pop("source", "table.csv")]
    for name, value in given.items():
        words += [f"--{name}", value] if value else []
    return Mistake((*words, *more), path, OFFERS)


OTHERS |= {
    "next without candidates": following("--candidates", levels=""),
    "next of both kinds": following("--candidates", candidates="offer.csv"),
    "next without a number": following("--count", count=""),
    "next of none": following("--count", count="0"),
    "next for nothing": following("--budget", budget="0"),
    "next without a target": following("--target", target=""),
    "next without factors": following("--factors", factors=""),
    "next of an unknown target": following("--target", target="f2"),
    "next with levels of nothing": following("--levels", levels="m=1"),
    "next without some levels": following("--levels", levels="n=10"),
    "next with a level of text": following("--levels", levels="n=ten T=1"),
    "next with no candidate left": following("--levels", levels="n=10,20 T=1,2"),
    "next at a cost of zero": following("--cost", levels="", candidates="offer.csv", cost="price"),
    "next at a negative cost": following("--cost", cost="n - 100"),
    "next at a cost of nothing": following("--cost", cost="hours"),
    "next with a small budget": following("--budget", budget="5", cost="n"),
    "next in an unknown group": following(
        "--goal", levels="n=10,160 T=1,2 g=a,b", goal="offer.csv", groups="g", source="grouped.csv"
    ),
    "next with a domain of nothing": following("--domain m", domain="m=1:2"),
    "next with an empty domain": following("--domain n", domain="n=5:1"),
    "next of a size below zero": following("--levels, row 1, column n", levels="n=-10,160 T=1,2"),
    "next of a trial with an empty cell": following(
        "--candidates, row 2, column n", levels="", candidates="hole.csv", target="same"
    ),
    "next with a goal without factors": following("--goal", goal="goal.csv"),
    "next by laws and a target": following(
        "--target", source="mine.json", factors="", levels="n=10 T=1"
    ),
    "next by no laws": following("none.json", source="none.json", target="", factors=""),
}
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
    "no corpus to advise on": advise("none.conll", corpus="none.conll"),
    "a folder to advise on": advise(".", corpus="."),
    "advice on a table": advise("table.csv, line 1", corpus="table.csv"),
    "advice on nothing": advise("mine.conll", corpus="mine.conll", files={"mine.conll": ""}),
    "no main layer": Mistake(("advise", "corpus.conll"), "--main"),
    "no such main layer": advise("--main", main="layr_1"),
    "no such auxiliary": advise("--aux", aux="layer_3"),
    "the main layer twice": advise("--aux", aux="layer_1"),
    "only one layer": advise("CORPUS", corpus="mine.conll", files={"mine.conll": ONE_LAYER}),
    "hardly any tokens": advise("--main", corpus="mine.conll", files={"mine.conll": FEW}),
    "auxiliary of one label": advise(
        "--aux", corpus="mine.conll", aux="layer_2", files={"mine.conll": SAME}
    ),
    "no tokens to advise on": advise("--tokens", tokens="0"),
    "no auxiliary tokens": advise("--aux-tokens", aux_tokens="-1"),
    "two columns of one name": advise("--columns", columns="word,tag,tag"),
    "a table's laws into a study's folder": Mistake(
        fit(out="mine").words, "--out", {"mine/results.sqlite": ""}
    ),
    "columns that do not fit": advise("corpus.conll, line 1", columns="word,tag"),
    "advice by no law": advise("none.json", laws="none.json"),
    "advice by nothing selected": advised_by({"selected": None}, "--laws"),
    "a factor that no corpus has": advised_by(OVERLAP, "laws.json, factors"),
    "a law without a value": advised_by(
        {"selected": {**LAW, "expression": "log(0 - n)"}}, "--laws"
    ),
    "tokens of advice as text": advise("--tokens", tokens="ten"),
    "advice into a file": advise("--out", out="table.csv"),
    "a check of one training": Mistake(
        ("advise", "corpus.conll", "--main", "layer_1", "--check", "--seeds", "1", "--out", OUT),
        "--seeds",
    ),
    "a check of nothing": Mistake(
        ("advise", "corpus.conll", "--main", "layer_1", "--check", "--top", "0", "--out", OUT),
        "--top",
    ),
    "a check of hardly anything": Mistake(
        ("advise", "mine.conll", "--main", "layer_1", "--check", "--laws", "laws.json"),
        "--check",
        {
            "mine.conll": "".join(f"w{i} A{i % 3} B{i % 2}\n\n" for i in range(150)),
            "laws.json": json.dumps({**LAWS, "selected": {**LAW, "expression": "0.5 + 0.01*T"}}),
        },
    ),
}
