"""Calls to AWS that end before the invocation does, whatever is silent: a resolver, an address, an answer."""

from __future__ import annotations

import os
from contextvars import ContextVar, copy_context
from functools import cache
from io import BytesIO
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from breakwater_runtime.errors import ConfigurationError, ConnectionUnavailable
from breakwater_runtime.retry import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.exceptions import ClientError

    from breakwater_runtime.deadline import Deadline

    Result = TypeVar("Result")

# Within a Region an answer takes tens of milliseconds. One that is lost must not cost the invocation.
_CONNECT_SECONDS = 1
ANSWER_SECONDS = 3
# A request whose answer cannot arrive in time may be executed all the same: it is not sent again with less than this.
_LEAST_SECONDS = 0.2
# Of the call that a thread makes: set once nobody waits for it any more.
_given_up: ContextVar[Event | None] = ContextVar("breakwater_given_up", default=None)


class NoAnswer(ConnectionUnavailable):
    """AWS was asked and did not answer in time: whether it did what it was asked is unknown."""


@cache
def client(service: str, *, answer_seconds: float | None = None, **arguments: Any) -> Any:
    """Make a botocore client, once.

    Parameters
    ----------
    service
        Its name, as botocore knows it.
    answer_seconds
        Of a client that sends each request once, and waits for the answer so long: botocore by itself repeats what had
        no answer, a write too, and knows no deadline. What is repeated, and until when, is `ask`'s to say.
    arguments
        More of `create_client`.
    """
    # botocore belongs to Lambda's Python runtimes. boto3 is not needed, and slower to import.
    try:
        from botocore.config import Config
        from botocore.session import Session
    except ImportError as error:
        raise ConfigurationError(
            f"{service} needs botocore, which Lambda's Python runtimes carry. Elsewhere: pip install botocore"
        ) from error
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options: dict[str, Any] = {"region_name": region, **arguments}
    if answer_seconds is not None:
        once = Config(retries={"mode": "standard", "total_max_attempts": 1})
        patience = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=answer_seconds)
        options["config"] = patience.merge(arguments.get("config") or Config()).merge(once)
    made = Session().create_client(service, **options)
    made.meta.events.register("before-send", _refuse_what_was_given_up)
    return made


def _refuse_what_was_given_up(request: AWSPreparedRequest, **_: object) -> None:
    """See to it that a frozen environment sends nothing, once thawed, that its last invocation has given up."""
    given_up = _given_up.get()
    if given_up is None:
        return
    _check(given_up)
    if isinstance(request.body, bytes):
        request.body = _Body(request.body, given_up)


class _Body(BytesIO):
    """What urllib3 reads once it has looked up the name and connected, which is where a freeze may last."""

    def __init__(self, body: bytes, given_up: Event) -> None:
        super().__init__(body)
        self._given_up = given_up

    def read(self, size: int | None = -1) -> bytes:
        _check(self._given_up)
        return super().read(size)


def _check(given_up: Event) -> None:
    if given_up.is_set():
        raise NoAnswer("given up before it was sent", 1)


def ask(
    target: str,
    deadline: Deadline,
    call: Callable[[], Result],
    is_repeatable: Callable[[Exception], bool],
    *,
    answer_seconds: float | None = ANSWER_SECONDS,
) -> Result:
    """Call AWS, and again after what may be repeated, until the deadline.

    Parameters
    ----------
    target
        Who is asked, for the error.
    deadline
        When to give up.
    call
        One request.
    is_repeatable
        Whether a request that failed in that way may be sent again.
    answer_seconds
        How long one request may take, None for as long as there is.

    Raises
    ------
    ConnectionUnavailable
        Nothing but errors that may be repeated until the deadline.
    NoAnswer
        No answer to a request that may not be repeated.
    """
    attempts = Attempts(target, deadline, _LEAST_SECONDS)
    while True:
        remaining = deadline.remaining()
        if remaining <= 0:
            raise attempts.over()
        try:
            return _within(remaining, answer_seconds, call)
        except Exception as error:
            if not is_repeatable(error):
                if isinstance(error, NoAnswer):
                    raise NoAnswer(f"{target}: {error}", attempts.count + 1) from None
                raise
            attempts.failed(error)


def _within(remaining: float, answer_seconds: float | None, call: Callable[[], Result]) -> Result:
    """Wait for a call in a thread, since nothing else ends a look-up of a name, or an answer byte by byte."""
    seconds = remaining if answer_seconds is None else min(remaining, answer_seconds)
    done, given_up = Event(), Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        _given_up.set(given_up)
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)
        done.set()

    started = monotonic()
    Thread(target=copy_context().run, args=(work,), name="breakwater-aws", daemon=True).start()
    if not done.wait(seconds):
        given_up.set()
        over = "; the invocation's time is over" if seconds >= remaining else ""
        raise NoAnswer(f"no answer within {monotonic() - started:.1f} s{over}", 1)
    if errors:
        raise errors[0]
    return results[0]


def status_of(error: ClientError) -> int:
    """Return the HTTP status of AWS's answer, 0 where it isn't known."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def was_not_sent(error: Exception) -> bool:
    """Tell whether no connection came about, so that nothing was asked."""
    from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError

    return isinstance(error, ConnectTimeoutError | EndpointConnectionError | ProxyConnectionError)


def is_transient(error: Exception) -> bool:
    """Tell whether the same request may succeed in a moment; of one that may be sent twice."""
    from botocore.exceptions import ClientError, HTTPClientError, SSLError

    if isinstance(error, NoAnswer):
        return True
    if isinstance(error, ClientError):
        status = status_of(error)
        code = error.response.get("Error", {}).get("Code", "")
        return status >= 500 or status == 429 or "Throttl" in code or "Throughput" in code or "TooMany" in code
    return not isinstance(error, SSLError) and (isinstance(error, HTTPClientError) or was_not_sent(error))
