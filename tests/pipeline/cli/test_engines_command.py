"""The command `mtl-laws engines`."""

from __future__ import annotations

import pytest

from mtl_laws.pipeline.cli.app import app
from mtl_laws.pipeline.cli.ending import exit_code
from mtl_laws.pipeline.symbolic.engines import Readiness
from mtl_laws.pipeline.symbolic.engines.pysr import PySR


def test_it_trusts_an_earlier_trial_unless_it_is_to_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PySR, "readiness", lambda _: Readiness(True, "tried before"))
    monkeypatch.setattr(PySR, "check", lambda _: Readiness(False, "no Julia any more"))
    assert exit_code(app, ["engines"]) == 0
    assert "pysr      ready      tried before" in capsys.readouterr().out
    assert exit_code(app, ["engines", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pysr      not ready  no Julia any more"
    assert [line.split()[0] for line in lines] == ["pysr", "operon", "gplearn", "grammar"]
