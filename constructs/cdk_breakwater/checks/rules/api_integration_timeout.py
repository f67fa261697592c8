"""A function answers before the API before it gives up."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from ...limits.api_gateway import HTTP_TIMEOUT_SECONDS, REST_TIMEOUT_SECONDS
from ...limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS, MAXIMUM_TIMEOUT_SECONDS
from ..answers import ABSENT, Answer, Block, Items, Unknown, references_in
from ..callers import mentions
from ..event_source import function_of
from ..pointing import pointing_at
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly
    from ..resource import Resource

# Source: Amazon API Gateway Developer Guide, "Quotas": the integration timeout of a REST and a WebSocket API is 29 s
# unless a Region's quota was raised and TimeoutInMillis says so, that of an HTTP API at most 30 s.
_SECONDS = {"AWS::ApiGateway::RestApi": REST_TIMEOUT_SECONDS, "AWS::ApiGatewayV2::Api": HTTP_TIMEOUT_SECONDS}
_INTEGRATIONS = {"AWS::ApiGateway::Method": "RestApiId", "AWS::ApiGatewayV2::Integration": "ApiId"}
# What OpenAPI says of an integration that streams, or that waits for no answer.
_STREAMED = re.compile(
    r"response-streaming-invocations|\"responseTransferMode\": *\"STREAM\"|X-Amz-Invocation-Type\": *\"'Event'",
    re.IGNORECASE,
)
_MILLISECONDS = re.compile(r"\"timeoutInMillis\": *(\d+)")
_INVOCATION_TYPE = "integration.request.header.X-Amz-Invocation-Type"


def check(resource: Resource) -> Iterator[Finding]:
    """Compare a function's timeout with that of the APIs that call it."""
    timeout = resource.number("Timeout", default=DEFAULT_TIMEOUT_SECONDS)
    if isinstance(timeout, Unknown) or timeout <= min(_SECONDS.values()):
        return
    apis = _apis(resource)
    waiting = [_seconds(api) for api in apis]
    if apis and timeout > (longest := max(waiting)):
        yield Finding(
            resource,
            "Properties.Timeout",
            f"{resource.name} has a timeout of {timeout:g} s; {apis[0].name} answers its caller after {longest:g} s.",
            found=f"{timeout:g} s",
            needed=f"at most {longest:g} s",
            others=tuple(apis),
            based_on=(timeout,),
        )


def _apis(function: Resource) -> list[Resource]:
    """Give the APIs that may call a function and wait for it, by its permissions and their integrations."""
    assembly = function.template.assembly
    found: list[Resource] = []
    for permission in pointing_at(function, "AWS::Lambda::Permission", "FunctionName", of=function.type):
        if permission.get("Principal") == "apigateway.amazonaws.com":
            found += [each.resource for each in permission.references("SourceArn") if each.resource.type in _SECONDS]
    for integration in mentions(assembly).get(function, ()):
        if integration.type in _INTEGRATIONS and integration.exists:
            api = integration.target(_INTEGRATIONS[integration.type])
            found += [api] if api is not None and api.type in _SECONDS else []
    found += _by_definition(assembly).get(function, ())
    return list(dict.fromkeys(found))


def _by_definition(assembly: Assembly) -> dict[Resource, list[Resource]]:
    """Give the APIs whose OpenAPI definition has an integration of each function."""
    return assembly.choices.cached("APIs by definition", lambda: _read_definitions(assembly))


def _read_definitions(assembly: Assembly) -> dict[Resource, list[Resource]]:
    found: defaultdict[Resource, list[Resource]] = defaultdict(list)
    for api in assembly.resources(*_SECONDS):
        for integration in _integrations(api.get("Body")):
            for reference in references_in(integration.get("uri")):
                function = function_of(reference.resource)
                if function is not None:
                    found[function].append(api)
    return dict(found)


def _integrations(answer: Answer) -> Iterator[Block]:
    """Give the integrations of a definition; what authorizes a call is none."""
    if isinstance(answer, Items):
        for item in answer:
            yield from _integrations(item)
    elif isinstance(answer, Block):
        for name in answer.names():
            inner = answer.get(name)
            if name == "x-amazon-apigateway-integration" and isinstance(inner, Block):
                yield inner
            elif name == "x-amazon-apigateway-integrations" and isinstance(inner, Block):
                yield from (each for key in inner.names() if isinstance(each := inner.get(key), Block))
            else:
                yield from _integrations(inner)


def _seconds(api: Resource) -> float:
    """Give how long an API waits, at most: as long as a function may run where that is not known."""
    definition = json.dumps(api.body, default=str)
    # Streamed answers take up to 15 minutes: Amazon API Gateway Developer Guide, "Stream the integration response".
    if _STREAMED.search(definition) or _is_elsewhere(api):
        return MAXIMUM_TIMEOUT_SECONDS
    if api.get("ProtocolType") == "WEBSOCKET":
        # Without a response of its route, nobody waits for what a function sends back by the connection's own URL.
        answers = any(
            route.get("RouteResponseSelectionExpression") is not ABSENT
            for route in mentions(api.template.assembly).get(api, ())
            if route.type == "AWS::ApiGatewayV2::Route"
        )
        return REST_TIMEOUT_SECONDS if answers else MAXIMUM_TIMEOUT_SECONDS
    longest = max([_SECONDS[api.type], *(int(given) / 1000 for given in _MILLISECONDS.findall(definition))])
    for method in mentions(api.template.assembly).get(api, ()):
        if method.type == "AWS::ApiGateway::Method":
            given = method.number("Integration", "TimeoutInMillis", default=0)
            # One that isn't known may be long enough.
            longest = max(longest, MAXIMUM_TIMEOUT_SECONDS if isinstance(given, Unknown) else given / 1000)
            streamed = method.get("Integration", "ResponseTransferMode") == "STREAM"
            if streamed or method.get("Integration", "RequestParameters", _INVOCATION_TYPE) == "'Event'":
                return MAXIMUM_TIMEOUT_SECONDS
    return longest


def _is_elsewhere(api: Resource) -> bool:
    """Tell whether a part of the API's definition is in a file that isn't at hand."""
    if api.get("BodyS3Location") is not ABSENT:
        return True
    body = api.get("Body")
    return isinstance(body, Unknown) or (isinstance(body, Block) and isinstance(body.unset, Unknown))


RULE = Rule(
    id="ApiIntegrationTimeout",
    requires="A function behind an API has a timeout of at most the API's: 29 s (REST, WebSocket) or 30 s (HTTP).",
    reason="The caller hears 504 and tries again, while the function goes on and holds its connection for nobody.",
    fix="Lower Timeout, or answer 202 and work behind a queue.",
    link="https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
    severity=Severity.NOTE,
    of=("AWS::Lambda::Function",),
    check=check,
)
