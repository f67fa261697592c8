"""MongoDB and Amazon DocumentDB, by PyMongo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import MongoClient

from breakwater_runtime.credentials import Credentials
from breakwater_runtime.deadline import DEFAULT_SECONDS, MARGIN_SECONDS
from breakwater_runtime.environment import Settings
from breakwater_runtime.tls import ca_file

if TYPE_CHECKING:
    from collections.abc import Mapping


def mongo(name: str | None = None, *, parallelism: int = 1, **arguments: Any) -> MongoClient[Mapping[str, Any]]:
    """Make a client for MongoDB or Amazon DocumentDB; nothing is opened until an operation.

    PyMongo holds one connection more for each node, with which it watches it: count them in the budget's utilization.

    Parameters
    ----------
    name
        The name of a function's further downstream.
    parallelism
        How many connections for operations an environment may hold; PyMongo's own default is 100.
    arguments
        host, port, user, password, secret_arn, tls_ca, function_timeout, as for `database`; anything else goes to
        `pymongo.MongoClient`.

    Returns
    -------
    pymongo.MongoClient
        PyMongo's own client.
    """
    known = ("host", "port", "user", "password", "secret_arn", "tls_ca", "function_timeout")
    settings = Settings(name, {"engine": "mongodb"} | {key: arguments.pop(key) for key in known if key in arguments})
    login = Credentials(settings).login()
    seconds = (settings.function_timeout or DEFAULT_SECONDS) - MARGIN_SECONDS
    options: dict[str, Any] = {
        "maxPoolSize": parallelism,
        "minPoolSize": 0,
        # one connection for watching a node instead of two, and no stream that a freeze would break
        "serverMonitoringMode": "poll",
        "serverSelectionTimeoutMS": int(seconds * 1000),
        "waitQueueTimeoutMS": int(seconds * 1000),
        "connectTimeoutMS": 5000,
        "socketTimeoutMS": int(seconds * 1000),
        # below the 350 s after which networks forget idle flows
        "maxIdleTimeMS": 60_000,
        "connect": False,
    }
    if ".docdb." in login.host:
        # DocumentDB has no retryable writes, and refuses a client that asks for them.
        # Source: Amazon DocumentDB Developer Guide, "Functional differences: Amazon DocumentDB and MongoDB".
        options["retryWrites"] = False
    if login.user:
        options |= {"username": login.user, "password": login.password}
    if settings.tls_ca is not None:
        options |= {"tls": True, "tlsCAFile": ca_file(settings.tls_ca)}
    return MongoClient(login.host, login.port, **{**options, **arguments})
