"""Mapping templates as API Gateway renders them: airspeed for Velocity, and the variables of its reference."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

import airspeed

# A name may hold a hyphen in Velocity, and not in airspeed. Source: Velocity Template Language Reference, "References".
airspeed.NameOrCall.NAME = re.compile(r"([_a-z][a-z0-9_-]*)", re.DOTALL | re.IGNORECASE)
airspeed.SetDirective.PLACE = re.compile(r"\s*\$([a-z_][a-z0-9_-]*(?:\.[a-z_][a-z0-9_-]*)*)", re.DOTALL | re.IGNORECASE)

METHODS: dict[type, dict[str, Any]] = airspeed.__additional_methods__


def substring(text: str, start: int) -> str:
    return text[start:]


METHODS[str]["substring"] = substring


class Input:
    """`$input`. The source of what it does: API Gateway Developer Guide, "Variables for data transformations"."""

    def __init__(self, body: str, parameters: dict[str, str]) -> None:
        self.body = body
        self._parameters = parameters

    def params(self, name: str) -> str:
        return self._parameters.get(name, "")

    def path(self, path: str) -> Any:
        value = json.loads(self.body)
        for name in path.removeprefix("$").strip(".").split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def json(self, path: str) -> str:
        assert path == "$"
        return self.body


class Util:
    """`$util`."""

    def urlEncode(self, text: str) -> str:  # noqa: N802 -- its name
        return quote_plus(text, safe="*").replace("~", "%7E")  # as java.net.URLEncoder does

    def base64Encode(self, text: str) -> str:  # noqa: N802
        return b64encode(text.encode()).decode()


def render(
    template: str, body: str = "", parameters: dict[str, str] | None = None, **context: Any
) -> tuple[str, dict[str, Any]]:
    """Return what a template renders, and what it overrides in the response."""
    overrides: dict[str, Any] = {"header": {}}
    namespace = {
        "input": Input(body, parameters or {}),
        "util": Util(),
        "context": {"responseOverride": overrides, **context},
    }
    return airspeed.Template(template).merge(namespace), overrides
