"""An SQLAlchemy engine whose connection is the environment's one: lent at each checkout, given back by its close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.pool import NullPool

from breakwater_runtime._core.lease import Lease
from breakwater_runtime._core.session import now
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from breakwater_runtime._core.keeper import Keeper
    from breakwater_runtime.errors import OutcomeUnknown


class _Returned(Exception):  # noqa: N818 -- never raised: what SQLAlchemy has not committed is rolled back
    pass


_LENT = "Its connection is the environment's one, lent at each checkout."
_REFUSED = {"connect_args": "SQLAlchemy would not hand them on: give them to database()."} | dict.fromkeys(
    ("creator", "module", "pool", "poolclass"), _LENT
)


def create_engine(keeper: Keeper, options: dict[str, Any]) -> sqlalchemy.Engine:
    """Make an engine without connections of its own.

    Parameters
    ----------
    keeper
        Who lends the connection.
    options
        More arguments for `sqlalchemy.create_engine`.

    Raises
    ------
    ConfigurationError
        One of them would lead past the environment's connection, or nowhere.
    """
    for name in _REFUSED:
        if name in options:
            raise ConfigurationError(f"{name} is no option of engine(). {_REFUSED[name]}")

    def checkout() -> Any:
        lease = Lease(keeper, None)
        lease.deadline = Deadline(None, keeper.settings.function_timeout)
        return now(keeper.begin(lease, lambda: now(keeper.end(lease, _Returned()))))

    def say_what_is_unknown(context: sqlalchemy.ExceptionContext) -> OutcomeUnknown | None:
        session = keeper.session
        return None if session is None else keeper.unknown(session, context.original_exception)

    if keeper.settings.engine == "postgresql":
        url = "postgresql+psycopg://"
    else:
        from breakwater_runtime._mysql.sqlalchemy_dialect import DRIVER

        url = f"{keeper.settings.engine}+{DRIVER}://"
    engine = sqlalchemy.create_engine(
        url,
        creator=checkout,
        poolclass=NullPool,
        **{"pool_reset_on_return": None, **options},
    )
    sqlalchemy.event.listen(engine, "handle_error", say_what_is_unknown)
    rollback_to = engine.dialect.do_rollback_to_savepoint

    def rollback_in_time(connection: sqlalchemy.Connection, name: str) -> None:
        # past the deadline the whole transaction is rolled back, and what it ends with stays what it is
        lease = keeper.slot.user
        if lease is None or lease.deadline.remaining() > 0:
            rollback_to(connection, name)

    engine.dialect.do_rollback_to_savepoint = rollback_in_time  # pyrefly: ignore
    return engine
