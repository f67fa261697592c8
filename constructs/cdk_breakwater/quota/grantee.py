"""To whom the rights to a quota can be granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._cdk.arguments import having, require

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from constructs import IConstruct

_ARGUMENTS = {"grantee": having("grant_principal", "what calls AWS: a lambda_.Function, an iam.Role or an iam.User")}


def require_grantee(quota: IConstruct, grantee: iam.IGrantable) -> None:
    """Refuse what has no rights, such as a queue.

    Raises
    ------
    BreakwaterError
        With the quota, and what was given.
    """
    require(quota, {"grantee": grantee}, _ARGUMENTS, needed=_ARGUMENTS)
