"""A function answers before the API before it gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS
from ..answers import Unknown
from ..integrations import waiting
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Compare a function's timeout with that of the APIs that call it."""
    timeout = resource.number("Timeout", default=DEFAULT_TIMEOUT_SECONDS)
    if isinstance(timeout, Unknown):
        return
    apis = waiting(resource)
    api = min(apis, key=apis.__getitem__, default=None)
    if api is not None and timeout > (longest := apis[api]):
        yield Finding(
            resource,
            "Properties.Timeout",
            f"{resource.name} has a timeout of {timeout:g} s; {api.name} answers its caller after {longest:g} s.",
            found=f"{timeout:g} s",
            needed=f"at most {longest:g} s",
            others=(api,),
            based_on=(timeout,),
        )


RULE = Rule(
    id="ApiIntegrationTimeout",
    requires="A function behind an API has a timeout no longer than the API waits: 29 s (REST, WebSocket), 30 s "
    "(HTTP), or the integration's TimeoutInMillis.",
    reason="The caller gets 504 and tries again. The function keeps running, and holds its connection although "
    "nobody waits for the answer.",
    fix="Lower Timeout. Or answer 202, and do the work behind a queue.",
    link="https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
    severity=Severity.NOTE,
    of=("AWS::Lambda::Function",),
    check=check,
)
