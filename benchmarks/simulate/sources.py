"""The sources of tests/e2e/sources on the emulator, with real databases, and in the simulation: a table of both."""

from __future__ import annotations

import json
import math
import tempfile
import time
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from statistics import fmean, linear_regression
from typing import TYPE_CHECKING, Any, ClassVar

from demo.emulator import CONCURRENCY_QUOTA
from demo.prediction import POLLERS
from demo.recording import Recording
from tests.e2e.sources.account import VISIBILITY_SECONDS, SourcesAccount
from tests.e2e.sources.records import POISON, records
from tests.e2e.sources.running import Run, run_sources
from tests.e2e.sources.sources_app import STACK

from cdk_breakwater.cli.check_sources import Sources
from cdk_breakwater.cli.simulated_burst import DEFAULT_DURATION, REFUSED_SECONDS
from cdk_breakwater.cli.simulated_limits import Limits, read_limits
from cdk_breakwater.simulation.application import Application
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.entries import Fifo, Pollers, Queue, Stream
from cdk_breakwater.simulation.load import Load, constant
from cdk_breakwater.simulation.run import Model, simulate

from .emulator import pair
from .recorded_poller import RecordedPoller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from cdk_breakwater.simulation.application import Function

NAMES = {
    "Standard": "SQS, MariaDB",
    "Fifo": "SQS FIFO, PostgreSQL",
    "Clicks": "Kinesis, PostgreSQL",
    "Changes": "DynamoDB Streams, MariaDB",
}
ASKS_SECONDS = 1
"""At the latest after which the emulator's poller looks again."""
_HEADER = ("source", "connections, peak", "batches without room", "dead letters", "all done after")


class RecordedAccount(SourcesAccount):
    """The account of the tests, whose emulator writes down what happens."""

    program: ClassVar[tuple[str, ...]] = (str(Path(__file__).with_name("recording_sources.py")),)


def sources_table() -> list[str]:
    """Measure; a minute or two."""
    rows = [f"| {' | '.join(_HEADER)} |", f"|{' --- |' * len(_HEADER)}"]
    with (
        tempfile.TemporaryDirectory(prefix="breakwater-sources-") as folder,
        run_sources(Path(folder), RecordedAccount, RecordedPoller) as run,
    ):
        recording = Recording.of(run.account.recording, run.began, time.time())
        sources = Sources(CONCURRENCY_QUOTA, {})
        sources.read([run.account.template(STACK)])
        limits = read_limits(sources.assemblies[0], DEFAULT_DURATION)
        return [*rows, *(_row(name, run, recording, limits) for name in NAMES)]


def _row(name: str, run: Run, recording: Recording, limits: Limits) -> str:
    function = next(each for each in limits.functions.values() if f"{name}Writer" in each.name)
    entry = next(each for each in limits.entries if each.function == function.name and isinstance(each, Queue))
    entry, function = _recorded(name, entry, function, run, recording)
    # Alone, as each source has a function and a database of its own.
    application = Application(
        (entry,), {function.name: function}, limits.servers, limits.unreserved, idle=math.inf, refused=REFUSED_SECONDS
    )
    history = simulate(application, model=Model.EVENTS)
    came = history.entries[entry.name]
    called = run.account.outputs[f"{name}Function"]
    dead = run.pollers[name].kept if name in run.pollers else len(POISON)
    cells = [
        pair(run.peaks[name], sum(each.connections.peak for each in history.servers.values())),
        pair(len(recording.all("refused", function=called)), came.throttled.total),
        pair(dead, came.lost.total),
        pair(run.seconds[name], history.drained or math.inf, " s"),
    ]
    return f"| {NAMES[name]} | {' | '.join(cells)} |"


@dataclass(frozen=True)
class _Standard(Queue):
    """A queue of which it is known what was sent."""

    sent: tuple[tuple[str, bool], ...] = ()

    def contents(self, chance: Random) -> Iterator[tuple[str, bool]]:  # noqa: ARG002 -- nothing is drawn
        return iter(self.sent)


@dataclass(frozen=True)
class _Fifo(_Standard, Fifo):
    """The same of a FIFO queue."""


@dataclass(frozen=True)
class _Stream(_Standard, Stream):
    """The same of a stream."""


_KNOWN = {Queue: _Standard, Fifo: _Fifo, Stream: _Stream}


def _recorded(name: str, entry: Queue, function: Function, run: Run, recording: Recording) -> tuple[Queue, Function]:
    """Put in what no template tells: arrivals, keys, durations, cold starts, and the messages that fail each time."""
    called, outputs = run.account.outputs[f"{name}Function"], run.account.outputs
    sent = records(repeated=name != "Changes")
    known = dict(vars(entry))
    if isinstance(entry, Stream):
        known |= {"load": constant(len(sent) / run.sent[name], run.sent[name])}
        duration, cold_start = _of_records(run.pollers[name], len(recording.all("invoked", function=called, cold=True)))
    else:
        duration, cold_start = recording.duration(called), recording.cold_start(called)
        load = recording.load("sent", queue=outputs[f"{name}Queue"].rsplit("/", 1)[-1])
        known |= {"visibility_timeout": VISIBILITY_SECONDS, "pollers": POLLERS, "load": load}
    if isinstance(entry, Fifo):
        sent = sorted(sent, key=lambda record: record["group"])
        # SQS drops what is sent again.
        first = [sent.index(record) == place for place, record in enumerate(sent)]
        arrived = tuple(each for each, is_first in zip(known["load"].stretches, first, strict=True) if is_first)
        sent = [record for record, is_first in zip(sent, first, strict=True) if is_first]
        # The emulator has one batch of a FIFO queue at a time, here one message.
        known |= {"load": Load(arrived), "maximum_concurrency": 1, "pollers": Pollers(math.inf, 0, 1)}
        duration = _InOrder(duration.mean, left=_one_by_one(recording.all("read", function=called), duration.mean))
    known["sent"] = tuple((_key(name, record), record["poison"]) for record in sent)
    return _KNOWN[type(entry)](**known), replace(function, duration=duration, cold_start=cold_start)


def _key(name: str, record: dict[str, Any]) -> str:
    """Give the message group, partition key or item, as the test's reader of streams has it."""
    if name == "Changes":
        return json.dumps({"number": {"N": str(record["number"])}}, sort_keys=True)
    return str(record["group"])


@dataclass(frozen=True)
class _InOrder(Duration):
    """Durations as they were one after the other: the machine is busier while it has all four sources."""

    left: Iterator[float] = field(default_factory=lambda: iter(()))

    def sample_of(self, requests: int, chance: Random) -> float:
        return next(self.left, None) or super().sample_of(requests, chance)


def _one_by_one(read: list[dict[str, Any]], mean: float) -> Iterator[float]:
    """Give how long the poller took for each message, until it asked again; but not how long it waited for a group."""
    read = sorted(read, key=lambda line: line["at"])
    for line, later in zip_longest(read, read[1:]):
        gap = later["at"] - later["seconds"] - line["at"] if later else 0.0
        # A cold start comes on top.
        yield (mean if line["cold"] else line["seconds"]) + (gap if gap < ASKS_SECONDS else 0.0)


@dataclass(frozen=True)
class _Invocations(Duration):
    """Durations of invocations that take a while in any case, besides that of their records."""

    in_any_case: float = 0.0

    def sample_of(self, requests: int, chance: Random) -> float:
        return self.in_any_case + super().sample_of(requests, chance)


def _of_records(poller: RecordedPoller, new: int) -> tuple[Duration, float]:
    """Give how long a lane waits for an invocation, by its records, and how much longer in a new environment."""
    # Those of new environments take longest by far.
    invocations = sorted(poller.invocations, key=lambda each: each[1])
    warm, cold = invocations[:-new], invocations[-new:]
    each, in_any_case = linear_regression(*zip(*warm, strict=True))
    cold_start = fmean(seconds - in_any_case - each * begun for begun, seconds in cold)
    return _Invocations(each, in_any_case=in_any_case), cold_start
