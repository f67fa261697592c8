"""Real servers for tests, the demo and the benchmarks: on loopback, on free ports, ended by their process id.

with MariaDbServer(max_connections=20) as server:
    breakwater.database(**server.settings)
"""

from __future__ import annotations

from servers.certificates import Certificate, Certificates
from servers.mariadb import MariaDbServer
from servers.network import Network
from servers.pgbouncer import PgBouncer
from servers.postgresql import PostgreSqlServer
from servers.redis import RedisServer
from servers.server import Server

__all__ = [
    "Certificate",
    "Certificates",
    "MariaDbServer",
    "Network",
    "PgBouncer",
    "PostgreSqlServer",
    "RedisServer",
    "Server",
]
