from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cdk_breakwater.checks import Assembly, check, read
from cdk_breakwater.checks.answers import ABSENT, UNKNOWN, Amount, Reference, Unknown

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = {
    "Parameters": {"Known": {"Type": "Number", "Default": 7}, "Open": {"Type": "String"}},
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "User": {
            "Type": "Custom::User",
            "Properties": {
                "Number": "12",
                "Parameter": {"Ref": "Known"},
                "Open": {"Ref": "Open"},
                "Nothing": {"Ref": "AWS::NoValue"},
                "Region": {"Ref": "AWS::Region"},
                "Queue": {"Ref": "Queue"},
                "Arn": {"Fn::GetAtt": ["Queue", "Arn"]},
                "Short": {"Fn::GetAtt": "Queue.Arn"},
                "Sub": {"Fn::Sub": "${Queue.Arn}"},
                "SubRef": {"Fn::Sub": "${Queue}"},
                "Text": {"Fn::Sub": "url=${Queue.QueueUrl}&literal=${!Queue}"},
                "WithMap": {"Fn::Sub": ["${a}-${Queue}", {"a": 1}]},
                "Missing": {"Fn::GetAtt": ["Gone", "Arn"]},
                "Import": {"Fn::ImportValue": "other:Output"},
                "ImportOpen": {"Fn::ImportValue": {"Ref": "Open"}},
                "Joined": {"Fn::Join": ["", ["a", {"Ref": "Queue"}]]},
                "Deep": {"Inner": [{"Ref": "Queue"}, 5]},
            },
        },
    },
}


@pytest.fixture
def assembly(tmp_path: Path) -> Assembly:
    other = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"Output": {"Value": {"Ref": "Topic"}, "Export": {"Name": "other:Output"}}},
    }
    for name, body in (("one.json", TEMPLATE), ("two.json", other)):
        (tmp_path / name).write_text(json.dumps(body))
    return read([tmp_path / "one.json", tmp_path / "two.json"])


def test_what_values_refer_to(assembly: Assembly) -> None:
    (user,) = assembly.resources("Custom::User")
    (queue,) = assembly.resources("AWS::SQS::Queue")
    (topic,) = assembly.resources("AWS::SNS::Topic")
    assert user.limit("Number") == 12
    parameter = user.limit("Parameter")
    assert isinstance(parameter, Amount)
    assert (parameter, parameter.parameter) == (7, "Known")
    assert user.number("Absent", default=3) == user.number("Nothing", default=3) == 3
    assert user.limit("Absent") is user.get("Nothing") is ABSENT
    assert isinstance(user.number("Open", default=3), Unknown)
    assert user.get("Missing") is UNKNOWN
    assert user.get("Joined") == Unknown("a{Queue}", frozenset({Reference(queue, None)}))
    for name in ("Open", "Region", "Missing", "ImportOpen", "Joined", "Text"):
        assert isinstance(user.get(name), Unknown)
    for name in ("Queue", "SubRef"):
        assert user.get(name) == Reference(queue, None)
    for name in ("Arn", "Short", "Sub"):
        assert user.get(name) == Reference(queue, "Arn")
    assert user.target("Import") is topic
    assert user.references("Text") == {Reference(queue, "QueueUrl")}
    for name in ("WithMap", "Joined", "Deep"):
        assert user.references(name) == {Reference(queue, None)}
    assert user.targets("Deep", "Inner") == [queue]
    assert (queue.name, queue.template.environment) == ("Queue", None)


def test_a_file_that_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match=r"list\.json is not a CloudFormation template"):
        read([tmp_path / "list.json"])


ODD: list[dict[str, object]] = [
    {"Type": "AWS::Lambda::Function"},
    {"Type": "AWS::Lambda::EventSourceMapping"},
    {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": "text"}},
    {"Type": "AWS::RDS::DBInstance", "Properties": {"Engine": [], "PubliclyAccessible": True}},
    {"Type": "AWS::RDS::DBCluster", "Properties": {"Engine": "mysql", "MasterUserPassword": {"Ref": "Gone"}}},
    {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": {"Statement": {"Action": "*"}}}]}},
    {"Type": "AWS::IAM::Policy", "Properties": {"Roles": "text", "PolicyDocument": {"Ref": "Gone"}}},
    {"Type": "AWS::ApiGateway::Stage", "Properties": {"MethodSettings": {"Fn::If": ["A", "B", "C"]}}},
    {"Type": "AWS::CloudFormation::Stack", "Metadata": {"aws:asset:path": "gone.json"}},
]


@pytest.mark.parametrize("resource", ODD, ids=lambda resource: resource["Type"])
def test_odd_templates_do_no_harm(resource: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(json.dumps({"Resources": {"Odd": resource}}))
    assert check(read([tmp_path / "odd.json"])).failures == []


def test_an_empty_template(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("{}")
    assert check(read([tmp_path / "empty.json"])).findings == []
