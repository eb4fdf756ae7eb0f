"""What preflight refuses before anything is trained, and what it accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

import mtl_laws.pipeline.study.preflight
from mtl_laws.pipeline.columns import ordinary_rows
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.study import run, workers
from mtl_laws.pipeline.study.preflight import asked_table, find_problems, preflight
from mtl_laws.pipeline.study.store import Row
from mtl_laws.pipeline.study.study import shipped_studies
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.train import train_study
from mtl_laws.pipeline.study.trials import expand
from mtl_laws.pipeline.training import Outcome, Status
from mtl_laws.simulator import SpecError, TaskSet, TaskSpec, UnreachableAMIError, make_taskset
from support.tiny_runs import QUIET, Trainer, study

SIZES = "question: q\nfactors: {{tasks: [1, 2], tokens: {tokens}, ami: [0.1, 0.5]{more}}}\n{rest}"
NOISE = (
    "question: q\nfactors: {{tasks: [1, 2, 3], tokens: [40, 80], ami: {ami}, label_noise: {noise}}}"
    "\nfamily: {{name: {family}}}\n"
)
CORPUS = "\n\n".join("\n".join(f"w{i + j} A{j % 2} B{i % 2}" for j in range(6)) for i in range(99))


def problems(text: str) -> list[tuple[str, object]]:
    return [(problem.path, problem.got) for problem in find_problems(study(text))]


@pytest.mark.parametrize("family", ["teacher", "channel"])
def test_an_ami_out_of_reach_with_this_noise_is_refused(family: str) -> None:
    """At a noise of 0.3 two copies of one task have an AMI of 0.145; the trials would fail."""
    text = NOISE.format(family=family, ami=[0.1, 0.5, 0.9], noise=[0.0, 0.3])
    assert problems(text) == [("factors.ami[1]", 0.5), ("factors.ami[2]", 0.9)]
    with pytest.raises(UserError, match=r"factors\.ami\[1\]: expected 0\.00\d to 0\.1\d\d, with"):
        preflight(study(text))


@pytest.mark.parametrize("family", ["teacher", "channel"])
def test_an_ami_within_reach_is_accepted(family: str) -> None:
    assert problems(NOISE.format(family=family, ami=[0.05, 0.13], noise=[0.0, 0.3])) == []
    assert problems(NOISE.format(family=family, ami=[0.0, 0.5, 1.0], noise=[0.0])) == []


def test_what_preflight_says_of_an_ami_is_what_the_simulator_does() -> None:
    """Every trial with noise fails or is made as preflight says, with each of its seeds."""
    text = NOISE.format(family="teacher", ami=[0.02, 0.14, 0.3], noise=[0.05, 0.3])
    refused = {got for path, got in problems(text) if path.startswith("factors.ami")}
    failures = set()
    for trial in expand(study(text)):
        try:
            make_taskset(trial.task, trial.seed)
        except SpecError:
            failures.add(trial.task.ami)
    assert refused == failures == {0.3}


def test_one_seed_in_reach_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw may be unlucky: then its trial fails, and the others are trained."""
    text = NOISE.format(family="teacher", ami=[0.05, 0.13], noise=[0.0])

    def unlucky(spec: TaskSpec, seed: int) -> TaskSet:
        if seed == 0:
            raise UnreachableAMIError("ami", spec.ami, "more")
        return make_taskset(spec, seed)

    monkeypatch.setattr(mtl_laws.pipeline.study.preflight, "make_taskset", unlucky)
    assert problems(text + "seeds: 2\n") == []
    assert problems(text + "seeds: 1\n") == [("factors.ami[0]", 0.05), ("factors.ami[1]", 0.13)]


@pytest.mark.parametrize(
    ("tokens", "more", "rest", "refused"),
    [
        ([38, 42, 80], "", "", [("factors.tokens[1]", 42)]),
        ([80, 42, 38], "", "", [("factors.tokens[1]", 42)]),
        ([1, 14, 80], "", "", [("factors.tokens[1]", 14)]),
        ([38, 42, 80], "", "family: {sentence_length: 3}", []),
        ([38, 48, 80], "", "", []),
        ([40, 80], ", aux_tokens: [null, 38, 42]", "", [("factors.aux_tokens[2]", 42)]),
        ([40, 80], ", aux_tokens: [null, 40, 80]", "", []),
        ([38, 42, 80], ", sentence_length: [3, 10]", "", [("factors.tokens[1]", 42)]),
    ],
)
def test_levels_of_equal_size_are_refused(
    tokens: list[int], more: str, rest: str, refused: list[tuple[str, object]]
) -> None:
    assert problems(SIZES.format(tokens=tokens, more=more, rest=rest)) == refused


def test_levels_that_only_differ_with_some_seeds_are_accepted() -> None:
    rest = "family: {options: {length_spread: 0.9}}\nseeds: 9\n"
    assert problems(SIZES.format(tokens=[38, 42, 80], more="", rest=rest)) == []


def test_a_rare_level_among_many_trials_is_seen() -> None:
    """Two levels of T make a factor, however few the trials of one of them are."""
    ami, hidden = [k / 100 for k in range(90)], list(range(1, 120))
    text = (
        f"question: q\nfactors: {{tasks: [1, 2], tokens: [40, 80], ami: {ami}, hidden: {hidden}}}\n"
        "stl: false\nlaws: {factors: [n, T]}\n"
    )
    trials = expand(study(text + "seeds: 1\n"))
    assert len(trials) > 20_000
    assert sum(trial.task.tasks == 1 for trial in trials) < 300
    columns = asked_table(trials, ["n", "T", "hidden"])
    assert columns.nunique().to_dict() == {"T": 2, "n": 2, "hidden": 119}


@pytest.mark.parametrize(
    ("laws", "refused"),
    [
        ("factors: [n, T, label_noise]", [("laws.factors.label_noise", "label_noise")]),
        ("factors: [n, T, hidden]", [("laws.factors.hidden", "hidden")]),
        ("factors: [n, T, sharing]", [("laws.factors.sharing", "sharing")] * 2),
        ("factors: [n, T, ami_clean]", []),
        ("factors: [n, ami_aux]", [("laws.factors.ami_aux", "ami_aux")]),
        ("factors: [n, n_aux]", []),
        ("groups: [encoder]", [("laws.groups", "encoder")]),
        ("groups: [trial]", [("laws.groups", "trial")]),
        ("groups: [seed]", [("laws.groups", "seed")]),
        ("factors: [n, seed]", [("laws.factors.seed", "seed")]),
        ("hold_out: m > 4", [("laws.hold_out", "m")]),
        ("hold_out: n > 500", [("laws.hold_out", "n > 500")]),
        ("hold_out: n > 5", [("laws.hold_out", "n > 5")]),
        ("hold_out: n > 90", []),
        ("hold_out: ami > 0.502", []),
        ("hold_out: T > 1", [("laws.hold_out", "T > 1")]),
        ("hold_out: T > 1, factors: [n, T, ami_clean]", []),
        ("hold_out: n > 60, factors: [T]", [("laws.hold_out", "n")]),
        ("target: gain", []),
        (
            "hold_out: m > 4, factors: [n, label_noise]",
            [("laws.hold_out", "m"), ("laws.factors.label_noise", "label_noise")],
        ),
    ],
)
def test_the_laws_block_is_checked_against_the_levels(
    laws: str, refused: list[tuple[str, object]]
) -> None:
    rest = f"laws: {{{laws}}}\n"
    assert problems(SIZES.format(tokens=[40, 80], more="", rest=rest)) == refused


def test_a_study_that_was_trained_before_has_its_laws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older versions trained what preflight refuses now; another law search trains nothing."""
    monkeypatch.setattr(workers, "train_together", Trainer())
    monkeypatch.setattr(run, "fit_to_folder", lambda table, *_: len(table))
    text = SIZES.format(tokens=[38, 42, 80], more="", rest="")
    with pytest.raises(UserError, match=r"factors\.tokens\[1\]"):
        run.run_study(study(text), tmp_path, options=QUIET)
    train_study(study(text), tmp_path, QUIET)
    assert run.run_study(study(text), tmp_path, options=QUIET) == len(expand(study(text)))
    with pytest.raises(UserError, match=r"laws\.factors\.hidden"):
        run.run_study(study(text + "laws: {factors: [n, hidden]}\n"), tmp_path, options=QUIET)


def test_a_gain_needs_single_task_models() -> None:
    text = SIZES.format(tokens=[40, 80], more="", rest="laws: {target: gain, factors: [n, T]}\n")
    text = text.replace("[1, 2]", "[2, 3]")
    assert problems(text) == []
    assert problems(text + "stl: false\n") == [("laws.target", "gain")]


def test_a_measured_relatedness_is_accepted_as_a_factor(tmp_path: Path) -> None:
    """Layers of a corpus have the AMI that they have: no level is asked for."""
    (tmp_path / "c.conll").write_text(CORPUS + "\n", encoding="utf-8")
    text = (
        "question: q\nfactors: {tasks: [1, 2], tokens: [30, 60, 90]}\ntest_tokens: 30\nseeds: 2\n"
        "family: {name: layers, options: {corpus: '%s', min_overlap: 9}}\n"
    ) % (tmp_path / "c.conll")
    assert problems(text) == []
    assert problems(text.replace("90]", "900]")) == [("factors.tokens[2]", 900)]


def test_the_columns_asked_for_are_those_of_the_table() -> None:
    """The same values as the table of a run has, whatever it measures."""
    text = (
        "question: q\nfactors: {tasks: [1, 3], tokens: [40, 80], ami: [0.1, 0.5], hidden: [2, 3], "
        "zipf: [0.5, 1]}\ncontrols: [updates]\nseeds: 1\n"
    )
    trials = expand(study(text))
    outcome = workers.outcome_json(Outcome(Status.FAILED))
    rows = outcomes_table([Row(one.digest, one.to_json(), outcome) for one in trials], {})
    names = ["n", "hidden", "zipf", "n_aux_request", "ami_request", "encoder", "labels"]
    ordinary = sorted((one for one in trials if one.control is None), key=lambda one: one.digest)
    asked = asked_table(ordinary, [*names, "ami", "h_main", "accuracy"])
    table = ordinary_rows(rows)
    for name in ("T", *names):
        if name in table:
            assert asked[name].dropna().tolist() == table[name].dropna().tolist(), name
    assert {"h_main", "accuracy"}.isdisjoint(asked)
    assert asked["ami"].equals(asked["ami_request"])


@pytest.mark.parametrize("path", shipped_studies().values(), ids=list(shipped_studies()))
def test_the_studies_that_ship_are_accepted(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []
