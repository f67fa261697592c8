"""Fan-out without the trap of client-side limits: as many sockets as calls."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar, cast

from breakwater_runtime._plain import ASYNC_FUNCTION, kind_of, plain, plain_result
from breakwater_runtime.deadline import Deadline, invocation
from breakwater_runtime.errors import BreakwaterError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    import urllib3

    Item = TypeVar("Item")
    Result = TypeVar("Result")


_WORKS = "Give it a function that does its work, or an async def itself."


class FanOutError(BreakwaterError):
    """Some calls failed, or the deadline came first.

    Attributes
    ----------
    results
        What the calls returned, in the items' order, None for those that failed or did not finish.
    errors
        The exceptions, by the item's index.
    unfinished
        The indices of the items whose calls the deadline left unfinished.
    """

    def __init__(
        self, message: str, results: list[Any], errors: dict[int, BaseException], unfinished: list[int]
    ) -> None:
        super().__init__(message)
        self.results = results
        self.errors = errors
        self.unfinished = unfinished


def fan_out(
    function: Callable[[Item], Result] | Callable[[Item], Awaitable[Result]],
    items: Iterable[Item],
    parallelism: int,
    context: object | None = None,
    *,
    first_error: bool = True,
) -> list[Result]:
    """Call a function for every item, so many at once.

    Parameters
    ----------
    function
        A function, called in threads; or a coroutine function, run in an event loop of its own, in another thread: a
        call that blocks the loop does not outlast the deadline either.
    items
        The argument of each call.
    parallelism
        How many calls at once, at least 1.
    context
        Lambda's context: calls that have not finished 0.5 s before the invocation's end are given up, and what they ask
        of Redis, MongoDB and AWS through the runtime ends by then. None: no limit.
    first_error
        Whether the first error is raised at once, as it is, and what has not begun is left out. False: every call
        is made, and one `FanOutError` holds all errors and results.

    Returns
    -------
    list
        The results in the items' order.

    Raises
    ------
    ConfigurationError
        For a generator, whose call would do nothing; by a call that returned a coroutine or a generator.
    FanOutError
        With `first_error=False` when a call failed; and when the deadline came first.
    """
    arguments = list(items)
    if parallelism < 1:
        raise ConfigurationError(f"parallelism is {parallelism!r}. It is the number of calls at once, at least 1.")
    if not arguments:
        return []
    deadline = None if context is None else Deadline(context)
    call = cast("Callable[[Any], Any]", function)
    with nullcontext() if context is None else invocation(context):
        if kind_of(function) == ASYNC_FUNCTION:
            from breakwater_runtime.parallelism_async import gather

            outcomes = gather(call, arguments, parallelism, deadline, first_error=first_error)
        else:
            plain(function, "fan_out", _WORKS)
            outcomes = _in_threads(call, arguments, parallelism, deadline, first_error)
    return _results(outcomes, first_error=first_error)


def _in_threads(
    function: Callable[[Any], Any], arguments: list[Any], parallelism: int, deadline: Deadline | None, first_error: bool
) -> list[Future[Any]]:
    executor = ThreadPoolExecutor(min(parallelism, len(arguments)), thread_name_prefix="breakwater-fan-out")
    futures = [executor.submit(copy_context().run, _called, function, argument) for argument in arguments]
    timeout = None if deadline is None else max(0.0, deadline.remaining())
    try:
        if first_error:
            wait(futures, timeout, FIRST_EXCEPTION)
        else:
            wait(futures, timeout)
    finally:
        # what runs cannot be stopped; what has not begun won't
        executor.shutdown(wait=False, cancel_futures=True)
    return futures


def _called(function: Callable[[Any], Any], argument: Any) -> Any:
    return plain_result(function(argument), "fan_out", _WORKS)


def _results(outcomes: list[Future[Any]], *, first_error: bool) -> list[Any]:
    errors: dict[int, BaseException] = {}
    results: list[Any] = []
    unfinished: list[int] = []
    for index, outcome in enumerate(outcomes):
        if not outcome.done() or outcome.cancelled():
            unfinished.append(index)
            results.append(None)
        elif error := outcome.exception():
            errors[index] = error
            results.append(None)
        else:
            results.append(outcome.result())
    if errors and first_error:
        raise errors[min(errors)]
    if errors or unfinished:
        late = f", {len(unfinished)} had not finished when the invocation's time was over" if unfinished else ""
        first = f"; the first: {errors[min(errors)]!r}" if errors else ""
        raise FanOutError(f"{len(errors)} of {len(outcomes)} calls failed{late}{first}", results, errors, unfinished)
    return results


def client(service: str, parallelism: int, **arguments: Any) -> Any:
    """Make a boto3 client with as many sockets as calls.

    boto3's own limit is 10 (botocore's `max_pool_connections`): 200 threads then wait for 10 sockets.

    Parameters
    ----------
    service
        The service's name, as for `boto3.client`.
    parallelism
        How many calls at once.
    arguments
        More arguments for `boto3.client`; a `config` is merged.
    """
    import boto3
    from botocore.config import Config

    config = Config(max_pool_connections=parallelism)
    given = arguments.pop("config", None)
    make: Any = boto3.client
    return make(service, config=given.merge(config) if given else config, **arguments)


def http(parallelism: int, **arguments: Any) -> urllib3.PoolManager:
    """Make an HTTP client (urllib3, part of Lambda's Python runtimes) with as many sockets as calls.

    urllib3's own limit is one connection kept for each host; further ones are opened and thrown away.

    Parameters
    ----------
    parallelism
        How many calls at once to one host.
    arguments
        More arguments for `urllib3.PoolManager`.
    """
    import urllib3

    options: dict[str, Any] = {"maxsize": parallelism, "block": True, **arguments}
    return urllib3.PoolManager(**options)
