"""Factors of a law that a corpus determines.

The factors of a law are columns of a results table (`docs/columns.md`). A law with any factor that
is not in `FACTORS` cannot advise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtl_laws.pipeline.errors import UserError

FACTORS: Mapping[str, str] = {
    "n": "training tokens of the main layer",
    "T": "number of layers trained together",
    "n_aux": "training tokens of each auxiliary",
    "ami": "AMI of main and auxiliary labels",
    "explained": "fraction of the main layer's entropy that an auxiliary's label removes",
    "h_main": "entropy of the main labels",
    "h_aux": "entropy of an auxiliary's labels",
    "h_main_given_aux": "entropy of the main labels, given an auxiliary's",
    "h_aux_given_main": "entropy of an auxiliary's labels, given the main ones",
    "labels": "number of main labels",
    "majority": "frequency of the most frequent main label",
    "probe_alone": "score of the main layer's ridge probe",
    "probe": "score of the main layer's ridge probe that sees the auxiliaries' predicted labels",
    "transfer": "gain of the ridge probe from the auxiliaries' predicted labels",
    "probe_f1_alone": "span F1 of the main layer's ridge probe",
    "transfer_f1": "gain of the ridge probe in span F1 from the auxiliaries' predicted labels",
    "label_noise": "fraction of wrong labels, taken as 0 for a corpus",
}
"""Factor -> what it is; its value is the field of `evidence.Statistics` with this name."""

ALIASES: Mapping[str, str] = {
    "n_request": "n",
    "n_aux_request": "n_aux",
    "ami_request": "ami",
    "ami_clean": "ami",
}


def sources(factors: Sequence[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """The entry of `FACTORS` for each factor of a law.

    Parameters
    ----------
    factors : names in the law.
    columns : the column of the table for each, where it is recorded.
    where : the file, for messages.

    Raises
    ------
    UserError
        naming the first factor that a corpus does not determine.
    """
    keys = {}
    for name in factors:
        column = columns.get(name, name)
        candidates = [ALIASES.get(label, label) for label in (column, name)]
        key = next((key for key in candidates if key in FACTORS), None)
        if key is None:
            shown = name if column == name else f"{name} (column {column})"
            expected = f"a law whose factors a corpus determines: {', '.join(FACTORS)}"
            raise UserError(f"{where}, factors", expected, shown)
        keys[name] = key
    return keys
