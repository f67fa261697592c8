"""What the synth says of a quota's rate, and what the dispatcher makes of it."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match

from cdk_breakwater.quota.invocation import QuotaThrottledInvocation
from cdk_breakwater.quota.tier import QuotaTier
from tests.simulation.provider import Limit
from tests.simulation.schedule import MIDNIGHT
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World

SECOND = Duration.seconds(1)
TEN = QuotaTier(limit=10, period=SECOND)


def arriving(within: Duration) -> QuotaTier:
    return QuotaTier(limit=10, period=SECOND, counted="arrival", arrives_within=within)


def remarks_of(
    stack: cdk.Stack,
    code: dict[str, Any],
    tiers: list[QuotaTier],
    *,
    timeout: int = 3,
    environments: int | None = None,
    **options: Any,
) -> Annotations:
    function = lambda_.Function(
        stack, "Caller", **code, timeout=Duration.seconds(timeout), reserved_concurrent_executions=environments
    )
    QuotaThrottledInvocation(stack, "Crm", function=function, tiers=tiers, **options)
    return Annotations.from_stack(stack)


def texts(remarks: Annotations) -> list[str]:
    found = [*remarks.find_info("*", Match.any_value()), *remarks.find_warning("*", Match.any_value())]
    return [re.sub(r" \[ack: .*\]", "", str(remark.entry.data)) for remark in found]


@pytest.mark.parametrize(
    ("tiers", "options", "kind", "words"),
    [
        (
            [QuotaTier(limit=5_000, period=SECOND)],
            {},
            "warning",
            "about 154 can be made: 2 dispatchers make 660 at most.*take parallelism=650, and so many env",
        ),
        (
            [QuotaTier(limit=5_000, period=SECOND)],
            {"ordered": True},
            "warning",
            "about 154 can be made: one dispatcher makes 330 at most",
        ),
        (
            [QuotaTier(limit=10**9, period=SECOND)],
            {"environments": None},
            "warning",
            "^1,000,000,000 calls a second are granted and about 329,670 can be made",
        ),
        ([TEN], {"parallelism": 5}, "info", "91% with calls of 0.1 s, 49% with .* 1 s and 17% .* there are 5 calls at"),
        ([TEN], {"parallelism": 1}, "info", "77% with calls of 0.1 s, 10% with .* 3% with .*: there is 1 call at once"),
        ([TEN], {}, "info", "at most 91% with calls of 0.1 s, 50% with calls of 1 s and 25% with calls of 3 s is used"),
        ([arriving(Duration.millis(500))], {}, "info", "at most 91% with .* 0.1 s, 67% with .* 1 s and 66% .* 3 s is"),
        (
            [QuotaTier(limit=1_000, period=SECOND)],
            {"key": "$.tenant", "key_tiers": [TEN]},
            "info",
            "^Of each key's 10 per 1 second at most 91% with .* 50% with .* and 25% with calls of 3 s is used",
        ),
        (
            [QuotaTier(limit=1_000, period=Duration.seconds(10), weight="$.tokens")],
            {},
            "info",
            "^Of 1000 of [$].tokens per 10 seconds at most 99% with .* 91% with .* and 77% with calls of 3 s is used",
        ),
        (
            [QuotaTier(limit=10, period=Duration.seconds(10), start="calendar")],
            {},
            "warning",
            "by the calendar: a call may fall",
        ),
        ([QuotaTier(limit=10, period=Duration.seconds(10))], {"parallelism": 50}, "warning", "than the 20 reserved"),
        (
            [arriving(Duration.days(1))],
            {},
            "warning",
            "arrives_within=1 day, and Stack/Caller a timeout of 3 s: its calls end before that",
        ),
        (
            [TEN],
            {"key": "$.tenant", "key_tiers": [arriving(Duration.seconds(4))]},
            "warning",
            "arrives_within=4 seconds, and Stack/Caller a timeout of 3 s",
        ),
    ],
)
def test_a_rate_that_cannot_be_reached_is_named(
    stack: cdk.Stack, code: dict[str, Any], tiers: list[QuotaTier], options: dict[str, Any], kind: str, words: str
) -> None:
    found = remarks_of(stack, code, tiers, **{"environments": 20} | options)
    remarks = (found.find_warning if kind == "warning" else found.find_info)(
        "/Stack/Crm", Match.string_like_regexp(words)
    )
    assert len(remarks) == 1, texts(found)


@pytest.mark.parametrize("parallelism", [101, 99_900])
def test_of_more_calls_at_once_than_the_counters_make_the_rest_is_not_promised(
    stack: cdk.Stack, code: dict[str, Any], parallelism: int
) -> None:
    (unused, use) = texts(remarks_of(stack, code, [TEN], timeout=300, parallelism=parallelism))
    assert unused.startswith(f"Of parallelism={parallelism} 100 are used: a dispatcher makes 100 calls at once")
    assert "less than 1% with calls of 300 s" in use


def test_a_long_tier_that_is_the_tighter_one_is_used_in_full(stack: cdk.Stack, code: dict[str, Any]) -> None:
    day = QuotaTier(limit=5_000, period=Duration.days(1), start="calendar")
    assert not texts(remarks_of(stack, code, [TEN, day]))


@pytest.mark.parametrize(
    ("arrives", "hands", "expected"), [(None, 20, 0.33), (200, 20, 0.83), (200, 10, 0.49), (5_000, 20, 0.33)]
)
def test_the_dispatcher_makes_what_the_synth_says(
    stack: cdk.Stack, code: dict[str, Any], arrives: int | None, hands: int, expected: float
) -> None:
    tier = TEN if arrives is None else arriving(Duration.millis(arrives))
    said, *_ = texts(remarks_of(stack, code, [tier], timeout=2, parallelism=hands))
    percent = re.search(r"(\d+)% with calls of 2 s", said)
    assert percent is not None
    assert int(percent[1]) / 100 == expected
    limit = Limit(10, 1_000, arrives=arrives or 0)
    world = World(1, [limit], start=MIDNIGHT, faults=Faults(), trouble=Trouble(), parallelism=hands, max_attempts=5)
    world.durations = (2_000, 2_000)
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(240)
        world.hub.run(lambda: False, MIDNIGHT + 30_000)
    world.finish()
    starts = sorted(sent.calls[0] for sent in world.messages.values() if sent.calls)
    steady = sum(starts[0] <= start < starts[0] + 24_000 for start in starts) / 240
    assert 0.85 * expected <= steady <= expected * 1.06
