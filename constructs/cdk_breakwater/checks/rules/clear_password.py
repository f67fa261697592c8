"""A database's password stands in no function's settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..answers import UNKNOWN, Answer, Block, Unknown, parameter_of
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly
    from ..resource import Resource


_NAME = re.compile(
    r"(?:^|_)(?:db|database|rds|mysql|mariadb|postgres(?:ql)?|pg|aurora|redis|mongo(?:db)?|docdb|redshift|sql)_?"
    r"(?:[a-z]+_)?(?:password|passwd|pass|pwd|auth_?token)$",
    re.IGNORECASE,
)
# The whole of a parameter, and what one is called that holds the name of a password and not the password.
_PARAMETER = re.compile(r"\{([A-Za-z0-9]+)\}")
_KEPT = re.compile(r"arn|secret|path|name|ssm|key", re.IGNORECASE)
_URL = re.compile(
    r"\b(?:mysql2?|mariadb|postgres(?:ql)?|rediss?|mongodb(?:\+srv)?)(?:\+[a-z0-9]+)?://[^:/@\s{}]*:(?:[^@/\s{}]+|\{+[^@/]*)@",
    re.IGNORECASE,
)
# The property with the password of each, and those with what may be called the same.
_USER = ("MasterUsername", "DBName", "DatabaseName")
_PASSWORDS = {
    "AWS::RDS::DBInstance": ("MasterUserPassword", *_USER),
    "AWS::RDS::DBCluster": ("MasterUserPassword", *_USER),
    "AWS::DocDB::DBCluster": ("MasterUserPassword", *_USER),
    "AWS::Redshift::Cluster": ("MasterUserPassword", *_USER),
    "AWS::RedshiftServerless::Namespace": ("AdminUserPassword", "AdminUsername", "DbName"),
    "AWS::ElastiCache::ReplicationGroup": ("AuthToken",),
}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def check(resource: Resource) -> Iterator[Finding]:
    """Find a variable with a password, or with one that CloudFormation puts there."""
    variables = resource.block("Environment", "Variables")
    if not isinstance(variables, Block):
        return
    passwords = _passwords(resource.template.assembly)
    found = [
        str(name)
        for name in variables.names()
        if (_NAME.search(_CAMEL.sub("_", str(name))) and _is_clear(variables.get(name)))
        or _has_password(variables.get(name))
        or any(_holds(resource, variables.get(name), *password) for password in passwords)
    ]
    if found:
        yield Finding(
            resource,
            f"Properties.Environment.Variables.{found[0]}",
            f"{resource.name} has a password in clear in {', '.join(found)}.",
            found=", ".join(found),
            needed="a secret's ARN",
        )


def _passwords(assembly: Assembly) -> list[tuple[Resource, str | Unknown]]:
    """Give the passwords of the databases and caches in the templates."""
    return assembly.choices.cached("passwords", lambda: list(_find_passwords(assembly)))


def _find_passwords(assembly: Assembly) -> Iterator[tuple[Resource, str | Unknown]]:
    for type_, (property_, *names) in _PASSWORDS.items():
        for server in assembly.resources(type_):
            password = server.get(property_)
            # A user of the same name is no secret.
            known = ("", *(server.get(name) for name in names))
            if isinstance(password, str | Unknown) and password not in known and password != UNKNOWN:
                yield server, password


def _holds(function: Resource, answer: Answer, server: Resource, password: str | Unknown) -> bool:
    """Tell whether a value is a password or has it in it, by the same parameter or the same dynamic reference."""
    if isinstance(password, Unknown):
        # What is in braces has a meaning in its own app only; a secret's name has it everywhere.
        apart = function.template.root is not server.template.root and "{" in password.text.replace("{{", "")
        return not apart and isinstance(answer, Unknown) and bool(password.text) and password.text in answer.text
    return parameter_of(answer) == parameter_of(password) and isinstance(answer, str) and answer == password


def _is_clear(answer: Answer) -> bool:
    if isinstance(answer, Unknown):
        # A secret that is resolved at deployment stands in the settings as well.
        if "{{resolve:" in answer.text:
            return True
        # A parameter's value stands in the settings as well: NoEcho hides it in CloudFormation's own answers only.
        parameter = _PARAMETER.fullmatch(answer.text)
        return parameter is not None and not answer.references and not _KEPT.search(parameter[1])
    if parameter_of(answer) is not None and _KEPT.search(str(parameter_of(answer))):
        return False
    return isinstance(answer, str) and bool(answer) and not answer.startswith(("arn:", "/"))


def _has_password(answer: Answer) -> bool:
    """Tell whether a value is a database's URL with a password in it."""
    return (
        _URL.search(answer.text if isinstance(answer, Unknown) else answer if isinstance(answer, str) else "")
        is not None
    )


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
