"""Messages that cost more than one: what they weigh, what is refused, and what a slot of that weight takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from breakwater_runtime.quota_signals import used
from handlers.quota_dispatcher.call import Verdict
from handlers.quota_dispatcher.clocks import Reading
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.pages import Page
from handlers.quota_dispatcher.reports import Report
from handlers.quota_dispatcher.weights import HEAVIEST, WeightError, known_weight, read_used, refusal, weigh

NOW = 1_800_000_000_000
TIERS: list[dict[str, Any]] = [{"limit": 100, "period": 10_000, "weight": "$.w"}]


def message(body: str = "", **attributes: str) -> dict[str, Any]:
    found = {name: {"dataType": "String", "stringValue": value} for name, value in attributes.items()}
    return {"messageId": "m", "body": body, "attributes": dict[str, str](), "messageAttributes": found}


@pytest.mark.parametrize(
    ("record", "source", "weight"),
    [
        (message('{"w": 7}'), "$.w", 7),
        (message('{"w": 2.01}'), "$.w", 3),
        (message('{"w": "12"}'), "$.w", 12),
        (message('{"a": {"b": [1, {"c": 5}]}}'), "$.a.b[1].c", 5),
        (message("[4]"), "$[0]", 4),
        (message('{"größe": 3}'), "$.größe", 3),
        (message("not JSON", tokens="900"), "tokens", 900),
        (message("", tokens="1e3"), "tokens", 1_000),
        (message('{"w": 1' + "0" * 400 + "}"), "$.w", HEAVIEST),
    ],
)
def test_a_weight_stands_in_the_body_or_in_an_attribute(record: dict[str, Any], source: str, weight: int) -> None:
    assert weigh(record, source) == weight == known_weight(record, source)


@pytest.mark.parametrize(
    ("record", "source", "reason"),
    [
        (message('{"w": "abc"}'), "$.w", r"its weight \$.w is 'abc', which is no number above 0"),
        (message('{"w": -1}'), "$.w", "is -1, which is no number above 0"),
        (message('{"w": NaN}'), "$.w", "is nan, which is no number above 0"),
        (message('{"w": 1e999}'), "$.w", "is inf, which is no number above 0"),
        (message('{"w": 0}'), "$.w", "is 0, and at least 1 is needed"),
        (message('{"w": true}'), "$.w", "is True, which is no number"),
        (message('{"w": null}'), "$.w", "is None, which is no number"),
        (message('{"w": "' + "x" * 2_000 + '"}'), "$.w", "is 'xxx.{50,70}…, which"),
        (message('{"v": 1}'), "$.w", r"its body has no \$.w, which is its weight"),
        (message("[1]"), "$[1]", r"has no \$\[1\]"),
        (message("1"), "$.w", r"has no \$.w"),
        (message("{"), "$.w", r"its body is not JSON, and its weight is \$.w"),
        (message("[" * 100_000), "$.w", "its body is not JSON"),
        (message("{}"), "tokens", "it has no message attribute tokens, which is its weight"),
        (message("{}", tokens=""), "tokens", "is '', which is no number"),
    ],
)
def test_what_is_no_weight_is_refused_with_a_reason(record: dict[str, Any], source: str, reason: str) -> None:
    with pytest.raises(WeightError, match=reason):
        weigh(record, source)
    assert refusal(record, source, 100).startswith("not called: ")
    assert known_weight(record, source) == HEAVIEST


def test_what_is_above_the_limit_is_refused_with_both_numbers() -> None:
    assert (
        refusal(message('{"w": 101}'), "$.w", 100) == "not called: its weight $.w is 101, and a tier grants 100 in all"
    )
    assert not refusal(message('{"w": 100}'), "$.w", 100)
    assert not refusal(message("anything"), "", 100), "a quota that counts calls asks for no weight"


def test_what_a_call_has_used_is_read_from_what_its_function_returns() -> None:
    assert read_used(json.loads(json.dumps(used(11.2)))) == 12
    assert read_used({**used(0), "more": 1}) == 0
    assert read_used(None) is None
    for nonsense in ("many", -1, None, [1]):
        with pytest.raises(WeightError, match="quotaUsed is"):
            read_used({"quotaUsed": nonsense})
    for number in (-1, float("nan"), float("inf"), True):
        with pytest.raises(ValueError, match="needs a number, 0 or more"):
            used(number)


def a_counter(tiers: list[dict[str, Any]] | None = None) -> Counter:
    counter = Counter(tiers or TIERS, 3_000, first=[0], ordered=False)
    counter.advance(Reading(NOW, 0), None)
    return counter


def page(*weights: object) -> Page:
    return Page(tuple(message(json.dumps({"w": weight})) for weight in weights), (0,) * len(weights), "$.w")


def later(counter: Counter, milliseconds: int) -> Counter:
    """Store it, and let its writer go on."""
    frame = counter.quota.frame
    again = Counter(counter.tiers, 3_000, first=[0], ordered=False).load(counter.dump())
    again.advance(Reading(NOW + milliseconds, milliseconds), frame)
    return again


def test_a_message_that_costs_much_waits_for_its_places_and_is_not_overtaken() -> None:
    counter, library = a_counter(), {(1, 1): page(60, 90, 1, 1)}
    taken = counter.take("me", 10, 0, {1: 1}, library)
    assert [slot.weight for slot, _ in taken.calls] == [60]
    ((slot, held),) = taken.calls
    counter.report(Report(slot, held, slot.start + 100, Verdict.DONE, settled=True))
    counter = later(counter, 5_000)
    assert not counter.take("me", 10, 0, {1: 1}, library).calls
    counter = later(counter, 10_300)
    assert [slot.weight for slot, _ in counter.take("me", 10, 0, {1: 1}, library).calls] == [90, 1, 1]


@pytest.mark.parametrize(("real", "free"), [(None, 40), (10, 90), (0, 100), (130, 0)])
def test_what_the_call_has_used_in_truth_counts_from_its_end_on(real: int | None, free: int) -> None:
    counter, library = a_counter(), {(1, 1): page(60, *[1] * 100)}
    ((slot, held),) = counter.take("me", 1, 0, {1: 1}, library).calls
    counter.report(Report(slot, held, slot.start + 100, Verdict.DONE, settled=True, used=real))
    counter = later(counter, 200)
    assert len(counter.take("me", 200, 0, {1: 1}, library).calls) == free


def test_a_tier_of_calls_and_a_tier_of_weights_hold_side_by_side() -> None:
    counter = a_counter([*TIERS, {"limit": 3, "period": 10_000}])
    assert len(counter.take("me", 10, 0, {1: 1}, {(1, 1): page(1, 1, 1, 1)}).calls) == 3
    counter = a_counter([*TIERS, {"limit": 3, "period": 86_400_000, "zone": "UTC0", "weight": "$.w"}])
    assert len(counter.take("me", 10, 0, {1: 1}, {(1, 1): page(1, 2, 1)}).calls) == 2


def test_who_vanished_leaves_the_weight_of_all_its_calls_behind() -> None:
    counter, library = a_counter(), {(1, 1): page(60, 40, 1)}
    assert len(counter.take("me", 2, 0, {1: 1}, library).calls) == 2
    counter = later(counter, 3_001)
    assert counter.quota.used(counter.quota.rolling[0]) == 100
    assert not counter.take("you", 1, 0, {1: 1}, library).calls


def test_a_quota_that_begins_to_weigh_grants_nothing_before_the_weight_of_what_it_called_is_past() -> None:
    counter = a_counter([{"limit": 5, "period": 10_000}])
    unweighed = {(1, 1): Page(page(90, 90, 90).records, (0,) * 3)}
    (first, second) = counter.take("me", 2, 0, {1: 1}, unweighed).calls
    counter.report(Report(*first, first[0].start + 100, Verdict.FAILED, 1))
    counter = later(counter, 200)
    counter.adopt(TIERS)
    assert counter.shelf.unweighed() == [(1, 1)], "what waits for another try was never weighed"
    library = {(1, 1): page(90, 90, 90)}
    assert not counter.take("me", 5, 0, {1: 1}, library).calls
    counter.report(Report(*second, second[0].start + 150, Verdict.RETRY_AFTER))
    counter = later(counter, 3_000 + 10_500)
    assert [slot.weight for slot, _ in counter.take("me", 5, 0, {1: 1}, library).calls] == [100], "unknown: all of it"
    counter = later(counter, 3_000 + 10_600)
    counter.shelf.weigh(library)
    assert {entry.held.ref.weight for entry in counter.shelf.returned} == {90}


def test_a_tier_that_counted_arrivals_and_counts_to_the_end_now_keeps_what_it_has_counted() -> None:
    counter = a_counter([{"limit": 10, "period": 10_000, "arrival": 2_300}])
    counter.take("me", 4, 0, {1: 1}, {(1, 1): page(1, 1, 1, 1)})
    counter = later(counter, 100)
    counter.adopt([{"limit": 10, "period": 10_000}])
    assert counter.quota.used(counter.quota.rolling[0]) == 8, "in flight, and by their arrivals: more than there were"
