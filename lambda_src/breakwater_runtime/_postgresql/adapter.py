"""PostgreSQL by psycopg's Connection."""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import generators, waiting
from psycopg.conninfo import make_conninfo

from breakwater_runtime._core.liveness import TCP_USER_TIMEOUT_SECONDS
from breakwater_runtime._core.resolver import resolved
from breakwater_runtime._core.session import Adapter
from breakwater_runtime._core.trouble import Trouble
from breakwater_runtime._postgresql.errors import trouble_of
from breakwater_runtime._postgresql.handle import INTERVAL_SECONDS, Handle
from breakwater_runtime._postgresql.libpq_environment import independent, refuse_service
from breakwater_runtime._postgresql.options import PSYCOPGS_OWN, check
from breakwater_runtime._postgresql.session import PostgreSqlSession
from breakwater_runtime.environment import host_and_port
from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.tls import ca_path

if TYPE_CHECKING:
    from collections.abc import Generator

    from breakwater_runtime._postgresql.handle import Lent
    from breakwater_runtime.credentials import Login
    from breakwater_runtime.deadline import Deadline
    from breakwater_runtime.environment import Settings

    Result = TypeVar("Result")


class PostgreSqlAdapter(Adapter):
    """psycopg's Connection."""

    handle_class: type[Lent] = Handle

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        super().__init__(settings, autocommit=autocommit, options=options)
        check(options, settings)
        self.handle_options = {name: options[name] for name in PSYCOPGS_OWN if name in options}
        self.handle_options["autocommit"] = autocommit
        if settings.proxy:
            # prepared statements pin the proxy's session
            self.handle_options["prepare_threshold"] = None

    def arguments(self, login: Login) -> dict[str, Any]:
        """Return the parameters of libpq. None of them is one that an older server or a pooler would refuse."""
        refuse_service()
        settings = self.settings
        arguments: dict[str, Any] = {
            **independent(),
            "host": login.host,
            "port": login.port,
            "user": login.user,
            "password": login.password,
            # libpq's own default
            "dbname": login.database or login.user,
            "fallback_application_name": "breakwater",
            "gssencmode": "disable",
            "keepalives_idle": TCP_USER_TIMEOUT_SECONDS,
            "keepalives_interval": TCP_USER_TIMEOUT_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_SECONDS * 1000,
        }
        if settings.tls_ca is None:
            arguments["sslmode"] = "disable"
        else:
            arguments |= {"sslmode": "verify-full", "sslrootcert": ca_path(settings.tls_ca)}
        own = {name: value for name, value in self.options.items() if name not in PSYCOPGS_OWN}
        if "sslcert" in own:
            arguments.pop("sslcertmode", None)
            # libpq by itself would go on without it
            if not os.path.isfile(own["sslcert"]):  # noqa: PTH113 -- pathlib would add 4 ms to a cold start
                raise ConfigurationError(f"sslcert is {own['sslcert']!r}, but there is no such file.")
            # without any, OpenSSL would ask whoever sits at the terminal
            own["sslpassword"] = own.get("sslpassword") or "not given"
        return arguments | own

    async def open(self, login: Login, deadline: Deadline) -> PostgreSqlSession:
        """Open a session; addresses one by one, each with its part of the time."""
        arguments = self.arguments(login)
        # libpq's: none or less than a second is no limit
        if (seconds := float(arguments.pop("connect_timeout", 0))) > 0:
            deadline = deadline.within(seconds)
        where = host_and_port(login.host, login.port)
        try:
            found = await resolved(self.waker, login.host, login.port, deadline)
        except OSError as refusal:
            raise psycopg.OperationalError(
                f"connection failed: the name {login.host} could not be resolved: {refusal}"
            ) from None
        addresses = [str(one[4][0]) for one in found]
        began = monotonic()
        error: Exception | None = None
        for number, address in enumerate(addresses):
            seconds = max(0.0, deadline.remaining()) / (len(addresses) - number)
            conninfo = make_conninfo("", **(arguments | {"hostaddr": address}))
            try:
                pgconn = await self.wait_to_connect(generators.connect(conninfo), seconds)
            except psycopg.errors._WaitTimeout:
                error = psycopg.errors.ConnectionTimeout(
                    f"connection failed: {where} ({address}) did not answer within {seconds:.1f} s"
                )
            except psycopg.OperationalError as refusal:
                if trouble_of(refusal) in (Trouble.LASTING, Trouble.LOGIN):
                    raise
                error = refusal
            else:
                session = PostgreSqlSession(self, pgconn, where, monotonic() - began)
                try:
                    await session.settle(deadline)
                except BaseException:
                    session.shut()
                    raise
                return session
        raise error or psycopg.OperationalError(f"connection failed: {where} has no address")

    def trouble(self, error: BaseException) -> Trouble:
        return trouble_of(error)

    async def wait(self, generator: Generator[Any, Any, Result], socket: int, seconds: float) -> Result:
        """Run one of psycopg's generators for at most so long."""
        return waiting.wait(generator, socket, interval=INTERVAL_SECONDS, timeout=seconds)

    async def wait_to_connect(self, generator: Generator[Any, Any, Result], seconds: float) -> Result:
        """Run one of psycopg's generators that connect for at most so long."""
        return waiting.wait_conn(generator, interval=INTERVAL_SECONDS, timeout=seconds)
