"""A laws.json that is cut in half: the message says so, and where the file ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_laws.pipeline.errors import FileError
from mtl_laws.pipeline.laws.lawset import LawSet
from support.asked_laws import asked_laws


def test_a_file_that_is_cut_in_half_is_called_damaged(tmp_path: Path) -> None:
    asked_laws().save(tmp_path)
    file = tmp_path / "laws.json"
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    kept = lines[: len(lines) // 2]
    assert len(kept) > 10
    file.write_text("".join(kept).rstrip(), encoding="utf-8")
    with pytest.raises(FileError) as caught:
        LawSet.load(file)
    assert str(caught.value) == (
        f"{file}: damaged or not whole JSON at line {len(kept)}; "
        "expected a laws.json written by run or fit"
    )
