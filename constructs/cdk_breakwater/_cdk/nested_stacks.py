"""Nested stacks are deployed by the outermost, whose name alone is known at synth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack

if TYPE_CHECKING:
    from constructs import IConstruct


def outermost_stack(construct: IConstruct) -> Stack:
    """Return the stack that deploys a construct."""
    stack = Stack.of(construct)
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    return stack
