"""Whether the variables of a function's databases fit into its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aws_cdk import Annotations

from .._cdk.rendered import rendered
from ..limits.aws_lambda import ENVIRONMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

    from aws_cdk import aws_lambda as lambda_

# What CloudFormation appends to a name that it makes of a logical id: a hyphen and 12 characters.
_RANDOM = 13
_ARN = len("arn:aws:secretsmanager:eu-central-1:123456789012:secret:-AbCdEf")
_HOST = len("shop-.cabcdefghijk.eu-central-1.rds.amazonaws.com")


class _Size(NamedTuple):
    """Bytes, where CloudFormation fills in what is short, and what such values mostly are."""

    least: int
    likely: int

    @classmethod
    def of(cls, value: Any) -> _Size:
        if not isinstance(value, dict):
            length = len(str(value).encode())
            return cls(length, length)
        if "Fn::Join" in value:
            between, parts = value["Fn::Join"]
            sizes = [cls.of(part) for part in parts]
            return cls(
                sum(size.least for size in sizes), sum(size.likely for size in sizes) + len(between) * len(parts)
            )
        if "Ref" in value:
            name = len(value["Ref"]) + _RANDOM
            return cls(0, _ARN + name)
        if "Fn::GetAtt" in value:
            logical_id, attribute = value["Fn::GetAtt"]
            return cls(0, 5 if attribute.endswith("Port") else _HOST + len(logical_id) + _RANDOM)
        return cls(0, _ARN)


def environment_errors(function: lambda_.Function, databases: Collection[str]) -> list[str]:
    """Return an error where a function's variables exceed what Lambda takes for certain; warn where they may.

    Parameters
    ----------
    function
        Whose they are.
    databases
        The names of its databases.
    """
    resource: Any = function.node.default_child
    variables = rendered(resource, "Environment").get("Environment", {}).get("Variables", {})
    names = sum(len(name.encode()) for name in variables)
    sizes = [_Size.of(value) for value in variables.values()]
    least, likely = names + sum(size.least for size in sizes), names + sum(size.likely for size in sizes)
    what = f"the variables of its {len(databases)} databases and its own make"
    remedy = "Give a further function some of the databases, or keep settings of your own in Parameter Store."
    if least > ENVIRONMENT_BYTES:
        return [f"{what} at least {least:,} bytes of environment, and Lambda takes {ENVIRONMENT_BYTES:,}. {remedy}"]
    if likely > ENVIRONMENT_BYTES:
        Annotations.of(function).add_warning_v2(
            "cdk-breakwater:environment-size",
            f"{what} about {likely:,} bytes of environment once deployed, and Lambda takes {ENVIRONMENT_BYTES:,}. "
            f"{remedy}",
        )
    return []
