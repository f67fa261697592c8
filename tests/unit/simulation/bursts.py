"""Small applications for the models of a burst."""

from __future__ import annotations

import math

from cdk_breakwater.simulation.application import (
    POLLERS,
    Api,
    Application,
    Bucket,
    Direct,
    Failover,
    Function,
    Pollers,
    Queue,
    Server,
)
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.load import Load

BUCKET = Bucket("stage", rate=50, burst=100)


def application(
    *entries: Api | Direct | Queue,
    seconds: float = 0.2,
    variation: float = 0.0,
    timeout: float = 20,
    reserved: int | None = None,
    usable: int = 15,
    unreserved: int = 900,
    cold_start: float = 1.0,
    deploy_at: float = math.inf,
    failover: Failover | None = None,
) -> Application:
    """One function `F` on one database `Db`."""
    return Application(
        entries,
        {"F": Function("F", Duration(seconds, variation), timeout, reserved, {"Db": 1}, cold_start)},
        {"Db": Server("Db", usable + 5, usable)},
        unreserved,
        idle=600,
        refused=0.1,
        deploy_at=deploy_at,
        failover=failover,
    )


def queue(
    load: Load,
    *,
    batch_size: int = 10,
    maximum_concurrency: int | None = 12,
    visibility: float = 120,
    receives: int | None = 5,
    failing: float = 0.0,
    reports: bool = True,
    pollers: Pollers = POLLERS,
) -> Queue:
    return Queue("Q", "F", load, batch_size, maximum_concurrency, visibility, receives, reports, failing, pollers)


def api(load: Load, *buckets: Bucket) -> Api:
    return Api("A", "F", load, buckets or (BUCKET,))


def direct(load: Load, *, waits: bool = True) -> Direct:
    return Direct("D", "F", load, waits)
