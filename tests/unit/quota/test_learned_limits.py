"""What the provider says in its responses: read in the function, and kept to by the quota."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import partial
from http.client import HTTPMessage
from time import process_time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from breakwater_runtime.quota_signals import used
from breakwater_runtime.rate_limits import rate_limit
from handlers.quota_dispatcher.call import Verdict
from handlers.quota_dispatcher.clocks import Reading
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.learned import Told, read_limits
from handlers.quota_dispatcher.pages import Page
from handlers.quota_dispatcher.reports import Report

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        (
            {"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'},
            [{"remaining": 50, "reset": 30, "limit": 100, "window": 60}],
        ),
        (
            {"ratelimit": '"a";r=1;t=2, "b";r=3;t=4', "ratelimit-policy": '"b";q=9;w=5,"a";q=7'},
            [{"remaining": 1, "reset": 2, "limit": 7}, {"remaining": 3, "reset": 4, "limit": 9, "window": 5}],
        ),
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, [{"remaining": 50, "reset": 5, "limit": 100}]),
        (
            {"RateLimit": "limit=100, remaining=50, reset=5", "RateLimit-Policy": "9;w=1, 100;w=60"},
            [{"remaining": 50, "reset": 5, "limit": 100, "window": 60}],
        ),
        (
            {"RateLimit-Policy": "100;w=60", "RateLimit-Limit": "100", "RateLimit-Remaining": "7"},
            [{"remaining": 7, "limit": 100, "window": 60}],
        ),
        ({"RateLimit-Policy": '"default";q=100;w=60'}, [{"remaining": 100, "limit": 100, "window": 60}]),
        (
            {"RateLimit-Policy": '"a";q=9;w=1;qu="requests", "b";q=5;w=60;qu="tokens"'},
            [
                {"remaining": 9, "limit": 9, "window": 1, "unit": "calls"},
                {"remaining": 5, "limit": 5, "window": 60, "unit": "weight"},
            ],
        ),
        ({"RateLimit": '"a;b,c";r=1;t=2;pk=:YT1i:'}, [{"remaining": 1, "reset": 2}]),
        (
            {"X-RateLimit-Limit": "1,000", "X-RateLimit-Remaining": "12,345,678", "X-RateLimit-Reset": "0s"},
            [{"limit": 1_000, "remaining": 12_345_678, "reset": 0}],
        ),
        (
            {"X-RateLimit-Limit": "10;w=1, 1000;w=3600", "X-RateLimit-Remaining": "7"},
            [{"limit": 10, "remaining": 7, "window": 1}],
        ),
        (
            {"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "7", "RateLimit-Reset": "5"},
            [{"remaining": 7, "reset": 5, "limit": 100, "window": 60}],
        ),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1.5"}, [{"remaining": 0, "reset": 1.5}]),
        ({"X-RateLimit-Remaining": "2000000000", "X-RateLimit-Reset": "1"}, [{"remaining": 2e9, "reset": 1}]),
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6m0.5s",
            },
            [
                {"limit": 60, "remaining": 59, "reset": 1, "unit": "calls"},
                {"remaining": 149984, "reset": 360.5, "unit": "weight"},
            ],
        ),
    ],
)
def test_headers_of_each_form_are_understood(headers: dict[str, str], limits: list[dict[str, Any]]) -> None:
    assert rate_limit(headers) == {"rateLimits": limits}
    told, problem = read_limits(rate_limit(headers))
    assert (len(told), problem) == (len(limits), "")


def milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)


@pytest.mark.parametrize(
    "written",
    [
        datetime.timestamp,
        milliseconds,
        datetime.isoformat,
        partial(format_datetime, usegmt=True),
    ],
    ids=["Unix time", "Unix time in milliseconds", "ISO 8601", "HTTP date"],
)
def test_a_reset_may_be_an_instant(written: Callable[[datetime], object]) -> None:
    reset = str(written(datetime.now(timezone.utc) + timedelta(hours=2)))
    (limit,) = rate_limit({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": reset})["rateLimits"]
    assert 7_000 < float(limit["reset"]) <= 7_200


HEADERS = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "30", "Age": "1"}
MESSAGE = HTTPMessage()
for _header in HEADERS.items():
    MESSAGE.add_header(*_header)


@pytest.mark.parametrize(
    "response",
    [
        MESSAGE,
        SimpleNamespace(headers=MESSAGE),
        HTTPError("http://crm", 429, "Too Many Requests", MESSAGE, None),
        HTTPHeaderDict(HEADERS),
        {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {k.lower(): v for k, v in HEADERS.items()}}},
        list(HEADERS.items()),
        tuple((name.encode(), value.encode()) for name, value in HEADERS.items()),
        {name: [value] for name, value in HEADERS.items()},
        {name: int(value) for name, value in HEADERS.items()},
        SimpleNamespace(headers=list(HEADERS.items())),
    ],
    ids=["HTTPMessage", "urllib", "HTTPError", "urllib3", "boto3", "pairs", "bytes", "lists", "numbers", "a list"],
)
def test_a_response_of_any_client_is_read(response: object, caplog: pytest.LogCaptureFixture) -> None:
    assert rate_limit(response) == {"rateLimits": [{"limit": 100, "remaining": 7, "reset": 30}]}
    assert not caplog.messages


@pytest.mark.parametrize("response", [None, 5, "x", [1], {"ResponseMetadata": None}, SimpleNamespace()])
def test_what_is_no_response_is_said_and_fails_no_call(response: object, caplog: pytest.LogCaptureFixture) -> None:
    assert rate_limit(response) == {}
    (words,) = caplog.messages
    assert words.startswith(f"rate_limit can't read the headers of {type(response).__name__}: ")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": "now"},
        {"RateLimit": ""},
        {"X-RateLimit-Limit": "100"},
        {"X-RateLimit-Remaining": None},
        {"RateLimit": '"d";r=1;t=2', "RateLimit-Policy": '"d";q=10;w=60;qu="content-bytes"'},
        {"RateLimit": '"d";r=1;t=2', "RateLimit-Policy": '"d";q=10;w=60;qu="concurrent-requests"'},
        {"RateLimit-Policy": '"d";q=10;w=60;qu="content-bytes"'},
    ],
)
def test_headers_that_say_nothing_change_nothing(headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    assert rate_limit(headers) == {}
    assert not caplog.messages


@pytest.mark.parametrize(
    ("headers", "nonsense"),
    [
        ({"RateLimit": "nonsense"}, "ratelimit says 'nonsense'"),
        ({"RateLimit": ";,;"}, "ratelimit says ';,;'"),
        ({"RateLimit": '"x";r=many;t=1'}, "ratelimit says 'many'"),
        ({"RateLimit-Policy": "default"}, "ratelimit-policy says 'default'"),
        ({"X-RateLimit-Remaining": "-1"}, "x-ratelimit-remaining says '-1'"),
        ({"X-RateLimit-Remaining": "NaN"}, "x-ratelimit-remaining says 'NaN'"),
        ({"X-RateLimit-Remaining": "1e400"}, "x-ratelimit-remaining says '1e400'"),
        ({"X-RateLimit-Reset-Tokens": "soon"}, "x-ratelimit-reset-tokens says 'soon'"),
    ],
)
def test_a_header_that_makes_no_sense_is_said(
    headers: dict[str, str], nonsense: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert rate_limit(headers) == {}
    assert f"The provider's header {nonsense}, which makes no sense" in caplog.text


@given(st.dictionaries(st.sampled_from([*HEADERS, "RateLimit", "RateLimit-Policy"]), st.text('"=;,wqrt:10 .sZ-\\')))
def test_whatever_a_provider_says_the_dispatcher_understands_what_is_made_of_it(headers: dict[str, str]) -> None:
    found = rate_limit(headers)
    told, problem = read_limits(json.loads(json.dumps(found, allow_nan=False)))
    assert (len(told), problem) == (len(found.get("rateLimits", [])), "")


def test_a_header_of_64_kb_takes_no_time_and_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    begun = process_time()
    for text in ("a" * 65_000, '"' * 65_000, "1," * 32_000, "1s" * 32_000 + "x"):
        rate_limit(dict.fromkeys(("RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Reset"), text))
    assert process_time() - begun < 3
    assert len(caplog.text) < 30_000


def test_a_function_says_both_what_it_used_and_what_remains() -> None:
    answer = used(3) | rate_limit({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "2.5"})
    assert read_limits(json.loads(json.dumps(answer))) == ([Told(5, 2_500)], "")


def test_a_limit_of_nothing_leaves_one_call_that_may_hear_of_another() -> None:
    told, _ = read_limits({"rateLimits": [{"remaining": 0, "reset": 5, "limit": 0, "window": 60}]})
    assert told == [Told(0, 5_000, 1, 60_000)]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("many", "rateLimits holds 'many', which does not say what remains"),
        ([{"reset": 1}], "does not say what remains"),
        ([{"remaining": "abc"}], "remaining in rateLimits is 'abc', which is no number"),
        ([{"remaining": 1, "reset": -1}], "reset in rateLimits is -1, which is no number"),
        ([{"remaining": 1, "window": float("nan")}], "window in rateLimits is nan"),
    ],
)
def test_what_makes_no_sense_is_said_and_not_believed(said: object, reason: str) -> None:
    limits, problem = read_limits({"rateLimits": said})
    assert not limits
    assert reason in problem


TIER = {"limit": 10, "period": 10_000}
LIBRARY = {(1, 1): Page(tuple({"messageId": "m", "body": "", "attributes": {}} for _ in range(1_000)), (0,) * 1_000)}


class Taker:
    """One that makes calls of 100 ms and goes on with what it has stored."""

    def __init__(self, **tier: int) -> None:
        self.counter = Counter([{**TIER, **tier}], 3_000, first=[0], ordered=False)
        self.now = NOW
        self.counter.advance(Reading(NOW, 0), None)

    def call(self, most: int, *told: Told) -> int:
        """Return how many could be called; each hears what the provider says."""
        calls = self.counter.take("me", most, 0, {1: 1}, LIBRARY).calls
        self.wait(100)
        for slot, held in calls:
            self.counter.report(Report(slot, held, slot.start + 100, Verdict.DONE, settled=True, told=told))
        return len(calls)

    def wait(self, milliseconds: int) -> None:
        frame, tiers = self.counter.quota.frame, self.counter.tiers
        self.counter = Counter(tiers, 3_000, first=[0], ordered=False).load(self.counter.dump())
        self.now += milliseconds
        self.counter.advance(Reading(self.now, self.now - NOW), frame)


def test_what_others_have_used_of_the_same_limit_is_not_used_again_until_it_is_reset() -> None:
    taker = Taker()
    assert taker.call(1, Told(3, 5_000, 10, 10_000)) == 1
    assert taker.call(9) == 3
    assert taker.call(9) == 0
    taker.wait(5_900)
    assert taker.call(9) == 6, "the tier's own ten"


def test_what_other_counters_may_have_called_is_not_taken_for_the_calls_of_strangers() -> None:
    taker = Taker(limit=100)
    assert taker.call(1, Told(320, 5_000, 400, 10_000).divided(0, 4, 20)) == 1
    assert taker.call(29) == 29
    assert taker.call(1, Told(12, 5_000, 400, 10_000).divided(0, 4, 20)) == 1
    assert taker.call(20) == 3


def test_what_remains_never_raises_a_tier() -> None:
    taker = Taker()
    assert taker.call(20, Told(1_000, 1, 5_000, 10_000)) == 10
    assert taker.call(20) == 0


def test_a_limit_that_was_lowered_holds_and_one_that_was_raised_again_too() -> None:
    taker = Taker()
    assert taker.call(1, Told(3, 10_000, 4, 10_000)) == 1
    assert taker.call(9, Told(0, 10_000, 4, 10_000)) == 3
    taker.wait(10_300)
    assert taker.call(9) == 4
    taker.wait(10_300)
    assert taker.call(1, Told(99, 10_000, 99, 10_000)) == 1
    assert taker.call(20) == 9
    taker.wait(86_400_000)
    assert not taker.counter.quota.learned.dump(), "what is not said again is not believed for ever"


def test_an_answer_that_is_late_says_nothing_of_what_came_after() -> None:
    taker = Taker()
    slow, quick = taker.counter.take("me", 2, 0, {1: 1}, LIBRARY).calls
    taker.wait(200)
    taker.counter.report(Report(*quick, quick[0].start + 100, Verdict.DONE, settled=True, told=(Told(0, 5_000),)))
    taker.wait(900)
    taker.counter.report(Report(*slow, slow[0].start + 900, Verdict.DONE, settled=True, told=(Told(8, 5_000),)))
    assert taker.call(9) == 0


def test_slots_that_were_given_back_are_there_again() -> None:
    taker = Taker()
    assert taker.call(1, Told(2, 9_000, 10, 10_000)) == 1
    for slot, held in taker.counter.take("me", 9, 0, {1: 1}, LIBRARY).calls:
        taker.counter.report(Report(slot, held, slot.start, Verdict.NOT_STARTED))
    assert taker.call(9) == 2


def test_a_state_in_which_nothing_was_learned_is_written_as_before() -> None:
    assert "learned" not in Taker().counter.dump()


def test_a_provider_that_counts_only_what_this_quota_calls_costs_no_speed() -> None:
    """What remains is said of an instant at which calls counted that have left the window when the word arrives."""
    taker = Taker(limit=10, period=1_000)
    calls = taker.counter.take("me", 10, 0, {1: 1}, LIBRARY).calls
    taker.wait(1_200)
    for slot, held in calls:
        told = (Told(0, 1_000, 10, 1_000),)
        taker.counter.report(Report(slot, held, slot.start + 100, Verdict.DONE, settled=True, told=told))
    assert taker.call(20) == 10
    taker.wait(3_000)
    assert taker.call(1, Told(0, 9_000)) == 1
    assert taker.call(20) == 0, "others have used the rest"
