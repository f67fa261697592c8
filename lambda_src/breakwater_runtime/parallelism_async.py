"""The asyncio half of `fan_out`."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from breakwater_runtime.deadline import Deadline


def gather(
    function: Callable[[Any], Awaitable[Any]],
    arguments: list[Any],
    parallelism: int,
    deadline: Deadline | None,
    *,
    first_error: bool,
) -> list[Future[Any]]:
    """Run the coroutines, so many at once, and return their outcomes in order."""
    return asyncio.run(_gather(function, arguments, parallelism, deadline, first_error))


async def _gather(
    function: Callable[[Any], Awaitable[Any]],
    arguments: list[Any],
    parallelism: int,
    deadline: Deadline | None,
    first_error: bool,
) -> list[Future[Any]]:
    turns = asyncio.Semaphore(parallelism)
    outcomes: list[Future[Any]] = [Future() for _ in arguments]

    async def call(argument: Any, outcome: Future[Any]) -> None:
        async with turns:
            try:
                outcome.set_result(await function(argument))
            except Exception as error:
                outcome.set_exception(error)
                if first_error:
                    raise

    tasks = [asyncio.create_task(call(*pair)) for pair in zip(arguments, outcomes, strict=True)]
    timeout = None if deadline is None else max(0.0, deadline.remaining())
    how = asyncio.FIRST_EXCEPTION if first_error else asyncio.ALL_COMPLETED
    _, pending = await asyncio.wait(tasks, timeout=timeout, return_when=how)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return outcomes
