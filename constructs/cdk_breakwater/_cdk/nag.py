"""Acknowledging a rule of cdk-nag on a resource of this library, with the reason why it is right as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

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


def compliance_rules(*names: str) -> list[str]:
    """Name rules as the HIPAA, NIST 800-53 R5 and PCI DSS packs of cdk-nag do, which have most of them in common."""
    return [f"{pack}-{name}" for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321") for name in names]
