"""Grants as people write them, read at synth: what is none fails here, not in the middle of a deployment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..._cdk.arguments import TEXTS, Kind, require
from ...errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...limits.engines import DatabaseEngine

_GRANT = re.compile(r"(?P<privileges>[A-Z][A-Z_ ,]*?)\s+ON\s+(?P<object>\S.*)", re.IGNORECASE)
_PRIVILEGE = re.compile(r"[A-Z]+( [A-Z]+)*")
_NEVER = ("GRANT OPTION", "PROXY")
# ON *.*, these make an administrator: who has them can read and change everything, or become somebody else.
# Source: MySQL 8.4 Reference Manual, "Privileges Provided by MySQL"; MariaDB documentation, "GRANT", global privileges.
_OF_ADMINISTRATORS = re.compile(
    r"ALL( PRIVILEGES)?|SUPER|(CREATE|DROP) (USER|ROLE)|FILE|SHUTDOWN|RELOAD|SET USER|.* ADMIN"
)
# Its tables say who may do what. Source: MySQL 8.4 Reference Manual, "Grant Tables".
_SYSTEM_SCHEMA = "mysql"
_HARMLESS_THERE = ("SELECT", "EXECUTE", "SHOW VIEW")
# Who has one of these can get a superuser's access.
# Source: Amazon RDS User Guide, "Understanding the rds_superuser role"; PostgreSQL docs, "Predefined Roles".
_ROLES_OF_ADMINISTRATORS = (
    "rds_superuser",
    "rdsadmin",
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
)
# What may stand before a name, with the parts that the name then has.
_MYSQL_KINDS = {"TABLE": 2, "FUNCTION": 2, "PROCEDURE": 2}
_POSTGRESQL_KINDS = {
    "TABLE": 2,
    "SEQUENCE": 2,
    "FUNCTION": 2,
    "PROCEDURE": 2,
    "ROUTINE": 2,
    "SCHEMA": 1,
    "DATABASE": 1,
    **{f"ALL {kind} IN SCHEMA": 1 for kind in ("TABLES", "SEQUENCES", "FUNCTIONS", "PROCEDURES", "ROUTINES")},
}
_UNQUOTED = r"[A-Za-z_][A-Za-z0-9_$]*"
_ROLE = re.compile(_UNQUOTED)
# MySQL 32, MariaDB 80, PostgreSQL 63: the least of them.
# Source: MySQL 8.4 Reference Manual, "Account User Names"; PostgreSQL docs, "Identifiers and Key Words".
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")
_RESERVED = re.compile(r"(pg_|rds)|(root|public|none|postgres)$", re.IGNORECASE)
_GRANTS = Kind("a list of texts, such as ['SELECT ON shop.*']", TEXTS.fits)


def check_user_name(where: str, name: str) -> None:
    """Insist on a user name that every engine takes and that is nobody's yet.

    Raises
    ------
    BreakwaterError
        When it is not.
    """
    if not _USER.fullmatch(name):
        raise BreakwaterError(
            where,
            f"{name!r} is not a valid name for a database user.",
            "Take up to 32 letters, digits, underscores and hyphens, not beginning with a digit or a hyphen.",
        )
    if _RESERVED.match(name):
        raise BreakwaterError(where, f"the user name {name!r} belongs to the database or to RDS.", "Take another one.")


def parse_grants(where: str, engine: DatabaseEngine, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Read grants into privileges, kind and name, so that no text of theirs reaches the database unquoted.

    Parameters
    ----------
    where
        Whom the error names.
    engine
        Whose grants these are.
    texts
        Each what stands between GRANT and TO: privileges ON one object, or, in PostgreSQL, a role.

    Returns
    -------
    list of dict
        `Privileges`, `On` and `Name` for the custom resource; the name's parts are not quoted.

    Raises
    ------
    BreakwaterError
        When one is no grant that the engine knows.
    """
    if isinstance(texts, str):
        raise BreakwaterError(where, f"grants is the text {texts!r}.", f"Give a list: grants=[{texts!r}].")
    require(where, {"grants": texts}, {"grants": _GRANTS}, needed=("grants",))
    return [_parse(where, engine, text) for text in texts]


def _parse(where: str, engine: DatabaseEngine, text: str) -> dict[str, Any]:
    stripped = text.strip()
    match = _GRANT.fullmatch(stripped)
    if match is None:
        if engine.is_postgresql and _ROLE.fullmatch(stripped):
            if stripped.lower() in _ROLES_OF_ADMINISTRATORS:
                raise _error(where, engine, text, f"{stripped.lower()} makes the user an administrator")
            return {"Privileges": [stripped.lower()], "On": "ROLE", "Name": [stripped.lower()]}
        raise _error(where, engine, text, "it is not of that form")
    privileges = [" ".join(privilege.upper().split()) for privilege in match["privileges"].split(",")]
    for privilege in privileges:
        if not _PRIVILEGE.fullmatch(privilege) or privilege in _NEVER:
            raise _error(where, engine, text, f"{privilege!r} is not a privilege that can be granted")
    kind, name = _object(where, engine, text, match["object"])
    for privilege in privileges:
        if name == ["*", "*"] and _OF_ADMINISTRATORS.fullmatch(privilege):
            reason = f"{privilege} on every database makes the user an administrator"
            raise _error(where, engine, text, reason)
        if engine.is_mysql and name[0].lower() == _SYSTEM_SCHEMA and privilege not in _HARMLESS_THERE:
            reason = f"{privilege} on the server's own database makes the user an administrator"
            raise _error(where, engine, text, reason)
    return {
        "Privileges": ["ALL" if privilege == "ALL PRIVILEGES" else privilege for privilege in privileges],
        "On": kind,
        "Name": name,
    }


def _object(where: str, engine: DatabaseEngine, text: str, given: str) -> tuple[str, list[str]]:
    kinds = _MYSQL_KINDS if engine.is_mysql else _POSTGRESQL_KINDS
    quote = "`" if engine.is_mysql else '"'
    quoted = f"{quote}(?:[^{quote}\\0\\n]|{quote}{quote})+{quote}"
    part = f"(?:{_UNQUOTED}|{quoted})"
    pattern = rf"(?:(?P<kind>{'|'.join(kinds).replace(' ', ' +')}) +)?(?P<name>{part}(?:\.(?:{part}|\*))?|\*\.\*)"
    match = re.fullmatch(pattern, given, re.IGNORECASE)
    if match is None:
        raise _error(where, engine, text, f"{given!r} is not an object")
    kind = " ".join((match["kind"] or "TABLE").upper().split())
    name = [_unquoted(found, quote, engine) for found in re.findall(rf"{part}|\*", match["name"])]
    if len(name) != kinds[kind]:
        wanted = "a database or schema and a name in it" if kinds[kind] == 2 else "one name"
        raise _error(where, engine, text, f"{kind} needs {wanted}")
    if name[-1] == "*" and not match["name"].endswith("*"):
        raise _error(where, engine, text, "a table that is called * cannot be told from every table")
    if name[-1] == "*" and (kind != "TABLE" or (name[0] == "*" and engine.is_postgresql)):
        raise _error(where, engine, text, f"{match['name']!r} is not a {kind}")
    return kind, name


def _unquoted(part: str, quote: str, engine: DatabaseEngine) -> str:
    if part.startswith(quote):
        return part[1:-1].replace(quote * 2, quote)
    # as PostgreSQL reads a name without quotes
    return part.lower() if engine.is_postgresql else part


def _error(where: str, engine: DatabaseEngine, text: str, reason: str) -> BreakwaterError:
    examples = '"SELECT, INSERT ON shop.*" or "EXECUTE ON PROCEDURE shop.refresh"'
    if engine.is_postgresql:
        examples = '"SELECT, INSERT ON shop.*", "USAGE ON SCHEMA shop" or a role\'s name'
    return BreakwaterError(
        where,
        f"the grant {text!r} is not understood: {reason}.",
        f"Write the text between GRANT and TO, privileges ON one object: {examples}.",
    )
