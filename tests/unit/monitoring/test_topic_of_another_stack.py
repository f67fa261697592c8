"""Alarms whose topic stands in another stack: made where no stack comes to depend on itself."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import ConnectionBudget, VpcDatabaseFunction
from tests.unit.databases import POSTGRESQL


@pytest.mark.parametrize("names", [("Data", "App"), ("App", "Data")])
def test_the_usual_two_stacks(app: cdk.App, code: dict[str, Any], names: tuple[str, str]) -> None:
    stacks = {name: cdk.Stack(app, name) for name in names}
    vpc = ec2.Vpc(stacks["Data"], "Vpc", max_azs=2)
    database = rds.DatabaseInstance(
        stacks["Data"], "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"}
    )
    topic = sns.Topic(stacks["Data" if names[0] == "App" else "App"], "Topic")
    VpcDatabaseFunction(stacks["App"], "Orders", database=database, vpc=vpc, **code)
    ConnectionBudget.of(database).alarms(topic)
    app.synth()
    Template.from_stack(cdk.Stack.of(topic)).resource_count_is("AWS::CloudWatch::Alarm", 2)


def test_a_topic_that_came_before_leaves_them_where_they_are(app: cdk.App) -> None:
    base = cdk.Stack(app, "Base")
    topic, vpc = sns.Topic(base, "Topic"), ec2.Vpc(base, "Vpc", max_azs=2)
    data = cdk.Stack(app, "Data")
    database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"})
    ConnectionBudget.of(database).alarms(topic)
    app.synth()
    Template.from_stack(data).resource_count_is("AWS::CloudWatch::Alarm", 2)


@pytest.mark.parametrize("topic_in", ["nested", "parent"])
def test_a_nested_stack_refers_to_its_parent(app: cdk.App, code: dict[str, Any], topic_in: str) -> None:
    parent = cdk.Stack(app, "Parent")
    nested = cdk.NestedStack(parent, "Nested")
    data, functions = (parent, nested) if topic_in == "nested" else (nested, parent)
    vpc = ec2.Vpc(data, "Vpc", max_azs=2)
    database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"})
    topic = sns.Topic(functions, "Topic")
    VpcDatabaseFunction(functions, "Orders", database=database, vpc=vpc, **code)
    VpcDatabaseFunction(data, "Reports", database=database, vpc=vpc, **code)
    ConnectionBudget.of(database).alarms(topic)
    app.synth()
    Template.from_stack(nested).resource_count_is("AWS::CloudWatch::Alarm", 2)
    # The parent deploys both: nobody has to keep to an order.
    Annotations.from_stack(parent).has_no_info("*", Match.string_like_regexp("share it"))
