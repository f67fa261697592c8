"""The HTTP endpoint of a decoupled invocation: 202 now, the result later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Duration, Size, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from .._cdk.arguments import SECONDS, SIZE, TEXT, require
from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.temporary_bucket import acknowledge_objects
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..monitoring.alarms import register_alarms
from ..monitoring.dashboard_page import show_with
from ..throttled_api.api import ApiProtocol, ThrottledApi
from ..throttled_api.throttle import Throttle
from .answering_function import warn_of_a_function_that_keeps_none
from .cors import allow_header, browser_headers
from .failed_jobs import note_failures
from .functions import make_function
from .integrations import SourceIntegration, source_integration
from .job_results import JobResults
from .mapping_templates import Caller, job_name
from .table_inserts import hand_over_inserts_alone

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_sqs as sqs

    from ..functions.base import PreparedFunction
    from ..monitoring.alarm_target import AlarmTarget
    from ..sources.buffer import Buffer

_VARIABLE = "BREAKWATER_FRONT_DOOR"
# Of a path without parameters: one would put what a client sends into the location of the result.
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_ARGUMENTS = {
    "path": TEXT,
    "max_body": SIZE,
    "order_by": TEXT,
    "partition_key": TEXT,
    "result_ttl": SECONDS,
    "retry_after": SECONDS,
}
_KEY_HEADER = "Idempotency-Key"
_GET_DURATION = Duration.millis(100)


class FrontDoor(Construct):
    """An HTTP endpoint in front of a source, created with `DecoupledInvocation.add_front_door`.

    Attributes
    ----------
    api : ThrottledApi
        The API, for `add_client` and additional routes.
    url : str
        The URL to which clients POST.
    results : JobResults
        The table and the bucket with the answers.
    results_function : PreparedFunction
        The function that returns results.
    """

    def __init__(
        self,
        scope: Buffer,
        id: str,
        *,
        path: str,
        request_schema: apigateway.JsonSchema | None,
        max_body: Size,
        order_by: str | None,
        partition_key: str | None,
        result_ttl: Duration,
        retry_after: Duration,
        rate_limit: float | None,
        burst_limit: int | None,
        results_concurrency: int,
        options: dict[str, Any],
    ) -> None:
        super().__init__(scope, id)
        given = {
            "path": path,
            "max_body": max_body,
            "order_by": order_by,
            "partition_key": partition_key,
            "result_ttl": result_ttl,
            "retry_after": retry_after,
        }
        require(self, given, _ARGUMENTS, needed=_ARGUMENTS.keys() - {"order_by", "partition_key"})
        route = self._route(path)
        if options.get("protocol", ApiProtocol.REST) not in (ApiProtocol.REST, "REST"):
            raise BreakwaterError(
                self, "an HTTP API has no mapping templates, which name a job.", "Leave protocol out, it is a REST API."
            )
        self._tag = self.node.addr[-8:]
        self._browser = browser_headers(self, options)
        if self._browser:
            allow_header(options, _KEY_HEADER)
        self._caller = _caller(options)
        self._retry_after = required_number(self, "retry_after in seconds", retry_after.to_seconds())
        entrance = source_integration(
            scope,
            job_name(self._tag, self._caller),
            order_by=order_by,
            partition_key=partition_key,
            longest=int(max_body.to_bytes()),
            retry_after=self._retry_after,
        )
        warn_of_a_function_that_keeps_none(self, scope.function)
        self.results = JobResults.of(self, scope, scope.function, result_ttl)
        if self._browser:
            self.results.let_pages_read()
        note_failures(scope, self.results)
        if entrance.table is not None:
            hand_over_inserts_alone(scope)
        self.results_function = self._hand_out(entrance, scope.failures_queue, results_concurrency)
        for each in (self, self.results_function):
            show_with(each, scope)
        rate = entrance.rate_limit
        if rate_limit is not None:
            rate = Throttle.given(self, f"POST {route}", rate_limit, None).rate_limit
        burst = burst_limit if burst_limit is not None else max(1, int(rate) // 2)
        self.api = ThrottledApi(
            self, "Api", function=self.results_function, rate_limit=rate, burst_limit=burst, proxy=False, **options
        )
        self.api.add_route(
            "POST",
            route,
            rate_limit=rate,
            burst_limit=burst,
            request_schema=request_schema or apigateway.JsonSchema(),
            integration=self._integration(entrance),
            request_parameters={f"method.request.header.{_KEY_HEADER}": False},
            method_responses=[
                apigateway.MethodResponse(
                    status_code=status,
                    response_parameters={f"method.response.header.{name}": True for name in (*headers, *self._browser)},
                )
                for status, headers in _RESPONSES.items()
            ],
        )
        self.api.add_route("GET", f"{route}/{{id}}", expected_duration=_GET_DURATION)
        url = self.api.url
        # An API's own address ends with a slash, a custom domain's may not.
        self.url = url + (route[1:] if Token.is_unresolved(url) or url.endswith("/") else route)

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add alarms, once: those of the API, and of the function that returns results.

        Parameters
        ----------
        topic_or_action
            The topic or the action of each alarm. Default: none. The alarms are then visible in the console only.
        """
        watched = (self.api, self.results_function)
        return register_alarms(self, [alarm for each in watched for alarm in each.alarms(topic_or_action)])

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return dashboard widgets: those of the API, and of the function that returns results."""
        return [*self.api.widgets(), *self.results_function.widgets()]

    def _route(self, path: str) -> str:
        if not path.strip("/"):
            raise BreakwaterError(self, f"path={path!r} names no resource.", 'Name it, such as "orders".')
        route = "/" + path.strip("/")
        if not _PATH.fullmatch(route):
            raise BreakwaterError(
                self,
                f"path={path!r} is not a plain path: it has parameters, or characters that a URL encodes.",
                "Name it with letters, digits, '.', '_', '~' and '-', such as \"shop/orders\"; what differs by request "
                "belongs into the body.",
            )
        return route

    def _integration(self, entrance: SourceIntegration) -> apigateway.AwsIntegration:
        role = iam.Role(
            self, "Role", assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("apigateway.amazonaws.com"))
        )
        role.add_to_policy(entrance.allowed)
        if entrance.key is not None:
            entrance.key.grant(role, "kms:Decrypt", "kms:GenerateDataKey")
        acknowledge(
            role,
            "CDK writes a grant as an inline policy of the role it is granted to.",
            *compliance_rules("IAMNoInlinePolicy"),
        )
        templates = entrance.templates
        return apigateway.AwsIntegration(
            service=entrance.service,
            path=entrance.path,
            action=entrance.action,
            options=apigateway.IntegrationOptions(
                credentials_role=cast("iam.IRole", role),
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                request_parameters={"integration.request.header.Content-Type": f"'{templates.content_type}'"},
                request_templates={"application/json": templates.request},
                integration_responses=[
                    self._response("202", "2\\d{2}", templates.accepted),
                    self._response("400", "400", templates.refused),
                    self._response("503", "5\\d{2}", '{"message": "Too busy, try again."}', {"Retry-After": "1"}),
                    # What else the source says, such as 403, is a fault of the door.
                    self._response("500", None, '{"message": "Internal server error"}'),
                ],
            ),
        )

    def _response(
        self, status: str, pattern: str | None, template: str, headers: dict[str, str] | None = None
    ) -> apigateway.IntegrationResponse:
        return apigateway.IntegrationResponse(
            status_code=status,
            selection_pattern=pattern,
            response_templates={"application/json": template},
            response_parameters={
                f"method.response.header.{name}": f"'{value}'"
                for name, value in {**(headers or {}), **self._browser}.items()
            },
        )

    def _hand_out(self, entrance: SourceIntegration, passed: sqs.IQueue | None, concurrency: int) -> PreparedFunction:
        queues = [*entrance.queues, *([passed] if passed else [])]
        settings: dict[str, object] = {
            "table": self.results.table.table_name,
            "bucket": self.results.bucket.bucket_name,
            "tag": self._tag,
            "caller": self._caller.name,
            "retry_after": self._retry_after,
            "longest_wait": entrance.longest_wait,
            "queues": [queue.queue_url for queue in queues],
            "headers": self._browser,
        }
        if entrance.table is not None:
            settings |= {"source_table": entrance.table.table_name, "partition_key": entrance.partition_key}
        function = make_function(
            self,
            "Results",
            handler="results",
            variable=_VARIABLE,
            settings=settings,
            reserved=required_number(self, "results_concurrency", concurrency),
        )
        self.results.table.grant(function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:GetObject"], resources=[self.results.bucket.arn_for_objects("*")])
        )
        acknowledge_objects(function.role, self.results.bucket, "It links to any answer in the bucket.")
        for queue in queues:
            queue.grant(function, "sqs:GetQueueAttributes")
        if entrance.table is not None:
            entrance.table.grant(function, "dynamodb:GetItem")
            if entrance.key is not None:
                entrance.key.grant_decrypt(function)
        return function


_RESPONSES: dict[str, tuple[str, ...]] = {
    "202": ("Location", "Retry-After"),
    "400": (),
    "503": ("Retry-After",),
    "500": (),
}


def _caller(options: dict[str, Any]) -> Caller:
    """Find out who a caller is by how the API authorizes."""
    method = options.get("default_method_options")
    given = method.get if isinstance(method, dict) else lambda name: getattr(method, name, None)
    authorizer = given("authorizer")
    kind = given("authorization_type") or getattr(authorizer, "authorization_type", None)
    if authorizer is None and kind is None:
        return Caller.API_KEY if options.get("acknowledge_no_authorization") else Caller.IAM
    return {
        apigateway.AuthorizationType.IAM: Caller.IAM,
        apigateway.AuthorizationType.COGNITO: Caller.USER_POOL,
        apigateway.AuthorizationType.CUSTOM: Caller.AUTHORIZER,
    }.get(cast("apigateway.AuthorizationType", kind), Caller.API_KEY)
