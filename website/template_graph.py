"""What a template's main resources are, and which leads to which: read from the template alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = {
    "AWS::ApiGateway::RestApi": "REST API",
    "AWS::ApiGatewayV2::Api": "HTTP API",
    "AWS::DynamoDB::GlobalTable": "DynamoDB table",
    "AWS::DynamoDB::Table": "DynamoDB table",
    "AWS::Kinesis::Stream": "Kinesis stream",
    "AWS::Lambda::Function": "Lambda function",
    "AWS::RDS::DBCluster": "Aurora cluster",
    "AWS::RDS::DBInstance": "RDS database",
    "AWS::RDS::DBProxy": "RDS Proxy",
    "AWS::S3::Bucket": "S3 bucket",
    "AWS::SQS::Queue": "SQS queue",
}
# What a permission of a function's role means for the picture.
_VERBS = {
    "dynamodb:UpdateItem": "reads, writes",
    "lambda:InvokeFunction": "invokes",
    "s3:GetObject": "reads",
    "s3:PutObject": "writes",
    "sqs:SendMessage": "sends",
}
_HASH = re.compile(r"[0-9A-F]{8}$")  # what the CDK puts behind the names in a logical id


@dataclass
class Node:
    """A resource, or a database that the template only names."""

    kind: str
    name: str
    limits: list[str] = field(default_factory=list)


@dataclass
class Graph:
    """Nodes by logical id, and what stands on the arrows between them."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def connect(self, source: str, target: str, label: str) -> None:
        """Add an arrow, or a line to the one that is there."""
        labels = self.edges.setdefault((source, target), [])
        if label and label not in labels:
            labels.append(label)


def read(template: dict[str, Any]) -> Graph:
    """Read one template."""
    resources = template["Resources"]
    graph = Graph()
    for name, kind, _ in _each(resources, *_KINDS):
        graph.nodes[name] = Node(_KINDS[kind], _HASH.sub("", name))
    _queues(resources, graph)
    _mappings(resources, graph)
    _apis(resources, graph)
    _functions(resources, graph)
    _proxies(resources, graph)
    for _, _, alarm in _each(resources, "AWS::CloudWatch::Alarm"):
        for watched in _referenced(alarm, graph):
            graph.nodes[watched].limits.append(f"alarm on {_words(alarm['MetricName'])}")
    return _with_twins_as_one(graph)


def _with_twins_as_one(graph: Graph) -> Graph:
    """Draw what is of one kind, and has the same arrows, once."""
    twins: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        arrows = sorted((source == name, target if source == name else source, *said)
                        for (source, target), said in graph.edges.items() if name in {source, target})  # fmt: skip
        twins.setdefault(repr((node.kind, node.limits, arrows)), []).append(name)
    for first, *others in twins.values():
        if not others:
            continue
        node = graph.nodes[first]
        names = ", ".join([node.name, *(graph.nodes[name].name for name in others)])
        each = [f"{limit} each" for limit in node.limits]
        graph.nodes[first] = Node(f"{len(others) + 1} {node.kind}s", _shortened(names), each)
        for edge, said in graph.edges.items():
            if first in edge:
                said[:] = [f"{label} each" for label in said]
        for name in others:
            del graph.nodes[name]
        graph.edges = {edge: said for edge, said in graph.edges.items() if not {*edge} & {*others}}
    return graph


def _shortened(names: str) -> str:
    return names if len(names) < 28 else f"{names.partition(',')[0]}, …"


def _each(resources: dict[str, Any], *kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, resource in resources.items():
        if resource["Type"] in kinds:
            yield name, resource["Type"], resource.get("Properties", {})


def _referenced(value: object, graph: Graph) -> list[str]:
    """List the nodes that a value refers to."""
    if isinstance(value, dict):
        target = value.get("Ref") or value.get("Fn::GetAtt", [None])[0]
        if target:
            return [target] if target in graph.nodes else []
        value = list(value.values())
    if isinstance(value, list):
        return list(dict.fromkeys(found for part in value for found in _referenced(part, graph)))
    return []


def _queues(resources: dict[str, Any], graph: Graph) -> None:
    for name, _, queue in _each(resources, "AWS::SQS::Queue"):
        policy = queue.get("RedrivePolicy", {})
        for target in _referenced(policy, graph):
            graph.connect(name, target, f"after {policy['maxReceiveCount']:,} receives")
            graph.nodes[target].kind = "SQS dead-letter queue"


def _mappings(resources: dict[str, Any], graph: Graph) -> None:
    for _, _, mapping in _each(resources, "AWS::Lambda::EventSourceMapping"):
        (source,), (function,) = (_referenced(mapping[key], graph) for key in ("EventSourceArn", "FunctionName"))
        limit = f"MaximumConcurrency {mapping.get('ScalingConfig', {}).get('MaximumConcurrency')}"
        if "ParallelizationFactor" in mapping:
            shards = resources[source]["Properties"].get("ShardCount", "")
            limit = f"{shards} shards × ParallelizationFactor {mapping['ParallelizationFactor']}"
        graph.connect(source, function, limit)
        graph.connect(source, function, f"BatchSize {mapping['BatchSize']}")
        for target in _referenced(mapping.get("DestinationConfig"), graph):
            graph.connect(source, target, f"after {mapping['MaximumRetryAttempts']} attempts")


def _apis(resources: dict[str, Any], graph: Graph) -> None:
    for _, _, method in _each(resources, "AWS::ApiGateway::Method"):
        (api,) = _referenced(method["RestApiId"], graph)
        path = _path(resources, method["ResourceId"])
        if path == "/{proxy+}":  # as the root
            continue
        for target in _referenced(method["Integration"].get("Uri"), graph):
            settings = _settings(resources, api, path, method["HttpMethod"])
            what = "everything else" if method["HttpMethod"] == "ANY" else f"{method['HttpMethod']} {path}"
            rate, burst = settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]
            graph.connect(api, target, f"{what}: {rate:{',.0f' if rate >= 100 else '.3g'}}/s, burst {burst}")


def _path(resources: dict[str, Any], resource: dict[str, Any]) -> str:
    if "Fn::GetAtt" in resource:
        return "/"
    properties = resources[resource["Ref"]]["Properties"]
    return f"{_path(resources, properties['ParentId']).rstrip('/')}/{properties['PathPart']}"


def _settings(resources: dict[str, Any], api: str, path: str, method: str) -> dict[str, Any]:
    (stage,) = (
        stage for _, _, stage in _each(resources, "AWS::ApiGateway::Stage") if stage["RestApiId"] == {"Ref": api}
    )
    escaped = "/" + path.replace("/", "~1") if path != "/" else "/"
    by_route = {(setting["ResourcePath"], setting["HttpMethod"]): setting for setting in stage["MethodSettings"]}
    return by_route.get((escaped, method)) or by_route["/*", "*"]


def _functions(resources: dict[str, Any], graph: Graph) -> None:
    for name, _, function in _each(resources, "AWS::Lambda::Function"):
        reserved = function.get("ReservedConcurrentExecutions")
        if reserved is not None:
            graph.nodes[name].limits.append(f"reserved concurrency {reserved}")
        variables = function.get("Environment", {}).get("Variables", {})
        if "BREAKWATER_HOST" in variables:
            # each execution environment of these functions holds one connection
            limit = f"{reserved} connections at most" if reserved is not None else ""
            graph.connect(name, _database(variables, graph), limit)
        elif "BREAKWATER_RESOURCE_ARN" in variables:
            cluster = _referenced(variables["BREAKWATER_RESOURCE_ARN"], graph) or ["cluster"]
            graph.nodes.setdefault(cluster[0], Node("Aurora cluster", "Data API"))
            graph.connect(name, cluster[0], "HTTPS, no connection")
        for target, verb in _permitted(resources, function["Role"], graph):
            if target != name and (target, name) not in graph.edges:
                graph.connect(name, target, verb)
        _quota(name, variables, graph)


def _database(variables: dict[str, Any], graph: Graph) -> str:
    host = variables["BREAKWATER_HOST"]
    (target,) = _referenced(host, graph) or [str(host)]
    graph.nodes.setdefault(target, Node(f"Database ({variables['BREAKWATER_ENGINE']})", target))
    limit = f"max_connections {variables['BREAKWATER_MAX_CONNECTIONS']}"
    if graph.nodes[target].kind == "RDS Proxy":
        limit = f"a pool of {variables['BREAKWATER_MAX_CONNECTIONS']} connections"
    if limit not in graph.nodes[target].limits:
        graph.nodes[target].limits.append(limit)
    return target


def _permitted(resources: dict[str, Any], role: object, graph: Graph) -> Iterator[tuple[str, str]]:
    (name,) = (name for name, _, _ in _each(resources, "AWS::IAM::Role") if name in json.dumps(role))
    for _, _, policy in _each(resources, "AWS::IAM::Policy"):
        if {"Ref": name} in policy["Roles"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                verbs = [verb for action, verb in _VERBS.items() if action in actions]
                for target in _referenced(statement["Resource"], graph) if verbs else []:
                    yield target, verbs[0]


def _quota(name: str, variables: dict[str, Any], graph: Graph) -> None:
    """Put the tiers on the arrow to the function that calls the provider."""
    text = variables.get("BREAKWATER_QUOTA")
    if not text:
        return
    parts = (
        part if isinstance(part, str) else next(iter(_referenced(part, graph)), "") for part in text["Fn::Join"][1]
    )
    quota = json.loads("".join(parts))
    if (name, quota["function"]) in graph.edges:
        tiers = (f"{tier['limit']:,} per {_period(tier['period'])}" for tier in quota["tiers"])
        for label in (*tiers, f"{quota['parallelism']} at once"):
            graph.connect(name, quota["function"], label)


def _period(milliseconds: int) -> str:
    known = {1_000: "second", 60_000: "minute", 3_600_000: "hour", 86_400_000: "day"}
    return known.get(milliseconds, f"{milliseconds / 1000:g} s")


def _proxies(resources: dict[str, Any], graph: Graph) -> None:
    for _, _, group in _each(resources, "AWS::RDS::DBProxyTargetGroup"):
        (proxy,) = _referenced(group["DBProxyName"], graph)
        percent = group["ConnectionPoolConfigurationInfo"]["MaxConnectionsPercent"]
        for key in ("DBInstanceIdentifiers", "DBClusterIdentifiers"):
            for target in _referenced(group.get(key), graph):
                graph.connect(proxy, target, f"MaxConnectionsPercent {percent}")


def _words(metric: str) -> str:
    return {"ApproximateNumberOfMessagesVisible": "messages", "ApproximateAgeOfOldestMessage": "age"}.get(
        metric, metric
    )
