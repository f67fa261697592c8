"""What the template will say of a queue and of its mapping, compared with what the function may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import Annotations

from .._cdk.function_qualifiers import unqualified
from .._cdk.function_settings import rendered_timeout
from .._cdk.rendered import rendered
from ..limits.sqs import MAXIMUM_CONCURRENCY, MINIMUM_RECEIVES
from ..limits.visibility_factor import VISIBILITY_FACTOR
from .existing_queue import rendered_receives, rendered_visibility

if TYPE_CHECKING:
    from constructs import IConstruct

    from .batch_size import LateFit
    from .buffer import Buffer

_SCALING = "ScalingConfig"


def visibility_seconds(invocation: Buffer, window: int) -> int | None:
    """Return the visibility timeout that the template's timeout of the function asks for; None where nobody knows."""
    timeout = rendered_timeout(unqualified(invocation.function))
    return None if timeout is None else VISIBILITY_FACTOR * timeout + window


@dataclass(frozen=True)
class QueueValidation:
    """Looks when everybody has had the last word, an Aspect or an override.

    Parameters
    ----------
    invocation
        Whose source.
    mapping
        The mapping's L1 construct.
    queue
        The queue's; None for an imported one.
    position
        The mapping's, among those that divide the function's concurrency.
    visibility, window
        Seconds that the queue was to hide a message, and that Lambda gathers a batch.
    fit
        What the mapping does in one invocation.
    excepted
        Rules for which the user gave a reason, by the parameter that states it.
    """

    invocation: Buffer
    mapping: IConstruct
    queue: IConstruct | None
    position: int
    visibility: int
    window: int
    fit: LateFit
    excepted: frozenset[str]

    def errors(self) -> list[str]:
        """Return what the synth fails with."""
        part = self.invocation.concurrency.part(self.position)
        if part > MAXIMUM_CONCURRENCY:
            Annotations.of(self.invocation).add_info_v2(
                "cdk-breakwater:maximum-concurrency",
                f"MaximumConcurrency is {MAXIMUM_CONCURRENCY}, the most that SQS allows, where the function's share "
                f"grants {part}.",
            )
        return [*self._validate_maximum(part), *self._validate_queue(), *self.fit.errors()]

    def _validate_maximum(self, part: int) -> list[str]:
        scaling = rendered(self.mapping, _SCALING).get(_SCALING)
        given = scaling.get("MaximumConcurrency") if isinstance(scaling, dict) else None
        guarded = isinstance(given, dict)  # a guard answers it
        if not part or guarded or (isinstance(given, (int, float)) and given <= part):
            return []
        path = self.invocation.function.node.path
        return [
            f"its mapping has {'no MaximumConcurrency' if given is None else f'MaximumConcurrency {given:g}'} in the "
            f"template, and {path} may run {part} at once. Messages are received only to be throttled, and reach "
            "the dead-letter queue without processing. Remove what overrides ScalingConfig, or raise the function's "
            "share."
        ]

    def _validate_queue(self) -> list[str]:
        if self.queue is None:
            return []
        path = self.queue.node.scope.node.path if self.queue.node.scope is not None else self.queue.node.path
        found = []
        needed = visibility_seconds(self.invocation, self.window) or self.visibility
        visible = rendered_visibility(self.queue)
        if "acknowledge_visibility_timeout" not in self.excepted and visible is not None and visible < needed:
            found.append(
                f"the visibility timeout of {path} is {visible} s in the template, and 6 x the function's timeout plus "
                f"the batching window are {needed} s. Set visibility_timeout=Duration.seconds({needed}) or more."
            )
        receives = rendered_receives(self.queue)
        if (
            "acknowledge_dead_letter_queue" not in self.excepted
            and receives is not None
            and receives < MINIMUM_RECEIVES
        ):
            found.append(
                f"maxReceiveCount of {path} is {receives} in the template: throttled receives alone send a message "
                f"to the dead-letter queue without processing. Set {MINIMUM_RECEIVES} or more."
            )
        return found
