"""Real servers for tests, the demo and the benchmarks: on loopback, on free ports, ended by their process id.

with MariaDbServer(max_connections=20) as server:
    breakwater.database(**server.settings)
"""

from __future__ import annotations

from tests.servers.certificates import Certificate, Certificates
from tests.servers.mariadb import MariaDbServer
from tests.servers.network import Network
from tests.servers.postgresql import PostgreSqlServer
from tests.servers.redis import RedisServer
from tests.servers.server import Server

__all__ = ["Certificate", "Certificates", "MariaDbServer", "Network", "PostgreSqlServer", "RedisServer", "Server"]
