"""An SQLAlchemy engine with the same life of a connection: one, alive, verified, clean."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from breakwater_runtime._core.driver import LONGEST_FUNCTION_SECONDS
from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from breakwater_runtime._core.driver import Driver

_URLS = {"mysql": "mysql+pymysql://", "mariadb": "mariadb+pymysql://", "postgresql": "postgresql+psycopg://"}


def create_engine(driver: Driver, connect: Callable[[], Any], options: dict[str, Any]) -> sqlalchemy.Engine:
    """Make an engine whose pool holds the one connection that the budget grants.

    Parameters
    ----------
    driver
        A driver without autocommit: SQLAlchemy begins and commits by itself.
    connect
        Opens a connection, with all retries.
    options
        More arguments for `sqlalchemy.create_engine`.
    """
    engine = sqlalchemy.create_engine(
        _URLS[driver.settings.engine],
        creator=connect,
        **{"pool_size": 1, "max_overflow": 0, "pool_reset_on_return": None, **options},
    )

    @event.listens_for(engine, "checkout")
    def check(connection: Any, _record: Any, _proxy: Any) -> None:
        pause = monotonic() - connection.last_used
        if not driver.is_alive(connection) or (pause > CHECK_AFTER_SECONDS and not driver.answers(connection)):
            raise DisconnectionError
        driver.begin_invocation(connection, driver.settings.function_timeout or LONGEST_FUNCTION_SECONDS)

    @event.listens_for(engine, "reset")
    def reset(connection: Any, _record: Any, _state: Any) -> None:
        driver.rollback(connection)

    return engine
