"""Whether the keys of a quota, and the tiers that each of them has, make sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_iam as iam

from ..errors import BreakwaterError
from .grantee import require_grantee
from .tier import SOURCES, QuotaTier, is_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from constructs import IConstruct

MESSAGE_GROUP = "message group"


def check_keys(
    quota: IConstruct,
    key: object,
    key_tiers: Sequence[QuotaTier] | None,
    *,
    tiers: Sequence[QuotaTier],
    others: dict[str, bool],
) -> list[QuotaTier]:
    """Return the tiers of each key; none without a key.

    Parameters
    ----------
    quota
        Whose keys they are.
    key, key_tiers, tiers
        As `QuotaThrottledInvocation` was given them.
    others
        What else it was asked for that keys don't go together with.

    Raises
    ------
    BreakwaterError
        For a key that is neither a path nor the name of an attribute, and for what contradicts it.
    """
    if key is None:
        if key_tiers is not None:
            raise BreakwaterError(
                quota, "key_tiers are given, and no key.", "Say with key='$.tenant' where the key of a message stands."
            )
        return []
    if not isinstance(key, str) or not (key == MESSAGE_GROUP or is_source(key)):
        raise BreakwaterError(
            quota,
            f"key={key!r} is neither a path, nor the name of an attribute, nor {MESSAGE_GROUP!r}.",
            f"{SOURCES[:-1]}, or {MESSAGE_GROUP!r}.",
        )
    if not key_tiers:
        raise BreakwaterError(
            quota,
            f"key={key!r} is given, and no tiers for each key.",
            "Give key_tiers=[QuotaTier(…)]: what each key is granted, below the tiers that all share.",
        )
    for name, given in others.items():
        if given:
            raise BreakwaterError(
                quota,
                f"key={key!r} and {name} don't go together: each key has a line of its own, and the keys take turns.",
                f"Leave out {name}.",
            )
    weights = dict.fromkeys(tier.weight for tier in (*tiers, *key_tiers) if tier.weight)
    if len(weights) > 1:
        raise BreakwaterError(
            quota,
            f"its tiers and those of its keys count different weights: {', '.join(weights)}.",
            "Let all tiers that count weights name the same one, or count calls.",
        )
    return list(key_tiers)


def plans_grant(quota: IConstruct, table: dynamodb.ITable | dynamodb.Table, grantee: iam.IGrantable) -> iam.Grant:
    """Allow to write plans, which are the items of the quota's table whose id begins with ``plan/``."""
    require_grantee(quota, grantee)
    return iam.Grant.add_to_principal(
        grantee=grantee,
        actions=["dynamodb:PutItem", "dynamodb:DeleteItem"],
        resource_arns=[table.table_arn],
        # Amazon DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control"
        conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["plan/*"]}},
    )


def keyed_setting(key: str | None, key_tiers: Sequence[QuotaTier]) -> dict[str, Any]:
    """Return what the dispatcher reads of keys; nothing without one."""
    return {"key": key, "key_tiers": [tier.setting() for tier in key_tiers]} if key else {}


def deployed_tiers(tiers: list[dict[str, Any]], keyed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all that a deployment may change under a dispatcher that is awake, as the dispatcher does."""
    return [*tiers, {"key": keyed["key"], "tiers": keyed["key_tiers"]}] if keyed else tiers
