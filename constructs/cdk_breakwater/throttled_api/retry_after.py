"""How a REST API says no: 429 with `Retry-After`, in a way that pages of other origins can read as well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway

from .._cdk.lazy import lazy_string

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# A spent quota comes back with its day, week or month, which a gateway response cannot tell: an hour keeps a client
# from hammering.
_QUOTA_SECONDS = 3600


def refuse_politely(api: apigateway.RestApi, rate_limit: float, cors: Mapping[str, Any]) -> None:
    """Add the gateway responses.

    Parameters
    ----------
    api
        What refuses.
    rate_limit
        Requests per second of its stage, a number or a lazy one.
    cors
        What was given of `apigateway.CorsOptions`.
    """

    def seconds_to_next_token() -> str:
        # The stage's: a gateway response does not know which route or client ran out.
        rate = Stack.of(api).resolve(rate_limit)
        return f"'{math.ceil(1 / rate) if rate else 1}'"

    readable = _readable_by_browsers(cors) if cors else {}
    for name, response_type, retry_after in (
        ("Throttled", apigateway.ResponseType.THROTTLED, lazy_string(seconds_to_next_token)),
        ("QuotaExceeded", apigateway.ResponseType.QUOTA_EXCEEDED, f"'{_QUOTA_SECONDS}'"),
    ):
        api.add_gateway_response(
            name,
            type=response_type,
            status_code="429",
            response_headers={"Retry-After": retry_after, **readable},
            templates={"application/json": '{"message": $context.error.messageString}'},
        )
    # What Lambda refuses, API Gateway calls a failed integration; that and no more can be known of it here.
    # Source: API Gateway Developer Guide, "Gateway response types".
    api.add_gateway_response(
        "Busy",
        type=apigateway.ResponseType.INTEGRATION_FAILURE,
        status_code="503",
        response_headers={"Retry-After": "'1'", **readable},
        templates={"application/json": '{"message": "Too busy, try again."}'},
    )
    if cors:
        for response_type in (apigateway.ResponseType.DEFAULT_4_XX, apigateway.ResponseType.DEFAULT_5_XX):
            api.add_gateway_response(response_type.response_type, type=response_type, response_headers=dict(readable))


def _readable_by_browsers(cors: Mapping[str, Any]) -> dict[str, str]:
    """Headers without which a page cannot see that it was refused, nor read `Retry-After`."""
    origins = list(cors["allow_origins"])
    # A header is a constant or taken from the request: one of several origins can only be the caller's own. What every
    # origin may read then is that it was refused.
    origin = f"'{origins[0]}'" if len(origins) == 1 else "method.request.header.Origin"
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "'Retry-After'",
        **({"Vary": "'Origin'"} if origins != ["*"] else {}),
        **({"Access-Control-Allow-Credentials": "'true'"} if cors.get("allow_credentials") else {}),
    }
