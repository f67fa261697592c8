"""Small applications for the models of a burst."""

from __future__ import annotations

import math

from cdk_breakwater.simulation.application import Application, Failover, Function, Server
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.entries import (
    FIFO_POLLERS,
    POLLERS,
    Api,
    Bucket,
    Direct,
    Entry,
    Fifo,
    Pollers,
    Queue,
    Stream,
)
from cdk_breakwater.simulation.load import Load
from cdk_breakwater.simulation.quota import Quota, Tier

PER_SECOND, PER_TEN_SECONDS = Tier("20 per 1 s", 20, 1), Tier("150 per 10 s", 150, 10)
BUCKET = Bucket("stage", rate=50, burst=100)


def application(
    *entries: Entry,
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


def fifo(
    load: Load,
    keys: int | None,
    *,
    batch_size: int = 1,
    maximum_concurrency: int | None = 12,
    visibility: float = 20,
    receives: int | None = 3,
    failing: float = 0.0,
    reports: bool = True,
) -> Fifo:
    limits = batch_size, maximum_concurrency, visibility, receives, reports, failing
    return Fifo("Q", "F", load, *limits, pollers=FIFO_POLLERS, keys=keys)


def stream(
    load: Load,
    keys: int | None = None,
    *,
    batch_size: int = 25,
    shards: int = 2,
    factor: int = 4,
    most_attempts: int | None = 11,
    failing: float = 0.0,
    reports: bool = True,
    splits: bool = True,
) -> Stream:
    return Stream.of(
        "S",
        "F",
        load,
        batch_size=batch_size,
        shards=shards,
        factor=factor,
        most_attempts=most_attempts,
        keys=keys,
        failing=failing,
        reports_failures=reports,
        splits=splits,
    )


def quota(
    load: Load,
    *tiers: Tier,
    parallelism: int = 30,
    weight: float = 1,
    failing: float = 0.0,
    is_kept: bool = True,
) -> Quota:
    """Make one whose dispatcher makes 330 calls a second, and whose calls last 24 s at the most."""
    return Quota("C", "F", load, tiers, parallelism, 330, 24, 5, 1, 100, weight, failing, is_kept)


def api(load: Load, *buckets: Bucket) -> Api:
    return Api("A", "F", load, buckets or (BUCKET,))


def direct(load: Load, *, waits: bool = True) -> Direct:
    return Direct("D", "F", load, waits)
