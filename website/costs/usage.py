"""What is used in a month: by the resources of a template, and by a load."""

from __future__ import annotations

from typing import Any

from .prices import HOURS, PRICES

# Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS": a mapping begins with five concurrent
# batches, so that as many pollers wait at an empty queue; a long poll lasts 20 s.
_IDLE_POLLERS, _LONG_POLL = 5, 20
# Source: AWS X-Ray Developer Guide, "Configuring sampling rules": the default rule.
_TRACED_A_SECOND, _TRACED_PART = 1, 0.05
# 4XXError, 5XXError, Count, Latency, IntegrationLatency, where nothing is cached; an HTTP API has DataProcessed, too.
# Source: API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics", "Work with metrics for HTTP APIs".
_METRICS_OF_A_REST_METHOD, _METRICS_OF_AN_HTTP_ROUTE = 5, 6
_FLAT = {
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::KMS::Key": "key",
}


class Usage(dict[str, float]):
    """How much of each of `PRICES`."""

    def __add__(self, other: Usage) -> Usage:
        """Add each amount."""
        return Usage({name: self.get(name, 0) + other.get(name, 0) for name in {**self, **other}})

    def __sub__(self, other: Usage) -> Usage:
        """Leave what this has more."""
        left = {name: amount - other.get(name, 0) for name, amount in self.items()}
        return Usage({name: amount for name, amount in left.items() if amount > 0})

    @property
    def dollars(self) -> float:
        """What it costs."""
        return sum(PRICES[name].each * amount for name, amount in self.items())


def of_resources(resources: dict[str, Any]) -> Usage:
    """Count what costs by the month, whatever the load."""
    usage = Usage()
    for resource in resources.values():
        usage += _of_resource(resource["Type"], resource.get("Properties", {}))
    return usage


def _of_resource(kind: str, properties: dict[str, Any]) -> Usage:
    usage = Usage()
    if kind in _FLAT:
        usage[_FLAT[kind]] = 1
    elif kind == "AWS::CloudWatch::Alarm":
        metrics = [metric for metric in properties.get("Metrics", []) if "MetricStat" in metric]
        usage["alarm metric"] = len(metrics) or 1
    elif kind == "AWS::EC2::VPCEndpoint" and properties.get("VpcEndpointType") == "Interface":
        usage["endpoint hour"] = HOURS * len(properties["SubnetIds"])
    elif kind == "AWS::WAFv2::WebACL":
        usage["web ACL"], usage["web ACL rule"] = 1, len(properties["Rules"])
    elif kind == "AWS::Lambda::EventSourceMapping" and "ScalingConfig" in properties:  # that of a queue
        usage["SQS request"] = HOURS * 3_600 // _LONG_POLL * _IDLE_POLLERS
    elif kind == "AWS::ApiGateway::Method" and properties["HttpMethod"] != "OPTIONS":
        usage["metric"] = _METRICS_OF_A_REST_METHOD
    elif kind == "AWS::ApiGatewayV2::Route":
        usage["metric"] = _METRICS_OF_AN_HTTP_ROUTE
    return usage


def traces(count: float) -> float:
    """Tell how many of a month's evenly spread requests X-Ray records."""
    always = _TRACED_A_SECOND * HOURS * 3_600
    return min(count, always + max(0.0, count - always) * _TRACED_PART)
