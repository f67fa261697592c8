"""The sources of tests/e2e/sources on the emulator, with real databases, and in the simulation: a table of both."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

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
from cdk_breakwater.simulation.entries import Queue, Stream
from cdk_breakwater.simulation.load import constant
from cdk_breakwater.simulation.run import Model, simulate

from .emulator import pair

if TYPE_CHECKING:
    from cdk_breakwater.simulation.application import Function

NAMES = {
    "Standard": "SQS, MariaDB",
    "Fifo": "SQS FIFO, PostgreSQL",
    "Clicks": "Kinesis, PostgreSQL",
    "Changes": "DynamoDB Streams, MariaDB",
}
_HEADER = ("source", "connections, peak", "batches without room", "dead letters", "all done after")


class RecordedAccount(SourcesAccount):
    """The account of the tests, whose emulator writes down what happens."""

    program: ClassVar[tuple[str, ...]] = (str(Path(__file__).with_name("recording_sources.py")),)


def sources_table() -> list[str]:
    """Measure; a minute or two."""
    rows = [f"| {' | '.join(_HEADER)} |", f"|{' --- |' * len(_HEADER)}"]
    with (
        tempfile.TemporaryDirectory(prefix="breakwater-sources-") as folder,
        run_sources(Path(folder), RecordedAccount) as run,
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
        f"{dead} / not simulated" if isinstance(entry, Stream) else pair(dead, came.lost.total),
        pair(run.seconds[name], history.drained or math.inf, " s"),
    ]
    return f"| {NAMES[name]} | {' | '.join(cells)} |"


def _recorded(name: str, entry: Queue, function: Function, run: Run, recording: Recording) -> tuple[Queue, Function]:
    """Put in what no template tells: arrivals, durations, cold starts, and the messages that fail each time."""
    called, outputs = run.account.outputs[f"{name}Function"], run.account.outputs
    if isinstance(entry, Stream):
        count = len(records(repeated=name == "Clicks"))
        # What a record takes is not seen from outside, and those that fail take many invocations: this is the mean.
        duration = Duration(run.pollers[name].seconds / count)
        entry = replace(entry, load=constant(count / run.sent[name], run.sent[name]))
    else:
        duration = recording.duration(called)
        load = recording.load("sent", queue=outputs[f"{name}Queue"].rsplit("/", 1)[-1])
        failing = len(POISON) / len(records(repeated=True))
        entry = replace(entry, load=load, failing=failing, visibility_timeout=VISIBILITY_SECONDS, pollers=POLLERS)
        if name == "Fifo":
            entry = replace(entry, maximum_concurrency=1)  # the emulator has one batch of a FIFO queue at a time
    cold_start = 0.0 if isinstance(entry, Stream) else recording.cold_start(called)
    return entry, replace(function, duration=duration, cold_start=cold_start)
