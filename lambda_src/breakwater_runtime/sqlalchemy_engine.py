"""An SQLAlchemy engine whose connection is the environment's one: lent at each checkout, given back by its close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.pool import NullPool

from breakwater_runtime._core.lease import Lease
from breakwater_runtime._core.session import now
from breakwater_runtime.deadline import Deadline

if TYPE_CHECKING:
    from breakwater_runtime._core.keeper import Keeper

_URLS = {"mysql": "mysql+pymysql://", "mariadb": "mariadb+pymysql://", "postgresql": "postgresql+psycopg://"}


class _Returned(Exception):  # noqa: N818 -- never raised: what SQLAlchemy has not committed is rolled back
    pass


def create_engine(keeper: Keeper, options: dict[str, Any]) -> sqlalchemy.Engine:
    """Make an engine without connections of its own.

    Parameters
    ----------
    keeper
        Who lends the connection.
    options
        More arguments for `sqlalchemy.create_engine`.
    """

    def checkout() -> Any:
        lease = Lease(keeper, None)
        lease.deadline = Deadline(None, keeper.settings.function_timeout)
        return now(keeper.begin(lease, lambda: now(keeper.end(lease, _Returned()))))

    return sqlalchemy.create_engine(
        _URLS[keeper.settings.engine],
        creator=checkout,
        **{"poolclass": NullPool, "pool_reset_on_return": None, **options},
    )
