"""The concurrency of one function, divided among the mappings that feed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Token

from .._cdk.function_qualifiers import unqualified
from .._cdk.rendered import rendered
from ..errors import BreakwaterError
from ..limits.apportionment import Claim, OversubscribedError, apportion
from ..limits.sqs import MAXIMUM_CONCURRENCY
from .share import ConnectionShare

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct

_KNOWN: dict[lambda_.IFunction, FunctionConcurrency] = {}


class FunctionConcurrency:
    """How many invocations of a function may run, and how the mappings on it divide them.

    Reserved concurrency must be at least the sum of the mappings' MaximumConcurrency, or throttled receives count
    towards the dead-letter queue (AWS Lambda Developer Guide, "Configuring scaling behavior for SQS").
    """

    def __init__(self, function: lambda_.IFunction, share: ConnectionShare | None) -> None:
        self.function = function
        self.share = share
        self._claims: list[Claim] = []

    @staticmethod
    def of(function: lambda_.IFunction) -> FunctionConcurrency | None:
        """Return what limits a function, an alias or a version: a share, or reserved concurrency; None for nothing."""
        function = unqualified(function)
        if function not in _KNOWN:
            share = ConnectionShare.of(function)
            if share is None and _reserved(function) is None:
                return None
            _KNOWN[function] = FunctionConcurrency(function, share)
        return _KNOWN[function]

    def resolve(self) -> int:
        """Compute the function's concurrency; final only at synth."""
        if self.share is not None:
            return self.share.resolve()
        name = "ReservedConcurrentExecutions"
        value = rendered(cast("IConstruct", self.function.node.default_child), name).get(name, 0)
        return int(value) if isinstance(value, (int, float)) else 0

    @property
    def mappings(self) -> int:
        """How many mappings divide it."""
        return len(self._claims)

    def add_mapping(self, reason: str, *, minimum: int) -> int:
        """Let a mapping take part with the least that it can work with, and return its position among the others."""
        self._claims.append(Claim(minimum=minimum))
        least = sum(claim.minimum for claim in self._claims)
        if self.share is not None:
            self.share.require(least, reason)
        else:
            self._require_reserved(least, reason)
        return len(self._claims) - 1

    def follow(self, position: int, mapping: lambda_.CfnEventSourceMapping) -> None:
        """Let a mapping's MaximumConcurrency, which is its part, change in the right order where that is guarded."""
        if self.share is not None:
            self.share.add_mapping(mapping, lambda: min(MAXIMUM_CONCURRENCY, self.part(position)))

    def part(self, position: int) -> int:
        """Compute one mapping's part: as even as minima and whole numbers allow, the earlier ones first.

        0 while the concurrency is below the minima, and then a validation fails the synth.
        """
        try:
            return apportion(self.resolve(), self._claims)[position]
        except OversubscribedError:
            return 0

    def _require_reserved(self, minimum: int, reason: str) -> None:
        reserved = _reserved(self.function)
        if not Token.is_unresolved(reserved) and int(reserved) < minimum:
            raise BreakwaterError(
                self.function,
                f"its reserved concurrency is {int(reserved)}, and it needs at least {minimum}: {reason}.",
                f"Reserve {minimum} or more.",
            )


def _reserved(function: lambda_.IFunction) -> Any:
    return getattr(function.node.default_child, "reserved_concurrent_executions", None)
