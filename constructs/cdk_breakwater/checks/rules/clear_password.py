"""A database's password stands in no function's settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..answers import Answer, Block, Unknown
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


_NAME = re.compile(
    r"(?:^|_)(?:db|database|rds|mysql|mariadb|postgres(?:ql)?|pg|aurora|redis|mongo(?:db)?|docdb|redshift|sql)_?"
    r"(?:[a-z]+_)?(?:password|passwd|pass|pwd)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def check(resource: Resource) -> Iterator[Finding]:
    """Find a variable with a password, or with one that CloudFormation puts there."""
    variables = resource.block("Environment", "Variables")
    if not isinstance(variables, Block):
        return
    clear = [str(name) for name in variables.names() if _NAME.search(_CAMEL.sub("_", str(name)))]
    found = [name for name in clear if _is_clear(variables.get(name))]
    if found:
        yield Finding(
            resource,
            f"Properties.Environment.Variables.{found[0]}",
            f"{resource.name} has a password in clear in {', '.join(found)}.",
            found=", ".join(found),
            needed="a secret's ARN",
        )


def _is_clear(answer: Answer) -> bool:
    if isinstance(answer, Unknown):
        # A secret that is resolved at deployment stands in the settings as well.
        return "{{resolve:secretsmanager:" in answer.text or "{{resolve:ssm-secure:" in answer.text
    return isinstance(answer, str) and bool(answer) and not answer.startswith(("arn:", "/"))


RULE = Rule(
    id="ClearPassword",
    requires="No variable of a function is the password of a database.",
    reason="Everyone who may look at the function may read it, and each change of the password needs a deployment.",
    fix="Give the function the secret's ARN and the permission to read it, or use IAM authentication.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html",
    severity=Severity.NOTE,
    of=("AWS::Lambda::Function",),
    check=check,
)
