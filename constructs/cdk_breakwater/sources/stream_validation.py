"""What the template will say of a stream and of its mapping, compared with what the function may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import Annotations

from .._cdk.rendered import rendered_number
from ..limits.streams import KINESIS_RETENTION_HOURS

if TYPE_CHECKING:
    from constructs import IConstruct

    from .batch_size import LateFit
    from .buffer import Buffer
    from .parallelization_factor import Parallelism

_HOUR = 3600


@dataclass(frozen=True)
class StreamValidation:
    """Looks when everybody has had the last word.

    Parameters
    ----------
    invocation
        Whose source.
    mapping
        The mapping's L1 construct.
    stream
        The Kinesis stream's; None for an imported one and for a table.
    parallelism, fit
        What the mapping does at once, and in one invocation.
    record_age
        Seconds after which a record is kept as failed.
    """

    invocation: Buffer
    mapping: IConstruct
    stream: IConstruct | None
    parallelism: Parallelism
    fit: LateFit
    record_age: float

    def errors(self) -> list[str]:
        """Return what the synth fails with."""
        return [*self._validate_parallelism(), *self._validate_age(), *self.fit.errors()]

    def _validate_age(self) -> list[str]:
        """Compare the record age with a retention that was changed after it, by an Aspect or an override."""
        if self.stream is None:
            return []
        given = rendered_number(self.stream, "RetentionPeriodHours", KINESIS_RETENTION_HOURS)
        if given is None or self.record_age <= (given - 1) * _HOUR:
            return []
        return [
            f"the stream keeps records for {given} h, and a record is stored as failed after "
            f"{self.record_age / _HOUR:g} h: it would have expired by then. Set max_record_age to an hour below the "
            "retention, or less."
        ]

    def _validate_parallelism(self) -> list[str]:
        parallelism = self.parallelism
        part, shards = parallelism.part, parallelism.shards
        if shards is None:
            return self._validate_unknown(part)
        late = rendered_number(self.mapping, "ParallelizationFactor")
        factor = parallelism.factor() if late is None else late
        needed = shards * factor
        if needed <= part:
            self._say_what_is_stranded(shards, factor, part)
            return []
        total = self.invocation.concurrency.resolve()
        return [
            f"{shards} shards x parallelization factor {factor} = {needed} invocations at once, and the share of "
            f"{self.invocation.function.node.path} "
            + (f"grants {total} to all its sources. " if total else "cannot be granted (its budget says why). ")
            + "Use fewer shards, raise the function's share, or put a queue in place of the stream."
        ]

    def _say_what_is_stranded(self, shards: int, factor: int, part: int) -> None:
        needed = shards * factor
        # A few are left over where the shards do not divide the share.
        if part - needed >= max(1, shards):
            Annotations.of(self.invocation).add_info_v2(
                "cdk-breakwater:stranded-concurrency",
                f"{shards} shards x parallelization factor {factor} allow {needed} invocations at once, of the "
                f"{part} that {self.invocation.function.node.path} may run for it. {part - needed} can't be used by "
                "other functions, and stay unused unless something else invokes this function. Pass "
                f"concurrency={needed} to the function, use more shards, or leave parallelization_factor out.",
            )

    def _validate_unknown(self, part: int) -> list[str]:
        share = self.invocation.concurrency.share
        if share is not None and share.reserves is None:
            return [
                "the number of shards is unknown, so only reserved concurrency can limit the invocations, and "
                f"{self.invocation.function.node.path} reserves none. Remove reserve_concurrency=False, or give the "
                "stream a shard_count."
            ]
        Annotations.of(self.invocation).add_info_v2(
            "cdk-breakwater:unknown-shards",
            "The number of shards is unknown at synth, so ParallelizationFactor is "
            f"{self.parallelism.factor()} and the function's reserved concurrency ({part}) is what limits the "
            "invocations. Records beyond it wait in the stream, until max_record_age."
            + (
                " Meanwhile, a queue on the same function may be throttled, and its messages may reach the "
                "dead-letter queue without processing. Give the queue a function of its own."
                if self.invocation.concurrency.mappings > 1
                else ""
            ),
        )
        return []
