"""MongoDB and Amazon DocumentDB, by PyMongo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime import deadline
from breakwater_runtime.credentials import Credentials
from breakwater_runtime.environment import Settings
from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.tls import ca_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo import MongoClient

_SETTINGS = ("host", "port", "user", "password", "secret_arn", "tls_ca", "function_timeout")
# PyMongo takes them in any case, and in a host that is a URI, too.
_UNVERIFIED = ("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames")


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
        `pymongo.MongoClient`. Options that would leave the server unverified are refused.

    Returns
    -------
    pymongo.MongoClient
        PyMongo's own client. An operation as a whole ends 0.5 s before the `invocation` block around does, else after
        the function's timeout less that (`timeoutMS`). With DocumentDB each wait ends after a quarter of the latter.

    Raises
    ------
    ConfigurationError
        PyMongo isn't there, or a setting is missing or wrong.
    """
    try:
        import pymongo
    except ImportError as error:
        raise ConfigurationError("mongo() needs PyMongo: pip install pymongo") from error
    given = {key: arguments.pop(key) for key in _SETTINGS if key in arguments}
    settings = Settings(name, {"engine": "mongodb"} | given)
    login = Credentials(settings).login()
    _refuse_unverified(settings, login.host, arguments)
    seconds = (settings.function_timeout or deadline.DEFAULT_SECONDS) - deadline.MARGIN_SECONDS
    options: dict[str, Any] = {
        "maxPoolSize": parallelism,
        "minPoolSize": 0,
        # one connection for watching a node instead of two, and no stream that a freeze would break
        "serverMonitoringMode": "poll",
        # also how long its watcher waits, which ends operations when it gives a server up
        "connectTimeoutMS": 5000,
        # below the 350 s after which networks forget idle flows
        "maxIdleTimeMS": 60_000,
        "connect": False,
    }
    if ".docdb." in login.host:
        # DocumentDB has no retryable writes, and refuses a client that asks for them. Nor does it say that it knows
        # maxTimeMS in every command, which PyMongo sends with timeoutMS. Source: Amazon DocumentDB Developer Guide,
        # "Functional differences: Amazon DocumentDB and MongoDB" and "Supported MongoDB APIs".
        waits = ("connectTimeoutMS", "serverSelectionTimeoutMS", "waitQueueTimeoutMS", "socketTimeoutMS")
        options |= {"retryWrites": False, "retryReads": False} | dict.fromkeys(waits, int(seconds * 250))
    else:
        options["timeoutMS"] = int(seconds * 1000)
        if pymongo.timeout not in deadline.BOUNDS:
            deadline.BOUNDS.append(pymongo.timeout)
    if login.user:
        options |= {"username": login.user, "password": login.password}
    if settings.tls_ca is not None:
        options |= {"tls": True, "tlsCAFile": ca_file(settings.tls_ca)}
    return pymongo.MongoClient(login.host, login.port, **{**options, **arguments})


def _refuse_unverified(settings: Settings, host: str, arguments: dict[str, Any]) -> None:
    named = {option.lower(): option for option in arguments}
    for option in _UNVERIFIED:
        if option in host.lower():
            raise settings.error("host", host.rpartition("@")[2], f"{option} would leave the server unverified.")
        if option in named and arguments[named[option]]:
            value = arguments[named[option]]
            raise settings.error(
                named[option], value, 'It would leave the server unverified: tls_ca="/path/of/ca.pem".'
            )
    for option in ("tls", "ssl"):
        if settings.tls_ca is not None and arguments.get(option, True) is not True:
            raise settings.error(option, arguments[option], "Plain text is for loopback alone.")
    if "tlscafile" in named:
        raise settings.error(named["tlscafile"], arguments[named["tlscafile"]], "The CA is chosen by tls_ca.")
