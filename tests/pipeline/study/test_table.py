"""The analysis table, its glossary, and tables that users bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.columns import GLOSSARY, columns_markdown, replicates_of, unmodelled_columns
from mtl_laws.pipeline.errors import PipelineError, UserError
from mtl_laws.pipeline.io.tablefile import numbers, read_table, write_parquet
from mtl_laws.pipeline.study.store import Row
from mtl_laws.pipeline.study.table import learning_curves, outcomes_table
from mtl_laws.pipeline.study.trials import Trial, expand
from mtl_laws.pipeline.training import TrainingSettings
from mtl_laws.simulator import TaskSpec
from support.tiny_runs import result, study

DOCUMENT = Path(__file__).parents[3] / "docs" / "columns.md"
RUNS = {0: {"version": "1", "commit": "c", "host": "h", "torch": "2"}}


def row(trial: Trial, **outcome: object) -> Row:
    found = result(trial)
    return Row(trial.digest, trial.to_json(), {**found.outcome, **outcome}, found.measured)


def table_of(text: str) -> pd.DataFrame:
    return outcomes_table([row(trial) for trial in expand(study(text))], RUNS)


BASE = "question: q\nfactors: {tasks: [1, 3], tokens: [40, 80], ami: [0.1, 0.5]}\nseeds: 2\n"


def test_the_document_is_made_from_the_glossary() -> None:
    stale = "docs/columns.md is stale: python -m mtl_laws.pipeline.columns > docs/columns.md"
    assert DOCUMENT.read_text(encoding="utf-8") == columns_markdown(), stale


def test_the_glossary_names_every_column_once() -> None:
    names = [column.name for column in GLOSSARY]
    assert len(names) == len(set(names))
    assert list(table_of(BASE).columns) == names


def test_columns_have_the_types_that_the_glossary_says() -> None:
    table = table_of(BASE)
    assert {c.name: str(table[c.name].dtype) for c in GLOSSARY} == {
        c.name: c.dtype for c in GLOSSARY
    } | {c.name: str(pd.Series([""]).astype("str").dtype) for c in GLOSSARY if c.dtype == "str"}


def test_types_and_nulls_survive_parquet(tmp_path: Path) -> None:
    table = table_of(BASE)
    write_parquet(table, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(table_of(BASE), path)
    content = path.read_bytes()
    with pytest.raises(pa.ArrowException):
        write_parquet(pd.DataFrame({"a": [object()]}), path)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]
    with pytest.raises(PipelineError, match="not written: no such file"):
        write_parquet(table_of(BASE), tmp_path / "nowhere" / "t.parquet")


def test_ami_of_a_single_task_is_null() -> None:
    table = table_of(BASE)
    alone = table["T"] == 1
    assert table.loc[alone, ["ami", "ami_request", "ami_aux", "n_aux"]].isna().all(axis=None)
    assert table.loc[~alone, ["ami", "ami_request"]].notna().all(axis=None)


def test_gain_is_the_accuracy_above_the_paired_single_task_run() -> None:
    table = table_of(BASE).set_index("trial")
    for _, one in table.iterrows():
        alone = table.loc[one["stl"]]
        assert alone["T"] == 1
        assert (alone["n"], alone["seed"]) == (one["n"], one["seed"])
        assert one["gain"] == pytest.approx(one["accuracy"] - alone["accuracy"])
    assert (table["gain"] > 0).sum() == (table["T"] > 1).sum()


def test_without_a_scored_partner_there_is_no_gain() -> None:
    lonely = "question: q\nfactors: {tasks: [3], tokens: [40], ami: [0.1]}\nstl: false\n"
    assert table_of(lonely)["gain"].isna().all()
    trials = expand(study(BASE))
    lost = {"scores": {}, "status": "diverged"}
    rows = [row(trial, **(lost if trial.task.tasks == 1 else {})) for trial in trials]
    table = outcomes_table(rows, RUNS)
    assert table["gain"].isna().all()
    assert table["accuracy"].isna().sum() == (table["T"] == 1).sum()


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [row(trial) for trial in expand(study(BASE))]
    pd.testing.assert_frame_equal(outcomes_table(rows, RUNS), outcomes_table(rows[::-1], RUNS))


def test_options_and_varied_settings_have_their_columns() -> None:
    table = table_of(
        "question: q\nstl: false\n"
        "family: {options: {label_prior: [1, 2, 1, 1, 1]}}\n"
        "factors: {tasks: 2, tokens: 40, ami: 0.1, hidden: [4, 8], zipf: [0, 1], options.window: 2}"
    )
    assert set(table["hidden"]) == {4, 8}
    assert set(table["zipf"]) == {0, 1}
    assert set(table["option_window"]) == {2}
    assert set(table["label_prior"]) == {"[1,2,1,1,1]"}
    assert "embedding" not in table
    assert "window" not in table


def test_scores_of_single_auxiliaries_stay_in_the_store() -> None:
    (trial,) = expand(study("question: q\nfactors: {tasks: 1, tokens: 40}\nseeds: 1"))
    scores = {"accuracy": 0.5, "macro_f1": 0.4, "span_f1": 0.3, "accuracy_1": 0.2, "macro_f1_12": 0}
    table = outcomes_table([row(trial, scores=scores)], RUNS)
    assert table.loc[0, ["accuracy", "macro_f1", "span_f1"]].tolist() == [0.5, 0.4, 0.3]
    assert not {"accuracy_1", "macro_f1_12"} & set(table.columns)


def test_no_rows_are_a_table_with_every_column() -> None:
    table = outcomes_table([], {})
    assert list(table.columns) == [column.name for column in GLOSSARY]
    assert table.empty


def test_learning_curves_are_long() -> None:
    trials = expand(study(BASE))
    curves = learning_curves([(one.trial, one.outcome["curve"]) for one in map(row, trials)])
    assert len(curves) == 2 * len(trials)
    assert list(curves.columns) == ["trial", "step", "train_loss", "validation_loss"]


# --- trials: trials that differ in the seed only -------------------------------------------------

SPEC = TaskSpec(tasks=3, ami=0.4, tokens=40, options={"feature_overlap": 0.5})
OTHER_SPECS = {
    "family": "channel",
    "tasks": 4,
    "ami": 0.5,
    "tokens": 80,
    "aux_tokens": 120,
    "validation_fraction": 0.3,
    "test_tokens": 500,
    "shared": True,
    "label_noise": 0.1,
    "labels": 4,
    "vocabulary": 90,
    "sentence_length": 20,
    "options": {"feature_overlap": 0.25},
}
OTHER_SETTINGS = {
    "encoder": "cnn",
    "sharing": "soft",
    "activation": "identity",
    "weighting": "uncertainty",
    "schedule": "sequential",
    "random_labels": True,
    "precision": "float64",
}
BEFORE = ["settings", "options", "n_aux_request"]


def trials(*described: tuple[TaskSpec, TrainingSettings], seeds: int = 3) -> pd.DataFrame:
    """The table of trials whose sizes, relatedness and scores differ from seed to seed."""
    trials = [Trial(*one, seed) for one in described for seed in range(seeds)]
    return outcomes_table([drawn(trial, place) for place, trial in enumerate(trials)], RUNS)


def drawn(trial: Trial, place: int) -> Row:
    """A row as a corpus gives it: whole sentences of many lengths, another AMI for each seed."""
    off = 1 + place
    scores = {
        "accuracy": 1 - 1 / off,
        "macro_f1": 1 / off,
        "span_f1": 2 / off,
        "aux_span_f1": 3 / off,
    }
    alone = trial.task.tasks == 1
    measured = dict.fromkeys(("ami", "ami_clean", "h_aux"), None if alone else off / 100)
    sizes = {"n": trial.task.tokens + off, "n_aux": None if alone else 60 + off}
    found = row(trial, scores=scores)
    return Row(found.trial, found.description, found.outcome, {**measured, **sizes, "h_main": off})


def number_of_trials(table: pd.DataFrame) -> int:
    return table.groupby(list(replicates_of(table)), dropna=False).ngroups


def other_setting(name: str) -> TrainingSettings:
    value = OTHER_SETTINGS.get(name, getattr(TrainingSettings(), name) * 2 or 1)
    return replace(TrainingSettings(), **{name: value})


@pytest.mark.parametrize("name", [field.name for field in fields(TaskSpec)])
def test_trials_of_different_tasks_are_different_trials(name: str) -> None:
    other = replace(SPEC, **{name: OTHER_SPECS[name]})
    table = trials((SPEC, TrainingSettings()), (other, TrainingSettings()))
    assert number_of_trials(table) == 2
    assert len(table) == 6


@pytest.mark.parametrize("name", [field.name for field in fields(TrainingSettings)])
@pytest.mark.parametrize("missing", [[], BEFORE])
def test_trials_of_different_settings_are_different_trials(
    name: str, missing: Sequence[str]
) -> None:
    table = trials((SPEC, TrainingSettings()), (SPEC, other_setting(name))).drop(columns=missing)
    assert number_of_trials(table) == 2
    assert unmodelled_columns(table, ["n", "T", "ami"]) == (name,)
    assert unmodelled_columns(table, ["n", "T", "ami", name]) == ()


@pytest.mark.parametrize("missing", [[], BEFORE, ["options"], [*BEFORE, "vocabulary", "encoder"]])
def test_replicates_are_one_trial_whatever_was_drawn_and_measured(missing: Sequence[str]) -> None:
    table = trials((SPEC, TrainingSettings()), (replace(SPEC, tokens=90), TrainingSettings()))
    table = table.drop(columns=missing)
    for name in ("n", "n_aux", "ami", "accuracy", "span_f1", "aux_span_f1"):
        assert table[name].nunique() == len(table)
    assert number_of_trials(table) == 2


def test_sizes_of_auxiliary_tasks_are_told_from_draws_in_an_older_table() -> None:
    """Without `n_aux_request`, sizes that come with every seed were asked for."""
    table = trials((SPEC, TrainingSettings()), (replace(SPEC, aux_tokens=90), TrainingSettings()))
    table = table.assign(n_aux=table["n_aux_request"]).drop(columns=BEFORE)
    assert number_of_trials(table) == 2
    assert unmodelled_columns(table, ["n", "T", "ami"]) == ("n_aux",)
    assert unmodelled_columns(table, ["n", "T", "ami", "n_aux"]) == ()


@pytest.mark.parametrize("missing", [[], BEFORE])
def test_a_column_that_a_user_adds_splits_no_trial(missing: Sequence[str]) -> None:
    table = trials((SPEC, TrainingSettings())).drop(columns=missing)
    table["error"] = 1 - table["accuracy"]
    assert number_of_trials(table) == 1
    assert "error" not in replicates_of(table)


def test_options_that_share_a_name_with_a_setting_are_counted() -> None:
    table = table_of(
        "question: q\nstl: false\nseeds: 2\n"
        "factors: {tasks: 2, tokens: 40, ami: 0.1, hidden: [4, 8], options.window: [2, 3]}"
    )
    assert number_of_trials(table) == 4
    assert unmodelled_columns(table, ["n"]) == ("hidden", "option_window")
    assert unmodelled_columns(table, ["n", "option_window"]) == ("hidden",)


def test_single_task_rows_are_a_level_of_t_alone() -> None:
    """What is neutral or undefined at T = 1 is no further column that varies."""
    table = table_of(BASE + "family: {shared: true}\n")
    assert number_of_trials(table) == 2 + 2 * 2
    assert unmodelled_columns(table, ["n", "T", "ami"]) == ()
    assert unmodelled_columns(table, ["n"]) == ("T", "ami_request")
    assert unmodelled_columns(table, []) == ("T", "n_request", "ami_request")


def test_a_table_of_others_names_no_replicates() -> None:
    table = pd.DataFrame({"n": [1, 2], "hidden": [4, 8]})
    assert replicates_of(table) == ()
    assert unmodelled_columns(table, ["n"]) == ()


@pytest.mark.parametrize("text", ["", "no JSON", "3", "null"])
def test_a_column_that_only_has_the_name_of_ours_is_no_mistake(text: str) -> None:
    columns = {"trial": ["a", "b"], "control": None, "settings": text, "options": text}
    assert unmodelled_columns(pd.DataFrame(columns), []) == ()


# --- tables that users bring -------------------------------------------------------------------

PLAIN = "n,T,name,score\n40,1,a,0.5\n80,2,b,\n160,3,c,1e-1\n"


def written(tmp_path: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def expected() -> pd.DataFrame:
    return pd.DataFrame(
        {"n": [40, 80, 160], "T": [1, 2, 3], "name": list("abc"), "score": [0.5, np.nan, 0.1]}
    )


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ";").replace("0.5", "0,5"),
        "\ufeff" + PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN.replace("80,2,b,", "80,2,b,NA"),
        PLAIN.replace("b", '"b"'),
        "\n\n" + PLAIN + "\n\n",
        PLAIN.replace(",", " , "),
    ],
)
def test_one_table_in_many_spellings(tmp_path: Path, content: str) -> None:
    table = read_table(written(tmp_path, content))
    pd.testing.assert_frame_equal(table, expected(), check_dtype=False)
    assert table["n"].dtype == np.int64
    assert table["score"].dtype == np.float64


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "table.dat"
    expected().to_parquet(path)
    pd.testing.assert_frame_equal(read_table(path), expected())


def test_quoted_trials_may_hold_separators_and_line_ends(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 'a,b\n"x, y\nz",1\n"2",oops\n'))
    assert table["a"].tolist() == ["x, y\nz", "2"]
    with pytest.raises(UserError, match=r"line 4, column b: .* got 'oops'"):
        numbers(table, "b", "t.csv")


@pytest.mark.parametrize(
    ("content", "field", "value"),
    [
        ("", "t.csv", "an empty file"),
        ("\ufeff \n", "t.csv", "an empty file"),
        ("a,b\n", "t.csv", "2 columns, no rows"),
        ("a,b\n1,2\n1,2,3\n", "t.csv, line 3", "3 values"),
        ("a,b\n1\n", "t.csv, line 2", "1 values"),
        ("a,a\n1,2\n", "t.csv, line 1", "a"),
        ("a,,b\n1,2,3\n", "t.csv, line 1", "column 2"),
        ('a,b\n1,2\n"1,2\n', "t.csv, line 3", "unexpected end of data"),
        (b"a,b\n1,2\n\xff,2\n", "t.csv, line 3", "byte 0xff"),
        (b"PAR1 and then nothing", "t.csv", "damaged"),
    ],
)
def test_a_broken_table_is_told_by_file_and_line(
    tmp_path: Path, content: str | bytes, field: str, value: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_table(written(tmp_path, content))
    assert caught.value.path == str(tmp_path / field)
    assert value in str(caught.value.got)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(UserError, match="directory"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("column", "where", "accepted"),
    [
        ("scor", "t.csv", "'score'"),
        ("name", "t.csv, line 2, column name", "a finite number"),
        ("far", "t.csv, line 3, column far", "a finite number"),
    ],
)
def test_a_column_that_is_no_number_is_told_by_line(
    tmp_path: Path, column: str, where: str, accepted: str
) -> None:
    table = read_table(written(tmp_path, "name,score,far\na,1,1\nb,2,inf\n"))
    with pytest.raises(UserError) as caught:
        numbers(table, column, "t.csv")
    assert caught.value.path == where
    assert accepted in caught.value.expected


def test_rows_are_counted_where_there_are_no_lines() -> None:
    table = pd.DataFrame({"a": ["1", "x"]})
    with pytest.raises(UserError, match=r"row 2, column a: .* got 'x'"):
        numbers(table, "a", "t.parquet")


def test_false_and_true_are_zero_and_one() -> None:
    assert numbers(pd.DataFrame({"a": [True, False]}), "a", "t.parquet").tolist() == [1.0, 0.0]


def test_missing_values_are_nan() -> None:
    found = numbers(pd.DataFrame({"a": [1, None, 3]}), "a", "t.csv")
    assert found.dtype == np.float64
    assert found.isna().tolist() == [False, True, False]


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@UNHURRIED
@given(
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_numbers_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, values: list[list[float]], separator: str
) -> None:
    frame = pd.DataFrame(values, columns=["a", "b"])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    frame.to_csv(path, sep=separator, index=False)
    pd.testing.assert_frame_equal(read_table(path), frame, check_dtype=False)


@UNHURRIED
@given(st.binary(max_size=80))
@example(b"\x1c")  # blank to str.strip, not to bytes.strip
def test_any_bytes_are_a_table_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("fuzz"), content)
    assert rows_or_place(path)


def rows_or_place(path: Path) -> int | str:
    """How many rows the file has, or what of it is wrong."""
    try:
        return len(read_table(path))
    except UserError as error:
        return error.path.removeprefix(str(path.parent))
