"""A database's password stands in no function's settings."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from ..answers import Answer, Block, Unknown, known_text, parameter_of
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
# Of a text that is not known, the parts that are not: parameters, attributes and dynamic references.
_PART = "{"
_PARTS = re.compile(r"\{\{(?:[^{}]|\{[^{}]*\})*\}\}|\{[^{}]*\}")
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
    found = [
        str(name)
        for name in variables.names()
        if (_NAME.search(_CAMEL.sub("_", str(name))) and _is_clear(variables.get(name)))
        or _has_password(variables.get(name))
        or _is_a_servers(resource, variables.get(name))
    ]
    if found:
        yield Finding(
            resource,
            f"Properties.Environment.Variables.{found[0]}",
            f"{resource.name} has a password in clear in {', '.join(found)}.",
            found=", ".join(found),
            needed="a secret's ARN",
        )


def _passwords(assembly: Assembly) -> dict[tuple[str | None, str], list[Resource]]:
    """Give the databases and caches by their passwords: the parameter whose default it is, and its text."""
    return assembly.choices.cached("passwords", lambda: _find_passwords(assembly))


def _find_passwords(assembly: Assembly) -> dict[tuple[str | None, str], list[Resource]]:
    found: defaultdict[tuple[str | None, str], list[Resource]] = defaultdict(list)
    for type_, (property_, *names) in _PASSWORDS.items():
        for server in assembly.resources(type_):
            password = server.get(property_)
            # A user of the same name is no secret.
            if isinstance(password, str) and password and password not in [server.get(name) for name in names]:
                found[parameter_of(password), str(password)].append(server)
            elif isinstance(password, Unknown) and password.text:
                found[_PART, password.text].append(server)
    return dict(found)


def _is_a_servers(function: Resource, answer: Answer) -> bool:
    """Tell whether a value is a server's password or has it in it, by the same parameter or dynamic reference."""
    passwords = _passwords(function.template.assembly)
    if isinstance(answer, str):
        return (parameter_of(answer), str(answer)) in passwords
    if not isinstance(answer, Unknown):
        return False
    root = function.template.root
    return any(
        # What is in braces has a meaning in its own app only; a secret's name has it everywhere.
        "{" not in part.replace("{{", "") or any(server.template.root is root for server in passwords[_PART, part])
        for part in {answer.text, *_PARTS.findall(answer.text)}
        if (_PART, part) in passwords
    )


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
    return _URL.search(known_text(answer)) is not None


RULE = Rule(
    id="ClearPassword",
    requires="No environment variable of a function contains a database's password.",
    reason="Everyone who may view the function can read the password, and each change of the password needs a "
    "deployment.",
    fix="Pass the secret's ARN and give the function permission to read the secret, or use IAM authentication.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html",
    severity=Severity.NOTE,
    of=("AWS::Lambda::Function",),
    check=check,
)
