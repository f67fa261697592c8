"""Which model, in which steps, for how long."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

from .binned_model import BinnedModel
from .entries import Queue
from .event_model import EventModel
from .quota import Quota

if TYPE_CHECKING:
    from .application import Application
    from .history import History

_MOST_EVENTS, _MOST_BETTER_FOLLOWED, MOST_FOLLOWED = 200_000, 2_000_000, 5_000_000
"""Requests of which each is followed, a second or two of computing; where steps are rough; and where there are none."""
_MOST_STEPS = 20_000
_PATIENT_STEPS = 100_000
_STEPS_OF_A_DURATION = 10
_STEPS_OF_A_LOAD = 50
_LONGEST_STEP = 1.0
_MOST_STEPS_KEPT = 500_000
_PATIENCE, _MOST_PATIENCE = 3_600.0, 31 * 86_400.0


class Model(str, Enum):
    """How a burst is computed."""

    AUTO = "auto"
    EVENTS = "events"
    BINNED = "binned"


def simulate(
    application: Application, *, model: Model = Model.AUTO, seed: int = 1, patience: float | None = None
) -> History:
    """Run a burst against an application.

    Parameters
    ----------
    application
        What it runs against.
    model
        ``EVENTS`` follows each request, ``BINNED`` computes amounts in steps. Default: by how many there are, up to
        200,000 the former, and up to 2,000,000 where steps are rough. Pools of proxies, and records that are tried
        without end, are in the former alone.
    seed
        Of what is drawn.
    patience
        Seconds after the last request at which to stop, whatever is left. Default: an hour, or what the tiers of a
        quota need, unless that is more than 31 days.
    """
    until = application.end + (_patience(application) if patience is None else patience)
    step = _step(application)
    if model is Model.AUTO:
        most = _MOST_BETTER_FOLLOWED if application.better_followed else _MOST_EVENTS
        is_exact = application.total <= most or application.followed_because is not None
        model = Model.EVENTS if is_exact else Model.BINNED
    if model is Model.EVENTS:
        return EventModel(application, seed=seed, until=until, step=step).run()
    binned = BinnedModel(application, seed=seed, until=until, step=step)
    while not binned.run(most_steps=_PATIENT_STEPS if step < _LONGEST_STEP else math.inf):
        step = min(_LONGEST_STEP, step * 8)  # what takes that long is seen as well in longer steps
        binned = BinnedModel(application, seed=seed, until=until, step=step)
    return binned.history


def _step(application: Application) -> float:
    """Give a step in which little changes, and that does not make too many of them."""
    shortest = min((function.duration.mean for function in application.functions.values()), default=1.0)
    fine = min(max(shortest, 0.01) / _STEPS_OF_A_DURATION, max(application.end, 1.0) / _STEPS_OF_A_LOAD)
    long = max(application.end, 1.0) + _to_drain(application)
    longest = max(_LONGEST_STEP, long / _MOST_STEPS_KEPT)  # what takes weeks is still kept in a few megabytes
    return min(longest, max(fine, min(long, application.end + _patience(application)) / _MOST_STEPS))


def _to_drain(application: Application) -> float:
    """Estimate how long queues take after the last message."""
    longest = 0.0
    for entry in application.entries:
        if isinstance(entry, Queue):
            function = application.functions[entry.function]
            at_once = min(entry.most_batches, function.reserved if function.reserved is not None else math.inf)
            work = entry.load.total * function.duration.mean
            longest = max(longest, work / at_once if at_once else 0.0)
        elif isinstance(entry, Quota):
            longest = max(longest, entry.seconds_for(entry.load.total))
    return longest


def _patience(application: Application) -> float:
    """Give an hour, or as long as quotas take that are done within a month."""
    quotas = [entry.seconds_for(entry.load.total) for entry in application.entries if isinstance(entry, Quota)]
    needed = max(quotas, default=0.0)
    return _PATIENCE + (2 * needed if needed <= _MOST_PATIENCE else 0.0)
