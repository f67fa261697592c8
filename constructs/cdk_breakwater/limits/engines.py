"""The engines of downstreams, and what differs among them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class _Facts:
    port: int
    reserved_connections: int
    """Slots that functions never get."""
    runtime_engine: str
    """The protocol that `breakwater_runtime` speaks to it."""
    driver: str | None
    """The Python driver that goes into the runtime layer, as a pip requirement."""
    connections_per_environment: int = 1
    """Connections that the driver holds in each execution environment."""


# PostgreSQL, 12: superuser_reserved_connections 3 + rds.rds_superuser_reserved_connections or, since 16,
# reserved_connections 2 + rds_reserved 4, and about 3 sessions of rdsadmin. Source: parameters of RDS for PostgreSQL
# (User Guide, "Working with parameters"), PostgreSQL docs "Connection Settings".
# MySQL and MariaDB, 5: an administrator's one connection lies beyond max_connections; the agents of RDS hold a few
# sessions whose number AWS does not publish.
# MongoDB, 10: Atlas keeps them per node. Source: Atlas Service Limits, "Connection Limits". PyMongo holds two: one for
# operations, one with which it watches the node. Source: PyMongo documentation, "Connection Pooling".
_PYMYSQL = "pymysql==1.2.4"
_PSYCOPG = "psycopg[binary]==3.3.9"
_MYSQL = _Facts(3306, 5, "mysql", _PYMYSQL)
_POSTGRESQL = _Facts(5432, 12, "postgresql", _PSYCOPG)
_FACTS = {
    "mysql": _MYSQL,
    "mariadb": _Facts(3306, 5, "mariadb", _PYMYSQL),
    "postgres": _POSTGRESQL,
    "aurora-mysql": _MYSQL,
    "aurora-postgresql": _POSTGRESQL,
    "aurora-dsql": _Facts(5432, 0, "postgresql", _PSYCOPG),
    "oracle": _Facts(1521, 0, "oracle", None),
    "sqlserver": _Facts(1433, 0, "sqlserver", None),
    "mongodb": _Facts(27017, 10, "mongodb", "pymongo==4.18.3", 2),
    "docdb": _Facts(27017, 0, "mongodb", "pymongo==4.18.3", 2),
    "redis": _Facts(6379, 0, "redis", "redis==8.1.0"),
    "valkey": _Facts(6379, 0, "valkey", "redis==8.1.0"),
}


class DatabaseEngine(Enum):
    """The database engine of a downstream."""

    MYSQL = "mysql"
    """MySQL, of RDS or elsewhere."""
    MARIADB = "mariadb"
    """MariaDB, of RDS or elsewhere."""
    POSTGRESQL = "postgres"
    """PostgreSQL, of RDS or elsewhere."""
    AURORA_MYSQL = "aurora-mysql"
    """Aurora MySQL."""
    AURORA_POSTGRESQL = "aurora-postgresql"
    """Aurora PostgreSQL."""
    AURORA_DSQL = "aurora-dsql"
    """Aurora DSQL."""
    ORACLE = "oracle"
    """Oracle Database. The runtime has no driver for it."""
    SQL_SERVER = "sqlserver"
    """SQL Server. The runtime has no driver for it."""
    MONGODB = "mongodb"
    """MongoDB, such as MongoDB Atlas."""
    DOCUMENTDB = "docdb"
    """Amazon DocumentDB."""
    REDIS = "redis"
    """Redis, of ElastiCache or elsewhere."""
    VALKEY = "valkey"
    """Valkey, of ElastiCache or elsewhere."""

    @property
    def default_port(self) -> int:
        """The port on which the engine listens by default."""
        return _FACTS[self.value].port

    @property
    def reserved_connections(self) -> int:
        """Connections that the server reserves for administrators and for AWS's own agents."""
        return _FACTS[self.value].reserved_connections

    @property
    def runtime_engine(self) -> str:
        """The protocol that `breakwater_runtime` uses for the engine. It is the value of `BREAKWATER_ENGINE`."""
        return _FACTS[self.value].runtime_engine

    @property
    def driver(self) -> str | None:
        """The Python driver for the engine, as a pip requirement, or None if the runtime has none."""
        return _FACTS[self.value].driver

    @property
    def connections_per_environment(self) -> int:
        """Connections that the driver holds in each execution environment."""
        return _FACTS[self.value].connections_per_environment

    @property
    def is_cache(self) -> bool:
        """Whether it speaks Redis's protocol."""
        return self in (DatabaseEngine.REDIS, DatabaseEngine.VALKEY)

    @property
    def is_mysql(self) -> bool:
        """Whether it speaks MySQL's protocol."""
        return self.runtime_engine in ("mysql", "mariadb")

    @property
    def is_postgresql(self) -> bool:
        """Whether it speaks PostgreSQL's protocol."""
        return self.runtime_engine == "postgresql"
