"""What a message costs: a number in its body or in one of its attributes."""

from __future__ import annotations

from math import ceil, inf
from typing import Any

from .held import UNWEIGHED
from .message_values import MissingValueError, read_value

HEAVIEST = 1 << 53
"""Above any limit. It stands for a message whose weight makes no sense, too."""
USED = "quotaUsed"
"""In what a function returns: what its call has weighed in truth."""
_SHOWN = 60  # characters of a bad value


class WeightError(Exception):
    """A message without a weight, or with one that no quota grants."""


def weigh(record: dict[str, Any], source: str) -> int:
    """Read a message's weight, rounded up to a whole number.

    Parameters
    ----------
    record
        As the event source mapping hands it over.
    source
        A path in the body, such as ``$.usage.tokens`` or ``$.rows[0]``, or the name of a message attribute.

    Raises
    ------
    WeightError
        When there is none, or when it is no number above 0.
    """
    try:
        value = read_value(record, source, "its weight")
    except MissingValueError as error:
        raise WeightError(str(error)) from None
    return whole(value, f"its weight {source}")


def whole(value: Any, what: str, least: int = 1, scale: int = 1) -> int:
    """Return a number as a whole one of so many parts, rounded up.

    Raises
    ------
    WeightError
        When it is none, or less than `least`.
    """
    number = value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < inf:
        raise WeightError(f"{what} is {_shown(value)}, which is no number above 0")
    if (found := min(HEAVIEST, ceil(number * scale))) < least:
        raise WeightError(f"{what} is {_shown(value)}, and at least {least} is needed")
    return found


def read_used(answer: Any) -> int | None:
    """Return what a function says, in what it returns, that its call has weighed in truth; None when it says nothing.

    Raises
    ------
    WeightError
        When that is no number, or less than 0.
    """
    if not isinstance(answer, dict) or USED not in answer:
        return None
    return whole(answer[USED], USED, least=0)


def known_weight(record: dict[str, Any], source: str) -> int:
    """Return what the counter notes of a message: `HEAVIEST` for one that will be refused."""
    try:
        return weigh(record, source) if source else 1
    except WeightError:
        return HEAVIEST


def refusal(record: dict[str, Any], source: str, most: int) -> str:
    """Say why a message can never be called, in a quota that grants so much at once; empty when it can be."""
    if not source:
        return ""
    try:
        weight = weigh(record, source)
    except WeightError as error:
        return f"not called: {error}"
    return "" if weight <= most else f"not called: its weight {source} is {weight}, and a tier grants {most} in all"


def source_of(tiers: list[dict[str, Any]]) -> str:
    """Return where the weights of a quota stand; empty when it has none. All of its tiers that count weights agree."""
    return next((tier["weight"] for tier in tiers if tier.get("weight")), "")


def most_of(tiers: list[dict[str, Any]]) -> int:
    """Return the most that one message may weigh."""
    return min((tier["limit"] for tier in tiers if tier.get("weight")), default=HEAVIEST)


def charged(weight: int, most: int) -> int:
    """Return what a slot takes for a message of this weight.

    One that is to be refused takes the least, gives it back, and goes to the dead-letter queue. One that was never
    weighed takes the most.
    """
    if weight == UNWEIGHED:
        return most
    return weight if weight <= most else 1


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
