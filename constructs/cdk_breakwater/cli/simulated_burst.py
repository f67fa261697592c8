"""A burst against an app: the loads and durations that were given, the limits that were read, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import BreakwaterError
from ..simulation.application import Application, Failover
from ..simulation.duration import Duration
from ..simulation.entries import Api, Queue
from ..simulation.load import Load, together
from ..simulation.quota import Quota
from ..simulation.run import MOST_FOLLOWED, Model, simulate
from ..simulation.verdict import bindings
from .simulate_arguments import load, number, of_each, of_one, seconds
from .simulated_contents import read_contents

if TYPE_CHECKING:
    from ..simulation.entries import Entry
    from ..simulation.history import History
    from ..simulation.verdict import Binding
    from .simulated_limits import Limits

DEFAULT_BURST = 1_000
DEFAULT_DURATION = Duration(0.2)
# How long an invocation lasts whose connection a server refuses: the way there and back, and the error.
REFUSED_SECONDS = 0.1
_LARGEST_FACTOR = 4_096
_MOST_TRIED = 500_000
_PATIENCE = 3_600.0


@dataclass(frozen=True)
class Run:
    """A burst against an app.

    Attributes
    ----------
    title
        What app it is.
    limits
        What its templates say.
    application
        The same with the loads.
    history, bound
        What happened, and which limits bound.
    """

    title: str
    limits: Limits
    application: Application
    history: History
    bound: list[Binding]

    @property
    def is_harmful(self) -> bool:
        """Whether a database refused a connection, or a message was lost."""
        return any(binding.harmful for binding in self.bound)

    @property
    def unknown(self) -> list[str]:
        """The databases of which nobody knows whether they refuse a connection."""
        return [name for name, server in self.application.servers.items() if server.max_connections is None]


@dataclass(frozen=True)
class Burst:
    """The options of a burst, as they were given."""

    loads: tuple[str, ...] = ()
    durations: tuple[str, ...] = ()
    variation: float = 0.0
    cold_starts: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    idle: float = 600.0
    deploy_at: float = math.inf
    failover: Failover | None = None
    max_connections: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    model: Model = Model.AUTO
    seed: int = 1
    patience: float | None = None
    weights: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


def without_limits(limits: Limits, quota: int) -> Limits:
    """Take out what holds a burst back: reservations, MaximumConcurrency, the APIs' own rates, waiting for quotas."""
    entries: list[Entry] = []
    for entry in limits.entries:
        if isinstance(entry, Queue):
            entries.append(replace(entry, maximum_concurrency=None))
        elif isinstance(entry, Quota):
            entries.append(replace(entry, is_kept=False, window=0.0))
        else:
            entries.append(replace(entry, buckets=entry.buckets[-1:]) if isinstance(entry, Api) else entry)
    functions = {name: replace(function, reserved=None) for name, function in limits.functions.items()}
    return replace(limits, entries=entries, functions=functions, unreserved=quota)


def run(limits: Limits, burst: Burst, title: str) -> Run:
    """Let a burst loose on an app."""
    application = _application(limits, burst)
    why = application.followed_because
    if why is not None and burst.model is Model.BINNED:
        raise BreakwaterError("--model", f"{why}, which steps do not know.", "Take events, or leave it out.")
    if (burst.model is Model.EVENTS or why is not None) and application.total > MOST_FOLLOWED:
        because = f", and {why}" if why else ""
        problem = f"{application.total:,.0f} requests are too many to follow each of them{because}."
        remedy = f"Take at most {MOST_FOLLOWED:,}{'' if why else ', or --model binned'}."
        raise BreakwaterError("--load", problem, remedy)
    history = simulate(application, model=burst.model, seed=burst.seed, patience=burst.patience)
    given = [name for name, _ in of_each("--max-connections", burst.max_connections, limits.servers)]
    known = replace(limits, because=limits.because | dict.fromkeys(given, "--max-connections"))
    return Run(title, known, application, history, bindings(application, history))


def _application(limits: Limits, burst: Burst) -> Application:
    """Put loads and durations to the limits; what nothing comes to is left out."""
    loads = _loads(limits, burst)
    contents = read_contents(limits.entries, burst.failing, burst.weights, burst.keys)
    entries = tuple(
        contents[entry.name].put_into(entry, loads[entry.name]) for entry in limits.entries if entry.name in loads
    )
    functions = {name: limits.functions[name] for name in dict.fromkeys(entry.function for entry in entries)}
    lasting = {name: Duration(DEFAULT_DURATION.mean, burst.variation) for name in functions}
    for name, value in of_each("--duration", burst.durations, limits.functions):
        lasting[name] = Duration(_work(value), burst.variation)
    starting = {
        name: seconds("--cold-start", value)
        for name, value in of_each("--cold-start", burst.cold_starts, limits.functions)
    }
    holding = {name: function.connections for name, function in limits.functions.items()}
    for name, value in of_each("--connections", burst.connections, limits.functions):
        holding[name] = dict.fromkeys(holding[name], int(number("--connections", value, least=1)))
    functions = {
        name: replace(
            function,
            duration=lasting[name],
            connections=holding[name],
            cold_start=starting.get(name, function.cold_start),
        )
        for name, function in functions.items()
    }
    used = {server for function in functions.values() for server in function.connections}
    servers = {name: server for name, server in limits.servers.items() if name in used}
    for name, value in of_each("--max-connections", burst.max_connections, limits.servers):
        if name in servers:
            most = int(number("--max-connections", value))
            servers[name] = replace(servers[name], max_connections=most, usable=most)
    return Application(
        entries,
        functions,
        servers,
        limits.unreserved,
        burst.idle,
        REFUSED_SECONDS,
        burst.deploy_at,
        burst.failover,
    )


def _work(text: str) -> float:
    value = seconds("--duration", text)
    if not value:
        raise BreakwaterError("--duration", f"work takes time (given {text!r}).", "Write one such as 20ms.")
    return value


def _loads(limits: Limits, burst: Burst) -> dict[str, Load]:
    connecting = {name for name, function in limits.functions.items() if function.connections}
    everywhere = [
        entry.name
        for entry in limits.entries
        if entry.function in connecting or isinstance(entry, Quota) or not connecting
    ]
    found: dict[str, list[Load]] = {}
    for text in burst.loads or (f"spike:{DEFAULT_BURST}",):
        name, shape = of_one("--load", text, (entry.name for entry in limits.entries))
        for each in everywhere if name is None else [name]:
            found.setdefault(each, []).append(load(shape))
    return {name: together(parts) for name, parts in found.items()}


def largest(first: Run, burst: Burst) -> float:
    """Find, to a sixteenth, how many times the load may come before a database refuses or a message is lost."""
    if not first.application.total:
        raise BreakwaterError("--find-max", "nothing comes, however often.", "Begin with a load such as spike:100.")
    why = first.application.followed_because
    for stream in first.application.better_followed:
        why = why or f"batches of {stream.name} may end unfinished, and steps do not halve them"

    def is_harmful(factor: float) -> bool:
        if why is not None and first.application.total * factor > _MOST_TRIED:
            problem = f"{why}: beyond {_MOST_TRIED:,} requests that takes too long to follow."
            raise BreakwaterError("--find-max", problem, "Begin with a smaller load, or a longer --duration.")
        entries = tuple(replace(entry, load=entry.load.scaled(factor)) for entry in first.application.entries)
        application = replace(first.application, entries=entries)
        patience = _PATIENCE if burst.patience is None else burst.patience
        history = simulate(application, model=burst.model, seed=burst.seed, patience=patience)
        return any(binding.harmful for binding in bindings(application, history))

    low, high = 0.0, 1.0
    while not is_harmful(high):
        low, high = high, high * 4
        if high > _LARGEST_FACTOR:
            return math.inf
    while high - low > max(low, 1e-3) / 16:
        middle = (low + high) / 2
        low, high = (low, middle) if is_harmful(middle) else (middle, high)
    return low
