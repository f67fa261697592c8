"""How long the APIs before a function wait for it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from ..limits.api_gateway import HTTP_TIMEOUT_SECONDS, REST_TIMEOUT_SECONDS
from ..limits.aws_lambda import MAXIMUM_MANAGED_TIMEOUT_SECONDS
from .answers import ABSENT, Answer, Block, Items, Unknown, known_text, references_in
from .callers import mentions
from .event_source import function_of
from .referring_resources import referring_to
from .resource import as_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .assembly import Assembly
    from .resource import Resource

# Source: Amazon API Gateway Developer Guide, "Quotas": the integration timeout of a REST and a WebSocket API is 29 s
# unless a Region's quota was raised and TimeoutInMillis says so, that of an HTTP API at most 30 s.
_SECONDS = {"AWS::ApiGateway::RestApi": REST_TIMEOUT_SECONDS, "AWS::ApiGatewayV2::Api": HTTP_TIMEOUT_SECONDS}
_AS_LONG_AS_IT_TAKES = MAXIMUM_MANAGED_TIMEOUT_SECONDS
_INTEGRATIONS = {"AWS::ApiGateway::Method": "RestApiId", "AWS::ApiGatewayV2::Integration": "ApiId"}
_INVOCATION_TYPE = "integration.request.header.X-Amz-Invocation-Type"
# What OpenAPI says of any integration that streams, or that waits for no answer.
_STREAMED = re.compile(
    r"response-streaming-invocations|\"responseTransferMode\": *\"STREAM\"|X-Amz-Invocation-Type\": *\"'Event'",
    re.IGNORECASE,
)
_MILLISECONDS = re.compile(r"\"timeoutInMillis\": *(\d+)")
# A client waits until the function behind it has accepted the connection: "Manage connected users and client apps".
_CONNECT = "$connect"


def waiting(function: Resource) -> dict[Resource, float]:
    """Give the APIs that call a function, and after how many seconds each gives it up.

    An API that waits for no answer takes as long as a function may run, and so does what isn't known.
    """
    found: dict[Resource, float] = {}
    for api, seconds in _integrated(function):
        found[api] = min(seconds, found.get(api, _AS_LONG_AS_IT_TAKES))
    for api, path in _permitted(function):
        if path.endswith(f"/{_CONNECT}") and _is_socket(api):
            found[api] = REST_TIMEOUT_SECONDS
        elif api not in found:
            found[api] = _of_any_integration(api)
    return found


def _permitted(function: Resource) -> Iterator[tuple[Resource, str]]:
    """Give the APIs that may call a function, and on which path."""
    for permission in referring_to(function, "AWS::Lambda::Permission", "FunctionName", of=function.type):
        if permission.get("Principal") == "apigateway.amazonaws.com":
            text = known_text(permission.get("SourceArn"))
            if "/authorizers/" not in text:
                apis = [each.resource for each in permission.references("SourceArn") if _is_api(each.resource)]
                yield from ((api, text) for api in apis)


def _integrated(function: Resource) -> Iterator[tuple[Resource, float]]:
    """Give the APIs with an integration of a function, and how long that waits."""
    assembly = function.template.assembly
    for integration in mentions(assembly).get(function, ()):
        if integration.type in _INTEGRATIONS and integration.exists:
            api = integration.target(_INTEGRATIONS[integration.type])
            if api is not None and _is_api(api):
                waits = not _is_socket(api) or _route_waits(integration)
                block = integration.block("Integration") if "Method" in integration.type else integration.properties
                yield api, _seconds(api, block) if waits else _AS_LONG_AS_IT_TAKES
    # An HTTP API made by quick create calls its target by an integration that nobody else names.
    for api in referring_to(function, "AWS::ApiGatewayV2::Api", "Target", of=function.type):
        yield api, HTTP_TIMEOUT_SECONDS
    by_definition: dict[Resource, list[tuple[Resource, Block]]] = assembly.choices.cached(
        "integrations by definition", lambda: _read_definitions(assembly)
    )
    yield from ((api, _seconds(api, block)) for api, block in by_definition.get(function, ()))


def _seconds(api: Resource, integration: Answer) -> float:
    """Give how long one integration waits."""
    if not isinstance(integration, Block):
        return _AS_LONG_AS_IT_TAKES

    def get(*names: str) -> Answer:
        # OpenAPI begins the names of CloudFormation's properties with small letters.
        names = (names[0] if names[0] in integration.body else names[0][0].lower() + names[0][1:], *names[1:])
        return integration.get(*names)

    streamed = any("response-streaming-invocations" in known_text(get(name)) for name in ("Uri", "IntegrationUri"))
    if streamed or get("ResponseTransferMode") == "STREAM" or get("RequestParameters", _INVOCATION_TYPE) == "'Event'":
        # Streamed answers take up to 15 minutes: "Stream the integration response for your proxy integrations".
        return _AS_LONG_AS_IT_TAKES
    milliseconds = as_number(get("TimeoutInMillis"), _default(api) * 1000)
    return _AS_LONG_AS_IT_TAKES if isinstance(milliseconds, Unknown) else milliseconds / 1000


def _of_any_integration(api: Resource) -> float:
    """Give how long an API waits, at most, for a function of which nothing tells by what integration it is called."""
    definition = json.dumps(api.body, default=str)
    if _STREAMED.search(definition) or _is_elsewhere(api):
        return _AS_LONG_AS_IT_TAKES
    around = mentions(api.template.assembly).get(api, ())
    if _is_socket(api):
        answers = any(_answers(route) for route in around if route.type == "AWS::ApiGatewayV2::Route")
        return REST_TIMEOUT_SECONDS if answers else _AS_LONG_AS_IT_TAKES
    methods = [_seconds(api, each.block("Integration")) for each in around if each.type == "AWS::ApiGateway::Method"]
    return max([_default(api), *methods, *(int(given) / 1000 for given in _MILLISECONDS.findall(definition))])


def _route_waits(integration: Resource) -> bool:
    routes = mentions(integration.template.assembly).get(integration, ())
    return any(
        route.get("RouteKey") == _CONNECT or _answers(route)
        for route in routes
        if route.type == "AWS::ApiGatewayV2::Route" and route.exists
    )


def _answers(route: Resource) -> bool:
    # Without a response of its route, nobody waits for what a function sends back by the connection's own URL.
    return route.get("RouteResponseSelectionExpression") is not ABSENT


def _read_definitions(assembly: Assembly) -> dict[Resource, list[tuple[Resource, Block]]]:
    """Give the APIs whose OpenAPI definition has an integration of each function, and the integration."""
    found: defaultdict[Resource, list[tuple[Resource, Block]]] = defaultdict(list)
    for api in assembly.resources(*_SECONDS):
        for integration in _integrations(api.get("Body")):
            for reference in references_in(integration.get("uri")):
                function = function_of(reference.resource)
                if function is not None:
                    found[function].append((api, integration))
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


def _is_api(resource: Resource) -> bool:
    return resource.type in _SECONDS


def _is_socket(api: Resource) -> bool:
    return api.get("ProtocolType") == "WEBSOCKET"


def _default(api: Resource) -> float:
    return REST_TIMEOUT_SECONDS if _is_socket(api) else _SECONDS[api.type]


def _is_elsewhere(api: Resource) -> bool:
    """Tell whether a part of the API's definition is in a file that isn't at hand."""
    if api.get("BodyS3Location") is not ABSENT:
        return True
    body = api.get("Body")
    return isinstance(body, Unknown) or (isinstance(body, Block) and isinstance(body.unset, Unknown))
