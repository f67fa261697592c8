"""What a provider says about its limits in the headers of a response."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from time import time
from typing import Protocol

_UNITS = {"": None, "-requests": "calls", "-tokens": "weight"}
_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_PARAMETER = re.compile(r"""([a-z][\w-]*)\s*=\s*"?([^;,"]*)"?""")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNIX_SECONDS = 1e9
"""From here on a number is an instant, not a span."""

Limit = dict[str, "float | str"]


class Response(Protocol):
    """What HTTP clients return."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""
        ...


def rate_limit(response: Response | Mapping[str, str]) -> dict[str, list[Limit]]:
    """Tell the quota what the provider counts: what the function returns.

    What remains until the provider's window is reset lowers the use of the quota, since others may use the same key, or
    its limits may have been lowered. It never raises it above the stated tiers.

    Parameters
    ----------
    response
        Of any HTTP client, or its headers. Read are ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-
        ratelimit-headers, today's form and those before), and ``X-RateLimit-Limit``, ``-Remaining`` and ``-Reset``,
        also with ``-Requests`` and ``-Tokens``. A reset may be seconds, a span such as ``6m0s``, a Unix time or a date.

    Returns
    -------
    dict
        To be returned by the function, alone or with more: ``return breakwater.rate_limit(response)``, or
        ``breakwater.used(812) | breakwater.rate_limit(response)``. Empty when nothing in the headers is understood. A
        function in any language may return ``{"rateLimits": [{"remaining": 7, "reset": 30}]}``.
    """
    given = response if isinstance(response, Mapping) else response.headers
    headers = {str(name).lower(): str(value) for name, value in given.items()}
    now = time()
    found = _structured(headers, now)
    if not found:
        found = [limit for unit in _UNITS for prefix in _PREFIXES if (limit := _plain(headers, prefix, unit, now))]
    return {"rateLimits": found} if found else {}


def _structured(headers: Mapping[str, str], now: float) -> list[Limit]:
    policies = dict(_items(headers.get("ratelimit-policy", "")))
    limits: list[Limit] = []
    for name, found in _items(headers.get("ratelimit", "")):
        policy = policies.get(name, {})
        fields = {
            "remaining": found.get("r", found.get("remaining")),
            "reset": found.get("t", found.get("reset")),
            "limit": policy.get("q", found.get("limit")),
            "window": policy.get("w"),
        }
        if limit := _limit(fields, now):
            limits.append(limit)
    return limits


def _items(header: str) -> list[tuple[str, dict[str, str]]]:
    """Return names and parameters. A form of the draft that is older has one item, whose parameters stand in a list."""
    members = header.split(",")
    if not header or all("=" in member and ";" not in member for member in members):
        parameters = dict(_PARAMETER.findall(header))
        return [("", parameters)] if parameters else []
    return [(member.split(";")[0].strip().strip('"'), dict(_PARAMETER.findall(member))) for member in members]


def _plain(headers: Mapping[str, str], prefix: str, unit: str, now: float) -> Limit | None:
    fields: dict[str, str | None] = {
        name: headers.get(f"{prefix}{name}{unit}") for name in ("limit", "remaining", "reset")
    }
    if fields["limit"]:  # "100, 100;w=60"
        fields["window"] = dict(_PARAMETER.findall(fields["limit"])).get("w")
        fields["limit"] = fields["limit"].split(",")[0]
    limit = _limit(fields, now)
    if limit and (counts := _UNITS[unit]):
        limit["unit"] = counts
    return limit


def _limit(fields: Mapping[str, str | None], now: float) -> Limit | None:
    numbers = {name: _number(text.strip()) for name, text in fields.items() if text is not None and name != "reset"}
    if numbers.get("remaining") is None:
        return None
    numbers["reset"] = _reset((fields.get("reset") or "").strip(), now)
    return {name: number for name, number in numbers.items() if number is not None}


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _reset(text: str, now: float) -> float | None:
    """Return the seconds until then."""
    number = _number(text)
    if number is None:
        return _span(text) or _instant(text, now)
    return max(0.0, number - now) if number >= _UNIX_SECONDS else number


def _span(text: str) -> float | None:
    if not re.fullmatch(rf"({_SPAN.pattern})+", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))


def _instant(text: str, now: float) -> float | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            instant = read(text.replace("Z", "+00:00"))
        except (ValueError, TypeError):
            continue
        return max(0.0, instant.replace(tzinfo=instant.tzinfo or timezone.utc).timestamp() - now)
    return None
