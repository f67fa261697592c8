"""The resources of a stack that is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def stack_resources(cloudformation: Any, stack: str) -> Iterator[dict[str, Any]]:
    """Give what CloudFormation tells of each: its type, its logical id, and its physical one where it was made."""
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        yield from page["StackResourceSummaries"]
