"""The headers without which a page in a browser cannot read a front door's answers."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_apigateway as apigateway

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from constructs import IConstruct

_NAMES = tuple(inspect.signature(apigateway.CorsOptions).parameters)


def browser_headers(where: IConstruct, options: dict[str, Any]) -> dict[str, str]:
    """Return the headers by name; none without `default_cors_preflight_options`.

    Parameters
    ----------
    where
        The construct that an error names.
    options
        Of the API.

    Raises
    ------
    BreakwaterError
        When there are several origins.
    """
    cors = options.get("default_cors_preflight_options")
    if cors is None:
        return {}
    given = cors.get if isinstance(cors, dict) else lambda name: getattr(cors, name, None)
    origins = list(given("allow_origins") or [])
    if len(origins) != 1:
        # An answer with data, unlike a refusal, must not be readable by whichever origin asks.
        raise BreakwaterError(
            where, f"allow_origins names {len(origins)} origins, and an answer can name one.", "Name one, or '*'."
        )
    return {
        "Access-Control-Allow-Origin": origins[0],
        "Access-Control-Expose-Headers": "Location,Retry-After",
        **({"Access-Control-Allow-Credentials": "true"} if given("allow_credentials") else {}),
    }


def allow_header(options: dict[str, Any], header: str) -> None:
    """Let pages send a header, beside those that are given or the CDK's own."""
    cors = options["default_cors_preflight_options"]
    given: dict[str, Any] = (
        dict(cors) if isinstance(cors, dict) else {name: getattr(cors, name) for name in _NAMES if getattr(cors, name)}
    )
    allowed = list(given.get("allow_headers") or apigateway.Cors.DEFAULT_HEADERS)
    if "*" not in allowed and header.lower() not in (name.lower() for name in allowed):
        allowed.append(header)
    given["allow_headers"] = allowed
    options["default_cors_preflight_options"] = apigateway.CorsOptions(**given)
