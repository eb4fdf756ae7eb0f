"""What is said of a study that cannot be expanded: path, value, and what is expected."""

from __future__ import annotations

import pytest

import mtl_laws.pipeline.study.trials
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.trials import Trial, expand

FACTORS = "tasks: [2, 3], tokens: [40, 80], ami: 0.5"
REFUSED: list[tuple[str, str, str, object, str]] = [
    (FACTORS + ", data.foo: [8]", "", "factors.data.foo", "data.foo", "a name, training.NAME or"),
    (
        *(FACTORS + ", training.hiden: [8]", "", "factors.training.hiden", "training.hiden"),
        "the nearest is 'training.hidden'",
    ),
    (FACTORS + ", T: [2]", "", "factors.T", "T", "called 'tasks'"),
    (FACTORS, "training: {hiden: 8}", "training.hiden", "hiden", "the nearest is 'hidden'"),
    (FACTORS, "laws: {target: acuracy}", "laws.target", "acuracy", "the nearest is 'accuracy'"),
    (FACTORS, "laws: {factors: [n, amii]}", "laws.factors.amii", "amii", "the nearest is 'ami'"),
    (FACTORS, "laws: {target: gain_tokens}", "laws.target", "gain_tokens", "controls: [tokens]"),
    (
        *("tasks: [1, 2], tokens: [40], ami: [0.1, 0.2, 0.3]", "seeds: 100000\ncontrols: [tokens]"),
        *("factors", "1,200,000 trials", "at most 1,000,000 trials"),
    ),
    (FACTORS + ", hiden: [8]", "", "factors.hiden[0]", 8, "; did you mean 'hidden'?"),
    (FACTORS + ", hidden: [4, 0]", "", "factors.hidden[1]", 0, "a whole number of at least 1"),
    (FACTORS + ", tok: [8]", "", "factors.tok[0]", 8, "known: "),
    (
        *("tasks: [2], tokens: [900000000], ami: 0.5", "controls: [tokens]", "controls", "tokens"),
        "tokens at most 1,000,000,000",
    ),
    (FACTORS, "training: {hidden: 0}", "training.hidden", 0, "at least 1"),
    (FACTORS, "family: {labels: 1}", "family.labels", 1, "at least 2"),
    (FACTORS, "family: {name: techer}", "family.name", "techer", "teacher"),
    (FACTORS, "family: {options: {zip: 1}}", "family.options.zip", 1, "zipf"),
    (FACTORS, "family: {options: {label_nois: 1}}", "family.options.label_nois", 1, "label_prior"),
    ("tasks: [2], tokens: [40]", "", "factors.ami", None, "for 2 tasks"),
]


@pytest.mark.parametrize(("factors", "rest", "path", "value", "expected"), REFUSED)
def test_the_error_holds_path_value_and_remedy(
    factors: str, rest: str, path: str, value: object, expected: str
) -> None:
    study = Study.parse(f"question: q\nfactors: {{{factors}}}\n{rest}\n")
    with pytest.raises(UserError) as caught:
        expand(study)
    assert (caught.value.path, caught.value.got) == (path, value)
    assert expected in caught.value.expected


def test_the_most_trials_are_accepted_and_one_more_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count is of combinations."""
    factors = "tasks: [1], tokens: [40], hidden: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    study = Study.parse(f"question: q\nfactors: {{{factors}}}\nstl: false\nseeds: 2\n")
    monkeypatch.setattr(mtl_laws.pipeline.study.trials, "MAX_TRIALS", 20)
    assert len(expand(study)) == 20
    monkeypatch.setattr(mtl_laws.pipeline.study.trials, "MAX_TRIALS", 19)
    with pytest.raises(UserError, match="expected at most 19 trials, got '20 trials'"):
        expand(study)


def test_what_a_study_fixes_is_in_every_trial() -> None:
    text = f"""
question: q
factors: {{{FACTORS}}}
family: {{name: channel, labels: 4, shared: true, label_noise: 0.1, options: {{zipf: 0.5}}}}
test_tokens: 333
training: {{hidden: 5}}
seeds: [7]
"""
    trials = expand(Study.parse(text))
    assert {trial.seed for trial in trials} == {7}
    for trial in trials:
        task = trial.task
        assert (task.family, task.labels, task.label_noise) == ("channel", 4, 0.1)
        assert (task.test_tokens, trial.settings.hidden) == (333, 5)
        assert dict(task.options) == {"zipf": 0.5}
        assert task.shared == (task.tasks > 1)


def test_the_cost_grows_with_tasks_and_the_cube_root_of_tokens() -> None:
    text = (
        "question: q\nfactors: {tasks: [2, 4], tokens: [40, 320], ami: 0.5}\nstl: false\nseeds: 1"
    )
    costs = {
        (trial.task.tasks, trial.task.tokens): trial.cost for trial in expand(Study.parse(text))
    }
    assert costs[4, 40] == pytest.approx(2 * costs[2, 40])
    assert costs[2, 320] == pytest.approx(2 * costs[2, 40])


def test_a_target_that_only_some_corpora_have_is_accepted() -> None:
    text = f"question: q\nfactors: {{{FACTORS}}}\nlaws: {{target: span_f1}}\n"
    assert expand(Study.parse(text))


def test_a_trial_is_made_again_from_what_is_stored() -> None:
    for trial in expand(Study.parse(f"question: q\nfactors: {{{FACTORS}}}\nseeds: [3]\n")):
        assert Trial.from_json(trial.to_json()) == trial
