"""What `breakwater simulate` says of a burst that was recorded: from the template, the arrivals and the durations."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdk_breakwater.cli.check_sources import Sources
from cdk_breakwater.cli.simulated_burst import DEFAULT_DURATION, REFUSED_SECONDS
from cdk_breakwater.cli.simulated_limits import read_limits
from cdk_breakwater.simulation.application import Application, Server
from cdk_breakwater.simulation.entries import Api, Pollers, Queue
from cdk_breakwater.simulation.run import Model, simulate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.recording import Recording

# The emulator has five batches in work at once of a mapping without MaximumConcurrency, and never more; of one with it,
# as many from the first moment.
POLLERS = Pollers(math.inf, 0, 5)


@dataclass(frozen=True)
class Prediction:
    """What the same burst does in the simulation.

    Attributes
    ----------
    connections
        The most at once.
    refused
        Attempts to connect that the server refused.
    turned_away
        Requests that a token bucket refused, or that found no room in the function.
    dead
        Messages in the dead-letter queue.
    seconds
        Until all was done.
    """

    connections: float
    refused: float
    turned_away: float
    dead: float
    seconds: float


def predict(
    template: Path,
    recording: Recording,
    names: Mapping[str, str],
    *,
    quota: int,
    max_connections: int,
    visibility: int | None,
    failing: float,
) -> Prediction:
    """Simulate it.

    Parameters
    ----------
    template
        That was deployed.
    recording
        Of the burst.
    names
        What the functions are called, by logical id.
    quota
        The account's concurrency.
    max_connections
        Of a server whose limit the template does not tell.
    visibility
        The queue's visibility timeout where it was changed after the deployment, in seconds.
    failing
        The part of messages that fail each time.
    """
    sources = Sources(quota, {})
    sources.read([template])
    limits = read_limits(sources.assemblies[0], DEFAULT_DURATION)
    functions = {}
    for name, function in limits.functions.items():
        called = next(each for id_, each in names.items() if id_.startswith(name.rsplit("/", 1)[-1]))
        duration, cold_start = recording.duration(called), recording.cold_start(called)
        functions[name] = replace(function, duration=duration, cold_start=cold_start)
    entries = [
        replace(
            entry,
            load=recording.load("sent"),
            pollers=POLLERS,
            visibility_timeout=visibility or entry.visibility_timeout,
            failing=failing,
        )
        if isinstance(entry, Queue)
        else replace(entry, load=recording.load("asked"))
        for entry in limits.entries
    ]
    servers = {
        name: server if server.max_connections is not None else Server(name, max_connections, max_connections)
        for name, server in limits.servers.items()
    }
    application = Application(
        tuple(entries), functions, servers, limits.unreserved, idle=math.inf, refused=REFUSED_SECONDS
    )
    history = simulate(application, model=Model.EVENTS)
    requests = [history.entries[entry.name] for entry in entries if isinstance(entry, Api)]
    return Prediction(
        connections=sum(each.connections.peak for each in history.servers.values()),
        refused=sum(each.refused.total for each in history.servers.values()),
        turned_away=sum(each.limited.total + each.throttled.total for each in requests),
        dead=sum(each.lost.total for each in history.entries.values()),
        seconds=history.drained if history.drained is not None else math.inf,
    )
