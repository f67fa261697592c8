"""Every shape in which CloudFormation's documentation writes a value: known ones are judged, unknown ones are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cdk_breakwater.checks import check, read
from cdk_breakwater.checks.rules.dead_letter_queue_retention import RULE as RETENTION
from cdk_breakwater.checks.rules.queue_visibility_timeout import RULE as VISIBILITY
from cdk_breakwater.cli.check_sources import Sources

from .templates import checked, found

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ONE = {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}


def template(seconds: Any, **sections: Any) -> dict[str, Any]:
    return {
        "Parameters": {"Known": {"Type": "Number", "Default": 0}, "Open": {"Type": "Number"}},
        **sections,
        "Resources": {
            "Fn": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 10}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": seconds}},
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {"FunctionName": {"Ref": "Fn"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
            },
        },
    }


KNOWN: dict[str, Callable[[int], dict[str, Any]]] = {
    "number": template,
    "text": lambda n: template(str(n)),
    "Ref of a default": lambda n: template({"Ref": "P"}, Parameters={"P": {"Type": "Number", "Default": n}}),
    "Ref of a default as text": lambda n: template(
        {"Ref": "P"}, Parameters={"P": {"Type": "String", "Default": str(n)}}
    ),
    "FindInMap": lambda n: template({"Fn::FindInMap": ["M", "a", "b"]}, Mappings={"M": {"a": {"b": n}}}),
    "FindInMap by a default": lambda n: template(
        {"Fn::FindInMap": ["M", {"Ref": "P"}, "b"]},
        Parameters={"P": {"Type": "String", "Default": "a"}},
        Mappings={"M": {"a": {"b": n}, "c": {"b": 60}}},
    ),
    "FindInMap, alike for all keys": lambda n: template(
        {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "b"]}, Mappings={"M": {"a": {"b": n}, "c": {"b": n}}}
    ),
    "FindInMap with a default value": lambda n: template(
        {"Fn::FindInMap": ["M", "gone", "b", {"DefaultValue": n}]}, Mappings={"M": {"a": {"b": 60}}}
    ),
    "If, alike in both branches": lambda n: template({"Fn::If": ["C", n, n]}, Conditions={"C": ONE}),
    "If, wrong or right in both branches": lambda n: template({"Fn::If": ["C", n, n + 1]}, Conditions={"C": ONE}),
    "If within If": lambda n: template(
        {"Fn::If": ["C", {"Fn::If": ["D", n, n]}, n]},
        Conditions={"C": ONE, "D": {"Fn::Not": [{"Condition": "C"}]}},
    ),
    "If of a condition that never holds": lambda n: template(
        {"Fn::If": ["C", 60 if n < 60 else 1, n]}, Conditions={"C": {"Fn::And": [ONE, {"Fn::Not": [ONE]}]}}
    ),
    "If of literals": lambda n: template(
        {"Fn::If": ["C", n, 60 if n < 60 else 1]}, Conditions={"C": {"Fn::Equals": ["a", "a"]}}
    ),
    "Sub": lambda n: template({"Fn::Sub": "${P}"}, Parameters={"P": {"Type": "Number", "Default": n}}),
    "Sub with a map": lambda n: template({"Fn::Sub": ["${a}", {"a": n}]}),
    "Join": lambda n: template({"Fn::Join": ["", [str(n)[0], str(n)[1:]]]}),
    "Select": lambda n: template({"Fn::Select": [1, [0, n]]}),
    "Select of Split": lambda n: template({"Fn::Select": ["0", {"Fn::Split": [",", f"{n},0"]}]}),
    "Select of a list's default": lambda n: template(
        {"Fn::Select": [0, {"Ref": "P"}]}, Parameters={"P": {"Type": "CommaDelimitedList", "Default": f"{n}, 0"}}
    ),
}
UNKNOWN: dict[str, dict[str, Any]] = {
    "a parameter": template({"Ref": "Open"}),
    "an import": template({"Fn::ImportValue": "seconds"}),
    "an import by Sub": template({"Fn::ImportValue": {"Fn::Sub": "${AWS::StackName}-seconds"}}),
    "a parameter of Parameter Store": template(
        {"Ref": "P"}, Parameters={"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a/b"}}
    ),
    "a dynamic reference": template("{{resolve:ssm:seconds}}"),
    "an attribute": template({"Fn::GetAtt": ["Fn", "Seconds"]}),
    "an attribute by Ref": template({"Fn::GetAtt": ["Fn", {"Ref": "Known"}]}),
    "a function that nobody knows": template({"Fn::Frobnicate": 1}),
    "a macro": template({"Fn::Transform": {"Name": "Seconds"}}),
    "If with one right branch": template({"Fn::If": ["C", 1, 60]}, Conditions={"C": ONE}),
    "If without its condition": template({"Fn::If": ["Gone", 1, 60]}),
    "FindInMap by Region": template(
        {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "b"]}, Mappings={"M": {"a": {"b": 1}, "c": {"b": 60}}}
    ),
    "Sub with an open variable": template({"Fn::Sub": "1${Open}"}),
    "Select beyond the end": template({"Fn::Select": [5, [1]]}),
    "not a number": template("NaN"),
    "a number that the CDK does not know yet": template(-1.8881545897087968e289),
    "infinity": template("1e999"),
    "a list": template([1]),
    "a block": template({"a": 1}),
    "a mapping of null": template({"Fn::FindInMap": ["M", "a", "b"]}, Mappings=None),
}


@pytest.mark.parametrize("shape", KNOWN)
def test_a_known_value_is_judged(shape: str) -> None:
    assert found(KNOWN[shape](30), VISIBILITY) == ["Queue"]
    assert found(KNOWN[shape](60), VISIBILITY) == []


@pytest.mark.parametrize("shape", UNKNOWN)
def test_an_unknown_value_is_not(shape: str) -> None:
    assert found(UNKNOWN[shape], VISIBILITY) == []


def test_no_value_is_the_default() -> None:
    assert found(template({"Ref": "AWS::NoValue"}), VISIBILITY) == ["Queue"]
    assert found(template(None), VISIBILITY) == ["Queue"]


def test_a_default_is_named() -> None:
    ((_, finding),) = checked(KNOWN["Ref of a default"](30), rules=[VISIBILITY]).findings
    assert finding.parameters == ["P"]
    assert finding.text.endswith("By the default of P.")


def test_properties_that_a_macro_writes_are_unknown() -> None:
    body = template(1)
    body["Resources"]["Queue"]["Properties"] = {"Fn::Transform": {"Name": "AWS::Include"}}
    assert found(body, VISIBILITY) == []
    body["Resources"]["Queue"]["Properties"] = {"Fn::If": ["C", {"VisibilityTimeout": 1}, {"VisibilityTimeout": 2}]}
    assert found({**body, "Conditions": {"C": ONE}}, VISIBILITY) == ["Queue"]


def test_loops_are_written_out() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Name}-dead"}}}
    source = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["${Name}Dead", "Arn"]}}},
    }
    loop = ["Name", {"Ref": "Names"}, {"${Name}Dead": queue, "${Name}": source}]
    body: dict[str, Any] = {"Transform": "AWS::LanguageExtensions", "Resources": {"Fn::ForEach::Queues": loop}}
    names = {"Names": {"Type": "CommaDelimitedList", "Default": "Orders,Payments"}}
    assert found({**body, "Parameters": names}, RETENTION) == ["OrdersDead", "PaymentsDead"]
    names["Names"].pop("Default")
    assert found({**body, "Parameters": names}, RETENTION) == []


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ({"Fn::GetAtt": [{"Fn::Sub": "Queue${Name}"}, "Arn"]}, ["QueueOrders", "QueueBills"]),
        ({"Fn::GetAtt": ["Queue${Name}", "Arn"]}, ["QueueOrders", "QueueBills"]),
        ({"Fn::GetAtt": [{"Fn::Sub": "Queue${AWS::Region}"}, "Arn"]}, []),
    ],
)
def test_a_loop_may_put_the_name_of_a_resource_together(function: Any, expected: list[str]) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}}
    reads = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"EventSourceArn": function, "FunctionName": {"Ref": {"Fn::Sub": "Fn"}}},
    }
    loop = ["Name", ["Orders", "Bills"], {"Queue${Name}": queue, "Map${Name}": reads}]
    work = {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 60}}
    assert found({"Resources": {"Fn": work, "Fn::ForEach::Queues": loop}}, VISIBILITY) == expected


BUCKET = "https://${AWS::StackName}.s3.${AWS::Region}.amazonaws.com"
UPLOADED: dict[str, Any] = {
    "by a path": "nested.json",
    "by a path of this folder": "./nested.json",
    "uploaded": "https://s3.amazonaws.com/bucket/v1/nested.json",
    "uploaded into a bucket of the deployment": {"Fn::Sub": f"{BUCKET}/v1/nested.json"},
    "uploaded under a prefix of the deployment": {"Fn::Sub": f"{BUCKET}/${{AWS::StackId}}/nested.json"},
    "uploaded, by Join": {"Fn::Join": ["/", ["https://b.s3.amazonaws.com", {"Ref": "AWS::StackName"}, "nested.json"]]},
    "uploaded by a name made of a default": {"Fn::Sub": f"{BUCKET}/${{Name}}.json"},
}


@pytest.mark.parametrize("url", UPLOADED.values(), ids=UPLOADED)
def test_nested_stacks_by_a_file_beside_their_parent(url: Any, tmp_path: Path) -> None:
    inner = template({"Ref": "Seconds"}, Parameters={"Seconds": {"Type": "Number"}}, Outputs={"O": {"Value": 5}})
    stack = {"TemplateURL": url, "Parameters": {"Seconds": {"Fn::GetAtt": ["Other", "Outputs.O"]}}}
    other = {"TemplateURL": url, "Parameters": {"Seconds": 600}}
    resources = {
        name: {"Type": "AWS::CloudFormation::Stack", "Properties": p} for name, p in (("S", stack), ("Other", other))
    }
    (tmp_path / "nested.json").write_text(json.dumps(inner), encoding="utf-8-sig")
    name = {"Name": {"Type": "String", "Default": "nested"}}
    (tmp_path / "root.json").write_text(json.dumps({"Parameters": name, "Resources": resources}))
    # A folder as a whole: what is nested is no app of its own, in which its parameters would be open.
    sources = Sources(1000, {})
    sources.read([tmp_path])
    for assembly in (read([tmp_path / "root.json"]), *sources.assemblies):
        report = check(assembly, [VISIBILITY])
        assert [finding.resource.logical_id for _, finding in report.findings] == ["Queue"]
        assert "5 s" in report.findings[0][1].problem
        assert len(assembly.templates) == 3


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com/bucket/other.json",
        "https://s3.amazonaws.com/bucket/../nested.json",
        {"Fn::Sub": f"{BUCKET}/nested-${{Open}}.json"},
        {"Ref": "Open"},
        "https://",
    ],
)
def test_nested_stacks_whose_file_is_elsewhere(url: Any, tmp_path: Path) -> None:
    (tmp_path / "nested-.json").write_text(json.dumps(template(5)))
    stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    (tmp_path / "root.json").write_text(json.dumps({"Parameters": {"Open": {}}, "Resources": {"S": stack}}))
    assembly = read([tmp_path / "root.json"])
    assert len(assembly.templates) == 1
    assert check(assembly).failures == []


def test_circles_end(tmp_path: Path) -> None:
    own = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": "a.json", "Parameters": {"P": {"Ref": "P"}}},
    }
    seconds = {"Fn::ImportValue": "seconds"}
    body = template(seconds, Outputs={"O": {"Value": seconds, "Export": {"Name": "seconds"}}}, Parameters={"P": {}})
    body["Conditions"] = {"A": {"Fn::Not": [{"Condition": "B"}]}, "B": {"Condition": "A"}}
    body["Resources"]["Nested"] = own | {"Condition": "A"}
    (tmp_path / "a.json").write_text(json.dumps(body))
    (tmp_path / "b.json").write_text(json.dumps({**body, "Outputs": None, "Mappings": None}))
    assert check(read([tmp_path / "a.json", tmp_path / "b.json"])).failures == []


def test_a_rule_that_fails_says_so_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    def fails(resource: Any) -> list[Any]:
        raise LookupError(resource.logical_id)

    report = checked(template(1), rules=[replace(RETENTION, check=fails), VISIBILITY])
    assert [failure.text for failure in report.failures] == [
        "DeadLetterQueueRetention could not check Queue (LookupError: Queue); the other rules did."
    ]
    assert [finding.resource.logical_id for _, finding in report.findings] == ["Queue"]
