"""The settings of a downstream: from arguments, else from the variables that the constructs set, else derived."""

from __future__ import annotations

import os
from typing import Any

from breakwater_runtime._version import VERSION
from breakwater_runtime.errors import ConfigurationError

DEFAULT_PORTS = {
    "mysql": 3306,
    "mariadb": 3306,
    "postgresql": 5432,
    "redis": 6379,
    "valkey": 6379,
    "mongodb": 27017,
}
SQL_ENGINES = ("mysql", "mariadb", "postgresql")
LONGEST_FUNCTION_SECONDS = 900
"""Of a function that says nothing else. Source: AWS Lambda Developer Guide, "Lambda quotas"."""
_LONGEST_MANAGED_SECONDS = 5_400
"""On Lambda Managed Instances. Source: AWS Lambda Developer Guide, "Configure Lambda function timeout"."""
_NOT_OF_A_HOST = frozenset(" \t\r\n,/@[]")
PLAIN_TEXT = "PLAIN_TEXT"
"""The variable in which `breakwater_runtime.testing` says why a test database needs no TLS."""


def variable(setting: str, name: str | None = None) -> str:
    """Name the environment variable of one setting; `name` is that of a function's further database."""
    return f"BREAKWATER_{name.upper()}_{setting}" if name else f"BREAKWATER_{setting}"


def host_and_port(host: str, port: object) -> str:
    """Name a host and its port; the brackets tell where an IPv6 address ends."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def configured(name: str | None = None) -> bool:
    """Tell whether the environment says anything about a downstream."""
    return any(variable(setting, name) in os.environ for setting in ("ENGINE", "HOST", "SECRET_ARN"))


def check_version() -> None:
    """Warn, once, where the constructs that deployed the function are of another version than this runtime.

    In a layer they are one; an image or a zip brings its own.
    """
    deployed = os.environ.get(variable("VERSION"))
    if deployed in (None, VERSION) or deployed in _warned:
        return
    import logging

    _warned.add(deployed)
    logging.getLogger(__name__).warning(
        "The function was deployed by cdk-breakwater %s, and its breakwater_runtime is %s. Give both one version: "
        "pip install cdk-breakwater-runtime==%s",
        deployed,
        VERSION,
        deployed,
    )


_warned: set[str | None] = set()


class Settings:
    """What the runtime knows about one downstream.

    Attributes
    ----------
    engine, host, port, database
        Where it is. Host, port and database may be None: then the secret names them.
    user, password, secret_arn, auth
        How to log in: with a password, with a secret, or with auth="iam".
    max_connections
        The server's limit; None: the server is asked.
    utilization
        The part of the limit that may be in use before connections are given back; 0.8 by default.
    tls_ca
        "bundled", "system", the path of a CA file, or None: plain text, on loopback alone.
    proxy
        Behind RDS Proxy: nothing is SET, since that would pin the session.
    function_timeout
        The function's timeout in seconds, None if unknown.
    """

    engine: str
    host: str | None
    port: int | None
    database: str | None
    user: str | None
    password: str | None
    secret_arn: str | None
    auth: str | None
    max_connections: int | None
    utilization: float
    tls_ca: str | None
    proxy: bool
    function_timeout: float | None

    def __init__(self, name: str | None, arguments: dict[str, Any]) -> None:
        check_version()
        self.name = name
        self._arguments = arguments
        self.engine = self._required("engine", DEFAULT_PORTS)
        self.host = self._text("host")
        self.port = self._number("port", int, 1, 65535)
        self.database = self._text("database")
        self.user = self._text("user")
        self.password = arguments.get("password") or self._of_a_test("PASSWORD", "name a secret.")
        self.secret_arn = self._text("secret_arn")
        self.auth = self._text("auth")
        self.max_connections = self._number("max_connections", int, 1, None)
        utilization = self._number("utilization", float, 0, 1)
        self.utilization = 0.8 if utilization is None else utilization
        self.proxy = str(self._text("proxy") or "0").lower() in ("1", "true")
        self.function_timeout = self._number("function_timeout", float, 0, _LONGEST_MANAGED_SECONDS)
        plain = self._on_loopback() or self._of_a_test(PLAIN_TEXT, "name a CA.")
        self.tls_ca = self._text("tls_ca") or (None if plain else "system")
        if self.tls_ca == "by-host":
            self.tls_ca = self._authorities_by_host()
        self._check()

    def _check(self) -> None:
        if self.auth not in (None, "iam"):
            raise self.error("auth", self.auth, 'It is "iam", or left out for a secret or a password.')
        if self.auth == "iam" and not (self.user and self.host):
            raise self.error("user", self.user, "IAM database authentication needs a user and a host.")
        if self.auth == "iam" and self.tls_ca is None:
            raise self.error("tls_ca", self.tls_ca, "IAM database authentication needs TLS: name a CA.")
        # PyMongo takes a URI
        if self.host and self.engine != "mongodb" and (_NOT_OF_A_HOST & set(self.host) or self.host.count(":") == 1):
            raise self.error("host", self.host, "Give one name or address, without port, scheme or brackets.")
        if not self.secret_arn and not self.host:
            raise self.error("host", self.host, "Give a host, or the ARN of a secret that names one.")

    def _authorities_by_host(self) -> str:
        if self.host is None:
            raise self.error("tls_ca", "by-host", 'Give a host, or name the authorities: "bundled" or "system".')
        from breakwater_runtime._rds_host import region_of_rds_host

        return "system" if region_of_rds_host(self.host) is None else "bundled"

    def _on_loopback(self) -> bool:
        # Without a host the secret names it: not loopback, so verified.
        # "localhost.example.net" and "127.example.net" are anybody's.
        host = (self.host or "").lower()
        if host in ("localhost", "::1"):
            return True
        parts = host.split(".")
        return len(parts) == 4 and parts[0] == "127" and all(part.isdecimal() and len(part) <= 3 for part in parts)

    def _of_a_test(self, setting: str, remedy: str) -> str | None:
        """Return what only `breakwater_runtime.testing` sets, and Lambda never has."""
        name = variable(setting, self.name)
        value = os.environ.get(name)
        if value is not None and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            raise ConfigurationError(f"{name} is set. It is for the databases of tests, and this is Lambda: {remedy}")
        return value

    def _text(self, setting: str) -> str | None:
        value = self._arguments.get(setting)
        if value is None:
            value = os.environ.get(variable(setting.upper(), self.name))
        return str(value) if value not in (None, "") else None

    def _required(self, setting: str, allowed: dict[str, int]) -> str:
        value = self._text(setting)
        if value not in allowed:
            raise self.error(setting, value, f"It is one of {', '.join(allowed)}.")
        return value

    def _number(self, setting: str, kind: type[Any], lowest: float, highest: float | None) -> Any:
        text = self._text(setting)
        if text is None:
            return None
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or number < lowest or (highest is not None and number > highest):
            wanted = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
            raise self.error(setting, text, f"It is a number {wanted}.")
        return number

    def error(self, setting: str, value: object, remedy: str) -> ConfigurationError:
        """Make the error for one setting."""
        return ConfigurationError(
            f"{setting} (argument, or {variable(setting.upper(), self.name)}) is {value!r}. {remedy}"
        )
