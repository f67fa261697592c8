"""Which queues set aside their messages in which."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .assembly import Assembly
    from .resource import Resource

_QUEUE = "AWS::SQS::Queue"


def redriven_to(dead_letters: Resource) -> list[Resource]:
    """Give the queues whose dead-letter queue this one is."""
    assembly = dead_letters.template.assembly
    by_target: dict[Resource, list[Resource]] = assembly.choices.cached("redrive", lambda: _by_target(assembly))
    return by_target.get(dead_letters, [])


def _by_target(assembly: Assembly) -> dict[Resource, list[Resource]]:
    found: defaultdict[Resource, list[Resource]] = defaultdict(list)
    for queue in assembly.resources(_QUEUE):
        target = queue.target("RedrivePolicy", "deadLetterTargetArn")
        if target is not None and target is not queue:
            found[target].append(queue)
    return dict(found)
