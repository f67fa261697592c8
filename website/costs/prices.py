"""Prices of us-east-1 without free tiers and volume discounts, and where AWS publishes them."""

from __future__ import annotations

from typing import NamedTuple

from cdk_breakwater.limits.prices import HOURS_PER_MONTH

AS_OF = "November 2026"
HOURS = HOURS_PER_MONTH


class Price(NamedTuple):
    """What one unit costs.

    Attributes
    ----------
    dollars
        For `per` units.
    per
        How many units the price is given for.
    unit
        What is counted.
    source
        The page of AWS that lists it.
    """

    dollars: float
    per: int
    unit: str
    source: str

    @property
    def each(self) -> float:
        """Dollars for one unit."""
        return self.dollars / self.per


_MILLION = 1_000_000
_AWS = "https://aws.amazon.com"
_LAMBDA, _SQS = f"{_AWS}/lambda/pricing/", f"{_AWS}/sqs/pricing/"
_DYNAMODB, _API = f"{_AWS}/dynamodb/pricing/on-demand/", f"{_AWS}/api-gateway/pricing/"
_CLOUDWATCH, _SECRETS = f"{_AWS}/cloudwatch/pricing/", f"{_AWS}/secrets-manager/pricing/"
_PROXY, _WAF = f"{_AWS}/rds/proxy/pricing/", f"{_AWS}/waf/pricing/"

PRICES = {
    "invocation": Price(0.20, _MILLION, "Lambda requests", _LAMBDA),
    "GB-second": Price(0.0000133334, 1, "GB-second of a Lambda function on arm64", _LAMBDA),
    "SQS request": Price(0.40, _MILLION, "SQS requests, standard queue", _SQS),
    "FIFO request": Price(0.50, _MILLION, "SQS requests, FIFO queue", _SQS),
    "DynamoDB write": Price(0.625, _MILLION, "DynamoDB writes of 1 KB, on demand", _DYNAMODB),
    "DynamoDB read": Price(0.125, _MILLION, "DynamoDB reads of 4 KB, on demand", _DYNAMODB),
    "REST request": Price(3.50, _MILLION, "requests of a REST API", _API),
    "HTTP request": Price(1.00, _MILLION, "requests of an HTTP API", _API),
    "Data API request": Price(
        0.35, _MILLION, "requests of the Data API, up to 32 KB each", f"{_AWS}/rds/aurora/pricing/"
    ),
    "trace": Price(5.00, _MILLION, "traces recorded by X-Ray", f"{_AWS}/xray/pricing/"),
    "log GB": Price(0.50, 1, "GB of logs ingested", _CLOUDWATCH),
    "metric": Price(0.30, 1, "custom metric a month", _CLOUDWATCH),
    "alarm metric": Price(0.10, 1, "alarm a month, for each metric that it reads", _CLOUDWATCH),
    "dashboard": Price(3.00, 1, "dashboard a month", _CLOUDWATCH),
    "secret": Price(0.40, 1, "secret a month", _SECRETS),
    "secret call": Price(0.05, 10_000, "calls of Secrets Manager", _SECRETS),
    "endpoint hour": Price(
        0.01, 1, "hour of an interface endpoint in one Availability Zone", f"{_AWS}/privatelink/pricing/"
    ),
    "NAT hour": Price(0.045, 1, "hour of a NAT gateway", f"{_AWS}/vpc/pricing/"),
    "key": Price(1.00, 1, "customer managed KMS key a month", f"{_AWS}/kms/pricing/"),
    "web ACL": Price(5.00, 1, "web ACL a month", _WAF),
    "web ACL rule": Price(1.00, 1, "rule of a web ACL a month", _WAF),
    "inspected request": Price(0.60, _MILLION, "requests that a web ACL inspects", _WAF),
    "proxy vCPU hour": Price(0.015, 1, "hour of RDS Proxy for each vCPU of the instance, 2 at least", _PROXY),
    "proxy ACU hour": Price(0.015, 1, "hour of RDS Proxy for each ACU of Serverless v2, 8 at least", _PROXY),
}
PROXY_LEAST_VCPUS, PROXY_LEAST_ACUS = 2, 8

PROCESSORS = {
    "db.t4g.micro": 2,
    "db.t4g.small": 2,
    "db.t4g.medium": 2,
    "db.t4g.large": 2,
    "db.t4g.xlarge": 4,
    "db.r6g.large": 2,
    "db.r6g.2xlarge": 8,
}
"""vCPUs. Source: Amazon RDS User Guide, "Hardware specifications for DB instance classes"."""
INSTANCES_SOURCE = f"{_AWS}/rds/postgresql/pricing/"
