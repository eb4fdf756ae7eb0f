"""Studies: what is read, what is refused, and that one line says where and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.blocks import reference
from mtl_laws.pipeline.study.study import Study, commented_study, shipped_studies
from mtl_laws.pipeline.study.trials import expand
from support.planted_laws import HARBOUR

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DOCUMENT = Path(__file__).parents[3] / "docs" / "study.md"
BASE = "question: does it help?\nfactors: {tasks: [1, 2], tokens: [40, 160], ami: [0.1, 0.5]}\n"


def read(text: str) -> str:
    """The study's question, or where its mistake is."""
    try:
        return Study.parse(text).question
    except UserError as error:
        return error.path


def with_factors(text: str) -> str:
    return f"question: q\nfactors: {{{text}}}\n"


def test_a_minimal_study_gets_its_defaults() -> None:
    study = Study.parse(BASE)
    assert study.factors.levels() == {"tasks": (1, 2), "tokens": (40, 160), "ami": (0.1, 0.5)}
    assert study.seeds == (0, 1)
    assert study.stl
    assert study.family.name == "teacher"
    assert study.laws.factors == {"n": "n", "T": "T", "ami": "ami"}


def test_numbers_are_read_as_they_are_meant() -> None:
    study = Study.parse(with_factors("tasks: 2, tokens: [1e3, 2_000, 040], ami: .5"))
    assert study.factors.tokens == (1000, 2000, 40)
    assert all(isinstance(level, int) for level in study.factors.tokens)
    assert study.factors.ami == (0.5,)


def test_words_that_yaml_1_1_would_turn_into_booleans_stay_words() -> None:
    assert Study.parse("question: no\nfactors: {tasks: 1, tokens: 40}").question == "no"


@pytest.mark.parametrize(("given", "seeds"), [("3", (0, 1, 2)), ("[3]", (3,)), ("[5, 2]", (5, 2))])
def test_seeds_are_a_count_or_a_list(given: str, seeds: tuple[int, ...]) -> None:
    assert Study.parse(BASE + f"seeds: {given}").seeds == seeds


def test_a_study_cannot_be_changed() -> None:
    study = Study.parse(BASE)
    with pytest.raises(ValueError, match="frozen"):
        study.stl = False


def test_a_study_survives_its_own_json() -> None:
    study = Study.parse(BASE + "laws: {factors: {n: n, E: ami}, domain: {E: [0, 1]}}")
    assert Study.model_validate_json(study.model_dump_json()) == study


WRONG = [
    ("", "study", "factors:"),
    ("- 1", "study", "factors:"),
    ("question: [", "study, line 1", "expected"),
    ("question: q\nquestion: r\n", "study, line 2", "given twice"),
    ("question: q\nfactors: &a {tasks: 1}\nfamily: *a\n", "study, line 2", "anchors"),
    ("question: !!python/object:os.system x\n", "study, line 1", "tags"),
    ("1: 2\n", "study, line 1", "not a name"),
    ("question: \x00", "study", "YAML"),
    (f"question: {'[' * 99}", "study, line 1", "deep"),
    ("question: q\n", "factors", "required"),
    ("factors: {tasks: 1, tokens: 4}", "question", "required"),
    ("question: 3\nfactors: {tasks: 1, tokens: 4}", "question", "text"),
    (BASE + "famly: {}", "famly", "'family'"),
    (BASE + "family: {lables: 3}", "family.lables", "'labels'"),
    (BASE + "family: {labels: three}", "family.labels", "2 or more"),
    (BASE + "family: {label_noise: 1.0}", "family.label_noise", "up to but not 1"),
    (BASE + "family: {shared: 1}", "family.shared", "true"),
    (BASE + "family: {validation_fraction: 0}", "family.validation_fraction", "above 0"),
    (BASE + "family: teacher", "family", "name, labels"),
    (BASE + "test_tokens: 0", "test_tokens", "1 or more"),
    (BASE + "stl: yes", "stl", "true"),
    (BASE + "seeds: 0", "seeds", "a count of seeds"),
    (BASE + "seeds: -1", "seeds", "a count of seeds"),
    (BASE + "seeds: 1.5", "seeds", "a count of seeds"),
    (BASE + "seeds: true", "seeds", "a count of seeds"),
    (BASE + "seeds: []", "seeds", "a count of seeds"),
    (BASE + "seeds: [1, 1]", "seeds", "once"),
    (BASE + "seeds: [0, -1]", "seeds[1]", "0 or more"),
    (BASE + "training: [1]", "training", "settings"),
    (with_factors("tokens: 40"), "factors.tasks", "required"),
    (with_factors("tasks: 2"), "factors.tokens", "required"),
    (with_factors("tasks: [], tokens: 4"), "factors.tasks", "1 or more"),
    (with_factors("tasks: [0], tokens: 4"), "factors.tasks[0]", "1 or more"),
    (with_factors("tasks: [2, 2.5], tokens: 4"), "factors.tasks[1]", "whole"),
    (with_factors("tasks: ['2'], tokens: 4"), "factors.tasks[0]", "whole"),
    (with_factors("tasks: [true], tokens: 4"), "factors.tasks[0]", "whole"),
    (with_factors("tasks: [[2]], tokens: 4"), "factors.tasks", "one plain value"),
    (with_factors("tasks: {a: 2}, tokens: 4"), "factors.tasks", "one plain value"),
    (with_factors("tasks: 2, tokens: [40, 4e1]"), "factors.tokens", "once"),
    (with_factors("tasks: 2, tokens: many"), "factors.tokens[0]", "whole"),
    (with_factors("tasks: 2, tokens: 4, ami: [0, 0.5, 1.2]"), "factors.ami[2]", "0 to 1"),
    (with_factors("tasks: 2, tokens: 4, ami: [-0.1]"), "factors.ami[0]", "0 to 1"),
    (with_factors("tasks: 2, tokens: 4, ami: high"), "factors.ami[0]", "0 to 1"),
    (with_factors("tasks: 2, tokens: 4, ami: .nan"), "study, line 2", "finite"),
    (with_factors("tasks: 2, tokens: 1e999"), "study, line 2", "finite"),
    (with_factors(f"tasks: 2, tokens: {'9' * 5000}"), "study", "sensible"),
    (with_factors("tasks: 2, tokens: 4, aux_tokens: [0]"), "factors.aux_tokens[0]", "null"),
    (with_factors("tasks: 2, tokens: 4, features: []"), "factors.features", "one or more"),
    (BASE.replace("}", ", shared: [true]}") + "family: {shared: true}", "factors.shared", "both"),
    (BASE.replace("}", ", zipf: [1]}") + "family: {options: {zipf: 1}}", "factors.zipf", "both"),
    (BASE.replace("}", ", hidden: [8]}") + "training: {hidden: 8}", "factors.hidden", "both"),
    (BASE + "laws: {taget: accuracy}", "laws.taget", "'target'"),
    (BASE + "laws: {factors: []}", "laws.factors", "columns"),
    (BASE + "laws: {factors: [a b]}", "laws.factors", "letters"),
    (BASE + "laws: {factors: [n, 3]}", "laws.factors", "letters"),
    (BASE + "laws: {bounds: [1, 0]}", "laws.bounds", "in that order"),
    (BASE + "laws: {bounds: 1}", "laws.bounds", "lowest"),
    (BASE + "laws: {budget: fast}", "laws.budget", "thorough"),
    (BASE + "laws: {domain: {amy: [0, 1]}}", "laws.domain", "'ami'"),
    (BASE + "laws: {domain: {ami: [1, 0]}}", "laws.domain.ami", "in that order"),
    (BASE + "laws: {domain: {ami: 1}}", "laws.domain.ami", "lowest"),
    (BASE + "laws: {time_limit: 0}", "laws.time_limit", "above 0"),
    (BASE + "laws: {seed: -1}", "laws.seed", "0 or more"),
    (BASE + "laws: {engine: 3}", "laws.engine", "operon"),
]


@pytest.mark.parametrize(("text", "field", "accepted"), WRONG)
def test_a_mistake_is_one_line_with_place_value_and_remedy(
    text: str, field: str, accepted: str
) -> None:
    with pytest.raises(UserError) as caught:
        Study.parse(text)
    assert caught.value.path == field
    assert accepted in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"study\.yaml: no such file .*; expected the path"):
        Study.load(tmp_path / "study.yaml")


@pytest.mark.parametrize("content", [b"", b"question: \xff\xfe", b"x" * 1_000_001, b"\xef\xbb\xbf"])
def test_a_file_that_is_no_study_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        Study.load(path)
    assert caught.value.path.startswith(str(path))


def test_a_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="directory"):
        Study.load(tmp_path)


@UNHURRIED
@given(st.text(max_size=200))
def test_any_text_is_a_study_or_an_input_error(text: str) -> None:
    assert read(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = ("question", "family", "factors", "seeds", "stl", "test_tokens", "training", "laws")


@UNHURRIED
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_values_are_a_study_or_an_input_error(content: dict[str, object]) -> None:
    base = {"question": "q", "factors": {"tasks": 1, "tokens": 40}}
    assert read(json.dumps({**base, **content}))


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_every_shipped_study_can_be_run(name: str) -> None:
    study = Study.load(shipped_studies()[name])
    assert expand(study)
    assert study.laws.hold_out is None or study.laws.hold_out.strip()


def test_the_commented_study_is_a_study_and_explains_every_key() -> None:
    text = commented_study()
    assert expand(Study.parse(text))
    for name in all_keys(Study):
        assert f"{name}:" in text, f"{name} is not explained"


def test_the_commented_study_can_test_a_law_beyond_every_factor() -> None:
    """Four fitted levels of every factor besides those held out, replicates, and a domain."""
    study = Study.parse(commented_study())
    assert study.laws.hold_out == "n > 1000 or T > 6"
    assert len([n for n in study.factors.tokens if n <= 1000]) >= 4
    assert len([T for T in study.factors.tasks if T <= 6]) >= 4
    assert len(study.factors.ami) >= 4
    assert max(study.factors.tokens) > 1000
    assert max(study.factors.tasks) > 6
    assert len(study.seeds) >= 3
    assert "ami" in study.laws.domain


@pytest.mark.parametrize("name", ["quick", "commented"])
def test_a_study_to_start_from_has_no_time_limit(name: str) -> None:
    """With one, a busy machine finds another law."""
    assert Study.load(shipped_studies()[name]).laws.time_limit is None


def test_the_document_holds_the_reference_as_it_is_now() -> None:
    stale = "docs/study.md is stale: `python -m mtl_laws.pipeline.study.study` prints it"
    assert reference(Study) in DOCUMENT.read_text(encoding="utf-8"), stale


def test_the_example_in_the_document_is_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HARBOUR.parents[1])  # a folder with `example`, as the command writes it
    examples = DOCUMENT.read_text(encoding="utf-8").split("```yaml\n")[1:]
    assert examples
    for example in examples:
        assert expand(Study.parse(example.split("```")[0]))


def all_keys(block: type[BaseModel]) -> set[str]:
    keys = set(block.model_fields)
    for field in block.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys |= all_keys(field.annotation)
    return keys
