"""`mtl-laws example`: the files that ship, and the commands that it suggests for them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mtl_laws.pipeline.cli.app import app, main
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.reference_data import write_example
from mtl_laws.pipeline.study.study import Study
from mtl_laws.simulator import load_corpus
from support.documents import ROOT


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


def test_the_files_are_those_of_the_repository(tmp_path: Path) -> None:
    paths = write_example(tmp_path / "example")
    for name in ("results.csv", "harbour.conll"):
        source = ROOT / "data" / "example" / name
        assert (tmp_path / "example" / name).read_bytes() == source.read_bytes()
    assert Study.load(paths["study"]) == Study.load(ROOT / "pipeline" / "studies" / "quick.yaml")
    assert set(load_corpus(paths["corpus"]).layers) == {"pos", "chunk", "entity"}


def test_it_can_be_repeated_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "example" / "results.csv"

    def files() -> dict[str, tuple[bytes, int, int]]:
        paths = {path.name: path for path in table.parent.iterdir()}
        stats = {name: path.stat() for name, path in paths.items()}
        return {n: (paths[n].read_bytes(), s.st_ino, s.st_mtime_ns) for n, s in stats.items()}

    assert run("example") == 0
    before = files()
    assert run("example") == 0
    assert files() == before
    assert len(before) == 3
    table.write_text("of the user\n", encoding="utf-8")
    (tmp_path / "example" / "harbour.conll").unlink()
    assert run("example") == 2
    assert "results.csv is missing or unchanged" in capsys.readouterr().err
    assert table.read_text(encoding="utf-8") == "of the user\n"
    assert not (tmp_path / "example" / "harbour.conll").exists()


def test_a_missing_file_is_written_beside_the_others(tmp_path: Path) -> None:
    paths = write_example(tmp_path)
    paths["corpus"].unlink()
    place = paths["table"].stat().st_ino
    assert write_example(tmp_path) == paths
    assert paths["corpus"].is_file()
    assert paths["table"].stat().st_ino == place


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "harbour.conll").mkdir()
    with pytest.raises(UserError) as error:
        write_example(tmp_path)
    assert (error.value.path, error.value.got) == ("folder", str(tmp_path / "harbour.conll"))
    assert not (tmp_path / "results.csv").exists()


@pytest.mark.parametrize("folder", ["mine", "my 'own' folder"])
def test_the_suggested_commands_are_accepted(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("example", folder) == 0
    lines = capsys.readouterr().out.splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("  mtl-laws ")]
    group: Any = get_command(app)
    assert [words[0] for words in commands] == ["fit", "advise", "run"]
    for words in commands:
        group.commands[words[0]].make_context(words[0], words[1:])
        assert (tmp_path / words[1]).is_file()
