"""The options of a driver's own connect: the runtime joins them with its own, or refuses them with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

VERIFIED = "Chain and host name are always verified: tls_ca names the authority."
LOGIN = "Where to connect and as whom, settings and secret say."
PARALLELISM = "parallelism= is the number of connections."


def connections(parallelism: int) -> int:
    """Return how many connections a client may hold; 0 and None, for which pools know no limit, are refused."""
    if not isinstance(parallelism, int) or parallelism < 1:
        raise ConfigurationError(f"parallelism is {parallelism!r}. It is the number of connections, at least 1.")
    return parallelism


def refuse(driver: str, options: Iterable[str], refused: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse the options that the runtime can't keep its promises with, and those that the driver hasn't.

    Parameters
    ----------
    driver
        Its name, for messages.
    options
        Those that were given.
    refused
        The reasons, by name.
    known
        The driver's own.

    Raises
    ------
    ConfigurationError
        With the reason.
    """
    for name in options:
        reason = refused.get(name)
        if reason is None and name not in known:
            reason = f"{driver} has no such option."
        if reason:
            raise ConfigurationError(f"{name} is no option here. {reason}")


def parameters(*functions: Callable[..., Any]) -> set[str]:
    """Return the names of functions' parameters; `inspect` would be a cold start's time."""
    # a decorator's own are none
    codes = [getattr(function, "__wrapped__", function).__code__ for function in functions]
    names = {name for code in codes for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]}
    return names - {"self"}
