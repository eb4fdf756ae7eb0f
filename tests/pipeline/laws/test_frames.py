"""Laws as DataFrames."""

from __future__ import annotations

import pytest

from support.asked_laws import SD, VALUES, asked_laws, grouped_laws


def test_constants_have_values_and_intervals() -> None:
    constants = asked_laws().constants.set_index("constant")
    assert constants["value"].to_dict() == VALUES
    for name, row in constants.iterrows():
        assert (row["low"], row["high"]) == pytest.approx(
            (VALUES[str(name)] - 1.96 * SD[str(name)], VALUES[str(name)] + 1.96 * SD[str(name)])
        )
    assert (constants["group"] == "").all()


def test_constants_of_groups_have_a_row_each() -> None:
    constants = grouped_laws().constants
    rows = constants[["constant", "group", "value"]].to_records(index=False).tolist()
    assert rows == [("c1", "", 376.0), ("c0", "small", 0.8), ("c0", "large", 0.95)]
    assert constants["low"].isna().tolist() == [False, True, True]
