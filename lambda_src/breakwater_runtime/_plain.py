"""Functions that do their work when they are called; coroutines and generators would do nothing, and say nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    Result = TypeVar("Result")

# CO_GENERATOR, CO_COROUTINE and CO_ASYNC_GENERATOR of `inspect`, whose import costs a cold start 5 ms
ASYNC_FUNCTION = "an async function"
_KINDS = ((0x20, "a generator"), (0x80, ASYNC_FUNCTION), (0x200, "an async generator"))


def plain(function: object, by: str, remedy: str) -> None:
    """Refuse what would only make a coroutine or a generator when it is called.

    Parameters
    ----------
    function
        A function, a bound method, a partial, or an object that can be called.
    by
        Who would call it, such as `run()`.
    remedy
        What would be right.

    Raises
    ------
    ConfigurationError
        It is one of these, or cannot be called at all.
    """
    name = getattr(function, "__qualname__", None) or repr(function)
    if not callable(function):
        raise ConfigurationError(f"{by} was given {name}, which cannot be called. {remedy}")
    kind = kind_of(function)
    if kind:
        raise ConfigurationError(f"{by} was given {name}, which is {kind}: its call does nothing. {remedy}")


def kind_of(function: Any) -> str | None:
    """Name what a function is whose call does nothing; None for one whose call does its work."""
    while isinstance(function, partial):
        function = function.func
    called = function if hasattr(function, "__code__") else getattr(type(function), "__call__", None)  # noqa: B004
    code = getattr(called, "__code__", None)
    flags = code.co_flags if code is not None else 0
    return next((kind for flag, kind in _KINDS if flags & flag), None)


def plain_result(result: Result, by: str, remedy: str) -> Result:
    """Return what a function returned, unless that is work that has not begun.

    Raises
    ------
    ConfigurationError
        It is a coroutine or something else to be awaited, or a generator.
    """
    if isinstance(result, (Awaitable, Generator, AsyncGenerator)):
        problem = f"{by} was given a function that returned {result!r}, of which nothing ran."
        if isinstance(result, Coroutine):
            result.close()  # or Python warns that nobody awaited it
        raise ConfigurationError(f"{problem} {remedy}")
    return result
