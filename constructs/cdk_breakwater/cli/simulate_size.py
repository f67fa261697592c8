"""`breakwater simulate --size`: the smallest database on which a burst holds, and what that costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..limits.max_connections import UnknownMaxConnections, for_instance_class, for_serverless_v2
from ..limits.prices import ACU_HOURLY, HOURS_PER_MONTH, classes
from ..simulation.run import simulate

if TYPE_CHECKING:
    from ..limits.engines import DatabaseEngine
    from .simulated_burst import Burst, Run

_ACUS = (1, 4, 8, 16, 32, 64, 128, 192)


@dataclass(frozen=True)
class Size:
    """What a database must have.

    Attributes
    ----------
    server
        Its name.
    functions
        Connections that functions hold at the most, where none is refused.
    max_connections
        Those, and what is kept for others.
    class_, class_connections, dollars
        The cheapest class whose default is as much, its ``max_connections``, and its price a month; None where the
        classes of this engine have no such default here.
    acus, dollars_per_acu
        The smallest maximum capacity of Aurora Serverless v2, and the price a month of each ACU in use.
    """

    server: str
    functions: int
    max_connections: int
    class_: str | None = None
    class_connections: int | None = None
    dollars: float | None = None
    acus: int | None = None
    dollars_per_acu: float | None = None


def sizes(run: Run, burst: Burst) -> list[Size]:
    """Run the same burst against databases that refuse nobody, and see what they need."""
    servers = {name: replace(server, usable=math.inf) for name, server in run.application.servers.items()}
    application = replace(run.application, servers=servers)
    history = simulate(application, model=burst.model, seed=burst.seed, patience=burst.patience)
    found = []
    for name, server in run.application.servers.items():
        if server.is_proxy:
            continue  # it makes do with any number; how long its clients wait is what matters
        functions = math.ceil(history.servers[name].connections.peak - 1e-6)
        engine = run.limits.engines.get(name)
        if server.max_connections is not None:
            kept = int(server.max_connections - server.usable)
        else:
            kept = engine.reserved_connections if engine is not None else 0
        found.append(_size(Size(name, functions, functions + kept), engine))
    return found


def _size(size: Size, engine: DatabaseEngine | None) -> Size:
    if engine is None:
        return size
    for name, dollars in classes(engine).items():
        default = for_instance_class(engine, name).value
        if default >= size.max_connections:
            size = replace(size, class_=name, class_connections=default, dollars=dollars)
            break
    for acus in _ACUS:
        try:
            enough = for_serverless_v2(engine, acus, min_acu=1).value >= size.max_connections
        except UnknownMaxConnections:
            break
        if enough:
            return replace(size, acus=acus, dollars_per_acu=ACU_HOURLY * HOURS_PER_MONTH)
    return size


def size_text(size: Size) -> str:
    """Say it in a sentence or two."""
    kept = size.max_connections - size.functions
    text = f"{size.server}: the smallest max_connections for this load is {size.max_connections:,}"
    text += f", {size.functions:,} for functions and {kept:,} kept for others." if kept else "."
    if size.class_ is not None:
        text += (
            f" By default {size.class_} has {size.class_connections:,}, for ${size.dollars:,.0f} a month (us-east-1, "
            "on demand, one Availability Zone, without storage)."
        )
    if size.acus is not None:
        text += f" Serverless v2: a maximum of {size.acus} ACU, each in use ${size.dollars_per_acu:,.0f} a month."
    return text
