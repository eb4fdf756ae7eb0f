"""What the sentences of the findings claim, said again in code.

The words stand in the template and do not change with the data; each claim here is one that some
sentence makes. A test lets none of them fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

IN_EXPONENT = re.compile(r"T \*\* (ami|\([^)]*\bami\b)")
"""AMI in the exponent of T, in the text of a law."""

Facts = Mapping[str, Any]
Claim = Callable[[Facts], bool]

SMALL = 0.01
"""A point: what the words call nothing."""
CLOSE = 0.03
"""R² that are about the same."""


def positive(estimate: Mapping[str, Any]) -> bool:
    """Whether an interval lies above zero."""
    return bool(estimate["low"] is not None and estimate["low"] > 0)


def negative(estimate: Mapping[str, Any]) -> bool:
    """Whether an interval lies below zero."""
    return bool(estimate["high"] is not None and estimate["high"] < 0)


def holds(estimate: Mapping[str, Any], value: float) -> bool:
    """Whether an interval holds a value."""
    return bool(estimate["low"] <= value <= estimate["high"])


def _parts_add_up(facts: Facts) -> bool:
    part = facts["causes"]["overall"]
    total = sum(part[name]["value"] for name in ("labels", "features", "rest"))
    return bool(abs(total - part["gain"]["value"]) < 1e-5)


def _labels_are_the_larger_part(facts: Facts) -> bool:
    part = facts["causes"]["overall"]
    parts = part["labels"], part["features"]
    return all(map(positive, parts)) and parts[0]["value"] > parts[1]["value"]


def _harm_grows_with_tasks(facts: Facts) -> bool:
    rows = facts["harm"]["by_tasks"]
    values = [row["value"] for row in rows]
    return all(map(negative, rows)) and values == sorted(values, reverse=True)


def _gain_peaks_in_the_middle(facts: Facts) -> bool:
    gains = [row["gain"]["value"] for row in facts["causes"]["by_n"]]
    return bool(max(gains) > max(gains[0], gains[-1]))


def _clear_harm_of_shared_features_is_at_few_tokens(facts: Facts) -> bool:
    """Every range of clear harm that holds shared features holds only the smaller sizes."""
    clear = facts["harm"]["pooled"]
    shared = [each["where"] for each in clear["regions"] if _holds(each["where"], "overlap", 1.0)]
    largest = max(row["n"] for row in facts["causes"]["by_n"])
    return bool(shared) and all("n" in where and where["n"][1] < largest / 2 for where in shared)


def _unrelated_private_features_harm_clearly(facts: Facts) -> bool:
    first = facts["harm"]["pooled"]["regions"][0]
    where = first["where"]
    alone = _holds(where, "AMI", 0.0) and _holds(where, "overlap", 0.0) and "n" not in where
    return alone and not _holds(where, "overlap", 1.0)


def _holds(where: Mapping[str, Any], factor: str, value: float) -> bool:
    low, high = where.get(factor, (value, value))
    return bool(low <= value <= high)


def _private_crosses_last(facts: Facts) -> bool:
    crossings = [family["crossing"]["value"] for family in facts["harm"]["teacher"]]
    return crossings == sorted(crossings, reverse=True) and crossings[0] > 2 * crossings[-1]


def _few_are_enough_with_much_data(facts: Facts) -> bool:
    by_n = facts["enough"]["by_n"]
    much, little = by_n[-1]["shares"][-1], by_n[1]["shares"][-1]
    return bool(much["low"] > little["high"])


def _noise_makes_an_ami_worth_more(facts: Facts) -> bool:
    groups = [group for group in facts["noise"]["groups"] if group["ami"] > 0]
    ends = [(group["by_noise"][0], group["by_noise"][-1]) for group in groups]
    tells = facts["noise"]["tells"]
    rises = all(last["value"] > first["value"] for first, last in ends)
    return rises and tells["ami_clean"] > tells["ami_measured"]


def _shared_features_alone_are_nothing_under_noise(facts: Facts) -> bool:
    groups = facts["noise"]["groups"]
    (group,) = [g for g in groups if g["ami"] == 0 and g["overlap"] == 1]
    return all(holds(level, 0.0) for level in group["by_noise"])


def _families(facts: Facts, test: Callable[[Mapping[str, Any]], bool]) -> bool:
    return all(test(family) for family in facts["roots"].values())


def _found_beats_theory_outside(facts: Facts) -> bool:
    names = ("additive roots", "Maurer multi-task bound", "Maurer multi-task bound + relatedness")

    def test(family: Mapping[str, Any]) -> bool:
        return all(family["law"]["outside"] > family["forms"][name]["outside"] for name in names)

    return _families(facts, test)


def _ami_stands_in_the_exponent_of_tasks(facts: Facts) -> bool:
    return _families(facts, lambda x: bool(IN_EXPONENT.search(x["law"]["expression"])))


def _effective_sample_breaks_outside(facts: Facts) -> bool:
    def test(family: Mapping[str, Any]) -> bool:
        form = family["forms"]["effective sample size"]
        return bool(form["inside"] > 0.75 and form["outside"] < 0.5 < family["law"]["outside"])

    return _families(facts, test)


def _roots_do_not_hold_in_teachers(facts: Facts) -> bool:
    families = [facts["roots"][name] for name in ("shared", "private")]
    return all(f["forms"]["additive roots"]["outside"] < 0 for f in families)


def _every_family_predicts_the_others(facts: Facts) -> bool:
    pairs = facts["families"]["pairs"]
    return all(p["r2"] > p["r2_nothing"] + CLOSE and p["spearman"] > 0.6 for p in pairs)


def _pooling_is_worse_than_nothing(facts: Facts) -> bool:
    return all(pair["r2_pooled"] < pair["r2_nothing"] for pair in facts["families"]["pairs"])


def _effective_size_beats_sums(facts: Facts) -> bool:
    forms = {form["name"]: form for form in facts["published"]["forms"]}
    sums = [forms["additive roots"], forms["Maurer's form and √AMI"]]
    hills = [form for name, form in forms.items() if name.startswith("Hill")]
    ours = all(
        hill["families"][f]["r2_outside"] > other["families"][f]["r2_outside"]
        for hill in hills
        for other in sums
        for f in facts["roots"]
    )
    there = all(
        h["published"]["r2_outside"] > o["published"]["r2_outside"] for h in hills for o in sums
    )
    return ours and there


def _our_power_is_smaller(facts: Facts) -> bool:
    power = facts["published"]["power"]
    there = power["published"]["low"]
    return all(g["value"] < 0.75 * there for g in power["families"].values())


def _one_product_is_enough(facts: Facts) -> bool:
    rows = facts["sizes"]["worth"]
    scores = [(row["free"]["r2_inside"], row["pooled"]["r2_inside"]) for row in rows]
    return all(free - pooled < CLOSE for free, pooled in scores)


def _many_small_are_not_better(facts: Facts) -> bool:
    return not any(positive(pair) for pair in facts["sizes"]["pairs"])


def _private_wins_where_nothing_is_common(facts: Facts) -> bool:
    places = facts["sharings"]["places"]
    alone = [p for p in places if p["ami"] == 0 and p["overlap"] == 0]
    near = [max(p["means"].values()) - p["means"]["private"] < SMALL for p in alone]
    return all(near) and all(p["best"] in ("private", "transfer") for p in alone)


def _hard_or_soft_wins_for_close_tasks(facts: Facts) -> bool:
    places = facts["sharings"]["places"]
    close = [p for p in places if p["ami"] > 0.8 and p["n"] > 100]
    return all(p["best"].startswith(("hard", "soft")) for p in close)


def _most_leads_are_luck(facts: Facts) -> bool:
    places = facts["sharings"]["places"]
    return sum(holds(p["lead"], 0.0) for p in places) > len(places) / 2


def _transfer_wins_with_little_data(facts: Facts) -> bool:
    places = facts["sharings"]["places"]
    little = [p for p in places if p["ami"] > 0 and p["n"] == 100]
    return all(p["best"] == "transfer" for p in little)


def _soft_wins_in_between(facts: Facts) -> bool:
    places = facts["sharings"]["places"]
    between = [p for p in places if p["ami"] == 0.5 and p["n"] > 100]
    return all(p["best"] == "soft" for p in between)


def _weights_matter_a_little(facts: Facts) -> bool:
    weighting = facts["sizes"]["weighting"]
    gaps = weighting["gaps"]
    sizes = [gap["overall"]["value"] for gap in gaps.values()]
    small = all(abs(size) < weighting["gain"]["equal"]["value"] / 3 for size in sizes)
    better = positive(gaps["proportional"]["overall"])
    return small and better and negative(gaps["uncertainty"]["overall"])


def _proportional_helps_where_auxiliaries_are_small(facts: Facts) -> bool:
    smallest = facts["sizes"]["weighting"]["gaps"]["proportional"]["by_ratio"][0]
    return smallest["level"] < 0.1 and positive(smallest)


CLAIMS: Mapping[str, Claim] = {
    "the parts of the gain add up": _parts_add_up,
    "related labels are the larger part": _labels_are_the_larger_part,
    "more updates give nothing": lambda f: f["causes"]["overall"]["updates"]["high"] < SMALL,
    "auxiliaries with nothing in common harm": lambda f: negative(f["causes"]["overall"]["rest"]),
    "shuffled labels harm": lambda f: negative(f["causes"]["shuffled"]),
    "close auxiliaries stay below the ceiling": lambda f: (
        f["causes"]["share_of_ceiling"]["high"] < 1
    ),
    "nothing helps at the smallest n": lambda f: f["causes"]["by_n"][0]["gain"]["low"] < 0,
    "gains are largest in the middle": _gain_peaks_in_the_middle,
    "private features cross zero last": _private_crosses_last,
    "harm grows with the number of tasks": _harm_grows_with_tasks,
    "unrelated tasks on features of their own harm at all sizes": (
        _unrelated_private_features_harm_clearly
    ),
    "shared features harm clearly only with few tokens": (
        _clear_harm_of_shared_features_is_at_few_tokens
    ),
    "few auxiliaries are enough with much data": _few_are_enough_with_much_data,
    "unrelated auxiliaries harm under noise": lambda f: negative(f["noise"]["unrelated_private"]),
    "related auxiliaries win noise back": lambda f: positive(f["noise"]["won_back"][-1]),
    "an AMI is worth more under noise": _noise_makes_an_ami_worth_more,
    "shared features alone are nothing under noise": _shared_features_alone_are_nothing_under_noise,
    "the power of AMI is a half": lambda f: _families(f, lambda x: bool(x["plain"]["ami"]["half"])),
    "the power of n is no half": lambda f: _families(f, lambda x: not x["plain"]["n"]["half"]),
    "the law that was found uses all three": lambda f: _families(
        f, lambda x: len(x["law"]["uses"]) == 3
    ),
    "the found laws beat theory outside": _found_beats_theory_outside,
    "AMI stands in the exponent of T": _ami_stands_in_the_exponent_of_tasks,
    "an effective sample size breaks outside": _effective_sample_breaks_outside,
    "sums of roots do not hold among teachers": _roots_do_not_hold_in_teachers,
    "every family predicts the others": _every_family_predicts_the_others,
    "pooling all tokens is worse than ignoring them": _pooling_is_worse_than_nothing,
    "effective sizes beat sums of roots outside": _effective_size_beats_sums,
    "our power of AMI is smaller than the published": _our_power_is_smaller,
    "one power for tasks and tokens is enough": _one_product_is_enough,
    "many small auxiliaries are not better": _many_small_are_not_better,
    "private or transfer wins where nothing is common": _private_wins_where_nothing_is_common,
    "transfer wins with little data": _transfer_wins_with_little_data,
    "soft sharing wins in between": _soft_wins_in_between,
    "hard or soft sharing wins for close tasks": _hard_or_soft_wins_for_close_tasks,
    "most leads are within luck": _most_leads_are_luck,
    "loss weights matter a little": _weights_matter_a_little,
    "proportional weights help where auxiliaries are small": (
        _proportional_helps_where_auxiliaries_are_small
    ),
}
"""Claim -> whether it holds of the facts."""
