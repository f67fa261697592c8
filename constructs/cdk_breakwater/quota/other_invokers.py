"""Who else may invoke the function behind a quota: such a call reaches the provider without a slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Stack, Stage
from aws_cdk import aws_lambda as lambda_

from .._cdk.app_identity import app_identity
from .._cdk.references import references
from .._cdk.rendered import function_uses

if TYPE_CHECKING:
    from constructs import IConstruct

    from .._cdk.parameter_types import Function
    from .._cdk.rendered import FunctionUse

_OF_NESTED_STACKS = ("referenceto", "Outputs")
"""Parts of the names by which a nested stack knows what another one has, and another one what a nested stack has."""


def warn_of_other_invokers(quota: IConstruct, function: Function) -> None:
    """Warn of whatever else invokes the function, an alias or a version of it, or may."""
    resource = function.node.default_child
    if not isinstance(resource, lambda_.CfnFunction):
        return
    uses = _uses_around(quota)
    own = {resource.node.path: str(Stack.of(resource).get_logical_id(resource))}
    qualifiers = [use for use in uses if isinstance(use.resource, lambda_.CfnAlias | lambda_.CfnVersion)]
    own |= {use.resource.node.path: use.id for use in qualifiers if _is_of(use, own)}
    for use in uses:
        path = use.resource.node.path
        if path in own or path.startswith(f"{quota.node.path}/") or not _is_of(use, own):
            continue
        Annotations.of(quota).add_warning_v2(
            f"cdk-breakwater:quota-bypass-{use.resource.node.addr[-8:]}",
            f"{path} lets {function.node.path} be invoked past the quota: such calls take no slot, and may exceed "
            "every tier. Let it send to the quota's queue instead.",
        )


def _is_of(use: FunctionUse, own: dict[str, str]) -> bool:
    """Whether it names one of these resources; the text says most of it, since tokens take long to look at."""
    may_be = any(part in use.text for part in (*_OF_NESTED_STACKS, *own.values()))
    return may_be and any(target.node.path in own for target in references(use.values, use.resource))


class _Synth:
    """What was found during one synth, which every quota needs once."""

    def __init__(self, identity: str, root: Any) -> None:
        self.identity = identity
        self.uses = function_uses(root)
        self.served: set[str] = set()


_latest: list[_Synth] = []


def _uses_around(quota: IConstruct) -> list[FunctionUse]:
    stage: Any = Stage.of(quota) or quota.node.root
    identity, path = f"{app_identity(quota)} {stage.node.path}", quota.node.path
    if not _latest or _latest[0].identity != identity or path in _latest[0].served:
        _latest[:] = [_Synth(identity, stage)]
    _latest[0].served.add(path)
    return _latest[0].uses
