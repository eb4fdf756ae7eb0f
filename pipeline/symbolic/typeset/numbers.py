"""Numbers for readers: few digits, a real minus sign, a dash for a missing value.

Notation
--------
digits : significant digits kept.
mantissa, exponent : ``1.23`` and ``-5`` of 1.23 × 10⁻⁵; exponent 0 means "write it plainly".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

MISSING = "–"
MINUS = "−"
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
#: below this an R² says only "much worse than the mean of the data"
WORST_SCORE = -10.0
#: most decimals of a percentage that would round to 0 or 100
MOST_DECIMALS = 2
#: digits of a number at most, to tell the ends of its interval apart
MOST_DIGITS = 4
#: a value below this fraction of its terms is rounding error
ROUNDING = 1e-9


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is a real number that is not NaN (infinities count)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def parts(value: float, digits: int | None = 3) -> tuple[str, int]:
    """Mantissa as text and power of ten (0 where plain notation reads better).

    Exact integers below a million stay as they are; `digits` = None keeps every digit.
    """
    if value == int(value) and abs(value) < 1e6:
        return str(int(value)), 0
    text = repr(value) if digits is None else f"{value:.{digits - 1}e}"
    mantissa, _, power = text.partition("e")
    exponent = int(power or 0)
    if digits is None:
        return mantissa, exponent
    if -5 < exponent < 6:
        decimals = max(digits - 1 - exponent, 0)
        return _trim(f"{float(text):.{decimals}f}"), 0
    return _trim(mantissa), exponent


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(value: object, digits: int = 3) -> str:
    """`value` for reading: ``0.0312``, ``4,000``, ``1.2 × 10⁻⁷``, ``–`` where there is none."""
    if not isinstance(value, int | float) or not is_number(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    mantissa, exponent = parts(float(value), digits)
    if exponent:
        text = f"{mantissa} × 10{str(exponent).translate(SUPERSCRIPTS)}"
    else:
        whole, point, rest = mantissa.partition(".")
        text = f"{int(whole):,}{point}{rest}" if abs(int(whole)) >= 1000 else mantissa
    return text.replace("-", MINUS)


def level(value: float) -> str:
    """A level of a factor: counts in full, fractions and small numbers to two digits."""
    return number(value, _level_digits(value))


def level_value(value: float) -> float:
    """The number that `level` shows."""
    mantissa, exponent = parts(float(value), _level_digits(value))
    return float(f"{mantissa}e{exponent}")


def _level_digits(value: float) -> int:
    return 2 if abs(value) < 100 else 3


def score(value: object) -> str:
    """An R² with three decimals, or ``below −10``."""
    if not isinstance(value, int | float) or not is_number(value):
        return MISSING
    if value < WORST_SCORE:
        return f"below {MINUS}10"
    return _unsigned_zero(f"{value:.3f}").replace("-", MINUS)


def interval(bounds: object, digits: int = 3) -> str:
    """``0.43 to 0.53``, or a dash where either end is missing."""
    if not isinstance(bounds, Sequence) or len(bounds) != 2:
        return MISSING
    if not all(is_number(bound) for bound in bounds):
        return MISSING
    return f"{number(bounds[0], digits)} to {number(bounds[1], digits)}"


def digits_apart(low: object, high: object, digits: int = 3) -> int:
    """Digits enough to tell the ends of an interval apart, `digits` at least and 4 at most."""
    if not (is_number(low) and is_number(high)):
        return digits
    while digits < MOST_DIGITS and low != high and number(low, digits) == number(high, digits):
        digits += 1
    return digits


def percent(value: object) -> str:
    """A fraction as a percentage: whole, but with decimals where it would round to 0 % or 100 %."""
    if not isinstance(value, int | float) or not is_number(value) or math.isinf(value):
        return MISSING
    texts = [f"{100 * value:.{decimals}f}" for decimals in range(MOST_DECIMALS + 1)]
    exact = value <= 0.0 or value == 1.0
    text = next((text for text in texts if exact or abs(float(text)) not in (0.0, 100.0)), texts[0])
    return f"{_unsigned_zero(text)} %".replace("-", MINUS)


def settled(value: float, scale: float) -> float:
    """The value, or 0 where it is rounding error of numbers of size `scale`."""
    return 0.0 if abs(value) < ROUNDING * abs(scale) else float(value)


def signed(value: float, digits: int = 2) -> str:
    """A change with its sign: ``+0.031``, ``−0.008``, ``0``."""
    return ("+" if value > 0 else "") + number(float(value), digits)


def _unsigned_zero(text: str) -> str:
    """A number that was rounded to 0 without the sign it had."""
    return text if float(text) else text.removeprefix("-")


def duration(seconds: object) -> str:
    """Seconds as ``48 s`` or ``3 min 5 s``."""
    if not isinstance(seconds, int | float) or not is_number(seconds) or math.isinf(seconds):
        return MISSING
    if seconds < 60:
        return f"{number(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
