"""Mistakes in studies, in corpora and in the options of `mtl-laws run`."""

from __future__ import annotations

from mistakes import CORPUS, OUT, STUDY, Mistake, corpus, run, study

FULL = "question: q\nfactors: {tasks: [1, 2], tokens: [40, 80, 160], ami: [0.1, 0.5]"


def factors(text: str, *names: str) -> Mistake:
    """A study with these factors."""
    return study(f"question: q\nfactors: {{{text}}}\n", *names)


def block(text: str, *names: str) -> Mistake:
    """A sound study with one more line."""
    return study(STUDY + text + "\n", *names)


STUDIES: dict[str, Mistake] = {
    "empty": study("", "mine.yaml", "None", "question:"),
    "a list": study("- 1\n", "mine.yaml", "[1]", "question:"),
    "not YAML": study("question: [", "mine.yaml, line 1", "'question: ['", "expected"),
    "binary": study(b"\x00\xff\xfe", "mine.yaml", "0xff", "UTF-8"),
    "a key twice": study(STUDY + "seeds: 2\nseeds: 3\n", "line 4", "seeds", "given twice"),
    "a tag": study(
        "question: !!python/object/apply:os.system ['touch marker']\n", "line 1", "tags are not"
    ),
    "an anchor": study("question: &a q\nfamily: *a\n", "line 1", "&a", "anchors"),
    "very deep": study("question: " + "[" * 99, "line 1", "'question: [[", "deep"),
    "no factors": study("question: q\n", "factors is missing: this key is required"),
    "unknown key": block("famly: {}", "famly", "nearest is 'family'"),
    "unknown key within": block("laws: {taget: f1}", "laws.taget", "nearest", "'target'"),
    "a required key mistyped": factors(
        "tasks: 2, tokns: [40, 80]", "factors.tokns", "'tokns'", "did you mean 'tokens'?"
    ),
    "a required block mistyped": study(
        "question: q\nfactor: {tasks: 2}\n", "factor:", "'factor'", "did you mean 'factors'?"
    ),
    "required keys by their symbols": factors("T: 2, n: 40", "factors.T", "did you mean 'tasks'?"),
    "T = 0": factors("tasks: [0], tokens: [40]", "factors.tasks[0]", "0", "1 or more"),
    "half a task": factors("tasks: [1.5], tokens: [40]", "factors.tasks[0]", "1.5", "whole"),
    "too many tasks": factors(
        "tasks: [2, 101], tokens: [40], ami: 0.5", "factors.tasks[1]", "101", "at most 100"
    ),
    "unknown control": block("controls: [update]", "controls[0]", "'update'", "random_labels"),
    "control too large": study(
        "question: q\nfactors: {tasks: [99], tokens: [40, 900000000], ami: [0.1, 0.5]}\n"
        "controls: [tokens]\n",
        "controls",
        "'tokens'",
        "at most",
    ),
    "gain without its control": block(
        "laws: {target: gain_tokens}", "laws.target", "'gain_tokens'", "controls: [tokens]"
    ),
    "T by its symbol": study(FULL + ", T: [2]}\n", "factors.T", "'T'", "called 'tasks'"),
    "negative tokens": factors("tasks: 1, tokens: [-40]", "factors.tokens[0]", "-40", "1 or more"),
    "tokens as text": factors("tasks: 1, tokens: many", "factors.tokens[0]", "'many'", "whole"),
    "AMI above 1": factors("tasks: 2, tokens: 4, ami: [1.5]", "factors.ami[0]", "1.5", "0 to 1"),
    "AMI below 0": factors("tasks: 2, tokens: 4, ami: [-1]", "factors.ami[0]", "-1", "0 to 1"),
    "no AMI": factors("tasks: 2, tokens: [40]", "factors.ami", "None", "for 2 tasks"),
    "no level": factors("tasks: [], tokens: [40]", "factors.tasks", "1 or more"),
    "unknown factor": study(FULL + ", hiden: [8, 16]}\n", "factors.hiden[0]", "8", "'hidden'"),
    "two models": factors("tasks: 1, tokens: 40", "factors", "'2 models'", "8 models"),
    "a million trials": study(
        STUDY + "seeds: 100000\n" + "family: {options: {}}\n", "factors", "trials", "at most"
    ),
    "endless seed": block("seeds: [99999999999999999999]", "seeds", "9999", "to 4294967295"),
    "negative seeds": block("seeds: [-1]", "seeds[0]", "-1", "0 or more"),
    "unknown family": block("family: {name: techer}", "family.name", "'techer'", "teacher"),
    "unknown option": block("family: {options: {zipff: 1}}", "zipff", "1", "'zipf'"),
    "one label": block("family: {labels: 1}", "family.labels", "1", "at least 2"),
    "all noise": block("family: {label_noise: 1}", "family.label_noise", "1", "not 1"),
    "unknown encoder": block("training: {encoder: gpt}", "training.encoder", "'gpt'", "bilstm"),
    "unknown setting": block("training: {hiden: 8}", "training.hiden", "'hiden'", "'hidden'"),
    "no units": block("training: {hidden: 0}", "training.hidden", "0", "at least 1"),
    "negative rate": block("training: {learning_rate: -1}", "learning_rate", "-1", "above 0"),
    "unknown law target": block("laws: {target: acuracy}", "laws.target", "'acuracy'", "accuracy"),
    "law of text": block("laws: {factors: [n, T], target: family}", "laws.target", "'family'"),
    "unknown law factor": block("laws: {factors: [n, amy]}", "laws.factors", "'amy'", "'ami'"),
    "factor not varied": block(
        "laws: {factors: [n, labels]}", "laws.factors", "labels", "two levels"
    ),
    "AMI not varied": study(
        FULL.replace("[0.1, 0.5]", "[0.5]") + "}\n", "laws.factors.ami", "'ami'", "two levels"
    ),
    "keyword as factor": block(
        "laws: {factors: {lambda: n}}", "laws.factors", "'lambda'", "another name"
    ),
    "constant as factor": block("laws: {factors: {c0: n}}", "laws.factors", "'c0'", "another name"),
    "hold-out unknown": block("laws: {hold_out: m > 3}", "laws.hold_out", "'m'", "a factor"),
    "hold-out hostile": block(
        'laws: {hold_out: "__import__(1)"}', "laws.hold_out", "__import__", "comparisons"
    ),
    "bounds reversed": block(
        "laws: {bounds: [1, 0]}", "laws.bounds", "[1.0, 0.0]", "in that order"
    ),
    "domain infinite": block("laws: {domain: {ami: [0, .inf]}}", "line 3", "inf", "not a finite"),
    "domain unknown": block("laws: {domain: {amy: [0, 1]}}", "laws.domain", "'amy'", "'ami'"),
    "group of no column": block(
        "laws: {groups: [encodr]}", "laws.groups", "'encodr'", "nearest is 'encoder'"
    ),
    "group not varied": block(
        "laws: {groups: [encoder]}", "laws.groups", "'encoder'", "vary it or leave it out"
    ),
    "group that is the seed": block("laws: {groups: seed}", "laws.groups", "'seed'", "two levels"),
    "a group for each trial": block(
        "laws: {groups: trial}", "laws.groups", "'trial'", "at least 2 rows"
    ),
    "group without a value": block(
        "laws: {groups: n_aux_request}", "laws.groups", "'n_aux_request'", "some are empty"
    ),
    "group that is a factor": block(
        "laws: {groups: [T]}", "laws.groups", "'T'", "neither the target nor a factor"
    ),
    "group twice": block(
        "laws: {groups: [encoder, encoder]}", "laws.groups", "encoder", "every level once"
    ),
    "unknown sd": block("laws: {sd: macro_f2}", "laws.sd", "'macro_f2'", "nearest is 'macro_f1'"),
    "sd of text": block("laws: {sd: options}", "laws.sd", "'options'", "numbers"),
    "both weightings": block(
        "laws: {sd: macro_f1, weights: labels}", "laws.weights", "'labels'", "no weights beside"
    ),
    "unfinished form": block(
        "laws: {forms: [c0 + c1*n, c0 + c1*n**]}", "laws.forms[1]", "a value here", "c0 + c1*n**\n"
    ),
    "form without a factor": block(
        "laws: {forms: [c0 + c1*N]}", "laws.forms[0]", "n, T, ami", "did you mean n?"
    ),
    "empty form": block("laws: {forms: ['']}", "laws.forms[0]", "formulas in the factors"),
    "form that is a number": block("laws: {forms: [3]}", "laws.forms[0]", "3", "formulas"),
    "unknown loss": block("laws: {loss: foo}", "laws.loss", "'foo'", "squares"),
    "unknown engine": block("laws: {engine: pyser}", "laws.engine", "'pyser'", "operon"),
    "engine not ready": block("laws: {engine: pysr}", "laws.engine", "'pysr'", "--install pysr"),
    "unknown budget": block("laws: {budget: huge}", "laws.budget", "'huge'", "thorough"),
    "no time": block("laws: {time_limit: 0}", "laws.time_limit", "0", "above 0"),
}

CORPORA: dict[str, Mistake] = {
    "no corpus": block(
        "family: {name: layers}", "family.options.corpus", "None", "path of a corpus"
    ),
    "missing": block(
        "family: {name: layers, options: {corpus: none.conll}}", "corpus", "'none.conll'", "path"
    ),
    "empty": corpus("", "c.conll", "'empty'", "at least one sentence"),
    "not UTF-8": corpus(b"a\tb\n\xff\n", "c.conll, line 2", "\\xff", "UTF-8"),
    "unknown kind": corpus("<a/>", "c.xml", "'.xml'", ".conll", name="c.xml"),
    "one column": corpus("word\nword\n", "c.conll, line 1", "'1 column'", "at least one label"),
    "uneven": corpus("a b\na b c\n", "c.conll, line 2", "'3 columns'", "2 columns"),
    "broken JSON": corpus("{\n", "c.jsonl, line 1", "'{'", "one JSON object", name="c.jsonl"),
    "too few labels": corpus(
        '{"tokens": ["a"], "x": ["A", "B"]}\n', "line 1", "2 values", "1 labels", name="c.jsonl"
    ),
    "no label": corpus('{"tokens": ["a"]}\n', "c.jsonl", "'no labels'", "layer", name="c.jsonl"),
    "unknown layer": corpus(CORPUS, "layer", "'pos'", "layer_1, layer_2", options=", main: pos"),
    "unknown option": corpus(CORPUS, "options.man", "'x'", "'main'", options=", man: x"),
    "too little overlap": corpus(
        CORPUS, "layers", "'layer_1, layer_2'", "share 3000", options=", min_overlap: 9999"
    ),
}

OPTIONS: dict[str, Mistake] = {
    "missing study": Mistake(("run", "none.yaml", "--out", OUT), ("none.yaml", "no such", "study")),
    "a folder": Mistake(("run", ".", "--out", OUT), ("is a directory", "a study file")),
    "a table": Mistake(("run", "table.csv", "--out", OUT), ("table.csv", "n,T,ami", "question:")),
    "no jobs": run("--jobs", "0", "-1 for one per core", jobs="0"),
    "jobs as text": run("--jobs", "'two'", "a whole number,", jobs="two"),
    "unknown backend": run("--backend", "'spark'", "loky", backend="spark"),
    "needless address": run("--address", "'x'", "the backend dask", address="x"),
    "unknown device": run("--device", "'tpu'", "cpu", device="tpu"),
    "absent device": run("--device", "'cuda:99'", "cpu", device="cuda:99"),
    "unknown engine": run("--engine", "'gp'", "operon", engine="gp"),
    "engine not ready": run("--engine", "'pysr'", "install", engine="pysr"),
    "out is a file": run("--out", "'table.csv'", "a folder", out="table.csv"),
    "out in a file": run("--out", "'table.csv/x'", "a folder", out="table.csv/x"),
}

WRONG_TYPES: dict[str, Mistake] = {
    "encoder as a list": block(
        "training: {encoder: [bilstm]}", "training.encoder", "bilstm", "one of"
    ),
    "layer as a number": corpus(CORPUS, "options.main", "3", options=", main: 3"),
    "layers as a number": corpus(CORPUS, "options.aux", "3", options=", aux: 3"),
    "layers as one name": corpus(CORPUS, "options.aux", "layer_1", options=", aux: layer_1"),
    "no separator": corpus(CORPUS, "options.separator", "''", options=", separator: ''"),
    "lowercase as a number": corpus(CORPUS, "options.lowercase", "3", options=", lowercase: 3"),
    "columns as numbers": corpus(CORPUS, "options.columns", "1", options=", columns: [1, 2]"),
}
