"""An event that a target does not take is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT, Block, Items
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a rule with targets that have no dead-letter queue."""
    if resource.get("State") == "DISABLED":
        return
    answer = resource.items("Targets")
    targets = [target for target in (answer if isinstance(answer, Items) else ()) if isinstance(target, Block)]
    without = [target for target in targets if target.get("DeadLetterConfig", "Arn") is ABSENT]
    if not without:
        return
    scheduled = resource.get("ScheduleExpression") is not ABSENT and resource.get("EventPattern") is ABSENT
    number = "its target has" if len(targets) == 1 else f"{len(without)} of its {len(targets)} targets have"
    yield Finding(
        resource,
        "Properties.Targets",
        f"{resource.name} drops an event that it can't deliver: {number} no dead-letter queue.",
        found="no dead-letter queue",
        needed="DeadLetterConfig",
        severity=Severity.NOTE if scheduled else None,
    )


RULE = Rule(
    id="EventRuleDeadLetterQueue",
    requires="Each target of an EventBridge rule has a dead-letter queue.",
    reason="EventBridge retries an event that the target refuses, for example because it is throttled, for 24 hours. "
    "Then it discards the event.",
    fix="Set the target's DeadLetterConfig to the ARN of a standard queue.",
    link="https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html",
    severity=Severity.MESSAGES,
    of=("AWS::Events::Rule",),
    check=check,
    trial=True,
)
