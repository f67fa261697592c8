"""fan_out, and the trap of client-side limits with its cure."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import breakwater_runtime as breakwater
from breakwater_runtime.deadline import Deadline
from tests.runtime.aws_endpoint import AwsEndpoint
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import Stopwatch


@given(st.lists(st.integers()), st.integers(1, 8))
def test_results_are_in_order(items: list[int], parallelism: int) -> None:
    assert breakwater.fan_out(lambda item: item * 2, items, parallelism) == [item * 2 for item in items]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_never_more_than_the_parallelism(asynchronous: bool) -> None:
    now, peak, lock = 0, 0, threading.Lock()

    def enter(change: int) -> None:
        nonlocal now, peak
        with lock:
            now += change
            peak = max(peak, now)

    def call(_: int) -> None:
        enter(1)
        time.sleep(0.01)
        enter(-1)

    async def call_async(_: int) -> None:
        enter(1)
        await asyncio.sleep(0.01)
        enter(-1)

    breakwater.fan_out(call_async if asynchronous else call, range(30), 5)
    assert peak == 5


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_first_error_as_it_is(asynchronous: bool) -> None:
    called: list[int] = []

    def call(item: int) -> None:
        called.append(item)
        if item == 1:
            raise KeyError(item)
        time.sleep(0.02)

    async def call_async(item: int) -> None:
        called.append(item)
        if item == 1:
            raise KeyError(item)
        await asyncio.sleep(0.02)

    with pytest.raises(KeyError):
        breakwater.fan_out(call_async if asynchronous else call, range(200), 2)
    assert len(called) < 200


@pytest.mark.parametrize("asynchronous", [False, True])
def test_all_errors_with_the_results(asynchronous: bool) -> None:
    def call(item: int) -> float:
        return 6 / item

    async def call_async(item: int) -> float:
        return 6 / item

    with pytest.raises(breakwater.FanOutError, match="2 of 4 calls failed") as caught:
        breakwater.fan_out(call_async if asynchronous else call, [1, 0, 2, 0], 2, first_error=False)
    assert caught.value.results == [6, None, 3, None]
    assert set(caught.value.errors) == {1, 3}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_gives_up_before_the_deadline(asynchronous: bool) -> None:
    async def call_async(item: int) -> int:
        await asyncio.sleep(item)
        return item

    def call(item: int) -> int:
        time.sleep(item)
        return item

    watch = Stopwatch()
    with pytest.raises(breakwater.FanOutError, match="1 had not finished") as caught:
        breakwater.fan_out(call_async if asynchronous else call, [0, 3], 2, Context(1))
    assert watch.seconds < 2.5
    assert caught.value.results == [0, None]
    assert caught.value.unfinished == [1]


@pytest.mark.parametrize("how", ["blocked loop", "blocked threads", "cancellation refused"])
def test_calls_that_block_do_not_outlast_the_deadline(how: str) -> None:
    async def call(item: int) -> int:
        if how == "blocked loop":
            time.sleep(5 * item)
        elif how == "blocked threads":
            await asyncio.to_thread(time.sleep, 5 * item)
        elif item:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(5)
            await asyncio.sleep(5)
        return item

    watch = Stopwatch()
    with pytest.raises(breakwater.FanOutError, match="1 had not finished") as caught:
        breakwater.fan_out(call, [0, 1], 2, Context(1.5))
    assert watch.seconds <= 1.2
    assert caught.value.results == [0, None]


def test_what_would_do_nothing_is_refused() -> None:
    def generator(item: int) -> Iterator[int]:
        yield item

    async def asynchronous(item: int) -> int:
        return item

    with pytest.raises(breakwater.ConfigurationError, match=r"fan_out was given .*generator, which is a generator"):
        breakwater.fan_out(generator, [1], 1)
    with pytest.raises(breakwater.ConfigurationError, match="of which nothing ran"):
        breakwater.fan_out(lambda item: asynchronous(item), [1], 1)  # noqa: PLW0108 -- it hides what it is


def test_calls_know_the_deadline_and_the_callers_context_variables() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")
    variable.set("of the caller")

    async def call_async(_: int) -> tuple[str, float]:
        return variable.get(), Deadline(None).remaining()

    def call(_: int) -> tuple[str, float]:
        return variable.get(), Deadline(None).remaining()

    for function in (call, call_async):
        ((value, remaining),) = breakwater.fan_out(function, [1], 1, Context(5))
        assert value == "of the caller"
        assert remaining <= 4.5


def test_within_a_loop_that_runs() -> None:
    async def call(item: int) -> int:
        return item * 2

    async def handler() -> list[int]:
        return breakwater.fan_out(call, [1, 2], 2)

    assert asyncio.run(handler()) == [2, 4]


def test_a_wrong_parallelism_is_named() -> None:
    with pytest.raises(breakwater.ConfigurationError, match="parallelism is 0"):
        breakwater.fan_out(str, [1], 0)


def test_the_trap_and_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rounds of 50 calls at once: boto3 keeps ten sockets and opens the other 40 anew each time."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    calls, rounds = 50, 3

    def connections_opened(endpoint: AwsEndpoint, client: Any) -> int:
        before = endpoint.connections
        for _ in range(rounds):
            breakwater.fan_out(lambda _: client.describe_endpoints(), range(calls), calls)
        return endpoint.connections - before

    with AwsEndpoint(lambda *_: (200, {"Endpoints": []}), delay=0.4) as endpoint:
        where: dict[str, Any] = {"endpoint_url": endpoint.url, "region_name": "eu-central-1"}
        trapped = connections_opened(endpoint, boto3.client("dynamodb", **where))
        cured = connections_opened(endpoint, breakwater.client("dynamodb", parallelism=calls, **where))
    assert cured <= calls
    assert trapped > 2 * cured


def test_client_keeps_the_users_config() -> None:
    from botocore.config import Config  # noqa: PLC0415, RUF100

    client = breakwater.client("s3", parallelism=200, region_name="eu-central-1", config=Config(read_timeout=7))
    assert client.meta.config.max_pool_connections == 200
    assert client.meta.config.read_timeout == 7


def test_http_keeps_as_many_sockets() -> None:
    with AwsEndpoint(lambda *_: (200, {}), delay=0.02) as endpoint:
        http = breakwater.http(parallelism=20)
        breakwater.fan_out(lambda _: http.request("GET", endpoint.url).status, range(100), 20)
        pool = http.connection_from_url(endpoint.url)
        assert pool.num_connections <= 20
        assert pool.num_requests == 100
