"""Roles that take no statement: the CDK drops what is granted to them without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam


def is_immutable(role: iam.IRole) -> bool:
    """Whether nothing can be added to a role's policies here.

    The CDK tells nobody, but by the names it gives: that of the role behind `from_role_arn(…, mutable=False)`, and that
    of what `without_policy_updates()` returns.
    """
    scope = role.node.scope
    behind = None if scope is None else scope.node.try_find_child(f"MutableRole{role.node.id}")
    return behind is not None or role.node.id.startswith("ImmutableRole")
