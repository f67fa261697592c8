"""Whether a security group takes as many rules as functions ask of it."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Stack

from .._cdk.late_validation import validate_at_synth
from .._cdk.rendered import rendered_resources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import IConstruct

# Source: Amazon VPC User Guide, "Amazon VPC quotas": inbound rules for each security group; AWS raises it on request.
_INBOUND_RULES = 60


def watch_security_group_capacity(rule: IConstruct, databases: Mapping[str, IConstruct]) -> None:
    """Warn at synth of security groups that get more inbound rules than EC2 takes by default.

    Parameters
    ----------
    rule
        Any rule of the app.
    databases
        By the path of a rule, the database that it leads to; more may come.
    """
    validate_at_synth(Stack.of(rule), partial(_warn, rule.node.root, databases))


def _warn(root: IConstruct, databases: Mapping[str, IConstruct]) -> None:
    rules: list[Any] = [rule for rule, _ in rendered_resources(root, "AWS::EC2::SecurityGroupIngress")]
    # A token of the group's id is the same in every stack of the app, what is rendered of it is not.
    counts = Counter(rule.group_id for rule in rules)
    if not counts or counts.most_common(1)[0][1] <= _INBOUND_RULES:
        return
    named: dict[str, IConstruct] = {rule.group_id: rule.node.scope for rule in rules}
    named |= {rule.group_id: databases[rule.node.path] for rule in rules if rule.node.path in databases}
    for group, count in counts.items():
        if count > _INBOUND_RULES:
            Annotations.of(named[group]).add_warning_v2(
                "cdk-breakwater:security-group-rules",
                f"its security group gets {count} inbound rules, and EC2 takes {_INBOUND_RULES} unless the account's "
                "quota was raised. Give functions a security group in common (security_groups=[…]): it needs one.",
            )
