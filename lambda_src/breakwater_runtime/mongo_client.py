"""MongoDB and Amazon DocumentDB, by PyMongo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from breakwater_runtime import deadline, snapstart
from breakwater_runtime._core.options import LOGIN, PARALLELISM, VERIFIED, connections
from breakwater_runtime.credentials import Credentials
from breakwater_runtime.environment import Settings
from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.tls import ca_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo import MongoClient

_SETTINGS = ("host", "port", "user", "password", "secret_arn", "tls_ca", "function_timeout")
# PyMongo takes them in a host that is a URI, too.
_UNVERIFIED = ("tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames")
_REFUSED = {
    "connect": "Nothing is opened before the first operation, so that no SnapStart snapshot holds a connection.",
    "maxPoolSize": PARALLELISM,
    "tlsCAFile": VERIFIED,
    "username": LOGIN,
}
# with a limit for the whole operation, PyMongo ignores those for its parts
_LOST = "PyMongo ignores it beside timeoutMS, the limit of a whole operation: give that."
_WITHOUT_EFFECT = dict.fromkeys(("socketTimeoutMS", "waitQueueTimeoutMS", "wtimeoutMS"), _LOST)
_WAITS = ("connecttimeoutms", "serverselectiontimeoutms", "waitqueuetimeoutms", "sockettimeoutms")


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
    said = {key: arguments.pop(key) for key in _SETTINGS if key in arguments}
    settings = Settings(name, {"engine": "mongodb"} | said)
    login = Credentials(settings).login()
    # PyMongo takes them in any case
    own = {option.lower(): value for option, value in arguments.items()}
    # what the host says of them, if it is a URI, counts as if it were said here
    query = login.host.partition("?")[2].replace(";", "&")
    given = {option.lower(): value for option, value in parse_qsl(query)} | own
    is_documentdb = ".docdb." in login.host
    _refuse(settings, login.host, given, _REFUSED if is_documentdb else _REFUSED | _WITHOUT_EFFECT)
    seconds = (settings.function_timeout or deadline.DEFAULT_SECONDS) - deadline.MARGIN_SECONDS
    options: dict[str, Any] = {
        "maxpoolsize": connections(parallelism),
        "minpoolsize": 0,
        # one connection for watching a node instead of two, and no stream that a freeze would break
        "servermonitoringmode": "poll",
        # also how long its watcher waits, which ends operations when it gives a server up
        "connecttimeoutms": 5000,
        # below the 350 s after which networks forget idle flows
        "maxidletimems": 60_000,
        "connect": False,
    }
    if is_documentdb:
        # DocumentDB has no retryable writes, and refuses a client that asks for them. Nor does it say that it knows
        # maxTimeMS in every command, which PyMongo sends with timeoutMS. Source: Amazon DocumentDB Developer Guide,
        # "Functional differences: Amazon DocumentDB and MongoDB" and "Supported MongoDB APIs".
        bounds = dict.fromkeys(_WAITS, int(seconds * 250))
        options |= {"retrywrites": False, "retryreads": False}
    else:
        bounds = {"timeoutms": int(seconds * 1000)}
        if pymongo.timeout not in deadline.BOUNDS:
            deadline.BOUNDS.append(pymongo.timeout)
    # a shorter one of the user's holds; 0 and None would be none at all
    own |= {option: min(float(given.get(option) or longest), longest) for option, longest in bounds.items()}
    if login.user:
        options |= {"username": login.user, "password": login.password}
    if settings.tls_ca is not None:
        options |= {"tls": True, "tlscafile": ca_file(settings.tls_ca)}
    # a URI, a list, a name or an address; PyMongo wants an IPv6 address in brackets
    where = login.host if set("/,[") & set(login.host) or login.host.count(":") < 2 else f"[{login.host}]"
    client: MongoClient[Mapping[str, Any]] = pymongo.MongoClient(where, login.port, **{**options, **own})
    snapstart.register(lambda: _before_snapshot(client), _forget_process)
    return client


def _before_snapshot(client: MongoClient[Mapping[str, Any]]) -> None:
    if client.nodes:
        raise ConfigurationError(
            "mongo() was used before the SnapStart snapshot. Restored environments would share its session, in "
            "which MongoDB takes one environment's write for another's repetition. Use it in the handler."
        )
    _forget_process()


def _forget_process() -> None:
    """Let PyMongo draw anew what is a process's own in an ObjectId, as after a fork: else an `_id` would come twice."""
    from bson import ObjectId

    ObjectId._pid = 0


def _refuse(settings: Settings, host: str, given: dict[str, Any], refused: Mapping[str, str]) -> None:
    for option in _UNVERIFIED:
        if option.lower() in host.lower():
            raise settings.error("host", host.rpartition("@")[2], f"{option} would leave the server unverified.")
        if given.get(option.lower()):
            raise settings.error(option, True, 'It would leave the server unverified: tls_ca="/path/of/ca.pem".')
    for option in ("tls", "ssl"):
        if settings.tls_ca is not None and given.get(option, True) not in (True, "true"):
            raise settings.error(option, given[option], "Plain text is for loopback alone.")
    for option, reason in refused.items():
        if option.lower() in given:
            raise ConfigurationError(f"{option} is no option here. {reason}")
