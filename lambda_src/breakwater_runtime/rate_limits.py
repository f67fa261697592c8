"""What a provider says about its limits in the headers of a response."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from time import time
from typing import Any, NamedTuple

from breakwater_runtime.header_times import UNIX_SECONDS, read_number, read_time

_UNITS = {"": None, "requests": "calls", "tokens": "weight"}
_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_POLICY = "ratelimit-policy"
_OURS = re.compile("rate-?limit")
_MOST_ITEMS = 20  # of one header, or it could fill the log
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")

Limit = dict[str, "float | str"]
_log = logging.getLogger(__name__)


class _Policy(NamedTuple):
    """A limit and its period (s), whatever remains of it."""

    name: str
    limit: float | None
    window: float | None
    unit: str

    @property
    def is_counted(self) -> bool:
        """Whether a quota counts such a thing."""
        return self.limit is not None and bool(self.window) and self.unit in _UNITS


def rate_limit(response: object) -> dict[str, list[Limit]]:
    """Tell the quota what the provider counts: what the function returns.

    What remains until the provider's window is reset lowers the use of the quota, since others may use the same key, or
    its limits may have been lowered. It never raises it above the stated tiers.

    Parameters
    ----------
    response
        Of any HTTP client or of boto3, or its headers: a mapping, pairs, or an `HTTPMessage`. Read are ``RateLimit``
        and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers, today's form and those before), and
        ``X-RateLimit-Limit``, ``-Remaining`` and ``-Reset``, also with ``-Requests`` and ``-Tokens``. A reset may be
        seconds, a span such as ``6m0s``, a Unix time, also in milliseconds, or a date. Limits of bytes or of concurrent
        requests are left out.

    Returns
    -------
    dict
        To be returned by the function, alone or with more: ``return breakwater.rate_limit(response)``, or
        ``breakwater.used(812) | breakwater.rate_limit(response)``. Empty when nothing in the headers is understood: the
        call has succeeded, so nothing is raised, and what makes no sense is logged. A function in any language may
        return ``{"rateLimits": [{"remaining": 7, "reset": 30}]}``.
    """
    try:
        found = _limits(_headers(response))
    except Exception as error:
        _log.warning("rate_limit can't read the headers of %s: %r", type(response).__name__, error)
        return {}
    return {"rateLimits": found} if found else {}


def _limits(headers: Mapping[str, str]) -> list[Limit]:
    policies = _policies(headers)
    return (
        _structured(headers, policies)
        or [limit for unit in _UNITS for prefix in _PREFIXES if (limit := _plain(headers, prefix, unit, policies))]
        # Where it is said of one what remains, only the tightest may be: of the others less than all may remain.
        or [
            _limit(remaining=each.limit, limit=each.limit, window=each.window, unit=_UNITS[each.unit])
            for each in policies
            if each.is_counted
        ]
    )


def _headers(response: object) -> dict[str, str]:
    """Return those of interest, by their names in lower case; one that came twice is a list."""
    given: Any = getattr(response, "headers", response)
    for name in ("ResponseMetadata", "HTTPHeaders"):
        given = given.get(name, given) if isinstance(given, Mapping) else given
    items = getattr(given, "items", None)
    headers = dict[str, str]()
    for name, value in items() if callable(items) else given:
        lower, text = _text(name).lower(), _text(value)
        if _OURS.search(lower):
            headers[lower] = f"{headers[lower]}, {text}" if lower in headers else text
    return headers


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(each) for each in value)
    text = value.decode("latin-1") if isinstance(value, bytes) else str("" if value is None else value)
    return text.strip()


def _items(text: str) -> list[tuple[str, dict[str, str]]]:
    """Return the names and parameters of a list, such as `"default";q=100;w=60, 9;w=1`."""
    items = list[tuple[str, dict[str, str]]]()
    for member in _split(text, ",")[:_MOST_ITEMS]:
        name, *parameters = _split(member, ";") or [""]
        pairs = (parameter.partition("=") for parameter in parameters)
        items.append((name.strip('"'), {key.strip(): value.strip(' "') for key, _, value in pairs}))
    return items


def _split(text: str, separator: str) -> list[str]:
    """Split at what does not stand in quotes."""
    parts = re.findall(rf'(?:[^{separator}"]|"[^"]*"?)+', text)
    return [part.strip() for part in parts if part.strip()]


def _policies(headers: Mapping[str, str]) -> list[_Policy]:
    """Return what `RateLimit-Policy` names, or a limit such as "100, 100;w=60" in the first drafts."""
    units = {_POLICY: ""} | {_name(prefix, "limit", unit): unit for prefix in _PREFIXES for unit in _UNITS}
    return [
        _Policy(
            name,
            # Before draft 8 a policy was named by its limit.
            _number(header, parameters.get("q", name)),
            _number(header, parameters.get("w")),
            parameters.get("qu", unit),
        )
        for header, unit in units.items()
        for name, parameters in _items(headers.get(header, ""))
        if header == _POLICY or "w" in parameters
    ]


def _structured(headers: Mapping[str, str], policies: list[_Policy]) -> list[Limit]:
    text = headers.get("ratelimit", "")
    items = _items(text)
    if items and all("=" in name and not parameters for name, parameters in items):  # draft 7
        items = [("", {key: value for key, _, value in (name.partition("=") for name, _ in items)})]
    limits = list[Limit]()
    for name, found in items:
        remaining = _number("ratelimit", found.get("r", found.get("remaining", text)))
        limit = _number("ratelimit", found.get("limit"))
        policy = next((each for each in policies if each.name == name), None) or _policy_of(limit, "", policies)
        if remaining is None or (policy and policy.unit not in _UNITS):
            continue
        limits.append(
            _limit(
                remaining=remaining,
                reset=_reset("ratelimit", found.get("t", found.get("reset"))),
                limit=policy.limit if policy else limit,
                window=policy.window if policy else None,
                unit=_UNITS[policy.unit] if policy else None,
            )
        )
    return limits


def _plain(headers: Mapping[str, str], prefix: str, unit: str, policies: list[_Policy]) -> Limit:
    limited, remains, resets = (_name(prefix, name, unit) for name in ("limit", "remaining", "reset"))
    text = headers.get(limited, "")
    limit = _number(limited, text if _THOUSANDS.fullmatch(text) else re.split("[,;]", text)[0])
    remaining = _number(remains, headers.get(remains))
    reset = _reset(resets, headers.get(resets))
    policy = _policy_of(limit, unit, policies)
    if remaining is None or (policy and policy.unit not in _UNITS):
        return {}
    return _limit(
        remaining=remaining, reset=reset, limit=limit, window=policy.window if policy else None, unit=_UNITS[unit]
    )


def _name(prefix: str, field: str, unit: str) -> str:
    return f"{prefix}{field}-{unit}" if unit else f"{prefix}{field}"


def _policy_of(limit: float | None, unit: str, policies: list[_Policy]) -> _Policy | None:
    """Return the policy with a limit that came without its period."""
    weighs = unit == "tokens"
    return next((each for each in policies if each.limit == limit and (each.unit == "tokens") == weighs), None)


def _limit(**fields: float | str | None) -> Limit:
    return {name: value for name, value in fields.items() if value is not None}


def _number(header: str, text: str | None) -> float | None:
    number = read_number(text.replace(",", "") if text and _THOUSANDS.fullmatch(text) else text or "")
    if text and number is None:
        _nonsense(header, text)
    return number


def _reset(header: str, text: str | None) -> float | None:
    """Return the seconds until then."""
    instant = read_time(text or "")
    if text and instant is None:
        _nonsense(header, text)
    return max(0.0, instant - time()) if instant is not None and instant >= UNIX_SECONDS else instant


def _nonsense(header: str, text: str) -> None:
    _log.warning("The provider's header %s says %.100r, which makes no sense and is left out", header, text)
