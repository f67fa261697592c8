"""The picture of a burst on four designs, in docs/why.md: `python -m website.designs > docs/designs.svg`.

Each is computed by the models of `breakwater simulate`: 2,000 requests within five seconds, one function, one database.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from cdk_breakwater.limits.account_quota import ACCOUNT_CONCURRENCY
from cdk_breakwater.limits.erlang import safe_load
from cdk_breakwater.simulation.application import Application, Function, Server
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.entries import Api, Bucket, Queue
from cdk_breakwater.simulation.load import constant
from cdk_breakwater.simulation.run import simulate
from cdk_breakwater.simulation.verdict import seconds_text

from .bars import BAD, GOOD, HELD_BACK, Bar, Part, picture

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS, SECONDS, WORK = 2_000, 5.0, 0.2
MAX_CONNECTIONS, FOR_CLIENTS, SHARE, POOL = 80, 68, 54, 56
_ACCOUNT = Bucket("account", 10_000, 5_000)


def designs() -> Iterator[tuple[str, Application]]:
    """Give each with its name."""
    load = constant(REQUESTS / SECONDS, SECONDS)
    function = Function("Orders", Duration(WORK), 29.0, connections={"Db": 1})
    limited = replace(function, reserved=SHARE)
    database = Server("Db", MAX_CONNECTIONS, FOR_CLIENTS)
    within = safe_load(SHARE)
    throttle = Bucket("stage", within / WORK, SHARE - math.ceil(within))

    def application(entry: Api | Queue, orders: Function, server: Server) -> Application:
        unreserved = ACCOUNT_CONCURRENCY - (orders.reserved or 0)
        return Application((entry,), {"Orders": orders}, {"Db": server}, unreserved, idle=600.0, refused=0.1)

    free = Api("Api", "Orders", load, (_ACCOUNT,))
    yield "An API in front of a function, no limits", application(free, function, database)
    yield (
        f"ThrottledApi, share {SHARE}",
        application(Api("Api", "Orders", load, (_ACCOUNT, throttle)), limited, database),
    )
    proxy = Server("Db", MAX_CONNECTIONS, POOL, borrow_timeout=15.0)
    yield f"RDS Proxy with a pool of {POOL}, no limits", application(free, function, proxy)
    queue = Queue("Jobs", "Orders", load, 1, SHARE, 6 * 29.0, 5)
    yield f"A front door and a queue, share {SHARE}", application(queue, limited, database)


def bars() -> Iterator[Bar]:
    """Compute what becomes of the requests in each design."""
    for name, application in designs():
        history = simulate(application)
        (entry,), function = history.entries.values(), history.functions["Orders"]
        done, refused = round(entry.done.total), round(entry.limited.total + entry.throttled.total)
        connections = history.servers["Db"].connections.peak
        parts = [
            Part("answered", done, GOOD),
            Part("refused with 429 or 503", refused, HELD_BACK),
            Part("refused by the database", round(entry.arrivals.total) - done - refused, BAD),
        ]
        if history.drained is None:
            raise ValueError("the burst is not done")
        yield Bar(
            name,
            [part for part in parts if part.size],
            f"done after {seconds_text(history.drained)}, {function.environments.peak:,.0f} environments, "
            f"{connections:,.0f} connections",
        )


def drawn() -> str:
    """Draw all of them."""
    title = f"{REQUESTS:,} requests in {SECONDS:.0f} s, for max_connections = {MAX_CONNECTIONS} (simulated)"
    made = list(bars())
    told = " ".join(
        f"{bar.title}: {', '.join(f'{part.size:,} {part.name}' for part in bar.parts)}; {bar.told}." for bar in made
    )
    return picture(title, f"{title}. {told}", made)


if __name__ == "__main__":
    sys.stdout.write(drawn())
