"""The rows of the table: what a construct uses by the month, and what each request or message uses."""

from __future__ import annotations

from typing import NamedTuple

from breakwater_runtime.metrics import Counters

from .prices import HOURS, PROXY_LEAST_ACUS, PROXY_LEAST_VCPUS
from .usage import Usage, traces

INVOCATIONS_OF_AN_ENVIRONMENT = 1_000
LOG_LINE_BYTES = 500
LOOKS_AT_A_JOB, LOOK_SECONDS, LOOK_GB = 2, 0.1, 0.5
DEPLOYMENTS, DEPLOYMENT_SECONDS, DEPLOYMENT_GB = 30, 20, 0.25


class Row(NamedTuple):
    """A construct in the table.

    Attributes
    ----------
    name
        What the reader knows it as.
    app
        Of `APPS`, for what its template holds; None where nothing in the template costs by itself.
    each
        What one request or message uses.
    monthly
        What a month uses beside the template.
    traced
        How many requests X-Ray sees for each request or message.
    """

    name: str
    app: str | None
    each: Usage
    monthly: Usage
    traced: float = 0

    def used(self, count: float) -> Usage:
        """Add up a month with so many requests or messages, without what the template holds."""
        usage = Usage({name: amount * count for name, amount in self.each.items()})
        if self.traced:
            usage["trace"] = traces(self.traced * count)
        return usage + self.monthly


def _usage(**amounts: float) -> Usage:
    return Usage({name.replace("_", " "): amount for name, amount in amounts.items()})


def _metrics_of_the_runtime() -> int:
    counters = Counters("", on=False)
    counters.server_connections = counters.server_max_connections = 0
    return len(counters.values())


def _deployments(calls: int) -> Usage:
    runs = DEPLOYMENTS * calls
    return Usage({"invocation": runs, "GB-second": runs * DEPLOYMENT_SECONDS * DEPLOYMENT_GB})


_NOTHING = Usage()
_RUNTIME = _usage(metric=_metrics_of_the_runtime())
_SECRET = Usage({"secret call": 1 / INVOCATIONS_OF_AN_ENVIRONMENT})
_LOGS = Usage({"log GB": LOG_LINE_BYTES / 1e9})
_REST, _HTTP = Usage({"REST request": 1}) + _LOGS, Usage({"HTTP request": 1}) + _LOGS
_REQUESTS_OF_A_JOB = 1 + LOOKS_AT_A_JOB
_DOOR = Usage(
    {
        **{name: _REQUESTS_OF_A_JOB * amount for name, amount in _REST.items()},
        "DynamoDB write": 2,
        "DynamoDB read": LOOKS_AT_A_JOB,
        "invocation": LOOKS_AT_A_JOB,
        "GB-second": LOOKS_AT_A_JOB * LOOK_SECONDS * LOOK_GB,
    }
)

ROWS = (
    Row("`VpcDatabaseFunction`", "VpcDatabaseFunction", _SECRET, _RUNTIME, traced=1),
    Row("the same, in isolated subnets", "isolated", _SECRET, _RUNTIME, traced=1),
    Row("(a NAT gateway, which no construct makes)", None, _NOTHING, Usage({"NAT hour": HOURS})),
    Row("`PublicSslDatabaseFunction`", "public", _SECRET, _RUNTIME, traced=1),
    Row("`DataApiFunction`, one statement a request", "data api", Usage({"Data API request": 1}), _NOTHING, traced=1),
    Row("`DatabaseCredentials.user`, beside the function", "user", _NOTHING, _deployments(2)),
    Row("`proxy=True`, instance of 2 vCPUs", None, _NOTHING, Usage({"proxy vCPU hour": PROXY_LEAST_VCPUS * HOURS})),
    Row("`proxy=True`, Serverless v2 of 8 ACUs", None, _NOTHING, Usage({"proxy ACU hour": PROXY_LEAST_ACUS * HOURS})),
    Row("`ConnectionBudget`", "budget", _NOTHING, _NOTHING),
    Row("the same with `guard_deployments=True`", "guard", _NOTHING, _deployments(3)),
    Row("`DecoupledInvocation`, SQS, a message at a time", "sqs", Usage({"SQS request": 3}), _NOTHING),
    Row("the same, in batches of 10", "sqs", Usage({"SQS request": 1.2}), _NOTHING),
    Row("`DecoupledInvocation`, FIFO, a message at a time", "fifo", Usage({"FIFO request": 3}), _NOTHING),
    Row("`DecoupledInvocation`, Kinesis or DynamoDB stream", "kinesis", _NOTHING, _NOTHING),
    Row("`add_front_door`, beside the queue", "front door", _DOOR, _NOTHING, traced=_REQUESTS_OF_A_JOB),
    Row("`ThrottledApi`, REST", "rest", _REST, _NOTHING, traced=1),
    Row("the same with `rate_limit_per_address`", "waf", _REST + Usage({"inspected request": 1}), _NOTHING, traced=1),
    Row("`ThrottledApi`, HTTP", "http", _HTTP, _NOTHING),
    Row("`QuotaThrottledInvocation`, without messages", "quota", _NOTHING, _NOTHING),
    Row("`breakwater_dashboard`, each page", None, _NOTHING, _usage(dashboard=1)),
)
