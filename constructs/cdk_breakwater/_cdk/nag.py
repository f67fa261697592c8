"""Acknowledging a rule of cdk-nag on a resource of this library, with the reason why it is right as it is."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Acknowledgment, AspectPriority, Aspects, CfnResource, IAspect, Validations

if TYPE_CHECKING:
    from constructs import IConstruct


def acknowledge(construct: IConstruct, reason: str, *rules: str) -> None:
    """Acknowledge rules on a construct and what is beneath it.

    Parameters
    ----------
    construct
        Where the rules would speak.
    reason
        Why the resource is right as it is.
    rules
        Ids, `RuleId` or `RuleId[FindingId]`.
    """
    # Before 2.269, aws-cdk-lib refuses an id with a second "::", such as that of a finding with an ARN in it. This
    # metadata is what `acknowledge` writes, and what cdk-nag reads.
    refused = {f"Annotation::{rule}": reason for rule in rules if rule.count("::") > 1}
    if refused:
        construct.node.add_metadata(Validations.ACKNOWLEDGED_RULES_METADATA_KEY, refused)
    accepted = [Acknowledgment(id=rule, reason=reason) for rule in rules if rule.count("::") <= 1]
    if accepted:
        Validations.of(construct).acknowledge(*accepted)
    if _is_cdk_nag_2_in_use():
        suppressions = _Suppressions([_suppression(rule, reason) for rule in rules])
        Aspects.of(construct).add(suppressions, priority=AspectPriority.MUTATING)


def compliance_rules(*names: str) -> list[str]:
    """Name rules as the HIPAA, NIST 800-53 R5 and PCI DSS packs of cdk-nag do, which have most of them in common."""
    return [f"{pack}-{name}" for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321") for name in names]


def _is_cdk_nag_2_in_use() -> bool:
    """Tell whether the app has imported a cdk-nag that reads the metadata of resources, not acknowledgements."""
    if "cdk_nag" not in sys.modules:
        return False
    try:
        return version("cdk-nag").startswith("2.")
    except PackageNotFoundError:
        return False


def _suppression(rule: str, reason: str) -> dict[str, Any]:
    rule, _, finding = rule.removesuffix("]").partition("[")
    return {"id": rule, "reason": reason, **({"applies_to": [finding]} if finding else {})}


@jsii.implements(IAspect)
class _Suppressions:
    """Writes what `NagSuppressions` of cdk-nag 2 writes, also to resources that are made later."""

    def __init__(self, suppressions: list[dict[str, Any]]) -> None:
        self._suppressions = suppressions

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, CfnResource):
            known = (node.get_metadata("cdk_nag") or {}).get("rules_to_suppress", [])
            node.add_metadata("cdk_nag", {"rules_to_suppress": [*known, *self._suppressions]})
