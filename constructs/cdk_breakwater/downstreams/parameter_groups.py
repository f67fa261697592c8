"""Parameter groups of RDS: which one a database has, and what it sets, as the template will say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Reference, Stack, Token, Tokenization

from .._cdk.rendered import rendered
from ..limits.max_connections import UnknownMaxConnections

if TYPE_CHECKING:
    from constructs import IConstruct

_TYPES = ("AWS::RDS::DBParameterGroup", "AWS::RDS::DBClusterParameterGroup")
_INSTANCE = ("DBParameterGroupName", "db_parameter_group_name")
_CLUSTER = ("DBClusterParameterGroupName", "db_cluster_parameter_group_name")


def parameter_group(resource: Any) -> tuple[str | None, IConstruct | None]:
    """Find the parameter group of a `CfnDBInstance` or a `CfnDBCluster`.

    Returns
    -------
    tuple
        Its name, or None where the resource names none; and its L1, or None where it is not of this app.
    """
    property_, attribute = _CLUSTER if resource.cfn_resource_type == "AWS::RDS::DBCluster" else _INSTANCE
    name = rendered(resource, property_).get(property_)
    if name is None:
        return None, None
    given = getattr(resource, attribute)
    if Stack.of(resource).resolve(given) != name:  # an override
        return str(name), _of_logical_id(resource, name)
    token = Tokenization.reverse_string(given).first_token if Token.is_unresolved(given) else None
    return str(name), cast("Reference", token).target if Reference.is_reference(token) else None


def parameters(resource: Any) -> dict[str, Any]:
    """Return what the parameter group of a `CfnDBInstance` or a `CfnDBCluster` sets.

    Raises
    ------
    UnknownMaxConnections
        When the group is not of this app.
    """
    name, group = parameter_group(resource)
    if group is not None:
        return rendered(group, "Parameters").get("Parameters", {})
    if name is None or name.startswith("default."):
        return {}
    msg = f"its parameter group {name!r} is imported and may set any max_connections."
    raise UnknownMaxConnections(msg)


def _of_logical_id(resource: Any, name: Any) -> IConstruct | None:
    if not isinstance(name, dict):
        return None
    stack = Stack.of(resource)
    groups = [child for child in stack.node.find_all() if getattr(child, "cfn_resource_type", None) in _TYPES]
    return next((group for group in groups if stack.resolve(group.ref) == name), None)  # type: ignore[attr-defined]
