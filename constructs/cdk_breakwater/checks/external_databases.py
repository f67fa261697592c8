"""Databases that are in no template: what a function's variables tell of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .answers import Unknown, known_text
from .connection import Connection

if TYPE_CHECKING:
    from .answers import Answer
    from .resource import Resource

_WORDS = (
    r"(?:^|(?<!dynamo)_)(?:db|database|rds|mysql|mariadb|postgres(?:ql)?|pg|aurora|cache|redis|valkey|elasticache|"
    r"mongo(?:db)?|docdb|redshift|neptune|sql)_?"
)
# What a variable or a parameter is called that holds the address of a database.
_ADDRESS = re.compile(
    _WORDS + r"(?:(?!api_|data_|secret_|backup_)[a-z0-9]+_){0,2}"
    r"(?:host(?:_?name)?|endpoint|address|server|url|uri|dsn|connection_string)$",
    re.IGNORECASE,
)
# An address of anything, unless a variable beside it tells that it is a database's.
_ANY_ADDRESS = re.compile(
    r"(?:(?:primary|writer|master|cluster)_)?(?:host(?:_?name)?|endpoint|address|server)(?:_address)?", re.IGNORECASE
)
_BESIDE = re.compile(
    _WORDS + r"(?:[a-z0-9]+_)?(?:user(?:name)?|password|passwd|pass|port|secret(?:_arn)?)$", re.IGNORECASE
)
_PARAMETER = re.compile(r"\{([A-Za-z0-9]+)\}")
_CACHE = re.compile(r"cache|redis|valkey|memcached", re.IGNORECASE)
# What only a variable's name tells to be a database's: a host, and no web address.
_SOME_HOST = re.compile(r"(?:[a-z0-9{}-]+\.)+[a-z{][a-z0-9{}:-]*|\d+\.\d+\.\d+\.\d+(?::\d+)?", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# What an address of a database looks like: AWS's host names, and URLs with a driver's scheme.
_HOST = re.compile(
    r"\.rds\.amazonaws\.com|\.docdb\.amazonaws\.com|\.cache\.amazonaws\.com|\.redshift\.amazonaws\.com|"
    r"\.neptune\.amazonaws\.com|\.mongodb\.net|"
    r"\b(?:mysql2?|mariadb|postgres(?:ql)?|rediss?|mongodb(?:\+srv)?|jdbc:[a-z]+)(?:\+[a-z0-9]+)?://",
    re.IGNORECASE,
)
_PROXY = re.compile(r"proxy|pgbouncer|\.pooler\.", re.IGNORECASE)
_LOCAL = re.compile(r"localhost|127\.0\.0\.1|host\.docker\.internal|example\.(?:com|org)", re.IGNORECASE)


def to_external_database(function: Resource, environment: list[tuple[str, Answer]]) -> Connection | None:
    """Give what a function connects to by the address that it is told, None where that is no database's."""
    beside = any(_BESIDE.search(_words(name)) for name, _ in environment)
    for name, answer in environment:
        text = known_text(answer)
        if not text or _PROXY.search(name) or _PROXY.search(text) or _LOCAL.search(text):
            continue
        unknown = isinstance(answer, Unknown) and not answer.references and "://" not in text
        named = _is_address(name, text, beside=beside) and (unknown or _SOME_HOST.fullmatch(text))
        if _HOST.search(text) or named:
            noun = "cache" if _CACHE.search(f"{name} {text}") else "database"
            evidence = f"its address in the variable {name}"
            return Connection(function, None, evidence, outside=f"a {noun} elsewhere ({_place(text)})")
    return None


def _is_address(name: str, text: str, *, beside: bool) -> bool:
    if beside and _ANY_ADDRESS.fullmatch(_words(name)):
        return True
    parameter = _PARAMETER.fullmatch(text)
    return any(_ADDRESS.search(_words(each)) for each in (name, *(parameter.groups() if parameter else ())))


def _words(name: str) -> str:
    return _CAMEL.sub("_", name)


def _place(text: str) -> str:
    if text.startswith("{import "):
        return f"imported as {text[8:-1]}"
    if "{{resolve:" in text:
        return "known by a parameter or secret"
    # A password may stand before the host.
    return re.sub(r"//[^@/]*@", "//…@", text)[:80]
