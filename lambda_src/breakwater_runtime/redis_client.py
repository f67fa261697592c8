"""Redis and Valkey, by redis-py: one connection, retried on connecting, and no command sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from redis import Redis


def redis(name: str | None = None, *, parallelism: int = 1, **arguments: Any) -> Redis:
    """Make a client for Redis or Valkey; nothing is opened, and no setting looked up, until a command is sent.

    Parameters
    ----------
    name
        The name of a function's further downstream.
    parallelism
        How many connections an environment may hold: one, unless its handler uses threads.
    arguments
        engine ("redis" by default, or "valkey"), host, port, user, password, secret_arn, tls_ca, function_timeout,
        as for `database`; anything else goes to redis-py's connection. Options that would leave the server unverified
        are refused.

    Returns
    -------
    redis.Redis
        redis-py's own client. Every wait of a command ends 0.5 s before the `invocation` block around does, else after
        the function's timeout less that.

    Raises
    ------
    ConfigurationError
        redis-py isn't there; by a command: a setting is missing or wrong.
    """
    try:
        from breakwater_runtime._redis.client import Client
        from breakwater_runtime._redis.pool import Pool
    except ImportError as error:
        raise ConfigurationError("redis() needs redis-py: pip install redis") from error

    # owned, so that close() closes its connections
    return Client.from_pool(Pool(name, parallelism, arguments))
