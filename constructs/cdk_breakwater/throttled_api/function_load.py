"""What the routes of APIs ask of one function, and the rates that it can serve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import Annotations

from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_number
from ..limits.api_gateway import ACCOUNT_RATE
from ..limits.erlang import safe_load
from .throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import Construct

    from ..budgets.mapping_division import FunctionConcurrency

_KNOWN: dict[FunctionConcurrency, FunctionLoad] = {}


@dataclass(frozen=True)
class Derived:
    """What can be let in before a part of a function's concurrency.

    Attributes
    ----------
    load
        Requests per second times the seconds that each takes.
    burst
        Requests at once.
    """

    load: float
    burst: int

    @staticmethod
    def of(part: float, *, late: bool) -> Derived:
        """Derive it.

        A bucket that is full lets its burst in at once, and the rate beside it: together no more than the part.

        Parameters
        ----------
        part
            Of the concurrency; below 1 where more routes than that divide it.
        late
            Whether to let in all that the function can do at best, and have Lambda refuse the rest.
        """
        whole = max(1, math.floor(part))
        if late:
            return Derived(part, whole)
        load = safe_load(whole) * min(1.0, part)
        return Derived(load, max(1, whole - math.ceil(load)))


@dataclass(frozen=True)
class _Route:
    name: str
    seconds: float | None
    rate_limit: float | None
    burst_limit: int | None = None
    late: bool = False

    @property
    def concurrency(self) -> float:
        """Little's law: what is under way at once is the rate times the time each takes."""
        return (self.rate_limit or 0) * (self.seconds or 0)

    @property
    def wants_burst(self) -> bool:
        """Whether it takes a part of the room beside the given rates."""
        return self.rate_limit is None or (self.burst_limit is None and not self.late)

    def __str__(self) -> str:
        return f"{self.name}, {self.rate_limit:g} requests per second of {self.seconds:g} s each"


class FunctionLoad:
    """The routes that lead to a function, of all its APIs.

    A rate that is given takes its part of the function's concurrency; the routes without one divide the rest evenly.
    """

    def __init__(self, concurrency: FunctionConcurrency) -> None:
        self._concurrency = concurrency
        self._routes: list[_Route] = []

    @staticmethod
    def of(concurrency: FunctionConcurrency) -> FunctionLoad:
        """Return the one load of a function, its aliases and versions included."""
        return _KNOWN.setdefault(concurrency, FunctionLoad(concurrency))

    def add_given(
        self,
        api: Construct,
        what: str,
        given: Throttle,
        seconds: float | None,
        *,
        burst_limit: int | None = None,
        late: bool = False,
    ) -> Throttle:
        """Count a route whose rate is given, as far as its duration is known, and find a burst where none is given."""
        route = _Route(_name(api, what), seconds, given.rate_limit, burst_limit, late)
        self._add(api, route)
        return given if burst_limit is not None else Throttle(given.rate_limit, lazy_number(lambda: self._burst(route)))

    def add_derived(
        self, api: Construct, what: str, burst_limit: int | None, seconds: float, *, late: bool = False
    ) -> Throttle:
        """Count a route, and derive its limits from what the routes with given rates leave."""
        self._add(api, _Route(_name(api, what), seconds, None, burst_limit, late))
        return derived_throttle(lambda: self._part(late=late), seconds, burst_limit, late=late)

    def _add(self, api: Construct, route: _Route) -> None:
        if not self._routes:
            validate_at_synth(api, partial(self.check, api))
        self._routes.append(route)

    def _part(self, *, late: bool) -> float:
        """Return what each derived route has: what the given rates leave, and where it refuses early, their bursts."""
        derived = sum(route.rate_limit is None for route in self._routes)
        if late:
            return self._free() / derived
        bursts = sum(self._burst(route) for route in self._routes if route.wants_burst and route.rate_limit is not None)
        return max(self._left() - bursts, self._left() / 2) / derived

    def _burst(self, route: _Route) -> int:
        """Return the burst of a route whose rate is given: an even part of what the given rates and bursts leave."""
        if route.late:
            room = self._concurrency.resolve() - route.concurrency
        else:
            room = self._left() / sum(each.wants_burst for each in self._routes)
        return burst_within(room, route.rate_limit or 0, route.seconds)

    def _left(self) -> float:
        """Return what given rates and bursts leave; half of what the rates leave, where bursts take more than that."""
        free = self._free()
        bursts = sum(
            route.burst_limit or 0 for route in self._routes if route.rate_limit is not None and not route.late
        )
        return max(free - bursts, free / 2)

    def _free(self) -> float:
        return max(0.0, self._concurrency.resolve() - self._given())

    def _given(self) -> float:
        return sum(route.concurrency for route in self._routes)

    def check(self, api: Construct) -> list[str]:
        """Report given rates that need more than the function's concurrency, as a warning where nothing is derived."""
        function = self._concurrency.function.node.path
        given, granted = round(self._given(), 9), self._concurrency.resolve()  # 0.1 + 0.2 is above 0.3
        if self._concurrency.mappings:
            # Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS": throttled receives count.
            Annotations.of(api).add_warning_v2(
                "cdk-breakwater:api-beside-mapping",
                f"{function} has event source mappings that may use its whole concurrency of {granted}. Then "
                "requests are throttled, and requests cause the mappings to be throttled, so messages of a queue "
                "may reach the dead-letter queue without processing. Use a separate function for each.",
            )
        derived = [route.name for route in self._routes if route.rate_limit is None]
        if given < granted or (given == granted and not derived):
            self._warn_of_bursts(api, granted)
            self._say_what_the_account_grants(api)
            return []
        needed = (
            f"{'; '.join(str(route) for route in self._routes if route.concurrency)} need a concurrency of "
            f"{given:g} (Little's law), and that of {function} is {granted}:"
        )
        if derived:
            return [f"{needed} nothing is left for {', '.join(derived)}. Lower the rates, or give a rate_limit there."]
        Annotations.of(api).add_warning_v2(
            "cdk-breakwater:rate-above-share",
            f"{needed} Lambda throttles the rest. {granted / given:.3g} of these rates fits.",
        )
        return []

    def _warn_of_bursts(self, api: Construct, granted: int) -> None:
        """Speak of routes that let in more at once than the function may run, as an API does that was idle."""
        routes = [(route, *self._limits(route)) for route in self._routes if not route.late]
        # A full bucket lets its burst in, and the next request 1 / rate later.
        at_once = sum(burst + max(0, math.ceil(round(load, 6)) - 1) for _, load, burst in routes)
        if at_once > granted:
            Annotations.of(api).add_warning_v2(
                "cdk-breakwater:burst-above-share",
                f"an API that was idle lets in {', '.join(f'{burst} by {route.name}' for route, _, burst in routes)} "
                f"at once, {at_once} with what the rates let in behind them, and the concurrency of "
                f"{self._concurrency.function.node.path} is {granted}: Lambda refuses the rest. Lower burst_limit, "
                'have fewer routes, or say refuse="late".',
            )

    def _say_what_the_account_grants(self, api: Construct) -> None:
        rate = sum(
            route.rate_limit or self._limits(route)[0] / (route.seconds or 1)  # a route without a rate has a duration
            for route in self._routes
        )
        if rate > ACCOUNT_RATE:
            Annotations.of(api).add_info_v2(
                "cdk-breakwater:api-account-rate",
                f"{self._concurrency.function.node.path} can answer {rate:,.0f} requests per second, and API Gateway "
                f"accepts {ACCOUNT_RATE:,} (2,500 in its smaller Regions) for all APIs of an account and Region. "
                "Callers beyond that get 429 as well. The quota can be raised.",
            )

    def _limits(self, route: _Route) -> tuple[float, int]:
        """Return the load and the burst that a route has."""
        if route.rate_limit is None:
            found = Derived.of(self._part(late=route.late), late=route.late)
            return found.load, route.burst_limit or found.burst
        return route.concurrency, route.burst_limit or self._burst(route)


def derived_throttle(part: Callable[[], float], seconds: float, burst_limit: int | None, *, late: bool) -> Throttle:
    """Return limits that follow from a part of a function's concurrency, which is known at synth."""
    return Throttle(
        rate_limit=lazy_number(lambda: Derived.of(part(), late=late).load / seconds),
        burst_limit=lazy_number(lambda: Derived.of(part(), late=late).burst) if burst_limit is None else burst_limit,
    )


def burst_within(room: float, rate_limit: float, seconds: float | None) -> int:
    """Return the burst beside a given rate: no more than a second of it, and half of the room where durations vary."""
    return max(1, min(math.ceil(rate_limit), math.floor(room if seconds is not None else room / 2)))


def _name(api: Construct, what: str) -> str:
    return f"{what} of {api.node.path}"
