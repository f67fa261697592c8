"""SQLAlchemy's dialects by PyMySQL, without the SET NAMES of each checkout: the session was told at its beginning."""

from __future__ import annotations

from typing import Any

from sqlalchemy import make_url
from sqlalchemy.dialects import registry

DRIVER = "breakwater"


class _Told:
    supports_statement_cache = True

    def on_connect(self) -> None:
        """Do nothing: it would be a round trip each time."""

    def reset_isolation_level(self, _connection: Any) -> None:
        """Do nothing: the runtime resets what a block has set."""


def _by_pymysql(engine: str) -> type[Any]:
    return type(f"Dialect_{engine}", (_Told, make_url(f"{engine}+pymysql://").get_dialect()), dict(vars(_Told)))


mysql, mariadb = _by_pymysql("mysql"), _by_pymysql("mariadb")
for _engine in ("mysql", "mariadb"):
    registry.register(f"{_engine}.{DRIVER}", __name__, _engine)
