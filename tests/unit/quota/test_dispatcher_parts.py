"""The dispatcher's parts at their edges: what SQS, DynamoDB and Lambda answer rarely."""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from aws_cdk import Duration
from botocore.exceptions import ClientError, ReadTimeoutError

from breakwater_runtime.quota_signals import QuotaSpent, RetryAfter
from cdk_breakwater.quota.tier import QuotaTier
from handlers.quota_dispatcher import process
from handlers.quota_dispatcher.call import Verdict, call, judge
from handlers.quota_dispatcher.caller import LATE
from handlers.quota_dispatcher.clocks import Frame, Reading
from handlers.quota_dispatcher.counter import LONGEST_PAUSE, Counter
from handlers.quota_dispatcher.counters import Counters
from handlers.quota_dispatcher.dead_letters import bury
from handlers.quota_dispatcher.flights import Flights
from handlers.quota_dispatcher.freight import Freight
from handlers.quota_dispatcher.grants import Slot
from handlers.quota_dispatcher.hands import GROWTH, Hands
from handlers.quota_dispatcher.held import Held, Ref
from handlers.quota_dispatcher.intake import Intake
from handlers.quota_dispatcher.library import Library
from handlers.quota_dispatcher.pages import MOST_BYTES, Page, Pages
from handlers.quota_dispatcher.reports import Report
from handlers.quota_dispatcher.settings import VARIABLE, Settings
from handlers.quota_dispatcher.shelf import HOLE, MOST_WAITING, Shelf
from handlers.quota_dispatcher.store import Presence, Store
from handlers.quota_dispatcher.taking import Taking
from handlers.quota_dispatcher.tiers import time_zone
from tests.simulation.bill import Bill
from tests.simulation.hub import Machine
from tests.simulation.services import DynamoDB, DynamoDBClient

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000_000
SETTINGS = Settings(
    name="Crm",
    table="table",
    function="function",
    lanes={"arn:queue": [1, 2], "arn:priority": [0]},
    first=[0],
    former=[],
    dead_letters="dead",
    doorbell="doorbell",
    ordered=False,
    parallelism=10,
    longest_call=18_000,
    max_attempts=5,
    tiers=[{"limit": 10, "period": 1_000}],
)


def refusal(code: str, status: int, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(answer, "Operation")


class Wire:
    """A network without trouble."""

    def __init__(self) -> None:
        self.bill = Bill()

    def written(self, machine: Machine) -> None:
        pass

    def request(self, machine: Machine, apply: Callable[[], Any]) -> Any:
        return apply()


def table() -> DynamoDBClient:
    return DynamoDBClient(DynamoDB(), Wire(), Machine(0))


class Outbox:
    """What was sent to which queue."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **request: Any) -> None:
        self.sent.append(request)


def record(number: int, group: str = "", arn: str = "arn:queue", body: str = "") -> dict[str, Any]:
    attributes = {"MessageGroupId": group} if group else {}
    return {
        "messageId": f"id {number}",
        "receiptHandle": "x",
        "body": body or f"{group} {number}",
        "attributes": attributes,
        "eventSourceARN": arn,
    }


def page(*groups: str) -> Page:
    return Page(tuple(record(number, group) for number, group in enumerate(groups)), (0,) * len(groups))


def places(picks: list[Held]) -> list[tuple[int, int, int]]:
    return [held.ref[:3] for held in picks]


def test_lanes_share_round_robin_after_the_first() -> None:
    shelf = Shelf([0], ordered=False)
    library = {(0, 1): page("urgent"), (1, 1): page(*["busy"] * 90), (2, 1): page("lonely", "alone")}
    picks = places(shelf.pick(6, 0, {0: 1, 1: 1, 2: 1}, library, ()))
    assert picks[0] == (0, 1, 0)
    assert sorted(picks[1:]) == [(1, 1, 0), (1, 1, 1), (1, 1, 2), (2, 1, 0), (2, 1, 1)]


def test_tries_again_take_half_while_others_were_never_tried() -> None:
    shelf = Shelf([], ordered=False)
    library = {(1, 1): page(*[""] * 10)}
    for held in shelf.pick(6, 0, {1: 1}, library, ()):
        shelf.give_back(held, 0)
    assert places(shelf.pick(4, 1, {1: 1}, library, ())) == [(1, 1, 0), (1, 1, 1), (1, 1, 6), (1, 1, 7)]
    assert len(shelf.pick(100, 1, {1: 1}, library, ())) == 6
    assert shelf.finished([]) == {(1, 1)}


def test_in_order_a_group_waits_for_its_message_and_the_others_go_on() -> None:
    shelf = Shelf([], ordered=True)
    library = {(1, 1): page("a", "a", "b", "a", "b", "c")}
    first = shelf.pick(10, 0, {1: 1}, library, ())
    assert places(first) == [(1, 1, 0), (1, 1, 2), (1, 1, 5)]
    shelf.give_back(first[0], due=1_000)
    again = Shelf([], ordered=True).load(json.loads(json.dumps(shelf.dump())))
    assert places(again.pick(10, 500, {1: 1}, library, ())) == [(1, 1, 4)], "a waits for its next try"
    assert places(again.pick(10, 1_000, {1: 1}, library, [library[1, 1].held((1, 1), 4).ref.group])) == [(1, 1, 0)]


def test_in_order_so_many_wait_for_others_of_their_group_and_then_all_do() -> None:
    shelf = Shelf([], ordered=True)
    library = {(1, number): page(*["a"] * 100) for number in range(1, 13)} | {(1, 13): page("b")}
    assert len(shelf.pick(10, 0, {1: 13}, library, ())) == 1
    assert len(shelf.parked) == MOST_WAITING
    assert shelf.unopened({1: 13})


def test_a_page_that_is_not_there_holds_nothing_up_and_is_found_when_it_comes() -> None:
    shelf = Shelf([], ordered=False)
    library: dict[tuple[int, int], Page | None] = {(1, 1): None, (1, 2): page("x")}
    assert places(shelf.pick(10, 0, {1: 2}, library, ())) == [(1, 2, 0)]
    library[1, 1] = page("late", "later")
    shelf.fill_holes(HOLE, library)
    assert places(shelf.pick(10, HOLE, {1: 2}, library, ())) == [(1, 1, 0), (1, 1, 1)]
    shelf.holes[1, 3] = HOLE
    shelf.fill_holes(HOLE + 1, {})  # nobody has looked again
    assert shelf.holes
    shelf.fill_holes(HOLE + 1, {(1, 3): None})
    assert not shelf.holes


@pytest.mark.parametrize("length", [10, 104 * 1024, 1024 * 1024])
def test_a_batch_of_any_size_is_filed_and_read_back(length: int) -> None:
    client = table()
    count = min(10, 6 * 1024 * 1024 // length)  # Lambda hands over 6 MB at most
    bodies = [os.urandom(length // 2).hex() for _ in range(count)]
    outbox = Outbox()
    records = [record(number, body=body) for number, body in enumerate(bodies)]
    Intake(replace(SETTINGS, lanes={"arn:queue": [1]}), outbox, client, Counters()).file(records, lambda: NOW)
    pages = Pages(client, "table")
    keys = [(1, number) for number in range(1, Store(client, "table").read().tails[1] + 1)]
    found = [entry for key in keys if (page := pages.get(key)) for entry in page.records]
    assert [entry["body"] for entry in found] == bodies
    assert all("receiptHandle" not in entry for entry in found)
    assert outbox.sent[0]["QueueUrl"] == "doorbell"
    for key in keys:
        pages.delete(key)
    assert list(client.table.items) == ["quota"]


def test_the_intake_keeps_a_group_in_one_lane() -> None:
    client = table()
    intake = Intake(SETTINGS, Outbox(), client, Counters())
    for turn in range(8):
        intake.file([record(turn, "tenant"), record(turn + 50, "tenant", "arn:priority")], lambda: NOW)
    item = Store(client, "table").read()
    assert item.filed == 16
    assert sorted(item.tails.values()) == [8, 8], "one lane, and the priority lane"


@pytest.mark.parametrize(
    ("presence", "rings"),
    [
        (Presence("somebody", "r", NOW + 1_000, 0), 0),
        (Presence("", "r", NOW + 60_000, NOW + 50_000), 0),
        (Presence("", "r", NOW + 60_000, 0), 1),
        (Presence("", "r", NOW - 1, NOW + 50_000), 1),
        (Presence("somebody", "r", NOW - 1, 0), 1),
    ],
)
def test_the_intake_rings_when_nobody_would_look_in_time(presence: Presence, rings: int) -> None:
    client = table()
    store = Store(client, "table")
    store.write(store.read(), SETTINGS.counter(), presence, "token", leaving=False)
    outbox = Outbox()
    Intake(SETTINGS, outbox, client, Counters()).file([record(1)], lambda: NOW)
    assert len(outbox.sent) == rings


def test_a_write_is_refused_when_another_came_first_and_one_that_leaves_when_a_page_did() -> None:
    client = table()
    store = Store(client, "table")
    empty = store.read()
    counter = SETTINGS.counter()
    written, first = store.write(empty, counter, Presence("one"), "1", leaving=False)
    assert written
    written, now = store.write(empty, counter, Presence("two"), "2", leaving=False)
    assert not written
    assert (now.presence.holder, now.token) == ("one", "1")
    store.number_pages({1: 3})
    assert not store.write(first, counter, Presence(), "3", leaving=True)[0]
    written, last = store.write(first, counter, Presence(), "4", leaving=False)
    assert written
    assert (last.tails, last.filed) == ({1: 1}, 3)
    assert store.write(last, counter, Presence(), "5", leaving=True)[0]


def test_the_state_of_the_first_release_is_read_with_its_calls() -> None:
    old = {
        "clock": NOW,
        "wall": NOW,
        "owner": "a",
        "paused_until": NOW + 5_000,
        "grants": {"a/1": [NOW - 1_000, NOW + 17_000, 3, [[[NOW // 3_600_000 * 3_600_000, 3]]]]},
        "calendar": {"calendar:3600000:UTC": [[NOW // 3_600_000 * 3_600_000, 40]]},
        "rolling": {"rolling:60000": [1, NOW - 500, 4, 100, 2]},
    }
    tiers = [{"limit": 10, "period": 60_000}, {"limit": 50, "period": 3_600_000, "zone": "UTC0", "zone_name": "UTC"}]
    client = table()
    client.table.items["quota"] = {
        "id": {"S": "quota"},
        "state": {"S": json.dumps(old)},
        "token": {"S": "old"},
        "holder": {"S": "chain"},
        "awake_until": {"N": str(NOW + 9_000)},
    }
    store = Store(client, "table")
    counter = store.read().counter(replace(SETTINGS, tiers=tiers))
    counter.advance(Reading(NOW, 0), None)
    assert [counter.quota.used(window) for window in counter.quota.windows] == [9, 43]
    assert counter.migrating
    assert counter.quota.paused_until == NOW + 5_000
    assert store.write(store.read(), counter, Presence("new"), "new", leaving=False)[0]
    assert "state" not in client.table.items["quota"], "the release before can't write over it"


def a_counter(**tier: int) -> Counter:
    counter = Counter([tier or {"limit": 10, "period": 1_000}], 3_000, first=[0], ordered=False)
    counter.advance(Reading(NOW, 0), None)
    return counter


def test_who_asks_for_patience_is_asked_ever_less_often_and_no_message_pays_for_it() -> None:
    counter, library = a_counter(), {(1, 1): page(*[""] * 100)}
    asked, waits = 0, list[int]()
    for milliseconds in range(0, 45 * 60_000, 250):
        counter.advance(Reading(NOW + milliseconds, milliseconds), counter.quota.frame)
        for slot, held in counter.take("me", 10, 0, {1: 1}, library).calls:
            asked += 1
            waits.append(milliseconds)
            counter.report(Report(slot, held, slot.start + 50, Verdict.RETRY_AFTER, 1_000))
    assert asked <= 10 + 12, "ten that were on their way at first, and then one after 1, 2, 4 ... s"
    assert max(later - sooner for sooner, later in pairwise(waits)) <= LONGEST_PAUSE + 500
    assert all(entry.held.failures == 0 for entry in counter.shelf.returned)
    later = counter.quota.paused_until + 1
    counter.advance(Reading(later, later - NOW), counter.quota.frame)
    ((slot, held),) = counter.take("me", 10, 0, {1: 1}, library).calls
    counter.report(Report(slot, held, slot.start + 50, Verdict.DONE, settled=True))
    counter.advance(Reading(later + 2_000, later + 2_000 - NOW), counter.quota.frame)
    assert len(counter.take("me", 10, 0, {1: 1}, library).calls) == 10


def test_hands_come_back_a_quarter_in_five_seconds_of_calls_or_of_rest() -> None:
    hands = Hands(20)
    assert hands.refused(8, now=1_000)
    assert [hands.count(1_000 + GROWTH * step) for step in (0, 0.9, 1, 1.9, 2, 3)] == [8, 8, 10, 10, 12, 15]
    assert hands.refused(1, now=GROWTH * 10)
    assert not hands.refused(0, now=GROWTH * 10), "the function itself is away"
    assert hands.count(GROWTH * 10 + 3_600_000) == 20, "there was one more for each time that it was asked"
    assert Hands(20).count(0) == 20


def test_who_is_refused_had_calls_beside_it_that_have_ended_since_and_no_earlier_ones() -> None:
    flights, slot = Flights({}), Slot("grant", 0, Frame(0, Reading(0, 0)), {})
    earlier, made, refused, alone = (Held(Ref(1, number, 0)) for number in range(4))

    def ends(held: Held, verdict: Verdict) -> int:
        return flights.end(Report(slot, held, 0, verdict))[1]

    flights.add(slot, earlier)
    assert ends(earlier, Verdict.DONE) == 0
    flights.add(slot, made)
    flights.add(slot, refused)
    assert ends(made, Verdict.FAILED) == 1
    assert ends(refused, Verdict.REFUSED) == 1
    flights.add(slot, alone)
    assert ends(alone, Verdict.REFUSED) == 0


def test_a_report_that_comes_twice_counts_once() -> None:
    counter, library = a_counter(), {(1, 1): page("", "")}
    ((slot, held), _) = counter.take("me", 2, 0, {1: 1}, library).calls
    for _ in range(2):
        counter.report(Report(slot, held, slot.start + 50, Verdict.DONE, settled=True))
    assert (counter.quota.in_flight, counter.quota.used(counter.quota.rolling[0]), counter.shelf.settled) == (1, 2, 1)


def test_a_call_never_leaves_late_nor_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps(asdict(SETTINGS)))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for cached in (process.settings, process.clients):
        cached.cache_clear()
    config = process.clients().lambda_.meta.config
    process.settings.cache_clear()
    process.clients.cache_clear()
    assert config.retries["total_max_attempts"] == 1, "a repeated request is a second call without a slot"
    assert config.connect_timeout == 1, "it is part of the longest call"
    assert 1_000 * config.read_timeout + LATE == SETTINGS.longest_call


def test_a_tier_that_was_lowered_holds_at_once_with_the_calls_of_before() -> None:
    counter, library = a_counter(limit=20, period=60_000), {(1, 1): page(*[""] * 100)}
    calls = counter.take("me", 20, 0, {1: 1}, library).calls
    for slot, held in calls[:10]:
        counter.report(Report(slot, held, slot.start + 50, Verdict.DONE, settled=True))
    text = counter.dump()
    tiers = [{"limit": 5, "period": 60_000}, {"limit": 9, "period": 3_600_000, "zone": "UTC0", "zone_name": "UTC"}]
    lower = Counter(tiers, 3_000, first=[0], ordered=False).load(text)
    lower.adopt(tiers)
    lower.advance(Reading(NOW + 1, 0), None)
    assert lower.take("you", 10, 0, {1: 1}, library).calls == []
    for slot, held in calls[10:]:  # of slots that know nothing of the new tier
        lower.report(Report(slot, held, slot.start + 50, Verdict.DONE, settled=True))
    assert lower.quota.in_flight == 0
    assert lower.shelf.settled == 20


@pytest.mark.parametrize(
    "zone",
    [
        "UTC",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Europe/Dublin",
        "Africa/Casablanca",
        "Africa/El_Aaiun",
    ],
)
def test_a_zone_is_the_same_in_lambda_without_a_database(zone: str) -> None:
    tier = QuotaTier(limit=1, period=Duration.days(1), start="calendar", time_zone=zone)
    setting = tier.setting()
    there, here = time_zone(setting["zone"], setting.get("transitions", ())), ZoneInfo(zone)
    begin = datetime(2026, 11, 1, tzinfo=timezone.utc)
    for hours in range(0, 24 * 3 * 366, 7):
        moment = begin + timedelta(hours=hours)
        assert moment.astimezone(there).utcoffset() == moment.astimezone(here).utcoffset()


@pytest.mark.parametrize(
    ("signal", "verdict", "seconds"),
    [
        (RetryAfter(30), Verdict.RETRY_AFTER, 30),
        (RetryAfter(0.25), Verdict.RETRY_AFTER, 0.25),
        (RetryAfter(1e-5), Verdict.RETRY_AFTER, 1e-5),
        (RetryAfter("30"), Verdict.RETRY_AFTER, 30),
        (RetryAfter(NOW // 1000 + 40), Verdict.RETRY_AFTER, 40),
        (RetryAfter(NOW + 40_000), Verdict.RETRY_AFTER, 40),
        (RetryAfter("Fri, 15 Jan 2027 08:00:30 GMT"), Verdict.RETRY_AFTER, 30),
        (RetryAfter("Thu, 01 Jan 1970 00:00:00 GMT"), Verdict.RETRY_AFTER, 0),
        (RetryAfter(1e400), Verdict.RETRY_AFTER, 400 * 86_400),
        (RetryAfter("30s"), Verdict.RETRY_AFTER, 30),
        (RetryAfter("6m0s"), Verdict.RETRY_AFTER, 360),
        (RetryAfter(b" 30 "), Verdict.RETRY_AFTER, 30),
        (RetryAfter("2027-01-15T08:00:30Z"), Verdict.RETRY_AFTER, 30),
        (RetryAfter(str(NOW + 40_000)), Verdict.RETRY_AFTER, 40),
        (RetryAfter(Decimal("3.5")), Verdict.RETRY_AFTER, 3.5),
        (RetryAfter(timedelta(minutes=2)), Verdict.RETRY_AFTER, 120),
        (RetryAfter(datetime(2027, 1, 15, 8, 0, 30, tzinfo=timezone.utc)), Verdict.RETRY_AFTER, 30),
        (RetryAfter(), Verdict.RETRY_AFTER, 1),
        (RetryAfter(None), Verdict.RETRY_AFTER, 1),
        (QuotaSpent(timedelta(days=1)), Verdict.QUOTA_SPENT, 86_400),
        (QuotaSpent(1_234_567), Verdict.QUOTA_SPENT, 1_234_567),
        (QuotaSpent(Decimal("0.5")), Verdict.QUOTA_SPENT, 0.5),
        (QuotaSpent(2_592_000), Verdict.QUOTA_SPENT, 2_592_000),
    ],
)
def test_the_dispatcher_understands_what_the_runtime_raises(
    signal: Exception, verdict: Verdict, seconds: float
) -> None:
    problem = {"errorType": type(signal).__name__, "errorMessage": str(signal), "stackTrace": list[str]()}
    outcome = judge(problem, NOW / 1000)
    assert (outcome.verdict, outcome.seconds) == (verdict, seconds)


@pytest.mark.parametrize(
    "text", ["RetryAfter(1.2.3)", "RetryAfter(nan)", "RetryAfter(-1)", "RetryAfter()", "QuotaSpent(soon)"]
)
def test_a_signal_without_sense_is_a_failure_that_says_so(text: str) -> None:
    outcome = judge({"errorMessage": text}, NOW / 1000)
    assert outcome.verdict is Verdict.FAILED
    assert "the argument is not seconds" in outcome.reason


@pytest.mark.parametrize("text", ["abc", "nan", "inf", "-1", "", "30, 60", "0x10", "RetryAfter(5)"])
def test_a_header_that_names_no_time_is_patience_and_no_failure(text: str, caplog: pytest.LogCaptureFixture) -> None:
    outcome = judge({"errorMessage": str(RetryAfter(text))}, NOW / 1000)
    assert (outcome.verdict, outcome.seconds) == (Verdict.RETRY_AFTER, 1)
    assert f"RetryAfter({text!r}) is no time" in caplog.text


@pytest.mark.parametrize("given", [-1, -0.5, float("nan"), True, ["30"], {}, timedelta(-1), Decimal("NaN")])
def test_a_signal_without_sense_is_refused(given: Any) -> None:
    for signal in (RetryAfter, QuotaSpent):
        with pytest.raises(ValueError, match=re.escape(f"given {given!r}")):
            signal(given)


@pytest.mark.parametrize("period", [0, "86400", None, float("inf")])
def test_a_period_that_is_none_is_refused(period: Any) -> None:
    with pytest.raises(ValueError, match=f"the period of a tier in seconds.*given {period!r}"):
        QuotaSpent(period)


def test_who_is_asked_for_patience_without_a_time_asks_ever_less_often() -> None:
    counter = Counter([{"limit": 100, "period": 1_000}], 3_000, first=[0], ordered=False)
    now, starts = NOW, list[int]()
    counter.advance(Reading(now, 0), None)
    for _ in range(6):
        outcome = judge({"errorMessage": str(RetryAfter())}, now / 1000)
        taking = Taking(counter.quota, "me", 1_000_000)
        slot = taking.next()
        assert slot is not None
        starts.append(slot.start)
        now += slot.start - counter.quota.clock
        frame = counter.quota.frame
        counter.advance(Reading(now, now - NOW), frame)
        counter.report_acquired(
            Report(slot, Held(Ref(-1, -1, -1)), now, outcome.verdict, round(outcome.seconds * 1000))
        )
    pauses = [round((later - earlier) / 1_000) for earlier, later in pairwise(starts)]
    assert pauses == [1, 2, 4, 8, 16]


class Function:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert request["Payload"] is EVENT
        if isinstance(self.answer, Exception):
            raise self.answer
        content = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        return {"Payload": io.BytesIO(content)}


EVENT = b"an event"


def freight() -> Freight:
    return Freight(0, lambda _: None)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, Verdict.DONE),
        (b"", Verdict.DONE),
        (b"[" * 10_000_000, Verdict.DONE),  # It says nothing to the quota, so nobody makes objects of it.
        ({"batchItemFailures": []}, Verdict.DONE),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, Verdict.FAILED),
        (refusal("TooManyRequestsException", 429), Verdict.REFUSED),
        (refusal("RequestTooLargeException", 413), Verdict.FAILED),
        (refusal("ServiceException", 500), Verdict.UNKNOWN),
        (ReadTimeoutError(endpoint_url="x"), Verdict.UNKNOWN),
    ],
)
def test_only_a_call_that_surely_never_started_gives_its_slot_back(answer: Any, verdict: Verdict) -> None:
    assert call(Function(answer), "function", EVENT, NOW / 1000, freight()).verdict is verdict


def attribute(value: str) -> dict[str, str]:
    return {"dataType": "String", "stringValue": value}


def test_a_dead_letter_keeps_what_it_had_and_says_why_where_that_fits() -> None:
    outbox = Outbox()
    letter = record(1) | {"messageAttributes": {"kind": attribute("order")}}
    bury(outbox, "dead", letter, "Error: \x00\x1b[31m red", 5, ordered=False)
    attributes = outbox.sent[0]["MessageAttributes"]
    assert attributes["Reason"]["StringValue"] == "Error: ??[31m red"
    assert attributes["Failures"]["StringValue"] == "5"
    assert attributes["kind"] == {"DataType": "String", "StringValue": "order"}
    bury(outbox, "dead", record(2, body="x" * 1_048_576), "Error", 5, ordered=False)
    assert outbox.sent[1]["MessageAttributes"] == {}
    many = {f"a{number}": attribute("x") for number in range(10)}
    bury(outbox, "dead", record(3) | {"messageAttributes": many}, "Error", 5, ordered=False)
    assert list(outbox.sent[2]["MessageAttributes"]) == list(many)


@pytest.mark.parametrize("ordered", [True, False])
def test_messages_that_all_fail_never_outgrow_the_counters_item(ordered: bool) -> None:
    """Each of another group, and each waits for its next attempt; the table takes no item of 400 KB."""
    shelf = Shelf([], ordered)
    library = {(1, number): page(f"group {number}") for number in range(1, 5_001)}
    for turn in range(50):
        for held in shelf.pick(100, turn, {1: 5_000}, library, ()):
            shelf.give_back(Held(held.ref, held.failures + 1), NOW)
    assert len(shelf.returned) == MOST_WAITING
    assert len(json.dumps(shelf.dump())) < 100_000
    assert len(shelf.pick(100, NOW, {1: 5_000}, library, ())) == 100, "then they are tried again"


class LargePages:
    """A table whose every page is as large as Lambda hands over."""

    SIZE = 6_000_000

    def __init__(self) -> None:
        self.read = 0

    def get(self, key: tuple[int, int], unit: str = "") -> Page:
        self.read += 1
        return replace(page("a", "b"), unit=unit, size=self.SIZE)

    def delete(self, key: tuple[int, int]) -> None:
        """It is done."""


class FewPages:
    """A table, and a host that has no time to wait for a page."""

    def __init__(self, *keys: tuple[int, int]) -> None:
        self.there = dict.fromkeys(keys, page("group"))

    def get(self, key: tuple[int, int], unit: str = "") -> Page | None:
        del unit
        return self.there.get(key)

    def sleep(self, milliseconds: int) -> None:
        """Not here."""


def test_a_page_that_came_while_a_write_failed_is_not_overtaken_by_those_behind_it() -> None:
    source: Any = FewPages((1, 2))
    library = Library(source, source, Store(table(), "table"), source)
    for _ in range(2):  # The counter as it was before the write, and as another has left it.
        counter = Counter(SETTINGS.tiers, 18_000, first=[], ordered=True)
        library.read(counter, 10, {1: 2})
        source.there[1, 1] = page("group")
    assert places(counter.shelf.pick(10, 0, {1: 2}, library.pages, ())) == [(1, 1, 0)]


def test_large_messages_are_read_as_memory_allows_and_all_in_turn() -> None:
    """Of 150 pages at once, as they are sorted by key, or of one message a page each, a dispatcher would die."""
    source: Any = LargePages()
    host: Any = None
    library = Library(host, source, Store(table(), "table"), host)
    counter, seen = Counter(SETTINGS.tiers, 18_000, first=[], ordered=False), set[tuple[int, int]]()
    for turn in range(1, 51):
        library.read(counter, 100, {1: 100, 2: 100})
        assert sum(found.size for found in library.pages.values() if found) < MOST_BYTES + source.SIZE
        picks = counter.shelf.pick(100, turn, {1: 100, 2: 100}, library.pages, ())
        assert picks
        seen |= {held.ref[:2] for held in picks}
        library.tidy(counter)
    assert len(seen) == 200
    assert source.read == 200, "each page once"


def test_large_messages_that_wait_for_another_try_leave_room_for_others() -> None:
    source: Any = LargePages()
    host: Any = None
    library = Library(host, source, Store(table(), "table"), host)
    counter = Counter(SETTINGS.tiers, 18_000, first=[], ordered=False)
    for turn in range(1, 40):
        library.read(counter, 100, {1: 100})
        for held in counter.shelf.pick(100, turn, {1: 100}, library.pages, ()):
            counter.shelf.give_back(held, NOW)
        library.tidy(counter)
    assert counter.shelf.lane(1).page == 101
