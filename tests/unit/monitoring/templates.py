"""A look at the alarms and dashboards of a template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.assertions import Template

if TYPE_CHECKING:
    from collections.abc import Mapping


def alarms(stack: cdk.Stack) -> dict[str, dict[str, Any]]:
    """Give the alarms' properties by the path of their construct, without the stack."""
    template = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    made = [alarm for alarm in stack.node.find_all() if isinstance(alarm, cloudwatch.Alarm)]
    return {
        alarm.node.path.partition("/")[2]: template[stack.get_logical_id(_resource(alarm))]["Properties"]
        for alarm in made
    }


def _resource(alarm: cloudwatch.Alarm) -> cdk.CfnElement:
    resource = alarm.node.default_child
    assert isinstance(resource, cdk.CfnElement)
    return resource


def bodies(stack: cdk.Stack) -> list[dict[str, Any]]:
    """Parse the dashboards' bodies; references are written as <logical id>."""
    return bodies_in(Template.from_stack(stack).to_json())


def bodies_in(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parse the bodies of a template's dashboards."""
    return [json.loads(_text(found["DashboardBody"])) for found in properties(template, "AWS::CloudWatch::Dashboard")]


def properties(template: Mapping[str, Any], resource_type: str) -> list[dict[str, Any]]:
    """Give the properties of a template's resources of one type."""
    return [found["Properties"] for found in template["Resources"].values() if found["Type"] == resource_type]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join(_text(part) for part in parts)
    if "Fn::GetAtt" in value:
        return "<{}.{}>".format(*value["Fn::GetAtt"])
    return "<{}>".format(value.get("Ref") or value["Fn::ImportValue"])


def widgets(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the properties of a body's graphs by their titles."""
    return {
        widget["properties"]["title"]: widget["properties"]
        for widget in body["widgets"]
        if "title" in widget["properties"]
    }


def limits(graph: dict[str, Any]) -> dict[str, float]:
    """Give the lines across a graph."""
    return {line["label"]: line["value"] for line in graph.get("annotations", {}).get("horizontal", [])}


def metrics_of_alarm(alarm: dict[str, Any]) -> set[tuple[str, str, tuple[str, ...]]]:
    """Give namespace, name and dimensions of what an alarm watches."""
    if "MetricName" in alarm:
        return {_identity(alarm)}
    return {_identity(query["MetricStat"]["Metric"]) for query in alarm["Metrics"] if "MetricStat" in query}


def metrics_of_graph(graph: dict[str, Any]) -> set[tuple[str, str, tuple[str, ...]]]:
    """Give namespace, name and dimensions of what a graph shows."""
    found = set()
    for row in graph.get("metrics", []):
        names = [part for part in row if isinstance(part, str)]
        if names:
            found.add((names[0], names[1], tuple(sorted(names[2::2]))))
    return found


def _identity(metric: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    dimensions = tuple(sorted(dimension["Name"] for dimension in metric.get("Dimensions", [])))
    return metric["Namespace"], metric["MetricName"], dimensions
