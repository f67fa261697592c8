"""The databases and proxies of which functions hold connections, and how many, read out of templates."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..checks.answers import ABSENT, Unknown, known_text, references_in
from ..checks.connections import connections
from ..checks.environment import environment
from ..checks.referring_resources import referring_to
from ..checks.resource import as_number
from ..checks.server_limit import server_limit
from ..limits.engines import DatabaseEngine
from ..limits.max_connections import UnknownMaxConnections
from ..limits.rds_proxy import DEFAULT_BORROW_SECONDS, MAXIMUM_BORROW_SECONDS, default_percent
from ..limits.service_limits import for_engine
from ..simulation.application import Server as SimulatedServer

if TYPE_CHECKING:
    from ..checks.answers import Answer
    from ..checks.connection import Connection
    from ..checks.resource import Resource
    from ..checks.servers import Server
    from .simulated_limits import Limits


_HOST = re.compile(r"(BREAKWATER_(?:\w+_)?)HOST")


def held_connections(function: Resource, found: Limits) -> dict[str, int]:
    """Give how many connections an environment of a function holds of which server, and note those down."""
    held = _told(function, found)
    for connection in connections(function):
        if connection.server is None and held:
            continue  # what its variables tell of it is told better
        engine = connection.server.engine if connection.server is not None else None
        held[_server(connection, found)] = engine.connections_per_environment if engine is not None else 1
    return held


def _told(function: Resource, found: Limits) -> dict[str, int]:
    """Give the servers in no template that this library's own variables tell of, with the connections held of each."""
    told = dict(environment(function))
    held: dict[str, int] = {}
    for variable, answer in told.items():
        own = _HOST.fullmatch(variable)
        if own is None or references_in(answer) or _word(told, own[1], "PROXY") == "1":
            continue
        runtime_engine = _word(told, own[1], "ENGINE")
        engine = next((each for each in DatabaseEngine if each.runtime_engine == runtime_engine), None)
        name, port = known_text(answer) or f"{variable} of {found.name_of(function)}", _word(told, own[1], "PORT")
        if engine is not None and port not in ("", str(engine.default_port)):
            name = f"{name}:{port}"  # several servers may stand on one host
        held[name] = engine.connections_per_environment if engine is not None else 1
        if engine is not None:
            found.engines[name] = engine
        most = as_number(told.get(f"{own[1]}MAX_CONNECTIONS", ABSENT), -1)
        if name in found.servers:
            continue
        if isinstance(most, Unknown) or most < 0:
            _add_unknown(name, found)
        else:
            kept = engine.reserved_connections if engine is not None else 0
            found.servers[name] = SimulatedServer(name, int(most), max(0, int(most) - kept))
            found.because[name] = f"{own[1]}MAX_CONNECTIONS"
    return held


def _word(told: dict[str, Answer], prefix: str, name: str) -> str:
    return known_text(told.get(f"{prefix}{name}", ABSENT))


def _add_unknown(name: str, found: Limits) -> None:
    found.servers[name] = SimulatedServer(name, None, math.inf)
    found.because[name] = "unknown"


def _server(connection: Connection, found: Limits) -> str:
    """Give the name of what a function holds connections of, and note it down."""
    if connection.proxied is not None:
        return _proxy(connection.proxied, connection.server, connection.to, found)
    server = connection.server
    name, times = found.name_of(server.resource) if server is not None else connection.outside, 1
    if connection.reads and server is not None and server.most_readers != 0:
        name, times = f"readers of {name}", server.most_readers or 1
        if server.most_readers is None and name not in found.servers:
            _add_unknown(name, found)
    for proxy in server.proxies if server is not None else ():
        pool = found.name_of(proxy)
        found.note(f"{name}: the connections that {pool} holds of it are not counted with those of functions")
    if name in found.servers:
        return name
    if server is not None and server.engine is not None and times == 1:
        found.engines[name] = server.engine
    limit = server_limit(server) if server is not None else None
    if limit is not None:
        found.servers[name] = SimulatedServer(name, limit.limit.value * times, limit.usable * times)
        found.because[name] = limit.limit.basis
        return name
    try:
        if server is None or server.engine is None:
            raise UnknownMaxConnections("It is in no template.")
        wide = for_engine(server.engine)
    except UnknownMaxConnections:
        _add_unknown(name, found)
    else:
        found.servers[name] = SimulatedServer(name, wide.value, wide.value)
        found.because[name] = wide.basis
    return name


def _proxy(proxy: Resource, server: Server | None, to: str, found: Limits) -> str:
    """Give the name of a proxy, which lends connections of its pool by the invocation, and note it down."""
    name = found.name_of(proxy)
    if name in found.servers:
        return name
    groups = referring_to(proxy, "AWS::RDS::DBProxyTargetGroup", "DBProxyName", of=proxy.type)
    percent: float = default_percent(server.engine if server is not None else None)
    borrow: float = DEFAULT_BORROW_SECONDS
    for group in groups[:1]:
        pool = "ConnectionPoolConfigurationInfo"
        percent = found.number(group, percent, (1, 100), pool, "MaxConnectionsPercent")
        borrow = found.number(group, borrow, (0, MAXIMUM_BORROW_SECONDS), pool, "ConnectionBorrowTimeout")
    limit = server_limit(server) if server is not None else None
    if limit is None:
        _add_unknown(name, found)
        found.servers[name] = replace(found.servers[name], borrow_timeout=borrow)
        return name
    size = max(1, int(limit.limit.value * percent // 100))
    found.servers[name] = SimulatedServer(name, size, size, borrow)
    found.because[name] = f"{percent:g} % of the {limit.limit.value:,} of {to}, {limit.limit.basis}"
    return name
