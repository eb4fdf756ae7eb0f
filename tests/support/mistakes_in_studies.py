"""Mistakes in studies, in corpora and in the options of `mtl-laws run`."""

from __future__ import annotations

import io
import json

import numpy as np
from numpy.typing import NDArray

from support.mistakes import CORPUS, LAYERS, OUT, STUDY, Mistake, corpus, run, study

FULL = "question: q\nfactors: {tasks: [1, 2], tokens: [40, 80, 160], ami: [0.1, 0.5]"


def factors(text: str, path: str = "") -> Mistake:
    """A study with these factors."""
    return study(f"question: q\nfactors: {{{text}}}\n", path)


def block(text: str, path: str = "") -> Mistake:
    """A sound study with one more line."""
    return study(STUDY + text + "\n", path)


def npy(array: NDArray[np.generic]) -> bytes:
    """The content of a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def tensors(dtype: str = "F32", **shapes: tuple[int, int]) -> bytes:
    """The content of a .safetensors file of zeros."""
    entries = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 4 * shape[0] * shape[1]]}
        for name, shape in shapes.items()
    }
    header = json.dumps(entries).encode()
    return len(header).to_bytes(8, "little") + header + bytes(30_000)


STUDIES: dict[str, Mistake] = {
    "empty": study("", "mine.yaml"),
    "a list": study("- 1\n", "mine.yaml"),
    "not YAML": study("question: [", "mine.yaml, line 1"),
    "binary": study(b"\x00\xff\xfe", "mine.yaml"),
    "a key twice": study(STUDY + "seeds: 2\nseeds: 3\n", "mine.yaml, line 4"),
    "a tag": study(
        "question: !!python/object/apply:os.system ['touch marker']\n", "mine.yaml, line 1"
    ),
    "an anchor": study("question: &a q\nfamily: *a\n", "mine.yaml, line 1"),
    "very deep": study("question: " + "[" * 99, "mine.yaml, line 1"),
    "no factors": study("question: q\n", "factors"),
    "unknown key": block("famly: {}", "famly"),
    "unknown key within": block("laws: {taget: f1}", "laws.taget"),
    "a required key mistyped": factors("tasks: 2, tokns: [40, 80]", "factors.tokns"),
    "a required block mistyped": study("question: q\nfactor: {tasks: 2}\n", "factor"),
    "required keys by their symbols": factors("T: 2, n: 40", "factors.T"),
    "T = 0": factors("tasks: [0], tokens: [40]", "factors.tasks[0]"),
    "half a task": factors("tasks: [1.5], tokens: [40]", "factors.tasks[0]"),
    "too many tasks": factors("tasks: [2, 101], tokens: [40], ami: 0.5", "factors.tasks[1]"),
    "unknown control": block("controls: [update]", "controls[0]"),
    "control too large": study(
        "question: q\nfactors: {tasks: [99], tokens: [40, 900000000], ami: [0.1, 0.5]}\n"
        "controls: [tokens]\n",
        "controls",
    ),
    "gain without its control": block("laws: {target: gain_tokens}", "laws.target"),
    "T by its symbol": study(FULL + ", T: [2]}\n", "factors.T"),
    "negative tokens": factors("tasks: 1, tokens: [-40]", "factors.tokens[0]"),
    "tokens as text": factors("tasks: 1, tokens: many", "factors.tokens[0]"),
    "AMI above 1": factors("tasks: 2, tokens: 4, ami: [1.5]", "factors.ami[0]"),
    "AMI below 0": factors("tasks: 2, tokens: 4, ami: [-1]", "factors.ami[0]"),
    "no AMI": factors("tasks: 2, tokens: [40]", "factors.ami"),
    "no level": factors("tasks: [], tokens: [40]", "factors.tasks"),
    "unknown factor": study(FULL + ", hiden: [8, 16]}\n", "factors.hiden[0]"),
    "two models": factors("tasks: 1, tokens: 40", "factors"),
    "a million trials": study(STUDY + "seeds: 100000\n" + "family: {options: {}}\n", "factors"),
    "endless seed": block("seeds: [99999999999999999999]", "seeds"),
    "negative seeds": block("seeds: [-1]", "seeds[0]"),
    "unknown family": block("family: {name: techer}", "family.name"),
    "unknown option in a case": block("cases: [{zipf: 1}, {zipff: 1}]", "cases[1].zipff"),
    "a case and a factor": study(FULL + ", zipf: [0, 1]}\ncases: [{zipf: 1}]\n", "cases[0].zipf"),
    "a case and an option": block(
        "family: {options: {zipf: 0}}\ncases: [{zipf: 1}]", "cases[0].zipf"
    ),
    "cases that are no blocks": block("cases: [zipf]", "cases[0]"),
    "unknown option": block("family: {options: {zipff: 1}}", "family.options.zipff"),
    "one label": block("family: {labels: 1}", "family.labels"),
    "all noise": block("family: {label_noise: 1}", "family.label_noise"),
    "unknown encoder": block("training: {encoder: gpt}", "training.encoder"),
    "unknown setting": block("training: {hiden: 8}", "training.hiden"),
    "no units": block("training: {hidden: 0}", "training.hidden"),
    "negative rate": block("training: {learning_rate: -1}", "training.learning_rate"),
    "unknown law target": block("laws: {target: acuracy}", "laws.target"),
    "law of text": block("laws: {factors: [n, T], target: family}", "laws.target"),
    "unknown law factor": block("laws: {factors: [n, amy]}", "laws.factors.amy"),
    "factor not varied": block("laws: {factors: [n, labels]}", "laws.factors.labels"),
    "AMI not varied": study(FULL.replace("[0.1, 0.5]", "[0.5]") + "}\n", "laws.factors.ami"),
    "keyword as factor": block("laws: {factors: {lambda: n}}", "laws.factors.lambda"),
    "constant as factor": block("laws: {factors: {c0: n}}", "laws.factors.c0"),
    "hold-out unknown": block("laws: {hold_out: m > 3}", "laws.hold_out"),
    "hold-out hostile": block('laws: {hold_out: "__import__(1)"}', "laws.hold_out"),
    "bounds reversed": block("laws: {bounds: [1, 0]}", "laws.bounds"),
    "domain infinite": block("laws: {domain: {ami: [0, .inf]}}", "mine.yaml, line 3"),
    "domain unknown": block("laws: {domain: {amy: [0, 1]}}", "laws.domain"),
    "group of no column": block("laws: {groups: [encodr]}", "laws.groups"),
    "group not varied": block("laws: {groups: [encoder]}", "laws.groups"),
    "group that is the seed": block("laws: {groups: seed}", "laws.groups"),
    "a group for each trial": block("laws: {groups: trial}", "laws.groups"),
    "group without a value": block("laws: {groups: n_aux_request}", "laws.groups"),
    "group that is a factor": block("laws: {groups: [T]}", "laws.groups"),
    "group twice": block("laws: {groups: [encoder, encoder]}", "laws.groups"),
    "unknown sd": block("laws: {sd: macro_f2}", "laws.sd"),
    "sd of text": block("laws: {sd: options}", "laws.sd"),
    "both weightings": block("laws: {sd: macro_f1, weights: labels}", "laws.weights"),
    "unfinished form": block("laws: {forms: [c0 + c1*n, c0 + c1*n**]}", "laws.forms[1]"),
    "form without a factor": block("laws: {forms: [c0 + c1*N]}", "laws.forms[0]"),
    "empty form": block("laws: {forms: ['']}", "laws.forms[0]"),
    "form that is a number": block("laws: {forms: [3]}", "laws.forms[0]"),
    "unknown loss": block("laws: {loss: foo}", "laws.loss"),
    "unknown engine": block("laws: {engine: pyser}", "laws.engine"),
    "engine not ready": block("laws: {engine: pysr}", "laws.engine"),
    "options of no engine": block(
        "laws: {engine: operon, engine_options: {parsimony: 1}}", "laws.engine_options"
    ),
    "options without values": block("laws: {engine_options: parsimony}", "laws.engine_options"),
    "unknown budget": block("laws: {budget: huge}", "laws.budget"),
    "no time": block("laws: {time_limit: 0}", "laws.time_limit"),
}

CORPORA: dict[str, Mistake] = {
    "no corpus": block("family: {name: layers}", "family.options.corpus"),
    "missing": block(
        "family: {name: layers, options: {corpus: none.conll}}", "family.options.corpus"
    ),
    "empty": corpus("", "c.conll"),
    "not UTF-8": corpus(b"a\tb\n\xff\n", "c.conll, line 2"),
    "unknown kind": corpus("<a/>", "c.xml, line 1", name="c.xml"),
    "one column": corpus("word\nword\n", "c.conll, line 1"),
    "uneven": corpus("a b\na b c\n", "c.conll, line 2"),
    "broken JSON": corpus("{\n", "c.jsonl, line 1", name="c.jsonl"),
    "too few labels": corpus(
        '{"tokens": ["a"], "x": ["A", "B"]}\n', "c.jsonl, line 1", name="c.jsonl"
    ),
    "no label": corpus('{"tokens": ["a"]}\n', "c.jsonl", name="c.jsonl"),
    "unknown layer": corpus(CORPUS, "layer", options=", main: pos"),
    "unknown option": corpus(CORPUS, "family.options.man", options=", man: x"),
    "too little overlap": corpus(CORPUS, "layers", options=", min_overlap: 9999"),
}

VECTORS = {
    "v.npy": npy(np.zeros((3000, 2), dtype=np.float32)),
    "short.npy": npy(np.zeros((2990, 2), dtype=np.float32)),
    "flat.npy": npy(np.zeros(3000, dtype=np.float32)),
    "whole.npy": npy(np.zeros((3000, 2), dtype=np.int32)),
    "infinite.npy": npy(np.full((3000, 2), np.inf, dtype=np.float32)),
    "cut.npy": npy(np.zeros((3000, 2), dtype=np.float32))[:-4],
    "huge.npy": npy(np.zeros((3000, 2), dtype=np.float32)).replace(b"(3000, 2), ", b"(3000, 2**9)"),
    "several.safetensors": tensors(a=(3000, 2), b=(3000, 2)),
    "half.safetensors": tensors(a=(3000, 2), dtype="BF16"),
}
CASES = (
    LAYERS + "family: {name: layers}\n"
    "cases: [{corpus: corpus.conll}, {corpus: corpus.conll, vectors: v.npy}]\n"
)
AT_VECTORS = "family.options.vectors"


def vectors(name: str, path: str = AT_VECTORS, encoder: str = "vectors") -> Mistake:
    """`mtl-laws run` on a study whose encoder reads the vectors of a file."""
    family = f"family: {{name: layers, options: {{corpus: corpus.conll, vectors: {name}}}}}\n"
    wrong = study(f"{LAYERS}{family}training: {{encoder: {encoder}}}\n", path)
    content = VECTORS.get(name)
    return wrong if content is None else Mistake(wrong.words, path, {**wrong.files, name: content})


CORPORA |= {
    "no vectors": vectors("none.npy"),
    "vectors that are text": vectors("corpus.conll"),
    "vectors of another corpus": vectors("short.npy"),
    "vectors in one dimension": vectors("flat.npy"),
    "vectors of whole numbers": vectors("whole.npy"),
    "vectors that are not finite": vectors("infinite.npy"),
    "vectors cut off": vectors("cut.npy"),
    "vectors with a formula": vectors("huge.npy"),
    "several tensors": vectors("several.safetensors"),
    "numbers of another type": vectors("half.safetensors"),
    "vectors without a name": vectors("[]"),
    "vectors that nothing reads": vectors("v.npy", encoder="bilstm"),
    "an encoder without vectors": block("training: {encoder: vectors}", "training.encoder"),
    "a level without vectors": study(
        FULL + ", encoder: [bilstm, vectors_bilstm]}\n", "factors.encoder[1]"
    ),
    "a case with vectors that nothing reads": Mistake(
        study("").words, "cases[1].vectors", {"mine.yaml": CASES, "v.npy": VECTORS["v.npy"]}
    ),
}

OPTIONS: dict[str, Mistake] = {
    "missing study": Mistake(("run", "none.yaml", "--out", OUT), "none.yaml"),
    "a folder": Mistake(("run", ".", "--out", OUT), "."),
    "a table": Mistake(("run", "table.csv", "--out", OUT), "table.csv"),
    "no jobs": run("--jobs", jobs="0"),
    "jobs as text": run("--jobs", jobs="two"),
    "unknown backend": run("--backend", backend="spark"),
    "needless address": run("--address", address="x"),
    "unknown device": run("--device", device="tpu"),
    "absent device": run("--device", device="cuda:99"),
    "unknown engine": run("--engine", engine="gp"),
    "engine not ready": run("--engine", engine="pysr"),
    "out is a file": run("--out", out="table.csv"),
    "out in a file": run("--out", out="table.csv/x"),
}

WRONG_TYPES: dict[str, Mistake] = {
    "encoder as a list": block("training: {encoder: [bilstm]}", "training.encoder"),
    "layer as a number": corpus(CORPUS, "family.options.main", options=", main: 3"),
    "layers as a number": corpus(CORPUS, "family.options.aux", options=", aux: 3"),
    "layers as one name": corpus(CORPUS, "family.options.aux", options=", aux: layer_1"),
    "no separator": corpus(CORPUS, "family.options.separator", options=", separator: ''"),
    "lowercase as a number": corpus(CORPUS, "family.options.lowercase", options=", lowercase: 3"),
    "columns as numbers": corpus(CORPUS, "family.options.columns", options=", columns: [1, 2]"),
}
