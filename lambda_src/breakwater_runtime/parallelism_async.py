"""The asyncio half of `fan_out`."""

from __future__ import annotations

import asyncio
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from breakwater_runtime.deadline import Deadline

# for calls that notice that they are cancelled
_CANCELLING_SECONDS = 0.1


def gather(
    function: Callable[[Any], Awaitable[Any]],
    arguments: list[Any],
    parallelism: int,
    deadline: Deadline | None,
    *,
    first_error: bool,
) -> list[Future[Any]]:
    """Run the coroutines, so many at once, and return their outcomes in order.

    The loop has a thread of its own: one that a call blocks, or that waits at its end for the threads of
    `asyncio.to_thread`, cannot give up by itself.
    """
    outcomes: list[Future[Any]] = [Future() for _ in arguments]
    calls = list(zip(arguments, outcomes, strict=True))
    ended: Future[None] = Future()

    def run() -> None:
        try:
            asyncio.run(_gather(function, calls, parallelism, deadline, first_error))
            ended.set_result(None)
        except BaseException as error:
            ended.set_exception(error)

    Thread(target=copy_context().run, args=(run,), name="breakwater-fan-out", daemon=True).start()
    timeout = None if deadline is None else max(0.0, deadline.remaining()) + _CANCELLING_SECONDS
    wait([ended, *outcomes] if first_error else [ended], timeout, FIRST_EXCEPTION)
    if ended.done():
        ended.result()
    return outcomes


async def _gather(
    function: Callable[[Any], Awaitable[Any]],
    calls: list[tuple[Any, Future[Any]]],
    parallelism: int,
    deadline: Deadline | None,
    first_error: bool,
) -> None:
    turns = asyncio.Semaphore(parallelism)

    async def call(argument: Any, outcome: Future[Any]) -> None:
        async with turns:
            try:
                outcome.set_result(await function(argument))
            except Exception as error:
                outcome.set_exception(error)
                if first_error:
                    raise

    tasks = [asyncio.create_task(call(*pair)) for pair in calls]
    timeout = None if deadline is None else max(0.0, deadline.remaining())
    how = asyncio.FIRST_EXCEPTION if first_error else asyncio.ALL_COMPLETED
    _, pending = await asyncio.wait(tasks, timeout=timeout, return_when=how)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
