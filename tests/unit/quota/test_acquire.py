"""Functions that call the provider themselves: they wait, hear how long it takes, and give back what they took."""

from __future__ import annotations

import re
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from time import sleep
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from breakwater_runtime import quota_slots
from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.quota_signals import RetryAfter
from breakwater_runtime.quota_slots import QuotaSlot, _Watch, acquire
from breakwater_runtime.testing import quota_event
from handlers.quota_dispatcher import acquirer
from handlers.quota_dispatcher.clocks import MAX_SKEW, Reading
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.store import Item
from tests.simulation.callers import TIMEOUT, Caller, call, on_virtual_time
from tests.simulation.provider import Limit
from tests.simulation.schedule import MIDNIGHT
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World

if TYPE_CHECKING:
    from collections.abc import Callable


PAGE = (Path(__file__).parents[3] / "docs" / "quota.md").read_text()
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def world_of(*limits: Limit) -> World:
    return World(1, list(limits), start=MIDNIGHT, faults=Faults(), trouble=Trouble(), parallelism=10)


def counter_of(world: World) -> Counter:
    counter = Item.read(world.dynamodb.items["quota"]).counter(world.settings)
    counter.advance(Reading(world.hub.now, world.hub.now), None)
    return counter


def after(world: World, milliseconds: int) -> None:
    with on_virtual_time():
        world.hub.run(lambda: False, world.hub.now + milliseconds)


class Talking(Caller):
    """Makes no call, and does in the block what a test wants."""

    said: Any = None

    def _call(self, slot: QuotaSlot) -> None:
        self.world.provider.count(self.world.hub.now, self.weight)
        self.said(slot)


def talk(world: World, said: Callable[[QuotaSlot], None], weight: int = 1, milliseconds: int = 3_000) -> Talking:
    caller = Talking(world, world._machine(), world.hub.now + TIMEOUT, weight)
    caller.said = said
    world.hub.spawn(caller.machine, caller.run)
    after(world, milliseconds)
    return caller


def test_a_free_slot_is_taken_and_given_back_at_the_end() -> None:
    world = world_of(Limit(2, 10_000))
    first = call(world)
    after(world, 3_000)
    assert first.outcome == "acquired"
    assert len(world.provider.instants) == 1
    assert not counter_of(world).quota.in_flight


def test_who_must_wait_within_its_time_waits_and_no_window_is_exceeded() -> None:
    world = world_of(Limit(2, 10_000))
    callers = [call(world) for _ in range(4)]
    after(world, TIMEOUT)
    assert [caller.outcome for caller in callers] == ["acquired"] * 4
    assert not world.provider.exceeded(world.provider.limits)
    span = max(world.provider.instants) - min(world.provider.instants)
    assert 10_000 < span < 10_000 + 4 * MAX_SKEW + 1_000, "and no longer than clocks may differ"


def test_who_has_no_time_hears_how_long_it_takes() -> None:
    world = world_of(Limit(1, 60_000))
    call(world)
    after(world, 3_000)
    late = call(world, within=2)
    after(world, 3_000)
    assert late.outcome == "busy"
    assert 50 < late.retry_after < 61
    assert len(world.provider.instants) == 1


def test_a_caller_that_dies_holds_its_slot_until_its_invocation_would_have_ended() -> None:
    world = world_of(Limit(1, 1_000))

    def die(_: QuotaSlot) -> None:
        machines[-1].dead = True
        world.hub.sleep(machines[-1], 1)

    machines = world._machines
    talk(world, die, milliseconds=TIMEOUT - 1_000)
    assert counter_of(world).quota.in_flight == 1
    after(world, 1_000 + 6_000)
    late = call(world)
    after(world, 5_000)
    assert late.outcome == "acquired"


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), True, "many", "5", b"5"])
def test_a_weight_that_is_none_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch, weight: Any) -> None:
    monkeypatch.setenv("BREAKWATER_ACQUIRE", "acquirer")
    with pytest.raises(ConfigurationError, match=f"a weight above 0.*{weight!r}"), acquire(weight=weight):
        pytest.fail("it has no slot")


@pytest.mark.parametrize("within", [-1, float("nan"), True, "soon", "5"])
def test_a_time_that_is_none_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch, within: Any) -> None:
    monkeypatch.setenv("BREAKWATER_ACQUIRE", "acquirer")
    with pytest.raises(ConfigurationError, match=f"0 or more.*{within!r}"), acquire(within=within):
        pytest.fail("it has no slot")


def test_who_does_not_wait_takes_what_is_free_now() -> None:
    world = world_of(Limit(1, 60_000))
    callers = []
    for _ in range(2):
        callers.append(call(world, within=0))
        after(world, 3_000)
    assert [caller.outcome for caller in callers] == ["acquired", "busy"], "it was not even asked"
    assert 50 < callers[1].retry_after < 61


def test_a_cold_start_of_who_hands_out_slots_costs_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = []

    def invoke(_: str, request: dict[str, Any]) -> dict[str, Any]:
        if "slot" in request:
            reports.append(request)
            return {}
        sleep(0.3)
        return {"slot": {}, "wait": 0, "late": 2_000}

    monkeypatch.setenv("BREAKWATER_ACQUIRE", "acquirer")
    monkeypatch.setattr(quota_slots, "_invoke", invoke)
    with acquire(within=0.05) as slot:
        slot.used(1)
    assert len(reports) == 1, "a slot whose answer is not waited for is held until the invocation has ended"


def test_a_decimal_is_a_weight_and_what_was_used() -> None:
    world = world_of(Limit(100, 60_000, weighted=True))
    weight: Any = Decimal("89.5")
    used: Any = Decimal("9.5")
    caller = talk(world, lambda slot: slot.used(used), weight=weight)
    assert caller.outcome == "acquired"
    assert counter_of(world).quota.used(counter_of(world).quota.rolling[0]) == 10


def test_so_many_callers_that_the_counters_item_would_not_hold_them_are_told_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where it was filled by callers, no dispatcher could write it any more, and nothing went on."""
    monkeypatch.setattr(acquirer, "LARGEST_STATE", 10_000)
    world = world_of(Limit(1_000, 60_000))
    world.durations = (TIMEOUT, TIMEOUT)  # none of them tells its end
    callers = []
    for _ in range(120):
        callers.append(call(world, within=1))
        after(world, 100)
    after(world, 3_000)
    outcomes = {outcome: sum(caller.outcome == outcome for caller in callers) for outcome in ("acquired", "busy")}
    assert outcomes["acquired"] > 40
    assert outcomes["busy"] > 20
    assert max(caller.retry_after for caller in callers) > 10, "until one of them has ended"
    assert len(world.dynamodb.items["quota"]["counter"]["S"]) < 10_500
    after(world, TIMEOUT)
    world.durations = (20, 150)
    assert talk(world, lambda _: None).outcome == "acquired"


def test_what_was_not_used_is_free_at_once() -> None:
    world = world_of(Limit(100, 60_000, weighted=True))
    talk(world, lambda slot: slot.used(10), weight=90)
    assert counter_of(world).quota.used(counter_of(world).quota.rolling[0]) == 10
    assert talk(world, lambda _: None, weight=90).outcome == "acquired"


def test_a_weight_that_no_tier_grants_is_refused() -> None:
    world = world_of(Limit(100, 60_000, weighted=True))
    callers = [call(world, weight=101), call(world, weight=0)]
    after(world, 3_000)
    assert [caller.outcome for caller in callers] == ["refused", "refused"]
    assert not world.provider.instants


def test_while_a_provider_asks_for_patience_one_call_is_made() -> None:
    world = world_of(Limit(10, 1_000))

    def refuse(_: QuotaSlot) -> None:
        raise RetryAfter(5)

    talk(world, refuse)
    counter = counter_of(world)
    assert counter.away
    before = len(world.provider.instants)
    callers = [call(world, within=9.0) for _ in range(3)]
    after(world, 1_000)
    assert len(world.provider.instants) == before, "not before it is over"
    assert counter_of(world).quota.in_flight == 1
    after(world, 11_000)
    assert [caller.outcome for caller in callers].count("acquired") >= 1
    assert not world.provider.exceeded(world.provider.limits)


def test_a_header_that_names_no_time_asks_for_patience_too() -> None:
    world = world_of(Limit(10, 1_000))

    def refuse(_: QuotaSlot) -> None:
        raise RetryAfter("abc")

    talk(world, refuse)
    assert counter_of(world).away == 1


def test_who_names_no_weight_where_a_tier_counts_weights_is_told_and_holds_nothing() -> None:
    world = world_of(Limit(100, 60_000, weighted=True), Limit(100, 60_000))
    weight: Any = None
    caller = talk(world, lambda _: pytest.fail("it has no slot"), weight=weight)
    assert caller.outcome == "refused"
    quota = counter_of(world).quota
    assert [quota.used(window) for window in quota.rolling] == [0, 0]
    assert not quota.in_flight
    plain = talk(world_of(Limit(2, 60_000)), lambda _: None, weight=weight)
    assert plain.outcome == "acquired"


def test_any_other_error_passes_and_its_text_stays_here() -> None:
    end = QuotaSlot({}, _Watch())._end(ValueError("a secret"))
    assert {**end, "elapsed": 0} == {"slot": {}, "elapsed": 0, "error": "failed"}


def test_a_function_without_the_right_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKWATER_CRM_ACQUIRE", raising=False)
    words = r"BREAKWATER_CRM_ACQUIRE is not set\. quota\.grant_acquire\(function\) sets it"
    with pytest.raises(ConfigurationError, match=words), acquire(name="crm"):
        pass


def test_a_name_that_is_no_text_is_refused() -> None:
    name: Any = 5
    with pytest.raises(ConfigurationError, match="name=5 is no text"), acquire(name=name):
        pass


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), True, "812", None])
def test_what_was_used_is_a_number(weight: Any) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        QuotaSlot({}, _Watch()).used(weight)


def test_beside_a_dispatcher_both_get_their_calls() -> None:
    world = world_of(Limit(5, 1_000))
    world.send(100)
    after(world, 2_000)
    callers = []
    for _ in range(20):
        callers.append(call(world, within=25.0))
        after(world, 400)
    after(world, 60_000)
    assert world.settled(), "the backlog is done"
    assert [caller.outcome for caller in callers] == ["acquired"] * 20
    assert not world.provider.exceeded(world.provider.limits)
    assert world.hub.now - MIDNIGHT < 75_000


def test_of_a_tier_of_a_second_a_part_is_left_for_many_callers() -> None:
    world = world_of(Limit(10, 1_000))
    for _ in range(300):
        call(world, within=2.0)
        after(world, 100)
    assert not world.provider.exceeded(world.provider.limits)
    rate = len(world.provider.instants) / 30
    assert 2.5 < rate < 5


class Documented(Caller):
    """Runs the handler of the documentation."""

    handler: Callable[[dict[str, str], Caller], dict[str, Any]]
    answer: dict[str, Any]

    def _work(self) -> None:
        self.answer = self.handler({"body": "{}"}, self)


class TooMany(BaseHTTPRequestHandler):
    """Refuses every call, with the header `Retry-After` that its path names."""

    calls = 0

    def do_POST(self) -> None:
        TooMany.calls += 1
        self.send_response(429)
        if named := self.path.strip("/"):
            self.send_header("Retry-After", named)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        """Say nothing."""


@pytest.mark.parametrize(("named", "said"), [("", 1), ("7", 7), ("soon", 1)])
def test_the_first_handler_of_the_documentation_asks_for_patience_and_calls_once(named: str, said: int) -> None:
    source = next(block for block in PYTHON.findall(PAGE) if "breakwater.RetryAfter" in block)
    names: dict[str, Any] = {}
    before = TooMany.calls
    with HTTPServer(("127.0.0.1", 0), TooMany) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        source = source.replace("https://crm.example.net/contacts", f"http://127.0.0.1:{server.server_port}/{named}")
        exec(source, names)  # noqa: S102 -- the page's own
        with pytest.raises(RetryAfter) as raised:
            names["handler"](quota_event({}), None)
        server.shutdown()
    assert str(raised.value) == f"RetryAfter({said})"
    assert TooMany.calls == before + 1


def test_the_handler_of_the_documentation_answers_and_says_when_to_come_back() -> None:
    (source,) = (block for block in PYTHON.findall(PAGE) if "breakwater.acquire" in block)
    world = world_of(Limit(1_000, 60_000, weighted=True))
    response = SimpleNamespace(json=lambda: {"usage": {"total_tokens": 600}}, data=b"an answer")

    def request(*_: object, **__: object) -> SimpleNamespace:
        return response

    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 -- the page's own
    names["http"] = SimpleNamespace(request=request)

    def asked() -> dict[str, Any]:
        caller = Documented(world, world._machine(), world.hub.now + TIMEOUT)
        caller.handler = names["handler"]
        world.hub.spawn(caller.machine, caller.run)
        after(world, 8_000)
        return caller.answer

    assert asked() == {"statusCode": 200, "body": "an answer"}
    refused = asked()
    assert refused["statusCode"] == 503, "600 of 1,000 are used, and it asks for 1,000"
    assert 50 <= int(refused["headers"]["Retry-After"]) <= 61
