"""How heavy a finding is, and what it says of what no template tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cdk_breakwater.checks import Severity, check
from cdk_breakwater.checks.rules.account_concurrency import RULE as ACCOUNT
from cdk_breakwater.checks.rules.database_connections import RULE as CONNECTIONS
from cdk_breakwater.checks.rules.database_function_concurrency import RULE as CONCURRENCY
from cdk_breakwater.cli.check_sources import Sources

from .templates import checked

if TYPE_CHECKING:
    from pathlib import Path

    from cdk_breakwater.checks import Finding, Rule

ADDRESS = {"Fn::GetAtt": ["Db", "Endpoint.Address"]}
DATABASE = {"Type": "AWS::RDS::DBInstance", "Properties": {"Engine": "mysql", "DBInstanceClass": "db.t4g.micro"}}
TICK = {"ScheduleExpression": "rate(1 hour)", "Targets": [{"Id": "a", "Arn": {"Fn::GetAtt": ["Fn", "Arn"]}}]}
SCHEDULE = {"Type": "AWS::Events::Rule", "Properties": TICK}
ON_ORDERS = {**TICK, "ScheduleExpression": None, "EventPattern": {"source": ["orders"]}}
EVENT = {"Type": "AWS::Events::Rule", "Properties": ON_ORDERS}


def function(address: Any, **properties: Any) -> dict[str, Any]:
    variables = {"Variables": {"DB_HOST": address}}
    return {"Type": "AWS::Lambda::Function", "Properties": {"Environment": variables, **properties}}


def finding(rule: Rule, **resources: Any) -> Finding:
    ((_, found),) = checked({"Parameters": {"Elsewhere": {}}, "Resources": resources}, rules=[rule]).findings
    return found


def task(address: Any) -> dict[str, Any]:
    container = {"Environment": [{"Name": "HOST", "Value": address}]}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [container]}}


def test_what_only_a_schedule_calls_cannot_burst() -> None:
    found = finding(CONCURRENCY, Db=DATABASE, Fn=function(ADDRESS), Tick=SCHEDULE)
    assert found.severity is Severity.NOTE
    assert "only a schedule calls it" in found.problem
    found = finding(CONCURRENCY, Db=DATABASE, Fn=function(ADDRESS), Tick=SCHEDULE, Event=EVENT)
    assert found.severity is None
    assert "schedule" not in found.problem


def test_a_cache_carries_a_burst_wherever_it_is() -> None:
    cache = {"Type": "AWS::ElastiCache::ServerlessCache"}
    here = finding(CONCURRENCY, Db=cache, Fn=function(ADDRESS))
    elsewhere = finding(CONCURRENCY, Fn=function("cache.abc.euw1.cache.amazonaws.com"))
    assert here.severity is elsewhere.severity is Severity.NOTE


def test_a_database_elsewhere_has_a_limit_that_nobody_knows_here() -> None:
    found = finding(CONCURRENCY, Fn=function({"Ref": "Elsewhere"}))
    assert found.severity is None
    assert "a database elsewhere ({Elsewhere}), whose limit is unknown here" in found.problem


@pytest.mark.parametrize("rule", [CONCURRENCY, CONNECTIONS], ids=lambda rule: rule.id)
def test_containers_on_the_same_server_are_named(rule: Rule) -> None:
    limit = {"ReservedConcurrentExecutions": 5000} if rule is CONNECTIONS else {}
    both = {"Db": DATABASE, "Fn": function(ADDRESS, **limit)}
    assert "how often is unknown: Tasks" in finding(rule, **both, Tasks=task(ADDRESS)).problem
    assert "unknown" not in finding(rule, **both, Tasks=task({"Fn::GetAtt": ["Db", "DBInstanceArn"]})).problem


@pytest.mark.parametrize("private", [{"DBSubnetGroupName": "private"}, {"PubliclyAccessible": "false"}])
def test_whoever_reads_the_address_of_a_private_database_connects_within_its_network(private: dict[str, str]) -> None:
    database = {**DATABASE, "Properties": {**DATABASE["Properties"], **private}}
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/shop/host", "Value": ADDRESS}}
    reads = function({"Ref": "Host"})
    assert checked({"Resources": {"Db": database, "Host": parameter, "Fn": reads}}, rules=[CONCURRENCY]).findings == []
    in_vpc = function({"Ref": "Host"}, VpcConfig={"SecurityGroupIds": ["sg-1"]})
    assert "in the parameter Host" in finding(CONCURRENCY, Db=database, Host=parameter, Fn=in_vpc).text
    assert "in the parameter Host" in finding(CONCURRENCY, Db=DATABASE, Host=parameter, Fn=reads).text


def test_files_of_a_folder_are_no_one_account(tmp_path: Path) -> None:
    body = {"Resources": {"Fn": function("a", ReservedConcurrentExecutions=600)}}
    for name in ("dev.json", "prod.json"):
        (tmp_path / name).write_text(json.dumps(body))
    assert _of_folder(tmp_path) == []
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "dev.json"}}
    (tmp_path / "prod.json").write_text(json.dumps({"Resources": {**body["Resources"], "Nested": nested}}))
    assert len(_of_folder(tmp_path)) == 1


def _of_folder(folder: Path) -> list[Any]:
    sources = Sources(1000, {})
    sources.read([folder])
    return [each for assembly in sources.assemblies for each in check(assembly, [ACCOUNT]).findings]
